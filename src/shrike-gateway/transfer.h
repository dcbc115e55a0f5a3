/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer.h - messages over HTTP and SMTP, by libcurl.
 *
 * One message of an outlet is on its way at a time; many outlets share one thread and one multi handle. TLS
 * certificates are verified, always. Connections are kept.
 */
#ifndef SHK_GATEWAY_TRANSFER_H
#define SHK_GATEWAY_TRANSFER_H

#include <curl/curl.h>

#include "shrike-gateway/outlet.h"

enum shk_outcome {
	SHK_DELIVERED,
	SHK_FAILED,  /* the peer, the network, or something that an administrator can change */
	SHK_REFUSED, /* the peer says that this message is wrong */
};

/* A handle for o's kind of message, with all that stays the same. 0 or -errno. */
int shk_transfer_new(struct shk_outlet *o, struct shk_err *err);
void shk_transfer_free(struct shk_outlet *o, CURLM *multi);
/* Begins to send o->body. 0 or -errno. */
int shk_transfer_start(struct shk_outlet *o, CURLM *multi);
/* The outlet whose transfer ended, how, and why in words; NULL: none. */
struct shk_outlet *shk_transfer_ended(CURLM *multi, enum shk_outcome *how, char *why, size_t size);

#endif
