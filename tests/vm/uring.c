// SPDX-License-Identifier: Apache-2.0
#include "uring.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int uring_open(const char *path, unsigned n)
{
	struct io_uring_params p;
	struct io_uring_sqe *sqe;
	unsigned *tail, *array, *head, *mask;
	char *sq, *cq;
	int fd, res;

	memset(&p, 0, sizeof(p));
	fd = (int)syscall(SYS_io_uring_setup, 1, &p);
	if (fd < 0)
		return 1;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  IORING_OFF_CQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return 2;
	tail = (unsigned *)(void *)(sq + p.sq_off.tail);
	array = (unsigned *)(void *)(sq + p.sq_off.array);
	head = (unsigned *)(void *)(cq + p.cq_off.head);
	mask = (unsigned *)(void *)(cq + p.cq_off.ring_mask);
	array[0] = 0;
	while (n--) {
		memset(sqe, 0, sizeof(*sqe));
		sqe->opcode = IORING_OP_OPENAT;
		sqe->fd = AT_FDCWD;
		sqe->addr = (unsigned long)path;
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
			return 3;
		res = ((struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes))[*head & *mask].res;
		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
		if (res < 0)
			return 4;
		close(res);
	}
	close(fd);
	return 0;
}
