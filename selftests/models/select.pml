/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Selects against each other, and against plain writers and readers, over up to
 * three channels; see kmod/select.c. Each step of a hold of a lock is a step here.
 *
 * FAULTS: as in transfer.pml.
 * TABLE has the channel and the direction of each operation, RUN who does what.
 */
#define OPS	2

#if defined(PAIR)
/* Two selects that can meet each other on either of two channels. */
#define NCALL	2
#define NCH	2
#define TABLE	CASE(0, 0, SEND) CASE(1, 1, RECV) CASE(2, 1, SEND) CASE(3, 0, RECV)
#define MULTI	multi[0] = 1; multi[1] = 1
#define RUN	run Selector(0); run Selector(1)
#elif defined(SELF)
/* Both cases of one select on one channel, and another that comes. */
#define NCALL	2
#define NCH	1
#define TABLE	CASE(0, 0, SEND) CASE(1, 0, RECV) CASE(2, 0, RECV) CASE(3, 0, SEND)
#define MULTI	multi[0] = 1; multi[1] = 1
#define RUN	run Selector(0); run Selector(1)
#elif defined(RING)
/* Three selects over three channels, each meets the next. */
#define NCALL	3
#define NCH	3
#define TABLE	CASE(0, 0, SEND) CASE(1, 1, RECV) CASE(2, 1, SEND) CASE(3, 2, RECV) \
		CASE(4, 2, SEND) CASE(5, 0, RECV)
#define MULTI	multi[0] = 1; multi[1] = 1; multi[2] = 1
#define RUN	run Selector(0); run Selector(1); run Selector(2)
#elif defined(GIVE_BACK)
/* A reader faults on one channel of a select, while another comes on the other. */
#define NCALL	3
#define NCH	2
#define TABLE	CASE(0, 0, SEND) CASE(1, 1, SEND) CASE(2, 0, RECV) CASE(4, 1, RECV)
#define MULTI	multi[0] = 1
#define RUN	run Selector(0); run Reader(1, 0); run Reader(2, 1)
#elif defined(PASS_BY)
/* One select meets another that has just been claimed, while a reader comes. */
#define NCALL	4
#define NCH	3
#define TABLE	CASE(0, 0, SEND) CASE(1, 1, SEND) CASE(2, 1, RECV) CASE(3, 2, RECV) \
		CASE(4, 0, RECV) CASE(6, 2, SEND)
#define MULTI	multi[0] = 1; multi[1] = 1
#define RUN	run Selector(0); run Selector(1); run Reader(2, 0); run Writer(3, 2)
#elif defined(LINE)
/* There is a place in line for what it sends, and a writer for what it receives. */
#define NCALL	2
#define NCH	2
#define TABLE	CASE(0, 1, RECV) CASE(1, 0, SEND) CASE(2, 1, SEND)
#define MULTI	multi[0] = 1
#define RUN	run Selector(0); run Writer(1, 1)
#elif defined(DRAIN)
/* As GIVE_BACK; meanwhile a message comes into the other's line, and then its end. */
#define NCALL	3
#define NCH	2
#define TABLE	CASE(0, 0, RECV) CASE(1, 1, SEND) CASE(2, 1, RECV) CASE(4, 0, SEND)
#define MULTI	multi[0] = 1
#define RUN	run Selector(0); run Reader(1, 1); run LastWriter(2, 0)
#elif defined(TURN_TO_SEND)
/* As GIVE_BACK; meanwhile one parks to send what the select would receive, then another. */
#define NCALL	4
#define NCH	2
#define TABLE	CASE(0, 0, RECV) CASE(1, 1, SEND) CASE(2, 1, RECV) CASE(4, 0, SEND) \
		CASE(6, 0, SEND)
#define MULTI	multi[0] = 1
#define RUN	run Selector(0); run Reader(1, 1); run Writer(2, 0); run Writer(3, 0)
#elif defined(TURN_TO_RECEIVE)
/* As REVOKE; meanwhile one parks to receive what the select would send, then another. */
#define NCALL	4
#define NCH	2
#define TABLE	CASE(0, 0, SEND) CASE(1, 1, RECV) CASE(2, 1, SEND) CASE(4, 0, RECV) \
		CASE(6, 0, RECV)
#define MULTI	multi[0] = 1; borrowed[2] = 1; deadline[1] = 1
#define RUN	run Selector(0); run Writer(1, 1); run Reader(2, 0); run Reader(3, 0)
#elif defined(REVOKE)
/* A borrowed message is offered to a select, and revoked. */
#define NCALL	3
#define NCH	2
#define TABLE	CASE(0, 0, RECV) CASE(1, 1, RECV) CASE(2, 0, SEND) CASE(4, 1, SEND)
#define MULTI	multi[0] = 1; borrowed[2] = 1; deadline[1] = 1
#define RUN	run Selector(0); run Writer(1, 0); run Writer(2, 1)
#endif

#include "core.pml"

proctype Writer(byte c, m)
{
	LOCALS;
	channel_send(OP(c, 0), m, 0)
}

/* channel_end(), release_parked() */
proctype LastWriter(byte c, m)
{
	LOCALS;
	channel_send(OP(c, 0), m, 0);
	HOLD(m);
	match_end(m, CLOSED);
	batch = ok;
	RELEASE(m);
	do
	:: !batch -> break
	:: batch ->
		HOLD(m);
		match_release(m);
		batch = ok;
		RELEASE(m)
	od
}

proctype Reader(byte c, m)
{
	LOCALS;
	channel_recv(OP(c, 0), m, 0)
}

#define CHOSEN	(chosen != NIL)

/* match_case() */
inline match_case(O)
{
	if
	:: okind[O] == SEND -> match_send(ochan[O], O)
	:: else -> match_recv(ochan[O], O)
	fi
}

/* visit_case(), match_visible(), park_case(), visit_channel() */
inline visit_case(O)
{
	do
	:: LOCK(ochan[O]);
#ifndef MUTANT_NO_VISIBLE_CHECK
		if
		:: !CLAIMABLE(CALL(O)) -> verdict = V_LOST
		:: else -> match_case(O)
		fi;
#else
		match_case(O);
#endif
		if
		:: verdict == V_WAIT && !op[O].queued -> match_park(ochan[O], O)
		:: else
		fi;
		UNLOCK(ochan[O]);
		if
		:: verdict != V_AGAIN -> break
		:: else
		fi
	od;
	wake_left();
	if
	:: verdict == V_DONE || verdict == V_TAKE -> chosen = O
	:: else
	fi
}

/* select_visit(); select_park() begins with it. */
inline select_visit(C)
{
	k = 0;
	do
	:: k == OPS -> break
	:: k < OPS ->
		visit_case(OP(C, k));
		if
		:: CHOSEN || !CLAIMABLE(C) -> break
		:: else
		fi;
		k++
	od;
	k = 0
}

/* take_result() */
inline take_result(C)
{
	seen = call[C].state;
	if
	:: seen < OFFERED
	:: seen == DONE -> chosen = call[C].chosen
	:: seen == OFFERED && okind[call[C].chosen] == SEND
	:: seen == OFFERED && okind[call[C].chosen] == RECV ->
		k = call[C].chosen;
		transfer_accept(ochan[k], k);
		if
		:: peer != NIL -> chosen = k; peer = NIL
		:: else
		fi;
		k = 0
	fi
}

/* select_leave(), call_leave(), ask_to_leave(), call_claimed_by() */
inline select_leave(C)
{
	do
	:: CHOSEN -> break
	:: !CHOSEN ->
		CALL_LOCK(C);
		claim_locked(C, NIL);
		k = call[C].chosen;
		CALL_UNLOCK(C);
		if
		:: ok -> k = 0; break
		:: else ->
			if
			:: okind[k] == SEND ->
				LOCK(ochan[k]);
				CALL_LOCK(C);
				if
				:: call[C].state == CLAIMED && call[C].chosen == k -> op[k].leaving = 1
				:: else
				fi;
				CALL_UNLOCK(C);
				UNLOCK(ochan[k])
			:: else
			fi;
			call_wait_settled(C);
			take_result(C)
		fi
	od;
	if
	:: CHOSEN && okind[chosen] == SEND && op[chosen].status == EINTR -> chosen = NIL
	:: else
	fi
}

/* select_sleep(), call_recheck() */
inline select_sleep(C)
{
	call_wait(C);
	take_result(C);
	if
	:: CHOSEN -> err = OK
	:: !CHOSEN && err == OK && seen == RECHECK ->
		CALL_LOCK(C);
		if
		:: call[C].state == RECHECK -> call[C].state = PARKED
		:: else
		fi;
		CALL_UNLOCK(C);
#ifndef MUTANT_NO_REVISIT
		visit = 1
#endif
	:: else
	fi
}

/* select_unpark(), match_unpark() */
inline select_unpark(C)
{
	k = 0;
	do
	:: k == OPS -> break
	:: k < OPS ->
		if
		:: op[OP(C, k)].ticket > 0 ->
			LOCK(ochan[OP(C, k)]);
			d_step { op[OP(C, k)].queued = 0 };
			UNLOCK(ochan[OP(C, k)])
		:: else
		fi;
		k++
	od;
	k = 0
}

/* select_choose(), select_park(), select_wait(); call_init_multi() */
inline select_choose(C)
{
	d_step { call[C].state = PARKED; call[C].chosen = NIL; chosen = NIL; err = OK };
	visit = 1;
	do
	:: CHOSEN || err != OK -> break
	:: else ->
		if
		:: visit -> visit = 0; select_visit(C)
		:: else -> select_sleep(C)
		fi
	od;
	visit = 0;
	if
	:: !CHOSEN && err != OK -> select_leave(C)
	:: else
	fi;
#ifndef MUTANT_NO_UNPARK
	select_unpark(C)
#endif
}

/* select_run(), select_settle(), settle_recv() */
proctype Selector(byte c)
{
	byte chosen = NIL, k, seen;
	bit visit;
	LOCALS;

	do
	:: d_step { op[OP(c, 0)].msg = OP(c, 0); op[OP(c, 1)].msg = OP(c, 1);
		    if
		    :: okind[OP(c, 0)] == RECV -> op[OP(c, 0)].msg = NIL
		    :: else
		    fi;
		    if
		    :: okind[OP(c, 1)] == RECV -> op[OP(c, 1)].msg = NIL
		    :: else
		    fi };
		select_choose(c);
		if
		:: !CHOSEN -> told = err; break
		:: CHOSEN && okind[chosen] == SEND -> told = op[chosen].status; break
		:: else
		fi;
		if
		:: op[chosen].peer == NIL && op[chosen].status != OK -> told = SETTLED; break
		:: else
		fi;
		k = ochan[chosen];
		recv_settle(k, chosen);
		k = 0;
		if
		:: told != AGAIN -> break
		:: told == AGAIN && sig[c] -> told = EINTR; break
		:: told == AGAIN && !sig[c]
		fi
	od;
	d_step {
		ok = 0;
		/* Exactly one has happened, or none. */
		if
		:: told == OK && okind[chosen] == SEND ->
			assert(op[chosen].msg == NIL);
			sent_ok[chosen] = 1;
			nr_sent[ochan[chosen]]++
		:: told == OK && okind[chosen] == RECV ->
			tell_received(ochan[chosen], chosen);
			op[chosen].msg = NIL
		:: else
		fi;
		assert(told != OK || got[OP(c, 0)] + got[OP(c, 1)] <= (okind[chosen] == SEND));
		assert(told == OK || got[OP(c, 0)] + got[OP(c, 1)] == 0);
		return_from(c, 0);
		return_from(c, 1);
		chosen = NIL;
		k = 0;
		seen = 0;
		forget_locals();
		nr_done++
	}
}

#define CASE(o, m, k)	ochan[o] = m; okind[o] = k;

init {
	byte i;

	atomic {
		faults = FAULTS;
#if defined(LINE) || defined(DRAIN)
		capacity[0] = 1;
#endif
		do
		:: i == NOP -> break
		:: i < NOP -> op[i].peer = NIL; op[i].msg = NIL; call[CALL(i)].state = PRIVATE; i++
		od;
		TABLE
		MULTI;
		RUN;
#ifdef SIGNALS
		run Signaler(1);
#endif
		run Observer()
	}
}
