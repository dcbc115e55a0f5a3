// SPDX-License-Identifier: Apache-2.0
/*
 * upper.c - is a file from the image, or was it written by the container?
 *
 * An overlay does not tell which of its layers a file is in. But a file is in the upper layer if the upper
 * directory, which the engine's mount names in the host's terms, has it under the same path:
 * renamed directories carry their new name there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/io.h"
#include "state/process_impl.h"
#include "state/recorded_impl.h"

#define MOUNTS_BYTES (1u << 20)

/* Octal escapes of /proc/PID/mountinfo, in place. */
static size_t unescape(char *p, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\\' && i + 3 < n && p[i + 1] >= '0' && p[i + 1] <= '3') {
			p[out++] = (char)((p[i + 1] - '0') << 6 | (p[i + 2] - '0') << 3 |
					  (p[i + 3] - '0'));
			i += 3;
		} else {
			p[out++] = p[i];
		}
	}
	return out;
}

static struct shk_str next_word(struct shk_str *s, char sep)
{
	const char *end = s->n ? memchr(s->p, sep, s->n) : NULL;
	struct shk_str w = { s->p, end ? (size_t)(end - s->p) : s->n };
	size_t skip = w.n + (end ? 1 : 0);

	s->p += skip;
	s->n -= skip;
	return w;
}

/* The value of upperdir= of the overlay at "/", absolute; else 0. Of several mounts there the last counts:
 * it lies on top. */
static size_t find_upper(struct shk_str text, char *path, size_t size, uint64_t *ret_id)
{
	size_t found = 0;

	while (text.n) {
		struct shk_str line = next_word(&text, '\n'), w, id = next_word(&line, ' ');

		for (int i = 0; i < 3; i++) /* parent, device, root */
			next_word(&line, ' ');
		if (!shk_str_eqz(next_word(&line, ' '), "/"))
			continue;
		found = 0;
		while (line.n && !shk_str_eqz(next_word(&line, ' '), "-"))
			;
		if (!shk_str_eqz(next_word(&line, ' '), "overlay") || !shk_str_to_u64(id, ret_id))
			continue;
		next_word(&line, ' ');
		while (line.n) {
			static const struct shk_str key = { "upperdir=", 9 };

			w = next_word(&line, ',');
			if (!shk_str_starts(w, key) || w.n - key.n >= size || w.p[key.n] != '/')
				continue;
			memcpy(path, w.p + key.n, w.n - key.n);
			found = unescape(path, w.n - key.n);
			path[found] = 0;
		}
	}
	return found;
}

size_t shk_parse_upper(struct shk_str mountinfo, char *path, size_t size, uint64_t *ret_mnt_id)
{
	return size ? find_upper(mountinfo, path, size, ret_mnt_id) : 0;
}

/* The root mount stays what it is once the container's own programs run. */
static bool upper_of(struct shk_container *c)
{
	struct shk_procs *s = c->proc_state;
	_cleanup_buf_ struct shk_buf b;
	char file[64], path[SHK_PATH_LIMIT];
	size_t n;

	shk_buf_init(&b, MOUNTS_BYTES);
	if (s->upper.p)
		return s->upper.n > 0;
	snprintf(file, sizeof(file), "/proc/%d/mountinfo", (int)c->init_pid);
	if (shk_read_file(file, &b, NULL) < 0)
		return false;
	n = shk_parse_upper(shk_buf_view(&b), path, sizeof(path), &s->upper_mnt);
	s->upper = shk_container_str(c, (struct shk_str){ path, n });
	return s->upper.n > 0;
}

/* Has the upper layer of c the file of this path, which lies on that mount? false: unknown. */
static bool in_upper(struct shk_container *c, struct shk_str path, uint64_t mnt_id, bool *ret)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };
	_cleanup_close_ int dir = -1, fd = -1;
	char text[SHK_PATH_LIMIT];
	struct stat st;

	if (path.n < 2 || path.n > sizeof(text) || !upper_of(c) || mnt_id != c->proc_state->upper_mnt)
		return false;
	memcpy(text, path.p + 1, path.n - 1);
	text[path.n - 1] = 0;
	dir = open(c->proc_state->upper.p, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return false;
	fd = (int)syscall(SYS_openat2, dir, text, &how, sizeof(how));
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		return false;
	/* Not there, or a whiteout that was put while the file is used from below. */
	*ret = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return true;
}

bool shk_proc_exe_upper(struct shk_proc *p, bool *ret)
{
	const struct shk_proc_exe *exe;

	if (p->rec)
		return shk_recorded_upper(p, ret);
	exe = shk_proc_exe(p);
	return exe && !exe->deleted && p->c && in_upper(p->c, shk_proc_exepath(p), exe->mnt_id, ret);
}

bool shk_fd_upper(struct shk_eval_ctx *ctx, int fd, struct shk_str path, bool *ret)
{
	struct shk_proc *task = shk_proc_task_of(ctx);
	struct shk_fd_facts f;
	char link[64];
	struct statx sx;

	if (task && task->rec) {
		if (!shk_recorded_fd(task, fd, ctx->ev->arena, &f) || !f.layer_known)
			return false;
		*ret = f.upper;
		return true;
	}
	if (!task || !task->c || fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)task->tid, fd);
	return statx(AT_FDCWD, link, AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &sx) == 0 &&
	       sx.stx_mask & STATX_MNT_ID && sx.stx_nlink && S_ISREG(sx.stx_mode) &&
	       in_upper(task->c, path, sx.stx_mnt_id, ret);
}
