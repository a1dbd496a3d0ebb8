/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ioctls whose structures can grow.
 */
#ifndef _CHAN_IOCTL_H
#define _CHAN_IOCTL_H

#include <linux/stddef.h>
#include <linux/types.h>

struct file;

/**
 * struct chan_request - one ioctl under way
 * @file: on which it was called
 * @arg: the argument as this module knows it, zero where the user's is shorter
 * @size: of @arg
 * @user: the user's
 * @user_size: of the user's
 */
struct chan_request {
	struct file *file;
	void *arg;
	size_t size;
	void __user *user;
	size_t user_size;
};

/**
 * struct chan_ioctl - one ioctl that a kind of file knows
 * @nr: its number
 * @min_size: size of the first version of its structure
 * @size: size of the structure as this module knows it
 * @fn: carries it out
 */
struct chan_ioctl {
	unsigned int nr;
	unsigned int min_size;
	unsigned int size;
	long (*fn)(struct chan_request *req);
};

/* @last is the last field of the first version of the structure. */
#define CHAN_IOCTL(cmd, type, last, func)				\
	{								\
		.nr = _IOC_NR(cmd),					\
		.min_size = offsetofend(type, last),			\
		.size = sizeof(type) + BUILD_BUG_ON_ZERO(sizeof(type) >	\
						CHAN_IOCTL_MAX_SIZE),	\
		.fn = func,						\
	}

/* Room for the largest of the structures. */
#define CHAN_IOCTL_MAX_SIZE	64

long chan_ioctl_dispatch(struct file *file, unsigned int cmd, unsigned long arg,
			 const struct chan_ioctl *table, size_t count);
long chan_ioctl_reply(struct chan_request *req);
long chan_ioctl_version(struct chan_request *req);

#endif /* _CHAN_IOCTL_H */
