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
#include <sys/types.h>

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
void keep_wakers_running(bool keep);

noreturn void die(const char *what);
void *page_aligned(size_t size);
long switches_of_self(void);
int allow_descriptors(unsigned int count);

/* What one operation cost, and how often the CPU changed hands for it. */
struct cost {
	double ticks;
	double switches;
};

/* --- link.c: one direction from one process to another --- */

struct fan;

/**
 * struct link - what messages go over
 * @send_fd: what is written to.
 * @recv_fd: what is read from, or waited on.
 * @fan: the links that this one is made of, NULL for a single one.
 * @watched: what this task waits for, where the mechanism has a list of that.
 */
struct link {
	int send_fd;
	int recv_fd;
	struct fan *fan;
	void *watched;
};

/**
 * struct mechanism - a way to carry messages
 * @name: as it stands in the name of a figure.
 * @capacity: messages that it is asked to buffer.
 * @only_size: the one size it can carry, 0 if any.
 * @open: makes a link for messages of @size bytes, or returns -1 with errno.
 * @send: hands over one whole message, or dies.
 * @recv: takes one whole message, or dies.
 * @carrier: what its links are, if it sends over several of them in turn;
 *	answers go over one such link.
 * @width: how many links.
 * @watch: tells a task's own copy of the link where its messages go; before
 *	the first @recv and @try. NULL if there is nothing to tell.
 * @try: looks for a message where there is none. NULL if not measured.
 */
struct mechanism {
	const char *name;
	unsigned int capacity;
	size_t only_size;
	int (*open)(struct link *link, const struct mechanism *via, size_t size);
	void (*send)(const struct link *link, const void *buf, size_t size);
	void (*recv)(const struct link *link, void *buf, size_t size);
	const struct mechanism *carrier;
	unsigned int width;
	void (*watch)(struct link *link, void *room, size_t size);
	void (*try)(const struct link *link);
};

extern const struct mechanism mechanisms[];
extern const size_t nmechanisms;

const struct mechanism *find_mechanism(const char *name);
int open_link(struct link *link, const struct mechanism *via, size_t size);
void watch_link(struct link *link, const struct mechanism *via, void *room, size_t size);
void close_link(struct link *link);
void enter_scope(pid_t member);

/* --- select.c: one link out of many, and one alone --- */

enum select_way { BY_SELECT, BY_POLL, BY_EPOLL };

struct mechanism select_over(enum select_way way, unsigned int width);
struct mechanism select_alone(const char *carrier);
int try_links(const struct mechanism *via, unsigned int count, struct cost *cost);
void close_fan(struct fan *fan);

/* --- exchange.c: two processes --- */

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

/* --- crowd.c: many tasks parked on the same channels --- */

enum crowd_side { CROWD_RECEIVES, CROWD_SENDS, CROWD_SELECTS };

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
