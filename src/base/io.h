/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io.h - files, sockets and descriptors without the usual traps.
 *
 * All descriptors made here are close-on-exec. EINTR is retried. Sizes are bounded by the caller.
 */
#ifndef SHK_BASE_IO_H
#define SHK_BASE_IO_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"

/* Reads a whole file (AT_FDCWD-relative path) into b; -EFBIG past b->limit. */
int shk_read_file(const char *path, struct shk_buf *b, struct shk_err *err);
/* Reads fd to its end into b; -EFBIG past b->limit. */
int shk_read_all(int fd, struct shk_buf *b, struct shk_err *err);
/* Writes everything or fails with -errno. */
int shk_write_all(int fd, const void *p, size_t n);
/* Writes a text to a file of the directory that is there already, and no link. 0 or -errno. */
int shk_write_at(int dir, const char *name, const char *text);

#define SHK_MAX_FDS 8
/* sendmsg with descriptors (SCM_RIGHTS) and MSG_NOSIGNAL. Returns bytes sent or -errno. */
ssize_t shk_send_fds(int sock, const void *p, size_t n, const int *fds, size_t nfds);
/* recvmsg with MSG_CMSG_CLOEXEC. *nfds: in: room in fds (<= SHK_MAX_FDS), out: received; surplus
 * descriptors are closed. Returns bytes, 0 at end of stream, or -errno. flags: e.g. MSG_DONTWAIT. */
ssize_t shk_recv_fds(int sock, void *p, size_t n, int *fds, size_t *nfds, int flags);

/* A listening Unix socket (SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK) at path with mode; a stale socket
 * file is replaced; the parent directory must exist (shk_mkdirs). Returns fd or -errno. */
int shk_listen_unix(const char *path, unsigned mode, struct shk_err *err);
/* Connects a SOCK_STREAM socket. Returns fd or -errno. */
int shk_connect_unix(const char *path, struct shk_err *err);
/* As above, waiting at most timeout_ms while the listener's backlog is full (-ETIMEDOUT). */
int shk_connect_unix_within(const char *path, int timeout_ms, struct shk_err *err);

#define SHK_PROC_PATH 64
/* "/proc/PID/WHAT" (cut, if it does not fit) and "/proc/self/fd/N" in buf, which they return. Without printf, whose instructions would
 * be most of what a reading costs. */
const char *shk_proc_path(char buf[SHK_PROC_PATH], pid_t pid, const char *what);
const char *shk_fd_path(char buf[SHK_PROC_PATH], int fd);

/* pidfd_open(2), pidfd_getfd(2), pidfd_send_signal(2): result or -errno. */
int shk_pidfd_open(pid_t pid, unsigned flags);
int shk_pidfd_getfd(int pidfd, int fd);
int shk_pidfd_signal(int pidfd, int sig);
/* Number of a namespace of the task ("mnt", "pid", ...); 0: it is gone, or out of reach. */
ino_t shk_ns_of(pid_t pid, const char *which);

/* Nanoseconds: CLOCK_MONOTONIC, CLOCK_REALTIME. */
uint64_t shk_now_mono(void);
/* The same as of the last tick, up to 10 ms ago: for a fifth of the cost. */
uint64_t shk_now_coarse(void);
uint64_t shk_now_real(void);
uint64_t shk_now_boot(void); /* as start times of processes: since boot, with the time the machine was suspended */

/* mkdir -p of a directory, mode for those created. 0 or -errno. */
int shk_mkdirs(const char *path, unsigned mode);

#endif
