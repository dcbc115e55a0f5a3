// SPDX-License-Identifier: Apache-2.0
#include "shrike-gateway/transfer.h"

#include <errno.h>

#include "alerts/print.h"

#define ANSWER_MAX  256	 /* bytes of an answer that are told */
#define ANSWER_SEEN 4096 /* bytes of it that are looked at for secrets */
#define AGENT	    "shrike/" PACKAGE_VERSION

struct transfer {
	struct shk_outlet *o;
	CURL *easy;
	struct curl_slist *headers, *to;
	size_t sent; /* of o->body, by SMTP */
	char answer[ANSWER_SEEN + 1];
	size_t answered;
	char error[CURL_ERROR_SIZE];
};

static size_t on_answer(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t take = SHK_MIN(size * n, ANSWER_SEEN - t->answered);

	memcpy(t->answer + t->answered, p, take);
	t->answered += take;
	return size * n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t take = SHK_MIN(size * n, t->o->body.n - t->sent);

	memcpy(p, t->o->body.p + t->sent, take);
	t->sent += take;
	return take;
}

static void append(struct curl_slist **list, const char *s, bool *ok)
{
	struct curl_slist *more = curl_slist_append(*list, s);

	if (more)
		*list = more;
	else
		*ok = false;
}

static void append_lines(struct curl_slist **list, const char *lines, bool *ok)
{
	while (lines && *lines) {
		size_t n = strcspn(lines, "\n");
		_cleanup_free_ char *one = strndup(lines, n);

		if (!one)
			*ok = false;
		else if (*one)
			append(list, one, ok);
		lines += n + (lines[n] == '\n');
	}
}

static struct curl_blob blob(struct shk_str s)
{
	return (struct curl_blob){ .data = (void *)(uintptr_t)s.p, .len = s.n, .flags = CURL_BLOB_NOCOPY };
}

/* What HTTP and SMTP share. */
static void set_common(struct transfer *t)
{
	const struct shk_network_config *net = &t->o->cfg->net;
	struct shk_secrets *s = &t->o->secrets;
	struct curl_blob ca = blob(s->ca), cert = blob(s->cert), key = blob(s->key);

	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)(net->timeout / 1000000));
	curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(net->timeout / 1000000));
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(t->easy, CURLOPT_QUICK_EXIT, 1L);
	if (s->ca.p)
		curl_easy_setopt(t->easy, CURLOPT_CAINFO_BLOB, &ca);
	if (s->cert.p)
		curl_easy_setopt(t->easy, CURLOPT_SSLCERT_BLOB, &cert);
	if (s->key.p)
		curl_easy_setopt(t->easy, CURLOPT_SSLKEY_BLOB, &key);
	if (net->user)
		curl_easy_setopt(t->easy, CURLOPT_USERNAME, net->user);
	if (s->password)
		curl_easy_setopt(t->easy, CURLOPT_PASSWORD, s->password);
}

static bool set_http(struct transfer *t)
{
	const struct shk_secrets *s = &t->o->secrets;
	bool alertmanager = t->o->cfg->kind == SHK_SINK_ALERTMANAGER, ok = true;
	_cleanup_free_ char *url = NULL, *bearer = NULL;
	size_t n = strlen(s->url);

	append(&t->headers, "Content-Type: application/json", &ok);
	append(&t->headers, "Expect:", &ok); /* no round trip more for long ones */
	append_lines(&t->headers, s->headers, &ok);
	if (s->token && asprintf(&bearer, "Authorization: Bearer %s", s->token) < 0)
		bearer = NULL;
	if (s->token && !bearer)
		return false;
	if (bearer) {
		append(&t->headers, bearer, &ok);
		explicit_bzero(bearer, strlen(bearer));
	}
	while (alertmanager && n && s->url[n - 1] == '/')
		n--;
	if (asprintf(&url, "%.*s%s", (int)n, s->url, alertmanager ? "/api/v2/alerts" : "") < 0) {
		url = NULL;
		return false;
	}
	curl_easy_setopt(t->easy, CURLOPT_URL, url);
	curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(t->easy, CURLOPT_USERAGENT, AGENT);
	curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
	return ok;
}

static bool set_mail(struct transfer *t)
{
	const struct shk_network_config *net = &t->o->cfg->net;
	bool ok = true;

	append_lines(&t->to, net->to, &ok);
	curl_easy_setopt(t->easy, CURLOPT_URL, t->o->secrets.url);
	curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
	curl_easy_setopt(t->easy, CURLOPT_USE_SSL, net->plain ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	curl_easy_setopt(t->easy, CURLOPT_MAIL_FROM, net->from);
	curl_easy_setopt(t->easy, CURLOPT_MAIL_RCPT, t->to);
	curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_body);
	curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
	return ok;
}

int shk_transfer_new(struct shk_outlet *o, struct shk_err *err)
{
	struct transfer *t = calloc(1, sizeof(*t));
	bool ok;

	if (!t)
		return shk_err_set(err, ENOMEM, "out of memory");
	o->transfer = t;
	t->o = o;
	t->easy = curl_easy_init();
	if (!t->easy)
		return shk_err_set(err, ENOMEM, "out of memory");
	set_common(t);
	ok = o->cfg->kind == SHK_SINK_MAIL ? set_mail(t) : set_http(t);
	return ok ? 0 : shk_err_set(err, ENOMEM, "out of memory");
}

void shk_transfer_free(struct shk_outlet *o, CURLM *multi)
{
	struct transfer *t = o->transfer;

	if (!t)
		return;
	if (o->state == SHK_OUTLET_SENDS && multi)
		curl_multi_remove_handle(multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->to);
	explicit_bzero(t, sizeof(*t));
	free(t);
	o->transfer = NULL;
}

int shk_transfer_start(struct shk_outlet *o, CURLM *multi)
{
	struct transfer *t = o->transfer;

	t->sent = 0;
	t->answered = 0;
	memset(t->answer, 0, sizeof(t->answer));
	t->error[0] = 0;
	if (o->cfg->kind == SHK_SINK_MAIL) {
		curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)o->body.n);
	} else {
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)o->body.n);
		curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, o->body.p);
	}
	return curl_multi_add_handle(multi, t->easy) == CURLM_OK ? 0 : -ENOMEM;
}

/* Codes that are about the message; 401, 403, 404 and the like are about address and credentials, which
 * somebody can put right while the alerts wait. */
static enum shk_outcome of_http(long code)
{
	if (code >= 200 && code < 300)
		return SHK_DELIVERED;
	return code == 400 || code == 413 || code == 415 || code == 422 ? SHK_REFUSED : SHK_FAILED;
}

/* A 5xx answer after the whole message was sent; before that it is about sender, recipients or rights. */
static enum shk_outcome of_mail(const struct transfer *t, CURLcode rc, long code)
{
	if (rc == CURLE_OK)
		return SHK_DELIVERED;
	return t->sent == t->o->body.n && t->sent && code >= 550 && code < 560 ? SHK_REFUSED : SHK_FAILED;
}

struct shk_outlet *shk_transfer_ended(CURLM *multi, enum shk_outcome *how, char *why, size_t size)
{
	int left;
	CURLMsg *m;

	while ((m = curl_multi_info_read(multi, &left))) {
		_cleanup_buf_ struct shk_buf said = { 0 };
		struct transfer *t = NULL;
		CURLcode rc = m->data.result;
		long code = 0;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		curl_easy_getinfo(m->easy_handle, CURLINFO_RESPONSE_CODE, &code);
		curl_multi_remove_handle(multi, t->easy);
		shk_buf_init(&said, 1024);
		if (t->o->cfg->kind == SHK_SINK_MAIL)
			*how = of_mail(t, rc, code);
		else
			*how = rc == CURLE_OK ? of_http(code) : SHK_FAILED;
		/* An address that came from a file is a secret. */
		if (rc != CURLE_OK)
			shk_buf_printf(&said, "%s", t->error[0] && !shk_secrets_in(&t->o->secrets, shk_str(t->error)) ?
							    t->error : curl_easy_strerror(rc));
		if (rc == CURLE_OK && *how != SHK_DELIVERED) {
			shk_buf_printf(&said, "answered %ld ", code);
			/* Some peers repeat what they were asked. */
			if (shk_secrets_in(&t->o->secrets, (struct shk_str){ t->answer, t->answered }))
				shk_buf_adds(&said, "(the answer repeats a secret and is left out)");
			else
				shk_print_line(&said, shk_utf8_cut(shk_str(t->answer), ANSWER_MAX));
		} else if (rc != CURLE_OK && code) {
			shk_buf_printf(&said, " (answer %ld)", code);
		}
		snprintf(why, size, "%s", said.p ? said.p : "");
		return t->o;
	}
	return NULL;
}
