/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params.h - the parameters of an event as the rule language counts and names them.
 *
 * Parameter 0 is the result (`res`, or `fd` where the call makes a descriptor), then come the
 * arguments of the call in register order, without lengths and pointers that are not followed. The
 * structures of openat2 and clone3 are parameters of their own per member. An execve has the
 * properties of the program behind its result.
 */
#ifndef SHK_FIELDS_PARAMS_H
#define SHK_FIELDS_PARAMS_H

#include "fields/table.h"
#include "syscalls/flags.h"

enum shk_param_kind {
	SHK_P_RESULT,	  /* 0, a count, or -errno */
	SHK_P_RESULT_FD,  /* a new descriptor, or -errno */
	SHK_P_RESULT_PID, /* of fork and its like */
	SHK_P_ARG,	  /* argument `arg` of the call */
	SHK_P_OPEN_FLAGS, SHK_P_OPEN_MODE, SHK_P_OPEN_RESOLVE, /* wherever the call has them */
	SHK_P_CLONE_FLAGS,
	SHK_P_EXE_FLAGS,  /* what is remarkable about the file of a new program */
	SHK_P_TUPLE,	  /* both ends of the socket the event is about */
	SHK_P_DEV, SHK_P_INO, /* of the file that was opened */
	SHK_P_FIELD,	  /* what another field says */
};

struct shk_param {
	const char *name;
	enum shk_param_kind kind;
	uint8_t arg;
	const char *field; /* FIELD */
};

#define SHK_PARAMS_MAX 40

/* The parameters of this event's type; the number of them. Looks at the call only. */
size_t shk_event_params(const struct shk_event *ev, struct shk_param out[SHK_PARAMS_MAX]);
/* The parameter of that name. false: this event has none. */
bool shk_event_param(const struct shk_event *ev, struct shk_str name, struct shk_param *ret);
/* Has any event a parameter of that name? */
bool shk_param_known(struct shk_str name);
/* Type of a parameter's raw value, decided by the name alone; *ret_flags gets SHK_F_HEX or SHK_F_OCT.
 * The name must be known. */
enum shk_type shk_param_type(struct shk_str name, uint32_t *ret_flags);

/* What reading evt.arg.NAME can take, over all calls that have it: 0 registers only, 1 memory of the
 * task as well, 2 its /proc files. */
unsigned shk_param_cost(struct shk_str name);

/* Appends the text of evt.arg.NAME. false: the value is missing. */
bool shk_param_text(struct shk_eval_ctx *ctx, const struct shk_param *p, struct shk_buf *b);
/* The value of evt.rawarg.NAME, of out->type. false: missing. */
bool shk_param_raw(struct shk_eval_ctx *ctx, const struct shk_param *p, struct shk_value *out);
/* The bits of an open as the rule language numbers them. */
uint64_t shk_open_flags_word(uint64_t kernel_flags);

/* ---- params_state.c: texts that take a look at the task ---- */

/* A path argument made absolute; as the call has it when the task's directories are unknown. */
bool shk_text_path(struct shk_eval_ctx *ctx, unsigned i, struct shk_buf *b);
/* "<f>/path": a descriptor of the task; the number alone when nothing is known of it. */
bool shk_text_fd(struct shk_eval_ctx *ctx, int fd, struct shk_buf *b);
/* The same for the descriptor the call returns (or will return). */
bool shk_text_result_fd(struct shk_eval_ctx *ctx, int fd, struct shk_buf *b);
bool shk_text_pid(struct shk_eval_ctx *ctx, pid_t pid, struct shk_buf *b);
bool shk_text_uid(struct shk_eval_ctx *ctx, uid_t uid, struct shk_buf *b);
bool shk_text_gid(struct shk_eval_ctx *ctx, gid_t gid, struct shk_buf *b);
bool shk_text_sockaddr(struct shk_eval_ctx *ctx, struct shk_buf *b);
bool shk_text_tuple(struct shk_eval_ctx *ctx, struct shk_buf *b);
bool shk_text_exe_flags(struct shk_eval_ctx *ctx, struct shk_buf *b);
bool shk_text_field(struct shk_eval_ctx *ctx, const char *name, struct shk_buf *b);

#endif
