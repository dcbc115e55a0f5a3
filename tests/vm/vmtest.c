// SPDX-License-Identifier: Apache-2.0
#include "vmtest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct shk_kmod *kmod;
unsigned failures;

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

void seen_free(struct seen_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].text);
		free(l->v[i].text2);
	}
	free(l->v);
	*l = (struct seen_list){ 0 };
}

static void keep(struct seen_list *l, const struct shk_krecord *r)
{
	struct seen *s;
	size_t body = r->head->length - sizeof(*r->head);

	l->v = realloc(l->v, (l->n + 1) * sizeof(*l->v));
	if (!l->v)
		die("no memory");
	s = &l->v[l->n++];
	*s = (struct seen){ .head = *r->head };
	memcpy(&s->u, r->body, body < sizeof(s->u) ? body : sizeof(s->u));
	s->text = strndup(r->text.p, r->text.n);
	s->n_text = r->text.n;
	s->text2 = strndup(r->text2.p, r->text2.n);
	if (r->head->type == SHRIKE_CONNECT || r->head->type == SHRIKE_BIND || r->head->type == SHRIKE_SENDMSG) {
		free(s->text);
		s->text = malloc(r->text.n + 1);
		memcpy(s->text, r->text.p, r->text.n);
		s->text[r->text.n] = 0;
	}
}

void drain(struct seen_list *l)
{
	struct shk_merge *m = shk_kmod_merge(kmod);
	const struct shrike_record *rec;
	struct shk_krecord r;
	uint64_t last = 0;

	while ((rec = shk_merge_next(m, 0))) {
		int e = shk_krecord_split(rec, &r);

		CHECK(e == 0, "record of type %u, length %u: %d", rec->type, rec->length, e);
		CHECK(rec->time + SHK_MERGE_WINDOW_NS >= last, "time goes back");
		last = rec->time;
		if (!e)
			keep(l, &r);
	}
	for (unsigned i = 0; i < m->n; i++)
		CHECK(!m->ring[i].broken, "ring %u is broken", i);
}

size_t count_seen(const struct seen_list *l, unsigned type, const char *text, const char *text2, const struct seen **ret)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct seen *s = &l->v[i];

		if (s->head.type != type || (text && strcmp(s->text, text) != 0) || (text2 && strcmp(s->text2, text2) != 0))
			continue;
		if (!n++ && ret)
			*ret = s;
	}
	return n;
}

int cgroup_make(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die(path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

void cgroup_remove(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/%s", name);
	for (int i = 0; i < 100 && rmdir(path) < 0 && errno == EBUSY; i++)
		usleep(10000);
}

void cgroup_enter(int dir)
{
	int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(99);
	close(fd);
}

void watch(uint32_t index, int cgroup, int pid, uint64_t classes, uint32_t leases, const uint8_t *native,
	   const uint8_t *compat)
{
	struct shk_kmod_scope s = { .index = index, .cgroup_fd = cgroup, .pid = pid, .classes = classes,
				    .leases = leases, .native = native, .compat = compat };
	struct shk_err err = { 0 };

	if (shk_kmod_add(kmod, &s, &err) < 0) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

void unwatch(uint32_t index)
{
	struct shk_err err = { 0 };

	if (shk_kmod_remove(kmod, index, &err) < 0) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
}

int in_child(int cgroup, int (*fn)(void *), void *arg)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (cgroup >= 0)
			cgroup_enter(cgroup);
		_exit(fn(arg));
	}
	waitpid(pid, &status, 0);
	return status;
}
