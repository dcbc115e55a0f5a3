// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "sources/kmod/kmod_impl.h"

/* libnl has numbers of its own for errors; these are the kernel's it hides behind them. */
static int as_errno(int nl)
{
	switch (nl < 0 ? -nl : nl) {
	case 0:
		return 0;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_RANGE:
		return -ERANGE;
	case NLE_INVAL:
		return -EINVAL;
	default:
		return -EIO;
	}
}

/* An answer of the kernel as it is, without libnl's translation. */
struct answer {
	int error;	/* -errno of the acknowledgement */
	bool done;
	int (*take)(struct nlattr **a, void *ctx);
	void *ctx;
};

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct answer *a = arg;

	(void)from;
	a->error = e->error;
	a->done = true;
	return NL_STOP;
}

static int on_ack(struct nl_msg *m, void *arg)
{
	struct answer *a = arg;

	(void)m;
	a->done = true;
	return NL_STOP;
}

static int on_valid(struct nl_msg *m, void *arg)
{
	struct nlattr *attrs[SHRIKE_A_END];
	struct answer *a = arg;

	if (genlmsg_parse(nlmsg_hdr(m), 0, attrs, SHRIKE_A_END - 1, NULL) < 0) {
		a->error = -EBADMSG;
		return NL_SKIP;
	}
	if (a->take)
		a->error = a->take(attrs, a->ctx);
	return NL_OK;
}

/* Sends, frees the message, and reads until the acknowledgement. */
static int transact(struct shk_kmod *k, struct nl_msg *m, int (*take)(struct nlattr **a, void *ctx), void *ctx)
{
	struct answer a = { .take = take, .ctx = ctx };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int e;

	if (!cb) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, &a);
	nl_cb_set(cb, NL_CB_ACK, NL_CB_CUSTOM, on_ack, &a);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_ack, &a);
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, &a);
	e = nl_send_auto(k->ask, m);
	nlmsg_free(m);
	while (e >= 0 && !a.done)
		e = nl_recvmsgs(k->ask, cb);
	nl_cb_put(cb);
	return a.error ? a.error : e < 0 ? as_errno(e) : 0;
}

static struct nl_msg *message(struct shk_kmod *k, uint8_t cmd, int flags, size_t room)
{
	struct nl_msg *m = nlmsg_alloc_size(NLMSG_ALIGN(room + 4096));

	if (m && !genlmsg_put(m, NL_AUTO_PORT, NL_AUTO_SEQ, k->family, 0, flags, cmd, SHRIKE_GENL_VERSION)) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

static int take_version(struct nlattr **a, void *ctx)
{
	struct shk_kmod_facts *f = ctx;

	if (!a[SHRIKE_A_ABI] || !a[SHRIKE_A_FEATURES] || !a[SHRIKE_A_CLASSES] || !a[SHRIKE_A_RINGS] ||
	    !a[SHRIKE_A_RING_SIZE] || !a[SHRIKE_A_RELEASE])
		return -EBADMSG;
	f->abi = nla_get_u32(a[SHRIKE_A_ABI]);
	f->features = nla_get_u64(a[SHRIKE_A_FEATURES]);
	f->classes = nla_get_u64(a[SHRIKE_A_CLASSES]);
	f->rings = nla_get_u32(a[SHRIKE_A_RINGS]);
	f->ring_size = nla_get_u32(a[SHRIKE_A_RING_SIZE]);
	nla_strlcpy(f->release, a[SHRIKE_A_RELEASE], sizeof(f->release));
	return 0;
}

static int connect_sockets(struct shk_kmod *k, struct shk_err *err)
{
	int e;

	k->ask = nl_socket_alloc();
	k->listen = nl_socket_alloc();
	if (!k->ask || !k->listen)
		return shk_err_set(err, ENOMEM, "no memory for netlink sockets");
	e = genl_connect(k->ask);
	if (e >= 0)
		e = genl_connect(k->listen);
	if (e < 0)
		return shk_err_set(err, -as_errno(e), "cannot open a netlink socket: %s", nl_geterror(e));
	k->family = genl_ctrl_resolve(k->ask, SHRIKE_GENL_NAME);
	if (k->family < 0)
		return shk_err_set(err, ENOENT, "the kernel module shrike is not loaded");
	k->group = genl_ctrl_resolve_grp(k->ask, SHRIKE_GENL_NAME, SHRIKE_GENL_GROUP);
	/* News have no sequence of ours, and are asked for only when there are some. */
	nl_socket_disable_seq_check(k->listen);
	if (k->group < 0 || nl_socket_set_nonblocking(k->listen) < 0)
		return shk_err_set(err, EPROTO, "the kernel module shrike has no news group");
	e = nl_socket_add_membership(k->listen, k->group);
	return e < 0 ? shk_err_sys(err, -as_errno(e), "the kernel module shrike does not let us listen") : 0;
}

int shk_kmod_open(struct shk_kmod **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_kmod_closep) struct shk_kmod *k = calloc(1, sizeof(*k));
	struct nl_msg *m;
	int e;

	if (!k)
		return shk_err_set(err, ENOMEM, "no memory");
	k->device = -1;
	e = connect_sockets(k, err);
	if (e)
		return e;
	m = message(k, SHRIKE_CMD_VERSION, 0, 0);
	e = m ? transact(k, m, take_version, &k->facts) : -ENOMEM;
	if (e)
		return shk_err_sys(err, -e, "cannot ask the kernel module shrike for its version");
	if (k->facts.abi != SHRIKE_ABI)
		return shk_err_set(err, EPROTO,
				   "the kernel module shrike %s speaks protocol %u, this program %u: install the %s that belongs to the other",
				   k->facts.release, k->facts.abi, SHRIKE_ABI,
				   k->facts.abi < SHRIKE_ABI ? "module" : "program");
	*ret = TAKE_PTR(k);
	return 0;
}

struct shk_kmod *shk_kmod_close(struct shk_kmod *k)
{
	if (k) {
		shk_kmod_unmap(k);
		nl_socket_free(k->ask);
		nl_socket_free(k->listen);
		free(k);
	}
	return NULL;
}

const struct shk_kmod_facts *shk_kmod_facts(const struct shk_kmod *k)
{
	return &k->facts;
}

static int put_settings(struct nl_msg *m, const struct shk_kmod_scope *s)
{
	if (nla_put_u32(m, SHRIKE_A_INDEX, s->index) || nla_put_u64(m, SHRIKE_A_CLASSES, s->classes) ||
	    nla_put_u32(m, SHRIKE_A_LEASES, s->leases) ||
	    (s->native && nla_put(m, SHRIKE_A_NATIVE, SHRIKE_BITMAP_BYTES, s->native)) ||
	    (s->compat && nla_put(m, SHRIKE_A_COMPAT, SHRIKE_BITMAP_BYTES, s->compat)))
		return -EMSGSIZE;
	return 0;
}

static int add(struct shk_kmod *k, const struct shk_kmod_scope *s, struct shk_err *err)
{
	struct nl_msg *m = message(k, SHRIKE_CMD_ADD, 0, 0);
	int e;

	if (!m)
		return shk_err_set(err, ENOMEM, "no memory");
	e = put_settings(m, s) || nla_put_u32(m, SHRIKE_A_ABI, SHRIKE_ABI) ||
	    (s->cgroup_fd >= 0 && nla_put_u32(m, SHRIKE_A_CGROUP_FD, (uint32_t)s->cgroup_fd)) ||
	    (s->pid > 0 && nla_put_u32(m, SHRIKE_A_PID, (uint32_t)s->pid));
	if (e) {
		nlmsg_free(m);
		return shk_err_set(err, EMSGSIZE, "no room in a message to the kernel module");
	}
	e = transact(k, m, NULL, NULL);
	return e ? shk_err_sys(err, -e, "the kernel module does not watch container %u", s->index) : 0;
}

/* While probes of earlier containers are being taken off none is taken. That is over in a moment, but for busy machines. */
int shk_kmod_add(struct shk_kmod *k, const struct shk_kmod_scope *s, struct shk_err *err)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	int e = add(k, s, err);

	for (int i = 0; i < 50 && e == -EAGAIN && !s->at_once; i++) {
		nanosleep(&moment, NULL);
		e = add(k, s, err);
	}
	return e;
}

int shk_kmod_set(struct shk_kmod *k, const struct shk_kmod_scope *s, struct shk_err *err)
{
	struct nl_msg *m = message(k, SHRIKE_CMD_SET, 0, 0);
	int e;

	if (!m)
		return shk_err_set(err, ENOMEM, "no memory");
	if (put_settings(m, s)) {
		nlmsg_free(m);
		return shk_err_set(err, EMSGSIZE, "no room in a message to the kernel module");
	}
	e = transact(k, m, NULL, NULL);
	return e ? shk_err_sys(err, -e, "the kernel module does not change what it records of container %u", s->index) : 0;
}

/* A command that has nothing but an index. */
static int by_index(struct shk_kmod *k, uint8_t cmd, uint32_t index, int (*take)(struct nlattr **a, void *ctx), void *ctx)
{
	struct nl_msg *m = message(k, cmd, 0, 0);

	if (!m)
		return -ENOMEM;
	if (nla_put_u32(m, SHRIKE_A_INDEX, index)) {
		nlmsg_free(m);
		return -EMSGSIZE;
	}
	return transact(k, m, take, ctx);
}

int shk_kmod_remove(struct shk_kmod *k, uint32_t index, struct shk_err *err)
{
	int e = by_index(k, SHRIKE_CMD_REMOVE, index, NULL, NULL);

	return e ? shk_err_sys(err, -e, "the kernel module cannot let go of container %u", index) : 0;
}

static int take_counts(struct nlattr **a, void *ctx)
{
	struct shk_kmod_counts *c = ctx;

	if (!a[SHRIKE_A_RECORDED] || !a[SHRIKE_A_LOST] || nla_len(a[SHRIKE_A_RECORDED]) != sizeof(c->recorded) ||
	    nla_len(a[SHRIKE_A_LOST]) != sizeof(c->lost))
		return -EBADMSG;
	memcpy(c->recorded, nla_data(a[SHRIKE_A_RECORDED]), sizeof(c->recorded));
	memcpy(c->lost, nla_data(a[SHRIKE_A_LOST]), sizeof(c->lost));
	return 0;
}

int shk_kmod_counts(struct shk_kmod *k, uint32_t index, struct shk_kmod_counts *ret, struct shk_err *err)
{
	int e = by_index(k, SHRIKE_CMD_STATS, index, take_counts, ret);

	return e ? shk_err_sys(err, -e, "the kernel module has no counts of container %u", index) : 0;
}

struct listing {
	uint32_t *ret;
	size_t n, max;
};

static int take_entry(struct nlattr **a, void *ctx)
{
	struct listing *l = ctx;

	if (!a[SHRIKE_A_INDEX])
		return -EBADMSG;
	if (l->n < l->max)
		l->ret[l->n++] = nla_get_u32(a[SHRIKE_A_INDEX]);
	return 0;
}

int shk_kmod_list(struct shk_kmod *k, uint32_t *ret, size_t max, struct shk_err *err)
{
	struct listing l = { .ret = ret, .max = max };
	struct nl_msg *m = message(k, SHRIKE_CMD_LIST, NLM_F_DUMP, 0);
	int e = m ? transact(k, m, take_entry, &l) : -ENOMEM;

	return e ? shk_err_sys(err, -e, "the kernel module does not say what it watches") : (int)l.n;
}

struct looking {
	uint32_t index;
	bool found;
	struct shk_kmod_watched *ret;
};

static int take_watched(struct nlattr **a, void *ctx)
{
	struct looking *l = ctx;

	if (!a[SHRIKE_A_INDEX] || !a[SHRIKE_A_PIDNS] || !a[SHRIKE_A_LEASES])
		return -EBADMSG;
	if (nla_get_u32(a[SHRIKE_A_INDEX]) != l->index)
		return 0;
	l->found = true;
	l->ret->by_ns = nla_get_u32(a[SHRIKE_A_PIDNS]) != 0;
	l->ret->leases = nla_get_u32(a[SHRIKE_A_LEASES]);
	return 0;
}

int shk_kmod_look_up(struct shk_kmod *k, uint32_t index, struct shk_kmod_watched *ret, struct shk_err *err)
{
	struct looking l = { .index = index, .ret = ret };
	struct nl_msg *m = message(k, SHRIKE_CMD_LIST, NLM_F_DUMP, 0);
	int e = m ? transact(k, m, take_watched, &l) : -ENOMEM;

	if (e == 0 && !l.found)
		e = -ENOENT;
	return e ? shk_err_sys(err, -e, "the kernel module does not say how it watches container %u", index) : 0;
}

int shk_kmod_lease(struct shk_kmod *k, const struct shrike_lease *l, unsigned n, struct shk_err *err)
{
	struct nl_msg *m = message(k, SHRIKE_CMD_LEASE, 0, n * (sizeof(*l) + 16));
	int e;

	if (!m)
		return shk_err_set(err, ENOMEM, "no memory");
	for (unsigned i = 0; i < n; i++)
		if (nla_put(m, SHRIKE_A_LEASE, sizeof(*l), &l[i])) {
			nlmsg_free(m);
			return shk_err_set(err, EMSGSIZE, "no room for %u leases in a message", n);
		}
	e = transact(k, m, NULL, NULL);
	return e ? shk_err_sys(err, -e, "the kernel module refuses a lease") : 0;
}

int shk_kmod_news_fd(const struct shk_kmod *k)
{
	return nl_socket_get_fd(k->listen);
}

struct heard {
	struct shk_kmod_news *news;
	bool something;
};

static int on_news(struct nl_msg *m, void *arg)
{
	struct nlattr *a[SHRIKE_A_END];
	struct heard *h = arg;
	const struct genlmsghdr *g = nlmsg_data(nlmsg_hdr(m));

	if (genlmsg_parse(nlmsg_hdr(m), 0, a, SHRIKE_A_END - 1, NULL) < 0)
		return NL_SKIP;
	*h->news = (struct shk_kmod_news){ .gone = g->cmd == SHRIKE_CMD_GONE };
	if (a[SHRIKE_A_INDEX])
		h->news->index = nla_get_u32(a[SHRIKE_A_INDEX]);
	if (a[SHRIKE_A_COUNT])
		h->news->lost = nla_get_u64(a[SHRIKE_A_COUNT]);
	h->something = true;
	return NL_STOP;
}

int shk_kmod_news(struct shk_kmod *k, struct shk_kmod_news *ret)
{
	struct heard h = { .news = ret };
	int e;

	nl_socket_modify_cb(k->listen, NL_CB_VALID, NL_CB_CUSTOM, on_news, &h);
	e = nl_recvmsgs_default(k->listen);
	if (h.something)
		return 1;
	return e == -NLE_NOMEM ? -ENOBUFS : 0;
}
