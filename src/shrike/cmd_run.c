// SPDX-License-Identifier: Apache-2.0
/*
 * shrike run BUNDLE - supervises one bundle without any daemon: the engine is in this process.
 *
 * The bundle is not touched: a copy of its config.json with our hook goes to a directory of its own, which
 * the runtime gets as the bundle. Alerts come on standard error, so that standard output stays the
 * container's. When this process dies, so does the engine: the container's watched calls then fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/log.h"
#include "enforce/mounter.h"
#include "engine/engine.h"
#include "engine/observer.h"
#include "shrike/cli.h"
#include "shrike/commands.h"
#include "shrike/record_file.h"

#define CONFIG_LIMIT (16u << 20)
#define TAKE_BYTES   (1u << 20)
#define TAKE_NS	     20000000 /* the recorder has room for some 10000 events */

struct run {
	struct shk_cli *c;
	struct shk_config *cfg;
	struct shk_engine *engine;
	char *dir;	/* temporary: socket and bundle */
	char *id, *runtime, *hook;
	int stdout_fd;	/* -1: as it is */
	bool recording;
	struct shk_record_file file;
	atomic_bool ended; /* the engine is: what it has recorded is all */
	pid_t child;
	int status;
};

static volatile pid_t forward_to; /* the runtime, once there is one */
static volatile sig_atomic_t arrived; /* the last signal */

/* What the terminal sends it sends to the runtime, too. */
static void forward(int sig, siginfo_t *info, void *context)
{
	(void)context;
	arrived = sig;
	if (forward_to > 0 && info->si_code != SI_KERNEL)
		kill(forward_to, sig);
}

static void catch_signals(bool on)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	struct sigaction a = { .sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART };

	if (!on)
		a = (struct sigaction){ .sa_handler = SIG_DFL };
	for (size_t i = 0; i < SHK_ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &a, NULL);
}

static char *beside_self(const char *name)
{
	char self[4096], *slash, *out = NULL;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n <= 0)
		return NULL;
	self[n] = 0;
	slash = strrchr(self, '/');
	if (!slash || asprintf(&out, "%.*s/%s", (int)(slash - self), self, name) < 0)
		return NULL;
	if (access(out, X_OK) < 0)
		free(TAKE_PTR(out));
	return out;
}

static char *find_runtime(const char *asked)
{
	static const char *const usual[] = { "runc", "crun" };
	const char *path = getenv("PATH");
	_cleanup_free_ char *copy = strdup(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");

	if (asked && strchr(asked, '/'))
		return access(asked, X_OK) == 0 ? strdup(asked) : NULL;
	for (size_t i = 0; copy && i < SHK_ARRAY_SIZE(usual); i++) {
		_cleanup_free_ char *dirs = strdup(copy);
		const char *name = asked ? asked : usual[i];

		for (char *save, *d = dirs ? strtok_r(dirs, ":", &save) : NULL; d;
		     d = strtok_r(NULL, ":", &save)) {
			char *full = NULL;

			if (asprintf(&full, "%s/%s", d, name) >= 0 && access(full, X_OK) == 0)
				return full;
			free(full);
		}
	}
	return NULL;
}

static struct json_object *read_config(const char *bundle, struct shk_err *err)
{
	_cleanup_free_ char *path = NULL;
	struct json_object *o = NULL;
	struct shk_buf b;

	if (asprintf(&path, "%s/config.json", bundle) < 0) {
		shk_err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	shk_buf_init(&b, CONFIG_LIMIT);
	if (shk_read_file(path, &b, err) == 0) {
		o = shk_json_parse(shk_buf_view(&b), CONFIG_LIMIT, err);
		if (!o)
			shk_err_prefix(err, "%s", path);
	}
	shk_buf_done(&b);
	return o;
}

static struct json_object *member(struct json_object *o, const char *key, struct json_object *fresh)
{
	struct json_object *v;

	if (json_object_object_get_ex(o, key, &v) &&
	    json_object_is_type(v, json_object_get_type(fresh))) {
		json_object_put(fresh);
		return v;
	}
	json_object_object_add(o, key, fresh);
	return fresh;
}

static int write_bundle(struct run *r, const char *bundle, struct shk_err *err)
{
	struct json_object *config = read_config(bundle, err), *hook, *args, *root, *v;
	_cleanup_free_ char *path = NULL, *rootfs = NULL, *joined = NULL;
	const char *text;
	int rc = 0;

	if (!config)
		return -err->errnum;
	root = member(config, "root", json_object_new_object());
	text = json_object_object_get_ex(root, "path", &v) ? json_object_get_string(v) : "rootfs";
	if (text[0] != '/' && asprintf(&joined, "%s/%s", bundle, text) < 0)
		rc = shk_err_set(err, ENOMEM, "out of memory");
	rootfs = rc == 0 ? realpath(joined ? joined : text, NULL) : NULL;
	if (rc == 0 && !rootfs)
		rc = shk_err_sys(err, errno, "the bundle's root directory %s", joined ? joined : text);
	if (rc == 0) {
		json_object_object_add(root, "path", json_object_new_string(rootfs));
		hook = json_object_new_object();
		args = json_object_new_array();
		json_object_object_add(hook, "path", json_object_new_string(r->hook));
		json_object_array_add(args, json_object_new_string("shrike-hook"));
		json_object_array_add(args, json_object_new_string("--socket"));
		json_object_array_add(args, json_object_new_string(r->cfg->control_socket));
		json_object_array_add(args, json_object_new_string("prestart"));
		json_object_object_add(hook, "args", args);
		json_object_array_add(member(member(config, "hooks", json_object_new_object()), "prestart",
					     json_object_new_array()), hook);
		if (asprintf(&path, "%s/config.json", r->dir) < 0)
			rc = shk_err_set(err, ENOMEM, "out of memory");
		else if (json_object_to_file_ext(path, config, JSON_C_TO_STRING_PLAIN) < 0)
			rc = shk_err_sys(err, errno, "%s", path);
	}
	json_object_put(config);
	return rc;
}

static int configure(struct run *r, struct shk_err *err)
{
	const char *file = shk_cli_value(r->c, "config"), *dir = shk_cli_value(r->c, "policy-dir"),
		   *rules = shk_cli_value(r->c, "rules-path");
	char template[] = "/run/shrike-run.XXXXXX", *made;
	struct shk_buf text;
	int rc;

	if (file) {
		rc = shk_config_load(file, &r->cfg, err);
	} else {
		shk_buf_init(&text, 1024);
		/* Our standard output becomes standard error; the runtime keeps the real one. */
		r->stdout_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		shk_buf_adds(&text, "outputs: [ stdout ]\n");
		rc = shk_config_load_text("built-in", shk_buf_view(&text), &r->cfg, err);
		shk_buf_done(&text);
	}
	if (rc < 0)
		return rc;
	made = mkdtemp(template);
	if (!made) { /* no root */
		char other[] = "/tmp/shrike-run.XXXXXX";

		made = mkdtemp(other);
		r->dir = made ? strdup(made) : NULL;
	} else {
		r->dir = strdup(made);
	}
	if (!r->dir)
		return shk_err_sys(err, errno ? errno : ENOMEM, "a directory below /run");
	free(TAKE_PTR(r->cfg->control_socket));
	if (asprintf(&r->cfg->control_socket, "%s/control.sock", r->dir) < 0)
		r->cfg->control_socket = NULL;
	if (dir && access(dir, R_OK | X_OK) < 0)
		return shk_err_sys(err, errno, "--policy-dir %s", dir);
	if (dir) {
		free(r->cfg->policy_dir);
		r->cfg->policy_dir = strdup(dir);
	}
	if (rules) {
		free(r->cfg->rules_path);
		r->cfg->rules_path = strdup(rules);
	}
	return r->cfg->control_socket && r->cfg->policy_dir && r->cfg->rules_path ?
		       0 : shk_err_set(err, ENOMEM, "out of memory");
}

static int start_runtime(struct run *r, struct shk_err *err)
{
	pid_t me = getpid();

	if (arrived)
		return shk_err_set(err, EINTR, "ended by signal %d", (int)arrived);
	r->child = fork();
	if (r->child < 0)
		return shk_err_sys(err, errno, "fork");
	if (r->child == 0) {
		char *argv[] = { r->runtime, (char *)"run", (char *)"--bundle", r->dir, r->id, NULL };
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		catch_signals(false);
		signal(SIGPIPE, SIG_DFL);
		/* Without an engine the container is of no use. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != me)
			_exit(127);
		if (r->stdout_fd >= 0)
			(void)dup2(r->stdout_fd, STDOUT_FILENO);
		execv(r->runtime, argv);
		fprintf(stderr, "shrike: %s: %s\n", r->runtime, strerror(errno));
		_exit(127);
	}
	forward_to = r->child;
	if (arrived)
		kill(r->child, arrived);
	return 0;
}

static void *wait_for_child(void *arg)
{
	struct run *r = arg;

	while (waitpid(r->child, &r->status, 0) < 0 && errno == EINTR)
		;
	shk_engine_stop(r->engine);
	return NULL;
}

/* ---- --record ---- */

static void take_recorded(struct run *r)
{
	struct shk_buf b;
	uint64_t lost;

	shk_buf_init(&b, TAKE_BYTES * 2);
	do {
		shk_buf_reset(&b);
		shk_engine_recorded(r->engine, TAKE_BYTES, &b, &lost);
		shk_recfile_text(&r->file, shk_buf_view(&b));
		if (lost)
			shk_recfile_lost(&r->file, lost);
	} while (b.n);
	shk_recfile_flush(&r->file);
	if (r->file.full || r->file.error)
		shk_engine_record_end(r->engine);
	shk_buf_done(&b);
}

/* A file that is slow holds up this thread, and no call. */
static void *write_recorded(void *arg)
{
	struct run *r = arg;

	while (!atomic_load(&r->ended)) {
		take_recorded(r);
		nanosleep(&(struct timespec){ .tv_nsec = TAKE_NS }, NULL);
	}
	take_recorded(r);
	return NULL;
}

static int start_recording(struct run *r, pthread_t *writer, struct shk_err *err)
{
	int rc = r->recording ? shk_engine_record(r->engine, err) : 0;

	if (rc == 0 && r->recording && pthread_create(writer, NULL, write_recorded, r) != 0)
		rc = shk_err_set(err, EAGAIN, "cannot start a thread");
	r->recording &= rc == 0;
	return rc;
}

static void end_recording(struct run *r, pthread_t writer)
{
	if (!r->recording)
		return;
	shk_engine_record_end(r->engine);
	atomic_store(&r->ended, true);
	pthread_join(writer, NULL);
}

static int serve(struct run *r, struct shk_err *err)
{
	struct shk_engine_options o = { .config = r->cfg, .keeper_fd = -1, .journal_fd = -1,
					.control_fd = -1, .notify_fd = -1,
					.policies_must_load = true };
	SHK_CLEANUP(shk_mounter_freep) struct shk_mounter *mounter = NULL;
	pthread_t waiter, writer;
	int rc;

	rc = shk_mounter_new(&mounter, err);
	if (rc < 0)
		return rc;
	o.mounter = mounter;
	o.control_fd = shk_listen_unix(r->cfg->control_socket, 0600, err);
	if (o.control_fd < 0)
		return o.control_fd;
	o.observer = shk_observer_open(r->cfg);
	rc = shk_engine_new(&o, &r->engine, err);
	if (rc < 0)
		return rc;
	rc = start_recording(r, &writer, err);
	if (rc == 0)
		rc = start_runtime(r, err);
	if (rc == 0) {
		if (pthread_create(&waiter, NULL, wait_for_child, r) != 0) {
			kill(r->child, SIGTERM);
			rc = shk_err_set(err, EAGAIN, "cannot start a thread");
		} else {
			shk_engine_run(r->engine);
			pthread_join(waiter, NULL);
		}
	}
	end_recording(r, writer);
	shk_engine_free(r->engine);
	return rc;
}

static void clean(struct run *r)
{
	if (r->dir) {
		_cleanup_free_ char *config = NULL;

		if (asprintf(&config, "%s/config.json", r->dir) >= 0)
			(void)unlink(config);
		if (r->cfg && r->cfg->control_socket)
			(void)unlink(r->cfg->control_socket);
		(void)rmdir(r->dir);
	}
	free(r->dir);
	free(r->id);
	free(r->runtime);
	free(r->hook);
	shk_config_free(r->cfg);
}

/* The file is made before anything runs: a container that cannot be recorded is not started. */
static int supervise(struct run *r, const char *bundle)
{
	const char *record = shk_cli_value(r->c, "record");
	struct shk_err err = { 0 };
	int code = record ? shk_recfile_open(&r->file, r->c, record, shk_cli_value(r->c, "max-size")) : 0;

	if (code)
		return code;
	r->recording = record != NULL;
	if (configure(r, &err) < 0 || write_bundle(r, bundle, &err) < 0 || serve(r, &err) < 0) {
		code = shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text);
		if (record)
			(void)shk_recfile_close(&r->file, code);
		return code;
	}
	/* What went wrong with the file is said; the status is the container's. */
	if (record)
		(void)shk_recfile_close(&r->file, SHK_EXIT_OK);
	return WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 128 + WTERMSIG(r->status);
}

static int run(struct shk_cli *c)
{
	struct run r = { .c = c, .stdout_fd = -1 };
	_cleanup_free_ char *bundle = realpath(c->argv[0], NULL);
	int code = SHK_EXIT_OK;

	if (shk_cli_flag(c, "max-size") && !shk_cli_flag(c, "record"))
		return shk_cli_usage(c, "run: --max-size goes with --record");
	shk_log_init("shrike", LOG_WARNING);
	catch_signals(true);
	if (!bundle)
		return shk_cli_fail(SHK_EXIT_FAILED, "%s: %s", c->argv[0], strerror(errno));
	r.runtime = find_runtime(shk_cli_value(c, "runtime"));
	r.hook = beside_self("shrike-hook");
	if (!r.hook)
		r.hook = strdup(SHK_LIBEXECDIR "/shrike-hook");
	if (c->argc > 1)
		r.id = strdup(c->argv[1]);
	else if (asprintf(&r.id, "run-%d", (int)getpid()) < 0)
		r.id = NULL;
	if (!r.runtime && shk_cli_value(c, "runtime")) {
		code = shk_cli_fail(SHK_EXIT_FAILED, "--runtime: there is no program %s",
				    shk_cli_value(c, "runtime"));
	} else if (!r.runtime) {
		code = shk_cli_fail(SHK_EXIT_FAILED, "no container runtime: install runc or crun, or name one with "
				    "--runtime");
	} else if (!r.hook || !r.id) {
		code = shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	} else if (access(r.hook, X_OK) < 0) {
		code = shk_cli_fail(SHK_EXIT_FAILED, "%s: %s; run make install", r.hook, strerror(errno));
	} else {
		code = supervise(&r, bundle);
	}
	clean(&r);
	return code;
}

const struct shk_cli_cmd shk_cmd_run = {
	.name = "run",
	.args = "BUNDLE [ID]",
	.summary = "run a bundle supervised, without any daemon",
	.detail = "Starts the OCI bundle with runc or crun and supervises it from this process. The bundle itself is\n"
		  "not changed. Alerts are printed on standard error; standard input and output are the\n"
		  "container's. When this process is killed, watched calls of the container fail.\n"
		  "With --record every call that is judged is also written to FILE, with the state rules can ask for,\n"
		  "as text that `shrike replay` takes. The file is readable for its owner alone.",
	.opt = { { "config", 'c', "FILE", "configuration (outputs, paths) instead of the built-in one" },
		 { "policy-dir", 0, "DIR", "directory of policy files" },
		 { "rules-path", 0, "PATH", "directories of rule files, joined by ':'" },
		 { "runtime", 0, "NAME", "runc, crun or the path of another runtime" },
		 { "record", 0, "FILE", "write its events, from the first one on, in the text form" },
		 { "max-size", 0, "BYTES", "end the recording at this size (1G); K, M, G are understood" } },
	.min_args = 1,
	.max_args = 2,
	.exits = "that of the runtime, which is the container's (128 + n: ended by signal n), 2 for wrong usage, 4 when\n"
		 "policies or bundle cannot be used; then nothing was started",
	.example = "shrike run --policy-dir ./policies ./bundle",
	.run = run,
};
