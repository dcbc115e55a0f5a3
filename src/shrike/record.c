// SPDX-License-Identifier: Apache-2.0
/*
 * shrike events --record - the stream of judged events into a file.
 *
 * Interrupted, the engine is told to end, and what it has is still written. Whole lines only: a file that ends in the
 * middle of one would not replay.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/io.h"
#include "control/control.h"
#include "event/text.h"
#include "shrike/cli.h"

#define SIZE_DEFAULT (1ull << 30)
#define SIZE_MIN     4096u

struct record {
	FILE *f;
	const char *path;
	uint64_t size, max, lost, events;
	bool full;
	int error; /* of writing */
	struct shk_buf part; /* of a line */
};

static volatile sig_atomic_t stopped;
static volatile int connection = -1;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
	if (connection >= 0)
		shutdown(connection, SHUT_WR);
}

static void put_line(struct record *r, struct shk_str line)
{
	if (r->full || r->error)
		return;
	if (r->size + line.n > r->max) {
		r->full = true;
		return;
	}
	if (fwrite(line.p, 1, line.n, r->f) != line.n)
		r->error = errno ? errno : EIO;
	r->size += line.n;
	r->events += shk_str_starts(line, SHK_STR("event "));
}

static void put_text(struct record *r, struct shk_str s)
{
	while (s.n) {
		const char *nl = memchr(s.p, '\n', s.n);
		size_t n = nl ? (size_t)(nl - s.p) + 1 : s.n;

		shk_buf_add(&r->part, s.p, n);
		s.p += n;
		s.n -= n;
		if (!nl)
			continue;
		if (r->part.failed) /* longer than a line may be */
			r->lost++;
		else
			put_line(r, shk_buf_view(&r->part));
		shk_buf_reset(&r->part);
	}
}

static void put_note(struct record *r, const char *what)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "# %s\n", what);

	put_line(r, (struct shk_str){ line, (size_t)n });
}

static int on_more(struct json_object *more, void *arg)
{
	struct record *r = arg;
	uint64_t lost = (uint64_t)shk_json_int(more, "lost", 0);
	struct shk_str text = shk_json_str(more, "text");
	char note[64];

	if (text.n)
		put_text(r, text);
	if (lost) {
		snprintf(note, sizeof(note), "%llu events were lost here", (unsigned long long)lost);
		put_note(r, note);
		r->lost += lost;
	}
	/* Somebody may be looking at the file as it grows. */
	if (!r->error && fflush(r->f) != 0)
		r->error = errno;
	return r->full || r->error;
}

/* One connection; -ECONNRESET and -EPIPE: the engine ended, the next one goes on. */
static int receive(const struct shk_cli *c, struct record *r, struct shk_err *err)
{
	SHK_CLEANUP(shk_client_freep) struct shk_client *client = NULL;
	struct json_object *request, *answer = NULL;
	int rc = shk_client_connect(c->socket, &client, err);

	if (rc < 0)
		return rc;
	request = shk_cli_request("record");
	if (!request)
		return shk_err_set(err, ENOMEM, "out of memory");
	connection = shk_client_fd(client);
	if (stopped)
		shutdown(connection, SHUT_WR);
	rc = shk_client_call(client, request, NULL, 0, on_more, r, -1, &answer, err);
	connection = -1;
	json_object_put(request);
	json_object_put(answer);
	return rc;
}

static int record(const struct shk_cli *c, struct record *r)
{
	bool connected = false;

	for (;;) {
		struct shk_err err = { 0 };
		int rc = receive(c, r, &err);

		if (r->error)
			return shk_cli_fail(SHK_EXIT_FAILED, "%s: %s", r->path, strerror(r->error));
		if (rc == 0 || r->full)
			return SHK_EXIT_OK;
		if (rc != -ECONNRESET && rc != -EPIPE)
			return shk_cli_fail(rc == -ENOENT || rc == -ECONNREFUSED || rc == -ETIMEDOUT ?
						    SHK_EXIT_NO_DAEMON : SHK_EXIT_FAILED, "%s", err.text);
		if (stopped)
			return connected ? SHK_EXIT_OK : SHK_EXIT_NO_DAEMON;
		connected = true;
		shk_buf_reset(&r->part);
		put_note(r, "the engine was started anew here; events before may be missing");
	}
}

/* "4096", "64K", "1G"; 0: none of these. */
static uint64_t size_of(const char *text)
{
	static const char units[] = "KMG";
	struct shk_str s = shk_str(text);
	const char *unit = s.n ? strchr(units, s.p[s.n - 1]) : NULL;
	unsigned shift = unit && *unit ? (unsigned)(unit - units + 1) * 10 : 0;
	uint64_t v;

	s.n -= shift ? 1 : 0;
	return shk_str_to_u64(s, &v) && v <= UINT64_MAX >> 1 >> shift ? v << shift : 0;
}

static int finish(struct record *r, int code)
{
	if (fclose(r->f) != 0 && code == SHK_EXIT_OK)
		code = shk_cli_fail(SHK_EXIT_FAILED, "%s: %s", r->path, strerror(errno));
	if (code != SHK_EXIT_OK)
		return code;
	fprintf(stderr, "%s: %llu events, %llu bytes%s\n", r->path, (unsigned long long)r->events,
		(unsigned long long)r->size, r->full ? ", full" : "");
	if (r->lost)
		return shk_cli_fail(SHK_EXIT_FINDING, "%llu events were lost: they came faster than they could be "
				    "written", (unsigned long long)r->lost);
	return SHK_EXIT_OK;
}

int shk_cli_record(const struct shk_cli *c, const char *file, const char *size)
{
	struct record r = { .path = file, .max = size ? size_of(size) : SIZE_DEFAULT };
	struct sigaction a = { .sa_handler = on_signal };
	int fd, code;

	if (r.max < SIZE_MIN)
		return shk_cli_usage(c, "events: --max-size takes a number of at least %u, with K, M or G, not \"%.32s\"",
				     SIZE_MIN, size);
	/* What programs are called with is nobody else's business. */
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r.f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!r.f) {
		code = errno;
		shk_close(&fd);
		return shk_cli_fail(SHK_EXIT_FAILED, "%s: %s", file, strerror(code));
	}
	(void)fchmod(fd, 0600);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	shk_buf_init(&r.part, SHK_TEXT_LINE_MAX);
	put_line(&r, SHK_STR(SHK_TEXT_HEAD "\n"));
	code = record(c, &r);
	shk_buf_done(&r.part);
	return finish(&r, code);
}
