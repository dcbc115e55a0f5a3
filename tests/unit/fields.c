// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "fields.h"

/* ---- an event whose memory is a few strings at small addresses ---- */

static char memory[8192];
static size_t memory_used;
struct shk_arena arena;
struct shk_event ev;
struct shk_container *ctr;
struct shk_eval_ctx ctx;

static ssize_t mem_read(struct shk_event *e, uint64_t addr, void *buf, size_t n)
{
	(void)e;
	if (addr < 4096 || addr >= 4096 + sizeof(memory))
		return -EFAULT;
	n = SHK_MIN(n, 4096 + sizeof(memory) - addr);
	memcpy(buf, memory + (addr - 4096), n);
	return (ssize_t)n;
}

static const struct shk_mem_ops mem_ops = { .read = mem_read };

uint64_t put(const void *p, size_t n)
{
	uint64_t addr = 4096 + memory_used;

	assert_true(memory_used + n <= sizeof(memory));
	memcpy(memory + memory_used, p, n);
	memory_used += (n + 15) & ~15ul;
	return addr;
}

uint64_t put_str(const char *s)
{
	return put(s, strlen(s) + 1);
}

void event(const char *call, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	shk_arena_reset(&arena);
	shk_event_init(&ev, &arena);
	ev.num = 7;
	ev.time_ns = 1700000000000000001ull;
	ev.call = shk_syscall_by_name(shk_str(call));
	assert_non_null(ev.call);
	ev.abi = SHK_ABI_X86_64;
	ev.nr = ev.call->nr[SHK_ABI_X86_64];
	ev.sensor = SHK_SENSOR_NOTIFY;
	ev.attempt = true;
	ev.tid = ev.pid = getpid();
	ev.raw[0] = a;
	ev.raw[1] = b;
	ev.raw[2] = c;
	ev.raw[3] = d;
	ev.raw[4] = e;
	ev.mem = &mem_ops;
	ev.ctr = ctr;
	ctx = (struct shk_eval_ctx){ .ev = &ev, .ctr = ctr };
}

const char *text_of(const char *field)
{
	static struct shk_buf b = { .limit = 65536 };
	struct shk_field_ref ref;
	struct shk_value v;
	struct shk_err err;

	if (shk_field_parse(shk_str(field), &ref, &err) < 0)
		fail_msg("%s: %s", field, err.text);
	shk_buf_reset(&b);
	if (!shk_field_get(&ctx, &ref, &v))
		return "<NA>";
	assert_int_equal(v.type, ref.type);
	shk_value_print(&v, ref.field, &b);
	return b.p ? b.p : "";
}

int setup(void **state)
{
	(void)state;
	shk_arena_init(&arena, 1 << 20);
	memory_used = 0;
	ctr = shk_container_new(1);
	if (!ctr)
		return -1;
	ctr->id = SHK_STR("0123456789ab");
	ctr->full_id = SHK_STR("0123456789abcdef");
	ctr->name = SHK_STR("web");
	ctr->init_pid = getpid();
	pthread_mutex_lock(&ctr->lock);
	return 0;
}

int teardown(void **state)
{
	(void)state;
	pthread_mutex_unlock(&ctr->lock);
	shk_container_unref(ctr);
	shk_arena_done(&arena);
	return 0;
}

bool candidate(const char *field, unsigned k, struct shk_value *v)
{
	struct shk_field_ref ref;

	assert_int_equal(shk_field_parse(shk_str(field), &ref, NULL), 0);
	v->type = ref.type;
	return ref.field->multi(&ctx, &ref, k, v);
}

const char *number(long n)
{
	static char text[32];

	snprintf(text, sizeof(text), "%ld", n);
	return text;
}

void returned(int64_t ret)
{
	ev.attempt = false;
	ev.has_ret = true;
	ev.ret = ret;
	ask_again();
}

void ask_again(void)
{
	ctx = (struct shk_eval_ctx){ .ev = &ev, .ctr = ctx.ctr };
}

void all_missing(const char *class_name, const char *except)
{
	size_t n;
	const struct shk_field *const *all = shk_fields_all(&n);
	unsigned seen = 0;

	for (size_t i = 0; i < n; i++) {
		const struct shk_field *f = all[i];
		bool dotted = f->flags & SHK_F_ARG_DOTTED;
		char text[128];

		snprintf(text, sizeof(text), " %s ", f->name);
		if (strcmp(f->class_name, class_name) != 0 || strstr(except, text))
			continue;
		snprintf(text, sizeof(text), "%s%s", f->name,
			 !(f->flags & SHK_F_ARG_REQUIRED) ? "" : dotted ? ".x" : "[0]");
		if (strcmp(text_of(text), "<NA>") != 0)
			fail_msg("%s is %s", text, text_of(text));
		seen++;
	}
	assert_true(seen > 0);
}
