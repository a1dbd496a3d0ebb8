// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: named channels, by what people call them.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <chan.h>

#include "chanctl.h"
#include "device.h"

static const char *without_prefix(const char *s, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(s, prefix, len) ? s : s + len;
}

/* "chan0": those are there from the start, and stay. */
static int is_numbered(const char *name)
{
	const char *digits = without_prefix(name, "chan");

	return digits != name && *digits &&
	       !digits[strspn(digits, "0123456789")];
}

const char *device_name(const char *given)
{
	const char *name = without_prefix(given, "/dev/");

	if (is_numbered(name)) {
		complain("'%s' comes and goes with the module", given);
		return NULL;
	}
	name = without_prefix(name, "chan-");
	if (*name && strlen(name) < CHAN_NAME_SIZE)
		return name;
	complain("'%s' is no name: it has 1 to %d characters", given,
		 CHAN_NAME_SIZE - 1);
	return NULL;
}

char *device_opened(const char *name)
{
	bool whole = is_numbered(name) || without_prefix(name, "chan-") != name;

	return text("%s%s", whole ? "" : "chan-", name);
}

void complain_of_device(const char *what, const char *name, int error)
{
	if (error == EPERM)
		complain("cannot %s 'chan-%s': try: sudo chanctl %s", what,
			 name, command_name);
	else if (error == EEXIST)
		complain("cannot %s 'chan-%s': there is one of that name", what,
			 name);
	else if (error == ENOENT && strcmp(what, "remove") == 0)
		complain("cannot %s 'chan-%s': none was added of that name",
			 what, name);
	else
		complain("cannot %s 'chan-%s': %s", what, name,
			 strerror(error));
}
