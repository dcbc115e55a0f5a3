// SPDX-License-Identifier: Apache-2.0
/*
 * recorded_fd.c - descriptors of a text.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "state/recorded_impl.h"

static const struct {
	const char *word;
	char type;
} words[] = {
	{ "file", 'f' },      { "directory", 'd' }, { "ipv4", '4' },	 { "ipv6", '6' },
	{ "unix", 'u' },      { "pipe", 'p' },	    { "event", 'e' },	 { "signalfd", 's' },
	{ "eventpoll", 'l' }, { "inotify", 'i' },   { "timerfd", 't' },	 { "netlink", 'n' },
	{ "memfd", 'm' },     { "bpf", 'b' },	    { "io_uring", 'r' }, { "pidfd", 'P' },
	{ "other", 'o' },
};

static void drop_entry(struct shk_recorded *r, struct shk_rec_fd *d)
{
	struct shk_str *texts[] = { &d->facts.name, &d->facts.path, &d->facts.unix_path,
				    &d->facts.peer_path };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(texts); i++)
		free((void *)(uintptr_t)texts[i]->p);
	free(d);
	r->n_fds--;
}

static void unref(struct shk_recorded *r, struct shk_rec_files *f)
{
	struct shk_map_slot *s;
	size_t pos = 0;

	if (!f || --f->refs)
		return;
	while ((s = shk_map_next(&f->by_num, &pos)))
		drop_entry(r, s->value);
	shk_map_done(&f->by_num);
	free(f);
}

void shk_rec_files_drop(struct shk_recorded *r, struct shk_rec_task *t)
{
	unref(r, TAKE_PTR(t->files));
}

static bool need_table(struct shk_rec_task *t)
{
	if (t->files)
		return true;
	t->files = calloc(1, sizeof(*t->files));
	if (!t->files)
		return false;
	t->files->refs = 1;
	shk_map_init(&t->files->by_num);
	return true;
}

void shk_rec_files_share(struct shk_rec_task *to, struct shk_rec_task *from)
{
	if (!need_table(from))
		return;
	to->files = from->files;
	to->files->refs++;
}

void shk_rec_files_copy(struct shk_recorded *r, struct shk_rec_task *to, struct shk_rec_task *from)
{
	struct shk_rec_files *was = from->files, *old = to == from ? NULL : to->files;
	struct shk_map_slot *s;
	size_t pos = 0;

	if (to == from && (!was || was->refs == 1))
		return;
	to->files = NULL;
	unref(r, old);
	while (was && (s = shk_map_next(&was->by_num, &pos))) {
		struct shk_rec_fd *d = s->value;

		if (!shk_rec_fd_set(r, to, (int)s->key.n, &d->facts, d->cloexec))
			break;
	}
	if (to == from)
		was->refs--;
}

struct shk_rec_fd *shk_rec_fd_get(const struct shk_rec_task *t, int fd)
{
	return t->files && fd >= 0 ? shk_map_get_u64(&t->files->by_num, (uint64_t)fd) : NULL;
}

static bool own(struct shk_str *s)
{
	struct shk_str copy = { NULL, 0 };
	bool ok = !s->p || shk_rec_set_str(&copy, *s);

	*s = copy;
	return ok;
}

bool shk_rec_fd_set(struct shk_recorded *r, struct shk_rec_task *t, int fd, const struct shk_fd_facts *f,
		    bool cloexec)
{
	struct shk_rec_fd *d;
	bool ok;

	if (fd < 0 || r->n_fds >= SHK_RECORDED_FDS_MAX || !need_table(t))
		return false;
	d = malloc(sizeof(*d));
	if (!d)
		return false;
	r->n_fds++;
	*d = (struct shk_rec_fd){ .facts = *f, .cloexec = cloexec };
	/* All four, so that none is left that is somebody else's. */
	ok = own(&d->facts.name);
	ok &= own(&d->facts.path);
	ok &= own(&d->facts.unix_path);
	ok &= own(&d->facts.peer_path);
	if (ok) {
		/* f may be a view of what was there. */
		shk_rec_fd_close(r, t, fd);
		ok = shk_map_set_u64(&t->files->by_num, (uint64_t)fd, d) == 0;
	}
	if (!ok)
		drop_entry(r, d);
	return ok;
}

void shk_rec_fd_close(struct shk_recorded *r, struct shk_rec_task *t, int fd)
{
	struct shk_rec_fd *d = shk_rec_fd_get(t, fd);

	if (!d)
		return;
	shk_map_del_u64(&t->files->by_num, (uint64_t)fd);
	drop_entry(r, d);
}

void shk_rec_fd_close_range(struct shk_recorded *r, struct shk_rec_task *t, uint32_t first, uint32_t last,
			    bool only_cloexec)
{
	struct shk_map_slot *s;
	size_t pos = 0;

	while (t->files && (s = shk_map_next(&t->files->by_num, &pos))) {
		struct shk_rec_fd *d = s->value;

		if (s->key.n < first || s->key.n > last || (only_cloexec && !d->cloexec))
			continue;
		shk_rec_fd_close(r, t, (int)s->key.n);
	}
}

static struct shk_rec_task *task_of(struct shk_proc *p)
{
	return (struct shk_rec_task *)(p->base ? p->base : p);
}

bool shk_recorded_fd(struct shk_proc *task, int fd, struct shk_arena *arena, struct shk_fd_facts *ret)
{
	const struct shk_rec_fd *d = shk_rec_fd_get(task_of(task), fd);

	(void)arena;
	if (d)
		*ret = d->facts;
	return d != NULL;
}

bool shk_recorded_fd_path(struct shk_proc *task, int fd, struct shk_str *ret)
{
	const struct shk_rec_fd *d = shk_rec_fd_get(task_of(task), fd);

	if (!d || !d->facts.path.n || d->facts.path.p[0] != '/')
		return false;
	*ret = d->facts.path;
	return true;
}

/* ---- a line ---- */

static char type_of(struct shk_str w)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(words); i++)
		if (shk_str_eqz(w, words[i].word) || (w.n == 1 && w.p[0] == words[i].type))
			return words[i].type;
	return 0;
}

/* "1.2.3.4:80", "[::1]:80", "::1:80" */
static bool parse_end(struct shk_str s, struct shk_ip *ip, uint16_t *port)
{
	char text[INET6_ADDRSTRLEN];
	uint64_t v;
	size_t n = s.n;

	while (n && s.p[n - 1] != ':')
		n--;
	if (!n || !shk_str_to_u64((struct shk_str){ s.p + n, s.n - n }, &v) || v > UINT16_MAX)
		return false;
	*port = (uint16_t)v;
	s.n = n - 1;
	if (s.n > 1 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
		s.p++;
		s.n -= 2;
	}
	if (!s.n || s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = 0;
	ip->len = memchr(s.p, ':', s.n) ? 16 : 4;
	return inet_pton(ip->len == 4 ? AF_INET : AF_INET6, text, ip->b) == 1;
}

static int put_end(const struct shk_text_record *rec, const char *name, struct shk_ip *ip, uint16_t *port,
		   struct shk_err *err)
{
	const struct shk_text_pair *p = shk_text_get(rec, name);

	if (!p)
		return 0;
	if (p->is_list || !parse_end(p->value, ip, port))
		return shk_rec_bad(p, "an address and a port: 1.2.3.4:80, ::1:80", err);
	return 1;
}

static int put_proto(const struct shk_text_record *rec, struct shk_fd_facts *f, struct shk_err *err)
{
	static const struct {
		const char *word;
		int type, proto;
	} protos[] = {
		{ "tcp", SOCK_STREAM, IPPROTO_TCP },
		{ "udp", SOCK_DGRAM, IPPROTO_UDP },
		{ "icmp", SOCK_DGRAM, IPPROTO_ICMP },
		{ "raw", SOCK_RAW, IPPROTO_RAW },
	};
	const struct shk_text_pair *p = shk_text_get(rec, "proto");

	if (!p)
		return 0;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(protos); i++) {
		if (p->is_list || !shk_str_eqz(p->value, protos[i].word))
			continue;
		f->sock_type = protos[i].type;
		f->proto = protos[i].proto;
		return 1;
	}
	return shk_rec_bad(p, "one of tcp, udp, icmp, raw", err);
}

static int put_text(const struct shk_text_record *rec, const char *name, struct shk_str *to, struct shk_err *err)
{
	const struct shk_text_pair *p = shk_text_get(rec, name);

	if (p && p->is_list)
		return shk_rec_bad(p, "a text", err);
	if (p)
		*to = p->value;
	return p != NULL;
}

/* An end that is not known shows as the address that is none. */
void shk_rec_name_socket(struct shk_fd_facts *f, struct shk_arena *arena)
{
	struct shk_ip local = f->local;

	if (!local.len)
		f->local = (struct shk_ip){ .len = f->remote.len };
	shk_fd_name_socket(f, arena);
	f->local = local;
}

static int put_socket(const struct shk_text_record *rec, struct shk_fd_facts *f, struct shk_arena *arena,
		      struct shk_err *err)
{
	int rc = shk_rec_bool(rec, "listening", &f->listening, err);

	f->family = f->type == '4' ? AF_INET : f->type == '6' ? AF_INET6 :
		    f->type == 'u' ? AF_UNIX : AF_NETLINK;
	if (f->type == '6' && f->remote.len == 4)
		f->type = '4';
	if (f->type == 'u') {
		f->unix_path = f->path;
		f->path = (struct shk_str){ NULL, 0 };
		if (rc >= 0 && (rc = put_text(rec, "peer", &f->peer_path, err)) > 0)
			f->connected = true;
		if (!f->unix_path.p && f->peer_path.n)
			f->unix_path = f->peer_path;
		f->server = f->listening || (f->connected && !f->peer_path.n);
	} else {
		f->server = shk_fd_guess_server(f);
	}
	if (rc >= 0)
		rc = shk_rec_bool(rec, "server", &f->server, err);
	if (rc >= 0 && !f->name.p)
		shk_rec_name_socket(f, arena);
	return rc;
}

static int put_members(const struct shk_text_record *rec, struct shk_fd_facts *f, bool *cloexec,
		       struct shk_arena *arena, struct shk_err *err)
{
	const struct shk_text_pair *type = shk_text_get(rec, "type");
	uint64_t dev = 0, ino = 0, flags;
	int rc;

	f->type = type && !type->is_list ? type_of(type->value) : 'f';
	if (!f->type)
		return shk_rec_bad(type, "a word of fd.type: file, directory, ipv4, unix, pipe, ...", err);
	rc = put_text(rec, "path", &f->path, err);
	if (rc >= 0)
		rc = put_text(rec, "name", &f->name, err);
	if (rc >= 0)
		rc = shk_rec_number(rec, "dev", UINT64_MAX, &dev, err);
	if (rc >= 0)
		rc = shk_rec_number(rec, "ino", UINT64_MAX, &ino, err);
	if (rc >= 0)
		rc = shk_rec_number(rec, "flags", UINT64_MAX, &flags, err);
	if (rc >= 0)
		rc = shk_rec_bool(rec, "deleted", &f->deleted, err);
	if (rc >= 0)
		rc = shk_rec_bool(rec, "upper", &f->upper, err);
	f->layer_known = rc > 0;
	if (rc >= 0)
		rc = shk_rec_bool(rec, "cloexec", cloexec, err);
	if (rc >= 0)
		rc = put_proto(rec, f, err);
	if (rc >= 0)
		rc = put_end(rec, "local", &f->local, &f->lport, err);
	if (rc >= 0)
		rc = put_end(rec, "remote", &f->remote, &f->rport, err);
	if (rc > 0)
		f->connected = true;
	f->dev = (dev_t)dev;
	f->ino = (ino_t)ino;
	/* A userfaultfd has the letter of a Unix socket, and a name of its own. */
	if (rc >= 0 && strchr("46un", f->type) && !shk_str_starts(f->name, SHK_STR("anon_inode:")))
		rc = put_socket(rec, f, arena, err);
	if (!f->name.p)
		f->name = f->path;
	return rc < 0 ? rc : 0;
}

int shk_rec_fd_put(struct shk_recorded *r, const struct shk_text_record *rec, struct shk_err *err)
{
	struct shk_arena arena SHK_CLEANUP(shk_arena_done);
	struct shk_fd_facts f = { 0 };
	struct shk_rec_task *t;
	bool cloexec = false, closed = false;
	uint64_t tid, fd;
	int rc;

	shk_arena_init(&arena, 4096);
	if (!shk_text_number(rec->key[0], &tid) || tid < 1 || tid > INT32_MAX ||
	    !shk_text_number(rec->key[1], &fd) || fd > INT32_MAX)
		return shk_err_set(err, EBADMSG, "column 4: a task's number and a descriptor's are expected");
	rc = put_members(rec, &f, &cloexec, &arena, err);
	if (rc < 0)
		return rc;
	t = shk_rec_task(r, (pid_t)tid);
	if (!t)
		return shk_err_set(err, EBADMSG, "column 4: there is no process " SHK_STR_FMT
				   "; write its line first", SHK_STR_ARG(rec->key[0]));
	rc = shk_rec_bool(rec, "closed", &closed, err);
	if (rc < 0)
		return rc;
	if (closed) {
		shk_rec_fd_close(r, t, (int)fd);
		return 0;
	}
	return shk_rec_fd_set(r, t, (int)fd, &f, cloexec) ? 0 :
	       shk_err_set(err, E2BIG, "more than %u descriptors, or out of memory", SHK_RECORDED_FDS_MAX);
}
