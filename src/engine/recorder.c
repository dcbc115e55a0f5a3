// SPDX-License-Identifier: Apache-2.0
#include "engine/recorder.h"

#include <errno.h>
#include <fcntl.h>

#include "base/io.h"
#include "event/text.h"
#include "state/state_text.h"

#define LINES_MAX    65536u /* known lines of a container; then all are written anew */
#define MOMENT_NS    1000000000u
#define BUFFER_BYTES 80u    /* as much of it as evt.buffer shows */

void shk_recorder_init(struct shk_recorder *r)
{
	pthread_mutex_init(&r->lock, NULL);
	shk_buf_init(&r->queue, SHK_RECORDER_QUEUE);
}

static void forget_only(struct shk_recorder *r)
{
	while (r->n_only)
		free(r->only[--r->n_only]);
}

void shk_recorder_done(struct shk_recorder *r)
{
	forget_only(r);
	shk_buf_done(&r->queue);
	pthread_mutex_destroy(&r->lock);
}

static int set_only(struct shk_recorder *r, const struct shk_str *only, size_t n, struct shk_err *err)
{
	forget_only(r);
	if (n > SHK_RECORDER_ONLY)
		return shk_err_set(err, EINVAL, "more than %u containers are named; leave the names out to record all",
				   SHK_RECORDER_ONLY);
	for (size_t i = 0; i < n; i++) {
		r->only[r->n_only] = strndup(only[i].p, only[i].n);
		if (!r->only[r->n_only])
			return shk_err_set(err, ENOMEM, "out of memory");
		r->n_only++;
	}
	return 0;
}

int shk_recorder_start(struct shk_recorder *r, const char *hostname, const struct shk_str *only, size_t n,
		       struct shk_err *err)
{
	int rc;

	if (shk_recorder_on(r))
		return shk_err_set(err, EBUSY, "somebody records already; end that recording first");
	pthread_mutex_lock(&r->lock);
	rc = set_only(r, only, n, err);
	shk_buf_done(&r->queue);
	shk_buf_init(&r->queue, SHK_RECORDER_QUEUE);
	r->done = 0;
	r->lost = 0;
	if (*hostname) {
		shk_buf_adds(&r->queue, "machine ");
		shk_text_quote(shk_str(hostname), &r->queue);
		shk_buf_addc(&r->queue, '\n');
	}
	pthread_mutex_unlock(&r->lock);
	if (rc < 0)
		return rc;
	r->last_round += r->last_round == UINT32_MAX ? 2 : 1;
	atomic_store(&r->round, r->last_round);
	return 0;
}

/* Once a container and recording. */
static bool asked_for(struct shk_recorder *r, const struct shk_container *c)
{
	bool found;

	pthread_mutex_lock(&r->lock);
	found = !r->n_only;
	for (unsigned i = 0; i < r->n_only && !found; i++)
		found = shk_str_eqz(c->full_id, r->only[i]) || shk_str_eqz(c->id, r->only[i]) ||
			shk_str_eqz(c->name, r->only[i]);
	pthread_mutex_unlock(&r->lock);
	return found;
}

void shk_recorder_stop(struct shk_recorder *r)
{
	atomic_store(&r->round, 0);
}

void shk_recorder_take(struct shk_recorder *r, size_t max, struct shk_buf *out, uint64_t *lost)
{
	size_t n;

	pthread_mutex_lock(&r->lock);
	n = SHK_MIN(max, r->queue.n - r->done);
	shk_buf_add(out, r->queue.p + r->done, n);
	r->done += n;
	if (r->done == r->queue.n) {
		shk_buf_reset(&r->queue);
		r->done = 0;
	}
	*lost = r->queue.n == 0 ? r->lost : 0;
	if (*lost)
		r->lost = 0;
	pthread_mutex_unlock(&r->lock);
}

/* ---- what is new ---- */

/* Keys of lines: one kind each, and numbers of tasks have 22 bits, of descriptors 31. */
enum { KEY_CONTAINER = 1, KEY_TASK, KEY_FD, KEY_USER, KEY_GROUP, KEY_CALLED, KEY_USAGE, KEY_STAMP };

struct note {
	struct shk_recorded_lines *lines;
	struct shk_eval_ctx *ctx;
	struct shk_str id; /* of the container */
	struct shk_buf text;
	struct shk_proc *put[5]; /* whose line was written for this event already */
	unsigned n_put;
	uint64_t moment; /* what nobody asks for is looked at again in another one */
	bool anew;	/* all lines are to be written again */
};

static uint64_t key(unsigned kind, uint64_t a, uint64_t b)
{
	return (uint64_t)kind << 60 | (a & 0x3fffff) << 32 | b;
}

/* The line that begins at `from` stays if it says something new. */
static void keep_new(struct note *n, uint64_t k, size_t from)
{
	uintptr_t hash;

	if (n->text.failed)
		return;
	hash = (uintptr_t)shk_hash(n->text.p + from, n->text.n - from) | 1;
	if ((uintptr_t)shk_map_get_u64(&n->lines->hash, k) == hash)
		n->text.n = from;
	else if (shk_map_set_u64(&n->lines->hash, k, (void *)hash) < 0)
		shk_map_del_u64(&n->lines->hash, k);
}

/* Is this what was known when the line was written last, in this very moment? stamp 0: who knows. */
static bool settled(struct note *n, uint64_t k, uint64_t stamp)
{
	uintptr_t now = (uintptr_t)((stamp ^ n->moment << 1) | 1);

	return stamp && (uintptr_t)shk_map_get_u64(&n->lines->hash, k) == now;
}

static void settle(struct note *n, uint64_t k, uint64_t stamp)
{
	uintptr_t now = (uintptr_t)((stamp ^ n->moment << 1) | 1);

	if (!stamp || shk_map_set_u64(&n->lines->hash, k, (void *)now) < 0)
		shk_map_del_u64(&n->lines->hash, k);
}

/* A thing that was there and is gone. */
static void put_gone(struct note *n, uint64_t k, const char *line)
{
	size_t from = n->text.n;

	if (!shk_map_get_u64(&n->lines->hash, k))
		return;
	shk_buf_adds(&n->text, line);
	keep_new(n, k, from);
}

/* Ancestors of the container's tasks may be the host's: those count that have made a call, and the init. */
static bool of_container(struct note *n, pid_t tid)
{
	uint64_t k = key(KEY_CALLED, (uint64_t)tid, 0);

	if (tid == n->ctx->ctr->init_pid || shk_map_get_u64(&n->lines->hash, k))
		return true;
	return tid == n->ctx->ev->tid && shk_map_set_u64(&n->lines->hash, k, n->lines) == 0;
}

static uint64_t stamp_of(struct shk_proc *p, bool inside)
{
	uint64_t stamp = shk_proc_stamp(p);

	return stamp && inside ? ~stamp : stamp;
}

/* What a rule has asked for was read for this event, and a stamp shows where it differs. What none has asked for may be a
 * moment old: reading everything of a task and its ancestors takes longer than all the rest. true: the task was
 * looked at. */
static bool put_task(struct note *n, struct shk_proc *p, pid_t tid)
{
	size_t from = n->text.n;
	uint64_t k = key(KEY_STAMP, (uint64_t)tid, 0);
	bool inside;
	char line[64];

	if (!p) {
		/* What is only known by what was told (observer_tree.c) says nothing of who else is there. */
		if (n->ctx->recorded || tid <= 0 || !shk_map_get_u64(&n->lines->hash, key(KEY_TASK, (uint64_t)tid, 0)))
			return false;
		/* Its descriptors go with it: what is known of them is to be written again, should the number be. */
		snprintf(line, sizeof(line), "process %d gone=true\n", (int)tid);
		put_gone(n, key(KEY_TASK, (uint64_t)tid, 0), line);
		n->anew = true;
		return false;
	}
	for (unsigned i = 0; i < n->n_put; i++)
		if (n->put[i] == p)
			return false;
	if (n->n_put < SHK_ARRAY_SIZE(n->put))
		n->put[n->n_put++] = p;
	inside = of_container(n, shk_proc_tid(p));
	if (settled(n, k, stamp_of(p, inside)))
		return false;
	shk_state_put_process(p, inside ? n->id : (struct shk_str){ NULL, 0 }, &n->text);
	keep_new(n, key(KEY_TASK, (uint64_t)shk_proc_tid(p), 0), from);
	settle(n, k, stamp_of(p, inside));
	return true;
}

/* The task itself, its ancestors, and the leaders that fields ask for. */
static bool put_tasks(struct note *n, struct shk_proc *task)
{
	bool asked = task && shk_proc_asked(task, SHK_ASKED_STAT), anew;
	struct shk_proc *p = task;

	anew = put_task(n, task, n->ctx->ev->tid);
	if (!task)
		return false;
	put_task(n, shk_proc_container_init(task), n->ctx->ctr->init_pid);
	if (anew || asked) {
		put_task(n, shk_proc_session_leader(task), shk_proc_sid(task));
		put_task(n, shk_proc_group_leader(task), shk_proc_pgid(task));
	}
	for (unsigned i = 0; p && shk_proc_tid(p) != 1 && i < SHK_ANCESTORS_MAX; i++) {
		struct shk_proc *parent = shk_proc_parent(p);

		put_task(n, parent, shk_proc_ppid(p));
		p = parent;
	}
	return anew;
}

static void put_fd(struct note *n, int fd)
{
	pid_t tid = n->ctx->ev->tid;
	size_t from = n->text.n;
	struct shk_fd_facts f;
	char line[64];

	if (shk_fd_facts(n->ctx, fd, &f)) {
		if (f.type == 'f' && f.path.p && !f.deleted)
			f.layer_known = shk_fd_upper(n->ctx, fd, f.path, &f.upper);
		shk_state_put_fd(tid, fd, &f, &n->text);
		keep_new(n, key(KEY_FD, (uint64_t)tid, (uint32_t)fd), from);
		return;
	}
	snprintf(line, sizeof(line), "fd %d %d closed=true\n", (int)tid, fd);
	put_gone(n, key(KEY_FD, (uint64_t)tid, (uint32_t)fd), line);
}

static void put_user(struct note *n, uid_t uid)
{
	size_t from = n->text.n;

	shk_state_put_user(uid, shk_user_of(n->ctx, uid), n->id, &n->text);
	keep_new(n, key(KEY_USER, 0, uid), from);
}

static void put_group(struct note *n, gid_t gid)
{
	size_t from = n->text.n;

	shk_state_put_group(gid, shk_group_of(n->ctx, gid), n->id, &n->text);
	keep_new(n, key(KEY_GROUP, 0, gid), from);
}

/* Standard streams have fields of their own; the others are those the call names. */
static void put_fds(struct note *n, bool streams)
{
	struct shk_event *ev = n->ctx->ev;

	for (int fd = 0; fd < 3 && streams; fd++)
		put_fd(n, fd);
	for (unsigned i = 0; ev->call && i < ev->call->nargs; i++) {
		int fd = (int)ev->raw[i];

		if ((ev->call->arg[i].kind == SHK_ARG_FD || ev->call->arg[i].kind == SHK_ARG_DIRFD) &&
		    fd > (streams ? 2 : -1))
			put_fd(n, fd);
	}
}

static void put_names(struct note *n, struct shk_proc *task, bool own, bool login)
{
	const struct shk_proc_creds *c = own ? shk_proc_creds(task) : NULL;
	struct shk_event *ev = n->ctx->ev;
	uint32_t uid;

	if (c) {
		put_user(n, c->uid);
		put_group(n, c->gid);
	}
	if (login && shk_proc_loginuid(task, &uid) && uid != UINT32_MAX)
		put_user(n, uid);
	for (unsigned i = 0; ev->call && i < ev->call->nargs; i++) {
		if (ev->call->arg[i].kind == SHK_ARG_UID)
			put_user(n, (uid_t)ev->raw[i]);
		else if (ev->call->arg[i].kind == SHK_ARG_GID)
			put_group(n, (gid_t)ev->raw[i]);
	}
}

/* ---- the event ---- */

static void set_objects(struct shk_eval_ctx *ctx, const struct shk_judgement *j)
{
	struct shk_str *o = NULL;

	for (unsigned i = 0; i < 6; i++) {
		if (j->real.abs_path_state[i] != SHK_PATH_KNOWN || j->real.abs_path[i].p == ctx->abs_path[i].p)
			continue;
		if (!o)
			o = SHK_ARENA_ARRAY(ctx->ev->arena, struct shk_str, 6);
		if (o)
			o[i] = j->real.abs_path[i];
	}
	ctx->ev->object = o;
}

/* What evt.buffer would show; the other arguments in memory are those of the table. */
static struct shk_str buffer_of(struct shk_event *ev)
{
	struct shk_str s = { NULL, 0 };
	size_t n;
	char *p;

	switch (ev->call ? ev->call->id : SHK_CALL_N) {
	case SHK_CALL_write:
	case SHK_CALL_pwrite64:
	case SHK_CALL_sendto:
		break;
	default:
		return s;
	}
	n = (size_t)SHK_MIN(ev->raw[2], (uint64_t)BUFFER_BYTES);
	p = n ? shk_arena_alloc_raw(ev->arena, n) : NULL;
	if (p && shk_event_read(ev, ev->raw[1], p, n) > 0)
		s = (struct shk_str){ p, n };
	return s;
}

static void put_event(struct note *n, const struct shk_judgement *j)
{
	struct shk_event *ev = n->ctx->ev;
	struct shk_str buffer = buffer_of(ev);

	for (unsigned i = 0; ev->call && i < ev->call->nargs; i++)
		(void)shk_event_arg(ev, i);
	set_objects(n->ctx, j);
	shk_event_print_with(ev, n->id, ev->raw[1], buffer, &n->text);
	ev->object = NULL;
	shk_buf_addc(&n->text, '\n');
}

static void put_container(struct note *n)
{
	const struct shk_container *c = n->ctx->ctr;
	uint64_t stamp = (uint64_t)(uintptr_t)c->policy.p | 1;
	size_t from = n->text.n;

	if (settled(n, key(KEY_STAMP, 0, 0), stamp))
		return;
	shk_state_put_container(c, &n->text);
	keep_new(n, key(KEY_CONTAINER, 0, 0), from);
	settle(n, key(KEY_STAMP, 0, 0), stamp);
}

static void put_state(struct note *n, struct shk_proc *task, struct shk_proc *program)
{
	/* Before anything is asked for here. */
	bool usage = shk_proc_asked(task, SHK_ASKED_USAGE), streams = shk_proc_asked(task, SHK_ASKED_STREAMS);
	bool names = shk_proc_asked(task, SHK_ASKED_NAMES), login = shk_proc_asked(task, SHK_ASKED_LOGIN);
	bool anew = put_tasks(n, task);
	size_t from = n->text.n;

	if (anew || usage) {
		shk_state_put_usage(task, n->ctx->ev->arena, &n->text);
		keep_new(n, key(KEY_USAGE, (uint64_t)n->ctx->ev->tid, 0), from);
	}
	put_fds(n, anew || streams);
	put_names(n, task, anew || names, anew || login);
	if (program != task)
		shk_state_put_program(program, &n->text);
}

static void put_all(struct note *n, const struct shk_judgement *j)
{
	struct shk_proc *task = shk_proc_task_of(n->ctx), *program = shk_proc_of(n->ctx);

	put_container(n);
	if (task)
		put_state(n, task, program);
	else
		put_task(n, NULL, n->ctx->ev->tid);
	put_event(n, j);
}

static void start_anew(struct shk_recorded_lines *lines, unsigned round)
{
	shk_map_done(&lines->hash);
	shk_map_init(&lines->hash);
	lines->round = round;
}

/* All of an event, or nothing. due: there is much to be sent. */
static bool push(struct shk_recorder *r, const struct shk_buf *text, bool *due)
{
	bool room;

	pthread_mutex_lock(&r->lock);
	room = !text->failed && r->queue.n + text->n <= SHK_RECORDER_QUEUE;
	if (room)
		shk_buf_add(&r->queue, text->p, text->n);
	room &= !r->queue.failed;
	r->queue.failed = false;
	if (!room)
		r->lost++;
	*due = r->queue.n - r->done >= SHK_RECORDER_PIECE;
	pthread_mutex_unlock(&r->lock);
	return room;
}

bool shk_recorder_note(struct shk_recorder *r, struct shk_recorded_lines *lines, struct shk_eval_ctx *ctx,
		       const struct shk_judgement *j)
{
	unsigned round = atomic_load(&r->round);
	struct note n = { .lines = lines, .ctx = ctx, .id = ctx->ctr->full_id,
			  .moment = shk_now_mono() / MOMENT_NS };
	struct shk_event *ev = ctx->ev;
	bool unreadable = ev->memory_failed, too_large = ev->arena->failed, due = false;

	if (!round)
		return false;
	if (lines->round != round)
		lines->left_out = !asked_for(r, ctx->ctr);
	if (lines->round != round || lines->hash.used > LINES_MAX)
		start_anew(lines, round);
	if (lines->left_out)
		return false;
	shk_buf_init(&n.text, SHK_RECORDER_EVENT);
	put_all(&n, j);
	/* What is lost must be said again. */
	if (!push(r, &n.text, &due) || n.anew)
		start_anew(lines, round);
	shk_buf_done(&n.text);
	/* The verdict does not depend on what was read here. */
	ev->memory_failed = unreadable;
	ev->arena->failed = too_large;
	return due;
}

void shk_recorded_lines_done(struct shk_recorded_lines *lines)
{
	shk_map_done(&lines->hash);
}
