// SPDX-License-Identifier: GPL-2.0-only
/*
 * poll and epoll: what is ready, who is woken, and how often.
 */
#include <sys/epoll.h>

#include "chan_test.h"

#define IN	(POLLIN | POLLRDNORM)
#define OUT	(POLLOUT | POLLWRNORM)
#define ALL	(IN | OUT | POLLPRI)

FIXTURE(polling) {
	struct pair pair;
	int send;
	int recv;
	char byte;
};

FIXTURE_VARIANT(polling) {
	__u32 capacity;
};

FIXTURE_VARIANT_ADD(polling, unbuffered) {
	.capacity = 0,
};

FIXTURE_VARIANT_ADD(polling, buffered) {
	.capacity = 2,
};

FIXTURE_SETUP(polling)
{
	make_pair(_metadata, &self->pair, variant->capacity, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
}

FIXTURE_TEARDOWN(polling)
{
	close_pair(&self->pair);
}

static short events(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = ALL };

	return poll(&pfd, 1, 0) < 0 ? -1 : pfd.revents;
}

static void fill_up(struct __test_metadata *_metadata, int fd, __u32 capacity)
{
	__u32 i;

	for (i = 0; i < capacity; i++)
		ASSERT_EQ(4, put(fd, "full"));
}

TEST_F(polling, a_fresh_channel)
{
	EXPECT_EQ(0, events(self->recv));
	EXPECT_EQ(variant->capacity ? OUT : 0, events(self->send));
}

TEST_F(polling, a_parked_receiver_lets_one_send)
{
	struct op *op = park_recv(_metadata, self->recv, 8);

	EXPECT_EQ(OUT, events(self->send));
	/* For another receiver there is nothing. */
	EXPECT_EQ(0, events(self->recv));
	cancel(op);
	EXPECT_EQ(variant->capacity ? OUT : 0, events(self->send));
}

TEST_F(polling, a_parked_sender_lets_one_receive)
{
	struct op *op;

	fill_up(_metadata, self->send, variant->capacity);
	op = park_text(_metadata, self->send, "x");
	EXPECT_EQ(IN, events(self->recv));
	EXPECT_EQ(0, events(self->send));
	cancel(op);
	EXPECT_EQ(variant->capacity ? IN : 0, events(self->recv));
}

TEST_F(polling, a_full_and_an_empty_buffer)
{
	__u32 i;

	for (i = 0; i < variant->capacity; i++) {
		EXPECT_EQ(OUT, events(self->send));
		ASSERT_EQ(4, put(self->send, "full"));
		EXPECT_EQ(IN, events(self->recv));
	}
	EXPECT_EQ(0, events(self->send));
	for (i = 0; i < variant->capacity; i++) {
		EXPECT_EQ(IN, events(self->recv));
		ASSERT_TRUE(got(self->recv, "full"));
		EXPECT_EQ(OUT, events(self->send));
	}
	EXPECT_EQ(0, events(self->recv));
}

TEST_F(polling, closed)
{
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(IN | POLLHUP, events(self->recv));
	EXPECT_EQ(OUT | POLLHUP, events(self->send));
	EXPECT_EQ(0, do_read(self->recv, &self->byte, 1));
	EXPECT_EQ(IN | POLLHUP, events(self->recv));
}

TEST_F(polling, closed_with_messages_left)
{
	fill_up(_metadata, self->send, variant->capacity);
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(IN | POLLHUP, events(self->recv));
	while (info(self->recv).buffered)
		ASSERT_TRUE(got(self->recv, "full"));
	EXPECT_EQ(IN | POLLHUP, events(self->recv));
}

TEST_F(polling, closed_by_the_last_send_end)
{
	close(self->send);
	EXPECT_EQ(IN | POLLHUP, events(self->recv));
}

TEST_F(polling, failed)
{
	EXPECT_EQ(0, end_channel(self->send, EIO));
	EXPECT_EQ(IN | POLLHUP | POLLERR, events(self->recv));
	EXPECT_EQ(OUT | POLLHUP | POLLERR, events(self->send));
}

TEST_F(polling, no_receiver_can_ever_come)
{
	close(self->recv);
	EXPECT_EQ(OUT | POLLHUP | POLLERR, events(self->send));
}

TEST_F(polling, removed)
{
	struct device dev;
	int both;

	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&dev, variant->capacity, 0, 0600));
	both = device_open(&dev, O_RDWR);
	EXPECT_EQ(variant->capacity ? OUT : 0, events(both));
	ASSERT_EQ(0, device_remove(&dev));
	EXPECT_EQ(IN | OUT | POLLHUP | POLLERR, events(both));
}

/* --- Who polls is not who is parked --- */

static void run_poll(struct op *op)
{
	struct pollfd pfd = { .fd = op->fd, .events = op->flag };

	op->ret = result(poll(&pfd, 1, -1)) == 1 ? pfd.revents : -1;
}

static struct op *park_poll(struct __test_metadata *_metadata, int fd, short wanted)
{
	struct op *op = new_op(_metadata, fd, 0);

	op->flag = wanted;
	start_op(_metadata, op, run_poll);
	ASSERT_TRUE(wait_asleep(op));
	return op;
}

TEST_F(polling, two_pollers_do_not_meet)
{
	struct op *recv = park_poll(_metadata, self->recv, IN), *send;

	EXPECT_TRUE(parked_are(self->send, 0, 0));
	if (!variant->capacity) {
		send = park_poll(_metadata, self->send, OUT);
		EXPECT_EQ(0, events(self->send));
		EXPECT_EQ(0, events(self->recv));
		EXPECT_EQ(-EAGAIN, put(self->send, "x"));
		EXPECT_TRUE(parked_are(self->send, 0, 0));
		EXPECT_EQ('S', state_of(send->pid));
	}
	EXPECT_EQ('S', state_of(recv->pid));
}

/* --- Woken by every change --- */

TEST_F(polling, woken_by_a_message)
{
	struct op *op = park_poll(_metadata, self->recv, IN), *send;

	send = start_text(_metadata, self->send, "x");
	EXPECT_EQ(IN, finish(op));
	EXPECT_TRUE(got(self->recv, "x"));
	EXPECT_EQ(1, finish(send));
}

TEST_F(polling, woken_by_room)
{
	struct op *op, *recv;

	fill_up(_metadata, self->send, variant->capacity);
	op = park_poll(_metadata, self->send, OUT);
	recv = start_recv(_metadata, self->recv, 8);
	EXPECT_EQ(OUT, finish(op));
	EXPECT_EQ(1, put(self->send, "y"));
	EXPECT_TRUE(finish_text(recv, variant->capacity ? "full" : "y"));
}

TEST_F(polling, receiver_woken_by_close)
{
	struct op *op = park_poll(_metadata, self->recv, IN);

	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(IN | POLLHUP, finish(op));
}

TEST_F(polling, receiver_woken_by_failure)
{
	struct op *op = park_poll(_metadata, self->recv, 0);

	EXPECT_EQ(0, end_channel(self->send, EIO));
	EXPECT_EQ(POLLHUP | POLLERR, finish(op));
}

TEST_F(polling, receiver_woken_by_the_last_send_end)
{
	struct op *op = park_poll(_metadata, self->recv, IN);

	close(self->send);
	EXPECT_EQ(IN | POLLHUP, finish(op));
}

TEST_F(polling, sender_woken_by_close)
{
	struct op *op;

	fill_up(_metadata, self->send, variant->capacity);
	op = park_poll(_metadata, self->send, OUT);
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(OUT | POLLHUP, finish(op));
}

TEST_F(polling, sender_woken_by_the_last_receive_end)
{
	struct op *op;

	fill_up(_metadata, self->send, variant->capacity);
	op = park_poll(_metadata, self->send, OUT);
	close(self->recv);
	EXPECT_EQ(OUT | POLLHUP | POLLERR, finish(op));
}

TEST_F(polling, closing_wakes_all_pollers)
{
	struct op *op[4];
	int i;

	for (i = 0; i < 4; i++)
		op[i] = park_poll(_metadata, self->recv, IN);
	EXPECT_EQ(0, end_channel(self->send, 0));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(IN | POLLHUP, finish(op[i]));
}

/* --- epoll --- */

static int watch(struct __test_metadata *_metadata, int fd, __u32 wanted)
{
	struct epoll_event event = { .events = wanted };
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epfd);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event));
	return epfd;
}

/* The events that are there now, or 0. */
static __u32 seen(int epfd)
{
	struct epoll_event event = { .events = 0 };

	return epoll_wait(epfd, &event, 1, 0) == 1 ? event.events : 0;
}

TEST_F(polling, level_triggered)
{
	int epfd = watch(_metadata, self->recv, EPOLLIN);
	struct op *op;

	EXPECT_EQ(0, seen(epfd));
	op = start_text(_metadata, self->send, "x");
	EXPECT_TRUE(wait_until(seen(epfd) == EPOLLIN));
	EXPECT_EQ(EPOLLIN, seen(epfd));
	EXPECT_TRUE(got(self->recv, "x"));
	EXPECT_EQ(0, seen(epfd));
	EXPECT_EQ(1, finish(op));
	EXPECT_EQ(0, end_channel(self->send, EIO));
	EXPECT_EQ(EPOLLIN | EPOLLHUP | EPOLLERR, seen(epfd));
	EXPECT_EQ(EPOLLIN | EPOLLHUP | EPOLLERR, seen(epfd));
}

TEST_F(polling, edge_triggered_receive)
{
	int epfd = watch(_metadata, self->recv, EPOLLIN | EPOLLET), i;
	struct op *op[3];

	EXPECT_EQ(0, seen(epfd));
	/* Every message is an edge, taken or not. */
	for (i = 0; i < 3; i++) {
		op[i] = start_text(_metadata, self->send, "x");
		EXPECT_TRUE(wait_until(seen(epfd) == EPOLLIN));
		EXPECT_EQ(0, seen(epfd));
	}
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(got(self->recv, "x"));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, finish(op[i]));
	seen(epfd);
	EXPECT_EQ(0, seen(epfd));
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(EPOLLIN | EPOLLHUP, seen(epfd));
	EXPECT_EQ(0, seen(epfd));
}

TEST_F(polling, edge_triggered_send)
{
	int epfd, i;
	struct op *op;

	fill_up(_metadata, self->send, variant->capacity);
	epfd = watch(_metadata, self->send, EPOLLOUT | EPOLLET);
	EXPECT_EQ(0, seen(epfd));
	for (i = 0; i < 3; i++) {
		op = start_recv(_metadata, self->recv, 8);
		EXPECT_TRUE(wait_until(seen(epfd) == EPOLLOUT));
		EXPECT_EQ(0, seen(epfd));
		EXPECT_EQ(4, put(self->send, "full"));
		EXPECT_TRUE(finish_text(op, "full"));
	}
	seen(epfd);
	EXPECT_EQ(0, seen(epfd));
	close(self->recv);
	EXPECT_EQ(EPOLLOUT | EPOLLHUP | EPOLLERR, seen(epfd));
	EXPECT_EQ(0, seen(epfd));
}

/* An event loop that only reads after an edge, until there is nothing. */
static void run_edge_loop(struct op *op)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	__u32 value, next = 0;
	long ret;

	set_nonblock(op->fd, true);
	epoll_ctl(epfd, EPOLL_CTL_ADD, op->fd, &event);
	while (epoll_wait(epfd, &event, 1, -1) == 1) {
		while ((ret = do_read(op->fd, &value, sizeof(value))) > 0)
			if (value != next++)
				ret = -EIO;
		if (ret != -EAGAIN)
			break;
	}
	op->flag = next;
	op->ret = ret;
}

TEST_F(polling, an_edge_triggered_loop_misses_nothing)
{
	struct op *op = start(_metadata, self->recv, NULL, 0, run_edge_loop);
	__u32 i;

	for (i = 0; i < 1000; i++)
		ASSERT_EQ((long)sizeof(i), do_write(self->send, &i, sizeof(i)));
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(0, finish(op));
	EXPECT_EQ(1000, op->flag);
}

/* The same from the other side. */
static void run_edge_sender(struct op *op)
{
	struct epoll_event event = { .events = EPOLLOUT | EPOLLET };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	__u32 next = 0;
	long ret = -EAGAIN;

	set_nonblock(op->fd, true);
	epoll_ctl(epfd, EPOLL_CTL_ADD, op->fd, &event);
	while (next < 1000 && epoll_wait(epfd, &event, 1, -1) == 1) {
		while (next < 1000 && (ret = do_write(op->fd, &next, sizeof(next))) > 0)
			next++;
		if (ret < 0 && ret != -EAGAIN)
			break;
	}
	op->ret = next == 1000 ? 0 : ret;
}

TEST_F(polling, an_edge_triggered_sender_misses_nothing)
{
	struct op *op = start(_metadata, self->send, NULL, 0, run_edge_sender);
	__u32 i, value = 0;

	for (i = 0; i < 1000; i++) {
		ASSERT_EQ((long)sizeof(value), do_read(self->recv, &value, sizeof(value)));
		ASSERT_EQ(i, value);
	}
	EXPECT_EQ(0, finish(op));
}

TEST_F(polling, one_shot)
{
	int epfd = watch(_metadata, self->recv, EPOLLIN | EPOLLONESHOT);
	struct epoll_event event = { .events = EPOLLIN | EPOLLONESHOT };
	struct op *op = start_text(_metadata, self->send, "x");

	EXPECT_TRUE(wait_until(seen(epfd) == EPOLLIN));
	EXPECT_EQ(0, seen(epfd));
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_MOD, self->recv, &event));
	EXPECT_EQ(EPOLLIN, seen(epfd));
	EXPECT_TRUE(got(self->recv, "x"));
	EXPECT_EQ(1, finish(op));
}

/* --- One message wakes one waiter --- */

TEST_F(polling, one_message_wakes_one_parked_receiver)
{
	struct op *op[5];
	long sleeps[5];
	int i;

	for (i = 0; i < 5; i++)
		op[i] = park_recv(_metadata, self->recv, 8);
	for (i = 0; i < 5; i++)
		sleeps[i] = sleeps_of(op[i]->pid);
	EXPECT_EQ(1, do_write(self->send, "x", 1));
	EXPECT_TRUE(finish_text(op[0], "x"));
	for (i = 1; i < 5; i++)
		EXPECT_TRUE(undisturbed(op[i]->pid, sleeps[i]));
	EXPECT_TRUE(parked_are(self->recv, 0, 4));
}

TEST_F(polling, one_receive_wakes_one_parked_sender)
{
	struct op *op[5];
	long sleeps[5];
	int i;

	fill_up(_metadata, self->send, variant->capacity);
	for (i = 0; i < 5; i++)
		op[i] = park_text(_metadata, self->send, "x");
	for (i = 0; i < 5; i++)
		sleeps[i] = sleeps_of(op[i]->pid);
	EXPECT_TRUE(got(self->recv, variant->capacity ? "full" : "x"));
	EXPECT_EQ(1, finish(op[0]));
	for (i = 1; i < 5; i++)
		EXPECT_TRUE(undisturbed(op[i]->pid, sleeps[i]));
	EXPECT_TRUE(parked_are(self->recv, 4, 0));
}

TEST_F(polling, a_handed_over_message_wakes_no_poller)
{
	struct op *poller = park_poll(_metadata, self->recv, IN);
	struct op *op = park_recv(_metadata, self->recv, 8);
	long sleeps = sleeps_of(poller->pid);

	EXPECT_EQ(1, put(self->send, "x"));
	EXPECT_TRUE(finish_text(op, "x"));
	EXPECT_TRUE(undisturbed(poller->pid, sleeps));
}

static void run_exclusive(struct op *op)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, op->fd, &event) < 0) {
		op->ret = -errno;
		return;
	}
	op->ret = result(epoll_wait(epfd, &event, 1, -1));
}

TEST_F(polling, one_message_wakes_one_exclusive_poller)
{
	struct op *op[4], *send;
	int i, awake = 0;
	long sleeps[4];

	for (i = 0; i < 4; i++) {
		op[i] = start(_metadata, self->recv, NULL, 0, run_exclusive);
		ASSERT_TRUE(wait_asleep(op[i]));
	}
	for (i = 0; i < 4; i++)
		sleeps[i] = sleeps_of(op[i]->pid);
	send = start_text(_metadata, self->send, "x");
	ASSERT_TRUE(variant->capacity ? finish(send) == 1 : wait_asleep(send));
	/* The sender wakes them before it sleeps or returns. */
	for (i = 0; i < 4; i++)
		awake += !undisturbed(op[i]->pid, sleeps[i]);
	EXPECT_EQ(1, awake);
	EXPECT_TRUE(got(self->recv, "x"));
	if (!variant->capacity)
		EXPECT_EQ(1, finish(send));
	EXPECT_EQ(0, end_channel(self->send, 0));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(1, finish(op[i]));
}

/* --- Files open for both --- */

TEST_F(polling, both_directions)
{
	struct device dev;
	struct op *op;
	int both;

	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&dev, variant->capacity, 0, 0600));
	both = device_open(&dev, O_RDWR);
	ASSERT_LE(0, both);
	EXPECT_EQ(variant->capacity ? OUT : 0, events(both));
	op = park_recv(_metadata, both, 8);
	EXPECT_EQ(OUT, events(both));
	EXPECT_EQ(1, put(both, "x"));
	EXPECT_TRUE(finish_text(op, "x"));
	fill_up(_metadata, both, variant->capacity);
	op = park_text(_metadata, both, "x");
	EXPECT_EQ(IN, events(both));
	cancel(op);
	EXPECT_EQ(0, end_channel(both, 0));
	EXPECT_EQ(IN | OUT | POLLHUP, events(both));
	device_remove(&dev);
}

TEST_HARNESS_MAIN
