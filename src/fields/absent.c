// SPDX-License-Identifier: Apache-2.0
/*
 * absent.c - fields of the rule language that are known by name and never have a value here.
 *
 * Rules that use them load, with a warning that gives the reason; no comparison with them holds. A field
 * that gets a source moves to the file of its class.
 */
#include "fields/table.h"

#define NO_ENTER    "a call is one event: there is no earlier one to measure from"
#define NO_REPORTS  "there are no periodic reports, only calls"
#define NO_INFRA    "there are no events of container engines, only calls"
#define NO_PLUGINS  "only events of plugins have it, and there are none"
#define NO_SWITCHES "only switches of the scheduler say it, and they are no calls"
#define NO_SAMPLES  "nobody takes samples of running threads"
#define NO_PROBES   "deprecated; a runtime is not told of probes, and Falco gives no value either"
#define NO_CLUSTER  "deprecated; only the cluster's API server knows, and Falco gives no value either"

#define ROW(n, c, t, ft, fl, why, d)                                                               \
	{ .name = (n), .class_name = (c), .type = (t), .falco_type = (ft),                         \
	  .flags = SHK_F_STABLE | SHK_F_NEVER | (fl), .get = shk_field_missing, .doc = (d),        \
	  .origin = (why) }
#define NO(n, c, t, ft, why, d) ROW(n, c, t, ft, 0, why, d)
#define OLD(n, c, t, ft, why, d) ROW(n, c, t, ft, SHK_F_DEPRECATED, why, d)
#define OLD_KEY(n, c, t, ft, why, d)                                                               \
	ROW(n, c, t, ft, SHK_F_DEPRECATED | SHK_F_ARG_KEY | SHK_F_ARG_REQUIRED, why, d)

static const struct shk_field table[] = {
	OLD("evt.latency", "evt", SHK_T_RELTIME, "RELTIME", NO_ENTER,
	   "Time between the begin and the end of the call."),
	OLD("evt.latency.s", "evt", SHK_T_RELTIME, "RELTIME", NO_ENTER,
	   "Whole seconds of that time."),
	OLD("evt.latency.ns", "evt", SHK_T_RELTIME, "RELTIME", NO_ENTER,
	   "Nanoseconds beside those seconds."),
	OLD("evt.latency.quantized", "evt", SHK_T_UINT64, "UINT64", NO_ENTER,
	   "Logarithm of that time, for tables."),
	OLD("evt.latency.human", "evt", SHK_T_STRING, "CHARBUF", NO_ENTER,
	   "That time as text for readers."),
	OLD("evt.wait_latency", "evt", SHK_T_RELTIME, "RELTIME", NO_ENTER,
	   "Time a call spent waiting."),
	NO("evt.count.procinfo", "evt", SHK_T_UINT64, "UINT32", NO_REPORTS,
	   "1 for periodic reports on a process."),
	NO("evt.count.threadinfo", "evt", SHK_T_UINT64, "UINT32", NO_REPORTS,
	   "1 for periodic reports on a thread."),
	NO("evt.infra.docker.name", "evt", SHK_T_STRING, "CHARBUF", NO_INFRA,
	   "Name of what an infrastructure event is about."),
	NO("evt.infra.docker.container.id", "evt", SHK_T_STRING, "CHARBUF", NO_INFRA,
	   "Id of the container an infrastructure event is about."),
	NO("evt.infra.docker.container.name", "evt", SHK_T_STRING, "CHARBUF", NO_INFRA,
	   "Name of that container."),
	NO("evt.infra.docker.container.image", "evt", SHK_T_STRING, "CHARBUF", NO_INFRA,
	   "Image of that container."),
	NO("evt.pluginname", "evt", SHK_T_STRING, "CHARBUF", NO_PLUGINS,
	   "Name of the plugin that made the event."),
	NO("evt.plugininfo", "evt", SHK_T_STRING, "CHARBUF", NO_PLUGINS,
	   "Summary of the event by its plugin."),
	NO("evt.asynctype", "evt", SHK_T_STRING, "CHARBUF", NO_PLUGINS,
	   "Kind of an asynchronous event."),
	NO("thread.exectime", "process", SHK_T_RELTIME, "RELTIME", NO_SWITCHES,
	   "CPU time of the thread that was scheduled last."),
	NO("thread.totexectime", "process", SHK_T_RELTIME, "RELTIME", NO_SWITCHES,
	   "CPU time of the thread since the capture began."),
	NO("thread.cpu", "process", SHK_T_DOUBLE, "DOUBLE", NO_SAMPLES,
	   "CPU usage of the thread in the last second, in percent."),
	NO("thread.cpu.user", "process", SHK_T_DOUBLE, "DOUBLE", NO_SAMPLES,
	   "Part of it outside the kernel."),
	NO("thread.cpu.system", "process", SHK_T_DOUBLE, "DOUBLE", NO_SAMPLES,
	   "Part of it inside the kernel."),
	OLD("container.healthcheck", "container", SHK_T_STRING, "CHARBUF", NO_PROBES,
	   "Command that checks the container's health."),
	OLD("container.liveness_probe", "container", SHK_T_STRING, "CHARBUF", NO_PROBES,
	   "Command that checks whether the container lives."),
	OLD("container.readiness_probe", "container", SHK_T_STRING, "CHARBUF", NO_PROBES,
	   "Command that checks whether the container is ready."),
	OLD("proc.is_container_healthcheck", "container", SHK_T_BOOL, "BOOL", NO_PROBES,
	   "The process runs the container's health check."),
	OLD("proc.is_container_liveness_probe", "container", SHK_T_BOOL, "BOOL", NO_PROBES,
	   "The process runs the container's liveness probe."),
	OLD("proc.is_container_readiness_probe", "container", SHK_T_BOOL, "BOOL", NO_PROBES,
	   "The process runs the container's readiness probe."),
	OLD("k8s.rc.name", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Name of the pod's replication controller."),
	OLD("k8s.rc.id", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Id of the pod's replication controller."),
	OLD_KEY("k8s.rc.label", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "A label of the pod's replication controller."),
	OLD("k8s.rc.labels", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "All labels of the pod's replication controller."),
	OLD("k8s.svc.name", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Name of the pod's service."),
	OLD("k8s.svc.id", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Id of the pod's service."),
	OLD_KEY("k8s.svc.label", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "A label of the pod's service."),
	OLD("k8s.svc.labels", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "All labels of the pod's service."),
	OLD("k8s.ns.id", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Id of the pod's namespace."),
	OLD_KEY("k8s.ns.label", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "A label of the pod's namespace."),
	OLD("k8s.ns.labels", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "All labels of the pod's namespace."),
	OLD("k8s.rs.name", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Name of the pod's replica set."),
	OLD("k8s.rs.id", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Id of the pod's replica set."),
	OLD_KEY("k8s.rs.label", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "A label of the pod's replica set."),
	OLD("k8s.rs.labels", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "All labels of the pod's replica set."),
	OLD("k8s.deployment.name", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Name of the pod's deployment."),
	OLD("k8s.deployment.id", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "Id of the pod's deployment."),
	OLD_KEY("k8s.deployment.label", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "A label of the pod's deployment."),
	OLD("k8s.deployment.labels", "container", SHK_T_STRING, "CHARBUF", NO_CLUSTER,
	   "All labels of the pod's deployment."),
};

SHK_FIELD_TABLE(shk_table_absent, table);
