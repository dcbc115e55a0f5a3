// SPDX-License-Identifier: Apache-2.0
/*
 * registry.c - all fields under one roof: lookup by text, prefixes for outputs, listing.
 */
#include <errno.h>
#include <pthread.h>

#include "fields/static.h"
#include "fields/table.h"

static const struct shk_field_table *const tables[] = {
	&shk_table_evt,
	&shk_table_evt_data,
	&shk_table_evt_category,
	&shk_table_evt_time,
	&shk_table_evt_args,
	&shk_table_proc,
	&shk_table_proc_ancestors,
	&shk_table_proc_exe,
	&shk_table_proc_std,
	&shk_table_proc_usage,
	&shk_table_thread,
	&shk_table_user,
	&shk_table_fd,
	&shk_table_fd_net,
	&shk_table_fdlist,
	&shk_table_fs,
	&shk_table_container,
	&shk_table_container_mount,
	&shk_table_shrike,
	&shk_table_absent,
	&shk_table_plugins,
};

#define ROWS_MAX   512u
#define INDEX_SIZE 1024u /* power of two, at least twice ROWS_MAX */
#define NAME_MAX_LEN 64u
#define TOKEN_MAX  256u

static const struct shk_field *rows[ROWS_MAX];
static size_t n_rows;
static uint16_t row_index[INDEX_SIZE]; /* 0: empty, else position in rows + 1 */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* FNV-1a. The names are our own, so nobody can choose collisions. */
static uint32_t name_hash(struct shk_str s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

static void build(void)
{
	for (size_t t = 0; t < SHK_ARRAY_SIZE(tables); t++) {
		for (size_t i = 0; i < tables[t]->n && n_rows < ROWS_MAX; i++) {
			const struct shk_field *f = &tables[t]->rows[i];
			uint32_t at = name_hash(shk_str(f->name));

			while (row_index[at % INDEX_SIZE])
				at++;
			rows[n_rows++] = f;
			row_index[at % INDEX_SIZE] = (uint16_t)n_rows;
		}
	}
}

const struct shk_field *const *shk_fields_all(size_t *n)
{
	pthread_once(&once, build);
	if (n)
		*n = n_rows;
	return rows;
}

static const struct shk_field *find(struct shk_str name)
{
	uint32_t at = name_hash(name);

	pthread_once(&once, build);
	for (; row_index[at % INDEX_SIZE]; at++) {
		const struct shk_field *f = rows[row_index[at % INDEX_SIZE] - 1];

		if (shk_str_eqz(name, f->name))
			return f;
	}
	return shk_static_field_find(name);
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.';
}

static struct shk_str head(struct shk_str s, size_t n)
{
	return (struct shk_str){ s.p, n };
}

static struct shk_str tail(struct shk_str s, size_t from)
{
	return (struct shk_str){ s.p + from, s.n - from };
}

/* Reads "[arg]" at the beginning of s: its length, and the argument without quotes; 0: malformed. */
static size_t bracket(struct shk_str s, struct shk_str *arg)
{
	char quote = s.n > 1 && (s.p[1] == '"' || s.p[1] == '\'') ? s.p[1] : 0;
	size_t from = quote ? 2 : 1, i = from;

	if (!s.n || s.p[0] != '[')
		return 0;
	for (; i < s.n && i < TOKEN_MAX; i++) {
		char c = s.p[i];

		if (quote ? c == quote : c == ']')
			break;
		if (!quote && (c == '[' || c == '"' || c == '\'' || c == ' ' || (c >= '\b' && c <= '\r')))
			return 0;
	}
	if (i >= s.n || i >= TOKEN_MAX || i == from)
		return 0;
	*arg = (struct shk_str){ s.p + from, i - from };
	if (quote)
		i++;
	return i < s.n && s.p[i] == ']' ? i + 1 : 0;
}

/* The row and the dotted argument of a name without brackets. */
static const struct shk_field *find_dotted(struct shk_str name, struct shk_str *key)
{
	static const char *const dotted[] = { "evt.arg.", "evt.rawarg.", "evt.type.is.",
					      "evt.abspath.", "thread.cgroup." };
	const struct shk_field *f = find(name);

	key->p = NULL;
	if (f)
		return f;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(dotted); i++) {
		struct shk_str pre = shk_str(dotted[i]);

		if (name.n > pre.n && shk_str_starts(name, pre)) {
			*key = tail(name, pre.n);
			return find(head(name, pre.n - 1));
		}
	}
	return NULL;
}

static int nonexistent(struct shk_str text, struct shk_err *err)
{
	const char *best = NULL;
	unsigned best_dist = 5;
	size_t n = 0;

	while (n < text.n && is_name_char(text.p[n]))
		n++;
	shk_fields_all(NULL);
	for (size_t i = 0; i < n_rows; i++) {
		unsigned d = shk_str_distance(head(text, n), shk_str(rows[i]->name), best_dist);

		if (d < best_dist) {
			best_dist = d;
			best = rows[i]->name;
		}
	}
	if (best && best_dist)
		return shk_err_set(err, ENOENT, "there is no field '" SHK_STR_FMT "'; did you mean '%s'?",
				   SHK_STR_ARG(text), best);
	if (best)
		return shk_err_set(err, ENOENT, "there is no field '" SHK_STR_FMT "'; '%s' takes no such argument",
				   SHK_STR_ARG(text), best);
	return shk_err_set(err, ENOENT, "there is no field '" SHK_STR_FMT "'; `shrike list fields` shows all",
			   SHK_STR_ARG(text));
}

/* Whole-text lookup; with err NULL no text is made, so that prefixes can be tried cheaply. */
static int parse(struct shk_str text, struct shk_field_ref *ref, struct shk_err *err)
{
	struct shk_str key = { NULL, 0 }, arg = { NULL, 0 };
	const struct shk_field *f;
	uint64_t index = 0;
	size_t n = 0;

	while (n < text.n && n < NAME_MAX_LEN && is_name_char(text.p[n]))
		n++;
	f = find_dotted(head(text, n), &key);
	if (!f)
		return err ? nonexistent(text, err) : -ENOENT;
	*ref = (struct shk_field_ref){ .field = f, .type = f->type };
	if (n < text.n) {
		/* Both kinds of brackets of the dotted fields (evt.arg.x[..]) are nobody's. */
		if (key.p || bracket(tail(text, n), &arg) != text.n - n)
			return err ? nonexistent(text, err) : -ENOENT;
		ref->has_arg = true;
		if ((f->flags & SHK_F_ARG_INDEX) && shk_str_to_u64(arg, &index) && index <= INT32_MAX)
			ref->index = (int64_t)index;
		else if ((f->flags & SHK_F_ARG_KEY) && !(f->flags & SHK_F_ARG_DOTTED))
			ref->key = arg;
		else
			return err ? nonexistent(text, err) : -ENOENT;
	} else if (key.p) {
		ref->has_arg = true;
		ref->key = key;
	}
	if ((f->flags & SHK_F_ARG_REQUIRED) && !ref->has_arg)
		return shk_err_set(err, EINVAL, "field '%s' needs an argument", f->name);
	return f->resolve ? f->resolve(ref, err) : 0;
}

int shk_field_parse(struct shk_str text, struct shk_field_ref *ref, struct shk_err *err)
{
	return parse(text, ref, err);
}

size_t shk_field_parse_prefix(struct shk_str text, struct shk_field_ref *ref)
{
	struct shk_str arg;
	size_t n = 0;

	while (n < text.n && n < NAME_MAX_LEN && is_name_char(text.p[n]))
		n++;
	if (n < text.n && text.p[n] == '[') {
		size_t b = bracket(tail(text, n), &arg);

		if (b && parse(head(text, n + b), ref, NULL) == 0)
			return n + b;
	}
	for (; n; n--)
		if (parse(head(text, n), ref, NULL) == 0)
			return n;
	return 0;
}
