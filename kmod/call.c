// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of several operations: who may fulfil one.  The design stands in call.h.
 */
#include "call.h"

/**
 * call_init_multi - begin a call of several operations
 * @call: the call; can be claimed as soon as one of them is parked
 * @task: its owner
 */
void call_init_multi(struct chan_call *call, struct task_struct *task)
{
	atomic_set(&call->state, CALL_PARKED);
	call->multi = true;
	call->sleep = CALL_AWAKE;
	call->task = task;
	spin_lock_init(&call->lock);
	call->chosen = NULL;
}

/* Under the lock of the call. */
static bool claim_locked(struct chan_call *call, struct chan_op *op)
{
	if (!call_claimable(call))
		return false;
	atomic_set(&call->state, CALL_CLAIMED);
	/* Read without the lock by take_result(). */
	WRITE_ONCE(call->chosen, op);
	return true;
}

/**
 * call_claim_multi - claim a call
 * @call: of several operations
 * @op: the one by which it is claimed
 *
 * Return: false if it is claimed already.
 */
bool call_claim_multi(struct chan_call *call, struct chan_op *op)
{
	bool claimed;

	if (!call_claimable(call))
		return false;
	spin_lock(&call->lock);
	claimed = claim_locked(call, op);
	spin_unlock(&call->lock);
	return claimed;
}

/* With the lock of every call of several operations that takes part. */
static enum call_meeting meet_locked(struct chan_call *self,
				     struct chan_op *own,
				     struct chan_call *other,
				     struct chan_op *theirs)
{
	bool claimed;

	if (!call_claimable(self))
		return CALL_LOST;
	if (other->multi)
		claimed = claim_locked(other, theirs);
	else
		claimed = call_claim(other, theirs);
	if (!claimed)
		return CALL_MISSED;
	claim_locked(self, own);
	return CALL_MET;
}

static enum call_meeting meet_single(struct chan_call *self,
				     struct chan_op *own,
				     struct chan_call *other,
				     struct chan_op *theirs)
{
	enum call_meeting met;

	spin_lock(&self->lock);
	met = meet_locked(self, own, other, theirs);
	spin_unlock(&self->lock);
	return met;
}

/**
 * call_meet_multi - claim the own call and a partner's, or neither
 * @self: the own one, of several operations, which others may see
 * @own: its operation
 * @other: the partner's, of any number of operations; not @self
 * @theirs: its operation
 *
 * Return: an &enum call_meeting.
 */
enum call_meeting call_meet_multi(struct chan_call *self, struct chan_op *own,
				  struct chan_call *other,
				  struct chan_op *theirs)
{
	struct chan_call *first = self < other ? self : other;
	struct chan_call *second = self < other ? other : self;
	enum call_meeting met;

	if (!other->multi)
		return meet_single(self, own, other, theirs);
	spin_lock(&first->lock);
	spin_lock_nested(&second->lock, SINGLE_DEPTH_NESTING);
	met = meet_locked(self, own, other, theirs);
	spin_unlock(&second->lock);
	spin_unlock(&first->lock);
	return met;
}

/**
 * call_leave - the owner of a call gives up
 * @call: of several operations
 *
 * Return: %NULL if the call is private again, and nothing has happened; else the
 * operation by which a partner has claimed it.
 */
struct chan_op *call_leave(struct chan_call *call)
{
	struct chan_op *chosen;

	spin_lock(&call->lock);
	chosen = claim_locked(call, NULL) ? NULL : call->chosen;
	spin_unlock(&call->lock);
	return chosen;
}

/**
 * call_claimed_by - has a partner claimed a call by this operation?
 * @call: of several operations
 * @op: one of them
 *
 * Return: true if so, and it is not settled yet.
 */
bool call_claimed_by(struct chan_call *call, const struct chan_op *op)
{
	bool claimed;

	spin_lock(&call->lock);
	claimed = atomic_read(&call->state) == CALL_CLAIMED &&
		  call->chosen == op;
	spin_unlock(&call->lock);
	return claimed;
}

/**
 * call_recheck - the owner of a call begins to look for partners again
 * @call: of several operations, found %CALL_RECHECK
 */
void call_recheck(struct chan_call *call)
{
	spin_lock(&call->lock);
	if (atomic_read(&call->state) == CALL_RECHECK)
		atomic_set(&call->state, CALL_PARKED);
	spin_unlock(&call->lock);
}
