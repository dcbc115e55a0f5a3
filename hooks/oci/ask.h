/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask.h - one question to the supervisor that outlives the restart of its engine. Hook and wrapper.
 */
#ifndef SHK_HOOKS_ASK_H
#define SHK_HOOKS_ASK_H

#include "control/control.h"

/* Exit status of shrike-hook and shrike-runtime. */
enum {
	SHK_EXIT_REFUSED = 1, /* the supervisor said no */
	SHK_EXIT_USAGE = 2,
	SHK_EXIT_INPUT = 3,   /* state, config.json or bundle cannot be used */
	SHK_EXIT_ABSENT = 4,  /* no supervisor answers */
	SHK_EXIT_SYSTEM = 5,  /* no memory, or a system call failed that should not */
	SHK_EXIT_RUNTIME = 6, /* shrike-runtime: the real runtime cannot be found or executed */
};

/* Connects and calls until there is an answer or the monotonic time `due` is reached. *absent: nobody answered,
 * as against a refusal. keep (may be NULL) gets the connection of a good answer. */
int shk_oci_ask(const char *socket, struct json_object *request, const int *fds, size_t nfds,
		uint64_t due, struct shk_client **keep, struct json_object **ret, bool *absent,
		struct shk_err *err);

#endif
