// SPDX-License-Identifier: Apache-2.0
/*
 * attack - tries to get past a verdict. "attack ATTEMPTS NAME[/N]..." runs each (N: a part of the attempts) in a process of its own and prints one line
 * of JSON for it: attempts completed, legitimate things that worked meanwhile, forbidden successes. ATTEMPTS with a
 * "?" behind it: stop at the first forbidden success (against a supervisor that is meant to lose); with ":N": stop after N
 * seconds, on a machine that has other things to do. "attack list" prints the names.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../has_i386.h"
#include "attack.h"

static const struct attack *const all[] = { attacks_open, attacks_alias, attacks_cred, attacks_exec, attacks_net,
					    attacks_path, attacks_proc, attacks_wait, attacks_fuse };

static const struct attack *find(const char *name)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct attack *a = all[i]; a->name; a++)
			if (strcmp(a->name, name) == 0)
				return a;
	return NULL;
}

static int list(void)
{
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct attack *a = all[i]; a->name; a++)
			puts(a->name);
	return 0;
}

static bool is_of_i386(const char *name) { return strstr(name, "i386") || strstr(name, "socketcall"); }

static int run(const struct attack *a, const char *attempts, unsigned long part)
{
	struct run *r = shared(sizeof(*r));
	uint64_t t0 = now_ns();
	int st = 0;
	pid_t pid;

	r->attempts = strtoul(attempts, NULL, 10) / part;
	r->until = strchr(attempts, '?') != NULL;
	if (strchr(attempts, ':'))
		r->until_ns = t0 + strtoull(strchr(attempts, ':') + 1, NULL, 10) * 1000000000u;
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		if (is_of_i386(a->name) && !has_i386())
			snprintf(r->why, sizeof(r->why), "this kernel has no 32 bit emulation");
		else
			a->fn(r);
		exit(0);
	}
	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	printf("{\"attack\":\"%s\",\"attempts\":%lu,\"legitimate\":%lu,\"forbidden\":%lu", a->name,
	       atomic_load(&r->done), atomic_load(&r->legitimate), atomic_load(&r->forbidden));
	if (r->why[0])
		printf(",\"unavailable\":\"%s\"", r->why);
	if (r->past[0])
		printf(",\"past\":\"%s\"", r->past);
	if (st)
		printf(",\"status\":%d", st);
	printf(",\"ms\":%lu}\n", (unsigned long)((now_ns() - t0) / 1000000));
	return st != 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "list") == 0)
		return list();
	if (argc < 3 || strtoul(argv[1], NULL, 10) == 0) {
		fprintf(stderr, "attack: ATTEMPTS NAME..., or list\n");
		return 2;
	}
	for (int i = 2; i < argc; i++) {
		const char *part = strchr(argv[i], '/');
		char *name = strndup(argv[i], part ? (size_t)(part - argv[i]) : strlen(argv[i]));
		const struct attack *a = find(name);

		if (!a) {
			fprintf(stderr, "attack: no attack %s\n", argv[i]);
			return 2;
		}
		bad |= run(a, argv[1], part ? strtoul(part + 1, NULL, 10) : 1);
		free(name);
	}
	return bad;
}
