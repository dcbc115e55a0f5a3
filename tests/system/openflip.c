// SPDX-License-Identifier: Apache-2.0
/*
 * openflip GOOD BAD N: opens a path that another thread exchanges in memory all the time, N times, for reading.
 * Prints {"good": n, "bad": n, "refused": n}: what was read begins with the first byte of GOOD's or BAD's content.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[256];
static const char *good, *bad;
static atomic_bool stop;

static void *flip(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		memcpy(path, bad, strlen(bad) + 1);
		memcpy(path, good, strlen(good) + 1);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned n_good = 0, n_bad = 0, refused = 0;
	pthread_t t;

	if (argc != 4 || strlen(argv[1]) >= sizeof(path) || strlen(argv[2]) >= sizeof(path))
		return 2;
	good = argv[1];
	bad = argv[2];
	strcpy(path, good);
	if (pthread_create(&t, NULL, flip, NULL))
		return 2;
	for (int i = atoi(argv[3]); i > 0; i--) {
		int fd = open(path, O_RDONLY);
		char c = 0;

		if (fd < 0) {
			refused++;
			continue;
		}
		if (read(fd, &c, 1) == 1 && c == 'r')
			n_bad++;
		else
			n_good++;
		close(fd);
	}
	atomic_store(&stop, 1);
	pthread_join(t, NULL);
	printf("{\"good\":%u,\"bad\":%u,\"refused\":%u}\n", n_good, n_bad, refused);
	return 0;
}
