// SPDX-License-Identifier: Apache-2.0
/*
 * recorded_task.c - tasks of a text.
 */
#include <errno.h>

#include "state/recorded_impl.h"

struct shk_rec_task *shk_rec_task(struct shk_recorded *r, pid_t tid)
{
	return tid > 0 ? shk_map_get_u64(&r->tasks, (uint64_t)tid) : NULL;
}

struct shk_proc *shk_recorded_task(struct shk_recorded *r, pid_t tid)
{
	struct shk_rec_task *t = shk_rec_task(r, tid);

	return t ? &t->p : NULL;
}

bool shk_rec_set_str(struct shk_str *to, struct shk_str s)
{
	char *copy = NULL;

	if (s.p) {
		copy = malloc(s.n + 1);
		if (copy) {
			if (s.n)
				memcpy(copy, s.p, s.n);
			copy[s.n] = 0;
		}
	}
	free((void *)(uintptr_t)to->p);
	*to = (struct shk_str){ copy, copy ? s.n : 0 };
	return copy != NULL;
}

static void free_vec(struct shk_strings *s)
{
	free(s->bytes);
	free(s->vec.v);
	*s = (struct shk_strings){ 0 };
}

/* first, if not NULL, stands in place of the first string. */
bool shk_rec_set_vec(struct shk_strings *to, const struct shk_strvec *v, const struct shk_str *first)
{
	size_t n = first ? SHK_MAX(v->n, (size_t)1) : v->n, bytes = 0, at = 0;
	struct shk_strings s = { 0 };

	for (size_t i = 0; i < n; i++)
		bytes += (i == 0 && first ? first->n : v->v[i].n) + 1;
	s.bytes = malloc(bytes + 1);
	s.vec.v = calloc(n + 1, sizeof(*s.vec.v));
	if (!s.bytes || !s.vec.v) {
		free_vec(&s);
		free_vec(to);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		struct shk_str from = i == 0 && first ? *first : v->v[i];

		if (from.n)
			memcpy(s.bytes + at, from.p, from.n);
		s.vec.v[i] = (struct shk_str){ s.bytes + at, from.n };
		at += from.n;
		s.bytes[at++] = 0;
	}
	s.size = bytes;
	s.vec.n = n;
	s.vec.truncated = v->truncated;
	s.vec.in_row = v->in_row && (!first || !first->n || !memchr(first->p, 0, first->n));
	free_vec(to);
	*to = s;
	return true;
}

void shk_rec_know(struct shk_proc *p, enum shk_fact f, bool known)
{
	if (known)
		p->have |= 1u << f;
	else
		p->have &= ~(1u << f);
}

void shk_rec_set_comm(struct shk_proc *p, struct shk_str name)
{
	shk_proc_set_comm(p, (struct shk_str){ name.p, SHK_MIN(name.n, sizeof(p->comm) - 1) });
	shk_rec_know(p, SHK_FACT_COMM, name.p != NULL);
}

static void free_facts(struct shk_proc *p)
{
	free_vec(&p->argv);
	free_vec(&p->env);
	shk_rec_set_str(&p->exepath, (struct shk_str){ NULL, 0 });
	shk_rec_set_str(&p->cwd, (struct shk_str){ NULL, 0 });
	shk_rec_set_str(&p->root, (struct shk_str){ NULL, 0 });
}

void shk_rec_task_drop(struct shk_recorded *r, struct shk_rec_task *t)
{
	shk_map_del_u64(&r->tasks, (uint64_t)t->p.tid);
	r->n_tasks--;
	r->generation++;
	shk_rec_files_drop(r, t);
	shk_rec_program_drop(t);
	shk_rec_usage_drop(t);
	free_facts(&t->p);
	free(t);
}

struct shk_rec_task *shk_rec_task_new(struct shk_recorded *r, pid_t tid)
{
	struct shk_rec_task *t = shk_rec_task(r, tid);

	if (t)
		shk_rec_task_drop(r, t);
	if (r->n_tasks >= SHK_RECORDED_TASKS_MAX)
		return NULL;
	t = calloc(1, sizeof(*t));
	if (!t || shk_map_set_u64(&r->tasks, (uint64_t)tid, t) < 0) {
		free(t);
		return NULL;
	}
	r->n_tasks++;
	r->generation++;
	t->p.tid = tid;
	t->p.rec = r;
	t->p.settled = UINT32_MAX; /* what its text says */
	t->p.pidfd = -1;
	return t;
}

struct shk_rec_task *shk_rec_task_copy(struct shk_recorded *r, const struct shk_rec_task *from, pid_t tid)
{
	struct shk_rec_task *t = from->p.tid == tid ? NULL : shk_rec_task_new(r, tid);
	const struct shk_proc *p = &from->p;

	if (!t)
		return NULL;
	t->p = *p; /* a program to come is not inherited */
	t->p.tid = tid;
	t->p.argv = t->p.env = (struct shk_strings){ 0 };
	t->p.exepath = t->p.cwd = t->p.root = (struct shk_str){ NULL, 0 };
	if ((p->have & 1u << SHK_FACT_ARGV && !shk_rec_set_vec(&t->p.argv, &p->argv.vec, NULL)) ||
	    (p->have & 1u << SHK_FACT_ENV && !shk_rec_set_vec(&t->p.env, &p->env.vec, NULL)) ||
	    (p->exepath.p && !shk_rec_set_str(&t->p.exepath, p->exepath)) ||
	    (p->cwd.p && !shk_rec_set_str(&t->p.cwd, p->cwd)) ||
	    (p->root.p && !shk_rec_set_str(&t->p.root, p->root))) {
		shk_rec_task_drop(r, t);
		return NULL;
	}
	return t;
}

/* ---- a line ---- */

static int put_text(const struct shk_text_record *rec, const char *name, struct shk_proc *p, enum shk_fact f,
		    struct shk_str *to, struct shk_err *err)
{
	const struct shk_text_pair *pair = shk_text_get(rec, name);

	if (!pair)
		return 0;
	if (pair->is_list)
		return shk_rec_bad(pair, "a text", err);
	if (!shk_rec_set_str(to, pair->value))
		return shk_err_set(err, ENOMEM, "out of memory");
	shk_rec_know(p, f, true);
	return 0;
}

static int put_list(const struct shk_text_record *rec, const char *name, struct shk_proc *p, enum shk_fact f,
		    struct shk_strings *to, const struct shk_str *first, struct shk_err *err)
{
	static const struct shk_strvec none;
	const struct shk_text_pair *pair = shk_text_get(rec, name);

	if (!pair && !first)
		return 0;
	if (pair && !pair->is_list)
		return shk_rec_bad(pair, "a list: [\"...\", \"...\"]", err);
	if (!shk_rec_set_vec(to, pair ? &pair->list : &none, first))
		return shk_err_set(err, ENOMEM, "out of memory");
	shk_rec_know(p, f, true);
	return 0;
}

static int put_numbers(const struct shk_text_record *rec, struct shk_proc *p, struct shk_err *err)
{
	const struct {
		const char *name;
		pid_t *to;
		enum shk_fact fact;
	} ids[] = {
		{ "pid", &p->tgid, SHK_FACT_STATUS },	{ "ppid", &p->ppid, SHK_FACT_STAT },
		{ "vpid", &p->vpid, SHK_FACT_STATUS },	{ "vtid", &p->vtid, SHK_FACT_STATUS },
		{ "vpgid", &p->vpgid, SHK_FACT_STATUS }, { "vsid", &p->vsid, SHK_FACT_STATUS },
		{ "sid", &p->sid, SHK_FACT_STAT },	{ "pgid", &p->pgid, SHK_FACT_STAT },
	};
	uint64_t v = 0;
	int rc = 0;

	p->tgid = p->tid;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(ids); i++) {
		rc = shk_rec_number(rec, ids[i].name, INT32_MAX, &v, err);
		if (rc < 0)
			return rc;
		if (rc)
			*ids[i].to = (pid_t)v;
		if (rc && ids[i].fact == SHK_FACT_STAT)
			shk_rec_know(p, SHK_FACT_STAT, true);
	}
	rc = shk_rec_number(rec, "threads", UINT32_MAX, &v, err);
	if (rc > 0)
		p->nthreads = (uint32_t)v;
	if (rc >= 0)
		rc = shk_rec_number(rec, "tty", UINT32_MAX, &v, err);
	if (rc > 0) {
		p->tty = (uint32_t)v;
		p->has_tty = true;
		shk_rec_know(p, SHK_FACT_STAT, true);
	}
	if (rc >= 0)
		rc = shk_rec_number(rec, "loginuid", UINT32_MAX, &v, err);
	if (rc > 0) {
		p->loginuid = (uint32_t)v;
		shk_rec_know(p, SHK_FACT_LOGINUID, true);
	}
	if (rc >= 0)
		rc = shk_rec_number(rec, "pidns", UINT64_MAX, &v, err);
	if (rc > 0) {
		p->ns[SHK_NS_PID] = (ino_t)v;
		shk_rec_know(p, SHK_FACT_NS + SHK_NS_PID, true);
	}
	if (rc >= 0)
		rc = shk_rec_time(rec, "start", &p->start_ns, err);
	if (rc >= 0)
		rc = shk_rec_bool(rec, "exec_session", &p->session, err);
	/* The thread group is always known. */
	shk_rec_know(p, SHK_FACT_STATUS, true);
	return rc < 0 ? rc : 0;
}

/* Real ids stand for effective ones that are not given, and the other way round. */
static int put_ids(const struct shk_text_record *rec, const char *real, const char *effective, uint32_t *r,
		   uint32_t *e, uint32_t *s, uint32_t *fs, struct shk_err *err)
{
	uint64_t v = 0, w = 0;
	int has_r = shk_rec_number(rec, real, UINT32_MAX, &v, err);
	int has_e = has_r < 0 ? has_r : shk_rec_number(rec, effective, UINT32_MAX, &w, err);

	if (has_e < 0)
		return has_e;
	*r = (uint32_t)(has_r ? v : w);
	*e = *s = *fs = (uint32_t)(has_e ? w : v);
	return has_r || has_e;
}

static int put_creds(const struct shk_text_record *rec, struct shk_proc *p, struct shk_err *err)
{
	struct shk_proc_creds *c = &p->creds;
	const struct {
		const char *name;
		uint64_t *to;
		uint8_t bit;
	} caps[] = {
		{ "caps", &c->effective, SHK_CREDS_EFFECTIVE },
		{ "caps_permitted", &c->permitted, SHK_CREDS_PERMITTED },
		{ "caps_inheritable", &c->inheritable, SHK_CREDS_INHERITABLE },
	};
	int rc = put_ids(rec, "uid", "euid", &c->ruid, &c->uid, &c->suid, &c->fsuid, err);

	if (rc > 0)
		c->known |= SHK_CREDS_UIDS;
	if (rc >= 0)
		rc = put_ids(rec, "gid", "egid", &c->rgid, &c->gid, &c->sgid, &c->fsgid, err);
	if (rc > 0)
		c->known |= SHK_CREDS_GIDS;
	for (size_t i = 0; rc >= 0 && i < SHK_ARRAY_SIZE(caps); i++) {
		rc = shk_rec_number(rec, caps[i].name, UINT64_MAX, caps[i].to, err);
		if (rc > 0)
			c->known |= caps[i].bit;
	}
	return rc < 0 ? rc : 0;
}

static int put_exe(const struct shk_text_record *rec, struct shk_proc *p, struct shk_err *err)
{
	struct shk_proc_exe *e = &p->exe;
	uint64_t dev = 0, ino = 0;
	int rc = shk_rec_number(rec, "exe_dev", UINT64_MAX, &dev, err);

	if (rc >= 0)
		rc = shk_rec_number(rec, "exe_ino", UINT64_MAX, &ino, err);
	if (rc > 0) {
		e->dev = (dev_t)dev;
		e->ino = (ino_t)ino;
		e->known |= SHK_EXE_FILE;
	}
	if (rc >= 0 && (rc = shk_rec_time(rec, "exe_ctime", &e->ctime_ns, err)) > 0)
		e->known |= SHK_EXE_CTIME;
	if (rc >= 0 && (rc = shk_rec_time(rec, "exe_mtime", &e->mtime_ns, err)) > 0)
		e->known |= SHK_EXE_MTIME;
	if (rc >= 0 && (rc = shk_rec_bool(rec, "memfd", &e->memfd, err)) > 0)
		e->known |= SHK_EXE_MEMFD;
	if (rc >= 0 && (rc = shk_rec_bool(rec, "exe_writable", &e->writable, err)) > 0)
		e->known |= SHK_EXE_WRITABLE;
	if (rc >= 0 && (rc = shk_rec_bool(rec, "exe_upper", &p->upper_layer, err)) > 0)
		p->has_upper = true;
	shk_rec_know(p, SHK_FACT_EXE, e->known);
	return rc < 0 ? rc : 0;
}

void shk_rec_program_drop(struct shk_rec_task *t)
{
	if (t->next)
		free_facts(t->next);
	free(TAKE_PTR(t->next));
}

int shk_rec_program_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err)
{
	const struct shk_text_pair *name = shk_text_get(rec, "name");
	struct shk_rec_task *t;
	uint64_t tid;
	int rc;

	if (!shk_text_number(rec->key[0], &tid) || tid < 1 || tid > INT32_MAX ||
	    !(t = shk_rec_task(r, (pid_t)tid)))
		return shk_err_set(err, EBADMSG, "column 9: there is no process " SHK_STR_FMT
				   "; write its line first", SHK_STR_ARG(rec->key[0]));
	shk_rec_program_drop(t);
	t->next = calloc(1, sizeof(*t->next));
	if (!t->next)
		return shk_err_set(err, ENOMEM, "out of memory");
	rc = put_exe(rec, t->next, err);
	if (rc == 0)
		rc = put_text(rec, "exepath", t->next, SHK_FACT_EXEPATH, &t->next->exepath, err);
	if (rc == 0 && name && name->is_list)
		return shk_rec_bad(name, "a text", err);
	if (rc == 0 && name)
		shk_rec_set_comm(t->next, name->value);
	return rc;
}

bool shk_rec_program_fact(struct shk_proc *o, enum shk_fact f)
{
	const struct shk_proc *next = ((struct shk_rec_task *)o->base)->next;

	if (!next || !(next->have & 1u << f))
		return false;
	switch (f) {
	case SHK_FACT_COMM:
		memcpy(o->comm, next->comm, sizeof(o->comm));
		o->comm_n = next->comm_n;
		return true;
	case SHK_FACT_EXEPATH:
		o->exepath = next->exepath;
		return true;
	case SHK_FACT_EXE:
		o->exe = next->exe;
		return true;
	default:
		return false;
	}
}

bool shk_recorded_upper(const struct shk_proc *p, bool *ret)
{
	/* Of a program to come its own line tells. */
	if (p->base)
		p = ((struct shk_rec_task *)p->base)->next;
	if (!p || !p->has_upper)
		return false;
	*ret = p->upper_layer;
	return true;
}

static int put_members(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_proc *p,
		       struct shk_err *err)
{
	const struct shk_text_pair *name = shk_text_get(rec, "name"), *exe = shk_text_get(rec, "exe"),
				   *ctr = shk_text_get(rec, "container");
	int rc = put_numbers(rec, p, err);

	if (rc == 0)
		rc = put_creds(rec, p, err);
	if (rc == 0)
		rc = put_exe(rec, p, err);
	if (rc == 0)
		rc = put_text(rec, "exepath", p, SHK_FACT_EXEPATH, &p->exepath, err);
	if (rc == 0)
		rc = put_text(rec, "cwd", p, SHK_FACT_CWD, &p->cwd, err);
	if (rc == 0)
		rc = put_text(rec, "root", p, SHK_FACT_ROOT, &p->root, err);
	if (rc == 0 && exe && exe->is_list)
		rc = shk_rec_bad(exe, "a text", err);
	if (rc == 0)
		rc = put_list(rec, "args", p, SHK_FACT_ARGV, &p->argv, exe ? &exe->value : NULL, err);
	if (rc == 0)
		rc = put_list(rec, "env", p, SHK_FACT_ENV, &p->env, NULL, err);
	if (rc < 0)
		return rc;
	if (name && !name->is_list)
		shk_rec_set_comm(p, name->value);
	else if (name)
		return shk_rec_bad(name, "a text", err);
	if (!p->root.p && !shk_rec_set_str(&p->root, SHK_STR("/")))
		return shk_err_set(err, ENOMEM, "out of memory");
	shk_rec_know(p, SHK_FACT_ROOT, true);
	if (!ctr)
		return 0;
	p->c = shk_recorded_container(r, ctr->value);
	return p->c ? 0 : shk_err_set(err, E2BIG, "column %u: more than %u containers, or out of memory",
				      ctr->column, SHK_RECORDED_CONTAINERS_MAX);
}

int shk_rec_task_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err)
{
	struct shk_rec_task *t, kept = { 0 };
	bool gone = false;
	uint64_t tid;
	int rc;

	if (!shk_text_number(rec->key[0], &tid) || tid < 1 || tid > INT32_MAX)
		return shk_err_set(err, EBADMSG, "column 9: a task's number is from 1 to %d", INT32_MAX);
	rc = shk_rec_bool(rec, "gone", &gone, err);
	if (rc < 0)
		return rc;
	t = shk_rec_task(r, (pid_t)tid);
	if (t && gone)
		shk_rec_task_drop(r, t);
	if (gone)
		return 0;
	if (t)
		kept.files = TAKE_PTR(t->files);
	t = shk_rec_task_new(r, (pid_t)tid);
	if (!t) {
		shk_rec_files_drop(r, &kept);
		return shk_err_set(err, E2BIG, "more than %u tasks, or out of memory", SHK_RECORDED_TASKS_MAX);
	}
	t->files = kept.files;
	rc = put_members(r, rec, &t->p, err);
	if (rc < 0)
		shk_rec_task_drop(r, t);
	return rc;
}
