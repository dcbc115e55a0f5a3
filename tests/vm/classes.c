// SPDX-License-Identifier: Apache-2.0
/* classes.c - each class of record, once: what a program did is there, exactly once, with the names and numbers it used. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmtest.h"

#define PORT 4711

static char dir[128];

static const char *in(const char *name)
{
	static char path[8][256];
	static unsigned n;
	char *p = path[n++ % 8];

	snprintf(p, 256, "%s/%s", dir, name);
	return p;
}

static struct sockaddr_in address(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* Some fail, which does not matter: what is recorded is the attempt. */
static int files(void *arg)
{
	int fd = open(in("file"), O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	(void)arg;
	if (fd < 0 || ftruncate(fd, 7) < 0)
		return 1;
	close(fd);
	close(open(in("link"), O_RDONLY | O_CLOEXEC));
	if (mkdir(in("sub"), 0711) || mknod(in("fifo"), S_IFIFO | 0600, 0) || link(in("file"), in("hard")) ||
	    rename(in("hard"), in("moved")) || symlink("content", in("soft")) || chmod(in("file"), 0604) ||
	    chown(in("file"), 12, 34) || truncate(in("file"), 3) || unlink(in("moved")) || rmdir(in("sub")))
		return 2;
	if (utimensat(AT_FDCWD, in("file"), (struct timespec[2]){ { 1, 0 }, { 2, 0 } }, 0))
		return 3;
	return 0;
}

static int mounts(void *arg)
{
	int tree;

	(void)arg;
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 1;
	if (mkdir(in("mnt"), 0755) || mkdir(in("mnt2"), 0755) || mount("some", in("mnt"), "tmpfs", MS_NODEV, NULL))
		return 2;
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, in("mnt"), OPEN_TREE_CLONE);
	if (tree < 0 || syscall(SYS_move_mount, tree, "", AT_FDCWD, in("mnt2"), MOVE_MOUNT_F_EMPTY_PATH))
		return 3;
	return 0;
}

static int sockets(void *arg)
{
	struct sockaddr_in a = address(PORT), b = address(PORT + 1);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), d = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)arg;
	if (bind(s, (void *)&a, sizeof(a)) || listen(s, 5) || connect(c, (void *)&a, sizeof(a)) ||
	    sendto(d, "x", 1, 0, (void *)&b, sizeof(b)) != 1)
		return 1;
	return 0;
}

static int others(void *arg)
{
	static const char nothing[128];
	union bpf_attr attr;
	char byte = 0;
	struct iovec l = { &byte, 1 }, r = { &byte, 1 };
	pid_t child;
	int fd;

	(void)arg;
	memset(&attr, 0, sizeof(attr));
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	process_vm_readv(child, &l, 1, &r, 1, 0);
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	fd = open(in("module"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (write(fd, "none", 4) != 4)
		return 1;
	close(fd);
	fd = open(in("module"), O_RDONLY | O_CLOEXEC);
	syscall(SYS_finit_module, fd, "", 0);
	/* Less than the head of an ELF file is not even looked at. */
	syscall(SYS_init_module, nothing, sizeof(nothing), "");
	if (unshare(CLONE_NEWUSER))
		return 2;
	return 7;
}

static int run_program(void *arg)
{
	(void)arg;
	execl("/bin/true", "true", "one", "two words", NULL);
	return 1;
}

#define ONE(type, text, text2, ret)                                                                             \
	CHECK(count_seen(&l, type, text, text2, ret) == 1, "%zu", count_seen(&l, type, text, text2, NULL))

static void check_files(void)
{
	struct seen_list l = { 0 };
	const struct seen *s = NULL;
	struct stat st;

	drain(&l);
	CHECK(stat(in("file"), &st) == 0, "stat");
	/* O_CREAT: made, then opened */
	ONE(SHRIKE_MKNOD, in("file"), NULL, &s);
	ONE(SHRIKE_OPEN, in("file"), NULL, &s);
	if (s) {
		CHECK(s->u.path.ino == st.st_ino, "inode %llu", (unsigned long long)s->u.path.ino);
		CHECK((s->u.path.flags & O_ACCMODE) == O_RDWR && (s->u.path.flags & O_CREAT), "flags %o", s->u.path.flags);
		CHECK(s->head.uid == 0 && strcmp(s->head.comm, "vmtest") == 0 && s->head.nr == SYS_openat, "who");
		CHECK(s->head.tid == s->head.vtid && s->head.container == 1, "numbers");
	}
	ONE(SHRIKE_OPEN, in("target"), NULL, NULL);
	ONE(SHRIKE_MKDIR, in("sub"), NULL, &s);
	CHECK(s && (s->u.path.flags & 0777) == 0711, "mode");
	ONE(SHRIKE_MKNOD, in("fifo"), NULL, NULL);
	ONE(SHRIKE_LINK, in("file"), in("hard"), NULL);
	ONE(SHRIKE_RENAME, in("hard"), in("moved"), NULL);
	ONE(SHRIKE_SYMLINK, in("soft"), "content", NULL);
	ONE(SHRIKE_CHMOD, in("file"), NULL, &s);
	CHECK(s && (s->u.path.arg & 07777) == 0604, "mode");
	ONE(SHRIKE_CHOWN, in("file"), NULL, &s);
	CHECK(s && s->u.path.arg == (12 | 34ull << 32), "owner");
	/* ftruncate and truncate */
	CHECK(count_seen(&l, SHRIKE_TRUNCATE, in("file"), NULL, NULL) == 2, "truncate");
	ONE(SHRIKE_UNLINK, in("moved"), NULL, NULL);
	ONE(SHRIKE_RMDIR, in("sub"), NULL, NULL);
	CHECK(count_seen(&l, SHRIKE_SETATTR, NULL, NULL, &s) == 1, "setattr");
	CHECK(s && strlen(s->text) >= 5 && strcmp(s->text + strlen(s->text) - 5, "/file") == 0, "%s", s->text);
	CHECK(count_seen(&l, SHRIKE_EXIT, NULL, NULL, NULL) == 1, "exit");
	seen_free(&l);
}

static void check_rest(bool has_userns)
{
	struct seen_list l = { 0 };
	const struct seen *s = NULL;
	struct sockaddr_in a = address(PORT);

	drain(&l);
	CHECK(count_seen(&l, SHRIKE_MOUNT, in("mnt"), NULL, &s) == 1, "mount");
	CHECK(s && strcmp(s->text2, "some") == 0 && s->u.path.path2_len == 10 && s->u.path.flags == MS_NODEV, "mount %s", s->text2);
	ONE(SHRIKE_MOVE_MOUNT, NULL, in("mnt2"), NULL);
	CHECK(count_seen(&l, SHRIKE_SOCKET, NULL, NULL, &s) == 3, "socket");
	CHECK(s && s->u.sock.family == AF_INET && s->u.sock.type == SOCK_STREAM, "socket");
	CHECK(count_seen(&l, SHRIKE_BIND, NULL, NULL, &s) == 1 && s->n_text == sizeof(a) && !memcmp(s->text, &a, 8), "bind");
	CHECK(count_seen(&l, SHRIKE_LISTEN, NULL, NULL, &s) == 1 && s->u.sock.arg == 5, "listen");
	CHECK(count_seen(&l, SHRIKE_CONNECT, NULL, NULL, &s) == 1 && s->n_text == sizeof(a) && !memcmp(s->text, &a, 8),
	      "connect");
	CHECK(count_seen(&l, SHRIKE_SENDMSG, NULL, NULL, &s) == 1 && s->n_text == sizeof(a), "sendto");
	CHECK(count_seen(&l, SHRIKE_PTRACE, NULL, NULL, &s) >= 1, "ptrace");
	CHECK(count_seen(&l, SHRIKE_KILL, NULL, NULL, &s) == 1 && s->u.value.v[2] == SIGTERM, "kill");
	CHECK(count_seen(&l, SHRIKE_BPF, NULL, NULL, &s) == 1 && s->u.value.v[0] == BPF_MAP_CREATE, "bpf");
	CHECK(count_seen(&l, SHRIKE_READ_FILE, in("module"), NULL, &s) == 1 && s->u.path.arg == 2, "finit_module");
	CHECK(count_seen(&l, SHRIKE_LOAD_DATA, NULL, NULL, &s) == 1 && s->u.value.v[0] == 2, "init_module");
	if (has_userns)
		CHECK(count_seen(&l, SHRIKE_USERNS, NULL, NULL, NULL) == 1, "user namespace");
	CHECK(count_seen(&l, SHRIKE_FORK, NULL, NULL, &s) == 1 && s->u.fork.tid == s->u.fork.tgid, "fork");
	ONE(SHRIKE_EXEC, "/usr/bin/true", NULL, &s);
	CHECK(s && s->u.path.path2_len == 19 && strcmp(s->text2, "true") == 0, "arguments");
	ONE(SHRIKE_BPRM, "/usr/bin/true", NULL, NULL);
	/* Four children of ours and one of theirs; the last of ours but one ends with 7. */
	CHECK(count_seen(&l, SHRIKE_EXIT, NULL, NULL, NULL) == 5, "%zu ends", count_seen(&l, SHRIKE_EXIT, NULL, NULL, NULL));
	seen_free(&l);
}

void test_classes(const char *where)
{
	bool has_userns = shk_kmod_facts(kmod)->classes & (1ull << SHRIKE_USERNS);
	int cgroup = cgroup_make("classes"), fd;
	struct seen_list l = { 0 };

	snprintf(dir, sizeof(dir), "%s/classes", where);
	if (mkdir(dir, 0755))
		printf("# %s: %s\n", dir, strerror(errno));
	fd = open(in("target"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	CHECK(symlink("target", in("link")) == 0, "symlink");
	drain(&l);
	seen_free(&l);
	watch(1, cgroup, 0, ALL_CLASSES, 0, NULL, NULL);
	CHECK(in_child(cgroup, files, NULL) == 0, "the program itself failed");
	check_files();
	CHECK(in_child(cgroup, mounts, NULL) == 0, "the program itself failed");
	CHECK(in_child(cgroup, sockets, NULL) == 0, "the program itself failed");
	CHECK(WEXITSTATUS(in_child(cgroup, others, NULL)) == 7, "the program itself failed");
	CHECK(in_child(cgroup, run_program, NULL) == 0, "the program itself failed");
	/* Not watched: nothing. */
	CHECK(in_child(-1, sockets, NULL) == 0, "the program itself failed");
	check_rest(has_userns);
	unwatch(1);
	close(cgroup);
	cgroup_remove("classes");
}
