/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a history explained by the contract?
 *
 * DOC: What is checked, and why that is enough
 *
 * Whether a history is linearizable is NP-complete in general, but every message
 * here is different, so it is known which receive took which send. What is left
 * are questions about intervals, answered in O(n log n):
 *
 * A buffered channel is a queue. With different values, and as far as operations
 * have returned, a history of a queue is linearizable if and only if none of four
 * patterns is in it (Henzinger, Sezgin, Vafeiadis: Aspect-Oriented Linearizability
 * Proofs, CONCUR 2013; with operations under way, Bouajjani, Emmi, Enea, Hamza: On
 * Reducing Linearizability to State Reachability, ICALP 2015)::
 *
 *	fresh	received, and never sent, or only sent afterwards
 *	once	received twice
 *	order	sent before another in time, and received after it
 *	empty	a receive that found nothing, though at each moment of it some
 *		message was there: sent, and not yet being received
 *
 * Why: let the sends be ordered by what "order" demands. At a moment when no
 * message is certainly there, all that have been sent before, or are received
 * before, can be thought of as over, and all others as not begun; so the receives
 * that found nothing cut the history in pieces, each of which "order" makes a
 * sequence of.
 *
 * The bound is one more such pattern: at no moment may more messages certainly
 * be there than the channel has capacity. Of a message that is sent before
 * another, the receive begins no later than that one's can have ended, and so on:
 * the intervals are narrowed so before they are counted. A send that found no
 * place is wrong if at each moment of it fewer can have been there. These two are
 * necessary; that they are also sufficient is not proved, but compared with an
 * exhaustive search by doctored.py.
 *
 * A channel without capacity is a rendezvous: the instant of a message lies within
 * its send and within its receive, so the two have to overlap. Different messages
 * do not constrain each other: any instant of the overlap will do.
 *
 * For who does not wait there must have been no partner that is parked. Whether
 * somebody is parked does not show from outside, but the counts of the channel tell:
 * if as many are as calls are under way, each of them is, and in a calm history stays
 * so until the call begins that it meets.
 *
 * A select that found nothing needs one moment at which that held for all of its
 * cases; of one in order of priority, for those before the chosen one. Channels
 * are independent otherwise, for a linearization of each makes one of all.
 *
 * A channel is closed at one instant, which lies within a close, and before the
 * end of everybody who was told so. What was sent before has been received when
 * somebody is told that it is drained.
 *
 * What a task that was killed was about to do may have happened, or not, but not
 * both: if its message was received it did that, else it may have taken a message,
 * on one channel, one that nobody else got. Or it, or a receiver with bad memory,
 * has held one for a while and given it back: first in line again, but another
 * receiver may have had the next one meanwhile. So each such receive excuses one
 * message, and who excuses whom is a matching.
 */
#ifndef ORACLE_CHECK_H
#define ORACLE_CHECK_H

#include "history.h"

#define VERDICT_FINDINGS	12
#define FINDING_OPS		3

enum rule {
	RULE_SHAPE,
	RULE_RETURNS,
	RULE_FRESH,
	RULE_ONCE,
	RULE_LOST,
	RULE_ORDER,
	RULE_OVERLAP,
	RULE_PARTNER,
	RULE_CAPACITY,
	RULE_SELECT_ONE,
	RULE_LOSER,
	RULE_NO_EFFECT,
	RULE_WOULD_BLOCK,
	RULE_DEADLINE,
	RULE_PRIORITY,
	RULE_AFTER_CLOSE,
	RULE_UNCAUSED,
	RULE_DRAINED,
	RULE_CAUSE,
	RULE_CANCELED,
	RULE_TOTALS,
	RULES
};

/**
 * struct finding - something that the contract does not explain
 * @rule: which part of it
 * @ops: the operations that are at odds, -1 for none
 */
struct finding {
	enum rule rule;
	int ops[FINDING_OPS];
};

/**
 * struct verdict - what came of a check
 * @nr: how many findings there were
 * @findings: the first of them
 * @messages: how many messages were received
 * @excused: how many of them by a receive that did not end well
 */
struct verdict {
	__u32 nr;
	struct finding findings[VERDICT_FINDINGS];
	__u32 messages;
	__u32 excused;
};

const char *rule_name(enum rule rule);
const char *rule_meaning(enum rule rule);
void check_history(struct history *h, struct verdict *v);
void verdict_print(const struct history *h, const struct verdict *v,
		   const char *before, FILE *file);

#endif /* ORACLE_CHECK_H */
