/* SPDX-License-Identifier: Apache-2.0 */
/* sockets.h - what calls on sockets share: the caller's socket is CLIENT, the other side SERVER, both of the same process. */
#ifndef NATIVE_SOCKETS_H
#define NATIVE_SOCKETS_H

#include <sys/socket.h>
#include <sys/stat.h>

#include "native.h"

#define SERVER 40
#define CLIENT 41
#define OTHER  42 /* no socket, or none any more */

enum what { CONNECT, BIND, SEND };
enum before { FRESH, BOUND, CONNECTED, LISTENING };
enum target { BY_PATH, ABSTRACT, ABSTRACT_FREE, UNNAMED, NO_NAME, INET, INET6, NETLINK, UNSPEC, ODD };
enum server { NONE, SAME_TYPE, OTHER_TYPE, FULL };

struct socket_type {
	const char *name;
	int domain, type, protocol;
};
extern const struct socket_type types[];

struct socket_case {
	enum what call;
	bool binds;
	unsigned type;
	enum before before;
	enum target target;
	enum server server;
	enum place place;
	bool nonblock, reuse;
	long fd;
	unsigned char addr[160];
	unsigned len;  /* of what is in addr */
	unsigned said; /* the length given */
	enum { THERE, PAGE_END, CUT, NOWHERE } memory;
	unsigned port; /* the first of four */
	mode_t mode;   /* of the server's file */
	uid_t uid;
};
extern struct socket_case c;

void sockets_up(void);
void sockets_make(struct kase *k, enum what call);
void sockets_prepare(struct kase *k);
/* What an address is, and which a socket has. */
void say_names(int fd, char *out, size_t n);

#endif
