/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel, as far as the files of the module see it that are compiled into
 * threads.c: tasks are threads, spinlocks are mutexes.  Lists and types are those
 * of tools/include.
 *
 * Atomics have the order that the kernel gives them, and no more than that is
 * told to ThreadSanitizer: a marked access orders nothing, and to be woken does
 * not either.  What the processor does is at least what the kernel promises.
 */
#ifndef _CORE_KERNEL_H
#define _CORE_KERNEL_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <linux/compiler.h>

#undef READ_ONCE
#undef WRITE_ONCE
#define READ_ONCE(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v)	__atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

#include <linux/err.h>
#include <linux/list.h>
#include <linux/types.h>

#undef noinline
#define noinline	__attribute__((noinline))
#define __releases(x)
#define __acquires(x)
#define U32_MAX		UINT32_MAX
#define U64_MAX		UINT64_MAX
#define ERESTARTSYS	512
#define PAGE_SIZE	4096
#define TASK_COMM_LEN	16
#define swap(a, b)							\
	do { typeof(a) __tmp = (a); (a) = (b); (b) = __tmp; } while (0)
#define offsetofend(type, member)					\
	(offsetof(type, member) + sizeof(((type *)0)->member))
#define reciprocal_scale(value, below)	((u32)(((u64)(value) * (below)) >> 32))
#define KERNEL_VERSION(a, b, c)	(((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE	KERNEL_VERSION(6, 12, 0)

/* --- Barriers and atomics --- */

#define smp_mb()	__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_wmb()	__atomic_thread_fence(__ATOMIC_RELEASE)
#define smp_rmb()	__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_store_mb(x, v)	do { WRITE_ONCE(x, v); smp_mb(); } while (0)

typedef struct { s64 counter; } atomic64_t;
typedef struct { atomic_t refs; } refcount_t;

#define atomic_read(v)		READ_ONCE((v)->counter)
#define atomic_set(v, i)	WRITE_ONCE((v)->counter, i)
#define atomic_read_acquire(v)	smp_load_acquire(&(v)->counter)
#define atomic_set_release(v, i)	smp_store_release(&(v)->counter, i)
#define atomic64_inc_return(v)	__atomic_add_fetch(&(v)->counter, 1, __ATOMIC_SEQ_CST)

/* Fully ordered if it succeeds, not at all if it fails. */
static inline int atomic_cmpxchg(atomic_t *v, int old, int new)
{
	__atomic_compare_exchange_n(&v->counter, &old, new, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return old;
}

/* --- Locks --- */

typedef struct { pthread_mutex_t mutex; } spinlock_t;

struct mutex {
	pthread_mutex_t mutex;
};

#define SINGLE_DEPTH_NESTING	1
#define spin_lock_init(l)	pthread_mutex_init(&(l)->mutex, NULL)
#define spin_lock_nested(l, n)	spin_lock(l)
#define mutex_lock(l)		pthread_mutex_lock(&(l)->mutex)
#define mutex_unlock(l)		pthread_mutex_unlock(&(l)->mutex)

static inline void spin_lock(spinlock_t *lock)
{
	pthread_mutex_lock(&lock->mutex);
}

static inline void spin_unlock(spinlock_t *lock)
{
	pthread_mutex_unlock(&lock->mutex);
}

/* --- Tasks: see threads.c --- */

enum {
	TASK_RUNNING = 0,
	TASK_INTERRUPTIBLE = 1,
	TASK_UNINTERRUPTIBLE = 2,
	TASK_NORMAL = 3,
};

/**
 * struct task_struct - a thread
 * @state: what it sleeps in, for futex(2)
 * @signal: one is pending
 * @fatal: so is a kill
 * @refs: held by others
 * @nr: its number
 * @timer_slack_ns: not used
 * @files: not used
 * @comm: not used
 */
struct task_struct {
	int state;
	bool signal;
	bool fatal;
	int refs;
	int nr;
	u64 timer_slack_ns;
	const void *files;
	char comm[TASK_COMM_LEN];
};

extern __thread struct task_struct *current;

void schedule(void);
void wake_up_process(struct task_struct *task);

static inline void set_current_state(int state)
{
	WRITE_ONCE(current->state, state);
	smp_mb();
}

#define __set_current_state(s)	WRITE_ONCE(current->state, s)
#define signal_pending(t)	(READ_ONCE((t)->signal) || READ_ONCE((t)->fatal))
#define fatal_signal_pending(t)	READ_ONCE((t)->fatal)
#define get_task_struct(t)	((void)__atomic_add_fetch(&(t)->refs, 1, __ATOMIC_RELAXED))
#define put_task_struct(t)	((void)__atomic_sub_fetch(&(t)->refs, 1, __ATOMIC_RELAXED))
#define task_tgid_nr(t)		((t)->nr)
#define task_pid_nr(t)		((t)->nr)
#define task_pgrp(t)		((struct pid *)NULL)
#define rt_task(t)		false
#define cond_resched()		((void)0)

typedef s64 ktime_t;

#define KTIME_MAX		INT64_MAX
#define HRTIMER_MODE_ABS	0
#define ns_to_ktime(ns)		((ktime_t)(ns))
#define jiffies			((unsigned long)READ_ONCE(core_jiffies))
#define jiffies_to_msecs(j)	((unsigned int)(j))

extern unsigned long core_jiffies;

int schedule_hrtimeout_range(ktime_t *expires, u64 slack, int mode);

typedef struct { u32 val; } kuid_t;

#define current_uid()		((kuid_t){ 0 })
#define __kuid_val(uid)		((uid).val)

/* --- Memory of the kernel and of the user, which is the same here --- */

#define GFP_KERNEL_ACCOUNT	0
#define __GFP_RETRY_MAYFAIL	0
#define __GFP_NOWARN		0
#define SLAB_ACCOUNT		0
#define kzalloc(size, gfp)	calloc(1, size)
#define array_size(n, size)	((n) * (size))
#define kfree(p)		free(p)
#define kvfree(p)		free(p)
#define kmem_cache_create(name, size, align, flags, ctor)		\
	((struct kmem_cache *)(size_t)(size))
#define kmem_cache_destroy(cache)	((void)(cache))
#define kmem_cache_alloc(cache, gfp)	malloc((size_t)(cache))
#define kmem_cache_free(cache, p)	free(p)
#define pagefault_disable()	((void)0)
#define pagefault_enable()	((void)0)
#define u64_to_user_ptr(x)	((void *)(uintptr_t)(x))
#define put_user(x, p)		(*(p) = (x), 0)
#define user_access_begin(p, n)	true
#define user_access_end()	((void)0)
#define unsafe_get_user(x, p, label)	do { if (0) goto label; (x) = *(p); } while (0)
#define unsafe_put_user(x, p, label)	do { if (0) goto label; *(p) = (x); } while (0)

#define DEFINE_PER_CPU(type, name)	__thread type name
#define this_cpu_read(x)	(x)
#define this_cpu_write(x, v)	((x) = (v))

/* --- What the headers mention, and nothing here uses --- */

typedef unsigned int fmode_t;
typedef unsigned int __poll_t;
typedef struct wait_queue_head { int unused; } wait_queue_head_t;
typedef struct poll_table_struct {
	void *_qproc;
	__poll_t _key;
} poll_table;

struct poll_wqueues {
	poll_table pt;
	int triggered;
	int error;
};

struct signal_struct;
struct delayed_work { int unused; };
struct rcu_head { int unused; };
struct kref { int refs; };
struct file_operations { int unused; };

struct file {
	const struct file_operations *f_op;
	void *private_data;
	fmode_t f_mode;
};

struct fd {
	struct file *file;
};

#define fd_file(f)		((f).file)
#define fdput(f)		((void)(f))
#define FMODE_READ		1
#define FMODE_WRITE		2
#define EPOLLIN			0x001
#define EPOLLOUT		0x004
#define EPOLLERR		0x008
#define EPOLLHUP		0x010
#define EPOLLRDNORM		0x040
#define EPOLLWRNORM		0x100
#define waitqueue_active(q)	false
#define init_waitqueue_head(q)	((void)(q))
#define wake_up_interruptible_poll(q, mask)	((void)(q))
#define __wake_up(q, mode, nr, key)	((void)(q))
#define poll_to_key(mask)	((void *)(uintptr_t)(mask))
#define poll_wait(file, q, wait)	((void)(wait))
#define poll_initwait(files)	((void)(files))
#define poll_freewait(files)	((void)(files))
#define vfs_poll(file, wait)	0
#define rcu_read_lock()		((void)0)
#define rcu_read_unlock()	((void)0)
#define kref_init(k)		((k)->refs = 1)
#define kref_get(k)		((k)->refs++)
#define kref_put_mutex(k, release, lock)				\
	do { mutex_lock(lock); if (!--(k)->refs) (release)(k); else mutex_unlock(lock); } while (0)
#define seq_printf(m, ...)	((void)(m))
#define seq_puts(m, s)		((void)(m))

/* Tracepoints are functions that do nothing. */
#define TP_PROTO(...)		__VA_ARGS__
#define TP_ARGS(...)
#define DECLARE_EVENT_CLASS(...)
#define TRACE_EVENT(name, proto, ...)					\
	static inline void trace_##name(proto) {}			\
	static inline bool trace_##name##_enabled(void) { return false; }
#define DEFINE_EVENT(class, name, proto, args)	TRACE_EVENT(name, TP_PROTO(proto), args)

#endif /* _CORE_KERNEL_H */
