// SPDX-License-Identifier: Apache-2.0
#include "syscalls/flags.h"

#include <inttypes.h>

#include "syscalls/flag_lists.h"

const struct shk_flag_list *shk_flag_list_by_name(struct shk_str name)
{
	for (size_t i = 0; i < shk_flag_lists_n; i++)
		if (shk_str_eqz(name, shk_flag_lists[i]->name))
			return shk_flag_lists[i];
	return NULL;
}

/* Enumerations are C ints in the kernel: the upper half of the register means nothing. */
static void print_enum(const struct shk_flag_list *l, uint64_t v, struct shk_buf *out)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->flags[i].value == (uint32_t)v) {
			shk_buf_adds(out, l->flags[i].name);
			return;
		}
	}
	shk_buf_printf(out, "%" PRIu64, v);
}

void shk_flags_print(const struct shk_flag_list *l, uint64_t v, struct shk_buf *out)
{
	uint64_t left = v;
	bool any = false;

	if (!l) {
		shk_buf_printf(out, "0x%" PRIx64, v);
		return;
	}
	if (l->is_enum) {
		print_enum(l, v, out);
		return;
	}
	for (size_t i = 0; i < l->n; i++) {
		const struct shk_flag *f = &l->flags[i];

		if ((v & f->mask) != f->value)
			continue;
		/* A bit already printed as part of a longer name is not said twice. */
		if (!l->overlap && f->mask == f->value && (left & f->value) != f->value)
			continue;
		if (any)
			shk_buf_addc(out, '|');
		shk_buf_adds(out, f->name);
		any = true;
		left &= ~f->value;
	}
	if (l->drop_unknown)
		left = 0;
	if (left)
		shk_buf_printf(out, any ? "|0x%" PRIx64 : "0x%" PRIx64, left);
	else if (!any)
		shk_buf_addc(out, '0');
}

static bool parse_number(struct shk_str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (!shk_str_starts(s, SHK_STR("0x")) && !shk_str_starts(s, SHK_STR("0X")))
		return shk_str_to_u64(s, ret);
	if (s.n < 3 || s.n > 18)
		return false;
	for (size_t i = 2; i < s.n; i++) {
		char c = s.p[i];
		unsigned d;

		if (c >= '0' && c <= '9')
			d = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			d = (unsigned)(c - 'A') + 10;
		else
			return false;
		v = v << 4 | d;
	}
	*ret = v;
	return true;
}

static bool parse_word(const struct shk_flag_list *l, struct shk_str w, uint64_t *ret)
{
	if (w.n && w.p[0] >= '0' && w.p[0] <= '9')
		return parse_number(w, ret);
	for (size_t i = 0; l && i < l->n; i++) {
		if (shk_str_eqz(w, l->flags[i].name)) {
			*ret = l->flags[i].value;
			return true;
		}
	}
	return false;
}

bool shk_flags_parse(const struct shk_flag_list *l, struct shk_str s, uint64_t *ret)
{
	uint64_t v = 0, one;

	for (;;) {
		const char *bar = s.n ? memchr(s.p, '|', s.n) : NULL;
		struct shk_str w = { s.p, bar ? (size_t)(bar - s.p) : s.n };

		if (!parse_word(l, w, &one))
			return false;
		v |= one;
		if (!bar)
			break;
		s.n -= w.n + 1;
		s.p = bar + 1;
	}
	*ret = v;
	return true;
}
