/* SPDX-License-Identifier: Apache-2.0 */
/*
 * has_i386.h - does this kernel take int $0x80? One without 32 bit emulation ends who tries it (SIGSEGV), so a child does.
 * To be asked first by one thread; what it said is kept.
 */
#ifndef SHK_TESTS_HAS_I386_H
#define SHK_TESTS_HAS_I386_H

#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool has_i386(void)
{
	static int known = -1;
	pid_t pid;
	int st = 1;

	if (known >= 0)
		return known;
	pid = fork();
	if (pid == 0) {
		long r;

		__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "cc", "r8", "r9", "r10", "r11"); /* getpid */
		_exit(r > 0 ? 0 : 1);
	}
	while (pid > 0 && waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	known = st == 0;
	return known;
}

#endif
