/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scopes, processes and channels, and who waits for whom.
 */
#ifndef _GRAPH_H
#define _GRAPH_H

#include <stdio.h>

#include "snapshot.h"

enum edge_kind {
	EDGE_OWNS,		/* a process, a scope */
	EDGE_SENDS,		/* it has an end of a channel to do so */
	EDGE_RECEIVES,
	EDGE_WAITS_TO_SEND,	/* it is asleep on a channel */
	EDGE_WAITS_TO_RECEIVE,
	EDGE_WAITS_FOR,		/* another process, that could end the sleep */
};

/**
 * struct edge - what a process has to do with something else
 * @kind: what.
 * @pid: the process.
 * @other: the identity of a scope or channel, or a process.
 * @ms: for how long it has waited.
 */
struct edge {
	enum edge_kind kind;
	int pid;
	unsigned long long other;
	unsigned long long ms;
};

/* A process, in the scope that has it as a member, else 0. */
struct vertex {
	int pid;
	const char *comm;
	unsigned long long scope;
};

struct graph {
	const struct snapshot *s;
	struct vertex *processes;
	size_t n_processes;
	struct edge *edges;
	size_t n_edges;
};

/* Of a channel that nobody uses there is nothing to draw. */
bool graph_shows(const struct channel *ch);
void graph_print_dot(const struct graph *g, FILE *file);
void graph_print_json(const struct graph *g);

#endif /* _GRAPH_H */
