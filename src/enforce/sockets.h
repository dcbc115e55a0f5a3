/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets.h - connect and bind, carried out for the caller on its own socket; and what sends.h shares with them.
 *
 * The socket is taken out of the caller's table once and used under that descriptor: another one put under the number
 * later is not touched. The address is the copy that was judged. A socket keeps the network namespace it was made in,
 * so the thread's does not matter. What a Unix socket's path leads to is held as a file is by open.h.
 */
#ifndef SHK_ENFORCE_SOCKETS_H
#define SHK_ENFORCE_SOCKETS_H

#include <sys/socket.h>

#include "enforce/actor.h"
#include "enforce/open.h"

struct shk_socket {
	struct shk_caller caller;
	bool binds;
	int fd;			/* the caller's socket, owned; -1: none */
	int domain, type, proto; /* 0 each: no socket */
	struct sockaddr_storage addr;
	socklen_t len;
	bool by_path;		/* AF_UNIX, with a name in the file system: */
	int base;		/* owned, -1: none */
	struct shk_walk_from from;
	struct shk_pin pin;	/* connect: the socket's file; bind: the directory of its last name */
	char last[NAME_MAX + 1];
	struct shk_str name;	/* in the event's arena, p NULL: none */
	int err;		/* SHK_PINNED_ERROR: > 0 */
	const char *why;	/* SHK_PINNED_UNABLE */
	bool again;		/* its effect may be there already */
};

bool shk_socket_knows(enum shk_call_id id);
/* Holding the container's lock. */
enum shk_pinned shk_socket_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_socket *s);
/* May it wait for the other side? */
bool shk_socket_may_wait(const struct shk_socket *s);
/* Could the call change the socket: it has no name yet, or no partner? */
bool shk_socket_effect(const struct shk_socket *s);
/* Is it the same to make the call twice? Datagram sockets of IP are connected anew each time. */
bool shk_socket_repeats(const struct shk_socket *s);
/* 0 or -errno. */
int shk_socket_do(struct shk_actor *a, struct shk_socket *s);
void shk_socket_done(struct shk_socket *s);

/* For sends.h. Clears *s but `again` and takes the caller's descriptor; err, why as after shk_socket_pin. */
enum shk_pinned shk_socket_take(struct shk_eval_ctx *ctx, struct shk_socket *s);
/* What the path of an address of the Unix family in s->addr leads to; nothing, if it has none. */
enum shk_pinned shk_socket_hold(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_socket *s);
/* A netlink socket without a number gets its caller's, before it would get ours. */
void shk_socket_name_netlink(const struct shk_socket *s);

/* Why a call on it is not carried out: it fails by itself, or nobody can act on it. */
static inline enum shk_pinned shk_socket_fails(struct shk_socket *s, int err)
{
	s->err = err;
	return SHK_PINNED_ERROR;
}

static inline enum shk_pinned shk_socket_unable(struct shk_socket *s, const char *why)
{
	s->why = why;
	return SHK_PINNED_UNABLE;
}

#endif
