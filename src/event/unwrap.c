// SPDX-License-Identifier: Apache-2.0
/*
 * unwrap.c - i386 socketcall(2) and ipc(2): one number for many calls.
 *
 * socketcall's arguments are an array in memory (net/socket.c), ipc's are its own registers in another
 * order (ipc/syscall.c).
 */
#include <errno.h>

#include "event/event.h"

struct inner {
	enum shk_call_id id;
	uint8_t n;	   /* socketcall: words in the array; ipc: 0 */
	uint8_t from[5];   /* ipc: register each argument is taken from */
};

#define NO_CALL SHK_CALL_N

/* Index: enum of include/uapi/linux/net.h, SYS_SOCKET = 1. send and recv are the same calls without an
 * address. */
static const struct inner socket_calls[] = {
	{ .id = NO_CALL },
	{ SHK_CALL_socket, 3, { 0 } },
	{ SHK_CALL_bind, 3, { 0 } },
	{ SHK_CALL_connect, 3, { 0 } },
	{ SHK_CALL_listen, 2, { 0 } },
	{ SHK_CALL_accept, 3, { 0 } },
	{ SHK_CALL_getsockname, 3, { 0 } },
	{ SHK_CALL_getpeername, 3, { 0 } },
	{ SHK_CALL_socketpair, 4, { 0 } },
	{ SHK_CALL_sendto, 4, { 0 } },
	{ SHK_CALL_recvfrom, 4, { 0 } },
	{ SHK_CALL_sendto, 6, { 0 } },
	{ SHK_CALL_recvfrom, 6, { 0 } },
	{ SHK_CALL_shutdown, 2, { 0 } },
	{ SHK_CALL_setsockopt, 5, { 0 } },
	{ SHK_CALL_getsockopt, 5, { 0 } },
	{ SHK_CALL_sendmsg, 3, { 0 } },
	{ SHK_CALL_recvmsg, 3, { 0 } },
	{ SHK_CALL_accept4, 4, { 0 } },
	{ SHK_CALL_recvmmsg, 5, { 0 } },
	{ SHK_CALL_sendmmsg, 4, { 0 } },
};

/* Registers of ipc: 0 call, 1 first, 2 second, 3 third, 4 ptr, 5 fifth. */
static const struct inner ipc_calls[] = {
	[0] = { .id = NO_CALL },
	[1] = { SHK_CALL_semop, 0, { 1, 4, 2 } },
	[2] = { SHK_CALL_semget, 0, { 1, 2, 3 } },
	[3] = { SHK_CALL_semctl, 0, { 1, 2, 3, 4 } },
	[4] = { SHK_CALL_semtimedop, 0, { 1, 4, 2, 5 } },
	[5] = { .id = NO_CALL }, [6] = { .id = NO_CALL }, [7] = { .id = NO_CALL },
	[8] = { .id = NO_CALL }, [9] = { .id = NO_CALL }, [10] = { .id = NO_CALL },
	[11] = { SHK_CALL_msgsnd, 0, { 1, 4, 2, 3 } },
	[12] = { SHK_CALL_msgrcv, 0, { 1, 4, 2, 5, 3 } },
	[13] = { SHK_CALL_msgget, 0, { 1, 2 } },
	[14] = { SHK_CALL_msgctl, 0, { 1, 2, 4 } },
	[15] = { .id = NO_CALL }, [16] = { .id = NO_CALL }, [17] = { .id = NO_CALL },
	[18] = { .id = NO_CALL }, [19] = { .id = NO_CALL }, [20] = { .id = NO_CALL },
	[21] = { SHK_CALL_shmat, 0, { 1, 4, 2 } },
	[22] = { SHK_CALL_shmdt, 0, { 4 } },
	[23] = { SHK_CALL_shmget, 0, { 1, 2, 3 } },
	[24] = { SHK_CALL_shmctl, 0, { 1, 2, 4 } },
};

static const struct inner *inner_of(const struct shk_event *ev)
{
	const struct inner *in = NULL;

	if (!ev->call || ev->abi != SHK_ABI_I386)
		return NULL;
	if (ev->call->id == SHK_CALL_socketcall && ev->raw[0] < SHK_ARRAY_SIZE(socket_calls))
		in = &socket_calls[ev->raw[0]];
	/* The upper half of ipc's number is an interface version. */
	else if (ev->call->id == SHK_CALL_ipc && (ev->raw[0] & 0xffff) < SHK_ARRAY_SIZE(ipc_calls))
		in = &ipc_calls[ev->raw[0] & 0xffff];
	return in && in->id != NO_CALL ? in : NULL;
}

const struct shk_syscall *shk_event_effective_call(const struct shk_event *ev)
{
	const struct inner *in = inner_of(ev);

	return in ? &shk_syscalls[in->id] : ev->call;
}

int shk_event_unwrap(struct shk_event *ev)
{
	const struct inner *in = inner_of(ev);
	uint64_t raw[6] = { 0 };
	uint32_t words[6];

	if (!in) {
		bool wrapper = ev->call && (ev->call->id == SHK_CALL_socketcall ||
					    ev->call->id == SHK_CALL_ipc);

		return wrapper ? -EINVAL : 0;
	}
	if (in->n) {
		if (shk_event_read(ev, ev->raw[1], words, in->n * sizeof(words[0])) < 0)
			return -EFAULT;
		for (unsigned i = 0; i < in->n; i++)
			raw[i] = words[i];
	} else {
		for (unsigned i = 0; i < shk_syscalls[in->id].nargs; i++)
			raw[i] = ev->raw[in->from[i]];
	}
	memcpy(ev->raw, raw, sizeof(raw));
	ev->call = &shk_syscalls[in->id];
	ev->unwrapped = true;
	for (unsigned i = 0; i < SHK_ARRAY_SIZE(ev->arg); i++)
		ev->arg[i].state = SHK_ARG_UNREAD;
	ev->named.state = SHK_ARG_UNREAD;
	return 0;
}
