/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An end: an open file on a channel.
 */
#ifndef _CHAN_END_H
#define _CHAN_END_H

#include <linux/fs.h>

struct channel;

struct file *end_create(struct channel *ch, int flags);
void end_open(struct channel *ch, struct file *file);

extern const struct file_operations end_fops;

/*
 * The channel that a file is an end of, for as long as the file is held; %NULL if
 * it is not an end.
 */
static inline struct channel *end_channel(const struct file *file)
{
	return file->f_op == &end_fops ? file->private_data : NULL;
}

#endif /* _CHAN_END_H */
