/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway.h - the gateway as a whole: engine, spool, outlets, metrics; one thread, one loop.
 */
#ifndef SHK_GATEWAY_GATEWAY_H
#define SHK_GATEWAY_GATEWAY_H

#include <curl/curl.h>

#include "alerts/gateway_proto.h"
#include "engine/config.h"
#include "shrike-gateway/outlet.h"

#define SHK_NOTES 32

struct MHD_Daemon;
struct shk_note {
	char *text;
	struct shk_outlet *lost_of; /* not NULL: it tells of so many of its losses */
	uint64_t lost;
};

struct shk_gateway {
	const struct shk_config *cfg;
	const char *config_path; /* NULL: the usual one */
	int keeper, engine, signals; /* engine: -1 when there is none */
	struct shk_outlet *outlet; /* one for each output over the network */
	size_t n;
	struct shk_spool *spool;
	CURLM *multi;
	struct MHD_Daemon *http;
	int http_listen;
	bool http_failed; /* and that is said: it is tried again */

	char packet[SHK_FRAME_MAX];
	bool engine_gone;	/* and the keeper does not know yet */
	bool held;		/* packet is a record that found no room */
	size_t held_size;
	uint64_t boot;		/* of the engine's journal */
	uint64_t acked, at_risk; /* what the engine was told last */
	uint64_t received, repeated, for_nobody;
	struct shk_note notes[SHK_NOTES]; /* to be told by the engine */
	size_t n_notes;
	char *status;		/* the engine's, JSON; NULL: none yet */
	uint64_t started, ticked; /* real; mono */
	int spool_error;	/* told */
	uint64_t spool_spoilt;	/* told */
	bool ends, busy;
	int exit_code;
};

/* Opens what needs rights: secrets, the spool's directory, the socket of the metrics. uid and gid: whose the spool is
 * to be. 0 or -errno; alerts are sent without spool and metrics as well. */
int shk_gateway_prepare(struct shk_gateway *g, unsigned uid, unsigned gid, struct shk_err *err);
/* The rest, without rights. */
int shk_gateway_open(struct shk_gateway *g, struct shk_err *err);
/* Until a signal, or the keeper is gone. Returns the exit code. */
int shk_gateway_serve(struct shk_gateway *g);
void shk_gateway_close(struct shk_gateway *g);

/* ---- engine_link.c ---- */
/* Reads what the engine sent, and acknowledges what is kept. */
void shk_link_read(struct shk_gateway *g);
void shk_link_ack(struct shk_gateway *g);
/* Says who we are, on a new way. */
void shk_link_hello(struct shk_gateway *g);
/* Closes the way to the engine; the keeper, once told (by shk_link_gone), brings another. */
void shk_link_lost(struct shk_gateway *g);
void shk_link_gone(struct shk_gateway *g);
/* An internal alert, by way of the engine: `rule` without the words in front, `text` a sentence. It is sent with the
 * next shk_link_notes. NULL: it found no room. */
struct shk_note *shk_link_tell(struct shk_gateway *g, const char *rule, const char *priority, const char *output,
		   uint64_t count, const char *fmt, ...) SHK_PRINTF(6, 7);
/* Sends notes that wait, and the state of the outputs. */
void shk_link_notes(struct shk_gateway *g);
void shk_link_outputs(struct shk_gateway *g);

/* ---- metrics.c ---- */
/* Everything in Prometheus' text format. */
void shk_metrics(const struct shk_gateway *g, struct shk_buf *out);
/* Is all well? out: why not, or "ok". */
bool shk_healthy(const struct shk_gateway *g, struct shk_buf *out);

/* ---- http.c ---- */
/* Binds the socket of metrics_listen (a path: for the group gid, too). What fails is logged, once. */
void shk_http_bind(struct shk_gateway *g, unsigned uid, unsigned gid);
/* Starts to serve, if it does not yet; binds first if that failed before. */
void shk_http_open(struct shk_gateway *g);
int shk_http_fd(const struct shk_gateway *g); /* -1: none */
void shk_http_run(struct shk_gateway *g);
void shk_http_close(struct shk_gateway *g);

#endif
