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
TEXT_GETTER(image_id, image_id)
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

#define HOST_NS_GETTER(word, bit)                                                                  \
	static bool word##_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,          \
			       struct shk_value *out)                                              \
	{                                                                                          \
		(void)ref;                                                                         \
		return ctx->ctr && ctx->ctr->host_ns_known & (bit) &&                              \
		       shk_set_bool(out, ctx->ctr->host_ns & (bit));                               \
	}

HOST_NS_GETTER(host_pid, SHK_HOST_PID)
HOST_NS_GETTER(host_network, SHK_HOST_NETWORK)
HOST_NS_GETTER(host_ipc, SHK_HOST_IPC)

/* ---- labels ---- */

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

/* ---- the pod ---- */

static bool in_pod(const struct shk_eval_ctx *ctx)
{
	const struct shk_container *c = ctx->ctr;

	return c && (c->k8s_pod.n || c->k8s_pod_uid.n || c->k8s_ns.n);
}

static bool pod_label_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			  struct shk_value *out)
{
	return in_pod(ctx) && label_get(ctx, ref, out);
}

static bool pod_labels_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			   struct shk_value *out)
{
	return in_pod(ctx) && labels_get(ctx, ref, out);
}

/* The first of these annotations that is there. */
static bool annotated(const struct shk_eval_ctx *ctx, struct shk_value *out, const char *const keys[],
		      size_t n)
{
	for (size_t i = 0; ctx->ctr && i < n; i++)
		if (set_known(out, shk_container_annotation(ctx->ctr, shk_str(keys[i]))))
			return true;
	return false;
}

static bool full_sandbox_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			     struct shk_value *out)
{
	static const char *const keys[] = { "io.kubernetes.cri.sandbox-id",
					    "io.kubernetes.cri-o.SandboxID" };

	(void)ref;
	return annotated(ctx, out, keys, SHK_ARRAY_SIZE(keys));
}

static bool sandbox_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref,
			struct shk_value *out)
{
	if (!full_sandbox_get(ctx, ref, out))
		return false;
	out->s.n = SHK_MIN(out->s.n, (size_t)12);
	return true;
}

/* A pod's containers share its addresses. */
static bool ip_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	static const char *const keys[] = { "io.kubernetes.cri-o.IP.0" };

	(void)ref;
	return annotated(ctx, out, keys, SHK_ARRAY_SIZE(keys));
}

static bool cni_get(struct shk_eval_ctx *ctx, const struct shk_field_ref *ref, struct shk_value *out)
{
	static const char *const keys[] = { "io.kubernetes.cri-o.CNIResult" };

	(void)ref;
	return annotated(ctx, out, keys, SHK_ARRAY_SIZE(keys));
}

/* The pod is known by the annotations of its containers, so k8s fields live here. */
#define ROW(n, t, ft, fl, g, d)                                                                    \
	{ .name = (n), .class_name = "container", .type = (t), .falco_type = (ft), .flags = (fl),  \
	  .get = (g), .doc = (d) }
#define CRIO(n, g, d)                                                                              \
	{ .name = (n), .class_name = "container", .type = SHK_T_STRING, .falco_type = "CHARBUF",   \
	  .flags = SHK_F_STABLE, .get = (g), .doc = (d),                                           \
	  .origin = "annotations of CRI-O; other engines do not tell the runtime" }

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
	ROW("container.image.id", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, image_id_get,
	    "Id of the image: 64 hexadecimal digits. Of podman, docker and CRI-O."),
	ROW("container.type", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, type_get,
	    "Engine that made the container: podman, docker, containerd, cri-o, oci; or 'host'."),
	ROW("container.privileged", SHK_T_BOOL, "BOOL", SHK_F_STABLE, privileged_get,
	    "The container runs with all privileges."),
	ROW("container.host_pid", SHK_T_BOOL, "BOOL", SHK_F_STABLE, host_pid_get,
	    "The container has the host's pid namespace."),
	ROW("container.host_network", SHK_T_BOOL, "BOOL", SHK_F_STABLE, host_network_get,
	    "The container has the host's network namespace."),
	ROW("container.host_ipc", SHK_T_BOOL, "BOOL", SHK_F_STABLE, host_ipc_get,
	    "The container has the host's IPC namespace."),
	ROW("container.label", SHK_T_STRING, "CHARBUF",
	    SHK_F_STABLE | SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED, label_get,
	    "Value of the container's label in brackets. Of docker and CRI-O."),
	ROW("container.labels", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, labels_get,
	    "All labels of the container as key:value, separated by a comma and a blank."),
	CRIO("container.ip", ip_get, "Address of the container."),
	CRIO("container.cni.json", cni_get, "What the network plugin said about the container, as JSON."),
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
	    SHK_F_STABLE | SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED, pod_label_get,
	    "Value of the pod's label in brackets."),
	ROW("k8s.pod.labels", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, pod_labels_get,
	    "All labels of the pod as key:value, separated by a comma and a blank."),
	ROW("k8s.pod.sandbox_id", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, sandbox_get,
	    "First 12 characters of the id of the pod's sandbox."),
	ROW("k8s.pod.full_sandbox_id", SHK_T_STRING, "CHARBUF", SHK_F_STABLE, full_sandbox_get,
	    "Id of the pod's sandbox."),
	CRIO("k8s.pod.ip", ip_get, "Address of the pod."),
	CRIO("k8s.pod.cni.json", cni_get, "What the network plugin said about the pod, as JSON."),
};

SHK_FIELD_TABLE(shk_table_container, table);
