// SPDX-License-Identifier: GPL-2.0-only
/*
 * A scope: owns channels and a process group, and nothing in it outlives it.
 * The design stands in scope.h.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>
#include <linux/wait.h>

#include <linux/chan.h>

#include "channel.h"
#include "deadlock.h"
#include "group.h"
#include "scope.h"
#include "trace.h"
#include "user.h"
#include "usercopy.h"
#include "wait.h"

/* How often the census is taken while somebody waits for it. */
#define CENSUS_MS 100
/* How often it is repeated at once while members are about to go, ... */
#define CENSUS_TRIES 6
/* ... and how long after the first time; then twice as long each time. */
#define CENSUS_FIRST_US 100

/* For @alarm_at: there is no alarm. */
#define ALARM_NEVER U64_MAX

/**
 * struct scope_binding - how a scope is found by its group
 * @node: place in the table
 * @pgrp: the group; the scope holds the reference
 * @scope: it is bound to
 * @rcu: readers may be looking at it
 */
struct scope_binding {
	struct hlist_node node;
	struct pid *pgrp;
	struct chan_scope *scope;
	struct rcu_head rcu;
};

/* See scope.h. */
DEFINE_MUTEX(scopes_lock);

/* Odd from before a first channel is cancelled until scopes_lock is dropped. */
static u32 cancel_seq;
static DECLARE_WAIT_QUEUE_HEAD(cancel_waiters);
/* What was buffered in the channels that are cancelled; under scopes_lock. */
static LIST_HEAD(dropped_msgs);

static DEFINE_HASHTABLE(bindings, 8);
static struct workqueue_struct *workqueue;
static u64 last_id;

static struct chan_scope root = {
	.refs = 1,
	.children = LIST_HEAD_INIT(root.children),
	.channels = LIST_HEAD_INIT(root.channels),
	.grace_ns = CHAN_SCOPE_GRACE_DEFAULT,
};

/**
 * scope_root - the scope around all others
 *
 * Return: the scope.
 */
struct chan_scope *scope_root(void)
{
	return &root;
}

/* --- The tree --- */

/**
 * scope_first_inside - begin a walk through the scopes inside one
 * @top: that one; comes last
 *
 * Return: an innermost one, @top if there is none inside.
 */
struct chan_scope *scope_first_inside(struct chan_scope *top)
{
	while (!list_empty(&top->children))
		top = list_first_entry(&top->children, struct chan_scope,
				       sibling);
	return top;
}

/**
 * scope_next_inside - go on with such a walk
 * @scope: the last one
 * @top: as it was begun with
 *
 * Return: the next, %NULL after @top.
 */
struct chan_scope *scope_next_inside(struct chan_scope *scope,
				     const struct chan_scope *top)
{
	if (scope == top)
		return NULL;
	if (list_is_last(&scope->sibling, &scope->parent->children))
		return scope->parent;
	return scope_first_inside(list_next_entry(scope, sibling));
}

static void scope_free(struct chan_scope *scope)
{
	put_cred(scope->cred);
	if (scope->canceler)
		put_cred(scope->canceler);
	put_pid(scope->owner);
	kfree_rcu(scope, rcu);
}

/* Drop a reference.  What is around may go with it. */
static void scope_put(struct chan_scope *scope)
{
	while (!--scope->refs) {
		struct chan_scope *parent = scope->parent;

		list_del(&scope->sibling);
		scope_free(scope);
		scope = parent;
	}
}

/**
 * scope_walk_begin - begin a walk through all scopes
 *
 * Return: the first, with a reference.
 */
struct chan_scope *scope_walk_begin(void)
{
	struct chan_scope *first = scope_first_inside(&root);

	first->refs++;
	return first;
}

/**
 * scope_walk_on - go on with such a walk
 * @scope: the one at hand; its reference is given up
 *
 * Return: the next, with a reference.
 */
struct chan_scope *scope_walk_on(struct chan_scope *scope)
{
	struct chan_scope *next = scope_next_inside(scope, &root);

	/* First the next: it may be around this one, and go with it. */
	next->refs++;
	scope_put(scope);
	return next;
}

/**
 * scope_walk_end - the walk has come to the root
 */
void scope_walk_end(void)
{
	root.refs--;
}

/* --- Groups --- */

/* The scope that a group is bound to, or %NULL; under scopes_lock or RCU. */
static struct chan_scope *scope_of_group(const struct pid *pgrp)
{
	struct scope_binding *b;

	hash_for_each_possible_rcu(bindings, b, node, (unsigned long)pgrp,
				   lockdep_is_held(&scopes_lock)) {
		if (b->pgrp == pgrp)
			return b->scope;
	}
	return NULL;
}

/**
 * scope_holds - is a task a member of a scope?
 * @scope: the scope
 * @task: which does not go meanwhile
 *
 * Return: true if so, be it of one inside.
 */
bool scope_holds(const struct chan_scope *scope, struct task_struct *task)
{
	const struct chan_scope *s;

	rcu_read_lock();
	s = scope_of_group(task_pgrp(task));
	while (s && s != scope)
		s = s->parent;
	rcu_read_unlock();
	return s;
}

static void take_census(struct chan_scope *scope, struct group_census *census)
{
	struct chan_scope *s;

	*census = (struct group_census){};
	for (s = scope_first_inside(scope); s;
	     s = scope_next_inside(s, scope)) {
		if (s->pgrp)
			group_count(s->pgrp, census);
	}
}

static bool is_vacant(struct chan_scope *scope)
{
	struct group_census census;

	take_census(scope, &census);
	return !census.live;
}

static void unbind_group(struct chan_scope *scope)
{
	struct scope_binding *binding = scope->binding;

	hash_del_rcu(&binding->node);
	scope->binding = NULL;
	/* First nobody is let in for it, then another may be at its address. */
	WRITE_ONCE(scope->pgrp, NULL);
	put_pid(binding->pgrp);
	kfree_rcu(binding, rcu);
}

static void bind_group(struct chan_scope *scope, struct scope_binding *binding)
{
	scope->binding = binding;
	WRITE_ONCE(scope->pgrp, binding->pgrp);
	hash_add_rcu(bindings, &binding->node, (unsigned long)binding->pgrp);
}

/* --- Who is let in --- */

/* The innermost scope from here on that has been bound; %NULL for the root. */
static struct chan_scope *guard_of(struct chan_scope *scope)
{
	while (scope != &root && !scope->bound_once)
		scope = scope->parent;
	return scope == &root ? NULL : scope;
}

/*
 * Where to put a table of files: if all places are taken, in that of another,
 * whom it costs another look at its files.
 */
static const void **owner_slot(struct chan_scope *scope, const void *files)
{
	int i;

	for (i = 0; i < SCOPE_OWNERS; i++) {
		if (READ_ONCE(scope->owners[i]) == SCOPE_NO_OWNER)
			return &scope->owners[i];
	}
	return &scope->owners[(unsigned long)files / SMP_CACHE_BYTES %
			      SCOPE_OWNERS];
}

/* Under the lock of the table of files. */
static int remember_owner(const void *data, struct file *file, unsigned int fd)
{
	struct chan_scope *scope = (struct chan_scope *)data;
	const void *files = current->files;

	if (file != READ_ONCE(scope->file))
		return 0;
	WRITE_ONCE(*owner_slot(scope, files), files);
	return 1;
}

/* Of a scope, or one around it as far as the guard. */
static bool current_owns(struct chan_scope *scope,
			 const struct chan_scope *guard)
{
	struct files_struct *files = current->files;

	if (!files)
		return false;
	while (!READ_ONCE(scope->file) ||
	       !iterate_fd(files, 0, remember_owner, scope)) {
		/* Who asks often, and for many files, can be killed. */
		if (scope == guard || scope == &root ||
		    fatal_signal_pending(current))
			return false;
		scope = scope->parent;
	}
	return true;
}

/**
 * scope_admits_others - is a task let in, though not at first sight?
 * @guard: the guard; under RCU
 * @scope: to which what it guards belongs: itself, or one inside that is not
 *	bound; the root, if it has just been returned
 *
 * Return: 0 or -EACCES.
 */
int scope_admits_others(const struct chan_scope *guard,
			struct chan_scope *scope)
{
	if (scope_holds(guard, current) || current_owns(scope, guard))
		return 0;
	return -EACCES;
}

/**
 * scope_disown - a process has closed a descriptor of a scope
 * @scope: the scope
 * @files: its table of files
 */
void scope_disown(struct chan_scope *scope, const void *files)
{
	int i;

	for (i = 0; i < SCOPE_OWNERS; i++)
		cmpxchg(&scope->owners[i], files, SCOPE_NO_OWNER);
}

/* --- Alarms --- */

/* Set the alarm, or with %ALARM_NEVER make it never ring. */
static void set_alarm(struct chan_scope *scope, u64 at)
{
	u64 now = ktime_get_ns();
	unsigned long delay;

	scope->alarm_at = at;
	if (at == ALARM_NEVER) {
		if (cancel_delayed_work(&scope->alarm))
			scope_put(scope);
		return;
	}
	delay = at > now ? min_t(u64, nsecs_to_jiffies64(at - now) + 1,
				 MAX_JIFFY_OFFSET) :
			   0;
	/* One reference for as long as it is pending. */
	if (!mod_delayed_work(workqueue, &scope->alarm, delay))
		scope->refs++;
}

/**
 * scope_has_alarm - is there an alarm that has not rung yet?
 * @scope: of which
 *
 * Return: true if so.
 */
bool scope_has_alarm(const struct chan_scope *scope)
{
	return scope->alarm_at != ALARM_NEVER;
}

/* --- Cancelling --- */

static void notify_pollers(struct chan_scope *scope, __poll_t mask)
{
	/* Who waits puts itself there before it takes the lock to look. */
	if (waitqueue_active(&scope->pollers))
		__wake_up(&scope->pollers, TASK_NORMAL, 0, poll_to_key(mask));
}

/* Has something but the last exit come that a task waits for? */
static bool is_cut_short(const struct chan_scope *scope,
			 const struct scope_wait *wait)
{
	return wait->for_exit && !wait->canceled &&
	       READ_ONCE(scope->state) == CHAN_SCOPE_CANCELED;
}

/* Is there something to be told to a task that waits? */
static bool is_waited_for(const struct chan_scope *scope,
			  const struct scope_wait *wait)
{
	return READ_ONCE(scope->vacant) || is_cut_short(scope, wait) ||
	       (wait->for_exit && READ_ONCE(scope->exited) != wait->exits);
}

/* Who has become a member meanwhile does not wait any more. */
static void wake_waiters(struct chan_scope *scope)
{
	struct scope_wait *wait;

	list_for_each_entry(wait, &scope->waits, node) {
		if (is_waited_for(scope, wait) ||
		    scope_holds(scope, wait->task))
			wake_up_process(wait->task);
	}
}

/*
 * Tell who waits what a census has found.  Members that have begun to exit are
 * told of when they are gone; @exits is the number of the former from before the
 * census.
 */
static void tell_waiters(struct chan_scope *scope,
			 const struct group_census *census, u32 exits)
{
	bool was_vacant = scope->vacant;

	/* One that is dying may not be among those who have begun to exit yet. */
	exits -= census->dying;
	if ((s32)(exits - scope->exited) > 0)
		WRITE_ONCE(scope->exited, exits);
	WRITE_ONCE(scope->vacant, !census->live);
	wake_waiters(scope);
	if (scope->vacant && !was_vacant)
		notify_pollers(scope, EPOLLIN | EPOLLRDNORM);
}

/* Take the census of a scope, and tell who waits. */
static void take_stock(struct chan_scope *scope, struct group_census *census)
{
	u32 exits = atomic_read(&scope->exits);

	/* First who has begun to exit, then who is still there. */
	smp_rmb();
	take_census(scope, census);
	tell_waiters(scope, census, exits);
}

static void watch_members(void);

/* The grace of @scope, which is cancelled, is over. */
static void kill_members(struct chan_scope *scope)
{
	struct chan_scope *s;

	for (s = scope_first_inside(scope); s;
	     s = scope_next_inside(s, scope)) {
		if (s->pgrp)
			group_signal(s->pgrp, SIGKILL, scope->canceler);
	}
}

/*
 * For the group of a scope: the signals of those that are being cancelled, from
 * this one to @top; each once.  With the permissions of @top: who cancels a scope
 * does not get those of who has opened one inside.
 */
static void signal_members(struct chan_scope *scope,
			   const struct chan_scope *top)
{
	struct pid *pgrp = scope->pgrp;
	u64 sent = 0;

	for (;;) {
		if (scope->canceling && scope->signal) {
			u64 bit = BIT_ULL(scope->signal - 1);

			if (!(sent & bit))
				group_signal(pgrp, scope->signal, top->cred);
			sent |= bit;
		}
		if (scope == top)
			break;
		scope = scope->parent;
	}
}

static void begin_grace(struct chan_scope *scope)
{
	u64 now = ktime_get_ns();
	u64 grace = scope->grace_ns;

	set_alarm(scope, grace && grace < ALARM_NEVER - now ? now + grace :
							      ALARM_NEVER);
	if (!grace) {
		scope->killing = true;
		kill_members(scope);
	}
}

/* What is found cancelled from now on is so in part: see scope_await_cancel(). */
static void enter_cancel(void)
{
	lockdep_assert_held(&scopes_lock);
	if (cancel_seq % 2)
		return;
	WRITE_ONCE(cancel_seq, cancel_seq + 1);
	/* Pairs with that of scope_await_cancel(). */
	smp_wmb();
}

/**
 * scopes_unlock - drop scopes_lock, under which something may have been cancelled
 */
void scopes_unlock(void)
{
	bool over = cancel_seq % 2;
	LIST_HEAD(dropped);

	if (over) {
		list_splice_init(&dropped_msgs, &dropped);
		/* Who sees it sees all of the cancel: scope_await_cancel(). */
		smp_store_release(&cancel_seq, cancel_seq + 1);
	}
	mutex_unlock(&scopes_lock);
	if (!over)
		return;
	if (wq_has_sleeper(&cancel_waiters))
		wake_up_all(&cancel_waiters);
	/* It may take long, and others want the lock. */
	msg_free_list(&dropped);
}

/* Nothing succeeds from now on; nobody is told yet. */
static void begin_cancel(struct chan_scope *scope, const struct chan_scope *top,
			 u32 cause, u32 parked)
{
	struct channel *ch;

	enter_cancel();
	WRITE_ONCE(scope->state, CHAN_SCOPE_CANCELED);
	scope->canceling = true;
	scope->cause = cause;
	scope->canceler = get_cred(top->cred);
	trace_chan_scope_cancel(scope);
	list_for_each_entry(ch, &scope->channels, in_scope)
		channel_begin_cancel(ch, parked, &dropped_msgs);
}

static void finish_cancel(struct chan_scope *scope,
			  const struct chan_scope *top)
{
	struct channel *ch;

	list_for_each_entry(ch, &scope->channels, in_scope)
		channel_finish_cancel(ch);
	notify_pollers(scope, EPOLLHUP);
	wake_waiters(scope);
	if (!scope->pgrp) {
		/* Nobody is in there, nor can be from now on. */
		set_alarm(scope, ALARM_NEVER);
		return;
	}
	signal_members(scope, top);
	begin_grace(scope);
}

/**
 * scope_cancel_locked - cancel a scope and those inside, unless done before
 * @scope: the scope, which the caller refers to; under scopes_lock
 * @cause: positive errno to be kept
 * @parked: positive errno for those who are parked now
 */
void scope_cancel_locked(struct chan_scope *scope, u32 cause, u32 parked)
{
	struct chan_scope *s;

	for (s = scope_first_inside(scope); s;
	     s = scope_next_inside(s, scope)) {
		if (s->state != CHAN_SCOPE_CANCELED)
			begin_cancel(s, scope, cause, parked);
	}
	/*
	 * Those inside come first, so who around them is being cancelled still says
	 * so: that is news for the members of one that was cancelled before, too.
	 */
	for (s = scope_first_inside(scope); s;
	     s = scope_next_inside(s, scope)) {
		if (s->canceling)
			finish_cancel(s, scope);
		else if (s->pgrp)
			signal_members(s, scope);
		s->canceling = false;
	}
	watch_members();
}

static bool cancel_has_moved_on(u32 seq)
{
	/* Pairs with the release in scopes_unlock(). */
	return smp_load_acquire(&cancel_seq) != seq;
}

/**
 * scope_await_cancel - wait for the end of a cancel that is under way
 *
 * For a task that has found one channel cancelled: then all of them are.
 */
void scope_await_cancel(void)
{
	u32 seq;

	might_sleep();
	/* For lockdep: it waits for who has it. */
	might_lock(&scopes_lock);
	/* First what was found, then whether that is all of it. */
	smp_rmb();
	/* Likewise. */
	seq = smp_load_acquire(&cancel_seq);
	if (seq % 2 == 0)
		return;
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		/* Who cancels inherits the priority of who waits. */
		mutex_lock(&scopes_lock);
		mutex_unlock(&scopes_lock);
		return;
	}
	wait_event(cancel_waiters, cancel_has_moved_on(seq));
}

/**
 * scope_cancel - cancel a scope and those inside, unless done before
 * @scope: the scope
 * @cause: positive errno
 */
void scope_cancel(struct chan_scope *scope, u32 cause)
{
	mutex_lock(&scopes_lock);
	scope_cancel_locked(scope, cause, ECANCELED);
	scopes_unlock();
}

static void alarm_rings(struct work_struct *work)
{
	struct chan_scope *scope =
		container_of(to_delayed_work(work), struct chan_scope, alarm);

	mutex_lock(&scopes_lock);
	if (ktime_get_ns() < scope->alarm_at) {
		/* It was set anew while we came, or is very far off. */
		set_alarm(scope, scope->alarm_at);
	} else if (scope->state != CHAN_SCOPE_CANCELED) {
		scope_cancel_locked(scope, ETIMEDOUT, ECANCELED);
	} else if (!scope->killing) {
		scope->killing = true;
		scope->alarm_at = ALARM_NEVER;
		kill_members(scope);
		watch_members();
	}
	scope_put(scope);
	scopes_unlock();
}

/* --- The end --- */

/* Another scope owns it from now on. */
static void move_channel(struct channel *ch, struct chan_scope *to)
{
	struct chan_scope *from = ch->scope;

	list_move_tail(&ch->in_scope, &to->channels);
	to->nr_channels++;
	to->refs++;
	WRITE_ONCE(ch->scope, to);
	from->nr_channels--;
	scope_put(from);
}

/*
 * An adopted channel is the root's again.  Who still has it open finds it
 * cancelled; then it is new.
 */
static void return_channel(struct channel *ch)
{
	enter_cancel();
	channel_begin_cancel(ch, ECANCELED, &dropped_msgs);
	channel_finish_cancel(ch);
	channel_disown(ch, &dropped_msgs);
	move_channel(ch, &root);
}

static void return_channels(struct chan_scope *scope)
{
	struct channel *ch, *next;

	list_for_each_entry_safe(ch, next, &scope->channels, in_scope) {
		if (ch->named)
			return_channel(ch);
	}
}

/* What stays of it for the sake of its channels is bounded by those. */
static void scope_forget(struct chan_scope *scope)
{
	return_channels(scope);
	chan_user_uncharge_scope(scope->user);
}

/* The file is gone, and no member is left.  The caller has a reference. */
static void scope_end(struct chan_scope *scope)
{
	trace_chan_scope_end(scope);
	scope->killing = false;
	set_alarm(scope, ALARM_NEVER);
	unbind_group(scope);
	scope_forget(scope);
	scope_put(scope);
	module_put(THIS_MODULE);
}

static void close_at_once(struct chan_scope *scope)
{
	mutex_lock(&scopes_lock);
	WRITE_ONCE(scope->file, NULL);
	if (scope->bound_once)
		scope_cancel_locked(scope, EOWNERDEAD, ECANCELED);
	else
		set_alarm(scope, ALARM_NEVER);
	if (!scope->pgrp)
		scope_forget(scope);
	else if (is_vacant(scope))
		scope_end(scope);
	scope_put(scope);
	scopes_unlock();
}

/**
 * struct scope_closing - a scope that is closed by the workqueue
 * @work: does it
 * @scope: the scope
 */
struct scope_closing {
	struct work_struct work;
	struct chan_scope *scope;
};

static void closing_work_fn(struct work_struct *work)
{
	close_at_once(container_of(work, struct scope_closing, work)->scope);
}

/**
 * scope_close - the file of a scope is gone
 * @scope: the scope, not to be touched any more
 *
 * Everybody may signal itself: a setuid program, say, that lets go of the last
 * file would hit itself with what the scope may not send to it.  So another task
 * closes for it.
 */
void scope_close(struct chan_scope *scope)
{
	struct scope_closing closing = { .scope = scope };

	if (!scope_holds(scope, current) ||
	    current_may_be_signaled(scope->cred)) {
		close_at_once(scope);
		return;
	}
	INIT_WORK_ONSTACK(&closing.work, closing_work_fn);
	queue_work(workqueue, &closing.work);
	flush_work(&closing.work);
	destroy_work_on_stack(&closing.work);
}

/* --- Members go --- */

/* What a census is taken for. */
static bool is_watched(struct chan_scope *scope)
{
	if (!scope->pgrp)
		return false;
	if (!scope->file || scope->killing || !list_empty(&scope->waits))
		return true;
	/* As in notify_pollers(): the lock orders it. */
	return waitqueue_active(&scope->pollers);
}

static bool is_census_needed(struct chan_scope *scope)
{
	for (; scope != &root; scope = scope->parent) {
		if (is_watched(scope))
			return true;
	}
	return false;
}

/*
 * Tell and end what is over; the caller has a reference, and has added up the
 * members of the scopes inside.
 *
 * Return: true if it has to be watched further.
 */
static bool watch_one(struct chan_scope *scope)
{
	struct group_census *census = &scope->census;

	if (scope->pgrp && is_census_needed(scope))
		group_count(scope->pgrp, census);
	scope->parent->census.live += census->live;
	scope->parent->census.dying += census->dying;
	if (!is_watched(scope))
		return false;
	tell_waiters(scope, census, scope->exits_before);
	if (!census->live) {
		if (!scope->file)
			scope_end(scope);
		return false;
	}
	if (scope->killing)
		kill_members(scope);
	return true;
}

/* Each group is counted once, innermost first, also for the scopes around it. */
static void begin_census(void)
{
	struct chan_scope *s;

	for (s = scope_first_inside(&root); s;
	     s = scope_next_inside(s, &root)) {
		s->census = (struct group_census){};
		s->exits_before = atomic_read(&s->exits);
	}
	/* First who has begun to exit, then who is still there. */
	smp_rmb();
}

/* Return: true if some members are about to go. */
static bool watch_all(void)
{
	bool dying, more = false;
	struct chan_scope *s;

	mutex_lock(&scopes_lock);
	begin_census();
	for (s = scope_walk_begin(); s != &root; s = scope_walk_on(s))
		more |= watch_one(s);
	scope_walk_end();
	dying = root.census.dying;
	scopes_unlock();
	if (more)
		watch_members();
	return dying;
}

static void watch_work_fn(struct work_struct *work)
{
	watch_all();
}

static DECLARE_DELAYED_WORK(watch_work, watch_work_fn);

/* Take the census before long. */
static void watch_members(void)
{
	scope_run_soon(&watch_work, CENSUS_MS);
}

/* Those who exit are not gone yet. */
static void exit_work_fn(struct work_struct *work)
{
	unsigned int us = CENSUS_FIRST_US;
	int i;

	for (i = 0; i < CENSUS_TRIES; i++) {
		ktime_t began = ktime_get();
		bool dying = watch_all();
		s64 took = ktime_us_delta(ktime_get(), began);

		/* Others can have the lock for as long as we had it. */
		took = max_t(s64, us, took);
		usleep_range(took, took + took / 2);
		if (!dying)
			break;
		us *= 2;
	}
}

static DECLARE_WORK(exit_work, exit_work_fn);

/* sched_process_exit: a thread is going to exit.  Here nothing may sleep. */
static void probe_exit(void *data, struct task_struct *task)
{
	struct chan_scope *scope;
	bool bound;

	if (atomic_read(&task->signal->live))
		return;
	rcu_read_lock();
	scope = scope_of_group(task_pgrp(task));
	bound = scope;
	for (; scope; scope = scope->parent)
		atomic_inc(&scope->exits);
	rcu_read_unlock();
	/* Then the work that looks at the numbers. */
	if (bound)
		queue_work(workqueue, &exit_work);
}

/**
 * scope_run_soon - have some work done by the workqueue of scopes
 * @work: the work
 * @ms: when, unless it is to be done earlier already
 */
void scope_run_soon(struct delayed_work *work, unsigned int ms)
{
	queue_delayed_work(workqueue, work, msecs_to_jiffies(ms));
}

/* --- What owners do --- */

static void forget_owners(struct chan_scope *scope)
{
	int i;

	for (i = 0; i < SCOPE_OWNERS; i++)
		scope->owners[i] = SCOPE_NO_OWNER;
}

static struct chan_scope *scope_alloc(void)
{
	struct chan_scope *scope = kzalloc(sizeof(*scope), GFP_CHAN);

	if (!scope)
		return NULL;
	scope->refs = 1;
	INIT_LIST_HEAD(&scope->children);
	INIT_LIST_HEAD(&scope->channels);
	INIT_LIST_HEAD(&scope->waits);
	init_waitqueue_head(&scope->pollers);
	INIT_DELAYED_WORK(&scope->alarm, alarm_rings);
	scope->alarm_at = ALARM_NEVER;
	forget_owners(scope);
	scope->cred = get_current_cred();
	scope->owner = get_pid(task_tgid(current));
	get_task_comm(scope->comm, current);
	return scope;
}

/* Another user's are not asked for. */
static void inherit_settings(struct chan_scope *scope,
			     const struct chan_scope *parent)
{
	if (parent != &root && !uid_eq(scope->cred->euid, parent->cred->euid))
		parent = &root;
	scope->signal = parent->signal;
	scope->grace_ns = parent->grace_ns;
}

/* Who opens a scope in a cancelled one gets a cancelled one. */
static void scope_enter(struct chan_scope *scope)
{
	struct chan_scope *parent = scope_of_group(task_pgrp(current)) ?: &root;

	scope->id = ++last_id;
	scope->parent = parent;
	parent->refs++;
	list_add_tail(&scope->sibling, &parent->children);
	inherit_settings(scope, parent);
	if (parent->state == CHAN_SCOPE_CANCELED) {
		scope->state = parent->state;
		scope->cause = parent->cause;
	}
}

/**
 * scope_open - make a scope
 * @file: its file; calls scope_close() when it is gone
 *
 * Return: the scope; %-EDQUOT, %-ENOMEM.
 */
struct chan_scope *scope_open(struct file *file)
{
	struct chan_scope *scope;
	struct chan_user *user;

	user = chan_user_charge_scope();
	if (IS_ERR(user))
		return ERR_CAST(user);
	scope = scope_alloc();
	if (!scope) {
		chan_user_uncharge_scope(user);
		return ERR_PTR(-ENOMEM);
	}
	scope->user = user;
	scope->file = file;

	mutex_lock(&scopes_lock);
	scope_enter(scope);
	mutex_unlock(&scopes_lock);
	return scope;
}

/* Who binds a scope is taken for its owner, whoever has opened it. */
static void take_over(struct chan_scope *scope)
{
	put_pid(scope->owner);
	scope->owner = get_pid(task_tgid(current));
	get_task_comm(scope->comm, current);
}

/* The first group of a scope. */
static void first_bind(struct chan_scope *scope)
{
	struct channel *ch;

	/* Until it ends, see scope_end(). */
	__module_get(THIS_MODULE);
	scope->refs++;
	scope->bound_once = true;
	scope->state = CHAN_SCOPE_BOUND;
	list_for_each_entry(ch, &scope->channels, in_scope)
		channel_set_guard(ch, scope);
}

static long bind_locked(struct chan_scope *scope, struct scope_binding *binding)
{
	if (scope->state == CHAN_SCOPE_CANCELED)
		return -ECANCELED;
	if (!group_holds_child(binding->pgrp) ||
	    group_holds_init(binding->pgrp))
		return -EPERM;
	/* Whoever has opened a scope around it may be allowed more. */
	if (scope->parent != &root && !group_may_be_signaled(binding->pgrp))
		return -EPERM;
	if (scope_of_group(binding->pgrp))
		return -EBUSY;
	if (!is_vacant(scope))
		return -EBUSY;
	if (scope->pgrp)
		unbind_group(scope);
	bind_group(scope, binding);
	WRITE_ONCE(scope->vacant, false);
	if (!scope->bound_once)
		first_bind(scope);
	take_over(scope);
	trace_chan_scope_bind(scope);
	watch_members();
	if (scope->flags & CHAN_SCOPE_DETECT_DEADLOCK)
		deadlock_watch();
	return 0;
}

/**
 * scope_bind - bind a process group to a scope
 * @scope: the scope
 * @pgid: the group; 0 for that of the caller
 *
 * Return: 0, -EINVAL, -EPERM, -EBUSY, -ECANCELED, -ENOMEM.
 */
long scope_bind(struct chan_scope *scope, s32 pgid)
{
	struct scope_binding *binding;
	long err;

	if (pgid < 0)
		return -EINVAL;
	binding = kzalloc(sizeof(*binding), GFP_CHAN);
	if (!binding)
		return -ENOMEM;
	binding->scope = scope;
	binding->pgrp = pgid ? find_get_pid(pgid) :
			       get_task_pid(current, PIDTYPE_PGID);
	mutex_lock(&scopes_lock);
	err = binding->pgrp ? bind_locked(scope, binding) : -EPERM;
	mutex_unlock(&scopes_lock);
	if (err) {
		put_pid(binding->pgrp);
		kfree(binding);
	}
	return err;
}

/**
 * scope_set - say when a scope is cancelled, and what that means
 * @scope: the scope
 * @set: checked
 *
 * Return: 0 or -ECANCELED.
 */
long scope_set(struct chan_scope *scope, const struct chan_scope_set *set)
{
	long err = -ECANCELED;

	mutex_lock(&scopes_lock);
	if (scope->state != CHAN_SCOPE_CANCELED) {
		scope->signal = set->signal;
		scope->grace_ns = set->grace_ns;
		scope->flags = set->flags;
		set_alarm(scope, set->deadline ?: ALARM_NEVER);
		if (scope->flags & CHAN_SCOPE_DETECT_DEADLOCK)
			deadlock_watch();
		err = 0;
	}
	mutex_unlock(&scopes_lock);
	return err;
}

/* Without the lock; once.  Woken by wake_waiters(). */
static long wait_asleep(const struct chan_scope *scope,
			const struct scope_wait *wait)
{
	long err = 0;

	/* First we can be woken, then we look. */
	set_current_state(TASK_INTERRUPTIBLE);
	if (!is_waited_for(scope, wait)) {
		if (signal_pending(current))
			err = -ERESTARTSYS;
		else if (sleep_until(wait->deadline))
			err = -ETIMEDOUT;
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

/* Under the lock, but while it sleeps. */
static long wait_locked(struct chan_scope *scope, const struct scope_wait *wait,
			struct group_census *census)
{
	long err = wait->deadline == CHAN_NOWAIT ? -EAGAIN : 0;

	for (;;) {
		take_stock(scope, census);
		if (scope_holds(scope, current))
			return -EDEADLK;
		if (is_waited_for(scope, wait))
			return 0;
		if (err)
			return err;
		watch_members();
		mutex_unlock(&scopes_lock);
		err = wait_asleep(scope, wait);
		mutex_lock(&scopes_lock);
	}
}

/**
 * scope_wait - wait until no member is left, or one has gone
 * @scope: the scope
 * @arg: checked; filled with the results
 *
 * Return: 0; -EDEADLK, -EAGAIN, -ETIMEDOUT, -ERESTARTSYS.
 */
long scope_wait(struct chan_scope *scope, struct chan_scope_wait *arg)
{
	struct scope_wait wait = {
		.task = current,
		.deadline = arg->deadline,
		.exits = arg->exits,
		.for_exit = arg->flags & CHAN_SCOPE_WAIT_EXIT,
		/* As fdget() has found it. */
		.shares_files = atomic_read(&current->files->count) != 1,
	};
	struct group_census census;
	long err;

	mutex_lock(&scopes_lock);
	wait.canceled = scope->state == CHAN_SCOPE_CANCELED;
	list_add_tail(&wait.node, &scope->waits);
	err = wait_locked(scope, &wait, &census);
	list_del(&wait.node);
	arg->exits = scope->exited;
	arg->members = census.live;
	arg->cause = scope->cause;
	mutex_unlock(&scopes_lock);
	return err;
}

/**
 * scope_wait_goes_on - would a task that waits have to go on waiting?
 * @scope: for which it waits; under scopes_lock
 * @wait: the wait
 *
 * Return: true if so, as of now, and for ever unless somebody acts.
 */
bool scope_wait_goes_on(struct chan_scope *scope, const struct scope_wait *wait)
{
	if (wait->deadline != CHAN_FOREVER || is_cut_short(scope, wait) ||
	    is_vacant(scope))
		return false;
	/* Whoever is found gone has been counted before. */
	smp_rmb();
	return !wait->for_exit || atomic_read(&scope->exits) == wait->exits;
}

/**
 * scope_info - look at a scope
 * @scope: the scope
 * @info: filled
 */
void scope_info(struct chan_scope *scope, struct chan_scope_info *info)
{
	struct group_census census;

	mutex_lock(&scopes_lock);
	take_census(scope, &census);
	*info = (struct chan_scope_info){
		.id = scope->id,
		.parent = scope->parent->id,
		.pgid = pid_vnr(scope->pgrp),
		.state = scope->state,
		.cause = scope->cause,
		.members = census.live,
		.channels = scope->nr_channels,
	};
	mutex_unlock(&scopes_lock);
}

/**
 * scope_poll - what there is to be told of a scope
 * @scope: the scope
 * @file: its file
 * @wait: for poll_wait()
 *
 * Return: the poll events that hold.
 */
__poll_t scope_poll(struct chan_scope *scope, struct file *file,
		    poll_table *wait)
{
	struct group_census census;
	__poll_t mask = 0;

	poll_wait(file, &scope->pollers, wait);
	mutex_lock(&scopes_lock);
	if (scope->state == CHAN_SCOPE_CANCELED)
		mask |= EPOLLHUP;
	if (scope->bound_once) {
		take_stock(scope, &census);
		if (scope->vacant)
			mask |= EPOLLIN | EPOLLRDNORM;
		else
			watch_members();
	}
	mutex_unlock(&scopes_lock);
	return mask;
}

/* --- Channels --- */

/**
 * scope_add_channel - a new channel becomes a scope's
 * @scope: the scope
 * @ch: the channel
 *
 * Return: 0 or -ECANCELED.
 */
int scope_add_channel(struct chan_scope *scope, struct channel *ch)
{
	int err = -ECANCELED;

	mutex_lock(&scopes_lock);
	if (scope->state != CHAN_SCOPE_CANCELED) {
		list_add_tail(&ch->in_scope, &scope->channels);
		scope->nr_channels++;
		scope->refs++;
		ch->scope = scope;
		channel_set_guard(ch, guard_of(scope));
		err = 0;
	}
	mutex_unlock(&scopes_lock);
	return err;
}

/**
 * scope_drop_channel - a channel is gone
 * @ch: the channel; under scopes_lock
 */
void scope_drop_channel(struct channel *ch)
{
	list_del(&ch->in_scope);
	ch->scope->nr_channels--;
	scope_put(ch->scope);
}

/**
 * scope_adopt - take a named channel into a scope
 * @scope: the scope
 * @ch: the channel
 * @mode: of the one file that is open on it
 *
 * Return: 0, -ECANCELED, -EBUSY, -ENODEV.
 */
long scope_adopt(struct chan_scope *scope, struct channel *ch, fmode_t mode)
{
	long err;

	mutex_lock(&scopes_lock);
	if (scope->state == CHAN_SCOPE_CANCELED)
		err = -ECANCELED;
	else if (ch->scope != &root)
		err = -EBUSY;
	else
		err = channel_adopt(ch, mode, guard_of(scope));
	if (!err)
		move_channel(ch, scope);
	mutex_unlock(&scopes_lock);
	return err;
}

/* --- What can be seen --- */

static const char *const state_names[] = {
	[CHAN_SCOPE_UNBOUND] = "unbound",
	[CHAN_SCOPE_BOUND] = "bound",
	[CHAN_SCOPE_CANCELED] = "canceled",
};

static void show_scope(struct seq_file *m, struct chan_scope *scope)
{
	struct group_census census;

	take_census(scope, &census);
	seq_printf(m, "%llu parent %llu pgid %d state %s cause %u", scope->id,
		   scope->parent->id, pid_nr(scope->pgrp),
		   state_names[scope->state], scope->cause);
	seq_printf(m, " members %u channels %u owner %d ", census.live,
		   scope->nr_channels, pid_nr(scope->owner));
	show_name(m, scope->comm);
	seq_putc(m, '\n');
	if (scope->pgrp)
		group_show(m, scope->pgrp);
}

/**
 * scope_show_all - list all scopes but the root
 * @m: where to
 */
void scope_show_all(struct seq_file *m)
{
	struct chan_scope *s;

	mutex_lock(&scopes_lock);
	for (s = scope_first_inside(&root); s;
	     s = scope_next_inside(s, &root)) {
		if (s != &root)
			show_scope(m, s);
	}
	mutex_unlock(&scopes_lock);
}

/**
 * scope_show_channels - list all channels and who is parked on them
 * @m: where to
 */
void scope_show_channels(struct seq_file *m)
{
	struct chan_scope *s;
	struct channel *ch;

	mutex_lock(&scopes_lock);
	for (s = scope_first_inside(&root); s;
	     s = scope_next_inside(s, &root)) {
		list_for_each_entry(ch, &s->channels, in_scope)
			channel_show(m, ch, s->id);
	}
	mutex_unlock(&scopes_lock);
}

/* --- Coming and going --- */

static struct tracepoint *exit_tracepoint;

static void find_tracepoint(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "sched_process_exit"))
		exit_tracepoint = tp;
}

static int watch_exits(void)
{
	for_each_kernel_tracepoint(find_tracepoint, NULL);
	if (!exit_tracepoint) {
		pr_err("the kernel has no tracepoint sched_process_exit: it needs CONFIG_TRACEPOINTS\n");
		return -EOPNOTSUPP;
	}
	return tracepoint_probe_register(exit_tracepoint, probe_exit, NULL);
}

int scope_init(void)
{
	int err;

	workqueue = alloc_workqueue("chan", WQ_UNBOUND, 0);
	if (!workqueue)
		return -ENOMEM;
	err = watch_exits();
	if (err)
		destroy_workqueue(workqueue);
	return err;
}

/* No scope is left: each keeps the module loaded by a file or a group. */
void scope_exit(void)
{
	tracepoint_probe_unregister(exit_tracepoint, probe_exit, NULL);
	tracepoint_synchronize_unregister();
	deadlock_stop();
	cancel_work_sync(&exit_work);
	cancel_delayed_work_sync(&watch_work);
	destroy_workqueue(workqueue);
}
