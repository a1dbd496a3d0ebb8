/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Three scopes, each inside the one before, with a channel each: cancelled from
 * outside and from inside, while the owner of the middle one dies, members exit, the
 * innermost is bound, and tasks use the channels; kmod/scope.c.
 */
#define NSCOPE	3
#define OUTER	0
#define MIDDLE	1
#define INNER	2
#define NOBODY	3

bit scopes_lock;
byte cancel_seq;		/* odd: a cancel is under way */
bit canceled[NSCOPE];		/* the state of a scope */
bit canceling[NSCOPE];
byte top_of[NSCOPE];		/* where its cancel began */
bit bound[NSCOPE];		/* has a group */
bit bound_once[NSCOPE];
byte live[NSCOPE];		/* members of that group */
bit signaled[NSCOPE];
bit file[NSCOPE];
byte refs[NSCOPE];
bit freed[NSCOPE];
byte ended[NSCOPE];

bit ch_canceled[NSCOPE];	/* the state of a channel */
byte parked[NSCOPE];		/* tasks on it */
byte released[NSCOPE];		/* of them, told that it is cancelled */
byte nr_done;
byte nr_tasks;

inline lock_scopes()
{
	atomic { !scopes_lock -> scopes_lock = 1; assert(cancel_seq % 2 == 0) }
}

/* Nothing has been cancelled under it. */
inline unlock_scopes()
{
	d_step { assert(scopes_lock); scopes_lock = 0 }
}

inline scopes_unlock()
{
	d_step { assert(scopes_lock); cancel_seq = cancel_seq + cancel_seq % 2 };
	scopes_lock = 0
}

inline enter_cancel()
{
	d_step { cancel_seq = cancel_seq + 1 - cancel_seq % 2 }
}

/* scope_put() */
inline scope_put(PUT)
{
	d_step {
		put = PUT;
		do
		:: put == NOBODY -> break
		:: else ->
			assert(!freed[put] && refs[put] > 0);
			refs[put]--;
			if
			:: refs[put] > 0 -> break
			:: else
			fi;
			freed[put] = 1;
			put = (put == OUTER -> NOBODY : put - 1)
		od;
		put = 0
	}
}

/* begin_cancel(), channel_begin_cancel() */
inline begin_cancel(WHICH, FROM)
{
#ifndef MUTANT_ENTER_LATE
	enter_cancel();
#endif
	canceled[WHICH] = 1;
	canceling[WHICH] = 1;
	top_of[WHICH] = FROM;
	ch_canceled[WHICH] = 1;
#ifdef MUTANT_ENTER_LATE
	enter_cancel()
#endif
}

/* channel_finish_cancel(), match_release(); signal_members() */
inline finish_cancel(WHICH)
{
	canceling[WHICH] = 0;
	d_step { released[WHICH] = released[WHICH] + parked[WHICH]; parked[WHICH] = 0 };
	if
	:: bound[WHICH] -> signaled[WHICH] = 1
	:: else
	fi
}

/* scope_cancel_locked(): innermost first, twice. */
inline scope_cancel_locked(TOP)
{
	x = INNER;
	do
	:: if
	   :: !freed[x] && !canceled[x] ->
		begin_cancel(x, TOP);
#ifdef MUTANT_ONE_PASS
		finish_cancel(x)
#endif
	   :: else
	   fi;
	   if
	   :: x == TOP -> break
	   :: else -> x--
	   fi
	od;
#ifndef MUTANT_ONE_PASS
	x = INNER;
	do
	:: if
	   :: !freed[x] && canceling[x] -> finish_cancel(x)
	   :: else
	   fi;
	   if
	   :: x == TOP -> break
	   :: else -> x--
	   fi
	od;
#endif
	x = 0
}

#define VACANT(s) \
	(live[INNER] + (s < INNER -> live[MIDDLE] : 0) + (s < MIDDLE -> live[OUTER] : 0) == 0)

/* scope_end(), unbind_group() */
inline scope_end(ENDS)
{
	assert(!freed[ENDS] && bound[ENDS] && ended[ENDS] == 0);
	bound[ENDS] = 0;
	ended[ENDS] = 1;
	scope_put(ENDS)
}

/* scope_cancel(): by a task that has the file. */
proctype Cancel(byte s)
{
	byte x, put;

	lock_scopes();
	assert(!freed[s]);
	scope_cancel_locked(s);
	scopes_unlock();
	nr_done++
}

/* scope_close(): the owner has died, or is done. */
proctype Close(byte s)
{
	byte x, put;

	lock_scopes();
	assert(!freed[s]);
	file[s] = 0;
#ifndef MUTANT_CLOSE_FORGETS
	if
	:: bound_once[s] -> scope_cancel_locked(s)
	:: else
	fi;
#endif
	if
	:: !bound[s]
	:: bound[s] && VACANT(s) -> scope_end(s)
	:: else
	fi;
	scope_put(s);
#ifdef MUTANT_PLAIN_UNLOCK
	unlock_scopes();
#else
	scopes_unlock();
#endif
	nr_done++
}

/* scope_bind(), bind_locked(), first_bind(): one member joins. */
proctype Bind(byte s)
{
	byte put;

	lock_scopes();
	assert(!freed[s]);
	if
#ifndef MUTANT_BIND_CANCELED
	:: canceled[s]
#endif
	:: else ->
		bound[s] = 1;
		bound_once[s] = 1;
		live[s] = 1;
		refs[s]++
	fi;
	unlock_scopes();
	nr_done++
}

/* A member ends by itself, or of the signal. */
proctype Member(byte s)
{
	/* Nobody may ever join the innermost. */
end:	if
	:: live[s] > 0 && signaled[s]
#ifdef EXITS
	:: live[s] > 0
#endif
	fi;
	live[s]--
}

/* watch_all(), watch_one(): after each exit, and as long as somebody is watched. */
proctype Watch()
{
	byte x, put;

end:	do
	:: atomic {
		!scopes_lock && ((bound[OUTER] && !file[OUTER] && VACANT(OUTER)) ||
				 (bound[MIDDLE] && !file[MIDDLE] && VACANT(MIDDLE)) ||
				 (bound[INNER] && !file[INNER] && VACANT(INNER))) ->
		scopes_lock = 1;
		assert(cancel_seq % 2 == 0)
	   };
	   x = INNER;
	   do
	   :: if
	      :: !freed[x] && bound[x] && !file[x] && VACANT(x) -> scope_end(x)
	      :: else
	      fi;
	      if
	      :: x == OUTER -> break
	      :: else -> x--
	      fi
	   od;
	   x = 0;
	   scopes_unlock()
	od
}

/* An operation on @a, then one on @b, which is not before all that it was told. */
inline operate(s, may_park)
{
	atomic {
		if
		:: ch_canceled[s] -> outcome = 1
		:: !ch_canceled[s] && may_park -> parked[s]++; outcome = 2
		:: else ->
			/* It succeeds: not after having been told of the cancel. */
			assert(told == NOBODY || top_of[told] > s);
			outcome = 0
		fi
	};
	if
	:: outcome == 1 ->
		/* transfer_await_cancel(), scope_await_cancel() */
#ifndef MUTANT_NO_AWAIT
		seq = cancel_seq;
		if
		:: seq % 2 == 0
		:: seq % 2 == 1 -> cancel_seq != seq
		fi;
		seq = 0;
#endif
		told = s
	:: outcome == 2 ->
		/* Asleep until match_release() */
		atomic { released[s] > 0 -> released[s]-- };
		told = s
	:: else
	fi;
	outcome = 0
}

proctype User(byte a, b; bit park)
{
	byte told = NOBODY, outcome, seq;

	operate(a, park);
	operate(b, 0);
	told = NOBODY;
	nr_done++
}

init {
	byte i, put;

	atomic {
		do
		:: i == NSCOPE -> break
		:: i < NSCOPE ->
			file[i] = 1;
			top_of[i] = NOBODY;
			/* The file, and the scope inside. */
			refs[i] = (i < INNER -> 2 : 1);
			i++
		od;
		i = 0;
		/* Two groups are bound; of the innermost see Bind. */
		bound[OUTER] = 1;
		bound_once[OUTER] = 1;
		live[OUTER] = 1;
		refs[OUTER]++;
		bound[MIDDLE] = 1;
		bound_once[MIDDLE] = 1;
		live[MIDDLE] = 1;
		refs[MIDDLE]++;
		run Member(OUTER);
		run Member(MIDDLE);
		run Member(INNER);
		run Watch();
		run Bind(INNER);
		run Close(MIDDLE);
#ifdef INSIDE
		run Cancel(INNER);
#endif
#ifdef OUTSIDE
		run Cancel(OUTER);
#endif
		run User(MIDDLE, INNER, 1);
		run User(INNER, MIDDLE, 1)
	};
	/* At rest: who was inside has been told, and the middle one is over. */
	timeout;
	assert(nr_done == 4
#ifdef INSIDE
	       + 1
#endif
#ifdef OUTSIDE
	       + 1
#endif
	       );
	assert(canceled[MIDDLE] && canceled[INNER] && ch_canceled[MIDDLE] && ch_canceled[INNER]);
	assert(!canceling[OUTER] && !canceling[MIDDLE] && !canceling[INNER]);
	assert(live[MIDDLE] == 0 && live[INNER] == 0 && ended[MIDDLE] == 1 && !bound[MIDDLE]);
	/* Then the others are closed, and all of it goes, once. */
	run Close(INNER);
	timeout;
	run Close(OUTER);
	timeout;
	assert(freed[OUTER] && freed[MIDDLE] && freed[INNER]);
	assert(ended[OUTER] == 1)
}
