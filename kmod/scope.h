/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scope: an open file on /dev/chanctl, and the channels made on it.
 */
#ifndef _CHAN_SCOPE_H
#define _CHAN_SCOPE_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>

struct chan_user;
struct seq_file;

/**
 * struct chan_scope - what the channels of one scope share
 * @ref: one for the file, one for each channel
 * @id: identity, for people
 * @channels: how many it owns
 * @user: whom it is charged to while the file is open
 * @all: place in the list of all scopes
 */
struct chan_scope {
	struct kref ref;
	u64 id;
	atomic_t channels;
	struct chan_user *user;
	struct list_head all;
};

void scope_add_channel(struct chan_scope *scope);
void scope_drop_channel(struct chan_scope *scope);
void scope_show_all(struct seq_file *m);

int scope_init(void);
void scope_exit(void);

#endif /* _CHAN_SCOPE_H */
