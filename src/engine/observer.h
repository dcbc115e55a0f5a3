/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observer.h - the kernel module as a second source of the engine (docs/MODULE.md).
 *
 * Calls that a container's filter notifies are judged where they wait. What the filter does not see and a rule asks for
 * (policy/observe.h) is taken from the module: alerts without a verdict, after the fact. Without the module, or with one that
 * cannot be used, nothing of this exists and nothing else changes.
 *
 * A program opens the module before it confines itself and hands it to the engine, which owns it then. One thread of its own
 * reads the rings; the other functions may be called by any thread. `lock` guards connection and table; nothing else is locked
 * while it is held. Indexes of containers follow from their keys, so that the next engine finds its containers in the module
 * without having been told, and goes on reading where this one stopped.
 */
#ifndef SHK_ENGINE_OBSERVER_H
#define SHK_ENGINE_OBSERVER_H

#include "engine/config.h"
#include "engine/engine.h"

struct json_object;
struct shk_entry;

enum shk_observed_state {
	SHK_OBSERVED_NOT,	/* not tried yet */
	SHK_OBSERVED_NOTHING,	/* the module has nothing to add */
	SHK_OBSERVED_YES,
	SHK_OBSERVED_FAILED,	/* told; not tried again until the policies are loaded again */
};

/* Connects if the configuration wants it. Never fails: what is the matter is kept for the log and `shrike status`. NULL: no memory. */
struct shk_observer *shk_observer_open(const struct shk_config *cfg);
/* Before any container is known: says in the log how it stands, starts the thread. */
void shk_observer_start(struct shk_engine *g);
/* After containers of an earlier engine were taken over: what nobody took over is not watched any more. */
void shk_observer_settle(struct shk_engine *g);
/* Adds the container, or tells the module what its policy wants now, if its init and its filter are known. anew: its policy may be
 * another one. */
void shk_observer_watch(struct shk_engine *g, struct shk_entry *e, bool anew);
/* The container is over: what it did is judged first, for as long as that takes, and a moment at most. */
void shk_observer_unwatch(struct shk_engine *g, struct shk_entry *e);
/* An execve that was judged and waits: the module holds it to that, once it goes on; then 0. Else the caller verifies it otherwise.
 * Any thread that has the descriptors of x. */
struct seccomp_notif;
struct shk_exec_judged;
int shk_observer_hold(struct shk_engine *g, struct shk_entry *e, int listener, const struct seccomp_notif *n,
		      const struct shk_exec_judged *x);
/* An execve goes on unjudged, or judged without being held, where the module holds a container's execs (e->module_holds): an earlier one of
 * this task that failed may have left a lease, which this one is not to be compared with. Before it goes on. */
void shk_observer_unheld(struct shk_engine *g, struct shk_entry *e, int listener, const struct seccomp_notif *n);
/* Gives the module back (it can be unloaded then); why is for the alert. It is taken again by the next engine. */
void shk_observer_leave(struct shk_engine *g, const char *why);
/* For `shrike status`. The caller's; NULL: no memory. */
struct json_object *shk_observer_status(struct shk_engine *g);
/* Ends the thread and closes; containers stay watched for the next engine if there is a keeper. NULL is fine. */
void shk_observer_free(struct shk_observer *o);

#endif
