// SPDX-License-Identifier: Apache-2.0
#include "shrike/rule_files.h"

#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "alerts/print.h"

static int push(struct shk_cli_paths *p, char *path /* taken over */)
{
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 16;
		char **v = realloc(p->v, room * sizeof(*v));

		if (!v) {
			free(path);
			return -ENOMEM;
		}
		p->v = v;
		p->room = room;
	}
	if (!path)
		return -ENOMEM;
	p->v[p->n++] = path;
	return 0;
}

static int is_yaml(const struct dirent *e)
{
	struct shk_str s = shk_str(e->d_name);

	return e->d_name[0] != '.' &&
	       (shk_str_ends(s, SHK_STR(".yaml")) || shk_str_ends(s, SHK_STR(".yml")));
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

int shk_cli_paths_add(struct shk_cli_paths *p, const char *path, struct shk_err *err)
{
	struct dirent **e;
	struct stat st;
	int n, r = 0;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		r = push(p, strdup(path));
		return r < 0 ? shk_err_sys(err, ENOMEM, "%s", path) : 0;
	}
	n = scandir(path, &e, is_yaml, by_name);
	if (n < 0)
		return shk_err_sys(err, errno, "%s", path);
	for (int i = 0; i < n; i++) {
		char *full = NULL;

		if (r >= 0 && asprintf(&full, "%s/%s", path, e[i]->d_name) < 0)
			r = -ENOMEM;
		if (r >= 0 && stat(full, &st) == 0 && S_ISREG(st.st_mode))
			r = push(p, full);
		else
			free(full);
		free(e[i]);
	}
	free(e);
	return r < 0 ? shk_err_sys(err, -r, "%s", path) : 0;
}

void shk_cli_paths_done(struct shk_cli_paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	*p = (struct shk_cli_paths){ 0 };
}

/* ---- Falco's shape ---- */

static const struct {
	const char *code, *means;
} codes[] = {
	{ "LOAD_ERR_FILE_READ", "the file cannot be read" },
	{ "LOAD_ERR_YAML_PARSE", "the file is no YAML" },
	{ "LOAD_ERR_YAML_VALIDATE", "a key is missing, empty or of the wrong kind" },
	{ "LOAD_ERR_COMPILE_CONDITION", "a condition cannot be compiled" },
	{ "LOAD_ERR_COMPILE_OUTPUT", "an output cannot be compiled" },
	{ "LOAD_ERR_VALIDATE", "an item contradicts others, or asks for what there is not" },
	{ "LOAD_UNKNOWN_SOURCE", "no events come from this source" },
	{ "LOAD_UNSAFE_NA_CHECK", "a comparison with <NA> does not do what it seems to do" },
	{ "LOAD_NO_EVTTYPE", "the condition does not say which events it is about" },
	{ "LOAD_UNKNOWN_FILTER", "a rule names a field that does not exist, and is left out" },
	{ "LOAD_UNUSED_MACRO", "no rule and no macro uses the macro" },
	{ "LOAD_UNUSED_LIST", "no condition and no list uses the list" },
	{ "LOAD_UNKNOWN_ITEM", "an item is of no known kind" },
	{ "LOAD_DEPRECATED_ITEM", "something is used that is going to disappear" },
	{ "LOAD_APPEND_NO_VALUES", "nothing is appended to an exception" },
	{ "LOAD_EXCEPTION_NAME_NOT_UNIQUE", "exceptions of one rule have the same name" },
	{ "LOAD_INVALID_MACRO_NAME", "a macro has a name that cannot be used" },
	{ "LOAD_INVALID_LIST_NAME", "a list has a name that cannot be used" },
	{ "LOAD_COMPILE_CONDITION", "a condition may mean something else than it seems to" },
	{ "LOAD_UNKNOWN_KEY", "an item has a key that is not known" },
};

static const char *meaning(const char *code)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(codes); i++)
		if (strcmp(code, codes[i].code) == 0)
			return codes[i].means;
	return "";
}

/* A file that is no YAML may be no UTF-8 either, which JSON must be. */
static struct json_object *text(struct shk_str s)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, 4 * s.n + 1);
	for (size_t i = 0, len; i < s.n; i += len ? len : 1) {
		unsigned char c = (unsigned char)s.p[i];

		len = c < 0x80 ? 1 : shk_utf8_len(s.p + i, s.n - i);
		if (len)
			shk_buf_add(&b, s.p + i, len);
		else
			shk_buf_adds(&b, "\xef\xbf\xbd");
	}
	return json_object_new_string_len(b.n ? b.p : "", (int)b.n);
}

static void set(struct json_object *o, const char *key, struct json_object *v)
{
	json_object_object_add(o, key, v);
}

static struct json_object *locations(const struct shk_diag *d)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; i < d->n_loc; i++) {
		struct json_object *o = json_object_new_object(), *p = json_object_new_object();

		set(p, "name", text(d->loc[i].name));
		set(p, "line", json_object_new_int64(d->loc[i].line));
		set(p, "column", json_object_new_int64(d->loc[i].column));
		set(p, "offset", json_object_new_int64(d->loc[i].offset));
		set(o, "item_type", text(d->loc[i].item_type));
		set(o, "item_name", text(d->loc[i].item_name));
		set(o, "position", p);
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *snippet(const struct shk_diag *d)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, 65536);
	shk_buf_addstr(&b, d->snippet);
	if (d->caret)
		shk_buf_printf(&b, "\n%*s\n", (int)d->caret, "^");
	return text(b.n ? shk_buf_view(&b) : (struct shk_str){ 0 });
}

static struct json_object *entry(const struct shk_diag *d)
{
	struct json_object *o = json_object_new_object(), *context = json_object_new_object();

	set(o, "code", json_object_new_string(d->code));
	set(o, "codedesc", json_object_new_string(meaning(d->code)));
	set(o, "message", text(d->message));
	if (d->hint.n)
		set(o, "hint", text(d->hint));
	set(o, "file", text(d->file));
	set(o, "line", json_object_new_int64(d->line));
	set(o, "column", json_object_new_int64(d->column));
	set(context, "locations", locations(d));
	set(context, "snippet", snippet(d));
	set(o, "context", context);
	return o;
}

struct json_object *shk_cli_load_result(const char *name, const struct shk_schema *schema,
					const struct shk_diag *d, size_t n)
{
	struct json_object *o = json_object_new_object(), *errors = json_object_new_array(),
			   *warnings = json_object_new_array();
	bool good = true;

	for (size_t i = 0; i < n; i++) {
		good &= !d[i].error;
		json_object_array_add(d[i].error ? errors : warnings, entry(&d[i]));
	}
	set(o, "name", json_object_new_string(name));
	set(o, "successful", json_object_new_boolean(good));
	if (schema && schema->status != SHK_SCHEMA_NONE) {
		struct json_object *all = json_object_new_array();
		bool valid = schema->status == SHK_SCHEMA_OK;

		for (size_t i = 0; !valid && i < schema->n; i++)
			json_object_array_add(all, text(shk_str(schema->warning[i])));
		set(o, "schema_valid", json_object_new_boolean(valid));
		set(o, "schema_warnings", all);
	}
	set(o, "errors", errors);
	set(o, "warnings", warnings);
	return o;
}
