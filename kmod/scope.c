// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/chanctl: each open file is a scope.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <linux/chan.h>

#include "channel.h"
#include "end.h"
#include "ioctl.h"
#include "named.h"
#include "scope.h"
#include "user.h"

static LIST_HEAD(all_scopes);
static DEFINE_MUTEX(all_scopes_lock);
static u64 last_id;

static struct chan_scope *scope_create(void)
{
	struct chan_scope *scope;
	struct chan_user *user;

	user = chan_user_charge_scope();
	if (IS_ERR(user))
		return ERR_CAST(user);
	scope = kzalloc(sizeof(*scope), GFP_CHAN);
	if (!scope) {
		chan_user_uncharge_scope(user);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&scope->ref);
	scope->user = user;

	mutex_lock(&all_scopes_lock);
	scope->id = ++last_id;
	list_add_tail(&scope->all, &all_scopes);
	mutex_unlock(&all_scopes_lock);
	return scope;
}

static void scope_free(struct kref *ref)
{
	struct chan_scope *scope = container_of(ref, struct chan_scope, ref);

	list_del(&scope->all);
	mutex_unlock(&all_scopes_lock);
	kfree(scope);
}

static void scope_put(struct chan_scope *scope)
{
	kref_put_mutex(&scope->ref, scope_free, &all_scopes_lock);
}

/**
 * scope_add_channel - a channel becomes a scope's
 * @scope: stays at least until scope_drop_channel()
 */
void scope_add_channel(struct chan_scope *scope)
{
	kref_get(&scope->ref);
	atomic_inc(&scope->channels);
}

/**
 * scope_drop_channel - a channel of a scope is gone
 * @scope: as of scope_add_channel()
 */
void scope_drop_channel(struct chan_scope *scope)
{
	atomic_dec(&scope->channels);
	scope_put(scope);
}

/**
 * scope_show_all - list all scopes
 * @m: where to
 */
void scope_show_all(struct seq_file *m)
{
	struct chan_scope *scope;

	mutex_lock(&all_scopes_lock);
	list_for_each_entry(scope, &all_scopes, all)
		seq_printf(m, "%llu channels %d\n", scope->id,
			   atomic_read(&scope->channels));
	mutex_unlock(&all_scopes_lock);
}

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
	if (ch)
		return ch;
	chan_user_uncharge_channel(user);
	return ERR_PTR(-ENOMEM);
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

static long scope_ioctl_create(struct chan_request *req)
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

static const struct chan_ioctl scope_ioctls[] = {
	CHAN_IOCTL(CHAN_IOC_VERSION, struct chan_version, features,
		   chan_ioctl_version),
	CHAN_IOCTL(CHAN_IOC_CREATE, struct chan_create, reserved,
		   scope_ioctl_create),
	CHAN_IOCTL(CHAN_IOC_DEV_ADD, struct chan_dev_add, flags,
		   named_ioctl_add),
	CHAN_IOCTL(CHAN_IOC_DEV_REMOVE, struct chan_dev_remove, flags,
		   named_ioctl_remove),
};

static long scope_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return chan_ioctl_dispatch(file, cmd, arg, scope_ioctls,
				   ARRAY_SIZE(scope_ioctls));
}

static int scope_open(struct inode *inode, struct file *file)
{
	struct chan_scope *scope = scope_create();

	if (IS_ERR(scope))
		return PTR_ERR(scope);
	file->private_data = scope;
	return stream_open(inode, file);
}

static int scope_release(struct inode *inode, struct file *file)
{
	struct chan_scope *scope = file->private_data;

	/* What stays for the sake of its channels is bounded by those. */
	chan_user_uncharge_scope(scope->user);
	scope_put(scope);
	return 0;
}

static const struct file_operations scope_fops = {
	.owner = THIS_MODULE,
	.open = scope_open,
	.release = scope_release,
	.unlocked_ioctl = scope_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice scope_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "chanctl",
	.mode = 0666,
	.fops = &scope_fops,
};

int scope_init(void)
{
	return misc_register(&scope_device);
}

void scope_exit(void)
{
	misc_deregister(&scope_device);
}
