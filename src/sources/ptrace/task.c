// SPDX-License-Identifier: Apache-2.0
#include "sources/ptrace/task.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/io.h"

#define MAPS_MAX  65536 /* lines looked at */
#define SCAN_MAX  (32u << 20)
#define SCAN_STEP 65536

static bool number_behind(const char *line, const char *key, long *ret)
{
	size_t n = strlen(key);
	char *end;

	if (strncmp(line, key, n) != 0)
		return false;
	*ret = strtol(line + n, &end, 10);
	return end != line + n;
}

int shk_task_read(pid_t tid, struct shk_task_facts *f)
{
	_cleanup_fclose_ FILE *st = NULL, *stat = NULL;
	char path[64], line[1024], *p;
	unsigned long long start;
	long v;

	*f = (struct shk_task_facts){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	st = fopen(path, "re");
	if (!st)
		return -ESRCH;
	while (fgets(line, sizeof(line), st)) {
		if (strncmp(line, "State:", 6) == 0)
			f->state = line[6 + strspn(line + 6, " \t")];
		else if (number_behind(line, "Tgid:", &v))
			f->tgid = (pid_t)v;
		else if (number_behind(line, "PPid:", &v))
			f->ppid = (pid_t)v;
		else if (number_behind(line, "TracerPid:", &v))
			f->tracer = (pid_t)v;
		else if (number_behind(line, "Uid:", &v))
			f->uid = (uid_t)v;
		else if (number_behind(line, "Seccomp:", &v))
			f->unfiltered = v == 0;
		else if (number_behind(line, "Seccomp_filters:", &v))
			f->filters = (unsigned)v;
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	stat = fopen(path, "re");
	if (!stat || !fgets(line, sizeof(line), stat))
		return -ESRCH;
	/* The name in field 2 may hold anything but ends at the last parenthesis. */
	p = strrchr(line, ')');
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
			 "%*d %*d %*d %llu", &start) != 1)
		return -ESRCH;
	f->start = start;
	return f->tgid ? 0 : -ESRCH;
}

const char *shk_task_comm(pid_t tid, char *buf, size_t n)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)tid);
	f = fopen(path, "re");
	if (!f || !fgets(buf, (int)n, f)) {
		snprintf(buf, n, "?");
		return buf;
	}
	buf[strcspn(buf, "\n")] = 0;
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return buf;
}

static bool ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

int shk_task_is_of_pidfd(pid_t tid, int pidfd, pid_t *tgid, struct shk_err *err)
{
	_cleanup_fclose_ FILE *fi = NULL;
	struct shk_task_facts f;
	char path[64], line[256];
	long v, pid = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	fi = fopen(path, "re");
	while (fi && fgets(line, sizeof(line), fi))
		if (number_behind(line, "Pid:", &v))
			pid = v;
	if (pid == -1 && fi)
		return shk_err_set(err, EINVAL, "descriptor %d is not a pidfd", pidfd);
	/* While the pidfd's process lives, nobody else has its number. */
	if (shk_task_read(tid, &f) < 0 || f.tgid != pid || f.state == 'Z' || f.state == 'X' ||
	    ended(pidfd))
		return shk_err_set(err, ESRCH, "process %d ended, or is not the one its pidfd names",
				   (int)tid);
	*tgid = f.tgid;
	return 0;
}

static bool read_mem(pid_t tid, unsigned long addr, void *p, size_t n)
{
	struct iovec l = { .iov_base = p, .iov_len = n };
	struct iovec r = { .iov_base = (void *)addr, .iov_len = n };

	return process_vm_readv(tid, &l, 1, &r, 1, 0) == (ssize_t)n;
}

/* 0f 05 anywhere is a syscall instruction for whoever jumps there. */
static bool scan(pid_t tid, unsigned long from, unsigned long to, unsigned long *ret)
{
	_cleanup_free_ unsigned char *b = malloc(SCAN_STEP + 1);

	while (b && from + 2 <= to) {
		size_t n = SHK_MIN(to - from, (unsigned long)SCAN_STEP + 1);
		unsigned char *at;

		if (!read_mem(tid, from, b, n))
			return false;
		at = memmem(b, n, "\x0f\x05", 2);
		if (at) {
			*ret = from + (unsigned long)(at - b);
			return true;
		}
		from += n - 1; /* the two bytes may lie across */
	}
	return false;
}

int shk_task_find_syscall(pid_t tid, unsigned long rip, bool in_call, unsigned long *ret,
			  struct shk_err *err)
{
	unsigned long other_from = 0, other_to = 0, budget = SCAN_MAX;
	_cleanup_fclose_ FILE *maps = NULL;
	char path[64], line[4400];
	unsigned char two[2];
	unsigned n = 0;

	if (in_call && read_mem(tid, rip - 2, two, 2) && two[0] == 0x0f && two[1] == 0x05) {
		*ret = rip - 2;
		return 0;
	}
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)tid);
	for (int pass = 0; pass < 2; pass++) {
		if (maps)
			rewind(maps);
		else
			maps = fopen(path, "re");
		while (maps && n++ < MAPS_MAX && fgets(line, sizeof(line), maps)) {
			bool vdso = strstr(line, "[vdso]") != NULL;
			char perm[5];

			if (sscanf(line, "%lx-%lx %4s", &other_from, &other_to, perm) != 3 ||
			    perm[0] != 'r' || perm[2] != 'x' || vdso != (pass == 0) ||
			    strstr(line, "[vsyscall]"))
				continue;
			if (other_to - other_from > budget)
				other_to = other_from + budget;
			budget -= other_to - other_from;
			if (scan(tid, other_from, other_to, ret))
				return 0;
		}
	}
	/* Who was killed meanwhile has no memory any more. */
	if (maps)
		rewind(maps);
	if (!maps || !fgets(line, sizeof(line), maps))
		return shk_err_set(err, ESRCH, "process %d ended", (int)tid);
	return shk_err_set(err, ENOEXEC, "no syscall instruction found in process %d; "
			   "use shrike-runtime instead of the hook", (int)tid);
}
