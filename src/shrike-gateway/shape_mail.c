// SPDX-License-Identifier: Apache-2.0
/*
 * Mail: headers of our own words, and a body in base64, so that no line is too long and no text of a container can
 * end a header or the message.
 */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <time.h>

#include "alerts/print.h"
#include "alerts/text.h"
#include "shrike-gateway/shape.h"

#define LINE_BYTES 57 /* 76 characters */
#define BODY_MAX   (2u << 20)
#define TEXT_MAX   8192

static void base64(struct shk_buf *out, const unsigned char *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t w = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
			     (i + 2 < n ? p[i + 2] : 0);

		shk_buf_addc(out, digits[w >> 18 & 63]);
		shk_buf_addc(out, digits[w >> 12 & 63]);
		shk_buf_addc(out, i + 1 < n ? digits[w >> 6 & 63] : '=');
		shk_buf_addc(out, i + 2 < n ? digits[w & 63] : '=');
	}
}

/* RFC 2047 where it is not plain ASCII: encoded words of at most 75 characters. */
static void header_text(struct shk_buf *out, struct shk_str s)
{
	bool ascii = true;

	for (size_t i = 0; i < s.n; i++)
		ascii &= (unsigned char)s.p[i] >= 0x20 && (unsigned char)s.p[i] < 0x7f;
	if (ascii) {
		shk_buf_addstr(out, s);
		return;
	}
	for (bool first = true; s.n; first = false) {
		struct shk_str part = shk_utf8_cut(s, 45);

		if (!part.n)
			part.n = 1;
		shk_buf_adds(out, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		base64(out, (const unsigned char *)part.p, part.n);
		shk_buf_adds(out, "?=");
		s.p += part.n;
		s.n -= part.n;
	}
}

static void subject(struct shk_buf *out, const struct shk_outlet *o)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	struct json_object *first = o->batch[0];

	shk_buf_init(&b, 4096);
	shk_buf_adds(&b, "[shrike] ");
	if (o->n == 1) {
		shk_print_line(&b, shk_text_member(first, "priority"));
		shk_buf_adds(&b, ": ");
		shk_print_line(&b, shk_utf8_cut(shk_text_member(first, "rule"), 160));
	} else {
		enum shk_priority worst = SHK_PRIO_DEBUG, p;

		for (size_t i = 0; i < o->n; i++)
			if (shk_priority_parse(shk_text_member(o->batch[i], "priority"), &p))
				worst = SHK_MIN(worst, p);
		shk_buf_printf(&b, "%zu alerts, the most severe %s", o->n, shk_priority_name(worst));
	}
	shk_buf_adds(out, "Subject: ");
	header_text(out, shk_buf_view(&b));
	shk_buf_adds(out, "\r\n");
}

static void line(struct shk_buf *b, const char *name, struct shk_str value)
{
	if (!value.n)
		return;
	shk_buf_printf(b, "  %-10s ", name);
	shk_print_line(b, value);
	shk_buf_adds(b, "\r\n");
}

static void entry(struct shk_buf *b, struct json_object *record)
{
	_cleanup_buf_ struct shk_buf where = { 0 };
	struct json_object *own = NULL;

	json_object_object_get_ex(record, "shrike", &own);
	shk_buf_init(&where, 4096);
	shk_shape_container(&where, record);
	shk_print_line(b, shk_text_member(record, "time"));
	shk_buf_addc(b, ' ');
	shk_print_line(b, shk_text_member(record, "priority"));
	shk_buf_adds(b, ": ");
	shk_print_line(b, shk_text_member(record, "rule"));
	shk_buf_adds(b, "\r\n  ");
	shk_shape_text(b, record, TEXT_MAX);
	shk_buf_adds(b, "\r\n");
	line(b, "container", shk_buf_view(&where));
	line(b, "host", shk_text_member(record, "hostname"));
	line(b, "verdict", shk_text_member(own, "verdict"));
	line(b, "id", shk_text_member(own, "id"));
	shk_buf_adds(b, "\r\n");
}

static void date(struct shk_buf *out, int64_t stamp)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)stamp;
	struct tm tm = { 0 };

	gmtime_r(&t, &tm);
	shk_buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday % 7], tm.tm_mday,
		       months[tm.tm_mon % 12], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The same batch sent twice has the same: what the first alert is called, and how many they are. */
static void message_id(struct shk_buf *out, const struct shk_outlet *o)
{
	struct json_object *own = NULL;
	struct shk_str id, host = shk_text_member(o->batch[0], "hostname");

	json_object_object_get_ex(o->batch[0], "shrike", &own);
	id = shk_text_member(own, "id");
	shk_buf_adds(out, "Message-ID: <shrike.");
	for (size_t i = 0; i < id.n && i < 128; i++)
		shk_buf_addc(out, strchr("0123456789abcdefghijklmnopqrstuvwxyz-", id.p[i]) && id.p[i] ? id.p[i] : '.');
	shk_buf_printf(out, ".%zu@", o->n);
	for (size_t i = 0; i < host.n && i < 64; i++)
		shk_buf_addc(out, strchr("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-", host.p[i]) &&
					  host.p[i] ? host.p[i] : '-');
	shk_buf_adds(out, host.n ? ">\r\n" : "localhost>\r\n");
}

int shk_shape_mail(struct shk_outlet *o, int64_t stamp)
{
	_cleanup_buf_ struct shk_buf text = { 0 };
	const char *to = o->cfg->net.to;

	shk_buf_init(&text, BODY_MAX);
	for (size_t i = 0; i < o->n; i++)
		entry(&text, o->batch[i]);
	if (text.failed)
		shk_buf_reset(&text); /* then each has a line, and the rest is in the log of the machine */
	for (size_t i = 0; !text.n && i < o->n; i++) {
		shk_print_line(&text, shk_utf8_cut(shk_text_member(o->batch[i], "rule"), 200));
		shk_buf_adds(&text, "\r\n");
	}
	date(&o->body, stamp);
	shk_buf_printf(&o->body, "From: %s\r\nTo: ", o->cfg->net.from);
	for (; *to; to++)
		shk_buf_adds(&o->body, *to == '\n' ? ",\r\n " : (char[]){ *to, 0 });
	shk_buf_adds(&o->body, "\r\n");
	subject(&o->body, o);
	message_id(&o->body, o);
	shk_buf_adds(&o->body, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			       "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
	for (size_t i = 0; i < text.n; i += LINE_BYTES) {
		base64(&o->body, (const unsigned char *)text.p + i, SHK_MIN((size_t)LINE_BYTES, text.n - i));
		shk_buf_adds(&o->body, "\r\n");
	}
	return text.failed ? -ENOMEM : 0;
}
