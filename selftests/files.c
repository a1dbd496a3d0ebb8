// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ends as files: shared by threads, asked not to wait per call, in io_uring.
 */
#include <pthread.h>

#include "ring_test.h"

FIXTURE(files) {
	struct pair pair;
	int send;
	int recv;
	char data[64];
};

FIXTURE_VARIANT(files) {
	__u32 capacity;
};

FIXTURE_VARIANT_ADD(files, unbuffered) {
	.capacity = 0,
};

FIXTURE_VARIANT_ADD(files, buffered) {
	.capacity = 2,
};

FIXTURE_SETUP(files)
{
	make_pair(_metadata, &self->pair, variant->capacity, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
}

FIXTURE_TEARDOWN(files)
{
	close_pair(&self->pair);
}

/* --- Threads with one file --- */

struct reader {
	pthread_t thread;
	int fd;
	long ret;
	char data[64];
};

static void *run_reader(void *arg)
{
	struct reader *reader = arg;

	reader->ret = do_read(reader->fd, reader->data, sizeof(reader->data));
	return NULL;
}

TEST_F(files, a_parked_read_does_not_block_another)
{
	struct reader reader[3] = { 0 };
	int i, seen = 0;

	for (i = 0; i < 3; i++) {
		reader[i].fd = self->recv;
		ASSERT_EQ(0, pthread_create(&reader[i].thread, NULL, run_reader, &reader[i]));
	}
	/* One file, and all of them are inside the module. */
	ASSERT_TRUE(wait_parked(self->recv, 0, 3));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, do_write(self->send, &"abc"[i], 1));
	for (i = 0; i < 3; i++) {
		pthread_join(reader[i].thread, NULL);
		EXPECT_EQ(1, reader[i].ret);
		seen |= 1 << (reader[i].data[0] - 'a');
	}
	EXPECT_EQ(7, seen);
}

TEST_F(files, a_parked_read_does_not_block_a_write)
{
	struct reader reader = { 0 };
	struct device dev;

	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&dev, variant->capacity, 0, 0600));
	reader.fd = device_open(&dev, O_RDWR);
	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, run_reader, &reader));
	ASSERT_TRUE(wait_parked(reader.fd, 0, 1));
	EXPECT_EQ(5, do_write(reader.fd, "hello", 5));
	pthread_join(reader.thread, NULL);
	EXPECT_EQ(5, reader.ret);
	EXPECT_EQ(0, device_remove(&dev));
}

/* The descriptor goes, the operation that uses the file stays. */
TEST_F(files, closing_the_descriptor_under_a_parked_read)
{
	struct reader reader = { .fd = self->recv };

	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, run_reader, &reader));
	ASSERT_TRUE(wait_parked(self->send, 0, 1));
	close(self->recv);
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->send).state);
	EXPECT_EQ(5, do_write(self->send, "hello", 5));
	pthread_join(reader.thread, NULL);
	EXPECT_EQ(5, reader.ret);
	EXPECT_TRUE(wait_until(info(self->send).state == CHAN_STATE_BROKEN));
}

/* --- Not to wait, for the file or for one call --- */

TEST_F(files, nonblock_goes_with_the_file)
{
	int copy = dup(self->recv);

	set_nonblock(copy, true);
	EXPECT_EQ(-EAGAIN, do_read(self->recv, self->data, 1));
	EXPECT_NE(0, fcntl(self->recv, F_GETFL) & O_NONBLOCK);
	set_nonblock(self->recv, false);
	EXPECT_EQ(0, fcntl(copy, F_GETFL) & O_NONBLOCK);
}

TEST_F(files, nowait_for_one_receive)
{
	struct iovec iov = { self->data, sizeof(self->data) };
	struct op *op;

	EXPECT_EQ(-EAGAIN, result(preadv2(self->recv, &iov, 1, -1, RWF_NOWAIT)));
	op = start_text(_metadata, self->send, "hello");
	ASSERT_TRUE(wait_until(info(self->send).parked_senders || info(self->send).buffered));
	EXPECT_EQ(5, result(preadv2(self->recv, &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(0, memcmp(self->data, "hello", 5));
	EXPECT_EQ(5, finish(op));
	EXPECT_EQ(-EAGAIN, result(preadv2(self->recv, &iov, 1, -1, RWF_NOWAIT)));
}

TEST_F(files, nowait_for_one_send)
{
	struct iovec iov = { "hello", 5 };
	struct op *op;
	__u32 i;

	for (i = 0; i < variant->capacity; i++)
		EXPECT_EQ(5, result(pwritev2(self->send, &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(-EAGAIN, result(pwritev2(self->send, &iov, 1, -1, RWF_NOWAIT)));
	for (i = 0; i < variant->capacity; i++)
		EXPECT_TRUE(got(self->recv, "hello"));
	op = park_recv(_metadata, self->recv, 8);
	EXPECT_EQ(5, result(pwritev2(self->send, &iov, 1, -1, RWF_NOWAIT)));
	EXPECT_TRUE(finish_text(op, "hello"));
}

TEST_F(files, no_place_but_the_current)
{
	struct iovec iov = { self->data, 1 };

	EXPECT_EQ(-ESPIPE, result(preadv(self->recv, &iov, 1, 0)));
	EXPECT_EQ(-ESPIPE, result(pwritev(self->send, &iov, 1, 0)));
}

TEST_F(files, no_mapping)
{
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 4096, PROT_READ, MAP_SHARED, self->recv, 0));
}

/* --- io_uring --- */

#define ring_start(ring)								\
do {											\
	if (!ring_init(ring))								\
		SKIP(return, "no io_uring: %s", strerror(errno));			\
} while (0)

TEST_F(files, io_uring_receive_waits)
{
	struct ring ring;
	struct op *op;
	__u64 whose;

	ring_start(&ring);
	ASSERT_EQ(1, ring_submit(&ring, IORING_OP_READ, self->recv, self->data,
				 sizeof(self->data), 7));
	EXPECT_TRUE(ring_empty(&ring));
	op = start_text(_metadata, self->send, "hello");
	EXPECT_EQ(5, ring_wait(&ring, &whose));
	EXPECT_EQ(7, whose);
	EXPECT_EQ(0, memcmp(self->data, "hello", 5));
	EXPECT_EQ(5, finish(op));
}

TEST_F(files, io_uring_send_waits)
{
	struct ring ring;
	struct op *op;
	__u64 whose;
	__u32 i;

	ring_start(&ring);
	for (i = 0; i < variant->capacity; i++)
		ASSERT_EQ(1, put(self->send, "x"));
	ASSERT_EQ(1, ring_submit(&ring, IORING_OP_WRITE, self->send, "hello", 5, 8));
	EXPECT_TRUE(ring_empty(&ring));
	op = start_recv(_metadata, self->recv, 8);
	EXPECT_EQ(5, ring_wait(&ring, &whose));
	EXPECT_EQ(8, whose);
	EXPECT_TRUE(finish_text(op, variant->capacity ? "x" : "hello"));
}

TEST_F(files, io_uring_completes_at_once_when_it_can)
{
	struct op *op = start_text(_metadata, self->send, "hello");
	struct ring ring;
	__u64 whose;

	ring_start(&ring);
	ASSERT_TRUE(wait_until(info(self->send).parked_senders || info(self->send).buffered));
	ASSERT_EQ(1, ring_submit(&ring, IORING_OP_READ, self->recv, self->data,
				 sizeof(self->data), 7));
	EXPECT_FALSE(ring_empty(&ring));
	EXPECT_EQ(5, ring_wait(&ring, &whose));
	EXPECT_EQ(5, finish(op));
}

TEST_F(files, io_uring_sees_the_end)
{
	struct ring ring;
	__u64 whose;

	ring_start(&ring);
	ASSERT_EQ(1, ring_submit(&ring, IORING_OP_READ, self->recv, self->data,
				 sizeof(self->data), 7));
	EXPECT_EQ(0, end_channel(self->send, EIO));
	EXPECT_EQ(-EIO, ring_wait(&ring, &whose));
	ASSERT_EQ(1, ring_submit(&ring, IORING_OP_WRITE, self->send, "hello", 5, 8));
	EXPECT_EQ(-EPIPE, ring_wait(&ring, &whose));
}

TEST_F(files, io_uring_cancelled_leaves_no_trace)
{
	struct ring ring;
	long first, second;
	__u64 whose;

	ring_start(&ring);
	ASSERT_EQ(1, ring_submit(&ring, IORING_OP_READ, self->recv, self->data,
				 sizeof(self->data), 7));
	ASSERT_EQ(1, ring_submit(&ring, IORING_OP_ASYNC_CANCEL, -1, (void *)7, 0, 9));
	/* The receive and the request to cancel it, in whatever order. */
	first = ring_wait(&ring, &whose);
	EXPECT_EQ(whose == 7 ? -ECANCELED : 0, first);
	second = ring_wait(&ring, &whose);
	EXPECT_EQ(-ECANCELED, first + second);
	EXPECT_TRUE(parked_are(self->recv, 0, 0));
	EXPECT_EQ(variant->capacity ? 1 : -EAGAIN, put(self->send, "x"));
}

TEST_HARNESS_MAIN
