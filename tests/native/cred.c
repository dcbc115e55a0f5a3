// SPDX-License-Identifier: Apache-2.0
/* Whose rights a case runs with. */
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

static void set_caps(uint64_t caps)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { (uint32_t)caps, (uint32_t)caps, 0 },
					       { (uint32_t)(caps >> 32), (uint32_t)(caps >> 32), 0 } };

	if (syscall(SYS_capset, &h, d) < 0)
		broken("capset");
}

static void root(void) {}
static void no_caps(void) { set_caps(0); }
static void reader(void) { set_caps(1u << CAP_DAC_READ_SEARCH); }
static void owner(void) { set_caps(1u << CAP_FOWNER | 1u << CAP_DAC_OVERRIDE); }

static void user(const gid_t *groups, size_t n)
{
	if (setgroups(n, groups) < 0 || setresgid(WEB, WEB, WEB) < 0 || setresuid(WEB, WEB, WEB) < 0)
		broken("setresuid");
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static void web(void) { user(NULL, 0); }
static void web_in_group(void) { user((const gid_t[]){ GROUP }, 1); }
static void fs_user(void)
{
	setfsgid(WEB);
	setfsuid(WEB);
}
static void effective_user(void)
{
	if (setgroups(0, NULL) < 0 || setegid(WEB) < 0 || seteuid(WEB) < 0)
		broken("seteuid");
}
static void root_of_group(void)
{
	if (setgroups(1, (const gid_t[]){ GROUP }) < 0)
		broken("setgroups");
	set_caps(0);
}

static const struct {
	const char *name;
	void (*take)(void);
} creds[] = {
	{ "root", root },	   { "root-no-caps", no_caps },	 { "root-reader", reader },
	{ "root-owner", owner },   { "web", web },		 { "web+group", web_in_group },
	{ "fsuid-web", fs_user },  { "euid-web", effective_user }, { "root+group-no-caps", root_of_group },
};

const unsigned n_creds = sizeof(creds) / sizeof(creds[0]);
const char *cred_name(unsigned cred) { return creds[cred].name; }
void cred_take(unsigned cred) { creds[cred].take(); }
