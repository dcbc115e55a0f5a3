// SPDX-License-Identifier: GPL-2.0-only
/*
 * record.c - what hooks saw, in words. All of it is the kernel's: paths by d_path, names of entries under the locks that the hooked
 * functions are called with, addresses already copied in. The one thing read from the task is the command line of a program that
 * was put there a moment ago, without following a fault.
 */
#include <linux/binfmts.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/pid.h>
#include <linux/socket.h>
#include <linux/uaccess.h>
#include <net/sock.h>
#include "shrike.h"

/* Text of a record, in one or two parts with a byte between them. */
struct text {
	const char *p, *q;	/* q: NULL: one part */
	u16 n, m;
	char between;
	u8 flags;		/* SHRIKE_F_* that it gives its record */
};
static const struct text none, untold = { .flags = SHRIKE_F_NO_PATH };

/* The path of a thing, or of the entry of that name in a directory. Uses one of the two scratch buffers. */
static __always_inline struct text path_text(const struct path *path, const struct dentry *entry, unsigned int which)
{
	size_t room = SHRIKE_PATH_MAX - (entry ? entry->d_name.len + 1 : 0);
	char *buf = shk_ring_scratch(which), *p = d_path(path, buf, room);
	struct text t = { .p = p };

	if (IS_ERR(p))
		return untold;
	/* What d_path writes ends at the end of its buffer. */
	t.n = buf + room - 1 - p;
	if (!entry)
		return t;
	if (t.n == 1 && *p == '/')
		t.n = 0;
	t.between = '/';
	t.q = entry->d_name.name;
	t.m = entry->d_name.len;
	return t;
}

static struct text plain(const char *s, size_t limit)
{
	return (struct text){ .p = s, .n = s ? strnlen(s, limit) : 0 };
}

static __always_inline u16 length(const struct text *t)
{
	return t->q ? t->n + 1 + t->m : t->n;
}

static __always_inline void put(char *to, const struct text *t)
{
	memcpy(to, t->p, t->n);
	if (t->q) {
		to[t->n] = t->between;
		memcpy(to + t->n + 1, t->q, t->m);
	}
}

/* A record of a path or two, about an object. */
static __always_inline void write_path(struct shk_container *c, unsigned int type, const struct inode *inode, u64 arg, u32 flags,
				       const struct text *a, const struct text *b)
{
	u16 n = length(a), m = length(b);
	struct shrike_record *rec = shk_ring_begin(c, type, sizeof(struct shrike_path) + n + m);
	struct shrike_path *p = (void *)(rec + 1);

	if (!rec)
		return;
	rec->flags |= a->flags | b->flags;
	p->arg = arg;
	p->flags = flags;
	p->path_len = n;
	p->path2_len = m;
	p->pad = 0;
	p->dev = inode ? huge_encode_dev(inode->i_sb->s_dev) : 0;
	p->ino = inode ? inode->i_ino : 0;
	p->mode = inode ? inode->i_mode : 0;
	p->uid = inode ? __kuid_val(inode->i_uid) : 0;
	p->gid = inode ? __kgid_val(inode->i_gid) : 0;
	put((char *)(p + 1), a);
	if (m)
		put((char *)(p + 1) + n, b);
	shk_ring_end(rec);
}

static noinline void write_file(struct shk_container *c, unsigned int type, struct file *f, u64 arg, u32 flags)
{
	struct text a = path_text(&f->f_path, NULL, 0);

	write_path(c, type, file_inode(f), arg, flags, &a, &none);
}

void shk_record_exec(struct shk_container *c, struct file *f)
{
	struct text path = path_text(&f->f_path, NULL, 0), args = { .p = shk_ring_scratch(1) };
	struct mm_struct *mm = current->mm;
	unsigned long n = mm->arg_end - mm->arg_start;

	if (n > SHRIKE_ARGS_MAX) {
		n = SHRIKE_ARGS_MAX;
		args.flags = SHRIKE_F_CUT;
	}
	if (copy_from_user_nofault(shk_ring_scratch(1), (void __user *)mm->arg_start, n))
		args.flags = SHRIKE_F_CUT;
	else
		args.n = n;
	write_path(c, SHRIKE_EXEC, file_inode(f), 0, 0, &path, &args);
}

void shk_record_lease(struct shk_container *c, unsigned int kind, bool had, const struct path *path)
{
	struct text a = { };

	if (!shk_wanted(c, SHRIKE_LEASE))
		return;
	if (path)
		a = path_text(path, NULL, 0);
	write_path(c, SHRIKE_LEASE, path ? d_inode(path->dentry) : NULL, kind | (had ? 256 : 0), 0, &a, &none);
}

static void write_values(struct shk_container *c, unsigned int type, u64 x, u64 y, u64 z)
{
	struct shrike_value v = { { x, y, z } };

	shk_ring_write(c, type, 0, &v, sizeof(v));
}

/* sock: NULL: not made yet */
static void write_sock(struct shk_container *c, unsigned int type, struct socket *sock, struct shrike_sock s, const void *addr, int len)
{
	struct shrike_record *rec;

	s.addr_len = clamp_t(int, len, 0, SHRIKE_ADDR_MAX);
	if (sock) {
		s.ino = SOCK_INODE(sock)->i_ino;
		s.type = sock->type;
	}
	if (sock && sock->sk) {
		s.family = sock->sk->sk_family;
		s.protocol = sock->sk->sk_protocol;
	}
	rec = shk_ring_begin(c, type, sizeof(s) + s.addr_len);
	if (!rec)
		return;
	*(struct shrike_sock *)(rec + 1) = s;
	memcpy((u8 *)(rec + 1) + sizeof(s), addr, s.addr_len);
	shk_ring_end(rec);
}

/* What is said of a socket, a task or a number. */
static void record_other(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct task_struct *t = (void *)a[0];
	const struct msghdr *m = (void *)a[1];
	struct shrike_sock s = { };

	switch (type) {
	case SHRIKE_SOCKET: /* int family, int type, int protocol, int kern */
		s.family = a[0];
		s.type = a[1];
		s.protocol = a[2];
		if (!(int)a[3])
			write_sock(c, type, NULL, s, NULL, 0);
		break;
	case SHRIKE_CONNECT: /* socket, address: a copy of the kernel's, int length */
	case SHRIKE_BIND:
		write_sock(c, type, (void *)a[0], s, (void *)a[1], a[2]);
		break;
	case SHRIKE_LISTEN: /* socket, int backlog */
		s.arg = (u32)a[1];
		write_sock(c, type, (void *)a[0], s, NULL, 0);
		break;
	case SHRIKE_SENDMSG: /* socket, message, int size: with an address only; others are writes */
		s.arg = (u32)a[2];
		if (m->msg_name && m->msg_namelen > 0)
			write_sock(c, type, (void *)a[0], s, m->msg_name, m->msg_namelen);
		break;
	case SHRIKE_PTRACE: /* task, unsigned int mode */
		write_values(c, type, t->pid, t->tgid, (u32)a[1]);
		break;
	case SHRIKE_KILL: /* task, info, int signal */
		write_values(c, type, t->pid, t->tgid, (u32)a[2]);
		break;
	case SHRIKE_USERNS: /* credentials */
		write_values(c, type, 0, 0, 0);
		break;
	default: /* LOAD_DATA, BPF: a number */
		write_values(c, type, (u32)a[0], 0, 0);
	}
}

/* Times only: mode, owner and size have hooks that know the mount. An overlay's own change below comes with borrowed credentials. */
static void record_setattr(struct shk_container *c, const struct dentry *d, const struct iattr *attr)
{
	char *buf = shk_ring_scratch(0), *p;
	struct text t = untold;

	if (!(attr->ia_valid & (ATTR_ATIME | ATTR_MTIME)) ||
	    (attr->ia_valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE)) || current_cred() != current_real_cred())
		return;
	p = dentry_path_raw((struct dentry *)d, buf, SHRIKE_PATH_MAX);
	if (!IS_ERR(p))
		t = plain(p, SHRIKE_PATH_MAX - (p - buf));
	write_path(c, SHRIKE_SETATTR, d_inode(d), attr->ia_valid, 0, &t, &none);
}

/* What is said of a path, or of an entry in the directory of a path. */
static void record_path(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct path *path = (void *)a[0];
	struct dentry *entry = NULL;
	struct path old;
	struct inode *inode;
	u64 arg = 0;
	u32 flags = 0;
	struct text one, two = { };

	switch (type) {
	case SHRIKE_UNLINK: /* directory, entry */
	case SHRIKE_RMDIR:
		entry = (void *)a[1];
		inode = d_inode(entry);
		break;
	case SHRIKE_MKDIR: /* directory, entry, umode_t mode[, dev]; the object does not exist yet */
	case SHRIKE_MKNOD:
		entry = (void *)a[1];
		inode = d_inode(path->dentry);
		flags = (umode_t)a[2];
		arg = type == SHRIKE_MKNOD ? (u32)a[3] : 0;
		break;
	case SHRIKE_SYMLINK: /* directory, entry, content */
		entry = (void *)a[1];
		inode = d_inode(path->dentry);
		two = plain((const char *)a[2], SHRIKE_PATH_MAX - 1);
		break;
	case SHRIKE_LINK: /* old, new directory, new: both are on the same mount */
		two = path_text((void *)a[1], (void *)a[2], 1);
		old = (struct path){ .mnt = ((struct path *)a[1])->mnt, .dentry = (void *)a[0] };
		path = &old;
		inode = d_inode(old.dentry);
		break;
	case SHRIKE_RENAME: /* old directory, old, new directory, new, flags */
		entry = (void *)a[1];
		inode = d_inode(entry);
		two = path_text((void *)a[2], (void *)a[3], 1);
		flags = a[4];
		break;
	case SHRIKE_MOUNT: /* device, where, type, flags, data */
		path = (void *)a[1];
		inode = d_inode(path->dentry);
		two = plain((const char *)a[0], SHRIKE_PATH_MAX - 257);
		two.q = a[2] ? (const char *)a[2] : "";
		two.m = strnlen(two.q, 256);
		flags = a[3];
		break;
	default: /* CHMOD path, umode_t; CHOWN path, uid, gid; MOVE_MOUNT from, to; TRUNCATE path */
		inode = d_inode(path->dentry);
		arg = type == SHRIKE_CHMOD ? (umode_t)a[1] : type == SHRIKE_CHOWN ? (u32)a[1] | (u64)(u32)a[2] << 32 : 0;
		if (type == SHRIKE_MOVE_MOUNT)
			two = path_text((void *)a[1], NULL, 1);
	}
	one = path_text(path, entry, 0);
	write_path(c, type, inode, arg, flags, &one, &two);
}

void shk_record_hook(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct file *f = (void *)a[0];

	switch (type) {
	case SHRIKE_BPRM: /* struct linux_binprm */
		f = ((struct linux_binprm *)a[0])->file;
		fallthrough;
	case SHRIKE_OPEN: /* file */
		if (!shk_file_is_backing(f))
			write_file(c, type, f, 0, f->f_flags);
		break;
	case SHRIKE_READ_FILE: /* file or NULL, int what_for */
		if (f)
			write_file(c, type, f, (u32)a[1], 0);
		else
			write_path(c, type, NULL, (u32)a[1], 0, &none, &none);
		break;
	case SHRIKE_SETATTR:
		record_setattr(c, (void *)a[SHK_SETATTR_DENTRY], (void *)a[SHK_SETATTR_DENTRY + 1]);
		break;
	default:
		if (type < SHRIKE_SOCKET && type != SHRIKE_LOAD_DATA)
			record_path(c, type, a);
		else
			record_other(c, type, a);
	}
}
