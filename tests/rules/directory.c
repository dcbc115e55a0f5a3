// SPDX-License-Identifier: Apache-2.0
/* A case's directory of rule files: "directory:", each file behind a line ">>> NAME". */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "case.h"

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* name may begin with one folder: "sub/x.yaml". */
static int write_one(const char *dir, struct shk_str name, struct shk_str text)
{
	const char *slash = memchr(name.p, '/', name.n);
	char path[512];
	int fd, r;

	snprintf(path, sizeof(path), "%s/%.*s", dir, slash ? (int)(slash - name.p) : 0, name.p);
	if (slash && mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/" SHK_STR_FMT, dir, SHK_STR_ARG(name));
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = shk_write_all(fd, text.p, text.n);
	close(fd);
	return r;
}

static int write_files(const char *dir, struct shk_str all)
{
	struct shk_str line, name = { NULL, 0 }, text = { all.p, 0 };
	unsigned n = 0;
	int r = 0;

	while (r == 0 && rc_next_line(&all, &n, &line)) {
		if (!shk_str_starts(line, SHK_STR(">>> ")))
			continue;
		text.n = (size_t)(line.p - text.p);
		if (name.p)
			r = write_one(dir, name, text);
		name = (struct shk_str){ line.p + 4, line.n - 4 };
		text.p = all.p;
	}
	text.n = (size_t)(all.p - text.p);
	return r == 0 && name.p ? write_one(dir, name, text) : r ? r : -EINVAL;
}

void rc_load_directory(struct rc_state *s, const struct rc_block *b)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = NULL;
	struct shk_err err = { 0 };

	if (asprintf(&dir, "%s/run-cases-XXXXXX", tmp ? tmp : "/tmp") < 0)
		return;
	if (!mkdtemp(dir)) {
		rc_problem(s, b->line, "%s: %s", dir, strerror(errno));
	} else {
		if (write_files(dir, b->text) < 0)
			rc_problem(s, b->line, "the files cannot be written");
		else if (shk_loader_add_path(s->l, dir, &err) < 0)
			s->not_read = true;
		nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	}
	free(dir);
}
