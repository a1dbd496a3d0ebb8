// SPDX-License-Identifier: GPL-2.0-only

// Channels from Go.
//
// os.Open and os.OpenFile make the file non-blocking and wait for it in Go's
// poller. That is fine as long as the other side blocks or the channel has a
// buffer. On an unbuffered channel a message needs a partner that is parked,
// which a poller never is: two such files would wait for each other for ever.
// openBlocking is for that case; a goroutine waiting in it takes up a thread.
//
// A goroutine in selectOne takes up a thread too. It is parked whatever its
// files are, so Fd, which takes them out of the poller, does no harm.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
	"unsafe"
)

const (
	device = "/dev/chan0"
	room   = 65536 // the longest message a channel carries by default

	chanIocCreate = 3<<30 | 24<<16 | 0xC9<<8 | 1
	chanIocClose  = 3<<30 | 8<<16 | 0xC9<<8 | 2
	chanIocSelect = 3<<30 | 32<<16 | 0xC9<<8 | 6

	createNonblock = 1

	opRecv = 2
	opPoll = 3
	pollIn = 1

	clockMonotonic = 1
)

type chanCreate struct {
	capacity, maxMsg, flags uint32
	sendFd, recvFd          int32
	reserved                uint32
}

type chanClose struct {
	error, flags uint32
}

// chanCase is one of the things that a select can do. Its address is a pointer
// so that the garbage collector knows of it; this is for 64-bit machines, where
// that is as long as the field.
type chanCase struct {
	fd          int32
	op, flags   uint32
	status      int32
	buf         unsafe.Pointer
	len, events uint32
	pid         int32
	uid         uint32
	fds         uint64
	nfds        uint32
	reserved    [3]uint32
}

type chanSelect struct {
	cases                          unsafe.Pointer
	ncases, caseSize, flags, index uint32
	deadline                       uint64
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func openBlocking(flags int) *os.File {
	fd, err := syscall.Open(device, flags|syscall.O_CLOEXEC, 0)
	must(err)
	return os.NewFile(uintptr(fd), device)
}

func openPolled(flags int) *os.File {
	file, err := os.OpenFile(device, flags, 0)
	must(err)
	return file
}

func ioctl(fd uintptr, request uintptr, arg unsafe.Pointer) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}

// makeChannel returns the ends of an anonymous channel, in Go's poller if
// flags has createNonblock.
func makeChannel(capacity, flags uint32) (send, recv *os.File) {
	control, err := syscall.Open("/dev/chanctl", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	must(err)
	defer syscall.Close(control)
	arg := chanCreate{capacity: capacity, flags: flags}
	must(ioctl(uintptr(control), chanIocCreate, unsafe.Pointer(&arg)))
	return os.NewFile(uintptr(arg.sendFd), "send"), os.NewFile(uintptr(arg.recvFd), "recv")
}

func closeChannel(end *os.File, errno syscall.Errno) error {
	conn, err := end.SyscallConn()
	must(err)
	arg := chanClose{error: uint32(errno)}
	must(conn.Control(func(fd uintptr) {
		err = ioctl(fd, chanIocClose, unsafe.Pointer(&arg))
	}))
	return err
}

func receiveCase(end *os.File, room []byte) chanCase {
	return chanCase{fd: int32(end.Fd()), op: opRecv, buf: unsafe.Pointer(&room[0]), len: uint32(len(room))}
}

func pollCase(file *os.File) chanCase {
	return chanCase{fd: int32(file.Fd()), op: opPoll, events: pollIn}
}

// selectOne returns the index of the case that has happened. end is any file of
// the module; deadline is a time of CLOCK_MONOTONIC in nanoseconds.
func selectOne(end *os.File, cases []chanCase, deadline uint64) (uint32, error) {
	arg := chanSelect{
		cases:    unsafe.Pointer(&cases[0]),
		ncases:   uint32(len(cases)),
		caseSize: uint32(unsafe.Sizeof(cases[0])),
		deadline: deadline,
	}
	err := ioctl(end.Fd(), chanIocSelect, unsafe.Pointer(&arg))
	return arg.index, err
}

// fromNow returns the deadline after a time; Go does not tell this clock.
func fromNow(wait time.Duration) uint64 {
	var now syscall.Timespec
	_, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic,
		uintptr(unsafe.Pointer(&now)), 0)
	if errno != 0 {
		panic(errno)
	}
	return uint64(now.Nano()) + uint64(wait)
}

func makeSocketPair() (ours, theirs *os.File) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(err)
	return os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
}

func makeTimer() *os.File {
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_CLOEXEC, 0)
	if errno != 0 {
		panic(errno)
	}
	return os.NewFile(fd, "timer")
}

func setTimer(timer *os.File, wait time.Duration) {
	spec := [2]syscall.Timespec{{}, syscall.NsecToTimespec(int64(wait))}
	_, _, errno := syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, timer.Fd(), 0,
		uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		panic(errno)
	}
}

func closeAll(files ...*os.File) {
	for _, file := range files {
		file.Close()
	}
}

func receive(file *os.File) string {
	buffer := make([]byte, room)
	n, err := file.Read(buffer)
	if err != nil {
		return err.Error()
	}
	return string(buffer[:n])
}

// cross sends messages from one goroutine and receives them in another.
func cross(send, recv *os.File) bool {
	messages := []string{"one", string(make([]byte, 4096)), "two\nlines", string(make([]byte, room))}
	done := make(chan error)
	go func() {
		for _, message := range messages {
			if _, err := send.WriteString(message); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	good := true
	for _, message := range messages {
		good = receive(recv) == message && good
	}
	return <-done == nil && good
}

func testBlocking() bool {
	send, recv := openBlocking(os.O_WRONLY), openBlocking(os.O_RDONLY)
	defer closeAll(send, recv)
	return cross(send, recv)
}

func testPolledReceiver() bool {
	send, recv := openBlocking(os.O_WRONLY), openPolled(os.O_RDONLY)
	defer closeAll(send, recv)
	return cross(send, recv)
}

func testPolledSender() bool {
	send, recv := openPolled(os.O_WRONLY), openBlocking(os.O_RDONLY)
	defer closeAll(send, recv)
	return cross(send, recv)
}

func testBuffered() bool {
	send, recv := makeChannel(4, createNonblock)
	defer closeAll(send, recv)
	for i := 0; i < 100; i++ {
		if !cross(send, recv) {
			return false
		}
	}
	return true
}

func testDeadline() bool {
	send, recv := makeChannel(1, createNonblock)
	defer closeAll(send, recv)
	must(recv.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))
	_, err := recv.Read(make([]byte, room))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func testEndOfFile() bool {
	send, recv := makeChannel(2, createNonblock)
	defer recv.Close()
	_, err := send.WriteString("last")
	must(err)
	send.Close()
	last := receive(recv)
	_, err = recv.Read(make([]byte, room))
	return last == "last" && err == io.EOF
}

func testCloseWithError() bool {
	send, recv := makeChannel(0, 0)
	defer closeAll(send, recv)
	must(closeChannel(send, syscall.ECONNABORTED))
	_, recvErr := recv.Read(make([]byte, room))
	_, sendErr := send.WriteString("x")
	return errors.Is(recvErr, syscall.ECONNABORTED) && errors.Is(sendErr, syscall.EPIPE)
}

func testSelect() bool {
	send, recv := makeChannel(0, 0)
	ours, theirs := makeSocketPair()
	timer := makeTimer()
	defer closeAll(recv, ours, theirs, timer)
	room := make([]byte, room)
	selectNext := func() (uint32, chanCase) {
		cases := []chanCase{receiveCase(recv, room), pollCase(ours), pollCase(timer)}
		index, err := selectOne(recv, cases, fromNow(30*time.Second))
		must(err)
		return index, cases[index]
	}

	// The shell's standard output is the channel, its standard error the socket.
	child := exec.Command("sh", "-c", "printf hello; printf done >&2")
	child.Stdout, child.Stderr = send, theirs
	must(child.Start())
	index, chosen := selectNext()
	good := index == 0 && chosen.status == 0 && int(chosen.pid) == child.Process.Pid &&
		string(room[:chosen.len]) == "hello"
	index, chosen = selectNext()
	good = good && index == 1 && chosen.events == pollIn && receive(ours) == "done"
	setTimer(timer, 10*time.Millisecond)
	index, chosen = selectNext()
	good = good && index == 2 && chosen.events == pollIn && len(receive(timer)) == 8
	must(child.Wait())
	send.Close()
	index, chosen = selectNext()
	return good && index == 0 && syscall.Errno(-chosen.status) == syscall.EPIPE
}

func testSelectDeadline() bool {
	send, recv := makeChannel(0, 0)
	defer closeAll(send, recv)
	cases := []chanCase{receiveCase(recv, make([]byte, room))}
	_, now := selectOne(recv, cases, 0)
	deadline := fromNow(10 * time.Millisecond)
	_, later := selectOne(recv, cases, deadline)
	return now == syscall.EAGAIN && later == syscall.ETIMEDOUT && fromNow(0) >= deadline
}

func main() {
	tests := []struct {
		name string
		good func() bool
	}{
		{"blocking files meet on /dev/chan0", testBlocking},
		{"os.OpenFile receives from a sender that blocks", testPolledReceiver},
		{"os.OpenFile sends to a receiver that blocks", testPolledSender},
		{"both ends in the poller, with a buffer between", testBuffered},
		{"a read deadline", testDeadline},
		{"closing the last send end is io.EOF", testEndOfFile},
		{"a channel closed with an error gives it to receivers", testCloseWithError},
		{"a select waits for a channel, a socket and a timer at once", testSelect},
		{"a select has a deadline, or does not wait at all", testSelectDeadline},
	}
	failed := 0
	fmt.Println("TAP version 13")
	fmt.Printf("1..%d\n", len(tests))
	for i, test := range tests {
		word := "ok"
		if !test.good() {
			word = "not ok"
			failed = 1
		}
		fmt.Printf("%s %d Go: %s\n", word, i+1, test.name)
	}
	os.Exit(failed)
}
