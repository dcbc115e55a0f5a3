/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rulecount.h - what one evaluation executes, counted by callgrind: begin, evaluate, end with a name for the figure.
 */
#ifndef SHK_TESTS_BENCH_RULECOUNT_H
#define SHK_TESTS_BENCH_RULECOUNT_H

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else /* no counts then: tests/bench/rules says so */
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS_AT(x) ((void)(x))
#endif

#endif
