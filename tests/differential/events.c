// SPDX-License-Identifier: Apache-2.0
/*
 * events.c - random events in text form, and the fields one can ask of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "event/text.h"
#include "syscalls/flags.h"
#include "world.h"

/* What there is beside the event: read once, put into the state of each event anew. */
static const char state_text[] =
	SHK_TEXT_HEAD "\n"
	"container aaaaaaaaaaaaaaaa name=web image=docker.io/library/nginx:1.25 image_repo=docker.io/library/nginx "
	"image_tag=1.25 runtime=runc engine=podman privileged=true policy=strict k8s_ns=default k8s_pod=web-0 "
	"annotation.x=1 label.app=web\n"
	"container bbbbbbbbbbbbbbbb\n"
	"user 0 name=root home=/root shell=/bin/bash\n"
	"user 33 name=www-data home=/var/www container=aaaaaaaaaaaaaaaa\n"
	"user 1000 name=me home=/home/me shell=/bin/sh\n"
	"group 0 name=root\n"
	"group 1000 name=me\n"
	"process 1 pid=1 ppid=0 name=systemd exe=/sbin/init exepath=/usr/lib/systemd/systemd args=[\"/sbin/init\"] "
	"cwd=/ uid=0 gid=0 sid=1 pgid=1\n"
	"process 100 pid=100 ppid=1 name=sshd exe=sshd exepath=/usr/sbin/sshd args=[\"sshd\", \"-D\", \"-o\", \"x=1\"] "
	"cwd=/root uid=0 gid=0 tty=34816 env=[\"PATH=/bin\", \"HOME=/root\"]\n"
	"process 101 pid=101 ppid=100 name=bash exe=-bash exepath=/usr/bin/bash args=[\"-bash\"] cwd=/root uid=0 gid=0 "
	"loginuid=1000 tty=34816 sid=101 env=[\"PATH=/usr/bin:/bin\", \"x=y z\"]\n"
	"process 102 pid=102 ppid=101 name=cat exe=cat exepath=/usr/bin/cat args=[\"cat\", \"/etc/passwd\"] cwd=/tmp "
	"uid=1000 gid=1000 euid=0 caps=0x1 loginuid=1000\n"
	"process 200 pid=200 ppid=1 container=aaaaaaaaaaaaaaaa vpid=1 name=nginx exe=/usr/sbin/nginx "
	"exepath=/usr/sbin/nginx args=[\"/usr/sbin/nginx\", \"-g\", \"daemon off;\"] cwd=/srv uid=33 gid=33\n"
	"process 201 pid=201 ppid=200 container=aaaaaaaaaaaaaaaa vpid=7 name=sh exe=/bin/sh exepath=/memfd:a "
	"args=[\"/bin/sh\", \"-c\", \"a b\"] cwd=/ uid=0 gid=0 exe_upper=true exe_writable=true memfd=true\n"
	"process 202 pid=201 ppid=200 container=aaaaaaaaaaaaaaaa name=thread exe=/bin/sh args=[] cwd=/etc\n"
	"process 300 container=bbbbbbbbbbbbbbbb name=a\n"
	"fd 102 3 type=file path=/etc/passwd flags=0 ino=7\n"
	"fd 102 4 type=ipv4 local=10.0.0.1:40000 remote=10.0.0.2:443 proto=tcp\n"
	"fd 102 5 type=directory path=/usr/bin\n"
	"fd 200 3 type=ipv6 local=::1:8080 remote=2001:1::2:53 proto=udp\n"
	"fd 200 4 type=unix path=/run/docker.sock\n"
	"fd 200 5 type=directory path=/tmp\n"
	"fd 201 0 type=ipv4 local=10.0.0.1:80 remote=10.0.0.1:22 proto=tcp\n"
	"fd 201 3 type=ipv4 local=10.0.0.3:53 proto=udp\n"
	"fd 201 4 type=pipe ino=99\n";
static struct shk_text_record state[64];
static size_t n_state;
static struct shk_arena state_arena;

/* ---- arguments ---- */

static void quoted(struct shk_buf *b, struct shk_str s)
{
	shk_buf_addc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c > '~' || c == '"' || c == '\\')
			shk_buf_printf(b, "\\x%02x", c);
		else
			shk_buf_addc(b, (char)c);
	}
	shk_buf_addc(b, '"');
}

static void a_text(struct rnd *r, struct shk_buf *b)
{
	struct shk_arena a;

	shk_arena_init(&a, 65536);
	quoted(b, world_text(r, &a));
	shk_arena_done(&a);
	if (rnd_in(r, 40))
		shk_buf_adds(b, "...");
}

static void pointer(struct rnd *r, struct shk_buf *b, void (*content)(struct rnd *, struct shk_buf *))
{
	if (rnd_in(r, 25))
		shk_buf_adds(b, "0");
	else if (rnd_in(r, 25))
		shk_buf_adds(b, "0x7f001000:fault");
	else
		content(r, b);
}

static void an_address(struct rnd *r, struct shk_buf *b)
{
	static const char *const list[] = {
		"inet\"10.0.0.1:80\"", "inet\"10.0.0.2:443\"", "inet\"127.0.0.1:22\"",
		"inet6\"[::1]:8080\"", "inet6\"[2001:1::2]:53\"", "inet6\"[::ffff:10.0.0.1]:80\"",
		"unix\"/run/docker.sock\"", "unix\"\\x00abstract\"", "\"\\x10\\x00abcdef\"", "\"\"",
	};

	shk_buf_adds(b, RND_OF(r, list));
}

static void a_vector(struct rnd *r, struct shk_buf *b)
{
	unsigned n = (unsigned)rnd_below(r, 5);

	shk_buf_addc(b, '[');
	for (unsigned i = 0; i < n; i++) {
		struct shk_arena a;

		shk_arena_init(&a, 65536);
		shk_buf_adds(b, i ? ", " : "");
		quoted(b, world_text(r, &a));
		shk_arena_done(&a);
	}
	shk_buf_addc(b, ']');
}

static void an_open_how(struct rnd *r, struct shk_buf *b)
{
	static const unsigned flags[] = { 0, 1, 2, 0x40, 0x41, 0x241, 0x80000, 0x410000 };

	shk_buf_printf(b, "{flags=0x%x mode=%s resolve=%u}", RND_OF(r, flags),
		       rnd_in(r, 2) ? "0755" : "0", (unsigned)rnd_below(r, 4));
}

/* Bits of a list, one or a few; now and then some that have no name, or garbage above. */
static uint64_t a_mask(struct rnd *r, const struct shk_flag_list *l)
{
	uint64_t v = 0;
	unsigned n = (unsigned)rnd_below(r, 4);

	if (!l || !l->n)
		return rnd_below(r, 8);
	if (l->is_enum)
		v = l->flags[rnd_below(r, l->n)].value;
	for (unsigned i = 0; !l->is_enum && i < n; i++)
		v |= l->flags[rnd_below(r, l->n)].value;
	if (rnd_in(r, 12))
		v ^= UINT64_C(1) << rnd_below(r, 32);
	return v;
}

static void argument(struct rnd *r, const struct shk_arg_desc *d, bool narrow, struct shk_buf *b)
{
	static const int64_t ids[] = { 0, 1, 33, 1000, 65534, -1 };
	uint64_t v;

	shk_buf_printf(b, "%s=", d->name);
	switch (d->kind) {
	case SHK_ARG_PATH:
	case SHK_ARG_STRING:
		pointer(r, b, a_text);
		return;
	case SHK_ARG_STRVEC:
		pointer(r, b, a_vector);
		return;
	case SHK_ARG_SOCKADDR:
		pointer(r, b, an_address);
		return;
	case SHK_ARG_OPEN_HOW:
		pointer(r, b, an_open_how);
		return;
	case SHK_ARG_DIRFD:
		shk_buf_adds(b, rnd_in(r, 4) ? "5" : "AT_FDCWD");
		return;
	case SHK_ARG_FLAGS:
	case SHK_ARG_ENUM:
		v = a_mask(r, d->flags);
		break;
	case SHK_ARG_MODE:
		v = rnd_in(r, 2) ? 0755 : 0644;
		break;
	case SHK_ARG_UID:
	case SHK_ARG_GID:
		shk_buf_printf(b, "%" PRId64, RND_OF(r, ids));
		return;
	default:
		v = rnd_below(r, 6);
	}
	if (narrow)
		v &= UINT32_MAX;
	else if (rnd_in(r, 12))
		v |= rnd_below(r, 7) << 32;
	shk_buf_printf(b, "0x%" PRIx64, v);
}

void world_event_line(struct rnd *r, struct shk_buf *out)
{
	static const char *const favourites[] = {
		"open", "openat", "openat2", "creat", "connect", "bind", "socket", "execve", "unlinkat",
		"mkdir", "rename", "ptrace", "clone", "unshare", "setuid", "mount", "chmod", "kill",
		"accept4", "symlinkat", "close", "dup2", "chdir", "prctl", "sendto",
	};
	static const char *const ends[] = { "= 0", "= 3", "= 4", "= -ENOENT", "= -EACCES", "", "~ 0",
					    "~ 3", "~ -EACCES", "~" };
	static const unsigned tasks[] = { 1, 100, 101, 102, 200, 201, 202, 300, 999, 102, 200, 201 };
	const struct shk_syscall *s = rnd_in(r, 4) ? &shk_syscalls[rnd_below(r, SHK_CALL_N)] :
						     shk_syscall_by_name(shk_str(RND_OF(r, favourites)));
	bool first = true, i386;

	shk_buf_printf(out, "event %u.%u num=%u", 1700000000u + (unsigned)rnd_below(r, 3),
		       (unsigned)rnd_below(r, 10), 1 + (unsigned)rnd_below(r, 20));
	if (!rnd_in(r, 6))
		shk_buf_printf(out, " tid=%u", RND_OF(r, tasks));
	if (rnd_in(r, 6))
		shk_buf_adds(out, rnd_in(r, 2) ? " container=aaaaaaaaaaaaaaaa" : " container=new");
	if (rnd_in(r, 60)) {
		shk_buf_printf(out, " nr=999 unknown(1, 2) %s", RND_OF(r, ends));
		return;
	}
	i386 = s->nr[SHK_ABI_I386] >= 0 && (s->nr[SHK_ABI_X86_64] < 0 || rnd_in(r, 10));
	if (i386)
		shk_buf_adds(out, " abi=i386");
	else if (s->nr[SHK_ABI_X86_64] < 0)
		shk_buf_adds(out, " abi=arm64");
	shk_buf_printf(out, " %s(", s->name);
	for (unsigned i = 0; i < s->nargs; i++) {
		if (s->arg[i].kind == SHK_ARG_NONE || rnd_in(r, 12))
			continue;
		shk_buf_adds(out, first ? "" : ", ");
		argument(r, &s->arg[i], i386, out);
		first = false;
	}
	shk_buf_printf(out, ") %s", RND_OF(r, ends));
}

int world_event_read(struct world_event *w, struct rnd r, struct shk_str line, struct shk_err *err)
{
	struct shk_str container;

	memset(w, 0, sizeof(*w));
	shk_arena_init(&w->arena, (size_t)256 << 20);
	w->recorded = shk_recorded_new();
	if (!w->recorded)
		return shk_err_set(err, ENOMEM, "no memory");
	for (size_t i = 0; i < n_state; i++)
		if (shk_recorded_put(w->recorded, &state[i], err) < 0)
			return -EBADMSG;
	if (shk_event_parse(line, &w->arena, &w->ev, &container, err) < 0)
		return -EBADMSG;
	shk_recorded_begin(w->recorded, &w->ev, container, &w->ctx);
	made_draw(w, &r);
	return 0;
}

void world_event_done(struct world_event *w)
{
	shk_recorded_free(w->recorded);
	w->recorded = NULL;
	shk_arena_done(&w->arena);
}

void world_event_print(const struct world_event *w, struct shk_str line)
{
	printf("%s# event: " SHK_STR_FMT "\n", state_text, SHK_STR_ARG(line));
	made_print(w);
}

/* ---- fields ---- */

#define FIELDS_MAX 1024
static char *names[FIELDS_MAX];
static const char *made[MADE_MAX];
static const char *all[FIELDS_MAX + MADE_MAX];
static size_t n_names, n_made;

static void add(const char *text)
{
	struct shk_field_ref ref;
	struct shk_err err = { 0 };

	for (size_t i = 0; i < n_names; i++)
		if (strcmp(names[i], text) == 0)
			return;
	if (n_names < FIELDS_MAX && shk_field_parse(shk_str(text), &ref, &err) == 0) {
		names[n_names] = strdup(text);
		n_names += names[n_names] != NULL;
	}
}

static void add_arg(const char *name, const char *arg, char open, char close)
{
	char text[128];

	snprintf(text, sizeof(text), "%s%c%s%c", name, open, arg, close);
	if (!close)
		text[strlen(name) + 1 + strlen(arg)] = 0;
	add(text);
}

/* What depends on the moment it is asked has no value to compare; evt.around takes one operator only. */
static bool is_moment(const char *name)
{
	return strcmp(name, "evt.around") == 0 || strstr(name, "duration") || strstr(name, "latency") || strstr(name, "pid.ts");
}

static void add_fields(void)
{
	static const char *const keys[] = { "0", "1", "2", "x", "PATH", "/srv", "/d*", "HOME" };
	size_t n;
	const struct shk_field *const *rows = shk_fields_all(&n);

	for (size_t i = 0; i < n; i++) {
		if (is_moment(rows[i]->name) || shk_field_availability(rows[i]) != SHK_AVAILABLE)
			continue;
		if (!(rows[i]->flags & SHK_F_ARG_REQUIRED))
			add(rows[i]->name);
		for (size_t k = 0; k < SHK_ARRAY_SIZE(keys); k++)
			if (rows[i]->flags & (SHK_F_ARG_INDEX | SHK_F_ARG_KEY))
				add_arg(rows[i]->name, keys[k], '[', ']');
	}
	for (size_t i = 0; i < SHK_CALL_N; i++)
		for (unsigned k = 0; k < shk_syscalls[i].nargs; k++) {
			const struct shk_arg_desc *d = &shk_syscalls[i].arg[k];

			if (d->kind == SHK_ARG_NONE || !d->name)
				continue;
			add_arg("evt.arg", d->name, '.', 0);
			add_arg("evt.rawarg", d->name, '.', 0);
		}
	add("evt.arg.res");
	add("evt.arg.fd");
	add("evt.rawarg.res");
}

const char *const *world_fields(size_t *n, size_t *ret_made)
{
	*n = n_made + n_names;
	*ret_made = n_made;
	return all;
}

int world_init(void)
{
	struct shk_text_reader reader;
	struct shk_err err = { 0 };

	shk_arena_init(&state_arena, (size_t)64 << 20);
	shk_text_init(&reader, shk_str(state_text));
	while (shk_text_next(&reader, &state_arena, &state[n_state], &err) == 1)
		n_state++;
	if (err.text[0] || n_state < 20) {
		printf("# state: %s\n", err.text);
		return -1;
	}
	n_made = made_names(made, MADE_MAX);
	add_fields();
	memcpy(all, made, n_made * sizeof(*all));
	for (size_t i = 0; i < n_names; i++)
		all[n_made + i] = names[i];
	return n_names ? 0 : -1;
}

void world_done(void)
{
	shk_arena_done(&state_arena);
	for (size_t i = 0; i < n_names; i++)
		free(names[i]);
}
