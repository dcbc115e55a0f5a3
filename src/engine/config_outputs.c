// SPDX-License-Identifier: Apache-2.0
/*
 * outputs: one table has every option of every kind, with its type, its default and its text. The parser, the
 * dump, the defaults and the manual page are made from it.
 */
#include <errno.h>
#include <strings.h>
#include <syslog.h>

#include "engine/config_impl.h"

static const struct shk_config_word formats[] = { { "text", 0 }, { "json", 1 }, { NULL, 0 } };
static const struct shk_config_word protocols[] = { { "rfc3164", 0 }, { "rfc5424", 1 }, { NULL, 0 } };
static const struct shk_config_word tls[] = { { "starttls", 0 }, { "none", 1 }, { NULL, 0 } };
static const struct shk_config_word facilities[] = {
	{ "kern", LOG_KERN },	  { "user", LOG_USER },	    { "mail", LOG_MAIL },
	{ "daemon", LOG_DAEMON }, { "auth", LOG_AUTH },	    { "syslog", LOG_SYSLOG },
	{ "lpr", LOG_LPR },	  { "news", LOG_NEWS },	    { "uucp", LOG_UUCP },
	{ "cron", LOG_CRON },	  { "authpriv", LOG_AUTHPRIV }, { "ftp", LOG_FTP },
	{ "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 },
	{ "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 },
	{ "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 }, { NULL, 0 },
};

static const struct {
	const char *name;
	int kind;
	const char *doc;
} kinds[] = {
	{ "stdout", SHK_SINK_STDOUT, "Standard output of the daemon." },
	{ "file", SHK_SINK_FILE, "Appends to a file." },
	{ "syslog", SHK_SINK_SYSLOG, "The local syslog socket." },
	{ "program", SHK_SINK_PROGRAM, "Runs a command by the shell and writes alerts to its standard input." },
	{ "webhook", SHK_SINK_WEBHOOK,
	  "Posts each alert as the JSON object that Falco posts, which falcosidekick takes." },
	{ "slack", SHK_SINK_SLACK, "An incoming webhook of Slack." },
	{ "mattermost", SHK_SINK_MATTERMOST, "An incoming webhook of Mattermost." },
	{ "teams", SHK_SINK_TEAMS, "An incoming webhook of Microsoft Teams, which gets an adaptive card." },
	{ "mail", SHK_SINK_MAIL, "Mail by SMTP, one message for the alerts of a while." },
	{ "alertmanager", SHK_SINK_ALERTMANAGER,
	  "Prometheus' Alertmanager; its address without a path, API version 2 is used." },
};

#define ON(kind) (1u << (kind))
#define CHAT	 (ON(SHK_SINK_SLACK) | ON(SHK_SINK_MATTERMOST) | ON(SHK_SINK_TEAMS))
#define MAIL	 ON(SHK_SINK_MAIL)
#define PLAIN	 (ON(SHK_SINK_WEBHOOK) | ON(SHK_SINK_ALERTMANAGER))
#define NETWORK	 (PLAIN | CHAT | MAIL)
#define LOCAL	 (ON(SHK_SINK_STDOUT) | ON(SHK_SINK_FILE) | ON(SHK_SINK_SYSLOG) | ON(SHK_SINK_PROGRAM))
#define AS_JSON	 (ON(SHK_SINK_FILE) | ON(SHK_SINK_PROGRAM))

enum type { PATH, TEXT, URL, SECRET, LINES, WORD, PRIORITY, DURATION, COUNT };

#define AT(member) offsetof(struct shk_sink_config, member)
static const struct option {
	const char *name;
	enum type type;
	size_t at;
	unsigned kinds; /* that take it */
	const char *otherwise; /* NULL: nothing */
	const struct shk_config_word *words;
	const char *doc;
} options[] = {
	{ "path", PATH, AT(path), ON(SHK_SINK_FILE), NULL, NULL, "The file; must be given." },
	{ "socket", PATH, AT(path), ON(SHK_SINK_SYSLOG), NULL, NULL, "Instead of /dev/log." },
	{ "facility", WORD, AT(facility), ON(SHK_SINK_SYSLOG), "authpriv", facilities,
	  "Syslog's, from kern to local7." },
	{ "protocol", WORD, AT(rfc5424), ON(SHK_SINK_SYSLOG), "rfc3164", protocols, "rfc3164 or rfc5424." },
	{ "command", TEXT, AT(command), ON(SHK_SINK_PROGRAM), NULL, NULL, "What is run; must be given." },
	{ "format", WORD, AT(json), LOCAL & ~AS_JSON, "text", formats, "text or json." },
	{ "format", WORD, AT(json), AS_JSON, "json", formats, "text or json." },
	{ "min_priority", PRIORITY, AT(min_priority), ~0u, "Debug", NULL,
	  "The least severe priority that is sent." },
	{ "name", TEXT, AT(net.name), NETWORK, NULL, NULL,
	  "What this output is called in the spool, in metrics and in messages: letters, digits, - and _. Default: "
	  "the kind, with a number from the second of a kind on. An output that changes its name begins anew." },
	{ "url", URL, AT(net.url), PLAIN | CHAT, NULL, NULL,
	  "https:// or http:// address. Certificates are always verified." },
	{ "url", URL, AT(net.url), MAIL, NULL, NULL,
	  "smtp://HOST:PORT, which has to offer STARTTLS, or smtps://HOST:PORT." },
	{ "url_file", SECRET, AT(net.url_file), CHAT | PLAIN, NULL, NULL,
	  "File with the address, for addresses that are secret." },
	{ "rules", LINES, AT(net.rules), ~0u, NULL, NULL,
	  "Only alerts of these rules; * stands for any text, every other character for itself." },
	{ "not_rules", LINES, AT(net.not_rules), ~0u, NULL, NULL, "No alerts of these rules." },
	{ "tags", LINES, AT(net.tags), ~0u, NULL, NULL, "Only alerts of rules with one of these tags." },
	{ "token_file", SECRET, AT(net.token_file), PLAIN | CHAT, NULL, NULL,
	  "File with a token, sent as Authorization: Bearer." },
	{ "headers", LINES, AT(net.headers), PLAIN | CHAT, NULL, NULL, "Headers, each 'Name: value'; none that is secret." },
	{ "headers_file", SECRET, AT(net.headers_file), PLAIN | CHAT, NULL, NULL,
	  "File with more headers, one a line, for those that are secret." },
	{ "user", TEXT, AT(net.user), NETWORK, NULL, NULL, "Name to authenticate with." },
	{ "password_file", SECRET, AT(net.password_file), NETWORK, NULL, NULL, "File with the password." },
	{ "ca_file", PATH, AT(net.ca_file), NETWORK, NULL, NULL,
	  "Authorities that the server's certificate may be of. Default: those of the system." },
	{ "cert_file", PATH, AT(net.cert_file), NETWORK, NULL, NULL, "Certificate to show the server (PEM)." },
	{ "key_file", SECRET, AT(net.key_file), NETWORK, NULL, NULL, "Its private key (PEM)." },
	{ "timeout", DURATION, AT(net.timeout), NETWORK, "10s", NULL,
	  "A try that takes longer has failed and is repeated." },
	{ "from", TEXT, AT(net.from), MAIL, NULL, NULL, "Sender; must be given." },
	{ "to", LINES, AT(net.to), MAIL, NULL, NULL, "Recipients; at least one." },
	{ "tls", WORD, AT(net.plain), MAIL, "starttls", tls,
	  "none: without TLS, and then without authentication; for a mail server on this machine." },
	{ "digest", DURATION, AT(net.digest), MAIL, "1m", NULL,
	  "How long alerts are collected, from the first one on, for one message; 0: each at once." },
	{ "digest", DURATION, AT(net.digest), CHAT | ON(SHK_SINK_ALERTMANAGER), "0", NULL,
	  "How long alerts are collected for one message; 0: each at once." },
	{ "batch", COUNT, AT(net.batch), MAIL, "100", NULL, "Most alerts in one message." },
	{ "batch", COUNT, AT(net.batch), ON(SHK_SINK_ALERTMANAGER), "64", NULL, "Most alerts in one request." },
	{ "batch", COUNT, AT(net.batch), CHAT, "10", NULL, "Most alerts in one message." },
	{ "fold", DURATION, AT(net.fold), CHAT | MAIL, "5m", NULL,
	  "Alerts that say what one before them said are counted for so long, and told in one message with their number "
	  "and the times of the first and the last; 0: never." },
	{ "fold", DURATION, AT(net.fold), PLAIN, "0", NULL,
	  "Alerts that say what one before them said are counted for so long, and told in one message; 0: never." },
	{ "rate", COUNT, AT(net.rate), CHAT, "12", NULL,
	  "Alerts per minute of one rule in one container. What is above is counted and told in one message; 0: no bound." },
	{ "rate", COUNT, AT(net.rate), MAIL | PLAIN, "0", NULL,
	  "Alerts per minute of one rule in one container. What is above is counted and told in one message; 0: no bound." },
	{ "burst", COUNT, AT(net.burst), NETWORK, "10", NULL, "Alerts beyond the rate that are sent at once." },
};

bool shk_config_is_network(const struct shk_sink_config *s)
{
	return NETWORK & ON(s->kind);
}

static bool is_string(enum type t)
{
	return t <= LINES;
}

static void *member(struct shk_sink_config *s, const struct option *o)
{
	return (char *)s + o->at;
}

static const char *kind_name(int kind)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return "?";
}

static void sink_done(struct shk_sink_config *s)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(options); i++)
		if (is_string(options[i].type)) {
			char **p = member(s, &options[i]);

			free(*p);
			*p = NULL;
		}
	*s = (struct shk_sink_config){ 0 };
}

/* ---- values ---- */

/* Chats whose address is all it takes to write there. */
static bool is_secret_host(const char *host, size_t n)
{
	static const char *const hosts[] = { "hooks.slack.com", "webhook.office.com", "logic.azure.com",
					     "api.powerplatform.com", "discord.com" };

	for (size_t i = 0; i < SHK_ARRAY_SIZE(hosts); i++) {
		size_t len = strlen(hosts[i]);

		if (n >= len && !strncasecmp(host + n - len, hosts[i], len) && (n == len || host[n - len - 1] == '.'))
			return true;
	}
	return false;
}

/* Addresses with a name and password in them would end up in logs. */
static int parse_url(const struct shk_config_reader *r, const yaml_node_t *v, const struct option *o,
		     const struct shk_sink_config *s, char **out)
{
	static const char *const web[] = { "https://", "http://", NULL };
	static const char *const mail[] = { "smtp://", "smtps://", NULL };
	const char *const *schemes = s->kind == SHK_SINK_MAIL ? mail : web;
	struct shk_str text;
	size_t host = 0;
	int rc = shk_config_scalar(r, v, o->name, &text);

	if (rc < 0)
		return rc;
	for (size_t i = 0; schemes[i]; i++)
		if (shk_str_starts(text, shk_str(schemes[i])))
			host = strlen(schemes[i]);
	if (!host || text.n == host)
		return shk_config_fail(r, &v->start_mark, "url: an address that begins with %s or %s is expected",
				       schemes[0], schemes[1]);
	for (size_t i = host; i < text.n && text.p[i] != '/'; i++)
		if (text.p[i] == '@')
			return shk_config_fail(r, &v->start_mark, "url: no names or passwords here; use user and "
					       "password_file");
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] <= ' ' || text.p[i] == 0x7f)
			return shk_config_fail(r, &v->start_mark, "url: an address has no blanks");
	if (is_secret_host(text.p + host, strcspn(text.p + host, ":/?")))
		return shk_config_fail(r, &v->start_mark, "url: whoever has such an address can write to the chat; put it "
				       "into a file that only root can read, and name that with url_file");
	return shk_config_take(r, text, out);
}

/* An absolute path, or the name of a credential of systemd. */
static int parse_secret(const struct shk_config_reader *r, const yaml_node_t *v, const struct option *o,
			char **out)
{
	struct shk_str text;
	int rc = shk_config_scalar(r, v, o->name, &text);

	if (rc < 0)
		return rc;
	if (!text.n || (text.p[0] != '/' && memchr(text.p, '/', text.n)))
		return shk_config_fail(r, &v->start_mark, "%s: the absolute path of a file is expected, or the name "
				       "of a credential of the service (LoadCredential=)", o->name);
	return shk_config_take(r, text, out);
}

/* This file, and what `shrike config --dump` makes of it, may be everybody's to read. */
static int check_header(const struct shk_config_reader *r, const yaml_node_t *v, struct shk_str text)
{
	static const char *const secrets[] = { "authorization", "proxy-authorization", "cookie", "x-api-key", "api-key",
					       "x-auth-token", "private-token" };
	const char *colon = memchr(text.p, ':', text.n);
	size_t n = colon ? (size_t)(colon - text.p) : 0;

	if (!n || memchr(text.p, ' ', n))
		return shk_config_fail(r, &v->start_mark, "headers: 'Name: value' is expected");
	for (size_t i = 0; i < SHK_ARRAY_SIZE(secrets); i++)
		if (n == strlen(secrets[i]) && !strncasecmp(text.p, secrets[i], n))
			return shk_config_fail(r, &v->start_mark, "headers: the value of %.*s is a secret; put the line into a "
					       "file that only root can read, and name that with headers_file", (int)n, text.p);
	return 0;
}

static int add_line(const struct shk_config_reader *r, const yaml_node_t *v, const struct option *o,
		    struct shk_buf *b)
{
	struct shk_str text;
	int rc = shk_config_scalar(r, v, o->name, &text);

	if (rc < 0)
		return rc;
	if (!text.n)
		return shk_config_fail(r, &v->start_mark, "%s: an empty entry; leave it out", o->name);
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20)
			return shk_config_fail(r, &v->start_mark, "%s: an entry is one line", o->name);
	if (o->at == AT(net.headers))
		rc = check_header(r, v, text);
	if (b->n)
		shk_buf_addc(b, '\n');
	shk_buf_addstr(b, text);
	return rc;
}

static int parse_lines(const struct shk_config_reader *r, const yaml_node_t *v, const struct option *o,
		       char **out)
{
	_cleanup_buf_ struct shk_buf b = { 0 };
	int rc = 0;

	shk_buf_init(&b, SHK_CONFIG_MAX);
	if (v->type == YAML_SEQUENCE_NODE) {
		/* No rules would be no alerts, where all were meant. */
		if (v->data.sequence.items.start == v->data.sequence.items.top)
			return shk_config_fail(r, &v->start_mark, "%s: the list is empty; leave the key out, or name "
					       "one at least", o->name);
		for (yaml_node_item_t *i = v->data.sequence.items.start;
		     rc == 0 && i < v->data.sequence.items.top; i++)
			rc = add_line(r, shk_config_node(r, *i), o, &b);
	} else {
		rc = add_line(r, v, o, &b);
	}
	if (rc < 0)
		return rc;
	if (b.failed)
		return shk_err_sys(r->err, ENOMEM, "%s", r->name);
	return shk_config_take(r, b.n ? shk_buf_view(&b) : SHK_STR(""), out);
}

static int parse_text(const struct shk_config_reader *r, const yaml_node_t *v, const struct option *o,
		      char **out)
{
	struct shk_str text;
	int rc = shk_config_scalar(r, v, o->name, &text);
	bool is_name = o->at == AT(net.name);

	for (size_t i = 0; rc == 0 && i < text.n; i++) {
		char c = text.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     c == '-' || c == '_';

		if (is_name && !plain)
			return shk_config_fail(r, &v->start_mark, "name: letters, digits, - and _ are possible");
		if (c == '\n' && o->at != AT(command))
			return shk_config_fail(r, &v->start_mark, "%s: one line is expected", o->name);
	}
	if (rc == 0 && is_name && (!text.n || text.n > 64))
		return shk_config_fail(r, &v->start_mark, "name: 1 to 64 bytes are possible");
	return rc < 0 ? rc : shk_config_take(r, text, out);
}

static int parse_priority(const struct shk_config_reader *r, const yaml_node_t *v, const struct option *o,
			  enum shk_priority *out)
{
	struct shk_str text;
	int rc = shk_config_scalar(r, v, o->name, &text);

	if (rc == 0 && !shk_priority_parse(text, out))
		rc = shk_config_fail(r, &v->start_mark,
				     "min_priority: unknown priority '" SHK_STR_FMT "'; one of emergency, "
				     "alert, critical, error, warning, notice, informational, debug",
				     (int)SHK_MIN(text.n, 64), text.p);
	return rc;
}

static int parse_count(const struct shk_config_reader *r, const yaml_node_t *v, const struct option *o,
		       uint64_t *out)
{
	struct shk_str text;
	int rc = shk_config_scalar(r, v, o->name, &text);
	uint64_t value;

	if (rc < 0)
		return rc;
	if (!shk_str_to_u64(text, &value) || value > 1000000)
		return shk_config_fail(r, &v->start_mark, "%s: a number from 0 to 1000000 is expected", o->name);
	*out = value;
	return 0;
}

static int parse_option(const struct shk_config_reader *r, const struct option *o, const yaml_node_t *v,
			struct shk_sink_config *s)
{
	switch (o->type) {
	case PATH:
		return shk_config_parse_path(r, v, o->name, member(s, o));
	case TEXT:
		return parse_text(r, v, o, member(s, o));
	case URL:
		return parse_url(r, v, o, s, member(s, o));
	case SECRET:
		return parse_secret(r, v, o, member(s, o));
	case LINES:
		return parse_lines(r, v, o, member(s, o));
	case WORD:
		return shk_config_parse_word(r, v, o->name, o->words, member(s, o));
	case PRIORITY:
		return parse_priority(r, v, o, member(s, o));
	case DURATION:
		return shk_config_parse_duration(r, v, o->name, member(s, o));
	case COUNT:
		return parse_count(r, v, o, member(s, o));
	}
	return 0;
}

/* ---- outputs ---- */

/* The defaults are read by the parser that reads the file. */
static int set_defaults(const struct shk_config_reader *r, struct shk_sink_config *s)
{
	for (size_t i = 0; i < SHK_ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];
		yaml_node_t v = { .type = YAML_SCALAR_NODE };
		int rc;

		if (!(o->kinds & ON(s->kind)) || !o->otherwise)
			continue;
		v.data.scalar.value = (yaml_char_t *)(uintptr_t)o->otherwise;
		v.data.scalar.length = strlen(o->otherwise);
		rc = parse_option(r, o, &v, s);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int parse_options(const struct shk_config_reader *r, const yaml_node_t *map, const char *kind,
			 struct shk_sink_config *s)
{
	struct shk_config_word known[SHK_ARRAY_SIZE(options) + 1] = { 0 };
	bool seen[SHK_ARRAY_SIZE(options)] = { false };
	size_t n = 0;

	for (size_t o = 0; o < SHK_ARRAY_SIZE(options); o++)
		if (options[o].kinds & ON(s->kind))
			known[n++] = (struct shk_config_word){ options[o].name, (int)o };
	for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
		const yaml_node_t *k = shk_config_node(r, p->key);
		char label[64];
		int o = 0, rc;

		snprintf(label, sizeof(label), "output %s", kind);
		rc = shk_config_parse_key(r, k, label, known, &o);
		if (rc < 0)
			return rc;
		if (seen[o])
			return shk_config_fail(r, &k->start_mark, "output %s: '%s' is given twice; keep one",
					       kind, options[o].name);
		seen[o] = true;
		rc = parse_option(r, &options[o], shk_config_node(r, p->value), s);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What one option says must go with the others. */
static int check_output(const struct shk_config_reader *r, const yaml_node_t *k,
			const struct shk_sink_config *s)
{
	const struct shk_network_config *n = &s->net;
	const char *missing = NULL;

	if (s->kind == SHK_SINK_FILE && !s->path)
		missing = "'path' is missing";
	if (s->kind == SHK_SINK_PROGRAM && (!s->command || !*s->command))
		missing = "'command' is missing";
	if (shk_config_is_network(s) && !n->url && !n->url_file)
		missing = s->kind == SHK_SINK_MAIL ? "'url' is missing" : "'url' or 'url_file' is missing";
	if (n->url && n->url_file)
		missing = "'url' and 'url_file' are both given; keep one";
	if (s->kind == SHK_SINK_MAIL && (!n->from || !*n->from || !n->to || !*n->to))
		missing = "'from' and 'to' are needed";
	if (s->kind == SHK_SINK_MAIL && n->plain && (n->user || n->password_file))
		missing = "a password is not sent without TLS; leave out 'tls: none'";
	if (!n->user != !n->password_file)
		missing = "'user' and 'password_file' go together";
	if (n->cert_file && !n->key_file)
		missing = "'cert_file' needs 'key_file'";
	if (shk_config_is_network(s) && !n->timeout)
		missing = "'timeout' cannot be 0";
	return missing ? shk_config_fail(r, &k->start_mark, "output %s: %s", kind_name((int)s->kind), missing) : 0;
}

static int parse_output(const struct shk_config_reader *r, const yaml_node_t *n, struct shk_sink_config *s)
{
	struct shk_config_word known[SHK_ARRAY_SIZE(kinds) + 1] = { 0 };
	const yaml_node_t *k = n, *v = NULL;
	int kind = 0, rc;

	if (n->type == YAML_MAPPING_NODE) {
		if (n->data.mapping.pairs.top - n->data.mapping.pairs.start != 1)
			return shk_config_fail(r, &n->start_mark, "an output is one 'kind: { options }'; begin each "
					       "with its own '-'");
		k = shk_config_node(r, n->data.mapping.pairs.start->key);
		v = shk_config_node(r, n->data.mapping.pairs.start->value);
	}
	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++)
		known[i] = (struct shk_config_word){ kinds[i].name, kinds[i].kind };
	rc = shk_config_parse_key(r, k, "outputs", known, &kind);
	if (rc < 0)
		return rc;
	*s = (struct shk_sink_config){ .kind = (__typeof__(s->kind))kind, .facility = LOG_AUTHPRIV };
	rc = set_defaults(r, s);
	if (rc == 0 && v && v->type == YAML_MAPPING_NODE)
		rc = parse_options(r, v, kind_name(kind), s);
	else if (rc == 0 && v && (v->type != YAML_SCALAR_NODE || v->data.scalar.length))
		rc = shk_config_fail(r, &v->start_mark, "output %s: options are expected, as { min_priority: error }",
				     kind_name(kind));
	if (rc == 0)
		rc = check_output(r, k, s);
	if (rc < 0)
		sink_done(s);
	return rc;
}

void shk_config_drop_outputs(struct shk_config *c)
{
	for (size_t i = 0; i < c->n_outputs; i++)
		sink_done(&c->outputs[i]);
	free(c->outputs);
	c->outputs = NULL;
	c->n_outputs = 0;
}

static const struct shk_sink_config *named(const struct shk_config *c, const char *name)
{
	for (size_t i = 0; i < c->n_outputs; i++)
		if (c->outputs[i].net.name && !strcmp(c->outputs[i].net.name, name))
			return &c->outputs[i];
	return NULL;
}

/* Names are unique: the spool remembers by them how far each output is. */
static int name_outputs(const struct shk_config_reader *r, const yaml_node_t *at, struct shk_config *c)
{
	for (size_t i = 0; i < c->n_outputs; i++) {
		char *name = c->outputs[i].net.name;

		if (name && named(c, name) != &c->outputs[i])
			return shk_config_fail(r, &at->start_mark, "outputs: two are named '%s'; names are unique", name);
	}
	for (size_t i = 0; i < c->n_outputs; i++) {
		struct shk_sink_config *s = &c->outputs[i];
		char name[96];
		int rc;

		if (!shk_config_is_network(s) || s->net.name)
			continue;
		snprintf(name, sizeof(name), "%s", kind_name((int)s->kind));
		for (unsigned n = 2; named(c, name); n++)
			snprintf(name, sizeof(name), "%s%u", kind_name((int)s->kind), n);
		rc = shk_config_take(r, shk_str(name), &s->net.name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int shk_config_parse_outputs(const struct shk_config_reader *r, const yaml_node_t *n, struct shk_config *c)
{
	size_t count;

	if (n->type != YAML_SEQUENCE_NODE)
		return shk_config_fail(r, &n->start_mark, "outputs: a list is expected, one '- kind: ...' each");
	count = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	if (count > SHK_OUTPUTS_MAX)
		return shk_config_fail(r, &n->start_mark, "outputs: more than %d", SHK_OUTPUTS_MAX);
	shk_config_drop_outputs(c);
	c->outputs = calloc(count ? count : 1, sizeof(*c->outputs));
	if (!c->outputs)
		return shk_err_sys(r->err, ENOMEM, "%s", r->name);
	for (size_t i = 0; i < count; i++) {
		int rc = parse_output(r, shk_config_node(r, n->data.sequence.items.start[i]), &c->outputs[i]);

		if (rc < 0)
			return rc;
		c->n_outputs++;
	}
	return name_outputs(r, n, c);
}

/* ---- dump ---- */

static void put_lines(struct shk_buf *out, const char *lines)
{
	shk_buf_adds(out, "[");
	while (lines && *lines) {
		size_t n = strcspn(lines, "\n");
		char one[4096];

		snprintf(one, sizeof(one), "%.*s", (int)SHK_MIN(n, sizeof(one) - 1), lines);
		shk_buf_addc(out, ' ');
		shk_config_put_quoted(out, one);
		lines += n;
		if (*lines == '\n') {
			shk_buf_addc(out, ',');
			lines++;
		}
	}
	shk_buf_adds(out, " ]");
}

static void put_option(struct shk_buf *out, const struct option *o, const struct shk_sink_config *s)
{
	const char *p = (const char *)s + o->at;

	if (is_string(o->type) && !*(char *const *)(const void *)p)
		return;
	shk_buf_printf(out, "      %s: ", o->name);
	switch (o->type) {
	case LINES:
		put_lines(out, *(char *const *)(const void *)p);
		break;
	case PATH:
	case TEXT:
	case URL:
	case SECRET:
		shk_config_put_quoted(out, *(char *const *)(const void *)p);
		break;
	case WORD:
		shk_buf_adds(out, shk_config_word_of(o->words, *(const int *)(const void *)p));
		break;
	case PRIORITY:
		shk_buf_adds(out, shk_priority_name(*(const enum shk_priority *)(const void *)p));
		break;
	case DURATION:
		shk_config_put_duration(out, *(const uint64_t *)(const void *)p);
		break;
	case COUNT:
		shk_buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)(const void *)p);
		break;
	}
	shk_buf_addc(out, '\n');
}

static void put_output(struct shk_buf *out, const struct shk_sink_config *s)
{
	shk_buf_printf(out, "  - %s:\n", kind_name((int)s->kind));
	for (size_t o = 0; o < SHK_ARRAY_SIZE(options); o++)
		if (options[o].kinds & ON(s->kind))
			put_option(out, &options[o], s);
}

/* What the engine serves: outputs on this machine; of those over the network, the least that any of them takes. */
static void put_engines(struct shk_buf *out, const struct shk_config *c)
{
	enum shk_priority least = 0;
	bool network = c->metrics_listen && *c->metrics_listen;

	for (size_t i = 0; i < c->n_outputs; i++) {
		const struct shk_sink_config *s = &c->outputs[i];

		if (shk_config_is_network(s)) {
			network = true;
			least = SHK_MAX(least, s->min_priority);
		} else {
			put_output(out, s);
		}
	}
	shk_buf_printf(out, "network: %d %d time: %d\n", network, (int)least, (int)c->time_format);
}

bool shk_config_same_outputs(const struct shk_config *a, const struct shk_config *b)
{
	_cleanup_buf_ struct shk_buf one, two;

	shk_buf_init(&one, 8 * SHK_CONFIG_MAX);
	shk_buf_init(&two, 8 * SHK_CONFIG_MAX);
	put_engines(&one, a);
	put_engines(&two, b);
	return !one.failed && !two.failed && shk_str_eq(shk_buf_view(&one), shk_buf_view(&two));
}

void shk_config_dump_outputs(const struct shk_config *c, struct shk_buf *out)
{
	shk_buf_adds(out, "# where alerts go:");
	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++)
		shk_buf_printf(out, "%s %s", i ? "," : "", kinds[i].name);
	shk_buf_adds(out, c->n_outputs ? "\noutputs:\n" : "\noutputs: []\n");
	for (size_t i = 0; i < c->n_outputs; i++)
		put_output(out, &c->outputs[i]);
}

/* ---- manual page ---- */

static void doc_kinds(struct shk_buf *out, unsigned mask)
{
	bool first = true;

	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++) {
		if (!(mask & ON(kinds[i].kind)))
			continue;
		shk_buf_printf(out, "%s%s", first ? "" : " , ", kinds[i].name);
		first = false;
	}
}

/* A sentence a line, as mdoc(7) likes it. */
static void doc_text(struct shk_buf *out, const char *text)
{
	for (; *text; text++) {
		if (text[0] == '.' && text[1] == ' ') {
			shk_buf_adds(out, ".\n");
			text++;
		} else if (*text == '-') {
			shk_buf_adds(out, "\\-");
		} else {
			shk_buf_addc(out, *text);
		}
	}
	shk_buf_addc(out, '\n');
}

void shk_config_doc_outputs(struct shk_buf *out)
{
	shk_buf_adds(out, ".Bl -tag -width Ds\n");
	for (size_t i = 0; i < SHK_ARRAY_SIZE(kinds); i++) {
		shk_buf_printf(out, ".It Cm %s\n", kinds[i].name);
		doc_text(out, kinds[i].doc);
	}
	shk_buf_adds(out, ".El\n.Pp\nOptions of outputs:\n.Bl -tag -width Ds\n");
	for (size_t i = 0; i < SHK_ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		shk_buf_printf(out, ".It Cm %s\n", o->name);
		if (o->kinds != ~0u) {
			shk_buf_adds(out, ".Pq Cm ");
			doc_kinds(out, o->kinds);
			shk_buf_addc(out, '\n');
		}
		doc_text(out, o->doc);
		if (o->otherwise)
			shk_buf_printf(out, "Default:\n.Cm %s .\n", o->otherwise);
	}
	shk_buf_adds(out, ".El\n");
}
