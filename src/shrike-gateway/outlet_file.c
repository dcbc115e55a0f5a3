// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>

#include "shrike-gateway/outlet.h"

#define MAGIC UINT64_C(0x31746c74756b6873)

_Static_assert(sizeof(struct shk_outlet_kept) <= SHK_OUTLET_BLOCK, "the state fits its block");

static uint64_t sum_of(const struct shk_outlet_kept *k)
{
	const unsigned char *p = (const unsigned char *)k;
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < offsetof(struct shk_outlet_kept, sum); i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static bool is_whole(const struct shk_outlet_kept *k)
{
	if (k->magic != MAGIC || k->sum != sum_of(k) || k->bit >= 32)
		return false;
	for (size_t i = 0; i < SHK_FOLDS; i++)
		if (k->fold[i].key && k->fold[i].kind != SHK_FOLD_SAME && k->fold[i].kind != SHK_FOLD_LIMIT)
			return false;
	return true;
}

bool shk_outlet_parse(const void *p, size_t n, struct shk_outlet_kept *ret)
{
	bool found = false;

	for (size_t i = 0; i < 2; i++) {
		struct shk_outlet_kept k;

		if (n < i * SHK_OUTLET_BLOCK + sizeof(k))
			break;
		memcpy(&k, (const char *)p + i * SHK_OUTLET_BLOCK, sizeof(k));
		if (!is_whole(&k) || (found && k.generation <= ret->generation))
			continue;
		*ret = k;
		found = true;
	}
	return found;
}

/* made: it was not there. */
static int open_state(int dir, const char *name, bool *made)
{
	char path[128];
	int fd;

	*made = false;
	if (dir < 0)
		return -EBADF;
	snprintf(path, sizeof(path), "output-%s.state", name);
	fd = openat(dir, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		*made = true;
		fd = openat(dir, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	} else if (fd < 0 && (errno == EROFS || errno == EACCES)) {
		fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	/* Its name must be there after a loss of power, too. */
	if (fd >= 0 && *made)
		(void)fsync(dir);
	return fd < 0 ? -errno : fd;
}

int shk_outlet_load(struct shk_outlet *o, int dir, const char *name, uint64_t next)
{
	unsigned char both[2 * SHK_OUTLET_BLOCK];
	ssize_t n;
	bool made;

	o->kept = (struct shk_outlet_kept){ .magic = MAGIC, .bit = 32, .next = next };
	o->unsaved = o->unsynced = true;
	o->file = open_state(dir, name, &made);
	if (o->file < 0) {
		int rc = o->file;

		o->file = -1;
		/* It is there and says what we cannot read: once more is better than never. */
		if (!made && rc != -EBADF)
			o->kept.next = 0;
		return rc;
	}
	n = pread(o->file, both, sizeof(both), 0);
	if (n > 0 && shk_outlet_parse(both, (size_t)n, &o->kept)) {
		/* What was on its way and had left the spool went with the gateway that had it. */
		o->kept.dropped += o->kept.orphans;
		o->kept.orphans = 0;
		o->saved_drops = o->kept.dropped;
		/* These counted nothing yet, and their keys are of another process: the next one like it is sent. */
		for (size_t i = 0; i < SHK_FOLDS; i++)
			if (!o->kept.fold[i].count)
				o->kept.fold[i] = (struct shk_fold){ 0 };
		return 0;
	}
	if (!made)
		o->kept.next = 0;
	return 0;
}

void shk_outlet_save(struct shk_outlet *o)
{
	unsigned char block[SHK_OUTLET_BLOCK] = { 0 };
	off_t at;

	o->dirty = false;
	o->unsaved = true;
	o->kept.generation++;
	o->kept.sum = sum_of(&o->kept);
	if (o->file < 0)
		return;
	memcpy(block, &o->kept, sizeof(o->kept));
	/* The block of before stays whole until this one is. A failure repeats alerts after a restart. */
	at = (off_t)(o->kept.generation % 2) * SHK_OUTLET_BLOCK;
	if (pwrite(o->file, block, sizeof(block), at) != sizeof(block))
		return;
	/* The first one takes the room of both, as the disk may be full later; and an output whose file is not whole
	 * after a loss of power would not know which of the alerts it had. One of them is always whole on the disk. */
	if (o->unsynced && (fdatasync(o->file) < 0 ||
			    pwrite(o->file, block, sizeof(block), SHK_OUTLET_BLOCK - at) != sizeof(block) ||
			    fdatasync(o->file) < 0))
		return;
	o->unsynced = o->unsaved = false;
	o->saved_drops = o->kept.dropped + o->kept.orphans;
}

void shk_outlet_save_synced(struct shk_outlet *o)
{
	shk_outlet_save(o);
	if (o->file >= 0 && !o->unsaved && fdatasync(o->file) < 0)
		o->unsaved = o->unsynced = true;
}

uint64_t shk_outlet_at_risk(const struct shk_outlet *o)
{
	uint64_t lost = o->kept.dropped + o->kept.orphans, known = SHK_MAX(o->saved_drops, o->kept.told + o->telling);

	return lost > known ? lost - known : 0;
}

void shk_outlet_mend(struct shk_outlet *o, int dir, const char *name)
{
	bool made;
	int fd;

	if (!o->unsaved)
		return;
	fd = open_state(dir, name, &made);
	if (fd >= 0) {
		shk_close(&o->file);
		o->file = fd;
		o->unsynced = true;
	}
	shk_outlet_save(o);
}
