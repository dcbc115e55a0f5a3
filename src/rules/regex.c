// SPDX-License-Identifier: Apache-2.0
#include "rules/regex.h"

#include <errno.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* A value a container chose must not hold the evaluating thread up: at about 10 ns a step this is some
 * milliseconds at worst. */
#define STEP_LIMIT  200000
#define DEPTH_LIMIT 2000
#define HEAP_KIB    512
#define PATTERN_MAX (1u << 19)

struct shk_regex {
	pcre2_code *code;
};

int shk_regex_new(struct shk_str pattern, struct shk_regex **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_regex_freep) struct shk_regex *re = calloc(1, sizeof(*re));
	_cleanup_buf_ struct shk_buf b;
	PCRE2_SIZE at = 0;
	int code = 0, r;

	shk_buf_init(&b, PATTERN_MAX);
	if (!re)
		return shk_err_sys(err, ENOMEM, "cannot compile a regular expression");
	shk_buf_adds(&b, "(*LF)\\A(?:");
	r = shk_regex_translate(pattern, &b, err);
	if (r < 0)
		return r;
	shk_buf_adds(&b, ")\\z");
	if (b.failed)
		return shk_err_set(err, EINVAL, "the regular expression is too long");
	/* POSIX mode takes ^ and $ for the ends of lines; $ knows the line feed alone. A dot matches it as
	 * well: values of fields have U+FFFD in place of it, what transformers make may have one, and that
	 * must not hide a text from a rule. */
	_Static_assert(sizeof(PCRE2_UCHAR) == 1, "8-bit library");
	re->code = pcre2_compile((PCRE2_SPTR)b.p, b.n,
				 PCRE2_MULTILINE | PCRE2_DOTALL | PCRE2_ALT_CIRCUMFLEX |
					 PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NO_AUTO_CAPTURE,
				 &code, &at, NULL);
	if (!re->code) {
		PCRE2_UCHAR text[128] = "";

		pcre2_get_error_message(code, text, sizeof(text));
		return shk_err_set(err, EINVAL, "bad regular expression \"" SHK_STR_FMT "\": %s",
				   SHK_STR_ARG(pattern), (const char *)text);
	}
	/* Without JIT (not built in, or memory that may not be executed) the interpreter does it. */
	(void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
	*ret = TAKE_PTR(re);
	return 0;
}

void shk_regex_free(struct shk_regex *re)
{
	if (!re)
		return;
	pcre2_code_free(re->code);
	free(re);
}

int shk_regex_check(struct shk_str pattern, struct shk_err *err)
{
	SHK_CLEANUP(shk_regex_freep) struct shk_regex *re = NULL;

	return shk_regex_new(pattern, &re, err);
}

static void *take(PCRE2_SIZE n, void *arena)
{
	return shk_arena_alloc_raw(arena, n);
}

static void leave(void *p, void *arena)
{
	(void)p;
	(void)arena;
}

bool shk_regex_match(const struct shk_regex *re, struct shk_str s, struct shk_arena *scratch,
		     bool *limit)
{
	pcre2_general_context *g = pcre2_general_context_create(take, leave, scratch);
	pcre2_match_context *mc = g ? pcre2_match_context_create(g) : NULL;
	pcre2_match_data *md = mc ? pcre2_match_data_create(1, g) : NULL;
	int r;

	if (!md) {
		*limit = true;
		return false;
	}
	pcre2_set_match_limit(mc, STEP_LIMIT);
	pcre2_set_depth_limit(mc, DEPTH_LIMIT);
	pcre2_set_heap_limit(mc, HEAP_KIB);
	r = pcre2_match(re->code, (PCRE2_SPTR)(s.p ? s.p : ""), s.n, 0, 0, md, mc);
	if (r < 0 && r != PCRE2_ERROR_NOMATCH)
		*limit = true;
	return r >= 0;
}
