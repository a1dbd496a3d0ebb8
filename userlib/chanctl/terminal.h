/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal, and the commands of run as a job of it.
 */
#ifndef _TERMINAL_H
#define _TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>

/**
 * struct terminal - who may read from the terminal
 * @fd: the controlling terminal, or -1: there is none.
 * @group: the process group of the commands.
 * @lent: the commands have it, or had it when they were stopped.
 */
struct terminal {
	int fd;
	pid_t group;
	bool lent;
};

void terminal_open(struct terminal *t, pid_t group);
void terminal_close(struct terminal *t);
bool terminal_look_for_stops(struct terminal *t);
void terminal_stop(struct terminal *t);
void terminal_go_on(struct terminal *t);

#endif /* _TERMINAL_H */
