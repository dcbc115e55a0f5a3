/* SPDX-License-Identifier: Apache-2.0 */
/*
 * str.h - string views and growing buffers.
 *
 * struct shk_str is a borrowed view: never assume a NUL behind it. struct shk_buf owns a growing
 * byte buffer with a hard limit; a refused append sets `failed` and drops the rest, so a printer
 * can append without checks and look once at the end. Not thread safe.
 */
#ifndef SHK_BASE_STR_H
#define SHK_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

struct shk_str {
	const char *p;
	size_t n;
};

#define SHK_STR(lit) ((struct shk_str){ (lit), sizeof(lit) - 1 })
#define SHK_STR_FMT  "%.*s"
#define SHK_STR_ARG(s) (int)(s).n, (s).p

static inline struct shk_str shk_str(const char *s)
{
	return (struct shk_str){ s, s ? strlen(s) : 0 };
}

static inline bool shk_str_eq(struct shk_str a, struct shk_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool shk_str_eqz(struct shk_str a, const char *z)
{
	if (a.n && *z != *a.p) /* nearly always: no call then */
		return false;
	return shk_str_eq(a, shk_str(z));
}

static inline bool shk_str_starts(struct shk_str s, struct shk_str pre)
{
	return s.n >= pre.n && (pre.n == 0 || memcmp(s.p, pre.p, pre.n) == 0);
}

static inline bool shk_str_ends(struct shk_str s, struct shk_str suf)
{
	return s.n >= suf.n && (suf.n == 0 || memcmp(s.p + s.n - suf.n, suf.p, suf.n) == 0);
}

/* Bytewise order, shorter first on a common prefix. */
int shk_str_cmp(struct shk_str a, struct shk_str b);

/* Decimal with optional sign, the whole view; false on anything else or overflow. */
bool shk_str_to_i64(struct shk_str s, int64_t *ret);
bool shk_str_to_u64(struct shk_str s, uint64_t *ret);

/* Levenshtein distance, bounded: returns at most `limit`; views longer than 64 give `limit`. For
 * "did you mean". */
unsigned shk_str_distance(struct shk_str a, struct shk_str b, unsigned limit);

struct shk_buf {
	char *p; /* owned, NUL-terminated once anything was appended */
	size_t n, size, limit;
	bool failed;
};

/* limit: hard cap of n in bytes. */
void shk_buf_init(struct shk_buf *b, size_t limit);
void shk_buf_done(struct shk_buf *b);
/* n = 0, failed = false, memory kept. */
void shk_buf_reset(struct shk_buf *b);
void shk_buf_add(struct shk_buf *b, const void *p, size_t n);
void shk_buf_adds(struct shk_buf *b, const char *s);
void shk_buf_addstr(struct shk_buf *b, struct shk_str s);
void shk_buf_addc(struct shk_buf *b, char c);
void shk_buf_printf(struct shk_buf *b, const char *fmt, ...) SHK_PRINTF(2, 3);
static inline struct shk_str shk_buf_view(const struct shk_buf *b)
{
	return (struct shk_str){ b->p, b->n };
}
#define _cleanup_buf_ SHK_CLEANUP(shk_buf_done)

#endif
