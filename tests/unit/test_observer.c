// SPDX-License-Identifier: Apache-2.0
/* Records of the kernel module become alerts of a container's policy, in an engine without the module: records are written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "engine/observer_impl.h"
#include "engine/offline.h"
#include "sources/replay/replay.h"

#define RULE(name, cond) "- rule: " name "\n  desc: d\n  condition: " cond "\n  output: f=%fd.name c=%container.id\n  priority: warning\n"
static const char rules[] = RULE("shadow", "evt.type=openat and fd.name=/etc/shadow")
	RULE("reader", "evt.type=openat and proc.name=test_observer and fd.name=/tmp/read")
	RULE("name server", "evt.type=sendto and fd.sip=192.0.2.53 and fd.sport=53 and fd.l4proto=udp")
	RULE("renamed", "evt.type in (rename, renameat, renameat2) and fs.path.source=\"/tmp/old name\" and fs.path.target=/tmp/new")
	RULE("kid", "evt.type=openat and fd.name=/tmp/kid and proc.name=kid and proc.exepath=/opt/kid and proc.args=\"-x y\" and "
	     "proc.pname=test_observer and user.uid=4712 and proc.vpid=7")
	RULE("grandkid", "evt.type=openat and fd.name=/tmp/grandkid and proc.cmdline startswith kid and proc.exepath=/opt/kid")
	RULE("failed", "evt.type=openat and fd.name=/etc/joined and evt.rawres=-13")
	RULE("came true", "evt.type=openat and fd.name=/etc/joined and evt.failed=false")
	RULE("not there", "evt.type=openat and evt.rawres=-2")
	RULE("sender", "evt.type=sendmsg and fd.sip=192.0.2.53 and fd.sport=54 and fd.l4proto=udp")
	RULE("zero", "evt.type=read and evt.rawarg.size=4711 and evt.failed=true");

static char dir[] = "/tmp/shrike-test-observer-XXXXXX";
static struct shk_engine *g;
static struct shk_entry *e;
static struct shk_config *cfg;

static void put_file(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put_file(const char *name, const char *fmt, ...)
{
	char path[256];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

static void make_engine(void)
{
	struct shk_err err = { 0 };
	char text[512];

	snprintf(text, sizeof(text), "policy_dir: %s/policies\nrules_path: %s\n", dir, dir);
	assert_int_equal(shk_config_load_text("test", shk_str(text), &cfg, &err), 0);
	g = calloc(1, sizeof(*g));
	assert_non_null(g);
	g->cfg = cfg;
	g->keeper_fd = -1;
	g->hostname = strdup("host");
	pthread_mutex_init(&g->reg_lock, NULL);
	shk_figures_init(&g->figures);
	shk_recorder_init(&g->recorder);
	assert_int_equal(shk_loop_new(&g->loop, &err), 0);
	assert_int_equal(shk_limits_new(&g->limits), 0);
	g->journal_fd = shk_journal_create(&err);
	assert_true(g->journal_fd >= 0);
	assert_int_equal(shk_journal_open(g->journal_fd, &g->journal, &err), 0);
	if (shk_armoury_load(cfg, &g->arm, &err) < 0)
		fail_msg("%s", err.text);
	g->observer = shk_observer_new();
	assert_non_null(g->observer);
	g->observer->g = g;
}

/* As if the module watched it: this process is the container. */
static void make_entry(void)
{
	struct json_object *record = json_object_new_object();
	const struct shk_plan *plan;
	struct shk_observed *w = calloc(1, sizeof(*w));
	struct shk_err err = { 0 };

	json_object_object_add(record, "id", json_object_new_string("0123456789abcdef"));
	json_object_object_add(record, "way", json_object_new_string("run"));
	json_object_object_add(record, "pid", json_object_new_int(getpid()));
	json_object_object_add(record, "start", json_object_new_int64((int64_t)shk_start_time(getpid())));
	assert_int_equal(shk_entry_from_record(g, shk_engine_key(g), record, &e, &err), 0);
	plan = shk_armoury_plan(e->arm, e->policy);
	assert_non_null(plan);
	shk_entry_set_filter(e, plan);
	assert_non_null(w);
	w->e = shk_entry_ref(e);
	w->index = shk_observer_index(e);
	shk_observe_make(e->policy, plan, e->notified, &w->what);
	assert_int_equal(shk_map_set_u64(&g->observer->by_index, w->index, w), 0);
	atomic_store(&e->observed, SHK_OBSERVED_YES);
	atomic_store(&e->armed_ns, shk_now_mono());
}

static int set_up(void **state)
{
	char sub[256];

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(sub, sizeof(sub), "%s/policies", dir);
	if (mkdir(sub, 0755) < 0)
		return -1;
	put_file("r.yaml", "%s", rules);
	put_file("policies/p.yaml", "policy: default\nio_uring: allow\nrules:\n  files: [%s/r.yaml]\n", dir);
	make_engine();
	make_entry();
	return 0;
}

static int tear_down(void **state)
{
	char text[600];

	(void)state;
	shk_observer_unwatch(g, e);
	shk_observer_free(g->observer);
	shk_entry_unref(e);
	shk_armoury_unref(g->arm);
	shk_limits_free(g->limits);
	shk_journal_close(g->journal);
	shk_figures_done(&g->figures);
	shk_recorder_done(&g->recorder);
	shk_loop_free(g->loop);
	shk_close(&g->journal_fd);
	pthread_mutex_destroy(&g->reg_lock);
	free(g->hostname);
	free(g);
	shk_config_free(cfg);
	snprintf(text, sizeof(text), "%s/policies/p.yaml", dir);
	(void)unlink(text);
	snprintf(text, sizeof(text), "%s/policies", dir);
	(void)rmdir(text);
	snprintf(text, sizeof(text), "%s/r.yaml", dir);
	(void)unlink(text);
	return rmdir(dir);
}

/* An open as the module records it. nr: the call the task is in. */
static void opened(const char *path, int nr, pid_t tid, uint64_t time)
{
	static uint64_t buf[128];
	struct shrike_record *rec = (void *)buf;
	struct shrike_path p = { .flags = O_RDONLY, .path_len = (uint16_t)strlen(path) };

	memset(buf, 0, sizeof(buf));
	*rec = (struct shrike_record){ .length = (uint32_t)((sizeof(*rec) + sizeof(p) + strlen(path) + 7) & ~7ul),
				       .type = SHRIKE_OPEN, .time = time, .nr = nr, .container = shk_observer_index(e),
				       .tid = (uint32_t)tid, .tgid = (uint32_t)tid };
	memcpy(rec + 1, &p, sizeof(p));
	memcpy((char *)(rec + 1) + sizeof(p), path, strlen(path));
	shk_observer_take(g->observer, rec);
}

/* The alert that is there, as an object of the caller's; NULL: none. More than one fails. */
static struct json_object *alert(void)
{
	struct json_object *o = NULL;
	struct shk_buf b;
	uint64_t cookie;

	shk_buf_init(&b, SHK_JOURNAL_ALERT_MAX);
	cookie = shk_journal_peek_alert(g->journal, 0, &b, NULL);
	if (cookie) {
		o = shk_json_parse(shk_buf_view(&b), SHK_JOURNAL_ALERT_MAX, NULL);
		assert_non_null(o);
		assert_int_equal(shk_journal_peek_alert(g->journal, cookie, &b, NULL), 0);
		shk_journal_drop_alerts(g->journal, cookie);
	}
	shk_buf_done(&b);
	return o;
}

static void alert_is(const char *rule, const char *in_output)
{
	struct json_object *o = alert(), *ours;

	assert_non_null(o);
	assert_true(shk_str_eqz(shk_json_str(o, "rule"), rule));
	ours = shk_json_object(o, "shrike");
	assert_true(shk_str_eqz(shk_json_str(ours, "sensor"), "module"));
	assert_true(shk_str_eqz(shk_json_str(ours, "verdict"), "allow"));
	assert_non_null(strstr(shk_json_str(o, "output").p, in_output));
	json_object_put(o);
}

/* An open through a ring, whose task is in no call of its own or in io_uring_enter. */
static void rings_are_opens(void **state)
{
	uint64_t now = shk_now_mono();
	(void)state;

	opened("/etc/shadow", -1, getpid(), now);
	alert_is("shadow", "f=/etc/shadow c=0123456789ab");
	opened("/etc/shadow", SYS_io_uring_enter, getpid(), now);
	alert_is("shadow", "f=/etc/shadow");
	opened("/tmp/read", -1, getpid(), now);
	alert_is("reader", "f=/tmp/read");
	opened("/etc/passwd", -1, getpid(), now);
	assert_null(alert());
}

/* What the filter notifies was judged; what no rule names is nobody's business. */
static void calls_are_told_once(void **state)
{
	uint64_t now = shk_now_mono();
	(void)state;

	opened("/etc/shadow", SYS_openat, getpid(), now);
	assert_null(alert());
	opened("/etc/shadow", SYS_open, getpid(), now);
	assert_null(alert());
}

static void setup_is_not_judged(void **state)
{
	uint64_t armed = atomic_load(&e->armed_ns);
	(void)state;

	opened("/etc/shadow", -1, getpid(), armed - 1);
	assert_null(alert());
	atomic_store(&e->armed_ns, 0);
	opened("/etc/shadow", -1, getpid(), armed + 1);
	assert_null(alert());
	atomic_store(&e->armed_ns, armed);
	atomic_store(&e->released, true);
	opened("/etc/shadow", -1, getpid(), armed + 1);
	assert_null(alert());
	atomic_store(&e->released, false);
	opened("/etc/shadow", -1, getpid(), armed + 1);
	alert_is("shadow", "/etc/shadow");
}

/* Names need no task; facts of a task are not those of another that has its number now. */
static void tasks_may_be_gone(void **state)
{
	uint64_t start, before;
	struct shk_event ev = { .tid = getpid() };
	struct shk_eval_ctx ctx = { .ev = &ev, .ctr = e->ctr };
	(void)state;

	opened("/etc/shadow", -1, 0x3ffffff, shk_now_mono());
	alert_is("shadow", "/etc/shadow");
	opened("/tmp/read", -1, 0x3ffffff, shk_now_mono());
	assert_null(alert());
	pthread_mutex_lock(&e->ctr->lock);
	assert_true(shk_proc_start(shk_proc_task_of(&ctx), &start));
	pthread_mutex_unlock(&e->ctr->lock);
	/* A second before this process was started */
	before = start - 1000000000u - (uint64_t)g->observer->real_minus_mono;
	atomic_store(&e->armed_ns, 1);
	opened("/tmp/read", -1, getpid(), before);
	assert_null(alert());
	opened("/etc/shadow", -1, getpid(), before);
	alert_is("shadow", "/etc/shadow");
}

/* A call that is not notified, as it would slow everything down: its end, with registers. */
static void ends_are_calls(void **state)
{
	struct { struct shrike_record head; struct shrike_call call; } c = {
		.head = { .length = sizeof(c), .type = SHRIKE_SYSCALL, .nr = SYS_read, .time = shk_now_mono(),
			  .container = shk_observer_index(e), .tid = (uint32_t)getpid(), .tgid = (uint32_t)getpid() },
		.call = { .ret = -9, .args = { 5, 6, 4711 } },
	};
	(void)state;

	shk_observer_take(g->observer, &c.head);
	alert_is("zero", "c=0123456789ab");
	c.call.args[2] = 4712;
	shk_observer_take(g->observer, &c.head);
	c.head.nr = SYS_write;
	shk_observer_take(g->observer, &c.head);
	c.head.nr = SYS_read;
	c.call.args[2] = 4711;
	c.head.container++;
	shk_observer_take(g->observer, &c.head);
	assert_null(alert());
}

/* A send is not stopped for a rule that only tells; the socket is known, its number is not. */
static void sends_have_an_address(void **state)
{
	struct { struct shrike_record head; struct shrike_sock sock; struct sockaddr_in a; } s = {
		.head = { .length = sizeof(s), .type = SHRIKE_SENDMSG, .nr = SYS_sendto, .time = shk_now_mono(),
			  .container = shk_observer_index(e), .tid = (uint32_t)getpid(), .tgid = (uint32_t)getpid() },
		.sock = { .family = AF_INET, .type = SOCK_DGRAM, .protocol = IPPROTO_UDP, .addr_len = sizeof(s.a) },
		.a = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(0xc0000235) },
	};
	(void)state;

	shk_observer_take(g->observer, &s.head);
	alert_is("name server", "192.0.2.53:53");
	s.sock.protocol = IPPROTO_TCP;
	shk_observer_take(g->observer, &s.head);
	assert_null(alert());
	s.sock.protocol = IPPROTO_UDP;
	s.head.nr = SYS_sendmsg; /* which the rule does not name */
	shk_observer_take(g->observer, &s.head);
	assert_null(alert());
}

/* What the module has killed for its lease, and what it refused for having none, which is nobody's doing here. */
static void killed_is_told(void **state)
{
	struct { struct shrike_record head; struct shrike_path path; char name[16]; } k = {
		.head = { .length = sizeof(k), .type = SHRIKE_LEASE, .nr = SYS_execve, .time = shk_now_mono(), .tgid = 4711,
			  .container = shk_observer_index(e) },
		.path = { .arg = SHRIKE_KIND_EXEC, .path_len = 10 },
		.name = "/race/e\x1bil",
	};
	uint64_t killed = atomic_load(&e->ctr->n_killed);
	struct json_object *o;
	(void)state;

	shk_observer_take(g->observer, &k.head);
	assert_null(alert());
	k.path.arg |= 256;
	shk_observer_take(g->observer, &k.head);
	o = alert();
	assert_non_null(o);
	assert_true(shk_str_eqz(shk_json_str(o, "rule"), "Shrike internal: exec was exchanged"));
	assert_non_null(strstr(shk_json_str(o, "output").p, "Process 4711 was killed"));
	assert_non_null(strstr(shk_json_str(o, "output").p, "(loaded \"/race/e\xef\xbf\xbd" "il\")"));
	json_object_put(o);
	assert_int_equal(atomic_load(&e->ctr->n_killed), killed + 1);
	k.head.container++;
	shk_observer_take(g->observer, &k.head);
	assert_null(alert());
}

/* A module that is not there any more holds nothing: whoever asks is told, and nobody asks again. */
static void nothing_holds(void **state)
{
	struct shk_exec_judged x = { .has_argv = true, .has_path = true };
	struct seccomp_notif n = { .pid = (uint32_t)getpid() };
	(void)state;

	shk_buf_init(&x.path, 4096);
	shk_buf_init(&x.argv, 4096);
	shk_buf_add(&x.path, "/bin/x", 7);
	shk_buf_add(&x.argv, "x", 2);
	assert_int_equal(shk_observer_hold(g, e, -1, &n, &x), -EOPNOTSUPP);
	atomic_store(&e->held_execs, true);
	assert_int_equal(shk_observer_hold(g, e, -1, &n, &x), -ENOENT);
	assert_false(atomic_load(&e->held_execs));
	shk_buf_done(&x.path);
	shk_buf_done(&x.argv);
}

/* ---- tasks that are gone ---- */

#define KID 0x3fffff0

static void task_record(unsigned type, pid_t tid, const char *comm, const void *body, size_t n, const char *text, size_t len)
{
	static uint64_t buf[128];
	struct shrike_record *rec = (void *)buf;

	memset(buf, 0, sizeof(buf));
	*rec = (struct shrike_record){ .length = (uint32_t)((sizeof(*rec) + n + len + 7) & ~7ul), .type = (uint16_t)type, .nr = -1,
				       .time = shk_now_mono(), .container = shk_observer_index(e), .tid = (uint32_t)tid,
				       .tgid = (uint32_t)tid, .vtid = 7, .vtgid = 7, .uid = 4711, .euid = 4712 };
	strncpy(rec->comm, comm, sizeof(rec->comm) - 1);
	memcpy(rec + 1, body, n);
	memcpy((char *)(rec + 1) + n, text, len);
	shk_observer_take(g->observer, rec);
}

static void made(pid_t parent, const char *comm, pid_t kid)
{
	struct shrike_fork f = { .tid = (uint32_t)kid, .tgid = (uint32_t)kid, .vtid = 7, .vtgid = 7 };

	task_record(SHRIKE_FORK, parent, comm, &f, sizeof(f), "", 0);
}

static void ran(pid_t tid, const char *comm, const char *path, const char *args, size_t n_args)
{
	struct shrike_path p = { .path_len = (uint16_t)strlen(path), .path2_len = (uint16_t)n_args };
	char text[256];

	memcpy(text, path, strlen(path));
	memcpy(text + strlen(path), args, n_args);
	task_record(SHRIKE_EXEC, tid, comm, &p, sizeof(p), text, strlen(path) + n_args);
}

static void is_over(pid_t tid)
{
	struct shrike_exit x = { 0 };

	task_record(SHRIKE_EXIT, tid, "kid", &x, sizeof(x), "", 0);
}

/* What a task was is known from the records about it, until its end; what it was called is no rule's any more after that. */
static void gone_tasks_are_known(void **state)
{
	struct { struct shrike_record head; struct shrike_loss loss; } l = {
		.head = { .length = sizeof(l), .type = SHRIKE_LOSS, .nr = -1, .time = shk_now_mono() }, .loss = { .count = 1 },
	};
	(void)state;

	made(getpid(), "test_observer", KID);
	opened("/tmp/read", -1, KID, shk_now_mono());
	alert_is("reader", "f=/tmp/read");
	ran(KID, "kid", "/opt/kid", "kid\0-x y", 9);
	opened("/tmp/read", -1, KID, shk_now_mono());
	assert_null(alert());
	opened("/tmp/kid", -1, KID, shk_now_mono());
	alert_is("kid", "f=/tmp/kid");
	/* Its child, after its own end. */
	made(KID, "kid", KID + 1);
	is_over(KID);
	opened("/tmp/kid", -1, KID, shk_now_mono());
	assert_null(alert());
	opened("/tmp/grandkid", -1, KID + 1, shk_now_mono());
	alert_is("grandkid", "f=/tmp/grandkid");
	/* Who is there is asked. */
	ran(getpid(), "kid", "/opt/kid", "kid\0-x y", 9);
	opened("/tmp/kid", -1, getpid(), shk_now_mono());
	assert_null(alert());
	/* Something was lost: ends, perhaps. */
	shk_observer_take(g->observer, &l.head);
	opened("/tmp/grandkid", -1, KID + 1, shk_now_mono());
	assert_null(alert());
	made(getpid(), "test_observer", KID);
	opened("/tmp/read", -1, KID, shk_now_mono());
	alert_is("reader", "f=/tmp/read");
	is_over(KID);
	shk_observer_tell_loss(g->observer, true);
	json_object_put(alert());
}

/* ---- recordings ---- */

static struct {
	struct shk_buf live, again; /* alerts, a line each */
} both;

/* What an alert says, but for what is of the machine that judges. */
static void put_alert(struct shk_buf *out, struct json_object *o)
{
	struct json_object *ours = shk_json_object(o, "shrike");

	shk_buf_printf(out, SHK_STR_FMT " | " SHK_STR_FMT " | " SHK_STR_FMT " | " SHK_STR_FMT " | " SHK_STR_FMT "\n",
		       SHK_STR_ARG(shk_json_str(o, "rule")), SHK_STR_ARG(shk_json_str(o, "output")),
		       SHK_STR_ARG(shk_json_str(o, "time")), SHK_STR_ARG(shk_json_str(ours, "sensor")),
		       SHK_STR_ARG(shk_json_str(ours, "verdict")));
}

static void take_live(void)
{
	struct json_object *o = alert();

	assert_non_null(o);
	put_alert(&both.live, o);
	json_object_put(o);
}

static int on_replayed(const struct shk_rule_info *rule, struct shk_str record, void *arg)
{
	struct json_object *o = shk_json_parse(record, SHK_JOURNAL_ALERT_MAX, NULL);

	(void)rule;
	(void)arg;
	assert_non_null(o);
	put_alert(&both.again, o);
	json_object_put(o);
	return 0;
}

static unsigned replay(struct shk_str text)
{
	SHK_CLEANUP(shk_replay_freep) struct shk_replay *r = NULL;
	struct shk_eval_ctx ctx;
	struct shk_offline off;
	struct shk_err err = { 0 };
	unsigned n = 0;
	int rc;

	shk_offline_init(&off);
	off.boot = "b";
	off.hostname = "host";
	off.on_alert = on_replayed;
	if (shk_replay_open_text("recording", text, &r, &err) < 0)
		fail_msg("%s", err.text);
	while ((rc = shk_replay_next(r, &ctx, &err)) > 0) {
		assert_int_equal(ctx.ev->sensor, SHK_SENSOR_MODULE);
		assert_int_equal(shk_offline_judge(&off, e->policy, &ctx), 0);
		n++;
	}
	if (rc < 0)
		fail_msg("%s", err.text);
	shk_offline_done(&off);
	return n;
}

static void renamed(const char *from, const char *to)
{
	static uint64_t buf[128];
	struct shrike_record *rec = (void *)buf;
	struct shrike_path p = { .path_len = (uint16_t)strlen(from), .path2_len = (uint16_t)strlen(to) };
	char *at = (char *)(rec + 1) + sizeof(p);

	memset(buf, 0, sizeof(buf));
	*rec = (struct shrike_record){ .length = (uint32_t)((sizeof(*rec) + sizeof(p) + p.path_len + p.path2_len + 7) & ~7ul),
				       .type = SHRIKE_RENAME, .time = shk_now_mono(), .nr = -1, .container = shk_observer_index(e),
				       .tid = (uint32_t)getpid(), .tgid = (uint32_t)getpid() };
	memcpy(rec + 1, &p, sizeof(p));
	memcpy(at, from, p.path_len);
	memcpy(at + p.path_len, to, p.path2_len);
	shk_observer_take(g->observer, rec);
}

static void sent(int nr, int port)
{
	struct { struct shrike_record head; struct shrike_sock sock; struct sockaddr_in a; } s = {
		.head = { .length = sizeof(s), .type = SHRIKE_SENDMSG, .nr = nr, .time = shk_now_mono(),
			  .container = shk_observer_index(e), .tid = (uint32_t)getpid(), .tgid = (uint32_t)getpid() },
		.sock = { .family = AF_INET, .type = SOCK_DGRAM, .protocol = IPPROTO_UDP, .addr_len = sizeof(s.a) },
		.a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0xc0000235) },
	};

	shk_observer_take(g->observer, &s.head);
}

static void read_of(uint64_t size)
{
	struct { struct shrike_record head; struct shrike_call call; } c = {
		.head = { .length = sizeof(c), .type = SHRIKE_SYSCALL, .nr = SYS_read, .time = shk_now_mono(),
			  .container = shk_observer_index(e), .tid = (uint32_t)getpid(), .tgid = (uint32_t)getpid() },
		.call = { .ret = -9, .args = { 5, 6, size } },
	};

	shk_observer_take(g->observer, &c.head);
}

/* What is recorded of the module's events is judged on replay as it was, whoever made the call is there or not. */
static void recorded_is_the_same(void **state)
{
	struct shk_buf text;
	struct shk_err err = { 0 };
	uint64_t lost;
	(void)state;

	shk_buf_init(&both.live, 1 << 20);
	shk_buf_init(&both.again, 1 << 20);
	shk_buf_init(&text, 4 << 20);
	shk_buf_adds(&text, SHK_TEXT_HEAD "\n");
	assert_int_equal(shk_recorder_start(&g->recorder, "host", NULL, 0, &err), 0);
	opened("/etc/shadow", -1, getpid(), shk_now_mono());
	take_live();
	opened("/tmp/read", SYS_io_uring_enter, getpid(), shk_now_mono());
	take_live();
	opened("/etc/shadow", -1, 0x3ffffff, shk_now_mono());
	take_live();
	opened("/tmp/read", -1, 0x3ffffff, shk_now_mono());
	opened("/etc/passwd", -1, getpid(), shk_now_mono());
	assert_null(alert());
	renamed("/tmp/old name", "/tmp/new");
	take_live();
	/* Of a task that is known by its records alone, until it is over. */
	made(getpid(), "test_observer", KID);
	opened("/tmp/read", -1, KID, shk_now_mono());
	take_live();
	is_over(KID);
	opened("/tmp/read", -1, KID, shk_now_mono());
	assert_null(alert());
	sent(SYS_sendto, 53);
	take_live();
	sent(SYS_sendmsg, 54);
	take_live();
	read_of(4711);
	take_live();
	read_of(4712);
	assert_null(alert());
	shk_recorder_stop(&g->recorder);
	shk_recorder_take(&g->recorder, 4 << 20, &text, &lost);
	assert_int_equal(lost, 0);
	assert_int_equal(replay(shk_buf_view(&text)), 12);
	assert_string_equal(both.again.p, both.live.p);
	/* Nobody records: nothing is kept. */
	opened("/etc/shadow", -1, getpid(), shk_now_mono());
	json_object_put(alert());
	shk_buf_reset(&text);
	shk_recorder_take(&g->recorder, 4 << 20, &text, &lost);
	assert_int_equal(text.n, 0);
	shk_buf_done(&text);
	shk_buf_done(&both.live);
	shk_buf_done(&both.again);
}

/* ---- results ---- */

/* A filter that lets opens pass, since it was made for other rules; one of these asks what came of them. */
static void ask_for_results(void)
{
	struct shk_observed *w = shk_map_get_u64(&g->observer->by_index, shk_observer_index(e));
	uint64_t notified[SHK_CALL_WORDS] = { 0 };

	assert_non_null(w);
	shk_observe_make(e->policy, shk_armoury_plan(e->arm, e->policy), notified, &w->what);
	assert_true(w->what.joined[SHK_CALL_openat / 64] >> SHK_CALL_openat % 64 & 1);
	assert_false(w->what.joined[SHK_CALL_connect / 64] >> SHK_CALL_connect % 64 & 1);
	assert_true(w->what.native[SYS_openat >> 3] >> (SYS_openat & 7) & 1);
	assert_true(w->what.classes >> SHRIKE_SYSCALL & 1);
}

static void ended(int nr, pid_t tid, int64_t ret)
{
	struct { struct shrike_record head; struct shrike_call call; } c = {
		.head = { .length = sizeof(c), .type = SHRIKE_SYSCALL, .nr = nr, .time = shk_now_mono(),
			  .container = shk_observer_index(e), .tid = (uint32_t)tid, .tgid = (uint32_t)tid },
		.call = { .ret = ret, .args = { (uint32_t)AT_FDCWD, 4096 } },
	};

	shk_observer_take(g->observer, &c.head);
}

/* What came of a call is that of the attempt at its object; an attempt whose end nobody tells is judged all the same. */
static void results_are_joined(void **state)
{
	const pid_t gone = 0x3ffffff;
	(void)state;

	ask_for_results();
	opened("/etc/joined", SYS_openat, gone, shk_now_mono());
	assert_null(alert());
	ended(SYS_openat, gone, -EACCES);
	alert_is("failed", "f=/etc/joined");
	opened("/etc/joined", SYS_openat, gone, shk_now_mono());
	ended(SYS_openat, gone, 5);
	alert_is("came true", "f=/etc/joined");
	/* Another task, another call, another time: not this one's end. */
	opened("/etc/joined", SYS_openat, gone, shk_now_mono());
	ended(SYS_openat, gone - 256, -EACCES);
	ended(SYS_close, gone, -EACCES);
	assert_null(alert());
	shk_observer_waited(g->observer, false);
	assert_null(alert());
	/* The next one of the same task ends its wait; what has waited long is an attempt. */
	opened("/etc/joined", SYS_openat, gone, shk_now_mono() - 60000000);
	alert_is("came true", "f=/etc/joined");
	shk_observer_waited(g->observer, false);
	alert_is("came true", "f=/etc/joined");
	/* One that has failed before there was an object: its end is all there is. */
	ended(SYS_openat, gone, -ENOENT);
	alert_is("not there", "c=0123456789ab");
	ended(SYS_openat, gone, 7);
	assert_null(alert());
	/* A ring's has no end. */
	opened("/etc/joined", SYS_io_uring_enter, gone, shk_now_mono());
	alert_is("came true", "f=/etc/joined");
	assert_int_equal(g->observer->n_waiting, 0);
}

static void losses_are_told(void **state)
{
	struct { struct shrike_record head; struct shrike_loss loss; } l = {
		.head = { .length = sizeof(l), .type = SHRIKE_LOSS, .nr = -1, .time = 9000000000u },
		.loss = { .count = 7, .since = 7000000000u },
	};
	struct json_object *o, *fields;
	(void)state;

	shk_observer_tell_loss(g->observer, true);
	assert_null(alert());
	shk_observer_take(g->observer, &l.head);
	l.loss.since = 8000000000u;
	shk_observer_take(g->observer, &l.head);
	shk_observer_tell_loss(g->observer, true);
	o = alert();
	assert_non_null(o);
	assert_true(shk_str_eqz(shk_json_str(o, "rule"), "Shrike internal: events lost"));
	assert_non_null(strstr(shk_json_str(o, "output").p, "14 events were lost within 2000 ms"));
	fields = shk_json_object(o, "output_fields");
	assert_int_equal(shk_json_int(fields, "count", 0), 14);
	assert_int_equal(shk_json_int(fields, "until", 0) - shk_json_int(fields, "since", 0), 2000000000);
	json_object_put(o);
	/* At most once a second. */
	shk_observer_take(g->observer, &l.head);
	shk_observer_tell_loss(g->observer, false);
	assert_null(alert());
	shk_observer_tell_loss(g->observer, true);
	o = alert();
	assert_non_null(o);
	json_object_put(o);
}

/* What a counter says is told at once; the records of it, later, are no other losses. */
static void each_loss_is_told_once(void **state)
{
	struct shk_observer o = { 0 };
	(void)state;

	assert_int_equal(shk_observer_unclaimed(&o, 30, 100, true), 0);
	assert_int_equal(shk_observer_unclaimed(&o, 69, 0, true), 0);
	/* One of the first container's, and five of one that is over. */
	assert_int_equal(shk_observer_unclaimed(&o, 6, 0, true), 5);
	assert_int_equal(shk_observer_unclaimed(&o, 0, 0, true), 0);
	/* Somebody's, of whom it was not told yet. */
	assert_int_equal(shk_observer_unclaimed(&o, 50, 20, false), 0);
	assert_int_equal(shk_observer_unclaimed(&o, 0, 28, true), 2);
}

static void says_how_it_stands(void **state)
{
	struct json_object *o = shk_observer_status(g);
	struct shk_config off = *cfg;
	struct shk_observer *none;
	(void)state;

	assert_non_null(o);
	assert_int_equal(shk_json_int(o, "containers", 0), 1);
	assert_int_equal(shk_json_int(o, "lost", 0), 22);
	json_object_put(o);
	off.module = 0;
	none = shk_observer_open(&off);
	assert_non_null(none);
	assert_int_equal(none->state, SHK_OBSERVER_OFF);
	assert_non_null(strstr(none->text, "module: off"));
	shk_observer_free(none);
	/* auto, as it comes: whatever this machine has, it is said in a word. */
	none = shk_observer_open(cfg);
	assert_non_null(none);
	assert_true(none->k ? none->state == SHK_OBSERVER_READING : none->text[0] && none->state != SHK_OBSERVER_READING);
	shk_observer_free(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_are_opens),   cmocka_unit_test(calls_are_told_once), cmocka_unit_test(setup_is_not_judged),
		cmocka_unit_test(tasks_may_be_gone), cmocka_unit_test(ends_are_calls),	    cmocka_unit_test(sends_have_an_address), cmocka_unit_test(losses_are_told),
		cmocka_unit_test(each_loss_is_told_once),
		cmocka_unit_test(killed_is_told),    cmocka_unit_test(nothing_holds),
		cmocka_unit_test(recorded_is_the_same), cmocka_unit_test(results_are_joined),
		cmocka_unit_test(gone_tasks_are_known),
		cmocka_unit_test(says_how_it_stands),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
