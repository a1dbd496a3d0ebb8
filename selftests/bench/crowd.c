// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many tasks parked on one channel, or each in a select over the same channels,
 * of which each operation wakes one.
 *
 * The crowd is threads with small stacks. Each message across the crowded
 * channel is answered across a second one. That one is buffered, so that the
 * answer never waits: a task that has slept long runs at once when woken, in
 * the middle of its waker's call, and one that has not runs a little later. A
 * round is two switches either way.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/chan.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

#define STACK_SIZE	16384
/* Cases of each select. */
#define SELECT_WIDTH	64
#define MESSAGE_SIZE	64
/* Tasks beside the crowd. */
#define SPARE_TASKS	2000

struct crowd {
	struct mechanism via;
	const struct mechanism *back;
	enum crowd_side side;
	unsigned int tasks;
	struct link crowded;
	struct link answer;
	struct member *members;
	char *stacks;
};

/* One task of the crowd, with what it waits for. */
struct member {
	const struct crowd *crowd;
	pthread_t thread;
	struct link crowded;
	char message[MESSAGE_SIZE];
};

static void raise_limit(const char *path, unsigned long value)
{
	FILE *file = fopen(path, "r+");
	unsigned long old;

	if (!file)
		return;
	if (fscanf(file, "%lu", &old) == 1 && old < value) {
		rewind(file);
		fprintf(file, "%lu\n", value);
	}
	fclose(file);
}

static void allow_tasks(unsigned int tasks)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_NPROC, &limit);
	raise_limit("/proc/sys/kernel/threads-max", tasks + SPARE_TASKS);
	raise_limit("/proc/sys/kernel/pid_max", tasks + SPARE_TASKS);
}

static bool receives(const struct crowd *crowd)
{
	return crowd->side != CROWD_SENDS;
}

/*
 * One of the crowd, until it is cancelled in a call that waits. To the C
 * library an ioctl is none, so cancelling does not wait for its leave.
 */
static void *stand_in_crowd(void *arg)
{
	struct member *member = arg;
	const struct crowd *crowd = member->crowd;
	char *message = member->message;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		if (receives(crowd))
			crowd->via.recv(&member->crowded, message, MESSAGE_SIZE);
		else
			crowd->via.send(&member->crowded, message, MESSAGE_SIZE);
		crowd->back->send(&crowd->answer, message, MESSAGE_SIZE);
	}
	return NULL;
}

static unsigned int parked(const struct crowd *crowd)
{
	struct chan_info info = { .id = 0 };

	if (ioctl(crowd->crowded.send_fd, CHAN_IOC_INFO, &info))
		die("CHAN_IOC_INFO");
	return receives(crowd) ? info.parked_receivers : info.parked_senders;
}

static void join_crowd(const struct crowd *crowd, struct member *member,
		       const pthread_attr_t *attr)
{
	member->crowd = crowd;
	member->crowded = crowd->crowded;
	watch_link(&member->crowded, &crowd->via, member->message, MESSAGE_SIZE);
	errno = pthread_create(&member->thread, attr, stand_in_crowd, member);
	if (errno)
		die("pthread_create");
}

static void gather(struct crowd *crowd)
{
	pthread_attr_t attr;
	unsigned int i;

	pthread_attr_init(&attr);
	for (i = 0; i < crowd->tasks; i++) {
		pthread_attr_setstack(&attr, crowd->stacks + (size_t)i * STACK_SIZE, STACK_SIZE);
		join_crowd(crowd, &crowd->members[i], &attr);
	}
	pthread_attr_destroy(&attr);
	while (parked(crowd) < crowd->tasks)
		usleep(1000);
}

static void disperse(struct crowd *crowd)
{
	unsigned int i;

	for (i = 0; i < crowd->tasks; i++)
		pthread_cancel(crowd->members[i].thread);
	for (i = 0; i < crowd->tasks; i++) {
		pthread_join(crowd->members[i].thread, NULL);
		free(crowd->members[i].crowded.watched);
	}
}

static void play_rounds(const struct crowd *crowd, unsigned int rounds)
{
	char message[MESSAGE_SIZE] = { 0 };

	while (rounds--) {
		if (receives(crowd))
			crowd->via.send(&crowd->crowded, message, sizeof(message));
		else
			crowd->via.recv(&crowd->crowded, message, sizeof(message));
		crowd->back->recv(&crowd->answer, message, sizeof(message));
	}
}

/* Switches of all threads together: getrusage sums them up. */
static void time_rounds(const struct crowd *crowd, unsigned int count, struct cost *cost)
{
	__u64 start;
	long before;

	play_rounds(crowd, count);
	before = switches_of_self();
	start = now();
	play_rounds(crowd, count);
	cost->ticks = (double)(now() - start) / count;
	cost->switches = (double)(switches_of_self() - before) / count;
}

int crowd(enum crowd_side side, unsigned int tasks, unsigned int count, struct cost *cost)
{
	struct crowd crowd = {
		.via = side == CROWD_SELECTS ? select_over(BY_SELECT, SELECT_WIDTH) :
					       *find_mechanism("chan"),
		.back = find_mechanism("chan64"),
		.side = side,
		.tasks = tasks,
	};

	if (open_link(&crowd.crowded, &crowd.via, MESSAGE_SIZE))
		return -1;
	if (open_link(&crowd.answer, crowd.back, MESSAGE_SIZE))
		die("chan");
	allow_tasks(tasks);
	crowd.members = page_aligned(tasks * sizeof(*crowd.members));
	crowd.stacks = mmap(NULL, (size_t)tasks * STACK_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (crowd.stacks == MAP_FAILED)
		die("stacks");
	gather(&crowd);
	time_rounds(&crowd, count, cost);
	disperse(&crowd);
	munmap(crowd.stacks, (size_t)tasks * STACK_SIZE);
	free(crowd.members);
	close_link(&crowd.crowded);
	close_link(&crowd.answer);
	return 0;
}
