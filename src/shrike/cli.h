/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli.h - what the sub-commands of `shrike` share.
 *
 * One file per command (cmd_*.c), each exporting one row of type struct shk_cli_cmd; commands.h
 * lists them. The row is the command's option parser, its --help and its line in `shrike help`, so
 * that none of the three can say something else. Single thread; everything lives until exit.
 */
#ifndef SHK_SHRIKE_CLI_H
#define SHK_SHRIKE_CLI_H

#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

struct json_object;

/* Exit codes, the same for every command. */
enum {
	SHK_EXIT_OK = 0,
	SHK_EXIT_FINDING = 1,	/* the question was answered, and the answer is bad news */
	SHK_EXIT_USAGE = 2,
	SHK_EXIT_NO_DAEMON = 3, /* shriked cannot be reached */
	SHK_EXIT_FAILED = 4,	/* anything else: a file, memory, an answer nobody expected */
};

#define SHK_CLI_OPTS  12
#define SHK_CLI_GIVEN 128

struct shk_cli_opt {
	const char *name;	/* "json" for --json; NULL ends the table */
	char letter;		/* 'n' for -n, 0: none */
	const char *arg;	/* word for the value in --help, NULL: a flag */
	const char *doc;
};

struct shk_cli;

struct shk_cli_cmd {
	const char *name;
	const char *args;	/* "[POLICY]", "" */
	const char *summary;	/* one line of `shrike help` */
	const char *detail;	/* --help: paragraphs, wrapped by hand; may be NULL */
	struct shk_cli_opt opt[SHK_CLI_OPTS];
	int min_args, max_args; /* max_args -1: any number */
	const char *exits;	/* --help: what exit codes mean here */
	const char *example;	/* --help: one or more command lines */
	int (*run)(struct shk_cli *c);
};

struct shk_cli {
	const struct shk_cli_cmd *cmd;
	struct { unsigned row; const char *value; } given[SHK_CLI_GIVEN]; /* options with a value */
	unsigned n_given;
	const char *value[SHK_CLI_OPTS]; /* by row of cmd->opt; NULL: not given; "" for a flag */
	const char *socket;		 /* --socket or NULL */
	int argc;			 /* arguments that are no options */
	char **argv;
	bool tty, colour;		 /* of standard output */
	unsigned width;			 /* columns of the terminal; 0: none, print as long as it is */
};

/* Rows for commands that have them. */
#define SHK_OPT_JSON { "json", 0, NULL, "print JSON, one object per line, for programs" }

/* Value of --name, NULL when it was not given. The name must be in the command's table. */
const char *shk_cli_value(const struct shk_cli *c, const char *name);
/* Values of an option that may be repeated, in order: the next one, NULL at the end. *pos starts at 0. */
const char *shk_cli_each(const struct shk_cli *c, const char *name, unsigned *pos);
static inline bool shk_cli_flag(const struct shk_cli *c, const char *name)
{
	return shk_cli_value(c, name) != NULL;
}

/* "shrike: text" on standard error; returns the code given. Control characters are escaped. */
int shk_cli_fail(int code, const char *fmt, ...) SHK_PRINTF(2, 3);
/* As above for wrong usage: appends where the help is. Returns SHK_EXIT_USAGE. */
int shk_cli_usage(const struct shk_cli *c, const char *fmt, ...) SHK_PRINTF(2, 3);
void shk_cli_help(const struct shk_cli_cmd *cmd, FILE *out);
/* Parses options and arguments into c. 0, or an exit code + 1000 (--help ends well). */
int shk_cli_parse(struct shk_cli *c, int argc, char **argv);

/* ---- output ---- */
enum shk_cli_colour { SHK_C_PLAIN, SHK_C_BOLD, SHK_C_DIM, SHK_C_RED, SHK_C_GREEN, SHK_C_YELLOW };
/* Escape sequence that begins a colour / ends it; "" when colour is off. */
const char *shk_cli_on(const struct shk_cli *c, enum shk_cli_colour colour);
const char *shk_cli_off(const struct shk_cli *c);
/* Text that others chose, made harmless for a terminal: control characters as \xNN. */
void shk_cli_clean(struct shk_buf *out, struct shk_str s);
/* One line of compact JSON. */
void shk_cli_json(struct json_object *o);
/* "3d", "4h12m", "17s" of nanoseconds. */
void shk_cli_duration(struct shk_buf *out, uint64_t ns);

/* A table: filled cell by cell, aligned at the end. */
#define SHK_CLI_COLS 14
struct shk_cli_table {
	const char *head[SHK_CLI_COLS]; /* set by the caller, NULL ends */
	bool right[SHK_CLI_COLS];	/* numbers */
	char **cell;			/* owned, row by row */
	size_t n, room;
	bool failed;			/* out of memory: nothing is printed but an error */
};
void shk_cli_cell(struct shk_cli_table *t, struct shk_str s);
void shk_cli_cellf(struct shk_cli_table *t, const char *fmt, ...) SHK_PRINTF(2, 3);
/* Prints and frees the cells. Returns an exit code. */
int shk_cli_table_print(const struct shk_cli *c, struct shk_cli_table *t);

/* ---- the daemon ---- */
/* One request (consumed). on_more as in shk_client_call. Returns 0 and *answer (owner: caller), or an
 * exit code after saying what is wrong; a refusal ("ok":false) gives refused. */
int shk_cli_ask(const struct shk_cli *c, struct json_object *request, int refused,
		int (*on_more)(struct json_object *more, void *arg), void *arg, int timeout_ms,
		struct json_object **answer);
/* The same with a descriptor (borrowed), and one answer. */
int shk_cli_ask_fd(const struct shk_cli *c, struct json_object *request, int fd, int refused,
		   int timeout_ms, struct json_object **answer);
#define SHK_CLI_ASK_MS 10000
/* `shrike events --record FILE`; size: --max-size or NULL. An exit code. */
int shk_cli_record(const struct shk_cli *c, const char *file, const char *size);
/* {"op":op} */
struct json_object *shk_cli_request(const char *op);

#endif
