// SPDX-License-Identifier: Apache-2.0
/*
 * usage.c - numbers of a task that change without a call: memory, faults, descriptors; its cgroups.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "state/process_impl.h"
#include "state/recorded_impl.h"

#define SMALL_FILE   8192u
#define CGROUP_BYTES 32768u
/* Before 6.2 the only way is to list them: 16384 take some milliseconds. */
#define FDS_COUNTED  16384u

static struct shk_proc *task(struct shk_proc *p)
{
	return p->base ? p->base : p;
}

/* What was read under a number that passed to another process is not its. */
static bool still(struct shk_proc *p)
{
	return p->pidfd < 0 || shk_proc_alive(p);
}

static struct shk_str next_line(struct shk_str *text)
{
	const char *nl = text->n ? memchr(text->p, '\n', text->n) : NULL;
	struct shk_str line = { text->p, nl ? (size_t)(nl - text->p) : text->n };
	size_t skip = line.n + (nl ? 1 : 0);

	text->p += skip;
	text->n -= skip;
	return line;
}

static struct shk_str next_word(struct shk_str *s)
{
	struct shk_str w;

	while (s->n && *s->p == ' ')
		s->p++, s->n--;
	w = (struct shk_str){ s->p, 0 };
	while (s->n && *s->p != ' ')
		s->p++, s->n--, w.n++;
	return w;
}

/* proc(5): behind the name, which may hold anything, field 3 is the state, 10 and 12 are faults, 39 the CPU. */
bool shk_parse_thread(struct shk_str stat, struct shk_proc_thread *ret)
{
	const char *end = stat.n ? memrchr(stat.p, ')', stat.n) : NULL;
	uint64_t cpu = 0;
	struct shk_str rest;

	if (!end)
		return false;
	rest = (struct shk_str){ end + 1, stat.n - (size_t)(end + 1 - stat.p) };
	for (int field = 3; field <= 39; field++) {
		struct shk_str w = next_word(&rest);

		if ((field == 10 && !shk_str_to_u64(w, &ret->minor_faults)) ||
		    (field == 12 && !shk_str_to_u64(w, &ret->major_faults)) ||
		    (field == 39 && (!shk_str_to_u64(w, &cpu) || cpu > INT16_MAX)))
			return false;
	}
	ret->cpu = (int)cpu;
	return true;
}

bool shk_proc_thread(struct shk_proc *p, struct shk_proc_thread *ret)
{
	char file[64], buf[SMALL_FILE];
	ssize_t n;

	p = task(p);
	if (p->rec) {
		const struct shk_rec_usage *u = shk_rec_usage_of(p);

		if (u && u->has_thread)
			*ret = u->thread;
		return u && u->has_thread;
	}
	shk_proc_usage_asked(p);
	snprintf(file, sizeof(file), "task/%d/stat", (int)p->tid);
	n = shk_read_proc(p->tid, file, buf, sizeof(buf));
	return n > 0 && shk_parse_thread((struct shk_str){ buf, (size_t)n }, ret) && still(p);
}

bool shk_proc_memory(struct shk_proc *p, struct shk_proc_memory *ret)
{
	p = task(p);
	if (p->rec) {
		const struct shk_rec_usage *u = shk_rec_usage_of(p);

		if (u && u->has_memory)
			*ret = u->memory;
		return u && u->has_memory;
	}
	shk_proc_usage_asked(p);
	if (!shk_proc_fresh_status(p) || !p->has_vm)
		return false;
	*ret = (struct shk_proc_memory){ p->vm_size, p->vm_rss, p->vm_swap };
	return true;
}

/* Since 6.2 the size of the directory is the number of its entries (proc(5)). */
bool shk_proc_fd_count(struct shk_proc *p, uint64_t *ret)
{
	char path[64];
	struct stat st;
	uint64_t n = 0;
	DIR *d;

	p = task(p);
	if (p->rec) {
		const struct shk_rec_usage *u = shk_rec_usage_of(p);

		if (u && u->has_fds)
			*ret = u->fds;
		return u && u->has_fds;
	}
	shk_proc_usage_asked(p);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)p->tid);
	if (stat(path, &st) < 0)
		return false;
	if (st.st_size > 0) {
		*ret = (uint64_t)st.st_size;
		return still(p);
	}
	d = opendir(path);
	if (!d)
		return false;
	for (const struct dirent *e; n <= FDS_COUNTED && (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	*ret = n;
	return n <= FDS_COUNTED && still(p);
}

/* "Max open files            1024                 4096                 files" */
bool shk_parse_fd_limit(struct shk_str limits, int64_t *ret)
{
	static const struct shk_str key = { "Max open files ", 15 };

	while (limits.n) {
		struct shk_str line = next_line(&limits), w;

		if (!shk_str_starts(line, key))
			continue;
		line = (struct shk_str){ line.p + key.n, line.n - key.n };
		w = next_word(&line);
		*ret = -1;
		return shk_str_eqz(w, "unlimited") || shk_str_to_i64(w, ret);
	}
	return false;
}

bool shk_proc_fd_limit(struct shk_proc *p, int64_t *ret)
{
	char buf[SMALL_FILE];
	ssize_t n;

	p = task(p);
	if (p->rec) {
		const struct shk_rec_usage *u = shk_rec_usage_of(p);

		if (u && u->has_limit)
			*ret = u->fd_limit;
		return u && u->has_limit;
	}
	shk_proc_usage_asked(p);
	n = shk_read_proc(p->tid, "limits", buf, sizeof(buf));
	return n > 0 && shk_parse_fd_limit((struct shk_str){ buf, (size_t)n }, ret) && still(p);
}

struct shk_str shk_proc_cgroups(struct shk_proc *p, struct shk_arena *arena)
{
	struct shk_str none = { NULL, 0 };
	char buf[CGROUP_BYTES];
	ssize_t n;

	p = task(p);
	if (p->rec)
		return shk_rec_usage_of(p) ? shk_rec_usage_of(p)->cgroups : none;
	shk_proc_usage_asked(p);
	n = shk_read_proc(p->tid, "cgroup", buf, sizeof(buf));
	if (n <= 0 || (size_t)n == sizeof(buf) || !still(p))
		return none;
	return shk_arena_str(arena, (struct shk_str){ buf, (size_t)n });
}

/* Recorded tasks may have no namespaces: then those of one container count as one. */
static bool same_pidns(struct shk_proc *a, struct shk_proc *b)
{
	ino_t of_a = shk_proc_ns(a, SHK_NS_PID), of_b = shk_proc_ns(b, SHK_NS_PID);

	if (a->rec && !of_a && !of_b)
		return a->c == b->c;
	return of_a && of_a == of_b;
}

static struct shk_proc *init_of(struct shk_proc *p)
{
	if (!p->c || p->c->init_pid <= 0)
		return NULL;
	return p->rec ? shk_recorded_task(p->rec, p->c->init_pid) :
	       p->arena ? NULL : shk_procs_get(p->c, p->c->init_pid);
}

/* Number 1 of the namespace is an ancestor, or the container's init: processes that were put into a container
 * have other ancestors. */
bool shk_proc_pidns_start(struct shk_proc *p, uint64_t *ret_ns)
{
	struct shk_proc *a = task(p), *init;

	p = a;
	for (unsigned n = 0; a && n <= SHK_ANCESTORS_MAX; n++) {
		if (shk_proc_vpid(a) == 1)
			break;
		a = shk_proc_parent(a);
	}
	if (a && shk_proc_vpid(a) == 1 && same_pidns(a, p))
		return shk_proc_start(a, ret_ns);
	init = init_of(p);
	return init && shk_proc_vpid(init) == 1 && same_pidns(init, p) && shk_proc_start(init, ret_ns);
}
