// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <json-c/json.h>

#include "alerts/sink.h"
#include "base/io.h"

static const struct shk_sink_ops *const kinds[] = {
	[SHK_SINK_STDOUT] = &shk_sink_stdout,
	[SHK_SINK_FILE] = &shk_sink_file,
	[SHK_SINK_SYSLOG] = &shk_sink_syslog,
	[SHK_SINK_PROGRAM] = &shk_sink_program,
	[SHK_SINK_GATEWAY] = &shk_sink_gateway,
};

static int copy_text(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int copy_config(struct shk_sink *s, const struct shk_sink_config *cfg)
{
	const char *path = cfg->path, *what;

	if (cfg->kind == SHK_SINK_SYSLOG && !path)
		path = "/dev/log";
	s->cfg = *cfg;
	s->cfg.net = (struct shk_network_config){ 0 }; /* the gateway's, but for what selects */
	s->cfg.path = path ? strdup(path) : NULL;
	s->cfg.command = cfg->command ? strdup(cfg->command) : NULL;
	what = cfg->kind == SHK_SINK_PROGRAM ? s->cfg.command : s->cfg.path;
	if ((path && !s->cfg.path) || (cfg->command && !s->cfg.command) ||
	    copy_text(cfg->net.rules, &s->cfg.net.rules) < 0 ||
	    copy_text(cfg->net.not_rules, &s->cfg.net.not_rules) < 0 || copy_text(cfg->net.tags, &s->cfg.net.tags) < 0)
		return -ENOMEM;
	if (asprintf(&s->name, "%s%s%s", s->ops->name, what ? ":" : "", what ? what : "") < 0) {
		s->name = NULL;
		return -ENOMEM;
	}
	return 0;
}

int shk_sink_new(const struct shk_sink_config *cfg, struct shk_sink **ret, struct shk_err *err)
{
	struct shk_sink *s;

	if ((size_t)cfg->kind >= SHK_ARRAY_SIZE(kinds))
		return shk_err_set(err, EINVAL, "output of unknown kind %d", (int)cfg->kind);
	if ((cfg->kind == SHK_SINK_FILE && !cfg->path) ||
	    (cfg->kind == SHK_SINK_PROGRAM && !cfg->command))
		return shk_err_set(err, EINVAL, "output %s: says not where to",
				   kinds[cfg->kind]->name);
	s = calloc(1, sizeof(*s));
	if (!s)
		return shk_err_sys(err, ENOMEM, "output %s", kinds[cfg->kind]->name);
	s->ops = kinds[cfg->kind];
	s->fd = -1;
	s->may_lose = SHK_GATEWAY_BEFORE;
	atomic_init(&s->exit_status, -1);
	atomic_init(&s->offered, -1);
	TAILQ_INIT(&s->on_way);
	pthread_mutex_init(&s->status_lock, NULL);
	shk_queue_init(&s->queue, SHK_QUEUE_BYTES);
	shk_buf_init(&s->out, 2 * SHK_JOURNAL_ALERT_MAX);
	if (copy_config(s, cfg) < 0) {
		shk_sink_free(s);
		return shk_err_sys(err, ENOMEM, "output %s", kinds[cfg->kind]->name);
	}
	*ret = s;
	return 0;
}

void shk_sink_free(struct shk_sink *s)
{
	int offered;

	if (!s)
		return;
	offered = atomic_load(&s->offered);
	shk_close(&offered);
	shk_sink_take_back(s);
	shk_queue_done(&s->queue);
	shk_line_unref(s->cur);
	shk_buf_done(&s->out);
	shk_buf_done(&s->in);
	for (size_t i = 0; i < s->n_notes; i++)
		free(s->notes[i]);
	free(s->status);
	free(s->outputs);
	pthread_mutex_destroy(&s->status_lock);
	free(s->cfg.path);
	free(s->cfg.command);
	free(s->cfg.net.rules);
	free(s->cfg.net.not_rules);
	free(s->cfg.net.tags);
	free(s->name);
	free(s);
}

static void failed(struct shk_sink *s, int errnum)
{
	atomic_store(&s->error, errnum);
	atomic_fetch_add(&s->failed, 1);
}

int shk_sink_open(struct shk_sink *s, uint64_t now, struct shk_err *err)
{
	int rc;

	if (s->fd >= 0)
		return 0;
	if (now < s->retry_at)
		return -EAGAIN;
	s->retry_at = 0;
	rc = s->ops->open(s, err);
	if (rc == 0) {
		s->opened_at = now;
	} else {
		if (rc != -EAGAIN)
			failed(s, -rc);
		if (!s->retry_at)
			s->retry_at = now + SHK_NS_PER_S;
	}
	return rc;
}

void shk_sink_close(struct shk_sink *s, bool last, uint64_t until)
{
	s->ops->close(s, last, until);
	s->waiting = false;
	s->off = 0;
}

static void count_drops(struct shk_sink *s, unsigned n)
{
	if (!n)
		return;
	atomic_fetch_add(&s->dropped, n);
	s->unreported += n;
	s->sent_at_drop = atomic_load(&s->sent);
}

/* Only where more than the priority is asked for the record is looked into. */
static bool wants(const struct shk_sink *s, const struct shk_line *l)
{
	const struct shk_network_config *n = &s->cfg.net;
	struct json_object *o;
	bool yes;

	if (l->priority > s->cfg.min_priority)
		return false;
	if (!n->rules && !n->not_rules && !n->tags)
		return true;
	o = shk_line_parse(l);
	yes = !o || shk_sink_wants(&s->cfg, o); /* without memory rather one too many */
	json_object_put(o);
	return yes;
}

void shk_sink_offer(struct shk_sink *s, struct shk_line *l)
{
	if (!wants(s, l))
		return;
	count_drops(s, shk_queue_push(&s->queue, l));
}

bool shk_sink_idle(const struct shk_sink *s)
{
	return !s->cur && !s->queue.n && !s->on_way_n;
}

static void finish(struct shk_sink *s, bool dropped)
{
	shk_line_done(s->cur);
	shk_line_unref(TAKE_PTR(s->cur));
	s->off = 0;
	if (dropped) {
		count_drops(s, 1);
		return;
	}
	atomic_fetch_add(&s->sent, 1);
	atomic_store(&s->error, 0);
}

static void is_sent(struct shk_sink *s, struct shk_line *l)
{
	shk_line_done(l);
	shk_line_unref(l);
	atomic_fetch_add(&s->sent, 1);
	atomic_store(&s->error, 0);
}

void shk_sink_acked(struct shk_sink *s, uint64_t cookie)
{
	struct shk_queue_node *node;

	while ((node = TAILQ_FIRST(&s->on_way)) && node->line->cookie <= cookie) {
		struct shk_line *l = node->line;

		TAILQ_REMOVE(&s->on_way, node, all);
		s->on_way_n--;
		s->on_way_bytes -= l->json.n;
		free(node);
		is_sent(s, l);
		s->may_lose++;
		s->full = false;
	}
}

void shk_sink_take_back(struct shk_sink *s)
{
	struct shk_queue_node *node;

	if (s->cur && TAILQ_FIRST(&s->on_way) && shk_queue_unpop(&s->queue, s->cur) == 0)
		s->cur = NULL;
	while ((node = TAILQ_LAST(&s->on_way, shk_queue_list))) {
		struct shk_line *l = node->line;

		TAILQ_REMOVE(&s->on_way, node, all);
		s->on_way_n--;
		s->on_way_bytes -= l->json.n;
		free(node);
		if (shk_queue_unpop(&s->queue, l) < 0) {
			shk_line_done(l);
			shk_line_unref(l);
			count_drops(s, 1);
		}
	}
}

/* `cur` went out, and waits for its acknowledgement. */
static void is_on_way(struct shk_sink *s)
{
	struct shk_queue_node *node = malloc(sizeof(*node));

	if (!node) { /* it may arrive: rather that than twice */
		finish(s, false);
		return;
	}
	node->line = TAKE_PTR(s->cur);
	TAILQ_INSERT_TAIL(&s->on_way, node, all);
	s->on_way_n++;
	s->on_way_bytes += node->line->json.n;
}

/* Makes `cur` and its shape ready. */
static bool next_line(struct shk_sink *s)
{
	while (!s->cur) {
		s->cur = shk_queue_pop(&s->queue);
		if (!s->cur)
			return false;
		s->off = 0;
		shk_buf_reset(&s->out);
		if (s->ops->shape(s, s->cur) < 0)
			finish(s, true);
	}
	return true;
}

bool shk_sink_step(struct shk_sink *s, unsigned lines)
{
	uint64_t now = shk_now_mono();

	if (s->ops->tick)
		s->ops->tick(s, now);
	/* Opened before there is anything to say: a program starts with the engine. */
	if (shk_sink_open(s, now, NULL) < 0)
		return false;
	if (s->waiting || now < s->retry_at)
		return false;
	s->retry_at = 0;
	for (unsigned i = 0; i < lines; i++) {
		int rc;

		if (!next_line(s))
			return false;
		rc = s->ops->send(s);
		if (rc == -EAGAIN) {
			s->waiting = !s->retry_at;
			return false;
		}
		if (rc == -EBUSY && s->full)
			return false;
		if (rc < 0 && rc != -EBADMSG) {
			failed(s, -rc);
			if (!s->retry_at) /* at once, unless it was opened just now */
				s->retry_at = SHK_MAX(now, s->opened_at + SHK_NS_PER_S);
			shk_sink_close(s, false, 0);
			return false;
		}
		if (rc == 0 && s->ops->acks)
			is_on_way(s);
		else
			finish(s, rc < 0);
	}
	return s->cur || s->queue.n;
}
