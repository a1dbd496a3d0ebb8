#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Worker of the demo, in Perl: takes lines "NUMBER TEXT" from /dev/chan0 and
# reports "Perl NUMBER WORD=COUNT..." to /dev/chan1, until there are no more.

use strict;
use warnings;

open(my $lines, '<:raw', '/dev/chan0') or die "/dev/chan0: $!";
open(my $reports, '>:raw', '/dev/chan1') or die "/dev/chan1: $!";

# One sysread is one message; print and <> would go through a buffer.
while (sysread($lines, my $line, 65536)) {
	my ($number, $text) = split(/ /, $line, 2);
	my %counts;
	$counts{$_}++ for lc($text) =~ /[a-z]+/g;
	my @words = map { "$_=$counts{$_}" } keys %counts;
	syswrite($reports, join(' ', 'Perl', $number, @words) . "\n") or die "report: $!";
}
