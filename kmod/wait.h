/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A task sleeps until its call has been settled.
 */
#ifndef _CHAN_WAIT_H
#define _CHAN_WAIT_H

#include <linux/types.h>

struct chan_call;
struct poll_wqueues;

/* A deadline: nanoseconds of the monotonic clock, or one of these. */
#define CHAN_NOWAIT	0
#define CHAN_FOREVER	U64_MAX

bool sleep_until(u64 deadline);
int call_wait(struct chan_call *call, u64 deadline, struct poll_wqueues *files);
void call_wait_settled(struct chan_call *call);

#endif /* _CHAN_WAIT_H */
