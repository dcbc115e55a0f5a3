// SPDX-License-Identifier: Apache-2.0
#include "state/mount_text.h"

/* Filesystems whose lookups end without anybody's help. Overlays lie on others, which need not be of
 * this kind; the engine's own, at the root, is taken. */
bool shk_type_answers(struct shk_str type, bool at_root)
{
	static const char *const good[] = {
		"bcachefs", "btrfs", "cgroup", "cgroup2", "devpts", "devtmpfs", "erofs", "ext2",
		"ext3", "ext4", "f2fs", "mqueue", "proc", "ramfs", "rootfs", "squashfs", "sysfs",
		"tmpfs", "vfat", "virtiofs", "xfs", "zfs",
	};

	if (shk_str_eqz(type, "overlay"))
		return at_root;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(good); i++)
		if (shk_str_eqz(type, good[i]))
			return true;
	return false;
}

/* Field n (from 0) of a line of mountinfo; past " - " they are counted from 100. */
struct shk_str shk_mount_field(struct shk_str line, unsigned n)
{
	unsigned i = 0;

	while (line.n) {
		const char *sp = memchr(line.p, ' ', line.n);
		size_t len = sp ? (size_t)(sp - line.p) : line.n;

		if (i == n)
			return (struct shk_str){ line.p, len };
		i = len == 1 && line.p[0] == '-' ? 100 : i + 1;
		if (!sp)
			break;
		line.p += len + 1;
		line.n -= len + 1;
	}
	return (struct shk_str){ "", 0 };
}

bool shk_mount_line(struct shk_str *text, struct shk_str *line)
{
	const char *nl = text->n ? memchr(text->p, '\n', text->n) : NULL;

	if (!text->n)
		return false;
	*line = (struct shk_str){ text->p, nl ? (size_t)(nl - text->p) : text->n };
	text->p += line->n + (nl ? 1 : 0);
	text->n -= line->n + (nl ? 1 : 0);
	return true;
}
