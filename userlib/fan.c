// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libchan: streams, from several ends into one and from one to several.
 *
 * Either is one child, which waits for all of its ends in one select.
 */
#include <errno.h>
#include <stdlib.h>

#include "stage.h"

/* How many cases there can be beside the one for the other side. */
#define MOST_ENDS (CHAN_SELECT_MAX - 1)

static void release_all(struct chan_rx *rx, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		chan_rx_release(&rx[i]);
}

/* --- From several --- */

/* All have the same room, of which only the case that happens makes use. */
static int merge_one(struct stage *stage, struct chan_case *cases)
{
	unsigned int i;
	size_t len;
	int ret;

	for (i = 0; i < stage->nin; i++)
		cases[i] =
			chan_case_recv(stage->in[i], stage->msg, stage->max_in);
	cases[i] = chan_case_poll(stage->out[0].fd, 0);
	ret = chan_select_until(cases, stage->nin + 1, 0, CHAN_SELECT_FOREVER,
				NULL);
	if (ret < 0)
		return ret;
	i = ret;
	if (i == stage->nin)
		return STAGE_GONE;
	ret = chan_case_received(&cases[i], &len);
	if (ret > 0)
		return stage_send(stage, stage->msg, len);
	chan_rx_release(&stage->in[i]);
	return ret;
}

static bool has_input(const struct stage *stage)
{
	unsigned int i;

	for (i = 0; i < stage->nin; i++)
		if (stage->in[i].fd >= 0)
			return true;
	return false;
}

static int merge_run(struct stage *stage)
{
	struct chan_case *cases;
	int ret;

	cases = calloc(stage->nin + 1, sizeof(*cases));
	if (!cases)
		return -ENOMEM;
	ret = has_input(stage) ? stage_await_demand(stage) : 0;
	while (!ret && has_input(stage))
		ret = merge_one(stage, cases);
	return ret;
}

CHAN_API int chan_merge(struct chan_scope *scope, struct chan_rx *in,
			unsigned int n, struct chan_rx *rx,
			const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.in = in,
		.nin = n,
		.run = merge_run,
		.links = NO_LINKS,
	};
	struct chan_rx merged = CHAN_RX_INIT;
	int ret;

	if (n > MOST_ENDS)
		ret = -EINVAL;
	else
		ret = stage_set(&stage, options);
	if (!ret)
		ret = stage_open(&stage, &merged, stage_spawn);
	if (!ret)
		release_all(in, n);
	*rx = merged;
	return ret;
}

/* --- To several --- */

/* As stage_recv(), and leaves those out that leave meanwhile. */
static int tee_recv(struct stage *stage, struct chan_case *cases, size_t *len)
{
	unsigned int i;
	int ret;

	do {
		cases[0] =
			chan_case_recv(stage->in[0], stage->msg, stage->max_in);
		for (i = 0; i < stage->nout; i++)
			cases[i + 1] = chan_case_poll(stage->out[i].fd, 0);
		ret = chan_select_until(cases, stage->nout + 1, 0,
					CHAN_SELECT_FOREVER, NULL);
		if (!ret)
			return chan_case_received(&cases[0], len);
		if (ret > 0)
			ret = stage_leave_out(stage, ret - 1);
	} while (!ret);
	return ret;
}

/* A case whose message was sent is one that does not happen again. */
static int tee_send(struct stage *stage, struct chan_case *cases, size_t len)
{
	unsigned int i, left = 0;
	int ret;

	for (i = 0; i < stage->nout; i++) {
		cases[i] = chan_case_send(stage->out[i], stage->msg, len);
		left += cases[i].fd >= 0;
	}
	for (; left; left--) {
		ret = chan_select_until(cases, stage->nout, 0,
					CHAN_SELECT_FOREVER, NULL);
		if (ret < 0)
			return ret;
		i = ret;
		if (cases[i].status && stage_leave_out(stage, i))
			return STAGE_GONE;
		cases[i] = chan_case_none();
	}
	return 0;
}

static int tee_run(struct stage *stage)
{
	struct chan_case *cases;
	size_t len;
	int ret;

	cases = calloc(stage->nout + 1, sizeof(*cases));
	if (!cases)
		return -ENOMEM;
	ret = stage_await_demand(stage);
	while (!ret) {
		ret = tee_recv(stage, cases, &len);
		if (ret <= 0)
			break;
		ret = tee_send(stage, cases, len);
	}
	return ret;
}

static int make_outs(struct stage *stage, struct chan_rx *out)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < stage->nout && !ret; i++)
		ret = chan_scope_pair(stage->scope, stage->options.capacity,
				      stage->max_out, 0, &stage->out[i],
				      &out[i]);
	return ret;
}

static int open_tee(struct stage *stage, struct chan_rx *out)
{
	unsigned int i;
	int ret;

	for (i = 0; i < stage->nout; i++)
		stage->out[i].fd = -1;
	ret = make_outs(stage, out);
	if (!ret)
		ret = stage_spawn(stage);
	for (i = 0; i < stage->nout; i++)
		chan_tx_release(&stage->out[i]);
	if (ret)
		release_all(out, stage->nout);
	return ret;
}

CHAN_API int chan_tee(struct chan_scope *scope, struct chan_rx *rx,
		      struct chan_rx *out, unsigned int n,
		      const struct chan_stream_options *options)
{
	struct stage stage = {
		.scope = scope,
		.in = rx,
		.nin = 1,
		.nout = n,
		.run = tee_run,
		.links = NO_LINKS,
	};
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++)
		out[i].fd = -1;
	if (!n || n > MOST_ENDS)
		return -EINVAL;
	ret = stage_set(&stage, options);
	if (ret)
		return ret;
	stage.out = sys_calloc(n, sizeof(*stage.out));
	if (!stage.out)
		return -ENOMEM;
	ret = open_tee(&stage, out);
	if (!ret)
		chan_rx_release(rx);
	free(stage.out);
	return ret;
}
