/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fields.h - made-up events for the tests of fields, and the text of a field on the event.
 *
 * One event at a time, made by this very process (so that its /proc files are those of a living task); its
 * memory is what was put. Single thread. Everything fails the test that calls it.
 */
#ifndef SHK_TEST_FIELDS_H
#define SHK_TEST_FIELDS_H

#include "fields/fields.h"
#include "state/container.h"

extern struct shk_arena arena;
extern struct shk_event ev;
extern struct shk_container *ctr; /* locked */
extern struct shk_eval_ctx ctx;

/* Puts bytes into the event's memory; their address. Valid until setup(). */
uint64_t put(const void *p, size_t n);
uint64_t put_str(const char *s);
/* Makes ev an attempt of the call; registers follow. */
void event(const char *call, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
/* The call of ev was made and returned this. */
void returned(int64_t ret);
/* What was looked up for ev is looked up anew. */
void ask_again(void);
/* The text of a field, "<NA>" when it is missing. Valid until the next call. */
const char *text_of(const char *field);
/* The k-th candidate of a field that stands for several values. */
bool candidate(const char *field, unsigned k, struct shk_value *v);
/* Valid until the next call. */
const char *number(long n);

/* Has every field of the class no value on ev? Exceptions: names with blanks between them. */
void all_missing(const char *class_name, const char *except);

#define IS(field, want) assert_string_equal(text_of(field), want)

/* A container record and an empty memory. */
int setup(void **state);
int teardown(void **state);

#define EVENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
