// SPDX-License-Identifier: Apache-2.0
/* Facts of real processes: this one, its children; names and metadata of containers. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "state/process.h"
#include "state/process_impl.h"
#include "state/users.h"
#include "state/walk.h"

struct env {
	struct shk_container *c;
	struct shk_arena arena;
	struct shk_event ev;
	struct shk_eval_ctx ctx;
};

/* Arguments of test events lie in this process. */
static ssize_t read_self(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	struct iovec to = { buf, n }, from = { (void *)(uintptr_t)addr, n };

	(void)ev;
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0);
}

static const struct shk_mem_ops self_mem = { .read = read_self };

static void assert_str(struct shk_str got, const char *want)
{
	char text[SHK_PATH_LIMIT];

	assert_non_null(got.p);
	snprintf(text, sizeof(text), SHK_STR_FMT, SHK_STR_ARG(got));
	assert_string_equal(text, want);
}

static int setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	e->c = shk_container_new(1);
	e->c->init_pid = getpid();
	e->c->rootfs = SHK_STR("/");
	shk_arena_init(&e->arena, 1u << 20);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	shk_container_unref(e->c);
	shk_arena_done(&e->arena);
	free(e);
	return 0;
}

/* A new decision about a call of task tid. */
static struct shk_eval_ctx *begin(struct env *e, pid_t tid, enum shk_call_id id)
{
	shk_arena_reset(&e->arena);
	shk_event_init(&e->ev, &e->arena);
	e->ev.call = &shk_syscalls[id];
	e->ev.nr = shk_syscalls[id].nr[SHK_ABI_X86_64];
	e->ev.tid = tid;
	e->ev.ctr = e->c;
	e->ev.mem = &self_mem;
	e->ev.attempt = true;
	e->ctx = (struct shk_eval_ctx){ .ev = &e->ev, .ctr = e->c };
	return &e->ctx;
}

static bool all(enum shk_call_id id, void *arg)
{
	(void)id;
	(void)arg;
	return true;
}

static bool none(enum shk_call_id id, void *arg)
{
	(void)id;
	(void)arg;
	return false;
}

/* A child that does what it is told: 'd' chdir("/"), 'q' end. */
struct child {
	pid_t pid;
	int to, from;
};

static void serve(int in, int out)
{
	char c;

	while (read(in, &c, 1) == 1 && c != 'q') {
		if (c == 'd' && chdir("/") < 0)
			_exit(1);
		if (c == 's' && setsid() < 0)
			_exit(1);
		if (c == 'n')
			prctl(PR_SET_NAME, "a) R 1 (b");
		if (write(out, &c, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static struct child spawn(void)
{
	struct child k;
	int to[2], from[2];

	assert_return_code(pipe2(to, O_CLOEXEC), 0);
	assert_return_code(pipe2(from, O_CLOEXEC), 0);
	k.pid = fork();
	assert_true(k.pid >= 0);
	if (k.pid == 0) {
		close(to[1]);
		close(from[0]);
		serve(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	k.to = to[1];
	k.from = from[0];
	return k;
}

static void tell(struct child *k, char c)
{
	char back;

	assert_int_equal(write(k->to, &c, 1), 1);
	assert_int_equal(read(k->from, &back, 1), 1);
}

static void finish(struct child *k)
{
	close(k->to);
	close(k->from);
	assert_int_equal(waitpid(k->pid, NULL, 0), k->pid);
}

static void test_self(void **state)
{
	struct env *e = *state;
	struct shk_proc *p = shk_proc_of(begin(e, getpid(), SHK_CALL_openat));
	char buf[PATH_MAX];
	const struct shk_strvec *argv;
	const struct shk_proc_exe *exe;
	struct stat st;
	uint64_t start;
	uint32_t tty;
	ssize_t n;

	assert_non_null(p);
	assert_ptr_equal(p, shk_proc_of(&e->ctx));
	assert_int_equal(shk_proc_tid(p), getpid());
	assert_int_equal(shk_proc_pid(p), getpid());
	assert_int_equal(shk_proc_ppid(p), getppid());
	assert_int_equal(shk_proc_pgid(p), getpgrp());
	assert_int_equal(shk_proc_sid(p), getsid(0));
	assert_int_equal(shk_proc_creds(p)->uid, geteuid());
	assert_int_equal(shk_proc_creds(p)->rgid, getgid());
	prctl(PR_GET_NAME, buf);
	assert_str(shk_proc_comm(p), buf);
	n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = 0;
	assert_str(shk_proc_exepath(p), buf);
	assert_return_code(stat(buf, &st), 0);
	exe = shk_proc_exe(p);
	assert_non_null(exe);
	assert_int_equal(exe->ino, st.st_ino);
	assert_int_equal(exe->dev, st.st_dev);
	assert_false(exe->memfd);
	assert_false(exe->deleted);
	assert_non_null(getcwd(buf, sizeof(buf)));
	assert_str(shk_proc_cwd(p), buf);
	argv = shk_proc_argv(p);
	assert_non_null(argv);
	assert_true(argv->n >= 1);
	assert_str(shk_proc_getenv(p, SHK_STR("PATH")), getenv("PATH"));
	assert_null(shk_proc_getenv(p, SHK_STR("PAT")).p);
	assert_true(shk_proc_tty(p, &tty));
	assert_true(shk_proc_start(p, &start));
	assert_true(start > 1000000000ull * 1000000000ull);
	assert_int_equal(shk_proc_nthreads(p), 1);
	assert_return_code(stat("/proc/self/ns/user", &st), 0);
	assert_int_equal(shk_proc_ns(p, SHK_NS_USER), st.st_ino);
	assert_false(shk_proc_is_exec_session(p));
}

static void test_gone(void **state)
{
	struct env *e = *state;
	struct child k = spawn();

	assert_non_null(shk_proc_of(begin(e, k.pid, SHK_CALL_openat)));
	finish(&k);
	assert_null(shk_proc_of(begin(e, k.pid, SHK_CALL_openat)));
	assert_null(shk_procs_peek(e->c, k.pid));
	assert_int_equal(e->c->n_procs, 0);
}

static void test_no_container(void **state)
{
	struct env *e = *state;
	struct shk_proc *p;

	begin(e, getpid(), SHK_CALL_openat);
	e->ctx.ctr = NULL;
	p = shk_proc_of(&e->ctx);
	assert_non_null(p);
	assert_int_equal(shk_proc_tid(shk_proc_parent(p)), getppid());
	assert_true(shk_proc_argv(p)->n >= 1);
	assert_int_equal(e->c->n_procs, 0);
}

static void test_parents(void **state)
{
	struct env *e = *state;
	struct child k = spawn();
	struct shk_proc *p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	unsigned n = 0;

	assert_int_equal(shk_proc_tid(shk_proc_parent(p)), getpid());
	assert_int_equal(shk_proc_tid(shk_proc_ancestor(p, 2)), getppid());
	assert_ptr_equal(shk_proc_ancestor(p, 0), p);
	while (shk_proc_ancestor(p, n))
		n++;
	assert_true(n > 2 && n <= SHK_ANCESTORS_MAX);
	/* The second time nothing is read but the number that is kept. */
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_int_equal(shk_proc_tid(shk_proc_parent(p)), getpid());
	assert_int_not_equal(p->read_at[SHK_FACT_STAT], e->c->proc_state->decision);
	finish(&k);
}

/* The name of a process cannot pass for the fields behind it. */
static void test_hostile_comm(void **state)
{
	struct env *e = *state;
	struct child k = spawn();
	struct shk_proc *p;

	tell(&k, 'n');
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_str(shk_proc_comm(p), "a) R 1 (b");
	assert_int_equal(shk_proc_ppid(p), getpid());
	finish(&k);
}

static void test_cwd_kept(void **state)
{
	struct env *e = *state;
	struct child k = spawn();
	struct shk_proc *p;
	char cwd[PATH_MAX];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	shk_proc_keep(e->c, all, NULL);
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_str(shk_proc_cwd(p), cwd);
	tell(&k, 'd');
	/* Believed, because nobody said it changed. */
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_str(shk_proc_cwd(p), cwd);
	begin(e, k.pid, SHK_CALL_chdir);
	shk_proc_of(&e->ctx);
	shk_proc_apply(e->c, &e->ev, true);
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_str(shk_proc_cwd(p), "/");
	finish(&k);
}

/* Between the verdict about chdir and its effect somebody else asks: that answer is not kept. */
static void test_cwd_race(void **state)
{
	struct env *e = *state;
	struct child k = spawn();
	struct shk_proc *p;
	char cwd[PATH_MAX];

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	shk_proc_keep(e->c, all, NULL);
	/* Asked by this process, which "shares" its directories with the child. */
	begin(e, getpid(), SHK_CALL_chdir);
	shk_proc_of(&e->ctx);
	shk_proc_apply(e->c, &e->ev, true);
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_str(shk_proc_cwd(p), cwd);
	tell(&k, 'd');
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_str(shk_proc_cwd(p), "/");
	/* The next call of the caller ends it: kept again. */
	shk_proc_of(begin(e, getpid(), SHK_CALL_openat));
	assert_int_equal(e->c->proc_state->n_waits, 0);
	finish(&k);
}

static void test_nothing_kept(void **state)
{
	struct env *e = *state;
	struct child k = spawn();
	struct shk_proc *p;

	shk_proc_keep(e->c, none, NULL);
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_non_null(shk_proc_cwd(p).p);
	tell(&k, 'd');
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_str(shk_proc_cwd(p), "/");
	finish(&k);
}

static bool no_rename(enum shk_call_id id, void *arg)
{
	(void)arg;
	return id != SHK_CALL_renameat2;
}

/* A working directory that may get another name unseen is looked up each time; the root is not. */
static void test_rename_unseen(void **state)
{
	struct env *e = *state;
	struct child k = spawn();
	struct shk_proc *p;

	shk_proc_keep(e->c, no_rename, NULL);
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_non_null(shk_proc_cwd(p).p);
	assert_true(shk_proc_need(p, SHK_FACT_ROOT));
	tell(&k, 'd');
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_str(shk_proc_cwd(p), "/");
	assert_true(shk_proc_need(p, SHK_FACT_ROOT));
	assert_int_not_equal(p->read_at[SHK_FACT_ROOT], e->c->proc_state->decision);
	finish(&k);
}

static void test_exec_session(void **state)
{
	struct env *e = *state;
	struct child k = spawn();
	struct shk_proc *p;

	/* The container's init is another process here. */
	e->c->init_pid = 1;
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_false(shk_proc_is_exec_session(p));
	begin(e, getpid(), SHK_CALL_openat);
	shk_proc_of(&e->ctx);
	shk_proc_mark_exec_session(e->c, getpid());
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_true(shk_proc_is_exec_session(p));
	tell(&k, 's');
	p = shk_proc_of(begin(e, k.pid, SHK_CALL_openat));
	assert_true(shk_proc_is_exec_session(p));
	assert_int_equal(shk_proc_sid(p), k.pid);
	assert_ptr_equal(shk_proc_session_leader(p), p);
	finish(&k);
}

static void test_execve(void **state)
{
	struct env *e = *state;
	static const char *const argv[] = { "sh", "-c", "exit 0", NULL };
	static const char *const envp[] = { "A=1", "B=two", NULL };
	struct shk_proc *p;
	char real[PATH_MAX];

	if (!realpath("/bin/sh", real))
		skip();
	begin(e, getpid(), SHK_CALL_execve);
	e->ev.raw[0] = (uintptr_t) "/bin/../bin/sh";
	e->ev.raw[1] = (uintptr_t)argv;
	e->ev.raw[2] = (uintptr_t)envp;
	p = shk_proc_of(&e->ctx);
	assert_str(shk_proc_comm(p), "sh");
	assert_int_equal(shk_proc_argv(p)->n, 3);
	assert_str(shk_proc_argv(p)->v[2], "exit 0");
	assert_str(shk_proc_getenv(p, SHK_STR("B")), "two");
	assert_str(shk_proc_exepath(p), real);
	assert_non_null(shk_proc_exe(p));
	assert_int_equal(shk_proc_tid(p), getpid());
	assert_int_equal(shk_proc_tid(shk_proc_parent(p)), getppid());
	assert_ptr_not_equal(p, shk_proc_task_of(&e->ctx));
	/* Certain to fail: the old program is meant. */
	e->ev.has_ret = true;
	e->ev.ret = -2;
	p = shk_proc_of(&e->ctx);
	assert_ptr_equal(p, shk_proc_task_of(&e->ctx));
}

static void test_execveat_memfd(void **state)
{
	struct env *e = *state;
	int fd = memfd_create("payload", MFD_CLOEXEC);
	struct shk_proc *p;

	assert_true(fd >= 0);
	begin(e, getpid(), SHK_CALL_execveat);
	e->ev.raw[0] = (uint64_t)fd;
	e->ev.raw[1] = (uintptr_t) "";
	e->ev.raw[4] = AT_EMPTY_PATH;
	p = shk_proc_of(&e->ctx);
	assert_str(shk_proc_exepath(p), "/memfd:payload");
	assert_true(shk_proc_exe(p)->memfd);
	close(fd);
}

static void test_abs_path(void **state)
{
	struct env *e = *state;
	struct shk_str s;
	char cwd[PATH_MAX], want[PATH_MAX + 16];
	int fd = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	begin(e, getpid(), SHK_CALL_openat);
	e->ev.raw[0] = (uint64_t)AT_FDCWD;
	e->ev.raw[1] = (uintptr_t) "/etc//./x/../../etc/passwd";
	assert_true(shk_event_abs_path(&e->ctx, 1, &s));
	assert_str(s, "/etc/passwd");
	begin(e, getpid(), SHK_CALL_openat);
	e->ev.raw[0] = (uint32_t)AT_FDCWD;
	e->ev.raw[1] = (uintptr_t) "some/file";
	assert_true(shk_event_abs_path(&e->ctx, 1, &s));
	snprintf(want, sizeof(want), "%s/some/file", cwd);
	assert_str(s, want);
	begin(e, getpid(), SHK_CALL_openat);
	e->ev.raw[0] = (uint64_t)fd;
	e->ev.raw[1] = (uintptr_t) "../../../bin";
	assert_true(shk_event_abs_path(&e->ctx, 1, &s));
	assert_str(s, "/bin");
	begin(e, getpid(), SHK_CALL_openat);
	e->ev.raw[0] = 4000000;
	e->ev.raw[1] = (uintptr_t) "x";
	assert_false(shk_event_abs_path(&e->ctx, 1, &s));
	assert_false(shk_event_abs_path(&e->ctx, 0, &s));
	close(fd);
}

/* A path that is called plain is one that joining leaves as it is; and ordinary ones are called so. */
static void test_plain(void **state)
{
	static const char *const plain[] = { "/a", "/ab/cd", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/etc/ld.so.cache",
					     "/a/b/c/d/e/f/g/h/i", "/usr/share/a.b/c..d/e." };
	uint64_t lot = 88172645463325252u;
	char buf[SHK_JOIN_MAX];
	unsigned n_plain = 0;

	(void)state;
	for (unsigned i = 0; i < SHK_ARRAY_SIZE(plain); i++)
		assert_true(shk_path_is_plain(shk_str(plain[i])));
	for (unsigned i = 0; i < 200000; i++) {
		struct shk_str s = { buf, 1 }, joined;
		char path[40] = "/", out[SHK_JOIN_MAX];

		lot ^= lot << 13;
		lot ^= lot >> 7;
		lot ^= lot << 17;
		s.n = 1 + lot % (sizeof(path) - 1);
		for (size_t k = 1; k < s.n; k++)
			path[k] = "a./b\x01\xaf\xaeZ"[(lot >> (k % 20 * 3)) % (k % 3 ? 8 : 5)];
		s.p = path;
		if (!shk_path_is_plain(s))
			continue;
		n_plain++;
		joined = shk_path_join(shk_str("/"), shk_str("/"), s, out);
		assert_true(shk_str_eq(joined, s));
	}
	assert_true(n_plain > 1000);
}

static void test_join(void **state)
{
	static const struct {
		const char *root, *base, *path, *want;
	} t[] = {
		{ "/", "", "/a/b", "/a/b" },
		{ "/", "/", "..", "/" },
		{ "/", "/a/b", "../../../c", "/c" },
		{ "/etc", "", "/shadow", "/etc/shadow" },
		{ "/jail", "/jail/x", "../../../y", "/jail/y" },
		{ "/jail", "/jail", ".", "/jail" },
		{ "/jail", "/outside/x", "../y", "/outside/y" },
		{ "/jail", "/jailer", "x", "/jailer/x" },
		{ "/", "/a", "", "/a" },
		{ "/", "/a", "...//..x/.", "/a/.../..x" },
	};
	char buf[SHK_JOIN_MAX];

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(t); i++)
		assert_str(shk_path_join(shk_str(t[i].root), shk_str(t[i].base), shk_str(t[i].path),
					 buf), t[i].want);
}

static void test_inside(void **state)
{
	struct env *e = *state;

	e->c->rootfs = SHK_STR("/run/b/rootfs/");
	assert_str(shk_inside(e->c, SHK_STR("/run/b/rootfs")), "/");
	assert_str(shk_inside(e->c, SHK_STR("/run/b/rootfs/etc")), "/etc");
	assert_str(shk_inside(e->c, SHK_STR("/run/b/rootfs2/etc")), "/run/b/rootfs2/etc");
	assert_str(shk_inside(e->c, SHK_STR("/etc")), "/etc");
}

static void test_cache_bound(void **state)
{
	struct env *e = *state;
	struct child k[4];

	for (size_t i = 0; i < SHK_ARRAY_SIZE(k); i++) {
		k[i] = spawn();
		assert_non_null(shk_proc_of(begin(e, k[i].pid, SHK_CALL_openat)));
	}
	assert_int_equal(e->c->n_procs, 4);
	assert_int_equal(e->c->proc_state->n_held, 4);
	assert_int_equal(e->c->proc_state->newest->tid, k[3].pid);
	assert_int_equal(e->c->proc_state->oldest->tid, k[0].pid);
	shk_proc_of(begin(e, k[0].pid, SHK_CALL_openat));
	assert_int_equal(e->c->proc_state->oldest->tid, k[1].pid);
	/* Later ones hold the pipes of earlier ones. */
	for (size_t i = SHK_ARRAY_SIZE(k); i-- > 0;)
		finish(&k[i]);
}

/* Who goes on keeps its descriptor, whoever comes and ends meanwhile. */
static void test_held(void **state)
{
	struct env *e = *state;
	struct child parent = spawn();
	struct shk_proc *p;

	for (unsigned i = 0; i < 2 * SHK_HELD_MAX + 10; i++) {
		struct child k = spawn();

		assert_non_null(shk_proc_of(begin(e, k.pid, SHK_CALL_openat)));
		assert_non_null(shk_proc_of(begin(e, parent.pid, SHK_CALL_openat)));
		finish(&k);
	}
	assert_int_equal(e->c->proc_state->n_held, SHK_HELD_MAX);
	p = shk_proc_of(begin(e, parent.pid, SHK_CALL_openat));
	assert_non_null(p);
	assert_true(p->pidfd >= 0);
	finish(&parent);
}

static void test_users(void **state)
{
	struct env *e = *state;
	const struct shk_user *u = shk_user_by_uid(e->c, 0);
	const struct shk_group *g = shk_group_by_gid(e->c, 0);

	assert_non_null(u);
	assert_str(u->name, "root");
	assert_non_null(g);
	assert_str(g->name, "root");
	assert_null(shk_user_by_uid(e->c, 3999999999u));
	assert_null(shk_group_by_gid(e->c, 3999999999u));
}

static void test_walk(void **state)
{
	int fd = shk_walk_open(getpid(), SHK_STR("/etc/../etc/passwd"));

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(shk_walk_open(getpid(), SHK_STR("/etc/no such file")), -ENOENT);
	assert_int_equal(shk_walk_open_file(getpid(), SHK_STR("/etc")), -EINVAL);
	assert_true(shk_walk_open(getpid(), SHK_STR("/proc/self/exe")) < 0);
}

static void test_upper(void **state)
{
	static const char text[] =
		"20 1 8:1 / / rw - ext4 /dev/root rw\n"
		"31 20 0:50 / / rw,relatime shared:1 master:2 - overlay overlay "
		"rw,lowerdir=/l1:/l2,upperdir=/var/lib/a\\040b/diff,workdir=/w\n"
		"32 31 0:51 / /proc rw - proc proc rw,upperdir=/no\n";
	char path[64];
	uint64_t id = 0;

	(void)state;
	assert_int_equal(shk_parse_upper(shk_str(text), path, sizeof(path), &id), 17);
	assert_string_equal(path, "/var/lib/a b/diff");
	assert_int_equal(id, 31);
	assert_int_equal(shk_parse_upper(SHK_STR("31 20 0:50 / / rw - overlay o rw,upperdir=a/b\n"),
					 path, sizeof(path), &id), 0);
	assert_int_equal(shk_parse_upper(SHK_STR("31 20 0:50 / / rw - overlay"), path, sizeof(path),
					 &id), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_self), T(test_gone), T(test_no_container), T(test_parents),
		T(test_hostile_comm), T(test_cwd_kept), T(test_cwd_race), T(test_nothing_kept),
		T(test_exec_session), T(test_execve), T(test_execveat_memfd), T(test_abs_path),
		T(test_join), T(test_plain), T(test_inside), T(test_cache_bound), T(test_users), T(test_walk),
		T(test_held), T(test_upper), T(test_rename_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
