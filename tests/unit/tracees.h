/* SPDX-License-Identifier: Apache-2.0 */
/* Children that have filters put into them: the tests of src/sources/ptrace. */
#ifndef SHK_TESTS_TRACEES_H
#define SHK_TESTS_TRACEES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"

#define LD(off)	      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, off))
#define JEQ(k, t, f)  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f))
#define RET(k)	      BPF_STMT(BPF_RET | BPF_K, (k))
#define ANSWER	      4242
#define WAIT_KILLABLE (1u << 5)

/* getppid is notified; so are close and munmap, which the injection itself makes afterwards. */
static const struct sock_filter filter[] = {
	LD(arch), JEQ(AUDIT_ARCH_X86_64, 1, 0),	 RET(SECCOMP_RET_ALLOW),
	LD(nr),	  JEQ(SYS_getppid, 3, 0),	 JEQ(SYS_close, 2, 0),
	JEQ(SYS_munmap, 1, 0), RET(SECCOMP_RET_ALLOW), RET(SECCOMP_RET_USER_NOTIF),
};

struct child {
	pid_t pid;
	int pidfd;
	int in[2], out[2]; /* to the child, from the child */
};

static inline void child_start(struct child *c, void (*fn)(struct child *c, void *arg), void *arg)
{
	assert_int_equal(pipe2(c->in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(c->out, O_CLOEXEC), 0);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		/* A failing parent must not leave it behind. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		close(c->in[1]);
		close(c->out[0]);
		fn(c, arg);
		_exit(0);
	}
	close(c->in[0]);
	close(c->out[1]);
	c->pidfd = shk_pidfd_open(c->pid, 0);
	assert_true(c->pidfd >= 0);
}

static inline int child_end(struct child *c)
{
	int st = -1;

	shk_close(&c->in[1]);
	kill(c->pid, SIGCONT);
	assert_int_equal(waitpid(c->pid, &st, 0), c->pid);
	close(c->out[0]);
	close(c->pidfd);
	return st;
}

static inline void tell(struct child *c, long v)
{
	if (write(c->out[1], &v, sizeof(v)) != sizeof(v))
		_exit(9);
}

static inline long told(struct child *c)
{
	long v = -1;

	assert_int_equal(read(c->out[0], &v, sizeof(v)), sizeof(v));
	return v;
}

static inline void wake(struct child *c)
{
	assert_int_equal(write(c->in[1], "x", 1), 1);
}

#endif
