// SPDX-License-Identifier: Apache-2.0
/* What engines tell of their containers, and what is made of it. */
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "control/control.h"
#include "state/container.h"

static void assert_str(struct shk_str got, const char *want)
{
	char text[4096];

	snprintf(text, sizeof(text), SHK_STR_FMT, SHK_STR_ARG(got));
	assert_string_equal(text, want);
}

static struct shk_container *describe(const char *config, const char *annotations)
{
	struct shk_container *c = shk_container_new(7);
	struct json_object *o = config ? shk_json_parse(shk_str(config), 65536, NULL) : NULL;
	struct json_object *a = annotations ? shk_json_parse(shk_str(annotations), 65536, NULL) : NULL;

	assert_true(!config || o);
	assert_true(!annotations || a);
	c->full_id = SHK_STR("0123456789abcdef");
	shk_container_describe(c, o, a);
	json_object_put(o);
	json_object_put(a);
	return c;
}

static void test_crio(void **state)
{
	struct shk_container *c = describe(
		"{\"hostname\":\"web-0\",\"mounts\":[{\"destination\":\"/etc\",\"type\":\"bind\","
		"\"source\":\"/srv/etc\",\"options\":[\"rbind\",\"ro\"]}],"
		"\"linux\":{\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\"]}}",
		"{\"io.container.manager\":\"cri-o\","
		"\"io.kubernetes.cri-o.Image\":\"sha256:beef\","
		"\"io.kubernetes.cri-o.ImageName\":\"docker.io/library/nginx:1.25\","
		"\"io.kubernetes.cri-o.ImageRef\":\"docker.io/library/nginx@sha256:00ff\","
		"\"io.kubernetes.cri-o.Name\":\"k8s_nginx_web-0_shop_u1_0\","
		"\"io.kubernetes.container.name\":\"nginx\",\"io.kubernetes.pod.name\":\"web-0\","
		"\"io.kubernetes.pod.namespace\":\"shop\",\"io.kubernetes.pod.uid\":\"u1\","
		"\"io.kubernetes.cri-o.Labels\":\"{\\\"tier\\\":\\\"front\\\"}\"}");

	(void)state;
	assert_str(c->engine, "cri-o");
	assert_str(c->name, "nginx");
	assert_str(c->image, "docker.io/library/nginx:1.25");
	assert_str(c->image_repo, "docker.io/library/nginx");
	assert_str(c->image_tag, "1.25");
	assert_str(c->image_digest, "sha256:00ff");
	assert_str(c->k8s_pod, "web-0");
	assert_str(c->k8s_ns, "shop");
	assert_str(c->k8s_pod_uid, "u1");
	assert_str(c->hostname, "web-0");
	assert_int_equal(c->n_labels, 1);
	assert_str(c->labels[0].key, "tier");
	assert_str(c->labels[0].value, "front");
	assert_int_equal(c->n_mounts, 1);
	assert_str(c->mounts[0].options, "rbind,ro");
	assert_int_equal(c->n_masked, 2);
	assert_str(c->masked[1], "/proc/sys");
	assert_false(c->privileged);
	shk_container_unref(c);
}

/* What the engine noted goes before annotations, which anybody can ask for. */
static void test_noted(void **state)
{
	struct shk_container *c = describe(
		"{\"noted\":{\"name\":\"web1\",\"image\":\"localhost/nginx:1\"}}",
		"{\"io.container.manager\":\"libpod\",\"io.container.name\":\"other\","
		"\"org.opencontainers.image.ref.name\":\"trusted\"}");

	(void)state;
	assert_str(c->engine, "podman");
	assert_str(c->name, "web1");
	assert_str(c->image, "localhost/nginx:1");
	assert_str(c->image_repo, "localhost/nginx");
	assert_str(c->image_tag, "1");
	shk_container_unref(c);
	c = describe("{\"noted\":{\"name\":7}}", "{\"io.container.name\":\"other\"}");
	assert_str(c->name, "other");
	assert_str(c->image, "");
	shk_container_unref(c);
}

static void test_images(void **state)
{
	static const struct {
		const char *image, *repo, *tag, *digest;
	} t[] = {
		{ "nginx", "nginx", "", "" },
		{ "nginx:1", "nginx", "1", "" },
		{ "reg:5000/a/b", "reg:5000/a/b", "", "" },
		{ "reg:5000/a/b:v1", "reg:5000/a/b", "v1", "" },
		{ "reg:5000/a/b:v1@sha256:ab", "reg:5000/a/b", "v1", "sha256:ab" },
		{ "a@sha256:ab", "a", "", "sha256:ab" },
		{ "sha256:0123", "", "", "" },
		{ "a:", "a", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(t); i++) {
		char a[256];
		struct shk_container *c;

		snprintf(a, sizeof(a), "{\"io.kubernetes.cri.image-name\":\"%s\"}", t[i].image);
		c = describe(NULL, a);
		assert_str(c->image_repo, t[i].repo);
		assert_str(c->image_tag, t[i].tag);
		assert_str(c->image_digest, t[i].digest);
		shk_container_unref(c);
	}
}

static void test_privileged(void **state)
{
	static const struct {
		const char *config, *annotations;
		bool want;
	} t[] = {
		{ "{}", "{}", false },
		{ "{}", "{\"io.podman.annotations.privileged\":\"TRUE\"}", true },
		{ "{\"privileged_hints\":[\"all_caps\",\"no_seccomp\"]}", "{}", true },
		/* A word of the user's takes nothing away. */
		{ "{\"privileged_hints\":[\"all_caps\",\"no_seccomp\"]}",
		  "{\"io.podman.annotations.privileged\":\"FALSE\"}", true },
		{ "{\"privileged_hints\":[\"all_caps\"]}", "{}", false },
		{ "{\"privileged_hints\":[\"all_caps\",\"no_seccomp\"],"
		  "\"linux\":{\"maskedPaths\":[\"/proc/kcore\"]}}", "{}", false },
		{ "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_SYS_ADMIN\","
		  "\"CAP_SYS_MODULE\",\"CAP_SYS_RAWIO\"]}}}", "{}", true },
		{ "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_SYS_ADMIN\"]}}}", "{}", false },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(t); i++) {
		struct shk_container *c = describe(t[i].config, t[i].annotations);

		assert_int_equal(c->privileged, t[i].want);
		shk_container_unref(c);
	}
}

static void test_annotations(void **state)
{
	struct shk_container *c = describe("{\"annotations\":{\"a\":\"config\",\"b\":\"2\"}}",
					   "{\"a\":\"state\",\"n\":1}");

	(void)state;
	assert_int_equal(c->n_annotations, 2);
	assert_str(shk_container_annotation(c, SHK_STR("a")), "state");
	assert_str(shk_container_annotation(c, SHK_STR("b")), "2");
	assert_null(shk_container_annotation(c, SHK_STR("n")).p);
	assert_str(c->name, "0123456789abcdef");
	assert_str(c->engine, "oci");
	shk_container_unref(c);
}

static void test_docker(void **state)
{
	struct shk_container *c = shk_container_new(1);

	(void)state;
	c->bundle = SHK_STR("/run/containerd/io.containerd.runtime.v2.task/moby/0123");
	shk_container_describe(c, NULL, NULL);
	assert_str(c->engine, "docker");
	assert_string_equal(shk_way_name(SHK_WAY_WRAPPER), "wrapper");
	shk_container_unref(shk_container_ref(c));
	assert_int_equal(c->refs, 1);
	shk_container_unref(c);
}

/* From podman's and docker's notes, and from what CRI-O says; anything else is no id. */
static void test_image_id(void **state)
{
#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	static const struct { const char *config, *notes, *want; } t[] = {
		{ "{\"noted\":{\"image_id\":\"" HEX "\"}}", NULL, HEX },
		{ "{\"noted\":{\"image_id\":\"sha256:" HEX "\"}}", NULL, HEX },
		{ NULL, "{\"io.kubernetes.cri-o.ImageRef\":\"" HEX "\"}", HEX },
		{ NULL, "{\"io.kubernetes.cri-o.ImageRef\":\"a@sha256:" HEX "\"}", "" },
		{ "{\"noted\":{\"image_id\":\"latest\"}}", NULL, "" },
		{ NULL, NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(t); i++) {
		struct shk_container *c = describe(t[i].config, t[i].notes);

		assert_str(c->image_id, t[i].want);
		shk_container_unref(c);
	}
}

static void test_host_namespaces(void **state)
{
	static const struct { const char *config; unsigned known, host; } t[] = {
		{ NULL, 0, 0 },
		{ "{}", 0, 0 },
		{ "{\"linux\":{}}", 7, 7 },
		{ "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":"
		  "\"/proc/1/ns/net\"},{\"type\":\"ipc\",\"path\":\"/proc/77/ns/ipc\"},7]}}",
		  7, SHK_HOST_NETWORK },
	};

	(void)state;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(t); i++) {
		struct shk_container *c = describe(t[i].config, NULL);

		assert_int_equal(c->host_ns_known, t[i].known);
		assert_int_equal(c->host_ns, t[i].host);
		shk_container_unref(c);
	}
}

static void test_labels(void **state)
{
	struct shk_container *c = describe("{\"noted\":{\"labels\":{\"a\":\"1\",\"b\":2}}}",
					   "{\"io.kubernetes.cri-o.Labels\":\"[1]\"}");

	(void)state;
	assert_int_equal(c->n_labels, 1);
	assert_str(c->labels[0].key, "a");
	assert_str(c->labels[0].value, "1");
	shk_container_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crio),
		cmocka_unit_test(test_noted),	    cmocka_unit_test(test_images),
		cmocka_unit_test(test_privileged),  cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_image_id),
		cmocka_unit_test(test_host_namespaces),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
