// SPDX-License-Identifier: Apache-2.0
/*
 * plugins.c - fields of the plugins k8saudit and json: known by name, never with a value.
 *
 * Rule files that require these plugins load, and what is wrong in them is found. The names are those of
 * k8saudit 0.18 and json 0.7. Which rules can name which is in rules/source.c.
 */
#include "fields/table.h"

#define NO_AUDIT "only events of a cluster's audit log have it, and none are read"
#define NO_JSON	 "only events whose data is JSON have it, and none are read"

#define ROW(n, c, t, fl, why, d)                                                                   \
	{ .name = (n), .class_name = (c), .type = (t), .falco_type = "CHARBUF",                    \
	  .flags = SHK_F_STABLE | SHK_F_NEVER | (fl), .get = shk_field_missing, .doc = (d),        \
	  .origin = (why) }
#define TEXT(n, d)	ROW(n, "k8s_audit", SHK_T_STRING, 0, NO_AUDIT, d)
#define KEYED(n, d)                                                                                \
	ROW(n, "k8s_audit", SHK_T_STRING, SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED, NO_AUDIT, d)
#define LIST(n, d)	ROW(n, "k8s_audit", SHK_T_LIST, 0, NO_AUDIT, d)
#define EACH(n, d)	ROW(n, "k8s_audit", SHK_T_LIST, SHK_F_ARG_INDEX, NO_AUDIT, d)
#define OLD(n, d)	ROW(n, "k8s_audit", SHK_T_STRING, SHK_F_DEPRECATED, NO_AUDIT, d)
#define OLD_KEYED(n, d)                                                                            \
	ROW(n, "k8s_audit", SHK_T_STRING, SHK_F_DEPRECATED | SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED,   \
	    NO_AUDIT, d)
#define VALUE(n, d)	ROW(n, "json", SHK_T_STRING, SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED, NO_JSON, d)
#define WHOLE(n, d)	ROW(n, "json", SHK_T_STRING, 0, NO_JSON, d)

/* What is known of each container of one of a pod's lists. */
#define CONTAINERS(list, what)                                                                     \
	EACH("ka.req.pod." list ".name", "Names of " what "."),                                    \
	EACH("ka.req.pod." list ".image", "Images of " what "."),                                  \
	EACH("ka.req.pod." list ".image.repository", "Repositories of the images of " what "."),   \
	EACH("ka.req.pod." list ".command", "Commands of " what "."),                              \
	EACH("ka.req.pod." list ".args", "Arguments of " what "."),                                \
	EACH("ka.req.pod." list ".privileged", "privileged of " what "."),                         \
	EACH("ka.req.pod." list ".allow_privilege_escalation",                                     \
	     "allowPrivilegeEscalation of " what "."),                                             \
	EACH("ka.req.pod." list ".read_only_fs", "readOnlyRootFilesystem of " what "."),           \
	EACH("ka.req.pod." list ".run_as_user", "User ids of " what " as written."),               \
	EACH("ka.req.pod." list ".eff_run_as_user", "User ids that " what " get."),                \
	EACH("ka.req.pod." list ".run_as_group", "Group ids of " what " as written."),             \
	EACH("ka.req.pod." list ".eff_run_as_group", "Group ids that " what " get."),              \
	EACH("ka.req.pod." list ".proc_mount", "procMount of " what "."),                          \
	EACH("ka.req.pod." list ".add_capabilities", "Capabilities added for " what ".")
#define PORTS(list, what) EACH("ka.req.pod." list ".host_port", "Host ports of " what ".")

static const struct shk_field table[] = {
	TEXT("ka.auditid", "Id of the audit event."),
	TEXT("ka.stage", "Stage of the request."),
	TEXT("ka.auth.decision", "What authorization decided."),
	TEXT("ka.auth.reason", "Why it decided so."),
	TEXT("ka.auth.openshift.decision", "What authentication of OpenShift decided."),
	TEXT("ka.auth.openshift.username", "User that OpenShift authenticated."),
	TEXT("ka.validations.admission.policy.failure", "Why a validating admission policy refused."),
	TEXT("ka.security.pod.violations", "What the pod security policy found."),
	TEXT("ka.user.name", "User of the request."),
	LIST("ka.user.groups", "Groups of that user."),
	TEXT("ka.impuser.name", "User that is impersonated."),
	TEXT("ka.verb", "What is done."),
	TEXT("ka.uri", "URI of the request."),
	KEYED("ka.uri.param", "A parameter of that URI."),
	TEXT("ka.target.name", "Name of the object."),
	TEXT("ka.target.namespace", "Namespace of the object."),
	TEXT("ka.target.resource", "Kind of the object."),
	TEXT("ka.target.subresource", "Subresource of the object."),
	TEXT("ka.target.pod.name", "Name of the pod."),
	LIST("ka.req.binding.subjects", "Subjects of a role binding."),
	LIST("ka.req.binding.subjects.user_names", "Users among them."),
	LIST("ka.req.binding.subjects.serviceaccount_names", "Service accounts among them."),
	LIST("ka.req.binding.subjects.serviceaccount_ns_names", "The same with namespaces."),
	LIST("ka.req.binding.subjects.group_names", "Groups among them."),
	TEXT("ka.req.binding.role", "Role that is bound."),
	OLD_KEYED("ka.req.binding.subject.has_name", "Is there a subject of this name?"),
	TEXT("ka.req.configmap.name", "Name of a config map."),
	TEXT("ka.req.configmap.obj", "A config map as a whole."),
	LIST("ka.req.role.rules", "Rules of a role."),
	EACH("ka.req.role.rules.apiGroups", "API groups of these rules."),
	EACH("ka.req.role.rules.nonResourceURLs", "URLs of these rules."),
	EACH("ka.req.role.rules.verbs", "Verbs of these rules."),
	EACH("ka.req.role.rules.resources", "Resources of these rules."),
	TEXT("ka.req.service.type", "Type of a service."),
	EACH("ka.req.service.ports", "Ports of a service."),
	TEXT("ka.req.pod.host_ipc", "hostIPC of a pod."),
	TEXT("ka.req.pod.host_network", "hostNetwork of a pod."),
	TEXT("ka.req.pod.host_pid", "hostPID of a pod."),
	TEXT("ka.req.pod.run_as_user", "User id of a pod."),
	TEXT("ka.req.pod.run_as_group", "Group id of a pod."),
	TEXT("ka.req.pod.fs_group", "fsGroup of a pod."),
	LIST("ka.req.pod.supplemental_groups", "Supplemental groups of a pod."),
	EACH("ka.req.pod.volumes.hostpath", "Host paths of the volumes."),
	EACH("ka.req.pod.volumes.flexvolume_driver", "Flexvolume drivers of the volumes."),
	EACH("ka.req.pod.volumes.volume_type", "Types of the volumes."),
	CONTAINERS("containers", "the containers"),
	PORTS("containers", "the containers"),
	CONTAINERS("initContainers", "the init containers"),
	PORTS("initContainers", "the init containers"),
	CONTAINERS("ephemeralContainers", "the ephemeral containers"),
	OLD("ka.req.container.image", "Image of the first container."),
	OLD("ka.req.container.image.repository", "Repository of that image."),
	OLD("ka.req.container.host_network", "hostNetwork of a pod."),
	OLD("ka.req.container.privileged", "Is a container privileged?"),
	OLD_KEYED("ka.req.volume.hostpath", "Does a volume have this host path?"),
	TEXT("ka.resp.name", "Name of the object in the response."),
	TEXT("ka.response.code", "Code of the response."),
	TEXT("ka.response.reason", "Reason in the response."),
	TEXT("ka.useragent", "User agent of the client."),
	EACH("ka.sourceips", "Addresses of the client."),
	TEXT("ka.cluster.name", "Name of the cluster."),
	VALUE("json.value", "A value of the event's data, by JSON pointer."),
	WHOLE("json.obj", "The event's data as a whole."),
	WHOLE("json.rawtime", "Time of the event."),
	VALUE("jevt.value", "The same as json.value."),
	WHOLE("jevt.obj", "The same as json.obj."),
	WHOLE("jevt.rawtime", "The same as json.rawtime."),
};

SHK_FIELD_TABLE(shk_table_plugins, table);
