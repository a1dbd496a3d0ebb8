// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ending: every way in which a channel ends, for those who wait and those who
 * come later.
 */
#include "chan_test.h"

FIXTURE(ending) {
	struct device dev;
	int send;
	int recv;
	char byte;
};

/* How it ends, and what everybody gets. */
FIXTURE_VARIANT(ending) {
	bool removed;
	__u32 error;
	__u32 capacity;
	__u32 state;
	long sender;
	long receiver;
};

FIXTURE_VARIANT_ADD(ending, closed_unbuffered) {
	.state = CHAN_STATE_CLOSED,
	.sender = -EPIPE,
	.receiver = 0,
};

FIXTURE_VARIANT_ADD(ending, closed_buffered) {
	.capacity = 2,
	.state = CHAN_STATE_CLOSED,
	.sender = -EPIPE,
	.receiver = 0,
};

FIXTURE_VARIANT_ADD(ending, failed_unbuffered) {
	.error = EIO,
	.state = CHAN_STATE_FAILED,
	.sender = -EPIPE,
	.receiver = -EIO,
};

FIXTURE_VARIANT_ADD(ending, failed_buffered) {
	.error = EUCLEAN,
	.capacity = 2,
	.state = CHAN_STATE_FAILED,
	.sender = -EPIPE,
	.receiver = -EUCLEAN,
};

FIXTURE_VARIANT_ADD(ending, removed_unbuffered) {
	.removed = true,
	.state = CHAN_STATE_REMOVED,
	.sender = -ENODEV,
	.receiver = -ENODEV,
};

FIXTURE_VARIANT_ADD(ending, removed_buffered) {
	.removed = true,
	.capacity = 2,
	.state = CHAN_STATE_REMOVED,
	.sender = -ENODEV,
	.receiver = -ENODEV,
};

FIXTURE_SETUP(ending)
{
	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&self->dev, variant->capacity, 0, 0600));
	self->send = device_open(&self->dev, O_WRONLY);
	self->recv = device_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, self->send);
	ASSERT_LE(0, self->recv);
}

FIXTURE_TEARDOWN(ending)
{
	device_remove(&self->dev);
	close(self->send);
	close(self->recv);
}

static long end_it(FIXTURE_DATA(ending) * self, const FIXTURE_VARIANT(ending) * variant)
{
	return variant->removed ? device_remove(&self->dev) :
				  end_channel(self->send, variant->error);
}

static void fill_up(struct __test_metadata *_metadata, int fd, __u32 capacity)
{
	__u32 i;

	for (i = 0; i < capacity; i++)
		ASSERT_EQ(4, put(fd, "kept"));
}

TEST_F(ending, what_info_tells)
{
	struct chan_info now;

	ASSERT_EQ(0, end_it(self, variant));
	now = info(self->send);
	EXPECT_EQ(variant->state, now.state);
	EXPECT_EQ(-variant->receiver, now.cause);
	EXPECT_EQ(variant->state, info(self->recv).state);
}

TEST_F(ending, parked_senders)
{
	struct op *op[3];
	int i;

	fill_up(_metadata, self->send, variant->capacity);
	for (i = 0; i < 3; i++)
		op[i] = park_text(_metadata, self->send, "never arrives");
	ASSERT_EQ(0, end_it(self, variant));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(variant->sender, finish(op[i]));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(variant->capacity, info(self->send).sent);
	/* Of the messages, those that were sent are left. */
	for (i = 0; i < variant->capacity; i++)
		EXPECT_TRUE(got(self->recv, "kept"));
	EXPECT_EQ(variant->receiver, do_read(self->recv, &self->byte, 1));
}

TEST_F(ending, new_senders)
{
	ASSERT_EQ(0, end_it(self, variant));
	EXPECT_EQ(variant->sender, do_write(self->send, "x", 1));
	EXPECT_EQ(variant->sender, do_write(self->send, "x", 1));
	EXPECT_EQ(variant->sender, put(self->send, "x"));
	EXPECT_EQ(0, info(self->send).sent);
	EXPECT_EQ(0, info(self->send).buffered);
}

TEST_F(ending, parked_receivers)
{
	struct op *op[3];
	int i;

	for (i = 0; i < 3; i++)
		op[i] = park_recv(_metadata, self->recv, 8);
	ASSERT_EQ(0, end_it(self, variant));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(variant->receiver, finish(op[i]));
	EXPECT_TRUE(parked_are(self->recv, 0, 0));
	EXPECT_EQ(0, info(self->recv).received);
}

TEST_F(ending, new_receivers_every_time)
{
	int i;

	ASSERT_EQ(0, end_it(self, variant));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(variant->receiver, do_read(self->recv, &self->byte, 1));
		EXPECT_EQ(variant->receiver, try_read(self->recv, &self->byte, 1));
	}
}

TEST_F(ending, the_buffer_is_drained)
{
	__u32 i;

	fill_up(_metadata, self->send, variant->capacity);
	ASSERT_EQ(0, end_it(self, variant));
	EXPECT_EQ(variant->capacity, info(self->recv).buffered);
	EXPECT_EQ(variant->sender, put(self->send, "x"));
	for (i = 0; i < variant->capacity; i++) {
		/* Too little room is no reason to skip one. */
		EXPECT_EQ(-EMSGSIZE, do_read(self->recv, &self->byte, 1));
		EXPECT_TRUE(got(self->recv, "kept"));
	}
	EXPECT_EQ(variant->receiver, do_read(self->recv, &self->byte, 1));
	EXPECT_EQ(variant->receiver, try_read(self->recv, &self->byte, 1));
	EXPECT_EQ(variant->sender, put(self->send, "x"));
	EXPECT_EQ(variant->capacity, info(self->recv).received);
}

TEST_F(ending, the_first_cause_stands)
{
	ASSERT_EQ(0, end_it(self, variant));
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(0, end_channel(self->send, ENOENT));
	if (!variant->removed)
		EXPECT_EQ(0, device_remove(&self->dev));
	EXPECT_EQ(variant->state, info(self->send).state);
	EXPECT_EQ(-variant->receiver, info(self->send).cause);
	EXPECT_EQ(variant->receiver, do_read(self->recv, &self->byte, 1));
	EXPECT_EQ(variant->sender, do_write(self->send, "x", 1));
}

TEST_F(ending, the_last_ends_change_nothing)
{
	ASSERT_EQ(0, end_it(self, variant));
	close(self->send);
	EXPECT_EQ(variant->state, info(self->recv).state);
	EXPECT_EQ(variant->receiver, do_read(self->recv, &self->byte, 1));
}

/* --- The same for anonymous channels, and what only they have --- */

FIXTURE(closing) {
	struct pair pair;
	int send;
	int recv;
	char byte;
};

FIXTURE_VARIANT(closing) {
	__u32 capacity;
};

FIXTURE_VARIANT_ADD(closing, unbuffered) {
	.capacity = 0,
};

FIXTURE_VARIANT_ADD(closing, buffered) {
	.capacity = 3,
};

FIXTURE_SETUP(closing)
{
	make_pair(_metadata, &self->pair, variant->capacity, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
}

FIXTURE_TEARDOWN(closing)
{
	close_pair(&self->pair);
}

TEST_F(closing, only_who_can_send_may)
{
	EXPECT_EQ(-EBADF, end_channel(self->recv, 0));
	EXPECT_EQ(-EBADF, end_channel(self->recv, EIO));
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->recv).state);
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(-EBADF, end_channel(self->recv, 0));
}

TEST_F(closing, which_errors_there_are)
{
	static const __u32 good[] = { 1, EAGAIN, EPIPE, EINTR, 133, CHAN_MAX_ERROR };
	struct pair pair;
	size_t i;

	EXPECT_EQ(-EINVAL, end_channel(self->send, CHAN_MAX_ERROR + 1));
	EXPECT_EQ(-EINVAL, end_channel(self->send, 4096));
	EXPECT_EQ(-EINVAL, end_channel(self->send, -1));
	EXPECT_EQ(-EINVAL, end_channel(self->send, -EIO));
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->send).state);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		make_pair(_metadata, &pair, variant->capacity, 0);
		EXPECT_EQ(0, end_channel(pair.send, good[i]));
		EXPECT_EQ(good[i], info(pair.recv).cause);
		EXPECT_EQ(-(long)good[i], do_read(pair.recv, &self->byte, 1));
		close_pair(&pair);
	}
}

TEST_F(closing, failure_outlives_the_last_send_end)
{
	fill_up(_metadata, self->send, variant->capacity);
	EXPECT_EQ(0, end_channel(self->send, ENOTTY));
	close(self->send);
	while (info(self->recv).buffered)
		ASSERT_TRUE(got(self->recv, "kept"));
	EXPECT_EQ(CHAN_STATE_FAILED, info(self->recv).state);
	EXPECT_EQ(-ENOTTY, do_read(self->recv, &self->byte, 1));
}

TEST_F(closing, the_last_receive_end_of_a_closed_one)
{
	fill_up(_metadata, self->send, variant->capacity);
	EXPECT_EQ(0, end_channel(self->send, 0));
	close(self->recv);
	EXPECT_EQ(CHAN_STATE_CLOSED, info(self->send).state);
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_EQ(-EPIPE, put(self->send, "x"));
}

TEST_F(closing, a_broken_one_cannot_be_closed)
{
	close(self->recv);
	EXPECT_EQ(0, end_channel(self->send, EIO));
	EXPECT_EQ(CHAN_STATE_BROKEN, info(self->send).state);
	EXPECT_EQ(-EPIPE, put(self->send, "x"));
}

TEST_F(closing, closed_wins_over_waiting)
{
	EXPECT_EQ(-EAGAIN, try_read(self->recv, &self->byte, 1));
	fill_up(_metadata, self->send, variant->capacity);
	EXPECT_EQ(-EAGAIN, put(self->send, "x"));
	EXPECT_EQ(0, end_channel(self->send, 0));
	EXPECT_EQ(-EPIPE, put(self->send, "x"));
	while (info(self->recv).buffered)
		ASSERT_TRUE(got(self->recv, "kept"));
	EXPECT_EQ(0, try_read(self->recv, &self->byte, 1));
}

TEST_F(closing, wakes_all)
{
	struct op *op[10];
	int i;

	for (i = 0; i < 10; i++)
		op[i] = park_recv(_metadata, self->recv, 8);
	EXPECT_EQ(0, end_channel(self->send, 0));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, finish(op[i]));
}

/*
 * Closing against a busy channel: what senders were told agrees with what
 * receivers got.
 */
static void run_flood(struct op *op)
{
	long ret;

	for (op->flag = 0; ; op->flag++) {
		ret = do_write(op->fd, op->data, op->len);
		if (ret != (long)op->len)
			break;
	}
	op->ret = ret;
}

static void run_drain(struct op *op)
{
	long ret;

	for (op->flag = 0; ; op->flag++) {
		ret = do_read(op->fd, op->data, op->len);
		__atomic_store_n(&op->ready, op->flag + 2, __ATOMIC_RELEASE);
		if (ret != (long)op->len)
			break;
	}
	op->ret = ret;
}

static void close_under_load(struct __test_metadata *_metadata, struct pair *pair, size_t len)
{
	struct op *send[2], *recv[2];
	int i;

	for (i = 0; i < 2; i++) {
		send[i] = start(_metadata, pair->send, NULL, len, run_flood);
		recv[i] = start(_metadata, pair->recv, NULL, len, run_drain);
	}
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(wait_ready(recv[i], 10));
	EXPECT_EQ(0, end_channel(pair->send, EDOM));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(-EPIPE, finish(send[i]));
		EXPECT_EQ(-EDOM, finish(recv[i]));
	}
	EXPECT_EQ(send[0]->flag + send[1]->flag, recv[0]->flag + recv[1]->flag);
	EXPECT_EQ(send[0]->flag + send[1]->flag, info(pair->send).sent);
	EXPECT_EQ(recv[0]->flag + recv[1]->flag, info(pair->send).received);
}

TEST_F(closing, under_load_small)
{
	close_under_load(_metadata, &self->pair, 16);
}

TEST_F(closing, under_load_medium)
{
	close_under_load(_metadata, &self->pair, 3000);
}

TEST_F(closing, under_load_large)
{
	close_under_load(_metadata, &self->pair, 60000);
}

/* The last receive end goes while senders are busy. */
TEST_F(closing, receivers_killed_under_load)
{
	struct op *send[2], *recv;
	int i;

	for (i = 0; i < 2; i++)
		send[i] = start(_metadata, self->send, NULL, 5000, run_flood);
	recv = start(_metadata, self->recv, NULL, 5000, run_drain);
	close(self->recv);
	ASSERT_TRUE(wait_ready(recv, 10));
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(recv));
	for (i = 0; i < 2; i++)
		EXPECT_EQ(-EPIPE, finish(send[i]));
	EXPECT_EQ(CHAN_STATE_BROKEN, info(self->send).state);
	EXPECT_EQ(send[0]->flag + send[1]->flag, info(self->send).sent);
	EXPECT_TRUE(parked_are(self->send, 0, 0));
}

TEST_HARNESS_MAIN
