// SPDX-License-Identifier: Apache-2.0
/*
 * alert_send SOCKET 3164|5424 text|json [MESSAGE] - sends one alert to a syslog socket, on the way every
 * alert takes: record, journal, writer, sink. Exit status 0: the socket took it.
 */
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "../unit/alerts.h"

int main(int argc, char **argv)
{
	struct shk_sink_config cfg = { .kind = SHK_SINK_SYSLOG, .facility = LOG_LOCAL3,
				       .min_priority = SHK_PRIO_DEBUG };
	struct shk_sink_stats st = { 0 };
	struct shk_err err = { 0 };
	struct shk_journal *j = NULL;
	struct shk_sinks *s = NULL;
	struct shk_str text;
	struct fixture f;
	int fd;

	if (argc < 4) {
		fprintf(stderr, "usage: %s SOCKET 3164|5424 text|json [MESSAGE]\n", argv[0]);
		return 2;
	}
	cfg.path = argv[1];
	cfg.rfc5424 = !strcmp(argv[2], "5424");
	cfg.json = !strcmp(argv[3], "json");
	fixture_init(&f, argc > 4 ? argv[4] : "A shell was started");
	text = fixture_render(&f);
	fd = shk_journal_create(&err);
	if (fd < 0 || shk_journal_open(fd, &j, &err) < 0 ||
	    shk_journal_put_alert(j, SHK_JA_VERDICT, text.p, text.n) < 0 ||
	    shk_sinks_start(&cfg, 1, j, NULL, NULL, &s, &err) != 0) {
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
		return 1;
	}
	for (unsigned i = 0; i < 500 && !st.sent; i++) {
		usleep(10000);
		shk_sinks_stats(s, &st, 1);
	}
	st.name = NULL; /* goes with the sinks */
	shk_sinks_stop(s, 1000);
	shk_journal_close(j);
	close(fd);
	free((char *)(uintptr_t)text.p);
	fixture_done(&f);
	return st.sent == 1 ? 0 : 1;
}
