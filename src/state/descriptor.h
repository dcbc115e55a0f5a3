/* SPDX-License-Identifier: Apache-2.0 */
/*
 * descriptor.h - what a descriptor of the event's task is.
 *
 * Looked up per thread (a task may have a table of its own: THREATS A9) at the time of asking, never
 * cached between events: descriptors change hands without a call that is watched. Sockets are
 * duplicated (pidfd_getfd), asked, and closed at once; the duplicate is believed only if it is the
 * socket that /proc/TID/fd shows. Results live in the event's arena. Asking a socket for its addresses
 * takes its lock, which another task may hold while it waits for a page of its own: workers only
 * (THREATS B1).
 */
#ifndef SHK_STATE_DESCRIPTOR_H
#define SHK_STATE_DESCRIPTOR_H

#include <netinet/in.h>

#include "fields/fields.h"

struct shk_fd_facts {
	/* As fd.typechar: f file, d directory, 4 6 u n sockets, p pipe, e eventfd, s signalfd,
	 * l epoll, i inotify, t timerfd, b bpf, r io_uring, m memfd, P pidfd, o another kind. */
	char type;
	/* As fd.name: path inside the container; "client->server" of a connected socket, one end of
	 * another; path of a Unix socket; link text of what has no path. */
	struct shk_str name;
	struct shk_str path;  /* files, directories, pipes by name; else p NULL */
	bool deleted;	      /* the file has no name any more */
	dev_t dev;	      /* of the open file; 0/0 when unknown */
	ino_t ino;
	uint32_t mode;	      /* st_mode */
	bool layer_known, upper; /* of a recorded file: is it in the upper layer? Live: shk_fd_upper */
	/* sockets; family 0: no socket, or unknown */
	int family;	      /* AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, ... */
	int sock_type;	      /* SOCK_STREAM, ... */
	int proto;	      /* IPPROTO_TCP, ... */
	bool connected;	      /* has a peer */
	bool listening;
	bool server;	      /* local end is the server's: it listens, or (a guess) only the peer's
			       * port is from the range given to clients */
	struct shk_ip local, remote;
	uint16_t lport, rport;
	struct shk_str unix_path;  /* own path, or the peer's when unnamed; '@' first when abstract */
	struct shk_str peer_path;
};

/* Facts of descriptor fd of the event's task. false: no such descriptor, task gone, or the answers
 * contradict each other (the table changed meanwhile). */
bool shk_fd_facts(struct shk_eval_ctx *ctx, int fd, struct shk_fd_facts *ret);
/* The same for who knows its peer, and so its name, otherwise: both may be missing of a socket of IP that is held already. */
bool shk_fd_facts_but_peer(struct shk_eval_ctx *ctx, int fd, struct shk_fd_facts *ret);

/* Falco's word for a layer 4 protocol: "tcp", "udp", "icmp", "raw"; NULL: no socket of that kind. */
const char *shk_fd_l4proto(const struct shk_fd_facts *f);

/* Address and port of a sockaddr as bytes. false: no IP address, or too short. */
bool shk_sockaddr_ip(struct shk_str sa, struct shk_ip *ret_ip, uint16_t *ret_port);
/* Path of a sockaddr_un ('@' first when abstract). false: another family, or unnamed. */
bool shk_sockaddr_unix(struct shk_str sa, struct shk_arena *arena, struct shk_str *ret);
/* "1.2.3.4", "::1"; the length. len 0: nothing. */
size_t shk_ip_text(const struct shk_ip *ip, char text[INET6_ADDRSTRLEN]);
/* "1.2.3.4:80", "::1:80": Falco's text of one end. */
void shk_ip_port_print(const struct shk_ip *ip, uint16_t port, struct shk_buf *out);

#endif
