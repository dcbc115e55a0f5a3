// SPDX-License-Identifier: Apache-2.0
#include "sources/replay/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "state/recorded.h"

/* A line and what is made of it: contents at addresses, absolute paths, values of fields. */
#define ARENA_BYTES (16u << 20)
#define READ_BYTES  (256u << 10)

struct shk_replay {
	char *name;
	int fd; /* -1: text in memory */
	char *buf; /* whole lines, then the beginning of one */
	size_t n, size, used; /* used: bytes of buf that the reader has had */
	bool eof, pending, broken;
	uint64_t bytes, total, num;
	uint64_t first_ns, prev_ns; /* times of the first event and of the last one */
	struct shk_text_reader reader;
	struct shk_recorded *state;
	struct shk_arena arena;
	struct shk_text_record rec;
	struct shk_eval_ctx ctx; /* pending: the event whose effects are still to come */
};

static int open_any(const char *name, struct shk_replay **ret, struct shk_err *err)
{
	struct shk_replay *r = calloc(1, sizeof(*r));

	if (!r)
		return shk_err_set(err, ENOMEM, "out of memory");
	r->fd = -1;
	shk_arena_init(&r->arena, ARENA_BYTES);
	r->name = strdup(name);
	r->state = shk_recorded_new();
	if (!r->name || !r->state) {
		shk_replay_free(r);
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	*ret = r;
	return 0;
}

int shk_replay_open_text(const char *name, struct shk_str text, struct shk_replay **ret,
			 struct shk_err *err)
{
	int rc = open_any(name, ret, err);

	if (rc < 0)
		return rc;
	(*ret)->eof = true;
	(*ret)->total = text.n;
	shk_text_init(&(*ret)->reader, text);
	return 0;
}

int shk_replay_open_lines(const char *name, struct shk_str text, unsigned before, struct shk_replay **ret,
			  struct shk_err *err)
{
	int rc = shk_replay_open_text(name, text, ret, err);

	if (rc < 0)
		return rc;
	(*ret)->reader.line = before;
	(*ret)->reader.versioned = !shk_str_starts(text, SHK_STR("shrike-events"));
	return 0;
}

int shk_replay_open(const char *path, struct shk_replay **ret, struct shk_err *err)
{
	bool is_stdin = strcmp(path, "-") == 0;
	SHK_CLEANUP(shk_replay_freep) struct shk_replay *r = NULL;
	struct stat st;
	int rc = open_any(is_stdin ? "standard input" : path, &r, err);

	if (rc < 0)
		return rc;
	r->fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return shk_err_sys(err, errno, "%s", path);
	if (fstat(r->fd, &st) == 0 && S_ISREG(st.st_mode))
		r->total = (uint64_t)st.st_size;
	shk_text_init(&r->reader, (struct shk_str){ NULL, 0 });
	*ret = TAKE_PTR(r);
	return 0;
}

void shk_replay_free(struct shk_replay *r)
{
	if (!r)
		return;
	shk_close(&r->fd);
	shk_recorded_free(r->state);
	shk_arena_done(&r->arena);
	free(r->buf);
	free(r->name);
	free(r);
}

static int grow(struct shk_replay *r, struct shk_err *err)
{
	size_t size = r->size ? r->size * 2 : READ_BYTES;
	char *p;

	if (r->size > SHK_TEXT_LINE_MAX)
		return shk_err_set(err, EBADMSG, "%s: line %u: longer than %u bytes", r->name,
				   r->reader.line + 1, SHK_TEXT_LINE_MAX);
	p = realloc(r->buf, size);
	if (!p)
		return shk_err_set(err, ENOMEM, "out of memory");
	r->buf = p;
	r->size = size;
	return 0;
}

/* Whole lines for the reader, which has had all it was given. 1, 0: the end, -errno. */
static int refill(struct shk_replay *r, struct shk_err *err)
{
	const char *nl = NULL;

	r->n -= r->used;
	if (r->n)
		memmove(r->buf, r->buf + r->used, r->n);
	r->used = 0;
	while (!nl && !r->eof) {
		size_t before = r->n;
		ssize_t got;
		int rc = r->n == r->size ? grow(r, err) : 0;

		if (rc < 0)
			return rc;
		got = read(r->fd, r->buf + r->n, r->size - r->n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return shk_err_sys(err, errno, "%s", r->name);
		r->n += (size_t)got;
		r->eof = got == 0;
		nl = memrchr(r->buf + before, '\n', r->n - before);
	}
	r->used = nl ? (size_t)(nl + 1 - r->buf) : r->n;
	r->bytes += r->used;
	r->reader.rest = (struct shk_str){ r->buf, r->used };
	return r->used != 0;
}

static int next_record(struct shk_replay *r, struct shk_err *err)
{
	for (;;) {
		int rc;

		shk_arena_reset(&r->arena);
		if (!r->reader.rest.n && !r->eof) {
			rc = refill(r, err);
			if (rc < 0)
				return rc;
		}
		r->reader.more = !r->eof;
		rc = shk_text_next(&r->reader, &r->arena, &r->rec, err);
		if (rc < 0)
			return shk_err_prefix(err, "%s", r->name);
		if (rc > 0 || r->eof)
			return rc;
	}
}

static int next_event(struct shk_replay *r, struct shk_eval_ctx *ctx, struct shk_err *err)
{
	struct shk_event *ev = &r->rec.event;

	for (;;) {
		int rc = next_record(r, err);

		if (rc <= 0)
			return rc;
		if (r->rec.kind == SHK_TEXT_EVENT)
			break;
		rc = shk_recorded_put(r->state, &r->rec, err);
		if (rc < 0)
			return shk_err_prefix(err, "%s: line %u", r->name, r->rec.line);
	}
	r->num = ev->num ? ev->num : r->num + 1;
	ev->num = r->num;
	ev->first_ns = r->first_ns ? r->first_ns : ev->time_ns;
	ev->prev_ns = r->prev_ns;
	r->first_ns = ev->first_ns;
	r->prev_ns = ev->time_ns;
	shk_recorded_begin(r->state, ev, r->rec.container, &r->ctx);
	*ctx = r->ctx;
	r->pending = true;
	return 1;
}

int shk_replay_next(struct shk_replay *r, struct shk_eval_ctx *ctx, struct shk_err *err)
{
	int rc;

	if (r->broken)
		return 0;
	if (r->pending)
		shk_recorded_apply(r->state, &r->ctx);
	r->pending = false;
	rc = next_event(r, ctx, err);
	r->broken = rc <= 0;
	return rc;
}

unsigned shk_replay_line(const struct shk_replay *r)
{
	return r->rec.line;
}

uint64_t shk_replay_done(const struct shk_replay *r)
{
	return r->fd < 0 ? r->total - r->reader.rest.n : r->bytes - r->reader.rest.n;
}

uint64_t shk_replay_size(const struct shk_replay *r)
{
	return r->total;
}
