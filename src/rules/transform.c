// SPDX-License-Identifier: Apache-2.0
/* Transformers (FALCO_RULE_LANGUAGE section 14). */
#include "rules/slots.h"

#define OPTIONS_MAX 1024 /* results of one getopt */

static bool fold(struct shk_arena *a, struct shk_str s, char from, struct shk_str *out)
{
	char *d = shk_arena_alloc_raw(a, s.n + 1);

	if (!d)
		return false;
	for (size_t i = 0; i < s.n; i++)
		d[i] = s.p[i] >= from && s.p[i] < from + 26 ? (char)(s.p[i] ^ 0x20) : s.p[i];
	*out = (struct shk_str){ d, s.n };
	return true;
}

static int b64_digit(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' :
	       c >= 'a' && c <= 'z' ? c - 'a' + 26 :
	       c >= '0' && c <= '9' ? c - '0' + 52 :
	       c == '+'		    ? 62 :
	       c == '/'		    ? 63 :
				      -1;
}

/* Undecodable text has no value. Padding may be left out. */
static bool unbase64(struct shk_arena *a, struct shk_str s, struct shk_str *out)
{
	char *d = shk_arena_alloc_raw(a, s.n / 4 * 3 + 3);
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (unsigned pad = 0; pad < 2 && s.n && s.p[s.n - 1] == '='; pad++)
		s.n--;
	if (!d || s.n % 4 == 1)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int v = b64_digit(s.p[i]);

		if (v < 0)
			return false;
		bits = (bits << 6 | (uint32_t)v) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			d[n++] = (char)(bits >> have);
		}
	}
	*out = (struct shk_str){ d, n };
	return true;
}

static bool join(struct shk_arena *a, struct shk_str sep, const struct shk_str *v, size_t n,
		 struct shk_str *out)
{
	size_t total = 0, at = 0;
	char *d;

	for (size_t i = 0; i < n; i++)
		total += v[i].n + (i ? sep.n : 0);
	d = shk_arena_alloc_raw(a, total + 1);
	if (!d)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (i && sep.n) {
			memcpy(d + at, sep.p, sep.n);
			at += sep.n;
		}
		if (v[i].n)
			memcpy(d + at, v[i].p, v[i].n);
		at += v[i].n;
	}
	*out = (struct shk_str){ d, total };
	return true;
}

static bool concat(struct shk_arena *a, const struct shk_value *const *arg, size_t n,
		   struct shk_str *out)
{
	struct shk_str *v = SHK_ARENA_ARRAY(a, struct shk_str, n);

	if (!v)
		return false;
	for (size_t i = 0; i < n; i++)
		v[i] = arg[i]->s;
	return join(a, (struct shk_str){ 0 }, v, n, out);
}

struct options {
	struct shk_str *v;
	size_t n;
};

static void put(struct options *o, struct shk_str s)
{
	if (o->n < OPTIONS_MAX)
		o->v[o->n++] = s;
}

/* One word "-abcVALUE". Takes the next word when the last option wants a value; returns how many words
 * were used. */
static size_t word_options(struct options *o, const struct shk_strvec *in, size_t at,
			   struct shk_str spec, bool colon)
{
	struct shk_str w = in->v[at];

	for (size_t i = 1; i < w.n; i++) {
		const char *p = w.p[i] != ':' && spec.n ? memchr(spec.p, w.p[i], spec.n) : NULL;
		struct shk_str letter = { w.p + i, 1 };

		if (!p) {
			put(o, SHK_STR("?"));
			continue;
		}
		if (p + 1 == spec.p + spec.n || p[1] != ':') {
			put(o, letter);
			continue;
		}
		if (i + 1 < w.n) {
			put(o, letter);
			put(o, (struct shk_str){ w.p + i + 1, w.n - i - 1 });
			return 1;
		}
		if (p + 2 < spec.p + spec.n && p[2] == ':') { /* its value is optional: none here */
			put(o, letter);
			return 1;
		}
		if (at + 1 >= in->n) {
			put(o, colon ? SHK_STR(":") : SHK_STR("?"));
			return 1;
		}
		put(o, letter);
		put(o, in->v[at + 1]);
		return 2;
	}
	return 1;
}

static bool getopt_value(const struct options *o, struct shk_str spec, char c, struct shk_str *out)
{
	bool found = false;

	for (size_t i = 0; i < o->n; i++) {
		const char *p = o->v[i].n == 1 && spec.n ? memchr(spec.p, o->v[i].p[0], spec.n) : NULL;
		bool takes = p && p + 1 < spec.p + spec.n && p[1] == ':' && i + 1 < o->n;

		if (o->v[i].n == 1 && o->v[i].p[0] == c) {
			*out = takes ? o->v[i + 1] : o->v[i];
			found = true;
		}
		i += takes;
	}
	return found;
}

static bool get_options(struct shk_arena *a, const struct shk_slot *s, const struct shk_strvec *in,
			struct shk_str spec, struct shk_value *out)
{
	bool colon = spec.n && spec.p[0] == ':';
	struct options o = { .v = SHK_ARENA_ARRAY(a, struct shk_str, OPTIONS_MAX) };
	size_t at = 0;

	if (!o.v)
		return false;
	if (colon) {
		spec.p++;
		spec.n--;
	}
	/* As getopt(3) in POSIX order: the first operand ends the options. */
	while (at < in->n && in->v[at].n > 1 && in->v[at].p[0] == '-' &&
	       !shk_str_eqz(in->v[at], "--"))
		at += word_options(&o, in, at, spec, colon);
	if (s->index)
		return getopt_value(&o, spec, s->index, &out->s);
	out->list = (struct shk_strvec){ .v = o.v, .n = o.n };
	return true;
}

static bool transform_text(struct shk_arena *a, enum shk_transform call, struct shk_str s,
			   struct shk_str *out)
{
	const char *slash;

	switch (call) {
	case SHK_TR_TOLOWER:
		return fold(a, s, 'A', out);
	case SHK_TR_TOUPPER:
		return fold(a, s, 'a', out);
	case SHK_TR_B64:
		return unbase64(a, s, out);
	default: /* basename */
		slash = s.n ? memrchr(s.p, '/', s.n) : NULL;
		*out = s;
		if (slash)
			*out = (struct shk_str){ slash + 1, s.n - (size_t)(slash + 1 - s.p) };
		return true;
	}
}

static bool transform_each(struct shk_arena *a, enum shk_transform call, const struct shk_strvec *in,
			   struct shk_strvec *out)
{
	struct shk_str *v = SHK_ARENA_ARRAY(a, struct shk_str, in->n);

	if (!v)
		return false;
	for (size_t i = 0; i < in->n; i++)
		if (!transform_text(a, call, in->v[i], &v[i]))
			return false;
	*out = (struct shk_strvec){ .v = v, .n = in->n };
	return true;
}

bool shk_transform_apply(struct shk_arena *a, const struct shk_slot *s,
			 const struct shk_value *const *arg, struct shk_value *out)
{
	const struct shk_value *x = arg[0];

	switch (s->call) {
	case SHK_TR_TOLOWER:
	case SHK_TR_TOUPPER:
	case SHK_TR_B64:
	case SHK_TR_BASENAME:
		return x->type == SHK_T_LIST ? transform_each(a, s->call, &x->list, &out->list) :
					       transform_text(a, s->call, x->s, &out->s);
	case SHK_TR_LEN:
		out->u = x->type == SHK_T_LIST ? x->list.n : x->s.n;
		return true;
	case SHK_TR_JOIN:
		return join(a, x->s, arg[1]->list.v, arg[1]->list.n, &out->s);
	case SHK_TR_CONCAT:
		return concat(a, arg, s->n_arg, &out->s);
	case SHK_TR_GETOPT:
		return get_options(a, s, &x->list, arg[1]->s, out);
	default:
		return false;
	}
}
