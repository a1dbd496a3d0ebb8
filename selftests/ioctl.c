// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls: sizes, flags, reserved fields, bad pointers, and the layout that
 * can never change.
 */
#include <stddef.h>
#include <sys/eventfd.h>

#include "chan_test.h"

/* --- Frozen: these numbers are in programs that are out there --- */

#define frozen_offset(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
#define frozen_size(type, size) \
	_Static_assert(sizeof(struct type) == (size), #type)
#define frozen(value, number) \
	_Static_assert((value) == (number), #value)

frozen_size(chan_version, 16);
frozen_offset(chan_version, version, 0);
frozen_offset(chan_version, reserved, 4);
frozen_offset(chan_version, features, 8);

frozen_size(chan_create, 24);
frozen_offset(chan_create, capacity, 0);
frozen_offset(chan_create, max_msg, 4);
frozen_offset(chan_create, flags, 8);
frozen_offset(chan_create, send_fd, 12);
frozen_offset(chan_create, recv_fd, 16);
frozen_offset(chan_create, reserved, 20);

frozen_size(chan_close, 8);
frozen_offset(chan_close, error, 0);
frozen_offset(chan_close, flags, 4);

frozen_size(chan_info, 64);
frozen_offset(chan_info, id, 0);
frozen_offset(chan_info, state, 8);
frozen_offset(chan_info, cause, 12);
frozen_offset(chan_info, capacity, 16);
frozen_offset(chan_info, max_msg, 20);
frozen_offset(chan_info, buffered, 24);
frozen_offset(chan_info, parked_senders, 28);
frozen_offset(chan_info, parked_receivers, 32);
frozen_offset(chan_info, send_ends, 36);
frozen_offset(chan_info, recv_ends, 40);
frozen_offset(chan_info, flags, 44);
frozen_offset(chan_info, sent, 48);
frozen_offset(chan_info, received, 56);

frozen_size(chan_dev_add, 48);
frozen_offset(chan_dev_add, name, 0);
frozen_offset(chan_dev_add, mode, 32);
frozen_offset(chan_dev_add, capacity, 36);
frozen_offset(chan_dev_add, max_msg, 40);
frozen_offset(chan_dev_add, flags, 44);

frozen_size(chan_dev_remove, 36);
frozen_offset(chan_dev_remove, name, 0);
frozen_offset(chan_dev_remove, flags, 32);

frozen_size(chan_case, 64);
frozen_size(chan_case, CHAN_CASE_SIZE_VER0);
frozen_offset(chan_case, fd, 0);
frozen_offset(chan_case, op, 4);
frozen_offset(chan_case, flags, 8);
frozen_offset(chan_case, status, 12);
frozen_offset(chan_case, buf, 16);
frozen_offset(chan_case, len, 24);
frozen_offset(chan_case, events, 28);
frozen_offset(chan_case, pid, 32);
frozen_offset(chan_case, uid, 36);
frozen_offset(chan_case, fds, 40);
frozen_offset(chan_case, nfds, 48);
frozen_offset(chan_case, reserved, 52);

frozen_size(chan_select, 32);
frozen_offset(chan_select, cases, 0);
frozen_offset(chan_select, ncases, 8);
frozen_offset(chan_select, case_size, 12);
frozen_offset(chan_select, flags, 16);
frozen_offset(chan_select, index, 20);
frozen_offset(chan_select, deadline, 24);

frozen_size(chan_scope_bind, 8);
frozen_offset(chan_scope_bind, pgid, 0);
frozen_offset(chan_scope_bind, flags, 4);

frozen_size(chan_scope_set, 24);
frozen_offset(chan_scope_set, deadline, 0);
frozen_offset(chan_scope_set, grace_ns, 8);
frozen_offset(chan_scope_set, signal, 16);
frozen_offset(chan_scope_set, flags, 20);

frozen_size(chan_scope_cancel, 8);
frozen_offset(chan_scope_cancel, error, 0);
frozen_offset(chan_scope_cancel, flags, 4);

frozen_size(chan_scope_wait, 24);
frozen_offset(chan_scope_wait, deadline, 0);
frozen_offset(chan_scope_wait, flags, 8);
frozen_offset(chan_scope_wait, exits, 12);
frozen_offset(chan_scope_wait, cause, 16);
frozen_offset(chan_scope_wait, members, 20);

frozen_size(chan_scope_info, 40);
frozen_offset(chan_scope_info, id, 0);
frozen_offset(chan_scope_info, parent, 8);
frozen_offset(chan_scope_info, pgid, 16);
frozen_offset(chan_scope_info, state, 20);
frozen_offset(chan_scope_info, cause, 24);
frozen_offset(chan_scope_info, members, 28);
frozen_offset(chan_scope_info, channels, 32);
frozen_offset(chan_scope_info, reserved, 36);

frozen_size(chan_adopt, 8);
frozen_offset(chan_adopt, fd, 0);
frozen_offset(chan_adopt, flags, 4);

frozen(CHAN_IOC_VERSION, 0xc010c900);
frozen(CHAN_IOC_CREATE, 0xc018c901);
frozen(CHAN_IOC_CLOSE, 0xc008c902);
frozen(CHAN_IOC_INFO, 0xc040c903);
frozen(CHAN_IOC_DEV_ADD, 0xc030c904);
frozen(CHAN_IOC_DEV_REMOVE, 0xc024c905);
frozen(CHAN_IOC_SELECT, 0xc020c906);
frozen(CHAN_IOC_SCOPE_BIND, 0xc008c907);
frozen(CHAN_IOC_SCOPE_SET, 0xc018c908);
frozen(CHAN_IOC_SCOPE_CANCEL, 0xc008c909);
frozen(CHAN_IOC_SCOPE_WAIT, 0xc018c90a);
frozen(CHAN_IOC_SCOPE_INFO, 0xc028c90b);
frozen(CHAN_IOC_ADOPT, 0xc008c90c);

frozen(CHAN_STATE_OPEN, 0);
frozen(CHAN_STATE_CLOSED, 1);
frozen(CHAN_STATE_FAILED, 2);
frozen(CHAN_STATE_BROKEN, 3);
frozen(CHAN_STATE_CANCELED, 4);
frozen(CHAN_STATE_REMOVED, 5);

frozen(CHAN_SEND, 1);
frozen(CHAN_RECV, 2);
frozen(CHAN_POLL, 3);
frozen(CHAN_SELECT_PRIORITY, 1);
frozen(CHAN_SELECT_MAX, 1024);
frozen(CHAN_SELECT_NONE, 0xffffffffU);
frozen(CHAN_SELECT_FOREVER, 0xffffffffffffffffULL);

frozen(CHAN_SCOPE_UNBOUND, 0);
frozen(CHAN_SCOPE_BOUND, 1);
frozen(CHAN_SCOPE_CANCELED, 2);
frozen(CHAN_SCOPE_DETECT_DEADLOCK, 1);
frozen(CHAN_SCOPE_WAIT_EXIT, 1);
frozen(CHAN_SCOPE_GRACE_NEVER, 0xffffffffffffffffULL);
frozen(CHAN_SCOPE_GRACE_DEFAULT, 5000000000ULL);

frozen(CHAN_FEATURE_DEV, 1);
frozen(CHAN_FEATURE_SELECT, 2);
frozen(CHAN_FEATURE_SCOPE, 4);
frozen(CHAN_CREATE_NONBLOCK, 1);
frozen(CHAN_INFO_SEND, 1);
frozen(CHAN_INFO_RECV, 2);
frozen(CHAN_INFO_NAMED, 4);
frozen(CHAN_INFO_HANGUP, 8);
frozen(CHAN_MAX_MSG, 1048576);
frozen(CHAN_DEFAULT_MAX_MSG, 65536);
frozen(CHAN_MAX_CAPACITY, 65536);
frozen(CHAN_NAME_SIZE, 32);
frozen(CHAN_MAX_ERROR, 511);

FIXTURE(ioctls) {
	int ctl;
	struct pair pair;
	long page;
	unsigned char *memory;	/* one page, and none after it */
};

/* The one case of all selects here, which is always possible. */
static struct chan_case possible;

FIXTURE_SETUP(ioctls)
{
	self->ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->ctl);
	make_pair(_metadata, &self->pair, 2, 0);
	self->page = sysconf(_SC_PAGESIZE);
	self->memory = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	ASSERT_EQ(0, mprotect(self->memory + self->page, self->page, PROT_NONE));
	possible = (struct chan_case){ .op = CHAN_POLL, .events = POLLIN };
	possible.fd = eventfd(1, EFD_CLOEXEC);
	ASSERT_LE(0, possible.fd);
}

FIXTURE_TEARDOWN(ioctls)
{
	close_pair(&self->pair);
	close(self->ctl);
}

static unsigned long sized(unsigned long request, size_t size)
{
	return _IOC(_IOC_DIR(request), _IOC_TYPE(request), _IOC_NR(request), size);
}

/* --- Sizes --- */

/*
 * Every ioctl with its structure too short, exact, longer and clean, longer
 * and dirty. @fill makes what a working call needs, @undo takes it back.
 */
struct call {
	unsigned long request;
	size_t size;
	bool on_channel;
	bool admin;
	void (*fill)(void *arg);
	void (*undo)(void *arg);
};

static void fill_nothing(void *arg)
{
	(void)arg;
}

static void undo_create(void *arg)
{
	struct chan_create *create = arg;

	close(create->send_fd);
	close(create->recv_fd);
}

static void fill_dev(void *arg)
{
	memcpy(arg, "test-length", 12);
}

static void fill_dev_remove(void *arg)
{
	struct chan_dev_add add = { .mode = 0600 };

	fill_dev(&add);
	device_ioctl(CHAN_IOC_DEV_ADD, &add);
	fill_dev(arg);
}

static void undo_dev(void *arg)
{
	struct chan_dev_remove remove = { .flags = 0 };

	(void)arg;
	fill_dev(&remove);
	device_ioctl(CHAN_IOC_DEV_REMOVE, &remove);
}

static void fill_select(void *arg)
{
	struct chan_select *select = arg;

	select->cases = (uintptr_t)&possible;
	select->ncases = 1;
	select->case_size = sizeof(possible);
	possible.events = POLLIN;
}

/* A child in a group of its own, as long as the scope is to be bound to it. */
static pid_t bound;

static void fill_bind(void *arg)
{
	struct chan_scope_bind *bind = arg;

	bound = fork_child();
	if (!bound) {
		pause();
		_exit(0);
	}
	setpgid(bound, bound);
	bind->pgid = bound;
}

static void undo_bind(void *arg)
{
	(void)arg;
	if (bound > 0 && !kill(bound, SIGKILL))
		waitpid(bound, NULL, 0);
	bound = 0;
}

/* An adopted channel goes with its device. */
static int adopted = -1;

static void fill_adopt(void *arg)
{
	struct chan_dev_add add = { .mode = 0600 };
	struct chan_adopt *adopt = arg;

	fill_dev(&add);
	device_ioctl(CHAN_IOC_DEV_ADD, &add);
	adopted = open("/dev/chan-test-length", O_RDWR | O_CLOEXEC);
	adopt->fd = adopted;
}

static void undo_adopt(void *arg)
{
	undo_dev(arg);
	if (adopted >= 0)
		close(adopted);
	adopted = -1;
}

/* What a call that failed has not taken away. */
static void undo_failed(void)
{
	undo_bind(NULL);
	undo_adopt(NULL);
}

/* The scope is cancelled last. */
static const struct call calls[] = {
	{ CHAN_IOC_VERSION, sizeof(struct chan_version), false, false,
	  fill_nothing, fill_nothing },
	{ CHAN_IOC_VERSION, sizeof(struct chan_version), true, false,
	  fill_nothing, fill_nothing },
	{ CHAN_IOC_CREATE, sizeof(struct chan_create), false, false,
	  fill_nothing, undo_create },
	{ CHAN_IOC_CLOSE, sizeof(struct chan_close), true, false,
	  fill_nothing, fill_nothing },
	{ CHAN_IOC_INFO, sizeof(struct chan_info), true, false,
	  fill_nothing, fill_nothing },
	{ CHAN_IOC_DEV_ADD, sizeof(struct chan_dev_add), false, true,
	  fill_dev, undo_dev },
	{ CHAN_IOC_DEV_REMOVE, sizeof(struct chan_dev_remove), false, true,
	  fill_dev_remove, undo_dev },
	{ CHAN_IOC_SELECT, sizeof(struct chan_select), false, false,
	  fill_select, fill_nothing },
	{ CHAN_IOC_SELECT, sizeof(struct chan_select), true, false,
	  fill_select, fill_nothing },
	{ CHAN_IOC_SCOPE_BIND, sizeof(struct chan_scope_bind), false, false,
	  fill_bind, undo_bind },
	{ CHAN_IOC_SCOPE_SET, sizeof(struct chan_scope_set), false, false,
	  fill_nothing, fill_nothing },
	{ CHAN_IOC_SCOPE_WAIT, sizeof(struct chan_scope_wait), false, false,
	  fill_nothing, fill_nothing },
	{ CHAN_IOC_SCOPE_INFO, sizeof(struct chan_scope_info), false, false,
	  fill_nothing, fill_nothing },
	{ CHAN_IOC_ADOPT, sizeof(struct chan_adopt), false, true,
	  fill_adopt, undo_adopt },
	{ CHAN_IOC_SCOPE_CANCEL, sizeof(struct chan_scope_cancel), false, false,
	  fill_nothing, fill_nothing },
};

#define for_each_call(call)							\
	for (call = calls; call < calls + ARRAY_SIZE(calls); call++)		\
		if (!call->admin || is_root())

static int file_for(const struct call *call, int ctl, struct pair *pair)
{
	return call->on_channel ? pair->send : ctl;
}

static long call_sized(const struct call *call, int fd, void *arg, size_t size)
{
	long ret;

	call->fill(arg);
	ret = do_ioctl(fd, sized(call->request, size), arg);
	if (!ret)
		call->undo(arg);
	else
		undo_failed();
	return ret;
}

TEST_F(ioctls, one_byte_short)
{
	const struct call *call;
	unsigned char arg[128];

	for_each_call(call) {
		memset(arg, 0, sizeof(arg));
		EXPECT_EQ(-EINVAL, call_sized(call, file_for(call, self->ctl, &self->pair),
					      arg, call->size - 1))
			TH_LOG("request %#lx", call->request);
		memset(arg, 0, sizeof(arg));
		EXPECT_EQ(-EINVAL, call_sized(call, file_for(call, self->ctl, &self->pair),
					      arg, 0));
	}
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.send).state);
}

TEST_F(ioctls, exact_up_to_the_edge_of_memory)
{
	const struct call *call;
	unsigned char *arg;

	for_each_call(call) {
		arg = self->memory + self->page - call->size;
		memset(arg, 0, call->size);
		EXPECT_EQ(0, call_sized(call, file_for(call, self->ctl, &self->pair),
					arg, call->size))
			TH_LOG("request %#lx", call->request);
	}
}

TEST_F(ioctls, longer_and_clean)
{
	static const size_t more[] = { 1, 8, 100, 4000 };
	const struct call *call;
	size_t i;

	for_each_call(call) {
		for (i = 0; i < ARRAY_SIZE(more); i++) {
			memset(self->memory, 0, self->page);
			EXPECT_EQ(0, call_sized(call, file_for(call, self->ctl, &self->pair),
						self->memory, call->size + more[i]))
				TH_LOG("request %#lx + %zu", call->request, more[i]);
			EXPECT_TRUE(all_bytes(self->memory + call->size, more[i], 0));
		}
	}
}

TEST_F(ioctls, longer_and_dirty)
{
	static const size_t more[] = { 1, 8, 100, 4000 };
	const struct call *call;
	int fds = count_fds();
	size_t i;

	for_each_call(call) {
		for (i = 0; i < ARRAY_SIZE(more); i++) {
			memset(self->memory, 0, self->page);
			self->memory[call->size + more[i] - 1] = 1;
			EXPECT_EQ(-E2BIG,
				  call_sized(call, file_for(call, self->ctl, &self->pair),
					     self->memory, call->size + more[i]))
				TH_LOG("request %#lx + %zu", call->request, more[i]);
		}
	}
	EXPECT_EQ(fds, count_fds());
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.send).state);
}

TEST_F(ioctls, longer_than_the_memory)
{
	const struct call *call;
	unsigned char *arg;
	int fds = count_fds();

	for_each_call(call) {
		arg = self->memory + self->page - call->size;
		memset(arg, 0, call->size);
		EXPECT_EQ(-EFAULT, call_sized(call, file_for(call, self->ctl, &self->pair),
					      arg, call->size + 1))
			TH_LOG("request %#lx", call->request);
	}
	EXPECT_EQ(fds, count_fds());
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.send).state);
}

TEST_F(ioctls, longer_than_a_page)
{
	size_t most = (1 << _IOC_SIZEBITS) - 1;
	const struct call *call;
	void *arg = calloc(1, most);

	ASSERT_NE(NULL, arg);
	for_each_call(call) {
		memset(arg, 0, most);
		EXPECT_EQ(0, call_sized(call, file_for(call, self->ctl, &self->pair), arg, most))
			TH_LOG("request %#lx", call->request);
	}
	free(arg);
}

/* --- Bad pointers --- */

TEST_F(ioctls, bad_pointers)
{
	const struct call *call;
	int fds = count_fds(), fd;

	for_each_call(call) {
		fd = file_for(call, self->ctl, &self->pair);
		EXPECT_EQ(-EFAULT, do_ioctl(fd, call->request, NULL));
		EXPECT_EQ(-EFAULT, do_ioctl(fd, call->request, (void *)-4096L));
		EXPECT_EQ(-EFAULT, do_ioctl(fd, call->request, self->memory + self->page - 4));
	}
	EXPECT_EQ(fds, count_fds());
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.send).state);
}

TEST_F(ioctls, results_that_cannot_be_written)
{
	int fds = count_fds(), i;

	memset(self->memory, 0, self->page);
	ASSERT_EQ(0, mprotect(self->memory, self->page, PROT_READ));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(-EFAULT, do_ioctl(self->ctl, CHAN_IOC_CREATE, self->memory));
	EXPECT_EQ(fds, count_fds());
	EXPECT_EQ(-EFAULT, do_ioctl(self->pair.send, CHAN_IOC_INFO, self->memory));
	EXPECT_EQ(-EFAULT, do_ioctl(self->pair.send, CHAN_IOC_VERSION, self->memory));
	EXPECT_EQ(-EFAULT, do_ioctl(self->ctl, CHAN_IOC_SCOPE_INFO, self->memory));
	EXPECT_EQ(-EFAULT, do_ioctl(self->ctl, CHAN_IOC_SCOPE_WAIT, self->memory));
	/* This one has no results. */
	EXPECT_EQ(0, do_ioctl(self->pair.send, CHAN_IOC_CLOSE, self->memory));
	EXPECT_EQ(CHAN_STATE_CLOSED, info(self->pair.send).state);
	ASSERT_EQ(0, mprotect(self->memory, self->page, PROT_READ | PROT_WRITE));
	fill_select(self->memory);
	ASSERT_EQ(0, mprotect(self->memory, self->page, PROT_READ));
	EXPECT_EQ(-EFAULT, do_ioctl(self->pair.send, CHAN_IOC_SELECT, self->memory));
}

/* --- Values --- */

TEST_F(ioctls, version)
{
	struct chan_version version = { .version = 77, .features = ~0ULL };

	ASSERT_EQ(0, do_ioctl(self->ctl, CHAN_IOC_VERSION, &version));
	EXPECT_EQ(CHAN_VERSION, version.version);
	EXPECT_EQ(0, version.reserved);
	EXPECT_EQ(CHAN_FEATURE_DEV, version.features & CHAN_FEATURE_DEV);
	EXPECT_EQ(CHAN_FEATURE_SELECT, version.features & CHAN_FEATURE_SELECT);
	EXPECT_EQ(CHAN_FEATURE_SCOPE, version.features & CHAN_FEATURE_SCOPE);
	EXPECT_NE(~0ULL, version.features);
	version.version = 0;
	ASSERT_EQ(0, do_ioctl(self->pair.send, CHAN_IOC_VERSION, &version));
	EXPECT_EQ(CHAN_VERSION, version.version);
	version.version = 0;
	ASSERT_EQ(0, do_ioctl(self->pair.recv, CHAN_IOC_VERSION, &version));
	EXPECT_EQ(CHAN_VERSION, version.version);
	version.reserved = 1;
	EXPECT_EQ(-EINVAL, do_ioctl(self->ctl, CHAN_IOC_VERSION, &version));
}

TEST_F(ioctls, create_flags_and_reserved)
{
	struct chan_create arg;
	int fds = count_fds(), bit;

	for (bit = 1; bit < 32; bit++) {
		arg = (struct chan_create){ .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, create(self->ctl, &arg));
		arg = (struct chan_create){ .flags = CHAN_CREATE_NONBLOCK | 1U << bit };
		EXPECT_EQ(-EINVAL, create(self->ctl, &arg));
	}
	for (bit = 0; bit < 32; bit++) {
		arg = (struct chan_create){ .reserved = 1U << bit };
		EXPECT_EQ(-EINVAL, create(self->ctl, &arg));
	}
	EXPECT_EQ(fds, count_fds());
	/* What comes out is not looked at on the way in. */
	arg = (struct chan_create){ .send_fd = -77, .recv_fd = 12345 };
	EXPECT_EQ(0, create(self->ctl, &arg));
	EXPECT_EQ(fds + 2, count_fds());
}

TEST_F(ioctls, create_bounds)
{
	struct chan_create arg;
	int fds = count_fds();

	arg = (struct chan_create){ .capacity = CHAN_MAX_CAPACITY + 1 };
	EXPECT_EQ(-EINVAL, create(self->ctl, &arg));
	arg = (struct chan_create){ .capacity = ~0U };
	EXPECT_EQ(-EINVAL, create(self->ctl, &arg));
	arg = (struct chan_create){ .max_msg = CHAN_MAX_MSG + 1 };
	EXPECT_EQ(-EINVAL, create(self->ctl, &arg));
	arg = (struct chan_create){ .max_msg = ~0U };
	EXPECT_EQ(-EINVAL, create(self->ctl, &arg));
	EXPECT_EQ(fds, count_fds());
}

TEST_F(ioctls, close_flags)
{
	struct chan_close arg;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		arg = (struct chan_close){ .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, do_ioctl(self->pair.send, CHAN_IOC_CLOSE, &arg));
	}
	EXPECT_EQ(CHAN_STATE_OPEN, info(self->pair.send).state);
}

TEST_F(ioctls, info_does_not_look_at_what_comes_out)
{
	struct chan_info one, other;

	memset(&one, 0, sizeof(one));
	memset(&other, 0xff, sizeof(other));
	EXPECT_EQ(0, do_ioctl(self->pair.send, CHAN_IOC_INFO, &one));
	EXPECT_EQ(0, do_ioctl(self->pair.send, CHAN_IOC_INFO, &other));
	EXPECT_EQ(0, memcmp(&one, &other, sizeof(one)));
}

TEST_F(ioctls, device_flags)
{
	struct chan_dev_remove rm;
	struct chan_dev_add add;
	int bit;

	if (!is_root())
		SKIP(return, "adding a device takes CAP_SYS_ADMIN");
	for (bit = 0; bit < 32; bit++) {
		add = (struct chan_dev_add){ .name = "test-flags", .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, do_ioctl(self->ctl, CHAN_IOC_DEV_ADD, &add));
	}
	add.flags = 0;
	ASSERT_EQ(0, do_ioctl(self->ctl, CHAN_IOC_DEV_ADD, &add));
	for (bit = 0; bit < 32; bit++) {
		rm = (struct chan_dev_remove){ .name = "test-flags", .flags = 1U << bit };
		EXPECT_EQ(-EINVAL, do_ioctl(self->ctl, CHAN_IOC_DEV_REMOVE, &rm));
	}
	rm.flags = 0;
	EXPECT_EQ(0, do_ioctl(self->ctl, CHAN_IOC_DEV_REMOVE, &rm));
}

/* --- Unknown ioctls, wrong files --- */

TEST_F(ioctls, unknown)
{
	unsigned char arg[64] = { 0 };
	int nr;

	/* What is below is for ioctls to come. */
	for (nr = 0x80; nr < 0x100; nr++) {
		EXPECT_EQ(-ENOTTY, do_ioctl(self->ctl, _IOWR(CHAN_IOC_MAGIC, nr, arg), arg));
		EXPECT_EQ(-ENOTTY, do_ioctl(self->pair.send,
					    _IOWR(CHAN_IOC_MAGIC, nr, arg), arg));
	}
	EXPECT_EQ(-ENOTTY, do_ioctl(self->ctl, _IOWR(CHAN_IOC_MAGIC + 1, 0, arg), arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->pair.recv, _IOWR(CHAN_IOC_MAGIC - 1, 3, arg), arg));
	/* Bits of another type do not make it ours. */
	EXPECT_EQ(-ENOTTY, do_ioctl(self->pair.send, TIOCGWINSZ, arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->pair.send, 0, arg));
	/* An unknown one is that, with a bad pointer too. */
	EXPECT_EQ(-ENOTTY, do_ioctl(self->ctl, _IOWR(CHAN_IOC_MAGIC, 0xff, arg), NULL));
}

TEST_F(ioctls, wrong_kind_of_file)
{
	struct chan_create create_arg = { .capacity = 0 };
	struct chan_dev_add add = { .name = "test-wrong", .mode = 0600 };
	struct chan_dev_remove rm = { .name = "test-wrong" };
	struct chan_close close_arg = { .error = 0 };
	struct chan_select select_arg = { .flags = 0 };
	struct chan_info info_arg;
	int named = open("/dev/chan0", O_RDWR | O_CLOEXEC);
	int file[] = { self->pair.send, self->pair.recv, named };
	int i;

	EXPECT_EQ(-ENOTTY, do_ioctl(self->ctl, CHAN_IOC_INFO, &info_arg));
	EXPECT_EQ(-ENOTTY, do_ioctl(self->ctl, CHAN_IOC_CLOSE, &close_arg));
	/* A select goes with every kind there is, and with no other file. */
	fill_select(&select_arg);
	EXPECT_EQ(-ENOTTY, do_ioctl(possible.fd, CHAN_IOC_SELECT, &select_arg));
	EXPECT_EQ(0, do_ioctl(self->ctl, CHAN_IOC_SELECT, &select_arg));
	for (i = 0; i < 3; i++) {
		if (file[i] < 0)
			continue;
		EXPECT_EQ(-ENOTTY, do_ioctl(file[i], CHAN_IOC_CREATE, &create_arg));
		EXPECT_EQ(-ENOTTY, do_ioctl(file[i], CHAN_IOC_DEV_ADD, &add));
		EXPECT_EQ(-ENOTTY, do_ioctl(file[i], CHAN_IOC_DEV_REMOVE, &rm));
		EXPECT_EQ(0, do_ioctl(file[i], CHAN_IOC_SELECT, &select_arg));
	}
	close(named);
}

TEST_F(ioctls, the_control_file_carries_no_messages)
{
	char byte = 0;

	EXPECT_GT(0, do_read(self->ctl, &byte, 1));
	EXPECT_GT(0, do_write(self->ctl, &byte, 1));
}

/* CREATE needs no right but to open the file, whatever the direction. */
TEST(create_on_a_file_open_for_reading)
{
	struct chan_create arg = { .capacity = 0 };
	int ctl = open(CONTROL, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, ctl);
	EXPECT_EQ(0, create(ctl, &arg));
}

TEST_HARNESS_MAIN
