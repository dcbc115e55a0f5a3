// SPDX-License-Identifier: Apache-2.0
/* Where arguments lie, and calls by the numbers of i386. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../has_i386.h"
#include "native.h"

#define ROOM (1u << 20)

void *memory_of(const void *bytes, size_t n, bool at_end)
{
	static char *area;
	static size_t used;
	char *p;

	if (at_end) {
		size_t room = (n + 4095) / 4096 * 4096;

		p = mmap(NULL, room + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		if (p == MAP_FAILED || mprotect(p + room, 4096, PROT_NONE) < 0)
			broken("mmap");
		p += room - n;
	} else {
		if (!area)
			area = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
		if (area == MAP_FAILED || used + n > ROOM)
			broken("mmap");
		p = area + used;
		used += n + 16;
	}
	memcpy(p, bytes, n);
	return p;
}

long call_i386(long nr, const unsigned long *a)
{
	register unsigned long sixth __asm__("r12") = a[5];
	long r;

	if (!has_i386()) {
		errno = ENOSYS;
		return -1;
	}
	/* Past what the compiler keeps below the stack's end. */
	__asm__ volatile("sub $128, %%rsp; push %%rbp; mov %%r12, %%rbp; int $0x80; pop %%rbp; add $128, %%rsp"
			 : "=a"(r)
			 : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4]), "r"(sixth)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	r = (int)r;
	if (r >= 0 || r < -4095)
		return r;
	errno = (int)-r;
	return -1;
}
