// SPDX-License-Identifier: Apache-2.0
/*
 * bare - prints the tasks of a container that have no seccomp filter, one a line, by the kernel's word. The container
 * is what shares the pid namespace or the cgroup of the process given, as far as this program does not share it.
 *
 * In a storm of forks each may have ended before it is looked at, though there always is one: so "nobody" is said after many looks.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOKS 30

static ino_t pidns(const char *pid)
{
	char path[600];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/pid", pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static size_t text(const char *pid, const char *name, char *buf, size_t room)
{
	char path[600];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	f = fopen(path, "re");
	n = f ? fread(buf, 1, room - 1, f) : 0;
	buf[n] = 0;
	if (f)
		fclose(f);
	return n;
}

/* The init's line of the unified hierarchy, or of a controller that every container has; "" when it tells nothing. */
static void own_line(const char *init, char out[1024])
{
	static const char *const which[] = { "\n0::/", ":freezer:/", ":pids:/" };
	char its[8192], mine[8192], *p, *end;

	its[0] = '\n';
	text(init, "cgroup", its + 1, sizeof(its) - 1);
	text("self", "cgroup", mine, sizeof(mine));
	*out = 0;
	for (int i = 0; i < 3 && !*out; i++) {
		p = strstr(its, which[i]);
		if (!p)
			continue;
		p += *p == '\n';
		end = p + strcspn(p, "\n");
		snprintf(out, 1024, "%.*s\n", (int)(end - p), p);
		if (strstr(mine, out) || out[strlen(out) - 3] == ':')
			*out = 0;
	}
}

static unsigned look(const char *pid)
{
	unsigned found = 0;
	char path[600], buf[8192], *p;
	struct dirent *de;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	d = opendir(path);
	while (d && (de = readdir(d))) {
		snprintf(path, sizeof(path), "%s/task/%s", pid, de->d_name);
		if (!isdigit((unsigned char)de->d_name[0]) || !text(path, "status", buf, sizeof(buf)))
			continue;
		p = strstr(buf, "\nState:\t");
		if (!p || strchr("ZX", p[8]))
			continue;
		p = strstr(buf, "\nSeccomp:\t");
		if (p && p[10] == '0') {
			printf("%s\n", de->d_name);
			found++;
		}
	}
	if (d)
		closedir(d);
	return found;
}

static unsigned look_at_all(DIR *d, ino_t ns, const char *line)
{
	unsigned found = 0;
	struct dirent *de;
	char buf[8192];

	rewinddir(d);
	while ((de = readdir(d)))
		if (isdigit((unsigned char)de->d_name[0]) &&
		    ((ns && pidns(de->d_name) == ns) ||
		     (*line && text(de->d_name, "cgroup", buf, sizeof(buf)) && strstr(buf, line))))
			found += look(de->d_name);
	return found;
}

int main(int argc, char **argv)
{
	char line[1024];
	ino_t ns;
	DIR *d = opendir("/proc");

	if (argc != 2 || !d || !(ns = pidns(argv[1])))
		return 2;
	own_line(argv[1], line);
	if (ns == pidns("self"))
		ns = 0;
	for (unsigned i = 0; i < LOOKS && !look_at_all(d, ns, line); i++)
		;
	closedir(d);
	return 0;
}
