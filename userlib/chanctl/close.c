// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl close: end a channel, and say why.
 */
#include <string.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"

struct settings {
	int error;
};

static int close_one(const char *name, int error)
{
	struct chan_tx tx;
	int ret = chan_tx_open(name, 0, &tx);

	if (ret) {
		complain_of_open(name, -ret);
		return ret;
	}
	ret = chan_close(tx, error);
	if (ret)
		complain("'%s': %s", name, strerror(-ret));
	chan_tx_release(&tx);
	return ret;
}

static int close_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	int status = STATUS_GOOD;

	for (int i = 0; i < argc; i++) {
		if (close_one(argv[i], set->error))
			status = STATUS_FAILED;
	}
	return status;
}

static const struct option_spec options[] = {
	{ 'e', "error", "ERROR", .parse = option_error,
	  .offset = offsetof(struct settings, error),
	  .completion = COMPLETE_ERROR,
	  .help = "what receivers get: a name, such as ECONNRESET, or a\n"
		  "number; default 0, the end of file" },
	{ 0 },
};

const struct command close_command = {
	.name = "close",
	.summary = "end channels for those who have them open",
	.synopsis = "[OPTION]... CHANNEL...",
	.description =
		"Close the channels: senders get EPIPE; receivers the end of file, or the error,\n"
		"once they have drained it.  One that nobody has open is new at the next open,\n"
		"so there is nothing to close.",
	.options = options,
	.notes = "Exit status: 0; 1 one could not be closed; 2 wrong usage.",
	.settings_size = sizeof(struct settings),
	.usage_status = STATUS_USAGE,
	.least = 1,
	.most = ANY_NUMBER,
	.missing = "channel",
	.arguments = COMPLETE_CHANNEL,
	.main = close_main,
};
