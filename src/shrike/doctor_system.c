// SPDX-License-Identifier: Apache-2.0
/* The machine around seccomp: limits, security modules, cgroups, what the caller may do. */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "base/io.h"
#include "shrike/doctor.h"

/* First line of a small file; false when it cannot be read. */
static bool line_of(const char *path, char *out, size_t size)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	size_t n;

	shk_buf_init(&b, 65536);
	if (shk_read_file(path, &b, NULL) < 0 || !b.n)
		return false;
	n = SHK_MIN(strcspn(b.p, "\n"), size - 1);
	memcpy(out, b.p, n);
	out[n] = 0;
	return true;
}

static void add_kernel(struct shk_report *r)
{
	struct utsname u;

	if (uname(&u) < 0)
		return;
	shk_doctor_add(r, "kernel", "version", SHK_FACT, "%s %s (%s)", u.sysname, u.release,
		       u.machine);
	if (strcmp(u.machine, "x86_64") != 0)
		shk_doctor_add(r, "kernel", "architecture", SHK_NO,
			       "%s: filters are made for x86_64 only", u.machine);
}

static void add_ptrace_scope(struct shk_report *r)
{
	char text[16];

	if (!line_of("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text)))
		shk_doctor_add(r, "limits", "ptrace scope", SHK_FACT, "no limit (no Yama)");
	else if (strcmp(text, "3") == 0)
		shk_doctor_add(r, "limits", "ptrace scope", SHK_NO,
			       "3: nobody may trace; way A needs kernel.yama.ptrace_scope 0 to 2");
	else
		shk_doctor_add(r, "limits", "ptrace scope", SHK_YES, "%s%s", text,
			       *text == '0' ? "" : ": way A needs CAP_SYS_PTRACE");
}

static void add_lsms(struct shk_report *r)
{
	char text[200], label[120];

	if (line_of("/sys/kernel/security/lsm", text, sizeof(text)))
		shk_doctor_add(r, "limits", "security modules", SHK_FACT, "%s", text);
	else
		shk_doctor_add(r, "limits", "security modules", SHK_FACT,
			       "unknown: /sys/kernel/security is not mounted or not readable");
	if (line_of("/proc/self/attr/current", label, sizeof(label)) && *label)
		shk_doctor_add(r, "limits", "label of this process", SHK_FACT, "%s", label);
}

static void add_cgroups(struct shk_report *r)
{
	struct statfs s;

	if (statfs("/sys/fs/cgroup", &s) < 0)
		shk_doctor_add(r, "limits", "cgroups", SHK_NO, "/sys/fs/cgroup: %s", strerror(errno));
	else if (s.f_type == CGROUP2_SUPER_MAGIC)
		shk_doctor_add(r, "limits", "cgroups", SHK_YES, "version 2");
	else if (statfs("/sys/fs/cgroup/unified", &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC)
		shk_doctor_add(r, "limits", "cgroups", SHK_YES, "hybrid: containers are in version 1");
	else
		shk_doctor_add(r, "limits", "cgroups", SHK_YES, "version 1");
	if (access("/sys/fs/cgroup/freezer", F_OK) == 0)
		shk_doctor_add(r, "limits", "freezer", SHK_YES, "version 1 controller");
}

static void add_io_uring(struct shk_report *r)
{
	/* Neither entries nor parameters: fails whatever happens, but how is the answer. */
	if (syscall(SYS_io_uring_setup, 0L, NULL) >= 0)
		return;
	if (errno == ENOSYS)
		shk_doctor_add(r, "limits", "io_uring", SHK_FACT, "not in this kernel");
	else if (errno == EPERM)
		shk_doctor_add(r, "limits", "io_uring", SHK_FACT, "switched off for this process");
	else
		shk_doctor_add(r, "limits", "io_uring", SHK_FACT,
			       "there; containers get ENOSYS unless the policy says io_uring: allow");
}

static void add_capabilities(struct shk_report *r)
{
	static const struct {
		unsigned cap;
		const char *name;
	} want[] = {
		{ CAP_SYS_ADMIN, "sys_admin" },
		{ CAP_SYS_PTRACE, "sys_ptrace" },
		{ CAP_KILL, "kill" },
		{ CAP_DAC_READ_SEARCH, "dac_read_search" },
	};
	char has[128] = "", lacks[128] = "", map[64];

	if (capng_get_caps_process() < 0)
		return;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(want); i++) {
		char *to = capng_have_capability(CAPNG_EFFECTIVE, want[i].cap) ? has : lacks;
		size_t n = strlen(to);

		snprintf(to + n, sizeof(has) - n, "%s%s", n ? " " : "", want[i].name);
	}
	r->caps = !*lacks;
	shk_doctor_add(r, "caller", "capabilities", r->caps ? SHK_YES : SHK_FACT,
		       "uid %u; has: %s; lacks: %s", (unsigned)geteuid(), *has ? has : "none",
		       *lacks ? lacks : "none");
	if (line_of("/proc/self/uid_map", map, sizeof(map)) && !strstr(map, "4294967295"))
		shk_doctor_add(r, "caller", "user namespace", SHK_FACT,
			       "not the first one: capabilities reach no further than it");
}

void shk_doctor_system(struct shk_report *r)
{
	add_kernel(r);
	shk_doctor_module(r);
	add_ptrace_scope(r);
	add_lsms(r);
	add_cgroups(r);
	add_io_uring(r);
	shk_doctor_gate(r);
	shk_doctor_bar(r);
	add_capabilities(r);
}
