// SPDX-License-Identifier: Apache-2.0
/*
 * What an execve is about to run: files are pinned, strings copied.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/exec.h"
#include "state/program.h"

#define PATH_MAX_BYTES 4096u

static const struct shk_arg *strings(struct shk_event *ev, unsigned i)
{
	return shk_event_arg(ev, shk_exec_arg(ev, i));
}

static void pack(struct shk_buf *out, struct shk_str s)
{
	shk_buf_add(out, s.p, s.n);
	shk_buf_add(out, "", 1);
}

/* What is known of an argument of strings. false: nothing. */
static bool pack_all(struct shk_buf *out, const struct shk_arg *a, size_t from, bool *cut)
{
	if (a->state != SHK_ARG_OK && a->state != SHK_ARG_TRUNCATED && a->state != SHK_ARG_NULL)
		return false;
	for (size_t i = from; i < a->vec.n; i++)
		pack(out, a->vec.v[i]);
	*cut = a->state == SHK_ARG_TRUNCATED || a->vec.truncated;
	return true;
}

static int describe(struct shk_exec_file *f)
{
	char link[SHK_PROC_PATH], name[PATH_MAX_BYTES];
	const struct statx *sx = &f->found.sx;
	ssize_t n = readlink(shk_fd_path(link, f->fd), name, sizeof(name));

	if (n < 0 || (size_t)n == sizeof(name))
		return n < 0 ? -errno : -ENAMETOOLONG;
	f->dev = (uint64_t)sx->stx_dev_major << 32 | sx->stx_dev_minor;
	f->ino = sx->stx_ino;
	f->mnt = sx->stx_mask & STATX_MNT_ID ? sx->stx_mnt_id : 0;
	f->memfd = shk_is_memfd(sx);
	f->name = strndup(name, (size_t)n);
	f->held = (struct shk_held_program){ sx, f->name };
	return f->name ? 0 : -ENOMEM;
}

/* Strings that interpreters have put in front of the arguments, the last one's first. */
struct front {
	struct shk_str s[2 * SHK_EXEC_FILES + 1];
	unsigned n;
};

static bool put_front(struct shk_arena *a, struct front *f, struct shk_str s)
{
	struct shk_str copy = shk_arena_str(a, s);

	if (!copy.p || f->n == SHK_ARRAY_SIZE(f->s))
		return false;
	memmove(f->s + 1, f->s, f->n * sizeof(*f->s));
	f->s[0] = copy;
	f->n++;
	return true;
}

/* One level of "#!": the program's name so far goes behind the interpreter and its argument. */
static bool turn(struct shk_arena *a, struct front *f, struct shk_str so_far, struct shk_str name,
		 struct shk_str arg)
{
	if (f->n) { /* remove_arg_zero() */
		memmove(f->s, f->s + 1, (f->n - 1) * sizeof(*f->s));
		f->n--;
	}
	return put_front(a, f, so_far) && (!arg.p || put_front(a, f, arg)) && put_front(a, f, name);
}

/* A failure that the call meets for certain is what was judged; another one says that nothing is known. */
static int came_to(struct shk_exec_judged *j, int r, bool certain)
{
	if (!certain)
		return r;
	j->err = -r;
	return 0;
}

static int follow(struct shk_eval_ctx *ctx, struct shk_exec_judged *j, struct front *front)
{
	struct shk_str so_far = shk_program_filename(ctx->ev), name, arg;
	bool certain;
	int fd = shk_program_pin(ctx, &j->file[0].found, &certain);

	for (;;) {
		struct shk_exec_file *f = &j->file[j->n];
		char head[SHK_EXEC_HEAD] = "";
		ssize_t n;
		int r;

		if (fd < 0)
			return came_to(j, fd, certain);
		f->fd = fd;
		j->n++;
		r = describe(f);
		if (r < 0)
			return r;
		n = shk_program_head(ctx, fd, &f->found, head, sizeof(head));
		if (n < 0)
			return came_to(j, (int)n, n == -EACCES);
		r = shk_exec_script_line(head, &name, &arg);
		if (r <= 0)
			return came_to(j, r, r < 0);
		if (j->n == SHK_EXEC_FILES)
			return came_to(j, -ELOOP, true);
		if (!so_far.p || !turn(ctx->ev->arena, front, so_far, name, arg))
			return -ENOMEM;
		so_far = front->s[0];
		fd = shk_program_pin_interpreter(ctx, so_far, &j->file[j->n].found, &certain);
	}
}

int shk_exec_judged_make(struct shk_eval_ctx *ctx, struct shk_exec_judged **ret)
{
	SHK_CLEANUP(shk_exec_judged_freep) struct shk_exec_judged *j = calloc(1, sizeof(*j));
	const struct shk_arg *argv = strings(ctx->ev, 1);
	struct shk_str path = shk_program_filename(ctx->ev);
	struct front front = { .n = 0 };
	int r;

	if (!j)
		return -ENOMEM;
	for (unsigned i = 0; i < SHK_EXEC_FILES; i++)
		j->file[i].fd = -1;
	shk_buf_init(&j->argv, 4 * SHK_ARGV_BYTES);
	shk_buf_init(&j->env, 2 * SHK_ARGV_BYTES);
	shk_buf_init(&j->path, 2 * PATH_MAX_BYTES);
	r = follow(ctx, j, &front);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < front.n; i++)
		pack(&j->argv, front.s[i]);
	j->has_argv = pack_all(&j->argv, argv, front.n ? 1 : 0, &j->argv_cut);
	/* Nobody runs with no argument at all, since 5.18 (fs/exec.c, bprm->argc). */
	if (j->has_argv && !j->argv.n)
		pack(&j->argv, SHK_STR(""));
	j->has_path = path.p != NULL;
	if (path.p)
		pack(&j->path, path);
	if (j->argv.failed || j->path.failed)
		return -ENOMEM;
	*ret = TAKE_PTR(j);
	return 0;
}

bool shk_exec_as_interpreter(struct shk_event *ev, const struct shk_exec_judged *j, struct shk_event *ret)
{
	unsigned at = shk_exec_arg(ev, 1);
	struct shk_strvec *v;

	if (j->n < 2 || j->err || !j->has_argv)
		return false;
	*ret = *ev;
	ret->program = &j->file[j->n - 1].held;
	v = &ret->arg[at].vec;
	*v = (struct shk_strvec){ .v = shk_arena_alloc(ev->arena, (SHK_ARGV_LIMIT + 2 * SHK_EXEC_FILES) *
							  sizeof(*v->v)) };
	for (size_t i = 0; v->v && i < j->argv.n && v->n < SHK_ARGV_LIMIT + 2 * SHK_EXEC_FILES;) {
		size_t n = strlen(j->argv.p + i);

		v->v[v->n++] = (struct shk_str){ j->argv.p + i, n };
		i += n + 1;
	}
	v->truncated = j->argv_cut;
	return v->v != NULL;
}

void shk_exec_read_back(struct shk_event *ev, const struct shk_event *view)
{
	unsigned at = shk_exec_arg(ev, 2);

	if (ev->arg[at].state == SHK_ARG_UNREAD)
		ev->arg[at] = view->arg[at];
	ev->memory_failed |= view->memory_failed;
}

void shk_exec_judged_seal(struct shk_exec_judged *j, const struct shk_eval_ctx *ctx)
{
	if (!shk_program_env_asked(ctx) || j->has_env)
		return;
	j->has_env = pack_all(&j->env, strings(ctx->ev, 2), 0, &j->env_cut);
}

void shk_exec_judged_free(struct shk_exec_judged *j)
{
	if (!j)
		return;
	for (unsigned i = 0; i < SHK_EXEC_FILES; i++) {
		shk_close(&j->file[i].fd);
		free(j->file[i].name);
	}
	shk_buf_done(&j->argv);
	shk_buf_done(&j->env);
	shk_buf_done(&j->path);
	free(j);
}
