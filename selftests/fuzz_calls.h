/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ioctls of a random program: structures that make sense, made hostile.
 */
#ifndef FUZZ_CALLS_H
#define FUZZ_CALLS_H

#include "fuzz_lane.h"

#define LONGEST_STRUCT	16383
#define SELECT_CASES	(CHAN_SELECT_MAX + 76)

struct request {
	const char *name;
	unsigned long cmd;
	int kinds;		/* of files that know it */
	void (*build)(struct lane *me, void *arg);
	void (*after)(struct lane *me, const void *arg);
	const short *known;	/* beside those of all requests */
};

static const short of_all_requests[] = { EFAULT, EINVAL, E2BIG, ENOTTY, 0 };

/* --- Arguments that make sense --- */

static void build_nothing(struct lane *me, void *arg)
{
	(void)me;
	(void)arg;
}

static __u32 some_capacity(struct lane *me)
{
	static const __u32 capacities[] = { 0, 0, 1, 2, 8, 1000, CHAN_MAX_CAPACITY };

	return capacities[draw(me, ARRAY_SIZE(capacities))];
}

static __u32 some_max_msg(struct lane *me)
{
	static const __u32 sizes[] = { 0, 0, 1, 100, 5000, CHAN_MAX_MSG };

	return sizes[draw(me, ARRAY_SIZE(sizes))];
}

static void build_create(struct lane *me, void *arg)
{
	*(struct chan_create *)arg = (struct chan_create){
		.capacity = some_capacity(me), .max_msg = some_max_msg(me),
		.flags = one_in(me, 4) ? CHAN_CREATE_NONBLOCK : 0,
	};
}

static void after_create(struct lane *me, const void *arg)
{
	const struct chan_create *created = arg;

	keep_file(me, created->send_fd, K_SEND);
	keep_file(me, created->recv_fd, K_RECV);
}

/* Some number that is no other error, see FIRST_CAUSE. */
static void build_close(struct lane *me, void *arg)
{
	struct chan_close *end = arg;

	end->error = one_in(me, 2) ? 0 : FIRST_CAUSE + draw(me, 240);
	end->flags = one_in(me, 16);
}

static void device_name(struct lane *me, char *name)
{
	memset(name, 0, CHAN_NAME_SIZE);
	snprintf(name, CHAN_NAME_SIZE, "%s%u", me->runner->devices, draw(me, DEVICES));
}

static void build_add(struct lane *me, void *arg)
{
	struct chan_dev_add *add = arg;

	*add = (struct chan_dev_add){
		.mode = one_in(me, 4) ? 0666 : 0600, .capacity = some_capacity(me),
		.max_msg = some_max_msg(me),
	};
	device_name(me, add->name);
}

static void build_remove(struct lane *me, void *arg)
{
	device_name(me, ((struct chan_dev_remove *)arg)->name);
}

static void build_bind(struct lane *me, void *arg)
{
	struct chan_scope_bind *bind = arg;

	switch (draw(me, 6)) {
	case 0:
		bind->pgid = getpgrp();
		break;
	case 1:
		bind->pgid = getpid();
		break;
	case 2:
	case 3:
		if (me->children)
			bind->pgid = me->child[draw(me, me->children)];
		break;
	case 4:
		bind->pgid = getppid();
		break;
	}
}

static void build_set(struct lane *me, void *arg)
{
	static const __u64 graces[] = {
		0, 1, MS, 5 * MS, CHAN_SCOPE_GRACE_NEVER, CHAN_SCOPE_GRACE_NEVER - 1,
	};
	static const __u32 signals[] = {
		0, 0, SIGUSR1, SIGTERM, SIGSTOP, SIGCONT, SIGKILL, 64, 65,
	};

	*(struct chan_scope_set *)arg = (struct chan_scope_set){
		.deadline = some_deadline(me), .grace_ns = graces[draw(me, ARRAY_SIZE(graces))],
		.signal = signals[draw(me, ARRAY_SIZE(signals))],
		.flags = one_in(me, 2) ? CHAN_SCOPE_DETECT_DEADLOCK : 0,
	};
}

static void build_cancel(struct lane *me, void *arg)
{
	((struct chan_scope_cancel *)arg)->error = one_in(me, 2) ? 0 : draw(me, 520);
}

static void build_wait(struct lane *me, void *arg)
{
	*(struct chan_scope_wait *)arg = (struct chan_scope_wait){
		.deadline = some_deadline(me),
		.flags = one_in(me, 3) ? CHAN_SCOPE_WAIT_EXIT : 0,
		.exits = draw(me, 4),
	};
}

static void build_adopt(struct lane *me, void *arg)
{
	((struct chan_adopt *)arg)->fd = pick(me, one_in(me, 8) ? K_ENDS : K_NAMED);
}

/* --- Select --- */

static void build_case(struct lane *me, struct chan_case *one)
{
	static const int kinds[] = {
		[CHAN_SEND] = K_SENDS, [CHAN_RECV] = K_RECVS, [CHAN_POLL] = K_ANY,
	};
	__u32 op = CHAN_SEND + draw(me, 3);

	*one = (struct chan_case){
		.fd = pick(me, kinds[op]), .op = op, .events = draw(me, 0x40),
		.buf = (uintptr_t)message_memory(me), .len = message_length(me),
	};
	if (one_in(me, 100))
		((__u32 *)one)[draw(me, sizeof(*one) / 4)] = odd_value(me);
}

static __u32 some_number_of_cases(struct lane *me)
{
	switch (draw(me, 32)) {
	case 0:
		return 0;
	case 1:
		return CHAN_SELECT_MAX + draw(me, 3) - 1;
	case 2:
		return draw(me, SELECT_CASES);
	case 3:
		return draw(me, 64);
	}
	return 1 + draw(me, one_in(me, 2) ? 1 : 5);
}

/* Behind the argument itself. */
static unsigned char *cases_of(struct lane *me)
{
	return structs_of(me) + 8 * PAGE;
}

static void build_select(struct lane *me, void *arg)
{
	static const __u32 sizes[] = { 0, 56, 65, 72, 128, 4096, 4104, ~0U };
	struct chan_select *select = arg;
	__u32 i;

	*select = (struct chan_select){
		.cases = (uintptr_t)cases_of(me), .ncases = some_number_of_cases(me),
		.case_size = sizeof(struct chan_case), .deadline = some_deadline(me),
		.index = 12345,
	};
	if (one_in(me, 4))
		select->flags = CHAN_SELECT_PRIORITY;
	if (one_in(me, 16))
		select->case_size = sizes[draw(me, ARRAY_SIZE(sizes))];
	for (i = 0; i < select->ncases; i++)
		build_case(me, (struct chan_case *)cases_of(me) + i);
	if (one_in(me, 32))
		select->cases = (uintptr_t)bad_memory(me);
}

static const short of_cases[] = {
	EPIPE, ECANCELED, ENODEV, EMSGSIZE, EDEADLK, EACCES, 0,
};

/* What came of the case that was chosen; a race may have changed the numbers. */
static void after_select(struct lane *me, const void *arg)
{
	const struct chan_select *select = arg;
	const struct chan_case *one;

	if (me->vanished || select->case_size != sizeof(*one) ||
	    select->cases != (uintptr_t)cases_of(me))
		return;
	if (select->index >= select->ncases) {
		trouble(me->runner, "select of %u chose %u", select->ncases, select->index);
		return;
	}
	one = (const struct chan_case *)cases_of(me) + select->index;
	if (one->op == CHAN_POLL || !one->status || is_among(of_cases, -one->status))
		return;
	if (-one->status < FIRST_CAUSE || -one->status > CHAN_MAX_ERROR || one->op != CHAN_RECV)
		trouble(me->runner, "select: case %u of op %u has status %d", select->index,
			one->op, one->status);
}

/* --- All of them --- */

enum {
	R_VERSION, R_CREATE, R_CLOSE, R_INFO, R_ADD, R_REMOVE, R_SELECT, R_BIND, R_SET,
	R_CANCEL, R_WAIT, R_SCOPE_INFO, R_ADOPT, REQUESTS
};

static const struct request requests[REQUESTS] = {
	[R_VERSION] = { "VERSION", CHAN_IOC_VERSION, K_OURS, build_nothing, NULL, KNOWN(0) },
	[R_CREATE] = { "CREATE", CHAN_IOC_CREATE, K_SCOPE, build_create, after_create,
		       KNOWN(EMFILE, EDQUOT, ECANCELED) },
	[R_CLOSE] = { "CLOSE", CHAN_IOC_CLOSE, K_ENDS, build_close, NULL, KNOWN(EACCES) },
	[R_INFO] = { "INFO", CHAN_IOC_INFO, K_ENDS, build_nothing, NULL, KNOWN(EACCES) },
	[R_ADD] = { "DEV_ADD", CHAN_IOC_DEV_ADD, K_SCOPE, build_add, NULL,
		    KNOWN(EPERM, EEXIST, ENOSPC) },
	[R_REMOVE] = { "DEV_REMOVE", CHAN_IOC_DEV_REMOVE, K_SCOPE, build_remove, NULL,
		       KNOWN(EPERM, ENOENT) },
	[R_SELECT] = { "SELECT", CHAN_IOC_SELECT, K_OURS, build_select, after_select,
		       KNOWN(EAGAIN, ETIMEDOUT, EINTR, EACCES, EPERM, EMSGSIZE) },
	[R_BIND] = { "SCOPE_BIND", CHAN_IOC_SCOPE_BIND, K_SCOPE, build_bind, NULL,
		     KNOWN(EPERM, EBUSY, ECANCELED) },
	[R_SET] = { "SCOPE_SET", CHAN_IOC_SCOPE_SET, K_SCOPE, build_set, NULL,
		    KNOWN(ECANCELED) },
	[R_CANCEL] = { "SCOPE_CANCEL", CHAN_IOC_SCOPE_CANCEL, K_SCOPE, build_cancel, NULL,
		       KNOWN(0) },
	[R_WAIT] = { "SCOPE_WAIT", CHAN_IOC_SCOPE_WAIT, K_SCOPE, build_wait, NULL,
		     KNOWN(EDEADLK, EAGAIN, ETIMEDOUT, EINTR) },
	[R_SCOPE_INFO] = { "SCOPE_INFO", CHAN_IOC_SCOPE_INFO, K_SCOPE, build_nothing, NULL,
			   KNOWN(0) },
	[R_ADOPT] = { "ADOPT", CHAN_IOC_ADOPT, K_SCOPE, build_adopt, NULL,
		      KNOWN(EBUSY, ECANCELED, ENODEV) },
};

/* --- Made hostile --- */

/* The structure ends otherwise, or another version of it is asked for. */
static unsigned long odd_request(struct lane *me, const struct request *request, void *arg)
{
	static const int sizes[] = { 0, 4, 8, 16, 24, 40, 64, 80, 88, 256, 4096, LONGEST_STRUCT };
	int size = _IOC_SIZE(request->cmd), nr = _IOC_NR(request->cmd), magic = CHAN_IOC_MAGIC;
	int dir = _IOC_DIR(request->cmd);

	if (one_in(me, 2))
		size = sizes[draw(me, ARRAY_SIZE(sizes))];
	if (one_in(me, 4))
		dir = draw(me, 4);
	if (one_in(me, 8))
		nr = draw(me, one_in(me, 2) ? 16 : 256);
	if (nr == _IOC_NR(CHAN_IOC_CLOSE) && request->cmd != CHAN_IOC_CLOSE)
		nr = 255;
	if (one_in(me, 32))
		magic ^= 0x10;
	if (one_in(me, 4))
		((unsigned char *)arg)[8 + draw(me, LONGEST_STRUCT - 8)] = 1 + draw(me, 255);
	return _IOC(dir, magic, nr, size);
}

/* But not the error to close with: see FIRST_CAUSE. */
static void spoil_field(struct lane *me, const struct request *request, void *arg)
{
	__u32 field = draw(me, _IOC_SIZE(request->cmd) / sizeof(__u32));

	if (request->cmd != CHAN_IOC_CLOSE || field)
		((__u32 *)arg)[field] = odd_value(me);
}

/* The argument for CLOSE has a place of its own, where nothing flips. */
static void *argument_of(struct lane *me, const struct request *request)
{
	unsigned char *arg = structs_of(me) + (request->cmd == CHAN_IOC_CLOSE ? 40 * PAGE : 0);

	memset(arg, 0, one_in(me, 4) ? LONGEST_STRUCT + 1 : sizeof(struct chan_info));
	request->build(me, arg);
	if (request->cmd == CHAN_IOC_SELECT && one_in(me, 2))
		expose(me, cases_of(me), 2 * sizeof(struct chan_case));
	else if (request->cmd != CHAN_IOC_CLOSE)
		expose(me, arg, _IOC_SIZE(request->cmd));
	return arg;
}

/* What may come of a request that has become another one. */
static bool request_may_fail(unsigned long cmd, int error)
{
	int i;

	if (is_among(of_all_requests, error))
		return true;
	for (i = 0; i < REQUESTS; i++)
		if (_IOC_NR(requests[i].cmd) == _IOC_NR(cmd))
			return is_among(requests[i].known, error);
	return false;
}

static void call(struct lane *me, int op, const struct request *request, bool hostile)
{
	unsigned long cmd = request->cmd;
	void *arg = argument_of(me, request);
	bool own = true;
	int fd;
	long ret;

	if (hostile && one_in(me, 2))
		cmd = odd_request(me, request, arg);
	else if (hostile)
		spoil_field(me, request, arg);
	if (hostile && one_in(me, 8)) {
		arg = bad_memory(me);
		own = false;
	}
	fd = pick(me, one_in(me, 16) ? K_ANY : request->kinds);
	ret = do_ioctl(fd, cmd, arg);
	cover_up(me);
	if (ret < 0 && request_may_fail(cmd, -ret))
		all->made[op]++;
	else
		judge(me, op, request->name, ret, KNOWN(0));
	if (!ret && own && cmd == request->cmd && request->after)
		request->after(me, arg);
}

#endif /* FUZZ_CALLS_H */
