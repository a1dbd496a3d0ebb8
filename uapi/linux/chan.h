/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Channels: rendezvous, buffered hand-over and close between processes.
 *
 * DOC: The interface of chan.ko
 *
 * An open file on a channel is an *end*: opened for writing it sends, opened
 * for reading it receives, opened for both it does either.  Messages cross
 * with plain write(2) and read(2), whole or not at all; everything else is an
 * ioctl of this header.
 *
 * Files:
 *
 * * ``/dev/chanctl``: a scope, see below.  Anonymous channels are made on it
 *   (%CHAN_IOC_CREATE), named ones are added and removed through it
 *   (%CHAN_IOC_DEV_ADD, %CHAN_IOC_DEV_REMOVE).
 * * ``/dev/chan0`` and on: named channels, there from the start.
 * * ``/dev/chan-NAME``: named channels added at run time.
 *
 * On every one of them %CHAN_IOC_SELECT waits for several sends, receives and
 * events of other files at once, and does exactly one.
 *
 * Rules for every ioctl here:
 *
 * * The argument is a pointer to one structure, whose size is part of the
 *   request number.  Structures may grow at their end.  The module takes every
 *   size from the first version's on: what a shorter one lacks counts as zero,
 *   and what a longer one has beyond the module's knowledge must be zero, else
 *   %E2BIG.
 * * Reserved fields must be zero, flags and values must be known, else %EINVAL.
 *   Fields marked *out* are not looked at on the way in.
 * * A request unknown to this kind of file fails with %ENOTTY.
 * * Memory that cannot be accessed is %EFAULT, exhausted memory %ENOMEM; either
 *   way nothing has changed.
 * * All fields have a fixed width and an explicit place, so a 32-bit program
 *   works on a 64-bit kernel without translation.
 *
 * DOC: Scopes
 *
 * A scope is to processes what a nursery is to tasks: it owns channels and a
 * process group, and nothing in it outlives it.
 *
 * Each open of ``/dev/chanctl`` makes one.  Its parent is the scope that the
 * process group of the opener is bound to, else the root scope, which has no
 * file.  Whoever has the file among its own is an *owner*.
 *
 * %CHAN_IOC_SCOPE_BIND binds a process group to it.  The processes of that
 * group, and of the groups bound to scopes inside, are its *members*: fork()
 * keeps a child in, setpgid() and setsid() take a process out.  The group is
 * known by identity: one that later has the same number is another.
 *
 * The channels of a bound scope are for its members and its owners.  Everybody
 * else gets %EACCES from every operation on them, however it came by the file;
 * for poll() such a file is always ready and has an error.  A scope that is not
 * bound keeps nobody out: its channels are as those of its parent.
 *
 * A bound scope ends when its file is gone and no member is left.  Its channels
 * are then of no use to anybody, those that were adopted return to the root
 * scope, new, and a scope that was opened inside it and still has a file is
 * cancelled with %EOWNERDEAD.
 *
 * Cancelling (%CHAN_IOC_SCOPE_CANCEL, a deadline, a deadlock, or an owner that
 * goes while members live) is final, and the first cause stands.  It reaches
 * every scope inside.  Every operation on their channels, parked or to come,
 * is %ECANCELED, and what was buffered is dropped.  Members are sent a signal,
 * and killed after a time of grace, see %CHAN_IOC_SCOPE_SET.
 *
 * A process has left when none of its threads runs any more, and its files are
 * closed; whether its parent has waited for it does not matter.  That the last
 * one has left by setpgid() or setsid() instead, for which the kernel has no
 * notice, is found within a tenth of a second.
 */
#ifndef _UAPI_LINUX_CHAN_H
#define _UAPI_LINUX_CHAN_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* The first version of the interface, as %CHAN_IOC_VERSION reports it. */
#define CHAN_VERSION		1

/* The longest message any channel can be made to carry, in bytes. */
#define CHAN_MAX_MSG		1048576
/* What a channel carries when nothing else is asked for, in bytes. */
#define CHAN_DEFAULT_MAX_MSG	65536
/* The most messages a channel can be made to buffer. */
#define CHAN_MAX_CAPACITY	65536
/* The room for a device name, with its terminating NUL. */
#define CHAN_NAME_SIZE		32
/* The highest error number that a channel can be closed with. */
#define CHAN_MAX_ERROR		511

/**
 * enum chan_state - what has become of a channel
 * @CHAN_STATE_OPEN: messages can cross.
 * @CHAN_STATE_CLOSED: closed without an error, by %CHAN_IOC_CLOSE or because
 *	the last send end went.  Senders get %EPIPE; receivers drain, then
 *	read() returns 0.
 * @CHAN_STATE_FAILED: closed with an error.  Senders get %EPIPE; receivers
 *	drain, then get that error every time.
 * @CHAN_STATE_BROKEN: the last receive end went, nobody can ever receive.
 *	Senders get %EPIPE; what was buffered is dropped.
 * @CHAN_STATE_CANCELED: the scope that owns the channel was cancelled.
 *	Everybody gets %ECANCELED; what was buffered is dropped.
 * @CHAN_STATE_REMOVED: the device was removed.  Senders get %ENODEV;
 *	receivers drain, then get %ENODEV.
 *
 * Apart from a named channel that starts anew at the first open after the last
 * file on it is gone, a channel leaves %CHAN_STATE_OPEN once: the first cause
 * stands.  A cancel alone reaches a channel that has ended otherwise, too: every
 * operation in a cancelled scope is %ECANCELED.
 */
enum chan_state {
	CHAN_STATE_OPEN		= 0,
	CHAN_STATE_CLOSED	= 1,
	CHAN_STATE_FAILED	= 2,
	CHAN_STATE_BROKEN	= 3,
	CHAN_STATE_CANCELED	= 4,
	CHAN_STATE_REMOVED	= 5,
};

/* %CHAN_IOC_DEV_ADD and %CHAN_IOC_DEV_REMOVE are there. */
#define CHAN_FEATURE_DEV	(1ULL << 0)
/* %CHAN_IOC_SELECT is there. */
#define CHAN_FEATURE_SELECT	(1ULL << 1)
/* CHAN_IOC_SCOPE_* and %CHAN_IOC_ADOPT are there. */
#define CHAN_FEATURE_SCOPE	(1ULL << 2)

/**
 * struct chan_version - argument of %CHAN_IOC_VERSION
 * @version: out: version of the interface, %CHAN_VERSION.
 * @reserved: must be 0.
 * @features: out: what this module can do, a set of CHAN_FEATURE_* bits.
 */
struct chan_version {
	__u32 version;
	__u32 reserved;
	__aligned_u64 features;
};

/* For @chan_create.flags: both files have %O_NONBLOCK set. */
#define CHAN_CREATE_NONBLOCK	(1U << 0)

/**
 * struct chan_create - argument of %CHAN_IOC_CREATE
 * @capacity: in: messages that the channel buffers, at most
 *	%CHAN_MAX_CAPACITY.  0 makes it a rendezvous: a send waits until a
 *	receiver has taken the message.
 * @max_msg: in: the longest message in bytes, at most %CHAN_MAX_MSG.  0 stands
 *	for %CHAN_DEFAULT_MAX_MSG.
 * @flags: in: %CHAN_CREATE_NONBLOCK or 0.
 * @send_fd: out: the new send end.
 * @recv_fd: out: the new receive end.
 * @reserved: must be 0.
 *
 * Both descriptors are close-on-exec.
 */
struct chan_create {
	__u32 capacity;
	__u32 max_msg;
	__u32 flags;
	__s32 send_fd;
	__s32 recv_fd;
	__u32 reserved;
};

/**
 * struct chan_close - argument of %CHAN_IOC_CLOSE
 * @error: in: what receivers get when the buffer is drained: 0 for the end of
 *	file, else an error number up to %CHAN_MAX_ERROR.
 * @flags: in: must be 0.
 */
struct chan_close {
	__u32 error;
	__u32 flags;
};

/* For @chan_info.flags: this file can send. */
#define CHAN_INFO_SEND		(1U << 0)
/* For @chan_info.flags: this file can receive. */
#define CHAN_INFO_RECV		(1U << 1)
/* For @chan_info.flags: the channel has a device node. */
#define CHAN_INFO_NAMED		(1U << 2)
/* For @chan_info.flags: the channel ends when one side has no file left. */
#define CHAN_INFO_HANGUP	(1U << 3)

/**
 * struct chan_info - argument of %CHAN_IOC_INFO
 * @id: out: identity of the channel, never used twice while the module is
 *	loaded.
 * @state: out: an &enum chan_state.
 * @cause: out: the error number that receivers get once the buffer is drained,
 *	0 for an open channel and for the plain end.
 * @capacity: out: messages that the channel buffers.
 * @max_msg: out: the longest message in bytes.
 * @buffered: out: messages in line that no sender waits for any more.
 * @parked_senders: out: senders asleep until a receiver comes.
 * @parked_receivers: out: receivers asleep until a message comes.
 * @send_ends: out: open files that can send.
 * @recv_ends: out: open files that can receive.
 * @flags: out: CHAN_INFO_* bits.
 * @sent: out: messages that senders have handed over.
 * @received: out: messages that receivers have taken.
 *
 * The numbers belong together: all are of one instant.
 */
struct chan_info {
	__aligned_u64 id;
	__u32 state;
	__u32 cause;
	__u32 capacity;
	__u32 max_msg;
	__u32 buffered;
	__u32 parked_senders;
	__u32 parked_receivers;
	__u32 send_ends;
	__u32 recv_ends;
	__u32 flags;
	__aligned_u64 sent;
	__aligned_u64 received;
};

/**
 * struct chan_dev_add - argument of %CHAN_IOC_DEV_ADD
 * @name: in: the device becomes ``/dev/chan-NAME``.  1 to 31 characters, each a
 *	letter, a digit, ``.``, ``_`` or ``-``, and a terminating NUL.
 * @mode: in: permission bits of the node, at most 0777.
 * @capacity: in: as in &struct chan_create.
 * @max_msg: in: as in &struct chan_create.
 * @flags: in: must be 0.
 */
struct chan_dev_add {
	char name[CHAN_NAME_SIZE];
	__u32 mode;
	__u32 capacity;
	__u32 max_msg;
	__u32 flags;
};

/**
 * struct chan_dev_remove - argument of %CHAN_IOC_DEV_REMOVE
 * @name: in: the NAME of ``/dev/chan-NAME``, as it was added.
 * @flags: in: must be 0.
 */
struct chan_dev_remove {
	char name[CHAN_NAME_SIZE];
	__u32 flags;
};

/**
 * enum chan_case_op - what a case of a select does
 * @CHAN_SEND: send a message; @chan_case.fd is a file that can send.
 * @CHAN_RECV: receive a message; @chan_case.fd is a file that can receive.
 * @CHAN_POLL: wait for one of @chan_case.events, as poll(2) would, and consume
 *	nothing; @chan_case.fd is any file that can be polled: a socket, a timer,
 *	a pidfd, an eventfd, a terminal, ``/dev/chanctl``, an end.
 */
enum chan_case_op {
	CHAN_SEND		= 1,
	CHAN_RECV		= 2,
	CHAN_POLL		= 3,
};

/* The size of the first version of &struct chan_case. */
#define CHAN_CASE_SIZE_VER0	64

/**
 * struct chan_case - one of the things that a select can do
 * @fd: in: the file, or -1 for a case that is never ready; then nothing else
 *	of it is looked at.
 * @op: in: an &enum chan_case_op.
 * @flags: in: must be 0.
 * @status: out: 0, or the negative error number that the case ended with.
 *	Send: %-EPIPE the channel is closed, %-ECANCELED, %-ENODEV.  Receive:
 *	%-EPIPE it is closed and drained, or the negative error number that it
 *	was closed with; %-EMSGSIZE the message is longer than the room: it
 *	stays first in line.
 * @buf: in: address of the message, or of the room for one.  Not looked at if
 *	@len is 0.
 * @len: in: length of the message, which may be 0, or size of the room, in
 *	bytes.  out, receive: length of the message, also with %-EMSGSIZE; 0 if
 *	that is what the channel was closed with, and there is no message.
 * @events: in, poll: ``POLLIN``, ``POLLOUT``, ... wanted, at most 16 bits;
 *	``POLLERR`` and ``POLLHUP`` always are.  out, poll: those that hold.
 * @pid: out, receive with status 0: the process that has sent the message, as
 *	this process's namespace numbers it; 0 if it has no number there.  If it
 *	has ended meanwhile, this is the number that it had, which may be another's
 *	by now, or 0 in a namespace below the initial one.
 * @uid: out, receive with status 0: the real user of that process when it sent,
 *	as this process's namespace numbers it; the overflow user if it has no
 *	number there.
 * @fds: must be 0.
 * @nfds: must be 0.
 * @reserved: must be 0.
 *
 * What is marked *out* is written in the chosen case alone, and the fields that
 * do not belong to its kind are left as they were.
 */
struct chan_case {
	__s32 fd;
	__u32 op;
	__u32 flags;
	__s32 status;
	__aligned_u64 buf;
	__u32 len;
	__u32 events;
	__s32 pid;
	__u32 uid;
	__aligned_u64 fds;
	__u32 nfds;
	__u32 reserved[3];
};

/* For @chan_select.flags: of several cases that are ready, the first. */
#define CHAN_SELECT_PRIORITY	(1U << 0)

/* The most cases of one select. */
#define CHAN_SELECT_MAX		1024
/* For @chan_select.index: no case. */
#define CHAN_SELECT_NONE	(~0U)
/* For @chan_select.deadline: wait as long as it takes. */
#define CHAN_SELECT_FOREVER	(~0ULL)

/**
 * struct chan_select - argument of %CHAN_IOC_SELECT
 * @cases: in: address of an array of &struct chan_case, which must be writable.
 * @ncases: in: number of cases, at most %CHAN_SELECT_MAX.
 * @case_size: in: ``sizeof(struct chan_case)``, as the program was built.  It
 *	may grow like the structures of all ioctls: what is beyond the module's
 *	knowledge must be zero, else %E2BIG.  A multiple of 8.
 * @flags: in: %CHAN_SELECT_PRIORITY or 0.
 * @index: out: the chosen case; if the call fails because of a case, that one;
 *	else %CHAN_SELECT_NONE.
 * @deadline: in: time of ``CLOCK_MONOTONIC`` in nanoseconds at which to give up
 *	with %ETIMEDOUT; 0 not to wait at all, but fail with %EAGAIN;
 *	%CHAN_SELECT_FOREVER to wait for ever.
 */
struct chan_select {
	__aligned_u64 cases;
	__u32 ncases;
	__u32 case_size;
	__u32 flags;
	__u32 index;
	__aligned_u64 deadline;
};

/**
 * struct chan_scope_bind - argument of %CHAN_IOC_SCOPE_BIND
 * @pgid: in: the process group, as the caller's namespace numbers it; 0 for the
 *	caller's own.
 * @flags: in: must be 0.
 */
struct chan_scope_bind {
	__s32 pgid;
	__u32 flags;
};

/*
 * For @chan_scope_set.flags: cancel the scope with %EDEADLK when everybody in it
 * waits for everybody: when every thread of every member and of the owner, which
 * is the process that has bound the scope last, is asleep in a send, a receive or
 * a select on channels of this scope or of scopes inside, without a deadline and
 * without other files, or in %CHAN_IOC_SCOPE_WAIT for one of these scopes.  Those
 * who are asleep then get %EDEADLK.
 *
 * A process that uses io_uring or has a timer that may send it a signal, armed or
 * not, is taken for one that can act, and so is whoever else has the file of one
 * of the scopes.  Not so who has no more than an end of a channel.  A process of
 * several threads that waits in %CHAN_IOC_SELECT on the file of a scope, and not
 * on an end, is taken for one that can act, too.
 */
#define CHAN_SCOPE_DETECT_DEADLOCK	(1U << 0)

/* For @chan_scope_set.grace_ns: nobody is killed. */
#define CHAN_SCOPE_GRACE_NEVER		(~0ULL)
/* The time of grace of a scope in the root scope until it is set. */
#define CHAN_SCOPE_GRACE_DEFAULT	5000000000ULL

/**
 * struct chan_scope_set - argument of %CHAN_IOC_SCOPE_SET
 * @deadline: in: time of ``CLOCK_MONOTONIC`` in nanoseconds at which the scope
 *	is cancelled with %ETIMEDOUT; 0 or %CHAN_SELECT_FOREVER for never.
 * @grace_ns: in: how long after the cancel the members that are left are sent
 *	``SIGKILL``, in nanoseconds; 0 for at once, %CHAN_SCOPE_GRACE_NEVER for
 *	never.
 * @signal: in: what the members are sent on cancel; 0 for nothing.  One that is
 *	in a scope inside is sent what that has set, too, but no signal twice.
 * @flags: in: %CHAN_SCOPE_DETECT_DEADLOCK or 0.
 *
 * All are set together.  Until then a scope has the @grace_ns and @signal that
 * its parent had when it was opened, in the root scope
 * %CHAN_SCOPE_GRACE_DEFAULT and none, no deadline and no flag.
 */
struct chan_scope_set {
	__aligned_u64 deadline;
	__aligned_u64 grace_ns;
	__u32 signal;
	__u32 flags;
};

/**
 * struct chan_scope_cancel - argument of %CHAN_IOC_SCOPE_CANCEL
 * @error: in: the cause, an error number up to %CHAN_MAX_ERROR; 0 for
 *	%ECANCELED.
 * @flags: in: must be 0.
 */
struct chan_scope_cancel {
	__u32 error;
	__u32 flags;
};

/*
 * For @chan_scope_wait.flags: return 0 also when a member has exited, that is,
 * when @chan_scope_wait.exits is not what it was; or when the scope is cancelled
 * meanwhile.
 */
#define CHAN_SCOPE_WAIT_EXIT	(1U << 0)

/**
 * struct chan_scope_wait - argument of %CHAN_IOC_SCOPE_WAIT
 * @deadline: in: as in &struct chan_select.
 * @flags: in: %CHAN_SCOPE_WAIT_EXIT or 0.
 * @exits: in, with that flag: the number that this call has told before.  out: a
 *	number that changes whenever a member has exited; for its parent waitid()
 *	has it then.  For one of several threads it may change before that, too.
 * @cause: out: the error number that the scope was cancelled with, else 0.
 * @members: out: how many processes are left in it.
 *
 * The results are there also when the call fails with %EAGAIN or %ETIMEDOUT.
 */
struct chan_scope_wait {
	__aligned_u64 deadline;
	__u32 flags;
	__u32 exits;
	__u32 cause;
	__u32 members;
};

/**
 * enum chan_scope_state - what has become of a scope
 * @CHAN_SCOPE_UNBOUND: no process group is bound to it.
 * @CHAN_SCOPE_BOUND: one is.
 * @CHAN_SCOPE_CANCELED: it was cancelled, bound or not.
 */
enum chan_scope_state {
	CHAN_SCOPE_UNBOUND	= 0,
	CHAN_SCOPE_BOUND	= 1,
	CHAN_SCOPE_CANCELED	= 2,
};

/**
 * struct chan_scope_info - argument of %CHAN_IOC_SCOPE_INFO
 * @id: out: identity of the scope, never used twice while the module is loaded.
 * @parent: out: that of its parent, 0 for the root scope.
 * @pgid: out: the process group, as the caller's namespace numbers it; 0 if
 *	there is none, or it has no number there.
 * @state: out: an &enum chan_scope_state.
 * @cause: out: the error number that it was cancelled with, else 0.
 * @members: out: processes in it, and in scopes inside it.
 * @channels: out: channels that it owns, without those of scopes inside it.
 * @reserved: out: 0.
 */
struct chan_scope_info {
	__aligned_u64 id;
	__aligned_u64 parent;
	__s32 pgid;
	__u32 state;
	__u32 cause;
	__u32 members;
	__u32 channels;
	__u32 reserved;
};

/**
 * struct chan_adopt - argument of %CHAN_IOC_ADOPT
 * @fd: in: a file on a named channel.
 * @flags: in: must be 0.
 */
struct chan_adopt {
	__s32 fd;
	__u32 flags;
};

#define CHAN_IOC_MAGIC		0xC9

/**
 * CHAN_IOC_VERSION - ask for the version of the interface
 *
 * On every file of this module.
 */
#define CHAN_IOC_VERSION	_IOWR(CHAN_IOC_MAGIC, 0x00, struct chan_version)

/**
 * CHAN_IOC_CREATE - make an anonymous channel
 *
 * On ``/dev/chanctl``.  The channel belongs to that scope.
 *
 * Errors: %ECANCELED the scope was cancelled, %EDQUOT the user has as many
 * channels as the module parameter ``max_channels`` allows, %EMFILE and %ENFILE
 * no descriptor is left.
 */
#define CHAN_IOC_CREATE		_IOWR(CHAN_IOC_MAGIC, 0x01, struct chan_create)

/**
 * CHAN_IOC_CLOSE - end a channel, for the reason given
 *
 * On a file that can send, else %EBADF.  What is buffered can still be
 * received; senders that wait get %EPIPE.  On a channel that has ended already
 * it returns 0 and changes nothing.
 */
#define CHAN_IOC_CLOSE		_IOWR(CHAN_IOC_MAGIC, 0x02, struct chan_close)

/**
 * CHAN_IOC_INFO - look at a channel
 *
 * On a file on a channel.
 *
 * Errors: %EACCES the scope of the channel keeps the caller out.
 */
#define CHAN_IOC_INFO		_IOWR(CHAN_IOC_MAGIC, 0x03, struct chan_info)

/**
 * CHAN_IOC_DEV_ADD - add ``/dev/chan-NAME``
 *
 * On ``/dev/chanctl``, with CAP_SYS_ADMIN, else %EPERM.
 *
 * Errors: %EEXIST there is one of that name, %ENOSPC no device number is left.
 */
#define CHAN_IOC_DEV_ADD	_IOWR(CHAN_IOC_MAGIC, 0x04, struct chan_dev_add)

/**
 * CHAN_IOC_DEV_REMOVE - remove ``/dev/chan-NAME``
 *
 * On ``/dev/chanctl``, with CAP_SYS_ADMIN, else %EPERM.  The node goes at
 * once; files open on it stay, and find the channel in %CHAN_STATE_REMOVED
 * unless it had ended before.
 *
 * Errors: %ENOENT there is none of that name that was added so.
 */
#define CHAN_IOC_DEV_REMOVE	_IOWR(CHAN_IOC_MAGIC, 0x05, struct chan_dev_remove)

/**
 * CHAN_IOC_SELECT - do one of several things, the first that is possible
 *
 * On every file of this module; which one does not matter.
 *
 * Exactly one case happens and the call returns 0, with the case in
 * @chan_select.index and what came of it in @chan_case.status; or the call
 * fails, and nothing has happened.  The other cases leave no trace.  If several
 * are possible, each has the same chance, or with %CHAN_SELECT_PRIORITY the
 * lowest index is taken.  A file that is closed or has failed makes a case of it
 * possible: that is what @chan_case.status tells.
 *
 * Two selects can meet each other; a select never meets itself.  A file may
 * stand in several cases.  ``O_NONBLOCK`` does not matter, @chan_select.deadline
 * says how long to wait.
 *
 * Errors: %EAGAIN nothing was possible and @chan_select.deadline is 0,
 * %ETIMEDOUT the deadline has passed, %EINTR a signal came.  Because of one
 * case, told by @chan_select.index: %EBADF not an open file, or not open for
 * that direction; %EACCES the scope of the channel keeps the caller out; %EINVAL
 * not an end, an unknown @chan_case.op, or something
 * set that must be 0; %EPERM a file that cannot be polled; %EMSGSIZE a message
 * longer than the channel carries; %EFAULT a message that cannot be read, or a
 * room that cannot be written; %E2BIG.
 *
 * %EFAULT may also mean that the case has happened, and what came of it could not
 * be written any more: somebody has taken the list of cases away during the call.
 */
#define CHAN_IOC_SELECT		_IOWR(CHAN_IOC_MAGIC, 0x06, struct chan_select)

/**
 * CHAN_IOC_SCOPE_BIND - bind a process group to a scope
 *
 * On ``/dev/chanctl``.  From now on the members and the owners alone can use the
 * channels of the scope.  A scope whose members have all left can be bound once
 * more, to another group.
 *
 * Errors: %EPERM the group holds neither the caller nor a child of it, or does
 * not exist; it holds the init of the caller's pid namespace, or of one around
 * it; or the scope is inside another, and the caller may not send a signal to
 * each process of the group; %EBUSY the group is bound to a scope, this one or
 * another, or the scope has members; %ECANCELED the scope was cancelled.
 */
#define CHAN_IOC_SCOPE_BIND	_IOWR(CHAN_IOC_MAGIC, 0x07, struct chan_scope_bind)

/**
 * CHAN_IOC_SCOPE_SET - say when a scope is cancelled, and what that means
 *
 * On ``/dev/chanctl``.  The signals are sent with the permissions that the
 * opener of the scope had when it opened it: who may not send one to a member
 * does not reach that member by a scope either.
 *
 * Errors: %EINVAL not a signal; %ECANCELED the scope was cancelled before.
 */
#define CHAN_IOC_SCOPE_SET	_IOWR(CHAN_IOC_MAGIC, 0x08, struct chan_scope_set)

/**
 * CHAN_IOC_SCOPE_CANCEL - cancel a scope, and every scope inside it
 *
 * On ``/dev/chanctl``.  If it was cancelled before it returns 0 and changes
 * nothing.
 *
 * Errors: %EINVAL not an error number.
 */
#define CHAN_IOC_SCOPE_CANCEL	_IOWR(CHAN_IOC_MAGIC, 0x09, struct chan_scope_cancel)

/**
 * CHAN_IOC_SCOPE_WAIT - wait until no member is left
 *
 * On ``/dev/chanctl``.  Returns 0 as soon as no process is left in the scope
 * and the scopes inside it, be it cancelled or not; at once if none is bound.
 * poll() tells the same by ``POLLIN``, but not before the first bind, and by
 * ``POLLHUP`` that the scope was cancelled.
 *
 * Errors: %EDEADLK the caller is a member itself; %EAGAIN there are members and
 * @chan_scope_wait.deadline is 0; %ETIMEDOUT the deadline has passed; %EINTR a
 * signal came.
 */
#define CHAN_IOC_SCOPE_WAIT	_IOWR(CHAN_IOC_MAGIC, 0x0A, struct chan_scope_wait)

/**
 * CHAN_IOC_SCOPE_INFO - look at a scope
 *
 * On ``/dev/chanctl``.
 */
#define CHAN_IOC_SCOPE_INFO	_IOWR(CHAN_IOC_MAGIC, 0x0B, struct chan_scope_info)

/**
 * CHAN_IOC_ADOPT - take a named channel into a scope, until the scope ends
 *
 * On ``/dev/chanctl``.  The device node stays, but members and owners alone can
 * open it; who else tries gets %EACCES.  A call that has begun before, on a copy of
 * the file, and is not parked in the channel, is not noticed: no stranger should
 * have one.
 *
 * Errors: %EBADF not an open file; %EINVAL not a file on a named channel;
 * %EBUSY there is another open file on the channel, somebody waits or there is a
 * message in it, or it is in a scope already; %ECANCELED the scope was cancelled,
 * %ENODEV the device was removed.
 */
#define CHAN_IOC_ADOPT		_IOWR(CHAN_IOC_MAGIC, 0x0C, struct chan_adopt)

#endif /* _UAPI_LINUX_CHAN_H */
