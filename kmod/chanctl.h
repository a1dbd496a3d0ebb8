/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/chanctl
 */
#ifndef _CHAN_CHANCTL_H
#define _CHAN_CHANCTL_H

#include <linux/fs.h>

struct chan_scope;

extern const struct file_operations chanctl_fops;

/* The scope that a file is, for as long as the file is held; or %NULL. */
static inline struct chan_scope *chanctl_scope(const struct file *file)
{
	return file->f_op == &chanctl_fops ? file->private_data : NULL;
}

int chanctl_init(void);
void chanctl_exit(void);

#endif /* _CHAN_CHANCTL_H */
