// SPDX-License-Identifier: Apache-2.0
/* The kernel module: is it loaded, does it speak our protocol, what can it do here? */
#include <errno.h>

#include "shrike/doctor.h"
#include "sources/kmod/kmod.h"

void shk_doctor_module(struct shk_report *r)
{
	SHK_CLEANUP(shk_kmod_closep) struct shk_kmod *k = NULL;
	const struct shk_kmod_facts *f;
	struct shk_err err = { 0 };
	uint32_t some[1];
	int e = shk_kmod_open(&k, &err), n;

	/* Nothing needs it: its absence is a fact, another protocol is a mistake. */
	if (e < 0) {
		shk_doctor_add(r, "kernel", "module shrike.ko", e == -EPROTO ? SHK_NO : SHK_FACT, "%s%s",
			       e == -ENOENT ? "absent" : err.text, ": calls are observed through seccomp notify alone");
		return;
	}
	f = shk_kmod_facts(k);
	n = shk_kmod_list(k, some, 1, NULL);
	shk_doctor_add(r, "kernel", "module shrike.ko", SHK_YES,
		       "loaded, version %s, protocol %u, %d types of records, %s", f->release, f->abi,
		       __builtin_popcountll(f->classes & ((1ull << SHRIKE_TYPES) - 1)), n > 0 ? "in use" : "nothing watched");
	shk_doctor_add(r, "kernel", "holding execs", f->features & SHRIKE_FEATURE_EXEC_HOLD ? SHK_YES : SHK_NO, "%s",
		       f->features & SHRIKE_FEATURE_EXEC_HOLD ?
			       "an execve that a rule enforces is held to what was judged by a lease" :
			       "the module is older than its leases for that: execs are compared by ptrace");
	shk_doctor_add(r, "kernel", "refusing at the object", f->features & SHRIKE_FEATURE_REFUSE ? SHK_YES : SHK_NO, "%s",
		       f->features & SHRIKE_FEATURE_REFUSE ?
			       "opens, connects and binds can be held to what was judged" :
			       "loaded with refuse=0, or somebody else has those functions: programs only");
}
