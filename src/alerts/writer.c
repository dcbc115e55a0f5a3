// SPDX-License-Identifier: Apache-2.0
/*
 * The writer thread: ring -> queues of the sinks -> out.
 *
 * A record stays in the ring until no sink needs it any more, so a new engine repeats what this one had
 * not finished (an alert's "id" makes the repetition recognisable). One sink that stands still may hold back a
 * quarter of the ring in this way; past that its records live on in its queue alone, so it cannot
 * take the room of the others.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

#include "alerts/gateway_proto.h"
#include "alerts/sink.h"
#include "alerts/text.h"
#include "base/io.h"

#define SINKS_MAX     32
#define HOLD_MAX      (SHK_JOURNAL_RING / 4)
#define READ_BATCH    64
#define SEND_BATCH    256
#define PACE_NS	      (SHK_NS_PER_S / 200) /* between two beginnings of work */
#define IDLE_MS	      1000 /* losses are counted without a kick */
#define REPORT_EVERY  SHK_NS_PER_S
#define NOTES_BURST   32 /* alerts that the gateway may ask for at once */
#define ABSENT_NS     (10 * SHK_NS_PER_S) /* a gateway that is started again is back by then */
#define NOTE_EVERY    SHK_NS_PER_S /* and one more in so long */
#define STOP_GRACE_NS (2 * SHK_NS_PER_S) /* for a thread that hangs in a write */

struct shk_sinks {
	pthread_t thread;
	int kick; /* eventfd */
	atomic_bool kicked, reopen, stop;
	_Atomic uint64_t stop_at; /* set before `stop` */
	pthread_mutex_t life;	  /* held by the thread while it uses what the engine lent us: not
				   * while it writes, where it may hang */
	bool abandoned;		  /* under life: the engine has gone on without the thread */
	struct shk_sink *sink[SINKS_MAX];
	size_t n;

	/* the thread's own */
	struct shk_journal *journal;
	void (*on_line)(struct shk_str record, void *arg);
	void *arg;
	char hostname[HOST_NAME_MAX + 1];
	char origin[32];	/* numbers our own alerts: the engine's are numbered by container */
	uint64_t seq;
	uint64_t cookie;	/* read so far */
	struct shk_line_list held; /* read and still in the ring, oldest first */
	size_t held_bytes;
	struct shk_owing owing;
	uint64_t owed, left;	/* of these, what the journal says; how many an engine before us left */
	uint64_t woke;		/* mono: when the writer last began to work */
	struct shk_buf in;
	uint64_t lost_reported, lost_at;
	uint64_t refused;	/* alerts of our own that the ring did not take: no loss */
};

/* ---- from the ring ---- */

static struct json_object *parse(struct shk_str text)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *o;

	if (!tok)
		return NULL;
	o = json_tokener_parse_ex(tok, text.p, (int)text.n);
	json_tokener_free(tok);
	if (json_object_is_type(o, json_type_object))
		return o;
	json_object_put(o);
	return NULL;
}

/* The journal's word, or the record's, of an engine that did not say. */
static bool priority_of(const struct shk_line *l, uint32_t flags, enum shk_priority *ret)
{
	int p = SHK_JA_PRIORITY_OF(flags);
	struct json_object *o;
	bool ok;

	if (p >= 0 && p <= SHK_PRIO_DEBUG) {
		*ret = (enum shk_priority)p;
		return true;
	}
	o = shk_line_parse(l);
	ok = o && shk_priority_parse(shk_text_member(o, "priority"), ret);
	json_object_put(o);
	return ok;
}

/* NULL: no memory, or no record. */
static struct shk_line *line_new(struct shk_str text, uint32_t flags, uint64_t cookie)
{
	struct shk_line *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->refs = 1;
	l->cookie = cookie;
	l->json = (struct shk_str){ strndup(text.p, text.n), text.n };
	if (!l->json.p || !priority_of(l, flags, &l->priority)) {
		shk_line_unref(l);
		return NULL;
	}
	l->rank = flags & SHK_JA_VERDICT ? 0 : 1 + (unsigned)l->priority;
	return l;
}

static bool read_ring(struct shk_sinks *s)
{
	for (unsigned i = 0; i < READ_BATCH; i++) {
		uint32_t flags = 0;
		uint64_t cookie = shk_journal_peek_alert(s->journal, s->cookie, &s->in, &flags);
		struct shk_line *l;

		if (!cookie || s->in.failed) /* out of memory: it is still there next time */
			return false;
		s->cookie = cookie;
		l = line_new(shk_buf_view(&s->in), flags, cookie);
		if (!l) {
			for (size_t k = 0; k < s->n; k++) {
				atomic_fetch_add(&s->sink[k]->dropped, 1);
				s->sink[k]->unreported++;
			}
			continue;
		}
		TAILQ_INSERT_TAIL(&s->held, l, link);
		s->held_bytes += l->json.n;
		for (size_t k = 0; k < s->n; k++)
			shk_sink_offer(s->sink[k], l);
		if (s->on_line)
			s->on_line(l->json, s->arg);
	}
	return true;
}

/* Gives back to the ring what nobody needs, and what is held back for too long. */
static void release(struct shk_sinks *s)
{
	struct shk_line *l;
	uint64_t upto = 0;

	while ((l = TAILQ_FIRST(&s->held)) && (!l->needed || s->held_bytes > HOLD_MAX)) {
		TAILQ_REMOVE(&s->held, l, link);
		s->held_bytes -= l->json.n;
		upto = l->cookie;
		if (l->needed) {
			l->owing = &s->owing;
			TAILQ_INSERT_TAIL(&s->owing.lines, l, link);
			s->owing.n++;
		} else {
			shk_line_unref(l);
		}
	}
	/* Counted before they leave the ring: an engine that dies between counts too many, never too few. */
	if (upto || s->owed != s->owing.n) {
		s->owed = s->owing.n;
		shk_journal_set_owed(s->journal, s->left + s->owed);
	}
	if (upto)
		shk_journal_drop_alerts(s->journal, upto);
}

/* ---- losses ---- */

/* fields are consumed. */
static bool put_own(struct shk_sinks *s, const char *rule, enum shk_priority priority,
		    struct json_object *fields, const char *text)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	int rc;
	struct shk_alert a = {
		.boot = shk_journal_boot(s->journal),
		.origin = s->origin,
		.seq = s->seq + 1,
		.internal_rule = rule,
		.internal_priority = priority,
		.internal_text = text,
		.internal_fields = fields,
	};

	shk_buf_init(&b, SHK_JOURNAL_ALERT_MAX);
	rc = shk_alert_render(&a, s->hostname, &b);
	if (rc < 0)
		return false;
	/* Few (REPORT_EVERY, NOTE_EVERY), and what says how much was lost must not be lost with it. */
	rc = shk_journal_put_alert(s->journal, SHK_JA_VERDICT | SHK_JA_PRIORITY(priority), b.p, b.n);
	if (rc < 0) {
		s->refused += rc == -ENOSPC; /* the journal counted it */
		return false;
	}
	s->seq++;
	shk_sinks_kick(s);
	return true;
}

static bool put_lost(struct shk_sinks *s, const char *where, uint64_t count, const char *text)
{
	struct json_object *fields = json_object_new_object();

	if (!fields)
		return false;
	json_object_object_add(fields, "output", json_object_new_string(where));
	json_object_object_add(fields, "lost", json_object_new_uint64(count));
	return put_own(s, "Shrike internal: alerts lost", SHK_PRIO_CRITICAL, fields, text);
}

/* {"rule","priority","text","fields"} of the gateway. It is our own program, but talks to the network: what it may
 * say is an internal alert, and no other. */
static bool put_note(struct shk_sinks *s, const char *note)
{
	struct json_object *o = parse(shk_str(note)), *fields = NULL;
	struct shk_str rule = shk_text_member(o, "rule"), text = shk_text_member(o, "text");
	enum shk_priority priority;
	char name[128], line[1024];
	bool ok = true;

	if (o && rule.n && shk_priority_parse(shk_text_member(o, "priority"), &priority)) {
		snprintf(name, sizeof(name), "Shrike internal: " SHK_STR_FMT, SHK_STR_ARG(rule));
		snprintf(line, sizeof(line), SHK_STR_FMT, SHK_STR_ARG(text));
		/* Members are added to it, for which json-c aborts on what is no object. */
		if (json_object_object_get_ex(o, "fields", &fields) && !json_object_is_type(fields, json_type_object))
			fields = NULL;
		ok = put_own(s, name, priority, json_object_get(fields), line);
	}
	json_object_put(o);
	return ok;
}

static bool may_note(struct shk_sink *k)
{
	uint64_t now = shk_now_mono();

	k->notes_credit = SHK_MIN(k->notes_credit + (k->notes_at ? now - k->notes_at : UINT32_MAX * SHK_NS_PER_S),
				  NOTES_BURST * NOTE_EVERY);
	k->notes_at = now;
	return k->notes_credit >= NOTE_EVERY;
}

/* Those of the gateway that are too many are no alerts, but how many they were is one. */
static void report_left_out(struct shk_sinks *s, struct shk_sink *k)
{
	struct json_object *fields;
	char text[128];

	if (!k->notes_lost || !may_note(k))
		return;
	fields = json_object_new_object();
	if (!fields)
		return;
	json_object_object_add(fields, "count", json_object_new_uint64(k->notes_lost));
	snprintf(text, sizeof(text), "%" PRIu64 " alerts that the gateway asked for were left out: too many at once",
		 k->notes_lost);
	k->notes_credit -= NOTE_EVERY;
	if (put_own(s, "Shrike internal: gateway alerts left out", SHK_PRIO_WARNING, fields, text))
		k->notes_lost = 0;
}

static void report_notes(struct shk_sinks *s, struct shk_sink *k)
{
	size_t said = 0;

	report_left_out(s, k);
	while (said < k->n_notes) {
		if (!may_note(k))
			k->notes_lost++;
		else if (put_note(s, k->notes[said]))
			k->notes_credit -= NOTE_EVERY;
		else
			break;
		free(k->notes[said++]);
	}
	memmove(k->notes, k->notes + said, (k->n_notes - said) * sizeof(*k->notes));
	k->n_notes -= said;
}

/* A sink that sends again, with its queue at least half empty. */
static void report_sink(struct shk_sinks *s, struct shk_sink *k, uint64_t now)
{
	_cleanup_free_ char *text = NULL;

	if (!k->unreported || atomic_load(&k->sent) <= k->sent_at_drop ||
	    k->queue.bytes > k->queue.max_bytes / 2 ||
	    now - k->reported_at < REPORT_EVERY)
		return;
	if (asprintf(&text, "Alerts were lost: output %s could not take %" PRIu64 " of them", k->name,
		     k->unreported) < 0) {
		text = NULL;
		return;
	}
	k->reported_at = now;
	if (put_lost(s, k->name, k->unreported, text))
		k->unreported = 0;
}

/* What a gateway had in memory when it ended. */
static void report_gone(struct shk_sinks *s, struct shk_sink *k, uint64_t now)
{
	char text[160];

	if (!k->gone || now - k->gone_at < REPORT_EVERY)
		return;
	snprintf(text, sizeof(text), "Alerts were lost: up to %" PRIu64 " of them were in the gateway's memory when it ended, as its "
		 "spool could not be written", k->gone);
	k->gone_at = now;
	if (put_lost(s, k->name, k->gone, text))
		k->gone = 0;
}

/* One that cannot read its configuration or its secrets is not there: outputs on this machine tell of it. The way to it
 * is there before it is: only its word counts. */
static void report_absent(struct shk_sinks *s, struct shk_sink *k, uint64_t now)
{
	if (k->ops != &shk_sink_gateway)
		return;
	if (k->fd >= 0 && k->greeted) {
		k->absent_at = 0;
		if (k->absent_told && put_own(s, "Shrike internal: gateway works again", SHK_PRIO_NOTICE, NULL,
					      "Outputs over the network are served again"))
			k->absent_told = false;
		return;
	}
	if (!k->absent_at)
		k->absent_at = now;
	if (now - k->absent_at < ABSENT_NS)
		return;
	atomic_store(&k->error, ENOTCONN);
	if (k->absent_told)
		return;
	k->absent_told = put_own(s, "Shrike internal: no gateway", SHK_PRIO_ERROR, NULL,
				 "Outputs over the network take no alerts: shrike-gateway does not run; its log, or "
				 "shrike-gateway --check, says why");
	/* Perhaps there never is another one that this would be told for. */
	if (k->absent_told)
		shk_sink_gateway_gone(k);
}

/* Some of them may have arrived, if the engine died just then. */
static bool put_left(struct shk_sinks *s)
{
	_cleanup_free_ char *text = NULL;

	if (asprintf(&text, "Alerts were lost: an output did not get up to %" PRIu64 " of them before the engine ended",
		     s->left) < 0) {
		text = NULL;
		return false;
	}
	return put_lost(s, "engine", s->left, text);
}

static void report(struct shk_sinks *s)
{
	uint64_t lost = shk_journal_lost_alerts(s->journal) - s->refused, now = shk_now_mono();
	_cleanup_free_ char *text = NULL;

	if (s->left && put_left(s)) {
		s->left = 0;
		shk_journal_set_owed(s->journal, s->owed);
	}
	/* A new engine begins at zero: rather twice than never. */
	for (size_t i = 0; i < s->n; i++) {
		report_sink(s, s->sink[i], now);
		report_gone(s, s->sink[i], now);
		report_absent(s, s->sink[i], now);
		report_notes(s, s->sink[i]);
	}
	if (lost == s->lost_reported || now - s->lost_at < REPORT_EVERY)
		return;
	if (asprintf(&text,
		     "Alerts were lost: the queue was full for %" PRIu64 " of them (%" PRIu64
		     " since it was made)",
		     lost - s->lost_reported, lost) < 0) {
		text = NULL;
		return;
	}
	s->lost_at = now;
	if (put_lost(s, "queue", lost - s->lost_reported, text))
		s->lost_reported = lost;
}

/* ---- the thread ---- */

static int timeout_ms(const struct shk_sinks *s, uint64_t now)
{
	uint64_t until = now + IDLE_MS * 1000000ull, t;

	if (atomic_load(&s->stop))
		until = SHK_MIN(until, atomic_load(&s->stop_at));
	for (size_t i = 0; i < s->n; i++) {
		t = s->sink[i]->retry_at;
		if (t && t != UINT64_MAX && (s->sink[i]->fd < 0 || !shk_sink_idle(s->sink[i])))
			until = SHK_MIN(until, t);
		t = s->sink[i]->kill_at;
		if (t)
			until = SHK_MIN(until, t);
	}
	return until <= now ? 0 : (int)((until - now + 999999) / 1000000);
}

/* Under a storm the writer, and the gateway behind it, would be woken for each alert, which costs the callers of the
 * calls more than the alerts do. So whatever comes within a few ms of what came before it goes out together; the first
 * one after a silence goes at once, and a sink that waits for its reader is not kept waiting. */
static void pace(struct shk_sinks *s)
{
	uint64_t now = shk_now_mono(), until = s->woke + PACE_NS;

	for (size_t i = 0; i < s->n; i++)
		if (s->sink[i]->waiting)
			return;
	if (now < until && !atomic_load(&s->stop))
		nanosleep(&(struct timespec){ .tv_nsec = (long)(until - now) }, NULL);
}

static void wait_for_work(struct shk_sinks *s)
{
	struct pollfd pfd[SINKS_MAX + 1] = { { .fd = s->kick, .events = POLLIN } };
	uint64_t count;

	for (size_t i = 0; i < s->n; i++) {
		struct shk_sink *k = s->sink[i];

		/* poll leaves negative descriptors out */
		pfd[i + 1].fd = k->waiting || k->ops->watch || k->ops->acks ? k->fd : -1;
		pfd[i + 1].events = (short)((k->waiting ? POLLOUT : 0) | (k->ops->acks ? POLLIN : 0));
	}
	if (poll(pfd, (nfds_t)s->n + 1, timeout_ms(s, shk_now_mono())) <= 0)
		return;
	if (pfd[0].revents && read(s->kick, &count, sizeof(count)) < 0)
		return;
	for (size_t i = 0; i < s->n; i++) {
		if (pfd[i + 1].revents & ~POLLIN)
			s->sink[i]->waiting = false;
		if (s->sink[i]->ops->watch && (pfd[i + 1].revents & (POLLERR | POLLHUP | POLLNVAL)))
			shk_sink_close(s->sink[i], false, 0);
	}
}

static void reopen(struct shk_sinks *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (!s->sink[i]->ops->reopens)
			continue;
		if (s->sink[i]->fd >= 0)
			shk_sink_close(s->sink[i], false, 0);
		s->sink[i]->retry_at = 0;
	}
}

/* One round. Returns whether there is more to do at once; *ret_end: there is nothing left at all, or
 * nobody to do it for. */
static bool round_of(struct shk_sinks *s, bool *ret_end)
{
	bool more = false, idle = true;

	atomic_store(&s->kicked, false);
	if (atomic_exchange(&s->reopen, false))
		reopen(s);
	pthread_mutex_lock(&s->life);
	if (!s->abandoned)
		more = read_ring(s);
	pthread_mutex_unlock(&s->life);
	for (size_t i = 0; i < s->n; i++) {
		more |= shk_sink_step(s->sink[i], SEND_BATCH);
		idle &= shk_sink_idle(s->sink[i]);
	}
	pthread_mutex_lock(&s->life);
	if (!s->abandoned) {
		release(s);
		report(s);
	}
	*ret_end = s->abandoned || (idle && !more);
	pthread_mutex_unlock(&s->life);
	return more;
}

static void *writer(void *arg)
{
	struct shk_sinks *s = arg;
	uint64_t until;

	for (;;) {
		/* Read before the round: what was committed before the stop is then in it. */
		bool stop = atomic_load(&s->stop), end;
		bool more = round_of(s, &end);

		if (stop && (end || shk_now_mono() >= atomic_load(&s->stop_at)))
			break;
		if (more)
			continue;
		pace(s);
		wait_for_work(s);
		s->woke = shk_now_mono();
	}
	until = atomic_load(&s->stop_at);
	for (size_t i = 0; i < s->n; i++)
		shk_sink_close(s->sink[i], true, until);
	return NULL;
}

/* ---- for the engine ---- */

static void sinks_free(struct shk_sinks *s)
{
	struct shk_line *l;

	if (!s)
		return;
	while ((l = TAILQ_FIRST(&s->held))) {
		TAILQ_REMOVE(&s->held, l, link);
		shk_line_unref(l);
	}
	while ((l = TAILQ_FIRST(&s->owing.lines))) {
		TAILQ_REMOVE(&s->owing.lines, l, link);
		l->owing = NULL;
		shk_line_unref(l);
	}
	for (size_t i = 0; i < s->n; i++)
		shk_sink_free(s->sink[i]);
	shk_buf_done(&s->in);
	pthread_mutex_destroy(&s->life);
	shk_close(&s->kick);
	free(s);
}
SHK_DEFINE_CLEANUP(struct shk_sinks, sinks_free)

static int start_thread(struct shk_sinks *s, struct shk_err *err)
{
	sigset_t all, saved;
	int rc;

	/* Signals are for the main thread; SIGPIPE and SIGXFSZ of our writes are for nobody. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	rc = pthread_create(&s->thread, NULL, writer, s);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return rc ? shk_err_sys(err, rc, "thread of the alert writer") : 0;
}

int shk_sinks_start(const struct shk_sink_config *cfg, size_t n, struct shk_journal *j,
		    void (*on_line)(struct shk_str record, void *arg), void *arg,
		    struct shk_sinks **ret, struct shk_err *err)
{
	SHK_CLEANUP(sinks_freep) struct shk_sinks *s = calloc(1, sizeof(*s));
	uint64_t now = shk_now_mono();
	int rc;

	if (!s)
		return shk_err_sys(err, ENOMEM, "alert writer");
	s->kick = -1;
	s->journal = j;
	s->on_line = on_line;
	s->arg = arg;
	TAILQ_INIT(&s->held);
	TAILQ_INIT(&s->owing.lines);
	s->left = shk_journal_owed(j);
	pthread_mutex_init(&s->life, NULL);
	shk_buf_init(&s->in, SHK_JOURNAL_ALERT_MAX);
	if (n > SINKS_MAX)
		return shk_err_set(err, E2BIG, "%zu outputs, at most %d are possible", n, SINKS_MAX);
	gethostname(s->hostname, sizeof(s->hostname) - 1);
	snprintf(s->origin, sizeof(s->origin), "writer-%" PRIu64, shk_journal_epoch(j));
	s->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->kick < 0)
		return shk_err_sys(err, errno, "alert writer");
	for (; s->n < n; s->n++) {
		rc = shk_sink_new(&cfg[s->n], &s->sink[s->n], err);
		if (rc < 0)
			return rc;
		s->sink[s->n]->boot = shk_frame_boot(shk_journal_boot(j));
	}
	/* Now, so that the statistics tell from the first moment; a failure is tried again. */
	for (size_t i = 0; i < s->n; i++)
		shk_sink_open(s->sink[i], now, NULL);
	rc = start_thread(s, err);
	if (rc < 0) {
		for (size_t i = 0; i < s->n; i++)
			shk_sink_close(s->sink[i], true, 0);
		return rc;
	}
	*ret = TAKE_PTR(s);
	return 0;
}

void shk_sinks_kick(struct shk_sinks *s)
{
	uint64_t one = 1;

	if (!atomic_exchange(&s->kicked, true) && write(s->kick, &one, sizeof(one)) < 0)
		return; /* full: it is awake then */
}

void shk_sinks_reopen(struct shk_sinks *s)
{
	atomic_store(&s->reopen, true);
	shk_sinks_kick(s);
}

static struct shk_sink *gateway_of(struct shk_sinks *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->sink[i]->ops == &shk_sink_gateway)
			return s->sink[i];
	return NULL;
}

void shk_sinks_gateway(struct shk_sinks *s, int fd)
{
	struct shk_sink *k = gateway_of(s);

	if (k)
		fd = atomic_exchange(&k->offered, fd);
	shk_close(&fd);
	shk_sinks_kick(s);
}

void shk_sinks_gateway_status(struct shk_sinks *s, char *text)
{
	struct shk_sink *k = gateway_of(s);

	if (k) {
		char *old;

		pthread_mutex_lock(&k->status_lock);
		old = k->status;
		k->status = text;
		pthread_mutex_unlock(&k->status_lock);
		text = old;
		shk_sinks_kick(s);
	}
	free(text);
}

char *shk_sinks_gateway_outputs(struct shk_sinks *s)
{
	struct shk_sink *k = gateway_of(s);
	char *copy;

	if (!k)
		return NULL;
	pthread_mutex_lock(&k->status_lock);
	copy = k->outputs ? strdup(k->outputs) : NULL;
	pthread_mutex_unlock(&k->status_lock);
	return copy;
}

void shk_sinks_stop(struct shk_sinks *s, int timeout)
{
	struct timespec ts;
	uint64_t until;

	if (!s)
		return;
	atomic_store(&s->stop_at, shk_now_mono() + (uint64_t)SHK_MAX(timeout, 0) * 1000000);
	atomic_store(&s->stop, true);
	shk_sinks_kick(s);
	until = shk_now_real() + (uint64_t)SHK_MAX(timeout, 0) * 1000000 + STOP_GRACE_NS;
	ts.tv_sec = (time_t)(until / SHK_NS_PER_S);
	ts.tv_nsec = (long)(until % SHK_NS_PER_S);
	if (pthread_timedjoin_np(s->thread, NULL, &ts) == 0) {
		sinks_free(s);
		return;
	}
	/* It hangs in the kernel (a dead network filesystem): its memory must outlive it, and it must not
	 * touch the engine's again. What it has not written is still in the ring. */
	pthread_mutex_lock(&s->life);
	s->abandoned = true;
	pthread_mutex_unlock(&s->life);
	pthread_detach(s->thread);
}

size_t shk_sinks_stats(struct shk_sinks *s, struct shk_sink_stats *out, size_t room)
{
	size_t n = SHK_MIN(s->n, room);

	for (size_t i = 0; i < n; i++) {
		struct shk_sink *k = s->sink[i];

		out[i] = (struct shk_sink_stats){
			.name = k->name,
			.sent = atomic_load(&k->sent),
			.failed = atomic_load(&k->failed),
			.dropped = atomic_load(&k->dropped),
			.error = atomic_load(&k->error),
			.exit_status = atomic_load(&k->exit_status),
			.restarts = atomic_load(&k->restarts),
		};
	}
	return n;
}
