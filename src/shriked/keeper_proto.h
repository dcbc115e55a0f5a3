/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keeper_proto.h - between keeper and engine: a store of descriptors under keys.
 *
 * SOCK_SEQPACKET pair, one message per packet, fixed header, the blob is opaque to the keeper (it
 * parses nothing a container can influence). The engine is started with the pair's other end as
 * descriptor 3, the journal as 4, the control socket as 5, the listenerPath socket as 6
 * (SHK_KEEPER_FD_*), then gets one HAVE message per stored descriptor and a HAVE_END. Nothing the
 * engine sends is read before that, and nothing while an ACK waits to be read: an engine reads.
 * What an engine had sent when it died counts.
 *
 *   shrike-engine --keeper --control PATH --notify PATH --restarts N [--config FILE]
 *
 * The gateway, which sends alerts over the network, is started with one descriptor, 3, a SOCK_SEQPACKET socket on which
 * it gets one-byte packets, each with a descriptor that leads to an engine (alerts/gateway_proto.h). Whenever
 * both run the keeper makes a pair for them; a newer one takes the place of an older one.
 *
 *   shrike-gateway --keeper [--user] [--config FILE]
 *
 * It ends with status SHK_GATEWAY_EXIT_NONE when the configuration has nothing for it: then it is not started again
 * before a SIGHUP; with SHK_GATEWAY_EXIT_AGAIN to be started at once, with a new configuration. After any other end,
 * that by a signal that was not ours (status 0) included, it is started again. It sends a packet of one byte, whatever
 * it is, when its way to the engine is gone: then both get a new one.
 *
 * N: engines before this one. Signals: SIGHUP reload, SIGTERM end. Exit status SHK_KEEPER_EXIT_CONFIG
 * before the first READY, with nothing stored, ends the keeper with the same status; after any other
 * death a new engine is started.
 */
#ifndef SHK_SHRIKED_KEEPER_PROTO_H
#define SHK_SHRIKED_KEEPER_PROTO_H

#include <stdint.h>

enum { SHK_KEEPER_FD_SOCK = 3, SHK_KEEPER_FD_JOURNAL, SHK_KEEPER_FD_CONTROL, SHK_KEEPER_FD_NOTIFY };

#define SHK_KEEPER_EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h */
/* None is 0: that is how it ends after a SIGTERM, whoever sent it. */
enum { SHK_GATEWAY_EXIT_AGAIN = 75 /* EX_TEMPFAIL */, SHK_GATEWAY_EXIT_NONE };

#define SHK_KEEPER_BLOB_MAX 65536
#define SHK_KEEPER_STORE_MAX 6144 /* entries; more are refused */

/* In flags of STORE and HAVE: a descriptor is attached. A STORE that says so and brings none (the
 * kernel may drop it) is refused with EBADF. */
enum { SHK_KEEPER_WITH_FD = 1 };

enum shk_keeper_op {
	SHK_KEEPER_STORE = 1, /* engine -> keeper: hold the attached descriptor (0 or 1) and blob under key; replaces */
	SHK_KEEPER_FORGET,    /* engine -> keeper: drop key */
	SHK_KEEPER_HAVE,      /* keeper -> engine at start: key, blob, descriptor */
	SHK_KEEPER_HAVE_END,
	SHK_KEEPER_ACK,	      /* keeper -> engine: STORE of key done (status 0) or refused (errno) */
	SHK_KEEPER_READY,     /* engine -> keeper: serving (sd_notify READY=1 goes out) */
	SHK_KEEPER_RELOADED,  /* engine -> keeper: status text in blob, for sd_notify STATUS= */
	SHK_KEEPER_GATEWAY,   /* keeper -> engine, after READY: the attached descriptor leads to a gateway */
};

struct shk_keeper_msg {
	uint32_t op, len; /* len: bytes of blob that follow */
	uint64_t key;
	uint32_t status, flags;
	unsigned char blob[];
};

#endif
