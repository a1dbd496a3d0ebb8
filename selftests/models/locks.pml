/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The locks of the module, each task in the order in which it takes them; see "Lock
 * order" in kmod/channel.h. Whoever cannot go on shows as an invalid end state.
 */
#define NAMED	0	/* named_lock */
#define SCOPES	1	/* scopes_lock */
#define CHAN_A	2	/* of two channels */
#define CHAN_B	3
#define CALL_A	4	/* of two selects, in the order of their addresses */
#define CALL_B	5
#define RQ	6	/* of a task that is woken */
#define POLLERS	7	/* of a channel, or a scope */
#define NLOCKS	8

bit held[NLOCKS];

inline lock(l)
{
	atomic { !held[l] -> held[l] = 1 }
}

inline unlock(l)
{
	d_step { assert(held[l]); held[l] = 0 }
}

inline wake()
{
	lock(RQ);
	unlock(RQ)
}

inline notify()
{
	lock(POLLERS);
	wake();
	unlock(POLLERS)
}

/* visit_case() on @ch: call_meet_multi(), then call_settle() of whom it met. */
proctype Select(byte ch, own, theirs)
{
	lock(ch);
#ifdef MUTANT_NO_ADDRESS_ORDER
	lock(own);
	lock(theirs);
#else
	if
	:: own < theirs -> lock(own); lock(theirs)
	:: else -> lock(theirs); lock(own)
	fi;
#endif
	unlock(theirs);
	unlock(own);
	/* match_give_back() wakes under the lock, transfer_wake() without. */
	if
	:: true -> wake(); unlock(ch)
	:: true -> unlock(ch); wake()
	fi;
	notify();
	/* Its other channel, one after the other: select_unpark() */
#ifdef MUTANT_TWO_CHANNELS
	lock(ch);
#endif
	lock(CHAN_A + CHAN_B - ch);
	unlock(CHAN_A + CHAN_B - ch);
#ifdef MUTANT_TWO_CHANNELS
	unlock(ch);
#endif
	/* call_leave() */
	lock(own);
	unlock(own)
}

/* scope_cancel(): begin_cancel() of all channels, then finish_cancel() */
proctype Cancel()
{
	byte ch;

	lock(SCOPES);
	ch = CHAN_A;
	do
	:: ch > CHAN_B -> break
	:: else -> lock(ch); unlock(ch); ch++
	od;
	ch = CHAN_A;
	do
	:: ch > CHAN_B -> break
	:: else ->
		/* match_release() */
		lock(ch);
		lock(CALL_B);
		unlock(CALL_B);
		wake();
		unlock(ch);
		/* notify_end() */
		notify();
		ch++
	od;
	/* wake_waiters() */
	wake();
	unlock(SCOPES)
}

/*
 * Found one channel cancelled: transfer_await_cancel(), scope_await_cancel().  To wait
 * for who has the lock is as good as to take it.
 */
proctype Await(byte ch)
{
	lock(ch);
#ifdef MUTANT_AWAIT_UNDER_LOCK
	lock(SCOPES);
	unlock(SCOPES);
	unlock(ch)
#else
	unlock(ch);
	lock(SCOPES);
	unlock(SCOPES)
#endif
}

/* A device node goes: channel_end(), then channel_put() */
proctype Remove()
{
	lock(NAMED);
	lock(CHAN_A);
	wake();
	unlock(CHAN_A);
	notify();
	lock(SCOPES);
	unlock(SCOPES);
	unlock(NAMED)
}

/* channel_poll(): on the list first, then the lock of the channel. */
proctype Poll(byte ch)
{
	lock(POLLERS);
	unlock(POLLERS);
	lock(ch);
	unlock(ch)
}

init {
	atomic {
		run Select(CHAN_A, CALL_A, CALL_B);
		run Select(CHAN_B, CALL_B, CALL_A);
		run Cancel();
		run Await(CHAN_B);
		run Remove();
		run Poll(CHAN_A)
	}
}
