// SPDX-License-Identifier: Apache-2.0
/*
 * shrike-engine - judges calls. Started by shriked with its descriptors (shriked/keeper_proto.h), or by
 * hand without a keeper, then nothing survives it.
 */
#include <cap-ng.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "alerts/launcher.h"
#include "base/io.h"
#include "base/log.h"
#include "control/places.h"
#include "enforce/bar.h"
#include "enforce/mounter.h"
#include "engine/engine.h"
#include "engine/observer.h"
#include "shrike-engine/confine.h"
#include "shriked/keeper_proto.h"

enum { EXIT_USAGE = 2, EXIT_START = 70, EXIT_CONFIG_BAD = 78 /* EX_CONFIG: shriked does not try again */ };

struct args {
	const char *config, *control, *notify;
	unsigned restarts;
	bool keeper, user;
};

static const char help[] =
	"Usage: shrike-engine [--config FILE] [--control PATH] [--notify PATH]\n"
	"Judges the calls of supervised containers. shriked(8) starts it; run it by hand only to look for\n"
	"errors: without shriked nothing survives its end.\n\n"
	"  --config FILE    configuration, default " SHK_CONFIG_FILE "\n"
	"  --control PATH   control socket (of the configuration by default)\n"
	"  --notify PATH    socket for runtimes' listeners (of the configuration by default)\n"
	"  --user           for the containers of the user who starts it: files in the user's places\n"
	"  --help, --version\n";

/* < 0: go on, else exit code. */
static int parse(int argc, char **argv, struct args *a)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' }, { "control", required_argument, NULL, 's' },
		{ "notify", required_argument, NULL, 'n' }, { "restarts", required_argument, NULL, 'r' },
		{ "keeper", no_argument, NULL, 'k' },	    { "help", no_argument, NULL, 'h' },
		{ "user", no_argument, NULL, 'u' },
		{ "version", no_argument, NULL, 'V' },	    { 0 }
	};
	uint64_t v;
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 's':
			a->control = optarg;
			break;
		case 'n':
			a->notify = optarg;
			break;
		case 'r':
			a->restarts = shk_str_to_u64(shk_str(optarg), &v) ? (unsigned)v : 0;
			break;
		case 'k':
			a->keeper = true;
			break;
		case 'u':
			a->user = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		case 'V':
			puts("shrike-engine " PACKAGE_VERSION);
			return 0;
		default:
			fputs("Try 'shrike-engine --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "shrike-engine: '%s': no arguments are taken. Try 'shrike-engine --help'.\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

/* What is used: reading other processes (PTRACE, DAC), filters and pidfd_getfd (SYS_ADMIN, PTRACE), kill; the kernel
 * module's control (SYS_ADMIN; NET_ADMIN, which it has for callers, as generic netlink asks for it, too); calls
 * carried out in a caller's place: its ids (SETUID, SETGID) and what it may do with files and sockets; a process put into another
 * control group (verdict/hold.c; NICE, which the cpuset controller asks for: cap_safe_nice() in security/commoncap.c). */
static int drop_capabilities(struct shk_err *err)
{
	static const int some_have[] = { CAP_SETUID, CAP_SETGID, CAP_FOWNER, CAP_FSETID, CAP_CHOWN,
					   CAP_MKNOD, CAP_SYS_RESOURCE, CAP_NET_BIND_SERVICE,
					   CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_NICE };
	const capng_type_t types = (capng_type_t)(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET);
	bool have[SHK_ARRAY_SIZE(some_have)];

	if (geteuid() != 0)
		return 0;
	capng_get_caps_process();
	for (size_t i = 0; i < SHK_ARRAY_SIZE(some_have); i++)
		have[i] = capng_have_capability(CAPNG_PERMITTED, (unsigned)some_have[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	capng_updatev(CAPNG_ADD, types, CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,
		      CAP_KILL, -1);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(some_have); i++)
		if (have[i])
			capng_update(CAPNG_ADD, types, (unsigned)some_have[i]);
	/* Not no_new_privs: it would bind the programs that alerts are piped into, too (sendmail is setgid). */
	if (capng_apply(CAPNG_SELECT_BOTH) < 0)
		return shk_err_sys(err, errno ? errno : EPERM, "drop capabilities");
	return 0;
}

static void raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = SHK_MIN(r.rlim_max, (rlim_t)65536);
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* The keeper reads no file: what it serves comes from its command line. */
static void not_served(const char *key, const char *wanted, const char *usual, const char *served,
		       const char *option)
{
	if (served && strcmp(wanted, served) && strcmp(wanted, usual))
		shk_warning("%s: %s is not served, but %s; start shriked with %s %s", key, wanted, served,
			    option, wanted);
}

/* Where a socket is when nobody says where. */
static const char *usual(const struct args *a, const char *system, const char *name)
{
	static char buf[PATH_MAX];
	struct shk_err ignored;

	return a->user && shk_place(SHK_PLACE_RUNTIME, name, buf, sizeof(buf), &ignored) == 0 ? buf : system;
}

int main(int argc, char **argv)
{
	SHK_CLEANUP(shk_config_freep) struct shk_config *cfg = NULL;
	struct shk_engine_options o = { .keeper_fd = -1, .journal_fd = -1, .control_fd = -1,
					.notify_fd = -1, .signals = true };
	SHK_CLEANUP(shk_launcher_freep) struct shk_launcher *launcher = NULL;
	SHK_CLEANUP(shk_mounter_freep) struct shk_mounter *mounter = NULL;
	struct shk_engine *g = NULL;
	struct shk_err err = { 0 };
	struct args a = { 0 };
	int r = parse(argc, argv, &a);

	if (r >= 0)
		return r;
	shk_log_init("shrike-engine", LOG_NOTICE);
	if (a.user)
		shk_config_for_user();
	if (shk_config_load(a.config, &cfg, &err) < 0) {
		shk_error("%s", err.text);
		return EXIT_CONFIG_BAD;
	}
	shk_log_init("shrike-engine", cfg->log_level);
	raise_limits();
	/* Records of tasks come and go: an arena that grows a page at a time asks the kernel for each. */
	mallopt(M_TOP_PAD, 256 << 10);
	if (a.keeper) {
		not_served("control_socket", cfg->control_socket, usual(&a, SHK_CONTROL_SOCKET, SHK_CONTROL_NAME),
			   a.control, "--control");
		not_served("notify_socket", cfg->notify_socket, usual(&a, SHK_NOTIFY_SOCKET, SHK_NOTIFY_NAME),
			   a.notify, "--notify");
	}
	if (a.control) {
		free(cfg->control_socket);
		cfg->control_socket = strdup(a.control);
	}
	if (a.notify) {
		free(cfg->notify_socket);
		cfg->notify_socket = strdup(a.notify);
	}
	if (!cfg->control_socket || !cfg->notify_socket) {
		shk_error("out of memory");
		return EXIT_START;
	}
	if (a.keeper) {
		o.keeper_fd = SHK_KEEPER_FD_SOCK;
		o.journal_fd = SHK_KEEPER_FD_JOURNAL;
		o.control_fd = SHK_KEEPER_FD_CONTROL;
		o.notify_fd = SHK_KEEPER_FD_NOTIFY;
	} else {
		o.control_fd = shk_listen_unix(cfg->control_socket, 0660, &err);
		o.notify_fd = o.control_fd < 0 ? -1 : shk_listen_unix(cfg->notify_socket, 0600, &err);
		if (o.notify_fd < 0) {
			shk_error("%s", err.text);
			return EXIT_START;
		}
	}
	o.config = cfg;
	o.config_path = a.config;
	o.restarts = a.restarts;
	/* In this order: the mounter has every capability a caller may have, and chroot; the launcher those of the
	 * programs; neither has the filter, nor the kernel module's descriptors, which cannot be had under it. */
	if (shk_mounter_new(&mounter, &err) < 0 || drop_capabilities(&err) < 0 ||
	    shk_launcher_new(cfg->outputs, cfg->n_outputs, &launcher, &err) < 0) {
		shk_error("%s", err.text);
		return EXIT_START;
	}
	o.observer = shk_observer_open(cfg);
	if (!a.user && shk_bar_up(&err) < 0)
		shk_debug("objects are looked at before they are opened, always: %s", err.text);
	if (shk_confine(&err) < 0) {
		shk_error("%s", err.text);
		return EXIT_START;
	}
	o.mounter = mounter;
	if (shk_engine_new(&o, &g, &err) < 0) {
		shk_error("%s", err.text);
		return EXIT_START;
	}
	r = shk_engine_run(g);
	shk_engine_free(g);
	return r;
}
