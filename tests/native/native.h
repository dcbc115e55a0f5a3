/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native.h - the same calls made with and without a supervisor.
 *
 * A case is made from a seed and its number alone: nothing of the machine goes into it. It runs in a process of its own with a
 * directory of its own, and its line says what was done and what came of it. A family of calls (open ...) is one
 * table of kinds of paths, and a function that makes, does and describes a case.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define WEB 1000 /* a user without rights */
#define GROUP 500

/* Numbers of one case. */
struct dice {
	uint64_t x;
};
void dice_init(struct dice *d, uint64_t seed, uint64_t number);
unsigned roll(struct dice *d, unsigned below);

/* What came of the call; in memory that the parent sees. */
struct result {
	char text[512];
	bool done;
};

struct kase {
	struct dice dice;
	unsigned number;
	char dir[64];	  /* its own, an absolute path */
	char path[8300];  /* what is named */
	char look[8300];  /* what is looked at afterwards; "" nothing */
	char what[512];	  /* the case in words */
	bool volatile_;	  /* contents and numbers of the object say nothing (/proc) */
	unsigned cred, mask;
	struct result *res;
};

struct family {
	const char *name;
	void (*world)(void);		/* once, as root */
	void (*make)(struct kase *k);	/* rolls the dice; sets path, look, what */
	void (*prepare)(struct kase *k); /* in the case's process, still root */
	void (*act)(struct kase *k);	/* with the case's rights; writes k->res */
};
extern const struct family family_open, family_mount;

/* Ends the program: the test itself is wrong. */
_Noreturn void broken(const char *what);
void add(char *buf, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- whose rights: cred.c ---- */
extern const unsigned n_creds;
const char *cred_name(unsigned cred);
void cred_take(unsigned cred);

/* ---- kinds of paths: world.c ---- */
extern const unsigned n_kinds;
const char *kind_name(unsigned kind);
/* Makes what the kind needs in k->dir and sets k->path. */
void kind_make(struct kase *k, unsigned kind);
/* Mounts that kinds use. */
void world_make(void);
/* What a name is now, in words: for after the call. */
void describe(const char *path, char *out, size_t n);
bool kind_may_block(unsigned kind);

#endif
