// SPDX-License-Identifier: Apache-2.0
#include "enforce/bar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/str.h"
#include "enforce/device.h"
#include "state/mount_text.h"

static struct {
	atomic_bool up;
	int in, out; /* cgroup.threads of the two control groups */
} bar = { .in = -1, .out = -1 };

/* ---- where ---- */

/* "0::/path" */
static bool own_group(struct shk_str text, struct shk_str *ret)
{
	struct shk_str line;

	while (shk_mount_line(&text, &line))
		if (shk_str_starts(line, SHK_STR("0::/"))) {
			*ret = (struct shk_str){ line.p + 3, line.n - 3 };
			return true;
		}
	return false;
}

/* Where a cgroup2 is mounted, whole. Mount points with blanks are passed over. */
static bool mount_point(struct shk_str text, struct shk_str *ret)
{
	struct shk_str line;

	while (shk_mount_line(&text, &line))
		if (shk_str_eqz(shk_mount_field(line, 100), "cgroup2") && shk_str_eqz(shk_mount_field(line, 3), "/")) {
			*ret = shk_mount_field(line, 4);
			if (!memchr(ret->p, '\\', ret->n))
				return true;
		}
	return false;
}

/* The directory of the own control group. 0 or -errno. */
static int own_directory(char *buf, size_t size)
{
	_cleanup_buf_ struct shk_buf groups, mounts;
	struct shk_str group, at;
	int r;

	shk_buf_init(&groups, 64u << 10);
	shk_buf_init(&mounts, 2u << 20);
	r = shk_read_file("/proc/self/cgroup", &groups, NULL);
	if (r == 0)
		r = shk_read_file("/proc/self/mountinfo", &mounts, NULL);
	if (r < 0)
		return r;
	if (!own_group(shk_buf_view(&groups), &group) || !mount_point(shk_buf_view(&mounts), &at))
		return -ENOENT;
	if (snprintf(buf, size, SHK_STR_FMT "%.*s", SHK_STR_ARG(at), group.n == 1 ? 0 : (int)group.n, group.p) >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}

/* Groups of engines that have ended are empty; another one's cannot be removed. */
static void sweep(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		shk_close(&fd);
		return;
	}
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, SHK_BAR_NAME, sizeof(SHK_BAR_NAME) - 1))
			(void)unlinkat(dir, e->d_name, AT_REMOVEDIR);
	closedir(d);
}

/* ---- the program ---- */

#define LOAD(reg, field)                                                                                                     \
	{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (reg), .src_reg = 1, .off = offsetof(struct bpf_cgroup_dev_ctx, field) }
#define IF(op, reg, value, over)                                                                                             \
	{ .code = BPF_JMP | (op) | BPF_K, .dst_reg = (reg), .off = (over), .imm = (value) }
#define AND(reg, value)                                                                                                      \
	{ .code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = (reg), .imm = (value) }
#define MOVE(reg, from)                                                                                                      \
	{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (reg), .src_reg = (from) }
#define ANSWER(value)                                                                                                        \
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = (value) }, { .code = BPF_JMP | BPF_EXIT }

/* To make a node is not to open it. Otherwise as shk_device_is_everybodys. */
static int load(void)
{
	static const struct bpf_insn code[] = {
		/* 0 */ LOAD(2, access_type),
		/* 1 */ MOVE(3, 2),
		/* 2 */ AND(3, (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE) << 16),
		/* 3 */ IF(BPF_JEQ, 3, 0, 14), /* allow */
		/* 4 */ AND(2, 0xffff),
		/* 5 */ IF(BPF_JNE, 2, BPF_DEVCG_DEV_CHAR, 14), /* refuse */
		/* 6 */ LOAD(2, major),
		/* 7 */ LOAD(3, minor),
		/* 8 */ IF(BPF_JNE, 2, 1, 5), /* to 14 */
		/* 9 */ IF(BPF_JEQ, 3, 3, 8), /* null: allow */
		/* 10 */ IF(BPF_JEQ, 3, 5, 7), /* zero: allow */
		/* 11 */ IF(BPF_JLT, 3, 7, 8), /* refuse */
		/* 12 */ IF(BPF_JGT, 3, 9, 7), /* refuse */
		/* 13 */ IF(BPF_JA, 0, 0, 4), /* full, random, urandom: allow */
		/* 14 */ IF(BPF_JNE, 2, 5, 1), /* to 16 */
		/* 15 */ IF(BPF_JEQ, 3, 2, 2), /* ptmx: allow */
		/* 16 */ IF(BPF_JLT, 2, 136, 3), /* refuse */
		/* 17 */ IF(BPF_JGT, 2, 143, 2), /* refuse */
		/* 18: pseudo terminals */ ANSWER(1),
		/* 20 */ ANSWER(0),
	};
	union bpf_attr a;
	long fd;

	memset(&a, 0, sizeof(a));
	a.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	a.insns = (uintptr_t)code;
	a.insn_cnt = SHK_ARRAY_SIZE(code);
	a.license = (uintptr_t) "Apache-2.0";
	strcpy(a.prog_name, "shrike_bar");
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a));
	return fd < 0 ? -errno : (int)fd;
}

static int attach(int dir)
{
	_cleanup_close_ int prog = load();
	union bpf_attr a;

	if (prog < 0)
		return prog;
	memset(&a, 0, sizeof(a));
	a.target_fd = (uint32_t)dir;
	a.attach_bpf_fd = (uint32_t)prog;
	a.attach_type = BPF_CGROUP_DEVICE;
	a.attach_flags = BPF_F_ALLOW_MULTI;
	return syscall(SYS_bpf, BPF_PROG_ATTACH, &a, sizeof(a)) < 0 ? -errno : 0;
}

/* ---- in and out ---- */

static int enter(int threads)
{
	return write(threads, "0", 1) < 0 ? -errno : 0;
}

/* Refused before the terminal's driver is asked, which would say ENXIO or open it. Whether what every container has can be opened is
 * asked as well: a program that refuses all would be one of somebody else's. */
static int try_it(void)
{
	_cleanup_close_ int null = open("/dev/null", O_RDONLY | O_CLOEXEC), tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	return null >= 0 && tty < 0 && errno == EPERM ? 0 : -EOPNOTSUPP;
}

static int put_up(int own, const char *name)
{
	_cleanup_close_ int dir = -1, in = -1, out = -1;
	int r;

	dir = mkdirat(own, name, 0755) < 0 && errno != EEXIST ? -1 : openat(own, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	r = shk_write_at(dir, "cgroup.type", "threaded");
	r = r < 0 ? r : attach(dir);
	if (r < 0)
		return r;
	in = openat(dir, "cgroup.threads", O_WRONLY | O_CLOEXEC);
	out = openat(own, "cgroup.threads", O_WRONLY | O_CLOEXEC);
	if (in < 0 || out < 0)
		return -errno;
	r = enter(in);
	if (r < 0)
		return r;
	r = try_it();
	/* Out and in again: what cannot be done here cannot be done later. */
	if (r == 0)
		r = enter(out);
	if (r < 0 || enter(in) < 0) {
		(void)enter(out);
		return r < 0 ? r : -EIO;
	}
	bar.in = TAKE_FD(in);
	bar.out = TAKE_FD(out);
	return 0;
}

int shk_bar_up(struct shk_err *err)
{
	char path[PATH_MAX], name[64];
	_cleanup_close_ int own = -1;
	int r = own_directory(path, sizeof(path));

	if (r == 0) {
		own = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = own < 0 ? -errno : 0;
	}
	if (r == 0) {
		sweep(own);
		snprintf(name, sizeof(name), SHK_BAR_NAME "%d", (int)getpid());
		r = put_up(own, name);
		if (r < 0)
			(void)unlinkat(own, name, AT_REMOVEDIR);
	}
	if (r < 0)
		return shk_err_sys(err, -r, "a control group that opens no devices");
	atomic_store(&bar.up, true);
	return 0;
}

bool shk_bar_is_up(void)
{
	return atomic_load_explicit(&bar.up, memory_order_relaxed);
}

int shk_bar_leave(void)
{
	return shk_bar_is_up() ? enter(bar.out) : 0;
}

void shk_bar_return(void)
{
	if (shk_bar_is_up() && enter(bar.in) < 0)
		abort();
}

bool shk_bar_keeps(mode_t mode, dev_t dev)
{
	return shk_bar_is_up() && (S_ISCHR(mode) || S_ISBLK(mode)) && !shk_device_is_everybodys(mode & S_IFMT, dev);
}

bool shk_bar_keeps_fd(int fd)
{
	struct stat st;

	return shk_bar_is_up() && fstat(fd, &st) == 0 && shk_bar_keeps(st.st_mode, st.st_rdev);
}

void shk_bar_remove(pid_t engine)
{
	char own[PATH_MAX], path[PATH_MAX + 64];

	if (own_directory(own, sizeof(own)) < 0)
		return;
	snprintf(path, sizeof(path), "%s/" SHK_BAR_NAME "%d", own, (int)engine);
	for (unsigned i = 0; i < 100 && rmdir(path) < 0 && errno == EBUSY; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}
