// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl load: load the module.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chanctl.h"
#include "command.h"
#include "module.h"

struct settings {
	struct module_place place;
};

/* The kernel ignores one that it does not know. */
static int check_parameter(const struct module *m, const char *word)
{
	size_t len = strcspn(word, "=");
	char *there;

	if (!word[len] || !len) {
		complain("'%s' is no parameter, such as channels=16", word);
		return -1;
	}
	if (module_has_parameter(m, word, len))
		return 0;
	there = module_parameters(m);
	complain("the module has no parameter '%.*s'; it has %s", (int)len,
		 word, there);
	free(there);
	return -1;
}

static char *join(char **words)
{
	char *all = text("%s", ""), *longer;

	for (; *words; words++) {
		longer = text("%s%s%s", all, *all ? " " : "", *words);
		free(all);
		all = longer;
	}
	return all;
}

/* As the kernel reads it, which may be written in several ways. */
static bool parse_value(const char *s, unsigned long *number)
{
	char *end;
	int base;

	s += *s == '+';
	if (!isdigit((unsigned char)*s))
		return false;
	base = *s != '0' ? 10 : s[1] == 'x' || s[1] == 'X' ? 16 : 8;
	errno = 0;
	*number = strtoul(s, &end, base);
	return !*end && !errno;
}

static bool is_same(const char *a, const char *b)
{
	unsigned long na, nb;

	return strcmp(a, b) == 0 ||
	       (parse_value(a, &na) && parse_value(b, &nb) && na == nb);
}

static bool is_so(const char *word)
{
	size_t len = strcspn(word, "=");
	char *name = text("%.*s", (int)len, word);
	char *value = module_parameter(name);
	bool same = value && word[len] && is_same(word + len + 1, value);

	free(value);
	free(name);
	return same;
}

/* To load what is loaded is no failure, unless it was to be loaded otherwise. */
static int already_loaded(char **words)
{
	for (; *words; words++) {
		if (is_so(*words))
			continue;
		complain("it is loaded already, without '%s'; unload it first",
			 *words);
		return STATUS_FAILED;
	}
	return STATUS_GOOD;
}

static int load(const struct module *m, char **words)
{
	char *parameters, *why;
	int ret;

	for (char **word = words; *word; word++) {
		if (check_parameter(m, *word))
			return STATUS_USAGE;
	}
	parameters = join(words);
	ret = kmod_module_probe_insert_module(m->mod, KMOD_PROBE_FAIL_ON_LOADED,
					      parameters, NULL, NULL, NULL);
	if (ret < 0) {
		why = explain_load(m, -ret, parameters);
		complain("%s", why);
		free(why);
	}
	free(parameters);
	return ret < 0 ? STATUS_FAILED : STATUS_GOOD;
}

static int load_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	struct module m;
	int ret, status = STATUS_FAILED;
	char *why;

	(void)argc;
	if (module_is_loaded())
		return already_loaded(argv);
	ret = module_open(&m, &set->place);
	if (ret) {
		why = explain_missing(&m, &set->place, -ret);
		complain("%s", why);
		free(why);
	} else {
		status = load(&m, argv);
	}
	module_close(&m);
	return status;
}

static const struct option_spec options[] = {
	PLACE_OPTIONS(struct settings, place),
	{ 0 },
};

const struct command load_command = {
	.name = "load",
	.summary = "load the module",
	.synopsis = "[OPTION]... [PARAMETER=VALUE]...",
	.description =
		"Load the kernel module chan, which is no failure if it is loaded already.  What\n"
		"modprobe.d(5) has about it is heeded.  This takes root.",
	.options = options,
	.notes = "Exit status: 0; 1 it could not be loaded; 2 wrong usage.",
	.settings_size = sizeof(struct settings),
	.usage_status = STATUS_USAGE,
	.most = ANY_NUMBER,
	.arguments = COMPLETE_PARAMETER,
	.main = load_main,
};
