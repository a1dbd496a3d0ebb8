/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the suites of CHAN_IOC_SELECT share.
 *
 * A select that does not wait is called where it stands: case_*() and
 * do_select() or try_select(). One that is to wait is a &struct select_op: the
 * cases, their messages and rooms, and the result live in shared memory, so it
 * can run in a process or in a thread, and a plain read() or write() can stand
 * in for a select of one case. Which of these is @how, a variant of most tests
 * with a second party.
 */
#ifndef SELECT_TEST_H
#define SELECT_TEST_H

#include <pthread.h>
#include <stdint.h>

#include "chan_test.h"

/* How a second party does its part; the bits combine. */
#define IN_THREAD	0x1	/* a thread of this process, not a child */
#define PLAINLY		0x2	/* read() or write() instead of a select */

/* Room enough for the short texts that cross in most tests. */
#define ROOM		64

#define NS_PER_MS	1000000LL

/* --- Cases --- */

static inline __u64 address(const void *p)
{
	return (uintptr_t)p;
}

static inline struct chan_case case_send(int fd, const void *data, __u32 len)
{
	return (struct chan_case){
		.fd = fd, .op = CHAN_SEND, .buf = address(data), .len = len,
	};
}

static inline struct chan_case case_text(int fd, const char *text)
{
	return case_send(fd, text, strlen(text));
}

static inline struct chan_case case_recv(int fd, void *room, __u32 size)
{
	return (struct chan_case){
		.fd = fd, .op = CHAN_RECV, .buf = address(room), .len = size,
	};
}

static inline struct chan_case case_poll(int fd, __u32 events)
{
	return (struct chan_case){ .fd = fd, .op = CHAN_POLL, .events = events };
}

static inline struct chan_case case_disabled(void)
{
	return (struct chan_case){ .fd = -1 };
}

/* --- Calling it --- */

/* The deadline that is @ms from now. */
static inline __u64 in_ms(long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * NS_PER_MS + ts.tv_nsec + ms * NS_PER_MS;
}

static inline struct chan_select select_of(struct chan_case *cases, __u32 ncases,
					   __u64 deadline)
{
	return (struct chan_select){
		.cases = address(cases), .ncases = ncases, .case_size = sizeof(*cases),
		.index = 12345, .deadline = deadline,
	};
}

/* The index of the case that happened, or a negative error number. */
static inline long do_select(int file, struct chan_case *cases, __u32 ncases, __u64 deadline)
{
	struct chan_select arg = select_of(cases, ncases, deadline);
	long ret = do_ioctl(file, CHAN_IOC_SELECT, &arg);

	return ret ? ret : arg.index;
}

static inline long try_select(int file, struct chan_case *cases, __u32 ncases)
{
	return do_select(file, cases, ncases, 0);
}

/* One case alone, without waiting: its status, or why the call failed. */
static inline long try_case(struct chan_case *one)
{
	long ret = try_select(one->fd, one, 1);

	return ret ? ret : one->status;
}

static inline bool info_same(int fd, const struct chan_info *before)
{
	struct chan_info now = info(fd);

	return !memcmp(&now, before, sizeof(now));
}

/* The index that a failing call left, beside the error. */
static inline long failing_index(int file, struct chan_select *arg, __u32 *index)
{
	long ret = do_ioctl(file, CHAN_IOC_SELECT, arg);

	*index = arg->index;
	return ret;
}

/* Send or receive without waiting, in one way or the other. */
static inline long send_now(unsigned int how, int fd, const char *text)
{
	struct chan_case one = case_text(fd, text);
	long ret;

	if (how & PLAINLY)
		return put(fd, text);
	ret = try_case(&one);
	return ret ? ret : (long)one.len;
}

static inline long recv_now(unsigned int how, int fd, void *room, size_t size)
{
	struct chan_case one = case_recv(fd, room, size);
	long ret;

	if (how & PLAINLY)
		return try_read(fd, room, size);
	ret = try_case(&one);
	return ret ? ret : (long)one.len;
}

static inline bool text_is(const void *room, long ret, const char *text)
{
	if (ret == (long)strlen(text) && !memcmp(room, text, ret))
		return true;
	fprintf(stderr, "# instead of '%s': %ld '%.*s'\n", text, ret,
		ret > 0 ? (int)ret : 0, (const char *)room);
	return false;
}

static inline bool receives_text(unsigned int how, int fd, const char *text)
{
	char room[ROOM];
	long ret = recv_now(how, fd, room, sizeof(room));

	return text_is(room, ret, text);
}

/* --- Selects that wait --- */

struct select_op {
	unsigned int how;
	int file;	/* on which the ioctl is called */
	pid_t pid;	/* the process, if it is another */
	pid_t tid;	/* the thread, if it is of this process */
	int running;
	pthread_t thread;
	int signals;	/* signals handled, for the test to use */
	int flag;	/* for the test to use */
	/* In its process or thread, before it selects. */
	void (*first)(struct select_op *op);
	long ret;	/* 0 or a negative error number */
	long ended_ms;	/* when it returned */
	struct chan_select arg;
	__u32 most;
	size_t room;
	struct chan_case *cases;
	unsigned char *data;
};

/* Up to @most cases, each with a message or a room of up to @room bytes. */
static inline struct select_op *new_select(struct __test_metadata *_metadata, int file,
					   __u32 most, size_t room)
{
	size_t head = sizeof(struct select_op) + most * sizeof(struct chan_case);
	struct select_op *op = shared(_metadata, head + most * room);

	op->file = file;
	op->most = most;
	op->room = room;
	op->cases = (struct chan_case *)(op + 1);
	op->data = (unsigned char *)op + head;
	op->ret = OP_STUCK;
	op->arg = select_of(op->cases, 0, CHAN_SELECT_FOREVER);
	return op;
}

static inline unsigned char *data_of(struct select_op *op, __u32 index)
{
	return op->data + index * op->room;
}

static inline struct chan_case *add_case(struct select_op *op, struct chan_case one)
{
	struct chan_case *added = &op->cases[op->arg.ncases];

	if (op->arg.ncases == op->most)
		abort();
	*added = one;
	op->arg.ncases++;
	return added;
}

static inline void add_send(struct select_op *op, int fd, const void *data, __u32 len)
{
	unsigned char *own = data_of(op, op->arg.ncases);

	if (len > op->room)
		abort();
	memcpy(own, data, len);
	add_case(op, case_send(fd, own, len));
}

static inline void add_text(struct select_op *op, int fd, const char *text)
{
	add_send(op, fd, text, strlen(text));
}

static inline void add_recv(struct select_op *op, int fd)
{
	add_case(op, case_recv(fd, data_of(op, op->arg.ncases), op->room));
}

static inline void add_poll(struct select_op *op, int fd, __u32 events)
{
	add_case(op, case_poll(fd, events));
}

/* What a select of its first case would tell, in the same place. */
static inline void run_plainly(struct select_op *op)
{
	struct chan_case *one = &op->cases[0];
	void *data = (void *)(uintptr_t)one->buf;
	long ret;

	if (one->op == CHAN_SEND)
		ret = do_write(one->fd, data, one->len);
	else
		ret = do_read(one->fd, data, one->len);
	op->ret = 0;
	op->arg.index = 0;
	one->status = ret < 0 ? ret : 0;
	if (one->op == CHAN_RECV && !ret)
		one->status = -EPIPE;
	if (one->op == CHAN_RECV && ret > 0)
		one->len = ret;
}

static inline void run_select(struct select_op *op)
{
	if (op->first)
		op->first(op);
	op->tid = syscall(SYS_gettid);
	__atomic_store_n(&op->running, 1, __ATOMIC_RELEASE);
	if (op->how & PLAINLY)
		run_plainly(op);
	else
		op->ret = do_ioctl(op->file, CHAN_IOC_SELECT, &op->arg);
	op->ended_ms = now_ms();
}

static inline void *select_thread(void *arg)
{
	run_select(arg);
	return NULL;
}

static inline bool select_names(const struct select_op *op, int fd)
{
	__u32 i;

	if (fd == op->file)
		return true;
	for (i = 0; i < op->arg.ncases; i++)
		if (op->cases[i].fd == fd)
			return true;
	return false;
}

/* Beyond the standard streams, the process keeps the files it names alone. */
static inline void keep_named(const struct select_op *op)
{
	int fd, last = op->file;
	__u32 i;

	for (i = 0; i < op->arg.ncases; i++)
		if (op->cases[i].fd > last)
			last = op->cases[i].fd;
	for (fd = 3; fd < last; fd++)
		if (!select_names(op, fd))
			close(fd);
	syscall(SYS_close_range, last < 3 ? 3 : last + 1, ~0U, 0);
}

static inline void start_select(struct __test_metadata *_metadata, struct select_op *op,
				unsigned int how)
{
	pid_t pid;

	op->how = how;
	if (how & IN_THREAD) {
		ASSERT_EQ(0, pthread_create(&op->thread, NULL, select_thread, op));
		return;
	}
	pid = fork_child();
	ASSERT_LE(0, pid);
	if (pid) {
		/* Memory is shared: the child must not write it, too. */
		op->pid = pid;
		return;
	}
	keep_named(op);
	run_select(op);
	_exit(0);
}

/* 0 until it runs; a child may see itself under another number. */
static inline pid_t tid_of(struct select_op *op)
{
	if (!__atomic_load_n(&op->running, __ATOMIC_ACQUIRE))
		return 0;
	return op->how & IN_THREAD ? op->tid : op->pid;
}

/* Asleep and off its CPU: a select then stands in line with all its cases. */
static inline bool select_sleeps(struct select_op *op)
{
	pid_t tid = tid_of(op);

	return tid && state_of(tid) == 'S' && settled(tid);
}

static inline void park_select(struct __test_metadata *_metadata, struct select_op *op,
			       unsigned int how)
{
	start_select(_metadata, op, how);
	ASSERT_TRUE(wait_until(select_sleeps(op)));
}

static inline bool joined(struct select_op *op)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += DEADLINE_MS / 1000;
	return !pthread_timedjoin_np(op->thread, NULL, &end);
}

/* What the call returned; all else is in @op. */
static inline long finish_select(struct select_op *op)
{
	int status = 0;

	if (op->how & IN_THREAD)
		return joined(op) ? op->ret : OP_STUCK;
	if (!ended(op->pid, &status))
		return OP_STUCK;
	if (WIFSIGNALED(status))
		return OP_KILLED(WTERMSIG(status));
	return op->ret;
}

/* Did @index happen, with @status? */
static inline bool chose(struct select_op *op, __u32 index, int status)
{
	long ret = finish_select(op);

	if (!ret && op->arg.index == index && op->cases[index].status == status)
		return true;
	fprintf(stderr, "# instead of case %u with status %d: %ld, case %d", index, status,
		ret, (int)op->arg.index);
	if (op->arg.index < op->arg.ncases)
		fprintf(stderr, " with status %d", op->cases[op->arg.index].status);
	fprintf(stderr, "\n");
	return false;
}

/* Was @text received by @index? */
static inline bool chose_text(struct select_op *op, __u32 index, const char *text)
{
	if (!chose(op, index, 0))
		return false;
	if (op->cases[index].len == strlen(text) &&
	    !memcmp(data_of(op, index), text, strlen(text)))
		return true;
	fprintf(stderr, "# instead of '%s': '%.*s'\n", text, (int)op->cases[index].len,
		data_of(op, index));
	return false;
}

static inline pid_t process_of(struct select_op *op)
{
	return op->how & IN_THREAD ? getpid() : op->pid;
}

/* Children alone can be taken away. */
static inline long cancel_select(struct select_op *op)
{
	kill(op->pid, SIGKILL);
	return finish_select(op);
}

#endif /* SELECT_TEST_H */
