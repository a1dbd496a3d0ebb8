// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: what several commands need.
 */
#include <ctype.h>
#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <chan.h>

#include "chanctl.h"

const char *command_name;

/* In one write, so that lines of several processes do not mix. */
void complain(const char *format, ...)
{
	va_list args;
	char *what;
	int len;

	va_start(args, format);
	len = vasprintf(&what, format, args);
	va_end(args);
	if (len < 0)
		return;
	if (command_name)
		dprintf(2, "chanctl: %s: %s\n", command_name, what);
	else
		dprintf(2, "chanctl: %s\n", what);
	free(what);
}

static void *checked(void *memory)
{
	if (!memory) {
		complain("out of memory");
		exit(STATUS_OWN);
	}
	return memory;
}

void *zeroed(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *resized(void *memory, size_t size)
{
	return checked(realloc(memory, size ? size : 1));
}

/* Returns the array with room for one more, zeroed, which *n then counts. */
void *append(void *array, size_t *n, size_t size)
{
	/* Whenever the room is used up, it is a power of two. */
	if (!(*n & (*n - 1)))
		array = checked(reallocarray(array, *n ? *n * 2 : 1, size));
	memset((char *)array + *n * size, 0, size);
	++*n;
	return array;
}

char *text(const char *format, ...)
{
	va_list args;
	char *s;
	int len;

	va_start(args, format);
	len = vasprintf(&s, format, args);
	va_end(args);
	return checked(len < 0 ? NULL : s);
}

/* How long the UTF-8 sequence is that s begins with; 0 if it is none. */
size_t utf8_length(const char *string)
{
	const unsigned char *s = (const unsigned char *)string;
	size_t len, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Too long for what it says, a surrogate, or beyond Unicode. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static bool is_c1(char c)
{
	return (c & 0xe0) == 0x80;
}

/*
 * A name that somebody else has chosen must not move the cursor.  Terminals obey
 * U+0080 to U+009F, too, and without UTF-8 the bytes 0x80 to 0x9f.
 */
void make_printable(char *s)
{
	bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;

	for (; *s; s++) {
		if (*s == '\xc2' && is_c1(s[1]))
			*s++ = '?';
		else if (!iscntrl((unsigned char)*s) && (utf8 || !is_c1(*s)))
			continue;
		*s = '?';
	}
}

const char *plural(unsigned long long n)
{
	return n == 1 ? "" : "s";
}

/* "100 B", "64 KiB", "1.5 MiB"; to be freed. */
char *size_text(unsigned long long bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024)
		return text("%llu B", bytes);
	while (size >= 1024 && i < 3) {
		size /= 1024;
		i++;
	}
	return text("%.4g %s", size, names[i]);
}

/* The string is good until the next call. */
const char *time_text(unsigned long long ms)
{
	static char s[48];
	unsigned long long seconds = ms / 1000, minutes = seconds / 60;

	if (ms < 1000)
		snprintf(s, sizeof(s), "%llu ms", ms);
	else if (minutes == 0)
		snprintf(s, sizeof(s), "%llu.%llu s", seconds, ms % 1000 / 100);
	else if (minutes < 60)
		snprintf(s, sizeof(s), "%llu min %llu s", minutes,
			 seconds % 60);
	else
		snprintf(s, sizeof(s), "%llu h %llu min", minutes / 60,
			 minutes % 60);
	return s;
}

/* The first line of a file, to be freed; NULL if there is none to be had. */
char *read_line(const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len = file ? getline(&line, &size, file) : -1;

	if (file)
		fclose(file);
	if (len < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static const struct unit {
	const char *name;
	double ns;
} units[] = {
	{ "", 1e9 },	 { "ms", 1e6 },	  { "us", 1e3 },
	{ "ns", 1 },	 { "s", 1e9 },	  { "m", 60e9 },
	{ "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
};

/* "5", "1.5s", "200ms" ... in nanoseconds. Returns 0, or -1: it is none. */
int parse_duration(const char *s, uint64_t *ns)
{
	char *end;
	double number;

	/* strtod() also knows signs, spaces, hexadecimal and infinity. */
	if (!isdigit((unsigned char)*s) && *s != '.')
		return -1;
	if (tolower((unsigned char)s[strspn(s, "0123456789.")]) == 'x')
		return -1;
	number = strtod(s, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (end == s || strcmp(end, units[i].name))
			continue;
		number *= units[i].ns;
		/* More than a hundred years are as good as no limit. */
		*ns = number < 3e18 ? (uint64_t)number : CHAN_SELECT_FOREVER;
		return 0;
	}
	return -1;
}

/* Of a duration that was given; one that is too long is for ever. */
uint64_t deadline_after(uint64_t ns)
{
	return chan_deadline(ns < INT64_MAX ? (int64_t)ns : CHAN_FOREVER);
}

/* "TERM", "SIGTERM", "15" or "0". Returns the number, or -1: it is none. */
int parse_signal(const char *s)
{
	const char *name = strncasecmp(s, "SIG", 3) ? s : s + 3;
	char *end;
	long number = strtol(s, &end, 10);

	if (isdigit((unsigned char)*s) && !*end)
		return number < NSIG ? (int)number : -1;
	for (int i = 1; i < NSIG; i++) {
		if (sigabbrev_np(i) && strcasecmp(sigabbrev_np(i), name) == 0)
			return i;
	}
	return -1;
}

/* The string is good until the next call. */
const char *signal_name(int signal)
{
	static char name[32];
	const char *abbrev = sigabbrev_np(signal);

	if (abbrev)
		snprintf(name, sizeof(name), "SIG%s", abbrev);
	else
		snprintf(name, sizeof(name), "signal %d", signal);
	return name;
}

/* "ECONNRESET", to be freed. */
char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? text("%s", name) : text("error %d", error);
}

/* Why a channel or /dev/chanctl cannot be opened, and what to do about it. */
void complain_of_open(const char *name, int error)
{
	if (access("/dev/chanctl", F_OK))
		complain("no /dev/chanctl; try: sudo chanctl load");
	else if (error == ENOENT)
		complain("no channel '%s'; see chanctl list", name);
	else if (error == EACCES)
		complain("'%s': %s; its mode or its scope keeps you out", name,
			 strerror(error));
	else if (error == ENOTTY)
		complain("'%s' is no channel", name);
	else
		complain("'%s': %s", name, strerror(error));
}
