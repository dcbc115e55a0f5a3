// SPDX-License-Identifier: Apache-2.0
/* What one comparison asks of registers. Every answer is an over-approximation: registers for which
 * the comparison cannot have the truth value asked for are left out, and none that could. Flags and
 * enumerations are compared in their low half, as the fields see them (shk_event_reg): the kernel
 * ignores the rest. */
#include "rules/regfilter.h"

#include "syscalls/flags.h"

#define LOW UINT64_C(0xffffffff)

static void always(struct shk_reg_filter *f)
{
	*f = (struct shk_reg_filter){ .always = true };
}

/* Adds (arg & mask) == value as one more possibility. */
static void add_test(struct shk_reg_filter *f, unsigned arg, uint64_t mask, uint64_t value,
		     bool negate)
{
	if (f->always)
		return;
	if (f->n == SHK_REG_DISJ_MAX || !mask) {
		always(f);
		return;
	}
	f->never = false;
	f->c[f->n++] = (struct shk_reg_conj){
		.t = { { .arg = (uint8_t)arg, .negate = negate, .mask = mask, .value = value } },
		.n = 1
	};
}

static bool is_word(struct shk_str s)
{
	/* Numbers print in decimal or lower-case hexadecimal: they cannot hold such a word. */
	return s.n && s.p[0] >= 'A' && s.p[0] <= 'Z' && !memchr(s.p, '|', s.n);
}

/* evt.is_open_read, evt.is_open_write: which of the wanted answers are possible? */
static void open_access(enum shk_call_id id, bool write, bool want, struct shk_reg_filter *out)
{
	unsigned arg = id == SHK_CALL_openat ? 2 : 1;

	if (id == SHK_CALL_openat2 || id == SHK_CALL_open_by_handle_at) {
		always(out); /* flags in memory; a call that others stand in for */
		return;
	}
	if (id != SHK_CALL_open && id != SHK_CALL_openat) {
		*out = (struct shk_reg_filter){ .never = want, .always = !want };
		return;
	}
	/* O_ACCMODE: 0 read, 1 write, 2 both, 3 neither for the fields. */
	if (!write) {
		add_test(out, arg, 1, !want, false);
	} else if (want) {
		add_test(out, arg, 3, 0, true);
	} else {
		add_test(out, arg, 3, 0, false);
		add_test(out, arg, 3, 3, false);
	}
}

/* A bool field compared with constants: can it be true when its value is v? */
static bool bool_holds(const struct shk_test *t, bool v)
{
	for (size_t i = 0; i < t->n; i++)
		if ((t->c[i].v.b == v) != (t->op == SHK_OP_NE))
			return true;
	return false;
}

static void leaf_access(enum shk_call_id id, const struct shk_test *t, bool write, bool negate,
			struct shk_reg_filter *out)
{
	bool on_true = bool_holds(t, true) != negate, on_false = bool_holds(t, false) != negate;

	if (t->right != SHK_SLOT_NONE || t->mod != SHK_MOD_NONE || (on_true && on_false))
		always(out);
	else if (on_true || on_false)
		open_access(id, write, on_true, out);
}

/* Does a value of this enumeration print as the word? */
static bool prints_as(const struct shk_flag_list *l, uint64_t value, struct shk_str word)
{
	_cleanup_buf_ struct shk_buf b;

	shk_buf_init(&b, 256);
	shk_flags_print(l, value, &b);
	return !b.failed && shk_str_eq(shk_buf_view(&b), word);
}

static void enum_equals(const struct shk_flag_list *l, unsigned arg, struct shk_str word,
			struct shk_reg_filter *out)
{
	if (!is_word(word)) {
		always(out);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		if (shk_str_eqz(word, l->flags[i].name))
			add_test(out, arg, LOW, l->flags[i].value & LOW, false);
}

/* The value is none of the words: all of the differences at once. More than fit are left out, which
 * only lets more calls through. */
static void enum_differs(const struct shk_flag_list *l, unsigned arg, const struct shk_test *t,
			 struct shk_reg_filter *out)
{
	struct shk_reg_conj c = { 0 };

	for (size_t i = 0; i < t->n; i++)
		for (size_t j = 0; j < l->n && c.n < SHK_REG_CONJ_MAX; j++)
			if (shk_str_eqz(t->c[i].v.s, l->flags[j].name) &&
			    prints_as(l, l->flags[j].value, t->c[i].v.s))
				c.t[c.n++] = (struct shk_reg_test){ .arg = (uint8_t)arg,
								    .negate = true,
								    .mask = LOW,
								    .value = l->flags[j].value & LOW };
	if (!c.n) {
		always(out);
		return;
	}
	*out = (struct shk_reg_filter){ .n = 1 };
	out->c[0] = c;
}

/* One word within the text of a set of flags, or of an enumeration's value: a flag whose name holds it
 * is set, or is the value. */
static void flags_contain(const struct shk_flag_list *l, unsigned arg, struct shk_str word,
			  struct shk_reg_filter *out)
{
	if (!is_word(word)) {
		always(out);
		return;
	}
	for (size_t i = 0; i < l->n; i++)
		if (shk_contains(shk_str(l->flags[i].name), word))
			add_test(out, arg, l->is_enum ? LOW : l->flags[i].mask & LOW,
				 l->flags[i].value & LOW, false);
}

static void leaf_argument(const struct shk_arg_desc *d, unsigned arg, const struct shk_test *t,
			  bool negate, struct shk_reg_filter *out)
{
	bool equals = (t->op == SHK_OP_EQ && t->n == 1) || t->kind == SHK_TEST_STRSET;

	if (d->flags->is_enum && t->op == SHK_OP_NE && t->n == 1) {
		negate = !negate;
		equals = true;
	}
	if (t->mod != SHK_MOD_NONE || t->right != SHK_SLOT_NONE || t->multi) {
		always(out);
	} else if (d->flags->is_enum && equals && negate) {
		enum_differs(d->flags, arg, t, out);
	} else if (d->flags->is_enum && equals) {
		for (size_t i = 0; i < t->n; i++)
			enum_equals(d->flags, arg, t->c[i].v.s, out);
	} else if (!negate && t->kind == SHK_TEST_VALUE && t->op == SHK_OP_CONTAINS && t->n == 1) {
		flags_contain(d->flags, arg, t->c[0].v.s, out);
	} else {
		always(out);
	}
}

void shk_reg_leaf(const struct shk_ruleset *rs, enum shk_call_id id, const struct shk_test *t,
		  bool negate, struct shk_reg_filter *out)
{
	const struct shk_slot *s = &rs->slots.v[t->left];
	const struct shk_syscall *call = &shk_syscalls[id];
	const char *name = s->kind == SHK_OPERAND_FIELD ? s->ref.field->name : "";
	int arg;

	if (t->kind == SHK_TEST_CALL) {
		bool in = t->calls->bit[id / 64] >> (id % 64) & 1;

		out->always = (in != t->negate_calls) != negate;
		out->never = !out->always;
		return;
	}
	/* What comes is an over-approximation of "no register": add_test takes `never` back. */
	*out = (struct shk_reg_filter){ .never = true };
	if (t->kind == SHK_TEST_VALUE && strcmp(name, "evt.is_open_read") == 0) {
		leaf_access(id, t, false, negate, out);
		return;
	}
	if (t->kind == SHK_TEST_VALUE && strcmp(name, "evt.is_open_write") == 0) {
		leaf_access(id, t, true, negate, out);
		return;
	}
	arg = strcmp(name, "evt.arg") == 0 && s->ref.key.p ? shk_syscall_arg(call, s->ref.key) : -1;
	/* execveat has parameters of its own making under the names of arguments. */
	if (arg >= 0 && call->arg[arg].flags && id != SHK_CALL_execveat &&
	    (call->arg[arg].kind == SHK_ARG_FLAGS || call->arg[arg].kind == SHK_ARG_ENUM))
		leaf_argument(&call->arg[arg], (unsigned)arg, t, negate, out);
	else
		always(out);
}
