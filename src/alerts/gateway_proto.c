// SPDX-License-Identifier: Apache-2.0
#include "alerts/gateway_proto.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

int shk_frame_parse(const void *packet, size_t n, struct shk_frame_head *head, struct shk_str *text)
{
	if (n < sizeof(*head))
		return -EBADMSG;
	memcpy(head, packet, sizeof(*head));
	if (head->magic != SHK_FRAME_MAGIC || head->op < SHK_FRAME_ALERT || head->op > SHK_FRAME_HELLO ||
	    head->len > SHK_FRAME_TEXT_MAX || head->len != n - sizeof(*head))
		return -EBADMSG;
	*text = (struct shk_str){ (const char *)packet + sizeof(*head), head->len };
	return 0;
}

int shk_frame_send(int fd, const struct shk_frame_head *head, struct shk_str text)
{
	struct shk_frame_head h = *head;
	struct iovec iov[] = { { &h, sizeof(h) }, { (void *)(uintptr_t)text.p, text.n } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t r;

	if (text.n > SHK_FRAME_TEXT_MAX)
		return -EMSGSIZE;
	h.magic = SHK_FRAME_MAGIC;
	h.len = (uint32_t)text.n;
	do
		r = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

uint64_t shk_frame_boot(const char *boot)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a: the same in every process */

	while (*boot)
		h = (h ^ (unsigned char)*boot++) * UINT64_C(0x100000001b3);
	return h;
}
