// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: what one user can make the module hold.
 */
#include <pthread.h>

#include "chan_test.h"

#define PARAMETER(name)		"/sys/module/chan/parameters/" name
#define CGROUP			"/sys/fs/cgroup"
#define MIB			(1024L * 1024)

TEST(largest_capacity)
{
	struct pair pair;

	make_pair(_metadata, &pair, CHAN_MAX_CAPACITY, 1);
	EXPECT_EQ(65536, info(pair.send).capacity);
}

TEST(largest_message)
{
	struct pair pair;

	make_pair(_metadata, &pair, 1, CHAN_MAX_MSG);
	EXPECT_EQ(1048576, info(pair.send).max_msg);
}

TEST(a_large_buffer_can_be_filled)
{
	struct pair pair;
	__u32 i, back = 0;

	make_pair(_metadata, &pair, 20000, 0);
	set_nonblock(pair.send, true);
	set_nonblock(pair.recv, true);
	for (i = 0; i < 20000; i++)
		ASSERT_EQ((long)sizeof(i), do_write(pair.send, &i, sizeof(i)));
	EXPECT_EQ(-EAGAIN, do_write(pair.send, &i, sizeof(i)));
	EXPECT_EQ(20000, info(pair.send).buffered);
	for (i = 0; i < 20000; i++) {
		ASSERT_EQ((long)sizeof(back), do_read(pair.recv, &back, sizeof(back)));
		ASSERT_EQ(i, back);
	}
	/* What is left in it goes with the channel. */
	for (i = 0; i < 5000; i++)
		ASSERT_EQ((long)sizeof(i), do_write(pair.send, &i, sizeof(i)));
}

/* --- Channels and scopes of one user --- */

static bool allow_files(unsigned long n)
{
	struct rlimit limit = { n, n };

	return !setrlimit(RLIMIT_NOFILE, &limit);
}

/* Make channels until it fails; keep one end of each. */
static long make_many(int ctl, long most, long *error)
{
	struct chan_create arg = { .capacity = 0 };
	long n;

	for (n = 0; n < most; n++) {
		*error = create(ctl, &arg);
		if (*error)
			break;
		close(arg.recv_fd);
	}
	return n;
}

static void run_channels(struct op *op)
{
	struct chan_create arg = { .capacity = 0 };
	long *out = (long *)op->data;
	int ctl;

	op->ret = -1;
	if (!allow_files(op->flag + 100) || !become(NOBODY))
		return;
	ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	out[0] = make_many(ctl, op->flag + 1, &out[1]);
	/* One gone makes room for one; their files follow that of the scope. */
	close(ctl + 1);
	out[2] = create(ctl, &arg);
	out[3] = create(ctl, &arg);
	op->ret = 0;
}

TEST(channels_per_user)
{
	long limit = read_number(PARAMETER("max_channels"));
	struct op *op = new_op(_metadata, -1, 4 * sizeof(long));
	long *out = (long *)op->data;

	if (!is_root())
		SKIP(return, "to be another user takes root");
	ASSERT_LT(0, limit);
	op->flag = limit;
	start_op(_metadata, op, run_channels);
	ASSERT_EQ(0, finish(op));
	EXPECT_EQ(limit, out[0]);
	EXPECT_EQ(-EDQUOT, out[1]);
	EXPECT_EQ(0, out[2]);
	EXPECT_EQ(-EDQUOT, out[3]);
}

static void run_two_users(struct op *op)
{
	long error, n;
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC);

	op->ret = -1;
	if (!allow_files(op->flag + 100))
		return;
	if (!become(NOBODY))
		return;
	n = make_many(ctl, op->flag + 1, &error);
	if (n == op->flag && error == -EDQUOT)
		op->ret = 0;
	__atomic_store_n(&op->ready, 2, __ATOMIC_RELEASE);
	pause();
}

static void run_other_user(struct op *op)
{
	struct chan_create arg = { .capacity = 0 };
	int ctl;

	op->ret = -1;
	if (!become(NOBODY - 1))
		return;
	ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	op->ret = create(ctl, &arg);
}

TEST(each_user_has_an_own_count)
{
	struct op *op = new_op(_metadata, -1, 0), *other;

	if (!is_root())
		SKIP(return, "to be another user takes root");
	op->flag = read_number(PARAMETER("max_channels"));
	start_op(_metadata, op, run_two_users);
	ASSERT_TRUE(wait_ready(op, 2));
	EXPECT_EQ(0, op->ret);
	other = start(_metadata, -1, NULL, 0, run_other_user);
	EXPECT_EQ(0, finish(other));
	cancel(op);
}

TEST(root_is_exempt)
{
	long limit = read_number(PARAMETER("max_channels")), error = 0;
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (!is_root())
		SKIP(return, "takes CAP_SYS_RESOURCE");
	ASSERT_TRUE(allow_files(limit + 200));
	EXPECT_EQ(limit + 10, make_many(ctl, limit + 10, &error));
	EXPECT_EQ(0, error);
}

static void run_scopes(struct op *op)
{
	long *out = (long *)op->data;
	int fd = -1;

	op->ret = -1;
	if (!allow_files(op->flag + 100) || !become(NOBODY))
		return;
	for (out[0] = 0; out[0] <= op->flag; out[0]++) {
		out[1] = open(CONTROL, O_RDWR | O_CLOEXEC);
		if (out[1] < 0)
			break;
		fd = out[1];
	}
	out[1] = out[1] < 0 ? -errno : 0;
	close(fd);
	out[2] = open(CONTROL, O_RDWR | O_CLOEXEC) == fd ? 0 : -errno;
	op->ret = 0;
}

TEST(scopes_per_user)
{
	long limit = read_number(PARAMETER("max_scopes"));
	struct op *op = new_op(_metadata, -1, 3 * sizeof(long));
	long *out = (long *)op->data;

	if (!is_root())
		SKIP(return, "to be another user takes root");
	ASSERT_LT(0, limit);
	op->flag = limit;
	start_op(_metadata, op, run_scopes);
	ASSERT_EQ(0, finish(op));
	EXPECT_EQ(limit, out[0]);
	EXPECT_EQ(-EDQUOT, out[1]);
	EXPECT_EQ(0, out[2]);
}

/* --- Descriptors --- */

TEST(no_descriptor_left)
{
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC), fds, room;
	struct chan_create arg = { .capacity = 0 };

	ASSERT_LE(0, ctl);
	fds = count_fds();
	for (room = 0; room < 2; room++) {
		arg.send_fd = -5;
		arg.recv_fd = -6;
		ASSERT_EQ(ctl, fds - 1);
		ASSERT_TRUE(allow_files(fds + room));
		EXPECT_EQ(-EMFILE, create(ctl, &arg));
		EXPECT_EQ(fds, count_fds());
		EXPECT_EQ(-5, arg.send_fd);
		EXPECT_EQ(-6, arg.recv_fd);
	}
	ASSERT_TRUE(allow_files(fds + 2));
	EXPECT_EQ(0, create(ctl, &arg));
}

/* --- Memory that is locked --- */

#define LENT	65536
/* As many pages as a message of that length may touch. */
#define PAGES	(LENT / 4096 + 1)
#define LENDERS	4
#define VMSTAT	"/proc/vmstat"

/* By anybody: here nobody else does. Each processor keeps a part of the sum back. */
static long pages_pinned(void)
{
	char nothing[8];

	read_text("/proc/sys/vm/stat_refresh", nothing, sizeof(nothing));
	return number_in(VMSTAT, "nr_foll_pin_acquired") -
	       number_in(VMSTAT, "nr_foll_pin_released");
}

static void *lend(void *op)
{
	run_send(op);
	return NULL;
}

/* Several threads of a process that may lock @op->flag pages. */
static void run_lenders(struct op *op)
{
	struct rlimit limit = { op->flag * 4096, op->flag * 4096 };
	pthread_t threads[LENDERS];
	int i;

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || !become(NOBODY))
		return;
	for (i = 0; i < LENDERS; i++)
		if (pthread_create(&threads[i], NULL, lend, op))
			return;
	for (i = 0; i < LENDERS; i++)
		pthread_join(threads[i], NULL);
}

/* How many pages are pinned while all of them have their message there. */
static long pages_lent(struct __test_metadata *_metadata, long allowed)
{
	static unsigned char back[LENT];
	long before = pages_pinned(), pinned;
	struct pair pair;
	struct op *op;
	int i;

	make_pair(_metadata, &pair, 0, 0);
	op = new_op(_metadata, pair.send, LENT);
	fill(op->data, LENT, 1);
	op->flag = allowed;
	start_op(_metadata, op, run_lenders);
	EXPECT_TRUE(wait_parked(pair.send, LENDERS, 0));
	pinned = pages_pinned() - before;
	for (i = 0; i < LENDERS; i++) {
		EXPECT_EQ(LENT, do_read(pair.recv, back, LENT));
		EXPECT_TRUE(filled(back, LENT, 1));
	}
	EXPECT_EQ(LENT, finish(op));
	EXPECT_EQ(before, pages_pinned());
	close_pair(&pair);
	return pinned;
}

/* A long message lies in the sender's own pages until somebody takes it. */
TEST(pages_that_are_lent_count_as_locked)
{
	if (!is_root())
		SKIP(return, "to be another user takes root");
	EXPECT_LE(0, number_in(VMSTAT, "nr_foll_pin_acquired"));
	EXPECT_EQ(LENDERS * PAGES, pages_lent(_metadata, LENDERS * PAGES));
	EXPECT_EQ(2 * PAGES, pages_lent(_metadata, 3 * PAGES - 1));
	EXPECT_EQ(0, pages_lent(_metadata, PAGES - 1));
}

/* --- Memory --- */

static long charged(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.current", dir);
	return read_number(path);
}

static bool join(const char *dir)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	return !write_text(path, "0");
}

FIXTURE(memory) {
	char dir[64];
};

FIXTURE_SETUP(memory)
{
	char path[128];

	if (!is_root())
		SKIP(return, "making a cgroup takes root");
	write_text(CGROUP "/cgroup.subtree_control", "+memory");
	snprintf(self->dir, sizeof(self->dir), CGROUP "/chan-test-%d", getpid());
	if (mkdir(self->dir, 0755))
		SKIP(return, "no cgroup2 at " CGROUP);
	snprintf(path, sizeof(path), "%s/memory.current", self->dir);
	if (access(path, R_OK)) {
		rmdir(self->dir);
		SKIP(return, "no memory controller");
	}
}

FIXTURE_TEARDOWN(memory)
{
	/* Its last member may take a moment to be gone. */
	if (!wait_until(!rmdir(self->dir) || errno == ENOENT))
		TH_LOG("%s stays", self->dir);
}

/* Fill a buffer with @op->len bytes in messages of @op->flag bytes. */
static void run_fill(struct op *op)
{
	static char message[65536];
	size_t done;

	/* What the process itself needs is not to be the last straw. */
	op->ret = -1;
	if (mlockall(MCL_CURRENT) || !join((char *)op->data))
		return;
	for (done = 0; done < op->len; done += op->flag) {
		op->ret = do_write(op->fd, message, op->flag);
		if (op->ret != op->flag)
			return;
	}
	op->ret = 0;
	__atomic_store_n(&op->ready, 2, __ATOMIC_RELEASE);
	pause();
}

static void charge(struct __test_metadata *_metadata, const char *dir, int size)
{
	struct pair pair;
	static char data[65536];
	long before, full;
	struct op *op;

	make_pair(_metadata, &pair, 8 * MIB / size, 0);
	op = new_op(_metadata, pair.send, 8 * MIB);
	strcpy((char *)op->data, dir);
	op->flag = size;
	start_op(_metadata, op, run_fill);
	ASSERT_TRUE(wait_ready(op, 2));
	full = charged(dir);
	/* The process itself and rounding aside, it is all there. */
	EXPECT_LT(7 * MIB, full);
	set_nonblock(pair.recv, true);
	while (do_read(pair.recv, data, sizeof(data)) == size)
		;
	EXPECT_EQ(8 * MIB / size, info(pair.recv).received);
	before = charged(dir);
	EXPECT_LT(6 * MIB, full - before);
	cancel(op);
	close_pair(&pair);
}

TEST_F(memory, small_messages_are_charged_to_the_sender)
{
	charge(_metadata, self->dir, 1024);
}

TEST_F(memory, large_messages_are_charged_to_the_sender)
{
	charge(_metadata, self->dir, 65536);
}

TEST_F(memory, a_group_cannot_make_the_module_hold_more_than_it_may)
{
	char path[128];
	struct pair pair;
	struct op *op;

	snprintf(path, sizeof(path), "%s/memory.max", self->dir);
	ASSERT_EQ(0, write_text(path, "8M"));
	snprintf(path, sizeof(path), "%s/memory.swap.max", self->dir);
	write_text(path, "0");
	make_pair(_metadata, &pair, 65536, 0);
	op = new_op(_metadata, pair.send, 64 * MIB);
	strcpy((char *)op->data, self->dir);
	op->flag = 65536;
	start_op(_metadata, op, run_fill);
	EXPECT_EQ(-ENOMEM, finish(op));
	EXPECT_GT(8 * MIB / 65536, info(pair.send).buffered);
	/* Nothing is lost of what was taken, and the rest of the world goes on. */
	EXPECT_EQ(info(pair.send).sent, info(pair.send).buffered);
	EXPECT_EQ(2, put(pair.send, "ok"));
}

TEST_HARNESS_MAIN
