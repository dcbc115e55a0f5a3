// SPDX-License-Identifier: Apache-2.0
/*
 * The engine as a whole: made, run, reloaded, ended.
 */
#include "engine/engine.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/gate.h"
#include "engine/internal.h"
#include "engine/observer.h"
#include "engine/porter.h"
#include "sources/notify/notify.h"

#define TICK_NS	      100000000ull
#define STOP_MS	      2000
#define EXIT_INTERNAL 70 /* EX_SOFTWARE */

uint64_t shk_engine_key(struct shk_engine *g)
{
	/* Never reused, over engines too: microseconds since 1970, made unique. 55 bits last a thousand
	 * years. */
	uint64_t last = atomic_load(&g->last_key), next;

	do {
		next = SHK_MAX(last + 1, shk_now_real() / 1000 & (((uint64_t)1 << 55) - 1));
	} while (!atomic_compare_exchange_weak(&g->last_key, &last, next));
	return next;
}

static void on_record(struct shk_str record, void *arg)
{
	struct shk_engine *g = arg;

	shk_history_add(&g->history, record);
	shk_loop_wake(g->loop);
}

static void on_wake(void *arg)
{
	struct shk_engine *g = arg;
	struct shk_job *j, *next, *list = NULL;

	pthread_mutex_lock(&g->job_lock);
	j = TAKE_PTR(g->jobs_done);
	pthread_mutex_unlock(&g->job_lock);
	for (; j; j = next) { /* oldest first */
		next = j->next;
		j->next = list;
		list = j;
	}
	for (j = list; j; j = next) {
		next = j->next;
		j->done(j);
	}
	if (atomic_load(&g->stopping))
		shk_loop_stop(g->loop, g->exit_code);
	else
		shk_control_events(g);
}

static void tell_held(uint64_t container, struct shk_str rule, uint64_t held, void *arg)
{
	struct shk_engine *g = arg;
	struct shk_entry *e = shk_registry_by_key(g, container);
	struct json_object *fields = json_object_new_object();

	atomic_fetch_add(&g->figures.limited, held);
	if (fields) {
		json_object_object_add(fields, "rule", json_object_new_string_len(rule.p, (int)rule.n));
		json_object_object_add(fields, "count", json_object_new_uint64(held));
	}
	shk_tell(g, e, SHK_PRIO_WARNING, "Shrike internal: alerts held back", fields,
		 "%llu alerts of rule \"" SHK_STR_FMT "\" were held back by the policy's limits",
		 (unsigned long long)held, SHK_STR_ARG(rule));
	shk_entry_unref(e);
}

static void on_tick(struct shk_source *src, void *arg)
{
	struct shk_engine *g = arg;
	uint64_t now = shk_now_mono();
	static const unsigned per_second = 10;
	size_t n;
	_cleanup_free_ struct shk_entry **all = shk_registry_all(g, &n);

	(void)src;
	for (size_t i = 0; i < n; i++) {
		struct shk_listener *ls[SHK_LISTENERS_MAX];
		unsigned nl = 0;

		pthread_mutex_lock(&g->reg_lock);
		for (struct shk_listener *l = all[i]->listeners; l && nl < SHK_ARRAY_SIZE(ls);
		     l = l->next)
			ls[nl++] = shk_listener_ref(l);
		pthread_mutex_unlock(&g->reg_lock);
		for (unsigned k = 0; k < nl; k++) {
			shk_listener_watchdog(ls[k], now);
			shk_listener_unref(ls[k]);
		}
		shk_entry_unref(all[i]);
	}
	if (shk_recorder_on(&g->recorder))
		shk_control_recording(g);
	shk_gate_watchdog(g, now);
	shk_porter_watchdog(g, now);
	if (++g->ticks % per_second == 0) {
		shk_registry_sweep(g);
		shk_limits_report(g->limits, tell_held, g);
		shk_control_tell_gateway(g);
	}
}

static void on_signal(struct shk_source *src, uint32_t events, void *arg)
{
	struct shk_engine *g = arg;
	struct signalfd_siginfo si;
	struct shk_err err = { 0 };

	(void)src;
	(void)events;
	while (read(g->signal_fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo != SIGHUP) {
			shk_engine_stop(g);
		} else if (shk_engine_reload(g, NULL, NULL, &err) < 0) {
			shk_error("reload: %s", err.text);
		}
	}
}

static void nothing(int sig)
{
	(void)sig;
}

static int set_signals(struct shk_engine *g, bool own, struct shk_err *err)
{
	struct sigaction wake = { .sa_handler = nothing }; /* no SA_RESTART: RECV returns EINTR */
	/* Stops of tracees are waited for by the threads that trace them: not this one is to be woken. */
	const struct sigaction quiet = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	sigset_t set;

	sigaction(SIGUSR1, &wake, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (!own)
		return 0;
	sigaction(SIGCHLD, &quiet, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	g->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (g->signal_fd < 0 || !shk_loop_add_io(g->loop, g->signal_fd, EPOLLIN, on_signal, g))
		return shk_err_sys(err, errno, "signals");
	return 0;
}

static int open_journal(struct shk_engine *g, struct shk_err *err)
{
	if (g->journal_fd < 0)
		g->journal_fd = shk_journal_create(err);
	if (g->journal_fd < 0)
		return g->journal_fd;
	return shk_journal_open(g->journal_fd, &g->journal, err);
}

static int load_policies(struct shk_engine *g, bool must, struct shk_err *err)
{
	struct shk_err why = { 0 };
	int r = shk_armoury_load(g->cfg, &g->arm, must ? err : &why);

	if (r == 0 || must)
		return r;
	shk_error("policies: %s", why.text);
	r = shk_armoury_fallback(g->cfg, why.text, &g->arm, err);
	if (r == 0)
		shk_tell(g, NULL, SHK_PRIO_EMERGENCY, "Shrike internal: broken policies", NULL,
			 "The policies cannot be loaded: new containers are refused, running ones are "
			 "observed with the built-in policy (%s)", why.text);
	return r;
}

static char *host_name(const struct shk_config *cfg)
{
	char buf[256] = "localhost";

	if (cfg->hostname && *cfg->hostname)
		return strdup(cfg->hostname);
	(void)gethostname(buf, sizeof(buf) - 1);
	return strdup(buf);
}

/* What goes over the network is the gateway's, and that is the keeper's child. */
static int start_sinks(struct shk_engine *g, struct shk_err *err)
{
	struct shk_sink_config local[SHK_OUTPUTS_MAX + 1] = { 0 };
	struct shk_sink_config gateway = { .kind = SHK_SINK_GATEWAY };
	bool network = false;
	size_t n = 0;

	for (size_t i = 0; i < g->cfg->n_outputs; i++) {
		const struct shk_sink_config *s = &g->cfg->outputs[i];

		if (!shk_config_is_network(s)) {
			local[n++] = *s;
			continue;
		}
		network = true;
		gateway.min_priority = SHK_MAX(gateway.min_priority, s->min_priority);
	}
	/* The figures are told to the gateway even when no alert is. */
	network |= g->cfg->metrics_listen && *g->cfg->metrics_listen;
	if (network && g->keeper_fd >= 0)
		local[n++] = gateway;
	else if (network)
		shk_warning("outputs over the network are served by shriked only: nothing is sent there");
	return shk_sinks_start(local, n, g->journal, on_record, g, &g->sinks, err);
}

int shk_engine_new(const struct shk_engine_options *o, struct shk_engine **ret, struct shk_err *err)
{
	SHK_CLEANUP(shk_engine_freep) struct shk_engine *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return shk_err_set(err, ENOMEM, "out of memory");
	g->cfg = o->config;
	g->config_path = o->config_path;
	g->journal_fd = o->journal_fd;
	g->control_fd = o->control_fd;
	g->notify_fd = o->notify_fd;
	g->keeper_fd = o->keeper_fd;
	g->mounter = o->mounter;
	g->observer = o->observer;
	g->signal_fd = -1;
	g->restarts = o->restarts;
	g->started_ns = shk_now_real();
	pthread_mutex_init(&g->keeper_lock, NULL);
	pthread_mutex_init(&g->reg_lock, NULL);
	pthread_cond_init(&g->reg_cond, NULL);
	pthread_mutex_init(&g->probe_lock, NULL);
	pthread_mutex_init(&g->job_lock, NULL);
	pthread_cond_init(&g->job_cond, NULL);
	shk_history_init(&g->history);
	shk_figures_init(&g->figures);
	shk_recorder_init(&g->recorder);
	g->hostname = host_name(g->cfg);
	if (!g->hostname)
		return shk_err_set(err, ENOMEM, "out of memory");
	r = shk_notify_check_sizes(err);
	if (r == 0)
		r = shk_loop_new(&g->loop, err);
	if (r == 0)
		r = set_signals(g, o->signals, err);
	if (r == 0)
		r = open_journal(g, err);
	if (r == 0 && (r = shk_limits_new(&g->limits)) < 0)
		shk_err_sys(err, -r, "alert limits");
	if (r == 0) {
		shk_loop_on_wake(g->loop, on_wake, g);
		r = start_sinks(g, err);
	}
	if (r == 0)
		r = load_policies(g, o->policies_must_load, err);
	if (r == 0)
		r = shk_gate_start(g, err);
	if (r == 0)
		r = shk_porter_start(g, err);
	if (r == 0) {
		shk_observer_start(g);
		r = shk_keeper_restore(g, err);
	}
	if (r == 0)
		shk_observer_settle(g);
	if (r == 0)
		r = shk_porter_run(g, err);
	if (r == 0)
		r = shk_control_start(g, err);
	if (r == 0)
		r = shk_notify_socket_start(g, err);
	if (r == 0 && !shk_loop_add_timer(g->loop, TICK_NS, TICK_NS, on_tick, g))
		r = shk_err_set(err, ENOMEM, "out of memory");
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

int shk_engine_run(struct shk_engine *g)
{
	int r;

	shk_keeper_ready(g);
	shk_notice("serving %zu containers, %zu policies", g->n_entries, g->arm->n);
	r = shk_loop_run(g->loop);
	return r < 0 ? EXIT_INTERNAL : r;
}

void shk_engine_stop(struct shk_engine *g)
{
	atomic_store(&g->stopping, true);
	shk_loop_wake(g->loop);
}

size_t shk_engine_containers(struct shk_engine *g)
{
	size_t n;

	pthread_mutex_lock(&g->reg_lock);
	n = g->n_entries;
	pthread_mutex_unlock(&g->reg_lock);
	return n;
}

static void end_jobs(struct shk_engine *g)
{
	pthread_mutex_lock(&g->job_lock);
	while (g->n_jobs)
		pthread_cond_wait(&g->job_cond, &g->job_lock);
	pthread_mutex_unlock(&g->job_lock);
	if (g->loop)
		on_wake(g);
}

static void end_entries(struct shk_engine *g)
{
	while (g->entries) {
		struct shk_entry *e = g->entries;

		while (e->listeners) {
			struct shk_listener *l = shk_listener_ref(e->listeners);

			shk_listener_end(l);
			shk_listener_unref(l);
		}
		g->entries = e->next;
		shk_entry_unref(e);
	}
	while (g->pending) {
		struct shk_pending *p = g->pending;

		g->pending = p->next;
		json_object_put(p->request);
		shk_entry_unref(p->e);
		free(p);
	}
}

void shk_engine_free(struct shk_engine *g)
{
	bool hangs;

	if (!g)
		return;
	atomic_store(&g->stopping, true);
	shk_porter_stop(g);
	end_jobs(g);
	shk_observer_free(TAKE_PTR(g->observer));
	shk_notify_socket_stop(g);
	shk_control_stop(g);
	/* While their containers have names, and once more when nothing is added any more. */
	if (g->limits)
		shk_limits_report(g->limits, tell_held, g);
	end_entries(g);
	hangs = !shk_gate_stop(g);
	if (g->limits)
		shk_limits_report(g->limits, tell_held, g);
	if (g->sinks)
		shk_sinks_stop(g->sinks, STOP_MS);
	/* Workers that hang still use all of this; the process ends anyway. */
	if (hangs)
		return;
	shk_porter_free(g);
	shk_armoury_unref(g->arm);
	shk_limits_free(g->limits);
	shk_journal_close(g->journal);
	if (g->loop)
		shk_loop_free(g->loop);
	shk_history_done(&g->history);
	shk_recorder_done(&g->recorder);
	shk_figures_done(&g->figures);
	shk_close(&g->signal_fd);
	shk_close(&g->journal_fd);
	shk_close(&g->keeper_fd);
	free(g->reload_error);
	free(g->hostname);
	pthread_mutex_destroy(&g->keeper_lock);
	pthread_mutex_destroy(&g->reg_lock);
	pthread_cond_destroy(&g->reg_cond);
	pthread_mutex_destroy(&g->probe_lock);
	pthread_mutex_destroy(&g->job_lock);
	pthread_cond_destroy(&g->job_cond);
	free(g);
}
