// SPDX-License-Identifier: Apache-2.0
/* Whose rights a case runs with. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

/* A user with single capabilities. */
static void user_with(uint64_t caps)
{
	prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
	web();
	set_caps(caps);
}
static void web_chown(void) { user_with(1u << CAP_CHOWN); }
static void web_fowner(void) { user_with(1u << CAP_FOWNER); }
static void web_override(void) { user_with(1u << CAP_DAC_OVERRIDE); }
static void web_mknod(void) { user_with(1u << CAP_MKNOD | 1u << CAP_FSETID); }
static void web_reader(void) { user_with(1u << CAP_DAC_READ_SEARCH | 1u << CAP_NET_BIND_SERVICE); }

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		broken(path);
	close(fd);
}
/* All capabilities, of a user namespace with the same ids, but for root, whom it does not know. Somebody outside has
 * to say so. */
static void other_users(void)
{
	int ready[2], st;
	char path[64], go = 0;
	pid_t pid;

	if (pipe(ready) < 0)
		broken("pipe");
	pid = fork();
	if (pid < 0)
		broken("fork");
	if (pid == 0) {
		close(ready[1]);
		if (read(ready[0], &go, 1) != 1)
			_exit(0);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)getppid());
		write_file(path, "1 1 65535\n");
		snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)getppid());
		write_file(path, "1 1 65535\n");
		_exit(0);
	}
	/* Where nobody may, it is another case of root. */
	if (unshare(CLONE_NEWUSER) == 0 && write(ready[1], &go, 1) != 1)
		broken("pipe");
	close(ready[1]);
	close(ready[0]);
	if (waitpid(pid, &st, 0) < 0 || st)
		broken("uid_map");
}

static const struct {
	const char *name;
	void (*take)(void);
} creds[] = {
	{ "root", root },	   { "root-no-caps", no_caps },	 { "root-reader", reader },
	{ "root-owner", owner },   { "web", web },		 { "web+group", web_in_group },
	{ "fsuid-web", fs_user },  { "euid-web", effective_user }, { "root+group-no-caps", root_of_group },
	/* Of these calls that open know nothing: */
	{ "web+chown", web_chown }, { "web+fowner", web_fowner }, { "web+override", web_override },
	{ "web+mknod", web_mknod }, { "web+reader", web_reader }, { "user-ns", other_users },
};

const unsigned n_creds = 9, n_all_creds = ARRAY_SIZE(creds);
const char *cred_name(unsigned cred) { return creds[cred].name; }
void cred_take(unsigned cred) { creds[cred].take(); }
