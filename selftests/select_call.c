// SPDX-License-Identifier: GPL-2.0-only
/*
 * CHAN_IOC_SELECT: how it is called. Arguments that are refused, many cases and
 * none, deadlines, the choice among several, and what is written.
 */
#include <sys/eventfd.h>

#include "select_test.h"

#define PAGE	4096UL

/* Two channels on which something is possible, and one on which nothing is. */
FIXTURE(alone) {
	struct pair queue;	/* with room for four, and one message */
	struct pair sync;	/* with a parked receiver */
	struct pair idle;
	struct op *receiver;
	long sleeps;
	int ctl;
	int event;
	int socket;
	int file;
	int directory;
	int path;
	char room[ROOM];
	struct chan_info before[3];
};

FIXTURE_SETUP(alone)
{
	int sv[2];

	make_pair(_metadata, &self->queue, 4, 128);
	make_pair(_metadata, &self->sync, 0, 0);
	make_pair(_metadata, &self->idle, 0, 0);
	ASSERT_EQ(6, put(self->queue.send, "queued"));
	self->receiver = park_recv(_metadata, self->sync.recv, ROOM);
	self->sleeps = sleeps_of(self->receiver->pid);
	self->ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	self->event = eventfd(1, EFD_CLOEXEC);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	self->socket = sv[0];
	self->file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	self->directory = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	self->path = open(CONTROL, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, self->path);
	self->before[0] = info(self->queue.send);
	self->before[1] = info(self->sync.send);
	self->before[2] = info(self->idle.send);
}

FIXTURE_TEARDOWN(alone)
{
	close_pair(&self->queue);
	close_pair(&self->sync);
	close_pair(&self->idle);
}

/* Nothing was sent, received, parked or woken. */
static bool nothing_happened(FIXTURE_DATA(alone) * self)
{
	return info_same(self->queue.send, &self->before[0]) &&
	       info_same(self->sync.send, &self->before[1]) &&
	       info_same(self->idle.send, &self->before[2]) &&
	       undisturbed(self->receiver->pid, self->sleeps);
}

/* One case that is ready before the one at 1, one that is not, one that is. */
static void around(FIXTURE_DATA(alone) * self, struct chan_case *cases)
{
	cases[0] = case_recv(self->queue.recv, self->room, ROOM);
	cases[2] = case_recv(self->idle.recv, self->room, ROOM);
	cases[3] = case_text(self->sync.send, "not to be sent");
}

static const __u64 deadlines[] = { 0, 1, CHAN_SELECT_FOREVER };

/* The bad case fails the call by @error, whatever else there is. */
static void refused(struct __test_metadata *_metadata, FIXTURE_DATA(alone) * self,
		    struct chan_case bad, long error, const char *what)
{
	struct chan_case cases[4], copy[4];
	struct chan_select arg;
	__u32 index;
	int i, flags;

	for (i = 0; i < ARRAY_SIZE(deadlines); i++) {
		for (flags = 0; flags <= CHAN_SELECT_PRIORITY; flags++) {
			around(self, cases);
			cases[1] = bad;
			memcpy(copy, cases, sizeof(cases));
			arg = select_of(cases, 4, deadlines[i]);
			arg.flags = flags;
			ASSERT_EQ(error, failing_index(self->ctl, &arg, &index))
				TH_LOG("%s", what);
			ASSERT_EQ(1, index)
				TH_LOG("%s", what);
			ASSERT_EQ(0, memcmp(copy, cases, sizeof(cases)));
			ASSERT_TRUE(nothing_happened(self))
				TH_LOG("%s", what);
		}
	}
	/* Nor does it matter that nothing else is there. */
	arg = select_of(&bad, 1, CHAN_SELECT_FOREVER);
	ASSERT_EQ(error, failing_index(self->ctl, &arg, &index))
		TH_LOG("%s", what);
	ASSERT_EQ(0, index);
}

TEST_F(alone, descriptors_that_are_none)
{
	struct rlimit limit;
	int closed = dup(self->ctl), i;
	int bad[] = { closed, -2, -77, INT_MIN, INT_MAX, 0 };

	close(closed);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	bad[5] = limit.rlim_cur;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		refused(_metadata, self, case_recv(bad[i], self->room, ROOM), -EBADF, "recv");
		refused(_metadata, self, case_text(bad[i], "x"), -EBADF, "send");
		refused(_metadata, self, case_poll(bad[i], POLLIN), -EBADF, "poll");
	}
	refused(_metadata, self, case_poll(self->path, POLLIN), -EBADF, "O_PATH");
	refused(_metadata, self, case_recv(self->path, self->room, ROOM), -EBADF, "O_PATH");
}

TEST_F(alone, wrong_direction)
{
	refused(_metadata, self, case_text(self->queue.recv, "x"), -EBADF, "send");
	refused(_metadata, self, case_text(self->sync.recv, "x"), -EBADF, "send");
	refused(_metadata, self, case_recv(self->queue.send, self->room, ROOM), -EBADF, "recv");
	refused(_metadata, self, case_recv(self->sync.send, self->room, ROOM), -EBADF, "recv");
	refused(_metadata, self, case_send(self->queue.recv, "", 0), -EBADF, "nothing");
	refused(_metadata, self, case_recv(self->queue.send, NULL, 0), -EBADF, "nothing");
}

TEST_F(alone, files_that_are_no_ends)
{
	int file[] = { self->ctl, self->event, self->socket };
	int i;

	for (i = 0; i < ARRAY_SIZE(file); i++) {
		refused(_metadata, self, case_text(file[i], "x"), -EINVAL, "send");
		refused(_metadata, self, case_recv(file[i], self->room, ROOM), -EINVAL, "recv");
	}
	refused(_metadata, self, case_recv(self->file, self->room, ROOM), -EINVAL, "file");
}

TEST_F(alone, files_that_cannot_be_polled)
{
	refused(_metadata, self, case_poll(self->file, POLLIN), -EPERM, "file");
	refused(_metadata, self, case_poll(self->file, 0), -EPERM, "file");
	refused(_metadata, self, case_poll(self->directory, POLLIN), -EPERM, "directory");
}

TEST_F(alone, unknown_kinds_of_case)
{
	static const __u32 ops[] = { 0, 4, 5, 8, 255, 256 + CHAN_SEND, 1U << 31, ~0U };
	struct chan_case bad;
	int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		bad = case_recv(self->queue.recv, self->room, ROOM);
		bad.op = ops[i];
		refused(_metadata, self, bad, -EINVAL, "on an end");
		bad = case_poll(self->event, POLLIN);
		bad.op = ops[i];
		refused(_metadata, self, bad, -EINVAL, "on another file");
	}
}

/* There are no more than sixteen events. */
TEST_F(alone, unknown_events)
{
	int bit;

	for (bit = 16; bit < 32; bit++)
		refused(_metadata, self, case_poll(self->event, POLLIN | 1U << bit), -EINVAL,
			"event");
}

static void reserved_is_checked(struct __test_metadata *_metadata, FIXTURE_DATA(alone) * self,
				struct chan_case good)
{
	struct chan_case bad;
	int bit, i;

	for (bit = 0; bit < 32; bit += 5) {
		bad = good;
		bad.flags = 1U << bit;
		refused(_metadata, self, bad, -EINVAL, "flags");
		bad = good;
		bad.nfds = 1U << bit;
		refused(_metadata, self, bad, -EINVAL, "nfds");
		bad = good;
		bad.fds = 1ULL << 2 * bit;
		refused(_metadata, self, bad, -EINVAL, "fds");
		for (i = 0; i < ARRAY_SIZE(bad.reserved); i++) {
			bad = good;
			bad.reserved[i] = 1U << bit;
			refused(_metadata, self, bad, -EINVAL, "reserved");
		}
	}
}

TEST_F(alone, reserved_fields_of_a_receive)
{
	reserved_is_checked(_metadata, self, case_recv(self->queue.recv, self->room, ROOM));
}

TEST_F(alone, reserved_fields_of_a_send)
{
	reserved_is_checked(_metadata, self, case_text(self->sync.send, "x"));
}

TEST_F(alone, reserved_fields_of_a_poll)
{
	reserved_is_checked(_metadata, self, case_poll(self->event, POLLIN));
}

TEST_F(alone, longer_than_max_msg)
{
	static char data[CHAN_DEFAULT_MAX_MSG + 1];

	refused(_metadata, self, case_send(self->queue.send, data, 129), -EMSGSIZE, "by one");
	refused(_metadata, self, case_send(self->sync.send, data, sizeof(data)), -EMSGSIZE,
		"default");
	refused(_metadata, self, case_send(self->sync.send, data, ~0U), -EMSGSIZE, "most");
	/* The length is judged before the memory, as by write(). */
	refused(_metadata, self, case_send(self->queue.send, NULL, 129), -EMSGSIZE, "NULL");
}

TEST_F(alone, memory_that_is_none)
{
	char *memory = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_EQ(0, mprotect(memory + PAGE, PAGE, PROT_NONE));
	refused(_metadata, self, case_send(self->queue.send, NULL, 1), -EFAULT, "NULL");
	refused(_metadata, self, case_send(self->queue.send, (void *)-PAGE, 64), -EFAULT,
		"kernel");
	refused(_metadata, self, case_send(self->queue.send, memory + PAGE - 10, 11), -EFAULT,
		"last byte");
	refused(_metadata, self, case_recv(self->queue.recv, NULL, ROOM), -EFAULT, "NULL");
	refused(_metadata, self, case_recv(self->queue.recv, (void *)-PAGE, ROOM), -EFAULT,
		"kernel");
	refused(_metadata, self, case_recv(self->queue.recv, memory, ROOM), -EFAULT,
		"read only");
	refused(_metadata, self, case_recv(self->idle.recv, memory, ROOM), -EFAULT,
		"nothing to receive");
}

#if __SIZEOF_POINTER__ == 4
/* What does not fit in a pointer of this program is no address of its. */
TEST_F(alone, addresses_beyond_four_gigabytes)
{
	struct chan_case bad = case_recv(self->queue.recv, self->room, ROOM);

	bad.buf |= 1ULL << 32;
	refused(_metadata, self, bad, -EFAULT, "recv");
	bad = case_text(self->queue.send, "x");
	bad.buf |= 1ULL << 40;
	refused(_metadata, self, bad, -EFAULT, "send");
}
#endif

/* --- The call as a whole --- */

static void refused_whole(struct __test_metadata *_metadata, FIXTURE_DATA(alone) * self,
			  struct chan_select arg, long error, const char *what)
{
	__u32 index;
	int i;

	for (i = 0; i < ARRAY_SIZE(deadlines); i++) {
		arg.deadline = deadlines[i];
		arg.index = 0;
		ASSERT_EQ(error, failing_index(self->ctl, &arg, &index))
			TH_LOG("%s", what);
		ASSERT_EQ(CHAN_SELECT_NONE, index)
			TH_LOG("%s", what);
		ASSERT_TRUE(nothing_happened(self))
			TH_LOG("%s", what);
	}
}

TEST_F(alone, unknown_flags)
{
	struct chan_case cases[4];
	struct chan_select arg = select_of(cases, 4, 0);
	int bit;

	around(self, cases);
	cases[1] = case_disabled();
	for (bit = 1; bit < 32; bit++) {
		arg.flags = 1U << bit;
		refused_whole(_metadata, self, arg, -EINVAL, "flag");
		arg.flags |= CHAN_SELECT_PRIORITY;
		refused_whole(_metadata, self, arg, -EINVAL, "flag with another");
	}
}

TEST_F(alone, sizes_of_a_case_that_are_none)
{
	static const __u32 wrong[] = { 0, 1, 8, 56, 63, 65, 66, 68, 71, 76, 4095 };
	static const __u32 huge[] = { 4104, 8192, 1U << 31, ~0U - 7 };
	struct chan_case cases[256] = { };
	struct chan_select arg = select_of(cases, 1, 0);
	int i;

	around(self, cases);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		arg.case_size = wrong[i];
		refused_whole(_metadata, self, arg, -EINVAL, "wrong");
	}
	for (i = 0; i < ARRAY_SIZE(huge); i++) {
		arg.case_size = huge[i];
		refused_whole(_metadata, self, arg, -E2BIG, "huge");
	}
}

TEST_F(alone, an_array_that_cannot_be_written)
{
	size_t array = 4 * sizeof(struct chan_case);
	unsigned char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct chan_case *split = (void *)(memory + PAGE - array / 2), all[4];

	around(self, all);
	all[1] = case_disabled();
	refused_whole(_metadata, self, select_of(NULL, 4, 0), -EFAULT, "NULL");
	refused_whole(_metadata, self, select_of((void *)-PAGE, 4, 0), -EFAULT, "kernel");
	memcpy(memory, all, array);
	memcpy(split, all, array);
	ASSERT_EQ(0, mprotect(memory + PAGE, PAGE, PROT_READ));
	refused_whole(_metadata, self, select_of(split, 4, 0), -EFAULT, "half writable");
	ASSERT_EQ(0, mprotect(memory + PAGE, PAGE, PROT_NONE));
	refused_whole(_metadata, self, select_of(split, 4, 0), -EFAULT, "half readable");
	ASSERT_EQ(0, mprotect(memory, PAGE, PROT_READ));
	refused_whole(_metadata, self, select_of((void *)memory, 4, 0), -EFAULT, "read only");
}

TEST_F(alone, an_argument_that_cannot_be_written)
{
	struct chan_select *arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct chan_case cases[4];

	around(self, cases);
	cases[1] = case_disabled();
	*arg = select_of(cases, 4, 0);
	ASSERT_EQ(0, mprotect(arg, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, do_ioctl(self->ctl, CHAN_IOC_SELECT, arg));
	EXPECT_TRUE(nothing_happened(self));
}

/* --- Many cases, large cases --- */

FIXTURE(many) {
	struct pair queue;	/* with room for eight */
	struct pair idle;
	char room[ROOM];
	struct chan_case *cases;
};

FIXTURE_SETUP(many)
{
	make_pair(_metadata, &self->queue, 8, 0);
	make_pair(_metadata, &self->idle, 0, 0);
	self->cases = calloc(CHAN_SELECT_MAX + 1, 4096);
	ASSERT_NE(NULL, self->cases);
}

FIXTURE_TEARDOWN(many)
{
	close_pair(&self->queue);
	close_pair(&self->idle);
	free(self->cases);
}

TEST_F(many, as_many_as_there_may_be)
{
	int n, i;

	for (n = 1; n <= CHAN_SELECT_MAX; n *= 2) {
		for (i = 0; i < n - 1; i++)
			self->cases[i] = case_recv(self->idle.recv, self->room, ROOM);
		self->cases[n - 1] = case_recv(self->queue.recv, self->room, ROOM);
		EXPECT_EQ(-EAGAIN, try_select(self->idle.recv, self->cases, n));
		EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
		ASSERT_EQ(1, put(self->queue.send, "x"));
		EXPECT_EQ(n - 1, try_select(self->idle.recv, self->cases, n));
		EXPECT_EQ(1, self->cases[n - 1].len);
		EXPECT_EQ(0, self->cases[n - 1].status);
	}
}

TEST_F(many, more_than_there_may_be)
{
	static const __u32 more[] = { CHAN_SELECT_MAX + 1, 65536, 1U << 31, ~0U };
	struct chan_select arg;
	__u32 index;
	int i;

	ASSERT_EQ(1, put(self->queue.send, "x"));
	for (i = 0; i <= CHAN_SELECT_MAX; i++)
		self->cases[i] = case_recv(self->queue.recv, self->room, ROOM);
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		arg = select_of(self->cases, more[i], CHAN_SELECT_FOREVER);
		EXPECT_EQ(-EINVAL, failing_index(self->idle.recv, &arg, &index));
		EXPECT_EQ(CHAN_SELECT_NONE, index);
	}
	EXPECT_EQ(0, info(self->queue.recv).received);
}

TEST_F(many, parked_on_as_many_as_there_may_be)
{
	int in_thread, i;

	for (in_thread = 0; in_thread < 2; in_thread++) {
		struct select_op *op = new_select(_metadata, self->idle.recv, CHAN_SELECT_MAX, 8);

		for (i = 0; i < CHAN_SELECT_MAX - 1; i++)
			add_recv(op, self->idle.recv);
		add_recv(op, self->queue.recv);
		park_select(_metadata, op, in_thread ? IN_THREAD : 0);
		EXPECT_EQ(5, put(self->queue.send, "hello"));
		EXPECT_TRUE(chose_text(op, CHAN_SELECT_MAX - 1, "hello"));
		EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
		EXPECT_TRUE(parked_are(self->queue.recv, 0, 0));
	}
}

TEST_F(many, the_last_is_bad)
{
	struct chan_select arg = select_of(self->cases, CHAN_SELECT_MAX, 0);
	__u32 index;
	int i;

	ASSERT_EQ(1, put(self->queue.send, "x"));
	for (i = 0; i < CHAN_SELECT_MAX; i++)
		self->cases[i] = case_recv(self->queue.recv, self->room, ROOM);
	self->cases[CHAN_SELECT_MAX - 1].op = 99;
	EXPECT_EQ(-EINVAL, failing_index(self->idle.recv, &arg, &index));
	EXPECT_EQ(CHAN_SELECT_MAX - 1, index);
	EXPECT_EQ(0, info(self->queue.recv).received);
}

/* A program that was built with cases that have become larger. */
TEST_F(many, cases_that_are_larger)
{
	static const __u32 size[] = { 64, 72, 80, 128, 256, 4096 };
	unsigned char *array = (void *)self->cases;
	struct chan_select arg;
	struct chan_case one;
	int i, j;

	for (i = 0; i < ARRAY_SIZE(size); i++) {
		memset(array, 0, 4 * 4096);
		for (j = 0; j < 3; j++) {
			one = case_recv(self->idle.recv, self->room, ROOM);
			if (j == 2)
				one.fd = self->queue.recv;
			memcpy(array + j * size[i], &one, sizeof(one));
		}
		ASSERT_EQ(5, put(self->queue.send, "hello"));
		arg = select_of(self->cases, 3, 0);
		arg.case_size = size[i];
		ASSERT_EQ(0, do_ioctl(self->idle.recv, CHAN_IOC_SELECT, &arg));
		EXPECT_EQ(2, arg.index);
		memcpy(&one, array + 2 * size[i], sizeof(one));
		EXPECT_EQ(0, one.status);
		EXPECT_EQ(5, one.len);
		for (j = 0; j < 3; j++)
			EXPECT_TRUE(all_bytes(array + j * size[i] + 64, size[i] - 64, 0));
	}
}

TEST_F(many, cases_that_are_larger_and_dirty)
{
	static const __u32 size[] = { 72, 80, 128, 4096 };
	unsigned char *array = (void *)self->cases;
	struct chan_select arg;
	struct chan_case one;
	__u32 index;
	int i, j, last;

	ASSERT_EQ(5, put(self->queue.send, "hello"));
	for (i = 0; i < ARRAY_SIZE(size); i++) {
		for (last = 0; last < 2; last++) {
			memset(array, 0, 4 * 4096);
			for (j = 0; j < 3; j++) {
				one = case_recv(self->queue.recv, self->room, ROOM);
				memcpy(array + j * size[i], &one, sizeof(one));
			}
			array[last ? 2 * size[i] - 1 : size[i] + 64] = 1;
			arg = select_of(self->cases, 3, CHAN_SELECT_FOREVER);
			arg.case_size = size[i];
			EXPECT_EQ(-E2BIG, failing_index(self->idle.recv, &arg, &index));
			EXPECT_EQ(1, index);
		}
	}
	EXPECT_EQ(0, info(self->queue.recv).received);
}

/* A select of one case goes a way of its own. */
TEST_F(many, one_case_that_is_larger)
{
	unsigned char *array = (void *)self->cases;
	struct chan_case one = case_recv(self->queue.recv, self->room, ROOM);
	struct chan_select arg;
	__u32 index;

	ASSERT_EQ(5, put(self->queue.send, "hello"));
	memcpy(array, &one, sizeof(one));
	arg = select_of(self->cases, 1, 0);
	arg.case_size = 128;
	array[127] = 1;
	EXPECT_EQ(-E2BIG, failing_index(self->idle.recv, &arg, &index));
	EXPECT_EQ(0, index);
	EXPECT_EQ(0, info(self->queue.recv).received);
	array[127] = 0;
	ASSERT_EQ(0, do_ioctl(self->idle.recv, CHAN_IOC_SELECT, &arg));
	EXPECT_EQ(0, arg.index);
	memcpy(&one, array, sizeof(one));
	EXPECT_EQ(5, one.len);
	EXPECT_TRUE(text_is(self->room, one.len, "hello"));
	EXPECT_TRUE(all_bytes(array + 64, 64, 0));
}

/* Of very many, only so many are told before others may have the lock. */
TEST_F(many, receivers_with_too_little_room)
{
	struct select_op *op = new_select(_metadata, self->idle.send, 2, ROOM);
	struct op *small[70];
	int i;

	for (i = 0; i < ARRAY_SIZE(small); i++)
		small[i] = park_recv(_metadata, self->idle.recv, 4);
	add_text(op, self->idle.send, "hello");
	add_poll(op, self->idle.recv, 0);
	park_select(_metadata, op, false);
	for (i = 0; i < ARRAY_SIZE(small); i++)
		EXPECT_EQ(-EMSGSIZE, finish(small[i]));
	EXPECT_EQ(5, do_read(self->idle.recv, self->room, ROOM));
	EXPECT_TRUE(chose(op, 0, 0));
}

/* The array is looked at to its end, and no further. */
TEST_F(many, cases_up_to_the_edge_of_memory)
{
	size_t array = 3 * sizeof(struct chan_case);
	unsigned char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct chan_case *cases = (void *)(memory + PAGE - array);

	ASSERT_EQ(0, mprotect(memory + PAGE, PAGE, PROT_NONE));
	cases[0] = case_recv(self->idle.recv, self->room, ROOM);
	cases[1] = cases[0];
	cases[2] = case_text(self->queue.send, "x");
	EXPECT_EQ(2, try_select(self->idle.recv, cases, 3));
	EXPECT_EQ(-EFAULT, try_select(self->idle.recv, cases, 4));
	EXPECT_EQ(1, info(self->queue.recv).sent);
}

/* --- Disabled cases, no cases --- */

TEST_F(many, of_a_disabled_case_nothing_else_is_looked_at)
{
	struct chan_case cases[3], copy;

	memset(&cases[0], 0xff, sizeof(cases[0]));
	copy = cases[0];
	cases[1] = case_recv(self->queue.recv, self->room, ROOM);
	memset(&cases[2], 0x77, sizeof(cases[2]));
	cases[2].fd = -1;
	EXPECT_EQ(-EAGAIN, try_select(self->idle.recv, cases, 3));
	ASSERT_EQ(1, put(self->queue.send, "x"));
	EXPECT_EQ(1, try_select(self->idle.recv, cases, 3));
	EXPECT_EQ(0, memcmp(&copy, &cases[0], sizeof(copy)));
}

/* Neither needs an array, nor is anything ever possible. */
static void sleeps_to_its_deadline(struct __test_metadata *_metadata, int file,
				   struct chan_case *cases, __u32 ncases)
{
	struct chan_select arg = select_of(cases, ncases, 0);
	struct select_op *op;
	int in_thread;
	__u32 index;

	EXPECT_EQ(-EAGAIN, failing_index(file, &arg, &index));
	EXPECT_EQ(CHAN_SELECT_NONE, index);
	arg.deadline = in_ms(-1000);
	EXPECT_EQ(-ETIMEDOUT, failing_index(file, &arg, &index));
	arg.deadline = in_ms(50);
	EXPECT_EQ(-ETIMEDOUT, failing_index(file, &arg, &index));
	EXPECT_LE(arg.deadline, in_ms(0));
	EXPECT_EQ(CHAN_SELECT_NONE, index);
	for (in_thread = 0; in_thread < 2; in_thread++) {
		op = new_select(_metadata, file, 0, 0);
		op->arg = select_of(cases, ncases, in_ms(50));
		op->cases = cases;
		start_select(_metadata, op, in_thread ? IN_THREAD : 0);
		EXPECT_EQ(-ETIMEDOUT, finish_select(op));
		EXPECT_EQ(CHAN_SELECT_NONE, op->arg.index);
		EXPECT_LE(op->arg.deadline, in_ms(0));
	}
	op = new_select(_metadata, file, 0, 0);
	op->arg = select_of(cases, ncases, CHAN_SELECT_FOREVER);
	op->cases = cases;
	park_select(_metadata, op, 0);
	EXPECT_EQ(OP_KILLED(SIGKILL), cancel_select(op));
}

TEST_F(many, no_cases)
{
	sleeps_to_its_deadline(_metadata, self->idle.recv, self->cases, 0);
	sleeps_to_its_deadline(_metadata, self->idle.recv, NULL, 0);
	sleeps_to_its_deadline(_metadata, self->idle.recv, (void *)-PAGE, 0);
}

TEST_F(many, disabled_cases_only)
{
	int i;

	for (i = 0; i < CHAN_SELECT_MAX; i++)
		self->cases[i] = case_disabled();
	sleeps_to_its_deadline(_metadata, self->idle.recv, self->cases, 1);
	sleeps_to_its_deadline(_metadata, self->idle.recv, self->cases, CHAN_SELECT_MAX);
}

/* --- Deadlines --- */

TEST_F(many, does_not_wait)
{
	struct chan_case cases[5] = {
		case_recv(self->idle.recv, self->room, ROOM),
		case_text(self->idle.send, "x"),
		case_poll(self->idle.send, POLLOUT),
		case_recv(self->queue.recv, self->room, ROOM),
		case_disabled(),
	};
	struct chan_select arg = select_of(cases, 5, 0);
	__u32 index;

	EXPECT_EQ(-EAGAIN, failing_index(self->idle.recv, &arg, &index));
	EXPECT_EQ(CHAN_SELECT_NONE, index);
	arg.deadline = 1;
	EXPECT_EQ(-ETIMEDOUT, failing_index(self->idle.recv, &arg, &index));
	EXPECT_EQ(CHAN_SELECT_NONE, index);
	arg.deadline = in_ms(0);
	EXPECT_EQ(-ETIMEDOUT, failing_index(self->idle.recv, &arg, &index));
	EXPECT_EQ(CHAN_SELECT_NONE, index);
	EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
	EXPECT_TRUE(parked_are(self->queue.recv, 0, 0));
}

TEST_F(many, waits_until_the_deadline)
{
	static const long ms[] = { 1, 20, 150 };
	struct chan_case cases[3] = {
		case_recv(self->idle.recv, self->room, ROOM),
		case_text(self->idle.send, "x"),
		case_poll(self->queue.recv, POLLIN),
	};
	struct chan_select arg;
	__u32 index;
	int i, n;

	for (i = 0; i < ARRAY_SIZE(ms); i++) {
		for (n = 1; n <= 3; n++) {
			arg = select_of(cases, n, in_ms(ms[i]));
			EXPECT_EQ(-ETIMEDOUT, failing_index(self->idle.recv, &arg, &index));
			EXPECT_EQ(CHAN_SELECT_NONE, index);
			EXPECT_LE(arg.deadline, in_ms(0));
			EXPECT_GT(arg.deadline + DEADLINE_MS * NS_PER_MS, in_ms(0));
			EXPECT_TRUE(parked_are(self->idle.recv, 0, 0));
		}
	}
}

TEST_F(many, what_is_ready_wins_over_a_past_deadline)
{
	struct chan_case cases[2] = {
		case_recv(self->idle.recv, self->room, ROOM),
		case_text(self->queue.send, "x"),
	};

	EXPECT_EQ(1, do_select(self->idle.recv, cases, 2, 1));
	EXPECT_EQ(1, do_select(self->idle.recv, cases, 2, in_ms(-1)));
	cases[1] = case_poll(self->queue.recv, POLLIN);
	EXPECT_EQ(1, do_select(self->idle.recv, cases, 2, 1));
	EXPECT_EQ(0, end_channel(self->idle.send, 0));
	EXPECT_EQ(0, do_select(self->idle.recv, cases, 1, 1));
	EXPECT_EQ(-EPIPE, cases[0].status);
}

/* --- Several ready --- */

#define ROUNDS	10000

FIXTURE(several) {
	struct pair sendable[8];
	struct pair receivable[8];
	struct pair closed;
	int event;
	char room[ROOM];
	struct chan_case cases[8];
};

FIXTURE_VARIANT(several) {
	int n;
	int kind;	/* of the first; each has the next one's */
};

FIXTURE_VARIANT_ADD(several, two_from_send) {
	.n = 2,
	.kind = 0,
};

FIXTURE_VARIANT_ADD(several, two_from_receive) {
	.n = 2,
	.kind = 1,
};

FIXTURE_VARIANT_ADD(several, two_from_poll) {
	.n = 2,
	.kind = 2,
};

FIXTURE_VARIANT_ADD(several, three_from_send) {
	.n = 3,
	.kind = 0,
};

FIXTURE_VARIANT_ADD(several, three_from_poll) {
	.n = 3,
	.kind = 2,
};

FIXTURE_VARIANT_ADD(several, eight) {
	.n = 8,
	.kind = 0,
};

static struct chan_case ready_case(FIXTURE_DATA(several) * self, int kind, int i)
{
	switch (kind % 4) {
	case 0:
		return case_text(self->sendable[i].send, "sent");
	case 1:
		return case_recv(self->receivable[i].recv, self->room, ROOM);
	case 2:
		return case_poll(self->event, POLLIN);
	default:
		return case_recv(self->closed.recv, self->room, ROOM);
	}
}

FIXTURE_SETUP(several)
{
	int i;

	for (i = 0; i < variant->n; i++) {
		make_pair(_metadata, &self->sendable[i], 1, 0);
		make_pair(_metadata, &self->receivable[i], 1, 0);
		ASSERT_EQ(8, put(self->receivable[i].send, "received"));
	}
	make_pair(_metadata, &self->closed, 0, 0);
	ASSERT_EQ(0, end_channel(self->closed.send, 0));
	self->event = eventfd(1, EFD_CLOEXEC);
	for (i = 0; i < variant->n; i++)
		self->cases[i] = ready_case(self, variant->kind + i, i);
}

FIXTURE_TEARDOWN(several)
{
	int i;

	for (i = 0; i < variant->n; i++) {
		close_pair(&self->sendable[i]);
		close_pair(&self->receivable[i]);
	}
	close_pair(&self->closed);
	close(self->event);
}

/* As it was: true if that case, and no other one, has happened. */
static bool taken_back(FIXTURE_DATA(several) * self, int n, int kind, long index)
{
	bool right = true;
	int i;

	for (i = 0; i < n; i++) {
		__u32 sent = info(self->sendable[i].send).buffered;
		__u32 left = info(self->receivable[i].send).buffered;

		right = right && sent == (i == index && (kind + i) % 4 == 0);
		right = right && left == !(i == index && (kind + i) % 4 == 1);
		if (sent)
			right = right && got(self->sendable[i].recv, "sent");
		if (!left)
			right = right && put(self->receivable[i].send, "received") == 8;
	}
	self->cases[index] = ready_case(self, kind + index, index);
	return right;
}

TEST_F(several, each_has_the_same_chance)
{
	int count[8] = { }, i;
	long index;

	for (i = 0; i < ROUNDS; i++) {
		index = try_select(self->closed.recv, self->cases, variant->n);
		ASSERT_LE(0, index);
		ASSERT_GT(variant->n, index);
		ASSERT_TRUE(taken_back(self, variant->n, variant->kind, index));
		count[index]++;
	}
	for (i = 0; i < variant->n; i++) {
		EXPECT_LE(ROUNDS / (2 * variant->n), count[i])
			TH_LOG("case %d", i);
		EXPECT_GE(ROUNDS * 2 / variant->n, count[i])
			TH_LOG("case %d", i);
	}
}

TEST_F(several, by_priority_the_lowest)
{
	struct chan_select arg;
	int first, i;

	for (first = 0; first < variant->n; first++) {
		for (i = 0; i < first; i++)
			self->cases[i] = case_disabled();
		for (i = 0; i < ROUNDS / 50; i++) {
			arg = select_of(self->cases, variant->n, CHAN_SELECT_FOREVER);
			arg.flags = CHAN_SELECT_PRIORITY;
			ASSERT_EQ(0, do_ioctl(self->closed.recv, CHAN_IOC_SELECT, &arg));
			ASSERT_EQ(first, arg.index);
			ASSERT_TRUE(taken_back(self, variant->n, variant->kind, first));
		}
	}
}

/* What cannot happen has no priority. */
TEST_F(several, by_priority_those_alone_that_are_ready)
{
	struct chan_select arg;
	struct pair idle;
	int i, last = variant->n - 1;

	make_pair(_metadata, &idle, 0, 0);
	for (i = 0; i < last; i++) {
		self->cases[i] = case_recv(idle.recv, self->room, ROOM);
		if (i % 2)
			self->cases[i] = case_text(idle.send, "x");
	}
	for (i = 0; i < ROUNDS / 50; i++) {
		arg = select_of(self->cases, variant->n, CHAN_SELECT_FOREVER);
		arg.flags = CHAN_SELECT_PRIORITY;
		ASSERT_EQ(0, do_ioctl(self->closed.recv, CHAN_IOC_SELECT, &arg));
		ASSERT_EQ(last, arg.index);
		ASSERT_TRUE(taken_back(self, variant->n, variant->kind, last));
	}
}

/* --- What is written, and what is not --- */

static struct chan_case marked(struct chan_case one)
{
	one.status = 11111;
	one.pid = 22222;
	one.uid = 33333;
	if (one.op != CHAN_POLL)
		one.events = 44444;
	return one;
}

TEST_F(many, a_send_writes_its_status_alone)
{
	struct chan_case one = marked(case_text(self->queue.send, "x")), before = one;

	EXPECT_EQ(0, try_case(&one));
	before.status = 0;
	EXPECT_EQ(0, memcmp(&before, &one, sizeof(one)));
}

TEST_F(many, a_receive_writes_what_came_of_it)
{
	struct chan_case one = marked(case_recv(self->queue.recv, self->room, ROOM));
	struct chan_case before = one;

	ASSERT_EQ(5, put(self->queue.send, "hello"));
	EXPECT_EQ(0, try_case(&one));
	before.status = 0;
	before.len = 5;
	before.pid = getpid();
	before.uid = getuid();
	EXPECT_EQ(0, memcmp(&before, &one, sizeof(one)));
}

TEST_F(many, a_receive_without_a_message_writes_its_status_alone)
{
	struct chan_case one = marked(case_recv(self->queue.recv, self->room, ROOM));
	struct chan_case before = one;

	ASSERT_EQ(0, end_channel(self->queue.send, EIO));
	EXPECT_EQ(-EIO, try_case(&one));
	EXPECT_EQ(-EIO, one.status);
	before.status = -EIO;
	EXPECT_TRUE(!one.len || one.len == before.len);
	before.len = one.len;
	EXPECT_EQ(0, memcmp(&before, &one, sizeof(one)));
}

/* The cause looks like too little room, but no message has a length. */
TEST_F(many, a_channel_closed_with_emsgsize)
{
	struct chan_case cases[2];
	int i;

	ASSERT_EQ(0, end_channel(self->queue.send, EMSGSIZE));
	for (i = 0; i < 100; i++) {
		cases[0] = case_recv(self->queue.recv, self->room, ROOM);
		EXPECT_EQ(-EMSGSIZE, try_case(&cases[0]));
		EXPECT_TRUE(!cases[0].len || cases[0].len == ROOM);
		cases[0] = case_recv(self->idle.recv, self->room, ROOM);
		cases[1] = case_recv(self->queue.recv, self->room, ROOM);
		EXPECT_EQ(1, try_select(self->queue.recv, cases, 2));
		EXPECT_EQ(-EMSGSIZE, cases[1].status);
		EXPECT_TRUE(!cases[1].len || cases[1].len == ROOM);
	}
}

TEST_F(many, a_poll_writes_status_and_events)
{
	struct chan_case one = marked(case_poll(self->queue.send, POLLIN | POLLOUT | POLLPRI));
	struct chan_case before;

	one.len = 55555;
	one.buf = 66666;
	before = one;
	EXPECT_EQ(0, try_case(&one));
	before.status = 0;
	before.events = POLLOUT;
	EXPECT_EQ(0, memcmp(&before, &one, sizeof(one)));
	EXPECT_EQ(0, info(self->queue.send).sent);
}

/* A call that fails writes in no case. */
TEST_F(many, none_is_written_when_none_happened)
{
	struct chan_case cases[3] = {
		marked(case_recv(self->idle.recv, self->room, ROOM)),
		marked(case_text(self->idle.send, "x")),
		marked(case_poll(self->queue.recv, POLLIN)),
	};
	struct chan_case before[3];

	memcpy(before, cases, sizeof(cases));
	EXPECT_EQ(-EAGAIN, try_select(self->idle.recv, cases, 3));
	EXPECT_EQ(-ETIMEDOUT, do_select(self->idle.recv, cases, 3, in_ms(10)));
	EXPECT_EQ(0, memcmp(before, cases, sizeof(cases)));
}

TEST_HARNESS_MAIN
