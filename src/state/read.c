// SPDX-License-Identifier: Apache-2.0
/*
 * read.c - files of /proc/TID into a record. proc(5) describes them.
 *
 * comm may hold any byte but NUL, so stat is parsed from its last parenthesis; status escapes what
 * could look like another line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "base/io.h"
#include "state/process_impl.h"

/* Both files are far smaller: status is about 1500 bytes with its long CPU masks. */
#define SMALL_FILE 8192u

/* once: the kernel writes the file as one record (single_open), of which a read that has room gets all. */
static ssize_t read_proc(pid_t tid, const char *file, char *buf, size_t size, bool once)
{
	char path[SHK_PROC_PATH];
	_cleanup_close_ int fd = open(shk_proc_path(path, tid, file), O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t n = 0;

	if (fd < 0)
		return -1;
	while (n < size && !(once && n)) {
		ssize_t r = read(fd, buf + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return (ssize_t)n;
}

ssize_t shk_read_proc(pid_t tid, const char *file, char *buf, size_t size)
{
	return read_proc(tid, file, buf, size, false);
}

/* The next word of *s, separated by blanks or tabs. */
static struct shk_str word(struct shk_str *s)
{
	struct shk_str w;

	while (s->n && (*s->p == ' ' || *s->p == '\t'))
		s->p++, s->n--;
	w = (struct shk_str){ s->p, 0 };
	while (s->n && *s->p != ' ' && *s->p != '\t' && *s->p != '\n')
		s->p++, s->n--, w.n++;
	return w;
}

static int64_t number(struct shk_str *s)
{
	int64_t v = 0;

	return shk_str_to_i64(word(s), &v) ? v : 0;
}

static uint64_t unumber(struct shk_str *s)
{
	uint64_t v = 0;

	return shk_str_to_u64(word(s), &v) ? v : 0;
}

/* "PID (COMM) S PPID PGRP SESSION TTY TPGID FLAGS ..." */
bool shk_parse_stat(struct shk_str text, struct shk_proc *p)
{
	const char *open_ = text.n ? memchr(text.p, '(', text.n) : NULL;
	const char *close_ = text.n ? memrchr(text.p, ')', text.n) : NULL;
	struct shk_str rest;
	pid_t ppid;
	size_t n;

	if (!open_ || !close_ || close_ < open_)
		return false;
	n = SHK_MIN((size_t)(close_ - open_ - 1), sizeof(p->comm) - 1);
	rest = (struct shk_str){ close_ + 1, text.n - (size_t)(close_ + 1 - text.p) };
	if (!word(&rest).n) /* state */
		return false;
	shk_proc_set_comm(p, (struct shk_str){ open_ + 1, n });
	ppid = (pid_t)number(&rest);
	if (ppid != p->ppid)
		p->parent_serial = 0;
	p->ppid = ppid;
	p->pgid = (pid_t)number(&rest);
	p->sid = (pid_t)number(&rest);
	p->tty = (uint32_t)number(&rest);
	for (int field = 8; field < 22; field++)
		word(&rest);
	p->start = unumber(&rest);
	return p->start != 0;
}

bool shk_read_stat(struct shk_proc *p)
{
	char buf[SMALL_FILE];
	ssize_t n = read_proc(p->tid, "stat", buf, sizeof(buf), true);

	return n > 0 && shk_parse_stat((struct shk_str){ buf, (size_t)n }, p);
}

static uint64_t hex(struct shk_str line)
{
	struct shk_str w = word(&line);
	uint64_t v = 0;

	for (size_t i = 0; i < w.n && i < 16; i++) {
		char c = w.p[i];

		v = v << 4 | (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return v;
}

/* The number in the innermost namespace comes last. */
static pid_t innermost(struct shk_str line)
{
	int64_t v = 0;

	for (;;) {
		struct shk_str w = word(&line);

		if (!w.n || !shk_str_to_i64(w, &v))
			return (pid_t)v;
	}
}

static void four_ids(struct shk_str line, uint32_t *r, uint32_t *e, uint32_t *s, uint32_t *fs)
{
	*r = (uint32_t)unumber(&line);
	*e = (uint32_t)unumber(&line);
	*s = (uint32_t)unumber(&line);
	*fs = (uint32_t)unumber(&line);
}

static unsigned octal(struct shk_str line)
{
	struct shk_str w = word(&line);
	unsigned v = 0;

	for (size_t i = 0; i < w.n && i < 8; i++)
		v = v << 3 | (unsigned)(w.p[i] & 7);
	return v;
}

static void groups(struct shk_proc_rights *r, struct shk_str line)
{
	for (;;) {
		struct shk_str w = word(&line);
		uint64_t v;

		if (!w.n || !shk_str_to_u64(w, &v))
			return;
		if (r->n_groups < SHK_GROUPS_MAX)
			r->group[r->n_groups] = (gid_t)v;
		r->n_groups++;
	}
}

/* Which of the lines that are wanted it is can nearly be told by its first letter; three quarters of them begin with another one. */
static void status_line(struct shk_proc *p, struct shk_str key, struct shk_str v)
{
	struct shk_proc_creds *c = &p->creds;

#define IS(name) (key.n == sizeof(name) - 1 && !memcmp(key.p, name, sizeof(name) - 1))
	switch (*key.p) {
	case 'T':
		if (IS("Tgid"))
			p->tgid = (pid_t)number(&v);
		else if (IS("Threads"))
			p->nthreads = (uint32_t)number(&v);
		break;
	case 'U':
		if (IS("Uid"))
			four_ids(v, &c->ruid, &c->uid, &c->suid, &c->fsuid);
		else if (IS("Umask"))
			p->rights.umask = (mode_t)octal(v);
		break;
	case 'G':
		if (IS("Gid"))
			four_ids(v, &c->rgid, &c->gid, &c->sgid, &c->fsgid);
		else if (IS("Groups"))
			groups(&p->rights, v);
		break;
	case 'N':
		if (IS("NStgid"))
			p->vpid = innermost(v);
		else if (IS("NSpid"))
			p->vtid = innermost(v);
		else if (IS("NSpgid"))
			p->vpgid = innermost(v);
		else if (IS("NSsid"))
			p->vsid = innermost(v);
		else if (IS("NoNewPrivs"))
			c->no_new_privs = number(&v) == 1;
		break;
	case 'V':
		if (IS("VmSize"))
			p->vm_size = unumber(&v), p->has_vm = true;
		else if (IS("VmRSS"))
			p->vm_rss = unumber(&v);
		else if (IS("VmSwap"))
			p->vm_swap = unumber(&v);
		break;
	case 'C':
		if (IS("CapInh"))
			c->inheritable = hex(v);
		else if (IS("CapPrm"))
			c->permitted = hex(v);
		else if (IS("CapEff"))
			c->effective = hex(v);
		else if (IS("CapBnd"))
			c->bounding = hex(v);
		else if (IS("CapAmb"))
			c->ambient = hex(v);
		break;
	default:
		break;
	}
#undef IS
}

bool shk_parse_status(struct shk_str text, struct shk_proc *p)
{
	static const uint32_t wanted = 1u << ('C' - 'A') | 1u << ('G' - 'A') | 1u << ('N' - 'A') | 1u << ('T' - 'A') |
				       1u << ('U' - 'A') | 1u << ('V' - 'A');

	p->tgid = 0;
	p->has_vm = false;
	p->rights.n_groups = 0;
	while (text.n) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t len = nl ? (size_t)(nl - text.p) : text.n;
		unsigned first = (unsigned char)*text.p - (unsigned)'A';

		if (first < 26 && wanted >> first & 1) {
			const char *colon = memchr(text.p, ':', len);
			size_t k = colon ? (size_t)(colon - text.p) : 0;

			if (k)
				status_line(p, (struct shk_str){ text.p, k },
					    (struct shk_str){ colon + 1, len - k - 1 });
		}
		len += nl ? 1 : 0;
		text.p += len;
		text.n -= len;
	}
	p->creds.known = SHK_CREDS_ALL;
	return p->tgid > 0;
}

bool shk_read_status(struct shk_proc *p)
{
	char buf[SMALL_FILE];
	ssize_t n = read_proc(p->tid, "status", buf, sizeof(buf), true);

	return n > 0 && shk_parse_status((struct shk_str){ buf, (size_t)n }, p);
}

bool shk_read_strings(struct shk_proc *p, const char *file, struct shk_strings *ret)
{
	char buf[SHK_ARGV_BYTES];
	struct shk_strings s = { 0 };
	ssize_t r = shk_read_proc(p->tid, file, buf, sizeof(buf));
	size_t n, count = 0;

	if (r < 0)
		return false;
	n = (size_t)r;
	s.vec.truncated = n == sizeof(buf);
	for (size_t i = 0; i < n; i++)
		if (!buf[i] || i + 1 == n)
			count++;
	if (count > SHK_ARGV_LIMIT) {
		count = SHK_ARGV_LIMIT;
		s.vec.truncated = true;
	}
	if (count) {
		s.bytes = shk_proc_alloc(p, n);
		s.vec.v = s.bytes ? shk_proc_alloc(p, count * sizeof(*s.vec.v)) : NULL;
		if (!s.vec.v) {
			shk_proc_release(p, s.bytes, n);
			return false;
		}
		memcpy(s.bytes, buf, n);
		s.size = n;
	}
	for (size_t at = 0; s.vec.n < count;) {
		const char *nul = memchr(s.bytes + at, 0, n - at);
		size_t len = nul ? (size_t)(nul - s.bytes) - at : n - at;

		s.vec.v[s.vec.n++] = (struct shk_str){ s.bytes + at, len };
		at += len + 1;
	}
	s.vec.in_row = true;
	*ret = s;
	return true;
}

bool shk_read_loginuid(struct shk_proc *p)
{
	char buf[32];
	ssize_t n = shk_read_proc(p->tid, "loginuid", buf, sizeof(buf));
	struct shk_str s = { buf, n > 0 ? (size_t)n : 0 };

	if (n <= 0)
		return false;
	p->loginuid = (uint32_t)unumber(&s);
	return true;
}
