// SPDX-License-Identifier: Apache-2.0
/*
 * parse.c - an event from its line.
 *
 * In two steps: what the line says, then where in memory the contents lie. Only the second needs all the addresses.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>

#include "event/tlex.h"
#include "event/replay_mem.h"
#include "event/sockaddr.h"
#include "event/text.h"
#include "syscalls/flags.h"

struct value {
	bool given, has_addr, fault, has_bytes, has_list, no_nul;
	enum shk_sockaddr_form sa_form;
	bool is_sa;
	struct shk_str bytes;
	struct shk_strvec list;
};

struct parse {
	struct shk_tlex l;
	struct shk_event *ev;
	struct shk_replay_mem *mem;
	struct value arg[6];
	struct {
		uint64_t addr;
		struct value v;
	} named[SHK_MEM_NAMED];
	size_t n_named;
	bool has_to;
	struct shk_str to; /* the attribute */
	bool has_nr;
};

static int number(struct parse *p, const char *what, uint64_t max, uint64_t *ret)
{
	struct shk_str w = shk_tlex_word(&p->l);

	if (!shk_tlex_number(w, false, ret) || *ret > max)
		return shk_tlex_fail(&p->l, "%s is no number in its range", what);
	return 0;
}

static int parse_time(struct parse *p)
{
	shk_tlex_space(&p->l);
	if (!shk_text_time(shk_tlex_word(&p->l), &p->ev->time_ns))
		return shk_tlex_fail(&p->l, "a time is expected here: SECONDS.NANOSECONDS");
	return 0;
}

static int parse_sensor(struct parse *p)
{
	struct shk_str w = shk_tlex_word(&p->l);

	for (int s = SHK_SENSOR_NOTIFY; s <= SHK_SENSOR_REPLAY; s++) {
		if (shk_str_eqz(w, shk_sensor_name((enum shk_sensor)s))) {
			p->ev->sensor = (enum shk_sensor)s;
			return 0;
		}
	}
	return shk_tlex_fail(&p->l, "unknown sensor; there are notify, module, ptrace, replay");
}

static int parse_abi(struct parse *p)
{
	struct shk_str w = shk_tlex_word(&p->l);

	for (int a = 0; a < SHK_ABI_N; a++) {
		if (shk_str_eqz(w, shk_abi_name((enum shk_abi)a))) {
			p->ev->abi = (enum shk_abi)a;
			return 0;
		}
	}
	return shk_tlex_fail(&p->l, "unknown abi; there are x86_64, i386, x32, arm64");
}

/* object0="..." to object5 */
static int parse_object(struct parse *p, unsigned i)
{
	struct shk_str *o = (struct shk_str *)(uintptr_t)p->ev->object;

	if (!o)
		o = SHK_ARENA_ARRAY(p->l.arena, struct shk_str, 6);
	if (!o)
		return shk_err_set(p->l.err, ENOMEM, "out of memory");
	p->ev->object = o;
	return shk_tlex_quoted(&p->l, &o[i]);
}

/* DOMAIN/TYPE/PROTOCOL */
static int parse_socket(struct parse *p)
{
	struct shk_str w, part;
	int r = shk_tlex_value(&p->l, &w);

	for (unsigned i = 0; r == 0 && i < 3; i++) {
		const char *slash = memchr(w.p, '/', w.n);
		uint64_t v;

		part = (struct shk_str){ w.p, slash ? (size_t)(slash - w.p) : w.n };
		if ((i < 2) != (slash != NULL) || !shk_tlex_number(part, false, &v) || v > INT32_MAX || (!i && !v))
			return shk_tlex_fail(&p->l, "three numbers are expected here: DOMAIN/TYPE/PROTOCOL");
		p->ev->socket[i] = (int)v;
		w.p += part.n + (slash != NULL);
		w.n -= part.n + (slash != NULL);
	}
	return r;
}

/* NAME=... in front of the call. */
static int attribute(struct parse *p, struct shk_str name, struct shk_str *container)
{
	uint64_t v = 0;
	int r;

	if (shk_str_eqz(name, "container"))
		return shk_tlex_value(&p->l, container);
	if (name.n == 7 && shk_str_starts(name, SHK_STR("object")) && name.p[6] >= '0' && name.p[6] <= '5')
		return parse_object(p, (unsigned)(name.p[6] - '0'));
	if (shk_str_eqz(name, "sensor"))
		return parse_sensor(p);
	if (shk_str_eqz(name, "abi"))
		return parse_abi(p);
	if (shk_str_eqz(name, "socket"))
		return parse_socket(p);
	if (shk_str_eqz(name, "to")) {
		p->has_to = true;
		return shk_tlex_quoted(&p->l, &p->to);
	}
	if (shk_str_eqz(name, "num")) {
		r = number(p, "num", UINT64_MAX, &v);
		p->ev->num = v;
	} else if (shk_str_eqz(name, "tid")) {
		r = number(p, "tid", INT32_MAX, &v);
		p->ev->tid = (pid_t)v;
	} else if (shk_str_eqz(name, "pid")) {
		r = number(p, "pid", INT32_MAX, &v);
		p->ev->pid = (pid_t)v;
	} else if (shk_str_eqz(name, "nr")) {
		r = number(p, "nr", UINT64_MAX, &v);
		if (r == 0 && (int64_t)v != (int32_t)v)
			r = shk_tlex_fail(&p->l, "nr is no call number");
		p->ev->nr = (int32_t)v;
		p->has_nr = true;
	} else if (shk_str_eqz(name, "dev") || shk_str_eqz(name, "ino")) {
		r = number(p, "dev or ino", UINT64_MAX, &v);
		*(name.p[0] == 'd' ? &p->ev->obj_dev : &p->ev->obj_ino) = v;
		p->ev->has_object = true;
	} else {
		r = shk_tlex_fail(&p->l, "unknown attribute; there are num, tid, pid, container, sensor, "
				 "abi, nr, dev, ino, socket, to, object0 to object5");
	}
	return r;
}

/* Attributes up to the word in front of '(', which is *call. */
static int parse_head(struct parse *p, struct shk_str *container, struct shk_str *call)
{
	int r;

	for (;;) {
		struct shk_str w;

		shk_tlex_space(&p->l);
		w = shk_tlex_word(&p->l);
		if (!w.n)
			return shk_tlex_fail(&p->l, "an attribute or a call is expected here");
		if (shk_tlex_eat(&p->l, "(")) {
			*call = w;
			return 0;
		}
		if (shk_tlex_eat(&p->l, "=")) {
			r = attribute(p, w, container);
			if (r < 0)
				return r;
		} else if (shk_str_eqz(w, "unwrapped")) {
			p->ev->unwrapped = true;
		} else {
			return shk_tlex_fail(&p->l, "'=' or '(' is expected here");
		}
	}
}

static int find_call(struct parse *p, struct shk_str name)
{
	struct shk_event *ev = p->ev;

	if (shk_str_eqz(name, "unknown"))
		return p->has_nr ? 0 : shk_tlex_fail(&p->l, "an unknown call needs nr=NUMBER");
	ev->call = shk_syscall_by_name(name);
	if (!ev->call)
		return shk_tlex_fail(&p->l, "no call has this name; 'shrike list syscalls' has all, "
				    "others are written unknown(...) with nr=NUMBER");
	if (p->has_nr)
		return 0;
	ev->nr = ev->call->nr[ev->abi];
	if (ev->nr == -1)
		return shk_tlex_fail(&p->l, "%s has no such call; write another abi=, or nr=NUMBER",
				    shk_abi_name(ev->abi));
	return 0;
}

/* Kinds of the kernel's int: negative numbers fill the lower half alone. */
static bool is_int32(const struct shk_event *ev, enum shk_arg_kind k)
{
	return k == SHK_ARG_FD || k == SHK_ARG_DIRFD || k == SHK_ARG_PID || k == SHK_ARG_SIGNAL ||
	       k == SHK_ARG_UID || k == SHK_ARG_GID || ev->abi == SHK_ABI_I386;
}

static int parse_register(struct parse *p, const struct shk_arg_desc *d, struct shk_str w, uint64_t *ret)
{
	enum shk_arg_kind k = d ? d->kind : SHK_ARG_HEX;
	uint64_t v;
	bool ok;

	if ((k == SHK_ARG_FD || k == SHK_ARG_DIRFD) && shk_str_eqz(w, "AT_FDCWD")) {
		v = (uint32_t)AT_FDCWD;
		ok = true;
	} else if (k == SHK_ARG_FLAGS || k == SHK_ARG_ENUM) {
		ok = shk_flags_parse(d->flags, w, &v);
	} else {
		ok = shk_tlex_number(w, k == SHK_ARG_MODE, &v);
	}
	if (!ok)
		return shk_tlex_fail(&p->l, "no value of this argument; a number always is");
	if (w.p[0] == '-' && is_int32(p->ev, k) && (int64_t)v >= INT32_MIN)
		v = (uint32_t)v;
	if (p->ev->abi == SHK_ABI_I386 && v > UINT32_MAX)
		return shk_tlex_fail(&p->l, "more than 32 bits in a call of i386");
	*ret = v;
	return 0;
}

static int parse_open_how(struct parse *p, struct shk_str *ret)
{
	static const char *const lists[] = { "open_flags", NULL, "openat2_resolve" };
	static const char *const names[] = { "flags", "mode", "resolve" };
	uint64_t v[3] = { 0 };
	unsigned i;

	for (;;) {
		struct shk_str w;
		bool ok;

		shk_tlex_space(&p->l);
		if (shk_tlex_eat(&p->l, "}"))
			break;
		w = shk_tlex_word(&p->l);
		for (i = 0; i < SHK_ARRAY_SIZE(names) && !shk_str_eqz(w, names[i]); i++)
			;
		if (i == SHK_ARRAY_SIZE(names) || !shk_tlex_eat(&p->l, "="))
			return shk_tlex_fail(&p->l, "flags=, mode= or resolve= is expected here");
		w = shk_tlex_word(&p->l);
		ok = lists[i] ? shk_flags_parse(shk_flag_list_by_name(shk_str(lists[i])), w, &v[i]) :
				shk_tlex_number(w, true, &v[i]);
		if (!ok)
			return shk_tlex_fail(&p->l, "no value of %s", names[i]);
	}
	*ret = shk_arena_str(p->l.arena, (struct shk_str){ (const char *)v, sizeof(v) });
	return ret->p ? 0 : shk_err_set(p->l.err, ENOMEM, "out of memory");
}

static int parse_content(struct parse *p, struct value *v)
{
	int r;

	if (shk_tlex_eat(&p->l, "fault")) {
		v->fault = true;
		return 0;
	}
	if (p->l.p < p->l.end && *p->l.p == '[') {
		v->has_list = true;
		return shk_tlex_list(&p->l, &v->list);
	}
	v->has_bytes = true;
	if (shk_tlex_eat(&p->l, "{"))
		return parse_open_how(p, &v->bytes);
	v->is_sa = true;
	if (shk_tlex_eat(&p->l, "inet6"))
		v->sa_form = SHK_SOCKADDR_INET6;
	else if (shk_tlex_eat(&p->l, "inet"))
		v->sa_form = SHK_SOCKADDR_INET;
	else if (shk_tlex_eat(&p->l, "unix"))
		v->sa_form = SHK_SOCKADDR_UNIX;
	else
		v->is_sa = false;
	r = shk_tlex_quoted(&p->l, &v->bytes);
	if (r == 0 && shk_tlex_eat(&p->l, "..."))
		v->no_nul = true;
	return r;
}

static bool content_begins(const struct shk_tlex *l)
{
	static const char *const begins[] = { "\"", "[", "{", "inet\"", "inet6\"", "unix\"", "fault" };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(begins); i++)
		if (shk_str_starts((struct shk_str){ l->p, (size_t)(l->end - l->p) },
				   shk_str(begins[i])))
			return true;
	return false;
}

/* [ADDRESS][:CONTENT], or the register alone. */
static int parse_value(struct parse *p, const struct shk_arg_desc *d, struct value *v, uint64_t *reg)
{
	struct shk_str w;
	int r;

	if (content_begins(&p->l))
		return parse_content(p, v);
	w = shk_tlex_word(&p->l);
	if (!w.n)
		return shk_tlex_fail(&p->l, "a value is expected here");
	r = parse_register(p, d, w, reg);
	if (r < 0)
		return r;
	v->has_addr = true;
	return shk_tlex_eat(&p->l, ":") ? parse_content(p, v) : 0;
}

static int parse_named_mem(struct parse *p)
{
	struct value *v = &p->named[p->n_named].v;
	int r;

	if (p->n_named == SHK_MEM_NAMED)
		return shk_tlex_fail(&p->l, "more than %u times mem=", SHK_MEM_NAMED);
	r = parse_value(p, NULL, v, &p->named[p->n_named].addr);
	if (r < 0)
		return r;
	if (!v->has_addr || !v->has_bytes)
		return shk_tlex_fail(&p->l, "mem needs an address and bytes: mem=0x1000:\"...\"");
	p->n_named++;
	return 0;
}

static int parse_one_arg(struct parse *p, unsigned position)
{
	struct shk_event *ev = p->ev;
	struct shk_str w;
	int i = (int)position;

	if (ev->call || shk_str_starts((struct shk_str){ p->l.p, (size_t)(p->l.end - p->l.p) },
				       SHK_STR("mem="))) {
		w = shk_tlex_word(&p->l);
		if (!shk_tlex_eat(&p->l, "="))
			return shk_tlex_fail(&p->l, "NAME=VALUE is expected here");
		i = ev->call ? shk_syscall_arg(ev->call, w) : -1;
		if (i < 0 && shk_str_eqz(w, "mem"))
			return parse_named_mem(p);
		if (i < 0)
			return shk_tlex_fail(&p->l, "%s has no such argument", ev->call->name);
	}
	if (i >= 6 || p->arg[i].given)
		return shk_tlex_fail(&p->l, "argument given twice, or more than six");
	p->arg[i].given = true;
	return parse_value(p, ev->call ? &ev->call->arg[i] : NULL, &p->arg[i], &ev->raw[i]);
}

static int parse_args(struct parse *p)
{
	int r;

	shk_tlex_space(&p->l);
	if (shk_tlex_eat(&p->l, ")"))
		return 0;
	for (unsigned i = 0;; i++) {
		shk_tlex_space(&p->l);
		r = parse_one_arg(p, i);
		if (r < 0)
			return r;
		shk_tlex_space(&p->l);
		if (shk_tlex_eat(&p->l, ")"))
			return 0;
		if (!shk_tlex_eat(&p->l, ","))
			return shk_tlex_fail(&p->l, "',' or ')' is expected here");
	}
}

static int parse_result(struct parse *p)
{
	struct shk_event *ev = p->ev;
	struct shk_str w;
	char name[32];
	uint64_t v;
	int e;

	shk_tlex_space(&p->l);
	if (p->l.p == p->l.end)
		return 0;
	ev->attempt = shk_tlex_eat(&p->l, "~");
	if (!ev->attempt && !shk_tlex_eat(&p->l, "="))
		return shk_tlex_fail(&p->l, "'= RESULT', '~ RESULT' or the end of the line is expected here");
	shk_tlex_space(&p->l);
	w = shk_tlex_word(&p->l);
	if (!w.n && ev->attempt)
		goto end;
	ev->has_ret = true;
	if (w.n > 1 && w.n < sizeof(name) && w.p[0] == '-' && w.p[1] == 'E') {
		memcpy(name, w.p + 1, w.n - 1);
		name[w.n - 1] = '\0';
		e = shk_errno_value(name);
		if (e < 0)
			return shk_tlex_fail(&p->l, "unknown error name");
		ev->ret = -e;
	} else if (shk_tlex_number(w, false, &v)) {
		ev->ret = (int64_t)v;
	} else {
		return shk_tlex_fail(&p->l, "a result is a number or an error as -ENOENT");
	}
end:
	shk_tlex_space(&p->l);
	return p->l.p == p->l.end ? 0 : shk_tlex_fail(&p->l, "the line should end here");
}

static int no_room(struct parse *p)
{
	return shk_tlex_fail(&p->l, "a content lies behind the end of memory, or there are too many");
}

/* The pointers of a vector, and its strings somewhere. */
static int put_list(struct parse *p, struct value *v, uint64_t *addr)
{
	unsigned size = shk_event_ptr_size(p->ev);
	size_t n = v->list.n, slots = n + 1 + v->list.truncated, bytes = 0, at = 0;
	char *table, *text;
	uint64_t base;

	for (size_t i = 0; i < n; i++)
		bytes += v->list.v[i].n + 1;
	table = shk_arena_alloc(p->l.arena, slots * size);
	text = shk_arena_alloc_raw(p->l.arena, bytes);
	if (!table || !text)
		return shk_err_set(p->l.err, ENOMEM, "out of memory");
	base = shk_replay_mem_place(p->mem, bytes);
	for (size_t i = 0; i < n; i++) {
		uint64_t ptr = base + at;

		memcpy(table + i * size, &ptr, size); /* little-endian, as args.c reads it */
		memcpy(text + at, v->list.v[i].p, v->list.v[i].n);
		at += v->list.v[i].n;
		text[at++] = '\0';
	}
	/* One more that is not NULL: the reader stops there, at its limit or at a hole. */
	if (v->list.truncated)
		memcpy(table + n * size, &(uint64_t){ 1 }, size);
	if (!v->has_addr)
		*addr = shk_replay_mem_place(p->mem, slots * size);
	return shk_replay_mem_put(p->mem, *addr, (struct shk_str){ table, slots * size }) &&
		       (!bytes || shk_replay_mem_put(p->mem, base, (struct shk_str){ text, bytes })) ?
		       0 : no_room(p);
}

static int encode_sockaddr(struct parse *p, struct value *v, uint64_t size)
{
	unsigned char sa[SHK_SOCKADDR_MAX];
	/* A longer length than any address has (EINVAL): what is read of it is as long as can be. */
	size_t n = shk_sockaddr_encode(v->sa_form, v->bytes,
				       (size_t)SHK_MIN(size, (uint64_t)SHK_SOCKADDR_MAX), sa);

	if (!n)
		return shk_tlex_fail(&p->l, "no address of this family; write inet\"1.2.3.4:80\", "
				    "inet6\"[::1]:80\" or unix\"/path\"");
	v->bytes = shk_arena_str(p->l.arena, (struct shk_str){ (const char *)sa, n });
	return v->bytes.p ? 0 : shk_err_set(p->l.err, ENOMEM, "out of memory");
}

/* Content of argument i into memory; its address and length into the registers where the line leaves them
 * out. */
static int place_arg(struct parse *p, unsigned i)
{
	const struct shk_arg_desc *d = &p->ev->call->arg[i];
	bool text = d->kind == SHK_ARG_PATH || d->kind == SHK_ARG_STRING;
	struct value *v = &p->arg[i];
	bool len_given = d->len_arg >= 0 && p->arg[d->len_arg].given;
	int r;

	p->mem->shown[i] = v->fault ? SHK_MEM_FAULT : v->has_bytes || v->has_list ? SHK_MEM_CONTENT :
										   SHK_MEM_ADDRESS;
	if ((v->fault || v->has_bytes || v->has_list) && !shk_arg_kind_follows(d->kind))
		return shk_tlex_fail(&p->l, "%s is no pointer; write its number", d->name);
	if (v->has_list != (d->kind == SHK_ARG_STRVEC) && (v->has_list || v->has_bytes))
		return shk_tlex_fail(&p->l, "%s: %s", d->name, v->has_list ?
				    "this argument is no list" : "this argument is a list: [\"...\"]");
	if (v->fault && !v->has_addr)
		p->ev->raw[i] = shk_replay_mem_place(p->mem, 1);
	if (v->has_list)
		return put_list(p, v, &p->ev->raw[i]);
	if (!v->has_bytes)
		return 0;
	if (v->is_sa) {
		r = encode_sockaddr(p, v, len_given ? p->ev->raw[d->len_arg] : 0);
		if (r < 0)
			return r;
	}
	if (d->len_arg >= 0 && !len_given)
		p->ev->raw[d->len_arg] = v->bytes.n;
	/* The arena puts a NUL behind each. */
	if (text && !v->no_nul)
		v->bytes.n++;
	if (!v->has_addr)
		p->ev->raw[i] = shk_replay_mem_place(p->mem, v->bytes.n);
	return shk_replay_mem_put(p->mem, p->ev->raw[i], v->bytes) ? 0 : no_room(p);
}

static int place(struct parse *p)
{
	unsigned nargs = p->ev->call ? p->ev->call->nargs : 0;
	uint64_t used[6 + SHK_MEM_NAMED];
	size_t n = 0;
	int r;

	for (unsigned i = 0; i < 6; i++)
		used[n++] = p->ev->raw[i];
	for (size_t i = 0; i < p->n_named; i++)
		used[n++] = p->named[i].addr;
	shk_replay_mem_avoid(p->mem, used, n);
	for (unsigned i = 0; i < 6; i++) {
		struct value *v = &p->arg[i];

		if (i < nargs)
			r = place_arg(p, i);
		else
			r = v->fault || v->has_list || v->has_bytes ?
				    shk_tlex_fail(&p->l, "contents of an unknown call are written as mem=") : 0;
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < p->n_named; i++) {
		struct value *v = &p->named[i].v;

		r = v->is_sa ? encode_sockaddr(p, v, 0) : 0;
		if (r < 0)
			return r;
		if (!shk_replay_mem_put(p->mem, p->named[i].addr, v->bytes))
			return no_room(p);
		p->mem->named[i].addr = p->named[i].addr;
		p->mem->named[i].bytes = v->bytes;
	}
	p->mem->n_named = p->n_named;
	return 0;
}

/* The address of a message, whose header is not there to lead to it. */
static int place_to(struct parse *p)
{
	if (!p->has_to)
		return 0;
	if (!p->ev->call || p->ev->call->id != SHK_CALL_sendmsg || !p->ev->raw[1] || p->mem->shown[1] != SHK_MEM_FAULT)
		return shk_tlex_fail(&p->l, "to is of a sendmsg whose header is :fault");
	p->ev->named.state = SHK_ARG_OK;
	p->ev->named.bytes = p->to;
	return 0;
}

int shk_event_parse(struct shk_str line, struct shk_arena *arena, struct shk_event *ev,
		    struct shk_str *container, struct shk_err *err)
{
	struct parse p = { .l = { line.p, line.p, line.p + line.n, arena, err }, .ev = ev };
	struct shk_str call = { 0 };
	int r;

	*container = (struct shk_str){ 0 };
	shk_event_init(ev, arena);
	ev->sensor = SHK_SENSOR_REPLAY;
	p.mem = SHK_ARENA_NEW(arena, struct shk_replay_mem);
	if (!p.mem)
		return shk_err_set(err, ENOMEM, "out of memory");
	ev->mem = &shk_replay_mem_ops;
	ev->mem_ctx = p.mem;
	shk_tlex_space(&p.l);
	if (!shk_str_eqz(shk_tlex_word(&p.l), "event"))
		return shk_tlex_fail(&p.l, "\"event\" is expected here");
	r = parse_time(&p);
	if (r == 0)
		r = parse_head(&p, container, &call);
	if (r == 0)
		r = find_call(&p, call);
	if (r == 0)
		r = parse_args(&p);
	if (r == 0)
		r = parse_result(&p);
	if (r == 0)
		r = place(&p);
	return r < 0 ? r : place_to(&p);
}
