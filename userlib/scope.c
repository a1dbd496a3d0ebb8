// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: scopes, from where they come to where they go.
 */
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scope.h"

/* --- All scopes of the process --- */

static pthread_mutex_t scopes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct chan_scope *scopes;

static void close_files(struct chan_scope *scope)
{
	struct child *child;

	for (child = scope->children; child; child = child->next)
		if (child->pidfd >= 0)
			close(child->pidfd);
	if (scope->notice_fd >= 0)
		close(scope->notice_fd);
	if (scope->wake_fd >= 0)
		close(scope->wake_fd);
	if (scope->children_fd >= 0)
		close(scope->children_fd);
	if (scope->fd >= 0)
		close(scope->fd);
	scope->fd = -1;
}

/*
 * A forked child is not the owner of the scopes.  If it kept their files the
 * death of the owner would go unnoticed.  The locks are held over the fork, so
 * that all that is open is in the lists, which a child of a process with
 * threads can walk then.
 */
static void before_fork(void)
{
	struct chan_scope *scope;

	pthread_mutex_lock(&scopes_lock);
	for (scope = scopes; scope; scope = scope->next)
		pthread_mutex_lock(&scope->lock);
}

static void after_fork(void)
{
	struct chan_scope *scope;

	for (scope = scopes; scope; scope = scope->next)
		pthread_mutex_unlock(&scope->lock);
	pthread_mutex_unlock(&scopes_lock);
}

static void in_forked_child(void)
{
	struct chan_scope *scope;
	struct child *child;

	for (scope = scopes; scope; scope = scope->next) {
		close_files(scope);
		/* One of them is this process, and is going to need it. */
		for (child = scope->children; child; child = child->next)
			child->handover = NULL;
	}
	after_fork();
	scopes = NULL;
}

static int atfork_error;

static void watch_forks(void)
{
	atfork_error = pthread_atfork(before_fork, after_fork, in_forked_child);
}

static void unlist(struct chan_scope *scope)
{
	struct chan_scope **at = &scopes;

	while (*at != scope)
		at = &(*at)->next;
	*at = scope->next;
}

/* --- Options --- */

#define OPTIONS_SIZE_VER0 32

static uint64_t grace_of(const struct chan_scope_options *options)
{
	switch (options->grace) {
	case 0:
		return CHAN_SCOPE_GRACE_DEFAULT;
	case CHAN_SCOPE_GRACE_NONE:
		return 0;
	default:
		return options->grace;
	}
}

static int signal_of(int option)
{
	switch (option) {
	case 0:
		return SIGTERM;
	case CHAN_SCOPE_NO_SIGNAL:
		return 0;
	default:
		return option;
	}
}

static int set_up(struct chan_scope *scope,
		  const struct chan_scope_options *options)
{
	scope->limit = options->limit;
	scope->set.deadline = options->deadline;
	scope->set.grace_ns = grace_of(options);
	scope->set.signal = signal_of(options->signal);
	scope->set.flags = options->flags;
	return sys_ioctl(scope->fd, CHAN_IOC_SCOPE_SET, &scope->set);
}

/* --- Opening and closing --- */

static int be_anchor(void *arg)
{
	(void)arg;
	_exit(setpgid(0, 0) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/*
 * The anchor has to be a zombie before it is bound, so that it never counts as
 * a member: its memory is free before it is.
 */
static int drop_anchor(struct chan_scope *scope)
{
	struct chan_scope_bind bind = {};
	siginfo_t end;
	int ret;

	ret = clone_and_wait(be_anchor, NULL, 0, 0, NULL);
	if (ret < 0)
		return ret;
	scope->pgid = ret;
	while (waitid(P_PID, scope->pgid, &end, WEXITED | WNOWAIT | __WALL))
		if (errno != EINTR)
			return -errno;
	bind.pgid = scope->pgid;
	return sys_ioctl(scope->fd, CHAN_IOC_SCOPE_BIND, &bind);
}

static int open_files(struct chan_scope *scope)
{
	struct epoll_event event = { .events = EPOLLIN };

	scope->fd = ctl_open();
	if (scope->fd < 0)
		return scope->fd;
	scope->children_fd = epoll_create1(EPOLL_CLOEXEC);
	if (scope->children_fd < 0)
		return -errno;
	scope->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (scope->wake_fd < 0)
		return -errno;
	return sys_result(epoll_ctl(scope->children_fd, EPOLL_CTL_ADD,
				    scope->wake_fd, &event));
}

static void free_children(struct child *child)
{
	struct child *next;

	for (; child; child = next) {
		next = child->next;
		child_free(child);
	}
}

static void scope_free(struct chan_scope *scope)
{
	close_files(scope);
	if (scope->pgid)
		child_reap(scope->pgid, __WALL);
	free_children(scope->children);
	free_children(scope->failures);
	pthread_mutex_destroy(&scope->lock);
	free(scope);
}

static struct chan_scope *scope_alloc(void)
{
	struct chan_scope *scope = sys_calloc(1, sizeof(*scope));

	if (!scope)
		return NULL;
	pthread_mutex_init(&scope->lock, NULL);
	scope->last_failure = &scope->failures;
	scope->fd = -1;
	scope->children_fd = -1;
	scope->wake_fd = -1;
	scope->notice_fd = -1;
	return scope;
}

/* The lock of the list is held, so that no fork() can come between. */
static int open_scope(struct chan_scope *scope,
		      const struct chan_scope_options *options)
{
	int ret;

	ret = open_files(scope);
	if (!ret)
		ret = drop_anchor(scope);
	/* Last, for a deadline that has passed cancels. */
	if (!ret)
		ret = set_up(scope, options);
	if (ret) {
		scope_free(scope);
		return ret == -ENOTTY ? -EOPNOTSUPP : ret;
	}
	scope->next = scopes;
	scopes = scope;
	return 0;
}

static int make_scope(const struct chan_scope_options *options,
		      struct chan_scope **scope)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct chan_scope_options copy;
	struct chan_scope *made;
	struct quiet quiet;
	int ret;

	ret = copy_sized(&copy, sizeof(copy), options,
			 options ? options->size : 0, OPTIONS_SIZE_VER0);
	if (ret)
		return ret;
	pthread_once(&once, watch_forks);
	made = atfork_error ? NULL : scope_alloc();
	if (!made)
		return -ENOMEM;
	begin_quiet(&quiet);
	pthread_mutex_lock(&scopes_lock);
	ret = open_scope(made, &copy);
	pthread_mutex_unlock(&scopes_lock);
	end_quiet(&quiet);
	*scope = ret ? NULL : made;
	return ret;
}

CHAN_API int chan_scope_open(const struct chan_scope_options *options,
			     struct chan_scope **scope)
{
	int saved_errno = errno;
	int ret;

	*scope = NULL;
	ret = make_scope(options, scope);
	errno = saved_errno;
	return ret;
}

/* Until nobody is left.  Only one who is in there itself cannot wait for that. */
static int end_scope(struct chan_scope *scope)
{
	int ret = chan_scope_wait_until(scope, NULL, 0);

	if (ret != -EBUSY)
		return ret;
	chan_scope_cancel(scope, ECANCELED);
	do {
		ret = chan_scope_wait(scope, NULL);
	} while (ret == -EINTR);
	return ret;
}

/* In a forked child neither the anchor nor anything else of it is there. */
static int forget_scope(struct chan_scope *scope)
{
	scope->pgid = 0;
	free_children(scope->children);
	free_children(scope->failures);
	free(scope);
	return 0;
}

CHAN_API int chan_scope_close(struct chan_scope *scope)
{
	int saved_errno = errno;
	int ret, state;

	if (!scope)
		return 0;
	if (scope->fd < 0)
		return forget_scope(scope);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	ret = end_scope(scope);
	pthread_mutex_lock(&scopes_lock);
	unlist(scope);
	scope_free(scope);
	pthread_mutex_unlock(&scopes_lock);
	pthread_setcancelstate(state, NULL);
	errno = saved_errno;
	return ret;
}

/* --- Requests --- */

CHAN_API int chan_scope_pair(struct chan_scope *scope, unsigned int capacity,
			     unsigned int max_msg, unsigned int flags,
			     struct chan_tx *tx, struct chan_rx *rx)
{
	return pair_on(scope->fd, capacity, max_msg, flags, tx, rx);
}

CHAN_API int chan_scope_adopt(struct chan_scope *scope, int fd)
{
	struct chan_adopt arg = { .fd = fd };

	return sys_ioctl(scope->fd, CHAN_IOC_ADOPT, &arg);
}

CHAN_API int chan_scope_set_signal(struct chan_scope *scope, int signal)
{
	struct chan_scope_set set;
	int ret;

	pthread_mutex_lock(&scope->lock);
	set = scope->set;
	set.signal = signal_of(signal);
	ret = sys_ioctl(scope->fd, CHAN_IOC_SCOPE_SET, &set);
	if (!ret)
		scope->set = set;
	pthread_mutex_unlock(&scope->lock);
	return ret;
}

CHAN_API int chan_scope_info(struct chan_scope *scope,
			     struct chan_scope_info *info, size_t size)
{
	return query_ioctl(scope->fd, CHAN_IOC_SCOPE_INFO, info, size);
}

/* Of a wait or a spawn they say something else than why the scope has ended. */
static bool has_another_use(int cause)
{
	return cause == EINTR || cause == EBUSY;
}

CHAN_API int chan_scope_cancel(struct chan_scope *scope, int cause)
{
	/* A negative cause becomes a large one, which the kernel refuses. */
	struct chan_scope_cancel arg = { .error = cause };

	if (has_another_use(cause))
		return -EINVAL;
	return sys_ioctl(scope->fd, CHAN_IOC_SCOPE_CANCEL, &arg);
}

int scope_cause(const struct chan_scope *scope)
{
	struct chan_scope_info info = {};
	int ret = sys_ioctl(scope->fd, CHAN_IOC_SCOPE_INFO, &info);

	if (ret)
		return ret;
	/* An outer scope may have been cancelled with it, without this library. */
	return has_another_use(info.cause) ? ECANCELED : (int)info.cause;
}

/* --- A file to wait for --- */

/*
 * That the scope is cancelled stays so, and a file that stays ready is of no
 * use to who waits for the children to go.  So what the module says is told
 * once, and again when it changes.
 */
static int make_notice(struct chan_scope *scope)
{
	struct epoll_event child = { .events = EPOLLIN };
	struct epoll_event state = { .events = EPOLLIN | EPOLLET };
	int fd, ret;

	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (epoll_ctl(fd, EPOLL_CTL_ADD, scope->children_fd, &child) ||
	    epoll_ctl(fd, EPOLL_CTL_ADD, scope->fd, &state)) {
		ret = -errno;
		(void)sys_close(fd);
		return ret;
	}
	return fd;
}

CHAN_API int chan_scope_fd(struct chan_scope *scope)
{
	int saved_errno = errno;
	int fd;

	if (scope->fd < 0)
		return -EBADF;
	pthread_mutex_lock(&scope->lock);
	fd = scope->notice_fd;
	if (fd < 0)
		fd = make_notice(scope);
	if (fd >= 0)
		scope->notice_fd = fd;
	pthread_mutex_unlock(&scope->lock);
	errno = saved_errno;
	return fd;
}
