// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collector of the demo, in C with libchan: collect FILE
 *
 * One select over the reports of the workers on /dev/chan1, what it is told on
 * /dev/chan2, and a timer at whose ticks it says how far things are. It goes on
 * until both channels have ended.
 *
 * Each report goes to FILE, after the process that sent it:
 * "PID WORKER NUMBER WORD=COUNT...". What it is told is "expect LINES", at which
 * the timer starts, or "note TEXT".
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <chan.h>

#define ROOM		CHAN_DEFAULT_MAX_MSG
#define TICK_SECONDS	1

struct collector {
	struct chan_rx orders, reports;
	FILE *file;
	int timer;
	unsigned long expected, collected;
	uint64_t ticks;
};

/* In this order: with CHAN_SELECT_PRIORITY, many reports cannot hold up others. */
enum { TICK, ORDER, REPORT, CASES };

static char text[ROOM + 1];

static void die(const char *what, int error)
{
	fprintf(stderr, "collector: %s: %s\n", what, strerror(-error));
	exit(1);
}

static void start_timer(const struct collector *c)
{
	struct itimerspec ticks = { { TICK_SECONDS, 0 }, { TICK_SECONDS, 0 } };

	if (timerfd_settime(c->timer, 0, &ticks, NULL))
		die("timer", -errno);
}

static void say(const struct collector *c, const char *what)
{
	printf("  %3lu s: %5lu of %lu lines are in%s%s\n",
	       (unsigned long)c->ticks * TICK_SECONDS, c->collected,
	       c->expected, *what ? "; " : "", what);
}

static void take_tick(struct collector *c)
{
	uint64_t ticks;

	if (read(c->timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	c->ticks += ticks;
	say(c, "");
}

static void take_order(struct collector *c)
{
	if (sscanf(text, "expect %lu", &c->expected) == 1)
		start_timer(c);
	else if (strncmp(text, "note ", 5) == 0)
		say(c, text + 5);
}

static void take_report(struct collector *c, pid_t sender)
{
	c->collected++;
	fprintf(c->file, "%d %s\n", sender, text);
}

/* Returns if there is one, its newline cut off. Else the channel has ended. */
static bool take_message(const struct chan_case *chosen, struct chan_rx *from)
{
	size_t len;
	int ret = chan_case_received(chosen, &len);

	if (ret < 0)
		die("receive", ret);
	if (!ret)
		chan_rx_release(from);
	text[ret ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return ret;
}

/* The case of an end that has been released is never ready. */
static void take_next(struct collector *c)
{
	struct chan_case cases[CASES] = {
		[TICK] = chan_case_poll(c->timer, POLLIN),
		[ORDER] = chan_case_recv(c->orders, text, ROOM),
		[REPORT] = chan_case_recv(c->reports, text, ROOM),
	};
	int chosen = chan_select_until(cases, CASES, CHAN_SELECT_PRIORITY,
				       CHAN_SELECT_FOREVER, NULL);

	if (chosen < 0)
		die("select", chosen);
	if (chosen == TICK)
		take_tick(c);
	else if (chosen == ORDER && take_message(&cases[ORDER], &c->orders))
		take_order(c);
	else if (chosen == REPORT && take_message(&cases[REPORT], &c->reports))
		take_report(c, cases[REPORT].pid);
}

int main(int argc, char **argv)
{
	struct collector c = { .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC) };
	int ret;

	if (c.timer < 0)
		die("timer", -errno);
	c.file = argc == 2 ? fopen(argv[1], "w") : NULL;
	if (!c.file)
		die("collect FILE", argc == 2 ? -errno : -EINVAL);
	setlinebuf(stdout);
	ret = chan_rx_open("chan1", 0, &c.reports);
	if (ret)
		die("/dev/chan1", ret);
	ret = chan_rx_open("chan2", 0, &c.orders);
	if (ret)
		die("/dev/chan2", ret);
	while (c.reports.fd >= 0 || c.orders.fd >= 0)
		take_next(&c);
	say(&c, "that is all");
	return fclose(c.file) != 0;
}
