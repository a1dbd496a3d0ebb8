/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recording what tasks do on channels.
 */
#ifndef ORACLE_RECORD_H
#define ORACLE_RECORD_H

#include "history.h"

/* Things that must have happened, or the test was none. */
enum event {
	EVENT_AGAIN,
	EVENT_LATE,
	EVENT_SIGNAL,
	EVENT_FAULT,
	EVENT_TOO_LONG,
	EVENT_KILLED,
	EVENT_CLOSED,
	EVENT_FAILED,
	EVENT_CANCELED,
	EVENT_SELECT_SENT,
	EVENT_SELECT_RECEIVED,
	NR_EVENTS
};

/**
 * struct mix - what the tasks of a life like to do; one in so many, 0: never
 * @name: for people
 * @capacity: of the channels
 * @channels: how many
 * @selects: an operation is a select
 * @nowait: it does not wait
 * @deadlines: a select has a deadline
 * @ordered: a select is in order of priority
 * @faults: a receive is into bad memory
 * @short_rooms: a receive is into too little room
 * @long_messages: a message is a long one
 * @signals: a worker is signalled with the others
 * @kills: one of the workers is killed
 * @spare_receivers: of senders only
 */
struct mix {
	const char *name;
	__u32 capacity[HISTORY_CHANNELS];
	__u32 channels;
	__u32 selects;
	__u32 nowait;
	__u32 deadlines;
	__u32 ordered;
	__u32 faults;
	__u32 short_rooms;
	__u32 long_messages;
	__u32 signals;
	__u32 kills;
	bool spare_receivers;
};

extern const char * const event_names[NR_EVENTS];

void record_init(void);
void record_life(const struct mix *mix, __u64 seed, bool cancel, struct history *h);
void count_events(const struct history *h, __u64 *events);

#endif /* ORACLE_RECORD_H */
