/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libchan know of a stage of a stream.
 *
 * DOC: Stages are processes
 *
 * A stage is a child of the scope, and not a thread of the caller, because a child
 * is what the scope can end: it is sent the signal and is killed, it goes with the
 * owner however that dies, and what it forks goes with it.  A thread that is in a
 * function of the user could not be ended at all.  It also makes a stage that
 * crashes a child that has failed, and not the end of the program.
 *
 * DOC: Who keeps an end
 *
 * A channel ends when its last end is gone, and fork() copies all.  So each stage
 * closes all ends that are not its own: else it would keep the sender of its own
 * input, or the receiver that its neighbours wait to lose.  To be safe also from a
 * fork() by another thread, who ends a stream does not rely on the last end going,
 * but closes the channel.
 */
#ifndef _LIBCHAN_STAGE_H
#define _LIBCHAN_STAGE_H

#include <limits.h>
#include <stdbool.h>

#include "internal.h"

/* What a stage is told beside errors: nobody receives any more ... */
#define STAGE_GONE	INT_MIN
/* ... or the time that it gave itself is over. */
#define STAGE_LATE	(INT_MIN + 1)

struct crew;

/**
 * struct stage - a stage that is made, and then runs in children
 * @scope: where.
 * @options: what it is to be like.
 * @in: the ends that it receives on.
 * @nin: how many these are.
 * @out: those that it sends on; negative when nobody receives there any more.
 * @nout: how many these are.
 * @max_in: the longest message that comes in.
 * @max_out: the longest one that goes out.
 * @msg: room for one that comes in; from here on it is the child's.
 * @result: room for one that goes out, where these are others.
 * @run: what the child does.  0 at the end, or a negative error number.
 * @use: what it does with a message; 0 to go on, or CHAN_STOP.
 * @fn: what the user wants with it.
 * @arg: what that is handed.
 * @timeout: how long to wait for the next message.
 * @count: messages in a batch, or those that are left to take.
 * @crew: what several workers share, or NULL.
 * @links: ends between workers, negative where there is none.
 */
struct stage {
	struct chan_scope *scope;
	struct chan_stream_options options;
	struct chan_rx *in;
	unsigned int nin;
	struct chan_tx *out;
	unsigned int nout;
	size_t max_in;
	size_t max_out;
	char *msg;
	char *result;
	int (*run)(struct stage *stage);
	int (*use)(struct stage *stage, size_t len);
	union {
		int (*source)(struct chan_tx tx, void *arg);
		int (*map)(const void *msg, size_t len, void *out,
			   size_t *out_len, void *arg);
		int (*filter)(const void *msg, size_t len, void *arg);
	} fn;
	void *arg;
	int64_t timeout;
	uint64_t count;
	struct crew *crew;
	int links[4];
};

#define NO_LINKS	{ -1, -1, -1, -1 }

/*
 * In the parent.  First the options, and the longest message of all that come in;
 * then make the stage: what comes out of it takes the place of @rx.  @start makes
 * the children, such as the only one.
 */
int stage_set(struct stage *stage, const struct chan_stream_options *options);
int stage_open(struct stage *stage, struct chan_rx *rx,
	       int (*start)(struct stage *stage));
int stage_spawn(struct stage *stage);

/* In a child. */
int stage_await_demand(struct stage *stage);
/* Nobody receives there any more; STAGE_GONE if that was the last. */
int stage_leave_out(struct stage *stage, unsigned int i);
/* 1 for a message, 0 at the end, STAGE_GONE, STAGE_LATE or an error. */
int stage_recv(struct stage *stage, uint64_t deadline, size_t *len);
int stage_send(struct stage *stage, const void *msg, size_t len);
/* Wait for demand, and then use message after message. */
int stage_use_each(struct stage *stage);
/* What a function of the user has returned: 0, or an error that there is. */
int stage_result(int ret);
/* The results are over, because of @ret. */
void stage_close(struct stage *stage, int ret);

/*
 * One of several workers is done, because of *@ret.  True for the last of them,
 * with the first error of all.
 */
bool crew_leave(struct crew *crew, int *ret);

#endif /* _LIBCHAN_STAGE_H */
