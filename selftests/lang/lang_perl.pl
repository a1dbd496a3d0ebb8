#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Channels from Perl: sysopen, sysread, syswrite (print buffers, and would join
# messages), select, and ioctl with pack. pack's P and unpack's are addresses, for
# the select that is an ioctl; Q takes a 64-bit perl.

use strict;
use warnings;
use Errno qw(EAGAIN ECONNABORTED EMSGSIZE EPIPE ETIMEDOUT);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK O_RDONLY O_RDWR O_WRONLY);
use POSIX ();
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

use constant DEVICE => '/dev/chan0';
use constant ROOM => 65536;    # the longest message a channel carries by default

sub iowr { my ($number, $size) = @_; 3 << 30 | $size << 16 | 0xC9 << 8 | $number }

use constant CREATE => 'LLLllL';    # capacity max_msg flags send_fd recv_fd 0
use constant CLOSE => 'LL';         # error flags
use constant CHAN_IOC_CREATE => iowr(1, 24);
use constant CHAN_IOC_CLOSE => iowr(2, 8);

use constant CASE => 'lLLlPLLlLQL4';    # fd op flags status buf len events pid uid 0 0
use constant SELECT => 'PLLLLQ';        # cases ncases case_size flags index deadline
use constant CHAN_IOC_SELECT => iowr(6, 32);
use constant { CHAN_RECV => 2, CHAN_POLL => 3, POLLIN => 1 };

sub open_end {
	my ($mode) = @_;
	sysopen(my $end, DEVICE, $mode) or die DEVICE . ": $!";
	return $end;
}

# An anonymous channel: (send end, receive end).
sub make_channel {
	my ($capacity) = @_;
	my $arg = pack(CREATE, $capacity, 0, 0, 0, 0, 0);
	sysopen(my $control, '/dev/chanctl', O_RDWR) or die "/dev/chanctl: $!";
	ioctl($control, CHAN_IOC_CREATE, $arg) or die "CHAN_IOC_CREATE: $!";
	my @ends = (unpack(CREATE, $arg))[3, 4];
	open(my $send, '>&=', $ends[0]) or die $!;
	open(my $recv, '<&=', $ends[1]) or die $!;
	return ($send, $recv);
}

sub close_channel {
	my ($end, $error) = @_;
	my $arg = pack(CLOSE, $error, 0);
	ioctl($end, CHAN_IOC_CLOSE, $arg) or die "CHAN_IOC_CLOSE: $!";
}

sub receive_case {
	my ($end, $room) = @_;
	return pack(CASE, fileno($end), CHAN_RECV, 0, 0, $$room, length($$room), (0) x 8);
}

sub poll_case {
	my ($file) = @_;
	return pack(CASE, fileno($file), CHAN_POLL, 0, 0, undef, 0, POLLIN, (0) x 7);
}

# (index, status, len, events, pid) of the case that has happened, or nothing.
sub select_one {
	my ($end, $seconds, @cases) = @_;
	my $deadline = int(1e9 * (clock_gettime(CLOCK_MONOTONIC) + $seconds));
	my $cases = join('', @cases);
	my $arg = pack(SELECT, $cases, scalar(@cases), 64, 0, 0, $deadline);
	ioctl($end, CHAN_IOC_SELECT, $arg) or return;
	my $index = unpack('x20 L', $arg);
	return ($index, unpack('x12 l x8 L L l', substr($cases, 64 * $index, 64)));
}

sub in_background {
	my ($code) = @_;
	my $pid = fork() // die $!;
	return $pid if $pid;
	$code->();
	POSIX::_exit(0);
}

sub receive {
	my ($end, $room) = @_;
	my $length = sysread($end, my $message, $room // ROOM);
	return $length ? $message : undef;
}

sub set_nonblocking {
	fcntl($_, F_SETFL, fcntl($_, F_GETFL, 0) | O_NONBLOCK) for @_;
}

sub test_message_crosses {
	my ($send, $recv) = (open_end(O_WRONLY), open_end(O_RDONLY));
	my $child = in_background(sub { syswrite($send, 'hello') });
	my $message = receive($recv);
	waitpid($child, 0);
	return $message eq 'hello';
}

sub test_boundaries {
	my @sent = ('one', 'x' x 4096, "two\nlines", 'y' x ROOM);
	my ($send, $recv) = make_channel(0);
	my $child = in_background(sub { syswrite($send, $_) for @sent });
	my @received = map { receive($recv) } @sent;
	waitpid($child, 0);
	return "@received" eq "@sent";
}

sub test_too_little_room {
	my ($send, $recv) = make_channel(1);
	syswrite($send, 'a long message');
	my $refused = !defined receive($recv, 4) && $! == EMSGSIZE;
	return $refused && receive($recv) eq 'a long message';
}

sub test_nonblocking {
	my ($send, $recv) = make_channel(0);
	set_nonblocking($send, $recv);
	my $no_send = !defined syswrite($send, 'x') && $! == EAGAIN;
	my $no_recv = !defined receive($recv) && $! == EAGAIN;
	return $no_send && $no_recv;
}

sub test_select {
	my ($send, $recv) = make_channel(0);
	my $bits = '';
	vec($bits, fileno($recv), 1) = 1;
	my $before = select(my $idle = $bits, undef, undef, 0);
	my $child = in_background(sub { syswrite($send, 'now') });
	my $after = select(my $ready = $bits, undef, undef, 30);
	my $message = receive($recv);
	waitpid($child, 0);
	return $before == 0 && $after == 1 && $message eq 'now';
}

sub test_end_of_file {
	my ($send, $recv) = make_channel(2);
	syswrite($send, 'last');
	close($send);
	return receive($recv) eq 'last' && sysread($recv, my $message, ROOM) == 0;
}

sub test_close_with_error {
	my ($send, $recv) = make_channel(0);
	close_channel($send, ECONNABORTED);
	my $no_recv = !defined receive($recv) && $! == ECONNABORTED;
	my $no_send = !defined syswrite($send, 'x') && $! == EPIPE;
	return $no_recv && $no_send;
}

sub test_select_call {
	my ($send, $recv) = make_channel(0);
	pipe(my $reader, my $writer) or die $!;
	vec(my $room, ROOM - 1, 8) = 0;
	my @cases = (receive_case($recv, \$room), poll_case($reader));
	my $child = in_background(sub { syswrite($send, 'hello'); syswrite($writer, 'done') });
	my ($index, $status, $length, $events, $pid) = select_one($recv, 30, @cases);
	my $first = $index == 0 && $status == 0 && $pid == $child
		&& substr($room, 0, $length) eq 'hello';
	($index, $status, $length, $events) = select_one($recv, 30, @cases);
	my $second = $index == 1 && $events == POLLIN && receive($reader) eq 'done';
	waitpid($child, 0);
	my $third = !select_one($recv, 0.01, @cases) && $! == ETIMEDOUT;
	return $first && $second && $third;
}

my @tests = (
	[\&test_message_crosses, 'a message crosses /dev/chan0'],
	[\&test_boundaries, 'messages arrive one by one, each as it was sent'],
	[\&test_too_little_room, 'what does not fit stays for the next'],
	[\&test_nonblocking, 'a non-blocking call fails where it would wait'],
	[\&test_select, 'select tells when a sender waits'],
	[\&test_end_of_file, 'closing the last send end is the end of file'],
	[\&test_close_with_error, 'a channel closed with an error gives it to receivers'],
	[\&test_select_call, 'a select waits for a channel and a pipe at once'],
);
my ($number, $failed) = (0, 0);

$| = 1;
print "TAP version 13\n1..", scalar(@tests), "\n";
for my $test (@tests) {
	my ($code, $name) = @$test;
	my $good = $code->();
	$failed += !$good;
	print $good ? 'ok ' : 'not ok ', ++$number, " Perl: $name\n";
}
exit($failed ? 1 : 0);
