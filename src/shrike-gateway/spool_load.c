// SPDX-License-Identifier: Apache-2.0
/*
 * What a gateway before left in the spool's directory.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "shrike-gateway/spool_own.h"

void shk_spool_name(char *buf, size_t size, uint64_t first, const char *suffix)
{
	snprintf(buf, size, "%016" PRIx64 ".seg%s", first, suffix);
}

static int by_first(const void *a, const void *b)
{
	const struct shk_segment *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* It stays as it is, and no number that may be in it is given again. */
static void leave(struct shk_spool *s, uint64_t first, uint64_t bytes)
{
	s->next = SHK_MAX(s->next, first + bytes / shk_record_size(0) + 1);
	s->spoilt++;
}

/* Out of our way, under a name that no other has. */
int shk_spool_set_aside(struct shk_spool *s, uint64_t first)
{
	char from[64], to[64], suffix[16];

	shk_spool_name(from, sizeof(from), first, "");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(suffix, sizeof(suffix), i ? ".bad%u" : ".bad", i);
		shk_spool_name(to, sizeof(to), first, suffix);
		if (renameat2(s->dir, from, s->dir, to, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* A copy of what is whole takes the place of a file that is spoilt in the middle. */
static int mend(struct shk_spool *s, struct shk_segment *g)
{
	struct shk_segment copy = { .first = g->first, .gen = ++s->gens };
	char name[64], to[64];
	int rc;

	shk_spool_name(name, sizeof(name), g->first, ".new");
	shk_spool_name(to, sizeof(to), g->first, "");
	copy.fd = openat(s->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (copy.fd < 0)
		return -errno;
	rc = shk_segment_salvage(g, copy.fd);
	if (rc == 0)
		rc = shk_spool_set_aside(s, g->first);
	if (rc == 0 && renameat(s->dir, name, s->dir, to) < 0)
		rc = -errno;
	if (rc == 0)
		rc = shk_segment_scan(&copy);
	if (rc < 0) {
		unlinkat(s->dir, name, 0);
		close(copy.fd);
		return rc;
	}
	s->spoilt++;
	close(g->fd);
	*g = copy;
	return 0;
}

/* The file is one of ours: it is opened, or left. */
static void load_file(struct shk_spool *s, const char *name, uint64_t first, size_t *n)
{
	struct stat st = { 0 };
	int fd = -1;

	if (*n < SEGMENTS_MAX) {
		fd = openat(s->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0 && (errno == EROFS || errno == EACCES))
			fd = openat(s->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (fd < 0) {
		(void)fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW);
		leave(s, first, (uint64_t)st.st_size);
		return;
	}
	s->seg[(*n)++] = (struct shk_segment){ .fd = fd, .first = first, .gen = ++s->gens };
}

/* Returns whether it can be used. */
static bool load_records(struct shk_spool *s, struct shk_segment *g)
{
	struct stat st = { 0 };
	int rc = shk_segment_scan(g);

	if (rc == -EBADMSG)
		rc = mend(s, g);
	if (rc < 0) {
		(void)fstat(g->fd, &st);
		leave(s, g->first, (uint64_t)st.st_size);
		shk_close(&g->fd);
		return false;
	}
	s->bytes += g->size;
	s->next = SHK_MAX(s->next, g->last + 1);
	if (g->n) {
		s->boot = g->boot;
		s->cookie = g->cookie;
	}
	return true;
}

int shk_spool_load(struct shk_spool *s)
{
	_cleanup_closedir_ DIR *d = NULL;
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	size_t n = 0;

	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int rc = -errno;

		shk_close(&fd);
		return rc;
	}
	while ((e = readdir(d))) {
		unsigned long long first;
		char name[64];

		if (sscanf(e->d_name, "%16llx.seg", &first) != 1 || !first || first > INT64_MAX)
			continue;
		shk_spool_name(name, sizeof(name), first, "");
		if (!strcmp(name, e->d_name)) {
			load_file(s, name, first, &n);
			continue;
		}
		shk_spool_name(name, sizeof(name), first, ".new");
		if (!strcmp(name, e->d_name)) /* of a rewriting that did not end */
			unlinkat(s->dir, name, 0);
	}
	qsort(s->seg, n, sizeof(s->seg[0]), by_first);
	for (size_t i = 0; i < n; i++)
		if (load_records(s, &s->seg[i]))
			s->seg[s->n++] = s->seg[i];
	s->synced = s->n ? s->seg[s->n - 1].size : 0;
	return 0;
}

int shk_spool_open_dir(struct shk_spool *s, int wait)
{
	int dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), lock;
	struct stat st;

	if (dir < 0)
		return -errno;
	/* What is read here is sent on as alerts. */
	if (fstat(dir, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		close(dir);
		return -EPERM;
	}
	lock = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0 && errno == EROFS)
		lock = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lock < 0) {
		int e = errno;

		close(dir);
		return -e;
	}
	for (int waited = 0; flock(lock, LOCK_EX | LOCK_NB) < 0; waited += 50) {
		if (waited >= wait) {
			close(lock);
			close(dir);
			return -EBUSY;
		}
		poll(NULL, 0, 50);
	}
	s->dir = dir;
	s->lock = lock;
	return 0;
}

void shk_spool_close_dir(struct shk_spool *s)
{
	shk_close(&s->lock);
	shk_close(&s->dir);
}
