// SPDX-License-Identifier: Apache-2.0
#include "rewrite.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>

/* 1: changed, 0: it was so before. */
static int put_section(struct json_object *config, struct json_object *seccomp, struct shk_err *err)
{
	struct json_object *lin = shk_json_object(config, "linux"), *old, *other = NULL;

	if (!lin) {
		if (json_object_object_get_ex(config, "linux", &other) && other)
			return shk_err_set(err, EBADMSG, "\"linux\" of config.json is no object; "
					   "make the bundle anew");
		lin = json_object_new_object();
		if (!lin || json_object_object_add(config, "linux", lin) < 0)
			return shk_err_set(err, ENOMEM, "out of memory");
	}
	if (json_object_object_get_ex(lin, "seccomp", &old) && json_object_equal(old, seccomp))
		return 0;
	if (json_object_object_add(lin, "seccomp", json_object_get(seccomp)) < 0)
		return shk_err_set(err, ENOMEM, "out of memory");
	return 1;
}

/* The new content beside the old, with its owner and mode. */
static int write_beside(const char *tmp, const struct stat *st, struct shk_str text,
			struct shk_err *err)
{
	_cleanup_close_ int fd = -1;
	int r;

	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return shk_err_sys(err, errno, "cannot write %s; make the bundle's directory writable",
				   tmp);
	if ((st->st_uid != geteuid() || st->st_gid != getegid()) &&
	    fchown(fd, st->st_uid, st->st_gid) < 0)
		return shk_err_sys(err, errno, "cannot give %s the owner of the file it replaces; "
				   "run as that user or as root", tmp);
	if (fchmod(fd, st->st_mode & 07777) < 0)
		return shk_err_sys(err, errno, "mode of %s", tmp);
	r = shk_write_all(fd, text.p, text.n);
	if (r < 0)
		return shk_err_sys(err, -r, "cannot write %s; free space on that file system", tmp);
	return 0;
}

int shk_oci_rewrite_seccomp(const char *path, struct json_object *config,
			    struct json_object *seccomp, struct shk_err *err)
{
	_cleanup_free_ char *real = NULL, *tmp = NULL;
	struct shk_str text;
	struct stat st;
	int r;

	r = put_section(config, seccomp, err);
	if (r <= 0)
		return r;
	/* A link stays a link: the file behind it is replaced. */
	real = realpath(path, NULL);
	if (!real || stat(real, &st) < 0)
		return shk_err_sys(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return shk_err_set(err, EINVAL, "%s is no regular file; make the bundle anew", path);
	text.p = json_object_to_json_string_length(
		config, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &text.n);
	if (!text.p || asprintf(&tmp, "%s.shrike-%d", real, (int)getpid()) < 0) {
		tmp = NULL;
		return shk_err_set(err, ENOMEM, "out of memory");
	}
	/* Left by a wrapper of the same number that was killed; nobody else makes this name. */
	unlink(tmp);
	r = write_beside(tmp, &st, text, err);
	if (r == 0 && rename(tmp, real) < 0)
		r = shk_err_sys(err, errno, "cannot replace %s; make the bundle's directory writable",
				real);
	if (r < 0)
		unlink(tmp);
	return r;
}
