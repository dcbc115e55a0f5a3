// SPDX-License-Identifier: Apache-2.0
/*
 * Leases on their way to the module: two system calls, no memory taken, no library between.
 */
#include "sources/kmod/post.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sources/kmod/kmod_impl.h"

struct shk_kpost {
	int fd;
	uint16_t family;
	uint32_t seq;
};

struct order {
	struct nlmsghdr n;
	struct genlmsghdr g;
	struct nlattr a;
	struct shrike_lease l;
};

int shk_kpost_open(const struct shk_kmod *k, struct shk_kpost **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_kpost_closep) struct shk_kpost *p = calloc(1, sizeof(*p));
	const int on = 1;

	if (!p)
		return shk_err_set(err, ENOMEM, "no memory");
	p->family = (uint16_t)k->family;
	p->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (p->fd < 0)
		return shk_err_sys(err, errno, "cannot open a netlink socket");
	/* The order is not told back in an answer that refuses it. */
	(void)setsockopt(p->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	*ret = TAKE_PTR(p);
	return 0;
}

struct shk_kpost *shk_kpost_close(struct shk_kpost *p)
{
	if (p) {
		if (p->fd >= 0)
			close(p->fd);
		free(p);
	}
	return NULL;
}

/* The kernel has answered by the time that the order was sent: nothing is waited for. */
static int answer(const struct shk_kpost *p)
{
	for (unsigned i = 0; i < 64; i++) {
		struct {
			struct nlmsghdr n;
			struct nlmsgerr e;
			char rest[1024]; /* of a kernel that does not leave the order out */
		} a;
		ssize_t n = recv(p->fd, &a, sizeof(a), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -EIO : -errno;
		if ((size_t)n >= sizeof(a.n) + sizeof(a.e) && a.n.nlmsg_type == NLMSG_ERROR && a.n.nlmsg_seq == p->seq)
			return a.e.error > 0 ? -EBADMSG : a.e.error;
	}
	return -EIO;
}

int shk_kpost_lease(struct shk_kpost *p, const struct shrike_lease *l)
{
	struct order o = {
		.n = { .nlmsg_len = sizeof(o), .nlmsg_type = p->family, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK, .nlmsg_seq = ++p->seq },
		.g = { .cmd = SHRIKE_CMD_LEASE, .version = SHRIKE_GENL_VERSION },
		.a = { .nla_len = sizeof(o.a) + sizeof(o.l), .nla_type = SHRIKE_A_LEASE },
		.l = *l,
	};
	ssize_t n;

	do
		n = send(p->fd, &o, sizeof(o), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : answer(p);
}
