/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ancillary.h - what goes along with a message (private to src/enforce).
 *
 * Descriptors are numbers of the caller's, ids are claims of the caller's: both are made ours, or refused. A message over a
 * Unix socket gets the caller's ids added, as its receiver is told those of whoever makes the call.
 */
#ifndef SHK_ENFORCE_ANCILLARY_H
#define SHK_ENFORCE_ANCILLARY_H

#include "enforce/sends.h"

/* From the layout of tasks whose words have 32 bits to ours. 0 or an errno. */
int shk_ancillary_widen(struct shk_arena *arena, char **control, size_t *n);
/* Fills m->control and what belongs to it. s->err, s->why are set. Holding the container's lock. */
enum shk_pinned shk_ancillary_take(struct shk_eval_ctx *ctx, struct shk_socket *s, struct shk_message *m);
/* With the caller's rights on: may it have more descriptors on their way? CAP_SYS_ADMIN, which naming the sender takes, would
 * lift the kernel's limit, so it is asked without. 0 or -ETOOMANYREFS. */
int shk_ancillary_may_pass(struct shk_actor *a);

#endif
