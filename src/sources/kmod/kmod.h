/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kmod.h - the kernel module as a source: what is watched (netlink), what has happened (rings).
 *
 * The protocol is include/shrike/uapi.h. One object is one connection and, if asked for, the one reader of the rings; it owns
 * socket, device and mappings. One thread at a time. Without the module, or with one of another ABI, opening fails with a text that
 * says so, and whoever asked goes on without.
 */
#ifndef SHK_SOURCES_KMOD_KMOD_H
#define SHK_SOURCES_KMOD_KMOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include <shrike/uapi.h>
#include "sources/kmod/ring.h"

struct shk_kmod;

struct shk_kmod_facts {
	uint32_t abi, rings, ring_size;
	uint64_t features, classes;
	char release[64];
};

struct shk_kmod_scope {
	uint32_t index;
	int cgroup_fd;	/* -1: none */
	int pid;	/* 0: none */
	uint64_t classes;
	uint32_t leases;
	bool at_once;	/* ADD: -EAGAIN is not waited for */
	const uint8_t *native, *compat;	/* SHRIKE_BITMAP_BYTES each; NULL: none */
};

struct shk_kmod_counts {
	uint64_t recorded[SHRIKE_TYPES], lost[SHRIKE_TYPES];
};

/* What the module says by itself. */
struct shk_kmod_news {
	bool gone;	/* container `index` is not watched any more; else: `lost` records in all */
	uint32_t index;
	uint64_t lost;
};

/* Connects. -ENOENT: the module is not loaded; -EPROTO: another ABI; -EPERM ... */
int shk_kmod_open(struct shk_kmod **ret, struct shk_err *err);
/* Becomes the reader. -EBUSY: there is one. */
int shk_kmod_open_rings(struct shk_kmod *k, struct shk_err *err);
struct shk_kmod *shk_kmod_close(struct shk_kmod *k); /* NULL is fine; returns NULL */
SHK_DEFINE_CLEANUP(struct shk_kmod, shk_kmod_close)
const struct shk_kmod_facts *shk_kmod_facts(const struct shk_kmod *k);

/* -EAGAIN: the module is taking off what was attached for others, and has not been done for a second. */
int shk_kmod_add(struct shk_kmod *k, const struct shk_kmod_scope *s, struct shk_err *err);
/* classes, leases and bitmaps of s->index are replaced. */
int shk_kmod_set(struct shk_kmod *k, const struct shk_kmod_scope *s, struct shk_err *err);
int shk_kmod_remove(struct shk_kmod *k, uint32_t index, struct shk_err *err);
int shk_kmod_counts(struct shk_kmod *k, uint32_t index, struct shk_kmod_counts *ret, struct shk_err *err);
/* What the module has of one container. -ENOENT. */
struct shk_kmod_watched {
	bool by_ns;	/* its pid namespace is watched */
	uint32_t leases;
};
int shk_kmod_look_up(struct shk_kmod *k, uint32_t index, struct shk_kmod_watched *ret, struct shk_err *err);
/* Indexes of what is watched, at most max. Their number, or -errno. */
int shk_kmod_list(struct shk_kmod *k, uint32_t *ret, size_t max, struct shk_err *err);
int shk_kmod_lease(struct shk_kmod *k, const struct shrike_lease *l, unsigned n, struct shk_err *err);

/* Readable when there is news. */
int shk_kmod_news_fd(const struct shk_kmod *k);
/* 1: ret is filled; 0: nothing more; -ENOBUFS: some were missed. */
int shk_kmod_news(struct shk_kmod *k, struct shk_kmod_news *ret);

/* Readable when a ring is a quarter full, or anything is there and shk_kmod_wait was called. -1: no rings. */
int shk_kmod_rings_fd(const struct shk_kmod *k);
/* Wake me for each record / only when a quarter is full. */
void shk_kmod_wait(struct shk_kmod *k, bool every);
/* The rings as one stream. Valid until closed. */
struct shk_merge *shk_kmod_merge(struct shk_kmod *k);

#endif
