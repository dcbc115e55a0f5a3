// SPDX-License-Identifier: Apache-2.0
/*
 * serve - a service under load, for machines without a better one: "serve SECONDS". A server answers requests on eight
 * connections with the contents of a file it keeps open, and opens another one for reading every 64th
 * time; a client asks as fast as it is answered. Prints requests per second.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 8

static void server(const int fd[CONNECTIONS])
{
	struct pollfd p[CONNECTIONS];
	int file = open("/etc/passwd", O_RDONLY);
	char buf[512];
	unsigned n = 0;

	for (int i = 0; i < CONNECTIONS; i++)
		p[i] = (struct pollfd){ fd[i], POLLIN, 0 };
	while (poll(p, CONNECTIONS, -1) > 0)
		for (int i = 0; i < CONNECTIONS; i++) {
			if (p[i].revents == 0)
				continue;
			if (read(p[i].fd, buf, sizeof(buf)) <= 0)
				_exit(0);
			if (++n % 64 == 0)
				close(open("/etc/motd", O_RDONLY));
			if (pread(file, buf, sizeof(buf), 0) < 0 || write(p[i].fd, buf, sizeof(buf)) < 0)
				_exit(1);
		}
}

int main(int argc, char **argv)
{
	int ours[CONNECTIONS], theirs[CONNECTIONS], s[2];
	double seconds = argc > 1 ? atof(argv[1]) : 2, took;
	struct timespec t0, t;
	unsigned long done = 0;
	char buf[512] = "request";
	pid_t pid;

	for (int i = 0; i < CONNECTIONS; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
			return 2;
		ours[i] = s[0];
		theirs[i] = s[1];
	}
	pid = fork();
	if (pid == 0)
		server(theirs);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	do {
		for (int i = 0; i < CONNECTIONS; i++)
			if (write(ours[i], buf, 64) != 64)
				return 1;
		for (int i = 0; i < CONNECTIONS; i++, done++)
			if (read(ours[i], buf, sizeof(buf)) <= 0)
				return 1;
		clock_gettime(CLOCK_MONOTONIC, &t);
		took = (double)(t.tv_sec - t0.tv_sec) + (double)(t.tv_nsec - t0.tv_nsec) / 1e9;
	} while (took < seconds);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("%.0f\n", (double)done / took);
	return 0;
}
