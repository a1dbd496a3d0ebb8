// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: deadlines, and the choice between several things.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "internal.h"

#define NSEC_PER_SEC UINT64_C(1000000000)

CHAN_API uint64_t chan_deadline(int64_t timeout)
{
	struct timespec now;
	uint64_t deadline;

	if (timeout < 0)
		return CHAN_SELECT_FOREVER;
	if (!timeout)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	deadline = now.tv_sec * NSEC_PER_SEC + now.tv_nsec + timeout;
	return deadline > INT64_MAX ? CHAN_SELECT_FOREVER : deadline;
}

/* A select on @fd, which is any file of the module. */
static int select_ioctl(int fd, struct chan_select *arg)
{
	int ret;

	arg->index = CHAN_SELECT_NONE;
	/* What does not wait is no reason to let a thread be cancelled in it. */
	ret = arg->deadline ? sys_ioctl_wait(fd, CHAN_IOC_SELECT, arg) :
			      sys_ioctl(fd, CHAN_IOC_SELECT, arg);
	return ret == -ENOTTY ? -EOPNOTSUPP : ret;
}

int select_on(int fd, struct chan_case *cases, unsigned int n,
	      uint64_t deadline)
{
	struct chan_select arg = {
		.cases = (uintptr_t)cases,
		.ncases = n,
		.case_size = sizeof(*cases),
		.deadline = deadline,
	};

	return select_ioctl(fd, &arg);
}

int select_one(struct chan_case *c, uint64_t deadline)
{
	return select_on(c->fd, c, 1, deadline);
}

static void close_file(void *fd)
{
	sys_close(*(int *)fd);
}

static int select_on_ctl(struct chan_select *arg)
{
	int fd, ret;

	fd = ctl_open();
	if (fd < 0)
		return fd;
	pthread_cleanup_push(close_file, &fd);
	ret = select_ioctl(fd, arg);
	pthread_cleanup_pop(1);
	return ret;
}

/* The first end among the cases, or -1; whether it is one is the module's to say. */
static int find_end(const struct chan_select *arg)
{
	const char *at = (const char *)(uintptr_t)arg->cases;
	const struct chan_case *c;
	unsigned int i;

	for (i = 0; i < arg->ncases; i++, at += arg->case_size) {
		c = (const struct chan_case *)at;
		if (c->fd >= 0 && (c->op == CHAN_SEND || c->op == CHAN_RECV))
			return c->fd;
	}
	return -1;
}

/*
 * The request needs a file of the module, and an end is one.  /dev/chanctl serves
 * where there is none among the cases, or where what passes for one turns out to
 * be closed or some other file: then the module says what is wrong with which.
 */
static int select_cases(struct chan_select *arg)
{
	int fd = find_end(arg);
	int ret;

	if (fd < 0)
		return select_on_ctl(arg);
	ret = select_ioctl(fd, arg);
	if (arg->index != CHAN_SELECT_NONE ||
	    (ret != -EBADF && ret != -EOPNOTSUPP))
		return ret;
	return select_on_ctl(arg);
}

static int select_or_fail(struct chan_select *arg, size_t case_size)
{
	if (case_size < CHAN_CASE_SIZE_VER0 || case_size % 8)
		return -EINVAL;
	if (case_size > UINT32_MAX)
		return -E2BIG;
	arg->case_size = case_size;
	return select_cases(arg);
}

CHAN_API int chan_select_sized(struct chan_case *cases, unsigned int n,
			       size_t case_size, unsigned int flags,
			       uint64_t deadline, unsigned int *culprit)
{
	struct chan_select arg = {
		.cases = (uintptr_t)cases,
		.ncases = n,
		.flags = flags,
		.index = CHAN_SELECT_NONE,
		.deadline = deadline,
	};
	int ret = select_or_fail(&arg, case_size);

	if (culprit)
		*culprit = ret ? arg.index : CHAN_SELECT_NONE;
	return ret ?: (int)arg.index;
}

/*
 * A channel that failed with EPIPE must not pass for one that was closed when all
 * was done, and the status is the same.
 */
static int end_of(int fd)
{
	struct chan_info info;
	int ret;

	ret = query_ioctl(fd, CHAN_IOC_INFO, &info, sizeof(info));
	if (ret)
		return -EPIPE;
	switch (info.state) {
	case CHAN_STATE_FAILED:
		return -EPIPE;
	case CHAN_STATE_CANCELED:
		/* Meanwhile: what it was before is not known any more. */
		return -ECANCELED;
	default:
		return 0;
	}
}

CHAN_API int chan_case_received(const struct chan_case *c, size_t *len)
{
	*len = 0;
	if (c->op != CHAN_RECV)
		return -EINVAL;
	if (!c->status || c->status == -EMSGSIZE)
		*len = c->len;
	if (!c->status)
		return 1;
	return c->status == -EPIPE ? end_of(c->fd) : c->status;
}
