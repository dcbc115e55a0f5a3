/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recorded.h - the state of containers and tasks as a text gives it (docs/EVENTS.md), in place of /proc.
 *
 * An evaluation whose context has `recorded` set asks nothing of this machine: what is not recorded is
 * missing. State records replace what is known under their key; calls that were made (events with a
 * result, no attempts) change it as the kernel would. Nothing here waits or depends on time, so the same text gives the same
 * state everywhere. One object belongs to one thread.
 */
#ifndef SHK_STATE_RECORDED_H
#define SHK_STATE_RECORDED_H

#include "event/text.h"
#include "fields/fields.h"
#include "state/container.h"

#define SHK_RECORDED_TASKS_MAX	    65536u
#define SHK_RECORDED_FDS_MAX	    (1u << 20) /* of all tasks */
#define SHK_RECORDED_CONTAINERS_MAX 4096u
#define SHK_RECORDED_USERS_MAX	    (1u << 20)

struct shk_recorded;

/* NULL: no memory. */
struct shk_recorded *shk_recorded_new(void);
void shk_recorded_free(struct shk_recorded *r);
/* Tasks that are kept. */
size_t shk_recorded_n_tasks(const struct shk_recorded *r);
SHK_DEFINE_CLEANUP(struct shk_recorded, shk_recorded_free)

/* Takes a state record; nothing of it is referred to afterwards. -EBADMSG: "column N: ..." of a value that means
 * nothing; -E2BIG: more than a limit above; -ENOMEM. */
int shk_recorded_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err);
/* A container by its full id, as a borrowed reference; one that is not recorded is made, with nothing but its
 * id. NULL: no memory, or too many. */
struct shk_container *shk_recorded_container(struct shk_recorded *r, struct shk_str id);

/* Name of the machine the events are of; p NULL: not recorded. */
struct shk_str shk_recorded_hostname(const struct shk_recorded *r);

/* Makes ctx one of this state for the event; container: the id its line names (p NULL: that of its task).
 * Descriptors that the call has made are there from now on. Views that fields return are valid until
 * the next call of a function here. */
void shk_recorded_begin(struct shk_recorded *r, struct shk_event *ev, struct shk_str container,
			struct shk_eval_ctx *ctx);
/* What else the call has changed, once, after the evaluation; with the context of shk_recorded_begin. */
void shk_recorded_apply(struct shk_recorded *r, struct shk_eval_ctx *ctx);

#endif
