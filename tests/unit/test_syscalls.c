// SPDX-License-Identifier: Apache-2.0
/* The call table against the kernel's headers, the rule language's words and the engines' profiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/audit.h>
#include <linux/version.h>

#include "base/io.h"
#include "syscalls/flags.h"
#include "syscalls/syscalls.h"

/* NULL: not there. */
static char *read_text(const char *path)
{
	struct shk_buf b;
	struct shk_err err;

	shk_buf_init(&b, 4u << 20);
	if (shk_read_file(path, &b, &err) < 0) {
		shk_buf_done(&b);
		return NULL;
	}
	return b.p;
}

/* Every "#define __NR_NAME NUMBER" of a header is a row with that number. Returns how many there were. */
static unsigned against_header(const char *path, enum shk_abi abi)
{
	_cleanup_free_ char *text = read_text(path);
	char *line, *save = NULL;
	unsigned n = 0;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		const struct shk_syscall *s;
		char name[64], value[64];
		int nr;

		if (sscanf(line, "#define __NR_%63s %63[^\n]", name, value) != 2)
			continue;
		if (sscanf(value, "(__X32_SYSCALL_BIT + %d)", &nr) == 1)
			nr |= SHK_X32_BIT;
		else if (sscanf(value, "%d", &nr) != 1)
			continue;
		n++;
		s = shk_syscall_by_nr(abi, nr);
		/* Headers of a later kernel have calls the table need not know yet. */
		if (!s && !shk_syscall_by_name(shk_str(name)) && LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0))
			continue;
		if (!s || strcmp(s->name, name) != 0)
			fail_msg("%s: %s is %d, the table has %s there", path, name, nr,
				 s ? s->name : "nothing");
		assert_ptr_equal(s, shk_syscall_by_name(shk_str(name)));
	}
	return n;
}

static void numbers_are_the_kernels(void **state)
{
	static const char *const dirs[] = { "/usr/include/x86_64-linux-gnu/asm", "/usr/include/asm" };
	static const struct {
		const char *file;
		enum shk_abi abi;
	} headers[] = { { "unistd_64.h", SHK_ABI_X86_64 },
			{ "unistd_32.h", SHK_ABI_I386 },
			{ "unistd_x32.h", SHK_ABI_X32 } };

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(headers); i++) {
		unsigned n = 0;

		for (size_t k = 0; k < SHK_ARRAY_SIZE(dirs) && !n; k++) {
			char path[128];

			snprintf(path, sizeof(path), "%s/%s", dirs[k], headers[i].file);
			n = against_header(path, headers[i].abi);
		}
		if (!n) {
			print_message("no header %s: skipped\n", headers[i].file);
			skip();
		}
		assert_true(n > 300);
	}
}

static void rows_are_sound(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		const struct shk_syscall *s = &shk_syscalls[i];

		assert_int_equal(s->id, i);
		assert_ptr_equal(shk_syscall_by_name(shk_str(s->name)), s);
		assert_true(shk_evt_type_known(shk_str(s->evt_type)));
		assert_in_range(s->nargs, 0, 6);
		for (int a = 0; a < SHK_ABI_N; a++)
			if (s->nr[a] != -1)
				assert_ptr_equal(shk_syscall_by_nr((enum shk_abi)a, s->nr[a]), s);
		for (int k = 0; k < s->nargs; k++) {
			const struct shk_arg_desc *d = &s->arg[k];

			assert_int_equal(shk_syscall_arg(s, shk_str(d->name)), k);
			if (d->kind == SHK_ARG_FLAGS || d->kind == SHK_ARG_ENUM)
				assert_non_null(d->flags);
			if (d->kind == SHK_ARG_SOCKADDR || d->kind == SHK_ARG_OPEN_HOW ||
			    d->kind == SHK_ARG_CLONE_ARGS)
				assert_in_range(d->len_arg, 0, s->nargs - 1);
		}
	}
	assert_null(shk_syscall_by_nr(SHK_ABI_X86_64, -1));
	assert_null(shk_syscall_by_nr(SHK_ABI_X86_64, 1 << 20));
	assert_null(shk_syscall_by_nr(SHK_ABI_X32, 0));
	assert_null(shk_syscall_by_name(SHK_STR("")));
	assert_int_equal(shk_abi_of(AUDIT_ARCH_X86_64, SHK_X32_BIT | 1), SHK_ABI_X32);
	assert_int_equal(shk_abi_of(AUDIT_ARCH_X86_64, 1), SHK_ABI_X86_64);
	assert_int_equal(shk_abi_of(AUDIT_ARCH_I386, 1), SHK_ABI_I386);
	assert_int_equal(shk_abi_of(AUDIT_ARCH_S390X, 1), -1);
}

/* Of the upstream rules, and those that keep the state right. */
static void words_of_rules_are_known(void **state)
{
	static const char *const words[] = {
		"execve", "execveat", "open", "openat", "openat2", "connect", "accept", "accept4", "listen",
		"sendmsg", "sendto", "rename", "renameat", "renameat2", "rmdir", "unlink", "unlinkat",
		"recvfrom", "chmod", "creat", "fchmod", "fchmodat", "mkdir", "mkdirat", "ptrace", "recvmsg",
		"bpf", "dup", "dup2", "dup3", "finit_module", "init_module", "link", "linkat", "setns",
		"setuid", "socket", "symlink", "symlinkat", "unshare", "userfaultfd", "bind", "capset",
		"chdir", "chroot", "clone", "clone3", "close", "fchdir", "fcntl", "fork", "io_uring_setup",
		"memfd_create", "mount", "open_by_handle_at", "pidfd_getfd", "pidfd_open", "pipe", "pipe2",
		"prctl", "sendmmsg", "setgid", "setresuid", "setsid", "socketpair", "umount", "umount2",
		"vfork",
	};
	enum shk_call_id ids[8];

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(words); i++) {
		if (!shk_evt_type_calls(shk_str(words[i]), ids, SHK_ARRAY_SIZE(ids)))
			fail_msg("%s stands for no call", words[i]);
	}
	assert_true(shk_evt_type_known(SHK_STR("procexit")));
	assert_int_equal(shk_evt_type_calls(SHK_STR("procexit"), ids, 8), 0);
	assert_false(shk_evt_type_known(SHK_STR("opnat")));
	assert_int_equal(shk_evt_type_calls(SHK_STR("accept"), ids, 0), 0);
}

/* The same from the table of upstream events: first column the word, second the calls it is raised by. */
static void upstream_events_are_known(void **state)
{
	const char *data = getenv("SHRIKE_TEST_DATA");
	_cleanup_free_ char *text = NULL;
	char path[512], *line, *save = NULL;
	unsigned n = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/falco-language/events.tsv", data ? data : "");
	text = data ? read_text(path) : NULL;
	if (!text) {
		print_message("SHRIKE_TEST_DATA has no falco-language/events.tsv: skipped\n");
		skip();
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char word[64], calls[256], *call, *more = NULL;

		if (line[0] == '#' || sscanf(line, "%63[a-z0-9_]\t%255[^\t]", word, calls) != 2 ||
		    line[strlen(word)] != '\t')
			continue;
		if (!shk_evt_type_known(shk_str(word)))
			fail_msg("event %s is not known", word);
		for (call = strtok_r(calls, " ,", &more); call; call = strtok_r(NULL, " ,", &more))
			if (!shk_syscall_by_name(shk_str(call)))
				fail_msg("call %s of event %s is not known", call, word);
		n++;
	}
	assert_true(n >= 40);
}

/* What engines' default profiles refuse without a capability: a rule author expects to be told. */
static void dangerous_calls_are_marked(void **state)
{
	static const char *const calls[] = {
		"acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "delete_module", "finit_module",
		"fsconfig", "fsmount", "fsopen", "fspick", "init_module", "ioperm", "iopl", "kexec_file_load",
		"kexec_load", "keyctl", "lookup_dcookie", "mount", "mount_setattr", "move_mount", "open_by_handle_at",
		"open_tree", "perf_event_open", "pivot_root", "quotactl", "reboot", "request_key", "setns",
		"settimeofday", "swapoff", "swapon", "umount2", "unshare", "userfaultfd",
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(calls); i++) {
		const struct shk_syscall *s = shk_syscall_by_name(shk_str(calls[i]));

		if (!s || !s->dangerous)
			fail_msg("%s is %s", calls[i], s ? "not marked" : "missing");
	}
	assert_false(shk_syscall_by_name(SHK_STR("read"))->dangerous);
}

static void flag_lists_round_trip(void **state)
{
	unsigned lists = 0;

	(void)state;
	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		for (int k = 0; k < shk_syscalls[i].nargs; k++) {
			const struct shk_flag_list *l = shk_syscalls[i].arg[k].flags;
			struct shk_buf b;
			uint64_t v;

			if (!l)
				continue;
			assert_ptr_equal(shk_flag_list_by_name(shk_str(l->name)), l);
			shk_buf_init(&b, 65536);
			for (size_t f = 0; f < l->n; f++) {
				shk_buf_reset(&b);
				shk_flags_print(l, l->flags[f].value, &b);
				if (!shk_flags_parse(l, shk_buf_view(&b), &v) || v != l->flags[f].value)
					fail_msg("%s: %s prints as %s", l->name, l->flags[f].name, b.p);
				assert_true(shk_flags_parse(l, shk_str(l->flags[f].name), &v));
				assert_int_equal(v, l->flags[f].value);
			}
			assert_false(shk_flags_parse(l, SHK_STR("NO_SUCH_FLAG"), &v));
			assert_false(shk_flags_parse(l, SHK_STR(""), &v));
			shk_buf_done(&b);
			lists++;
		}
	}
	assert_true(lists > 50);
}

static void unnamed_bits_are_not_lost(void **state)
{
	const struct shk_flag_list *l = shk_flag_list_by_name(SHK_STR("open_flags"));
	struct shk_buf b;
	uint64_t v;

	(void)state;
	shk_buf_init(&b, 4096);
	shk_flags_print(l, 0x40 | 1ull << 40, &b);
	assert_string_equal(b.p, "O_RDONLY|O_CREAT|0x10000000000");
	assert_true(shk_flags_parse(l, shk_buf_view(&b), &v));
	assert_int_equal(v, 0x40 | 1ull << 40);
	shk_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_the_kernels),
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(words_of_rules_are_known),
		cmocka_unit_test(upstream_events_are_known),
		cmocka_unit_test(dangerous_calls_are_marked),
		cmocka_unit_test(flag_lists_round_trip),
		cmocka_unit_test(unnamed_bits_are_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
