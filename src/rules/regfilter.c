// SPDX-License-Identifier: Apache-2.0
/* What must hold in registers for a rule to be able to match. */
#include "rules/regfilter.h"

/* Calls that come through one number of the i386 ABI. Their arguments are not in this call's
 * registers, or not in the same ones. */
static const struct {
	enum shk_call_id outer, inner;
} multiplexed[] = {
#define VIA(o, i) { SHK_CALL_##o, SHK_CALL_##i }
	VIA(socketcall, socket),      VIA(socketcall, bind),	    VIA(socketcall, connect),
	VIA(socketcall, listen),      VIA(socketcall, accept),	    VIA(socketcall, getsockname),
	VIA(socketcall, getpeername), VIA(socketcall, socketpair),  VIA(socketcall, sendto),
	VIA(socketcall, recvfrom),    VIA(socketcall, shutdown),    VIA(socketcall, setsockopt),
	VIA(socketcall, getsockopt),  VIA(socketcall, sendmsg),	    VIA(socketcall, recvmsg),
	VIA(socketcall, accept4),     VIA(socketcall, recvmmsg),    VIA(socketcall, sendmmsg),
	VIA(ipc, semop),	      VIA(ipc, semget),		    VIA(ipc, semctl),
	VIA(ipc, semtimedop),	      VIA(ipc, msgsnd),		    VIA(ipc, msgrcv),
	VIA(ipc, msgget),	      VIA(ipc, msgctl),		    VIA(ipc, shmat),
	VIA(ipc, shmdt),	      VIA(ipc, shmget),		    VIA(ipc, shmctl),
#undef VIA
};

static bool selected(const uint64_t *which, unsigned rule)
{
	return !which || (which[rule / 64] >> (rule % 64) & 1);
}

static bool any_selected(const struct shk_entries *list, const uint64_t *which)
{
	for (size_t i = 0; i < list->n; i++)
		if (selected(which, list->v[i].rule))
			return true;
	return false;
}

static bool any_inner(const struct shk_ruleset *rs, enum shk_call_id id, const uint64_t *which)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(multiplexed); i++)
		if (multiplexed[i].outer == id &&
		    any_selected(&rs->by_call[multiplexed[i].inner], which))
			return true;
	return false;
}

bool shk_ruleset_wants(const struct shk_ruleset *rs, enum shk_call_id id)
{
	return rs->by_call[id].n > 0 || any_inner(rs, id, NULL);
}

#define STEPS_MAX (1u << 16) /* nodes looked at for one rule: shared ones are looked at again */

struct partial {
	const struct shk_ruleset *rs;
	enum shk_call_id id;
	unsigned steps;
};

static void always(struct shk_reg_filter *f)
{
	*f = (struct shk_reg_filter){ .always = true };
}

static bool same_test(const struct shk_reg_test *a, const struct shk_reg_test *b)
{
	return a->arg == b->arg && a->negate == b->negate && a->mask == b->mask &&
	       a->value == b->value;
}

/* Does a hold wherever b holds, for all its tests are among b's? */
static bool weaker(const struct shk_reg_conj *a, const struct shk_reg_conj *b)
{
	for (unsigned i = 0; i < a->n; i++) {
		bool found = false;

		for (unsigned j = 0; j < b->n && !found; j++)
			found = same_test(&a->t[i], &b->t[j]);
		if (!found)
			return false;
	}
	return true;
}

static void add_conj(struct shk_reg_filter *f, const struct shk_reg_conj *c)
{
	unsigned k = 0;

	if (f->always)
		return;
	for (unsigned i = 0; i < f->n; i++)
		if (weaker(&f->c[i], c))
			return;
	for (unsigned i = 0; i < f->n; i++)
		if (!weaker(c, &f->c[i]))
			f->c[k++] = f->c[i];
	f->n = (uint8_t)k;
	f->never = false;
	if (k == SHK_REG_DISJ_MAX || !c->n)
		always(f);
	else
		f->c[f->n++] = *c;
}

static void unite(struct shk_reg_filter *f, const struct shk_reg_filter *with)
{
	if (f->always || with->never)
		return;
	if (with->always) {
		always(f);
		return;
	}
	for (unsigned i = 0; i < with->n; i++)
		add_conj(f, &with->c[i]);
}

/* Both must hold. What does not fit is left out: either side alone is an over-approximation. */
static void intersect(struct shk_reg_filter *f, const struct shk_reg_filter *with)
{
	struct shk_reg_filter both = { .never = true };

	if (f->never || with->always)
		return;
	if (with->never || f->always) {
		*f = *with;
		return;
	}
	for (unsigned i = 0; i < f->n; i++)
		for (unsigned j = 0; j < with->n; j++) {
			struct shk_reg_conj c = f->c[i];

			for (unsigned k = 0; k < with->c[j].n && c.n < SHK_REG_CONJ_MAX; k++) {
				struct shk_reg_conj one = { .t = { with->c[j].t[k] }, .n = 1 };

				if (!weaker(&one, &c))
					c.t[c.n++] = with->c[j].t[k];
			}
			add_conj(&both, &c);
		}
	if (!both.always)
		*f = both;
}

/* As deep as the graph: SHK_AST_DEPTH at most. */
static void partial(struct partial *p, shk_ref ref, bool negate, struct shk_reg_filter *out)
{
	const struct shk_node *n = &p->rs->node[ref >> 1];
	struct shk_reg_filter child;
	bool all;

	negate ^= ref & 1;
	*out = (struct shk_reg_filter){ 0 };
	if (++p->steps > STEPS_MAX) {
		always(out);
		return;
	}
	if (n->kind == SHK_NODE_TEST) {
		shk_reg_leaf(p->rs, p->id, &p->rs->test[n->first], negate, out);
		return;
	}
	all = (n->kind == SHK_NODE_AND) != negate;
	out->always = all;
	out->never = !all;
	for (uint32_t i = 0; i < n->n; i++) {
		if (all ? out->never : out->always)
			return;
		partial(p, p->rs->edge[n->first + i], negate, &child);
		if (all)
			intersect(out, &child);
		else
			unite(out, &child);
	}
}

void shk_ruleset_reg_filter(const struct shk_ruleset *rs, enum shk_call_id id,
			    const uint64_t *which, struct shk_reg_filter *out)
{
	const struct shk_entries *list = &rs->by_call[id];

	*out = (struct shk_reg_filter){ .never = true };
	if (any_inner(rs, id, which))
		always(out);
	for (size_t i = 0; i < list->n && !out->always; i++) {
		struct partial p = { .rs = rs, .id = id };
		struct shk_reg_filter one;

		if (!selected(which, list->v[i].rule))
			continue;
		partial(&p, list->v[i].root, false, &one);
		unite(out, &one);
	}
}
