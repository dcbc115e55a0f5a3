/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record_file.h - a recording on its way into a file (private to src/shrike).
 *
 * Text comes in pieces cut anywhere; the file gets whole lines, as one that ends in the middle of one would not replay.
 * One thread per object, which owns the file.
 */
#ifndef SHK_SHRIKE_RECORD_FILE_H
#define SHK_SHRIKE_RECORD_FILE_H

#include <stdio.h>

#include "shrike/cli.h"

struct shk_record_file {
	FILE *f;
	const char *path;
	uint64_t size, max, lost, events;
	bool full;	     /* nothing more is written */
	int error;	     /* of writing: errno */
	struct shk_buf part; /* of a line */
};

/* Makes the file, for its owner alone. size: --max-size or NULL. 0, or an exit code after saying why. */
int shk_recfile_open(struct shk_record_file *r, const struct shk_cli *c, const char *path, const char *size);
void shk_recfile_text(struct shk_record_file *r, struct shk_str text);
/* A comment line. */
void shk_recfile_note(struct shk_record_file *r, const char *what);
/* So many events are missing here. */
void shk_recfile_lost(struct shk_record_file *r, uint64_t n);
/* What was begun and will not be ended: the source starts anew. */
void shk_recfile_cut(struct shk_record_file *r);
/* Somebody may be looking at the file as it grows. */
void shk_recfile_flush(struct shk_record_file *r);
/* Closes, and tells on standard error what there is. code: how it went so far; the exit code. */
int shk_recfile_close(struct shk_record_file *r, int code);

#endif
