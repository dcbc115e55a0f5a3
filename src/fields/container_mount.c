// SPDX-License-Identifier: Apache-2.0
/*
 * container_mount.c - directories of the host that were given to the container.
 *
 * Only bind mounts count: /proc, /dev and their like are in every container and say nothing.
 */
#include <fnmatch.h>

#include "fields/table.h"
#include "state/container.h"

/* Is `word` one of the comma-separated options? */
static bool has_option(struct shk_str options, const char *word)
{
	size_t len = strlen(word);

	for (size_t from = 0; from < options.n;) {
		const char *p = options.p + from;
		const char *comma = memchr(p, ',', options.n - from);
		size_t n = comma ? (size_t)(comma - p) : options.n - from;

		if (n == len && memcmp(p, word, len) == 0)
			return true;
		from += n + 1;
	}
	return false;
}

static bool is_bind(const struct shk_mount_info *m)
{
	return shk_str_eqz(m->type, "bind") || has_option(m->options, "bind") ||
	       has_option(m->options, "rbind");
}

static const char *propagation(const struct shk_mount_info *m)
{
	static const char *const words[] = { "private", "rprivate", "slave", "rslave", "shared",
					     "rshared", "unbindable", "runbindable" };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(words); i++)
		if (has_option(m->options, words[i]))
			return words[i];
	return "private";
}

/* The texts of a container record are copies with a NUL behind their end; "" has none. */
static const char *zero_terminated(struct shk_str s)
{
	return s.n ? s.p : "";
}

/* The mount an argument means: by number, or the first whose source (by_dest: destination) matches
 * it as a pattern. */
static const struct shk_mount_info *pick(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
					 bool by_dest)
{
	const char *pattern = NULL;
	int64_t at = 0;

	if (!ctx->ctr)
		return NULL;
	if (ref->key.p) {
		pattern = shk_arena_strndup(ctx->ev->arena, ref->key.p, ref->key.n);
		if (!pattern)
			return NULL;
	}
	for (size_t i = 0; i < ctx->ctr->n_mounts; i++) {
		const struct shk_mount_info *m = &ctx->ctr->mounts[i];

		if (!is_bind(m))
			continue;
		if (pattern ? fnmatch(pattern, zero_terminated(by_dest ? m->dest : m->source), 0) == 0 :
			      at == ref->index)
			return m;
		at++;
	}
	return NULL;
}

static bool source_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	const struct shk_mount_info *m = pick(ctx, ref, true);

	return m && shk_set_str(out, m->source);
}

static bool dest_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	const struct shk_mount_info *m = pick(ctx, ref, false);

	return m && shk_set_str(out, m->dest);
}

static bool rdwr_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	const struct shk_mount_info *m = pick(ctx, ref, false);

	return m && shk_set_z(out, has_option(m->options, "ro") ? "false" : "true");
}

static bool propagation_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			    struct shk_value *out)
{
	const struct shk_mount_info *m = pick(ctx, ref, false);

	return m && shk_set_z(out, propagation(m));
}

/* There is a word for the mode in the notes of engines, none in an OCI configuration. */
static bool mode_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	return pick(ctx, ref, false) && shk_set_z(out, "");
}

/* source:destination:mode:read-write:propagation; an OCI configuration has nothing for the mode. */
static void mount_print(const struct shk_mount_info *m, struct shk_buf *b)
{
	shk_buf_addstr(b, m->source);
	shk_buf_addc(b, ':');
	shk_buf_addstr(b, m->dest);
	shk_buf_adds(b, has_option(m->options, "ro") ? "::false:" : "::true:");
	shk_buf_adds(b, propagation(m));
}

static bool mount_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	const struct shk_mount_info *m = pick(ctx, ref, false);
	struct shk_buf b _cleanup_buf_;

	shk_buf_init(&b, SHK_FIELD_TEXT_MAX);
	if (!m)
		return false;
	mount_print(m, &b);
	return shk_set_buf(ctx, out, &b);
}

static bool mounts_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	struct shk_buf b _cleanup_buf_;

	(void)ref;
	shk_buf_init(&b, SHK_FIELD_TEXT_MAX);
	for (size_t i = 0; ctx->ctr && i < ctx->ctr->n_mounts; i++) {
		if (!is_bind(&ctx->ctr->mounts[i]))
			continue;
		if (b.n)
			shk_buf_addc(&b, ',');
		mount_print(&ctx->ctr->mounts[i], &b);
	}
	return b.n && shk_set_buf(ctx, out, &b);
}

#define ROW(n, fl, g, d)                                                                           \
	{ .name = (n), .class_name = "container", .type = SHK_T_STRING, .falco_type = "CHARBUF",   \
	  .flags = SHK_F_STABLE | (fl), .get = (g), .doc = (d) }
#define ONE (SHK_F_ARG_INDEX | SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED)

static const struct shk_field table[] = {
	ROW("container.mount", ONE, mount_get,
	    "A bind mount, by number or by a pattern for its source, as "
	    "source:destination:mode:writable:propagation."),
	ROW("container.mount.source", ONE, source_get,
	    "Host path of a bind mount, by number or by a pattern for its destination."),
	ROW("container.mount.dest", ONE, dest_get,
	    "Path inside the container of a bind mount, by number or by a pattern for its source."),
	ROW("container.mount.mode", ONE, mode_get,
	    "Mode of a bind mount, by number or by a pattern for its source: an empty text, as an OCI "
	    "configuration has none."),
	ROW("container.mount.rdwr", ONE, rdwr_get,
	    "Whether a bind mount, by number or by a pattern for its source, can be written."),
	ROW("container.mount.propagation", ONE, propagation_get,
	    "Propagation of a bind mount, by number or by a pattern for its source."),
	ROW("container.mounts", 0, mounts_get, "All bind mounts, separated by commas."),
};

SHK_FIELD_TABLE(shk_table_container_mount, table);
