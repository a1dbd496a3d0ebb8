/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the core needs of the kernel beyond tools/include, for one thread.
 */
#ifndef _CORE_LINUX_SCHED_H
#define _CORE_LINUX_SCHED_H

#include <asm/barrier.h>
#include <linux/compiler.h>

#define ERESTARTSYS	512

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#endif

#define atomic_set_release(v, i)	atomic_set(v, i)
#define atomic_read_acquire(v)		atomic_read(v)

/**
 * struct task_struct - one that can be woken
 * @woken: how often it was
 * @refs: references held to it
 */
struct task_struct {
	int woken;
	int refs;
};

static inline void wake_up_process(struct task_struct *task)
{
	task->woken++;
}

static inline void get_task_struct(struct task_struct *task)
{
	task->refs++;
}

static inline void put_task_struct(struct task_struct *task)
{
	task->refs--;
}

#endif /* _CORE_LINUX_SCHED_H */
