// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: streams, the stages of one child with one end on either side.
 */
#include <errno.h>

#include "stage.h"

static int source_run(struct stage *stage)
{
	int ret = stage_await_demand(stage);

	if (ret)
		return ret;
	ret = stage->fn.source(stage->out[0], stage->arg);
	return ret == -EPIPE ? 0 : stage_result(ret);
}

CHAN_API int chan_source(struct chan_scope *scope, struct chan_rx *rx,
			 int (*fn)(struct chan_tx tx, void *arg), void *arg,
			 const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.run = source_run,
		.fn.source = fn,
		.arg = arg,
		.links = NO_LINKS,
	};
	int ret;

	rx->fd = -1;
	ret = stage_set(&stage, options);
	return ret ?: stage_open(&stage, rx, stage_spawn);
}

/* A stage that takes messages one by one. */
static int open_plain(struct stage *stage, struct chan_rx *rx,
		      const struct chan_stream_options *options)
{
	int ret;

	stage->in = rx;
	stage->nin = 1;
	ret = stage_set(stage, options);
	return ret ?: stage_open(stage, rx, stage_spawn);
}

static int filter_use(struct stage *stage, size_t len)
{
	int ret = stage->fn.filter(stage->msg, len, stage->arg);

	if (ret > 0)
		return stage_send(stage, stage->msg, len);
	return stage_result(ret);
}

CHAN_API int chan_filter(struct chan_scope *scope, struct chan_rx *rx,
			 int (*fn)(const void *msg, size_t len, void *arg),
			 void *arg, const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.run = stage_use_each,
		.use = filter_use,
		.fn.filter = fn,
		.arg = arg,
		.timeout = CHAN_FOREVER,
		.links = NO_LINKS,
	};

	return open_plain(&stage, rx, options);
}

static int take_use(struct stage *stage, size_t len)
{
	int ret = stage_send(stage, stage->msg, len);

	stage->count--;
	return ret || stage->count ? ret : CHAN_STOP;
}

static int take_run(struct stage *stage)
{
	return stage->count ? stage_use_each(stage) : 0;
}

CHAN_API int chan_take(struct chan_scope *scope, struct chan_rx *rx, uint64_t n,
		       const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.run = take_run,
		.use = take_use,
		.timeout = CHAN_FOREVER,
		.count = n,
		.links = NO_LINKS,
	};

	return open_plain(&stage, rx, options);
}

static int pass_use(struct stage *stage, size_t len)
{
	return stage_send(stage, stage->msg, len);
}

CHAN_API int chan_timeout(struct chan_scope *scope, struct chan_rx *rx,
			  int64_t timeout,
			  const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.run = stage_use_each,
		.use = pass_use,
		.timeout = timeout,
		.links = NO_LINKS,
	};

	return open_plain(&stage, rx, options);
}

/* --- Batches --- */

struct batch {
	size_t used;
	uint64_t count;
	uint64_t deadline;
};

/* The message has been received where it is to stand. */
static void add_to_batch(struct stage *stage, struct batch *batch, size_t len)
{
	struct chan_batch_item item = { .len = len };
	char *at = stage->result + batch->used;

	memcpy(at, &item, sizeof(item));
	memset(at + sizeof(item) + len, 0,
	       CHAN_BATCH_ROOM(len) - sizeof(item) - len);
	batch->used += CHAN_BATCH_ROOM(len);
	if (!batch->count++)
		batch->deadline = chan_deadline(stage->timeout);
}

static bool is_full(const struct stage *stage, const struct batch *batch)
{
	return batch->count == stage->count ||
	       stage->max_out - batch->used < CHAN_BATCH_ROOM(stage->max_in);
}

static int hand_on(struct stage *stage, struct batch *batch)
{
	int ret = 0;

	if (batch->count)
		ret = stage_send(stage, stage->result, batch->used);
	batch->used = 0;
	batch->count = 0;
	return ret;
}

/* 1 to go on. */
static int batch_one(struct stage *stage, struct batch *batch)
{
	uint64_t deadline = batch->count ? batch->deadline :
					   CHAN_SELECT_FOREVER;
	size_t len;
	int ret, sent;

	stage->msg =
		stage->result + batch->used + sizeof(struct chan_batch_item);
	ret = stage_recv(stage, deadline, &len);
	if (ret == STAGE_GONE)
		return ret;
	if (ret > 0) {
		add_to_batch(stage, batch, len);
		if (!is_full(stage, batch))
			return 1;
	}
	sent = hand_on(stage, batch);
	if (sent)
		return sent;
	return ret == STAGE_LATE ? 1 : ret;
}

static int batch_run(struct stage *stage)
{
	struct batch batch = {};
	int ret;

	ret = stage_await_demand(stage);
	if (ret)
		return ret;
	do {
		ret = batch_one(stage, &batch);
	} while (ret > 0);
	return ret;
}

static size_t batch_size(const struct stage *stage)
{
	size_t room = CHAN_BATCH_ROOM(stage->max_in);

	return stage->count < CHAN_MAX_MSG / room ? stage->count * room :
						    CHAN_MAX_MSG;
}

CHAN_API int chan_batch(struct chan_scope *scope, struct chan_rx *rx,
			unsigned int count, int64_t timeout,
			const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.in = rx,
		.nin = 1,
		.run = batch_run,
		.timeout = timeout,
		.count = count,
		.links = NO_LINKS,
	};
	int ret;

	if (!count)
		return -EINVAL;
	ret = stage_set(&stage, options);
	if (ret)
		return ret;
	if (!stage.options.max_msg)
		stage.max_out = batch_size(&stage);
	if (stage.max_out < CHAN_BATCH_ROOM(stage.max_in))
		return -EMSGSIZE;
	return stage_open(&stage, rx, stage_spawn);
}
