// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two processes, a message going to and fro between them or one way only.
 *
 * The clock runs in one process, from when it has been through the warm-up to
 * when it is through with the rest: steady state, no start and no end. Each
 * process counts its own switches over its own part of the same operations.
 *
 * Ping-pong has two steady states. Either who receives is there first, or who
 * sends; both sides of a rendezvous can wait, so both go on for ever, and a timer
 * that comes at a bad moment turns one into the other. What is meant is the first,
 * so it is brought about now and then, and the median is what a round costs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* What the child has to say, in memory that both see. */
struct report {
	__u64 ticks;
	long switches;
};

static struct report *open_report(void)
{
	struct report *report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (report == MAP_FAILED)
		die("mmap");
	return report;
}

/* A partner that dies leaves the other one waiting: it takes that one along. */
static void child_ended(int sig)
{
	static const char text[] = "bench: the other process gave up\n";
	siginfo_t info = { .si_pid = 0 };

	(void)sig;
	waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
	if (!info.si_pid || (info.si_code == CLD_EXITED && !info.si_status))
		return;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* fork_partner: 0 in the new process. */
static pid_t fork_partner(void)
{
	pid_t pid;

	signal(SIGCHLD, child_ended);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void join_partner(pid_t pid)
{
	int status;

	signal(SIGCHLD, SIG_DFL);
	if (waitpid(pid, &status, 0) != pid || status)
		die("the other process failed");
}

/* The switches are those of @rounds, some of which are off the clock. */
static void account(const struct load *load, unsigned int rounds, struct report *mine,
		    struct report *others, struct cost *cost)
{
	cost->ticks = (double)(mine->ticks + others->ticks) / load->count;
	cost->switches = (double)(mine->switches + others->switches) / rounds;
	munmap(others, sizeof(*others));
}

/* --- Ping-pong --- */

/* Each begins with the partner waiting for the ball. */
#define PARTS	16
/* Of each, before the clock runs. */
#define LEAD_IN	16

struct table {
	struct link there;
	struct link back;
};

static unsigned int all_rounds(const struct load *load)
{
	return load->count + PARTS * LEAD_IN;
}

static const struct mechanism *answers_over(const struct mechanism *via)
{
	return via->carrier ? via->carrier : via;
}

static void serve_rounds(const struct load *load, const struct table *table, void *ball,
			 unsigned int rounds)
{
	const struct mechanism *there = load->mechanism, *back = answers_over(there);

	while (rounds--) {
		there->send(&table->there, ball, load->size);
		back->recv(&table->back, ball, load->size);
	}
}

static void return_rounds(const struct load *load, const struct table *table, void *ball,
			  unsigned int rounds)
{
	const struct mechanism *there = load->mechanism, *back = answers_over(there);

	while (rounds--) {
		there->recv(&table->there, ball, load->size);
		back->send(&table->back, ball, load->size);
	}
}

static void play_partner(const struct load *load, struct table *table, struct report *report)
{
	void *ball = page_aligned(load->size);
	long before;

	watch_link(&table->there, load->mechanism, ball, load->size);
	return_rounds(load, table, ball, load->warmup);
	before = switches_of_self();
	return_rounds(load, table, ball, all_rounds(load));
	report->switches = switches_of_self() - before;
}

/* Not whoever the scheduler lets run first. */
static void await_partner(const struct table *table)
{
	struct pollfd there = { .fd = table->there.send_fd, .events = POLLOUT };

	if (poll(&there, 1, -1) != 1)
		die("poll of the partner");
}

static __u64 play_part(const struct load *load, const struct table *table, void *ball)
{
	__u64 start;

	await_partner(table);
	serve_rounds(load, table, ball, LEAD_IN);
	start = now();
	serve_rounds(load, table, ball, load->count / PARTS);
	return now() - start;
}

static int compare_ticks(const void *one, const void *other)
{
	__u64 a = *(const __u64 *)one, b = *(const __u64 *)other;

	return (a > b) - (a < b);
}

static void play(const struct load *load, const struct table *table, struct report *report)
{
	void *ball = page_aligned(load->size);
	__u64 ticks[PARTS];
	long before;
	int i;

	await_partner(table);
	serve_rounds(load, table, ball, load->warmup);
	before = switches_of_self();
	for (i = 0; i < PARTS; i++)
		ticks[i] = play_part(load, table, ball);
	report->switches = switches_of_self() - before;
	qsort(ticks, PARTS, sizeof(ticks[0]), compare_ticks);
	report->ticks = (ticks[PARTS / 2 - 1] + ticks[PARTS / 2]) / 2 * PARTS;
	free(ball);
}

static int open_table(const struct load *load, struct table *table)
{
	const struct mechanism *via = load->mechanism;

	if (open_link(&table->there, via, load->size))
		return -1;
	if (open_link(&table->back, answers_over(via), load->size))
		die(via->name);
	return 0;
}

int ping_pong(const struct load *load, struct cost *cost)
{
	struct report *others, mine = { 0 };
	struct table table;
	pid_t pid;

	errno = EINVAL;
	if (load->count % PARTS)
		die("number of rounds");
	if (open_table(load, &table))
		return -1;
	others = open_report();
	pid = fork_partner();
	if (!pid) {
		play_partner(load, &table, others);
		_exit(0);
	}
	play(load, &table, &mine);
	join_partner(pid);
	account(load, all_rounds(load), &mine, others, cost);
	close_link(&table.there);
	close_link(&table.back);
	return 0;
}

/* --- One way --- */

static void send_rounds(const struct load *load, const struct link *link, const void *message,
			unsigned int rounds)
{
	while (rounds--)
		load->mechanism->send(link, message, load->size);
}

static void recv_rounds(const struct load *load, const struct link *link, void *room,
			unsigned int rounds)
{
	while (rounds--)
		load->mechanism->recv(link, room, load->size);
}

static void drain(const struct load *load, const struct link *link, struct report *report)
{
	void *room = page_aligned(load->size);
	__u64 start;
	long before;

	recv_rounds(load, link, room, load->warmup);
	before = switches_of_self();
	start = now();
	recv_rounds(load, link, room, load->count);
	report->ticks = now() - start;
	report->switches = switches_of_self() - before;
}

static void pour(const struct load *load, const struct link *link, struct report *report)
{
	void *message = page_aligned(load->size);
	long before;

	send_rounds(load, link, message, load->warmup);
	before = switches_of_self();
	send_rounds(load, link, message, load->count);
	report->switches = switches_of_self() - before;
	free(message);
}

int one_way(const struct load *load, struct cost *cost)
{
	const struct mechanism *via = load->mechanism;
	struct report *others, mine = { 0 };
	struct link link;
	pid_t pid;

	if (open_link(&link, via, load->size))
		return -1;
	others = open_report();
	pid = fork_partner();
	if (!pid) {
		drain(load, &link, others);
		_exit(0);
	}
	pour(load, &link, &mine);
	join_partner(pid);
	account(load, load->count, &mine, others, cost);
	close_link(&link);
	return 0;
}
