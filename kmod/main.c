// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - begin and end, and what happens in between without a command: containers end, records
 * are lost, and somebody is told; probes are taken off when there has been no container for some
 * seconds. That can last minutes, so no lock is held and no container taken meanwhile (EAGAIN).
 */
#include <linux/module.h>
#include <linux/tracepoint.h>
#include "shrike.h"
#include "selftest_all.h"

static bool ending;	/* shk_mutex; the family is not ours any more */
bool shk_detaching;

static void idle(struct work_struct *work)
{
	mutex_lock(&shk_mutex);
	shk_detaching = list_empty(&shk_containers) && !ending;
	mutex_unlock(&shk_mutex);
	if (!shk_detaching)
		return;
	shk_trace_set(false, false);
	shk_hooks_detach();
	mutex_lock(&shk_mutex);
	shk_detaching = false;
	mutex_unlock(&shk_mutex);
}
static DECLARE_DELAYED_WORK(idle_work, idle);

/* shk_mutex */
static void tell(u8 cmd, int attr, u64 value)
{
	struct sk_buff *skb = genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *head = skb ? genlmsg_put(skb, 0, 0, &shk_family, 0, cmd) : NULL;

	if (!head || ending ||
	    (attr == SHRIKE_A_INDEX ? nla_put_u32(skb, attr, value) :
				      nla_put_u64_64bit(skb, attr, value, SHRIKE_A_PAD))) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, head);
	genlmsg_multicast(&shk_family, skb, 0, 0, GFP_KERNEL);
}

int shk_main_change(void)
{
	if (!ending && !shk_detaching && list_empty(&shk_containers))
		mod_delayed_work(system_long_wq, &idle_work, 5 * HZ);
	else if (!ending && !shk_detaching)
		return shk_trace_set(true, shk_scope_calls_wanted(NULL));
	return 0;
}

static atomic64_t n_lost;

static void news(struct work_struct *work)
{
	struct shk_container *c, *next;
	unsigned long at;
	static u64 told;

	mutex_lock(&shk_mutex);
	list_for_each_entry_safe(c, next, &shk_containers, all) {
		at = READ_ONCE(c->gone);
		if (at && time_before(jiffies, at + HZ / 5)) {
			queue_delayed_work(system_wq, to_delayed_work(work), HZ / 5);
		} else if (at) {
			tell(SHRIKE_CMD_GONE, SHRIKE_A_INDEX, c->index);
			shk_scope_remove(c);
		}
	}
	if (told != atomic64_read(&n_lost)) {
		told = atomic64_read(&n_lost);
		tell(SHRIKE_CMD_LOSS, SHRIKE_A_COUNT, told);
	}
	shk_main_change();
	mutex_unlock(&shk_mutex);
}
static DECLARE_DELAYED_WORK(news_work, news);

/* The init of a namespace ends before the others in it: what they say last is still wanted. */
void shk_main_gone(struct shk_container *c)
{
	WRITE_ONCE(c->gone, jiffies | 1);
	queue_delayed_work(system_wq, &news_work, HZ / 5);
}

void shk_main_lost(void)
{
	atomic64_inc(&n_lost);
	queue_delayed_work(system_wq, &news_work, HZ);
}

static void end(void)
{
	struct shk_container *c, *next;

	/* Nothing is told any more, and probes stay as they are. */
	mutex_lock(&shk_mutex);
	ending = true;
	mutex_unlock(&shk_mutex);
	/* Nobody can ask for anything, then nobody calls us any more, then nothing is left. */
	genl_unregister_family(&shk_family);
	cancel_delayed_work_sync(&idle_work);
	shk_trace_set(false, false);
	tracepoint_synchronize_unregister();
	shk_hooks_exit();
	cancel_delayed_work_sync(&news_work);
	list_for_each_entry_safe(c, next, &shk_containers, all)
		shk_scope_remove(c);
	cancel_delayed_work_sync(&shk_lease_sweep);
	shk_ring_exit();
	rcu_barrier();
}

/* The device last: who has it open keeps a module that lives, and not one that could not begin. */
static int __init begin(void)
{
	int err = shk_ring_init() ?: selftests() ?: shk_trace_init() ?:
		  genl_register_family(&shk_family) ?: shk_ring_show();

	if (err)
		end();
	else
		pr_info("shrike: release %s, ABI %d\n", SHRIKE_RELEASE, SHRIKE_ABI);
	return err;
}

module_init(begin);
module_exit(end);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("What containers do, by the kernel's own objects");
MODULE_VERSION(SHRIKE_RELEASE);
