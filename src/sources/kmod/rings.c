// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sources/kmod/kmod_impl.h"

static int map_ring(struct shk_kmod *k, unsigned n, struct shk_kring *r, struct shk_err *err)
{
	void *page, *data;

	page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED, k->device,
		    (off_t)SHRIKE_MMAP_HEAD(n));
	/* Numbers of processors that cannot be have no ring. */
	if (page == MAP_FAILED && errno == EINVAL)
		return 0;
	if (page == MAP_FAILED)
		return shk_err_sys(err, errno, "cannot map ring %u of the kernel module", n);
	r->page = page;
	if (r->page->abi != SHRIKE_ABI || r->page->size != k->facts.ring_size)
		return shk_err_set(err, EPROTO, "ring %u of the kernel module is not what its version says", n);
	data = mmap(NULL, k->facts.ring_size, PROT_READ, MAP_SHARED, k->device, (off_t)SHRIKE_MMAP_DATA(n));
	if (data == MAP_FAILED)
		return shk_err_sys(err, errno, "cannot map ring %u of the kernel module", n);
	r->data = data;
	r->size = k->facts.ring_size;
	/* Where the last reader stopped. */
	r->tail = r->page->tail;
	/* Nobody has read yet: the first record is number 0. */
	r->started = r->tail == 0;
	return 0;
}

int shk_kmod_open_rings(struct shk_kmod *k, struct shk_err *err)
{
	int e;

	k->device = open("/dev/" SHRIKE_DEVICE, O_RDWR | O_CLOEXEC);
	if (k->device < 0)
		return shk_err_sys(err, errno, "cannot open /dev/%s%s", SHRIKE_DEVICE,
				   errno == EBUSY ? ", somebody else reads it" : "");
	k->merge.ring = calloc(k->facts.rings, sizeof(*k->merge.ring));
	if (!k->merge.ring)
		return shk_err_set(err, ENOMEM, "no memory for the rings of the kernel module");
	k->merge.n = k->facts.rings;
	for (unsigned i = 0; i < k->merge.n; i++) {
		e = map_ring(k, i, &k->merge.ring[i], err);
		if (e)
			return e;
	}
	return 0;
}

void shk_kmod_unmap(struct shk_kmod *k)
{
	for (unsigned i = 0; i < k->merge.n; i++) {
		struct shk_kring *r = &k->merge.ring[i];

		if (r->data)
			munmap((void *)(uintptr_t)r->data, r->size);
		if (r->page)
			munmap(r->page, (size_t)sysconf(_SC_PAGESIZE));
	}
	free(k->merge.ring);
	if (k->device >= 0)
		close(k->device);
}

int shk_kmod_rings_fd(const struct shk_kmod *k)
{
	return k->device;
}

void shk_kmod_wait(struct shk_kmod *k, bool every)
{
	for (unsigned i = 0; i < k->merge.n; i++)
		if (k->merge.ring[i].page)
			__atomic_store_n(&k->merge.ring[i].page->waiting, every, __ATOMIC_SEQ_CST);
}

struct shk_merge *shk_kmod_merge(struct shk_kmod *k)
{
	return &k->merge;
}
