// SPDX-License-Identifier: Apache-2.0
/*
 * Datagrams to the local syslog socket.
 *
 * RFC 3164, as syslog(3) writes it (no host name: the daemon knows it), or RFC 5424 with one structured
 * data element. Its name needs a private enterprise number, and the project has none: 32473 is the one
 * that RFC 5612 reserves for examples and documentation.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "alerts/print.h"
#include "alerts/sink.h"
#include "alerts/text.h"
#include "base/io.h"

#define SD_ID	    "shrike@32473"
#define MESSAGE_MAX 8000 /* rsyslog takes 8 KiB unless told otherwise, and cuts silently */
#define MESSAGE_MIN 1024 /* RFC 3164, section 4.1 */
#define PARAM_MAX   256
#define CUT_MARK    " [cut by shrike]"

static int syslog_open(struct shk_sink *s, struct shk_err *err)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	size_t n = strlen(s->cfg.path);

	if (n >= sizeof(sun.sun_path))
		return shk_err_set(err, ENAMETOOLONG, "%s: a socket's path has at most %zu bytes",
				   s->cfg.path, sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, s->cfg.path, n);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return shk_err_sys(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return shk_err_sys(err, errno, "%s%s", s->cfg.path,
				   errno == EPROTOTYPE ? " is no datagram socket" : "");
	if (!s->max_message)
		s->max_message = MESSAGE_MAX;
	s->fd = TAKE_FD(fd);
	return 0;
}

/* ---- RFC 3164 ---- */

static void head_3164(struct shk_buf *out, int pri)
{
	/* English whatever the locale. */
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t now = (time_t)(shk_now_real() / SHK_NS_PER_S);
	struct tm tm = { 0 };

	localtime_r(&now, &tm);
	shk_buf_printf(out, "<%d>%s %2d %02d:%02d:%02d shrike[%d]: ", pri, months[tm.tm_mon % 12],
		       tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)getpid());
}

/* ---- RFC 5424 ---- */

/* Visible ASCII without blanks, "-" for nothing. */
static void put_name(struct shk_buf *out, struct shk_str s, size_t max)
{
	size_t start = out->n;

	for (size_t i = 0; i < s.n && out->n - start < max; i++)
		if (s.p[i] > 0x20 && s.p[i] < 0x7f)
			shk_buf_addc(out, s.p[i]);
	if (out->n == start)
		shk_buf_addc(out, '-');
}

static void put_param(struct shk_buf *out, const char *name, struct shk_str value)
{
	_cleanup_buf_ struct shk_buf clean = { 0 };

	if (!value.n)
		return;
	shk_buf_init(&clean, 4 * PARAM_MAX);
	shk_print_line(&clean, shk_utf8_cut(value, PARAM_MAX));
	shk_buf_printf(out, " %s=\"", name);
	for (size_t i = 0; i < clean.n; i++) {
		if (clean.p[i] == '"' || clean.p[i] == '\\' || clean.p[i] == ']')
			shk_buf_addc(out, '\\');
		shk_buf_addc(out, clean.p[i]);
	}
	shk_buf_addc(out, '"');
}

static void head_5424(struct shk_buf *out, int pri, struct json_object *record)
{
	struct json_object *own = json_object_object_get(record, "shrike");
	struct json_object *ctr = json_object_object_get(own, "container");
	struct shk_str when = shk_text_member(record, "time");

	shk_buf_printf(out, "<%d>1 ", pri);
	/* Nanoseconds have three digits more than the format allows. */
	if (when.n == sizeof("2000-01-01T00:00:00.000000000Z") - 1) {
		shk_buf_add(out, when.p, when.n - 4);
		shk_buf_addc(out, 'Z');
	} else {
		shk_buf_addc(out, '-');
	}
	shk_buf_addc(out, ' ');
	put_name(out, shk_text_member(record, "hostname"), 255);
	shk_buf_printf(out, " shrike %d alert [" SD_ID, (int)getpid());
	put_param(out, "rule", shk_text_member(record, "rule"));
	put_param(out, "priority", shk_text_member(record, "priority"));
	put_param(out, "container", shk_text_member(ctr, "id"));
	put_param(out, "container_name", shk_text_member(ctr, "name"));
	put_param(out, "verdict", shk_text_member(own, "verdict"));
	shk_buf_adds(out, "] ");
}

/* ---- both ---- */

static int body(struct shk_sink *s, struct shk_line *l, struct json_object *record)
{
	_cleanup_buf_ struct shk_buf text;
	size_t room = s->max_message - s->out.n, mark = sizeof(CUT_MARK) - 1;
	int rc;

	shk_buf_init(&text, 4 * SHK_JOURNAL_ALERT_MAX);
	if (s->cfg.json) {
		/* Cut JSON is none: it is shortened inside instead. */
		if (l->json.n <= room)
			shk_buf_addstr(&s->out, l->json);
		else if (shk_record_fit(record, room, &s->out) < 0)
			return -EMSGSIZE;
		return 0;
	}
	rc = shk_record_text_of(record, s->cfg.iso8601, &text);
	if (rc < 0)
		return rc;
	if (text.n <= room) {
		shk_buf_addstr(&s->out, shk_buf_view(&text));
	} else {
		shk_buf_addstr(&s->out, shk_utf8_cut(shk_buf_view(&text), room - mark));
		shk_buf_adds(&s->out, CUT_MARK);
	}
	return text.failed ? -ENOMEM : 0;
}

static int shape(struct shk_sink *s, struct shk_line *l, struct json_object *record)
{
	int pri = s->cfg.facility | (int)l->priority; /* Falco's priorities are syslog's severities */
	_cleanup_buf_ struct shk_buf head;
	int rc;

	shk_buf_init(&head, MESSAGE_MAX);
	if (s->cfg.rfc5424)
		head_5424(&head, pri, record);
	else
		head_3164(&head, pri);
	/* The smallest message leaves at least half of itself to the text. */
	if (head.failed)
		return -ENOMEM;
	if (head.n > s->max_message - MESSAGE_MIN / 2)
		return -EMSGSIZE;
	shk_buf_addstr(&s->out, shk_buf_view(&head));
	rc = body(s, l, record);
	return rc < 0 ? rc : s->out.failed ? -ENOMEM : 0;
}

static int syslog_shape(struct shk_sink *s, struct shk_line *l)
{
	struct json_object *record = shk_line_parse(l);
	int rc = record ? shape(s, l, record) : -EINVAL;

	json_object_put(record);
	return rc;
}

/* The kernel refuses a datagram that is longer than the send buffer (net.core.wmem_default). */
static int shrink(struct shk_sink *s)
{
	if (s->max_message <= MESSAGE_MIN)
		return -EBADMSG;
	s->max_message = SHK_MAX(s->max_message / 2, (size_t)MESSAGE_MIN);
	shk_buf_reset(&s->out);
	return syslog_shape(s, s->cur) < 0 ? -EBADMSG : 0;
}

static int syslog_send(struct shk_sink *s)
{
	for (;;) {
		ssize_t n = send(s->fd, s->out.p, s->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		int rc;

		if (n >= 0)
			return 0;
		switch (errno) {
		case EINTR:
			continue;
		case EMSGSIZE:
			rc = shrink(s);
			if (rc < 0)
				return rc;
			continue;
		case EAGAIN:
			return -EAGAIN;
		case ENOBUFS: /* nothing announces that memory is back */
			s->retry_at = shk_now_mono() + SHK_NS_PER_S / 10;
			return -EAGAIN;
		default: /* ECONNREFUSED, ENOTCONN: the daemon went away, perhaps a new one is there */
			return -errno;
		}
	}
}

const struct shk_sink_ops shk_sink_syslog = {
	.name = "syslog",
	.open = syslog_open,
	.shape = syslog_shape,
	.send = syslog_send,
	.close = shk_stream_close,
	.reopens = true,
};
