// SPDX-License-Identifier: Apache-2.0
/*
 * alert_feed GATEWAY CONFIG - keeper and engine for one shrike-gateway: the real journal, the real alert writer, and
 * alerts as they are asked for, without containers. Commands are lines of standard input, each answered by a line:
 *
 *   alert CONTAINER PRIORITY TAG RULE|TEXT   one alert (TAG -: none)
 *   storm N CONTAINERS SIZE                  N alerts as fast as they come, in turn for so many containers
 *   steady N CONTAINERS SIZE                 the same, waiting for room in the journal
 *   kill                                     SIGKILL to the gateway, and a new one
 *   cut                                      the way between the two is cut; "told" when the gateway asked for another
 *                                            and both got it, or "silent"
 *   pid                                      of the gateway
 *   settle SECONDS                           waits until the gateway keeps everything: "settled", or "late"
 *   stats                                    {"put","refused","sent","dropped","pid","rss_kb","own_rss_kb","outputs"}
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "alerts/alert.h"
#include "alerts/text.h"
#include "base/io.h"

static const char *gateway, *config;
static pid_t pid;
static int channel = -1, way = -1; /* to the gateway; between both, to cut it */
static struct shk_journal *journal;
static struct shk_sinks *sinks;
static uint64_t seq[1024], put_n, refused;

static void link_both(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    shk_send_fds(channel, "e", 1, &pair[0], 1) != 1)
		abort();
	close(pair[0]);
	shk_close(&way);
	way = fcntl(pair[1], F_DUPFD_CLOEXEC, 0);
	shk_sinks_gateway(sinks, pair[1]);
}

static const char *cut(void)
{
	struct pollfd p = { .fd = channel, .events = POLLIN };
	char c;

	shutdown(way, SHUT_RDWR);
	if (poll(&p, 1, 10000) <= 0 || read(channel, &c, 1) != 1)
		return "silent";
	link_both();
	return "told";
}

static void start_gateway(void)
{
	int sv[2];

	/* Ours would keep it open after its end. */
	shk_close(&way);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (sv[1] == 3 ? fcntl(3, F_SETFD, 0) < 0 : dup2(sv[1], 3) < 0)
			_exit(1);
		dup2(2, 1);
		execl(gateway, "shrike-gateway", "--keeper", "--config", config, (char *)NULL);
		_exit(127);
	}
	close(sv[1]);
	shk_close(&channel);
	channel = sv[0];
	link_both();
}

static void put(unsigned container, const char *name, const char *priority, const char *tag, const char *rule,
		const char *text)
{
	_cleanup_buf_ struct shk_buf b = { 0 }, when = { 0 };
	const char *boot = shk_journal_boot(journal);
	uint64_t n = ++seq[container % 1024];
	enum shk_priority prio = SHK_PRIO_DEBUG;

	shk_buf_init(&b, SHK_JOURNAL_ALERT_MAX);
	shk_buf_init(&when, 64);
	shk_text_time_utc(&when, shk_now_real());
	shk_buf_printf(&b, "{\"hostname\":\"feed\",\"output\":\"12:00:00.000000000: %s %s\",\"output_fields\":{\"evt.time\":1},"
			   "\"priority\":\"%s\",\"rule\":\"%s\",\"shrike\":{\"boot\":\"%s\",\"container\":{\"id\":\"%s\",\"key\":%u,"
			   "\"name\":\"%s\"},\"id\":\"%s:%u:%" PRIu64 ":0\",\"n\":0,\"seq\":%" PRIu64 ",\"verdict\":\"allow\"},"
			   "\"source\":\"syscall\",\"tags\":[%s%s%s],\"time\":\"%s\"}",
		       priority, text, priority, rule, boot, name, container, name, boot, container, n, n,
		       *tag == '-' ? "" : "\"", *tag == '-' ? "" : tag, *tag == '-' ? "" : "\"", when.p);
	put_n++;
	if (b.failed || !shk_priority_parse(shk_str(priority), &prio) || shk_journal_put_alert(journal, SHK_JA_PRIORITY(prio), b.p, b.n) < 0)
		refused++;
	shk_sinks_kick(sinks);
}

static void storm(unsigned n, unsigned containers, unsigned size, bool steady)
{
	_cleanup_free_ char *text = calloc(1, size + 64);
	char name[32];

	if (!text)
		abort();
	for (unsigned i = 0; i < n; i++) {
		unsigned c = 1 + i % containers;
		int at = snprintf(text, 64, "storm %u ", i);

		memset(text + at, 'x', size);
		text[at + (int)size] = 0;
		snprintf(name, sizeof(name), "c%u", c);
		while (steady && !shk_journal_has_room(journal, 0, size + 2048))
			usleep(1000);
		put(c, name, i % 10 ? "Notice" : "Critical", "-", i % 10 ? "Chatter" : "Storm", text);
	}
}

/* The most it ever had. */
static unsigned long rss_kb(pid_t of)
{
	char path[64], line[256];
	unsigned long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)of);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %lu kB", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static void settle(unsigned seconds)
{
	struct shk_sink_stats st = { 0 };

	for (unsigned i = 0; i < seconds * 50; i++) {
		shk_sinks_stats(sinks, &st, 1);
		if (st.sent + st.dropped + refused >= put_n) {
			puts("settled");
			return;
		}
		usleep(20000);
	}
	puts("late");
}

static void stats(void)
{
	_cleanup_free_ char *outputs = shk_sinks_gateway_outputs(sinks);
	struct shk_sink_stats st = { 0 };

	shk_sinks_stats(sinks, &st, 1);
	printf("{\"put\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"dropped\":%" PRIu64
	       ",\"pid\":%d,\"rss_kb\":%lu,\"own_rss_kb\":%lu,\"outputs\":%s}\n",
	       put_n, refused, st.sent, st.dropped, (int)pid, rss_kb(pid), rss_kb(getpid()), outputs ? outputs : "[]");
}

static void command(char *line)
{
	char name[64], priority[32], tag[64];
	unsigned a, b, c;
	int at = 0;

	if (sscanf(line, "alert %63s %31s %63s %n", name, priority, tag, &at) == 3 && at) {
		char *text = strchr(line + at, '|');

		if (text)
			*text++ = 0;
		put((unsigned)name[strlen(name) - 1], name, priority, tag, line + at, text ? text : "");
		puts("ok");
	} else if (sscanf(line, "storm %u %u %u", &a, &b, &c) == 3) {
		storm(a, b, c, false);
		puts("ok");
	} else if (sscanf(line, "steady %u %u %u", &a, &b, &c) == 3) {
		storm(a, b, c, true);
		puts("ok");
	} else if (!strcmp(line, "kill")) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		start_gateway();
		puts("ok");
	} else if (!strcmp(line, "cut")) {
		puts(cut());
	} else if (!strcmp(line, "pid")) {
		printf("%d\n", (int)pid);
	} else if (sscanf(line, "settle %u", &a) == 1) {
		settle(a);
	} else if (!strcmp(line, "stats")) {
		stats();
	} else {
		puts("what?");
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct shk_sink_config cfg = { .kind = SHK_SINK_GATEWAY, .min_priority = SHK_PRIO_DEBUG };
	struct shk_err err = { 0 };
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: %s GATEWAY CONFIG\n", argv[0]);
		return 2;
	}
	gateway = argv[1];
	config = argv[2];
	signal(SIGPIPE, SIG_IGN);
	fd = shk_journal_create(&err);
	if (fd < 0 || shk_journal_open(fd, &journal, &err) < 0 ||
	    shk_sinks_start(&cfg, 1, journal, NULL, NULL, &sinks, &err) < 0) {
		fprintf(stderr, "%s: %s\n", argv[0], err.text);
		return 1;
	}
	start_gateway();
	while ((n = getline(&line, &size, stdin)) > 0) {
		line[strcspn(line, "\n")] = 0;
		command(line);
	}
	shk_sinks_stop(sinks, 2000);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	shk_close(&channel);
	shk_close(&way);
	shk_journal_close(journal);
	close(fd);
	return 0;
}
