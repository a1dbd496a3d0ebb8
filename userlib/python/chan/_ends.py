# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ends of channels: Sender and Receiver."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import warnings
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple, Type, TypeVar, Union

from . import _abi
from ._errors import (OF_ENDED, U32_MAX, ChanError, Closed, WouldBlock, call_error, failed_error,
                      in_range)
from ._select import Case, Origin, address_of, message_bytes, perform_one

AnyEnd = TypeVar("AnyEnd", bound="End")


class Info(NamedTuple):
    """What there is to know of a channel; all is of one instant."""

    id: int
    """Identity of the channel, never used twice while the module is loaded."""
    state: str
    """open, closed, failed, broken (no receiver is left), canceled or removed."""
    cause: int
    """The error number that receivers get once the buffer is drained, else 0."""
    capacity: int
    """How many messages it buffers; 0 is a rendezvous."""
    max_msg: int
    """The longest message, in bytes."""
    buffered: int
    """Messages in line that no sender waits for any more."""
    parked_senders: int
    """Senders asleep until a receiver comes."""
    parked_receivers: int
    """Receivers asleep until a message comes."""
    send_ends: int
    """Open files that can send."""
    recv_ends: int
    """Open files that can receive."""
    named: bool
    """It has a device node."""
    hangup: bool
    """It ends when one side has no file left."""
    sent: int
    """Messages that senders have handed over."""
    received: int
    """Messages that receivers have taken."""


def _ask(file: Any) -> _abi.Info:
    raw = _abi.Info()
    _abi.request(file, _abi.IOC_INFO, raw)
    return raw


def _path(name: Union[str, "os.PathLike[str]"]) -> str:
    """chan0 and chan-NAME are nodes in /dev, a name with a slash is a path, and any other
    NAME is /dev/chan-NAME."""
    text = os.fspath(name)
    if "/" in text:
        return text
    if text.startswith("chan-") or (text.startswith("chan") and text[4:].isdigit()):
        return f"/dev/{text}"
    return f"/dev/chan-{text}"


class End:
    """What Sender and Receiver have in common: an open file on a channel.

    An end belongs to who has made or opened it, and is given up with close(), at the end of
    a with block, or when nobody refers to it any more, with a ResourceWarning.  The file is
    close-on-exec.  fork() shares it: close in each process the ends that it does not use,
    since an anonymous channel ends when the last file of one side is gone.

    All methods may be called from any number of threads at once.  But as with every file in
    Python, an end must not be closed while another thread may be using it.
    """

    _direction = 0
    _mode = 0
    _verb = "use"

    def __init__(self, fd: int):
        """Make an end of a file descriptor, such as one that was inherited.

        On success fd belongs to the end; on failure it stays the caller's.  Raises ChanError:
        ENOTTY when it is no channel, EBADF when it is not open or is for the other direction.
        """
        self._fd = -1
        self._scope: Any = None
        what = f"cannot make a {type(self).__name__} of file {fd}"
        try:
            raw = _ask(fd)
        except OSError as error:
            raise call_error(error.errno or 0, what) from None
        if not raw.flags & self._direction:
            raise ChanError(errno.EBADF, f"{what}: it is for the other direction")
        self._name = f"channel {raw.id}"
        self._set_up(raw)
        self._fd = fd

    def _set_up(self, raw: _abi.Info) -> None:
        """Take what is of use later from what the channel says of itself."""

    @classmethod
    def open(cls: Type[AnyEnd], name: Union[str, "os.PathLike[str]"]) -> AnyEnd:
        """Open an end of a named channel; does not wait for anybody at the other one.

        name: chan0, or NAME for /dev/chan-NAME, or a path.

        Raises FileNotFoundError, PermissionError, also if the channel is in a scope that the
        process is not in, or another OSError; ChanError with ENOTTY when it is no channel.
        """
        path = _path(name)
        return cls._own(os.open(path, cls._mode | os.O_CLOEXEC), path)

    @classmethod
    def _own(cls: Type[AnyEnd], fd: int, name: Optional[str] = None) -> AnyEnd:
        """An end of a file that is this function's to close if that fails."""
        try:
            end = cls(fd)
        except BaseException:
            os.close(fd)
            raise
        if name:
            end._name = name
        return end

    def dup(self: AnyEnd) -> AnyEnd:
        """Another file on the same end; each is to be closed."""
        end = type(self)._own(os.dup(self.fileno()), self._name)
        end._scope = self._scope
        return end

    def fileno(self) -> int:
        """The file descriptor, for poll(2), pass_fds and the like; it stays the end's.

        Raises ValueError when the end is closed.
        """
        if self._fd < 0:
            raise ValueError(f"the {type(self).__name__} is closed")
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether this end was closed; the channel may have ended all the same."""
        return self._fd < 0

    def detach(self) -> int:
        """Give the file descriptor to the caller; the end counts as closed."""
        fd = self.fileno()
        self._fd = -1
        return fd

    def close(self) -> None:
        """Give this end up; again is fine.  Does not wait.

        An anonymous channel ends with its last Sender: receivers take what is buffered, and
        then find the end.  With its last Receiver: senders get Closed, and what was buffered
        is dropped.
        """
        if self._fd >= 0:
            os.close(self.detach())

    def info(self) -> Info:
        """Look at the channel.  Does not wait.  Raises Denied."""
        try:
            raw = _ask(self)
        except OSError as error:
            raise call_error(error.errno or 0, f"cannot look at {self._name}") from None
        return Info(raw.id, _abi.STATES[raw.state], raw.cause, raw.capacity, raw.max_msg,
                    raw.buffered, raw.parked_senders, raw.parked_receivers, raw.send_ends,
                    raw.recv_ends, bool(raw.flags & _abi.INFO_NAMED),
                    bool(raw.flags & _abi.INFO_HANGUP), raw.sent, raw.received)

    def _what(self) -> str:
        return f"cannot {self._verb} on {self._name}"

    def __enter__(self: AnyEnd) -> AnyEnd:
        self.fileno()
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            try:
                warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self)
            finally:
                self.close()

    def __repr__(self) -> str:
        file = "closed" if self.closed else f"file {self._fd}"
        return f"<{type(self).__name__} of {self._name}, {file}>"

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: pass it on with "
                        "send_ends() or pass_fds")


# --- Sending ---

class SendCase(Case):
    """See Sender.send_case()."""

    def __init__(self, sender: "Sender", message: Any):
        self.sender = sender
        self.message = message_bytes(message)

    def _fill(self, raw: _abi.Case) -> Any:
        raw.fd = self.sender.fileno()
        raw.op = _abi.SEND
        raw.buf = address_of(self.message)
        raw.len = len(self.message)
        return None

    def _value(self, raw: _abi.Case, room: Any) -> None:
        if raw.status:
            raise self._error(-raw.status)

    def _what(self) -> str:
        return self.sender._what()

    def _channel_end(self) -> "Sender":
        return self.sender


class Sender(End):
    """A send end.

    >>> tx, rx = channel(capacity=2)
    >>> with tx:
    ...     tx.send(b"one")
    ...     tx.send(b"two")
    >>> [message for message in rx]
    [b'one', b'two']
    >>> rx.close()
    """

    _direction = _abi.INFO_SEND
    _mode = os.O_WRONLY
    _verb = "send"

    def send(self, message: Any, timeout: Optional[float] = None) -> None:
        """Send one message, whole or not at all.

        message: bytes, or another object with the buffer protocol; it is copied, and may be
            empty.
        timeout: how long to wait, in seconds; 0 not at all, None as long as it takes.

        Waits until a receiver has taken the message, or on a buffered channel until it is in
        the buffer.

        Raises Closed when the channel has ended or nobody can ever receive, Canceled,
        Removed, Denied, MessageTooLong, TimedOut, WouldBlock for a timeout of 0, or another
        ChanError.  Then nothing was sent.
        """
        perform_one(SendCase(self, message), timeout)

    def try_send(self, message: Any) -> bool:
        """Send if that is possible at once; tells whether it was.  Else as send()."""
        try:
            self.send(message, 0)
        except WouldBlock:
            return False
        return True

    def send_case(self, message: Any) -> SendCase:
        """A case for select() that sends a message, as it is now.

        Raises MessageTooLong for 4 GiB or more, which no channel carries.
        """
        return SendCase(self, message)

    def shutdown(self, error: int = 0) -> None:
        """End the channel for everybody, and say why; this end stays open.

        error: what receivers get when they have taken what is buffered: 0 for the plain end,
            else an error number of the module errno, at most 511, which they get as Failed.

        Every send from now on, and every one that waits, is Closed.  Does not wait.  The
        first cause stands: to end the channel again changes nothing.

        Raises ChanError with EINVAL for an error out of range.
        """
        what = f"cannot close {self._name}"
        arg = _abi.Close(in_range(error, _abi.MAX_ERROR, what), 0)
        try:
            _abi.request(self, _abi.IOC_CLOSE, arg)
        except OSError as failure:
            raise call_error(failure.errno or 0, what) from None

    def close(self, error: Optional[int] = None) -> None:
        """Give this end up; again is fine.  Does not wait.

        error: None leaves the channel to the other senders.  A number first ends it for
            everybody, as shutdown() does; 0 is the plain end.

        >>> import errno
        >>> tx, rx = channel(capacity=1)
        >>> tx.send(b"the last one")
        >>> tx.close(error=errno.ECONNRESET)
        >>> rx.recv()
        b'the last one'
        >>> try:
        ...     rx.recv()
        ... except ConnectionResetError as error:
        ...     print(isinstance(error, Failed))
        True
        >>> rx.close()
        """
        if self._fd < 0:
            return
        try:
            if error is not None:
                self.shutdown(error)
        finally:
            super().close()


# --- Receiving ---

class RecvCase(Case):
    """See Receiver.recv_case()."""

    def __init__(self, receiver: "Receiver"):
        self.receiver = receiver

    def _fill(self, raw: _abi.Case) -> Any:
        raw.fd = self.receiver.fileno()
        raw.op = _abi.RECV
        room = self.receiver._take_room()
        raw.buf = ctypes.addressof(room)
        raw.len = len(room)
        return room

    def _value(self, raw: _abi.Case, room: Any) -> bytes:
        if raw.status:
            raise self._end(-raw.status)
        message = ctypes.string_at(room, raw.len)
        self.receiver._rooms.append(room)
        return message

    def _end(self, number: int) -> ChanError:
        """The exception for that the channel has ended with @number.

        One that failed with EPIPE must not pass for one that was closed when all was done, and
        the status is the same: the state tells.  It stays as long as the end is open, but that
        a scope may be cancelled meanwhile: what it was before is not known any more.
        """
        if number not in OF_ENDED:
            return failed_error(number, self._what())
        try:
            state = _abi.STATES[_ask(self.receiver).state]
        except OSError as error:
            # Kept out by now: nobody can say that this is all.
            unknown = number == errno.EPIPE
            return self._error(error.errno or 0 if unknown else number)
        if state == "failed":
            return failed_error(number, self._what())
        canceled = state == "canceled" and number == errno.EPIPE
        return self._error(errno.ECANCELED if canceled else number)

    def _what(self) -> str:
        return self.receiver._what()

    def _channel_end(self) -> "Receiver":
        return self.receiver


class Receiver(End):
    """A receive end.  To iterate over it is to receive until the channel is closed.

    >>> tx, rx = channel()
    >>> with scope() as s:
    ...     _ = s.spawn(lambda: [tx.send(word) for word in (b"a", b"b")])
    ...     tx.close()
    ...     for message in rx:
    ...         print(message)
    b'a'
    b'b'
    >>> rx.close()

    A message that a thread has received in the very moment in which the handler of a signal
    raises, as for ^C, is lost with the exception, as it is with os.read().
    """

    _direction = _abi.INFO_RECV
    _mode = os.O_RDONLY
    _verb = "receive"

    def _set_up(self, raw: _abi.Info) -> None:
        # What a channel carries does not change while a file is open on it.
        self._room_size = raw.max_msg
        # Rooms for messages, one for each thread that was in a receive, to be used again.
        self._rooms: List[Any] = []

    def _take_room(self) -> Any:
        try:
            return self._rooms.pop()
        except IndexError:
            return ctypes.create_string_buffer(self._room_size)

    def recv(self, timeout: Optional[float] = None) -> bytes:
        """Receive one message, which may be empty.

        timeout: how long to wait, in seconds; 0 not at all, None as long as it takes.

        Waits until a message is there or the channel has ended.

        Raises Closed when it was closed without an error and everything was received; Failed
        when a sender has closed it with one; Canceled, Removed, Denied, TimedOut, WouldBlock
        for a timeout of 0, or another ChanError.  Then nothing was received.
        """
        return perform_one(RecvCase(self), timeout)[0]

    def recv_from(self, timeout: Optional[float] = None) -> Tuple[bytes, Origin]:
        """Receive one message, and learn who has sent it.  Else as recv()."""
        message, raw = perform_one(RecvCase(self), timeout)
        return message, Origin(raw.pid, raw.uid)

    def try_recv(self) -> Optional[bytes]:
        """Receive if a message is there, else None.  Else as recv()."""
        try:
            return self.recv(0)
        except WouldBlock:
            return None

    def recv_case(self) -> RecvCase:
        """A case for select() that receives one message."""
        return RecvCase(self)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return self.recv()
        except Closed:
            raise StopIteration from None


# --- Making and passing on ---

def pair_on(control: int, capacity: int, max_msg: Optional[int]) -> Tuple[Sender, Receiver]:
    """A channel in the scope that the file @control is."""
    arg = _abi.Create(capacity, max_msg or 0, 0, -1, -1, 0)
    try:
        _abi.request(control, _abi.IOC_CREATE, arg)
    except OSError as error:
        raise call_error(error.errno or 0, "cannot make a channel") from None
    try:
        sender = Sender._own(arg.send_fd)
    except BaseException:
        os.close(arg.recv_fd)
        raise
    return sender, Receiver._own(arg.recv_fd)


def check_limits(capacity: int, max_msg: Optional[int]) -> None:
    if not 0 <= capacity <= _abi.MAX_CAPACITY:
        raise ValueError(f"capacity is {capacity}, not 0 to {_abi.MAX_CAPACITY}")
    if max_msg is not None and not 1 <= max_msg <= _abi.MAX_MSG:
        raise ValueError(f"max_msg is {max_msg}, not 1 to {_abi.MAX_MSG} bytes")


def channel(capacity: int = 0, max_msg: Optional[int] = None) -> Tuple[Sender, Receiver]:
    """Make an anonymous channel.

    capacity: how many messages it buffers, at most 65536.  With 0 a send waits until a
        receiver has taken the message.
    max_msg: the longest message, in bytes, at most 1048576; 65536 unless given.

    Does not wait.  Raises ValueError for a number out of range, FileNotFoundError when the
    module is not loaded, ChanError with EDQUOT when the user has too many channels, or
    another OSError.

    >>> tx, rx = channel(capacity=1)
    >>> tx.send(b"hello")
    >>> rx.recv()
    b'hello'
    """
    check_limits(capacity, max_msg)
    control = _abi.open_control()
    try:
        return pair_on(control, capacity, max_msg)
    finally:
        os.close(control)


def end_of(fd: int) -> Union[Sender, Receiver]:
    """Make a Sender or a Receiver of a file descriptor, whichever it can be.

    As Sender(fd) and Receiver(fd); of one that is open for both it is a Sender.
    """
    try:
        flags = _ask(fd).flags
    except OSError as error:
        raise call_error(error.errno or 0, f"cannot make an end of file {fd}") from None
    return Sender(fd) if flags & _abi.INFO_SEND else Receiver(fd)


def send_ends(sock: socket.socket, *ends: End) -> None:
    """Send ends over a Unix socket; they stay open here, and are to be closed as before.

    Waits, and raises, as sock.sendmsg() does.
    """
    socket.send_fds(sock, [b"\0"], [end.fileno() for end in ends])


def recv_ends(sock: socket.socket, most: int = 16) -> List[Union[Sender, Receiver]]:
    """Receive what send_ends() has sent, in the same order.

    most: how many ends that may be.

    Waits, and raises, as sock.recvmsg() does; EOFError when the other side has closed the
    socket; ChanError with EMSGSIZE when there are more than most, and with ENOTTY for a file
    that is no channel.  Then all are closed.

    >>> here, there = socket.socketpair()
    >>> tx, rx = channel(capacity=1)
    >>> send_ends(here, tx)
    >>> [passed] = recv_ends(there)
    >>> passed.send(b"over the socket")
    >>> rx.recv()
    b'over the socket'
    """
    data, fds, flags, _ = socket.recv_fds(sock, 1, most, socket.MSG_CMSG_CLOEXEC)
    ends: List[Union[Sender, Receiver]] = []
    try:
        if flags & socket.MSG_CTRUNC:
            raise ChanError(errno.EMSGSIZE, f"there are more than {most} ends")
        if not data:
            raise EOFError("the other side has closed the socket")
        while fds:
            ends.append(end_of(fds[0]))
            fds.pop(0)
    except BaseException:
        for fd in fds:
            os.close(fd)
        for end in ends:
            end.close()
        raise
    return ends


# --- The module and its devices ---

class Version(NamedTuple):
    """What the module is."""

    version: int
    """Of its interface."""
    features: int
    """What it can do, a set of bits."""


def module_version() -> Version:
    """Ask the module what it is.  FileNotFoundError when it is not loaded."""
    arg = _abi.Version()
    _abi.control_request(_abi.IOC_VERSION, arg)
    return Version(arg.version, arg.features)


def _device_name(name: str) -> bytes:
    encoded = os.fsencode(name)
    if not 1 <= len(encoded) < _abi.NAME_SIZE:
        raise ValueError(f"a name has 1 to {_abi.NAME_SIZE - 1} characters: {name!r}")
    return encoded


def add_device(name: str, mode: int = 0o600, capacity: int = 0,
               max_msg: Optional[int] = None) -> None:
    """Add a named channel, /dev/chan-NAME, which stays until it is removed.

    name: letters, digits, '.', '_' and '-', at most 31.
    mode: permission bits of the node.
    capacity, max_msg: as of channel().

    Needs CAP_SYS_ADMIN, else PermissionError.  Raises FileExistsError, or another OSError.
    """
    check_limits(capacity, max_msg)
    in_range(mode, U32_MAX, f"cannot add {name}")
    arg = _abi.DevAdd(_device_name(name), mode, capacity, max_msg or 0, 0)
    _abi.control_request(_abi.IOC_DEV_ADD, arg)


def remove_device(name: str) -> None:
    """Remove a named channel that was added.

    Ends that are open stay; senders get Removed, and receivers when they have drained it.
    Needs CAP_SYS_ADMIN, else PermissionError.  Raises FileNotFoundError.
    """
    _abi.control_request(_abi.IOC_DEV_REMOVE, _abi.DevRemove(_device_name(name), 0))
