/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h - what the keeper holds for engines: key -> blob and at most one descriptor; and its
 * second home, systemd's descriptor store.
 *
 * The store owns descriptors and blobs. One thread. The notify protocol (sd_notify(3)) is a
 * datagram; it is spoken here directly, so that this program links nothing but libc.
 */
#ifndef SHK_SHRIKED_STORE_H
#define SHK_SHRIKED_STORE_H

#include "base/io.h"
#include "shriked/keeper_proto.h"

struct shk_entry {
	uint64_t key;
	int fd; /* -1: none */
	uint32_t len;
	unsigned char *blob;
};

struct shk_store {
	struct shk_entry e[SHK_KEEPER_STORE_MAX]; /* oldest first */
	size_t n, max;
};

struct shk_entry *shk_store_find(struct shk_store *s, uint64_t key);
/* Holds a copy of blob and fd (-1: none) under key, in place of what was there. fd is taken on
 * success alone. 0, -ENOSPC, -ENOMEM (the store is unchanged). */
int shk_store_put(struct shk_store *s, uint64_t key, int fd, const void *blob, size_t len);
/* False: no such key. */
bool shk_store_del(struct shk_store *s, uint64_t key);

/* sd_notify; nothing happens when no manager asked for it. text: lines of VAR=VALUE. */
void shk_notify(const char *text, const int *fd);
/* The same entry in systemd's store, where it outlives this process. */
void shk_fdstore_put(const struct shk_entry *e);
void shk_fdstore_del(uint64_t key);
void shk_fdstore_put_journal(int fd);
/* Takes back what systemd passed at start (LISTEN_FDS). Half an entry is dropped. *ret_journal: -1
 * when none came. Returns the number of entries. */
size_t shk_fdstore_take(struct shk_store *s, int *ret_journal);

#endif
