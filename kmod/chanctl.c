// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/chanctl: each open file is a scope.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>

#include <linux/chan.h>

#include "channel.h"
#include "chanctl.h"
#include "compat.h"
#include "end.h"
#include "ioctl.h"
#include "named.h"
#include "scope.h"
#include "select.h"
#include "user.h"

static struct channel *create_channel(struct chan_scope *scope,
				      const struct chan_create *arg)
{
	u32 max_msg = arg->max_msg;
	struct chan_user *user;
	struct channel *ch;
	int err;

	err = channel_limits(arg->capacity, &max_msg);
	if (err)
		return ERR_PTR(err);
	user = chan_user_charge_channel();
	if (IS_ERR(user))
		return ERR_CAST(user);
	ch = channel_create(scope, user, arg->capacity, max_msg);
	if (IS_ERR(ch))
		chan_user_uncharge_channel(user);
	return ch;
}

/* Give the two files of a new channel to the caller, or neither. */
static long install_ends(struct chan_request *req, struct file *send,
			 struct file *recv)
{
	struct chan_create *arg = req->arg;
	long err;

	arg->send_fd = get_unused_fd_flags(O_CLOEXEC);
	if (arg->send_fd < 0)
		return arg->send_fd;
	arg->recv_fd = get_unused_fd_flags(O_CLOEXEC);
	if (arg->recv_fd < 0) {
		err = arg->recv_fd;
		goto put_send;
	}
	err = chan_ioctl_reply(req);
	if (err)
		goto put_recv;
	fd_install(arg->send_fd, send);
	fd_install(arg->recv_fd, recv);
	return 0;

put_recv:
	put_unused_fd(arg->recv_fd);
put_send:
	put_unused_fd(arg->send_fd);
	return err;
}

static long open_ends(struct chan_request *req, struct channel *ch, int flags)
{
	struct file *send, *recv;
	long err;

	send = end_create(ch, O_WRONLY | flags);
	if (IS_ERR(send))
		return PTR_ERR(send);
	recv = end_create(ch, O_RDONLY | flags);
	if (IS_ERR(recv)) {
		err = PTR_ERR(recv);
		goto put_send;
	}
	err = install_ends(req, send, recv);
	if (err)
		goto put_recv;
	return 0;

put_recv:
	fput(recv);
put_send:
	fput(send);
	return err;
}

static long ioctl_create(struct chan_request *req)
{
	const struct chan_create *arg = req->arg;
	struct channel *ch;
	long err;

	if ((arg->flags & ~CHAN_CREATE_NONBLOCK) || arg->reserved)
		return -EINVAL;
	ch = create_channel(req->file->private_data, arg);
	if (IS_ERR(ch))
		return PTR_ERR(ch);
	err = open_ends(req, ch,
			arg->flags & CHAN_CREATE_NONBLOCK ? O_NONBLOCK : 0);
	/* The files hold their own references. */
	channel_put(ch);
	return err;
}

static long ioctl_bind(struct chan_request *req)
{
	const struct chan_scope_bind *arg = req->arg;

	if (arg->flags)
		return -EINVAL;
	return scope_bind(req->file->private_data, arg->pgid);
}

static long ioctl_set(struct chan_request *req)
{
	const struct chan_scope_set *arg = req->arg;

	if ((arg->flags & ~CHAN_SCOPE_DETECT_DEADLOCK) ||
	    !valid_signal(arg->signal))
		return -EINVAL;
	return scope_set(req->file->private_data, arg);
}

static long ioctl_cancel(struct chan_request *req)
{
	const struct chan_scope_cancel *arg = req->arg;

	if (arg->flags || arg->error > CHAN_MAX_ERROR)
		return -EINVAL;
	scope_cancel(req->file->private_data, arg->error ?: ECANCELED);
	return 0;
}

/* What is left is told also to who gives up. */
static long ioctl_wait(struct chan_request *req)
{
	struct chan_scope_wait *arg = req->arg;
	long err;

	if (arg->flags & ~CHAN_SCOPE_WAIT_EXIT)
		return -EINVAL;
	err = scope_wait(req->file->private_data, arg);
	/* Then it begins again with what it was given. */
	if (err == -ERESTARTSYS)
		return err;
	return chan_ioctl_reply(req) ?: err;
}

static long ioctl_info(struct chan_request *req)
{
	scope_info(req->file->private_data, req->arg);
	return chan_ioctl_reply(req);
}

static long ioctl_adopt(struct chan_request *req)
{
	const struct chan_adopt *arg = req->arg;
	struct channel *ch;
	long err = -EINVAL;
	struct fd fd;

	if (arg->flags)
		return -EINVAL;
	fd = fdget(arg->fd);
	if (!fd_file(fd))
		return -EBADF;
	ch = end_channel(fd_file(fd));
	if (ch && ch->named)
		err = named_adopt(req->file->private_data, ch,
				  fd_file(fd)->f_mode);
	fdput(fd);
	return err;
}

static const struct chan_ioctl ioctls[] = {
	CHAN_IOCTL(CHAN_IOC_VERSION, struct chan_version, features,
		   chan_ioctl_version),
	CHAN_IOCTL(CHAN_IOC_CREATE, struct chan_create, reserved, ioctl_create),
	CHAN_IOCTL(CHAN_IOC_DEV_ADD, struct chan_dev_add, flags,
		   named_ioctl_add),
	CHAN_IOCTL(CHAN_IOC_DEV_REMOVE, struct chan_dev_remove, flags,
		   named_ioctl_remove),
	CHAN_IOCTL(CHAN_IOC_SELECT, struct chan_select, deadline, select_ioctl),
	CHAN_IOCTL(CHAN_IOC_SCOPE_BIND, struct chan_scope_bind, flags,
		   ioctl_bind),
	CHAN_IOCTL(CHAN_IOC_SCOPE_SET, struct chan_scope_set, flags, ioctl_set),
	CHAN_IOCTL(CHAN_IOC_SCOPE_CANCEL, struct chan_scope_cancel, flags,
		   ioctl_cancel),
	CHAN_IOCTL(CHAN_IOC_SCOPE_WAIT, struct chan_scope_wait, members,
		   ioctl_wait),
	CHAN_IOCTL(CHAN_IOC_SCOPE_INFO, struct chan_scope_info, reserved,
		   ioctl_info),
	CHAN_IOCTL(CHAN_IOC_ADOPT, struct chan_adopt, flags, ioctl_adopt),
};

static long chanctl_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	if (cmd == CHAN_IOC_SELECT)
		return select_known((void __user *)arg);
	return chan_ioctl_dispatch(file, cmd, arg, ioctls, ARRAY_SIZE(ioctls));
}

static int chanctl_open(struct inode *inode, struct file *file)
{
	struct chan_scope *scope = scope_open(file);

	if (IS_ERR(scope))
		return PTR_ERR(scope);
	file->private_data = scope;
	return stream_open(inode, file);
}

/* Some process closes a descriptor; another may be left. */
static int chanctl_flush(struct file *file, fl_owner_t files)
{
	scope_disown(file->private_data, files);
	return 0;
}

static int chanctl_release(struct inode *inode, struct file *file)
{
	scope_close(file->private_data);
	return 0;
}

static __poll_t chanctl_poll(struct file *file, poll_table *wait)
{
	return scope_poll(file->private_data, file, wait);
}

const struct file_operations chanctl_fops = {
	.owner = THIS_MODULE,
	.open = chanctl_open,
	.poll = chanctl_poll,
	.flush = chanctl_flush,
	.release = chanctl_release,
	.unlocked_ioctl = chanctl_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice chanctl_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "chanctl",
	.mode = 0666,
	.fops = &chanctl_fops,
};

int chanctl_init(void)
{
	return misc_register(&chanctl_device);
}

void chanctl_exit(void)
{
	misc_deregister(&chanctl_device);
}
