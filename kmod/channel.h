/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel: a meeting place, the files on it, and those who poll it.
 */
#ifndef _CHAN_CHANNEL_H
#define _CHAN_CHANNEL_H

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/poll.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "match.h"
#include "scope.h"

/*
 * DOC: Lock order
 *
 * Outer to inner; a lock may be taken while any above it is held::
 *
 *     named_lock (named.c, mutex)        device nodes come and go
 *       scopes_lock (scope.c, mutex)     the tree of scopes, the channels in each
 *         channel->lock (spinlock)       the meeting place and the ends
 *           call->lock (spinlock)        who may fulfil a select; of two, first
 *                                        the one at the lower address
 *           rq->lock of a woken task     wake_up_process()
 *         channel->*_pollers.lock, scope->pollers.lock
 *         tasklist_lock, siglock         kill_pgrp()
 *         task->alloc_lock               the files of the owner of a scope
 *           files->file_lock             (deadlock.c)
 *
 *     users_lock (user.c, mutex)         the table of users
 *     cancel_waiters.lock (scope.c)      who waits for the end of a cancel
 *     files->file_lock                   whether a task owns a scope; inside
 *                                        nothing of ours
 *
 * No lock is held while user memory is touched.  The usual operation takes
 * channel->lock once; a select takes it of one channel after the other, never of
 * two at once.  Nothing relies on a spinlock disabling preemption.
 */

struct chan_info;
struct chan_user;
struct seq_file;

/**
 * struct channel - what the files on it share
 * @lock: protects @match, the ends, @id and @hangup
 * @match: see match.h
 * @max_msg: longest message in bytes; changes only while no file is open
 * @send_ends: open files that can send
 * @recv_ends: open files that can receive
 * @id: identity, for people
 * @hangup: the channel ends when one side has no file left
 * @named: has a device node; constant
 * @adopted: a named one that is not the root's
 * @removed: a named one whose device is gone
 * @recv_pollers: poll waiters that want to receive
 * @send_pollers: poll waiters that want to send
 * @ref: one for each open file, one for the device node
 * @guard: the scope that says who may use it, %NULL if everybody may; read
 *	without a lock, see scope.h
 * @scope: that owns it; under scopes_lock, or RCU
 * @user: whom it is charged to, %NULL for a named one; constant
 * @in_scope: place among the channels of @scope
 */
struct channel {
	spinlock_t lock;	/* everything but the constant and the atomic */
	struct match match;
	u32 max_msg;
	struct chan_scope *guard;
	u32 send_ends;
	u32 recv_ends;
	u64 id;
	bool hangup;
	bool named;
	bool adopted;
	bool removed;
	wait_queue_head_t recv_pollers;
	wait_queue_head_t send_pollers;
	struct kref ref;
	struct chan_scope *scope;
	struct chan_user *user;
	struct list_head in_scope;
};

/*
 * Is it plain that the current task may use a channel?  The guard of an anonymous
 * one stays as long as the channel.
 */
static __always_inline bool channel_admits(const struct channel *ch)
{
	struct chan_scope *guard = READ_ONCE(ch->guard);

	return likely(!guard || (!ch->named && scope_admits(guard)));
}

int channel_access_others(const struct channel *ch);

/* May the current task use it?  Return: 0 or -EACCES. */
static __always_inline int channel_access(const struct channel *ch)
{
	return channel_admits(ch) ? 0 : channel_access_others(ch);
}

/*
 * Tell pollers of a change that was made under the lock.  A poller puts itself
 * on the list before it takes the lock to look: either it sees the change, or
 * we see the poller.
 */
static inline void channel_notify_receivers(struct channel *ch)
{
	/* Ordered by the lock, see above. */
	if (waitqueue_active(&ch->recv_pollers))
		wake_up_interruptible_poll(&ch->recv_pollers,
					   EPOLLIN | EPOLLRDNORM);
}

static inline void channel_notify_senders(struct channel *ch)
{
	/* As for receivers. */
	if (waitqueue_active(&ch->send_pollers))
		wake_up_interruptible_poll(&ch->send_pollers,
					   EPOLLOUT | EPOLLWRNORM);
}

/* A guess without the lock. */
static inline bool channel_looks_readable(const struct channel *ch)
{
	return READ_ONCE(ch->match.nr_msgs) || READ_ONCE(ch->match.senders.nr) ||
	       READ_ONCE(ch->match.state);
}

/* As well. */
static inline bool channel_looks_writable(const struct channel *ch)
{
	return READ_ONCE(ch->match.nr_msgs) < ch->match.capacity ||
	       READ_ONCE(ch->match.receivers.nr) || READ_ONCE(ch->match.state);
}

int channel_limits(u32 capacity, u32 *max_msg);
struct channel *channel_create(struct chan_scope *scope, struct chan_user *user,
			       u32 capacity, u32 max_msg);
void channel_get(struct channel *ch);
void channel_put(struct channel *ch);

void channel_attach(struct channel *ch, fmode_t mode);
void channel_detach(struct channel *ch, fmode_t mode);

__poll_t channel_poll(struct channel *ch, struct file *file, poll_table *wait,
		      const struct task_struct *self);
void channel_end(struct channel *ch, u32 state, u32 cause);
void channel_remove(struct channel *ch);
void channel_begin_cancel(struct channel *ch, u32 parked,
			  struct list_head *dropped);
void channel_finish_cancel(struct channel *ch);
void channel_set_guard(struct channel *ch, struct chan_scope *guard);
int channel_adopt(struct channel *ch, fmode_t mode, struct chan_scope *guard);
void channel_disown(struct channel *ch, struct list_head *dropped);

int channel_configure(struct channel *ch, const u32 *capacity,
		      const u32 *max_msg);
void channel_set_hangup(struct channel *ch, bool hangup);
void channel_info(struct channel *ch, struct chan_info *info);
const char *channel_state_name(u32 state);
void channel_show(struct seq_file *m, struct channel *ch, u64 scope_id);

#endif /* _CHAN_CHANNEL_H */
