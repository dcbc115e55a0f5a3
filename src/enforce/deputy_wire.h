/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deputy_wire.h - between the engine and a deputy (private to mounter.c and deputy*.c). Both are one program, and the structs
 * of a call are sent as they are; pointers in them are void but where the deputy sets them anew.
 */
#ifndef SHK_ENFORCE_DEPUTY_WIRE_H
#define SHK_ENFORCE_DEPUTY_WIRE_H

#include "enforce/deputy.h"
#include "enforce/mounter_child.h"

/* Descriptors that go along, always all of them; the last two are what is held, or ns again. */
enum { SHK_DFD_REPLY, SHK_DFD_NS, SHK_DFD_ROOT, SHK_DFD_A, SHK_DFD_B, SHK_DFD_N };

enum shk_deputy_op { SHK_DEPUTY_WALK, SHK_DEPUTY_OPEN, SHK_DEPUTY_PATHS, SHK_DEPUTY_SOCKET };

struct shk_deputy_wire {
	uint32_t op; /* enum shk_deputy_op */
	uint32_t seconds;
	uint64_t container;
	struct shk_who who;
	mode_t umask;
	bool has_a, has_b;
	union {
		struct shk_walk_from from;
		struct shk_open open;
		struct shk_paths paths;
		struct shk_socket socket;
	};
	uint32_t n_text;
	char text[SHK_PATH_LIMIT + 4]; /* WALK: the path; PATHS: what a symbolic link is to say */
};

struct shk_deputy_reply {
	int32_t r; /* first: of a deputy that was not begun nothing else comes */
	struct shk_pin pin;
};

/* In a process of its own: does it, and answers. */
_Noreturn void shk_deputy_child(struct shk_deputy_wire *q, int *fd);

#endif
