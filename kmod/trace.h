/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints chan:*
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM chan

#if !defined(_CHAN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _CHAN_TRACE_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

#include "channel.h"

DECLARE_EVENT_CLASS(chan_transfer,
	TP_PROTO(const struct channel *ch, long len, long ret),
	TP_ARGS(ch, len, ret),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(long, len)
		__field(long, ret)
	),
	TP_fast_assign(
		__entry->id = ch->id;
		__entry->len = len;
		__entry->ret = ret;
	),
	TP_printk("id=%llu len=%ld ret=%ld", __entry->id, __entry->len,
		  __entry->ret)
);

/* A send has returned: @len bytes, @ret 0 or a negative errno. */
DEFINE_EVENT(chan_transfer, chan_send,
	TP_PROTO(const struct channel *ch, long len, long ret),
	TP_ARGS(ch, len, ret)
);

/* A receive has returned: room for @len bytes, @ret as of read(). */
DEFINE_EVENT(chan_transfer, chan_recv,
	TP_PROTO(const struct channel *ch, long len, long ret),
	TP_ARGS(ch, len, ret)
);

/* The current task goes to sleep until a partner comes. */
TRACE_EVENT(chan_park,
	TP_PROTO(const struct channel *ch, bool send),
	TP_ARGS(ch, send),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(bool, send)
	),
	TP_fast_assign(
		__entry->id = ch->id;
		__entry->send = send;
	),
	TP_printk("id=%llu %s", __entry->id, __entry->send ? "send" : "recv")
);

/* The current task wakes its partner. */
TRACE_EVENT(chan_wake,
	TP_PROTO(const struct channel *ch, const struct task_struct *task),
	TP_ARGS(ch, task),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(pid_t, pid)
	),
	TP_fast_assign(
		__entry->id = ch->id;
		__entry->pid = task->pid;
	),
	TP_printk("id=%llu pid=%d", __entry->id, __entry->pid)
);

/* The channel has ended. */
TRACE_EVENT(chan_close,
	TP_PROTO(const struct channel *ch, u32 state, u32 cause),
	TP_ARGS(ch, state, cause),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, state)
		__field(u32, cause)
	),
	TP_fast_assign(
		__entry->id = ch->id;
		__entry->state = state;
		__entry->cause = cause;
	),
	TP_printk("id=%llu state=%s cause=%u", __entry->id,
		  __print_symbolic(__entry->state, { 1, "closed" },
				   { 2, "failed" }, { 3, "broken" },
				   { 4, "canceled" }, { 5, "removed" }),
		  __entry->cause)
);

#endif /* _CHAN_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
