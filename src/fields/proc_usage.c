// SPDX-License-Identifier: Apache-2.0
/*
 * proc_usage.c - what the task uses: memory, page faults, descriptors, a CPU; the cgroups that limit it.
 *
 * Numbers of the moment: a recording has those that were noted with the event.
 */
#include "fields/proc_value.h"

/* ---- memory ---- */

static bool memory(struct shk_eval_ctx *ctx, struct shk_proc_memory *m)
{
	struct shk_proc *p = shk_proc_of(ctx);

	return p && shk_proc_memory(p, m);
}

#define MEMORY_GETTER(word)                                                                        \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		struct shk_proc_memory m;                                                          \
                                                                                                   \
		(void)ref;                                                                         \
		return memory(ctx, &m) && shk_set_u(out, m.word);                                  \
	}                                                                                          \
                                                                                                   \
	static bool word##_thread(struct shk_eval_ctx *ctx, uint64_t factor, struct shk_value *out) \
	{                                                                                          \
		struct shk_proc *p = shk_proc_of(ctx);                                             \
		struct shk_proc_memory m;                                                          \
                                                                                                   \
		return memory(ctx, &m) &&                                                          \
		       shk_set_u(out, shk_proc_tid(p) == shk_proc_pid(p) ? m.word * factor : 0);   \
	}                                                                                          \
                                                                                                   \
	static bool word##_kb_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,       \
				  struct shk_value *out)                                           \
	{                                                                                          \
		(void)ref;                                                                         \
		return word##_thread(ctx, 1, out);                                                 \
	}                                                                                          \
                                                                                                   \
	static bool word##_b_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,        \
				 struct shk_value *out)                                            \
	{                                                                                          \
		(void)ref;                                                                         \
		return word##_thread(ctx, 1024, out);                                              \
	}

/* Of a process its first thread has all the memory. */
MEMORY_GETTER(size)
MEMORY_GETTER(resident)

static bool swapped_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	struct shk_proc_memory m;

	(void)ref;
	return memory(ctx, &m) && shk_set_u(out, m.swapped);
}

/* ---- the thread ---- */

static bool thread(struct shk_eval_ctx *ctx, struct shk_proc_thread *t)
{
	struct shk_proc *p = shk_proc_of(ctx);

	return p && shk_proc_thread(p, t);
}

static bool major_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc_thread t;

	(void)ref;
	return thread(ctx, &t) && shk_set_u(out, t.major_faults);
}

static bool minor_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc_thread t;

	(void)ref;
	return thread(ctx, &t) && shk_set_u(out, t.minor_faults);
}

static bool cpu_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	struct shk_proc_thread t;

	(void)ref;
	return thread(ctx, &t) && shk_set_i(out, t.cpu);
}

/* ---- descriptors ---- */

static bool count_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	return p && shk_proc_fd_count(p, &out->u);
}

static bool limit_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);

	(void)ref;
	return p && shk_proc_fd_limit(p, &out->i);
}

/* In percent. Without a limit nothing of it is used up. */
static bool usage_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	uint64_t n;
	int64_t limit;

	(void)ref;
	return p && shk_proc_fd_limit(p, &limit) && shk_proc_fd_count(p, &n) &&
	       shk_set_double(out, limit > 0 ? 100.0 * (double)n / (double)limit : 0);
}

/* ---- cgroups ---- */

/* What the unified hierarchy stands for, unless a hierarchy of its own has it. */
static const char *const unified[] = { "cpuset", "cpu", "cpuacct", "io", "memory" };

struct cgroup_line {
	struct shk_str controllers, path;
};

static struct shk_str until(struct shk_str *s, char c)
{
	const char *at = s->n ? memchr(s->p, c, s->n) : NULL;
	struct shk_str w = { s->p, at ? (size_t)(at - s->p) : s->n };
	size_t skip = w.n + (at ? 1 : 0);

	s->p += skip;
	s->n -= skip;
	return w;
}

static bool next_cgroup(struct shk_str *text, struct cgroup_line *l)
{
	struct shk_str line;

	if (!text->n)
		return false;
	line = until(text, '\n');
	until(&line, ':');
	l->controllers = until(&line, ':');
	l->path = line;
	return true;
}

/* The path of a controller's hierarchy; p NULL: it has none of its own. */
static struct shk_str own_path(struct shk_str text, struct shk_str name)
{
	struct cgroup_line l;

	while (next_cgroup(&text, &l))
		while (l.controllers.n)
			if (shk_str_eq(until(&l.controllers, ','), name))
				return l.path;
	return (struct shk_str){ NULL, 0 };
}

static struct shk_str unified_path(struct shk_str text)
{
	struct cgroup_line l;

	while (next_cgroup(&text, &l))
		if (!l.controllers.n)
			return l.path;
	return (struct shk_str){ NULL, 0 };
}

static struct shk_str cgroup_text(struct shk_eval_ctx *ctx)
{
	struct shk_proc *p = shk_proc_of(ctx);

	return p ? shk_proc_cgroups(p, ctx->ev->arena) : (struct shk_str){ NULL, 0 };
}

static bool cgroup_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	struct shk_str text = cgroup_text(ctx), path = own_path(text, ref->key);

	for (size_t i = 0; !path.p && i < SHK_ARRAY_SIZE(unified); i++)
		if (shk_str_eqz(ref->key, unified[i]))
			path = unified_path(text);
	return shk_set_opt(out, path);
}

static void add_cgroup(struct shk_buf *b, struct shk_str name, struct shk_str path)
{
	if (b->n)
		shk_buf_addc(b, ' ');
	shk_buf_addstr(b, name);
	shk_buf_addc(b, '=');
	shk_buf_addstr(b, path);
}

static bool cgroups_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	struct shk_str text = cgroup_text(ctx), all = text, path = unified_path(text);
	struct shk_buf b _cleanup_buf_;
	struct cgroup_line l;

	(void)ref;
	shk_buf_init(&b, SHK_FIELD_TEXT_MAX);
	while (next_cgroup(&all, &l))
		while (l.controllers.n)
			add_cgroup(&b, until(&l.controllers, ','), l.path);
	for (size_t i = 0; path.p && i < SHK_ARRAY_SIZE(unified); i++)
		if (!own_path(text, shk_str(unified[i])).p)
			add_cgroup(&b, shk_str(unified[i]), path);
	return b.n && shk_set_buf(ctx, out, &b);
}

#define ROW(n, c, t, ft, fl, from, g, d)                                                           \
	{ .name = (n), .class_name = (c), .type = (t), .falco_type = (ft),                         \
	  .flags = SHK_F_COSTLY | (fl), .get = (g), .doc = (d), .origin = (from) }
#define COUNT(n, from, g, d) ROW(n, "process", SHK_T_UINT64, "UINT64", 0, from, g, d)
#define STAT   "/proc/TID/task/TID/stat"
#define STATUS "/proc/TID/status"

static const struct shk_field table[] = {
	COUNT("proc.vmsize", STATUS, size_get, "Virtual memory of the process in KiB."),
	COUNT("proc.vmrss", STATUS, resident_get, "Resident memory of the process in KiB."),
	COUNT("proc.vmswap", STATUS, swapped_get, "Memory of the process in swap, in KiB."),
	COUNT("thread.vmsize", STATUS, size_kb_get,
	      "Virtual memory in KiB of the process's first thread; 0 of others."),
	COUNT("thread.vmrss", STATUS, resident_kb_get,
	      "Resident memory in KiB of the process's first thread; 0 of others."),
	COUNT("thread.vmsize.b", STATUS, size_b_get, "thread.vmsize in bytes."),
	COUNT("thread.vmrss.b", STATUS, resident_b_get, "thread.vmrss in bytes."),
	COUNT("thread.pfmajor", STAT, major_get, "Page faults of the thread that read from a disk."),
	COUNT("thread.pfminor", STAT, minor_get, "Page faults of the thread that did not."),
	ROW("evt.cpu", "evt", SHK_T_INT64, "INT16", 0, STAT, cpu_get,
	    "Number of the CPU the call was made on."),
	COUNT("proc.fdopencount", "/proc/TID/fd", count_get, "Open descriptors of the process."),
	ROW("proc.fdlimit", "process", SHK_T_INT64, "INT64", 0, "/proc/TID/limits", limit_get,
	    "How many descriptors the process may open, -1 without limit."),
	ROW("proc.fdusage", "process", SHK_T_DOUBLE, "DOUBLE", 0, "/proc/TID/limits, /proc/TID/fd",
	    usage_get, "Open descriptors in percent of those allowed."),
	ROW("thread.cgroups", "process", SHK_T_STRING, "CHARBUF", 0, "/proc/TID/cgroup", cgroups_get,
	    "Cgroups of the thread as controller=path, separated by blanks."),
	ROW("thread.cgroup", "process", SHK_T_STRING, "CHARBUF",
	    SHK_F_ARG_KEY | SHK_F_ARG_DOTTED | SHK_F_ARG_REQUIRED, "/proc/TID/cgroup", cgroup_get,
	    "Cgroup of the thread for the controller behind the dot (thread.cgroup.memory)."),
};

SHK_FIELD_TABLE(shk_table_proc_usage, table);
