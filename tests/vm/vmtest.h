/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmtest.h - what the tests of the kernel module share. They run as root in a guest of their own (tests/vm/boot). A step is done by a
 * child inside a watched cgroup or namespace; what it did is known from its own results, and compared with the records.
 */
#ifndef VMTEST_H
#define VMTEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/types.h>

#include "sources/kmod/kmod.h"
#include "sources/kmod/post.h"

extern struct shk_kmod *kmod;
extern unsigned failures;

#define CHECK(cond, ...)                                                                     \
	do {                                                                                 \
		if (!(cond)) {                                                               \
			failures++;                                                          \
			printf("# %s:%d: %s: ", __FILE__, __LINE__, #cond);                  \
			printf(__VA_ARGS__);                                                 \
			printf("\n");                                                        \
		}                                                                            \
	} while (0)

/* A copy of a record. */
struct seen {
	struct shrike_record head;
	union {
		struct shrike_path path;
		struct shrike_sock sock;
		struct shrike_value value;
		struct shrike_call call;
		struct shrike_fork fork;
		struct shrike_exit exit;
		struct shrike_loss loss;
	} u;
	char *text, *text2;	/* NUL-terminated copies */
	size_t n_text;
};
struct seen_list {
	struct seen *v;
	size_t n;
};

void seen_free(struct seen_list *l);
/* Everything that is in the rings. Fails the test when a record is not well-formed. */
void drain(struct seen_list *l);
/* Records of a type whose text (text2) is this one; NULL: any. ret: the first. */
size_t count_seen(const struct seen_list *l, unsigned type, const char *text, const char *text2, const struct seen **ret);

/* A cgroup of this name below the root, made; its directory, or the test is over. */
int cgroup_make(const char *name);
void cgroup_enter(int dir);
void cgroup_remove(const char *name);
void watch(uint32_t index, int cgroup, int pid, uint64_t classes, uint32_t leases, const uint8_t *native,
	   const uint8_t *compat);
void unwatch(uint32_t index);
/* Runs fn in a child that is in the cgroup (-1: in none); its exit status as of waitpid. */
int in_child(int cgroup, int (*fn)(void *), void *arg);

/* leases.c: a filter that asks about calls of this number; its listener, or -1 */
int notify_on(int nr);
/* CLOCK_MONOTONIC in some seconds */
uint64_t soon(void);
/* A lease of container 20 for that call, on nothing yet. */
void lease_for(const struct seccomp_notif *n, struct shrike_lease *l, unsigned kind);

#define ALL_CLASSES (~0ull)

/* The tests. */
void test_classes(const char *dir);
void test_doors(void);
void test_namespace(void);
void test_many(void);
void test_levels(void);
void test_overrun(void);
void test_control(void);
void test_reader(void);
void test_leases(void);
void test_held(int cgroup);	/* part of it */
int bench(const char *state);
int bench_hold(void);

#endif
