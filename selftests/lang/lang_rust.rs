// SPDX-License-Identifier: GPL-2.0-only

//! Channels from Rust, with the standard library alone: std::fs::File for the
//! devices, and ioctl for anonymous channels and for selects.
//!
//! A reader must have room for a whole message. Read::read with a buffer of its
//! own and BufReader::with_capacity do; read_to_end and read_to_string begin
//! with a small buffer and do not.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::raw::{c_int, c_long, c_ulong};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{exit, Command};
use std::thread;
use std::time::Duration;

const DEVICE: &str = "/dev/chan0";
/// The longest message a channel carries by default.
const ROOM: usize = 65536;

const O_NONBLOCK: i32 = 0o4000;
const EAGAIN: i32 = 11;
const EPIPE: i32 = 32;
const EMSGSIZE: i32 = 90;
const ECONNABORTED: i32 = 103;
const ETIMEDOUT: i32 = 110;

const CHAN_RECV: u32 = 2;
const CHAN_POLL: u32 = 3;
const POLLIN: u32 = 1;
const CLOCK_MONOTONIC: c_int = 1;

const fn iowr(number: c_ulong, size: usize) -> c_ulong {
    3 << 30 | (size as c_ulong) << 16 | 0xC9 << 8 | number
}

#[repr(C)]
#[derive(Default)]
struct ChanCreate {
    capacity: u32,
    max_msg: u32,
    flags: u32,
    send_fd: i32,
    recv_fd: i32,
    reserved: u32,
}

#[repr(C)]
#[derive(Default)]
struct ChanClose {
    error: u32,
    flags: u32,
}

/// One of the things that a select can do.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct ChanCase {
    fd: i32,
    op: u32,
    flags: u32,
    status: i32,
    buf: u64,
    len: u32,
    events: u32,
    pid: i32,
    uid: u32,
    fds: u64,
    nfds: u32,
    reserved: [u32; 3],
}

#[repr(C)]
#[derive(Default)]
struct ChanSelect {
    cases: u64,
    ncases: u32,
    case_size: u32,
    flags: u32,
    index: u32,
    deadline: u64,
}

#[repr(C)]
#[derive(Default)]
struct Timespec {
    sec: c_long,
    nsec: c_long,
}

extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
    fn clock_gettime(clock: c_int, time: *mut Timespec) -> c_int;
    fn timerfd_create(clock: c_int, flags: c_int) -> c_int;
    fn timerfd_settime(
        fd: c_int,
        flags: c_int,
        new: *const [Timespec; 2],
        old: *mut [Timespec; 2],
    ) -> c_int;
}

fn control<T>(file: &File, number: c_ulong, arg: &mut T) -> io::Result<()> {
    let request = iowr(number, std::mem::size_of::<T>());
    match unsafe { ioctl(file.as_raw_fd(), request, arg as *mut T) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// An anonymous channel: (send end, receive end).
fn make_channel(capacity: u32) -> io::Result<(File, File)> {
    let scope = OpenOptions::new().read(true).write(true).open("/dev/chanctl")?;
    let mut arg = ChanCreate { capacity, ..Default::default() };
    control(&scope, 1, &mut arg)?;
    Ok(unsafe { (File::from_raw_fd(arg.send_fd), File::from_raw_fd(arg.recv_fd)) })
}

fn close_channel(end: &File, error: i32) -> io::Result<()> {
    control(end, 2, &mut ChanClose { error: error as u32, flags: 0 })
}

impl ChanCase {
    /// The room has to stay where it is until the select returns.
    fn receive(end: &File, room: &mut [u8]) -> ChanCase {
        let (buf, len) = (room.as_mut_ptr() as u64, room.len() as u32);
        ChanCase { fd: end.as_raw_fd(), op: CHAN_RECV, buf, len, ..Default::default() }
    }

    fn poll(file: &impl AsRawFd) -> ChanCase {
        ChanCase { fd: file.as_raw_fd(), op: CHAN_POLL, events: POLLIN, ..Default::default() }
    }
}

/// Returns the index of the case that has happened. The file is any one of the
/// module, the deadline a time of CLOCK_MONOTONIC in nanoseconds.
fn select(end: &File, cases: &mut [ChanCase], deadline: u64) -> io::Result<usize> {
    let mut arg = ChanSelect {
        cases: cases.as_mut_ptr() as u64,
        ncases: cases.len() as u32,
        case_size: std::mem::size_of::<ChanCase>() as u32,
        deadline,
        ..Default::default()
    };
    control(end, 6, &mut arg)?;
    Ok(arg.index as usize)
}

/// std::time::Instant does not tell its number.
fn from_now(wait: Duration) -> u64 {
    let mut now = Timespec::default();
    assert_eq!(unsafe { clock_gettime(CLOCK_MONOTONIC, &mut now) }, 0);
    now.sec as u64 * 1_000_000_000 + now.nsec as u64 + wait.as_nanos() as u64
}

fn make_socket_pair() -> io::Result<(File, File)> {
    let (one, other) = UnixStream::pair()?;
    Ok((OwnedFd::from(one).into(), OwnedFd::from(other).into()))
}

fn make_timer() -> io::Result<File> {
    match unsafe { timerfd_create(CLOCK_MONOTONIC, 0) } {
        -1 => Err(io::Error::last_os_error()),
        fd => Ok(unsafe { File::from_raw_fd(fd) }),
    }
}

fn set_timer(timer: &File, wait: Duration) -> io::Result<()> {
    let value = Timespec { sec: wait.as_secs() as c_long, nsec: wait.subsec_nanos() as c_long };
    let once = [Timespec::default(), value];
    match unsafe { timerfd_settime(timer.as_raw_fd(), 0, &once, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn receive(mut end: &File) -> io::Result<Vec<u8>> {
    let mut message = vec![0; ROOM];
    let length = end.read(&mut message)?;
    message.truncate(length);
    Ok(message)
}

fn error_of<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

fn message_crosses() -> io::Result<bool> {
    let mut send = OpenOptions::new().write(true).open(DEVICE)?;
    let recv = File::open(DEVICE)?;
    let sender = thread::spawn(move || send.write(b"hello"));
    let message = receive(&recv)?;
    let sent = sender.join().unwrap()?;
    Ok(sent == 5 && message == b"hello")
}

fn boundaries() -> io::Result<bool> {
    let messages = [b"one".to_vec(), vec![1; 4096], b"two\nlines".to_vec(), vec![2; ROOM]];
    let (mut send, recv) = make_channel(0)?;
    let offered = messages.clone();
    let sender = thread::spawn(move || offered.iter().try_for_each(|m| send.write_all(m)));
    let mut good = true;
    for message in &messages {
        good &= receive(&recv)? == *message;
    }
    sender.join().unwrap()?;
    Ok(good)
}

fn too_little_room() -> io::Result<bool> {
    let (mut send, mut recv) = make_channel(1)?;
    send.write_all(b"a long message")?;
    let refused = error_of(recv.read(&mut [0; 4]));
    Ok(refused == Some(EMSGSIZE) && receive(&recv)? == b"a long message")
}

fn nonblocking() -> io::Result<bool> {
    let mut options = OpenOptions::new();
    let end = options.read(true).write(true).custom_flags(O_NONBLOCK).open(DEVICE)?;
    let no_send = (&end).write(b"x").map_err(|error| error.kind());
    let no_recv = receive(&end).map_err(|error| error.kind());
    Ok(no_send == Err(ErrorKind::WouldBlock) && no_recv == Err(ErrorKind::WouldBlock))
}

fn lines() -> io::Result<bool> {
    let (mut send, recv) = make_channel(4)?;
    // Not writeln!, which writes the number and the newline one by one.
    let send_line = move |n: u32| send.write_all(format!("{}\n", n).as_bytes());
    let sender = thread::spawn(move || (0..1000).try_for_each(send_line));
    let lines = BufReader::with_capacity(ROOM, recv).lines();
    let sum: u32 = lines.map(|line| line.unwrap().parse::<u32>().unwrap()).sum();
    sender.join().unwrap()?;
    Ok(sum == 999 * 1000 / 2)
}

fn close_with_error() -> io::Result<bool> {
    let (mut send, recv) = make_channel(0)?;
    close_channel(&send, ECONNABORTED)?;
    Ok(error_of(receive(&recv)) == Some(ECONNABORTED) && error_of(send.write(b"x")) == Some(EPIPE))
}

fn select_channel_socket_timer() -> io::Result<bool> {
    let (send, recv) = make_channel(0)?;
    let (ours, theirs) = make_socket_pair()?;
    let timer = make_timer()?;
    let mut room = vec![0; ROOM];
    let select_next = |room: &mut [u8]| -> io::Result<(usize, ChanCase)> {
        let mut cases =
            [ChanCase::receive(&recv, room), ChanCase::poll(&ours), ChanCase::poll(&timer)];
        let index = select(&recv, &mut cases, from_now(Duration::from_secs(30)))?;
        Ok((index, cases[index]))
    };

    // The shell's standard output is the channel, its standard error the socket.
    let mut child = Command::new("sh")
        .args(["-c", "printf hello; printf done >&2"])
        .stdout(send.try_clone()?)
        .stderr(theirs.try_clone()?)
        .spawn()?;
    let (index, case) = select_next(&mut room)?;
    let mut good = (index, case.status, case.pid) == (0, 0, child.id() as i32);
    good &= &room[..case.len as usize] == b"hello";
    let (index, case) = select_next(&mut room)?;
    good &= (index, case.events) == (1, POLLIN) && receive(&ours)? == b"done";
    set_timer(&timer, Duration::from_millis(10))?;
    let (index, case) = select_next(&mut room)?;
    good &= (index, case.events) == (2, POLLIN) && receive(&timer)?.len() == 8;
    child.wait()?;
    drop(send);
    let (index, case) = select_next(&mut room)?;
    good &= (index, case.status) == (0, -EPIPE);
    Ok(good)
}

fn select_deadline() -> io::Result<bool> {
    let (_send, recv) = make_channel(0)?;
    let mut room = [0; 64];
    let mut cases = [ChanCase::receive(&recv, &mut room)];
    let now = error_of(select(&recv, &mut cases, 0));
    let deadline = from_now(Duration::from_millis(10));
    let later = error_of(select(&recv, &mut cases, deadline));
    Ok((now, later) == (Some(EAGAIN), Some(ETIMEDOUT)) && from_now(Duration::ZERO) >= deadline)
}

type Test = (&'static str, fn() -> io::Result<bool>);

const TESTS: &[Test] = &[
    ("a message crosses /dev/chan0", message_crosses),
    ("messages arrive one by one, each as it was sent", boundaries),
    ("what does not fit stays for the next", too_little_room),
    ("a non-blocking call is WouldBlock where it would wait", nonblocking),
    ("BufReader reads lines until the last send end is dropped", lines),
    ("a channel closed with an error gives it to receivers", close_with_error),
    ("a select waits for a channel, a socket and a timer at once", select_channel_socket_timer),
    ("a select has a deadline, or does not wait at all", select_deadline),
];

fn main() {
    let mut failed = 0;
    println!("TAP version 13\n1..{}", TESTS.len());
    for (number, (name, test)) in TESTS.iter().enumerate() {
        let outcome = test();
        if let Err(error) = &outcome {
            println!("# {}", error);
        }
        let good = matches!(outcome, Ok(true));
        failed |= !good as i32;
        println!("{} {} Rust: {}", if good { "ok" } else { "not ok" }, number + 1, name);
    }
    exit(failed);
}
