// SPDX-License-Identifier: Apache-2.0
/*
 * The engine's end of shrike-gateway: one sink for all outputs over the network.
 *
 * A record that was sent counts as sent once the gateway says that it keeps it; until then it stays in the
 * journal, and goes to the next gateway if this one dies. At most WINDOW of them are on the way.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <sys/socket.h>

#include "alerts/gateway_proto.h"
#include "alerts/sink.h"
#include "alerts/text.h"
#include "base/io.h"

#define READS	   64
#define LAST_READS 4096 /* more than a window of acknowledgements */
#define AGAIN_NS   (SHK_NS_PER_S / 20)

/* The kernel has no memory just now: the connection is as good as before. */
static bool passes(int rc)
{
	return rc == -EAGAIN || rc == -EINTR || rc == -ENOBUFS || rc == -ENOMEM;
}

static int gateway_open(struct shk_sink *s, struct shk_err *err)
{
	int fd = atomic_exchange(&s->offered, -1);

	if (fd < 0) {
		/* The keeper brings one: until then nothing has failed. */
		s->retry_at = UINT64_MAX;
		return -EAGAIN;
	}
	(void)err;
	s->fd = fd;
	s->greeted = false;
	s->on_way_bytes = 0;
	return 0;
}

static int gateway_shape(struct shk_sink *s, struct shk_line *l)
{
	(void)s;
	(void)l; /* the record goes as it is */
	return 0;
}

static int send_status(struct shk_sink *s)
{
	_cleanup_free_ char *text = NULL;
	struct shk_frame_head h = { .op = SHK_FRAME_STATUS };
	int rc;

	pthread_mutex_lock(&s->status_lock);
	text = TAKE_PTR(s->status);
	pthread_mutex_unlock(&s->status_lock);
	rc = text ? shk_frame_send(s->fd, &h, shk_str(text)) : 0;
	return passes(rc) || rc == -EMSGSIZE ? 0 : rc; /* the next one comes soon */
}

static int gateway_send(struct shk_sink *s)
{
	struct shk_frame_head h = { .op = SHK_FRAME_ALERT, .rank = s->cur->rank, .cookie = s->cur->cookie,
				    .boot = s->boot };
	int rc;

	if (s->on_way_n >= SHK_WINDOW_LINES || s->on_way_bytes >= SHK_WINDOW_BYTES) {
		s->full = true; /* an acknowledgement wakes us: s->fd is read */
		return -EBUSY;
	}
	rc = shk_frame_send(s->fd, &h, s->cur->json);
	if (rc == -ENOBUFS || rc == -ENOMEM) {
		s->retry_at = shk_now_mono() + AGAIN_NS;
		return -EAGAIN;
	}
	return rc == -EMSGSIZE ? -EBADMSG : rc;
}

/* What the gateway wants said; the writer says it. */
static void note(struct shk_sink *s, struct shk_str text)
{
	if (s->n_notes < SHK_ARRAY_SIZE(s->notes)) {
		s->notes[s->n_notes] = strndup(text.p, text.n);
		s->n_notes += s->notes[s->n_notes] != NULL;
	} else {
		s->notes_lost++;
	}
}

static void outputs_are(struct shk_sink *s, struct shk_str text)
{
	char *copy = strndup(text.p, text.n), *old;

	pthread_mutex_lock(&s->status_lock);
	old = s->outputs;
	s->outputs = copy;
	pthread_mutex_unlock(&s->status_lock);
	free(old);
}

void shk_sink_gateway_gone(struct shk_sink *s)
{
	atomic_fetch_add(&s->dropped, s->at_risk);
	s->gone += s->at_risk;
	s->may_lose -= s->at_risk;
	s->at_risk = 0;
}

/* The one before may have taken with it what the disk did not. */
static void gateway_is(struct shk_sink *s, uint64_t which)
{
	if (s->gateway && s->gateway != which)
		shk_sink_gateway_gone(s);
	s->gateway = which;
	s->greeted = true;
	atomic_store(&s->error, 0);
}

/* Its word is bounded by what it can have: else one that was taken over tells of losses without end. */
static void is_kept(struct shk_sink *s, const struct shk_frame_head *h)
{
	shk_sink_acked(s, h->cookie);
	s->at_risk = SHK_MIN((uint64_t)h->rank, s->may_lose);
}

/* -EAGAIN when all was read. */
static int read_one(struct shk_sink *s)
{
	struct shk_frame_head h;
	struct shk_str text;
	ssize_t n;

	if (s->in.size < SHK_FRAME_MAX) {
		shk_buf_init(&s->in, SHK_FRAME_MAX + 1);
		s->in.p = malloc(SHK_FRAME_MAX);
		if (!s->in.p)
			return -ENOMEM;
		s->in.size = SHK_FRAME_MAX;
	}
	n = recv(s->fd, s->in.p, SHK_FRAME_MAX, MSG_DONTWAIT);
	if (n <= 0)
		return n == 0 ? -ECONNRESET : -errno;
	if (shk_frame_parse(s->in.p, (size_t)n, &h, &text) < 0)
		return -EBADMSG;
	if (s->greeted == (h.op == SHK_FRAME_HELLO)) /* that comes first, and once */
		return -EBADMSG;
	if (h.op == SHK_FRAME_ACK)
		is_kept(s, &h);
	else if (h.op == SHK_FRAME_HELLO)
		gateway_is(s, h.cookie);
	else if (h.op == SHK_FRAME_TELL)
		note(s, text);
	else if (h.op == SHK_FRAME_OUTPUTS)
		outputs_are(s, text);
	return 0;
}

static void gateway_tick(struct shk_sink *s, uint64_t now)
{
	int rc = 0;

	(void)now;
	if (atomic_load(&s->offered) >= 0) { /* a new gateway, or the keeper's word that the old one is gone */
		if (s->fd >= 0)
			shk_sink_close(s, false, 0);
		s->retry_at = 0;
	}
	if (s->fd < 0)
		return;
	for (unsigned i = 0; i < READS && rc == 0; i++)
		rc = read_one(s);
	if (rc == 0 || passes(rc))
		rc = send_status(s);
	if (rc < 0)
		shk_sink_close(s, false, 0);
}

static void gateway_close(struct shk_sink *s, bool last, uint64_t until)
{
	(void)last;
	(void)until;
	/* Acknowledgements that are there count; bounded, as the other side may go on writing. */
	for (unsigned i = 0; s->fd >= 0 && i < LAST_READS && read_one(s) == 0; i++)
		;
	shk_close(&s->fd);
	s->full = false;
	shk_sink_take_back(s);
}

const struct shk_sink_ops shk_sink_gateway = {
	.name = "gateway",
	.open = gateway_open,
	.shape = gateway_shape,
	.send = gateway_send,
	.tick = gateway_tick,
	.close = gateway_close,
	.watch = true,
	.acks = true,
};
