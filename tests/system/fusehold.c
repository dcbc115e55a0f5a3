// SPDX-License-Identifier: Apache-2.0
/*
 * fusehold - a process whose execve waits for a file system that the container itself serves, and that never answers
 * the read. So long its process holds the lock that ptrace(2) needs. fusehold DIR: "ready" appears in DIR when the
 * execve waits. 77: no FUSE here. Static.
 *
 * fusehold DIR MNT: serves MNT, on this machine, where one file "slow" is found and never opened; "ready" appears when somebody tries.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int dev;
static bool never_opens;

static void reply(uint64_t unique, const void *body, size_t n)
{
	struct fuse_out_header h = { .len = (uint32_t)(sizeof(h) + n), .unique = unique };
	char buf[512];

	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), body, n);
	if (write(dev, buf, sizeof(h) + n) < 0)
		_exit(3);
}

static struct fuse_attr attr_of(uint64_t node)
{
	return (struct fuse_attr){ .ino = node, .size = 4096, .nlink = 1,
				   .mode = node == 1 ? S_IFDIR | 0755 : S_IFREG | 0755 };
}

static void tell(int dir)
{
	close(openat(dir, "ready", O_CREAT | O_WRONLY, 0644));
}

/* Everything but reading works, or but opening. */
static void serve(int dir)
{
	static char buf[1 << 17];

	for (;;) {
		struct fuse_in_header *h = (void *)buf;
		ssize_t n = read(dev, buf, sizeof(buf));

		if (n < (ssize_t)sizeof(*h))
			_exit(errno == ENODEV ? 0 : 3);
		switch (h->opcode) {
		case FUSE_INIT: {
			struct fuse_init_out o = { .major = 7, .minor = 31, .max_write = 4096 };

			reply(h->unique, &o, sizeof(o));
			break;
		}
		case FUSE_LOOKUP: {
			struct fuse_entry_out o = { .nodeid = 2, .attr = attr_of(2) };
			struct fuse_out_header none = { .len = sizeof(none), .error = -ENOENT, .unique = h->unique };

			if (!never_opens || !strcmp((char *)(h + 1), "slow"))
				reply(h->unique, &o, sizeof(o));
			else if (write(dev, &none, sizeof(none)) < 0)
				_exit(3);
			break;
		}
		case FUSE_GETATTR: {
			struct fuse_attr_out o = { .attr = attr_of(h->nodeid) };

			reply(h->unique, &o, sizeof(o));
			break;
		}
		case FUSE_STATFS: {
			struct fuse_statfs_out o = { .st = { .bsize = 4096, .frsize = 4096, .namelen = 255 } };

			reply(h->unique, &o, sizeof(o));
			break;
		}
		case FUSE_OPEN: {
			struct fuse_open_out o = { .fh = 1 };

			if (never_opens) {
				tell(dir);
				break;
			}
			reply(h->unique, &o, sizeof(o));
			break;
		}
		case FUSE_READ:
			tell(dir);
			break;
		default: {
			struct fuse_out_header o = { .len = sizeof(o), .error = -ENOSYS, .unique = h->unique };

			if (h->opcode != FUSE_FORGET && h->opcode != FUSE_BATCH_FORGET &&
			    write(dev, &o, sizeof(o)) < 0)
				_exit(3);
		}
		}
	}
}

int main(int argc, char **argv)
{
	char opts[128];
	int dir = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;

	if (dir < 0)
		return 2;
	if (argc > 2) {
		never_opens = true;
		dev = open("/dev/fuse", O_RDWR);
		snprintf(opts, sizeof(opts), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev);
		if (dev < 0 || mount("hold", argv[2], "fuse", MS_NOSUID, opts) < 0)
			return 77;
		serve(dir);
	}
	mknod("/tmp/fuse", S_IFCHR | 0600, makedev(10, 229));
	dev = open("/tmp/fuse", O_RDWR);
	snprintf(opts, sizeof(opts), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", dev);
	if (dev < 0 || mount("hold", "/mnt", "fuse", MS_NOSUID, opts) < 0) {
		dprintf(openat(dir, "ready", O_CREAT | O_WRONLY, 0644), "no fuse: %s\n", strerror(errno));
		for (;;)
			pause();
	}
	if (fork() == 0)
		serve(dir);
	if (fork() == 0) {
		close(dev); /* the server's end is the end of the wait */
		execl("/mnt/program", "program", (char *)NULL);
		_exit(3);
	}
	close(dev);
	for (;;)
		pause();
}
