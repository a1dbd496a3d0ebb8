/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints chan:*
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM chan

#if !defined(_CHAN_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _CHAN_TRACE_H

#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

#include "channel.h"
#include "scope.h"

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

/* A select has returned: case @index of @ncases, @ret 0 or a negative errno. */
TRACE_EVENT(chan_select,
	TP_PROTO(u32 ncases, u32 index, int ret),
	TP_ARGS(ncases, index, ret),
	TP_STRUCT__entry(
		__field(u32, ncases)
		__field(s32, index)
		__field(int, ret)
	),
	TP_fast_assign(
		__entry->ncases = ncases;
		__entry->index = index;
		__entry->ret = ret;
	),
	TP_printk("ncases=%u index=%d ret=%d", __entry->ncases,
		  __entry->index, __entry->ret)
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

/* A process group is bound to a scope. */
TRACE_EVENT(chan_scope_bind,
	TP_PROTO(const struct chan_scope *scope),
	TP_ARGS(scope),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u64, parent)
		__field(pid_t, pgid)
	),
	TP_fast_assign(
		__entry->id = scope->id;
		__entry->parent = scope->parent->id;
		__entry->pgid = pid_nr(scope->pgrp);
	),
	TP_printk("id=%llu parent=%llu pgid=%d", __entry->id, __entry->parent,
		  __entry->pgid)
);

/* A scope is cancelled. */
TRACE_EVENT(chan_scope_cancel,
	TP_PROTO(const struct chan_scope *scope),
	TP_ARGS(scope),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, cause)
	),
	TP_fast_assign(
		__entry->id = scope->id;
		__entry->cause = scope->cause;
	),
	TP_printk("id=%llu cause=%u", __entry->id, __entry->cause)
);

/* A scope that was bound has lost its file and its last member. */
TRACE_EVENT(chan_scope_end,
	TP_PROTO(const struct chan_scope *scope),
	TP_ARGS(scope),
	TP_STRUCT__entry(
		__field(u64, id)
	),
	TP_fast_assign(
		__entry->id = scope->id;
	),
	TP_printk("id=%llu", __entry->id)
);

#endif /* _CHAN_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
