// SPDX-License-Identifier: Apache-2.0
#include "state/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "state/process_impl.h"
#include "state/recorded_impl.h"

/* PIDFD_THREAD (linux/pidfd.h, since 6.9) */
#define PIDFD_OF_THREAD O_EXCL
/* First port given to clients by default (net.ipv4.ip_local_port_range). */
#define CLIENT_PORTS 32768

/* Kinds by what readlink shows in front. */
static const struct {
	const char *link;
	char type;
} kinds[] = {
	{ "pipe:[", 'p' },
	{ "pidfd:[", 'P' },
	{ "anon_inode:[eventfd]", 'e' },
	{ "anon_inode:[signalfd]", 's' },
	{ "anon_inode:[eventpoll]", 'l' },
	{ "anon_inode:inotify", 'i' },
	{ "anon_inode:[timerfd]", 't' },
	{ "anon_inode:bpf", 'b' },
	{ "anon_inode:[io_uring]", 'r' },
	{ "anon_inode:[userfaultfd]", 'u' },
	{ "anon_inode:[pidfd]", 'P' },
};

static char kind_of_link(struct shk_str link)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++)
		if (shk_str_starts(link, shk_str(kinds[i].link)))
			return kinds[i].type;
	return 'o';
}

static char kind_of_mode(uint32_t mode)
{
	if (S_ISDIR(mode))
		return 'd';
	return S_ISFIFO(mode) ? 'p' : 'f';
}

/* A duplicate of the thread's own descriptor. Before 6.9 a pidfd means the process: its table may be
 * another one, which the caller finds out by the inode. */
static int duplicate(pid_t tid, pid_t tgid, int fd)
{
	_cleanup_close_ int pidfd = shk_pidfd_open(tid, PIDFD_OF_THREAD);

	if (pidfd == -EINVAL && tgid > 0)
		pidfd = shk_pidfd_open(tgid, 0);
	return pidfd < 0 ? pidfd : shk_pidfd_getfd(pidfd, fd);
}

static int option(int sock, int name)
{
	int v = 0;
	socklen_t n = sizeof(v);

	return getsockopt(sock, SOL_SOCKET, name, &v, &n) < 0 ? 0 : v;
}

bool shk_fd_guess_server(const struct shk_fd_facts *f)
{
	return f->listening || (f->connected && f->lport < CLIENT_PORTS && f->rport >= CLIENT_PORTS);
}

static void ip_ends(int sock, struct shk_fd_facts *f, bool both)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	if (getsockname(sock, (struct sockaddr *)&sa, &n) == 0)
		shk_sockaddr_ip((struct shk_str){ (char *)&sa, n }, &f->local, &f->lport);
	n = sizeof(sa);
	if (both && getpeername(sock, (struct sockaddr *)&sa, &n) == 0)
		f->connected = shk_sockaddr_ip((struct shk_str){ (char *)&sa, n }, &f->remote,
					       &f->rport);
	/* An unbound socket of both families has no address that says more than its own. */
	f->type = f->family == AF_INET || f->remote.len == 4 ||
				  (f->local.len == 4 && f->family == AF_INET6) ?
			  '4' : '6';
	f->server = shk_fd_guess_server(f);
}

static void unix_ends(int sock, struct shk_arena *arena, struct shk_fd_facts *f)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	f->type = 'u';
	if (getsockname(sock, (struct sockaddr *)&sa, &n) == 0)
		shk_sockaddr_unix((struct shk_str){ (char *)&sa, n }, arena, &f->unix_path);
	n = sizeof(sa);
	if (getpeername(sock, (struct sockaddr *)&sa, &n) == 0) {
		f->connected = true;
		shk_sockaddr_unix((struct shk_str){ (char *)&sa, n }, arena, &f->peer_path);
	}
	if (!f->unix_path.p)
		f->unix_path = f->peer_path;
	/* Who has the name was there first. */
	f->server = f->listening || (f->connected && !f->peer_path.p);
}

void shk_fd_name_socket(struct shk_fd_facts *f, struct shk_arena *arena)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, 256);
	if (f->type == 'u') {
		f->name = f->unix_path.p ? f->unix_path : (struct shk_str){ "", 0 };
		return;
	}
	if (f->type != '4' && f->type != '6')
		return;
	if (f->connected && f->server)
		shk_ip_port_print(&f->remote, f->rport, &b);
	else if (f->local.len)
		shk_ip_port_print(&f->local, f->lport, &b);
	if (f->connected) {
		shk_buf_adds(&b, "->");
		shk_ip_port_print(f->server ? &f->local : &f->remote,
				  f->server ? f->lport : f->rport, &b);
	}
	f->name = shk_arena_str(arena, shk_buf_view(&b));
}

/* kind: its SO_DOMAIN, SO_TYPE and SO_PROTOCOL. */
static void look_at_socket(int sock, const int kind[3], struct shk_arena *arena, struct shk_fd_facts *f, bool whole)
{
	f->family = kind[0];
	f->sock_type = kind[1];
	f->proto = kind[2];
	f->listening = f->sock_type != SOCK_DGRAM && option(sock, SO_ACCEPTCONN) != 0;
	switch (f->family) {
	case AF_INET:
	case AF_INET6:
		ip_ends(sock, f, whole);
		break;
	case AF_UNIX:
		unix_ends(sock, arena, f);
		break;
	case AF_NETLINK:
		f->type = 'n';
		break;
	default:
		f->type = 'o';
		break;
	}
	if (whole)
		shk_fd_name_socket(f, arena);
}

static bool socket_facts(struct shk_proc *task, int fd, struct shk_arena *arena, struct shk_fd_facts *f)
{
	_cleanup_close_ int sock = duplicate(task->tid, shk_proc_pid(task), fd);
	struct stat st;

	if (sock < 0 || fstat(sock, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_ino != f->ino)
		return false;
	look_at_socket(sock, (const int[3]){ option(sock, SO_DOMAIN), option(sock, SO_TYPE), option(sock, SO_PROTOCOL) },
		       arena, f, true);
	return true;
}

/* What is judged is what the call will be carried out on, whatever has come under the number since. */
static bool held_facts(struct shk_eval_ctx *ctx, struct shk_fd_facts *f, bool whole)
{
	bool ip = ctx->held_socket[0] == AF_INET || ctx->held_socket[0] == AF_INET6;
	const char *name;
	struct statx sx;

	/* These are named by their ends, and no field tells more of one. */
	if (ip) {
		f->mode = S_IFSOCK;
		look_at_socket(ctx->held, ctx->held_socket, ctx->ev->arena, f, whole);
		return !whole || f->name.p;
	}
	if (statx(ctx->held, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx) < 0)
		return false;
	f->dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	f->ino = sx.stx_ino;
	f->mode = sx.stx_mode;
	/* As links of /proc show it. */
	name = shk_arena_printf(ctx->ev->arena, "socket:[%llu]", (unsigned long long)sx.stx_ino);
	if (!name)
		return false;
	f->name = shk_str(name);
	look_at_socket(ctx->held, ctx->held_socket, ctx->ev->arena, f, true);
	return true;
}

static bool facts(struct shk_eval_ctx *ctx, int fd, bool whole, struct shk_fd_facts *ret)
{
	struct shk_proc *task = fd < 0 ? NULL : shk_proc_task_of(ctx);
	struct shk_arena *arena = ctx->ev->arena;
	char what[32], path[64], buf[SHK_PATH_LIMIT];
	struct shk_str link;
	struct statx sx;
	ssize_t n;
	int held;

	*ret = (struct shk_fd_facts){ 0 };
	if (!task)
		return false;
	if (task->rec)
		return shk_recorded_fd(task, fd, arena, ret);
	if (fd <= STDERR_FILENO && task->c && task->c->proc_state)
		task->c->proc_state->streams_asked = task->c->proc_state->decision;
	held = ctx->held && fd == ctx->held_nr ? ctx->held : 0;
	if (held && ctx->held_socket[0]) {
		bool known = held_facts(ctx, ret, whole);

		ctx->ev->memory_failed |= !known;
		return known;
	}
	snprintf(what, sizeof(what), "fd/%d", held ? held : fd);
	snprintf(path, sizeof(path), "/proc/%d/%s", held ? (int)getpid() : (int)task->tid, what);
	n = shk_proc_readlink(held ? getpid() : task->tid, what, buf, sizeof(buf));
	if (n <= 0 || (size_t)n == sizeof(buf))
		return false;
	link = (struct shk_str){ buf, (size_t)n };
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx) < 0)
		return false;
	ret->dev = makedev(sx.stx_dev_major, sx.stx_dev_minor);
	ret->ino = sx.stx_ino;
	ret->mode = sx.stx_mode;
	if (S_ISSOCK(sx.stx_mode) && link.p[0] != '/') {
		ret->name = shk_arena_str(arena, link);
		if (ret->name.p && socket_facts(task, fd, arena, ret))
			return true;
		/* A socket nobody knows anything of must not pass for one that no rule is about. */
		ctx->ev->memory_failed = true;
		return false;
	}
	if (link.p[0] != '/') {
		ret->type = kind_of_link(link);
		ret->name = shk_arena_str(arena, link);
		return ret->name.p != NULL;
	}
	ret->deleted = sx.stx_nlink == 0;
	ret->type = ret->deleted && shk_str_starts(link, SHK_STR("/memfd:")) ?
			    'm' : kind_of_mode(sx.stx_mode);
	ret->path = shk_arena_str(arena, shk_inside(task->c, shk_undeleted(link, ret->deleted)));
	ret->name = ret->path;
	return ret->path.p != NULL;
}

bool shk_fd_facts(struct shk_eval_ctx *ctx, int fd, struct shk_fd_facts *ret)
{
	return facts(ctx, fd, true, ret);
}

bool shk_fd_facts_but_peer(struct shk_eval_ctx *ctx, int fd, struct shk_fd_facts *ret)
{
	return facts(ctx, fd, false, ret);
}

const char *shk_fd_l4proto(const struct shk_fd_facts *f)
{
	if (f->family != AF_INET && f->family != AF_INET6)
		return NULL;
	if (f->sock_type == SOCK_RAW)
		return "raw";
	switch (f->proto) {
	case IPPROTO_TCP:
	case IPPROTO_MPTCP: /* TCP on the wire, and to peers that do not know better */
		return "tcp";
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		return "udp";
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return "icmp";
	default:
		return NULL;
	}
}
