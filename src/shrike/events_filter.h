/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events_filter.h - which alerts `shrike events` prints.
 *
 * Entries of one option are alternatives, different options must all hold. Single thread.
 */
#ifndef SHK_SHRIKE_EVENTS_FILTER_H
#define SHK_SHRIKE_EVENTS_FILTER_H

#include "alerts/alert.h"
#include "shrike/cli.h"

struct json_object;

struct shk_events_filter {
	const struct shk_cli *c;
	bool any;		  /* is there a filter at all */
	bool has_priority;
	enum shk_priority priority;
	char since[40];		  /* UTC, as in records; empty: always */
};

/* Reads --container, --priority, --rule and --since. 0 or an exit code, after saying why. now: real time, ns. */
int shk_events_filter_new(const struct shk_cli *c, uint64_t now, struct shk_events_filter *ret);
bool shk_events_filter_takes(const struct shk_events_filter *f, struct json_object *record);

#endif
