// SPDX-License-Identifier: GPL-2.0-only
/*
 * lease.c - what a task was allowed, against what the kernel is about to do for it (uapi.h, LEASES). A lease is found by the task's
 * struct pid, which is held, as are the files that say which objects are meant: neither number nor inode can become another's
 * meanwhile. There are few leases, each for the moment between a judgement and its call, so one lock does.
 */
#include <linux/binfmts.h>
#include <linux/file.h>
#include <linux/hash.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>
#include <asm/syscall.h>
#include "shrike.h"

#define TABLE_BITS 6
/* Of O_*: what must be as it was judged. O_LARGEFILE and the like are the kernel's to add. */
#define OPEN_FLAGS (O_ACCMODE | O_TRUNC | O_APPEND | O_CREAT)
#define DIR SHRIKE_LEASE_OBJECTS

struct lease {
	struct hlist_node link;
	struct shk_container *c;
	struct pid *pid;
	struct file *object[SHRIKE_LEASE_OBJECTS + 1];	/* held, some may be NULL; the last is the directory */
	bool made;		/* the call has made the file, in dir and with that name */
	bool passed;		/* EXEC: the call in hand is the one */
	struct shrike_lease as;	/* as it was posted */
};

static struct hlist_head table[1 << TABLE_BITS];
static DEFINE_SPINLOCK(lock);
static unsigned int n_leases;

static struct hlist_head *bucket(struct pid *pid)
{
	return &table[hash_ptr(pid, TABLE_BITS)];
}

static void unlink(struct lease *l)
{
	hlist_del(&l->link);
	l->c->n_leases--;
	n_leases--;
}

static void put_files(struct lease *l)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(l->object); i++)
		if (l->object[i])
			fput(l->object[i]);
	memset(l->object, 0, sizeof(l->object));
}

static void free_lease(struct lease *l)
{
	if (!l)
		return;
	put_files(l);
	put_pid(l->pid);
	kfree(l);
}

static struct lease *find(struct pid *pid)
{
	struct lease *l;

	hlist_for_each_entry(l, bucket(pid), link)
		if (l->pid == pid)
			return l;
	return NULL;
}

/* Is this task inside the very call that the lease is for? */
static bool same_call(const struct lease *l)
{
	struct pt_regs *regs = current_pt_regs();
	unsigned long args[6];
	unsigned int i;

	if (l->as.nr != syscall_get_nr(current, regs) || l->as.arch != (u32)syscall_get_arch(current) ||
	    l->as.ip != instruction_pointer(regs))
		return false;
	syscall_get_arguments(current, regs, args);
	for (i = 0; i < 6; i++)
		if (l->as.args[i] != args[i])
			return false;
	return true;
}

static bool in_force(const struct lease *l)
{
	return ktime_get_mono_fast_ns() < l->as.expires_ns;
}

/* The lease of this task for a call of this kind. lock is held. */
static struct lease *mine(struct shk_container *c, unsigned int kind)
{
	struct lease *l = find(task_pid(current));

	return l && l->c == c && l->as.kind == kind && same_call(l) && in_force(l) ? l : NULL;
}

static bool is_object(const struct lease *l, const struct inode *inode)
{
	unsigned int i;

	for (i = 0; i < SHRIKE_LEASE_OBJECTS; i++)
		if (l->object[i] && d_inode(l->object[i]->f_path.dentry) == inode)
			return true;
	return false;
}

/* Is it the entry of the lease's name in the lease's directory? A rename may be on its way. */
static bool is_entry(const struct lease *l, struct dentry *d)
{
	bool same;

	if (!l->object[DIR])
		return false;
	spin_lock(&d->d_lock);
	same = d_inode(d->d_parent) == d_inode(l->object[DIR]->f_path.dentry) &&
	       (!l->as.data_len ||
		(d->d_name.len == l->as.data_len && !memcmp(d->d_name.name, l->as.data, l->as.data_len)));
	spin_unlock(&d->d_lock);
	return same;
}

static bool wants(const struct shk_container *c, bool writing)
{
	return (c->leases & SHRIKE_REQUIRE_OPEN) || ((c->leases & SHRIKE_REQUIRE_OPEN_WRITE) && writing);
}

/* The end of a decision: the lease is used up, or somebody is told. */
static bool decided(struct shk_container *c, unsigned int kind, struct lease *l, bool fits, const struct path *path)
	__releases(&lock)
{
	bool had = l;

	if (fits)
		unlink(l);
	spin_unlock(&lock);
	if (fits)
		free_lease(l);
	else
		shk_record_lease(c, kind, had, path);
	return fits;
}

/* (struct file *) */
bool shk_lease_open(struct shk_container *c, unsigned int kind, const unsigned long *a)
{
	struct file *f = (void *)a[0];
	struct lease *l;
	bool fits = false;

	/* Programs are EXEC's; an overlay's file below was asked about when it was above. */
	if (!wants(c, (f->f_mode & FMODE_WRITE) || (f->f_flags & O_TRUNC)) || (f->f_flags & __FMODE_EXEC) || shk_file_is_backing(f))
		return true;
	spin_lock(&lock);
	l = mine(c, kind);
	if (l && !((f->f_flags ^ l->as.open_flags) & OPEN_FLAGS)) {
		if (!l->as.data_len && l->object[DIR])
			fits = (f->f_flags & __O_TMPFILE) && is_entry(l, f->f_path.dentry);
		else
			fits = is_object(l, d_inode(f->f_path.dentry)) || (l->made && is_entry(l, f->f_path.dentry));
	}
	return decided(c, kind, l, fits, &f->f_path);
}

/* mknod can make plain files, too, and is no open. Of 32-bit tables it is number 14. */
static bool is_mknod(void)
{
	int nr = shk_call_nr();

	if (shk_compat_call())
		return nr == 14 || nr == SHK_COMPAT_MKNODAT;
#ifdef __NR_mknod
	if (nr == __NR_mknod)
		return true;
#endif
	return nr == __NR_mknodat;
}

/* (const struct path *dir, struct dentry *, umode_t, dev): an open is about to make a file */
bool shk_lease_create(struct shk_container *c, unsigned int kind, const unsigned long *a)
{
	struct lease *l;
	bool fits;

	if (!wants(c, true) || ((umode_t)a[2] & S_IFMT) != S_IFREG || is_mknod())
		return true;
	spin_lock(&lock);
	l = mine(c, kind);
	/* One without a name is for O_TMPFILE, which makes no entry. */
	fits = l && l->as.data_len && is_entry(l, (void *)a[1]);
	if (fits)
		l->made = true;
	spin_unlock(&lock);
	if (!fits)
		shk_record_lease(c, kind, l, (void *)a[0]);
	return fits;
}

/* (struct socket *, struct sockaddr *, int) */
bool shk_lease_address(struct shk_container *c, unsigned int kind, const unsigned long *a)
{
	struct lease *l;
	bool fits;

	if (!(c->leases & (1u << kind)))
		return true;
	spin_lock(&lock);
	l = mine(c, kind);
	fits = l && (int)a[2] == l->as.data_len && !memcmp((void *)a[1], l->as.data, l->as.data_len);
	return decided(c, kind, l, fits, NULL);
}

/* A program is judged by its name as well: the same file elsewhere is another one. */
static bool is_program(const struct lease *l, const struct linux_binprm *b)
{
	unsigned int i, n = strnlen(l->as.data, l->as.data_len);

	if (n && (strlen(b->filename) != n || memcmp(b->filename, l->as.data, n)))
		return false;
	for (i = 0; i < SHRIKE_LEASE_OBJECTS; i++)
		if (l->object[i] && path_equal(&l->object[i]->f_path, &b->file->f_path))
			return true;
	return false;
}

/* (struct linux_binprm *): asked for the program, then for each interpreter; the lease goes when the exec is through. */
bool shk_lease_bprm(struct shk_container *c, unsigned int kind, const unsigned long *a)
{
	struct linux_binprm *b = (void *)a[0];
	struct lease *l;
	bool had, fits;

	if (!(c->leases & LEASES_KILL))
		return true;
	spin_lock(&lock);
	l = find(task_pid(current));
	if (l && (l->c != c || l->as.kind != kind))
		l = NULL;
	had = l && same_call(l);
	if (l)
		l->passed = had;
	fits = had ? in_force(l) && is_program(l, b) : !(c->leases & SHRIKE_REQUIRE_EXEC);
	spin_unlock(&lock);
	if (fits)
		return true;
	shk_record_lease(c, kind, had, &b->file->f_path);
	/* It never comes back to user space, whichever program it would be. */
	send_sig(SIGKILL, current, 1);
	return false;
}

/* The strings that the kernel has just laid out for the new program; it has not begun. */
static bool same_arguments(const struct lease *l)
{
	unsigned int name = strnlen(l->as.data, l->as.data_len), n = l->as.data_len - name - 1;
	struct mm_struct *mm = current->mm;
	char *is = shk_ring_scratch(1);

	if (name == l->as.data_len)
		return true;
	return mm->arg_end - mm->arg_start == n && !copy_from_user_nofault(is, (void __user *)mm->arg_start, n) &&
	       !memcmp(is, l->as.data + name + 1, n);
}

bool shk_lease_end(struct shk_container *ran)
{
	bool fits = true;
	struct lease *l;

	spin_lock(&lock);
	l = find(task_pid(current));
	if (l) {
		fits = !ran || l->c != ran || !l->passed || same_arguments(l);
		unlink(l);
	}
	spin_unlock(&lock);
	free_lease(l);
	if (!fits)
		send_sig(SIGKILL, current, 1);
	return fits;
}

static int fill(struct lease *l, struct shk_container *c, const struct shrike_lease *as)
{
	struct task_struct *t;
	unsigned int i;
	int err = -ESRCH, fd;

	l->as = *as;
	l->c = c;
	l->pid = find_get_pid(as->tid);
	if (!l->pid)
		return -ESRCH;
	preempt_disable();
	rcu_read_lock();
	t = pid_task(l->pid, PIDTYPE_PID);
	if (t && shk_scope_of(t) == c)
		err = 0;
	rcu_read_unlock();
	preempt_enable();
	for (i = 0; i < ARRAY_SIZE(l->object) && !err; i++) {
		fd = i == DIR ? as->dir_fd : as->fd[i];
		l->object[i] = fd < 0 ? NULL : fget_raw(fd);
		if (fd >= 0 && !l->object[i])
			err = -EBADF;
	}
	return err;
}

/* Those of a container (NULL: of any) that end before a time. lock is held. A call that was let go with an EXEC lease may still be
 * under way, however long that takes: of this one nothing stays but that it had one. */
static void drop(const struct shk_container *c, u64 before)
{
	struct hlist_node *next;
	struct lease *l;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		hlist_for_each_entry_safe(l, next, &table[i], link) {
			if ((c && l->c != c) || l->as.expires_ns > before)
				continue;
			if (!c && l->as.kind == SHRIKE_KIND_EXEC && pid_has_task(l->pid, PIDTYPE_PID)) {
				put_files(l);
				continue;
			}
			unlink(l);
			free_lease(l);
		}
}

/* Leases that nobody used: what they hold keeps file systems from being unmounted. */
static void sweep(struct work_struct *work)
{
	spin_lock(&lock);
	drop(NULL, ktime_get_mono_fast_ns());
	if (n_leases)
		queue_delayed_work(system_wq, to_delayed_work(work), HZ);
	spin_unlock(&lock);
}
static DECLARE_DELAYED_WORK(sweep_work, sweep);

int shk_lease_post(struct shk_container *c, const struct shrike_lease *as)
{
	struct lease *l, *old;
	int err;

	if (as->kind > SHRIKE_KIND_BIND || as->data_len > SHRIKE_LEASE_DATA || as->pad)
		return -EINVAL;
	l = kzalloc(sizeof(*l), GFP_KERNEL);
	if (!l)
		return -ENOMEM;
	err = fill(l, c, as);
	if (err) {
		free_lease(l);
		return err;
	}
	spin_lock(&lock);
	old = find(l->pid);
	if (old)
		unlink(old);
	if (n_leases >= SHRIKE_LEASES_TOTAL || c->n_leases >= SHRIKE_LEASES_EACH) {
		err = -ENOSPC;
	} else {
		hlist_add_head(&l->link, bucket(l->pid));
		n_leases++;
		c->n_leases++;
		l = NULL;
		queue_delayed_work(system_wq, &sweep_work, HZ);
	}
	spin_unlock(&lock);
	free_lease(old);
	free_lease(l);
	return err;
}

void shk_lease_forget(struct shk_container *c)
{
	spin_lock(&lock);
	drop(c, U64_MAX);
	spin_unlock(&lock);
}

void shk_lease_exit(void)
{
	cancel_delayed_work_sync(&sweep_work);
}

#ifdef SHRIKE_SELFTEST
#include "selftest_lease.h"
#endif
