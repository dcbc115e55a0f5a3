/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container.h - what is known of one supervised container.
 *
 * A record is created at registration (engine/registry.c), shared by reference count between the
 * registry, its workers and alerts in flight. Identity fields are constant after creation and may be
 * read without the lock. `lock` guards the process table and the counters; it is held by one
 * worker of this container for the time of one evaluation, never across another container's.
 */
#ifndef SHK_STATE_CONTAINER_H
#define SHK_STATE_CONTAINER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"

struct shk_kv {
	struct shk_str key, value;
};

struct shk_mount_info {	 /* of config.json: container.mount.* */
	struct shk_str source, dest, type, options;
};

/* How it came under supervision. Of an attached one what happened before is not known (THREATS A3). */
enum shk_way { SHK_WAY_HOOK, SHK_WAY_WRAPPER, SHK_WAY_PROFILE, SHK_WAY_RUN, SHK_WAY_ATTACH };
const char *shk_way_name(enum shk_way w);

#define SHK_HOST_PID	 1u
#define SHK_HOST_NETWORK 2u
#define SHK_HOST_IPC	 4u

struct shk_container {
	atomic_uint refs;
	uint64_t key;		/* unique in this boot, never reused; keeper and journal use it */
	struct shk_arena arena; /* owns every string below */

	/* identity: constant after creation */
	struct shk_str full_id;	/* the runtime's id */
	struct shk_str id;	/* container.id: first 12 bytes of full_id */
	struct shk_str name;	/* container.name: engine's annotation, else full_id */
	struct shk_str image, image_repo, image_tag, image_digest; /* "" when unknown */
	struct shk_str runtime; /* "runc", "crun", "" */
	struct shk_str engine;	/* container.type word: "podman", "docker", "containerd", "cri-o", "oci" */
	struct shk_str bundle, rootfs, cgroup; /* host paths; cgroup: unified or first v1 path */
	struct shk_str hostname;
	struct shk_str image_id; /* hexadecimal, without the name of the hash; "" */
	bool privileged;
	uint8_t host_ns, host_ns_known; /* SHK_HOST_*: namespaces it has none of its own of */
	struct shk_str k8s_ns, k8s_pod, k8s_pod_uid, k8s_container;
	struct shk_kv *annotations;
	size_t n_annotations;
	struct shk_kv *labels;	/* CRI-O's include those of the pod */
	size_t n_labels;
	struct shk_mount_info *mounts;
	size_t n_mounts;
	struct shk_str *masked; /* linux.maskedPaths and readonlyPaths: mounted by the runtime */
	size_t n_masked;
	enum shk_way way;
	uint64_t start_ns;	/* CLOCK_REALTIME at registration */
	pid_t init_pid;		/* host pid */
	uint64_t init_start;	/* field 22 of /proc/PID/stat: init_pid is still the same process */
	dev_t root_dev;		/* of the rootfs directory, 0/0 when unknown */
	ino_t root_ino;
	/* Device number by which an overlay is known as the root the runtime made. Numbers of that kind are given again once a file
	 * system is gone: while root_fd (O_PATH, owned, -1: none) is held it cannot be. -1: of none. */
	_Atomic dev_t own_dev;
	atomic_int root_fd;
	dev_t runtime_dev;	/* of the runtime's binary (THREATS A8), 0/0 when unknown */
	ino_t runtime_ino;

	struct shk_str policy;	/* container.policy: name of the policy in force (set once) */

	/* guarded by lock */
	pthread_mutex_t lock;
	struct shk_map procs;	/* state/process.h: tid -> struct shk_proc */
	size_t n_procs;
	struct shk_procs *proc_state; /* state/process.c: order of use, marks, decision count */
	struct shk_users *users;      /* state/users.c */

	/* any thread */
	_Atomic uint64_t n_events, n_alerts, n_denied, n_killed;
	atomic_uint n_lost;	/* files that are kept open for good, as closing them may wait for ever (enforce/actor.c) */
};

/* A new record with one reference; strings are then set with shk_container_str. NULL: no memory. */
struct shk_container *shk_container_new(uint64_t key);
struct shk_container *shk_container_ref(struct shk_container *c);
/* Drops a reference; the last one frees everything. NULL is allowed. */
void shk_container_unref(struct shk_container *c);
SHK_DEFINE_CLEANUP(struct shk_container, shk_container_unref)
/* fd, which is taken over, is of its root directory: its number is this container's from here on. false: it had one. Any
 * thread. */
bool shk_container_hold_root(struct shk_container *c, int fd);
/* It has ended: its root is let go, and no number is its own any more. */
void shk_container_drop_root(struct shk_container *c);
/* Copies s into the container's arena. */
struct shk_str shk_container_str(struct shk_container *c, struct shk_str s);
/* Value of an annotation; p NULL when absent. */
struct shk_str shk_container_annotation(const struct shk_container *c, struct shk_str key);

/* Fills name, image*, engine, k8s_*, labels, privileged, host_ns, mounts, hostname from config.json (parsed JSON object
 * `config`) and annotations, by the conventions of podman (io.podman.*, io.container.*), CRI
 * (io.kubernetes.cri.*, io.kubernetes.cri-o.*, io.kubernetes.*) and docker. Either may be NULL.
 * state/metadata.c. */
struct json_object;
void shk_container_describe(struct shk_container *c, struct json_object *config,
			    struct json_object *annotations);

#endif
