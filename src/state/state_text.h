/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_text.h - what is known of containers, tasks, descriptors and users, as lines of docs/EVENTS.md.
 *
 * For recordings: what is written here answers every field on replay as it answered here. Asks for all facts that
 * rules may ask for, so this costs as much as a rule that asks for them all. With the container's lock held, on a
 * worker, as for process.h.
 */
#ifndef SHK_STATE_STATE_TEXT_H
#define SHK_STATE_STATE_TEXT_H

#include "state/descriptor.h"
#include "state/process.h"
#include "state/users.h"

/* Each appends one line with its newline. */
void shk_state_put_container(const struct shk_container *c, struct shk_buf *out);
/* container: the id it belongs to; p NULL: none. A program to come is not a process: its task's record. */
void shk_state_put_process(struct shk_proc *p, struct shk_str container, struct shk_buf *out);
/* Of a program to come; nothing for another record. */
void shk_state_put_program(struct shk_proc *p, struct shk_buf *out);
/* Of p's task; nothing when nothing is known. */
void shk_state_put_usage(struct shk_proc *p, struct shk_arena *arena, struct shk_buf *out);
void shk_state_put_fd(pid_t tid, int fd, const struct shk_fd_facts *f, struct shk_buf *out);
/* u, g NULL: known to have no name. */
void shk_state_put_user(uid_t uid, const struct shk_user *u, struct shk_str container, struct shk_buf *out);
void shk_state_put_group(gid_t gid, const struct shk_group *g, struct shk_str container, struct shk_buf *out);

#endif
