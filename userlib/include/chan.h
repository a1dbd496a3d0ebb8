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
 * Time: a *timeout* is how long to wait, a *deadline* is the time of
 * CLOCK_MONOTONIC at which to give up; both in nanoseconds.  chan_deadline()
 * makes the one into the other.  An operation that is tried again after %-EINTR
 * keeps its deadline, so that it does not wait longer in all.
 *
 * Ownership: whoever opens or makes an end owns it, and gives it up with
 * chan_tx_release() or chan_rx_release().  Messages are copied; the library
 * keeps no pointer beyond the call.
 *
 * Threads: but for scopes, and what is made of them, the library has no state of
 * its own, no locks and no hidden allocations.  All functions may be called from any
 * number of threads at once, on the same end or scope too.  As with close(2), an end
 * must not be released, and a scope not be closed, while another thread may still
 * use it.
 *
 * fork() shares every end, and nothing needs to be done about it in the child.
 * An end stays open as long as any process has it, so release in each process
 * the ends it does not use: only then does a channel without senders close.
 * execve() closes the ends that the library has opened.  A scope stays with the
 * process that has opened it.
 *
 * Signals: a call that waits is restarted after a handler that was installed
 * with %SA_RESTART, and returns %-EINTR after one that was not.  The library
 * does not retry on its own, so that a handler can end a wait.  With %-EINTR
 * nothing was sent or received.  No call raises SIGPIPE.
 *
 * Thread cancellation: the calls that wait are cancellation points.  A thread
 * that is cancelled in the instant its operation happens may go without having
 * told: then a message has been sent, or is lost with the thread.
 */
#ifndef _CHAN_H
#define _CHAN_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <linux/chan.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header.  chan_library_version() tells the library's. */
#define LIBCHAN_VERSION		"0.4.0"

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
 * a send end, %-EOPNOTSUPP @len is 0 and the module is too old to send an empty
 * message.  With any error nothing was sent.
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
 *	size needed, or 0 when the module is too old to tell and when the channel
 *	was closed with that error.  0 in all other cases.
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
 * would have waited, %-EBADMSG the message is empty and the module too old to
 * hand it out, %-ENOMEM, %-EBADF not a receive end.
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

/* For a timeout, in nanoseconds: 500 * CHAN_MILLISECOND. */
#define CHAN_MICROSECOND	1000LL
#define CHAN_MILLISECOND	1000000LL
#define CHAN_SECOND		1000000000LL

/* The timeout of who waits as long as it takes. */
#define CHAN_FOREVER		(-1)

/**
 * chan_deadline() - turn a timeout into a deadline
 * @timeout: how long from now, in nanoseconds.  0 is not to wait at all, and less
 *	than 0, such as %CHAN_FOREVER, is for ever.
 *
 * To be asked once for a whole piece of work: all the calls that belong to it then
 * share the deadline.
 *
 * Returns: the time of CLOCK_MONOTONIC in nanoseconds.  0 for a @timeout of 0;
 * %CHAN_SELECT_FOREVER for ever, and for a time beyond what the clock can show.
 *
 * Since: 0.2
 */
uint64_t chan_deadline(int64_t timeout);

/**
 * chan_send_until() - send one message before a deadline
 * @tx: the end to send on.
 * @buf: the message; it is copied, and free for other use after the call.
 * @len: how long it is.
 * @deadline: when to give up, see chan_deadline(); 0 not to wait at all,
 *	%CHAN_SELECT_FOREVER to wait as long as it takes.
 *
 * Waits as chan_send() does, but no longer than until @deadline, whatever
 * %O_NONBLOCK says of the file.  What is possible at once happens even when the
 * deadline has passed.
 *
 * Returns: as chan_send(); %-ETIMEDOUT the deadline has passed, %-EAGAIN it is 0 and
 * the call would have waited, %-EOPNOTSUPP the file is no channel, or the module
 * is too old.  With any error nothing was sent.
 *
 * Since: 0.2
 */
int chan_send_until(struct chan_tx tx, const void *buf, size_t len,
		    uint64_t deadline) CHAN_MUST_CHECK;

/**
 * chan_recv_until() - receive one message before a deadline
 * @rx: the end to receive on.
 * @buf: where the message goes.
 * @size: how much room there is.
 * @len: out: as in chan_recv().
 * @deadline: when to give up, see chan_deadline(); 0 not to wait at all,
 *	%CHAN_SELECT_FOREVER to wait as long as it takes.
 *
 * Waits as chan_recv() does, but no longer than until @deadline, whatever
 * %O_NONBLOCK says of the file.  What is possible at once happens even when the
 * deadline has passed.
 *
 * Returns: as chan_recv(); %-ETIMEDOUT the deadline has passed, %-EAGAIN it is 0 and
 * the call would have waited, %-EOPNOTSUPP the file is no channel, or the module
 * is too old.
 *
 * Since: 0.2
 */
int chan_recv_until(struct chan_rx rx, void *buf, size_t size, size_t *len,
		    uint64_t deadline) CHAN_MUST_CHECK;

/**
 * struct chan_sender - who sent a message
 * @pid: the process, as the receiver's pid namespace numbers it; 0 if it has no
 *	number there, and below the initial namespace also if it has ended.
 * @uid: its real user when it sent, as the receiver's user namespace numbers it;
 *	the overflow user if it has no number there.
 *
 * The module vouches for both.  But the process may have ended since, and its
 * number have been used again.
 */
struct chan_sender {
	pid_t pid;
	uid_t uid;
};

/**
 * chan_recv_from() - receive one message, and learn who sent it
 * @rx: the end to receive on.
 * @buf: where the message goes.
 * @size: how much room there is.
 * @len: out: as in chan_recv().
 * @sender: out: who sent the message; 0 and -1 when none was received.  NULL if
 *	that is of no interest.
 * @deadline: as in chan_recv_until().
 *
 * Returns: as chan_recv_until().
 *
 * Since: 0.2
 */
int chan_recv_from(struct chan_rx rx, void *buf, size_t size, size_t *len,
		   struct chan_sender *sender, uint64_t deadline)
	CHAN_MUST_CHECK;

/*
 * The cases are made, and handed over, by inline functions: &struct chan_case may
 * grow, and how large it is for a program is what the program was built with.
 */

/**
 * chan_case_none() - a case that is never ready
 *
 * A place in the array can be kept by it while there is nothing to wait for.  A
 * case made of an end that is not there, such as %CHAN_TX_INIT, is one too.
 *
 * Returns: the case.
 *
 * Since: 0.2
 */
static inline struct chan_case chan_case_none(void)
{
	struct chan_case c;

	memset(&c, 0, sizeof(c));
	c.fd = -1;
	return c;
}

/**
 * chan_case_poll() - a case that waits for a file
 * @fd: any file that poll(2) can wait for: a socket, a timer, a process, an end ...
 * @events: what to wait for: ``POLLIN``, ``POLLOUT`` ...; ``POLLERR`` and
 *	``POLLHUP`` always count.
 *
 * When it happens, nothing has been consumed, and @chan_case.events tells the
 * events seen.
 *
 * Returns: the case.
 *
 * Since: 0.2
 */
static inline struct chan_case chan_case_poll(int fd, unsigned int events)
{
	struct chan_case c = chan_case_none();

	c.fd = fd;
	c.op = CHAN_POLL;
	c.events = events;
	return c;
}

/**
 * chan_case_send() - a case that sends one message
 * @tx: the end to send on.
 * @buf: the message; to be left alone until the select returns.
 * @len: how long it is, which may be 0.
 *
 * When it happens, @chan_case.status tells whether the message was handed over: 0,
 * or why none can be, as chan_send() returns it.
 *
 * Returns: the case.
 *
 * Since: 0.2
 */
static inline struct chan_case chan_case_send(struct chan_tx tx, const void *buf,
					      size_t len)
{
	struct chan_case c = chan_case_none();

	c.fd = tx.fd;
	c.op = CHAN_SEND;
	c.buf = (uintptr_t)buf;
	c.len = len < UINT32_MAX ? (uint32_t)len : UINT32_MAX;
	return c;
}

/**
 * chan_case_recv() - a case that receives one message
 * @rx: the end to receive on.
 * @buf: where the message goes; only touched if this case happens.
 * @size: how much room there is.
 *
 * When it happens, chan_case_received() tells what it came to, and
 * @chan_case.pid and @chan_case.uid tell who sent the message.
 *
 * Returns: the case.
 *
 * Since: 0.2
 */
static inline struct chan_case chan_case_recv(struct chan_rx rx, void *buf,
					      size_t size)
{
	struct chan_case c = chan_case_none();

	c.fd = rx.fd;
	c.op = CHAN_RECV;
	c.buf = (uintptr_t)buf;
	c.len = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
	return c;
}

/**
 * chan_case_never() - a case that never happens
 *
 * chan_case_none() by the name that it has beside chan_case_timer().
 *
 * Returns: the case.
 *
 * Since: 0.4
 */
static inline struct chan_case chan_case_never(void)
{
	return chan_case_none();
}

/**
 * struct chan_timer - a timer that a select can wait for
 * @fd: its file, see timerfd_create(2), or negative for one that never expires.
 */
struct chan_timer {
	int fd;
};

/* Initialiser for a timer that is not there; it never expires. */
#define CHAN_TIMER_INIT		{ -1 }

/**
 * chan_after() - make a timer that expires once
 * @timeout: how long from now, in nanoseconds; less than 0, such as
 *	%CHAN_FOREVER, is never.
 * @timer: where the timer goes; %CHAN_TIMER_INIT after a failure.
 *
 * Once it has expired its case stays possible, until chan_timer_ticks() has been
 * asked.  The file is close-on-exec and the caller's to release.  Does not wait.
 *
 * Returns: 0, %-EMFILE, %-ENFILE, %-ENOMEM.
 *
 * Since: 0.4
 */
int chan_after(int64_t timeout, struct chan_timer *timer) CHAN_MUST_CHECK;

/**
 * chan_tick() - make a timer that expires again and again
 * @interval: the time between, and until the first, in nanoseconds; less than 0,
 *	such as %CHAN_FOREVER, is never.
 * @timer: where the timer goes; %CHAN_TIMER_INIT after a failure.
 *
 * Who is late misses none: chan_timer_ticks() tells how many there were.  The
 * file is close-on-exec and the caller's to release.  Does not wait.
 *
 * Returns: 0, %-EINVAL @interval is 0, %-EMFILE, %-ENFILE, %-ENOMEM.
 *
 * Since: 0.4
 */
int chan_tick(int64_t interval, struct chan_timer *timer) CHAN_MUST_CHECK;

/**
 * chan_timer_ticks() - ask how often a timer has expired
 * @timer: the timer.
 *
 * What has been told is over, and the case of the timer is not possible again
 * before it next expires.  Several threads and processes that use one timer share
 * its expirations.  Does not wait.
 *
 * Returns: how often since this was asked last, which may be 0; a negative error
 * number, such as %-EBADF.
 *
 * Since: 0.4
 */
int chan_timer_ticks(struct chan_timer timer);

/**
 * chan_timer_release() - give a timer up
 * @timer: the timer; %CHAN_TIMER_INIT afterwards.  One that is not there is fine.
 *
 * Returns: 0, or %-EBADF when the file was not open.
 *
 * Since: 0.4
 */
int chan_timer_release(struct chan_timer *timer);

/**
 * chan_case_timer() - a case that waits for a timer
 * @timer: the timer.
 *
 * It stays possible until chan_timer_ticks() is asked.
 *
 * Returns: the case.
 *
 * Since: 0.4
 */
static inline struct chan_case chan_case_timer(struct chan_timer timer)
{
	return chan_case_poll(timer.fd, POLLIN);
}

/**
 * chan_case_received() - tell what a receive case came to
 * @c: the case that the select returned.
 * @len: out: as in chan_recv().
 *
 * Does not wait.
 *
 * Returns: as chan_recv(): 1 when a message was received, 0 at the end, else a
 * negative error number.  %-EINVAL @c is no receive case.
 *
 * Since: 0.2
 */
int chan_case_received(const struct chan_case *c, size_t *len) CHAN_MUST_CHECK;

/**
 * chan_select_sized() - do one of several things, for any size of a case
 * @cases: the things to choose from, in memory that can be written.
 * @n: how many there are, at most %CHAN_SELECT_MAX; 0 only waits.
 * @case_size: sizeof(\*\ @cases), so that the structure can grow.
 * @flags: %CHAN_SELECT_PRIORITY or 0.
 * @deadline: as in chan_select_until().
 * @culprit: as in chan_select_until().
 *
 * What chan_select() and chan_select_until() are made of, and what there is for
 * languages that cannot use these.
 *
 * Returns: as chan_select_until(); also %-EINVAL @case_size is less than the
 * structure ever was or no multiple of 8, %-E2BIG it is too large.
 *
 * Since: 0.2
 */
int chan_select_sized(struct chan_case *cases, unsigned int n, size_t case_size,
		      unsigned int flags, uint64_t deadline,
		      unsigned int *culprit) CHAN_MUST_CHECK;

/**
 * chan_select_until() - do one of several things before a deadline
 * @cases: the things to choose from, in memory that can be written.
 * @n: how many there are, at most %CHAN_SELECT_MAX; 0 only waits.
 * @flags: 0, or %CHAN_SELECT_PRIORITY to take the first of several that are
 *	possible.
 * @deadline: when to give up, see chan_deadline(); 0 not to wait at all,
 *	%CHAN_SELECT_FOREVER to wait as long as it takes.
 * @culprit: out: the case that the call has failed for, else %CHAN_SELECT_NONE.
 *	NULL if that is of no interest.
 *
 * As chan_select() in all else.
 *
 * Returns: as chan_select(); also %-EINVAL for an unknown flag.
 *
 * Since: 0.2
 */
CHAN_MUST_CHECK
static inline int chan_select_until(struct chan_case *cases, unsigned int n,
				    unsigned int flags, uint64_t deadline,
				    unsigned int *culprit)
{
	return chan_select_sized(cases, n, sizeof(*cases), flags, deadline,
				 culprit);
}

/**
 * chan_select() - do one of several things, the first that is possible
 * @cases: the things to choose from, in memory that can be written.
 * @n: how many there are, at most %CHAN_SELECT_MAX; 0 only waits.
 * @timeout: how long to wait, in nanoseconds; 0 not at all, less than 0, such as
 *	%CHAN_FOREVER, as long as it takes.
 *
 * Waits until one of @cases is possible, does it, and leaves no trace of the
 * others.  If several are possible, each has the same chance.  That an end has
 * ended makes its case possible, and @chan_case.status tells.  %O_NONBLOCK does
 * not matter.
 *
 * The case that has happened is written to: @chan_case.len and @chan_case.events
 * then hold what came of it, so make the cases anew for the next call.
 *
 * Without a case that sends or receives the call opens /dev/chanctl while it
 * lasts.
 *
 * Returns: the index of the case that has happened.  Or an error, and nothing has
 * happened: %-EAGAIN nothing was possible and @timeout is 0, %-ETIMEDOUT it has
 * passed, %-EINTR interrupted by a signal, %-EINVAL too many cases, %-ENOMEM,
 * %-EFAULT @cases cannot be written, %-EOPNOTSUPP the module is too old, or what
 * opening /dev/chanctl gives.  Or for one of the cases: %-EBADF its end or file is
 * not open, or not for this direction, %-EINVAL not an end, %-EPERM a file that
 * cannot be polled, %-EMSGSIZE a message longer than the channel takes, %-EFAULT a
 * message that cannot be read, or room that cannot be written.
 *
 * Since: 0.2
 */
CHAN_MUST_CHECK
static inline int chan_select(struct chan_case *cases, unsigned int n,
			      int64_t timeout)
{
	return chan_select_until(cases, n, 0, chan_deadline(timeout), NULL);
}

/**
 * struct chan_iter - a loop over the messages of a channel
 * @rx: the end.
 * @buf: where the messages go, one after the other.
 * @size: how much room there is.
 * @len: how long the present message is; after %-EMSGSIZE the size needed.
 * @deadline: when to give up.
 * @ret: what the last receive has returned.
 *
 * It owns nothing: leave the loop whenever you like, and release the end as any
 * other.  One thread may use it at a time.
 */
struct chan_iter {
	struct chan_rx rx;
	void *buf;
	size_t size;
	size_t len;
	uint64_t deadline;
	int ret;
};

/**
 * chan_iter_until() - begin a loop that ends at a deadline
 * @rx: the end to receive on; it stays the caller's.
 * @buf: where the messages go.
 * @size: how much room there is.
 * @deadline: as in chan_recv_until(), for the whole loop.
 *
 * Does not receive, and does not wait.
 *
 * Returns: the loop, for chan_next().
 *
 * Since: 0.4
 */
static inline struct chan_iter chan_iter_until(struct chan_rx rx, void *buf,
					       size_t size, uint64_t deadline)
{
	struct chan_iter it;

	it.rx = rx;
	it.buf = buf;
	it.size = size;
	it.len = 0;
	it.deadline = deadline;
	it.ret = 1;
	return it;
}

/**
 * chan_iter() - begin a loop over the messages of a channel
 * @rx: the end to receive on; it stays the caller's.
 * @buf: where the messages go.
 * @size: how much room there is.
 *
 * ::
 *
 *	struct chan_iter it = chan_iter(rx, buf, sizeof(buf));
 *
 *	while (chan_next(&it))
 *		use(buf, it.len);
 *	if (chan_iter_error(&it))
 *		...
 *
 * Returns: the loop, for chan_next().
 *
 * Since: 0.4
 */
static inline struct chan_iter chan_iter(struct chan_rx rx, void *buf,
					 size_t size)
{
	return chan_iter_until(rx, buf, size, CHAN_SELECT_FOREVER);
}

/**
 * chan_next() - receive the next message of a loop
 * @it: the loop; a message is in @chan_iter.buf, and @chan_iter.len bytes long.
 *
 * Waits as chan_recv_until() does.  After the end, and after an error, it does
 * not receive again.
 *
 * Returns: 1 when there is a message, 0 when the loop is over.
 *
 * Since: 0.4
 */
CHAN_MUST_CHECK
static inline int chan_next(struct chan_iter *it)
{
	if (it->ret > 0)
		it->ret = chan_recv_until(it->rx, it->buf, it->size, &it->len,
					  it->deadline);
	return it->ret > 0;
}

/**
 * chan_iter_error() - tell why a loop is over
 * @it: the loop.
 *
 * Returns: 0 at the end of the channel, or when the loop was left before; else
 * the negative error number that chan_recv_until() has returned.
 *
 * Since: 0.4
 */
CHAN_MUST_CHECK
static inline int chan_iter_error(const struct chan_iter *it)
{
	return it->ret < 0 ? it->ret : 0;
}

/* What a callback returns when it has seen enough. */
#define CHAN_STOP		1

/**
 * chan_for_each() - call a function for each message of a channel
 * @rx: the end to receive on; it stays the caller's.
 * @buf: where the messages go.
 * @size: how much room there is.
 * @fn: the function.  0 goes on; %CHAN_STOP ends the loop, and so does a negative
 *	error number.
 * @arg: what it is handed.
 *
 * Runs in the caller, and waits as chan_recv() does, whatever %O_NONBLOCK says of
 * the file.
 *
 * Returns: 0 at the end of the channel, %CHAN_STOP or the error that @fn has
 * returned, or the error of the receive.
 *
 * Since: 0.4
 */
CHAN_MUST_CHECK
static inline int chan_for_each(struct chan_rx rx, void *buf, size_t size,
				int (*fn)(void *msg, size_t len, void *arg),
				void *arg)
{
	struct chan_iter it = chan_iter(rx, buf, size);
	int ret = 0;

	while (!ret && chan_next(&it))
		ret = fn(it.buf, it.len, arg);
	return ret ? ret : chan_iter_error(&it);
}

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
 * %EINTR or %EMSGSIZE, so that receivers can tell.
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
 * Returns: a constant string such as ``0.4.0``, never to be freed.
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

/*
 * struct chan_scope: channels, and child processes that end together.  It is
 * made by chan_scope_open() and gone with chan_scope_close().
 *
 * A scope belongs to the process that has opened it, all threads of which may
 * use it at once.  It does not go through fork(): in the child, be it the
 * program's own or one that was spawned, its files are closed, and whatever is
 * called on it is %-EBADF, but chan_scope_close(), which frees the memory, and
 * chan_scope_failures(), which asks nobody.
 */
struct chan_scope;

/* For @chan_scope_options.signal: nothing. */
#define CHAN_SCOPE_NO_SIGNAL	(-1)
/* For @chan_scope_options.grace: none, who is left is killed at once. */
#define CHAN_SCOPE_GRACE_NONE	1ULL

/**
 * struct chan_scope_options - what a scope is to be like
 * @size: sizeof(struct chan_scope_options), so that the structure can grow.
 * @flags: %CHAN_SCOPE_DETECT_DEADLOCK or 0.
 * @deadline: when the scope is cancelled with %ETIMEDOUT, see chan_deadline();
 *	0 or %CHAN_SELECT_FOREVER for never.
 * @grace: how long after the cancel those who are left are killed, in
 *	nanoseconds; 0 for %CHAN_SCOPE_GRACE_DEFAULT (5 s),
 *	%CHAN_SCOPE_GRACE_NONE for at once, %CHAN_SCOPE_GRACE_NEVER for never.
 * @signal: what everybody in the scope is sent when it is cancelled; 0 for
 *	%SIGTERM, %CHAN_SCOPE_NO_SIGNAL for nothing.
 * @limit: how many children may run at a time; 0 for any number.
 *
 * All but @size can be left 0.
 */
struct chan_scope_options {
	uint32_t size;
	uint32_t flags;
	uint64_t deadline;
	uint64_t grace;
	int32_t signal;
	uint32_t limit;
};

/**
 * enum chan_child_end - how a child has ended
 * @CHAN_CHILD_NONE: there is no such child.
 * @CHAN_CHILD_EXITED: it exited, @chan_child.status is its exit status.
 * @CHAN_CHILD_KILLED: @chan_child.status is the signal that killed it.
 * @CHAN_CHILD_FAILED: its function returned an error, @chan_child.status is the
 *	error number.
 * @CHAN_CHILD_LOST: somebody else has waited for it, or ``SIGCHLD`` is ignored,
 *	so that nobody can tell.  @chan_child.status is 0.
 */
enum chan_child_end {
	CHAN_CHILD_NONE		= 0,
	CHAN_CHILD_EXITED	= 1,
	CHAN_CHILD_KILLED	= 2,
	CHAN_CHILD_FAILED	= 3,
	CHAN_CHILD_LOST		= 4,
};

/**
 * struct chan_child - a child that has ended
 * @number: its place among the children of its scope, from 0 on.
 * @pid: its process id, which may be somebody else's by now.
 * @end: an &enum chan_child_end.
 * @status: exit status, signal or error number, as @end says.
 * @arg: the ``arg`` or the ``argv`` that it was spawned with.
 * @reserved: 0.
 */
struct chan_child {
	unsigned int number;
	pid_t pid;
	unsigned int end;
	int status;
	const void *arg;
	uintptr_t reserved[4];
};

/**
 * chan_scope_open() - open a scope
 * @options: what it is to be like; NULL for all defaults.
 * @scope: where the scope goes; NULL after a failure.
 *
 * It lies inside the scope that the caller runs in, without being told: in a
 * child of chan_scope_spawn() that is the scope it was spawned into.  When an
 * outer one is cancelled, so is this.  When the caller dies, everybody in it is
 * cancelled.
 *
 * Does not wait.  Takes three file descriptors, close-on-exec, and a process
 * id: a child that has exited at once, unseen by wait(2), keeps the number of
 * the process group.
 *
 * Returns: 0, %-EINVAL for @options that are not valid, %-E2BIG they have more
 * than this library knows, %-EDQUOT the user has too many channels or scopes,
 * %-ECANCELED the scope outside is cancelled, %-EAGAIN the user has too many
 * processes, %-EMFILE, %-ENFILE, %-ENOMEM, %-EOPNOTSUPP the module is too old,
 * or what opening /dev/chanctl gives.
 *
 * Since: 0.3
 */
int chan_scope_open(const struct chan_scope_options *options,
		    struct chan_scope **scope) CHAN_MUST_CHECK;

/**
 * chan_scope_pair() - make an anonymous channel in a scope
 * @scope: the scope.
 * @capacity: as in chan_pair().
 * @max_msg: as in chan_pair().
 * @flags: as in chan_pair().
 * @tx: where the send end goes; %CHAN_TX_INIT after a failure.
 * @rx: where the receive end goes; %CHAN_RX_INIT after a failure.
 *
 * As chan_pair(), but the channel is of use to the owner of the scope and to
 * those in it alone: others get %-EACCES.  When the scope is cancelled every
 * operation on it is %-ECANCELED, and when it ends the channel does, too.
 *
 * Returns: as chan_pair(); %-ECANCELED the scope is cancelled.
 *
 * Since: 0.3
 */
int chan_scope_pair(struct chan_scope *scope, unsigned int capacity,
		    unsigned int max_msg, unsigned int flags,
		    struct chan_tx *tx, struct chan_rx *rx) CHAN_MUST_CHECK;

/**
 * chan_scope_adopt() - take a named channel into a scope
 * @scope: the scope.
 * @fd: the only open end of the channel: @chan_tx.fd or @chan_rx.fd.
 *
 * From now until the scope ends the channel is as one of chan_scope_pair();
 * then it is what it was before, without what was in it.
 *
 * Returns: 0, %-EBUSY there is another open end or a message in the channel, or
 * it is in a scope, %-ECANCELED the scope is cancelled, %-ENODEV the device was
 * removed, %-EINVAL not an end of a named channel, %-EBADF not open.
 *
 * Since: 0.3
 */
int chan_scope_adopt(struct chan_scope *scope, int fd) CHAN_MUST_CHECK;

/**
 * chan_scope_spawn() - run a function in a child process, in the scope
 * @scope: the scope.
 * @fn: the function.  0 is success, 1 to 255 a failure as of a program, and a
 *	negative error number down to -%CHAN_MAX_ERROR a failure that everybody
 *	is told; what is beyond counts as 255.
 * @arg: what it is handed.
 *
 * If the scope has a limit and as many children run, waits until one has ended.
 *
 * The child is in the scope before @fn begins.  While it lives it takes one
 * file descriptor of the parent.  It starts with all signals unblocked, and
 * handled ones at their default, as after execve(); those that are ignored stay
 * so, but for the one that the scope sends on cancel.  All the open scopes of
 * the parent are closed in it.  Everything else is as after fork(): all other
 * files are open, and memory is a copy.
 *
 * When @fn returns, the child flushes ``stdout`` and is gone by _exit(): no
 * handler of atexit() runs.  In the parent ``stdout`` is flushed first, so that
 * nothing is written twice; the same is due to other streams that the child
 * writes to.
 *
 * Returns: the process id; %-ECANCELED the scope is cancelled, %-EAGAIN the
 * user has too many processes, %-EINTR interrupted by a signal while it waited,
 * %-EPERM the caller has left the session that it opened the scope in,
 * %-EMFILE, %-ENFILE, %-ENOMEM, %-EBADF the scope is another process's.
 *
 * Since: 0.3
 */
pid_t chan_scope_spawn(struct chan_scope *scope, int (*fn)(void *arg), void *arg)
	CHAN_MUST_CHECK;

/**
 * chan_scope_try_spawn() - run a function in a child, if the limit allows
 * @scope: the scope.
 * @fn: as in chan_scope_spawn().
 * @arg: as in chan_scope_spawn().
 *
 * As chan_scope_spawn(), but does not wait.
 *
 * Returns: as chan_scope_spawn(); %-EBUSY as many children run as the limit
 * allows; never %-EINTR.
 *
 * Since: 0.3
 */
pid_t chan_scope_try_spawn(struct chan_scope *scope, int (*fn)(void *arg),
			   void *arg) CHAN_MUST_CHECK;

/**
 * struct chan_command_fd - a file that a command is handed
 * @fd: the file, as the caller numbers it.
 * @as: how the command is to number it: 0 for its standard input ...
 */
struct chan_command_fd {
	int fd;
	int as;
};

/**
 * chan_scope_spawn_command() - run a program as a child process, in the scope
 * @scope: the scope.
 * @argv: name and arguments, then NULL.  A name without a slash is looked for
 *	in the ``PATH`` of the caller.
 * @envp: the environment, then NULL.  NULL alone stands for the caller's own.
 * @fds: files that it is handed, all at once: ``{ { 3, 4 }, { 4, 3 } }`` swaps
 *	two.  That they are close-on-exec does not matter.
 * @nfds: how many these are.
 *
 * If the scope has a limit and as many children run, waits until one has ended.
 *
 * The program is in the scope before it begins.  Its signals are as told in
 * chan_scope_spawn().  Of the caller's files it has the ones in @fds, and those
 * that are not close-on-exec.  When the call returns the program runs; if it
 * cannot be run the call fails, and the scope is as it was.
 *
 * Returns: as chan_scope_spawn(), or what execve(2) gives: %-ENOENT, %-EACCES,
 * %-ENOEXEC ...; %-EBADF a file in @fds is not open; %-EINVAL @argv is empty.
 *
 * Since: 0.3
 */
pid_t chan_scope_spawn_command(struct chan_scope *scope, char *const argv[],
			       char *const envp[],
			       const struct chan_command_fd *fds,
			       unsigned int nfds) CHAN_MUST_CHECK;

/**
 * chan_scope_try_spawn_command() - run a program, if the limit allows
 * @scope: the scope.
 * @argv: as in chan_scope_spawn_command().
 * @envp: as in chan_scope_spawn_command().
 * @fds: as in chan_scope_spawn_command().
 * @nfds: how many these are.
 *
 * As chan_scope_spawn_command(), but does not wait for another child.
 *
 * Returns: as chan_scope_spawn_command(); %-EBUSY as many children run as the
 * limit allows; never %-EINTR.
 *
 * Since: 0.3
 */
pid_t chan_scope_try_spawn_command(struct chan_scope *scope, char *const argv[],
				   char *const envp[],
				   const struct chan_command_fd *fds,
				   unsigned int nfds) CHAN_MUST_CHECK;

/**
 * chan_scope_set_signal() - say what is sent when a scope is cancelled
 * @scope: the scope.
 * @signal: as in &struct chan_scope_options.
 *
 * So that a program that was sent a signal can pass on that one.  Does not
 * wait.
 *
 * Returns: 0, %-ECANCELED the scope is cancelled, %-EINVAL not a signal,
 * %-EBADF the scope is another process's.
 *
 * Since: 0.3
 */
int chan_scope_set_signal(struct chan_scope *scope, int signal);

/**
 * chan_scope_cancel() - cancel a scope, and every scope inside it
 * @scope: the scope.
 * @cause: what chan_scope_wait() returns for it, an error number up to
 *	%CHAN_MAX_ERROR but %EINTR and %EBUSY; 0 for %ECANCELED.
 *
 * Everybody in it is sent its signal, and is killed when its time of grace is
 * over.  Every operation on its channels is %-ECANCELED, and so is every spawn.
 * Does not wait.  The first cause stands: to cancel again changes nothing and
 * is 0.
 *
 * May be called in signal handlers.
 *
 * Returns: 0, %-EINVAL @cause is none of these, %-EBADF the scope is another
 * process's.
 *
 * Since: 0.3
 */
int chan_scope_cancel(struct chan_scope *scope, int cause);

/**
 * chan_scope_wait_until() - wait until nobody is left, or for a deadline
 * @scope: the scope.
 * @first: out: the child that the scope was cancelled for; its @chan_child.end
 *	is %CHAN_CHILD_NONE if it was not cancelled, or for something else.
 *	NULL if that is of no interest.
 * @deadline: when to give up, see chan_deadline(); 0 not to wait at all,
 *	%CHAN_SELECT_FOREVER to wait as long as it takes.
 *
 * As chan_scope_wait() in all else.  With @deadline 0 this is what there is to
 * be called when chan_scope_fd() is ready.
 *
 * Returns: as chan_scope_wait(); also %-EBUSY somebody is left at @deadline.
 *
 * Since: 0.3
 */
int chan_scope_wait_until(struct chan_scope *scope, struct chan_child *first,
			  uint64_t deadline) CHAN_MUST_CHECK;

/**
 * chan_scope_wait() - wait until nobody is left in a scope
 * @scope: the scope.
 * @first: out: as in chan_scope_wait_until().
 *
 * Waits for all: the children, what these have forked, and the scopes inside.
 * Also after the scope was cancelled.
 *
 * The first child that fails cancels the scope.  The cause is the error number
 * that its function has returned; it is %ECHILD when its exit status was not 0,
 * a signal has killed it, or the error is one that this call has another use
 * for, %EINTR or %EBUSY.  It happens while somebody is in chan_scope_wait() or
 * in a spawn, not by itself; see chan_scope_fd() for who has other things to
 * wait for.  That others fail after that, with %ECANCELED say, changes nothing.
 *
 * Returns: 0 when nobody is left and all is well: nobody has failed, and the
 * scope was not cancelled.  Else the first cause, as a negative error number:
 * that of a child as above, %-ETIMEDOUT the deadline of the scope, %-EDEADLK
 * everybody waited for everybody, what chan_scope_cancel() was called with, or
 * the cause of an outer scope (%-ECANCELED if that is %EINTR or %EBUSY, which
 * programs without this library can choose).  Or an error of the call, and
 * somebody is left: %-EINTR interrupted by a signal, %-EBADF the scope is another
 * process's.
 *
 * Since: 0.3
 */
CHAN_MUST_CHECK
static inline int chan_scope_wait(struct chan_scope *scope,
				  struct chan_child *first)
{
	return chan_scope_wait_until(scope, first, CHAN_SELECT_FOREVER);
}

/**
 * chan_scope_failures() - list all children that have failed
 * @scope: the scope.
 * @list: out: the first @n of them, in the order in which they have ended.
 *	Those that ended so because the scope was cancelled are among them.
 * @n: how many there is room for.
 *
 * Does not wait, and does not look for children that have ended since the last
 * call that did.
 *
 * Returns: how many have failed in all, which may be more than @n.
 *
 * Since: 0.3
 */
int chan_scope_failures(struct chan_scope *scope, struct chan_child *list,
			unsigned int n);

/**
 * chan_scope_fd() - the file to wait for with poll(2), or in a select
 * @scope: the scope.
 *
 * It is readable when a child has ended or the scope was cancelled, and no call
 * has noticed yet, or when nobody is left in the scope.  Then call
 * chan_scope_wait_until() with a deadline of 0.  The file belongs to the scope.
 *
 * Returns: the file descriptor, %-EMFILE, %-ENFILE, %-ENOMEM, %-EBADF the scope
 * is another process's.
 *
 * Since: 0.3
 */
int chan_scope_fd(struct chan_scope *scope);

/**
 * chan_scope_info() - look at a scope
 * @scope: the scope.
 * @info: out: its numbers.
 * @size: sizeof(\*\ @info), so that the structure can grow.
 *
 * What the module does not know of a longer @info is zero.  Does not wait.
 *
 * Returns: 0, %-EINVAL @size is smaller than the structure ever was, %-E2BIG
 * too large for an ioctl, %-EBADF the scope is another process's.
 *
 * Since: 0.3
 */
int chan_scope_info(struct chan_scope *scope, struct chan_scope_info *info,
		    size_t size);

/**
 * chan_scope_close() - end a scope
 * @scope: the scope; NULL is fine.  No other thread may be using it.
 *
 * If somebody is left in it, it is cancelled with %ECANCELED.  Then waits until
 * all are gone, which no signal and no pthread_cancel() ends, and gives up all
 * that the scope has: its files, its zombies, its memory.
 *
 * Returns: as chan_scope_wait() does when nobody is left.
 *
 * Since: 0.3
 */
int chan_scope_close(struct chan_scope *scope);

/*
 * Streams: a pipeline of channels, whose stages are children of a scope.
 *
 * A stage is made in one call, which takes the end that it receives on and puts
 * the one that its results come out of in its place.  If the call fails that end
 * is as it was.  So a pipeline is one variable, which each call makes longer, and
 * its owner receives from it, hands it on or releases it as any other end.
 *
 * Start: a stage does nothing before somebody waits for its first message, in a
 * receive or a select; poll(2) is not enough.  Only if it has a @capacity of its
 * own is that filled at once.
 *
 * End: when a stream has ended, so do its stages, in order.  An error goes down
 * the stream: who receives gets what came before it, and then the error.  An end
 * that is released goes up: all stages before it end, be they waiting or about to
 * send, and nobody is told an error.  What is cancelled ends at once, for stages
 * are in the scope as any child is.
 *
 * A stage that dies, by a signal or _exit(), cannot say so; its stream ends as if
 * all was well.  The scope knows: chan_scope_wait() is %-ECHILD then.
 *
 * Functions run in the processes of the stages.  @arg, and all other memory, is a
 * copy there, one for each worker.  All files are open, except that of channels a
 * stage has its own ends, standard input, output and error, and the ones in
 * @chan_stream_options.keep, and no others: so no channel stays open for a stage
 * that does not use it.
 *
 * Each stage counts for the limit of the scope.  None of the calls waits, and they
 * are as safe with threads as chan_scope_spawn().
 */

/**
 * struct chan_stream_options - what a stage is to be like
 * @size: sizeof(struct chan_stream_options), so that the structure can grow.
 * @capacity: how many messages are buffered behind it, as in chan_pair().
 * @max_msg: the longest message that comes out of it, in bytes; 0 for what comes
 *	in, for a source %CHAN_DEFAULT_MAX_MSG, and for a batch as much as fits.
 * @nkeep: how many there are in @keep.
 * @keep: files on other channels, which the function uses.
 *
 * All but @size can be left 0.
 */
struct chan_stream_options {
	uint32_t size;
	uint32_t capacity;
	uint32_t max_msg;
	uint32_t nkeep;
	const int *keep;
};

/**
 * chan_source() - a stream of what a function sends
 * @scope: where it runs, as one child.
 * @rx: out: the end that the messages come out of; %CHAN_RX_INIT after a failure.
 * @fn: sends them on @tx, and returns 0 when that was all, or a negative error
 *	number for who receives.  %-EPIPE is no error: nobody wants more.
 * @arg: what it is handed, a copy.
 * @options: what the source is to be like; NULL for all defaults.
 *
 * @fn is not called before somebody waits for the first message, and not at all if
 * nobody does.  Once nobody can receive, its next chan_send() is %-EPIPE.
 *
 * Returns: 0; what chan_scope_pair() and chan_scope_try_spawn() return when they
 * fail: %-ECANCELED, %-EBUSY the limit of the scope, %-EAGAIN, %-EDQUOT, %-EMFILE,
 * %-ENFILE, %-ENOMEM, %-EBADF; %-EINVAL @options are not valid, %-E2BIG they have
 * more than this library knows.
 *
 * Since: 0.4
 */
int chan_source(struct chan_scope *scope, struct chan_rx *rx,
		int (*fn)(struct chan_tx tx, void *arg), void *arg,
		const struct chan_stream_options *options) CHAN_MUST_CHECK;

/**
 * chan_map() - a stream of what a function makes of each message
 * @scope: where it runs, as @workers children.
 * @rx: in: the messages; out: the results.
 * @workers: how many work at a time.
 * @fn: makes a result of the message @msg of @len bytes.  It goes to @out, where
 *	there is room for \*\ @out_len bytes, and its length to @out_len.  0, or a
 *	negative error number that ends the stream.
 * @arg: what it is handed, a copy for each worker.
 * @options: what the stage is to be like; NULL for all defaults.
 *
 * With several workers the results come in the order in which they are ready.
 * An error of @fn ends the stream at once, and the results of other workers that
 * are not ready yet are lost.  An error that comes in is behind all results.
 *
 * Returns: as chan_source(); %-EINVAL @workers is 0, %-EBADF or %-ENOTTY @rx is no
 * end to receive on.
 *
 * Since: 0.4
 */
int chan_map(struct chan_scope *scope, struct chan_rx *rx, unsigned int workers,
	     int (*fn)(const void *msg, size_t len, void *out, size_t *out_len,
		       void *arg),
	     void *arg, const struct chan_stream_options *options)
	CHAN_MUST_CHECK;

/**
 * chan_map_ordered() - as chan_map(), in the order of the messages
 * @scope: where it runs, as @workers children.
 * @rx: in: the messages; out: the results.
 * @workers: how many work at a time.
 * @fn: as in chan_map().
 * @arg: as in chan_map().
 * @options: as in chan_map().
 *
 * The result of the first message comes first.  One that takes long holds up
 * those behind it, of which as many are taken and worked on as there are workers.
 * An error of @fn stands where its result would have stood.
 *
 * Takes 4 @workers more file descriptors while it is called, and as many halves of
 * channels of the scope as long as it runs.
 *
 * Returns: as chan_map().
 *
 * Since: 0.4
 */
int chan_map_ordered(struct chan_scope *scope, struct chan_rx *rx,
		     unsigned int workers,
		     int (*fn)(const void *msg, size_t len, void *out,
			       size_t *out_len, void *arg),
		     void *arg, const struct chan_stream_options *options)
	CHAN_MUST_CHECK;

/**
 * chan_filter() - a stream of those messages that are wanted
 * @scope: where it runs, as one child.
 * @rx: in: all messages; out: those for which @fn is more than 0.
 * @fn: 1 to keep the message @msg of @len bytes, 0 to drop it, or a negative
 *	error number that ends the stream.
 * @arg: what it is handed, a copy.
 * @options: what the stage is to be like; NULL for all defaults.
 *
 * Returns: as chan_map().
 *
 * Since: 0.4
 */
int chan_filter(struct chan_scope *scope, struct chan_rx *rx,
		int (*fn)(const void *msg, size_t len, void *arg), void *arg,
		const struct chan_stream_options *options) CHAN_MUST_CHECK;

/**
 * chan_take() - a stream of the first messages
 * @scope: where it runs, as one child.
 * @rx: in: all messages; out: the first @n.
 * @n: how many.
 * @options: what the stage is to be like; NULL for all defaults.
 *
 * After the last of them it ends, and so do the stages before it.  With @n 0 it
 * receives nothing.
 *
 * Returns: as chan_map().
 *
 * Since: 0.4
 */
int chan_take(struct chan_scope *scope, struct chan_rx *rx, uint64_t n,
	      const struct chan_stream_options *options) CHAN_MUST_CHECK;

/**
 * chan_timeout() - a stream that fails when it pauses for too long
 * @scope: where it runs, as one child.
 * @rx: in: the messages; out: the same, or the error %-ETIMEDOUT.
 * @timeout: how long it may wait for a message, in nanoseconds; less than 0, such
 *	as %CHAN_FOREVER, is as long as it takes.
 * @options: what the stage is to be like; NULL for all defaults.
 *
 * The time begins when the stage starts, and again when it has handed a message
 * on.  So one who is slow to receive is not blamed.
 *
 * Returns: as chan_map().
 *
 * Since: 0.4
 */
int chan_timeout(struct chan_scope *scope, struct chan_rx *rx, int64_t timeout,
		 const struct chan_stream_options *options) CHAN_MUST_CHECK;

/**
 * chan_batch() - a stream of batches of messages
 * @scope: where it runs, as one child.
 * @rx: in: the messages; out: batches, for chan_batch_next().
 * @count: how many there are in one at most.
 * @timeout: how long the first of them waits for others, in nanoseconds; 0 not at
 *	all, less than 0, such as %CHAN_FOREVER, for as long as it takes.
 * @options: what the stage is to be like; NULL for all defaults.
 *
 * A batch is handed on when it has @count messages or has no room for another
 * one of the greatest length, when the time is over, and at the end or error of
 * what comes in.  None is empty.
 *
 * Returns: as chan_map(); %-EINVAL @count is 0, %-EMSGSIZE a batch would have no
 * room for one message.
 *
 * Since: 0.4
 */
int chan_batch(struct chan_scope *scope, struct chan_rx *rx, unsigned int count,
	       int64_t timeout, const struct chan_stream_options *options)
	CHAN_MUST_CHECK;

/*
 * How a message stands in a batch: &struct chan_batch_item, its bytes, and zeros
 * up to a multiple of 8.
 */

/**
 * struct chan_batch_item - what is before each message of a batch
 * @len: how many bytes it has.
 * @reserved: 0.
 */
struct chan_batch_item {
	uint32_t len;
	uint32_t reserved;
};

/* How much room a message of @len bytes takes in a batch. */
#define CHAN_BATCH_ROOM(len) \
	(sizeof(struct chan_batch_item) + (((size_t)(len) + 7) / 8 * 8))

/**
 * chan_batch_next() - the next message of a batch
 * @batch: a message of chan_batch(); if it is aligned to 8, all in it are.
 * @size: how long that is.
 * @at: where to go on; 0 for the first, and changed for the next.
 * @len: out: how long the message is.
 *
 * Returns: the message, which lies in @batch; NULL after the last, or when the
 * rest is no message.
 *
 * Since: 0.4
 */
static inline const void *chan_batch_next(const void *batch, size_t size,
					  size_t *at, size_t *len)
{
	const char *item = (const char *)batch + *at;
	struct chan_batch_item head;

	*len = 0;
	if (*at > size || size - *at < sizeof(head))
		return NULL;
	memcpy(&head, item, sizeof(head));
	if (head.len > size - *at - sizeof(head))
		return NULL;
	*len = head.len;
	*at += CHAN_BATCH_ROOM(head.len);
	return item + sizeof(head);
}

/**
 * chan_merge() - a stream of the messages of several
 * @scope: where it runs, as one child.
 * @in: the ends to receive on; all are %CHAN_RX_INIT afterwards, but after a
 *	failure as they were.  Those that are not there are fine.
 * @n: how many, less than %CHAN_SELECT_MAX.
 * @rx: out: the end that the messages come out of, none of @in; %CHAN_RX_INIT
 *	after a failure.
 * @options: what the stage is to be like; NULL for all defaults.
 *
 * Messages of one end stay in order.  Of several that are ready each has the same
 * chance.  It ends when all have ended, and the first error ends it at once.
 *
 * Returns: as chan_map(); %-EINVAL @n is too large.
 *
 * Since: 0.4
 */
int chan_merge(struct chan_scope *scope, struct chan_rx *in, unsigned int n,
	       struct chan_rx *rx, const struct chan_stream_options *options)
	CHAN_MUST_CHECK;

/**
 * chan_tee() - several streams of the same messages
 * @scope: where it runs, as one child.
 * @rx: in: the messages; %CHAN_RX_INIT afterwards, but after a failure as it was.
 * @out: out: the ends that they come out of; all %CHAN_RX_INIT after a failure.
 * @n: how many, 1 to less than %CHAN_SELECT_MAX.
 * @options: what the stage is to be like; NULL for all defaults.
 *
 * Each message goes to all, in whatever order they are ready, and then the next
 * is taken: the slowest sets the pace, by as much as @chan_stream_options.capacity
 * allows.  One that is released is left out from then on, and with the last of
 * them it ends.  It starts when somebody waits for the first message of one.
 *
 * Returns: as chan_map(); %-EINVAL @n is 0 or too large.
 *
 * Since: 0.4
 */
int chan_tee(struct chan_scope *scope, struct chan_rx *rx, struct chan_rx *out,
	     unsigned int n, const struct chan_stream_options *options)
	CHAN_MUST_CHECK;

/*
 * Request and reply: clients call, and servers answer.
 *
 * There is one channel for the requests, and for the replies a number of *lines*.
 * A call takes a line for itself as long as it lasts, so its answer reaches nobody
 * else.  And it gives its request an id that has never been on that line before,
 * so an answer that comes when its call has given up is never taken for that of
 * another.
 */

/*
 * struct chan_client: that side of a service which calls.  All processes that have
 * it, and all threads, may call at once.  It is made by chan_service_open(), and
 * gone with chan_client_release().
 */
struct chan_client;

/*
 * struct chan_server: that side of a service which answers.  All processes that have
 * it, and all threads, may serve at once, and each request goes to one of them.  It
 * is made by chan_service_open(), and gone with chan_server_release().
 */
struct chan_server;

/**
 * struct chan_service_options - what a service is to be like
 * @size: sizeof(struct chan_service_options), so that the structure can grow.
 * @lines: how many calls can be under way at a time, others wait; 0 for 8.
 * @max_request: the longest request in bytes; 0 for 4096.
 * @max_reply: the longest reply in bytes; 0 for 4096.
 *
 * All but @size can be left 0.
 */
struct chan_service_options {
	uint32_t size;
	uint32_t lines;
	uint32_t max_request;
	uint32_t max_reply;
};

/**
 * struct chan_request - a request, as a server sees it
 * @data: what was sent, valid until the handler returns.
 * @len: how long it is.
 * @sender: who called, vouched for by the module.
 * @deadline: when the caller gives up, %CHAN_SELECT_FOREVER for never.
 */
struct chan_request {
	const void *data;
	size_t len;
	struct chan_sender sender;
	uint64_t deadline;
};

/**
 * chan_service_open() - make both sides of a service
 * @scope: the scope that its channels belong to.
 * @options: what it is to be like; NULL for all defaults.
 * @client: out: the side that calls; NULL after a failure.
 * @server: out: the side that answers; NULL after a failure.
 *
 * Both are memory and file descriptors, three and one more than there are lines,
 * close-on-exec.  They go through fork(), like ends do: release in each process
 * the side that it does not use.  A call finds out that there is no server only
 * when no process has that side any more, and so do servers.  Does not wait.
 *
 * Returns: 0, what chan_scope_pair() returns when it fails, %-EINVAL @options are
 * not valid, %-E2BIG they have more than this library knows, %-ENOMEM.
 *
 * Since: 0.4
 */
int chan_service_open(struct chan_scope *scope,
		      const struct chan_service_options *options,
		      struct chan_client **client, struct chan_server **server)
	CHAN_MUST_CHECK;

/**
 * chan_call() - send a request, and wait for its answer
 * @client: the side that calls.
 * @request: what to send.
 * @len: how long it is, which may be 0.
 * @reply: where the answer goes; it may be @request.
 * @size: how much room there is.
 * @reply_len: out: how long the answer is; with %-EMSGSIZE of an answer the size
 *	needed, 0 in all other cases.
 * @deadline: when to give up, see chan_deadline(); %CHAN_SELECT_FOREVER to wait as
 *	long as it takes.  0 is not valid, for no server can answer at once.
 *
 * Waits for a line, for a server to take the request, and for its answer.
 *
 * A call that gives up after the request was taken does not undo it.
 *
 * Returns: 0 when there is an answer, else what the handler has returned; or
 * %-ETIMEDOUT the deadline has passed, %-EPIPE there is no server any more,
 * %-EMSGSIZE @len is too long, or the answer is longer than @size and is lost,
 * %-ECANCELED the scope was cancelled, %-EINTR interrupted by a signal,
 * %-EINVAL @deadline is 0, %-ENOMEM.
 *
 * Since: 0.4
 */
int chan_call(struct chan_client *client, const void *request, size_t len,
	      void *reply, size_t size, size_t *reply_len, uint64_t deadline)
	CHAN_MUST_CHECK;

/**
 * chan_serve() - answer requests
 * @server: the side that answers.
 * @handler: makes a reply of @request.  It goes to @reply, where there is room for
 *	\*\ @len bytes, and its length to @len.  0, %CHAN_STOP to answer and serve no
 *	more, or a negative error number, which chan_call() returns.
 * @arg: what it is handed.
 *
 * Serves until there is no client any more.  A client that has given up, or is
 * gone, does not hold it up: a reply is offered no longer than until the deadline
 * of its call, and up to 64 servers never have to wait even if there is none.
 *
 * @handler should return no error that chan_call() has another use for.
 *
 * Returns: 0 when no client is left, %CHAN_STOP, %-ECANCELED the scope was
 * cancelled, %-EINTR interrupted by a signal while it waited for a request,
 * %-ENOMEM.
 *
 * Since: 0.4
 */
int chan_serve(struct chan_server *server,
	       int (*handler)(const struct chan_request *request, void *reply,
			      size_t *len, void *arg),
	       void *arg) CHAN_MUST_CHECK;

/**
 * chan_client_release() - give the side that calls up
 * @client: the side; NULL is fine.  No other thread may be using it.
 *
 * Since: 0.4
 */
void chan_client_release(struct chan_client *client);

/**
 * chan_server_release() - give the side that answers up
 * @server: the side; NULL is fine.  No other thread may be using it.
 *
 * Since: 0.4
 */
void chan_server_release(struct chan_server *server);

#ifdef __cplusplus
}
#endif

#endif /* _CHAN_H */
