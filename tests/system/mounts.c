// SPDX-License-Identifier: Apache-2.0
/*
 * mounts - calls on mounts that no shell makes, one line for each: what came of it. Static. Runs in /tmp.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int say(const char *what, long r)
{
	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
	return (int)r;
}

static void old_calls(void)
{
	mkdir("m", 0755);
	mkdir("n", 0755);
	say("mount", mount("x", "m", "tmpfs", 0, "mode=700"));
	say("file in it", open("m/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644) < 0 ? -1 : 0);
	say("busy", ({ int fd = open("m/f", O_RDONLY | O_CLOEXEC); int r = umount2("m", 0); close(fd); r; }));
	say("bind", mount("m", "n", NULL, MS_BIND, NULL));
	say("read-only", mount(NULL, "n", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
	say("write there", open("n/g", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	say("write here", open("m/g", O_CREAT | O_WRONLY | O_CLOEXEC, 0644) < 0 ? -1 : 0);
	say("descriptor", ({ char p[64]; int fd = open("n", O_PATH | O_CLOEXEC); snprintf(p, sizeof(p), "/proc/self/fd/%d", fd);
			     int r = umount2(p, MNT_DETACH); close(fd); r; }));
	say("gone", umount2("n", 0));
	if (getenv("HAS_I386"))
		say("i386", ({ long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(22L), "b"(0L) : "memory", "r8", "r9", "r10", "r11");
			       errno = (int)-r; r < 0 ? -1 : 0; }));
	else
		say("i386", umount2("m", 0));
	say("umount", umount2("m", 0));
}

static void new_calls(void)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	int fd;

	say("fsopen", fsopen("tmpfs", 0));
	say("fspick", fspick(AT_FDCWD, "/tmp", 0));
	say("open_tree clone", open_tree(AT_FDCWD, "/tmp", OPEN_TREE_CLONE));
	fd = say("open_tree", open_tree(AT_FDCWD, "m", 0) < 0 ? -1 : 0);
	mount("x", "m", "tmpfs", 0, NULL);
	say("mount_setattr", syscall(SYS_mount_setattr, AT_FDCWD, "m", 0, &ro, sizeof(ro)));
	say("write", open("m/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	fd = open("m", O_PATH | O_CLOEXEC);
	say("move_mount", move_mount(fd, "", AT_FDCWD, "n", MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
	say("where it was", umount2("m", 0));
	say("where it is", umount2("n", 0));
}

/* As runtimes do it: the old root under the new one, and then away. */
static void roots(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		say("own mounts", unshare(CLONE_NEWNS));
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		mount("m", "m", NULL, MS_BIND, NULL);
		say("chdir", chdir("m"));
		say("pivot_root", syscall(SYS_pivot_root, ".", "."));
		say("old root", umount2(".", MNT_DETACH));
		say("chdir", chdir("/"));
		say("nothing is here", access("/opt", F_OK));
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void own_users(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd;

		say("own users", unshare(CLONE_NEWUSER | CLONE_NEWNS));
		fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
		(void)!write(fd, "deny", 4);
		fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
		say("map", write(fd, "0 0 1", 5));
		say("mount", mount("x", "m", "tmpfs", 0, NULL));
		say("file", open("m/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644) < 0 ? -1 : 0);
		say("bind", mount("m", "n", NULL, MS_BIND, NULL));
		say("the container's", umount2("/proc", MNT_DETACH));
		say("cgroup2", mount("x", "n", "debugfs", 0, NULL));
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (chdir("/tmp") < 0)
		return 3;
	old_calls();
	new_calls();
	roots();
	own_users();
	return 0;
}
