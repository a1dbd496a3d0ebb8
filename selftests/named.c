// SPDX-License-Identifier: GPL-2.0-only
/*
 * Named channels: device nodes, and channels that stay.
 */
#include "chan_test.h"

#define PARAMETER(name)		"/sys/module/chan/parameters/" name

FIXTURE(named) {
	struct device dev;
};

FIXTURE_SETUP(named)
{
	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&self->dev, 0, 0, 0600));
}

FIXTURE_TEARDOWN(named)
{
	device_remove(&self->dev);
}

TEST(the_control_device_is_for_everybody)
{
	struct stat st;

	ASSERT_EQ(0, stat(CONTROL, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0666, st.st_mode & 07777);
}

TEST(there_are_as_many_as_the_parameter_says)
{
	long n = read_number(PARAMETER("channels")), i;
	char path[64];
	struct stat st;

	ASSERT_LE(0, n);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/dev/chan%ld", i);
		ASSERT_EQ(0, stat(path, &st));
		EXPECT_TRUE(S_ISCHR(st.st_mode));
	}
	snprintf(path, sizeof(path), "/dev/chan%ld", n);
	EXPECT_EQ(-1, stat(path, &st));
}

TEST(a_numbered_channel_carries_messages)
{
	int fd = open("/dev/chan0", O_RDWR | O_CLOEXEC);
	struct op *op;

	ASSERT_LE(0, fd);
	EXPECT_EQ(CHAN_INFO_NAMED, info(fd).flags & CHAN_INFO_NAMED);
	op = park_text(_metadata, fd, "to chan0");
	EXPECT_TRUE(got(fd, "to chan0"));
	EXPECT_EQ(8, finish(op));
	close(fd);
}

TEST_F(named, the_open_mode_is_the_direction)
{
	int send = device_open(&self->dev, O_WRONLY);
	int recv = device_open(&self->dev, O_RDONLY);
	char byte = 0;

	ASSERT_LE(0, send);
	ASSERT_LE(0, recv);
	EXPECT_EQ(CHAN_INFO_SEND | CHAN_INFO_NAMED, info(send).flags);
	EXPECT_EQ(CHAN_INFO_RECV | CHAN_INFO_NAMED, info(recv).flags);
	EXPECT_EQ(-EBADF, do_read(send, &byte, 1));
	EXPECT_EQ(-EBADF, do_write(recv, &byte, 1));
	EXPECT_EQ(-ESPIPE, result(lseek(send, 0, SEEK_SET)));
	EXPECT_EQ(-ESPIPE, result(lseek(recv, 0, SEEK_SET)));
	EXPECT_EQ(info(send).id, info(recv).id);
}

TEST_F(named, for_both_counts_as_one_of_each)
{
	int both = device_open(&self->dev, O_RDWR);
	int recv = device_open(&self->dev, O_RDONLY);
	struct op *op;

	ASSERT_LE(0, both);
	EXPECT_EQ(CHAN_INFO_SEND | CHAN_INFO_RECV | CHAN_INFO_NAMED, info(both).flags);
	EXPECT_EQ(1, info(both).send_ends);
	EXPECT_EQ(2, info(both).recv_ends);
	close(recv);
	EXPECT_EQ(1, info(both).recv_ends);
	op = park_text(_metadata, both, "to myself");
	EXPECT_TRUE(got(both, "to myself"));
	EXPECT_EQ(9, finish(op));
	close(both);
}

TEST_F(named, a_send_waits_with_nobody_at_the_other_end)
{
	int send = device_open(&self->dev, O_WRONLY), recv;
	struct op *op;

	ASSERT_LE(0, send);
	EXPECT_EQ(-EAGAIN, put(send, "x"));
	op = park_text(_metadata, send, "patience");
	EXPECT_EQ(0, info(send).recv_ends);
	recv = device_open(&self->dev, O_RDONLY);
	ASSERT_LE(0, recv);
	EXPECT_TRUE(got(recv, "patience"));
	EXPECT_EQ(8, finish(op));
}

TEST_F(named, a_receive_waits_with_nobody_at_the_other_end)
{
	int recv = device_open(&self->dev, O_RDONLY), send;
	struct op *op;
	char byte;

	ASSERT_LE(0, recv);
	EXPECT_EQ(-EAGAIN, try_read(recv, &byte, 1));
	op = park_recv(_metadata, recv, 64);
	send = device_open(&self->dev, O_WRONLY);
	ASSERT_LE(0, send);
	EXPECT_EQ(8, put(send, "patience"));
	EXPECT_TRUE(finish_text(op, "patience"));
}

TEST_F(named, it_stays_when_an_end_goes)
{
	int send = device_open(&self->dev, O_WRONLY);
	int recv = device_open(&self->dev, O_RDONLY);
	char byte;

	close(recv);
	EXPECT_EQ(CHAN_STATE_OPEN, info(send).state);
	EXPECT_EQ(-EAGAIN, put(send, "x"));
	recv = device_open(&self->dev, O_RDONLY);
	close(send);
	EXPECT_EQ(CHAN_STATE_OPEN, info(recv).state);
	EXPECT_EQ(-EAGAIN, try_read(recv, &byte, 1));
}

TEST_F(named, a_receiver_stays_parked_when_the_last_sender_goes)
{
	int send = device_open(&self->dev, O_WRONLY);
	int recv = device_open(&self->dev, O_RDONLY);
	struct op *op = park_recv(_metadata, recv, 64);

	close(send);
	EXPECT_TRUE(parked_are(recv, 0, 1));
	send = device_open(&self->dev, O_WRONLY);
	EXPECT_EQ(1, put(send, "x"));
	EXPECT_TRUE(finish_text(op, "x"));
}

static void reopened_is_new(struct __test_metadata *_metadata, struct device *dev,
			    __u32 error, __u32 state)
{
	int send = device_open(dev, O_WRONLY), recv = device_open(dev, O_RDONLY);
	__u64 id = info(send).id;
	struct chan_info now;

	ASSERT_EQ(0, end_channel(send, error));
	close(send);
	/* One file is enough to keep it as it is. */
	send = device_open(dev, O_WRONLY);
	ASSERT_LE(0, send);
	EXPECT_EQ(state, info(send).state);
	EXPECT_EQ(id, info(send).id);
	EXPECT_EQ(-EPIPE, put(send, "x"));
	close(recv);
	close(send);

	send = device_open(dev, O_WRONLY);
	now = info(send);
	EXPECT_EQ(CHAN_STATE_OPEN, now.state);
	EXPECT_EQ(0, now.cause);
	EXPECT_NE(id, now.id);
	EXPECT_EQ(0, now.sent);
	EXPECT_EQ(0, now.received);
	EXPECT_EQ(-EAGAIN, put(send, "x"));
	close(send);
}

TEST_F(named, closed_until_the_last_file_is_gone)
{
	reopened_is_new(_metadata, &self->dev, 0, CHAN_STATE_CLOSED);
}

TEST_F(named, failed_until_the_last_file_is_gone)
{
	reopened_is_new(_metadata, &self->dev, EIO, CHAN_STATE_FAILED);
}

FIXTURE(named_buffer) {
	struct device dev;
};

FIXTURE_SETUP(named_buffer)
{
	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&self->dev, 4, 100, 0600));
}

FIXTURE_TEARDOWN(named_buffer)
{
	device_remove(&self->dev);
}

TEST_F(named_buffer, keeps_its_messages_while_nobody_has_it_open)
{
	int fd = device_open(&self->dev, O_WRONLY);
	__u64 id;

	ASSERT_LE(0, fd);
	EXPECT_EQ(4, put(fd, "kept"));
	id = info(fd).id;
	close(fd);
	fd = device_open(&self->dev, O_RDONLY);
	EXPECT_EQ(id, info(fd).id);
	EXPECT_EQ(1, info(fd).buffered);
	EXPECT_TRUE(got(fd, "kept"));
	close(fd);
}

TEST_F(named_buffer, drops_them_when_it_had_ended)
{
	int fd = device_open(&self->dev, O_WRONLY);
	char byte;

	ASSERT_LE(0, fd);
	EXPECT_EQ(4, put(fd, "lost"));
	EXPECT_EQ(0, end_channel(fd, 0));
	EXPECT_EQ(1, info(fd).buffered);
	close(fd);
	fd = device_open(&self->dev, O_RDONLY);
	EXPECT_EQ(0, info(fd).buffered);
	EXPECT_EQ(-EAGAIN, try_read(fd, &byte, 1));
	close(fd);
}

TEST_F(named_buffer, has_what_it_was_added_with)
{
	int fd = device_open(&self->dev, O_RDWR);
	char data[101] = { 0 };

	EXPECT_EQ(4, info(fd).capacity);
	EXPECT_EQ(100, info(fd).max_msg);
	EXPECT_EQ(100, try_write(fd, data, 100));
	EXPECT_EQ(-EMSGSIZE, try_write(fd, data, 101));
	/* A new channel of the same device has it too. */
	EXPECT_EQ(0, end_channel(fd, 0));
	close(fd);
	fd = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(4, info(fd).capacity);
	EXPECT_EQ(100, info(fd).max_msg);
}

/* --- Hang-up, the FIFO-like rule --- */

TEST_F(named_buffer, hangup_is_off_by_default)
{
	char text[16];
	int fd = device_open(&self->dev, O_RDWR);

	EXPECT_EQ(1, device_get(&self->dev, "hangup", text, sizeof(text)));
	EXPECT_STREQ("0", text);
	EXPECT_EQ(0, info(fd).flags & CHAN_INFO_HANGUP);
}

TEST_F(named_buffer, hangup_closes_with_the_last_send_end)
{
	int send = device_open(&self->dev, O_WRONLY);
	int other = device_open(&self->dev, O_WRONLY);
	int recv = device_open(&self->dev, O_RDONLY);
	char byte;

	ASSERT_EQ(0, device_set(&self->dev, "hangup", "1"));
	EXPECT_EQ(CHAN_INFO_HANGUP, info(send).flags & CHAN_INFO_HANGUP);
	EXPECT_EQ(4, put(send, "last"));
	close(send);
	EXPECT_EQ(CHAN_STATE_OPEN, info(recv).state);
	close(other);
	EXPECT_EQ(CHAN_STATE_CLOSED, info(recv).state);
	EXPECT_TRUE(got(recv, "last"));
	EXPECT_EQ(0, try_read(recv, &byte, 1));
}

TEST_F(named_buffer, hangup_breaks_with_the_last_receive_end)
{
	int send = device_open(&self->dev, O_WRONLY);
	int recv = device_open(&self->dev, O_RDONLY);

	ASSERT_EQ(0, device_set(&self->dev, "hangup", "1"));
	EXPECT_EQ(7, put(send, "dropped"));
	close(recv);
	EXPECT_EQ(CHAN_STATE_BROKEN, info(send).state);
	EXPECT_EQ(0, info(send).buffered);
	EXPECT_EQ(-EPIPE, put(send, "x"));
	close(send);
	send = device_open(&self->dev, O_WRONLY);
	EXPECT_EQ(CHAN_STATE_OPEN, info(send).state);
}

TEST_F(named, hangup_wakes_who_is_parked)
{
	int send = device_open(&self->dev, O_WRONLY);
	int recv = device_open(&self->dev, O_RDONLY);
	struct op *op = park_recv(_metadata, recv, 64);

	ASSERT_EQ(0, device_set(&self->dev, "hangup", "1"));
	close(send);
	EXPECT_EQ(0, finish(op));
}

/* --- Adding and removing --- */

static long add_named(const void *name, size_t len, __u32 mode, __u32 capacity, __u32 max_msg)
{
	struct chan_dev_add arg = { .mode = mode, .capacity = capacity, .max_msg = max_msg };

	memcpy(arg.name, name, len);
	return device_ioctl(CHAN_IOC_DEV_ADD, &arg);
}

static long remove_named(const void *name, size_t len)
{
	struct chan_dev_remove arg = { .flags = 0 };

	memcpy(arg.name, name, len);
	return device_ioctl(CHAN_IOC_DEV_REMOVE, &arg);
}

TEST_F(named, the_node_has_the_mode_asked_for)
{
	static const char name[] = "test-mode";
	struct stat st;

	ASSERT_EQ(0, stat(self->dev.path, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	ASSERT_EQ(0, add_named(name, sizeof(name), 0642, 0, 0));
	EXPECT_EQ(0, stat("/dev/chan-test-mode", &st));
	EXPECT_EQ(0642, st.st_mode & 07777);
	EXPECT_EQ(0, remove_named(name, sizeof(name)));
	EXPECT_EQ(-1, stat("/dev/chan-test-mode", &st));
}

TEST_F(named, a_name_is_taken_once)
{
	EXPECT_EQ(-EEXIST, add_named(self->dev.name, sizeof(self->dev.name), 0600, 0, 0));
	EXPECT_EQ(0, device_remove(&self->dev));
	EXPECT_EQ(-ENOENT, device_remove(&self->dev));
	EXPECT_EQ(0, add_named(self->dev.name, sizeof(self->dev.name), 0600, 0, 0));
}

TEST_F(named, names_that_are_none)
{
	char full[CHAN_NAME_SIZE];

	memset(full, 'x', sizeof(full));
	EXPECT_EQ(-EINVAL, add_named(full, sizeof(full), 0600, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("", 1, 0600, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("a/b", 4, 0600, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("../a", 5, 0600, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("a b", 4, 0600, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("a!b", 4, 0600, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("a\n", 3, 0600, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("a\xc3\xa4", 4, 0600, 0, 0));
	EXPECT_EQ(-EINVAL, remove_named(full, sizeof(full)));
}

TEST_F(named, names_that_are_some)
{
	static const char * const good[] = {
		"0", "A.b_c-D9", "x23456789012345678901234567890y",
	};
	char name[CHAN_NAME_SIZE], path[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		memset(name, 0, sizeof(name));
		strcpy(name, good[i]);
		snprintf(path, sizeof(path), "/dev/chan-%s", name);
		EXPECT_EQ(0, add_named(name, sizeof(name), 0600, 0, 0));
		EXPECT_EQ(0, access(path, F_OK));
		EXPECT_EQ(0, remove_named(name, sizeof(name)));
		EXPECT_NE(0, access(path, F_OK));
	}
}

TEST_F(named, bounds)
{
	EXPECT_EQ(-EINVAL, add_named("test-b", 7, 01000, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("test-b", 7, 0100600, 0, 0));
	EXPECT_EQ(-EINVAL, add_named("test-b", 7, 0600, CHAN_MAX_CAPACITY + 1, 0));
	EXPECT_EQ(-EINVAL, add_named("test-b", 7, 0600, 0, CHAN_MAX_MSG + 1));
	EXPECT_NE(0, access("/dev/chan-test-b", F_OK));
}

TEST_F(named, numbered_channels_cannot_be_removed)
{
	EXPECT_EQ(-ENOENT, remove_named("0", 2));
	EXPECT_EQ(-ENOENT, remove_named("ctl", 4));
	EXPECT_EQ(0, access(CONTROL, F_OK));
}

static void run_add_and_remove(struct op *op)
{
	op->ret = become(NOBODY) &&
		  add_named("test-n", 7, 0666, 0, 0) == -EPERM &&
		  device_remove((struct device *)op->data) == -EPERM;
}

TEST_F(named, adding_and_removing_takes_a_capability)
{
	struct op *op = new_op(_metadata, -1, sizeof(self->dev));

	memcpy(op->data, &self->dev, sizeof(self->dev));
	start_op(_metadata, op, run_add_and_remove);
	EXPECT_EQ(1, finish(op));
	EXPECT_EQ(0, access(self->dev.path, F_OK));
}

static void run_open_both(struct op *op)
{
	struct device *dev = (struct device *)op->data;

	op->ret = become(NOBODY) &&
		  result(device_open(dev, O_RDWR)) == -EACCES &&
		  open("/dev/chan-test-open", O_RDWR) >= 0;
}

TEST_F(named, the_mode_keeps_others_out)
{
	static const char open_name[] = "test-open";
	struct op *op = new_op(_metadata, -1, sizeof(self->dev));

	memcpy(op->data, &self->dev, sizeof(self->dev));
	ASSERT_EQ(0, add_named(open_name, sizeof(open_name), 0666, 0, 0));
	start_op(_metadata, op, run_open_both);
	EXPECT_EQ(1, finish(op));
	EXPECT_EQ(0, remove_named(open_name, sizeof(open_name)));
}

TEST_F(named, the_name_can_be_used_again_while_the_old_is_open)
{
	int old = device_open(&self->dev, O_RDWR), fd;

	ASSERT_LE(0, old);
	ASSERT_EQ(0, device_remove(&self->dev));
	EXPECT_EQ(-ENOENT, result(device_open(&self->dev, O_RDWR)));
	ASSERT_EQ(0, add_named(self->dev.name, sizeof(self->dev.name), 0600, 1, 0));
	fd = device_open(&self->dev, O_RDWR);
	ASSERT_LE(0, fd);
	EXPECT_EQ(CHAN_STATE_REMOVED, info(old).state);
	EXPECT_EQ(CHAN_STATE_OPEN, info(fd).state);
	EXPECT_NE(info(old).id, info(fd).id);
	EXPECT_EQ(1, put(fd, "x"));
	EXPECT_EQ(-ENODEV, put(old, "x"));
	EXPECT_TRUE(got(fd, "x"));
}

TEST_F(named, added_and_removed_many_times)
{
	int i;

	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, device_remove(&self->dev));
		ASSERT_EQ(0, add_named(self->dev.name, sizeof(self->dev.name), 0600, i, 0));
	}
}

TEST_HARNESS_MAIN
