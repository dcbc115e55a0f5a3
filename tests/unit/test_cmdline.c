// SPDX-License-Identifier: Apache-2.0
/* Command lines of runc and crun, as engines and people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmdline.h"

static const struct {
	const char *line; /* words, one blank between them */
	enum shk_oci_command command;
	const char *id, *bundle;
} cases[] = {
	{ "create --bundle /b web1", SHK_OCI_CREATE, "web1", "/b" },
	{ "create --bundle=/b web1", SHK_OCI_CREATE, "web1", "/b" },
	{ "create -b /b web1", SHK_OCI_CREATE, "web1", "/b" },
	{ "create -b/b web1", SHK_OCI_CREATE, "web1", "/b" },
	{ "create -bundle /b web1", SHK_OCI_CREATE, "web1", "/b" },
	{ "create web1 --bundle /b", SHK_OCI_CREATE, "web1", "/b" },
	{ "create --bund /b web1", SHK_OCI_CREATE, "web1", "/b" },
	{ "create --console-socket /s --pid-file /p --preserve-fds 2 web1", SHK_OCI_CREATE, "web1", NULL },
	{ "create -- web1", SHK_OCI_CREATE, "web1", NULL },
	{ "create", SHK_OCI_OTHER, NULL, NULL },
	{ "--root /r --log /l --log-format json run -d -b /b web1", SHK_OCI_RUN, "web1", "/b" },
	{ "--root create --debug run web1", SHK_OCI_RUN, "web1", NULL },
	{ "--cgroup-manager=systemd --systemd-cgroup run web1", SHK_OCI_RUN, "web1", NULL },
	{ "--later-option value run web1", SHK_OCI_RUN, "web1", NULL },
	{ "--later-flag run web1", SHK_OCI_RUN, "web1", NULL },
	{ "exec web1 run -b x", SHK_OCI_EXEC, "web1", NULL },
	{ "exec -t -u 0 --cwd /x -e A=B web1 sh", SHK_OCI_EXEC, "web1", NULL },
	{ "exec -td -p spec.json web1", SHK_OCI_EXEC, "web1", NULL },
	{ "exec --process=/p --later=1 web1", SHK_OCI_EXEC, "web1", NULL },
	{ "exec -- web1 sh", SHK_OCI_EXEC, "web1", NULL },
	{ "restore --image-path /i -b /b web1", SHK_OCI_RESTORE, "web1", "/b" },
	{ "delete --force web1", SHK_OCI_OTHER, NULL, NULL },
	{ "--version", SHK_OCI_OTHER, NULL, NULL },
	{ "", SHK_OCI_OTHER, NULL, NULL },
};

static int parse(const char *line, char *copy, char **argv, int *argc, struct shk_cmdline *c,
		 struct shk_err *err)
{
	char *save = NULL;

	strcpy(copy, line);
	*argc = 1;
	argv[0] = (char *)"shrike-runtime";
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[(*argc)++] = w;
	argv[*argc] = NULL;
	return shk_cmdline_parse(argc, argv, c, err);
}

static void same(const char *line, const char *got, const char *want)
{
	if (!got != !want || (got && strcmp(got, want) != 0))
		fail_msg("%s: %s instead of %s", line, got ? got : "nothing", want ? want : "nothing");
}

static void command_lines(void **state)
{
	char copy[256], *argv[32];
	struct shk_cmdline c;
	struct shk_err err;
	int argc;

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse(cases[i].line, copy, argv, &argc, &c, &err), 0);
		if (c.command != cases[i].command)
			fail_msg("%s: command %d", cases[i].line, (int)c.command);
		same(cases[i].line, c.id, cases[i].id);
		same(cases[i].line, c.bundle, cases[i].bundle);
	}
}

static void own_options_are_taken_out(void **state)
{
	char copy[256], *argv[32];
	struct shk_cmdline c;
	struct shk_err err;
	int argc;

	(void)state;
	assert_int_equal(parse("--root --shrike-x --shrike-runtime /r --shrike-timeout=7 --log l run web1 "
			       "--shrike-socket=s", copy, argv, &argc, &c, &err), 0);
	assert_int_equal(argc, 8);
	assert_string_equal(argv[2], "--shrike-x");
	assert_string_equal(argv[3], "--log");
	assert_null(argv[8]);
	assert_string_equal(c.runtime, "/r");
	assert_string_equal(c.log, "l");
	assert_int_equal(c.timeout_s, 7);
	assert_null(c.socket); /* behind the command nothing is ours */
	assert_true(parse("--shrike-runtime", copy, argv, &argc, &c, &err) < 0);
	assert_true(parse("--shrike-timeout=0 list", copy, argv, &argc, &c, &err) < 0);
	assert_true(parse("exec --later x web1", copy, argv, &argc, &c, &err) < 0);
	assert_non_null(strstr(err.text, "--later=VALUE"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_lines),
		cmocka_unit_test(own_options_are_taken_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
