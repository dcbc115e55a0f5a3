/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert.h - the alert record, its shapes, and its way out.
 *
 * An alert is rendered completely on the evaluating thread into one JSON object (the record), so
 * that nothing in it can change later; the journal's ring carries the record, the writer thread hands it to
 * every sink, each of which prints its own shape from the record. Falco's keys keep Falco's meaning
 * (section 18); ours live under "shrike": { id, seq, container, policy, verdict, errno, guarantee,
 * attempt, sensor, decision_ns, ... }.
 */
#ifndef SHK_ALERTS_ALERT_H
#define SHK_ALERTS_ALERT_H

#include "journal/journal.h"
#include "policy/policy.h"

struct json_object;

struct shk_alert {
	const struct shk_rule_info *rule; /* NULL: internal alert, see internal_* */
	const struct shk_policy *policy;
	struct shk_eval_ctx *ctx;	  /* NULL for internal alerts */
	const struct shk_container *ctr;  /* may be NULL */
	uint64_t seq;			  /* per container */
	unsigned n;			  /* alert within the call, from 0 */
	const char *boot;
	const char *verdict;		  /* "allow", "deny", "kill", "would-deny", "would-kill" */
	int err;			  /* deny: errno */
	const char *guarantee;		  /* "register", "deny-only", "best-effort", ... */
	uint64_t decision_ns;		  /* from reception to decision, 0: none */
	const char *internal_rule;	  /* "Shrike internal: ..." */
	enum shk_priority internal_priority;
	const char *internal_text;
	struct json_object *internal_fields; /* consumed, may be NULL */
	const char *origin; /* who numbers `seq`, in place of the container's key; NULL: the container */
};

/* Renders the record as compact JSON into out (appended). A record longer than SHK_JOURNAL_ALERT_MAX is
 * not refused but shortened ("truncated": true). 0, -ENOMEM, or -EMSGSIZE: no room in out. */
int shk_alert_render(const struct shk_alert *a, const char *hostname, struct shk_buf *out);

/* ---- sinks ---- */
struct shk_sink;
struct shk_sinks; /* configured set + writer thread */
struct shk_launcher;

/* What an output over the network is told beside (config_outputs.c has the meaning of each). Lists: one entry
 * a line. Secrets are names of files, or of systemd's credentials, never values. */
struct shk_network_config {
	char *name, *url, *url_file, *token_file, *headers, *headers_file, *password_file;
	char *ca_file, *cert_file, *key_file, *user, *from, *to;
	char *rules, *tags, *not_rules;
	uint64_t timeout, fold, digest; /* ns */
	uint64_t rate, burst, batch;
	int plain; /* MAIL: no TLS */
};

/* What `outputs:` of the configuration says, see docs/man/shrike.yaml.5. Built by engine/config.c. */
struct shk_sink_config {
	enum { SHK_SINK_STDOUT, SHK_SINK_FILE, SHK_SINK_SYSLOG, SHK_SINK_PROGRAM,
	       SHK_SINK_GATEWAY, /* the engine's end of all those that follow */
	       SHK_SINK_WEBHOOK, SHK_SINK_SLACK, SHK_SINK_MATTERMOST, SHK_SINK_TEAMS, SHK_SINK_MAIL,
	       SHK_SINK_ALERTMANAGER } kind;
	int json;		  /* else Falco's text line */
	bool iso8601;		  /* time form of the text line */
	char *path;		  /* FILE; SYSLOG: socket, NULL: /dev/log */
	char *command;		  /* PROGRAM: run by /bin/sh -c */
	struct shk_launcher *launcher; /* PROGRAM: who starts it (launcher.h); NULL: the writer itself */
	unsigned number;	  /* of the command there */
	int facility;		  /* SYSLOG: LOG_AUTHPRIV ... */
	int rfc5424;
	enum shk_priority min_priority;
	struct shk_network_config net;
};

struct shk_sink_stats {
	const char *name;	  /* "file:/var/log/..." */
	uint64_t sent, failed, dropped;
	int error;	  /* errno of the last failure, 0: none since the last success */
	int exit_status;  /* PROGRAM: wait status (waitpid) of the last run, -1: none has ended */
	unsigned restarts; /* PROGRAM: runs after the first */
};

struct shk_journal;
/* Opens all sinks and starts the writer thread, which drains the journal's ring. on_line, if not NULL, is
 * called on the writer thread with each record (JSON text): the engine's `events` streams. A sink that
 * cannot be opened is no failure: it is tried again for as long as we run, so that a full disk does
 * not keep an engine from answering calls; its statistics hold the error from the start. 0 or -errno. */
int shk_sinks_start(const struct shk_sink_config *cfg, size_t n, struct shk_journal *j,
		    void (*on_line)(struct shk_str record, void *arg), void *arg,
		    struct shk_sinks **ret, struct shk_err *err);
/* Any thread: a record was committed. Cheap. */
void shk_sinks_kick(struct shk_sinks *s);
/* SIGHUP: files are reopened. Any thread. */
void shk_sinks_reopen(struct shk_sinks *s);
/* Writes what is left (bounded by timeout_ms), stops, frees. Takes a few seconds more when a write
 * hangs; the journal and `arg` are not used any more afterwards in any case. */
void shk_sinks_stop(struct shk_sinks *s, int timeout_ms);
/* For the sink of kind SHK_SINK_GATEWAY; without one they do nothing. Any thread. */
/* A connection to a gateway, consumed. */
void shk_sinks_gateway(struct shk_sinks *s, int fd);
/* The engine's state for the metrics, consumed. */
void shk_sinks_gateway_status(struct shk_sinks *s, char *text);
/* The state of its outputs as the gateway told it last (JSON), the caller's; NULL: nothing yet. */
char *shk_sinks_gateway_outputs(struct shk_sinks *s);
size_t shk_sinks_stats(struct shk_sinks *s, struct shk_sink_stats *out, size_t room);

/* Falco's text line of a record: "HH:MM:SS.nnnnnnnnn: Priority output". iso8601: the other time form. */
int shk_record_text(struct shk_str record, bool iso8601, struct shk_buf *out, struct shk_err *err);

#endif
