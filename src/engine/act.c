// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that are carried out for the caller, rather than let go on arguments it can still change.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/act.h"
#include "engine/internal.h"
#include "sources/notify/notify.h"

#define AGAIN_MAX 16 /* times that something was made under our hands */

static const struct shk_rule_info unable_rule = {
	.name = { "Shrike internal: call that cannot be carried out", 48 },
};

bool shk_act_landlock(void)
{
	static atomic_int found = -1; /* not looked yet */
	struct shk_buf b;

	if (atomic_load(&found) < 0) {
		shk_buf_init(&b, 4096);
		atomic_store(&found, shk_read_file("/sys/kernel/security/lsm", &b, NULL) < 0 || !b.n ||
					     strstr(b.p, "landlock") != NULL);
		shk_buf_done(&b);
	}
	return atomic_load(&found);
}

static bool emulated(const struct shk_worker *w, const struct shk_policy *p, const struct shk_plan *plan,
		     const struct shk_event *ev)
{
	/* A task that was attached to may have put a Landlock domain around itself before: we are in none, and would
	 * open what it may not (THREATS A3). Its calls are let go, as best-effort. */
	return p->mode == SHK_MODE_ENFORCE && plan && ev->call &&
	       plan->call[ev->call->id].enforced && shk_method_of(ev->call->id) == SHK_METHOD_EMULATE &&
	       !(w->l->attached && shk_act_landlock());
}

/* Calls whose arguments lie in memory and whose result nobody can hand over: a kernel from before they came says
 * ENOSYS, and programs use mount(2) then, which is carried out. What only looks at an object is let go. */
static bool replaced(const struct shk_policy *p, const struct shk_plan *plan, const struct shk_event *ev)
{
	return p->mode == SHK_MODE_ENFORCE && plan && ev->call && plan->call[ev->call->id].enforced &&
	       shk_method_of(ev->call->id) == SHK_METHOD_REFUSE;
}

static bool only_looks(const struct shk_event *ev)
{
	return ev->call->id == SHK_CALL_open_tree && !(shk_event_reg(ev, 2) & OPEN_TREE_CLONE);
}

/* A connect in another guise, with its address in memory and data behind it: programs fall back to connect. */
static bool fast_open(const struct shk_policy *p, const struct shk_plan *plan, const struct shk_event *ev)
{
	unsigned flags;

	if (p->mode != SHK_MODE_ENFORCE || !plan || !ev->call || !plan->call[SHK_CALL_connect].enforced)
		return false;
	switch (ev->call->id) {
	case SHK_CALL_sendto:
	case SHK_CALL_sendmmsg:
		flags = (unsigned)ev->raw[3];
		break;
	case SHK_CALL_sendmsg:
		flags = (unsigned)ev->raw[2];
		break;
	default:
		return false;
	}
	return flags & MSG_FASTOPEN;
}

/* The argument that is the address of a socket, or leads to it. */
static unsigned address_arg(enum shk_call_id id)
{
	return id == SHK_CALL_sendto ? 4 : 1;
}

static enum shk_pinned pin_kind(struct shk_worker *w, struct shk_eval_ctx *ctx, struct shk_act *a)
{
	enum shk_call_id id = ctx->ev->call->id;
	enum shk_pinned r;

	if (shk_socket_knows(id) || shk_send_knows(id)) {
		a->what = shk_send_knows(id) ? SHK_ACT_SEND : SHK_ACT_SOCKET;
		r = a->what == SHK_ACT_SEND ? shk_send_pin(w->actor, ctx, &a->socket, &a->message) :
					      shk_socket_pin(w->actor, ctx, &a->socket);
		ctx->held = SHK_MAX(a->socket.fd, 0);
		ctx->held_nr = (int)ctx->ev->raw[0];
		ctx->held_socket[0] = a->socket.domain;
		ctx->held_socket[1] = a->socket.type;
		ctx->held_socket[2] = a->socket.proto;
		a->names.object[address_arg(id)] = a->socket.name;
		a->err = a->socket.err;
		a->why = a->socket.why;
	} else if (shk_mounts_knows(id)) {
		a->what = SHK_ACT_MOUNTS;
		r = shk_mounts_pin(w->actor, ctx, &a->mounts);
		for (unsigned i = 0; i < a->mounts.n; i++)
			a->names.object[a->mounts.held[i].arg] = a->mounts.held[i].name;
		a->err = a->mounts.err;
		a->why = a->mounts.why;
	} else if (shk_paths_knows(id)) {
		a->what = SHK_ACT_PATHS;
		r = shk_paths_pin(w->actor, ctx, &a->paths);
		if (ctx->ev->call->arg[0].kind == SHK_ARG_FD && a->paths.n) {
			ctx->held = SHK_MAX(a->paths.held[0].pin.fd, 0);
			ctx->held_nr = (int)ctx->ev->raw[0];
		}
		for (unsigned i = 0; i < a->paths.n; i++)
			a->names.object[a->paths.held[i].arg] = a->paths.held[i].name;
		a->err = a->paths.err;
		a->why = a->paths.why;
	} else {
		a->what = SHK_ACT_OPEN;
		r = shk_open_pin(w->actor, ctx, &a->open);
		a->names.object[shk_event_path_arg(ctx->ev)] = a->open.name;
		a->err = a->open.err;
		a->why = a->open.why;
	}
	return r;
}

/* NULL, or why they cannot be told. */
static const char *add_names(struct shk_worker *w, struct shk_eval_ctx *ctx, struct shk_act *a, unsigned arg, int fd,
			     uint64_t mnt)
{
	struct shk_str name = a->names.object[arg], other[SHK_ALIASES_MAX];
	int n = name.p ? shk_aliases_of(w->actor->aliases, ctx, fd, mnt, name, other) : 0;

	for (int i = 0; i < n && a->names.n_alias < SHK_HELD_ALIASES; i++) {
		a->names.alias[a->names.n_alias].arg = arg;
		a->names.alias[a->names.n_alias++].name = other[i];
	}
	return n < 0 ? "the mounts of the container cannot be told" : NULL;
}

static const char *other_names(struct shk_worker *w, struct shk_eval_ctx *ctx, struct shk_act *a)
{
	const char *why = NULL;

	if (a->what == SHK_ACT_OPEN && shk_open_is_null(&a->open))
		return NULL;
	if (a->what == SHK_ACT_OPEN)
		return add_names(w, ctx, a, (unsigned)shk_event_path_arg(ctx->ev), a->open.pin.fd,
				 a->open.looked ? shk_actor_listed(w->actor, &a->open.sx) : 0);
	if (a->what == SHK_ACT_SOCKET || a->what == SHK_ACT_SEND)
		return add_names(w, ctx, a, address_arg(ctx->ev->call->id), a->socket.pin.fd, 0);
	/* A mount is in one place, and in those that share it; what it shows may be in several. */
	if (a->what == SHK_ACT_MOUNTS && (a->mounts.call == SHK_CALL_mount || a->mounts.call == SHK_CALL_move_mount) &&
	    a->mounts.n && a->mounts.held[0].name.p && shk_aliases_is_shared(w->actor->aliases, a->mounts.held[0].pin.fd))
		why = add_names(w, ctx, a, a->mounts.held[0].arg, a->mounts.held[0].pin.fd, 0);
	if (a->what == SHK_ACT_MOUNTS && a->mounts.n == 2 && a->mounts.call == SHK_CALL_mount && !why)
		return add_names(w, ctx, a, a->mounts.held[1].arg, a->mounts.held[1].pin.fd, 0);
	for (unsigned i = 0; a->what == SHK_ACT_PATHS && i < a->paths.n && !why; i++)
		why = add_names(w, ctx, a, a->paths.held[i].arg, a->paths.held[i].pin.fd, 0);
	return why;
}

static void let_go(struct shk_act *a)
{
	shk_open_done(&a->open);
	shk_paths_done(&a->paths);
	shk_socket_done(&a->socket);
	shk_send_done(&a->message);
	shk_mounts_done(&a->mounts);
}

/* Sockets have one if their address is of the Unix family. */
static bool has_paths(struct shk_event *ev)
{
	sa_family_t family = AF_UNSPEC;
	struct shk_str address;

	if (!shk_socket_knows(ev->call->id) && !shk_send_knows(ev->call->id))
		return true;
	if (!shk_event_sockaddr(ev, &address))
		return !shk_send_knows(ev->call->id);
	if (address.n >= sizeof(family))
		memcpy(&family, address.p, sizeof(family));
	return family == AF_UNIX;
}

static void no_names(struct shk_act *a)
{
	memset(a->names.object, 0, sizeof(a->names.object));
	a->names.n_alias = 0;
	a->names.given = false;
}

/* Nothing need be held of it yet, and it has the name given alone. */
static bool foresee(struct shk_worker *w, struct shk_eval_ctx *ctx, struct shk_act *a)
{
	enum shk_call_id id = ctx->ev->call->id;

	if (a->look || (id != SHK_CALL_openat && id != SHK_CALL_open) || shk_aliases_begin(w->actor->aliases, ctx) < 0 ||
	    !shk_open_foresee(w->actor, ctx, &a->open))
		return false;
	a->what = SHK_ACT_OPEN;
	a->names.given = true;
	return true;
}

bool shk_act_foreseen(const struct shk_act *a)
{
	return a->method == SHK_METHOD_EMULATE && a->what == SHK_ACT_OPEN && a->open.blind;
}

void shk_act_look(struct shk_act *a)
{
	a->look = true;
	a->open.blind = 0;
}

static void pin(struct shk_worker *w, const struct shk_call_slot *s, struct shk_eval_ctx *ctx, struct shk_act *a)
{
	bool paths = has_paths(ctx->ev);
	enum shk_pinned r;

	if (!w->actor)
		w->actor = shk_actor_new();
	if (!w->actor) {
		a->why = "out of memory";
		return;
	}
	w->actor->mounter = shk_rights_are_users() ? NULL : w->l->g->mounter;
	w->actor->container = ctx->ctr->key;
	w->actor->began = s->recv_mono_ns;
	w->actor->due = s->recv_mono_ns + atomic_load(&w->l->e->deadline_ns);
	no_names(a);
	a->open.again = a->socket.again = s->effect;
	a->paths.again = s->effect;
	a->mounts.again = s->effect;
	a->method = SHK_METHOD_EMULATE;
	if (foresee(w, ctx, a))
		return;
	for (unsigned i = 0;; i++) {
		/* Whoever changes mounts without end must not have calls let go for it; others never meet this. */
		if (i == AGAIN_MAX) {
			a->why = NULL;
			a->what = SHK_ACT_FAIL;
			a->err = EBUSY;
			ctx->ev->ret = -EBUSY;
			return;
		}
		if (paths && shk_aliases_begin(w->actor->aliases, ctx) < 0) {
			a->what = SHK_ACT_CONTINUE;
			a->why = "the mounts of the container cannot be told";
			return;
		}
		r = pin_kind(w, ctx, a);
		/* What fails by itself has no names. What nobody can act on may be so because a mount went away. */
		if (!paths || r == SHK_PINNED_ERROR || r == SHK_PINNED_HARMLESS)
			break;
		if (shk_aliases_hold(w->actor->aliases)) {
			a->why = r == SHK_PINNED_OBJECT ? other_names(w, ctx, a) : a->why;
			if (r != SHK_PINNED_OBJECT || !a->why || shk_aliases_hold(w->actor->aliases))
				break;
			a->why = NULL;
		}
		let_go(a);
		no_names(a);
	}
	switch (r) {
	case SHK_PINNED_OBJECT:
		if (!paths)
			a->why = other_names(w, ctx, a);
		if (a->why)
			a->what = SHK_ACT_CONTINUE;
		break;
	case SHK_PINNED_ERROR:
		a->what = SHK_ACT_FAIL;
		ctx->ev->ret = -a->err;
		no_names(a);
		break;
	case SHK_PINNED_HARMLESS:
		a->what = SHK_ACT_CONTINUE;
		a->method = SHK_METHOD_REGISTER;
		break;
	case SHK_PINNED_UNABLE:
		a->what = SHK_ACT_CONTINUE;
		break;
	}
}

/* By hand: most calls are not carried out, and all of it is some thousand bytes. */
void shk_act_init(struct shk_act *a)
{
	a->what = SHK_ACT_CONTINUE;
	a->method = SHK_METHOD_CONTINUE;
	a->fd = a->open.base = a->open.early = a->open.pin.fd = a->open.pin.dir = -1;
	a->socket.fd = a->socket.base = a->socket.pin.fd = a->socket.pin.dir = -1;
	a->paths.n = a->mounts.n = 0;
	a->message.read = false;
	a->message.n_rights = 0;
	a->mounts.ns = a->mounts.parent = -1;
	a->given = a->tell = a->look = false;
	a->open.blind = 0;
	a->tries = 0;
	a->why = NULL;
}

void shk_act_read(struct shk_worker *w, struct shk_event *ev, const struct shk_policy *p, const struct shk_plan *plan,
		  struct shk_act *a)
{
	if (ev->call && shk_send_knows(ev->call->id) && emulated(w, p, plan, ev))
		shk_send_read(ev, &a->message);
}

void shk_act_prepare(struct shk_worker *w, const struct shk_call_slot *s, struct shk_eval_ctx *ctx,
		     const struct shk_policy *p, const struct shk_plan *plan, struct shk_act *a)
{
	a->what = SHK_ACT_CONTINUE;
	a->method = SHK_METHOD_CONTINUE;
	a->why = NULL;
	if (fast_open(p, plan, ctx->ev)) {
		a->what = SHK_ACT_FAIL;
		a->err = EOPNOTSUPP;
		a->method = SHK_METHOD_REGISTER;
		return;
	}
	if (replaced(p, plan, ctx->ev)) {
		a->method = only_looks(ctx->ev) ? SHK_METHOD_REGISTER : SHK_METHOD_REFUSE;
		if (a->method == SHK_METHOD_REGISTER)
			return;
		a->what = SHK_ACT_FAIL;
		a->err = ENOSYS;
		ctx->ev->ret = -ENOSYS;
		return;
	}
	/* What the filter answers for a call has to be the answer for the same call inside another. */
	if (ctx->ev->unwrapped && plan && ctx->ev->call && plan->call[ctx->ev->call->id].what == SHK_PLAN_ERRNO) {
		a->method = SHK_METHOD_REFUSE;
		a->what = SHK_ACT_FAIL;
		a->err = plan->call[ctx->ev->call->id].err;
		ctx->ev->ret = -a->err;
		return;
	}
	if (!emulated(w, p, plan, ctx->ev))
		return;
	pin(w, s, ctx, a);
	if (a->why) {
		a->method = SHK_METHOD_CONTINUE;
		/* A user's supervisor would refuse all that a container with several users does, and much of /proc.
		 * For others who can make a call on mounts is decided by texts in memory. */
		if ((p->strict && (p->strict_said || !shk_rights_are_users())) ||
		    (shk_mounts_knows(ctx->ev->call->id) && !shk_rights_are_users()))
			a->what = SHK_ACT_UNABLE;
		a->tell = shk_limit_allow(w->l->g->limits, ctx->ctr, p, &unable_rule);
	}
}

bool shk_act_changes_nothing(const struct shk_act *a)
{
	if (a->method != SHK_METHOD_EMULATE || a->tell)
		return false;
	return a->what == SHK_ACT_FAIL || (a->what == SHK_ACT_OPEN && shk_open_changes_nothing(&a->open));
}

void shk_act_gone(struct shk_act *a)
{
	let_go(a);
	a->what = SHK_ACT_FAIL;
	a->method = SHK_METHOD_CONTINUE;
	a->err = ESRCH;
	a->tell = false;
}

/* Near its end a stream's wait comes to what was sent, while that can still be said. */
#define DUE_NS 30000000u

/* Most are sent without a wait, for which another worker would have to be there. */
static int send_out(struct shk_worker *w, const struct shk_call_slot *s, struct shk_act *a)
{
	ssize_t r = shk_send_do(w->actor, &a->socket, &a->message, 0);

	if (r == -EAGAIN && shk_send_waits(&a->socket, &a->message)) {
		if (shk_worker_waits(w))
			r = shk_send_do(w->actor, &a->socket, &a->message,
					s->recv_mono_ns + atomic_load(&w->l->e->deadline_ns) - DUE_NS);
		else
			r = -ENOBUFS; /* a socket that waits does not say EAGAIN */
		shk_worker_waited(w);
	}
	if (r == -EAGAIN && a->message.sent)
		r = (ssize_t)a->message.sent;
	if (shk_send_breaks(&a->socket, &a->message, r))
		(void)shk_signal_caller(w->l->fd, s, SIGPIPE);
	a->sent = r;
	return (int)SHK_MIN(r, 0);
}

/* Whoever marks mounts for the exec gate holds each of them for a moment, which makes it busy: once more while nobody marks. */
static int make_mount(struct shk_worker *w, const struct shk_call_slot *s, struct shk_act *a)
{
	struct shk_mounter *by = w->l->g->mounter;
	uint64_t due = s->recv_mono_ns + atomic_load(&w->l->e->deadline_ns);
	struct timespec until = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };
	int r;

	a->mounts.order.seconds = shk_actor_seconds(w->actor);
	r = shk_mounts_do(w->actor, by, &a->mounts);
	if (r != -EBUSY || a->mounts.order.op != SHK_MOUNT_UMOUNT ||
	    pthread_mutex_clocklock(&w->l->e->marks_turn, CLOCK_MONOTONIC, &until))
		return r;
	r = shk_mounts_do(w->actor, by, &a->mounts);
	pthread_mutex_unlock(&w->l->e->marks_turn);
	return r;
}

static int carry_out(struct shk_worker *w, const struct shk_call_slot *s, struct shk_act *a)
{
	switch (a->what) {
	case SHK_ACT_OPEN:
		return shk_open_do(w->actor, &a->open);
	case SHK_ACT_PATHS:
		return shk_paths_do(w->actor, &a->paths);
	case SHK_ACT_MOUNTS:
		return make_mount(w, s, a);
	case SHK_ACT_SEND:
		return send_out(w, s, a);
	default:
		return shk_socket_do(w->actor, &a->socket);
	}
}

static bool may_wait(const struct shk_act *a)
{
	if (a->what == SHK_ACT_MOUNTS)
		return !a->mounts.made;
	return a->what == SHK_ACT_OPEN ? shk_open_may_wait(&a->open) :
	       a->what == SHK_ACT_SOCKET && shk_socket_may_wait(&a->socket);
}

bool shk_act_do(struct shk_worker *w, struct shk_call_slot *s, struct shk_act *a)
{
	bool waits;
	int r;

	if (a->what == SHK_ACT_CONTINUE || a->what == SHK_ACT_FAIL || a->what == SHK_ACT_UNABLE)
		return true;
	if (shk_act_foreseen(a)) {
		a->fd = shk_open_blindly(w->actor, &a->open);
		if (a->fd < 0)
			shk_act_look(a);
		return a->fd >= 0;
	}
	/* A new engine must know that the effect may be there. */
	if (a->what == SHK_ACT_MOUNTS)
		s->effect = a->mounts.made ? s->effect : a->mounts.mark;
	else if (!s->effect)
		s->effect = a->what == SHK_ACT_OPEN  ? a->open.pin.missing :
			    a->what == SHK_ACT_PATHS ? shk_paths_effect(&a->paths) :
						       a->what == SHK_ACT_SEND ||
							       (!shk_socket_repeats(&a->socket) &&
								shk_socket_effect(&a->socket));
	waits = may_wait(a);
	r = waits && !shk_worker_waits(w) ? -EAGAIN : carry_out(w, s, a);
	if (waits)
		shk_worker_waited(w);
	if (r == -ESTALE && (a->what == SHK_ACT_OPEN || a->what == SHK_ACT_MOUNTS) && a->tries++ < AGAIN_MAX) {
		s->effect = 0;
		let_go(a);
		return false;
	}
	if (r < 0) {
		a->what = SHK_ACT_FAIL;
		a->err = r == -ESTALE ? EBUSY : -r;
	} else if (a->what == SHK_ACT_OPEN) {
		a->fd = r;
	}
	return true;
}

/*
 * Who gives a descriptor and the answer in one step closes its own when it is woken, which is some time after the caller has gone on: that
 * one may have closed it long since, and ended. So where somebody would notice it is two steps, and another change of tasks. Should the
 * engine die between them the next one sends the answer; a signal that ends the caller's wait there (without WAIT_KILLABLE_RECV) leaves
 * it a descriptor too many.
 */
static int give_and_forget(struct shk_worker *w, struct shk_call_slot *s, struct shk_act *a)
{
	int r = shk_notify_install(w->l->fd, s->notif.id, a->fd, a->open.flags & O_CLOEXEC);

	let_go(a);
	shk_close(&a->fd);
	if (r >= 0)
		shk_answer_value(w->l, s, r);
	return r;
}

void shk_act_forget(struct shk_act *a)
{
	if (!shk_act_foreseen(a))
		let_go(a);
	shk_close(&a->fd);
}

int shk_act_answer(struct shk_worker *w, struct shk_call_slot *s, struct shk_act *a)
{
	int r;

	/* Before the caller goes on: what is held makes a mount busy. */
	if (a->what != SHK_ACT_OPEN && (a->method == SHK_METHOD_EMULATE || a->why))
		let_go(a);
	if (a->what == SHK_ACT_FAIL)
		return a->err;
	if (a->what == SHK_ACT_UNABLE)
		return EACCES;
	if (a->what == SHK_ACT_PATHS || a->what == SHK_ACT_SOCKET || a->what == SHK_ACT_MOUNTS ||
	    a->what == SHK_ACT_SEND) {
		shk_answer_value(w->l, s, a->what == SHK_ACT_SEND ? a->sent : 0);
		a->given = true;
		return 0;
	}
	if (a->what != SHK_ACT_OPEN)
		return 0;
	r = shk_open_makes_busy(w->actor, &a->open) ? give_and_forget(w, s, a) :
						      shk_worker_give(w, s->notif.id, a->fd, a->open.flags & O_CLOEXEC);
	/* ENOENT: nobody waits any more. */
	a->given = r >= 0 || r == -ENOENT;
	return a->given ? 0 : -r;
}

/* The caller's next call waits for these. They are neighbours nearly always, and nobody else's are between them. */
static void close_both(int *pin, int *fd)
{
	if (*pin >= 0 && *fd == *pin + 1 && syscall(SYS_close_range, *pin, *fd, 0) == 0)
		*pin = *fd = -1;
}

void shk_act_done(struct shk_worker *w, const struct shk_event *ev, struct shk_act *a)
{
	if (a->tell)
		shk_tell(w->l->g, w->l->e, SHK_PRIO_WARNING, unable_rule.name.p, NULL,
			 "A call was %s, as nobody can carry it out for its caller: %s (call=%s tid=%d)",
			 a->what == SHK_ACT_UNABLE ? "refused" : "let through on arguments that can be exchanged",
			 a->why, ev->call ? ev->call->name : "unknown", (int)ev->tid);
	close_both(&a->open.pin.fd, &a->fd);
	shk_act_forget(a);
}
