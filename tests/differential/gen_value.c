// SPDX-License-Identifier: Apache-2.0
/*
 * gen_value.c - constants that a given value is likely to meet, or to miss by little.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>

#include "gen.h"

static bool bare(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!s.p[i] || strchr("()\"'=,", s.p[i]) || isspace((unsigned char)s.p[i]) || s.p[i] == '\b')
			return false;
	return s.n > 0;
}

void gen_word(struct rnd *r, struct shk_str s, struct shk_buf *out)
{
	static const char named[] = "\bb\ff\nn\rr\tt";
	char q = rnd_in(r, 3) ? '\'' : '"';

	if (bare(s) && !rnd_in(r, 4)) {
		shk_buf_addstr(out, s);
		return;
	}
	shk_buf_addc(out, q);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		const char *e = c ? strchr(named, c) : NULL;

		if (c == (unsigned char)q || c == '\\')
			shk_buf_printf(out, "\\%c", c);
		else if (e && (e - named) % 2 == 0)
			shk_buf_printf(out, "\\%c", e[1]);
		else if (c < ' ' || c == 0x7f)
			shk_buf_printf(out, "\\x%02x", c);
		else if (c == '/' && rnd_in(r, 10))
			shk_buf_adds(out, "\\/");
		else
			shk_buf_addc(out, (char)c);
	}
	shk_buf_addc(out, q);
}

static void a_glob(struct rnd *r, struct shk_str s, struct shk_buf *out)
{
	if (rnd_in(r, 3)) {
		shk_buf_add(out, s.p, s.n ? rnd_below(r, s.n + 1) : 0);
		shk_buf_addc(out, '*');
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		switch (rnd_below(r, 12)) {
		case 0:
			shk_buf_addc(out, '*');
			i += rnd_below(r, 4);
			break;
		case 1:
			shk_buf_addc(out, '?');
			break;
		case 2:
			if (isalnum((unsigned char)c))
				shk_buf_printf(out, "[%s%c-%c]", rnd_in(r, 4) ? "!" : "", c, c + 1);
			else
				shk_buf_addc(out, c);
			break;
		case 3:
			shk_buf_printf(out, "\\%c", c);
			break;
		default:
			shk_buf_addc(out, c);
		}
	}
	if (rnd_in(r, 5))
		shk_buf_addc(out, '*');
	if (rnd_in(r, 30))
		shk_buf_adds(out, rnd_in(r, 2) ? "[" : "[[:alpha:]]");
}

static bool printable(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void a_regex(struct rnd *r, struct shk_str s, struct shk_buf *out)
{
	static const char *const wild[] = { "[a-z]+", ".", ".*", "[^/]*", "(a|b|ab)*", "[[:alpha:]]",
					    ".?", "[0-9]{1,3}", "(sh|bash)", ".+" };

	if (!printable(s) || s.n > 60) {
		shk_buf_adds(out, rnd_in(r, 2) ? ".*a.*" : "(.|a)*[ab].*");
		return;
	}
	if (rnd_in(r, 8))
		shk_buf_adds(out, "^");
	for (size_t i = 0; i < s.n; i++) {
		if (rnd_in(r, 6)) {
			shk_buf_adds(out, RND_OF(r, wild));
			i += rnd_below(r, 3);
			continue;
		}
		if (strchr(".[]()*+?{}|^$\\", s.p[i]))
			shk_buf_addc(out, '\\');
		shk_buf_addc(out, s.p[i]);
		if (rnd_in(r, 14) && isalnum((unsigned char)s.p[i]))
			shk_buf_addc(out, "+*?"[rnd_below(r, 3)]);
	}
	if (rnd_in(r, 4))
		shk_buf_adds(out, rnd_in(r, 2) ? "|[a-z]*" : ".*");
}

/* Beginning of a path, some of its components wild. */
static void a_prefix(struct rnd *r, struct shk_str s, struct shk_buf *out)
{
	bool begins = true;

	if (rnd_in(r, 15)) {
		shk_buf_adds(out, rnd_in(r, 2) ? "/" : "");
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '/') {
			begins = true;
			if (i && rnd_in(r, 4))
				return;
			if (rnd_in(r, 12))
				shk_buf_addc(out, '/');
			shk_buf_addc(out, '/');
			continue;
		}
		if (begins && rnd_in(r, 5)) {
			if (rnd_in(r, 2))
				shk_buf_addc(out, s.p[i]);
			shk_buf_adds(out, rnd_in(r, 4) ? "?*" : "*");
			while (i + 1 < s.n && s.p[i + 1] != '/')
				i++;
			continue;
		}
		begins = false;
		shk_buf_addc(out, s.p[i]);
	}
	if (rnd_in(r, 6))
		shk_buf_addc(out, '/');
}

static void flip_case(struct rnd *r, struct shk_buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (rnd_in(r, 2) && isalpha((unsigned char)b->p[i]))
			b->p[i] ^= 32;
}

static void text_constant(struct rnd *r, struct shk_str s, const char *op, struct shk_buf *raw)
{
	size_t from = s.n ? rnd_below(r, s.n + 1) : 0, n = s.n - from ? rnd_below(r, s.n - from + 1) : 0;

	if (strstr(op, "glob")) {
		a_glob(r, s, raw);
	} else if (strcmp(op, "regex") == 0) {
		a_regex(r, s, raw);
		return;
	} else if (strcmp(op, "pmatch") == 0) {
		a_prefix(r, s, raw);
	} else if (strstr(op, "contains")) {
		shk_buf_add(raw, s.p + from, n);
	} else if (strcmp(op, "startswith") == 0 || strcmp(op, "bstartswith") == 0) {
		shk_buf_add(raw, s.p, from);
	} else if (strcmp(op, "endswith") == 0) {
		shk_buf_add(raw, s.p + from, s.n - from);
	} else {
		shk_buf_addstr(raw, s);
	}
	if (op[0] == 'i' && (strcmp(op, "iglob") == 0 || strcmp(op, "icontains") == 0))
		flip_case(r, raw);
	if (rnd_in(r, 12))
		shk_buf_addc(raw, "ab/ -A"[rnd_below(r, 6)]);
}

static void a_number(struct rnd *r, const struct shk_value *v, struct shk_buf *out)
{
	uint64_t n = v->type == SHK_T_DOUBLE ? (uint64_t)(int64_t)shk_double_of(v->u) : v->type == SHK_T_INT64 ? (uint64_t)v->i : v->u;

	if (rnd_in(r, 5))
		n += rnd_below(r, 5) - 2;
	if (rnd_in(r, 15))
		shk_buf_printf(out, "0%c%" PRIx64, rnd_in(r, 2) ? 'x' : 'X', n);
	else if (v->type == SHK_T_INT64 || v->type == SHK_T_DOUBLE || rnd_in(r, 20))
		shk_buf_printf(out, "%s%" PRId64, rnd_in(r, 10) && (int64_t)n >= 0 ? "+" : "", (int64_t)n);
	else
		shk_buf_printf(out, "%" PRIu64, n);
}

static void a_port(struct rnd *r, const struct shk_value *v, struct shk_buf *out)
{
	static const char *const services[] = { "ssh", "https", "domain" };
	const char *word = RND_OF(r, services);

	if (rnd_in(r, 6) && getservbyname(word, NULL))
		shk_buf_adds(out, word);
	else
		shk_buf_printf(out, "%u", (unsigned)v->u);
}

static void an_address(struct rnd *r, struct shk_ip ip, bool net, struct shk_buf *out)
{
	char text[INET6_ADDRSTRLEN];

	if (!ip.len)
		ip.len = 4;
	if (rnd_in(r, 3))
		ip.b[rnd_below(r, ip.len)] ^= (uint8_t)(1u << rnd_below(r, 8));
	inet_ntop(ip.len == 4 ? AF_INET : AF_INET6, ip.b, text, sizeof(text));
	if (ip.len == 16 && strchr(text, '.')) /* ::a.b.c.d: a point makes it an IPv4 address */
		snprintf(text, sizeof(text), "::%x", ip.b[15]);
	shk_buf_adds(out, text);
	if (net)
		shk_buf_printf(out, "/%u", ip.len == 4 ? (unsigned)rnd_below(r, 33) :
							 1 + (unsigned)rnd_below(r, 128));
}

void gen_constant(struct rnd *r, const struct shk_value *like, const char *op, bool is_event_type,
		  struct shk_buf *out)
{
	struct shk_buf raw _cleanup_buf_;
	struct shk_buf hex _cleanup_buf_;

	shk_buf_init(&raw, 65536);
	shk_buf_init(&hex, 65536);
	switch (like->type) {
	case SHK_T_BOOL:
		shk_buf_adds(&raw, rnd_in(r, 3) ? "false" : like->b ? "true" : "false");
		break;
	case SHK_T_PORT:
		a_port(r, like, &raw);
		break;
	case SHK_T_INT64:
	case SHK_T_UINT64:
	case SHK_T_RELTIME:
	case SHK_T_ABSTIME:
	case SHK_T_DOUBLE:
		a_number(r, like, &raw);
		break;
	case SHK_T_IPADDR:
	case SHK_T_IPNET:
		an_address(r, like->ip, like->type == SHK_T_IPNET, &raw);
		break;
	case SHK_T_LIST:
		if (like->list.n)
			shk_buf_addstr(&raw, like->list.v[rnd_below(r, like->list.n)]);
		break;
	default:
		if (is_event_type)
			shk_buf_addstr(&raw, like->s);
		else
			text_constant(r, like->s, op, &raw);
	}
	if (strcmp(op, "bcontains") == 0 || strcmp(op, "bstartswith") == 0) {
		for (size_t i = 0; i < raw.n; i++)
			shk_buf_printf(&hex, rnd_in(r, 2) ? "%02x" : "%02X", (unsigned char)raw.p[i]);
		gen_word(r, (struct shk_str){ hex.n ? hex.p : "", hex.n }, out);
		return;
	}
	gen_word(r, (struct shk_str){ raw.n ? raw.p : "", raw.n }, out);
}
