// SPDX-License-Identifier: Apache-2.0
#include "policy/def.h"

bool shk_glob(struct shk_str pattern, struct shk_str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

	/* On a mismatch the last star takes one byte more; earlier stars never need to change, so
	 * this is at most pattern times text, whatever a container calls itself. */
	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == text.p[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static bool pairs_match(const struct shk_kv *want, size_t n_want, const struct shk_kv *have,
			size_t n_have)
{
	for (size_t i = 0; i < n_want; i++) {
		bool found = false;

		for (size_t k = 0; k < n_have && !found; k++)
			found = shk_str_eq(want[i].key, have[k].key) &&
				shk_glob(want[i].value, have[k].value);
		if (!found)
			return false;
	}
	return true;
}

static bool text_matches(struct shk_str pattern, struct shk_str text)
{
	return !pattern.p || shk_glob(pattern, text);
}

bool shk_policy_matches(const struct shk_policy_def *d, const struct shk_container *c)
{
	for (size_t i = 0; i < d->n_match; i++) {
		const struct shk_pmatch *m = &d->match[i];

		if (text_matches(m->image, c->image) && text_matches(m->name, c->name) &&
		    (text_matches(m->id, c->full_id) || text_matches(m->id, c->id)) &&
		    text_matches(m->k8s_ns, c->k8s_ns) &&
		    pairs_match(m->annotation, m->n_annotation, c->annotations, c->n_annotations) &&
		    pairs_match(m->label, m->n_label, c->labels, c->n_labels))
			return true;
	}
	return false;
}
