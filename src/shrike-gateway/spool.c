// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "shrike-gateway/spool_own.h"

static struct shk_segment *active(struct shk_spool *s)
{
	return s->n ? &s->seg[s->n - 1] : NULL;
}

/* ---- opening ---- */

static struct shk_segment *put_segment(struct shk_spool *s, struct shk_segment seg)
{
	seg.gen = ++s->gens;
	s->seg[s->n] = seg;
	return &s->seg[s->n++];
}

static int new_on_disk(struct shk_spool *s, uint64_t first, struct shk_segment *ret)
{
	char name[64];
	int fd = -1, rc;

	if (s->dir < 0)
		return s->error ? -s->error : -EIO;
	shk_spool_name(name, sizeof(name), first, "");
	/* One of that name has what could not be read, or what could not be removed: nothing is written over it. */
	for (unsigned i = 0; i < 2; i++) {
		fd = openat(s->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 || errno != EEXIST)
			break;
		rc = shk_spool_set_aside(s, first);
		if (rc < 0)
			return rc;
	}
	if (fd < 0)
		return -errno;
	/* The file's name must be there after a loss of power, too. */
	if (fsync(s->dir) < 0 && errno != EINVAL && errno != EROFS) {
		int e = errno;

		unlinkat(s->dir, name, 0);
		close(fd);
		return -e;
	}
	*ret = (struct shk_segment){ .fd = fd, .first = first, .last = first - 1 };
	return 0;
}

static int new_in_memory(struct shk_spool *s, uint64_t first, struct shk_segment **ret)
{
	int fd = memfd_create("shrike-spool", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret = put_segment(s, (struct shk_segment){ .fd = fd, .memory = true, .first = first, .last = first - 1 });
	return 0;
}

int shk_spool_open(const char *dir, uint64_t max_bytes, uint64_t max_age, const struct shk_spool_ops *ops,
		   struct shk_spool **ret, struct shk_err *why)
{
	SHK_CLEANUP(shk_spool_closep) struct shk_spool *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->dir = s->lock = -1;
	s->next = 1;
	s->max_bytes = SHK_MAX(max_bytes, 4 * SEGMENT_LEAST);
	s->max_age = max_age;
	s->segment_size = SHK_MIN(SHK_MAX(s->max_bytes / PER_SPOOL, SEGMENT_LEAST), SEGMENT_MOST);
	if (s->max_bytes / s->segment_size > SEGMENTS_MAX / 2)
		s->segment_size = s->max_bytes / (SEGMENTS_MAX / 2);
	s->ops = *ops;
	shk_buf_init(&s->pending, PENDING_MAX + 2 * SHK_JOURNAL_ALERT_MAX);
	s->path = strdup(dir);
	if (!s->path)
		return -ENOMEM;
	rc = shk_spool_open_dir(s, LOCK_MS);
	if (rc == -EBUSY)
		return shk_err_set(why, EBUSY, "%s: another gateway uses it", dir);
	if (rc == 0) {
		rc = shk_spool_load(s);
		if (rc < 0)
			shk_spool_close_dir(s);
	}
	if (rc < 0) {
		s->error = -rc;
		shk_err_sys(why, -rc, "spool %s", dir);
	}
	*ret = TAKE_PTR(s);
	return 0;
}

void shk_spool_close(struct shk_spool *s)
{
	if (!s)
		return;
	(void)shk_spool_commit(s);
	for (size_t i = 0; i < s->n; i++)
		shk_close(&s->seg[i].fd);
	shk_spool_close_dir(s);
	shk_buf_done(&s->pending);
	free(s->pending_item);
	free(s->mem);
	free(s->path);
	free(s);
}

bool shk_spool_seen(const struct shk_spool *s, uint64_t boot, uint64_t cookie)
{
	return boot == s->boot && cookie <= s->cookie;
}

void shk_spool_pass(struct shk_spool *s, uint64_t boot, uint64_t cookie)
{
	s->boot = boot;
	s->cookie = cookie;
}

int shk_spool_dir(const struct shk_spool *s)
{
	return s->dir;
}

/* ---- removing ---- */

static void remove_segment(struct shk_spool *s, size_t i)
{
	char name[64];

	shk_spool_name(name, sizeof(name), s->seg[i].first, "");
	if (!s->seg[i].memory && s->dir >= 0)
		unlinkat(s->dir, name, 0);
	shk_close(&s->seg[i].fd);
	s->bytes -= s->seg[i].size;
	memmove(&s->seg[i], &s->seg[i + 1], (s->n - i - 1) * sizeof(s->seg[0]));
	s->n--;
}

/* Tells of each record of this rank (SHK_RANKS: every one), from where it is still needed on. */
static void tell_drops(struct shk_spool *s, const struct shk_segment *g, uint32_t rank)
{
	struct shk_spool_item it;
	uint64_t off = 0;
	ssize_t n;

	while ((n = shk_segment_read(g, off, &it, NULL)) > 0) {
		if ((rank == SHK_RANKS || it.rank == rank) && it.number >= s->trimmed)
			s->ops.dropped(&it, s->ops.arg);
		off += (uint64_t)n;
	}
}

/* A copy of the segment without one rank. */
static int rewrite(struct shk_spool *s, const struct shk_segment *g, uint32_t rank, struct shk_segment *ret)
{
	_cleanup_buf_ struct shk_buf text = { 0 }, out = { 0 };
	struct shk_segment copy = { .first = g->first, .last = g->first - 1 };
	struct shk_spool_item it;
	uint64_t off = 0;
	char name[64];
	ssize_t n;
	int rc = 0;

	shk_spool_name(name, sizeof(name), g->first, ".new");
	copy.fd = openat(s->dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (copy.fd < 0)
		return -errno;
	shk_buf_init(&text, SHK_JOURNAL_ALERT_MAX + 1);
	shk_buf_init(&out, SHK_MAX(g->size, s->segment_size) + PENDING_MAX);
	while ((n = shk_segment_read(g, off, &it, &text)) > 0) {
		if (it.rank != rank) {
			shk_record_put(&out, &it, shk_buf_view(&text));
			shk_segment_count(&copy, &it, (size_t)n);
		}
		off += (uint64_t)n;
	}
	if (n < 0 || out.failed)
		rc = n < 0 ? (int)n : -ENOMEM;
	if (rc == 0)
		rc = shk_write_all(copy.fd, out.p, out.n);
	if (rc == 0 && fdatasync(copy.fd) < 0)
		rc = -errno;
	if (rc < 0) {
		close(copy.fd);
		unlinkat(s->dir, name, 0);
		return rc;
	}
	*ret = copy;
	return 0;
}

static void drop_whole(struct shk_spool *s, size_t i)
{
	tell_drops(s, &s->seg[i], SHK_RANKS);
	/* Only what is oldest leaves nothing below it. */
	s->ops.dropping(i == 0, i == 0 ? s->seg[i].last + 1 : 0, s->seg[i].first, SHK_RANKS, s->ops.arg);
	remove_segment(s, i);
}

static bool drop_rank(struct shk_spool *s, size_t i, uint32_t rank)
{
	struct shk_segment copy, *g = &s->seg[i];
	char from[64], to[64];

	if (g->of_rank[rank] == g->n) {
		drop_whole(s, i);
		return true;
	}
	if (rewrite(s, g, rank, &copy) < 0)
		return false;
	tell_drops(s, g, rank);
	s->ops.dropping(false, 0, g->first, rank, s->ops.arg);
	shk_spool_name(from, sizeof(from), g->first, ".new");
	shk_spool_name(to, sizeof(to), g->first, "");
	renameat(s->dir, from, s->dir, to);
	shk_close(&g->fd);
	s->bytes -= g->size - copy.size;
	copy.gen = ++s->gens;
	*g = copy;
	return true;
}

void shk_spool_finish_drop(struct shk_spool *s, uint64_t segment, uint32_t rank)
{
	for (size_t i = 0; i < s->n; i++) {
		struct shk_segment *g = &s->seg[i];

		if (g->first != segment || g->memory)
			continue;
		if (rank == SHK_RANKS)
			drop_whole(s, i);
		else if (rank < SHK_RANKS && g->of_rank[rank])
			drop_rank(s, i, rank);
		return;
	}
}

/* Not the last one: it is being written. */
static bool drop_some(struct shk_spool *s)
{
	for (uint32_t rank = SHK_RANKS; rank-- > 0;)
		for (size_t i = 0; i + 1 < s->n; i++) {
			if (s->seg[i].memory || !s->seg[i].of_rank[rank])
				continue;
			if (!drop_rank(s, i, rank))
				drop_whole(s, i); /* no room for the copy */
			return true;
		}
	return false;
}

/* ---- writing ---- */

/* Everything that was put into memory, in a segment on disk that takes the place of the one in memory. */
static int move_to_disk(struct shk_spool *s)
{
	struct shk_segment *m = active(s), disk;
	_cleanup_free_ char *p = NULL;
	char name[64];
	int rc;

	rc = new_on_disk(s, m->first, &disk);
	if (rc < 0)
		return rc;
	p = malloc(m->size + 1);
	rc = !p ? -ENOMEM : pread(m->fd, p, m->size, 0) != (ssize_t)m->size ? -EIO : 0;
	if (rc == 0)
		rc = shk_write_all(disk.fd, p, m->size);
	if (rc == 0 && fdatasync(disk.fd) < 0)
		rc = -errno;
	if (rc < 0) {
		shk_spool_name(name, sizeof(name), m->first, "");
		unlinkat(s->dir, name, 0);
		close(disk.fd);
		return rc;
	}
	close(m->fd);
	m->fd = disk.fd;
	m->memory = false;
	s->synced = m->size;
	s->n_mem = 0;
	s->error = 0;
	return 0;
}

static int remember(struct shk_spool *s, const struct shk_spool_item *it, size_t size)
{
	if (s->n_mem == s->room_mem) {
		size_t room = SHK_MAX(2 * s->room_mem, 1024);
		struct memory_record *more = reallocarray(s->mem, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->mem = more;
		s->room_mem = room;
	}
	s->mem[s->n_mem++] = (struct memory_record){ it->number, it->cookie, it->boot, size };
	return 0;
}

/* Makes room in memory: up to a quarter of it, the oldest of the least severe rank there. Without that a single output
 * that takes nothing would stop all others once memory is full. */
static bool drop_memory(struct shk_spool *s, struct shk_segment *m)
{
	struct shk_segment left = { .fd = m->fd, .memory = true, .first = m->first,
						    .last = m->first - 1, .gen = ++s->gens };
	_cleanup_free_ char *p = malloc(m->size + 1);
	uint32_t rank = SHK_RANKS;
	size_t at = 0, to = 0, i = 0, kept = 0, freed = 0;
	struct shk_spool_item it;
	struct shk_str text;
	ssize_t n;

	while (rank > 0 && !m->of_rank[rank - 1])
		rank--;
	if (!p || !rank-- || pread(m->fd, p, m->size, 0) != (ssize_t)m->size)
		return false;
	for (; at < m->size && (n = shk_record_get(p + at, m->size - at, &it, &text)) > 0; at += (size_t)n, i++) {
		if (it.rank == rank && freed < MEMORY_MAX / 4) {
			freed += (size_t)n;
			if (it.number >= s->trimmed)
				s->ops.dropped(&it, s->ops.arg);
			continue;
		}
		memmove(p + to, p + at, (size_t)n);
		to += (size_t)n;
		shk_segment_count(&left, &it, (size_t)n);
		s->mem[kept++] = s->mem[i];
	}
	/* It has no name that a later gateway could find. */
	s->ops.dropping(false, 0, 0, rank, s->ops.arg);
	left.last = m->last;
	s->bytes -= m->size - to;
	s->n_mem = kept;
	*m = left;
	return pwrite(m->fd, p, to, 0) == (ssize_t)to && freed;
}

static int write_memory(struct shk_spool *s, const void *p, size_t n)
{
	struct shk_segment *a = active(s);
	int rc = 0;

	if (!a || !a->memory) {
		if (s->n == SEGMENTS_MAX && !drop_some(s))
			return -ENOSPC;
		a = active(s);
		rc = new_in_memory(s, a ? SHK_MAX(a->last + 1, a->first) : s->pending_item[0].number, &a);
		if (rc < 0)
			return rc;
	}
	while (a->size + n > MEMORY_MAX && a->n && drop_memory(s, a))
		;
	if (a->size + n > MEMORY_MAX + PENDING_MAX || pwrite(a->fd, p, n, (off_t)a->size) != (ssize_t)n)
		return -ENOSPC;
	for (size_t i = 0; i < s->n_pending && rc == 0; i++)
		rc = remember(s, &s->pending_item[i], n / s->n_pending);
	if (rc < 0)
		s->n_mem = a->n;
	return rc;
}

/* What was written and not synced, after a sync that failed: the kernel may have forgotten it, and says yes when it is
 * asked once more. It goes into memory, and the file ends where it is known to be on disk. */
static int take_back(struct shk_spool *s, struct shk_segment *a, int error)
{
	struct shk_segment *m, cut = { .fd = a->fd, .first = a->first, .last = a->first - 1,
						       .gen = ++s->gens };
	size_t n = a->size - s->synced, at = 0;
	_cleanup_free_ char *p = malloc(n + 1);
	struct shk_spool_item it;
	struct shk_str text;
	ssize_t size;
	int rc;

	if (!p)
		return -ENOMEM;
	if (pread(a->fd, p, n, (off_t)s->synced) != (ssize_t)n || shk_record_get(p, n, &it, &text) <= 0)
		return -EIO;
	while (cut.size < s->synced && (size = shk_segment_read(a, cut.size, &it, NULL)) > 0)
		shk_segment_count(&cut, &it, (size_t)size);
	if (cut.size != s->synced)
		return -EIO;
	if (s->n == SEGMENTS_MAX && !drop_some(s))
		return -ENOSPC;
	if (shk_record_get(p, n, &it, &text) <= 0)
		return -EIO;
	rc = new_in_memory(s, it.number, &m);
	if (rc < 0)
		return rc;
	while (rc == 0 && at < n && (size = shk_record_get(p + at, n - at, &it, &text)) > 0) {
		rc = remember(s, &it, (size_t)size);
		shk_segment_count(m, &it, (size_t)size);
		at += (size_t)size;
	}
	if (rc == 0 && (at != n || pwrite(m->fd, p, n, 0) != (ssize_t)n))
		rc = -EIO;
	if (rc < 0) {
		close(m->fd);
		s->n--;
		s->n_mem = 0;
		return rc;
	}
	if (s->synced) {
		a = m - 1;
		if (ftruncate(a->fd, (off_t)s->synced) < 0)
			s->spoilt++; /* its end is there twice: numbers tell */
		*a = cut;
	} else {
		s->bytes += n;
		remove_segment(s, s->n - 2);
	}
	s->dirty = false;
	s->error = error;
	return 0;
}

/* 0: all that was written is on disk; else it is in memory, or the spool must be opened anew. */
static int sync_written(struct shk_spool *s)
{
	struct shk_segment *a = active(s);
	int error;

	if (!s->dirty || !a || a->memory)
		return 0;
	if (!s->again && fdatasync(a->fd) == 0) {
		s->dirty = false;
		s->synced = a->size;
		return 0;
	}
	error = s->again ? EIO : errno;
	if (!s->again && take_back(s, a, error) < 0)
		s->again = true; /* what is not acknowledged comes once more */
	return -error;
}

static int write_disk(struct shk_spool *s, const void *p, size_t n)
{
	struct shk_segment *a = active(s), fresh;
	ssize_t done;
	int rc;

	/* A file of before that cannot be written ends where it is. */
	if (!a || a->size >= s->segment_size) {
		rc = sync_written(s);
		if (rc < 0)
			return rc;
		if (s->n == SEGMENTS_MAX && !drop_some(s))
			return -ENOSPC;
		rc = new_on_disk(s, s->pending_item[0].number, &fresh);
		if (rc < 0)
			return rc;
		a = put_segment(s, fresh);
		s->synced = 0;
	}
	done = pwrite(a->fd, p, n, (off_t)a->size);
	if (done != (ssize_t)n) {
		rc = done < 0 ? -errno : -ENOSPC;
		/* What is left of it does no harm: a scan ends at the last whole record. */
		if (!a->n)
			remove_segment(s, s->n - 1);
		else if (done > 0 && ftruncate(a->fd, (off_t)a->size) < 0)
			return rc;
		return rc;
	}
	s->dirty = true;
	return 0;
}

static int flush(struct shk_spool *s)
{
	struct shk_segment *a = active(s);
	int rc = -EAGAIN;

	if (!s->n_pending)
		return 0;
	if (!(a && a->memory) && s->dir >= 0)
		rc = write_disk(s, s->pending.p, s->pending.n);
	if (rc < 0) {
		if (rc != -EAGAIN)
			s->error = -rc;
		/* What is in the file must not wait for it. */
		(void)sync_written(s);
		rc = write_memory(s, s->pending.p, s->pending.n);
	}
	if (rc < 0) {
		/* Not even memory: they stay pending, and nothing more is taken in. */
		return rc;
	}
	a = &s->seg[s->n - 1];
	for (size_t i = 0; i < s->n_pending; i++)
		shk_segment_count(a, &s->pending_item[i], 0);
	a->size += s->pending.n;
	s->bytes += s->pending.n;
	s->n_pending = 0;
	shk_buf_reset(&s->pending);
	while (s->bytes > s->max_bytes && drop_some(s))
		;
	return 0;
}

int shk_spool_put(struct shk_spool *s, struct shk_spool_item *it, struct shk_str text)
{
	size_t before;

	if (s->pending.n >= PENDING_MAX) {
		int rc = flush(s);

		if (rc < 0)
			return rc;
	}
	if (s->n_pending == s->room_pending) {
		size_t room = s->room_pending ? 2 * s->room_pending : 256;
		struct shk_spool_item *more = reallocarray(s->pending_item, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->pending_item = more;
		s->room_pending = room;
	}
	it->number = s->next;
	before = s->pending.n;
	shk_record_put(&s->pending, it, text);
	if (s->pending.failed) {
		s->pending.n = before;
		s->pending.failed = false;
		return -ENOMEM;
	}
	s->next++;
	s->boot = it->boot;
	s->cookie = it->cookie;
	s->pending_item[s->n_pending++] = *it;
	return 0;
}

int shk_spool_commit(struct shk_spool *s)
{
	struct shk_segment *a;
	int rc = flush(s);

	if (rc < 0)
		return rc;
	/* What is not known to be on disk is not: it is not said to be. */
	rc = sync_written(s);
	if (rc < 0)
		return rc;
	a = active(s);
	return a && a->memory ? -(s->error ? s->error : EIO) : 0;
}

/* ---- reading ---- */

/* Index of the segment that pos is in, s->n: behind all. */
static size_t find(struct shk_spool *s, struct shk_spool_pos *pos)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct shk_segment *g = &s->seg[i];

		if (!g->n || g->last < pos->number)
			continue;
		if (g->first != pos->segment || g->gen != pos->gen) {
			pos->segment = g->first;
			pos->gen = g->gen;
			pos->off = 0;
		}
		return i;
	}
	return s->n;
}

int shk_spool_next(struct shk_spool *s, struct shk_spool_pos *pos, uint32_t mask, struct shk_spool_item *it,
		   struct shk_buf *text)
{
	size_t i;

	while ((i = find(s, pos)) < s->n) {
		ssize_t n = shk_segment_read(&s->seg[i], pos->off, it, NULL);

		if (n > 0 && it->number >= pos->number && (it->mask & mask)) {
			n = shk_segment_read(&s->seg[i], pos->off, it, text);
			if (n == -ENOMEM)
				return -ENOMEM;
			if (n > 0) {
				pos->off += (uint64_t)n;
				pos->number = it->number + 1;
				return 1;
			}
		}
		if (n <= 0) {
			/* Spoilt under our hands: go on with the next segment. */
			pos->number = s->seg[i].last + 1;
			continue;
		}
		pos->off += (uint64_t)n;
		if (it->number >= pos->number)
			pos->number = it->number + 1;
	}
	return 0;
}

/* ---- housekeeping ---- */

void shk_spool_trim(struct shk_spool *s, uint64_t upto)
{
	s->trimmed = SHK_MAX(s->trimmed, upto);
	while (s->n > 1 && s->seg[0].last < upto)
		remove_segment(s, 0);
	/* The last one stays, as it says what was seen; in memory it begins anew. */
	if (s->n == 1 && s->seg[0].memory && s->seg[0].n && s->seg[0].last < upto) {
		struct shk_segment *g = &s->seg[0];

		if (ftruncate(g->fd, 0) < 0)
			return;
		s->bytes -= g->size;
		*g = (struct shk_segment){ .fd = g->fd, .memory = true, .first = g->last + 1, .last = g->last,
					   .gen = ++s->gens };
		s->n_mem = 0;
	}
}

void shk_spool_tick(struct shk_spool *s, uint64_t now)
{
	uint64_t mono = shk_now_mono();

	while (s->max_age && s->n > 1 && s->seg[0].n && s->seg[0].newest + s->max_age < now)
		drop_whole(s, 0);
	/* The last one as well, when all of it is old. */
	if (s->max_age && s->n == 1 && s->seg[0].n && s->seg[0].last >= s->trimmed &&
	    s->seg[0].newest + s->max_age < now) {
		tell_drops(s, &s->seg[0], SHK_RANKS);
		s->ops.dropping(true, s->seg[0].last + 1, s->seg[0].first, SHK_RANKS, s->ops.arg);
		s->trimmed = s->seg[0].last + 1;
	}
	if (mono >= s->again_at && s->dir < 0) {
		int rc = shk_spool_open_dir(s, 0);

		/* It may have records of before, and states of the outputs: they are read first. */
		s->again |= rc == 0;
		if (rc < 0)
			s->error = -rc;
		shk_spool_close_dir(s);
		s->again_at = mono + AGAIN_NS;
	} else if (active(s) && active(s)->memory && mono >= s->again_at) {
		int rc = move_to_disk(s);

		if (rc < 0)
			s->error = -rc;
		s->again_at = mono + AGAIN_NS;
	}
}

bool shk_spool_kept(const struct shk_spool *s, uint64_t boot, uint64_t *ret_cookie)
{
	if (s->boot != boot || s->n_pending || s->dirty)
		return false;
	if (!s->n || !s->seg[s->n - 1].memory || s->trimmed >= s->next) {
		*ret_cookie = s->cookie;
		return true;
	}
	for (size_t i = s->n_mem, lines = 0, bytes = 0; i-- > 0; lines++) {
		const struct memory_record *m = &s->mem[i];

		if (m->number < s->trimmed || lines >= SHK_WINDOW_LINES / 2 || bytes >= SHK_WINDOW_BYTES / 2) {
			*ret_cookie = m->cookie;
			return m->boot == boot;
		}
		bytes += m->size;
	}
	return false;
}

uint64_t shk_spool_at_risk(const struct shk_spool *s, uint64_t boot, uint64_t cookie)
{
	size_t from[2] = { 0 };

	/* Where those that are needed begin, and those behind the cookie: numbers ascend, and cookies of a boot do. */
	for (unsigned k = 0; k < 2; k++)
		for (size_t lo = 0, hi = s->n_mem; lo < hi;) {
			size_t mid = lo + (hi - lo) / 2;
			const struct memory_record *m = &s->mem[mid];

			if (k == 0 ? m->number < s->trimmed : m->boot != boot || m->cookie <= cookie)
				lo = from[k] = mid + 1;
			else
				hi = mid;
		}
	return from[1] > from[0] ? from[1] - from[0] : 0;
}

void shk_spool_state(const struct shk_spool *s, struct shk_spool_state *ret)
{
	*ret = (struct shk_spool_state){ .next = s->next, .bytes = s->bytes, .segments = s->n, .spoilt = s->spoilt,
					 .again = s->again };
	for (size_t i = 0; i < s->n; i++)
		ret->records += s->seg[i].n;
	if (s->n && s->seg[0].n)
		ret->oldest = s->seg[0].newest;
	if (s->n ? s->seg[s->n - 1].memory : s->dir < 0)
		ret->error = s->error ? s->error : EIO;
}
