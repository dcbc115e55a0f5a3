// SPDX-License-Identifier: Apache-2.0
/* The first line as an output template, the rest as what a container put into the event: compiling says why
 * not, or what comes out is one line of UTF-8 and JSON. */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>

#include "rules/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct shk_str value;

/* The container's memory holds the value at 4096, and ends with it. */
static ssize_t read_value(struct shk_event *e, uint64_t addr, void *buf, size_t n)
{
	(void)e;
	if (addr < 4096 || addr - 4096 >= value.n)
		return -1;
	n = SHK_MIN(n, value.n - (size_t)(addr - 4096));
	memcpy(buf, value.p + (addr - 4096), n);
	return (ssize_t)n;
}

static const struct shk_mem_ops memory = { .read = read_value };

static void render(const struct shk_output *o, struct shk_str text, struct shk_event *ev)
{
	struct json_object *fields = json_object_new_object();
	struct shk_eval_ctx ctx = { .ev = ev };
	_cleanup_buf_ struct shk_buf out;

	shk_buf_init(&out, 64u << 20);
	shk_output_render(o, &ctx, &out);
	/* Only the template's own characters may steer a terminal. */
	for (size_t i = 0; !out.failed && i < out.n; i++)
		if ((unsigned char)out.p[i] < ' ' && !(text.n && memchr(text.p, out.p[i], text.n)))
			abort();
	if (fields && shk_output_fields(o, &ctx, fields) == 0 &&
	    !json_object_to_json_string(fields))
		abort();
	json_object_put(fields);
	for (size_t i = 0; i < 1000 && shk_output_field(o, i).p; i++)
		if (!shk_output_field(o, i).n)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = size ? (const char *)data : "";
	const char *nl = memchr(p, '\n', size);
	struct shk_str text = { p, nl ? (size_t)(nl - p) : size };
	const struct shk_output *o;
	struct shk_arena load, scratch;
	struct shk_err err = { 0 };
	struct shk_event ev;

	if (size > 65536)
		return 0;
	value = (struct shk_str){ nl ? nl + 1 : "", nl ? size - text.n - 1 : 0 };
	shk_arena_init(&load, 16u << 20);
	shk_arena_init(&scratch, 16u << 20);
	shk_event_init(&ev, &scratch);
	ev.num = 7;
	ev.time_ns = 1700000000000000001;
	ev.call = &shk_syscalls[SHK_CALL_open];
	ev.mem = &memory;
	ev.raw[0] = 4096;
	ev.raw[1] = O_RDWR | O_CREAT;
	ev.raw[2] = 0755;
	ev.has_ret = true;
	ev.ret = 4;
	if (shk_output_compile(&load, text, &o, &err) == 0)
		render(o, text, &ev);
	else if (!err.text[0])
		abort();
	shk_arena_done(&scratch);
	shk_arena_done(&load);
	return 0;
}
