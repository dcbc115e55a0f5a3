// SPDX-License-Identifier: Apache-2.0
/*
 * One call on mounts: become its caller, as far as the kernel looks, and make it on what is held.
 *
 * mount(2), umount2(2) and pivot_root(2) take paths. Held objects are named by number in a directory /proc/self/fd that was
 * opened before the namespaces were changed and is the working directory then: "7" leads to descriptor 7 whatever root
 * and mounts are. Where a filesystem might take texts for paths the target is the working directory, since that one's ".." is the host's.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "enforce/mounter_child.h"

static int own_or_join(int dir, const char *which, int type)
{
	_cleanup_close_ int fd = openat(dir, which, O_RDONLY | O_CLOEXEC);
	char path[32];
	struct stat own, st;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", which);
	if (fd < 0 || fstat(fd, &st) < 0 || stat(path, &own) < 0)
		return -errno;
	/* Of a user namespace one cannot become a member again. */
	if (own.st_ino == st.st_ino && own.st_dev == st.st_dev)
		return type == CLONE_NEWNS ? -EPERM : 0;
	return setns(fd, type) < 0 ? -errno : 0;
}

static bool same_pids(int dir)
{
	struct stat own, its;

	return fstatat(dir, "pid", &its, 0) == 0 && stat("/proc/self/ns/pid", &own) == 0 && own.st_ino == its.st_ino &&
	       own.st_dev == its.st_dev;
}

static int capabilities(uint64_t set)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ .effective = (uint32_t)set, .permitted = (uint32_t)set },
		{ .effective = (uint32_t)(set >> 32), .permitted = (uint32_t)(set >> 32) },
	};

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

/* What the kernel knows and we lack cannot be put on: less, never more. */
static uint64_t permitted(void)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	return syscall(SYS_capget, &h, d) < 0 ? 0 : d[0].permitted | (uint64_t)d[1].permitted << 32;
}

struct shk_who shk_who_is(const struct shk_caller *c)
{
	struct shk_who w = { .effective = c->own_effective, .euid = c->euid, .egid = c->egid, .fsuid = c->fsuid,
			     .fsgid = c->fsgid, .n_groups = c->n_groups };

	memcpy(w.group, c->group, c->n_groups * sizeof(*c->group));
	return w;
}

/* Namespaces and root first, by our rights; then the ids, which keep the capabilities; then the user namespace,
 * which gives all of its own; and the caller's capabilities last. */
int shk_become(const struct shk_who *who, int ns, int root)
{
	_cleanup_close_ int users = openat(ns, "user", O_RDONLY | O_CLOEXEC);
	struct stat own, its;
	bool other;
	int r;

	if (users < 0 || fstat(users, &its) < 0 || stat("/proc/self/ns/user", &own) < 0)
		return -errno;
	other = own.st_ino != its.st_ino || own.st_dev != its.st_dev;
	/* With the host's mounts and root nobody is given rights that count there. */
	if (root < 0 && !other)
		return -EPERM;
	r = own_or_join(ns, "net", CLONE_NEWNET);
	r = r < 0 ? r : own_or_join(ns, "ipc", CLONE_NEWIPC);
	r = r < 0 ? r : own_or_join(ns, "cgroup", CLONE_NEWCGROUP);
	r = r < 0 || root < 0 ? r : own_or_join(ns, "mnt", CLONE_NEWNS);
	if (r < 0)
		return r;
	if (root >= 0 && (fchdir(root) < 0 || chroot(".") < 0))
		return -errno;
	if (who->n_groups > SHK_GROUPS_MAX || prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS) < 0)
		return -EPERM;
	if (setgroups(who->n_groups, who->group) < 0 || setresgid(who->egid, who->egid, who->egid) < 0 ||
	    setresuid(who->euid, who->euid, who->euid) < 0)
		return -errno;
	setfsgid(who->fsgid);
	setfsuid(who->fsuid);
	if ((uid_t)setfsuid((uid_t)-1) != who->fsuid || (gid_t)setfsgid((gid_t)-1) != who->fsgid)
		return -EPERM;
	if (other && setns(users, CLONE_NEWUSER) < 0)
		return -errno;
	/* Changes of credentials set it to fs.suid_dumpable (kernel/cred.c, commit_creds). */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	return capabilities(who->effective & permitted());
}

/* ---- a procfs of the caller's pid namespace, for which nobody need be in it: since Linux 6.17 ---- */

static uint64_t attributes(uint64_t ms)
{
	return (ms & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) | (ms & MS_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
	       (ms & MS_NODEV ? MOUNT_ATTR_NODEV : 0) | (ms & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0) |
	       (ms & MS_STRICTATIME ? MOUNT_ATTR_STRICTATIME : ms & MS_NOATIME ? MOUNT_ATTR_NOATIME : 0) |
	       (ms & MS_NODIRATIME ? MOUNT_ATTR_NODIRATIME : 0) |
	       (ms & MS_NOSYMFOLLOW ? MOUNT_ATTR_NOSYMFOLLOW : 0);
}

static int config(int fs, unsigned cmd, const char *key, const void *value, int aux)
{
	return syscall(SYS_fsconfig, fs, cmd, key, value, aux) < 0 ? -errno : 0;
}

static int options(int fs, const char *data)
{
	char text[SHK_MOUNT_TEXT], *save = NULL;

	strcpy(text, data);
	for (char *o = strtok_r(text, ",", &save); o; o = strtok_r(NULL, ",", &save)) {
		char *value = strchr(o, '=');
		int r;

		if (value)
			*value++ = 0;
		r = config(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, o, value, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static int mount_proc(const struct shk_mount_wire *q, int target, int pids)
{
	_cleanup_close_ int fs = (int)syscall(SYS_fsopen, "proc", FSOPEN_CLOEXEC), mnt = -1;
	int r;

	if (fs < 0)
		return -errno;
	/* EINVAL: a kernel that does not know it. */
	r = config(fs, FSCONFIG_SET_FD, "pidns", NULL, pids);
	if (r < 0)
		return r == -EINVAL ? -EACCES : r;
	r = q->has_dev && q->dev[0] ? config(fs, FSCONFIG_SET_STRING, "source", q->dev, 0) : 0;
	r = r < 0 || !q->has_data ? r : options(fs, q->data);
	r = r < 0 || !(q->flags & MS_RDONLY) ? r : config(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0);
	r = r < 0 ? r : config(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r < 0 || q->on_file)
		return r < 0 ? r : -ENOTDIR;
	mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)attributes(q->flags));
	if (mnt < 0 || syscall(SYS_move_mount, mnt, "", target, "", MOVE_MOUNT_F_EMPTY_PATH |
			       MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

/* ---- the call ---- */

static const char *text(bool has, const char *t)
{
	return has ? t : NULL;
}

static int make(const struct shk_mount_wire *q, const int *fd, const char *target, const char *source)
{
	long r;

	switch ((enum shk_mount_op)q->op) {
	case SHK_MOUNT_FLAGS:
		r = mount(NULL, target, NULL, q->flags, NULL);
		break;
	case SHK_MOUNT_BIND:
		r = mount(source, target, NULL, q->flags, NULL);
		break;
	case SHK_MOUNT_NEW:
		if (!q->on_file && fchdir(fd[SHK_MFD_TARGET]) < 0)
			return -errno;
		r = mount(text(q->has_dev, q->dev), q->on_file ? target : ".", text(q->has_type, q->type), q->flags,
			  text(q->has_data, q->data));
		break;
	case SHK_MOUNT_UMOUNT:
		if (!q->has_name)
			r = umount2(target, (int)q->flags);
		else
			r = fchdir(fd[SHK_MFD_TARGET]) < 0 ? -1 : umount2(q->name, (int)q->flags | UMOUNT_NOFOLLOW);
		break;
	case SHK_MOUNT_MOVE:
		r = syscall(SYS_move_mount, fd[SHK_MFD_SOURCE], "", fd[SHK_MFD_TARGET], "",
			    (unsigned)q->flags | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
		break;
	case SHK_MOUNT_SETATTR:
		r = syscall(SYS_mount_setattr, fd[SHK_MFD_TARGET], "", (unsigned)q->flags | AT_EMPTY_PATH, &q->attr,
			    sizeof(q->attr));
		break;
	case SHK_MOUNT_PIVOT:
		r = syscall(SYS_pivot_root, target, source);
		break;
	default:
		return -EINVAL;
	}
	return r < 0 ? -errno : 0;
}

int32_t shk_mount_child(const struct shk_mount_wire *q, const int *fd)
{
	_cleanup_close_ int names = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC), pids = -1;
	bool foreign = q->op == SHK_MOUNT_NEW && !(q->flags & MS_REMOUNT) && q->has_type && !strcmp(q->type, "proc") &&
		       !same_pids(fd[SHK_MFD_NS]);
	char target[16], source[16];
	int r;

	if (names < 0)
		return -errno;
	if (foreign) {
		pids = openat(fd[SHK_MFD_NS], "pid", O_RDONLY | O_CLOEXEC);
		if (pids < 0)
			return -errno;
	}
	r = shk_become(&q->who, fd[SHK_MFD_NS], fd[SHK_MFD_ROOT]);
	if (r < 0)
		return r;
	if (foreign)
		return mount_proc(q, fd[SHK_MFD_TARGET], pids);
	if (fchdir(names) < 0)
		return -errno;
	snprintf(target, sizeof(target), "%d", fd[SHK_MFD_TARGET]);
	snprintf(source, sizeof(source), "%d", fd[SHK_MFD_SOURCE]);
	return make(q, fd, target, source);
}
