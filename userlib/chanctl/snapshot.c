// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: read what the module tells of all scopes and channels, in debugfs, and
 * of those that are named, in sysfs.
 *
 * A line about a scope or channel begins with its number; the lines about the
 * processes in it follow, indented:
 *
 *	7 parent 0 pgid 812 state bound cause 0 members 2 channels 1 owner 811 sh
 *	  member pid 812 cc
 *	12 anonymous open cause 0 capacity 4 ... scope 7
 *	  receiver pid 812 cc for 350 ms
 *
 * The name of a process is anybody's to choose.  The module writes a newline in
 * it as \012 and a backslash as \134; but whatever stands here, a line that is
 * none of these is left out, and no name is long enough to make one that is.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "chanctl.h"
#include "snapshot.h"

#define DEBUGFS "/sys/kernel/debug"

/* The number after a word of the line, else 0. */
static unsigned long long number_after(const char *line, const char *word)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), " %s ", word);
	at = strstr(line, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* The word after a word of the line; to be freed. */
static char *word_after(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	at = at ? at + strlen(word) : "";
	return text("%.*s", (int)strcspn(at, " "), at);
}

/* The number that the line begins with, and the word behind it, else 0. */
static unsigned long long id_before(const char *line, const char *word)
{
	unsigned long long id;
	char *end;

	if (!isdigit((unsigned char)*line))
		return 0;
	id = strtoull(line, &end, 10);
	return strncmp(end, word, strlen(word)) ? 0 : id;
}

/* Put back, in place, what the module has written in octal. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (strncmp(s, "\\012", 4) == 0 ||
		    strncmp(s, "\\134", 4) == 0) {
			*to++ = s[1] == '0' ? '\n' : '\\';
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* "PID COMM", where anything may be in the name, and blanks at its beginning. */
static struct process parse_process(const char *s, size_t len)
{
	const char *end = s + len, *name;
	struct process process = { 0 };

	process.pid = (int)strtol(s, NULL, 10);
	name = memchr(s, ' ', len);
	name = name ? name + 1 : end;
	process.comm = text("%.*s", (int)(end - name), name);
	unescape(process.comm);
	make_printable(process.comm);
	return process;
}

/* "sender pid PID COMM for MS ms"; the name may have such words in it, too. */
static struct parked parse_parked(const char *line)
{
	const char *who = strstr(line, " pid ") + strlen(" pid ");
	const char *since = NULL, *next;

	for (next = who; (next = strstr(next, " for ")); next++)
		since = next;
	return (struct parked){
		.sends = strncmp(line, "sender", strlen("sender")) == 0,
		.process = parse_process(who, since ? (size_t)(since - who) :
						      strlen(who)),
		.ms = since ? strtoull(since + strlen(" for "), NULL, 10) : 0,
	};
}

static void add_scope(struct snapshot *s, const char *line)
{
	unsigned long long id = id_before(line, " parent ");
	const char *owner = strstr(line, " owner ");
	struct scope *scope;

	if (!id || !owner)
		return;
	s->scopes = append(s->scopes, &s->n_scopes, sizeof(*s->scopes));
	scope = &s->scopes[s->n_scopes - 1];
	scope->id = id;
	scope->parent = number_after(line, "parent");
	scope->pgid = number_after(line, "pgid");
	scope->state = word_after(line, " state ");
	scope->cause = number_after(line, "cause");
	owner += strlen(" owner ");
	scope->owner = parse_process(owner, strlen(owner));
}

static void add_member(struct snapshot *s, const char *line)
{
	const char *pid = strstr(line, " pid ");
	struct scope *scope;

	if (!s->n_scopes || !pid)
		return;
	scope = &s->scopes[s->n_scopes - 1];
	pid += strlen(" pid ");
	scope->members = append(scope->members, &scope->n_members,
				sizeof(*scope->members));
	scope->members[scope->n_members - 1] = parse_process(pid, strlen(pid));
}

static void add_channel(struct snapshot *s, const char *line)
{
	bool named = id_before(line, " named ");
	struct channel *ch;

	if ((!named && !id_before(line, " anonymous ")) ||
	    !strstr(line, " received "))
		return;
	s->channels = append(s->channels, &s->n_channels, sizeof(*s->channels));
	ch = &s->channels[s->n_channels - 1];
	ch->id = strtoull(line, NULL, 10);
	ch->scope = number_after(line, "scope");
	ch->state = word_after(line, named ? " named " : " anonymous ");
	ch->cause = number_after(line, "cause");
	ch->capacity = number_after(line, "capacity");
	ch->max_msg = number_after(line, "max_msg");
	ch->buffered = number_after(line, "buffered");
	ch->send_ends = number_after(line, "send_ends");
	ch->recv_ends = number_after(line, "recv_ends");
	ch->sent = number_after(line, "sent");
	ch->received = number_after(line, "received");
}

static void add_parked(struct snapshot *s, const char *line)
{
	struct channel *ch;

	if (!s->n_channels)
		return;
	ch = &s->channels[s->n_channels - 1];
	if (strcmp(line, "...") == 0) {
		ch->parked_more = true;
		return;
	}
	if (!strstr(line, " pid "))
		return;
	ch->parked = append(ch->parked, &ch->n_parked, sizeof(*ch->parked));
	ch->parked[ch->n_parked - 1] = parse_parked(line);
	if (ch->parked[ch->n_parked - 1].sends)
		ch->parked_senders++;
	else
		ch->parked_receivers++;
}

/* Why the file is not there, or not for us, and what to do about it. */
static void explain(const char *path, int error)
{
	struct statfs fs;

	if (access(SYSFS_MODULE, F_OK))
		complain("the module is not loaded; try: sudo chanctl load");
	else if (error == EACCES || error == EPERM)
		complain("%s: %s; only root may look, try: sudo chanctl %s",
			 path, strerror(error), command_name);
	else if (statfs(DEBUGFS, &fs) || fs.f_type != DEBUGFS_MAGIC)
		complain("no debugfs; try: mount -t debugfs none %s", DEBUGFS);
	else
		complain("%s: %s", path, strerror(error));
}

static void read_lines(FILE *file, struct snapshot *s,
		       void (*head)(struct snapshot *s, const char *line),
		       void (*detail)(struct snapshot *s, const char *line))
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "  ", 2) == 0)
			detail(s, line + 2);
		else
			head(s, line);
	}
	free(line);
}

static int read_file(const char *path, struct snapshot *s,
		     void (*head)(struct snapshot *s, const char *line),
		     void (*detail)(struct snapshot *s, const char *line))
{
	FILE *file = fopen(path, "re");
	int bad;

	if (!file) {
		explain(path, errno);
		return -1;
	}
	read_lines(file, s, head, detail);
	bad = ferror(file);
	if (bad)
		complain("%s: %s", path, strerror(errno));
	fclose(file);
	return bad ? -1 : 0;
}

/* --- Named channels, in sysfs --- */

static unsigned long long read_attribute(const char *name,
					 const char *attribute)
{
	char *path = text(SYSFS_CLASS "/%s/%s", name, attribute);
	char *line = read_line(path);
	unsigned long long value = line ? strtoull(line, NULL, 10) : 0;

	free(line);
	free(path);
	return value;
}

static char *read_state(const char *name)
{
	char *path = text(SYSFS_CLASS "/%s/state", name);
	char *state = read_line(path);

	free(path);
	return state ? state : text("removed");
}

static void fill_named(struct channel *ch, const char *name)
{
	ch->state = read_state(name);
	ch->cause = read_attribute(name, "cause");
	ch->capacity = read_attribute(name, "capacity");
	ch->max_msg = read_attribute(name, "max_msg");
	ch->buffered = read_attribute(name, "buffered");
	ch->send_ends = read_attribute(name, "send_ends");
	ch->recv_ends = read_attribute(name, "recv_ends");
	ch->sent = read_attribute(name, "sent");
	ch->received = read_attribute(name, "received");
}

/* One that the other file has told of, too, is given its name. */
static void add_named(struct snapshot *s, const char *name)
{
	unsigned long long id = read_attribute(name, "id");
	struct channel *ch = snapshot_find(s, id);

	if (!id)
		return;
	if (!ch) {
		s->channels = append(s->channels, &s->n_channels, sizeof(*ch));
		ch = &s->channels[s->n_channels - 1];
		ch->id = id;
		fill_named(ch, name);
	}
	/* There may be more of them than the other file lists. */
	ch->parked_senders = read_attribute(name, "parked_senders");
	ch->parked_receivers = read_attribute(name, "parked_receivers");
	ch->hangup = read_attribute(name, "hangup");
	if (!ch->name)
		ch->name = text("%s", name);
}

static int read_named(struct snapshot *s)
{
	DIR *dir = opendir(SYSFS_CLASS);
	struct dirent *entry;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			add_named(s, entry->d_name);
	}
	closedir(dir);
	return 0;
}

static int compare(unsigned long long a, unsigned long long b)
{
	return (a > b) - (a < b);
}

static int compare_scopes(const void *a, const void *b)
{
	return compare(((const struct scope *)a)->id,
		       ((const struct scope *)b)->id);
}

static int compare_channels(const void *a, const void *b)
{
	return compare(((const struct channel *)a)->id,
		       ((const struct channel *)b)->id);
}

static int compare_processes(const void *a, const void *b)
{
	return compare(((const struct process *)a)->pid,
		       ((const struct process *)b)->pid);
}

/* The oldest first; those who are parked are in the order of their turns. */
static void sort(struct snapshot *s)
{
	for (size_t i = 0; i < s->n_scopes; i++) {
		struct scope *scope = &s->scopes[i];

		if (scope->n_members)
			qsort(scope->members, scope->n_members,
			      sizeof(*scope->members), compare_processes);
	}
	if (s->n_scopes)
		qsort(s->scopes, s->n_scopes, sizeof(*s->scopes),
		      compare_scopes);
	if (s->n_channels)
		qsort(s->channels, s->n_channels, sizeof(*s->channels),
		      compare_channels);
}

static void release_scope(struct scope *scope)
{
	for (size_t i = 0; i < scope->n_members; i++)
		free(scope->members[i].comm);
	free(scope->members);
	free(scope->owner.comm);
	free(scope->state);
}

/* Each number once, whatever the file says. */
static void drop_duplicates(struct snapshot *s)
{
	size_t left = 0;

	for (size_t i = 0; i < s->n_scopes; i++) {
		if (left && s->scopes[left - 1].id == s->scopes[i].id)
			release_scope(&s->scopes[i]);
		else
			s->scopes[left++] = s->scopes[i];
	}
	s->n_scopes = left;
}

/*
 * One whose parent has ended before it is as good as in the root scope, 0.  Who
 * was first has the lower number, so nothing is its own ancestor.
 */
static void find_parents(struct snapshot *s)
{
	for (size_t i = 0; i < s->n_scopes; i++) {
		struct scope *scope = &s->scopes[i], *parent;
		const struct scope key = { .id = scope->parent };

		parent = bsearch(&key, s->scopes, i, sizeof(key),
				 compare_scopes);
		scope->depth = parent ? parent->depth + 1 : 1;
		if (!parent)
			scope->parent = 0;
		else if (parent->depth == MAX_DEPTH)
			parent->more = true;
	}
}

/* Scopes last, so that the channels of one that has just ended are left out. */
int snapshot_take(struct snapshot *s)
{
	*s = (struct snapshot){ .all = true };
	if (read_file(DEBUGFS "/chan/channels", s, add_channel, add_parked) ||
	    read_file(DEBUGFS "/chan/scopes", s, add_scope, add_member)) {
		snapshot_release(s);
		return -1;
	}
	read_named(s);
	sort(s);
	drop_duplicates(s);
	find_parents(s);
	return 0;
}

int snapshot_take_named(struct snapshot *s)
{
	*s = (struct snapshot){ 0 };
	if (read_named(s)) {
		explain(SYSFS_CLASS, errno);
		return -1;
	}
	sort(s);
	return 0;
}

int snapshot_take_some(struct snapshot *s)
{
	if (access(DEBUGFS "/chan/channels", R_OK) == 0)
		return snapshot_take(s);
	return snapshot_take_named(s);
}

struct channel *snapshot_find(const struct snapshot *s, unsigned long long id)
{
	for (size_t i = 0; i < s->n_channels; i++) {
		if (s->channels[i].id == id)
			return &s->channels[i];
	}
	return NULL;
}

/* Named ones first, "chan2" before "chan10". */
static int compare_names(const void *a, const void *b)
{
	const struct channel *ca = *(struct channel *const *)a;
	const struct channel *cb = *(struct channel *const *)b;

	if (!ca->name || !cb->name)
		return !ca->name == !cb->name ? compare(ca->id, cb->id) :
						!ca->name - !cb->name;
	return strverscmp(ca->name, cb->name);
}

struct channel **snapshot_by_name(const struct snapshot *s)
{
	struct channel **list = zeroed(s->n_channels * sizeof(*list));

	for (size_t i = 0; i < s->n_channels; i++)
		list[i] = &s->channels[i];
	qsort(list, s->n_channels, sizeof(*list), compare_names);
	return list;
}

char *channel_title(const struct channel *ch)
{
	return ch->name ? text("%s", ch->name) : text("#%llu", ch->id);
}

void snapshot_release(struct snapshot *s)
{
	for (size_t i = 0; i < s->n_scopes; i++)
		release_scope(&s->scopes[i]);
	for (size_t i = 0; i < s->n_channels; i++) {
		for (size_t j = 0; j < s->channels[i].n_parked; j++)
			free(s->channels[i].parked[j].process.comm);
		free(s->channels[i].parked);
		free(s->channels[i].name);
		free(s->channels[i].state);
	}
	free(s->scopes);
	free(s->channels);
	*s = (struct snapshot){ 0 };
}
