// SPDX-License-Identifier: Apache-2.0
/* What a few containers do all day: shell scripts, a package installation, a web server, a build. */
#include "rulebench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

struct program {
	const char *name, *exe, *args, *cwd;
	int parent; /* in this table, -1: none */
	unsigned uid;
	const char *user;
	int box;    /* container, -1: the host */
};

struct box {
	const char *id, *name, *image, *repo, *tag;
};

static const struct box boxes[] = {
	{ "3ad7b26ded6d", "web", "nginx:1.25", "nginx", "1.25" },
	{ "8d6ded2fa1b0", "ci", "registry.example/ci/builder:12", "registry.example/ci/builder", "12" },
	{ "0f2c9e4418aa", "app", "registry.example/shop/app:3.1", "registry.example/shop/app", "3.1" },
};

static const struct program programs[] = {
	/* 0 */ { "systemd", "/usr/lib/systemd/systemd", "--switched-root --system", "/", -1, 0, "root", -1 },
	/* 1 */ { "containerd-shim", "/usr/bin/containerd-shim-runc-v2", "-namespace moby -id 3ad7", "/", 0, 0, "root", -1 },
	/* 2 */ { "nginx", "/usr/sbin/nginx", "-g daemon off;", "/", 1, 0, "root", 0 },
	/* 3 */ { "nginx", "/usr/sbin/nginx", "-g daemon off;", "/", 2, 101, "nginx", 0 },
	/* 4 */ { "sh", "/bin/sh", "/docker-entrypoint.sh nginx -g daemon off;", "/", 1, 0, "root", 0 },
	/* 5 */ { "find", "/usr/bin/find", "/docker-entrypoint.d/ -mindepth 1 -maxdepth 1 -type f -print -quit", "/", 4, 0, "root", 0 },
	/* 6 */ { "sed", "/usr/bin/sed", "-i s,listen       80;,listen 80;, /etc/nginx/conf.d/default.conf", "/", 4, 0, "root", 0 },
	/* 7 */ { "bash", "/usr/bin/bash", "-e /builds/run.sh", "/builds/shop", 1, 0, "root", 1 },
	/* 8 */ { "apt-get", "/usr/bin/apt-get", "install -y --no-install-recommends gcc make libssl-dev", "/builds/shop", 7, 0, "root", 1 },
	/* 9 */ { "dpkg", "/usr/bin/dpkg", "--status-fd 20 --no-triggers --unpack --auto-deconfigure --recursive /tmp/apt-dpkg-install-x3", "/", 8, 0, "root", 1 },
	/* 10 */ { "dpkg-deb", "/usr/bin/dpkg-deb", "--fsys-tarfile /var/cache/apt/archives/make_4.3-4.1_amd64.deb", "/", 9, 0, "root", 1 },
	/* 11 */ { "make", "/usr/bin/make", "-j8 all", "/builds/shop", 7, 1000, "builder", 1 },
	/* 12 */ { "sh", "/bin/sh", "-c gcc -O2 -Wall -Iinclude -c -o obj/cart.o src/cart.c", "/builds/shop", 11, 1000, "builder", 1 },
	/* 13 */ { "gcc", "/usr/bin/gcc", "-O2 -Wall -Iinclude -c -o obj/cart.o src/cart.c", "/builds/shop", 12, 1000, "builder", 1 },
	/* 14 */ { "cc1", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet -I include src/cart.c -quiet -dumpdir obj/ -dumpbase cart.c -mtune=generic -march=x86-64 -O2 -Wall -o /tmp/ccX1b2.s", "/builds/shop", 13, 1000, "builder", 1 },
	/* 15 */ { "ld", "/usr/bin/ld", "-o shop obj/main.o obj/cart.o -lc -lssl -lcrypto", "/builds/shop", 13, 1000, "builder", 1 },
	/* 16 */ { "node", "/usr/local/bin/node", "/app/server/main.mjs --port 3000", "/app", 1, 1000, "node", 2 },
	/* 17 */ { "cron", "/usr/sbin/cron", "-f", "/", 0, 0, "root", -1 },
	/* 18 */ { "sh", "/bin/sh", "-c test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily", "/", 17, 0, "root", -1 },
	/* 19 */ { "python3", "/usr/bin/python3", "/opt/agent/collect.py --interval 10", "/opt/agent", 0, 0, "root", -1 },
};

static const char *const files[] = {
	"/etc/ld.so.cache", "/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libcrypto.so.3",
	"/usr/lib/locale/locale-archive", "/proc/self/status", "/dev/null", "/etc/passwd",
	"/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/hosts", "/usr/share/nginx/html/index.html",
	"/usr/share/nginx/html/static/css/site.css", "/usr/include/x86_64-linux-gnu/bits/types.h",
	"/usr/include/openssl/ssl.h", "/builds/shop/src/cart.c", "/builds/shop/include/shop/cart.h",
	"/usr/lib/gcc/x86_64-linux-gnu/12/include/stddef.h", "/sys/fs/cgroup/memory.max",
	"/app/node_modules/express/lib/router/index.js", "/app/node_modules/debug/package.json",
	"/var/lib/dpkg/info/libssl-dev.list", "/usr/lib/python3/dist-packages/apt/cache.py",
};

static const char *const written[] = {
	"/tmp/ccX1b2.s", "/builds/shop/obj/cart.o", "/builds/shop/obj/cart.d", "/dev/null",
	"/var/log/nginx/access.log", "/usr/include/openssl/opensslv.h.dpkg-new",
	"/var/lib/dpkg/tmp.ci/control", "/var/lib/dpkg/updates/0004", "/etc/nginx/conf.d/sedA1x9",
	"/tmp/sh-thd.1700", "/app/data/sessions.db-journal", "/usr/share/doc/make/changelog.gz.dpkg-new",
};

enum kind { OPEN_READ, OPEN_WRITE, OPEN_FAIL, EXEC, CONNECT, ACCEPT, SEND, SOCKET, DUP, UNLINK, RENAME,
	    MKDIR, CHMOD, OTHER };

struct world {
	enum kind kind;
	const struct program *p;
	const char *path;
	const char *remote;
	unsigned port;
};

/* In per mille, as recordings of such containers have them: nearly all calls are those no rule wants. */
static const struct {
	enum shk_call_id call;
	enum kind kind;
	unsigned share;
} shares[] = {
	{ SHK_CALL_read, OTHER, 190 },	    { SHK_CALL_write, OTHER, 90 },
	{ SHK_CALL_close, OTHER, 150 },	    { SHK_CALL_openat, OPEN_READ, 150 },
	{ SHK_CALL_openat, OPEN_FAIL, 60 }, { SHK_CALL_openat, OPEN_WRITE, 30 },
	{ SHK_CALL_newfstatat, OTHER, 100 }, { SHK_CALL_mmap, OTHER, 70 },
	{ SHK_CALL_execve, EXEC, 20 },	    { SHK_CALL_clone, OTHER, 20 },
	{ SHK_CALL_connect, CONNECT, 10 },  { SHK_CALL_accept4, ACCEPT, 15 },
	{ SHK_CALL_sendto, SEND, 20 },	    { SHK_CALL_socket, SOCKET, 10 },
	{ SHK_CALL_dup2, DUP, 15 },	    { SHK_CALL_unlink, UNLINK, 10 },
	{ SHK_CALL_rename, RENAME, 10 },    { SHK_CALL_mkdir, MKDIR, 5 },
	{ SHK_CALL_fchmodat, CHMOD, 5 },    { SHK_CALL_epoll_wait, OTHER, 20 },
};

static uint64_t next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static size_t below(uint64_t *s, size_t n)
{
	return (size_t)((next(s) >> 16) % n);
}

/* Arguments are in this process's own memory. */
static ssize_t read_own(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	(void)ev;
	memcpy(buf, (const void *)(uintptr_t)addr, n);
	return (ssize_t)n;
}

static const struct shk_mem_ops own_memory = { .read = read_own };

static void registers(struct bench_event *e, struct world *w)
{
	struct shk_event *ev = &e->ev;

	ev->ret = 0;
	for (unsigned i = 0; i < ev->call->nargs; i++)
		if (ev->call->arg[i].kind == SHK_ARG_PATH)
			ev->raw[i] = (uintptr_t)w->path;
	switch (w->kind) {
	case OPEN_READ:
	case OPEN_FAIL:
		ev->raw[0] = (uint32_t)AT_FDCWD;
		ev->raw[2] = O_RDONLY | O_CLOEXEC;
		ev->ret = w->kind == OPEN_READ ? 3 : -2;
		break;
	case OPEN_WRITE:
		ev->raw[0] = (uint32_t)AT_FDCWD;
		ev->raw[2] = O_WRONLY | O_CREAT | O_TRUNC;
		ev->raw[3] = 0644;
		ev->ret = 5;
		break;
	case SOCKET:
		ev->raw[0] = AF_INET;
		ev->raw[1] = SOCK_STREAM;
		ev->ret = 7;
		break;
	case DUP:
		ev->raw[0] = 4;
		ev->raw[1] = 1;
		ev->ret = 1;
		break;
	case CHMOD:
		ev->raw[2] = 0644;
		break;
	default:
		break;
	}
}

static void make(struct bench_event *e, struct world *w, uint64_t *s)
{
	static const char *const remotes[] = { "10.0.3.17", "151.101.2.132", "192.168.4.2", "8.8.8.8" };
	static const unsigned ports[] = { 80, 443, 5432, 53, 3000 };
	size_t x = below(s, 1000), k = 0;

	while (x >= shares[k].share)
		x -= shares[k++].share;
	w->kind = shares[k].kind;
	w->p = &programs[below(s, SHK_ARRAY_SIZE(programs))];
	w->path = w->kind == OPEN_READ || w->kind == OPEN_FAIL || w->kind == OTHER ?
			  files[below(s, SHK_ARRAY_SIZE(files))] :
			  written[below(s, SHK_ARRAY_SIZE(written))];
	if (w->kind == EXEC)
		w->path = w->p->exe;
	w->remote = remotes[below(s, SHK_ARRAY_SIZE(remotes))];
	w->port = ports[below(s, SHK_ARRAY_SIZE(ports))];
	shk_event_init(&e->ev, NULL);
	e->ev.num = 1;
	e->ev.time_ns = UINT64_C(1700000000000000000);
	e->ev.call = &shk_syscalls[shares[k].call];
	e->ev.abi = SHK_ABI_X86_64;
	e->ev.nr = e->ev.call->nr[SHK_ABI_X86_64];
	e->ev.sensor = SHK_SENSOR_REPLAY;
	e->ev.has_ret = true;
	e->ev.mem = &own_memory;
	e->world = w;
	registers(e, w);
}

bool bench_mix_make(struct bench_mix *m, size_t kinds, size_t length, uint64_t seed)
{
	struct world *w = calloc(kinds, sizeof(*w));
	uint64_t s = seed * 2 + 1;

	*m = (struct bench_mix){ .n = kinds, .n_seq = length };
	m->ev = calloc(kinds, sizeof(*m->ev));
	m->seq = calloc(length, sizeof(*m->seq));
	if (!w || !m->ev || !m->seq)
		return false;
	for (size_t i = 0; i < 64; i++)
		next(&s);
	for (size_t i = 0; i < kinds; i++)
		make(&m->ev[i], &w[i], &s);
	for (size_t i = 0; i < length; i++)
		m->seq[i] = (uint32_t)below(&s, kinds);
	return true;
}

/* ---- values ---- */

static bool text(struct shk_value *out, struct shk_arena *a, const char *s)
{
	out->s = s ? shk_arena_str(a, shk_str(s)) : (struct shk_str){ 0 };
	return s;
}

static const struct program *ancestor(const struct program *p, uint64_t n)
{
	for (; n && p; n--)
		p = p->parent < 0 ? NULL : &programs[p->parent];
	return p;
}

/* What is the same for the process, its parent, an ancestor. */
static bool of_program(const struct program *p, const char *word, struct shk_arena *a,
		       struct shk_value *out)
{
	if (!p)
		return false;
	if (!strcmp(word, "name"))
		return text(out, a, p->name);
	if (!strcmp(word, "exe") || !strcmp(word, "exepath"))
		return text(out, a, p->exe);
	if (!strcmp(word, "args"))
		return text(out, a, p->args);
	if (!strcmp(word, "cmdline"))
		return text(out, a, shk_arena_printf(a, "%s %s", p->name, p->args));
	if (!strcmp(word, "exeline"))
		return text(out, a, shk_arena_printf(a, "%s %s", p->exe, p->args));
	if (!strcmp(word, "cwd"))
		return text(out, a, shk_arena_printf(a, "%s/", p->cwd[1] ? p->cwd : ""));
	if (!strcmp(word, "duration") || !strcmp(word, "tty")) {
		out->u = word[0] == 'd' ? UINT64_C(3000000000) : 0;
		return true;
	}
	if (!strncmp(word, "is_", 3)) {
		out->b = !strcmp(word, "is_vpgid_leader");
		return true;
	}
	if (!strcmp(word, "vpid") || !strcmp(word, "pid")) {
		out->i = 4000 + (p - programs);
		return true;
	}
	return !strcmp(word, "env") && text(out, a, "PATH=/usr/bin:/bin LANG=C HOME=/root");
}

static bool proc_value(const struct world *w, const struct shk_field_ref *ref, bool multi, unsigned k,
		       struct shk_arena *a, struct shk_value *out)
{
	const char *word = ref->field->name + strlen("proc.");

	if (word[0] == 'a' && strcmp(word, "args"))
		return of_program(ancestor(w->p, multi ? k + 1u : ref->has_arg ? (uint64_t)ref->index : 1u),
				  word + 1, a, out);
	if (!strcmp(word, "pname") || !strcmp(word, "pcmdline") || !strcmp(word, "pexe") ||
	    !strcmp(word, "pexepath"))
		return of_program(ancestor(w->p, 1), word + 1, a, out);
	if (ref->has_arg && (!strcmp(word, "env") || !strcmp(word, "args")))
		return text(out, a, "");
	return of_program(w->p, word, a, out);
}

static bool parse_ip(const char *s, struct shk_ip *ip)
{
	unsigned b[4];

	if (sscanf(s, "%u.%u.%u.%u", &b[0], &b[1], &b[2], &b[3]) != 4)
		return false;
	ip->len = 4;
	for (unsigned i = 0; i < 4; i++)
		ip->b[i] = (uint8_t)b[i];
	return true;
}

static bool net_value(const struct world *w, const char *word, bool multi, unsigned k,
		      struct shk_arena *a, struct shk_value *out)
{
	bool server_local = w->kind == ACCEPT;

	if (w->kind != CONNECT && w->kind != ACCEPT && w->kind != SEND)
		return false;
	if (multi && k > 1)
		return false;
	if (!strcmp(word, "typechar"))
		return text(out, a, "4");
	if (!strcmp(word, "type"))
		return text(out, a, "ipv4");
	if (!strcmp(word, "l4proto"))
		return text(out, a, w->port == 53 ? "udp" : "tcp");
	if (!strcmp(word, "sockfamily"))
		return text(out, a, "ip");
	if (!strcmp(word, "name") || !strcmp(word, "nameraw"))
		return text(out, a, shk_arena_printf(a, "172.17.0.2:40112->%s:%u", w->remote, w->port));
	if (!strcmp(word, "connected") || !strcmp(word, "name_changed")) {
		out->b = w->kind == CONNECT;
		return true;
	}
	if (strstr(word, "port")) {
		out->u = (word[0] == 'l' || word[0] == 'c' || (multi && k)) != server_local ? 40112 : w->port;
		return true;
	}
	if (strstr(word, "ip") || strstr(word, "net"))
		return parse_ip(multi && k ? "172.17.0.2" : w->remote, &out->ip);
	return false;
}

static bool fd_value(const struct world *w, const struct shk_field_ref *ref, bool multi, unsigned k,
		     struct shk_arena *a, struct shk_value *out)
{
	const char *word = ref->field->name + strlen("fd."), *slash = strrchr(w->path, '/');
	bool file = w->kind == OPEN_READ || w->kind == OPEN_WRITE || w->kind == OPEN_FAIL;

	if (!strcmp(word, "num")) {
		out->i = w->kind == OPEN_FAIL ? -1 : 3;
		return file || w->kind == CONNECT || w->kind == SEND || w->kind == ACCEPT || w->kind == DUP;
	}
	if (!file)
		return net_value(w, word, multi, k, a, out);
	if (!strcmp(word, "typechar"))
		return text(out, a, "f");
	if (!strcmp(word, "type"))
		return text(out, a, "file");
	if (!strcmp(word, "name") || !strcmp(word, "nameraw"))
		return text(out, a, w->path);
	if (!strcmp(word, "filename"))
		return text(out, a, slash + 1);
	if (!strcmp(word, "directory"))
		return text(out, a, slash == w->path ? "/" : shk_arena_strndup(a, w->path, (size_t)(slash - w->path)));
	return false;
}

static bool container_value(const struct world *w, const char *word, struct shk_arena *a,
			    struct shk_value *out)
{
	const struct box *b = w->p->box < 0 ? NULL : &boxes[w->p->box];

	if (!strcmp(word, "id"))
		return text(out, a, b ? b->id : "host");
	if (!strcmp(word, "name"))
		return text(out, a, b ? b->name : "host");
	if (!b)
		return false;
	if (!strcmp(word, "image"))
		return text(out, a, b->image);
	if (!strcmp(word, "image.repository"))
		return text(out, a, b->repo);
	if (!strcmp(word, "image.tag"))
		return text(out, a, b->tag);
	if (!strcmp(word, "privileged")) {
		out->b = false;
		return true;
	}
	return !strncmp(word, "mount", 5) && text(out, a, "N/A");
}

bool bench_mix_value(const struct bench_event *e, const struct shk_field_ref *ref, bool multi,
		     unsigned k, struct shk_arena *a, struct shk_value *out)
{
	const struct world *w = e->world;
	const char *name = ref->field->name;

	if (!strncmp(name, "proc.", 5))
		return proc_value(w, ref, multi, k, a, out);
	if (!strncmp(name, "fd.", 3))
		return fd_value(w, ref, multi, k, a, out);
	if (!strncmp(name, "container.", 10))
		return container_value(w, name + 10, a, out);
	if (!strcmp(name, "user.name"))
		return text(out, a, w->p->user);
	if (!strcmp(name, "user.uid") || !strcmp(name, "user.loginuid")) {
		out->u = name[5] == 'u' ? w->p->uid : UINT32_MAX;
		return true;
	}
	if (!strncmp(name, "thread.cap", 10))
		return text(out, a, w->p->uid ? "" : "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_KILL "
						     "CAP_SETGID CAP_SETUID CAP_NET_BIND_SERVICE CAP_SYS_CHROOT");
	if (!strncmp(name, "evt.", 4) && !multi) {
		struct shk_event ev = e->ev;
		struct shk_eval_ctx ctx = { .ev = &ev };

		ev.arena = a;
		return shk_field_get(&ctx, ref, out);
	}
	return false;
}
