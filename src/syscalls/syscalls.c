// SPDX-License-Identifier: Apache-2.0
#include "syscalls/syscalls.h"

#include <linux/audit.h>

#include "syscalls/index.h"

static const char *const abi_names[SHK_ABI_N] = {
	[SHK_ABI_X86_64] = "x86_64",
	[SHK_ABI_I386] = "i386",
	[SHK_ABI_X32] = "x32",
	[SHK_ABI_ARM64] = "arm64",
};

int shk_abi_of(uint32_t audit_arch, int32_t nr)
{
	switch (audit_arch) {
	case AUDIT_ARCH_X86_64:
		return nr >= 0 && (nr & SHK_X32_BIT) ? SHK_ABI_X32 : SHK_ABI_X86_64;
	case AUDIT_ARCH_I386:
		return SHK_ABI_I386;
	case AUDIT_ARCH_AARCH64:
		return SHK_ABI_ARM64;
	default:
		return -1;
	}
}

const char *shk_abi_name(enum shk_abi abi)
{
	return (unsigned)abi < SHK_ABI_N ? abi_names[abi] : "unknown";
}

const struct shk_syscall *shk_syscall_by_nr(enum shk_abi abi, int32_t nr)
{
	const struct shk_nr_index *ix;

	if ((unsigned)abi >= SHK_ABI_N || nr < 0)
		return NULL;
	if (abi == SHK_ABI_X32) {
		if (!(nr & SHK_X32_BIT))
			return NULL;
		nr &= ~SHK_X32_BIT;
	}
	ix = &shk_nr_indexes[abi];
	if ((size_t)nr >= ix->n || !ix->ids[nr])
		return NULL;
	return &shk_syscalls[ix->ids[nr] - 1];
}

const struct shk_syscall *shk_syscall_of(uint32_t audit_arch, int32_t nr)
{
	int abi = shk_abi_of(audit_arch, nr);

	return abi < 0 ? NULL : shk_syscall_by_nr((enum shk_abi)abi, nr);
}

const struct shk_syscall *shk_syscall_by_name(struct shk_str name)
{
	size_t lo = 0, hi = SHK_CALL_N;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct shk_syscall *s = &shk_syscalls[shk_calls_by_name[mid]];
		int c = shk_str_cmp(name, shk_str(s->name));

		if (c == 0)
			return s;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

/* Event words of the rule language that are no system calls (libsinsp's event table), and system
 * calls it names for other kernels. */
static const char *const other_words[] = {
	"asyncevent", "container", "cpu_hotplug", "drop", "groupadded", "groupdeleted", "infra", "k8s",
	"mesos", "NA", "notification", "page_fault", "pluginevent", "procexit", "procinfo", "recv",
	"scapevent", "send", "signaldeliver", "switch", "syscall", "task", "tracer", "useradded",
	"userdeleted",
};

size_t shk_evt_type_calls(struct shk_str word, enum shk_call_id *ids, size_t room)
{
	const struct shk_syscall *s;
	size_t n = 0;

	for (unsigned i = 0; i < SHK_CALL_N; i++) {
		/* The first letter settles most: this is asked for each word of each rule. */
		if (!word.n || shk_syscalls[i].evt_type[0] != word.p[0] ||
		    !shk_str_eqz(word, shk_syscalls[i].evt_type))
			continue;
		if (n < room)
			ids[n] = shk_syscalls[i].id;
		n++;
	}
	if (n)
		return SHK_MIN(n, room);
	s = shk_syscall_by_name(word);
	if (!s || !room)
		return 0;
	ids[0] = s->id;
	return 1;
}

bool shk_evt_type_known(struct shk_str word)
{
	enum shk_call_id id;

	if (shk_evt_type_calls(word, &id, 1))
		return true;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(other_words); i++)
		if (shk_str_eqz(word, other_words[i]))
			return true;
	return false;
}

int shk_syscall_arg(const struct shk_syscall *s, struct shk_str name)
{
	for (int i = 0; i < s->nargs; i++)
		if (shk_str_eqz(name, s->arg[i].name))
			return i;
	return -1;
}
