/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A select that does not wait says that nothing is possible only of one instant: it
 * looks at channel X, then at Y, then whether one has moved on meanwhile. Here, a
 * message is in one of the two at each instant.
 */
#define NTASK	2
#define NVAR	6
#define NSTALE	4

/* In line on each channel, and the number that the channel has come to. */
#define MSGS_X	0
#define MSGS_Y	1
#define ORDER_X	2
#define ORDER_Y	3
/* Their locks. */
#define LOCK_X	4
#define LOCK_Y	5

#define HAS_PENDING(p) \
	(pending[AT(p, 0)] || pending[AT(p, 1)] || pending[AT(p, 2)] || \
	 pending[AT(p, 3)] || pending[AT(p, 4)] || pending[AT(p, 5)])

#include "memory.pml"

#define READER	0
#define WRITER	1

/* channel_looks_ready(), channel_looks_readable() */
inline looks_ready(msgs, order, from, ready)
{
	LOAD(READER, order, from);
#ifndef MUTANT_NO_RMB_LOOK
	RMB(READER);
#endif
	LOAD(READER, msgs, ready)
}

/* look_at_all(): twice, as what is left of the first may harm the second. */
proctype Reader()
{
	byte from_x, from_y, ready_x, ready_y, now_x, now_y, n, tries;

	do
	:: tries == 2 -> break
	:: tries < 2 ->
		tries++;
		looks_ready(MSGS_X, ORDER_X, from_x, ready_x);
		if
		:: ready_x -> break
		:: else
		fi;
		looks_ready(MSGS_Y, ORDER_Y, from_y, ready_y);
		if
		:: ready_y -> break
		:: else
		fi;
		/* moved_on() */
#ifndef MUTANT_NO_RMB_MOVED
		RMB(READER);
#endif
		LOAD(READER, ORDER_X, now_x);
		LOAD(READER, ORDER_Y, now_y);
#ifdef MUTANT_NO_MOVED_ON
		assert(false)
#else
		assert(now_x != from_x || now_y != from_y)
#endif
	od
}

/* line_add_tail(), match_move_on(): under the lock of the channel. */
inline add(msgs, order, lock, number)
{
	SPIN_LOCK(WRITER, lock);
	STORE(WRITER, msgs, 1);
#ifndef MUTANT_NO_WMB
	WMB(WRITER);
#endif
	STORE(WRITER, order, number);
	SPIN_UNLOCK(WRITER, lock)
}

/* line_take_first(): nothing has become possible that this reader looks for. */
inline take(msgs, lock)
{
	SPIN_LOCK(WRITER, lock);
	STORE(WRITER, msgs, 0);
	SPIN_UNLOCK(WRITER, lock)
}

proctype Writer()
{
	byte n;

	add(MSGS_X, ORDER_X, LOCK_X, 2);
	take(MSGS_Y, LOCK_Y);
	add(MSGS_Y, ORDER_Y, LOCK_Y, 2);
	take(MSGS_X, LOCK_X);
	RMB(WRITER)
}

init {
	atomic {
		mem[MSGS_Y] = 1;
		mem[ORDER_X] = 1;
		mem[ORDER_Y] = 1;
		run Buffer(READER);
		run Buffer(WRITER);
		run Reader();
		run Writer()
	}
}
