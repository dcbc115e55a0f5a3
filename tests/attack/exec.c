// SPDX-License-Identifier: Apache-2.0
/*
 * Programs exchanged while their execve is judged. /free/prog ends with 0, /hide/prog with 66, and so does either when
 * its first argument begins with "forbid".
 *
 * The child shares memory and descriptors with us, so that both can change under it.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define LOADER "/lib64/ld-linux-x86-64.so.2"

struct how {
	int (*go)(struct how *h);
	const char *path;
	char *argv[3];
	uint32_t *argv32;
	bool thread;
	struct flip *f;
	char *stack;
};

static char *envp[] = { NULL };

static int by_execve(struct how *h) { return execve(h->path, h->argv, envp); }
static int by_fd(struct how *h) { return execveat(50, "", h->argv, envp, AT_EMPTY_PATH); }
static int by_dirfd(struct how *h) { return execveat(50, "prog", h->argv, envp, 0); }
static int by_i386(struct how *h)
{
	return (int)int80(11, low(h->path), low(h->argv32), low(h->argv32 + 2), 0, 0);
}

static int in_thread(void *arg)
{
	struct how *h = arg;

	if (h->f)
		flip_begin(h->f);
	h->go(h);
	if (h->f)
		flip_took(h->f);
	syscall(SYS_exit_group, 99);
	return 0;
}

static int in_child(void *arg)
{
	struct how *h = arg;

	if (!h->thread)
		return in_thread(arg);
	if (clone(in_thread, h->stack + (1 << 17),
		  CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES, h) < 0)
		_exit(3);
	for (;;)
		pause();
}

static pid_t start(struct how *h)
{
	if (!h->stack)
		h->stack = shared(1 << 18);
	return clone(in_child, h->stack + (1 << 18), CLONE_VM | CLONE_FILES | SIGCHLD, h);
}

static void race(struct run *r, void (*set)(void *, bool), void *arg, struct how h)
{
	static char zero[] = "prog";

	h.f = flip_start(set, arg);
	if (!h.argv[0])
		h.argv[0] = zero;
	while (more(r)) {
		pid_t pid = start(&h);

		for (unsigned i = 0; pid < 0 && errno == EAGAIN && i < 10000; i++) {
			usleep(1000);
			pid = start(&h);
		}
		if (pid < 0)
			broken("clone");
		judge_child(r, pid);
		flip_settle(h.f);
	}
	flip_stop(h.f);
}

static struct text *path(void) { return text_of("/free/prog", "/hide/prog"); }

static void memory(struct run *r)
{
	struct text *t = path();

	race(r, set_text, t, (struct how){ .go = by_execve, .path = t->p });
}

static void thread(struct run *r)
{
	struct text *t = path();

	race(r, set_text, t, (struct how){ .go = by_execve, .path = t->p, .thread = true });
}

static void i386(struct run *r)
{
	struct text *t = path();
	uint32_t *argv = shared(64);

	argv[0] = low(argv + 4);
	memcpy(argv + 4, "prog", 5);
	race(r, set_text, t, (struct how){ .go = by_i386, .path = t->p, .argv32 = argv });
}

/* Rules may speak of arguments, too. */
static void arguments(struct run *r)
{
	struct text *t = text_of("permit", "forbid");

	race(r, set_text, t, (struct how){ .go = by_execve, .path = "/free/prog", .argv = { NULL, t->p } });
}

static void make_link(const char *to, const char *name)
{
	unlink(name);
	if (symlink(to, name) < 0)
		broken(name);
}

static void exchange(struct run *r)
{
	unlink("/free/xe");
	if (link("/free/prog", "/free/xe") < 0)
		broken("/free/xe");
	make_link("/hide/prog", "/free/xe2");
	race(r, set_names, names_of("/free/xe", "/free/xe2"), (struct how){ .go = by_execve, .path = "/free/xe" });
}

static void directory(struct run *r)
{
	mkdir("/free/pd", 0755);
	unlink("/free/pd/prog");
	if (link("/free/prog", "/free/pd/prog") < 0)
		broken("/free/pd/prog");
	make_link("/hide", "/free/pd2");
	race(r, set_names, names_of("/free/pd", "/free/pd2"), (struct how){ .go = by_execve, .path = "/free/pd/prog" });
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		broken(name);
	close(fd);
}

static void script(struct run *r)
{
	write_file("/free/s", "#!/free/prog\n");
	write_file("/free/s2", "#!/hide/prog\n");
	race(r, set_names, names_of("/free/s", "/free/s2"), (struct how){ .go = by_execve, .path = "/free/s" });
}

/* What the loader says of its failures is of no interest. */
static void quiet(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dup2(fd, 2) < 0)
		broken("/dev/null");
	close(fd);
}

/* What the loader is told to load is opened, not executed; so the loader itself is forbidden. */
static void loader(struct run *r)
{
	static char evil_program[] = "/hide/prog";
	struct text *t = text_of("/free/prog", LOADER);

	quiet();
	race(r, set_text, t, (struct how){ .go = by_execve, .path = t->p, .argv = { NULL, evil_program } });
}

static void numbers(struct run *r, int evil_fd, struct how h)
{
	struct numbers n = { 50, open("/free/prog", O_PATH | O_CLOEXEC), evil_fd };

	if (n.good < 0 || n.evil < 0)
		broken("descriptors");
	race(r, set_number, &n, h);
}

static void fd(struct run *r)
{
	numbers(r, open("/hide/prog", O_PATH | O_CLOEXEC), (struct how){ .go = by_fd, .path = "" });
}
static void proc_fd(struct run *r)
{
	numbers(r, open("/hide/prog", O_PATH | O_CLOEXEC), (struct how){ .go = by_execve, .path = "/proc/self/fd/50" });
}
static void dirfd_number(struct run *r)
{
	struct numbers n = { 50, open("/free", O_PATH | O_CLOEXEC), open("/hide", O_PATH | O_CLOEXEC) };

	race(r, set_number, &n, (struct how){ .go = by_dirfd, .path = "prog" });
}

static int copy_to(int out)
{
	int in = open("/hide/prog", O_RDONLY | O_CLOEXEC);
	char buf[65536];
	ssize_t k;

	while ((k = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)k) != k)
			broken("copy");
	close(in);
	return out;
}
static int memory_program(void)
{
	int m = memfd_create("prog", MFD_CLOEXEC);

	return m < 0 ? m : copy_to(m);
}
static int deleted_program(void)
{
	int out = open("/hide/gone", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755), in;

	close(copy_to(out));
	in = open("/hide/gone", O_PATH | O_CLOEXEC);
	unlink("/hide/gone");
	return in;
}
static void memfd(struct run *r) { numbers(r, memory_program(), (struct how){ .go = by_fd, .path = "" }); }
static void deleted(struct run *r) { numbers(r, deleted_program(), (struct how){ .go = by_fd, .path = "" }); }

/* ---- without a race ---- */

static char *argv0[] = { (char[]){ "prog" }, NULL };

static void run_in(const char *front, const char *d)
{
	char p[256];

	snprintf(p, sizeof(p), "%s%s/prog", front, d);
	execve(p, argv0, envp);
}
static void run_path(const char *p) { execve(p, argv0, envp); }
static void proc_root(const char *d) { run_in("/proc/self/root", d); }
static void up(const char *d) { run_in("/tmp/..", d); }
static void linked(const char *d)
{
	make_link(d, "/tmp/alias");
	run_in("", "/tmp/alias");
}
static void rooted(const char *d)
{
	if (chroot(d) == 0)
		run_path("/prog");
}
static void standing(const char *d)
{
	if (chdir(d) == 0)
		run_path("prog");
}
static void at(const char *d) { execveat(open(d, O_PATH), "prog", argv0, envp, 0); }
static void x32(const char *d)
{
	char p[256];

	snprintf(p, sizeof(p), "%s/prog", d);
	syscall(X32 | 520, p, argv0, envp);
}
static void write_script(const char *name, const char *interpreter)
{
	char text[64];

	snprintf(text, sizeof(text), "#!%s\n", interpreter);
	write_file(name, text);
}
static void scripted(const char *d)
{
	write_script("/tmp/script", strcmp(d, "/free") == 0 ? "/free/prog" : "/hide/prog");
	run_path("/tmp/script");
}
static void scripted_twice(const char *d)
{
	write_script("/tmp/script", strcmp(d, "/free") == 0 ? "/free/prog" : "/hide/prog");
	write_script("/tmp/script2", "/tmp/script");
	run_path("/tmp/script2");
}
static void loaded(const char *d)
{
	char p[64], *argv[] = { argv0[0], p, NULL };

	if (strcmp(d, "/free") == 0)
		run_in("", d);
	quiet();
	snprintf(p, sizeof(p), "%s/prog", d);
	execve(LOADER, argv, envp);
}
static void from_memory(const char *d)
{
	if (strcmp(d, "/free") == 0)
		run_in("", d);
	execveat(memory_program(), "", argv0, envp, AT_EMPTY_PATH);
}
static void from_nowhere(const char *d)
{
	if (strcmp(d, "/free") == 0)
		run_in("", d);
	execveat(deleted_program(), "", argv0, envp, AT_EMPTY_PATH);
}
/* THREATS A4: mounts that no mark is on. */
static void own_mounts(const char *d)
{
	if (unshare(CLONE_NEWNS) == 0)
		run_in("", d);
}
static void detached_tree(const char *d)
{
	execveat(open_tree(AT_FDCWD, d, OPEN_TREE_CLONE), "prog", argv0, envp, 0);
}

/* The same tree under a second name; the mount is the process's own. */
static void bound(const char *d)
{
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount(d, "/mnt", NULL, MS_BIND, NULL) == 0)
		run_path("/mnt/prog");
}
static void bound_in_sight(const char *d)
{
	if (mount(d, "/mnt", NULL, MS_BIND, NULL) == 0)
		run_path("/mnt/prog");
}
static void bound_file(const char *d)
{
	char p[256];

	snprintf(p, sizeof(p), "%s/prog", d);
	write_file("/tmp/over", "");
	if (unshare(CLONE_NEWNS) == 0 && mount(p, "/tmp/over", NULL, MS_BIND, NULL) == 0)
		run_path("/tmp/over");
}
struct way {
	const char *name;
	void (*go)(const char *dir);
};

static const struct way ways[] = {
	{ "proc-root", proc_root }, { "up", up }, { "linked", linked }, { "rooted", rooted },
	{ "standing", standing }, { "at", at }, { "x32", x32 }, { "scripted", scripted },
	{ "scripted-twice", scripted_twice }, { "loaded", loaded }, { "from-memory", from_memory },
	{ "from-nowhere", from_nowhere }, { "own-mounts", own_mounts },
};
static const struct way mount_ways[] = {
	{ "detached-tree", detached_tree }, { "bound", bound },
	{ "bound-in-sight", bound_in_sight }, { "bound-file", bound_file },
};

static void try_all(struct run *r, const struct way *way, unsigned n)
{
	if (r->attempts > n * 4)
		r->attempts = n * 4;
	for (unsigned i = 0; more(r); i++)
		for (int side = 0; side < 2; side++) {
			unsigned long before = atomic_load(&r->forbidden);
			pid_t pid = fork_child();

			if (pid == 0) {
				way[i % n].go(side ? "/free" : "/hide");
				_exit(99);
			}
			judge_child(r, pid);
			umount2("/mnt", MNT_DETACH);
			if (atomic_load(&r->forbidden) > before)
				past(r, way[i % n].name);
		}
}

static void aliases(struct run *r) { try_all(r, ways, sizeof(ways) / sizeof(ways[0])); }
static void mounted(struct run *r) { try_all(r, mount_ways, sizeof(mount_ways) / sizeof(mount_ways[0])); }

const struct attack attacks_exec[] = {
	{ "exec-memory", memory },   { "exec-thread", thread },	  { "exec-i386", i386 },
	{ "exec-arguments", arguments }, { "exec-exchange", exchange }, { "exec-directory", directory },
	{ "exec-script", script },   { "exec-loader", loader },	  { "exec-fd", fd },
	{ "exec-proc-fd", proc_fd }, { "exec-dirfd", dirfd_number }, { "exec-memfd", memfd },
	{ "exec-deleted", deleted }, { "alias-exec", aliases },	  { "alias-exec-mount", mounted },
	{ NULL, NULL },
};
