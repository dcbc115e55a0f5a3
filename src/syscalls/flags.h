/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flags.h - named bits and enumerations of call arguments.
 *
 * Lists are plain text (src/syscalls/flags/NAME.in), compiled into constant tables. A bit without a
 * name prints as 0x..., never dropped. Order of printing is the order of the list. Values are the
 * kernel's (include/uapi). Falco prints open flags through its own words (PPM_O_*): the list
 * "falco_open_flags" maps kernel bits to those words where they differ.
 */
#ifndef SHK_SYSCALLS_FLAGS_H
#define SHK_SYSCALLS_FLAGS_H

#include "base/str.h"

struct shk_flag {
	uint64_t value; /* bits, or the enum value */
	uint64_t mask;	/* bits compared with value: (v & mask) == value means present */
	const char *name;
};

struct shk_flag_list {
	const char *name; /* "open_flags" */
	bool is_enum;
	bool drop_unknown; /* print: bits without a name vanish (the rule language's open flags) */
	bool overlap;	   /* print: a bit named already may be named again (O_SYNC|O_DSYNC) */
	const struct shk_flag *flags;
	size_t n;
};

const struct shk_flag_list *shk_flag_list_by_name(struct shk_str name);
/* "O_CREAT|O_WRONLY", "0" for none; unknown bits appended as one hex number. An enumeration's unknown
 * value prints in decimal. */
void shk_flags_print(const struct shk_flag_list *l, uint64_t v, struct shk_buf *out);
/* Reverse of print; names and numbers (0x.., decimal) joined by '|'. false: unknown word. */
bool shk_flags_parse(const struct shk_flag_list *l, struct shk_str s, uint64_t *ret);

#endif
