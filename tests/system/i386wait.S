/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the other ABI that waits for ever. */
	.text
	.globl _start
_start:
	movl $29, %eax		/* pause */
	int $0x80
	jmp _start
	.section .note.GNU-stack, "", @progbits
