// SPDX-License-Identifier: Apache-2.0
#include "enforce/ancillary.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/socket.h>

#include "base/io.h"
#include "enforce/idmap.h"

#define NARROW_HEADER 12u /* struct compat_cmsghdr: three words of 32 bits */

/* As net/compat.c, cmsghdr_from_user_compat_to_kern, does it: each header grows, and so does what is between two. */
int shk_ancillary_widen(struct shk_arena *arena, char **control, size_t *n)
{
	size_t from = 0, to = 0, room = *n * 2 + CMSG_SPACE(0);
	char *out = shk_arena_alloc(arena, room);
	uint32_t h[3];

	if (!out)
		return ENOBUFS;
	while (*n - from >= NARROW_HEADER) {
		struct cmsghdr c;
		size_t data;

		memcpy(h, *control + from, sizeof(h));
		if (h[0] < NARROW_HEADER || h[0] > *n - from)
			return EINVAL;
		data = h[0] - NARROW_HEADER;
		if (to + CMSG_SPACE(data) > room)
			return EINVAL;
		c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(data), .cmsg_level = (int)h[1], .cmsg_type = (int)h[2] };
		memcpy(out + to, &c, sizeof(c));
		memcpy(out + to + sizeof(c), *control + from + NARROW_HEADER, data);
		to += CMSG_SPACE(data);
		from += SHK_MIN((h[0] + 3u) & ~3u, *n - from);
	}
	if (!to)
		return EINVAL;
	*control = out;
	*n = to;
	return 0;
}

static enum shk_pinned take_rights(struct shk_eval_ctx *ctx, struct shk_socket *s, struct shk_message *m, char *p,
				   size_t bytes)
{
	for (size_t i = 0; i < bytes / sizeof(int); i++) {
		int fd;

		if (m->n_rights == SHK_RIGHTS_MAX)
			return shk_socket_fails(s, EINVAL);
		memcpy(&fd, p + i * sizeof(fd), sizeof(fd));
		fd = shk_actor_take(ctx, &s->caller, fd, NULL);
		if (fd == -EOPNOTSUPP || fd == -EPERM || fd == -EREMOTE)
			return shk_socket_unable(s, "a descriptor in a message, which cannot be taken");
		if (fd < 0)
			return shk_socket_fails(s, -fd);
		m->rights[m->n_rights++] = fd;
		memcpy(p + i * sizeof(fd), &fd, sizeof(fd));
	}
	return SHK_PINNED_OBJECT;
}

static bool is_one(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == a || id == b || id == c;
}

/* As net/core/scm.c, scm_check_creds, asks; but another process than itself nobody may name. */
static enum shk_pinned take_ids(struct shk_eval_ctx *ctx, struct shk_socket *s, struct ucred *u)
{
	const struct shk_proc_creds *c = shk_proc_creds(shk_proc_task_of(ctx));

	if (!c)
		return shk_socket_fails(s, ESRCH);
	/* Who has no number there cannot be named (net/core/scm.c, __scm_send). */
	if (shk_caller_numbers_others(ctx) && (shk_id_of_task(s->caller.tid, "uid_map", &u->uid) < 0 ||
					       shk_id_of_task(s->caller.tid, "gid_map", &u->gid) < 0 ||
					       u->uid == UINT32_MAX || u->gid == UINT32_MAX))
		return shk_socket_fails(s, EINVAL);
	if (u->pid != s->caller.vpid ||
	    (!is_one(u->uid, c->ruid, c->uid, c->suid) && !(s->caller.own_effective & 1ull << CAP_SETUID)) ||
	    (!is_one(u->gid, c->rgid, c->gid, c->sgid) && !(s->caller.own_effective & 1ull << CAP_SETGID)))
		return shk_socket_fails(s, EPERM);
	u->pid = s->caller.tgid;
	return SHK_PINNED_OBJECT;
}

int shk_ancillary_may_pass(struct shk_actor *a)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} u = { .h = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char byte = 0;
	struct iovec v = { &byte, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &u, .msg_controllen = sizeof(u) };

	if (a->probe[0] < 0 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, a->probe) < 0) {
		a->probe[0] = a->probe[1] = -1;
		return -errno;
	}
	memcpy(CMSG_DATA(&u.h), &a->fds, sizeof(int));
	if (sendmsg(a->probe[0], &m, MSG_NOSIGNAL) < 0)
		return -errno;
	/* Without room for descriptors they are dropped. */
	return recv(a->probe[1], &byte, 1, 0) < 0 ? -errno : 0;
}

static void add_ids(struct shk_message *m, size_t at, const struct ucred *u)
{
	const struct cmsghdr h = { .cmsg_len = CMSG_LEN(sizeof(*u)), .cmsg_level = SOL_SOCKET,
				   .cmsg_type = SCM_CREDENTIALS };

	memset(m->control + at, 0, CMSG_SPACE(sizeof(*u)));
	memcpy(m->control + at, &h, sizeof(h));
	memcpy(m->control + at + sizeof(h), u, sizeof(*u));
	m->n_control = at + CMSG_SPACE(sizeof(*u));
	m->n_first = at;
	m->tells_ids = true;
}

enum shk_pinned shk_ancillary_take(struct shk_eval_ctx *ctx, struct shk_socket *s, struct shk_message *m)
{
	const struct shk_proc_creds *c = shk_proc_creds(shk_proc_task_of(ctx));
	enum shk_pinned r = SHK_PINNED_OBJECT;
	struct ucred ids = { 0 }, said;
	struct cmsghdr h;
	size_t at = 0;
	bool whole = true;

	m->n_control = m->n_first = 0;
	m->tells_ids = false;
	if (s->domain != AF_UNIX) {
		m->control = m->given;
		m->n_control = m->n_given; /* and n_first 0: all of it goes along with each part */
		return r;
	}
	if (!c)
		return shk_socket_fails(s, ESRCH);
	ids = (struct ucred){ s->caller.tgid, c->ruid, c->rgid };
	m->control = shk_arena_alloc(ctx->ev->arena, m->n_given + CMSG_SPACE(0) + CMSG_SPACE(sizeof(ids)));
	m->rights = m->n_given ? SHK_ARENA_ARRAY(ctx->ev->arena, int, SHK_RIGHTS_MAX) : NULL;
	if (!m->control || (m->n_given && !m->rights))
		return shk_socket_fails(s, ENOBUFS);
	if (m->n_given)
		memcpy(m->control, m->given, m->n_given);
	/* What is no header the kernel refuses when it comes to it: nothing behind it counts. */
	while (whole && m->n_given - at >= sizeof(h) && r == SHK_PINNED_OBJECT) {
		char *data = m->control + at + sizeof(h);
		size_t n;

		memcpy(&h, m->control + at, sizeof(h));
		whole = h.cmsg_len >= sizeof(h) && h.cmsg_len <= m->n_given - at;
		if (!whole)
			break;
		n = h.cmsg_len - sizeof(h);
		if (h.cmsg_level == SOL_SOCKET && h.cmsg_type == SCM_RIGHTS) {
			r = take_rights(ctx, s, m, data, n);
		} else if (h.cmsg_level == SOL_SOCKET && h.cmsg_type == SCM_CREDENTIALS && n == sizeof(said)) {
			memcpy(&said, data, sizeof(said));
			r = take_ids(ctx, s, &said);
			memcpy(data, &said, sizeof(said));
			ids = said;
			m->tells_ids = true;
		}
		at += SHK_MIN(CMSG_ALIGN(h.cmsg_len), m->n_given - at);
	}
	m->odd = !whole;
	m->n_control = m->n_first = whole ? at : m->n_given;
	if (shk_rights_are_users()) {
		/* It may name nobody but itself. */
		return r == SHK_PINNED_OBJECT && m->tells_ids ? shk_socket_unable(s, "ids in a message, which a user's supervisor cannot give") : r;
	}
	if (r == SHK_PINNED_OBJECT && whole)
		add_ids(m, CMSG_ALIGN(at), &ids);
	return r;
}
