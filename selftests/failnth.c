// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation that can fail, failing in turn: ENOMEM, nothing changed, and
 * nothing left behind. Takes a kernel with fault injection.
 */
#include "chan_test.h"

#define DEBUGFS		"/sys/kernel/debug/"
#define MOST		200

FIXTURE(failnth) {
	struct pair pair;
	int send;
	int recv;
	int nth_fd;
	int ctl;
	int fds;
	unsigned char data[60000];
};

static void configure(const char *fault, const char *knob, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", fault, knob);
	write_text(path, value);
}

FIXTURE_SETUP(failnth)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/fail-nth", syscall(SYS_gettid));
	self->nth_fd = open(path, O_RDWR | O_CLOEXEC);
	if (self->nth_fd < 0 || access(DEBUGFS "failslab", F_OK))
		SKIP(return, "no fault injection in this kernel");
	/* Allocations that may sleep are the ones that matter here. */
	configure("failslab", "ignore-gfp-wait", "N");
	configure("fail_page_alloc", "ignore-gfp-wait", "N");
	configure("fail_page_alloc", "ignore-gfp-highmem", "N");
	configure("fail_page_alloc", "min-order", "0");
	self->ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->ctl);
	make_pair(_metadata, &self->pair, 4, 0);
	self->send = self->pair.send;
	self->recv = self->pair.recv;
	self->fds = count_fds();
}

FIXTURE_TEARDOWN(failnth)
{
	close_pair(&self->pair);
	close(self->ctl);
	close(self->nth_fd);
}

static void fail_nth(int fd, int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	/* To switch it off may be what fails, and then it is off. */
	if (pwrite(fd, text, len, 0) != len && nth)
		perror("# fail-nth");
}

/* Was the fault delivered? None is to come afterwards. */
static bool failed(int fd)
{
	char text[16] = "";
	bool delivered;

	/* If asking is what fails, nothing before it did. */
	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return false;
	delivered = !atoi(text);
	fail_nth(fd, 0);
	return delivered;
}

/*
 * Do @call with the first, second ... possible failure, until one runs through
 * with none left. It may succeed in spite of one.
 */
#define for_each_failure(call, ret, check)						\
do {											\
	bool __failed;									\
	int __nth;									\
											\
	for (__nth = 1; __nth < MOST; __nth++) {					\
		fail_nth(self->nth_fd, __nth);						\
		ret = (call);								\
		__failed = failed(self->nth_fd);					\
		if (ret < 0)								\
			EXPECT_TRUE(__failed);						\
		check;									\
		if (!__failed)								\
			break;								\
	}										\
	EXPECT_GT(MOST, __nth);								\
	EXPECT_LE(0, ret);								\
} while (0)

static bool out_of_memory(long ret)
{
	return ret == -ENOMEM || ret == -EFAULT;
}

TEST_F(failnth, create)
{
	struct chan_create arg;
	long ret;

	for_each_failure((arg = (struct chan_create){ .capacity = 2 }, create(self->ctl, &arg)),
			 ret, {
		if (ret) {
			EXPECT_TRUE(out_of_memory(ret));
			EXPECT_EQ(self->fds, count_fds());
		} else {
			EXPECT_EQ(self->fds + 2, count_fds());
			close(arg.send_fd);
			close(arg.recv_fd);
		}
	});
}

TEST_F(failnth, open_control)
{
	long ret;

	for_each_failure(result(open(CONTROL, O_RDWR | O_CLOEXEC)), ret, {
		if (ret >= 0)
			close(ret);
		EXPECT_TRUE(ret >= 0 || out_of_memory(ret));
		EXPECT_EQ(self->fds, count_fds());
	});
}

static void send_failing(struct __test_metadata *_metadata, FIXTURE_DATA(failnth) * self,
			 size_t size)
{
	static unsigned char back[60000];
	__u64 sent = 0;
	long ret;

	fill(self->data, size, 1);
	for_each_failure(do_write(self->send, self->data, size), ret, {
		if (ret < 0) {
			EXPECT_TRUE(out_of_memory(ret));
			EXPECT_EQ(0, info(self->send).buffered);
		} else {
			sent++;
			EXPECT_EQ((long)size, try_read(self->recv, back, size));
			EXPECT_TRUE(filled(back, size, 1));
		}
		EXPECT_EQ(sent, info(self->send).sent);
	});
}

TEST_F(failnth, send_small)
{
	send_failing(_metadata, self, 100);
}

TEST_F(failnth, send_medium)
{
	send_failing(_metadata, self, 3000);
}

TEST_F(failnth, send_large)
{
	send_failing(_metadata, self, sizeof(self->data));
}

static void receive_failing(struct __test_metadata *_metadata, FIXTURE_DATA(failnth) * self,
			    size_t size)
{
	long ret;

	fill(self->data, size, 1);
	ASSERT_EQ((long)size, try_write(self->send, self->data, size));
	for_each_failure(do_read(self->recv, self->data, size), ret, {
		if (ret < 0) {
			/* It is still there. */
			EXPECT_TRUE(out_of_memory(ret));
			EXPECT_EQ(1, info(self->send).buffered);
		} else {
			EXPECT_EQ((long)size, ret);
			EXPECT_TRUE(filled(self->data, size, 1));
			ASSERT_EQ((long)size, try_write(self->send, self->data, size));
		}
	});
}

TEST_F(failnth, receive_small)
{
	receive_failing(_metadata, self, 100);
}

TEST_F(failnth, receive_large)
{
	receive_failing(_metadata, self, sizeof(self->data));
}

/* Unbuffered, from a parked sender. */
TEST_F(failnth, receive_from_a_parked_sender)
{
	struct pair pair;
	struct op *op;
	long ret;

	make_pair(_metadata, &pair, 0, 0);
	fill(self->data, sizeof(self->data), 1);
	op = park_send(_metadata, pair.send, self->data, sizeof(self->data));
	for_each_failure(do_read(pair.recv, self->data, sizeof(self->data)), ret, {
		if (ret < 0) {
			EXPECT_TRUE(out_of_memory(ret));
			EXPECT_TRUE(parked_are(pair.send, 1, 0));
		} else {
			EXPECT_EQ((long)sizeof(self->data), finish(op));
			EXPECT_TRUE(filled(self->data, sizeof(self->data), 1));
			op = park_send(_metadata, pair.send, self->data, sizeof(self->data));
		}
	});
	cancel(op);
}

/* Adding one takes sysfs and devtmpfs through all of theirs, which is slow. */
TEST_F_TIMEOUT(failnth, add_a_device, 400)
{
	struct chan_dev_add add = { .name = "test-fail", .mode = 0600 };
	struct chan_dev_remove rm = { .name = "test-fail" };
	long ret;

	for_each_failure(do_ioctl(self->ctl, CHAN_IOC_DEV_ADD, &add), ret, {
		if (ret)
			EXPECT_TRUE(out_of_memory(ret));
		EXPECT_EQ(ret ? -ENOENT : 0, do_ioctl(self->ctl, CHAN_IOC_DEV_REMOVE, &rm));
		EXPECT_NE(0, access("/dev/chan-test-fail", F_OK));
	});
}

TEST_HARNESS_MAIN
