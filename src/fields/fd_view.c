// SPDX-License-Identifier: Apache-2.0
/*
 * fd_view.c - finds the descriptor an event is about.
 */
#include "fields/fd_view.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "state/process.h"

const char *shk_fd_type_word(char type)
{
	switch (type) {
	case 'f': return "file";
	case 'd': return "directory";
	case '4': return "ipv4";
	case '6': return "ipv6";
	case 'u': return "unix";
	case 'p': return "pipe";
	case 'e': return "event";
	case 's': return "signalfd";
	case 'l': return "eventpoll";
	case 'i': return "inotify";
	case 't': return "timerfd";
	case 'n': return "netlink";
	case 'm': return "memfd";
	case 'b': return "bpf";
	case 'r': return "io_uring";
	case 'P': return "pidfd";
	case 'o': return "other";
	default: return NULL;
	}
}

void shk_fd_text(char type, struct shk_str name, struct shk_buf *b)
{
	shk_buf_addc(b, '<');
	shk_buf_addc(b, type ? type : 'o');
	shk_buf_addc(b, '>');
	if (name.p)
		shk_buf_addstr(b, name);
}

bool shk_fd_local_is_server(const struct shk_fd_facts *f)
{
	return f->listening || !f->connected || (f->local.len && f->lport < f->rport);
}

/* What the facts of an existing descriptor say. */
static void from_facts(struct shk_fd_view *v)
{
	const struct shk_fd_facts *f = &v->facts;

	v->entry = true;
	v->type = f->type;
	v->name = f->name.p ? f->name : (struct shk_str){ "", 0 };
	v->nameraw = v->name;
	v->connected = f->connected;
	v->is_unix = f->family == AF_UNIX;
	v->is_ip = f->family == AF_INET || f->family == AF_INET6;
	v->local = f->local;
	v->remote = f->remote;
	v->lport = f->lport;
	v->rport = f->rport;
	v->local_is_server = shk_fd_local_is_server(f);
}

static void set_fd_with(struct shk_eval_ctx *ctx, struct shk_fd_view *v, int fd, bool peer)
{
	v->present = true;
	v->num = fd;
	v->name = v->nameraw = (struct shk_str){ "", 0 };
	if (fd >= 0 && (peer ? shk_fd_facts : shk_fd_facts_but_peer)(ctx, fd, &v->facts)) {
		from_facts(v);
	} else if (fd < 0 && ctx->ev->socket[0]) {
		v->facts.family = ctx->ev->socket[0];
		v->facts.sock_type = ctx->ev->socket[1];
		v->facts.proto = ctx->ev->socket[2];
	}
}

static void set_fd(struct shk_eval_ctx *ctx, struct shk_fd_view *v, int fd)
{
	set_fd_with(ctx, v, fd, true);
}

static bool is_unspecified(const struct shk_ip *ip)
{
	static const struct shk_ip zero;

	return memcmp(ip->b, zero.b, ip->len) == 0;
}

static void set_remote(struct shk_eval_ctx *ctx, struct shk_fd_view *v, struct shk_str sa)
{
	struct shk_str path;

	if (shk_sockaddr_ip(sa, &v->remote, &v->rport)) {
		/* The address of an unbound end is chosen while connecting. Until then it is unknown,
		 * not 0.0.0.0: rules take that for no connection at all. */
		if (v->local.len != v->remote.len || is_unspecified(&v->local))
			v->local = (struct shk_ip){ 0 };
		v->entry = v->is_ip = true;
		v->type = v->remote.len == 4 ? '4' : '6';
		v->local_is_server = false;
		v->unnamed = true;
	} else if (shk_sockaddr_unix(sa, ctx->ev->arena, &path)) {
		v->entry = v->is_unix = true;
		v->type = 'u';
		v->name = v->nameraw = path;
	}
}

static void set_local(struct shk_eval_ctx *ctx, struct shk_fd_view *v, struct shk_str sa)
{
	struct shk_str path;

	if (shk_sockaddr_ip(sa, &v->local, &v->lport)) {
		v->entry = v->is_ip = true;
		v->type = v->local.len == 4 ? '4' : '6';
		v->local_is_server = true;
		v->unnamed = true;
	} else if (shk_sockaddr_unix(sa, ctx->ev->arena, &path)) {
		v->entry = v->is_unix = true;
		v->type = 'u';
		v->name = v->nameraw = path;
	}
}

static bool call_failed(const struct shk_event *ev, int64_t *ret)
{
	*ret = 0;
	return shk_event_result(ev, ret) && *ret < 0;
}

/* Names of the file an open is about: the path argument's, as a name in the container and as it was given. */
static void open_names(struct shk_eval_ctx *ctx, struct shk_str *name, struct shk_str *raw)
{
	int i = shk_event_path_arg(ctx->ev);
	const struct shk_arg *a = i < 0 ? NULL : shk_event_arg(ctx->ev, (unsigned)i);

	*name = *raw = (struct shk_str){ NULL, 0 };
	if (!a)
		return;
	if (a->state == SHK_ARG_OK)
		*raw = a->bytes;
	if (!shk_event_abs_path(ctx, (unsigned)i, name))
		*name = *raw;
}

static char type_to_open(struct shk_event *ev)
{
	uint64_t flags = 0, mode;

	return shk_event_open_flags(ev, &flags, &mode) && (flags & O_TMPFILE) != O_TMPFILE && (flags & O_DIRECTORY) ? 'd' : 'f';
}

/* The file is not there yet, or its descriptor may be somebody else's by now: the path argument names
 * it, as it does for an open that failed. */
static void open_view(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	int64_t ret;
	bool failed = call_failed(ctx->ev, &ret);

	v->present = true;
	v->entry = !failed;
	v->num = failed ? -1 : ret;
	v->type = failed && ctx->ev->call->id == SHK_CALL_open ? 'o' : 'f';
	if (!failed)
		v->type = type_to_open(ctx->ev);
	if (shk_event_path_arg(ctx->ev) < 0)
		return;
	open_names(ctx, &v->name, &v->nameraw);
	/* There is no descriptor that could hold the name as it was given. */
	if (failed && v->name.p)
		v->nameraw = v->name;
	/* The object itself is known once the call has been made. */
	if (!failed && !ctx->ev->attempt && shk_fd_facts(ctx, (int)ret, &v->facts) &&
	    v->facts.type && !v->facts.family)
		v->type = v->facts.type;
}

static void socket_view(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	int domain = (int)ctx->ev->raw[0];
	int64_t ret;
	bool failed = call_failed(ctx->ev, &ret);

	v->present = true;
	v->num = failed ? -1 : ret;
	v->entry = !failed;
	v->name = v->nameraw = (struct shk_str){ "", 0 };
	v->facts.family = domain;
	v->facts.sock_type = (int)ctx->ev->raw[1] & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	v->facts.proto = (int)ctx->ev->raw[2];
	if (!v->facts.proto && v->facts.sock_type == SOCK_STREAM)
		v->facts.proto = IPPROTO_TCP;
	else if (!v->facts.proto && v->facts.sock_type == SOCK_DGRAM)
		v->facts.proto = IPPROTO_UDP;
	v->is_ip = domain == AF_INET || domain == AF_INET6;
	v->is_unix = domain == AF_UNIX;
	v->type = domain == AF_INET6 ? '6' : domain == AF_UNIX ? 'u' : domain == AF_NETLINK ? 'n' : '4';
}

/* The new end comes from the listening socket while the caller waits, and from itself afterwards. */
static void accept_view(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	int64_t ret;
	bool failed = call_failed(ctx->ev, &ret);

	set_fd(ctx, v, !ctx->ev->attempt && !failed ? (int)ret : (int)ctx->ev->raw[0]);
	v->num = failed ? -1 : ret;
	v->local_is_server = true;
}

static void connect_view(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	struct shk_str sa;
	int64_t ret;
	bool connects = !call_failed(ctx->ev, &ret) || ret == -EINPROGRESS, has = shk_event_sockaddr(ctx->ev, &sa);
	struct shk_ip ip;
	uint16_t port;

	/* An address of IP gives it another peer and another name (set_remote). */
	set_fd_with(ctx, v, (int)ctx->ev->raw[0], !connects || !has || !shk_sockaddr_ip(sa, &ip, &port));
	if (!has)
		return;
	set_remote(ctx, v, sa);
	if (connects) {
		v->connected = true;
		v->name_changed = true;
	}
}

/* The address of a datagram counts only on a socket without a peer, in the language of rules. For the kernel it does on
 * others, too: who enforces asks again by it (by_address). */
static void send_view(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	struct shk_str sa;

	set_fd(ctx, v, (int)ctx->ev->raw[0]);
	if ((v->connected && !ctx->by_address) || !shk_event_sockaddr(ctx->ev, &sa))
		return;
	set_remote(ctx, v, sa);
	v->connected = false;
	v->name_changed = true;
}

static void bind_view(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	struct shk_str sa;

	set_fd(ctx, v, (int)ctx->ev->raw[0]);
	if (shk_event_sockaddr(ctx->ev, &sa))
		set_local(ctx, v, sa);
}

static void new_view(struct shk_eval_ctx *ctx, struct shk_fd_view *v, char type)
{
	int64_t ret;
	bool failed = call_failed(ctx->ev, &ret);

	v->present = true;
	v->entry = !failed;
	v->num = failed ? -1 : ret;
	v->type = type;
	v->name = v->nameraw = (struct shk_str){ "", 0 };
}

/* Any other call: its first descriptor argument, or the directory its path is relative to. */
static void arg_view(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	const struct shk_syscall *c = ctx->ev->call;

	for (unsigned i = 0; i < c->nargs; i++) {
		enum shk_arg_kind k = c->arg[i].kind;
		int fd = (int)ctx->ev->raw[i];

		if (k == SHK_ARG_FD || (k == SHK_ARG_DIRFD && fd != AT_FDCWD)) {
			set_fd(ctx, v, fd);
			return;
		}
	}
}

static bool is_open(const struct shk_event *ev)
{
	switch (ev->call ? ev->call->id : SHK_CALL_N) {
	case SHK_CALL_open:
	case SHK_CALL_openat:
	case SHK_CALL_openat2:
	case SHK_CALL_creat:
	case SHK_CALL_open_by_handle_at:
		return true;
	default:
		return false;
	}
}

static void build(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	if (is_open(ctx->ev)) {
		open_view(ctx, v);
		return;
	}
	switch (ctx->ev->call ? ctx->ev->call->id : SHK_CALL_N) {
	case SHK_CALL_N:
		break;
	case SHK_CALL_socket:
		socket_view(ctx, v);
		break;
	case SHK_CALL_accept:
	case SHK_CALL_accept4:
		accept_view(ctx, v);
		break;
	case SHK_CALL_connect:
		connect_view(ctx, v);
		break;
	case SHK_CALL_sendto:
	case SHK_CALL_sendmsg:
		send_view(ctx, v);
		break;
	case SHK_CALL_bind:
		bind_view(ctx, v);
		break;
	case SHK_CALL_eventfd:
	case SHK_CALL_eventfd2:
		new_view(ctx, v, 'e');
		break;
	case SHK_CALL_epoll_create:
	case SHK_CALL_epoll_create1:
		new_view(ctx, v, 'l');
		break;
	case SHK_CALL_inotify_init:
	case SHK_CALL_inotify_init1:
		new_view(ctx, v, 'i');
		break;
	case SHK_CALL_timerfd_create:
		new_view(ctx, v, 't');
		break;
	case SHK_CALL_memfd_create:
		new_view(ctx, v, 'm');
		break;
	case SHK_CALL_bpf:
		new_view(ctx, v, 'b');
		break;
	case SHK_CALL_io_uring_setup:
		new_view(ctx, v, 'r');
		break;
	case SHK_CALL_pidfd_open:
		new_view(ctx, v, 'P');
		break;
	default:
		arg_view(ctx, v);
		break;
	}
}

const struct shk_fd_view *shk_fd_view(struct shk_eval_ctx *ctx)
{
	static const struct shk_fd_view nothing;
	struct shk_fd_view *v;

	if (ctx->fd)
		return ctx->fd;
	v = SHK_ARENA_NEW(ctx->ev->arena, struct shk_fd_view);
	if (!v)
		return &nothing;
	build(ctx, v);
	ctx->fd = v;
	return v;
}

/* "local->remote", or the one end there is. */
static void ip_name(struct shk_eval_ctx *ctx, struct shk_fd_view *v)
{
	static const struct shk_ip any4 = { .len = 4 }, any6 = { .len = 16 };
	struct shk_buf b _cleanup_buf_;
	struct shk_value out;

	shk_buf_init(&b, 256);
	if (v->local.len || v->remote.len) {
		const struct shk_ip *local = v->local.len ? &v->local :
					     v->remote.len == 4 ? &any4 : &any6;

		shk_ip_port_print(local, v->lport, &b);
	}
	if (v->remote.len) {
		shk_buf_adds(&b, "->");
		shk_ip_port_print(&v->remote, v->rport, &b);
	}
	if (b.n && shk_set_buf(ctx, &out, &b))
		v->name = v->nameraw = out.s;
}

const struct shk_fd_view *shk_fd_named(struct shk_eval_ctx *ctx)
{
	struct shk_fd_view *v = (struct shk_fd_view *)(uintptr_t)shk_fd_view(ctx);

	if (v->unnamed) {
		v->unnamed = false;
		ip_name(ctx, v);
	}
	return v;
}

bool shk_fd_to_open(struct shk_eval_ctx *ctx, char *ret_type)
{
	const struct shk_event *ev = ctx->ev;

	if (ctx->fd || !ev->attempt || (ev->has_ret && ev->ret < 0) || !is_open(ev))
		return false;
	*ret_type = type_to_open(ctx->ev);
	return true;
}

bool shk_fd_name(struct shk_eval_ctx *ctx, struct shk_str *ret)
{
	const struct shk_fd_view *v;
	struct shk_str raw;

	/* Most events, and most of these are asked for nothing else. */
	if (!ctx->fd && is_open(ctx->ev)) {
		open_names(ctx, ret, &raw);
		return true;
	}
	v = shk_fd_named(ctx);
	*ret = v->name;
	return v->present;
}
