// SPDX-License-Identifier: Apache-2.0
/*
 * The "#!" line, byte for byte as load_script() of fs/binfmt_script.c takes it.
 */
#include <errno.h>

#include "enforce/exec.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* First byte from p to last that is no blank; NULL: all are. */
static const char *skip_blanks(const char *p, const char *last)
{
	for (; p <= last; p++)
		if (!is_blank(*p))
			return p;
	return NULL;
}

/* First byte from p to last that ends a word; NULL: none. */
static const char *word_end(const char *p, const char *last)
{
	for (; p <= last; p++)
		if (is_blank(*p) || !*p)
			return p;
	return NULL;
}

int shk_exec_script_line(const char head[SHK_EXEC_HEAD], struct shk_str *name, struct shk_str *arg)
{
	const char *last = head + SHK_EXEC_HEAD - 1, *end, *p, *sep;

	*name = *arg = (struct shk_str){ NULL, 0 };
	if (head[0] != '#' || head[1] != '!')
		return 0;
	/* Up to a NUL, like strnchr(). */
	end = memchr(head, '\n', strnlen(head, SHK_EXEC_HEAD));
	if (!end) {
		end = skip_blanks(head + 2, last);
		/* Nothing but blanks, or a name that may be cut off. */
		if (!end || !word_end(end, last))
			return -ENOEXEC;
		end = last;
	}
	while (is_blank(end[-1]))
		end--;
	p = skip_blanks(head + 2, end);
	if (!p || p == end)
		return -ENOEXEC;
	sep = word_end(p, end);
	name->p = p;
	name->n = strnlen(p, (size_t)((sep ? sep : end) - p));
	if (sep && *sep) {
		const char *a = skip_blanks(sep, end);

		/* The kernel ends the text at `end`, the newline's place; it may be an empty one. */
		if (a) {
			arg->p = a;
			arg->n = strnlen(a, (size_t)(end - a));
		}
	}
	return 1;
}
