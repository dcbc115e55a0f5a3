// SPDX-License-Identifier: Apache-2.0
/*
 * fdlist.c - the descriptors that poll and ppoll wait for.
 *
 * Each takes some calls to look at, so no more than the first FDS_MAX of them are.
 */
#include "fields/fd_view.h"

#define FDS_MAX 64u

struct pollfd_bytes { /* struct pollfd is the same in every ABI */
	int32_t fd;
	int16_t events, revents;
};

/* The array of the call: the number of its entries in v. false: another call, or unreadable. */
static bool fds_of(struct shk_event *ev, struct pollfd_bytes v[FDS_MAX], size_t *ret_n)
{
	size_t n;

	switch (ev->call ? ev->call->id : SHK_CALL_N) {
	case SHK_CALL_poll:
	case SHK_CALL_ppoll:
	case SHK_CALL_ppoll_time64:
		break;
	default:
		return false;
	}
	n = (size_t)SHK_MIN(ev->raw[1], (uint64_t)FDS_MAX);
	if (!n || !ev->mem || shk_event_read(ev, ev->raw[0], v, n * sizeof(*v)) < 0)
		return false;
	*ret_n = n;
	return true;
}

enum list { LIST_NUMS, LIST_NAMES, LIST_CIPS, LIST_SIPS, LIST_CPORTS, LIST_SPORTS };

/* An end of a network socket; one that is not known, and what is no such socket, adds nothing. */
static void add_end(const struct shk_fd_facts *f, enum list what, struct shk_buf *b)
{
	bool server = what == LIST_SIPS || what == LIST_SPORTS;
	bool local = shk_fd_local_is_server(f) == server;
	struct shk_value v = { .type = SHK_T_IPADDR, .ip = local ? f->local : f->remote };

	if (!v.ip.len)
		return;
	if (what == LIST_CPORTS || what == LIST_SPORTS)
		shk_buf_printf(b, "%u,", local ? f->lport : f->rport);
	else {
		shk_value_print(&v, NULL, b);
		shk_buf_addc(b, ',');
	}
}

static void add_one(struct shk_eval_ctx *ctx, int fd, enum list what, struct shk_buf *b)
{
	struct shk_fd_facts f;
	bool known;

	if (what == LIST_NUMS) {
		shk_buf_printf(b, "%d,", fd);
		return;
	}
	known = fd >= 0 && shk_fd_facts(ctx, fd, &f);
	if (what == LIST_NAMES) {
		shk_buf_addstr(b, known && f.name.n ? f.name : SHK_STR("<NA>"));
		shk_buf_addc(b, ',');
	} else if (known) {
		add_end(&f, what, b);
	}
}

static bool list_of(struct shk_eval_ctx *ctx, enum list what, struct shk_value *out)
{
	struct shk_buf b _cleanup_buf_;
	struct pollfd_bytes v[FDS_MAX];
	size_t n;

	shk_buf_init(&b, 4u * SHK_FIELD_TEXT_MAX);
	if (!fds_of(ctx->ev, v, &n))
		return false;
	for (size_t i = 0; i < n; i++)
		add_one(ctx, v[i].fd, what, &b);
	if (!b.n || b.failed)
		return false;
	b.n--; /* the last comma */
	return shk_set_buf(ctx, out, &b);
}

#define GETTER(word, what)                                                                         \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		(void)ref;                                                                         \
		return list_of(ctx, what, out);                                                    \
	}

GETTER(nums, LIST_NUMS)
GETTER(names, LIST_NAMES)
GETTER(cips, LIST_CIPS)
GETTER(sips, LIST_SIPS)
GETTER(cports, LIST_CPORTS)
GETTER(sports, LIST_SPORTS)

#define ROW(n, fl, from, g, d)                                                                     \
	{ .name = (n), .class_name = "fdlist", .type = SHK_T_STRING, .falco_type = "CHARBUF",      \
	  .flags = (fl), .get = (g), .doc = (d), .origin = (from) }
#define LOOK "memory of the task, its descriptors"

static const struct shk_field table[] = {
	ROW("fdlist.nums", 0, "memory of the task", nums_get,
	    "Numbers of the descriptors poll and ppoll wait for, at most 64, separated by commas."),
	ROW("fdlist.names", SHK_F_COSTLY, LOOK, names_get, "Names of these descriptors, as fd.name."),
	ROW("fdlist.cips", SHK_F_COSTLY, LOOK, cips_get, "Client addresses of the sockets among them."),
	ROW("fdlist.sips", SHK_F_COSTLY, LOOK, sips_get, "Server addresses of the sockets among them."),
	ROW("fdlist.cports", SHK_F_COSTLY, LOOK, cports_get, "Client ports of the sockets among them."),
	ROW("fdlist.sports", SHK_F_COSTLY, LOOK, sports_get, "Server ports of the sockets among them."),
};

SHK_FIELD_TABLE(shk_table_fdlist, table);
