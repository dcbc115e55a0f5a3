// SPDX-License-Identifier: Apache-2.0
/* The mounter, as far as it can be asked without rights: what it refuses, holds and survives; and options of filesystems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforce/mounts.h"
#include "policy/plan.h"

static const struct shk_caller nobody = { .fsuid = 65534, .euid = 65534, .fsgid = 65534, .egid = 65534 };

static struct shk_mounter *start(void)
{
	struct shk_mounter *m = NULL;
	struct shk_err err = { 0 };

	assert_int_equal(shk_mounter_new(&m, &err), 0);
	assert_non_null(m);
	return m;
}

static int order(struct shk_mounter *m, const char *type)
{
	int ns = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC), root = open("/", O_PATH | O_CLOEXEC);
	int target = open("/tmp", O_PATH | O_CLOEXEC);
	int r = shk_mounter_do(m, &(struct shk_mount_order){ .op = SHK_MOUNT_NEW, .caller = &nobody, .seconds = 10, .ns = ns,
							      .root = root, .target = target, .source = -1,
							      .type = type, .effective = UINT64_MAX });

	close(ns);
	close(root);
	close(target);
	return r;
}

/* Whoever takes the engine over mounts nothing on the host by it. */
static void its_own_mounts_stay(void **state)
{
	struct shk_mounter *m = start();

	(void)state;
	for (unsigned i = 0; i < 2 * SHK_MOUNTER_EACH; i++)
		assert_int_equal(order(m, "tmpfs"), -EPERM);
	shk_mounter_free(m);
}

static void texts_are_bounded(void **state)
{
	struct shk_mounter *m = start();
	char longest[5000];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(order(m, longest), -EINVAL);
	assert_int_equal(order(m, "tmpfs"), -EPERM);
	shk_mounter_free(m);
}

static pid_t child_of(pid_t parent)
{
	char path[64];
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	f = fopen(path, "re");
	if (f && fscanf(f, "%d", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	return pid;
}

static void one_that_died_says_so(void **state)
{
	struct shk_mounter *m = start();
	pid_t pid = child_of(getpid());

	(void)state;
	if (pid <= 0) {
		shk_mounter_free(m);
		skip();
	}
	kill(pid, SIGKILL);
	while (order(m, "tmpfs") != -EIO)
		usleep(1000);
	assert_int_equal(order(m, "tmpfs"), -EIO);
	shk_mounter_free(m);
}

/* The one that serves, of which the other is the parent. */
static void one_that_dies_is_made_anew(void **state)
{
	struct shk_mounter *m = start();
	pid_t parent = child_of(getpid()), serves;

	(void)state;
	if (parent <= 0) {
		shk_mounter_free(m);
		skip();
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(order(m, "tmpfs"), -EPERM);
		serves = child_of(parent);
		assert_true(serves > 0);
		kill(serves, SIGKILL);
		while (child_of(parent) == serves)
			usleep(1000);
	}
	assert_int_equal(order(m, "tmpfs"), -EPERM);
	shk_mounter_free(m);
}

struct hanging {
	pthread_t thread;
	struct shk_mounter *m;
	uint64_t container;
	int ns, r;
};

static void *hang(void *arg)
{
	struct hanging *h = arg;
	int root = open("/", O_PATH | O_CLOEXEC);

	h->r = shk_mounter_do(h->m, &(struct shk_mount_order){ .op = SHK_MOUNT_NEW, .caller = &nobody, .seconds = 60, .ns = h->ns,
							       .container = h->container, .root = root, .target = root,
							       .source = -1, .type = "tmpfs" });
	close(root);
	return NULL;
}

/* How many processes the one that serves has. */
static unsigned n_children(pid_t parent)
{
	char path[64];
	unsigned n = 0;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		n++;
	if (f)
		fclose(f);
	return n;
}

/* Calls of very many containers hang, all that there may be: another one's are made. */
static void the_last_one_has_room(void **state)
{
	static struct hanging h[SHK_MOUNTER_ALL];
	struct hanging late = { .m = start(), .container = 1000 };
	char dir[] = "/tmp/shk-mounter.XXXXXX", fifo[64];
	pid_t watch = child_of(getpid()), serves = 0;
	pthread_attr_t attr;
	int ns, gate;

	(void)state;
	if (watch <= 0) {
		shk_mounter_free(late.m);
		skip();
	}
	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/user", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	/* Whoever is to be in these namespaces waits for the other end. */
	ns = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	/* Not all at once: one whose order is not taken within half a second is told EBUSY. */
	for (unsigned i = 0; i < SHK_MOUNTER_ALL; i++) {
		h[i] = (struct hanging){ .m = late.m, .container = 1 + i / SHK_MOUNTER_EACH, .ns = ns };
		assert_int_equal(pthread_create(&h[i].thread, &attr, hang, &h[i]), 0);
		for (unsigned k = 0; k < 10000 && (!serves || n_children(serves) <= i); k++) {
			serves = child_of(watch);
			usleep(200);
		}
	}
	assert_int_equal(n_children(serves), SHK_MOUNTER_ALL);
	late.ns = open("/proc/self/ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
	hang(&late);
	assert_int_equal(late.r, -EPERM);
	/* One that has its share has no more. */
	late.container = 1;
	hang(&late);
	assert_int_equal(late.r, -EBUSY);
	gate = open(fifo, O_RDWR | O_CLOEXEC);
	for (unsigned i = 0; i < SHK_MOUNTER_ALL; i++) {
		pthread_join(h[i].thread, NULL);
		assert_int_not_equal(h[i].r, -EBUSY);
	}
	close(gate);
	close(late.ns);
	close(ns);
	unlink(fifo);
	rmdir(dir);
	pthread_attr_destroy(&attr);
	shk_mounter_free(late.m);
}

/* A listener held there would keep callers waiting for ever. */
static void holds_nothing(void **state)
{
	struct pollfd p = { .events = POLLIN };
	struct shk_mounter *m;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	m = start();
	close(fds[1]);
	p.fd = fds[0];
	assert_int_equal(poll(&p, 1, 10000), 1);
	assert_true(p.revents & POLLHUP);
	close(fds[0]);
	shk_mounter_free(m);
	shk_mounter_free(NULL);
}

static void options(void **state)
{
	(void)state;
	assert_null(shk_mounts_options("tmpfs", "size=1m"));
	assert_null(shk_mounts_options("proc", NULL));
	assert_null(shk_mounts_options("overlay", NULL));
	assert_null(shk_mounts_options("overlay", "lowerdir=/a:/b,upperdir=/u,workdir=/w,metacopy=on"));
	assert_null(shk_mounts_options("overlay", "ro,lowerdir=/a\\:b:/c\\,d::/data"));
	assert_null(shk_mounts_options("overlay", "lowerdir+=/a,datadir+=/b"));
	assert_non_null(shk_mounts_options("overlay", "lowerdir=a"));
	assert_non_null(shk_mounts_options("overlay", "lowerdir=/a:b"));
	assert_non_null(shk_mounts_options("overlay", "lowerdir=/a::b"));
	assert_non_null(shk_mounts_options("overlay", "x,,upperdir=../u,lowerdir=/a"));
	assert_non_null(shk_mounts_options("overlay", "lowerdir=/a,workdir=w"));
	assert_non_null(shk_mounts_options("overlay", "lowerdir=\\/a"));
	assert_non_null(shk_mounts_options("overlay", "lowerdir+=a"));
	assert_non_null(shk_mounts_options("ext4", NULL));
	assert_non_null(shk_mounts_options("fuse", "fd=3"));
	assert_non_null(shk_mounts_options("fuse.tmpfs", NULL));
	assert_non_null(shk_mounts_options("", NULL));
}

static void methods(void **state)
{
	static const char *const emulated[] = { "mount", "umount", "umount2", "move_mount", "mount_setattr", "pivot_root",
						"fchmod", "fchown", "fchown32" };
	static const char *const refused[] = { "fsopen", "fsconfig", "fsmount", "fspick", "open_tree", "open_tree_attr" };

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(emulated); i++) {
		const struct shk_syscall *s = shk_syscall_by_name(shk_str(emulated[i]));

		assert_int_equal(shk_method_of(s->id), SHK_METHOD_EMULATE);
		assert_int_equal(s->vclass, SHK_VC_EMULATE);
	}
	for (size_t i = 0; i < SHK_ARRAY_SIZE(refused); i++) {
		const struct shk_syscall *s = shk_syscall_by_name(shk_str(refused[i]));

		assert_string_equal(shk_method_guarantee(shk_method_of(s->id)), "refused");
		assert_int_not_equal(s->vclass, SHK_VC_REGISTER);
		assert_false(shk_mounts_knows(s->id));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own_mounts_stay), cmocka_unit_test(texts_are_bounded),
		cmocka_unit_test(one_that_died_says_so), cmocka_unit_test(one_that_dies_is_made_anew),
		cmocka_unit_test(the_last_one_has_room), cmocka_unit_test(holds_nothing),
		cmocka_unit_test(options), cmocka_unit_test(methods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
