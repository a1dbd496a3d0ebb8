/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that this module builds for, each with
 * the release that made it.  Nothing else looks at LINUX_VERSION_CODE.
 */
#ifndef _CHAN_COMPAT_H
#define _CHAN_COMPAT_H

#include <linux/device/class.h>
#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/version.h>

/* 6.4: class_create() finds the owner by itself. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define compat_class_create(name)	class_create(THIS_MODULE, name)
#else
#define compat_class_create(name)	class_create(name)
#endif

/* 6.2: class->devnode() may not change the device. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define COMPAT_DEVNODE_CONST
#else
#define COMPAT_DEVNODE_CONST		const
#endif

/* 6.9: the attribute has a name. */
#ifndef __uninitialized
#define __uninitialized		__attribute__((uninitialized))
#endif

/* 6.12: struct fd is opaque. */
#ifndef fd_file
#define fd_file(f)		((f).file)
#define EMPTY_FD		((struct fd){})
#define compat_borrowed_fd(f)	((struct fd){ .file = (f) })
#define compat_fd_held(fd)	((fd).flags & FDPUT_FPUT)
#else
#define compat_borrowed_fd(f)	BORROWED_FD(f)
#define compat_fd_held(fd)	((fd).word & FDPUT_FPUT)
#endif

/*
 * Does a process have a timer that may send it a signal?  Between 6.1 and 6.12
 * its list of timers has become a hlist.  In both the first word is the first of
 * them; if there is none, that is the list itself, or %NULL.
 */
static inline bool compat_timer_armed(struct signal_struct *signal)
{
#ifdef CONFIG_POSIX_TIMERS
	const void *list = &signal->posix_timers;
	const void *first = READ_ONCE(*(void *const *)list);

	return hrtimer_active(&signal->real_timer) || (first && first != list);
#else
	return false;
#endif
}

#endif /* _CHAN_COMPAT_H */
