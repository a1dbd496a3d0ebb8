// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unbuffered channels: a send and a receive meet, or wait for each other.
 */
#include "chan_test.h"

FIXTURE(rendezvous) {
	struct pair pair;
	int send;
	int recv;
};

FIXTURE_SETUP(rendezvous)
{
	make_pair(_metadata, &self->pair, 0, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
}

FIXTURE_TEARDOWN(rendezvous)
{
	close_pair(&self->pair);
}

TEST_F(rendezvous, capacity_is_zero)
{
	EXPECT_EQ(0, info(self->send).capacity);
}

TEST_F(rendezvous, write_waits_for_a_receiver)
{
	struct op *op = park_text(_metadata, self->send, "hello");

	EXPECT_EQ(0, info(self->send).sent);
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_TRUE(got(self->recv, "hello"));
	EXPECT_EQ(5, finish(op));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(1, info(self->send).sent);
	EXPECT_EQ(1, info(self->send).received);
}

TEST_F(rendezvous, read_waits_for_a_sender)
{
	struct op *op = park_recv(_metadata, self->recv, 64);

	EXPECT_EQ(3, put(self->send, "abc"));
	EXPECT_TRUE(finish_text(op, "abc"));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(1, info(self->send).sent);
	EXPECT_EQ(1, info(self->send).received);
}

TEST_F(rendezvous, nonblocking_needs_a_parked_partner)
{
	char byte;

	EXPECT_EQ(-EAGAIN, put(self->send, "x"));
	EXPECT_EQ(-EAGAIN, try_read(self->recv, &byte, 1));
	/* Neither attempt left anything for the other to find. */
	EXPECT_EQ(-EAGAIN, put(self->send, "x"));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(0, info(self->send).sent);
}

TEST_F(rendezvous, nonblocking_meets_a_parked_sender)
{
	struct op *op = park_text(_metadata, self->send, "parked");
	char byte;

	EXPECT_EQ(-EAGAIN, put(self->send, "another"));
	EXPECT_TRUE(got(self->recv, "parked"));
	EXPECT_EQ(6, finish(op));
	EXPECT_EQ(-EAGAIN, try_read(self->recv, &byte, 1));
}

TEST_F(rendezvous, nonblocking_receive_leaves_parked_receivers_alone)
{
	struct op *op = park_recv(_metadata, self->recv, 64);
	char byte;

	EXPECT_EQ(-EAGAIN, try_read(self->recv, &byte, 1));
	EXPECT_TRUE(parked_are(self->recv, 0, 1));
	EXPECT_EQ(2, put(self->send, "hi"));
	EXPECT_TRUE(finish_text(op, "hi"));
}

TEST_F(rendezvous, senders_are_served_in_order)
{
	static const char * const text[] = { "one", "two", "three", "four", "five" };
	struct op *op[ARRAY_SIZE(text)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(text); i++)
		op[i] = park_text(_metadata, self->send, text[i]);
	for (i = 0; i < ARRAY_SIZE(text); i++) {
		EXPECT_TRUE(got(self->recv, text[i]));
		EXPECT_EQ((long)strlen(text[i]), finish(op[i]));
		EXPECT_TRUE(parked_are(self->send, ARRAY_SIZE(text) - 1 - i, 0));
	}
}

TEST_F(rendezvous, receivers_are_served_in_order)
{
	static const char * const text[] = { "one", "two", "three", "four", "five" };
	struct op *op[ARRAY_SIZE(text)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(text); i++)
		op[i] = park_recv(_metadata, self->recv, 64);
	for (i = 0; i < ARRAY_SIZE(text); i++) {
		EXPECT_EQ((long)strlen(text[i]), put(self->send, text[i]));
		EXPECT_TRUE(finish_text(op[i], text[i]));
		EXPECT_TRUE(parked_are(self->send, 0, ARRAY_SIZE(text) - 1 - i));
	}
}

TEST_F(rendezvous, a_killed_one_leaves_the_queue_in_order)
{
	struct op *first = park_text(_metadata, self->send, "first");
	struct op *second = park_text(_metadata, self->send, "second");
	struct op *third = park_text(_metadata, self->send, "third");

	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(second));
	EXPECT_TRUE(wait_parked(self->send, 2, 0));
	EXPECT_TRUE(got(self->recv, "first"));
	EXPECT_TRUE(got(self->recv, "third"));
	EXPECT_EQ(5, finish(first));
	EXPECT_EQ(5, finish(third));
	EXPECT_EQ(2, info(self->send).sent);
}

static void run_ping(struct op *op)
{
	unsigned char byte;
	int i;

	op->ret = 0;
	for (i = 0; i < op->flag && !op->ret; i++) {
		byte = i;
		if (do_write(op->fd, &byte, 1) != 1)
			op->ret = -EIO;
	}
}

TEST_F(rendezvous, a_sequence_arrives_complete_and_in_order)
{
	struct op *op = new_op(_metadata, self->send, 0);
	unsigned char byte = 0;
	int i;

	op->flag = 2000;
	start_op(_metadata, op, run_ping);
	for (i = 0; i < op->flag; i++) {
		ASSERT_EQ(1, do_read(self->recv, &byte, 1));
		ASSERT_EQ(i & 0xff, byte);
	}
	EXPECT_EQ(0, finish(op));
	EXPECT_EQ(2000, info(self->send).sent);
	EXPECT_EQ(2000, info(self->send).received);
}

static void run_tagged(struct op *op)
{
	__u32 message[2] = { op->flag };

	op->ret = 0;
	for (message[1] = 0; message[1] < 300 && !op->ret; message[1]++)
		if (do_write(op->fd, message, sizeof(message)) != sizeof(message))
			op->ret = -EIO;
}

TEST_F(rendezvous, many_senders_each_in_their_own_order)
{
	struct op *op[4];
	__u32 next[4] = { 0 };
	__u32 message[2] = { 0 };
	int i;

	for (i = 0; i < 4; i++) {
		op[i] = new_op(_metadata, self->send, 0);
		op[i]->flag = i;
		start_op(_metadata, op[i], run_tagged);
	}
	for (i = 0; i < 4 * 300; i++) {
		ASSERT_EQ((long)sizeof(message), do_read(self->recv, message, sizeof(message)));
		ASSERT_GT(4, message[0]);
		ASSERT_EQ(next[message[0]], message[1]);
		next[message[0]]++;
	}
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, finish(op[i]));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
}

TEST_F(rendezvous, many_receivers_share_the_messages)
{
	struct op *op[6];
	char text[2] = "a";
	int i, seen = 0;

	for (i = 0; i < 6; i++)
		op[i] = start_recv(_metadata, self->recv, 8);
	for (i = 0; i < 6; i++, text[0]++)
		ASSERT_EQ(1, do_write(self->send, text, 1));
	for (i = 0; i < 6; i++) {
		ASSERT_EQ(1, finish(op[i]));
		seen |= 1 << (op[i]->data[0] - 'a');
	}
	EXPECT_EQ(0x3f, seen);
}

TEST_HARNESS_MAIN
