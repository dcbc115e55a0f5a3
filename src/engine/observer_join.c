// SPDX-License-Identifier: Apache-2.0
/*
 * Attempts that wait for the end of their call, which says what came of it.
 *
 * A task is in one call at a time: there is one place per task, by its number, and whoever comes to a place that is taken ends the wait
 * of the one who is there, as time does. What has waited in vain is judged as the attempt it is.
 */
#include "engine/observer_impl.h"

#define WAIT_NS 50000000u /* a call that takes longer waits for something */

static struct shk_waiting *place(struct shk_observer *o, uint32_t tid)
{
	return &o->waiting[tid % SHK_ARRAY_SIZE(o->waiting)];
}

/* To be judged: with its result, or (NULL) without. The place is free. */
static void let_go(struct shk_observer *o, struct shk_waiting *w, const int64_t *ret)
{
	struct shk_waiting was = *w;

	memset(w, 0, sizeof(*w));
	o->n_waiting--;
	shk_observer_judge(o, was.e, was.rec, was.as, ret);
	shk_entry_unref(was.e);
	free(was.rec);
}

void shk_observer_wait(struct shk_observer *o, struct shk_entry *e, const struct shrike_record *rec, const struct shk_syscall *as)
{
	struct shk_waiting *w = place(o, rec->tid);
	struct shrike_record *copy = malloc(rec->length);

	if (w->rec)
		let_go(o, w, NULL);
	if (!copy) {
		shk_observer_judge(o, e, rec, as, NULL);
		return;
	}
	memcpy(copy, rec, rec->length);
	*w = (struct shk_waiting){ .e = shk_entry_ref(e), .rec = copy, .as = as };
	o->n_waiting++;
}

bool shk_observer_ended(struct shk_observer *o, const struct shrike_record *rec)
{
	struct shk_waiting *w = place(o, rec->tid);
	struct shk_krecord r;
	int64_t ret;

	if (!w->rec || w->rec->tid != rec->tid || w->rec->container != rec->container || w->rec->nr != rec->nr ||
	    (w->rec->flags ^ rec->flags) & SHRIKE_F_COMPAT || rec->time < w->rec->time || shk_krecord_split(rec, &r) < 0)
		return false;
	ret = ((const struct shrike_call *)r.body)->ret;
	let_go(o, w, &ret);
	return true;
}

void shk_observer_waited(struct shk_observer *o, bool all)
{
	uint64_t now = shk_now_mono();

	for (size_t i = 0; o->n_waiting && i < SHK_ARRAY_SIZE(o->waiting); i++)
		if (o->waiting[i].rec && (all || o->waiting[i].rec->time + WAIT_NS < now))
			let_go(o, &o->waiting[i], NULL);
}
