/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What it costs to hand a message over: the parts of the benchmark.
 */
#ifndef CHAN_BENCH_H
#define CHAN_BENCH_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* --- util.c: clock, memory, complaints --- */

/* What one tick of now() is. */
enum unit {
	UNIT_INSN,	/* an instruction of the guest */
	UNIT_CYCLE,	/* a cycle of the time stamp counter */
	UNIT_NS,	/* a nanosecond of the wall clock */
};

extern enum unit unit;

void use_tsc(void);
void use_wall_clock(void);
const char *unit_name(void);
__u64 now(void);
void settle(unsigned int seconds);
void align_to_second(void);

noreturn void die(const char *what);
void *page_aligned(size_t size);
long switches_of_self(void);

/* --- link.c: one direction from one process to another --- */

struct link {
	int send_fd;
	int recv_fd;
};

/**
 * struct mechanism - a way to carry messages
 * @name: as it stands in the name of a figure.
 * @capacity: messages that it is asked to buffer.
 * @only_size: the one size it can carry, 0 if any.
 * @open: makes a link for messages of @size bytes, or returns -1 with errno.
 * @send: hands over one whole message, or dies.
 * @recv: takes one whole message, or dies.
 */
struct mechanism {
	const char *name;
	unsigned int capacity;
	size_t only_size;
	int (*open)(struct link *link, size_t size, unsigned int capacity);
	void (*send)(const struct link *link, const void *buf, size_t size);
	void (*recv)(const struct link *link, void *buf, size_t size);
};

extern const struct mechanism mechanisms[];
extern const size_t nmechanisms;

const struct mechanism *find_mechanism(const char *name);
void close_link(struct link *link);

/* --- exchange.c: two processes --- */

/* What one operation cost, and how often the CPU changed hands for it. */
struct cost {
	double ticks;
	double switches;
};

/**
 * struct load - what to do how often
 * @mechanism: carries the messages.
 * @size: of a message in bytes.
 * @warmup: operations before the clock starts.
 * @count: operations on the clock.
 */
struct load {
	const struct mechanism *mechanism;
	size_t size;
	unsigned int warmup;
	unsigned int count;
};

/* Both return -1 with errno where the mechanism is not to be had. */
int ping_pong(const struct load *load, struct cost *cost);
int one_way(const struct load *load, struct cost *cost);

/* --- crowd.c: many tasks parked on one channel --- */

enum crowd_side { CROWD_RECEIVES, CROWD_SENDS };

int crowd(enum crowd_side side, unsigned int tasks, unsigned int count, struct cost *cost);

/* --- footprint.c: memory --- */

/* What one idle anonymous channel takes, and what its two files alone do. */
struct footprint {
	double channel;
	double files;
};

int footprint(unsigned int channels, struct footprint *footprint);

/* --- pairs.c: ratios of a noisy measure --- */

struct interval {
	double median;
	double low;
	double high;
};

struct interval median_interval(double *values, size_t count);

#endif /* CHAN_BENCH_H */
