// SPDX-License-Identifier: GPL-2.0-only
/*
 * ring.c - one ring per processor, and the device that shows them (uapi.h, RINGS). Everything that
 * writing depends on is in kernel memory; of what the reader can write, only the tail is looked at,
 * and one that is out of bounds means "full". A ring has one writer at a time: its processor, in a
 * task, with preemption off. Nothing that is called between begin and end is hooked.
 */
#include <linux/irq_work.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/vmalloc.h>
#include "shrike.h"

static unsigned int ring_kb = 1024;
module_param(ring_kb, uint, 0444);
MODULE_PARM_DESC(ring_kb, "size of each processor's ring in KiB, a power of two, 64 to 8192");

struct shk_ring {
	struct shrike_ring *page;	/* shared with the reader, as is data */
	u8 *data;			/* NULL: no reader has opened the device yet */
	u64 head, seq;
	u64 lost, unsaid, since;	/* since when it has lost what it has not told about */
	struct irq_work work;
};

static DECLARE_WAIT_QUEUE_HEAD(readers);
static unsigned long opened;	/* bit 0: there is a reader */

static void woken(struct irq_work *work)
{
	wake_up_interruptible(&readers);
}

static DEFINE_PER_CPU(struct shk_ring, rings);
char __percpu *shk_scratch;
u32 shk_ring_size;

static __always_inline u64 used(const struct shk_ring *r)
{
	return r->head - smp_load_acquire(&r->page->tail);
}

/* A record in one piece; what is left before the end of the data is covered. NULL: no room. */
static __always_inline struct shrike_record *begin(struct shk_ring *r, unsigned int type, u32 len)
{
	u32 at = r->head & (shk_ring_size - 1), rest = shk_ring_size - at;
	u32 need = rest < len ? rest + len : len;
	struct shrike_record *rec = (void *)(r->data + at);
	u64 in_use = used(r);

	if (in_use > shk_ring_size || shk_ring_size - in_use < need)
		return NULL;
	if (unlikely(need != len)) {
		rec->length = rest;
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
	struct shrike_loss loss = { r->unsaid, r->since };
	struct shrike_record *rec = begin(r, SHRIKE_LOSS, sizeof(*rec) + sizeof(loss));

	if (!rec)
		return false;
	*rec = (struct shrike_record){ .length = rec->length, .type = rec->type, .time = rec->time,
				       .seq = rec->seq, .nr = -1 };
	*(struct shrike_loss *)(rec + 1) = loss;
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
	rec->vtgid = thread_group_leader(current) ? rec->vtid : shk_own_nr(task_tgid(current));
	rec->uid = __kuid_val(cred->uid);
	rec->euid = __kuid_val(cred->euid);
	rec->gid = __kgid_val(cred->gid);
	rec->egid = __kgid_val(cred->egid);
	memcpy(rec->comm, current->comm, sizeof(rec->comm));
	if (shk_compat_call())
		rec->flags |= SHRIKE_F_COMPAT;
}

static void count_loss(struct shk_ring *r)
{
	r->seq++;
	WRITE_ONCE(r->lost, r->lost + 1);
	if (!r->unsaid++)
		r->since = ktime_get_mono_fast_ns();
}

static noinline void *lose(struct shk_ring *r, struct shk_container *c, unsigned int type)
{
	count_loss(r);
	if (smp_load_acquire(&r->data))
		WRITE_ONCE(r->page->lost, r->lost);
	atomic64_inc(&c->lost[type]);
	shk_main_lost();
	return NULL;
}

struct shrike_record *shk_ring_begin(struct shk_container *c, unsigned int type, size_t len)
{
	struct shk_ring *r = this_cpu_ptr(&rings);
	struct shrike_record *rec = NULL;

	len = ALIGN(sizeof(*rec) + len, 8);
	if (likely(smp_load_acquire(&r->data) && (!r->unsaid || say_loss(r))))
		rec = begin(r, type, len);
	if (unlikely(!rec))
		return lose(r, c, type);
	/* The rest of the last eight bytes */
	*(u64 *)((u8 *)rec + len - 8) = 0;
	fill(rec, c);
	atomic64_inc(&c->recorded[type]);
	return rec;
}

void shk_ring_end(struct shrike_record *rec)
{
	struct shk_ring *r = this_cpu_ptr(&rings);
	u64 in_use;

	smp_store_release(&r->page->head, r->head);
	smp_mb(); /* a reader says that it waits, then looks at the head */
	in_use = used(r);
	if (unlikely(READ_ONCE(r->page->waiting) || (in_use >= shk_ring_size / 4 &&
						     in_use - rec->length < shk_ring_size / 4)))
		irq_work_queue(&r->work);
}

/* A ring is the page that both write, then the data. */
static int make_rings(void)
{
	struct shk_ring *r;
	int cpu;

	for_each_possible_cpu(cpu) {
		r = per_cpu_ptr(&rings, cpu);
		if (r->data) {
			/* Whoever was here before waits no longer. */
			WRITE_ONCE(r->page->waiting, 0);
			continue;
		}
		r->page = vmalloc_user(PAGE_SIZE + shk_ring_size);
		if (!r->page)
			return -ENOMEM;
		init_irq_work(&r->work, woken);
		r->page->abi = SHRIKE_ABI;
		r->page->size = shk_ring_size;
		smp_store_release(&r->data, (u8 *)r->page + PAGE_SIZE);
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
	return err ? err : nonseekable_open(inode, file);
}

static int release(struct inode *inode, struct file *file)
{
	clear_bit_unlock(0, &opened);
	return 0;
}

static int map(struct file *file, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	unsigned int cpu = offset >> 32;
	unsigned long length = vma->vm_end - vma->vm_start;
	void *page;

	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return -EINVAL;
	page = per_cpu(rings, cpu).page;
	if (offset == SHRIKE_MMAP_HEAD(cpu) && length == PAGE_SIZE)
		return remap_vmalloc_range(vma, page, 0);
	if (offset != SHRIKE_MMAP_DATA(cpu) || length != shk_ring_size)
		return -EINVAL;
	if (vma->vm_flags & VM_WRITE)
		return -EPERM;
	vm_flags_clear(vma, VM_MAYWRITE);
	return remap_vmalloc_range(vma, page, 1);
}

static __poll_t poll(struct file *file, poll_table *wait)
{
	struct shk_ring *r;
	u64 there;
	int cpu;

	poll_wait(file, &readers, wait);
	for_each_possible_cpu(cpu) {
		r = per_cpu_ptr(&rings, cpu);
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
static int shown = -ENODEV;

int shk_ring_init(void)
{
	if (!is_power_of_2(ring_kb) || ring_kb < 64 || ring_kb > 8192) {
		pr_err("shrike: ring_kb is a power of two from 64 to 8192\n");
		return -EINVAL;
	}
	shk_ring_size = ring_kb * 1024;
	shk_scratch = __alloc_percpu(2 * SHRIKE_PATH_MAX, sizeof(long));
	return shk_scratch ? 0 : -ENOMEM;
}

int shk_ring_show(void)
{
	return shown = misc_register(&device);
}

void shk_ring_exit(void)
{
	int cpu;

	if (!shown)
		misc_deregister(&device);
	for_each_possible_cpu(cpu) {
		irq_work_sync(per_cpu_ptr(&rings.work, cpu));
		vfree(per_cpu(rings, cpu).page);
	}
	free_percpu(shk_scratch);
}

#include "selftest_ring.h"
