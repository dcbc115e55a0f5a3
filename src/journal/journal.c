// SPDX-License-Identifier: Apache-2.0
#include "journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "journal/layout.h"

#define SIZE  sizeof(struct shk_journal_file)
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static int map(int fd, struct shk_journal_file **ret, struct shk_err *err)
{
	void *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return shk_err_sys(err, errno, "map the journal");
	*ret = p;
	return 0;
}

static int random_bytes(void *p, size_t n)
{
	ssize_t r;

	do
		r = getrandom(p, n, 0); /* up to 256 bytes come whole */
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int shk_journal_create(struct shk_err *err)
{
	_cleanup_close_ int fd = memfd_create("shrike-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct shk_journal_file *f = NULL;
	struct shk_journal_head *h;
	int r;

	if (fd < 0)
		return shk_err_sys(err, errno, "memfd_create for the journal");
	/* All pages now: a store into a page that cannot be had later would be SIGBUS. */
	r = posix_fallocate(fd, 0, SIZE);
	if (r)
		return shk_err_sys(err, r, "%zu bytes of memory for the journal", SIZE);
	r = map(fd, &f, err);
	if (r < 0)
		return r;
	h = &f->head;
	r = random_bytes(h->boot, sizeof(h->boot));
	if (r < 0) {
		munmap(f, SIZE);
		return shk_err_sys(err, -r, "getrandom");
	}
	h->version = SHK_JOURNAL_VERSION;
	h->head_size = sizeof(struct shk_journal_head);
	h->slot_size = sizeof(struct shk_call_slot);
	h->calls = SHK_JOURNAL_CALLS;
	h->containers = SHK_JOURNAL_CONTAINERS;
	h->ring = SHK_JOURNAL_RING;
	atomic_thread_fence(memory_order_release);
	memcpy(h->magic, SHK_JOURNAL_MAGIC, sizeof(h->magic));
	munmap(f, SIZE);
	if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
		return shk_err_sys(err, errno, "seal the journal");
	return TAKE_FD(fd);
}

static int check(int fd, struct shk_err *err)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, &st) < 0)
		return shk_err_sys(err, errno, "fstat of the journal");
	/* Without the seals a shorter file would be SIGBUS under the mapping. */
	if (seals < 0 || (seals & SEALS) != SEALS)
		return shk_err_set(err, EPROTO, "not a journal: its size is not sealed");
	if ((uint64_t)st.st_size != SIZE)
		return shk_err_set(err, EPROTO,
				   "journal of another version: %lld bytes instead of %zu",
				   (long long)st.st_size, SIZE);
	return 0;
}

static int check_head(const struct shk_journal_head *h, struct shk_err *err)
{
	if (memcmp(h->magic, SHK_JOURNAL_MAGIC, sizeof(h->magic)) != 0)
		return shk_err_set(err, EPROTO, "not a journal: no magic number");
	if (h->version != SHK_JOURNAL_VERSION)
		return shk_err_set(err, EPROTO, "journal of version %u, this program has version %d",
				   h->version, SHK_JOURNAL_VERSION);
	if (h->head_size != sizeof(struct shk_journal_head) ||
	    h->slot_size != sizeof(struct shk_call_slot) || h->calls != SHK_JOURNAL_CALLS ||
	    h->containers != SHK_JOURNAL_CONTAINERS || h->ring != SHK_JOURNAL_RING)
		return shk_err_set(err, EPROTO, "journal with other sizes than this program's");
	return 0;
}

int shk_journal_open(int fd, struct shk_journal **ret, struct shk_err *err)
{
	_cleanup_free_ struct shk_journal *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return shk_err_sys(err, ENOMEM, "open the journal");
	r = check(fd, err);
	if (r >= 0)
		r = map(fd, &j->f, err);
	if (r < 0)
		return r;
	r = check_head(&j->f->head, err);
	if (r < 0) {
		munmap(j->f, SIZE);
		return r;
	}
	for (size_t i = 0; i < SHK_JOURNAL_BOOT; i++)
		snprintf(j->boot + 2 * i, 3, "%02x", j->f->head.boot[i]);
	pthread_mutex_init(&j->table, NULL);
	pthread_mutex_init(&j->ring, NULL);
	j->epoch = atomic_fetch_add(&j->f->head.epoch, 1) + 1;
	shk_journal_mend_calls(j);
	shk_journal_mend_containers(j);
	shk_journal_mend_ring(j);
	*ret = TAKE_PTR(j);
	return 0;
}

void shk_journal_close(struct shk_journal *j)
{
	if (!j)
		return;
	munmap(j->f, SIZE);
	pthread_mutex_destroy(&j->table);
	pthread_mutex_destroy(&j->ring);
	free(j);
}

const char *shk_journal_boot(const struct shk_journal *j)
{
	return j->boot;
}

uint64_t shk_journal_epoch(const struct shk_journal *j)
{
	return j->epoch;
}
