// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: streams, a function on each message, with several workers.
 *
 * DOC: In any order
 *
 * The workers receive from one end and send on another, and the channels share
 * the work out.  None begins before all are there, since a stage that cannot be
 * made must not have taken anything.  They share a page, in which the last of them
 * sees that it is the last, and ends the stream: an error that came in is then
 * behind all results.
 *
 * DOC: In order
 *
 * The workers stand in a ring, in which two tokens go round: who has the first may
 * receive, who has the second may send.  A worker hands the first one on when it
 * has received, works, and waits for the second.  So messages are received in the
 * order of the ring and sent in the same order, whoever is faster, and need no
 * numbers.  A token is a message in a buffer of one; when it comes no more since its
 * channel has ended, all is over.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "stage.h"

static int call_map(struct stage *stage, size_t len, size_t *result_len)
{
	int ret;

	*result_len = stage->max_out;
	ret = stage->fn.map(stage->msg, len, stage->result, result_len,
			    stage->arg);
	if (!ret && *result_len > stage->max_out)
		return -EMSGSIZE;
	return stage_result(ret);
}

/* --- In any order --- */

struct crew {
	bool complete;
	unsigned int left;
	int ret;
};

bool crew_leave(struct crew *crew, int *ret)
{
	int none = 0;

	if (*ret)
		__atomic_compare_exchange_n(&crew->ret, &none, *ret, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	if (__atomic_sub_fetch(&crew->left, 1, __ATOMIC_ACQ_REL))
		return false;
	*ret = __atomic_load_n(&crew->ret, __ATOMIC_ACQUIRE);
	return true;
}

static int map_use(struct stage *stage, size_t len)
{
	int ret = call_map(stage, len, &len);

	if (!ret)
		return stage_send(stage, stage->result, len);
	/* For the others, too. */
	stage_close(stage, ret);
	return STAGE_GONE;
}

/* In links[0] there never is a message: it ends when all are there, or go. */
static int map_run(struct stage *stage)
{
	struct chan_rx begin = { stage->links[0] };
	size_t len;
	char none;
	int ret;

	if (stage->crew) {
		ret = chan_recv(begin, &none, sizeof(none), &len);
		if (ret || !stage->crew->complete)
			return STAGE_GONE;
	}
	return stage_use_each(stage);
}

static int spawn_workers(struct stage *stage, struct chan_tx begin)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < stage->count && !ret; i++)
		ret = stage_spawn(stage);
	stage->crew->complete = !ret;
	chan_close(begin, 0);
	return ret;
}

static int start_crew(struct stage *stage)
{
	struct chan_tx begin;
	struct chan_rx begin_rx;
	int ret;

	ret = chan_scope_pair(stage->scope, 0, 1, 0, &begin, &begin_rx);
	if (ret)
		return ret;
	stage->links[0] = begin_rx.fd;
	ret = spawn_workers(stage, begin);
	chan_tx_release(&begin);
	chan_rx_release(&begin_rx);
	return ret;
}

static int start_map(struct stage *stage)
{
	struct crew *crew;
	int ret;

	if (stage->count == 1)
		return stage_spawn(stage);
	crew = mmap(NULL, sizeof(*crew), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crew == MAP_FAILED)
		return -ENOMEM;
	crew->left = stage->count;
	stage->crew = crew;
	ret = start_crew(stage);
	munmap(crew, sizeof(*crew));
	return ret;
}

/* --- In order --- */

/* Of a worker: where the tokens come from, and where they go. */
enum { RECV_TURN, SEND_TURN, NEXT_RECV, NEXT_SEND };

/* 1 with the token, or what stage_recv() returns at other ends. */
static int take_turn(struct stage *stage, unsigned int link)
{
	struct chan_rx turn = { stage->links[link] };
	char token;
	struct chan_case cases[] = {
		chan_case_recv(turn, &token, sizeof(token)),
		chan_case_poll(stage->out[0].fd, 0),
	};
	size_t len;
	int chosen;

	chosen = chan_select_until(cases, 2, 0, CHAN_SELECT_FOREVER, NULL);
	if (chosen < 0)
		return chosen;
	return chosen ? STAGE_GONE : chan_case_received(&cases[0], &len);
}

static int pass_turn(struct stage *stage, unsigned int link)
{
	struct chan_tx next = { stage->links[link] };

	return chan_send(next, "", 1);
}

/* The worker has the token to receive.  1 with a result, which may be none. */
static int work(struct stage *stage, size_t *result_len)
{
	size_t len;
	int ret;

	ret = stage_recv(stage, CHAN_SELECT_FOREVER, &len);
	if (ret <= 0)
		return ret;
	ret = pass_turn(stage, NEXT_RECV);
	return ret ?: call_map(stage, len, result_len) ?: 1;
}

/* 0 to go round again; STAGE_GONE when somebody else has ended the stream. */
static int go_round(struct stage *stage)
{
	size_t len;
	int ret, turn;

	turn = take_turn(stage, RECV_TURN);
	if (turn <= 0)
		return STAGE_GONE;
	ret = work(stage, &len);
	turn = take_turn(stage, SEND_TURN);
	if (turn <= 0)
		return STAGE_GONE;
	if (ret <= 0) {
		stage_close(stage, ret);
		return STAGE_GONE;
	}
	ret = stage_send(stage, stage->result, len);
	return ret ?: pass_turn(stage, NEXT_SEND);
}

static void break_ring(const struct stage *stage)
{
	struct chan_tx next_recv = { stage->links[NEXT_RECV] };
	struct chan_tx next_send = { stage->links[NEXT_SEND] };

	chan_close(next_recv, 0);
	chan_close(next_send, 0);
}

/*
 * Who ends the stream closes it in its turn.  One who leaves because its neighbour
 * has gone must not, since another may have its turn before.
 */
static int ordered_run(struct stage *stage)
{
	int ret;

	ret = stage_await_demand(stage);
	if (ret)
		stage_close(stage, ret);
	while (!ret)
		ret = go_round(stage);
	break_ring(stage);
	stage->nout = 0;
	return ret;
}

/* The channel of a token before each worker. */
struct turn {
	struct chan_tx tx;
	struct chan_rx rx;
};

static void drop_turns(struct turn *turns, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		chan_tx_release(&turns[i].tx);
		chan_rx_release(&turns[i].rx);
	}
	free(turns);
}

/* First those to receive, then those to send. */
static struct turn *make_turns(const struct stage *stage, int *error)
{
	size_t i, n = 2 * (size_t)stage->count;
	struct turn *turns;

	turns = sys_calloc(n, sizeof(*turns));
	*error = turns ? 0 : -ENOMEM;
	for (i = 0; i < n && !*error; i++)
		*error = chan_scope_pair(stage->scope, 1, 1, 0, &turns[i].tx,
					 &turns[i].rx);
	if (*error && turns) {
		drop_turns(turns, i);
		return NULL;
	}
	return turns;
}

static int spawn_ring(struct stage *stage, const struct turn *recv_turns,
		      const struct turn *send_turns)
{
	unsigned int i, next;
	int ret = 0;

	for (i = 0; i < stage->count && !ret; i++) {
		next = (i + 1) % stage->count;
		stage->links[RECV_TURN] = recv_turns[i].rx.fd;
		stage->links[SEND_TURN] = send_turns[i].rx.fd;
		stage->links[NEXT_RECV] = recv_turns[next].tx.fd;
		stage->links[NEXT_SEND] = send_turns[next].tx.fd;
		ret = stage_spawn(stage);
	}
	return ret;
}

/* If not all can be made, those that are see that no token is to come. */
static int start_ring(struct stage *stage)
{
	size_t n = stage->count;
	struct turn *turns;
	int ret;

	turns = make_turns(stage, &ret);
	if (!turns)
		return ret;
	ret = spawn_ring(stage, turns, turns + n);
	if (!ret)
		ret = chan_send(turns[n].tx, "", 1);
	if (!ret)
		ret = chan_send(turns[0].tx, "", 1);
	drop_turns(turns, 2 * n);
	return ret;
}

/* --- Both --- */

static int open_map(struct stage *stage, unsigned int workers,
		    const struct chan_stream_options *options,
		    int (*start)(struct stage *stage))
{
	int ret;

	if (!workers)
		return -EINVAL;
	stage->nin = 1;
	stage->use = map_use;
	stage->timeout = CHAN_FOREVER;
	stage->count = workers;
	ret = stage_set(stage, options);
	return ret ?: stage_open(stage, stage->in, start);
}

CHAN_API int chan_map(struct chan_scope *scope, struct chan_rx *rx,
		      unsigned int workers,
		      int (*fn)(const void *msg, size_t len, void *out,
				size_t *out_len, void *arg),
		      void *arg, const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.in = rx,
		.run = map_run,
		.fn.map = fn,
		.arg = arg,
		.links = NO_LINKS,
	};

	return open_map(&stage, workers, options, start_map);
}

CHAN_API int chan_map_ordered(struct chan_scope *scope, struct chan_rx *rx,
			      unsigned int workers,
			      int (*fn)(const void *msg, size_t len, void *out,
					size_t *out_len, void *arg),
			      void *arg,
			      const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.in = rx,
		.run = workers == 1 ? map_run : ordered_run,
		.fn.map = fn,
		.arg = arg,
		.links = NO_LINKS,
	};

	return open_map(&stage, workers, options,
			workers == 1 ? stage_spawn : start_ring);
}
