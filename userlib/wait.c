// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: the children of a scope, from when they run to when all have ended.
 *
 * Any thread that calls in notices for all who has ended.  Those asleep would
 * not hear of it, since what they wait for is over then; so they are told.
 */
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scope.h"

/* --- How a child has ended --- */

void child_free(struct child *child)
{
	if (child->handover)
		munmap(child->handover, sizeof(*child->handover));
	free(child);
}

void child_reap(pid_t pid, int options)
{
	while (waitpid(pid, NULL, options) < 0 && errno == EINTR)
		;
}

/* What the function has returned, if it has. */
static bool tell_returned(struct child *child)
{
	int result = child->handover ? child->handover->result : NO_RESULT;

	if (result == NO_RESULT)
		return false;
	child->told.end = result < 0 ? CHAN_CHILD_FAILED : CHAN_CHILD_EXITED;
	child->told.status = abs(result);
	return true;
}

static void tell_end(struct child *child, const siginfo_t *end)
{
	child->told.end = end->si_code == CLD_EXITED ? CHAN_CHILD_EXITED :
						       CHAN_CHILD_KILLED;
	child->told.status = end->si_status;
	if (child->told.end == CHAN_CHILD_EXITED)
		tell_returned(child);
}

/* Wait for the child if it has ended. */
static bool has_ended(struct child *child)
{
	siginfo_t end = { .si_pid = 0 };

	if (!waitid(P_PIDFD, child->pidfd, &end, WEXITED | WNOHANG)) {
		if (end.si_pid)
			tell_end(child, &end);
		return end.si_pid;
	}
	/* Somebody else was faster. */
	if (!tell_returned(child))
		child->told.end = CHAN_CHILD_LOST;
	return true;
}

static bool has_failed(const struct child *child)
{
	return child->told.end != CHAN_CHILD_EXITED || child->told.status;
}

/* --- What that means for the scope --- */

/* An error that waiting has another use for would be taken for that. */
static int cause_of(const struct chan_child *child)
{
	bool usable = child->end == CHAN_CHILD_FAILED &&
		      child->status != EINTR && child->status != EBUSY;

	return usable ? child->status : ECHILD;
}

/* The scope may be cancelled by something else in this very moment. */
static void blame(struct chan_scope *scope, const struct chan_child *child)
{
	int cause = cause_of(child);

	if (scope_cause(scope))
		return;
	chan_scope_cancel(scope, cause);
	if (scope_cause(scope) == cause)
		scope->first = *child;
}

void child_unlink(struct chan_scope *scope, struct child *child)
{
	struct child **at = &scope->children;

	while (*at != child)
		at = &(*at)->next;
	*at = child->next;
	child->next = NULL;
}

static void keep_failure(struct chan_scope *scope, struct child *child)
{
	*scope->last_failure = child;
	scope->last_failure = &child->next;
	scope->nfailures++;
}

static void part_with(struct chan_scope *scope, struct child *child)
{
	child_unlink(scope, child);
	/* To close it is not enough, while a forked child may have it, too. */
	epoll_ctl(scope->children_fd, EPOLL_CTL_DEL, child->pidfd, NULL);
	close(child->pidfd);
	scope->running--;
	scope->held -= child->held;
	if (!has_failed(child)) {
		child_free(child);
		return;
	}
	keep_failure(scope, child);
	blame(scope, &child->told);
}

static void mark_held(struct chan_scope *scope, struct child *child)
{
	scope->held += !child->held;
	child->held = true;
}

/* The epoll has them in the order in which they have ended. */
static unsigned int collect_some(struct chan_scope *scope)
{
	struct epoll_event events[16];
	unsigned int found = 0;
	struct child *child;
	int i, n;

	n = epoll_wait(scope->children_fd, events, 16, 0);
	for (i = 0; i < n; i++) {
		child = events[i].data.ptr;
		if (!child)
			continue;
		if (!has_ended(child)) {
			mark_held(scope, child);
			continue;
		}
		part_with(scope, child);
		found++;
	}
	return found;
}

static void collect(struct chan_scope *scope)
{
	bool changed = false;

	while (collect_some(scope))
		changed = true;
	if (changed)
		scope_wake(scope);
}

/*
 * Who has ended for the module is a zombie, but the pidfd may be about to tell.
 * It has told when wait() has had the kernel's lock.
 */
static void let_pidfds_tell(const struct chan_scope *scope)
{
	siginfo_t end;

	waitid(P_PGID, scope->pgid, &end, WEXITED | WNOHANG | WNOWAIT);
}

/* A thread is cancelled while it sleeps, not between a child and its account. */
int scope_look(struct chan_scope *scope, struct chan_scope_wait *seen)
{
	int ret, state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	memset(seen, 0, sizeof(*seen));
	ret = sys_ioctl(scope->fd, CHAN_IOC_SCOPE_WAIT, seen);
	if (detects_deadlock(scope))
		let_pidfds_tell(scope);
	collect(scope);
	pthread_setcancelstate(state, NULL);
	return ret;
}

/* --- Sleeping --- */

struct sleeper {
	struct chan_scope *scope;
	unsigned int round;
};

void scope_unlock(void *scope)
{
	pthread_mutex_unlock(&((struct chan_scope *)scope)->lock);
}

void scope_wake(struct chan_scope *scope)
{
	scope->round++;
	scope->late = scope->sleepers;
	if (scope->late)
		eventfd_write(scope->wake_fd, 1);
}

static void fall_asleep(struct sleeper *sleeper)
{
	sleeper->round = sleeper->scope->round;
	sleeper->scope->sleepers++;
	scope_unlock(sleeper->scope);
}

/* The last one who was told switches the light off. */
static void wake_up(void *arg)
{
	struct sleeper *sleeper = arg;
	struct chan_scope *scope = sleeper->scope;
	eventfd_t count;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_mutex_lock(&scope->lock);
	scope->sleepers--;
	if (sleeper->round != scope->round && !--scope->late)
		eventfd_read(scope->wake_fd, &count);
	pthread_setcancelstate(state, NULL);
}

static int sleep_for_cases(struct chan_scope *scope, struct chan_case *cases,
			   unsigned int n, uint64_t deadline)
{
	struct sleeper sleeper = { .scope = scope };
	int ret;

	fall_asleep(&sleeper);
	pthread_cleanup_push(wake_up, &sleeper);
	ret = select_on(scope->fd, cases, n, deadline);
	pthread_cleanup_pop(1);
	return ret;
}

static void lock_again(void *scope)
{
	pthread_mutex_lock(&((struct chan_scope *)scope)->lock);
}

/* Until nobody is left in the scope, or for an exit that has not been seen. */
static int sleep_in_scope(struct chan_scope *scope, unsigned int flags,
			  unsigned int exits, uint64_t deadline)
{
	struct chan_scope_wait arg = {
		.deadline = deadline,
		.flags = flags,
		.exits = exits,
	};
	int ret;

	scope_unlock(scope);
	pthread_cleanup_push(lock_again, scope);
	ret = sys_ioctl_wait(scope->fd, CHAN_IOC_SCOPE_WAIT, &arg);
	pthread_cleanup_pop(1);
	return ret;
}

int scope_sleep(struct chan_scope *scope, const struct chan_scope_wait *seen,
		struct chan_case *cases, unsigned int n, uint64_t deadline)
{
	/* A child that is being made may fail to be, and nobody exits. */
	if (detects_deadlock(scope) && seen->members && !scope->making &&
	    !scope->held)
		return sleep_in_scope(scope, CHAN_SCOPE_WAIT_EXIT, seen->exits,
				      deadline);
	return sleep_for_cases(scope, cases, n, deadline);
}

/* --- Waiting for all --- */

/*
 * While children run, for one to end.  Then for what these have left behind, or
 * another child; not so when the scope is cancelled, which has no more children
 * and makes its file ready for ever.
 */
static int sleep_once(struct chan_scope *scope,
		      const struct chan_scope_wait *seen, int cause,
		      uint64_t deadline)
{
	struct chan_case cases[] = {
		chan_case_poll(scope->children_fd, POLLIN),
		chan_case_poll(scope->fd, POLLIN),
	};
	unsigned int n = scope->running ? 1 : 2;

	if (cause && !scope->running)
		return sleep_in_scope(scope, 0, 0, deadline);
	return scope_sleep(scope, seen, cases, n, deadline);
}

/* The lock is held. */
static int wait_for_all(struct chan_scope *scope, uint64_t deadline)
{
	struct chan_scope_wait seen;
	int ret, cause;

	for (;;) {
		ret = scope_look(scope, &seen);
		if (ret && ret != -EAGAIN)
			return ret;
		cause = scope_cause(scope);
		if (cause < 0)
			return cause;
		if (!ret && !scope->running)
			return -cause;
		if (!deadline)
			return -EBUSY;
		ret = sleep_once(scope, &seen, cause, deadline);
		if (ret < 0)
			return ret == -ETIMEDOUT ? -EBUSY : ret;
	}
}

/* What has been told once is not told by the file again, see make_notice(). */
static void quieten_notice(struct chan_scope *scope)
{
	struct epoll_event events[2];

	if (scope->notice_fd >= 0)
		epoll_wait(scope->notice_fd, events, 2, 0);
}

CHAN_API int chan_scope_wait_until(struct chan_scope *scope,
				   struct chan_child *first, uint64_t deadline)
{
	int saved_errno = errno;
	int ret;

	if (first)
		memset(first, 0, sizeof(*first));
	if (scope->fd < 0)
		return -EBADF;
	/* Also when there is nobody to wait for. */
	pthread_testcancel();
	pthread_mutex_lock(&scope->lock);
	pthread_cleanup_push(scope_unlock, scope);
	if (!deadline)
		quieten_notice(scope);
	ret = wait_for_all(scope, deadline);
	if (first)
		*first = scope->first;
	pthread_cleanup_pop(1);
	errno = saved_errno;
	return ret;
}

CHAN_API int chan_scope_failures(struct chan_scope *scope,
				 struct chan_child *list, unsigned int n)
{
	const struct child *child;
	unsigned int count;

	pthread_mutex_lock(&scope->lock);
	for (child = scope->failures; child && n; child = child->next, n--)
		*list++ = child->told;
	count = scope->nfailures;
	pthread_mutex_unlock(&scope->lock);
	return count;
}
