// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may use the channels of a scope: every way that a file can take, for
 * everybody who can have it, with every operation there is.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "ring_test.h"
#include "scope_test.h"

/* The channels here buffer that many messages, and have that many in line. */
#define CAPACITY	4
#define IN_LINE		2

/* --- Operations: 0 if it happened, or a negative error number --- */

/* What an operation returns that neither happened nor was refused. */
#define ODD(n)		(-3000000L - (n))
/* What it returns on a machine that lacks it. */
#define NOT_THERE	1

static long moved(long ret, long expected)
{
	if (ret == expected)
		return 0;
	return ret < 0 ? ret : ODD(ret);
}

static long op_write(int fd)
{
	return moved(try_write(fd, "x", 1), 1);
}

static long op_read(int fd)
{
	char data[ROOM];

	return moved(try_read(fd, data, sizeof(data)), 1);
}

static long op_writev(int fd)
{
	struct iovec iov[2] = { { "", 0 }, { "x", 1 } };

	return moved(result(writev(fd, iov, 2)), 1);
}

static long op_readv(int fd)
{
	char data[2];
	struct iovec iov[2] = { { data, 1 }, { data + 1, 1 } };

	return moved(result(readv(fd, iov, 2)), 1);
}

static long op_pwritev2(int fd)
{
	struct iovec iov = { "x", 1 };

	return moved(result(pwritev2(fd, &iov, 1, -1, RWF_NOWAIT)), 1);
}

static long op_preadv2(int fd)
{
	char data[ROOM];
	struct iovec iov = { data, sizeof(data) };

	return moved(result(preadv2(fd, &iov, 1, -1, RWF_NOWAIT)), 1);
}

static long op_info(int fd)
{
	struct chan_info now;

	return do_ioctl(fd, CHAN_IOC_INFO, &now);
}

/* Several cases, of which the one before the last is the one in question. */
static long op_cases(int fd, struct chan_case one, __u32 before)
{
	struct chan_case cases[4];
	struct chan_select arg;
	__u32 index, i;
	long ret;

	for (i = 0; i < before; i++) {
		cases[i] = case_disabled();
		if (i & 1)
			cases[i] = case_poll(served, POLLIN);
	}
	cases[i++] = one;
	if (before)
		cases[i++] = case_disabled();
	arg = select_of(cases, i, 0);
	ret = failing_index(fd, &arg, &index);
	if (index != before)
		return ODD(index);
	return ret ? ret : cases[before].status;
}

static long op_select_send(int fd)
{
	return op_cases(fd, case_text(fd, "x"), 0);
}

static long op_select_recv(int fd)
{
	char data[ROOM];

	return op_cases(fd, case_recv(fd, data, sizeof(data)), 0);
}

static long op_many_send(int fd)
{
	return op_cases(fd, case_text(fd, "x"), 2);
}

static long op_many_recv(int fd)
{
	char data[ROOM];

	return op_cases(fd, case_recv(fd, data, sizeof(data)), 2);
}

/* By io_uring, at once or in a worker. */
static long in_ring(int fd, __u8 opcode, __u8 flags)
{
	char data[ROOM] = "x";
	struct ring ring;
	__u64 whose;
	long ret;

	if (!ring_init(&ring))
		return NOT_THERE;
	ret = ring_submit_how(&ring, opcode, flags, fd, data, 1, 1);
	if (ret == 1)
		ret = ring_wait(&ring, &whose);
	ring_exit(&ring);
	return moved(ret, 1);
}

static long op_ring_write(int fd)
{
	return in_ring(fd, IORING_OP_WRITE, 0);
}

static long op_ring_read(int fd)
{
	return in_ring(fd, IORING_OP_READ, 0);
}

static long op_worker_write(int fd)
{
	return in_ring(fd, IORING_OP_WRITE, IOSQE_ASYNC);
}

static long op_worker_read(int fd)
{
	return in_ring(fd, IORING_OP_READ, IOSQE_ASYNC);
}

/* For polling, who is kept out finds the file ready, and in error. */
static long polled(long events, long wanted)
{
	if (!(events & wanted) || events & (POLLHUP | POLLNVAL))
		return ODD(events);
	return events & POLLERR ? -EACCES : 0;
}

static long op_poll_send(int fd)
{
	return polled(poll_events(fd, POLLOUT), POLLOUT);
}

static long op_poll_recv(int fd)
{
	return polled(poll_events(fd, POLLIN), POLLIN);
}

static long by_epoll(int fd, __u32 events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	long ret;

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	ret = epoll_wait(epoll, &event, 1, 0);
	close(epoll);
	return ret == 1 ? polled(event.events, events) : ODD(ret);
}

static long op_epoll_send(int fd)
{
	return by_epoll(fd, POLLOUT);
}

static long op_epoll_recv(int fd)
{
	return by_epoll(fd, POLLIN);
}

static long by_case(int fd, __u32 events)
{
	struct chan_case one = case_poll(fd, events);
	long ret = try_case(&one);

	return ret ? ret : polled(one.events, events);
}

static long op_case_send(int fd)
{
	return by_case(fd, POLLOUT);
}

static long op_case_recv(int fd)
{
	return by_case(fd, POLLIN);
}

/* In turn, so that the number of messages in line stays between two and three. */
static const struct operation {
	const char *name;
	long (*on_send)(int fd);
	long (*on_recv)(int fd);
} operations[] = {
	{ "write, read", op_write, op_read },
	{ "writev, readv", op_writev, op_readv },
	{ "pwritev2, preadv2", op_pwritev2, op_preadv2 },
	{ "CHAN_IOC_INFO", op_info, op_info },
	{ "select of one", op_select_send, op_select_recv },
	{ "select of many", op_many_send, op_many_recv },
	{ "io_uring", op_ring_write, op_ring_read },
	{ "io_uring, in a worker", op_worker_write, op_worker_read },
	{ "poll", op_poll_send, op_poll_recv },
	{ "epoll", op_epoll_send, op_epoll_recv },
	{ "CHAN_POLL", op_case_send, op_case_recv },
};

static bool op_is(const char *name, const char *direction, long ret, long expected)
{
	if (ret == expected || ret == NOT_THERE)
		return true;
	fprintf(stderr, "# %s, %s: %ld instead of %ld\n", name, direction, ret, expected);
	return false;
}

/* All of them; @more is the send end, @value what each is to return. */
static long act_operate(struct act *act)
{
	long failures = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(operations); i++) {
		failures += !op_is(operations[i].name, "sending",
				   operations[i].on_send(act->more), act->value);
		failures += !op_is(operations[i].name, "receiving",
				   operations[i].on_recv(act->fd), act->value);
	}
	return failures;
}

static bool all_return(struct actor *actor, struct pair ends, long expected)
{
	struct act act = act_on(ends.recv);
	long failures;

	act.more = ends.send;
	act.value = expected;
	failures = ask(actor, &act, act_operate);
	if (failures)
		fprintf(stderr, "# pid %d: %ld that are not so\n", actor->pid, failures);
	return !failures;
}

#define may_use(actor, ends)	all_return(actor, ends, 0)
#define is_kept_out(actor, ends) all_return(actor, ends, -EACCES)

static long act_end_channel(struct act *act)
{
	return end_channel(act->fd, act->value);
}

static long end_as(struct actor *actor, int send)
{
	return ask_on(actor, send, act_end_channel);
}

/* --- Ways of a file --- */

struct way {
	bool named;	/* a channel that was adopted, not an anonymous one */
	bool opens;	/* a file of its own, which is for those who may use it */
	bool inherited;	/* an actor has the ends from its start */
	/* The number in the actor of the end @fd of the test, that is open for @flags */
	int (*travel)(struct actor *actor, int fd, int flags);
	bool exec;
};

static long act_dup(struct act *act)
{
	int fd = fcntl(act->fd, F_DUPFD_CLOEXEC, 100);

	close(act->fd);
	return result(fd);
}

static int by_dup(struct actor *actor, int fd, int flags)
{
	(void)flags;
	return ask_on(actor, fd, act_dup);
}

static int by_socket(struct actor *actor, int fd, int flags)
{
	(void)flags;
	return give(actor, fd);
}

static long act_getfd(struct act *act)
{
	int pidfd = syscall(SYS_pidfd_open, act->value, 0);
	long fd = result(syscall(SYS_pidfd_getfd, pidfd, act->fd, 0));

	close(pidfd);
	return fd;
}

static int by_pidfd(struct actor *actor, int fd, int flags)
{
	struct act act = act_on(fd);

	(void)flags;
	act.value = getpid();
	return ask(actor, &act, act_getfd);
}

static long act_open(struct act *act)
{
	return result(open(act->data, act->value | O_CLOEXEC));
}

static int open_as(struct actor *actor, const char *path, int flags)
{
	struct act act = act_text(-1, path);

	act.value = flags;
	return ask(actor, &act, act_open);
}

static int by_proc(struct actor *actor, int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	return open_as(actor, path, flags);
}

/* The path of the only device here. */
static int by_path(struct actor *actor, int fd, int flags)
{
	char path[64];

	(void)fd;
	snprintf(path, sizeof(path), "/dev/chan-test-%d", getpid());
	return open_as(actor, path, flags);
}

static long act_inherit(struct act *act)
{
	int fd;

	(void)act;
	for (fd = 3; fd < 64; fd++)
		fcntl(fd, F_SETFD, 0);
	return 0;
}

/* With all the files that it has. */
static bool restart(struct actor *actor)
{
	return !ask_on(actor, -1, act_inherit) && exec_as(actor, "/proc/self/exe");
}

/* --- Everybody who can have it --- */

FIXTURE(access) {
	int ctl;
	struct device dev;
	struct pair pair;
	/* In the group from first to last. */
	struct actor anchor;
};

FIXTURE_VARIANT(access) {
	struct way way;
};

FIXTURE_VARIANT_ADD(access, fork) {
	.way = { .inherited = true },
};

FIXTURE_VARIANT_ADD(access, dup) {
	.way = { .inherited = true, .travel = by_dup },
};

FIXTURE_VARIANT_ADD(access, exec) {
	.way = { .inherited = true, .exec = true },
};

FIXTURE_VARIANT_ADD(access, socket) {
	.way = { .travel = by_socket },
};

FIXTURE_VARIANT_ADD(access, pidfd) {
	.way = { .travel = by_pidfd },
};

FIXTURE_VARIANT_ADD(access, adopted_fork) {
	.way = { .named = true, .inherited = true },
};

FIXTURE_VARIANT_ADD(access, adopted_socket) {
	.way = { .named = true, .travel = by_socket },
};

FIXTURE_VARIANT_ADD(access, adopted_proc) {
	.way = { .named = true, .opens = true, .travel = by_proc },
};

FIXTURE_VARIANT_ADD(access, adopted_path) {
	.way = { .named = true, .opens = true, .travel = by_path },
};

FIXTURE_VARIANT_ADD(access, adopted_path_exec) {
	.way = { .named = true, .opens = true, .travel = by_path, .exec = true },
};

/* One file on it is all there may be until it is adopted. */
static struct pair adopt_device(struct __test_metadata *_metadata, struct device *dev, int ctl)
{
	struct pair pair = { .send = device_open(dev, O_WRONLY) };

	ASSERT_LE(0, pair.send);
	ASSERT_EQ(0, adopt(ctl, pair.send));
	pair.recv = device_open(dev, O_RDONLY);
	ASSERT_LE(0, pair.recv);
	return pair;
}

static void put_in_line(struct __test_metadata *_metadata, int send)
{
	int i;

	for (i = 0; i < IN_LINE; i++)
		ASSERT_EQ(1, put(send, "x"));
}

FIXTURE_SETUP(access)
{
	if (!is_root())
		SKIP(return, "devices and other users take root");
	self->ctl = open_scope(_metadata);
	if (variant->way.named) {
		ASSERT_EQ(0, device_add(&self->dev, CAPACITY, 0, 0666));
		self->pair = adopt_device(_metadata, &self->dev, self->ctl);
	} else {
		self->pair = pair_on(_metadata, self->ctl, CAPACITY);
	}
	put_in_line(_metadata, self->pair.send);
	self->anchor = start_actor(_metadata, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_scope(self->ctl, self->anchor.pid));
}

FIXTURE_TEARDOWN(access)
{
	kill_actor(&self->anchor);
	if (variant->way.named)
		device_remove(&self->dev);
}

/* An actor that has the ends if it is to inherit them, and @ctl if that is 0 or more. */
static struct actor start_with(struct __test_metadata *_metadata, const struct way *way,
			       struct pair pair, pid_t group, int ctl)
{
	int fds[4] = { -1, -1, -1, -1 }, n = 0;

	if (way->inherited) {
		fds[n++] = pair.send;
		fds[n++] = pair.recv;
	}
	if (ctl >= 0)
		fds[n++] = ctl;
	return start_actor(_metadata, group, fds);
}

/* One that is kept out is refused a file of its own, and has to be given one. */
static int travels(struct __test_metadata *_metadata, const struct way *way,
		   struct actor *actor, int fd, int flags, bool outside)
{
	int there = way->travel(actor, fd, flags);

	if (way->opens && outside) {
		EXPECT_EQ(-EACCES, there);
		there = give(actor, fd);
	}
	ASSERT_LE(0, there);
	return there;
}

/* Its ends, having come the way of the variant. */
static struct pair ends_of(struct __test_metadata *_metadata, const struct way *way,
			   struct actor *actor, struct pair pair, bool outside)
{
	struct pair ends = pair;

	if (way->travel) {
		ends.send = travels(_metadata, way, actor, pair.send, O_WRONLY, outside);
		ends.recv = travels(_metadata, way, actor, pair.recv, O_RDONLY, outside);
	}
	if (way->exec)
		ASSERT_TRUE(restart(actor));
	return ends;
}

#define start_in(group, ctl) \
	start_with(_metadata, &variant->way, self->pair, group, ctl)
#define its_ends(actor)	\
	ends_of(_metadata, &variant->way, actor, self->pair, false)
#define ends_outside(actor)	\
	ends_of(_metadata, &variant->way, actor, self->pair, true)

TEST_F(access, a_member)
{
	struct actor actor = start_in(self->anchor.pid, -1);
	struct pair ends = its_ends(&actor);

	EXPECT_TRUE(may_use(&actor, ends));
	EXPECT_EQ(0, end_as(&actor, ends.send));
	EXPECT_EQ(CHAN_STATE_CLOSED, info(self->pair.send).state);
}

TEST_F(access, a_member_that_is_another_user)
{
	struct actor actor = start_in(self->anchor.pid, -1);
	struct pair ends = its_ends(&actor);

	ASSERT_EQ(0, become_as(&actor, NOBODY));
	EXPECT_TRUE(may_use(&actor, ends));
	EXPECT_EQ(0, end_as(&actor, ends.send));
}

TEST_F(access, a_grandchild_of_a_member)
{
	struct actor actor = start_in(self->anchor.pid, -1), child, grandchild;
	struct pair ends = its_ends(&actor);

	child = start_below(_metadata, &actor, SAME_GROUP, keep(ends.send, ends.recv));
	grandchild = start_below(_metadata, &child, SAME_GROUP, keep(ends.send, ends.recv));
	EXPECT_TRUE(may_use(&grandchild, ends));
	EXPECT_EQ(0, end_as(&grandchild, ends.send));
}

TEST_F(access, a_member_of_an_inner_scope)
{
	int inner = open_scope_as(&self->anchor);
	struct actor actor = start_in(NEW_GROUP, -1);
	struct pair ends = ends_outside(&actor);

	ASSERT_LE(0, inner);
	EXPECT_TRUE(is_kept_out(&actor, ends));
	/* It belongs there, though its opener is elsewhere and it is no child of his. */
	inner = take(&self->anchor, inner);
	ASSERT_EQ(0, bind_scope(inner, actor.pid));
	EXPECT_TRUE(may_use(&actor, ends));
	EXPECT_EQ(0, end_as(&actor, ends.send));
	close(inner);
}

TEST_F(access, an_owner)
{
	struct actor actor = start_in(NEW_GROUP, self->ctl);
	struct pair ends = its_ends(&actor);

	EXPECT_TRUE(may_use(&actor, ends));
	EXPECT_EQ(0, end_as(&actor, ends.send));
}

TEST_F(access, an_owner_that_lets_go_of_the_scope)
{
	struct actor actor = start_in(NEW_GROUP, self->ctl);
	struct pair ends = its_ends(&actor);

	EXPECT_TRUE(may_use(&actor, ends));
	ASSERT_EQ(0, close_as(&actor, self->ctl));
	EXPECT_TRUE(is_kept_out(&actor, ends));
	EXPECT_EQ(-EACCES, end_as(&actor, ends.send));
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.send).state);
}

/* The second descriptor of it is as good as the first. */
TEST_F(access, an_owner_that_lets_go_of_one_of_two)
{
	struct actor actor = start_in(NEW_GROUP, self->ctl);
	struct pair ends = its_ends(&actor);
	int second = give(&actor, self->ctl);

	ASSERT_EQ(0, close_as(&actor, self->ctl));
	EXPECT_TRUE(may_use(&actor, ends));
	ASSERT_EQ(0, close_as(&actor, second));
	EXPECT_TRUE(is_kept_out(&actor, ends));
}

TEST_F(access, who_gets_the_scope_over_a_socket)
{
	struct actor actor = start_in(NEW_GROUP, -1);
	struct pair ends = ends_outside(&actor);
	int ctl;

	EXPECT_TRUE(is_kept_out(&actor, ends));
	ctl = give(&actor, self->ctl);
	ASSERT_LE(0, ctl);
	EXPECT_TRUE(may_use(&actor, ends));
	ASSERT_EQ(0, close_as(&actor, ctl));
	EXPECT_TRUE(is_kept_out(&actor, ends));
}

TEST_F(access, a_stranger)
{
	struct actor actor = start_in(NEW_GROUP, -1);
	struct pair ends = ends_outside(&actor);

	EXPECT_TRUE(is_kept_out(&actor, ends));
	EXPECT_EQ(-EACCES, end_as(&actor, ends.send));
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.send).state);
	EXPECT_EQ(IN_LINE, info(self->pair.send).buffered);
}

/* Owners are processes, not groups. */
TEST_F(access, who_shares_a_group_with_an_owner)
{
	struct actor actor = start_in(SAME_GROUP, -1);
	struct pair ends = ends_outside(&actor);

	EXPECT_TRUE(is_kept_out(&actor, ends));
	EXPECT_EQ(-EACCES, end_as(&actor, ends.send));
}

/* Another scope's file is not this one's. */
TEST_F(access, an_owner_of_another_scope)
{
	int other = open_scope(_metadata);
	struct actor actor = start_in(NEW_GROUP, other);
	struct pair ends = ends_outside(&actor);

	EXPECT_TRUE(is_kept_out(&actor, ends));
}

TEST_F(access, who_leaves_by_setsid)
{
	struct actor actor = start_in(self->anchor.pid, -1);
	struct pair ends = its_ends(&actor);

	EXPECT_TRUE(may_use(&actor, ends));
	ASSERT_LE(0, setsid_as(&actor));
	EXPECT_TRUE(is_kept_out(&actor, ends));
	EXPECT_EQ(-EACCES, end_as(&actor, ends.send));
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.send).state);
}

TEST_F(access, who_leaves_by_setpgid_and_comes_back)
{
	struct actor actor = start_in(self->anchor.pid, -1);
	struct pair ends = its_ends(&actor);

	EXPECT_TRUE(may_use(&actor, ends));
	ASSERT_EQ(0, setpgid_as(&actor, NEW_GROUP));
	EXPECT_TRUE(is_kept_out(&actor, ends));
	ASSERT_EQ(0, setpgid_as(&actor, getpgrp()));
	EXPECT_TRUE(is_kept_out(&actor, ends));
	EXPECT_EQ(-EACCES, end_as(&actor, ends.send));
	ASSERT_EQ(0, setpgid_as(&actor, self->anchor.pid));
	EXPECT_TRUE(may_use(&actor, ends));
}

/* What was a member goes on in its child, in the group that it was born in. */
TEST_F(access, a_child_of_who_has_left)
{
	struct actor actor = start_in(self->anchor.pid, -1), before, after;
	struct pair ends = its_ends(&actor);

	before = start_below(_metadata, &actor, SAME_GROUP, keep(ends.send, ends.recv));
	ASSERT_EQ(0, setpgid_as(&actor, NEW_GROUP));
	after = start_below(_metadata, &actor, SAME_GROUP, keep(ends.send, ends.recv));
	EXPECT_TRUE(may_use(&before, ends));
	EXPECT_TRUE(is_kept_out(&after, ends));
}

TEST_F(access, a_member_of_a_sibling_scope)
{
	struct actor actor = start_in(NEW_GROUP, -1);
	struct pair ends = ends_outside(&actor);
	int sibling = open_scope(_metadata);

	ASSERT_EQ(0, bind_scope(sibling, actor.pid));
	EXPECT_TRUE(is_kept_out(&actor, ends));
	EXPECT_EQ(-EACCES, end_as(&actor, ends.send));
}

/* With nobody left in it the scope is still one, and not everybody's. */
TEST_F(access, when_all_members_have_left)
{
	struct actor stranger = start_in(NEW_GROUP, -1);
	struct actor owner = start_in(NEW_GROUP, self->ctl);
	struct pair ends = ends_outside(&stranger);

	ASSERT_TRUE(stop_actor(&self->anchor));
	ASSERT_EQ(0, wait_scope(self->ctl, 0, NULL));
	EXPECT_TRUE(is_kept_out(&stranger, ends));
	EXPECT_TRUE(may_use(&owner, its_ends(&owner)));
}

/* --- Ways to stop being an owner --- */

static long act_dup_over(struct act *act)
{
	return result(dup2(STDERR_FILENO, act->fd)) < 0 ? -errno : 0;
}

static long act_close_range(struct act *act)
{
	return result(syscall(SYS_close_range, act->fd, act->fd, 0));
}

/* The ends go along, the scope is close-on-exec. */
static long act_inherit_ends(struct act *act)
{
	act_inherit(act);
	return result(fcntl(act->fd, F_SETFD, FD_CLOEXEC));
}

FIXTURE(losing) {
	int ctl;
	struct pair pair;
	struct actor anchor;
	struct actor owner;
};

FIXTURE_VARIANT(losing) {
	act_fn lose;
	bool exec;
};

FIXTURE_VARIANT_ADD(losing, close) {
	.lose = act_close,
};

FIXTURE_VARIANT_ADD(losing, dup2) {
	.lose = act_dup_over,
};

FIXTURE_VARIANT_ADD(losing, close_range) {
	.lose = act_close_range,
};

FIXTURE_VARIANT_ADD(losing, exec) {
	.lose = act_inherit_ends,
	.exec = true,
};

FIXTURE_SETUP(losing)
{
	self->ctl = open_scope(_metadata);
	self->pair = pair_on(_metadata, self->ctl, CAPACITY);
	put_in_line(_metadata, self->pair.send);
	self->anchor = start_actor(_metadata, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_scope(self->ctl, self->anchor.pid));
	self->owner = start_actor(_metadata, NEW_GROUP,
				  keep(self->ctl, self->pair.send, self->pair.recv));
}

FIXTURE_TEARDOWN(losing)
{
	kill_actor(&self->owner);
	kill_actor(&self->anchor);
}

TEST_F(losing, the_only_descriptor)
{
	EXPECT_TRUE(may_use(&self->owner, self->pair));
	EXPECT_EQ(0, ask_on(&self->owner, self->ctl, variant->lose));
	if (variant->exec)
		ASSERT_TRUE(exec_as(&self->owner, "/proc/self/exe"));
	EXPECT_TRUE(is_kept_out(&self->owner, self->pair));
}

/* The table of descriptors that it shares is as good as one of its own. */
static long act_fork_sharing(struct act *act)
{
	pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid)
		return result(pid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (setpgid(0, 0))
		_exit(1);
	serve(act->fd);
	return 0;
}

TEST_F(losing, the_descriptor_that_another_process_shares)
{
	struct actor other = start_by(_metadata, &self->owner, act_fork_sharing,
				      NEW_GROUP, keep_none);

	EXPECT_TRUE(may_use(&other, self->pair));
	EXPECT_TRUE(may_use(&self->owner, self->pair));
	EXPECT_EQ(0, ask_on(&other, self->ctl, variant->lose));
	if (!variant->exec) {
		EXPECT_TRUE(is_kept_out(&self->owner, self->pair));
		EXPECT_TRUE(is_kept_out(&other, self->pair));
		return;
	}
	/* A program that starts anew has a copy of its own. */
	ASSERT_TRUE(exec_as(&other, "/proc/self/exe"));
	EXPECT_TRUE(is_kept_out(&other, self->pair));
	EXPECT_TRUE(may_use(&self->owner, self->pair));
}

/* --- What being kept out looks like --- */

FIXTURE(kept_out) {
	int ctl;
	struct pair pair;
	struct actor member;
	struct actor stranger;
};

FIXTURE_VARIANT(kept_out) {
	__u32 capacity;
};

FIXTURE_VARIANT_ADD(kept_out, unbuffered) {
	.capacity = 0,
};

FIXTURE_VARIANT_ADD(kept_out, buffered) {
	.capacity = 1,
};

FIXTURE_SETUP(kept_out)
{
	self->ctl = open_scope(_metadata);
	self->pair = pair_on(_metadata, self->ctl, variant->capacity);
	self->member = start_actor(_metadata, NEW_GROUP, keep(self->pair.send, self->pair.recv));
	self->stranger = start_actor(_metadata, NEW_GROUP,
				     keep(self->pair.send, self->pair.recv));
	ASSERT_EQ(0, set_scope(self->ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	ASSERT_EQ(0, bind_scope(self->ctl, self->member.pid));
}

FIXTURE_TEARDOWN(kept_out)
{
	kill_actor(&self->member);
	kill_actor(&self->stranger);
	close_pair(&self->pair);
	close(self->ctl);
}

/* Where others would wait. */
TEST_F(kept_out, does_not_wait)
{
	start_read_as(&self->stranger, self->pair.recv);
	EXPECT_EQ(-EACCES, finish_as(&self->stranger));
	if (variant->capacity)
		ASSERT_EQ(1, put(self->pair.send, "x"));
	start_write_as(&self->stranger, self->pair.send, "hello");
	EXPECT_EQ(-EACCES, finish_as(&self->stranger));
	EXPECT_TRUE(parked_are(self->pair.send, 0, 0));
	EXPECT_EQ(variant->capacity, info(self->pair.send).buffered);
}

static long act_select_for_ever(struct act *act)
{
	char data[ROOM];
	struct chan_case one = case_recv(act->fd, data, sizeof(data));

	return do_select(act->fd, &one, 1, FOREVER);
}

TEST_F(kept_out, does_not_wait_in_a_select)
{
	EXPECT_EQ(-EACCES, ask_on(&self->stranger, self->pair.recv, act_select_for_ever));
	EXPECT_TRUE(parked_are(self->pair.send, 0, 0));
}

/* Being ready does not depend on the channel. */
TEST_F(kept_out, finds_it_ready)
{
	struct pair ends = self->pair;

	EXPECT_EQ(0, poll_events(ends.recv, POLLIN));
	EXPECT_EQ(-EACCES, ask_on(&self->stranger, ends.recv, act_select_for_ever));
	EXPECT_TRUE(is_kept_out(&self->stranger, ends));
	if (variant->capacity)
		ASSERT_EQ(1, put(self->pair.send, "x"));
	EXPECT_EQ(0, poll_events(ends.send, POLLOUT));
	EXPECT_TRUE(is_kept_out(&self->stranger, ends));
}

/* Whom it meets is not disturbed. */
TEST_F(kept_out, meets_nobody)
{
	long sleeps;

	start_read_as(&self->member, self->pair.recv);
	ASSERT_TRUE(wait_parked(self->pair.send, 0, 1));
	sleeps = sleeps_of(self->member.pid);
	EXPECT_EQ(-EACCES, put_as(&self->stranger, self->pair.send, "x"));
	EXPECT_TRUE(is_kept_out(&self->stranger, self->pair));
	EXPECT_TRUE(undisturbed(self->member.pid, sleeps));
	EXPECT_EQ(5, put(self->pair.send, "hello"));
	EXPECT_TRUE(finish_text_as(&self->member, "hello"));
}

static long act_write_long(struct act *act)
{
	static char message[CHAN_DEFAULT_MAX_MSG + 1];

	return do_write(act->fd, message, sizeof(message));
}

static long act_write_nothing(struct act *act)
{
	return do_write(act->fd, "", 0);
}

/* Memory that is there for nobody. */
static void *nowhere(void)
{
	return mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static long act_write_nowhere(struct act *act)
{
	return do_write(act->fd, nowhere(), 4);
}

static long act_read_nowhere(struct act *act)
{
	return try_read(act->fd, nowhere(), 4);
}

static long act_select_long(struct act *act)
{
	struct chan_case one = case_send(act->fd, nowhere(), CHAN_DEFAULT_MAX_MSG + 1);

	return try_case(&one);
}

TEST_F(kept_out, is_told_before_all_else)
{
	struct actor *stranger = &self->stranger;
	struct pair ends = self->pair;

	EXPECT_EQ(-EACCES, ask_on(stranger, ends.send, act_write_long));
	EXPECT_EQ(-EMSGSIZE, ask_on(&self->member, ends.send, act_write_long));
	EXPECT_EQ(-EACCES, ask_on(stranger, ends.send, act_write_nothing));
	EXPECT_EQ(0, ask_on(&self->member, ends.send, act_write_nothing));
	EXPECT_EQ(-EACCES, ask_on(stranger, ends.send, act_write_nowhere));
	EXPECT_EQ(-EACCES, ask_on(stranger, ends.recv, act_read_nowhere));
	EXPECT_EQ(-EACCES, ask_on(stranger, ends.send, act_select_long));
}

/* How the channel fares is not its business. */
TEST_F(kept_out, from_a_channel_that_has_ended)
{
	ASSERT_EQ(0, end_channel(self->pair.send, EIO));
	EXPECT_EQ(-EIO, get_as(&self->member, self->pair.recv));
	EXPECT_EQ(-EACCES, get_as(&self->stranger, self->pair.recv));
	EXPECT_EQ(-EACCES, put_as(&self->stranger, self->pair.send, "x"));
	EXPECT_EQ(-EACCES, end_as(&self->stranger, self->pair.send));
}

TEST_F(kept_out, from_a_channel_that_is_canceled)
{
	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(-ECANCELED, get_as(&self->member, self->pair.recv));
	EXPECT_EQ(-EACCES, get_as(&self->stranger, self->pair.recv));
	EXPECT_EQ(-EACCES, put_as(&self->stranger, self->pair.send, "x"));
	EXPECT_EQ(-EACCES, end_as(&self->stranger, self->pair.send));
}

/* What one had before that is not taken along. */
TEST_F(kept_out, from_a_select_that_could_do_something_else)
{
	struct chan_case cases[3];
	struct chan_select arg;
	struct pair other;
	char data[ROOM];
	__u32 index;
	int ctl;

	/* This process is kept out itself, once the scope's file is gone. */
	make_pair(_metadata, &other, 1, 0);
	ASSERT_EQ(5, put(other.send, "other"));
	ctl = give(&self->member, self->ctl);
	ASSERT_LE(0, ctl);
	close(self->ctl);
	cases[0] = case_recv(other.recv, data, sizeof(data));
	cases[1] = case_text(self->pair.send, "x");
	cases[2] = case_recv(self->pair.recv, data, sizeof(data));
	arg = select_of(cases, 3, 0);
	EXPECT_EQ(-EACCES, failing_index(other.recv, &arg, &index));
	EXPECT_EQ(1, index);
	EXPECT_EQ(0, info(other.send).received);
	EXPECT_TRUE(got(other.recv, "other"));
}

/* An edge is told once, and then the next. */
static long act_wait_for_edges(struct act *act)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	long ret;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, act->fd, &event))
		return -errno;
	if (epoll_wait(epoll, &event, 1, 0) != 1 || !(event.events & EPOLLERR))
		return ODD(event.events);
	ret = result(epoll_wait(epoll, &event, 1, -1));
	act->more = event.events;
	close(epoll);
	return ret;
}

/* Who began to look at it outside is told what happens when it is inside. */
TEST_F(kept_out, until_it_is_let_in)
{
	struct act act = act_on(self->pair.recv);

	if (!variant->capacity)
		return;
	ASSERT_TRUE(wait_until(call_of(self->stranger.pid) >= 0));
	act.value = call_of(self->stranger.pid);
	tell(&self->stranger, &act, act_wait_for_edges);
	ASSERT_TRUE(wait_until(call_of(self->stranger.pid) >= 0 &&
			       call_of(self->stranger.pid) != act.value));
	ASSERT_EQ(0, setpgid(self->stranger.pid, self->member.pid));
	EXPECT_EQ(1, put(self->pair.send, "x"));
	EXPECT_EQ(1, answer(&self->stranger, &act));
	EXPECT_EQ(EPOLLIN, act.more & (EPOLLIN | EPOLLERR));
	EXPECT_TRUE(got_as(&self->stranger, self->pair.recv, "x"));
}

/* It is in the middle of an operation when it leaves: that is one of a member. */
TEST_F(kept_out, but_not_in_the_middle)
{
	start_read_as(&self->member, self->pair.recv);
	ASSERT_TRUE(wait_parked(self->pair.send, 0, 1));
	ASSERT_EQ(0, setpgid(self->member.pid, getpgrp()));
	EXPECT_FALSE(has_answered(&self->member));
	EXPECT_TRUE(parked_are(self->pair.send, 0, 1));
	EXPECT_EQ(5, put(self->pair.send, "hello"));
	EXPECT_TRUE(finish_text_as(&self->member, "hello"));
	EXPECT_EQ(-EACCES, get_as(&self->member, self->pair.recv));
}

/* --- Scopes that are not bound --- */

static struct pair pair_in_line(struct __test_metadata *_metadata, int ctl)
{
	struct pair pair = pair_on(_metadata, ctl, CAPACITY);

	put_in_line(_metadata, pair.send);
	return pair;
}

TEST(an_unbound_scope_keeps_nobody_out)
{
	int ctl = open_scope(_metadata);
	struct pair pair = pair_in_line(_metadata, ctl);
	struct actor other = start_actor(_metadata, SAME_GROUP, keep(pair.send, pair.recv));
	struct actor user = start_actor(_metadata, NEW_GROUP, keep(pair.send, pair.recv));
	struct actor member = start_actor(_metadata, NEW_GROUP, keep_none);

	ASSERT_EQ(other.pid, setsid_as(&other));
	EXPECT_TRUE(may_use(&other, pair));
	ASSERT_EQ(0, become_as(&user, NOBODY));
	EXPECT_TRUE(may_use(&user, pair));
	/* That begins with the bind. */
	ASSERT_EQ(0, bind_scope(ctl, member.pid));
	EXPECT_TRUE(is_kept_out(&other, pair));
	EXPECT_TRUE(is_kept_out(&user, pair));
}

TEST(a_scope_that_ends_unbound_keeps_nobody_out)
{
	int ctl = open_scope(_metadata);
	struct pair pair = pair_in_line(_metadata, ctl);
	struct actor other = start_actor(_metadata, NEW_GROUP, keep(pair.send, pair.recv));

	close(ctl);
	EXPECT_TRUE(may_use(&other, pair));
	EXPECT_EQ(CHAN_STATE_OPEN, info(pair.send).state);
}

/* --- Nesting --- */

/*
 * The outer scope, its member, and a scope that this has opened; a channel of
 * either with its ends in everybody.
 */
FIXTURE(nested) {
	int outer;
	int inner;
	struct pair in_outer;
	struct pair in_inner;
	struct actor member;
	struct actor inside;
};

FIXTURE_SETUP(nested)
{
	int ctl;

	self->outer = open_scope(_metadata);
	self->member = start_actor(_metadata, NEW_GROUP, keep_none);
	ASSERT_EQ(0, bind_scope(self->outer, self->member.pid));
	ctl = open_scope_as(&self->member);
	self->inner = take(&self->member, ctl);
	ASSERT_LE(0, self->inner);
	ASSERT_EQ(0, close_as(&self->member, ctl));
	self->in_outer = pair_in_line(_metadata, self->outer);
	self->in_inner = pair_in_line(_metadata, self->inner);
	self->inside = start_actor(_metadata, NEW_GROUP,
				   keep(self->in_outer.send, self->in_outer.recv,
					self->in_inner.send, self->in_inner.recv));
}

FIXTURE_TEARDOWN(nested)
{
	kill_actor(&self->inside);
	kill_actor(&self->member);
}

/* The same channel in the hands of @actor. */
static struct pair given(struct __test_metadata *_metadata, struct actor *actor,
			 struct pair pair)
{
	struct pair ends = { give(actor, pair.send), give(actor, pair.recv) };

	ASSERT_LE(0, ends.send);
	ASSERT_LE(0, ends.recv);
	return ends;
}

TEST_F(nested, who_is_inside_may_use_both)
{
	ASSERT_EQ(0, bind_scope(self->inner, self->inside.pid));
	EXPECT_TRUE(may_use(&self->inside, self->in_inner));
	EXPECT_TRUE(may_use(&self->inside, self->in_outer));
}

TEST_F(nested, a_member_of_the_outer_may_not_use_the_inner)
{
	struct pair ends = given(_metadata, &self->member, self->in_inner);

	ASSERT_EQ(0, bind_scope(self->inner, self->inside.pid));
	EXPECT_TRUE(is_kept_out(&self->member, ends));
	EXPECT_TRUE(may_use(&self->member,
			    given(_metadata, &self->member, self->in_outer)));
}

TEST_F(nested, an_owner_of_the_outer_does_not_own_the_inner)
{
	struct actor owner = start_actor(_metadata, NEW_GROUP,
					 keep(self->outer,
					      self->in_outer.send, self->in_outer.recv,
					      self->in_inner.send, self->in_inner.recv));

	ASSERT_EQ(0, bind_scope(self->inner, self->inside.pid));
	EXPECT_TRUE(may_use(&owner, self->in_outer));
	EXPECT_TRUE(is_kept_out(&owner, self->in_inner));
}

TEST_F(nested, an_owner_of_the_inner_does_not_own_the_outer)
{
	struct actor owner = start_actor(_metadata, NEW_GROUP,
					 keep(self->inner,
					      self->in_outer.send, self->in_outer.recv,
					      self->in_inner.send, self->in_inner.recv));

	ASSERT_EQ(0, bind_scope(self->inner, self->inside.pid));
	EXPECT_TRUE(is_kept_out(&owner, self->in_outer));
	EXPECT_TRUE(may_use(&owner, self->in_inner));
}

/* As long as it is not bound, it is but a part of the outer one. */
TEST_F(nested, an_unbound_one_is_as_its_parent)
{
	struct pair ends = given(_metadata, &self->member, self->in_inner);
	struct actor owner = start_actor(_metadata, NEW_GROUP,
					 keep(self->inner, self->in_inner.send,
					      self->in_inner.recv));

	EXPECT_TRUE(may_use(&self->member, ends));
	EXPECT_TRUE(is_kept_out(&self->inside, self->in_inner));
	EXPECT_TRUE(may_use(&owner, self->in_inner));
	ASSERT_EQ(0, bind_scope(self->inner, self->inside.pid));
	EXPECT_TRUE(is_kept_out(&self->member, ends));
	EXPECT_TRUE(may_use(&self->inside, self->in_inner));
	EXPECT_TRUE(may_use(&owner, self->in_inner));
}

TEST_F(nested, an_owner_of_the_outer_may_use_an_unbound_inner)
{
	struct actor owner = start_actor(_metadata, NEW_GROUP,
					 keep(self->outer, self->in_inner.send,
					      self->in_inner.recv));

	EXPECT_TRUE(may_use(&owner, self->in_inner));
}

/* For a channel that it adopts the same holds. */
TEST_F(nested, an_unbound_one_that_adopts)
{
	struct actor owner = start_actor(_metadata, NEW_GROUP, keep(self->inner));
	struct actor stranger = start_actor(_metadata, NEW_GROUP, keep_none);
	struct device dev;
	struct pair pair;

	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&dev, CAPACITY, 0, 0666));
	pair = adopt_device(_metadata, &dev, self->inner);
	put_in_line(_metadata, pair.send);
	EXPECT_TRUE(may_use(&self->member, given(_metadata, &self->member, pair)));
	EXPECT_TRUE(may_use(&owner, given(_metadata, &owner, pair)));
	EXPECT_TRUE(is_kept_out(&stranger, given(_metadata, &stranger, pair)));
	EXPECT_EQ(0, device_remove(&dev));
}

/* From the inner to the outer group, and back: one has what is there. */
TEST_F(nested, who_moves_from_one_to_the_other)
{
	ASSERT_EQ(0, bind_scope(self->inner, self->inside.pid));
	ASSERT_EQ(0, setpgid_as(&self->inside, self->member.pid));
	EXPECT_TRUE(may_use(&self->inside, self->in_outer));
	EXPECT_TRUE(is_kept_out(&self->inside, self->in_inner));
}

/* --- Adopting --- */

FIXTURE(adopted) {
	int ctl;
	struct device dev;
	struct actor member;
	struct actor stranger;
};

FIXTURE_SETUP(adopted)
{
	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&self->dev, CAPACITY, 0, 0666));
	self->ctl = open_scope(_metadata);
	self->member = start_actor(_metadata, NEW_GROUP, keep_none);
	self->stranger = start_actor(_metadata, NEW_GROUP, keep_none);
	ASSERT_EQ(0, set_scope(self->ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	ASSERT_EQ(0, bind_scope(self->ctl, self->member.pid));
}

FIXTURE_TEARDOWN(adopted)
{
	kill_actor(&self->member);
	kill_actor(&self->stranger);
	device_remove(&self->dev);
}

/* Two files of its own on the device. */
static struct pair opened_by(struct __test_metadata *_metadata, struct actor *actor,
			     struct device *dev)
{
	struct pair ends = {
		.send = open_as(actor, dev->path, O_WRONLY),
		.recv = open_as(actor, dev->path, O_RDONLY),
	};

	ASSERT_LE(0, ends.send);
	ASSERT_LE(0, ends.recv);
	return ends;
}

static void closed_by(struct actor *actor, struct pair ends)
{
	close_as(actor, ends.send);
	close_as(actor, ends.recv);
}

TEST_F(adopted, what_is_none)
{
	struct pair pair = pair_on(_metadata, self->ctl, 0);
	int other = open_scope(_metadata), event = eventfd(0, EFD_CLOEXEC);

	EXPECT_EQ(-EBADF, adopt(self->ctl, -1));
	EXPECT_EQ(-EBADF, adopt(self->ctl, 999));
	EXPECT_EQ(-EINVAL, adopt(self->ctl, pair.send));
	EXPECT_EQ(-EINVAL, adopt(self->ctl, pair.recv));
	EXPECT_EQ(-EINVAL, adopt(self->ctl, event));
	EXPECT_EQ(-EINVAL, adopt(self->ctl, other));
	EXPECT_EQ(-EINVAL, adopt(self->ctl, self->ctl));
	EXPECT_EQ(1, scope_info(self->ctl).channels);
}

TEST_F(adopted, a_file_that_is_only_a_path)
{
	int fd = device_open(&self->dev, O_PATH);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, adopt(self->ctl, fd));
}

TEST_F(adopted, one_that_somebody_else_has_open)
{
	int fd = device_open(&self->dev, O_RDWR), other = device_open(&self->dev, O_RDONLY);

	EXPECT_EQ(-EBUSY, adopt(self->ctl, fd));
	close(other);
	EXPECT_EQ(0, adopt(self->ctl, fd));
}

/* Another descriptor is not another file. */
TEST_F(adopted, one_with_two_descriptors)
{
	int fd = device_open(&self->dev, O_RDWR), copy = dup(fd);

	EXPECT_EQ(0, adopt(self->ctl, fd));
	EXPECT_EQ(-EBUSY, adopt(self->ctl, copy));
}

TEST_F(adopted, one_with_a_message_in_it)
{
	int fd = device_open(&self->dev, O_RDWR);

	ASSERT_EQ(1, put(fd, "x"));
	EXPECT_EQ(-EBUSY, adopt(self->ctl, fd));
	EXPECT_TRUE(got(fd, "x"));
	EXPECT_EQ(0, adopt(self->ctl, fd));
}

TEST_F(adopted, one_in_which_somebody_is_parked)
{
	int fd = device_open(&self->dev, O_RDWR), i;
	struct op *op;

	for (i = 0; i < CAPACITY; i++)
		ASSERT_EQ(1, put(fd, "x"));
	op = park_text(_metadata, fd, "y");
	EXPECT_EQ(-EBUSY, adopt(self->ctl, fd));
	for (i = 0; i < CAPACITY; i++)
		ASSERT_TRUE(got(fd, "x"));
	EXPECT_EQ(1, finish(op));
}

/* It has no file but the one that is adopted. */
TEST_F(adopted, one_in_which_somebody_waits_for_a_message)
{
	int fd = device_open(&self->dev, O_RDWR);
	struct op *op = park_recv(_metadata, fd, 8);

	EXPECT_EQ(-EBUSY, adopt(self->ctl, fd));
	EXPECT_EQ(1, put(fd, "x"));
	EXPECT_TRUE(finish_text(op, "x"));
	EXPECT_EQ(0, adopt(self->ctl, fd));
}

TEST_F(adopted, one_that_is_in_a_scope)
{
	int fd = device_open(&self->dev, O_RDWR), other = open_scope(_metadata);

	EXPECT_EQ(0, adopt(self->ctl, fd));
	EXPECT_EQ(-EBUSY, adopt(self->ctl, fd));
	EXPECT_EQ(-EBUSY, adopt(other, fd));
	EXPECT_EQ(1, scope_info(self->ctl).channels);
	EXPECT_EQ(0, scope_info(other).channels);
}

TEST_F(adopted, by_a_canceled_scope)
{
	int fd = device_open(&self->dev, O_RDWR);

	ASSERT_EQ(0, cancel_scope(self->ctl, 0));
	EXPECT_EQ(-ECANCELED, adopt(self->ctl, fd));
	EXPECT_EQ(1, put(fd, "x"));
	EXPECT_TRUE(got(fd, "x"));
}

TEST_F(adopted, one_that_was_removed)
{
	int fd = device_open(&self->dev, O_RDWR);

	ASSERT_EQ(0, device_remove(&self->dev));
	EXPECT_EQ(-ENODEV, adopt(self->ctl, fd));
	EXPECT_EQ(0, scope_info(self->ctl).channels);
}

TEST_F(adopted, a_numbered_one)
{
	int fd = open("/dev/chan0", O_RDWR | O_CLOEXEC), there;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, adopt(self->ctl, fd));
	there = give(&self->stranger, fd);
	EXPECT_EQ(-EACCES, put_as(&self->stranger, there, "x"));
	there = give(&self->member, fd);
	EXPECT_EQ(-EAGAIN, put_as(&self->member, there, "x"));
}

/* Whatever the mode of the node; and there is no trace of who has tried. */
TEST_F(adopted, is_not_opened_by_strangers)
{
	struct pair ends, pair = adopt_device(_metadata, &self->dev, self->ctl);
	__u64 id = info(pair.send).id;

	put_in_line(_metadata, pair.send);
	EXPECT_EQ(-EACCES, open_as(&self->stranger, self->dev.path, O_WRONLY));
	EXPECT_EQ(-EACCES, open_as(&self->stranger, self->dev.path, O_RDONLY));
	EXPECT_EQ(-EACCES, open_as(&self->stranger, self->dev.path, O_RDWR | O_NONBLOCK));
	EXPECT_EQ(1, info(pair.send).send_ends);
	EXPECT_EQ(1, info(pair.send).recv_ends);
	EXPECT_TRUE(is_kept_out(&self->stranger, given(_metadata, &self->stranger, pair)));
	ends = opened_by(_metadata, &self->member, &self->dev);
	EXPECT_TRUE(may_use(&self->member, ends));
	EXPECT_EQ(id, info(pair.send).id);
}

/* That nobody has it open does not give it back. */
TEST_F(adopted, stays_so_while_nobody_has_it_open)
{
	int fd = device_open(&self->dev, O_RDWR);

	ASSERT_EQ(0, adopt(self->ctl, fd));
	close(fd);
	EXPECT_EQ(1, scope_info(self->ctl).channels);
	EXPECT_EQ(-EACCES, open_as(&self->stranger, self->dev.path, O_WRONLY));
	fd = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(-EBUSY, adopt(self->ctl, fd));
	EXPECT_EQ(1, put(fd, "x"));
}

/* It ended, all let go of it, and it is new: in the same scope. */
TEST_F(adopted, stays_so_when_it_starts_anew)
{
	struct pair pair = adopt_device(_metadata, &self->dev, self->ctl);
	__u64 id = info(pair.send).id;

	ASSERT_EQ(0, end_channel(pair.send, EIO));
	close_pair(&pair);
	pair.send = device_open(&self->dev, O_WRONLY);
	pair.recv = device_open(&self->dev, O_RDONLY);
	EXPECT_EQ(CHAN_STATE_OPEN, info(pair.send).state);
	EXPECT_NE(id, info(pair.send).id);
	EXPECT_EQ(-EACCES, open_as(&self->stranger, self->dev.path, O_WRONLY));
	put_in_line(_metadata, pair.send);
	EXPECT_TRUE(is_kept_out(&self->stranger, given(_metadata, &self->stranger, pair)));
	EXPECT_EQ(1, scope_info(self->ctl).channels);
}

TEST_F(adopted, is_canceled_with_the_scope)
{
	struct pair ends, pair = adopt_device(_metadata, &self->dev, self->ctl);

	ends = opened_by(_metadata, &self->member, &self->dev);
	start_read_as(&self->member, ends.recv);
	ASSERT_TRUE(wait_parked(pair.send, 0, 1));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(-ECANCELED, finish_as(&self->member));
	EXPECT_EQ(-ECANCELED, put_as(&self->member, ends.send, "x"));
	EXPECT_EQ(CHAN_STATE_CANCELED, info(pair.send).state);
	/* New files on it are on the same, as long as the scope is there. */
	closed_by(&self->member, ends);
	close_pair(&pair);
	ends = opened_by(_metadata, &self->member, &self->dev);
	EXPECT_EQ(-ECANCELED, put_as(&self->member, ends.send, "x"));
	EXPECT_EQ(-ECANCELED, get_as(&self->member, ends.recv));
}

/* Everybody can open and use it again, when all have let go of it. */
static void returned(struct __test_metadata *_metadata, struct device *dev,
		     struct actor *stranger)
{
	struct pair ends = opened_by(_metadata, stranger, dev);

	ASSERT_EQ(1, put_as(stranger, ends.send, "x"));
	ASSERT_EQ(1, put_as(stranger, ends.send, "x"));
	EXPECT_TRUE(may_use(stranger, ends));
	closed_by(stranger, ends);
}

TEST_F(adopted, returns_when_the_scope_ends)
{
	struct pair pair = adopt_device(_metadata, &self->dev, self->ctl);

	ASSERT_TRUE(stop_actor(&self->member));
	close_pair(&pair);
	close(self->ctl);
	returned(_metadata, &self->dev, &self->stranger);
}

TEST_F(adopted, returns_when_a_canceled_scope_ends)
{
	struct pair pair = adopt_device(_metadata, &self->dev, self->ctl);

	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	close_pair(&pair);
	ASSERT_TRUE(stop_actor(&self->member));
	close(self->ctl);
	returned(_metadata, &self->dev, &self->stranger);
}

TEST_F(adopted, returns_when_an_unbound_scope_ends)
{
	int ctl = open_scope(_metadata), fd = device_open(&self->dev, O_RDWR);

	ASSERT_EQ(0, adopt(ctl, fd));
	close(ctl);
	close(fd);
	returned(_metadata, &self->dev, &self->stranger);
}

/* What is open still is the old one, which was of the scope. */
TEST_F(adopted, is_of_no_use_until_all_have_let_go)
{
	struct pair ends, pair = adopt_device(_metadata, &self->dev, self->ctl);
	long ret;

	put_in_line(_metadata, pair.send);
	ASSERT_TRUE(stop_actor(&self->member));
	close(self->ctl);
	ret = put(pair.send, "x");
	EXPECT_TRUE(ret == -ECANCELED || ret == -EACCES);
	ends = opened_by(_metadata, &self->stranger, &self->dev);
	ret = get_as(&self->stranger, ends.recv);
	EXPECT_TRUE(ret == -ECANCELED || ret == -EACCES);
	closed_by(&self->stranger, ends);
	close_pair(&pair);
	returned(_metadata, &self->dev, &self->stranger);
}

static bool is_back(struct actor *stranger, struct device *dev)
{
	int fd = open_as(stranger, dev->path, O_RDONLY);
	long ret = get_as(stranger, fd);

	close_as(stranger, fd);
	return ret == -EAGAIN;
}

/* The scope's file has gone, but not its members; nobody waits for them. */
TEST_F(adopted, returns_when_the_last_member_has_left)
{
	struct pair ends, pair = adopt_device(_metadata, &self->dev, self->ctl);

	close_pair(&pair);
	close(self->ctl);
	ends = opened_by(_metadata, &self->member, &self->dev);
	EXPECT_EQ(-ECANCELED, put_as(&self->member, ends.send, "x"));
	ASSERT_TRUE(stop_actor(&self->member));
	EXPECT_TRUE(wait_until(is_back(&self->stranger, &self->dev)));
	returned(_metadata, &self->dev, &self->stranger);
}

TEST_F(adopted, can_be_adopted_again)
{
	int fd = device_open(&self->dev, O_RDWR), other = open_scope(_metadata);

	ASSERT_EQ(0, adopt(self->ctl, fd));
	ASSERT_TRUE(stop_actor(&self->member));
	close(fd);
	close(self->ctl);
	fd = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(0, adopt(other, fd));
	EXPECT_EQ(1, put(fd, "x"));
	EXPECT_EQ(1, scope_info(other).channels);
}

TEST_F(adopted, can_be_removed)
{
	struct pair ends, own, pair = adopt_device(_metadata, &self->dev, self->ctl);

	own = opened_by(_metadata, &self->member, &self->dev);
	ends = given(_metadata, &self->stranger, pair);
	start_read_as(&self->member, own.recv);
	ASSERT_TRUE(wait_parked(pair.send, 0, 1));
	ASSERT_EQ(0, device_remove(&self->dev));
	EXPECT_EQ(-ENODEV, finish_as(&self->member));
	EXPECT_EQ(-ENODEV, put_as(&self->member, own.send, "x"));
	EXPECT_EQ(-EACCES, put_as(&self->stranger, ends.send, "x"));
	EXPECT_EQ(CHAN_STATE_REMOVED, info(pair.send).state);
	closed_by(&self->member, own);
	closed_by(&self->stranger, ends);
	close_pair(&pair);
	EXPECT_TRUE(wait_until(scope_info(self->ctl).channels == 0));
	/* The next of that name has nothing to do with it. */
	ASSERT_EQ(0, device_add(&self->dev, CAPACITY, 0, 0666));
	returned(_metadata, &self->dev, &self->stranger);
}

/* What was in line is nobody's when the scope has gone, and the device before it. */
TEST_F(adopted, removed_goes_with_the_scope)
{
	struct pair ends, pair = adopt_device(_metadata, &self->dev, self->ctl);
	char byte;

	ends = given(_metadata, &self->stranger, pair);
	put_in_line(_metadata, pair.send);
	ASSERT_EQ(0, device_remove(&self->dev));
	EXPECT_EQ(-EACCES, get_as(&self->stranger, ends.recv));
	EXPECT_EQ(1, read(pair.recv, &byte, 1));
	ASSERT_EQ(0, cancel_scope(self->ctl, EIO));
	EXPECT_EQ(CHAN_STATE_CANCELED, info(pair.send).state);
	EXPECT_EQ(0, info(pair.send).buffered);
	EXPECT_EQ(-ECANCELED, result(read(pair.recv, &byte, 1)));
	EXPECT_EQ(-ECANCELED, put(pair.send, "x"));
	ASSERT_TRUE(stop_actor(&self->member));
	close(self->ctl);
	EXPECT_EQ(-ECANCELED, get_as(&self->stranger, ends.recv));
	closed_by(&self->stranger, ends);
	close(pair.recv);
	EXPECT_EQ(-ENODEV, adopt(open_scope(_metadata), pair.send));
}

TEST_F(adopted, can_be_removed_with_nobody_at_it)
{
	int fd = device_open(&self->dev, O_RDWR);

	ASSERT_EQ(0, adopt(self->ctl, fd));
	close(fd);
	ASSERT_EQ(0, device_remove(&self->dev));
	EXPECT_TRUE(wait_until(scope_info(self->ctl).channels == 0));
	ASSERT_EQ(0, device_add(&self->dev, CAPACITY, 0, 0666));
	returned(_metadata, &self->dev, &self->stranger);
}

/* The file of an anonymous channel has no path to be opened by. */
TEST(an_anonymous_end_is_not_opened_again)
{
	int ctl = open_scope(_metadata);
	struct pair pair = pair_on(_metadata, ctl, 0);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", pair.send);
	EXPECT_GT(0, open(path, O_WRONLY | O_CLOEXEC));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pair.recv);
	EXPECT_GT(0, open(path, O_RDONLY | O_CLOEXEC));
}

TEST_HARNESS_MAIN
