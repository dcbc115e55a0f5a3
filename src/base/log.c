// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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
	/* One message is one line, whatever a container put into a name. */
	for (const char *c = text; *c && n < sizeof(line) - 8; c++) {
		unsigned char u = (unsigned char)*c;

		if (u < 0x20 || u == 0x7f)
			n += (size_t)snprintf(line + n, 8, "\\x%02x", u);
		else
			line[n++] = (char)u;
	}
	line[n++] = '\n';
	shk_write_all(2, line, n);
	errno = saved;
}
