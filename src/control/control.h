/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - the control protocol: framing, client, peer facts.
 *
 * JSON objects, one per line, over a Unix stream socket (docs/CONTROL.md). A request is
 * {"v":1,"op":"...", ...}; descriptors ride on its first byte (SCM_RIGHTS). Answers: zero or more
 * {"more":...} lines, then one {"ok":true,...} or {"ok":false,"error":"...","errno":N}. Sizes
 * are limited on both sides. A connection belongs to one thread.
 */
#ifndef SHK_CONTROL_CONTROL_H
#define SHK_CONTROL_CONTROL_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/io.h"

struct json_object;

#define SHK_CONTROL_VERSION	1
#define SHK_CONTROL_REQUEST_MAX (1u << 20)
#define SHK_CONTROL_ANSWER_MAX	(4u << 20) /* one line */
#define SHK_CONTROL_CONNECT_MS	5000
#define SHK_CONTROL_SOCKET	"/run/shrike/control.sock"
#define SHK_NOTIFY_SOCKET	"/run/shrike/notify.sock"
/* The same of a user's own shriked, in SHK_PLACE_RUNTIME (places.h). */
#define SHK_CONTROL_NAME	"control.sock"
#define SHK_NOTIFY_NAME		"notify.sock"

/* ---- client: blocking, used by hook, wrapper, CLI ---- */
struct shk_client;
/* path NULL: $SHRIKE_SOCKET, else, if the caller is not root, that of the user's own shriked if it is there, else
 * SHK_CONTROL_SOCKET. Waits at most SHK_CONTROL_CONNECT_MS for a
 * server whose backlog is full. -ENOENT, -ECONNREFUSED, -ETIMEDOUT: nobody serves it now. */
int shk_client_connect(const char *path, struct shk_client **ret, struct shk_err *err);
void shk_client_free(struct shk_client *c);
SHK_DEFINE_CLEANUP(struct shk_client, shk_client_free)
/* The connection, for shutdown(2) from a signal handler alone. */
int shk_client_fd(const struct shk_client *c);
/* Sends request (v is added; not consumed) with fds, then reads answers. on_more (may be NULL) gets each
 * {"more":...} object (borrowed); returning non-zero stops. The final answer is returned in *ret (owner:
 * caller, may be NULL pointer) when ok; an {"ok":false} answer becomes err. timeout_ms < 0:
 * none; it bounds the wait for each line (-ETIMEDOUT). -ECONNRESET, -EPIPE: the server went away, connect anew.
 * -EPROTO: it speaks another version. Never raises SIGPIPE. */
int shk_client_call(struct shk_client *c, struct json_object *request, const int *fds, size_t nfds,
		    int (*on_more)(struct json_object *more, void *arg), void *arg, int timeout_ms,
		    struct json_object **ret, struct shk_err *err);

/* ---- server side framing ---- */
struct shk_conn {
	int fd;			/* owned, non-blocking */
	struct shk_buf in;	/* partial request line */
	struct shk_buf out;	/* unsent answers */
	size_t out_done;
	int fds[SHK_MAX_FDS];	/* received, owned */
	size_t nfds;
	bool eof;
	bool given;		/* fds belong to a request already returned */
};
void shk_conn_init(struct shk_conn *c, int fd);
void shk_conn_done(struct shk_conn *c);
/* Reads what is there. Returns 1 and *ret when a whole request arrived (owner: caller), 0 for not yet, -ECONNRESET
 * at end of stream, -EMSGSIZE, -EBADMSG (err says why, connection is to be answered and closed),
 * -EPROTO: version not SHK_CONTROL_VERSION. The request's descriptors are in fds[0..nfds) until the
 * next shk_conn_read: take them (TAKE_FD), the rest is closed then. Call again until it returns 0: a
 * second request may be waiting in the buffer where epoll does not see it. */
int shk_conn_read(struct shk_conn *c, struct json_object **ret, struct shk_err *err);
/* Queues one line (object is borrowed) and tries to send. -ENOBUFS past SHK_CONTROL_ANSWER_MAX unsent. */
int shk_conn_send(struct shk_conn *c, struct json_object *line);
int shk_conn_ok(struct shk_conn *c, struct json_object *extra /* consumed, may be NULL */);
int shk_conn_fail(struct shk_conn *c, const struct shk_err *err);
/* Sends what is queued; 0 done, 1 more to send (wait for EPOLLOUT), -errno. */
int shk_conn_flush(struct shk_conn *c);

/* ---- peers ---- */
struct shk_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	int pidfd;		/* SO_PEERPIDFD, else pidfd_open checked against the credentials; owned */
	bool same_pidns, same_userns, same_mntns; /* as this process; false when it cannot be told */
	ino_t mntns;		/* inode of the peer's mount namespace */
};
/* -EPERM: the peer's pid is not visible from here; -ESRCH: it ended. */
int shk_peer_get(int sock, struct shk_peer *p, struct shk_err *err);
void shk_peer_done(struct shk_peer *p);

/* ---- JSON ---- */
/* Parses exactly one object of at most max bytes; depth is bounded. NULL with err: "offset N: text". */
struct json_object *shk_json_parse(struct shk_str text, size_t max, struct shk_err *err);
/* Object member of an object; NULL when absent or something else. Borrowed. */
struct json_object *shk_json_object(struct json_object *o, const char *key);
struct json_object *shk_json_array(struct json_object *o, const char *key);
/* Member as string; p NULL when absent or no string. */
struct shk_str shk_json_str(struct json_object *o, const char *key);
int64_t shk_json_int(struct json_object *o, const char *key, int64_t otherwise);

/* ---- what engines note (control/noted.c) ---- */
/* {"name":...,"image":...} (either may be absent) of a container of podman or docker, from the engine's own files,
 * which its bundle or config.json lead to. NULL: nothing is known. Read with the caller's rights; only
 * files of root or of the caller count. */
struct json_object *shk_engine_noted(struct shk_str bundle, struct shk_str id,
				     struct json_object *config);

#endif
