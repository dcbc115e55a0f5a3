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

struct text {
	const char *p;
	u16 len;
	bool missing;	/* there is one, and it could not be told */
	bool cut;
};

/* The path of a thing, or of the entry `name` in a directory. Uses one of the two scratch buffers. */
static __always_inline struct text path_text(const struct path *path, const struct dentry *entry, unsigned int which)
{
	char *buf = shk_ring_scratch(which), *p, *end = buf + SHRIKE_PATH_MAX;
	struct text t = { .missing = true };
	size_t room = SHRIKE_PATH_MAX, n = 0;

	if (entry) {
		n = entry->d_name.len + 1;
		room -= n;
	}
	p = d_path(path, buf, room);
	if (IS_ERR(p))
		return t;
	t.missing = false;
	/* What d_path writes ends at the end of the buffer. */
	t.len = buf + room - 1 - p;
	if (!entry) {
		t.p = p;
		return t;
	}
	/* d_path works from the end of its buffer: the directory's name is followed by a NUL, then by room for the entry's. */
	if (t.len == 1 && *p == '/')
		t.len = 0;
	memmove(end - n - t.len, p, t.len);
	p = end - n - t.len;
	p[t.len] = '/';
	memcpy(p + t.len + 1, entry->d_name.name, n - 1);
	t.len += n;
	t.p = p;
	return t;
}

static struct text plain(const char *s, size_t limit)
{
	struct text t = { .p = s };

	if (s)
		t.len = strnlen(s, limit);
	return t;
}

static __always_inline void write_path(struct shk_container *c, unsigned int type, const struct inode *inode, u64 arg, u32 flags,
				       struct text a, struct text b)
{
	struct shrike_record *rec = shk_ring_begin(c, type, sizeof(struct shrike_path) + a.len + b.len);
	struct shrike_path *p;
	char *data;

	if (!rec)
		return;
	if (a.missing || b.missing)
		rec->flags |= SHRIKE_F_NO_PATH;
	if (a.cut || b.cut)
		rec->flags |= SHRIKE_F_CUT;
	p = (void *)(rec + 1);
	*p = (struct shrike_path){ .arg = arg, .flags = flags, .path_len = a.len, .path2_len = b.len };
	if (inode) {
		p->dev = huge_encode_dev(inode->i_sb->s_dev);
		p->ino = inode->i_ino;
		p->mode = inode->i_mode;
		p->uid = __kuid_val(inode->i_uid);
		p->gid = __kgid_val(inode->i_gid);
	}
	data = (char *)(p + 1);
	memcpy(data, a.p, a.len);
	if (b.len)
		memcpy(data + a.len, b.p, b.len);
	shk_ring_end(rec);
}

static const struct text none;

/* (struct file *) or (struct linux_binprm *) */
void shk_record_file(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct file *f = type == SHRIKE_BPRM ? ((struct linux_binprm *)a[0])->file : (void *)a[0];

	if (!shk_file_is_backing(f))
		write_path(c, type, file_inode(f), 0, f->f_flags, path_text(&f->f_path, NULL, 0), none);
}

void shk_record_exec(struct shk_container *c, struct file *f)
{
	struct text args = { .p = shk_ring_scratch(1) };
	struct mm_struct *mm = current->mm;
	unsigned long n = mm->arg_end - mm->arg_start;

	if (n > SHRIKE_ARGS_MAX) {
		n = SHRIKE_ARGS_MAX;
		args.cut = true;
	}
	if (copy_from_user_nofault(shk_ring_scratch(1), (void __user *)mm->arg_start, n))
		args.cut = true;
	else
		args.len = n;
	write_path(c, SHRIKE_EXEC, file_inode(f), 0, 0, path_text(&f->f_path, NULL, 0), args);
}

void shk_record_lease(struct shk_container *c, unsigned int kind, bool had, const struct path *path)
{
	if (c->classes & BIT_ULL(SHRIKE_LEASE))
		write_path(c, SHRIKE_LEASE, path ? d_inode(path->dentry) : NULL, kind | (had ? 256 : 0), 0,
			   path ? path_text(path, NULL, 0) : none, none);
}

/* (const struct path *directory, struct dentry *entry) */
void shk_record_child(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct dentry *entry = (void *)a[1];

	write_path(c, type, d_inode(entry), 0, 0, path_text((void *)a[0], entry, 0), none);
}

/* (directory, entry, umode_t mode, dev): the object does not exist yet */
void shk_record_child_mode(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct path *dir = (void *)a[0];

	write_path(c, type, d_inode(dir->dentry), type == SHRIKE_MKNOD ? (u32)a[3] : 0, (umode_t)a[2],
		   path_text(dir, (void *)a[1], 0), none);
}

/* (struct dentry *old, const struct path *new_directory, struct dentry *new): both are on the same mount */
void shk_record_link(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct path old = { .mnt = ((struct path *)a[1])->mnt, .dentry = (void *)a[0] };

	write_path(c, type, d_inode(old.dentry), 0, 0, path_text(&old, NULL, 0), path_text((void *)a[1], (void *)a[2], 1));
}

/* (old directory, old, new directory, new, flags) */
void shk_record_rename(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	write_path(c, type, d_inode((struct dentry *)a[1]), 0, a[4], path_text((void *)a[0], (void *)a[1], 0),
		   path_text((void *)a[2], (void *)a[3], 1));
}

/* (directory, entry, const char *content) */
void shk_record_symlink(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct path *dir = (void *)a[0];

	write_path(c, type, d_inode(dir->dentry), 0, 0, path_text(dir, (void *)a[1], 0),
		   plain((const char *)a[2], SHRIKE_PATH_MAX - 1));
}

/* (const struct path *), then umode_t, or kuid_t and kgid_t, or nothing */
void shk_record_path(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct path *path = (void *)a[0];
	u64 arg = type == SHRIKE_CHMOD ? (umode_t)a[1] : type == SHRIKE_CHOWN ? (u32)a[1] | (u64)(u32)a[2] << 32 : 0;

	write_path(c, type, d_inode(path->dentry), arg, 0, path_text(path, NULL, 0), none);
}

/* Times only: mode, owner and size have hooks that know the mount. An overlay's own change below comes with borrowed credentials. */
void shk_record_setattr(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct dentry *d = (void *)a[SHK_SETATTR_DENTRY];
	const struct iattr *attr = (void *)a[SHK_SETATTR_DENTRY + 1];
	char *buf = shk_ring_scratch(0), *p;
	struct text t = { .missing = true };

	if (!(attr->ia_valid & (ATTR_ATIME | ATTR_MTIME)) ||
	    (attr->ia_valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_SIZE)) || current_cred() != current_real_cred())
		return;
	p = dentry_path_raw(d, buf, SHRIKE_PATH_MAX);
	if (!IS_ERR(p))
		t = plain(p, SHRIKE_PATH_MAX - (p - buf));
	write_path(c, type, d_inode(d), attr->ia_valid, 0, t, none);
}

/* (const char *device, const struct path *where, const char *type, unsigned long flags, void *data) */
void shk_record_mount(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct path *where = (void *)a[1];
	char *buf = shk_ring_scratch(1);
	struct text what = plain((const char *)a[0], SHRIKE_PATH_MAX - 257);
	struct text kind = plain((const char *)a[2], 256);

	memcpy(buf, what.p, what.len);
	buf[what.len] = 0;
	memcpy(buf + what.len + 1, kind.p, kind.len);
	what.p = buf;
	what.len += 1 + kind.len;
	write_path(c, type, d_inode(where->dentry), 0, a[3], path_text(where, NULL, 0), what);
}

void shk_record_move(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct path *from = (void *)a[0];

	write_path(c, type, d_inode(from->dentry), 0, 0, path_text(from, NULL, 0), path_text((void *)a[1], NULL, 1));
}

void shk_record_read_file(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct file *f = (void *)a[0];

	if (f)
		write_path(c, type, file_inode(f), (u32)a[1], 0, path_text(&f->f_path, NULL, 0), none);
	else
		write_path(c, type, NULL, (u32)a[1], 0, none, none);
}

static void write_values(struct shk_container *c, unsigned int type, u64 x, u64 y, u64 z)
{
	struct shrike_record *rec = shk_ring_begin(c, type, sizeof(struct shrike_value));

	if (!rec)
		return;
	*(struct shrike_value *)(rec + 1) = (struct shrike_value){ { x, y, z } };
	shk_ring_end(rec);
}

void shk_record_value(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	/* That of security_create_user_ns is a pointer. */
	write_values(c, type, type == SHRIKE_USERNS ? 0 : (u32)a[0], 0, 0);
}

/* (struct task_struct *, unsigned int mode) or (struct task_struct *, struct kernel_siginfo *, int signal) */
void shk_record_task(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct task_struct *t = (void *)a[0];

	write_values(c, type, t->pid, t->tgid, (u32)a[type == SHRIKE_KILL ? 2 : 1]);
}

static void write_sock(struct shk_container *c, unsigned int type, const struct shrike_sock *s, const void *addr)
{
	struct shrike_record *rec = shk_ring_begin(c, type, sizeof(*s) + s->addr_len);

	if (!rec)
		return;
	memcpy(rec + 1, s, sizeof(*s));
	memcpy((u8 *)(rec + 1) + sizeof(*s), addr, s->addr_len);
	shk_ring_end(rec);
}

static void of_socket(struct socket *sock, struct shrike_sock *s)
{
	s->ino = SOCK_INODE(sock)->i_ino;
	s->type = sock->type;
	if (sock->sk) {
		s->family = sock->sk->sk_family;
		s->protocol = sock->sk->sk_protocol;
	}
}

/* (int family, int type, int protocol, int kern) */
void shk_record_socket_create(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct shrike_sock s = { .family = a[0], .type = a[1], .protocol = a[2] };

	if (!(int)a[3])
		write_sock(c, type, &s, NULL);
}

/* (struct socket *, struct sockaddr *, int length): a copy of the kernel's; or (struct socket *, int backlog) */
void shk_record_address(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	struct shrike_sock s = { };

	of_socket((void *)a[0], &s);
	if (type == SHRIKE_LISTEN)
		s.arg = (u32)a[1];
	else
		s.addr_len = clamp_t(int, a[2], 0, SHRIKE_ADDR_MAX);
	write_sock(c, type, &s, (void *)a[1]);
}

/* (struct socket *, struct msghdr *, int size): with an address only; others are writes */
void shk_record_sendmsg(struct shk_container *c, unsigned int type, const unsigned long *a)
{
	const struct msghdr *m = (void *)a[1];
	struct shrike_sock s = { .arg = (u32)a[2] };

	if (!m->msg_name || m->msg_namelen <= 0)
		return;
	s.addr_len = min_t(int, m->msg_namelen, SHRIKE_ADDR_MAX);
	of_socket((void *)a[0], &s);
	write_sock(c, type, &s, m->msg_name);
}
