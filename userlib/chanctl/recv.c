// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl recv: messages out of a channel into a stream.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"
#include "framing.h"

struct settings {
	enum framing framing;
	uint64_t count;
	uint64_t timeout;
	bool follow;
};

struct room {
	char *buf;
	size_t size;
};

/* The limit may have been raised since we asked. */
static int receive(struct chan_rx rx, struct room *room, size_t *len,
		   uint64_t timeout)
{
	uint64_t deadline = deadline_after(timeout);
	int ret;

	do {
		ret = chan_recv_until(rx, room->buf, room->size, len, deadline);
		if (ret == -EMSGSIZE && *len > room->size) {
			room->size = *len;
			room->buf = resized(room->buf, room->size);
			continue;
		}
		return ret;
	} while (true);
}

/* Senders can close it with that error, too: then it is not our time that is over. */
static bool is_late(struct chan_rx rx, const struct settings *set, int ret)
{
	struct chan_info info;

	if (set->timeout == CHAN_SELECT_FOREVER ||
	    ret != (set->timeout ? -ETIMEDOUT : -EAGAIN))
		return false;
	return chan_rx_info(rx, &info, sizeof(info)) ||
	       info.state != CHAN_STATE_FAILED || (int)info.cause != -ret;
}

/* Why there is no message, and the exit status for it. */
static int blame(struct chan_rx rx, const struct settings *set,
		 const char *name, int ret)
{
	char *cause;

	if (!ret)
		return set->follow ? STATUS_GOOD : STATUS_ENDED;
	if (is_late(rx, set, ret))
		return STATUS_TIMEOUT;
	cause = error_name(-ret);
	complain("'%s' has ended: %s (%s)", name, strerror(-ret), cause);
	free(cause);
	return STATUS_FAILED;
}

static int receive_all(struct chan_rx rx, const struct settings *set,
		       const char *name, struct room *room)
{
	for (uint64_t n = 0; set->follow || n < set->count; n++) {
		size_t len;
		int ret = receive(rx, room, &len, set->timeout);

		if (ret <= 0)
			return blame(rx, set, name, ret);
		/* That it could not be written is told by who checks stdout. */
		if (write_message(stdout, set->framing, room->buf, len))
			return STATUS_FAILED;
	}
	return STATUS_GOOD;
}

static int recv_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	struct room room = { 0 };
	struct chan_info info;
	struct chan_rx rx;
	int ret, status;

	(void)argc;
	if (set->count && set->follow) {
		complain("--count and --follow do not go together");
		return STATUS_USAGE;
	}
	set->count = set->count ?: 1;
	ret = chan_rx_open(argv[0], 0, &rx);
	ret = ret ?: chan_rx_info(rx, &info, sizeof(info));
	if (ret) {
		complain_of_open(argv[0], -ret);
		return STATUS_FAILED;
	}
	room.size = info.max_msg;
	room.buf = zeroed(room.size);
	status = receive_all(rx, set, argv[0], &room);
	free(room.buf);
	chan_rx_release(&rx);
	return status;
}

static const struct option_spec options[] = {
	{ 'n', "count", "COUNT", .parse = option_count,
	  .offset = offsetof(struct settings, count),
	  .help = "receive so many; default 1" },
	{ 'f', "follow", .parse = option_flag,
	  .offset = offsetof(struct settings, follow),
	  .help = "receive until the channel ends" },
	{ 't', "timeout", "DURATION", .parse = option_duration,
	  .offset = offsetof(struct settings, timeout),
	  .help = "how long to wait for each message; 0 not at all" },
	FRAMING_OPTIONS(struct settings, framing,
			"each message becomes a line; default",
			"nothing stands between messages"),
	{ 0 },
};

static const struct settings defaults = { .timeout = CHAN_SELECT_FOREVER };

const struct command recv_command = {
	.name = "recv",
	.summary = "receive messages",
	.synopsis = "[OPTION]... CHANNEL",
	.description =
		"Receive messages, and write them to standard output, each before the next is\n"
		"received.  A message that ends in a newline is not given another one.",
	.options = options,
	.notes =
		"Exit status: 0 all have come, or with --follow the end; 1 failed, or the channel\n"
		"was closed with an error; 2 wrong usage; 3 the channel has ended before that;\n"
		"124 the time was over.",
	.defaults = &defaults,
	.settings_size = sizeof(defaults),
	.usage_status = STATUS_USAGE,
	.least = 1,
	.most = 1,
	.missing = "channel",
	.arguments = COMPLETE_CHANNEL,
	.main = recv_main,
};
