/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline.h - what a command line of runc or crun asks for.
 *
 * Understands as much of both languages as is needed to find the command, the container and its bundle:
 * Go's flags (-root and --root are the same) and argp's (options behind operands, joined
 * short options, unique beginnings of long names). Views point into argv. No state.
 */
#ifndef SHK_HOOKS_CMDLINE_H
#define SHK_HOOKS_CMDLINE_H

#include "base/error.h"
#include "base/str.h"

enum shk_oci_command {
	SHK_OCI_OTHER,	 /* nothing that starts a process in a container, or it cannot succeed */
	SHK_OCI_CREATE,
	SHK_OCI_RUN,
	SHK_OCI_RESTORE,
	SHK_OCI_EXEC,
};

struct shk_cmdline {
	enum shk_oci_command command;
	const char *command_word; /* NULL: none given */
	const char *id;		  /* never NULL unless the command is OTHER */
	const char *bundle;	  /* NULL: the current directory */
	const char *config;	  /* crun's --config, NULL: config.json of the bundle */
	const char *log, *log_format; /* where the caller looks for an error; NULL: nowhere */
	const char *runtime, *socket; /* --shrike-runtime, --shrike-socket */
	unsigned timeout_s;	      /* --shrike-timeout, 1 to 3600; 0: not given */
};

/* Fills *ret and takes our own options out of argv (argc shrinks). A command line that may start a process
 * and cannot be understood is -EINVAL: guessing wrong would start it without supervision. */
int shk_cmdline_parse(int *argc, char **argv, struct shk_cmdline *ret, struct shk_err *err);

#endif
