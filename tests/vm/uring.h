/* SPDX-License-Identifier: Apache-2.0 */
/* uring.h - an open through a ring of io_uring, without a library. One thread. */
#ifndef URING_H
#define URING_H

/* Opens path for reading n times, one after the other, by one ring. 0; else the step that failed. */
int uring_open(const char *path, unsigned n);

#endif
