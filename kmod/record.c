// SPDX-License-Identifier: GPL-2.0-only
/*
 * record.c - what hooks saw, in words. All of it is the kernel's: paths by d_path, names of entries
 * under the locks that the hooked functions are called with, addresses already copied in. The one
 * thing read from the task is the command line of a program that was put there a moment ago, with
 * no fault followed. a[] are the arguments of the hooked functions (linux/security.h).
 */
#include <linux/binfmts.h>
#include <linux/uaccess.h>
#include <net/sock.h>
#include "shrike.h"

/* Text of a record; flags: SHRIKE_F_* that it gives it. */
struct text {
	const char *p;
	u16 n;
	u8 flags;
};
static const struct text none, untold = { .flags = SHRIKE_F_NO_PATH };

/* The path of a thing, or of an entry in a directory; which: of the two scratch buffers. */
static __always_inline struct text path_text(const struct path *path, const struct dentry *entry,
					     unsigned int which)
{
	size_t room = SHRIKE_PATH_MAX - (entry ? entry->d_name.len + 1 : 0);
	char *buf = shk_ring_scratch(which), *end = buf + room - 1, *p = d_path(path, buf, room);

	if (IS_ERR(p))
		return untold;
	/* What d_path writes ends at the end of its buffer. */
	if (entry) {
		if (end[-1] != '/')
			*end++ = '/';
		memcpy(end, entry->d_name.name, entry->d_name.len);
		end += entry->d_name.len;
	}
	return (struct text){ p, end - p };
}

/* A record of a path or two, about an object. */
static __always_inline void write_path(struct shk_container *c, unsigned int type,
				       const struct inode *inode, u64 arg, u32 flags,
				       const struct text *a, const struct text *b)
{
	struct shrike_path *p;
	struct shrike_record *rec = shk_ring_begin(c, type, sizeof(*p) + a->n + b->n);

	if (!rec)
		return;
	rec->flags |= a->flags | b->flags;
	p = (void *)(rec + 1);
	p->dev = inode ? huge_encode_dev(inode->i_sb->s_dev) : 0;
	p->ino = inode ? inode->i_ino : 0;
	p->arg = arg;
	p->mode = inode ? inode->i_mode : 0;
	p->flags = flags;
	p->uid = inode ? __kuid_val(inode->i_uid) : 0;
	p->gid = inode ? __kgid_val(inode->i_gid) : 0;
	p->path_len = a->n;
	p->path2_len = b->n;
	p->pad = 0;
	memcpy(p + 1, a->p, a->n);
	if (b->n)
		memcpy((char *)(p + 1) + a->n, b->p, b->n);
	shk_ring_end(rec);
}

/* OPEN, TRUNCATE: file; READ_FILE: file, what for; BPRM: struct linux_binprm */
void shk_record_file(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct file *f = type == SHRIKE_BPRM ? ((struct linux_binprm *)a[0])->file : (void *)a[0];
	u32 flags = type == SHRIKE_OPEN || type == SHRIKE_BPRM ? f->f_flags : 0;
	struct text path;

	if (!f || shk_file_is_backing(f))
		return;
	path = path_text(&f->f_path, NULL, 0);
	write_path(c, type, file_inode(f), type == SHRIKE_READ_FILE ? (u32)a[1] : 0, flags, &path,
		   &none);
}

void shk_record_exec(struct shk_container *c, struct file *f)
{
	struct text path = path_text(&f->f_path, NULL, 0), args = { .p = shk_ring_scratch(1) };
	void __user *from = (void __user *)current->mm->arg_start;
	unsigned long n = current->mm->arg_end - current->mm->arg_start;

	args.n = min(n, (unsigned long)SHRIKE_ARGS_MAX);
	if (copy_from_user_nofault(shk_ring_scratch(1), from, args.n))
		args.n = 0;
	args.flags = args.n < n ? SHRIKE_F_CUT : 0;
	write_path(c, SHRIKE_EXEC, file_inode(f), 0, 0, &path, &args);
}

void shk_record_lease(struct shk_container *c, unsigned int kind, bool had, const struct path *path)
{
	struct text a = { };

	if (!shk_wanted(c, SHRIKE_LEASE))
		return;
	if (path)
		a = path_text(path, NULL, 0);
	write_path(c, SHRIKE_LEASE, path ? d_inode(path->dentry) : NULL, kind | (had ? 256 : 0), 0,
		   &a, &none);
}

/* family, type, protocol, asked for by the kernel itself */
void shk_record_socket(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct shrike_sock s = { .family = a[0], .type = a[1], .protocol = a[2] };

	if (!(int)a[3])
		shk_ring_write(c, type, 0, &s, sizeof(s), NULL, 0);
}

/* socket, address (a copy of the kernel's), length; LISTEN: backlog; SENDMSG: message, size */
void shk_record_sock(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct socket *sock = (void *)a[0];
	struct shrike_sock s = { .ino = SOCK_INODE((void *)a[0])->i_ino, .type = sock->type };
	const struct msghdr *m = (void *)a[1];
	const void *addr = m;
	int len = a[2];

	if (type == SHRIKE_LISTEN) {
		s.arg = (u32)a[1];
		len = 0;
	} else if (type == SHRIKE_SENDMSG) {
		s.arg = (u32)a[2];
		addr = m->msg_name;
		len = addr ? m->msg_namelen : 0;
		/* Without an address it is a write. */
		if (len <= 0)
			return;
	}
	if (sock->sk) {
		s.family = sock->sk->sk_family;
		s.protocol = sock->sk->sk_protocol;
	}
	s.addr_len = clamp_t(int, len, 0, SHRIKE_ADDR_MAX);
	shk_ring_write(c, type, 0, &s, sizeof(s), addr, s.addr_len);
}

/* PTRACE: task, mode; KILL: task, info, signal; LOAD_DATA: what for; BPF: command; USERNS: cred */
void shk_record_value(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct task_struct *t = (void *)a[0];
	struct shrike_value v = { };

	if (type == SHRIKE_PTRACE)
		v = (struct shrike_value){ { t->pid, t->tgid, (u32)a[1] } };
	else if (type == SHRIKE_KILL)
		v = (struct shrike_value){ { t->pid, t->tgid, (u32)a[2] } };
	else if (type != SHRIKE_USERNS)
		v.v[0] = (u32)a[0];
	shk_ring_write(c, type, 0, &v, sizeof(v), NULL, 0);
}

/* Times only: others have hooks that know the mount. An overlay's own has borrowed credentials. */
void shk_record_setattr(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct dentry *d = (void *)a[SHK_SETATTR_DENTRY];
	unsigned int valid = ((struct iattr *)a[SHK_SETATTR_DENTRY + 1])->ia_valid;
	char *buf = shk_ring_scratch(0), *p;
	struct text t = untold;

	if (!(valid & (ATTR_ATIME | ATTR_MTIME)) ||
	    (valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE)) ||
	    current_cred() != current_real_cred())
		return;
	p = dentry_path_raw(d, buf, SHRIKE_PATH_MAX);
	if (!IS_ERR(p))
		t = (struct text){ p, buf + SHRIKE_PATH_MAX - 1 - p };
	write_path(c, type, d_inode(d), valid, 0, &t, &none);
}

/* What is said of a path, or of an entry in the directory of a path. */
void shk_record_path(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct path *path = (void *)a[0];
	struct dentry *entry = NULL;
	struct text one, two = { };
	struct inode *inode;
	struct path old;
	u64 arg = 0;
	u32 flags = 0;

	switch (type) {
	case SHRIKE_MKNOD: /* directory, entry, umode_t, device */
		arg = (u32)a[3];
		fallthrough;
	case SHRIKE_MKDIR: /* directory, entry, umode_t */
		flags = (umode_t)a[2];
		fallthrough;
	case SHRIKE_UNLINK: /* directory, entry */
	case SHRIKE_RMDIR:
		entry = (void *)a[1];
		break;
	case SHRIKE_SYMLINK: /* directory, entry, content */
		entry = (void *)a[1];
		two.p = (void *)a[2];
		two.n = strnlen(two.p, SHRIKE_PATH_MAX - 1);
		break;
	case SHRIKE_LINK: /* old, new directory, new: both are on the same mount */
		two = path_text((void *)a[1], (void *)a[2], 1);
		old = (struct path){ .mnt = ((struct path *)a[1])->mnt, .dentry = (void *)a[0] };
		path = &old;
		break;
	case SHRIKE_RENAME: /* old directory, old, new directory, new, flags */
		entry = (void *)a[1];
		two = path_text((void *)a[2], (void *)a[3], 1);
		flags = a[4];
		break;
	case SHRIKE_MOUNT: /* device, where, type, flags, data */
		path = (void *)a[1];
		two.p = shk_ring_scratch(1);
		two.n = scnprintf(shk_ring_scratch(1), SHRIKE_PATH_MAX, "%.3800s%c%.256s",
				  a[0] ? (char *)a[0] : "", 0, a[2] ? (char *)a[2] : "");
		flags = a[3];
		break;
	case SHRIKE_MOVE_MOUNT: /* from, to */
		two = path_text((void *)a[1], NULL, 1);
		break;
	case SHRIKE_CHMOD: /* path, umode_t */
		arg = (umode_t)a[1];
		break;
	case SHRIKE_CHOWN: /* path, uid, gid */
		arg = (u32)a[1] | (u64)(u32)a[2] << 32;
	}
	one = path_text(path, entry, 0);
	/* Of an entry that is only about to be made, its directory. */
	inode = d_inode(entry && d_inode(entry) ? entry : path->dentry);
	write_path(c, type, inode, arg, flags, &one, &two);
}
