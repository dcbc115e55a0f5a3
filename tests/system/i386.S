/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the other ABI: renames a program, ends with the errno (0: it worked). */
	.section .rodata
from:	.asciz "/usr/bin/tool"
to:	.asciz "/usr/bin/evil"
	.text
	.globl _start
_start:
	movl $38, %eax		/* rename */
	movl $from, %ebx
	movl $to, %ecx
	int $0x80
	negl %eax
	movl %eax, %ebx
	movl $1, %eax		/* exit */
	int $0x80
	.section .note.GNU-stack, "", @progbits
