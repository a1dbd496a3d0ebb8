// SPDX-License-Identifier: GPL-2.0-only
/*
 * libchan: scopes, and the children in them.
 *
 * Children tell what they have seen, and are told to go on, through a page that
 * is shared, the stage. Each test has a scope of its own and closes it, and then
 * nothing of it may be left: no child, no zombie, no file.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/ptrace.h>

#include "libchan_stage.h"

/* The arguments, or the environment, of a program. */
#define WORDS(...)	((char *[]){ __VA_ARGS__, NULL })

/* --- What children do --- */

static int succeed(void *arg)
{
	(void)arg;
	return 0;
}

/* What it returns is what it is handed. */
static int return_arg(void *arg)
{
	return (int)(intptr_t)arg;
}

static int fail_when_told(void *arg)
{
	wait_to_go(arg);
	return -EIO;
}

static int sit(void *arg)
{
	(void)arg;
	count_up(&stage->started);
	pause();
	return 0;
}

static int sit_ignoring(void *arg)
{
	signal((intptr_t)arg, SIG_IGN);
	return sit(arg);
}

static int kill_itself(void *arg)
{
	raise((intptr_t)arg);
	return 0;
}

static int exit_itself(void *arg)
{
	_exit((intptr_t)arg);
}

/* Returns what it gets from a receive that never sees a message. */
static int receive(void *arg)
{
	struct chan_rx *rx = arg;
	size_t len;
	char c;
	int ret;

	signal(SIGTERM, SIG_IGN);
	ret = chan_recv(*rx, &c, 1, &len);
	return ret;
}

/* --- The scope of a test --- */

FIXTURE(scope)
{
	struct chan_scope *scope;
	struct chan_child first;
	struct chan_child list[8];
	int files;
};

FIXTURE_SETUP(scope)
{
	stage = shared(_metadata, sizeof(*stage));
	self->files = count_fds();
	ASSERT_EQ(0, CALL(chan_scope_open(NULL, &self->scope)));
}

FIXTURE_TEARDOWN(scope)
{
	chan_scope_close(self->scope);
	EXPECT_FALSE(has_children());
	EXPECT_EQ(self->files, count_fds());
}

/* Another one instead, with options. */
#define REOPEN(...)							\
do {									\
	struct chan_scope_options __options = {				\
		.size = sizeof(__options), __VA_ARGS__			\
	};								\
									\
	ASSERT_EQ(0, chan_scope_close(self->scope));			\
	ASSERT_EQ(0, CALL(chan_scope_open(&__options, &self->scope)));	\
} while (0)

#define EXPECT_CHILD(child, number_, pid_, end_, status_)	\
do {								\
	EXPECT_EQ(number_, (child).number);			\
	EXPECT_EQ(pid_, (child).pid);				\
	EXPECT_EQ(end_, (child).end);				\
	EXPECT_EQ(status_, (child).status);			\
} while (0)

#define EXPECT_NO_CHILD(child)	EXPECT_CHILD(child, 0, 0, CHAN_CHILD_NONE, 0)

/* --- Open and close --- */

TEST_F(scope, is_bound_and_empty)
{
	struct chan_scope_info info = scope_info(self->scope);

	EXPECT_EQ(CHAN_SCOPE_BOUND, info.state);
	EXPECT_EQ(0, info.parent);
	EXPECT_EQ(0, info.members);
	EXPECT_EQ(0, info.channels);
	EXPECT_NE(0, info.pgid);
	EXPECT_NE(getpgrp(), info.pgid);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_NO_CHILD(self->first);
	EXPECT_EQ(0, CALL(chan_scope_close(self->scope)));
	EXPECT_FALSE(has_children());
	EXPECT_EQ(self->files, count_fds());
	self->scope = NULL;
}

TEST_F(scope, no_scope_can_be_closed)
{
	EXPECT_EQ(0, CALL(chan_scope_close(NULL)));
}

TEST_F(scope, is_unseen_by_wait)
{
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(ECHILD, errno);
}

TEST(options_that_are_none)
{
	struct {
		struct chan_scope_options known;
		uint64_t more;
	} options = { .known.size = sizeof(options) };
	struct chan_scope *scope = (void *)1;
	int files = count_fds();

	EXPECT_EQ(0, CALL(chan_scope_open(&options.known, &scope)));
	EXPECT_EQ(0, CALL(chan_scope_close(scope)));
	options.more = 1;
	EXPECT_EQ(-E2BIG, CALL(chan_scope_open(&options.known, &scope)));
	EXPECT_EQ(NULL, scope);
	options.known.size = sizeof(options.known) - 1;
	EXPECT_EQ(-EINVAL, CALL(chan_scope_open(&options.known, &scope)));
	options.known.size = sizeof(options.known);
	options.known.flags = 1U << 31;
	EXPECT_EQ(-EINVAL, CALL(chan_scope_open(&options.known, &scope)));
	options.known.flags = 0;
	options.known.signal = 1000;
	EXPECT_EQ(-EINVAL, CALL(chan_scope_open(&options.known, &scope)));
	EXPECT_EQ(NULL, scope);
	EXPECT_EQ(files, count_fds());
	EXPECT_FALSE(has_children());
}

TEST(no_files_are_left_to_open_one)
{
	struct rlimit limit;
	struct chan_scope *scope;
	int files = count_fds();
	rlim_t n;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	for (n = files; n < files + 3; n++) {
		limit.rlim_cur = n;
		ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
		EXPECT_EQ(-EMFILE, CALL(chan_scope_open(NULL, &scope)));
		EXPECT_EQ(NULL, scope);
		EXPECT_EQ(files, count_fds());
	}
	EXPECT_FALSE(has_children());
}

TEST_F(scope, close_cancels_and_waits)
{
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_close(self->scope)));
	EXPECT_FALSE(has_children());
	EXPECT_EQ(self->files, count_fds());
	self->scope = NULL;
}

TEST_F(scope, close_tells_of_a_failure)
{
	pid_t pid = CALL(chan_scope_spawn(self->scope, return_arg, number(-EIO)));

	ASSERT_LT(0, pid);
	ASSERT_TRUE(wait_until(is_zombie(pid)));
	EXPECT_EQ(-EIO, CALL(chan_scope_close(self->scope)));
	self->scope = NULL;
}

/* The file of the scope itself: the library hands it out to nobody. */
static int file_of_scope(void)
{
	char path[32], target[32];
	int fd;

	for (fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target)) == (ssize_t)strlen(CONTROL) &&
		    !memcmp(target, CONTROL, strlen(CONTROL)))
			return fd;
	}
	return -1;
}

/* From without the library comes a cause that waits have another use for. */
TEST_F(scope, a_cause_that_means_something_else)
{
	static const __u32 causes[] = { EINTR, EBUSY };
	struct chan_scope_cancel arg = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(causes); i++) {
		arg.error = causes[i];
		ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
		ASSERT_EQ(0, ioctl(file_of_scope(), CHAN_IOC_SCOPE_CANCEL, &arg));
		EXPECT_EQ(-ECANCELED, CALL(chan_scope_spawn(self->scope, sit, NULL)));
		EXPECT_EQ(-ECANCELED, CALL(chan_scope_wait(self->scope, NULL)));
		EXPECT_EQ(-ECANCELED, CALL(chan_scope_close(self->scope)));
		ASSERT_EQ(0, CALL(chan_scope_open(NULL, &self->scope)));
	}
}

/* A handler that ends waits does not end this one. */
static void no_handler(int sig)
{
	(void)sig;
}

static int release_after_signals(void *arg)
{
	sigset_t term;
	int i, sig;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	count_up(&stage->started);
	/* It has cancelled: now it does nothing but wait for us. */
	sigwait(&term, &sig);
	for (i = 0; i < 20; i++) {
		kill(getppid(), SIGUSR1);
		nap();
	}
	(void)arg;
	return 0;
}

TEST_F(scope, close_is_not_interrupted)
{
	struct sigaction action = { .sa_handler = no_handler };

	REOPEN(.grace = CHAN_SCOPE_GRACE_NEVER);
	sigaction(SIGUSR1, &action, NULL);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, release_after_signals, NULL)));
	ASSERT_TRUE(all_started(1));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_close(self->scope)));
	EXPECT_FALSE(has_children());
	self->scope = NULL;
}

/* --- Functions --- */

static int look_around(void *arg)
{
	sigset_t mask;
	int i;

	(void)arg;
	stage->seen[0] = getpid();
	stage->seen[1] = getpgrp();
	stage->seen[2] = count_fds();
	stage->seen[3] = signal(SIGUSR1, SIG_DFL) == SIG_DFL;
	stage->seen[4] = signal(SIGHUP, SIG_DFL) == SIG_IGN;
	stage->seen[5] = signal(SIGTERM, SIG_DFL) == SIG_DFL;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (i = 1; i < NSIG; i++)
		stage->seen[6] += sigismember(&mask, i) == 1;
	return 0;
}

TEST_F(scope, function_runs_in_it)
{
	pid_t pid = CALL(chan_scope_spawn(self->scope, look_around, NULL));

	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_NO_CHILD(self->first);
	EXPECT_EQ(pid, stage->seen[0]);
	EXPECT_EQ(scope_info(self->scope).pgid, stage->seen[1]);
	EXPECT_EQ(0, CALL(chan_scope_failures(self->scope, self->list, 8)));
}

/* Or nobody would notice when the parent dies. */
TEST_F(scope, function_has_none_of_the_files)
{
	struct chan_scope *other;

	ASSERT_EQ(0, chan_scope_open(NULL, &other));
	ASSERT_LE(0, chan_scope_fd(self->scope));
	ASSERT_LT(0, chan_scope_spawn(self->scope, wait_to_go, number(0)));
	ASSERT_LT(0, chan_scope_spawn(other, wait_to_go, number(0)));
	ASSERT_TRUE(all_started(2));
	ASSERT_LT(self->files, count_fds());

	ASSERT_LT(0, chan_scope_spawn(self->scope, look_around, NULL));
	let_go(0);
	EXPECT_EQ(0, chan_scope_wait(self->scope, NULL));
	EXPECT_EQ(0, chan_scope_wait(other, NULL));
	EXPECT_EQ(0, chan_scope_close(other));
	EXPECT_EQ(self->files, stage->seen[2]);
}

TEST_F(scope, function_starts_with_signals_as_after_exec)
{
	sigset_t mask, now;
	int i;

	signal(SIGUSR1, no_handler);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, look_around, NULL)));
	EXPECT_EQ(0, chan_scope_wait(self->scope, NULL));
	EXPECT_EQ(1, stage->seen[3]);
	EXPECT_EQ(1, stage->seen[4]);
	EXPECT_EQ(1, stage->seen[5]);
	EXPECT_EQ(0, stage->seen[6]);

	sigprocmask(SIG_SETMASK, NULL, &now);
	for (i = 1; i < NSIG; i++)
		EXPECT_EQ(sigismember(&mask, i), sigismember(&now, i));
	EXPECT_TRUE(signal(SIGUSR1, SIG_DFL) == no_handler);
	EXPECT_TRUE(signal(SIGTERM, SIG_DFL) == SIG_IGN);
}

static void count_exit(void)
{
	count_up(&stage->count);
}

static int print(void *arg)
{
	printf("%s", (char *)arg);
	return 0;
}

TEST_F(scope, output_is_written_once)
{
	int file = memfd_create("stdout", 0), old;
	char text[32] = "";

	fflush(stdout);
	old = dup(STDOUT_FILENO);
	dup2(file, STDOUT_FILENO);
	atexit(count_exit);
	printf("parent ");
	EXPECT_LT(0, chan_scope_spawn(self->scope, print, "child "));
	EXPECT_EQ(0, chan_scope_wait(self->scope, NULL));
	printf("parent ");
	fflush(stdout);
	dup2(old, STDOUT_FILENO);
	close(old);
	EXPECT_EQ(20, pread(file, text, sizeof(text), 0));
	close(file);
	EXPECT_STREQ("parent child parent ", text);
	EXPECT_EQ(0, stage->count);
}

/* --- How children end --- */

FIXTURE(end)
{
	struct chan_scope *scope;
	struct chan_child first;
};

FIXTURE_VARIANT(end)
{
	int (*fn)(void *arg);
	long arg;
	int result;
	unsigned int end;
	int status;
};

#define END(name, ...) FIXTURE_VARIANT_ADD(end, name) { __VA_ARGS__ }

END(exit_status, return_arg, 3, -ECHILD, CHAN_CHILD_EXITED, 3);
END(last_exit_status, return_arg, 255, -ECHILD, CHAN_CHILD_EXITED, 255);
END(beyond_exit_status, return_arg, 256, -ECHILD, CHAN_CHILD_EXITED, 255);
END(exits_by_itself, exit_itself, 7, -ECHILD, CHAN_CHILD_EXITED, 7);
END(error, return_arg, -EIO, -EIO, CHAN_CHILD_FAILED, EIO);
END(last_error, return_arg, -CHAN_MAX_ERROR, -CHAN_MAX_ERROR, CHAN_CHILD_FAILED, CHAN_MAX_ERROR);
END(beyond_errors, return_arg, -CHAN_MAX_ERROR - 1, -ECHILD, CHAN_CHILD_EXITED, 255);
END(canceled_by_another, return_arg, -ECANCELED, -ECANCELED, CHAN_CHILD_FAILED, ECANCELED);
END(error_of_a_wait, return_arg, -EINTR, -ECHILD, CHAN_CHILD_FAILED, EINTR);
END(error_of_a_try, return_arg, -EBUSY, -ECHILD, CHAN_CHILD_FAILED, EBUSY);
END(killed, kill_itself, SIGKILL, -ECHILD, CHAN_CHILD_KILLED, SIGKILL);
END(killed_by_another_signal, kill_itself, SIGUSR1, -ECHILD, CHAN_CHILD_KILLED, SIGUSR1);

FIXTURE_SETUP(end)
{
	stage = shared(_metadata, sizeof(*stage));
	ASSERT_EQ(0, CALL(chan_scope_open(NULL, &self->scope)));
}

FIXTURE_TEARDOWN(end)
{
	chan_scope_close(self->scope);
	EXPECT_FALSE(has_children());
}

TEST_F(end, is_told)
{
	struct chan_child list;
	pid_t pid;

	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	pid = CALL(chan_scope_spawn(self->scope, variant->fn, number(variant->arg)));
	ASSERT_LT(0, pid);
	EXPECT_EQ(variant->result, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_CHILD(self->first, 1, pid, variant->end, variant->status);
	EXPECT_EQ(variant->arg, (intptr_t)self->first.arg);
	EXPECT_EQ(1, CALL(chan_scope_failures(self->scope, &list, 1)));
	EXPECT_EQ(0, memcmp(&list, &self->first, sizeof(list)));
	EXPECT_EQ(-variant->result, scope_info(self->scope).cause);
}

/* Nobody can tell then but for the function itself. */
TEST_F(end, is_told_if_children_are_not_waited_for)
{
	bool killed = variant->fn != return_arg;

	signal(SIGCHLD, SIG_IGN);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, variant->fn, number(variant->arg))));
	EXPECT_EQ(killed ? -ECHILD : variant->result,
		  CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_EQ(killed ? CHAN_CHILD_LOST : variant->end, self->first.end);
	EXPECT_EQ(killed ? 0 : variant->status, self->first.status);
}

TEST_F(scope, success_if_children_are_not_waited_for)
{
	char **argv = WORDS("true");

	signal(SIGCHLD, SIG_IGN);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	ASSERT_LT(0, CALL(chan_scope_spawn_command(self->scope, argv, NULL, NULL, 0)));
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_EQ(CHAN_CHILD_LOST, self->first.end);
}

/* --- The first failure --- */

TEST_F(scope, failure_cancels_the_rest)
{
	struct chan_rx rx;
	struct chan_tx tx;
	pid_t pid;
	int i;

	REOPEN(.grace = CHAN_SCOPE_GRACE_NEVER);
	ASSERT_EQ(0, CALL(chan_scope_pair(self->scope, 0, 0, 0, &tx, &rx)));
	for (i = 0; i < 3; i++)
		ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, receive, &rx)));
	pid = CALL(chan_scope_spawn(self->scope, fail_when_told, number(0)));
	ASSERT_LT(0, pid);
	ASSERT_TRUE(wait_parked(rx.fd, 0, 3));
	let_go(0);
	EXPECT_EQ(-EIO, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_CHILD(self->first, 3, pid, CHAN_CHILD_FAILED, EIO);

	EXPECT_EQ(4, CALL(chan_scope_failures(self->scope, self->list, 8)));
	EXPECT_EQ(3, self->list[0].number);
	for (i = 1; i < 4; i++) {
		EXPECT_EQ(CHAN_CHILD_FAILED, self->list[i].end);
		EXPECT_EQ(ECANCELED, self->list[i].status);
	}
	EXPECT_EQ(CHAN_STATE_CANCELED, info(tx.fd).state);
	chan_tx_release(&tx);
	chan_rx_release(&rx);
}

TEST_F(scope, failure_sends_the_signal)
{
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, return_arg, number(5))));
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_EQ(2, self->first.number);
	EXPECT_EQ(3, CALL(chan_scope_failures(self->scope, self->list, 8)));
	EXPECT_EQ(CHAN_CHILD_KILLED, self->list[1].end);
	EXPECT_EQ(SIGTERM, self->list[1].status);
	EXPECT_EQ(CHAN_CHILD_KILLED, self->list[2].end);

	memset(self->list, 0xff, sizeof(self->list));
	EXPECT_EQ(3, CALL(chan_scope_failures(self->scope, self->list, 1)));
	EXPECT_EQ(2, self->list[0].number);
	EXPECT_EQ(~0U, self->list[1].number);
	EXPECT_EQ(3, CALL(chan_scope_failures(self->scope, NULL, 0)));
}

/* Which one it was does not depend on when the parent looks. */
TEST_F(scope, first_to_end_is_the_first)
{
	pid_t pids[4];
	int i;

	for (i = 0; i < 4; i++) {
		pids[i] = CALL(chan_scope_spawn(self->scope, fail_when_told, number(i)));
		ASSERT_LT(0, pids[i]);
	}
	for (i = 0; i < 4; i++) {
		let_go(i ^ 2);
		ASSERT_TRUE(wait_until(is_zombie(pids[i ^ 2])));
	}
	EXPECT_EQ(-EIO, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_CHILD(self->first, 2, pids[2], CHAN_CHILD_FAILED, EIO);
	EXPECT_EQ(4, CALL(chan_scope_failures(self->scope, self->list, 8)));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(i ^ 2, self->list[i].number);
}

TEST_F(scope, failure_is_noticed_by_a_spawn)
{
	pid_t pid = CALL(chan_scope_spawn(self->scope, return_arg, number(-EIO)));

	ASSERT_LT(0, pid);
	ASSERT_TRUE(wait_until(is_zombie(pid)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(EIO, scope_info(self->scope).cause);
	EXPECT_EQ(-EIO, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_EQ(pid, self->first.pid);
}

TEST_F(scope, failure_after_a_cancel_is_not_the_cause)
{
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, fail_when_told, number(0))));
	ASSERT_TRUE(all_started(1));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, EPROTO)));
	let_go(0);
	EXPECT_EQ(-EPROTO, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_NO_CHILD(self->first);
	EXPECT_EQ(1, CALL(chan_scope_failures(self->scope, self->list, 8)));
}

/* --- Cancelling --- */

TEST_F(scope, canceled_is_final)
{
	char **argv = WORDS("true");
	struct chan_tx tx;
	struct chan_rx rx;

	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, 0)));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, EIO)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_try_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_spawn_command(self->scope, argv, NULL, NULL, 0)));
	EXPECT_EQ(-ECANCELED,
		  CALL(chan_scope_try_spawn_command(self->scope, argv, NULL, NULL, 0)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_pair(self->scope, 0, 0, 0, &tx, &rx)));
	EXPECT_EQ(-1, tx.fd);
	EXPECT_EQ(-1, rx.fd);
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_set_signal(self->scope, SIGINT)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_NO_CHILD(self->first);
}

TEST_F(scope, causes_that_are_none)
{
	EXPECT_EQ(-EINVAL, CALL(chan_scope_cancel(self->scope, -1)));
	EXPECT_EQ(-EINVAL, CALL(chan_scope_cancel(self->scope, CHAN_MAX_ERROR + 1)));
	EXPECT_EQ(-EINVAL, CALL(chan_scope_cancel(self->scope, EINTR)));
	EXPECT_EQ(-EINVAL, CALL(chan_scope_cancel(self->scope, EBUSY)));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

/* On a slow machine it may pass before the child is there. */
TEST_F(scope, deadline_cancels)
{
	pid_t pid;

	REOPEN(.deadline = chan_deadline(500 * CHAN_MILLISECOND));
	pid = CALL(chan_scope_spawn(self->scope, sit, NULL));
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_NO_CHILD(self->first);
	if (pid == -ECANCELED)
		SKIP(return, "no child was there to be cancelled");
	ASSERT_LT(0, pid);
	EXPECT_EQ(1, CALL(chan_scope_failures(self->scope, self->list, 8)));
	EXPECT_EQ(SIGTERM, self->list[0].status);
}

TEST_F(scope, deadline_has_passed)
{
	REOPEN(.deadline = 1);
	ASSERT_TRUE(wait_until(scope_info(self->scope).state == CHAN_SCOPE_CANCELED));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_scope_wait(self->scope, &self->first)));
}

/* @setting: what the child ignores, 0 for nothing. */
static int signal_that_ends(struct chan_scope *scope, int ignored, struct chan_child *end)
{
	long ret = chan_scope_spawn(scope, ignored ? sit_ignoring : sit, number(ignored));

	if (ret < 0 || !all_started(1) || chan_scope_cancel(scope, 0))
		return -1;
	ret = chan_scope_wait(scope, NULL);
	if (ret != -ECANCELED || chan_scope_failures(scope, end, 1) != 1)
		return -2;
	return end->end == CHAN_CHILD_KILLED ? end->status : -3;
}

TEST_F(scope, signal_is_sigterm)
{
	EXPECT_EQ(SIGTERM, signal_that_ends(self->scope, 0, self->list));
}

TEST_F(scope, signal_of_choice)
{
	REOPEN(.signal = SIGUSR2);
	EXPECT_EQ(SIGUSR2, signal_that_ends(self->scope, SIGTERM, self->list));
}

TEST_F(scope, signal_changed)
{
	EXPECT_EQ(-EINVAL, CALL(chan_scope_set_signal(self->scope, 1000)));
	EXPECT_EQ(0, CALL(chan_scope_set_signal(self->scope, SIGINT)));
	EXPECT_EQ(SIGINT, signal_that_ends(self->scope, SIGTERM, self->list));
}

TEST_F(scope, killed_at_once)
{
	REOPEN(.grace = CHAN_SCOPE_GRACE_NONE, .signal = CHAN_SCOPE_NO_SIGNAL);
	EXPECT_EQ(SIGKILL, signal_that_ends(self->scope, 0, self->list));
}

TEST_F(scope, killed_after_grace)
{
	long before = now_ms();

	REOPEN(.grace = 200 * CHAN_MILLISECOND);
	EXPECT_EQ(SIGKILL, signal_that_ends(self->scope, SIGTERM, self->list));
	EXPECT_LE(200, now_ms() - before);
}

TEST_F(scope, waits_for_all_after_a_cancel)
{
	REOPEN(.grace = CHAN_SCOPE_GRACE_NEVER, .signal = CHAN_SCOPE_NO_SIGNAL);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	ASSERT_TRUE(all_started(1));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, 0)));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
	let_go(0);
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(0, CALL(chan_scope_failures(self->scope, NULL, 0)));
}

/* --- Waiting --- */

TEST_F(scope, wait_until_a_deadline)
{
	uint64_t deadline = chan_deadline(20 * CHAN_MILLISECOND);

	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, &self->first, deadline)));
	EXPECT_NO_CHILD(self->first);
	EXPECT_LE(deadline, chan_deadline(1));
	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->scope).state);
	let_go(0);
	EXPECT_EQ(0, CALL(chan_scope_wait_until(self->scope, NULL,
						chan_deadline(60 * CHAN_SECOND))));
}

static int leave_grandchild(void *arg)
{
	if (!fork())
		_exit(wait_to_go(arg));
	return 0;
}

TEST_F(scope, wait_for_grandchildren)
{
	pid_t pid = CALL(chan_scope_spawn(self->scope, leave_grandchild, number(0)));

	ASSERT_LT(0, pid);
	ASSERT_TRUE(all_started(1));
	ASSERT_TRUE(wait_until(is_zombie(pid)));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL,
						     chan_deadline(CHAN_MILLISECOND))));
	let_go(0);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(0, scope_info(self->scope).members);
}

static int leave_sitting_grandchild(void *arg)
{
	if (!fork())
		sit(arg);
	return 0;
}

TEST_F(scope, cancel_reaches_grandchildren)
{
	pid_t pid = CALL(chan_scope_spawn(self->scope, leave_sitting_grandchild, NULL));

	ASSERT_LT(0, pid);
	ASSERT_TRUE(all_started(1));
	ASSERT_TRUE(wait_until(is_zombie(pid)));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, 0)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(0, scope_info(self->scope).members);
}

static int leave_group(void *arg)
{
	setsid();
	return wait_to_go(arg);
}

TEST_F(scope, wait_for_a_child_that_has_left)
{
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, leave_group, number(0))));
	ASSERT_TRUE(all_started(1));
	ASSERT_EQ(0, scope_info(self->scope).members);
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
	let_go(0);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

/* A process in which the wait can be interrupted. */
struct waiter {
	int ready;
	long ret;
	long again;
};

static void interrupted_wait(struct waiter *waiter, int flags)
{
	struct sigaction action = { .sa_handler = no_handler, .sa_flags = flags };
	struct chan_scope *scope;

	sigaction(SIGUSR1, &action, NULL);
	if (chan_scope_open(NULL, &scope) || chan_scope_spawn(scope, wait_to_go, number(0)) < 0)
		_exit(1);
	all_started(1);
	__atomic_store_n(&waiter->ready, 1, __ATOMIC_RELEASE);
	waiter->ret = CALL(chan_scope_wait(scope, NULL));
	__atomic_store_n(&waiter->ready, 2, __ATOMIC_RELEASE);
	waiter->again = CALL(chan_scope_wait(scope, NULL));
	_exit(chan_scope_close(scope) ? 1 : 0);
}

static pid_t start_waiter(struct __test_metadata *_metadata, struct waiter *waiter, int flags)
{
	pid_t pid = fork_child();

	ASSERT_LE(0, pid);
	if (!pid)
		interrupted_wait(waiter, flags);
	EXPECT_TRUE(wait_until(read_int(&waiter->ready) && state_of(pid) == 'S'));
	return pid;
}

TEST_F(scope, wait_is_interrupted)
{
	struct waiter *waiter = shared(_metadata, sizeof(*waiter));
	pid_t pid = start_waiter(_metadata, waiter, 0);
	int status;

	kill(pid, SIGUSR1);
	EXPECT_TRUE(wait_until(read_int(&waiter->ready) == 2));
	let_go(0);
	EXPECT_TRUE(ended(pid, &status));
	EXPECT_EQ(0, status);
	EXPECT_EQ(-EINTR, waiter->ret);
	EXPECT_EQ(0, waiter->again);
}

TEST_F(scope, wait_is_restarted)
{
	struct waiter *waiter = shared(_metadata, sizeof(*waiter));
	pid_t pid = start_waiter(_metadata, waiter, SA_RESTART);
	long sleeps = sleeps_of(pid);
	int status;

	kill(pid, SIGUSR1);
	EXPECT_TRUE(wait_until(sleeps_of(pid) > sleeps));
	let_go(0);
	EXPECT_TRUE(ended(pid, &status));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, waiter->ret);
}

TEST_F(scope, spawn_again_after_all_have_ended)
{
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
		EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	}
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, return_arg, number(1))));
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_EQ(3, self->first.number);
}

TEST_F(scope, many_short_children)
{
	int i, files = count_fds();

	REOPEN(.limit = 20);
	for (i = 0; i < 500; i++)
		ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(files, count_fds());
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
}

/* --- A file to wait for --- */

static short ready_events(int fd, int timeout)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, timeout) == 1 ? pfd.revents : 0;
}

TEST_F(scope, file_is_ready_when_there_is_something_to_notice)
{
	int fd = CALL(chan_scope_fd(self->scope));
	pid_t pids[2];

	ASSERT_LE(0, fd);
	EXPECT_EQ(fd, CALL(chan_scope_fd(self->scope)));
	EXPECT_TRUE(close_range(fd, fd, CLOSE_RANGE_CLOEXEC) == 0);
	EXPECT_EQ(POLLIN, ready_events(fd, DEADLINE_MS));
	EXPECT_EQ(0, CALL(chan_scope_wait_until(self->scope, NULL, 0)));

	pids[0] = CALL(chan_scope_spawn(self->scope, wait_to_go, number(0)));
	pids[1] = CALL(chan_scope_spawn(self->scope, wait_to_go, number(1)));
	ASSERT_TRUE(all_started(2));
	EXPECT_EQ(0, ready_events(fd, 0));
	let_go(0);
	EXPECT_EQ(POLLIN, ready_events(fd, DEADLINE_MS));
	EXPECT_TRUE(is_zombie(pids[0]));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
	EXPECT_FALSE(is_zombie(pids[0]));
	EXPECT_EQ(0, ready_events(fd, 0));

	kill(pids[1], SIGKILL);
	while (ready_events(fd, DEADLINE_MS) == POLLIN &&
	       CALL(chan_scope_wait_until(self->scope, &self->first, 0)) == -EBUSY)
		;
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait_until(self->scope, &self->first, 0)));
	EXPECT_EQ(pids[1], self->first.pid);
}

TEST_F(scope, file_can_be_selected)
{
	struct chan_case c;
	long ret;

	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, return_arg, number(-EIO))));
	do {
		c = chan_case_poll(chan_scope_fd(self->scope), POLLIN);
		ASSERT_EQ(0, chan_select(&c, 1, 40 * CHAN_SECOND));
		ret = CALL(chan_scope_wait_until(self->scope, NULL, 0));
	} while (ret == -EBUSY);
	EXPECT_EQ(-EIO, ret);
}

/* While a member takes its time to go. */
TEST_F(scope, file_is_quiet_after_a_cancel)
{
	int fd, i;

	REOPEN(.grace = CHAN_SCOPE_GRACE_NEVER, .signal = CHAN_SCOPE_NO_SIGNAL);
	fd = CALL(chan_scope_fd(self->scope));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	ASSERT_TRUE(all_started(1));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, 0)));
	EXPECT_EQ(POLLIN, ready_events(fd, DEADLINE_MS));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, ready_events(fd, 0));
	let_go(0);
	while (ready_events(fd, DEADLINE_MS) == POLLIN &&
	       CALL(chan_scope_wait_until(self->scope, NULL, 0)) == -EBUSY)
		;
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
}

/* --- Programs --- */

static long run(struct chan_scope *scope, char *const argv[], char *const envp[], char *text,
		size_t size)
{
	int fds[2];
	struct chan_command_fd file = { .as = STDOUT_FILENO };
	long ret;

	memset(text, 0, size);
	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	file.fd = fds[1];
	ret = CALL(chan_scope_spawn_command(scope, argv, envp, &file, 1));
	close(fds[1]);
	while (ret > 0 && size > 1) {
		ssize_t n = read(fds[0], text, size - 1);

		if (n <= 0)
			break;
		text += n;
		size -= n;
	}
	close(fds[0]);
	return ret;
}

TEST_F(scope, program_with_arguments_and_environment)
{
	char **argv = WORDS("/bin/sh", "-c", "echo \"$X $1 $2\"", "sh", "a b", "c");
	char **envp = WORDS("X=value");
	char text[64];

	ASSERT_LT(0, run(self->scope, argv, envp, text, sizeof(text)));
	EXPECT_STREQ("value a b c\n", text);
	ASSERT_EQ(0, setenv("X", "own", 1));
	ASSERT_LT(0, run(self->scope, argv, NULL, text, sizeof(text)));
	EXPECT_STREQ("own a b c\n", text);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

TEST_F(scope, program_runs_in_it)
{
	char script[] = "read pid comm state ppid pgrp rest </proc/self/stat; echo $pid $pgrp";
	char **argv = WORDS("sh", "-c", script);
	char text[64], expected[64];
	pid_t pid;

	pid = run(self->scope, argv, NULL, text, sizeof(text));
	ASSERT_LT(0, pid);
	snprintf(expected, sizeof(expected), "%d %d\n", pid, scope_info(self->scope).pgid);
	EXPECT_STREQ(expected, text);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

TEST_F(scope, program_starts_with_signals_as_after_exec)
{
	char script[] = "while read key value; do case $key in Sig[BI]*) echo $key $value;; "
			"esac; done </proc/self/status";
	char **argv = WORDS("sh", "-c", script);
	char text[256];
	sigset_t mask;
	int i;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	sigfillset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	ASSERT_LT(0, run(self->scope, argv, NULL, text, sizeof(text)));
	EXPECT_STREQ("SigBlk: 0000000000000000\nSigIgn: 0000000000000001\n", text);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

TEST_F(scope, program_fails)
{
	char **argv = WORDS("sh", "-c", "exit 3");
	pid_t pid = CALL(chan_scope_spawn_command(self->scope, argv, NULL, NULL, 0));

	ASSERT_LT(0, pid);
	EXPECT_EQ(-ECHILD, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_CHILD(self->first, 0, pid, CHAN_CHILD_EXITED, 3);
	EXPECT_EQ((void *)argv, self->first.arg);
}

TEST_F(scope, program_that_cannot_be_run)
{
	char **none = WORDS(NULL);
	char **missing = WORDS("/nonexistent/program");
	char **nowhere = WORDS("no-such-program-anywhere");
	char **directory = WORDS("/proc");
	char **sh = WORDS("true");
	struct chan_command_fd file = { .fd = 999, .as = 5 };

	EXPECT_EQ(-EINVAL, CALL(chan_scope_spawn_command(self->scope, none, NULL, NULL, 0)));
	EXPECT_EQ(-ENOENT, CALL(chan_scope_spawn_command(self->scope, missing, NULL, NULL, 0)));
	EXPECT_EQ(-ENOENT, CALL(chan_scope_spawn_command(self->scope, nowhere, NULL, NULL, 0)));
	EXPECT_EQ(-EACCES, CALL(chan_scope_spawn_command(self->scope, directory, NULL, NULL, 0)));
	EXPECT_EQ(-EBADF, CALL(chan_scope_spawn_command(self->scope, sh, NULL, &file, 1)));
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(0, CALL(chan_scope_failures(self->scope, NULL, 0)));
	ASSERT_LT(0, CALL(chan_scope_spawn_command(self->scope, sh, NULL, NULL, 0)));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

/* Two files change places, and one is handed over twice. */
TEST_F(scope, program_is_handed_files)
{
	int a = memfd_create("a", MFD_CLOEXEC), b = memfd_create("b", MFD_CLOEXEC);
	char script[128], text[16] = "";
	char **argv = WORDS("sh", "-c", script);
	struct chan_command_fd files[] = {
		{ .fd = a, .as = b }, { .fd = b, .as = a }, { .fd = a, .as = STDOUT_FILENO },
	};

	ASSERT_LT(2, a);
	ASSERT_GT(10, b);
	snprintf(script, sizeof(script), "echo to-b >&%d; echo to-a >&%d; echo out", a, b);
	ASSERT_LT(0, CALL(chan_scope_spawn_command(self->scope, argv, NULL, files, 3)));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(5, pread(b, text, sizeof(text), 0));
	EXPECT_EQ(0, memcmp(text, "to-b\n", 5));
	EXPECT_EQ(9, pread(a, text, sizeof(text), 0));
	EXPECT_EQ(0, memcmp(text, "to-a\nout\n", 9));
	EXPECT_NE(0, fcntl(a, F_GETFD) & FD_CLOEXEC);
	close(a);
	close(b);
}

TEST_F(scope, program_has_no_other_files)
{
	char **argv = WORDS("sh", "-c", "cd /proc/self/fd && echo *");
	char text[64];

	ASSERT_EQ(0, close_range(3, self->files, CLOSE_RANGE_CLOEXEC));
	ASSERT_LE(0, chan_scope_fd(self->scope));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	ASSERT_LT(0, run(self->scope, argv, NULL, text, sizeof(text)));
	/* The last is the directory itself. */
	EXPECT_STREQ("0 1 2 3\n", text);
	let_go(0);
	EXPECT_EQ(0, chan_scope_wait(self->scope, NULL));
}

TEST_F(scope, program_is_canceled)
{
	char **argv = WORDS("sleep", "1000");
	pid_t pid = CALL(chan_scope_spawn_command(self->scope, argv, NULL, NULL, 0));

	ASSERT_LT(0, pid);
	EXPECT_EQ(1, scope_info(self->scope).members);
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, 0)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(1, CALL(chan_scope_failures(self->scope, self->list, 8)));
	EXPECT_CHILD(self->list[0], 0, pid, CHAN_CHILD_KILLED, SIGTERM);
}

/* --- The limit --- */

TEST_F(scope, limit_on_a_try)
{
	char **argv = WORDS("true");

	REOPEN(.limit = 2);
	ASSERT_LT(0, CALL(chan_scope_try_spawn(self->scope, wait_to_go, number(0))));
	ASSERT_LT(0, CALL(chan_scope_try_spawn(self->scope, wait_to_go, number(1))));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_try_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_try_spawn_command(self->scope, argv, NULL, NULL, 0)));
	let_go(1);
	EXPECT_LT(0, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
	EXPECT_LT(0, CALL(chan_scope_spawn_command(self->scope, argv, NULL, NULL, 0)));
	let_go(0);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(2, stage->started);
}

/* A place is free again when what was to take it could not be run. */
TEST_F(scope, limit_after_a_program_that_cannot_be_run)
{
	char **argv = WORDS("/nonexistent/program");

	REOPEN(.limit = 1);
	EXPECT_EQ(-ENOENT, CALL(chan_scope_try_spawn_command(self->scope, argv, NULL, NULL, 0)));
	EXPECT_LT(0, CALL(chan_scope_try_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

/* A call in a thread of its own. */
struct call {
	pthread_t thread;
	struct chan_scope *scope;
	struct chan_child first;
	struct chan_rx rx;
	pid_t tid;
	long ret;
};

static void *spawn_call(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	call->ret = CALL(chan_scope_spawn(call->scope, succeed, NULL));
	return NULL;
}

static void *wait_call(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	call->ret = CALL(chan_scope_wait(call->scope, &call->first));
	return NULL;
}

static void *recv_call(void *arg)
{
	struct call *call = arg;
	size_t len;
	char c;

	call->ret = CALL(chan_recv(call->rx, &c, 1, &len));
	return NULL;
}

/* Until it is in a system call that sleeps; the calls here have no others. */
static void start_call(struct __test_metadata *_metadata, struct call *call,
		       struct chan_scope *scope, void *(*run)(void *))
{
	call->scope = scope;
	call->tid = 0;
	call->ret = OP_STUCK;
	ASSERT_EQ(0, pthread_create(&call->thread, NULL, run, call));
	ASSERT_TRUE(wait_until(read_int(&call->tid) && state_of(call->tid) == 'S'));
}

static long join(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->ret;
}

TEST_F(scope, limit_is_waited_for)
{
	struct call call;

	REOPEN(.limit = 1);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	start_call(_metadata, &call, self->scope, spawn_call);
	EXPECT_EQ(OP_STUCK, call.ret);
	let_go(0);
	EXPECT_LT(0, join(&call));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

TEST_F(scope, cancel_ends_the_wait_for_the_limit)
{
	struct call call;

	REOPEN(.limit = 1, .grace = CHAN_SCOPE_GRACE_NEVER, .signal = CHAN_SCOPE_NO_SIGNAL);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	start_call(_metadata, &call, self->scope, spawn_call);
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, 0)));
	EXPECT_EQ(-ECANCELED, join(&call));
	let_go(0);
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_wait(self->scope, NULL)));
}

TEST_F(scope, signal_ends_the_wait_for_the_limit)
{
	struct sigaction action = { .sa_handler = no_handler };
	struct call call;

	sigaction(SIGUSR1, &action, NULL);
	REOPEN(.limit = 1);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	start_call(_metadata, &call, self->scope, spawn_call);
	pthread_kill(call.thread, SIGUSR1);
	EXPECT_EQ(-EINTR, join(&call));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_try_spawn(self->scope, succeed, NULL)));
	let_go(0);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

/* The one who notices tells those who sleep. */
TEST_F(scope, limit_is_told_by_another_thread)
{
	struct call calls[3];
	int i;

	REOPEN(.limit = 1);
	for (i = 0; i < 20; i++) {
		__atomic_store_n(&stage->go, 0, __ATOMIC_RELEASE);
		ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
		start_call(_metadata, &calls[0], self->scope, wait_call);
		start_call(_metadata, &calls[1], self->scope, spawn_call);
		start_call(_metadata, &calls[2], self->scope, spawn_call);
		let_go(0);
		EXPECT_LT(0, join(&calls[1]));
		EXPECT_LT(0, join(&calls[2]));
		EXPECT_EQ(0, join(&calls[0]));
		EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	}
}

/* --- A child that somebody else traces --- */

/*
 * The tracer is the first to learn that the child has ended. Until it lets go,
 * the pidfd of the child tells, too, but the parent cannot wait for it.
 */
#define TRACER	30

static int trace(pid_t pid, bool waits)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL))
		return 1;
	count_up(&stage->count);
	while (!may_go(TRACER))
		nap();
	/* By waiting for it, or else when the tracer is gone. */
	return waits && waitpid(pid, NULL, 0) != pid;
}

/* Until child number 0 is a zombie. */
static pid_t trace_to_its_end(struct __test_metadata *_metadata, pid_t pid, bool waits)
{
	pid_t tracer;

	ASSERT_LT(0, pid);
	tracer = fork();
	if (!tracer)
		_exit(trace(pid, waits));
	ASSERT_LT(0, tracer);
	ASSERT_TRUE(wait_until(read_int(&stage->count) == 1));
	let_go(0);
	ASSERT_TRUE(wait_until(is_zombie(pid)));
	return tracer;
}

static bool has_succeeded(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* It looks once, and sleeps; who looks again and again does not stay asleep. */
TEST_F(scope, wait_for_a_traced_child_is_idle)
{
	struct call call;
	pid_t pid, tracer;
	long sleeps;
	int i;

	pid = CALL(chan_scope_spawn(self->scope, fail_when_told, number(0)));
	tracer = trace_to_its_end(_metadata, pid, true);
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, &self->first,
						     chan_deadline(20 * CHAN_MILLISECOND))));
	EXPECT_NO_CHILD(self->first);
	start_call(_metadata, &call, self->scope, wait_call);
	sleeps = sleeps_of(call.tid);
	for (i = 0; i < 100; i++)
		nap();
	EXPECT_TRUE(undisturbed(call.tid, sleeps));

	let_go(TRACER);
	EXPECT_EQ(-EIO, join(&call));
	EXPECT_CHILD(call.first, 0, pid, CHAN_CHILD_FAILED, EIO);
	EXPECT_TRUE(has_succeeded(tracer));
}

TEST_F(scope, tracer_that_lets_go_ends_the_wait)
{
	struct call calls[3];
	pid_t pid, tracer;
	int i;

	pid = CALL(chan_scope_spawn(self->scope, fail_when_told, number(0)));
	tracer = trace_to_its_end(_metadata, pid, true);
	for (i = 0; i < 3; i++)
		start_call(_metadata, &calls[i], self->scope, wait_call);
	let_go(TRACER);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EIO, join(&calls[i]));
		EXPECT_CHILD(calls[i].first, 0, pid, CHAN_CHILD_FAILED, EIO);
	}
	EXPECT_TRUE(has_succeeded(tracer));
}

TEST_F(scope, tracer_that_goes_ends_the_wait_for_the_limit)
{
	struct call call;
	pid_t pid, tracer;

	REOPEN(.limit = 1);
	pid = CALL(chan_scope_spawn(self->scope, wait_to_go, number(0)));
	tracer = trace_to_its_end(_metadata, pid, false);
	EXPECT_EQ(-EBUSY, CALL(chan_scope_try_spawn(self->scope, succeed, NULL)));
	start_call(_metadata, &call, self->scope, spawn_call);
	let_go(TRACER);
	EXPECT_LT(0, join(&call));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_TRUE(has_succeeded(tracer));
}

TEST_F(scope, file_is_quiet_while_a_child_is_traced)
{
	int fd = CALL(chan_scope_fd(self->scope));
	pid_t pid, tracer;

	pid = CALL(chan_scope_spawn(self->scope, wait_to_go, number(0)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(1))));
	tracer = trace_to_its_end(_metadata, pid, true);
	EXPECT_EQ(POLLIN, ready_events(fd, DEADLINE_MS));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
	EXPECT_EQ(0, ready_events(fd, 0));

	let_go(TRACER);
	EXPECT_TRUE(has_succeeded(tracer));
	EXPECT_EQ(POLLIN, ready_events(fd, 0));
	EXPECT_TRUE(is_zombie(pid));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL, 0)));
	EXPECT_FALSE(is_zombie(pid));
	let_go(1);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

/* --- Threads of the owner --- */

TEST_F(scope, all_threads_are_told_the_first_cause)
{
	struct call calls[4];
	pid_t pid;
	int i;

	pid = CALL(chan_scope_spawn(self->scope, fail_when_told, number(0)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	for (i = 0; i < 4; i++)
		start_call(_metadata, &calls[i], self->scope, wait_call);
	let_go(0);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(-EIO, join(&calls[i]));
		EXPECT_CHILD(calls[i].first, 0, pid, CHAN_CHILD_FAILED, EIO);
	}
}

/* Threads use the channels of the scope, and a cancel reaches them there. */
TEST_F(scope, threads_take_part)
{
	struct call call;
	struct chan_tx tx;

	ASSERT_EQ(0, CALL(chan_scope_pair(self->scope, 0, 0, 0, &tx, &call.rx)));
	ASSERT_EQ(0, pthread_create(&call.thread, NULL, recv_call, &call));
	ASSERT_TRUE(wait_parked(tx.fd, 0, 1));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, return_arg, number(-EIO))));
	EXPECT_EQ(-EIO, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(-ECANCELED, join(&call));
	chan_tx_release(&tx);
	chan_rx_release(&call.rx);
}

static int count_running(void *arg)
{
	int running = __atomic_add_fetch(&stage->started, 1, __ATOMIC_ACQ_REL);
	int most = read_int(&stage->most);

	(void)arg;
	while (running > most &&
	       !__atomic_compare_exchange_n(&stage->most, &most, running, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		;
	count_up(&stage->count);
	nap();
	__atomic_sub_fetch(&stage->started, 1, __ATOMIC_ACQ_REL);
	return 0;
}

static void *spawn_many(void *arg)
{
	struct call *call = arg;
	int i;

	for (i = 0; i < 25; i++) {
		call->ret = CALL(chan_scope_spawn(call->scope, count_running, NULL));
		if (call->ret < 0)
			return NULL;
	}
	call->ret = CALL(chan_scope_wait(call->scope, NULL));
	return NULL;
}

TEST_F(scope, threads_spawn_at_once)
{
	struct call calls[6];
	int i;

	REOPEN(.limit = 3);
	for (i = 0; i < 6; i++) {
		calls[i].scope = self->scope;
		ASSERT_EQ(0, pthread_create(&calls[i].thread, NULL, spawn_many, &calls[i]));
	}
	for (i = 0; i < 6; i++)
		EXPECT_EQ(0, join(&calls[i]));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(6 * 25, stage->count);
	EXPECT_GE(3, stage->most);
}

/* The scope may have been opened by a thread that is gone, and others wait. */
static void *open_call(void *arg)
{
	struct call *call = arg;

	call->ret = CALL(chan_scope_open(NULL, &call->scope));
	if (!call->ret)
		call->ret = CALL(chan_scope_spawn(call->scope, return_arg, number(-EIO)));
	return NULL;
}

TEST_F(scope, opened_by_another_thread)
{
	struct call call;

	ASSERT_EQ(0, pthread_create(&call.thread, NULL, open_call, &call));
	ASSERT_LT(0, join(&call));
	EXPECT_EQ(-EIO, CALL(chan_scope_wait(call.scope, NULL)));
	EXPECT_EQ(-EIO, CALL(chan_scope_close(call.scope)));
}

TEST_F(scope, thread_is_canceled_in_a_wait)
{
	struct call call;

	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	start_call(_metadata, &call, self->scope, wait_call);
	ASSERT_EQ(0, pthread_cancel(call.thread));
	EXPECT_EQ(OP_STUCK, join(&call));
	start_call(_metadata, &call, self->scope, wait_call);
	let_go(0);
	EXPECT_EQ(0, join(&call));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

static void *wait_often(void *arg)
{
	struct call *call = arg;

	do {
		call->ret = chan_scope_wait_until(call->scope, NULL,
						  chan_deadline(CHAN_MILLISECOND));
	} while (!call->ret || call->ret == -EBUSY);
	return NULL;
}

/* Wherever it is when it is cancelled, what it noticed is not lost. */
TEST_F(scope, threads_are_canceled_in_waits)
{
	struct call call, other;
	int i, j;

	other.scope = self->scope;
	ASSERT_EQ(0, pthread_create(&other.thread, NULL, wait_often, &other));
	for (i = 0; i < 100; i++) {
		call.scope = self->scope;
		for (j = 0; j < 5; j++)
			ASSERT_LT(0, chan_scope_spawn(self->scope, succeed, NULL));
		ASSERT_EQ(0, pthread_create(&call.thread, NULL, wait_often, &call));
		ASSERT_LT(0, chan_scope_spawn(self->scope, succeed, NULL));
		ASSERT_EQ(0, pthread_cancel(call.thread));
		pthread_join(call.thread, NULL);
	}
	pthread_cancel(other.thread);
	pthread_join(other.thread, NULL);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(0, CALL(chan_scope_failures(self->scope, NULL, 0)));
}

static void *print_call(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	call->ret = chan_scope_spawn(call->scope, succeed, NULL);
	for (;;)
		pause();
	return NULL;
}

/* The output of the program is written first, and that may take its time. */
TEST_F(scope, thread_is_canceled_in_the_output)
{
	char full[65536] = "", text[16];
	int out = dup(STDOUT_FILENO);
	struct call call;
	int fds[2];

	REOPEN(.limit = 1);
	fflush(stdout);
	ASSERT_EQ(0, pipe(fds));
	ASSERT_EQ(sizeof(full), write(fds[1], full, sizeof(full)));
	dup2(fds[1], STDOUT_FILENO);
	close(fds[1]);
	printf("text");
	start_call(_metadata, &call, self->scope, print_call);
	pthread_cancel(call.thread);
	ASSERT_EQ(sizeof(full), read(fds[0], full, sizeof(full)));
	pthread_join(call.thread, NULL);
	dup2(out, STDOUT_FILENO);
	close(out);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_LT(0, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(4, read(fds[0], text, sizeof(text)));
	EXPECT_EQ(0, read(fds[0], text, sizeof(text)));
	close(fds[0]);
}

static void count_strangers(int sig)
{
	(void)sig;
	if (getpid() != stage->seen[0])
		count_up(&stage->count);
}

/* What a scope begins with shares the memory, and must not run handlers in it. */
TEST_F(scope, handlers_run_in_no_other_process)
{
	struct sigaction action = { .sa_handler = count_strangers, .sa_flags = SA_RESTART };
	pid_t stormer, group = getpgrp();
	struct chan_scope *other;
	int i;

	stage->seen[0] = getpid();
	setpgid(0, 0);
	sigaction(SIGUSR1, &action, NULL);
	stormer = fork();
	if (!stormer) {
		signal(SIGUSR1, SIG_IGN);
		for (;;)
			kill(0, SIGUSR1);
	}
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, chan_scope_open(NULL, &other));
		ASSERT_EQ(0, chan_scope_close(other));
	}
	kill(stormer, SIGKILL);
	waitpid(stormer, NULL, 0);
	setpgid(0, group);
	EXPECT_EQ(0, stage->count);
}

static void *fork_often(void *arg)
{
	struct call *call = arg;
	int i;

	call->ret = 0;
	for (i = 0; i < 100; i++) {
		int status = -1;
		pid_t pid = fork();

		if (!pid)
			_exit(count_fds() == call->tid ? 0 : 1);
		waitpid(pid, &status, 0);
		if (status)
			call->ret = status;
	}
	return NULL;
}

/* Whatever the other threads are at, no file of a scope gets into a child. */
TEST_F(scope, forks_meanwhile)
{
	struct call call = { .tid = self->files };
	char **argv = WORDS("true");
	struct chan_scope *other;
	pid_t pid;
	int i;

	ASSERT_EQ(0, pthread_create(&call.thread, NULL, fork_often, &call));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, chan_scope_open(NULL, &other));
		pid = i % 5 ? chan_scope_spawn(other, succeed, NULL) :
			      chan_scope_spawn_command(other, argv, NULL, NULL, 0);
		ASSERT_LT(0, pid);
		ASSERT_EQ(0, chan_scope_wait(other, NULL));
		ASSERT_EQ(0, chan_scope_close(other));
	}
	EXPECT_EQ(0, join(&call));
}

/* --- Other processes --- */

/* In a forked child, which is not the owner. */
static long use_in_child(struct chan_scope *scope, struct chan_tx tx)
{
	struct chan_scope_info info;
	char **argv = WORDS("true");

	return CALL(chan_scope_spawn(scope, succeed, NULL)) == -EBADF &&
	       CALL(chan_scope_spawn_command(scope, argv, NULL, NULL, 0)) == -EBADF &&
	       CALL(chan_scope_wait(scope, NULL)) == -EBADF &&
	       CALL(chan_scope_cancel(scope, 0)) == -EBADF &&
	       CALL(chan_scope_set_signal(scope, SIGINT)) == -EBADF &&
	       CALL(chan_scope_fd(scope)) == -EBADF &&
	       CALL(chan_scope_adopt(scope, tx.fd)) == -EBADF &&
	       CALL(chan_scope_info(scope, &info, sizeof(info))) == -EBADF &&
	       CALL(chan_send(tx, "x", 1)) == -EACCES &&
	       CALL(chan_scope_close(scope)) == 0;
}

TEST_F(scope, stays_with_its_process)
{
	struct chan_tx tx;
	struct chan_rx rx;
	int status;
	pid_t pid;

	ASSERT_EQ(0, CALL(chan_scope_pair(self->scope, 1, 0, 0, &tx, &rx)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	pid = fork_child();
	if (!pid)
		_exit(use_in_child(self->scope, tx) ? 0 : 1);
	EXPECT_TRUE(ended(pid, &status));
	EXPECT_EQ(0, status);

	EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(self->scope).state);
	EXPECT_EQ(0, CALL(chan_send(tx, "x", 1)));
	let_go(0);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	chan_tx_release(&tx);
	chan_rx_release(&rx);
}

static int send_one(void *arg)
{
	struct chan_tx *tx = arg;

	return chan_send(*tx, "message", 7);
}

TEST_F(scope, children_use_its_channels)
{
	struct chan_tx tx;
	struct chan_rx rx;
	char buf[16];
	size_t len;

	ASSERT_EQ(0, CALL(chan_scope_pair(self->scope, 0, sizeof(buf), 0, &tx, &rx)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, send_one, &tx)));
	EXPECT_EQ(1, scope_info(self->scope).channels);
	EXPECT_EQ(1, CALL(chan_recv(rx, buf, sizeof(buf), &len)));
	EXPECT_EQ(7, len);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
	chan_tx_release(&tx);
	chan_rx_release(&rx);
}

TEST_F(scope, takes_a_named_channel_in)
{
	struct device dev;
	struct chan_rx rx;
	struct chan_tx tx;
	int status;
	pid_t pid;

	if (!is_root())
		SKIP(return, "needs root");
	ASSERT_EQ(0, device_add(&dev, 1, 64, 0600));
	ASSERT_EQ(0, chan_rx_open(dev.path, 0, &rx));
	EXPECT_EQ(-EBADF, CALL(chan_scope_adopt(self->scope, 999)));
	EXPECT_EQ(0, CALL(chan_scope_adopt(self->scope, rx.fd)));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_adopt(self->scope, rx.fd)));
	ASSERT_EQ(0, chan_tx_open(dev.path, 0, &tx));
	pid = fork_child();
	if (!pid)
		_exit(chan_send(tx, "x", 1) == -EACCES ? 0 : 1);
	EXPECT_TRUE(ended(pid, &status));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, chan_send(tx, "x", 1));
	EXPECT_EQ(0, CALL(chan_scope_close(self->scope)));
	self->scope = NULL;
	EXPECT_EQ(-ECANCELED, chan_send(tx, "x", 1));
	chan_tx_release(&tx);
	chan_rx_release(&rx);
	EXPECT_EQ(0, device_remove(&dev));
}

static void own_and_die(pid_t *pids)
{
	char **argv = WORDS("sleep", "1000");
	struct chan_scope *scope;

	if (chan_scope_open(NULL, &scope))
		_exit(1);
	pids[0] = chan_scope_spawn(scope, sit, NULL);
	pids[1] = chan_scope_spawn(scope, sit, NULL);
	pids[2] = chan_scope_spawn_command(scope, argv, NULL, NULL, 0);
	all_started(2);
	count_up(&stage->started);
	raise(SIGKILL);
}

TEST_F(scope, nobody_outlives_the_owner)
{
	pid_t *pids = shared(_metadata, 3 * sizeof(*pids));
	int status, i;
	pid_t pid;

	/* What the owner leaves behind is ours to wait for. */
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid = fork_child();
	if (!pid)
		own_and_die(pids);
	EXPECT_TRUE(ended(pid, &status));
	ASSERT_TRUE(WIFSIGNALED(status));
	for (i = 0; i < 3; i++) {
		ASSERT_LT(0, pids[i]);
		EXPECT_TRUE(ended(pids[i], &status));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(SIGTERM, WTERMSIG(status));
	}
	/* The anchor. */
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		;
}

static void leave_session(void)
{
	struct chan_scope *scope;
	char **argv = WORDS("true");
	bool good;

	if (chan_scope_open(NULL, &scope))
		_exit(1);
	setsid();
	good = CALL(chan_scope_spawn(scope, count_running, NULL)) == -EPERM &&
	       CALL(chan_scope_spawn_command(scope, argv, NULL, NULL, 0)) == -EPERM &&
	       CALL(chan_scope_close(scope)) == 0 && !has_children();
	_exit(good ? 0 : 1);
}

TEST_F(scope, owner_has_left_the_session)
{
	int status;
	pid_t pid = fork_child();

	if (!pid)
		leave_session();
	EXPECT_TRUE(ended(pid, &status));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, stage->count);
}

/* What cannot be watched is not let go. */
TEST_F(scope, no_file_is_left_for_a_child)
{
	char **argv = WORDS("true");
	struct rlimit limit, all;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &all));
	limit = all;
	limit.rlim_cur = count_fds();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(-EMFILE, CALL(chan_scope_spawn(self->scope, count_running, NULL)));
	EXPECT_EQ(-EMFILE, CALL(chan_scope_spawn_command(self->scope, argv, NULL, NULL, 0)));
	EXPECT_EQ(-EMFILE, CALL(chan_scope_fd(self->scope)));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &all));
	EXPECT_EQ(0, stage->count);
	EXPECT_EQ(-1, waitpid(-1, NULL, WNOHANG));
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

/* --- Scopes inside scopes --- */

static int open_inside(void *arg)
{
	struct chan_scope *inner;
	int ret;

	(void)arg;
	ret = chan_scope_open(NULL, &inner);
	if (ret)
		return ret;
	stage->seen[0] = scope_info(inner).parent;
	stage->seen[1] = scope_info(inner).id;
	ret = chan_scope_spawn(inner, fail_when_told, number(0));
	if (ret > 0)
		ret = chan_scope_spawn(inner, sit, NULL);
	if (ret > 0)
		ret = chan_scope_wait(inner, NULL);
	return chan_scope_close(inner) ?: ret;
}

TEST_F(scope, failure_goes_up)
{
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, open_inside, NULL)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	ASSERT_TRUE(all_started(3));
	EXPECT_EQ(scope_info(self->scope).id, stage->seen[0]);
	EXPECT_EQ(4, scope_info(self->scope).members);
	let_go(0);
	EXPECT_EQ(-EIO, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_EQ(0, self->first.number);
	EXPECT_EQ(0, scope_info(self->scope).members);
}

TEST_F(scope, cancel_goes_down)
{
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, open_inside, NULL)));
	ASSERT_TRUE(all_started(2));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, EPROTO)));
	EXPECT_EQ(-EPROTO, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_NO_CHILD(self->first);
	EXPECT_EQ(0, scope_info(self->scope).members);
}

/* Who cancelled whom does not matter to one who opens a scope afterwards. */
static int open_when_canceled(void *arg)
{
	struct chan_scope *inner;

	signal(SIGTERM, SIG_IGN);
	wait_to_go(arg);
	stage->seen[0] = chan_scope_open(NULL, &inner);
	return 0;
}

TEST_F(scope, none_is_opened_in_a_canceled_one)
{
	REOPEN(.grace = CHAN_SCOPE_GRACE_NEVER);
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, open_when_canceled, number(0))));
	ASSERT_TRUE(all_started(1));
	EXPECT_EQ(0, CALL(chan_scope_cancel(self->scope, EPROTO)));
	let_go(0);
	EXPECT_EQ(-EPROTO, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(-ECANCELED, stage->seen[0]);
	EXPECT_EQ(0, CALL(chan_scope_failures(self->scope, NULL, 0)));
}

/* --- Everybody waits for everybody --- */

/* The ends belong to all, so that nobody is told that there is no other side. */
struct deadlock {
	struct chan_tx tx;
	struct chan_rx rx;
};

static int receive_for_ever(void *arg)
{
	struct deadlock *deadlock = arg;
	size_t len;
	char c;
	int ret;

	signal(SIGTERM, SIG_IGN);
	ret = chan_recv(deadlock->rx, &c, 1, &len);
	return ret > 0 ? 0 : ret;
}

FIXTURE(deadlock)
{
	struct chan_scope *scope;
	struct chan_child first;
	struct deadlock channel;
	int files;
};

FIXTURE_SETUP(deadlock)
{
	struct chan_scope_options options = {
		.size = sizeof(options), .flags = CHAN_SCOPE_DETECT_DEADLOCK, .limit = 2,
		.grace = CHAN_SCOPE_GRACE_NEVER,
	};

	stage = shared(_metadata, sizeof(*stage));
	self->files = count_fds();
	ASSERT_EQ(0, CALL(chan_scope_open(&options, &self->scope)));
	ASSERT_EQ(0, CALL(chan_scope_pair(self->scope, 0, 0, 0, &self->channel.tx,
					  &self->channel.rx)));
}

FIXTURE_TEARDOWN(deadlock)
{
	chan_tx_release(&self->channel.tx);
	chan_rx_release(&self->channel.rx);
	chan_scope_close(self->scope);
	EXPECT_FALSE(has_children());
	EXPECT_EQ(self->files, count_fds());
}

TEST_F(deadlock, ends_the_wait)
{
	struct chan_child list[2];

	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, receive_for_ever, &self->channel)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, receive_for_ever, &self->channel)));
	EXPECT_EQ(-EDEADLK, CALL(chan_scope_wait(self->scope, &self->first)));
	EXPECT_NO_CHILD(self->first);
	EXPECT_EQ(2, CALL(chan_scope_failures(self->scope, list, 2)));
	EXPECT_EQ(CHAN_CHILD_FAILED, list[0].end);
	EXPECT_EQ(EDEADLK, list[0].status);
	EXPECT_EQ(EDEADLK, list[1].status);
}

TEST_F(deadlock, ends_the_wait_for_the_limit)
{
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, receive_for_ever, &self->channel)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, receive_for_ever, &self->channel)));
	EXPECT_EQ(-ECANCELED, CALL(chan_scope_spawn(self->scope, succeed, NULL)));
	EXPECT_EQ(-EDEADLK, CALL(chan_scope_wait(self->scope, NULL)));
}

TEST_F(deadlock, failure_still_cancels_the_rest)
{
	pid_t pid;
	int i;

	for (i = 0; i < 20; i++) {
		struct chan_scope_options options = {
			.size = sizeof(options), .flags = CHAN_SCOPE_DETECT_DEADLOCK,
			.grace = CHAN_SCOPE_GRACE_NEVER,
		};
		struct chan_scope *scope;

		ASSERT_EQ(0, CALL(chan_scope_open(&options, &scope)));
		ASSERT_LT(0, CALL(chan_scope_spawn(scope, sit, NULL)));
		pid = CALL(chan_scope_spawn(scope, return_arg, number(-EIO)));
		EXPECT_EQ(-EIO, CALL(chan_scope_wait(scope, &self->first)));
		EXPECT_CHILD(self->first, 1, pid, CHAN_CHILD_FAILED, EIO);
		EXPECT_EQ(-EIO, CALL(chan_scope_close(scope)));
	}
}

/* Its exit has been counted long before the tracer lets go. */
TEST_F(deadlock, failure_of_a_traced_child_still_cancels_the_rest)
{
	struct call call;
	pid_t pid, tracer;

	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, sit, NULL)));
	pid = CALL(chan_scope_spawn(self->scope, fail_when_told, number(0)));
	tracer = trace_to_its_end(_metadata, pid, true);
	start_call(_metadata, &call, self->scope, wait_call);
	let_go(TRACER);
	EXPECT_EQ(-EIO, join(&call));
	EXPECT_CHILD(call.first, 1, pid, CHAN_CHILD_FAILED, EIO);
	EXPECT_TRUE(has_succeeded(tracer));
}

/* The tracer is one who can act. */
TEST_F(deadlock, is_none_while_a_child_is_traced)
{
	pid_t pid, tracer;

	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, receive_for_ever, &self->channel)));
	pid = CALL(chan_scope_spawn(self->scope, wait_to_go, number(0)));
	tracer = trace_to_its_end(_metadata, pid, true);
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL,
						     chan_deadline(300 * CHAN_MILLISECOND))));
	EXPECT_EQ(0, scope_info(self->scope).cause);
	let_go(TRACER);
	EXPECT_EQ(-EDEADLK, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_TRUE(has_succeeded(tracer));
}

TEST_F(deadlock, is_none_while_one_can_go_on)
{
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, receive_for_ever, &self->channel)));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, wait_to_go, number(0))));
	ASSERT_TRUE(all_started(1));
	EXPECT_EQ(-EBUSY, CALL(chan_scope_wait_until(self->scope, NULL,
						     chan_deadline(300 * CHAN_MILLISECOND))));
	EXPECT_EQ(0, scope_info(self->scope).cause);
	EXPECT_EQ(0, CALL(chan_send(self->channel.tx, "x", 1)));
	let_go(0);
	EXPECT_EQ(0, CALL(chan_scope_wait(self->scope, NULL)));
}

/* The threads of the owner count. */
TEST_F(deadlock, threads_take_part)
{
	struct call calls[2] = { { .rx = self->channel.rx } };

	ASSERT_EQ(0, pthread_create(&calls[0].thread, NULL, recv_call, &calls[0]));
	ASSERT_LT(0, CALL(chan_scope_spawn(self->scope, receive_for_ever, &self->channel)));
	calls[1].scope = self->scope;
	ASSERT_EQ(0, pthread_create(&calls[1].thread, NULL, wait_call, &calls[1]));
	EXPECT_EQ(-EDEADLK, CALL(chan_scope_wait(self->scope, NULL)));
	EXPECT_EQ(-EDEADLK, join(&calls[0]));
	EXPECT_EQ(-EDEADLK, join(&calls[1]));
}

TEST_HARNESS_MAIN
