/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that this module builds for, each with
 * the release that made it.  Nothing else looks at LINUX_VERSION_CODE.
 */
#ifndef _CHAN_COMPAT_H
#define _CHAN_COMPAT_H

#include <linux/device/class.h>
#include <linux/module.h>
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

#endif /* _CHAN_COMPAT_H */
