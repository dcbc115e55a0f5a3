/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event.h - the event record: one call (or process event) of one task.
 *
 * An event is born in a source (notify, replay, ...), lives on the evaluating thread and dies when
 * the pipeline is through with it. The header is filled by the source; arguments that lie in the
 * task's memory are read once, on the first question, through ev->mem, into ev->arena, and
 * judged from that copy ever after (THREATS B1: what was read is what is judged). Nothing is read,
 * decoded or looked up before somebody asks. Views returned stay valid until the arena is reset.
 * One thread per event; no locks.
 */
#ifndef SHK_EVENT_EVENT_H
#define SHK_EVENT_EVENT_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "syscalls/syscalls.h"

struct shk_container; /* state/container.h */
struct shk_event;

enum shk_sensor { SHK_SENSOR_NOTIFY, SHK_SENSOR_MODULE, SHK_SENSOR_PTRACE, SHK_SENSOR_REPLAY };
const char *shk_sensor_name(enum shk_sensor s);

enum shk_arg_state {
	SHK_ARG_UNREAD,	   /* not asked for yet */
	SHK_ARG_OK,
	SHK_ARG_NULL,	   /* the pointer is NULL */
	SHK_ARG_FAULT,	   /* memory could not be read */
	SHK_ARG_TRUNCATED, /* longer than the limit: ptr/len hold the beginning */
};

struct shk_strvec {
	struct shk_str *v;
	size_t n;
	bool truncated;
	bool in_row; /* known to lie one behind the other, each with a NUL behind it and none inside */
};

/* One argument as read. The register value is in ev->raw. */
struct shk_arg {
	enum shk_arg_state state;
	struct shk_str bytes;	 /* PATH, STRING: text without NUL; SOCKADDR, OPEN_HOW, ...: raw bytes */
	struct shk_strvec vec;	 /* STRVEC */
};

/* How to read the task's memory. Reads are all-or-prefix: returns bytes read (0..n) or -errno.
 * A reader for replay returns bytes from the file. */
struct shk_mem_ops {
	ssize_t (*read)(struct shk_event *ev, uint64_t addr, void *buf, size_t n);
};

#define SHK_PATH_LIMIT	   4096	 /* PATH_MAX incl. NUL: a longer path is ENAMETOOLONG in the kernel */
#define SHK_ARGV_LIMIT	   512	 /* strings read of an argv */
#define SHK_ARGV_BYTES	   32768 /* bytes read of an argv */

#define SHK_EVENT_PAGES	   8	 /* kept of an event's memory */

/* Of a file that is held, what was found when it was: basic stats and the mount's number, its name as links of /proc show it. */
struct statx;
struct shk_held_program {
	const struct statx *sx;
	const char *link;
};

struct shk_event {
	uint64_t num;	  /* evt.num, from 1, set by the pipeline */
	uint64_t time_ns; /* CLOCK_REALTIME */
	uint64_t first_ns, prev_ns; /* time of the source's first event and of the one before; 0: none */
	const struct shk_syscall *call; /* NULL: unknown call, see abi and nr */
	enum shk_abi abi;
	int32_t nr;
	enum shk_sensor sensor;
	bool attempt;	  /* not performed yet: ret is a supposition */
	bool has_ret;	  /* ret is meaningful (attempts: 0 / lowest descriptor, or certain -errno) */
	int64_t ret;
	pid_t tid;	  /* in the supervisor's pid namespace */
	pid_t pid;	  /* thread group, 0: not looked up yet */
	uint64_t raw[6];  /* registers; i386: zero-extended 32 bits */
	struct shk_arg arg[6]; /* lazily read */
	struct shk_arg named;  /* the address a message header points to: read once, as arguments are */
	struct shk_str data;   /* what the call sends, where that was taken before it is judged; p NULL: it was not */
	struct shk_container *ctr; /* NULL: host or unknown */
	const struct shk_mem_ops *mem; /* NULL: registers only */
	void *mem_ctx;	  /* the source's own */
	bool by_page;	  /* the arguments lie together: memory is read a page at a time, and kept */
	unsigned n_pages; /* read so far; those that are kept are in the arena */
	struct shk_page *page[SHK_EVENT_PAGES];
	struct shk_arena *arena; /* scratch of this event; borrowed */
	bool memory_failed; /* some argument was SHK_ARG_FAULT: policy on_unreadable_argument */
	bool unwrapped;	  /* call and raw are those inside socketcall or ipc: see shk_event_unwrap */
	const struct shk_held_program *program; /* of an execve: the file it names, held by whoever lets it go; NULL: none is */
	const struct shk_str *program_name; /* its name inside the container, if another than the file has; NULL: none */
	const struct shk_str *object; /* what each path argument leads to, p NULL: not known; NULL: none is */
	bool has_object;  /* the file that an open gave, as its source says: */
	uint64_t obj_dev, obj_ino; /* makedev(3) number, inode */
	int socket[3];	  /* SO_DOMAIN, SO_TYPE, SO_PROTOCOL of a socket whose descriptor the source does not know; domain 0: none */
};

/* Clears the record and sets what every event has. */
void shk_event_init(struct shk_event *ev, struct shk_arena *arena);

/* The call an i386 multiplexer stands for: socketcall -> connect, ..., ipc -> semop, ...; any other
 * event's own call. NULL: unknown call. Looks at registers only. */
const struct shk_syscall *shk_event_effective_call(const struct shk_event *ev);
/* Turns an event of a multiplexer into one of its inner call: call and raw are replaced (the arguments
 * of socketcall are read from memory, so they are no registers for a guarantee any more) and
 * `unwrapped` is set. To be called by the source before anybody asks for an argument. 0: done, or
 * nothing to do; -EFAULT (memory_failed is set) or -EINVAL: the event stays as it is. */
int shk_event_unwrap(struct shk_event *ev);

/* Register i as the kernel takes it for this call: an int loses its upper half, signed kinds are
 * extended. Whoever compares or prints an argument uses this, so that garbage in the upper half neither
 * hides a value nor makes another one of it. */
uint64_t shk_event_reg(const struct shk_event *ev, unsigned i);

static inline bool shk_event_is_exec(const struct shk_event *e)
{
	return e->call && (e->call->id == SHK_CALL_execve || e->call->id == SHK_CALL_execveat);
}

/* Number in the call of what is argument i of execve: path, argv, envp. */
static inline unsigned shk_exec_arg(const struct shk_event *e, unsigned i)
{
	return i + (e->call->id == SHK_CALL_execveat);
}

/* Bytes of a pointer in the task's memory: 4 for i386 and x32, else 8. */
static inline unsigned shk_event_ptr_size(const struct shk_event *ev)
{
	return ev->abi == SHK_ABI_I386 || ev->abi == SHK_ABI_X32 ? 4 : 8;
}

/* Reads n bytes at addr, page by page. n, or -EFAULT (memory_failed is set) when one is missing. */
ssize_t shk_event_read(struct shk_event *ev, uint64_t addr, void *buf, size_t n);

/* Is an argument of this kind read from memory when asked for? */
bool shk_arg_kind_follows(enum shk_arg_kind k);
/* The argument, read if need be. i out of range gives a static argument in state SHK_ARG_NULL. */
const struct shk_arg *shk_event_arg(struct shk_event *ev, unsigned i);
/* The argument by Falco's parameter name; ret_index may be NULL. NULL: this call has none. */
const struct shk_arg *shk_event_arg_by_name(struct shk_event *ev, struct shk_str name,
					    int *ret_index);

/* The path argument of the call that names its main object (open*: the file; rename: old path ...),
 * or -1. second: the other one (rename, link, symlink: new path), or -1. */
int shk_event_path_arg(const struct shk_event *ev);
int shk_event_path_arg2(const struct shk_event *ev);

/* open flags of open, openat, openat2 (read from open_how), creat (O_CREAT|O_WRONLY|O_TRUNC) and
 * open_by_handle_at. false: not an open, or the struct could not be read. */
bool shk_event_open_flags(struct shk_event *ev, uint64_t *ret_flags, uint64_t *ret_mode);
/* The address a call names: of connect, bind, sendto, and of sendmsg (through its msghdr). false: none
 * given, another call, or unreadable. */
bool shk_event_sockaddr(struct shk_event *ev, struct shk_str *ret);
/* open_how.resolve of openat2. false: another call, or unreadable. */
bool shk_event_open_resolve(struct shk_event *ev, uint64_t *ret);
/* clone flags of clone, clone3 (memory), fork, vfork, unshare, setns. false: another call. */
bool shk_event_clone_flags(struct shk_event *ev, uint64_t *ret_flags);

/* ---- text form: docs/EVENTS.md; text.c ---- */

/* Prints one event as one line (no newline at the end). Arguments never read print as registers. */
void shk_event_print(struct shk_event *ev, struct shk_buf *out);

#endif
