/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wake-up protocol, load by load and store by store: call_wait() and
 * call_settled() in wait.c with call_settle(), call_claim() and call_wake() in
 * call.h. Two partners meet the waiter, which is interrupted at any time.
 */
#define NTASK	3
#define NVAR	4
/* The lock is the last. */
#define NSTALE	3

/* The state of the waiter's task; of its call; its payload; the channel's lock. */
#define TASK	0
#define CALL	1
#define PAYLOAD	2
#define LOCK	3

#define HAS_PENDING(p) \
	(pending[AT(p, 0)] || pending[AT(p, 1)] || pending[AT(p, 2)] || pending[AT(p, 3)])

#include "memory.pml"

/* The state of a task. */
#define RUNNING	0
#define ASLEEP	1

/* enum chan_call_state */
#define NOT_YET	0
#define PARKED	1
#define CLAIMED	2
#define DONE	3

#define WAITER	0

bit interrupted;
bit withdrawn;
byte handed_over;

/* call_wait() */
proctype Waiter()
{
	byte state, seen, n, q;

	/* match_park(): under the lock. */
	SPIN_LOCK(WAITER, LOCK);
	STORE(WAITER, CALL, PARKED);
	SPIN_UNLOCK(WAITER, LOCK);
	do
	::
		/* set_current_state */
		STORE(WAITER, TASK, ASLEEP);
#ifndef MUTANT_NO_BARRIER_A
		MB(WAITER);
#endif
		/* call_settled() */
#ifdef MUTANT_NO_ACQUIRE
		LOAD(WAITER, CALL, state);
#else
		ACQUIRE_LOAD(WAITER, CALL, state);
#endif
		if
		:: state == DONE -> break
		:: else
		fi;
		if
		:: interrupted -> break
		:: else
		fi;
		/* schedule: a full barrier, then asleep as long as that is the state. */
		MB(WAITER);
		mem[TASK] == RUNNING
	od;
	STORE(WAITER, TASK, RUNNING);
	if
	:: state != DONE ->
		/* match_withdraw_sender(), under the lock; call_claim() */
		SPIN_LOCK(WAITER, LOCK);
		MB(WAITER);
		atomic {
			if
			:: mem[CALL] == PARKED -> SET_MEMORY(WAITER, CALL, CLAIMED); withdrawn = 1
			:: else
			fi
		};
		SPIN_UNLOCK(WAITER, LOCK);
		if
		:: withdrawn
		:: else ->
			/* call_wait_settled() */
			do
			::
				STORE(WAITER, TASK, ASLEEP);
#ifndef MUTANT_NO_BARRIER_A
				MB(WAITER);
#endif
				ACQUIRE_LOAD(WAITER, CALL, state);
				if
				:: state == DONE -> break
				:: else
				fi;
				MB(WAITER);
				mem[TASK] == RUNNING
			od
		fi
	:: else
	fi;
	if
	:: withdrawn -> assert(handed_over == 0)
	:: else ->
		LOAD(WAITER, PAYLOAD, seen);
		assert(seen == 1 && handed_over == 1)
	fi;
	RMB(WAITER)
}

/* match_send() of a partner; hand_over(), then transfer_wake() */
proctype Partner(byte me)
{
	byte state, n, q;
	bit claimed;

	SPIN_LOCK(me, LOCK);
#ifdef MUTANT_NO_CMPXCHG
	/* Neither the lock nor the compare-and-swap. */
	STORE(me, LOCK, 0);
	LOAD(me, CALL, state);
	claimed = (state == PARKED);
	if
	:: claimed -> STORE(me, CALL, CLAIMED)
	:: else
	fi;
#else
	/* call_claim(): a full barrier on both sides. */
	MB(me);
	atomic {
		claimed = (mem[CALL] == PARKED);
		if
		:: claimed -> SET_MEMORY(me, CALL, CLAIMED)
		:: else
		fi
	};
#endif
	if
	:: claimed ->
		handed_over++;
		assert(handed_over == 1);
		STORE(me, PAYLOAD, 1);
		/* call_settle(): B */
#ifdef MUTANT_NO_RELEASE_B
		STORE(me, CALL, DONE)
#else
		RELEASE_STORE(me, CALL, DONE)
#endif
	:: else
	fi;
#ifndef MUTANT_NO_CMPXCHG
#ifdef MUTANT_NO_RELEASE_B
	/* Let nothing but the lock's own store come after it. */
	STORE(me, LOCK, 0);
#else
	SPIN_UNLOCK(me, LOCK);
#endif
#endif
	if
	:: claimed ->
		/* call_wake(), wake_up_process: C, a full barrier before the look. */
#ifndef MUTANT_NO_BARRIER_C
		MB(me);
#endif
		LOAD(me, TASK, state);
		if
		:: state == ASLEEP -> atomic { SET_MEMORY(me, TASK, RUNNING) }
		:: else
		fi
	:: else
	fi;
	RMB(me)
}

/* A signal: sets it, then wakes as above. */
proctype Signaler()
{
	byte q;

	interrupted = 1;
	atomic {
		if
		:: mem[TASK] == ASLEEP -> SET_MEMORY(NTASK, TASK, RUNNING)
		:: else
		fi
	}
}

init {
	byte q;

	atomic {
		run Buffer(0);
		run Buffer(1);
		run Buffer(2);
		run Waiter();
		run Partner(1);
#ifdef TWO_PARTNERS
		run Partner(2);
#endif
#ifdef SIGNALS
		run Signaler()
#endif
	};
	/* No partner has found it parked: it is interrupted. Otherwise it has to return. */
	timeout -> atomic {
		if
		:: handed_over == 0 -> interrupted = 1; SET_MEMORY(NTASK, TASK, RUNNING)
		:: else
		fi
	}
}
