// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>

#include "state/descriptor.h"

bool shk_sockaddr_ip(struct shk_str sa, struct shk_ip *ret_ip, uint16_t *ret_port)
{
	static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	sa_family_t family;

	if (sa.n < sizeof(family))
		return false;
	memcpy(&family, sa.p, sizeof(family));
	if (family == AF_INET && sa.n >= sizeof(in)) {
		memcpy(&in, sa.p, sizeof(in));
		ret_ip->len = 4;
		memcpy(ret_ip->b, &in.sin_addr, 4);
		*ret_port = ntohs(in.sin_port);
		return true;
	}
	/* The kernel takes an address without the scope id (SIN6_LEN_RFC2133). */
	if (family != AF_INET6 || sa.n < offsetof(struct sockaddr_in6, sin6_scope_id))
		return false;
	memset(&in6, 0, sizeof(in6));
	memcpy(&in6, sa.p, SHK_MIN(sa.n, sizeof(in6)));
	*ret_port = ntohs(in6.sin6_port);
	if (memcmp(&in6.sin6_addr, mapped, sizeof(mapped)) == 0) {
		ret_ip->len = 4;
		memcpy(ret_ip->b, (const char *)&in6.sin6_addr + sizeof(mapped), 4);
		return true;
	}
	ret_ip->len = 16;
	memcpy(ret_ip->b, &in6.sin6_addr, 16);
	return true;
}

bool shk_sockaddr_unix(struct shk_str sa, struct shk_arena *arena, struct shk_str *ret)
{
	sa_family_t family;
	struct shk_str path;
	char *p;

	if (sa.n <= sizeof(family))
		return false;
	memcpy(&family, sa.p, sizeof(family));
	if (family != AF_UNIX)
		return false;
	path = (struct shk_str){ sa.p + sizeof(family), sa.n - sizeof(family) };
	path.n = SHK_MIN(path.n, sizeof(((struct sockaddr_un *)0)->sun_path));
	/* A path ends at its NUL, an abstract name with its length. */
	if (path.p[0]) {
		path.n = strnlen(path.p, path.n);
		*ret = shk_arena_str(arena, path);
		return ret->p != NULL;
	}
	p = shk_arena_strndup(arena, path.p, path.n);
	if (!p)
		return false;
	p[0] = '@';
	*ret = (struct shk_str){ p, path.n };
	return true;
}

/* Decimal, without a NUL; the end. */
static char *print_number(char *p, unsigned n)
{
	char digits[10];
	unsigned k = 0;

	do
		digits[k++] = (char)('0' + n % 10);
	while (n /= 10);
	while (k)
		*p++ = digits[--k];
	return p;
}

size_t shk_ip_text(const struct shk_ip *ip, char text[INET6_ADDRSTRLEN])
{
	char *p = text;

	text[0] = 0;
	if (ip->len == 16)
		return inet_ntop(AF_INET6, ip->b, text, INET6_ADDRSTRLEN) ? strlen(text) : 0;
	for (unsigned i = 0; i < ip->len; i++) {
		p = print_number(p, ip->b[i]);
		*p++ = '.';
	}
	if (p > text)
		*--p = 0;
	return (size_t)(p - text);
}

void shk_ip_port_print(const struct shk_ip *ip, uint16_t port, struct shk_buf *out)
{
	char text[INET6_ADDRSTRLEN + sizeof(":65535")];
	char *end = text + shk_ip_text(ip, text);

	*end++ = ':';
	end = print_number(end, port);
	shk_buf_add(out, text, (size_t)(end - text));
}
