/* SPDX-License-Identifier: Apache-2.0 */
/*
 * def.h - a policy as written (private to src/policy).
 *
 * Parsing fills a definition; once its rule files are compiled, the actions are resolved against the
 * rules and pub is complete. Everything lives in the arena of the set.
 */
#ifndef SHK_POLICY_DEF_H
#define SHK_POLICY_DEF_H

#include "policy/policy.h"
#include "policy/yaml_tree.h"

struct shk_pstrs { /* texts with the place each was written at */
	const struct shk_ynode **v;
	size_t n;
};

struct shk_pmatch { /* one entry of `match`: every pattern given must hold */
	struct shk_str image, name, id, k8s_ns;	/* globs; p NULL: any */
	struct shk_kv *annotation, *label;	/* values are globs */
	size_t n_annotation, n_label;
};

struct shk_pchoice { /* one entry of `rules.select` */
	bool enable;
	const struct shk_ynode *rule, *tag; /* NULL: not asked for */
};

enum shk_cmp { SHK_CMP_NONE, SHK_CMP_EQ, SHK_CMP_GE, SHK_CMP_GT, SHK_CMP_LE, SHK_CMP_LT };

struct shk_paction { /* one entry of `actions` */
	const struct shk_ynode *node;
	struct shk_pstrs rules, tags;
	enum shk_cmp cmp;	/* severity: GE critical = critical or more severe */
	enum shk_priority priority;
	struct shk_action then;
};

struct shk_policy_def {
	struct shk_policy pub; /* first: a shk_policy * is a shk_policy_def * */
	const struct shk_ynode *strict_node; /* `strict: true` written out, else NULL */
	const struct shk_ynode *root;
	struct shk_pmatch *match;
	size_t n_match;
	struct shk_pstrs files, disable_tags, disable_names;
	bool themes; /* no files are named, and the directory of themes was found */
	struct shk_str own; /* no files are named: the administrator's directory, if it has any */
	struct shk_append_output *append; /* rules.append_output */
	size_t n_append;
	struct shk_pchoice *choice; /* rules.select */
	size_t n_choice;
	enum shk_priority min_priority;
	struct shk_paction *action;
	size_t n_action;
	bool is_default;
};

static inline const struct shk_policy_def *shk_policy_def(const struct shk_policy *p)
{
	return (const struct shk_policy_def *)p;
}

/* "file:line:column: text" of a node. Returns -EINVAL. */
int shk_policy_fail(const char *file, const struct shk_ynode *n, struct shk_err *err,
		    const char *fmt, ...) SHK_PRINTF(4, 5);

/* The defaults of every key. */
void shk_policy_def_init(struct shk_policy_def *d);
/* One document of a policy file; *d is filled. file must live as long as the definition. */
int shk_policy_parse(struct shk_arena *a, const char *file, const struct shk_ynode *root,
		     struct shk_policy_def *d, struct shk_err *err);
/* After pub.rules is set: actions and must, one per rule. */
int shk_policy_resolve(struct shk_arena *a, struct shk_policy_def *d, struct shk_err *err);
/* `all`: the rules of the same files with nothing disabled. */
int shk_policy_check_disable(const struct shk_policy_def *d, const struct shk_ruleset *all,
			     struct shk_err *err);
/* Do the patterns of `match` fit this container? */
bool shk_policy_matches(const struct shk_policy_def *d, const struct shk_container *c);
/* Whole-text match; * any text, ? any one byte. */
bool shk_glob(struct shk_str pattern, struct shk_str text);

/* ---- shared by the parsers of keys ---- */
struct shk_pparse {
	struct shk_arena *a;
	const char *file;
	struct shk_err *err;
	struct shk_policy_def *d;
};
struct shk_pkey {
	const char *name;
	int (*parse)(struct shk_pparse *p, const struct shk_ynode *n, void *into);
};
/* A map whose keys are those of the table. what: "policy", "match entry" ... for messages. */
int shk_pparse_map(struct shk_pparse *p, const struct shk_ynode *n, const char *what,
		   const struct shk_pkey *keys, size_t n_keys, void *into);
int shk_pparse_text(struct shk_pparse *p, const struct shk_ynode *n, struct shk_str *ret);
int shk_pparse_texts(struct shk_pparse *p, const struct shk_ynode *n, struct shk_pstrs *ret);
int shk_pparse_bool(struct shk_pparse *p, const struct shk_ynode *n, bool *ret);
int shk_pparse_number(struct shk_pparse *p, const struct shk_ynode *n, uint64_t min, uint64_t max,
		      uint64_t *ret);
/* Index of the scalar in words (NULL-terminated), or an error that lists them. */
int shk_pparse_word(struct shk_pparse *p, const struct shk_ynode *n, const char *const *words);
int shk_pparse_append_output(struct shk_pparse *p, const struct shk_ynode *n, void *into);
int shk_pparse_match(struct shk_pparse *p, const struct shk_ynode *n, void *into);
int shk_pparse_actions(struct shk_pparse *p, const struct shk_ynode *n, void *into);
int shk_pparse_deny(struct shk_pparse *p, const struct shk_ynode *n, void *into);

void shk_policy_quote(struct shk_buf *out, struct shk_str s);

/* "; did you mean \"x\"?" for the nearest of the candidates offered one by one, else "". */
struct shk_nearest {
	struct shk_str word, best;
	unsigned distance;
};
void shk_nearest_offer(struct shk_nearest *n, struct shk_str candidate);
const char *shk_nearest_text(const struct shk_nearest *n, char *buf, size_t size);

#endif
