/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How messages follow each other in a stream.
 */
#ifndef _FRAMING_H
#define _FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "command.h"

enum framing {
	FRAMING_LINES,		/* each ends in a newline */
	FRAMING_NULL,		/* each ends in a NUL */
	FRAMING_WHOLE,		/* the stream is one, or what follows is */
	FRAMING_LENGTH,		/* before each, its length: 32 bits, big-endian */
};

/**
 * struct reader - messages out of a stream
 * @file: the stream.
 * @framing: how they follow each other.
 * @buf: the message.
 * @len: how long it is.
 * @room: how long it could be.
 * @most: the longest that is wanted; more is -EMSGSIZE.
 * @number: how many there were, with this one.
 */
struct reader {
	FILE *file;
	enum framing framing;
	char *buf;
	size_t len, room, most;
	uint64_t number;
};

/*
 * Returns: 1 there is one, 0 there is none any more, -EMSGSIZE, -EBADMSG the
 * stream has ended amid one, or why it cannot be read.
 */
int reader_next(struct reader *r);
void reader_release(struct reader *r);

/* Returns 0, or -1 with errno. */
int write_message(FILE *file, enum framing framing, const char *buf, size_t len);

/* Parsers for an option each, all with the same field. */
int option_lines(const char *value, void *field);
int option_null(const char *value, void *field);
int option_whole(const char *value, void *field);
int option_length(const char *value, void *field);

/* The rows for them. */
#define FRAMING_OPTIONS(type, field, lines, whole)			\
	{ 'l', "lines", .parse = option_lines,				\
	  .offset = offsetof(type, field), .help = lines },		\
	{ 'z', "null", .parse = option_null,				\
	  .offset = offsetof(type, field),				\
	  .help = "a NUL ends a message" },				\
	{ 'w', "whole", .parse = option_whole,				\
	  .offset = offsetof(type, field), .help = whole },		\
	{ 'p', "length-prefixed", .parse = option_length,		\
	  .offset = offsetof(type, field),				\
	  .help = "each message follows its length, 32 bits, big-endian" }

#endif /* _FRAMING_H */
