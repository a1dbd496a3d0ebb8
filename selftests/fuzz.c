// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random programs against the module: does it say nothing that the contract does
 * not know, let everybody die who is killed, and keep nothing of them?
 *
 *	fuzz				self-tests, then programs for a while
 *	fuzz --self-test		only: is what goes wrong noticed?
 *	fuzz --seed CHAIN [N]		this program alone, N times
 *
 *	CHAN_FUZZ_SECONDS=N			how long
 *	CHAN_FUZZ_SEED=N			begin with the same programs as a run before
 *
 * Several runners work side by side, each with one program at a time, see
 * fuzz_program.h: processes and threads that open, fork, pass files, park, kill
 * each other, and hand wild structures to ioctls while another thread changes
 * them; see fuzz_steps.h. When it does not get on any more, or sooner, all that is
 * left of it is killed, and has to go. Each program is noted in the kernel log,
 * before what it does to the kernel.
 *
 * With KCOV, programs that reach something new are kept and changed. Each has a
 * favourite step, or what is rare would be missed by a short run, whose programs are
 * few and often changed from each other.
 */
#include <glob.h>

#include "fuzz_steps.h"

#define SECONDS		20
#define SECONDS_DEBUG	25
/* An instrumented kernel is that much slower, and has that many runners. */
#define SLOWER		15
#define RUNNERS_DEBUG	2
/*
 * It goes on for so many times as long until every kind of step has worked, with
 * programs of what has not.
 */
#define PATIENCE	6
/* After each of these everything is to be as it was. */
#define ROUND_SECONDS	10
#define CORPUS		1024

/* Programs that reached something. */
static struct corpus {
	atomic_uint count;
	struct chain {
		__u64 link[CHAIN];
		int links;
	} chain[CORPUS];
} *corpus;

static bool instrumented;

/* --- A program runs --- */

static void on_signal(int sig)
{
	(void)sig;
}

/*
 * One that it has raised itself, as a scope may be told to send such a signal, too:
 * by another thread, which is no other process.
 */
static void on_sigpipe(int sig, siginfo_t *from, void *context)
{
	(void)sig;
	(void)context;
	if (writes_to_channel && from->si_pid == getpid() &&
	    !(self->runner->program.manner & IN_THREADS))
		trouble(self->runner, "SIGPIPE");
}

static void set_signals(const struct program *program)
{
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = program->manner & RESTARTING ? SA_RESTART : 0,
	};

	sigaction(SIGUSR1, &action, NULL);
	action.sa_sigaction = on_sigpipe;
	action.sa_flags |= SA_SIGINFO;
	sigaction(SIGPIPE, &action, NULL);
}

struct start {
	struct lane lane;
	int number;
};

static void run_steps(struct lane *me, int number)
{
	const struct program *program = &me->runner->program;
	int i;

	self = me;
	for (i = 0; i < program->steps; i++)
		if (program->step[i].lane == number)
			do_step(me, program->step[i].op, program->step[i].arg);
}

static void *run_lane(void *arg)
{
	struct start *start = arg;

	take_cover(start->lane.covers);
	if (start->lane.runner->program.manner & NUDGED)
		nudge();
	if (new_arena(&start->lane))
		run_steps(&start->lane, start->number);
	return NULL;
}

static void run_threads(struct start *start)
{
	bool impatient = start->lane.runner->program.manner & IMPATIENT;
	pthread_t thread[LANES];
	int i;

	for (i = 0; i < LANES; i++)
		if (pthread_create(&thread[i], NULL, run_lane, &start[i]))
			_exit(1);
	for (i = 0; i < LANES && !(impatient && i); i++)
		pthread_join(thread[i], NULL);
}

static void run_processes(struct start *start)
{
	bool impatient = start->lane.runner->program.manner & IMPATIENT;
	int i;

	for (i = 0; i < LANES; i++) {
		if (fork())
			continue;
		run_lane(&start[i]);
		_exit(0);
	}
	while (!impatient && wait(NULL) > 0)
		;
}

/* Without any of these hardly a step could do anything. */
static void open_first(struct lane *me)
{
	static const __u8 op[] = { OP_SCOPE, OP_CREATE, OP_ADD, OP_NAMED };
	__u64 random = me->runner->program.chain[0];
	size_t i;

	self = me;
	for (i = 0; i < ARRAY_SIZE(op); i++) {
		random = mix(random);
		do_step(me, op[i], random);
	}
}

/* In a session of its own: no signal of it gets out, and no process group in. */
static void be_program(struct runner *runner, struct covers *covers)
{
	static struct start first, start[LANES];
	int null = open("/dev/null", O_RDWR), i;
	struct rlimit few = { COVER_FD, COVER_FD };

	for (i = 0; i < 3; i++)
		dup2(null, i);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	setrlimit(RLIMIT_NOFILE, &few);
	set_signals(&runner->program);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, passage))
		_exit(1);
	first.lane = (struct lane){ .runner = runner, .covers = covers };
	take_cover(covers);
	if (!new_arena(&first.lane))
		_exit(1);
	open_first(&first.lane);
	run_steps(&first.lane, 0);
	/* Whom one lane waits for, another must not know: the number is free then. */
	first.lane.children = 0;
	for (i = 0; i < LANES; i++)
		start[i] = (struct start){ .lane = first.lane, .number = i + 1 };
	if (runner->program.manner & IN_THREADS)
		run_threads(start);
	else
		run_processes(start);
	_exit(0);
}

/* --- Its runner --- */

static void note_in_log(const struct program *program)
{
	char text[CHAIN_TEXT + 32], chain[CHAIN_TEXT] = "";

	print_chain(chain, program->chain, program->links);
	snprintf(text, sizeof(text), "<7>fuzz --seed %s\n", chain);
	write_file("/dev/kmsg", text);
}

static struct runner *reporting;

static void report_left(pid_t pid)
{
	char path[64], call[64];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	read_text(path, call, sizeof(call));
	trouble(reporting, "left: %d, state %c, in %.30s", pid, state_of(pid), call);
}

static void remove_devices(struct runner *runner)
{
	struct device dev;
	char name[32];
	int i;

	for (i = 0; i < DEVICES; i++) {
		snprintf(name, sizeof(name), "%s%d", runner->devices, i);
		device_named(&dev, name);
		device_remove(&dev);
	}
}

/* True if it has ended by itself; but no longer than it makes steps. */
static bool ends_by_itself(struct runner *runner)
{
	long limit_ms = runner->program.limit_ms * (instrumented ? SLOWER : 1);
	bool hasty = runner->program.manner & HASTY;
	unsigned int before;

	do {
		before = runner->progress;
		if (all_gone(limit_ms))
			return true;
	} while (runner->progress != before && !hasty);
	return false;
}

/* True if all of it has ended. */
static bool run_program(struct runner *runner, struct covers *covers)
{
	pid_t pid;

	runner->forks = 0;
	runner->progress = 0;
	clear_covers(covers);
	note_in_log(&runner->program);
	pid = fork();
	if (!pid)
		be_program(runner, covers);
	if (pid < 0)
		trouble(runner, "fork: %s", strerror(errno));
	if (!ends_by_itself(runner) && !kill_all(STALL_MS)) {
		reporting = runner;
		visit_children(report_left);
		return false;
	}
	remove_devices(runner);
	all->programs++;
	return true;
}

static bool has_to_work(int op)
{
	return !all->worked[op] && !ops[op].never_works;
}

/* Or it was no test. */
static bool every_kind_worked(void)
{
	int i;

	for (i = 0; i < OPS; i++)
		if (has_to_work(i))
			return false;
	return true;
}

/* A program of what has to work, or any if all has. */
static __u64 first_link(__u64 random)
{
	while (all->overdue && !every_kind_worked() && !has_to_work(favourite_of(random)))
		random = mix(random);
	return random;
}

/* From nothing, or from one that reached something. */
static void choose_program(struct program *program, __u64 *random)
{
	unsigned int count = atomic_load(&corpus->count);
	struct chain chain = { .links = 0 };

	count = count < CORPUS ? count : CORPUS;
	if (count && !all->overdue && draw_from(random, 4))
		chain = corpus->chain[draw_from(random, count)];
	if (chain.links == CHAIN)
		chain.links = 0;
	*random = mix(*random);
	if (!chain.links)
		*random = first_link(*random);
	chain.link[chain.links++] = *random;
	program_of(program, chain.link, chain.links, draw_op);
}

static void remember_program(const struct program *program)
{
	unsigned int at = corpus->count++;
	struct chain *chain;

	if (at >= CORPUS) {
		corpus->count = CORPUS;
		return;
	}
	chain = &corpus->chain[at];
	memcpy(chain->link, program->chain, sizeof(chain->link));
	__atomic_store_n(&chain->links, program->links, __ATOMIC_RELEASE);
}

static void be_runner(int number, __u64 random, __u64 end)
{
	struct runner *runner = &all->runner[number];
	struct covers covers = {};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	open_covers(&covers);
	while (!all->stop && now_ns() < end && !(all->overdue && every_kind_worked())) {
		choose_program(&runner->program, &random);
		if (!run_program(runner, &covers))
			break;
		if (collect_covers(&covers, &all->places))
			remember_program(&runner->program);
	}
	_exit(0);
}

/* --- What is left --- */

struct state {
	int scopes;
	int channels;
	int devices;
	int references;
};

#define ADDED_DEVICES	"/sys/class/chan/chan-"

static glob_t devices_before;

static int count_devices(void)
{
	glob_t devices;
	int count;

	glob(ADDED_DEVICES "*", 0, NULL, &devices);
	count = devices.gl_pathc;
	globfree(&devices);
	return count;
}

static bool was_there_before(const char *device)
{
	size_t i;

	for (i = 0; i < devices_before.gl_pathc; i++)
		if (!strcmp(devices_before.gl_pathv[i], device))
			return true;
	return false;
}

/* Names are among what changes while a call runs: nobody knows which there are. */
static void remove_new_devices(void)
{
	struct device dev;
	glob_t devices;
	size_t i;

	glob(ADDED_DEVICES "*", 0, NULL, &devices);
	for (i = 0; i < devices.gl_pathc; i++) {
		if (was_there_before(devices.gl_pathv[i]))
			continue;
		device_named(&dev, devices.gl_pathv[i] + strlen(ADDED_DEVICES));
		device_remove(&dev);
	}
	globfree(&devices);
}

static struct state state_now(void)
{
	return (struct state){
		count_scopes(), count_channels(), count_devices(), count_references(),
	};
}

static bool is_as_before(const struct state *before, long patience_ms)
{
	struct state now;

	if (comes_to(count_scopes, before->scopes, patience_ms) &&
	    comes_to(count_channels, before->channels, patience_ms) &&
	    comes_to(count_devices, before->devices, patience_ms) &&
	    comes_to(count_references, before->references, patience_ms))
		return true;
	now = state_now();
	ksft_print_msg("scopes %d, were %d; channels %d, were %d\n", now.scopes,
		       before->scopes, now.channels, before->channels);
	ksft_print_msg("devices %d, were %d; references %d, were %d\n", now.devices,
		       before->devices, now.references, before->references);
	return false;
}

/* --- Is it noticed? --- */

static void test_leavings(void)
{
	struct chan_create arg = {};
	struct state before = state_now();
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	bool scope = !is_as_before(&before, 50);
	pid_t pid;

	create(ctl, &arg);
	close(ctl);
	close(arg.send_fd);
	ksft_test_result(scope, "a scope that is left is noticed\n");
	ksft_test_result(!is_as_before(&before, 50), "a channel that is left is noticed\n");
	close(arg.recv_fd);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	ksft_test_result(!all_gone(50), "a process that is left is noticed\n");
	ksft_test_result(pid > 0 && kill_all(STALL_MS) && is_as_before(&before, STALL_MS),
			 "and nothing else is\n");
}

static bool is_trouble(void (*does)(struct lane *me, int op, const char *what, long ret),
		       bool lenient, long ret)
{
	struct lane me = { .runner = &all->runner[0], .lenient = lenient };
	bool is;

	does(&me, OP_YIELD, "a call", ret);
	is = all->troubles;
	all->troubles = 0;
	all->stop = false;
	return is;
}

static void judge_request(struct lane *me, int op, const char *what, long ret)
{
	judge(me, op, what, ret, requests[R_BIND].known);
}

static void test_judgement(void)
{
	ksft_test_result(is_trouble(judge_read, false, -EIO) &&
			 is_trouble(judge_read, true, -EXDEV) &&
			 is_trouble(judge_read, false, -512) &&
			 is_trouble(judge_read, false, -EPIPE) &&
			 is_trouble(judge_write, false, -EBADMSG) &&
			 is_trouble(judge_write, false, -FIRST_CAUSE) &&
			 is_trouble(judge_request, false, -EAGAIN),
			 "an error that the contract does not know is noticed\n");
	ksft_test_result(!is_trouble(judge_read, false, 1) &&
			 !is_trouble(judge_read, false, -EBADMSG) &&
			 !is_trouble(judge_read, false, -FIRST_CAUSE) &&
			 !is_trouble(judge_write, false, -EPIPE) &&
			 !is_trouble(judge_request, false, -EBUSY),
			 "and one that it knows is not\n");
}

static bool same_program(const struct program *one, const struct program *other)
{
	return one->steps == other->steps && one->manner == other->manner &&
	       !memcmp(one->step, other->step, one->steps * sizeof(*one->step));
}

static void test_chains(void)
{
	__u64 chain[CHAIN] = { 1, 2, 3 }, again[CHAIN] = {};
	struct program one, other;
	char text[CHAIN_TEXT];
	int links;

	program_of(&one, chain, 3, draw_op);
	print_chain(text, chain, 3);
	links = read_chain(text, again);
	program_of(&other, again, links, draw_op);
	ksft_test_result(links == 3 && same_program(&one, &other), "a chain makes one program\n");
	program_of(&other, again, 2, draw_op);
	ksft_test_result(!same_program(&one, &other), "and each link counts\n");
}

#define SELF_TESTS	8

static void self_test(void)
{
	test_leavings();
	test_judgement();
	test_chains();
}

/* --- The whole --- */

static void run_round(long seconds, __u64 seed)
{
	__u64 end = now_ns() + seconds * 1000 * MS;
	int i, runners = instrumented ? RUNNERS_DEBUG : RUNNERS;

	for (i = 0; i < runners; i++) {
		if (!fork())
			be_runner(i, mix(seed + i), end);
	}
	if (!all_gone(seconds * 1000 + 2 * STALL_MS)) {
		trouble(&all->runner[0], "a runner is not gone");
		kill_all(STALL_MS);
	}
}

static void run_rounds(long seconds, __u64 seed, const struct state *before)
{
	__u64 began = now_ns(), enough = began + seconds * 1000 * MS;
	__u64 end = began + PATIENCE * seconds * 1000 * MS;

	while (!all->stop && (now_ns() < enough || (!every_kind_worked() && now_ns() < end))) {
		all->overdue = now_ns() >= enough;
		run_round(seconds < ROUND_SECONDS ? seconds : ROUND_SECONDS, seed);
		ksft_print_msg("seed %ju: %ju programs, %u places, %u kept\n", (uintmax_t)seed,
			       (uintmax_t)all->programs, all->places.count, corpus->count);
		remove_new_devices();
		if (!is_as_before(before, STALL_MS))
			all->stop = true;
		seed = mix(seed);
	}
}

static unsigned long long calls(void)
{
	unsigned long long sum = 0;
	int i;

	for (i = 0; i < OPS; i++)
		sum += all->made[i];
	return sum;
}

static void report(const struct state *before)
{
	unsigned int i;

	for (i = 0; i < all->troubles && i < TROUBLES; i++)
		ksft_print_msg("%s\n", all->trouble[i]);
	ksft_test_result(all->programs && !all->troubles,
			 "%ju programs of %llu calls end, and each error is known\n",
			 (uintmax_t)all->programs, calls());
	ksft_test_result(is_as_before(before, STALL_MS), "nothing is left of them\n");
}

static void report_places(void)
{
	struct covers covers = {};

	open_covers(&covers);
	if (!covers.count)
		ksft_test_result_skip("places reached: this kernel does not tell\n");
	else if (!all->places.count)
		ksft_test_result_skip("places reached: the module is not built to tell\n");
	else
		ksft_test_result(corpus->count > 1, "%u places reached, by %u programs\n",
				 all->places.count, corpus->count);
	close_covers(&covers);
}

static void report_kinds(void)
{
	int i;

	for (i = 0; i < OPS; i++)
		if (has_to_work(i))
			ksft_print_msg("%s: made %ju times, and never worked\n", ops[i].name,
				       (uintmax_t)all->made[i]);
	ksft_test_result(every_kind_worked(), "every kind of step worked at least once\n");
}

static void fuzz(void)
{
	long seconds = number_from("CHAN_FUZZ_SECONDS", instrumented ? SECONDS_DEBUG : SECONDS);
	__u64 seed = number_from("CHAN_FUZZ_SEED", time(NULL));
	struct state before = state_now();

	ksft_print_msg("CHAN_FUZZ_SECONDS=%ld CHAN_FUZZ_SEED=%ju\n", seconds, (uintmax_t)seed);
	run_rounds(seconds, seed, &before);
	report(&before);
	report_kinds();
	report_places();
}

static void replay(const char *text, int times)
{
	struct state before = state_now();
	struct covers covers = {};
	__u64 chain[CHAIN];
	int links = read_chain(text, chain);

	if (!links)
		ksft_exit_fail_msg("'%s' is no chain of seeds\n", text);
	open_covers(&covers);
	program_of(&all->runner[0].program, chain, links, draw_op);
	while (times-- && !all->stop)
		run_program(&all->runner[0], &covers);
	remove_new_devices();
	report(&before);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int i;

	ksft_print_header();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count_scopes() < 0)
		ksft_exit_skip("takes root, and debugfs\n");
	instrumented = !access("/proc/lockdep_stats", F_OK);
	await_others();
	glob(ADDED_DEVICES "*", 0, NULL, &devices_before);
	all = map_shared(sizeof(*all));
	corpus = map_shared(sizeof(*corpus));
	for (i = 0; i < RUNNERS; i++)
		snprintf(all->runner[i].devices, sizeof(all->runner[i].devices), "fuzz-%d-", i);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!strcmp(what, "--seed") && argc > 2) {
		ksft_set_plan(2);
		replay(argv[2], argc > 3 ? atoi(argv[3]) : 1);
		ksft_finished();
	}
	ksft_set_plan(SELF_TESTS + (*what ? 0 : 4));
	self_test();
	if (!*what)
		fuzz();
	ksft_finished();
}
