// SPDX-License-Identifier: Apache-2.0
/*
 * made.c - fields of every type whose values a test event carries.
 */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

uint64_t rnd_next(struct rnd *r)
{
	uint64_t z = (r->s += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool made_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out);
static bool made_multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
		       struct shk_value *out);

#define ROW(n, t, ft, fl, ...)                                                                     \
	{ .name = "made." n, .class_name = "made", .type = (t), .falco_type = (ft), .flags = (fl),  \
	  .get = made_get, .doc = "-", __VA_ARGS__ }
#define STR(n, fl)    ROW(n, SHK_T_STRING, "CHARBUF", fl)
#define MULTI	      (SHK_F_MULTI | SHK_F_NO_RHS | SHK_F_NO_TRANSFORM)
#define EITHER(n, t, ft) ROW(n, t, ft, MULTI, .multi = made_multi)
#define SOME(n, t, ft) ROW(n, t, ft, MULTI, .multi = made_multi, .any_ne = true)

static const struct shk_field made[] = {
	STR("word", SHK_F_STABLE),
	STR("word2", SHK_F_STABLE),
	STR("str", 0),
	STR("str2", 0),
	STR("str3", SHK_F_COSTLY),
	ROW("path", SHK_T_PATH, "FSPATH", 0),
	ROW("path2", SHK_T_PATH, "FSPATH", SHK_F_COSTLY),
	STR("coded", 0),
	ROW("bytes", SHK_T_BYTES, "BYTEBUF", 0),
	ROW("bytes2", SHK_T_BYTES, "BYTEBUF", SHK_F_COSTLY),
	ROW("bool", SHK_T_BOOL, "BOOL", SHK_F_STABLE),
	ROW("bool2", SHK_T_BOOL, "BOOL", 0),
	ROW("i64", SHK_T_INT64, "INT64", SHK_F_STABLE),
	ROW("i64b", SHK_T_INT64, "INT64", 0),
	ROW("i32", SHK_T_INT64, "INT32", 0),
	ROW("u64", SHK_T_UINT64, "UINT64", SHK_F_STABLE),
	ROW("u64b", SHK_T_UINT64, "UINT64", 0),
	ROW("u32", SHK_T_UINT64, "UINT32", 0),
	ROW("u16", SHK_T_UINT64, "UINT16", 0),
	ROW("rel", SHK_T_RELTIME, "RELTIME", 0),
	ROW("rel2", SHK_T_RELTIME, "RELTIME", 0),
	ROW("abs", SHK_T_ABSTIME, "ABSTIME", 0),
	ROW("abs2", SHK_T_ABSTIME, "ABSTIME", SHK_F_COSTLY),
	ROW("double", SHK_T_DOUBLE, "DOUBLE", 0),
	ROW("double2", SHK_T_DOUBLE, "DOUBLE", SHK_F_STABLE),
	ROW("port", SHK_T_PORT, "PORT", 0),
	ROW("port2", SHK_T_PORT, "PORT", 0),
	ROW("ip", SHK_T_IPADDR, "IPADDR", 0),
	ROW("ip2", SHK_T_IPADDR, "IPADDR", SHK_F_COSTLY),
	ROW("net", SHK_T_IPNET, "IPNET", 0),
	ROW("list", SHK_T_LIST, "CHARBUF", 0),
	ROW("list2", SHK_T_LIST, "CHARBUF", 0),
	ROW("args", SHK_T_LIST, "CHARBUF", 0),
	EITHER("either.ip", SHK_T_IPADDR, "IPADDR"),
	EITHER("either.port", SHK_T_PORT, "PORT"),
	EITHER("either.net", SHK_T_IPNET, "IPNET"),
	SOME("some.word", SHK_T_STRING, "CHARBUF"),
	SOME("some.str", SHK_T_STRING, "CHARBUF"),
	SOME("some.i64", SHK_T_INT64, "INT64"),
};
_Static_assert(SHK_ARRAY_SIZE(made) <= MADE_MAX, "room for the values of an event");

static const struct made_value *value_of(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref)
{
	return &((const struct world_event *)ctx->ev)->made[ref->field - made];
}

static bool made_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	const struct made_value *m = value_of(ctx, ref);

	*out = (struct shk_value){ .type = ref->type };
	if (m->there && m->n)
		*out = m->v[0];
	return m->there;
}

static bool made_multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
		       struct shk_value *out)
{
	const struct made_value *m = value_of(ctx, ref);

	if (!m->there || k >= m->n)
		return false;
	*out = m->v[k];
	return true;
}

int __wrap_shk_field_parse(struct shk_str text, struct shk_field_ref *ref, struct shk_err *err)
{
	if (!shk_str_starts(text, SHK_STR("made.")))
		return __real_shk_field_parse(text, ref, err);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(made); i++)
		if (shk_str_eqz(text, made[i].name)) {
			*ref = (struct shk_field_ref){ .field = &made[i], .type = made[i].type };
			return 0;
		}
	return shk_err_set(err, 2, "there is no made field '" SHK_STR_FMT "'", SHK_STR_ARG(text));
}

/* ---- values ---- */

static const char *const words[] = {
	"bash", "sh", "nginx", "python3", "Bash", "BASH", "a", "b", "ab", "abc", "", "root", "cat",
	"runc", "-", "O_RDONLY", "dpkg-deb", "x=1", "a b", "a,b", "(x)", "<NA>", "any\"of", "it's", "Zz",
};
static const char *const pieces[] = {
	"etc", "passwd", "tmp", "usr", "bin", "sh", "..", ".", "a", "b", "*", "[x]", "A", "log",
	"x.sh", "\\", "é", "lib64", "proc", "self", "\xff", "?", "a b",
};

/* Letters stand behind the end, where a NUL would hide that somebody looks there. */
static struct shk_str copy(struct shk_arena *a, const char *p, size_t n)
{
	char *to = shk_arena_alloc_raw(a, n + 4);

	if (!to)
		abort(); /* of a test */
	if (n)
		memcpy(to, p, n);
	memcpy(to + n, "ab/b", 4);
	return (struct shk_str){ to, n };
}

static struct shk_str copyz(struct shk_arena *a, const char *z)
{
	return copy(a, z, strlen(z));
}

static struct shk_str a_path(struct rnd *r, struct shk_arena *a)
{
	char text[256];
	size_t n = 0, parts = rnd_below(r, 5);

	if (!rnd_in(r, 6))
		text[n++] = '/';
	for (size_t i = 0; i < parts; i++) {
		const char *p = pieces[rnd_below(r, rnd_in(r, 3) ? SHK_ARRAY_SIZE(pieces) : 6)];

		memcpy(text + n, p, strlen(p));
		n += strlen(p);
		if (i + 1 < parts || rnd_in(r, 8))
			text[n++] = '/';
		if (rnd_in(r, 20))
			text[n++] = '/';
	}
	return copy(a, text, n);
}

struct shk_str world_text(struct rnd *r, struct shk_arena *a)
{
	char text[512];
	size_t n;

	switch (rnd_below(r, 8)) {
	case 0:
	case 1:
	case 2:
		return a_path(r, a);
	case 3: /* a few letters only, so that one is often part of the other */
		n = rnd_below(r, 9);
		for (size_t i = 0; i < n; i++)
			text[i] = "aabABzZ-"[rnd_below(r, 8)];
		return copy(a, text, n);
	case 4: /* digits: strings are compared with numbers, too */
		return copyz(a, shk_arena_printf(a, "%d", (int)rnd_below(r, 40) - 5));
	case 5:
		if (rnd_in(r, 6)) { /* long */
			n = 200 + rnd_below(r, 300);
			memset(text, 'a', n);
			text[rnd_below(r, n)] = 'b';
			return copy(a, text, n);
		}
		__attribute__((fallthrough));
	default:
		return copyz(a, RND_OF(r, words));
	}
}

static struct shk_ip an_ip(struct rnd *r)
{
	struct shk_ip ip = { .len = 4, .b = { 10, 0, 0, 1 } };

	ip.b[3] = (uint8_t)rnd_below(r, 4);
	if (rnd_in(r, 3))
		ip.b[2] = (uint8_t)rnd_below(r, 256);
	if (rnd_in(r, 4))
		ip.b[0] = (uint8_t)rnd_next(r);
	if (rnd_in(r, 3)) {
		memset(&ip, 0, sizeof(ip));
		ip.len = 16;
		ip.b[15] = (uint8_t)rnd_below(r, 3);
		if (!rnd_in(r, 3)) {
			ip.b[0] = 0x20;
			ip.b[1] = 1;
			ip.b[rnd_below(r, 16)] ^= (uint8_t)(1u << rnd_below(r, 8));
		}
	}
	return ip;
}

static struct shk_str coded(struct rnd *r, struct shk_arena *a)
{
	static const char *const texts[] = { "YmFzaA==", "L2V0Yy9wYXNzd2Q=", "YWJj", "", "YQ", "*&^=",
					     "Y===", "YmFzaA==YWJj", "YWIg" };

	return copyz(a, RND_OF(r, texts));
}

static struct shk_strvec a_list(struct rnd *r, struct shk_arena *a, bool args)
{
	static const char *const options[] = { "-a", "-b", "-ab", "-o", "-ofile", "-abo", "--", "-",
					       "file", "-x", "-ax", "", "-c:", "-ba" };
	struct shk_strvec l = { .n = rnd_below(r, 5) };

	l.v = SHK_ARENA_ARRAY(a, struct shk_str, l.n + 1);
	for (size_t i = 0; l.v && i < l.n; i++)
		l.v[i] = copyz(a, args ? RND_OF(r, options) : words[rnd_below(r, 8)]);
	return l;
}

/* Numbers meet at small values, and at the edges of their widths. */
static uint64_t a_number(struct rnd *r, const char *width)
{
	static const int64_t edges[] = { -1, -2, 0, 127, 128, 255, 256, 32767, 32768, 65535, 65536,
					 INT32_MAX, INT32_MIN, UINT32_MAX, INT64_MAX, INT64_MIN };
	uint64_t v = rnd_in(r, 4) ? (uint64_t)RND_OF(r, edges) : rnd_below(r, 8);

	if (strcmp(width, "INT32") == 0)
		return (uint64_t)(int64_t)(int32_t)v;
	if (strcmp(width, "UINT32") == 0)
		return (uint32_t)v;
	return strcmp(width, "UINT16") == 0 || strcmp(width, "PORT") == 0 ? (uint16_t)v : v;
}

static void draw(struct rnd *r, struct shk_arena *a, const struct shk_field *f, struct shk_value *v)
{
	static const uint16_t well_known[] = { 22, 80, 443, 53, 0, 8080, 65535 };

	v->type = f->type;
	switch (f->type) {
	case SHK_T_BOOL:
		v->b = rnd_in(r, 2);
		break;
	case SHK_T_PORT:
		v->u = RND_OF(r, well_known);
		break;
	case SHK_T_DOUBLE:
		v->u = shk_double_order((double)((int)rnd_below(r, 12) - 4) / (rnd_in(r, 3) ? 2 : 1));
		break;
	case SHK_T_INT64:
		v->i = (int64_t)a_number(r, f->falco_type);
		break;
	case SHK_T_UINT64:
	case SHK_T_RELTIME:
	case SHK_T_ABSTIME:
		v->u = a_number(r, f->falco_type);
		break;
	case SHK_T_IPADDR:
	case SHK_T_IPNET:
		v->ip = an_ip(r);
		break;
	case SHK_T_LIST:
		v->list = a_list(r, a, strcmp(f->name, "made.args") == 0);
		break;
	case SHK_T_PATH:
		v->s = a_path(r, a);
		break;
	case SHK_T_BYTES:
		v->s = rnd_in(r, 3) ? copy(a, "\0\xca\xfe\0ab", 1 + rnd_below(r, 6)) :
			rnd_in(r, 3) ? coded(r, a) : world_text(r, a);
		break;
	default:
		if (strstr(f->name, "word"))
			v->s = copyz(a, RND_OF(r, words));
		else
			v->s = strcmp(f->name, "made.coded") == 0 ? coded(r, a) : world_text(r, a);
	}
}

void made_draw(struct world_event *w, struct rnd *r)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(made); i++) {
		struct made_value *m = &w->made[i];
		bool multi = made[i].multi != NULL;

		m->there = !rnd_in(r, 5);
		m->n = multi ? (unsigned)rnd_below(r, MADE_MULTI + 1) : 1;
		for (unsigned k = 0; k < MADE_MULTI; k++)
			draw(r, &w->arena, &made[i], &m->v[k]);
	}
}

void made_print(const struct world_event *w)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(made); i++) {
		const struct made_value *m = &w->made[i];
		struct shk_buf b;

		shk_buf_init(&b, 65536);
		for (unsigned k = 0; m->there && k < m->n; k++) {
			shk_buf_adds(&b, " ");
			shk_value_print(&m->v[k], &made[i], &b);
		}
		printf("#   %s:%s%s\n", made[i].name, m->there ? "" : " (missing)", b.n ? b.p : "");
		shk_buf_done(&b);
	}
}

size_t made_names(const char **out, size_t room)
{
	size_t n = SHK_MIN(room, SHK_ARRAY_SIZE(made));

	for (size_t i = 0; i < n; i++)
		out[i] = made[i].name;
	return n;
}
