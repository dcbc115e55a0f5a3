/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockaddr.h - socket addresses as text: inet"10.0.0.1:80", inet6"[::1]:80", unix"/run/x".
 * For src/event only.
 */
#ifndef SHK_EVENT_SOCKADDR_H
#define SHK_EVENT_SOCKADDR_H

#include "base/str.h"

#define SHK_SOCKADDR_MAX 128 /* struct sockaddr_storage */

enum shk_sockaddr_form { SHK_SOCKADDR_INET, SHK_SOCKADDR_INET6, SHK_SOCKADDR_UNIX };

/* The bytes of an address; with `size` above their number, zeroes follow (programs pass the size of the whole
 * structure). 0: no such address. */
size_t shk_sockaddr_encode(enum shk_sockaddr_form form, struct shk_str text, size_t size,
			   unsigned char out[SHK_SOCKADDR_MAX]);
/* Prints the address if its text encodes to the same bytes again; else false, nothing printed. */
bool shk_sockaddr_print(struct shk_str bytes, struct shk_buf *out);

#endif
