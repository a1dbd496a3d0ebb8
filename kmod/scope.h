/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A scope: owns channels and a process group, and nothing in it outlives it.
 */
#ifndef _CHAN_SCOPE_H
#define _CHAN_SCOPE_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "group.h"

struct chan_scope_info;
struct chan_scope_set;
struct chan_scope_wait;
struct chan_user;
struct channel;
struct cred;
struct file;
struct pid;
struct seq_file;

/*
 * DOC: The life of a scope
 *
 * Scopes are a tree.  Each is in it from when it is opened until nothing refers
 * to it any more: its file, its binding, a channel made on it, a scope inside,
 * an alarm that is set.  The root has no file and is always there; it owns the
 * named channels that no other scope has adopted::
 *
 *                 bind                   members gone, rebind
 *     UNBOUND ------------> BOUND --------------------------> BOUND
 *        |                    |   \
 *        | cancel      cancel |    \ file gone, no member left
 *        v                    v     v
 *     CANCELED            CANCELED --> ended: no group, nobody is let in
 *                              file gone, no member left
 *
 * Cancelling is one step under scopes_lock for a scope and all inside it: the
 * state is set and all channels are ended; then the parked are told, the members
 * sent their signal, the alarm set for the end of the grace.  A channel is added
 * under the same lock, so that none is missed.
 *
 * Who is told of a cancel succeeds nowhere any more.  The parked are told after
 * all channels have ended; who comes and finds one of them ended, or looks at it by
 * poll or CHAN_IOC_INFO, waits until the others are, too, before he returns: see
 * scope_await_cancel().  He need not take the lock for it, or hundreds who are told
 * at once would have it one after the other.
 *
 * A signal, a kill, a fault, a close at each step: everything but the wait takes
 * place under scopes_lock and does not sleep for anybody but that lock.  The
 * wait leaves nothing behind but its entry in @waits, which it takes out itself.
 * A task that dies gives up its files; the last reference to that of a scope
 * comes to scope_close(), which cancels what must not outlive it.
 *
 * DOC: Who is let in
 *
 * A channel points at its *guard*, the innermost scope around it that is bound;
 * with none, in the root, everybody may use it.  Who may pass a guard:
 *
 * * a member: its process group is that of the guard, or of a scope inside.  The
 *   former is one comparison, of pointers: the guard has a reference, so that no
 *   other group can be at that address.  For the latter the scope of the group is
 *   looked up under RCU, and the way to the root goes past the guard or not.
 * * an owner: it has the file of the guard among its files, or of the scope that
 *   the channel was made on, if that is inside and not bound.  Looking for it takes
 *   a lock, so the answer is kept in @owners, by the address of the table of
 *   files.  It is put there under the lock of that table, and taken out when a
 *   descriptor of the file is closed, which comes after the descriptor has left
 *   the table under the same lock: what stands there is true.
 *
 * Neither takes a lock or an atomic operation, once an owner is known.
 *
 * DOC: When members go
 *
 * The kernel tells of a process that exits before its files are closed, and of
 * one that leaves the group not at all.  So the census is taken whenever a
 * process of a bound group exits, repeated shortly after as long as some are
 * still about to go, and taken ten times a second as long as somebody waits to
 * hear of it; see group.h.
 */

/* Owners that a scope remembers. */
#define SCOPE_OWNERS 4
/* In the place of one: what is no table of files, nor %NULL. */
#define SCOPE_NO_OWNER ((const void *)1)

struct scope_binding;

/**
 * struct chan_scope - one scope
 * @id: identity, for people
 * @parent: around it, referenced; %NULL for the root; constant
 * @refs: see above
 * @sibling: place among the @children of @parent
 * @children: scopes inside
 * @channels: those that it owns
 * @nr_channels: how many
 * @pgrp: the group that is bound to it, referenced; %NULL if none is
 * @binding: how it is found by that group
 * @owners: tables of files that have @file in them; hints, see above
 * @state: an &enum chan_scope_state
 * @cause: positive errno that it was cancelled with
 * @signal: for the members on cancel
 * @flags: as of %CHAN_IOC_SCOPE_SET
 * @grace_ns: from then to the kill
 * @alarm_at: when the alarm is due, of the monotonic clock
 * @alarm: cancels or kills
 * @killing: the grace is over
 * @vacant: the census has found nobody
 * @exits: members that have begun to exit
 * @exited: of these, those that were gone at the last census
 * @census: members, inner ones too, while it is taken of all scopes
 * @exits_before: @exits from before that
 * @known_refs: references to @file that are accounted for, see deadlock.c
 * @bound_once: a group has been bound
 * @cred: of the opener; constant
 * @canceler: of the opener of the scope that the cancel began at
 * @canceling: is being cancelled at this moment, not everybody has been told yet
 * @owner: the process that has opened it, or bound it last
 * @comm: its name
 * @file: the open file; %NULL when it is gone
 * @pollers: those who wait for members to go, or for a cancel
 * @waits: tasks in scope_wait()
 * @user: whom it is charged to while it has a file, or a group; constant
 * @rcu: readers may find it by its group
 *
 * Under scopes_lock unless constant or atomic; @pgrp, @owners, @file, @vacant
 * and @exited are read without.
 */
struct chan_scope {
	u64 id;
	struct chan_scope *parent;
	unsigned int refs;
	struct list_head sibling;
	struct list_head children;
	struct list_head channels;
	u32 nr_channels;
	struct pid *pgrp;
	struct scope_binding *binding;
	const void *owners[SCOPE_OWNERS];
	u32 state;
	u32 cause;
	u32 signal;
	u32 flags;
	u64 grace_ns;
	u64 alarm_at;
	struct delayed_work alarm;
	bool killing;
	bool vacant;
	bool bound_once;
	bool canceling;
	atomic_t exits;
	u32 exited;
	struct group_census census;
	u32 exits_before;
	long known_refs;
	const struct cred *cred;
	const struct cred *canceler;
	struct pid *owner;
	char comm[TASK_COMM_LEN];
	struct file *file;
	wait_queue_head_t pollers;
	struct list_head waits;
	struct chan_user *user;
	struct rcu_head rcu;
};

/**
 * struct scope_wait - a task that waits for the members of a scope to go
 * @node: place in its @waits
 * @task: who waits
 * @deadline: when to give up
 * @exits: at this number @exited of the scope is not worth telling, if @for_exit
 * @for_exit: one that goes will do, or a cancel
 * @canceled: the scope was, when the wait began
 * @shares_files: its call holds a reference to the file of its own
 */
struct scope_wait {
	struct list_head node;
	struct task_struct *task;
	u64 deadline;
	u32 exits;
	bool for_exit;
	bool canceled;
	bool shares_files;
};

/*
 * Is the current task in the group of a guard, or known to own it?  The guard
 * does not go meanwhile.
 */
static __always_inline bool scope_admits(const struct chan_scope *guard)
{
	const void *files = current->files;

	return likely(READ_ONCE(guard->pgrp) == task_pgrp(current)) ||
	       READ_ONCE(guard->owners[0]) == files ||
	       READ_ONCE(guard->owners[1]) == files ||
	       READ_ONCE(guard->owners[2]) == files ||
	       READ_ONCE(guard->owners[3]) == files;
}

int scope_admits_others(const struct chan_scope *guard,
			struct chan_scope *scope);
bool scope_holds(const struct chan_scope *scope, struct task_struct *task);

/* The tree, and all that is in a scope, but for what its own comments exempt. */
extern struct mutex scopes_lock;

/* Under scopes_lock. */
struct chan_scope *scope_first_inside(struct chan_scope *top);
struct chan_scope *scope_next_inside(struct chan_scope *scope,
				     const struct chan_scope *top);
void scope_cancel_locked(struct chan_scope *scope, u32 cause, u32 parked);
void scopes_unlock(void);
struct chan_scope *scope_root(void);
bool scope_has_alarm(const struct chan_scope *scope);

/*
 * All scopes, innermost first, and last the root.  The one at hand is held by a
 * reference, so that it may end, or the lock be dropped, meanwhile.
 */
struct chan_scope *scope_walk_begin(void);
struct chan_scope *scope_walk_on(struct chan_scope *scope);
void scope_walk_end(void);

struct chan_scope *scope_open(struct file *file);
void scope_disown(struct chan_scope *scope, const void *files);
void scope_close(struct chan_scope *scope);

long scope_bind(struct chan_scope *scope, s32 pgid);
long scope_set(struct chan_scope *scope, const struct chan_scope_set *set);
void scope_cancel(struct chan_scope *scope, u32 cause);
void scope_await_cancel(void);
long scope_wait(struct chan_scope *scope, struct chan_scope_wait *arg);
bool scope_wait_goes_on(struct chan_scope *scope,
			const struct scope_wait *wait);
void scope_info(struct chan_scope *scope, struct chan_scope_info *info);
long scope_adopt(struct chan_scope *scope, struct channel *ch, fmode_t mode);
__poll_t scope_poll(struct chan_scope *scope, struct file *file,
		    poll_table *wait);

int scope_add_channel(struct chan_scope *scope, struct channel *ch);
void scope_drop_channel(struct channel *ch);
void scope_run_soon(struct delayed_work *work, unsigned int ms);
void scope_show_all(struct seq_file *m);
void scope_show_channels(struct seq_file *m);

int scope_init(void);
void scope_exit(void);

#endif /* _CHAN_SCOPE_H */
