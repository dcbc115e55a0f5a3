// SPDX-License-Identifier: Apache-2.0
/*
 * run-cases [--list] [--must-fail] [FILE or DIRECTORY...]: the conformance cases of the rule language.
 *
 * Without an argument: all of tests/rules. --list prints what there is, for the table of
 * docs/CONFORMANCE.md. --must-fail turns it around: each case is expected to fail, which is how the runner
 * itself is tested.
 */
#include "cases.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "rules/rules.h"

enum mode { RUN, LIST, MUST_FAIL };

struct run {
	struct rc_report report;
	enum mode mode;
	unsigned passed, failed;
};

static void one_result(struct rc_report *report, const struct rc_case *c, unsigned line,
		       struct shk_str title, const char *problem)
{
	struct run *r = (struct run *)report;

	if (r->mode == MUST_FAIL) {
		if (problem) {
			r->passed++;
			return;
		}
		printf("%s:%u: passed, and must not: " SHK_STR_FMT "\n", c->file, line,
		       SHK_STR_ARG(title));
		r->failed++;
		return;
	}
	if (!problem) {
		printf("ok %s:%u: " SHK_STR_FMT "\n", c->file, line, SHK_STR_ARG(title));
		r->passed++;
		return;
	}
	printf("FAILED %s:%u: " SHK_STR_FMT "\n%s", c->file, line, SHK_STR_ARG(title), problem);
	r->failed++;
}

static void list_one(const struct rc_case *c, unsigned line, struct shk_str title)
{
	printf(SHK_STR_FMT "\t" SHK_STR_FMT "\t%s:%u\t" SHK_STR_FMT "\t" SHK_STR_FMT "\n",
	       SHK_STR_ARG(rc_text(c, "section")), SHK_STR_ARG(rc_text(c, "covers")), c->file, line,
	       SHK_STR_ARG(rc_text(c, "deviates")), SHK_STR_ARG(title));
}

static void list_case(const struct rc_case *c)
{
	static const char *const tables[] = { "conditions", "outputs", "fields" };
	struct shk_str rest, row;
	unsigned n = 0;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(tables); i++) {
		const struct rc_block *b = NULL;

		while ((b = rc_block(c, tables[i], b))) {
			unsigned line = b->line;

			rest = b->text;
			for (; rc_next_line(&rest, &line, &row); n++)
				if (rc_trim(row).n)
					list_one(c, line, row);
		}
	}
	if (!n)
		list_one(c, c->line, shk_str(c->title));
}

/* "needs:" names a file of the system that the case asks, such as /etc/services. */
static bool can_run(const struct rc_case *c)
{
	struct shk_str needs = rc_text(c, "needs");
	char path[256];

	if (!needs.n)
		return true;
	snprintf(path, sizeof(path), SHK_STR_FMT, SHK_STR_ARG(needs));
	if (access(path, R_OK) == 0)
		return true;
	printf("skip %s:%u: %s: this system has no %s\n", c->file, c->line, c->title, path);
	return false;
}

static void on_case(const struct rc_case *c, void *arg)
{
	struct run *r = arg;

	if (r->mode == LIST)
		list_case(c);
	else if (can_run(c))
		rc_run(c, &r->report);
}

static void run_file(struct run *r, const char *path)
{
	struct shk_err err = { 0 };
	struct shk_arena a;

	shk_arena_init(&a, (size_t)64 << 20);
	if (rc_read(&a, path, on_case, r, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		r->failed++;
	}
	shk_arena_done(&a);
}

static int wanted(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* depth: tests/rules, its folders, their files. */
static void run_path(struct run *r, const char *path, unsigned depth)
{
	struct dirent **e;
	struct stat st;
	int n;

	if (stat(path, &st) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		r->failed++;
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		if (depth == 0 || shk_str_ends(shk_str(path), SHK_STR(".case")))
			run_file(r, path);
		return;
	}
	if (depth > 1 || (depth && shk_str_ends(shk_str(path), SHK_STR("/must-fail"))))
		return;
	n = scandir(path, &e, wanted, versionsort);
	for (int i = 0; i < n; i++) {
		char *inner = NULL;

		if (asprintf(&inner, "%s/%s", path, e[i]->d_name) >= 0)
			run_path(r, inner, depth + 1);
		free(inner);
		free(e[i]);
	}
	if (n >= 0)
		free(e);
}

int main(int argc, char **argv)
{
	struct run r = { .report = { one_result } };
	const char *src = getenv("SHK_SRCDIR");
	int i = 1;

	/* Times in alerts are local ones. */
	setenv("TZ", "UTC", 1);
	tzset();
	if (i < argc && strcmp(argv[i], "--list") == 0)
		r.mode = LIST, i++;
	else if (i < argc && strcmp(argv[i], "--must-fail") == 0)
		r.mode = MUST_FAIL, i++;
	if (i == argc && src && chdir(src) < 0)
		perror(src);
	if (i == argc)
		run_path(&r, "tests/rules", 0);
	for (; i < argc; i++)
		run_path(&r, argv[i], 0);
	if (r.mode != LIST)
		printf("%u cases passed, %u failed\n", r.passed, r.failed);
	return r.failed || (r.mode != LIST && !r.passed) ? EXIT_FAILURE : EXIT_SUCCESS;
}
