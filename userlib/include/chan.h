/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libchan: channels between processes, for C and C++.
 *
 * DOC: What holds for every function here
 *
 * A channel carries messages from send ends to receive ends.  Either kind of
 * end is a type of its own, &struct chan_tx and &struct chan_rx, so that to
 * send on a receive end does not compile.  Both are nothing but a file
 * descriptor: copy them freely, pass them by value, hand @fd to poll(2) or
 * through a socket.
 *
 * Results: 0 or more is success, less is a negative error number such as
 * %-EPIPE.  errno is never changed.
 *
 * Ownership: whoever opens or makes an end owns it, and gives it up with
 * chan_tx_release() or chan_rx_release().  Messages are copied; the library
 * keeps no pointer beyond the call.
 *
 * Threads: the library has no state of its own, no locks and no hidden
 * allocations.  All functions may be called from any number of threads at once,
 * on the same end too.  As with close(2), an end must not be released while
 * another thread may still use that copy of it.
 *
 * fork() shares every end, and nothing needs to be done about it in the child.
 * An end stays open as long as any process has it, so release in each process
 * the ends it does not use: only then does a channel without senders close.
 * execve() closes the ends that the library has opened.
 *
 * Signals: a call that waits is restarted after a handler that was installed
 * with %SA_RESTART, and returns %-EINTR after one that was not.  The library
 * does not retry on its own, so that a handler can end a wait.  With %-EINTR
 * nothing was sent or received.  No call raises SIGPIPE.
 *
 * Thread cancellation: the calls that wait are cancellation points.
 */
#ifndef _CHAN_H
#define _CHAN_H

#include <stddef.h>
#include <sys/types.h>

#include <linux/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header.  chan_library_version() tells the library's. */
#define LIBCHAN_VERSION		"0.1.0"

#if defined(__GNUC__)
#define CHAN_MUST_CHECK		__attribute__((__warn_unused_result__))
#else
#define CHAN_MUST_CHECK
#endif

/**
 * struct chan_tx - a send end
 * @fd: the file, or negative for no end at all.
 */
struct chan_tx {
	int fd;
};

/**
 * struct chan_rx - a receive end
 * @fd: the file, or negative for no end at all.
 */
struct chan_rx {
	int fd;
};

/* Initialisers for an end that is not there; to release it is harmless. */
#define CHAN_TX_INIT		{ -1 }
#define CHAN_RX_INIT		{ -1 }

/* For chan_tx_open() and chan_rx_open(): set %O_NONBLOCK on the file. */
#define CHAN_OPEN_NONBLOCK	0x1U

/**
 * chan_tx_open() - open the send end of a named channel
 * @name: which one.  ``chan0`` and the like, and ``chan-NAME``, are nodes in
 *	/dev; a name with a slash is a path; any other NAME is
 *	``/dev/chan-NAME``.
 * @flags: %CHAN_OPEN_NONBLOCK or 0.
 * @tx: where the end goes; %CHAN_TX_INIT after a failure.
 *
 * Does not wait for a receiver.  The file is close-on-exec and the caller's to
 * release.
 *
 * Returns: 0, %-EINVAL for an unknown flag, %-ENAMETOOLONG for a name that no
 * channel can have, %-ENOTTY when the file is no channel, or what open(2) gives:
 * %-ENOENT, %-EACCES, %-EMFILE ...
 *
 * Since: 0.1
 */
int chan_tx_open(const char *name, unsigned int flags, struct chan_tx *tx)
	CHAN_MUST_CHECK;

/**
 * chan_rx_open() - open the receive end of a named channel
 * @name: as in chan_tx_open().
 * @flags: %CHAN_OPEN_NONBLOCK or 0.
 * @rx: where the end goes; %CHAN_RX_INIT after a failure.
 *
 * Does not wait for a sender.  The file is close-on-exec and the caller's to
 * release.
 *
 * Returns: as chan_tx_open().
 *
 * Since: 0.1
 */
int chan_rx_open(const char *name, unsigned int flags, struct chan_rx *rx)
	CHAN_MUST_CHECK;

/**
 * chan_tx_from_fd() - make a send end of a file descriptor
 * @fd: a file on a channel, such as one inherited or received over a socket.
 * @tx: where the end goes; %CHAN_TX_INIT after a failure.
 *
 * On success @fd belongs to the end, and goes when the end is released.  On
 * failure it stays the caller's.  Does not wait.
 *
 * Returns: 0, %-ENOTTY when @fd is no channel, %-EBADF when it is not open or
 * cannot send.
 *
 * Since: 0.1
 */
int chan_tx_from_fd(int fd, struct chan_tx *tx) CHAN_MUST_CHECK;

/**
 * chan_rx_from_fd() - make a receive end of a file descriptor
 * @fd: a file on a channel, such as one inherited or received over a socket.
 * @rx: where the end goes; %CHAN_RX_INIT after a failure.
 *
 * On success @fd belongs to the end, and goes when the end is released.  On
 * failure it stays the caller's.  Does not wait.
 *
 * Returns: 0, %-ENOTTY when @fd is no channel, %-EBADF when it is not open or
 * cannot receive.
 *
 * Since: 0.1
 */
int chan_rx_from_fd(int fd, struct chan_rx *rx) CHAN_MUST_CHECK;

/**
 * chan_tx_release() - give a send end up
 * @tx: the end; %CHAN_TX_INIT afterwards.  An end that is not there is fine.
 *
 * An anonymous channel closes when its last send end goes, and its receivers
 * then find its end once they have drained it.  Does not wait.  A thread that is
 * waiting in chan_send() keeps the file open until it is done.
 *
 * Returns: 0, or %-EBADF when the file was not open.
 *
 * Since: 0.1
 */
int chan_tx_release(struct chan_tx *tx);

/**
 * chan_rx_release() - give a receive end up
 * @rx: the end; %CHAN_RX_INIT afterwards.  An end that is not there is fine.
 *
 * When the last receive end of an anonymous channel goes, its senders get
 * %-EPIPE and what it had buffered is dropped.  Does not wait.  A thread that is
 * waiting in chan_recv() keeps the file open until it is done.
 *
 * Returns: 0, or %-EBADF when the file was not open.
 *
 * Since: 0.1
 */
int chan_rx_release(struct chan_rx *rx);

/**
 * chan_pair() - make an anonymous channel
 * @capacity: how many messages it buffers, at most %CHAN_MAX_CAPACITY; with 0 a
 *	send waits until a receiver has taken the message.
 * @max_msg: the longest message in bytes, at most %CHAN_MAX_MSG; 0 stands for
 *	%CHAN_DEFAULT_MAX_MSG.
 * @flags: %CHAN_CREATE_NONBLOCK or 0.
 * @tx: where the send end goes; %CHAN_TX_INIT after a failure.
 * @rx: where the receive end goes; %CHAN_RX_INIT after a failure.
 *
 * Both files are close-on-exec and the caller's to release.  Does not wait.
 *
 * Returns: 0, %-EINVAL for a number out of range or an unknown flag, %-EDQUOT
 * when the user has too many channels or scopes, %-EMFILE, %-ENFILE, %-ENOMEM, or what
 * opening /dev/chanctl gives: %-ENOENT when the module is not loaded.
 *
 * Since: 0.1
 */
int chan_pair(unsigned int capacity, unsigned int max_msg, unsigned int flags,
	      struct chan_tx *tx, struct chan_rx *rx) CHAN_MUST_CHECK;

/**
 * chan_send() - send one message
 * @tx: the end to send on.
 * @buf: the message; it is copied, and free for other use after the call.
 * @len: how long it is.
 *
 * Waits until a receiver has taken the message, or on a buffered channel until
 * it is in the buffer.  The message goes whole or not at all.
 *
 * Returns: 0 when the message was handed over, else %-EPIPE the channel has
 * ended or nobody can ever receive, %-ENODEV the device was removed,
 * %-ECANCELED the scope was cancelled, %-EMSGSIZE longer than the channel takes,
 * %-EFAULT @buf cannot be read, %-EINTR interrupted by a signal, %-EAGAIN the
 * file has %O_NONBLOCK set and the call would have waited, %-ENOMEM, %-EBADF not
 * a send end, %-EOPNOTSUPP @len is 0 and the module cannot send an empty message.
 * With any error nothing was sent.
 *
 * Since: 0.1
 */
int chan_send(struct chan_tx tx, const void *buf, size_t len) CHAN_MUST_CHECK;

/**
 * chan_try_send() - send one message if that is possible at once
 * @tx: the end to send on.
 * @buf: the message; it is copied, and free for other use after the call.
 * @len: how long it is.
 *
 * Never waits, whatever %O_NONBLOCK says of the file, and leaves that flag
 * alone.  Succeeds if there is room in the buffer or a receiver is waiting, and
 * no sender is in line before it.
 *
 * Returns: as chan_send(), with %-EAGAIN where it would have waited; never
 * %-EINTR.
 *
 * Since: 0.1
 */
int chan_try_send(struct chan_tx tx, const void *buf, size_t len) CHAN_MUST_CHECK;

/**
 * chan_recv() - receive one message
 * @rx: the end to receive on.
 * @buf: where the message goes.
 * @size: how much room there is.
 * @len: out: how long the message was, which may be 0.  With %-EMSGSIZE the
 *	size needed, or 0 when the module does not tell.  0 in all other cases.
 *
 * Waits until a message is there or the channel has ended.
 *
 * Returns: 1 when a message was received; 0 at the end: closed without an error,
 * and everything received; else a negative error number.  The cause the channel
 * was closed with, negated, comes in place of 0 and comes every time.
 * %-ECANCELED the scope was cancelled, %-ENODEV the device was removed,
 * %-EMSGSIZE the first message in line is longer than @size and stays first,
 * %-EFAULT @buf cannot be written and the message stays first in line, %-EINTR
 * interrupted by a signal, %-EAGAIN the file has %O_NONBLOCK set and the call
 * would have waited, %-EBADMSG the message is empty, and the module hands such
 * out in another way, %-ENOMEM, %-EBADF not a receive end.
 *
 * Since: 0.1
 */
int chan_recv(struct chan_rx rx, void *buf, size_t size, size_t *len)
	CHAN_MUST_CHECK;

/**
 * chan_try_recv() - receive one message if one is there
 * @rx: the end to receive on.
 * @buf: where the message goes.
 * @size: how much room there is.
 * @len: out: as in chan_recv().
 *
 * Never waits, whatever %O_NONBLOCK says of the file, and leaves that flag
 * alone.  Succeeds if a message is buffered or a sender is waiting, and no
 * receiver is in line before it.
 *
 * Returns: as chan_recv(), with %-EAGAIN where it would have waited; never
 * %-EINTR.
 *
 * Since: 0.1
 */
int chan_try_recv(struct chan_rx rx, void *buf, size_t size, size_t *len)
	CHAN_MUST_CHECK;

/**
 * chan_close() - end a channel, and say why
 * @tx: one of its send ends, which stays open and is still to be released.
 * @cause: what receivers get when they have drained it: 0 for the plain end,
 *	else an error number such as %ECONNRESET, at most %CHAN_MAX_ERROR.
 *
 * Acts on the channel, so on everybody's ends.  Every send from now on, and every
 * one that is waiting, gets %-EPIPE.  Does not wait.  The first cause stands: to
 * close again, or after the channel ended otherwise, changes nothing and is 0.
 *
 * Choose a @cause that chan_recv() does not use for something else, such as
 * %EINTR, so that receivers can tell.
 *
 * Returns: 0, %-EBADF not a send end, %-EINVAL @cause out of range.
 *
 * Since: 0.1
 */
int chan_close(struct chan_tx tx, int cause);

/**
 * chan_tx_info() - look at the channel of a send end
 * @tx: the end.
 * @info: out: its numbers, all of one instant.
 * @size: sizeof(\*\ @info), so that the structure can grow.
 *
 * What the module does not know of a longer @info is zero.  Does not wait.
 *
 * Returns: 0, %-EINVAL @size is smaller than the structure ever was, %-E2BIG too
 * large for an ioctl, %-EBADF not open, %-ENOTTY no channel.
 *
 * Since: 0.1
 */
int chan_tx_info(struct chan_tx tx, struct chan_info *info, size_t size);

/**
 * chan_rx_info() - look at the channel of a receive end
 * @rx: the end.
 * @info: out: its numbers, all of one instant.
 * @size: sizeof(\*\ @info), so that the structure can grow.
 *
 * What the module does not know of a longer @info is zero.  Does not wait.
 *
 * Returns: as chan_tx_info().
 *
 * Since: 0.1
 */
int chan_rx_info(struct chan_rx rx, struct chan_info *info, size_t size);

/**
 * chan_version() - ask the module what it is
 * @version: out: the version of its interface, and the set of its features.
 * @size: sizeof(\*\ @version), so that the structure can grow.
 *
 * Does not wait.
 *
 * Returns: 0, %-EINVAL @size is smaller than the structure ever was, %-E2BIG too
 * large for an ioctl, or what opening /dev/chanctl gives: %-ENOENT when the
 * module is not loaded.
 *
 * Since: 0.1
 */
int chan_version(struct chan_version *version, size_t size);

/**
 * chan_library_version() - tell the version of the library in use
 *
 * Returns: a constant string such as ``0.1.0``, never to be freed.
 *
 * Since: 0.1
 */
const char *chan_library_version(void);

/**
 * chan_dev_add() - add a named channel
 * @name: it becomes ``/dev/chan-NAME``.  1 to 31 characters, each a letter, a
 *	digit, ``.``, ``_`` or ``-``.
 * @mode: permission bits of the node, at most 0777.
 * @capacity: as in chan_pair().
 * @max_msg: as in chan_pair().
 * @flags: 0.
 *
 * Needs CAP_SYS_ADMIN.  The channel stays until it is removed.
 *
 * Returns: 0, %-EPERM, %-EEXIST, %-EINVAL for a bad name or number, %-ENOSPC no
 * device number is left, %-ENOMEM, or what opening /dev/chanctl gives.
 *
 * Since: 0.1
 */
int chan_dev_add(const char *name, mode_t mode, unsigned int capacity,
		 unsigned int max_msg, unsigned int flags);

/**
 * chan_dev_remove() - remove a named channel
 * @name: the NAME it was added with.
 * @flags: 0.
 *
 * Needs CAP_SYS_ADMIN.  The node goes at once.  Ends that are open stay, and from
 * then on senders get %-ENODEV, and receivers too once they have drained it.
 *
 * Returns: 0, %-EPERM, %-ENOENT none was added of that name, %-EINVAL for a bad
 * name or flag, or what opening /dev/chanctl gives.
 *
 * Since: 0.1
 */
int chan_dev_remove(const char *name, unsigned int flags);

#ifdef __cplusplus
}
#endif

#endif /* _CHAN_H */
