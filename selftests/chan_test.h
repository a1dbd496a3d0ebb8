/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites share.
 *
 * Tests here never sleep in the hope that something has happened meanwhile.
 * An operation that is to wait runs in a process of its own, a &struct op, and
 * the test waits until the module counts it as parked, or until the process is
 * asleep. What must not wait is done without blocking. All waits end at
 * DEADLINE_MS, which is far beyond what a slow emulated CPU needs.
 */
#ifndef CHAN_TEST_H
#define CHAN_TEST_H

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <linux/chan.h>

#include "kselftest_harness.h"
#include "proc.h"

/* A debug kernel on an emulated CPU is some fifty times slower than hardware. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	120
#define DEADLINE_MS		40000

#define CONTROL			"/dev/chanctl"
#define NOBODY			65534

/* What finish() tells of an operation that has no result. */
#define OP_STUCK		(-1000000L)
#define OP_KILLED(sig)		(-1000000L - (sig))

/* --- Time --- */

static inline long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000L + ts.tv_nsec / 1000000;
}

/* One step of waiting for a state that nothing announces. */
static inline void nap(void)
{
	struct timespec ts = { .tv_nsec = 2000000 };

	nanosleep(&ts, NULL);
}

/* Wait for @cond to come true; false when it did not in time. */
#define wait_until(cond)						\
({									\
	long __end = now_ms() + DEADLINE_MS;				\
	bool __met;							\
									\
	while (!(__met = (cond)) && now_ms() < __end)			\
		nap();							\
	__met || (cond);						\
})

/* --- Messages: all results are 0 or more, or a negative error number --- */

static inline long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static inline long do_write(int fd, const void *data, size_t len)
{
	return result(write(fd, data, len));
}

static inline long do_read(int fd, void *data, size_t room)
{
	return result(read(fd, data, room));
}

static inline long do_ioctl(int fd, unsigned long request, void *arg)
{
	return result(ioctl(fd, request, arg));
}

static inline void set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static inline long try_write(int fd, const void *data, size_t len)
{
	long ret;

	set_nonblock(fd, true);
	ret = do_write(fd, data, len);
	set_nonblock(fd, false);
	return ret;
}

static inline long try_read(int fd, void *data, size_t room)
{
	long ret;

	set_nonblock(fd, true);
	ret = do_read(fd, data, room);
	set_nonblock(fd, false);
	return ret;
}

/* Offer @text without waiting. */
static inline long put(int fd, const char *text)
{
	return try_write(fd, text, strlen(text));
}

/* Is a message in line, and is it @text?  Takes it. */
static inline bool got(int fd, const char *text)
{
	char data[4096];
	long ret = try_read(fd, data, sizeof(data));

	if (ret == (long)strlen(text) && !memcmp(data, text, ret))
		return true;
	fprintf(stderr, "# instead of '%s': %ld '%.*s'\n", text, ret,
		ret > 0 ? (int)ret : 0, data);
	return false;
}

/* Bytes that differ with the place and with @seed, eight at a time. */
static inline __u64 pattern(size_t word, unsigned int seed)
{
	return (word + 1) * 0x9e3779b97f4a7c15ULL + seed * 0xbf58476d1ce4e5b9ULL;
}

static inline void fill(void *data, size_t len, unsigned int seed)
{
	unsigned char *byte = data;
	size_t at, part;
	__u64 word;

	for (at = 0; at < len; at += part) {
		part = len - at < sizeof(word) ? len - at : sizeof(word);
		word = pattern(at / sizeof(word), seed);
		memcpy(byte + at, &word, part);
	}
}

static inline bool filled(const void *data, size_t len, unsigned int seed)
{
	const unsigned char *byte = data;
	size_t at, part;
	__u64 word;

	for (at = 0; at < len; at += part) {
		part = len - at < sizeof(word) ? len - at : sizeof(word);
		word = pattern(at / sizeof(word), seed);
		if (memcmp(byte + at, &word, part))
			return false;
	}
	return true;
}

static inline bool all_bytes(const void *data, size_t len, unsigned char value)
{
	const unsigned char *byte = data;
	size_t i;

	for (i = 0; i < len; i++)
		if (byte[i] != value)
			return false;
	return true;
}

/* --- Channels --- */

struct pair {
	int send;
	int recv;
};

static inline long create(int ctl, struct chan_create *arg)
{
	return do_ioctl(ctl, CHAN_IOC_CREATE, arg);
}

static inline void make_pair(struct __test_metadata *_metadata, struct pair *pair,
			     __u32 capacity, __u32 max_msg)
{
	struct chan_create arg = { .capacity = capacity, .max_msg = max_msg };
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, ctl)
		TH_LOG("%s: %s", CONTROL, strerror(errno));
	ASSERT_EQ(0, create(ctl, &arg));
	close(ctl);
	pair->send = arg.send_fd;
	pair->recv = arg.recv_fd;
}

static inline void close_pair(struct pair *pair)
{
	close(pair->send);
	close(pair->recv);
}

static inline long end_channel(int fd, __u32 error)
{
	struct chan_close arg = { .error = error };

	return do_ioctl(fd, CHAN_IOC_CLOSE, &arg);
}

static inline struct chan_info info(int fd)
{
	struct chan_info info;

	memset(&info, 0xff, sizeof(info));
	if (ioctl(fd, CHAN_IOC_INFO, &info))
		fprintf(stderr, "# CHAN_IOC_INFO: %s\n", strerror(errno));
	return info;
}

static inline bool parked_are(int fd, __u32 senders, __u32 receivers)
{
	struct chan_info now = info(fd);

	return now.parked_senders == senders && now.parked_receivers == receivers;
}

static inline bool wait_parked(int fd, __u32 senders, __u32 receivers)
{
	return wait_until(parked_are(fd, senders, receivers));
}

/* --- Operations in processes of their own --- */

struct op {
	pid_t pid;
	int fd;
	size_t len;
	int flag;	/* for the test to use */
	int ready;	/* 1: running; more: for the test to use */
	int signals;	/* signals handled */
	long ret;
	unsigned char data[];
};

typedef void (*op_fn)(struct op *op);

static inline void run_send(struct op *op)
{
	op->ret = do_write(op->fd, op->data, op->len);
}

static inline void run_recv(struct op *op)
{
	op->ret = do_read(op->fd, op->data, op->len);
}

/* Ends that a process holds only by inheritance would keep channels open. */
static inline void keep_only(int fd)
{
	if (fd > 3)
		syscall(SYS_close_range, 3, fd - 1, 0);
	syscall(SYS_close_range, fd < 3 ? 3 : fd + 1, ~0U, 0);
}

static inline void *shared(struct __test_metadata *_metadata, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, p);
	return p;
}

static inline struct op *new_op(struct __test_metadata *_metadata, int fd, size_t len)
{
	struct op *op = shared(_metadata, sizeof(*op) + len);

	op->fd = fd;
	op->len = len;
	op->ret = OP_STUCK;
	return op;
}

/* A child that goes when its test does. */
static inline pid_t fork_child(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	return 0;
}

/* The process keeps @op->fd alone of all files beyond the standard streams. */
static inline void start_op(struct __test_metadata *_metadata, struct op *op, op_fn run)
{
	pid_t pid = fork_child();

	ASSERT_LE(0, pid);
	if (pid) {
		op->pid = pid;
		return;
	}
	keep_only(op->fd);
	__atomic_store_n(&op->ready, 1, __ATOMIC_RELEASE);
	run(op);
	_exit(0);
}

static inline struct op *start(struct __test_metadata *_metadata, int fd, const void *data,
			       size_t len, op_fn run)
{
	struct op *op = new_op(_metadata, fd, len);

	if (data)
		memcpy(op->data, data, len);
	start_op(_metadata, op, run);
	return op;
}

static inline struct op *start_send(struct __test_metadata *_metadata, int fd,
				    const void *data, size_t len)
{
	return start(_metadata, fd, data, len, run_send);
}

static inline struct op *start_text(struct __test_metadata *_metadata, int fd, const char *text)
{
	return start_send(_metadata, fd, text, strlen(text));
}

static inline struct op *start_recv(struct __test_metadata *_metadata, int fd, size_t room)
{
	return start(_metadata, fd, NULL, room, run_recv);
}

/* Start it and wait until the module has it parked beside those before it. */
static inline struct op *park_text(struct __test_metadata *_metadata, int fd, const char *text)
{
	__u32 before = info(fd).parked_senders;
	struct op *op = start_text(_metadata, fd, text);

	ASSERT_TRUE(wait_until(info(fd).parked_senders == before + 1));
	return op;
}

static inline struct op *park_send(struct __test_metadata *_metadata, int fd,
				   const void *data, size_t len)
{
	__u32 before = info(fd).parked_senders;
	struct op *op = start_send(_metadata, fd, data, len);

	ASSERT_TRUE(wait_until(info(fd).parked_senders == before + 1));
	return op;
}

static inline struct op *park_recv(struct __test_metadata *_metadata, int fd, size_t room)
{
	__u32 before = info(fd).parked_receivers;
	struct op *op = start_recv(_metadata, fd, room);

	ASSERT_TRUE(wait_until(info(fd).parked_receivers == before + 1));
	return op;
}

/* Wait for the process to end, at most until the deadline. */
static inline bool ended(pid_t pid, int *status)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = { .fd = pidfd, .events = POLLIN };
	bool in_time = poll(&pfd, 1, DEADLINE_MS) == 1;

	close(pidfd);
	if (!in_time)
		kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return in_time;
}

/* The result of the operation; the data stays readable. */
static inline long finish(struct op *op)
{
	int status = 0;

	if (!ended(op->pid, &status))
		return OP_STUCK;
	if (WIFSIGNALED(status))
		return OP_KILLED(WTERMSIG(status));
	return op->ret;
}

static inline bool finish_text(struct op *op, const char *text)
{
	long ret = finish(op);

	if (ret == (long)strlen(text) && !memcmp(op->data, text, ret))
		return true;
	fprintf(stderr, "# instead of '%s': %ld '%.*s'\n", text, ret,
		ret > 0 ? (int)ret : 0, op->data);
	return false;
}

static inline long cancel(struct op *op)
{
	kill(op->pid, SIGKILL);
	return finish(op);
}

/* --- What /proc tells of a process --- */

static inline char state_of(pid_t pid)
{
	char path[64], line[512], *after;
	FILE *file;
	char state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file)) {
		after = strrchr(line, ')');
		if (after)
			state = after[2];
	}
	fclose(file);
	return state;
}

static inline bool wait_ready(struct op *op, int value)
{
	return wait_until(__atomic_load_n(&op->ready, __ATOMIC_ACQUIRE) >= value);
}

static inline bool wait_asleep(struct op *op)
{
	return wait_until(__atomic_load_n(&op->ready, __ATOMIC_ACQUIRE) &&
			  state_of(op->pid) == 'S');
}

/*
 * A parked process may not have got off its CPU yet; the kernel tells its
 * system call only when it has.
 */
static inline bool settled(pid_t pid)
{
	char path[64], line[16] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	file = fopen(path, "r");
	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = 'r';
	fclose(file);
	return line[0] != 'r';
}

/* How often it went to sleep: unchanged, it has not been woken. */
static inline long sleeps_of(pid_t pid)
{
	char path[64], line[256];
	long count = -1;
	FILE *file;

	if (!wait_until(settled(pid)))
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &count) == 1)
			break;
	fclose(file);
	return count;
}

static inline bool undisturbed(pid_t pid, long sleeps)
{
	return sleeps >= 0 && state_of(pid) == 'S' && sleeps_of(pid) == sleeps;
}

static inline int count_fds(void)
{
	int fd, count = 0;

	for (fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* --- Small files --- */

/* The contents without the newline at their end, or a negative error number. */
static inline long read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long ret;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	ret = do_read(fd, text, size - 1);
	close(fd);
	if (ret < 0)
		return ret;
	while (ret && text[ret - 1] == '\n')
		ret--;
	text[ret] = '\0';
	return ret;
}

static inline long write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -errno;
	ret = do_write(fd, text, strlen(text));
	close(fd);
	return ret < 0 ? ret : 0;
}

static inline long read_number(const char *path)
{
	char text[64];
	long ret = read_text(path, text, sizeof(text));

	return ret < 0 ? ret : strtol(text, NULL, 0);
}

/* --- Named channels --- */

struct device {
	char name[CHAN_NAME_SIZE];
	char path[64];
	char sysfs[80];
};

static inline long device_ioctl(unsigned long request, void *arg)
{
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	long ret;

	if (ctl < 0)
		return -errno;
	ret = do_ioctl(ctl, request, arg);
	close(ctl);
	return ret;
}

static inline void device_named(struct device *dev, const char *name)
{
	memset(dev, 0, sizeof(*dev));
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	snprintf(dev->path, sizeof(dev->path), "/dev/chan-%s", name);
	snprintf(dev->sysfs, sizeof(dev->sysfs), "/sys/class/chan/chan-%s", name);
}

static inline long device_add(struct device *dev, __u32 capacity, __u32 max_msg, __u32 mode)
{
	struct chan_dev_add arg = { .mode = mode, .capacity = capacity, .max_msg = max_msg };
	char name[CHAN_NAME_SIZE];

	snprintf(name, sizeof(name), "test-%d", getpid());
	device_named(dev, name);
	memcpy(arg.name, dev->name, sizeof(arg.name));
	return device_ioctl(CHAN_IOC_DEV_ADD, &arg);
}

static inline long device_remove(struct device *dev)
{
	struct chan_dev_remove arg = { .flags = 0 };

	memcpy(arg.name, dev->name, sizeof(arg.name));
	return device_ioctl(CHAN_IOC_DEV_REMOVE, &arg);
}

static inline int device_open(struct device *dev, int flags)
{
	return open(dev->path, flags | O_CLOEXEC);
}

static inline long device_get(struct device *dev, const char *attribute, char *text, size_t size)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dev->sysfs, attribute);
	return read_text(path, text, size);
}

static inline long device_set(struct device *dev, const char *attribute, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dev->sysfs, attribute);
	return write_text(path, text);
}

/* --- Being somebody else --- */

static inline bool become(uid_t uid)
{
	return !setgroups(0, NULL) && !setresgid(uid, uid, uid) && !setresuid(uid, uid, uid);
}

static inline bool is_root(void)
{
	return !geteuid();
}

#endif /* CHAN_TEST_H */
