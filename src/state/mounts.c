// SPDX-License-Identifier: Apache-2.0
#include "state/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "state/mount_text.h"

#define MOUNTS_BYTES (1u << 20)

/* Number << KIND_BITS | kind. */
#define KIND_BITS 3
static _Atomic uint64_t kinds[64];
/* Of the same mount, or of one that is just being put there: the lower half of that number << 32 | its other number. */
static _Atomic uint64_t numbers[64];

void shk_mount_view_done(struct shk_mount_view *m)
{
	if (m->have)
		shk_buf_done(&m->text);
	m->have = false;
}

/* A task that did chroot is shown the mounts below its root alone, so the container's init is asked, too. */
static void read_all(struct shk_mount_view *m)
{
	const pid_t of[2] = { m->tid, m->init };
	char path[64];

	if (m->have)
		return;
	m->have = true;
	shk_buf_init(&m->text, 2 * MOUNTS_BYTES);
	for (unsigned i = 0; i < 2; i++) {
		_cleanup_buf_ struct shk_buf b = { .limit = MOUNTS_BYTES };

		if (of[i] <= 0 || (i && of[i] == of[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)of[i]);
		if (shk_read_file(path, &b, NULL) == 0)
			shk_buf_addstr(&m->text, shk_buf_view(&b));
	}
}

/* What an overlay lies on may never answer, and any may be the root of a task (chroot, pivot_root): the one that is trusted
 * is the runtime's. */
static bool is_own_root(const struct shk_mount_view *m, struct shk_str line)
{
	char dev[32];

	if (!m->root)
		return shk_str_eqz(shk_mount_field(line, 4), "/");
	snprintf(dev, sizeof(dev), "%u:%u", major(m->root), minor(m->root));
	return shk_str_eqz(shk_mount_field(line, 2), dev);
}

/* "ID PARENT DEV ROOT MOUNTPOINT OPTIONS [...] - TYPE SOURCE OPTIONS"; n = 0: it is mounted nowhere. */
static struct shk_str type_of(struct shk_mount_view *m, uint64_t id, bool *own_root)
{
	struct shk_str text, line;

	read_all(m);
	text = shk_buf_view(&m->text);
	while (shk_mount_line(&text, &line)) {
		uint64_t got;

		if (shk_str_to_u64(shk_mount_field(line, 0), &got) && got == id) {
			*own_root = is_own_root(m, line);
			return shk_mount_field(line, 100);
		}
	}
	return (struct shk_str){ "", 0 };
}

/* AT_STATX_DONT_SYNC: the server is not asked. */
static int look(int fd, unsigned mask, struct statx *sx)
{
	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | mask, sx) < 0 ? -errno : 0;
}

/* While the descriptor is there its numbers are nobody else's. */
int shk_mount_look(struct shk_mount_view *m, int fd, unsigned mask, struct statx *sx)
{
	uint64_t unique = 0, v, number;
	bool own_root = false;
	struct shk_str type;
	unsigned kind, at = 0;
	int r = look(fd, mask | STATX_MNT_ID_UNIQUE, sx);

	if (r == 0 && sx->stx_mask & STATX_MNT_ID_UNIQUE) {
		unique = sx->stx_mnt_id;
		at = unique % SHK_ARRAY_SIZE(kinds);
		v = atomic_load_explicit(&kinds[at], memory_order_relaxed);
		number = atomic_load_explicit(&numbers[at], memory_order_relaxed);
		if (v >> KIND_BITS == unique && number >> 32 == (uint32_t)unique) {
			sx->stx_mnt_id = (uint32_t)number;
			sx->stx_mask = (sx->stx_mask & ~STATX_MNT_ID_UNIQUE) | STATX_MNT_ID;
			return (int)(v & ((1u << KIND_BITS) - 1));
		}
		r = look(fd, mask | STATX_MNT_ID, sx);
		shk_mount_view_done(m); /* what was read before may be of the number's last owner */
	}
	if (r < 0 || !(sx->stx_mask & STATX_MNT_ID))
		return r < 0 ? r : -ENODATA;
	type = type_of(m, sx->stx_mnt_id, &own_root);
	if (!type.n)
		return 0;
	kind = SHK_MOUNT_KNOWN | (shk_type_answers(type, own_root) ? SHK_MOUNT_ANSWERS : 0) |
	       (shk_str_eqz(type, "proc") ? SHK_MOUNT_PROC : 0);
	if (unique) {
		atomic_store_explicit(&numbers[at], unique << 32 | (uint32_t)sx->stx_mnt_id, memory_order_relaxed);
		atomic_store_explicit(&kinds[at], unique << KIND_BITS | kind, memory_order_relaxed);
	}
	return (int)kind;
}

bool shk_mount_answers(struct shk_mount_view *m, int fd)
{
	struct statx sx;
	int kind = shk_mount_look(m, fd, 0, &sx);

	return kind > 0 && kind & SHK_MOUNT_ANSWERS;
}

bool shk_mount_is_proc(struct shk_mount_view *m, int fd)
{
	struct statx sx;
	int kind = shk_mount_look(m, fd, 0, &sx);

	return kind < 0 || kind & SHK_MOUNT_PROC;
}

static bool lists(struct shk_str text, uint64_t id)
{
	struct shk_str line;
	uint64_t got;

	while (shk_mount_line(&text, &line))
		if (shk_str_to_u64(shk_mount_field(line, 0), &got) && got == id)
			return true;
	return false;
}

bool shk_mount_listed(struct shk_mount_view *m, int fd)
{
	struct statx sx;

	if (look(fd, STATX_MNT_ID, &sx) < 0 || !(sx.stx_mask & STATX_MNT_ID))
		return false;
	read_all(m);
	return lists(shk_buf_view(&m->text), sx.stx_mnt_id);
}

bool shk_mount_seen(struct shk_mount_view *m, int fd)
{
	_cleanup_buf_ struct shk_buf own;
	struct statx sx;

	shk_buf_init(&own, MOUNTS_BYTES);
	if (look(fd, STATX_MNT_ID, &sx) < 0 || !(sx.stx_mask & STATX_MNT_ID))
		return false;
	if (shk_mount_listed(m, fd))
		return true;
	(void)shk_read_file("/proc/self/mountinfo", &own, NULL);
	return lists(shk_buf_view(&own), sx.stx_mnt_id);
}
