/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of test_sinks.c stand on; included by it alone, behind its other headers. */
#ifndef SHK_TEST_SINKS_BOX_H
#define SHK_TEST_SINKS_BOX_H

/* A journal, a directory, and one alert to send again and again. */
struct box {
	struct fixture f;
	int fd;
	struct shk_journal *j;
	char dir[64], path[128], path2[128];
	char *text; /* what slurp() read last */
};

static int setup(void **state)
{
	struct box *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	fixture_init(&b->f, "A shell was started");
	b->fd = shk_journal_create(NULL);
	snprintf(b->dir, sizeof(b->dir), "/tmp/shrike-sinks-XXXXXX");
	if (b->fd < 0 || shk_journal_open(b->fd, &b->j, NULL) < 0 || !mkdtemp(b->dir))
		return -1;
	snprintf(b->path, sizeof(b->path), "%s/out", b->dir);
	snprintf(b->path2, sizeof(b->path2), "%s/out.1", b->dir);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct box *b = *state;

	unlink(b->path);
	unlink(b->path2);
	rmdir(b->dir);
	free(b->text);
	shk_journal_close(b->j);
	close(b->fd);
	fixture_done(&b->f);
	free(b);
	return 0;
}

static void put(struct box *b, uint64_t seq)
{
	struct shk_str text;

	b->f.alert.seq = seq;
	text = fixture_render(&b->f);
	assert_int_equal(shk_journal_put_alert(b->j, 0, text.p, text.n), 0);
	free((char *)(uintptr_t)text.p);
}

static struct shk_sinks *start(struct box *b, const struct shk_sink_config *cfg, size_t n)
{
	struct shk_sinks *s = NULL;
	struct shk_err err = { 0 };

	assert_int_equal(shk_sinks_start(cfg, n, b->j, NULL, NULL, &s, &err), 0);
	assert_non_null(s);
	return s;
}

/* A gateway, and a file that has what is said of it. */
static struct shk_sinks *start_with_gateway(struct box *b)
{
	const struct shk_sink_config cfg[] = {
		{ .kind = SHK_SINK_GATEWAY, .min_priority = SHK_PRIO_DEBUG },
		{ .kind = SHK_SINK_FILE, .json = true, .path = b->path, .min_priority = SHK_PRIO_DEBUG },
	};

	return start(b, cfg, 2);
}

/* Waits at most ten seconds for stats of sink i. */
static struct shk_sink_stats wait_for(struct shk_sinks *s, size_t i,
				      bool (*done)(const struct shk_sink_stats *st, uint64_t n),
				      uint64_t n)
{
	const struct timespec ms10 = { .tv_nsec = 10000000 };
	struct shk_sink_stats st[4];

	for (unsigned k = 0; k < 1000; k++) {
		assert_true(shk_sinks_stats(s, st, 4) > i);
		if (done(&st[i], n))
			return st[i];
		nanosleep(&ms10, NULL);
	}
	fail_msg("sink %s: sent %llu, failed %llu, error %d", st[i].name,
		 (unsigned long long)st[i].sent, (unsigned long long)st[i].failed, st[i].error);
	return st[i];
}

static bool has_sent(const struct shk_sink_stats *st, uint64_t n)
{
	return st->sent >= n;
}

static bool has_failed(const struct shk_sink_stats *st, uint64_t n)
{
	return st->failed >= n;
}

static bool has_restarted(const struct shk_sink_stats *st, uint64_t n)
{
	return st->restarts >= n;
}

static const char *slurp(struct box *b, const char *path)
{
	struct shk_buf t;

	shk_buf_init(&t, 64u << 20);
	assert_int_equal(shk_read_file(path, &t, NULL), 0);
	shk_buf_addc(&t, '\0');
	free(b->text);
	b->text = t.p;
	return b->text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static bool ring_is_empty(struct box *b)
{
	struct shk_buf t;
	bool empty;

	shk_buf_init(&t, SHK_JOURNAL_ALERT_MAX);
	empty = !shk_journal_peek_alert(b->j, 0, &t, NULL);
	shk_buf_done(&t);
	return empty;
}

#endif
