// SPDX-License-Identifier: GPL-2.0-only
/*
 * chan.ko: channels between processes.
 *
 * DOC: Where what is
 *
 * Outside in::
 *
 *     named.c     /dev/chanN and /dev/chan-NAME, sysfs
 *     chanctl.c   /dev/chanctl: a scope as a file, anonymous channels
 *     end.c       an open file on a channel: read, write, poll, ioctl
 *     ioctl.c     ioctls whose structures can grow
 *     select.c    one of several sends, receives and events of files
 *     cases.c     those several: from user memory and back
 *     transfer.c  one send or receive: tasks sleep, wake and copy
 *     scope.c     scopes: who is let in, cancel, the end of what is inside
 *     deadlock.c  does everybody in a scope wait for everybody?
 *     group.c     process groups
 *     channel.c   the object: ends, close, what can be seen; the lock order
 *     usercopy.c  user memory
 *     match.c     who meets whom; knows nothing of the above
 *     call.c      what a task waits for, and who may fulfil it
 *     user.c      limits for each user
 */
#include <linux/module.h>

#include "chanctl.h"
#include "debugfs.h"
#include "named.h"
#include "scope.h"
#include "select.h"

static int __init chan_init(void)
{
	int err;

	err = select_init();
	if (err)
		return err;
	err = scope_init();
	if (err)
		goto exit_select;
	err = named_init();
	if (err)
		goto exit_scope;
	err = chanctl_init();
	if (err)
		goto exit_named;
	named_go_live();
	chan_debugfs_init();
	return 0;

exit_named:
	named_exit();
exit_scope:
	scope_exit();
exit_select:
	select_exit();
	return err;
}

static void __exit chan_exit(void)
{
	chan_debugfs_exit();
	chanctl_exit();
	named_exit();
	scope_exit();
	select_exit();
}

module_init(chan_init);
module_exit(chan_exit);

MODULE_DESCRIPTION("Channels: rendezvous, buffer and close between processes");
MODULE_AUTHOR("The chan maintainers");
MODULE_LICENSE("GPL");
