// SPDX-License-Identifier: Apache-2.0
/*
 * Copies of the store in systemd (FileDescriptorStoreMax=), for the death of the keeper itself.
 *
 * An entry is up to two named descriptors: shrike-KEY-fd, sent first, and shrike-KEY-blob, a memfd
 * with struct head and the blob, which makes the entry complete. The journal is shrike-journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "shriked/store.h"

#define LISTEN_FIRST 3 /* sd_listen_fds(3) */
/* A manager that does not read must not stop the keeper: so long once, then hardly at all. */
#define WAIT_S	      2
#define WAIT_STUCK_US 1000
#define MAGIC	     UINT64_C(0x31626c6265726b73)

struct head {
	uint64_t magic, key;
	uint32_t has_fd, len;
};

void shk_notify(const char *text, const int *fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	static bool stuck;
	struct timeval tv = { .tv_sec = stuck ? 0 : WAIT_S, .tv_usec = stuck ? WAIT_STUCK_US : 0 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	_cleanup_close_ int sock = -1;
	size_t n = path ? strlen(path) : 0;
	ssize_t r = -1;

	if (n < 2 || n >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, n);
	if (path[0] == '@')
		sa.sun_path[0] = 0;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sock >= 0) {
		setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		if (connect(sock, (struct sockaddr *)&sa,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0)
			r = shk_send_fds(sock, text, strlen(text), fd, fd != NULL);
	}
	stuck = r == -EAGAIN;
	if (r < 0)
		shk_warning("cannot tell the service manager '%s'", text);
}

static void push(uint64_t key, const char *part, int fd)
{
	char text[128];

	/* Held until removed by name: a hung-up listener is still the engine's to close. */
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=shrike-%016llx-%s",
		 (unsigned long long)key, part);
	shk_notify(text, &fd);
}

void shk_fdstore_del(uint64_t key)
{
	static const char *const parts[] = { "blob", "fd" };
	char text[128];

	for (size_t i = 0; i < SHK_ARRAY_SIZE(parts); i++) {
		snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=shrike-%016llx-%s",
			 (unsigned long long)key, parts[i]);
		shk_notify(text, NULL);
	}
}

void shk_fdstore_put(const struct shk_entry *e)
{
	struct head h = { .magic = MAGIC, .key = e->key, .has_fd = e->fd >= 0, .len = e->len };
	_cleanup_close_ int fd = -1;

	if (!getenv("NOTIFY_SOCKET"))
		return;
	fd = memfd_create("shrike-entry", MFD_CLOEXEC);
	if (fd < 0 || shk_write_all(fd, &h, sizeof(h)) < 0 || shk_write_all(fd, e->blob, e->len) < 0) {
		shk_warning("no memory for the service manager's copy of %016llx",
			    (unsigned long long)e->key);
		return;
	}
	if (e->fd >= 0)
		push(e->key, "fd", e->fd);
	push(e->key, "blob", fd);
}

void shk_fdstore_put_journal(int fd)
{
	shk_notify("FDSTOREREMOVE=1\nFDNAME=shrike-journal", NULL);
	shk_notify("FDSTORE=1\nFDPOLL=0\nFDNAME=shrike-journal", &fd);
}

/* A descriptor that systemd passed. */
struct passed {
	enum { PASSED_ELSE, PASSED_JOURNAL, PASSED_FD, PASSED_BLOB } is;
	uint64_t key;
	int fd; /* -1 once taken */
};

static struct passed passed_of(const char *name, size_t n, int fd)
{
	struct passed p = { .fd = fd };
	unsigned long long key;
	char z[64], is[8];

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	snprintf(z, sizeof(z), "%.*s", (int)SHK_MIN(n, sizeof(z)), name);
	if (strcmp(z, "shrike-journal") == 0) {
		p.is = PASSED_JOURNAL;
	} else if (sscanf(z, "shrike-%16llx-%7s", &key, is) == 2) {
		p.is = is[0] == 'b' ? PASSED_BLOB : PASSED_FD;
		p.key = key;
	}
	return p;
}

static int take_entry(struct shk_store *s, const struct passed *from, struct passed *all, size_t n)
{
	unsigned char blob[SHK_KEEPER_BLOB_MAX];
	struct passed *with = NULL;
	struct head h;
	int r;

	if (pread(from->fd, &h, sizeof(h), 0) != sizeof(h) || h.magic != MAGIC ||
	    h.key != from->key || h.len > sizeof(blob) ||
	    pread(from->fd, blob, h.len, sizeof(h)) != (ssize_t)h.len)
		return -EBADMSG;
	for (size_t i = 0; h.has_fd && i < n && !with; i++)
		if (all[i].is == PASSED_FD && all[i].key == h.key && all[i].fd >= 0)
			with = &all[i];
	if (h.has_fd && !with)
		return -EBADF;
	r = shk_store_put(s, h.key, with ? with->fd : -1, blob, h.len);
	if (r == 0 && with)
		with->fd = -1;
	return r;
}

size_t shk_fdstore_take(struct shk_store *s, int *ret_journal)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	const char *name = getenv("LISTEN_FDNAMES");
	_cleanup_free_ struct passed *all = NULL;
	size_t n = count ? strtoul(count, NULL, 10) : 0;

	*ret_journal = -1;
	if (!pid || !name || strtol(pid, NULL, 10) != getpid() || n > 4 * SHK_KEEPER_STORE_MAX)
		return 0;
	all = calloc(n + 1, sizeof(*all));
	if (!all)
		return 0;
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(name, ":");

		all[i] = passed_of(name, len, LISTEN_FIRST + (int)i);
		name += len + (name[len] == ':');
	}
	for (size_t i = 0; i < n; i++) {
		int r = all[i].is == PASSED_BLOB ? take_entry(s, &all[i], all, n) : 0;

		if (r < 0)
			shk_warning("entry %016llx of the descriptor store dropped: %s",
				    (unsigned long long)all[i].key, strerror(-r));
		if (all[i].is == PASSED_JOURNAL && *ret_journal < 0)
			*ret_journal = TAKE_FD(all[i].fd);
	}
	/* What is left are copies of blobs, and halves whose other half never arrived. */
	for (size_t i = 0; i < n; i++) {
		if (all[i].is >= PASSED_FD && !shk_store_find(s, all[i].key))
			shk_fdstore_del(all[i].key);
		shk_close(&all[i].fd);
	}
	return s->n;
}
