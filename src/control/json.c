// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>

#include "control/control.h"

/* Deeper than any OCI config (linux.seccomp.syscalls[].args[] is 6), far from json-c's stack limit. */
#define JSON_DEPTH 64

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct json_object *shk_json_parse(struct shk_str text, size_t max, struct shk_err *err)
{
	struct json_object *o = NULL;
	enum json_tokener_error e;
	struct json_tokener *t;
	size_t end;

	if (text.n > max || text.n > INT_MAX - 1) {
		shk_err_set(err, EMSGSIZE, "JSON text has %zu bytes, the limit is %zu", text.n, max);
		return NULL;
	}
	/* json-c takes a NUL for the end of the text and would ignore what follows. */
	if (text.n && memchr(text.p, 0, text.n)) {
		shk_err_set(err, EBADMSG, "offset %zu: NUL byte in JSON text",
			    (size_t)((const char *)memchr(text.p, 0, text.n) - text.p));
		return NULL;
	}
	t = json_tokener_new_ex(JSON_DEPTH);
	if (!t) {
		shk_err_set(err, ENOMEM, "out of memory");
		return NULL;
	}
	json_tokener_set_flags(t, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(t, text.n ? text.p : "", (int)text.n);
	e = json_tokener_get_error(t);
	end = json_tokener_get_parse_end(t);
	json_tokener_free(t);
	if (e == json_tokener_continue) {
		shk_err_set(err, EBADMSG, "offset %zu: JSON text ends early", text.n);
		goto bad;
	}
	if (e != json_tokener_success) {
		shk_err_set(err, EBADMSG, "offset %zu: %s", end, json_tokener_error_desc(e));
		goto bad;
	}
	while (end < text.n && is_space(text.p[end]))
		end++;
	if (end < text.n) {
		shk_err_set(err, EBADMSG, "offset %zu: text after the JSON object", end);
		goto bad;
	}
	if (!json_object_is_type(o, json_type_object)) {
		shk_err_set(err, EBADMSG, "offset 0: JSON object expected");
		goto bad;
	}
	return o;
bad:
	json_object_put(o);
	return NULL;
}

static struct json_object *member(struct json_object *o, const char *key, json_type type)
{
	struct json_object *v;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v) ||
	    !json_object_is_type(v, type))
		return NULL;
	return v;
}

struct json_object *shk_json_object(struct json_object *o, const char *key)
{
	return member(o, key, json_type_object);
}

struct json_object *shk_json_array(struct json_object *o, const char *key)
{
	return member(o, key, json_type_array);
}

struct shk_str shk_json_str(struct json_object *o, const char *key)
{
	struct json_object *v = member(o, key, json_type_string);

	if (!v)
		return (struct shk_str){ NULL, 0 };
	return (struct shk_str){ json_object_get_string(v), (size_t)json_object_get_string_len(v) };
}

int64_t shk_json_int(struct json_object *o, const char *key, int64_t otherwise)
{
	struct json_object *v = member(o, key, json_type_int);

	return v ? json_object_get_int64(v) : otherwise;
}
