/* SPDX-License-Identifier: Apache-2.0 */
/*
 * act.h - how a call that is allowed gets its answer (private to src/engine).
 *
 * prepare (holding the container's lock) says what the call will come to and which object rules are to be asked
 * about; do carries it out, without the lock and before the claim, since it may wait; answer gives the caller its
 * result, after the claim and the alerts; done frees.
 */
#ifndef SHK_ENGINE_ACT_H
#define SHK_ENGINE_ACT_H

#include "enforce/mounts.h"
#include "enforce/open.h"
#include "enforce/paths.h"
#include "enforce/sends.h"
#include "enforce/sockets.h"
#include "engine/judge.h"
#include "policy/plan.h"

struct shk_worker;
struct shk_call_slot;

enum shk_act_what {
	SHK_ACT_CONTINUE, /* the kernel goes on with it */
	SHK_ACT_OPEN,	  /* an open is carried out */
	SHK_ACT_PATHS,	  /* a call on names is */
	SHK_ACT_SOCKET,	  /* connect or bind is */
	SHK_ACT_SEND,	  /* a message is sent */
	SHK_ACT_MOUNTS,	  /* a call on mounts is */
	SHK_ACT_FAIL,	  /* it fails as it would have */
	SHK_ACT_UNABLE,	  /* refused: nobody can carry it out */
};

struct shk_act {
	enum shk_act_what what;
	enum shk_method method; /* what an allowed call's guarantee is */
	struct shk_open open;
	struct shk_paths paths;
	struct shk_socket socket; /* of SEND, too */
	struct shk_message message;
	int64_t sent;	       /* SEND: its result */
	struct shk_mounts mounts;
	struct shk_held_names names;
	int err;	       /* FAIL: > 0 */
	const char *why;       /* UNABLE, or let through: constant text */
	int fd;		       /* owned */
	bool given;	       /* the answer is out */
	bool tell;	       /* that it cannot be carried out */
	unsigned tries;
	bool look;	       /* what is opened is looked at before: it was not what it was taken for, or a rule matched */
};

/* Can a task of this machine be in a Landlock domain? Any thread. */
bool shk_act_landlock(void);
void shk_act_init(struct shk_act *a);
/* What a call that is to be carried out takes from memory beside its arguments. Before the container is locked. */
void shk_act_read(struct shk_worker *w, struct shk_event *ev, const struct shk_policy *p, const struct shk_plan *plan,
		  struct shk_act *a);
void shk_act_prepare(struct shk_worker *w, const struct shk_call_slot *s, struct shk_eval_ctx *ctx,
		     const struct shk_policy *p, const struct shk_plan *plan, struct shk_act *a);
/* Is it to be opened without a look, if no rule matches? If one does, this makes the next preparation look. */
bool shk_act_foreseen(const struct shk_act *a);
void shk_act_look(struct shk_act *a);
/* Does nobody but its caller notice whether it was carried out? Unknown: false. */
bool shk_act_changes_nothing(const struct shk_act *a);
/* Its caller no longer waits, so that nothing is known of it: nobody takes the answer. */
void shk_act_gone(struct shk_act *a);
/* Of an allowed call. false: what it would make is there by now: prepare and judge again. */
bool shk_act_do(struct shk_worker *w, struct shk_call_slot *s, struct shk_act *a);
/* 0: go on (or a->given: answered), or the errno to answer with. */
int shk_act_answer(struct shk_worker *w, struct shk_call_slot *s, struct shk_act *a);
/* What is held for it is let go: before the caller is told that its call fails. */
void shk_act_forget(struct shk_act *a);
void shk_act_done(struct shk_worker *w, const struct shk_event *ev, struct shk_act *a);

#endif
