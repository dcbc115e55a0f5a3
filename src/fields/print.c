// SPDX-License-Identifier: Apache-2.0
/*
 * print.c - the text of a value, as alerts and `shrike list` show it.
 */
#include <arpa/inet.h>
#include <inttypes.h>

#include "fields/table.h"

static const char *const type_names[SHK_T_N] = {
	[SHK_T_BOOL] = "bool",
	[SHK_T_INT64] = "int",
	[SHK_T_UINT64] = "uint",
	[SHK_T_RELTIME] = "reltime",
	[SHK_T_ABSTIME] = "abstime",
	[SHK_T_PORT] = "port",
	[SHK_T_STRING] = "string",
	[SHK_T_PATH] = "path",
	[SHK_T_BYTES] = "bytes",
	[SHK_T_IPADDR] = "ipaddr",
	[SHK_T_IPNET] = "ipnet",
	[SHK_T_LIST] = "list",
	[SHK_T_DOUBLE] = "double",
};

const char *shk_type_name(enum shk_type t)
{
	return (unsigned)t < SHK_T_N ? type_names[t] : "unknown";
}

static void print_unsigned(uint64_t u, uint32_t flags, struct shk_buf *out)
{
	if (flags & SHK_F_HEX)
		shk_buf_printf(out, "%" PRIX64, u);
	else if (flags & SHK_F_OCT)
		shk_buf_printf(out, "%" PRIo64, u);
	else
		shk_buf_printf(out, "%" PRIu64, u);
}

static void print_ip(const struct shk_ip *ip, struct shk_buf *out)
{
	char text[INET6_ADDRSTRLEN];

	if ((ip->len == 4 || ip->len == 16) &&
	    inet_ntop(ip->len == 4 ? AF_INET : AF_INET6, ip->b, text, sizeof(text)))
		shk_buf_adds(out, text);
}

void shk_value_print(const struct shk_value *v, const struct shk_field *f, struct shk_buf *out)
{
	uint32_t flags = f ? f->flags : 0;

	switch (v->type) {
	case SHK_T_BOOL:
		shk_buf_adds(out, v->b ? "true" : "false");
		break;
	case SHK_T_INT64:
		if (flags & (SHK_F_HEX | SHK_F_OCT))
			print_unsigned((uint64_t)v->i, flags, out);
		else
			shk_buf_printf(out, "%" PRId64, v->i);
		break;
	case SHK_T_UINT64:
	case SHK_T_RELTIME:
	case SHK_T_ABSTIME:
	case SHK_T_PORT:
		print_unsigned(v->u, flags, out);
		break;
	case SHK_T_STRING:
	case SHK_T_PATH:
	case SHK_T_BYTES:
		shk_buf_addstr(out, v->s);
		break;
	case SHK_T_IPADDR:
	case SHK_T_IPNET:
		print_ip(&v->ip, out);
		break;
	case SHK_T_LIST:
		shk_buf_addc(out, '(');
		for (size_t i = 0; i < v->list.n; i++) {
			if (i)
				shk_buf_addc(out, ',');
			shk_buf_addstr(out, v->list.v[i]);
		}
		shk_buf_addc(out, ')');
		break;
	case SHK_T_DOUBLE:
		shk_buf_printf(out, "%.1f", shk_double_of(v->u));
		break;
	case SHK_T_N:
		break;
	}
}

bool shk_set_buf(struct shk_eval_ctx *ctx, struct shk_value *out, struct shk_buf *b)
{
	if (b->failed)
		return false;
	return shk_set_opt(out, shk_arena_str(ctx->ev->arena, shk_buf_view(b)));
}

bool shk_value_clean_list(struct shk_arena *a, struct shk_value *v)
{
	struct shk_strvec *l = &v->list;
	struct shk_str *to;
	size_t i = 0;

	while (i < l->n && shk_clean_length(l->v[i]) == l->v[i].n)
		i++;
	if (i == l->n)
		return true;
	to = SHK_ARENA_ARRAY(a, struct shk_str, l->n);
	if (!to)
		return false;
	memcpy(to, l->v, l->n * sizeof(*to));
	for (; i < l->n; i++)
		if (!shk_clean(a, &to[i]))
			return false;
	l->v = to;
	return true;
}
