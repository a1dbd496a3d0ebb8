// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHAN_IOC_SELECT: files that are polled beside channels.
 */
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "select_test.h"

enum source_kind {
	SOCKET,
	PIPE,
	TIMER,
	PROCESS,
	EVENT,
	SIGNAL,
	EPOLL,
	TERMINAL,
	RECEIVE_END,
	SEND_END,
};

struct source {
	int fd;
	int other;
	int which;	/* the event that comes */
	pid_t pid;
};

FIXTURE(polled) {
	struct pair pair;
	struct pair idle;
	char room[ROOM];
};

FIXTURE_VARIANT(polled) {
	enum source_kind kind;
};

FIXTURE_VARIANT_ADD(polled, socket) {
	.kind = SOCKET,
};

FIXTURE_VARIANT_ADD(polled, pipe) {
	.kind = PIPE,
};

FIXTURE_VARIANT_ADD(polled, timerfd) {
	.kind = TIMER,
};

FIXTURE_VARIANT_ADD(polled, pidfd) {
	.kind = PROCESS,
};

FIXTURE_VARIANT_ADD(polled, eventfd) {
	.kind = EVENT,
};

FIXTURE_VARIANT_ADD(polled, signalfd) {
	.kind = SIGNAL,
};

FIXTURE_VARIANT_ADD(polled, epoll) {
	.kind = EPOLL,
};

FIXTURE_VARIANT_ADD(polled, terminal) {
	.kind = TERMINAL,
};

FIXTURE_VARIANT_ADD(polled, receive_end) {
	.kind = RECEIVE_END,
};

FIXTURE_VARIANT_ADD(polled, send_end) {
	.kind = SEND_END,
};

FIXTURE_SETUP(polled)
{
	make_pair(_metadata, &self->pair, 1, 0);
	make_pair(_metadata, &self->idle, 0, 0);
}

FIXTURE_TEARDOWN(polled)
{
	close_pair(&self->pair);
	close_pair(&self->idle);
}

static void open_pair_of(struct __test_metadata *_metadata, struct source *source,
			 enum source_kind kind)
{
	int fd[2];

	if (kind == SOCKET) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd));
	} else if (kind == PIPE) {
		ASSERT_EQ(0, pipe2(fd, O_CLOEXEC));
	} else {
		fd[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
		ASSERT_LE(0, fd[0]);
		ASSERT_EQ(0, grantpt(fd[0]));
		ASSERT_EQ(0, unlockpt(fd[0]));
		fd[1] = open(ptsname(fd[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
		ASSERT_LE(0, fd[1]);
	}
	source->fd = fd[0];
	source->other = fd[1];
}

static void open_signals(struct source *source)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	source->fd = signalfd(-1, &set, SFD_CLOEXEC);
}

static void open_process(struct __test_metadata *_metadata, struct source *source)
{
	source->pid = fork_child();
	ASSERT_LE(0, source->pid);
	if (!source->pid) {
		for (;;)
			pause();
	}
	source->fd = syscall(SYS_pidfd_open, source->pid, 0);
}

static void open_epoll(struct source *source)
{
	struct epoll_event event = { .events = EPOLLIN };

	source->other = eventfd(0, EFD_CLOEXEC);
	source->fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(source->fd, EPOLL_CTL_ADD, source->other, &event);
}

/* Something to poll, on which nothing has come yet. */
static void open_source(struct __test_metadata *_metadata, FIXTURE_DATA(polled) * self,
			struct source *source, enum source_kind kind)
{
	*source = (struct source){ .fd = -1, .other = -1, .which = POLLIN };
	switch (kind) {
	case TIMER:
		source->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
		break;
	case PROCESS:
		open_process(_metadata, source);
		break;
	case EVENT:
		source->fd = eventfd(0, EFD_CLOEXEC);
		break;
	case SIGNAL:
		open_signals(source);
		break;
	case EPOLL:
		open_epoll(source);
		break;
	case RECEIVE_END:
		source->fd = dup(self->pair.recv);
		source->other = dup(self->pair.send);
		break;
	case SEND_END:
		ASSERT_EQ(4, put(self->pair.send, "full"));
		source->fd = dup(self->pair.send);
		source->other = dup(self->pair.recv);
		source->which = POLLOUT;
		break;
	default:
		open_pair_of(_metadata, source, kind);
	}
	ASSERT_LE(0, source->fd);
}

/* Make what is waited for come; @pid is the process that waits. */
static void trigger(struct source *source, enum source_kind kind, pid_t pid)
{
	struct itimerspec soon = { .it_value.tv_nsec = 1 };
	__u64 one = 1;
	char byte;

	switch (kind) {
	case TIMER:
		timerfd_settime(source->fd, 0, &soon, NULL);
		break;
	case PROCESS:
		kill(source->pid, SIGKILL);
		break;
	case EVENT:
		do_write(source->fd, &one, sizeof(one));
		break;
	case EPOLL:
		do_write(source->other, &one, sizeof(one));
		break;
	case SIGNAL:
		kill(pid, SIGUSR1);
		break;
	case RECEIVE_END:
		put(source->other, "x");
		break;
	case SEND_END:
		while (try_read(source->other, &byte, 1) == -EMSGSIZE)
			got(source->other, "full");
		break;
	default:
		do_write(source->other, "x\n", 2);
	}
}

static void close_source(FIXTURE_DATA(polled) * self, struct source *source)
{
	char room[ROOM];

	if (source->pid) {
		kill(source->pid, SIGKILL);
		waitpid(source->pid, NULL, 0);
	}
	close(source->fd);
	if (source->other >= 0)
		close(source->other);
	while (try_read(self->pair.recv, room, sizeof(room)) > 0)
		;
}

TEST_F(polled, wakes_one_that_waits)
{
	struct select_op *op;
	struct source source;
	int in_thread;

	for (in_thread = 1; in_thread >= 0; in_thread--) {
		open_source(_metadata, self, &source, variant->kind);
		op = new_select(_metadata, self->idle.recv, 3, ROOM);
		add_recv(op, self->idle.recv);
		add_poll(op, source.fd, source.which);
		add_text(op, self->idle.send, "x");
		park_select(_metadata, op, in_thread ? IN_THREAD : 0);
		EXPECT_TRUE(parked_are(self->idle.recv, 1, 1));
		trigger(&source, variant->kind, process_of(op));
		EXPECT_TRUE(chose(op, 1, 0));
		EXPECT_EQ(source.which, op->cases[1].events);
		EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
		close_source(self, &source);
	}
}

TEST_F(polled, ready_at_once)
{
	struct chan_case cases[3];
	struct pollfd pfd;
	struct source source;

	open_source(_metadata, self, &source, variant->kind);
	cases[0] = case_recv(self->idle.recv, self->room, ROOM);
	cases[1] = case_poll(source.fd, source.which);
	cases[2] = case_text(self->idle.send, "x");
	EXPECT_EQ(-EAGAIN, try_select(self->idle.recv, cases, 3));
	EXPECT_EQ(-ETIMEDOUT, do_select(self->idle.recv, cases, 3, in_ms(10)));
	trigger(&source, variant->kind, getpid());
	pfd = (struct pollfd){ .fd = source.fd, .events = source.which };
	ASSERT_EQ(1, poll(&pfd, 1, DEADLINE_MS));
	EXPECT_EQ(1, try_select(self->idle.recv, cases, 3));
	EXPECT_EQ(source.which, cases[1].events);
	/* It is not consumed. */
	cases[1].events = source.which;
	EXPECT_EQ(1, do_select(self->idle.recv, cases, 3, CHAN_SELECT_FOREVER));
	EXPECT_EQ(source.which, cases[1].events);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	close_source(self, &source);
}

/* A loser of the choice; what comes there later is left for others. */
TEST_F(polled, a_channel_was_first)
{
	struct pollfd pfd;
	struct select_op *op;
	struct source source;
	int in_thread;

	for (in_thread = 0; in_thread < 2; in_thread++) {
		open_source(_metadata, self, &source, variant->kind);
		op = new_select(_metadata, self->idle.recv, 2, ROOM);
		add_poll(op, source.fd, source.which);
		add_recv(op, self->idle.recv);
		park_select(_metadata, op, in_thread ? IN_THREAD : 0);
		EXPECT_EQ(5, put(self->idle.send, "hello"));
		EXPECT_TRUE(chose_text(op, 1, "hello"));
		trigger(&source, variant->kind, getpid());
		pfd = (struct pollfd){ .fd = source.fd, .events = source.which };
		EXPECT_EQ(1, poll(&pfd, 1, DEADLINE_MS));
		close_source(self, &source);
		while (variant->kind == SIGNAL) {
			struct timespec none = { .tv_sec = 0 };
			sigset_t set;

			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			if (sigtimedwait(&set, NULL, &none) < 0)
				break;
		}
	}
}

TEST_F(polled, one_of_several_that_are_polled)
{
	struct select_op *op = new_select(_metadata, self->idle.recv, 4, ROOM);
	struct source source;
	int idle_event = eventfd(0, EFD_CLOEXEC);

	open_source(_metadata, self, &source, variant->kind);
	add_poll(op, idle_event, POLLIN);
	add_poll(op, source.fd, POLLPRI);
	add_poll(op, source.fd, source.which | POLLPRI);
	add_poll(op, idle_event, POLLIN | POLLPRI);
	park_select(_metadata, op, 0);
	trigger(&source, variant->kind, op->pid);
	EXPECT_TRUE(chose(op, 2, 0));
	EXPECT_EQ(source.which, op->cases[2].events);
	close_source(self, &source);
	close(idle_event);
}

/* --- Whatever it is --- */

FIXTURE(polling) {
	struct pair queue;	/* with room for eight */
	struct pair idle;
	struct pair other;
	char room[ROOM];
};

FIXTURE_SETUP(polling)
{
	make_pair(_metadata, &self->queue, 8, 0);
	make_pair(_metadata, &self->idle, 0, 0);
	make_pair(_metadata, &self->other, 0, 0);
}

FIXTURE_TEARDOWN(polling)
{
	close_pair(&self->queue);
	close_pair(&self->idle);
	close_pair(&self->other);
}

/* The scope is never ready yet, but it can be waited for. */
TEST_F(polling, a_scope_can_be_polled)
{
	struct select_op *op = new_select(_metadata, self->idle.recv, 2, ROOM);
	int scope = open(CONTROL, O_RDWR | O_CLOEXEC);
	struct chan_case one = case_poll(scope, POLLIN | POLLOUT);

	ASSERT_LE(0, scope);
	EXPECT_EQ(-EAGAIN, try_select(scope, &one, 1));
	EXPECT_EQ(-ETIMEDOUT, do_select(scope, &one, 1, in_ms(10)));
	add_poll(op, scope, POLLIN);
	add_recv(op, self->queue.recv);
	park_select(_metadata, op, 0);
	EXPECT_EQ(5, put(self->queue.send, "hello"));
	EXPECT_TRUE(chose_text(op, 1, "hello"));
	close(scope);
}

/* POLLHUP and POLLERR come without being asked for. */
TEST_F(polling, hangup_and_error_are_always_polled)
{
	struct select_op *op[3];
	int reader[2], writer[2], sv[2], i;
	struct chan_case one;

	ASSERT_EQ(0, pipe2(reader, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(writer, O_CLOEXEC));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	for (i = 0; i < 3; i++)
		op[i] = new_select(_metadata, self->idle.recv, 2, 0);
	add_poll(op[0], reader[0], 0);
	add_poll(op[1], writer[1], 0);
	add_poll(op[2], sv[0], POLLIN);
	one = case_poll(reader[0], 0);
	EXPECT_EQ(-EAGAIN, try_select(self->idle.recv, &one, 1));
	for (i = 0; i < 3; i++)
		park_select(_metadata, op[i], 0);
	close(reader[1]);
	close(writer[0]);
	close(sv[1]);
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(chose(op[i], 0, 0));
	EXPECT_EQ(POLLHUP, op[0]->cases[0].events);
	EXPECT_EQ(POLLERR, op[1]->cases[0].events);
	EXPECT_EQ(POLLIN | POLLHUP, op[2]->cases[0].events);
}

/* Being woken for something else is no reason to return. */
TEST_F(polling, events_that_were_not_asked_for)
{
	struct select_op *op;
	int sv[2], in_thread;

	for (in_thread = 0; in_thread < 2; in_thread++) {
		op = new_select(_metadata, self->idle.recv, 2, ROOM);
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
		add_poll(op, sv[0], POLLPRI);
		add_recv(op, self->idle.recv);
		park_select(_metadata, op, in_thread ? IN_THREAD : 0);
		ASSERT_EQ(1, do_write(sv[1], "x", 1));
		EXPECT_TRUE(wait_until(put(self->idle.send, "hello") == 5));
		EXPECT_TRUE(chose_text(op, 1, "hello"));
		close(sv[0]);
		close(sv[1]);
	}
}

/* An end may be polled beside cases that use it or its channel. */
TEST_F(polling, an_end_is_polled_and_used)
{
	struct select_op *op = new_select(_metadata, self->idle.recv, 3, ROOM);
	struct chan_case cases[2] = {
		case_poll(self->queue.recv, POLLIN),
		case_recv(self->queue.recv, self->room, ROOM),
	};
	struct chan_select arg = select_of(cases, 2, 0);

	EXPECT_EQ(-EAGAIN, try_select(self->idle.recv, cases, 2));
	ASSERT_EQ(3, put(self->queue.send, "one"));
	arg.flags = CHAN_SELECT_PRIORITY;
	ASSERT_EQ(0, do_ioctl(self->idle.recv, CHAN_IOC_SELECT, &arg));
	EXPECT_EQ(0, arg.index);
	EXPECT_EQ(POLLIN, cases[0].events);
	EXPECT_EQ(0, info(self->queue.recv).received);
	EXPECT_TRUE(got(self->queue.recv, "one"));
	add_poll(op, self->queue.recv, POLLIN);
	add_poll(op, self->idle.send, POLLOUT);
	park_select(_metadata, op, 0);
	/* A poll is no receiver, so nobody is met on the unbuffered one. */
	EXPECT_EQ(-EAGAIN, put(self->idle.send, "x"));
	ASSERT_EQ(3, put(self->queue.send, "two"));
	EXPECT_TRUE(chose(op, 0, 0));
	EXPECT_EQ(POLLIN, op->cases[0].events);
	EXPECT_TRUE(got(self->queue.recv, "two"));
}

/* A parked select is a partner for those who poll, as a parked read() is. */
TEST_F(polling, a_parked_select_is_seen_by_pollers)
{
	struct pollfd pfd = { .fd = self->idle.send, .events = POLLOUT };
	struct select_op *poller = new_select(_metadata, self->idle.send, 1, 0);
	struct select_op *op = new_select(_metadata, self->idle.recv, 2, ROOM);

	add_poll(poller, self->idle.send, POLLOUT);
	park_select(_metadata, poller, 0);
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	add_recv(op, self->idle.recv);
	add_recv(op, self->queue.recv);
	park_select(_metadata, op, IN_THREAD);
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_TRUE(chose(poller, 0, 0));
	EXPECT_EQ(POLLOUT, poller->cases[0].events);
	EXPECT_EQ(1, put(self->queue.send, "x"));
	EXPECT_TRUE(chose(op, 1, 0));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
}

#define RESTLESS	1000
#define FOR_MS		3000

/* Park over and over, and leave at once. */
static void be_restless(int fd)
{
	struct chan_case one;
	char room[ROOM];

	for (;;) {
		one = case_recv(fd, room, ROOM);
		do_select(fd, &one, 1, 1);
	}
}

/* Park for a moment, now and then. */
static void come_and_go(int fd)
{
	struct timespec pause = { .tv_nsec = NS_PER_MS / 2 };
	struct chan_case one;

	for (;;) {
		one = case_text(fd, "x");
		do_select(fd, &one, 1, in_ms(0) + NS_PER_MS / 5);
		nanosleep(&pause, NULL);
	}
}

/*
 * A look at so many cases on a channel that never rests does not come to an end, and
 * the file behind them was not taken, because of the sender that was there for a
 * moment: it is ready all the same.
 */
TEST_F(polling, a_ready_file_behind_a_restless_channel)
{
	struct chan_case cases[RESTLESS + 2];
	struct chan_select arg = select_of(cases, RESTLESS + 2, 0);
	int event = eventfd(1, EFD_CLOEXEC), j;
	__u64 end = in_ms(FOR_MS);
	pid_t restless, sender;

	ASSERT_LE(0, event);
	restless = fork_child();
	if (!restless)
		be_restless(self->idle.recv);
	sender = fork_child();
	if (!sender)
		come_and_go(self->other.send);
	arg.flags = CHAN_SELECT_PRIORITY;
	while (in_ms(0) < end) {
		for (j = 0; j < RESTLESS; j++)
			cases[j] = case_recv(self->idle.recv, self->room, ROOM);
		cases[j++] = case_recv(self->other.recv, self->room, ROOM);
		cases[j] = case_poll(event, POLLIN);
		EXPECT_EQ(0, do_ioctl(self->idle.recv, CHAN_IOC_SELECT, &arg));
		EXPECT_LE(RESTLESS, arg.index);
	}
	kill(restless, SIGKILL);
	kill(sender, SIGKILL);
	waitpid(restless, NULL, 0);
	waitpid(sender, NULL, 0);
	close(event);
}

TEST_HARNESS_MAIN
