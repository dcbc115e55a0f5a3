// SPDX-License-Identifier: Apache-2.0
#include "rules/output.h"

#include <errno.h>
#include <json-c/json.h>

#include "rules/slots.h"

#define WIDTH_MAX 65535
#define VALUE_MAX ((size_t)1 << 20) /* printed bytes of one value */

struct token {
	struct shk_str literal; /* slot SHK_SLOT_NONE */
	uint32_t slot;
	unsigned width;		/* 0: as long as it is */
};

struct shk_output {
	const struct token *token;
	size_t n;
	const struct shk_slot_table *slots; /* all in the arena */
};

struct compiling {
	struct shk_arena *a; /* for what is not kept */
	struct shk_str text;
	struct token *token;
	size_t n;
	struct shk_slot_table slots;
	struct shk_buf key; /* equal for equal slots only */
	struct shk_err *err;
};

static int bad_token(struct compiling *c, struct shk_str rest)
{
	return shk_err_set(c->err, EINVAL,
			   "invalid token %%" SHK_STR_FMT
			   " in output: behind %% must stand a field (%%%% prints a percent sign)",
			   (int)SHK_MIN(rest.n, (size_t)40), rest.p);
}

static void add_literal(struct compiling *c, struct shk_str s)
{
	if (s.n)
		c->token[c->n++] = (struct token){ .literal = s, .slot = SHK_SLOT_NONE };
}

static int add_operand(struct compiling *c, const struct shk_operand *o, unsigned width)
{
	uint32_t slot;

	if (shk_slots_add(&c->slots, o, &slot) < 0)
		return shk_err_sys(c->err, ENOMEM, "cannot keep an output");
	shk_slots_key(o, &c->key);
	c->token[c->n++] = (struct token){ .slot = slot, .width = width };
	return 0;
}

/* Bytes of "name(...)" with an argument in brackets behind it; 0: does not begin so. */
static size_t call_length(struct shk_str s)
{
	size_t i = 0;
	unsigned depth = 0;
	char quote = 0;

	while (i < s.n && ((s.p[i] >= 'a' && s.p[i] <= 'z') || (i && s.p[i] >= '0' && s.p[i] <= '9')))
		i++;
	if (i == 0 || i == s.n || s.p[i] != '(')
		return 0;
	for (; i < s.n; i++) {
		char x = s.p[i];

		if (quote)
			quote = x == quote && s.p[i - 1] != '\\' ? 0 : quote;
		else if (x == '"' || x == '\'')
			quote = x;
		else if (x == '(')
			depth++;
		else if (x == ')' && --depth == 0)
			break;
	}
	if (i == s.n)
		return 0;
	if (++i < s.n && s.p[i] == '[') {
		const char *end = memchr(s.p + i, ']', s.n - i);

		return end ? (size_t)(end - s.p) + 1 : i;
	}
	return i;
}

/* Transformers have the grammar of conditions; so that grammar reads them. */
static int add_call(struct compiling *c, struct shk_str rest, size_t len, unsigned width)
{
	char *text = shk_arena_printf(c->a, SHK_STR_FMT " exists", (int)len, rest.p);
	struct shk_ast *e = NULL;
	unsigned pos = 0;
	int r;

	if (!text)
		return shk_err_sys(c->err, ENOMEM, "cannot keep an output");
	r = shk_ast_parse(c->a, shk_str(text), &e, &pos, c->err);
	if (r == 0)
		r = shk_ast_type(c->a, e, &pos, c->err);
	if (r < 0)
		return r == -ENOMEM ? r : shk_err_prefix(c->err, "output token %%" SHK_STR_FMT,
							  (int)len, rest.p);
	if (e->kind != SHK_AST_CHECK)
		return bad_token(c, rest);
	return add_operand(c, &e->left, width);
}

/* Behind the percent sign; *used: bytes taken. */
static int add_token(struct compiling *c, struct shk_str rest, size_t *used)
{
	struct shk_operand o = { .kind = SHK_OPERAND_FIELD };
	struct shk_str all = rest;
	unsigned width = 0;
	size_t len;

	if (rest.n && rest.p[0] == '%') {
		*used = 1;
		add_literal(c, SHK_STR("%"));
		return 0;
	}
	for (; rest.n && *rest.p >= '0' && *rest.p <= '9'; rest.p++, rest.n--)
		width = SHK_MIN(width * 10 + (unsigned)(*rest.p - '0'), WIDTH_MAX);
	*used = all.n - rest.n;
	/* Once what a deployment added to every output, today nothing (0.41). */
	if (shk_str_starts(rest, SHK_STR("container.info"))) {
		*used += strlen("container.info");
		return 0;
	}
	len = call_length(rest);
	if (len) {
		*used += len;
		return add_call(c, rest, len, width);
	}
	len = shk_field_parse_prefix(rest, &o.ref);
	if (!len)
		return bad_token(c, all);
	*used += len;
	o.text = (struct shk_str){ rest.p, len };
	o.type = o.ref.type;
	return add_operand(c, &o, width);
}

static int compile(struct compiling *c)
{
	struct shk_str rest = c->text;

	/* The mark that asks for <NA> where a value is missing: that is what is done anyway. */
	if (rest.n && rest.p[0] == '*') {
		rest.p++;
		rest.n--;
	}
	while (rest.n) {
		const char *percent = memchr(rest.p, '%', rest.n);
		size_t lead = percent ? (size_t)(percent - rest.p) : rest.n, used = 0;
		int r;

		add_literal(c, (struct shk_str){ rest.p, lead });
		rest.p += lead;
		rest.n -= lead;
		if (!percent)
			break;
		rest.p++;
		rest.n--;
		r = add_token(c, rest, &used);
		if (r < 0)
			return r;
		rest.p += used;
		rest.n -= used;
	}
	return 0;
}

static size_t count_percent(struct shk_str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '%';
	return n;
}

void shk_output_pool_done(struct shk_output_pool *p)
{
	shk_map_done(&p->by_key);
}

/* The slots, as they are kept: those in the pool, or new ones. */
static const struct shk_slot_table *keep_slots(struct compiling *c, struct shk_arena *a,
					       struct shk_output_pool *pool)
{
	struct shk_str key = c->key.n ? shk_buf_view(&c->key) : SHK_STR("");
	struct shk_slot_table *t = shk_map_get(&pool->by_key, key);
	struct shk_slot *v;

	if (t)
		return t;
	key = shk_arena_str(a, key); /* compiling makes it longer */
	/* Once more, with what belongs to the slots where it is kept. */
	shk_slots_done(&c->slots);
	shk_slots_init(&c->slots, a);
	c->n = 0;
	t = SHK_ARENA_NEW(a, struct shk_slot_table);
	if (!t || compile(c) < 0)
		return NULL;
	v = SHK_ARENA_ARRAY(a, struct shk_slot, c->slots.n);
	if (!v || !key.p || shk_map_set(&pool->by_key, key, t) < 0)
		return NULL;
	if (c->slots.n)
		memcpy(v, c->slots.v, c->slots.n * sizeof(*v));
	t->v = v;
	t->n = c->slots.n;
	return t;
}

static int compile_in(struct compiling *c, struct shk_arena *a, struct shk_output_pool *pool,
		      const struct shk_output **ret)
{
	struct shk_output *o = SHK_ARENA_NEW(a, struct shk_output);
	const struct shk_slot_table *slots;
	struct token *token;
	int r;

	c->token = SHK_ARENA_ARRAY(c->a, struct token, 2 * count_percent(c->text) + 1);
	if (!c->token || !o)
		return shk_err_sys(c->err, ENOMEM, "cannot keep an output");
	r = compile(c);
	if (r < 0)
		return r;
	slots = c->key.failed ? NULL : keep_slots(c, a, pool);
	token = SHK_ARENA_ARRAY(a, struct token, c->n);
	if (!slots || !token)
		return shk_err_sys(c->err, ENOMEM, "cannot keep an output");
	if (c->n)
		memcpy(token, c->token, c->n * sizeof(*token));
	*o = (struct shk_output){ .token = token, .n = c->n, .slots = slots };
	*ret = o;
	return 0;
}

int shk_output_compile_in(struct shk_arena *a, struct shk_output_pool *p, struct shk_str text,
			  const struct shk_output **ret, struct shk_err *err)
{
	struct shk_arena tmp;
	struct compiling c = { .a = &tmp, .text = text, .err = err };
	int r;

	shk_arena_init(&tmp, SHK_RULE_TREE_MAX);
	shk_slots_init(&c.slots, &tmp);
	shk_buf_init(&c.key, SHK_RULE_TREE_MAX);
	r = compile_in(&c, a, p, ret);
	shk_buf_done(&c.key);
	shk_slots_done(&c.slots);
	shk_arena_done(&tmp);
	return r;
}

int shk_output_compile(struct shk_arena *a, struct shk_str text, const struct shk_output **ret,
		       struct shk_err *err)
{
	struct shk_output_pool none = { 0 };
	struct shk_str copy = shk_arena_str(a, text);
	int r = copy.p ? shk_output_compile_in(a, &none, copy, ret, err) :
			 shk_err_sys(err, ENOMEM, "cannot keep an output");

	shk_output_pool_done(&none);
	return r;
}

struct shk_str shk_output_field(const struct shk_output *o, size_t i)
{
	for (size_t k = 0; k < o->slots->n; k++)
		if (o->slots->v[k].kind == SHK_OPERAND_FIELD && !i--)
			return o->slots->v[k].text;
	return (struct shk_str){ 0 };
}

/* Length of the well-formed UTF-8 character at p, 0: none. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	len = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 :
	      p[0] >= 0xf0 && p[0] <= 0xf4	? 4 : 0;
	if (!len || len > n)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		hi = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* What a container wrote must not steer a terminal or begin a line of its own in a log. */
static void add_clean(struct shk_buf *out, struct shk_str s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	for (size_t i = 0; i < s.n;) {
		size_t len = utf8_length(p + i, s.n - i);
		bool control = len == 1 ? p[i] < 0x20 || p[i] == 0x7f :
					  len == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0;

		if (!len || control)
			shk_buf_adds(out, "\xef\xbf\xbd");
		else
			shk_buf_add(out, p + i, len);
		i += len ? len : 1;
	}
}

static void print_slot(const struct shk_slot *s, const struct shk_value *v, struct shk_buf *out)
{
	/* Printing flags belong to the field; what a transformer made of it has none. */
	static const struct shk_field plain = { .name = "" };
	_cleanup_buf_ struct shk_buf raw;

	shk_buf_init(&raw, VALUE_MAX);
	shk_value_print(v, s->kind == SHK_OPERAND_FIELD ? s->ref.field : &plain, &raw);
	add_clean(out, shk_buf_view(&raw));
}

static const struct shk_value *shown_value(struct shk_slot_run *run, uint32_t slot)
{
	const struct shk_slot *s = &run->slot[slot];

	if (s->kind == SHK_OPERAND_FIELD && (s->ref.field->flags & SHK_F_FILTER_ONLY))
		return NULL;
	return shk_slot_get(run, slot);
}

void shk_output_render(const struct shk_output *o, struct shk_eval_ctx *ctx, struct shk_buf *out)
{
	struct shk_slot_run run;

	if (shk_slot_run_init(&run, o->slots, ctx) < 0) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < o->n; i++) {
		const struct token *t = &o->token[i];
		const struct shk_value *v;
		size_t start = out->n;

		if (t->slot == SHK_SLOT_NONE) {
			shk_buf_addstr(out, t->literal);
			continue;
		}
		v = shown_value(&run, t->slot);
		if (v)
			print_slot(&run.slot[t->slot], v, out);
		else
			shk_buf_adds(out, "<NA>");
		if (!t->width || out->failed)
			continue;
		if (out->n - start > t->width) {
			out->n = start + t->width;
			out->p[out->n] = 0;
		}
		while (out->n - start < t->width && !out->failed)
			shk_buf_addc(out, ' ');
	}
}

static struct json_object *json_text(struct shk_str s)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, VALUE_MAX);
	add_clean(&b, s);
	return json_object_new_string_len(b.p ? b.p : "", (int)b.n);
}

static struct json_object *json_list(const struct shk_strvec *list)
{
	struct json_object *a = json_object_new_array();

	for (size_t i = 0; a && i < list->n; i++) {
		struct json_object *s = json_text(list->v[i]);

		if (!s || json_object_array_add(a, s) != 0) {
			json_object_put(s);
			json_object_put(a);
			return NULL;
		}
	}
	return a;
}

static struct json_object *json_value(const struct shk_slot *s, const struct shk_value *v)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, VALUE_MAX);
	switch (v->type) {
	case SHK_T_BOOL:
		return json_object_new_boolean(v->b);
	case SHK_T_DOUBLE:
		return json_object_new_double(shk_double_of(v->u));
	case SHK_T_LIST:
		return json_list(&v->list);
	case SHK_T_INT64:
		if (!(s->ref.field->flags & (SHK_F_HEX | SHK_F_OCT)))
			return json_object_new_int64(v->i);
		break;
	case SHK_T_UINT64:
	case SHK_T_RELTIME:
	case SHK_T_ABSTIME:
	case SHK_T_PORT:
		if (!(s->ref.field->flags & (SHK_F_HEX | SHK_F_OCT)))
			return json_object_new_uint64(v->u);
		break;
	default:
		break;
	}
	print_slot(s, v, &b);
	return json_object_new_string_len(b.p ? b.p : "", (int)b.n);
}

static bool is_event_time(const struct shk_field *f)
{
	return strcmp(f->name, "evt.time") == 0 || strcmp(f->name, "evt.time.iso8601") == 0;
}

int shk_output_fields(const struct shk_output *o, struct shk_eval_ctx *ctx,
		      struct json_object *fields)
{
	struct shk_slot_run run;

	if (shk_slot_run_init(&run, o->slots, ctx) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < o->slots->n; i++) {
		const struct shk_slot *s = &o->slots->v[i];
		const struct shk_value *v;
		struct json_object *j = NULL;
		bool null = false;

		if (s->kind != SHK_OPERAND_FIELD)
			continue;
		if (is_event_time(s->ref.field)) {
			j = json_object_new_uint64(ctx->ev->time_ns);
		} else {
			v = shown_value(&run, (uint32_t)i);
			null = !v;
			j = v ? json_value(s, v) : NULL;
		}
		if ((!j && !null) || json_object_object_add(fields, s->text.p, j) != 0) {
			json_object_put(j);
			return -ENOMEM;
		}
	}
	return 0;
}
