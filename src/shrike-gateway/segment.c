// SPDX-License-Identifier: Apache-2.0
#include "shrike-gateway/segment.h"

#include <errno.h>

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

#define CHUNK (1u << 20)

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
	return ftruncate(s->fd, (off_t)s->size) < 0 && errno != EROFS && errno != EINVAL ? -errno : 0;
}
