// SPDX-License-Identifier: Apache-2.0
/* What must hold in registers for a rule to be able to match. */
#include "rules/program.h"

/* Calls that come through one number of the i386 ABI. Their arguments are not in this call's
 * registers, or not in the same ones. */
static const struct {
	enum shk_call_id outer, inner;
} multiplexed[] = {
#define VIA(o, i) { SHK_CALL_##o, SHK_CALL_##i }
	VIA(socketcall, socket),      VIA(socketcall, bind),	    VIA(socketcall, connect),
	VIA(socketcall, listen),      VIA(socketcall, accept),	    VIA(socketcall, getsockname),
	VIA(socketcall, getpeername), VIA(socketcall, socketpair),  VIA(socketcall, sendto),
	VIA(socketcall, recvfrom),    VIA(socketcall, shutdown),    VIA(socketcall, setsockopt),
	VIA(socketcall, getsockopt),  VIA(socketcall, sendmsg),	    VIA(socketcall, recvmsg),
	VIA(socketcall, accept4),     VIA(socketcall, recvmmsg),    VIA(socketcall, sendmmsg),
	VIA(ipc, semop),	      VIA(ipc, semget),		    VIA(ipc, semctl),
	VIA(ipc, semtimedop),	      VIA(ipc, msgsnd),		    VIA(ipc, msgrcv),
	VIA(ipc, msgget),	      VIA(ipc, msgctl),		    VIA(ipc, shmat),
	VIA(ipc, shmdt),	      VIA(ipc, shmget),		    VIA(ipc, shmctl),
#undef VIA
};

static bool selected(const uint64_t *which, unsigned rule)
{
	return !which || (which[rule / 64] >> (rule % 64) & 1);
}

static bool any_selected(const struct shk_entries *list, const uint64_t *which)
{
	for (size_t i = 0; i < list->n; i++)
		if (selected(which, list->v[i].rule))
			return true;
	return false;
}

static bool any_inner(const struct shk_ruleset *rs, enum shk_call_id id, const uint64_t *which)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(multiplexed); i++)
		if (multiplexed[i].outer == id &&
		    any_selected(&rs->by_call[multiplexed[i].inner], which))
			return true;
	return false;
}

bool shk_ruleset_wants(const struct shk_ruleset *rs, enum shk_call_id id)
{
	return rs->by_call[id].n > 0 || any_inner(rs, id, NULL);
}

void shk_ruleset_reg_filter(const struct shk_ruleset *rs, enum shk_call_id id,
			    const uint64_t *which, struct shk_reg_filter *out)
{
	*out = (struct shk_reg_filter){ 0 };
	out->always = any_inner(rs, id, which) || any_selected(&rs->by_call[id], which);
	out->never = !out->always;
}
