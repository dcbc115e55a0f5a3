// SPDX-License-Identifier: Apache-2.0
#include "uring.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int uring_make(struct uring *u)
{
	struct io_uring_params p;
	char *sq, *cq;

	memset(&p, 0, sizeof(p));
	u->fd = (int)syscall(SYS_io_uring_setup, 1, &p);
	if (u->fd < 0)
		return 1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED, u->fd,
		  IORING_OFF_CQ_RING);
	u->sqe = mmap(NULL, sizeof(*u->sqe), PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || u->sqe == MAP_FAILED)
		return 2;
	u->tail = (unsigned *)(void *)(sq + p.sq_off.tail);
	u->head = (unsigned *)(void *)(cq + p.cq_off.head);
	u->mask = *(unsigned *)(void *)(cq + p.cq_off.ring_mask);
	u->cqe = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
	*(unsigned *)(void *)(sq + p.sq_off.array) = 0;
	return 0;
}

int uring_open_one(struct uring *u, const char *path)
{
	int res;

	memset(u->sqe, 0, sizeof(*u->sqe));
	u->sqe->opcode = IORING_OP_OPENAT;
	u->sqe->fd = AT_FDCWD;
	u->sqe->addr = (unsigned long)path;
	__atomic_store_n(u->tail, *u->tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return 3;
	res = u->cqe[*u->head & u->mask].res;
	__atomic_store_n(u->head, *u->head + 1, __ATOMIC_RELEASE);
	if (res < 0)
		return 4;
	close(res);
	return 0;
}

int uring_open(const char *path, unsigned n)
{
	struct uring u;
	int r = uring_make(&u);

	while (!r && n--)
		r = uring_open_one(&u, path);
	if (u.fd >= 0)
		close(u.fd);
	return r;
}
