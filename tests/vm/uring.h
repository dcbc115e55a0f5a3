/* SPDX-License-Identifier: Apache-2.0 */
/* uring.h - opens through a ring of io_uring, without a library. One thread. */
#ifndef URING_H
#define URING_H

struct io_uring_sqe;
struct io_uring_cqe;

struct uring {
	int fd;
	unsigned *tail, *head, mask;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
};

/* A ring that lives as long as the process. 0; else the step that failed. */
int uring_make(struct uring *u);

/* Opens path for reading, and closes it by a call. 0; else the step that failed. */
int uring_open_one(struct uring *u, const char *path);

/* The same n times, by a ring of its own. */
int uring_open(const char *path, unsigned n);

#endif
