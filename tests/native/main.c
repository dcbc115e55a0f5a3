// SPDX-License-Identifier: Apache-2.0
/*
 * native - "native FAMILY SEED FROM TO": makes the cases FROM to TO of a seed and prints a line for each:
 * NUMBER, the case, " => ", the result, " | ", what the name is afterwards.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native.h"

static const struct family *const families[] = {
	&family_open, &family_make, &family_rename, &family_link, &family_node, &family_mode,
	&family_owner, &family_size, &family_connect, &family_bind, &family_send, &family_mount,
};

void broken(const char *what)
{
	fprintf(stderr, "native: %s: %s\n", what, strerror(errno));
	exit(3);
}

void add(char *buf, size_t n, const char *format, ...)
{
	size_t at = strlen(buf);
	va_list ap;

	va_start(ap, format);
	vsnprintf(buf + at, n - at, format, ap);
	va_end(ap);
}

void dice_init(struct dice *d, uint64_t seed, uint64_t number)
{
	d->x = seed * 0x9e3779b97f4a7c15u + number * 0xbf58476d1ce4e5b9u + 1;
	for (int i = 0; i < 4; i++)
		roll(d, 2);
}

/* splitmix64 */
unsigned roll(struct dice *d, unsigned below)
{
	uint64_t z = d->x += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (unsigned)(z % below);
}

static void one(const struct family *f, struct kase *k, uint64_t seed)
{
	static char after[16384];
	int st = 0;
	pid_t pid;

	after[0] = 0;
	dice_init(&k->dice, seed, k->number);
	snprintf(k->top, sizeof(k->top), "/w/%u", k->number);
	strcpy(k->dir, k->top);
	k->path[0] = k->look[0] = k->what[0] = 0;
	k->volatile_ = false;
	k->made = 0;
	k->mounted = false;
	memset(k->res, 0, sizeof(*k->res));
	if (mkdir(k->dir, 0755) < 0)
		broken(k->dir);
	f->make(k);
	pid = fork();
	if (pid < 0)
		broken("fork");
	if (pid == 0) {
		alarm(20);
		f->prepare(k);
		f->act(k);
		_exit(0);
	}
	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	if (!k->res->done)
		snprintf(k->res->text, sizeof(k->res->text), "ended with %x", (unsigned)st);
	if (!f->opens)
		describe_tree(k->top, after, sizeof(after));
	else if (k->look[0])
		describe(k->look, after, sizeof(after));
	if (f->clean)
		f->clean(k);
	printf("%u %s => %s | %s\n", k->number, k->what, k->res->text, after);
}

int main(int argc, char **argv)
{
	static struct kase k;
	const struct family *f = NULL;
	unsigned long from, to;

	for (size_t i = 0; argc == 5 && i < sizeof(families) / sizeof(families[0]); i++)
		if (strcmp(families[i]->name, argv[1]) == 0)
			f = families[i];
	if (!f) {
		fprintf(stderr, "native: FAMILY SEED FROM TO\n");
		return 2;
	}
	from = strtoul(argv[3], NULL, 10);
	to = strtoul(argv[4], NULL, 10);
	umask(0);
	k.res = mmap(NULL, sizeof(*k.res), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (k.res == MAP_FAILED)
		broken("mmap");
	f->world();
	printf("seed %s\n", argv[2]);
	for (unsigned long n = from; n <= to; n++) {
		k.number = (unsigned)n;
		one(f, &k, strtoull(argv[2], NULL, 10));
		fflush(stdout);
	}
	return 0;
}
