// SPDX-License-Identifier: Apache-2.0
/* ringopen PATH TIMES SECONDS: waits, opens PATH so often through io_uring, and stays for a moment, so that it can be looked at. */
#include <stdlib.h>
#include <unistd.h>

#include "uring.h"

int main(int argc, char **argv)
{
	int r;

	if (argc != 4)
		return 2;
	sleep((unsigned)atoi(argv[3]));
	r = uring_open(argv[1], (unsigned)atoi(argv[2]));
	usleep(300000);
	return r;
}
