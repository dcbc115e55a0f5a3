/* SPDX-License-Identifier: Apache-2.0 */
/*
 * case.h - one case while it runs: what was loaded and what came out of it (private to run-cases).
 */
#ifndef SHK_TESTS_RULES_CASE_H
#define SHK_TESTS_RULES_CASE_H

#include "cases.h"
#include "rules/rules.h"
#include "world.h"

struct json_object;

struct rc_alert {
	unsigned event; /* from 1 */
	struct shk_str rule, message, record, text, iso;
	struct json_object *json;
};

struct rc_state {
	const struct rc_case *c;
	struct shk_arena a;
	struct shk_loader *l;
	struct shk_ruleset *rs; /* NULL: some file was refused */
	unsigned n_files;
	bool not_read; /* some file or directory was refused */
	unsigned condition_line, output_line; /* of the rule made for "condition:" or a row; 0: none */
	struct shk_buf problem;
	struct rc_alert *alert;
	unsigned n_alerts, n_events;
};

void rc_state_init(struct rc_state *s, const struct rc_case *c);
void rc_state_done(struct rc_state *s);
/* Adds to what is wrong with the case. */
void rc_problem(struct rc_state *s, unsigned line, const char *fmt, ...) SHK_PRINTF(3, 4);

/* ---- load.c ---- */
/* The case's files, then, if condition.p is not NULL, a rule "r" made for it; compiled. */
void rc_load(struct rc_state *s, struct shk_str condition, struct shk_str output);
/* One diagnostic as cases write it: "error CODE 3:5 rule Name". */
const char *rc_diag_text(struct rc_state *s, const struct shk_diag *d);

/* ---- directory.c ---- */
/* Writes the files of a block, gives their directory to the loader, removes it. */
void rc_load_directory(struct rc_state *s, const struct rc_block *b);

/* ---- events.c ---- */
/* Runs the events of the case; fills s->alert. */
void rc_events(struct rc_state *s);
/* "T F T": does rule 0 match each event? NULL: the events are wrong. */
const char *rc_truths(struct rc_state *s);
/* The message rule 0 would print for the first event, and a field of its JSON form. */
bool rc_first_message(struct rc_state *s, struct shk_str *message, struct shk_str field,
		      const char **json);

/* ---- expect.c ---- */
void rc_expect(struct rc_state *s);

#endif
