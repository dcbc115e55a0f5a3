// SPDX-License-Identifier: GPL-2.0-only
/*
 * events.c - what happens without a command: containers end, records are lost, and somebody is told; probes, which are attached with the
 * first container, are taken off when there has been none for some seconds. That can last minutes on a busy machine, so no lock is held
 * meanwhile, and no container is taken (EAGAIN).
 */
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include "shrike.h"

#define IDLE (5 * HZ)
/* The init of a pid namespace ends before the others in it: what they say last is still wanted. */
#define LAST_WORDS (HZ / 5)

static bool ending;	/* the family is not ours any more; written under shk_mutex */
static bool detaching;	/* shk_mutex; probes are idle()'s alone */

static void idle(struct work_struct *work)
{
	bool mine;

	mutex_lock(&shk_mutex);
	mine = detaching = list_empty(&shk_containers) && !ending;
	mutex_unlock(&shk_mutex);
	if (!mine)
		return;
	shk_trace_detach();
	shk_hooks_detach();
	mutex_lock(&shk_mutex);
	detaching = false;
	mutex_unlock(&shk_mutex);
}
static DECLARE_DELAYED_WORK(idle_work, idle);

static void tell(u8 cmd, int attr, u64 value)
{
	struct sk_buff *skb = READ_ONCE(ending) ? NULL : genlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	void *head;

	if (!skb)
		return;
	head = genlmsg_put(skb, 0, 0, &shk_family, 0, cmd);
	if (!head || (attr == SHRIKE_A_INDEX ? nla_put_u32(skb, attr, value) :
					       nla_put_u64_64bit(skb, attr, value, SHRIKE_A_PAD))) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, head);
	genlmsg_multicast(&shk_family, skb, 0, 0, GFP_KERNEL);
}

bool shk_events_busy(void)
{
	return detaching;
}

void shk_events_change(void)
{
	if (ending || detaching)
		return;
	shk_trace_calls(shk_scope_calls_wanted());
	if (list_empty(&shk_containers))
		mod_delayed_work(system_long_wq, &idle_work, IDLE);
}

static void gone(struct work_struct *work)
{
	struct shk_container *c, *next;
	u32 index;

	mutex_lock(&shk_mutex);
	list_for_each_entry_safe(c, next, &shk_containers, all)
		if (READ_ONCE(c->gone)) {
			index = c->index;
			shk_scope_remove(c);
			tell(SHRIKE_CMD_GONE, SHRIKE_A_INDEX, index);
		}
	shk_events_change();
	mutex_unlock(&shk_mutex);
}
static DECLARE_DELAYED_WORK(gone_work, gone);

void shk_events_gone(struct shk_container *c)
{
	WRITE_ONCE(c->gone, true);
	queue_delayed_work(system_wq, &gone_work, LAST_WORDS);
}

static void lost(struct work_struct *work)
{
	tell(SHRIKE_CMD_LOSS, SHRIKE_A_COUNT, shk_ring_lost());
}
static DECLARE_DELAYED_WORK(lost_work, lost);

void shk_events_lost(void)
{
	if (!delayed_work_pending(&lost_work))
		queue_delayed_work(system_wq, &lost_work, HZ);
}

/* Nothing is told any more, and probes stay as they are. */
void shk_events_stop(void)
{
	mutex_lock(&shk_mutex);
	WRITE_ONCE(ending, true);
	mutex_unlock(&shk_mutex);
	flush_delayed_work(&lost_work);
	flush_delayed_work(&gone_work);
}

/* After the last command: those who are on their way to be taken off are waited for, and then nobody is left who could start any of it. */
void shk_events_detach(void)
{
	cancel_delayed_work_sync(&idle_work);
	shk_trace_detach();
	shk_hooks_exit();
	cancel_delayed_work_sync(&gone_work);
	cancel_delayed_work_sync(&lost_work);
}
