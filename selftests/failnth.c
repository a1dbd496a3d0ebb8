// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation that can fail, failing in turn: ENOMEM, nothing changed, and
 * nothing left behind. Takes a kernel with fault injection.
 */
#include <sys/eventfd.h>

#include "scope_test.h"

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

static long configure(const char *fault, const char *knob, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "%s/%s", fault, knob);
	return write_text(path, value);
}

/* This thread's, with all failures possible; -1 if the kernel cannot do it. */
static int open_fail_nth(void)
{
	/* Allocations that may sleep are the ones that matter here. */
	configure("failslab", "ignore-gfp-wait", "N");
	configure("fail_page_alloc", "ignore-gfp-wait", "N");
	configure("fail_page_alloc", "ignore-gfp-highmem", "N");
	configure("fail_page_alloc", "min-order", "0");
	if (access(DEBUGFS "failslab", F_OK))
		return -1;
	return open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

FIXTURE_SETUP(failnth)
{
	self->nth_fd = open_fail_nth();
	if (self->nth_fd < 0)
		SKIP(return, "no fault injection in this kernel");
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

/* That nothing is possible is what is expected here. */
static long find_nothing(int file, struct chan_case *cases, __u32 ncases)
{
	long ret = try_select(file, cases, ncases);

	return ret == -EAGAIN ? 0 : ret;
}

/* Up to eight cases, four of which send: memory cannot run out. */
TEST_F(failnth, a_select_of_few_cases_needs_no_memory)
{
	struct pair pair[4];
	struct chan_case cases[8];
	char room[ROOM];
	long ret;
	int i;

	for (i = 0; i < 4; i++) {
		make_pair(_metadata, &pair[i], 0, 0);
		cases[i] = case_send(pair[i].send, self->data, 128);
		cases[4 + i] = case_recv(pair[i].recv, room, sizeof(room));
	}
	for_each_failure(find_nothing(self->ctl, cases, 8), ret, {
		/* What is left to fail is the copying. */
		if (ret)
			EXPECT_EQ(-EFAULT, ret);
		EXPECT_TRUE(parked_are(pair[0].send, 0, 0));
	});
	for (i = 0; i < 4; i++)
		close_pair(&pair[i]);
}

/* A case that sends what is too long for the stack, among more than a few. */
static void select_failing(struct __test_metadata *_metadata, FIXTURE_DATA(failnth) * self,
			   __u32 ncases)
{
	static unsigned char back[3000];
	struct chan_case cases[100];
	__u64 sent = 0;
	long ret;
	int i;

	for (i = 0; i < 100; i++)
		cases[i] = case_recv(self->recv, back, sizeof(back));
	fill(self->data, sizeof(back), 1);
	cases[ncases - 1] = case_send(self->send, self->data, sizeof(back));
	for_each_failure(try_select(self->ctl, cases, ncases), ret, {
		if (ret < 0) {
			EXPECT_TRUE(out_of_memory(ret));
			EXPECT_EQ(0, info(self->send).buffered);
		} else {
			sent++;
			EXPECT_EQ(ncases - 1, ret);
			EXPECT_EQ((long)sizeof(back), try_read(self->recv, back, sizeof(back)));
			EXPECT_TRUE(filled(back, sizeof(back), 1));
		}
		EXPECT_EQ(sent, info(self->send).sent);
		EXPECT_TRUE(parked_are(self->send, 0, 0));
	});
}

TEST_F(failnth, select_among_few)
{
	select_failing(_metadata, self, 2);
}

TEST_F(failnth, select_among_some)
{
	select_failing(_metadata, self, 20);
}

TEST_F(failnth, select_among_many)
{
	select_failing(_metadata, self, 100);
}

/* Among files too, whose wait queues may take memory. */
TEST_F(failnth, select_with_files_from_a_parked_sender)
{
	struct chan_case cases[30];
	struct select_op *op;
	struct pair pair;
	int event = eventfd(0, EFD_CLOEXEC), i;
	long ret;

	make_pair(_metadata, &pair, 0, 0);
	for (i = 0; i < 29; i++)
		cases[i] = case_poll(event, POLLIN);
	cases[29] = case_recv(pair.recv, self->data, sizeof(self->data));
	op = new_select(_metadata, self->ctl, 1, ROOM);
	add_text(op, pair.send, "text");
	park_select(_metadata, op, 0);
	for_each_failure(do_select(self->ctl, cases, 30, in_ms(50)), ret, {
		if (ret < 0) {
			EXPECT_TRUE(out_of_memory(ret));
			EXPECT_TRUE(parked_are(pair.send, 1, 0));
		} else {
			EXPECT_EQ(29, ret);
			EXPECT_TRUE(chose(op, 0, 0));
			op = new_select(_metadata, self->ctl, 1, ROOM);
			add_text(op, pair.send, "text");
			park_select(_metadata, op, 0);
		}
	});
	cancel_select(op);
	close_pair(&pair);
	close(event);
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

/* --- Scopes --- */

/* As it was when it was opened. */
static bool untouched(int ctl)
{
	struct chan_scope_info now = scope_info(ctl);

	return now.state == CHAN_SCOPE_UNBOUND && !now.pgid && !now.cause && !now.members &&
	       !now.channels;
}

static int another_scope(struct __test_metadata *_metadata, int ctl)
{
	close(ctl);
	return open_scope(_metadata);
}

/* A short message is kept beside its sender until it is to wait in line. */
TEST_F(failnth, select_sends_into_a_buffer)
{
	struct chan_case cases[2] = { case_disabled(), case_disabled() };
	struct pair pair;
	__u32 buffered = 0;
	long ret;

	make_pair(_metadata, &pair, 100, 0);
	cases[0] = case_text(pair.send, "text");
	for_each_failure(do_select(self->ctl, cases, 2, in_ms(50)), ret, {
		EXPECT_TRUE(!ret || out_of_memory(ret));
		buffered += !ret;
		EXPECT_EQ(buffered, info(pair.send).buffered);
	});
	close_pair(&pair);
}

/* The select of the test above, where it has to wait. */
static long select_in_vain(int ctl, int send)
{
	struct chan_case cases[2] = { case_text(send, "text"), case_disabled() };
	long ret = do_select(ctl, cases, 2, in_ms(20));

	return ret == -ETIMEDOUT ? 0 : ret;
}

TEST_F(failnth, select_waits_for_a_place_in_a_buffer)
{
	struct pair pair;
	long ret;

	make_pair(_metadata, &pair, 1, 0);
	ASSERT_EQ(1, put(pair.send, "x"));
	for_each_failure(select_in_vain(self->ctl, pair.send), ret, {
		EXPECT_TRUE(!ret || out_of_memory(ret));
		EXPECT_TRUE(parked_are(pair.send, 0, 0));
		EXPECT_EQ(1, info(pair.send).buffered);
	});
	close_pair(&pair);
}

TEST_F(failnth, bind_a_scope)
{
	struct actor member = start_actor(_metadata, NEW_GROUP, keep_none);
	int ctl = open_scope(_metadata);
	long ret;

	for_each_failure(bind_scope(ctl, member.pid), ret, {
		if (ret) {
			EXPECT_TRUE(out_of_memory(ret));
			EXPECT_TRUE(untouched(ctl));
		} else {
			EXPECT_EQ(member.pid, scope_info(ctl).pgid);
			EXPECT_EQ(1, scope_info(ctl).members);
			kill_actor(&member);
			EXPECT_EQ(0, wait_empty(ctl));
			ctl = another_scope(_metadata, ctl);
			member = start_actor(_metadata, NEW_GROUP, keep_none);
		}
	});
	kill_actor(&member);
	close(ctl);
}

static bool is_canceled(int ctl)
{
	return scope_info(ctl).state == CHAN_SCOPE_CANCELED;
}

/* To a deadline that has passed: that it was set cannot be missed. */
TEST_F(failnth, set_a_scope)
{
	int ctl = open_scope(_metadata);
	long ret;

	for_each_failure(set_scope(ctl, 1, 0, SIGTERM, CHAN_SCOPE_DETECT_DEADLOCK), ret, {
		if (ret) {
			EXPECT_TRUE(out_of_memory(ret));
			nap();
			EXPECT_TRUE(untouched(ctl));
		} else {
			EXPECT_TRUE(wait_until(is_canceled(ctl)));
			ctl = another_scope(_metadata, ctl);
		}
	});
	close(ctl);
}

/* A scope with a member that is parked, and one inside. */
struct family {
	int ctl;
	int inner;
	struct pair pair;
	struct actor member;
};

static void make_family(struct __test_metadata *_metadata, struct family *family)
{
	int ctl = open_scope(_metadata);

	family->ctl = ctl;
	ASSERT_EQ(0, set_scope(ctl, 0, CHAN_SCOPE_GRACE_NEVER, 0, 0));
	family->pair = pair_on(_metadata, ctl, 0);
	family->member = start_actor(_metadata, NEW_GROUP, keep(family->pair.recv));
	ASSERT_EQ(0, bind_scope(ctl, family->member.pid));
	family->inner = take(&family->member, open_scope_as(&family->member));
	start_read_as(&family->member, family->pair.recv);
	ASSERT_TRUE(wait_parked(family->pair.recv, 0, 1));
}

static void part_family(struct family *family)
{
	kill_actor(&family->member);
	close_pair(&family->pair);
	close(family->inner);
	close(family->ctl);
}

TEST_F(failnth, cancel_a_scope)
{
	struct family family;
	long ret;

	make_family(_metadata, &family);
	for_each_failure(cancel_scope(family.ctl, EIO), ret, {
		if (ret) {
			EXPECT_TRUE(out_of_memory(ret));
			EXPECT_EQ(CHAN_SCOPE_BOUND, scope_info(family.ctl).state);
			EXPECT_TRUE(untouched(family.inner));
			EXPECT_TRUE(parked_are(family.pair.recv, 0, 1));
		} else {
			EXPECT_EQ(-ECANCELED, finish_as(&family.member));
			EXPECT_EQ(EIO, scope_info(family.ctl).cause);
			EXPECT_EQ(EIO, scope_info(family.inner).cause);
			part_family(&family);
			make_family(_metadata, &family);
		}
	});
	part_family(&family);
}

/* That members are left is what is expected here. */
static long wait_in_vain(int ctl, __u64 deadline)
{
	long ret = wait_scope(ctl, deadline, NULL);

	return ret == -EAGAIN || ret == -ETIMEDOUT ? 0 : ret;
}

TEST_F(failnth, wait_for_a_scope)
{
	struct family family;
	long ret;

	make_family(_metadata, &family);
	for_each_failure(wait_in_vain(family.ctl, 0), ret, {
		EXPECT_TRUE(!ret || out_of_memory(ret));
	});
	for_each_failure(wait_in_vain(family.ctl, in_ms(20)), ret, {
		EXPECT_TRUE(!ret || out_of_memory(ret));
	});
	kill_actor(&family.member);
	for_each_failure(wait_scope(family.ctl, FOREVER, NULL), ret, {
		EXPECT_TRUE(!ret || out_of_memory(ret));
	});
	EXPECT_EQ(0, scope_info(family.ctl).cause);
	part_family(&family);
}

static long ask_about(int ctl)
{
	struct chan_scope_info info;

	return do_ioctl(ctl, CHAN_IOC_SCOPE_INFO, &info);
}

TEST_F(failnth, look_at_a_scope)
{
	struct family family;
	long ret;

	make_family(_metadata, &family);
	for_each_failure(ask_about(family.ctl), ret, {
		EXPECT_TRUE(!ret || out_of_memory(ret));
	});
	part_family(&family);
}

TEST_F(failnth, adopt_a_channel)
{
	int ctl = open_scope(_metadata), fd;
	struct device dev;
	long ret;

	ASSERT_EQ(0, device_add(&dev, 1, 0, 0600));
	fd = device_open(&dev, O_RDWR);
	for_each_failure(adopt(ctl, fd), ret, {
		EXPECT_EQ(!ret, scope_info(ctl).channels);
		EXPECT_EQ(1, put(fd, "x"));
		EXPECT_TRUE(got(fd, "x"));
		if (ret) {
			EXPECT_TRUE(out_of_memory(ret));
		} else {
			/* It is new when nobody has it, nor a scope. */
			ctl = another_scope(_metadata, ctl);
			close(fd);
			fd = device_open(&dev, O_RDWR);
		}
	});
	close(fd);
	close(ctl);
	EXPECT_EQ(0, device_remove(&dev));
}

/* --- Loading the module --- */

/* Whoever loads and unloads a module mostly waits for others to be done with RCU. */
#define RCU_HURRY	"/sys/kernel/rcu_expedited"

FIXTURE(loading) {
	int nth_fd;
	int module;
	char hurry[8];	/* as it was */
};

/* As unload.sh finds it. */
static int open_module(void)
{
	const char *path = getenv("CHAN_MODULE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	return fd < 0 ? open("/run/chan/chan.ko", O_RDONLY | O_CLOEXEC) : fd;
}

/* Where a function of the kernel begins and ends; false if not just one has the name. */
static bool find_function(const char *name, unsigned long *start, unsigned long *end)
{
	unsigned long address;
	char line[256], symbol[129];
	FILE *symbols = fopen("/proc/kallsyms", "re");
	int found = 0;

	if (!symbols)
		return false;
	*end = ULONG_MAX;
	/* They stand in no order that can be relied on: once for each. */
	for (int pass = 0; pass < 2; pass++) {
		rewind(symbols);
		while (fgets(line, sizeof(line), symbols)) {
			if (sscanf(line, "%lx %*c %128s", &address, symbol) != 2)
				continue;
			if (pass && address > *start && address < *end)
				*end = address;
			if (pass || strcmp(symbol, name))
				continue;
			*start = address;
			found++;
		}
	}
	fclose(symbols);
	return found == 1 && *end != ULONG_MAX;
}

/*
 * The kernel's tracing warns of each allocation that fails while the directory of
 * a module's event is made, and miscounts what has become of it when the module
 * goes (event_define_fields() in event_create_dir() of 6.12). Nothing of this
 * module runs in there.
 */
static bool spare_the_tracer(void)
{
	static const char *const faults[] = { "failslab", "fail_page_alloc" };
	unsigned long start = 0, end;
	char text[32];

	if (!find_function("event_create_dir", &start, &end))
		return false;
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "0x%lx", end);
		if (configure(faults[i], "reject-end", text))
			return false;
		snprintf(text, sizeof(text), "0x%lx", start);
		if (configure(faults[i], "reject-start", text))
			return false;
	}
	return true;
}

static long load_with(int module, const char *parameters)
{
	return result(syscall(SYS_finit_module, module, parameters, 0));
}

static long load(int module)
{
	return load_with(module, "channels=2");
}

static long unload(void)
{
	return result(syscall(SYS_delete_module, "chan", O_NONBLOCK));
}

static bool half_there(void)
{
	return !access(CONTROL, F_OK) || !access("/dev/chan0", F_OK) ||
	       !access("/sys/class/chan", F_OK) || !access("/sys/kernel/debug/chan", F_OK);
}

FIXTURE_SETUP(loading)
{
	self->nth_fd = open_fail_nth();
	self->module = open_module();
	if (self->nth_fd < 0)
		SKIP(return, "no fault injection in this kernel");
	ASSERT_LE(0, self->module)
		TH_LOG("where is chan.ko? Set CHAN_MODULE");
	ASSERT_TRUE(spare_the_tracer())
		TH_LOG("this takes CONFIG_FAULT_INJECTION_STACKTRACE_FILTER and kallsyms");
	ASSERT_EQ(0, unload())
		TH_LOG("somebody uses the module");
	read_text(RCU_HURRY, self->hurry, sizeof(self->hurry));
	write_text(RCU_HURRY, "1");
}

/* As it was found, also if the test was given up: all the others need it. */
FIXTURE_TEARDOWN_PARENT(loading)
{
	int module = open_module();

	if (*self->hurry)
		write_text(RCU_HURRY, self->hurry);
	if (access(CONTROL, F_OK))
		load(module);
	close(module);
}

/*
 * How many failures are possible until it is loaded, or refused, as the number that
 * was not used up tells.
 */
static int failures_of_load(int nth_fd, int module, const char *parameters)
{
	const int many = 1000000;
	char text[16] = "";

	fail_nth(nth_fd, many);
	if (!load_with(module, parameters))
		unload();
	if (pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	fail_nth(nth_fd, 0);
	return many - atoi(text);
}

/* What the module has allocated when it comes to look at its parameters, and more. */
#define BEFORE_PARAMETERS	70
/*
 * Caches of the allocator that have run dry, after other suites say, take pages that
 * may fail, too: a number is that of several loads.
 */
#define LOADS_COUNTED		4

/* Where the module's own begin, at the latest; and how many there are in all. */
static void count_failures(int nth_fd, int module, int *first, int *most)
{
	int i, refused, loaded;

	*first = INT_MAX;
	*most = 0;
	for (i = 0; i < LOADS_COUNTED; i++) {
		refused = failures_of_load(nth_fd, module, "channels=4000000000");
		loaded = failures_of_load(nth_fd, module, "channels=2");
		if (refused - BEFORE_PARAMETERS < *first)
			*first = refused - BEFORE_PARAMETERS;
		if (loaded > *most)
			*most = loaded;
	}
}

/*
 * Most of what can fail is the kernel's own loader, and that comes first. Short,
 * the test takes one in so many of those.
 */
TEST_F_TIMEOUT(loading, fails, 1500)
{
	int most, first, nth, step, in_vain = 0, of_module = 0;
	int nth_fd = self->nth_fd, module = self->module;
	long ret;

	count_failures(nth_fd, module, &first, &most);
	ASSERT_LT(0, first);
	ASSERT_LT(first + BEFORE_PARAMETERS, most);

	for (nth = 1; nth <= most; nth += step) {
		bool delivered;

		fail_nth(nth_fd, nth);
		ret = load(module);
		delivered = failed(nth_fd);
		if (ret) {
			in_vain++;
			of_module += nth >= first;
			EXPECT_TRUE(delivered);
			EXPECT_TRUE(out_of_memory(ret))
				TH_LOG("failure %d of %d: %ld", nth, most, ret);
			EXPECT_FALSE(half_there())
				TH_LOG("failure %d of %d left something", nth, most);
		} else {
			EXPECT_EQ(0, unload());
		}
		step = nth < first && !getenv("CHAN_PROOF") ? 13 : 1;
	}
	TH_LOG("%d failures possible, from %d on of the module", most, first);
	TH_LOG("with %d of those that were tried it does not load, of the module %d", in_vain,
	       of_module);
	/* Many more do no harm: what cannot be told to udev, say. */
	EXPECT_LT(60, of_module);
	EXPECT_EQ(0, load(module));
	EXPECT_TRUE(half_there());
}

TEST_HARNESS_MAIN
