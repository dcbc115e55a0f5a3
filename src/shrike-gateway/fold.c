// SPDX-License-Identifier: Apache-2.0
/*
 * What is not sent one by one: repetitions, and what is above the rate of a rule in a container.
 *
 * Each becomes an entry that counts, and that is told when its time has come, so nothing is held back in silence. An
 * entry's alerts stay counted over a crash: entries are part of the outlet's file.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <time.h>

#include "alerts/text.h"
#include "base/map.h"
#include "shrike-gateway/outlet.h"

#define NS_PER_S     1000000000ull
#define LIMIT_TELL   (10 * NS_PER_S) /* what a limit held back is told after so long at the earliest */
#define OTHERS_KEY   1		     /* the entry for all that find no entry of their own */
#define MESSAGE_MAX  16384

static struct json_object *ours(struct json_object *record)
{
	struct json_object *o = NULL;

	json_object_object_get_ex(record, "shrike", &o);
	return o;
}

/* What makes alerts the same, in full (`what`), and its hash. Whoever chooses the texts cannot choose them so that many have
 * one key: the hash has a key of this process; keys of a process before are made anew (shk_fold_restore). Two that have one by
 * chance are told apart by the text. what->failed: there was no memory. */
static uint64_t key_of(struct json_object *record, uint64_t kind, struct shk_buf *what)
{
	struct json_object *own = ours(record), *ctr = NULL;
	struct shk_str part[6] = { { 0 } };
	uint64_t h;

	json_object_object_get_ex(own, "container", &ctr);
	part[0] = shk_text_member(record, "rule");
	part[1] = shk_text_member(ctr, "id");
	part[2] = shk_text_member(ctr, "full_id");
	if (kind == SHK_FOLD_SAME) {
		part[3] = shk_text_member(record, "priority");
		part[4] = shk_text_member(own, "verdict");
		part[5] = shk_text_message(record);
	}
	shk_buf_init(what, 2 * SHK_JOURNAL_ALERT_MAX);
	shk_buf_add(what, &kind, sizeof(kind));
	for (size_t i = 0; i < SHK_ARRAY_SIZE(part); i++) {
		shk_buf_add(what, &part[i].n, sizeof(part[i].n));
		shk_buf_addstr(what, part[i]);
	}
	h = shk_hash(what->p ? what->p : "", what->n);
	return h <= OTHERS_KEY ? h + 2 : h;
}

static size_t find(const struct shk_outlet *o, uint64_t key)
{
	for (size_t i = 0; i < SHK_FOLDS; i++)
		if (o->work.fold[i].key == key)
			return i;
	return SHK_FOLDS;
}

static char *copy_of(const char *p, size_t n)
{
	char *copy = malloc(n);

	return copy ? memcpy(copy, p, n) : NULL;
}

static void is_what(struct shk_outlet *o, size_t i, uint64_t key, const struct shk_buf *what)
{
	free(o->what[i].p);
	o->what[i].p = what->failed ? NULL : copy_of(what->p, what->n);
	o->what[i].n = what->n;
	o->what[i].key = key;
}

/* Is it known what entry i counts? */
static bool is_known(const struct shk_outlet *o, size_t i)
{
	return o->what[i].p && o->what[i].key == o->work.fold[i].key;
}

static bool counts(const struct shk_outlet *o, size_t i, const struct shk_buf *what)
{
	return is_known(o, i) && !what->failed && o->what[i].n == what->n && !memcmp(o->what[i].p, what->p, what->n);
}

void shk_fold_forget(struct shk_outlet *o, size_t i)
{
	free(o->sample[i]);
	o->sample[i] = NULL;
	free(o->what[i].p);
	o->what[i].p = NULL;
}

static void count(struct shk_outlet *o, size_t i, struct shk_str text, const struct shk_spool_item *it)
{
	struct shk_fold *f = &o->work.fold[i];

	if (!f->count) {
		f->number = it->number;
		f->first = it->time;
		free(o->sample[i]);
		o->sample[i] = strndup(text.p, text.n);
	}
	f->count++;
	f->last = it->time;
}

/* One token a minute / rate; the bucket that was asked least recently makes room. */
static bool has_token(struct shk_outlet *o, uint64_t key, uint64_t real)
{
	uint64_t cost = 60 * NS_PER_S / o->cfg->net.rate;
	uint64_t full = cost * SHK_MAX(o->cfg->net.burst, 1);
	struct shk_bucket *b = NULL, *oldest = &o->bucket[0];

	for (size_t i = 0; i < SHK_BUCKETS && !b; i++) {
		if (o->bucket[i].key == key)
			b = &o->bucket[i];
		else if (o->bucket[i].last < oldest->last)
			oldest = &o->bucket[i];
	}
	if (!b) {
		b = oldest;
		*b = (struct shk_bucket){ key, full, real };
	}
	if (real > b->last)
		b->level = SHK_MIN(full, b->level + SHK_MIN(real - b->last, full));
	b->last = real;
	if (b->level < cost)
		return false;
	b->level -= cost;
	return true;
}

static bool is_same(struct shk_outlet *o, struct json_object *record, struct shk_str text,
		    const struct shk_spool_item *it, uint64_t real, size_t *ret_new)
{
	_cleanup_buf_ struct shk_buf what = { 0 };
	uint64_t key = key_of(record, SHK_FOLD_SAME, &what);
	size_t i = find(o, key), room = i;

	if (i < SHK_FOLDS && real < o->work.fold[i].due && counts(o, i, &what)) {
		count(o, i, text, it);
		o->work.folded++;
		return true;
	}
	/* Without room for an entry it is sent, as all that follow; so is one whose key another has by chance. An entry that
	 * has counted nothing and of which a batch that was given up took the text begins anew. */
	if (i == SHK_FOLDS) {
		room = find(o, 0);
		if (room >= SHK_FOLDS - 1)
			return false;
	} else if (is_known(o, i) || o->work.fold[i].count) {
		return false;
	}
	o->work.fold[room] = (struct shk_fold){ .key = key, .kind = SHK_FOLD_SAME,
						.due = real + o->cfg->net.fold };
	is_what(o, room, key, &what);
	*ret_new = room;
	return false;
}

/* Counts what is above its rate. False: there is no entry for it. */
static bool hold_back(struct shk_outlet *o, uint64_t key, const struct shk_buf *what, struct shk_str text,
		      const struct shk_spool_item *it, uint64_t real)
{
	size_t i = find(o, key);

	/* The last one is for all others, and for one whose key another has by chance. */
	if (i == SHK_FOLDS ? find(o, 0) == SHK_FOLDS - 1 : !counts(o, i, what)) {
		key = OTHERS_KEY;
		i = find(o, key);
	}
	if (i == SHK_FOLDS) {
		i = find(o, 0);
		if (i == SHK_FOLDS)
			return false;
		o->work.fold[i] = (struct shk_fold){
			.key = key, .kind = SHK_FOLD_LIMIT,
			.due = real + SHK_MAX(LIMIT_TELL, 60 * NS_PER_S / o->cfg->net.rate),
		};
		is_what(o, i, key, what);
	}
	count(o, i, text, it);
	o->work.limited++;
	return true;
}

bool shk_fold_take(struct shk_outlet *o, struct json_object *record, struct shk_str text,
		   const struct shk_spool_item *it, uint64_t real)
{
	_cleanup_buf_ struct shk_buf what = { 0 };
	size_t fresh = SHK_FOLDS;
	uint64_t key;

	if (o->cfg->net.fold && is_same(o, record, text, it, real, &fresh))
		return false;
	if (!o->cfg->net.rate)
		return true;
	key = key_of(record, SHK_FOLD_LIMIT, &what);
	if (has_token(o, key, real))
		return true;
	/* The entry of what is not sent would have nothing before it. */
	if (fresh < SHK_FOLDS)
		o->work.fold[fresh] = (struct shk_fold){ 0 };
	return !hold_back(o, key, &what, text, it, real);
}

/* ---- told ---- */

static void put_time(struct json_object *o, const char *key, uint64_t ns, char *text, size_t size)
{
	_cleanup_buf_ struct shk_buf b = { 0 };

	shk_buf_init(&b, 64);
	shk_text_time_utc(&b, ns);
	snprintf(text, size, "%.19sZ", b.p ? b.p : "");
	json_object_object_add(o, key, json_object_new_string(b.p ? b.p : ""));
}

static struct json_object *parsed(const char *text)
{
	struct json_object *o = text ? json_tokener_parse(text) : NULL;

	if (json_object_is_type(o, json_type_object))
		return o;
	json_object_put(o);
	return NULL;
}

/* The first record that was held back, with what became of it and of the others. */
static struct json_object *told(struct shk_outlet *o, size_t i)
{
	const struct shk_fold *f = &o->work.fold[i];
	struct json_object *record = parsed(o->sample[i]), *own, *folded = json_object_new_object();
	_cleanup_buf_ struct shk_buf text = { 0 };
	struct shk_str output, id;
	char first[32], last[32];

	own = record ? ours(record) : NULL;
	if (!own || !folded) {
		json_object_put(record);
		json_object_put(folded);
		return NULL;
	}
	shk_buf_init(&text, MESSAGE_MAX + 1024);
	json_object_object_add(folded, "count", json_object_new_uint64(f->count));
	put_time(folded, "first", f->first, first, sizeof(first));
	put_time(folded, "last", f->last, last, sizeof(last));
	json_object_object_add(folded, "reason",
			       json_object_new_string(f->kind == SHK_FOLD_SAME ? "repeated" :
						      f->key == OTHERS_KEY     ? "rate, several rules" : "rate"));
	json_object_object_add(own, "folded", folded);
	id = shk_text_member(own, "id");
	shk_buf_printf(&text, SHK_STR_FMT ":folded", SHK_STR_ARG(id));
	json_object_object_add(own, "id", json_object_new_string_len(text.p, (int)text.n));
	shk_buf_reset(&text);
	output = shk_text_member(record, "output");
	shk_buf_addstr(&text, (struct shk_str){ output.p, SHK_MIN(output.n, MESSAGE_MAX) });
	shk_buf_printf(&text, f->kind == SHK_FOLD_SAME ?
				      " (%" PRIu64 " like this since the last one told, from %s to %s)" :
				      " (%" PRIu64 " were not sent one by one, as the rate is limited, from %s to %s)",
		       f->count, first, last);
	json_object_object_add(record, "output", json_object_new_string_len(text.p, (int)text.n));
	return record;
}

void shk_fold_restore(struct shk_outlet *o, size_t i)
{
	_cleanup_buf_ struct shk_buf what = { 0 };
	struct shk_fold *f = &o->work.fold[i];
	struct json_object *record = f->key > OTHERS_KEY ? parsed(o->sample[i]) : NULL;

	if (record) {
		f->key = key_of(record, f->kind, &what);
		is_what(o, i, f->key, &what);
	}
	json_object_put(record);
}

/* What is further away than any entry is made for: the clock was set back. */
static bool is_due(const struct shk_outlet *o, const struct shk_fold *f, uint64_t real)
{
	uint64_t rate = o->cfg->net.rate, most = SHK_MAX(o->cfg->net.fold, LIMIT_TELL);

	if (rate)
		most = SHK_MAX(most, 60 * NS_PER_S / rate);
	return f->due <= real || f->due - real > most;
}

struct json_object *shk_fold_due(struct shk_outlet *o, uint64_t real)
{
	for (size_t i = 0; i < SHK_FOLDS; i++) {
		struct shk_fold *f = &o->work.fold[i];
		struct json_object *record = NULL;
		uint64_t n = f->count;

		if (!f->key || !is_due(o, f, real))
			continue;
		if (n) {
			record = told(o, i);
			if (!record) /* no memory, or the record is gone: then they are lost, not told */
				o->work.dropped += n;
		}
		*f = (struct shk_fold){ 0 };
		shk_fold_forget(o, i);
		if (record)
			return record;
	}
	return NULL;
}

uint64_t shk_fold_next(const struct shk_outlet *o)
{
	uint64_t next = 0;

	for (size_t i = 0; i < SHK_FOLDS; i++)
		if (o->work.fold[i].key && (!next || o->work.fold[i].due < next))
			next = o->work.fold[i].due;
	return next;
}
