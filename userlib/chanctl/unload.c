// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl unload: unload the module, or tell who uses it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"
#include "holders.h"
#include "module.h"
#include "watch.h"

/* How many users are told. */
#define MOST_TOLD 5
/* Nobody tells when the last one has gone. */
#define INTERVAL (50 * CHAN_MILLISECOND)

struct settings {
	uint64_t timeout;
};

/* "812 cat (/dev/chan0), ...", to be freed. */
static char *users(void)
{
	char *all = text("%s", ""), *longer;
	struct holders h;

	holders_find(&h);
	for (size_t i = 0; i < h.n && i < MOST_TOLD; i++) {
		longer = text("%s%s%d %s (%s)", all, *all ? ", " : "",
			      h.list[i].process.pid, h.list[i].process.comm,
			      h.list[i].path);
		free(all);
		all = longer;
	}
	if (h.n > MOST_TOLD) {
		longer = text("%s and %zu more", all, h.n - MOST_TOLD);
		free(all);
		all = longer;
	}
	holders_release(&h);
	return all;
}

static const char unseen[] =
	"the module is in use by files that cannot be seen\n"
	"  they may be about to go, or in flight over a socket; wait with --timeout";

static void complain_of_users(void)
{
	char *all = users();

	if (*all)
		complain("the module is in use by %s\n"
			 "  end them first, or wait for them with --timeout",
			 all);
	else
		complain("%s", unseen);
	free(all);
}

static int explain(int error)
{
	if (error == EAGAIN || error == EBUSY)
		complain_of_users();
	else if (error == EPERM)
		complain("this takes root; try: sudo chanctl unload");
	else
		complain("%s", strerror(error));
	return STATUS_FAILED;
}

static int unload(struct kmod_module *mod, uint64_t timeout)
{
	uint64_t deadline = deadline_after(timeout);
	int ret;

	for (;;) {
		ret = kmod_module_remove_module(mod, KMOD_REMOVE_NOLOG);
		if (ret != -EAGAIN && ret != -EBUSY)
			break;
		if (!timeout || chan_deadline(1) >= deadline)
			break;
		sleep_for(INTERVAL);
	}
	/* That somebody else was quicker is just as well. */
	return ret && ret != -ENOENT ? explain(-ret) : STATUS_GOOD;
}

static int unload_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	struct kmod_module *mod = NULL;
	struct kmod_ctx *ctx;
	int status = STATUS_FAILED;

	(void)argc;
	(void)argv;
	if (!module_is_loaded())
		return STATUS_GOOD;
	ctx = kmod_new(NULL, NULL);
	if (ctx && kmod_module_new_from_name(ctx, "chan", &mod) == 0)
		status = unload(mod, set->timeout);
	else
		complain("%s", strerror(ENOMEM));
	kmod_module_unref(mod);
	kmod_unref(ctx);
	return status;
}

static const struct option_spec options[] = {
	{ 't', "timeout", "DURATION", .parse = option_duration,
	  .offset = offsetof(struct settings, timeout),
	  .help = "wait so long for those who use it; default 0" },
	{ 0 },
};

const struct command unload_command = {
	.name = "unload",
	.summary = "unload the module",
	.synopsis = "[OPTION]...",
	.description =
		"Unload the kernel module chan, which is no failure if it is not loaded.  It\n"
		"stays as long as a file of it is open; the processes that have one are told.\n"
		"This takes root.",
	.options = options,
	.notes =
		"Exit status: 0; 1 it is in use, or could not be unloaded; 2 wrong usage.",
	.settings_size = sizeof(struct settings),
	.usage_status = STATUS_USAGE,
	.main = unload_main,
};
