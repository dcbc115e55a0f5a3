// SPDX-License-Identifier: Apache-2.0
/*
 * container.c - the container an event belongs to: what its engine said when it was created.
 *
 * Everything here is constant over the life of the container. Outside of containers the id and the name
 * are the word "host" and everything else is missing.
 */
#include "fields/table.h"
#include "state/container.h"

/* Unknown texts are empty in the record and missing for a rule. */
static bool set_known(struct shk_value *out, struct shk_str s)
{
	out->s = s;
	return s.n != 0;
}

static bool set_or_host(const struct shk_eval_ctx *ctx, struct shk_value *out, struct shk_str s)
{
	return ctx->ctr ? set_known(out, s) : shk_set_z(out, "host");
}

#define NO_TEXT ((struct shk_str){ NULL, 0 })

#define HOST_GETTER(word, member)                                                                  \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		(void)ref;                                                                         \
		return set_or_host(ctx, out, ctx->ctr ? ctx->ctr->member : NO_TEXT);               \
	}
#define TEXT_GETTER(word, member)                                                                  \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		(void)ref;                                                                         \
		return ctx->ctr && set_known(out, ctx->ctr->member);                               \
	}

HOST_GETTER(id, id)
HOST_GETTER(full_id, full_id)
HOST_GETTER(name, name)
HOST_GETTER(type, engine)
TEXT_GETTER(image, image)
TEXT_GETTER(repository, image_repo)
TEXT_GETTER(tag, image_tag)
TEXT_GETTER(digest, image_digest)
TEXT_GETTER(ns_name, k8s_ns)
TEXT_GETTER(pod_name, k8s_pod)
TEXT_GETTER(pod_uid, k8s_pod_uid)
TEXT_GETTER(policy, policy)

static bool privileged_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	(void)ref;
	return ctx->ctr && shk_set_bool(out, ctx->ctr->privileged);
}

static bool start_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	(void)ref;
	return ctx->ctr && ctx->ctr->start_ns && shk_set_u(out, ctx->ctr->start_ns);
}

static bool duration_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			 struct shk_value *out)
{
	(void)ref;
	return ctx->ctr && ctx->ctr->start_ns && ctx->ev->time_ns >= ctx->ctr->start_ns &&
	       shk_set_u(out, ctx->ev->time_ns - ctx->ctr->start_ns);
}

static bool annotation_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	for (size_t i = 0; ctx->ctr && i < ctx->ctr->n_annotations; i++)
		if (shk_str_eq(ctx->ctr->annotations[i].key, ref->key))
			return shk_set_opt(out, ctx->ctr->annotations[i].value);
	return false;
}

static bool label_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		      struct shk_value *out)
{
	for (size_t i = 0; ctx->ctr && i < ctx->ctr->n_labels; i++)
		if (shk_str_eq(ctx->ctr->labels[i].key, ref->key))
			return shk_set_opt(out, ctx->ctr->labels[i].value);
	return false;
}

static bool labels_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
		       struct shk_value *out)
{
	struct shk_buf b _cleanup_buf_;

	(void)ref;
	shk_buf_init(&b, SHK_FIELD_TEXT_MAX);
	if (!ctx->ctr || !ctx->ctr->n_labels)
		return false;
	for (size_t i = 0; i < ctx->ctr->n_labels; i++) {
		if (i)
			shk_buf_adds(&b, ", ");
		shk_buf_addstr(&b, ctx->ctr->labels[i].key);
		shk_buf_addc(&b, ':');
		shk_buf_addstr(&b, ctx->ctr->labels[i].value);
	}
	return shk_set_buf(ctx, out, &b);
}

/* The pod is known by the annotations of its containers, so k8s fields live here. */
#define ROW(n, t, ft, fl, g, d)                                                                    \
	{ .name = (n), .class_name = "container", .type = (t), .falco_type = (ft), .flags = (fl),  \
	  .get = (g), .doc = (d) }

static const struct shk_field table[] = {
	ROW("container.id", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, id_get,
	    "First 12 characters of the container's id; 'host' outside of containers."),
	ROW("container.full_id", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, full_id_get,
	    "The container's whole id; 'host' outside of containers."),
	ROW("container.name", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, name_get,
	    "Name the engine gave to the container; 'host' outside of containers."),
	ROW("container.image", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, image_get,
	    "Image as the engine names it."),
	ROW("container.image.repository", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, repository_get,
	    "Image name without tag and digest."),
	ROW("container.image.tag", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, tag_get,
	    "Tag of the image."),
	ROW("container.image.digest", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, digest_get,
	    "Digest of the image."),
	ROW("container.type", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, type_get,
	    "Engine that made the container: podman, docker, containerd, cri-o, oci; or 'host'."),
	ROW("container.privileged", SHK_T_BOOL, "BOOL", SHK_F_STABLE, privileged_get,
	    "The container runs with all privileges."),
	ROW("container.start_ts", SHK_T_ABSTIME, "ABSTIME", SHK_F_STABLE, start_get,
	    "When the container was put under supervision."),
	ROW("container.duration", SHK_T_RELTIME, "RELTIME", SHK_F_STABLE, duration_get,
	    "Time since the container was put under supervision."),
	ROW("container.policy", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, policy_get,
	    "Name of the policy in force for the container."),
	ROW("container.annotation", SHK_T_STRING, "CHARBUF",
	    SHK_F_STABLE | SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED, annotation_get,
	    "Value of the annotation in brackets."),
	ROW("k8s.ns.name", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, ns_name_get,
	    "Namespace of the pod."),
	ROW("k8s.pod.name", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, pod_name_get,
	    "Name of the pod."),
	ROW("k8s.pod.uid", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, pod_uid_get,
	    "Unique id of the pod."),
	ROW("k8s.pod.id", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, pod_uid_get,
	    "Unique id of the pod, under its older name."),
	ROW("k8s.pod.label", SHK_T_STRING, "CHARBUF",
	    SHK_F_STABLE | SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED, label_get,
	    "Value of the pod's label in brackets."),
	ROW("k8s.pod.labels", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, labels_get,
	    "All labels of the pod as key:value, separated by a comma and a blank."),
};

SHK_FIELD_TABLE(shk_table_container, table);
