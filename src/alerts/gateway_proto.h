/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gateway_proto.h - packets between the engine's alert writer and shrike-gateway.
 *
 * A SOCK_SEQPACKET pair, one frame a packet, of one machine. The keeper makes the pair and hands each side its
 * end; a new engine or a new gateway gets a new pair. The engine sends records in the order of the journal, each
 * with its cookie there; the gateway answers with the cookie up to which it has taken over the responsibility.
 * What was not answered is sent again on the next pair, so a record may arrive twice: same boot, same cookie.
 * Parsing has no state; any thread.
 */
#ifndef SHK_ALERTS_GATEWAY_PROTO_H
#define SHK_ALERTS_GATEWAY_PROTO_H

#include <stdint.h>

#include "base/str.h"
#include "journal/journal.h"

enum shk_frame_op {
	SHK_FRAME_ALERT = 1, /* engine: cookie, boot, rank; text: the record */
	SHK_FRAME_STATUS,    /* engine: text: its state for the metrics, a JSON object */
	SHK_FRAME_ACK,	     /* gateway: cookie: everything up to it is kept; rank: alerts that would be lost, uncounted,
			      * if it ended now, as the spool cannot be written */
	SHK_FRAME_TELL,	     /* gateway: text: a JSON object that an alert is to be made of (sink_gateway.c) */
	SHK_FRAME_OUTPUTS,   /* gateway: text: an array for `shrike status` */
	SHK_FRAME_HELLO,     /* gateway, first on each pair, and once: cookie: differs from that of every gateway before */
};

#define SHK_FRAME_MAGIC	   0x66776773u
#define SHK_FRAME_TEXT_MAX SHK_JOURNAL_ALERT_MAX

struct shk_frame_head {
	uint32_t magic, op;
	uint32_t rank; /* of struct shk_line */
	uint32_t len;  /* of the text behind it */
	uint64_t cookie, boot;
};

#define SHK_FRAME_MAX (sizeof(struct shk_frame_head) + SHK_FRAME_TEXT_MAX)

/* Checks a packet of n bytes. 0 and the parts (text is a view into it), or -EBADMSG. */
int shk_frame_parse(const void *packet, size_t n, struct shk_frame_head *head, struct shk_str *text);
/* Sends without waiting. 0, -EAGAIN, -EMSGSIZE or what sendmsg(2) says. */
int shk_frame_send(int fd, const struct shk_frame_head *head, struct shk_str text);
/* A number for a journal's boot identity. */
uint64_t shk_frame_boot(const char *boot);

#endif
