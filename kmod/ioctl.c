// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ioctls whose structures can grow: a request is known by its number, whatever
 * the size of the structure that the program was built with.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/ioctl.h>
#include <linux/minmax.h>
#include <linux/uaccess.h>

#include <linux/chan.h>

#include "ioctl.h"

/* The layout is what programs are built with: it can grow, never change. */
#define ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size))
#define ASSERT_FIELD(type, field, offset) \
	static_assert(offsetof(type, field) == (offset))

ASSERT_SIZE(struct chan_version, 16);
ASSERT_FIELD(struct chan_version, features, 8);
ASSERT_SIZE(struct chan_create, 24);
ASSERT_FIELD(struct chan_create, send_fd, 12);
ASSERT_FIELD(struct chan_create, reserved, 20);
ASSERT_SIZE(struct chan_close, 8);
ASSERT_SIZE(struct chan_info, 64);
ASSERT_FIELD(struct chan_info, buffered, 24);
ASSERT_FIELD(struct chan_info, flags, 44);
ASSERT_FIELD(struct chan_info, received, 56);
ASSERT_SIZE(struct chan_dev_add, 48);
ASSERT_FIELD(struct chan_dev_add, mode, 32);
ASSERT_SIZE(struct chan_dev_remove, 36);
ASSERT_SIZE(struct chan_case, CHAN_CASE_SIZE_VER0);
ASSERT_FIELD(struct chan_case, buf, 16);
ASSERT_FIELD(struct chan_case, pid, 32);
ASSERT_FIELD(struct chan_case, fds, 40);
ASSERT_FIELD(struct chan_case, reserved, 52);
ASSERT_SIZE(struct chan_select, 32);
ASSERT_FIELD(struct chan_select, index, 20);
ASSERT_FIELD(struct chan_select, deadline, 24);
ASSERT_SIZE(struct chan_scope_bind, 8);
ASSERT_SIZE(struct chan_scope_set, 24);
ASSERT_FIELD(struct chan_scope_set, signal, 16);
ASSERT_SIZE(struct chan_scope_cancel, 8);
ASSERT_SIZE(struct chan_scope_wait, 24);
ASSERT_FIELD(struct chan_scope_wait, cause, 16);
ASSERT_SIZE(struct chan_scope_info, 40);
ASSERT_FIELD(struct chan_scope_info, pgid, 16);
ASSERT_FIELD(struct chan_scope_info, channels, 32);
ASSERT_SIZE(struct chan_adopt, 8);

static const struct chan_ioctl *
find_ioctl(unsigned int cmd, const struct chan_ioctl *table, size_t count)
{
	size_t i;

	if (_IOC_TYPE(cmd) != CHAN_IOC_MAGIC)
		return NULL;
	for (i = 0; i < count; i++) {
		if (table[i].nr == _IOC_NR(cmd))
			return &table[i];
	}
	return NULL;
}

/**
 * chan_ioctl_dispatch - carry out an ioctl
 * @file: on which it was called
 * @cmd: the request
 * @arg: pointer to the user's structure
 * @table: the ioctls that this kind of file knows
 * @count: how many there are
 *
 * Return: what the ioctl returns; -ENOTTY for an unknown one; -EINVAL for a
 * structure shorter than its first version, -E2BIG for one with something set
 * that this module does not know.
 */
long chan_ioctl_dispatch(struct file *file, unsigned int cmd, unsigned long arg,
			 const struct chan_ioctl *table, size_t count)
{
	const struct chan_ioctl *ioctl = find_ioctl(cmd, table, count);
	u64 buffer[CHAN_IOCTL_MAX_SIZE / sizeof(u64)];
	struct chan_request req = {
		.file = file,
		.arg = buffer,
		.user = (void __user *)arg,
		.user_size = _IOC_SIZE(cmd),
	};
	int err;

	if (!ioctl)
		return -ENOTTY;
	if (req.user_size < ioctl->min_size)
		return -EINVAL;
	req.size = ioctl->size;
	err = copy_struct_from_user(req.arg, req.size, req.user, req.user_size);
	if (err)
		return err;
	return ioctl->fn(&req);
}

/**
 * chan_ioctl_reply - give the argument back, with its results
 * @req: the request
 *
 * Return: 0 or -EFAULT.
 */
long chan_ioctl_reply(struct chan_request *req)
{
	size_t size = min(req->size, req->user_size);

	return copy_to_user(req->user, req->arg, size) ? -EFAULT : 0;
}

/**
 * chan_ioctl_version - CHAN_IOC_VERSION, the same on every file
 * @req: the request
 *
 * Return: 0 or a negative errno.
 */
long chan_ioctl_version(struct chan_request *req)
{
	struct chan_version *arg = req->arg;

	if (arg->reserved)
		return -EINVAL;
	arg->version = CHAN_VERSION;
	arg->features = CHAN_FEATURE_DEV | CHAN_FEATURE_SELECT |
			CHAN_FEATURE_SCOPE;
	return chan_ioctl_reply(req);
}
