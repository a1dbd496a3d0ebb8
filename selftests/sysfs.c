// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can be seen: sysfs attributes, fdinfo, debugfs, tracepoints.
 */
#include "select_test.h"

#define DEBUGFS		"/sys/kernel/debug/chan/"
#define TRACEFS		"/sys/kernel/tracing/"
#define EVENTS		TRACEFS "events/chan/"

FIXTURE(seen) {
	struct device dev;
	int both;
	char text[256];
};

FIXTURE_SETUP(seen)
{
	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	ASSERT_EQ(0, device_add(&self->dev, 3, 1000, 0600));
	self->both = device_open(&self->dev, O_RDWR);
	ASSERT_LE(0, self->both);
}

FIXTURE_TEARDOWN(seen)
{
	device_remove(&self->dev);
	close(self->both);
}

static long number(struct device *dev, const char *attribute)
{
	char text[64];
	long ret = device_get(dev, attribute, text, sizeof(text));

	return ret < 0 ? ret : strtol(text, NULL, 10);
}

static bool is_text(struct device *dev, const char *attribute, const char *expected)
{
	char text[64];

	device_get(dev, attribute, text, sizeof(text));
	return !strcmp(text, expected);
}

/* The attributes and what info tells are the same. */
static void sysfs_agrees(struct __test_metadata *_metadata, struct device *dev, int fd)
{
	struct chan_info now = info(fd);

	EXPECT_EQ((long)now.id, number(dev, "id"));
	EXPECT_EQ((long)now.cause, number(dev, "cause"));
	EXPECT_EQ((long)now.capacity, number(dev, "capacity"));
	EXPECT_EQ((long)now.max_msg, number(dev, "max_msg"));
	EXPECT_EQ((long)now.buffered, number(dev, "buffered"));
	EXPECT_EQ((long)now.parked_senders, number(dev, "parked_senders"));
	EXPECT_EQ((long)now.parked_receivers, number(dev, "parked_receivers"));
	EXPECT_EQ((long)now.send_ends, number(dev, "send_ends"));
	EXPECT_EQ((long)now.recv_ends, number(dev, "recv_ends"));
	EXPECT_EQ((long)now.sent, number(dev, "sent"));
	EXPECT_EQ((long)now.received, number(dev, "received"));
}

TEST_F(seen, sysfs_of_a_channel_that_is_used)
{
	struct op *op;
	int i;

	sysfs_agrees(_metadata, &self->dev, self->both);
	EXPECT_TRUE(is_text(&self->dev, "state", "open"));
	op = park_recv(_metadata, self->both, 8);
	sysfs_agrees(_metadata, &self->dev, self->both);
	EXPECT_EQ(1, put(self->both, "x"));
	EXPECT_EQ(1, finish(op));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(1, put(self->both, "x"));
	op = park_text(_metadata, self->both, "y");
	sysfs_agrees(_metadata, &self->dev, self->both);
	EXPECT_EQ(1, number(&self->dev, "parked_senders"));
	EXPECT_EQ(3, number(&self->dev, "buffered"));
	EXPECT_EQ(4, number(&self->dev, "sent"));
	EXPECT_EQ(1, number(&self->dev, "received"));
	EXPECT_EQ(0, end_channel(self->both, EDOM));
	EXPECT_EQ(-EPIPE, finish(op));
	sysfs_agrees(_metadata, &self->dev, self->both);
	EXPECT_TRUE(is_text(&self->dev, "state", "failed"));
	EXPECT_EQ(EDOM, number(&self->dev, "cause"));
}

TEST_F(seen, sysfs_names_the_states)
{
	int send;

	EXPECT_TRUE(is_text(&self->dev, "state", "open"));
	EXPECT_EQ(0, end_channel(self->both, 0));
	EXPECT_TRUE(is_text(&self->dev, "state", "closed"));
	close(self->both);
	self->both = -1;
	send = device_open(&self->dev, O_WRONLY);
	ASSERT_EQ(0, device_set(&self->dev, "hangup", "1"));
	close(device_open(&self->dev, O_RDONLY));
	EXPECT_TRUE(is_text(&self->dev, "state", "broken"));
	close(send);
}

TEST_F(seen, sysfs_goes_with_the_device)
{
	EXPECT_EQ(0, access(self->dev.sysfs, F_OK));
	ASSERT_EQ(0, device_remove(&self->dev));
	EXPECT_NE(0, access(self->dev.sysfs, F_OK));
}

TEST(sysfs_of_a_numbered_channel)
{
	EXPECT_EQ(65536, read_number("/sys/class/chan/chan0/max_msg"));
	EXPECT_EQ(0, access("/sys/class/chan/chan0/dev", F_OK));
}

static int mode_of(struct device *dev, const char *attribute)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dev->sysfs, attribute);
	return stat(path, &st) ? -errno : (int)(st.st_mode & 07777);
}

TEST_F(seen, sysfs_permissions)
{
	static const char * const fixed[] = {
		"id", "state", "cause", "buffered", "parked_senders", "parked_receivers",
		"send_ends", "recv_ends", "sent", "received",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fixed); i++)
		EXPECT_EQ(0444, mode_of(&self->dev, fixed[i]))
			TH_LOG("attribute %zu", i);
	EXPECT_EQ(0644, mode_of(&self->dev, "capacity"));
	EXPECT_EQ(0644, mode_of(&self->dev, "max_msg"));
	EXPECT_EQ(0644, mode_of(&self->dev, "hangup"));
}

TEST_F(seen, capacity_can_be_set_while_unused)
{
	EXPECT_EQ(-EBUSY, device_set(&self->dev, "capacity", "5"));
	EXPECT_EQ(-EBUSY, device_set(&self->dev, "max_msg", "5"));
	EXPECT_EQ(3, number(&self->dev, "capacity"));
	close(self->both);
	EXPECT_EQ(0, device_set(&self->dev, "capacity", "5"));
	EXPECT_EQ(0, device_set(&self->dev, "max_msg", "77\n"));
	EXPECT_EQ(5, number(&self->dev, "capacity"));
	EXPECT_EQ(77, number(&self->dev, "max_msg"));
	self->both = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(5, info(self->both).capacity);
	EXPECT_EQ(77, info(self->both).max_msg);
	EXPECT_EQ(-EMSGSIZE, try_write(self->both, self->text, 78));
	EXPECT_EQ(77, try_write(self->both, self->text, 77));
	close(self->both);
	/* It holds a message now. */
	EXPECT_EQ(-EBUSY, device_set(&self->dev, "capacity", "0"));
	EXPECT_EQ(-EBUSY, device_set(&self->dev, "max_msg", "10"));
	self->both = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(77, try_read(self->both, self->text, sizeof(self->text)));
	close(self->both);
	EXPECT_EQ(0, device_set(&self->dev, "capacity", "0"));
	self->both = device_open(&self->dev, O_RDWR);
	EXPECT_EQ(-EAGAIN, put(self->both, "x"));
}

TEST_F(seen, values_that_cannot_be_set)
{
	close(self->both);
	EXPECT_EQ(-EINVAL, device_set(&self->dev, "capacity", "65537"));
	EXPECT_EQ(-EINVAL, device_set(&self->dev, "capacity", "-1"));
	EXPECT_EQ(-EINVAL, device_set(&self->dev, "capacity", "x"));
	EXPECT_EQ(-ERANGE, device_set(&self->dev, "capacity", "99999999999"));
	EXPECT_EQ(-EINVAL, device_set(&self->dev, "max_msg", "1048577"));
	EXPECT_EQ(-EINVAL, device_set(&self->dev, "hangup", "2"));
	EXPECT_EQ(-EINVAL, device_set(&self->dev, "hangup", "x"));
	EXPECT_EQ(3, number(&self->dev, "capacity"));
	EXPECT_EQ(1000, number(&self->dev, "max_msg"));
	EXPECT_EQ(0, number(&self->dev, "hangup"));
	self->both = -1;
}

TEST_F(seen, hangup_can_be_set_any_time)
{
	EXPECT_EQ(0, device_set(&self->dev, "hangup", "1"));
	EXPECT_EQ(1, number(&self->dev, "hangup"));
	EXPECT_EQ(CHAN_INFO_HANGUP, info(self->both).flags & CHAN_INFO_HANGUP);
	EXPECT_EQ(0, device_set(&self->dev, "hangup", "0"));
	EXPECT_EQ(0, info(self->both).flags & CHAN_INFO_HANGUP);
}

/* --- /proc/PID/fdinfo --- */

/* The text after @name and a tab, "" without such a line. */
static const char *fdinfo(int fd, const char *name, char *value, size_t size)
{
	char path[64], line[256];
	size_t len = strlen(name);
	FILE *file;

	value[0] = '\0';
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, len) && line[len] == ':' && line[len + 1] == '\t') {
			line[strcspn(line, "\n")] = '\0';
			snprintf(value, size, "%s", line + len + 2);
		}
	}
	if (file)
		fclose(file);
	return value;
}

static long fdinfo_number(int fd, const char *name)
{
	char value[64], *end;
	long ret;

	if (!fdinfo(fd, name, value, sizeof(value))[0])
		return -ENOENT;
	ret = strtol(value, &end, 10);
	return *end ? -EINVAL : ret;
}

static void fdinfo_agrees(struct __test_metadata *_metadata, int fd)
{
	struct chan_info now = info(fd);

	EXPECT_EQ((long)now.id, fdinfo_number(fd, "chan-id"));
	EXPECT_EQ((long)now.cause, fdinfo_number(fd, "chan-cause"));
	EXPECT_EQ((long)now.capacity, fdinfo_number(fd, "chan-capacity"));
	EXPECT_EQ((long)now.max_msg, fdinfo_number(fd, "chan-max-msg"));
	EXPECT_EQ((long)now.buffered, fdinfo_number(fd, "chan-buffered"));
	EXPECT_EQ((long)now.parked_senders, fdinfo_number(fd, "chan-parked-senders"));
	EXPECT_EQ((long)now.parked_receivers, fdinfo_number(fd, "chan-parked-receivers"));
	EXPECT_EQ((long)now.send_ends, fdinfo_number(fd, "chan-send-ends"));
	EXPECT_EQ((long)now.recv_ends, fdinfo_number(fd, "chan-recv-ends"));
	EXPECT_EQ((long)now.sent, fdinfo_number(fd, "chan-sent"));
	EXPECT_EQ((long)now.received, fdinfo_number(fd, "chan-received"));
}

TEST_F(seen, fdinfo_of_a_named_channel)
{
	EXPECT_EQ(1, put(self->both, "x"));
	fdinfo_agrees(_metadata, self->both);
	EXPECT_STREQ("open", fdinfo(self->both, "chan-state", self->text, sizeof(self->text)));
	ASSERT_EQ(0, device_remove(&self->dev));
	EXPECT_STREQ("removed", fdinfo(self->both, "chan-state", self->text,
				       sizeof(self->text)));
	EXPECT_EQ(ENODEV, fdinfo_number(self->both, "chan-cause"));
	fdinfo_agrees(_metadata, self->both);
}

TEST(fdinfo_of_an_anonymous_channel)
{
	struct pair pair;
	struct op *op;
	char text[32];

	make_pair(_metadata, &pair, 0, 500);
	fdinfo_agrees(_metadata, pair.send);
	fdinfo_agrees(_metadata, pair.recv);
	op = park_text(_metadata, pair.send, "x");
	EXPECT_EQ(1, fdinfo_number(pair.recv, "chan-parked-senders"));
	fdinfo_agrees(_metadata, pair.recv);
	cancel(op);
	EXPECT_EQ(0, end_channel(pair.send, EIO));
	EXPECT_STREQ("failed", fdinfo(pair.recv, "chan-state", text, sizeof(text)));
	EXPECT_EQ(EIO, fdinfo_number(pair.recv, "chan-cause"));
	close(pair.recv);
}

/* --- debugfs --- */

/* Does a line of the file have @one and, if given, @other? */
static bool file_tells(const char *path, const char *one, const char *other)
{
	char line[1024];
	bool found = false;
	FILE *file = fopen(path, "r");

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, one) && (!other || strstr(line, other));
	if (file)
		fclose(file);
	return found;
}

TEST_F(seen, debugfs_lists_channels_and_who_is_parked)
{
	char id[32], pid[32];
	struct op *op;

	if (access("/sys/kernel/debug/.", R_OK) || access(DEBUGFS, F_OK))
		SKIP(return, "no debugfs");
	EXPECT_EQ(0, access(DEBUGFS "scopes", R_OK));
	snprintf(id, sizeof(id), "%llu", (unsigned long long)info(self->both).id);
	EXPECT_TRUE(file_tells(DEBUGFS "channels", id, "open"));
	op = park_recv(_metadata, self->both, 8);
	snprintf(pid, sizeof(pid), " pid %d ", op->pid);
	EXPECT_TRUE(file_tells(DEBUGFS "channels", pid, NULL));
	cancel(op);
	EXPECT_FALSE(file_tells(DEBUGFS "channels", pid, NULL));
}

static int count_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	int lines = 0, byte;

	while (file && (byte = fgetc(file)) != EOF)
		lines += byte == '\n';
	if (file)
		fclose(file);
	return lines;
}

TEST(debugfs_lists_scopes)
{
	int before, ctl;

	if (access(DEBUGFS "scopes", R_OK))
		SKIP(return, "no debugfs");
	before = count_lines(DEBUGFS "scopes");
	ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, ctl);
	EXPECT_EQ(before + 1, count_lines(DEBUGFS "scopes"));
	close(ctl);
	EXPECT_EQ(before, count_lines(DEBUGFS "scopes"));
}

/* --- Tracepoints --- */

FIXTURE(traced) {
	struct pair pair;
};

FIXTURE_SETUP(traced)
{
	if (access(EVENTS "enable", W_OK))
		SKIP(return, "no tracefs, or not root");
	make_pair(_metadata, &self->pair, 0, 0);
	/*
	 * To know the names of all processes, it would patch the scheduler while that
	 * runs, which is more than some emulated processors can stand.
	 */
	ASSERT_EQ(0, write_text(TRACEFS "options/record-cmd", "0"));
	ASSERT_EQ(0, write_text(TRACEFS "tracing_on", "1"));
	ASSERT_EQ(0, write_text(TRACEFS "trace", "\n"));
	ASSERT_EQ(0, write_text(EVENTS "enable", "1"));
}

FIXTURE_TEARDOWN(traced)
{
	write_text(EVENTS "enable", "0");
	write_text(TRACEFS "options/record-cmd", "1");
	close_pair(&self->pair);
}

TEST_F(traced, events_are_there)
{
	EXPECT_EQ(0, access(EVENTS "chan_send/enable", F_OK));
	EXPECT_EQ(0, access(EVENTS "chan_recv/enable", F_OK));
	EXPECT_EQ(0, access(EVENTS "chan_park/enable", F_OK));
	EXPECT_EQ(0, access(EVENTS "chan_wake/enable", F_OK));
	EXPECT_EQ(0, access(EVENTS "chan_close/enable", F_OK));
	EXPECT_EQ(0, access(EVENTS "chan_select/enable", F_OK));
}

TEST_F(traced, events_fire)
{
	struct chan_case cases[2] = { case_disabled(), case_disabled() };
	char id[48];
	struct op *op;

	snprintf(id, sizeof(id), "id=%llu ", (unsigned long long)info(self->pair.send).id);
	op = park_recv(_metadata, self->pair.recv, 64);
	EXPECT_TRUE(wait_until(file_tells(TRACEFS "trace", "chan_park: ", id)));
	EXPECT_EQ(5, put(self->pair.send, "hello"));
	EXPECT_EQ(5, finish(op));
	EXPECT_TRUE(file_tells(TRACEFS "trace", "chan_wake: ", id));
	EXPECT_TRUE(file_tells(TRACEFS "trace", "chan_send: ", id));
	EXPECT_TRUE(file_tells(TRACEFS "trace", "chan_recv: ", id));
	EXPECT_EQ(-EAGAIN, try_select(self->pair.recv, cases, 2));
	EXPECT_TRUE(file_tells(TRACEFS "trace", "chan_select: ", "ncases=2 index=-1 ret=-11"));
	EXPECT_FALSE(file_tells(TRACEFS "trace", "chan_close: ", id));
	EXPECT_EQ(0, end_channel(self->pair.send, EIO));
	EXPECT_TRUE(file_tells(TRACEFS "trace", "chan_close: ", id));
}

TEST_HARNESS_MAIN
