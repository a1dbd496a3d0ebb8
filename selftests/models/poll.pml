/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pollers are told without a barrier of their own: who changes a channel looks after
 * the lock whether somebody is on the list, who polls puts himself there before he
 * takes the lock to look; see channel_notify_receivers() in channel.h.
 */
#define NTASK	2
#define NVAR	5
/* The locks are the last two. */
#define NSTALE	3

#define MSGS	0	/* in line */
#define ACTIVE	1	/* somebody is on the list: waitqueue_active */
#define TRIGGERED	2	/* of the poller's poll_wqueues */
#define LOCK	3	/* of the channel */
#define LIST_LOCK	4	/* of the list of pollers */

#define HAS_PENDING(p) \
	(pending[AT(p, 0)] || pending[AT(p, 1)] || pending[AT(p, 2)] || \
	 pending[AT(p, 3)] || pending[AT(p, 4)])

#include "memory.pml"

#define POLLER	0
#define SENDER	1

/* poll_wait, as called by channel_poll() */
inline get_on_the_list()
{
	SPIN_LOCK(POLLER, LIST_LOCK);
	STORE(POLLER, ACTIVE, 1);
	SPIN_UNLOCK(POLLER, LIST_LOCK)
}

/* match_readable(), under the lock. */
inline look()
{
#ifdef MUTANT_LOOK_WITHOUT_LOCK
	LOAD(POLLER, MSGS, ready)
#else
	SPIN_LOCK(POLLER, LOCK);
	LOAD(POLLER, MSGS, ready);
	SPIN_UNLOCK(POLLER, LOCK)
#endif
}

/* channel_poll() */
proctype Poller()
{
	byte ready, n;

#ifdef MUTANT_LOOK_FIRST
	look();
	get_on_the_list();
#else
	get_on_the_list();
	look();
#endif
	if
	:: ready
	:: else ->
		/* Asleep: the wake-up itself is in wake.pml. */
		mem[TRIGGERED] == 1
	fi;
	RMB(POLLER)
}

/* send_meet(), line_add_tail(), then channel_notify_receivers() */
proctype Sender()
{
	byte found, n;

#ifdef MUTANT_NOTIFY_FIRST
	LOAD(SENDER, ACTIVE, found);
#endif
	SPIN_LOCK(SENDER, LOCK);
	STORE(SENDER, MSGS, 1);
	SPIN_UNLOCK(SENDER, LOCK);
#ifndef MUTANT_NOTIFY_FIRST
	LOAD(SENDER, ACTIVE, found);
#endif
	if
	:: found ->
		SPIN_LOCK(SENDER, LIST_LOCK);
		STORE(SENDER, TRIGGERED, 1);
		SPIN_UNLOCK(SENDER, LIST_LOCK)
	:: else
	fi;
	RMB(SENDER)
}

init {
	atomic {
		run Buffer(POLLER);
		run Buffer(SENDER);
		run Poller();
		run Sender()
	}
}
