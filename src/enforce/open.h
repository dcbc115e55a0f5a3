/* SPDX-License-Identifier: Apache-2.0 */
/*
 * open.h - the open family carried out for the caller (SUPERVISION section 5, THREATS A1).
 *
 * Two steps. pin: the path is followed once, as the kernel would for the caller, and the object (or the directory
 * it is to be made in) is held by a descriptor that reads nothing; nothing has happened yet, and what is held is what
 * rules are asked about. open: the very object is opened, or made, with the caller's flags. Between the two nobody
 * can exchange it. The caller's memory is not looked at again.
 */
#ifndef SHK_ENFORCE_OPEN_H
#define SHK_ENFORCE_OPEN_H

#include "enforce/actor.h"

enum shk_pinned {
	SHK_PINNED_OBJECT,   /* may be opened */
	SHK_PINNED_ERROR,    /* the call fails with err whatever rules say */
	SHK_PINNED_HARMLESS, /* a register says that nothing is opened (O_PATH): may be continued */
	SHK_PINNED_UNABLE,   /* nobody can act in the caller's place: why */
};

struct shk_open {
	struct shk_caller caller;
	uint64_t flags, mode, resolve;
	bool is_openat2;
	int err;	   /* ERROR: > 0 */
	const char *why;   /* UNABLE: constant text */
	int base;	   /* owned; -1: none */
	struct statx sx;   /* of what is held, if looked */
	long fs;
	bool looked;
	struct shk_walk_from from;
	struct shk_pin pin;
	struct shk_str path; /* as it was given; the event's (blind) */
	struct shk_str name; /* of the object, in the event's arena; p NULL: it has none */
	int early;	   /* opened already, as that changes nothing. Owned; -1: not */
	unsigned blind;	   /* not 0: nothing is held, it will be opened without a look (shk_open_foresee), as what it is thought to be */
	bool again;	   /* an answer to a call whose effect may be there already (a new engine) */
};

/*
 * Most opens read what was read before. Of such a one nothing need be held: with the engine behind its bar (bar.h) no device can be
 * opened by mistake; an absolute path that is followed without symbolic links and without leaving its root's mount is the name of the
 * object it leads to; and so rules can be asked about that name before the object is opened, once, with the caller's flags. That it was a
 * file or a directory the last time is the guess that makes it likely to succeed. Should it be a FIFO by now, the worker waits in
 * there as its caller would have, and the watchdog finds another one for the container's calls.
 * The null device is found, looked at and opened, under whatever name, in whatever mount: by no name is there anything in it to guard.
 *
 * foresee: can it be so? Then `name` is what rules are to be asked about, and nothing has happened. Holding the container's lock, after
 * shk_aliases_begin. blindly: opens it: a descriptor, or -errno, which says nothing of the call: pin and judge.
 */
bool shk_open_foresee(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_open *o);
int shk_open_blindly(struct shk_actor *a, struct shk_open *o);

/* Holding the container's lock. */
enum shk_pinned shk_open_pin(struct shk_actor *a, struct shk_eval_ctx *ctx, struct shk_open *o);
/* May it wait for another process, as FIFOs and lines do? */
bool shk_open_may_wait(const struct shk_open *o);
/* Of what is held: is it plain data that is read alone? */
bool shk_open_changes_nothing(const struct shk_open *o);
/* Is it the null device? Runtimes mount it over what a container is not to see: those names say nothing of it. */
bool shk_open_is_null(const struct shk_open *o);
/* A descriptor of the engine's, or -errno: the call's result; -ESTALE: what was to be made is there by now, pin and
 * judge again. May block as long as the object does (FIFO); a signal ends it with -EINTR. */
int shk_open_do(struct shk_actor *a, struct shk_open *o);
/* Would the caller, or who waits for it, notice that we hold the file a moment longer than the caller does? umount says EBUSY. */
bool shk_open_makes_busy(const struct shk_actor *a, const struct shk_open *o);
void shk_open_done(struct shk_open *o);

#endif
