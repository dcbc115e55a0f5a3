// SPDX-License-Identifier: Apache-2.0
/*
 * shrike-gateway - sends alerts over the network. Started by shriked (shriked/keeper_proto.h); what needs rights is
 * done first, then they are given up for good, and only then anything is heard or said.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "control/places.h"
#include "shriked/keeper_proto.h"
#include "shrike-gateway/confine.h"
#include "shrike-gateway/gateway.h"

enum { EXIT_USAGE = 2, EXIT_START = 70 };

static const char help[] =
	"Usage: shrike-gateway [--config FILE] [--user] [--check]\n"
	"Sends alerts over the network: webhooks, chat, mail, Alertmanager. shriked(8) starts it; see\n"
	"shrike-gateway(8).\n\n"
	"  --config FILE    configuration, default " SHK_CONFIG_FILE "\n"
	"  --user           of the user who starts it: files in the user's places\n"
	"  --check          read configuration and secrets, say what is wrong, and end\n"
	"  --help, --version\n";

struct args {
	const char *config;
	bool user, keeper, check;
};

/* < 0: go on, else exit code. */
static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "user", no_argument, NULL, 'u' },
		{ "keeper", no_argument, NULL, 'k' },	    { "check", no_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },	    { "version", no_argument, NULL, 'V' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 'u':
			a->user = true;
			break;
		case 'k':
			a->keeper = true;
			break;
		case 'C':
			a->check = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'V':
			puts("shrike-gateway " PACKAGE_VERSION);
			return 0;
		default:
			fputs("Try 'shrike-gateway --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "shrike-gateway: '%s': no arguments are taken. Try 'shrike-gateway --help'.\n", argv[optind]);
		return EXIT_USAGE;
	}
	if (a->keeper || a->check)
		return -1;
	fputs("shrike-gateway: shriked starts this program; --check looks at its configuration\n", stderr);
	return EXIT_USAGE;
}

static bool has_work(const struct shk_config *c)
{
	for (size_t i = 0; i < c->n_outputs; i++)
		if (shk_config_is_network(&c->outputs[i]))
			return true;
	return c->metrics_listen && *c->metrics_listen;
}

static int check(const struct shk_config *c)
{
	int code = 0;

	for (size_t i = 0; i < c->n_outputs; i++) {
		struct shk_secrets s = { 0 };
		struct shk_err err = { 0 };

		if (!shk_config_is_network(&c->outputs[i]))
			continue;
		if (shk_secrets_read(&c->outputs[i].net, &s, &err) < 0) {
			shk_error("output %s: %s", c->outputs[i].net.name, err.text);
			code = SHK_KEEPER_EXIT_CONFIG;
		}
		shk_secrets_done(&s);
	}
	return code;
}

static int run(struct shk_gateway *g, const struct shk_config *c, struct shk_err *err)
{
	unsigned uid, gid;
	bool fell_back;
	int rc = shk_gateway_user(c->gateway_user, &uid, &gid, &fell_back, err);

	if (rc < 0)
		return -SHK_KEEPER_EXIT_CONFIG;
	if (fell_back)
		shk_notice("there is no user %s: running as nobody", c->gateway_user);
	if (shk_gateway_prepare(g, uid, gid, err) < 0)
		return -SHK_KEEPER_EXIT_CONFIG;
	/* It starts no thread, but reads files that are the administrator's. */
	curl_global_init(CURL_GLOBAL_DEFAULT);
	if (shk_gateway_confine(uid, gid, err) < 0)
		return -EXIT_START;
	g->multi = curl_multi_init();
	if (!g->multi) {
		shk_err_set(err, ENOMEM, "out of memory");
		return -EXIT_START;
	}
	if (shk_gateway_open(g, err) < 0)
		return -EXIT_START;
	return shk_gateway_serve(g);
}

int main(int argc, char **argv)
{
	static struct shk_gateway g = { .keeper = SHK_KEEPER_FD_SOCK, .engine = -1, .signals = -1,
					.http_listen = -1 };
	SHK_CLEANUP(shk_config_freep) struct shk_config *cfg = NULL;
	struct shk_err err = { 0 };
	struct args a = { 0 };
	int r = parse(argc, argv, &a);

	if (r >= 0)
		return r;
	shk_log_init("shrike-gateway", LOG_NOTICE);
	signal(SIGPIPE, SIG_IGN);
	if (a.user)
		shk_config_for_user();
	if (shk_config_load(a.config, &cfg, &err) < 0) {
		shk_error("%s", err.text);
		return SHK_KEEPER_EXIT_CONFIG;
	}
	shk_log_init("shrike-gateway", cfg->log_level);
	if (a.check)
		return check(cfg);
	if (!has_work(cfg))
		return SHK_GATEWAY_EXIT_NONE;
	g.cfg = cfg;
	g.config_path = a.config;
	r = run(&g, cfg, &err);
	if (r < 0) {
		shk_error("%s", err.text);
		r = -r;
	}
	shk_gateway_close(&g);
	if (g.multi)
		curl_multi_cleanup(g.multi);
	curl_global_cleanup();
	/* What libraries and sanitizers do at the end may need calls that the filter refuses: a leak checker waits for its
	 * tracer for ever. */
	_exit(r);
}
