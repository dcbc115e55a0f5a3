// SPDX-License-Identifier: Apache-2.0
/* required_engine_version and required_plugin_versions (FALCO_RULE_LANGUAGE sections 2.1, 2.2). */
#include <errno.h>

#include "rules/load.h"

#define INVALID	 "LOAD_ERR_YAML_VALIDATE"
#define REFUSED	 "LOAD_ERR_VALIDATE"

struct version {
	uint64_t v[3];
};

/* What this loader understands, in the numbering of the language it is compatible with; a plugin's data
 * is built in here. */
static const struct version engine = { { 0, 62, 0 } };
static const struct {
	const char *name;
	struct version v;
} plugins[] = {
	{ "container", { { 0, 7, 0 } } },
	{ "json", { { 0, 7, 4 } } },
	{ "k8saudit", { { 0, 18, 0 } } },
};

/* "x.y.z", anything may follow. */
static bool parse_version(struct shk_str s, struct version *ret)
{
	size_t i = 0;

	for (int k = 0; k < 3; k++) {
		size_t start = i;

		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		if (!shk_str_to_u64((struct shk_str){ s.p + start, i - start }, &ret->v[k]))
			return false;
		if (k < 2 && (i >= s.n || s.p[i++] != '.'))
			return false;
	}
	return true;
}

static bool satisfies(const struct version *have, const struct version *want)
{
	if (have->v[0] != want->v[0])
		return false;
	if (have->v[1] != want->v[1])
		return have->v[1] > want->v[1];
	return have->v[2] >= want->v[2];
}

static int engine_version(struct shk_loader *l, struct shk_where *w)
{
	const struct shk_rnode *n;
	struct version want = { { 0, 0, engine.v[2] } };
	int r = shk_key_str(l, w, "required_engine_version", true, &n);

	if (r < 0)
		return r;
	w->at = shk_rnode_pos(n);
	if (!shk_str_to_u64(n->text, &want.v[1]) && !parse_version(n->text, &want))
		return shk_load_error(l, INVALID, w, "'%.*s' is no version; write a number or x.y.z",
				      SHK_STR_ARG(n->text));
	if (satisfies(&engine, &want))
		return 0;
	return shk_load_error(l, REFUSED, w, "the file needs engine version %.*s, this is %u.%u.%u; "
			      "update Shrike or use an older version of the file",
			      SHK_STR_ARG(n->text), (unsigned)engine.v[0], (unsigned)engine.v[1],
			      (unsigned)engine.v[2]);
}

/* name and version of one alternative: 1 when it is satisfied. */
static int plugin_version(struct shk_loader *l, const struct shk_where *w,
			  const struct shk_rnode *map)
{
	struct shk_where at = *w;
	const struct shk_rnode *name, *version;
	struct version want;
	int r;

	at.at = shk_rnode_pos(map);
	if (map->kind != SHK_RN_MAP)
		return shk_load_error(l, INVALID, &at, "a map with 'name' and 'version' expected");
	at.item = map;
	r = shk_key_str(l, &at, "name", true, &name);
	if (r >= 0)
		r = shk_key_str(l, &at, "version", true, &version);
	if (r < 0)
		return r;
	at.at = shk_rnode_pos(version);
	if (!parse_version(version->text, &want))
		return shk_load_error(l, REFUSED, &at, "'%.*s' is no version; write x.y.z",
				      SHK_STR_ARG(version->text));
	for (size_t i = 0; i < SHK_ARRAY_SIZE(plugins); i++)
		if (shk_str_eqz(name->text, plugins[i].name) && satisfies(&plugins[i].v, &want))
			return 1;
	return 0;
}

static int plugin_requirement(struct shk_loader *l, const struct shk_where *w,
			      const struct shk_rnode *map)
{
	const struct shk_rnode *alt = shk_rnode_get(map, "alternatives"), *name;
	struct shk_where at = *w;
	int met = plugin_version(l, w, map);

	if (met < 0)
		return met;
	name = shk_rnode_get(map, "name");
	if (alt && alt->kind != SHK_RN_SEQ && alt->kind != SHK_RN_NULL) {
		at.at = shk_rnode_pos(alt);
		return shk_load_error(l, INVALID, &at, "'alternatives' must be a sequence of maps");
	}
	for (const struct shk_rnode *c = alt ? alt->first : NULL; c; c = c->next) {
		int r = plugin_version(l, w, c);

		if (r < 0)
			return r;
		at.at = shk_rnode_pos(c);
		if (shk_str_eq(shk_rnode_get(c, "name")->text, name->text))
			return shk_load_error(l, REFUSED, &at, "plugin '%.*s' is named twice in one "
					      "requirement; remove one", SHK_STR_ARG(name->text));
		met |= r;
	}
	if (!met && !l->unmet) {
		l->unmet = map;
		l->unmet_item = w->item;
	}
	return 0;
}

/* What the missing plugin would supply is missing everywhere in the file: that says less than the cause. */
int shk_required_check(struct shk_loader *l, size_t from)
{
	const struct shk_rnode *map = l->unmet;
	struct shk_where w;
	size_t n = from;

	l->unmet = NULL;
	if (!map)
		return 0;
	for (size_t i = from; i < l->diags.n; i++)
		if (!((const struct shk_diag *)l->diags.p[i])->error)
			l->diags.p[n++] = l->diags.p[i];
	l->diags.n = n;
	w = shk_where_node("required_plugin_versions", (struct shk_str){ "", 0 }, l->unmet_item, NULL,
			   NULL);
	w.at = shk_rnode_pos(map);
	return shk_load_error(l, REFUSED, &w, "the file needs data that plugin '%.*s' %.*s would "
			      "supply; Shrike has none of it",
			      SHK_STR_ARG(shk_rnode_get(map, "name")->text),
			      SHK_STR_ARG(shk_rnode_get(map, "version")->text));
}

int shk_collect_required(struct shk_loader *l, const struct shk_rnode *item)
{
	const struct shk_rnode *seq = shk_rnode_get(item, "required_plugin_versions");
	struct shk_where w = shk_where_node("required_engine_version", (struct shk_str){ "", 0 },
					    item, NULL, NULL);
	const char *key = "required_engine_version";
	int r = 0;

	if (shk_rnode_get(item, key)) {
		r = engine_version(l, &w);
		return r < 0 ? r : shk_key_unknown(l, &w, &key, 1);
	}
	key = w.type = "required_plugin_versions";
	if (seq->kind != SHK_RN_SEQ)
		return shk_load_error(l, INVALID, &w,
				      "'required_plugin_versions' must be a sequence of maps");
	for (const struct shk_rnode *c = seq->first; c && r >= 0; c = c->next)
		r = plugin_requirement(l, &w, c);
	return r < 0 ? r : shk_key_unknown(l, &w, &key, 1);
}
