// SPDX-License-Identifier: Apache-2.0
#include "shrike-gateway/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "alerts/print.h"
#include "alerts/sink.h"
#include "base/log.h"
#include "shriked/keeper_proto.h"
#include "shrike-gateway/shape.h"
#include "shrike-gateway/transfer.h"

#define NS_PER_S     1000000000ull
#define TICK	     NS_PER_S
#define TELL_EVERY   (10 * NS_PER_S)
#define TELL_AGAIN   (60 * NS_PER_S)
#define TELL_FIRST   (5 * NS_PER_S) /* what an earlier gateway told of comes first */
#define FAILING_TELL (300 * NS_PER_S) /* an output that took nothing for so long is worth an alert */
#define END_MS	     2000	      /* for what is on its way when we are asked to end */
#define ASIDE_MAX    (1u << 20)
#define ROUNDS	     64 /* messages in a row, before the engine is heard again */

/* ---- opening ---- */

/* A directory of before: its owner decides what is sent, and whoever else can write there. */
static int check_dir(const char *path, unsigned uid, unsigned gid, struct shk_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return shk_err_sys(err, errno, "spool_dir %s", path);
	if (geteuid() == 0 && st.st_uid != uid)
		return shk_err_set(err, EPERM, "spool_dir %s belongs to user %u: chown -R %u:%u %s", path,
				   (unsigned)st.st_uid, uid, gid, path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return shk_err_set(err, EPERM, "spool_dir %s: others than its owner can write there; chmod 0700 it", path);
	return 0;
}

static int make_dir(const char *path, unsigned uid, unsigned gid, struct shk_err *err)
{
	char parent[4096];
	char *slash;
	int rc;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = 0;
		rc = shk_mkdirs(parent, 0755);
		if (rc < 0)
			return shk_err_sys(err, -rc, "directory %s", parent);
	}
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? check_dir(path, uid, gid, err) :
					 shk_err_sys(err, errno, "directory %s", path);
	if (geteuid() == 0 && lchown(path, uid, gid) < 0)
		return shk_err_sys(err, errno, "directory %s", path);
	return 0;
}

int shk_gateway_prepare(struct shk_gateway *g, unsigned uid, unsigned gid, struct shk_err *err)
{
	int rc;

	g->outlet = calloc(g->cfg->n_outputs + 1, sizeof(*g->outlet));
	if (!g->outlet)
		return shk_err_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < g->cfg->n_outputs; i++) {
		const struct shk_sink_config *s = &g->cfg->outputs[i];

		if (!shk_config_is_network(s))
			continue;
		g->outlet[g->n].cfg = s;
		g->outlet[g->n].file = -1;
		rc = shk_secrets_read(&s->net, &g->outlet[g->n].secrets, err);
		if (rc < 0)
			return shk_err_prefix(err, "output %s", s->net.name);
		g->outlet[g->n].told_at = shk_now_mono() - TELL_EVERY + TELL_FIRST;
		g->n++;
	}
	/* Without it alerts are in memory, and that is told. */
	if (make_dir(g->cfg->spool_dir, uid, gid, err) < 0)
		shk_error("%s", err->text);
	shk_http_bind(g, uid, gid);
	return 0;
}

static void on_dropped(const struct shk_spool_item *it, void *arg)
{
	struct shk_gateway *g = arg;

	for (size_t i = 0; i < g->n; i++)
		shk_outlet_dropped(&g->outlet[i], it);
}

static void on_dropping(bool whole, uint64_t upto, uint64_t segment, uint32_t rank, void *arg)
{
	struct shk_gateway *g = arg;

	for (size_t i = 0; i < g->n; i++) {
		struct shk_outlet *o = &g->outlet[i];

		if (whole && o->kept.next < upto)
			o->kept.next = upto;
		if (whole && o->work.next < upto)
			o->work.next = upto;
		if (!whole) {
			o->kept.drop_segment = segment;
			o->kept.drop_rank = rank;
		}
		shk_outlet_save_synced(o);
	}
}

/* A bit of their own for outlets that have none, or one that two have. next: the spool's next record. */
static void give_bits(struct shk_gateway *g, uint64_t next)
{
	uint32_t used = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct shk_outlet *o = &g->outlet[i];

		if (o->kept.bit < 32 && !(used & 1u << o->kept.bit))
			used |= 1u << o->kept.bit;
		else
			o->kept.bit = 32;
	}
	for (size_t i = 0; i < g->n; i++)
		for (uint32_t bit = 0; g->outlet[i].kept.bit == 32 && bit < 32; bit++)
			if (!(used & 1u << bit)) {
				shk_outlet_give_bit(&g->outlet[i], bit, next);
				used |= 1u << bit;
			}
}

/* A dropping that a gateway before did not end. Outlets whose file names it have counted it. */
static void finish_drops(struct shk_gateway *g)
{
	struct {
		uint64_t segment, rank, dropped;
	} was[SHK_OUTPUTS_MAX];

	for (size_t i = 0; i < g->n; i++) {
		was[i].segment = g->outlet[i].kept.drop_segment;
		was[i].rank = g->outlet[i].kept.drop_rank;
	}
	for (size_t i = 0; i < g->n; i++) {
		uint64_t segment = was[i].segment, rank = was[i].rank;

		for (size_t k = 0; k < i; k++)
			if (was[k].segment == segment && was[k].rank == rank)
				segment = 0;
		if (!segment)
			continue;
		for (size_t k = 0; k < g->n; k++)
			was[k].dropped = g->outlet[k].kept.dropped;
		shk_spool_finish_drop(g->spool, segment, (uint32_t)rank);
		for (size_t k = i; k < g->n; k++)
			if (was[k].segment == segment && was[k].rank == rank)
				g->outlet[k].kept.dropped = g->outlet[k].work.dropped = was[k].dropped;
	}
	/* Done: a segment of that name may come again, and what is dropped from it then counts. */
	for (size_t i = 0; i < g->n; i++) {
		struct shk_outlet *o = &g->outlet[i];

		o->kept.drop_segment = o->kept.drop_rank = 0;
		o->work.drop_segment = o->work.drop_rank = 0;
	}
}

int shk_gateway_open(struct shk_gateway *g, struct shk_err *err)
{
	const struct shk_spool_ops ops = { on_dropped, on_dropping, g };
	struct shk_err why = { 0 };
	struct shk_spool_state st;
	sigset_t set;
	int rc = shk_spool_open(g->cfg->spool_dir, g->cfg->spool_max_bytes, g->cfg->spool_max_age, &ops,
				&g->spool, &why);

	if (rc < 0)
		return shk_err_set(err, -rc, "%s", why.text[0] ? why.text : "out of memory");
	if (why.text[0])
		shk_error("%s: alerts are kept in memory alone until it can be used", why.text);
	shk_spool_state(g->spool, &st);
	for (size_t i = 0; i < g->n; i++) {
		struct shk_outlet *o = &g->outlet[i];

		shk_outlet_load(o, shk_spool_dir(g->spool), o->cfg->net.name, st.next);
	}
	give_bits(g, st.next);
	for (size_t i = 0; i < g->n; i++) {
		struct shk_outlet *o = &g->outlet[i];

		/* Numbers begin anew when the spool was removed. */
		o->kept.next = SHK_MIN(o->kept.next, st.next);
		o->kept.unmasked = SHK_MIN(o->kept.unmasked, st.next);
		o->work = o->kept;
		o->stale = true;
		rc = shk_transfer_new(o, err);
		if (rc < 0)
			return rc;
	}
	finish_drops(g);
	for (size_t i = 0; i < g->n; i++)
		shk_outlet_save(&g->outlet[i]);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	g->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (g->signals < 0)
		return shk_err_sys(err, errno, "signals");
	g->started = shk_now_real();
	shk_http_open(g);
	return 0;
}

void shk_gateway_close(struct shk_gateway *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct shk_outlet *o = &g->outlet[i];

		shk_transfer_free(o, g->multi);
		shk_outlet_forget_batch(o);
		for (size_t k = 0; k < SHK_FOLDS; k++)
			shk_fold_forget(o, k);
		shk_buf_done(&o->body);
		shk_secrets_done(&o->secrets);
		shk_close(&o->file);
	}
	free(g->outlet);
	shk_http_close(g);
	if (g->spool)
		shk_spool_close(g->spool);
	for (size_t i = 0; i < g->n_notes; i++)
		free(g->notes[i].text);
	free(g->status);
	shk_close(&g->engine);
	shk_close(&g->signals);
}

/* ---- outlets ---- */

/* A message that its peer does not want, for people to look at. */
static void set_aside(struct shk_gateway *g, struct shk_outlet *o, struct shk_str record, bool internal, const char *why)
{
	int dir = shk_spool_dir(g->spool);
	_cleanup_close_ int fd = -1;
	char name[128], old[128];
	struct stat st;

	snprintf(name, sizeof(name), "set-aside-%s.json", o->cfg->net.name);
	snprintf(old, sizeof(old), "set-aside-%s.json.old", o->cfg->net.name);
	if (dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > ASIDE_MAX)
		renameat(dir, name, dir, old);
	if (dir >= 0)
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || shk_write_all(fd, record.p, record.n) < 0)
		shk_error("a refused alert cannot be kept in %s", name);
	if (internal) { /* an alert about it could be refused as well */
		shk_warning("output %s refuses an alert of Shrike about itself: %s", o->cfg->net.name, why);
		return;
	}
	o->aside++;
	snprintf(o->aside_why, sizeof(o->aside_why), "%s", why);
}

static void refused(struct shk_gateway *g, struct shk_outlet *o, uint64_t now, const char *why)
{
	struct shk_print_caps caps = { .str = SHK_JOURNAL_ALERT_MAX, .items = SHK_JOURNAL_ALERT_MAX };
	_cleanup_buf_ struct shk_buf record = { 0 };
	bool internal = shk_outlet_is_internal(o);

	shk_buf_init(&record, 4 * SHK_JOURNAL_ALERT_MAX);
	if (o->n == 1) {
		if (o->raw)
			shk_buf_adds(&record, o->raw);
		else
			shk_print_json(&record, o->batch[0], &caps);
		shk_buf_addc(&record, '\n');
	}
	if (shk_outlet_refused(o, now, why))
		set_aside(g, o, shk_buf_view(&record), internal, why);
}

static void send_batch(struct shk_gateway *g, struct shk_outlet *o, uint64_t now)
{
	int rc = shk_shape(o);

	if (rc < 0) {
		refused(g, o, now, "it cannot be put into this output's form");
		return;
	}
	if (shk_transfer_start(o, g->multi) < 0)
		shk_outlet_failed(o, now, "out of memory");
	else
		o->state = SHK_OUTLET_SENDS;
}

static void drive(struct shk_gateway *g, struct shk_outlet *o, uint64_t now, uint64_t real)
{
	if (o->state == SHK_OUTLET_SENDS || (o->state == SHK_OUTLET_WAITS && now < o->until))
		return;
	if (o->state == SHK_OUTLET_WAITS && o->n) {
		send_batch(g, o, now);
		return;
	}
	o->state = SHK_OUTLET_READY;
	if (!g->ends && shk_outlet_collect(o, g->spool, now, real))
		send_batch(g, o, now);
}

/* Returns whether any had. */
static bool ended(struct shk_gateway *g, uint64_t now)
{
	bool any = false;
	enum shk_outcome how;
	struct shk_outlet *o;
	char why[512];

	while ((o = shk_transfer_ended(g->multi, &how, why, sizeof(why)))) {
		any = true;
		o->state = SHK_OUTLET_READY;
		if (how == SHK_DELIVERED) {
			if (o->failing_told)
				shk_link_tell(g, "output works again", "Notice", o->cfg->net.name, 0,
					      "Output %s takes alerts again", o->cfg->net.name);
			o->failing_told = false;
			shk_outlet_delivered(o);
		} else {
			if (!o->failing_since)
				shk_warning("output %s: %s; tried again", o->cfg->net.name, why);
			if (how == SHK_REFUSED)
				refused(g, o, now, why);
			else
				shk_outlet_failed(o, now, why);
		}
	}
	return any;
}

/* A peer that is near answers before we could wait for it: as long as that happens the next message follows. */
static void transfer(struct shk_gateway *g, uint64_t now, uint64_t real)
{
	unsigned rounds = 0;
	bool more;

	do {
		int running;

		curl_multi_perform(g->multi, &running);
		more = ended(g, now);
		for (size_t i = 0; i < g->n; i++)
			drive(g, &g->outlet[i], now, real);
		curl_multi_perform(g->multi, &running);
	} while ((ended(g, now) || more) && ++rounds < ROUNDS);
	/* What ended last has its successor at the next turn, which must not wait. */
	g->busy = rounds == ROUNDS;
}

/* ---- what is told ---- */

/* A note that the engine did not take yet. */
static bool waits_to_tell(const struct shk_gateway *g, const struct shk_outlet *o)
{
	for (size_t i = 0; i < g->n_notes; i++)
		if (g->notes[i].lost_of == o)
			return true;
	return false;
}

static void tell_lost(struct shk_gateway *g, struct shk_outlet *o, uint64_t now, uint64_t lost)
{
	struct shk_note *note =
		shk_link_tell(g, "alerts lost", "Critical", o->cfg->net.name, lost,
			      "Alerts were lost: output %s did not take %" PRIu64 " of them before the bound of the spool",
			      o->cfg->net.name, lost);

	if (!note)
		return;
	note->lost_of = o;
	note->lost = lost;
	o->told_at = now;
}

static void tell_aside(struct shk_gateway *g, struct shk_outlet *o, uint64_t now)
{
	o->aside_at = now;
	if (shk_link_tell(g, SHK_ASIDE_RULE, "Error", o->cfg->net.name, o->aside,
			  "Output %s refused %" PRIu64 " alerts, which are set aside (set-aside-%s.json in the spool): %s",
			  o->cfg->net.name, o->aside, o->cfg->net.name, o->aside_why))
		o->aside = 0;
}

static void tell(struct shk_gateway *g, uint64_t now)
{
	struct shk_spool_state st;

	for (size_t i = 0; i < g->n; i++) {
		struct shk_outlet *o = &g->outlet[i];
		uint64_t lost;

		/* The engine that was told has ended before it made an alert of it. */
		if (o->telling && now - o->told_at >= TELL_AGAIN)
			o->telling = 0;
		lost = o->kept.dropped - o->kept.told - o->telling;
		if (lost && now - o->told_at >= TELL_EVERY && !waits_to_tell(g, o))
			tell_lost(g, o, now, lost);
		if (o->aside && now - o->aside_at >= TELL_EVERY)
			tell_aside(g, o, now);
		if (o->failing_since && now - o->failing_since >= FAILING_TELL && !o->failing_told) {
			o->failing_told = true;
			shk_link_tell(g, "output fails", "Error", o->cfg->net.name, o->failures,
				      "Output %s takes no alerts: %s", o->cfg->net.name, o->error);
		}
	}
	shk_spool_state(g->spool, &st);
	if (st.spoilt > g->spool_spoilt &&
	    shk_link_tell(g, "spool damaged", "Error", "spool", st.spoilt - g->spool_spoilt,
			  "Alerts may be lost: %" PRIu64 " files in %s are spoilt or cannot be read; what is whole in them is "
			  "sent, and the files are kept (*.bad)", st.spoilt - g->spool_spoilt, g->cfg->spool_dir))
		g->spool_spoilt = st.spoilt;
	if (st.again && !g->ends) {
		shk_notice("%s: starting again, to begin with what is in it", g->cfg->spool_dir);
		g->ends = true;
		g->exit_code = SHK_GATEWAY_EXIT_AGAIN;
	}
	if (st.error != g->spool_error) {
		if (st.error)
			shk_link_tell(g, "spool unusable", "Critical", "spool", 0,
				      "Alerts are kept in memory alone, as %s cannot be written: %s",
				      g->cfg->spool_dir, strerror(st.error));
		else
			shk_link_tell(g, "spool usable", "Notice", "spool", 0,
				      "Alerts are kept on disk again, in %s", g->cfg->spool_dir);
		g->spool_error = st.error;
	}
}

static void save_and_trim(struct shk_gateway *g)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < g->n; i++) {
		if (g->outlet[i].dirty)
			shk_outlet_save(&g->outlet[i]);
		least = SHK_MIN(least, shk_outlet_needs(&g->outlet[i]));
	}
	shk_spool_trim(g->spool, least);
}

/* ---- the loop ---- */

/* Each packet of the keeper brings a way to an engine; the newest counts. */
static void on_keeper(struct shk_gateway *g)
{
	for (;;) {
		char c;
		int fd = -1;
		size_t nfds = 1;
		ssize_t n = shk_recv_fds(g->keeper, &c, 1, &fd, &nfds, MSG_DONTWAIT);

		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n <= 0) {
			g->ends = true;
			return;
		}
		if (!nfds) { /* the kernel had no room for it */
			g->engine_gone = true;
			continue;
		}
		/* What the engine before had sent counts. */
		while (g->engine >= 0 && !g->held) {
			struct pollfd p = { .fd = g->engine, .events = POLLIN };

			if (poll(&p, 1, 0) <= 0)
				break;
			shk_link_read(g);
		}
		shk_close(&g->engine);
		g->held = false;
		g->acked = 0;
		g->engine = fd;
		g->engine_gone = false;
		g->at_risk = 0;
		shk_link_hello(g);
	}
}

/* A configuration that can be read is taken over by the next gateway, which the keeper starts at once; secrets can
 * only be read with its rights. */
static void reload(struct shk_gateway *g)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *c = NULL;
	struct shk_err err = { 0 };

	if (shk_config_load(g->config_path, &c, &err) < 0 && err.errnum != EACCES && err.errnum != EPERM) {
		shk_error("reload: %s; the outputs of before stay", err.text);
		return;
	}
	g->ends = true;
	g->exit_code = SHK_GATEWAY_EXIT_AGAIN;
}

static void on_signal(struct shk_gateway *g)
{
	struct signalfd_siginfo si;

	while (read(g->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGHUP) {
			reload(g);
		} else {
			g->ends = true;
			g->exit_code = 0;
		}
	}
}

static int wait_ms(const struct shk_gateway *g, uint64_t now)
{
	uint64_t until = g->busy ? now : g->ticked + TICK;

	for (size_t i = 0; i < g->n; i++) {
		const struct shk_outlet *o = &g->outlet[i];

		if (o->state != SHK_OUTLET_SENDS && o->until)
			until = SHK_MIN(until, o->until);
	}
	return until <= now ? 0 : (int)((until - now + 999999) / 1000000);
}

static bool is_sending(const struct shk_gateway *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->outlet[i].state == SHK_OUTLET_SENDS)
			return true;
	return false;
}

int shk_gateway_serve(struct shk_gateway *g)
{
	uint64_t ends_at = 0;

	for (;;) {
		struct curl_waitfd fds[4] = { { .fd = g->signals, .events = CURL_WAIT_POLLIN } };
		uint64_t now = shk_now_mono(), real = shk_now_real();
		unsigned n = 1;

		if (g->keeper >= 0 && !g->ends)
			fds[n++] = (struct curl_waitfd){ .fd = g->keeper, .events = CURL_WAIT_POLLIN };
		if (g->engine >= 0 && !g->held)
			fds[n++] = (struct curl_waitfd){ .fd = g->engine, .events = CURL_WAIT_POLLIN };
		if (shk_http_fd(g) >= 0)
			fds[n++] = (struct curl_waitfd){ .fd = shk_http_fd(g), .events = CURL_WAIT_POLLIN };
		curl_multi_poll(g->multi, fds, n, wait_ms(g, now), NULL);
		now = shk_now_mono();
		on_signal(g);
		if (g->keeper >= 0)
			on_keeper(g);
		if (g->engine >= 0)
			shk_link_read(g);
		shk_http_run(g);
		transfer(g, now, real);
		if (now - g->ticked >= TICK) {
			g->ticked = now;
			/* Before alerts get from memory to the disk: without these files the next gateway would take
			 * its outputs for new ones, and begin behind them. */
			for (size_t i = 0; i < g->n; i++)
				shk_outlet_mend(&g->outlet[i], shk_spool_dir(g->spool), g->outlet[i].cfg->net.name);
			shk_spool_tick(g->spool, real);
			tell(g, now);
			shk_link_outputs(g);
			shk_http_open(g);
		}
		save_and_trim(g);
		shk_link_ack(g);
		shk_link_notes(g);
		shk_link_gone(g);
		if (g->ends && !ends_at)
			ends_at = now + END_MS * 1000000ull;
		if (g->ends && (!is_sending(g) || now >= ends_at))
			return g->exit_code;
	}
}
