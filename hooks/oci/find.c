// SPDX-License-Identifier: Apache-2.0
#include "find.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/io.h"

/* As execvp does when there is no PATH. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* 0: can be executed and is another program than this one. */
static int usable(const char *path)
{
	struct stat st, self;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return -EACCES;
	if (stat("/proc/self/exe", &self) == 0 && self.st_dev == st.st_dev &&
	    self.st_ino == st.st_ino)
		return -ELOOP;
	return 0;
}

/* The first of the directories of PATH that has it; malloc'ed or NULL. Empty members mean the current directory,
 * which is never the place of a runtime. */
static char *in_path(const char *name)
{
	const char *p = getenv("PATH");

	if (!p || !*p)
		p = DEFAULT_PATH;
	while (*p) {
		size_t n = strcspn(p, ":");
		char *full = NULL;

		if (n && p[0] == '/' && asprintf(&full, "%.*s/%s", (int)n, p, name) >= 0) {
			if (usable(full) == 0)
				return full;
			free(full);
		}
		p += n + (p[n] == ':');
	}
	return NULL;
}

/* Someone named it: an error is his. A name without slash is looked up in PATH. */
static int named(const char *who, const char *name, char **ret, struct shk_err *err)
{
	int r;

	if (strchr(name, '/')) {
		*ret = strdup(name);
		if (!*ret)
			return shk_err_set(err, ENOMEM, "out of memory");
		r = usable(*ret);
	} else {
		*ret = in_path(name);
		r = *ret ? 0 : -ENOENT;
	}
	if (r == 0)
		return 0;
	free(*ret);
	*ret = NULL;
	if (r == -ELOOP)
		return shk_err_set(err, ELOOP, "%s names %s, which is this wrapper itself; "
				   "name runc or crun there", who, name);
	return shk_err_set(err, -r, "%s names %s, which %s; name an installed runc or crun there",
			   who, name, r == -ENOENT ? "does not exist" : "cannot be executed");
}

/* 1: the file names none or does not exist. */
static int from_file(const char *file, char **ret, struct shk_err *err)
{
	_cleanup_buf_ struct shk_buf b;
	struct shk_err e = { 0 };
	char *line;
	int r;

	shk_buf_init(&b, 8192);
	r = shk_read_file(file, &b, &e);
	if (r == -ENOENT || r == -ENOTDIR)
		return 1;
	if (r < 0)
		return shk_err_set(err, -r, "%s; make it readable, or delete it", e.text);
	if (!b.n)
		return 1;
	line = b.p + strspn(b.p, " \t\n");
	line[strcspn(line, "\n")] = '\0';
	for (size_t n = strlen(line); n && (line[n - 1] == ' ' || line[n - 1] == '\t' ||
					    line[n - 1] == '\r'); n--)
		line[n - 1] = '\0';
	return *line ? named(file, line, ret, err) : 1;
}

int shk_find_runtime(const char *option, const char *file, char **ret, struct shk_err *err)
{
	static const char *const usual[] = { "runc", "crun" };
	const char *env = getenv("SHRIKE_RUNTIME");
	int r;

	if (option)
		return named("--shrike-runtime", option, ret, err);
	if (env && *env)
		return named("SHRIKE_RUNTIME", env, ret, err);
	r = from_file(file, ret, err);
	if (r <= 0)
		return r;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(usual); i++) {
		*ret = in_path(usual[i]);
		if (*ret)
			return 0;
	}
	return shk_err_set(err, ENOENT, "neither runc nor crun is in PATH; install one, or name it in %s",
			   file);
}
