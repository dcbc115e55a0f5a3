// SPDX-License-Identifier: Apache-2.0
/*
 * The containers that are supervised now.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/internal.h"
#include "engine/observer.h"
#include "sources/ptrace/task.h"
#include "verdict/kill.h"

#define ID_SHOWN 12 /* container.id */

struct shk_entry *shk_entry_new(struct shk_engine *g, struct shk_container *c)
{
	struct shk_entry *e = calloc(1, sizeof(*e));

	if (!e) {
		shk_container_unref(c);
		return NULL;
	}
	atomic_init(&e->refs, 1);
	e->g = g;
	e->ctr = c;
	e->init_pidfd = -1;
	e->memo = shk_memo_new();
	pthread_mutex_init(&e->seq_lock, NULL);
	pthread_mutex_init(&e->marks_turn, NULL);
	pthread_mutex_init(&e->marks_lock, NULL);
	return e;
}

struct shk_entry *shk_entry_ref(struct shk_entry *e)
{
	atomic_fetch_add(&e->refs, 1);
	return e;
}

void shk_entry_unref(struct shk_entry *e)
{
	if (!e || atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	shk_close(&e->init_pidfd);
	shk_armoury_unref(e->arm);
	shk_recorded_lines_done(&e->lines);
	shk_memo_free(e->memo);
	shk_recorded_free(e->tree);
	free(e->marks);
	pthread_mutex_destroy(&e->marks_turn);
	pthread_mutex_destroy(&e->marks_lock);
	shk_container_unref(e->ctr);
	json_object_put(e->record);
	free(e->nonce);
	json_object_put(e->unwatched);
	pthread_mutex_destroy(&e->seq_lock);
	free(e);
}

void shk_entry_arm(struct shk_entry *e, struct shk_armoury *a, const struct shk_policy *p)
{
	struct shk_armoury *old;

	pthread_mutex_lock(&e->seq_lock);
	old = e->arm;
	e->arm = shk_armoury_ref(a);
	e->policy = p;
	pthread_mutex_unlock(&e->seq_lock);
	atomic_store(&e->deadline_ns, p->deadline_ns);
	atomic_store(&e->deadline_err, p->mode == SHK_MODE_ENFORCE &&
		     p->deadline_then.kind == SHK_ACT_DENY ? p->deadline_then.err : 0);
	atomic_store(&e->mode, (int)p->mode);
	shk_armoury_unref(old);
}

struct shk_armoury *shk_entry_armed_with(struct shk_entry *e, const struct shk_policy **p)
{
	struct shk_armoury *a;

	pthread_mutex_lock(&e->seq_lock);
	a = shk_armoury_ref(e->arm);
	*p = e->policy;
	pthread_mutex_unlock(&e->seq_lock);
	return a;
}

void shk_registry_add(struct shk_engine *g, struct shk_entry *e)
{
	pthread_mutex_lock(&g->reg_lock);
	e->next = g->entries;
	g->entries = shk_entry_ref(e);
	g->n_entries++;
	pthread_mutex_unlock(&g->reg_lock);
	shk_observer_watch(g, e, false);
}

/* Pending nonces of this entry, with the lock held. */
static struct shk_pending *unlink_pending(struct shk_engine *g, const struct shk_entry *e)
{
	struct shk_pending **at = &g->pending, *out = NULL;

	while (*at) {
		struct shk_pending *p = *at;

		if (p->e != e) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		g->n_pending--;
		p->next = out;
		out = p;
	}
	return out;
}

void shk_registry_remove(struct shk_engine *g, struct shk_entry *e)
{
	struct shk_entry **at;
	struct shk_pending *p;
	struct shk_listener *l;

	pthread_mutex_lock(&g->reg_lock);
	for (at = &g->entries; *at && *at != e; at = &(*at)->next)
		;
	if (!*at) {
		pthread_mutex_unlock(&g->reg_lock);
		return;
	}
	*at = e->next;
	g->n_entries--;
	e->removed = true;
	p = unlink_pending(g, e);
	pthread_mutex_unlock(&g->reg_lock);
	shk_observer_unwatch(g, e);
	for (;;) {
		pthread_mutex_lock(&g->reg_lock);
		l = e->listeners ? shk_listener_ref(e->listeners) : NULL;
		pthread_mutex_unlock(&g->reg_lock);
		if (!l)
			break;
		shk_listener_end(l);
		shk_listener_unref(l);
	}
	while (p) {
		struct shk_pending *next = p->next;

		shk_keeper_forget(g, SHK_KEPT_PENDING, p->key);
		json_object_put(p->request);
		shk_entry_unref(p->e);
		free(p);
		p = next;
	}
	shk_keeper_forget(g, SHK_KEPT_CONTAINER, e->ctr->key);
	/* Its file system is to be given free with it. */
	shk_container_drop_root(e->ctr);
	shk_keeper_forget(g, SHK_KEPT_ROOT, e->ctr->key);
	shk_journal_forget_container(g->journal, e->ctr->key);
	shk_limits_forget(g->limits, e->ctr->key);
	shk_info("container " SHK_STR_FMT " is no longer supervised", SHK_STR_ARG(e->ctr->full_id));
	shk_entry_unref(e);
}

bool shk_entry_init_dead(const struct shk_entry *e)
{
	struct pollfd p = { .fd = e->init_pidfd, .events = POLLIN };

	if (e->init_pidfd >= 0)
		return poll(&p, 1, 0) > 0;
	return e->ctr->init_pid > 0 && (!e->ctr->init_start ||
					shk_start_time(e->ctr->init_pid) != e->ctr->init_start);
}

struct shk_entry *shk_registry_by_pid(struct shk_engine *g, pid_t pid, uint64_t start)
{
	struct shk_entry *e;

	pthread_mutex_lock(&g->reg_lock);
	for (e = g->entries; e; e = e->next)
		if (e->ctr->init_pid == pid && e->ctr->init_start == start)
			break;
	e = e ? shk_entry_ref(e) : NULL;
	pthread_mutex_unlock(&g->reg_lock);
	return e;
}

struct shk_entry *shk_registry_by_id(struct shk_engine *g, struct shk_str id, const char *bundle)
{
	struct shk_entry *e, *dead = NULL;

	pthread_mutex_lock(&g->reg_lock);
	for (e = g->entries; e; e = e->next) {
		if (!shk_str_eq(e->ctr->full_id, id) ||
		    (bundle && !shk_str_eqz(e->ctr->bundle, bundle)))
			continue;
		if (!shk_entry_init_dead(e))
			break;
		dead = dead ? dead : e;
	}
	e = e ? e : dead;
	e = e ? shk_entry_ref(e) : NULL;
	pthread_mutex_unlock(&g->reg_lock);
	return e;
}

struct shk_entry *shk_registry_by_key(struct shk_engine *g, uint64_t key)
{
	struct shk_entry *e;

	pthread_mutex_lock(&g->reg_lock);
	for (e = g->entries; e && e->ctr->key != key; e = e->next)
		;
	e = e ? shk_entry_ref(e) : NULL;
	pthread_mutex_unlock(&g->reg_lock);
	return e;
}

struct shk_entry **shk_registry_all(struct shk_engine *g, size_t *n)
{
	struct shk_entry **all;

	*n = 0;
	pthread_mutex_lock(&g->reg_lock);
	all = calloc(g->n_entries + 1, sizeof(struct shk_entry *));
	for (struct shk_entry *e = g->entries; e && all; e = e->next)
		all[(*n)++] = shk_entry_ref(e);
	pthread_mutex_unlock(&g->reg_lock);
	return all;
}

/* Is anything of it left? A container whose listener has hung up has no task any more. One whose
 * listener never came (a wrapper's, a failed create) lives as long as its init. */
static bool over(struct shk_engine *g, struct shk_entry *e)
{
	bool r;

	pthread_mutex_lock(&g->reg_lock);
	r = !e->n_listeners && (e->had_listener || e->init_pidfd >= 0 || e->ctr->init_pid > 0);
	pthread_mutex_unlock(&g->reg_lock);
	return r && (e->ctr->init_pid <= 0 || shk_entry_init_dead(e));
}

/* THREATS A11: membership is by the filter, so leaving the cgroup frees nobody; it is told. */
static void watch_cgroup(struct shk_engine *g, struct shk_entry *e)
{
	struct shk_buf now;

	if (!e->ctr->cgroup.n || e->left_alerted || shk_entry_init_dead(e))
		return;
	shk_buf_init(&now, 8192);
	if (shk_cgroup_of(e->ctr->init_pid, &now) == -ENOENT ||
	    (now.n && !shk_cgroup_below(shk_buf_view(&now), e->ctr->cgroup))) {
		/* It may just have ended. */
		if (!shk_entry_init_dead(e)) {
			e->left_alerted = true;
			shk_tell(g, e, SHK_PRIO_CRITICAL, "Shrike internal: container left its cgroup", NULL,
				 "The container's init has left the cgroup " SHK_STR_FMT
				 "; it stays supervised", SHK_STR_ARG(e->ctr->cgroup));
		}
	}
	shk_buf_done(&now);
}

void shk_registry_sweep(struct shk_engine *g)
{
	size_t n;
	_cleanup_free_ struct shk_entry **all = shk_registry_all(g, &n);

	for (size_t i = 0; i < n; i++) {
		if (over(g, all[i])) {
			shk_registry_remove(g, all[i]);
		} else {
			watch_cgroup(g, all[i]);
			shk_observer_watch(g, all[i], false);
		}
		shk_entry_unref(all[i]);
	}
}

/* ---- records ---- */

uint64_t shk_start_time(pid_t pid)
{
	char path[64], buf[1024], *p;
	_cleanup_close_ int fd = -1;
	unsigned long long v = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	/* The name in parentheses may hold anything; what follows the last one is numbers. */
	p = strrchr(buf, ')');
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
			 "%*d %*d %*d %llu", &v) != 1)
		return 0;
	return v;
}

struct json_object *shk_record_new(struct json_object *from, const char *const *keep, const char *way)
{
	struct json_object *o = json_object_new_object(), *v;

	for (; o && *keep; keep++)
		if (json_object_object_get_ex(from, *keep, &v))
			json_object_object_add(o, *keep, json_object_get(v));
	if (o)
		json_object_object_add(o, "way", json_object_new_string(way));
	return o;
}

/* root.path of the facts, made absolute. */
void shk_record_add_rootfs(struct json_object *record)
{
	struct shk_str root = shk_json_str(shk_json_object(shk_json_object(record, "config"), "root"),
					   "path");
	struct shk_str bundle = shk_json_str(record, "bundle");
	_cleanup_free_ char *joined = NULL, *real = NULL;

	if (!root.n)
		return;
	if (root.p[0] == '/')
		joined = strndup(root.p, root.n);
	else if (asprintf(&joined, SHK_STR_FMT "/" SHK_STR_FMT, SHK_STR_ARG(bundle),
			  SHK_STR_ARG(root)) < 0)
		joined = NULL;
	real = joined ? realpath(joined, NULL) : NULL;
	if (real || joined)
		json_object_object_add(record, "rootfs", json_object_new_string(real ? real : joined));
}

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_int64((int64_t)v));
}

void shk_record_set_init(struct json_object *record, pid_t pid, int rootfs_fd)
{
	struct shk_str exe = shk_json_str(shk_json_object(record, "runtime"), "exe");
	struct shk_buf cgroup, callers;
	struct shk_task_facts t;
	struct stat st;
	char path[64];

	json_object_object_add(record, "pid", json_object_new_int(pid));
	add_u64(record, "start", shk_start_time(pid));
	add_u64(record, "registered", shk_now_real());
	if (rootfs_fd >= 0 && fstat(rootfs_fd, &st) == 0) {
		add_u64(record, "root_dev", st.st_dev);
		add_u64(record, "root_ino", st.st_ino);
	}
	/* At registration the init still is the runtime's binary. */
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	if (stat(path, &st) == 0) {
		add_u64(record, "runtime_dev", st.st_dev);
		add_u64(record, "runtime_ino", st.st_ino);
	}
	if (exe.n) {
		const char *base = memrchr(exe.p, '/', exe.n);

		base = base ? base + 1 : exe.p;
		json_object_object_add(record, "runtime_name",
				       json_object_new_string_len(base, (int)(exe.p + exe.n - base)));
	}
	/* A container without a cgroup of its own is in its caller's: killing that would kill others. */
	shk_buf_init(&cgroup, 8192);
	shk_buf_init(&callers, 8192);
	if (shk_cgroup_of(pid, &cgroup) == 0 &&
	    (shk_task_read(pid, &t) < 0 || shk_cgroup_of(t.ppid, &callers) < 0 ||
	     !shk_cgroup_below(shk_buf_view(&callers), shk_buf_view(&cgroup))))
		json_object_object_add(record, "cgroup",
				       json_object_new_string_len(cgroup.p, (int)cgroup.n));
	shk_buf_done(&callers);
	shk_buf_done(&cgroup);
}

void shk_entry_hold_root(struct shk_entry *e, bool runtimes)
{
	struct json_object *nothing = json_object_new_object();
	struct shk_container *c = e->ctr;
	struct stat st, ours;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)c->init_pid);
	fd = atomic_load(&c->root_fd) >= 0 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* One whose first program runs in this machine's root directory has that one's. Another one than was registered may have been put
	 * there by a program of the container's since; before that a runtime in a mount namespace of its own may know it by another. */
	if (fd >= 0 && (!nothing || fstat(fd, &st) < 0 || stat("/", &ours) < 0 || (st.st_dev == ours.st_dev && st.st_ino == ours.st_ino) ||
			(!runtimes && c->root_ino && (st.st_dev != c->root_dev || st.st_ino != c->root_ino)) ||
			shk_start_time(c->init_pid) != c->init_start))
		shk_close(&fd);
	if (fd >= 0 && shk_container_hold_root(c, fd)) {
		bool removed;

		(void)shk_keeper_store(e->g, SHK_KEPT_ROOT, c->key, nothing, fd, NULL);
		pthread_mutex_lock(&e->g->reg_lock);
		removed = e->removed;
		pthread_mutex_unlock(&e->g->reg_lock);
		if (removed) {
			shk_container_drop_root(c);
			shk_keeper_forget(e->g, SHK_KEPT_ROOT, c->key);
		}
	}
	json_object_put(nothing);
}

struct shk_container *shk_container_from_json(uint64_t key, struct json_object *record)
{
	struct shk_container *c = shk_container_new(key);
	struct shk_str way = shk_json_str(record, "way");

	if (!c)
		return NULL;
	c->full_id = shk_container_str(c, shk_json_str(record, "id"));
	c->id = (struct shk_str){ c->full_id.p, SHK_MIN(c->full_id.n, ID_SHOWN) };
	c->bundle = shk_container_str(c, shk_json_str(record, "bundle"));
	c->rootfs = shk_container_str(c, shk_json_str(record, "rootfs"));
	c->cgroup = shk_container_str(c, shk_json_str(record, "cgroup"));
	c->runtime = shk_container_str(c, shk_json_str(record, "runtime_name"));
	for (enum shk_way w = SHK_WAY_HOOK; w <= SHK_WAY_ATTACH; w++)
		if (shk_str_eqz(way, shk_way_name(w)))
			c->way = w;
	c->start_ns = (uint64_t)shk_json_int(record, "registered", (int64_t)shk_now_real());
	c->init_pid = (pid_t)shk_json_int(record, "pid", 0);
	c->init_start = (uint64_t)shk_json_int(record, "start", 0);
	c->root_dev = (dev_t)shk_json_int(record, "root_dev", 0);
	c->root_ino = (ino_t)shk_json_int(record, "root_ino", 0);
	atomic_store(&c->own_dev, c->root_dev);
	c->runtime_dev = (dev_t)shk_json_int(record, "runtime_dev", 0);
	c->runtime_ino = (ino_t)shk_json_int(record, "runtime_ino", 0);
	shk_container_describe(c, shk_json_object(record, "config"),
			       shk_json_object(record, "annotations"));
	if (c->arena.failed) {
		shk_container_unref(c);
		return NULL;
	}
	return c;
}
