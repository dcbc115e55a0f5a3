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
	char text[1024];
	bool done;
};

struct kase {
	struct dice dice;
	unsigned number;
	char top[32];	  /* its own directory, an absolute path */
	char dir[64];	  /* the same, or the part of it where names are made */
	char path[8300];  /* what is named */
	char look[8300];  /* what is looked at afterwards; "" nothing */
	char what[512];	  /* the case in words */
	bool volatile_;	  /* contents and numbers of the object say nothing (/proc) */
	unsigned made;	  /* files so far: their sizes tell them apart */
	bool mounted;	  /* something is mounted on "m" in dir */
	unsigned cred, mask;
	struct result *res;
};

struct family {
	const char *name;
	void (*world)(void);		/* once, as root */
	void (*make)(struct kase *k);	/* rolls the dice; sets path, look, what */
	void (*prepare)(struct kase *k); /* in the case's process, still root */
	void (*act)(struct kase *k);	/* with the case's rights; writes k->res */
	void (*clean)(struct kase *k);	/* afterwards, as root; may be NULL */
	bool opens;			/* k->look is looked at, not everything in k->top */
};
extern const struct family family_open, family_mount;
extern const struct family family_make, family_rename, family_link, family_node, family_mode, family_owner, family_size;
extern const struct family family_connect, family_bind, family_send;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PICK(d, a) ((a)[roll((d), ARRAY_SIZE(a))])

/* Ends the program: the test itself is wrong. */
_Noreturn void broken(const char *what);
void add(char *buf, size_t n, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- whose rights: cred.c ---- */
extern const unsigned n_creds, n_all_creds; /* the first n_creds are those of calls that open */
const char *cred_name(unsigned cred);
void cred_take(unsigned cred);

/* ---- kinds of paths: world.c, and names.c for those that only calls that change names are tried on ---- */
extern const unsigned n_kinds;
const char *kind_name(unsigned kind);
/* Makes what the kind needs in k->dir and sets k->path. */
void kind_make(struct kase *k, unsigned kind);
/* Those of above that calls may change without harm to later cases, and names.c's. */
unsigned change_kinds(void);
const char *change_kind_name(unsigned kind);
unsigned change_kind_of(const char *name);
void change_kind_make(struct kase *k, unsigned kind);
struct kind {
	const char *name;
	void (*make)(struct kase *k);
};
extern const struct kind name_kinds[];
extern const unsigned n_name_kinds;
/* Mounts that kinds use. */
void world_make(void);
/* What a name is now, in words: for after the call. */
void describe(const char *path, char *out, size_t n);
/* Everything below a directory. */
void describe_tree(const char *dir, char *out, size_t n);
bool kind_may_block(unsigned kind);

/* For those who write kinds. A name in k->dir, in one of a few buffers. */
char *in(struct kase *k, const char *name);
void must(int r, const char *what);
/* Are devices that not every container has to be left out? On control groups of version 2 they are refused (docs/NATIVE.md). */
bool everybodys_devices(void);
/* A file with contents, or a directory (S_IFDIR). */
void make(struct kase *k, const char *name, mode_t mode, uid_t uid, gid_t gid);
void link_to(struct kase *k, const char *to, const char *name);
/* The case's path. */
void is(struct kase *k, const char *name);

/* ---- where the caller stands: place.c ---- */
enum place {
	ABSOLUTE,
	RELATIVE,    /* the working directory is that of the case */
	IN_DIR,	     /* relative to a descriptor */
	IN_FILE,     /* ... which is a file */
	IN_NOTHING,  /* ... which is closed */
	ROOTED,	     /* chroot: the case's directory is the root */
	OUTSIDE,     /* the working directory is outside of the root */
	REMOVED,     /* the working directory is gone */
	REMOVED_DIR, /* the directory of the descriptor is gone */
	N_PLACES,
};
const char *place_name(enum place p);
/* For calls with descriptors or without. */
enum place place_pick(struct dice *d, bool at);
/* The case's process goes there; before its rights are taken. */
void place_take(const struct kase *k, enum place p);
/* The descriptor of IN_DIR, IN_FILE, REMOVED_DIR, closed otherwise. */
#define PLACE_FD 30
int place_fd(enum place p);
/* k->path as it is named there. */
const char *place_path(const struct kase *k, enum place p, const char *path);

/* What cases of paths.c and sockets.c may have changed that others need. */
void clean_changes(struct kase *k);

/* ---- memory of arguments: memory.c ---- */
/* A copy of n bytes below 4 GiB; at_end: the page behind it is not there. */
void *memory_of(const void *bytes, size_t n, bool at_end);
/* The call with a number of i386, and six arguments. */
long call_i386(long nr, const unsigned long *a);

#endif
