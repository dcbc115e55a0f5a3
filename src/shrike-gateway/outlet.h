/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outlet.h - one output over the network: how far it is in the spool, what it folds, what is on its way.
 *
 * Nothing is passed over in the spool before it was delivered, set aside, or counted in an entry that is told later.
 * What an outlet knows is kept in a file: `kept` is what the file says, `work` what will be true when
 * the batch that is on its way has arrived. So a crash repeats a batch and loses none. One thread.
 */
#ifndef SHK_GATEWAY_OUTLET_H
#define SHK_GATEWAY_OUTLET_H

#include "alerts/alert.h"
#include "shrike-gateway/secrets.h"
#include "shrike-gateway/spool.h"

#define SHK_FOLDS   32
#define SHK_BUCKETS 256
#define SHK_BATCH   200 /* most alerts of one message */

enum { SHK_FOLD_SAME = 1, SHK_FOLD_LIMIT = 2 };

/* Alerts that were not sent and will be told of together. */
struct shk_fold {
	uint64_t key;	 /* of what they say, or of rule and container, in this process; 0: free */
	uint64_t kind;
	uint64_t number; /* in the spool, of the first of them */
	uint64_t count;	 /* 0: nothing yet, only the first alert was sent */
	uint64_t first, last, due; /* real time, ns */
};

/* As it is in the file: twice, the newer whole one counts. */
struct shk_outlet_kept {
	uint64_t magic, generation;
	uint64_t bit;	    /* in masks of the spool */
	uint64_t next;	    /* number of the next record to be looked at */
	uint64_t sent, dropped, poisoned, folded, limited;
	uint64_t orphans;   /* dropped from the spool while a batch with them was on its way */
	uint64_t drop_segment, drop_rank; /* the last dropping that `dropped` has counted */
	uint64_t told;	    /* of dropped: alerts were made of so many */
	uint64_t unmasked;  /* in records below this number the bit may be another outlet's: they are asked themselves */
	struct shk_fold fold[SHK_FOLDS];
	uint64_t sum;
};

struct shk_bucket {
	uint64_t key, level, last; /* level: ns of credit */
};

enum shk_outlet_state { SHK_OUTLET_READY, SHK_OUTLET_WAITS, SHK_OUTLET_SENDS };

struct shk_outlet {
	const struct shk_sink_config *cfg;
	struct shk_secrets secrets;
	struct shk_outlet_kept kept, work;
	int file; /* -1: cannot be written */
	bool dirty;
	uint64_t saved_drops; /* in the file, orphans as well */
	bool unsaved, unsynced; /* `kept` is not in the file; the file was not synced since it was opened */
	struct shk_spool_pos pos;
	char *sample[SHK_FOLDS]; /* a record for the entry of that index */
	struct {
		uint64_t key;
		char *p; /* what has that key, in full: keys may be equal by chance; NULL: not known */
		size_t n;
	} what[SHK_FOLDS]; /* of the entry of that index, if the keys are equal */
	bool stale;		 /* samples are to be read from the spool */
	struct shk_bucket bucket[SHK_BUCKETS];

	struct json_object *batch[SHK_BATCH];
	uint64_t batch_number[SHK_BATCH];
	char *raw; /* the record's own text, when the batch is this one alone */
	size_t n;
	uint64_t since; /* when the first of them was taken, mono */
	bool alone;	/* one at a time: one of a batch was refused */
	uint64_t poison_until; /* alone up to this number */

	enum shk_outlet_state state;
	uint64_t until;	    /* WAITS: mono */
	uint64_t backoff;
	unsigned refused;   /* times in a row that this batch was found bad */
	uint64_t failures;  /* tries that failed, ever */
	uint64_t last_ok;   /* real, ns; 0: never */
	char error[256];    /* of the last try, empty after a success */
	uint64_t told_at;   /* mono: when losses were last told */
	uint64_t telling;   /* of dropped, beyond told: the engine was told, and its alert of it has not come back yet */
	uint64_t aside, aside_at; /* set aside and not told; mono: when that was last told */
	char aside_why[256];
	uint64_t failing_since; /* mono; 0: it works */
	bool failing_told;
	void *transfer;	    /* transfer.c */
	struct shk_buf body;
};

/* Collects what goes into the next message, from the spool and from entries that are due. now: mono, real. True: there
 * is a batch that is to be sent now; else o->until is when to ask again (0: when something comes). -errno in *rc. */
bool shk_outlet_collect(struct shk_outlet *o, struct shk_spool *s, uint64_t now, uint64_t real);
/* What became of the batch. */
void shk_outlet_delivered(struct shk_outlet *o);
void shk_outlet_failed(struct shk_outlet *o, uint64_t now, const char *why);
/* The peer says that it is the message that is wrong. True: it is set aside (o->n is 1); else tried again. */
bool shk_outlet_refused(struct shk_outlet *o, uint64_t now, const char *why);
/* Is the batch, which is one record, one that Shrike wrote about itself? */
bool shk_outlet_is_internal(const struct shk_outlet *o);
void shk_outlet_forget_batch(struct shk_outlet *o);
/* The spool drops this record. */
void shk_outlet_dropped(struct shk_outlet *o, const struct shk_spool_item *it);
/* A bit in the masks of the records from number `next` on. */
void shk_outlet_give_bit(struct shk_outlet *o, uint32_t bit, uint64_t next);
/* Records below this are not needed. */
uint64_t shk_outlet_needs(const struct shk_outlet *o);

/* ---- outlet_file.c ---- */
/* Opens the state of outlet `name` in the directory, or begins at number `next` with the given bit; with the oldest
 * record if there is a file that cannot be read. */
int shk_outlet_load(struct shk_outlet *o, int dir, const char *name, uint64_t next);
/* Writes `kept`. */
void shk_outlet_save(struct shk_outlet *o);
/* And syncs it: before what it counts as dropped is gone. */
void shk_outlet_save_synced(struct shk_outlet *o);
/* Once a second or so: if `kept` could not be written, opens the file again, and tries once more. */
void shk_outlet_mend(struct shk_outlet *o, int dir, const char *name);
/* Losses that neither the file knows nor anybody was told of. */
uint64_t shk_outlet_at_risk(const struct shk_outlet *o);
/* The newer whole one of two blocks of n bytes; false: none. For the fuzzer, too. */
bool shk_outlet_parse(const void *p, size_t n, struct shk_outlet_kept *ret);
#define SHK_OUTLET_BLOCK 4096

/* ---- fold.c ---- */
/* Is this record to be sent now? False: it is counted in an entry of o->work. text: the record. */
bool shk_fold_take(struct shk_outlet *o, struct json_object *record, struct shk_str text,
		   const struct shk_spool_item *it, uint64_t real);
/* An entry that is due, as a record; NULL: none. */
struct json_object *shk_fold_due(struct shk_outlet *o, uint64_t real);
/* The sample of entry i was read again: its key may be one of a process before. */
void shk_fold_restore(struct shk_outlet *o, size_t i);
/* Forgets sample and text of entry i. */
void shk_fold_forget(struct shk_outlet *o, size_t i);
/* When the next one is due; 0: none. */
uint64_t shk_fold_next(const struct shk_outlet *o);

#endif
