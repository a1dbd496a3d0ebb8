// SPDX-License-Identifier: GPL-2.0-only
/*
 * libchan: every function, on the devices themselves.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mount.h>

#include "libchan_test.h"

/* --- Calls in threads of their own --- */

struct call {
	pthread_t thread;
	struct chan_tx tx;
	struct chan_rx rx;
	uint64_t deadline;
	char buf[64];
	size_t len;
	long ret;
};

static void *send_call(void *arg)
{
	struct call *call = arg;

	call->ret = CALL(chan_send(call->tx, call->buf, call->len));
	return NULL;
}

static void *recv_call(void *arg)
{
	struct call *call = arg;

	call->ret = CALL(chan_recv(call->rx, call->buf, sizeof(call->buf), &call->len));
	return NULL;
}

static void *recv_until_call(void *arg)
{
	struct call *call = arg;

	call->ret = CALL(chan_recv_until(call->rx, call->buf, sizeof(call->buf), &call->len,
					 call->deadline));
	return NULL;
}

static void park_send_call(struct __test_metadata *_metadata, struct call *call,
			   struct chan_tx tx, const char *text)
{
	call->tx = tx;
	call->len = strlen(text);
	call->ret = OP_STUCK;
	memcpy(call->buf, text, call->len);
	ASSERT_EQ(0, pthread_create(&call->thread, NULL, send_call, call));
	ASSERT_TRUE(wait_parked(tx.fd, 1, 0));
}

static void park_receiver(struct __test_metadata *_metadata, struct call *call,
			  struct chan_rx rx, void *(*run)(void *))
{
	call->rx = rx;
	call->ret = OP_STUCK;
	ASSERT_EQ(0, pthread_create(&call->thread, NULL, run, call));
	ASSERT_TRUE(wait_parked(rx.fd, 0, 1));
}

static void park_recv_call(struct __test_metadata *_metadata, struct call *call,
			   struct chan_rx rx)
{
	park_receiver(_metadata, call, rx, recv_call);
}

static void park_recv_until_call(struct __test_metadata *_metadata, struct call *call,
				 struct chan_rx rx, uint64_t deadline)
{
	call->deadline = deadline;
	park_receiver(_metadata, call, rx, recv_until_call);
}

static long join(struct call *call)
{
	pthread_join(call->thread, NULL);
	return call->ret;
}

static bool holds(const char *buf, size_t len, const char *text)
{
	return len == strlen(text) && !memcmp(buf, text, len);
}

static bool close_on_exec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static bool nonblocking(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* --- Anonymous channels: with a buffer, and without --- */

FIXTURE(pair)
{
	struct chan_tx tx;
	struct chan_rx rx;
	char buf[64];
	size_t len;
};

FIXTURE_VARIANT(pair)
{
	unsigned int capacity;
};

FIXTURE_VARIANT_ADD(pair, rendezvous)
{
	.capacity = 0,
};

FIXTURE_VARIANT_ADD(pair, buffered)
{
	.capacity = 2,
};

FIXTURE_SETUP(pair)
{
	ASSERT_EQ(0, CALL(chan_pair(variant->capacity, sizeof(self->buf), 0,
				    &self->tx, &self->rx)));
}

FIXTURE_TEARDOWN(pair)
{
	chan_tx_release(&self->tx);
	chan_rx_release(&self->rx);
}

TEST_F(pair, is_what_was_asked_for)
{
	struct chan_info info;

	EXPECT_TRUE(close_on_exec(self->tx.fd));
	EXPECT_TRUE(close_on_exec(self->rx.fd));
	EXPECT_FALSE(nonblocking(self->tx.fd));
	EXPECT_FALSE(nonblocking(self->rx.fd));

	EXPECT_EQ(0, CALL(chan_tx_info(self->tx, &info, sizeof(info))));
	EXPECT_EQ(variant->capacity, info.capacity);
	EXPECT_EQ(sizeof(self->buf), info.max_msg);
	EXPECT_EQ(CHAN_STATE_OPEN, info.state);
	EXPECT_EQ(1, info.send_ends);
	EXPECT_EQ(1, info.recv_ends);
	EXPECT_EQ(CHAN_INFO_SEND | CHAN_INFO_HANGUP, info.flags);

	EXPECT_EQ(0, CALL(chan_rx_info(self->rx, &info, sizeof(info))));
	EXPECT_EQ(CHAN_INFO_RECV | CHAN_INFO_HANGUP, info.flags);
}

TEST_F(pair, message_crosses)
{
	struct chan_info info;
	struct call call;

	park_recv_call(_metadata, &call, self->rx);
	EXPECT_EQ(0, CALL(chan_send(self->tx, "hello", 5)));
	EXPECT_EQ(1, join(&call));
	EXPECT_TRUE(holds(call.buf, call.len, "hello"));

	EXPECT_EQ(0, CALL(chan_rx_info(self->rx, &info, sizeof(info))));
	EXPECT_EQ(1, info.sent);
	EXPECT_EQ(1, info.received);
}

TEST_F(pair, message_too_long)
{
	char big[sizeof(self->buf) + 1] = {};

	EXPECT_EQ(-EMSGSIZE, CALL(chan_send(self->tx, big, sizeof(big))));
	EXPECT_EQ(-EMSGSIZE, CALL(chan_try_send(self->tx, big, sizeof(big))));
	EXPECT_EQ(0, info(self->tx.fd).sent);
}

TEST_F(pair, send_from_bad_memory)
{
	struct call call;

	park_recv_call(_metadata, &call, self->rx);
	EXPECT_EQ(-EFAULT, CALL(chan_send(self->tx, (void *)8, 8)));
	EXPECT_EQ(-EFAULT, CALL(chan_try_send(self->tx, (void *)8, 8)));
	EXPECT_EQ(0, CALL(chan_try_send(self->tx, "good", 4)));
	EXPECT_EQ(1, join(&call));
	EXPECT_TRUE(holds(call.buf, call.len, "good"));
}

/* Either by the sender, asleep, or by the buffer. */
static void offer(struct __test_metadata *_metadata, struct call *call, unsigned int capacity,
		  struct chan_tx tx, const char *text)
{
	call->ret = 0;
	if (!capacity)
		return park_send_call(_metadata, call, tx, text);
	ASSERT_EQ(0, CALL(chan_send(tx, text, strlen(text))));
}

static long settle(struct call *call, unsigned int capacity)
{
	return capacity ? 0 : join(call);
}

TEST_F(pair, failed_receive_leaves_message_first)
{
	struct call call;

	offer(_metadata, &call, variant->capacity, self->tx, "message");

	self->len = 99;
	EXPECT_EQ(-EMSGSIZE, CALL(chan_recv(self->rx, self->buf, 6, &self->len)));
	EXPECT_EQ(7, self->len);
	self->len = 99;
	EXPECT_EQ(-EMSGSIZE, CALL(chan_try_recv(self->rx, self->buf, 6, &self->len)));
	EXPECT_EQ(7, self->len);
	self->len = 99;
	EXPECT_EQ(-EFAULT, CALL(chan_recv(self->rx, (void *)8, 64, &self->len)));
	EXPECT_EQ(0, self->len);
	EXPECT_EQ(-EFAULT, CALL(chan_try_recv(self->rx, (void *)8, 64, &self->len)));
	EXPECT_EQ(-EMSGSIZE, CALL(chan_recv(self->rx, NULL, 0, &self->len)));
	EXPECT_EQ(7, self->len);
	self->len = 99;
	EXPECT_EQ(-EMSGSIZE, CALL(chan_try_recv(self->rx, NULL, 0, &self->len)));
	EXPECT_EQ(7, self->len);

	EXPECT_EQ(1, CALL(chan_recv(self->rx, self->buf, 7, &self->len)));
	EXPECT_TRUE(holds(self->buf, self->len, "message"));
	EXPECT_EQ(0, settle(&call, variant->capacity));
}

TEST_F(pair, empty_message_crosses)
{
	struct call call;

	park_recv_call(_metadata, &call, self->rx);
	call.len = 99;
	EXPECT_EQ(0, CALL(chan_send(self->tx, NULL, 0)));
	EXPECT_EQ(1, join(&call));
	EXPECT_EQ(0, call.len);
	EXPECT_EQ(1, info(self->rx.fd).received);
}

TEST_F(pair, empty_message_is_not_the_end)
{
	struct call call;

	offer(_metadata, &call, variant->capacity, self->tx, "");
	self->len = 99;
	EXPECT_EQ(1, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_EQ(0, self->len);
	EXPECT_EQ(0, settle(&call, variant->capacity));
	offer(_metadata, &call, variant->capacity, self->tx, "");
	EXPECT_EQ(1, CALL(chan_recv(self->rx, NULL, 0, &self->len)));
	EXPECT_EQ(0, settle(&call, variant->capacity));
	EXPECT_EQ(-EAGAIN, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));

	EXPECT_EQ(0, CALL(chan_tx_release(&self->tx)));
	EXPECT_EQ(0, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
}

TEST_F(pair, try_send_empty_messages_until_it_would_wait)
{
	unsigned int i;

	for (i = 0; i < variant->capacity; i++)
		EXPECT_EQ(0, CALL(chan_try_send(self->tx, NULL, 0)));
	EXPECT_EQ(-EAGAIN, CALL(chan_try_send(self->tx, NULL, 0)));
	EXPECT_EQ(variant->capacity, info(self->tx.fd).buffered);
	EXPECT_EQ(0, info(self->tx.fd).parked_senders);

	EXPECT_EQ(0, CALL(chan_rx_release(&self->rx)));
	EXPECT_EQ(-EPIPE, CALL(chan_send(self->tx, NULL, 0)));
	EXPECT_EQ(-EPIPE, CALL(chan_try_send(self->tx, NULL, 0)));
}

TEST_F(pair, end_is_no_message)
{
	int i;

	EXPECT_EQ(0, CALL(chan_tx_release(&self->tx)));
	for (i = 0; i < 2; i++) {
		self->len = 99;
		EXPECT_EQ(0, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
		EXPECT_EQ(0, self->len);
		self->len = 99;
		EXPECT_EQ(0, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
		EXPECT_EQ(0, self->len);
		EXPECT_EQ(0, CALL(chan_recv(self->rx, NULL, 0, &self->len)));
		EXPECT_EQ(0, CALL(chan_try_recv(self->rx, NULL, 0, &self->len)));
	}
}

TEST_F(pair, end_wakes_receiver)
{
	struct call call;

	park_recv_call(_metadata, &call, self->rx);
	EXPECT_EQ(0, CALL(chan_tx_release(&self->tx)));
	EXPECT_EQ(0, join(&call));
	EXPECT_EQ(0, call.len);
}

TEST_F(pair, last_receiver_goes)
{
	/* The default for SIGPIPE would be the end of the test. */
	signal(SIGPIPE, SIG_DFL);
	EXPECT_EQ(0, CALL(chan_rx_release(&self->rx)));
	EXPECT_EQ(-EPIPE, CALL(chan_send(self->tx, "x", 1)));
	EXPECT_EQ(-EPIPE, CALL(chan_try_send(self->tx, "x", 1)));
	EXPECT_EQ(CHAN_STATE_BROKEN, info(self->tx.fd).state);
}

TEST_F(pair, close_without_cause)
{
	EXPECT_EQ(0, CALL(chan_close(self->tx, 0)));
	EXPECT_EQ(-EPIPE, CALL(chan_send(self->tx, "x", 1)));
	EXPECT_EQ(-EPIPE, CALL(chan_try_send(self->tx, "x", 1)));
	EXPECT_EQ(0, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_EQ(0, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_EQ(CHAN_STATE_CLOSED, info(self->rx.fd).state);
}

TEST_F(pair, close_with_cause)
{
	int i;

	EXPECT_EQ(0, CALL(chan_close(self->tx, ECONNRESET)));
	EXPECT_EQ(0, CALL(chan_close(self->tx, 0)));
	EXPECT_EQ(0, CALL(chan_close(self->tx, EIO)));
	EXPECT_EQ(-EPIPE, CALL(chan_send(self->tx, "x", 1)));
	EXPECT_EQ(-EPIPE, CALL(chan_try_send(self->tx, "x", 1)));
	EXPECT_EQ(0, CALL(chan_tx_release(&self->tx)));
	for (i = 0; i < 2; i++) {
		self->len = 99;
		EXPECT_EQ(-ECONNRESET, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
		EXPECT_EQ(0, self->len);
		EXPECT_EQ(-ECONNRESET, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
		EXPECT_EQ(-ECONNRESET, CALL(chan_try_recv(self->rx, NULL, 0, &self->len)));
	}
	EXPECT_EQ(CHAN_STATE_FAILED, info(self->rx.fd).state);
	EXPECT_EQ(ECONNRESET, info(self->rx.fd).cause);
}

TEST_F(pair, close_wakes_both_kinds)
{
	struct call call;

	park_recv_call(_metadata, &call, self->rx);
	EXPECT_EQ(0, CALL(chan_close(self->tx, EREMOTEIO)));
	EXPECT_EQ(-EREMOTEIO, join(&call));
}

TEST_F(pair, close_with_a_bad_cause)
{
	EXPECT_EQ(-EINVAL, CALL(chan_close(self->tx, -1)));
	EXPECT_EQ(-EINVAL, CALL(chan_close(self->tx, -EIO)));
	EXPECT_EQ(-EINVAL, CALL(chan_close(self->tx, CHAN_MAX_ERROR + 1)));
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->tx.fd).state);
	EXPECT_EQ(0, CALL(chan_close(self->tx, CHAN_MAX_ERROR)));
	EXPECT_EQ(-CHAN_MAX_ERROR, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
}

TEST_F(pair, wrong_direction)
{
	struct chan_tx tx = { self->rx.fd };
	struct chan_rx rx = { self->tx.fd };

	EXPECT_EQ(-EBADF, CALL(chan_send(tx, "x", 1)));
	EXPECT_EQ(-EBADF, CALL(chan_try_send(tx, "x", 1)));
	EXPECT_EQ(-EBADF, CALL(chan_close(tx, 0)));
	self->len = 99;
	EXPECT_EQ(-EBADF, CALL(chan_recv(rx, self->buf, 64, &self->len)));
	EXPECT_EQ(0, self->len);
	EXPECT_EQ(-EBADF, CALL(chan_try_recv(rx, self->buf, 64, &self->len)));
	EXPECT_EQ(-EBADF, CALL(chan_try_recv(rx, NULL, 0, &self->len)));
}

TEST_F(pair, try_receive_from_nobody)
{
	self->len = 99;
	EXPECT_EQ(-EAGAIN, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_EQ(0, self->len);
	EXPECT_EQ(-EAGAIN, CALL(chan_try_recv(self->rx, NULL, 0, &self->len)));
	EXPECT_FALSE(nonblocking(self->rx.fd));
	EXPECT_EQ(0, info(self->rx.fd).parked_receivers);
}

TEST_F(pair, try_send_until_it_would_wait)
{
	unsigned int i;

	for (i = 0; i < variant->capacity; i++)
		EXPECT_EQ(0, CALL(chan_try_send(self->tx, "x", 1)));
	EXPECT_EQ(-EAGAIN, CALL(chan_try_send(self->tx, "x", 1)));
	EXPECT_FALSE(nonblocking(self->tx.fd));
	EXPECT_EQ(variant->capacity, info(self->tx.fd).buffered);
	EXPECT_EQ(0, info(self->tx.fd).parked_senders);
}

TEST_F(pair, try_send_to_parked_receiver)
{
	struct call call;

	park_recv_call(_metadata, &call, self->rx);
	EXPECT_EQ(0, CALL(chan_try_send(self->tx, "now", 3)));
	EXPECT_EQ(1, join(&call));
	EXPECT_TRUE(holds(call.buf, call.len, "now"));
}

TEST_F(pair, try_receive_from_parked_sender)
{
	unsigned int i;
	struct call call;

	for (i = 0; i < variant->capacity; i++)
		ASSERT_EQ(0, CALL(chan_try_send(self->tx, "before", 6)));
	park_send_call(_metadata, &call, self->tx, "last");
	for (i = 0; i < variant->capacity; i++) {
		EXPECT_EQ(1, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
		EXPECT_TRUE(holds(self->buf, self->len, "before"));
	}
	EXPECT_EQ(1, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_TRUE(holds(self->buf, self->len, "last"));
	EXPECT_EQ(0, join(&call));
}

TEST_F(pair, close_fails_parked_sender)
{
	unsigned int i;
	struct call call;

	for (i = 0; i < variant->capacity; i++)
		ASSERT_EQ(0, CALL(chan_send(self->tx, "kept", 4)));
	park_send_call(_metadata, &call, self->tx, "late");
	EXPECT_EQ(0, CALL(chan_close(self->tx, EIO)));
	EXPECT_EQ(-EPIPE, join(&call));
	for (i = 0; i < variant->capacity; i++) {
		EXPECT_EQ(1, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
		EXPECT_TRUE(holds(self->buf, self->len, "kept"));
	}
	EXPECT_EQ(-EIO, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
}

/* --- Deadlines, and who has sent a message --- */

#define SOON		chan_deadline(20 * CHAN_MILLISECOND)
#define PAST		1

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void fill_buffer(struct __test_metadata *_metadata, struct chan_tx tx,
			unsigned int capacity)
{
	while (capacity--)
		ASSERT_EQ(0, CALL(chan_try_send(tx, "x", 1)));
}

TEST(deadlines)
{
	uint64_t before = now_ns(), deadline;

	deadline = CALL(chan_deadline(3 * CHAN_SECOND));
	EXPECT_LE(before + 3000000000ULL, deadline);
	EXPECT_GE(now_ns() + 3000000000ULL, deadline);
	EXPECT_LT(before, chan_deadline(1));

	EXPECT_EQ(0, chan_deadline(0));
	EXPECT_EQ(CHAN_SELECT_FOREVER, chan_deadline(CHAN_FOREVER));
	EXPECT_EQ(CHAN_SELECT_FOREVER, chan_deadline(INT64_MIN));
	EXPECT_EQ(CHAN_SELECT_FOREVER, chan_deadline(INT64_MAX));
	EXPECT_EQ(CHAN_SELECT_FOREVER, chan_deadline(INT64_MAX - before + 1));
	EXPECT_GT(INT64_MAX, chan_deadline(INT64_MAX / 2));
}

TEST_F(pair, send_gives_up_at_the_deadline)
{
	uint64_t deadline = SOON;

	fill_buffer(_metadata, self->tx, variant->capacity);
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_send_until(self->tx, "x", 1, deadline)));
	EXPECT_LE(deadline, now_ns());
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_send_until(self->tx, "x", 1, PAST)));
	EXPECT_EQ(-EAGAIN, CALL(chan_send_until(self->tx, "x", 1, 0)));
	EXPECT_EQ(variant->capacity, info(self->tx.fd).sent);
	EXPECT_EQ(0, info(self->tx.fd).parked_senders);
}

TEST_F(pair, receive_gives_up_at_the_deadline)
{
	uint64_t deadline = SOON;

	self->len = 99;
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_recv_until(self->rx, self->buf, 64, &self->len,
						   deadline)));
	EXPECT_LE(deadline, now_ns());
	EXPECT_EQ(0, self->len);
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_recv_until(self->rx, self->buf, 64, &self->len, PAST)));
	EXPECT_EQ(-EAGAIN, CALL(chan_recv_until(self->rx, self->buf, 64, &self->len, 0)));
	EXPECT_EQ(0, info(self->rx.fd).parked_receivers);
}

TEST_F(pair, deadline_counts_and_not_the_flag_of_the_file)
{
	set_nonblock(self->tx.fd, true);
	set_nonblock(self->rx.fd, true);
	fill_buffer(_metadata, self->tx, variant->capacity);
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_send_until(self->tx, "x", 1, SOON)));
	while (CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)) == 1)
		;
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_recv_until(self->rx, self->buf, 64, &self->len, SOON)));
}

TEST_F(pair, what_is_possible_happens_after_the_deadline_too)
{
	struct call call;

	park_recv_until_call(_metadata, &call, self->rx, CHAN_SELECT_FOREVER);
	EXPECT_EQ(0, CALL(chan_send_until(self->tx, "late", 4, PAST)));
	EXPECT_EQ(1, join(&call));
	EXPECT_TRUE(holds(call.buf, call.len, "late"));

	offer(_metadata, &call, variant->capacity, self->tx, "later");
	EXPECT_EQ(1, CALL(chan_recv_until(self->rx, self->buf, 64, &self->len, PAST)));
	EXPECT_TRUE(holds(self->buf, self->len, "later"));
	EXPECT_EQ(0, settle(&call, variant->capacity));
}

TEST_F(pair, message_comes_before_the_deadline)
{
	struct call call;

	park_recv_until_call(_metadata, &call, self->rx, chan_deadline(1000 * CHAN_SECOND));
	EXPECT_EQ(0, CALL(chan_send_until(self->tx, "hello", 5, CHAN_SELECT_FOREVER)));
	EXPECT_EQ(1, join(&call));
	EXPECT_TRUE(holds(call.buf, call.len, "hello"));
}

TEST_F(pair, close_wakes_a_receiver_with_a_deadline)
{
	struct call call;

	park_recv_until_call(_metadata, &call, self->rx, CHAN_SELECT_FOREVER);
	EXPECT_EQ(0, CALL(chan_close(self->tx, 0)));
	EXPECT_EQ(0, join(&call));
	EXPECT_EQ(0, call.len);
}

TEST_F(pair, failed_receive_with_a_deadline)
{
	struct call call;

	offer(_metadata, &call, variant->capacity, self->tx, "message");
	EXPECT_EQ(-EMSGSIZE, CALL(chan_recv_until(self->rx, self->buf, 6, &self->len, SOON)));
	EXPECT_EQ(7, self->len);
	EXPECT_EQ(-EFAULT, CALL(chan_recv_until(self->rx, (void *)8, 64, &self->len, SOON)));
	EXPECT_EQ(0, self->len);
	EXPECT_EQ(1, CALL(chan_recv_until(self->rx, self->buf, 7, &self->len, SOON)));
	EXPECT_TRUE(holds(self->buf, self->len, "message"));
	EXPECT_EQ(0, settle(&call, variant->capacity));
}

TEST_F(pair, failed_send_with_a_deadline)
{
	char big[sizeof(self->buf) + 1] = {};

	EXPECT_EQ(-EMSGSIZE, CALL(chan_send_until(self->tx, big, sizeof(big), SOON)));
	EXPECT_EQ(-EFAULT, CALL(chan_send_until(self->tx, (void *)8, 8, SOON)));
	EXPECT_EQ(0, CALL(chan_rx_release(&self->rx)));
	EXPECT_EQ(-EPIPE, CALL(chan_send_until(self->tx, "x", 1, CHAN_SELECT_FOREVER)));
}

/* 4 GiB more than a case can say must not pass for none. */
TEST_F(pair, length_beyond_any_channel)
{
	if (sizeof(size_t) == sizeof(__u32))
		SKIP(return, "no such length here");
	EXPECT_EQ(-EMSGSIZE, CALL(chan_send_until(self->tx, "x", (size_t)UINT32_MAX + 1, 0)));
	EXPECT_EQ(-EMSGSIZE, CALL(chan_send_until(self->tx, "x", SIZE_MAX, 0)));
	EXPECT_EQ(0, info(self->tx.fd).sent);
}

/* The end, every cause, and those that look like something else. */
static void expect_end(struct __test_metadata *_metadata, int cause, long expected)
{
	struct chan_tx tx;
	struct chan_rx rx;
	size_t len = 99;
	char buf[8];

	ASSERT_EQ(0, CALL(chan_pair(0, 0, 0, &tx, &rx)));
	EXPECT_EQ(0, CALL(chan_close(tx, cause)));
	EXPECT_EQ(expected, CALL(chan_recv_until(rx, buf, sizeof(buf), &len,
						 CHAN_SELECT_FOREVER)));
	EXPECT_EQ(0, len);
	EXPECT_EQ(expected, CALL(chan_recv(rx, buf, sizeof(buf), &len)));
	EXPECT_EQ(0, len);
	EXPECT_EQ(expected, CALL(chan_try_recv(rx, NULL, 0, &len)));
	EXPECT_EQ(0, len);
	EXPECT_EQ(-EPIPE, CALL(chan_send_until(tx, "x", 1, CHAN_SELECT_FOREVER)));
	chan_tx_release(&tx);
	chan_rx_release(&rx);
}

TEST(ends_with_and_without_a_deadline)
{
	expect_end(_metadata, 0, 0);
	expect_end(_metadata, ECONNRESET, -ECONNRESET);
	expect_end(_metadata, EPIPE, -EPIPE);
	expect_end(_metadata, EMSGSIZE, -EMSGSIZE);
	expect_end(_metadata, EBADMSG, -EBADMSG);
	expect_end(_metadata, EAGAIN, -EAGAIN);
}

TEST(deadline_on_what_is_no_end)
{
	struct chan_tx tx = CHAN_TX_INIT, pipe_tx;
	struct chan_rx rx = CHAN_RX_INIT, pipe_rx;
	size_t len = 99;
	char buf[8];
	int fds[2];

	EXPECT_EQ(-EBADF, CALL(chan_send_until(tx, "x", 1, CHAN_SELECT_FOREVER)));
	EXPECT_EQ(-EBADF, CALL(chan_recv_until(rx, buf, 8, &len, CHAN_SELECT_FOREVER)));
	EXPECT_EQ(0, len);
	EXPECT_EQ(-EBADF, CALL(chan_send(tx, NULL, 0)));
	tx.fd = 1000;
	EXPECT_EQ(-EBADF, CALL(chan_send_until(tx, "x", 1, CHAN_SELECT_FOREVER)));

	ASSERT_EQ(0, pipe(fds));
	pipe_rx.fd = fds[0];
	pipe_tx.fd = fds[1];
	EXPECT_EQ(-EOPNOTSUPP, CALL(chan_send_until(pipe_tx, "x", 1, 0)));
	EXPECT_EQ(-EOPNOTSUPP, CALL(chan_recv_until(pipe_rx, buf, 8, &len, 0)));
	EXPECT_EQ(-EOPNOTSUPP, CALL(chan_send(pipe_tx, NULL, 0)));
}

TEST_F(pair, deadline_in_the_wrong_direction)
{
	struct chan_tx tx = { self->rx.fd };
	struct chan_rx rx = { self->tx.fd };

	EXPECT_EQ(-EBADF, CALL(chan_send_until(tx, "x", 1, CHAN_SELECT_FOREVER)));
	EXPECT_EQ(-EBADF, CALL(chan_send(tx, NULL, 0)));
	EXPECT_EQ(-EBADF, CALL(chan_recv_until(rx, self->buf, 64, &self->len,
					       CHAN_SELECT_FOREVER)));
}

static int send_as(uid_t uid, struct chan_tx tx)
{
	if (uid != getuid() && !become(uid))
		return 1;
	return chan_send(tx, "from", 4) ? 2 : 0;
}

TEST_F(pair, sender_of_a_message)
{
	uid_t uid = is_root() ? NOBODY : getuid();
	struct chan_sender sender = {};
	int status;
	pid_t child;

	child = fork_child();
	ASSERT_LE(0, child);
	if (!child)
		_exit(send_as(uid, self->tx));
	EXPECT_EQ(1, CALL(chan_recv_from(self->rx, self->buf, 64, &self->len, &sender,
					 CHAN_SELECT_FOREVER)));
	EXPECT_TRUE(holds(self->buf, self->len, "from"));
	EXPECT_EQ(child, sender.pid);
	EXPECT_EQ(uid, sender.uid);
	ASSERT_TRUE(ended(child, &status));
	EXPECT_EQ(0, status);
}

TEST_F(pair, sender_of_no_message)
{
	struct chan_sender sender = { 99, 99 };
	struct call call;

	EXPECT_EQ(-EAGAIN, CALL(chan_recv_from(self->rx, self->buf, 64, &self->len, &sender,
					       0)));
	EXPECT_EQ(0, sender.pid);
	EXPECT_EQ(-1, (int)sender.uid);

	offer(_metadata, &call, variant->capacity, self->tx, "message");
	sender.pid = 99;
	EXPECT_EQ(-EMSGSIZE, CALL(chan_recv_from(self->rx, self->buf, 1, &self->len, &sender,
						 0)));
	EXPECT_EQ(7, self->len);
	EXPECT_EQ(0, sender.pid);
	EXPECT_EQ(1, CALL(chan_recv_from(self->rx, self->buf, 64, &self->len, NULL, 0)));
	EXPECT_EQ(0, settle(&call, variant->capacity));

	EXPECT_EQ(0, CALL(chan_tx_release(&self->tx)));
	sender.pid = 99;
	EXPECT_EQ(0, CALL(chan_recv_from(self->rx, self->buf, 64, &self->len, &sender,
					 CHAN_SELECT_FOREVER)));
	EXPECT_EQ(0, sender.pid);
	EXPECT_EQ(-1, (int)sender.uid);
}

/* --- Signals, cancellation, release while a thread waits --- */

static int handled;

static void on_signal(int sig)
{
	__atomic_store_n(&handled, sig, __ATOMIC_RELEASE);
}

static void handle(int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
}

TEST_F(pair, signal_interrupts_receive)
{
	struct call call;

	handle(0);
	park_recv_call(_metadata, &call, self->rx);
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, join(&call));
	EXPECT_EQ(0, call.len);
	EXPECT_EQ(0, info(self->rx.fd).received);
}

TEST_F(pair, signal_interrupts_send)
{
	unsigned int i;
	struct call call;

	handle(0);
	for (i = 0; i < variant->capacity; i++)
		ASSERT_EQ(0, CALL(chan_send(self->tx, "x", 1)));
	park_send_call(_metadata, &call, self->tx, "never");
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, join(&call));
	EXPECT_EQ(variant->capacity, info(self->tx.fd).sent);
	for (i = 0; i < variant->capacity; i++)
		EXPECT_EQ(1, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_EQ(-EAGAIN, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
}

TEST_F(pair, signal_with_restart)
{
	struct call call;

	handle(SA_RESTART);
	park_recv_call(_metadata, &call, self->rx);
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	ASSERT_TRUE(wait_until(__atomic_load_n(&handled, __ATOMIC_ACQUIRE)));
	EXPECT_EQ(0, CALL(chan_send(self->tx, "after", 5)));
	EXPECT_EQ(1, join(&call));
	EXPECT_TRUE(holds(call.buf, call.len, "after"));
}

TEST_F(pair, signal_interrupts_receive_with_a_deadline)
{
	struct call call;

	handle(0);
	park_recv_until_call(_metadata, &call, self->rx, CHAN_SELECT_FOREVER);
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, join(&call));
	EXPECT_EQ(0, call.len);
	EXPECT_EQ(0, info(self->rx.fd).received);
}

static bool joined_under_signals(struct call *call)
{
	pthread_kill(call->thread, SIGUSR1);
	return !pthread_tryjoin_np(call->thread, NULL);
}

/* It would never end if each restart began the wait anew. */
TEST_F(pair, restarts_keep_the_deadline)
{
	struct call call = { .rx = self->rx, .deadline = SOON };

	handle(SA_RESTART);
	ASSERT_EQ(0, pthread_create(&call.thread, NULL, recv_until_call, &call));
	ASSERT_TRUE(wait_until(joined_under_signals(&call)));
	EXPECT_EQ(-ETIMEDOUT, call.ret);
	EXPECT_LE(call.deadline, now_ns());
}

static void expect_cancelled(struct __test_metadata *_metadata, pthread_t thread)
{
	void *result;

	ASSERT_EQ(0, pthread_cancel(thread));
	ASSERT_EQ(0, pthread_join(thread, &result));
	EXPECT_EQ(PTHREAD_CANCELED, result);
}

TEST_F(pair, thread_is_cancelled)
{
	struct call call;

	park_recv_call(_metadata, &call, self->rx);
	expect_cancelled(_metadata, call.thread);
	EXPECT_EQ(0, info(self->rx.fd).parked_receivers);
}

TEST_F(pair, thread_with_a_deadline_is_cancelled)
{
	struct call call;

	park_recv_until_call(_metadata, &call, self->rx, CHAN_SELECT_FOREVER);
	expect_cancelled(_metadata, call.thread);
	EXPECT_EQ(0, info(self->rx.fd).parked_receivers);
}

TEST_F(pair, release_does_not_disturb_a_waiting_thread)
{
	struct call call;

	park_recv_call(_metadata, &call, self->rx);
	EXPECT_EQ(0, CALL(chan_rx_release(&self->rx)));
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->tx.fd).state);
	EXPECT_EQ(0, CALL(chan_send(self->tx, "still", 5)));
	EXPECT_EQ(1, join(&call));
	EXPECT_TRUE(holds(call.buf, call.len, "still"));
	EXPECT_EQ(-EPIPE, CALL(chan_send(self->tx, "gone", 4)));
}

/* --- Processes and threads --- */

TEST_F(pair, child_sends_until_it_goes)
{
	pid_t child = fork_child();
	int status, i;

	ASSERT_LE(0, child);
	if (!child) {
		chan_rx_release(&self->rx);
		for (i = 0; i < 100; i++)
			if (chan_send(self->tx, &i, sizeof(i)))
				_exit(1);
		_exit(0);
	}
	EXPECT_EQ(0, CALL(chan_tx_release(&self->tx)));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(1, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
		EXPECT_EQ(sizeof(i), self->len);
		EXPECT_EQ(0, memcmp(self->buf, &i, sizeof(i)));
	}
	EXPECT_EQ(0, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
	ASSERT_TRUE(ended(child, &status));
	EXPECT_EQ(0, status);
}

#define CROWD		4
#define EACH		500

struct member {
	pthread_t thread;
	struct chan_tx tx;
	struct chan_rx rx;
	int first;
	int *seen;
	long ret;
};

static void *send_many(void *arg)
{
	struct member *me = arg;
	int i;

	for (i = me->first; i < me->first + EACH && !me->ret; i++)
		me->ret = chan_send(me->tx, &i, sizeof(i));
	return NULL;
}

static void *recv_many(void *arg)
{
	struct member *me = arg;
	size_t len;
	int i;

	while ((me->ret = chan_recv(me->rx, &i, sizeof(i), &len)) > 0)
		__atomic_add_fetch(&me->seen[i], 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F(pair, threads_share_both_ends)
{
	struct member senders[CROWD] = {}, receivers[CROWD] = {};
	static int seen[CROWD * EACH];
	int i;

	for (i = 0; i < CROWD; i++) {
		senders[i].tx = self->tx;
		senders[i].first = i * EACH;
		receivers[i].rx = self->rx;
		receivers[i].seen = seen;
		ASSERT_EQ(0, pthread_create(&senders[i].thread, NULL, send_many, &senders[i]));
		ASSERT_EQ(0, pthread_create(&receivers[i].thread, NULL, recv_many,
					    &receivers[i]));
	}
	for (i = 0; i < CROWD; i++) {
		pthread_join(senders[i].thread, NULL);
		EXPECT_EQ(0, senders[i].ret);
	}
	EXPECT_EQ(0, CALL(chan_close(self->tx, 0)));
	for (i = 0; i < CROWD; i++) {
		pthread_join(receivers[i].thread, NULL);
		EXPECT_EQ(0, receivers[i].ret);
	}
	for (i = 0; i < CROWD * EACH; i++)
		ASSERT_EQ(1, seen[i])
			TH_LOG("message %d", i);
}

/* --- Anonymous channels: what only one of the variants can show --- */

TEST(buffer_keeps_order_and_lengths)
{
	static const char * const texts[] = { "a", "bcd", "ef", "ghijkl" };
	struct chan_tx tx;
	struct chan_rx rx;
	char buf[64];
	size_t len;
	int i;

	ASSERT_EQ(0, CALL(chan_pair(ARRAY_SIZE(texts), 0, 0, &tx, &rx)));
	EXPECT_EQ(CHAN_DEFAULT_MAX_MSG, info(tx.fd).max_msg);
	for (i = 0; i < ARRAY_SIZE(texts); i++)
		EXPECT_EQ(0, CALL(chan_send(tx, texts[i], strlen(texts[i]))));
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		EXPECT_EQ(1, CALL(chan_recv(rx, buf, sizeof(buf), &len)));
		EXPECT_TRUE(holds(buf, len, texts[i]));
	}
	EXPECT_EQ(0, CALL(chan_recv(rx, buf, sizeof(buf), &len)));
	EXPECT_EQ(0, CALL(chan_rx_release(&rx)));
}

TEST(longest_message)
{
	static char out[CHAN_MAX_MSG], in[CHAN_MAX_MSG];
	struct chan_tx tx;
	struct chan_rx rx;
	size_t len;

	fill(out, sizeof(out), 1);
	ASSERT_EQ(0, CALL(chan_pair(1, CHAN_MAX_MSG, 0, &tx, &rx)));
	EXPECT_EQ(0, CALL(chan_try_send(tx, out, sizeof(out))));
	EXPECT_EQ(1, CALL(chan_try_recv(rx, in, sizeof(in), &len)));
	EXPECT_EQ(sizeof(in), len);
	EXPECT_TRUE(filled(in, sizeof(in), 1));
	chan_tx_release(&tx);
	chan_rx_release(&rx);
}

TEST(nonblocking_pair)
{
	struct chan_tx tx;
	struct chan_rx rx;
	size_t len = 99;
	char buf[8];

	ASSERT_EQ(0, CALL(chan_pair(0, 0, CHAN_CREATE_NONBLOCK, &tx, &rx)));
	EXPECT_TRUE(nonblocking(tx.fd));
	EXPECT_TRUE(nonblocking(rx.fd));
	EXPECT_EQ(-EAGAIN, CALL(chan_send(tx, "x", 1)));
	EXPECT_EQ(-EAGAIN, CALL(chan_send(tx, NULL, 0)));
	EXPECT_EQ(-EAGAIN, CALL(chan_try_send(tx, "x", 1)));
	EXPECT_EQ(-EAGAIN, CALL(chan_recv(rx, buf, sizeof(buf), &len)));
	EXPECT_EQ(0, len);
	EXPECT_EQ(-EAGAIN, CALL(chan_try_recv(rx, buf, sizeof(buf), &len)));
	chan_tx_release(&tx);
	chan_rx_release(&rx);
}

static void expect_no_pair(struct __test_metadata *_metadata, long error,
			   unsigned int capacity, unsigned int max_msg, unsigned int flags)
{
	struct chan_tx tx = { 0 };
	struct chan_rx rx = { 0 };

	EXPECT_EQ(error, CALL(chan_pair(capacity, max_msg, flags, &tx, &rx)));
	EXPECT_EQ(-1, tx.fd);
	EXPECT_EQ(-1, rx.fd);
}

TEST(bad_pairs)
{
	int before = count_fds();
	struct rlimit limit;
	int ctl;

	expect_no_pair(_metadata, -EINVAL, CHAN_MAX_CAPACITY + 1, 0, 0);
	expect_no_pair(_metadata, -EINVAL, 0, CHAN_MAX_MSG + 1, 0);
	expect_no_pair(_metadata, -EINVAL, 0, 0, 0x80);
	EXPECT_EQ(before, count_fds());

	/* Room for the control file and one of the ends. */
	ctl = open(CONTROL, O_RDWR);
	ASSERT_LE(0, ctl);
	close(ctl);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = ctl + 2;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	expect_no_pair(_metadata, -EMFILE, 0, 0, 0);
	limit.rlim_cur = ctl;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	expect_no_pair(_metadata, -EMFILE, 0, 0, 0);
	EXPECT_EQ(before, count_fds());
}

TEST(pair_leaves_no_other_file)
{
	int before = count_fds();
	struct chan_tx tx;
	struct chan_rx rx;

	ASSERT_EQ(0, CALL(chan_pair(0, 0, 0, &tx, &rx)));
	EXPECT_EQ(before + 2, count_fds());
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
	EXPECT_EQ(0, CALL(chan_rx_release(&rx)));
	EXPECT_EQ(before, count_fds());
}

TEST(ends_that_are_not_there)
{
	struct chan_tx tx = CHAN_TX_INIT;
	struct chan_rx rx = CHAN_RX_INIT;
	struct chan_info info;
	size_t len = 99;
	char buf[8];

	EXPECT_EQ(-EBADF, CALL(chan_send(tx, "x", 1)));
	EXPECT_EQ(-EBADF, CALL(chan_try_send(tx, "x", 1)));
	EXPECT_EQ(-EBADF, CALL(chan_recv(rx, buf, sizeof(buf), &len)));
	EXPECT_EQ(0, len);
	EXPECT_EQ(-EBADF, CALL(chan_try_recv(rx, buf, sizeof(buf), &len)));
	EXPECT_EQ(-EBADF, CALL(chan_try_recv(rx, NULL, 0, &len)));
	EXPECT_EQ(-EBADF, CALL(chan_close(tx, 0)));
	EXPECT_EQ(-EBADF, CALL(chan_tx_info(tx, &info, sizeof(info))));
	EXPECT_EQ(-EBADF, CALL(chan_rx_info(rx, &info, sizeof(info))));
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
	EXPECT_EQ(0, CALL(chan_rx_release(&rx)));
}

TEST(release_twice)
{
	struct chan_tx tx, copy;
	struct chan_rx rx;

	ASSERT_EQ(0, CALL(chan_pair(0, 0, 0, &tx, &rx)));
	copy = tx;
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
	EXPECT_EQ(-1, tx.fd);
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
	EXPECT_EQ(-EBADF, CALL(chan_tx_release(&copy)));
	EXPECT_EQ(-1, copy.fd);
	EXPECT_EQ(0, CALL(chan_rx_release(&rx)));
	EXPECT_EQ(-1, rx.fd);
	EXPECT_EQ(0, CALL(chan_rx_release(&rx)));
}

/* --- Ends of file descriptors --- */

TEST(end_from_fd)
{
	struct chan_tx tx, tx2;
	struct chan_rx rx, rx2;
	char buf[8];
	size_t len;

	ASSERT_EQ(0, CALL(chan_pair(1, 0, 0, &tx, &rx)));
	ASSERT_EQ(0, CALL(chan_tx_from_fd(dup(tx.fd), &tx2)));
	ASSERT_EQ(0, CALL(chan_rx_from_fd(dup(rx.fd), &rx2)));
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
	EXPECT_EQ(0, CALL(chan_rx_release(&rx)));
	EXPECT_EQ(0, CALL(chan_send(tx2, "x", 1)));
	EXPECT_EQ(1, CALL(chan_recv(rx2, buf, sizeof(buf), &len)));
	EXPECT_EQ(0, CALL(chan_tx_release(&tx2)));
	EXPECT_EQ(0, CALL(chan_recv(rx2, buf, sizeof(buf), &len)));
	EXPECT_EQ(0, CALL(chan_rx_release(&rx2)));
}

static void expect_no_end(struct __test_metadata *_metadata, long error, int fd)
{
	struct chan_tx tx = { 0 };
	struct chan_rx rx = { 0 };
	bool open_before = fcntl(fd, F_GETFD) >= 0;

	EXPECT_EQ(error, CALL(chan_tx_from_fd(fd, &tx)));
	EXPECT_EQ(-1, tx.fd);
	EXPECT_EQ(error, CALL(chan_rx_from_fd(fd, &rx)));
	EXPECT_EQ(-1, rx.fd);
	EXPECT_EQ(open_before, fcntl(fd, F_GETFD) >= 0);
}

TEST(no_end_from_fd)
{
	struct chan_tx tx, no_tx;
	struct chan_rx rx, no_rx;
	int fds[2], ctl;

	ASSERT_EQ(0, pipe(fds));
	ctl = open(CONTROL, O_RDWR);
	expect_no_end(_metadata, -ENOTTY, fds[0]);
	expect_no_end(_metadata, -ENOTTY, ctl);
	expect_no_end(_metadata, -EBADF, -1);
	expect_no_end(_metadata, -EBADF, 1000);

	ASSERT_EQ(0, CALL(chan_pair(0, 0, 0, &tx, &rx)));
	EXPECT_EQ(-EBADF, CALL(chan_tx_from_fd(rx.fd, &no_tx)));
	EXPECT_EQ(-EBADF, CALL(chan_rx_from_fd(tx.fd, &no_rx)));
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
	EXPECT_EQ(0, CALL(chan_rx_release(&rx)));
}

/* --- Select --- */

#define LINKS		3

FIXTURE(select)
{
	struct chan_tx tx[LINKS];
	struct chan_rx rx[LINKS];
	struct chan_case cases[LINKS];
	char buf[LINKS][64];
	unsigned int culprit;
	size_t len;
};

FIXTURE_VARIANT(select)
{
	unsigned int capacity;
};

FIXTURE_VARIANT_ADD(select, rendezvous)
{
	.capacity = 0,
};

FIXTURE_VARIANT_ADD(select, buffered)
{
	.capacity = 1,
};

FIXTURE_SETUP(select)
{
	int i;

	for (i = 0; i < LINKS; i++) {
		ASSERT_EQ(0, CALL(chan_pair(variant->capacity, 64, 0, &self->tx[i],
					    &self->rx[i])));
		self->cases[i] = chan_case_recv(self->rx[i], self->buf[i], 64);
	}
}

FIXTURE_TEARDOWN(select)
{
	int i;

	for (i = 0; i < LINKS; i++) {
		chan_tx_release(&self->tx[i]);
		chan_rx_release(&self->rx[i]);
	}
}

struct select_call {
	pthread_t thread;
	struct chan_case *cases;
	unsigned int n;
	pid_t tid;
	long ret;
};

static void *select_call(void *arg)
{
	struct select_call *call = arg;

	__atomic_store_n(&call->tid, gettid(), __ATOMIC_RELEASE);
	call->ret = CALL(chan_select(call->cases, call->n, CHAN_FOREVER));
	return NULL;
}

/* Waits for the last case to be parked, whose channel is that of @fd. */
static void park_select(struct __test_metadata *_metadata, struct select_call *call,
			struct chan_case *cases, unsigned int n, int fd)
{
	call->cases = cases;
	call->n = n;
	call->ret = OP_STUCK;
	ASSERT_EQ(0, pthread_create(&call->thread, NULL, select_call, call));
	ASSERT_TRUE(wait_until(info(fd).parked_senders + info(fd).parked_receivers));
}

static long join_select(struct select_call *call)
{
	pthread_join(call->thread, NULL);
	return call->ret;
}

TEST_F(select, receives_what_comes_first)
{
	struct chan_case before[LINKS];
	struct select_call call;
	int i;

	memcpy(before, self->cases, sizeof(before));
	park_select(_metadata, &call, self->cases, LINKS, self->rx[LINKS - 1].fd);
	EXPECT_EQ(0, CALL(chan_send(self->tx[1], "one", 3)));
	ASSERT_EQ(1, join_select(&call));
	EXPECT_EQ(1, CALL(chan_case_received(&self->cases[1], &self->len)));
	EXPECT_TRUE(holds(self->buf[1], self->len, "one"));
	EXPECT_EQ(getpid(), self->cases[1].pid);
	EXPECT_EQ(getuid(), self->cases[1].uid);

	EXPECT_EQ(0, memcmp(&before[0], &self->cases[0], sizeof(before[0])));
	EXPECT_EQ(0, memcmp(&before[2], &self->cases[2], sizeof(before[2])));
	for (i = 0; i < LINKS; i++)
		EXPECT_EQ(0, info(self->rx[i].fd).parked_receivers);
}

TEST_F(select, sends_where_it_is_possible)
{
	struct chan_case cases[LINKS];
	struct select_call call;
	int i;

	for (i = 0; i < LINKS; i++) {
		cases[i] = chan_case_send(self->tx[i], "sent", 4);
		fill_buffer(_metadata, self->tx[i], variant->capacity);
	}
	park_select(_metadata, &call, cases, LINKS, self->tx[LINKS - 1].fd);
	for (i = 0; i < (int)variant->capacity; i++)
		EXPECT_EQ(1, CALL(chan_recv(self->rx[2], self->buf[2], 64, &self->len)));
	EXPECT_EQ(1, CALL(chan_recv(self->rx[2], self->buf[2], 64, &self->len)));
	EXPECT_TRUE(holds(self->buf[2], self->len, "sent"));
	ASSERT_EQ(2, join_select(&call));
	EXPECT_EQ(0, cases[2].status);
	EXPECT_EQ(variant->capacity, info(self->tx[0].fd).sent);
}

/* Every message of every child arrives, then the end of its channel. */
TEST_F(select, collects_from_processes)
{
	int received[LINKS] = {}, left = LINKS, i, ret, status;
	struct chan_case cases[LINKS];
	pid_t child[LINKS];

	for (i = 0; i < LINKS; i++) {
		child[i] = fork_child();
		ASSERT_LE(0, child[i]);
		if (child[i])
			continue;
		for (ret = 0; ret < 100; ret++)
			if (chan_send(self->tx[i], &ret, sizeof(ret)))
				_exit(1);
		_exit(0);
	}
	for (i = 0; i < LINKS; i++)
		EXPECT_EQ(0, CALL(chan_tx_release(&self->tx[i])));
	while (left) {
		for (i = 0; i < LINKS; i++)
			cases[i] = chan_case_recv(self->rx[i], self->buf[i], 64);
		i = CALL(chan_select(cases, LINKS, CHAN_FOREVER));
		ASSERT_LE(0, i);
		ret = CALL(chan_case_received(&cases[i], &self->len));
		ASSERT_LE(0, ret);
		if (!ret) {
			EXPECT_EQ(0, CALL(chan_rx_release(&self->rx[i])));
			left--;
			continue;
		}
		ASSERT_EQ(sizeof(int), self->len);
		EXPECT_EQ(0, memcmp(self->buf[i], &received[i], sizeof(int)));
		EXPECT_EQ(child[i], cases[i].pid);
		received[i]++;
	}
	for (i = 0; i < LINKS; i++) {
		EXPECT_EQ(100, received[i]);
		ASSERT_TRUE(ended(child[i], &status));
		EXPECT_EQ(0, status);
	}
}

/* Both sides choose, in two processes. */
static int send_by_select(struct chan_tx a, struct chan_tx b)
{
	int i;

	for (i = 0; i < 100; i++) {
		struct chan_case cases[] = {
			chan_case_send(a, &i, sizeof(i)),
			chan_case_send(b, &i, sizeof(i)),
		};
		int chosen = chan_select(cases, 2, CHAN_FOREVER);

		if (chosen < 0 || cases[chosen].status)
			return 1;
	}
	return 0;
}

TEST_F(select, meets_a_select)
{
	bool seen[100] = {};
	pid_t child = fork_child();
	int i, value, status;

	ASSERT_LE(0, child);
	if (!child)
		_exit(send_by_select(self->tx[0], self->tx[1]));
	for (i = 0; i < 100; i++) {
		struct chan_case cases[] = {
			chan_case_recv(self->rx[0], &value, sizeof(value)),
			chan_case_recv(self->rx[1], &value, sizeof(value)),
		};
		int chosen = CALL(chan_select(cases, 2, CHAN_FOREVER));

		ASSERT_LE(0, chosen);
		ASSERT_EQ(1, CALL(chan_case_received(&cases[chosen], &self->len)));
		ASSERT_TRUE(value >= 0 && value < 100);
		EXPECT_FALSE(seen[value]);
		seen[value] = true;
	}
	ASSERT_TRUE(ended(child, &status));
	EXPECT_EQ(0, status);
}

TEST_F(select, chance_decides_unless_there_is_a_priority)
{
	int chosen[2] = {}, i;

	ASSERT_EQ(0, CALL(chan_close(self->tx[0], 0)));
	ASSERT_EQ(0, CALL(chan_close(self->tx[1], 0)));
	for (i = 0; i < 20; i++)
		EXPECT_EQ(0, CALL(chan_select_until(self->cases, 2, CHAN_SELECT_PRIORITY, 0,
						    NULL)));
	/* To see one of them only has a chance of 2 to the power of -199. */
	for (i = 0; i < 200; i++) {
		int ret = CALL(chan_select(self->cases, 2, 0));

		ASSERT_TRUE(ret == 0 || ret == 1);
		chosen[ret]++;
	}
	EXPECT_LT(0, chosen[0]);
	EXPECT_LT(0, chosen[1]);
}

TEST_F(select, waits_for_other_files)
{
	int event = eventfd(0, EFD_CLOEXEC);
	struct chan_case cases[] = {
		chan_case_recv(self->rx[0], self->buf[0], 64),
		chan_case_poll(event, POLLIN),
	};
	struct select_call call;
	__u64 one = 1;

	ASSERT_LE(0, event);
	EXPECT_EQ(-EAGAIN, CALL(chan_select(cases, 2, 0)));
	park_select(_metadata, &call, cases, 2, self->rx[0].fd);
	ASSERT_EQ(sizeof(one), write(event, &one, sizeof(one)));
	EXPECT_EQ(1, join_select(&call));
	EXPECT_EQ(POLLIN, cases[1].events);
	EXPECT_EQ(0, cases[1].status);
	EXPECT_EQ(-EINVAL, CALL(chan_case_received(&cases[1], &self->len)));
	EXPECT_EQ(0, self->len);
}

/* There is no end among the cases that could carry the request. */
TEST(select_of_other_files_alone)
{
	int event = eventfd(1, EFD_CLOEXEC), before = count_fds();
	struct chan_case cases[] = {
		chan_case_none(),
		chan_case_poll(event, POLLIN | POLLOUT),
	};
	uint64_t deadline = SOON;
	unsigned int culprit = 99;

	EXPECT_EQ(1, CALL(chan_select(cases, 2, CHAN_FOREVER)));
	EXPECT_EQ(POLLIN | POLLOUT, cases[1].events);
	EXPECT_EQ(-EAGAIN, CALL(chan_select(cases, 1, 0)));
	EXPECT_EQ(-EAGAIN, CALL(chan_select(NULL, 0, 0)));
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_select_until(NULL, 0, 0, deadline, &culprit)));
	EXPECT_LE(deadline, now_ns());
	EXPECT_EQ(CHAN_SELECT_NONE, culprit);
	EXPECT_EQ(before, count_fds());
}

TEST_F(select, gives_up_in_time)
{
	uint64_t deadline = SOON;
	uint64_t before = now_ns();
	int i;

	EXPECT_EQ(-EAGAIN, CALL(chan_select(self->cases, LINKS, 0)));
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_select(self->cases, LINKS, 5 * CHAN_MILLISECOND)));
	EXPECT_LE(before + 5 * CHAN_MILLISECOND, now_ns());
	self->culprit = 99;
	EXPECT_EQ(-ETIMEDOUT, CALL(chan_select_until(self->cases, LINKS, 0, deadline,
						     &self->culprit)));
	EXPECT_LE(deadline, now_ns());
	EXPECT_EQ(CHAN_SELECT_NONE, self->culprit);
	for (i = 0; i < LINKS; i++)
		EXPECT_EQ(0, info(self->rx[i].fd).parked_receivers);
}

TEST_F(select, case_that_is_never_ready)
{
	struct chan_tx no_tx = CHAN_TX_INIT;
	struct chan_rx no_rx = CHAN_RX_INIT;
	struct chan_case cases[] = {
		chan_case_none(),
		chan_case_send(no_tx, "x", 1),
		chan_case_recv(no_rx, self->buf[0], 64),
		chan_case_recv(self->rx[0], self->buf[0], 64),
	};

	EXPECT_EQ(-EAGAIN, CALL(chan_select(cases, 3, 0)));
	EXPECT_EQ(-EAGAIN, CALL(chan_select(cases, 4, 0)));
	ASSERT_EQ(0, CALL(chan_tx_release(&self->tx[0])));
	EXPECT_EQ(3, CALL(chan_select(cases, 4, CHAN_FOREVER)));
	EXPECT_EQ(0, CALL(chan_case_received(&cases[3], &self->len)));
}

TEST_F(select, what_a_receive_case_came_to)
{
	struct call call;

	offer(_metadata, &call, variant->capacity, self->tx[0], "message");
	self->cases[0].len = 6;
	ASSERT_EQ(0, CALL(chan_select(self->cases, 1, CHAN_FOREVER)));
	EXPECT_EQ(-EMSGSIZE, CALL(chan_case_received(self->cases, &self->len)));
	EXPECT_EQ(7, self->len);
	self->cases[0] = chan_case_recv(self->rx[0], self->buf[0], self->len);
	ASSERT_EQ(0, CALL(chan_select(self->cases, 1, CHAN_FOREVER)));
	EXPECT_EQ(1, CALL(chan_case_received(self->cases, &self->len)));
	EXPECT_TRUE(holds(self->buf[0], self->len, "message"));
	EXPECT_EQ(0, settle(&call, variant->capacity));

	EXPECT_EQ(0, CALL(chan_close(self->tx[0], EIO)));
	ASSERT_EQ(0, CALL(chan_select(self->cases, 1, CHAN_FOREVER)));
	EXPECT_EQ(-EIO, CALL(chan_case_received(self->cases, &self->len)));
	EXPECT_EQ(0, self->len);
	EXPECT_EQ(0, CALL(chan_close(self->tx[1], EPIPE)));
	ASSERT_EQ(0, CALL(chan_select(&self->cases[1], 1, CHAN_FOREVER)));
	EXPECT_EQ(-EPIPE, CALL(chan_case_received(&self->cases[1], &self->len)));
	EXPECT_EQ(0, CALL(chan_tx_release(&self->tx[2])));
	ASSERT_EQ(0, CALL(chan_select(&self->cases[2], 1, CHAN_FOREVER)));
	EXPECT_EQ(0, CALL(chan_case_received(&self->cases[2], &self->len)));
}

TEST_F(select, send_case_without_a_receiver)
{
	struct chan_case c = chan_case_send(self->tx[0], "x", 1);

	EXPECT_EQ(0, CALL(chan_rx_release(&self->rx[0])));
	ASSERT_EQ(0, CALL(chan_select(&c, 1, CHAN_FOREVER)));
	EXPECT_EQ(-EPIPE, c.status);
}

TEST_F(select, empty_message)
{
	struct chan_case c = chan_case_send(self->tx[0], NULL, 0);
	struct select_call call;

	park_select(_metadata, &call, self->cases, 1, self->rx[0].fd);
	ASSERT_EQ(0, CALL(chan_select(&c, 1, CHAN_FOREVER)));
	EXPECT_EQ(0, c.status);
	ASSERT_EQ(0, join_select(&call));
	self->len = 99;
	EXPECT_EQ(1, CALL(chan_case_received(self->cases, &self->len)));
	EXPECT_EQ(0, self->len);
}

/* The call fails for the case at @index, with the others as good as can be. */
static void expect_culprit(struct __test_metadata *_metadata, struct chan_rx rx, long error,
			   struct chan_case bad)
{
	unsigned int culprit, index;
	char buf[64];

	for (index = 0; index < 3; index++) {
		struct chan_case cases[] = {
			chan_case_recv(rx, buf, sizeof(buf)),
			chan_case_none(),
			chan_case_poll(rx.fd, POLLIN),
		};

		cases[index] = bad;
		culprit = 99;
		EXPECT_EQ(error, CALL(chan_select_until(cases, 3, 0, CHAN_SELECT_FOREVER,
							&culprit)));
		EXPECT_EQ(index, culprit);
		EXPECT_EQ(error, CALL(chan_select(cases, 3, CHAN_FOREVER)));
	}
}

TEST_F(select, culprit_is_told)
{
	struct chan_tx tx = self->tx[0], wrong_tx = { self->rx[0].fd }, pipe_tx;
	struct chan_rx rx = self->rx[0], wrong_rx = { self->tx[0].fd }, pipe_rx;
	int fds[2], before;
	char big[65] = {};

	ASSERT_EQ(0, pipe(fds));
	pipe_rx.fd = fds[0];
	pipe_tx.fd = fds[1];
	before = count_fds();
	expect_culprit(_metadata, rx, -EBADF, chan_case_send(wrong_tx, "x", 1));
	expect_culprit(_metadata, rx, -EBADF, chan_case_recv(wrong_rx, big, 64));
	expect_culprit(_metadata, rx, -EINVAL, chan_case_send(pipe_tx, "x", 1));
	expect_culprit(_metadata, rx, -EINVAL, chan_case_recv(pipe_rx, big, 64));
	expect_culprit(_metadata, rx, -EBADF, chan_case_poll(1000, POLLIN));
	expect_culprit(_metadata, rx, -EMSGSIZE, chan_case_send(tx, big, sizeof(big)));
	expect_culprit(_metadata, rx, -EFAULT, chan_case_send(tx, (void *)8, 8));
	wrong_tx.fd = 1000;
	expect_culprit(_metadata, rx, -EBADF, chan_case_send(wrong_tx, "x", 1));
	wrong_rx.fd = -2;
	expect_culprit(_metadata, rx, -EBADF, chan_case_recv(wrong_rx, big, 64));
	EXPECT_EQ(before, count_fds());
	EXPECT_EQ(0, info(rx.fd).parked_receivers);
}

TEST_F(select, call_that_fails_for_no_case)
{
	static struct chan_case many[CHAN_SELECT_MAX + 1];
	int i;

	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = self->cases[0];
	self->culprit = 99;
	EXPECT_EQ(-EINVAL, CALL(chan_select_until(many, ARRAY_SIZE(many), 0, 0,
						  &self->culprit)));
	EXPECT_EQ(CHAN_SELECT_NONE, self->culprit);
	EXPECT_EQ(-EAGAIN, CALL(chan_select(many, CHAN_SELECT_MAX, 0)));
	self->culprit = 99;
	EXPECT_EQ(-EINVAL, CALL(chan_select_until(self->cases, 1, 0x80, 0, &self->culprit)));
	EXPECT_EQ(CHAN_SELECT_NONE, self->culprit);
}

struct longer_case {
	struct chan_case c;
	unsigned char tail[16];
};

TEST_F(select, cases_of_any_size)
{
	struct longer_case longer[2] = { { self->cases[0] }, { self->cases[1] } };
	size_t top_bit = (size_t)1 << (8 * sizeof(size_t) - 1);
	struct chan_case *cases = &longer[0].c;

	EXPECT_EQ(-EAGAIN, CALL(chan_select_sized(cases, 2, sizeof(longer[0]), 0, 0, NULL)));
	ASSERT_EQ(0, CALL(chan_close(self->tx[1], 0)));
	EXPECT_EQ(1, CALL(chan_select_sized(cases, 2, sizeof(longer[0]), 0, 0,
					    &self->culprit)));
	EXPECT_EQ(CHAN_SELECT_NONE, self->culprit);
	EXPECT_EQ(0, CALL(chan_case_received(&longer[1].c, &self->len)));

	longer[1].tail[15] = 1;
	EXPECT_EQ(-E2BIG, CALL(chan_select_sized(cases, 2, sizeof(longer[0]), 0, 0,
						 &self->culprit)));
	EXPECT_EQ(1, self->culprit);
	EXPECT_EQ(-EINVAL, CALL(chan_select_sized(cases, 1, CHAN_CASE_SIZE_VER0 - 8, 0, 0,
						  &self->culprit)));
	EXPECT_EQ(CHAN_SELECT_NONE, self->culprit);
	EXPECT_EQ(-EINVAL, CALL(chan_select_sized(cases, 1, CHAN_CASE_SIZE_VER0 + 4, 0, 0,
						  NULL)));
	EXPECT_EQ(-EINVAL, CALL(chan_select_sized(cases, 1, 0, 0, 0, NULL)));
	EXPECT_EQ(-E2BIG, CALL(chan_select_sized(cases, 1, 1 << 20, 0, 0, NULL)));
	/* In 32 bits this would be the right size. */
	EXPECT_EQ(-E2BIG, CALL(chan_select_sized(cases, 1, top_bit | CHAN_CASE_SIZE_VER0, 0, 0,
						 NULL)));
}

TEST_F(select, signal_interrupts)
{
	struct select_call call;

	handle(0);
	park_select(_metadata, &call, self->cases, LINKS, self->rx[LINKS - 1].fd);
	ASSERT_EQ(0, pthread_kill(call.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, join_select(&call));
}

TEST_F(select, thread_is_cancelled)
{
	struct select_call call;
	int i;

	park_select(_metadata, &call, self->cases, LINKS, self->rx[LINKS - 1].fd);
	expect_cancelled(_metadata, call.thread);
	for (i = 0; i < LINKS; i++)
		EXPECT_EQ(0, info(self->rx[i].fd).parked_receivers);
}

static bool asleep(struct select_call *call)
{
	return state_of(__atomic_load_n(&call->tid, __ATOMIC_ACQUIRE)) == 'S';
}

/* The file that the library has opened for the call goes too. */
TEST(thread_that_selects_without_ends_is_cancelled)
{
	struct select_call call = { .ret = OP_STUCK };
	int before = count_fds();

	ASSERT_EQ(0, pthread_create(&call.thread, NULL, select_call, &call));
	ASSERT_TRUE(wait_until(count_fds() == before + 1 && asleep(&call)));
	expect_cancelled(_metadata, call.thread);
	EXPECT_EQ(OP_STUCK, call.ret);
	EXPECT_EQ(before, count_fds());
}

/* --- Looking --- */

struct longer_info {
	struct chan_info info;
	unsigned char tail[16];
};

TEST(info_of_any_size)
{
	struct longer_info longer;
	struct chan_info info;
	struct chan_tx tx;
	struct chan_rx rx;

	ASSERT_EQ(0, CALL(chan_pair(3, 0, 0, &tx, &rx)));
	EXPECT_EQ(0, CALL(chan_send(tx, "x", 1)));

	memset(&longer, 0xff, sizeof(longer));
	EXPECT_EQ(0, CALL(chan_tx_info(tx, &longer.info, sizeof(longer))));
	EXPECT_EQ(1, longer.info.buffered);
	EXPECT_TRUE(all_bytes(longer.tail, sizeof(longer.tail), 0));

	EXPECT_EQ(-EINVAL, CALL(chan_tx_info(tx, &info, sizeof(info) - 1)));
	EXPECT_EQ(-EINVAL, CALL(chan_rx_info(rx, &info, 0)));
	EXPECT_EQ(-E2BIG, CALL(chan_rx_info(rx, &info, 1 << 20)));
	EXPECT_EQ(-E2BIG, CALL(chan_rx_info(rx, &info, SIZE_MAX)));
	chan_tx_release(&tx);
	chan_rx_release(&rx);
}

TEST(info_of_no_channel)
{
	struct chan_info info;
	struct chan_tx tx;
	struct chan_rx rx;
	int fds[2];

	ASSERT_EQ(0, pipe(fds));
	rx.fd = fds[0];
	tx.fd = fds[1];
	EXPECT_EQ(-ENOTTY, CALL(chan_tx_info(tx, &info, sizeof(info))));
	EXPECT_EQ(-ENOTTY, CALL(chan_rx_info(rx, &info, sizeof(info))));
}

struct longer_version {
	struct chan_version version;
	unsigned char tail[16];
};

TEST(versions)
{
	struct longer_version longer;
	struct chan_version version;
	int before = count_fds();

	memset(&version, 0xff, sizeof(version));
	EXPECT_EQ(0, CALL(chan_version(&version, sizeof(version))));
	EXPECT_EQ(CHAN_VERSION, version.version);
	EXPECT_EQ(0, version.reserved);
	EXPECT_TRUE(version.features & CHAN_FEATURE_DEV);
	EXPECT_TRUE(version.features & CHAN_FEATURE_SELECT);

	memset(&longer, 0xff, sizeof(longer));
	EXPECT_EQ(0, CALL(chan_version(&longer.version, sizeof(longer))));
	EXPECT_TRUE(all_bytes(longer.tail, sizeof(longer.tail), 0));

	EXPECT_EQ(-EINVAL, CALL(chan_version(&version, sizeof(version) - 1)));
	EXPECT_EQ(-E2BIG, CALL(chan_version(&version, SIZE_MAX)));
	EXPECT_EQ(before, count_fds());

	EXPECT_STREQ(LIBCHAN_VERSION, chan_library_version());
}

TEST(without_the_module)
{
	struct chan_version version;
	struct chan_tx tx;

	if (!is_root())
		SKIP(return, "needs root");
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	ASSERT_EQ(0, mount("none", "/dev", "tmpfs", 0, NULL));
	expect_no_pair(_metadata, -ENOENT, 0, 0, 0);
	EXPECT_EQ(-ENOENT, CALL(chan_version(&version, sizeof(version))));
	EXPECT_EQ(-ENOENT, CALL(chan_select(NULL, 0, 0)));
	EXPECT_EQ(-ENOENT, CALL(chan_tx_open("chan0", 0, &tx)));
	EXPECT_EQ(-ENOENT, CALL(chan_dev_add("x", 0600, 0, 0, 0)));
	EXPECT_EQ(-ENOENT, CALL(chan_dev_remove("x", 0)));
}

/* --- Named channels --- */

FIXTURE(named)
{
	char name[CHAN_NAME_SIZE];
	bool added;
	struct chan_tx tx;
	struct chan_rx rx;
	char buf[64];
	size_t len;
};

FIXTURE_SETUP(named)
{
	self->tx.fd = -1;
	self->rx.fd = -1;
	if (!is_root())
		SKIP(return, "needs root");
	snprintf(self->name, sizeof(self->name), "lib-%d", getpid());
	ASSERT_EQ(0, CALL(chan_dev_add(self->name, 0640, 2, 100, 0)));
	self->added = true;
}

FIXTURE_TEARDOWN(named)
{
	chan_tx_release(&self->tx);
	chan_rx_release(&self->rx);
	if (self->added)
		EXPECT_EQ(0, CALL(chan_dev_remove(self->name, 0)));
}

TEST_F(named, is_what_was_asked_for)
{
	struct chan_info now;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/dev/chan-%s", self->name);
	ASSERT_EQ(0, stat(path, &st));
	EXPECT_EQ(S_IFCHR | 0640, st.st_mode);

	ASSERT_EQ(0, CALL(chan_tx_open(self->name, 0, &self->tx)));
	now = info(self->tx.fd);
	EXPECT_EQ(2, now.capacity);
	EXPECT_EQ(100, now.max_msg);
	EXPECT_EQ(1, now.send_ends);
	EXPECT_EQ(0, now.recv_ends);
	EXPECT_EQ(CHAN_INFO_SEND | CHAN_INFO_NAMED, now.flags);
	EXPECT_TRUE(close_on_exec(self->tx.fd));
	EXPECT_FALSE(nonblocking(self->tx.fd));

	ASSERT_EQ(0, CALL(chan_rx_open(self->name, CHAN_OPEN_NONBLOCK, &self->rx)));
	EXPECT_EQ(CHAN_INFO_RECV | CHAN_INFO_NAMED, info(self->rx.fd).flags);
	EXPECT_TRUE(close_on_exec(self->rx.fd));
	EXPECT_TRUE(nonblocking(self->rx.fd));
}

TEST_F(named, all_forms_of_its_name)
{
	char node[64], path[64];
	struct chan_tx tx;

	snprintf(node, sizeof(node), "chan-%s", self->name);
	snprintf(path, sizeof(path), "/dev/chan-%s", self->name);
	ASSERT_EQ(0, CALL(chan_rx_open(self->name, 0, &self->rx)));

	ASSERT_EQ(0, CALL(chan_tx_open(node, 0, &tx)));
	EXPECT_EQ(info(self->rx.fd).id, info(tx.fd).id);
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
	ASSERT_EQ(0, CALL(chan_tx_open(path, 0, &tx)));
	EXPECT_EQ(info(self->rx.fd).id, info(tx.fd).id);
	EXPECT_EQ(0, CALL(chan_tx_release(&tx)));
}

TEST_F(named, message_crosses)
{
	ASSERT_EQ(0, CALL(chan_tx_open(self->name, 0, &self->tx)));
	EXPECT_EQ(0, CALL(chan_send(self->tx, "kept", 4)));
	EXPECT_EQ(0, CALL(chan_tx_release(&self->tx)));
	ASSERT_EQ(0, CALL(chan_rx_open(self->name, 0, &self->rx)));
	EXPECT_EQ(1, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_TRUE(holds(self->buf, self->len, "kept"));
	EXPECT_EQ(-EAGAIN, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
}

TEST_F(named, file_that_is_both)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/chan-%s", self->name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, CALL(chan_rx_from_fd(dup(fd), &self->rx)));
	ASSERT_EQ(0, CALL(chan_tx_from_fd(fd, &self->tx)));
	EXPECT_EQ(0, CALL(chan_try_send(self->tx, "self", 4)));
	EXPECT_EQ(1, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_TRUE(holds(self->buf, self->len, "self"));
}

TEST_F(named, removed)
{
	ASSERT_EQ(0, CALL(chan_tx_open(self->name, 0, &self->tx)));
	ASSERT_EQ(0, CALL(chan_rx_open(self->name, 0, &self->rx)));
	ASSERT_EQ(0, CALL(chan_send(self->tx, "kept", 4)));
	ASSERT_EQ(0, CALL(chan_dev_remove(self->name, 0)));
	self->added = false;

	EXPECT_EQ(-ENOENT, CALL(chan_dev_remove(self->name, 0)));
	EXPECT_EQ(-ENODEV, CALL(chan_send(self->tx, "x", 1)));
	EXPECT_EQ(-ENODEV, CALL(chan_try_send(self->tx, "x", 1)));
	EXPECT_EQ(-ENODEV, CALL(chan_send_until(self->tx, "x", 1, CHAN_SELECT_FOREVER)));
	EXPECT_EQ(-EMSGSIZE, CALL(chan_try_recv(self->rx, NULL, 0, &self->len)));
	EXPECT_EQ(1, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_TRUE(holds(self->buf, self->len, "kept"));
	EXPECT_EQ(-ENODEV, CALL(chan_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_EQ(-ENODEV, CALL(chan_try_recv(self->rx, self->buf, 64, &self->len)));
	EXPECT_EQ(-ENODEV, CALL(chan_try_recv(self->rx, NULL, 0, &self->len)));
	EXPECT_EQ(-ENODEV, CALL(chan_recv_until(self->rx, self->buf, 64, &self->len,
						CHAN_SELECT_FOREVER)));
}

TEST_F(named, add_and_remove_errors)
{
	char name[2 * CHAN_NAME_SIZE];

	EXPECT_EQ(-EEXIST, CALL(chan_dev_add(self->name, 0600, 0, 0, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add("", 0600, 0, 0, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add("a/b", 0600, 0, 0, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add("a b", 0600, 0, 0, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add("mode", 01000, 0, 0, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add("capacity", 0600, CHAN_MAX_CAPACITY + 1, 0, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add("max_msg", 0600, 0, CHAN_MAX_MSG + 1, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add("flags", 0600, 0, 0, 1)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_remove(self->name, 1)));
	EXPECT_EQ(-ENOENT, CALL(chan_dev_remove("there-is-none", 0)));

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add(name, 0600, 0, 0, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_remove(name, 0)));
	name[CHAN_NAME_SIZE] = '\0';
	EXPECT_EQ(-EINVAL, CALL(chan_dev_add(name, 0600, 0, 0, 0)));
	EXPECT_EQ(-EINVAL, CALL(chan_dev_remove(name, 0)));
	name[CHAN_NAME_SIZE - 1] = '\0';
	EXPECT_EQ(0, CALL(chan_dev_add(name, 0600, 0, 0, 0)));
	EXPECT_EQ(0, CALL(chan_tx_open(name, 0, &self->tx)));
	EXPECT_EQ(0, CALL(chan_dev_remove(name, 0)));
}

/* What must fail without privileges, and what must not; 0 if all is as it should be. */
static int try_as_nobody(const char *name)
{
	struct chan_tx tx;
	struct chan_rx rx;

	if (!become(NOBODY))
		return 1;
	if (chan_dev_add("nobody", 0666, 0, 0, 0) != -EPERM)
		return 2;
	if (chan_dev_remove(name, 0) != -EPERM)
		return 3;
	if (chan_tx_open(name, 0, &tx) != -EACCES)
		return 4;
	if (chan_pair(0, 0, 0, &tx, &rx))
		return 5;
	return 0;
}

TEST_F(named, ordinary_user)
{
	pid_t child = fork_child();
	int status;

	ASSERT_LE(0, child);
	if (!child)
		_exit(try_as_nobody(self->name));
	ASSERT_TRUE(ended(child, &status));
	ASSERT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
}

TEST_F(named, names_that_look_like_nodes)
{
	struct chan_rx other;

	ASSERT_EQ(0, CALL(chan_dev_add("chan0", 0600, 7, 0, 0)));
	EXPECT_EQ(0, CALL(chan_tx_open("chan-chan0", 0, &self->tx)));
	EXPECT_EQ(7, info(self->tx.fd).capacity);
	EXPECT_EQ(0, CALL(chan_rx_open("/dev/chan0", 0, &self->rx)));
	EXPECT_EQ(0, CALL(chan_rx_open("chan0", 0, &other)));
	EXPECT_EQ(info(self->rx.fd).id, info(other.fd).id);
	EXPECT_NE(info(self->tx.fd).id, info(other.fd).id);
	EXPECT_EQ(0, CALL(chan_rx_release(&other)));
	EXPECT_EQ(0, CALL(chan_dev_remove("chan0", 0)));
}

static void expect_no_open(struct __test_metadata *_metadata, long error, const char *name,
			   unsigned int flags)
{
	int before = count_fds();
	struct chan_tx tx = { 0 };
	struct chan_rx rx = { 0 };

	EXPECT_EQ(error, CALL(chan_tx_open(name, flags, &tx)))
		TH_LOG("%s", name);
	EXPECT_EQ(-1, tx.fd);
	EXPECT_EQ(error, CALL(chan_rx_open(name, flags, &rx)))
		TH_LOG("%s", name);
	EXPECT_EQ(-1, rx.fd);
	EXPECT_EQ(before, count_fds());
}

TEST(bad_opens)
{
	char name[64];

	expect_no_open(_metadata, -ENOENT, "", 0);
	expect_no_open(_metadata, -ENOENT, "there-is-none", 0);
	expect_no_open(_metadata, -ENOENT, "chan99999", 0);
	expect_no_open(_metadata, -ENOENT, "chan-", 0);
	expect_no_open(_metadata, -ENOENT, "ctl", 0);
	expect_no_open(_metadata, -ENOENT, "/dev/there-is-none", 0);
	expect_no_open(_metadata, -ENOTTY, "/dev/null", 0);
	expect_no_open(_metadata, -ENOTTY, CONTROL, 0);
	expect_no_open(_metadata, -EINVAL, "chan0", 0x80);
	expect_no_open(_metadata, -EINVAL, "/dev/null", ~CHAN_OPEN_NONBLOCK);

	memset(name, 'n', sizeof(name));
	name[CHAN_NAME_SIZE] = '\0';
	expect_no_open(_metadata, -ENAMETOOLONG, name, 0);
	name[CHAN_NAME_SIZE - 1] = '\0';
	expect_no_open(_metadata, -ENOENT, name, 0);
}

TEST_HARNESS_MAIN
