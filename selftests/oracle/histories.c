// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is what tasks see on channels what the contract promises? Records histories of
 * random operations, see record.c, and checks each of them, see check.h.
 *
 *	histories			record and check
 *	histories --check FILE		only check the histories in it; doctored.py
 *					does so with ones that are wrong
 *
 *	CHAN_ORACLE_SECONDS=N		how long to record, all in all
 *	CHAN_ORACLE_SEED=N		make other choices
 *	CHAN_HISTORY=DIRECTORY		keep the history that was found wrong there
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "kselftest.h"
#include "record.h"
#include "../stress_test.h"

#define SECONDS		24
/* Instrumented kernels need more for the same. */
#define SECONDS_DEBUG	64
/* However slow it is. */
#define LEAST_LIVES	3

static const struct mix mixes[] = {
	{
		.name = "rendezvous", .channels = 2, .nowait = 8, .long_messages = 8,
	}, {
		.name = "buffered", .channels = 3, .capacity = { 1, 3, 16 },
		.nowait = 8, .long_messages = 16,
	}, {
		.name = "select", .channels = 4, .capacity = { 0, 0, 1, 2 },
		.selects = 1, .nowait = 8, .ordered = 3,
	}, {
		.name = "tries", .channels = 3, .capacity = { 1, 2, 0 },
		.selects = 2, .nowait = 1, .ordered = 3,
	}, {
		.name = "deadlines", .channels = 4, .capacity = { 0, 0, 0, 1 },
		.selects = 1, .nowait = 16, .deadlines = 2, .long_messages = 8,
	}, {
		.name = "signals", .channels = 3, .capacity = { 0, 0, 2 }, .selects = 2,
		.nowait = 16, .long_messages = 4, .signals = 2,
	}, {
		.name = "killed-senders", .channels = 3, .capacity = { 0, 0, 2 },
		.nowait = 8, .long_messages = 4, .kills = 2, .spare_receivers = true,
	}, {
		.name = "kills", .channels = 3, .capacity = { 0, 1, 3 }, .selects = 2,
		.nowait = 8, .deadlines = 4, .long_messages = 4, .signals = 4, .kills = 2,
	}, {
		.name = "bad-memory", .channels = 3, .capacity = { 0, 1, 4 }, .selects = 2,
		.nowait = 8, .long_messages = 2, .faults = 6, .short_rooms = 8,
	},
};

static __u64 events[NR_EVENTS];

static bool is_slow(void)
{
	return !access("/proc/lockdep_stats", F_OK);
}

static void keep(const struct history *h)
{
	const char *directory = getenv("CHAN_HISTORY");
	char path[256];
	FILE *file;

	if (!directory || !*directory) {
		ksft_print_msg("with CHAN_HISTORY=DIRECTORY it would be kept\n");
		return;
	}
	snprintf(path, sizeof(path), "%s/%s.history", directory, h->name);
	file = fopen(path, "w");
	if (!file) {
		ksft_print_msg("%s cannot be written\n", path);
		return;
	}
	history_write(h, file);
	fclose(file);
	ksft_print_msg("kept in %s\n", path);
}

/* False if it is not explained. */
static bool record_and_check(const struct mix *mix, __u64 seed, __u32 number,
			     struct history *h, struct verdict *v)
{
	history_reset(h);
	snprintf(h->name, sizeof(h->name), "%s-%u", mix->name, number);
	/* By turns, so that even a short run meets both ends. */
	record_life(mix, seed + number, (mix - mixes + number) % 4 == 0, h);
	check_history(h, v);
	if (!v->nr) {
		count_events(h, events);
		return true;
	}
	ksft_print_msg("%s: %u operations\n", h->name, h->nr);
	verdict_print(h, v, "# ", stdout);
	keep(h);
	return false;
}

static void test_mix(const struct mix *mix, __u64 seed, double seconds, struct history *h)
{
	__u64 until = seconds * 1000, messages = 0, excused = 0, operations = 0;
	struct timespec ts;
	struct verdict v;
	bool good = true;
	__u32 lives;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	until += ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	for (lives = 0; good; lives++) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		if (lives >= LEAST_LIVES && ts.tv_sec * 1000 + ts.tv_nsec / 1000000 >= until)
			break;
		good = record_and_check(mix, seed, lives, h, &v);
		messages += v.messages;
		excused += v.excused;
		operations += h->nr;
	}
	ksft_test_result(good && messages,
			 "%s: %u lives, %ju operations, %ju messages, %ju excused\n",
			 mix->name, lives, (uintmax_t)operations, (uintmax_t)messages,
			 (uintmax_t)excused);
}

static void test_all(void)
{
	__u64 seed = number_from("CHAN_ORACLE_SEED", 1);
	__u64 seconds = number_from("CHAN_ORACLE_SECONDS", is_slow() ? SECONDS_DEBUG : SECONDS);
	struct history h = {};
	int i;

	ksft_print_header();
	ksft_set_plan(ARRAY_SIZE(mixes) + NR_EVENTS);
	ksft_print_msg("CHAN_ORACLE_SECONDS=%ju CHAN_ORACLE_SEED=%ju\n", (uintmax_t)seconds,
		       (uintmax_t)seed);
	record_init();
	for (i = 0; i < ARRAY_SIZE(mixes); i++)
		test_mix(&mixes[i], (seed << 40) + ((__u64)i << 32),
			 (double)seconds / ARRAY_SIZE(mixes), &h);
	for (i = 0; i < NR_EVENTS; i++)
		ksft_test_result(events[i], "calls met '%s': %ju\n", event_names[i],
				 (uintmax_t)events[i]);
	ksft_finished();
}

static int check_file(const char *path)
{
	FILE *file = fopen(path, "r");
	struct history h = {};
	struct verdict v;
	int status = 0;

	if (!file) {
		perror(path);
		return 2;
	}
	while (history_read(&h, file)) {
		check_history(&h, &v);
		printf("%s: %s\n", h.name, v.nr ? "rejected" : "accepted");
		verdict_print(&h, &v, "  ", stdout);
		status |= v.nr != 0;
	}
	return status;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 3 && !strcmp(argv[1], "--check"))
		return check_file(argv[2]);
	if (argc > 1) {
		fprintf(stderr, "usage: histories [--check FILE]\n");
		return 2;
	}
	test_all();
}
