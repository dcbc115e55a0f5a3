// SPDX-License-Identifier: Apache-2.0
/*
 * What was judged, and what the kernel opens.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/porter.h"

void shk_porter_expect(struct shk_engine *g, struct shk_expected *x)
{
	struct shk_porter *pt = g->porter;

	pthread_mutex_lock(&pt->lock);
	for (unsigned i = 0; i < SHK_PORTER_EXPECTED; i++)
		if (!pt->expected[i]) {
			pt->expected[i] = x;
			atomic_fetch_add(&pt->n_expected, 1);
			break;
		}
	pthread_mutex_unlock(&pt->lock);
}

static void take_off(struct shk_porter *pt, unsigned i)
{
	pt->expected[i] = NULL;
	atomic_fetch_sub(&pt->n_expected, 1);
}

/* A task makes one call at a time: of the one before, whoever waits for its end only has not heard of it yet. */
void shk_porter_expect_nothing(struct shk_porter *pt, pid_t tid)
{
	if (!atomic_load_explicit(&pt->n_expected, memory_order_relaxed))
		return;
	pthread_mutex_lock(&pt->lock);
	for (unsigned i = 0; i < SHK_PORTER_EXPECTED; i++)
		if (pt->expected[i] && pt->expected[i]->tid == tid)
			take_off(pt, i);
	pthread_mutex_unlock(&pt->lock);
}

void shk_porter_unexpect(struct shk_engine *g, struct shk_expected *x)
{
	struct shk_porter *pt = g->porter;

	pthread_mutex_lock(&pt->lock);
	for (unsigned i = 0; i < SHK_PORTER_EXPECTED; i++)
		if (pt->expected[i] == x)
			take_off(pt, i);
	pthread_mutex_unlock(&pt->lock);
}

/* The program, then the interpreters of scripts, in this order; behind them comes the loader, which no rule can name.
 * What lies on a mount that is not marked is not asked for. */
static bool is_expected(struct shk_expected *x, int fd)
{
	const struct shk_exec_judged *j = x->judged;
	const struct shk_exec_file *f;
	struct statx sx;
	char link[64], name[512];
	ssize_t n;

	while (x->next < j->n && !shk_porter_is_marked(x->e, j->file[x->next].mnt))
		x->next++;
	if (x->next >= j->n && !j->err)
		return true;
	f = x->next < j->n ? &j->file[x->next] : NULL;
	if (f && statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO | STATX_MNT_ID, &sx) == 0 &&
	    ((uint64_t)sx.stx_dev_major << 32 | sx.stx_dev_minor) == f->dev && sx.stx_ino == f->ino &&
	    (!(sx.stx_mask & STATX_MNT_ID) || sx.stx_mnt_id == f->mnt)) {
		x->next++;
		return true;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	shk_buf_reset(x->what);
	if (f)
		shk_buf_printf(x->what, "file: judged \"%.200s\", opened \"", f->name);
	else
		shk_buf_printf(x->what, "file: judged to fail with %s, opened \"", shk_errno_name(j->err));
	shk_buf_printf(x->what, "%.*s\"", (int)SHK_MIN(SHK_MAX(n, 0), 200), name);
	x->exchanged = true;
	return false;
}

bool shk_porter_check(struct shk_porter *pt, pid_t tid, int fd)
{
	bool ok = true;

	pthread_mutex_lock(&pt->lock);
	for (unsigned i = 0; i < SHK_PORTER_EXPECTED && ok; i++)
		if (pt->expected[i] && pt->expected[i]->tid == tid)
			ok = is_expected(pt->expected[i], fd);
	pthread_mutex_unlock(&pt->lock);
	return ok;
}
