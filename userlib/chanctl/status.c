// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl status: the module, if it is loaded, and how it is set.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chan.h>

#include "chanctl.h"
#include "command.h"
#include "json.h"
#include "module.h"
#include "snapshot.h"
#include "table.h"

struct settings {
	struct module_place place;
	bool json;
};

static const struct {
	unsigned long long bit;
	const char *name;
} features[] = {
	{ CHAN_FEATURE_DEV, "dev" },
	{ CHAN_FEATURE_SELECT, "select" },
	{ CHAN_FEATURE_SCOPE, "scope" },
};

#define N_FEATURES (sizeof(features) / sizeof(features[0]))

/* What there is to tell. */
struct view {
	bool loaded;
	const char *file; /* NULL: none is installed */
	const char *vermagic;
	struct chan_version version;
	char *references; /* by open files, each of which may have several */
	char *(*parameters)[2]; /* name and value */
	size_t n_parameters;
	struct snapshot s;
	size_t n_named;
};

static void read_parameters(struct view *v)
{
	DIR *dir = opendir(SYSFS_MODULE "/parameters");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *value;

		if (entry->d_name[0] == '.')
			continue;
		value = module_parameter(entry->d_name);
		if (!value)
			continue;
		v->parameters = append(v->parameters, &v->n_parameters,
				       sizeof(*v->parameters));
		v->parameters[v->n_parameters - 1][0] =
			text("%s", entry->d_name);
		v->parameters[v->n_parameters - 1][1] = value;
	}
	if (dir)
		closedir(dir);
}

static int compare_parameters(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int look(struct view *v)
{
	v->loaded = module_is_loaded();
	if (!v->loaded)
		return 0;
	v->references = read_line(SYSFS_MODULE "/refcnt");
	if (chan_version(&v->version, sizeof(v->version)))
		v->version.version = 0;
	read_parameters(v);
	if (v->n_parameters)
		qsort(v->parameters, v->n_parameters, sizeof(*v->parameters),
		      compare_parameters);
	if (snapshot_take_some(&v->s))
		return -1;
	for (size_t i = 0; i < v->s.n_channels; i++)
		v->n_named += !!v->s.channels[i].name;
	return 0;
}

static void release(struct view *v)
{
	for (size_t i = 0; i < v->n_parameters; i++) {
		free(v->parameters[i][0]);
		free(v->parameters[i][1]);
	}
	free(v->parameters);
	free(v->references);
	snapshot_release(&v->s);
}

static char *features_text(unsigned long long set)
{
	char *all = text("%s", ""), *longer;

	for (size_t i = 0; i < N_FEATURES; i++) {
		if (!(set & features[i].bit))
			continue;
		longer = text("%s %s", all, features[i].name);
		free(all);
		all = longer;
	}
	return all;
}

static void add_interface(struct table *t, const struct view *v)
{
	char *set = features_text(v->version.features);

	if (v->version.version)
		table_add_pair(t, "interface",
			       text("version %u, with%s", v->version.version,
				    set));
	else
		table_add_pair(t, "interface",
			       text("unknown: /dev/chanctl cannot be asked"));
	free(set);
}

/* The kernel tells permissions in decimal, as it does all numbers. */
static char *parameter_text(char *const parameter[2])
{
	if (strcmp(parameter[0], "mode") == 0)
		return text("mode=%04lo", strtoul(parameter[1], NULL, 10));
	return text("%s=%s", parameter[0], parameter[1]);
}

static void add_loaded(struct table *t, const struct view *v)
{
	add_interface(t, v);
	table_add_pair(t, "references",
		       text("%s", v->references ? v->references : "?"));
	for (size_t i = 0; i < v->n_parameters; i++) {
		table_add(t, text("%s", i ? "" : "parameters:"));
		table_add(t, parameter_text(v->parameters[i]));
	}
	if (v->s.all)
		table_add_pair(t, "channels",
			       text("%zu named, %zu anonymous; %zu scope%s",
				    v->n_named, v->s.n_channels - v->n_named,
				    v->s.n_scopes, plural(v->s.n_scopes)));
	else
		table_add_pair(t, "channels", text("%zu named", v->n_named));
}

static void print_table(const struct view *v)
{
	struct table t = { .align = "ll" };

	table_add_pair(&t, "module", text(v->loaded ? "loaded" : "not loaded"));
	table_add_pair(&t, "installed",
		       v->file ? text("%s", v->file) :
				 text("not for this kernel"));
	if (v->vermagic)
		table_add_pair(&t, "built for", text("%s", v->vermagic));
	if (v->loaded)
		add_loaded(&t, v);
	table_add_pair(&t, "library", text("%s", chan_library_version()));
	table_print(&t, 0);
}

/* A mode is a number like the others: the kernel tells it in decimal. */
static void print_parameters(const struct view *v)
{
	json_object("parameters");
	for (size_t i = 0; i < v->n_parameters; i++)
		json_number(v->parameters[i][0],
			    strtoull(v->parameters[i][1], NULL, 10));
	json_end_object();
}

static void print_loaded(const struct view *v)
{
	json_number("version", v->version.version);
	json_array("features");
	for (size_t i = 0; i < N_FEATURES; i++) {
		if (v->version.features & features[i].bit)
			json_string(NULL, features[i].name);
	}
	json_end_array();
	json_number("references",
		    v->references ? strtoull(v->references, NULL, 10) : 0);
	print_parameters(v);
	json_number("named_channels", v->n_named);
	if (v->s.all) {
		json_number("anonymous_channels", v->s.n_channels - v->n_named);
		json_number("scopes", v->s.n_scopes);
	}
}

static void print_json(const struct view *v)
{
	json_object(NULL);
	json_bool("loaded", v->loaded);
	json_string("file", v->file);
	json_string("vermagic", v->vermagic);
	if (v->loaded)
		print_loaded(v);
	json_string("library", chan_library_version());
	json_end_object();
}

static int status_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	struct view v = { 0 };
	struct module m;
	int status = STATUS_FAILED;

	(void)argc;
	(void)argv;
	if (module_open(&m, &set->place) == 0) {
		v.file = kmod_module_get_path(m.mod);
		v.vermagic = module_info(&m, "vermagic");
	}
	if (look(&v) == 0) {
		if (set->json)
			print_json(&v);
		else
			print_table(&v);
		status = v.loaded ? STATUS_GOOD : STATUS_NOT_LOADED;
	}
	release(&v);
	module_close(&m);
	return status;
}

static const struct option_spec options[] = {
	PLACE_OPTIONS(struct settings, place),
	{ 'j', "json", .parse = option_flag,
	  .offset = offsetof(struct settings, json),
	  .help = "print one line of JSON instead" },
	{ 0 },
};

const struct command status_command = {
	.name = "status",
	.summary = "tell if the module is loaded, and how it is set",
	.synopsis = "[OPTION]...",
	.description =
		"Tell if the module is loaded, which file there is of it, its parameters, and\n"
		"what there is.  Anonymous channels and scopes are for root alone to see.",
	.options = options,
	.notes =
		"Exit status: 0 it is loaded; 1 could not look; 2 wrong usage; 3 not loaded.",
	.settings_size = sizeof(struct settings),
	.usage_status = STATUS_USAGE,
	.main = status_main,
};
