// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: timers, for selects.
 */
#include <errno.h>
#include <limits.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "internal.h"

static struct timespec to_timespec(int64_t nanoseconds)
{
	struct timespec time = {
		.tv_sec = nanoseconds / CHAN_SECOND,
		.tv_nsec = nanoseconds % CHAN_SECOND,
	};

	return time;
}

/* The clock of all deadlines. */
static int make_timer(int64_t first, int64_t interval)
{
	struct itimerspec times = {
		.it_value = to_timespec(first),
		.it_interval = to_timespec(interval),
	};
	int saved_errno = errno;
	int fd, ret;

	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (fd < 0 || timerfd_settime(fd, 0, &times, NULL)) {
		ret = -errno;
		if (fd >= 0)
			close(fd);
		fd = ret;
	}
	errno = saved_errno;
	return fd;
}

static int set_timer(struct chan_timer *timer, int fd)
{
	timer->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

CHAN_API int chan_after(int64_t timeout, struct chan_timer *timer)
{
	timer->fd = -1;
	if (timeout < 0)
		return 0;
	/* 0 would stop it. */
	return set_timer(timer, make_timer(timeout ?: 1, 0));
}

CHAN_API int chan_tick(int64_t interval, struct chan_timer *timer)
{
	timer->fd = -1;
	if (!interval)
		return -EINVAL;
	if (interval < 0)
		return 0;
	return set_timer(timer, make_timer(interval, interval));
}

CHAN_API int chan_timer_ticks(struct chan_timer timer)
{
	int saved_errno = errno;
	uint64_t ticks = 0;
	int ret = 0;

	if (timer.fd < 0)
		return 0;
	if (read(timer.fd, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		ret = -errno;
	errno = saved_errno;
	if (ret)
		return ret;
	return ticks < INT_MAX ? (int)ticks : INT_MAX;
}

CHAN_API int chan_timer_release(struct chan_timer *timer)
{
	int ret = 0;

	if (timer->fd >= 0)
		ret = sys_close(timer->fd);
	timer->fd = -1;
	return ret;
}
