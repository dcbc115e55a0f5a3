// SPDX-License-Identifier: Apache-2.0
/*
 * deliver.c - a filter with a listener, on oneself.
 *
 * From the moment the filter is on, a call of this process may wait for somebody who does not have the listener
 * yet. So a child that shares the descriptor table is made before; it waits in shared memory for
 * the listener's number and sends it, while this process does nothing but wait for the child.
 */
#include "deliver.h"

#include <errno.h>
#include <json-c/json.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "ask.h"

/* include/uapi/linux/seccomp.h of Linux 5.19. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define POLL_NS 100000 /* one seccomp(2) takes microseconds */

struct shared {
	_Atomic int listener; /* INT32_MIN: not yet; else descriptor or -errno */
	_Atomic unsigned flags;
};

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void *shk_base64_decode(struct shk_str text, size_t *n)
{
	size_t pad = 0, out = 0;
	unsigned char *p;

	*n = 0;
	if (!text.n || text.n % 4)
		return NULL;
	while (pad < 2 && text.p[text.n - 1 - pad] == '=')
		pad++;
	p = malloc(text.n / 4 * 3);
	for (size_t i = 0; p && i < text.n; i += 4) {
		uint32_t v = 0;

		for (size_t k = 0; k < 4; k++) {
			int d = i + k >= text.n - pad ? 0 : base64_digit(text.p[i + k]);

			if (d < 0) {
				free(p);
				return NULL;
			}
			v = v << 6 | (uint32_t)d;
		}
		p[out++] = (unsigned char)(v >> 16);
		p[out++] = (unsigned char)(v >> 8);
		p[out++] = (unsigned char)v;
	}
	*n = p ? out - pad : 0;
	return p;
}

static void why_not(int e, struct shk_err *err)
{
	switch (e) {
	case EACCES:
		shk_err_set(err, e, "no permission to install the session's filter; "
			    "run the container engine as root, or use the runtime's own delivery");
		break;
	case EBUSY:
		shk_err_set(err, e, "another supervisor's seccomp listener is in force here; "
			    "run the container engine outside of it");
		break;
	case EINVAL:
		shk_err_set(err, e, "the kernel refuses the session's filter; "
			    "shrike needs Linux 5.10 with seccomp user notification");
		break;
	default:
		shk_err_sys(err, e, "seccomp");
	}
}

/* In the child. */
static int hand_over(struct shared *s, struct shk_client *c, const char *id, pid_t wrapper,
		     int timeout_ms, struct shk_err *err)
{
	struct json_object *o = json_object_new_object(), *answer = NULL;
	int fd, r;

	while ((fd = atomic_load(&s->listener)) == INT32_MIN) {
		if (getppid() != wrapper)
			return SHK_EXIT_SYSTEM; /* it was killed: nobody is left to tell */
		clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){ .tv_nsec = POLL_NS }, NULL);
	}
	if (fd < 0) {
		why_not(-fd, err);
		return SHK_EXIT_SYSTEM;
	}
	if (!o) {
		shk_err_set(err, ENOMEM, "out of memory");
		return SHK_EXIT_SYSTEM;
	}
	json_object_object_add(o, "op", json_object_new_string("session-listener"));
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "wrapper_pid", json_object_new_int(wrapper));
	json_object_object_add(o, "flags", json_object_new_int64(atomic_load(&s->flags)));
	r = shk_client_call(c, o, &fd, 1, NULL, NULL, timeout_ms, &answer, err);
	if (r == 0)
		return 0;
	return r == -ECONNRESET || r == -EPIPE || r == -ETIMEDOUT ? SHK_EXIT_ABSENT :
								    SHK_EXIT_REFUSED;
}

/* No call but seccomp(2) from the first success on. */
static void install(struct shared *s, struct sock_filter *f, unsigned short n, unsigned flags)
{
	struct sock_fprog prog = { .len = n, .filter = f };
	long r;

	for (;;) {
		r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    flags | SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
		if (r >= 0 || errno != EINVAL || !(flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV))
			break;
		flags &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	}
	atomic_store(&s->flags, flags);
	atomic_store(&s->listener, r >= 0 ? (int)r : -errno);
}

static int with_child(struct shared *s, struct shk_client *c, struct sock_filter *f,
		      unsigned short n, unsigned flags, const char *id, int timeout_ms,
		      void (*say)(int status, const char *text, void *arg), void *arg)
{
	pid_t me = getpid(), child;
	int status = 0;

	/* No exit signal: the caller's SIGCHLD disposition, which exec keeps, does not matter then. */
	child = (pid_t)syscall(SYS_clone, CLONE_FILES, NULL, NULL, NULL, NULL);
	if (child < 0) {
		say(SHK_EXIT_SYSTEM, "cannot make a process; raise the limit of processes", arg);
		return SHK_EXIT_SYSTEM;
	}
	if (child == 0) {
		struct shk_err err = { 0 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		status = hand_over(s, c, id, me, timeout_ms, &err);
		if (status && err.text[0])
			say(status, err.text, arg);
		_exit(status);
	}
	install(s, f, n, flags);
	while (wait4(child, &status, __WALL, NULL) < 0)
		if (errno != EINTR)
			return SHK_EXIT_SYSTEM;
	return WIFEXITED(status) ? WEXITSTATUS(status) : SHK_EXIT_SYSTEM;
}

int shk_deliver_self(struct shk_client *c, struct json_object *answer, const char *id,
		     int timeout_ms, void (*say)(int status, const char *text, void *arg), void *arg)
{
	_cleanup_free_ void *bpf = NULL;
	int64_t flags = shk_json_int(answer, "flags", 0);
	struct shared *s;
	size_t n;
	int r;

	bpf = shk_base64_decode(shk_json_str(answer, "bpf"), &n);
	if (!bpf || n % sizeof(struct sock_filter) || n / sizeof(struct sock_filter) > BPF_MAXINSNS ||
	    flags < 0 || flags > UINT32_MAX) {
		say(SHK_EXIT_REFUSED, "the supervisor's answer has no usable filter; "
		    "update the older of shrike-runtime and shriked", arg);
		return SHK_EXIT_REFUSED;
	}
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED) {
		say(SHK_EXIT_SYSTEM, "out of memory", arg);
		return SHK_EXIT_SYSTEM;
	}
	atomic_store(&s->listener, INT32_MIN);
	r = with_child(s, c, bpf, (unsigned short)(n / sizeof(struct sock_filter)), (unsigned)flags,
		       id, timeout_ms, say, arg);
	/* Both stay mapped until exec or exit: munmap and free may be calls that wait for the listener,
	 * which is fine after an answer and for ever after an error. */
	if (r)
		bpf = NULL;
	return r;
}
