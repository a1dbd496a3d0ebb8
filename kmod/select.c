// SPDX-License-Identifier: GPL-2.0-only
/*
 * Select: of several sends, receives and events of files, the first that is
 * possible.
 */
#include <linux/errno.h>
#include <linux/math.h>
#include <linux/percpu.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <linux/chan.h>

#include "cases.h"
#include "channel.h"
#include "compat.h"
#include "end.h"
#include "ioctl.h"
#include "select.h"
#include "trace.h"
#include "transfer.h"
#include "user.h"
#include "usercopy.h"
#include "wait.h"

/*
 * DOC: How a select goes
 *
 * A select is one call (see call.h) with an operation for each case that sends
 * or receives.  It goes through these steps::
 *
 *     load    read and check all cases, take the messages to send
 *     look    private: try cases that look possible, without parking
 *     watch   private: have the files wake us, and look at them once more
 *     visit   park each operation, unless it is possible by now
 *     wait    until a partner has claimed the call, or a file has news
 *     unpark  take the losers out of their queues: private again
 *     settle  copy the message, tell the user
 *
 * Of several possible cases one is picked by chance; with %CHAN_SELECT_PRIORITY
 * the first.  Chance decides, too, in which order several of them stand in one
 * queue.
 *
 * At most one happens: a partner claims the call; so does the select itself
 * before it carries out a case while it is visible, be it against a partner, on
 * the line of a channel, or because of a file.  Who comes second finds the call
 * claimed, and has changed nothing.
 *
 * No wake-up is lost: a case is parked under the same hold of the lock in which
 * nothing was possible; files are looked at after their wait queues know us.
 *
 * An operation that a partner has claimed is the partner's, until it is settled
 * or given back; all three happen under the lock of its channel, but for the
 * end of a copy.  So whoever goes on to use an operation that was parked asks
 * under that lock whether the call can still be claimed.
 *
 * One instant: a select that does not wait looks at one channel after the other,
 * without parking.  It says that nothing is possible only if no channel has
 * moved on (@match.order) from when it was looked at until all were.  With
 * %CHAN_SELECT_PRIORITY a case is taken only if none of higher rank has moved on
 * before.  The looks take no lock, so they may see half of a change; to ask
 * whether a channel has moved on takes its lock, and so comes after all of it.
 * Where that fails over and over, the cases are parked for a moment: of what is
 * parked on all channels, none was possible at the instant when the last was,
 * else a partner would have claimed it.
 *
 * A signal, a kill, a fault, the deadline at each step:
 *
 * * load, look: nothing is visible yet, the call just returns.
 * * watch: the same.  The files' own code may take as long as it likes.
 * * visit, wait: the call is left under its own lock.  If a partner was faster,
 *   that case has happened, and the signal stays pending.  A partner that copies
 *   from one of our sends is waited for: it copies with page faults off, and may
 *   still fail and let us go.
 * * settle: a page of ours that is not there is brought in while nothing is
 *   claimed or parked.  A message that we own already goes back to its place in
 *   line if it cannot be kept, or if the task is being killed.
 *
 * Locks: those of one channel and, below it, of two calls; none while user
 * memory is touched, or a file is polled.
 *
 * What is left: a file that has news is asked while the cases are parked.  If
 * its code sleeps (FUSE), a long message that was dealt to one of our receives
 * meanwhile waits for us, though another receiver may be there.
 */

/* Cases for which nothing is allocated. */
#define SELECT_FEW 8
/* Cases for which there is a cache. */
#define SELECT_SOME 64
/* How often channels may move on while we look, until we park instead. */
#define LOOK_TRIES 8

/**
 * struct select - one select under way
 * @call: what partners claim
 * @cases: all of them
 * @n: how many
 * @deadline: see wait.h
 * @ordered: the first possible case is taken, not a random one
 * @watched: the files that are waited for know us
 * @ready: it may be that something is possible at once
 * @cut_short: not all of them are parked
 * @files: where files that are waited for wake us; %NULL without any
 * @chosen: the case that happens
 * @user: the user's
 * @case_size: of the user's cases
 * @loaded: how many cases are filled
 * @holds: some of them hold something
 * @index: for the user
 */
struct select {
	struct chan_call call;
	struct select_case *cases;
	u32 n;
	u64 deadline;
	bool ordered;
	bool watched;
	bool ready;
	bool cut_short;
	struct poll_wqueues *files;
	struct select_case *chosen;
	void __user *user;
	u32 case_size;
	u32 loaded;
	bool holds;
	u32 index;
};

static struct select_case *case_of(struct chan_op *op)
{
	return container_of(op, struct select_case, op);
}

/*
 * Chance is for fairness only, no secret: cheap will do.  That tasks may get the
 * same numbers does not matter.
 */
static DEFINE_PER_CPU(u32, select_random);

static u32 random_below(u32 n)
{
	u32 random = this_cpu_read(select_random) * 1664525 + 1013904223;

	this_cpu_write(select_random, random);
	return reciprocal_scale(random, n);
}

/*
 * What the file has to say, and if @wait is set, have it wake us.  What this call
 * has parked itself does not count.
 */
static bool look_at_file(struct select_case *c, poll_table *wait)
{
	struct file *file = fd_file(c->fd);
	struct channel *ch = end_channel(file);

	if (wait)
		wait->_key = c->events;
	c->seen = ch ? channel_poll(ch, file, wait, current) :
		       vfs_poll(file, wait);
	c->seen &= c->events;
	return c->seen;
}

/* A guess without the lock, and from when it is. */
static bool channel_looks_ready(struct select_case *c)
{
	c->order = READ_ONCE(c->ch->match.order);
	/* First from when it is: pairs with the barrier in match_move_on(). */
	smp_rmb();
	return c->kind == CHAN_SEND ? channel_looks_writable(c->ch) :
				      channel_looks_readable(c->ch);
}

static bool case_looks_ready(struct select_case *c)
{
	if (c->ch)
		return channel_looks_ready(c);
	return c->kind && look_at_file(c, NULL);
}

/*
 * Have some of the first @n moved on since they were looked at?  A guess, which
 * may miss what is under way.
 */
static bool looks_moved_on(const struct select *s, u32 n)
{
	const struct select_case *c;

	/* First what was looked at, then whether it still holds. */
	smp_rmb();
	for (c = s->cases; c < s->cases + n; c++) {
		if (c->ch && READ_ONCE(c->ch->match.order) != c->order)
			return true;
	}
	return false;
}

/*
 * The same for sure.  A look without the lock may have seen half of a change, of
 * which one case saw what was before and another what came after; by when the
 * lock is free, it has moved on.
 */
static bool moved_on(const struct select *s, u32 n)
{
	const struct select_case *c;
	bool moved = false;

	for (c = s->cases; c < s->cases + n && !moved; c++) {
		if (!c->ch)
			continue;
		spin_lock(&c->ch->lock);
		moved = c->ch->match.order != c->order;
		spin_unlock(&c->ch->lock);
	}
	return moved;
}

static enum match_verdict match_case(struct select_case *c,
				     struct task_struct **wake)
{
	if (c->kind == CHAN_SEND)
		return match_send(&c->ch->match, &c->op, wake);
	return match_recv(&c->ch->match, &c->op, wake);
}

static struct queue *queue_of(struct channel *ch, const struct select_case *c)
{
	return likely(c->kind == CHAN_RECV) ? &ch->match.receivers :
					      &ch->match.senders;
}

/*
 * Others of this call stand at the end of the same queue already: take any place
 * among them.
 */
static void mix_in(struct queue *q, struct select_case *c)
{
	struct hlist_node *next = NULL;
	struct hlist_node *node = &c->op.node;
	u32 others = 0;

	while ((node = queue_prev(q, node)) &&
	       hlist_entry(node, struct chan_op, node)->call == c->op.call) {
		if (!random_below(++others + 1))
			next = node;
	}
	if (!next)
		return;
	queue_del(q, &c->op.node);
	queue_add_before(q, &c->op.node, next);
	/* The tickets stay in order: ours, the last, goes to the last place. */
	for (node = &c->op.node; node->next; node = node->next)
		swap(hlist_entry(node, struct chan_op, node)->ticket,
		     hlist_entry(node->next, struct chan_op, node)->ticket);
}

/* Unless it stands in its queue already, and is just available again. */
static void park_case(struct select *s, struct select_case *c)
{
	struct match *m = &c->ch->match;
	struct queue *q = queue_of(c->ch, c);
	bool first = !c->op.ticket;

	if (!hlist_unhashed(&c->op.node)) {
		match_move_on(m, m->order + 1);
		return;
	}
	match_park(m, q, &c->op);
	if (first && !s->ordered)
		mix_in(q, c);
}

static void notify_other_side(struct select_case *c)
{
	if (c->kind == CHAN_SEND)
		channel_notify_receivers(c->ch);
	else
		channel_notify_senders(c->ch);
}

/* Look for a partner without parking. */
static enum match_verdict try_case(struct select *s, struct select_case *c)
{
	struct channel *ch = c->ch;
	struct task_struct *wake = NULL;
	enum match_verdict verdict = MATCH_AGAIN;

	spin_lock(&ch->lock);
	if (!s->ordered || !looks_moved_on(s, c - s->cases)) {
		verdict = match_case(c, &wake);
		c->order = ch->match.order;
	}
	spin_unlock(&ch->lock);
	if (wake)
		transfer_wake(ch, wake);
	if (verdict == MATCH_DONE && c->op.news)
		notify_other_side(c);
	return verdict;
}

/* Under the lock.  What a partner has claimed by this operation is not ours. */
static enum match_verdict match_visible(struct select_case *c,
					struct task_struct **wake)
{
	if (!call_claimable(c->op.call))
		return MATCH_LOST;
	return match_case(c, wake);
}

/* Look for a partner, and park if there is none. */
static enum match_verdict visit_case(struct select *s, struct select_case *c)
{
	struct channel *ch = c->ch;
	struct task_struct *wake = NULL;
	enum match_verdict verdict;

	spin_lock(&ch->lock);
	/* As send_meet(). */
	while ((verdict = match_visible(c, &wake)) == MATCH_AGAIN &&
	       !fatal_signal_pending(current))
		transfer_breathe(ch);
	if (verdict == MATCH_WAIT)
		park_case(s, c);
	spin_unlock(&ch->lock);
	if (wake)
		transfer_wake(ch, wake);
	if (verdict == MATCH_WAIT)
		trace_chan_park(ch, c->kind == CHAN_SEND);
	if (verdict == MATCH_WAIT || (verdict == MATCH_DONE && c->op.news))
		notify_other_side(c);
	return verdict;
}

/* What came of looking; less than 0 is an error. */
enum look {
	LOOK_CHOSEN,
	LOOK_NOTHING,
	LOOK_UNSURE,
};

/* It looked ready; is it? */
static int look_at_case(struct select *s, struct select_case *c)
{
	enum match_verdict verdict = MATCH_DONE;
	int err;

	if (s->ordered && moved_on(s, c - s->cases))
		return LOOK_UNSURE;
	while (c->ch && (verdict = try_case(s, c)) == MATCH_NEEDS_MSG) {
		err = payload_to_heap(&c->op.payload);
		if (err)
			return err;
	}
	switch (verdict) {
	case MATCH_DONE:
	case MATCH_TAKE:
		s->chosen = c;
		return LOOK_CHOSEN;
	case MATCH_AGAIN:
		return LOOK_UNSURE;
	default:
		return LOOK_NOTHING;
	}
}

/* Those that look ready, in order. */
static int look_in_order(struct select *s)
{
	struct select_case *c;
	int look;

	for (c = s->cases; c < s->cases + s->n; c++) {
		if (!case_looks_ready(c))
			continue;
		look = look_at_case(s, c);
		if (look != LOOK_NOTHING)
			return look;
	}
	return LOOK_NOTHING;
}

/* Of those that look ready, one by chance. */
static int look_at_any(struct select *s)
{
	struct select_case *c, *picked = NULL;
	u32 ready = 0;
	int look;

	for (c = s->cases; c < s->cases + s->n; c++) {
		if (case_looks_ready(c) && !random_below(++ready))
			picked = c;
	}
	if (!picked)
		return LOOK_NOTHING;
	look = look_at_case(s, picked);
	/* Somebody was faster: any other will do. */
	return look == LOOK_NOTHING ? look_in_order(s) : look;
}

static int look_at_all(struct select *s)
{
	int look = s->ordered ? look_in_order(s) : look_at_any(s);

	/* Who waits will find out. */
	if (look != LOOK_NOTHING || s->deadline != CHAN_NOWAIT)
		return look;
	return moved_on(s, s->n) ? LOOK_UNSURE : LOOK_NOTHING;
}

/* While the call is private: is something possible? */
static int select_look(struct select *s)
{
	unsigned int tries;
	int look = LOOK_UNSURE;

	/* Nothing was when the cases were loaded: park, and find out. */
	if (!s->ready && s->deadline != CHAN_NOWAIT)
		return LOOK_NOTHING;

	for (tries = 0; tries < LOOK_TRIES && look == LOOK_UNSURE; tries++)
		look = look_at_all(s);
	return look;
}

/*
 * The usual case in a few steps: nobody is there, so a receiver parks.  If the
 * call has been claimed meanwhile, nobody minds one more dead operation.
 */
static __always_inline bool park_at_once(struct select_case *c)
{
	struct channel *ch = c->ch;

	if (c->kind != CHAN_RECV)
		return false;
	spin_lock(&ch->lock);
	if (unlikely(!match_is_void(&ch->match) ||
		     !queue_empty(&ch->match.receivers) || c->op.ticket)) {
		spin_unlock(&ch->lock);
		return false;
	}
	match_park_new(&ch->match, &ch->match.receivers, &c->op);
	spin_unlock(&ch->lock);
	trace_chan_park(ch, false);
	channel_notify_senders(ch);
	return true;
}

static noinline int visit_channel(struct select *s, struct select_case *c)
{
	enum match_verdict verdict;
	int err;

	while ((verdict = visit_case(s, c)) == MATCH_NEEDS_MSG) {
		err = payload_to_heap(&c->op.payload);
		if (err)
			return err;
	}
	if (verdict == MATCH_DONE || verdict == MATCH_TAKE)
		s->chosen = c;
	return unlikely(verdict == MATCH_AGAIN) ? -ERESTARTSYS : 0;
}

/*
 * Park every operation, unless one is possible.
 *
 * Return: 0, with @s->chosen, or the call claimed by a partner, or all parked; or
 * a negative errno, and the call is still to be left.
 */
static int select_visit(struct select *s)
{
	struct select_case *const end = s->cases + s->n;
	struct select_case *c;
	int err;

	s->cut_short = true;
	for (c = s->cases; c < end; c++) {
		if (!c->ch || park_at_once(c))
			continue;
		err = visit_channel(s, c);
		if (err || s->chosen || !call_claimable(&s->call))
			return err;
	}
	s->cut_short = false;
	return 0;
}

/*
 * Of the files that have something to say, one by chance, or in order the first.
 * If @wait is set, all of them are to wake us.
 */
static struct select_case *pick_file(struct select *s, poll_table *wait)
{
	struct select_case *c, *picked = NULL;
	u32 ready = 0;

	for (c = s->cases; c < s->cases + s->n; c++) {
		if (!case_is_file(c) || !look_at_file(c, wait))
			continue;
		ready++;
		if (!picked || (!s->ordered && !random_below(ready)))
			picked = c;
	}
	return picked;
}

/* Does a channel of higher rank than @file look possible by now? */
static bool outranked(const struct select *s, const struct select_case *file)
{
	struct select_case *c;

	for (c = s->cases; s->ordered && c < file; c++) {
		if (c->ch && channel_looks_ready(c))
			return true;
	}
	return false;
}

/*
 * Once and for all, and before anything is parked: have the files wake us.
 *
 * Return: 0; -EAGAIN to look at all cases again; another negative errno.
 */
static int select_watch(struct select *s)
{
	struct select_case *file;

	if (!s->files)
		return 0;
	if (s->watched) {
		/* The look may have ended before it came to a file with old news. */
		WRITE_ONCE(s->files->triggered, 1);
		return 0;
	}
	file = pick_file(s, &s->files->pt);
	s->watched = true;
	s->files->pt._qproc = NULL;
	if (s->files->error)
		return s->files->error;
	if (file && outranked(s, file)) {
		s->ready = true;
		s->cut_short = true;
		return -EAGAIN;
	}
	s->chosen = file;
	return 0;
}

/* A file has woken us: which one?  The wake-up to come is told from this one. */
static __always_inline void check_files(struct select *s)
{
	struct select_case *c;

	/* First that we know of the news, then the news: as poll(2) does it. */
	smp_store_mb(s->files->triggered, 0);
	c = pick_file(s, NULL);
	if (c && call_commit(&s->call, &c->op))
		s->chosen = c;
}

/*
 * See what a partner has done with the call.  An offer can be revoked, and the
 * call claimed by something else, before we get to see by what it was offered:
 * then there is nothing to accept, and we look again.
 */
static enum chan_call_state take_result(struct select *s)
{
	enum chan_call_state state = atomic_read_acquire(&s->call.state);
	struct select_case *c;

	if (state < CALL_OFFERED)
		return state;
	c = case_of(READ_ONCE(s->call.chosen));
	if (state == CALL_DONE ||
	    (c->kind == CHAN_RECV && transfer_accept(c->ch, &c->op)))
		s->chosen = c;
	return state;
}

/* Ask a partner that copies from us to let us go if that fails. */
static void ask_to_leave(struct select *s, struct select_case *c)
{
	spin_lock(&c->ch->lock);
	if (call_claimed_by(&s->call, &c->op))
		c->op.leaving = true;
	spin_unlock(&c->ch->lock);
}

/*
 * Give up because of @err.
 *
 * Return: @err, the call being private and nothing having happened; or 0 if a
 * partner was faster.
 */
static int select_leave(struct select *s, int err)
{
	struct chan_op *op;

	while (!s->chosen && (op = call_leave(&s->call))) {
		/* Who had us may have kept others from finding us. */
		s->cut_short = true;
		if (case_of(op)->kind == CHAN_SEND)
			ask_to_leave(s, case_of(op));
		call_wait_settled(&s->call);
		take_result(s);
	}
	if (!s->chosen)
		return err;
	if (s->chosen->kind != CHAN_SEND ||
	    s->chosen->op.status != -ERESTARTSYS)
		return 0;
	s->chosen = NULL;
	return err;
}

/* All is parked: sleep until something happens, and see what. */
static int select_sleep(struct select *s)
{
	int err = call_wait(&s->call, s->deadline, s->files);
	enum chan_call_state state = take_result(s);

	if (s->chosen)
		return 0;
	if (err)
		return err;
	if (state == CALL_RECHECK) {
		call_recheck(&s->call);
		/* No file could be chosen either: they are asked after the channels. */
		if (s->files)
			WRITE_ONCE(s->files->triggered, 1);
		return select_visit(s);
	}
	if (s->files && READ_ONCE(s->files->triggered))
		check_files(s);
	return 0;
}

/*
 * All is parked, so no channel has anything; and no file?  Apart, for those who wait.
 *
 * Return: 0, with @s->chosen; or -EAGAIN.
 */
static noinline int select_wait_not(struct select *s)
{
	/* While a partner had the call, a case may have been passed over. */
	if (atomic_read(&s->call.state) != CALL_PARKED)
		s->cut_short = true;
	else if (s->files)
		check_files(s);
	return s->chosen ? 0 : -EAGAIN;
}

/* Park, and sleep until there is a chosen case, or a reason to leave. */
static int select_park(struct select *s)
{
	int err = select_visit(s);

	if (!err && !s->chosen && s->deadline == CHAN_NOWAIT)
		err = select_wait_not(s);
	while (!err && !s->chosen)
		err = select_sleep(s);
	return err ? select_leave(s, err) : 0;
}

/* The call is claimed or private: nobody looks for the rest of it. */
static void select_unpark(struct select *s)
{
	struct select_case *const end = s->cases + s->n;
	struct select_case *c;

	for (c = s->cases; c < end; c++) {
		struct channel *ch = c->ch;

		/* Never parked, if it is a send or a receive at all. */
		if (!c->op.ticket)
			continue;
		spin_lock(&ch->lock);
		match_unpark(queue_of(ch, c), &c->op);
		spin_unlock(&ch->lock);
	}
}

/* Return: 0 if it has happened, -EAGAIN to start over, or what is wrong. */
static int settle_recv(struct select_case *c, bool nowait,
		       struct transfer_faults *faults)
{
	struct chan_buf to = { .base = c->base, .len = c->op.room };
	const struct chan_op *sender = c->op.peer;
	int err;

	if (c->op.ticket && transfer_declined(c->ch, &c->op))
		return -ERESTARTSYS;
	if (!sender)
		return c->op.status ? 0 : transfer_keep(c->ch, &c->op, &to);
	if (likely(transfer_take(c->ch, &c->op, &to)))
		return 0;
	err = transfer_retry(&to, sender, c->op.payload.len, nowait, faults);
	return err ?: -EAGAIN;
}

static void case_trace(const struct select_case *c)
{
	if (c->kind == CHAN_SEND)
		trace_chan_send(c->ch, c->len, c->op.status);
	else if (c->kind == CHAN_RECV)
		trace_chan_recv(c->ch, c->op.room, transfer_result(&c->op));
}

static int select_settle(struct select *s, struct transfer_faults *faults)
{
	struct select_case *c = s->chosen;
	int err = 0;

	s->index = c - s->cases;
	if (c->kind == CHAN_RECV)
		err = settle_recv(c, s->deadline == CHAN_NOWAIT, faults);
	if (!err) {
		if (c->ch && unlikely(c->op.status))
			transfer_await_cancel(&c->op);
		case_trace(c);
	} else if (err != -EFAULT) {
		s->index = CHAN_SELECT_NONE;
	}
	return err;
}

/* Parked for a moment only, it has left the queues, and comes anew. */
static noinline void select_lose_turn(struct select *s)
{
	struct select_case *c;

	for (c = s->cases; c < s->cases + s->n; c++)
		c->op.ticket = 0;
}

/* Nothing was possible when each case was looked at. */
static int select_wait(struct select *s, enum look look)
{
	int err;

	if (look == LOOK_NOTHING && s->deadline == CHAN_NOWAIT)
		return -EAGAIN;
	err = select_watch(s);
	if (err || s->chosen)
		return err;
	err = select_park(s);
	select_unpark(s);
	if (unlikely(err == -EAGAIN))
		select_lose_turn(s);
	return err;
}

/* Choose a case, as long as it takes; private afterwards. */
static int select_choose(struct select *s)
{
	int look, err;

	do {
		call_init_multi(&s->call, current);
		s->chosen = NULL;
		s->cut_short = false;
		look = select_look(s);
		if (look < 0 || look == LOOK_CHOSEN)
			return look;
		err = select_wait(s, look);
		/* Who does not wait has not seen all of them yet. */
	} while (err == -EAGAIN && s->cut_short &&
		 !fatal_signal_pending(current));
	return err;
}

/* Do one case; all are loaded. */
static int select_run(struct select *s)
{
	struct transfer_faults faults = {};
	int err;

	do {
		err = select_choose(s);
		if (err)
			return err;
		err = select_settle(s, &faults);
		s->ready = true;
		if (err == -EAGAIN && s->deadline == CHAN_NOWAIT)
			select_lose_turn(s);
	} while (err == -EAGAIN);
	return err;
}

/* Apart, for the room that it takes on the stack. */
static noinline int select_with_files(struct select *s)
{
	struct poll_wqueues files;
	int err;

	poll_initwait(&files);
	s->files = &files;
	err = select_run(s);
	poll_freewait(&files);
	return err;
}

static struct chan_case __user *user_case(const struct select *s, u32 i)
{
	return s->user + (size_t)i * s->case_size;
}

/* Apart from those who call it, for the room that it takes on the stack. */
static noinline int select_cases(struct select *s)
{
	struct case_space space __uninitialized;
	int err;

	space.call = &s->call;
	space.user = s->user;
	space.size = s->case_size;
	space.used = 0;
	space.probed = NULL;
	space.probed_len = 0;
	space.disabled = 0;
	space.files = false;
	space.ready = false;
	space.holds = false;
	err = cases_load(s->cases, s->n, &space, &s->loaded);
	s->holds = space.holds;
	if (err) {
		if (err != -ENOMEM && err != -ERESTARTSYS)
			s->index = s->loaded;
		return err;
	}
	s->ready = space.ready;
	s->call.nr_ops = s->n - space.disabled;
	return space.files ? select_with_files(s) : select_run(s);
}

/* Tell the user, and let go. */
static int select_finish(struct select *s, int err)
{
	struct chan_details details;
	u32 i;

	if (!err) {
		if (s->chosen->ch)
			details_fill(&details, &s->chosen->op);
		err = case_store(s->chosen, &details, user_case(s, s->index));
	}
	for (i = 0; s->holds && i < s->loaded; i++)
		case_release(&s->cases[i]);
	return err;
}

/* For up to %SELECT_SOME cases. */
static struct kmem_cache *some_cases;

static noinline int select_few(struct select *s)
{
	struct select_case cases[SELECT_FEW] __uninitialized;

	s->cases = cases;
	return select_finish(s, select_cases(s));
}

static noinline int select_some(struct select *s)
{
	int err;

	s->cases = kmem_cache_alloc(some_cases, GFP_CHAN);
	if (!s->cases)
		return -ENOMEM;
	err = select_finish(s, select_cases(s));
	kmem_cache_free(some_cases, s->cases);
	return err;
}

static noinline int select_many(struct select *s)
{
	int err;

	s->cases = chan_alloc(array_size(s->n, sizeof(*s->cases)), GFP_CHAN);
	if (!s->cases)
		return -ENOMEM;
	err = select_finish(s, select_cases(s));
	kvfree(s->cases);
	return err;
}

/* Of any number of cases. */
static noinline int select_several(const struct chan_select *arg, u32 *index)
{
	struct select s = {
		.user = u64_to_user_ptr(arg->cases),
		.n = arg->ncases,
		.case_size = arg->case_size,
		.ordered = arg->flags & CHAN_SELECT_PRIORITY,
		.deadline = arg->deadline,
		.index = CHAN_SELECT_NONE,
	};
	int err;

	if (!usercopy_writable(s.user, (size_t)s.n * s.case_size))
		return -EFAULT;
	if (s.n <= SELECT_FEW)
		err = select_few(&s);
	else
		err = s.n <= SELECT_SOME ? select_some(&s) : select_many(&s);
	*index = s.index;
	return err;
}

/* Send or receive as write(2) and read(2) do. */
static int transfer_case(struct select_case *c, struct chan_details *details)
{
	struct chan_buf buf = { .base = c->base, .len = c->len };
	bool nowait = details->deadline == CHAN_NOWAIT;
	ssize_t ret;

	if (c->kind == CHAN_SEND)
		ret = channel_send(c->ch, &buf, nowait, details);
	else
		ret = channel_recv(c->ch, &buf, nowait, details);
	return min_t(ssize_t, ret, 0);
}

/* A single case that sends or receives needs none of all this. */
static int select_one(const struct chan_select *arg, u32 *index)
{
	struct chan_case __user *user = u64_to_user_ptr(arg->cases);
	struct chan_details details __uninitialized;
	struct select_case c __uninitialized;
	int err;

	err = case_load_single(&c, user, arg->case_size);
	*index = err == -EFAULT ? CHAN_SELECT_NONE : 0;
	if (unlikely(err))
		return err;
	if (unlikely(!c.ch)) {
		if (c.has_fd)
			fdput(c.fd);
		*index = CHAN_SELECT_NONE;
		return select_several(arg, index);
	}
	details.deadline = arg->deadline;
	err = transfer_case(&c, &details);
	if (likely(!err))
		err = case_store(&c, &details, user);
	else if (err != -EFAULT)
		*index = CHAN_SELECT_NONE;
	/* It is an end, so it has one. */
	fdput(c.fd);
	return err;
}

static int select_check(const struct chan_select *arg)
{
	if ((arg->flags & ~CHAN_SELECT_PRIORITY) ||
	    arg->ncases > CHAN_SELECT_MAX ||
	    arg->case_size < CHAN_CASE_SIZE_VER0 ||
	    arg->case_size % sizeof(u64))
		return -EINVAL;
	if (arg->case_size > PAGE_SIZE)
		return -E2BIG;
	return 0;
}

/* The index for the user is %CHAN_SELECT_NONE so far. */
static __always_inline long select_call(const struct chan_select *arg,
					struct chan_select __user *user)
{
	u32 index = CHAN_SELECT_NONE;
	int err;

	err = select_check(arg);
	if (err)
		return err;
	if (arg->ncases == 1)
		err = select_one(arg, &index);
	else
		err = select_several(arg, &index);
	if (index != CHAN_SELECT_NONE && put_user(index, &user->index))
		err = -EFAULT;
	trace_chan_select(arg->ncases, index, err);
	return err;
}

/**
 * select_ioctl - CHAN_IOC_SELECT, with an argument of any size
 * @req: the request, on any file of this module
 *
 * Return: 0 if a case has happened, or a negative errno.
 */
long select_ioctl(struct chan_request *req)
{
	struct chan_select __user *user = req->user;

	if (put_user(CHAN_SELECT_NONE, &user->index))
		return -EFAULT;
	return select_call(req->arg, user);
}

/* Read the argument, and set the index. */
static bool read_known(struct chan_select *arg, struct chan_select __user *user)
{
	if (!user_access_begin(user, sizeof(*user)))
		return false;
	unsafe_get_user(arg->cases, &user->cases, fault);
	unsafe_get_user(arg->ncases, &user->ncases, fault);
	unsafe_get_user(arg->case_size, &user->case_size, fault);
	unsafe_get_user(arg->flags, &user->flags, fault);
	unsafe_get_user(arg->deadline, &user->deadline, fault);
	unsafe_put_user(CHAN_SELECT_NONE, &user->index, fault);
	user_access_end();
	return true;

fault:
	user_access_end();
	return false;
}

/**
 * select_known - CHAN_IOC_SELECT, with an argument as this module knows it
 * @user: the user's argument
 *
 * The same as select_ioctl(), at less cost: a select of one case is to be as
 * cheap as write(2) or read(2).
 *
 * Return: 0 if a case has happened, or a negative errno.
 */
long select_known(struct chan_select __user *user)
{
	struct chan_select arg __uninitialized;

	return read_known(&arg, user) ? select_call(&arg, user) : -EFAULT;
}

/* Cases are filled one by one: nobody needs to clear all of them before. */
static void leave_uncleared(void *cases)
{
}

int select_init(void)
{
	some_cases = kmem_cache_create("chan_select_cases",
				       SELECT_SOME * sizeof(struct select_case),
				       0, SLAB_ACCOUNT, leave_uncleared);
	return some_cases ? 0 : -ENOMEM;
}

void select_exit(void)
{
	kmem_cache_destroy(some_cases);
}
