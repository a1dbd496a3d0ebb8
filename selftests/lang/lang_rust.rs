// SPDX-License-Identifier: GPL-2.0-only

//! Channels from Rust, with the standard library alone: std::fs::File for the
//! devices, and ioctl for anonymous channels.
//!
//! A reader must have room for a whole message. Read::read with a buffer of its
//! own and BufReader::with_capacity do; read_to_end and read_to_string begin
//! with a small buffer and do not.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::raw::{c_int, c_ulong};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::io::{AsRawFd, FromRawFd};
use std::process::exit;
use std::thread;

const DEVICE: &str = "/dev/chan0";
/// The longest message a channel carries by default.
const ROOM: usize = 65536;

const O_NONBLOCK: i32 = 0o4000;
const EPIPE: i32 = 32;
const EMSGSIZE: i32 = 90;
const ECONNABORTED: i32 = 103;

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

extern "C" {
    fn ioctl(fd: c_int, request: c_ulong, ...) -> c_int;
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

type Test = (&'static str, fn() -> io::Result<bool>);

const TESTS: &[Test] = &[
    ("a message crosses /dev/chan0", message_crosses),
    ("messages arrive one by one, each as it was sent", boundaries),
    ("what does not fit stays for the next", too_little_room),
    ("a non-blocking call is WouldBlock where it would wait", nonblocking),
    ("BufReader reads lines until the last send end is dropped", lines),
    ("a channel closed with an error gives it to receivers", close_with_error),
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
