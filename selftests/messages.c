// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: whole or not at all, of every size, from and into any memory.
 */
#include "chan_test.h"

#define PAGE	4096UL
#define BIG	(1024 * 1024)

/* Around where the module, the page or the interface changes its ways. */
static const size_t sizes[] = {
	1, 2, 7, 8, 63, 64, 65, 255, 256, 257, 511, 512, 1023, 1024, 1025, 2047, 2048, 2049,
	PAGE - 1, PAGE, PAGE + 1, 2 * PAGE - 1, 2 * PAGE, 2 * PAGE + 1, 5 * PAGE + 13,
	32767, 65535, 65536, 65537, 200000, BIG - 1, BIG,
};

FIXTURE(messages) {
	struct pair pair;
	int send;
	int recv;
	unsigned char *data;
	unsigned char *back;
};

FIXTURE_VARIANT(messages) {
	__u32 capacity;
};

FIXTURE_VARIANT_ADD(messages, unbuffered) {
	.capacity = 0,
};

FIXTURE_VARIANT_ADD(messages, buffered) {
	.capacity = 4,
};

FIXTURE_SETUP(messages)
{
	make_pair(_metadata, &self->pair, variant->capacity, BIG);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
	self->data = shared(_metadata, BIG + PAGE);
	self->back = shared(_metadata, BIG + PAGE);
}

FIXTURE_TEARDOWN(messages)
{
	close_pair(&self->pair);
}

/* Offer it from a process that waits if need be. */
static struct op *offer(struct __test_metadata *_metadata, int fd, const void *data, size_t len)
{
	struct op *op = start_send(_metadata, fd, data, len);

	ASSERT_TRUE(wait_until(info(fd).parked_senders || info(fd).buffered));
	return op;
}

TEST_F(messages, every_size_sender_first)
{
	struct op *op;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill(self->data, sizes[i], i);
		memset(self->back, 0x55, sizes[i] + 64);
		op = offer(_metadata, self->send, self->data, sizes[i]);
		ASSERT_EQ((long)sizes[i], try_read(self->recv, self->back, BIG + PAGE));
		ASSERT_TRUE(filled(self->back, sizes[i], i));
		/* Nothing is written beyond the message. */
		ASSERT_TRUE(all_bytes(self->back + sizes[i], 64, 0x55));
		ASSERT_EQ((long)sizes[i], finish(op));
	}
}

TEST_F(messages, every_size_receiver_first)
{
	struct op *op;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fill(self->data, sizes[i], i);
		op = park_recv(_metadata, self->recv, sizes[i] + 64);
		ASSERT_EQ((long)sizes[i], do_write(self->send, self->data, sizes[i]));
		ASSERT_EQ((long)sizes[i], finish(op));
		ASSERT_TRUE(filled(op->data, sizes[i], i));
		ASSERT_TRUE(all_bytes(op->data + sizes[i], 64, 0));
		munmap(op, sizeof(*op) + op->len);
	}
}

TEST_F(messages, every_size_into_exactly_that_room)
{
	struct op *op;
	size_t i;

	for (i = 0; sizes[i] <= 65537; i++) {
		fill(self->data, sizes[i], i);
		op = offer(_metadata, self->send, self->data, sizes[i]);
		ASSERT_EQ((long)sizes[i], try_read(self->recv, self->back, sizes[i]));
		ASSERT_TRUE(filled(self->back, sizes[i], i));
		ASSERT_EQ((long)sizes[i], finish(op));
	}
}

TEST_F(messages, every_place_in_a_page)
{
	static const size_t place[] = { 1, 7, 2048, PAGE - 300, PAGE - 1 };
	static const size_t size[] = { 5, 300, 2000, 9000 };
	struct op *op;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(place); i++) {
		for (j = 0; j < ARRAY_SIZE(size); j++) {
			fill(self->data, size[j], i + j);
			op = offer(_metadata, self->send, self->data, size[j]);
			ASSERT_EQ((long)size[j],
				  try_read(self->recv, self->back + place[i], size[j]));
			ASSERT_TRUE(filled(self->back + place[i], size[j], i + j));
			ASSERT_EQ((long)size[j], finish(op));

			fill(self->data + place[i], size[j], i + j);
			op = park_recv(_metadata, self->recv, size[j]);
			ASSERT_EQ((long)size[j],
				  do_write(self->send, self->data + place[i], size[j]));
			ASSERT_EQ((long)size[j], finish(op));
			ASSERT_TRUE(filled(op->data, size[j], i + j));
		}
	}
}

/* --- Too long --- */

TEST_F(messages, longer_than_max_msg)
{
	struct op *op = park_recv(_metadata, self->recv, 64);

	EXPECT_EQ(-EMSGSIZE, do_write(self->send, self->data, BIG + 1));
	EXPECT_EQ(-EMSGSIZE, try_write(self->send, self->data, BIG + 1));
	/* Nothing was queued, and the receiver did not notice. */
	EXPECT_TRUE(parked_are(self->send, 0, 1));
	EXPECT_EQ(0, info(self->send).sent);
	EXPECT_EQ(2, put(self->send, "ok"));
	EXPECT_TRUE(finish_text(op, "ok"));
}

TEST_F(messages, the_length_is_judged_before_the_memory)
{
	void *nowhere = mmap(NULL, 2 * BIG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_EQ(-EMSGSIZE, do_write(self->send, nowhere, BIG + 1));
	EXPECT_EQ(-EMSGSIZE, do_write(self->send, self->data, 0x7ffff000));
}

TEST_F(messages, max_msg_of_its_own)
{
	static const __u32 limit[] = { 1, 10, 256, 257, 5000 };
	struct pair pair;
	struct op *op;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limit); i++) {
		make_pair(_metadata, &pair, variant->capacity, limit[i]);
		fill(self->data, limit[i] + 1, i);
		EXPECT_EQ(-EMSGSIZE, do_write(pair.send, self->data, limit[i] + 1));
		op = offer(_metadata, pair.send, self->data, limit[i]);
		EXPECT_EQ((long)limit[i], try_read(pair.recv, self->back, BIG));
		EXPECT_TRUE(filled(self->back, limit[i], i));
		EXPECT_EQ((long)limit[i], finish(op));
		close_pair(&pair);
	}
}

TEST_F(messages, by_default_64k)
{
	struct pair pair;
	struct op *op;

	make_pair(_metadata, &pair, variant->capacity, 0);
	EXPECT_EQ(-EMSGSIZE, do_write(pair.send, self->data, 65537));
	op = offer(_metadata, pair.send, self->data, 65536);
	EXPECT_EQ(65536, try_read(pair.recv, self->back, BIG));
	EXPECT_EQ(65536, finish(op));
}

/* --- Too little room --- */

TEST_F(messages, too_little_room_leaves_it_first_in_line)
{
	static const size_t size[] = { 2, 200, 256, 257, 3000, PAGE, 60000 };
	struct op *op;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		fill(self->data, size[i], i);
		memset(self->back, 0x55, size[i]);
		op = offer(_metadata, self->send, self->data, size[i]);
		EXPECT_EQ(-EMSGSIZE, try_read(self->recv, self->back, size[i] - 1));
		EXPECT_EQ(-EMSGSIZE, do_read(self->recv, self->back, 1));
		EXPECT_EQ(-EMSGSIZE, do_read(self->recv, self->back, 0));
		EXPECT_EQ((long)size[i], try_read(self->recv, self->back, size[i]));
		EXPECT_TRUE(filled(self->back, size[i], i));
		EXPECT_EQ((long)size[i], finish(op));
	}
}

TEST_F(messages, too_little_room_does_not_change_the_order)
{
	struct op *first = offer(_metadata, self->send, "first", 5), *second;
	struct chan_info before = info(self->send);

	second = start_text(_metadata, self->send, "second");
	ASSERT_TRUE(wait_until(info(self->send).parked_senders + info(self->send).buffered ==
			       before.parked_senders + before.buffered + 1));
	EXPECT_EQ(-EMSGSIZE, try_read(self->recv, self->back, 4));
	EXPECT_TRUE(got(self->recv, "first"));
	EXPECT_TRUE(got(self->recv, "second"));
	EXPECT_EQ(5, finish(first));
	EXPECT_EQ(6, finish(second));
}

TEST_F(messages, a_parked_receiver_with_too_little_room_is_passed_over)
{
	struct op *small = park_recv(_metadata, self->recv, 4);
	struct op *tiny = park_recv(_metadata, self->recv, 1);
	struct op *large = park_recv(_metadata, self->recv, 64);
	struct op *last = park_recv(_metadata, self->recv, 64);

	EXPECT_EQ(5, do_write(self->send, "hello", 5));
	EXPECT_EQ(-EMSGSIZE, finish(small));
	EXPECT_EQ(-EMSGSIZE, finish(tiny));
	EXPECT_TRUE(finish_text(large, "hello"));
	EXPECT_TRUE(parked_are(self->send, 0, 1));
	EXPECT_EQ(1, info(self->send).received);
	EXPECT_EQ(1, put(self->send, "x"));
	EXPECT_TRUE(finish_text(last, "x"));
}

/* Of very many, only so many are told before others may have the lock. */
TEST_F(messages, very_many_receivers_with_too_little_room)
{
	struct op *small[70], *op;
	int i;

	for (i = 0; i < ARRAY_SIZE(small); i++)
		small[i] = park_recv(_metadata, self->recv, 4);
	op = offer(_metadata, self->send, "hello", 5);
	for (i = 0; i < ARRAY_SIZE(small); i++)
		EXPECT_EQ(-EMSGSIZE, finish(small[i]));
	EXPECT_TRUE(got(self->recv, "hello"));
	EXPECT_EQ(5, finish(op));
	EXPECT_EQ(1, info(self->send).received);
}

TEST_F(messages, only_receivers_with_too_little_room)
{
	struct op *small = park_recv(_metadata, self->recv, 4), *op;

	op = offer(_metadata, self->send, "hello", 5);
	EXPECT_EQ(-EMSGSIZE, finish(small));
	EXPECT_TRUE(parked_are(self->send, variant->capacity ? 0 : 1, 0));
	EXPECT_TRUE(got(self->recv, "hello"));
	EXPECT_EQ(5, finish(op));
}

TEST_F(messages, a_receive_without_room_waits_for_a_message_too)
{
	struct op *op;

	EXPECT_EQ(-EAGAIN, try_read(self->recv, self->back, 0));
	op = park_recv(_metadata, self->recv, 0);
	put(self->send, "hello");
	EXPECT_EQ(-EMSGSIZE, finish(op));
}

/* --- Nothing at all --- */

TEST_F(messages, write_of_nothing_sends_nothing)
{
	struct op *op = park_recv(_metadata, self->recv, 8);
	struct iovec none[2] = { { self->data, 0 }, { NULL, 0 } };

	EXPECT_EQ(0, do_write(self->send, self->data, 0));
	EXPECT_EQ(0, do_write(self->send, NULL, 0));
	EXPECT_EQ(0, try_write(self->send, self->data, 0));
	EXPECT_EQ(0, result(writev(self->send, none, 2)));
	EXPECT_TRUE(parked_are(self->send, 0, 1));
	EXPECT_EQ(0, info(self->send).sent);
	EXPECT_EQ(-EBADF, do_write(self->recv, self->data, 0));
	EXPECT_EQ(0, end_channel(self->send, EIO));
	EXPECT_EQ(-EIO, finish(op));
	EXPECT_EQ(0, do_write(self->send, self->data, 0));
	close(self->recv);
	EXPECT_EQ(0, do_write(self->send, self->data, 0));
}

/* --- Gather and scatter --- */

/* Cut @len bytes into pieces of uneven size, some of none. */
static int cut(struct iovec *iov, int max, unsigned char *data, size_t len, size_t step)
{
	size_t at = 0, size;
	int n = 0;

	while (at < len && n < max) {
		size = n == max - 1 ? len - at : (n * step) % (2 * step);
		if (size > len - at)
			size = len - at;
		iov[n].iov_base = data + at;
		iov[n].iov_len = size;
		at += size;
		n++;
	}
	return n;
}

static void run_readv(struct op *op)
{
	struct iovec iov[64];
	int n = cut(iov, 64, op->data, op->len, op->flag);

	op->ret = result(readv(op->fd, iov, n));
}

static void run_writev(struct op *op)
{
	struct iovec iov[64];
	int n = cut(iov, 64, op->data, op->len, op->flag);

	op->ret = result(writev(op->fd, iov, n));
}

static const struct {
	size_t len;
	size_t step;
} cuts[] = {
	{ 10, 3 }, { 256, 11 }, { 257, 100 }, { 3000, 1000 }, { 70000, 1111 }, { BIG, 30000 },
};

TEST_F(messages, gathered)
{
	struct op *op;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		op = new_op(_metadata, self->send, cuts[i].len);
		op->flag = cuts[i].step;
		fill(op->data, cuts[i].len, i);
		start_op(_metadata, op, run_writev);
		ASSERT_TRUE(wait_until(info(self->send).parked_senders ||
				       info(self->send).buffered));
		ASSERT_EQ((long)cuts[i].len, try_read(self->recv, self->back, BIG));
		ASSERT_TRUE(filled(self->back, cuts[i].len, i));
		ASSERT_EQ((long)cuts[i].len, finish(op));
	}
}

TEST_F(messages, scattered)
{
	struct op *op;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		op = new_op(_metadata, self->recv, cuts[i].len);
		op->flag = cuts[i].step;
		start_op(_metadata, op, run_readv);
		ASSERT_TRUE(wait_parked(self->recv, 0, 1));
		fill(self->data, cuts[i].len, i);
		ASSERT_EQ((long)cuts[i].len, do_write(self->send, self->data, cuts[i].len));
		ASSERT_EQ((long)cuts[i].len, finish(op));
		ASSERT_TRUE(filled(op->data, cuts[i].len, i));
	}
}

TEST_F(messages, gathered_and_scattered)
{
	struct iovec iov[64];
	struct op *op;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		op = new_op(_metadata, self->send, cuts[i].len);
		op->flag = cuts[i].step;
		fill(op->data, cuts[i].len, i);
		start_op(_metadata, op, run_writev);
		/* The room is larger than the message, and cut elsewhere. */
		n = cut(iov, 64, self->back, cuts[i].len + PAGE, cuts[i].step + 5);
		ASSERT_EQ((long)cuts[i].len, result(readv(self->recv, iov, n)));
		ASSERT_TRUE(filled(self->back, cuts[i].len, i));
		ASSERT_EQ((long)cuts[i].len, finish(op));
	}
}

TEST_F(messages, a_thousand_pieces)
{
	struct iovec iov[IOV_MAX + 1];
	struct op *op = park_recv(_metadata, self->recv, 3 * IOV_MAX);
	int i;

	fill(self->data, 3 * IOV_MAX, 1);
	for (i = 0; i <= IOV_MAX; i++) {
		iov[i].iov_base = self->data + 3 * i;
		iov[i].iov_len = 3;
	}
	EXPECT_EQ(3 * IOV_MAX, result(writev(self->send, iov, IOV_MAX)));
	EXPECT_EQ(3 * IOV_MAX, finish(op));
	EXPECT_TRUE(filled(op->data, 3 * IOV_MAX, 1));
	EXPECT_EQ(-EINVAL, result(writev(self->send, iov, IOV_MAX + 1)));
	EXPECT_EQ(1, info(self->send).sent);
}

TEST_F(messages, pieces_together_are_too_long_or_too_little)
{
	struct iovec iov[2] = { { self->data, BIG }, { self->data, 1 } };
	struct op *op;

	EXPECT_EQ(-EMSGSIZE, result(writev(self->send, iov, 2)));
	op = offer(_metadata, self->send, "hello", 5);
	iov[0].iov_len = 3;
	EXPECT_EQ(-EMSGSIZE, result(readv(self->recv, iov, 2)));
	iov[1].iov_len = 2;
	iov[1].iov_base = self->data + 3;
	EXPECT_EQ(5, result(readv(self->recv, iov, 2)));
	EXPECT_EQ(0, memcmp(self->data, "hello", 5));
	EXPECT_EQ(5, finish(op));
}

/* --- Order over mixed sizes --- */

static size_t size_of_message(int i)
{
	static const size_t size[] = { 4, 300, 8, 5000, 256, 17, 70000, 1024, 257 };

	return size[i % ARRAY_SIZE(size)];
}

static void run_mixed(struct op *op)
{
	int i;

	op->ret = 0;
	for (i = 0; i < op->flag && !op->ret; i++) {
		size_t size = size_of_message(i);

		fill(op->data, size, i);
		if (do_write(op->fd, op->data, size) != (long)size)
			op->ret = -EIO;
	}
}

TEST_F(messages, mixed_sizes_in_order)
{
	struct op *op = new_op(_metadata, self->send, 70000);
	int i;

	op->flag = 200;
	start_op(_metadata, op, run_mixed);
	for (i = 0; i < op->flag; i++) {
		ASSERT_EQ((long)size_of_message(i), do_read(self->recv, self->back, BIG));
		ASSERT_TRUE(filled(self->back, size_of_message(i), i));
	}
	EXPECT_EQ(0, finish(op));
}

TEST_HARNESS_MAIN
