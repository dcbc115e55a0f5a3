/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscalls.h - the system call table: the single source of truth about calls.
 *
 * One row per call (src/syscalls/syscalls.tbl); from it are generated this table, number <-> name
 * per ABI, argument decoding, the seccomp filter's numbers, `shrike list syscalls` and the
 * documentation page. Everything here is constant data: no ownership, any thread.
 */
#ifndef SHK_SYSCALLS_SYSCALLS_H
#define SHK_SYSCALLS_SYSCALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* The ABIs a task of an x86_64 kernel can call through, and arm64 (column prepared). */
enum shk_abi { SHK_ABI_X86_64, SHK_ABI_I386, SHK_ABI_X32, SHK_ABI_ARM64, SHK_ABI_N };

/* Values of seccomp_data.arch (linux/audit.h). x32 shares AUDIT_ARCH_X86_64 and sets bit 30 of the
 * number (arch/x86/include/uapi/asm/unistd.h, __X32_SYSCALL_BIT). */
#define SHK_X32_BIT 0x40000000

enum shk_arg_kind {
	SHK_ARG_NONE,
	SHK_ARG_INT,	  /* signed, decimal */
	SHK_ARG_UINT,	  /* unsigned, decimal */
	SHK_ARG_HEX,	  /* address or opaque number */
	SHK_ARG_FD,	  /* descriptor of the caller */
	SHK_ARG_DIRFD,	  /* descriptor a following SHK_ARG_PATH is relative to (AT_FDCWD) */
	SHK_ARG_PATH,	  /* pointer to a NUL-terminated path; see dirfd_arg */
	SHK_ARG_STRING,	  /* pointer to other NUL-terminated text */
	SHK_ARG_STRVEC,	  /* pointer to a NULL-terminated vector of strings (argv, envp) */
	SHK_ARG_FLAGS,	  /* bit mask, printed by the flag list */
	SHK_ARG_ENUM,	  /* one of a list */
	SHK_ARG_MODE,	  /* file mode, octal */
	SHK_ARG_PID, SHK_ARG_UID, SHK_ARG_GID, SHK_ARG_SIGNAL,
	SHK_ARG_SOCKADDR, /* pointer; its length is the argument len_arg */
	SHK_ARG_OPEN_HOW, /* pointer to struct open_how; size is the argument len_arg */
	SHK_ARG_CLONE_ARGS, /* pointer to struct clone_args; size is len_arg */
	SHK_ARG_MSGHDR,	  /* pointer to struct msghdr */
	SHK_ARG_SIZE,	  /* byte count */
	SHK_ARG_PTR,	  /* pointer not followed */
};

struct shk_flag_list; /* flags.h */

struct shk_arg_desc {
	const char *name;	/* Falco's parameter name where the event has one (evt.arg.NAME) */
	enum shk_arg_kind kind;
	const struct shk_flag_list *flags; /* FLAGS, ENUM */
	int8_t dirfd_arg;	/* PATH: index of its DIRFD argument, -1: relative to cwd */
	int8_t len_arg;		/* SOCKADDR, OPEN_HOW, CLONE_ARGS: index of the length, else -1 */
	int8_t flags_arg;	/* PATH: index of the flags carrying AT_SYMLINK_NOFOLLOW or AT_EMPTY_PATH, -1 */
	bool wide;		/* the kernel takes the whole register; else an int: the upper half is ignored */
};

/* What a verdict about this call can rest on: SUPERVISION guarantees, docs/GUARANTEES. */
enum shk_verdict_class {
	SHK_VC_REGISTER,    /* registers alone decide: continuing is sound */
	SHK_VC_EMULATE,	    /* can be performed on our copy of the arguments */
	SHK_VC_VERIFY,	    /* exec: what was really loaded can be compared */
	SHK_VC_MEMORY,	    /* arguments in memory, no emulation: denying is sound, continuing races */
	SHK_VC_NONE,	    /* not meant to be notified (hot data path, or harmless) */
};

enum shk_rarity { SHK_RARE, SHK_COMMON, SHK_HOT };

enum shk_call_id {
#define SHK_CALL(id) SHK_CALL_##id,
#include "syscalls/call_ids.h" /* generated: one SHK_CALL(name) per row, table order */
#undef SHK_CALL
	SHK_CALL_N
};

struct shk_syscall {
	enum shk_call_id id;
	const char *name;	/* kernel name: "openat" */
	/* evt.type: "openat"; accept4 and accept keep Falco's words; the i386 variants of a call
	 * (chown32, *_time64) carry the word of the call, so that no rule is evaded through them */
	const char *evt_type;
	int32_t nr[SHK_ABI_N];	/* -1: does not exist there; x32 includes SHK_X32_BIT */
	uint8_t nargs;
	struct shk_arg_desc arg[6];
	enum shk_verdict_class vclass;
	enum shk_rarity rarity;
	bool dangerous;		/* refused or restricted by engines' default profiles */
	bool returns_fd;	/* success returns a new descriptor */
	const char *since;	/* kernel version text or "" */
};

/* All rows, SHK_CALL_N of them, index = id. */
extern const struct shk_syscall shk_syscalls[];

/* ABI of a seccomp_data (arch, nr), or -1 for an architecture not in enum shk_abi. */
int shk_abi_of(uint32_t audit_arch, int32_t nr);
const char *shk_abi_name(enum shk_abi abi);

/* Row by number: O(1). NULL: unknown call. */
const struct shk_syscall *shk_syscall_by_nr(enum shk_abi abi, int32_t nr);
/* Both: row of a seccomp_data (arch, nr). NULL: unknown architecture or call. */
const struct shk_syscall *shk_syscall_of(uint32_t audit_arch, int32_t nr);
/* Row by kernel name; NULL: unknown. */
const struct shk_syscall *shk_syscall_by_name(struct shk_str name);
/* Is it a valid evt.type word: a call's event name, kernel name, or another Falco event type? */
bool shk_evt_type_known(struct shk_str word);
/* Fills ids[] with the calls an evt.type word stands for; returns how many (0: unknown, or an event
 * that is no system call, e.g. "procexit"). room >= 8 is enough for every word. */
size_t shk_evt_type_calls(struct shk_str word, enum shk_call_id *ids, size_t room);
/* Kernel version whose headers the numbers are from: "6.1". */
extern const char shk_syscalls_kernel[];
/* Index of the argument called `name` in the row, or -1. */
int shk_syscall_arg(const struct shk_syscall *s, struct shk_str name);

#endif
