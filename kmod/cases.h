/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cases of a select: from user memory and back.
 */
#ifndef _CHAN_CASES_H
#define _CHAN_CASES_H

#include <linux/file.h>
#include <linux/types.h>

#include "match.h"

struct chan_case;
struct chan_details;
struct channel;

/* For the short messages of all sends of one select together. */
#define CASES_SEND_SPACE	512

/**
 * struct case_space - what several cases share while they are loaded and run
 * @call: that they are the cases of
 * @user: the user's cases
 * @size: of one of the user's, from its first version's on
 * @used: bytes of @send
 * @probed_len: size of @probed
 * @probed: the room that was last found writable
 * @disabled: how many of them are never ready
 * @files: some of them are files
 * @ready: some of them look possible
 * @holds: some of them hold something that case_release() has to let go
 * @recv: room for the one message that is received, if it is short
 * @send: room for short messages that are to be sent
 */
struct case_space {
	struct chan_call *call;
	void __user *user;
	u32 size;
	u32 used;
	u32 probed_len;
	void __user *probed;
	u32 disabled;
	bool files;
	bool ready;
	bool holds;
	union chan_space recv;
	u8 send[CASES_SEND_SPACE];
};

/**
 * struct select_case - one case
 * @op: the operation, if it is a send or a receive
 * @ch: the channel; %NULL if it is neither
 * @base: the message or the room
 * @len: of the message; that of the room is @op.room
 * @kind: an &enum chan_case_op; 0 if it is disabled
 * @has_fd: @fd is set
 * @fd: the file
 * @events: poll events wanted
 * @seen: poll events that hold
 * @order: of the channel, when nothing was possible
 */
struct select_case {
	struct chan_op op;
	struct channel *ch;
	void __user *base;
	u32 len;
	u8 kind;
	bool has_fd;
	struct fd fd;
	__poll_t events;
	__poll_t seen;
	u64 order;
};

int cases_load(struct select_case *cases, u32 n, struct case_space *space,
	       u32 *loaded);
int case_load_single(struct select_case *c, struct chan_case __user *user,
		     size_t size);
int case_store(const struct select_case *c, const struct chan_details *details,
	       struct chan_case __user *user);
void case_release(struct select_case *c);

/* A file that is polled. */
static inline bool case_is_file(const struct select_case *c)
{
	return !c->ch && c->kind;
}

#endif /* _CHAN_CASES_H */
