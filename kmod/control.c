// SPDX-License-Identifier: GPL-2.0-only
/*
 * control.c - what we are told by generic netlink (uapi.h, CONTROL). Commands run one after the
 * other: nothing here may wait for long (main.c does what takes long).
 */
#include <linux/module.h>
#include <linux/slab.h>
#include "shrike.h"

static const struct nla_policy policy[SHRIKE_A_END] = {
	[SHRIKE_A_ABI] = { .type = NLA_U32 },
	[SHRIKE_A_CLASSES] = { .type = NLA_U64 },
	[SHRIKE_A_INDEX] = NLA_POLICY_MIN(NLA_S32, 1),
	[SHRIKE_A_CGROUP_FD] = NLA_POLICY_MIN(NLA_S32, 0),
	[SHRIKE_A_PID] = NLA_POLICY_MIN(NLA_S32, 1),
	[SHRIKE_A_LEASES] = NLA_POLICY_MASK(NLA_U32, SHRIKE_REQUIRE_ALL | SHRIKE_HOLD_EXEC),
	[SHRIKE_A_NATIVE] = NLA_POLICY_EXACT_LEN(SHRIKE_BITMAP_BYTES),
	[SHRIKE_A_COMPAT] = NLA_POLICY_EXACT_LEN(SHRIKE_BITMAP_BYTES),
	[SHRIKE_A_LEASE] = NLA_POLICY_EXACT_LEN(sizeof(struct shrike_lease)),
};

/* Answers: other than 0: there is no room. */
static int version(struct sk_buff *skb)
{
	u64 features = SHRIKE_FEATURE_EXEC_LEASE | SHRIKE_FEATURE_EXEC_HOLD |
		       (shk_hooks_can_refuse() ? SHRIKE_FEATURE_REFUSE : 0);

	return nla_put_u32(skb, SHRIKE_A_ABI, SHRIKE_ABI) ||
	       nla_put_u64_64bit(skb, SHRIKE_A_FEATURES, features, SHRIKE_A_PAD) ||
	       nla_put_u64_64bit(skb, SHRIKE_A_CLASSES, shk_hooks_classes(), SHRIKE_A_PAD) ||
	       nla_put_u32(skb, SHRIKE_A_RINGS, nr_cpu_ids) ||
	       nla_put_u32(skb, SHRIKE_A_RING_SIZE, shk_ring_size) ||
	       nla_put_string(skb, SHRIKE_A_RELEASE, SHRIKE_RELEASE);
}

static int put_counts(struct sk_buff *skb, int attr, atomic64_t *n)
{
	u64 v[SHRIKE_TYPES];
	unsigned int i;

	for (i = 0; i < SHRIKE_TYPES; i++)
		v[i] = atomic64_read(&n[i]);
	return nla_put_64bit(skb, attr, sizeof(v), v, SHRIKE_A_PAD);
}

static int stats(struct sk_buff *skb, struct shk_container *c)
{
	return nla_put_u32(skb, SHRIKE_A_INDEX, c->index) ||
	       put_counts(skb, SHRIKE_A_RECORDED, c->recorded) ||
	       put_counts(skb, SHRIKE_A_LOST, c->lost);
}

/* Of ADD and SET. Hot code reads each word once, and may see a change half done. */
static int settings(struct shk_container *c, struct nlattr **a)
{
	u32 leases = a[SHRIKE_A_LEASES] ? nla_get_u32(a[SHRIKE_A_LEASES]) : c->leases;

	if (a[SHRIKE_A_LEASES] && leases & ~LEASES_KILL && !shk_hooks_can_refuse())
		return -EOPNOTSUPP;
	WRITE_ONCE(c->leases, leases);
	if (a[SHRIKE_A_CLASSES])
		WRITE_ONCE(c->classes, nla_get_u64(a[SHRIKE_A_CLASSES]));
	if (a[SHRIKE_A_NATIVE])
		nla_memcpy(c->calls[0], a[SHRIKE_A_NATIVE], sizeof(c->calls[0]));
	if (a[SHRIKE_A_COMPAT])
		nla_memcpy(c->calls[1], a[SHRIKE_A_COMPAT], sizeof(c->calls[1]));
	return 0;
}

/* Probes first: a container that is in the tables is seen by what is attached. */
static int add(struct nlattr **a)
{
	struct shk_container *c;
	int err;

	if (!a[SHRIKE_A_ABI] || !a[SHRIKE_A_INDEX] || !(a[SHRIKE_A_CGROUP_FD] || a[SHRIKE_A_PID]))
		return -EINVAL;
	if (nla_get_u32(a[SHRIKE_A_ABI]) != SHRIKE_ABI)
		return -EPROTO;
	if (shk_detaching)
		return -EAGAIN;
	c = kzalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	c->index = nla_get_u32(a[SHRIKE_A_INDEX]);
	err = shk_hooks_attach() ?: settings(c, a) ?: shk_trace_set(true, shk_scope_calls_wanted(c)) ?:
	      shk_scope_add(c, a[SHRIKE_A_CGROUP_FD], a[SHRIKE_A_PID]);
	if (err)
		shk_scope_free(c);
	return err;
}

static int leases(struct genl_info *info)
{
	const struct nlattr *a;
	unsigned int n = 0;
	int rest, err = -EINVAL;

	nlmsg_for_each_attr(a, info->nlhdr, GENL_HDRLEN, rest) {
		if (nla_type(a) != SHRIKE_A_LEASE)
			continue;
		if (n++ == SHRIKE_LEASES_MAX)
			return -E2BIG;
		err = shk_lease_post(nla_data(a));
		if (err) {
			NL_SET_BAD_ATTR(info->extack, a);
			return err;
		}
	}
	return err;
}

/* c: the container that INDEX names; reply: for the answer of those that have one. */
static int command_locked(u8 cmd, struct shk_container *c, struct genl_info *info,
			  struct sk_buff *reply)
{
	int err = 0;

	if (cmd == SHRIKE_CMD_VERSION)
		return version(reply) ? -EMSGSIZE : 0;
	if (cmd == SHRIKE_CMD_LEASE)
		return leases(info);
	if (cmd != SHRIKE_CMD_ADD && !c)
		return info->attrs[SHRIKE_A_INDEX] ? -ENOENT : -EINVAL;
	if (cmd == SHRIKE_CMD_STATS)
		return stats(reply, c) ? -EMSGSIZE : 0;
	if (cmd == SHRIKE_CMD_ADD)
		err = c ? -EEXIST : add(info->attrs);
	else if (cmd == SHRIKE_CMD_SET)
		err = settings(c, info->attrs);
	else
		shk_scope_remove(c);
	return shk_main_change() ?: err;
}

static int command(struct sk_buff *in, struct genl_info *info)
{
	struct nlattr *index = info->attrs[SHRIKE_A_INDEX];
	struct sk_buff *skb = NULL;
	u8 cmd = info->genlhdr->cmd;
	void *head = NULL;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (cmd == SHRIKE_CMD_VERSION || cmd == SHRIKE_CMD_STATS) {
		skb = genlmsg_new(NLMSG_GOODSIZE, GFP_KERNEL);
		head = skb ? genlmsg_put_reply(skb, info, &shk_family, 0, cmd) : NULL;
		if (!head) {
			nlmsg_free(skb);
			return -ENOMEM;
		}
	}
	mutex_lock(&shk_mutex);
	err = command_locked(cmd, index ? shk_scope_by_index(nla_get_u32(index)) : NULL, info, skb);
	mutex_unlock(&shk_mutex);
	if (!head || err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

static int put_container(struct sk_buff *skb, struct shk_container *c)
{
	u64 cgroup = c->cgroup ? cgroup_id(c->cgroup) : 0;

	return nla_put_u32(skb, SHRIKE_A_INDEX, c->index) ||
	       nla_put_u64_64bit(skb, SHRIKE_A_CGROUP_ID, cgroup, SHRIKE_A_PAD) ||
	       nla_put_u32(skb, SHRIKE_A_PIDNS, c->pid ? ns_of_pid(c->pid)->ns.inum : 0) ||
	       nla_put_u64_64bit(skb, SHRIKE_A_CLASSES, c->classes, SHRIKE_A_PAD) ||
	       nla_put_u32(skb, SHRIKE_A_LEASES, c->leases);
}

/* args[0]: how many have been told. One that goes away meanwhile makes another one be missed. */
static int list(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct shk_container *c;
	long n = 0;
	void *head;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	mutex_lock(&shk_mutex);
	list_for_each_entry(c, &shk_containers, all) {
		if (n++ < cb->args[0])
			continue;
		head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
				   &shk_family, NLM_F_MULTI, SHRIKE_CMD_LIST);
		if (!head || put_container(skb, c)) {
			genlmsg_cancel(skb, head);
			break;
		}
		genlmsg_end(skb, head);
		cb->args[0]++;
	}
	mutex_unlock(&shk_mutex);
	return skb->len;
}

static const struct genl_ops commands[] = {
	{ .cmd = SHRIKE_CMD_VERSION, .flags = GENL_ADMIN_PERM, .doit = command },
	{ .cmd = SHRIKE_CMD_ADD, .flags = GENL_ADMIN_PERM, .doit = command },
	{ .cmd = SHRIKE_CMD_SET, .flags = GENL_ADMIN_PERM, .doit = command },
	{ .cmd = SHRIKE_CMD_REMOVE, .flags = GENL_ADMIN_PERM, .doit = command },
	{ .cmd = SHRIKE_CMD_LIST, .flags = GENL_ADMIN_PERM, .dumpit = list },
	{ .cmd = SHRIKE_CMD_STATS, .flags = GENL_ADMIN_PERM, .doit = command },
	{ .cmd = SHRIKE_CMD_LEASE, .flags = GENL_ADMIN_PERM, .doit = command },
};

/* Whoever is watched is nobody's business: who may listen is who may ask. */
static const struct genl_multicast_group groups[] = {
	{ .name = SHRIKE_GENL_GROUP, SHK_MCAST_ADMIN },
};

struct genl_family shk_family = {
	.name = SHRIKE_GENL_NAME,
	.version = SHRIKE_GENL_VERSION,
	.maxattr = SHRIKE_A_END - 1,
	.policy = policy,
	.module = THIS_MODULE,
	.parallel_ops = true,
	.ops = commands,
	.n_ops = ARRAY_SIZE(commands),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};
