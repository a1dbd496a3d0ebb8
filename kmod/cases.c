// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cases of a select: from user memory and back.
 */
#include <linux/cred.h>
#include <linux/fdtable.h>
#include <linux/fs.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include <linux/chan.h>

#include "cases.h"
#include "channel.h"
#include "compat.h"
#include "end.h"
#include "transfer.h"
#include "usercopy.h"

/* Cases that are read together. */
#define CASES_AT_ONCE 16

static __always_inline int load_end(struct select_case *c, fmode_t mode)
{
	const struct file *file = fd_file(c->fd);

	c->ch = end_channel(file);
	if (unlikely(!c->ch))
		return -EINVAL;
	if (unlikely(!(file->f_mode & mode)))
		return -EBADF;
	return channel_access(c->ch);
}

static int load_poll(struct select_case *c, u32 events)
{
	if (events > U16_MAX)
		return -EINVAL;
	c->events = demangle_poll(events) | EPOLLERR | EPOLLHUP;
	return file_can_poll(fd_file(c->fd)) ? 0 : -EPERM;
}

static __always_inline int load_kind(struct select_case *c,
				     const struct chan_case *arg)
{
	int err;

	if (arg->op == CHAN_RECV)
		return load_end(c, FMODE_READ);
	if (arg->op == CHAN_SEND) {
		err = load_end(c, FMODE_WRITE);
		if (!err && c->len > c->ch->max_msg)
			err = -EMSGSIZE;
		return err;
	}
	return arg->op == CHAN_POLL ? load_poll(c, arg->events) : -EINVAL;
}

/*
 * The end that a descriptor stands for, as fdget() finds it.  In line, because a
 * select does it often.  Who has the table of files for itself needs no
 * reference: nobody else can close one.
 */
static __always_inline struct file *borrow_end(struct files_struct *files,
					       int fd)
{
	struct file *file = files_lookup_fd_raw(files, fd);

	return likely(file && end_channel(file)) ? file : NULL;
}

/* Acquire: what a thread that is gone has done to the table is done. */
static bool files_are_own(struct files_struct *files)
{
	return atomic_read_acquire(&files->count) == 1;
}

static struct fd get_file_of(int fd)
{
	struct file *file = NULL;

	if (likely(files_are_own(current->files)))
		file = borrow_end(current->files, fd);
	return likely(file) ? compat_borrowed_fd(file) : fdget(fd);
}

/* What has no meaning yet; the layout is fixed in ioctl.c. */
static __always_inline bool reserved_used(const struct chan_case *arg)
{
	const u64 *words = (const u64 *)arg;

	return arg->flags | words[5] | words[6] | words[7];
}

/* Take the file, if what is asked of it makes sense. */
static __always_inline int load_known(struct select_case *c,
				      const struct chan_case *arg)
{
	int err;

	c->ch = NULL;
	c->kind = 0;
	c->has_fd = false;
	if (unlikely(arg->fd == -1))
		return 0;
	if (unlikely(reserved_used(arg)))
		return -EINVAL;
	c->fd = get_file_of(arg->fd);
	if (unlikely(!fd_file(c->fd)))
		return -EBADF;
	c->has_fd = true;
	c->kind = min_t(u32, arg->op, U8_MAX);
	c->base = u64_to_user_ptr(arg->buf);
	c->len = arg->len;
	err = load_kind(c, arg);
	if (unlikely(err))
		fdput(c->fd);
	return err;
}

/*
 * Of the size that this module knows, which is the usual one.  See that it can be
 * written, too.
 */
static bool read_known(struct chan_case *arg, struct chan_case __user *user)
{
	if (!user_access_begin(user, sizeof(*user)))
		return false;
	unsafe_get_user(arg->fd, &user->fd, fault);
	unsafe_get_user(arg->op, &user->op, fault);
	unsafe_get_user(arg->flags, &user->flags, fault);
	unsafe_get_user(arg->status, &user->status, fault);
	unsafe_get_user(arg->buf, &user->buf, fault);
	unsafe_get_user(arg->len, &user->len, fault);
	unsafe_get_user(arg->events, &user->events, fault);
	unsafe_get_user(arg->fds, &user->fds, fault);
	unsafe_get_user(arg->nfds, &user->nfds, fault);
	unsafe_get_user(arg->reserved[0], &user->reserved[0], fault);
	unsafe_get_user(arg->reserved[1], &user->reserved[1], fault);
	unsafe_get_user(arg->reserved[2], &user->reserved[2], fault);
	unsafe_put_user(arg->status, &user->status, fault);
	user_access_end();
	return true;

fault:
	user_access_end();
	return false;
}

/* Of any size. */
static noinline int load_sized(struct select_case *c,
			       const struct chan_case __user *user, size_t size)
{
	struct chan_case arg __uninitialized;
	int err;

	err = copy_struct_from_user(&arg, sizeof(arg), user, size);
	return err ?: load_known(c, &arg);
}

/**
 * case_load_single - read a case, and see whether it makes sense
 * @c: filled, but for its operation; holds nothing after a failure
 * @user: the user's; if it cannot be written, that is a failure, too
 * @size: of the user's, from its first version's on
 *
 * For a select of one case, which is to be as cheap as write(2) or read(2).
 *
 * Return: 0 or a negative errno.
 */
int case_load_single(struct select_case *c, struct chan_case __user *user,
		     size_t size)
{
	struct chan_case arg __uninitialized;

	if (unlikely(size != sizeof(arg)))
		return usercopy_writable(user, size) ?
			       load_sized(c, user, size) :
			       -EFAULT;
	return read_known(&arg, user) ? load_known(c, &arg) : -EFAULT;
}

/* Short ones beside the others as long as there is room. */
static int fill_send(struct select_case *c, struct case_space *space)
{
	struct chan_buf from = { .base = c->base, .len = c->len };
	size_t left = CASES_SEND_SPACE - space->used;

	left = min_t(size_t, left, CHAN_INLINE);
	c->op.payload.bytes = space->send + space->used;
	if (c->len <= left)
		space->used += ALIGN(c->len, sizeof(u64));
	space->ready |= channel_looks_writable(c->ch);
	space->holds = true;
	return transfer_load(&c->op.payload, &from, left);
}

static int fill_recv(struct select_case *c, struct case_space *space)
{
	struct chan_buf to = { .base = c->base, .len = c->len };

	c->op.room = c->len;
	c->op.payload.bytes = space->recv.bytes;
	space->ready |= channel_looks_readable(c->ch);
	space->probed = c->base;
	space->probed_len = c->len;
	return usercopy_probe(&to) ? 0 : -EFAULT;
}

/*
 * Take the message of a send, see that the room of a receive can be written, and
 * note what there is.
 */
static int fill_case(struct select_case *c, struct case_space *space)
{
	INIT_HLIST_NODE(&c->op.node);
	op_init(&c->op, space->call, NULL);
	space->holds |= c->has_fd && compat_fd_held(c->fd);
	if (c->kind == CHAN_RECV)
		return fill_recv(c, space);
	if (c->kind == CHAN_SEND)
		return fill_send(c, space);
	space->files |= case_is_file(c);
	space->disabled += !c->kind;
	return 0;
}

static noinline int take_case(struct select_case *c,
			      const struct chan_case *arg,
			      struct case_space *space)
{
	int err = load_known(c, arg);

	if (err)
		return err;
	err = fill_case(c, space);
	if (err)
		case_release(c);
	return err;
}

/*
 * The usual case in a few steps: one more receive, with the room that another
 * case has, too.
 */
static __always_inline bool take_receive(struct select_case *c,
					 const struct chan_case *arg,
					 struct files_struct *files,
					 struct case_space *space)
{
	struct file *file;

	if (arg->op != CHAN_RECV || reserved_used(arg) ||
	    u64_to_user_ptr(arg->buf) != space->probed ||
	    arg->len != space->probed_len)
		return false;
	file = borrow_end(files, arg->fd);
	if (unlikely(!file || !(file->f_mode & FMODE_READ)))
		return false;
	c->ch = file->private_data;
	/* A guess, see channel_looks_readable(); but not as to who may. */
	if (unlikely(data_race(!match_is_void(&c->ch->match)))) {
		if (channel_access(c->ch))
			return false;
		space->ready = true;
	}
	c->base = u64_to_user_ptr(arg->buf);
	c->kind = CHAN_RECV;
	c->has_fd = false;
	op_init(&c->op, space->call, space->recv.bytes);
	c->op.node.pprev = NULL;
	c->op.room = arg->len;
	return true;
}

/* A size that the compiler knows does not have to be checked each time. */
static bool copy_cases(struct chan_case *args, const void __user *user, u32 n)
{
	if (likely(n == CASES_AT_ONCE))
		return !copy_from_user(args, user,
				       CASES_AT_ONCE * sizeof(*args));
	return !copy_from_user(args, user, n * sizeof(*args));
}

/* Some cases at once: to copy them one by one costs more than the copying. */
static noinline int load_few(struct select_case *cases, u32 n,
			     struct case_space *space, u32 *loaded)
{
	struct chan_case args[CASES_AT_ONCE] __uninitialized;
	struct files_struct *files = current->files;
	bool own = files_are_own(files);
	struct select_case *c = &cases[*loaded];
	const struct chan_case *arg;
	int err = 0;

	if (!copy_cases(args, space->user + *loaded * sizeof(args[0]), n))
		return -EFAULT;
	for (arg = args; arg < args + n; arg++, c++) {
		if (likely(own && take_receive(c, arg, files, space)))
			continue;
		err = take_case(c, arg, space);
		if (unlikely(err))
			break;
	}
	*loaded = c - cases;
	return err;
}

/* One of another size than this module knows. */
static int load_another(struct select_case *c, struct case_space *space,
			u32 *loaded)
{
	void __user *user = space->user + (size_t)*loaded * space->size;
	struct chan_case arg __uninitialized;
	int err;

	err = copy_struct_from_user(&arg, sizeof(arg), user, space->size) ?:
		      take_case(c, &arg, space);
	if (!err)
		++*loaded;
	return err;
}

/**
 * cases_load - read several cases, and see whether they make sense
 * @cases: filled; one that fails holds nothing
 * @n: how many
 * @space: which they share; @call, @user and @size are set, the rest zero
 * @loaded: how many are filled, also after a failure; 0 at first
 *
 * Return: 0 or a negative errno.
 */
int cases_load(struct select_case *cases, u32 n, struct case_space *space,
	       u32 *loaded)
{
	int err = 0;

	while (*loaded < n && !err) {
		u32 few = min_t(u32, n - *loaded, CASES_AT_ONCE);

		if (likely(space->size == sizeof(struct chan_case)))
			err = load_few(cases, few, space, loaded);
		else
			err = load_another(&cases[*loaded], space, loaded);
		/* Long messages take their time. */
		if (fatal_signal_pending(current))
			err = -ERESTARTSYS;
	}
	return err;
}

/* Return: 0 if the process is not seen from here, or gone. */
static pid_t pid_seen(u32 pid)
{
	struct pid_namespace *ns = task_active_pid_ns(current);
	pid_t seen;

	if (likely(ns == &init_pid_ns))
		return pid;
	rcu_read_lock();
	seen = pid_nr_ns(find_pid_ns(pid, &init_pid_ns), ns);
	rcu_read_unlock();
	return seen;
}

static uid_t uid_seen(u32 uid)
{
	struct user_namespace *ns = current_user_ns();

	if (likely(ns == &init_user_ns))
		return uid;
	return from_kuid_munged(ns, KUIDT_INIT(uid));
}

static int store_message(const struct chan_details *details,
			 struct chan_case __user *user)
{
	pid_t pid = pid_seen(details->from.pid);
	uid_t uid = uid_seen(details->from.uid);

	if (!user_write_access_begin(user, sizeof(*user)))
		return -EFAULT;
	unsafe_put_user(details->len, &user->len, fault);
	unsafe_put_user(pid, &user->pid, fault);
	unsafe_put_user(uid, &user->uid, fault);
	unsafe_put_user(0, &user->status, fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}

static int store_recv(const struct chan_details *details,
		      struct chan_case __user *user)
{
	int status = details->status;

	if (likely(!status))
		return store_message(details, user);
	if (status == CHAN_EOF)
		status = -EPIPE;
	if (status == -EMSGSIZE && put_user(details->len, &user->len))
		return -EFAULT;
	return put_user(status, &user->status);
}

static int store_poll(const struct select_case *c,
		      struct chan_case __user *user)
{
	return put_user(mangle_poll(c->seen), &user->events) ?:
		       put_user(0, &user->status);
}

/**
 * case_store - tell the user what came of the chosen case
 * @c: the case
 * @details: of a send or a receive
 * @user: the user's
 *
 * Return: 0 or -EFAULT.
 */
int case_store(const struct select_case *c, const struct chan_details *details,
	       struct chan_case __user *user)
{
	switch (c->kind) {
	case CHAN_SEND:
		return put_user(details->status, &user->status);
	case CHAN_RECV:
		return store_recv(details, user);
	default:
		return store_poll(c, user);
	}
}

/**
 * case_release - let go of what a case holds
 * @c: the case, its operation private
 */
void case_release(struct select_case *c)
{
	payload_free(&c->op.payload);
	if (c->has_fd)
		fdput(c->fd);
}
