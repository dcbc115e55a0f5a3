/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program.h - the files that an execve is about to load, held so that they cannot become others.
 *
 * A descriptor with O_PATH keeps the inode's number from being given to another file for as long as it is
 * open. Paths are walked as the task would walk them, magic links of /proc included, without waiting for filesystems
 * that may not answer. Called on a worker with the container's lock held.
 */
#ifndef SHK_STATE_PROGRAM_H
#define SHK_STATE_PROGRAM_H

#include "fields/fields.h"

struct statx;
/* The file that the event's execve or execveat names: a descriptor, the caller's; or -errno. certain: the kernel will
 * meet this error, too; otherwise it cannot be told what the file is (-EREMOTE: a filesystem that may not
 * answer; -ESRCH: the task is gone). */
int shk_program_pin(struct shk_eval_ctx *ctx, bool *certain);
/* The same for the interpreter that a script names. */
int shk_program_pin_interpreter(struct shk_eval_ctx *ctx, struct shk_str path, bool *certain);
/* The first bytes of a pinned file; sx: what it is, type and device. Their number, or -errno: -EACCES: no regular file, -EREMOTE: a filesystem that may
 * not answer, -EXDEV: it is in no mount of the task's, -EAGAIN: leased. */
ssize_t shk_program_head(struct shk_eval_ctx *ctx, int fd, const struct statx *sx, void *buf, size_t n);
/* The name under which the kernel will tell the program of itself (AT_EXECFN), in the event's arena. p NULL: unknown. */
struct shk_str shk_program_filename(struct shk_event *ev);
/* Has a rule asked for the environment of the program to come? */
bool shk_program_env_asked(const struct shk_eval_ctx *ctx);

/* Is it a memfd, or another file of the kernel's own tmpfs, which is mounted nowhere? */
bool shk_is_memfd(const struct statx *sx);

#endif
