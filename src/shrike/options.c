// SPDX-License-Identifier: Apache-2.0
/* Options, --help and error messages, all from the command's row. */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>

#include "shrike/cli.h"

enum { OPT_HELP = 500, OPT_SOCKET, OPT_FIRST = 1000 };

static void SHK_PRINTF(1, 0) say(const char *fmt, va_list ap, const char *more)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	char text[SHK_ERR_TEXT_MAX + 256];

	vsnprintf(text, sizeof(text), fmt, ap);
	shk_buf_init(&b, sizeof(text) * 5);
	shk_cli_clean(&b, shk_str(text));
	fflush(stdout);
	fprintf(stderr, "shrike: %s%s\n", b.n ? b.p : "", more);
}

int shk_cli_fail(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, "");
	va_end(ap);
	return code;
}

int shk_cli_usage(const struct shk_cli *c, const char *fmt, ...)
{
	char more[128];
	va_list ap;

	snprintf(more, sizeof(more), "; shrike %s --help shows how to use it", c->cmd->name);
	va_start(ap, fmt);
	say(fmt, ap, more);
	va_end(ap);
	return SHK_EXIT_USAGE;
}

static void help_option(FILE *out, const struct shk_cli_opt *o)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%s%c%s--%s%s%s", o->letter ? "-" : " ",
			 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			 o->arg ? " " : "", o->arg ? o->arg : "");

	if (n > 24)
		fprintf(out, "  %s\n  %-24s  %s\n", text, "", o->doc);
	else
		fprintf(out, "  %-24s  %s\n", text, o->doc);
}

void shk_cli_help(const struct shk_cli_cmd *cmd, FILE *out)
{
	static const struct shk_cli_opt common[] = {
		{ "socket", 0, "PATH", "control socket of shriked (or SHRIKE_SOCKET)" },
		{ "help", 'h', NULL, "this text" },
	};

	fprintf(out, "Usage: shrike %s [OPTIONS]%s%s\n\n%s.\n", cmd->name, *cmd->args ? " " : "",
		cmd->args, cmd->summary);
	if (cmd->detail)
		fprintf(out, "%s\n", cmd->detail);
	fputs("\nOptions:\n", out);
	for (const struct shk_cli_opt *o = cmd->opt; o->name; o++)
		help_option(out, o);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(common); i++)
		help_option(out, &common[i]);
	fprintf(out, "\nExit codes:\n%s\n\nExample:\n%s\n", cmd->exits, cmd->example);
}

const char *shk_cli_value(const struct shk_cli *c, const char *name)
{
	for (size_t i = 0; i < SHK_CLI_OPTS && c->cmd->opt[i].name; i++)
		if (strcmp(c->cmd->opt[i].name, name) == 0)
			return c->value[i];
	return NULL;
}

const char *shk_cli_each(const struct shk_cli *c, const char *name, unsigned *pos)
{
	while (*pos < c->n_given) {
		unsigned i = (*pos)++;

		if (strcmp(c->cmd->opt[c->given[i].row].name, name) == 0)
			return c->given[i].value;
	}
	return NULL;
}

static void nearest(struct shk_str word, struct shk_str name, unsigned *least, struct shk_str *best)
{
	unsigned d = shk_str_distance(word, name, *least);

	if (d < *least) {
		*least = d;
		*best = name;
	}
}

static int bad_option(const struct shk_cli *c, const char *word)
{
	struct shk_str w = shk_str(word), best = { 0 };
	unsigned least = 4;

	if (!shk_str_starts(w, SHK_STR("--")))
		return shk_cli_usage(c, "%s: unknown option %.64s", c->cmd->name, word);
	w.p += 2;
	w.n = strcspn(w.p, "=");
	for (const struct shk_cli_opt *o = c->cmd->opt; o->name; o++)
		nearest(w, shk_str(o->name), &least, &best);
	nearest(w, SHK_STR("socket"), &least, &best);
	nearest(w, SHK_STR("help"), &least, &best);
	if (best.n)
		return shk_cli_usage(c, "%s: unknown option --%.*s, did you mean --" SHK_STR_FMT "?",
				     c->cmd->name, (int)SHK_MIN(w.n, 64), w.p, SHK_STR_ARG(best));
	return shk_cli_usage(c, "%s: unknown option --%.*s", c->cmd->name, (int)SHK_MIN(w.n, 64), w.p);
}

static size_t tables_of(const struct shk_cli_cmd *cmd, struct option *longs, char *shorts)
{
	size_t n = 0, s = 0;

	shorts[s++] = ':';
	shorts[s++] = 'h';
	for (; n < SHK_CLI_OPTS && cmd->opt[n].name; n++) {
		const struct shk_cli_opt *o = &cmd->opt[n];

		longs[n] = (struct option){ o->name, o->arg ? required_argument : no_argument, NULL,
					    OPT_FIRST + (int)n };
		if (o->letter) {
			shorts[s++] = o->letter;
			if (o->arg)
				shorts[s++] = ':';
		}
	}
	shorts[s] = 0;
	longs[n++] = (struct option){ "socket", required_argument, NULL, OPT_SOCKET };
	longs[n++] = (struct option){ "help", no_argument, NULL, OPT_HELP };
	longs[n] = (struct option){ 0 };
	return n;
}

static int take(struct shk_cli *c, int got)
{
	for (size_t i = 0; i < SHK_CLI_OPTS && c->cmd->opt[i].name; i++) {
		const struct shk_cli_opt *o = &c->cmd->opt[i];

		if (got != OPT_FIRST + (int)i && (got >= OPT_HELP || o->letter != got))
			continue;
		c->value[i] = o->arg ? optarg : "";
		if (!o->arg)
			continue;
		if (c->n_given == SHK_CLI_GIVEN)
			return 1000 + shk_cli_usage(c, "%s: more than %u options", c->cmd->name, SHK_CLI_GIVEN);
		c->given[c->n_given].row = (unsigned)i;
		c->given[c->n_given++].value = optarg;
	}
	return 0;
}

int shk_cli_parse(struct shk_cli *c, int argc, char **argv)
{
	struct option longs[SHK_CLI_OPTS + 3];
	char shorts[SHK_CLI_OPTS * 2 + 4];
	int got;

	tables_of(c->cmd, longs, shorts);
	opterr = 0;
	while ((got = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const char *word = argv[optind - 1];

		switch (got) {
		case 'h':
		case OPT_HELP:
			shk_cli_help(c->cmd, stdout);
			return 1000 + SHK_EXIT_OK;
		case OPT_SOCKET:
			c->socket = optarg;
			break;
		case ':':
			return 1000 + shk_cli_usage(c, "%s: option %.64s needs a value", c->cmd->name,
						    word);
		case '?':
			/* A single letter may stand inside a group: -fx. */
			if (optopt > 0 && optopt < OPT_HELP) {
				char one[3] = { '-', (char)optopt, 0 };

				return 1000 + bad_option(c, one);
			}
			if (optopt)
				return 1000 + shk_cli_usage(c, "%s: option %.64s takes no value",
							    c->cmd->name, word);
			return 1000 + bad_option(c, word);
		default: {
			int r = take(c, got);

			if (r)
				return r;
		}
		}
	}
	c->argc = argc - optind;
	c->argv = argv + optind;
	if (c->argc < c->cmd->min_args)
		return 1000 + shk_cli_usage(c, "%s: %s is missing", c->cmd->name, c->cmd->args);
	if (c->cmd->max_args >= 0 && c->argc > c->cmd->max_args)
		return 1000 + shk_cli_usage(c, "%s: \"%.64s\" is one argument too many", c->cmd->name,
					    c->argv[c->cmd->max_args]);
	return 0;
}
