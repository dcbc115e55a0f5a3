// SPDX-License-Identifier: Apache-2.0
/* limits.c - rings that overflow, readers that die, messages that make no sense. */
#include <errno.h>
#include <fcntl.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmtest.h"

#define CALLS 20000

static int many_calls(void *arg)
{
	(void)arg;
	for (int i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
	return 0;
}

/* On every processor. */
static int few_calls(void *arg)
{
	(void)arg;
	for (int cpu = 0; cpu < (int)sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			return 1;
		for (int i = 0; i < 10; i++)
			syscall(SYS_getppid);
	}
	return 0;
}

/* The witness is the program: it made CALLS calls, and each is recorded or counted as lost. */
void test_overrun(void)
{
	uint8_t native[SHRIKE_BITMAP_BYTES] = { 0 };
	uint64_t missed = shk_merge_missed(shk_kmod_merge(kmod)), told = shk_merge_told(shk_kmod_merge(kmod));
	struct seen_list l = { 0 };
	struct shk_kmod_counts c;
	int cgroup = cgroup_make("overrun");
	struct shk_err err = { 0 };
	size_t n;

	native[SYS_getppid / 8] = 1 << SYS_getppid % 8;
	drain(&l);
	seen_free(&l);
	watch(7, cgroup, 0, 1ull << SHRIKE_SYSCALL, 0, native, NULL);
	for (int round = 0; round < 2; round++) {
		CHECK(in_child(cgroup, many_calls, NULL) == 0, "the program itself failed");
		drain(&l);
	}
	/* What makes room for the word of loss */
	CHECK(in_child(cgroup, many_calls, NULL) == 0, "the program itself failed");
	drain(&l);
	CHECK(shk_kmod_counts(kmod, 7, &c, &err) == 0, "%s", err.text);
	n = count_seen(&l, SHRIKE_SYSCALL, NULL, NULL, NULL);
	CHECK(c.recorded[SHRIKE_SYSCALL] == n, "%llu recorded, %zu read", (unsigned long long)c.recorded[SHRIKE_SYSCALL], n);
	CHECK(c.recorded[SHRIKE_SYSCALL] + c.lost[SHRIKE_SYSCALL] == 3 * CALLS, "%llu + %llu",
	      (unsigned long long)c.recorded[SHRIKE_SYSCALL], (unsigned long long)c.lost[SHRIKE_SYSCALL]);
	CHECK(c.lost[SHRIKE_SYSCALL] > 0, "nothing was lost: no overrun");
	seen_free(&l);
	/* A word of loss is said with the next record of that processor. */
	CHECK(in_child(cgroup, few_calls, NULL) == 0, "the program itself failed");
	drain(&l);
	seen_free(&l);
	missed = shk_merge_missed(shk_kmod_merge(kmod)) - missed;
	told = shk_merge_told(shk_kmod_merge(kmod)) - told;
	CHECK(shk_kmod_counts(kmod, 7, &c, &err) == 0, "%s", err.text);
	CHECK(missed == c.lost[SHRIKE_SYSCALL], "%llu by gaps", (unsigned long long)missed);
	CHECK(told == missed, "%llu told, %llu by gaps", (unsigned long long)told, (unsigned long long)missed);
	unwatch(7);
	close(cgroup);
	cgroup_remove("overrun");
}

static struct nl_sock *plain(int *family)
{
	struct nl_sock *s = nl_socket_alloc();

	if (!s || genl_connect(s) < 0)
		return NULL;
	*family = genl_ctrl_resolve(s, SHRIKE_GENL_NAME);
	return s;
}

static int other_abi(void)
{
	struct nl_msg *m = nlmsg_alloc();
	struct nl_sock *s;
	int family, e;

	s = plain(&family);
	if (!s || !m)
		return 0;
	genlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, 0, SHRIKE_CMD_ADD, 1);
	nla_put_u32(m, SHRIKE_A_ABI, SHRIKE_ABI + 1);
	nla_put_u32(m, SHRIKE_A_INDEX, 9);
	nla_put_u32(m, SHRIKE_A_PID, 1);
	e = nl_send_sync(s, m);
	nl_socket_free(s);
	return e;
}

/* Bytes from a fixed sequence, so that what once went wrong does again. */
static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

static void random_messages(unsigned n)
{
	uint64_t seed = 20261127;
	uint8_t junk[600];
	struct nl_sock *s;
	int family;

	s = plain(&family);
	if (!s)
		return;
	for (unsigned i = 0; i < n; i++) {
		struct nl_msg *m = nlmsg_alloc_size(8192);
		unsigned attrs = next_random(&seed) % 8;

		genlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0, next_random(&seed) % 4 ? 0 : NLM_F_DUMP,
			    (uint8_t)(next_random(&seed) % (SHRIKE_CMD_COUNT + 2)), 1);
		while (attrs--) {
			unsigned type = next_random(&seed) % (SHRIKE_A_END + 2), len = next_random(&seed) % sizeof(junk);

			/* Often a length that passes the first check */
			switch (next_random(&seed) % 4) {
			case 0: len = 4; break;
			case 1: len = 8; break;
			case 2: len = type == SHRIKE_A_LEASE ? sizeof(struct shrike_lease) : SHRIKE_BITMAP_BYTES; break;
			}
			for (unsigned j = 0; j < len; j++)
				junk[j] = next_random(&seed) % 3 ? 0 : (uint8_t)next_random(&seed);
			nla_put(m, (int)type, (int)len, junk);
		}
		nl_send_auto(s, m);
		nlmsg_free(m);
		/* Answers are not looked at: the socket is drained by a new one now and then. */
		if (i % 50 == 49) {
			nl_socket_free(s);
			s = plain(&family);
		}
	}
	nl_socket_free(s);
}

/* Is joining the group of news answered as it should be? */
static bool may_listen(bool expected)
{
	int family, group, e;
	struct nl_sock *s = plain(&family);

	if (!s)
		return false;
	group = genl_ctrl_resolve_grp(s, SHRIKE_GENL_NAME, SHRIKE_GENL_GROUP);
	e = nl_socket_add_membership(s, group);
	nl_socket_free(s);
	return group >= 0 && (expected ? e == 0 : e == -NLE_PERM);
}

static int as_nobody(void *arg)
{
	struct shk_kmod *k = NULL;
	int e;

	(void)arg;
	if (setgid(65534) || setuid(65534))
		return 2;
	if (!may_listen(false))
		return 3;
	e = shk_kmod_open(&k, NULL);
	shk_kmod_close(k);
	return e == -EPERM && open("/dev/shrike", O_RDWR | O_CLOEXEC) < 0 ? 0 : 1;
}

static int one_open(void *arg)
{
	return open(arg, O_RDONLY | O_CLOEXEC) < 0;
}

/* When probes have been taken off, and while they are, commands are answered, and a container that is taken is watched. */
static void once_more(int cgroup)
{
	static char name[] = "/run/once-more";
	struct seen_list l = { 0 };
	struct timespec t;
	time_t end;

	close(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	clock_gettime(CLOCK_MONOTONIC, &t);
	/* Five seconds after the last container they go. */
	for (end = t.tv_sec + 7; t.tv_sec < end; clock_gettime(CLOCK_MONOTONIC, &t)) {
		CHECK(shk_kmod_list(kmod, NULL, 0, NULL) == 0, "no answer");
		usleep(10000);
	}
	watch(10, cgroup, 0, 1ull << SHRIKE_OPEN, 0, NULL, NULL);
	drain(&l);
	seen_free(&l);
	CHECK(in_child(cgroup, one_open, name) == 0, "the program itself failed");
	drain(&l);
	CHECK(count_seen(&l, SHRIKE_OPEN, name, NULL, NULL) == 1, "attached once more, and nothing is seen");
	seen_free(&l);
	unwatch(10);
}

void test_control(void)
{
	struct shk_kmod_scope s = { .index = 10, .cgroup_fd = -1, .pid = 1 };
	struct shk_kmod_scope root = { .index = 10, .cgroup_fd = open("/sys/fs/cgroup", O_RDONLY | O_CLOEXEC) };
	uint32_t left[256];
	int n;

	CHECK(other_abi() < 0, "another ABI was taken");
	CHECK(shk_kmod_add(kmod, &s, NULL) == -EINVAL, "the host's namespace was taken");
	CHECK(shk_kmod_add(kmod, &root, NULL) == -EINVAL, "the root cgroup was taken");
	close(root.cgroup_fd);
	root.cgroup_fd = cgroup_make("control");
	watch(10, root.cgroup_fd, 0, 0, 0, NULL, NULL);
	CHECK(shk_kmod_add(kmod, &root, NULL) == -EEXIST, "twice");
	root.index = 11;
	CHECK(shk_kmod_add(kmod, &root, NULL) == -EEXIST, "one cgroup twice");
	unwatch(10);
	CHECK(may_listen(true), "root may not listen");
	CHECK(in_child(-1, as_nobody, NULL) == 0, "nobody may");
	once_more(root.cgroup_fd);
	random_messages(2000);
	n = shk_kmod_list(kmod, left, 256, NULL);
	CHECK(n >= 0, "the module does not answer any more");
	for (int i = 0; i < n; i++)
		shk_kmod_remove(kmod, left[i], NULL);
	close(root.cgroup_fd);
	cgroup_remove("control");
}

/* In a child: reads until it is killed. */
static int read_for_ever(void *arg)
{
	struct shk_kmod *k = NULL;
	struct shk_err err = { 0 };

	if (shk_kmod_open(&k, &err) || shk_kmod_open_rings(k, &err)) {
		printf("# %s\n", err.text);
		return 1;
	}
	if (write(*(int *)arg, "x", 1) != 1)
		return 2;
	for (;;)
		shk_merge_next(shk_kmod_merge(k), 0);
}

void test_reader(void)
{
	int ready[2], cgroup = cgroup_make("reader"), status;
	uint8_t native[SHRIKE_BITMAP_BYTES] = { 0 };
	struct shk_err err = { 0 };
	struct pollfd p = { .events = POLLIN };
	void *page;
	pid_t pid;
	char c;

	CHECK(open("/dev/shrike", O_RDWR | O_CLOEXEC) < 0 && errno == EBUSY, "two readers");
	page = mmap(NULL, shk_kmod_facts(kmod)->ring_size, PROT_READ | PROT_WRITE, MAP_SHARED, shk_kmod_rings_fd(kmod),
		    (off_t)SHRIKE_MMAP_DATA(0));
	CHECK(page == MAP_FAILED && errno == EPERM, "records can be written");
	/* Our own hold on the device goes; somebody else's comes, and dies. */
	kmod = shk_kmod_close(kmod);
	if (pipe(ready))
		return;
	p.fd = ready[0];
	native[SYS_getppid / 8] = 1 << SYS_getppid % 8;
	CHECK(shk_kmod_open(&kmod, &err) == 0, "%s", err.text);
	watch(12, cgroup, 0, 1ull << SHRIKE_SYSCALL, 0, native, NULL);
	for (int i = 0; i < 5; i++) {
		fflush(stdout);
		pid = fork();
		if (pid == 0)
			_exit(read_for_ever(&ready[1]));
		CHECK(poll(&p, 1, 10000) == 1 && read(ready[0], &c, 1) == 1, "it did not begin");
		CHECK(in_child(cgroup, few_calls, NULL) == 0, "the program itself failed");
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		CHECK(WIFSIGNALED(status), "it ended by itself: %x", status);
	}
	unwatch(12);
	CHECK(shk_kmod_open_rings(kmod, &err) == 0, "%s", err.text);
	close(ready[0]);
	close(ready[1]);
	close(cgroup);
	cgroup_remove("reader");
}
