// SPDX-License-Identifier: Apache-2.0
#include "engine/config.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <syslog.h>
#include "control/places.h"
#include "engine/config_impl.h"

static const struct shk_config_word levels[] = {
	{ "error", LOG_ERR },	{ "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO },	{ "debug", LOG_DEBUG },	    { NULL, 0 },
};
static const struct shk_config_word module_words[] = { { "auto", 1 }, { "off", 0 }, { NULL, 0 } };
static const struct shk_config_word times[] = { { "local", 0 }, { "iso8601", 1 }, { NULL, 0 } };
int shk_config_fail(const struct shk_config_reader *r, const yaml_mark_t *m, const char *fmt, ...)
{
	char text[SHK_ERR_TEXT_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return shk_err_set(r->err, EINVAL, "%s:%zu:%zu: %s", r->name, m->line + 1, m->column + 1,
			   text);
}

yaml_node_t *shk_config_node(const struct shk_config_reader *r, int index)
{
	return yaml_document_get_node(r->doc, index);
}

/* "; did you mean `x'?" or the list of what is possible. */
void shk_config_hint(struct shk_str got, const struct shk_config_word *w, char *out, size_t size)
{
	unsigned best = 4;
	const char *name = NULL;

	for (const struct shk_config_word *i = w; i->name; i++) {
		unsigned d = shk_str_distance(got, shk_str(i->name), best);

		if (d < best) {
			best = d;
			name = i->name;
		}
	}
	if (name) {
		snprintf(out, size, "did you mean '%s'?", name);
		return;
	}
	int n = snprintf(out, size, "one of");

	for (const struct shk_config_word *i = w; i->name && n > 0 && (size_t)n < size; i++)
		n += snprintf(out + n, size - (size_t)n, "%s %s", i == w ? "" : ",", i->name);
}

int shk_config_scalar(const struct shk_config_reader *r, const yaml_node_t *n, const char *key, struct shk_str *ret)
{
	if (n->type != YAML_SCALAR_NODE)
		return shk_config_fail(r, &n->start_mark, "%s: one value is expected here, not a %s", key,
			       n->type == YAML_SEQUENCE_NODE ? "list" : "mapping");
	*ret = (struct shk_str){ (const char *)n->data.scalar.value, n->data.scalar.length };
	if (memchr(ret->p, 0, ret->n))
		return shk_config_fail(r, &n->start_mark, "%s: a value cannot hold a NUL byte", key);
	return 0;
}

int shk_config_take(const struct shk_config_reader *r, struct shk_str s, char **out)
{
	char *copy = strndup(s.p, s.n);

	if (!copy)
		return shk_err_sys(r->err, ENOMEM, "%s", r->name);
	free(*out);
	*out = copy;
	return 0;
}

static int find_word(const struct shk_config_reader *r, const yaml_node_t *n, const char *where, const char *what,
		     const struct shk_config_word *w, int *out)
{
	struct shk_str s;
	char text[256];
	int rc = shk_config_scalar(r, n, where, &s);

	if (rc < 0)
		return rc;
	for (const struct shk_config_word *i = w; i->name; i++) {
		if (shk_str_eqz(s, i->name)) {
			*out = i->value;
			return 0;
		}
	}
	shk_config_hint(s, w, text, sizeof(text));
	return shk_config_fail(r, &n->start_mark, "%s: unknown %s '" SHK_STR_FMT "'; %s", where, what,
		       (int)SHK_MIN(s.n, 64), s.p, text);
}

int shk_config_parse_word(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
		      const struct shk_config_word *w, int *out)
{
	return find_word(r, n, key, "value", w, out);
}

int shk_config_parse_key(const struct shk_config_reader *r, const yaml_node_t *n, const char *where,
			 const struct shk_config_word *w, int *out)
{
	return find_word(r, n, where, "key", w, out);
}

static int parse_text(const struct shk_config_reader *r, const yaml_node_t *n, const char *key, char **out)
{
	struct shk_str s;
	int rc = shk_config_scalar(r, n, key, &s);

	return rc < 0 ? rc : shk_config_take(r, s, out);
}

int shk_config_parse_path(const struct shk_config_reader *r, const yaml_node_t *n, const char *key, char **out)
{
	struct shk_str s;
	int rc = shk_config_scalar(r, n, key, &s);

	if (rc < 0)
		return rc;
	if (s.n == 0 || s.p[0] != '/')
		return shk_config_fail(r, &n->start_mark,
			       "%s: '" SHK_STR_FMT "' is no absolute path; write it from / on", key,
			       (int)SHK_MIN(s.n, 256), s.p);
	return shk_config_take(r, s, out);
}

static int parse_paths(const struct shk_config_reader *r, const yaml_node_t *n, const char *key, char **out)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	int rc;

	if (n->type == YAML_SCALAR_NODE)
		return shk_config_parse_path(r, n, key, out);
	if (n->type != YAML_SEQUENCE_NODE)
		return shk_config_fail(r, &n->start_mark, "%s: a path or a list of paths is expected", key);
	shk_buf_init(&b, SHK_CONFIG_MAX);
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
		_cleanup_free_ char *one = NULL;

		rc = shk_config_parse_path(r, shk_config_node(r, *i), key, &one);
		if (rc < 0)
			return rc;
		if (b.n)
			shk_buf_addc(&b, ':');
		shk_buf_adds(&b, one);
	}
	if (b.failed)
		return shk_err_sys(r->err, ENOMEM, "%s", r->name);
	return shk_config_take(r, b.n ? shk_buf_view(&b) : SHK_STR(""), out);
}

static int parse_path(const struct shk_config_reader *r, const yaml_node_t *n, const char *key, char **out)
{
	return shk_config_parse_path(r, n, key, out);
}

static int parse_level(const struct shk_config_reader *r, const yaml_node_t *n, const char *key, int *out)
{
	return shk_config_parse_word(r, n, key, levels, out);
}

static int parse_time(const struct shk_config_reader *r, const yaml_node_t *n, const char *key, int *out)
{
	return shk_config_parse_word(r, n, key, times, out);
}

static int parse_module(const struct shk_config_reader *r, const yaml_node_t *n, const char *key, int *out)
{
	return shk_config_parse_word(r, n, key, module_words, out);
}

struct unit {
	const char *name;
	uint64_t factor;
};

static int parse_amount(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			const struct unit *units, const char *example, uint64_t *out)
{
	size_t digits = 0;
	struct shk_str s;
	uint64_t v;
	int rc = shk_config_scalar(r, n, key, &s);

	if (rc < 0)
		return rc;
	while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (digits && shk_str_to_u64((struct shk_str){ s.p, digits }, &v)) {
		struct shk_str unit = { s.p + digits, s.n - digits };

		for (const struct unit *u = units; u->name; u++) {
			if (!(unit.n ? shk_str_eqz(unit, u->name) : !*u->name || !v) ||
			    v > UINT64_MAX / 2 / u->factor)
				continue;
			*out = v * u->factor;
			return 0;
		}
	}
	return shk_config_fail(r, &n->start_mark, "%s: '" SHK_STR_FMT "' is not understood; write %s", key,
			       (int)SHK_MIN(s.n, 64), s.p, example);
}

static const struct unit durations[] = {
	{ "d", 86400000000000ull }, { "h", 3600000000000ull }, { "m", 60000000000ull },
	{ "s", 1000000000ull },	    { "ms", 1000000ull },      { NULL, 0 },
};
static const struct unit sizes[] = {
	{ "G", 1ull << 30 }, { "M", 1ull << 20 }, { "K", 1ull << 10 }, { "", 1 }, { NULL, 0 },
};

int shk_config_parse_duration(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			      uint64_t *out)
{
	return parse_amount(r, n, key, durations, "a number with a unit, as 250ms, 10s, 5m, 2h, 7d", out);
}

int shk_config_parse_size(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			  uint64_t *out)
{
	return parse_amount(r, n, key, sizes, "a number, with K, M or G if you like, as 64M", out);
}

static void put_amount(struct shk_buf *out, uint64_t v, const struct unit *units)
{
	const struct unit *u = units;

	while (u[1].name && (!v || v % u->factor))
		u++;
	shk_buf_printf(out, "%llu%s", (unsigned long long)(v / u->factor), v ? u->name : "");
}

void shk_config_put_duration(struct shk_buf *out, uint64_t ns)
{
	put_amount(out, ns, durations);
}

void shk_config_put_size(struct shk_buf *out, uint64_t bytes)
{
	put_amount(out, bytes, sizes);
}

static int parse_duration(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			  uint64_t *out)
{
	return shk_config_parse_duration(r, n, key, out);
}

static int parse_size(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
		      uint64_t *out)
{
	return shk_config_parse_size(r, n, key, out);
}

/* Loopback alone: what is served names containers and programs. */
static int parse_listen(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			char **out)
{
	struct shk_str s;
	uint64_t port;
	int rc = shk_config_scalar(r, n, key, &s);

	if (rc < 0)
		return rc;
	if (s.n && s.p[0] != '/' && (!shk_str_to_u64(s, &port) || !port || port > 65535))
		return shk_config_fail(r, &n->start_mark, "%s: '" SHK_STR_FMT "' is neither the absolute path of a "
				       "socket nor a port (1 to 65535, on the loopback interface)", key,
				       (int)SHK_MIN(s.n, 64), s.p);
	return shk_config_take(r, s, out);
}

/* ---- top level ---- */

enum {
#define KEY_ID(kind, member, otherwise, doc) KEY_##member,
	SHK_CONFIG_KEYS(KEY_ID)
#undef KEY_ID
	KEY_outputs,
	KEY_append_output,
	KEY_static_fields,
	KEY_N
};

static const struct shk_config_word keys[] = {
#define KEY_WORD(kind, member, otherwise, doc) { #member, KEY_##member },
	SHK_CONFIG_KEYS(KEY_WORD)
#undef KEY_WORD
	{ "outputs", KEY_outputs },
	{ "append_output", KEY_append_output },
	{ "static_fields", KEY_static_fields },
	{ NULL, 0 },
};

static int parse_key(const struct shk_config_reader *r, int key, const yaml_node_t *v, struct shk_config *c)
{
	switch (key) {
#define KEY_CASE(kind, member, otherwise, doc)                                                     \
	case KEY_##member:                                                                         \
		return parse_##kind(r, v, #member, &c->member);
		SHK_CONFIG_KEYS(KEY_CASE)
#undef KEY_CASE
	case KEY_append_output:
	case KEY_static_fields:
		return 0; /* read in the end: shk_config_read_output */
	default:
		return shk_config_parse_outputs(r, v, c);
	}
}

static int parse_document(const struct shk_config_reader *r, struct shk_config *c)
{
	const yaml_node_t *root = yaml_document_get_root_node(r->doc);
	bool seen[KEY_N] = { false };

	if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return shk_config_fail(r, &root->start_mark, "a configuration is a mapping, 'key: value'");
	for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = shk_config_node(r, p->key);
		struct shk_str name;
		char text[256];
		int key = -1, rc = shk_config_scalar(r, k, "key", &name);

		if (rc < 0)
			return rc;
		for (const struct shk_config_word *w = keys; w->name; w++)
			if (shk_str_eqz(name, w->name))
				key = w->value;
		if (key < 0) {
			shk_config_hint(name, keys, text, sizeof(text));
			return shk_config_fail(r, &k->start_mark, "unknown key '" SHK_STR_FMT "'; %s",
				       (int)SHK_MIN(name.n, 64), name.p, text);
		}
		if (seen[key])
			return shk_config_fail(r, &k->start_mark, "'%s' is given twice; keep one",
				       keys[key].name);
		seen[key] = true;
		rc = parse_key(r, key, shk_config_node(r, p->value), c);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int parse_text_of(const char *name, struct shk_str text, struct shk_config *c,
			 struct shk_err *err)
{
	yaml_document_t doc, second;
	yaml_parser_t parser;
	struct shk_config_reader r = { &doc, name, err };
	int rc;

	if (!yaml_parser_initialize(&parser))
		return shk_err_sys(err, ENOMEM, "%s", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	if (!yaml_parser_load(&parser, &doc)) {
		rc = shk_config_fail(&r, &parser.problem_mark, "%s%s%s",
			     parser.problem ? parser.problem : "not YAML",
			     parser.context ? ", " : "", parser.context ? parser.context : "");
		goto out;
	}
	rc = parse_document(&r, c);
	if (rc == 0 && yaml_document_get_root_node(&doc)) {
		if (!yaml_parser_load(&parser, &second)) {
			rc = shk_config_fail(&r, &parser.problem_mark, "%s",
				     parser.problem ? parser.problem : "not YAML");
		} else {
			const yaml_node_t *n = yaml_document_get_root_node(&second);

			if (n)
				rc = shk_config_fail(&r, &n->start_mark,
					     "a second document begins here; one is enough");
			yaml_document_delete(&second);
		}
	}
	yaml_document_delete(&doc);
out:
	yaml_parser_delete(&parser);
	return rc;
}

/* The defaults are YAML, too: what the manual shows is what is parsed. */
static const char defaults[] =
#define KEY_DEFAULT(kind, member, otherwise, doc) #member ": \"" otherwise "\"\n"
	SHK_CONFIG_KEYS(KEY_DEFAULT)
#undef KEY_DEFAULT
	"outputs: [ syslog, file: { path: /var/log/shrike/alerts.json } ]\n";

void shk_config_put_quoted(struct shk_buf *out, const char *s)
{
	shk_buf_addc(out, '"');
	for (; s && *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			shk_buf_printf(out, "\\%c", ch);
		else if (ch < 0x20 || ch == 0x7f)
			shk_buf_printf(out, "\\x%02x", ch);
		else
			shk_buf_addc(out, (char)ch);
	}
	shk_buf_addc(out, '"');
}

static bool for_user;

void shk_config_for_user(void)
{
	for_user = true;
}

/* Files in the user's own places, and the system's rules behind the user's. */
static int user_defaults(struct shk_config *c, struct shk_err *err)
{
	static const struct {
		const char *before;
		enum shk_place place;
		const char *name, *after;
	} lines[] = {
		{ "policy_dir: ", SHK_PLACE_CONFIG, "policies.d", "\n" },
		{ "control_socket: ", SHK_PLACE_RUNTIME, SHK_CONTROL_NAME, "\n" },
		{ "notify_socket: ", SHK_PLACE_RUNTIME, SHK_NOTIFY_NAME, "\n" },
		{ "spool_dir: ", SHK_PLACE_STATE, "spool", "\n" },
		{ "rules_path: [ ", SHK_PLACE_CONFIG, "rules", ", " SHK_SYSCONFDIR "/rules.d, " SHK_SYSCONFDIR "/rules, " SHK_DATADIR "/rules ]\n" },
		{ "outputs: [ syslog, file: { path: ", SHK_PLACE_STATE, "alerts.json", " } ]\n" },
	};
	_cleanup_buf_ struct shk_buf b = { 0 };
	char path[PATH_MAX];

	shk_buf_init(&b, SHK_CONFIG_MAX);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(lines); i++) {
		int rc = shk_place(lines[i].place, lines[i].name, path, sizeof(path), err);

		if (rc < 0)
			return rc;
		shk_buf_adds(&b, lines[i].before);
		shk_config_put_quoted(&b, path);
		shk_buf_adds(&b, lines[i].after);
	}
	if (b.failed)
		return shk_err_sys(err, ENOMEM, "(defaults)");
	return parse_text_of("(defaults of a user)", shk_buf_view(&b), c, err);
}

int shk_config_load_text(const char *name, struct shk_str text, struct shk_config **ret,
			 struct shk_err *err)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return shk_err_sys(err, ENOMEM, "%s", name);
	shk_arena_init(&c->arena, 4 * SHK_CONFIG_MAX);
	rc = parse_text_of("(defaults)", SHK_STR(defaults), c, err);
	if (rc == 0 && for_user)
		rc = user_defaults(c, err);
	if (rc == 0 && text.n)
		rc = parse_text_of(name, text, c, err);
	if (rc == 0 && text.n)
		rc = shk_config_read_output(c, name, text, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < c->n_outputs; i++)
		c->outputs[i].iso8601 = c->time_format != 0;
	*ret = TAKE_PTR(c);
	return 0;
}

int shk_config_load(const char *path, struct shk_config **ret, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	char usual[PATH_MAX] = SHK_CONFIG_FILE;
	int rc = for_user ? shk_place(SHK_PLACE_CONFIG, SHK_CONFIG_NAME, usual, sizeof(usual), err) : 0;

	if (rc < 0)
		return rc;
	shk_buf_init(&b, SHK_CONFIG_MAX);
	if (!path && access(usual, F_OK) < 0 && errno == ENOENT)
		return shk_config_load_text(usual, SHK_STR(""), ret, err);
	if (!path)
		path = usual;
	rc = shk_read_file(path, &b, err);
	if (rc < 0)
		return rc;
	return shk_config_load_text(path, shk_buf_view(&b), ret, err);
}

void shk_config_free(struct shk_config *c)
{
	if (!c)
		return;
#define KEY_FREE_path(p)  free(p)
#define KEY_FREE_paths(p) free(p)
#define KEY_FREE_text(p)  free(p)
#define KEY_FREE_level(p) (void)(p)
#define KEY_FREE_time(p)  (void)(p)
#define KEY_FREE_size(p)  (void)(p)
#define KEY_FREE_duration(p) (void)(p)
#define KEY_FREE_listen(p) free(p)
#define KEY_FREE_module(p) (void)(p)
#define KEY_FREE(kind, member, otherwise, doc) KEY_FREE_##kind(c->member);
	SHK_CONFIG_KEYS(KEY_FREE)
#undef KEY_FREE
	shk_config_drop_outputs(c);
	shk_arena_done(&c->arena);
	free(c);
}

/* ---- dump ---- */

static void put_path(struct shk_buf *out, char *const *v)
{
	shk_config_put_quoted(out, *v);
}

static void put_paths(struct shk_buf *out, char *const *v)
{
	shk_config_put_quoted(out, *v);
}

static void put_text(struct shk_buf *out, char *const *v)
{
	shk_config_put_quoted(out, *v);
}

const char *shk_config_word_of(const struct shk_config_word *w, int value)
{
	while (w->name && w->value != value)
		w++;
	return w->name ? w->name : "?";
}

static void put_level(struct shk_buf *out, const int *v)
{
	shk_buf_adds(out, shk_config_word_of(levels, *v));
}

static void put_time(struct shk_buf *out, const int *v)
{
	shk_buf_adds(out, shk_config_word_of(times, *v));
}

static void put_module(struct shk_buf *out, const int *v)
{
	shk_buf_adds(out, shk_config_word_of(module_words, *v));
}

static void put_listen(struct shk_buf *out, char *const *v)
{
	shk_config_put_quoted(out, *v);
}

static void put_duration(struct shk_buf *out, const uint64_t *v)
{
	shk_config_put_duration(out, *v);
}

static void put_size(struct shk_buf *out, const uint64_t *v)
{
	shk_config_put_size(out, *v);
}

void shk_config_dump(const struct shk_config *c, struct shk_buf *out)
{
#define KEY_DUMP(kind, member, otherwise, doc)                                                     \
	shk_buf_adds(out, "# " doc "\n" #member ": ");                                             \
	put_##kind(out, &c->member);                                                               \
	shk_buf_addc(out, '\n');
	SHK_CONFIG_KEYS(KEY_DUMP)
#undef KEY_DUMP
	shk_config_dump_outputs(c, out);
	shk_config_dump_output(c, out);
}

/* ---- manual page ---- */

static void doc_key(struct shk_buf *out, const char *name, const char *kind, const char *otherwise, const char *doc)
{
	shk_buf_printf(out, ".It Cm %s : Ar %s\n", name, kind);
	for (size_t i = 0; doc[i]; i++)
		shk_buf_addc(out, i ? doc[i] : (char)(doc[i] >= 'a' && doc[i] <= 'z' ? doc[i] - 'a' + 'A' : doc[i]));
	shk_buf_printf(out, ".\nDefault:\n%s%s .\n", *otherwise ? ".Cm " : "nothing", otherwise);
}

void shk_config_doc(struct shk_buf *out)
{
	shk_buf_adds(out, ".Bl -tag -width Ds\n");
#define KEY_DOC(kind, member, otherwise, doc) doc_key(out, #member, #kind, otherwise, doc);
	SHK_CONFIG_KEYS(KEY_DOC)
#undef KEY_DOC
	shk_buf_adds(out, ".El\n.Pp\nKinds of output:\n");
	shk_config_doc_outputs(out);
}
