/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much one user makes the module hold.
 */
#ifndef _CHAN_USER_H
#define _CHAN_USER_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/uidgid.h>

/**
 * struct chan_user - what is charged to one user
 * @node: place in the table of users; under its lock
 * @ref: one for each object that is charged
 * @uid: who
 * @channels: anonymous channels
 * @scopes: open scopes
 */
struct chan_user {
	struct hlist_node node;
	refcount_t ref;
	kuid_t uid;
	atomic_t channels;
	atomic_t scopes;
};

/*
 * For what a user makes the module hold.  Where nothing is left, the user is
 * told so, and nobody is killed.
 */
#define GFP_CHAN	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/* Module parameters. */
extern unsigned int chan_max_channels;
extern unsigned int chan_max_scopes;

void *chan_alloc(size_t size, gfp_t gfp);
struct chan_user *chan_user_charge_channel(void);
struct chan_user *chan_user_charge_scope(void);
void chan_user_uncharge_channel(struct chan_user *user);
void chan_user_uncharge_scope(struct chan_user *user);

#endif /* _CHAN_USER_H */
