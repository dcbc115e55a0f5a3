/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - the configuration file shrike.yaml (docs/man/shrike.yaml.5).
 *
 * One list, SHK_CONFIG_KEYS, defines every scalar key once: member of struct shk_config, parser,
 * default, dump and the text beside it. Structured keys are `outputs`, and append_output and static_fields
 * (config_output.c), which say what rules see and print.
 * A configuration is immutable after loading and owned by whoever loaded it; any thread may read.
 */
#ifndef SHK_ENGINE_CONFIG_H
#define SHK_ENGINE_CONFIG_H

#include "alerts/alert.h"
#include "control/control.h"
#include "fields/static.h"
#include "policy/policy.h"

#define SHK_CONFIG_NAME "shrike.yaml"
#define SHK_CONFIG_FILE SHK_SYSCONFDIR "/" SHK_CONFIG_NAME
#define SHK_CONFIG_MAX	(1u << 20) /* bytes of the file */
#define SHK_OUTPUTS_MAX 32

/* X(kind, member, default as written in YAML, documentation). Kinds: path (absolute), paths (one or a
 * list, kept joined by ':'), text (may be empty), level (syslog level), time (0 local, 1 iso8601), size
 * (bytes), duration (ns), listen (a path, a port, or empty), module (1 auto, 0 off). */
#define SHK_CONFIG_KEYS(X)                                                                         \
	X(path, policy_dir, SHK_SYSCONFDIR "/policies.d", "directory of policy files (*.yaml)")    \
	X(paths, rules_path, SHK_RULES_PATH,                                                         \
	  "where the rule files that policies name are looked up, first hit wins")                 \
	X(path, control_socket, SHK_CONTROL_SOCKET, "hooks and the command line talk to this")     \
	X(path, notify_socket, SHK_NOTIFY_SOCKET, "listenerPath of seccomp profiles")              \
	X(text, hostname, "", "name of this machine in alerts; empty: the kernel's")               \
	X(level, log_level, "notice", "what the daemon says of itself: error ... debug")           \
	X(time, time_format, "local", "time in text alerts: local (HH:MM:SS) or iso8601")          \
	X(module, module, "auto",                                                                  \
	  "the kernel module shrike.ko as a second source: auto (if it is there) or off")          \
	X(text, gateway_user, "shrike",                                                            \
	  "user that sends alerts over the network; where there is none of that name: nobody")     \
	X(path, spool_dir, "/var/spool/shrike",                                                    \
	  "alerts for outputs over the network wait here until they are delivered")                \
	X(size, spool_max_bytes, "64M", "bound of the spool: past it the oldest, least severe go")  \
	X(duration, spool_max_age, "7d", "older alerts are not sent any more; 0: no bound")        \
	X(listen, metrics_listen, "",                                                              \
	  "Prometheus metrics and /healthz: path of a socket, or port on loopback; empty: none")

struct shk_config {
#define SHK_CONFIG_TYPE_path  char *
#define SHK_CONFIG_TYPE_paths char *
#define SHK_CONFIG_TYPE_text  char *
#define SHK_CONFIG_TYPE_level int
#define SHK_CONFIG_TYPE_time  int
#define SHK_CONFIG_TYPE_size  uint64_t
#define SHK_CONFIG_TYPE_duration uint64_t
#define SHK_CONFIG_TYPE_listen char *
#define SHK_CONFIG_TYPE_module int
#define SHK_CONFIG_MEMBER(kind, member, otherwise, doc) SHK_CONFIG_TYPE_##kind member;
	SHK_CONFIG_KEYS(SHK_CONFIG_MEMBER)
#undef SHK_CONFIG_MEMBER
	struct shk_sink_config *outputs;
	size_t n_outputs;
	struct shk_arena arena; /* of what follows */
	struct shk_append_output *append;
	size_t n_append;
	struct shk_static_field *constants;
	size_t n_constants;
};

/* From now on, defaults are those of a user's own daemon (control/places.h). Call it before anything is read. */
void shk_config_for_user(void);
/* Reads a file. path NULL: SHK_CONFIG_FILE, and the defaults when that does not exist; a path that
 * was asked for must exist (-ENOENT). -EINVAL: err has file:line:column: text; remedy. */
int shk_config_load(const char *path, struct shk_config **ret, struct shk_err *err);
/* The same from memory; an empty text gives the defaults. name stands for the file in messages. */
int shk_config_load_text(const char *name, struct shk_str text, struct shk_config **ret,
			 struct shk_err *err);
/* What it says of rules. static_fields become the process's (fields/static.h), so that rules can be loaded. The
 * result is part of c. -ENOMEM. */
int shk_config_rules(const struct shk_config *c, struct shk_rules_config *ret, struct shk_err *err);
void shk_config_free(struct shk_config *c);
SHK_DEFINE_CLEANUP(struct shk_config, shk_config_free)

/* config_output.c: append_output and static_fields of a text whose keys are known to be good. */
int shk_config_read_output(struct shk_config *c, const char *name, struct shk_str text,
			   struct shk_err *err);
void shk_config_dump_output(const struct shk_config *c, struct shk_buf *out);

/* True: the output is sent by the gateway. */
bool shk_config_is_network(const struct shk_sink_config *s);
/* The list of kinds of output and their options for the manual page, from the table that parses them. */
void shk_config_doc(struct shk_buf *out);

/* Writes every key with its documentation; loading the text gives an equal configuration. */
/* Whether an engine started with either serves the same outputs; those over the network are the gateway's. */
bool shk_config_same_outputs(const struct shk_config *a, const struct shk_config *b);
void shk_config_dump(const struct shk_config *c, struct shk_buf *out);

#endif
