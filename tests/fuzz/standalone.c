// SPDX-License-Identifier: Apache-2.0
/* main() of a fuzz target without libFuzzer: feeds each file named as an argument. */
#include <stdint.h>
#include <stdio.h>

#include "base/io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		_cleanup_buf_ struct shk_buf b;
		struct shk_err err;

		shk_buf_init(&b, 64u << 20);
		if (shk_read_file(argv[i], &b, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		LLVMFuzzerTestOneInput((const uint8_t *)b.p, b.n);
	}
	return 0;
}
