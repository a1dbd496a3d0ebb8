/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel module, by way of libkmod.
 */
#ifndef _MODULE_H
#define _MODULE_H

#include <stdbool.h>
#include <stddef.h>

#include <libkmod.h>

#include "command.h"

/**
 * struct module - a module to load, or to tell about
 * @ctx: of libkmod.
 * @mod: the module; NULL if there is none.
 * @info: what its file tells.
 * @directory: where it was looked for.
 */
struct module {
	struct kmod_ctx *ctx;
	struct kmod_module *mod;
	struct kmod_list *info;
	char *directory;
};

/* Where the module is, as the user has told. */
struct module_place {
	const char *file;
	const char *directory;
};

#define PLACE_OPTIONS(type, field)					\
	{ 'f', "file", "FILE", .parse = option_text,			\
	  .offset = offsetof(type, field.file),				\
	  .completion = COMPLETE_FILE,					\
	  .help = "this file, not the one that is installed" },		\
	{ 'd', "directory", "DIR", .parse = option_text,		\
	  .offset = offsetof(type, field.directory),			\
	  .completion = COMPLETE_DIRECTORY,				\
	  .help = "where modules are installed; default\n"		\
		  "/lib/modules/RELEASE" }

bool module_is_loaded(void);
/* Returns 0 or a negative error number; -ENOENT there is no such module. */
int module_open(struct module *m, const struct module_place *place);
void module_close(struct module *m);
/* What its file tells under a key; NULL for nothing. */
const char *module_info(const struct module *m, const char *key);
bool module_has_parameter(const struct module *m, const char *name, size_t len);
/* "channels, mode", to be freed. */
char *module_parameters(const struct module *m);
/* Of the module that is loaded; to be freed, NULL if there is none. */
char *module_parameter(const char *name);

/* What to say, and what to do about it, when loading has failed; to be freed. */
char *explain_load(const struct module *m, int error, const char *parameters);
char *explain_missing(const struct module *m, const struct module_place *place,
		      int error);

#endif /* _MODULE_H */
