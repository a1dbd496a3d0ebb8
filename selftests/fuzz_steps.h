/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps of a random program.
 */
#ifndef FUZZ_STEPS_H
#define FUZZ_STEPS_H

#include "fuzz_calls.h"

enum step_kind {
	OP_SCOPE, OP_CREATE, OP_NAMED, OP_OTHER, OP_CLOSE, OP_DUP, OP_PASS, OP_TAKE,
	OP_READ, OP_WRITE, OP_READV, OP_WRITEV, OP_SPLICE, OP_RING,
	OP_SELECT, OP_SELECT_HOSTILE, OP_REQUEST, OP_REQUEST_HOSTILE, OP_END,
	OP_POLL, OP_EPOLL, OP_FLAGS, OP_ODD,
	OP_FORK, OP_KILL, OP_REAP, OP_SETPGID, OP_SETSID,
	OP_BIND, OP_SET, OP_CANCEL, OP_WAIT, OP_ADOPT, OP_ADD, OP_REMOVE,
	OP_LOOK, OP_SYSFS, OP_RACE, OP_YIELD,
	OPS
};

/* --- Files come and go --- */

static void open_file(struct lane *me, int op, const char *path, int flags, int kind)
{
	long fd = result(open(path, flags | O_CLOEXEC | (one_in(me, 4) ? O_NONBLOCK : 0)));

	judge(me, op, path, fd, KNOWN(EACCES, EMFILE, ENOENT, ENXIO, EDQUOT, EINTR));
	keep_file(me, fd, kind);
}

static void do_scope(struct lane *me, int op)
{
	open_file(me, op, CONTROL, O_RDWR, K_SCOPE);
}

static void do_named(struct lane *me, int op)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	static const int kinds[] = { K_RECV | K_NAMED, K_SEND | K_NAMED, K_BOTH | K_NAMED };
	int mode = draw(me, 3);
	char path[64];

	if (one_in(me, 8))
		snprintf(path, sizeof(path), "/dev/chan%u", draw(me, 8));
	else
		snprintf(path, sizeof(path), "/dev/chan-%s%u", me->runner->devices,
			 draw(me, DEVICES));
	open_file(me, op, path, modes[mode], kinds[mode]);
}

static int new_timer(struct lane *me)
{
	struct itimerspec when = { .it_value.tv_nsec = 1 + draw(me, 5000000) };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	timerfd_settime(fd, 0, &when, NULL);
	return fd;
}

static void do_other(struct lane *me, int op)
{
	int fd[2] = { -1, -1 };

	switch (draw(me, 6)) {
	case 0:
		fd[0] = eventfd(draw(me, 2), EFD_CLOEXEC | EFD_NONBLOCK);
		break;
	case 1:
		fd[0] = new_timer(me);
		break;
	case 2:
		fd[0] = syscall(SYS_pidfd_open, getpid(), 0);
		break;
	case 3:
		fd[0] = epoll_create1(EPOLL_CLOEXEC);
		break;
	case 4:
		if (pipe2(fd, O_CLOEXEC | O_NONBLOCK))
			return;
		break;
	default:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd))
			return;
	}
	judge(me, op, "another file", fd[0], KNOWN(EMFILE, EINVAL, ESRCH));
	keep_file(me, fd[0], K_OTHER);
	keep_file(me, fd[1], K_OTHER);
}

static void do_close(struct lane *me, int op)
{
	close_slot(draw(me, SLOTS));
	judge(me, op, "close", 0, KNOWN(0));
}

static void do_dup(struct lane *me, int op)
{
	int slot = find_slot(me, K_ANY), kind = kind_of(slot), fd = fd_of(slot);

	if (kind) {
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		judge(me, op, "dup", result(fd), KNOWN(EMFILE));
		keep_file(me, fd, kind);
	}
}

#define MOST_PASSED	4

union passed {
	char room[CMSG_SPACE(MOST_PASSED * sizeof(int))];
	struct cmsghdr align;
};

static void do_pass(struct lane *me, int op)
{
	int n = 1 + draw(me, MOST_PASSED), fd[MOST_PASSED], i, slot;
	unsigned char kind[MOST_PASSED];
	struct iovec iov = { kind, n };
	union passed control = {};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	for (i = 0; i < n; i++) {
		slot = find_slot(me, K_OURS);
		kind[i] = kind_of(slot);
		fd[i] = fd_of(slot);
	}
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fd, n * sizeof(int));
	judge(me, op, "pass", result(sendmsg(passage[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL)),
	      KNOWN(EAGAIN, ETOOMANYREFS, EPIPE, ECONNRESET));
}

static void do_take(struct lane *me, int op)
{
	unsigned char kind[MOST_PASSED];
	struct iovec iov = { kind, sizeof(kind) };
	union passed control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	long ret = result(recvmsg(passage[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
	struct cmsghdr *cmsg;
	int fd, i, n;

	judge(me, op, "take", ret, KNOWN(EAGAIN, ECONNRESET));
	cmsg = ret > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return;
	n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (i = 0; i < n && i < ret; i++) {
		memcpy(&fd, (int *)CMSG_DATA(cmsg) + i, sizeof(fd));
		keep_file(me, fd, kind[i]);
	}
}

/* --- Messages --- */

/* Either way, beside causes and what pieces may be wrong with. */
static const short of_messages[] = {
	EAGAIN, EINTR, EMSGSIZE, EFAULT, ECANCELED, EACCES, EDEADLK, ENODEV, EINVAL, 0,
};

static void judge_read(struct lane *me, int op, const char *what, long ret)
{
	if (-ret >= FIRST_CAUSE && -ret <= CHAN_MAX_ERROR)
		ret = 0;
	if (ret == -EBADMSG || (ret < 0 && is_among(of_messages, -ret)))
		all->made[op]++;
	else
		judge(me, op, what, ret, KNOWN(EOPNOTSUPP, ESPIPE));
}

static void judge_write(struct lane *me, int op, const char *what, long ret)
{
	if (ret == -EPIPE || (ret < 0 && is_among(of_messages, -ret)))
		all->made[op]++;
	else
		judge(me, op, what, ret, KNOWN(EOPNOTSUPP, ESPIPE));
}

static void do_read_step(struct lane *me, int op)
{
	void *room = message_memory(me);
	size_t len = message_length(me);

	judge_read(me, op, "read", do_read(pick(me, K_RECVS), room, len));
}

/* A handler wants to know whether a channel raised SIGPIPE. */
static __thread bool writes_to_channel;

static void do_write_step(struct lane *me, int op)
{
	const void *data = message_memory(me);
	size_t len = message_length(me);
	int fd = pick(me, K_SENDS);

	writes_to_channel = !me->lenient;
	judge_write(me, op, "write", do_write(fd, data, len));
	writes_to_channel = false;
}

#define PIECES	6

static int some_pieces(struct lane *me, struct iovec *iov)
{
	int n = draw(me, PIECES), i;

	for (i = 0; i < n; i++)
		iov[i] = (struct iovec){ message_memory(me), draw(me, 200) };
	if (n && one_in(me, 20))
		iov[draw(me, n)].iov_len = one_in(me, 2) ? ~0UL : message_length(me);
	return one_in(me, 50) ? 2000 : n;
}

static int some_rwf(struct lane *me)
{
	return one_in(me, 2) ? RWF_NOWAIT : one_in(me, 4) ? (int)draw(me, 0x100) : 0;
}

static void do_readv(struct lane *me, int op)
{
	struct iovec iov[PIECES];
	int n = some_pieces(me, iov), flags = some_rwf(me), offset = one_in(me, 20) ? 0 : -1;
	int fd = pick(me, K_RECVS);

	judge_read(me, op, "readv", result(preadv2(fd, iov, n, offset, flags)));
}

static void do_writev(struct lane *me, int op)
{
	struct iovec iov[PIECES];
	int n = some_pieces(me, iov), flags = some_rwf(me), offset = one_in(me, 20) ? 0 : -1;
	int fd = pick(me, K_SENDS);

	writes_to_channel = !me->lenient;
	judge_write(me, op, "writev", result(pwritev2(fd, iov, n, offset, flags)));
	writes_to_channel = false;
}

static void do_splice(struct lane *me, int op)
{
	int pipes[2], fd = pick(me, K_ENDS);
	long ret;

	if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK))
		return;
	if (one_in(me, 2))
		ret = splice(fd, NULL, pipes[1], NULL, 100, SPLICE_F_NONBLOCK);
	else if (write(pipes[1], "x", 1) == 1)
		ret = splice(pipes[0], NULL, fd, NULL, 100, SPLICE_F_NONBLOCK);
	else
		ret = -1;
	me->lenient = true;
	judge(me, op, "splice", result(ret), KNOWN(EAGAIN));
	close(pipes[0]);
	close(pipes[1]);
}

/* Asked for, perhaps cancelled, and not waited for. */
static void do_ring(struct lane *me, int op)
{
	static const int ops[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_POLL_ADD };
	struct ring ring;
	int n = 1 + draw(me, 4), i, which;
	long ret = 0;

	if (!ring_init(&ring)) {
		judge(me, op, "io_uring", -errno, KNOWN(EMFILE, EPERM));
		return;
	}
	for (i = 0; i < n && ret >= 0; i++) {
		which = draw(me, 3);
		ret = ring_submit_how(&ring, ops[which], one_in(me, 2) ? IOSQE_ASYNC : 0,
				      pick(me, which ? K_SENDS : K_RECVS),
				      which == 2 ? NULL : message_memory(me),
				      which == 2 ? 0 : message_length(me), i);
	}
	if (one_in(me, 2))
		ring_submit(&ring, IORING_OP_ASYNC_CANCEL, -1, NULL, 0, n);
	judge(me, op, "io_uring", ret, KNOWN(EINTR, EAGAIN, EBUSY));
	ring_exit(&ring);
}

static void do_select_step(struct lane *me, int op)
{
	call(me, op, &requests[R_SELECT], op == OP_SELECT_HOSTILE);
}

/* --- Requests --- */

static void do_request(struct lane *me, int op)
{
	call(me, op, &requests[draw(me, REQUESTS)], op == OP_REQUEST_HOSTILE);
}

static void do_one_request(struct lane *me, int op)
{
	static const int which[OPS] = {
		[OP_CREATE] = R_CREATE, [OP_END] = R_CLOSE,
		[OP_BIND] = R_BIND, [OP_SET] = R_SET, [OP_CANCEL] = R_CANCEL,
		[OP_WAIT] = R_WAIT, [OP_ADOPT] = R_ADOPT, [OP_ADD] = R_ADD,
		[OP_REMOVE] = R_REMOVE,
	};

	call(me, op, &requests[which[op]], one_in(me, 16));
}

/* --- What can be waited for --- */

static void do_poll(struct lane *me, int op)
{
	int n = 1 + draw(me, 8), timeout = draw(me, 4), i;
	struct pollfd pfd[8];

	for (i = 0; i < n; i++)
		pfd[i] = (struct pollfd){ .fd = pick(me, K_ANY), .events = me->random };
	judge(me, op, "poll", result(poll(pfd, n, timeout)), KNOWN(EINTR));
}

static void do_epoll(struct lane *me, int op)
{
	static const int flags[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE };
	int fd = epoll_create1(EPOLL_CLOEXEC), n = 1 + draw(me, 6), i;
	struct epoll_event event = {};
	long ret;

	for (i = 0; i < n; i++) {
		event.events = EPOLLIN | EPOLLOUT | flags[draw(me, ARRAY_SIZE(flags))];
		ret = result(epoll_ctl(fd, 1 + draw(me, 3), pick(me, K_ANY), &event));
		judge(me, op, "epoll_ctl", ret, KNOWN(EEXIST, ENOENT, EINVAL, EPERM, ELOOP));
	}
	epoll_wait(fd, &event, 1, draw(me, 3));
	if (one_in(me, 4))
		keep_file(me, fd, K_OTHER);
	else
		close(fd);
}

/* --- What is not asked of channels every day --- */

static void do_flags(struct lane *me, int op)
{
	int fd = pick(me, K_ENDS), on = draw(me, 2);
	long ret;

	switch (draw(me, 4)) {
	case 0:
		ret = ioctl(fd, FIONBIO, &on);
		break;
	case 1:
		ret = fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
		break;
	case 2:
		ret = fcntl(fd, F_SETFL, (int)draw(me, 0x8000) & ~O_ASYNC);
		break;
	default:
		ret = fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0);
	}
	judge(me, op, "flags", result(ret), KNOWN(EINVAL));
}

static void do_odd(struct lane *me, int op)
{
	int fd = pick(me, K_OURS);
	void *memory;
	long ret;

	switch (draw(me, 6)) {
	case 0:
		ret = lseek(fd, draw(me, 100), SEEK_SET);
		break;
	case 1:
		memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ret = memory == MAP_FAILED ? -1 : munmap(memory, PAGE);
		break;
	case 2:
		ret = fsync(fd);
		break;
	case 3:
		ret = ftruncate(fd, 100);
		break;
	case 4:
		ret = flock(fd, LOCK_SH | LOCK_NB);
		break;
	default:
		ret = fcntl(fd, F_SETFL, O_ASYNC);
	}
	judge(me, op, "an odd call", result(ret),
	      KNOWN(ESPIPE, ENODEV, EINVAL, EACCES, EOPNOTSUPP, ENOTTY, EAGAIN, EROFS, EPERM));
}

static void read_some(struct lane *me, int op, const char *path)
{
	char text[4096];
	int n = 4, fd = open(path, O_RDONLY | O_CLOEXEC);
	long ret = result(fd);

	while (ret >= 0 && n-- && (ret = do_read(fd, text, sizeof(text))) > 0)
		;
	judge(me, op, path, ret, KNOWN(ENOENT, EACCES, ENODEV, EINTR, EMFILE));
	close(fd);
}

static void do_look(struct lane *me, int op)
{
	char path[64];

	switch (draw(me, 4)) {
	case 0:
		read_some(me, op, DEBUGFS "channels");
		break;
	case 1:
		read_some(me, op, DEBUGFS "scopes");
		break;
	default:
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pick(me, K_OURS));
		read_some(me, op, path);
	}
}

static void do_sysfs(struct lane *me, int op)
{
	static const char * const names[] = {
		"capacity", "max_msg", "hangup", "state", "id", "cause", "buffered",
		"parked_senders", "parked_receivers", "send_ends", "recv_ends", "sent", "received",
	};
	const char *name = names[draw(me, ARRAY_SIZE(names))];
	char path[96], text[16];

	snprintf(path, sizeof(path), "/sys/class/chan/chan-%s%u/%s", me->runner->devices,
		 draw(me, DEVICES), name);
	if (one_in(me, 2)) {
		read_some(me, op, path);
		return;
	}
	snprintf(text, sizeof(text), "%u", one_in(me, 2) ? draw(me, 10) : odd_value(me));
	judge(me, op, path, write_text(path, text),
	      KNOWN(ENOENT, EACCES, ENODEV, EINVAL, EBUSY, ERANGE, EMFILE));
}

/* --- Processes --- */

static void do_step(struct lane *me, int op, __u64 arg);
static __u8 draw_op(const struct program *program, __u64 *random, int lane);

static void nudge(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	struct itimerspec often = { { 0, 3 * MS }, { 0, 3 * MS } };
	timer_t timer;

	event._sigev_un._tid = syscall(SYS_gettid);
	if (!timer_create(CLOCK_MONOTONIC, &event, &timer))
		timer_settime(timer, 0, &often, NULL);
}

/* What a forked child does: a few steps of its own, perhaps as somebody else. */
static void live(struct lane *me, int steps)
{
	atomic_store(&me->racing, 0);
	me->children = 0;
	take_cover(me->covers);
	if (one_in(me, 3))
		setpgid(0, 0);
	if (one_in(me, 6))
		become(NOBODY);
	if (one_in(me, 4))
		nudge();
	while (steps--) {
		__u8 op = draw_op(&me->runner->program, &me->random, 1);

		do_step(me, op, mix(me->random));
	}
	if (one_in(me, 5))
		execl("/bin/true", "true", NULL);
	if (one_in(me, 5))
		execl("/bin/sleep", "sleep", "1000", NULL);
	_exit(0);
}

static void do_fork(struct lane *me, int op)
{
	int steps = 1 + draw(me, 8);
	pid_t pid;

	if (me->children == MOST_CHILDREN || me->runner->forks++ >= MOST_FORKS)
		return;
	me->random = mix(me->random);
	pid = fork();
	if (!pid)
		live(me, steps);
	judge(me, op, "fork", result(pid), KNOWN(EAGAIN));
	if (pid > 0)
		me->child[me->children++] = pid;
}

/* Not waited for yet, so the number is still theirs. */
static void do_kill(struct lane *me, int op)
{
	static const int signals[] = {
		0, SIGUSR1, SIGUSR1, SIGTERM, SIGSTOP, SIGCONT, SIGKILL, SIGKILL,
	};

	if (me->children)
		judge(me, op, "kill", result(kill(me->child[draw(me, me->children)],
						  signals[draw(me, ARRAY_SIZE(signals))])),
		      KNOWN(EPERM));
}

static void do_reap(struct lane *me, int op)
{
	int i, kept = 0;

	for (i = 0; i < me->children; i++)
		if (waitpid(me->child[i], NULL, WNOHANG) == 0)
			me->child[kept++] = me->child[i];
	me->children = kept;
	judge(me, op, "reap", 0, KNOWN(0));
}

static void do_setpgid(struct lane *me, int op)
{
	pid_t child = me->children ? me->child[draw(me, me->children)] : 0;
	long ret;

	switch (draw(me, 4)) {
	case 0:
		ret = setpgid(0, 0);
		break;
	case 1:
		ret = setpgid(child, child);
		break;
	case 2:
		ret = setpgid(0, child);
		break;
	default:
		ret = setpgid(child, me->children ? me->child[0] : 0);
	}
	judge(me, op, "setpgid", result(ret), KNOWN(EPERM, EACCES, ESRCH, EINVAL));
}

static void do_setsid(struct lane *me, int op)
{
	judge(me, op, "setsid", result(setsid()), KNOWN(EPERM));
}

static void do_race(struct lane *me, int op)
{
	start_race(me);
	judge(me, op, "race", 0, KNOWN(0));
}

static void do_yield(struct lane *me, int op)
{
	pause_us(draw(me, 2000));
	judge(me, op, "yield", 0, KNOWN(0));
}

/* --- The table --- */

/*
 * How often a step is drawn, before the lanes part and afterwards: first there
 * have to be files.
 */
static const struct {
	const char *name;
	void (*run)(struct lane *me, int op);
	__u8 weight[2];
	bool never_works;
} ops[OPS] = {
	[OP_SCOPE] = { "open a scope", do_scope, { 6, 2 } },
	[OP_CREATE] = { "create", do_one_request, { 12, 4 } },
	[OP_NAMED] = { "open a device", do_named, { 6, 4 } },
	[OP_OTHER] = { "open another file", do_other, { 2, 2 } },
	[OP_CLOSE] = { "close", do_close, { 0, 5 } },
	[OP_DUP] = { "dup", do_dup, { 1, 2 } },
	[OP_PASS] = { "pass a file", do_pass, { 1, 3 } },
	[OP_TAKE] = { "take a file", do_take, { 0, 3 } },
	[OP_READ] = { "read", do_read_step, { 0, 6 } },
	[OP_WRITE] = { "write", do_write_step, { 1, 6 } },
	[OP_READV] = { "readv", do_readv, { 0, 4 } },
	[OP_WRITEV] = { "writev", do_writev, { 1, 4 } },
	[OP_SPLICE] = { "splice", do_splice, { 0, 1 }, true },
	[OP_RING] = { "io_uring", do_ring, { 0, 2 } },
	[OP_SELECT] = { "select", do_select_step, { 0, 12 } },
	[OP_SELECT_HOSTILE] = { "hostile select", do_select_step, { 0, 5 } },
	[OP_REQUEST] = { "any request", do_request, { 2, 3 } },
	[OP_REQUEST_HOSTILE] = { "any hostile request", do_request, { 2, 6 } },
	[OP_END] = { "close a channel", do_one_request, { 0, 2 } },
	[OP_POLL] = { "poll", do_poll, { 0, 3 } },
	[OP_EPOLL] = { "epoll", do_epoll, { 1, 2 } },
	[OP_FLAGS] = { "flags", do_flags, { 4, 4 } },
	[OP_ODD] = { "odd calls", do_odd, { 0, 1 } },
	[OP_FORK] = { "fork", do_fork, { 3, 6 } },
	[OP_KILL] = { "kill", do_kill, { 0, 4 } },
	[OP_REAP] = { "reap", do_reap, { 0, 2 } },
	[OP_SETPGID] = { "setpgid", do_setpgid, { 1, 2 } },
	[OP_SETSID] = { "setsid", do_setsid, { 0, 1 } },
	[OP_BIND] = { "bind", do_one_request, { 3, 4 } },
	[OP_SET] = { "set", do_one_request, { 3, 2 } },
	[OP_CANCEL] = { "cancel", do_one_request, { 0, 2 } },
	[OP_WAIT] = { "wait", do_one_request, { 0, 3 } },
	[OP_ADOPT] = { "adopt", do_one_request, { 4, 2 } },
	[OP_ADD] = { "add a device", do_one_request, { 6, 2 } },
	[OP_REMOVE] = { "remove a device", do_one_request, { 0, 2 } },
	[OP_LOOK] = { "debugfs and fdinfo", do_look, { 0, 2 } },
	[OP_SYSFS] = { "sysfs", do_sysfs, { 2, 2 } },
	[OP_RACE] = { "a race", do_race, { 1, 3 } },
	[OP_YIELD] = { "yield", do_yield, { 0, 3 } },
};

/* One step in so many is what the program does more than others. */
#define FAVOURED	4

static __u32 weight_of_all(int lane)
{
	__u32 sum = 0;
	int op;

	for (op = 0; op < OPS; op++)
		sum += ops[op].weight[!!lane];
	return sum;
}

/* What a program that begins with this link of a chain does more than others. */
static int favourite_of(__u64 link)
{
	return draw_from(&link, OPS);
}

static __u8 draw_op(const struct program *program, __u64 *random, int lane)
{
	int favourite = favourite_of(program->chain[0]);
	__u32 n = draw_from(random, weight_of_all(lane));
	__u8 op = 0;

	if (ops[favourite].weight[!!lane] && !draw_from(random, FAVOURED))
		return favourite;
	while (n >= ops[op].weight[!!lane])
		n -= ops[op++].weight[!!lane];
	return op;
}

static void do_step(struct lane *me, int op, __u64 arg)
{
	me->runner->progress++;
	me->random = arg;
	me->lenient = in_threads(me);
	ops[op].run(me, op);
}

#endif /* FUZZ_STEPS_H */
