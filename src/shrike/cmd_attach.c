// SPDX-License-Identifier: Apache-2.0
/* shrike attach - brings a running container under supervision. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>

#include "../hooks/oci/oci.h"
#include "base/io.h"
#include "shrike/commands.h"
#include "shrike/find_container.h"
#include "sources/ptrace/task.h"

#define ATTACH_MS 120000 /* thousands of processes on a small machine */

static int find(struct shk_cli *c, struct shk_found *f)
{
	const char *pid = shk_cli_value(c, "pid"), *name = c->argc ? c->argv[0] : NULL;
	struct shk_task_facts t;
	struct shk_err err = { 0 };
	uint64_t v;

	if (!pid && !name)
		return shk_cli_usage(c, "which container?");
	if (!pid) {
		if (shk_find_container(shk_cli_value(c, "root"), name, f, &err) < 0)
			return shk_cli_fail(SHK_EXIT_FINDING, "%s", err.text);
		return SHK_EXIT_OK;
	}
	if (!shk_str_to_u64(shk_str(pid), &v) || v < 2 || v > INT32_MAX)
		return shk_cli_usage(c, "--pid takes the number of a process");
	if (name && !shk_oci_id_ok(shk_str(name)))
		return shk_cli_usage(c, "\"%.64s\" cannot be the id of a container", name);
	f->pid = (pid_t)v;
	if (shk_task_read(f->pid, &t) < 0)
		return shk_cli_fail(SHK_EXIT_FINDING, "there is no process %s", pid);
	f->start = t.start;
	if (name)
		f->id = strdup(name);
	else if (asprintf(&f->id, "pid-%s", pid) < 0)
		f->id = NULL;
	return SHK_EXIT_OK;
}

static void add_str(struct json_object *o, const char *key, const char *s)
{
	if (s)
		json_object_object_add(o, key, json_object_new_string(s));
}

static struct json_object *request_of(const struct shk_found *f)
{
	struct json_object *o = shk_cli_request("attach"), *runtime = json_object_new_object();

	if (!o || !runtime || !f->id)
		return NULL;
	add_str(o, "id", f->id);
	json_object_object_add(o, "pid", json_object_new_int(f->pid));
	add_str(o, "bundle", f->bundle);
	if (f->config) {
		json_object_object_add(o, "annotations", shk_oci_annotations(f->config, NULL));
		json_object_object_add(o, "config", shk_oci_facts(shk_str(f->bundle), shk_str(f->id),
								  f->config, NULL));
	}
	add_str(runtime, "exe", f->runtime);
	json_object_object_add(o, "runtime", runtime);
	return o;
}

static void print_failed(const struct shk_cli *c, struct json_object *t)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, 8192);
	shk_cli_clean(&b, shk_json_str(t, "name"));
	shk_buf_adds(&b, "): ");
	shk_cli_clean(&b, shk_json_str(t, "why"));
	printf("%snot supervised:%s task %" PRId64 " of process %" PRId64 " (%s\n", shk_cli_on(c, SHK_C_RED),
	       shk_cli_off(c), shk_json_int(t, "tid", 0), shk_json_int(t, "pid", 0), b.n ? b.p : "");
}

static void print_answer(const struct shk_cli *c, struct json_object *o)
{
	struct json_object *failed = shk_json_array(o, "failed");
	struct shk_str policy = shk_json_str(o, "policy"), mode = shk_json_str(o, "mode");
	int64_t nnp = shk_json_int(o, "no_new_privs", 0), already = shk_json_int(o, "already", 0);
	int64_t n_failed = shk_json_int(o, "n_failed", 0);
	size_t n = failed ? json_object_array_length(failed) : 0;

	printf("attached: %" PRId64 " tasks of %" PRId64 " processes, policy " SHK_STR_FMT " (" SHK_STR_FMT ")\n",
	       shk_json_int(o, "attached", 0), shk_json_int(o, "processes", 0), SHK_STR_ARG(policy),
	       SHK_STR_ARG(mode));
	if (already)
		printf("supervised before: %" PRId64 " tasks\n", already);
	if (nnp)
		printf("no_new_privs was set in %" PRId64 " tasks: setuid programs give them nothing any more\n", nnp);
	for (size_t i = 0; i < n; i++)
		print_failed(c, json_object_array_get_idx(failed, i));
	if ((int64_t)n < n_failed)
		printf("not supervised: %" PRId64 " more\n", n_failed - (int64_t)n);
	if (shk_json_str(o, "incomplete").n)
		printf("not supervised: unknown tasks; " SHK_STR_FMT "\n", SHK_STR_ARG(shk_json_str(o, "incomplete")));
	if (n_failed || shk_json_str(o, "incomplete").n)
		printf("The container is supervised in part.\n");
}

static int run(struct shk_cli *c)
{
	struct json_object *request, *answer = NULL;
	_cleanup_close_ int pidfd = -1;
	SHK_CLEANUP(shk_found_done) struct shk_found f = { 0 };
	struct shk_task_facts t;
	int r = find(c, &f);

	if (r)
		return r;
	pidfd = shk_pidfd_open(f.pid, 0);
	/* Opened by number: is it still the one that was found? */
	if (pidfd < 0 || shk_task_read(f.pid, &t) < 0 || t.start != f.start)
		return shk_cli_fail(SHK_EXIT_FINDING, "the container has ended");
	request = request_of(&f);
	r = shk_cli_ask_fd(c, request, pidfd, SHK_EXIT_FINDING, ATTACH_MS, &answer);
	if (r)
		return r;
	if (shk_cli_flag(c, "json"))
		shk_cli_json(answer);
	else
		print_answer(c, answer);
	if (shk_json_int(answer, "n_failed", 0) || shk_json_str(answer, "incomplete").n)
		r = SHK_EXIT_FINDING;
	json_object_put(answer);
	return r;
}

const struct shk_cli_cmd shk_cmd_attach = {
	.name = "attach",
	.args = "[CONTAINER]",
	.summary = "Bring a running container under supervision",
	.detail = "\nCONTAINER is an id of runc, crun, docker or containerd, the beginning of one, or a name of\n"
		  "podman or docker. With --pid it is the id that the container is to have here.\n"
		  "Every task of the container is stopped for a moment and gets the filter of its policy. What\n"
		  "cannot have it is named: it is not supervised. Files that are open stay open. Attaching again\n"
		  "reaches tasks that came in since, such as sessions of runc exec, and ends a detach.",
	.opt = { SHK_OPT_JSON,
		 { "pid", 0, "PID", "the container's first process, as this machine numbers it" },
		 { "root", 0, "DIR", "where the runtime keeps its states (its own --root)" } },
	.max_args = 1,
	.exits = "  0 every task is supervised   1 some or all are not\n"
		 "  2 wrong usage                3 shriked cannot be reached\n"
		 "  4 other failure",
	.example = "  shrike attach web1\n  shrike attach --pid 4711 web1",
	.run = run,
};
