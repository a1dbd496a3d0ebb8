// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl run: run the commands in a scope until none is left, and tell what was
 * the first to go wrong.
 *
 * The library spawns, and cancels when one fails.  Here is what is a shell's
 * affair: signals to pass on, the terminal, what to say, and with which status to
 * exit.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chanctl.h"
#include "nursery.h"
#include "signals.h"

/* How much of a command is shown. */
#define SHOW_CHARACTERS 60
/* The same signal once more so soon is the same event: timeout(1) sends two. */
#define SAME_SIGNAL_MS 100

/* --- What to say --- */

/* Never in the middle of a UTF-8 sequence. */
static void cut(char *s)
{
	size_t len = SHOW_CHARACTERS - 3;

	while (len && (s[len] & 0xc0) == 0x80)
		len--;
	strcpy(s + len, "...");
}

/* To be freed. */
static char *describe(char *const *argv)
{
	char *s = text("%s", argv[0]), *longer;

	while (*++argv && strlen(s) <= SHOW_CHARACTERS) {
		longer = text("%s %s", s, *argv);
		free(s);
		s = longer;
	}
	if (strlen(s) > SHOW_CHARACTERS)
		cut(s);
	make_printable(s);
	return s;
}

/* "; cancelled 3 others, 1 not started", to be freed. */
static char *describe_rest(size_t others, size_t waiting)
{
	const char *separator = others ? "," : ";";
	char *cancelled, *rest;

	if (others)
		cancelled = text("; cancelled %zu other%s", others,
				 others == 1 ? "" : "s");
	else
		cancelled = text("%s", "");
	if (!waiting)
		return cancelled;
	rest = text("%s%s %zu not started", cancelled, separator, waiting);
	free(cancelled);
	return rest;
}

/* Something has gone wrong, and it is the first.  Takes what is to be said over. */
static void fail(struct nursery *n, int status, char *what, size_t others)
{
	char *rest = describe_rest(others, n->n_commands - n->next);

	complain("%s%s", what, rest);
	n->status = status;
	free(rest);
	free(what);
}

/* The child may have ended since those were counted out that had. */
static size_t count_others(const struct nursery *n, pid_t pid)
{
	size_t others = 0;

	for (size_t i = 0; i < n->n_running; i++)
		others += n->running[i] != pid;
	return others;
}

static void blame_child(struct nursery *n)
{
	const struct chan_child *first = &n->first;
	char *command = describe(first->arg), *what;
	int status = STATUS_OWN;

	if (first->end == CHAN_CHILD_EXITED) {
		status = first->status;
		what = text("'%s' (pid %d) exited with status %d", command,
			    first->pid, status);
	} else if (first->end == CHAN_CHILD_KILLED) {
		status = STATUS_SIGNAL + first->status;
		what = text("'%s' (pid %d) was killed by %s", command,
			    first->pid, signal_name(first->status));
	} else {
		what = text("'%s' (pid %d) is gone, and nobody knows how",
			    command, first->pid);
	}
	fail(n, status, what, count_others(n, first->pid));
	free(command);
}

/* It is our own time that is over, whatever that of a scope outside is. */
static bool is_late(const struct nursery *n)
{
	return n->options.deadline && chan_deadline(1) > n->options.deadline;
}

/*
 * How many it has cancelled cannot be told, for they may be gone already.  Who
 * cancels a scope outside sends a signal too, and to end by that says enough.
 */
static void blame_cause(struct nursery *n, int cause)
{
	int status = STATUS_OWN;
	char *what;

	if (cause != ETIMEDOUT && cause != EDEADLK && n->last_signal) {
		n->signal = n->last_signal;
		return;
	}
	if (cause == ETIMEDOUT) {
		status = STATUS_TIMEOUT;
		what = is_late(n) ? text("not done within %s", n->timeout) :
				    text("the scope outside has timed out");
	} else if (cause == EDEADLK) {
		status = STATUS_DEADLOCK;
		what = text("all commands wait for each other");
	} else {
		what = text("cancelled from outside: %s", strerror(cause));
	}
	fail(n, status, what, 0);
}

/* --- Commands --- */

/*
 * What the library has not waited for is still our child.  Those that have ended
 * are counted out before it hears of that, and cancels.
 */
static void count_running(struct nursery *n)
{
	size_t left = 0;

	for (size_t i = 0; i < n->n_running; i++) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, n->running[i], &info,
			   WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    !info.si_pid)
			n->running[left++] = n->running[i];
	}
	n->n_running = left;
}

static int status_of_exec(int error)
{
	switch (error) {
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return STATUS_OWN;
	case ENOENT:
		return STATUS_NOT_FOUND;
	default:
		return STATUS_NOT_EXECUTABLE;
	}
}

static void cannot_start(struct nursery *n, int error)
{
	char *command = describe(n->commands[n->next]);

	n->next++;
	fail(n, status_of_exec(error),
	     text("cannot run '%s': %s", command, strerror(error)),
	     n->n_running);
	chan_scope_cancel(n->scope, 0);
	free(command);
}

static bool is_over(const struct nursery *n)
{
	return n->status || n->signal;
}

/* As many as the limit allows.  One in a cancelled scope is not started at all. */
static void start_commands(struct nursery *n)
{
	while (n->next < n->n_commands && !is_over(n)) {
		char **argv = n->commands[n->next];
		pid_t pid;

		pid = chan_scope_try_spawn_command(n->scope, argv, NULL, NULL,
						   0);
		if (pid == -EBUSY || pid == -ECANCELED)
			return;
		if (pid < 0) {
			cannot_start(n, -pid);
			return;
		}
		n->running =
			append(n->running, &n->n_running, sizeof(*n->running));
		n->running[n->n_running - 1] = pid;
		n->next++;
	}
}

/* --- Signals --- */

/*
 * The first one cancels: the commands get it in place of the signal that was asked
 * for.  If they are being cancelled already they get it all the same.
 */
static void pass_on(struct nursery *n, int signal)
{
	if (!is_over(n) && chan_scope_set_signal(n->scope, signal) == 0)
		n->signal = signal;
	else
		kill(-n->terminal.group, signal);
	chan_scope_cancel(n->scope, 0);
}

static void handle_end(struct nursery *n, int signal, uint64_t when)
{
	bool same = signal == n->last_signal &&
		    when - n->last_ms < SAME_SIGNAL_MS;

	if (same)
		return;
	if (n->last_signal)
		kill(-n->terminal.group, SIGKILL);
	else
		pass_on(n, signal);
	n->last_signal = signal;
	n->last_ms = when;
}

static void handle_signals(struct nursery *n)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		uint64_t when = signals_take(ends[i]);

		if (when)
			handle_end(n, ends[i], when);
	}
	if (signals_take(SIGTSTP))
		terminal_stop(&n->terminal);
	if (signals_take(SIGCONT))
		terminal_go_on(&n->terminal);
	if (signals_take(SIGCHLD) && !terminal_look_for_stops(&n->terminal) &&
	    !is_over(n)) {
		fail(n, STATUS_OWN,
		     text("a command wants the terminal, which is not ours"),
		     n->n_running);
		chan_scope_cancel(n->scope, 0);
	}
}

/* --- Together --- */

/* Tell the first thing that has gone wrong, as soon as it has. */
static void look_for_cause(struct nursery *n, int ret)
{
	struct chan_scope_info info = { 0 };

	if (is_over(n))
		return;
	chan_scope_info(n->scope, &info, sizeof(info));
	if (n->first.end != CHAN_CHILD_NONE)
		blame_child(n);
	else if (info.cause)
		blame_cause(n, info.cause);
	else if (ret < 0 && ret != -EBUSY)
		fail(n, STATUS_OWN, text("%s", strerror(-ret)), n->n_running);
}

static void run_commands(struct nursery *n)
{
	int ret;

	do {
		handle_signals(n);
		count_running(n);
		start_commands(n);
		ret = chan_scope_wait_until(n->scope, &n->first, 0);
		look_for_cause(n, ret);
		if (ret == -EBUSY)
			signals_await(n->scope, n->n_running && !is_over(n));
	} while (ret == -EBUSY || (n->next < n->n_commands && !is_over(n)));
}

/* An end that receives will do, or one that sends, whatever may be opened. */
static int open_channel(const char *name, int *fd)
{
	struct chan_rx rx;
	struct chan_tx tx = CHAN_TX_INIT;
	int ret = chan_rx_open(name, 0, &rx);

	if (ret == -EACCES)
		ret = chan_tx_open(name, 0, &tx);
	*fd = rx.fd >= 0 ? rx.fd : tx.fd;
	return ret;
}

static int adopt_channels(struct nursery *n)
{
	for (size_t i = 0; i < n->n_adopted; i++) {
		int fd, ret = open_channel(n->adopted[i], &fd);

		ret = ret ?: chan_scope_adopt(n->scope, fd);
		if (fd >= 0)
			close(fd);
		if (!ret)
			continue;
		if (ret == -ECANCELED)
			return ret;
		complain("cannot adopt '%s': %s", n->adopted[i],
			 ret == -EBUSY ?
				 "somebody uses it, or a message is in it" :
				 strerror(-ret));
		return ret;
	}
	return 0;
}

static int open_scope(struct nursery *n)
{
	int ret = chan_scope_open(&n->options, &n->scope);

	if (ret == -ENOENT)
		complain("no /dev/chanctl; try: sudo chanctl load");
	else if (ret)
		complain("cannot open a scope: %s", strerror(-ret));
	return ret;
}

/* That the scope is cancelled already is told where all such things are. */
static int prepare(struct nursery *n)
{
	struct chan_scope_info info;
	int ret = chan_scope_info(n->scope, &info, sizeof(info));

	/* So that to ask for it in a wait cannot fail. */
	if (!ret)
		ret = chan_scope_fd(n->scope);
	if (ret >= 0)
		ret = signals_open(n->scope);
	if (!ret)
		terminal_open(&n->terminal, info.pgid);
	else if (ret != -ECANCELED)
		complain("%s", strerror(-ret));
	return ret ?: adopt_channels(n);
}

/* ^C in a terminal that the commands had is meant for all of the job. */
static void end_job(const struct nursery *n)
{
	int signal = n->status - STATUS_SIGNAL;

	if (n->terminal.lent && (signal == SIGINT || signal == SIGQUIT)) {
		kill(0, signal);
		signals_die(signal);
	}
}

int nursery_run(struct nursery *n)
{
	int ret;

	n->status = STATUS_OWN;
	n->terminal.fd = -1;
	if (open_scope(n))
		return n->status;
	ret = prepare(n);
	if (!ret || ret == -ECANCELED)
		n->status = 0;
	if (!ret)
		run_commands(n);
	else
		look_for_cause(n, ret);
	terminal_close(&n->terminal);
	signals_close();
	chan_scope_close(n->scope);
	free(n->running);
	/* The init of a container survives that. */
	if (n->signal) {
		signals_die(n->signal);
		return STATUS_SIGNAL + n->signal;
	}
	end_job(n);
	return n->status;
}
