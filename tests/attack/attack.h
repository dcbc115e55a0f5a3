/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attack.h - what the attack programs share: counting, and the flip, which changes something in the middle of a call.
 *
 * An attack runs in a process of its own inside a container. /free holds what may be reached, /hide what may not;
 * a file there begins with the letter F or H. struct run and struct flip lie in memory that children share.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct run {
	unsigned long attempts;	   /* wanted */
	uint64_t until_ns;	   /* when to stop in any case; 0: never */
	bool until;		   /* the first forbidden success is enough */
	atomic_ulong done;
	atomic_ulong legitimate;   /* allowed things that worked meanwhile */
	atomic_ulong forbidden;	   /* what must not happen */
	char why[128];		   /* cannot be tried here: the reason */
	char past[256];		   /* of several ways, those that led past */
};

struct attack {
	const char *name;
	void (*fn)(struct run *r);
};

/* Ended by an entry without a name. */
extern const struct attack attacks_open[], attacks_alias[], attacks_cred[], attacks_exec[], attacks_net[],
	attacks_path[], attacks_proc[], attacks_wait[], attacks_fuse[];

/* Counts an attempt; false: enough. */
bool more(struct run *r);
static inline void good(struct run *r) { atomic_fetch_add(&r->legitimate, 1); }
static inline void evil(struct run *r) { atomic_fetch_add(&r->forbidden, 1); }
/* Notes a way, once. */
void past(struct run *r, const char *way);
/* For what this kernel or container does not have. */
void unavailable(struct run *r, const char *what);
/* Ends the program: the test itself is wrong. */
_Noreturn void broken(const char *what);

/* Memory that a forked child shares; below 4 GiB, so that i386 calls can name it. Zeroed, never given back. */
void *shared(size_t n);
uint64_t now_ns(void);
unsigned long draw(unsigned long below);
/* Keeps the processor for a random time below so many nanoseconds. (By the clock: an emulator's "pause" takes half a millisecond.) */
void dally(unsigned long below_ns);

/* fork and pthread_create; a machine that is full for the moment is waited for. */
pid_t fork_child(void);
pthread_t start_thread(void *(*fn)(void *arg), void *arg);

/* Good or evil by the first letter of the file; closes it. A negative descriptor is a refusal. */
void judge_fd(struct run *r, int fd);
/* What a child of fork or clone came to: 0 is good, 66 evil, anything else a refusal. */
void judge_child(struct run *r, pid_t pid);
/* One plain open of /free/f, so that an attack that is refused at once is beside something that works. */
void plain_open(struct run *r);

/* ---- the flip ---- */

struct flip {
	void (*set)(void *arg, bool evil); /* called by one thread at a time */
	void *arg;
	atomic_uint turn, did;
	atomic_bool in_call, over;
	atomic_ulong window_ns, t0_ns;
};

/* Starts a thread that calls set(arg, true) at some moment of each call. */
struct flip *flip_start(void (*set)(void *arg, bool evil), void *arg);
/* Around each call: sets the good side, and lets the thread go. */
void flip_begin(struct flip *f);
/* The call is over; what it took tells where in the next one to change things. */
void flip_end(struct flip *f);
/* In a child that began a call on its parent's flip, and failed. */
void flip_took(struct flip *f);
void flip_settle(struct flip *f);
void flip_stop(struct flip *f);

/* Text that changes between two values of one length. */
struct text {
	char *p;
	const char *good, *evil;
};
void set_text(void *text, bool evil);
struct text *text_of(const char *good, const char *evil);

/* A name that changes by exchanging it with another one, atomically. */
struct names {
	const char *used, *spare;
	bool evil;
};
void set_names(void *names, bool evil);
struct names *names_of(const char *used, const char *spare);

/* A descriptor number behind which two files alternate. */
struct numbers {
	int used, good, evil;
};
void set_number(void *numbers, bool evil);

/* ---- the other ways into the kernel ---- */

long int80(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e);
static inline uint32_t low(const void *p) { return (uint32_t)(uintptr_t)p; }
#define X32 0x40000000

#endif
