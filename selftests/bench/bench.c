// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench: what handing over a message costs, for channels and what else there
 * is. Prints one tab-separated row per figure; scripts/bench makes tables of
 * them. README.md tells how the figures come about.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define NAME_SIZE		64
/* Messages of this size take so long that fewer do. */
#define LARGE			65536
/*
 * The scheduler takes some ten milliseconds to find out how two processes that
 * wake each other are best served, and the cost of a round changes until then.
 */
#define WARMUP			8000
#define WARMUP_LARGE		2000
#define ROUNDS			8000
#define ROUNDS_LARGE		2000
#define MESSAGES		48000
/* In a pair, which is one of many and compared with its neighbour only. */
#define PAIR_WARMUP		200
#define PAIR_ROUNDS		512
#define PAIR_MESSAGES		2000
#define CROWD			10000
#define CROWD_ROUNDS		20000
/* Beside the one task that a message is for. */
#define BYSTANDERS		8
#define WAKE_ROUNDS		8192
/* So that each link of a fan has its turn as often as any other. */
#define FAN_ROUNDS		8192
#define WIDE			1024
#define FAN_ROUNDS_WIDE		2048
#define FAN_SIZE		64
#define TRIES			8192
#define FOOTPRINT_CHANNELS	4000
#define SETTLE_SECONDS		10

static const size_t sizes[] = { 8, 64, 1024, 4096, LARGE };

static struct options {
	unsigned int settle;
	unsigned int pairs;
	bool list;
	bool filtered;
	regex_t only;
} options = {
	.settle = SETTLE_SECONDS,
};

/* wanted: is also how --list prints what there is. */
static bool wanted(const char *name)
{
	if (options.filtered && regexec(&options.only, name, 0, NULL, 0))
		return false;
	if (options.list)
		puts(name);
	return !options.list;
}

static void print_cost(const char *name, unsigned int count, const struct cost *cost)
{
	printf("%s\t%.1f\t%s\t%.3f\t%u\n", name, cost->ticks, unit_name(), cost->switches, count);
	fflush(stdout);
}

static void print_bytes(const char *name, unsigned int count, double bytes)
{
	printf("%s\t%.1f\tbyte\t-\t%u\n", name, bytes, count);
	fflush(stdout);
}

static void print_ratio(const char *name, unsigned int count, const struct interval *ratio)
{
	printf("%s\t%.3f\tratio\t%.3f\t%.3f\t%u\n", name, ratio->median, ratio->low, ratio->high,
	       count);
	fflush(stdout);
}

static void print_skipped(const char *name)
{
	printf("# %s: skipped: %s\n", name, strerror(errno));
	fflush(stdout);
}

/* --- Two processes --- */

typedef int (*exchange_fn)(const struct load *load, struct cost *cost);

static struct load single_load(exchange_fn exchange, const struct mechanism *mechanism, size_t size)
{
	unsigned int rounds = size < LARGE ? ROUNDS : ROUNDS_LARGE;

	return (struct load){
		.mechanism = mechanism,
		.size = size,
		.warmup = size < LARGE ? WARMUP : WARMUP_LARGE,
		.count = exchange == one_way ? MESSAGES : rounds,
	};
}

static void measure_single(exchange_fn exchange, const struct mechanism *mechanism, size_t size,
			   const char *name)
{
	struct load load = single_load(exchange, mechanism, size);
	struct cost cost;

	align_to_second();
	if (exchange(&load, &cost))
		print_skipped(name);
	else
		print_cost(name, load.count, &cost);
}

static struct load pair_load(exchange_fn exchange, const struct mechanism *mechanism, size_t size)
{
	return (struct load){
		.mechanism = mechanism,
		.size = size,
		.warmup = PAIR_WARMUP,
		.count = exchange == one_way ? PAIR_MESSAGES : PAIR_ROUNDS,
	};
}

/* Who goes first changes from pair to pair, so that a drift cancels out. */
static int measure_pair(exchange_fn exchange, const struct load loads[2], bool swap, double *ratio)
{
	struct cost costs[2];
	int first = swap;

	if (exchange(&loads[first], &costs[first]))
		return -1;
	if (exchange(&loads[!first], &costs[!first]))
		return -1;
	*ratio = costs[0].ticks / costs[1].ticks;
	return 0;
}

static void measure_pairs(exchange_fn exchange, const struct mechanism *mechanism, size_t size,
			  const char *name)
{
	const struct load loads[2] = {
		pair_load(exchange, mechanism, size),
		pair_load(exchange, find_mechanism("pipe"), size),
	};
	struct interval interval;
	double ratios[options.pairs];
	unsigned int i;

	for (i = 0; i < options.pairs; i++) {
		if (measure_pair(exchange, loads, i % 2, &ratios[i])) {
			print_skipped(name);
			return;
		}
	}
	interval = median_interval(ratios, options.pairs);
	print_ratio(name, options.pairs, &interval);
}

static void measure_named(const char *name, exchange_fn exchange,
			  const struct mechanism *mechanism, size_t size)
{
	if (!wanted(name))
		return;
	if (options.pairs)
		measure_pairs(exchange, mechanism, size, name);
	else
		measure_single(exchange, mechanism, size, name);
}

static void measure_exchange(const char *kind, exchange_fn exchange,
			     const struct mechanism *mechanism, size_t size)
{
	char name[NAME_SIZE];

	if (mechanism->only_size && mechanism->only_size != size)
		return;
	snprintf(name, sizeof(name), "%s/%s/%zu", kind, mechanism->name, size);
	measure_named(name, exchange, mechanism, size);
}

static void measure_exchanges(const char *kind, exchange_fn exchange)
{
	size_t m, s;

	/* The first one is the pipe, which pairs are compared with. */
	for (m = options.pairs ? 1 : 0; m < nmechanisms; m++) {
		for (s = 0; s < ARRAY_SIZE(sizes); s++)
			measure_exchange(kind, exchange, &mechanisms[m], sizes[s]);
	}
}

/* --- Selects --- */

/* With one case, in the place of read and write. */
static void measure_alone(const char *kind, exchange_fn exchange, const char *carrier)
{
	static const size_t some_sizes[] = { 64, 4096, LARGE };
	struct mechanism alone = select_alone(carrier);
	char name[NAME_SIZE];
	size_t s;

	for (s = 0; s < ARRAY_SIZE(some_sizes); s++) {
		snprintf(name, sizeof(name), "select1/%s/%zu", kind, some_sizes[s]);
		measure_named(name, exchange, &alone, some_sizes[s]);
	}
}

/* --- In a scope that is bound --- */

static void measure_in_scope(const char *who, const char *kind, exchange_fn exchange,
			     const char *carrier)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%s/%s/%d", who, kind, FAN_SIZE);
	measure_named(name, exchange, find_mechanism(carrier), FAN_SIZE);
}

/* A process that is alone in a group, and does nothing. */
static pid_t start_bystander(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (setpgid(pid, pid))
		die("setpgid");
	return pid;
}

/* In a process of its own, which stays outside afterwards. */
static void measure_scope(const char *who, bool member)
{
	pid_t other = 0, pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (pid) {
		if (waitpid(pid, &status, 0) != pid || status)
			die("waitpid");
		return;
	}
	if (setpgid(0, 0))
		die("setpgid");
	if (!member)
		other = start_bystander();
	enter_scope(other);
	measure_in_scope(who, "pingpong", ping_pong, "chan");
	measure_in_scope(who, "oneway", one_way, "chan64");
	fflush(stdout);
	if (other)
		kill(other, SIGKILL);
	_exit(0);
}

static void measure_scopes(void)
{
	fflush(stdout);
	measure_scope("member", true);
	measure_scope("owner", false);
}

static void measure_fan(const char *name, const struct mechanism *over)
{
	unsigned int rounds = over->width < WIDE ? FAN_ROUNDS : FAN_ROUNDS_WIDE;
	struct load load = {
		.mechanism = over,
		.size = FAN_SIZE,
		.warmup = rounds,
		.count = rounds,
	};
	struct cost cost;

	align_to_second();
	if (ping_pong(&load, &cost))
		print_skipped(name);
	else
		print_cost(name, load.count, &cost);
}

static void measure_select(const char *kind, enum select_way way, unsigned int width)
{
	struct mechanism over = select_over(way, width);
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%s/%u/%s", kind, width, over.name);
	if (wanted(name))
		measure_fan(name, &over);
}

static void measure_try(enum select_way way, unsigned int width)
{
	struct mechanism over = select_over(way, width);
	char name[NAME_SIZE];
	struct cost cost;

	snprintf(name, sizeof(name), "select-try/%u/%s", width, over.name);
	if (!wanted(name))
		return;
	align_to_second();
	if (try_links(&over, TRIES, &cost))
		print_skipped(name);
	else
		print_cost(name, TRIES, &cost);
}

static void measure_selects(const char *kind)
{
	static const unsigned int widths[] = { 1, 2, 8, 64, WIDE };
	enum select_way way;
	size_t w;

	for (way = BY_SELECT; way <= BY_EPOLL; way++) {
		for (w = 0; w < ARRAY_SIZE(widths); w++)
			measure_select(kind, way, widths[w]);
	}
}

static void measure_tries(void)
{
	static const unsigned int widths[] = { 1, 2, 8, 64 };
	enum select_way way;
	size_t w;

	for (way = BY_SELECT; way <= BY_EPOLL; way++) {
		for (w = 0; w < ARRAY_SIZE(widths); w++)
			measure_try(way, widths[w]);
	}
}

/* --- One process and its surroundings --- */

static void measure_crowd(const char *kind, enum crowd_side side, unsigned int tasks,
			  unsigned int rounds)
{
	char name[NAME_SIZE];
	struct cost cost;

	snprintf(name, sizeof(name), "%s/%u", kind, tasks);
	if (!wanted(name))
		return;
	align_to_second();
	if (crowd(side, tasks, rounds, &cost))
		print_skipped(name);
	else
		print_cost(name, rounds, &cost);
}

static void measure_crowds(void)
{
	static const unsigned int tasks[] = { 1, 2, CROWD };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tasks); i++)
		measure_crowd("crowd/receivers", CROWD_RECEIVES, tasks[i], CROWD_ROUNDS);
	for (i = 0; i < ARRAY_SIZE(tasks); i++)
		measure_crowd("crowd/senders", CROWD_SENDS, tasks[i], CROWD_ROUNDS);
}

static void measure_wakes(void)
{
	static const unsigned int tasks[] = { 1, 2, 1 + BYSTANDERS };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tasks); i++)
		measure_crowd("select-wake", CROWD_SELECTS, tasks[i], WAKE_ROUNDS);
}

static void measure_footprint(void)
{
	static const char name[] = "memory/chan";
	struct footprint bytes;

	if (!wanted(name))
		return;
	if (footprint(FOOTPRINT_CHANNELS, &bytes)) {
		print_skipped(name);
		return;
	}
	print_bytes(name, FOOTPRINT_CHANNELS, bytes.channel);
	print_bytes("memory/two-files", FOOTPRINT_CHANNELS, bytes.files);
}

/* --- Options --- */

static const char usage[] =
	"usage: bench [--only REGEX] [--list] [--settle SECONDS] [--pairs N]\n"
	"  --only REGEX      figures whose name matches (extended)\n"
	"  --list            their names\n"
	"  --settle SECONDS  to wait before the first one (10)\n"
	"  --pairs N         by the wall clock, N times side by side with a pipe\n";

static const struct option long_options[] = {
	{ "only", required_argument, NULL, 'o' },
	{ "list", no_argument, NULL, 'l' },
	{ "settle", required_argument, NULL, 's' },
	{ "pairs", required_argument, NULL, 'p' },
	{}
};

static bool parse_number(const char *text, unsigned int least, unsigned int *number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || value < least || value > 10000)
		return false;
	*number = value;
	return true;
}

static bool parse_option(int option)
{
	switch (option) {
	case 'o':
		options.filtered = true;
		return !regcomp(&options.only, optarg, REG_EXTENDED | REG_NOSUB);
	case 'l':
		options.list = true;
		return true;
	case 's':
		return parse_number(optarg, 0, &options.settle);
	case 'p':
		return parse_number(optarg, 1, &options.pairs);
	}
	return false;
}

static bool parse_options(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (!parse_option(option))
			return false;
	}
	return optind == argc;
}

static void prepare(void)
{
	if (options.list)
		return;
	if (options.pairs)
		use_wall_clock();
	else
		use_tsc();
	settle(options.settle);
}

static void measure_all(void)
{
	measure_exchanges("pingpong", ping_pong);
	measure_exchanges("oneway", one_way);
	measure_alone("pingpong", ping_pong, "chan");
	measure_alone("oneway", one_way, "chan64");
	if (options.pairs)
		return;
	measure_scopes();
	measure_footprint();
	measure_tries();
	measure_selects("select-default");
	keep_wakers_running(true);
	measure_selects("select");
	keep_wakers_running(false);
	/* Last: once there were threads, each call costs a little more. */
	measure_crowds();
	keep_wakers_running(true);
	measure_wakes();
}

int main(int argc, char **argv)
{
	if (!parse_options(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	prepare();
	measure_all();
	return 0;
}
