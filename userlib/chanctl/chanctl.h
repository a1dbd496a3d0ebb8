/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of chanctl share.
 */
#ifndef _CHANCTL_H
#define _CHANCTL_H

#include <stddef.h>
#include <stdint.h>

/* The compiler checks the arguments. */
#define LIKE_PRINTF __attribute__(( \
	__format__(printf, 1, 2)))

#define SYSFS_CLASS "/sys/class/chan"
#define SYSFS_MODULE "/sys/module/chan"

/*
 * Exit statuses.  Those of a command run leave little room for others: there the
 * last five are used, as timeout(1) and env(1) do.
 */
enum {
	STATUS_GOOD		= 0,
	STATUS_FAILED		= 1,
	STATUS_USAGE		= 2,
	STATUS_ENDED		= 3,	/* the channel, before all was done */
	STATUS_NOT_LOADED	= 3,	/* says status */
	STATUS_DEADLOCK		= 123,
	STATUS_TIMEOUT		= 124,
	STATUS_OWN		= 125,
	STATUS_NOT_EXECUTABLE	= 126,
	STATUS_NOT_FOUND	= 127,
	STATUS_SIGNAL		= 128,
};

/* The word after chanctl, which is in front of what complain() says. */
extern const char *command_name;

void complain(const char *format, ...) LIKE_PRINTF;
void *zeroed(size_t size);
void *resized(void *memory, size_t size);
void *append(void *array, size_t *n, size_t size);
char *text(const char *format, ...) LIKE_PRINTF;
size_t utf8_length(const char *string);
void make_printable(char *s);
const char *plural(unsigned long long n);
char *size_text(unsigned long long bytes);
const char *time_text(unsigned long long ms);
char *read_line(const char *path);
int parse_duration(const char *s, uint64_t *ns);
uint64_t deadline_after(uint64_t ns);
int parse_signal(const char *s);
const char *signal_name(int signal);
char *error_name(int error);
void complain_of_open(const char *name, int error);

#endif /* _CHANCTL_H */
