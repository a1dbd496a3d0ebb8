// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: system calls that leave errno alone, and /dev/chanctl.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
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

void *sys_calloc(size_t n, size_t size)
{
	int saved_errno = errno;
	void *memory = calloc(n, size);

	errno = saved_errno;
	return memory;
}

int sys_open(const char *path, int flags)
{
	int saved_errno = errno;

	return result(open(path, flags), saved_errno);
}

/* A thread that is cancelled in close() may not have closed the file. */
int sys_close(int fd)
{
	int saved_errno = errno;
	int ret, state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	ret = result(close(fd), saved_errno);
	pthread_setcancelstate(state, NULL);
	return ret;
}

int sys_getfl(int fd)
{
	int saved_errno = errno;

	return result(fcntl(fd, F_GETFL), saved_errno);
}

int sys_ioctl(int fd, unsigned long request, void *arg)
{
	int saved_errno = errno;

	return result(ioctl(fd, request, arg), saved_errno);
}

/*
 * read() and write() are cancellation points, ioctl() is none.  So the thread can
 * be cancelled at any instant of it, which is safe: there is nothing to undo.
 */
int sys_ioctl_wait(int fd, unsigned long request, void *arg)
{
	int ret, type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = sys_ioctl(fd, request, arg);
	pthread_setcanceltype(type, NULL);
	return ret;
}

int ctl_open(void)
{
	return sys_open("/dev/chanctl", O_RDWR | O_CLOEXEC);
}

/* One request on a scope of its own, which is gone again afterwards. */
int ctl_ioctl(unsigned long request, void *arg)
{
	int fd, ret;

	fd = ctl_open();
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
int query_ioctl(int fd, unsigned long request, void *arg, size_t size)
{
	if (size > _IOC_SIZEMASK)
		return -E2BIG;
	memset(arg, 0, size);
	return sys_ioctl(fd,
			 _IOC(_IOC_READ | _IOC_WRITE, CHAN_IOC_MAGIC,
			      _IOC_NR(request), size),
			 arg);
}

int copy_sized(void *copy, size_t known, const void *options, size_t size,
	       size_t oldest)
{
	const char *bytes = options;
	size_t i;

	memset(copy, 0, known);
	if (!options)
		return 0;
	if (size < oldest)
		return -EINVAL;
	for (i = known; i < size; i++)
		if (bytes[i])
			return -E2BIG;
	memcpy(copy, options, size < known ? size : known);
	return 0;
}
