// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histories as text, to be kept and to be doctored. The format stands in
 * history.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "history.h"

#define LINE_SIZE	512
#define BLANK		" \t\n"

static const char * const kind_names[KINDS] = {
	[DID_WRITE] = "write",
	[DID_READ] = "read",
	[DID_SELECT] = "select",
	[DID_CLOSE] = "close",
	[DID_CANCEL] = "cancel",
	[DID_INFO] = "info",
};

/**
 * history_reset - forget all operations and channels
 * @h: its memory can be used again
 */
void history_reset(struct history *h)
{
	h->name[0] = '\0';
	h->calm = false;
	h->channels = 0;
	h->nr = 0;
}

/**
 * history_add - one more operation
 * @h: grows as needed
 *
 * Return: the operation, all zero.
 */
struct operation *history_add(struct history *h)
{
	if (h->nr == h->room) {
		h->room = h->room ? h->room * 2 : 1024;
		h->ops = realloc(h->ops, h->room * sizeof(*h->ops));
		if (!h->ops)
			abort();
	}
	memset(&h->ops[h->nr], 0, sizeof(*h->ops));
	return &h->ops[h->nr++];
}

/* --- Writing --- */

static void print_outcome(const struct operation *op, FILE *file)
{
	const struct history_case *chosen = &op->cases[op->chosen % HISTORY_CASES];

	if (op->fate != RETURNED)
		fputs(op->fate == KILLED ? " killed" : " running", file);
	else if (op->error)
		fprintf(file, " err:%u", op->error);
	else if (op->status)
		fprintf(file, " end:%u:%u", op->chosen, op->status);
	else if (op_happened(op) && chosen->op == CASE_RECV)
		fprintf(file, " ok:%u:%u", op->chosen, op->value);
	else
		fprintf(file, " ok:%u", op->chosen);
}

static void print_case(const struct history_case *c, bool with_value, FILE *file)
{
	switch (c->op) {
	case CASE_SEND:
		fprintf(file, " s%u:%u", c->channel, c->value);
		break;
	case CASE_RECV:
		fprintf(file, " r%u", c->channel);
		if (with_value)
			fprintf(file, ":%u", c->value);
		break;
	default:
		fputs(c->op == CASE_POLL ? " p" : " -", file);
	}
}

/**
 * operation_print - as a line of text
 * @op: the operation
 * @before: what the line begins with
 * @file: where to
 */
void operation_print(const struct operation *op, const char *before, FILE *file)
{
	__u32 i;

	fprintf(file, "%s%u %ju %ju %s ", before, op->task, (uintmax_t)op->begin,
		(uintmax_t)op->end, kind_names[op->kind]);
	if (op->deadline && op->deadline != NEVER)
		fprintf(file, "until:%ju", (uintmax_t)op->deadline);
	else
		fputs(op->deadline ? "wait" : "nowait", file);
	if (op->ordered)
		fputc('!', file);
	print_outcome(op, file);
	for (i = 0; i < op->ncases; i++)
		print_case(&op->cases[i], op->kind == DID_INFO, file);
	fputc('\n', file);
}

/**
 * history_write - all of it
 * @h: the history
 * @file: where to
 */
void history_write(const struct history *h, FILE *file)
{
	__u32 i;

	fprintf(file, "history %s\n%s", h->name, h->calm ? "calm\n" : "");
	for (i = 0; i < h->channels; i++)
		fprintf(file, "channel %u %u\n", i, h->capacity[i]);
	for (i = 0; i < h->nr; i++)
		operation_print(&h->ops[i], "", file);
}

/* --- Reading --- */

static bool parse_kind(struct operation *op, const char *word)
{
	for (op->kind = 0; op->kind < KINDS; op->kind++)
		if (!strcmp(word, kind_names[op->kind]))
			return true;
	return false;
}

static bool parse_how(struct operation *op, char *word)
{
	char *last = word + strlen(word) - 1;

	op->ordered = *last == '!';
	if (op->ordered)
		*last = '\0';
	op->deadline = strcmp(word, "nowait") ? NEVER : 0;
	return !op->deadline || !strcmp(word, "wait") ||
	       sscanf(word, "until:%llu", &op->deadline) == 1;
}

static bool parse_outcome(struct operation *op, const char *word)
{
	op->fate = !strcmp(word, "killed") ? KILLED :
		   strcmp(word, "running") ? RETURNED : RUNNING;
	return op->fate != RETURNED || sscanf(word, "err:%u", &op->error) == 1 ||
	       sscanf(word, "end:%u:%u", &op->chosen, &op->status) == 2 ||
	       sscanf(word, "ok:%u:%u", &op->chosen, &op->value) >= 1;
}

static bool parse_case(struct operation *op, const char *word)
{
	struct history_case *c = &op->cases[op->ncases];
	unsigned int channel = 0, value = 0;
	char letter;

	if (op->ncases == HISTORY_CASES)
		return false;
	op->ncases++;
	if (sscanf(word, "%c%u:%u", &letter, &channel, &value) < 1 ||
	    channel >= HISTORY_CHANNELS || !strchr("-srp", letter))
		return false;
	c->op = strchr("-srp", letter) - "-srp";
	c->channel = channel;
	c->value = value;
	return true;
}

static bool parse_operation(struct operation *op, char *line)
{
	char *word, *rest;
	int used = 0;

	if (sscanf(line, "%u %llu %llu %n", &op->task, &op->begin, &op->end, &used) < 3)
		return false;
	word = strtok_r(line + used, BLANK, &rest);
	if (!word || !parse_kind(op, word))
		return false;
	word = strtok_r(NULL, BLANK, &rest);
	if (!word || !parse_how(op, word))
		return false;
	word = strtok_r(NULL, BLANK, &rest);
	if (!word || !parse_outcome(op, word))
		return false;
	while ((word = strtok_r(NULL, BLANK, &rest)))
		if (!parse_case(op, word))
			return false;
	return true;
}

static bool parse_channel(struct history *h, const char *line)
{
	unsigned int number, capacity;

	if (sscanf(line, "channel %u %u", &number, &capacity) != 2 ||
	    number != h->channels || number >= HISTORY_CHANNELS)
		return false;
	h->capacity[h->channels++] = capacity;
	return true;
}

static void complain(const char *line)
{
	fprintf(stderr, "not a line of a history: %s", line);
	exit(2);
}

/**
 * history_read - the next one of a file
 * @h: what is read replaces what is there
 * @file: stands at a line "history NAME", or at its end
 *
 * Return: false at the end of the file.
 */
bool history_read(struct history *h, FILE *file)
{
	char line[LINE_SIZE];
	long at = ftell(file);

	history_reset(h);
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "history ", 8)) {
			if (h->name[0]) {
				fseek(file, at, SEEK_SET);
				return true;
			}
			sscanf(line, "history %63s", h->name);
		} else if (!strcmp(line, "calm\n")) {
			h->calm = true;
		} else if (!strncmp(line, "channel ", 8)) {
			if (!parse_channel(h, line))
				complain(line);
		} else if (line[0] != '#' && line[0] != '\n') {
			if (!parse_operation(history_add(h), line))
				complain(line);
		}
		at = ftell(file);
	}
	return h->name[0];
}
