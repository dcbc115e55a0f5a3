// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <yaml.h>

#include "base/io.h"
#include "shrike/load.h"

#define POLICY_TEXT_MAX (1u << 20)

int shk_cli_config(const struct shk_cli *c, struct shk_config **ret, struct shk_rules_config *rules)
{
	const char *file = shk_cli_value(c, "config");
	struct shk_rules_config unused;
	struct shk_err err = { 0 };
	int r = shk_config_load(file, ret, &err);

	if (r < 0 && file)
		return shk_cli_fail(r == -EINVAL ? SHK_EXIT_FINDING : SHK_EXIT_FAILED, "%s", err.text);
	if (r < 0)
		r = shk_config_load_text("(defaults)", SHK_STR(""), ret, &err);
	if (r == 0)
		r = shk_config_rules(*ret, rules ? rules : &unused, &err);
	return r < 0 ? shk_cli_fail(SHK_EXIT_FAILED, "%s", err.text) : SHK_EXIT_OK;
}

static void on_diag(const struct shk_diag *d, void *arg)
{
	_cleanup_buf_ struct shk_buf b = { 0 };

	(void)arg;
	if (!d->error)
		return;
	shk_buf_init(&b, 65536);
	shk_diag_print(d, &b);
	if (b.n)
		fputs(b.p, stderr);
}

static bool is_path(const char *which)
{
	struct shk_str s = shk_str(which);

	return strchr(which, '/') || shk_str_ends(s, SHK_STR(".yaml")) ||
	       shk_str_ends(s, SHK_STR(".yml"));
}

static int from_file(const char *path, const struct shk_rules_config *rules,
		     struct shk_policyset **set, const struct shk_policy **policy, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf text = { 0 };
	int r;

	shk_buf_init(&text, POLICY_TEXT_MAX);
	r = shk_read_file(path, &text, err);
	if (r >= 0)
		r = shk_policyset_load_text(path, (struct shk_str){ text.n ? text.p : "", text.n },
					    rules, set, err);
	if (r < 0)
		return r;
	/* File order: its first policy, or the built-in default when the file is empty. */
	*policy = shk_policyset_at(*set, 0);
	return 0;
}

static int no_policy(const struct shk_policyset *set, const char *which)
{
	struct shk_str best = { 0 };
	unsigned least = 4;

	for (size_t i = 0; i < shk_policyset_count(set); i++) {
		struct shk_str name = shk_policyset_at(set, i)->name;
		unsigned d = shk_str_distance(shk_str(which), name, least);

		if (d < least) {
			least = d;
			best = name;
		}
	}
	if (best.n)
		return shk_cli_fail(SHK_EXIT_FINDING, "no policy \"%.64s\"; did you mean \"" SHK_STR_FMT
				    "\"?", which, SHK_STR_ARG(best));
	return shk_cli_fail(SHK_EXIT_FINDING, "no policy \"%.64s\"; name another directory with "
			    "--policy-dir, or give the path of a policy file", which);
}

int shk_cli_load_policy(const struct shk_cli *c, const char *which, struct shk_policyset **set,
			const struct shk_policy **policy)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *config = NULL;
	const char *dir = shk_cli_value(c, "policy-dir"), *path = shk_cli_value(c, "rules-path");
	struct shk_rules_config rules;
	struct shk_err err = { 0 };
	int r = shk_cli_config(c, &config, &rules);

	if (r)
		return r;
	if (dir && access(dir, R_OK | X_OK) < 0)
		return shk_cli_fail(SHK_EXIT_FAILED, "policy directory %s: %s", dir, strerror(errno));
	if (path)
		rules.rules_path = path;
	if (which && is_path(which))
		r = from_file(which, &rules, set, policy, &err);
	else
		r = shk_policyset_load(dir ? dir : config->policy_dir, &rules, on_diag, NULL, set, &err);
	if (r < 0)
		return shk_cli_fail(r == -EINVAL ? SHK_EXIT_FINDING : SHK_EXIT_FAILED, "%s", err.text);
	if (*policy)
		return SHK_EXIT_OK;
	*policy = shk_policyset_by_name(*set, shk_str(which ? which : "default"));
	return *policy ? SHK_EXIT_OK : no_policy(*set, which);
}

bool shk_cli_is_policy(struct shk_str text)
{
	yaml_parser_t p;
	bool found = false, end = false, key = true;
	int depth = 0;

	if (!yaml_parser_initialize(&p))
		return false;
	yaml_parser_set_input_string(&p, (const unsigned char *)text.p, text.n);
	while (!found && !end) {
		yaml_event_t e;

		if (!yaml_parser_parse(&p, &e))
			break;
		switch (e.type) {
		case YAML_MAPPING_START_EVENT:
			depth++;
			break;
		case YAML_SEQUENCE_START_EVENT:
			end = depth == 0;
			depth++;
			break;
		case YAML_MAPPING_END_EVENT:
		case YAML_SEQUENCE_END_EVENT:
			depth--;
			if (depth == 1)
				key = !key;
			break;
		case YAML_SCALAR_EVENT:
			if (depth == 1) {
				found = key && strcmp((char *)e.data.scalar.value, "policy") == 0;
				key = !key;
			}
			break;
		case YAML_ALIAS_EVENT:
			if (depth == 1)
				key = !key;
			break;
		case YAML_DOCUMENT_END_EVENT:
		case YAML_STREAM_END_EVENT:
			end = true;
			break;
		default:
			break;
		}
		yaml_event_delete(&e);
	}
	yaml_parser_delete(&p);
	return found;
}
