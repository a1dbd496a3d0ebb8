/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An end: an open file on a channel.
 */
#ifndef _CHAN_END_H
#define _CHAN_END_H

struct channel;
struct file;

struct file *end_create(struct channel *ch, int flags);
void end_open(struct channel *ch, struct file *file);

#endif /* _CHAN_END_H */
