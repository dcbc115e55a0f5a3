/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permit.h - the kernel asks before it opens a file to run it (fanotify, FAN_OPEN_EXEC_PERM).
 *
 * A group is a descriptor; mounts are marked in it one by one, and whoever runs a file through a marked mount waits
 * until the event is answered, or the last descriptor of the group is closed, which allows everything that waits. A mark
 * goes with its mount. An event names a descriptor of the process that read it; that number alone answers it, also from
 * another process that holds the group.
 *
 * Needs CAP_SYS_ADMIN in the initial user namespace, for the group and for marks (fanotify_init(2)). No state; any
 * thread. 0 or -errno.
 */
#ifndef SHK_SOURCES_FANOTIFY_PERMIT_H
#define SHK_SOURCES_FANOTIFY_PERMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* struct fanotify_event_metadata as the kernel writes it (linux/fanotify.h), apart from the header, which some C
 * libraries' conflict with. */
struct shk_permit_event {
	uint32_t len; /* 0: nothing was read into it */
	uint8_t version, reserved;
	uint16_t metadata_len;
	uint64_t mask;
	int32_t fd;  /* the file, open for reading; < 0: none */
	int32_t tid; /* who runs it, as seen from the reader's pid namespace */
};

/* A new group; its descriptor. Opening the file of an event never waits: for a file with a lease somebody would
 * have to give up the kernel refuses the execve by itself. */
int shk_permit_new(void);
/* Marks the mount that fd (O_PATH is enough) lies on. Again for one that is marked: no effect. */
int shk_permit_mark(int group, int fd);
/* One event, into memory that may be shared with others: an event is either in there or still the kernel's, at whatever
 * moment the reader dies. -EAGAIN: there is none. */
int shk_permit_read(int group, struct shk_permit_event *ev);
/* -ENOENT: it waits no more. */
int shk_permit_answer(int group, int event_fd, bool allow);

#endif
