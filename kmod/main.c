// SPDX-License-Identifier: GPL-2.0-only
/*
 * chan.ko: channels between processes.
 *
 * DOC: Where what is
 *
 * Outside in::
 *
 *     named.c     /dev/chanN and /dev/chan-NAME, sysfs
 *     scope.c     /dev/chanctl, anonymous channels
 *     end.c       an open file on a channel: read, write, poll, ioctl
 *     ioctl.c     ioctls whose structures can grow
 *     transfer.c  tasks sleep, wake and copy
 *     channel.c   the object: ends, close, what can be seen; the lock order
 *     usercopy.c  user memory
 *     match.c     who meets whom; knows nothing of the above
 *     user.c      limits for each user
 */
#include <linux/module.h>

#include "debugfs.h"
#include "named.h"
#include "scope.h"

static int __init chan_init(void)
{
	int err;

	err = named_init();
	if (err)
		return err;
	err = scope_init();
	if (err) {
		named_exit();
		return err;
	}
	named_go_live();
	chan_debugfs_init();
	return 0;
}

static void __exit chan_exit(void)
{
	chan_debugfs_exit();
	scope_exit();
	named_exit();
}

module_init(chan_init);
module_exit(chan_exit);

MODULE_DESCRIPTION("Channels: rendezvous, buffer and close between processes");
MODULE_AUTHOR("The chan maintainers");
MODULE_LICENSE("GPL");
