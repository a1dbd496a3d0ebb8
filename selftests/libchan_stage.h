/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of libchan share that have children in scopes.
 *
 * Children tell what they have seen, and are told to go on, through a page that
 * is shared, the stage.
 */
#ifndef LIBCHAN_STAGE_H
#define LIBCHAN_STAGE_H

#include <sys/mman.h>
#include <sys/wait.h>

#include "libchan_test.h"

struct stage {
	int started;	/* children that run */
	int most;	/* at a time, ever */
	int go;		/* bit N: child N may go on */
	int count;	/* for the test to use */
	long seen[8];	/* for the test to use */
	char text[256];
};

static struct stage *stage;

static inline int read_int(int *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static inline void let_go(unsigned int child)
{
	__atomic_or_fetch(&stage->go, 1 << child, __ATOMIC_RELEASE);
}

static inline bool may_go(unsigned int child)
{
	return read_int(&stage->go) & 1 << child;
}

static inline void count_up(int *at)
{
	__atomic_add_fetch(at, 1, __ATOMIC_ACQ_REL);
}

static inline bool all_started(int n)
{
	return wait_until(read_int(&stage->started) == n);
}

/* No child is left, waited for or not, of the kind that wait() does not see either. */
static inline bool has_children(void)
{
	return waitpid(-1, NULL, WNOHANG | __WALL) >= 0 || errno != ECHILD;
}

/*
 * It has ended, and its pidfd has told.  /proc shows a Z before that: exit_notify() sets
 * the state first, and tells then, all under tasklist_lock.  So once waitid() has had
 * that lock the pidfd has told.  Of who is no child of ours waitid() knows nothing, which
 * does no harm.
 */
static inline bool is_zombie(pid_t pid)
{
	siginfo_t end;

	if (state_of(pid) != 'Z')
		return false;
	waitid(P_PID, pid, &end, WEXITED | WNOHANG | WNOWAIT);
	return true;
}

static inline void *number(long n)
{
	return (void *)(intptr_t)n;
}

/* @arg: its number on the stage. */
static inline int wait_to_go(void *arg)
{
	count_up(&stage->started);
	while (!may_go((intptr_t)arg))
		nap();
	return 0;
}

static inline struct chan_scope_info scope_info(struct chan_scope *scope)
{
	struct chan_scope_info info;
	long ret = CALL(chan_scope_info(scope, &info, sizeof(info)));

	if (ret)
		fprintf(stderr, "# chan_scope_info: %ld\n", ret);
	return info;
}

#endif /* LIBCHAN_STAGE_H */
