// SPDX-License-Identifier: Apache-2.0
/*
 * One call of a task with rights in a user namespace of its own: become it, and do what a thread of the engine would.
 */
#include <errno.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/deputy_wire.h"

static int walk(struct shk_actor *a, struct shk_deputy_wire *q, const int *fd, uid_t uid, struct shk_pin *ret)
{
	struct shk_walk_from *from = &q->from;

	shk_actor_adopt(a, from);
	shk_actor_acts(a);
	from->root_fd = fd[SHK_DFD_ROOT];
	from->base_fd = q->has_a ? fd[SHK_DFD_A] : -1;
	from->in_users = true;
	from->fsuid = uid;
	return shk_walk_pin(from, (struct shk_str){ q->text, q->n_text }, ret);
}

static int do_open(struct shk_actor *a, struct shk_deputy_wire *q, const int *fd, uid_t uid)
{
	struct shk_open *o = &q->open;

	o->pin.fd = fd[SHK_DFD_A];
	o->pin.dir = q->has_b ? fd[SHK_DFD_B] : -1;
	o->base = o->early = -1;
	o->from.in_users = true;
	o->caller.fsuid = uid;
	return shk_open_do(a, o);
}

static int do_paths(struct shk_actor *a, struct shk_deputy_wire *q, const int *fd, uid_t uid)
{
	struct shk_paths *p = &q->paths;

	p->held[0].pin.fd = fd[SHK_DFD_A];
	p->held[1].pin.fd = q->has_b ? fd[SHK_DFD_B] : -1;
	p->target = q->text;
	p->caller.fsuid = uid;
	return shk_paths_do(a, p);
}

static int do_socket(struct shk_actor *a, struct shk_deputy_wire *q, const int *fd)
{
	struct shk_socket *s = &q->socket;

	s->fd = fd[SHK_DFD_A];
	s->pin.fd = q->has_b ? fd[SHK_DFD_B] : -1;
	return shk_socket_do(a, s);
}

static int carry_out(struct shk_deputy_wire *q, const int *fd, struct shk_pin *pin)
{
	/* Before it is somebody else: it opens our /proc/self/fd. */
	struct shk_actor *a = shk_actor_new();
	uid_t uid;
	int r;

	if (!a)
		return -ENOMEM;
	shk_rights_fix(a->rights);
	r = shk_become(&q->who, fd[SHK_DFD_NS], -1);
	if (r < 0)
		return r;
	umask(q->umask);
	/* Files tell their owners by the numbers of this namespace from here on. */
	uid = (uid_t)setfsuid((uid_t)-1);
	q->text[SHK_MIN(q->n_text, sizeof(q->text) - 1)] = 0;
	switch ((enum shk_deputy_op)q->op) {
	case SHK_DEPUTY_WALK:
		return q->n_text < sizeof(q->text) ? walk(a, q, fd, uid, pin) : -ENAMETOOLONG;
	case SHK_DEPUTY_OPEN:
		return do_open(a, q, fd, uid);
	case SHK_DEPUTY_PATHS:
		return do_paths(a, q, fd, uid);
	case SHK_DEPUTY_SOCKET:
		return do_socket(a, q, fd);
	}
	return -EINVAL;
}

void shk_deputy_child(struct shk_deputy_wire *q, int *fd)
{
	struct shk_deputy_reply reply = { .pin = { .fd = -1, .dir = -1 } };
	int out[2], reply_fd = fd[SHK_DFD_REPLY];
	size_t n = 0;

	reply.r = carry_out(q, fd, &reply.pin);
	if (reply.r >= 0 && q->op == SHK_DEPUTY_OPEN)
		out[n++] = reply.r;
	if (reply.r >= 0 && q->op == SHK_DEPUTY_WALK) {
		out[n++] = reply.pin.fd;
		if (reply.pin.dir >= 0)
			out[n++] = reply.pin.dir;
	}
	/* What is held here goes with the process, and the engine waits for its end: it makes a mount busy. */
	_exit(shk_send_fds(reply_fd, &reply, sizeof(reply), out, n) != sizeof(reply));
}
