// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl bench: the short table of the benchmark, on this machine.  What measures
 * is a program of its own, of selftests/bench; it prints rows of the form
 *
 *	pingpong/chan/64	1.234	ratio	1.100	1.300	21
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chanctl.h"
#include "command.h"
#include "json.h"
#include "table.h"

/* Beside this program, as where it was built, or where it was installed. */
static const char *const places[] = {
	"chanctl-bench",
	"../libexec/chan/chanctl-bench",
};

/* What the short table has; two sizes that tell the ends of the curve apart. */
#define FIGURES \
	"^(pingpong|oneway)/(chan|chan64|pipe|seqpacket|mqueue)/(64|4096)$"

struct settings {
	bool json;
	const char *only;
	uint64_t pairs;
};

struct figure {
	char *name;
	double median, low, high;
};

struct figures {
	struct figure *list;
	size_t n;
};

/* To be freed; the last of the places if it is in none. */
static char *find_program(void)
{
	char self[PATH_MAX] = "", *path = NULL;
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	size_t dir = len > 0 ? (size_t)(strrchr(self, '/') - self) : 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		free(path);
		path = text("%.*s/%s", (int)dir, self, places[i]);
		if (access(path, X_OK) == 0)
			break;
	}
	return path;
}

/* Returns 0, or -1 after a complaint. */
static int start(const struct settings *set, pid_t *pid, FILE **from)
{
	char *path = find_program();
	char *pairs = text("%llu", (unsigned long long)set->pairs);
	const char *const argv[] = { path, "--pairs", pairs,	 "--settle",
				     "0",  "--only",  set->only, NULL };
	posix_spawn_file_actions_t actions;
	int pipe[2], error;

	if (pipe2(pipe, O_CLOEXEC)) {
		error = errno;
		complain("cannot make a pipe: %s", strerror(error));
		goto out;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
	error = posix_spawn(pid, path, &actions, NULL, (char **)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipe[1]);
	*from = fdopen(pipe[0], "r");
	if (error)
		complain("%s: %s", path, strerror(error));
out:
	free(pairs);
	free(path);
	return error;
}

/* What is no row of this form, such as one that was skipped, is left out. */
static void add_row(struct figures *f, const char *line)
{
	char name[64];
	struct figure row;

	if (sscanf(line, "%63[^\t]\t%lf\tratio\t%lf\t%lf", name, &row.median,
		   &row.low, &row.high) != 4)
		return;
	row.name = text("%s", name);
	f->list = append(f->list, &f->n, sizeof(row));
	f->list[f->n - 1] = row;
}

static int read_rows(FILE *file, struct figures *f)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, file) > 0)
		add_row(f, line);
	free(line);
	return ferror(file) ? -1 : 0;
}

static int measure(const struct settings *set, struct figures *f)
{
	FILE *file = NULL;
	pid_t pid;
	int status;

	if (start(set, &pid, &file))
		return -1;
	read_rows(file, f);
	fclose(file);
	if (waitpid(pid, &status, 0) == pid && status == 0 && f->n)
		return 0;
	complain("the benchmark has failed");
	return -1;
}

/* --- What came of it --- */

static const char *what_is(const char *figure)
{
	if (strstr(figure, "pingpong"))
		return "round trip";
	return "one way";
}

/* "select1/pingpong/64" has the mechanism first, the others second. */
static char *mechanism_of(const char *figure)
{
	const char *first = strchr(figure, '/');

	if (strncmp(figure, "select1", strlen("select1")) == 0)
		return text("select");
	return text("%.*s", (int)strcspn(first + 1, "/"), first + 1);
}

static void add_figure(struct table *t, const struct figure *f)
{
	table_add(t, text("%s", what_is(f->name)));
	table_add(t, mechanism_of(f->name));
	table_add(t, text("%s B", strrchr(f->name, '/') + 1));
	table_add(t, text("%.2f", f->median));
	table_add(t, text("%.2f to %.2f", f->low, f->high));
}

static void print_table(const struct figures *f)
{
	static const char *const head[] = { "MESSAGE", "OVER", "SIZE",
					    "TIME/PIPE", "95 % INTERVAL" };
	struct table t = { .align = "llrrl" };

	table_add_row(&t, head);
	for (size_t i = 0; i < f->n; i++)
		add_figure(&t, &f->list[i]);
	table_print(&t, 0);
}

static void print_json(const struct figures *f, uint64_t pairs)
{
	json_object(NULL);
	json_number("pairs", pairs);
	json_array("figures");
	for (size_t i = 0; i < f->n; i++) {
		json_object(NULL);
		json_string("name", f->list[i].name);
		json_real("ratio_to_pipe", f->list[i].median);
		json_real("low", f->list[i].low);
		json_real("high", f->list[i].high);
		json_end_object();
	}
	json_end_array();
	json_end_object();
}

static int bench_main(void *settings, int argc, char **argv)
{
	struct settings *set = settings;
	struct figures f = { 0 };
	int status = STATUS_FAILED;

	(void)argc;
	(void)argv;
	if (access("/dev/chanctl", R_OK | W_OK)) {
		complain_of_open("/dev/chanctl", errno);
		return STATUS_FAILED;
	}
	if (measure(set, &f) == 0) {
		if (set->json)
			print_json(&f, set->pairs);
		else
			print_table(&f);
		status = STATUS_GOOD;
	}
	for (size_t i = 0; i < f.n; i++)
		free(f.list[i].name);
	free(f.list);
	return status;
}

static int set_pairs(const char *value, void *field)
{
	uint64_t *pairs = field;

	if (option_count(value, pairs))
		return -1;
	if (*pairs >= 6 && *pairs <= 10000)
		return 0;
	return bad_value("number of pairs from 6 to 10000", value, "21");
}

static const struct option_spec options[] = {
	{ 'p', "pairs", "N", .parse = set_pairs,
	  .offset = offsetof(struct settings, pairs),
	  .help = "how often each is measured, side by side with a pipe;\n"
		  "default 21" },
	{ 'o', "only", "REGEX", .parse = option_text,
	  .offset = offsetof(struct settings, only),
	  .help = "figures whose name matches, as pingpong/chan/64; all\n"
		  "of them, with \".\", take some minutes" },
	{ 'j', "json", .parse = option_flag,
	  .offset = offsetof(struct settings, json),
	  .help = "print one line of JSON instead" },
	{ 0 },
};

static const struct settings defaults = { .pairs = 21, .only = FIGURES };

const struct command bench_command = {
	.name = "bench",
	.summary = "measure what a message costs on this machine",
	.synopsis = "[OPTION]...",
	.description =
		"Measure how long a message takes over a channel (chan), a channel that buffers\n"
		"64 messages (chan64), a socket and a message queue, as a multiple of what it\n"
		"takes over a pipe at the same time: less than 1 is faster than a pipe.  What is\n"
		"told is the median of the pairs, and where the true one lies with 95 %.",
	.options = options,
	.notes = "Exit status: 0; 1 it could not be measured; 2 wrong usage.",
	.defaults = &defaults,
	.settings_size = sizeof(defaults),
	.usage_status = STATUS_USAGE,
	.main = bench_main,
};
