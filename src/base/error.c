// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

int shk_err_set(struct shk_err *err, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		err->errnum = errnum;
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
	}
	return -errnum;
}

int shk_err_sys(struct shk_err *err, int errnum, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (err) {
		err->errnum = errnum;
		va_start(ap, fmt);
		vsnprintf(err->text, sizeof(err->text), fmt, ap);
		va_end(ap);
		n = strlen(err->text);
		snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(errnum));
	}
	return -errnum;
}

int shk_err_prefix(struct shk_err *err, const char *fmt, ...)
{
	char old[SHK_ERR_TEXT_MAX];
	va_list ap;
	size_t n;

	if (!err)
		return -EIO;
	memcpy(old, err->text, sizeof(old));
	old[sizeof(old) - 1] = 0;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	n = strlen(err->text);
	snprintf(err->text + n, sizeof(err->text) - n, ": %s", old);
	return -err->errnum;
}

const char *shk_errno_name(int errnum)
{
	return strerrorname_np(errnum);
}

int shk_errno_value(const char *name)
{
	/* 4095 is MAX_ERRNO of include/linux/err.h; no name lies above 133 today. */
	for (int i = 1; i < 256; i++) {
		const char *n = strerrorname_np(i);

		if (n && !strcmp(n, name))
			return i;
	}
	/* Second names of one number. */
	if (!strcmp(name, "EWOULDBLOCK"))
		return EWOULDBLOCK;
	if (!strcmp(name, "ENOTSUP"))
		return ENOTSUP;
	return -1;
}
