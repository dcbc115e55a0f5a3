// SPDX-License-Identifier: Apache-2.0
/*
 * steps - "steps DIR": makes one call of each kind that has an effect, number N when DIR/go-N is there, and writes a line for each
 * into DIR/said: what was called, what came of it, what is there afterwards. "steps names": their names, and the call by which
 * a supervisor would carry each out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static int listener, sockets[4];

static struct sockaddr_un at(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", name);
	return un;
}

static long binds(int fd, const char *name)
{
	struct sockaddr_un un = at(name);

	return bind(fd, (struct sockaddr *)&un, sizeof(un));
}

static long connects(int fd, const char *name)
{
	struct sockaddr_un un = at(name);

	return connect(fd, (struct sockaddr *)&un, sizeof(un));
}

static void file(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(name);
	close(fd);
}

/* Before the first call. */
static void prepare(void)
{
	file("file", "f");
	file("gone", "gg");
	file("from", "from");
	file("left", "l");
	file("right", "right");
	mkdir("directory", 0755);
	mkdir("empty", 0755);
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	binds(listener, "listener");
	listen(listener, 5);
	for (int i = 0; i < 4; i++)
		sockets[i] = socket(AF_UNIX, SOCK_STREAM, 0);
	connects(sockets[2], "listener");
	binds(sockets[3], "named");
}

/* Name, by which call, and what is looked at. */
static const struct {
	const char *name, *by, *look[2];
} steps[] = {
	{ "mkdir", "mkdirat", { "new-directory" } },	{ "mkdir-there", "mkdirat", { "directory" } },
	{ "mknod", "mknodat", { "new-fifo" } },		{ "mknod-there", "mknodat", { "file" } },
	{ "symlink", "symlinkat", { "new-symlink" } },	{ "symlink-there", "symlinkat", { "file" } },
	{ "link", "linkat", { "file", "new-link" } },	{ "link-there", "linkat", { "file", "left" } },
	{ "unlink", "unlinkat", { "gone" } },		{ "unlink-missing", "unlinkat", { "nothing" } },
	{ "rmdir", "unlinkat", { "empty" } },		{ "rmdir-full", "unlinkat", { "." } },
	{ "rename", "renameat", { "from", "to" } },	{ "rename-missing", "renameat", { "nothing", "to" } },
	{ "exchange", "renameat2", { "left", "right" } }, { "rename-new", "renameat2", { "left", "right" } },
	{ "chmod", "fchmodat", { "file" } },		{ "chown", "fchownat", { "file" } },
	{ "truncate", "truncate", { "file" } },		{ "connect", "connect", { "listener" } },
	{ "connect-again", "connect", { "listener" } },
	{ "bind", "bind", { "new-socket" } },		{ "bind-there", "bind", { "file" } },
	{ "bind-again", "bind", { "second" } },
};
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

static long step(size_t i)
{
	switch (i) {
	case 0:
		return mkdir("new-directory", 0750);
	case 1:
		return mkdir("directory", 0750);
	case 2:
		return mknod("new-fifo", S_IFIFO | 0640, 0);
	case 3:
		return mknod("file", S_IFIFO | 0640, 0);
	case 4:
		return symlink("somewhere", "new-symlink");
	case 5:
		return symlink("somewhere", "file");
	case 6:
		return link("file", "new-link");
	case 7:
		return link("file", "left");
	case 8:
		return unlink("gone");
	case 9:
		return unlink("nothing");
	case 10:
		return rmdir("empty");
	case 11:
		return rmdir("../steps");
	case 12:
		return rename("from", "to");
	case 13:
		return rename("nothing", "to");
	case 14:
		return syscall(SYS_renameat2, AT_FDCWD, "left", AT_FDCWD, "right", 2);
	case 15:
		return syscall(SYS_renameat2, AT_FDCWD, "left", AT_FDCWD, "right", 1);
	case 16:
		return chmod("file", 0600);
	case 17:
		return chown("file", 0, 0);
	case 18:
		return truncate("file", 77);
	case 19:
		return connects(sockets[0], "listener");
	case 20:
		return connects(sockets[2], "listener");
	case 21:
		return binds(sockets[1], "new-socket");
	case 22:
		return binds(listener, "file");
	default:
		return binds(sockets[3], "second");
	}
}

static void look(int out, const char *name)
{
	struct stat s;

	if (!name)
		return;
	if (lstat(name, &s) < 0)
		dprintf(out, " %s %s", name, strerrorname_np(errno));
	else
		dprintf(out, " %s %o links %lu size %ld", name, s.st_mode, S_ISDIR(s.st_mode) ? 0 : (unsigned long)s.st_nlink,
			S_ISREG(s.st_mode) ? (long)s.st_size : 0);
}

int main(int argc, char **argv)
{
	char go[32];
	int out;

	for (size_t i = 0; argc == 2 && !strcmp(argv[1], "names") && i < N_STEPS; i++)
		printf("%s %s\n", steps[i].name, steps[i].by);
	if (argc != 2 || !strcmp(argv[1], "names"))
		return argc != 2;
	if (chdir(argv[1]) < 0)
		return 1;
	umask(022);
	out = open("said", O_CREAT | O_WRONLY | O_APPEND, 0644);
	prepare();
	dprintf(out, "prepared\n");
	for (size_t i = 0; i < N_STEPS; i++) {
		struct stat s;
		long r;

		snprintf(go, sizeof(go), "go-%zu", i);
		while (stat(go, &s) < 0)
			usleep(5000);
		r = step(i);
		dprintf(out, "%s %s", steps[i].name, r < 0 ? strerrorname_np(errno) : "done");
		look(out, steps[i].look[0]);
		look(out, steps[i].look[1]);
		dprintf(out, "\n");
	}
	return 0;
}
