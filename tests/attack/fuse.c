// SPDX-License-Identifier: Apache-2.0
/*
 * A file system of one's own that does not answer: whoever looks up "never", or opens "f", waits until it is gone. Those
 * calls may fail or wait; what must not happen is that others have to wait with them.
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attack.h"

#define STUCK 12

static int dev;

static void reply(const struct fuse_in_header *in, int error, const void *body, size_t n)
{
	struct fuse_out_header out = { (uint32_t)(sizeof(out) + n), -error, in->unique };
	struct iovec v[2] = { { &out, sizeof(out) }, { (void *)(uintptr_t)body, n } };

	if (writev(dev, v, n ? 2 : 1) < 0 && errno != ENOENT && errno != ENODEV)
		broken("fuse");
}

static struct fuse_attr attr_of(uint64_t node)
{
	return (struct fuse_attr){ .ino = node, .nlink = 1, .blksize = 4096,
				   .mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644 };
}

static void answer(const struct fuse_in_header *in, const char *body)
{
	struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096 };
	struct fuse_entry_out entry = { .nodeid = 2, .attr = attr_of(2) };
	struct fuse_attr_out attr = { .attr = attr_of(in->nodeid) };

	switch (in->opcode) {
	case FUSE_INIT:
		reply(in, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		if (strcmp(body, "never") != 0)
			reply(in, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
		reply(in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
	case FUSE_FORGET:
	case FUSE_INTERRUPT:
		break;
	default:
		reply(in, ENOSYS, NULL, 0);
	}
}

static void *serving(void *arg)
{
	static char buf[65536] __attribute__((aligned(8)));

	while (read(dev, buf, sizeof(buf)) > (ssize_t)sizeof(struct fuse_in_header))
		answer((const struct fuse_in_header *)(void *)buf, buf + sizeof(struct fuse_in_header));
	return arg;
}

static void *stuck(void *arg)
{
	int fd = open(arg, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return NULL;
}

static void silent(struct run *r)
{
	static char never[] = "/tmp/fuse/never", known[] = "/tmp/fuse/f";
	char options[64];

	mkdir("/tmp/fuse", 0755);
	mknod("/tmp/fuse-device", S_IFCHR | 0600, makedev(10, 229));
	dev = open("/tmp/fuse-device", O_RDWR | O_CLOEXEC);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0", dev);
	if (dev < 0 || mount("silent", "/tmp/fuse", "fuse", 0, options) < 0) {
		unavailable(r, "fuse");
		return;
	}
	start_thread(serving, NULL);
	for (int i = 0; i < STUCK; i++)
		start_thread(stuck, i % 2 ? never : known);
	while (more(r)) {
		plain_open(r);
		judge_fd(r, open("/hide/f", O_RDONLY | O_CLOEXEC));
	}
	umount2("/tmp/fuse", MNT_FORCE | MNT_DETACH);
	close(dev);
}

const struct attack attacks_fuse[] = {
	{ "wait-fuse", silent },
	{ NULL, NULL },
};
