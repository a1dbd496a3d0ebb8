/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs share that make random load for a while and look at what is
 * left of it: choices that a seed repeats, children and their children, and what
 * the module and the kernel tell of objects and memory.
 */
#ifndef STRESS_TEST_H
#define STRESS_TEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <linux/types.h>

#include "kselftest.h"
#include "proc.h"

#define DEBUGFS		"/sys/kernel/debug/chan/"
#define CGROUP		"/sys/fs/cgroup"
/* A machine that emulates another one may be slow. */
#define STALL_MS	60000
#define MS		1000000ULL

/* --- Choices --- */

static inline __u64 mix(__u64 x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static inline __u32 draw_from(__u64 *random, __u32 below)
{
	*random = mix(*random);
	return (*random >> 16) % below;
}

static inline __u64 number_from(const char *variable, __u64 otherwise)
{
	const char *value = getenv(variable);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

/* --- Time --- */

static inline __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 * MS + ts.tv_nsec;
}

static inline void pause_us(__u32 us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L };

	nanosleep(&ts, NULL);
}

/* --- Memory for all processes --- */

static inline void *map_shared(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		ksft_exit_fail_msg("no memory: %s\n", strerror(errno));
	return memory;
}

/* --- Descendants: those of a subreaper come to it when their parents go --- */

/* All descendants have come to this process, which waits for them. */
static inline bool all_gone(long patience_ms)
{
	__u64 end = now_ns() + patience_ms * MS;
	pid_t pid;

	for (;;) {
		pid = waitpid(-1, NULL, WNOHANG);
		if (pid < 0)
			return true;
		if (!pid && now_ns() > end)
			return false;
		if (!pid)
			pause_us(1000);
	}
}

static inline void visit_children(void (*visit)(pid_t pid))
{
	char path[64], *at, text[4096] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	for (at = text; *at; at += strspn(at, " "))
		visit(strtol(at, &at, 10));
}

static inline void kill_left(pid_t pid)
{
	kill(pid, SIGKILL);
}

/* Until none is left; false if one does not go. */
static inline bool kill_all(long patience_ms)
{
	__u64 end = now_ns() + patience_ms * MS;

	do {
		visit_children(kill_left);
		if (all_gone(2))
			return true;
	} while (now_ns() < end);
	return false;
}

/* --- What the module has --- */

/* Each scope has a line, and each channel, that begins with its number. */
static inline int count_lines(const char *path, const char *kind)
{
	FILE *file = fopen(path, "re");
	char line[512];
	int count = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		count += line[0] != ' ' && strstr(line, kind);
	fclose(file);
	return count;
}

static inline int count_scopes(void)
{
	return count_lines(DEBUGFS "scopes", "");
}

/* Named ones are always there. */
static inline int count_channels(void)
{
	return count_lines(DEBUGFS "channels", "anonymous");
}

static inline int count_references(void)
{
	FILE *file = fopen("/sys/module/chan/refcnt", "re");
	int count = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &count) != 1)
		count = -1;
	fclose(file);
	return count;
}

/* What ends with a delay has some time for it. */
static inline bool comes_to(int (*count)(void), int expected, long patience_ms)
{
	__u64 end = now_ns() + patience_ms * MS;

	while (count() > expected && now_ns() < end)
		pause_us(5000);
	return count() == expected;
}

/* What was there before is to have gone, or its end would be taken for ours. */
static inline void await_others(void)
{
	comes_to(count_scopes, 0, STALL_MS);
	comes_to(count_references, 0, STALL_MS);
}

/* --- What the kernel has: a group's memory, if there are such groups --- */

static char memory_group[64];

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		ksft_print_msg("%s: %s\n", path, strerror(errno));
	close(fd);
}

static inline bool join_memory_group(const char *name)
{
	char path[128];

	write_file(CGROUP "/cgroup.subtree_control", "+memory");
	snprintf(memory_group, sizeof(memory_group), CGROUP "/chan-%s-%d", name, getpid());
	if (mkdir(memory_group, 0755))
		return false;
	snprintf(path, sizeof(path), "%s/memory.stat", memory_group);
	if (access(path, R_OK)) {
		rmdir(memory_group);
		return false;
	}
	snprintf(path, sizeof(path), "%s/cgroup.procs", memory_group);
	write_file(path, "0");
	return true;
}

static inline void leave_memory_group(void)
{
	write_file(CGROUP "/cgroup.procs", "0");
	rmdir(memory_group);
}

/* What the kernel holds for the group and cannot give back, in bytes. */
static inline long memory_held(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/memory.stat", memory_group);
	return number_in(path, "slab_unreclaimable");
}

/* An instrumented kernel keeps for a while what was freed. */
static inline bool memory_can_be_told(void)
{
	return access("/proc/lockdep_stats", F_OK) && access(DEBUGFS "../kmemleak", F_OK);
}

#endif /* STRESS_TEST_H */
