// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mixed load for long: a thousand channels, two hundred processes, scopes that
 * come and go. Does the memory stay flat?
 *
 *	soak				all of it
 *	soak --self-test		only: is a leak noticed?
 *
 *	CHAN_SOAK_SECONDS=N			how long
 *	CHAN_SOAK_SEED=N			make the same choices as a run before
 *
 * Each boss has a scope with many channels and a few workers, which send,
 * receive, select and poll on them. After a second or so the boss cancels the
 * scope, closes it, or is replaced itself, and begins anew. Meanwhile memory is
 * sampled: what the kernel holds for this group of processes and cannot give
 * back, the slab, and memory that nobody accounts for. The load is the same all
 * the time, so from the end of the warm-up on none of them may have a trend: the
 * median of the last third of the samples may be beyond that of the first by no more
 * than SCATTERS times what the samples of the first are off their median, and a
 * little. In the end all is as it was before.
 */
#include <stdatomic.h>
#include <sys/time.h>

#include "ring_test.h"
#include "stress_test.h"

#define BOSSES		22
#define WORKERS		9
#define PAIRS		50
/* What there is to be at once. */
#define CHANNELS	1000
#define PROCESSES	200
#define LIMIT		4096
#define LIMIT_FILE	"/sys/module/chan/parameters/max_channels"
#define POINTERS_FILE	"/proc/sys/kernel/kptr_restrict"

#define SECONDS		20
#define SECONDS_DEBUG	40
#define LIFE_MS		3000
/* Two hundred that never rest are more than an emulated processor can do. */
#define PAUSE_MS	40
/* How much slower an instrumented kernel is. */
#define SLOWER		8
/* So long they may take to be all there. */
#define START_MS	240000
#define SAMPLES		4096

/* Beyond what the samples scatter: what the kernel keeps of those who have gone. */
#define SLACK_KB	256
/* The median of a third scatters less than its samples; these are not independent. */
#define SCATTERS	4
#define RELATIVE	0.005

enum measure { GROUP, SLAB, UNACCOUNTED, MEASURES };

static const char * const measure_names[] = {
	[GROUP] = "kernel memory of the group",
	[SLAB] = "slab of all",
	[UNACCOUNTED] = "memory that nobody accounts for",
};

struct series {
	int count;
	long kb[SAMPLES];
};

static struct soak {
	atomic_bool stop;
	atomic_bool all_there;	/* the first scopes need not wait for the last any more */
	atomic_ullong sent;
	atomic_ullong received;
	atomic_ullong scopes;
	atomic_int workers;
	atomic_uint wrong;
	char what[80];
} *soak;

/* --- Workers --- */

static int slower = 1;
static struct pair pairs[PAIRS];
static __u64 random_state;

static __u32 draw(__u32 below)
{
	return draw_from(&random_state, below);
}

/* False when the scope has gone. */
static bool carry_on(long ret, const char *what, atomic_ullong *counter)
{
	if (ret > 0)
		(*counter)++;
	if (ret > 0 || ret == -EAGAIN || ret == -EINTR || ret == -ETIMEDOUT)
		return true;
	if (ret != -ECANCELED && ret != -EACCES && !soak->wrong++)
		snprintf(soak->what, sizeof(soak->what), "%s: %ld", what, ret);
	return false;
}

static struct chan_case some_case(void *data)
{
	struct pair *pair = &pairs[draw(PAIRS)];
	struct chan_case one = { .buf = (uintptr_t)data };

	one.op = draw(2) ? CHAN_SEND : CHAN_RECV;
	one.fd = one.op == CHAN_SEND ? pair->send : pair->recv;
	one.len = one.op == CHAN_SEND ? 1 + draw(2000) : 4096;
	return one;
}

static long select_some(void *data)
{
	struct chan_case cases[8];
	struct chan_select arg = {
		.cases = (uintptr_t)cases, .ncases = 1 + draw(8), .case_size = sizeof(*cases),
		.deadline = now_ns() + draw(2 * slower * PAUSE_MS) * MS,
	};
	__u32 i;

	for (i = 0; i < arg.ncases; i++)
		cases[i] = some_case(data);
	if (ioctl(cases[0].fd, CHAN_IOC_SELECT, &arg))
		return -errno;
	if (cases[arg.index].status)
		return cases[arg.index].status;
	return 1;
}

static bool work_once(void *data)
{
	struct pair *pair = &pairs[draw(PAIRS)];
	struct pollfd pfd = { pair->recv, POLLIN, 0 };

	switch (draw(6)) {
	case 0:
		return carry_on(do_write(pair->send, data, 1 + draw(2000)), "write", &soak->sent);
	case 1:
		return carry_on(do_read(pair->recv, data, 4096), "read", &soak->received);
	case 2:
		return carry_on(select_some(data), "select", &soak->received);
	case 3:
		poll(&pfd, 1, draw(2 * slower * PAUSE_MS));
		return true;
	}
	pause_us(draw(2000 * slower * PAUSE_MS));
	return true;
}

/* Parked, it is woken by a timer at last, or everybody might end up so. */
static void work(void)
{
	static unsigned char data[4096];
	struct itimerval often = {
		{ slower / 8, 125000 * (slower % 8) }, { slower / 8, 125000 * (slower % 8) },
	};
	struct sigaction action = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (work_once(data))
		;
	_exit(0);
}

static void ignore_signal(int sig)
{
	(void)sig;
}

/* --- Bosses --- */

static int open_pairs(void)
{
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC), i;
	struct chan_scope_set set = { .grace_ns = 500 * MS };

	if (!draw(4))
		set.flags = CHAN_SCOPE_DETECT_DEADLOCK;
	if (ctl < 0 || ioctl(ctl, CHAN_IOC_SCOPE_SET, &set))
		return -1;
	for (i = 0; i < PAIRS; i++) {
		struct chan_create arg = { .capacity = draw(2) ? 0 : 1 + draw(8) };

		if (create(ctl, &arg))
			return -1;
		pairs[i] = (struct pair){ arg.send_fd, arg.recv_fd };
	}
	return ctl;
}

static void close_pairs(void)
{
	int i;

	for (i = 0; i < PAIRS; i++)
		close_pair(&pairs[i]);
}

static pid_t start_worker(int ctl, int gate, pid_t group)
{
	pid_t pid = fork_child();
	char word;

	if (pid)
		return pid;
	close(ctl);
	setpgid(0, group);
	random_state = mix(random_state + getpid());
	if (read(gate, &word, 1) == 1)
		work();
	_exit(0);
}

static bool populate(int ctl)
{
	struct chan_scope_bind bind = {};
	int gate[2], i;
	bool bound;

	if (pipe2(gate, O_CLOEXEC))
		return false;
	for (i = 0; i < WORKERS; i++) {
		pid_t pid = start_worker(ctl, gate[0], bind.pgid);

		bind.pgid = bind.pgid ? bind.pgid : pid;
		setpgid(pid, bind.pgid);
	}
	bound = !ioctl(ctl, CHAN_IOC_SCOPE_BIND, &bind) &&
		write(gate[1], "all may go", WORKERS) == WORKERS;
	close(gate[0]);
	close(gate[1]);
	return bound;
}

static void let_them_work(void)
{
	__u64 end;

	while (!soak->all_there && !soak->stop)
		pause_us(20000);
	end = now_ns() + slower * (LIFE_MS / 2 + draw(LIFE_MS)) * MS;
	while (now_ns() < end && !soak->stop)
		pause_us(20000);
}

/* One scope, from its opening until nobody is in it. */
static void reign(void)
{
	struct chan_scope_cancel cancel = {};
	struct chan_scope_wait wait = { .deadline = CHAN_SELECT_FOREVER };
	int ctl = open_pairs();

	if (ctl < 0 || !populate(ctl)) {
		if (!soak->wrong++)
			snprintf(soak->what, sizeof(soak->what), "a scope: %s", strerror(errno));
		soak->stop = true;
		return;
	}
	soak->scopes++;
	soak->workers += WORKERS;
	let_them_work();
	soak->workers -= WORKERS;
	if (draw(2)) {
		ioctl(ctl, CHAN_IOC_SCOPE_CANCEL, &cancel);
		ioctl(ctl, CHAN_IOC_SCOPE_WAIT, &wait);
	}
	close_pairs();
	close(ctl);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void be_boss(__u64 random)
{
	struct sigaction alarm = { .sa_handler = ignore_signal };
	int lives = 3;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpriority(PRIO_PROCESS, 0, 0);
	sigaction(SIGALRM, &alarm, NULL);
	random_state = random;
	while (lives-- && !soak->stop)
		reign();
	_exit(0);
}

/*
 * KASAN keeps back a part of the memory that was freed, one in thirty-two, and it
 * takes longer than this load to get there. Have it keep so much from the start.
 */
static void fill_quarantine(void)
{
	static char data[8000];
	struct chan_create arg = { .capacity = 1 };
	long kb = number_in("/proc/meminfo", "MemTotal") / 32 * 5 / 4;
	int ctl = open(CONTROL, O_RDWR | O_CLOEXEC);
	long n = ctl >= 0 && !create(ctl, &arg) ? kb * 1024 / sizeof(data) : 0;

	while (n-- && do_write(arg.send_fd, data, sizeof(data)) == sizeof(data))
		do_read(arg.recv_fd, data, sizeof(data));
	close(arg.send_fd);
	close(arg.recv_fd);
	close(ctl);
}

/* --- Measuring --- */

/* Free, but kept by a processor: the file has a line for each and each zone. */
static long kept_kb(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	long pages, sum = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %ld", &pages) == 1)
			sum += pages;
	if (file)
		fclose(file);
	return sum * (getpagesize() / 1024);
}

/* A page of shadow tells KASAN about so many bytes. */
#define SHADOWED	(8 * getpagesize())
#define AREAS		8192

struct area {
	unsigned long from;
	unsigned long to;
};

static bool has_shadow;

/* KASAN_VMALLOC: memory that is mapped for the kernel has a shadow. */
static bool kernel_shadows(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char line[256];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = strstr(line, " kasan_populate_vmalloc");
	if (file)
		fclose(file);
	return found;
}

static int compare_areas(const void *one, const void *other)
{
	const struct area *a = one, *b = other;

	return (a->from > b->from) - (a->from < b->from);
}

/* In pages of shadow, the last one excluded; what is not memory has none. */
static int read_areas(struct area *areas)
{
	FILE *file = fopen("/proc/vmallocinfo", "re");
	unsigned long from, to;
	char line[256];
	int n = 0;

	while (file && n < AREAS && fgets(line, sizeof(line), file)) {
		if (strstr(line, " ioremap") || sscanf(line, "0x%lx-0x%lx", &from, &to) != 2)
			continue;
		areas[n].from = from / SHADOWED;
		areas[n++].to = (to - 1) / SHADOWED + 1;
	}
	if (file)
		fclose(file);
	return n;
}

/*
 * Kernel stacks come and go with processes. What they were mapped to is given back
 * when there are many megabytes of it, and only then its shadow: until then that
 * grows with the number of processes there have been.
 */
static long shadow_kb(void)
{
	static struct area areas[AREAS];
	unsigned long pages = 0, end = 0;
	int n = read_areas(areas), i;

	qsort(areas, n, sizeof(*areas), compare_areas);
	for (i = 0; i < n; i++) {
		if (areas[i].to <= end)
			continue;
		pages += areas[i].to - (areas[i].from > end ? areas[i].from : end);
		end = areas[i].to;
	}
	return pages * (getpagesize() / 1024);
}

static bool is_accounted(const char *name)
{
	static const char * const accounted[] = {
		"MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "Slab", "PageTables",
		"KernelStack",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(accounted); i++)
		if (!strcmp(name, accounted[i]))
			return true;
	return false;
}

/* Neither free nor what a process, a file, a table, the slab or a checker is said to have. */
static long unaccounted_kb(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	long kb, sum = -kept_kb() - (has_shadow ? shadow_kb() : 0);
	char line[256], name[64];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63[^:]: %ld", name, &kb) != 2)
			continue;
		if (!strcmp(name, "MemTotal"))
			sum += kb;
		else if (is_accounted(name))
			sum -= kb;
	}
	if (file)
		fclose(file);
	return sum;
}

static long measure(enum measure what)
{
	switch (what) {
	case GROUP:
		return memory_held() / 1024;
	case SLAB:
		return number_in("/proc/meminfo", "Slab");
	default:
		return unaccounted_kb();
	}
}

static int compare_samples(const void *one, const void *other)
{
	long a = *(const long *)one, b = *(const long *)other;

	return (a > b) - (a < b);
}

/* Unlike the mean, it is not moved by what is there for a moment only. */
static double median_of(const long *kb, int count)
{
	static long sorted[SAMPLES];

	memcpy(sorted, kb, count * sizeof(*kb));
	qsort(sorted, count, sizeof(*sorted), compare_samples);
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0;
}

/* How far a sample is from the median, on average. */
static double scatter_of(const long *kb, int count)
{
	double median = median_of(kb, count), sum = 0;
	int i;

	for (i = 0; i < count; i++)
		sum += kb[i] < median ? median - kb[i] : kb[i] - median;
	return sum / count;
}

/* A quarter is warm-up; of the rest the last third against the first. */
static double growth_of(const struct series *series, double *bound)
{
	const long *from = series->kb + series->count / 4;
	int third = (series->count - series->count / 4) / 3;
	double first = median_of(from, third);

	*bound = SCATTERS * scatter_of(from, third) + RELATIVE * first + SLACK_KB;
	return median_of(series->kb + series->count - third, third) - first;
}

static bool is_flat(const struct series *series)
{
	double bound, growth;

	if (series->count < 12)
		return false;
	growth = growth_of(series, &bound);
	return growth <= bound;
}

/* --- Is it noticed? --- */

/* As a run of ten minutes has it: about what it is, with noise, and a leak. */
static bool doctored_is_flat(double noise_kb, double leak_kb)
{
	static struct series series;
	__u64 random = 1;
	int i;

	series.count = 600;
	for (i = 0; i < series.count; i++)
		series.kb[i] = 20000 + noise_kb * (draw_from(&random, 1000) / 500.0 - 1) +
			       leak_kb * i / series.count;
	return is_flat(&series);
}

static void test_measuring(void)
{
	struct series none = {};

	ksft_test_result(doctored_is_flat(0, 0) && doctored_is_flat(300, 0),
			 "memory that does not grow is flat\n");
	ksft_test_result(!doctored_is_flat(0, 2000) && !doctored_is_flat(300, 3000),
			 "a slow leak is noticed\n");
	ksft_test_result(!is_flat(&none), "and that nothing was measured\n");
}

#define SELF_TESTS	3

/* --- The whole --- */

static struct series all_series[MEASURES];
static int most_channels = -1;
static int most_workers;

static void sample(void)
{
	int channels, workers = soak->workers, i;

	for (i = 0; i < MEASURES; i++)
		if (all_series[i].count < SAMPLES)
			all_series[i].kb[all_series[i].count++] = measure(i);
	if (workers > most_workers)
		most_workers = workers;
	/* A thousand lines are not read often. */
	if (all_series[0].count % 16 != 1)
		return;
	channels = count_channels();
	if (channels > most_channels)
		most_channels = channels;
}

/* A place that is free is taken at once. */
static void keep_bosses(int *bosses, __u64 *random)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		(*bosses)--;
	while (*bosses < BOSSES && !soak->stop) {
		*random = mix(*random);
		if (!fork())
			be_boss(*random);
		(*bosses)++;
	}
}

/* No sample before they are all there, or the load would grow with them. */
static bool start_bosses(int *bosses, __u64 *random)
{
	__u64 end = now_ns() + START_MS * MS;

	while (soak->workers + BOSSES < PROCESSES && now_ns() < end && !soak->stop) {
		keep_bosses(bosses, random);
		pause_us(20000);
	}
	soak->all_there = true;
	return soak->workers + BOSSES >= PROCESSES;
}

static void load(long seconds, __u64 random)
{
	__u64 every = seconds * 1000 * MS / 200, end, next;
	int bosses = 0;

	if (!start_bosses(&bosses, &random))
		ksft_print_msg("%d workers after %d ms\n", soak->workers, START_MS);
	next = now_ns();
	end = next + seconds * 1000 * MS;
	while (now_ns() < end && !soak->stop) {
		keep_bosses(&bosses, &random);
		if (now_ns() >= next) {
			sample();
			/* None is made up for: those would all tell of one moment. */
			next = now_ns() + every;
		}
		pause_us(20000);
	}
	soak->stop = true;
	if (all_gone(STALL_MS))
		return;
	kill_all(STALL_MS);
	if (!soak->wrong++)
		snprintf(soak->what, sizeof(soak->what), "somebody was left");
}

static void report_measure(enum measure what, bool told)
{
	const struct series *series = &all_series[what];
	double bound = 0, growth;

	if (what == GROUP && !told) {
		ksft_test_result_skip("%s: this kernel does not tell\n", measure_names[what]);
		return;
	}
	growth = series->count < 12 ? 0 : growth_of(series, &bound);
	ksft_print_msg("%s: %ld kB after warm-up, grew by %.0f kB of %.0f kB allowed\n",
		       measure_names[what], series->kb[series->count / 4], growth, bound);
	ksft_test_result(is_flat(series), "%s is flat\n", measure_names[what]);
}

/* What is freed with a delay is gone after a while. */
static bool held_comes_to(long kb)
{
	__u64 end = now_ns() + 10000 * MS;

	while (measure(GROUP) > kb && now_ns() < end)
		pause_us(50000);
	return measure(GROUP) <= kb;
}

static void report_end(bool told, long before)
{
	if (!told || !memory_can_be_told()) {
		ksft_test_result_skip("memory in the end: this kernel does not tell\n");
		return;
	}
	ksft_test_result(held_comes_to(before + SLACK_KB), "%ld kB before, %ld kB in the end\n",
			 before, measure(GROUP));
}

#define TESTS	(5 + MEASURES)

static void soak_it(void)
{
	bool instrumented = !access("/proc/lockdep_stats", F_OK);
	long seconds = number_from("CHAN_SOAK_SECONDS", instrumented ? SECONDS_DEBUG : SECONDS);
	__u64 seed = number_from("CHAN_SOAK_SEED", time(NULL));
	int scopes = count_scopes(), channels = count_channels();
	bool told = join_memory_group("soak");
	long before = measure(GROUP);
	int i;

	slower = instrumented ? SLOWER : 1;
	if (instrumented)
		fill_quarantine();
	ksft_print_msg("CHAN_SOAK_SECONDS=%ld CHAN_SOAK_SEED=%ju\n", seconds, (uintmax_t)seed);
	load(seconds, seed);
	ksft_print_msg("%s\n", soak->wrong ? soak->what : "no call failed that should not");
	ksft_test_result(!soak->wrong && soak->sent && soak->received,
			 "%ju scopes, %ju messages written, %ju taken\n", (uintmax_t)soak->scopes,
			 (uintmax_t)soak->sent, (uintmax_t)soak->received);
	ksft_test_result(most_channels >= CHANNELS && most_workers + BOSSES >= PROCESSES,
			 "%d channels and %d processes at once\n", most_channels,
			 most_workers + BOSSES);
	for (i = 0; i < MEASURES; i++)
		report_measure(i, told);
	ksft_test_result(comes_to(count_scopes, scopes, STALL_MS), "no scope is left\n");
	ksft_test_result(comes_to(count_channels, channels, STALL_MS), "no channel is left\n");
	report_end(told, before);
	if (told)
		leave_memory_group();
}

int main(int argc, char **argv)
{
	bool self_test = argc > 1 && !strcmp(argv[1], "--self-test");
	char limit[32], enough[32], pointers[32];

	ksft_print_header();
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (count_scopes() < 0)
		ksft_exit_skip("takes root, and debugfs\n");
	soak = map_shared(sizeof(*soak));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Lest the sampling suffers from the load. */
	setpriority(PRIO_PROCESS, 0, -10);
	await_others();
	ksft_set_plan(SELF_TESTS + (self_test ? 0 : TESTS));
	test_measuring();
	if (!self_test) {
		read_text(LIMIT_FILE, limit, sizeof(limit));
		snprintf(enough, sizeof(enough), "%d", LIMIT);
		write_text(LIMIT_FILE, enough);
		has_shadow = kernel_shadows();
		/* Addresses as they are: which areas share a page of shadow? */
		read_text(POINTERS_FILE, pointers, sizeof(pointers));
		if (has_shadow)
			write_text(POINTERS_FILE, "1");
		soak_it();
		if (has_shadow)
			write_text(POINTERS_FILE, pointers);
		write_text(LIMIT_FILE, limit);
	}
	ksft_finished();
}
