// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: the module, its devices and the library itself.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

static int copy_name(char field[CHAN_NAME_SIZE], const char *name)
{
	size_t len = strlen(name);

	if (len >= CHAN_NAME_SIZE)
		return -EINVAL;
	memcpy(field, name, len);
	return 0;
}

CHAN_API int chan_dev_add(const char *name, mode_t mode, unsigned int capacity,
			  unsigned int max_msg, unsigned int flags)
{
	struct chan_dev_add arg = {
		.mode = mode,
		.capacity = capacity,
		.max_msg = max_msg,
		.flags = flags,
	};
	int ret = copy_name(arg.name, name);

	return ret ?: ctl_ioctl(CHAN_IOC_DEV_ADD, &arg);
}

CHAN_API int chan_dev_remove(const char *name, unsigned int flags)
{
	struct chan_dev_remove arg = { .flags = flags };
	int ret = copy_name(arg.name, name);

	return ret ?: ctl_ioctl(CHAN_IOC_DEV_REMOVE, &arg);
}

CHAN_API int chan_version(struct chan_version *version, size_t size)
{
	int fd, ret;

	fd = ctl_open();
	if (fd < 0)
		return fd;
	ret = query_ioctl(fd, CHAN_IOC_VERSION, version, size);
	sys_close(fd);
	return ret;
}

CHAN_API const char *chan_library_version(void)
{
	return LIBCHAN_VERSION;
}
