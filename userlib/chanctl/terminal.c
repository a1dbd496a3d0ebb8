// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl run: the terminal, and the commands as a job of it.
 *
 * The commands are in a process group of their own, which is not the one that
 * the shell has put in the foreground.  It is lent the terminal when one of them
 * asks for it, and not before: then ^C comes to us, who cancel the scope, and a
 * pager behind us in a pipeline keeps its keyboard.
 *
 * A command asks by being stopped: that is what SIGTTIN and SIGTTOU do to a
 * group that is in the background.  If it is not ours to lend, since we are in the
 * background ourselves, we stop by the same signal, and so does all of our group,
 * as if the terminal had sent it.  So the shell sees a job that is stopped for its
 * input, and can bring it to the foreground.  The same with ^Z: whoever gets it, the
 * commands or we, all stop.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signals.h"
#include "terminal.h"

void terminal_open(struct terminal *t, pid_t group)
{
	*t = (struct terminal){
		.fd = open("/dev/tty", O_RDWR | O_CLOEXEC),
		.group = group,
	};
}

static void take_back(struct terminal *t)
{
	if (t->lent && tcgetpgrp(t->fd) == t->group)
		tcsetpgrp(t->fd, getpgrp());
}

void terminal_close(struct terminal *t)
{
	take_back(t);
	if (t->fd >= 0)
		close(t->fd);
}

/* Returns if the commands have it now. */
static bool lend(struct terminal *t)
{
	pid_t foreground = tcgetpgrp(t->fd);

	if (foreground == getpgrp())
		t->lent = tcsetpgrp(t->fd, t->group) == 0;
	else
		t->lent = t->lent && foreground == t->group;
	return t->lent;
}

void terminal_go_on(struct terminal *t)
{
	if (t->lent)
		lend(t);
	kill(-t->group, SIGCONT);
}

void terminal_stop(struct terminal *t)
{
	kill(-t->group, SIGTSTP);
	signals_stop(SIGTSTP, false);
	terminal_go_on(t);
}

/* Returns false if the terminal is somebody else's, and will not be ours. */
static bool give_terminal(struct terminal *t, int signal)
{
	bool stopped = true;

	if (!lend(t)) {
		stopped = signals_stop(signal, true);
		lend(t);
	}
	kill(-t->group, SIGCONT);
	return stopped;
}

/*
 * A command that has stopped may do so for the terminal's sake.  Returns false if
 * it wants the terminal and can never have it.
 */
bool terminal_look_for_stops(struct terminal *t)
{
	siginfo_t info = { 0 };
	bool good = true;

	while (waitid(P_PGID, t->group, &info, WSTOPPED | WNOHANG) == 0 &&
	       info.si_pid) {
		if (t->fd < 0)
			continue;
		if (info.si_status == SIGTTIN || info.si_status == SIGTTOU) {
			good = give_terminal(t, info.si_status) && good;
		} else if (info.si_status == SIGTSTP && t->lent) {
			take_back(t);
			signals_stop(SIGTSTP, true);
			terminal_go_on(t);
		}
		info.si_pid = 0;
	}
	return good;
}
