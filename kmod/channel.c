// SPDX-License-Identifier: GPL-2.0-only
/*
 * A channel: its life, its ends, and what can be seen of it.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <linux/chan.h>

#include "channel.h"
#include "group.h"
#include "scope.h"
#include "trace.h"
#include "usercopy.h"
#include "user.h"

/* How many parked tasks are woken in one hold of the lock. */
#define RELEASE_BATCH 64
/* How many parked tasks of one side debugfs shows. */
#define SHOW_PARKED 64

static atomic64_t last_id;

/**
 * channel_limits - check what somebody asks of a new channel
 * @capacity: messages to buffer
 * @max_msg: longest message in bytes; 0 is replaced by the default
 *
 * Return: 0 or -EINVAL.
 */
int channel_limits(u32 capacity, u32 *max_msg)
{
	if (capacity > CHAN_MAX_CAPACITY || *max_msg > CHAN_MAX_MSG)
		return -EINVAL;
	if (!*max_msg)
		*max_msg = CHAN_DEFAULT_MAX_MSG;
	return 0;
}

/**
 * channel_create - make a channel
 * @scope: that owns it
 * @user: whom it is charged to, taken over on success; %NULL for a named one
 * @capacity: messages to buffer
 * @max_msg: longest message in bytes
 *
 * An anonymous channel hangs up, a named one does not unless told to.
 *
 * Return: the channel, with one reference and no ends; %-ENOMEM; %-ECANCELED.
 */
struct channel *channel_create(struct chan_scope *scope, struct chan_user *user,
			       u32 capacity, u32 max_msg)
{
	struct channel *ch = kzalloc(sizeof(*ch), GFP_CHAN);
	int err;

	if (!ch)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&ch->lock);
	match_init(&ch->match, capacity);
	ch->max_msg = max_msg;
	ch->id = atomic64_inc_return(&last_id);
	ch->named = !user;
	ch->hangup = !ch->named;
	init_waitqueue_head(&ch->recv_pollers);
	init_waitqueue_head(&ch->send_pollers);
	kref_init(&ch->ref);
	ch->user = user;
	err = scope_add_channel(scope, ch);
	if (err) {
		kfree(ch);
		return ERR_PTR(err);
	}
	return ch;
}

void channel_get(struct channel *ch)
{
	kref_get(&ch->ref);
}

static void channel_release(struct kref *ref)
{
	struct channel *ch = container_of(ref, struct channel, ref);

	scope_drop_channel(ch);
	mutex_unlock(&scopes_lock);
	msg_free_list(&ch->match.line);
	msg_free_list(&ch->match.spares);
	if (ch->user)
		chan_user_uncharge_channel(ch->user);
	kfree(ch);
}

void channel_put(struct channel *ch)
{
	kref_put_mutex(&ch->ref, channel_release, &scopes_lock);
}

/* Let every parked task go, a batch at a time; the lock is dropped between. */
static void release_parked(struct channel *ch)
{
	bool more;

	do {
		spin_lock(&ch->lock);
		more = match_release(&ch->match, RELEASE_BATCH);
		spin_unlock(&ch->lock);
		cond_resched();
	} while (more);
}

/* All of them: none gets another chance to hear of it. */
static void wake_all_pollers(struct wait_queue_head *pollers, __poll_t mask)
{
	__wake_up(pollers, TASK_NORMAL, 0, poll_to_key(mask));
}

static void notify_end(struct channel *ch)
{
	wake_all_pollers(&ch->recv_pollers,
			 EPOLLIN | EPOLLRDNORM | EPOLLHUP | EPOLLERR);
	wake_all_pollers(&ch->send_pollers,
			 EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR);
}

/* What is buffered is of no use to anybody in these states. */
static void drop_useless(struct match *m, struct list_head *dropped)
{
	if (m->state == CHAN_STATE_BROKEN || m->state == CHAN_STATE_CANCELED)
		match_drop(m, dropped);
}

/* Under the lock; who gets true calls finish_end() without it. */
static bool begin_end(struct channel *ch, u32 state, u32 cause)
{
	if (!match_end(&ch->match, state, cause))
		return false;
	trace_chan_close(ch, state, cause);
	return true;
}

static void finish_end(struct channel *ch)
{
	release_parked(ch);
	notify_end(ch);
}

/*
 * With @parked, those who are parked are to be told that instead.  Who gets true
 * calls finish_end().
 */
static bool end_as(struct channel *ch, u32 state, u32 cause, u32 parked,
		   struct list_head *dropped)
{
	bool ended;

	spin_lock(&ch->lock);
	ended = begin_end(ch, state, cause);
	if (ended) {
		ch->match.parked_cause = parked;
		drop_useless(&ch->match, dropped);
	}
	spin_unlock(&ch->lock);
	return ended;
}

/**
 * channel_end - end a channel, unless it has ended before
 * @ch: the channel
 * @state: what it comes to
 * @cause: positive errno for receivers, or 0 for the end of file
 */
void channel_end(struct channel *ch, u32 state, u32 cause)
{
	LIST_HEAD(dropped);

	if (end_as(ch, state, cause, 0, &dropped))
		finish_end(ch);
	msg_free_list(&dropped);
}

/**
 * channel_remove - the device of a named channel is gone
 * @ch: the channel; ends unless it has ended before, and never begins anew
 */
void channel_remove(struct channel *ch)
{
	spin_lock(&ch->lock);
	ch->removed = true;
	spin_unlock(&ch->lock);
	channel_end(ch, CHAN_STATE_REMOVED, ENODEV);
}

/**
 * channel_begin_cancel - end a channel, because its scope is cancelled
 * @ch: the channel
 * @parked: positive errno for those who are parked now
 * @dropped: gets what is buffered, for the caller to free without a lock
 *
 * From now on nothing succeeds on it.  A channel that has ended before is
 * cancelled, too.
 */
void channel_begin_cancel(struct channel *ch, u32 parked,
			  struct list_head *dropped)
{
	end_as(ch, CHAN_STATE_CANCELED, ECANCELED, parked, dropped);
}

/**
 * channel_finish_cancel - tell those who are parked on it, or poll it
 * @ch: the channel, cancelled
 */
void channel_finish_cancel(struct channel *ch)
{
	finish_end(ch);
}

/**
 * channel_attach - a file is opened on a channel
 * @ch: the channel; the file holds a reference
 * @mode: of the file
 */
void channel_attach(struct channel *ch, fmode_t mode)
{
	spin_lock(&ch->lock);
	if (mode & FMODE_WRITE)
		ch->send_ends++;
	if (mode & FMODE_READ)
		ch->recv_ends++;
	spin_unlock(&ch->lock);
}

/* The last of one kind of end has gone: what does the channel come to? */
static u32 hangup_state(const struct channel *ch, fmode_t mode)
{
	if (!ch->hangup)
		return CHAN_STATE_OPEN;
	if ((mode & FMODE_READ) && !ch->recv_ends)
		return CHAN_STATE_BROKEN;
	if ((mode & FMODE_WRITE) && !ch->send_ends)
		return CHAN_STATE_CLOSED;
	return CHAN_STATE_OPEN;
}

/* Has it ended only as far as those go who have it open? */
static bool can_begin_anew(const struct channel *ch)
{
	if (!ch->named || ch->removed)
		return false;
	switch (ch->match.state) {
	case CHAN_STATE_OPEN:
		return false;
	case CHAN_STATE_CANCELED:
		return !ch->adopted;
	default:
		return true;
	}
}

/* An ended channel that nobody has open is new for the next who opens it. */
static void reset_unused(struct channel *ch, struct list_head *dropped)
{
	if (ch->send_ends || ch->recv_ends || !can_begin_anew(ch))
		return;
	match_drop(&ch->match, dropped);
	match_init(&ch->match, ch->match.capacity);
	ch->match.guarded = !!ch->guard;
	ch->id = atomic64_inc_return(&last_id);
}

/**
 * channel_detach - a file on a channel is gone
 * @ch: the channel
 * @mode: of the file
 */
void channel_detach(struct channel *ch, fmode_t mode)
{
	LIST_HEAD(dropped);
	bool ended = false;
	u32 state;

	spin_lock(&ch->lock);
	if (mode & FMODE_WRITE)
		ch->send_ends--;
	if (mode & FMODE_READ)
		ch->recv_ends--;
	state = hangup_state(ch, mode);
	if (state)
		ended = begin_end(ch, state, 0);
	if (state == CHAN_STATE_BROKEN)
		match_drop(&ch->match, &dropped);
	reset_unused(ch, &dropped);
	spin_unlock(&ch->lock);

	if (ended)
		finish_end(ch);
	msg_free_list(&dropped);
}

static __poll_t end_mask(u32 state)
{
	switch (state) {
	case CHAN_STATE_OPEN:
		return 0;
	case CHAN_STATE_CLOSED:
		return EPOLLHUP;
	default:
		return EPOLLHUP | EPOLLERR;
	}
}

static void set_guard(struct channel *ch, struct chan_scope *guard)
{
	WRITE_ONCE(ch->guard, guard);
	WRITE_ONCE(ch->match.guarded, !!guard);
}

/**
 * channel_set_guard - let a scope say who may use a channel
 * @ch: the channel
 * @guard: the scope
 */
void channel_set_guard(struct channel *ch, struct chan_scope *guard)
{
	spin_lock(&ch->lock);
	set_guard(ch, guard);
	spin_unlock(&ch->lock);
}

/**
 * channel_adopt - let another scope say who may use a named channel
 * @ch: the channel
 * @mode: of the one file that is open on it
 * @guard: who may say so, %NULL for nobody
 *
 * Return: 0; -EBUSY if it is in use; -ENODEV if the device is gone.
 */
int channel_adopt(struct channel *ch, fmode_t mode, struct chan_scope *guard)
{
	int err = 0;

	spin_lock(&ch->lock);
	if (ch->removed)
		err = -ENODEV;
	else if (ch->match.state || ch->match.nr_msgs || ch->match.senders.nr ||
		 ch->match.receivers.nr ||
		 ch->send_ends != !!(mode & FMODE_WRITE) ||
		 ch->recv_ends != !!(mode & FMODE_READ))
		err = -EBUSY;
	if (!err) {
		ch->adopted = true;
		set_guard(ch, guard);
	}
	spin_unlock(&ch->lock);
	return err;
}

/**
 * channel_disown - let everybody use an adopted channel again
 * @ch: the channel, cancelled; begins anew when nobody has it open
 * @dropped: gets what it has kept, as by channel_begin_cancel()
 */
void channel_disown(struct channel *ch, struct list_head *dropped)
{
	spin_lock(&ch->lock);
	ch->adopted = false;
	set_guard(ch, NULL);
	reset_unused(ch, dropped);
	spin_unlock(&ch->lock);
}

/**
 * channel_access_others - may a task use a channel, if that takes a closer look?
 * @ch: the channel
 *
 * Return: 0 or -EACCES.
 */
int channel_access_others(const struct channel *ch)
{
	struct chan_scope *guard;
	int err = 0;

	/* An adopted one may be returned, and its scopes go, at any time. */
	rcu_read_lock();
	guard = READ_ONCE(ch->guard);
	if (guard && !scope_admits(guard))
		err = scope_admits_others(guard, READ_ONCE(ch->scope));
	rcu_read_unlock();
	/* To look through many files takes its time. */
	if (err)
		cond_resched();
	return err;
}

/* Whoever is kept out would not wait to be told so. */
static __poll_t kept_out_mask(fmode_t mode)
{
	return EPOLLERR | (mode & FMODE_READ ? EPOLLIN | EPOLLRDNORM : 0) |
	       (mode & FMODE_WRITE ? EPOLLOUT | EPOLLWRNORM : 0);
}

/* Who is told of a cancel succeeds nowhere any more, see scope.h. */
static void await_cancel(u32 state)
{
	if (unlikely(state == CHAN_STATE_CANCELED))
		scope_await_cancel();
}

/**
 * channel_poll - what would not wait
 * @ch: the channel
 * @file: a file on it
 * @wait: for poll_wait()
 * @self: whose parked operations do not count, %NULL if all do
 *
 * Return: the poll events that hold.
 */
__poll_t channel_poll(struct channel *ch, struct file *file, poll_table *wait,
		      const struct task_struct *self)
{
	__poll_t mask;
	u32 state;

	/* First, as an epoll of who is let in later asks only once. */
	if (file->f_mode & FMODE_READ)
		poll_wait(file, &ch->recv_pollers, wait);
	if (file->f_mode & FMODE_WRITE)
		poll_wait(file, &ch->send_pollers, wait);
	if (channel_access(ch))
		return kept_out_mask(file->f_mode);

	spin_lock(&ch->lock);
	state = ch->match.state;
	mask = end_mask(state);
	if ((file->f_mode & FMODE_READ) && match_readable(&ch->match, self))
		mask |= EPOLLIN | EPOLLRDNORM;
	if ((file->f_mode & FMODE_WRITE) && match_writable(&ch->match, self))
		mask |= EPOLLOUT | EPOLLWRNORM;
	spin_unlock(&ch->lock);
	await_cancel(state);
	return mask;
}

/**
 * channel_configure - change the limits of a channel that is not in use
 * @ch: the channel
 * @capacity: messages to buffer, or %NULL to leave that
 * @max_msg: longest message in bytes, or %NULL to leave that
 *
 * Return: 0, or -EBUSY if a file is open on it or a message in it.
 */
int channel_configure(struct channel *ch, const u32 *capacity,
		      const u32 *max_msg)
{
	int err = -EBUSY;

	spin_lock(&ch->lock);
	if (!ch->send_ends && !ch->recv_ends && !ch->match.nr_msgs) {
		if (capacity)
			ch->match.capacity = *capacity;
		if (max_msg)
			ch->max_msg = *max_msg;
		err = 0;
	}
	spin_unlock(&ch->lock);
	return err;
}

/**
 * channel_set_hangup - choose whether a channel ends with the ends of one side
 * @ch: the channel
 * @hangup: whether it does; looked at whenever a file on it goes
 */
void channel_set_hangup(struct channel *ch, bool hangup)
{
	spin_lock(&ch->lock);
	ch->hangup = hangup;
	spin_unlock(&ch->lock);
}

/* Everything but who asks; under the lock. */
static void fill_info(const struct channel *ch, struct chan_info *info)
{
	*info = (struct chan_info){
		.id = ch->id,
		.state = ch->match.state,
		.cause = ch->match.cause,
		.capacity = ch->match.capacity,
		.max_msg = ch->max_msg,
		.buffered = ch->match.nr_msgs,
		.parked_senders = match_parked(&ch->match.senders),
		.parked_receivers = match_parked(&ch->match.receivers),
		.send_ends = ch->send_ends,
		.recv_ends = ch->recv_ends,
		.flags = (ch->named ? CHAN_INFO_NAMED : 0) |
			 (ch->hangup ? CHAN_INFO_HANGUP : 0),
		.sent = ch->match.sent,
		.received = ch->match.received,
	};
}

/**
 * channel_info - look at a channel
 * @ch: the channel
 * @info: filled, all of one instant
 */
void channel_info(struct channel *ch, struct chan_info *info)
{
	spin_lock(&ch->lock);
	fill_info(ch, info);
	spin_unlock(&ch->lock);
	await_cancel(info->state);
}

/**
 * channel_state_name - a state in words
 * @state: an &enum chan_state
 *
 * Return: the word.
 */
const char *channel_state_name(u32 state)
{
	static const char *const names[] = {
		[CHAN_STATE_OPEN] = "open",
		[CHAN_STATE_CLOSED] = "closed",
		[CHAN_STATE_FAILED] = "failed",
		[CHAN_STATE_BROKEN] = "broken",
		[CHAN_STATE_CANCELED] = "canceled",
		[CHAN_STATE_REMOVED] = "removed",
	};

	return names[state];
}

/* How long its owner has been asleep. */
static unsigned int asleep_ms(const struct chan_call *call)
{
	if (READ_ONCE(call->sleep) == CALL_AWAKE)
		return 0;
	return jiffies_to_msecs(jiffies - READ_ONCE(call->since));
}

static void show_parked(struct seq_file *m, const struct queue *queue,
			const char *what)
{
	unsigned int shown = 0;
	struct chan_op *op;

	hlist_for_each_entry(op, queue, node) {
		struct task_struct *task = op->call->task;

		if (!call_claimable(op->call))
			continue;
		if (shown++ == SHOW_PARKED) {
			seq_puts(m, "  ...\n");
			break;
		}
		seq_printf(m, "  %s pid %d ", what, task_pid_nr(task));
		show_name(m, task->comm);
		seq_printf(m, " for %u ms\n", asleep_ms(op->call));
	}
}

/**
 * channel_show - show a channel and who is parked on it
 * @m: where to
 * @ch: the channel
 * @scope_id: of its scope
 */
void channel_show(struct seq_file *m, struct channel *ch, u64 scope_id)
{
	struct chan_info info;

	spin_lock(&ch->lock);
	fill_info(ch, &info);
	seq_printf(m, "%llu %s %s cause %u capacity %u max_msg %u", info.id,
		   ch->named ? "named" : "anonymous",
		   channel_state_name(info.state), info.cause, info.capacity,
		   info.max_msg);
	seq_printf(m, " buffered %u send_ends %u recv_ends %u", info.buffered,
		   info.send_ends, info.recv_ends);
	seq_printf(m, " sent %llu received %llu scope %llu\n", info.sent,
		   info.received, scope_id);
	show_parked(m, &ch->match.senders, "sender");
	show_parked(m, &ch->match.receivers, "receiver");
	spin_unlock(&ch->lock);
}
