// SPDX-License-Identifier: Apache-2.0
/*
 * stamp.c - has what is known of a task changed, and what has been asked for: without looking at the task.
 */
#include "state/process_impl.h"
#include "state/users.h"

static void mix(uint64_t *h, uint64_t v)
{
	*h = (*h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	*h ^= *h >> 29;
}

uint64_t shk_proc_stamp(const struct shk_proc *p)
{
	const struct shk_proc_creds *c = &p->creds;
	uint64_t h = 1;

	/* Nothing is kept of a task whose last call changes it, or that has no place in the cache. */
	if (p->pending || !p->serial || p->rec)
		return 0;
	mix(&h, p->serial);
	mix(&h, p->have);
	/* Short facts by their values, as they are read often; texts by when they were read. */
	mix(&h, shk_hash(p->comm, p->comm_n));
	mix(&h, (uint64_t)(uint32_t)p->ppid << 32 | (uint32_t)p->pgid);
	mix(&h, (uint64_t)(uint32_t)p->sid << 32 | p->tty);
	mix(&h, (uint64_t)p->nthreads << 32 | p->loginuid);
	mix(&h, (uint64_t)c->ruid << 32 | c->uid);
	mix(&h, (uint64_t)c->rgid << 32 | c->gid);
	mix(&h, c->effective);
	mix(&h, c->permitted);
	mix(&h, c->inheritable);
	mix(&h, (uint64_t)(uint32_t)p->vpgid << 32 | (uint32_t)p->vsid);
	mix(&h, p->ns[SHK_NS_PID]);
	mix(&h, p->session);
	for (unsigned f = SHK_FACT_ARGV; f <= SHK_FACT_ROOT; f++)
		mix(&h, p->have & 1u << f ? p->read_at[f] : 0);
	return h | 1;
}

bool shk_proc_asked(const struct shk_proc *p, enum shk_asked what)
{
	const struct shk_procs *s = p->c ? p->c->proc_state : NULL;

	if (!s)
		return true;
	switch (what) {
	case SHK_ASKED_STAT:
		return p->read_at[SHK_FACT_STAT] == s->decision;
	case SHK_ASKED_LOGIN:
		return p->read_at[SHK_FACT_LOGINUID] == s->decision;
	case SHK_ASKED_USAGE:
		return s->usage_asked == s->decision;
	case SHK_ASKED_STREAMS:
		return s->streams_asked == s->decision;
	case SHK_ASKED_NAMES:
		return shk_users_asked(p->c);
	}
	return true;
}

void shk_proc_usage_asked(struct shk_proc *p)
{
	if (p->c && p->c->proc_state)
		p->c->proc_state->usage_asked = p->c->proc_state->decision;
}
