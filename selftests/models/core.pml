/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The matching core as it is in the module: kmod/match.c, call.c and call.h, and
 * what transfer.c and wait.c do around it. Models with tasks include this one.
 *
 * Memory is sequentially consistent here; memory.pml has the models in which it is
 * not. Between two steps anything else may run, except that what only the holder
 * of the lock of a channel reads and writes is one step with what comes next to it.
 * What others see without that lock is a step of its own: the state of a call, the
 * lock of one, the wake-up of a task.
 *
 * A queue is the set of its operations, in the order of their tickets, which is how
 * the module keeps it. A message is known by the operation that sends it.
 *
 * A model defines, before it includes this: NCALL tasks, each with one call, of OPS
 * operations; NCH channels. In its init it fills @ochan, @okind, @multi, @capacity.
 */
#define NOP	(NCALL * OPS)
#define NIL	15
#define CALL(O)	((O) / OPS)
#define OP(C, K)	((C) * OPS + (K))

/* enum chan_call_state; and a call that nobody can see. */
#define PARKED	0
#define CLAIMED	1
#define RECHECK	2
#define OFFERED	3
#define DONE	4
#define PRIVATE	5

/* enum match_verdict; @verdict of a task. */
#define V_DONE	0
#define V_TAKE	1
#define V_OFFERED	2
#define V_WAIT	3
#define V_AGAIN	4
#define V_LOST	5

/* enum call_meeting */
#define MET	0
#define MISSED	1
#define LOST	2

/* The state of a channel. */
#define OPEN	0
#define CLOSED	1
#define BROKEN	2
#define CANCELED	3

/* The status of an operation, and the error of a call. */
#define OK	0
#define EOF	1
#define EPIPE	2
#define ECANCELED	3
#define EMSGSIZE	4
#define EINTR	5
#define EAGAIN	6
#define EFAULT	7
#define ETIMEDOUT	8
/* Not an error: what the status of the operation says. */
#define SETTLED	9
/* Nor this: once the page is there, look anew. transfer_retry() */
#define AGAIN	10

#define SEND	0
#define RECV	1

#define SIGNAL	1
#define KILL	2

/* How many receivers are told at once, and how many parked. */
#define REJECT_BATCH	1
#define RELEASE_BATCH	1

typedef call_t {
	byte state;
	bit lock;
	byte chosen
};

typedef op_t {
	byte ticket;
	byte status;
	byte peer;
	byte msg;	/* the payload; NIL for none */
	byte seq;	/* of the payload */
	bit queued;
	bit leaving;
	bit gone	/* its task has returned, the memory is not its OWN any more */
};

typedef match_t {
	bit lock;
	byte state;
	byte parked_cause;
	byte order;
	byte nr_msgs;
	byte sent;
	byte received;
	byte line[NOP]	/* the seq of a message in line; 0 if it is not */
};

call_t call[NCALL];
op_t op[NOP];
match_t ma[NCH];

byte capacity[NCH];
byte ochan[NOP];
bit okind[NOP];
bit multi[NCALL];
bit borrowed[NOP];
bit small[NOP];		/* a receiver without room for any message */
bit deadline[NCALL];	/* it may pass at any time */

bit woken[NCALL];	/* the state of the task */
byte sig[NCALL];
byte faults;		/* so many copies may still fail */

byte nr_done;		/* tasks that have returned */
byte got[NOP];		/* how often a message was received */
bit sent_ok[NOP];	/* its sender was told that it has gone */
bit dropped[NOP];	/* with what was buffered, when the channel ended */
byte nr_sent[NCH];
byte nr_got[NCH];

#ifdef ONE_STEP
#define IS_MULTI(C)	false
#else
#define IS_MULTI(C)	multi[C]
#endif

#define CLAIMABLE(C)	(call[C].state == PARKED || call[C].state == RECHECK)

/* What each task has on its stack. */
#define LOCALS \
	byte verdict, cand, at, peer, wake = NIL, met, err, i, batch, told, found, served; \
	bit ok, expired; \
	cand = NIL; peer = NIL; found = NIL

/* Numbers are given out anew from the highest that stands anywhere: fewer states. */
inline trim_order(M)
{
	ma[M].order = 0;
	i = 0;
	do
	:: i == NOP -> break
	:: i < NOP ->
		if
		:: ma[M].order < ma[M].line[i] -> ma[M].order = ma[M].line[i]
		:: else
		fi;
		if
		:: ochan[i] == M && ma[M].order < op[i].ticket -> ma[M].order = op[i].ticket
		:: else
		fi;
		if
		:: ochan[i] == M && ma[M].order < op[i].seq -> ma[M].order = op[i].seq
		:: else
		fi;
		i++
	od;
	i = 0
}

/* The lock of a channel. */
inline LOCK(M)
{
	atomic { !ma[M].lock -> ma[M].lock = 1 }
}

inline UNLOCK(M)
{
	d_step {
		assert(ma[M].lock);
		ma[M].lock = 0;
		trim_order(M);
		cand = NIL;
		at = 0;
		met = 0;
		served = 0;
		ok = 0
	}
}

/*
 * A hold of it. With calls of one operation only, and as long as nobody waits for a
 * place in the middle, it is one step: others could see no more than that a call is
 * settled a moment earlier. Models with selects have every step of it.
 */
#ifdef ONE_STEP
#define HOLD(M)		atomic { LOCK(M)
#define RELEASE(M)	UNLOCK(M); wake_left() }
#else
#define HOLD(M)		LOCK(M)
#define RELEASE(M)	UNLOCK(M)
#endif

/* --- call.h and call.c --- */

/* Something has become possible: only instant.pml looks at that. call_settle() */
inline call_settle(C, ST)
{
	assert(call[C].state == CLAIMED || call[C].state == OFFERED);
	call[C].state = ST
}

/* call_wake(): of a task, which may have gone on since. */
inline call_wake(C)
{
	woken[C] = !op[OP(C, 0)].gone
}

/* claim_locked() */
inline claim_locked(C, O)
{
	d_step {
		ok = CLAIMABLE(C);
		if
		:: ok -> call[C].state = CLAIMED; call[C].chosen = O
		:: else
		fi
	}
}

inline CALL_LOCK(C)
{
	atomic { !call[C].lock -> call[C].lock = 1 }
}

inline CALL_UNLOCK(C)
{
	call[C].lock = 0
}

/* call_claim_multi() */
inline call_claim_multi(C, O)
{
	ok = CLAIMABLE(C);
	if
	:: ok ->
		CALL_LOCK(C);
		claim_locked(C, O);
		CALL_UNLOCK(C)
	:: else
	fi
}

/* call_claim(): the compare-and-swap. */
inline call_claim_single(C)
{
	d_step {
		ok = (call[C].state == PARKED);
		if
		:: ok -> call[C].state = CLAIMED
		:: else
		fi
	}
}

/* call_claim(), op_claim() */
inline call_claim(O)
{
#ifdef ONE_STEP
	call_claim_single(CALL(O))
#else
	if
	:: IS_MULTI(CALL(O)) -> call_claim_multi(CALL(O), O)
	:: else -> call_claim_single(CALL(O))
	fi
#endif
}

/* call_commit(), op_commit() */
inline call_commit(O)
{
	if
#ifndef ONE_STEP
	:: IS_MULTI(CALL(O)) ->
#ifdef MUTANT_NO_COMMIT
		ok = 1;
		call[CALL(O)].state = CLAIMED;
		call[CALL(O)].chosen = O
#else
		call_claim_multi(CALL(O), O)
#endif
#endif
	:: else -> ok = 1
	fi
}

/* meet_locked() */
inline meet_locked(OWN, THEIRS)
{
	if
	:: !CLAIMABLE(CALL(OWN)) -> met = LOST
	:: else ->
#ifdef MUTANT_CLAIM_AND_UNDO
		claim_locked(CALL(OWN), OWN);
		if
		:: IS_MULTI(CALL(THEIRS)) -> claim_locked(CALL(THEIRS), THEIRS)
		:: else -> call_claim_single(CALL(THEIRS))
		fi;
		if
		:: ok -> met = MET
		:: else -> met = MISSED; call[CALL(OWN)].state = PARKED
		fi
#else
		if
		:: IS_MULTI(CALL(THEIRS)) -> claim_locked(CALL(THEIRS), THEIRS)
		:: else -> call_claim_single(CALL(THEIRS))
		fi;
		if
		:: ok ->
			claim_locked(CALL(OWN), OWN);
			assert(ok || CALL(OWN) == CALL(THEIRS));
			met = MET
		:: else -> met = MISSED
		fi
#endif
	fi
}

/* call_meet_multi(); meet_single() if the other is of one operation. */
inline call_meet_multi(OWN, THEIRS)
{
	if
	:: !IS_MULTI(CALL(THEIRS)) ->
		CALL_LOCK(CALL(OWN));
		meet_locked(OWN, THEIRS);
		CALL_UNLOCK(CALL(OWN))
	:: else ->
#ifdef MUTANT_ONE_LOCK
		CALL_LOCK(CALL(THEIRS));
		meet_locked(OWN, THEIRS);
		CALL_UNLOCK(CALL(THEIRS))
#else
#ifdef MUTANT_LOCK_OWN_FIRST
		CALL_LOCK(CALL(OWN));
		CALL_LOCK(CALL(THEIRS));
#else
		if
		:: CALL(OWN) < CALL(THEIRS) ->
			CALL_LOCK(CALL(OWN));
			CALL_LOCK(CALL(THEIRS))
		:: CALL(OWN) > CALL(THEIRS) ->
			CALL_LOCK(CALL(THEIRS));
			CALL_LOCK(CALL(OWN))
		fi;
#endif
		meet_locked(OWN, THEIRS);
		CALL_UNLOCK(CALL(THEIRS));
		CALL_UNLOCK(CALL(OWN))
#endif
	fi
}

/* call_meet() */
inline call_meet(OWN, THEIRS)
{
#ifdef ONE_STEP
	call_claim(THEIRS);
	met = (ok -> MET : MISSED)
#else
	if
	:: IS_MULTI(CALL(OWN)) -> call_meet_multi(OWN, THEIRS)
	:: else ->
		call_claim(THEIRS);
		met = (ok -> MET : MISSED)
	fi
#endif
}

/* call_is_over() */
#define IS_OVER(C)	(call[C].state == DONE)

/* --- match.c --- */

/* The next in a queue after ticket @at; NIL if there is none. */
inline next_in(M, KIND)
{
	d_step {
		cand = NIL;
		i = 0;
		do
		:: i == NOP -> break
		:: i < NOP ->
			if
			:: op[i].queued && ochan[i] == M && okind[i] == KIND && op[i].ticket > at ->
				assert(!op[i].gone);
				if
				:: cand == NIL -> cand = i
				:: cand != NIL && op[i].ticket < op[cand].ticket -> cand = i
				:: else
				fi
			:: else
			fi;
			i++
		od;
		i = 0;
		if
		:: cand != NIL -> at = op[cand].ticket
		:: else
		fi
	}
}

/* match_park(), match_park_new(), match_enqueue(); match_move_on() */
inline match_park(M, O)
{
	d_step {
		assert(!op[O].queued && !op[O].gone);
		if
		:: op[O].ticket == 0 -> ma[M].order++; op[O].ticket = ma[M].order
		:: else
		fi;
		op[O].queued = 1;
		if
		:: !IS_MULTI(CALL(O)) -> call[CALL(O)].state = PARKED
		:: else
		fi
	}
}

/* unqueue_sender(), unqueue_receiver() */
inline unqueue(O)
{
	d_step { assert(op[O].queued && !op[O].gone); op[O].queued = 0 }
}

/* call_finish() */
inline call_finish(O, ST)
{
	op[O].status = ST;
	call_settle(CALL(O), DONE);
	call_wake(CALL(O))
}

/* send_error() */
#define SEND_ERROR(M)	(ma[M].state == CANCELED -> ECANCELED : EPIPE)
/* recv_error(): the cause given at close is not told from the end of file here. */
#define RECV_ERROR(M)	(ma[M].state == CANCELED -> ECANCELED : EOF)

/* The first in line; NIL if there is none. line_first() */
inline line_first(M)
{
	d_step {
		cand = NIL;
		i = 0;
		do
		:: i == NOP -> break
		:: i < NOP ->
			if
			:: ma[M].line[i] > 0 ->
				if
				:: cand == NIL -> cand = i
				:: cand != NIL && ma[M].line[i] < ma[M].line[cand] -> cand = i
				:: else
				fi
			:: else
			fi;
			i++
		od;
		i = 0
	}
}

/* line_add_tail() */
inline line_add_tail(M, O)
{
	d_step {
		ma[M].order++;
		assert(ma[M].line[op[O].msg] == 0);
		ma[M].line[op[O].msg] = ma[M].order;
		ma[M].nr_msgs++;
		ma[M].sent++;
		op[O].msg = NIL
	}
}

/* hand_over() to @cand, which is claimed. */
inline hand_over(M, ME)
{
	if
	:: borrowed[ME] ->
		d_step {
			op[ME].peer = cand;
			if
			:: op[ME].ticket == 0 -> ma[M].order++; op[ME].ticket = ma[M].order
			:: else
			fi;
			op[cand].peer = ME;
			call[CALL(ME)].state = CLAIMED
		};
		call_settle(CALL(cand), OFFERED);
		verdict = V_OFFERED
	:: else ->
		d_step {
			op[cand].msg = op[ME].msg;
			op[ME].msg = NIL;
			ma[M].order++;
			op[cand].seq = ma[M].order;
			op[cand].status = OK;
			op[ME].status = OK;
			ma[M].sent++;
			ma[M].received++
		};
		call_settle(CALL(cand), DONE);
		verdict = V_DONE
	fi;
#ifndef MUTANT_NO_WAKE
	wake = CALL(cand)
#endif
}

/*
 * No plain one that came before @me waits here: it would be overtaken. One of several
 * operations may be given back at any time, and looks anew.
 */
inline check_turn(M, ME, KIND)
{
	d_step {
		i = 0;
		do
		:: i == NOP -> break
		:: i < NOP ->
			assert(!(op[i].queued && ochan[i] == M && okind[i] == KIND &&
				 !IS_MULTI(CALL(i)) && CLAIMABLE(CALL(i)) &&
				 CALL(i) != CALL(ME) &&
				 (op[ME].ticket == 0 || op[i].ticket < op[ME].ticket)));
			i++
		od;
		i = 0
	}
}

/* has_turn() */
#define HAS_TURN(ME, O) \
	(CALL(O) == CALL(ME) || (op[ME].ticket > 0 && op[ME].ticket < op[O].ticket))

/* meet_parked() of @found and @cand: in @met, LOST if it was @found that was. */
inline meet_parked()
{
	assert(IS_MULTI(CALL(cand)) || IS_MULTI(CALL(found)));
	if
	:: IS_MULTI(CALL(found)) -> call_meet_multi(found, cand)
	:: else ->
		call_meet_multi(cand, found);
		met = (met == MET -> MET : MISSED)
	fi;
#ifdef MUTANT_GUESS_WHO
	if
	:: met == MET
	:: else -> met = (CLAIMABLE(CALL(found)) -> MISSED : LOST)
	fi
#endif
}

/*
 * serve_first(), deal(): before @me meets @cand, those who came before; a batch of
 * which is one. What does not fit is left to fuzz.c.
 */
inline serve_first(M, ME, KIND)
{
	found = cand;
	served = V_WAIT;
	at = 0;
	do
	:: served == V_LOST -> break
	:: else ->
		next_in(M, KIND);
		if
		:: cand == NIL -> break
		:: cand != NIL && HAS_TURN(ME, cand) -> break
		:: else
		fi;
		if
		:: CALL(cand) == CALL(found)
		:: CALL(cand) != CALL(found) && !CLAIMABLE(CALL(cand)) ->
			if
			:: IS_OVER(CALL(cand)) -> unqueue(cand)
			:: else
			fi
		:: else ->
			meet_parked();
			if
			:: met == MET ->
				unqueue(cand);
				unqueue(found);
				if
				:: KIND == SEND -> i = cand; cand = found; found = i; i = 0
				:: else
				fi;
				hand_over(M, found);
				if
				:: verdict == V_DONE -> call_finish(found, OK)
				:: else
				fi;
				call_wake(wake);
				wake = NIL;
				served = V_AGAIN;
				break
			:: met == LOST -> served = V_LOST
			:: else
			fi
		fi
	od;
	cand = found;
	at = op[found].ticket;
	found = NIL
}

#ifdef ONE_STEP
/* With calls of one operation only, nobody waits for whom it could meet. */
#define serve_before(M, ME, KIND)	served = V_WAIT
#else
inline serve_before(M, ME, KIND)
{
	served = V_WAIT;
#ifndef MUTANT_OVERTAKE
	if
	:: ME != NIL && KIND == SEND && !CLAIMABLE(CALL(cand)) -> served = V_LOST
	:: ME != NIL && (KIND == RECV || CLAIMABLE(CALL(cand))) -> serve_first(M, ME, KIND)
	:: else
	fi
#endif
}
#endif

/* find_receiver(): @me is NIL for a message that is put back. In @cand. */
inline find_receiver(M, ME)
{
	at = 0;
	do
	:: next_in(M, RECV);
		if
		:: cand == NIL -> break
#ifndef MUTANT_MEET_ONESELF
		:: cand != NIL && ME != NIL && CALL(cand) == CALL(ME)
#endif
		:: else ->
			if
			:: IS_OVER(CALL(cand)) -> unqueue(cand)
			:: else ->
				serve_before(M, ME, SEND);
				if
				:: served == V_AGAIN -> verdict = V_AGAIN; break
				:: served == V_LOST
				:: served == V_WAIT && small[cand] ->
					if
					:: ME != NIL && IS_MULTI(CALL(ME)) && !CLAIMABLE(CALL(ME)) ->
						verdict = V_LOST;
						break
					:: else
					fi;
					/* reject_receiver() */
					call_claim(cand);
					if
					:: ok ->
						unqueue(cand);
						call_finish(cand, EMSGSIZE);
						verdict = V_AGAIN;
						break
					:: else
					fi
				:: served == V_WAIT && !small[cand] ->
					/* meet_receiver() */
					if
					:: ME != NIL -> call_meet(ME, cand)
					:: else ->
						call_claim(cand);
						met = (ok -> MET : MISSED)
					fi;
					if
					:: met == LOST -> verdict = V_LOST; break
					:: met == MET ->
						if
						:: ME != NIL ->
							assert(CALL(ME) != CALL(cand));
							check_turn(M, ME, SEND)
						:: else
						fi;
						unqueue(cand);
						break
					:: else
					fi
				fi
			fi
		fi
	od;
	if
	:: verdict == V_LOST || verdict == V_AGAIN -> cand = NIL
	:: else
	fi
}

/* send_to_line() */
inline send_to_line(M, ME)
{
	if
	:: ma[M].nr_msgs >= capacity[M] -> verdict = V_WAIT
	:: else ->
		call_commit(ME);
		if
		:: ok ->
			check_turn(M, ME, SEND);
			line_add_tail(M, ME);
			op[ME].status = OK;
			verdict = V_DONE
		:: else -> verdict = V_LOST
		fi
	fi
}

/* match_send() */
inline match_send(M, ME)
{
	verdict = V_WAIT;
	if
	:: ma[M].state != OPEN ->
		call_commit(ME);
		if
		:: ok -> op[ME].status = SEND_ERROR(M); verdict = V_DONE
		:: else -> verdict = V_LOST
		fi
	:: else ->
		cand = NIL;
		if
		:: ma[M].nr_msgs == 0 -> find_receiver(M, ME)
		:: else
		fi;
		if
		:: cand != NIL -> hand_over(M, ME)
		:: else ->
			if
			:: verdict == V_WAIT -> send_to_line(M, ME)
			:: else
			fi
		fi
	fi
}

/* line_refill() */
inline line_refill(M)
{
	at = 0;
	do
	:: ma[M].state != OPEN || ma[M].nr_msgs >= capacity[M] -> break
	:: else ->
		next_in(M, SEND);
		if
		:: cand == NIL -> break
		:: else ->
			call_claim(cand);
			if
			:: ok ->
				unqueue(cand);
				line_add_tail(M, cand);
				op[cand].status = OK;
				call_settle(CALL(cand), DONE);
				wake = CALL(cand);
				break
			:: else
			fi
		fi
	od
}

/* recv_from_line(), line_take_first(), misfit() */
inline recv_from_line(M, ME)
{
	call_commit(ME);
	if
	:: !ok -> verdict = V_LOST
	:: ok && small[ME] -> op[ME].status = EMSGSIZE; verdict = V_DONE
	:: else ->
		check_turn(M, ME, RECV);
		line_first(M);
		d_step {
			op[ME].status = OK;
			op[ME].msg = cand;
			op[ME].seq = ma[M].line[cand];
			ma[M].line[cand] = 0;
			ma[M].nr_msgs--;
			ma[M].received++
		};
#ifndef MUTANT_NO_REFILL
		line_refill(M);
#endif
		verdict = V_DONE
	fi
}

/* recv_from_sender() */
inline recv_from_sender(M, ME)
{
	verdict = V_WAIT;
	at = 0;
	do
	:: next_in(M, SEND);
		if
		:: cand == NIL -> break
#ifndef MUTANT_MEET_ONESELF
		:: cand != NIL && CALL(cand) == CALL(ME)
#endif
		:: else ->
			if
			:: !CLAIMABLE(CALL(cand)) ->
				if
				:: IS_OVER(CALL(cand)) -> unqueue(cand)
				:: else
				fi
			:: else ->
				serve_before(M, ME, RECV);
				if
				:: served == V_AGAIN -> verdict = V_AGAIN; break
				:: served == V_LOST
				:: served == V_WAIT && small[ME] ->
					call_commit(ME);
					if
					:: ok -> op[ME].status = EMSGSIZE; verdict = V_DONE
					:: else -> verdict = V_LOST
					fi;
					break
				:: served == V_WAIT && !small[ME] ->
					call_meet(ME, cand);
					if
					:: met == LOST -> verdict = V_LOST; break
					:: met == MET ->
						assert(CALL(ME) != CALL(cand));
						check_turn(M, ME, RECV);
						unqueue(cand);
						ma[M].sent++;
						ma[M].received++;
						op[ME].peer = cand;
						verdict = V_TAKE;
						break
					:: else
					fi
				fi
			fi
		fi
	od
}

/* match_recv() */
inline match_recv(M, ME)
{
	if
	:: ma[M].nr_msgs > 0 -> recv_from_line(M, ME)
	:: ma[M].nr_msgs == 0 && ma[M].state != OPEN ->
		call_commit(ME);
		if
		:: ok -> op[ME].status = RECV_ERROR(M); verdict = V_DONE
		:: else -> verdict = V_LOST
		fi
	:: else -> recv_from_sender(M, ME)
	fi
}

/* offer_anew(): to @peer, a receiver whose sender has gone. offer_recheck() */
inline offer_anew(M)
{
	op[peer].peer = NIL;
	if
	:: IS_MULTI(CALL(peer)) ->
		match_park(M, peer);
#ifdef MUTANT_NO_RECHECK
		call_settle(CALL(peer), PARKED)
#else
		call_settle(CALL(peer), RECHECK);
		call_wake(CALL(peer))
#endif
	:: else ->
#ifdef MUTANT_REVOKE_PARKS
		match_park(M, peer);
#else
		do
		:: match_recv(M, peer);
			if
			:: verdict != V_AGAIN -> break
			:: else
			fi
		od;
		if
		:: verdict == V_TAKE ->
			d_step {
				ma[M].sent--;
				ma[M].received--;
				op[op[peer].peer].peer = peer
			}
		:: verdict == V_DONE -> call_finish(peer, op[peer].status)
		:: else -> match_park(M, peer)
		fi;
#endif
		if
		:: wake != NIL -> call_wake(wake); wake = NIL
		:: else
		fi
	fi;
	peer = NIL
}

/* match_withdraw_sender(): in @ok. */
inline match_withdraw_sender(M, ME)
{
	call_claim(ME);
	if
	:: ok -> unqueue(ME)
	:: else ->
		if
		:: op[ME].peer != NIL ->
			peer = op[ME].peer;
			offer_anew(M);
			op[ME].peer = NIL;
			ok = 1
		:: else ->
			op[ME].leaving = 1;
			ok = 0
		fi
	fi
}

/* match_withdraw_receiver(): in @ok. */
inline match_withdraw_receiver(M, ME)
{
	call_claim(ME);
	if
	:: ok -> unqueue(ME)
	:: else
	fi
}

/* match_accept(): in @peer. */
inline match_accept(M, ME)
{
	d_step {
		peer = op[ME].peer;
		if
		:: peer != NIL ->
			op[ME].peer = NIL;
#ifndef MUTANT_ACCEPT_KEEPS_PEER
			op[peer].peer = NIL;
#endif
			ma[M].sent++;
			ma[M].received++
		:: else
		fi
	}
}

/* match_give_back() of @peer, a sender; give_back_multi(), give_back_single() */
inline match_give_back(M)
{
	if
	:: op[peer].leaving ->
		call_finish(peer, EINTR);
		verdict = V_DONE
	:: !op[peer].leaving && IS_MULTI(CALL(peer)) ->
		match_park(M, peer);
#ifdef MUTANT_NO_RECHECK
		call_settle(CALL(peer), PARKED);
#else
		call_settle(CALL(peer), RECHECK);
		call_wake(CALL(peer));
#endif
		verdict = V_DONE
	:: else ->
#ifdef MUTANT_GIVE_BACK_PARKS
		match_park(M, peer);
		verdict = V_DONE;
#else
		match_send(M, peer);
		if
		:: verdict == V_AGAIN
		:: verdict == V_DONE -> call_finish(peer, op[peer].status)
		:: verdict == V_OFFERED
		:: else -> match_park(M, peer)
		fi;
#endif
		if
		:: wake != NIL -> call_wake(wake); wake = NIL
		:: else
		fi
	fi;
	if
	:: verdict != V_AGAIN -> ma[M].sent--; ma[M].received--
	:: else
	fi
}

/* The message that @me has: does another in line come before it? */
#define COMES_LATER(M, ME)	(cand != NIL && ma[M].line[cand] > op[ME].seq)

/* match_put_back(), line_put_back() */
inline match_put_back(M, ME)
{
	if
	:: ma[M].state == BROKEN || ma[M].state == CANCELED ->
		d_step {
			ma[M].received--;
			dropped[op[ME].msg] = 1
		};
		verdict = V_WAIT
	:: else ->
		verdict = V_DONE;
		line_first(M);
		if
		:: ma[M].nr_msgs == 0 || COMES_LATER(M, ME) -> find_receiver(M, NIL)
		:: else -> cand = NIL
		fi;
		if
		:: verdict == V_AGAIN
		:: verdict != V_AGAIN && cand != NIL ->
			d_step {
				op[cand].msg = op[ME].msg;
				op[cand].seq = op[ME].seq
			};
			call_finish(cand, OK)
		:: else ->
			d_step {
				ma[M].received--;
				ma[M].line[op[ME].msg] = op[ME].seq;
				ma[M].nr_msgs++
			}
		fi
	fi
}

/* match_drop() */
inline match_drop(M)
{
	d_step {
		i = 0;
		do
		:: i == NOP -> break
		:: i < NOP ->
			if
			:: ma[M].line[i] > 0 -> ma[M].line[i] = 0; dropped[i] = 1
			:: else
			fi;
			i++
		od;
		i = 0;
		ma[M].nr_msgs = 0
	}
}

/* can_end() */
#define CAN_END(M, ST) \
	(ma[M].state == OPEN || (ST == CANCELED && ma[M].state != CANCELED))

/* match_end(), begin_end(), drop_useless(): in @ok. */
inline match_end(M, ST)
{
	ok = CAN_END(M, ST);
	if
	:: ok ->
		ma[M].state = ST;
		if
		:: ST == BROKEN || ST == CANCELED -> match_drop(M)
		:: else
		fi
	:: else
	fi
}

/* match_release(), a batch of which is one: more are left if @ok. */
inline match_release(M)
{
	at = 0;
	ok = 0;
	next_in(M, SEND);
	if
	:: cand == NIL -> next_in(M, RECV)
	:: else
	fi;
	if
	:: cand != NIL ->
		unqueue(cand);
#ifndef MUTANT_RELEASE_UNQUEUES_ONLY
#ifndef MUTANT_END_BEFORE_LINE
		if
		:: okind[cand] == RECV && ma[M].nr_msgs > 0 -> ok = 0
		:: else -> call_claim(cand)
		fi;
#else
		call_claim(cand);
#endif
		if
		:: ok && okind[cand] == SEND -> call_finish(cand, SEND_ERROR(M))
		:: ok && okind[cand] == RECV ->
			/* Drained, or dropped. */
			assert(ma[M].nr_msgs == 0);
			call_finish(cand, RECV_ERROR(M))
		:: else
		fi;
#endif
#ifdef MUTANT_ONE_BATCH
		ok = 0
#else
		ok = 1
#endif
	:: else
	fi
}

/* --- wait.c --- */

/* call_wait(): until settled; the error is in @err. */
inline call_wait(C)
{
	err = OK;
	do
	:: atomic {
		woken[C] = 0;
		if
		:: call[C].state >= RECHECK -> break
		:: call[C].state < RECHECK && sig[C] -> err = EINTR; break
		:: call[C].state < RECHECK && !sig[C] && expired -> err = ETIMEDOUT; break
		:: else
		fi
	   };
	   if
	   :: atomic { woken[C] -> woken[C] = 0 }
	   :: deadline[C] -> expired = 1
	   fi
	od
}

/* call_wait_settled() */
inline call_wait_settled(C)
{
	do
	:: atomic {
		woken[C] = 0;
		if
		:: call[C].state >= RECHECK -> break
		:: else
		fi
	   };
	   atomic { woken[C] -> woken[C] = 0 }
	od
}

/* --- transfer.c --- */

/* transfer_wake() of whom was left to be woken. */
inline wake_left()
{
	if
	:: wake != NIL -> call_wake(wake); wake = NIL
	:: else
	fi
}

/* transfer_accept(): in @peer. */
inline transfer_accept(M, ME)
{
	HOLD(M);
	match_accept(M, ME);
	op[ME].peer = peer;
	RELEASE(M)
}

/* recv_put_back() */
inline recv_put_back(M, ME)
{
	do
	:: HOLD(M);
		match_put_back(M, ME);
		RELEASE(M);
		if
		:: verdict != V_AGAIN -> break
		:: else
		fi
	od;
	op[ME].msg = NIL
}

/* recv_give_back() */
inline recv_give_back(M, ME)
{
	peer = op[ME].peer;
	do
	:: HOLD(M);
		match_give_back(M);
		RELEASE(M);
		if
		:: verdict != V_AGAIN -> break
		:: else
		fi
	od;
	op[ME].peer = NIL;
	peer = NIL
}

/*
 * What the receiver has cannot be kept: with @told, because of a fault, EFAULT, or
 * OK to look anew once the page is there; or it is being killed.
 */
inline bring_back(M, ME)
{
	if
	:: op[ME].peer != NIL ->
#ifdef MUTANT_FAULT_FORGETS
		op[ME].peer = NIL
#else
		recv_give_back(M, ME)
#endif
	:: else -> recv_put_back(M, ME)
	fi;
	batch = 0
}

/*
 * transfer_declined(), transfer_take(), transfer_keep(), usercopy_out(): in @ok,
 * whether the message is copied; without, it is back, and @told says why.
 */
inline recv_settle(M, ME)
{
	if
	:: sig[CALL(ME)] == KILL && op[ME].ticket > 0 -> told = EINTR; batch = 1
	:: else ->
		d_step {
			peer = op[ME].peer;
			assert(peer == NIL || (!op[peer].gone && op[peer].msg != NIL));
			batch = 0
		};
		if
		:: atomic { faults > 0 -> faults--; batch = 1; told = EFAULT }
		:: atomic { faults > 0 && peer != NIL -> faults--; batch = 1; told = AGAIN }
		:: told = OK
		fi
	fi;
	if
	:: batch -> bring_back(M, ME); ok = 0
	:: else ->
		d_step {
			if
			:: peer != NIL ->
				assert(!op[peer].gone && call[CALL(peer)].state == CLAIMED);
				op[ME].msg = op[peer].msg;
				op[peer].msg = NIL;
				op[ME].status = OK;
				op[peer].status = OK;
				call_settle(CALL(peer), DONE)
			:: else
			fi
		};
		d_step {
			if
			:: peer != NIL -> call_wake(CALL(peer)); op[ME].peer = NIL; peer = NIL
			:: else
			fi;
			ok = 1
		}
	fi
}

/* What is of no use any more makes no difference. */
inline forget_locals()
{
	verdict = 0;
	peer = NIL;
	wake = NIL;
	err = 0;
	batch = 0;
	expired = 0;
	told = 0
}

/* The task returns. */
inline return_from(C, K)
{
	d_step {
		assert(!op[OP(C, K)].queued && op[OP(C, K)].peer == NIL);
		op[OP(C, K)].gone = 1;
		op[OP(C, K)].msg = NIL;
		op[OP(C, K)].ticket = 0;
		op[OP(C, K)].seq = 0;
		op[OP(C, K)].status = 0;
		op[OP(C, K)].leaving = 0;
		woken[C] = 0
	}
}

/* A message has reached its receiver. */
inline tell_received(M, ME)
{
	d_step {
		assert(op[ME].msg != NIL);
		got[op[ME].msg]++;
		assert(got[op[ME].msg] == 1);
		nr_got[M]++
	}
}

/* send_meet(), send_op(), send_wait(), channel_send(); the outcome in @told. */
inline channel_send(ME, M, NOWAIT)
{
	op[ME].msg = ME;
	do
	:: HOLD(M);
		match_send(M, ME);
		if
		:: verdict == V_WAIT && !NOWAIT -> match_park(M, ME)
		:: else
		fi;
		RELEASE(M);
		if
		:: verdict != V_AGAIN -> break
		:: else
		fi
	od;
	wake_left();
	if
	:: verdict == V_DONE -> told = SETTLED
	:: verdict == V_WAIT && NOWAIT -> told = EAGAIN
	:: else ->
		call_wait(CALL(ME));
		told = (err == OK -> SETTLED : err);
		if
		:: err == OK
		:: else ->
			HOLD(M);
			match_withdraw_sender(M, ME);
			batch = ok;
			RELEASE(M);
			if
			:: batch
			:: else ->
				call_wait_settled(CALL(ME));
				told = SETTLED
			fi
		fi
	fi;
	d_step {
		if
		:: told == SETTLED -> told = (op[ME].status == EINTR -> err : op[ME].status)
		:: else
		fi;
		if
		:: told == OK ->
			assert(op[ME].msg == NIL);
			sent_ok[ME] = 1;
			nr_sent[M]++
		:: else -> assert(op[ME].msg == ME && got[ME] == 0)
		fi;
		return_from(CALL(ME), 0);
		forget_locals();
		nr_done++
	}
}

/* recv_meet(), recv_park(), recv_wait(): a message, an error or a sender. */
inline recv_op(ME, M, NOWAIT)
{
	told = OK;
	do
	:: HOLD(M);
		match_recv(M, ME);
		if
		:: verdict == V_WAIT && !NOWAIT -> match_park(M, ME)
		:: else
		fi;
		RELEASE(M);
		if
		:: verdict != V_AGAIN -> break
		:: else
		fi
	od;
	wake_left();
	if
	:: verdict == V_WAIT && NOWAIT -> told = EAGAIN
	:: verdict == V_WAIT && !NOWAIT ->
		do
		:: call_wait(CALL(ME));
			if
			:: err != OK ->
				HOLD(M);
				match_withdraw_receiver(M, ME);
				batch = ok;
				RELEASE(M);
				if
				:: batch -> told = err; batch = 0; break
				:: else
				fi
			:: else
			fi;
			if
			:: call[CALL(ME)].state == DONE -> break
			:: else ->
				transfer_accept(M, ME);
				if
				:: peer != NIL -> peer = NIL; break
				:: else
				fi
			fi
		od
	:: else
	fi
}

/* recv_message(), channel_recv(), transfer_retry(); the outcome in @told. */
inline channel_recv(ME, M, NOWAIT)
{
	do
	:: recv_op(ME, M, NOWAIT);
		if
		:: told != OK -> break
		:: else
		fi;
		if
		:: op[ME].peer == NIL && op[ME].status != OK -> told = SETTLED; break
		:: else
		fi;
		recv_settle(M, ME);
		if
		:: told == AGAIN && !sig[CALL(ME)]
		:: told == AGAIN && sig[CALL(ME)] -> told = EINTR; break
		:: told != AGAIN -> break
		fi
	od;
	d_step {
		ok = 0;
		if
		:: told == SETTLED -> told = op[ME].status
		:: else
		fi;
		if
		:: told == OK -> tell_received(M, ME); op[ME].msg = NIL
		:: else
		fi;
		return_from(CALL(ME), 0);
		forget_locals();
		nr_done++
	}
}

/* --- What must hold --- */

/* At rest, two that could meet do not both wait, nor beside a message or a place. */
#define WAITS(O, M, KIND) \
	(op[O].queued && ochan[O] == M && okind[O] == KIND && CLAIMABLE(CALL(O)))

inline check_at_rest()
{
	d_step {
		i = 0;
		do
		:: i == NOP -> break
		:: i < NOP ->
			/* Who has something to do is not asleep. */
			assert(i % OPS > 0 || op[i].gone || call[CALL(i)].state == PARKED);
			j = 0;
			do
			:: j == NOP -> break
			:: j < NOP ->
				assert(!(WAITS(i, ochan[i], SEND) && WAITS(j, ochan[i], RECV) &&
					 CALL(i) != CALL(j)));
				j++
			od;
			if
			:: op[i].queued && CLAIMABLE(CALL(i)) ->
				assert(ma[ochan[i]].state == OPEN);
				assert(!(okind[i] == RECV && ma[ochan[i]].nr_msgs > 0));
				assert(!(okind[i] == SEND && ma[ochan[i]].nr_msgs < capacity[ochan[i]]))
			:: else
			fi;
			i++
		od;
		i = 0;
		j = 0
	}
}

/* All have returned: each message was received, is in line, or was dropped. */
inline check_ledger()
{
	d_step {
		assert(nr_done == NCALL);
		i = 0;
		do
		:: i == NOP -> break
		:: i < NOP ->
			assert(!op[i].queued);
			assert(sent_ok[i] == got[i] + dropped[i] + (ma[ochan[i]].line[i] > 0 -> 1 : 0));
			i++
		od;
		i = 0;
		do
		:: i == NCH -> break
		:: i < NCH ->
			assert(!ma[i].lock);
			assert(ma[i].sent == nr_sent[i] && ma[i].received == nr_got[i]);
			i++
		od;
		i = 0
	}
}

/*
 * Nobody can go on: what waits must have to. Then all are interrupted, upon which
 * all must return. A deadlock is found as an assertion that fails here.
 */
proctype Observer()
{
	byte i, j;

	timeout -> check_at_rest();
	d_step {
		do
		:: i == NCALL -> break
		:: i < NCALL -> sig[i] = SIGNAL; woken[i] = 1; i++
		od;
		i = 0
	};
	timeout -> check_ledger()
}

/* A signal, or a kill, to any of the first @n tasks at any time. */
proctype Signaler(byte n)
{
	byte c;

	select (c : 0 .. n - 1);
	if
	:: sig[c] = SIGNAL
	:: sig[c] = KILL
	fi;
	woken[c] = 1
}
