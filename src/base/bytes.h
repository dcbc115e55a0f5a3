/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h - short pieces of memory, compared where they are met instead of by a call. Any thread.
 */
#ifndef SHK_BASE_BYTES_H
#define SHK_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t shk_load_8(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return w;
}

/* Sixteen bytes at once, as the compiler's vectors have it: what a comparison says of each is all ones or all zeroes. */
typedef int8_t shk_bytes_16 __attribute__((vector_size(16)));

static inline shk_bytes_16 shk_load_16(const char *p)
{
	shk_bytes_16 v;

	memcpy(&v, p, 16);
	return v;
}

static inline bool shk_any_16(shk_bytes_16 v)
{
	uint64_t w[2];

	memcpy(w, &v, 16);
	return w[0] | w[1];
}

/* Less than 8 bytes as a number: of one length, the same for the same bytes alone. */
static inline uint64_t shk_load_few(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	uint32_t a, b;

	if (n < 4)
		return n ? u[0] | (uint64_t)u[n / 2] << 8 | (uint64_t)u[n - 1] << 16 : 0;
	memcpy(&a, p, 4);
	memcpy(&b, p + n - 4, 4);
	return (uint64_t)a << 32 | b;
}

#define SHK_SHORT_BYTES 128u /* more are left to memcmp */

/* Most are short: no call then. */
static inline __attribute__((always_inline)) bool shk_same_bytes(const char *a, const char *b, size_t n)
{
	if (n < 8)
		return shk_load_few(a, n) == shk_load_few(b, n);
	if (shk_load_8(a) != shk_load_8(b) || shk_load_8(a + n - 8) != shk_load_8(b + n - 8))
		return false;
	if (n > SHK_SHORT_BYTES)
		return memcmp(a + 8, b + 8, n - 16) == 0;
	for (size_t i = 8; i + 8 < n; i += 8)
		if (shk_load_8(a + i) != shk_load_8(b + i))
			return false;
	return true;
}

#endif
