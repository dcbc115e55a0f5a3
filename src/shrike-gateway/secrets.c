// SPDX-License-Identifier: Apache-2.0
#include "shrike-gateway/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"

#define FILE_MAX (256u << 10)

/* Relative names are credentials of the service (systemd.exec(5)), which are the service's alone as they are. */
static int path_of(const char *name, char *path, size_t size, struct shk_err *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (name[0] == '/')
		n = snprintf(path, size, "%s", name);
	else if (dir && dir[0] == '/')
		n = snprintf(path, size, "%s/%s", dir, name);
	else
		return shk_err_set(err, ENOENT, "credential %s: the service has none; add LoadCredential=%s:FILE to "
				   "its unit, or name a file by its absolute path", name, name);
	return n > 0 && (size_t)n < size ? 0 : shk_err_set(err, ENAMETOOLONG, "%s: path too long", name);
}

static int read_secret(const char *name, struct shk_str *ret, bool is_secret, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	_cleanup_close_ int fd = -1;
	char path[4096];
	struct stat st;
	int rc;

	if (!name)
		return 0;
	rc = path_of(name, path, sizeof(path), err);
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return shk_err_sys(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return shk_err_set(err, EINVAL, "%s is no regular file", path);
	if (is_secret && (st.st_mode & (S_IROTH | S_IWOTH)))
		return shk_err_set(err, EPERM, "%s: everybody can read or change this secret; chmod 0600 it, and use "
				   "another secret", path);
	shk_buf_init(&b, FILE_MAX);
	rc = shk_read_all(fd, &b, err);
	if (rc < 0)
		return shk_err_prefix(err, "%s", path);
	while (is_secret && b.n && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
		b.n--;
	if (!b.n)
		return shk_err_set(err, EINVAL, "%s is empty", path);
	if (memchr(b.p, 0, b.n))
		return shk_err_set(err, EINVAL, "%s: a NUL byte cannot be", path);
	b.p[b.n] = 0;
	*ret = (struct shk_str){ TAKE_PTR(b.p), b.n };
	return 0;
}

static int read_line(const char *name, char **ret, struct shk_err *err)
{
	struct shk_str s = { 0 };
	int rc = read_secret(name, &s, true, err);

	if (rc < 0 || !s.p)
		return rc;
	*ret = (char *)(uintptr_t)s.p;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20)
			return shk_err_set(err, EINVAL, "%s: one line is expected", name);
	return 0;
}

static int check_headers(const char *lines, struct shk_err *err)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n"), name = strcspn(lines, ":");

		if (!name || name >= n || memchr(lines, ' ', name) || memchr(lines, '\r', n))
			return shk_err_set(err, EINVAL, "a header is 'Name: value', one a line");
		lines += n + (lines[n] == '\n');
	}
	return 0;
}

static int read_headers(const struct shk_network_config *cfg, struct shk_secrets *ret, struct shk_err *err)
{
	struct shk_str more = { 0 };
	const char *plain = cfg->headers ? cfg->headers : "";
	int rc = read_secret(cfg->headers_file, &more, true, err);

	if (rc < 0)
		return rc;
	if (asprintf(&ret->headers, "%s%s%s", plain, *plain && more.p ? "\n" : "", more.p ? more.p : "") < 0) {
		ret->headers = NULL;
		rc = shk_err_set(err, ENOMEM, "out of memory");
	}
	if (more.p)
		explicit_bzero((char *)(uintptr_t)more.p, more.n);
	free((char *)(uintptr_t)more.p);
	return rc < 0 ? rc : check_headers(ret->headers, err);
}

static int check_url(const struct shk_secrets *s, const char *file, struct shk_err *err)
{
	if (!file || !strncmp(s->url, "https://", 8) || !strncmp(s->url, "http://", 7))
		return 0;
	return shk_err_set(err, EINVAL, "%s: an address that begins with https:// or http:// is expected", file);
}

int shk_secrets_read(const struct shk_network_config *cfg, struct shk_secrets *ret, struct shk_err *err)
{
	int rc = 0;

	*ret = (struct shk_secrets){ 0 };
	if (cfg->url_file)
		rc = read_line(cfg->url_file, &ret->url, err);
	else if (!(ret->url = strdup(cfg->url)))
		rc = shk_err_set(err, ENOMEM, "out of memory");
	if (rc == 0)
		rc = check_url(ret, cfg->url_file, err);
	if (rc == 0)
		rc = read_line(cfg->token_file, &ret->token, err);
	if (rc == 0)
		rc = read_line(cfg->password_file, &ret->password, err);
	if (rc == 0)
		rc = read_headers(cfg, ret, err);
	if (rc == 0)
		rc = read_secret(cfg->ca_file, &ret->ca, false, err);
	if (rc == 0)
		rc = read_secret(cfg->cert_file, &ret->cert, false, err);
	if (rc == 0)
		rc = read_secret(cfg->key_file, &ret->key, true, err);
	if (rc < 0)
		shk_secrets_done(ret);
	return rc;
}

#define PART_MIN 6 /* shorter parts of an address are no secrets, and in many texts by chance */

static bool has(struct shk_str text, const char *p, size_t n)
{
	return n && memmem(text.p, text.n, p, n);
}

/* Name and password in front of the host, parts of the path and of the query: each alone, as an answer may have them
 * with other signs between. */
static bool has_part_of(struct shk_str text, const char *url)
{
	const char *p = strstr(url, "://"), *end;

	p = p ? p + 3 : url;
	end = p + strcspn(p, "/?");
	for (const char *at = memchr(p, '@', (size_t)(end - p)); at; at = NULL)
		if (has(text, p, (size_t)(at - p)))
			return true;
	while (*end) {
		p = end + 1;
		end = p + strcspn(p, "/?&=#");
		if ((size_t)(end - p) >= PART_MIN && has(text, p, (size_t)(end - p)))
			return true;
	}
	return false;
}

static bool has_value_of(struct shk_str text, const char *lines)
{
	while (*lines) {
		size_t n = strcspn(lines, "\n"), at = SHK_MIN(strcspn(lines, ":") + 1, n);

		at += strspn(lines + at, " \t");
		if (at < n && has(text, lines + at, n - at))
			return true;
		lines += n + (lines[n] == '\n');
	}
	return false;
}

bool shk_secrets_in(const struct shk_secrets *s, struct shk_str text)
{
	return (s->token && has(text, s->token, strlen(s->token))) ||
	       (s->password && has(text, s->password, strlen(s->password))) ||
	       (s->url && has_part_of(text, s->url)) || (s->headers && has_value_of(text, s->headers));
}

static void wipe(char *p)
{
	if (p)
		explicit_bzero(p, strlen(p));
	free(p);
}

void shk_secrets_done(struct shk_secrets *s)
{
	wipe(s->url);
	wipe(s->token);
	wipe(s->password);
	wipe(s->headers);
	wipe((char *)(uintptr_t)s->ca.p);
	wipe((char *)(uintptr_t)s->cert.p);
	wipe((char *)(uintptr_t)s->key.p);
	*s = (struct shk_secrets){ 0 };
}
