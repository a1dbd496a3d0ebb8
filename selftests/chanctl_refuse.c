// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the place of libkmod's function: a kernel that refuses the module, for a reason
 * that a machine cannot be made to have without booting it anew. REFUSE is the error
 * number.
 */
#include <stdlib.h>

int kmod_module_probe_insert_module(void);

int kmod_module_probe_insert_module(void)
{
	const char *error = getenv("REFUSE");

	return error ? -atoi(error) : 0;
}
