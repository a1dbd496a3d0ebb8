/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Show something again and again.
 */
#ifndef _WATCH_H
#define _WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * watch() - show something again and again
 * @show: prints it; returns an exit status, and that it is not 0 ends it all.
 * @what: handed to @show.
 * @interval: between two, in nanoseconds.
 * @count: how often; 0 for ever.
 * @json: each is one line.
 *
 * On a terminal each takes the place of the one before.
 *
 * Returns: the exit status.
 */
int watch(int (*show)(void *what), void *what, uint64_t interval,
	  uint64_t count, bool json);
void sleep_for(uint64_t ns);
/* How many lines the terminal has; 0 if stdout is none. */
size_t terminal_lines(void);

#endif /* _WATCH_H */
