/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup.h - scope-bound ownership.
 *
 * A local declared with one of these attributes owns what it holds and releases it when the scope
 * ends. Hand ownership over with TAKE_PTR / TAKE_FD, which leave NULL / -1 behind.
 * Every type with an x_free() defines its own attribute beside it with SHK_DEFINE_CLEANUP.
 * No threads, no state.
 */
#ifndef SHK_BASE_CLEANUP_H
#define SHK_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHK_CLEANUP(fn) __attribute__((cleanup(fn)))

static inline void shk_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void shk_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void shk_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void shk_cleanup_closedir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define _cleanup_free_	   SHK_CLEANUP(shk_cleanup_free)
#define _cleanup_close_	   SHK_CLEANUP(shk_cleanup_close)
#define _cleanup_fclose_   SHK_CLEANUP(shk_cleanup_fclose)
#define _cleanup_closedir_ SHK_CLEANUP(shk_cleanup_closedir)

/* SHK_DEFINE_CLEANUP(struct foo, foo_free): defines foo_freep() for SHK_CLEANUP(foo_freep). */
#define SHK_DEFINE_CLEANUP(type, fn)                                                               \
	static inline void fn##p(type **p)                                                         \
	{                                                                                          \
		if (*p)                                                                            \
			fn(*p);                                                                    \
	}

#define TAKE_PTR(p)                                                                                \
	({                                                                                         \
		__typeof__(p) take_ptr_ = (p);                                                     \
		(p) = NULL;                                                                        \
		take_ptr_;                                                                         \
	})

#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int take_fd_ = (fd);                                                               \
		(fd) = -1;                                                                         \
		take_fd_;                                                                          \
	})

/* Closes *fd if open and leaves -1. */
static inline void shk_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#define SHK_ARRAY_SIZE(a)   (sizeof(a) / sizeof((a)[0]))
#define SHK_MIN(a, b)	    ((a) < (b) ? (a) : (b))
#define SHK_MAX(a, b)	    ((a) > (b) ? (a) : (b))
#define SHK_PRINTF(f, a)    __attribute__((format(printf, f, a)))
#define SHK_UNUSED	    __attribute__((unused))
#define SHK_FALLTHROUGH	    __attribute__((fallthrough))
#define SHK_MUST_CHECK	    __attribute__((warn_unused_result))

#endif
