// SPDX-License-Identifier: Apache-2.0
#include "enforce/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

struct shk_rights {
	uint64_t own, permitted; /* capabilities */
	struct shk_caller worn;	 /* ids and groups that are on */
	bool any;		 /* there is a worn */
	uint64_t effective;	 /* of the caller, less what the engine lacks */
	bool on;		 /* these are in force */
	bool other;		 /* effective ids are not the engine's */
	bool fixed;		 /* none are put on or off */
	mode_t umask;
	uid_t euid; /* the engine's */
	gid_t egid;
};

/* An engine stays in its own. */
static ino_t own_user_ns(void)
{
	static _Atomic ino_t known;
	ino_t ino = atomic_load_explicit(&known, memory_order_relaxed);
	struct stat st;

	if (!ino && stat("/proc/self/ns/user", &st) == 0)
		atomic_store(&known, ino = st.st_ino);
	return ino;
}

static ssize_t label_of(const char *path, char *buf, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size);

	return n;
}

/* Confinement by AppArmor, SELinux and their like is the thread's, and no thread can put on another one's for a
 * call and take it off again. EINVAL: there is no such module. */
static bool labelled(pid_t tid)
{
	static atomic_int none; /* a kernel gets no such module while it runs */
	char path[64], own[256], its[256];
	ssize_t n, m;

	if (atomic_load_explicit(&none, memory_order_relaxed))
		return false;
	n = label_of("/proc/thread-self/attr/current", own, sizeof(own));
	if (n <= 0) {
		atomic_store(&none, n < 0);
		return false;
	}
	snprintf(path, sizeof(path), "/proc/%d/attr/current", (int)tid);
	m = label_of(path, its, sizeof(its));
	return m != n || memcmp(own, its, (size_t)n) != 0;
}

/* The engine's own ids. They are its threads' for good when it may not take on others. */
static struct shk_caller own_ids(void)
{
	struct shk_caller c = { .fsuid = geteuid(), .fsgid = getegid() };
	int n = getgroups(SHK_GROUPS_MAX, c.group);

	c.n_groups = n > 0 ? (unsigned)n : 0;
	return c;
}

static bool same_groups(const struct shk_caller *a, const struct shk_caller *b)
{
	return a->n_groups == b->n_groups &&
	       memcmp(a->group, b->group, a->n_groups * sizeof(gid_t)) == 0;
}

static bool same_ids(const struct shk_caller *a, const struct shk_caller *b)
{
	return a->fsuid == b->fsuid && a->fsgid == b->fsgid && same_groups(a, b);
}

static int own_capabilities(uint64_t *effective, uint64_t *permitted)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d) < 0)
		return -errno;
	*effective = d[0].effective | (uint64_t)d[1].effective << 32;
	*permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	return 0;
}

bool shk_rights_are_users(void)
{
	const uint64_t needed = 1ull << CAP_SETUID | 1ull << CAP_SETGID;
	static atomic_int known = -1;
	uint64_t effective, permitted;

	if (atomic_load_explicit(&known, memory_order_relaxed) < 0)
		atomic_store(&known, own_capabilities(&effective, &permitted) < 0 ||
					     (permitted & needed) != needed);
	return atomic_load_explicit(&known, memory_order_relaxed);
}

static bool may_be(const struct shk_caller *c)
{
	struct shk_caller own;

	if (!shk_rights_are_users())
		return true;
	own = own_ids();
	return same_ids(c, &own) && c->euid == own.fsuid && c->egid == own.fsgid;
}

const char *shk_caller_of(struct shk_eval_ctx *ctx, struct shk_caller *ret)
{
	struct shk_proc *p = shk_proc_task_of(ctx);
	/* In this order: what the first one reads has the second, too. */
	const struct shk_proc_rights *r = p ? shk_proc_rights(p) : NULL;
	const struct shk_proc_creds *c = r ? shk_proc_creds(p) : NULL;
	/* Of a task without capabilities it does not matter. */
	ino_t user = !c ? 0 : c->effective ? shk_proc_ns(p, SHK_NS_USER) : own_user_ns();

	if (!user)
		return "the task has ended";
	if (r->n_groups > SHK_GROUPS_MAX)
		return "the task is in too many groups";
	if (labelled(ctx->ev->tid))
		return "a security module confines the task";
	/* By hand: the groups are most of it, and few tasks have any. */
	ret->tid = ctx->ev->tid;
	ret->tgid = shk_proc_pid(p);
	ret->vtid = shk_proc_vtid(p);
	ret->vpid = shk_proc_vpid(p);
	ret->fsuid = c->fsuid;
	ret->fsgid = c->fsgid;
	ret->euid = c->uid;
	ret->egid = c->gid;
	ret->umask = r->umask;
	ret->narrow_ids = ctx->ev->abi == SHK_ABI_I386;
	ret->other_users = user != own_user_ns();
	ret->may_umount = ret->other_users || c->bounding & 1ull << CAP_SYS_ADMIN;
	ret->own_effective = c->effective;
	ret->effective = ret->other_users ? 0 : c->effective;
	ret->n_groups = r->n_groups;
	memcpy(ret->group, r->group, r->n_groups * sizeof(gid_t));
	return may_be(ret) ? NULL : "the supervisor runs as a user, and the task as another one";
}

bool shk_caller_numbers_others(struct shk_eval_ctx *ctx)
{
	struct shk_proc *p = shk_proc_task_of(ctx);

	return !p || shk_proc_ns(p, SHK_NS_USER) != own_user_ns();
}

static int capabilities(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ .effective = (uint32_t)effective, .permitted = (uint32_t)permitted },
		{ .effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32) },
	};

	return syscall(SYS_capset, &h, d) < 0 ? -errno : 0;
}

struct shk_rights *shk_rights_new(void)
{
	SHK_CLEANUP(shk_rights_freep) struct shk_rights *r = calloc(1, sizeof(*r));

	if (!r || own_capabilities(&r->own, &r->permitted) < 0 || unshare(CLONE_FS) < 0)
		return NULL;
	r->worn = own_ids();
	r->any = true;
	r->euid = geteuid();
	r->egid = getegid();
	r->umask = umask(077);
	umask(r->umask);
	return TAKE_PTR(r);
}

void shk_rights_free(struct shk_rights *r)
{
	free(r);
}

/* setfsuid and setfsgid tell no errors: asked for an impossible id they change nothing and tell what is. */
static bool set_fs_id(long nr, uint32_t id)
{
	syscall(nr, id);
	return (uint32_t)syscall(nr, (uint32_t)-1) == id;
}

/* Raw calls: the C library would change all threads. */
static int put_on(struct shk_rights *r, const struct shk_caller *c)
{
	if (r->any && same_ids(&r->worn, c))
		return 0;
	r->any = false;
	if (syscall(SYS_setgroups, c->n_groups, c->group) < 0)
		return -errno;
	if (!set_fs_id(SYS_setfsgid, c->fsgid) || !set_fs_id(SYS_setfsuid, c->fsuid))
		return -EPERM;
	r->worn = *c;
	r->any = true;
	return 0;
}

void shk_rights_fix(struct shk_rights *r)
{
	r->fixed = true;
}

int shk_rights_search(struct shk_rights *r, const struct shk_caller *c)
{
	if (r->fixed)
		return 0;
	if (!(c->effective & 1ull << CAP_DAC_OVERRIDE))
		return shk_rights_wear(r, c);
	r->effective = c->effective & r->permitted;
	return put_on(r, c);
}

bool shk_rights_on(const struct shk_rights *r)
{
	return r->on;
}

int shk_rights_wear(struct shk_rights *r, const struct shk_caller *c)
{
	int e = r->fixed ? 0 : put_on(r, c);

	if (r->fixed)
		return 0;
	r->effective = c->effective & r->permitted;
	if (e == 0)
		e = capabilities(r->effective, r->permitted);
	r->on = e == 0;
	return e;
}

/* Cannot fail: what is permitted may be made effective. */
void shk_rights_own(struct shk_rights *r)
{
	if (r->on)
		(void)capabilities(r->own, r->permitted);
	r->on = false;
}

void shk_rights_again(struct shk_rights *r)
{
	if (r->fixed)
		return;
	/* With more rights than the caller nothing may go on. */
	if (capabilities(r->effective, r->permitted) < 0)
		abort();
	r->on = true;
}

int shk_rights_be(struct shk_rights *r, const struct shk_caller *c)
{
	int e = r->fixed ? 0 : put_on(r, c);

	if (r->fixed)
		return 0;
	if (e < 0 || (c->euid == r->euid && c->egid == r->egid))
		return e < 0 ? e : shk_rights_wear(r, c);
	/* Effective ids take the filesystem's along, and capabilities away. */
	r->any = false;
	r->on = r->other = true;
	if (syscall(SYS_setresgid, -1, c->egid, -1) < 0 || syscall(SYS_setresuid, -1, c->euid, -1) < 0 ||
	    capabilities(r->own, r->permitted) < 0)
		return -errno;
	if (!set_fs_id(SYS_setfsgid, c->fsgid) || !set_fs_id(SYS_setfsuid, c->fsuid))
		return -EPERM;
	r->effective = c->effective & r->permitted;
	return capabilities(r->effective, r->permitted);
}

int shk_rights_more(struct shk_rights *r, uint64_t more)
{
	return r->fixed ? 0 : capabilities((r->effective | more) & r->permitted, r->permitted);
}

void shk_rights_unbe(struct shk_rights *r)
{
	/* Real and saved ids are the engine's still. */
	if (r->other &&
	    (syscall(SYS_setresuid, -1, r->euid, -1) < 0 || syscall(SYS_setresgid, -1, r->egid, -1) < 0))
		abort();
	r->other = false;
	shk_rights_own(r);
}

void shk_rights_umask(struct shk_rights *r, mode_t mask)
{
	if (r->umask == mask)
		return;
	umask(mask);
	r->umask = mask;
}
