// SPDX-License-Identifier: Apache-2.0
/* Written constants to typed ones (FALCO_RULE_LANGUAGE section 10). */
#include "rules/types.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>

#include "rules/regex.h"

/* Bits of the numbers a field holds, from its type's name: UINT32, FLAGS16, ENUMFLAGS8 ... */
static unsigned number_bits(const struct shk_operand *left)
{
	const struct shk_field *f = left->kind == SHK_OPERAND_FIELD ? left->ref.field : NULL;
	struct shk_str t;

	if (left->type == SHK_T_PORT)
		return 16;
	if (!f || !f->falco_type || left->type != f->type)
		return 64;
	t = shk_str(f->falco_type);
	if (shk_str_eqz(t, "UID") || shk_str_eqz(t, "GID") || shk_str_eqz(t, "MODE") ||
	    shk_str_ends(t, SHK_STR("32")))
		return 32;
	if (shk_str_ends(t, SHK_STR("16")))
		return 16;
	return shk_str_ends(t, SHK_STR("8")) ? 8 : 64;
}

static bool parse_hex(struct shk_str s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n < 3 || s.n > 18 || s.p[0] != '0' || (s.p[1] != 'x' && s.p[1] != 'X'))
		return false;
	for (size_t i = 2; i < s.n; i++) {
		char c = s.p[i];
		unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
			     c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) :
			     c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10) :
						    16;

		if (d == 16)
			return false;
		v = v << 4 | d;
	}
	*ret = v;
	return true;
}

static bool parse_service(struct shk_str s, uint64_t *ret)
{
	char name[64], buf[1024];
	struct servent se, *found = NULL;

	if (s.n == 0) {
		*ret = 0;
		return true;
	}
	if (s.n >= sizeof(name))
		return false;
	memcpy(name, s.p, s.n);
	name[s.n] = 0;
	if (getservbyname_r(name, NULL, &se, buf, sizeof(buf), &found) != 0 || !found)
		return false;
	*ret = ntohs((uint16_t)found->s_port);
	return true;
}

static int parse_number(const struct shk_operand *left, struct shk_str s, struct shk_const *ret,
			struct shk_err *err)
{
	unsigned bits = number_bits(left);
	bool is_signed = left->type == SHK_T_INT64;
	uint64_t u, cut;
	int64_t i;

	if (!parse_hex(s, &u)) {
		if (shk_str_to_i64(s, &i))
			u = (uint64_t)i;
		else if (!shk_str_to_u64(s, &u) &&
			 !(left->type == SHK_T_PORT && parse_service(s, &u)))
			return shk_err_set(err, EINVAL,
					   left->type == SHK_T_PORT ?
						   "\"" SHK_STR_FMT "\" is not a port number or a "
						   "service name of /etc/services" :
						   "\"" SHK_STR_FMT "\" is not a valid number",
					   SHK_STR_ARG(s));
	}
	cut = bits == 64 ? u : u & ((UINT64_C(1) << bits) - 1);
	if (is_signed && bits < 64 && cut >> (bits - 1))
		cut |= ~((UINT64_C(1) << bits) - 1);
	ret->v.type = left->type;
	if (left->type == SHK_T_DOUBLE) { /* whole numbers, as in Falco */
		ret->v.u = shk_double_order(s.p[0] == '-' ? (double)(int64_t)u : (double)u);
		return 0;
	}
	ret->changed = cut != u;
	if (is_signed)
		ret->v.i = (int64_t)cut;
	else
		ret->v.u = cut;
	return 0;
}

static bool parse_ip(struct shk_str s, struct shk_ip *ret)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	char z[INET6_ADDRSTRLEN];

	if (s.n == 0 || s.n >= sizeof(z))
		return false;
	memcpy(z, s.p, s.n);
	z[s.n] = 0;
	*ret = (struct shk_ip){ .len = 4 };
	if (inet_pton(AF_INET, z, ret->b) == 1)
		return true;
	ret->len = 16;
	if (inet_pton(AF_INET6, z, ret->b) != 1)
		return false;
	if (memcmp(ret->b, mapped, sizeof(mapped)) == 0) {
		memmove(ret->b, ret->b + 12, 4);
		memset(ret->b + 4, 0, 12);
		ret->len = 4;
	}
	return true;
}

static int parse_net(struct shk_str s, struct shk_const *ret, struct shk_err *err)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	struct shk_str addr = { s.p, slash ? (size_t)(slash - s.p) : 0 };
	uint64_t len = 0, max;
	bool v6 = slash && memchr(addr.p, ':', addr.n);

	if (!slash || !shk_str_to_u64((struct shk_str){ slash + 1, s.n - addr.n - 1 }, &len) ||
	    !parse_ip(addr, &ret->v.ip) || len > (v6 ? 128u : 32u) || (v6 && len == 0))
		return shk_err_set(err, EINVAL,
				   "\"" SHK_STR_FMT "\" is not a network: write address/length, like "
				   "10.0.0.0/8",
				   SHK_STR_ARG(s));
	max = ret->v.ip.len * 8u;
	if (v6 && max == 32) { /* a network of mapped addresses, which are kept as IPv4 */
		if (len < 96)
			return shk_err_set(err, EINVAL, "the network \"" SHK_STR_FMT
					   "\" mixes IPv4 and IPv6 addresses", SHK_STR_ARG(s));
		len -= 96;
	}
	for (unsigned bit = (unsigned)len; bit < max; bit++)
		ret->v.ip.b[bit / 8] &= (uint8_t)~(0x80u >> (bit % 8));
	ret->v.type = SHK_T_IPNET;
	ret->prefix = (uint8_t)len;
	return 0;
}

static int parse_hex_bytes(struct shk_arena *a, struct shk_str s, struct shk_const *ret,
			   struct shk_err *err)
{
	char *d = shk_arena_alloc_raw(a, s.n / 2 + 1);
	bool ok = s.n % 2 == 0;

	if (!d)
		return shk_err_sys(err, ENOMEM, "cannot keep a constant");
	for (size_t i = 0; ok && i + 1 < s.n; i += 2) {
		char pair[4] = { '0', 'x', s.p[i], s.p[i + 1] };
		uint64_t byte = 0;

		ok = parse_hex((struct shk_str){ pair, 4 }, &byte);
		d[i / 2] = (char)byte;
	}
	if (!ok)
		return shk_err_set(err, EINVAL, "\"" SHK_STR_FMT
				   "\" is not an even number of hexadecimal digits", SHK_STR_ARG(s));
	ret->v.type = SHK_T_BYTES;
	ret->v.s = (struct shk_str){ d, s.n / 2 };
	return 0;
}

bool shk_field_is_evt_type(const struct shk_field *f)
{
	return f && (strcmp(f->name, "evt.type") == 0 || strcmp(f->name, "syscall.type") == 0);
}

static int check_evt_type(struct shk_str word, struct shk_err *err)
{
	const char *best = NULL;
	unsigned limit = 4;

	if (shk_evt_type_known(word))
		return 0;
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		unsigned d = shk_str_distance(word, shk_str(shk_syscalls[i].evt_type), limit);

		if (d < limit) {
			limit = d;
			best = shk_syscalls[i].evt_type;
		}
	}
	/* As of an unknown field: skip-if-unknown-filter forgives both. */
	return shk_err_set(err, ENOENT, "unknown event type \"" SHK_STR_FMT "\"%s%s%s",
			   SHK_STR_ARG(word), best ? " (did you mean \"" : "", best ? best : "",
			   best ? "\"?)" : "");
}

int shk_const_parse(struct shk_arena *a, const struct shk_operand *left, enum shk_op op,
		    const struct shk_operand *word, struct shk_const *ret, struct shk_err *err)
{
	struct shk_str s = word->text;
	int r;

	*ret = (struct shk_const){ .pos = word->pos };
	if (left->kind == SHK_OPERAND_FIELD && strcmp(left->ref.field->name, "evt.type") == 0) {
		r = check_evt_type(s, err);
		if (r < 0)
			return r;
	}
	if (op == SHK_OP_REGEX) {
		r = shk_regex_check(s, err);
		if (r < 0)
			return r;
	}
	if (shk_type_is_number(left->type))
		return parse_number(left, s, ret, err);
	ret->v.type = left->type;
	switch (left->type) {
	case SHK_T_BOOL:
		ret->v.b = shk_str_eqz(s, "true");
		if (!ret->v.b && !shk_str_eqz(s, "false"))
			return shk_err_set(err, EINVAL, "\"" SHK_STR_FMT
					   "\" is not a truth value: write true or false",
					   SHK_STR_ARG(s));
		return 0;
	case SHK_T_IPADDR:
		if (!parse_ip(s, &ret->v.ip))
			return shk_err_set(err, EINVAL, "\"" SHK_STR_FMT "\" is not an IP address",
					   SHK_STR_ARG(s));
		return 0;
	case SHK_T_IPNET:
		return parse_net(s, ret, err);
	case SHK_T_BYTES:
		if (op == SHK_OP_BCONTAINS || op == SHK_OP_BSTARTSWITH)
			return parse_hex_bytes(a, s, ret, err);
		ret->v.s = s;
		return 0;
	default:
		ret->v.type = SHK_T_STRING;
		ret->v.s = s;
		return 0;
	}
}
