/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of test_spool.c stand on; included by it alone, behind its other headers. */
#ifndef SHK_TEST_SPOOL_WORLD_H
#define SHK_TEST_SPOOL_WORLD_H

struct world {
	char dir[64];
	struct shk_spool *spool;
	struct shk_outlet o;
	struct shk_sink_config cfg;
	uint64_t dropped, drop_calls;
};

static void on_dropped(const struct shk_spool_item *it, void *arg)
{
	struct world *w = arg;

	w->dropped++;
	shk_outlet_dropped(&w->o, it);
}

static void on_dropping(bool whole, uint64_t upto, uint64_t segment, uint32_t rank, void *arg)
{
	struct world *w = arg;

	w->drop_calls++;
	if (whole) {
		w->o.kept.next = SHK_MAX(w->o.kept.next, upto);
		w->o.work.next = SHK_MAX(w->o.work.next, upto);
	} else {
		w->o.kept.drop_segment = segment;
		w->o.kept.drop_rank = rank;
	}
	shk_outlet_save_synced(&w->o);
}

static void open_world(struct world *w, uint64_t bytes, uint64_t age)
{
	const struct shk_spool_ops ops = { on_dropped, on_dropping, w };
	struct shk_err why = { 0 };
	struct shk_spool_state st;

	assert_int_equal(shk_spool_open(w->dir, bytes, age, &ops, &w->spool, &why), 0);
	shk_spool_state(w->spool, &st);
	w->o = (struct shk_outlet){ .cfg = &w->cfg };
	shk_outlet_load(&w->o, shk_spool_dir(w->spool), "x", st.next);
	w->o.kept.bit = 0;
	w->o.work = w->o.kept;
	w->o.stale = true;
}

static void close_world(struct world *w)
{
	shk_outlet_forget_batch(&w->o);
	for (size_t i = 0; i < SHK_FOLDS; i++)
		shk_fold_forget(&w->o, i);
	shk_buf_done(&w->o.body);
	shk_close(&w->o.file);
	shk_spool_close(w->spool);
	w->spool = NULL;
}

static int make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	snprintf(w->dir, sizeof(w->dir), "/tmp/shk-spool-XXXXXX");
	w->cfg.kind = SHK_SINK_WEBHOOK;
	w->cfg.min_priority = SHK_PRIO_DEBUG;
	w->cfg.net.timeout = S;
	if (!mkdtemp(w->dir))
		return -1;
	open_world(w, 1u << 20, 0);
	*state = w;
	return 0;
}

static int unmake(void **state)
{
	struct world *w = *state;
	char command[128];

	close_world(w);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	free(w);
	return system(command);
}

static const char *record(char *buf, size_t size, unsigned n, const char *text)
{
	snprintf(buf, size, "{\"hostname\":\"h\",\"output\":\"12:00:00.000000000: Warning %s\",\"priority\":\"Warning\","
			    "\"rule\":\"R\",\"shrike\":{\"id\":\"b:1:%u:0\",\"container\":{\"id\":\"c\"},\"seq\":%u},\"source\":"
			    "\"syscall\",\"time\":\"2026-01-01T00:00:00.000000000Z\"}", text, n, n);
	return buf;
}

static void put(struct world *w, unsigned n, uint32_t rank, const char *text)
{
	struct shk_spool_item it = { .boot = 7, .cookie = n, .time = shk_now_real(), .rank = rank, .mask = 1 };
	char buf[8192];

	assert_int_equal(shk_spool_put(w->spool, &it, shk_str(record(buf, sizeof(buf), n, text))), 0);
}

#endif
