/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel ends while writers and readers come, are parked and copy: by a close, a
 * hang-up (BROKEN), or a cancel, or a close and then a cancel. The parked are told
 * in batches, of one here, between which the lock is free.
 *
 * WRITERS, READERS, CAP, FAULTS: as in transfer.pml. FIRST, SECOND: what it comes to.
 */
#define NCALL	(WRITERS + READERS)
#define OPS	1
#define NCH	1
#define ONE_STEP

#include "core.pml"

proctype Writer(byte me)
{
	LOCALS;
	channel_send(me, 0, 0);
	assert(told == 0)
}

proctype Reader(byte me)
{
	LOCALS;
	channel_recv(me, 0, 0)
}

/* channel_end(), channel_detach(), channel_begin_cancel(); release_parked() */
proctype Ender(byte to)
{
	LOCALS;

	HOLD(0);
	match_end(0, to);
	batch = ok;
	RELEASE(0);
	do
	:: !batch -> break
	:: batch ->
		HOLD(0);
		match_release(0);
		batch = ok;
		RELEASE(0)
	od
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
#endif
		i = 0;
		do
		:: i == WRITERS -> break
		:: i < WRITERS -> run Writer(i); i++
		od;
		do
		:: i == NCALL -> break
		:: i < NCALL -> run Reader(i); i++
		od;
		run Ender(FIRST);
#ifdef SECOND
		run Ender(SECOND);
#endif
	};
	/* Nobody is interrupted: each operation ends because the channel has. */
	timeout -> atomic {
		assert(nr_done == NCALL);
		i = 0;
		check_ledger()
	}
}
