// SPDX-License-Identifier: Apache-2.0
/*
 * fd.c - name, kind and number of the descriptor an event is about. Network ends: fd_net.c.
 */
#include <inttypes.h>
#include <sys/sysmacros.h>

#include "fields/fd_view.h"
#include "state/process.h"

static bool num_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	const struct shk_fd_view *v;
	char type;

	(void)ref;
	if (shk_fd_to_open(ctx, &type))
		return shk_set_i(out, ctx->ev->has_ret ? ctx->ev->ret : 0);
	v = shk_fd_view(ctx);
	return v->present && shk_set_i(out, v->num);
}

static bool name_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	struct shk_str name;

	(void)ref;
	return shk_fd_name(ctx, &name) && shk_set_opt(out, name);
}

static bool nameraw_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_named(ctx);

	(void)ref;
	return v->present && shk_set_opt(out, v->nameraw);
}

static bool typechar_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	const struct shk_fd_view *v;
	char type;

	(void)ref;
	if (shk_fd_to_open(ctx, &type))
		return shk_set_z(out, type == 'd' ? "d" : "f");
	v = shk_fd_view(ctx);
	return v->present && v->type &&
	       shk_set_opt(out, shk_arena_str(ctx->ev->arena, (struct shk_str){ &v->type, 1 }));
}

static bool type_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		     struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return v->entry && shk_set_opt(out, shk_str(shk_fd_type_word(v->type)));
}

static bool types_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);
	const char *word = shk_fd_type_word(v->type);
	struct shk_str *s;

	if (!v->entry || !word || (ref->has_arg && ref->index != v->num))
		return false;
	s = SHK_ARENA_NEW(ctx->ev->arena, struct shk_str);
	if (!s)
		return false;
	*s = shk_str(word);
	out->list = (struct shk_strvec){ .v = s, .n = 1 };
	return true;
}

/* Length up to and with the last slash. */
static size_t slash_len(struct shk_str s)
{
	const char *slash = s.n ? memrchr(s.p, '/', s.n) : NULL;

	return slash ? (size_t)(slash - s.p) + 1 : 0;
}

/* Length of the name up to its last slash: the slash itself counts for "/" only. */
static size_t parent_len(struct shk_str s)
{
	size_t n = slash_len(s);

	return n > 1 ? n - 1 : n;
}

/* Of what fd.directory and fd.filename are parts: type and name. false: there is no name. */
static bool named(struct shk_eval_ctx *ctx, char *type, struct shk_str *name, bool *entry)
{
	const struct shk_fd_view *v;

	*entry = true;
	if (shk_fd_to_open(ctx, type))
		return shk_fd_name(ctx, name) && name->p;
	v = shk_fd_view(ctx);
	*entry = v->entry;
	*type = v->type;
	*name = v->name;
	return v->present && v->name.p;
}

static bool directory_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			  struct shk_value *out)
{
	struct shk_str name;
	bool entry;
	char type;

	(void)ref;
	if (!named(ctx, &type, &name, &entry) || (type != 'f' && type != 'd' && type != 'o'))
		return false;
	if (type == 'd')
		return shk_set_str(out, name);
	return shk_set_str(out, (struct shk_str){ name.p, parent_len(name) });
}

static bool filename_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	struct shk_str name;
	bool entry;
	char type;
	size_t n;

	(void)ref;
	if (!named(ctx, &type, &name, &entry) || !entry || type != 'f')
		return false;
	n = slash_len(name);
	return shk_set_str(out, (struct shk_str){ name.p + n, name.n - n });
}

static bool has_dev(const struct shk_fd_view *v)
{
	return v->entry && (v->facts.dev || v->facts.ino) && !v->facts.family;
}

static bool ino_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return has_dev(v) && shk_set_i(out, (int64_t)v->facts.ino);
}

static bool dev_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return has_dev(v) && shk_set_i(out, (int64_t)v->facts.dev);
}

static bool major_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return has_dev(v) && shk_set_i(out, major(v->facts.dev));
}

static bool minor_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return has_dev(v) && shk_set_i(out, minor(v->facts.dev));
}

/* ---- who has it ---- */

static bool uid_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	(void)ref;
	return v->present && v->num >= 0 && ctx->ev->tid > 0 &&
	       shk_set_opt(out, shk_str(shk_arena_printf(ctx->ev->arena, "%d%" PRId64,
							 (int)ctx->ev->tid, v->num)));
}

static bool set_in_container(struct shk_eval_ctx *ctx, struct shk_value *out)
{
	struct shk_str id = ctx->ctr ? ctx->ctr->id : SHK_STR("host"), name = out->s;
	char *p = shk_arena_alloc_raw(ctx->ev->arena, id.n + 1 + name.n);
	char *end = p;

	if (!p)
		return false;
	if (id.n)
		end = mempcpy(end, id.p, id.n);
	*end++ = ':';
	if (name.n)
		end = mempcpy(end, name.p, name.n);
	return shk_set_str(out, (struct shk_str){ p, (size_t)(end - p) });
}

static bool container_name_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			       struct shk_value *out)
{
	return name_get(ctx, ref, out) && set_in_container(ctx, out);
}

static bool container_directory_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
				    struct shk_value *out)
{
	return directory_get(ctx, ref, out) && set_in_container(ctx, out);
}

/* ---- layers: what is not known to be in one is in neither, as for executables ---- */

static bool layer_known(struct shk_eval_ctx *ctx, bool *upper)
{
	const struct shk_fd_view *v = shk_fd_view(ctx);

	return v->entry && v->type == 'f' && v->facts.path.p && !v->facts.deleted && v->num >= 0 &&
	       v->num <= INT32_MAX && shk_fd_upper(ctx, (int)v->num, v->facts.path, upper);
}

static bool upper_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	bool upper = false;

	(void)ref;
	return shk_fd_view(ctx)->entry && shk_set_bool(out, layer_known(ctx, &upper) && upper);
}

static bool lower_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	bool upper = true;

	(void)ref;
	return shk_fd_view(ctx)->entry && shk_set_bool(out, layer_known(ctx, &upper) && !upper);
}

#define PART(n, t, ft, fl, g, w, p, d)                                                             \
	{ .name = (n), .class_name = "fd", .type = (t), .falco_type = (ft),                        \
	  .flags = SHK_F_COSTLY | (fl), .get = (g), .whole = (w), .part = (p), .doc = (d) }
#define ROW(n, t, ft, fl, g, d) PART(n, t, ft, fl, g, NULL, SHK_PART_BEGINNING, d)

static const struct shk_field table[] = {
	ROW("fd.num", SHK_T_INT64, "INT64", 0, num_get,
	    "Number of the descriptor; -1 when it was to be opened and that failed."),
	ROW("fd.type", SHK_T_STRING, "CHARBUF", 0, type_get,
	    "Kind of the object: file, directory, ipv4, ipv6, unix, pipe, ..."),
	ROW("fd.types", SHK_T_LIST, "CHARBUF", SHK_F_ARG_INDEX | SHK_F_NO_RHS, types_get,
	    "Kinds of the descriptors the event is about, as a list; [n] asks for number n."),
	ROW("fd.typechar", SHK_T_STRING, "CHARBUF", 0, typechar_get,
	    "Kind of the object as one letter: f d 4 6 u p e s l i t n m b r P o."),
	ROW("fd.name", SHK_T_STRING, "CHARBUF", 0, name_get,
	    "Absolute path of a file, both ends of a socket."),
	ROW("fd.nameraw", SHK_T_STRING, "CHARBUF", 0, nameraw_get,
	    "The path as the call has it; as fd.name for what is not opened by path."),
	PART("fd.directory", SHK_T_STRING, "CHARBUF", 0, directory_get, "fd.name", SHK_PART_BEGINNING,
	    "Directory of a file; a directory itself."),
	PART("fd.filename", SHK_T_STRING, "CHARBUF", 0, filename_get, "fd.name", SHK_PART_END,
	    "Last component of a file's path."),
	ROW("fd.ino", SHK_T_INT64, "INT64", 0, ino_get, "Inode number of an open file."),
	ROW("fd.dev", SHK_T_INT64, "INT32", SHK_F_HEX, dev_get, "Device an open file is on."),
	ROW("fd.dev.major", SHK_T_INT64, "INT32", 0, major_get, "Major number of that device."),
	ROW("fd.dev.minor", SHK_T_INT64, "INT32", 0, minor_get, "Minor number of that device."),
	ROW("fd.uid", SHK_T_STRING, "CHARBUF", 0, uid_get,
	    "Thread id and number of the descriptor in one word."),
	ROW("fd.containername", SHK_T_STRING, "CHARBUF", 0, container_name_get,
	    "Id of the container and fd.name, with a colon between them."),
	ROW("fd.containerdirectory", SHK_T_STRING, "CHARBUF", 0, container_directory_get,
	    "Id of the container and fd.directory, with a colon between them."),
	ROW("fd.is_upper_layer", SHK_T_BOOL, "BOOL", 0, upper_get,
	    "The open file is known to have been made or changed inside the container."),
	ROW("fd.is_lower_layer", SHK_T_BOOL, "BOOL", 0, lower_get,
	    "The open file is known to be the image's own."),
};

SHK_FIELD_TABLE(shk_table_fd, table);
