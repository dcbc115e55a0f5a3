// SPDX-License-Identifier: Apache-2.0
#include "shrike-gateway/segment.h"

#include <errno.h>
#include <sys/stat.h>

#define MAGIC 0x6b707368u

struct head {
	uint32_t magic, len;
	struct shk_spool_item item;
	uint64_t sum; /* of all before it, and of the text */
};

/* FNV-1a over words: half the spool is read at a start. */
static uint64_t sum_of(const struct head *h, const void *text, size_t n)
{
	const unsigned char *p[2] = { (const unsigned char *)h, text };
	size_t len[2] = { offsetof(struct head, sum), n };
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < 2; i++) {
		for (; len[i] >= 8; p[i] += 8, len[i] -= 8) {
			uint64_t w;

			memcpy(&w, p[i], 8);
			sum = (sum ^ w) * UINT64_C(0x100000001b3);
			sum ^= sum >> 29;
		}
		for (; len[i]; p[i]++, len[i]--)
			sum = (sum ^ *p[i]) * UINT64_C(0x100000001b3);
	}
	return sum;
}

size_t shk_record_size(size_t n)
{
	return sizeof(struct head) + n;
}

void shk_record_put(struct shk_buf *b, const struct shk_spool_item *it, struct shk_str text)
{
	struct head h = { .magic = MAGIC, .len = (uint32_t)text.n, .item = *it };

	h.sum = sum_of(&h, text.p, text.n);
	shk_buf_add(b, &h, sizeof(h));
	shk_buf_addstr(b, text);
}

ssize_t shk_record_get(const void *p, size_t n, struct shk_spool_item *it, struct shk_str *text)
{
	struct head h;

	if (n < sizeof(h))
		return 0;
	memcpy(&h, p, sizeof(h));
	if (h.magic != MAGIC || h.len > SHK_JOURNAL_ALERT_MAX || h.item.rank >= SHK_RANKS)
		return -EBADMSG;
	if (n - sizeof(h) < h.len)
		return 0;
	if (sum_of(&h, (const char *)p + sizeof(h), h.len) != h.sum)
		return -EBADMSG;
	*it = h.item;
	*text = (struct shk_str){ (const char *)p + sizeof(h), h.len };
	return (ssize_t)(sizeof(h) + h.len);
}

ssize_t shk_segment_read(const struct shk_segment *s, uint64_t off, struct shk_spool_item *it,
			 struct shk_buf *text)
{
	struct head h;
	ssize_t n;

	if (off >= s->size)
		return 0;
	n = pread(s->fd, &h, sizeof(h), (off_t)off);
	if (n != sizeof(h) || h.magic != MAGIC || h.len > SHK_JOURNAL_ALERT_MAX || h.item.rank >= SHK_RANKS)
		return n < 0 ? -errno : -EBADMSG;
	*it = h.item;
	if (text) {
		_cleanup_free_ char *p = malloc(h.len + 1);

		if (!p)
			return -ENOMEM;
		n = pread(s->fd, p, h.len, (off_t)(off + sizeof(h)));
		if (n != (ssize_t)h.len || sum_of(&h, p, h.len) != h.sum)
			return n < 0 ? -errno : -EBADMSG;
		shk_buf_reset(text);
		shk_buf_add(text, p, h.len);
		if (text->failed)
			return -ENOMEM;
	}
	return (ssize_t)(sizeof(h) + h.len);
}

void shk_segment_count(struct shk_segment *s, const struct shk_spool_item *it, size_t size)
{
	s->last = it->number;
	s->size += size;
	s->newest = SHK_MAX(s->newest, it->time);
	s->boot = it->boot;
	s->cookie = it->cookie;
	s->n++;
	s->of_rank[it->rank]++;
}

#define CHUNK	 (1u << 20)
#define FILE_MAX (256u << 20) /* far more than a segment has */

/* The first whole record at or behind `at` with a number above `last`. Its offset, n: none. An alert's text cannot
 * look like one: it has no zero bytes. */
static size_t find_whole(const char *p, size_t n, size_t at, uint64_t last, struct shk_spool_item *it,
			 struct shk_str *text)
{
	const uint32_t magic = MAGIC;

	while (at < n) {
		const char *m = memmem(p + at, n - at, &magic, sizeof(magic));

		if (!m)
			break;
		at = (size_t)(m - p);
		if (shk_record_get(m, n - at, it, text) > 0 && it->number > last && it->number != UINT64_MAX)
			return at;
		at++;
	}
	return n;
}

/* The file's content. -errno. */
static ssize_t read_file(const struct shk_segment *s, uint64_t from, char **ret)
{
	struct stat st;
	ssize_t n;

	if (fstat(s->fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size <= from)
		return 0;
	if (st.st_size > FILE_MAX)
		return -EFBIG;
	*ret = malloc((size_t)st.st_size - from);
	if (!*ret)
		return -ENOMEM;
	n = pread(s->fd, *ret, (size_t)st.st_size - from, (off_t)from);
	return n < 0 ? -errno : n;
}

/* What cannot be looked at is taken for a yes: nothing is cut then. */
static bool is_whole_behind(const struct shk_segment *s)
{
	_cleanup_free_ char *p = NULL;
	ssize_t n = read_file(s, s->size, &p);
	struct shk_spool_item it;
	struct shk_str text;

	return n < 0 || (n > 0 && find_whole(p, (size_t)n, 0, s->last, &it, &text) < (size_t)n);
}

int shk_segment_salvage(const struct shk_segment *s, int fd)
{
	_cleanup_free_ char *p = NULL;
	uint64_t last = s->first - 1;
	ssize_t n = read_file(s, 0, &p);
	struct shk_spool_item it;
	struct shk_str text;
	size_t at = 0;

	if (n < 0)
		return (int)n;
	while ((at = find_whole(p, (size_t)n, at, last, &it, &text)) < (size_t)n) {
		size_t size = shk_record_size(text.n);
		int rc = shk_write_all(fd, p + at, size);

		if (rc < 0)
			return rc;
		last = it.number;
		at += size;
	}
	return fdatasync(fd) < 0 ? -errno : 0;
}

int shk_segment_scan(struct shk_segment *s)
{
	_cleanup_free_ char *p = malloc(CHUNK);
	uint64_t at = 0;

	if (!p)
		return -ENOMEM;
	s->last = s->first - 1;
	s->size = s->n = s->newest = 0;
	memset(s->of_rank, 0, sizeof(s->of_rank));
	for (;;) {
		ssize_t got = pread(s->fd, p, CHUNK, (off_t)at), used = 0, n = 0;

		if (got < 0)
			return -errno;
		while (used < got) {
			struct shk_spool_item it;
			struct shk_str text;

			n = shk_record_get(p + used, (size_t)(got - used), &it, &text);
			if (n <= 0 || it.number <= s->last || it.number == UINT64_MAX)
				break;
			shk_segment_count(s, &it, (size_t)n);
			used += n;
		}
		at += (uint64_t)used;
		if (used == got && got == CHUNK)
			continue;
		/* Cut only when a chunk that began with it was too small for it: a record is far smaller. */
		if (n == 0 && used > 0 && got == CHUNK)
			continue;
		break;
	}
	if (is_whole_behind(s))
		return -EBADMSG;
	return ftruncate(s->fd, (off_t)s->size) < 0 && errno != EROFS && errno != EINVAL ? -errno : 0;
}
