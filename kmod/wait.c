// SPDX-License-Identifier: GPL-2.0-only
/*
 * A task sleeps until its call has been settled.
 */
#include <linux/errno.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/sched/rt.h>
#include <linux/sched/signal.h>

#include "call.h"
#include "wait.h"

static bool call_settled(struct chan_call *call)
{
	return atomic_read_acquire(&call->state) >= CALL_RECHECK;
}

/* Has one of the files that are waited for, too, had news? */
static bool files_triggered(const struct poll_wqueues *files)
{
	return files && READ_ONCE(files->triggered);
}

/**
 * sleep_until - sleep as long as nobody wakes this task
 * @deadline: when to wake up by itself
 *
 * Return: true if the deadline has passed.
 */
bool sleep_until(u64 deadline)
{
	ktime_t expires = ns_to_ktime(deadline);
	u64 slack = rt_task(current) ? 0 : current->timer_slack_ns;

	if (deadline > KTIME_MAX) {
		schedule();
		return false;
	}
	return !schedule_hrtimeout_range(&expires, slack, HRTIMER_MODE_ABS);
}

/* Before @sleep says so, what belongs to this sleep is set. */
static void begin_sleep(struct chan_call *call, bool forever)
{
	call->since = jiffies;
	call->stuck_since = 0;
	/* Pairs with call_sleeps_forever(). */
	smp_store_release(&call->sleep,
			  forever ? CALL_ASLEEP_FOREVER : CALL_ASLEEP);
}

/**
 * call_wait - sleep until there is something to do
 * @call: parked, or claimed by a partner
 * @deadline: when to give up
 * @files: other files that wake this task, or %NULL
 *
 * A call that has been settled meanwhile counts more than a signal, and that
 * more than the deadline::
 *
 *	waiter				partner
 *	------				-------
 *	state = INTERRUPTIBLE		status, payload = ...
 *	smp_mb() (A)			call->state = DONE (release, B)
 *	if (call->state ...)		wake_up_process() (full barrier, C)
 *		return			  if (state & INTERRUPTIBLE) wake
 *	schedule()
 *
 * A with C: either we see the new state or the partner sees us asleep.
 * B with the acquire in call_settled(): with the state we see the result.
 * The wake-up of @files sets @triggered before it wakes in the same way.
 *
 * Return: 0; -ERESTARTSYS; -ETIMEDOUT.
 */
int call_wait(struct chan_call *call, u64 deadline, struct poll_wqueues *files)
{
	bool expired = false;
	int err = 0;

	begin_sleep(call, deadline == CHAN_FOREVER && !files);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (call_settled(call) || files_triggered(files))
			break;
		if (signal_pending(current)) {
			err = -ERESTARTSYS;
			break;
		}
		if (unlikely(expired)) {
			err = -ETIMEDOUT;
			break;
		}
		if (likely(deadline == CHAN_FOREVER))
			schedule();
		else
			expired = sleep_until(deadline);
	}
	__set_current_state(TASK_RUNNING);
	WRITE_ONCE(call->sleep, CALL_AWAKE);
	return err;
}

/**
 * call_wait_settled - sleep until a partner has settled the call
 * @call: claimed by a partner, who copies with page faults off
 */
void call_wait_settled(struct chan_call *call)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (call_settled(call))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}
