// SPDX-License-Identifier: Apache-2.0
#include "cmdline.h"

#include <errno.h>

/* Options of runc 1.0 to 1.3 and crun 1.0 to 1.20. */
struct opt {
	const char *name;
	char letter; /* 0: none */
	bool value;
};

static const struct opt global_opts[] = {
	{ "cgroup-manager", 0, true }, { "criu", 0, true },
	{ "debug", 0, false },	       { "help", 'h', false },
	{ "log", 0, true },	       { "log-format", 0, true },
	{ "log-level", 0, true },      { "root", 0, true },
	{ "rootless", 0, true },       { "systemd-cgroup", 0, false },
	{ "usage", 0, false },	       { "version", 'v', false },
	{ "version", 'V', false },     { 0 },
};

/* create, run and restore. */
static const struct opt start_opts[] = {
	{ "auto-dedup", 0, false },	{ "bundle", 'b', true },
	{ "config", 'f', true },	{ "console-socket", 0, true },
	{ "detach", 'd', false },	{ "empty-ns", 0, true },
	{ "ext-unix-sk", 0, false },	{ "file-locks", 0, false },
	{ "help", 'h', false },		{ "image-path", 0, true },
	{ "keep", 0, false },		{ "lazy-pages", 0, false },
	{ "lsm-mount-context", 0, true }, { "lsm-profile", 0, true },
	{ "manage-cgroups-mode", 0, true }, { "no-new-keyring", 0, false },
	{ "no-pivot", 0, false },	{ "no-subreaper", 0, false },
	{ "parent-path", 0, true },	{ "pid-file", 0, true },
	{ "pidfd-socket", 0, true },	{ "preserve-fds", 0, true },
	{ "shell-job", 0, false },	{ "tcp-established", 0, false },
	{ "usage", 0, false },		{ "work-path", 0, true },
	{ 0 },
};

static const struct opt exec_opts[] = {
	{ "additional-gids", 'g', true }, { "apparmor", 0, true },
	{ "cap", 'c', true },		  { "cgroup", 0, true },
	{ "console-socket", 0, true },	  { "cwd", 0, true },
	{ "detach", 'd', false },	  { "env", 'e', true },
	{ "help", 'h', false },		  { "ignore-paused", 0, false },
	{ "no-new-privs", 0, false },	  { "no-subreaper", 0, false },
	{ "pid-file", 0, true },	  { "pidfd-socket", 0, true },
	{ "preserve-fds", 0, true },	  { "process", 'p', true },
	{ "process-label", 0, true },	  { "tty", 't', false },
	{ "usage", 0, false },		  { "user", 'u', true },
	{ 0 },
};

static const struct {
	const char *word;
	enum shk_oci_command command;
} commands[] = {
	{ "create", SHK_OCI_CREATE },	{ "run", SHK_OCI_RUN },
	{ "restore", SHK_OCI_RESTORE }, { "exec", SHK_OCI_EXEC },
	{ "checkpoint", SHK_OCI_OTHER }, { "delete", SHK_OCI_OTHER },
	{ "events", SHK_OCI_OTHER },	{ "features", SHK_OCI_OTHER },
	{ "help", SHK_OCI_OTHER },	{ "init", SHK_OCI_OTHER },
	{ "kill", SHK_OCI_OTHER },	{ "list", SHK_OCI_OTHER },
	{ "mounts", SHK_OCI_OTHER },	{ "pause", SHK_OCI_OTHER },
	{ "ps", SHK_OCI_OTHER },	{ "resume", SHK_OCI_OTHER },
	{ "spec", SHK_OCI_OTHER },	{ "start", SHK_OCI_OTHER },
	{ "state", SHK_OCI_OTHER },	{ "update", SHK_OCI_OTHER },
};

struct walk {
	const struct opt *opts;
	char **argv;
	int argc, i;
	struct shk_cmdline *out;
};

static int command_index(const char *word)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].word, word) == 0)
			return (int)i;
	return -1;
}

/* By whole name, else by a beginning that only one name has. */
static const struct opt *by_name(const struct opt *opts, struct shk_str name)
{
	const struct opt *found = NULL;

	for (const struct opt *o = opts; o->name; o++)
		if (shk_str_eqz(name, o->name))
			return o;
	for (const struct opt *o = opts; o->name && name.n; o++) {
		if (!shk_str_starts(shk_str(o->name), name))
			continue;
		if (found && strcmp(found->name, o->name) != 0)
			return NULL;
		found = o;
	}
	return found;
}

static const struct opt *by_letter(const struct opt *opts, char c)
{
	for (const struct opt *o = opts; o->name; o++)
		if (o->letter && o->letter == c)
			return o;
	return NULL;
}

static void keep(struct shk_cmdline *c, const struct opt *o, const char *value)
{
	if (strcmp(o->name, "bundle") == 0)
		c->bundle = value;
	else if (strcmp(o->name, "config") == 0)
		c->config = value;
	else if (strcmp(o->name, "log") == 0)
		c->log = value;
	else if (strcmp(o->name, "log-format") == 0)
		c->log_format = value;
}

/* One argument that begins with '-'; w->i is moved past it and past its value. 1: understood, 0: not in
 * the list (moved past the argument alone). */
static int option(struct walk *w)
{
	const char *arg = w->argv[w->i++], *name = arg + (arg[1] == '-' ? 2 : 1);
	const char *eq = strchr(name, '=');
	struct shk_str word = { name, eq ? (size_t)(eq - name) : strlen(name) };
	const struct opt *o = NULL;

	/* "-f" is a letter before it is the beginning of a name. */
	if (arg[1] == '-' || word.n > 1)
		o = by_name(w->opts, word);
	if (o && arg[1] != '-' && strlen(o->name) != word.n)
		o = NULL; /* beginnings are argp's, which has them behind two dashes only */
	if (o) {
		if (o->value && !eq && w->i < w->argc)
			keep(w->out, o, w->argv[w->i++]);
		else if (o->value && eq)
			keep(w->out, o, eq + 1);
		return 1;
	}
	if (arg[1] == '-')
		return 0;
	for (; *name; name++) {
		o = by_letter(w->opts, *name);
		if (!o)
			return 0;
		if (!o->value)
			continue;
		if (name[1])
			keep(w->out, o, name[1] == '=' ? name + 2 : name + 1);
		else if (w->i < w->argc)
			keep(w->out, o, w->argv[w->i++]);
		return 1;
	}
	return 1;
}

static bool is_option(const char *arg)
{
	return arg[0] == '-' && arg[1] && strcmp(arg, "--") != 0;
}

/* Up to the command. */
static void global_part(struct walk *w)
{
	while (w->i < w->argc && is_option(w->argv[w->i])) {
		const char *arg = w->argv[w->i];

		/* An option of a later version: what follows is its value, unless it is a command. */
		if (!option(w) && !strchr(arg, '=') && w->i < w->argc && !is_option(w->argv[w->i]) &&
		    command_index(w->argv[w->i]) < 0)
			w->i++;
	}
	if (w->i < w->argc && strcmp(w->argv[w->i], "--") == 0)
		w->i++;
}

/* create, run, restore: the container is the last operand, wherever options stand. */
static void start_part(struct walk *w)
{
	bool only_operands = false;

	while (w->i < w->argc) {
		if (!only_operands && strcmp(w->argv[w->i], "--") == 0) {
			only_operands = true;
			w->i++;
		} else if (!only_operands && is_option(w->argv[w->i])) {
			option(w);
		} else {
			w->out->id = w->argv[w->i++];
		}
	}
}

/* exec: the container is the first operand; what follows is the session's. */
static int exec_part(struct walk *w, struct shk_err *err)
{
	while (w->i < w->argc) {
		const char *arg = w->argv[w->i];

		if (strcmp(arg, "--") == 0) {
			if (w->i + 1 < w->argc)
				w->out->id = w->argv[w->i + 1];
			return 0;
		}
		if (!is_option(arg)) {
			w->out->id = arg;
			return 0;
		}
		if (!option(w) && !strchr(arg, '='))
			return shk_err_set(err, EINVAL, "exec: option %s is not known here, so the container "
					   "cannot be told from its value; update shrike, or write it "
					   "as %s=VALUE", arg, arg);
	}
	return 0;
}

/* Takes --shrike-NAME=VALUE and --shrike-NAME VALUE out of the part before the command. */
static int own_options(int *argc, char **argv, struct shk_cmdline *c, struct shk_err *err)
{
	int to = 1, i = 1;

	while (i < *argc && is_option(argv[i])) {
		const char *arg = argv[i], *eq = strchr(arg, '=');
		struct shk_str name = { arg, eq ? (size_t)(eq - arg) : strlen(arg) };
		const char **slot = NULL, *timeout = NULL;
		uint64_t v = 0;

		if (shk_str_eqz(name, "--shrike-runtime"))
			slot = &c->runtime;
		else if (shk_str_eqz(name, "--shrike-socket"))
			slot = &c->socket;
		else if (shk_str_eqz(name, "--shrike-timeout"))
			slot = &timeout;
		else if (shk_str_starts(name, SHK_STR("--shrike-")))
			return shk_err_set(err, EINVAL, "unknown option %s; there are --shrike-runtime=PATH, "
					   "--shrike-socket=PATH and --shrike-timeout=SECONDS", arg);
		if (!slot) {
			struct shk_cmdline junk = { 0 };
			struct walk w = { global_opts, argv, *argc, i, &junk };

			option(&w);
			while (i < w.i)
				argv[to++] = argv[i++];
			continue;
		}
		i++;
		if (eq)
			*slot = eq + 1;
		else if (i < *argc)
			*slot = argv[i++];
		if (!*slot || !**slot)
			return shk_err_set(err, EINVAL, SHK_STR_FMT " needs a value; write "
					   SHK_STR_FMT "=VALUE", SHK_STR_ARG(name), SHK_STR_ARG(name));
		if (slot == &timeout && (!shk_str_to_u64(shk_str(timeout), &v) || v < 1 || v > 3600))
			return shk_err_set(err, EINVAL, "--shrike-timeout takes 1 to 3600 seconds");
		if (slot == &timeout)
			c->timeout_s = (unsigned)v;
	}
	while (i < *argc)
		argv[to++] = argv[i++];
	argv[to] = NULL;
	*argc = to;
	return 0;
}

int shk_cmdline_parse(int *argc, char **argv, struct shk_cmdline *ret, struct shk_err *err)
{
	struct shk_cmdline c = { 0 };
	struct walk w = { .opts = global_opts, .argv = argv, .i = 1, .out = &c };
	int r, index;

	r = own_options(argc, argv, &c, err);
	if (r < 0)
		return r;
	w.argc = *argc;
	global_part(&w);
	if (w.i < w.argc) {
		c.command_word = w.argv[w.i++];
		index = command_index(c.command_word);
		c.command = index < 0 ? SHK_OCI_OTHER : commands[index].command;
	}
	if (c.command == SHK_OCI_EXEC) {
		w.opts = exec_opts;
		r = exec_part(&w, err);
		if (r < 0)
			return r;
	} else if (c.command != SHK_OCI_OTHER) {
		w.opts = start_opts;
		start_part(&w);
	}
	/* Without a container the runtime prints what is missing, better than we could. */
	if (!c.id)
		c.command = SHK_OCI_OTHER;
	*ret = c;
	return 0;
}
