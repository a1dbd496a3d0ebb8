/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weakly ordered memory, for the models of the module's own barriers.
 *
 * A store stands in a buffer of its task, one place for each variable, and gets to
 * memory at any time, in any order but that of the barriers between them: @epoch of
 * a task goes up with each. A load may see what was in memory at any earlier time
 * since the last barrier for loads (@stale); but a task never sees an older value
 * of a variable after a newer. This is weaker than x86 (TSO), and has what matters
 * here of arm64: store-store, store-load and load-load reordering.
 *
 * A model defines NTASK and NVAR; the first NSTALE variables can be seen late.
 */
#define AT(p, v)	((p) * NVAR + (v))

byte mem[NVAR];
bit pending[NTASK * NVAR];
byte value[NTASK * NVAR];
byte epoch_of[NTASK * NVAR];
byte epoch[NTASK];
bit is_stale[NTASK * NVAR];
byte stale[NTASK * NVAR];

/* Nothing from before a barrier is pending: the numbers begin anew. */
inline settle_epoch(p)
{
	clear = 1;
	v = 0;
	do
	:: v == NVAR -> break
	:: v < NVAR ->
		clear = clear && !pending[AT(p, v)];
		v++
	od;
	v = 0;
	if
	:: clear -> epoch[p] = 0
	:: else
	fi
}

/*
 * Memory changes. Whoever has not looked since the last barrier may go on to see
 * what was there before.
 */
inline SET_MEMORY(p, w, x)
{
	q = 0;
	do
	:: q == NTASK -> break
	:: q < NTASK ->
		if
		:: q != p && w < NSTALE && mem[w] != x && !is_stale[AT(q, w)] && !pending[AT(q, w)] ->
			is_stale[AT(q, w)] = 1;
			stale[AT(q, w)] = mem[w]
		:: true
		fi;
		q++
	od;
	q = 0;
	mem[w] = x
}

/* May it get out before all others of its task? */
inline look_at_buffer(p, w)
{
	free = pending[AT(p, w)];
	v = 0;
	do
	:: v == NVAR -> break
	:: v < NVAR ->
		free = free && !(pending[AT(p, v)] && epoch_of[AT(p, v)] < epoch_of[AT(p, w)]);
		v++
	od;
	v = 0
}

inline flush(p, w)
{
	pending[AT(p, w)] = 0;
	SET_MEMORY(p, w, value[AT(p, w)]);
	value[AT(p, w)] = 0;
	epoch_of[AT(p, w)] = 0;
	settle_epoch(p)
}

/* The buffer of one task. */
proctype Buffer(byte p)
{
	byte v, w, q;
	bit clear, free;

end:	do
	:: atomic {
		HAS_PENDING(p) ->
		select (w : 0 .. NVAR - 1);
		look_at_buffer(p, w);
		if
		:: free -> flush(p, w)
		:: else
		fi;
		w = 0;
		free = 0;
		clear = 0
	   }
	od
}

/* WRITE_ONCE */
inline STORE(p, v, x)
{
	atomic {
		!pending[AT(p, v)] || epoch_of[AT(p, v)] == epoch[p];
		pending[AT(p, v)] = 1;
		value[AT(p, v)] = x;
		epoch_of[AT(p, v)] = epoch[p];
		is_stale[AT(p, v)] = 0;
		stale[AT(p, v)] = 0
	}
}

/* READ_ONCE */
inline LOAD(p, v, into)
{
	d_step {
		if
		:: pending[AT(p, v)] -> into = value[AT(p, v)]
		:: !pending[AT(p, v)] && is_stale[AT(p, v)] -> into = stale[AT(p, v)]
		:: else -> into = mem[v]
		fi;
		is_stale[AT(p, v)] = 0;
		stale[AT(p, v)] = 0
	}
}

/* smp_wmb */
inline WMB(p)
{
	epoch[p] = (HAS_PENDING(p) -> epoch[p] + 1 : 0)
}

inline RMB(p)
{
	d_step {
		n = 0;
		do
		:: n == NVAR -> break
		:: n < NVAR -> is_stale[AT(p, n)] = 0; stale[AT(p, n)] = 0; n++
		od;
		n = 0
	}
}

/* smp_mb */
inline MB(p)
{
	atomic { !HAS_PENDING(p) -> RMB(p) }
}

/* smp_store_release, atomic_set_release */
inline RELEASE_STORE(p, v, x)
{
	atomic { WMB(p); STORE(p, v, x) }
}

/* smp_load_acquire, atomic_read_acquire */
inline ACQUIRE_LOAD(p, v, into)
{
	atomic { LOAD(p, v, into); RMB(p) }
}

/* spin_lock: acquires. What was stored before may get out later. */
inline SPIN_LOCK(p, v)
{
	/* Nobody looks at it in another way: what it was does not matter. */
	atomic { mem[v] == 0 && !pending[AT(p, v)] -> mem[v] = 1; RMB(p) }
}

inline SPIN_UNLOCK(p, v)
{
	RELEASE_STORE(p, v, 0)
}
