// SPDX-License-Identifier: Apache-2.0
#include "state/state_text.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "event/text.h"
#include "state/process_impl.h"

static void put_str(struct shk_buf *out, const char *name, struct shk_str s)
{
	if (!s.p)
		return;
	shk_buf_printf(out, " %s=", name);
	shk_text_quote(s, out);
}

static void put_known(struct shk_buf *out, const char *name, struct shk_str s)
{
	if (s.n)
		put_str(out, name, s);
}

static void put_i64(struct shk_buf *out, const char *name, int64_t v)
{
	shk_buf_printf(out, " %s=%" PRId64, name, v);
}

static void put_pid(struct shk_buf *out, const char *name, pid_t v)
{
	if (v > 0)
		put_i64(out, name, v);
}

static void put_hex(struct shk_buf *out, const char *name, uint64_t v)
{
	shk_buf_printf(out, " %s=0x%" PRIx64, name, v);
}

static void put_bool(struct shk_buf *out, const char *name, bool v)
{
	shk_buf_printf(out, " %s=%s", name, v ? "true" : "false");
}

static void put_time(struct shk_buf *out, const char *name, uint64_t ns)
{
	shk_buf_printf(out, " %s=%" PRIu64 ".%09" PRIu64, name, ns / 1000000000, ns % 1000000000);
}

static void put_list(struct shk_buf *out, const char *name, const struct shk_strvec *v)
{
	if (!v)
		return;
	shk_buf_printf(out, " %s=[", name);
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			shk_buf_addc(out, ',');
		shk_text_quote(v->v[i], out);
	}
	shk_buf_addc(out, ']');
}

/* ---- containers ---- */

/* A name with other characters than these would not read back. */
static bool plain(struct shk_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= 0x20 || (unsigned char)s.p[i] >= 0x7f || s.p[i] == '=' ||
		    s.p[i] == '"')
			return false;
	return s.n > 0;
}

static void put_pairs(struct shk_buf *out, const char *word, const struct shk_kv *v, size_t n)
{
	for (size_t i = 0; i < SHK_MIN(n, SHK_TEXT_PAIRS_MAX / 2 - 20u); i++) {
		if (!plain(v[i].key))
			continue;
		shk_buf_printf(out, " %s." SHK_STR_FMT "=", word, SHK_STR_ARG(v[i].key));
		shk_text_quote(v[i].value, out);
	}
}

static void put_mounts(struct shk_buf *out, const struct shk_container *c)
{
	size_t n = SHK_MIN(c->n_mounts, (size_t)SHK_ARGV_LIMIT / 4);

	if (!n)
		return;
	shk_buf_adds(out, " mounts=[");
	for (size_t i = 0; i < n; i++) {
		const struct shk_str s[] = { c->mounts[i].source, c->mounts[i].dest, c->mounts[i].type,
					     c->mounts[i].options };

		for (size_t k = 0; k < SHK_ARRAY_SIZE(s); k++) {
			if (i || k)
				shk_buf_addc(out, ',');
			shk_text_quote(s[k], out);
		}
	}
	shk_buf_addc(out, ']');
}

void shk_state_put_container(const struct shk_container *c, struct shk_buf *out)
{
	shk_buf_adds(out, "container ");
	shk_text_quote(c->full_id, out);
	put_known(out, "name", c->name);
	put_known(out, "image", c->image);
	put_known(out, "image_repo", c->image_repo);
	put_known(out, "image_tag", c->image_tag);
	put_known(out, "image_digest", c->image_digest);
	put_known(out, "image_id", c->image_id);
	put_known(out, "runtime", c->runtime);
	put_known(out, "engine", c->engine);
	put_known(out, "bundle", c->bundle);
	put_known(out, "rootfs", c->rootfs);
	put_known(out, "cgroup", c->cgroup);
	put_known(out, "hostname", c->hostname);
	put_bool(out, "privileged", c->privileged);
	if (c->host_ns_known & SHK_HOST_PID)
		put_bool(out, "host_pid", c->host_ns & SHK_HOST_PID);
	if (c->host_ns_known & SHK_HOST_NETWORK)
		put_bool(out, "host_network", c->host_ns & SHK_HOST_NETWORK);
	if (c->host_ns_known & SHK_HOST_IPC)
		put_bool(out, "host_ipc", c->host_ns & SHK_HOST_IPC);
	put_known(out, "policy", c->policy);
	if (c->start_ns)
		put_time(out, "start", c->start_ns);
	put_pid(out, "init", c->init_pid);
	put_known(out, "k8s_ns", c->k8s_ns);
	put_known(out, "k8s_pod", c->k8s_pod);
	put_known(out, "k8s_pod_uid", c->k8s_pod_uid);
	put_known(out, "k8s_container", c->k8s_container);
	put_mounts(out, c);
	put_pairs(out, "annotation", c->annotations, c->n_annotations);
	put_pairs(out, "label", c->labels, c->n_labels);
	shk_buf_addc(out, '\n');
}

/* ---- tasks ---- */

static void put_exe(struct shk_proc *p, struct shk_buf *out)
{
	const struct shk_proc_exe *e = shk_proc_exe(p);
	bool upper;

	if (!e)
		return;
	if (e->known & SHK_EXE_FILE) {
		put_hex(out, "exe_dev", e->dev);
		put_i64(out, "exe_ino", (int64_t)e->ino);
	}
	if (e->known & SHK_EXE_CTIME)
		put_time(out, "exe_ctime", e->ctime_ns);
	if (e->known & SHK_EXE_MTIME)
		put_time(out, "exe_mtime", e->mtime_ns);
	if (e->known & SHK_EXE_MEMFD)
		put_bool(out, "memfd", e->memfd);
	if (e->known & SHK_EXE_WRITABLE)
		put_bool(out, "exe_writable", e->writable);
	if (shk_proc_exe_upper(p, &upper))
		put_bool(out, "exe_upper", upper);
}

static void put_creds(struct shk_proc *p, struct shk_buf *out)
{
	const struct shk_proc_creds *c = shk_proc_creds(p);

	if (!c)
		return;
	if (c->known & SHK_CREDS_UIDS)
		shk_buf_printf(out, " uid=%u euid=%u", c->ruid, c->uid);
	if (c->known & SHK_CREDS_GIDS)
		shk_buf_printf(out, " gid=%u egid=%u", c->rgid, c->gid);
	if (c->known & SHK_CREDS_EFFECTIVE)
		put_hex(out, "caps", c->effective);
	if (c->known & SHK_CREDS_PERMITTED)
		put_hex(out, "caps_permitted", c->permitted);
	if (c->known & SHK_CREDS_INHERITABLE)
		put_hex(out, "caps_inheritable", c->inheritable);
}

void shk_state_put_process(struct shk_proc *p, struct shk_str container, struct shk_buf *out)
{
	uint32_t v;
	uint64_t start;

	p = p->base ? p->base : p;
	shk_buf_printf(out, "process %d", (int)p->tid);
	put_pid(out, "pid", shk_proc_pid(p));
	put_pid(out, "ppid", shk_proc_ppid(p));
	put_str(out, "container", container);
	put_pid(out, "vpid", shk_proc_vpid(p));
	put_pid(out, "vtid", shk_proc_vtid(p));
	put_pid(out, "vpgid", shk_proc_vpgid(p));
	put_pid(out, "vsid", shk_proc_vsid(p));
	put_pid(out, "sid", shk_proc_sid(p));
	put_pid(out, "pgid", shk_proc_pgid(p));
	if (shk_proc_ns(p, SHK_NS_PID))
		put_i64(out, "pidns", (int64_t)shk_proc_ns(p, SHK_NS_PID));
	if (shk_proc_nthreads(p))
		put_i64(out, "threads", shk_proc_nthreads(p));
	put_str(out, "name", shk_proc_comm(p));
	put_list(out, "args", shk_proc_argv(p));
	put_list(out, "env", shk_proc_env(p));
	put_str(out, "exepath", shk_proc_exepath(p));
	put_exe(p, out);
	put_str(out, "cwd", shk_proc_cwd(p));
	if (shk_proc_need(p, SHK_FACT_ROOT))
		put_str(out, "root", p->root);
	if (shk_proc_tty(p, &v))
		put_i64(out, "tty", v);
	put_creds(p, out);
	if (shk_proc_loginuid(p, &v))
		put_i64(out, "loginuid", v == UINT32_MAX ? -1 : (int64_t)v);
	if (shk_proc_start(p, &start))
		put_time(out, "start", start);
	if (shk_proc_is_exec_session(p))
		put_bool(out, "exec_session", true);
	shk_buf_addc(out, '\n');
}

void shk_state_put_program(struct shk_proc *p, struct shk_buf *out)
{
	if (!p->base)
		return;
	shk_buf_printf(out, "program %d", (int)p->tid);
	put_str(out, "name", shk_proc_comm(p));
	put_str(out, "exepath", shk_proc_exepath(p));
	put_exe(p, out);
	shk_buf_addc(out, '\n');
}

void shk_state_put_usage(struct shk_proc *p, struct shk_arena *arena, struct shk_buf *out)
{
	struct shk_proc_memory m;
	struct shk_proc_thread t;
	uint64_t fds;
	int64_t limit;

	p = p->base ? p->base : p;
	shk_buf_printf(out, "usage %d", (int)p->tid);
	if (shk_proc_memory(p, &m))
		shk_buf_printf(out, " vm_size=%" PRIu64 " vm_rss=%" PRIu64 " vm_swap=%" PRIu64, m.size,
			       m.resident, m.swapped);
	if (shk_proc_thread(p, &t))
		shk_buf_printf(out, " minor_faults=%" PRIu64 " major_faults=%" PRIu64 " cpu=%d", t.minor_faults,
			       t.major_faults, t.cpu);
	if (shk_proc_fd_count(p, &fds))
		put_i64(out, "fds", (int64_t)fds);
	if (shk_proc_fd_limit(p, &limit))
		put_i64(out, "fd_limit", limit);
	put_str(out, "cgroups", shk_proc_cgroups(p, arena));
	shk_buf_addc(out, '\n');
}

/* ---- descriptors ---- */

static void put_end(struct shk_buf *out, const char *name, const struct shk_ip *ip, uint16_t port)
{
	if (!ip->len)
		return;
	shk_buf_printf(out, " %s=", name);
	shk_ip_port_print(ip, port, out);
}

static void put_socket(const struct shk_fd_facts *f, struct shk_buf *out)
{
	const char *proto = shk_fd_l4proto(f);

	if (f->family == AF_INET || f->family == AF_INET6) {
		put_end(out, "local", &f->local, f->lport);
		if (f->connected)
			put_end(out, "remote", &f->remote, f->rport);
	} else if (f->family == AF_UNIX) {
		put_str(out, "path", f->unix_path);
		if (f->connected)
			put_str(out, "peer", f->peer_path.p ? f->peer_path : SHK_STR(""));
	}
	if (proto)
		shk_buf_printf(out, " proto=%s", proto);
	if (f->listening)
		put_bool(out, "listening", true);
	put_bool(out, "server", f->server);
}

void shk_state_put_fd(pid_t tid, int fd, const struct shk_fd_facts *f, struct shk_buf *out)
{
	shk_buf_printf(out, "fd %d %d type=%c", (int)tid, fd, f->type ? f->type : 'o');
	put_str(out, "name", f->name);
	if (f->family) {
		put_socket(f, out);
	} else {
		put_str(out, "path", f->path);
		put_hex(out, "dev", f->dev);
		put_i64(out, "ino", (int64_t)f->ino);
	}
	if (f->deleted)
		put_bool(out, "deleted", true);
	if (f->layer_known)
		put_bool(out, "upper", f->upper);
	shk_buf_addc(out, '\n');
}

/* ---- names ---- */

void shk_state_put_user(uid_t uid, const struct shk_user *u, struct shk_str container, struct shk_buf *out)
{
	shk_buf_printf(out, "user %u", (unsigned)uid);
	put_str(out, "name", u ? u->name : SHK_STR(""));
	put_known(out, "home", u ? u->homedir : SHK_STR(""));
	put_known(out, "shell", u ? u->shell : SHK_STR(""));
	put_str(out, "container", container);
	shk_buf_addc(out, '\n');
}

void shk_state_put_group(gid_t gid, const struct shk_group *g, struct shk_str container, struct shk_buf *out)
{
	shk_buf_printf(out, "group %u", (unsigned)gid);
	put_str(out, "name", g ? g->name : SHK_STR(""));
	put_str(out, "container", container);
	shk_buf_addc(out, '\n');
}
