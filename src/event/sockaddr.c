// SPDX-License-Identifier: Apache-2.0
#include "event/sockaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "event/tlex.h"

/* "HOST:PORT", with brackets around an IPv6 host. */
static bool host_port(struct shk_str s, bool brackets, char host[64], in_port_t *port)
{
	size_t i = s.n;
	uint64_t v;

	while (i && s.p[i - 1] != ':')
		i--;
	if (i < 2 || !shk_tlex_number((struct shk_str){ s.p + i, s.n - i }, false, &v) || v > 65535)
		return false;
	s.n = i - 1;
	if (brackets) {
		if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']')
			return false;
		s.p++;
		s.n -= 2;
	}
	if (s.n >= 64 || memchr(s.p, '\0', s.n))
		return false;
	memcpy(host, s.p, s.n);
	host[s.n] = '\0';
	*port = htons((uint16_t)v);
	return true;
}

static size_t encode_unix(struct shk_str text, unsigned char *out)
{
	sa_family_t family = AF_UNIX;
	size_t n = sizeof(family) + text.n;

	if (text.n >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return 0;
	memcpy(out, &family, sizeof(family));
	if (text.n)
		memcpy(out + sizeof(family), text.p, text.n);
	/* An abstract name begins with NUL and ends with the address; none at all is an unnamed one. */
	if (text.n && text.p[0] != '\0')
		out[n++] = '\0';
	return n;
}

size_t shk_sockaddr_encode(enum shk_sockaddr_form form, struct shk_str text, size_t size,
			   unsigned char out[SHK_SOCKADDR_MAX])
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	char host[64];
	size_t n = 0;

	memset(out, 0, SHK_SOCKADDR_MAX);
	switch (form) {
	case SHK_SOCKADDR_INET:
		if (!host_port(text, false, host, &in.sin_port) ||
		    inet_pton(AF_INET, host, &in.sin_addr) != 1)
			return 0;
		n = sizeof(in);
		memcpy(out, &in, n);
		break;
	case SHK_SOCKADDR_INET6:
		if (!host_port(text, true, host, &in6.sin6_port) ||
		    inet_pton(AF_INET6, host, &in6.sin6_addr) != 1)
			return 0;
		n = sizeof(in6);
		memcpy(out, &in6, n);
		break;
	case SHK_SOCKADDR_UNIX:
		n = encode_unix(text, out);
		break;
	}
	return n && size > n ? SHK_MIN(size, (size_t)SHK_SOCKADDR_MAX) : n;
}

static void print_unix(struct shk_str path, struct shk_buf *b)
{
	/* Up to the terminator; an abstract name is all of it. */
	if (path.n && path.p[0] != '\0')
		path.n = strnlen(path.p, path.n);
	shk_buf_addstr(b, path);
}

bool shk_sockaddr_print(struct shk_str bytes, struct shk_buf *out)
{
	static const char *const words[] = { "inet", "inet6", "unix" };
	unsigned char again[SHK_SOCKADDR_MAX];
	enum shk_sockaddr_form form;
	_cleanup_buf_ struct shk_buf b;
	struct sockaddr_in6 in6 = { 0 };
	struct sockaddr_in in = { 0 };
	char host[INET6_ADDRSTRLEN];
	sa_family_t family;
	size_t n;

	shk_buf_init(&b, 256);
	if (bytes.n < sizeof(family) || bytes.n > SHK_SOCKADDR_MAX)
		return false;
	memcpy(&family, bytes.p, sizeof(family));
	if (family == AF_INET && bytes.n >= sizeof(in)) {
		form = SHK_SOCKADDR_INET;
		memcpy(&in, bytes.p, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host));
		shk_buf_printf(&b, "%s:%u", host, ntohs(in.sin_port));
	} else if (family == AF_INET6 && bytes.n >= sizeof(in6)) {
		form = SHK_SOCKADDR_INET6;
		memcpy(&in6, bytes.p, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host));
		shk_buf_printf(&b, "[%s]:%u", host, ntohs(in6.sin6_port));
	} else if (family == AF_UNIX) {
		form = SHK_SOCKADDR_UNIX;
		print_unix((struct shk_str){ bytes.p + sizeof(family), bytes.n - sizeof(family) }, &b);
	} else {
		return false;
	}
	if (b.failed)
		return false;
	n = shk_sockaddr_encode(form, shk_buf_view(&b), bytes.n, again);
	if (n != bytes.n || memcmp(again, bytes.p, n) != 0)
		return false;
	shk_buf_adds(out, words[form]);
	shk_quote(shk_buf_view(&b), out);
	return true;
}
