// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clock, memory and complaints of the benchmark.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/random.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bench.h"

#define CALIBRATION_LOOPS	10000
#define CALIBRATION_TRIES	9
#define PAGE_SIZE		4096

enum unit unit;

noreturn void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Two instructions a loop, which a real processor does in one cycle. */
static __u64 time_fast_loop(void)
{
	__u64 loops = CALIBRATION_LOOPS, start = __rdtsc();

	asm volatile("1: dec %0; jnz 1b" : "+r"(loops));
	return __rdtsc() - start;
}

/* Four instructions a loop, for which a real processor takes six cycles. */
static __u64 time_slow_loop(void)
{
	__u64 loops = CALIBRATION_LOOPS, product = 3, start = __rdtsc();

	asm volatile("1: imul %1, %1; imul %1, %1; dec %0; jnz 1b" : "+r"(loops), "+r"(product));
	return __rdtsc() - start;
}

/* The least of some tries has no interrupt in it. */
static double ticks_per_insn(__u64 (*time_loop)(void), unsigned int insns)
{
	__u64 ticks, least = ULLONG_MAX;
	int i;

	for (i = 0; i < CALIBRATION_TRIES; i++) {
		ticks = time_loop();
		if (ticks < least)
			least = ticks;
	}
	return (double)least / insns / CALIBRATION_LOOPS;
}

static bool about_one(double value)
{
	return value > 0.99 && value < 1.01;
}

/*
 * The sealed guest has nothing to be random from. Without a seed, which other
 * machines have from their boot on, each random number would cost the kernel
 * thousands of instructions.
 */
static void seed_random(void)
{
	struct {
		struct rand_pool_info info;
		char bytes[64];
	} seed = {
		.info.entropy_count = 8 * sizeof(seed.bytes),
		.info.buf_size = sizeof(seed.bytes),
	};
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed))
		die("seed of random numbers");
	close(fd);
}

/*
 * Under QEMU's -icount shift=0 the time stamp counter counts instructions.
 * That holds when loops of different speed take one tick per instruction each.
 */
void use_tsc(void)
{
	double fast = ticks_per_insn(time_fast_loop, 2);
	double slow = ticks_per_insn(time_slow_loop, 4);

	unit = about_one(fast) && about_one(slow) ? UNIT_INSN : UNIT_CYCLE;
	if (unit == UNIT_INSN)
		seed_random();
	printf("# clock: time stamp counter, %.3f and %.3f ticks per instruction\n", fast, slow);
}

void use_wall_clock(void)
{
	unit = UNIT_NS;
	printf("# clock: CLOCK_MONOTONIC\n");
}

const char *unit_name(void)
{
	static const char *const names[] = {
		[UNIT_INSN] = "insn",
		[UNIT_CYCLE] = "cycle",
		[UNIT_NS] = "ns",
	};

	return names[unit];
}

__u64 now(void)
{
	struct timespec ts;

	if (unit != UNIT_NS)
		return __rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void settle(unsigned int seconds)
{
	while (seconds)
		seconds = sleep(seconds);
}

/*
 * align_to_second: until the clock shows a full one, so that ticks and other
 * timers fall into a measure where they fell last time, and what the output of
 * the figure before set in motion has come to rest.
 */
void align_to_second(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += 2;
	ts.tv_nsec = 0;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* keep_wakers_running: or else who is woken may go first, the default. */
void keep_wakers_running(bool keep)
{
	struct sched_param param = { .sched_priority = 0 };

	if (sched_setscheduler(0, keep ? SCHED_BATCH : SCHED_OTHER, &param))
		die("sched_setscheduler");
}

/* page_aligned: memory that is there already, so that no fault is timed. */
void *page_aligned(size_t size)
{
	void *memory;

	errno = posix_memalign(&memory, PAGE_SIZE, size);
	if (errno)
		die("memory");
	memset(memory, 'm', size);
	return memory;
}

long switches_of_self(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* allow_descriptors: their table grows now, not in the middle of a measure. */
int allow_descriptors(unsigned int count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	if (limit.rlim_cur < count)
		limit.rlim_cur = count;
	if (limit.rlim_max < count)
		limit.rlim_max = count;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	if (dup2(STDERR_FILENO, count - 1) < 0)
		return -1;
	return close(count - 1);
}
