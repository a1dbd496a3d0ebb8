// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl remove: remove named channels that were added.
 */
#include <errno.h>
#include <unistd.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"
#include "device.h"

static int remove_one(const char *name)
{
	int ret = chan_dev_remove(name, 0);

	if (ret && access("/dev/chanctl", F_OK))
		complain_of_open(name, -ret);
	else if (ret)
		complain_of_device("remove", name,
				   ret == -EINVAL ? ENOENT : -ret);
	return ret;
}

static int remove_main(void *settings, int argc, char **argv)
{
	int status = STATUS_GOOD;

	(void)settings;
	for (int i = 0; i < argc; i++) {
		const char *name = device_name(argv[i]);

		if (!name || remove_one(name))
			status = STATUS_FAILED;
	}
	return status;
}

const struct command remove_command = {
	.name = "remove",
	.summary = "remove named channels that were added",
	.synopsis = "NAME...",
	.description =
		"Remove the channels /dev/chan-NAME.  Who has one open gets ENODEV, receivers\n"
		"once they have drained it.  This takes root.",
	.notes = "Exit status: 0; 1 one could not be removed; 2 wrong usage.",
	.usage_status = STATUS_USAGE,
	.least = 1,
	.most = ANY_NUMBER,
	.missing = "name",
	.arguments = COMPLETE_ADDED,
	.main = remove_main,
};
