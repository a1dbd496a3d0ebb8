// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends: open files count, and the last one to go matters.
 */
#include <sys/epoll.h>

#include "chan_test.h"

FIXTURE(ends) {
	struct pair pair;
	int send;
	int recv;
	char byte;
};

FIXTURE_VARIANT(ends) {
	__u32 capacity;
};

FIXTURE_VARIANT_ADD(ends, unbuffered) {
	.capacity = 0,
};

FIXTURE_VARIANT_ADD(ends, buffered) {
	.capacity = 4,
};

FIXTURE_SETUP(ends)
{
	make_pair(_metadata, &self->pair, variant->capacity, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
}

FIXTURE_TEARDOWN(ends)
{
	close_pair(&self->pair);
}

TEST_F(ends, the_last_send_end_closes)
{
	close(self->send);
	EXPECT_EQ(CHAN_STATE_CLOSED, info(self->recv).state);
	EXPECT_EQ(0, info(self->recv).cause);
	EXPECT_EQ(0, info(self->recv).send_ends);
	EXPECT_EQ(0, try_read(self->recv, &self->byte, 1));
	EXPECT_EQ(0, do_read(self->recv, &self->byte, 1));
}

TEST_F(ends, the_last_send_end_wakes_receivers)
{
	struct op *op[3];
	int i;

	for (i = 0; i < 3; i++)
		op[i] = park_recv(_metadata, self->recv, 8);
	close(self->send);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, finish(op[i]));
	EXPECT_TRUE(parked_are(self->recv, 0, 0));
}

TEST_F(ends, the_last_receive_end_breaks)
{
	close(self->recv);
	EXPECT_EQ(CHAN_STATE_BROKEN, info(self->send).state);
	EXPECT_EQ(0, info(self->send).recv_ends);
	EXPECT_EQ(-EPIPE, put(self->send, "x"));
	EXPECT_EQ(-EPIPE, do_write(self->send, "x", 1));
}

TEST_F(ends, the_last_receive_end_wakes_senders)
{
	struct op *op[3];
	__u32 i;

	for (i = 0; i < variant->capacity; i++)
		ASSERT_EQ(1, put(self->send, "x"));
	for (i = 0; i < 3; i++)
		op[i] = park_text(_metadata, self->send, "waits");
	close(self->recv);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(-EPIPE, finish(op[i]));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_EQ(variant->capacity, info(self->send).sent);
	EXPECT_EQ(0, info(self->send).received);
}

TEST_F(ends, what_was_sent_outlives_the_last_send_end)
{
	__u32 i;

	for (i = 0; i < variant->capacity; i++)
		ASSERT_EQ(4, put(self->send, "kept"));
	close(self->send);
	for (i = 0; i < variant->capacity; i++)
		EXPECT_TRUE(got(self->recv, "kept"));
	EXPECT_EQ(0, try_read(self->recv, &self->byte, 1));
}

TEST_F(ends, an_ending_sender_lets_go)
{
	struct op *op;
	__u32 i;

	for (i = 0; i < variant->capacity; i++)
		ASSERT_EQ(4, put(self->send, "kept"));
	op = park_text(_metadata, self->send, "never taken");
	close(self->send);
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->recv).state);
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(op));
	EXPECT_TRUE(wait_until(info(self->recv).state == CHAN_STATE_CLOSED));
	for (i = 0; i < variant->capacity; i++)
		EXPECT_TRUE(got(self->recv, "kept"));
	EXPECT_EQ(0, do_read(self->recv, &self->byte, 1));
}

TEST_F(ends, an_ending_receiver_lets_go)
{
	struct op *op = park_recv(_metadata, self->recv, 8);

	close(self->recv);
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->send).state);
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(op));
	EXPECT_TRUE(wait_until(info(self->send).state == CHAN_STATE_BROKEN));
	EXPECT_EQ(-EPIPE, do_write(self->send, "x", 1));
}

TEST_F(ends, both_gone)
{
	struct pair pair;
	int i;

	/* In either order, with messages inside or not. */
	for (i = 0; i < 4; i++) {
		make_pair(_metadata, &pair, variant->capacity, 0);
		if (i & 1)
			put(pair.send, "left behind");
		close(i & 2 ? pair.send : pair.recv);
		close(i & 2 ? pair.recv : pair.send);
	}
}

TEST_F(ends, watching_is_no_end)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_LE(0, epfd);
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self->recv, &event));
	EXPECT_EQ(1, info(self->send).recv_ends);
	close(self->recv);
	EXPECT_EQ(CHAN_STATE_BROKEN, info(self->send).state);
}

TEST_F(ends, no_signal_for_writing_to_nobody)
{
	/* SIGPIPE has its deadly default action here. */
	ASSERT_NE(SIG_ERR, signal(SIGPIPE, SIG_DFL));
	close(self->recv);
	EXPECT_EQ(-EPIPE, do_write(self->send, "x", 1));
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(-EPIPE, do_write(self->send, "x", 1));
}

static void run_send_deadly(struct op *op)
{
	signal(SIGPIPE, SIG_DFL);
	run_send(op);
}

TEST_F(ends, no_signal_for_who_is_parked)
{
	struct op *op;
	__u32 i;

	for (i = 0; i < variant->capacity; i++)
		ASSERT_EQ(1, put(self->send, "x"));
	op = start(_metadata, self->send, "y", 1, run_send_deadly);
	ASSERT_TRUE(wait_parked(self->send, 1, 0));
	close(self->recv);
	EXPECT_EQ(-EPIPE, finish(op));
}

TEST_HARNESS_MAIN
