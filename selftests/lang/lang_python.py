#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Channels from Python: os.open, os.read, os.write, and ioctl with struct."""

import errno
import fcntl
import os
import select
import struct
import sys
import threading

DEVICE = "/dev/chan0"
ROOM = 65536  # the longest message a channel carries by default


def iowr(number, size):
    return 3 << 30 | size << 16 | 0xC9 << 8 | number


CREATE = struct.Struct("=IIIiiI")  # capacity max_msg flags send_fd recv_fd 0
CLOSE = struct.Struct("=II")  # error flags
CHAN_IOC_CREATE = iowr(1, CREATE.size)
CHAN_IOC_CLOSE = iowr(2, CLOSE.size)


def make_channel(capacity=0):
    """An anonymous channel: (send end, receive end)."""
    control = os.open("/dev/chanctl", os.O_RDWR)
    arg = fcntl.ioctl(control, CHAN_IOC_CREATE, CREATE.pack(capacity, 0, 0, 0, 0, 0))
    os.close(control)
    return CREATE.unpack(arg)[3:5]


def close_channel(end, error=0):
    fcntl.ioctl(end, CHAN_IOC_CLOSE, CLOSE.pack(error, 0))


def in_background(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    return thread


def errno_of(function, *args):
    try:
        function(*args)
    except OSError as error:
        return error.errno
    return 0


def test_message_crosses():
    """a message crosses /dev/chan0"""
    send, recv = os.open(DEVICE, os.O_WRONLY), os.open(DEVICE, os.O_RDONLY)
    sender = in_background(os.write, send, b"hello")
    message = os.read(recv, ROOM)
    sender.join()
    os.close(send)
    os.close(recv)
    return message == b"hello"


def test_boundaries():
    """messages arrive one by one, each as it was sent"""
    sent = [b"one", b"x" * 4096, b"two\nlines", b"y" * ROOM]
    send, recv = make_channel()
    sender = in_background(lambda: [os.write(send, message) for message in sent])
    received = [os.read(recv, ROOM) for _ in sent]
    sender.join()
    os.close(send)
    os.close(recv)
    return received == sent


def test_too_little_room():
    """what does not fit stays for the next, who makes room"""
    send, recv = make_channel(capacity=1)
    os.write(send, b"a long message")
    seen = errno_of(os.read, recv, 4)
    message = os.read(recv, ROOM)
    os.close(send)
    os.close(recv)
    return seen == errno.EMSGSIZE and message == b"a long message"


def test_nonblocking():
    """a non-blocking call raises BlockingIOError where it would wait"""
    send, recv = make_channel()
    os.set_blocking(send, False)
    os.set_blocking(recv, False)
    seen = [errno_of(os.write, send, b"x"), errno_of(os.read, recv, ROOM)]
    os.close(send)
    os.close(recv)
    return seen == [errno.EAGAIN, errno.EAGAIN]


def test_poll():
    """select.poll tells when a sender waits"""
    send, recv = make_channel()
    poll = select.poll()
    poll.register(recv, select.POLLIN)
    before = poll.poll(0)
    sender = in_background(os.write, send, b"now")
    after = poll.poll(30000)
    message = os.read(recv, ROOM)
    sender.join()
    os.close(send)
    os.close(recv)
    return before == [] and after == [(recv, select.POLLIN)] and message == b"now"


def test_end_of_file():
    """closing the last send end is the end of file, after what is buffered"""
    send, recv = make_channel(capacity=2)
    os.write(send, b"last")
    os.close(send)
    received = [os.read(recv, ROOM), os.read(recv, ROOM)]
    os.close(recv)
    return received == [b"last", b""]


def test_close_with_error():
    """a channel closed with an error gives it to receivers"""
    send, recv = make_channel()
    close_channel(send, errno.ECONNABORTED)
    seen = [errno_of(os.read, recv, ROOM), errno_of(os.write, send, b"x")]
    os.close(send)
    os.close(recv)
    return seen == [errno.ECONNABORTED, errno.EPIPE]


TESTS = [
    test_message_crosses,
    test_boundaries,
    test_too_little_room,
    test_nonblocking,
    test_poll,
    test_end_of_file,
    test_close_with_error,
]


def main():
    failed = 0
    print("TAP version 13")
    print(f"1..{len(TESTS)}")
    for number, test in enumerate(TESTS, 1):
        good = test()
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} Python: {test.__doc__}", flush=True)
    return failed != 0


sys.exit(main())
