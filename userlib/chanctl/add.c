// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl add: make named channels.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"
#include "device.h"

struct settings {
	mode_t mode;
	uint32_t capacity;
	uint32_t max_msg;
	bool hangup;
};

static int set_mode(const char *value, void *field)
{
	char *end;
	unsigned long mode = strtoul(value, &end, 8);

	if (*value < '0' || *value > '7' || *end || mode > 0777)
		return bad_value("mode", value, "0600 or 666");
	*(mode_t *)field = mode;
	return 0;
}

static int set_hangup(const char *name)
{
	char *path = text(SYSFS_CLASS "/chan-%s/hangup", name);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int bad = fd < 0 || write(fd, "1", 1) != 1;

	if (bad)
		complain("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(path);
	return bad ? -1 : 0;
}

/* The kernel says no more than EINVAL. */
static int check_limits(const struct settings *set)
{
	if (set->capacity > CHAN_MAX_CAPACITY)
		complain("the capacity is at most %d", CHAN_MAX_CAPACITY);
	else if (set->max_msg > CHAN_MAX_MSG)
		complain("messages are at most 1M long");
	else
		return 0;
	return -1;
}

/* One that is not as it was asked for is not left there. */
static int add_one(const struct settings *set, const char *name)
{
	int ret = chan_dev_add(name, set->mode, set->capacity, set->max_msg, 0);

	if (ret == -EINVAL) {
		complain("'%s' is no name: it has letters, digits, . _ -",
			 name);
	} else if (ret == -ENOENT) {
		complain_of_open(name, ENOENT);
	} else if (ret) {
		complain_of_device("add", name, -ret);
	} else if (set->hangup) {
		ret = set_hangup(name);
		if (ret)
			chan_dev_remove(name, 0);
	}
	return ret;
}

static int add_main(void *settings, int argc, char **argv)
{
	int status = STATUS_GOOD;

	if (check_limits(settings))
		return STATUS_USAGE;
	for (int i = 0; i < argc; i++) {
		const char *name = device_name(argv[i]);

		if (!name || add_one(settings, name))
			status = STATUS_FAILED;
	}
	return status;
}

static const struct option_spec options[] = {
	{ 'c', "capacity", "N", .parse = option_number,
	  .offset = offsetof(struct settings, capacity),
	  .help = "buffer N messages; default 0, a rendezvous" },
	{ 's', "max-msg", "SIZE", .parse = option_size,
	  .offset = offsetof(struct settings, max_msg),
	  .help = "the longest message, in bytes, or 4K, 1M; default 64K" },
	{ 'm', "mode", "MODE", .parse = set_mode,
	  .offset = offsetof(struct settings, mode),
	  .help = "permissions of the node, in octal; default 0600" },
	{ 'e', "hangup", .parse = option_flag,
	  .offset = offsetof(struct settings, hangup),
	  .help = "end when one side has nobody left, like a FIFO" },
	{ 0 },
};

static const struct settings defaults = { .mode = 0600 };

const struct command add_command = {
	.name = "add",
	.summary = "add named channels",
	.synopsis = "[OPTION]... NAME...",
	.description =
		"Add the channels /dev/chan-NAME, which are there until they are removed.\n"
		"This takes root.",
	.options = options,
	.notes = "Exit status: 0; 1 one could not be added; 2 wrong usage.",
	.defaults = &defaults,
	.settings_size = sizeof(defaults),
	.usage_status = STATUS_USAGE,
	.least = 1,
	.most = ANY_NUMBER,
	.missing = "name",
	.main = add_main,
};
