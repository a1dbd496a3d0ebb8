// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees of scopes that grow and are cut down at random: is nothing left of any
 * of them, no process, no scope, no channel, no memory?
 *
 *	scope_stress				all of it
 *	scope_stress --self-test		only: does the audit notice what is left?
 *
 *	SCOPE_STRESS_SECONDS=N			how long
 *	SCOPE_STRESS_SEED=N			make the same choices as a run before
 *
 * Several gardeners work side by side. A gardener plants the owner of a scope,
 * which makes channels and members; some of these own a scope inside, and so on.
 * Members send, receive, park, sleep, fork, execute programs, leave their group,
 * or cancel the scope that they are in. Owners cancel, close, exit, or are
 * killed. Whose parent dies becomes the gardener's child, so when that has no
 * child any more the tree is gone; and nobody but the scopes sees to that.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include <linux/chan.h>

#include "stress_test.h"

#define GARDENERS		4
#define DEPTH			4	/* scopes inside one another */
#define MOST_CHANNELS		3	/* of one scope */
#define MOST_CHILDREN		5
#define MOST_PAIRS		(DEPTH * MOST_CHANNELS)
#define SECONDS			30
/* Instrumented kernels need more for the same trees. */
#define SECONDS_DEBUG		90
#define TROUBLES		10

/* What the kernel itself keeps for processes that have come and gone. */
#define SLACK_BYTES		(128 * 1024L)
#define SETTLE_MS		2000

/* Things that must have happened, or the test was none. */
enum event {
	SENT,
	RECEIVED,
	CANCELED,
	KEPT_OUT,
	DEADLOCKED,
	EVENTS
};

static const char * const event_names[] = {
	[SENT] = "sent",
	[RECEIVED] = "received",
	[CANCELED] = "cancelled",
	[KEPT_OUT] = "kept out",
	[DEADLOCKED] = "in a deadlock",
};

/* How an owner leaves its scope. */
enum ending {
	BY_CANCEL,
	BY_CLOSE,
	BY_EXIT,
	BY_KILL,
	BY_DEADLINE,
	BY_WAITING,
	ENDINGS
};

static const char * const ending_names[] = {
	[BY_CANCEL] = "cancelled",
	[BY_CLOSE] = "closed",
	[BY_EXIT] = "left by their owner",
	[BY_KILL] = "of a killed owner",
	[BY_DEADLINE] = "by their deadline",
	[BY_WAITING] = "waited for",
};

/* What INFO tells that scopes were cancelled with. */
static const int causes[] = { ECANCELED, EIO, ETIMEDOUT, EOWNERDEAD, EDEADLK };

#define CAUSES	(sizeof(causes) / sizeof(causes[0]))

static struct shared {
	atomic_bool stop;
	atomic_ullong trees;
	atomic_ullong scopes;
	atomic_ullong processes;
	atomic_ullong events[EVENTS];
	atomic_ullong endings[ENDINGS];
	atomic_ullong causes[CAUSES];
	atomic_uint troubles;
	char trouble[TROUBLES][160];
} *shared;

/* What a process of a tree knows; each has its own copy, by fork(). */
struct node {
	__u64 random;
	int depth;
	int ctl[DEPTH];		/* of the scopes around and its own, -1: has it not */
	struct pair {
		int send;
		int recv;
	} pair[MOST_PAIRS];
	int pairs;
	__u32 flags;		/* of its own scope */
	bool detects;		/* some scope looks for deadlocks */
	pid_t child;		/* one of those that were not waited for, or 0 */
	int gate[2];
};

/* --- Small things --- */

static __u32 draw(struct node *me, __u32 below)
{
	return draw_from(&me->random, below);
}

static bool one_in(struct node *me, __u32 n)
{
	return draw(me, n) == 0;
}

static long now_ms(void)
{
	return now_ns() / MS;
}

static void saw(enum event event)
{
	shared->events[event]++;
}

/* Something is wrong: it is noted, and no more trees are planted. */
static void __printf(1, 2) trouble(const char *format, ...)
{
	unsigned int n = shared->troubles++;
	va_list args;

	shared->stop = true;
	if (n >= TROUBLES)
		return;
	va_start(args, format);
	vsnprintf(shared->trouble[n], sizeof(shared->trouble[n]), format, args);
	va_end(args);
}

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static void on_signal(int sig)
{
	(void)sig;
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

/* --- Scopes --- */

static int scope_of(const struct node *me)
{
	return me->ctl[me->depth];
}

static void close_scope(struct node *me, int depth)
{
	if (me->ctl[depth] >= 0)
		close(me->ctl[depth]);
	me->ctl[depth] = -1;
}

static void close_scopes(struct node *me)
{
	int depth;

	for (depth = 0; depth < DEPTH; depth++)
		close_scope(me, depth);
}

static long cancel_scope(int ctl, __u32 error)
{
	struct chan_scope_cancel arg = { .error = error };

	return result(ioctl(ctl, CHAN_IOC_SCOPE_CANCEL, &arg));
}

static long wait_scope(int ctl, __u64 deadline)
{
	struct chan_scope_wait arg = { .deadline = deadline };
	long ret;

	do
		ret = result(ioctl(ctl, CHAN_IOC_SCOPE_WAIT, &arg));
	while (ret == -EINTR);
	if (!ret && arg.members)
		trouble("waiting found nobody, and %u members", arg.members);
	return ret;
}

static void count_cause(int ctl)
{
	struct chan_scope_info info;
	size_t i;

	if (ioctl(ctl, CHAN_IOC_SCOPE_INFO, &info)) {
		trouble("info: %s", strerror(errno));
		return;
	}
	if (info.state != CHAN_SCOPE_CANCELED)
		return;
	for (i = 0; i < CAUSES && info.cause != causes[i]; i++)
		;
	if (i == CAUSES)
		trouble("cancelled with %u", info.cause);
	else
		shared->causes[i]++;
}

/* Everybody can be killed at last, so the outermost always kills. */
static long set_scope(struct node *me, __u64 deadline)
{
	static const __u64 graces[] = { 0, 1, 20 * MS, 100 * MS, CHAN_SCOPE_GRACE_NEVER };
	struct chan_scope_set arg = {
		.deadline = deadline,
		.grace_ns = graces[draw(me, me->depth ? 5 : 4)],
		.signal = one_in(me, 2) ? SIGTERM : 0,
		.flags = me->flags,
	};

	return result(ioctl(scope_of(me), CHAN_IOC_SCOPE_SET, &arg));
}

static long make_channel(struct node *me)
{
	static const __u32 capacities[] = { 0, 0, 1, 8 };
	struct chan_create arg = { .capacity = capacities[draw(me, 4)] };

	if (me->pairs == MOST_PAIRS)
		return -EDQUOT;
	if (ioctl(scope_of(me), CHAN_IOC_CREATE, &arg))
		return -errno;
	me->pair[me->pairs++] = (struct pair){ arg.send_fd, arg.recv_fd };
	return 0;
}

/* --- Messages --- */

/* False when the channel is of no use any more. */
static bool judge(const struct node *me, long ret, enum event event)
{
	switch (ret) {
	case 1 ... 64:
		saw(event);
		return true;
	case -EAGAIN:
	case -EINTR:
	case -ETIMEDOUT:
		return true;
	case -ECANCELED:
		saw(CANCELED);
		return false;
	case -EDEADLK:
		saw(DEADLOCKED);
		if (!me->detects)
			trouble("a deadlock where none is looked for");
		return false;
	case -EPIPE:
	case 0:
		return false;
	}
	trouble("%s: %s", event_names[event], strerror(-ret));
	return false;
}

static long select_one(struct node *me, __u64 deadline)
{
	struct pair *pair = &me->pair[draw(me, me->pairs)];
	char text[64] = "a message", room[64];
	struct chan_case cases[] = {
		{ .fd = me->pair[draw(me, me->pairs)].send, .op = CHAN_SEND,
		  .buf = (uintptr_t)text, .len = 1 + draw(me, 64) },
		{ .fd = pair->recv, .op = CHAN_RECV,
		  .buf = (uintptr_t)room, .len = sizeof(room) },
	};
	struct chan_select arg = {
		.cases = (uintptr_t)cases, .ncases = 2, .case_size = sizeof(*cases),
		.deadline = deadline,
	};

	if (ioctl(pair->recv, CHAN_IOC_SELECT, &arg))
		return -errno;
	return cases[arg.index].status ?: (long)cases[arg.index].len;
}

static bool do_something(struct node *me)
{
	struct pair *pair = &me->pair[draw(me, me->pairs)];
	char text[64] = "a message";

	switch (draw(me, 6)) {
	case 0:
		return judge(me, result(read(pair->recv, text, sizeof(text))), RECEIVED);
	case 1:
		return judge(me, result(write(pair->send, text, 1 + draw(me, 64))), SENT);
	case 2:
		return judge(me, select_one(me, 0), SENT);
	case 3:
		return judge(me, select_one(me, now_ns() + draw(me, 20) * MS), SENT);
	case 4:
		return judge(me, select_one(me, CHAN_SELECT_FOREVER), SENT);
	}
	pause_us(draw(me, 3000));
	return true;
}

/* --- What members do --- */

static void work(struct node *me)
{
	int n = 20 + draw(me, 200);

	while (n-- && do_something(me))
		;
}

/* Until somebody sends what nobody may be there to send. */
static void park(struct node *me)
{
	char text[64];

	while (judge(me, result(read(me->pair[me->pairs - 1].recv, text, sizeof(text))), RECEIVED))
		;
}

static void ignore_and_sleep(struct node *me)
{
	if (one_in(me, 2))
		signal(SIGTERM, SIG_IGN);
	if (one_in(me, 4))
		raise(SIGSTOP);
	sleep_for_ever();
}

static void breed(struct node *me)
{
	int n = 3 + draw(me, 20);

	signal(SIGCHLD, SIG_IGN);
	while (n--) {
		pid_t pid = fork();

		if (!pid) {
			shared->processes++;
			me->random = mix(me->random + n);
			switch (n % 4) {
			case 0:
				execl("/bin/true", "true", NULL);
				break;
			case 1:
				execl("/bin/sleep", "sleep", "1000", NULL);
				break;
			case 2:
				park(me);
				break;
			}
			_exit(0);
		}
		pause_us(draw(me, 2000));
	}
}

/* It is nobody's member any more, and the channels are not for it. */
static void leave(struct node *me)
{
	char text[64] = "a message";
	long ret;
	int i;

	/* The first of a group cannot leave, but its child can. */
	if (setsid() < 0) {
		if (fork())
			return;
		setsid();
	}
	for (i = 0; i < 20; i++) {
		struct pair *pair = &me->pair[draw(me, me->pairs)];

		ret = one_in(me, 2) ? result(read(pair->recv, text, sizeof(text))) :
				      result(write(pair->send, text, 1));
		if (ret == -EACCES)
			saw(KEPT_OUT);
		else
			trouble("a stranger got %ld", ret);
		pause_us(draw(me, 1000));
	}
}

/* Who has the file of a scope keeps it, until it has thought better of that. */
static void cancel_from_inside(struct node *me)
{
	pause_us(draw(me, 50000));
	if (one_in(me, 2))
		cancel_scope(scope_of(me), one_in(me, 2) ? EIO : 0);
}

/* By a scope inside, to see what becomes of the one around it. */
static void watch(void)
{
	struct pollfd pfd = { .fd = open("/dev/chanctl", O_RDWR | O_CLOEXEC) };

	while (poll(&pfd, 1, -1) < 0 && errno == EINTR)
		;
	count_cause(pfd.fd);
}

static void own(struct node *me);

static void own_inside(struct node *me)
{
	if (me->depth + 1 == DEPTH)
		return;
	me->depth++;
	own(me);
}

enum kind {
	WORKER,
	PARKER,
	SLEEPER,
	BREEDER,
	LEAVER,
	WATCHER,
	CANCELER,
	INNER_OWNER,	/* and what is above */
	KINDS = INNER_OWNER + 3
};

/* But for one kind they forget the scopes around. */
static void live(struct node *me, enum kind kind)
{
	if (kind != CANCELER)
		close_scopes(me);
	if (one_in(me, 2))
		signal(SIGTERM, on_signal);
	switch (kind) {
	case WORKER:
		work(me);
		break;
	case PARKER:
		park(me);
		break;
	case SLEEPER:
		ignore_and_sleep(me);
		break;
	case BREEDER:
		breed(me);
		break;
	case LEAVER:
		leave(me);
		break;
	case WATCHER:
		watch();
		break;
	case CANCELER:
		cancel_from_inside(me);
		break;
	default:
		own_inside(me);
	}
}

/* --- What owners do --- */

/*
 * Between the new group and the bind a child is in no scope at all, so it waits
 * for a word, and goes when there will be none.
 */
static bool is_let_in(struct node *me, pid_t group)
{
	char word;

	close(me->gate[1]);
	if (setpgid(0, group) || read(me->gate[0], &word, 1) != 1)
		return false;
	close(me->gate[0]);
	return true;
}

static pid_t spawn(struct node *me, pid_t group, enum kind kind)
{
	pid_t pid = fork();

	if (!pid) {
		shared->processes++;
		me->child = 0;
		me->random = mix(me->random + getpid());
		signal(SIGTERM, SIG_DFL);
		if (is_let_in(me, group))
			live(me, kind);
		_exit(0);
	}
	me->random = mix(me->random);
	me->child = pid > 0 ? pid : 0;
	if (pid > 0)
		setpgid(pid, group ?: pid);
	return pid;
}

/* Several members, in a group that is bound. True if that is so. */
static bool populate(struct node *me, bool all_park)
{
	struct chan_scope_bind bind = {};
	int n = 1 + draw(me, MOST_CHILDREN), i;
	pid_t group = 0, pid;

	if (pipe2(me->gate, O_CLOEXEC))
		return false;
	for (i = 0; i < n; i++) {
		pid = spawn(me, group, all_park ? PARKER : draw(me, KINDS));
		group = group ?: pid;
	}
	close(me->gate[0]);
	bind.pgid = group;
	if (group > 0 && !ioctl(scope_of(me), CHAN_IOC_SCOPE_BIND, &bind)) {
		if (write(me->gate[1], "words to all", n) != n)
			n = 0;
	} else {
		if (errno != ECANCELED)
			trouble("bind: %s", strerror(errno));
		n = 0;
	}
	close(me->gate[1]);
	return n;
}

static void reap(struct node *me)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		if (pid == me->child)
			me->child = 0;
}

/* As a member may do, and what only an owner can. */
static void reign(struct node *me)
{
	int n = draw(me, 6);

	while (n--) {
		switch (draw(me, 6)) {
		case 0:
			wait_scope(scope_of(me), now_ns() + draw(me, 20) * MS);
			break;
		case 1:
			make_channel(me);
			break;
		case 2:
			judge(me, select_one(me, now_ns() + draw(me, 20) * MS), SENT);
			break;
		case 3:
			set_scope(me, 0);
			break;
		case 4:
			if (me->child)
				kill(me->child, SIGKILL);
			break;
		default:
			pause_us(draw(me, 10000));
		}
		reap(me);
	}
}

/* Nobody is in it when this is done, however long that takes. */
static void see_it_empty(struct node *me)
{
	long ret = wait_scope(scope_of(me), CHAN_SELECT_FOREVER);

	if (ret)
		trouble("waiting for all: %s", strerror(-ret));
	count_cause(scope_of(me));
}

static void end(struct node *me, enum ending how)
{
	shared->endings[how]++;
	switch (how) {
	case BY_CANCEL:
		cancel_scope(scope_of(me), one_in(me, 2) ? EIO : 0);
		see_it_empty(me);
		break;
	case BY_CLOSE:
		close_scope(me, me->depth);
		break;
	case BY_KILL:
		raise(SIGKILL);
		break;
	case BY_DEADLINE:
		set_scope(me, now_ns() + draw(me, 20) * MS);
		see_it_empty(me);
		break;
	case BY_WAITING:
		wait_scope(scope_of(me), now_ns() + draw(me, 100) * MS);
		cancel_scope(scope_of(me), EIO);
		see_it_empty(me);
		break;
	default:
		break;
	}
}

/* All park, and nobody could wake them: the scope has to notice. */
static void end_in_deadlock(struct node *me)
{
	if (!make_channel(me) && populate(me, true))
		see_it_empty(me);
}

static void own(struct node *me)
{
	bool in_deadlock = one_in(me, 8);
	int n = draw(me, MOST_CHANNELS);

	me->ctl[me->depth] = open("/dev/chanctl", O_RDWR | O_CLOEXEC);
	if (me->ctl[me->depth] < 0) {
		trouble("/dev/chanctl: %s", strerror(errno));
		return;
	}
	shared->scopes++;
	me->flags = in_deadlock || one_in(me, 2) ? CHAN_SCOPE_DETECT_DEADLOCK : 0;
	me->detects |= me->flags;
	set_scope(me, 0);
	if (in_deadlock) {
		end_in_deadlock(me);
		return;
	}
	do
		make_channel(me);
	while (n--);
	if (!me->pairs || !populate(me, false))
		return;
	reign(me);
	end(me, draw(me, ENDINGS));
	reap(me);
}

/* --- Gardeners --- */

static void report_left(pid_t pid)
{
	char path[64], stack[100] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read(fd, stack, sizeof(stack) - 1) < 0)
		stack[0] = '\0';
	close(fd);
	trouble("left: pid %d, group %d, in %s", pid, getpgid(pid), stack);
}

static void plant(__u64 seed)
{
	struct node me = { .random = seed };
	int depth;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (depth = 0; depth < DEPTH; depth++)
		me.ctl[depth] = -1;
	shared->processes++;
	own(&me);
	_exit(0);
}

static void tend(__u64 seed)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	while (!shared->stop) {
		seed = mix(seed);
		if (!fork())
			plant(seed);
		if (!all_gone(STALL_MS)) {
			trouble("a tree is not gone after %d ms", STALL_MS);
			visit_children(report_left);
			do
				visit_children(kill_left);
			while (!all_gone(100));
		}
		shared->trees++;
	}
	_exit(0);
}

/* --- What is left --- */

/* What is freed with a delay is gone after a while. */
static long memory_held_in_the_end(void)
{
	long end = now_ms() + SETTLE_MS, least = memory_held(), held;

	while (now_ms() < end) {
		held = memory_held();
		least = held < least ? held : least;
		pause_us(10000);
	}
	return least;
}

/* --- Does the audit notice? --- */

static void test_audit(void)
{
	struct chan_create arg = {};
	int ctl, scopes = count_scopes(), channels = count_channels();
	pid_t pid;

	ctl = open("/dev/chanctl", O_RDWR | O_CLOEXEC);
	ksft_test_result(!comes_to(count_scopes, scopes, 50), "a scope that is left is noticed\n");
	if (ioctl(ctl, CHAN_IOC_CREATE, &arg))
		ksft_exit_fail_msg("no channel: %s\n", strerror(errno));
	close(ctl);
	close(arg.send_fd);
	ksft_test_result(!comes_to(count_channels, channels, 50),
			 "a channel that is left is noticed\n");
	close(arg.recv_fd);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sleep_for_ever();
	}
	ksft_test_result(!all_gone(50), "a process that is left is noticed\n");
	kill_left(pid);
	ksft_test_result(all_gone(STALL_MS) && comes_to(count_scopes, scopes, STALL_MS) &&
			 comes_to(count_channels, channels, STALL_MS),
			 "and nothing else is\n");
}

/* --- The whole --- */

static void watch_gardeners(long seconds)
{
	long end = now_ms() + seconds * 1000, next = now_ms() + 10000;

	while (now_ms() < end && !shared->stop) {
		pause_us(50000);
		if (now_ms() < next)
			continue;
		next += 10000;
		ksft_print_msg("%ju trees, %ju scopes, %ju processes\n",
			       (uintmax_t)shared->trees, (uintmax_t)shared->scopes,
			       (uintmax_t)shared->processes);
	}
}

/* Trees for some time, until the last one is gone. */
static void garden(long seconds, __u64 seed)
{
	int i;

	for (i = 0; i < GARDENERS; i++) {
		pid_t pid = fork();

		if (!pid)
			tend(mix(seed + i));
		if (pid < 0)
			ksft_exit_fail_msg("fork: %s\n", strerror(errno));
	}
	watch_gardeners(seconds);
	shared->stop = true;
	if (!all_gone(2 * STALL_MS))
		trouble("a gardener is not gone");
	shared->stop = shared->troubles;
}

static void report_kinds(void)
{
	size_t i;

	for (i = 0; i < EVENTS; i++)
		ksft_test_result(shared->events[i], "calls that were %s: %ju\n", event_names[i],
				 (uintmax_t)shared->events[i]);
	for (i = 0; i < ENDINGS; i++)
		ksft_test_result(shared->endings[i], "scopes %s: %ju\n", ending_names[i],
				 (uintmax_t)shared->endings[i]);
	for (i = 0; i < CAUSES; i++)
		ksft_test_result(shared->causes[i], "scopes cancelled with %s: %ju\n",
				 strerrorname_np(causes[i]), (uintmax_t)shared->causes[i]);
}

static void report_memory(bool told, long before, long after)
{
	if (!told || !memory_can_be_told()) {
		ksft_test_result_skip("memory: this kernel does not tell\n");
		return;
	}
	ksft_test_result(after - before < SLACK_BYTES,
			 "memory: %ld bytes before, %ld after\n", before, after);
}

static long default_seconds(void)
{
	return access("/proc/lockdep_stats", F_OK) ? SECONDS : SECONDS_DEBUG;
}

static void test_scopes(void)
{
	long seconds = number_from("SCOPE_STRESS_SECONDS", default_seconds());
	__u64 seed = number_from("SCOPE_STRESS_SEED", time(NULL));
	int scopes = count_scopes(), channels = count_channels();
	bool told = join_memory_group("scope-stress");
	long before, after;
	unsigned int i;

	ksft_print_msg("SCOPE_STRESS_SECONDS=%ld SCOPE_STRESS_SEED=%ju\n", seconds,
		       (uintmax_t)seed);
	garden(seconds / 4 + 1, seed);
	before = memory_held_in_the_end();
	garden(seconds - seconds / 4, mix(seed));
	after = memory_held_in_the_end();
	for (i = 0; i < shared->troubles && i < TROUBLES; i++)
		ksft_print_msg("%s\n", shared->trouble[i]);
	ksft_test_result(!shared->troubles && shared->trees,
			 "%ju trees of %ju scopes and %ju processes are gone\n",
			 (uintmax_t)shared->trees, (uintmax_t)shared->scopes,
			 (uintmax_t)shared->processes);
	ksft_test_result(comes_to(count_scopes, scopes, STALL_MS), "no scope is left\n");
	ksft_test_result(comes_to(count_channels, channels, STALL_MS), "no channel is left\n");
	report_memory(told, before, after);
	report_kinds();
	if (told)
		leave_memory_group();
}

int main(int argc, char **argv)
{
	bool self_test = argc > 1 && !strcmp(argv[1], "--self-test");

	ksft_print_header();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count_scopes() < 0)
		ksft_exit_skip("takes root, and debugfs\n");
	shared = map_shared(sizeof(*shared));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ksft_set_plan(4 + (self_test ? 0 : 4 + EVENTS + ENDINGS + CAUSES));
	test_audit();
	if (!self_test)
		test_scopes();
	ksft_finished();
}
