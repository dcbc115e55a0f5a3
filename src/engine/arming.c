// SPDX-License-Identifier: Apache-2.0
/*
 * When a container begins to be judged (THREATS A7).
 *
 * The filter is in the init before it is the container's: the runtime's remaining set-up is notified,
 * too, and passes. Init is judged from its first execve that happens inside the root file system;
 * any other task from the first execve inside, or of a program below the root file system. A createContainer hook
 * runs the host's programs in the host's root directory, in the runtime's service: it does not arm.
 * In an exec session the runtime's own process is never judged.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/internal.h"
#include "engine/porter.h"
#include "sources/ptrace/task.h"

/* Is tid a thread of the process pid? One call, no /proc. */
static bool in_process(pid_t pid, pid_t tid)
{
	return pid > 0 && (pid == tid || syscall(SYS_tgkill, pid, tid, 0) == 0);
}

static bool root_is_containers(const struct shk_container *c, pid_t tid)
{
	struct stat st, mine;
	char path[64];

	if (c->root_ino) {
		snprintf(path, sizeof(path), "/proc/%d/root/", (int)tid);
		if (stat(path, &st) == 0 && st.st_dev == c->root_dev && st.st_ino == c->root_ino)
			return true;
	}
	/* Registered without its root directory, or something was mounted over that since: another mount
	 * namespace than ours, and another root than the host's. */
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)tid);
	if (stat(path, &st) < 0 || stat("/proc/self/ns/mnt", &mine) < 0 || st.st_ino == mine.st_ino)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/root/", (int)tid);
	return stat(path, &st) == 0 && stat("/", &mine) == 0 &&
	       (st.st_dev != mine.st_dev || st.st_ino != mine.st_ino);
}

static bool below_rootfs(const struct shk_container *c, struct shk_event *ev)
{
	int i = shk_event_path_arg(ev);
	const struct shk_arg *a = i >= 0 ? shk_event_arg(ev, (unsigned)i) : NULL;

	return a && a->state == SHK_ARG_OK && c->rootfs.n > 1 && shk_str_starts(a->bytes, c->rootfs) &&
	       a->bytes.n > c->rootfs.n && a->bytes.p[c->rootfs.n] == '/';
}

static enum shk_stage arm(struct shk_listener *l, struct shk_event *ev, unsigned bits,
			  const char **why)
{
	struct shk_entry *e = l->e;
	enum shk_stage stage = SHK_STAGE_JUDGE;

	pthread_mutex_lock(&l->arm_lock);
	if ((atomic_load(&l->armed) & bits) == bits) {
		pthread_mutex_unlock(&l->arm_lock);
		return stage;
	}
	*why = shk_arming_check(e, ev, l->session);
	if (*why && atomic_load(&e->mode) == SHK_MODE_ENFORCE) {
		stage = SHK_STAGE_REFUSE;
	} else {
		/* The root is the runtime's still; its program may leave it. */
		if (bits & SHK_ARMED_INIT && !l->session) {
			struct shk_task_facts f;

			shk_entry_hold_root(e, true);
			if (shk_task_read(ev->tid, &f) == 0)
				atomic_store(&e->filters, f.filters);
		}
		/* Kept before the call goes on: the next engine must know. */
		atomic_fetch_or(&l->armed, bits);
		shk_listener_store(l);
	}
	pthread_mutex_unlock(&l->arm_lock);
	/* From here on sessions may come. */
	if (stage == SHK_STAGE_JUDGE && !l->session && bits & SHK_ARMED_INIT) {
		atomic_store(&e->entered, true);
		atomic_store(&e->armed_ns, shk_now_mono());
		shk_porter_mark(e, true);
	}
	if (*why)
		shk_tell(l->g, e, SHK_PRIO_CRITICAL, "Shrike internal: unsafe start", NULL,
			 "The %s %s: %s", l->session ? "exec session" : "container",
			 stage == SHK_STAGE_REFUSE ? "was refused its first program" :
						     "starts in an unsafe state", *why);
	else
		shk_debug("container " SHK_STR_FMT " is judged from now on", SHK_STR_ARG(e->ctr->id));
	return stage;
}

enum shk_stage shk_arming(struct shk_listener *l, struct shk_event *ev, const char **why)
{
	struct shk_container *c = l->e->ctr;
	unsigned armed = atomic_load(&l->armed);
	bool init;

	if (l->runtime_pid && in_process(l->runtime_pid, ev->tid) &&
	    shk_start_time(l->runtime_pid) == l->runtime_start)
		return SHK_STAGE_SETUP;
	if (armed == SHK_ARMED_ALL)
		return SHK_STAGE_JUDGE;
	init = l->session || in_process(c->init_pid, ev->tid);
	if (armed & (init ? SHK_ARMED_INIT : SHK_ARMED_OTHERS))
		return SHK_STAGE_JUDGE;
	if (!shk_event_is_exec(ev))
		return SHK_STAGE_SETUP;
	if (!root_is_containers(c, ev->tid) && !below_rootfs(c, ev))
		return SHK_STAGE_SETUP;
	if (l->session) {
		pthread_mutex_lock(&c->lock);
		shk_proc_mark_exec_session(c, ev->tid);
		pthread_mutex_unlock(&c->lock);
		l->session_root = ev->tid;
	}
	return arm(l, ev, init ? SHK_ARMED_ALL : SHK_ARMED_OTHERS, why);
}
