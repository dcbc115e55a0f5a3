/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observer_impl.h - what the observer's files share: the table and its thread (observer.c), who is watched (observer_watch.c),
 * records to alerts (observer_judge.c).
 */
#ifndef SHK_ENGINE_OBSERVER_IMPL_H
#define SHK_ENGINE_OBSERVER_IMPL_H

#include "enforce/exec.h"
#include "engine/internal.h"
#include "engine/observer.h"
#include "policy/observe.h"
#include "sources/kmod/event.h"
#include "sources/kmod/kmod.h"
#include "sources/kmod/post.h"

struct shk_observed {
	struct shk_entry *e; /* one reference */
	uint32_t index;
	bool ending;	     /* unwatch waits until all that is there was judged */
	struct shk_observe what;
	bool by_ns;	     /* no task leaves it */
	uint64_t lost;	     /* as the module counted when it was told last */
};

/* An attempt that waits for the end of its call. */
struct shk_waiting {
	struct shk_entry *e;	   /* one reference */
	struct shrike_record *rec; /* owned; NULL: the place is free */
	const struct shk_syscall *as;
};

struct shk_observer {
	struct shk_engine *g;
	enum { SHK_OBSERVER_OFF, SHK_OBSERVER_ABSENT, SHK_OBSERVER_UNUSABLE, SHK_OBSERVER_READING, SHK_OBSERVER_LEFT } state;
	char text[SHK_ERR_TEXT_MAX]; /* why it is not read */

	pthread_mutex_t lock; /* guards what follows, state and text */
	pthread_cond_t passed;
	struct shk_kmod *k;	/* only the thread closes it */
	struct shk_map by_index;
	uint32_t left[SHRIKE_CONTAINERS_MAX]; /* watched for an earlier engine, not taken over yet */
	unsigned n_left;
	char *leave;		/* why the thread is to give the module back */

	pthread_mutex_t post_lock; /* a leaf; guards */
	struct shk_kpost *post;	   /* NULL: no leases */
	bool post_ends;		   /* no new ones: what earlier calls left can be replaced until the module is given back */

	int wake;		/* eventfd */
	pthread_t thread;
	bool started;
	atomic_bool stop;
	_Atomic uint64_t n_records, n_lost, n_leases;
	_Atomic uint64_t held_until; /* CLOCK_MONOTONIC: when the last lease expires */

	/* the thread's alone */
	struct shk_arena arena;
	struct shk_buf rendered;
	int64_t real_minus_mono;
	struct shk_waiting waiting[256]; /* by tid */
	unsigned n_waiting;
	struct {
		uint64_t count, since, until; /* CLOCK_MONOTONIC; since 0: not known */
		bool some;		      /* the module says that there are, not how many */
		uint64_t told;		      /* when that was said last */
	} loss;
	int64_t unclaimed; /* lost by records less by containers' counters, which are ahead of those that were not read yet */
};

#define SHK_OBSERVER_ARENA (1u << 20)

/* Everything but the module: a program's, or a test's. */
struct shk_observer *shk_observer_new(void);
uint32_t shk_observer_index(const struct shk_entry *e);

/* observer_judge.c: one record, of the thread. */
void shk_observer_take(struct shk_observer *o, const struct shrike_record *rec);
/* Asks the rules about it, as this call; ret: what came of it, NULL: nobody knows. */
void shk_observer_judge(struct shk_observer *o, struct shk_entry *e, const struct shrike_record *rec, const struct shk_syscall *as,
			const int64_t *ret);
/* What was lost, at most once a second unless at once. */
void shk_observer_tell_loss(struct shk_observer *o, bool at_once);
/* by_records more were lost by records of loss, of them (or of those that are still to be read) by_counters by containers that have been
 * told of; all: each one that has lost some was. How many more are to be told, of containers that are over. */
uint64_t shk_observer_unclaimed(struct shk_observer *o, uint64_t by_records, uint64_t by_counters, bool all);
/* Records of this container that the module has lost since it was added; 0 also when it does not say. Holding lock. */
uint64_t shk_observer_lost_of(struct shk_observer *o, uint32_t index);

/* observer_join.c, of the thread */
/* Judged when the end of its call is told, or after a while. */
void shk_observer_wait(struct shk_observer *o, struct shk_entry *e, const struct shrike_record *rec, const struct shk_syscall *as);
/* The record is an end. true: of a call that was waited for, which was judged. */
bool shk_observer_ended(struct shk_observer *o, const struct shrike_record *rec);
/* Those who have waited long enough, or all. */
void shk_observer_waited(struct shk_observer *o, bool all);

/* observer_tree.c, of the thread */
/* A task was made, runs a program, has ended. */
void shk_observer_tree(struct shk_observer *o, const struct shrike_record *rec);
/* The container's lock, for as long as others' records may wait: a call that hangs with it must not hold up what they did. */
bool shk_observer_lock(struct shk_entry *e);
/* Records were lost. */
void shk_observer_forget_trees(struct shk_observer *o);
/* The event's task is gone: what was told of it answers from now on, if there is anything. Holding the container's lock. */
bool shk_observer_gone_task(struct shk_entry *e, struct shk_eval_ctx *ctx);

/* observer_lease.c */
/* has: the leases that the module has of the container now. Holding lock. */
void shk_observer_hold_wanted(struct shk_observer *o, uint32_t has, struct shk_observe *what);
/* The record says that a task was killed. */
void shk_observer_tell_killed(struct shk_observer *o, struct shk_entry *e, const struct shrike_record *rec);

/* observer_watch.c */
/* Stops watching all. Holding lock. */
void shk_observer_drop_all(struct shk_observer *o);
/* Forgets one without telling the module. Holding lock; its reference is the caller's to drop without it. */
struct shk_entry *shk_observer_forget(struct shk_observer *o, uint32_t index);

#endif
