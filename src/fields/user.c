// SPDX-License-Identifier: Apache-2.0
/*
 * user.c - user and group of the task, with the names the container's own files give them.
 *
 * Names that cannot be found are the text "<NA>", not missing: rules were written for that.
 */
#include "fields/proc_value.h"
#include "state/users.h"

/* NULL: the ids asked for are unknown. */
static const struct shk_proc_creds *creds(struct shk_eval_ctx *ctx, unsigned known)
{
	struct shk_proc *p = shk_proc_of(ctx);
	const struct shk_proc_creds *c = p ? shk_proc_creds(p) : NULL;

	return c && c->known & known ? c : NULL;
}

static bool set_or_na(struct shk_value *out, struct shk_str s)
{
	return s.n ? shk_set_str(out, s) : shk_set_z(out, "<NA>");
}

static bool uid_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		    struct shk_value *out)
{
	const struct shk_proc_creds *c = creds(ctx, SHK_CREDS_UIDS);

	(void)ref;
	return c && shk_set_u(out, c->uid);
}

static bool gid_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		    struct shk_value *out)
{
	const struct shk_proc_creds *c = creds(ctx, SHK_CREDS_GIDS);

	(void)ref;
	return c && shk_set_u(out, c->gid);
}

/* On the host no database is asked: uid 0 has its name, others are numbers only. */
static const struct shk_user *user_of(struct shk_eval_ctx *ctx, uid_t uid)
{
	static const struct shk_user root = { .name = { "root", 4 } }, none;
	const struct shk_user *u = shk_user_of(ctx, uid);

	return u ? u : !ctx->ctr && uid == 0 ? &root : &none;
}

#define USER_GETTER(word)                                                                          \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		const struct shk_proc_creds *c = creds(ctx, SHK_CREDS_UIDS);                       \
                                                                                                   \
		(void)ref;                                                                         \
		return c && set_or_na(out, user_of(ctx, c->uid)->word);                             \
	}

USER_GETTER(name)
USER_GETTER(homedir)
USER_GETTER(shell)

static bool group_name_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	const struct shk_proc_creds *c = creds(ctx, SHK_CREDS_GIDS);
	const struct shk_group *g;

	(void)ref;
	if (!c)
		return false;
	g = shk_group_of(ctx, c->gid);
	if (g)
		return set_or_na(out, g->name);
	return shk_set_z(out, c->gid == 0 && !ctx->ctr ? "root" : "<NA>");
}

static bool loginuid_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	uint32_t uid;

	(void)ref;
	return p && shk_proc_loginuid(p, &uid) &&
	       shk_set_i(out, uid == UINT32_MAX ? -1 : (int64_t)uid);
}

static bool loginname_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			  struct shk_value *out)
{
	struct shk_proc *p = shk_proc_of(ctx);
	uint32_t uid;

	(void)ref;
	if (!p || !shk_proc_loginuid(p, &uid))
		return false;
	return set_or_na(out, uid == UINT32_MAX ? (struct shk_str){ "", 0 } :
						  user_of(ctx, uid)->name);
}

#define ROW(n, c, t, ft, g, d)                                                                     \
	{ .name = (n), .class_name = (c), .type = (t), .falco_type = (ft), .flags = SHK_F_COSTLY,  \
	  .get = (g), .doc = (d) }

static const struct shk_field table[] = {
	ROW("user.uid", "user", SHK_T_UINT64, "UINT32", uid_get, "Effective user id on the host."),
	ROW("user.name", "user", SHK_T_STRING, "CHARBUF", name_get,
	    "Name of the effective user, '<NA>' when unknown."),
	ROW("user.homedir", "user", SHK_T_STRING, "CHARBUF", homedir_get,
	    "Home directory of the effective user."),
	ROW("user.shell", "user", SHK_T_STRING, "CHARBUF", shell_get,
	    "Login shell of the effective user."),
	ROW("user.loginuid", "user", SHK_T_INT64, "INT64", loginuid_get,
	    "User who logged in, -1 when nobody did."),
	ROW("user.loginname", "user", SHK_T_STRING, "CHARBUF", loginname_get,
	    "Name of the user who logged in, '<NA>' when nobody did."),
	ROW("group.gid", "group", SHK_T_UINT64, "UINT32", gid_get,
	    "Effective group id on the host."),
	ROW("group.name", "group", SHK_T_STRING, "CHARBUF", group_name_get,
	    "Name of the effective group, '<NA>' when unknown."),
};

SHK_FIELD_TABLE(shk_table_user, table);
