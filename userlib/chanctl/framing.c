// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: how messages follow each other in a stream.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chanctl.h"
#include "framing.h"

#define FIRST_ROOM 4096

int option_lines(const char *value, void *field)
{
	(void)value;
	*(enum framing *)field = FRAMING_LINES;
	return 0;
}

int option_null(const char *value, void *field)
{
	(void)value;
	*(enum framing *)field = FRAMING_NULL;
	return 0;
}

int option_whole(const char *value, void *field)
{
	(void)value;
	*(enum framing *)field = FRAMING_WHOLE;
	return 0;
}

int option_length(const char *value, void *field)
{
	(void)value;
	*(enum framing *)field = FRAMING_LENGTH;
	return 0;
}

static int read_error(const struct reader *r)
{
	return ferror(r->file) ? -errno : 0;
}

static int push(struct reader *r, char c)
{
	if (r->len == r->most)
		return -EMSGSIZE;
	if (r->len == r->room) {
		r->room = r->room ? r->room * 2 : FIRST_ROOM;
		r->buf = resized(r->buf, r->room);
	}
	r->buf[r->len++] = c;
	return 0;
}

/* The last one may lack the delimiter. */
static int read_delimited(struct reader *r, int delimiter)
{
	int c, ret;

	while ((c = getc_unlocked(r->file)) != EOF) {
		if (c == delimiter)
			return 1;
		ret = push(r, (char)c);
		if (ret)
			return ret;
	}
	return r->len && !ferror(r->file) ? 1 : read_error(r);
}

/* An empty stream is a message, too. */
static int read_whole(struct reader *r)
{
	int ret = read_delimited(r, EOF);

	return ret ?: r->number == 1;
}

static int read_prefixed(struct reader *r)
{
	uint32_t prefix;
	size_t got = fread(&prefix, 1, sizeof(prefix), r->file);

	if (got < sizeof(prefix))
		return read_error(r) ?: got ? -EBADMSG : 0;
	prefix = ntohl(prefix);
	if (prefix > r->most) {
		r->len = prefix;
		return -EMSGSIZE;
	}
	if (prefix > r->room) {
		r->buf = resized(r->buf, prefix);
		r->room = prefix;
	}
	r->len = fread(r->buf, 1, prefix, r->file);
	if (r->len == prefix)
		return 1;
	return read_error(r) ?: -EBADMSG;
}

int reader_next(struct reader *r)
{
	r->len = 0;
	r->number++;
	switch (r->framing) {
	case FRAMING_LINES:
		return read_delimited(r, '\n');
	case FRAMING_NULL:
		return read_delimited(r, '\0');
	case FRAMING_WHOLE:
		return read_whole(r);
	default:
		return read_prefixed(r);
	}
}

void reader_release(struct reader *r)
{
	free(r->buf);
}

/* Each is out before the next is waited for. */
int write_message(FILE *file, enum framing framing, const char *buf, size_t len)
{
	uint32_t prefix = htonl((uint32_t)len);

	if (framing == FRAMING_LENGTH)
		fwrite(&prefix, sizeof(prefix), 1, file);
	fwrite(buf, 1, len, file);
	if (framing == FRAMING_LINES && (!len || buf[len - 1] != '\n'))
		putc('\n', file);
	if (framing == FRAMING_NULL)
		putc('\0', file);
	return fflush(file) || ferror(file) ? -1 : 0;
}
