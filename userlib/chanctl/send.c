// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl send: messages out of arguments or a stream into a channel.
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
	const char *file;
	uint64_t count;
	uint64_t timeout;
	bool close;
	int error;
};

static int set_close(const char *value, void *field)
{
	struct settings *set = field;

	set->close = true;
	return value ? option_error(value, &set->error) : 0;
}

/* Why a message was not sent, and the exit status for it. */
static int blame_send(const char *name, uint64_t number, int error)
{
	if (error == ETIMEDOUT || error == EAGAIN) {
		complain("message %llu: nobody has taken it in time",
			 (unsigned long long)number);
		return STATUS_TIMEOUT;
	}
	if (error == EPIPE) {
		complain("message %llu: '%s' has ended",
			 (unsigned long long)number, name);
		return STATUS_ENDED;
	}
	complain("message %llu: %s", (unsigned long long)number,
		 strerror(error));
	return STATUS_FAILED;
}

static int send_one(struct chan_tx tx, const struct settings *set,
		    const char *name, const struct reader *r)
{
	uint64_t deadline = deadline_after(set->timeout);
	int ret = chan_send_until(tx, r->buf, r->len, deadline);

	return ret ? blame_send(name, r->number, -ret) : STATUS_GOOD;
}

static int too_long(const struct reader *r)
{
	char *most = size_text(r->most);

	complain("message %llu: longer than the channel takes, which is %s",
		 (unsigned long long)r->number, most);
	free(most);
	return STATUS_FAILED;
}

/* Why there is no next message, and the exit status for it. */
static int blame_reader(const struct reader *r, int error)
{
	if (error == EMSGSIZE)
		return too_long(r);
	if (error == EBADMSG)
		complain("message %llu: the input ends amid it",
			 (unsigned long long)r->number);
	else
		complain("read: %s", strerror(error));
	return STATUS_FAILED;
}

static int send_stream(struct chan_tx tx, const struct settings *set,
		       const char *name, struct reader *r)
{
	int ret = 0, status = STATUS_GOOD;

	while (!status && r->number < set->count && (ret = reader_next(r)) > 0)
		status = send_one(tx, set, name, r);
	return ret < 0 ? blame_reader(r, -ret) : status;
}

static int send_arguments(struct chan_tx tx, const struct settings *set,
			  const char *name, size_t most, char **argv)
{
	struct reader r = { .most = most };
	int status = STATUS_GOOD;

	for (; *argv && !status && r.number < set->count; argv++) {
		r.buf = *argv;
		r.len = strlen(*argv);
		r.number++;
		status = r.len > most ? too_long(&r) :
					send_one(tx, set, name, &r);
	}
	return status;
}

static int send_file(struct chan_tx tx, const struct settings *set,
		     const char *name, size_t most)
{
	struct reader r = {
		.file = set->file ? fopen(set->file, "re") : stdin,
		.framing = set->framing,
		.most = most,
	};
	int status;

	if (!r.file) {
		complain("'%s': %s", set->file, strerror(errno));
		return STATUS_FAILED;
	}
	status = send_stream(tx, set, name, &r);
	if (set->file)
		fclose(r.file);
	reader_release(&r);
	return status;
}

static int close_behind(struct chan_tx tx, const struct settings *set)
{
	int ret = set->close ? chan_close(tx, set->error) : 0;

	if (ret)
		complain("cannot close: %s", strerror(-ret));
	return ret ? STATUS_FAILED : STATUS_GOOD;
}

static int send_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	struct chan_info info;
	struct chan_tx tx;
	int ret, status;

	if (argc > 1 && set->file) {
		complain("--file and messages do not go together");
		return STATUS_USAGE;
	}
	ret = chan_tx_open(argv[0], 0, &tx);
	ret = ret ?: chan_tx_info(tx, &info, sizeof(info));
	if (ret) {
		complain_of_open(argv[0], -ret);
		return STATUS_FAILED;
	}
	if (argc > 1)
		status = send_arguments(tx, set, argv[0], info.max_msg,
					argv + 1);
	else
		status = send_file(tx, set, argv[0], info.max_msg);
	status = status ?: close_behind(tx, set);
	chan_tx_release(&tx);
	return status;
}

static const struct option_spec options[] = {
	FRAMING_OPTIONS(struct settings, framing,
			"each line is a message, without its end; default",
			"all of the input is one message"),
	{ 'f', "file", "FILE", .parse = option_text,
	  .offset = offsetof(struct settings, file),
	  .completion = COMPLETE_FILE,
	  .help = "read FILE in place of standard input" },
	{ 'n', "count", "COUNT", .parse = option_count,
	  .offset = offsetof(struct settings, count),
	  .help = "stop after so many messages" },
	{ 't', "timeout", "DURATION", .parse = option_duration,
	  .offset = offsetof(struct settings, timeout),
	  .help = "how long each message may wait; 0 not at all" },
	{ 'c', "close", "ERROR", true, COMPLETE_ERROR, .parse = set_close,
	  .help = "close the channel behind the last message" },
	{ 0 },
};

static const struct settings defaults = {
	.count = UINT64_MAX,
	.timeout = CHAN_SELECT_FOREVER,
};

const struct command send_command = {
	.name = "send",
	.summary = "send messages",
	.synopsis = "[OPTION]... CHANNEL [MESSAGE]...",
	.description =
		"Send each MESSAGE, or if there is none what comes on standard input.  Each\n"
		"waits for a receiver, or for room in the buffer.",
	.options = options,
	.notes =
		"Exit status: 0 all were sent; 1 failed; 2 wrong usage; 3 the channel has ended\n"
		"before that; 124 the time was over.",
	.defaults = &defaults,
	.settings_size = sizeof(defaults),
	.usage_status = STATUS_USAGE,
	.least = 1,
	.most = ANY_NUMBER,
	.missing = "channel",
	.arguments = COMPLETE_CHANNEL,
	.main = send_main,
};
