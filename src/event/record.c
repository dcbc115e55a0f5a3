// SPDX-License-Identifier: Apache-2.0
/*
 * record.c - a text of events and state, record by record.
 */
#include <errno.h>

#include "event/tlex.h"
#include "event/text.h"

/* Members a state record may have: a misspelt one must not pass as absent. NAME. stands for NAME.anything. */
static const struct {
	const char *word;
	unsigned keys;
	const char *members[48];
} kinds[] = {
	[SHK_TEXT_EVENT] = { "event", 0, { NULL } },
	[SHK_TEXT_CONTAINER] = { "container", 1,
		{ "name", "image", "image_repo", "image_tag", "image_digest", "image_id", "runtime", "engine", "bundle",
		  "rootfs", "cgroup", "hostname", "privileged", "host_pid", "host_network", "host_ipc", "policy", "start", "init", "k8s_ns",
		  "k8s_pod", "k8s_pod_uid", "k8s_container", "mounts", "annotation.", "label.", NULL } },
	[SHK_TEXT_PROCESS] = { "process", 1,
		{ "pid", "ppid", "container", "vpid", "vtid", "vpgid", "vsid", "pidns", "threads", "name", "exe",
		  "exepath", "exe_ino", "exe_dev", "exe_ctime", "exe_mtime", "exe_upper", "exe_writable",
		  "memfd", "args", "env", "cwd", "root", "tty", "uid", "gid", "euid", "egid", "loginuid", "caps",
		  "caps_permitted", "caps_inheritable", "sid", "pgid", "start", "exec_session", "gone", NULL } },
	[SHK_TEXT_FD] = { "fd", 2,
		{ "type", "path", "name", "peer", "flags", "local", "remote", "proto", "listening", "server",
		  "deleted", "cloexec", "closed", "ino", "dev", "upper", NULL } },
	[SHK_TEXT_USER] = { "user", 1, { "name", "home", "shell", "container", NULL } },
	[SHK_TEXT_GROUP] = { "group", 1, { "name", "container", NULL } },
	[SHK_TEXT_PROGRAM] = { "program", 1,
		{ "name", "exepath", "exe_ino", "exe_dev", "exe_ctime", "exe_mtime", "exe_upper",
		  "exe_writable", "memfd", NULL } },
	[SHK_TEXT_MACHINE] = { "machine", 1, { NULL } },
	[SHK_TEXT_USAGE] = { "usage", 1,
		{ "vm_size", "vm_rss", "vm_swap", "minor_faults", "major_faults", "cpu", "fds", "fd_limit",
		  "cgroups", NULL } },
};

void shk_text_init(struct shk_text_reader *r, struct shk_str text)
{
	*r = (struct shk_text_reader){ .rest = text };
}

static struct shk_str take_line(struct shk_text_reader *r)
{
	const char *nl = r->rest.n ? memchr(r->rest.p, '\n', r->rest.n) : NULL;
	struct shk_str s = { r->rest.p, nl ? (size_t)(nl - r->rest.p) : r->rest.n };
	size_t skip = s.n + (nl != NULL);

	r->rest.p += skip;
	r->rest.n -= skip;
	r->line++;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

static struct shk_str trim(struct shk_str s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.n--;
	}
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static bool member_known(enum shk_text_kind kind, struct shk_str name)
{
	for (const char *const *m = kinds[kind].members; *m; m++) {
		struct shk_str w = shk_str(*m);

		if (w.p[w.n - 1] == '.' ? name.n > w.n && shk_str_starts(name, w) : shk_str_eq(name, w))
			return true;
	}
	return false;
}

/* Member names reach up to '='; those of annotations hold characters that words do not. */
static struct shk_str member_name(struct shk_tlex *l)
{
	struct shk_str s = { l->p, 0 };

	while (l->p < l->end && *l->p != '=' && *l->p != ' ' && *l->p != '\t' && *l->p != '"')
		l->p++;
	s.n = (size_t)(l->p - s.p);
	return s;
}

static int parse_pair(struct shk_tlex *l, struct shk_text_record *rec)
{
	struct shk_text_pair *pair = &rec->pairs[rec->n_pairs];

	*pair = (struct shk_text_pair){ 0 };
	pair->name = member_name(l);
	if (!shk_tlex_eat(l, "="))
		return shk_tlex_fail(l, "NAME=VALUE is expected here");
	if (!member_known(rec->kind, pair->name))
		return shk_tlex_fail(l, "a %s has no member " SHK_STR_FMT "; see docs/EVENTS.md",
				    kinds[rec->kind].word, (int)SHK_MIN(pair->name.n, (size_t)64),
				    pair->name.p);
	for (size_t i = 0; i < rec->n_pairs; i++)
		if (shk_str_eq(rec->pairs[i].name, pair->name))
			return shk_tlex_fail(l, "this member is given twice");
	rec->n_pairs++;
	pair->column = (unsigned)(l->p - l->begin) + 1;
	pair->is_list = l->p < l->end && *l->p == '[';
	return pair->is_list ? shk_tlex_list(l, &pair->list) : shk_tlex_value(l, &pair->value);
}

static int parse_state(struct shk_tlex *l, struct shk_text_record *rec)
{
	bool named = rec->kind == SHK_TEXT_CONTAINER || rec->kind == SHK_TEXT_MACHINE;
	size_t room = 1;
	int r;

	/* Each member has its '='. */
	for (const char *p = l->p; p < l->end; p++)
		room += *p == '=';
	rec->pairs = shk_arena_alloc_raw(l->arena, sizeof(*rec->pairs) * SHK_MIN(room, (size_t)SHK_TEXT_PAIRS_MAX));
	if (!rec->pairs)
		return shk_err_set(l->err, ENOMEM, "out of memory");
	for (unsigned i = 0; i < kinds[rec->kind].keys; i++) {
		uint64_t v;

		shk_tlex_space(l);
		r = shk_tlex_value(l, &rec->key[i]);
		if (r < 0)
			return r;
		if (!rec->key[i].n || (!named && !shk_tlex_number(rec->key[i], false, &v)))
			return shk_tlex_fail(l, "%s", named ? "an id or a name is expected here" :
							      "a number is expected here");
	}
	for (;;) {
		shk_tlex_space(l);
		if (l->p == l->end)
			return 0;
		if (rec->n_pairs == SHK_TEXT_PAIRS_MAX || rec->n_pairs == room)
			return shk_tlex_fail(l, "more than %u members", SHK_TEXT_PAIRS_MAX);
		r = parse_pair(l, rec);
		if (r < 0)
			return r;
	}
}

static int parse_line(struct shk_str line, struct shk_arena *arena, struct shk_text_record *rec,
		      struct shk_err *err)
{
	struct shk_tlex l = { line.p, line.p, line.p + line.n, arena, err };
	struct shk_str w = shk_tlex_word(&l);

	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++) {
		if (!shk_str_eqz(w, kinds[i].word))
			continue;
		rec->kind = (enum shk_text_kind)i;
		return rec->kind == SHK_TEXT_EVENT ?
			       shk_event_parse(line, arena, &rec->event, &rec->container, err) :
			       parse_state(&l, rec);
	}
	l.p = line.p;
	return shk_tlex_fail(&l, "unknown record; there are event, container, process, program, usage, fd, "
			     "user, group, machine");
}

static int check_version(struct shk_text_reader *r, struct shk_str line, struct shk_err *err)
{
	static const char word[] = "shrike-events ";
	uint64_t v;

	if (shk_str_eqz(line, SHK_TEXT_HEAD)) {
		r->versioned = true;
		return 0;
	}
	if (shk_str_starts(line, SHK_STR(word)) &&
	    shk_str_to_u64((struct shk_str){ line.p + sizeof(word) - 1, line.n - (sizeof(word) - 1) }, &v))
		return shk_err_set(err, EBADMSG, "line %u: version %llu of the format; this program reads "
				   "version %d: update it", r->line, (unsigned long long)v,
				   SHK_TEXT_VERSION);
	return shk_err_set(err, EBADMSG, "line %u: the text does not begin with \"" SHK_TEXT_HEAD "\"; "
			   "put that line first", r->line);
}

int shk_text_next(struct shk_text_reader *r, struct shk_arena *arena, struct shk_text_record *ret,
		  struct shk_err *err)
{
	while (r->rest.n) {
		struct shk_str line = trim(take_line(r));
		int rc;

		if (!line.n || line.p[0] == '#')
			continue;
		if (line.n > SHK_TEXT_LINE_MAX)
			return shk_err_set(err, EBADMSG, "line %u: longer than %u bytes", r->line,
					   SHK_TEXT_LINE_MAX);
		if (!r->versioned) {
			rc = check_version(r, line, err);
			if (rc < 0)
				return rc;
			continue;
		}
		memset(ret, 0, sizeof(*ret));
		ret->line = r->line;
		rc = parse_line(line, arena, ret, err);
		if (rc < 0)
			return shk_err_prefix(err, "line %u", r->line);
		return 1;
	}
	if (!r->versioned && !r->more)
		return shk_err_set(err, EBADMSG, "line 1: the text does not begin with \"" SHK_TEXT_HEAD
				   "\"; put that line first");
	return 0;
}

bool shk_text_time(struct shk_str s, uint64_t *ret)
{
	const char *dot = s.n ? memchr(s.p, '.', s.n) : NULL;
	size_t whole = dot ? (size_t)(dot - s.p) : s.n, digits = 0;
	uint64_t sec, frac = 0;

	for (size_t i = whole + 1; i < s.n; i++, digits++) {
		if (s.p[i] < '0' || s.p[i] > '9' || digits == 9)
			return false;
		frac = frac * 10 + (uint64_t)(s.p[i] - '0');
	}
	for (; digits < 9; digits++)
		frac *= 10;
	if (!shk_str_to_u64((struct shk_str){ s.p, whole }, &sec) || sec > UINT64_MAX / 1000000000 - 1)
		return false;
	*ret = sec * 1000000000 + frac;
	return true;
}

bool shk_text_number(struct shk_str s, uint64_t *ret)
{
	return shk_tlex_number(s, false, ret);
}

const struct shk_text_pair *shk_text_get(const struct shk_text_record *rec, const char *name)
{
	for (size_t i = 0; i < rec->n_pairs; i++)
		if (shk_str_eqz(rec->pairs[i].name, name))
			return &rec->pairs[i];
	return NULL;
}

uint64_t shk_text_u64(const struct shk_text_record *rec, const char *name, uint64_t otherwise)
{
	const struct shk_text_pair *p = shk_text_get(rec, name);
	uint64_t v;

	return p && !p->is_list && shk_tlex_number(p->value, false, &v) ? v : otherwise;
}
