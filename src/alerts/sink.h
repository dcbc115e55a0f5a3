/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.h - what the writer thread and the sinks agree on (internal to this folder).
 *
 * The writer reads the journal's ring and offers each record to every sink's own queue, which is
 * bounded in bytes; it then moves each sink on by as much as goes without waiting. A record is text until a
 * sink needs it parsed: ten times as many fit. A kind of sink is one struct shk_sink_ops. Everything here
 * belongs to the writer thread but for the counters.
 */
#ifndef SHK_ALERTS_SINK_H
#define SHK_ALERTS_SINK_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "alerts/alert.h"

/* One record on its way, shared by the sinks that still need it. */
struct shk_line {
	TAILQ_ENTRY(shk_line) link; /* in the writer's list while the ring still holds it, or in owing */
	struct shk_owing *owing;    /* not NULL: the ring has it no more */
	unsigned refs;		    /* queues (or sinks busy with it), and the writer's list */
	unsigned needed;	    /* sinks that have neither sent nor dropped it */
	uint64_t cookie;	    /* of the journal */
	unsigned rank;		    /* 0: alert of a verdict; else 1 + priority: high ranks go first */
	enum shk_priority priority;
	struct shk_str json;	    /* as it was in the ring; owned */
};
TAILQ_HEAD(shk_line_list, shk_line);
/* Lines that left the ring and that some sink needs still, oldest first. */
struct shk_owing {
	struct shk_line_list lines;
	uint64_t n;
};
void shk_line_unref(struct shk_line *l);
/* One sink less needs it. */
void shk_line_done(struct shk_line *l);
/* Its record, the caller's; NULL: no memory, or no record. */
struct json_object *shk_line_parse(const struct shk_line *l);

/* ---- queue: queue.c ---- */
#define SHK_RANKS	 9
#define SHK_QUEUE_BYTES	 (16u << 20) /* of one sink; lines are shared, so equal queues take it once */
#define SHK_LINE_COST	 256	     /* what a line takes beside its text, at most */

struct shk_queue_node {
	TAILQ_ENTRY(shk_queue_node) all, same; /* by age; by age within the rank */
	struct shk_line *line;
};
TAILQ_HEAD(shk_queue_list, shk_queue_node);
struct shk_queue {
	struct shk_queue_list all, rank[SHK_RANKS];
	size_t n, bytes; /* bytes: with SHK_LINE_COST each */
	size_t max_bytes;
};
void shk_queue_init(struct shk_queue *q, size_t max_bytes);
/* Takes a reference of its own. Returns how many lines were dropped for want of room: the oldest of
 * the highest rank present, which may be this one. */
unsigned shk_queue_push(struct shk_queue *q, struct shk_line *l);
/* The oldest; the caller gets the queue's reference. NULL: empty. */
struct shk_line *shk_queue_pop(struct shk_queue *q);
void shk_queue_done(struct shk_queue *q);
/* Puts a line back in front of all others, with the caller's reference. -ENOMEM. */
int shk_queue_unpop(struct shk_queue *q, struct shk_line *l);

/* ---- select.c ---- */
/* Is this output for the record? */
bool shk_sink_wants(const struct shk_sink_config *cfg, struct json_object *record);
#define SHK_ASIDE_RULE "alert set aside" /* an internal alert that its own output does not get */

/* ---- sinks ---- */
struct shk_sink;

struct shk_sink_ops {
	const char *name;
	/* Opens s->fd. 0 or -errno (tried again later); err says why. */
	int (*open)(struct shk_sink *s, struct shk_err *err);
	/* Appends to s->out what goes out for this line. 0 or -errno (the line is dropped). */
	int (*shape)(struct shk_sink *s, struct shk_line *l);
	/* Sends s->out from s->off on. 0: all of it. -EAGAIN: wait until s->fd takes more, or, when the
	 * sink set s->retry_at, until then. -EBADMSG: this line can never be sent. Else -errno: the sink
	 * is closed, and opened again at s->retry_at. */
	int (*send)(struct shk_sink *s);
	/* Once per round; may be NULL. Looks after what lives beside the descriptor. */
	void (*tick)(struct shk_sink *s, uint64_t now);
	/* Closes s->fd; last: the writer ends, so wait for what lives beside it, to the point in time
	 * `until`. */
	void (*close)(struct shk_sink *s, bool last, uint64_t until);
	bool reopens;	/* SIGHUP: close and open again */
	bool watch;	/* s->fd is watched for hang-up even when nothing waits to be sent */
	bool acks;	/* a line that was sent is done when shk_sink_acked says so; s->fd is read by tick */
};
extern const struct shk_sink_ops shk_sink_stdout, shk_sink_file, shk_sink_syslog, shk_sink_program,
	shk_sink_gateway;

/* Lines that may be sent and not acknowledged. */
#define SHK_WINDOW_LINES 1024
#define SHK_WINDOW_BYTES (1u << 20)

struct shk_sink {
	const struct shk_sink_ops *ops;
	struct shk_sink_config cfg; /* own copies of the strings */
	char *name;		    /* "file:/var/log/..." */
	int fd;			    /* -1: closed */
	struct shk_queue queue;
	struct shk_line *cur;	    /* being sent */
	struct shk_buf out;	    /* cur in this sink's shape */
	size_t off;		    /* bytes of out already sent */
	bool waiting;		    /* for s->fd to take more */
	uint64_t retry_at;	    /* monotonic; 0: now */
	uint64_t opened_at;
	unsigned backoff_s;	    /* SHK_SINK_PROGRAM */
	uint64_t unreported;	    /* dropped, not yet in an internal alert */
	uint64_t sent_at_drop;	    /* value of `sent` when the last one was dropped */
	uint64_t reported_at;

	bool regular, socket, may_block; /* what s->fd is: stream.c */
	pid_t pid;		    /* SHK_SINK_PROGRAM: 0: none */
	uint64_t kill_at;	    /* its group gets SIGKILL then; 0: not asked to end */
	size_t max_message;	    /* SHK_SINK_SYSLOG: what the socket was found to take */

	/* SHK_SINK_GATEWAY */
	atomic_int offered;	    /* the connection to use next, -1: none */
	struct shk_queue_list on_way; /* sent, not acknowledged */
	size_t on_way_n, on_way_bytes;
	bool full;		    /* the window is: an acknowledgement goes on */
	uint64_t boot;
	struct shk_buf in;
	char *notes[16];	    /* alerts that the gateway asks for */
	size_t n_notes;
	bool greeted;		    /* it said so on this connection */
	uint64_t gateway;	    /* which one it is; 0: none yet */
	uint64_t may_lose;	    /* alerts that gateways took over and that were not told as gone: no more can go */
	uint64_t at_risk, gone;	    /* it would take with it; went with those before, and that is not told yet */
	uint64_t gone_at;	    /* monotonic: when that was told last */
	uint64_t absent_at;	    /* monotonic: since when there is none; 0: there is one */
	bool absent_told;
	uint64_t notes_lost;	    /* asked for and not made, and that is not told yet */
	uint64_t notes_credit, notes_at; /* ns; monotonic: how many may be made */
	pthread_mutex_t status_lock; /* guards the next two */
	char *status, *outputs;	    /* the engine's state to be sent; what the gateway said last */

	/* any thread reads */
	_Atomic uint64_t sent, failed, dropped;
	atomic_int error;	    /* errno of the last failure, 0 after a success */
	atomic_int exit_status;	    /* as in shk_sink_stats */
	atomic_uint restarts;
};

#define SHK_NS_PER_S 1000000000ull

/* ---- sink.c: what all kinds have in common ---- */
int shk_sink_new(const struct shk_sink_config *cfg, struct shk_sink **ret, struct shk_err *err);
void shk_sink_free(struct shk_sink *s);
/* Opens it if it is closed and its time has come. 0, or -errno. */
int shk_sink_open(struct shk_sink *s, uint64_t now, struct shk_err *err);
/* Closes it; a line under way begins anew. */
void shk_sink_close(struct shk_sink *s, bool last, uint64_t until);
/* Queues the line if the sink's configuration asks for it. */
void shk_sink_offer(struct shk_sink *s, struct shk_line *l);
/* Sends up to `lines` lines. Returns whether more could go at once. */
bool shk_sink_step(struct shk_sink *s, unsigned lines);
/* Lines up to this cookie are done. */
void shk_sink_acked(struct shk_sink *s, uint64_t cookie);
/* The connection is gone: what is on the way is sent again. */
void shk_sink_take_back(struct shk_sink *s);
/* SHK_SINK_GATEWAY: it is gone, and what it had in memory with it. */
void shk_sink_gateway_gone(struct shk_sink *s);
/* Alerts that an engine before us may have given it: about what its memory holds. */
#define SHK_GATEWAY_BEFORE 65536
/* Nothing queued, nothing under way. */
bool shk_sink_idle(const struct shk_sink *s);

/* ---- stream.c: sinks that write lines to a descriptor ---- */
/* JSON or text, and a newline. */
int shk_stream_shape(struct shk_sink *s, struct shk_line *l);
int shk_stream_send(struct shk_sink *s);
/* Closes the descriptor, nothing else. */
void shk_stream_close(struct shk_sink *s, bool last, uint64_t until);

/* Prints a record within `max` bytes, shortened as shk_alert_render does it. -EMSGSIZE: impossible. */
int shk_record_fit(struct json_object *record, size_t max, struct shk_buf *out);

#endif
