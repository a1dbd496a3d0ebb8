/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Process groups: who is in one, and signals to it.
 */
#ifndef _CHAN_GROUP_H
#define _CHAN_GROUP_H

#include <linux/types.h>

struct cred;
struct pid;
struct seq_file;
struct task_struct;

/**
 * struct group_census - the live processes of a group
 * @live: how many
 * @dying: how many have begun to go, and their parents have not been told yet
 */
struct group_census {
	u32 live;
	u32 dying;
};

bool group_holds_child(struct pid *pgrp);
bool group_holds_init(struct pid *pgrp);
bool current_may_be_signaled(const struct cred *cred);
bool group_may_be_signaled(struct pid *pgrp);
void group_count(struct pid *pgrp, struct group_census *census);
bool group_for_each(struct pid *pgrp,
		    bool (*visit)(struct task_struct *process, void *data),
		    void *data);
void group_signal(struct pid *pgrp, int sig, const struct cred *cred);
void show_name(struct seq_file *m, const char *comm);
void group_show(struct seq_file *m, struct pid *pgrp);

#endif /* _CHAN_GROUP_H */
