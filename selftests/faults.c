// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that cannot be read or written, goes away, or takes its time.
 */
#include <pthread.h>
#include <linux/userfaultfd.h>

#include "chan_test.h"

#define PAGE	4096UL

FIXTURE(faults) {
	struct pair pair;
	int send;
	int recv;
	size_t size;
	unsigned char *data;
	unsigned char *back;
};

FIXTURE_VARIANT(faults) {
	__u32 capacity;
	size_t size;
};

FIXTURE_VARIANT_ADD(faults, unbuffered_small) {
	.capacity = 0,
	.size = 64,
};

FIXTURE_VARIANT_ADD(faults, unbuffered_medium) {
	.capacity = 0,
	.size = 2000,
};

FIXTURE_VARIANT_ADD(faults, unbuffered_large) {
	.capacity = 0,
	.size = 40000,
};

FIXTURE_VARIANT_ADD(faults, buffered_small) {
	.capacity = 4,
	.size = 64,
};

FIXTURE_VARIANT_ADD(faults, buffered_medium) {
	.capacity = 4,
	.size = 2000,
};

FIXTURE_VARIANT_ADD(faults, buffered_large) {
	.capacity = 4,
	.size = 40000,
};

FIXTURE_SETUP(faults)
{
	make_pair(_metadata, &self->pair, variant->capacity, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
	self->size = variant->size;
	self->data = shared(_metadata, variant->size);
	self->back = shared(_metadata, variant->size);
	fill(self->data, variant->size, 1);
}

FIXTURE_TEARDOWN(faults)
{
	close_pair(&self->pair);
}

/* --- Memory of all bad kinds --- */

enum bad {
	BAD_NULL,
	BAD_KERNEL,
	BAD_NONE,	/* no access */
	BAD_HALF,	/* no access from the middle on */
	BAD_LAST,	/* no access to the last byte */
	BAD_KINDS,
	BAD_READ_ONLY = BAD_KINDS,
	BAD_READ_ONLY_HALF,
	BAD_RECV_KINDS,
};

/* How many bytes can be used before the bad ones begin. */
static size_t good_bytes(enum bad kind, size_t size)
{
	switch (kind) {
	case BAD_HALF:
	case BAD_READ_ONLY_HALF:
		return size / 2;
	case BAD_LAST:
		return size - 1;
	default:
		return 0;
	}
}

/* Memory that can be used as yet, with a page boundary before the bad bytes. */
static unsigned char *place(enum bad kind, size_t size)
{
	size_t good = good_bytes(kind, size);
	size_t before = (good + PAGE - 1) & ~(PAGE - 1);
	size_t after = (size + PAGE - 1) & ~(PAGE - 1);
	unsigned char *base;

	base = mmap(NULL, before + after, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	memset(base, 0x77, before + after);
	return base + before - good;
}

static void spoil(enum bad kind, unsigned char *memory, size_t size)
{
	int prot = kind >= BAD_READ_ONLY ? PROT_READ : PROT_NONE;

	mprotect(memory + good_bytes(kind, size), (size + PAGE - 1) & ~(PAGE - 1), prot);
}

static unsigned char *bad_memory(enum bad kind, size_t size)
{
	unsigned char *memory;

	if (kind == BAD_NULL)
		return NULL;
	if (kind == BAD_KERNEL)
		return (unsigned char *)-PAGE;
	memory = place(kind, size);
	spoil(kind, memory, size);
	return memory;
}

/* Offer it from a process that waits if need be. */
static struct op *offer(struct __test_metadata *_metadata, int fd, const void *data, size_t len)
{
	struct chan_info before = info(fd);
	struct op *op = start_send(_metadata, fd, data, len);

	ASSERT_TRUE(wait_until(info(fd).parked_senders + info(fd).buffered ==
			       before.parked_senders + before.buffered + 1));
	return op;
}

TEST_F(faults, unreadable_sender_queues_nothing)
{
	int kind;

	for (kind = 0; kind < BAD_KINDS; kind++)
		EXPECT_EQ(-EFAULT, do_write(self->send, bad_memory(kind, self->size), self->size))
			TH_LOG("kind %d", kind);
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_EQ(0, info(self->send).sent);
}

TEST_F(faults, unreadable_sender_is_not_noticed_by_a_receiver)
{
	struct op *op = park_recv(_metadata, self->recv, self->size);
	long sleeps = sleeps_of(op->pid);
	int kind;

	for (kind = 0; kind < BAD_KINDS; kind++)
		EXPECT_EQ(-EFAULT, do_write(self->send, bad_memory(kind, self->size), self->size))
			TH_LOG("kind %d", kind);
	EXPECT_TRUE(parked_are(self->send, 0, 1));
	EXPECT_TRUE(undisturbed(op->pid, sleeps));
	EXPECT_TRUE(all_bytes(op->data, self->size, 0));
	EXPECT_EQ((long)self->size, do_write(self->send, self->data, self->size));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_TRUE(filled(op->data, self->size, 1));
}

TEST_F(faults, unreadable_piece)
{
	struct iovec iov[3] = {
		{ self->data, self->size / 2 },
		{ NULL, 1 },
		{ self->data, self->size / 4 },
	};

	EXPECT_EQ(-EFAULT, result(writev(self->send, iov, 3)));
	EXPECT_EQ(0, info(self->send).sent);
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_TRUE(parked_are(self->send, 0, 0));
}

TEST_F(faults, unwritable_receiver_leaves_it_first_in_line)
{
	struct op *first = offer(_metadata, self->send, self->data, self->size);
	struct op *second = offer(_metadata, self->send, "second", 6);
	struct chan_info before = info(self->send), after;
	int kind;

	for (kind = 0; kind < BAD_RECV_KINDS; kind++)
		EXPECT_EQ(-EFAULT, do_read(self->recv, bad_memory(kind, self->size), self->size))
			TH_LOG("kind %d", kind);
	after = info(self->send);
	EXPECT_EQ(before.buffered, after.buffered);
	EXPECT_EQ(before.parked_senders, after.parked_senders);
	EXPECT_EQ(before.sent, after.sent);
	EXPECT_EQ(0, after.received);
	EXPECT_EQ((long)self->size, try_read(self->recv, self->back, self->size));
	EXPECT_TRUE(filled(self->back, self->size, 1));
	EXPECT_TRUE(got(self->recv, "second"));
	EXPECT_EQ((long)self->size, finish(first));
	EXPECT_EQ(6, finish(second));
	EXPECT_EQ(2, info(self->send).received);
}

TEST_F(faults, unwritable_piece)
{
	struct op *op = offer(_metadata, self->send, self->data, self->size);
	struct iovec iov[2] = {
		{ self->back, self->size / 2 },
		{ bad_memory(BAD_READ_ONLY, self->size), self->size },
	};

	EXPECT_EQ(-EFAULT, result(readv(self->recv, iov, 2)));
	EXPECT_EQ((long)self->size, try_read(self->recv, self->back, self->size));
	EXPECT_TRUE(filled(self->back, self->size, 1));
	EXPECT_EQ((long)self->size, finish(op));
}

/* Only what the message fills has to be there. */
TEST_F(faults, memory_beyond_the_message_does_not_matter)
{
	struct op *op = offer(_metadata, self->send, self->data, self->size);
	unsigned char *back = place(BAD_HALF, 2 * self->size);

	spoil(BAD_HALF, back, 2 * self->size);
	EXPECT_EQ((long)self->size, try_read(self->recv, back, 2 * self->size));
	EXPECT_TRUE(filled(back, self->size, 1));
	EXPECT_EQ((long)self->size, finish(op));
}

/* --- Memory that goes bad while its owner is parked --- */

struct spoiler {
	struct op *op;
	unsigned char *memory;
	__u32 senders;
	__u32 receivers;
};

/* Wait until the other thread is parked, and spoil its memory. */
static void *spoil_when_parked(void *arg)
{
	struct spoiler *spoiler = arg;
	struct op *op = spoiler->op;

	if (!wait_parked(op->fd, spoiler->senders, spoiler->receivers))
		return NULL;
	if (op->flag == BAD_NULL)
		munmap(spoiler->memory, op->len);
	else
		spoil(op->flag, spoiler->memory, op->len);
	__atomic_store_n(&op->ready, 2, __ATOMIC_RELEASE);
	return NULL;
}

static void start_spoiler(struct spoiler *spoiler, struct op *op, bool sender)
{
	struct chan_info now = info(op->fd);
	pthread_t thread;

	spoiler->op = op;
	spoiler->memory = place(op->flag, op->len);
	spoiler->senders = now.parked_senders + sender;
	spoiler->receivers = now.parked_receivers + !sender;
	memcpy(spoiler->memory, op->data, op->len);
	pthread_create(&thread, NULL, spoil_when_parked, spoiler);
}

static void run_recv_spoilt(struct op *op)
{
	struct spoiler spoiler;

	start_spoiler(&spoiler, op, false);
	op->ret = do_read(op->fd, spoiler.memory, op->len);
}

static void run_send_spoilt(struct op *op)
{
	struct spoiler spoiler;

	start_spoiler(&spoiler, op, true);
	op->ret = do_write(op->fd, spoiler.memory, op->len);
}

/* A parked operation whose memory is bad by now; BAD_NULL: unmapped. */
static struct op *park_bad(struct __test_metadata *_metadata, int fd, enum bad kind,
			   const void *data, size_t size, op_fn run)
{
	struct op *op = new_op(_metadata, fd, size);

	op->flag = kind;
	memcpy(op->data, data, size);
	start_op(_metadata, op, run);
	ASSERT_TRUE(wait_ready(op, 2));
	return op;
}

static void run_recv_bad(struct op *op)
{
	op->ret = do_read(op->fd, bad_memory(op->flag, op->len), op->len);
}

TEST_F(faults, receiver_with_bad_memory_before_there_is_a_message)
{
	char byte;
	int kind;

	/* Found at once or when a message comes, but never by the sender. */
	for (kind = 0; kind < BAD_RECV_KINDS; kind++) {
		struct op *op = new_op(_metadata, self->recv, self->size), *send;

		op->flag = kind;
		start_op(_metadata, op, run_recv_bad);
		send = start_send(_metadata, self->send, self->data, self->size);
		ASSERT_EQ(-EFAULT, finish(op))
			TH_LOG("kind %d", kind);
		EXPECT_EQ((long)self->size, do_read(self->recv, self->back, self->size));
		EXPECT_TRUE(filled(self->back, self->size, 1));
		EXPECT_EQ((long)self->size, finish(send));
	}
	EXPECT_EQ(-EAGAIN, try_read(self->recv, &byte, 1));
	EXPECT_EQ(BAD_RECV_KINDS, info(self->recv).received);
}

TEST_F(faults, parked_receiver_that_cannot_be_written)
{
	struct op *bad, *op, *second;
	long done = 0;
	int kind;

	for (kind = 0; kind < BAD_RECV_KINDS; kind++) {
		if (kind == BAD_KERNEL)
			continue;
		bad = park_bad(_metadata, self->recv, kind, self->data, self->size,
			       run_recv_spoilt);
		op = start_send(_metadata, self->send, self->data, self->size);
		ASSERT_EQ(-EFAULT, finish(bad))
			TH_LOG("kind %d", kind);
		ASSERT_TRUE(wait_until(info(self->send).parked_senders ||
				       info(self->send).buffered));
		/* It is first in line again, whoever comes. */
		second = offer(_metadata, self->send, "second", 6);
		EXPECT_EQ((long)self->size, try_read(self->recv, self->back, self->size));
		EXPECT_TRUE(filled(self->back, self->size, 1));
		EXPECT_EQ((long)self->size, finish(op));
		EXPECT_TRUE(got(self->recv, "second"));
		EXPECT_EQ(6, finish(second));
		done += 2;
		EXPECT_EQ(done, info(self->send).sent);
		EXPECT_EQ(done, info(self->send).received);
	}
}

TEST_F(faults, the_next_parked_receiver_takes_it)
{
	struct op *bad = park_bad(_metadata, self->recv, BAD_HALF, self->data, self->size,
				  run_recv_spoilt);
	struct op *good = park_recv(_metadata, self->recv, self->size);

	EXPECT_EQ((long)self->size, do_write(self->send, self->data, self->size));
	EXPECT_EQ(-EFAULT, finish(bad));
	EXPECT_EQ((long)self->size, finish(good));
	EXPECT_TRUE(filled(good->data, self->size, 1));
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_EQ(1, info(self->send).received);
}

TEST_F(faults, two_that_are_put_back_keep_their_order)
{
	struct op *bad[2], *op[2];
	int i;

	for (i = 0; i < 2; i++)
		bad[i] = park_bad(_metadata, self->recv, BAD_NONE, self->data, self->size,
				  run_recv_spoilt);
	for (i = 0; i < 2; i++) {
		fill(self->data, self->size, i);
		op[i] = start_send(_metadata, self->send, self->data, self->size);
		ASSERT_TRUE(wait_until(info(self->send).parked_senders +
				       info(self->send).sent >= i + 1));
	}
	for (i = 0; i < 2; i++)
		EXPECT_EQ(-EFAULT, finish(bad[i]));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ((long)self->size, do_read(self->recv, self->back, self->size));
		EXPECT_TRUE(filled(self->back, self->size, i));
		EXPECT_EQ((long)self->size, finish(op[i]));
	}
}

TEST_F(faults, what_was_put_back_outlives_the_close)
{
	struct op *bad, *op;
	long sent;

	bad = park_bad(_metadata, self->recv, BAD_NONE, self->data, self->size, run_recv_spoilt);
	op = start_send(_metadata, self->send, self->data, self->size);
	EXPECT_EQ(-EFAULT, finish(bad));
	EXPECT_TRUE(wait_until(info(self->send).parked_senders || info(self->send).buffered));
	EXPECT_EQ(0, end_channel(self->send, 0));
	sent = finish(op);
	/* Either the sender was told, or the message is still there. */
	if (sent != -EPIPE) {
		EXPECT_EQ((long)self->size, sent);
		EXPECT_EQ((long)self->size, do_read(self->recv, self->back, self->size));
		EXPECT_TRUE(filled(self->back, self->size, 1));
	}
	EXPECT_EQ(0, do_read(self->recv, self->back, self->size));
}

TEST_F(faults, sender_memory_goes_bad_while_parked)
{
	struct op *op;
	int kind;
	__u32 i;

	for (kind = 0; kind < BAD_KINDS; kind++) {
		if (kind == BAD_KERNEL)
			continue;
		for (i = 0; i < variant->capacity; i++)
			ASSERT_EQ(1, put(self->send, "x"));
		op = park_bad(_metadata, self->send, kind, self->data, self->size,
			      run_send_spoilt);
		for (i = 0; i < variant->capacity; i++)
			EXPECT_TRUE(got(self->recv, "x"));
		/* It was read before it was queued. */
		EXPECT_EQ((long)self->size, try_read(self->recv, self->back, self->size));
		EXPECT_TRUE(filled(self->back, self->size, 1));
		EXPECT_EQ((long)self->size, finish(op));
	}
}

/* --- Memory that takes its time: a userfaultfd that answers late --- */

struct slow {
	int uffd;
	int fd;
	size_t len;
	size_t mapped;
	unsigned char *memory;
	unsigned char *supply;
	pthread_t thread;
	long ret;
};

static bool slow_init(struct slow *slow, int fd, size_t len)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	memset(slow, 0, sizeof(*slow));
	slow->fd = fd;
	slow->len = len;
	slow->mapped = (len + PAGE - 1) & ~(PAGE - 1);
	slow->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (slow->uffd < 0 || ioctl(slow->uffd, UFFDIO_API, &api))
		return false;
	slow->memory = mmap(NULL, slow->mapped, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	slow->supply = mmap(NULL, slow->mapped, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slow->memory == MAP_FAILED || slow->supply == MAP_FAILED)
		return false;
	fill(slow->supply, len, 1);
	reg.range.start = (unsigned long)slow->memory;
	reg.range.len = slow->mapped;
	return !ioctl(slow->uffd, UFFDIO_REGISTER, &reg);
}

/* Somebody has touched the memory and waits for it. */
static bool slow_stalled(struct slow *slow)
{
	struct pollfd pfd = { .fd = slow->uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&pfd, 1, DEADLINE_MS) == 1 &&
	       read(slow->uffd, &msg, sizeof(msg)) == sizeof(msg) &&
	       msg.event == UFFD_EVENT_PAGEFAULT;
}

static bool slow_resolve(struct slow *slow)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)slow->memory,
		.src = (unsigned long)slow->supply,
		.len = slow->mapped,
	};

	return !ioctl(slow->uffd, UFFDIO_COPY, &copy);
}

/* Take the memory away for good, and tell who waits for it. */
static bool slow_unmap(struct slow *slow)
{
	struct uffdio_range range = {
		.start = (unsigned long)slow->memory,
		.len = slow->mapped,
	};

	return !munmap(slow->memory, slow->mapped) &&
	       !ioctl(slow->uffd, UFFDIO_WAKE, &range);
}

/* Take the memory away again, so that the next to touch it stalls. */
static void slow_empty(struct slow *slow)
{
	madvise(slow->memory, slow->mapped, MADV_DONTNEED);
}

static void *slow_send(void *arg)
{
	struct slow *slow = arg;

	slow->ret = do_write(slow->fd, slow->memory, slow->len);
	return NULL;
}

static void *slow_recv(void *arg)
{
	struct slow *slow = arg;

	slow->ret = do_read(slow->fd, slow->memory, slow->len);
	return NULL;
}

static long slow_finish(struct slow *slow)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += DEADLINE_MS / 1000;
	if (pthread_timedjoin_np(slow->thread, NULL, &end))
		return OP_STUCK;
	return slow->ret;
}

#define slow_start(slow, fd, run)							\
do {											\
	if (!slow_init(slow, fd, self->size))						\
		SKIP(return, "no userfaultfd for kernel faults: %s", strerror(errno));	\
	ASSERT_EQ(0, pthread_create(&(slow)->thread, NULL, run, slow));			\
} while (0)

/* The same with memory that is there at first. */
#define slow_start_ready(slow, fd, run)							\
do {											\
	if (!slow_init(slow, fd, self->size))						\
		SKIP(return, "no userfaultfd for kernel faults: %s", strerror(errno));	\
	ASSERT_TRUE(slow_resolve(slow));						\
	ASSERT_EQ(0, pthread_create(&(slow)->thread, NULL, run, slow));			\
} while (0)

/* Another sender and another receiver get on with it. */
static void others_get_on(struct __test_metadata *_metadata, struct pair *pair)
{
	struct op *op = offer(_metadata, pair->send, "others", 6);

	EXPECT_TRUE(got(pair->recv, "others"));
	EXPECT_EQ(6, finish(op));
	op = park_recv(_metadata, pair->recv, 64);
	EXPECT_EQ(6, put(pair->send, "to you"));
	EXPECT_TRUE(finish_text(op, "to you"));
}

/*
 * A receiver is stalled, and @op has sent what it is to get. Another sender and
 * another receiver come; who gets which of the two messages is open, but they
 * get both, and the other receiver at once.
 */
static void others_get_on_beside(struct __test_metadata *_metadata, struct pair *pair,
				 struct slow *slow, struct op *op, unsigned char *back)
{
	long size = op->len, ret;
	struct op *other = offer(_metadata, pair->send, "others", 6);

	ret = try_read(pair->recv, back, size);
	ASSERT_TRUE(slow_resolve(slow));
	if (ret == 6) {
		EXPECT_EQ(0, memcmp(back, "others", 6));
		EXPECT_EQ(size, slow_finish(slow));
		EXPECT_TRUE(filled(slow->memory, size, 1));
	} else {
		EXPECT_EQ(size, ret);
		EXPECT_TRUE(filled(back, size, 1));
		EXPECT_EQ(6, slow_finish(slow));
		EXPECT_EQ(0, memcmp(slow->memory, "others", 6));
	}
	EXPECT_EQ(size, finish(op));
	EXPECT_EQ(6, finish(other));
	EXPECT_EQ(2, info(pair->send).received);
}

TEST_F(faults, stalled_sender_holds_nobody_up)
{
	struct op *op;
	struct slow slow;

	slow_start(&slow, self->send, slow_send);
	ASSERT_TRUE(slow_stalled(&slow));
	EXPECT_EQ(0, info(self->send).sent);
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	others_get_on(_metadata, &self->pair);
	op = park_recv(_metadata, self->recv, self->size);
	ASSERT_TRUE(slow_resolve(&slow));
	EXPECT_EQ((long)self->size, slow_finish(&slow));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_TRUE(filled(op->data, self->size, 1));
}

TEST_F(faults, stalled_sender_does_not_claim_a_receiver)
{
	struct op *op = park_recv(_metadata, self->recv, self->size);
	struct slow slow;

	slow_start(&slow, self->send, slow_send);
	ASSERT_TRUE(slow_stalled(&slow));
	EXPECT_EQ(5, put(self->send, "first"));
	EXPECT_TRUE(finish_text(op, "first"));
	EXPECT_EQ(0, end_channel(self->send, 0));
	ASSERT_TRUE(slow_resolve(&slow));
	EXPECT_EQ(-EPIPE, slow_finish(&slow));
}

TEST_F(faults, stalled_receiver_holds_nobody_up)
{
	struct op *op = offer(_metadata, self->send, self->data, self->size);
	struct slow slow;

	slow_start(&slow, self->recv, slow_recv);
	ASSERT_TRUE(slow_stalled(&slow));
	others_get_on_beside(_metadata, &self->pair, &slow, op, self->back);
}

TEST_F(faults, stalled_receiver_that_was_parked_holds_nobody_up)
{
	struct slow slow;
	struct op *op;

	slow_start_ready(&slow, self->recv, slow_recv);
	ASSERT_TRUE(wait_parked(self->recv, 0, 1));
	slow_empty(&slow);
	op = start_send(_metadata, self->send, self->data, self->size);
	ASSERT_TRUE(slow_stalled(&slow));
	others_get_on_beside(_metadata, &self->pair, &slow, op, self->back);
}

/*
 * The sender's answer and what the receiver finds must agree: it has the
 * message exactly if the sender was told so. @instead is the other answer.
 */
#define agree(sent, instead, slow)							\
do {											\
	if ((sent) == (instead)) {							\
		EXPECT_EQ(0, end_channel(self->send, 0));				\
		EXPECT_EQ(0, slow_finish(slow));					\
	} else {									\
		EXPECT_EQ((long)self->size, sent);					\
		EXPECT_EQ((long)self->size, slow_finish(slow));				\
		EXPECT_TRUE(filled((slow)->memory, self->size, 1));			\
	}										\
} while (0)

TEST_F(faults, close_while_the_receiver_is_stalled)
{
	struct op *op = offer(_metadata, self->send, self->data, self->size);
	struct slow slow;
	long sent;

	slow_start(&slow, self->recv, slow_recv);
	ASSERT_TRUE(slow_stalled(&slow));
	EXPECT_EQ(0, end_channel(self->send, 0));
	sent = finish(op);
	ASSERT_TRUE(slow_resolve(&slow));
	agree(sent, -EPIPE, &slow);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void run_send_interrupted(struct op *op)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	run_send(op);
}

TEST_F(faults, signal_to_the_sender_while_the_receiver_is_stalled)
{
	struct slow slow;
	struct op *op;
	long sent;

	op = start(_metadata, self->send, self->data, self->size, run_send_interrupted);
	ASSERT_TRUE(wait_until(info(self->send).parked_senders || info(self->send).buffered));
	slow_start(&slow, self->recv, slow_recv);
	ASSERT_TRUE(slow_stalled(&slow));
	kill(op->pid, SIGUSR1);
	sent = finish(op);
	ASSERT_TRUE(slow_resolve(&slow));
	agree(sent, -EINTR, &slow);
}

/* The first of so many cases, the others disabled, without waiting. */
static long try_first(struct slow *slow, __u32 ncases)
{
	struct chan_case cases[2] = {
		{
			.fd = slow->fd, .op = CHAN_RECV, .buf = (uintptr_t)slow->memory,
			.len = slow->len,
		},
		{ .fd = -1 },
	};
	struct chan_select arg = {
		.cases = (uintptr_t)cases, .ncases = ncases, .case_size = sizeof(*cases),
	};
	long ret = do_ioctl(slow->fd, CHAN_IOC_SELECT, &arg);

	if (!ret)
		ret = cases[0].status;
	return ret ? ret : (long)cases[0].len;
}

static void *slow_try_one(void *slow)
{
	((struct slow *)slow)->ret = try_first(slow, 1);
	return NULL;
}

static void *slow_try_two(void *slow)
{
	((struct slow *)slow)->ret = try_first(slow, 2);
	return NULL;
}

/* What does not wait is not interrupted either. */
TEST_F(faults, signal_to_a_receiver_that_stalls_and_does_not_wait)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct slow slow;
	struct op *op;
	int i;

	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	for (i = 0; i < 2; i++) {
		op = offer(_metadata, self->send, self->data, self->size);
		slow_start(&slow, self->recv, i ? slow_try_two : slow_try_one);
		ASSERT_TRUE(slow_stalled(&slow));
		ASSERT_EQ(0, pthread_kill(slow.thread, SIGUSR1));
		ASSERT_TRUE(slow_resolve(&slow));
		EXPECT_EQ((long)self->size, slow_finish(&slow));
		EXPECT_TRUE(filled(slow.memory, self->size, 1));
		EXPECT_EQ((long)self->size, finish(op));
	}
}

TEST_F(faults, sender_killed_while_the_receiver_is_stalled)
{
	struct op *op = offer(_metadata, self->send, self->data, self->size);
	struct slow slow;
	long ret;

	slow_start(&slow, self->recv, slow_recv);
	ASSERT_TRUE(slow_stalled(&slow));
	ret = cancel(op);
	EXPECT_NE(OP_STUCK, ret);
	ASSERT_TRUE(slow_resolve(&slow));
	/* Taken whole, or not at all. */
	EXPECT_EQ(0, end_channel(self->send, 0));
	ret = slow_finish(&slow);
	if (ret) {
		EXPECT_EQ((long)self->size, ret);
		EXPECT_TRUE(filled(slow.memory, self->size, 1));
	}
	if (variant->capacity)
		EXPECT_EQ((long)self->size, ret);
}

TEST_F(faults, stalled_receiver_turns_out_unwritable)
{
	struct op *op = offer(_metadata, self->send, self->data, self->size), *next;
	struct slow slow;

	slow_start(&slow, self->recv, slow_recv);
	ASSERT_TRUE(slow_stalled(&slow));
	next = offer(_metadata, self->send, "next", 4);
	ASSERT_TRUE(slow_unmap(&slow));
	EXPECT_EQ(-EFAULT, slow_finish(&slow));
	EXPECT_EQ((long)self->size, try_read(self->recv, self->back, self->size));
	EXPECT_TRUE(filled(self->back, self->size, 1));
	EXPECT_TRUE(got(self->recv, "next"));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_EQ(4, finish(next));
}

/* A process that stalls on memory that it waits for itself, until killed. */

enum {
	SLOW_SEND	= 1,	/* it sends */
	SLOW_PARKED	= 2,	/* it has its memory until it is parked */

	STALLED		= 2,
	NO_UFFD		= 3,
};

struct watcher {
	struct op *op;
	struct slow slow;
};

static void *announce_stall(void *arg)
{
	struct watcher *watcher = arg;

	if (watcher->op->flag & SLOW_PARKED) {
		if (!wait_parked(watcher->op->fd, 0, 1))
			return NULL;
		slow_empty(&watcher->slow);
		watcher->op->signals = 1;
	}
	if (slow_stalled(&watcher->slow))
		__atomic_store_n(&watcher->op->ready, STALLED, __ATOMIC_RELEASE);
	return NULL;
}

static void run_slow(struct op *op)
{
	struct watcher watcher = { .op = op };
	pthread_t thread;

	if (!slow_init(&watcher.slow, op->fd, op->len)) {
		__atomic_store_n(&op->ready, NO_UFFD, __ATOMIC_RELEASE);
		return;
	}
	if (op->flag & SLOW_PARKED)
		slow_resolve(&watcher.slow);
	pthread_create(&thread, NULL, announce_stall, &watcher);
	if (op->flag & SLOW_SEND)
		slow_send(&watcher.slow);
	else
		slow_recv(&watcher.slow);
	op->ret = watcher.slow.ret;
}

static struct op *start_slow(struct __test_metadata *_metadata, int fd, size_t size, int flags)
{
	struct op *op = new_op(_metadata, fd, size);

	op->flag = flags;
	start_op(_metadata, op, run_slow);
	return op;
}

TEST_F(faults, stalled_receiver_killed)
{
	struct op *op = offer(_metadata, self->send, self->data, self->size), *next;
	struct op *killed = start_slow(_metadata, self->recv, self->size, 0);

	ASSERT_TRUE(wait_ready(killed, STALLED));
	if (killed->ready == NO_UFFD)
		SKIP(return, "no userfaultfd for kernel faults");
	next = offer(_metadata, self->send, "next", 4);
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(killed));
	EXPECT_EQ((long)self->size, try_read(self->recv, self->back, self->size));
	EXPECT_TRUE(filled(self->back, self->size, 1));
	EXPECT_TRUE(got(self->recv, "next"));
	EXPECT_EQ((long)self->size, finish(op));
	EXPECT_EQ(4, finish(next));
}

TEST_F(faults, stalled_receiver_that_was_parked_killed)
{
	struct op *killed = start_slow(_metadata, self->recv, self->size, SLOW_PARKED), *op;

	ASSERT_TRUE(wait_until(killed->signals || killed->ready == NO_UFFD));
	if (killed->ready == NO_UFFD)
		SKIP(return, "no userfaultfd for kernel faults");
	op = start_send(_metadata, self->send, self->data, self->size);
	ASSERT_TRUE(wait_ready(killed, STALLED));
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(killed));
	EXPECT_EQ((long)self->size, do_read(self->recv, self->back, self->size));
	EXPECT_TRUE(filled(self->back, self->size, 1));
	EXPECT_EQ((long)self->size, finish(op));
}

TEST_F(faults, stalled_sender_killed)
{
	struct op *killed = start_slow(_metadata, self->send, self->size, SLOW_SEND);

	ASSERT_TRUE(wait_ready(killed, STALLED));
	if (killed->ready == NO_UFFD)
		SKIP(return, "no userfaultfd for kernel faults");
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel(killed));
	EXPECT_TRUE(parked_are(self->send, 0, 0));
	EXPECT_EQ(0, info(self->send).buffered);
	EXPECT_EQ(0, info(self->send).sent);
	others_get_on(_metadata, &self->pair);
}

TEST_HARNESS_MAIN
