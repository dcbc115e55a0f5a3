// SPDX-License-Identifier: Apache-2.0
/* Rules: definition, append, override, the switch on and off (FALCO_RULE_LANGUAGE 2.5, 3). */
#include <errno.h>
#include <stdlib.h>

#include "rules/load.h"

#define INVALID	   "LOAD_ERR_YAML_VALIDATE"
#define REFUSED	   "LOAD_ERR_VALIDATE"
#define DEPRECATED "LOAD_DEPRECATED_ITEM"

/* Keys that override can name: those that can be appended to first. */
enum { K_CONDITION, K_OUTPUT, K_DESC, K_TAGS, K_EXCEPTIONS, K_APPEND_N, K_PRIORITY = K_APPEND_N,
       K_ENABLED, K_WARN, K_SKIP, K_CAPTURE, K_DURATION, K_N };
static const char *const keys[K_N] = {
	[K_CONDITION] = "condition",	[K_OUTPUT] = "output",	 [K_DESC] = "desc",
	[K_TAGS] = "tags",		[K_EXCEPTIONS] = "exceptions",
	[K_PRIORITY] = "priority",	[K_ENABLED] = "enabled", [K_WARN] = "warn_evttypes",
	[K_SKIP] = "skip-if-unknown-filter", [K_CAPTURE] = "capture",
	[K_DURATION] = "capture_duration",
};

static int by_bytes(const void *x, const void *y)
{
	return shk_str_cmp(*(const struct shk_str *)x, *(const struct shk_str *)y);
}

/* Sets the tags of `seq`, together with those rec has when `append`. */
static int set_tags(struct shk_loader *l, struct shk_where *w, struct shk_rule *rec, bool append)
{
	const struct shk_rnode *seq = shk_rnode_get(w->item, "tags");
	struct shk_str *tag;
	size_t n = append ? rec->n_tags : 0, kept = 0;

	if (!seq || seq->kind == SHK_RN_NULL) {
		if (!append)
			rec->n_tags = 0;
		return 0;
	}
	w->at = shk_rnode_pos(seq);
	if (seq->kind != SHK_RN_SEQ)
		return shk_load_error(l, INVALID, w, "'tags' must be a sequence: [a, b]");
	for (const struct shk_rnode *c = seq->first; c; c = c->next)
		n++;
	tag = SHK_ARENA_ARRAY(&l->a, struct shk_str, n);
	if (!tag)
		return -ENOMEM;
	n = append ? rec->n_tags : 0;
	if (n)
		memcpy(tag, rec->tags, n * sizeof(*tag));
	for (const struct shk_rnode *c = seq->first; c; c = c->next) {
		w->at = shk_rnode_pos(c);
		if (c->kind != SHK_RN_SCALAR)
			return shk_load_error(l, INVALID, w, "a tag must be a word");
		tag[n++] = c->text;
	}
	if (n)
		qsort(tag, n, sizeof(*tag), by_bytes);
	for (size_t i = 0; i < n; i++)
		if (!kept || !shk_str_eq(tag[i], tag[kept - 1]))
			tag[kept++] = tag[i];
	rec->tags = tag;
	rec->n_tags = kept;
	return 0;
}

static int set_priority(struct shk_loader *l, struct shk_where *w, struct shk_rule *rec)
{
	const struct shk_rnode *n;
	int r = shk_key_str(l, w, "priority", true, &n);

	if (r < 0 || shk_priority_parse(n->text, &rec->priority))
		return r;
	w->at = shk_rnode_pos(n);
	return shk_load_error(l, INVALID, w, "'%.*s' is no priority; use one of emergency, alert, "
			      "critical, error, warning, notice, informational, debug",
			      SHK_STR_ARG(n->text));
}

/* The duration is checked though nothing is captured here: a file wrong for Falco is wrong here. */
static int set_flags(struct shk_loader *l, const struct shk_where *w, struct shk_rule *rec)
{
	const struct shk_rnode *n = shk_rnode_get(w->item, "capture_duration");
	bool capture;
	uint64_t ms;
	int r = shk_key_bool(l, w, "enabled", &rec->enabled);

	if (r >= 0)
		r = shk_key_bool(l, w, "warn_evttypes", &rec->warn_evttypes);
	if (r >= 0)
		r = shk_key_bool(l, w, "skip-if-unknown-filter", &rec->skip_unknown);
	if (r >= 0)
		r = shk_key_bool(l, w, "capture", &capture);
	if (r >= 0 && n &&
	    (n->kind != SHK_RN_SCALAR || !shk_str_to_u64(n->text, &ms) || ms > UINT32_MAX)) {
		struct shk_where at = *w;

		at.at = shk_rnode_pos(n);
		r = shk_load_error(l, INVALID, &at, "'capture_duration' must be milliseconds");
	}
	return r;
}

static int set_text(struct shk_loader *l, const struct shk_where *w, const char *key, char op,
		    bool trim, struct shk_text *t)
{
	const struct shk_rnode *n;
	int r = shk_key_str(l, w, key, true, &n);

	if (r < 0)
		return r;
	return op == 'a' ? shk_text_join(l, t, n, t) : shk_text_of(l, n, trim, t);
}

static int set_desc(struct shk_loader *l, const struct shk_where *w, char op,
		    struct shk_rule *rec)
{
	const struct shk_rnode *n;
	int r = shk_key_str(l, w, "desc", true, &n);
	const char *joined;

	if (r < 0)
		return r;
	if (op != 'a') {
		rec->desc = n->text;
		return 0;
	}
	joined = shk_arena_printf(&l->a, "%.*s %.*s", SHK_STR_ARG(rec->desc), SHK_STR_ARG(n->text));
	if (!joined)
		return -ENOMEM;
	rec->desc = shk_str(joined);
	return 0;
}

static int set_exceptions(struct shk_loader *l, const struct shk_where *w, bool append,
			  struct shk_rule *rec)
{
	return shk_collect_exceptions(l, w, shk_rnode_get(w->item, "exceptions"),
				      append ? rec->exceptions : NULL, append, &rec->exceptions);
}

static int missing(struct shk_loader *l, const struct shk_where *w, const char *what)
{
	return shk_load_error(l, REFUSED, w, "rule '%.*s' does not exist, nothing to %s; define it "
			      "first", SHK_STR_ARG(w->name), what);
}

/* Appends come before replaces in the language, but they concern different keys. */
static int override(struct shk_loader *l, struct shk_where *w, const char *ops,
		    struct shk_rule *rec)
{
	int r = 0;

	if (ops[K_CONDITION])
		r = set_text(l, w, "condition", ops[K_CONDITION], false, &rec->cond);
	if (r >= 0 && ops[K_OUTPUT])
		r = set_text(l, w, "output", ops[K_OUTPUT], false, &rec->output);
	if (r >= 0 && ops[K_DESC])
		r = set_desc(l, w, ops[K_DESC], rec);
	if (r >= 0 && ops[K_TAGS])
		r = set_tags(l, w, rec, ops[K_TAGS] == 'a');
	if (r >= 0 && ops[K_EXCEPTIONS])
		r = set_exceptions(l, w, ops[K_EXCEPTIONS] == 'a', rec);
	if (r >= 0 && ops[K_PRIORITY])
		r = set_priority(l, w, rec);
	return r < 0 ? r : set_flags(l, w, rec);
}

static int append_rule(struct shk_loader *l, struct shk_where *w, struct shk_rule *rec)
{
	bool cond = shk_rnode_get(w->item, "condition"), ex = shk_rnode_get(w->item, "exceptions");
	int r = shk_load_warn(l, DEPRECATED, w, "'append' is deprecated; write override: "
			      "{condition: append}");

	if (r < 0)
		return r;
	if (!cond && !ex)
		return shk_load_error(l, INVALID, w, "nothing to append; give 'condition' or "
				      "'exceptions'");
	if (cond)
		r = set_text(l, w, "condition", 'a', false, &rec->cond);
	if (r >= 0 && ex)
		r = set_exceptions(l, w, true, rec);
	return r;
}

static int define(struct shk_loader *l, struct shk_where *w, const struct shk_rule *old,
		  struct shk_rule *rec)
{
	const struct shk_rnode *source = NULL;
	int r;

	*rec = (struct shk_rule){ .h = { .name = w->name, .node = w->item }, .enabled = true,
				  .warn_evttypes = true, .source = SHK_STR("syscall") };
	r = set_text(l, w, "condition", 0, false, &rec->cond);
	if (r >= 0)
		r = set_text(l, w, "output", 0, true, &rec->output);
	if (r >= 0)
		r = set_desc(l, w, 0, rec);
	if (r >= 0)
		r = set_priority(l, w, rec);
	if (r >= 0)
		r = shk_key_str(l, w, "source", false, &source);
	if (r >= 0 && source)
		rec->source = source->text;
	if (r >= 0)
		r = set_tags(l, w, rec, false);
	if (r >= 0)
		r = set_flags(l, w, rec);
	if (r >= 0)
		r = set_exceptions(l, w, false, rec);
	if (r >= 0 && old && !shk_str_eq(old->source, rec->source))
		r = shk_load_error(l, REFUSED, w, "rule '%.*s' has source '%.*s' already; give it "
				   "another name", SHK_STR_ARG(w->name), SHK_STR_ARG(old->source));
	return r;
}

/* On append and override a source that is given must be that of the rule. */
static int same_source(struct shk_loader *l, struct shk_where *w, const struct shk_rule *rec)
{
	const struct shk_rnode *n = shk_rnode_get(w->item, "source");

	if (!n || n->kind != SHK_RN_SCALAR || !n->text.n || shk_str_eq(n->text, rec->source))
		return 0;
	w->at = shk_rnode_pos(n);
	return shk_load_error(l, REFUSED, w, "rule '%.*s' has source '%.*s'; leave 'source' out",
			      SHK_STR_ARG(w->name), SHK_STR_ARG(rec->source));
}

int shk_collect_rule(struct shk_loader *l, const struct shk_rnode *item)
{
	static const char *const other[] = { "rule", "source", "append", "override" };
	const char *known[K_N + SHK_ARRAY_SIZE(other)];
	struct shk_where w = shk_where_node("rule", (struct shk_str){ "", 0 }, item, NULL, NULL);
	struct shk_rule *rec = SHK_ARENA_NEW(&l->a, struct shk_rule);
	const struct shk_rule *old;
	const struct shk_rnode *name;
	bool append = false, any, full;
	char ops[K_N];
	int r;

	if (!rec)
		return -ENOMEM;
	memcpy(known, keys, sizeof(keys));
	memcpy(known + K_N, other, sizeof(other));
	r = shk_key_str(l, &w, "rule", true, &name);
	if (r < 0)
		return r;
	w.name = name->text;
	old = shk_map_get(&l->rules, name->text);
	if (old)
		*rec = *old;
	r = shk_key_unknown(l, &w, known, SHK_ARRAY_SIZE(known));
	if (r >= 0)
		r = shk_key_override(l, &w, keys, K_N, K_APPEND_N, ops, &any);
	if (r >= 0)
		r = shk_key_bool(l, &w, "append", &append);
	if (r < 0)
		return r;
	full = shk_rnode_get(item, "condition") || shk_rnode_get(item, "output") ||
	       shk_rnode_get(item, "desc") || shk_rnode_get(item, "priority");
	if (any || append) {
		if (!old)
			return missing(l, &w, any ? "override" : "append to");
		if (append || ops[K_CONDITION])
			r = same_source(l, &w, rec);
		if (r >= 0)
			r = any ? override(l, &w, ops, rec) : append_rule(l, &w, rec);
		if (r >= 0)
			r = shk_collect_amend(l, &rec->h, &old->h, item);
	} else if (full || !shk_rnode_get(item, "enabled")) {
		r = define(l, &w, old, rec);
	} else {
		if (!old)
			return missing(l, &w, "switch on or off");
		r = shk_load_warn(l, DEPRECATED, &w, "a rule item with 'enabled' alone is deprecated; "
				  "write override: {enabled: replace}");
		if (r >= 0)
			r = shk_key_bool(l, &w, "enabled", &rec->enabled);
		if (r >= 0)
			r = shk_collect_amend(l, &rec->h, &old->h, item);
		if (r >= 0)
			r = shk_collect_changed(l, SHK_UNIT_RULE, rec->h.index,
						(struct shk_item *)(uintptr_t)&old->h);
		if (r >= 0) { /* changes neither place nor visibility */
			l->t.rules.p[old->h.index] = rec;
			return shk_map_set(&l->rules, rec->h.name, rec);
		}
	}
	if (r < 0)
		return r;
	return shk_collect_put(l, SHK_UNIT_RULE, &rec->h, old ? &old->h : NULL);
}
