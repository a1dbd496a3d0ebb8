/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the matching core is to do, said as simply as can be: arrays that are
 * searched from one end to the other, no list, no lock, no atomic.
 */
#ifndef _CORE_MODEL_H
#define _CORE_MODEL_H

#include <stdbool.h>

#define MODEL_CHANNELS	3
#define MODEL_SINGLES	9
#define MODEL_SELECTS	3
#define MODEL_CASES	3
#define MODEL_CALLS	(MODEL_SINGLES + MODEL_SELECTS)
#define MODEL_OPS	(MODEL_SINGLES + MODEL_SELECTS * MODEL_CASES)
#define MODEL_LINE	64
#define MODEL_SPARES	64
#define MODEL_NOBODY	(-1)

enum model_verdict {
	MODEL_DONE,
	MODEL_TAKE,
	MODEL_OFFERED,
	MODEL_NEEDS_MSG,
	MODEL_WAIT,
	MODEL_AGAIN,
	MODEL_LOST,
};

enum model_state {
	MODEL_IS_PARKED,
	MODEL_IS_CLAIMED,
	MODEL_IS_RECHECK,
	MODEL_IS_OFFERED,
	MODEL_IS_DONE,
};

/* Statuses that have no errno in user space. */
#define MODEL_EOF	1
#define MODEL_RESTART	(-512)

/**
 * struct model_msg - a message
 * @len: bytes
 * @id: its own
 * @heap: is it on the heap, where it can wait in line?
 * @space: what is allocated for it there
 * @seq: when it was handed over
 */
struct model_msg {
	unsigned int len;
	unsigned int id;
	bool heap;
	unsigned int space;
	unsigned long seq;
};

/**
 * struct model_op - a send or a receive
 * @call: that it is of
 * @ch: the channel
 * @send: or a receive
 * @queued: stands in the queue; its place is that of @ticket
 * @ticket: when it was parked first; 0 before
 * @unseen: can be met again, of which only its owner's next look tells the others
 * @peer: the other side of an offer, or the sender that was taken
 * @status: as of the core
 * @needed: the length that did not fit
 * @room: for a message
 * @no_empty: an empty message is refused
 * @leaving: let it go if the receiver fails
 * @borrowed: the message stays with its sender until it is copied
 * @news: pollers have to be told
 * @msg: to send, or received
 */
struct model_op {
	int call;
	int ch;
	bool send;
	bool queued;
	bool unseen;
	unsigned long ticket;
	int peer;
	int status;
	unsigned int needed;
	unsigned int room;
	bool no_empty;
	bool leaving;
	bool borrowed;
	bool news;
	struct model_msg msg;
};

struct model_call {
	enum model_state state;
	bool multi;
	int chosen;
	unsigned int woken;
};

struct model_channel {
	unsigned int capacity;
	unsigned int state;
	unsigned int cause;
	unsigned int parked_cause;
	struct model_msg line[MODEL_LINE];
	unsigned int nr_msgs;
	unsigned int spare[MODEL_SPARES];
	unsigned int nr_spares;
	unsigned long sent;
	unsigned long received;
};

/**
 * struct model - all channels, and all who use them
 * @channels: by number
 * @calls: first those of one operation
 * @ops: in the same order
 * @clock: ticks whenever the core gives out a number
 * @reject_batch: receivers told in one go
 * @most_spares: kept by a channel
 * @most_inline: the longest message that is kept in a spare one
 */
struct model {
	struct model_channel channels[MODEL_CHANNELS];
	struct model_call calls[MODEL_CALLS];
	struct model_op ops[MODEL_OPS];
	unsigned long clock;
	unsigned int reject_batch;
	unsigned int most_spares;
	unsigned int most_inline;
};

bool model_claimable(const struct model *m, int call);
bool model_claim(struct model *m, int op);
bool model_commit(struct model *m, int op);
int model_next(const struct model *m, int ch, bool send, int op);
unsigned int model_parked(const struct model *m, int ch, bool send, int self);
bool model_readable(const struct model *m, int ch, int self);
bool model_writable(const struct model *m, int ch, int self);

bool model_possible(const struct model *m, int ch, bool send);

enum model_verdict model_send(struct model *m, int op);
enum model_verdict model_recv(struct model *m, int op);
void model_park(struct model *m, int op);
bool model_withdraw_sender(struct model *m, int op);
bool model_withdraw_receiver(struct model *m, int op);
int model_accept(struct model *m, int op);
void model_complete(struct model *m, int sender);
enum model_verdict model_give_back(struct model *m, int sender);
enum model_verdict model_put_back(struct model *m, int ch,
				  const struct model_msg *msg);
int model_leave(struct model *m, int call);
bool model_end(struct model *m, int ch, unsigned int state, unsigned int cause);
bool model_release(struct model *m, int ch, unsigned int batch);
void model_drop(struct model *m, int ch);

#endif /* _CORE_MODEL_H */
