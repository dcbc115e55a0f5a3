// SPDX-License-Identifier: Apache-2.0
/*
 * Alerts that the supervisor causes itself, and the numbers of alerts.
 */
#include <json-c/json.h>
#include <stdarg.h>

#include "engine/internal.h"

uint64_t shk_take_seq(struct shk_engine *g, struct shk_entry *e, struct shk_call_slot *s)
{
	static pthread_mutex_t nobody = PTHREAD_MUTEX_INITIALIZER; /* container 0 */
	pthread_mutex_t *lock = e ? &e->seq_lock : &nobody;
	uint64_t seq;

	pthread_mutex_lock(lock);
	seq = s && s->seq ? s->seq : shk_journal_take_seq(g->journal, e ? e->ctr->key : 0, s);
	pthread_mutex_unlock(lock);
	return seq;
}

void shk_tell(struct shk_engine *g, struct shk_entry *e, enum shk_priority prio, const char *rule,
	      struct json_object *fields, const char *fmt, ...)
{
	char text[1024];
	struct shk_buf out;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	shk_log((int)prio, "%s%s" SHK_STR_FMT "%s", text, e ? " (container " : "",
		SHK_STR_ARG(e ? e->ctr->id : SHK_STR("")), e ? ")" : "");
	shk_buf_init(&out, SHK_JOURNAL_ALERT_MAX);
	if (shk_alert_render(&(struct shk_alert){ .ctr = e ? e->ctr : NULL,
						  .seq = shk_take_seq(g, e, NULL),
						  .boot = shk_journal_boot(g->journal),
						  .verdict = "allow",
						  .internal_rule = rule,
						  .internal_priority = prio,
						  .internal_text = text,
						  .internal_fields = fields },
			     g->hostname, &out) == 0 &&
	    shk_journal_put_alert(g->journal, SHK_JA_VERDICT | SHK_JA_PRIORITY(prio), out.p, out.n) == 0 && g->sinks)
		shk_sinks_kick(g->sinks);
	shk_buf_done(&out);
}
