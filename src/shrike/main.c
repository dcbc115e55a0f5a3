// SPDX-License-Identifier: Apache-2.0
/* shrike - the command line. This file finds the command; cmd_*.c do the work. */
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "control/places.h"
#include "engine/config.h"
#include "shrike/commands.h"

#define WIDTH_MIN 40

static const struct shk_cli_cmd *const commands[] = {
#define X(name) &shk_cmd_##name,
	SHK_CLI_COMMANDS(X)
#undef X
};

const struct shk_cli_cmd *shk_cli_command(struct shk_str name)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(commands); i++)
		if (shk_str_eqz(name, commands[i]->name))
			return commands[i];
	return NULL;
}

int shk_cli_no_command(const char *name)
{
	const char *best = NULL;
	unsigned least = 4;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(commands); i++) {
		unsigned d = shk_str_distance(shk_str(name), shk_str(commands[i]->name), least);

		if (d < least) {
			least = d;
			best = commands[i]->name;
		}
	}
	if (best)
		return shk_cli_fail(SHK_EXIT_USAGE, "no command \"%.64s\"; did you mean \"%s\"?", name,
				    best);
	return shk_cli_fail(SHK_EXIT_USAGE, "no command \"%.64s\"; shrike help lists them", name);
}

static void look_at_output(struct shk_cli *c)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize w;

	c->tty = isatty(STDOUT_FILENO);
	c->colour = c->tty && !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
	if (c->tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col)
		c->width = SHK_MAX(w.ws_col, WIDTH_MIN);
}

/* A full disk must not look like success. */
static int finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	return shk_cli_fail(SHK_EXIT_FAILED, "cannot write to standard output: %s", strerror(errno));
}

/* A user who has a configuration means that one, as the user's own daemon does. */
static void choose_configuration(void)
{
	struct shk_err ignored;
	char dir[PATH_MAX];

	if (shk_is_rootless() && shk_place(SHK_PLACE_CONFIG, "", dir, sizeof(dir), &ignored) == 0 &&
	    access(dir, F_OK) == 0)
		shk_config_for_user();
}

int main(int argc, char **argv)
{
	struct shk_cli c = { 0 };
	int r;

	/* A reader that has seen enough (head, a pager) ends this program without a word, also when
	 * whoever started it had the signal ignored. */
	signal(SIGPIPE, SIG_DFL);
	setlocale(LC_CTYPE, "");
	look_at_output(&c);
	choose_configuration();
	if (argc < 2) {
		shk_cmd_help.run(&c);
		return finish(SHK_EXIT_USAGE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		c.cmd = &shk_cmd_help;
	else if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		c.cmd = &shk_cmd_version;
	else
		c.cmd = shk_cli_command(shk_str(argv[1]));
	if (!c.cmd)
		return shk_cli_no_command(argv[1]);
	r = shk_cli_parse(&c, argc - 1, argv + 1);
	if (r)
		return finish(r - 1000);
	return finish(c.cmd->run(&c));
}
