// SPDX-License-Identifier: Apache-2.0
/*
 * The program that attacks execute; STATUS is what it ends with, 66 where it should not run. "descriptors": 66 if it
 * has any that it should not have.
 */
#include <fcntl.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "descriptors") == 0)
		for (int fd = 3; fd < 40; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				return 66;
	return argc > 1 && strncmp(argv[1], "forbid", 6) == 0 ? 66 : STATUS;
}
