// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: show something again and again.
 */
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <chan.h>

#include "watch.h"

void sleep_for(uint64_t ns)
{
	struct timespec time = { ns / CHAN_SECOND, ns % CHAN_SECOND };

	nanosleep(&time, NULL);
}

size_t terminal_lines(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_row;
}

int watch(int (*show)(void *what), void *what, uint64_t interval,
	  uint64_t count, bool json)
{
	bool terminal = isatty(STDOUT_FILENO) && !json;
	int status;

	for (uint64_t n = 1;; n++) {
		if (terminal)
			fputs("\033[H\033[2J", stdout);
		status = show(what);
		if (status || fflush(stdout) || n == count)
			return status;
		if (!terminal && !json)
			putchar('\n');
		sleep_for(interval);
	}
}
