// SPDX-License-Identifier: Apache-2.0
#include "engine/config.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <syslog.h>
#include <yaml.h>

#include "control/places.h"

struct reader {
	yaml_document_t *doc;
	const char *name;
	struct shk_err *err;
};

struct word {
	const char *name;
	int value;
};

static const struct word levels[] = {
	{ "error", LOG_ERR },	{ "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO },	{ "debug", LOG_DEBUG },	    { NULL, 0 },
};
static const struct word times[] = { { "local", 0 }, { "iso8601", 1 }, { NULL, 0 } };
static const struct word formats[] = { { "text", 0 }, { "json", 1 }, { NULL, 0 } };
static const struct word protocols[] = { { "rfc3164", 0 }, { "rfc5424", 1 }, { NULL, 0 } };
static const struct word kinds[] = {
	{ "stdout", SHK_SINK_STDOUT },	 { "file", SHK_SINK_FILE }, { "syslog", SHK_SINK_SYSLOG },
	{ "program", SHK_SINK_PROGRAM }, { NULL, 0 },
};
static const struct word facilities[] = {
	{ "kern", LOG_KERN },	  { "user", LOG_USER },	    { "mail", LOG_MAIL },
	{ "daemon", LOG_DAEMON }, { "auth", LOG_AUTH },	    { "syslog", LOG_SYSLOG },
	{ "lpr", LOG_LPR },	  { "news", LOG_NEWS },	    { "uucp", LOG_UUCP },
	{ "cron", LOG_CRON },	  { "authpriv", LOG_AUTHPRIV }, { "ftp", LOG_FTP },
	{ "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },
	{ "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 }, { NULL, 0 },
};

static int fail_at(const struct reader *r, const yaml_mark_t *m, const char *fmt, ...)
	SHK_PRINTF(3, 4);
static int fail_at(const struct reader *r, const yaml_mark_t *m, const char *fmt, ...)
{
	char text[SHK_ERR_TEXT_MAX / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return shk_err_set(r->err, EINVAL, "%s:%zu:%zu: %s", r->name, m->line + 1, m->column + 1,
			   text);
}

static yaml_node_t *node_at(const struct reader *r, int index)
{
	return yaml_document_get_node(r->doc, index);
}

/* "; did you mean `x'?" or the list of what is possible. */
static void hint(struct shk_str got, const struct word *w, char *out, size_t size)
{
	unsigned best = 4;
	const char *name = NULL;

	for (const struct word *i = w; i->name; i++) {
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

	for (const struct word *i = w; i->name && n > 0 && (size_t)n < size; i++)
		n += snprintf(out + n, size - (size_t)n, "%s %s", i == w ? "" : ",", i->name);
}

static int scalar(const struct reader *r, const yaml_node_t *n, const char *key, struct shk_str *ret)
{
	if (n->type != YAML_SCALAR_NODE)
		return fail_at(r, &n->start_mark, "%s: one value is expected here, not a %s", key,
			       n->type == YAML_SEQUENCE_NODE ? "list" : "mapping");
	*ret = (struct shk_str){ (const char *)n->data.scalar.value, n->data.scalar.length };
	if (memchr(ret->p, 0, ret->n))
		return fail_at(r, &n->start_mark, "%s: a value cannot hold a NUL byte", key);
	return 0;
}

static int take_string(const struct reader *r, struct shk_str s, char **out)
{
	char *copy = strndup(s.p, s.n);

	if (!copy)
		return shk_err_sys(r->err, ENOMEM, "%s", r->name);
	free(*out);
	*out = copy;
	return 0;
}

static int parse_word(const struct reader *r, const yaml_node_t *n, const char *key,
		      const struct word *w, int *out)
{
	struct shk_str s;
	char text[256];
	int rc = scalar(r, n, key, &s);

	if (rc < 0)
		return rc;
	for (const struct word *i = w; i->name; i++) {
		if (shk_str_eqz(s, i->name)) {
			*out = i->value;
			return 0;
		}
	}
	hint(s, w, text, sizeof(text));
	return fail_at(r, &n->start_mark, "%s: unknown value '" SHK_STR_FMT "'; %s", key,
		       (int)SHK_MIN(s.n, 64), s.p, text);
}

static int parse_text(const struct reader *r, const yaml_node_t *n, const char *key, char **out)
{
	struct shk_str s;
	int rc = scalar(r, n, key, &s);

	return rc < 0 ? rc : take_string(r, s, out);
}

static int parse_path(const struct reader *r, const yaml_node_t *n, const char *key, char **out)
{
	struct shk_str s;
	int rc = scalar(r, n, key, &s);

	if (rc < 0)
		return rc;
	if (s.n == 0 || s.p[0] != '/')
		return fail_at(r, &n->start_mark,
			       "%s: '" SHK_STR_FMT "' is no absolute path; write it from / on", key,
			       (int)SHK_MIN(s.n, 256), s.p);
	return take_string(r, s, out);
}

static int parse_paths(const struct reader *r, const yaml_node_t *n, const char *key, char **out)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	int rc;

	if (n->type == YAML_SCALAR_NODE)
		return parse_path(r, n, key, out);
	if (n->type != YAML_SEQUENCE_NODE)
		return fail_at(r, &n->start_mark, "%s: a path or a list of paths is expected", key);
	shk_buf_init(&b, SHK_CONFIG_MAX);
	for (yaml_node_item_t *i = n->data.sequence.items.start; i < n->data.sequence.items.top; i++) {
		_cleanup_free_ char *one = NULL;

		rc = parse_path(r, node_at(r, *i), key, &one);
		if (rc < 0)
			return rc;
		if (b.n)
			shk_buf_addc(&b, ':');
		shk_buf_adds(&b, one);
	}
	if (b.failed)
		return shk_err_sys(r->err, ENOMEM, "%s", r->name);
	return take_string(r, b.n ? shk_buf_view(&b) : SHK_STR(""), out);
}

static int parse_level(const struct reader *r, const yaml_node_t *n, const char *key, int *out)
{
	return parse_word(r, n, key, levels, out);
}

static int parse_time(const struct reader *r, const yaml_node_t *n, const char *key, int *out)
{
	return parse_word(r, n, key, times, out);
}

/* ---- outputs ---- */

enum { OPT_PATH, OPT_FORMAT, OPT_MIN_PRIORITY, OPT_FACILITY, OPT_PROTOCOL, OPT_SOCKET, OPT_COMMAND };
#define ON(kind) (1u << (kind))
static const struct {
	const char *name;
	unsigned sinks; /* which kinds take it */
} options[] = {
	[OPT_PATH] = { "path", ON(SHK_SINK_FILE) },
	[OPT_FORMAT] = { "format", ~0u },
	[OPT_MIN_PRIORITY] = { "min_priority", ~0u },
	[OPT_FACILITY] = { "facility", ON(SHK_SINK_SYSLOG) },
	[OPT_PROTOCOL] = { "protocol", ON(SHK_SINK_SYSLOG) },
	[OPT_SOCKET] = { "socket", ON(SHK_SINK_SYSLOG) },
	[OPT_COMMAND] = { "command", ON(SHK_SINK_PROGRAM) },
};

static struct shk_sink_config sink_default(int kind)
{
	return (struct shk_sink_config){
		.kind = (__typeof__(((struct shk_sink_config *)0)->kind))kind,
		.json = kind == SHK_SINK_FILE || kind == SHK_SINK_PROGRAM,
		.facility = LOG_AUTHPRIV,
		.min_priority = SHK_PRIO_DEBUG,
	};
}

static void sink_done(struct shk_sink_config *s)
{
	free(s->path);
	free(s->command);
	*s = (struct shk_sink_config){ 0 };
}

static int parse_option(const struct reader *r, size_t o, const yaml_node_t *v,
			struct shk_sink_config *s)
{
	struct shk_str text;
	int value = 0, rc;

	switch (o) {
	case OPT_PATH:
	case OPT_SOCKET:
		return parse_path(r, v, options[o].name, &s->path);
	case OPT_COMMAND:
		return parse_text(r, v, options[o].name, &s->command);
	case OPT_FORMAT:
		rc = parse_word(r, v, options[o].name, formats, &value);
		s->json = value;
		return rc;
	case OPT_PROTOCOL:
		rc = parse_word(r, v, options[o].name, protocols, &value);
		s->rfc5424 = value;
		return rc;
	case OPT_FACILITY:
		return parse_word(r, v, options[o].name, facilities, &s->facility);
	case OPT_MIN_PRIORITY:
		rc = scalar(r, v, options[o].name, &text);
		if (rc == 0 && !shk_priority_parse(text, &s->min_priority))
			rc = fail_at(r, &v->start_mark,
				     "min_priority: unknown priority '" SHK_STR_FMT "'; one of emergency, "
				     "alert, critical, error, warning, notice, informational, debug",
				     (int)SHK_MIN(text.n, 64), text.p);
		return rc;
	}
	return 0;
}

static int parse_options(const struct reader *r, const yaml_node_t *map, const char *kind,
			 struct shk_sink_config *s)
{
	struct word known[SHK_ARRAY_SIZE(options) + 1] = { 0 };
	unsigned seen = 0;
	size_t n = 0;

	for (size_t o = 0; o < SHK_ARRAY_SIZE(options); o++)
		if (options[o].sinks & ON(s->kind))
			known[n++] = (struct word){ options[o].name, (int)o };
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *k = node_at(r, p->key);
		char label[64];
		int o = 0, rc;

		snprintf(label, sizeof(label), "output %s", kind);
		rc = parse_word(r, k, label, known, &o);
		if (rc < 0)
			return rc;
		if (seen & ON(o))
			return fail_at(r, &k->start_mark, "output %s: '%s' is given twice; keep one", kind,
				       options[o].name);
		seen |= ON(o);
		rc = parse_option(r, (size_t)o, node_at(r, p->value), s);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int parse_output(const struct reader *r, const yaml_node_t *n, struct shk_sink_config *s)
{
	const yaml_node_t *k = n, *v = NULL;
	int kind = 0, rc;

	if (n->type == YAML_MAPPING_NODE) {
		if (n->data.mapping.pairs.top - n->data.mapping.pairs.start != 1)
			return fail_at(r, &n->start_mark,
				       "an output is one 'kind: { options }'; begin each with its own '-'");
		k = node_at(r, n->data.mapping.pairs.start->key);
		v = node_at(r, n->data.mapping.pairs.start->value);
	}
	rc = parse_word(r, k, "outputs", kinds, &kind);
	if (rc < 0)
		return rc;
	*s = sink_default(kind);
	if (v && v->type == YAML_MAPPING_NODE)
		rc = parse_options(r, v, kinds[kind].name, s);
	else if (v && (v->type != YAML_SCALAR_NODE || v->data.scalar.length))
		rc = fail_at(r, &v->start_mark, "output %s: options are expected, as { format: json }",
			     kinds[kind].name);
	if (rc == 0 && kind == SHK_SINK_FILE && !s->path)
		rc = fail_at(r, &k->start_mark, "output file: 'path' is missing");
	if (rc == 0 && kind == SHK_SINK_PROGRAM && (!s->command || !*s->command))
		rc = fail_at(r, &k->start_mark, "output program: 'command' is missing");
	if (rc < 0)
		sink_done(s);
	return rc;
}

static void drop_outputs(struct shk_config *c)
{
	for (size_t i = 0; i < c->n_outputs; i++)
		sink_done(&c->outputs[i]);
	free(c->outputs);
	c->outputs = NULL;
	c->n_outputs = 0;
}

static int parse_outputs(const struct reader *r, const yaml_node_t *n, struct shk_config *c)
{
	size_t count;

	if (n->type != YAML_SEQUENCE_NODE)
		return fail_at(r, &n->start_mark, "outputs: a list is expected, one '- kind: ...' each");
	count = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	if (count > SHK_OUTPUTS_MAX)
		return fail_at(r, &n->start_mark, "outputs: more than %d", SHK_OUTPUTS_MAX);
	drop_outputs(c);
	c->outputs = calloc(count ? count : 1, sizeof(*c->outputs));
	if (!c->outputs)
		return shk_err_sys(r->err, ENOMEM, "%s", r->name);
	for (size_t i = 0; i < count; i++) {
		int rc = parse_output(r, node_at(r, n->data.sequence.items.start[i]), &c->outputs[i]);

		if (rc < 0)
			return rc;
		c->n_outputs++;
	}
	return 0;
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

static const struct word keys[] = {
#define KEY_WORD(kind, member, otherwise, doc) { #member, KEY_##member },
	SHK_CONFIG_KEYS(KEY_WORD)
#undef KEY_WORD
	{ "outputs", KEY_outputs },
	{ "append_output", KEY_append_output },
	{ "static_fields", KEY_static_fields },
	{ NULL, 0 },
};

static int parse_key(const struct reader *r, int key, const yaml_node_t *v, struct shk_config *c)
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
		return parse_outputs(r, v, c);
	}
}

static int parse_document(const struct reader *r, struct shk_config *c)
{
	const yaml_node_t *root = yaml_document_get_root_node(r->doc);
	bool seen[KEY_N] = { false };

	if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0))
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return fail_at(r, &root->start_mark, "a configuration is a mapping, 'key: value'");
	for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *k = node_at(r, p->key);
		struct shk_str name;
		char text[256];
		int key = -1, rc = scalar(r, k, "key", &name);

		if (rc < 0)
			return rc;
		for (const struct word *w = keys; w->name; w++)
			if (shk_str_eqz(name, w->name))
				key = w->value;
		if (key < 0) {
			hint(name, keys, text, sizeof(text));
			return fail_at(r, &k->start_mark, "unknown key '" SHK_STR_FMT "'; %s",
				       (int)SHK_MIN(name.n, 64), name.p, text);
		}
		if (seen[key])
			return fail_at(r, &k->start_mark, "'%s' is given twice; keep one",
				       keys[key].name);
		seen[key] = true;
		rc = parse_key(r, key, node_at(r, p->value), c);
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
	struct reader r = { &doc, name, err };
	int rc;

	if (!yaml_parser_initialize(&parser))
		return shk_err_sys(err, ENOMEM, "%s", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text.p, text.n);
	if (!yaml_parser_load(&parser, &doc)) {
		rc = fail_at(&r, &parser.problem_mark, "%s%s%s",
			     parser.problem ? parser.problem : "not YAML",
			     parser.context ? ", " : "", parser.context ? parser.context : "");
		goto out;
	}
	rc = parse_document(&r, c);
	if (rc == 0 && yaml_document_get_root_node(&doc)) {
		if (!yaml_parser_load(&parser, &second)) {
			rc = fail_at(&r, &parser.problem_mark, "%s",
				     parser.problem ? parser.problem : "not YAML");
		} else {
			const yaml_node_t *n = yaml_document_get_root_node(&second);

			if (n)
				rc = fail_at(&r, &n->start_mark,
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

static void put_quoted(struct shk_buf *out, const char *s)
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
		{ "rules_path: [ ", SHK_PLACE_CONFIG, "rules", ", " SHK_SYSCONFDIR "/rules, " SHK_DATADIR "/rules ]\n" },
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
		put_quoted(&b, path);
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
#define KEY_FREE(kind, member, otherwise, doc) KEY_FREE_##kind(c->member);
	SHK_CONFIG_KEYS(KEY_FREE)
#undef KEY_FREE
	drop_outputs(c);
	shk_arena_done(&c->arena);
	free(c);
}

/* ---- dump ---- */

static void put_path(struct shk_buf *out, char *const *v)
{
	put_quoted(out, *v);
}

static void put_paths(struct shk_buf *out, char *const *v)
{
	put_quoted(out, *v);
}

static void put_text(struct shk_buf *out, char *const *v)
{
	put_quoted(out, *v);
}

static const char *word_of(const struct word *w, int value)
{
	while (w->name && w->value != value)
		w++;
	return w->name ? w->name : "?";
}

static void put_level(struct shk_buf *out, const int *v)
{
	shk_buf_adds(out, word_of(levels, *v));
}

static void put_time(struct shk_buf *out, const int *v)
{
	shk_buf_adds(out, word_of(times, *v));
}

static void put_sink(struct shk_buf *out, const struct shk_sink_config *s)
{
	shk_buf_printf(out, "  - %s:\n", word_of(kinds, (int)s->kind));
	if (s->command) {
		shk_buf_adds(out, "      command: ");
		put_quoted(out, s->command);
		shk_buf_addc(out, '\n');
	}
	if (s->path) {
		shk_buf_printf(out, "      %s: ", s->kind == SHK_SINK_SYSLOG ? "socket" : "path");
		put_quoted(out, s->path);
		shk_buf_addc(out, '\n');
	}
	if (s->kind == SHK_SINK_SYSLOG)
		shk_buf_printf(out, "      facility: %s\n      protocol: %s\n",
			       word_of(facilities, s->facility), word_of(protocols, s->rfc5424));
	shk_buf_printf(out, "      format: %s\n      min_priority: %s\n", word_of(formats, s->json),
		       shk_priority_name(s->min_priority));
}

void shk_config_dump(const struct shk_config *c, struct shk_buf *out)
{
#define KEY_DUMP(kind, member, otherwise, doc)                                                     \
	shk_buf_adds(out, "# " doc "\n" #member ": ");                                             \
	put_##kind(out, &c->member);                                                               \
	shk_buf_addc(out, '\n');
	SHK_CONFIG_KEYS(KEY_DUMP)
#undef KEY_DUMP
	shk_buf_adds(out, "# where alerts go: stdout, file, syslog, program\noutputs:");
	shk_buf_adds(out, c->n_outputs ? "\n" : " []\n");
	for (size_t i = 0; i < c->n_outputs; i++)
		put_sink(out, &c->outputs[i]);
	shk_config_dump_output(c, out);
}
