// SPDX-License-Identifier: Apache-2.0
#include "shrike-gateway/outlet.h"

#include <errno.h>
#include <json-c/json.h>
#include <sys/random.h>

#include "alerts/sink.h"
#include "alerts/text.h"

#define NS_PER_S	1000000000ull
#define BACKOFF_FIRST	(NS_PER_S / 4)
#define BACKOFF_LAST	(60 * NS_PER_S)
#define REFUSALS	3    /* of one message, before it is set aside */
#define LOOKED_AT	1000 /* records of one collecting: others have their turn */

bool shk_outlet_is_internal(const struct shk_outlet *o)
{
	return o->n == 1 && shk_str_eqz(shk_text_member(o->batch[0], "source"), "internal");
}

/* ---- whose is a record ---- */

void shk_outlet_give_bit(struct shk_outlet *o, uint32_t bit, uint64_t next)
{
	o->kept.bit = bit;
	o->kept.unmasked = next;
}

static bool is_masked(const struct shk_outlet *o, const struct shk_spool_item *it)
{
	return it->number >= o->kept.unmasked;
}

static bool has_bit(const struct shk_outlet *o, const struct shk_spool_item *it)
{
	return it->mask & 1u << o->kept.bit;
}

/* Which of the spool's records are to be read from this number on. */
static uint32_t mask_at(const struct shk_outlet *o, uint64_t number)
{
	return number < o->kept.unmasked ? UINT32_MAX : 1u << o->kept.bit;
}

/* ---- collecting ---- */

void shk_outlet_forget_batch(struct shk_outlet *o)
{
	for (size_t i = 0; i < o->n; i++)
		json_object_put(o->batch[i]);
	o->n = 0;
	free(o->raw);
	o->raw = NULL;
}

static void keep(struct shk_outlet *o)
{
	o->work.orphans = 0;
	o->work.generation = o->kept.generation;
	o->work.told = o->kept.told;
	o->work.drop_segment = o->kept.drop_segment;
	o->work.drop_rank = o->kept.drop_rank;
	o->kept = o->work;
	o->dirty = true;
}

/* From what the file says on. What the spool dropped meanwhile is gone. */
static void go_back(struct shk_outlet *o)
{
	shk_outlet_forget_batch(o);
	o->kept.dropped += o->kept.orphans;
	o->kept.orphans = 0;
	o->dirty = true;
	o->work = o->kept;
	o->pos = (struct shk_spool_pos){ .number = o->work.next };
	o->stale = true;
}

/* The records that entries need: those of before a crash, or of before a batch was given up. */
static void read_samples(struct shk_outlet *o, struct shk_spool *s)
{
	_cleanup_buf_ struct shk_buf text = { 0 };

	shk_buf_init(&text, SHK_JOURNAL_ALERT_MAX + 1);
	o->stale = false;
	for (size_t i = 0; i < SHK_FOLDS; i++) {
		struct shk_fold *f = &o->work.fold[i];
		struct shk_spool_pos pos = { .number = f->number };
		struct shk_spool_item it;

		free(o->sample[i]);
		o->sample[i] = NULL;
		if (f->key && f->count && shk_spool_next(s, &pos, mask_at(o, f->number), &it, &text) == 1 &&
		    it.number == f->number)
			o->sample[i] = strndup(text.p, text.n);
		shk_fold_restore(o, i);
	}
}

static void add(struct shk_outlet *o, struct json_object *record, uint64_t number, uint64_t now)
{
	if (!o->n)
		o->since = now;
	o->batch_number[o->n] = number;
	o->batch[o->n++] = record;
}

static size_t most(const struct shk_outlet *o)
{
	uint64_t n = o->cfg->net.batch ? o->cfg->net.batch : 1;

	return o->alone ? 1 : SHK_MIN(n, SHK_BATCH);
}

static int take_record(struct shk_outlet *o, struct shk_spool *s, struct shk_buf *text, uint64_t now,
		       uint64_t real)
{
	struct json_object *record;
	struct shk_spool_item it;
	int rc;

	o->pos.number = SHK_MAX(o->pos.number, o->work.next);
	rc = shk_spool_next(s, &o->pos, mask_at(o, o->pos.number), &it, text);
	if (rc <= 0)
		return rc;
	o->work.next = o->pos.number;
	if (is_masked(o, &it) && !has_bit(o, &it))
		return 1;
	record = json_tokener_parse(text->p);
	if (!json_object_is_type(record, json_type_object)) {
		json_object_put(record);
		o->work.dropped++; /* the engine sends none */
		return 1;
	}
	if (!is_masked(o, &it) && !shk_sink_wants(o->cfg, record)) {
		json_object_put(record);
		return 1;
	}
	if (!shk_fold_take(o, record, shk_buf_view(text), &it, real)) {
		json_object_put(record);
		return 1;
	}
	if (!o->n)
		o->raw = strndup(text->p, text->n);
	add(o, record, it.number, now);
	return 1;
}

bool shk_outlet_collect(struct shk_outlet *o, struct shk_spool *s, uint64_t now, uint64_t real)
{
	_cleanup_buf_ struct shk_buf text = { 0 };
	unsigned looked = 0;
	uint64_t due;
	int rc = 1;

	if (o->stale)
		read_samples(o, s);
	shk_buf_init(&text, SHK_JOURNAL_ALERT_MAX + 1);
	while (o->n < most(o) && rc > 0 && looked++ < LOOKED_AT) {
		struct json_object *record = shk_fold_due(o, real);

		if (record)
			add(o, record, 0, now);
		else
			rc = take_record(o, s, &text, now, real);
	}
	/* Nothing to send, but entries may have counted: they are in the file as well. */
	if (!o->n && (o->work.next != o->kept.next || memcmp(o->work.fold, o->kept.fold, sizeof(o->work.fold))))
		keep(o);
	if (o->n > 1 || (o->n && !o->batch_number[0])) {
		free(o->raw);
		o->raw = NULL;
	}
	due = shk_fold_next(o);
	o->until = due ? now + (due > real ? due - real : 1) : 0;
	if (rc > 0 && o->n < most(o))
		o->until = now + 1;
	if (!o->n)
		return false;
	if (o->n >= most(o) || o->alone || now >= o->since + o->cfg->net.digest)
		return true;
	due = o->since + o->cfg->net.digest;
	o->until = o->until ? SHK_MIN(o->until, due) : due;
	return false;
}

/* ---- what became of it ---- */

static void end_of_batch(struct shk_outlet *o)
{
	shk_outlet_forget_batch(o);
	keep(o);
	o->refused = 0;
	o->backoff = 0;
	o->state = SHK_OUTLET_READY;
	o->until = 0;
	if (o->alone && o->work.next >= o->poison_until)
		o->alone = false;
}

void shk_outlet_delivered(struct shk_outlet *o)
{
	o->work.sent += o->n;
	o->last_ok = shk_now_real();
	o->error[0] = 0;
	o->failing_since = 0;
	end_of_batch(o);
}

void shk_outlet_failed(struct shk_outlet *o, uint64_t now, const char *why)
{
	uint64_t jitter = 0;

	o->failures++;
	if (!o->failing_since)
		o->failing_since = now;
	snprintf(o->error, sizeof(o->error), "%s", why);
	o->backoff = o->backoff ? SHK_MIN(2 * o->backoff, BACKOFF_LAST) : BACKOFF_FIRST;
	/* Half of it by chance: many gateways that lost one server do not come back together. */
	if (getrandom(&jitter, sizeof(jitter), 0) < 0)
		jitter = now;
	o->state = SHK_OUTLET_WAITS;
	o->until = now + o->backoff / 2 + jitter % (o->backoff / 2);
}

bool shk_outlet_refused(struct shk_outlet *o, uint64_t now, const char *why)
{
	shk_outlet_failed(o, now, why);
	if (o->n > 1) { /* one of them it is: which one */
		o->alone = true;
		o->poison_until = o->work.next;
		go_back(o);
		return false;
	}
	if (++o->refused < REFUSALS)
		return false;
	o->work.poisoned++;
	end_of_batch(o);
	return true;
}

void shk_outlet_dropped(struct shk_outlet *o, const struct shk_spool_item *it)
{
	/* Whose an unmasked one was is not known: rather one too many. */
	if ((is_masked(o, it) && !has_bit(o, it)) || it->number < o->kept.next)
		return;
	if (it->number >= o->work.next) {
		o->work.dropped++;
		o->kept.dropped++;
	} else { /* in our hands: lost if we die before it arrives */
		o->kept.orphans++;
	}
}

uint64_t shk_outlet_needs(const struct shk_outlet *o)
{
	uint64_t least = o->kept.next;

	for (size_t i = 0; i < SHK_FOLDS; i++)
		if (o->kept.fold[i].key && o->kept.fold[i].count)
			least = SHK_MIN(least, o->kept.fold[i].number);
	return least;
}
