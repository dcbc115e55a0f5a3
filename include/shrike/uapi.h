/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note OR Apache-2.0 */
/*
 * The protocol between shrike.ko and whoever reads from it.
 *
 * Three things: a generic netlink family says what is watched, a device file gives the rings, records in the rings say what
 * happened. All integers are in the machine's byte order. Bytes without a name are zero.
 *
 * VERSIONING
 * SHRIKE_ABI changes with anything that an older reader would get wrong. The reader asks by SHRIKE_CMD_VERSION, and names its
 * own in every SHRIKE_CMD_ADD, which fails with EPROTO if the two differ. What can be added without harm (hooks, kinds of leases)
 * has a bit in SHRIKE_A_FEATURES or SHRIKE_A_CLASSES instead. A reader skips records of a type it does not know.
 *
 * CONTROL: family "shrike", version 1, in the initial network namespace only
 * Every command needs CAP_NET_ADMIN and CAP_SYS_ADMIN in the initial user namespace: EPERM. Attributes of a wrong type or length,
 * and those unknown: EINVAL or ERANGE.
 *
 *   VERSION   -> ABI, FEATURES, CLASSES (those whose hook this kernel has), RINGS, RING_SIZE, RELEASE
 *   ADD       ABI, INDEX, CGROUP_FD and/or PID [, CLASSES, LEASES, NATIVE, COMPAT]
 *             Watches a container. CGROUP_FD: a directory of cgroup v2; tasks in it or below. PID: the tasks in the pid namespace of
 *             that process (a number in the caller's namespace) or one nested in it. With both, a task that is in either belongs:
 *             leaving a cgroup does not leave the container. INDEX (1 .. SHRIKE_INDEX_MAX) is the caller's name for it.
 *             EPROTO other ABI; EEXIST index, cgroup or namespace in use; EBADF, ESRCH no such thing; ERANGE none can be; EINVAL the root cgroup or the
 *             initial pid namespace; EOPNOTSUPP a cgroup of version 1; ENOSPC SHRIKE_CONTAINERS_MAX reached; ENODEV the kernel
 *             lets none of the hooks be attached; EAGAIN those of earlier containers are just being taken off, which can last.
 *   SET       INDEX [, CLASSES, LEASES, NATIVE, COMPAT]: what is given is replaced. ENOENT.
 *   REMOVE    INDEX. ENOENT.
 *   LIST      (dump) -> INDEX, CGROUP_ID, PIDNS (inode number; 0: none), CLASSES, LEASES for each
 *   STATS     INDEX -> RECORDED, LOST: one u64 per record type. ENOENT.
 *             Every record that should have been written is in exactly one of them.
 *   LEASE     LEASE, once or more (SHRIKE_LEASES_MAX): see below. ENOENT no such container, ESRCH no such task in it, EBADF
 *             a descriptor is not one, ENOSPC SHRIKE_LEASES_TOTAL are waiting, or SHRIKE_LEASES_EACH of this container. The leases
 *             before a wrong one are in force; the extended acknowledgement (NLMSGERR_ATTR_OFFS) points at it.
 *
 * Group "events" (CAP_SYS_ADMIN to listen): GONE with INDEX: the last process of the pid namespace has ended, the container is not watched any more. LOSS with
 * COUNT: records were lost; the number is that of the module since it was loaded, sent at most once a second.
 *
 * CLASSES is a set of bits, 1 << type for the types of records that are wanted. NATIVE and COMPAT are sets of system call numbers (64-bit
 * and 32-bit table; x32 numbers without their bit), bit nr & 7 of byte nr >> 3, whose ends are recorded.
 *
 * RINGS: /dev/shrike, mode 0600, one reader at a time (EBUSY)
 * One ring per processor, RINGS of them (mmap: EINVAL for a number that no processor can have), each with a page of its own and
 * RING_SIZE bytes (a power of two) of data. mmap of one page at
 * SHRIKE_MMAP_HEAD(n), readable and writable, is struct shrike_ring; mmap of RING_SIZE at SHRIKE_MMAP_DATA(n), readable only, the
 * data. Positions count bytes since the beginning of time: modulo RING_SIZE they are places. Records are between tail and head. The
 * module writes head (release) and believes nothing it finds in the page but tail, and that within bounds; the reader writes tail
 * (release) when it is done with what is before. tail stays: the next reader goes on where this one stopped. A record never
 * wraps: where it would, the rest is covered by a record SHRIKE_SKIP, of which only length, type and flags mean anything.
 * poll() is woken when a ring becomes a quarter full, or by any record when `waiting` is not 0.
 *
 * RECORDS: struct shrike_record, then a struct that depends on the type, then data whose lengths are in that struct, without gaps and
 * terminators, in the order of the lengths. length counts all, and is a multiple of 8; none is longer than SHRIKE_RECORD_MAX.
 * seq counts the records of a ring, lost ones too. A gap in seq is a loss, and SHRIKE_LOSS says it again.
 *
 *   type          then                   says
 *   LOSS          shrike_loss            how many records this ring has lost since it last said so
 *   FORK          shrike_fork            a child was made (record of the parent)
 *   EXEC          shrike_path: path, args   a program is being run, by the kernel's object; args: NUL-terminated
 *   EXIT          shrike_exit            a task ends
 *   SYSCALL       shrike_call            a call came back (native or compat set). A call that seccomp refuses comes here, too.
 *   LEASE         shrike_path: path      a lease was not kept. arg: kind (SHRIKE_KIND_*) | 256 if there was one
 *   OPEN          shrike_path: path      arg: 0. flags: O_* as the kernel has them
 *   BPRM          shrike_path: path      a program, or the interpreter of a script, is looked at
 *   UNLINK RMDIR MKDIR  shrike_path: path    flags: mode
 *   MKNOD         shrike_path: path      flags: mode; arg: device. Also a file that open creates
 *   LINK RENAME   shrike_path: path, path2   old and new
 *   SYMLINK       shrike_path: path, path2   path2: what it holds
 *   CHMOD         shrike_path: path      arg: mode
 *   CHOWN         shrike_path: path      arg: uid | gid << 32; all ones: unchanged
 *   TRUNCATE      shrike_path: path
 *   SETATTR       shrike_path: path      times are set. path as in its filesystem. arg: ATTR_* as the kernel has them
 *   MOUNT         shrike_path: path, path2   path: where; path2: what, NUL, type; flags: MS_* (lower half)
 *   MOVE_MOUNT    shrike_path: path, path2   from, to
 *   READ_FILE     shrike_path: path      arg: what for (enum kernel_read_file_id): 2 a module ...
 *   LOAD_DATA     shrike_value: what for
 *   SOCKET        shrike_sock            a socket is asked for
 *   CONNECT BIND SENDMSG  shrike_sock: address    SENDMSG: only if an address is given with the message
 *   LISTEN        shrike_sock            arg: backlog
 *   PTRACE        shrike_value: tid, tgid, mode  a task is to be looked at
 *   KILL          shrike_value: tid, tgid, signal
 *   BPF           shrike_value: command
 *   USERNS        shrike_value           a user namespace is asked for
 *
 * From OPEN on they are attempts: the kernel has resolved everything and not yet decided. Paths are as the task sees them, below its root;
 * an empty one could not be told (SHRIKE_F_NO_PATH). inode and device are those of the object; of the directory, where the object
 * does not exist yet (MKDIR, MKNOD, SYMLINK).
 *
 * LEASES
 * A lease lets one task make one call on what was judged. A container whose LEASES has SHRIKE_REQUIRE_x refuses calls of kind x without
 * a lease, or with one that does not fit: EXEC is killed before the first instruction of the new program, the others fail with EPERM
 * before they have an effect. A lease is bound to the task, and to number, instruction pointer and registers of the call; it
 * ends when it is used, at expires_ns (CLOCK_MONOTONIC), with the task, and with the next lease for that task.
 * SHRIKE_HOLD_EXEC (SHRIKE_FEATURE_EXEC_HOLD) is for a container in which programs are run without a lease, too: those are let be, and a
 * call for which a lease was posted is held to it as above, also when it has expired.
 *
 * Objects are named by descriptors of the sender, which may be O_PATH; the module holds them until the lease ends, and compares the
 * kernel's objects, not numbers that could be given out again. EXEC: all programs that will be looked at (script, interpreter), by mount
 * and entry; data, if any: the name that the program is told (AT_EXECFN), and behind a NUL, if any, its arguments with a NUL each (for
 * the leader of its process alone: another thread's number changes on the way). OPEN: fd[0]
 * the file, and/or dir_fd and name (in data): a file of that name made there by this very call; no name: O_TMPFILE, and
 * nothing else. CONNECT, BIND: the address in data.
 */
#ifndef SHRIKE_UAPI_H
#define SHRIKE_UAPI_H

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/build_bug.h>
#endif

#define SHRIKE_ABI		1
#define SHRIKE_GENL_NAME	"shrike"
#define SHRIKE_GENL_VERSION	1
#define SHRIKE_GENL_GROUP	"events"
#define SHRIKE_DEVICE		"shrike"

#define SHRIKE_INDEX_MAX	0x7fffffffu
#define SHRIKE_CONTAINERS_MAX	1024
#define SHRIKE_LEASES_MAX	64	/* in one message */
#define SHRIKE_LEASES_TOTAL	4096
#define SHRIKE_LEASES_EACH	512	/* of one container: others are to have room */
#define SHRIKE_RECORD_MAX	8448
#define SHRIKE_PATH_MAX		4096
#define SHRIKE_ARGS_MAX		1024
#define SHRIKE_ADDR_MAX		128
#define SHRIKE_BITMAP_BYTES	64	/* 512 calls */

#define SHRIKE_MMAP_HEAD(n)	((__u64)(n) << 32)
#define SHRIKE_MMAP_DATA(n)	(((__u64)(n) << 32) + 0x80000000u)

enum shrike_cmd {
	SHRIKE_CMD_UNSPEC,
	SHRIKE_CMD_VERSION,
	SHRIKE_CMD_ADD,
	SHRIKE_CMD_SET,
	SHRIKE_CMD_REMOVE,
	SHRIKE_CMD_LIST,
	SHRIKE_CMD_STATS,
	SHRIKE_CMD_LEASE,
	SHRIKE_CMD_GONE,
	SHRIKE_CMD_LOSS,
	SHRIKE_CMD_COUNT
};

enum shrike_attr {
	SHRIKE_A_UNSPEC,
	SHRIKE_A_PAD,
	SHRIKE_A_ABI,		/* u32 */
	SHRIKE_A_FEATURES,	/* u64: SHRIKE_FEATURE_* */
	SHRIKE_A_CLASSES,	/* u64 */
	SHRIKE_A_RINGS,		/* u32 */
	SHRIKE_A_RING_SIZE,	/* u32 */
	SHRIKE_A_RELEASE,	/* string */
	SHRIKE_A_INDEX,		/* u32 */
	SHRIKE_A_CGROUP_FD,	/* u32 */
	SHRIKE_A_PID,		/* u32 */
	SHRIKE_A_LEASES,	/* u32: SHRIKE_REQUIRE_* */
	SHRIKE_A_NATIVE,	/* SHRIKE_BITMAP_BYTES */
	SHRIKE_A_COMPAT,	/* SHRIKE_BITMAP_BYTES */
	SHRIKE_A_CGROUP_ID,	/* u64 */
	SHRIKE_A_PIDNS,		/* u32 */
	SHRIKE_A_RECORDED,	/* u64 x SHRIKE_TYPES */
	SHRIKE_A_LOST,		/* u64 x SHRIKE_TYPES */
	SHRIKE_A_LEASE,		/* struct shrike_lease */
	SHRIKE_A_COUNT,		/* u64 */
	SHRIKE_A_END
};

#define SHRIKE_FEATURE_EXEC_LEASE	0x1	/* mismatch kills */
#define SHRIKE_FEATURE_REFUSE		0x2	/* opens, connects and binds can be refused */
#define SHRIKE_FEATURE_EXEC_HOLD	0x4	/* SHRIKE_HOLD_EXEC; name and arguments of a program */

/* Kinds of leases */
#define SHRIKE_KIND_EXEC	0
#define SHRIKE_KIND_OPEN	1
#define SHRIKE_KIND_CONNECT	2
#define SHRIKE_KIND_BIND	3

#define SHRIKE_REQUIRE_EXEC		0x1
#define SHRIKE_REQUIRE_OPEN		0x2	/* every open but those for running a program */
#define SHRIKE_REQUIRE_CONNECT		0x4
#define SHRIKE_REQUIRE_BIND		0x8
#define SHRIKE_REQUIRE_OPEN_WRITE	0x10	/* opens for writing, or with O_TRUNC */
#define SHRIKE_REQUIRE_ALL		0x1f
#define SHRIKE_HOLD_EXEC		0x20

enum shrike_type {
	SHRIKE_SKIP,
	SHRIKE_LOSS,
	SHRIKE_FORK,
	SHRIKE_EXEC,
	SHRIKE_EXIT,
	SHRIKE_SYSCALL,
	SHRIKE_LEASE,
	SHRIKE_OPEN,
	SHRIKE_BPRM,
	SHRIKE_UNLINK,
	SHRIKE_RMDIR,
	SHRIKE_MKDIR,
	SHRIKE_MKNOD,
	SHRIKE_LINK,
	SHRIKE_RENAME,
	SHRIKE_SYMLINK,
	SHRIKE_CHMOD,
	SHRIKE_CHOWN,
	SHRIKE_TRUNCATE,
	SHRIKE_SETATTR,
	SHRIKE_MOUNT,
	SHRIKE_MOVE_MOUNT,
	SHRIKE_READ_FILE,
	SHRIKE_LOAD_DATA,
	SHRIKE_SOCKET,
	SHRIKE_CONNECT,
	SHRIKE_BIND,
	SHRIKE_LISTEN,
	SHRIKE_SENDMSG,
	SHRIKE_PTRACE,
	SHRIKE_KILL,
	SHRIKE_BPF,
	SHRIKE_USERNS,
	SHRIKE_TYPES
};

#define SHRIKE_F_NO_PATH	0x1	/* a path could not be told: too long, or out of reach */
#define SHRIKE_F_COMPAT		0x2	/* the task is in a 32-bit call */
#define SHRIKE_F_CUT		0x4	/* data is longer than what is here */
#define SHRIKE_F_GROUP		0x8	/* EXIT: the last thread of its process */

struct shrike_ring {
	__u32 abi;
	__u32 size;
	__u64 head;
	__u64 lost;
	__u8 pad[104];
	/* The reader's, on a cache line of its own */
	__u64 tail;
	__u32 waiting;
	__u8 pad2[52];
};

struct shrike_record {
	__u32 length;
	__u16 type;
	__u16 flags;
	__u64 time;		/* CLOCK_MONOTONIC, ns */
	__u64 seq;
	__u32 container;	/* INDEX */
	__s32 nr;		/* the call the task is in, without x32's bit; -1: none */
	__u32 tid, tgid;	/* initial pid namespace */
	__u32 vtid, vtgid;	/* the task's own */
	__u32 uid, euid, gid, egid;	/* initial user namespace */
	char comm[16];
};

struct shrike_loss {
	__u64 count;
	__u64 since;		/* CLOCK_MONOTONIC, ns: the first of them */
};

struct shrike_fork {
	__u32 tid, tgid;
	__u32 vtid, vtgid;
};

struct shrike_exit {
	__u32 status;		/* as wait(2) has it */
	__u32 pad;
};

struct shrike_call {
	__s64 ret;
	__u64 args[6];
};

struct shrike_path {
	__u64 dev;		/* as makedev(3) of major and minor */
	__u64 ino;
	__u64 arg;
	__u32 mode;
	__u32 flags;
	__u32 uid, gid;		/* the object's owner */
	__u16 path_len;
	__u16 path2_len;
	__u32 pad;
};

struct shrike_sock {
	__u64 ino;
	__u64 arg;
	__u16 family;
	__u16 type;		/* SOCK_* */
	__u16 protocol;
	__u16 addr_len;
};

struct shrike_value {
	__u64 v[4];
};

#define SHRIKE_LEASE_OBJECTS	4
#define SHRIKE_LEASE_DATA	256

struct shrike_lease {
	__u32 index;
	__u32 tid;		/* as the sender sees it */
	__u16 kind;
	__u16 data_len;		/* of an address, of a name, or of a name and arguments */
	__u32 arch;		/* AUDIT_ARCH_* of the call */
	__s32 nr;
	__u32 open_flags;	/* OPEN: those of O_ACCMODE, O_TRUNC, O_APPEND, O_CREAT the kernel has to see */
	__u64 ip;
	__u64 args[6];
	__u64 expires_ns;
	__s32 fd[SHRIKE_LEASE_OBJECTS];	/* -1: none */
	__s32 dir_fd;
	__u32 pad;
	__u8 data[SHRIKE_LEASE_DATA];
};

#ifdef __KERNEL__
#define SHRIKE_ASSERT_SIZE(s, n) static_assert(sizeof(struct s) == (n))
#elif defined(__cplusplus)
#define SHRIKE_ASSERT_SIZE(s, n) static_assert(sizeof(struct s) == (n), #s)
#else
#define SHRIKE_ASSERT_SIZE(s, n) _Static_assert(sizeof(struct s) == (n), #s)
#endif
SHRIKE_ASSERT_SIZE(shrike_ring, 192);
SHRIKE_ASSERT_SIZE(shrike_record, 80);
SHRIKE_ASSERT_SIZE(shrike_loss, 16);
SHRIKE_ASSERT_SIZE(shrike_fork, 16);
SHRIKE_ASSERT_SIZE(shrike_exit, 8);
SHRIKE_ASSERT_SIZE(shrike_call, 56);
SHRIKE_ASSERT_SIZE(shrike_path, 48);
SHRIKE_ASSERT_SIZE(shrike_sock, 24);
SHRIKE_ASSERT_SIZE(shrike_value, 32);
SHRIKE_ASSERT_SIZE(shrike_lease, 368);

#endif
