// SPDX-License-Identifier: Apache-2.0
/*
 * args.c - arguments that lie in the task's memory, read once and kept.
 *
 * A read never crosses a page boundary: the page behind a string may not be mapped, and a call with
 * such a string is valid. What the kernel would refuse by its size alone is not read further.
 */
#include <errno.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/socket.h>

#include "event/event.h"

#define PAGE 4096u
/* Of a string; nearly all paths fit, and one read of this size costs no more than one of 16 bytes. */
#define FIRST_READ 256u
/* struct sockaddr_storage: a longer address is EINVAL (net/socket.c, move_addr_to_kernel). */
#define SOCKADDR_LIMIT 128u

static size_t to_page_end(uint64_t addr)
{
	return PAGE - (size_t)(addr & (PAGE - 1));
}

struct shk_page {
	uint64_t at;
	char bytes[PAGE];
};

static const struct shk_page *page_of(struct shk_event *ev, uint64_t at)
{
	struct shk_page **place = &ev->page[ev->n_pages % SHK_EVENT_PAGES];

	for (unsigned i = 0; i < SHK_MIN(ev->n_pages, SHK_EVENT_PAGES); i++)
		if (ev->page[i]->at == at)
			return ev->page[i];
	if (ev->n_pages < SHK_EVENT_PAGES)
		*place = shk_arena_alloc_raw(ev->arena, sizeof(**place));
	if (!*place)
		return NULL;
	(*place)->at = 1; /* none has this address */
	ev->n_pages++;
	if (ev->mem->read(ev, at, (*place)->bytes, PAGE) != PAGE)
		return NULL;
	(*place)->at = at;
	return *place;
}

/* One read within one page; 0 when nothing is there. */
static size_t read_some(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	const struct shk_page *page = ev->mem && ev->by_page ? page_of(ev, addr - addr % PAGE) : NULL;
	ssize_t r;

	if (page) {
		memcpy(buf, page->bytes + addr % PAGE, n);
		return n;
	}
	r = ev->mem ? ev->mem->read(ev, addr, buf, n) : -EFAULT;

	return r <= 0 ? 0 : SHK_MIN((size_t)r, n);
}

ssize_t shk_event_read(struct shk_event *ev, uint64_t addr, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t want = SHK_MIN(n - done, to_page_end(addr + done));
		size_t got = addr + done < addr ? 0 : read_some(ev, addr + done, (char *)buf + done, want);

		if (got != want) {
			ev->memory_failed = true;
			return -EFAULT;
		}
		done += got;
	}
	return (ssize_t)n;
}

/* A NUL-terminated string into buf[limit]. Sets *len to its length, or to limit when no NUL is there
 * (TRUNCATED). */
static enum shk_arg_state read_text(struct shk_event *ev, uint64_t addr, char *buf, size_t limit,
				    size_t *len)
{
	size_t n = 0;

	while (n < limit) {
		size_t want = SHK_MIN(limit - n, to_page_end(addr + n)), got;
		const char *nul;

		if (n == 0)
			want = SHK_MIN(want, FIRST_READ);
		got = addr + n < addr ? 0 : read_some(ev, addr + n, buf + n, want);
		nul = got ? memchr(buf + n, '\0', got) : NULL;
		if (nul) {
			*len = (size_t)(nul - buf);
			return SHK_ARG_OK;
		}
		if (got != want)
			return SHK_ARG_FAULT;
		n += got;
	}
	*len = limit;
	return SHK_ARG_TRUNCATED;
}

static void arg_text(struct shk_event *ev, struct shk_arg *a, uint64_t addr)
{
	char buf[SHK_PATH_LIMIT];
	size_t n = 0;

	a->state = read_text(ev, addr, buf, sizeof(buf), &n);
	if (a->state == SHK_ARG_FAULT)
		return;
	a->bytes = shk_arena_str(ev->arena, (struct shk_str){ buf, n });
	if (!a->bytes.p)
		a->state = SHK_ARG_FAULT;
}

/* size: what the call says; the first `limit` bytes are kept. */
static void arg_bytes(struct shk_event *ev, struct shk_arg *a, uint64_t addr, uint64_t size,
		      size_t limit, bool more_is_truncated)
{
	size_t n = (size_t)SHK_MIN(size, (uint64_t)limit);
	char *p = shk_arena_alloc_raw(ev->arena, n);

	if (!p || shk_event_read(ev, addr, p, n) < 0) {
		a->state = SHK_ARG_FAULT;
		return;
	}
	a->bytes = (struct shk_str){ p, n };
	a->state = size > limit && more_is_truncated ? SHK_ARG_TRUNCATED : SHK_ARG_OK;
}

/* One pointer of a vector. false: unreadable. */
static bool read_ptr(struct shk_event *ev, uint64_t addr, uint64_t *ret)
{
	uint32_t p32;

	if (shk_event_ptr_size(ev) == 8)
		return shk_event_read(ev, addr, ret, sizeof(*ret)) > 0;
	if (shk_event_read(ev, addr, &p32, sizeof(p32)) < 0)
		return false;
	*ret = p32;
	return true;
}

#define VEC_STEP 32u

/* Pointers are fetched VEC_STEP at a time where the page has them, one by one at its end. */
static size_t read_ptrs(struct shk_event *ev, uint64_t addr, uint64_t *out)
{
	unsigned size = shk_event_ptr_size(ev);
	size_t n = SHK_MIN((size_t)VEC_STEP, to_page_end(addr) / size);
	unsigned char raw[VEC_STEP * 8];

	if (n == 0)
		return read_ptr(ev, addr, out) ? 1 : 0;
	if (addr + n * size < addr)
		return 0;
	n = read_some(ev, addr, raw, n * size) / size;
	for (size_t i = 0; i < n; i++) {
		out[i] = 0;
		memcpy(&out[i], raw + i * size, size); /* little-endian: every ABI of the table is */
	}
	return n;
}

/* Strings of a vector mostly lie next to each other: they are read together, and stay where they were read to. */
struct window {
	uint64_t addr;
	size_t n;
	char *p;	  /* of the event's arena */
	unsigned windows; /* read so far */
};
#define WINDOWS_MAX 8u /* a vector may have each of its strings on another page */

/* The string at addr as far as the window has it, its NUL included. false: it has not. */
static bool in_window(const struct window *w, uint64_t addr, size_t limit, struct shk_str *ret)
{
	size_t at = (size_t)(addr - w->addr);
	const char *nul;

	if (addr < w->addr || addr - w->addr >= w->n)
		return false;
	nul = memchr(w->p + at, '\0', SHK_MIN(w->n - at, limit));
	if (!nul)
		return false;
	*ret = (struct shk_str){ w->p + at, (size_t)(nul - (w->p + at)) };
	return true;
}

static bool open_window(struct shk_event *ev, struct window *w, uint64_t addr)
{
	size_t want = to_page_end(addr);

	if (w->windows++ >= WINDOWS_MAX)
		return false;
	w->n = 0;
	w->p = shk_arena_alloc_raw(ev->arena, want);
	if (!w->p)
		return false;
	w->addr = addr;
	w->n = read_some(ev, addr, w->p, want);
	return w->n;
}

/* One string of a vector. */
static enum shk_arg_state vec_text(struct shk_event *ev, struct window *w, uint64_t addr, size_t limit,
				   struct shk_str *ret)
{
	char buf[SHK_PATH_LIMIT];
	enum shk_arg_state st;
	size_t n = 0;

	if (in_window(w, addr, limit, ret))
		return SHK_ARG_OK;
	if (open_window(ev, w, addr) && in_window(w, addr, limit, ret))
		return SHK_ARG_OK;
	st = read_text(ev, addr, buf, limit, &n);
	if (st == SHK_ARG_FAULT)
		return st;
	*ret = shk_arena_str(ev->arena, (struct shk_str){ buf, n });
	return ret->p ? st : SHK_ARG_FAULT;
}

static void arg_strvec(struct shk_event *ev, struct shk_arg *a, uint64_t addr)
{
	struct shk_str *v = shk_arena_alloc_raw(ev->arena, sizeof(*v) * SHK_ARGV_LIMIT);
	struct window w = { 0 };
	uint64_t ptrs[VEC_STEP];
	size_t n = 0, bytes = 0, have = 0, at = 0;
	bool in_row = true;

	a->state = SHK_ARG_FAULT;
	if (!v)
		return;
	for (;; at++, n++) {
		enum shk_arg_state st;

		if (at == have) {
			have = read_ptrs(ev, addr, ptrs);
			if (!have)
				return;
			addr += have * shk_event_ptr_size(ev);
			at = 0;
		}
		if (!ptrs[at])
			break;
		if (n == SHK_ARGV_LIMIT || bytes >= SHK_ARGV_BYTES) {
			a->vec.truncated = true;
			break;
		}
		st = vec_text(ev, &w, ptrs[at], SHK_MIN((size_t)SHK_PATH_LIMIT, SHK_ARGV_BYTES - bytes), &v[n]);
		if (st == SHK_ARG_FAULT)
			return;
		if (st == SHK_ARG_TRUNCATED)
			a->vec.truncated = true;
		bytes += v[n].n + 1;
		in_row = in_row && (!n || v[n - 1].p + v[n - 1].n + 1 == v[n].p);
	}
	a->vec.v = v;
	a->vec.in_row = in_row;
	a->vec.n = n;
	a->state = a->vec.truncated ? SHK_ARG_TRUNCATED : SHK_ARG_OK;
}

static void arg_read(struct shk_event *ev, const struct shk_arg_desc *d, struct shk_arg *a,
		     uint64_t addr)
{
	uint64_t len = d->len_arg >= 0 ? ev->raw[d->len_arg] : 0;

	switch (d->kind) {
	case SHK_ARG_PATH:
	case SHK_ARG_STRING:
		arg_text(ev, a, addr);
		break;
	case SHK_ARG_STRVEC:
		arg_strvec(ev, a, addr);
		break;
	case SHK_ARG_SOCKADDR:
		/* An int in the kernel: a negative one is refused there and over the limit here. */
		arg_bytes(ev, a, addr, (uint32_t)len, SOCKADDR_LIMIT, true);
		break;
	case SHK_ARG_OPEN_HOW:
		arg_bytes(ev, a, addr, len, sizeof(struct open_how), false);
		break;
	case SHK_ARG_CLONE_ARGS:
		arg_bytes(ev, a, addr, len, sizeof(struct clone_args), false);
		break;
	case SHK_ARG_MSGHDR:
		/* struct msghdr, compat_msghdr */
		len = shk_event_ptr_size(ev) == 8 ? sizeof(struct msghdr) : 28;
		arg_bytes(ev, a, addr, len, (size_t)len, false);
		break;
	default:
		a->state = SHK_ARG_OK; /* the register is all there is */
		break;
	}
}

bool shk_arg_kind_follows(enum shk_arg_kind k)
{
	switch (k) {
	case SHK_ARG_PATH:
	case SHK_ARG_STRING:
	case SHK_ARG_STRVEC:
	case SHK_ARG_SOCKADDR:
	case SHK_ARG_OPEN_HOW:
	case SHK_ARG_CLONE_ARGS:
	case SHK_ARG_MSGHDR:
		return true;
	default:
		return false;
	}
}

const struct shk_arg *shk_event_arg(struct shk_event *ev, unsigned i)
{
	static const struct shk_arg none = { .state = SHK_ARG_NULL };
	const struct shk_arg_desc *d;
	struct shk_arg *a;

	if (!ev->call || i >= ev->call->nargs)
		return &none;
	a = &ev->arg[i];
	if (a->state != SHK_ARG_UNREAD)
		return a;
	*a = (struct shk_arg){ .state = SHK_ARG_NULL };
	d = &ev->call->arg[i];
	if (shk_arg_kind_follows(d->kind)) {
		if (!ev->raw[i])
			return a;
		arg_read(ev, d, a, ev->raw[i]);
		if (a->state == SHK_ARG_FAULT)
			ev->memory_failed = true;
	} else {
		a->state = SHK_ARG_OK;
	}
	return a;
}

/* msg_name and msg_namelen are the first two members of msghdr in both layouts. */
static bool msghdr_name(struct shk_event *ev, const struct shk_arg *hdr, uint64_t *addr, uint32_t *len)
{
	unsigned size = shk_event_ptr_size(ev);

	if (hdr->state != SHK_ARG_OK || hdr->bytes.n < size + sizeof(*len))
		return false;
	*addr = 0;
	memcpy(addr, hdr->bytes.p, size);
	memcpy(len, hdr->bytes.p + size, sizeof(*len));
	return *addr && *len;
}

/* Once for all who ask: what is judged is what a call is carried out with. */
static const struct shk_arg *message_name(struct shk_event *ev)
{
	struct shk_arg *a = &ev->named;
	uint64_t addr;
	uint32_t len;

	if (a->state != SHK_ARG_UNREAD)
		return a;
	a->state = SHK_ARG_NULL;
	/* The kernel cuts a longer name here instead of refusing it. */
	if (msghdr_name(ev, shk_event_arg(ev, 1), &addr, &len))
		arg_bytes(ev, a, addr, len, SOCKADDR_LIMIT, false);
	return a;
}

bool shk_event_sockaddr(struct shk_event *ev, struct shk_str *ret)
{
	const struct shk_arg *a;

	if (!ev->call)
		return false;
	switch (ev->call->id) {
	case SHK_CALL_connect:
	case SHK_CALL_bind:
		a = shk_event_arg(ev, 1);
		break;
	case SHK_CALL_sendto:
		a = shk_event_arg(ev, 4);
		break;
	case SHK_CALL_sendmsg:
		a = message_name(ev);
		break;
	default:
		return false;
	}
	if (a->state != SHK_ARG_OK || !a->bytes.n)
		return false;
	*ret = a->bytes;
	return true;
}
