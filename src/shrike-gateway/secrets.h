/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secrets.h - what an output needs to know that nobody else may.
 *
 * Read once, at the start, before privileges are given up: the files may be root's alone. A file that others than its
 * owner can read is refused. Secrets are in no argument, no environment, no message. One thread.
 */
#ifndef SHK_GATEWAY_SECRETS_H
#define SHK_GATEWAY_SECRETS_H

#include "alerts/alert.h"

struct shk_secrets {
	char *url;	/* whatever it came from */
	char *token, *password;
	char *headers;	/* one a line: of the configuration and of the file */
	struct shk_str ca, cert, key; /* PEM; p NULL: none */
};

/* 0, or -errno with a text that names the file and what to do. */
int shk_secrets_read(const struct shk_network_config *cfg, struct shk_secrets *ret, struct shk_err *err);
/* Does the text hold one of them, or a part of the address that may be one? */
bool shk_secrets_in(const struct shk_secrets *s, struct shk_str text);
/* Overwrites and frees. */
void shk_secrets_done(struct shk_secrets *s);

#endif
