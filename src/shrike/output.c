// SPDX-License-Identifier: Apache-2.0
/* What is printed: colours, harmless text, tables. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>

#include "base/clean.h"
#include "shrike/cli.h"

#define CELL_MAX  4096
#define GAP	  2
#define SHRUNK_TO 8 /* no column is cut shorter than this */

const char *shk_cli_on(const struct shk_cli *c, enum shk_cli_colour colour)
{
	static const char *const seq[] = { "", "\033[1m", "\033[2m", "\033[31m", "\033[32m",
					   "\033[33m" };

	return c->colour ? seq[colour] : "";
}

const char *shk_cli_off(const struct shk_cli *c)
{
	return c->colour ? "\033[0m" : "";
}

/* Length of the UTF-8 character at s, 0: none, or one a terminal would obey (C1 controls). */
static size_t utf8_at(struct shk_str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

	if (!n || s.n < n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
	if (c == 0xc2 && (unsigned char)s.p[1] < 0xa0)
		return 0;
	return n;
}

void shk_cli_clean(struct shk_buf *out, struct shk_str s)
{
	while (s.n) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = c < 0x80 ? 1 : utf8_at(s);
		uint32_t hidden;

		if (n > 1 && shk_clean_hidden(s.p, s.n, &hidden)) {
			shk_buf_printf(out, "\\u%04" PRIx32, hidden);
		} else if (!n || c < 0x20 || c == 0x7f) {
			shk_buf_printf(out, "\\x%02x", c);
			n = 1;
		} else {
			shk_buf_add(out, s.p, n);
		}
		s.p += n;
		s.n -= n;
	}
}

void shk_cli_json(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
						       JSON_C_TO_STRING_NOSLASHESCAPE));
}

void shk_cli_duration(struct shk_buf *out, uint64_t ns)
{
	uint64_t s = ns / 1000000000;

	if (s < 60)
		shk_buf_printf(out, "%" PRIu64 "s", s);
	else if (s < 3600)
		shk_buf_printf(out, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		shk_buf_printf(out, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		shk_buf_printf(out, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
}

void shk_cli_cell(struct shk_cli_table *t, struct shk_str s)
{
	_cleanup_buf_ struct shk_buf b = { 0 };

	shk_buf_init(&b, CELL_MAX);
	shk_cli_clean(&b, s.n ? s : SHK_STR("-"));
	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		char **cell = reallocarray(t->cell, room, sizeof(*cell));

		if (!cell) {
			t->failed = true;
			return;
		}
		t->cell = cell;
		t->room = room;
	}
	if (!b.p) {
		t->failed = true;
		return;
	}
	t->cell[t->n++] = TAKE_PTR(b.p);
}

void shk_cli_cellf(struct shk_cli_table *t, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	shk_cli_cell(t, shk_str(text));
}

/* Columns on the screen: characters, not bytes. */
static unsigned columns(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* Takes from the widest column until the line fits. The last column is never padded, so it counts as any
 * other. */
static void shrink(unsigned *width, const unsigned *least, size_t cols, unsigned total)
{
	for (;;) {
		unsigned sum = 0;
		size_t widest = cols;

		for (size_t i = 0; i < cols; i++) {
			sum += width[i] + (i ? GAP : 0);
			if (width[i] > least[i] && (widest == cols || width[i] > width[widest]))
				widest = i;
		}
		if (sum <= total || widest == cols)
			return;
		width[widest]--;
	}
}

static void put_cell(const char *s, unsigned width, bool right, bool last)
{
	unsigned n = columns(s);

	if (right && n < width)
		printf("%*s", (int)(width - n), "");
	if (n > width) {
		/* The mark says that something is missing; --json has it all. */
		for (unsigned k = 0; *s; s++) {
			k += ((unsigned char)*s & 0xc0) != 0x80;
			if (k >= width)
				break;
			putchar(*s);
		}
		putchar('~');
	} else {
		fputs(s, stdout);
	}
	if (!last)
		printf("%*s", (int)(GAP + (!right && n < width ? width - n : 0)), "");
}

static void table_done(struct shk_cli_table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cell[i]);
	free(t->cell);
	t->cell = NULL;
	t->n = t->room = 0;
}

int shk_cli_table_print(const struct shk_cli *c, struct shk_cli_table *t)
{
	unsigned width[SHK_CLI_COLS], least[SHK_CLI_COLS];
	size_t cols = 0;

	if (t->failed) {
		table_done(t);
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	}
	for (; cols < SHK_CLI_COLS && t->head[cols]; cols++) {
		width[cols] = columns(t->head[cols]);
		least[cols] = SHK_MAX(width[cols], SHRUNK_TO);
	}
	for (size_t i = 0; i < t->n; i++)
		width[i % cols] = SHK_MAX(width[i % cols], columns(t->cell[i]));
	if (c->width)
		shrink(width, least, cols, c->width);
	fputs(shk_cli_on(c, SHK_C_BOLD), stdout);
	for (size_t i = 0; i < cols; i++)
		put_cell(t->head[i], width[i], t->right[i], i + 1 == cols);
	fputs(shk_cli_off(c), stdout);
	putchar('\n');
	for (size_t i = 0; i < t->n; i++) {
		put_cell(t->cell[i], width[i % cols], t->right[i % cols], i % cols + 1 == cols);
		if (i % cols + 1 == cols)
			putchar('\n');
	}
	table_done(t);
	return SHK_EXIT_OK;
}
