// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does everybody in a scope wait for everybody?
 *
 * DOC: Finding a deadlock
 *
 * A scope that asks for it is examined every few milliseconds; those who send
 * and receive do nothing for that but to say that they sleep.  It is in a
 * deadlock if each thread of each member and of the owner is *stuck*: asleep
 * until a partner comes, on channels of this scope or of scopes inside alone; or
 * waiting for members of one of these scopes to go.
 *
 * Threads are counted through the process groups, the stuck ones through the
 * queues of the channels; if these are the same, all are stuck.  Nothing stands
 * still meanwhile.  Hence a sleep counts only if an earlier round has seen it
 * already; it is marked then, and the mark goes when the task wakes.  So if all
 * count, all of them were asleep at one instant between the rounds, and nobody
 * was there to wake one.  Who was overlooked, because his maker exited while the
 * threads were counted, is found by counting once more.
 *
 * A wait for members is stuck if it would go on as of now.  It cannot come or go
 * while the scope is examined.
 *
 * When in doubt there is no deadlock.  Doubt is
 *
 * * a thread that is not asleep, has a signal pending, or uses io_uring;
 * * a process with a timer that may send it a signal, be it armed or not;
 * * a select that was begun by somebody who does not belong any more;
 * * a scope inside that has an alarm set, or whose owner is not a member;
 * * a file of one of the scopes that may be in other hands, which could cancel
 *   the scope or use its channels: if there are more references to it than the
 *   descriptors and waits of those who are stuck account for.  A select that one
 *   of several threads makes on the file of a scope, instead of on an end, holds
 *   one that is not told apart from these.
 *
 * An end that is in the hands of somebody outside is no doubt: nothing can be
 * done with it there but to close it.
 *
 * A select is stuck if all its cases are found.  They are counted in the call
 * itself, under the lock of a channel that the call is parked on, which keeps it
 * there; one examination comes after the other.
 *
 * What is cheap is looked at first, and files last.  The longer rounds take, the
 * later comes the next.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/once.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/siphash.h>

#include <linux/chan.h>

#include "chanctl.h"
#include "channel.h"
#include "compat.h"
#include "deadlock.h"
#include "group.h"
#include "scope.h"

/* How often a scope is examined. */
#define EXAMINE_MS 25
/* For how much of the time, at most: one part in so many. */
#define EXAMINE_SHARE 4
/* A longer queue is not looked through. */
#define EXAMINE_QUEUE 16384

/**
 * struct search - one examination of one scope
 * @top: the scope
 * @round: of examinations
 * @id: of this one alone
 * @threads: that there are
 * @stuck: of these
 * @who: all threads less all that are stuck, as one number
 */
struct search {
	struct chan_scope *top;
	u64 round;
	u64 id;
	u32 threads;
	u32 stuck;
	u64 who;
};

/* Under scopes_lock. */
static u64 last_round;
static u64 last_id;

/* No task has a number that another could choose. */
static u64 number_of(const struct task_struct *task)
{
	static siphash_key_t key;

	get_random_once(&key, sizeof(key));
	return siphash_1u64((unsigned long)task, &key);
}

static void found_thread(struct search *search, const struct task_struct *task)
{
	search->threads++;
	search->who += number_of(task);
}

static void found_stuck(struct search *search, const struct task_struct *task)
{
	search->stuck++;
	search->who -= number_of(task);
}

/* Is a task, whose operation is parked or that waits, a member or the owner's? */
static bool belongs(const struct search *search, struct task_struct *task)
{
	return task_tgid(task) == search->top->owner ||
	       scope_holds(search->top, task);
}

/* --- Threads --- */

static bool uses_io_uring(const struct task_struct *task)
{
#ifdef CONFIG_IO_URING
	return READ_ONCE(task->io_uring);
#else
	return false;
#endif
}

/* Under RCU.  Return: false if one of them could act. */
static bool count_threads(struct task_struct *process, void *data)
{
	struct search *search = data;
	struct task_struct *t;

	list_for_each_entry_rcu(t, &process->signal->thread_head, thread_node) {
		if (READ_ONCE(t->exit_state))
			continue;
		if (READ_ONCE(t->__state) != TASK_INTERRUPTIBLE ||
		    signal_pending(t) || uses_io_uring(t))
			return false;
		found_thread(search, t);
	}
	return !compat_timer_armed(process->signal);
}

/* Those of an owner, unless they are counted as a member's. */
static bool count_owner(struct search *search, const struct chan_scope *scope)
{
	struct task_struct *owner;
	bool stuck;

	rcu_read_lock();
	owner = pid_task(scope->owner, PIDTYPE_TGID);
	if (!owner)
		stuck = false;
	else if (scope_holds(search->top, owner))
		stuck = true;
	else
		stuck = scope == search->top && count_threads(owner, search);
	rcu_read_unlock();
	return stuck;
}

/* Return: false if somebody could act. */
static bool count_all(struct search *search)
{
	struct chan_scope *s;

	for (s = scope_first_inside(search->top); s;
	     s = scope_next_inside(s, search->top)) {
		if (s != search->top && scope_has_alarm(s))
			return false;
		if (s->pgrp && !group_for_each(s->pgrp, count_threads, search))
			return false;
		if (s->file && !count_owner(search, s))
			return false;
	}
	return search->threads;
}

/* --- Sleeps --- */

/* Of a call with several operations, the last one counts. */
static bool is_last_found(struct search *search, struct chan_call *call)
{
	if (!call->multi)
		return true;
	if (call->found_by != search->id) {
		call->found_by = search->id;
		call->nr_found = 0;
	}
	return ++call->nr_found == call->nr_ops;
}

/* Return: false if the task could act. */
static bool examine_call(struct search *search, struct chan_call *call)
{
	if (!belongs(search, call->task))
		return !call->multi;
	if (atomic_read(&call->state) != CALL_PARKED ||
	    !call_sleeps_forever(call))
		return false;
	if (!call->stuck_since)
		call->stuck_since = search->round;
	if (is_last_found(search, call) && call->stuck_since < search->round)
		found_stuck(search, call->task);
	return true;
}

/* Under the lock of the channel. */
static bool examine_queue(struct search *search, const struct queue *queue)
{
	struct chan_op *op;

	if (queue->nr > EXAMINE_QUEUE)
		return false;
	hlist_for_each_entry(op, queue, node) {
		if (!call_is_over(op->call) && !examine_call(search, op->call))
			return false;
	}
	return true;
}

static bool examine_channel(struct search *search, struct channel *ch)
{
	bool stuck;

	spin_lock(&ch->lock);
	stuck = examine_queue(search, &ch->match.senders) &&
		examine_queue(search, &ch->match.receivers);
	spin_unlock(&ch->lock);
	return stuck;
}

static bool examine_waits(struct search *search, struct chan_scope *scope)
{
	struct scope_wait *wait;

	list_for_each_entry(wait, &scope->waits, node) {
		if (!belongs(search, wait->task))
			continue;
		if (!scope_wait_goes_on(scope, wait))
			return false;
		found_stuck(search, wait->task);
	}
	return true;
}

/* Return: false if somebody could act. */
static bool examine_sleeps(struct search *search)
{
	struct chan_scope *s;
	struct channel *ch;

	for (s = scope_first_inside(search->top); s;
	     s = scope_next_inside(s, search->top)) {
		list_for_each_entry(ch, &s->channels, in_scope) {
			if (!examine_channel(search, ch))
				return false;
		}
		if (!examine_waits(search, s))
			return false;
	}
	return search->stuck == search->threads && !search->who;
}

/* --- Who has the files of scopes --- */

static int count_descriptor(const void *data, struct file *file,
			    unsigned int fd)
{
	struct chan_scope *scope = chanctl_scope(file);

	if (scope)
		scope->known_refs++;
	return 0;
}

/* Return: false if others than so many tasks could have these files. */
static bool count_table(struct task_struct *task, int users)
{
	struct files_struct *files;
	bool own;

	task_lock(task);
	files = task->files;
	own = files && atomic_read(&files->count) == users;
	if (own)
		iterate_fd(files, 0, count_descriptor, NULL);
	task_unlock(task);
	return own;
}

/*
 * The descriptors of a process, all of whose threads have the same table.  Under
 * RCU.  Return: false if others could have it, too.
 */
static bool count_descriptors(struct task_struct *process, void *data)
{
	struct task_struct *t, *last = NULL;
	int users = 0;

	list_for_each_entry_rcu(t, &process->signal->thread_head, thread_node) {
		if (READ_ONCE(t->exit_state))
			continue;
		if (last && READ_ONCE(t->files) != READ_ONCE(last->files))
			return false;
		last = t;
		users++;
	}
	return !last || count_table(last, users);
}

/* Unless it is one of the members, who are counted anyway. */
static bool count_descriptors_of_owner(struct chan_scope *top)
{
	struct task_struct *owner;
	bool known;

	rcu_read_lock();
	owner = pid_task(top->owner, PIDTYPE_TGID);
	known = owner &&
		(scope_holds(top, owner) || count_descriptors(owner, NULL));
	rcu_read_unlock();
	return known;
}

static void count_waits(struct chan_scope *scope)
{
	struct scope_wait *wait;

	scope->known_refs = 0;
	list_for_each_entry(wait, &scope->waits, node)
		scope->known_refs += wait->shares_files;
}

/* Return: true if nobody but those who are stuck has a file of the scopes. */
static bool examine_files(struct chan_scope *top)
{
	struct chan_scope *s;

	for (s = scope_first_inside(top); s; s = scope_next_inside(s, top))
		count_waits(s);
	if (!count_descriptors_of_owner(top))
		return false;
	for (s = scope_first_inside(top); s; s = scope_next_inside(s, top)) {
		if (s->pgrp &&
		    !group_for_each(s->pgrp, count_descriptors, NULL))
			return false;
	}
	for (s = scope_first_inside(top); s; s = scope_next_inside(s, top)) {
		if (s->file && file_count(s->file) != s->known_refs)
			return false;
	}
	return true;
}

/* --- Together --- */

static bool all_are_stuck(struct chan_scope *scope)
{
	struct search search = {
		.top = scope,
		.round = last_round,
		.id = ++last_id,
	};

	return count_all(&search) && examine_sleeps(&search);
}

/* The second time for who was overlooked the first time. */
static bool is_deadlocked(struct chan_scope *scope)
{
	return all_are_stuck(scope) && examine_files(scope) &&
	       all_are_stuck(scope);
}

static bool is_examined(const struct chan_scope *scope)
{
	return (scope->flags & CHAN_SCOPE_DETECT_DEADLOCK) && scope->file &&
	       scope->state == CHAN_SCOPE_BOUND;
}

/* The innermost first: those around it may be able to go on without it. */
static bool examine_all(void)
{
	struct chan_scope *s, *root = scope_root();
	bool more = false;

	mutex_lock(&scopes_lock);
	last_round++;
	for (s = scope_walk_begin(); s != root; s = scope_walk_on(s)) {
		if (!is_examined(s))
			continue;
		more = true;
		if (is_deadlocked(s))
			scope_cancel_locked(s, EDEADLK, EDEADLK);
		/* Others want the lock, too. */
		scopes_unlock();
		cond_resched();
		mutex_lock(&scopes_lock);
	}
	scope_walk_end();
	mutex_unlock(&scopes_lock);
	return more;
}

static void examine_work_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(examine_work, examine_work_fn);

/*
 * How long to wait after a round that has taken so many nanoseconds.  One alone
 * says little: an interrupt may have come, or the host of this virtual machine
 * have stopped its processor.
 */
static unsigned int pause_after(u64 took)
{
	static u64 last_took;
	u64 usual = min(took, last_took);

	last_took = took;
	return max_t(u64, EXAMINE_MS, usual / NSEC_PER_MSEC * EXAMINE_SHARE);
}

static void examine_work_fn(struct work_struct *work)
{
	/* What it has taken of a CPU, whatever kept it from one. */
	u64 began = current->se.sum_exec_runtime;
	bool more = examine_all();
	u64 took = current->se.sum_exec_runtime - began;

	if (more)
		scope_run_soon(&examine_work, pause_after(took));
}

/**
 * deadlock_watch - examine from now on the scopes that ask for it
 */
void deadlock_watch(void)
{
	scope_run_soon(&examine_work, EXAMINE_MS);
}

/**
 * deadlock_stop - no scope is left
 */
void deadlock_stop(void)
{
	cancel_delayed_work_sync(&examine_work);
}
