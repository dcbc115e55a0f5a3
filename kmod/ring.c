// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring.c - one ring per processor, and the device that shows them. The layout is in uapi.h. Everything that writing depends on is in
 * kernel memory; of what the reader can write, only the tail is looked at, and one that is out of bounds means "full". A ring
 * has one writer at a time: its processor, in task context with preemption off.
 */
#include <linux/irq_work.h>
#include <linux/log2.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>
#include "shrike.h"

static unsigned int ring_kb = 1024;
module_param(ring_kb, uint, 0444);
MODULE_PARM_DESC(ring_kb, "size of each processor's ring in KiB, a power of two, 64 to 8192");

struct shk_ring {
	struct shrike_ring *page; /* shared with the reader */
	u8 *data;		  /* NULL: no reader has opened the device yet */
	u64 head, seq;
	u64 lost, unsaid, since; /* since when the ring has lost records that it has not told about */
	bool busy;
	struct irq_work work;
	char *scratch;
};

static struct shk_ring __percpu *rings;
u32 shk_ring_size;
static DECLARE_WAIT_QUEUE_HEAD(readers);
static unsigned long opened;	/* bit 0: there is a reader */

#define for_each_ring(r, cpu) \
	for_each_possible_cpu(cpu) \
		if (((r) = per_cpu_ptr(rings, cpu)))

char *shk_ring_scratch(unsigned int which)
{
	return this_cpu_ptr(rings)->scratch + which * SHRIKE_PATH_MAX;
}

u64 shk_ring_lost(void)
{
	struct shk_ring *r;
	u64 n = 0;
	int cpu;

	for_each_ring(r, cpu)
		n += READ_ONCE(r->lost);
	return n;
}

static void woken(struct irq_work *work)
{
	wake_up_interruptible(&readers);
}

static __always_inline u64 used(const struct shk_ring *r)
{
	return r->head - smp_load_acquire(&r->page->tail);
}

/* A record of len bytes in one piece; what is left before the end of the data is covered. NULL: there is no room. */
static __always_inline struct shrike_record *begin(struct shk_ring *r, unsigned int type, u32 len)
{
	u32 at = shk_ring_at(r->head, shk_ring_size), need = shk_ring_need(at, len, shk_ring_size);
	struct shrike_record *rec = (void *)(r->data + at);

	if (!shk_ring_fits(used(r), need, shk_ring_size))
		return NULL;
	if (unlikely(need != len)) {
		rec->length = need - len;
		rec->type = SHRIKE_SKIP;
		rec->flags = 0;
		rec = (void *)r->data;
	}
	r->head += need;
	rec->length = len;
	rec->type = type;
	rec->flags = 0;
	rec->time = ktime_get_mono_fast_ns();
	rec->seq = r->seq++;
	return rec;
}

static noinline bool say_loss(struct shk_ring *r)
{
	struct shrike_record *rec = begin(r, SHRIKE_LOSS, sizeof(*rec) + sizeof(struct shrike_loss));

	if (!rec)
		return false;
	*rec = (struct shrike_record){ .length = rec->length, .type = rec->type, .time = rec->time, .seq = rec->seq, .nr = -1 };
	*(struct shrike_loss *)(rec + 1) = (struct shrike_loss){ .count = r->unsaid, .since = r->since };
	r->unsaid = 0;
	return true;
}

/* What a task is in its namespace and who it is. */
static __always_inline void fill(struct shrike_record *rec, const struct shk_container *c)
{
	const struct cred *cred = current_cred();

	rec->container = c->index;
	/* A worker of io_uring has the registers of whoever it was made by, and is in no call. */
	rec->nr = current->flags & (PF_KTHREAD | PF_IO_WORKER) ? -1 : shk_call_nr();
	rec->tid = current->pid;
	rec->tgid = current->tgid;
	rec->vtid = shk_own_nr(task_pid(current));
	rec->vtgid = shk_own_nr(task_tgid(current));
	rec->uid = __kuid_val(cred->uid);
	rec->euid = __kuid_val(cred->euid);
	rec->gid = __kgid_val(cred->gid);
	rec->egid = __kgid_val(cred->egid);
	memcpy(rec->comm, current->comm, sizeof(rec->comm));
}

static void count_loss(struct shk_ring *r)
{
	r->seq++;
	WRITE_ONCE(r->lost, r->lost + 1);
	if (!r->unsaid++)
		r->since = ktime_get_mono_fast_ns();
}

static noinline void lose(struct shk_ring *r, struct shk_container *c, unsigned int type)
{
	count_loss(r);
	if (r->page)
		WRITE_ONCE(r->page->lost, r->lost);
	atomic64_inc(&c->lost[type]);
	shk_events_lost();
}

struct shrike_record *shk_ring_begin(struct shk_container *c, unsigned int type, size_t len)
{
	struct shk_ring *r = this_cpu_ptr(rings);
	struct shrike_record *rec = NULL;

	len = ALIGN(sizeof(*rec) + len, 8);
	/* Interrupts do not write, and nothing that writing calls is hooked: busy cannot be, and is counted if it is. */
	if (likely(r->data && !r->busy)) {
		r->busy = true;
		rec = likely(!r->unsaid) || say_loss(r) ? begin(r, type, len) : NULL;
		r->busy = rec;
	}
	if (unlikely(!rec)) {
		lose(r, c, type);
		return NULL;
	}
	/* The rest of the last eight bytes */
	*(u64 *)((u8 *)rec + len - 8) = 0;
	fill(rec, c);
	if (shk_compat_call())
		rec->flags |= SHRIKE_F_COMPAT;
	atomic64_inc(&c->recorded[type]);
	return rec;
}

void shk_ring_end(struct shrike_record *rec)
{
	struct shk_ring *r = this_cpu_ptr(rings);
	u64 in_use;

	smp_store_release(&r->page->head, r->head);
	r->busy = false;
	in_use = used(r);
	if (unlikely(READ_ONCE(r->page->waiting) ||
		     (in_use >= shk_ring_size / 4 && in_use - rec->length < shk_ring_size / 4)))
		irq_work_queue(&r->work);
}

static int make_rings(void)
{
	struct shk_ring *r;
	u8 *data;
	int cpu;

	for_each_ring(r, cpu) {
		if (r->data)
			continue;
		if (!r->page)
			r->page = vmalloc_user(PAGE_SIZE);
		data = r->page ? vmalloc_user(shk_ring_size) : NULL;
		if (!data)
			return -ENOMEM;
		r->page->abi = SHRIKE_ABI;
		r->page->size = shk_ring_size;
		smp_store_release(&r->data, data);
	}
	return 0;
}

static int open(struct inode *inode, struct file *file)
{
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (test_and_set_bit_lock(0, &opened))
		return -EBUSY;
	err = make_rings();
	if (err)
		clear_bit_unlock(0, &opened);
	else
		nonseekable_open(inode, file);
	return err;
}

static int release(struct inode *inode, struct file *file)
{
	struct shk_ring *r;
	int cpu;

	/* Whoever is gone waits no longer. */
	for_each_ring(r, cpu) {
		if (r->page)
			WRITE_ONCE(r->page->waiting, 0);
	}
	clear_bit_unlock(0, &opened);
	return 0;
}

static int map(struct file *file, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	unsigned int cpu = offset >> 32;
	unsigned long length = vma->vm_end - vma->vm_start;
	struct shk_ring *r;

	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return -EINVAL;
	r = per_cpu_ptr(rings, cpu);
	if (offset == SHRIKE_MMAP_HEAD(cpu) && length == PAGE_SIZE)
		return remap_vmalloc_range(vma, r->page, 0);
	if (offset != SHRIKE_MMAP_DATA(cpu) || length != shk_ring_size)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYWRITE);
	return remap_vmalloc_range(vma, r->data, 0);
}

static __poll_t poll(struct file *file, poll_table *wait)
{
	struct shk_ring *r;
	u64 there;
	int cpu;

	poll_wait(file, &readers, wait);
	for_each_ring(r, cpu) {
		there = READ_ONCE(r->page->head) - READ_ONCE(r->page->tail);
		if (there >= shk_ring_size / 4 || (there && READ_ONCE(r->page->waiting)))
			return EPOLLIN | EPOLLRDNORM;
	}
	return 0;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.open = open,
	.release = release,
	.mmap = map,
	.poll = poll,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = SHRIKE_DEVICE,
	.fops = &operations,
	.mode = 0600,
};

static void free_rings(void)
{
	struct shk_ring *r;
	int cpu;

	for_each_ring(r, cpu) {
		irq_work_sync(&r->work);
		vfree(r->data);
		vfree(r->page);
		kfree(r->scratch);
	}
	free_percpu(rings);
}

int shk_ring_init(void)
{
	struct shk_ring *r;
	int cpu, err = 0;

	if (!is_power_of_2(ring_kb) || ring_kb < 64 || ring_kb > 8192) {
		pr_err("shrike: ring_kb is a power of two from 64 to 8192\n");
		return -EINVAL;
	}
	shk_ring_size = ring_kb * 1024;
	rings = alloc_percpu(struct shk_ring);
	if (!rings)
		return -ENOMEM;
	for_each_ring(r, cpu) {
		init_irq_work(&r->work, woken);
		r->scratch = kmalloc(2 * SHRIKE_PATH_MAX, GFP_KERNEL);
		if (!r->scratch)
			err = -ENOMEM;
	}
	if (!err)
		err = misc_register(&device);
	if (err)
		free_rings();
	return err;
}

void shk_ring_exit(void)
{
	misc_deregister(&device);
	free_rings();
}

#ifdef SHRIKE_SELFTEST
#include "selftest_ring.h"
#endif
