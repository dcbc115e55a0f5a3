// SPDX-License-Identifier: Apache-2.0
/*
 * fd_net.c - the ends of a network socket: local and remote, client and server.
 *
 * Fields that mean either end (fd.ip, fd.port, fd.net) are for conditions only and give both, client
 * first.
 */
#include "fields/fd_view.h"

enum end { END_LOCAL, END_REMOTE, END_CLIENT, END_SERVER };

static bool is_local(const struct shk_fd_view *v, enum end e)
{
	return e == END_LOCAL || (e == END_SERVER && v->local_is_server) ||
	       (e == END_CLIENT && !v->local_is_server);
}

static bool end_ip(struct shk_eval_ctx *ctx, enum end e, struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	if (!v->entry || !v->is_ip)
		return false;
	out->ip = is_local(v, e) ? v->local : v->remote;
	return out->ip.len != 0;
}

/* A port is as well known as the address it belongs to. */
static bool end_port(struct shk_eval_ctx *ctx, enum end e, struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);
	bool local = is_local(v, e);

	if (!v->entry || !v->is_ip || !(local ? v->local.len : v->remote.len))
		return false;
	return shk_set_u(out, local ? v->lport : v->rport);
}

/* No name is ever asked from the network: an address has its own text as its name. */
static bool end_name(struct shk_eval_ctx *ctx, enum end e, struct shk_value *out)
{
	char text[INET6_ADDRSTRLEN];
	struct shk_value ip;

	if (!end_ip(ctx, e, &ip))
		return false;
	return shk_set_opt(out, shk_arena_str(ctx->ev->arena, (struct shk_str){ text, shk_ip_text(&ip.ip, text) }));
}

/* The number as text: Falco looks service names up only when it is told to. */
static bool end_proto(struct shk_eval_ctx *ctx, enum end e, struct shk_value *out)
{
	struct shk_value port;

	return end_port(ctx, e, &port) &&
	       shk_set_opt(out, shk_str(shk_arena_printf(ctx->ev->arena, "%u", (unsigned)port.u)));
}

#define END_GETTERS(word, e)                                                                       \
	static bool word##ip_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,        \
				 struct shk_value *out)                                            \
	{                                                                                          \
		(void)ref;                                                                         \
		return end_ip(ctx, e, out);                                                        \
	}                                                                                          \
	static bool word##port_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,      \
				   struct shk_value *out)                                          \
	{                                                                                          \
		(void)ref;                                                                         \
		return end_port(ctx, e, out);                                                      \
	}                                                                                          \
	static bool word##name_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,      \
				   struct shk_value *out)                                          \
	{                                                                                          \
		(void)ref;                                                                         \
		return end_name(ctx, e, out);                                                      \
	}                                                                                          \
	static bool word##proto_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,     \
				    struct shk_value *out)                                         \
	{                                                                                          \
		(void)ref;                                                                         \
		return end_proto(ctx, e, out);                                                     \
	}

END_GETTERS(l, END_LOCAL)
END_GETTERS(r, END_REMOTE)
END_GETTERS(c, END_CLIENT)
END_GETTERS(s, END_SERVER)

/* ---- either end ---- */

/* Such a field exists for every known descriptor, even for files. */
static bool either_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	enum shk_type type = ref->type;

	*out = (struct shk_value){ .type = type };
	return shk_fd_view(ctx)->entry;
}

/* The k-th end that is known. */
static bool either(struct shk_eval_ctx *ctx, unsigned k, struct shk_value *out,
		   bool (*end)(struct shk_eval_ctx *, enum end, struct shk_value *))
{
	if (end(ctx, END_CLIENT, out) && k-- == 0)
		return true;
	return k == 0 && end(ctx, END_SERVER, out);
}

static bool ip_multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
		     struct shk_value *out)
{
	(void)ref;
	return either(ctx, k, out, end_ip);
}

static bool port_multi(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, unsigned k,
		       struct shk_value *out)
{
	(void)ref;
	return either(ctx, k, out, end_port);
}

/* ---- the socket ---- */

static bool l4proto_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);
	const char *word;

	(void)ref;
	if (!v->entry)
		return false;
	word = shk_fd_l4proto(&v->facts);
	return shk_set_z(out, word ? word : "<NA>");
}

static bool family_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return v->entry && (v->is_ip || v->is_unix) && shk_set_z(out, v->is_ip ? "ip" : "unix");
}

static bool connected_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			  struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return v->entry && shk_set_bool(out, v->connected);
}

static bool changed_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return v->entry && shk_set_bool(out, v->name_changed);
}

static bool server_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return v->entry && v->is_ip && shk_set_bool(out, v->local_is_server);
}

#define ROW(n, t, ft, fl, g, m, d)                                                                 \
	{ .name = (n), .class_name = "fd", .type = (t), .falco_type = (ft),                        \
	  .flags = SHK_F_COSTLY | (fl), .get = (g), .multi = (m), .doc = (d) }
#define IP(n, g, d) ROW(n, SHK_T_IPADDR, "IPADDR", 0, g, NULL, d)
#define PORT(n, g, d) ROW(n, SHK_T_PORT, "PORT", 0, g, NULL, d)
#define NET(n, g, d) ROW(n, SHK_T_IPNET, "IPNET", FILTER, g, NULL, d)
#define NAME(n, g, d) ROW(n, SHK_T_STRING, "CHARBUF", SHK_F_NO_RHS | SHK_F_NO_TRANSFORM, g, NULL, d)
#define PROTO(n, g, d) ROW(n, SHK_T_STRING, "CHARBUF", 0, g, NULL, d)
#define FILTER (SHK_F_FILTER_ONLY | SHK_F_NO_RHS | SHK_F_NO_TRANSFORM)

static const struct shk_field table[] = {
	ROW("fd.ip", SHK_T_IPADDR, "IPADDR", FILTER | SHK_F_MULTI, either_get, ip_multi,
	    "Address of either end."),
	IP("fd.cip", cip_get, "Address of the client."),
	IP("fd.sip", sip_get, "Address of the server."),
	IP("fd.lip", lip_get, "Local address."),
	IP("fd.rip", rip_get, "Remote address."),
	ROW("fd.port", SHK_T_PORT, "PORT", FILTER | SHK_F_MULTI, either_get, port_multi,
	    "Port of either end."),
	PORT("fd.cport", cport_get, "Port of the client."),
	PORT("fd.sport", sport_get, "Port of the server."),
	PORT("fd.lport", lport_get, "Local port."),
	PORT("fd.rport", rport_get, "Remote port."),
	ROW("fd.proto", SHK_T_PORT, "PORT", FILTER | SHK_F_MULTI, either_get, port_multi,
	    "Port of either end, named by its service."),
	PROTO("fd.cproto", cproto_get, "Port of the client as text."),
	PROTO("fd.sproto", sproto_get, "Port of the server as text."),
	PROTO("fd.lproto", lproto_get, "Local port as text."),
	PROTO("fd.rproto", rproto_get, "Remote port as text."),
	ROW("fd.net", SHK_T_IPNET, "IPNET", FILTER | SHK_F_MULTI, either_get, ip_multi,
	    "Network of either end."),
	NET("fd.cnet", cip_get, "Network of the client."),
	NET("fd.snet", sip_get, "Network of the server."),
	NET("fd.lnet", lip_get, "Local network."),
	NET("fd.rnet", rip_get, "Remote network."),
	NAME("fd.cip.name", cname_get, "The client's address as text; names are not looked up."),
	NAME("fd.sip.name", sname_get, "The server's address as text; names are not looked up."),
	NAME("fd.lip.name", lname_get, "Local address as text; names are not looked up."),
	NAME("fd.rip.name", rname_get, "Remote address as text; names are not looked up."),
	ROW("fd.l4proto", SHK_T_STRING, "CHARBUF", 0, l4proto_get, NULL,
	    "tcp, udp, icmp or raw; '<NA>' for everything but network sockets."),
	ROW("fd.sockfamily", SHK_T_STRING, "CHARBUF", 0, family_get, NULL,
	    "'ip' or 'unix' for sockets."),
	ROW("fd.connected", SHK_T_BOOL, "BOOL", 0, connected_get, NULL, "The socket has a peer."),
	ROW("fd.name_changed", SHK_T_BOOL, "BOOL", 0, changed_get, NULL,
	    "The call gives the socket a new other end."),
	ROW("fd.is_server", SHK_T_BOOL, "BOOL", 0, server_get, NULL,
	    "The task is the server of this socket."),
};

SHK_FIELD_TABLE(shk_table_fd_net, table);
