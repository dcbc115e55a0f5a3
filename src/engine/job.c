// SPDX-License-Identifier: Apache-2.0
/*
 * Work that may wait for somebody else (a tracee, a file system) on threads of its own.
 */
#include <errno.h>

#include "engine/internal.h"

#define JOBS_MAX 64

static void *job_main(void *arg)
{
	struct shk_job *j = arg;
	struct shk_engine *g = j->g;

	j->run(j);
	pthread_mutex_lock(&g->job_lock);
	j->next = g->jobs_done;
	g->jobs_done = j;
	pthread_mutex_unlock(&g->job_lock);
	shk_loop_wake(g->loop);
	pthread_mutex_lock(&g->job_lock);
	g->n_jobs--;
	pthread_cond_broadcast(&g->job_cond);
	pthread_mutex_unlock(&g->job_lock);
	return NULL;
}

int shk_job_start(struct shk_engine *g, struct shk_job *j)
{
	pthread_attr_t attr;
	pthread_t t;
	int r;

	pthread_mutex_lock(&g->job_lock);
	r = atomic_load(&g->stopping) ? ESHUTDOWN : g->n_jobs + j->spare >= JOBS_MAX ? EBUSY : 0;
	if (!r)
		g->n_jobs++;
	pthread_mutex_unlock(&g->job_lock);
	if (r)
		return -r;
	j->g = g;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 512u << 10);
	r = pthread_create(&t, &attr, job_main, j);
	pthread_attr_destroy(&attr);
	if (r) {
		pthread_mutex_lock(&g->job_lock);
		g->n_jobs--;
		pthread_mutex_unlock(&g->job_lock);
	}
	return -r;
}
