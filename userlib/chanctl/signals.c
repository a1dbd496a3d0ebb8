// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl run: signals, and sleeping until one comes.
 *
 * The handler does nothing but ring a bell.  As long as the scope lives that is a
 * message in a channel of this very scope.  So who sleeps for it counts as one who
 * waits in the scope, and a deadlock of the commands can be told; one who sleeps in
 * poll() could do anything when it returns.  A scope that was cancelled has no
 * channel any more, and no deadlock: then the bell is an eventfd.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chan.h>

#include "chanctl.h"
#include "signals.h"

/* Those that end run, those of a job, and those of children. */
static const int handled[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGCHLD,
};

#define N_HANDLED (sizeof(handled) / sizeof(handled[0]))

/* When, on the monotonic clock; 0 if it has not. */
static _Atomic uint64_t came_ms[NSIG];

static struct bell {
	struct chan_tx tx;
	struct chan_rx rx;
	int event;
} bell = { CHAN_TX_INIT, CHAN_RX_INIT, -1 };

static void ring(int signal)
{
	int saved_errno = errno;

	came_ms[signal] = chan_deadline(1) / CHAN_MILLISECOND;
	/*
	 * Always both: who sleeps hears but one of them, and a channel that is
	 * full says nothing about the other.
	 */
	(void)!chan_try_send(bell.tx, "", 1);
	eventfd_write(bell.event, 1);
	errno = saved_errno;
}

static int open_bell(struct chan_scope *scope)
{
	bell.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell.event < 0)
		return -errno;
	return chan_scope_pair(scope, 1, 1, 0, &bell.tx, &bell.rx);
}

/* SIGTTOU would come of lending the terminal, and taking it back. */
static void set_mask(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < N_HANDLED; i++)
		sigaddset(&set, handled[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/*
 * What was ignored stays so, as nohup(1) wants it; but not children, whose end
 * nobody could tell.  What was blocked does not, for the same reason.
 */
int signals_open(struct chan_scope *scope)
{
	struct sigaction action = { .sa_handler = ring,
				    .sa_flags = SA_RESTART },
			 old;
	int ret = open_bell(scope);

	for (size_t i = 0; i < N_HANDLED && !ret; i++) {
		sigaction(handled[i], &action, &old);
		if (old.sa_handler == SIG_IGN && handled[i] != SIGCHLD)
			sigaction(handled[i], &old, NULL);
	}
	set_mask();
	return ret;
}

/* The handlers stay: what comes now comes too late to be passed on. */
void signals_close(void)
{
	chan_tx_release(&bell.tx);
	chan_rx_release(&bell.rx);
}

/*
 * Sleep until a signal has come, or until the scope has something to tell.  By
 * channel it can tell of nothing but that it was cancelled.
 */
void signals_await(struct chan_scope *scope, bool by_channel)
{
	struct pollfd files[] = {
		{ .fd = bell.event, .events = POLLIN },
		{ .fd = chan_scope_fd(scope), .events = POLLIN },
	};
	eventfd_t rung;
	size_t len;
	char c;

	if (!by_channel || chan_recv(bell.rx, &c, 1, &len) == -ECANCELED)
		poll(files, 2, -1);
	eventfd_read(bell.event, &rung);
}

/* When the signal came, since the last call, the last time; 0 if it did not. */
uint64_t signals_take(int signal)
{
	return atomic_exchange(&came_ms[signal], 0);
}

static void by_default(int signal, pid_t whom, struct sigaction *old)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	sigaction(signal, &action, old);
	kill(whom, signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * Stop, as the signal would have stopped us: as a terminal does, with all of our
 * process group, or us alone since all the others have got it.  A shell takes a
 * pipeline for stopped only when none of it runs.  Returns false if it does not stop
 * us, because there is nobody who could continue us, or because it is ignored.
 */
bool signals_stop(int signal, bool all)
{
	struct sigaction old;
	sigset_t ttou;

	came_ms[SIGCONT] = 0;
	by_default(signal, all ? 0 : getpid(), &old);
	sigaction(signal, &old, NULL);
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, NULL);
	return signals_take(SIGCONT);
}

/* End by the signal, so that a shell ends its loop as well, but without a core. */
void signals_die(int signal)
{
	const struct rlimit none = { 0 };

	setrlimit(RLIMIT_CORE, &none);
	by_default(signal, getpid(), NULL);
}
