// SPDX-License-Identifier: Apache-2.0
/*
 * recorded_usage.c - numbers of a task that change without a call, as a text gives them.
 */
#include <errno.h>

#include "state/recorded_impl.h"

const struct shk_rec_usage *shk_rec_usage_of(const struct shk_proc *p)
{
	return ((const struct shk_rec_task *)(p->base ? p->base : p))->usage;
}

void shk_rec_usage_drop(struct shk_rec_task *t)
{
	if (t->usage)
		free((void *)(uintptr_t)t->usage->cgroups.p);
	free(TAKE_PTR(t->usage));
}

/* All of the names, or none: 1, 0, -EBADMSG. */
static int numbers(const struct shk_text_record *rec, const char *const *names, uint64_t *const *to, size_t n,
		   struct shk_err *err)
{
	size_t given = 0;

	for (size_t i = 0; i < n; i++) {
		int rc = shk_rec_number(rec, names[i], UINT64_MAX, to[i], err);

		if (rc < 0)
			return rc;
		given += (size_t)rc;
	}
	return given == n;
}

static int put_members(const struct shk_text_record *rec, struct shk_rec_usage *u, struct shk_err *err)
{
	static const char *const memory[] = { "vm_size", "vm_rss", "vm_swap" };
	static const char *const thread[] = { "minor_faults", "major_faults", "cpu" };
	const struct shk_text_pair *cgroups = shk_text_get(rec, "cgroups");
	uint64_t cpu = 0, limit = 0;
	int rc = numbers(rec, memory, (uint64_t *const[]){ &u->memory.size, &u->memory.resident, &u->memory.swapped },
			 3, err);

	if (rc < 0)
		return rc;
	u->has_memory = rc > 0;
	rc = numbers(rec, thread, (uint64_t *const[]){ &u->thread.minor_faults, &u->thread.major_faults, &cpu }, 3, err);
	if (rc < 0)
		return rc;
	u->has_thread = rc > 0 && cpu <= INT16_MAX;
	u->thread.cpu = (int)cpu;
	rc = shk_rec_number(rec, "fds", UINT64_MAX, &u->fds, err);
	u->has_fds = rc > 0;
	if (rc >= 0)
		rc = shk_rec_number(rec, "fd_limit", UINT64_MAX, &limit, err);
	u->has_limit = rc > 0;
	u->fd_limit = (int64_t)limit;
	if (rc >= 0 && cgroups && cgroups->is_list)
		return shk_rec_bad(cgroups, "a text", err);
	if (rc >= 0 && cgroups && !shk_rec_set_str(&u->cgroups, cgroups->value))
		return shk_err_set(err, ENOMEM, "out of memory");
	return rc < 0 ? rc : 0;
}

int shk_rec_usage_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err)
{
	struct shk_rec_task *t = NULL;
	uint64_t tid;

	if (shk_text_number(rec->key[0], &tid) && tid >= 1 && tid <= INT32_MAX)
		t = shk_rec_task(r, (pid_t)tid);
	if (!t)
		return shk_err_set(err, EBADMSG, "column 7: there is no process " SHK_STR_FMT
				   "; write its line first", SHK_STR_ARG(rec->key[0]));
	shk_rec_usage_drop(t);
	t->usage = calloc(1, sizeof(*t->usage));
	return t->usage ? put_members(rec, t->usage, err) : shk_err_set(err, ENOMEM, "out of memory");
}
