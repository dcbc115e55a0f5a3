// SPDX-License-Identifier: Apache-2.0
/*
 * shrike-runtime - OCI runtime that is runc or crun with a supervisor.
 *
 * For engines that run no hooks. Before a container is made its config.json gets the supervisor's seccomp section;
 * before a session starts its listener is arranged; then the real runtime is executed with the
 * same arguments (docs/CONTROL.md, prepare and session). What it cannot arrange it does not start.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "ask.h"
#include "cmdline.h"
#include "deliver.h"
#include "find.h"
#include "oci.h"
#include "rewrite.h"

#define PROGRAM	   "shrike-runtime"
#define TIMEOUT_S  10

/* Engines show the user what is in the runtime's log, not what was on stderr. */
static void log_error(const struct shk_cmdline *c, const char *text)
{
	bool json = c->log_format && strcmp(c->log_format, "json") == 0;
	struct json_object *o = json_object_new_object();
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct shk_buf b;
	time_t now = time(NULL);
	char when[32] = "";
	struct tm tm;

	shk_buf_init(&b, 16384);
	fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
	if (fd < 0 || !o) {
		json_object_put(o);
		return;
	}
	if (gmtime_r(&now, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_object_add(o, "level", json_object_new_string("error"));
	json_object_object_add(o, "msg", json_object_new_string(text));
	json_object_object_add(o, "time", json_object_new_string(when));
	if (json) {
		shk_buf_adds(&b, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	} else {
		struct json_object *msg = NULL;

		json_object_object_get_ex(o, "msg", &msg);
		shk_buf_printf(&b, "time=\"%s\" level=error msg=%s", when,
			       json_object_to_json_string_ext(msg, JSON_C_TO_STRING_PLAIN));
	}
	shk_buf_addc(&b, '\n');
	/* Nobody is left to be told that the log cannot be written. */
	(void)!write(fd, b.p ? b.p : "", b.n);
	json_object_put(o);
}

static void say(int status, const char *text, void *arg)
{
	const struct shk_cmdline *c = arg;
	struct shk_err line;

	(void)status;
	shk_oci_say(PROGRAM, text);
	shk_err_set(&line, 0, PROGRAM ": %s", text);
	if (c->log && *c->log)
		log_error(c, line.text);
}

static int fail(struct shk_cmdline *c, int status, const char *text)
{
	say(status, text, c);
	return status;
}

static void warn(struct json_object *answer)
{
	struct shk_str w = shk_json_str(answer, "warning");
	struct shk_err line;

	if (!w.n)
		return;
	shk_err_set(&line, 0, "warning: " SHK_STR_FMT, SHK_STR_ARG(w));
	shk_oci_say(PROGRAM, line.text);
}

/* Where the bundle is and which file describes the container. 0 or a status. */
static int locate(const struct shk_cmdline *c, char **bundle, char **path, struct shk_err *err)
{
	const char *b = c->bundle ? c->bundle : ".";
	int r;

	*path = NULL;
	*bundle = realpath(b, NULL);
	if (!*bundle) {
		shk_err_sys(err, errno, "bundle %s; name an existing directory with --bundle", b);
		return SHK_EXIT_INPUT;
	}
	if (!c->config)
		r = asprintf(path, "%s/config.json", *bundle);
	else if (c->config[0] == '/')
		r = asprintf(path, "%s", c->config);
	else
		/* crun reads it after it went into the bundle. */
		r = asprintf(path, "%s/%s", *bundle, c->config);
	if (r < 0) {
		*path = NULL;
		shk_err_set(err, ENOMEM, "out of memory");
		return SHK_EXIT_SYSTEM;
	}
	return 0;
}

static struct json_object *prepare_request(const struct shk_cmdline *c, const char *bundle,
					   const char *runtime, struct json_object *config)
{
	struct json_object *o = json_object_new_object(), *r = json_object_new_object();

	if (!o || !r) {
		json_object_put(o);
		json_object_put(r);
		return NULL;
	}
	json_object_object_add(r, "exe", json_object_new_string(runtime));
	json_object_object_add(o, "runtime", r);
	json_object_object_add(o, "op", json_object_new_string("prepare"));
	json_object_object_add(o, "id", json_object_new_string(c->id));
	json_object_object_add(o, "bundle", json_object_new_string(bundle));
	json_object_object_add(o, "command", json_object_new_string(c->command_word));
	json_object_object_add(o, "annotations", shk_oci_annotations(config, NULL));
	json_object_object_add(o, "config",
			       shk_oci_facts(shk_str(bundle), shk_str(c->id), config,
					     shk_json_object(shk_json_object(config, "linux"),
							     "seccomp")));
	return o;
}

/* The answer to prepare, carried out. 0 or a status. */
static int carry_out(struct shk_cmdline *c, const char *path, struct json_object *config,
		     struct json_object *answer, struct shk_err *err)
{
	struct json_object *seccomp = shk_json_object(answer, "seccomp");

	warn(answer);
	if (shk_str_eqz(shk_json_str(answer, "armed"), "none"))
		return 0;
	if (!seccomp) {
		shk_err_set(err, EBADMSG, "the supervisor's answer has no seccomp section; "
			    "update the older of shrike-runtime and shriked");
		return SHK_EXIT_REFUSED;
	}
	/* The image of a checkpoint brings its own filters; config.json's are not used. */
	if (c->command == SHK_OCI_RESTORE) {
		shk_err_set(err, EOPNOTSUPP, "container %s cannot be restored under supervision; "
			    "start it anew, or give it a policy that supervises nothing", c->id);
		return SHK_EXIT_REFUSED;
	}
	return shk_oci_rewrite_seccomp(path, config, seccomp, err) < 0 ? SHK_EXIT_INPUT : 0;
}

static int prepare(struct shk_cmdline *c, const char *runtime, uint64_t due, struct shk_err *err)
{
	_cleanup_free_ char *bundle = NULL, *path = NULL;
	struct json_object *config = NULL, *request, *answer = NULL;
	bool absent = false;
	int r;

	r = locate(c, &bundle, &path, err);
	if (r)
		return r;
	if (shk_oci_config_read(path, &config, err) < 0)
		return SHK_EXIT_INPUT;
	request = prepare_request(c, bundle, runtime, config);
	if (!request) {
		shk_err_set(err, ENOMEM, "out of memory");
		r = SHK_EXIT_SYSTEM;
	} else if (shk_oci_ask(c->socket, request, NULL, 0, due, NULL, &answer, &absent, err) < 0) {
		r = absent ? SHK_EXIT_ABSENT : SHK_EXIT_REFUSED;
	} else {
		r = carry_out(c, path, config, answer, err);
	}
	json_object_put(answer);
	json_object_put(request);
	json_object_put(config);
	return r;
}

/* 0 or a status. */
static int session(struct shk_cmdline *c, uint64_t due, struct shk_err *err)
{
	SHK_CLEANUP(shk_client_freep) struct shk_client *conn = NULL;
	struct json_object *request = json_object_new_object(), *answer = NULL;
	bool absent = false;
	struct shk_str how;
	int r;

	if (!request) {
		shk_err_set(err, ENOMEM, "out of memory");
		return SHK_EXIT_SYSTEM;
	}
	json_object_object_add(request, "op", json_object_new_string("session"));
	json_object_object_add(request, "id", json_object_new_string(c->id));
	r = shk_oci_ask(c->socket, request, NULL, 0, due, &conn, &answer, &absent, err);
	json_object_put(request);
	if (r < 0)
		return absent ? SHK_EXIT_ABSENT : SHK_EXIT_REFUSED;
	warn(answer);
	how = shk_json_str(answer, "deliver");
	if (shk_str_eqz(how, "self")) {
		r = shk_deliver_self(conn, answer, c->id, (int)c->timeout_s * 1000, say, c);
		/* The filter may be on and unanswered: no further call but the last. */
		if (r)
			_exit(r);
	} else if (!shk_str_eqz(how, "runtime") && !shk_str_eqz(how, "none")) {
		shk_err_set(err, EBADMSG, "the supervisor's answer does not say how the session is "
			    "supervised; update the older of shrike-runtime and shriked");
		r = SHK_EXIT_REFUSED;
	}
	json_object_put(answer);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *runtime = NULL;
	uint64_t due;
	struct shk_cmdline c = { 0 };
	struct shk_err err = { 0 };
	int r = 0;

	if (argc < 1)
		return SHK_EXIT_USAGE;
	if (shk_cmdline_parse(&argc, argv, &c, &err) < 0)
		return fail(&c, SHK_EXIT_USAGE, err.text);
	if (!c.timeout_s)
		c.timeout_s = TIMEOUT_S;
	due = shk_now_mono() + c.timeout_s * 1000000000ull;
	/* First: nothing is to be prepared for a runtime that is not there. */
	if (shk_find_runtime(c.runtime, SHK_SYSCONFDIR "/runtime", &runtime, &err) < 0)
		return fail(&c, SHK_EXIT_RUNTIME, err.text);
	if (c.command != SHK_OCI_OTHER && !shk_oci_id_ok(shk_str(c.id)))
		return fail(&c, SHK_EXIT_USAGE, "the container's name is no file name; "
			    "use letters, digits and _+-.");
	if (c.command == SHK_OCI_EXEC)
		r = session(&c, due, &err);
	else if (c.command != SHK_OCI_OTHER)
		r = prepare(&c, runtime, due, &err);
	if (r)
		return fail(&c, r, err.text);
	argv[0] = runtime;
	execv(runtime, argv);
	shk_err_sys(&err, errno, "cannot execute %s; name another runtime in " SHK_SYSCONFDIR "/runtime",
		    runtime);
	return fail(&c, SHK_EXIT_RUNTIME, err.text);
}
