/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fd_view.h - the descriptor an event is about, seen as fd.* fields see it.
 *
 * Which one that is, and whether it exists already, depends on the call: an open is about the file it
 * will give, a connect about a socket of which only the arguments know the other end.
 */
#ifndef SHK_FIELDS_FD_VIEW_H
#define SHK_FIELDS_FD_VIEW_H

#include "fields/table.h"
#include "state/descriptor.h"

struct shk_fd_view {
	bool present;	   /* the event is about a descriptor */
	bool entry;	   /* it exists, or will: not so after a failed open */
	int64_t num;	   /* -1: the open failed */
	char type;	   /* fd.typechar; 0: unknown */
	struct shk_str name, nameraw; /* p NULL: unknown; see shk_fd_named */
	bool unnamed;	   /* name is to be made of the ends first */
	struct shk_fd_facts facts; /* of the task's descriptor; zeroed when there is none yet */
	bool is_ip;	   /* ends below are set as far as known (len 0: not) */
	bool is_unix;
	bool local_is_server;
	bool connected;
	bool name_changed; /* this call gives the socket a new other end */
	struct shk_ip local, remote;
	uint16_t lport, rport;
};

/* Never NULL unless memory is out: then it is a view with nothing present. */
const struct shk_fd_view *shk_fd_view(struct shk_eval_ctx *ctx);
/* The same with name and nameraw, which for the ends of a connection are not made before somebody asks. */
const struct shk_fd_view *shk_fd_named(struct shk_eval_ctx *ctx);
/* The name alone; p NULL: unknown. false: the event is about no descriptor. */
bool shk_fd_name(struct shk_eval_ctx *ctx, struct shk_str *ret);
/* Is the event an open that waits? Its file's type by the flags, shk_fd_name and the supposed result are then all there is to see of
 * it, and it needs no view. */
bool shk_fd_to_open(struct shk_eval_ctx *ctx, char *ret_type);

/* The role of a socket is not recorded anywhere: the end with the lower port is taken for the server, unless
 * one is known to listen. */
bool shk_fd_local_is_server(const struct shk_fd_facts *f);
/* Word of fd.type for a type character; NULL: none. */
const char *shk_fd_type_word(char type);
/* "<f>/path", as evt.arg shows a descriptor. */
void shk_fd_text(char type, struct shk_str name, struct shk_buf *b);

#endif
