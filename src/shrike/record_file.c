// SPDX-License-Identifier: Apache-2.0
#include "shrike/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "event/text.h"

#define SIZE_DEFAULT (1ull << 30)
#define SIZE_MIN     4096u

static void put_line(struct shk_record_file *r, struct shk_str line)
{
	if (r->full || r->error)
		return;
	if (r->size + line.n > r->max) {
		r->full = true;
		return;
	}
	if (fwrite(line.p, 1, line.n, r->f) != line.n)
		r->error = errno ? errno : EIO;
	r->size += line.n;
	r->events += shk_str_starts(line, SHK_STR("event "));
}

void shk_recfile_text(struct shk_record_file *r, struct shk_str s)
{
	while (s.n) {
		const char *nl = memchr(s.p, '\n', s.n);
		size_t n = nl ? (size_t)(nl - s.p) + 1 : s.n;

		shk_buf_add(&r->part, s.p, n);
		s.p += n;
		s.n -= n;
		if (!nl)
			continue;
		if (r->part.failed) /* longer than a line may be */
			r->lost++;
		else
			put_line(r, shk_buf_view(&r->part));
		shk_buf_reset(&r->part);
	}
}

void shk_recfile_note(struct shk_record_file *r, const char *what)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "# %s\n", what);

	put_line(r, (struct shk_str){ line, (size_t)n });
}

void shk_recfile_lost(struct shk_record_file *r, uint64_t n)
{
	char note[64];

	snprintf(note, sizeof(note), "%llu events were lost here", (unsigned long long)n);
	shk_recfile_note(r, note);
	r->lost += n;
}

void shk_recfile_cut(struct shk_record_file *r)
{
	shk_buf_reset(&r->part);
}

void shk_recfile_flush(struct shk_record_file *r)
{
	if (!r->error && fflush(r->f) != 0)
		r->error = errno;
}

/* "4096", "64K", "1G"; 0: none of these. */
static uint64_t size_of(const char *text)
{
	static const char units[] = "KMG";
	struct shk_str s = shk_str(text);
	const char *unit = s.n ? strchr(units, s.p[s.n - 1]) : NULL;
	unsigned shift = unit && *unit ? (unsigned)(unit - units + 1) * 10 : 0;
	uint64_t v;

	s.n -= shift ? 1 : 0;
	return shk_str_to_u64(s, &v) && v <= UINT64_MAX >> 1 >> shift ? v << shift : 0;
}

int shk_recfile_open(struct shk_record_file *r, const struct shk_cli *c, const char *path, const char *size)
{
	int fd, e;

	*r = (struct shk_record_file){ .path = path, .max = size ? size_of(size) : SIZE_DEFAULT };
	if (r->max < SIZE_MIN)
		return shk_cli_usage(c, "%s: --max-size takes a number of at least %u, with K, M or G, not \"%.32s\"",
				     c->cmd->name, SIZE_MIN, size);
	/* What programs are called with is nobody else's business. */
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r->f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!r->f) {
		e = errno;
		shk_close(&fd);
		return shk_cli_fail(SHK_EXIT_FAILED, "%s: %s", path, strerror(e));
	}
	(void)fchmod(fd, 0600);
	shk_buf_init(&r->part, SHK_TEXT_LINE_MAX);
	put_line(r, SHK_STR(SHK_TEXT_HEAD "\n"));
	return 0;
}

int shk_recfile_close(struct shk_record_file *r, int code)
{
	shk_buf_done(&r->part);
	if (fclose(r->f) != 0 && !r->error)
		r->error = errno;
	if (code == SHK_EXIT_OK && r->error)
		code = shk_cli_fail(SHK_EXIT_FAILED, "%s: %s", r->path, strerror(r->error));
	if (code != SHK_EXIT_OK)
		return code;
	fprintf(stderr, "%s: %llu events, %llu bytes%s\n", r->path, (unsigned long long)r->events,
		(unsigned long long)r->size, r->full ? ", full" : "");
	if (r->lost)
		return shk_cli_fail(SHK_EXIT_FINDING, "%llu events were lost: they came faster than they could be "
				    "written", (unsigned long long)r->lost);
	return SHK_EXIT_OK;
}
