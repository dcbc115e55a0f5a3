// SPDX-License-Identifier: Apache-2.0
/* Values of a policy file, with errors that say where, what and how to mend it. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "policy/def.h"

int shk_policy_fail(const char *file, const struct shk_ynode *n, struct shk_err *err,
		    const char *fmt, ...)
{
	char text[SHK_ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return shk_err_set(err, EINVAL, "%s:%u:%u: %s", file, n ? n->line : 1, n ? n->column : 1,
			   text);
}

void shk_nearest_offer(struct shk_nearest *n, struct shk_str candidate)
{
	unsigned limit = (unsigned)SHK_MIN(n->word.n / 2 + 1, 8u), d;

	d = shk_str_distance(n->word, candidate, limit + 1);
	if (d <= limit && (!n->best.p || d < n->distance)) {
		n->best = candidate;
		n->distance = d;
	}
}

const char *shk_nearest_text(const struct shk_nearest *n, char *buf, size_t size)
{
	if (!n->best.p)
		return "";
	snprintf(buf, size, "; did you mean \"%.*s\"?", (int)SHK_MIN(n->best.n, (size_t)100),
		 n->best.p);
	return buf;
}

static const char *kind_name(const struct shk_ynode *n)
{
	switch (n->kind) {
	case SHK_Y_NULL:
		return "nothing";
	case SHK_Y_SCALAR:
		return "a single value";
	case SHK_Y_SEQ:
		return "a list";
	case SHK_Y_MAP:
		return "a map";
	}
	return "?";
}

static int wrong_kind(struct shk_pparse *p, const struct shk_ynode *n, const char *want)
{
	if (n->key.p)
		return shk_policy_fail(p->file, n, p->err, "\"%.100s\" takes %s, not %s", n->key.p,
				       want, kind_name(n));
	return shk_policy_fail(p->file, n, p->err, "%s is wanted here, not %s", want, kind_name(n));
}

int shk_pparse_map(struct shk_pparse *p, const struct shk_ynode *n, const char *what,
		   const struct shk_pkey *keys, size_t n_keys, void *into)
{
	if (n->kind != SHK_Y_MAP)
		return wrong_kind(p, n, "a map");
	for (const struct shk_ynode *c = n->first; c; c = c->next) {
		struct shk_nearest near = { .word = c->key };
		struct shk_ynode at = { .line = c->key_line, .column = c->key_column };
		size_t k;
		char buf[160];
		int r;

		for (k = 0; k < n_keys && !shk_str_eqz(c->key, keys[k].name); k++)
			shk_nearest_offer(&near, shk_str(keys[k].name));
		if (k == n_keys) {
			if (!near.best.p)
				snprintf(buf, sizeof(buf), "; remove it (see shrike-policy(5))");
			return shk_policy_fail(p->file, &at, p->err, "unknown key \"%.100s\" in %s%s",
					       c->key.p, what,
					       near.best.p ?
						       shk_nearest_text(&near, buf, sizeof(buf)) :
						       buf);
		}
		r = keys[k].parse(p, c, into);
		if (r < 0)
			return r;
	}
	return 0;
}

int shk_pparse_text(struct shk_pparse *p, const struct shk_ynode *n, struct shk_str *ret)
{
	if (n->kind != SHK_Y_SCALAR || !n->text.n)
		return wrong_kind(p, n, "a text");
	*ret = n->text;
	return 0;
}

int shk_pparse_texts(struct shk_pparse *p, const struct shk_ynode *n, struct shk_pstrs *ret)
{
	size_t count = 0, i = 0;
	struct shk_str text = { 0 };
	int r;

	if (n->kind != SHK_Y_SEQ)
		return wrong_kind(p, n, "a list of texts: [a, b]");
	for (const struct shk_ynode *c = n->first; c; c = c->next)
		count++;
	ret->v = SHK_ARENA_ARRAY(p->a, const struct shk_ynode *, count);
	if (!ret->v)
		return shk_err_set(p->err, ENOMEM, "%s: too large for a policy file", p->file);
	for (const struct shk_ynode *c = n->first; c; c = c->next) {
		r = shk_pparse_text(p, c, &text);
		if (r < 0)
			return r;
		ret->v[i++] = c;
	}
	ret->n = count;
	return 0;
}

int shk_pparse_bool(struct shk_pparse *p, const struct shk_ynode *n, bool *ret)
{
	static const char *const words[] = { "false", "no", "off", "true", "yes", "on" };
	struct shk_str text = { 0 };
	int r = shk_pparse_text(p, n, &text);

	if (r < 0)
		return r;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(words); i++)
		if (shk_str_eqz(text, words[i])) {
			*ret = i >= 3;
			return 0;
		}
	return shk_policy_fail(p->file, n, p->err, "\"%.100s\" takes true or false, not \"%.100s\"",
			       n->key.p ? n->key.p : "", text.p);
}

int shk_pparse_number(struct shk_pparse *p, const struct shk_ynode *n, uint64_t min, uint64_t max,
		      uint64_t *ret)
{
	struct shk_str text = { 0 };
	int r = shk_pparse_text(p, n, &text);

	if (r < 0)
		return r;
	if (shk_str_to_u64(text, ret) && *ret >= min && *ret <= max)
		return 0;
	return shk_policy_fail(p->file, n, p->err,
			       "\"%.100s\" takes a number from %" PRIu64 " to %" PRIu64
			       ", not \"%.100s\"",
			       n->key.p ? n->key.p : "", min, max, text.p);
}

int shk_pparse_word(struct shk_pparse *p, const struct shk_ynode *n, const char *const *words)
{
	struct shk_nearest near = { 0 };
	struct shk_str text = { 0 };
	char list[200] = "", buf[160];
	size_t len = 0;
	int r = shk_pparse_text(p, n, &text);

	if (r < 0)
		return r;
	near.word = text;
	for (int i = 0; words[i]; i++) {
		if (shk_str_eqz(text, words[i]))
			return i;
		shk_nearest_offer(&near, shk_str(words[i]));
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
						i ? " | " : "", words[i]);
	}
	return shk_policy_fail(p->file, n, p->err, "\"%.100s\" takes %s, not \"%.100s\"%s",
			       n->key.p ? n->key.p : "", list, text.p,
			       shk_nearest_text(&near, buf, sizeof(buf)));
}
