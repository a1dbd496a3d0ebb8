/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commands of run, in their scope.
 */
#ifndef _NURSERY_H
#define _NURSERY_H

#include <stdbool.h>
#include <stddef.h>

#include <chan.h>

#include "terminal.h"

/**
 * struct nursery - commands that end together
 * @options: of the scope.
 * @timeout: that among them, as it was given.
 * @adopted: names of the channels that the scope is to adopt.
 * @n_adopted: how many.
 * @commands: each as for execve().
 * @n_commands: how many.
 *
 * The rest is the affair of nursery.c:
 * @next: the first command that has not been started.
 * @scope: the scope.
 * @terminal: if there is one.
 * @running: process ids of the commands that had not ended when last looked at.
 * @n_running: how many.
 * @first: the command that the others were cancelled for.
 * @signal: the signal that they were cancelled for, else 0.
 * @last_signal: the last signal that was to end us, else 0.
 * @last_ms: when it came.
 * @status: the exit status, once something has gone wrong, else 0.
 */
struct nursery {
	struct chan_scope_options options;
	const char *timeout;
	const char **adopted;
	size_t n_adopted;
	char ***commands;
	size_t n_commands;

	size_t next;
	struct chan_scope *scope;
	struct terminal terminal;
	pid_t *running;
	size_t n_running;
	struct chan_child first;
	int signal;
	int last_signal;
	uint64_t last_ms;
	int status;
};

int nursery_run(struct nursery *n);

#endif /* _NURSERY_H */
