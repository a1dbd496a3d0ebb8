// SPDX-License-Identifier: GPL-2.0-only
/*
 * Worker of the demo, in C with libchan: takes lines "NUMBER TEXT" from
 * /dev/chan0 and reports "C NUMBER WORD=COUNT..." to /dev/chan1, until there
 * are no more.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chan.h>

#define ROOM	CHAN_DEFAULT_MAX_MSG

struct count {
	const char *word;
	size_t len;
	unsigned int times;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "C worker: %s: %s\n", what, strerror(-error));
	exit(1);
}

/* The next word at or after *@text, as lower case; its length or 0. */
static size_t next_word(char **text)
{
	size_t len = 0;

	while (**text && !isalpha((unsigned char)**text))
		++*text;
	for (; isalpha((unsigned char)(*text)[len]); len++)
		(*text)[len] = tolower((unsigned char)(*text)[len]);
	return len;
}

static void count_word(struct count *counts, size_t *n, const char *word, size_t len)
{
	struct count *count = counts;

	while (count < counts + *n && (count->len != len || memcmp(count->word, word, len)))
		count++;
	if (count == counts + *n)
		counts[(*n)++] = (struct count){ .word = word, .len = len };
	count->times++;
}

/* Returns the length of the report. */
static size_t report_on(char *line, char *report)
{
	static struct count counts[ROOM / 2];
	size_t len, n = 0;
	char *text, *at;

	at = report + sprintf(report, "C %lu", strtoul(line, &text, 10));
	while ((len = next_word(&text))) {
		count_word(counts, &n, text, len);
		text += len;
	}
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, " %.*s=%u", (int)counts[i].len, counts[i].word,
			      counts[i].times);
	*at++ = '\n';
	return at - report;
}

int main(void)
{
	/* The worst is a line of different words: "ab" becomes " ab=1". */
	static char line[ROOM + 1], report[2 * ROOM + 32];
	struct chan_rx lines;
	struct chan_tx reports;
	size_t len;
	int ret;

	ret = chan_rx_open("chan0", 0, &lines);
	if (ret)
		die("/dev/chan0", ret);
	ret = chan_tx_open("chan1", 0, &reports);
	if (ret)
		die("/dev/chan1", ret);
	while ((ret = chan_recv(lines, line, ROOM, &len)) > 0) {
		line[len] = '\0';
		ret = chan_send(reports, report, report_on(line, report));
		if (ret)
			die("report", ret);
	}
	if (ret)
		die("receive", ret);
	return 0;
}
