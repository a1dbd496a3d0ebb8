/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writers and readers on one channel: a signal, a kill, a deadline or a fault comes
 * at any step; with BORROW, messages are copied from the sender, after an offer.
 *
 * WRITERS, READERS, CAP: how many, and the capacity. TRIES: the last of each kind
 * does not wait. SMALL: the first reader has no room. FAULTS: copies that may fail.
 */
#define NCALL	(WRITERS + READERS)
#define OPS	1
#define NCH	1
#define ONE_STEP

#include "core.pml"

#ifndef TRIES
#define TRIES	0
#endif

proctype Writer(byte me; bit nowait)
{
	LOCALS;
	channel_send(me, 0, nowait)
}

proctype Reader(byte me; bit nowait)
{
	LOCALS;
	channel_recv(me, 0, nowait)
}

init {
	byte i;

	atomic {
		capacity[0] = CAP;
		faults = FAULTS;
		do
		:: i == NCALL -> break
		:: i < NCALL ->
			op[i].peer = NIL;
			op[i].msg = NIL;
			call[i].state = PRIVATE;
			okind[i] = (i < WRITERS -> SEND : RECV);
			i++
		od;
#ifdef BORROW
		borrowed[0] = 1;
#if WRITERS > 1
		borrowed[1] = 1;
#endif
#endif
#ifdef SMALL
		small[WRITERS] = 1;
#endif
#ifdef DEADLINE
		deadline[0] = 1;
		deadline[WRITERS] = 1;
#endif
		i = 0;
		do
		:: i == WRITERS -> break
		:: i < WRITERS -> run Writer(i, TRIES && i == WRITERS - 1); i++
		od;
		do
		:: i == NCALL -> break
		:: i < NCALL -> run Reader(i, TRIES && i == NCALL - 1); i++
		od;
#ifdef SIGNALS
		run Signaler(NCALL);
#endif
		run Observer()
	}
}
