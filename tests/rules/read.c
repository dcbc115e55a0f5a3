// SPDX-License-Identifier: Apache-2.0
/* Case files to cases. */
#include "cases.h"

#include <errno.h>
#include <libgen.h>

#include "base/io.h"

#define FILE_MAX ((size_t)4 << 20)

/* Words a case file may use; a misspelt one must not pass as an absent one. */
static const char *const keys[] = { "section", "covers", "rules",	 "condition",	  "output",
				    "with",    "events", "expect",	 "conditions",	  "outputs",
				    "fields",  "match",	 "min-priority", "disable-tags", "disable-names",
				    "extra-output", "deviates", "select", "configuration", "append-output",
				    "directory", "needs" };

bool rc_next_line(struct shk_str *rest, unsigned *line, struct shk_str *ret)
{
	const char *end;

	if (!rest->n)
		return false;
	end = memchr(rest->p, '\n', rest->n);
	*ret = (struct shk_str){ rest->p, end ? (size_t)(end - rest->p) : rest->n };
	rest->p += ret->n + (end ? 1 : 0);
	rest->n -= ret->n + (end ? 1 : 0);
	(*line)++;
	return true;
}

struct shk_str rc_trim(struct shk_str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

struct shk_str rc_next_word(struct shk_str *rest)
{
	struct shk_str s = rc_trim(*rest), word = { s.p, 0 };

	while (word.n < s.n && s.p[word.n] != ' ')
		word.n++;
	*rest = rc_trim((struct shk_str){ s.p + word.n, s.n - word.n });
	return word;
}

bool rc_split(struct shk_str row, struct shk_str *left, struct shk_str *right)
{
	for (size_t i = row.n; i-- > 1;)
		if (row.p[i] == '|' && row.p[i - 1] == ' ' && (i + 1 == row.n || row.p[i + 1] == ' ')) {
			*left = rc_trim((struct shk_str){ row.p, i - 1 });
			*right = rc_trim((struct shk_str){ row.p + i + 1, row.n - i - 1 });
			return true;
		}
	return false;
}

const struct rc_block *rc_block(const struct rc_case *c, const char *key,
				const struct rc_block *after)
{
	const struct rc_block *b;

	for (b = after ? after->next : c->own; b; b = b->next)
		if (strcmp(b->key, key) == 0)
			return b;
	for (b = after ? NULL : c->shared; b; b = b->next)
		if (strcmp(b->key, key) == 0)
			return b;
	return NULL;
}

struct shk_str rc_text(const struct rc_case *c, const char *key)
{
	const struct rc_block *b = rc_block(c, key, NULL);

	return b ? b->text : (struct shk_str){ "", 0 };
}

struct reading {
	struct shk_arena *a;
	const char *path;
	unsigned line;
	struct shk_str rest;
	struct rc_case head, now; /* now.title NULL: above the first case */
	struct rc_block **end;
	unsigned n;
};

static const char *known_key(struct shk_str s)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(keys); i++)
		if (shk_str_eqz(s, keys[i]))
			return keys[i];
	return NULL;
}

/* The indented lines that follow; empty lines at the end do not count. */
static int read_body(struct reading *r, struct shk_str *ret)
{
	struct shk_str ahead = r->rest, line;
	unsigned at = r->line;
	struct shk_buf b;
	size_t used = 0;

	shk_buf_init(&b, FILE_MAX);
	while (rc_next_line(&ahead, &at, &line) && (!line.n || shk_str_starts(line, SHK_STR("  ")))) {
		if (line.n)
			shk_buf_add(&b, line.p + 2, line.n - 2);
		shk_buf_addc(&b, '\n');
		r->rest = ahead;
		r->line = at;
		if (line.n)
			used = b.n;
	}
	b.n = SHK_MIN(b.n, used);
	*ret = shk_arena_str(r->a, b.n ? shk_buf_view(&b) : (struct shk_str){ "", 0 });
	shk_buf_done(&b);
	return ret->p ? 0 : -ENOMEM;
}

static int read_key(struct reading *r, struct shk_str line, struct shk_err *err)
{
	const char *colon = memchr(line.p, ':', line.n);
	size_t n = colon ? (size_t)(colon - line.p) : 0;
	struct rc_block *b = SHK_ARENA_NEW(r->a, struct rc_block);
	struct shk_str value;

	if (!b)
		return shk_err_sys(err, ENOMEM, "a case file");
	b->key = n ? known_key((struct shk_str){ line.p, n }) : NULL;
	if (!b->key)
		return shk_err_set(err, EINVAL, "%s:%u: \"" SHK_STR_FMT "\" is no key of a case",
				   r->path, r->line, SHK_STR_ARG(line));
	value = rc_trim((struct shk_str){ line.p + n + 1, line.n - n - 1 });
	b->line = r->line;
	b->inlined = value.n > 0;
	b->text = value;
	if (!b->inlined && read_body(r, &b->text) < 0)
		return shk_err_sys(err, ENOMEM, "a case file");
	*r->end = b;
	r->end = &b->next;
	return 0;
}

/* tests/rules/12.1-missing/x.case is of section 12.1. */
static int check_section(struct reading *r, struct shk_err *err)
{
	struct shk_str want = rc_text(&r->head, "section"), dir;
	char *copy = shk_arena_strdup(r->a, r->path);

	if (!copy)
		return shk_err_sys(err, ENOMEM, "a case file");
	dir = shk_str(basename(dirname(copy)));
	if (!want.n || !shk_str_starts(dir, want) || dir.p[want.n] != '-')
		return shk_err_set(err, EINVAL, "%s: \"section:\" is not the number that the folder's "
				   "name begins with", r->path);
	return 0;
}

static int end_case(struct reading *r, void (*on)(const struct rc_case *c, void *arg), void *arg,
		    struct shk_err *err)
{
	if (!r->now.title) {
		r->head.own = r->now.own;
		r->now.shared = r->now.own;
		return check_section(r, err);
	}
	if (!rc_text(&r->now, "covers").n)
		return shk_err_set(err, EINVAL, "%s:%u: no \"covers:\"", r->path, r->now.line);
	on(&r->now, arg);
	r->n++;
	return 0;
}

int rc_read(struct shk_arena *a, const char *path, void (*on)(const struct rc_case *c, void *arg),
	    void *arg, struct shk_err *err)
{
	struct reading r = { .a = a, .path = path, .head.file = path, .now.file = path };
	struct shk_str line;
	struct shk_buf b;
	int rc;

	shk_buf_init(&b, FILE_MAX);
	rc = shk_read_file(path, &b, err);
	if (rc == 0)
		r.rest = shk_arena_str(a, shk_buf_view(&b));
	shk_buf_done(&b);
	if (rc < 0)
		return rc;
	r.end = (struct rc_block **)(uintptr_t)&r.now.own;
	while (rc == 0 && rc_next_line(&r.rest, &r.line, &line)) {
		if (!line.n || line.p[0] == '#')
			continue;
		if (!shk_str_starts(line, SHK_STR("=== "))) {
			rc = read_key(&r, line, err);
			continue;
		}
		rc = end_case(&r, on, arg, err);
		r.now.own = NULL;
		r.end = (struct rc_block **)(uintptr_t)&r.now.own;
		r.now.title = shk_arena_strndup(a, line.p + 4, line.n - 4);
		r.now.line = r.line;
	}
	if (rc == 0)
		rc = end_case(&r, on, arg, err);
	if (rc == 0 && !r.n)
		rc = shk_err_set(err, EINVAL, "%s: no case in it", path);
	return rc;
}
