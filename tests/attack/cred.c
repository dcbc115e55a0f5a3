// SPDX-License-Identifier: Apache-2.0
/*
 * Whoever opens in a program's place has rights of its own: files the program itself could not open. /rights/root is
 * root's, mode 0600; /rights/web belongs to uid 1000, mode 0600. Both begin with H. And facts that are a thread's alone.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define RO (O_RDONLY | O_CLOEXEC)

static void try_open(struct run *r, const char *path)
{
	judge_fd(r, open(path, RO));
	plain_open(r);
}

/* fn in a process of its own, again and again. */
static void in_children(struct run *r, void (*fn)(struct run *r))
{
	while (more(r)) {
		pid_t pid = fork_child();

		if (pid == 0) {
			fn(r);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static void to_uid(uid_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		broken("setresuid");
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

/* THREATS A2: all capabilities, in a namespace of one's own. */
static void userns_child(struct run *r)
{
	to_uid(1000);
	if (unshare(CLONE_NEWUSER) < 0) {
		unavailable(r, "unshare(CLONE_NEWUSER)");
		return;
	}
	try_open(r, "/rights/root");
}
static void userns(struct run *r) { in_children(r, userns_child); }

/* The right to map a user is that of who opened the file: a map to root must be refused. */
static void uid_map_child(struct run *r)
{
	int fd;

	to_uid(1000);
	if (unshare(CLONE_NEWUSER) < 0) {
		unavailable(r, "unshare(CLONE_NEWUSER)");
		return;
	}
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "0 0 1", 5) == 5)
		evil(r);
	else
		plain_open(r);
}
static void uid_map(struct run *r) { in_children(r, uid_map_child); }

static void write_map(pid_t pid, const char *what, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		broken(what);
	close(fd);
}

/* fn in a user namespace that knows 1000 and 1001, as its root; its capabilities count for files of these two alone. */
static void with_maps(struct run *r, void (*fn)(struct run *r))
{
	int there[2], done[2];
	char c = 0;
	pid_t pid;

	if (pipe(there) < 0 || pipe(done) < 0)
		broken("pipe");
	pid = fork_child();
	if (pid == 0) {
		close(done[1]);
		to_uid(1000);
		if (unshare(CLONE_NEWUSER) < 0)
			unavailable(r, "unshare(CLONE_NEWUSER)");
		if (write(there[1], &c, 1) != 1 || read(done[0], &c, 1) != 1)
			broken("pipe");
		if (!*r->why)
			fn(r);
		_exit(0);
	}
	if (read(there[0], &c, 1) == 1 && !*r->why) {
		write_map(pid, "uid_map", "0 1000 2\n");
		write_map(pid, "gid_map", "0 1000 2\n");
	}
	if (write(done[1], &c, 1) != 1)
		broken("pipe");
	waitpid(pid, NULL, 0);
	for (unsigned i = 0; i < 2; i++) {
		close(there[i]);
		close(done[i]);
	}
}

static void maps_child(struct run *r)
{
	struct flip *f = flip_start(set_names, names_of("/rights/way/l", "/rights/way/l2"));

	while (more(r)) {
		/* 1001's, mode 0600: the way that only a capability opens works, */
		judge_fd(r, open("/rights/mapped", RO));
		/* and leads no further than a rule lets it, whatever is changed meanwhile, */
		flip_begin(f);
		judge_fd(r, open("/rights/way/l", RO));
		flip_end(f);
		/* nor to a user that has no number there. */
		judge_fd(r, open("/rights/root", RO));
	}
	flip_stop(f);
}
static void userns_maps(struct run *r) { with_maps(r, maps_child); }

static void lost_child(struct run *r)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (syscall(SYS_capset, &h, none) < 0)
		broken("capset");
	while (more(r)) {
		int fd = open("/rights/mapped", RO), way = open("/rights/way/l", RO);

		if (fd >= 0 || way >= 0)
			evil(r);
		close(fd);
		close(way);
		plain_open(r);
	}
}
static void userns_lost(struct run *r) { with_maps(r, lost_child); }

static void uid_child(struct run *r)
{
	to_uid(1000);
	try_open(r, "/rights/root");
}
static void uid(struct run *r) { in_children(r, uid_child); }

static void fsuid_child(struct run *r)
{
	setfsgid(1000);
	setfsuid(1000);
	try_open(r, "/rights/root");
}
static void fsuid(struct run *r) { in_children(r, fsuid_child); }

static void caps_child(struct run *r)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	if (syscall(SYS_capset, &h, none) < 0)
		broken("capset");
	try_open(r, "/rights/web");
}
static void caps(struct run *r) { in_children(r, caps_child); }

/* The C library changes all threads; the kernel's call, this one. */
static void *as_thread(void *arg)
{
	struct run *r = arg;

	if (syscall(SYS_setresuid, 1000, 1000, 1000) < 0)
		broken("setresuid");
	while (more(r))
		try_open(r, "/rights/root");
	return NULL;
}
static void thread_uid(struct run *r)
{
	pthread_t th;

	th = start_thread(as_thread, r);
	pthread_join(th, NULL);
}

/* THREATS A3: what the kernel alone knows of a program. */
static void landlock_child(struct run *r)
{
	struct landlock_ruleset_attr a = { .handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE };
	struct landlock_path_beneath_attr b = { .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE };
	int fd = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);

	b.parent_fd = open("/free", O_PATH | O_CLOEXEC);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (fd < 0 || syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &b, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, fd, 0) < 0) {
		unavailable(r, "landlock");
		return;
	}
	/* Not hidden by any rule, refused by Landlock. */
	try_open(r, "/rights/open");
}
static void landlock(struct run *r) { in_children(r, landlock_child); }

/* THREATS A9: descriptor 50 and the working directory are this thread's, those of the leader lead to /free. */
static void *own_files(void *arg)
{
	struct run *r = arg;

	if (unshare(CLONE_FILES) < 0 || dup2(open("/hide", O_PATH | O_DIRECTORY), 50) < 0)
		broken("unshare");
	while (more(r)) {
		judge_fd(r, openat(50, "f", RO));
		judge_fd(r, open("/proc/thread-self/fd/50/f", RO));
		plain_open(r);
	}
	return NULL;
}
static void thread_files(struct run *r)
{
	pthread_t th;

	dup2(open("/free", O_PATH | O_DIRECTORY), 50);
	th = start_thread(own_files, r);
	pthread_join(th, NULL);
}

static void *own_fs(void *arg)
{
	struct run *r = arg;

	if (unshare(CLONE_FS) < 0 || chdir("/hide") < 0)
		broken("unshare");
	while (more(r)) {
		judge_fd(r, open("f", RO));
		plain_open(r);
	}
	return NULL;
}
static void thread_fs(struct run *r)
{
	pthread_t th;

	if (chdir("/free") < 0)
		broken("chdir");
	th = start_thread(own_fs, r);
	pthread_join(th, NULL);
}

static void *own_root(void *arg)
{
	struct run *r = arg;

	if (unshare(CLONE_FS) < 0 || chroot("/hide") < 0 || chdir("/") < 0)
		broken("chroot");
	while (more(r)) {
		judge_fd(r, open("/f", RO));
		judge_fd(r, open("/../f", RO));
	}
	return NULL;
}
static void thread_root(struct run *r)
{
	pthread_t th;

	th = start_thread(own_root, r);
	pthread_join(th, NULL);
	plain_open(r);
}

/* A namespace of mounts that is this thread's alone: /free is another directory there, whose file begins with G. */
static void *own_mounts(void *arg)
{
	struct run *r = arg;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("/guard", "/free", NULL, MS_BIND, NULL) < 0)
		broken("unshare");
	while (more(r)) {
		int fd = open("/free/f", RO);
		char c = 0;

		if (fd >= 0 && read(fd, &c, 1) == 1 && c == 'G')
			good(r);
		else if (fd >= 0)
			evil(r);
		close(fd);
	}
	return NULL;
}
static void thread_mounts(struct run *r)
{
	pthread_join(start_thread(own_mounts, r), NULL);
}

/* Who may open a file of /proc/sys is asked of the effective user, whatever that of the file system is. */
static void sysctl_child(struct run *r)
{
	int fd;

	if (setgroups(0, NULL) < 0 || setegid(1000) < 0 || seteuid(1000) < 0)
		broken("seteuid");
	fd = open("/tmp/proc/sys/kernel/hostname", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		evil(r);
	close(fd);
	plain_open(r);
}
static void sysctl(struct run *r)
{
	mkdir("/tmp/proc", 0755);
	/* A copy of one's own, which nobody has mounted read-only. */
	if (mount("proc", "/tmp/proc", "proc", 0, NULL) < 0) {
		unavailable(r, "mount of proc");
		return;
	}
	in_children(r, sysctl_child);
	umount2("/tmp/proc", MNT_DETACH);
}

const struct attack attacks_cred[] = {
	{ "cred-userns", userns },	  { "cred-uid-map", uid_map },
	{ "cred-userns-maps", userns_maps }, { "cred-userns-lost", userns_lost },
	{ "cred-uid", uid },		  { "cred-fsuid", fsuid },
	{ "cred-caps", caps },		  { "cred-thread-uid", thread_uid },
	{ "cred-landlock", landlock },	  { "cred-thread-files", thread_files },
	{ "cred-thread-fs", thread_fs },  { "cred-thread-root", thread_root },
	{ "cred-thread-mounts", thread_mounts }, { "cred-sysctl", sysctl },
	{ NULL, NULL },
};
