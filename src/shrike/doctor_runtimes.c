// SPDX-License-Identifier: Apache-2.0
/* runc, crun, podman, docker: which are here, and what they say they can do. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/io.h"
#include "control/control.h"
#include "shrike/doctor.h"

#define RUN_MS	 3000
#define TEXT_MAX (256u << 10)

static bool find_program(const char *name, char *out, size_t size)
{
	const char *path = getenv("PATH");
	char dirs[4096];

	/* Runtimes are often in sbin, which is not in everybody's PATH. */
	snprintf(dirs, sizeof(dirs), "%s:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
		 path ? path : "");
	for (const char *d = dirs; *d;) {
		size_t n = strcspn(d, ":");

		if (n && *d == '/' && snprintf(out, size, "%.*s/%s", (int)n, d, name) < (int)size &&
		    access(out, X_OK) == 0)
			return true;
		d += n + (d[n] == ':');
	}
	return false;
}

static void child(const char *path, const char *arg, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 2) < 0 || dup2(out, 1) < 0)
		_exit(127);
	execl(path, path, arg, (char *)NULL);
	_exit(127);
}

/* Standard output of `path arg`, or false. A program that hangs is killed. */
static bool output_of(const char *path, const char *arg, struct shk_buf *b)
{
	uint64_t due = shk_now_mono() + RUN_MS * UINT64_C(1000000);
	int out[2], status = 0;
	bool timed_out = false;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return false;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(path, arg, out[1]);
	close(out[1]);
	for (uint64_t now; pid > 0 && !b->failed;) {
		struct pollfd p = { .fd = out[0], .events = POLLIN };
		char tmp[4096];
		ssize_t n;

		now = shk_now_mono();
		if (now >= due || poll(&p, 1, (int)((due - now) / 1000000) + 1) == 0) {
			timed_out = true;
			break;
		}
		n = read(out[0], tmp, sizeof(tmp));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		shk_buf_add(b, tmp, (size_t)n);
	}
	close(out[0]);
	if (pid <= 0)
		return false;
	if (timed_out || b->failed)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 && b->n;
}

/* The first number with a dot in the text: "crun version 1.8.1", "Docker version 28.2.2, build ...". */
static void version_in(struct shk_str text, char *out, size_t size, unsigned *major, unsigned *minor)
{
	size_t i = 0, n = 0;

	*major = *minor = 0;
	while (i < text.n && !(text.p[i] >= '0' && text.p[i] <= '9'))
		i++;
	while (i + n < text.n && n < size - 1 && text.p[i + n] > ' ' && text.p[i + n] < 0x7f &&
	       text.p[i + n] != ',')
		n++;
	memcpy(out, text.p + i, n);
	out[n] = 0;
	if (sscanf(out, "%9u.%9u", major, minor) < 2)
		*minor = 0;
}

static bool array_has(struct json_object *list, const char *word)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *s = json_object_get_string(json_object_array_get_idx(list, i));

		if (s && strcmp(s, word) == 0)
			return true;
	}
	return false;
}

/* runc and newer crun print what they can do as JSON. false: this one does not. */
static bool ask_features(struct shk_runtime_facts *f)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	struct json_object *o, *seccomp;

	shk_buf_init(&b, TEXT_MAX);
	if (!output_of(f->path, "features", &b))
		return false;
	o = shk_json_parse(shk_buf_view(&b), TEXT_MAX, NULL);
	if (!o)
		return false;
	seccomp = shk_json_object(shk_json_object(o, "linux"), "seccomp");
	f->notify = array_has(shk_json_array(seccomp, "actions"), "SCMP_ACT_NOTIFY");
	f->flags = array_has(shk_json_array(seccomp, "supportedFlags"),
			     "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") ||
		   array_has(shk_json_array(seccomp, "knownFlags"),
			     "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV");
	snprintf(f->text, sizeof(f->text), "says so itself (features)");
	json_object_put(o);
	return true;
}

static void judge(struct shk_runtime_facts *f, struct shk_str text, unsigned major, unsigned minor)
{
	unsigned v = major * 1000 + minor;

	if (strcmp(f->name, "podman") == 0) {
		f->notify = v >= 4001;
		snprintf(f->text, sizeof(f->text), "profiles with listenerPath from 4.1");
		return;
	}
	if (strcmp(f->name, "docker") == 0) {
		f->notify = v >= 23000;
		snprintf(f->text, sizeof(f->text),
			 "profiles with listenerPath from 23 (version of the client)");
		return;
	}
	if (ask_features(f))
		return;
	if (strcmp(f->name, "crun") == 0) {
		f->notify = text.n && memmem(text.p, text.n, "+SECCOMP", 8) && v >= 19;
		f->flags = f->notify && v >= 1006;
		snprintf(f->text, sizeof(f->text), "by its version and +SECCOMP");
		return;
	}
	f->notify = text.n && memmem(text.p, text.n, "libseccomp", 10) && v >= 1001;
	snprintf(f->text, sizeof(f->text), "by its version");
}

static void look_at(struct shk_report *r, const char *name, bool engine)
{
	struct shk_runtime_facts *f = &r->runtime[r->n_runtimes++];
	_cleanup_buf_ struct shk_buf b = { 0 };
	unsigned major, minor;

	*f = (struct shk_runtime_facts){ .name = name, .engine = engine };
	if (!find_program(name, f->path, sizeof(f->path))) {
		f->path[0] = 0;
		return;
	}
	shk_buf_init(&b, TEXT_MAX);
	if (!output_of(f->path, "--version", &b)) {
		snprintf(f->text, sizeof(f->text), "does not answer to --version");
		return;
	}
	f->present = true;
	version_in(shk_buf_view(&b), f->version, sizeof(f->version), &major, &minor);
	judge(f, shk_buf_view(&b), major, minor);
}

void shk_doctor_runtimes(struct shk_report *r)
{
	look_at(r, "runc", false);
	look_at(r, "crun", false);
	look_at(r, "podman", true);
	look_at(r, "docker", true);
}
