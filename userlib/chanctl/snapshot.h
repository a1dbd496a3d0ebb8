/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the module tells of scopes and channels, at about one instant: of all, in
 * debugfs and to root alone, or of the named channels, in sysfs and to everybody.
 */
#ifndef _SNAPSHOT_H
#define _SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

struct process {
	int pid;
	char *comm;
};

/* So deep a tree is no use to anybody, and takes memory and stack. */
#define MAX_DEPTH 100

/* A process that waits for a partner. */
struct parked {
	bool sends;
	struct process process;
	unsigned long long ms;
};

struct channel {
	unsigned long long id, scope;
	char *name;		/* of its device, or NULL */
	char *state;
	unsigned long long cause, capacity, max_msg, buffered;
	unsigned long long send_ends, recv_ends, sent, received;
	unsigned long long parked_senders, parked_receivers;
	bool hangup;		/* told of named ones only */
	struct parked *parked;
	size_t n_parked;
	bool parked_more;	/* than the module tells */
};

struct scope {
	unsigned long long id;		/* not 0, and each once */
	unsigned long long parent;	/* 0 or lower than id, and there */
	char *state;
	unsigned long long cause, pgid;
	struct process owner;
	struct process *members;	/* its own, not those of scopes inside */
	size_t n_members;
	unsigned int depth;		/* 1 below the root scope */
	bool more;			/* inside, too deep to be shown */
};

struct snapshot {
	struct scope *scopes;
	size_t n_scopes;
	struct channel *channels;
	size_t n_channels;
	bool all;		/* anonymous channels and scopes are here, too */
};

int snapshot_take(struct snapshot *s);
int snapshot_take_named(struct snapshot *s);
/* Both of these, as much as the caller may see. */
int snapshot_take_some(struct snapshot *s);
struct channel *snapshot_find(const struct snapshot *s, unsigned long long id);
/* All channels, in the order of their names; to be freed. */
struct channel **snapshot_by_name(const struct snapshot *s);
/* "chan0", or "#12" for one that is anonymous; to be freed. */
char *channel_title(const struct channel *ch);
void snapshot_release(struct snapshot *s);

#endif /* _SNAPSHOT_H */
