// SPDX-License-Identifier: Apache-2.0
/*
 * doors.c - the same open through other doors: the 32-bit one, a name in a page that is not there, a ring of io_uring, an overlay; and the
 * ends of calls, of both tables.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uring.h"
#include "vmtest.h"

#define I386_OPEN 5
#define I386_GETPPID 64
#define X32_BIT 0x40000000

static char low_path[] = "/run/doors/i386";

/* A call by the door of 32-bit programs: strings must lie below 4 GB, hence static and not PIE, or mapped there. */
static int int80(int nr, unsigned long a, unsigned long b, unsigned long c)
{
	int ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static int by_i386(void *arg)
{
	char *low = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	(void)arg;
	if (low == MAP_FAILED)
		return 1;
	memcpy(low, low_path, sizeof(low_path));
	if (int80(I386_OPEN, (unsigned long)low, O_RDONLY, 0) < 0)
		return 2;
	return int80(I386_GETPPID, 0, 0, 0) > 0 ? 0 : 3;
}

/* The name is in a file that nobody has read since it was written. */
static int by_cold_page(void *arg)
{
	int fd = open("/run/doors/page", O_RDONLY | O_CLOEXEC);
	const char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	(void)arg;
	return p != MAP_FAILED && syscall(SYS_openat, AT_FDCWD, p, O_RDONLY, 0) >= 0 ? 0 : 1;
}

static int by_io_uring(void *arg)
{
	(void)arg;
	return uring_open("/run/doors/ring", 1);
}

static int by_overlay(void *arg)
{
	int fd;

	(void)arg;
	fd = open("/run/doors/merged/lower", O_RDWR | O_CLOEXEC);
	return fd >= 0 && chmod("/run/doors/merged/lower", 0600) == 0 && unlink("/run/doors/merged/lower") == 0 ? 0 : 1;
}

static int some_calls(void *arg)
{
	(void)arg;
	syscall(SYS_getppid);
	syscall(SYS_close, 1000);
	return 0;
}

static void make(const char *path)
{
	close(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int by_x32(void *arg)
{
	(void)arg;
	return syscall(X32_BIT | SYS_getppid) > 0 ? 0 : 1;
}

/* A kernel may have no x32 (tests/vm/check asks for it). */
static void check_x32(int cgroup)
{
	struct seen_list l = { 0 };
	const struct seen *s;

	CHECK(in_child(cgroup, by_x32, NULL) == 0, "no x32 here");
	drain(&l);
	s = l.n ? &l.v[l.n - 1] : NULL;
	CHECK(s && s->head.type == SHRIKE_SYSCALL && s->head.nr == SYS_getppid && !(s->head.flags & SHRIKE_F_COMPAT), "x32 call");
	seen_free(&l);
}

static void check_calls(int cgroup)
{
	uint8_t native[SHRIKE_BITMAP_BYTES] = { 0 }, compat[SHRIKE_BITMAP_BYTES] = { 0 };
	struct seen_list l = { 0 };
	const struct seen *s = NULL;

	native[SYS_close / 8] = 1 << SYS_close % 8;
	compat[I386_GETPPID / 8] = 1 << I386_GETPPID % 8;
	watch(3, cgroup, 0, 1ull << SHRIKE_SYSCALL, 0, native, compat);
	CHECK(in_child(cgroup, some_calls, NULL) == 0, "the program itself failed");
	drain(&l);
	/* cgroup_enter closes a file, too: its write was what brought it here. */
	CHECK(count_seen(&l, SHRIKE_SYSCALL, NULL, NULL, NULL) == 2, "%zu", l.n);
	if (l.n) {
		s = &l.v[l.n - 1];
		CHECK(s->head.nr == SYS_close && s->u.call.ret == -9 && s->u.call.args[0] == 1000, "close: %lld",
		      (long long)s->u.call.ret);
	}
	seen_free(&l);
	CHECK(in_child(cgroup, by_i386, NULL) == 0, "the program itself failed");
	drain(&l);
	s = l.n ? &l.v[l.n - 1] : NULL;
	CHECK(s && s->head.type == SHRIKE_SYSCALL && s->head.nr == I386_GETPPID && (s->head.flags & SHRIKE_F_COMPAT) &&
	      s->u.call.ret == getpid(), "32-bit call");
	seen_free(&l);
	unwatch(3);
	native[SYS_getppid / 8] = 1 << SYS_getppid % 8;
	watch(3, cgroup, 0, 1ull << SHRIKE_SYSCALL, 0, native, NULL);
	check_x32(cgroup);
	unwatch(3);
}

void test_doors(void)
{
	int cgroup = cgroup_make("doors"), fd;
	struct seen_list l = { 0 };
	const struct seen *s = NULL;

	mkdir("/run/doors", 0755);
	make("/run/doors/i386");
	make("/run/doors/cold");
	make("/run/doors/ring");
	fd = open("/run/doors/page", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(write(fd, "/run/doors/cold", 16) == 16, "write");
	close(fd);
	mkdir("/run/doors/l", 0755);
	mkdir("/run/doors/u", 0755);
	mkdir("/run/doors/w", 0755);
	mkdir("/run/doors/merged", 0755);
	make("/run/doors/l/lower");
	CHECK(mount("overlay", "/run/doors/merged", "overlay", 0,
		    "lowerdir=/run/doors/l,upperdir=/run/doors/u,workdir=/run/doors/w") == 0, "overlay");
	watch(2, cgroup, 0, ALL_CLASSES, 0, NULL, NULL);
	CHECK(in_child(cgroup, by_i386, NULL) == 0, "the program itself failed");
	CHECK(in_child(cgroup, by_cold_page, NULL) == 0, "the program itself failed");
	CHECK(in_child(cgroup, by_io_uring, NULL) == 0, "the program itself failed");
	CHECK(in_child(cgroup, by_overlay, NULL) == 0, "the program itself failed");
	drain(&l);
	CHECK(count_seen(&l, SHRIKE_OPEN, "/run/doors/i386", NULL, &s) == 1 && (s->head.flags & SHRIKE_F_COMPAT) &&
	      s->head.nr == I386_OPEN, "32-bit open");
	CHECK(count_seen(&l, SHRIKE_OPEN, "/run/doors/cold", NULL, NULL) == 1, "cold page");
	CHECK(count_seen(&l, SHRIKE_OPEN, "/run/doors/ring", NULL, NULL) == 1, "io_uring");
	/* Once, whatever the overlay does with the files below. */
	CHECK(count_seen(&l, SHRIKE_OPEN, "/run/doors/merged/lower", NULL, NULL) == 1, "overlay: %zu opens",
	      count_seen(&l, SHRIKE_OPEN, "/run/doors/merged/lower", NULL, NULL));
	CHECK(count_seen(&l, SHRIKE_CHMOD, NULL, NULL, NULL) == 1, "overlay: chmod");
	CHECK(count_seen(&l, SHRIKE_UNLINK, NULL, NULL, NULL) == 1, "overlay: unlink");
	seen_free(&l);
	unwatch(2);
	check_calls(cgroup);
	umount("/run/doors/merged");
	close(cgroup);
	cgroup_remove("doors");
}
