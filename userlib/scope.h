/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libchan know of a scope.
 *
 * DOC: How a scope is made
 *
 * The module knows processes by their group, and a group is there as long as
 * one process of it is, be it a zombie.  So a scope begins with an *anchor*: a
 * child that makes a group of its own and exits, and is not waited for until
 * the scope ends.  The group is bound before anybody is in it, and each child
 * joins it as the first thing it does.  The anchor sends no signal when it
 * exits, which also hides it from a wait() for any child.
 *
 * Only the parent learns how a child has ended.  So for each child there is a
 * pidfd, and all are in one epoll, which tells them in the order in which they
 * have ended: the first of them that has failed is the first cause.
 *
 * But a child that somebody else traces is that one's first: its pidfd tells that
 * it has ended, and wait() knows nothing of it before the tracer has let go.  Such
 * a child is *held*.  The pidfd tells again then, and each time only once, or who
 * waits would be awake all the while.
 *
 * DOC: Waiting
 *
 * Who waits does so in a select on that epoll, and on an eventfd for what other
 * threads have noticed.  These are files that the module knows nothing of, and
 * who waits for one is not stuck.  So for the sake of
 * %CHAN_SCOPE_DETECT_DEADLOCK it is %CHAN_IOC_SCOPE_WAIT instead, which counts
 * exits: none can be noticed by one thread and missed by another.  Unless a child
 * is held: its exit has been counted, and the tracer is one who can still act.
 *
 * DOC: Locks
 *
 * The lock of the list of all scopes comes first, then those of the scopes, as
 * they are in the list.  fork() takes them all, see scope.c; so none is held
 * when the library calls it, nor in a wait.
 */
#ifndef _LIBCHAN_SCOPE_H
#define _LIBCHAN_SCOPE_H

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>

#include "internal.h"

/*
 * Inside these files a system call is what it is everywhere, and the functions
 * that the library exports put errno back.
 */
static inline int sys_result(int ret)
{
	return ret < 0 ? -errno : ret;
}

/* What a child that runs a function shares with its parent. */
struct handover {
	/* Up when the child is in the scope and may begin. */
	sem_t joined;
	/* What the function has returned, or %NO_RESULT. */
	int result;
};

#define NO_RESULT	INT_MIN

/**
 * struct child - a child of a scope that runs, or has failed
 * @next: in the list that it is in.
 * @told: what callers are told of it; how it has ended is not known before.
 * @pidfd: to learn when that is, and how; negative before it is made.
 * @handover: NULL for a program.
 * @held: it has ended, and its tracer has not let go of it.
 */
struct child {
	struct child *next;
	struct chan_child told;
	int pidfd;
	struct handover *handover;
	bool held;
};

/**
 * struct chan_scope - a scope
 * @next: in the list of all scopes; under the lock of the list.
 * @fd: the scope in the module; negative in a process that did not open it.
 * @children_fd: an epoll of the pidfds of all that run, and of @wake_fd.
 * @wake_fd: an eventfd that is readable while sleepers are to look again.
 * @notice_fd: what chan_scope_fd() gives; negative until somebody asks.
 * @pgid: the process group, and the anchor.
 * @limit: how many children may run at a time, 0 for any number.
 * @lock: protects what follows, and @notice_fd.
 * @set: what the module was told that cancelling means.
 * @running: children that run, and those about to be made.
 * @making: of these, the latter.
 * @held: of these, the ones that have ended and are held by their tracers.
 * @spawned: children ever made.
 * @children: those that run, and those about to be made.
 * @failures: those that have failed, in the order in which they ended.
 * @last_failure: where the next one goes.
 * @nfailures: how many these are.
 * @first: the child that the scope was cancelled for, if it was one.
 * @sleepers: threads that wait for a change.
 * @round: how often they have been told to look again.
 * @late: those of them that have not yet done so.
 */
struct chan_scope {
	struct chan_scope *next;
	int fd;
	int children_fd;
	int wake_fd;
	int notice_fd;
	pid_t pgid;
	unsigned int limit;
	pthread_mutex_t lock;
	struct chan_scope_set set;
	unsigned int running;
	unsigned int making;
	unsigned int held;
	unsigned int spawned;
	struct child *children;
	struct child *failures;
	struct child **last_failure;
	unsigned int nfailures;
	struct chan_child first;
	unsigned int sleepers;
	unsigned int round;
	unsigned int late;
};

static inline bool detects_deadlock(const struct chan_scope *scope)
{
	return scope->set.flags & CHAN_SCOPE_DETECT_DEADLOCK;
}

/* The cause that the scope was cancelled with, 0, or a negative error number. */
int scope_cause(const struct chan_scope *scope);

/*
 * Notice who has ended.  @seen is what the module had to say just before: 0
 * when no process is left in the scope, also none that a child has forked,
 * -EAGAIN when there are some, or another error.  The lock is held.
 */
int scope_look(struct chan_scope *scope, struct chan_scope_wait *seen);
/* Tell the sleepers that something has changed; the lock is held. */
void scope_wake(struct chan_scope *scope);
/*
 * Drop the lock until a case happens or others have changed something.  The
 * cases have to contain @children_fd.
 */
int scope_sleep(struct chan_scope *scope, const struct chan_scope_wait *seen,
		struct chan_case *cases, unsigned int n, uint64_t deadline);
/* For pthread_cleanup_push(). */
void scope_unlock(void *scope);

/* Take it out of the list of those that run; the lock is held. */
void child_unlink(struct chan_scope *scope, struct child *child);
/* Forget a child, which has been waited for or never was. */
void child_free(struct child *child);
/* Wait for a child, whatever signals come. */
void child_reap(pid_t pid, int options);

/*
 * As chan_scope_try_spawn(), of a function of the library: callers are told @told
 * for its argument.
 */
pid_t scope_spawn_stage(struct chan_scope *scope, int (*fn)(void *arg),
			void *arg, const void *told);

/* How it was before all signals were blocked, and cancellation disabled. */
struct quiet {
	sigset_t mask;
	int cancel_state;
};

void begin_quiet(struct quiet *quiet);
void end_quiet(const struct quiet *quiet);

/*
 * Run @fn in a child that shares all memory, while the caller waits until the
 * child is another program or gone.  @room is what its stack is to hold beside
 * plain calls.  It has to be quiet, for a handler would run in the child, too.
 */
pid_t clone_and_wait(int (*fn)(void *arg), void *arg, size_t room, int flags,
		     int *pidfd);

#endif /* _LIBCHAN_SCOPE_H */
