// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffered channels: a send returns once its message is in the buffer.
 */
#include "chan_test.h"

FIXTURE(buffered) {
	struct pair pair;
	int send;
	int recv;
	char text[32];
};

FIXTURE_VARIANT(buffered) {
	__u32 capacity;
};

FIXTURE_VARIANT_ADD(buffered, one) {
	.capacity = 1,
};

FIXTURE_VARIANT_ADD(buffered, three) {
	.capacity = 3,
};

FIXTURE_VARIANT_ADD(buffered, many) {
	.capacity = 64,
};

FIXTURE_SETUP(buffered)
{
	make_pair(_metadata, &self->pair, variant->capacity, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
}

FIXTURE_TEARDOWN(buffered)
{
	close_pair(&self->pair);
}

static const char *numbered(char *text, unsigned int number)
{
	sprintf(text, "message %u", number);
	return text;
}

/* Fill the buffer with messages 0 and on. */
#define fill_up()								\
do {										\
	__u32 __i;								\
										\
	for (__i = 0; __i < variant->capacity; __i++)				\
		ASSERT_LT(0, put(self->send, numbered(self->text, __i)));	\
} while (0)

TEST_F(buffered, takes_as_many_as_its_capacity)
{
	EXPECT_EQ(variant->capacity, info(self->send).capacity);
	fill_up();
	EXPECT_EQ(variant->capacity, info(self->send).buffered);
	EXPECT_EQ(variant->capacity, info(self->send).sent);
	EXPECT_EQ(0, info(self->send).received);
	EXPECT_EQ(-EAGAIN, put(self->send, "too many"));
	EXPECT_EQ(variant->capacity, info(self->send).buffered);
}

TEST_F(buffered, gives_them_back_in_order)
{
	char byte;
	__u32 i;

	fill_up();
	for (i = 0; i < variant->capacity; i++) {
		EXPECT_TRUE(got(self->recv, numbered(self->text, i)));
		EXPECT_EQ(variant->capacity - 1 - i, info(self->recv).buffered);
		EXPECT_EQ(i + 1, info(self->recv).received);
	}
	EXPECT_EQ(-EAGAIN, try_read(self->recv, &byte, 1));
}

TEST_F(buffered, stays_in_order_however_far_it_turns)
{
	unsigned int next = 0, round;
	__u32 i;

	fill_up();
	for (round = 0; round < 200; round++) {
		ASSERT_TRUE(got(self->recv, numbered(self->text, next)));
		ASSERT_LT(0, put(self->send, numbered(self->text, next + variant->capacity)));
		next++;
	}
	for (i = 0; i < variant->capacity; i++)
		EXPECT_TRUE(got(self->recv, numbered(self->text, next + i)));
}

TEST_F(buffered, write_waits_while_it_is_full)
{
	struct op *op;
	__u32 i;

	fill_up();
	op = park_text(_metadata, self->send, "waits");
	EXPECT_EQ(variant->capacity, info(self->send).buffered);
	EXPECT_EQ(variant->capacity, info(self->send).sent);
	EXPECT_TRUE(got(self->recv, numbered(self->text, 0)));
	EXPECT_EQ(5, finish(op));
	EXPECT_EQ(variant->capacity, info(self->send).buffered);
	for (i = 1; i < variant->capacity; i++)
		EXPECT_TRUE(got(self->recv, numbered(self->text, i)));
	EXPECT_TRUE(got(self->recv, "waits"));
}

TEST_F(buffered, nonblocking_never_overtakes_a_parked_sender)
{
	struct op *first, *second;
	__u32 i;

	fill_up();
	first = park_text(_metadata, self->send, "first");
	second = park_text(_metadata, self->send, "second");
	EXPECT_TRUE(got(self->recv, numbered(self->text, 0)));
	/* The place is taken by who waited longest. */
	EXPECT_EQ(-EAGAIN, put(self->send, "overtakes"));
	EXPECT_EQ(5, finish(first));
	for (i = 1; i < variant->capacity; i++)
		EXPECT_TRUE(got(self->recv, numbered(self->text, i)));
	EXPECT_TRUE(got(self->recv, "first"));
	EXPECT_TRUE(got(self->recv, "second"));
	EXPECT_EQ(6, finish(second));
	EXPECT_EQ(2, put(self->send, "ok"));
}

TEST_F(buffered, a_killed_sender_makes_no_gap)
{
	struct op *first, *second;
	__u32 i;

	fill_up();
	first = park_text(_metadata, self->send, "first");
	second = park_text(_metadata, self->send, "second");
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(first));
	EXPECT_TRUE(wait_parked(self->send, 1, 0));
	for (i = 0; i < variant->capacity; i++)
		EXPECT_TRUE(got(self->recv, numbered(self->text, i)));
	EXPECT_EQ(6, finish(second));
	EXPECT_TRUE(got(self->recv, "second"));
}

TEST_F(buffered, a_parked_receiver_gets_the_next_message)
{
	struct op *first = park_recv(_metadata, self->recv, 64);
	struct op *second = park_recv(_metadata, self->recv, 64);

	EXPECT_EQ(1, put(self->send, "a"));
	EXPECT_EQ(1, put(self->send, "b"));
	EXPECT_TRUE(finish_text(first, "a"));
	EXPECT_TRUE(finish_text(second, "b"));
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_EQ(2, info(self->send).received);
}

TEST_F(buffered, the_message_is_as_it_was_when_sent)
{
	char data[32] = "as it was";

	EXPECT_EQ(9, try_write(self->send, data, 9));
	memset(data, 'x', sizeof(data));
	EXPECT_TRUE(got(self->recv, "as it was"));
}

TEST_F(buffered, mixed_sizes_keep_their_boundaries)
{
	static const size_t size[] = { 1, 300, 17, 5000, 2, 65536, 256, 4096 };
	static unsigned char data[65536], back[65536];
	size_t i, n = ARRAY_SIZE(size);

	if (n > variant->capacity)
		n = variant->capacity;
	for (i = 0; i < n; i++) {
		fill(data, size[i], i);
		ASSERT_EQ((long)size[i], try_write(self->send, data, size[i]));
	}
	for (i = 0; i < n; i++) {
		ASSERT_EQ((long)size[i], try_read(self->recv, back, sizeof(back)));
		EXPECT_TRUE(filled(back, size[i], i));
	}
}

static void run_count(struct op *op)
{
	__u32 i;

	op->ret = 0;
	for (i = 0; i < op->flag && !op->ret; i++)
		if (do_write(op->fd, &i, sizeof(i)) != sizeof(i))
			op->ret = -EIO;
}

TEST_F(buffered, a_sequence_arrives_complete_and_in_order)
{
	struct op *op = new_op(_metadata, self->send, 0);
	__u32 i, seen = 0;

	op->flag = 3000;
	start_op(_metadata, op, run_count);
	for (i = 0; i < op->flag; i++) {
		ASSERT_EQ((long)sizeof(seen), do_read(self->recv, &seen, sizeof(seen)));
		ASSERT_EQ(i, seen);
	}
	EXPECT_EQ(0, finish(op));
}

TEST_HARNESS_MAIN
