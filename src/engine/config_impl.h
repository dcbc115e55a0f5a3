/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_impl.h - what the files that read shrike.yaml share (private to them).
 *
 * A reader says where in the file something is wrong; words are names with values. No state.
 */
#ifndef SHK_ENGINE_CONFIG_IMPL_H
#define SHK_ENGINE_CONFIG_IMPL_H

#include <yaml.h>

#include "engine/config.h"

struct shk_config_reader {
	yaml_document_t *doc;
	const char *name; /* of the file */
	struct shk_err *err;
};

/* A list ends with a NULL name. */
struct shk_config_word {
	const char *name;
	int value;
};

/* "file:line:column: text", -EINVAL. */
int shk_config_fail(const struct shk_config_reader *r, const yaml_mark_t *m, const char *fmt, ...)
	SHK_PRINTF(3, 4);
yaml_node_t *shk_config_node(const struct shk_config_reader *r, int index);
/* "did you mean 'x'?", or the list of what is possible. */
void shk_config_hint(struct shk_str got, const struct shk_config_word *w, char *out, size_t size);
/* The scalar's text, a view into the document. */
int shk_config_scalar(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
		      struct shk_str *ret);
/* A copy of s in place of *out. */
int shk_config_take(const struct shk_config_reader *r, struct shk_str s, char **out);
int shk_config_parse_word(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			  const struct shk_config_word *w, int *out);
/* The same for a key of a mapping. */
int shk_config_parse_key(const struct shk_config_reader *r, const yaml_node_t *n, const char *where,
			 const struct shk_config_word *w, int *out);
int shk_config_parse_path(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			  char **out);
/* "250ms", "10s", "5m", "2h", "7d", 0: nanoseconds. */
int shk_config_parse_duration(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			      uint64_t *out);
/* "64M", with K, M, G of 1024. */
int shk_config_parse_size(const struct shk_config_reader *r, const yaml_node_t *n, const char *key,
			  uint64_t *out);
const char *shk_config_word_of(const struct shk_config_word *w, int value);
void shk_config_put_quoted(struct shk_buf *out, const char *s);
void shk_config_put_duration(struct shk_buf *out, uint64_t ns);
void shk_config_put_size(struct shk_buf *out, uint64_t bytes);

/* config_outputs.c */
int shk_config_parse_outputs(const struct shk_config_reader *r, const yaml_node_t *n, struct shk_config *c);
void shk_config_drop_outputs(struct shk_config *c);
void shk_config_dump_outputs(const struct shk_config *c, struct shk_buf *out);
/* The kinds with their options, as the manual page has them (mdoc). */
void shk_config_doc_outputs(struct shk_buf *out);

#endif
