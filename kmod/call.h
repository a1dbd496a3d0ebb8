/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A call: what one task waits for, and who may fulfil it.
 */
#ifndef _CHAN_CALL_H
#define _CHAN_CALL_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct chan_op;

/*
 * DOC: Calls
 *
 * What a task wants is a *call*, made of one or more *operations*, each on one
 * channel, of which at most one happens.  An operation first looks for a
 * partner; finding none it is parked, which makes it visible to partners to
 * come.  From then on the call belongs to whoever claims it::
 *
 *                park              claim                  complete
 *     (private) ------> PARKED -------------> CLAIMED ----------------> DONE
 *                        | ^                   | |
 *                  leave | | give back         | | offer (receivers only)
 *                        v '-------------------' v
 *                    (private) <------------- OFFERED ---> PARKED, DONE
 *                                  accept        revoke
 *
 * * PARKED: anybody's to claim.
 * * CLAIMED: the operation that was claimed is out of its queue, in the hands of
 *   one partner, who completes it, gives it back, or makes it an offer.  A
 *   receiver is claimed and settled within one hold of the lock of its channel.
 *   A sender stays claimed while a receiver copies, without the lock; page
 *   faults are off meanwhile, so the copy goes on as long as the receiver's task
 *   is let run.
 * * OFFERED: a receiver has been dealt a sender whose message is borrowed.  The
 *   two point at each other (@chan_op.peer), under the lock of the channel.  The
 *   receiver wakes and accepts; until then the sender can still revoke, upon
 *   which the receiver is dealt the next sender or parked again.
 * * DONE: status and payload are final.  The owner may return as soon as it sees
 *   this, and the memory is gone: whoever stores DONE touches the call no more.
 * * RECHECK: as PARKED, but its owner is awake, or about to be, and will look
 *   for partners again; see below.
 *
 * DOC: Calls of several operations
 *
 * A select is parked on many channels, and is claimed on any of them.  What is
 * left in the other queues is dead from that moment: whoever meets it passes it
 * by, or takes it out if the call is over; its owner takes out the rest when it
 * wakes.
 *
 * Two things are different from a call of one operation:
 *
 * * It may look for partners while it is parked already, and so visible: a
 *   select parks on one channel after the other.  To meet a partner then takes
 *   two claims, its own call and the partner's, and nobody may see one without
 *   the other: a task that passed it by because it was claimed would have missed
 *   it for good, were that claim to be undone.  Hence @lock, under which calls
 *   of several operations change from PARKED to CLAIMED.  A meeting takes both
 *   locks, the one at the lower address first, and then either claims both or
 *   changes nothing.
 *
 * * When it is given back, or what it was offered is revoked, others may have
 *   passed it by meanwhile.  So it goes to RECHECK and is woken: it can be
 *   claimed at once, and besides looks once more at each of its channels.
 *
 * Deadlock-free: a task holds the lock of one channel, and below it those of at
 * most two calls, in the order of their addresses.
 *
 * Livelock-free: a meeting fails only because one of the two calls has been
 * claimed, which is somebody's progress.
 *
 * A call cannot meet itself: the search for a partner passes by the operations
 * of the same call.
 *
 * Lifetime: an operation stays in its queue until its owner has taken it out, or
 * somebody else, under the lock of the channel.  Who has found it there, and
 * holds that lock, may touch the call.  Who has claimed it may, too, until it
 * has settled it.
 */

/* The states of a call, in the order in which a waiter looks at them. */
enum chan_call_state {
	CALL_PARKED,
	CALL_CLAIMED,
	/* From here on the waiter has something to do. */
	CALL_RECHECK,
	CALL_OFFERED,
	CALL_DONE,
};

/**
 * enum chan_call_sleep - is the owner of a call asleep?
 * @CALL_AWAKE: no, or not yet.
 * @CALL_ASLEEP: until a partner comes, and something else may wake it, too.
 * @CALL_ASLEEP_FOREVER: only a partner or a signal can wake it.
 */
enum chan_call_sleep {
	CALL_AWAKE,
	CALL_ASLEEP,
	CALL_ASLEEP_FOREVER,
};

/**
 * struct chan_call - what one task waits for
 * @state: an &enum chan_call_state; the owner's until parked
 * @multi: it has several operations; constant
 * @sleep: an &enum chan_call_sleep; the owner's, others may look
 * @nr_ops: if @multi: how many; constant
 * @since: when it fell asleep, in jiffies
 * @stuck_since: the search for a deadlock that has first found this sleep; 0 if
 *	none has
 * @task: whom to wake; constant
 * @lock: if @multi: serializes those who want to claim it
 * @chosen: if @multi: the operation by which it was claimed; under @lock, and
 *	the owner's once the call is settled
 * @found_by: if @multi: the search for a deadlock that has last found it
 * @nr_found: if @multi: by how many of its operations
 */
struct chan_call {
	atomic_t state;
	bool multi;
	u8 sleep;
	unsigned long since;
	u64 stuck_since;
	struct task_struct *task;
	spinlock_t lock;	/* state, unless settled; chosen */
	struct chan_op *chosen;
	u64 found_by;
	u32 nr_found;
	u32 nr_ops;
};

/**
 * enum call_meeting - what came of an attempt to claim two calls at once
 * @CALL_MET: both are claimed.
 * @CALL_MISSED: the other one is not to be had, nothing has changed.
 * @CALL_LOST: the own one has been claimed by somebody else.
 */
enum call_meeting {
	CALL_MET,
	CALL_MISSED,
	CALL_LOST,
};

void call_init_multi(struct chan_call *call, struct task_struct *task);
bool call_claim_multi(struct chan_call *call, struct chan_op *op);
enum call_meeting call_meet_multi(struct chan_call *self, struct chan_op *own,
				  struct chan_call *other,
				  struct chan_op *theirs);
struct chan_op *call_leave(struct chan_call *call);
bool call_claimed_by(struct chan_call *call, const struct chan_op *op);
void call_recheck(struct chan_call *call);

/* Only the task itself looks for partners before it is parked. */
static inline void call_init(struct chan_call *call, struct task_struct *task)
{
	call->multi = false;
	call->sleep = CALL_AWAKE;
	call->task = task;
}

/* Could it be claimed?  Without its lock, a guess. */
static inline bool call_claimable(const struct chan_call *call)
{
	int state = atomic_read(&call->state);

	return state == CALL_PARKED || state == CALL_RECHECK;
}

/* The owner is asleep, and nothing but a partner or a signal will wake it. */
static inline bool call_sleeps_forever(const struct chan_call *call)
{
	/* With the sleep we see what begin_sleep() has set for it. */
	return smp_load_acquire(&call->sleep) == CALL_ASLEEP_FOREVER;
}

/* It has happened; what is left of it in other queues is of no use to anybody. */
static inline bool call_is_over(const struct chan_call *call)
{
	return atomic_read(&call->state) == CALL_DONE;
}

/*
 * Claim a call by one of its operations.  Acquire: what the owner wrote before
 * it parked is ours to read.
 */
static inline bool call_claim(struct chan_call *call, struct chan_op *op)
{
	if (unlikely(call->multi))
		return call_claim_multi(call, op);
	return atomic_cmpxchg(&call->state, CALL_PARKED, CALL_CLAIMED) ==
	       CALL_PARKED;
}

/*
 * Make sure that the operation that this task is about to carry out is the one
 * of its call that happens.  A call of one operation is private meanwhile.
 */
static inline bool call_commit(struct chan_call *call, struct chan_op *op)
{
	return likely(!call->multi) || call_claim_multi(call, op);
}

/* Both at once: commit to the own operation, and claim a partner. */
static inline enum call_meeting call_meet(struct chan_call *self,
					  struct chan_op *own,
					  struct chan_call *other,
					  struct chan_op *theirs)
{
	if (unlikely(self->multi))
		return call_meet_multi(self, own, other, theirs);
	return call_claim(other, theirs) ? CALL_MET : CALL_MISSED;
}

/*
 * Settle a call that this task has claimed.  Its owner may be gone right after,
 * hence the reference to the task, which is to be woken with call_wake().
 * Pairs with the acquire in the waiter: it sees the status and the payload.
 */
static inline struct task_struct *call_settle(struct chan_call *call,
					      enum chan_call_state state)
{
	struct task_struct *task = call->task;

	get_task_struct(task);
	atomic_set_release(&call->state, state);
	return task;
}

static inline void call_wake(struct task_struct *task)
{
	wake_up_process(task);
	put_task_struct(task);
}

#endif /* _CHAN_CALL_H */
