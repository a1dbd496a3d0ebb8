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
 * * ``/dev/chanctl``: a scope.  Anonymous channels are made on it
 *   (%CHAN_IOC_CREATE), named ones are added and removed through it
 *   (%CHAN_IOC_DEV_ADD, %CHAN_IOC_DEV_REMOVE).
 * * ``/dev/chan0`` and on: named channels, there from the start.
 * * ``/dev/chan-NAME``: named channels added at run time.
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
 * stands.
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
 * Errors: %EDQUOT the user has as many channels as the module parameter
 * ``max_channels`` allows, %EMFILE and %ENFILE no descriptor is left.
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
 * once; files open on it stay, and find the channel in %CHAN_STATE_REMOVED.
 *
 * Errors: %ENOENT there is none of that name that was added so.
 */
#define CHAN_IOC_DEV_REMOVE	_IOWR(CHAN_IOC_MAGIC, 0x05, struct chan_dev_remove)

#endif /* _UAPI_LINUX_CHAN_H */
