// SPDX-License-Identifier: GPL-2.0-only
/*
 * lease.c - what a task was allowed, against what the kernel is about to do for it (uapi.h).
 * It is found by the task's struct pid, which is held, as are the files that say which objects are
 * meant: neither number nor inode can become another's meanwhile. There are few, each for a moment,
 * so one lock does.
 */
#include <linux/binfmts.h>
#include <linux/file.h>
#include <linux/hashtable.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "shrike.h"

/* Of O_*: what must be as it was judged. O_LARGEFILE and the like are the kernel's to add. */
#define OPEN_FLAGS (O_ACCMODE | O_TRUNC | O_APPEND | O_CREAT)
#define DIR SHRIKE_LEASE_OBJECTS

struct lease {
	struct hlist_node link;
	struct shk_container *c;
	struct pid *pid;
	struct file *object[SHRIKE_LEASE_OBJECTS + 1];	/* held; NULL: none; DIR: the directory */
	bool made;		/* the call has made the file, in dir and with that name */
	bool passed;		/* EXEC: the call in hand is the one */
	struct shrike_lease as;	/* as it was posted */
};

static DEFINE_HASHTABLE(table, 6);	/* by pid */
static DEFINE_SPINLOCK(lock);
static unsigned int n_leases;

static void link(struct lease *l)
{
	hash_add(table, &l->link, (unsigned long)l->pid);
	l->c->n_leases++;
	n_leases++;
}

static void unlink(struct lease *l)
{
	hash_del(&l->link);
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

	hash_for_each_possible(table, l, link, (unsigned long)pid)
		if (l->pid == pid)
			return l;
	return NULL;
}

/* Is this task inside the very call that the lease is for? */
static bool same_call(const struct lease *l)
{
	struct pt_regs *regs = current_pt_regs();
	unsigned long args[6];

	syscall_get_arguments(current, regs, args);
	return l->as.nr == syscall_get_nr(current, regs) &&
	       l->as.arch == (u32)syscall_get_arch(current) &&
	       l->as.ip == instruction_pointer(regs) && !memcmp(l->as.args, args, sizeof(args));
}

/* The lease of this task for a call of this kind. lock is held. */
static struct lease *mine(struct shk_container *c, unsigned int kind)
{
	struct lease *l = find(task_pid(current));

	return l && l->c == c && l->as.kind == kind && same_call(l) &&
	       ktime_get_mono_fast_ns() < l->as.expires_ns ? l : NULL;
}

/* Is it one of the lease's objects, wherever, or (a program) at this very place? */
static bool is_object(const struct lease *l, const struct path *is, bool place)
{
	const struct path *p;
	unsigned int i;

	for (i = 0; i < SHRIKE_LEASE_OBJECTS; i++) {
		p = l->object[i] ? &l->object[i]->f_path : NULL;
		if (p && (place ? path_equal(p, is) : d_inode(p->dentry) == d_inode(is->dentry)))
			return true;
	}
	return false;
}

/* Is it the entry of the lease's name in the lease's directory? A rename may be on its way. */
static bool is_entry(const struct lease *l, struct dentry *d)
{
	unsigned int n = l->as.data_len;
	bool same;

	if (!l->object[DIR])
		return false;
	spin_lock(&d->d_lock);
	same = d_inode(d->d_parent) == d_inode(l->object[DIR]->f_path.dentry) &&
	       (!n || (d->d_name.len == n && !memcmp(d->d_name.name, l->as.data, n)));
	spin_unlock(&d->d_lock);
	return same;
}

static bool wants(const struct shk_container *c, bool writing)
{
	return c->leases & (SHRIKE_REQUIRE_OPEN | (writing ? SHRIKE_REQUIRE_OPEN_WRITE : 0));
}

/* The end of a decision: a lease that fits is used up, if this was all; else somebody is told. */
static bool decided(struct shk_container *c, unsigned int kind, struct lease *l, bool fits,
		    bool all, const struct path *path)
	__releases(&lock)
{
	bool had = l;

	if (fits && all)
		unlink(l);
	spin_unlock(&lock);
	if (!fits)
		shk_record_lease(c, kind, had, path);
	else if (all)
		free_lease(l);
	return fits;
}

/* (struct file *) */
bool shk_lease_open(struct shk_container *c, unsigned int kind, const unsigned long *a)
{
	struct file *f = (void *)a[0];
	struct dentry *d = f->f_path.dentry;
	struct lease *l;
	bool fits = false;

	/* Programs are EXEC's; an overlay's file below was asked about when it was above. */
	if (!wants(c, (f->f_mode & FMODE_WRITE) || (f->f_flags & O_TRUNC)) ||
	    (f->f_flags & __FMODE_EXEC) || shk_file_is_backing(f))
		return true;
	spin_lock(&lock);
	l = mine(c, kind);
	if (l && !((f->f_flags ^ l->as.open_flags) & OPEN_FLAGS)) {
		if (!l->as.data_len && l->object[DIR])
			fits = (f->f_flags & __O_TMPFILE) && is_entry(l, d);
		else
			fits = is_object(l, &f->f_path, false) || (l->made && is_entry(l, d));
	}
	return decided(c, kind, l, fits, true, &f->f_path);
}

/* mknod can make plain files, too, and is no open. Of 32-bit tables it is number 14. The registers
 * of io_uring's workers are of whoever made them. */
static bool is_mknod(void)
{
	int nr = current->flags & PF_IO_WORKER ? -1 : shk_call_nr();

	return shk_compat_call() ? nr == 14 || nr == SHK_COMPAT_MKNODAT :
				   nr == SHK_MKNOD || nr == __NR_mknodat;
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
	return decided(c, kind, l, fits, false, (void *)a[0]);
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
	fits = l && (int)a[2] == l->as.data_len &&
	       !memcmp((void *)a[1], l->as.data, l->as.data_len);
	return decided(c, kind, l, fits, true, NULL);
}

/* A program is judged by its name as well: the same file elsewhere is another one. */
static bool is_program(const struct lease *l, const struct linux_binprm *b)
{
	unsigned int n = strnlen(l->as.data, l->as.data_len);

	return (!n || (strlen(b->filename) == n && !memcmp(b->filename, l->as.data, n))) &&
	       is_object(l, &b->file->f_path, true);
}

/* (struct linux_binprm *): of the program, then of each interpreter. shk_lease_end() ends it. */
bool shk_lease_bprm(struct shk_container *c, unsigned int kind, const unsigned long *a)
{
	struct linux_binprm *b = (void *)a[0];
	bool had = false, fits;
	struct lease *l;

	if (!(c->leases & LEASES_KILL))
		return true;
	spin_lock(&lock);
	l = find(task_pid(current));
	if (l && l->c == c && l->as.kind == kind)
		had = l->passed = same_call(l);
	if (had)
		fits = ktime_get_mono_fast_ns() < l->as.expires_ns && is_program(l, b);
	else
		fits = !(c->leases & SHRIKE_REQUIRE_EXEC);
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
	void __user *args = (void __user *)current->mm->arg_start;
	char *is = shk_ring_scratch(1);

	if (name == l->as.data_len)
		return true;
	return current->mm->arg_end - current->mm->arg_start == n &&
	       !copy_from_user_nofault(is, args, n) && !memcmp(is, l->as.data + name + 1, n);
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

/* What a lease that was sent is about. */
static int fill(struct lease *l)
{
	struct task_struct *t;
	unsigned int i;
	int err = -ESRCH, fd;

	l->c = shk_scope_by_index(l->as.index);
	if (!l->c)
		return -ENOENT;
	if (l->as.kind > SHRIKE_KIND_BIND || l->as.data_len > SHRIKE_LEASE_DATA || l->as.pad)
		return -EINVAL;
	l->pid = find_get_pid(l->as.tid);
	rcu_read_lock();
	t = pid_task(l->pid, PIDTYPE_PID);
	if (t && shk_scope_of(t) == l->c)
		err = 0;
	rcu_read_unlock();
	for (i = 0; i < ARRAY_SIZE(l->object) && !err; i++) {
		fd = i == DIR ? l->as.dir_fd : l->as.fd[i];
		l->object[i] = fd < 0 ? NULL : fget_raw(fd);
		if (fd >= 0 && !l->object[i])
			err = -EBADF;
	}
	return err;
}

/* Of a container (NULL: any). An EXEC lease's call may last longer: that it had one stays. */
void shk_lease_drop(const struct shk_container *c, u64 before)
{
	struct hlist_node *next;
	struct lease *l;
	int i;

	spin_lock(&lock);
	hash_for_each_safe(table, i, next, l, link) {
		if ((c && l->c != c) || l->as.expires_ns > before)
			continue;
		if (!c && l->as.kind == SHRIKE_KIND_EXEC && pid_has_task(l->pid, PIDTYPE_PID)) {
			put_files(l);
			continue;
		}
		unlink(l);
		free_lease(l);
	}
	spin_unlock(&lock);
}

/* Leases that nobody used: what they hold keeps file systems from being unmounted. */
static void sweep(struct work_struct *work)
{
	shk_lease_drop(NULL, ktime_get_mono_fast_ns());
	if (READ_ONCE(n_leases))
		queue_delayed_work(system_wq, to_delayed_work(work), HZ);
}
DECLARE_DELAYED_WORK(shk_lease_sweep, sweep);

int shk_lease_post(const void *as)
{
	struct lease *l = kzalloc(sizeof(*l), GFP_KERNEL), *old = NULL;
	int err;

	if (!l)
		return -ENOMEM;
	/* In a message they need not be aligned. */
	memcpy(&l->as, as, sizeof(l->as));
	err = fill(l);
	if (!err) {
		spin_lock(&lock);
		old = find(l->pid);
		if (old)
			unlink(old);
		if (n_leases < SHRIKE_LEASES_TOTAL && l->c->n_leases < SHRIKE_LEASES_EACH)
			link(l);
		else
			err = -ENOSPC;
		spin_unlock(&lock);
	}
	if (err)
		free_lease(l);
	else
		queue_delayed_work(system_wq, &shk_lease_sweep, HZ);
	free_lease(old);
	return err;
}

#include "selftest_lease.h"
