/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proc_value.h - facts of one process as values, whichever process it is: the event's own, its
 * parent, an ancestor, the leader of its session or group (proc.c, proc_ancestors.c).
 */
#ifndef SHK_FIELDS_PROC_VALUE_H
#define SHK_FIELDS_PROC_VALUE_H

#include "fields/table.h"
#include "state/process.h"

/* Sets *out. false: unknown. */
bool shk_pv_name(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
bool shk_pv_exe(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
bool shk_pv_exepath(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
/* Arguments without the first, separated by blanks. */
bool shk_pv_args(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
/* comm (exeline: argv[0]) and the arguments. */
bool shk_pv_cmdline(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
bool shk_pv_exeline(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
bool shk_pv_env(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
/* The strings from the given one on with a NUL between them: struct shk_field's image of their joined text. */
bool shk_pv_image(struct shk_eval_ctx *ctx, const struct shk_strvec *v, size_t from, struct shk_str *ret);
bool shk_pv_pid(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
bool shk_pv_vpid(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
/* Since the start of the process, and the start itself. */
bool shk_pv_duration(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);
bool shk_pv_start(struct shk_eval_ctx *ctx, struct shk_proc *p, struct shk_value *out);

#endif
