// SPDX-License-Identifier: Apache-2.0
/*
 * recorded_open.c - descriptors that calls give, from their arguments.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "state/recorded_impl.h"

static void set(struct shk_recorded *r, struct shk_rec_task *t, int64_t fd, const struct shk_fd_facts *f,
		bool cloexec)
{
	if (fd <= INT32_MAX)
		(void)shk_rec_fd_set(r, t, (int)fd, f, cloexec);
}

static void opened(struct shk_recorded *r, struct shk_eval_ctx *ctx, struct shk_rec_task *t)
{
	struct shk_event *ev = ctx->ev;
	struct shk_fd_facts f = { .type = 'f', .dev = (dev_t)ev->obj_dev, .ino = (ino_t)ev->obj_ino };
	int i = shk_event_path_arg(ev);
	uint64_t flags = 0, mode;

	if (shk_event_open_flags(ev, &flags, &mode) && (flags & O_TMPFILE) != O_TMPFILE &&
	    flags & O_DIRECTORY)
		f.type = 'd';
	if (i >= 0 && !shk_event_abs_path(ctx, (unsigned)i, &f.path)) {
		const struct shk_arg *a = shk_event_arg(ev, (unsigned)i);

		f.path = a->state == SHK_ARG_OK ? a->bytes : (struct shk_str){ NULL, 0 };
	}
	f.name = f.path;
	set(r, t, ev->ret, &f, flags & O_CLOEXEC);
}

static void made_socket(struct shk_recorded *r, const struct shk_event *ev, struct shk_rec_task *t)
{
	int type = (int)ev->raw[1];
	struct shk_fd_facts f = {
		.family = (int)ev->raw[0],
		.sock_type = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC),
		.proto = (int)ev->raw[2],
		.name = { "", 0 },
	};

	f.type = f.family == AF_INET ? '4' : f.family == AF_INET6 ? '6' : f.family == AF_UNIX ? 'u' :
		 f.family == AF_NETLINK ? 'n' : 'o';
	if (!f.proto && (f.type == '4' || f.type == '6'))
		f.proto = f.sock_type == SOCK_STREAM ? IPPROTO_TCP : f.sock_type == SOCK_DGRAM ?
			  IPPROTO_UDP : 0;
	set(r, t, ev->ret, &f, type & SOCK_CLOEXEC);
}

/* Who is at the other end is in memory that the line does not have. */
static void accepted(struct shk_recorded *r, const struct shk_event *ev, struct shk_rec_task *t)
{
	const struct shk_rec_fd *d = shk_rec_fd_get(t, (int)ev->raw[0]);
	struct shk_fd_facts f = d ? d->facts : (struct shk_fd_facts){ .type = 'o', .name = { "", 0 } };

	f.listening = false;
	f.connected = f.server = true;
	set(r, t, ev->ret, &f, ev->call->id == SHK_CALL_accept4 && ev->raw[3] & SOCK_CLOEXEC);
}

static void duplicated(struct shk_recorded *r, const struct shk_event *ev, struct shk_rec_task *t)
{
	const struct shk_rec_fd *d = shk_rec_fd_get(t, (int)ev->raw[0]);
	bool cloexec = ev->call->id == SHK_CALL_dup3 ? ev->raw[2] & O_CLOEXEC :
		       (ev->call->id == SHK_CALL_fcntl || ev->call->id == SHK_CALL_fcntl64) &&
			       (int)ev->raw[1] == F_DUPFD_CLOEXEC;

	if (ev->ret == (int)ev->raw[0])
		return;
	if (d)
		set(r, t, ev->ret, &d->facts, cloexec);
	else if (ev->ret <= INT32_MAX)
		shk_rec_fd_close(r, t, (int)ev->ret); /* whatever was there is gone */
}

static void other(struct shk_recorded *r, const struct shk_event *ev, struct shk_rec_task *t, char type,
		  bool cloexec)
{
	set(r, t, ev->ret, &(struct shk_fd_facts){ .type = type, .name = { "", 0 } }, cloexec);
}

void shk_rec_made_fd(struct shk_recorded *r, struct shk_eval_ctx *ctx, struct shk_rec_task *t)
{
	struct shk_event *ev = ctx->ev;

	switch (ev->call->id) {
	case SHK_CALL_open:
	case SHK_CALL_openat:
	case SHK_CALL_openat2:
	case SHK_CALL_creat:
	case SHK_CALL_open_by_handle_at:
		opened(r, ctx, t);
		break;
	case SHK_CALL_socket:
		made_socket(r, ev, t);
		break;
	case SHK_CALL_accept:
	case SHK_CALL_accept4:
		accepted(r, ev, t);
		break;
	case SHK_CALL_dup:
	case SHK_CALL_dup2:
	case SHK_CALL_dup3:
		duplicated(r, ev, t);
		break;
	case SHK_CALL_fcntl:
	case SHK_CALL_fcntl64:
		if ((int)ev->raw[1] == F_DUPFD || (int)ev->raw[1] == F_DUPFD_CLOEXEC)
			duplicated(r, ev, t);
		break;
	case SHK_CALL_eventfd:
		other(r, ev, t, 'e', false);
		break;
	case SHK_CALL_eventfd2:
		other(r, ev, t, 'e', ev->raw[1] & O_CLOEXEC);
		break;
	case SHK_CALL_signalfd:
	case SHK_CALL_signalfd4:
		/* With a descriptor given that one is changed. */
		if ((int)ev->raw[0] < 0)
			other(r, ev, t, 's', ev->call->id == SHK_CALL_signalfd4 && ev->raw[3] & O_CLOEXEC);
		break;
	case SHK_CALL_epoll_create:
		other(r, ev, t, 'l', false);
		break;
	case SHK_CALL_epoll_create1:
		other(r, ev, t, 'l', ev->raw[0] & O_CLOEXEC);
		break;
	case SHK_CALL_inotify_init:
		other(r, ev, t, 'i', false);
		break;
	case SHK_CALL_inotify_init1:
		other(r, ev, t, 'i', ev->raw[0] & O_CLOEXEC);
		break;
	case SHK_CALL_timerfd_create:
		other(r, ev, t, 't', ev->raw[1] & O_CLOEXEC);
		break;
	case SHK_CALL_memfd_create:
		other(r, ev, t, 'm', ev->raw[1] & 1); /* MFD_CLOEXEC */
		break;
	case SHK_CALL_io_uring_setup:
		other(r, ev, t, 'r', true);
		break;
	case SHK_CALL_pidfd_open:
		other(r, ev, t, 'P', true);
		break;
	case SHK_CALL_bpf:
		/* Most commands give none. */
		if (ev->ret > 2)
			other(r, ev, t, 'b', true);
		break;
	case SHK_CALL_userfaultfd:
		other(r, ev, t, 'u', ev->raw[0] & O_CLOEXEC);
		break;
	default:
		if (ev->call->returns_fd)
			other(r, ev, t, 'o', false);
		break;
	}
}
