// SPDX-License-Identifier: Apache-2.0
/*
 * shrike top - what the daemon is busy with: two looks at its counts make rates.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <time.h>

#include "control/control.h"
#include "shrike/commands.h"

#define INTERVAL_S   2
#define INTERVAL_MAX 3600
#define ID_SHOWN     12
#define ROWS	     10

/* One look. */
struct look {
	struct json_object *top;	/* answer of `top` */
	struct json_object *containers; /* array, of `ps` */
};

struct row {
	const char *name;
	struct json_object *o; /* of a container */
	int64_t count;	       /* since the look before */
	int64_t total;
};

static void look_done(struct look *l)
{
	json_object_put(l->top);
	json_object_put(l->containers);
	*l = (struct look){ 0 };
}

static int on_container(struct json_object *more, void *arg)
{
	struct look *l = arg;
	struct json_object *o = shk_json_object(more, "container");

	if (o)
		json_object_array_add(l->containers, json_object_get(o));
	return 0;
}

static int look(struct shk_cli *c, struct look *l)
{
	struct json_object *answer = NULL;
	int r;

	l->containers = json_object_new_array();
	if (!l->containers)
		return shk_cli_fail(SHK_EXIT_FAILED, "out of memory");
	r = shk_cli_ask(c, shk_cli_request("top"), SHK_EXIT_FAILED, NULL, NULL, SHK_CLI_ASK_MS, &l->top);
	if (r == 0)
		r = shk_cli_ask(c, shk_cli_request("ps"), SHK_EXIT_FAILED, on_container, l, SHK_CLI_ASK_MS, &answer);
	json_object_put(answer);
	return r;
}

/* Counts of another engine are no base: then all of them are new. */
static int64_t before(const struct look *then, const struct look *now, const char *key)
{
	if (shk_json_int(then->top, "started", 0) != shk_json_int(now->top, "started", 0))
		return 0;
	return shk_json_int(then->top, key, 0);
}

static double seconds(const struct look *then, const struct look *now)
{
	int64_t ns = shk_json_int(now->top, "time", 0) - shk_json_int(then->top, "time", 0);

	return ns > 0 ? (double)ns / 1e9 : 1;
}

/* ---- latency ---- */

static uint64_t count_at(struct json_object *top, size_t i)
{
	struct json_object *counts = shk_json_array(shk_json_object(top, "latency"), "counts");

	return counts && i < json_object_array_length(counts) ?
		       json_object_get_uint64(json_object_array_get_idx(counts, i)) : 0;
}

/* The bound below which a part of the calls between the looks was decided, ns; 0: no calls, UINT64_MAX: above all
 * bounds. */
static uint64_t quantile(const struct look *then, const struct look *now, double part)
{
	struct json_object *bounds = shk_json_array(shk_json_object(now->top, "latency"), "bounds_ns");
	bool same = shk_json_int(then->top, "started", 0) == shk_json_int(now->top, "started", 0);
	size_t n = bounds ? json_object_array_length(bounds) : 0;
	uint64_t all = 0, sum = 0;

	for (size_t i = 0; i <= n; i++)
		all += count_at(now->top, i) - (same ? count_at(then->top, i) : 0);
	for (size_t i = 0; i < n && all; i++) {
		sum += count_at(now->top, i) - (same ? count_at(then->top, i) : 0);
		if ((double)sum >= part * (double)all)
			return json_object_get_uint64(json_object_array_get_idx(bounds, i));
	}
	return all ? UINT64_MAX : 0;
}

static void put_latency(struct shk_buf *b, uint64_t ns)
{
	if (!ns)
		shk_buf_adds(b, "-");
	else if (ns == UINT64_MAX)
		shk_buf_adds(b, "> 1 s");
	else if (ns < 1000000)
		shk_buf_printf(b, "<= %" PRIu64 " us", ns / 1000);
	else
		shk_buf_printf(b, "<= %.1f ms", (double)ns / 1e6);
}

/* ---- rows ---- */

static int by_count(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return x->total != y->total ? (x->total < y->total ? 1 : -1) : strcmp(x->name, y->name);
}

/* Rows of {name: count}, busiest first. The caller frees. */
static struct row *rows_of(const struct look *then, const struct look *now, const char *key, size_t *ret_n)
{
	struct json_object *o = shk_json_object(now->top, key), *old = shk_json_object(then->top, key);
	bool same = shk_json_int(then->top, "started", 0) == shk_json_int(now->top, "started", 0);
	struct row *rows = calloc(o ? (size_t)json_object_object_length(o) + 1 : 1, sizeof(*rows));

	*ret_n = 0;
	if (!rows || !o)
		return rows;
	json_object_object_foreach(o, name, value) {
		int64_t total = json_object_get_int64(value);

		rows[(*ret_n)++] = (struct row){ .name = name, .total = total,
						 .count = total - (same && old ? shk_json_int(old, name, 0) : 0) };
	}
	qsort(rows, *ret_n, sizeof(*rows), by_count);
	return rows;
}

static struct json_object *same_container(struct json_object *list, struct json_object *o)
{
	struct shk_str id = shk_json_str(o, "id");

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *x = json_object_array_get_idx(list, i);

		if (shk_str_eq(shk_json_str(x, "id"), id) &&
		    shk_json_int(x, "started", 0) == shk_json_int(o, "started", 0))
			return x;
	}
	return NULL;
}

static struct row *containers_of(const struct look *then, const struct look *now, size_t *ret_n)
{
	size_t n = json_object_array_length(now->containers);
	bool same = shk_json_int(then->top, "started", 0) == shk_json_int(now->top, "started", 0);
	struct row *rows = calloc(n + 1, sizeof(*rows));

	*ret_n = rows ? n : 0;
	for (size_t i = 0; rows && i < n; i++) {
		struct json_object *o = json_object_array_get_idx(now->containers, i);
		struct json_object *old = same ? same_container(then->containers, o) : NULL;
		int64_t total = shk_json_int(o, "events", 0);

		rows[i] = (struct row){ .name = "", .o = o, .total = total,
					.count = total - (old ? shk_json_int(old, "events", 0) : 0) };
	}
	if (rows)
		qsort(rows, n, sizeof(*rows), by_count);
	return rows;
}

/* ---- printed ---- */

static int print_containers(struct shk_cli *c, const struct look *then, const struct look *now)
{
	struct shk_cli_table t = { .head = { "ID", "NAME", "POLICY", "CALLS/S", "CALLS", "ALERTS", "DENIED", "KILLED" },
				   .right = { [3] = true, [4] = true, [5] = true, [6] = true, [7] = true } };
	double s = seconds(then, now);
	size_t n;
	_cleanup_free_ struct row *rows = containers_of(then, now, &n);

	for (size_t i = 0; i < n && i < ROWS; i++) {
		struct json_object *o = rows[i].o;
		struct shk_str id = shk_json_str(o, "id");

		id.n = SHK_MIN(id.n, ID_SHOWN);
		shk_cli_cell(&t, id);
		shk_cli_cell(&t, shk_json_str(o, "name"));
		shk_cli_cell(&t, shk_json_str(o, "policy"));
		shk_cli_cellf(&t, "%.0f", (double)rows[i].count / s);
		shk_cli_cellf(&t, "%" PRId64, rows[i].total);
		shk_cli_cellf(&t, "%" PRId64, shk_json_int(o, "alerts", 0));
		shk_cli_cellf(&t, "%" PRId64, shk_json_int(o, "denied", 0));
		shk_cli_cellf(&t, "%" PRId64, shk_json_int(o, "killed", 0));
	}
	putchar('\n');
	return shk_cli_table_print(c, &t);
}

static int print_counts(struct shk_cli *c, const struct look *then, const struct look *now, const char *key,
			const char *head, const char *rate)
{
	struct shk_cli_table t = { .head = { head, rate, "TOTAL" }, .right = { [1] = true, [2] = true } };
	double s = seconds(then, now);
	size_t n;
	_cleanup_free_ struct row *rows = rows_of(then, now, key, &n);

	for (size_t i = 0; i < n && i < ROWS; i++) {
		shk_cli_cell(&t, shk_str(rows[i].name));
		shk_cli_cellf(&t, "%.1f", (double)rows[i].count / s);
		shk_cli_cellf(&t, "%" PRId64, rows[i].total);
	}
	if (!n)
		return 0;
	putchar('\n');
	return shk_cli_table_print(c, &t);
}

static void print_head(struct shk_cli *c, const struct look *then, const struct look *now)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	double s = seconds(then, now);
	int64_t denied = shk_json_int(now->top, "denied", 0), killed = shk_json_int(now->top, "killed", 0);

	shk_buf_init(&b, 4096);
	shk_buf_printf(&b, "%s%zu%s containers, %s%.0f%s calls/s, %.1f alerts/s, %s%" PRId64 " denied, %" PRId64
		       " killed%s\ndecision: half ", shk_cli_on(c, SHK_C_BOLD),
		       json_object_array_length(now->containers), shk_cli_off(c), shk_cli_on(c, SHK_C_BOLD),
		       (double)(shk_json_int(now->top, "events", 0) - before(then, now, "events")) / s,
		       shk_cli_off(c),
		       (double)(shk_json_int(now->top, "alerts", 0) - before(then, now, "alerts")) / s,
		       shk_cli_on(c, denied || killed ? SHK_C_YELLOW : SHK_C_PLAIN), denied, killed, shk_cli_off(c));
	put_latency(&b, quantile(then, now, 0.5));
	shk_buf_adds(&b, ", 95% ");
	put_latency(&b, quantile(then, now, 0.95));
	shk_buf_adds(&b, ", 99% ");
	put_latency(&b, quantile(then, now, 0.99));
	shk_buf_addc(&b, '\n');
	fputs(b.p ? b.p : "", stdout);
}

/* For programs: the counts as they are; rates are theirs to make. */
static void print_json(const struct look *now)
{
	json_object_object_add(now->top, "containers", json_object_get(now->containers));
	shk_cli_json(now->top);
}

static int show(struct shk_cli *c, const struct look *then, const struct look *now)
{
	int r;

	if (shk_cli_flag(c, "json")) {
		print_json(now);
		return 0;
	}
	if (c->tty)
		fputs("\033[H\033[2J", stdout);
	print_head(c, then, now);
	r = print_containers(c, then, now);
	if (!r)
		r = print_counts(c, then, now, "calls", "CALL", "CALLS/S");
	if (!r)
		r = print_counts(c, then, now, "rules", "RULE", "ALERTS/S");
	if (!c->tty)
		putchar('\n');
	return r;
}

static int number(struct shk_cli *c, const char *option, uint64_t most, uint64_t *ret)
{
	const char *text = shk_cli_value(c, option);

	if (!text || (shk_str_to_u64(shk_str(text), ret) && *ret && *ret <= most))
		return 0;
	return shk_cli_usage(c, "top: --%s takes a number from 1 to %" PRIu64 ", not \"%.32s\"", option, most, text);
}

static int run(struct shk_cli *c)
{
	struct look then = { 0 }, now = { 0 };
	uint64_t every = INTERVAL_S, times = 0;
	int r = number(c, "interval", INTERVAL_MAX, &every);

	if (r == 0)
		r = number(c, "times", UINT32_MAX, &times);
	if (r == 0)
		r = look(c, &then);
	for (uint64_t i = 0; r == 0 && (!times || i < times); i++) {
		struct timespec ts = { .tv_sec = (time_t)every };

		while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
			;
		r = look(c, &now);
		if (r == 0)
			r = show(c, &then, &now);
		if (r == 0 && fflush(stdout) != 0) /* whoever read it has gone */
			break;
		look_done(&then);
		then = now;
		now = (struct look){ 0 };
	}
	look_done(&then);
	look_done(&now);
	return r;
}

const struct shk_cli_cmd shk_cmd_top = {
	.name = "top",
	.args = "",
	.summary = "Show what is going on: busiest containers, calls, rules, time to decide",
	.detail = "\nRates are of the time since the line before; totals since the engine began. \"decision\" is the\n"
		  "time from a call's reception to its verdict: half, 95 and 99 of 100 calls were faster. On a\n"
		  "terminal the screen is written anew each time, until interrupted.",
	.opt = { { "interval", 'd', "SECONDS", "time between two looks (2)" },
		 { "times", 'n', "N", "end after N times" },
		 SHK_OPT_JSON },
	.exits = "  0 printed                     2 wrong usage\n"
		 "  3 shriked cannot be reached   4 other failure",
	.example = "  shrike top\n  shrike top -d 10 -n 1\n  shrike top --json | jq .latency",
	.run = run,
};
