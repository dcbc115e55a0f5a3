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

struct shk_found;
/* The file that the event's execve or execveat names: a descriptor, the caller's, and what it is (walk.h); or -errno. certain: the kernel will
 * meet this error, too; otherwise it cannot be told what the file is (-EREMOTE: a filesystem that may not
 * answer; -ESRCH: the task is gone). */
int shk_program_pin(struct shk_eval_ctx *ctx, struct shk_found *found, bool *certain);
/* The same for the interpreter that a script names. */
int shk_program_pin_interpreter(struct shk_eval_ctx *ctx, struct shk_str path, struct shk_found *found, bool *certain);
/* The first bytes of a pinned file. Their number, at most size, or -errno: -EACCES: no regular file, -EREMOTE: a filesystem that may
 * not answer, -EXDEV: it is in no mount of the task's, -EAGAIN: leased. Of a file that was no script and has not changed since it may be the first four
 * (as SHK_PROGRAM_ELF): whoever changes one unseen, through a mapping that was written to before, has the program compared as what it was. */
#define SHK_PROGRAM_ELF "\177ELF"
ssize_t shk_program_head(struct shk_eval_ctx *ctx, int fd, const struct shk_found *found, void *buf, size_t size);
/* The name under which the kernel will tell the program of itself (AT_EXECFN), in the event's arena. p NULL: unknown. */
struct shk_str shk_program_filename(struct shk_event *ev);
/* Has a rule asked for the environment of the program to come? */
bool shk_program_env_asked(const struct shk_eval_ctx *ctx);

/* Is it a memfd, or another file of the kernel's own tmpfs, which is mounted nowhere? */
bool shk_is_memfd(const struct statx *sx);

#endif
