// SPDX-License-Identifier: Apache-2.0
/*
 * The module's life in the engine, and the thread that reads its rings.
 *
 * Nothing happening costs nothing: the thread asks to be woken by the first record, then looks every few milliseconds for as
 * long as there are some.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/observer_impl.h"

#define BUSY_MS	  3	 /* between two looks; records wait for older ones of other processors for 2 ms anyway */
#define BUSY_LOOKS 20	 /* without a record: then it is quiet */
#define QUIET_MS  1000
#define LOOK_MAX  8192	 /* records of one look: containers cannot keep it from what else is to be done */
#define STACK	  (512u << 10)

struct shk_observer *shk_observer_new(void)
{
	struct shk_observer *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	pthread_mutex_init(&o->lock, NULL);
	pthread_mutex_init(&o->post_lock, NULL);
	pthread_cond_init(&o->passed, NULL);
	shk_map_init(&o->by_index);
	shk_arena_init(&o->arena, SHK_OBSERVER_ARENA);
	shk_buf_init(&o->rendered, SHK_JOURNAL_ALERT_MAX);
	o->real_minus_mono = (int64_t)(shk_now_real() - shk_now_mono());
	o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return o;
}

struct shk_observer *shk_observer_open(const struct shk_config *cfg)
{
	struct shk_observer *o = shk_observer_new();
	struct shk_kmod *k = NULL;
	struct shk_err err = { 0 };
	int r;

	if (!o)
		return NULL;
	if (!cfg->module) {
		snprintf(o->text, sizeof(o->text), "not asked for (module: off)");
		return o;
	}
	r = shk_kmod_open(&k, &err);
	if (r == 0)
		r = shk_kmod_open_rings(k, &err);
	if (r < 0) {
		o->state = r == -ENOENT && !k ? SHK_OBSERVER_ABSENT : SHK_OBSERVER_UNUSABLE;
		snprintf(o->text, sizeof(o->text), "%s", err.text);
		shk_kmod_close(k);
		return o;
	}
	o->k = k;
	/* Without it nothing is held, and the other ways are taken. */
	(void)shk_kpost_open(k, &o->post, NULL);
	o->state = SHK_OBSERVER_READING;
	return o;
}

static void close_post(struct shk_observer *o)
{
	pthread_mutex_lock(&o->post_lock);
	o->post = shk_kpost_close(o->post);
	pthread_mutex_unlock(&o->post_lock);
}

static void end_post(struct shk_observer *o)
{
	pthread_mutex_lock(&o->post_lock);
	o->post_ends = true;
	pthread_mutex_unlock(&o->post_lock);
}

/* What only the thread may do, since it reads what is closed here. */
static void leave(struct shk_observer *o, const char *why)
{
	struct shk_kmod *k;

	shk_observer_waited(o, true);
	pthread_mutex_lock(&o->lock);
	shk_observer_drop_all(o);
	close_post(o);
	k = TAKE_PTR(o->k);
	o->state = SHK_OBSERVER_LEFT;
	snprintf(o->text, sizeof(o->text), "%s", why);
	pthread_cond_broadcast(&o->passed);
	pthread_mutex_unlock(&o->lock);
	shk_kmod_close(k);
	shk_tell(o->g, NULL, SHK_PRIO_WARNING, "Shrike internal: kernel module not read", NULL,
		 "The kernel module is not read any more, calls are observed through seccomp notify alone: %s", why);
}

static void hear_news(struct shk_observer *o)
{
	struct shk_kmod_news news;
	int r;

	while ((r = shk_kmod_news(o->k, &news)) == 1) {
		struct shk_entry *e = NULL;

		if (!news.gone) {
			o->loss.some = true;
			continue;
		}
		pthread_mutex_lock(&o->lock);
		e = shk_observer_forget(o, news.index);
		pthread_mutex_unlock(&o->lock);
		if (e)
			atomic_store(&e->observed, SHK_OBSERVED_NOT);
		shk_entry_unref(e);
	}
	/* Some were missed: what is gone is removed when its container is. */
	if (r == -ENOBUFS)
		o->loss.some = true;
}

/* What is there, or old enough. Whether there was any. */
static bool drain(struct shk_observer *o, bool all)
{
	struct shk_merge *m = shk_kmod_merge(o->k);
	const struct shrike_record *rec;
	unsigned n = 0;

	while (n < LOOK_MAX && !atomic_load_explicit(&o->stop, memory_order_relaxed) &&
	       (rec = shk_merge_next(m, all ? 0 : shk_now_mono()))) {
		shk_observer_take(o, rec);
		n++;
	}
	return n;
}

static bool any_broken(struct shk_observer *o)
{
	const struct shk_merge *m = shk_kmod_merge(o->k);

	for (unsigned i = 0; i < m->n; i++)
		if (m->ring[i].broken)
			return true;
	return false;
}

/* Those who wait for a container's last records: they have been judged now. */
static void end_passed(struct shk_observer *o)
{
	struct shk_map_slot *s;

	pthread_mutex_lock(&o->lock);
	for (size_t pos = 0; (s = shk_map_next(&o->by_index, &pos));)
		((struct shk_observed *)s->value)->ending = false;
	pthread_cond_broadcast(&o->passed);
	pthread_mutex_unlock(&o->lock);
}

static bool any_ending(struct shk_observer *o)
{
	struct shk_map_slot *s;
	bool any = false;

	pthread_mutex_lock(&o->lock);
	for (size_t pos = 0; !any && (s = shk_map_next(&o->by_index, &pos));)
		any = ((struct shk_observed *)s->value)->ending;
	pthread_mutex_unlock(&o->lock);
	return any;
}

/* One look at everything. false: the module was given back. */
static bool look(struct shk_observer *o, bool *any)
{
	bool ending = any_ending(o), ends;

	hear_news(o);
	*any = drain(o, ending);
	shk_observer_waited(o, ending);
	if (ending)
		end_passed(o);
	shk_observer_tell_loss(o, ending);
	pthread_mutex_lock(&o->lock);
	ends = o->leave;
	pthread_mutex_unlock(&o->lock);
	if (!ends && !any_broken(o))
		return true;
	/* Calls may be under way that nobody but the module holds: there are no more of them from now on, and it stays until then. */
	end_post(o);
	if (shk_now_mono() < atomic_load(&o->held_until))
		return true;
	/* Once it is set nobody changes it. */
	leave(o, ends ? o->leave : "its records cannot be read");
	return false;
}

static void *observer_main(void *arg)
{
	struct shk_observer *o = arg;
	unsigned idle = BUSY_LOOKS;
	bool any = false;

	while (!atomic_load(&o->stop)) {
		struct pollfd p[] = { { o->wake, POLLIN, 0 }, { shk_kmod_news_fd(o->k), POLLIN, 0 },
				      { shk_kmod_rings_fd(o->k), POLLIN, 0 } };
		bool quiet = idle >= BUSY_LOOKS;
		uint64_t n;

		shk_kmod_wait(o->k, quiet);
		/* While it is busy the ring's own word would come at once, each time. */
		(void)poll(p, quiet ? 3 : 2, quiet ? QUIET_MS : any ? 0 : BUSY_MS);
		(void)!read(o->wake, &n, sizeof(n));
		if (p[2].revents & (POLLERR | POLLHUP | POLLNVAL)) {
			leave(o, "its device has gone");
			return NULL;
		}
		if (!look(o, &any))
			return NULL;
		/* Clocks are set, and drift from each other. */
		o->real_minus_mono = (int64_t)(shk_now_real() - shk_now_mono());
		idle = any || p[2].revents & POLLIN ? 0 : idle + 1;
	}
	shk_observer_waited(o, true);
	return NULL;
}

static int start_thread(struct shk_observer *o)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&o->thread, &attr, observer_main, o);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return r;
}

void shk_observer_start(struct shk_engine *g)
{
	struct shk_observer *o = g->observer;
	struct shk_err err = { 0 };
	int r;

	if (!o)
		return;
	o->g = g;
	if (!o->k) {
		/* A user's engine cannot have it. */
		if (o->state == SHK_OBSERVER_UNUSABLE && geteuid() == 0)
			shk_warning("kernel module: %s; calls are observed through seccomp notify alone", o->text);
		else
			shk_info("kernel module: %s; calls are observed through seccomp notify alone", o->text);
		return;
	}
	r = shk_kmod_list(o->k, o->left, SHK_ARRAY_SIZE(o->left), &err);
	o->n_left = r > 0 ? (unsigned)r : 0;
	if (r >= 0 && (o->wake < 0 || start_thread(o) != 0))
		r = shk_err_set(&err, EAGAIN, "no thread for it can be started");
	if (r < 0) {
		o->k = shk_kmod_close(o->k);
		o->state = SHK_OBSERVER_UNUSABLE;
		snprintf(o->text, sizeof(o->text), "%s", err.text);
		shk_warning("kernel module: %s; calls are observed through seccomp notify alone", o->text);
		return;
	}
	o->started = true;
	shk_notice("kernel module: read, version %s", shk_kmod_facts(o->k)->release);
}

void shk_observer_leave(struct shk_engine *g, const char *why)
{
	struct shk_observer *o = g->observer;

	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	if (o->k && !o->leave)
		o->leave = strdup(why);
	(void)eventfd_write(o->wake, 1);
	pthread_mutex_unlock(&o->lock);
}

struct json_object *shk_observer_status(struct shk_engine *g)
{
	static const char *const words[] = { "off", "absent", "unusable", "reading", "left" };
	struct json_object *out = json_object_new_object();
	struct shk_observer *o = g->observer;

	if (!out)
		return NULL;
	if (!o) {
		json_object_object_add(out, "state", json_object_new_string("off"));
		return out;
	}
	pthread_mutex_lock(&o->lock);
	json_object_object_add(out, "state", json_object_new_string(words[o->state]));
	if (o->text[0])
		json_object_object_add(out, "text", json_object_new_string(o->text));
	if (o->k)
		json_object_object_add(out, "version", json_object_new_string(shk_kmod_facts(o->k)->release));
	json_object_object_add(out, "containers", json_object_new_int64((int64_t)o->by_index.used));
	pthread_mutex_unlock(&o->lock);
	json_object_object_add(out, "records", json_object_new_int64((int64_t)atomic_load(&o->n_records)));
	json_object_object_add(out, "leases", json_object_new_int64((int64_t)atomic_load(&o->n_leases)));
	json_object_object_add(out, "lost", json_object_new_int64((int64_t)atomic_load(&o->n_lost)));
	return out;
}

void shk_observer_free(struct shk_observer *o)
{
	struct shk_map_slot *s;

	if (!o)
		return;
	atomic_store(&o->stop, true);
	if (o->started) {
		(void)eventfd_write(o->wake, 1);
		pthread_join(o->thread, NULL);
	}
	shk_observer_waited(o, true);
	if (o->g && o->g->keeper_fd < 0)
		shk_observer_drop_all(o);
	for (size_t pos = 0; (s = shk_map_next(&o->by_index, &pos));)
		shk_entry_unref(shk_observer_forget(o, ((struct shk_observed *)s->value)->index));
	shk_kpost_close(o->post);
	shk_kmod_close(o->k);
	shk_map_done(&o->by_index);
	shk_buf_done(&o->rendered);
	shk_arena_done(&o->arena);
	shk_close(&o->wake);
	free(o->leave);
	pthread_cond_destroy(&o->passed);
	pthread_mutex_destroy(&o->post_lock);
	pthread_mutex_destroy(&o->lock);
	free(o);
}
