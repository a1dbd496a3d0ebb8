// SPDX-License-Identifier: GPL-2.0-only
/*
 * An end: an open file on a channel.  Its private data is the channel, on which
 * it holds a reference; its mode is the direction, so that the VFS refuses the
 * wrong one.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uio.h>

#include <linux/chan.h>

#include "channel.h"
#include "end.h"
#include "ioctl.h"
#include "select.h"
#include "transfer.h"
#include "usercopy.h"

static __always_inline ssize_t read_one(struct file *file, char __user *base,
					size_t len)
{
	struct chan_buf to = { .base = base, .len = len };

	return channel_recv(file->private_data, &to, file->f_flags & O_NONBLOCK,
			    NULL);
}

static __always_inline ssize_t write_one(struct file *file,
					 const char __user *base, size_t len)
{
	struct chan_buf from = { .base = (char __user *)base, .len = len };

	if (!len)
		return 0;
	return channel_send(file->private_data, &from,
			    file->f_flags & O_NONBLOCK, NULL);
}

/* Apart, so that others need not keep their arguments for after a call. */
static noinline ssize_t read_if_let_in(struct file *file, char __user *base,
				       size_t len)
{
	return channel_access_others(file->private_data) ?:
		       read_one(file, base, len);
}

static noinline ssize_t write_if_let_in(struct file *file,
					const char __user *base, size_t len)
{
	return channel_access_others(file->private_data) ?:
		       write_one(file, base, len);
}

/* For read(2) and write(2), which come here without an iov_iter. */
static ssize_t end_read(struct file *file, char __user *base, size_t len,
			loff_t *pos)
{
	if (unlikely(!channel_admits(file->private_data)))
		return read_if_let_in(file, base, len);
	return read_one(file, base, len);
}

static ssize_t end_write(struct file *file, const char __user *base, size_t len,
			 loff_t *pos)
{
	if (unlikely(!channel_admits(file->private_data)))
		return write_if_let_in(file, base, len);
	return write_one(file, base, len);
}

static bool iocb_nowait(const struct kiocb *iocb)
{
	return (iocb->ki_filp->f_flags & O_NONBLOCK) ||
	       (iocb->ki_flags & IOCB_NOWAIT);
}

/* For readv(2), preadv2(2), io_uring and the like: one message, in pieces. */
static ssize_t end_read_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct chan_buf to = { .len = iov_iter_count(iter), .iter = iter };
	struct channel *ch = iocb->ki_filp->private_data;
	int err = channel_access(ch);

	if (unlikely(err))
		return err;
	return channel_recv(ch, &to, iocb_nowait(iocb), NULL);
}

static ssize_t end_write_iter(struct kiocb *iocb, struct iov_iter *iter)
{
	struct chan_buf from = { .len = iov_iter_count(iter), .iter = iter };
	struct channel *ch = iocb->ki_filp->private_data;
	int err = channel_access(ch);

	if (unlikely(err || !from.len))
		return err;
	return channel_send(ch, &from, iocb_nowait(iocb), NULL);
}

static __poll_t end_poll(struct file *file, poll_table *wait)
{
	return channel_poll(file->private_data, file, wait, NULL);
}

static int end_release(struct inode *inode, struct file *file)
{
	struct channel *ch = file->private_data;

	channel_detach(ch, file->f_mode);
	channel_put(ch);
	return 0;
}

static void end_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct chan_info info;

	channel_info(file->private_data, &info);
	seq_printf(m, "chan-id:\t%llu\n", info.id);
	seq_printf(m, "chan-state:\t%s\n", channel_state_name(info.state));
	seq_printf(m, "chan-cause:\t%u\n", info.cause);
	seq_printf(m, "chan-capacity:\t%u\n", info.capacity);
	seq_printf(m, "chan-max-msg:\t%u\n", info.max_msg);
	seq_printf(m, "chan-buffered:\t%u\n", info.buffered);
	seq_printf(m, "chan-parked-senders:\t%u\n", info.parked_senders);
	seq_printf(m, "chan-parked-receivers:\t%u\n", info.parked_receivers);
	seq_printf(m, "chan-send-ends:\t%u\n", info.send_ends);
	seq_printf(m, "chan-recv-ends:\t%u\n", info.recv_ends);
	seq_printf(m, "chan-sent:\t%llu\n", info.sent);
	seq_printf(m, "chan-received:\t%llu\n", info.received);
}

static long end_ioctl_close(struct chan_request *req)
{
	const struct chan_close *arg = req->arg;
	struct channel *ch = req->file->private_data;
	int err = channel_access(ch);

	if (err)
		return err;
	if (arg->flags || arg->error > CHAN_MAX_ERROR)
		return -EINVAL;
	if (!(req->file->f_mode & FMODE_WRITE))
		return -EBADF;
	channel_end(ch, arg->error ? CHAN_STATE_FAILED : CHAN_STATE_CLOSED,
		    arg->error);
	return 0;
}

static long end_ioctl_info(struct chan_request *req)
{
	struct chan_info *arg = req->arg;
	struct channel *ch = req->file->private_data;
	int err = channel_access(ch);

	if (err)
		return err;
	channel_info(ch, arg);
	if (req->file->f_mode & FMODE_WRITE)
		arg->flags |= CHAN_INFO_SEND;
	if (req->file->f_mode & FMODE_READ)
		arg->flags |= CHAN_INFO_RECV;
	return chan_ioctl_reply(req);
}

static const struct chan_ioctl end_ioctls[] = {
	CHAN_IOCTL(CHAN_IOC_VERSION, struct chan_version, features,
		   chan_ioctl_version),
	CHAN_IOCTL(CHAN_IOC_CLOSE, struct chan_close, flags, end_ioctl_close),
	CHAN_IOCTL(CHAN_IOC_INFO, struct chan_info, received, end_ioctl_info),
	CHAN_IOCTL(CHAN_IOC_SELECT, struct chan_select, deadline, select_ioctl),
};

static long end_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd == CHAN_IOC_SELECT)
		return select_known((void __user *)arg);
	return chan_ioctl_dispatch(file, cmd, arg, end_ioctls,
				   ARRAY_SIZE(end_ioctls));
}

const struct file_operations end_fops = {
	.owner = THIS_MODULE,
	.read = end_read,
	.write = end_write,
	.read_iter = end_read_iter,
	.write_iter = end_write_iter,
	.poll = end_poll,
	.release = end_release,
	.show_fdinfo = end_show_fdinfo,
	.unlocked_ioctl = end_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/**
 * end_open - make an open file an end of a channel
 * @ch: the channel; the file gets a reference of its own
 * @file: as the VFS opened it
 */
void end_open(struct channel *ch, struct file *file)
{
	/* The caller's reference to the module becomes that of the new table. */
	__module_get(THIS_MODULE);
	replace_fops(file, &end_fops);
	stream_open(file_inode(file), file);
	file->f_mode |= FMODE_NOWAIT;
	file->private_data = ch;
	channel_get(ch);
	channel_attach(ch, file->f_mode);
}

/**
 * end_create - make a file that is an end of an anonymous channel
 * @ch: the channel; the file gets a reference of its own
 * @flags: O_RDONLY or O_WRONLY, and O_NONBLOCK if wanted
 *
 * Return: the file or an ERR_PTR().
 */
struct file *end_create(struct channel *ch, int flags)
{
	const char *name = flags & O_WRONLY ? "[chan:send]" : "[chan:recv]";
	struct file *file = anon_inode_getfile(name, &end_fops, ch, flags);

	if (IS_ERR(file))
		return file;
	stream_open(file_inode(file), file);
	file->f_mode |= FMODE_NOWAIT;
	channel_get(ch);
	channel_attach(ch, file->f_mode);
	return file;
}
