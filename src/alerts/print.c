// SPDX-License-Identifier: Apache-2.0
#include "alerts/print.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>

#include "base/clean.h"

#define DEPTH_MAX   8
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS    "\xe2\x80\xa6" /* U+2026 */

size_t shk_utf8_len(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;
	unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t len;

	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4) /* continuation, overlong, past U+10FFFF */
		return 0;
	len = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (u[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (u[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (u[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (u[0] == 0xf4)
		high = 0x8f; /* past U+10FFFF */
	if (n < len || u[1] < low || u[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

struct shk_str shk_utf8_cut(struct shk_str s, size_t max)
{
	size_t n = max;

	if (s.n <= max)
		return s;
	/* A character is at most 4 bytes: three steps back find its first byte. */
	for (unsigned i = 0; i < 3 && n && ((unsigned char)s.p[n] & 0xc0) == 0x80; i++)
		n--;
	/* Not UTF-8 at all here: any place is as good. */
	if (n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n = max;
	return (struct shk_str){ s.p, n };
}

static void put_char(struct shk_buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char *const names[] = {
		['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t",
	};

	if (c == '"' || c == '\\') {
		shk_buf_addc(out, '\\');
		shk_buf_addc(out, (char)c);
	} else if (c < SHK_ARRAY_SIZE(names) && names[c]) {
		shk_buf_adds(out, names[c]);
	} else {
		shk_buf_adds(out, "\\u00");
		shk_buf_addc(out, hex[c >> 4]);
		shk_buf_addc(out, hex[c & 15]);
	}
}

static bool plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void shk_print_json_str(struct shk_buf *out, struct shk_str s, struct shk_print_caps *caps)
{
	struct shk_str v = shk_utf8_cut(s, caps->str);
	size_t i = 0;

	shk_buf_addc(out, '"');
	while (i < v.n && !out->failed) {
		size_t run = i, len;

		while (run < v.n && plain((unsigned char)v.p[run]))
			run++;
		shk_buf_add(out, v.p + i, run - i);
		i = run;
		if (i == v.n)
			break;
		if ((unsigned char)v.p[i] < 0x80) {
			put_char(out, (unsigned char)v.p[i++]);
			continue;
		}
		len = shk_utf8_len(v.p + i, v.n - i);
		if (len)
			shk_buf_add(out, v.p + i, len);
		else
			shk_buf_adds(out, REPLACEMENT);
		i += len ? len : 1;
	}
	if (v.n < s.n) {
		shk_buf_adds(out, ELLIPSIS);
		caps->cut = true;
	}
	shk_buf_addc(out, '"');
}

static void print_value(struct shk_buf *out, struct json_object *o, struct shk_print_caps *caps,
			unsigned depth);

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_object(struct shk_buf *out, struct json_object *o, struct shk_print_caps *caps,
			 unsigned depth)
{
	size_t n = (size_t)json_object_object_length(o), i = 0;
	_cleanup_free_ const char **keys = calloc(n ? n : 1, sizeof(*keys));

	if (!keys) {
		out->failed = true;
		return;
	}
	json_object_object_foreach(o, key, val)
	{
		(void)val;
		if (i < n)
			keys[i++] = key;
	}
	qsort(keys, i, sizeof(*keys), by_bytes);
	shk_buf_addc(out, '{');
	for (size_t k = 0; k < i && !out->failed; k++) {
		if (k)
			shk_buf_addc(out, ',');
		shk_print_json_str(out, shk_str(keys[k]), caps);
		shk_buf_addc(out, ':');
		print_value(out, json_object_object_get(o, keys[k]), caps, depth + 1);
	}
	shk_buf_addc(out, '}');
}

static void print_array(struct shk_buf *out, struct json_object *o, struct shk_print_caps *caps,
			unsigned depth)
{
	size_t n = json_object_array_length(o), shown = SHK_MIN(n, caps->items);

	if (shown < n)
		caps->cut = true;
	shk_buf_addc(out, '[');
	for (size_t i = 0; i < shown && !out->failed; i++) {
		if (i)
			shk_buf_addc(out, ',');
		print_value(out, json_object_array_get_idx(o, i), caps, depth + 1);
	}
	shk_buf_addc(out, ']');
}

static void print_number(struct shk_buf *out, struct json_object *o)
{
	int64_t i = json_object_get_int64(o);

	/* json-c holds signed and unsigned numbers under one type; each getter clamps the other. */
	if (i < 0)
		shk_buf_printf(out, "%" PRId64, i);
	else
		shk_buf_printf(out, "%" PRIu64, json_object_get_uint64(o));
}

static void print_value(struct shk_buf *out, struct json_object *o, struct shk_print_caps *caps,
			unsigned depth)
{
	double d;

	if (depth > DEPTH_MAX) {
		caps->cut = true;
		shk_buf_adds(out, "null");
		return;
	}
	switch (json_object_get_type(o)) {
	case json_type_boolean:
		shk_buf_adds(out, json_object_get_boolean(o) ? "true" : "false");
		return;
	case json_type_double:
		d = json_object_get_double(o);
		if (isfinite(d))
			shk_buf_printf(out, "%.17g", d);
		else
			shk_buf_adds(out, "null");
		return;
	case json_type_int:
		print_number(out, o);
		return;
	case json_type_string:
		shk_print_json_str(out,
				   (struct shk_str){ json_object_get_string(o),
						     (size_t)json_object_get_string_len(o) },
				   caps);
		return;
	case json_type_object:
		print_object(out, o, caps, depth);
		return;
	case json_type_array:
		print_array(out, o, caps, depth);
		return;
	case json_type_null:
		break;
	}
	shk_buf_adds(out, "null");
}

void shk_print_json(struct shk_buf *out, struct json_object *o, struct shk_print_caps *caps)
{
	print_value(out, o, caps, 0);
}

void shk_print_line(struct shk_buf *out, struct shk_str s)
{
	for (size_t i = 0; i < s.n && !out->failed;) {
		unsigned char c = (unsigned char)s.p[i];
		size_t len = shk_utf8_len(s.p + i, s.n - i);
		/* C1 controls are U+0080..U+009F: C2 80 .. C2 9F. */
		bool c1 = len == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0;
		uint32_t hidden;

		if (c == '\n' || c == '\t' || c == '\r' || c == '\v' || c == '\f')
			shk_buf_addc(out, ' ');
		else if (!len || c1 || c < 0x20 || c == 0x7f)
			shk_buf_adds(out, REPLACEMENT);
		else if (len > 1 && shk_clean_hidden(s.p + i, s.n - i, &hidden))
			shk_buf_printf(out, "\\u%04" PRIx32, hidden);
		else
			shk_buf_add(out, s.p + i, len);
		i += len ? len : 1;
	}
}
