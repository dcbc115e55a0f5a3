// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clean.h"
#include "base/io.h"

static const char *log_program = "shrike";
static int log_max = LOG_INFO;
static bool log_journal;

void shk_log_init(const char *program, int max_level)
{
	log_program = program;
	log_max = max_level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void shk_log(int level, const char *fmt, ...)
{
	char text[2048], line[4600];
	int saved = errno;
	va_list ap;
	size_t n;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (log_journal)
		n = (size_t)snprintf(line, 64, "<%d>", level);
	else
		n = (size_t)snprintf(line, 256, "%s: ", log_program);
	/* One message is one line, whatever a container put into a name, and no terminal obeys it. */
	for (size_t i = 0, end = strlen(text); i < end && n < sizeof(line) - 16;) {
		int step = shk_clean_step(text + i, end - i);
		uint32_t hidden;

		if (step < 0) {
			n += (size_t)snprintf(line + n, 8, "\\x%02x", (unsigned char)text[i++]);
			continue;
		}
		if (shk_clean_hidden(text + i, end - i, &hidden)) {
			n += (size_t)snprintf(line + n, 16, "\\u%04" PRIx32, hidden);
		} else {
			memcpy(line + n, text + i, (size_t)step);
			n += (size_t)step;
		}
		i += (size_t)step;
	}
	line[n++] = '\n';
	shk_write_all(2, line, n);
	errno = saved;
}
