/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sends.h - sendto and sendmsg, carried out for the caller on its own socket.
 *
 * What is sent is copied once, before the container is locked: a page that never comes holds up one worker. The socket
 * is taken and the address held as for connect (sockets.h); descriptors among the ancillary data are taken out of the
 * caller's table, its ids there are compared with what it is. A message is sent whole or not at all; a stream's data, of which a window
 * is copied at a time, may end early as it does without us.
 *
 * Each object belongs to one thread, and its memory to the event's arena.
 */
#ifndef SHK_ENFORCE_SENDS_H
#define SHK_ENFORCE_SENDS_H

#include "enforce/sockets.h"

/* Of one call: a message that is longer is refused as too long, a stream's bytes go in windows. */
#define SHK_MESSAGE_MAX	 (256u << 10)
#define SHK_CONTROL_MAX	 (64u << 10)
#define SHK_RIGHTS_MAX	 253 /* include/net/scm.h, SCM_MAX_FD */

struct shk_message_part { /* of the caller's memory */
	uint64_t addr, len;
};

struct shk_message {
	bool read;
	int err;	     /* > 0: it fails with this once its descriptor was looked at */
	bool named;	     /* an address was given */
	unsigned flags;
	struct shk_event *ev; /* whose memory it is; as long as the call is being judged */
	struct shk_message_part *part;
	size_t n_parts;
	uint64_t total, sent;
	char *data;	     /* a copy of the bytes from `at` on */
	size_t n, room;
	uint64_t at;
	bool faulted;	     /* behind these nothing can be read */
	char *given;	     /* ancillary data, in the layout of this machine */
	size_t n_given;
	char *control;	     /* the same for us, and who sends it */
	size_t n_control, n_first; /* with what goes along with the first byte alone */
	int *rights;	     /* descriptors in it, owned */
	unsigned n_rights;
	bool odd;	     /* its headers end the wrong way */
	bool tells_ids;	     /* control says who sends it, which takes rights of ours */
};

bool shk_send_knows(enum shk_call_id id);
/* Reads what the call sends. Before the container is locked, on a worker; may hang in the caller's memory. */
void shk_send_read(struct shk_event *ev, struct shk_message *m);
/* Holding the container's lock; as shk_socket_pin. Again after shk_send_done. */
enum shk_pinned shk_send_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_socket *s, struct shk_message *m);
/* Would the call wait, where shk_send_do says EAGAIN? */
bool shk_send_waits(const struct shk_socket *s, const struct shk_message *m);
/* Bytes sent, or -errno. until: waits, and of a stream no longer than that (CLOCK_MONOTONIC ns); 0: does not wait. After
 * -EAGAIN of one that does not wait it may be called again, to wait. A signal ends the wait. */
ssize_t shk_send_do(struct shk_actor *a, struct shk_socket *s, struct shk_message *m, uint64_t until);
/* Is the caller to be sent SIGPIPE for this result? */
bool shk_send_breaks(const struct shk_socket *s, const struct shk_message *m, ssize_t result);
void shk_send_done(struct shk_message *m);

#endif
