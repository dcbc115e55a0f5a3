/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fields_container.c - fields of the container, its mounts and its pod.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fields.h"

static void test_container(void **state)
{
	struct shk_mount_info mounts[] = {
		{ SHK_STR("proc"), SHK_STR("/proc"), SHK_STR("proc"), SHK_STR("nosuid") },
		{ SHK_STR("/etc"), SHK_STR("/host/etc"), SHK_STR("bind"), SHK_STR("rbind,ro") },
		{ SHK_STR("/var/run"), SHK_STR("/run"), SHK_STR("none"), SHK_STR("bind,rslave") },
	};
	struct shk_kv notes[] = { { SHK_STR("org.x"), SHK_STR("y") } };

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	IS("container.id", "0123456789ab");
	IS("container.image", "<NA>");
	IS("container.privileged", "false");
	ctr->mounts = mounts;
	ctr->n_mounts = SHK_ARRAY_SIZE(mounts);
	ctr->annotations = notes;
	ctr->n_annotations = 1;
	IS("container.mount.dest[0]", "/host/etc");
	IS("container.mount.dest[/var/*]", "/run");
	IS("container.mount.dest[/proc*]", "<NA>");
	IS("container.mount.source[/run]", "/var/run");
	IS("container.mount.rdwr[/etc]", "false");
	IS("container.mount.mode[0]", "");
	IS("container.mount.mode[2]", "<NA>");
	IS("container.mounts", "/etc:/host/etc::false:private,/var/run:/run::true:rslave");
	IS("container.annotation[org.x]", "y");
	IS("container.annotation[org]", "<NA>");
	ctx.ctr = NULL;
	IS("container.id", "host");
	IS("container.mounts", "<NA>");
}

static void test_description(void **state)
{
	struct shk_kv labels[] = { { SHK_STR("app"), SHK_STR("web") }, { SHK_STR("a b"), SHK_STR("") } };
	struct shk_kv notes[] = {
		{ SHK_STR("io.kubernetes.cri-o.SandboxID"), SHK_STR("fedcba9876543210") },
		{ SHK_STR("io.kubernetes.cri-o.IP.0"), SHK_STR("10.88.0.7") },
		{ SHK_STR("io.kubernetes.cri-o.CNIResult"), SHK_STR("{\"cniVersion\":\"1.0.0\"}") },
	};
	static const char *const all[] = {
		"container.image.id", "container.host_pid", "container.host_network",
		"container.host_ipc", "container.label[app]", "container.labels", "container.ip",
		"container.cni.json", "k8s.pod.sandbox_id", "k8s.pod.full_sandbox_id", "k8s.pod.ip",
		"k8s.pod.cni.json", "k8s.pod.label[app]", "k8s.pod.labels",
		"container.mount.mode[0]",
	};

	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(all); i++)
		IS(all[i], "<NA>");
	ctr->image_id = SHK_STR("77af");
	ctr->host_ns_known = SHK_HOST_PID | SHK_HOST_NETWORK;
	ctr->host_ns = SHK_HOST_NETWORK;
	IS("container.image.id", "77af");
	IS("container.host_pid", "false");
	IS("container.host_network", "true");
	IS("container.host_ipc", "<NA>");
	ctr->host_ns_known = SHK_HOST_IPC;
	IS("container.host_ipc", "false");
	ctr->labels = labels;
	ctr->n_labels = SHK_ARRAY_SIZE(labels);
	IS("container.label[app]", "web");
	IS("container.label['a b']", "");
	IS("container.label[x]", "<NA>");
	IS("container.labels", "app:web, a b:");
	/* Whoever is in no pod has no pod's labels. */
	IS("k8s.pod.label[app]", "<NA>");
	IS("k8s.pod.labels", "<NA>");
	ctr->k8s_pod = SHK_STR("web-0");
	IS("k8s.pod.label[app]", "web");
	IS("k8s.pod.label[x]", "<NA>");
	IS("k8s.pod.labels", "app:web, a b:");
	ctr->annotations = notes;
	ctr->n_annotations = SHK_ARRAY_SIZE(notes);
	IS("k8s.pod.sandbox_id", "fedcba987654");
	IS("k8s.pod.full_sandbox_id", "fedcba9876543210");
	IS("container.ip", "10.88.0.7");
	IS("k8s.pod.ip", "10.88.0.7");
	IS("container.cni.json", "{\"cniVersion\":\"1.0.0\"}");
	IS("k8s.pod.cni.json", "{\"cniVersion\":\"1.0.0\"}");
	ctx.ctr = NULL;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(all); i++)
		IS(all[i], "<NA>");
}

/* Labels are whoever's who starts the container: text of any length is cut off by its limit. */
static void test_long_labels(void **state)
{
	static char value[40000];
	struct shk_kv labels[] = { { SHK_STR("a"), { value, sizeof(value) } },
				   { SHK_STR("b"), { value, sizeof(value) } } };

	(void)state;
	memset(value, 'x', sizeof(value));
	event("getpid", 0, 0, 0, 0, 0);
	ctr->labels = labels;
	ctr->n_labels = 1;
	assert_int_equal(strlen(text_of("container.labels")), 2 + sizeof(value));
	ctr->n_labels = 2;
	IS("container.labels", "<NA>");
}

static void test_identity(void **state)
{
	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	ctr->image = SHK_STR("reg/app:1@sha256:ab");
	ctr->image_repo = SHK_STR("reg/app");
	ctr->image_tag = SHK_STR("1");
	ctr->image_digest = SHK_STR("sha256:ab");
	ctr->engine = SHK_STR("podman");
	ctr->policy = SHK_STR("strict");
	ctr->k8s_ns = SHK_STR("shop");
	ctr->k8s_pod = SHK_STR("web-0");
	ctr->k8s_pod_uid = SHK_STR("u1");
	ctr->start_ns = ev.time_ns - 5;
	IS("container.full_id", "0123456789abcdef");
	IS("container.name", "web");
	IS("container.image", "reg/app:1@sha256:ab");
	IS("container.image.repository", "reg/app");
	IS("container.image.tag", "1");
	IS("container.image.digest", "sha256:ab");
	IS("container.type", "podman");
	IS("container.policy", "strict");
	IS("container.start_ts", "1699999999999999996");
	IS("container.duration", "5");
	IS("k8s.ns.name", "shop");
	IS("k8s.pod.name", "web-0");
	IS("k8s.pod.uid", "u1");
	IS("k8s.pod.id", "u1");
}

static void test_on_the_host(void **state)
{
	(void)state;
	event("getpid", 0, 0, 0, 0, 0);
	ctx.ctr = NULL;
	IS("container.full_id", "host");
	IS("container.name", "host");
	IS("container.type", "host");
	all_missing("container", " container.id container.full_id container.name container.type ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(test_container),
		EVENT_TEST(test_description),
		EVENT_TEST(test_long_labels),
		EVENT_TEST(test_identity),
		EVENT_TEST(test_on_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
