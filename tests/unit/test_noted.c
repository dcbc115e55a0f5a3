// SPDX-License-Identifier: Apache-2.0
/* Name and image of a container from the files that podman and docker keep. */
#include <fcntl.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "control/control.h"

static char top[64];

static const char *path_of(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void expect(const char *bundle, const char *id, const char *config, const char *name,
		   const char *image)
{
	struct json_object *c = config ? shk_json_parse(shk_str(config), 65536, NULL) : NULL;
	struct json_object *o = shk_engine_noted(shk_str(bundle), shk_str(id), c);

	assert_true(!config || c);
	if (name || image)
		assert_non_null(o);
	else
		assert_null(o);
	assert_true(shk_str_eq(shk_json_str(o, "name"), shk_str(name)));
	assert_true(shk_str_eq(shk_json_str(o, "image"), shk_str(image)));
	json_object_put(o);
	json_object_put(c);
}

/* A text member of the note about d1 in docker's files. */
static void expect_docker(const char *notes, const char *key, const char *want)
{
	struct json_object *c, *o;
	char config[512];

	put("containers/d1/config.v2.json", notes);
	snprintf(config, sizeof(config), "{\"mounts\":[{\"source\":\"%s/containers/d1/hostname\"}]}", top);
	c = shk_json_parse(shk_str(config), 65536, NULL);
	o = shk_engine_noted(SHK_STR("/run/b"), SHK_STR("d1"), c);
	assert_non_null(o);
	if (!strcmp(key, "labels"))
		assert_string_equal(json_object_to_json_string_ext(shk_json_object(o, key),
								   JSON_C_TO_STRING_PLAIN), want);
	else
		assert_true(shk_str_eqz(shk_json_str(o, key), want));
	json_object_put(o);
	json_object_put(c);
}

static int setup(void **state)
{
	static const char *const dirs[] = { "vfs-containers", "vfs-containers/c1",
					    "vfs-containers/c1/userdata", "containers",
					    "containers/d1" };

	(void)state;
	snprintf(top, sizeof(top), "/tmp/test-noted.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	for (size_t i = 0; i < SHK_ARRAY_SIZE(dirs); i++)
		if (mkdir(path_of(dirs[i]), 0700) < 0)
			return -1;
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

static void test_podman(void **state)
{
	char bundle[256];

	(void)state;
	snprintf(bundle, sizeof(bundle), "%s/vfs-containers/c1/userdata", top);
	expect(bundle, "c1", NULL, NULL, NULL);
	put("vfs-containers/containers.json",
	    "[{\"id\":\"c0\",\"metadata\":\"{\\\"name\\\":\\\"wrong\\\"}\"},7,"
	    "{\"id\":\"c1\",\"metadata\":\"{\\\"image-name\\\":\\\"localhost/a:1\\\",\\\"name\\\":\\\"web\\\"}\"}]");
	expect(bundle, "c1", NULL, "web", "localhost/a:1");
	/* Another id than the directory's is no note about this container. */
	expect(bundle, "c0", NULL, NULL, NULL);
	snprintf(bundle, sizeof(bundle), "%s/vfs-containers/c1/userdata//", top);
	expect(bundle, "c1", NULL, "web", "localhost/a:1");
}

static void test_podman_volatile(void **state)
{
	char bundle[256];

	(void)state;
	snprintf(bundle, sizeof(bundle), "%s/vfs-containers/c1/userdata", top);
	put("vfs-containers/containers.json", "[]");
	put("vfs-containers/volatile-containers.json",
	    "[{\"id\":\"c1\",\"metadata\":\"{\\\"image-name\\\":\\\"localhost/b\\\"}\"}]");
	expect(bundle, "c1", NULL, NULL, "localhost/b");
}

static void test_podman_garbage(void **state)
{
	static const char *const bad[] = { "", "[", "{}", "[{\"id\":\"c1\"}]", "[{\"id\":\"c1\",\"metadata\":\"x\"}]",
					   "[{\"id\":\"c1\",\"metadata\":\"{\\\"name\\\":{}}\"}]", "[]}, \"x\": {" };
	char bundle[256];

	(void)state;
	snprintf(bundle, sizeof(bundle), "%s/vfs-containers/c1/userdata", top);
	assert_int_equal(unlink(path_of("vfs-containers/volatile-containers.json")), 0);
	for (size_t i = 0; i < SHK_ARRAY_SIZE(bad); i++) {
		put("vfs-containers/containers.json", bad[i]);
		expect(bundle, "c1", NULL, NULL, NULL);
	}
	/* Nobody ever writes here: it must not be waited for. */
	assert_int_equal(unlink(path_of("vfs-containers/containers.json")), 0);
	assert_int_equal(mkfifo(path_of("vfs-containers/containers.json"), 0600), 0);
	expect(bundle, "c1", NULL, NULL, NULL);
}

static void test_docker(void **state)
{
	char config[1024];

	(void)state;
	snprintf(config, sizeof(config), "{\"mounts\":[{\"source\":\"proc\"},{\"source\":\"%s/containers/d1/hostname\"}]}",
		 top);
	expect("/run/b", "d1", config, NULL, NULL);
	put("containers/d1/config.v2.json",
	    "{\"ID\":\"d1\",\"Name\":\"/web\",\"Config\":{\"Image\":\"nginx:1.25\"}}");
	expect("/run/b", "d1", config, "web", "nginx:1.25");
	expect("/run/b", "d2", config, NULL, NULL);
	put("containers/d1/config.v2.json", "{\"ID\":\"d9\",\"Name\":\"/web\"}");
	expect("/run/b", "d1", config, NULL, NULL);
}

static void test_docker_more(void **state)
{
	static char big[20000];

	(void)state;
	expect_docker("{\"ID\":\"d1\",\"Name\":\"/w\",\"Image\":\"sha256:ab\"}", "image_id", "sha256:ab");
	expect_docker("{\"ID\":\"d1\",\"Name\":\"/w\",\"Config\":{\"Labels\":{\"a\":\"b\",\"c\":1}}}",
		      "labels", "{\"a\":\"b\"}");
	/* What would not fit the keeper's store is left out. */
	snprintf(big, sizeof(big), "{\"ID\":\"d1\",\"Name\":\"/w\",\"Config\":{\"Labels\":{\"big\":\"%09000d\","
		 "\"small\":\"x\"}}}", 7);
	expect_docker(big, "labels", "{\"small\":\"x\"}");
}

static void test_nothing(void **state)
{
	(void)state;
	expect("", "x", NULL, NULL, NULL);
	expect("/", "/", "{}", NULL, NULL);
	expect("/a/userdata", "a", "{\"mounts\":[]}", NULL, NULL);
	expect("userdata", "", NULL, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_podman),
		cmocka_unit_test(test_podman_volatile),
		cmocka_unit_test(test_podman_garbage),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_docker_more),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
