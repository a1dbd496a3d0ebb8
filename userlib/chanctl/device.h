/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Named channels, by what people call them.
 */
#ifndef _DEVICE_H
#define _DEVICE_H

/*
 * The NAME of /dev/chan-NAME, within what was given: "NAME", "chan-NAME" or
 * "/dev/chan-NAME".  NULL, after a complaint, for one that cannot be added or
 * removed.
 */
const char *device_name(const char *given);

/* What chan_tx_open() opens in /dev by a name without a slash; to be freed. */
char *device_opened(const char *name);

/* Why one could not be added or removed. */
void complain_of_device(const char *what, const char *name, int error);

#endif /* _DEVICE_H */
