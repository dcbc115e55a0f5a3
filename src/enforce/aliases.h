/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aliases.h - other names of a file, by bind mounts.
 *
 * A directory that is mounted in two places gives each file in it two names, and a rule may know one of them. The list
 * of mounts tells both: the same filesystem, and roots of which one lies in the other. It is kept, and the kernel
 * is asked (poll of mountinfo) whether it has changed. Belongs to an actor.
 */
#ifndef SHK_ENFORCE_ALIASES_H
#define SHK_ENFORCE_ALIASES_H

#include "fields/fields.h"

#define SHK_ALIASES_MAX 8 /* of one file */

struct shk_aliases;
struct shk_aliases *shk_aliases_new(void);
void shk_aliases_free(struct shk_aliases *l);
SHK_DEFINE_CLEANUP(struct shk_aliases, shk_aliases_free)

/* Numbers of mounts are given again at once, so the list must be the same before and after a file was held: begin, hold
 * the file, ask whether the list holds; if not, once more. Holding the container's lock. -EAGAIN: it cannot be had. */
int shk_aliases_begin(struct shk_aliases *l, struct shk_eval_ctx *ctx);
bool shk_aliases_hold(struct shk_aliases *l);
/* The same, or it did at about the time `now` (CLOCK_MONOTONIC ns), when the call was made: within the same 4 ms. Enough where what was mounted since
 * can only have given the file one more name: whoever opened it by the old one might have done so before. */
bool shk_aliases_held(struct shk_aliases *l, uint64_t now);
/* Is this mount in the list? */
bool shk_aliases_lists(const struct shk_aliases *l, uint64_t id);
/* Is it in the list, and its filesystem mounted nowhere else there, so that nothing in it has another name? */
bool shk_aliases_alone(struct shk_aliases *l, uint64_t id);
/* Other names of the file that is held as fd (or of a name in the held directory) and is called `name` in the
 * container: their number, up to SHK_ALIASES_MAX, in the event's arena. mnt: its mount as in mountinfo, 0: to be asked.
 * -EAGAIN: they cannot be told. */
int shk_aliases_of(struct shk_aliases *l, struct shk_eval_ctx *ctx, int fd, uint64_t mnt, struct shk_str name,
		   struct shk_str *ret);

/* Does what is mounted on the object held as fd appear elsewhere, too, for its mount being shared? Where: at its other names.
 * true, too, where that cannot be told. */
bool shk_aliases_is_shared(const struct shk_aliases *l, int fd);

/* ---- for tests ---- */
/* As above on the text of a mountinfo; id: of the file's mount. */
int shk_aliases_in(struct shk_str mountinfo, uint64_t id, struct shk_str name, struct shk_arena *arena,
		   struct shk_str *ret);

/* Is something mounted, in the task's namespace and by whatever name, on what `name` is in the directory held as dir?
 * The kernel refuses to take such a name away, but asks the namespace of whoever does it. */
bool shk_aliases_mounted_on(const struct shk_aliases *l, int dir, struct shk_str name);
/* The same by the text of a mountinfo and the number of the directory's mount. */
bool shk_aliases_mounted_in(struct shk_str mountinfo, uint64_t id, struct shk_str name);

#endif
