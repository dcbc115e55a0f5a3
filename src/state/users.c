// SPDX-License-Identifier: Apache-2.0
#include "state/users.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "state/process_impl.h"
#include "state/recorded_impl.h"
#include "state/walk.h"

#define FILE_BYTES (1u << 20)
#define LINES_MAX  65536u
#define ROWS_BYTES (8u << 20)
#define LOOK_NS	   1000000000u

enum { PASSWD, GROUP, N_FILES };

/* One file as last seen. The rows' texts are views into the arena. */
struct table {
	struct shk_arena arena;
	struct shk_map by_id; /* id -> struct shk_user or struct shk_group */
	uint64_t looked_ns;   /* 0: never */
	uint64_t used_at;     /* decision that holds views of it */
	uint64_t ino, dev, size, mtime_ns, ctime_ns; /* all 0: no file */
};

struct shk_users {
	struct table table[N_FILES];
	struct id_map {
		struct { uint32_t inside, outside, count; } range[16];
		unsigned n;
	} map[N_FILES];
};

static const char *const files[N_FILES] = { "/etc/passwd", "/etc/group" };

static void empty(struct table *t)
{
	shk_map_done(&t->by_id);
	shk_map_init(&t->by_id);
	shk_arena_done(&t->arena);
	shk_arena_init(&t->arena, ROWS_BYTES);
}

void shk_users_free(struct shk_container *c)
{
	if (!c->users)
		return;
	for (unsigned i = 0; i < N_FILES; i++) {
		shk_map_done(&c->users->table[i].by_id);
		shk_arena_done(&c->users->table[i].arena);
	}
	free(c->users);
	c->users = NULL;
}

/* Next part of a line up to ':'. */
static struct shk_str part(struct shk_str *line)
{
	const char *colon = line->n ? memchr(line->p, ':', line->n) : NULL;
	size_t len = colon ? (size_t)(colon - line->p) : line->n;
	struct shk_str s = { line->p, len };

	len += colon ? 1 : 0;
	line->p += len;
	line->n -= len;
	return s;
}

/* passwd: name:x:uid:gid:gecos:home:shell; group: name:x:gid:members. The first row of an id counts,
 * as for getpwuid(3). */
static void add_row(struct table *t, unsigned which, struct shk_str line)
{
	struct shk_str name = part(&line), id;
	struct shk_group *g;
	struct shk_user *u;
	uint64_t v;

	part(&line);
	id = part(&line);
	if (!name.n || !shk_str_to_u64(id, &v) || v > UINT32_MAX || shk_map_get_u64(&t->by_id, v))
		return;
	if (which == GROUP) {
		g = SHK_ARENA_NEW(&t->arena, struct shk_group);
		if (g) {
			g->gid = (gid_t)v;
			g->name = name;
			shk_map_set_u64(&t->by_id, v, g);
		}
		return;
	}
	part(&line);
	part(&line);
	u = SHK_ARENA_NEW(&t->arena, struct shk_user);
	if (u) {
		u->uid = (uid_t)v;
		u->name = name;
		u->homedir = part(&line);
		u->shell = part(&line);
		shk_map_set_u64(&t->by_id, v, u);
	}
}

static void parse(struct table *t, unsigned which, struct shk_str text)
{
	text = shk_arena_str(&t->arena, text);
	for (unsigned n = 0; text.n && n < LINES_MAX; n++) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t len = nl ? (size_t)(nl - text.p) : text.n;

		add_row(t, which, (struct shk_str){ text.p, len });
		len += nl ? 1 : 0;
		text.p += len;
		text.n -= len;
	}
}

/* Remembers what file this is; true if it is the one already read. */
static bool same_file(struct table *t, const struct stat *st)
{
	uint64_t m = (uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec;
	uint64_t ch = (uint64_t)st->st_ctim.tv_sec * 1000000000u + (uint64_t)st->st_ctim.tv_nsec;
	bool same = t->ino == st->st_ino && t->dev == st->st_dev && t->mtime_ns == m &&
		    t->ctime_ns == ch && t->size == (uint64_t)st->st_size;

	t->ino = st->st_ino;
	t->dev = st->st_dev;
	t->size = (uint64_t)st->st_size;
	t->mtime_ns = m;
	t->ctime_ns = ch;
	return same;
}

static void refresh(struct shk_container *c, unsigned which)
{
	struct table *t = &c->users->table[which];
	uint64_t decision = c->proc_state ? c->proc_state->decision : 0;
	uint64_t now = shk_now_mono();
	_cleanup_close_ int fd = -1;
	_cleanup_buf_ struct shk_buf b;
	struct stat st = { 0 };

	shk_buf_init(&b, FILE_BYTES);
	/* Never under the views of a decision: they stay valid to its end. */
	if (t->looked_ns && (now - t->looked_ns < LOOK_NS || t->used_at == decision))
		return;
	t->looked_ns = now;
	fd = shk_walk_open_file(c->init_pid, shk_str(files[which]));
	if (fd >= 0 && fstat(fd, &st) < 0)
		shk_close(&fd);
	if (same_file(t, &st))
		return;
	empty(t);
	if (fd >= 0 && shk_read_all(fd, &b, NULL) == 0)
		parse(t, which, shk_buf_view(&b));
}

/* "INSIDE OUTSIDE COUNT" lines; up to 340 are possible, engines write a handful. */
static void read_map(pid_t pid, const char *file, struct id_map *m)
{
	char path[64];
	_cleanup_buf_ struct shk_buf b;
	const char *p;

	shk_buf_init(&b, 65536);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if (shk_read_file(path, &b, NULL) < 0 || !b.n)
		return;
	for (p = b.p; p && *p && m->n < SHK_ARRAY_SIZE(m->range);) {
		uint32_t in, out, count;

		if (sscanf(p, "%u %u %u", &in, &out, &count) != 3)
			break;
		m->range[m->n].inside = in;
		m->range[m->n].outside = out;
		m->range[m->n++].count = count;
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
}

static bool to_inside(const struct id_map *m, uint32_t id, uint32_t *ret)
{
	for (unsigned i = 0; i < m->n; i++) {
		if (id < m->range[i].outside || id - m->range[i].outside >= m->range[i].count)
			continue;
		*ret = m->range[i].inside + (id - m->range[i].outside);
		return true;
	}
	return false;
}

static void *look_up(struct shk_container *c, unsigned which, uint32_t id, uint32_t *inside)
{
	if (!c->users) {
		c->users = calloc(1, sizeof(*c->users));
		if (!c->users)
			return NULL;
		for (unsigned i = 0; i < N_FILES; i++)
			shk_arena_init(&c->users->table[i].arena, ROWS_BYTES);
	}
	/* Maps are written once, before a container's first program runs: no map yet is not kept. */
	if (!c->users->map[which].n)
		read_map(c->init_pid, which == PASSWD ? "uid_map" : "gid_map",
			 &c->users->map[which]);
	if (!to_inside(&c->users->map[which], id, inside))
		return NULL;
	refresh(c, which);
	c->users->table[which].used_at = c->proc_state ? c->proc_state->decision : 0;
	return shk_map_get_u64(&c->users->table[which].by_id, *inside);
}

const struct shk_user *shk_user_by_uid(struct shk_container *c, uid_t uid)
{
	static const struct shk_user root = { .uid = 0,
					      .name = { "root", 4 },
					      .homedir = { "/root", 5 },
					      .shell = { "", 0 } };
	uint32_t inside = UINT32_MAX;
	const struct shk_user *u = look_up(c, PASSWD, uid, &inside);

	return u || inside ? u : &root;
}

const struct shk_group *shk_group_by_gid(struct shk_container *c, gid_t gid)
{
	static const struct shk_group root = { .gid = 0, .name = { "root", 4 } };
	uint32_t inside = UINT32_MAX;
	const struct shk_group *g = look_up(c, GROUP, gid, &inside);

	return g || inside ? g : &root;
}

bool shk_users_asked(const struct shk_container *c)
{
	for (unsigned i = 0; c->users && c->proc_state && i < N_FILES; i++)
		if (c->users->table[i].used_at == c->proc_state->decision)
			return true;
	return false;
}

const struct shk_user *shk_user_of(struct shk_eval_ctx *ctx, uid_t uid)
{
	if (ctx->recorded)
		return shk_recorded_user(ctx->recorded, ctx->ctr, uid);
	return ctx->ctr ? shk_user_by_uid(ctx->ctr, uid) : NULL;
}

const struct shk_group *shk_group_of(struct shk_eval_ctx *ctx, gid_t gid)
{
	if (ctx->recorded)
		return shk_recorded_group(ctx->recorded, ctx->ctr, gid);
	return ctx->ctr ? shk_group_by_gid(ctx->ctr, gid) : NULL;
}
