/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log.h - what a program says about itself (not alerts).
 *
 * One line per message on stderr, "<level>" prefixed for journald when stderr is the journal
 * (JOURNAL_STREAM set), otherwise "program: text". Only programs and src/engine log; library
 * folders return errors. Control characters in arguments are escaped. Thread safe.
 */
#ifndef SHK_BASE_LOG_H
#define SHK_BASE_LOG_H

#include <syslog.h>

#include "base/cleanup.h"

/* program: prefix, must stay valid. max_level: LOG_ERR ... LOG_DEBUG; less severe is dropped. */
void shk_log_init(const char *program, int max_level);
void shk_log(int level, const char *fmt, ...) SHK_PRINTF(2, 3);

#define shk_error(...)	 shk_log(LOG_ERR, __VA_ARGS__)
#define shk_warning(...) shk_log(LOG_WARNING, __VA_ARGS__)
#define shk_notice(...)	 shk_log(LOG_NOTICE, __VA_ARGS__)
#define shk_info(...)	 shk_log(LOG_INFO, __VA_ARGS__)
#define shk_debug(...)	 shk_log(LOG_DEBUG, __VA_ARGS__)

#endif
