// SPDX-License-Identifier: Apache-2.0
/*
 * differ.c - random conditions on random events: the product and a plain tree walk must say the same.
 *
 * Pairs are rules times events: SHRIKE_DIFF_PAIRS of them (20 000), from SHRIKE_DIFF_SEED. A mismatch is printed as small
 * as it gets, with its seed. A kind of comparison that was never true, or never false, is a failure too: it would
 * mean that nothing was compared.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gen.h"
#include "set.h"

#define SEED   20240501
#define RULES  50
#define EVENTS 10

static struct {
	uint64_t pairs, yes, rejected, made;
	uint64_t answer[NV_OP_N][SHK_T_N][2]; /* operator, type, answer */
	uint64_t multi[NV_OP_N][2];	      /* fields with candidates */
	uint64_t mod[4][2], fn[NV_FN_N][2];
} count;

static void watch(const struct nv_node *e, bool holds)
{
	if (nv_is_multi(&e->left))
		count.multi[e->op][holds]++;
	else
		count.answer[e->op][e->left.type][holds]++;
	count.mod[e->mod][holds]++;
	if (e->left.kind == NV_CALL)
		count.fn[e->left.fn][holds]++;
	if (e->right.kind == NV_CALL)
		count.fn[e->right.fn][holds]++;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* A condition that both sides take, or a disagreement about whether it is one. */
static char *condition(struct gen *g, bool *failed)
{
	for (;;) {
		struct shk_buf b;
		struct shk_err why = { 0 };
		enum set_accepts who;

		shk_buf_init(&b, 1 << 20);
		gen_condition(g, &b);
		count.made++;
		who = set_accepts(b.p, &why);
		if (who == SET_BOTH)
			return b.p;
		if (who != SET_NEITHER) {
			shrink_refused(b.p);
			*failed = true;
		}
		count.rejected++;
		if (getenv("SHRIKE_DIFF_DEBUG"))
			printf("# rejected (%s): %s\n", why.text, b.p);
		shk_buf_done(&b);
		if (*failed || count.rejected > 1000 + count.made / 10)
			return NULL;
	}
}

/* One set of rules on some events; false: the sides differ. */
static bool one_set(uint64_t seed)
{
	struct rnd r = { seed };
	struct world_event *like = calloc(EVENTS, sizeof(*like));
	struct thrice *events = calloc(EVENTS, sizeof(*events));
	struct shk_buf line[EVENTS];
	struct rnd values[EVENTS];
	char *text[RULES] = { 0 };
	bool must[RULES], yes[SET_MAX], failed = false;
	struct shk_err why = { 0 };
	struct gen g = { 0 };
	struct set s = { 0 };
	size_t n;

	if (!like || !events)
		abort();
	for (size_t i = 0; i < EVENTS; i++) {
		shk_buf_init(&line[i], 1 << 20);
		world_event_line(&r, &line[i]);
		values[i].s = rnd_next(&r);
		if (world_event_read(&like[i], values[i], shk_buf_view(&line[i]), &why) < 0 ||
		    thrice_read(&events[i], values[i], shk_buf_view(&line[i]), &why) < 0) {
			printf("# an event cannot be read (%s): %s\n", why.text, line[i].p);
			return false;
		}
	}
	if (gen_init(&g, &r, like, EVENTS) < 0)
		abort();
	for (n = 0; n < RULES; n++) {
		must[n] = rnd_in(&r, 6);
		text[n] = condition(&g, &failed);
		if (!text[n])
			break;
	}
	if (n < RULES || set_build(&s, (const char *const *)text, must, n, &why) < 0) {
		printf("# no set: %s\n", why.text);
		failed = true;
	}
	for (size_t i = 0; i < EVENTS && !failed; i++) {
		if (!set_agrees(&s, &events[i], yes, &why)) {
			printf("# %s\n", why.text);
			shrink_and_print(&s, values[i], shk_buf_view(&line[i]));
			failed = true;
		}
		count.pairs += s.n;
		for (size_t k = 0; k < s.n; k++)
			count.yes += yes[k];
	}
	if (s.rs)
		set_done(&s);
	gen_done(&g);
	for (size_t i = 0; i < RULES; i++)
		free(text[i]);
	for (size_t i = 0; i < EVENTS; i++) {
		world_event_done(&like[i]);
		thrice_done(&events[i]);
		shk_buf_done(&line[i]);
	}
	free(like);
	free(events);
	if (failed)
		printf("# again: SHRIKE_DIFF_SEED=%" PRIu64 " SHRIKE_DIFF_PAIRS=1\n", seed);
	return !failed;
}

static unsigned share(const uint64_t v[2])
{
	return (unsigned)(v[0] + v[1] ? 100 * v[1] / (v[0] + v[1]) : 0);
}

static bool one_sided(const uint64_t v[2])
{
	return !v[0] || !v[1];
}

/* Which types an operator has, as the description says: every cell is to have both answers. */
static bool is_cell(unsigned op, unsigned type)
{
	bool text = type == SHK_T_STRING || type == SHK_T_PATH, bytes = type == SHK_T_BYTES;
	bool number = type == SHK_T_INT64 || type == SHK_T_UINT64 || type == SHK_T_RELTIME ||
		      type == SHK_T_ABSTIME || type == SHK_T_PORT || type == SHK_T_DOUBLE;

	if (op == NV_IN || op == NV_INTERSECTS || op == NV_EXISTS)
		return true;
	if (op == NV_EQ || op == NV_NE)
		return type != SHK_T_LIST;
	if (op <= NV_GT)
		return text || number;
	if (op == NV_BCONTAINS || op == NV_BSTARTSWITH)
		return bytes;
	return text || (bytes && (op == NV_CONTAINS || op == NV_STARTSWITH || op == NV_ENDSWITH));
}

/* Operators over all types, and types under all operators. */
static bool any_is_one_sided(void)
{
	uint64_t op[NV_OP_N][2] = { 0 }, type[SHK_T_N][2] = { 0 };
	bool ret = false;

	for (unsigned o = 0; o < NV_OP_N; o++)
		for (unsigned t = 0; t < SHK_T_N; t++)
			for (unsigned k = 0; k < 2; k++) {
				op[o][k] += count.answer[o][t][k];
				type[t][k] += count.answer[o][t][k];
			}
	for (unsigned o = 0; o < NV_OP_N; o++)
		ret = ret || one_sided(op[o]);
	for (unsigned t = 0; t < SHK_T_N; t++)
		ret = ret || one_sided(type[t]);
	return ret;
}

/* each: every operator on every type must have had both answers, else every operator and every type. */
static bool summary(bool each)
{
	static const char *const mods[] = { "no modifier", "oneof", "anyof", "allof" };
	bool ok = !any_is_one_sided();

	printf("# %" PRIu64 " pairs, %u%% true; %" PRIu64 " of %" PRIu64 " conditions refused by both sides\n",
	       count.pairs, (unsigned)(100 * count.yes / SHK_MAX(count.pairs, 1)), count.rejected, count.made);
	printf("# share of true answers, percent:\n# %-12s", "");
	for (unsigned t = 0; t < SHK_T_N; t++)
		printf("%8.7s", shk_type_name((enum shk_type)t));
	printf("%8s\n", "either");
	for (unsigned op = 0; op < NV_OP_N; op++) {
		printf("# %-12s", nv_op_word[op]);
		for (unsigned t = 0; t < SHK_T_N; t++) {
			const uint64_t *v = count.answer[op][t];

			if (!is_cell(op, t)) {
				printf("%8s", "");
				continue;
			}
			printf("%7u%s", share(v), one_sided(v) ? "!" : " ");
			ok = ok && !(each && one_sided(v));
		}
		printf("%7u%s\n", share(count.multi[op]), one_sided(count.multi[op]) ? "-" : " ");
	}
	for (unsigned i = 0; i < 4; i++) {
		printf("# %s: %u%s\n", mods[i], share(count.mod[i]), one_sided(count.mod[i]) ? "!" : "");
		ok = ok && !(each && one_sided(count.mod[i]));
	}
	for (unsigned i = 0; i < NV_FN_N; i++) {
		printf("# %s(): %u%s\n", nv_fn_word[i], share(count.fn[i]), one_sided(count.fn[i]) ? "!" : "");
		ok = ok && !(each && one_sided(count.fn[i]));
	}
	if (!ok)
		printf("# kinds with one answer only are marked: they compare nothing\n");
	return ok;
}

int main(void)
{
	uint64_t seed = number_of("SHRIKE_DIFF_SEED", SEED), pairs = number_of("SHRIKE_DIFF_PAIRS", 20000);
	unsigned failures = 0, most = (unsigned)number_of("SHRIKE_DIFF_FAILURES", 3);
	struct rnd r = { seed };
	bool ok = true;

	if (world_init() < 0) {
		printf("# no world\n");
		return 1;
	}
	nv_watch = watch;
	printf("# seed %" PRIu64 ", %" PRIu64 " pairs\n", seed, pairs);
	for (uint64_t now = seed; failures < most && (count.pairs < pairs || count.pairs == 0); now = rnd_next(&r)) {
		bool good = one_set(now);

		failures += !good;
		if (pairs == 1)
			break;
	}
	if (pairs >= 20000)
		ok = summary(pairs >= 500000);
	world_done();
	printf("%s 1 - the product and a plain tree walk agree\n", failures || !ok ? "not ok" : "ok");
	return failures || !ok;
}
