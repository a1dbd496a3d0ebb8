// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: system calls that leave errno alone, and /dev/chanctl.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

static int result(int ret, int saved_errno)
{
	if (ret < 0) {
		ret = -errno;
		errno = saved_errno;
	}
	return ret;
}

int sys_open(const char *path, int flags)
{
	int saved_errno = errno;

	return result(open(path, flags), saved_errno);
}

int sys_close(int fd)
{
	int saved_errno = errno;

	return result(close(fd), saved_errno);
}

int sys_ioctl(int fd, unsigned long request, void *arg)
{
	int saved_errno = errno;

	return result(ioctl(fd, request, arg), saved_errno);
}

/* One request on a scope of its own, which is gone again afterwards. */
int ctl_ioctl(unsigned long request, void *arg)
{
	int fd, ret;

	fd = sys_open("/dev/chanctl", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fd;
	ret = sys_ioctl(fd, request, arg);
	sys_close(fd);
	return ret;
}

/*
 * A request whose structure is as long as the caller knows it.  The kernel takes
 * any length from the first version's on, so that programs and libraries of
 * different age get along.
 */
int query_ioctl(unsigned int nr, size_t size, unsigned long *request)
{
	if (size > _IOC_SIZEMASK)
		return -E2BIG;
	*request = _IOC(_IOC_READ | _IOC_WRITE, CHAN_IOC_MAGIC, nr, size);
	return 0;
}
