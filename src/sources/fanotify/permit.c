// SPDX-License-Identifier: Apache-2.0
#include "sources/fanotify/permit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <unistd.h>

#ifndef FAN_REPORT_TID
#define FAN_REPORT_TID 0x00000100 /* linux/fanotify.h, 4.20 */
#endif
#ifndef FAN_OPEN_EXEC_PERM
#define FAN_OPEN_EXEC_PERM 0x00040000 /* linux/fanotify.h, 5.0 */
#endif

int shk_permit_new(void)
{
	/* O_NONBLOCK of the file: a lease on it is not waited for (break_lease() in fs/open.c). */
	int fd = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_TID | FAN_UNLIMITED_QUEUE |
			       FAN_UNLIMITED_MARKS, O_RDONLY | O_NONBLOCK | O_LARGEFILE | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int shk_permit_mark(int group, int fd)
{
	char path[64];

	/* By name: the call takes no O_PATH descriptor. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fanotify_mark(group, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN_EXEC_PERM, AT_FDCWD, path) < 0 ? -errno : 0;
}

int shk_permit_read(int group, struct shk_permit_event *ev)
{
	ssize_t n;

	_Static_assert(sizeof(*ev) == sizeof(struct fanotify_event_metadata), "the kernel's structure");
	n = read(group, ev, sizeof(*ev));
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(*ev) && ev->len >= sizeof(*ev) && ev->version == FANOTIFY_METADATA_VERSION ? 0 : -EIO;
}

int shk_permit_answer(int group, int event_fd, bool allow)
{
	struct fanotify_response r = { .fd = event_fd, .response = allow ? FAN_ALLOW : FAN_DENY };

	return write(group, &r, sizeof(r)) < 0 ? -errno : 0;
}
