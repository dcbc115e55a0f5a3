/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clean.h - text of strangers made fit to be compared, shown and logged.
 *
 * Clean text is well-formed UTF-8 of characters that are none of: control characters (U+0000 to U+001F, U+007F
 * to U+009F) and noncharacters (U+FDD0 to U+FDEF, and the last two of each plane). Everything else is
 * replaced by U+FFFD: a control character or noncharacter as a whole, of broken UTF-8 each longest part that could
 * have become a character, and else each byte. What is clean already is neither copied nor changed.
 * Any thread; memory is the caller's arena.
 */
#ifndef SHK_BASE_CLEAN_H
#define SHK_BASE_CLEAN_H

#include <stdint.h>

#include "base/arena.h"

#define SHK_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* What stands at p (n > 0 bytes): the length of a clean character, or minus the number of bytes that one
 * U+FFFD takes the place of. */
int shk_clean_step(const char *p, size_t n);
/* The bytes in front of the first one that must be replaced; s.n when there is none. */
size_t shk_clean_length(struct shk_str s);
/* s with the replacements made. */
void shk_clean_append(struct shk_buf *out, struct shk_str s);
/* Of text that is not clean beyond its first `good` bytes: a clean copy. p NULL: no memory. */
struct shk_str shk_clean_copy(struct shk_arena *a, struct shk_str s, size_t good);

/* Clean text can still lie to whoever reads it: characters that are not seen, and those that turn the order of others
 * around (Unicode's default ignorable code points, bidirectional controls, line separators). Such a one at p (n > 0):
 * its length, and *ret is its code point; 0: another, or none. Values keep them, as programs compare them; text for
 * people shows them as \u202e. */
size_t shk_clean_hidden(const char *p, size_t n, uint32_t *ret);

/* *s becomes clean. false: no memory. */
static inline bool shk_clean(struct shk_arena *a, struct shk_str *s)
{
	size_t good = shk_clean_length(*s);

	if (good == s->n)
		return true;
	*s = shk_clean_copy(a, *s, good);
	return s->p;
}

#endif
