// SPDX-License-Identifier: GPL-2.0-only
/*
 * What root can see of all channels and scopes.  For people: the format may
 * change.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "debugfs.h"
#include "scope.h"

static struct dentry *root;

static int channels_show(struct seq_file *m, void *unused)
{
	scope_show_channels(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(channels);

static int scopes_show(struct seq_file *m, void *unused)
{
	scope_show_all(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(scopes);

void chan_debugfs_init(void)
{
	root = debugfs_create_dir("chan", NULL);
	debugfs_create_file("channels", 0400, root, NULL, &channels_fops);
	debugfs_create_file("scopes", 0400, root, NULL, &scopes_fops);
}

void chan_debugfs_exit(void)
{
	debugfs_remove(root);
}
