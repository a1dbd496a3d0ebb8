/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A snapshot, or what is in it, as JSON.
 */
#ifndef _TREE_JSON_H
#define _TREE_JSON_H

struct channel;
struct process;
struct snapshot;

void tree_json_print(const struct snapshot *s);
/* Without the braces, so that there can be more. */
void channel_json_fields(const struct channel *ch);
void channel_json_print(const struct channel *ch);
void process_json_print(const char *name, const struct process *process);

#endif /* _TREE_JSON_H */
