// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: children of a scope.
 *
 * A child joins the group of its scope before it does anything of its own, and
 * the scope is looked at after that: either it was cancelled before, and the
 * child goes at once, or the cancel that comes later finds the child in the
 * group.
 *
 * For a function it is a fork(), and the parent who puts the child into the
 * group while that waits.  For a program it is a child that shares the memory
 * of the parent, while that waits, and joins by itself.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "scope.h"

/* --- Undisturbed by signals and cancellation --- */

void begin_quiet(struct quiet *quiet)
{
	sigset_t all;

	sigfillset(&all);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &quiet->cancel_state);
	pthread_sigmask(SIG_SETMASK, &all, &quiet->mask);
}

void end_quiet(const struct quiet *quiet)
{
	pthread_sigmask(SIG_SETMASK, &quiet->mask, NULL);
	pthread_setcancelstate(quiet->cancel_state, NULL);
}

/*
 * As execve() would have it.  It matters for a program too, since a handler
 * must not run while the memory is the parent's.
 */
static void reset_signals(int cancel_signal)
{
	struct sigaction action;
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++) {
		if (sigaction(i, NULL, &action) ||
		    action.sa_handler == SIG_DFL ||
		    (action.sa_handler == SIG_IGN && i != cancel_signal))
			continue;
		action.sa_handler = SIG_DFL;
		action.sa_flags = 0;
		sigaction(i, &action, NULL);
	}
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* --- Children that share the memory --- */

#define STACK_SIZE (64 * 1024)

pid_t clone_and_wait(int (*fn)(void *arg), void *arg, size_t room, int flags,
		     int *pidfd)
{
	size_t size = STACK_SIZE + (room + 15) / 16 * 16;
	char *stack;
	pid_t pid;

	stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	pid = sys_result(clone(fn, stack + size, CLONE_VM | CLONE_VFORK | flags,
			       arg, pidfd));
	munmap(stack, size);
	return pid;
}

/* --- A place in the scope --- */

static bool is_full(const struct chan_scope *scope)
{
	return scope->limit && scope->running >= scope->limit;
}

/* The lock is held. */
static int wait_for_place(struct chan_scope *scope, bool wait)
{
	/* That the scope is cancelled, POLLHUP, always counts. */
	struct chan_case cases[] = {
		chan_case_poll(scope->children_fd, POLLIN),
		chan_case_poll(scope->fd, 0),
	};
	struct chan_scope_wait seen;
	int ret;

	for (;;) {
		scope_look(scope, &seen);
		ret = scope_cause(scope);
		if (ret)
			return ret < 0 ? ret : -ECANCELED;
		if (!is_full(scope))
			return 0;
		if (!wait)
			return -EBUSY;
		ret = scope_sleep(scope, &seen, cases, 2, CHAN_SELECT_FOREVER);
		if (ret < 0)
			return ret;
	}
}

/*
 * A place for a child that is about to be made.  It is in the list already, so
 * that its pidfd is closed in children that others fork.
 */
static int take_place(struct chan_scope *scope, struct child *child, bool wait,
		      int *signal)
{
	int ret;

	pthread_mutex_lock(&scope->lock);
	pthread_cleanup_push(scope_unlock, scope);
	ret = wait_for_place(scope, wait);
	if (!ret) {
		scope->running++;
		scope->making++;
		child->next = scope->children;
		scope->children = child;
	}
	*signal = scope->set.signal;
	pthread_cleanup_pop(1);
	return ret;
}

static void give_place_back(struct chan_scope *scope, struct child *child)
{
	pthread_mutex_lock(&scope->lock);
	scope->running--;
	scope->making--;
	child_unlink(scope, child);
	if (child->pidfd >= 0)
		close(child->pidfd);
	scope_wake(scope);
	pthread_mutex_unlock(&scope->lock);
}

/*
 * The lock is held.  After that the child may be found to have ended, and is
 * not to be touched.
 */
static int watch(struct chan_scope *scope, struct child *child)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLET,
		.data.ptr = child,
	};

	child->told.number = scope->spawned;
	if (epoll_ctl(scope->children_fd, EPOLL_CTL_ADD, child->pidfd, &event))
		return -errno;
	scope->spawned++;
	scope->making--;
	/* Who waits had to be ready for one that is never made. */
	if (detects_deadlock(scope))
		scope_wake(scope);
	return 0;
}

/* Without a pidfd it waits to be let go, and its number is no other's. */
static void undo(const struct child *child)
{
	if (child->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
	else
		kill(child->told.pid, SIGKILL);
	child_reap(child->told.pid, 0);
}

/* What is to be run. */
struct order {
	struct chan_scope *scope;
	int (*fn)(void *arg);
	void *arg;
	char *const *argv;
	char *const *envp;
	struct chan_command_fd *fds;
	unsigned int nfds;
	int signal;
	const struct quiet *quiet;
	int error;
};

/* --- Functions --- */

/* Whether the parent is there; in another pid namespace it has no number. */
static bool has_parent(pid_t parent)
{
	pid_t now = getppid();

	return !now || now == parent;
}

/*
 * Nobody lets it go on when the parent dies now.  PR_SET_PDEATHSIG would tell
 * of the thread of the parent instead, which may go as soon as it has spawned.
 */
static void wait_to_join(struct handover *handover, pid_t parent)
{
	struct timespec until;

	do {
		if (!has_parent(parent))
			_exit(EXIT_FAILURE);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
	} while (sem_timedwait(&handover->joined, &until));
}

static void run_function(const struct order *order, struct handover *handover,
			 pid_t parent)
{
	int ret;

	wait_to_join(handover, parent);
	reset_signals(order->signal);
	pthread_setcancelstate(order->quiet->cancel_state, NULL);
	ret = order->fn(order->arg);
	if (ret < -CHAN_MAX_ERROR || ret > 255)
		ret = 255;
	fflush(stdout);
	handover->result = ret;
	_exit(ret < 0 ? EXIT_FAILURE : ret);
}

static struct handover *make_handover(void)
{
	struct handover *handover;

	handover = mmap(NULL, sizeof(*handover), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (handover == MAP_FAILED)
		return NULL;
	sem_init(&handover->joined, 1, 0);
	handover->result = NO_RESULT;
	return handover;
}

/* The lock is held. */
static int put_into_scope(struct chan_scope *scope, struct child *child)
{
	int ret;

	child->pidfd = sys_result(syscall(SYS_pidfd_open, child->told.pid, 0));
	if (child->pidfd < 0)
		return child->pidfd;
	if (setpgid(child->told.pid, scope->pgid))
		return -errno;
	ret = scope_cause(scope);
	if (ret)
		return ret < 0 ? ret : -ECANCELED;
	ret = watch(scope, child);
	if (!ret)
		sem_post(&child->handover->joined);
	return ret;
}

static int start_function(struct order *order, struct child *child)
{
	struct handover *handover = make_handover();
	pid_t parent = getpid(), pid;
	int ret;

	if (!handover)
		return -ENOMEM;
	child->handover = handover;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		run_function(order, handover, parent);
	child->told.pid = pid;
	pthread_mutex_lock(&order->scope->lock);
	ret = put_into_scope(order->scope, child);
	pthread_mutex_unlock(&order->scope->lock);
	if (ret)
		undo(child);
	return ret ?: pid;
}

/* --- Programs --- */

static int join_scope(const struct chan_scope *scope)
{
	int cause;

	if (setpgid(0, scope->pgid))
		return -errno;
	cause = scope_cause(scope);
	return cause > 0 ? -ECANCELED : cause;
}

/* First all are put where none is in the way of another. */
static int place_files(struct chan_command_fd *fds, unsigned int nfds)
{
	unsigned int i;
	int above = 0;

	for (i = 0; i < nfds; i++) {
		if (fds[i].as < 0 || fds[i].as == INT_MAX)
			return -EBADF;
		if (fds[i].as >= above)
			above = fds[i].as + 1;
	}
	for (i = 0; i < nfds; i++) {
		fds[i].fd = fcntl(fds[i].fd, F_DUPFD_CLOEXEC, above);
		if (fds[i].fd < 0)
			return -errno;
	}
	for (i = 0; i < nfds; i++)
		if (dup2(fds[i].fd, fds[i].as) < 0)
			return -errno;
	return 0;
}

/* It runs in the memory of the parent. */
static int be_program(void *arg)
{
	struct order *order = arg;

	order->error = join_scope(order->scope);
	if (!order->error)
		order->error = place_files(order->fds, order->nfds);
	if (!order->error) {
		reset_signals(order->signal);
		execvpe(order->argv[0], order->argv, order->envp ?: environ);
		order->error = -errno;
	}
	_exit(EXIT_FAILURE);
}

static int start_program(struct order *order, struct child *child)
{
	size_t words = 0;
	pid_t pid;
	int ret;

	/* execvpe() makes a copy of them for a script without a #! line. */
	while (order->argv[words++])
		;
	ret = clone_and_wait(be_program, order, words * sizeof(char *),
			     CLONE_PIDFD | SIGCHLD, &child->pidfd);
	if (ret < 0) {
		/* It was closed again, and the number may be another file's. */
		child->pidfd = -1;
		return ret;
	}
	pid = ret;
	child->told.pid = pid;
	pthread_mutex_lock(&order->scope->lock);
	ret = order->error ?: watch(order->scope, child);
	pthread_mutex_unlock(&order->scope->lock);
	if (ret)
		undo(child);
	return ret ?: pid;
}

/* --- Either --- */

/*
 * What the child had of it would be written twice.  That may take long, which is
 * no reason to block signals; but who was cancelled in it would keep the place.
 */
static void flush_output(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	fflush(stdout);
	pthread_setcancelstate(state, NULL);
}

static pid_t start(struct order *order, struct child *child)
{
	struct quiet quiet;
	pid_t pid;

	if (order->fn)
		flush_output();
	begin_quiet(&quiet);
	order->quiet = &quiet;
	pid = order->fn ? start_function(order, child) :
			  start_program(order, child);
	if (pid < 0)
		give_place_back(order->scope, child);
	end_quiet(&quiet);
	return pid;
}

static pid_t spawn_child(struct order *order, const void *arg, bool wait)
{
	struct child *child = sys_calloc(1, sizeof(*child));
	pid_t pid;

	if (!child)
		return -ENOMEM;
	child->pidfd = -1;
	child->told.arg = arg;
	pthread_cleanup_push(free, child);
	pid = take_place(order->scope, child, wait, &order->signal);
	pthread_cleanup_pop(0);
	if (!pid)
		pid = start(order, child);
	if (pid < 0)
		child_free(child);
	return pid;
}

static pid_t spawn(struct order *order, const void *arg, bool wait)
{
	int saved_errno = errno;
	pid_t pid;

	if (order->scope->fd < 0)
		return -EBADF;
	pid = spawn_child(order, arg, wait);
	errno = saved_errno;
	return pid;
}

static pid_t spawn_function(struct chan_scope *scope, int (*fn)(void *arg),
			    void *arg, const void *told, bool wait)
{
	struct order order = { .scope = scope, .fn = fn, .arg = arg };

	return spawn(&order, told, wait);
}

pid_t scope_spawn_stage(struct chan_scope *scope, int (*fn)(void *arg),
			void *arg, const void *told)
{
	return spawn_function(scope, fn, arg, told, false);
}

static pid_t spawn_program(struct chan_scope *scope, char *const argv[],
			   char *const envp[],
			   const struct chan_command_fd *fds, unsigned int nfds,
			   bool wait)
{
	struct order order = {
		.scope = scope,
		.argv = argv,
		.envp = envp,
		.nfds = nfds,
	};
	pid_t pid;

	if (!argv[0])
		return -EINVAL;
	if (nfds) {
		order.fds = sys_calloc(nfds, sizeof(*fds));
		if (!order.fds)
			return -ENOMEM;
		memcpy(order.fds, fds, nfds * sizeof(*fds));
	}
	pthread_cleanup_push(free, order.fds);
	pid = spawn(&order, argv, wait);
	pthread_cleanup_pop(1);
	return pid;
}

CHAN_API pid_t chan_scope_spawn(struct chan_scope *scope, int (*fn)(void *arg),
				void *arg)
{
	return spawn_function(scope, fn, arg, arg, true);
}

CHAN_API pid_t chan_scope_try_spawn(struct chan_scope *scope,
				    int (*fn)(void *arg), void *arg)
{
	return spawn_function(scope, fn, arg, arg, false);
}

CHAN_API pid_t chan_scope_spawn_command(struct chan_scope *scope,
					char *const argv[], char *const envp[],
					const struct chan_command_fd *fds,
					unsigned int nfds)
{
	return spawn_program(scope, argv, envp, fds, nfds, true);
}

CHAN_API pid_t chan_scope_try_spawn_command(struct chan_scope *scope,
					    char *const argv[],
					    char *const envp[],
					    const struct chan_command_fd *fds,
					    unsigned int nfds)
{
	return spawn_program(scope, argv, envp, fds, nfds, false);
}
