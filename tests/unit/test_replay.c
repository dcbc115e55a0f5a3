// SPDX-License-Identifier: Apache-2.0
/*
 * test_replay.c - state and events from text: every field answers from what is recorded, and from nothing else.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sources/replay/replay.h"

#define HEAD "shrike-events 1\n"

static struct shk_replay *replay;
static struct shk_eval_ctx ctx;

static void open_text(const char *text)
{
	struct shk_err err = { 0 };

	if (shk_replay_open_text("t", shk_str(text), &replay, &err) < 0)
		fail_msg("%s", err.text);
}

static void next_event(void)
{
	struct shk_err err = { 0 };
	int r = shk_replay_next(replay, &ctx, &err);

	if (r != 1)
		fail_msg("no event: %d %s", r, err.text);
}

static void done(void)
{
	struct shk_err err = { 0 };

	assert_int_equal(shk_replay_next(replay, &ctx, &err), 0);
	shk_replay_free(TAKE_PTR(replay));
}

/* The value of a field as text; "<null>" when it is missing. */
static const char *value(const char *field)
{
	static struct shk_buf b;
	struct shk_field_ref ref = { 0 };
	struct shk_err err = { 0 };
	struct shk_value v;

	shk_buf_done(&b);
	shk_buf_init(&b, 1u << 20);
	if (shk_field_parse(shk_str(field), &ref, &err) < 0)
		fail_msg("%s: %s", field, err.text);
	if (!shk_field_get(&ctx, &ref, &v))
		return "<null>";
	shk_value_print(&v, ref.field, &b);
	return b.p ? b.p : "";
}

static void is(const char *field, const char *want)
{
	const char *got = value(field);

	if (strcmp(got, want) != 0)
		fail_msg("%s is '%s', not '%s'", field, got, want);
}

static void refused(const char *text, const char *part)
{
	struct shk_err err = { 0 };
	int r;

	open_text(text);
	while ((r = shk_replay_next(replay, &ctx, &err)) > 0)
		;
	if (r != -EBADMSG || !strstr(err.text, part))
		fail_msg("%d: \"%s\" has no \"%s\"", r, err.text, part);
	/* Nothing comes after an error. */
	assert_int_equal(shk_replay_next(replay, &ctx, &err), 0);
	shk_replay_free(TAKE_PTR(replay));
}

static void a_process(void **state)
{
	(void)state;
	open_text(HEAD
		"container 0123456789abcdef name=web1 image=nginx:1.25 image_repo=nginx image_tag=1.25 "
		"privileged=true start=1699999990 engine=podman policy=strict label.app=shop "
		"annotation.note=\"two words\" mounts=[\"/srv\", \"/data\", \"bind\", \"ro,rbind\"]\n"
		"user 33 name=www-data home=/var/www shell=/bin/false container=0123456789abcdef\n"
		"user 33 name=other\n"
		"group 34 name=web\n"
		"process 2 name=systemd args=[\"/sbin/init\", \"splash\"] exepath=/usr/lib/systemd/systemd\n"
		"process 10 ppid=2 name=shim args=[\"shim\"] sid=2\n"
		"process 4711 ppid=10 container=0123456789abcdef vpid=7 name=nginx args=[\"nginx\", \"-g\", \"daemon off;\"] "
		"env=[\"A=1\", \"B=x=y\"] exepath=/usr/sbin/nginx exe_ino=99 exe_dev=0x801 exe_upper=true cwd=/var tty=34816 "
		"uid=33 gid=34 loginuid=-1 caps=0x3 caps_permitted=0 sid=10 pgid=4711 start=1699999999.5 exec_session=true "
		"exe_mtime=1600000000 memfd=false exe_writable=true threads=3 vpgid=7 vsid=1\n"
		"event 1700000000.5 tid=4711 getpid()\n");
	next_event();
	is("evt.num", "1");
	is("evt.sensor", "replay");
	is("proc.name", "nginx");
	is("proc.exe", "nginx");
	is("proc.args", "-g daemon off;");
	is("proc.cmdline", "nginx -g daemon off;");
	is("proc.env", "A=1 B=x=y");
	is("proc.env[B]", "x=y");
	is("proc.exepath", "/usr/sbin/nginx");
	is("proc.exe_ino", "99");
	is("proc.exe_ino.mtime", "1600000000000000000");
	is("proc.exe_ino.ctime", "<null>");
	is("proc.is_exe_upper_layer", "true");
	is("proc.is_exe_writable", "true");
	is("proc.is_exe_from_memfd", "false");
	is("proc.cwd", "/var/");
	is("proc.tty", "34816");
	is("proc.pid", "4711");
	is("proc.vpid", "7");
	is("proc.ppid", "10");
	is("proc.pname", "shim");
	is("proc.pexepath", "<null>");
	is("proc.aname[2]", "systemd");
	is("proc.aname", "shim->systemd");
	is("proc.aexepath[2]", "/usr/lib/systemd/systemd");
	is("proc.aname[3]", "<null>");
	is("proc.sname", "shim");
	is("proc.pgid.name", "nginx");
	is("proc.vpgid", "7");
	is("proc.sid", "1");
	is("proc.nthreads", "3");
	is("proc.duration", "1000000000");
	is("proc.pid.ts", "1699999999500000000");
	is("proc.is_exec_session", "true");
	is("thread.cap_effective", "CAP_CHOWN CAP_DAC_OVERRIDE");
	is("thread.cap_permitted", "");
	is("thread.cap_inheritable", "<null>");
	is("user.uid", "33");
	is("user.name", "www-data");
	is("user.homedir", "/var/www");
	is("user.shell", "/bin/false");
	is("user.loginuid", "-1");
	is("user.loginname", "<NA>");
	is("group.gid", "34");
	is("group.name", "web");
	is("container.id", "0123456789ab");
	is("container.full_id", "0123456789abcdef");
	is("container.name", "web1");
	is("container.image.repository", "nginx");
	is("container.image.tag", "1.25");
	is("container.image.digest", "<null>");
	is("container.type", "podman");
	is("container.privileged", "true");
	is("container.policy", "strict");
	is("container.duration", "10500000000");
	is("container.annotation[note]", "two words");
	is("container.mounts", "/srv:/data::false:private");
	is("container.label[app]", "shop");
	done();
}

/* This process exists, and is not looked at. */
static void nothing_is_asked_of_this_machine(void **state)
{
	static const char *const fields[] = {
		"proc.name", "proc.exe", "proc.args", "proc.cmdline", "proc.env", "proc.exepath", "proc.cwd",
		"proc.tty", "proc.pid", "proc.vpid", "proc.ppid", "proc.pname", "proc.aname", "proc.sname",
		"proc.pgid.name", "proc.duration", "proc.exe_ino", "proc.is_exe_writable", "proc.is_exec_session",
		"proc.stdin.type", "proc.stdin.name", "thread.cap_effective", "user.uid", "user.name",
		"user.loginuid", "group.gid", "group.name", "fd.type", "proc.nthreads",
	};
	char text[256], tid[16];

	(void)state;
	snprintf(tid, sizeof(tid), "%d", (int)getpid());
	/* Without a record, with an empty one, in a container and outside. */
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), HEAD "%s%d\nevent 1 tid=%d%s read(fd=0, size=1) = 1\n",
			 i == 1 ? "process " : "# ", (int)getpid(), (int)getpid(), i == 2 ? " container=c" : "");
		open_text(text);
		next_event();
		for (size_t k = 0; k < SHK_ARRAY_SIZE(fields); k++) {
			if (i == 1 && (!strcmp(fields[k], "proc.pid") ||
				       !strcmp(fields[k], "proc.is_exec_session")))
				continue;
			is(fields[k], "<null>");
		}
		is("proc.pid", i == 1 ? tid : "<null>");
		is("container.id", i == 2 ? "c" : "host");
		is("container.type", i == 2 ? "<null>" : "host");
		is("fd.num", "0");
		is("fd.name", "");
		done();
	}
	/* Paths stay as given, and an execve to come is what its arguments say. */
	snprintf(text, sizeof(text), HEAD "process %d name=x\n"
		 "event 1 tid=%d execve(filename=\"bin/sh\", argv=[\"sh\", \"-c\"]) ~ 0\n"
		 "event 1 tid=%d openat(dirfd=3, name=\"a\")\n", (int)getpid(), (int)getpid(), (int)getpid());
	open_text(text);
	next_event();
	is("proc.name", "sh");
	is("proc.args", "-c");
	is("proc.exepath", "<null>");
	is("proc.exe_ino", "<null>");
	next_event();
	is("fd.name", "a");
	is("evt.arg.dirfd", "3");
	done();
}

/* A program is known by the call that starts it. */
static void a_program_of_an_unknown_task(void **state)
{
	(void)state;
	open_text(HEAD
		"event 1 tid=9 container=c execve(filename=\"/bin/sh\", argv=[\"sh\", \"-c\"]) ~ 0\n"
		"event 1 tid=9 container=c getpid()\n"
		"event 1 tid=9 container=c execve(filename=\"/bin/sh\", argv=[\"sh\"]) = -ENOENT\n"
		"event 1 tid=9 container=c execve(filename=\"/bin/sh\", argv=[\"sh\", \"-x\"]) = 0\n"
		"event 1 tid=9 getpid()\n");
	next_event();
	is("proc.name", "sh");
	is("proc.cmdline", "sh -c");
	is("proc.exepath", "/bin/sh");
	is("proc.pname", "<null>");
	is("proc.pid", "<null>");
	is("user.uid", "<null>");
	next_event();
	is("proc.name", "<null>");
	next_event();
	is("proc.name", "<null>");
	next_event();
	is("proc.cmdline", "sh -x");
	next_event();
	is("proc.cmdline", "sh -x");
	is("container.id", "c");
	done();
}

static void paths(void **state)
{
	(void)state;
	open_text(HEAD
		"process 5 cwd=/srv/www\n"
		"fd 5 3 type=directory path=/opt dev=0x801 ino=7\n"
		"event 1 tid=5 open(name=\"../x\", flags=O_RDONLY) ~ 4\n"
		"event 1 tid=5 openat(dirfd=3, name=\"y\", flags=O_RDONLY) = -ENOENT\n"
		"event 1 tid=5 openat(dirfd=4, name=\"y\", flags=O_RDONLY) = -EBADF\n"
		"event 1 tid=5 openat(dirfd=AT_FDCWD, name=\"z\", flags=O_RDWR|O_CREAT, mode=0755) = 4\n"
		"event 1 tid=5 dev=0x802 ino=8 openat(dirfd=AT_FDCWD, name=\"z2\", flags=O_RDWR) = 5\n"
		"event 1 tid=5 fchdir(fd=3) = 0\n"
		"event 1 tid=5 open(name=\"w\", flags=O_RDONLY) ~ 4\n"
		"event 1 tid=5 chroot(path=\"/jail\") = 0\n"
		"event 1 tid=5 open(name=\"/w\", flags=O_RDONLY) ~ 4\n"
		"event 1 tid=5 chdir(path=\"/nowhere\") = -ENOENT\n"
		"event 1 tid=5 chdir(path=\"/sub\") ~ 0\n"
		"event 1 tid=5 chdir(path=\"/sub\")\n"
		"event 1 tid=5 getpid()\n");
	next_event();
	is("fd.name", "/srv/x");
	is("fd.nameraw", "../x");
	next_event();
	is("fd.name", "/opt/y");
	next_event();
	is("fd.name", "y");
	next_event();
	is("fd.name", "/srv/www/z");
	is("evt.arg.fd", "<f>/srv/www/z");
	is("fd.ino", "<null>");
	next_event();
	is("fd.ino", "8");
	is("fd.dev.major", "8");
	is("fd.dev.minor", "2");
	next_event();
	is("fd.name", "/opt");
	is("fd.type", "directory");
	is("fd.ino", "7");
	next_event();
	is("fd.name", "/opt/w");
	next_event();
	next_event();
	is("fd.name", "/jail/w");
	next_event();
	next_event();
	next_event();
	next_event();
	is("proc.cwd", "/opt/");
	done();
}

static void descriptors(void **state)
{
	(void)state;
	open_text(HEAD
		"process 5 name=a\n"
		"fd 5 0 type=4 local=10.0.0.1:4000 remote=10.0.0.2:80 proto=tcp\n"
		"fd 5 1 type=unix path=/run/x.sock listening=true\n"
		"fd 5 2 type=ipv6 local=\"[::1]:53\" proto=udp\n"
		"event 1 tid=5 read(fd=0, size=1) = 0\n"
		"event 1 tid=5 read(fd=1, size=1) = 0\n"
		"event 1 tid=5 read(fd=2, size=1) = 0\n"
		"event 1 tid=5 socket(domain=AF_INET, type=SOCK_STREAM|SOCK_CLOEXEC) = 3\n"
		"event 1 tid=5 connect(fd=3, addr=inet\"1.2.3.4:443\") = -EINPROGRESS\n"
		"event 1 tid=5 dup2(oldfd=3, newfd=9) = 9\n"
		"event 1 tid=5 write(fd=9, size=1) = 1\n"
		"event 1 tid=5 close(fd=9) = 0\n"
		"event 1 tid=5 write(fd=9, size=1) = 1\n"
		"event 1 tid=5 execve(filename=\"/bin/b\", argv=[\"b\"]) = 0\n"
		"event 1 tid=5 write(fd=3, size=1) = 1\n"
		"event 1 tid=5 close_range(first=1, last=-1) = 0\n"
		"event 1 tid=5 write(fd=2, size=1) = 1\n"
		"event 1 tid=5 write(fd=0, size=1) = 1\n");
	next_event();
	is("fd.name", "10.0.0.1:4000->10.0.0.2:80");
	is("fd.type", "ipv4");
	is("fd.sip", "10.0.0.2");
	is("fd.sport", "80");
	is("fd.cport", "4000");
	is("fd.l4proto", "tcp");
	is("fd.connected", "true");
	is("proc.stdin.type", "ipv4");
	next_event();
	is("fd.name", "/run/x.sock");
	is("fd.type", "unix");
	is("fd.sockfamily", "unix");
	next_event();
	is("fd.name", "::1:53");
	is("fd.l4proto", "udp");
	next_event();
	is("fd.type", "ipv4");
	is("fd.num", "3");
	next_event();
	is("fd.sip", "1.2.3.4");
	next_event();
	is("evt.arg.oldfd", "<4>0.0.0.0:0->1.2.3.4:443");
	next_event();
	is("fd.sip", "1.2.3.4");
	is("fd.sport", "443");
	next_event();
	is("fd.type", "ipv4");
	next_event();
	is("fd.type", "<null>");
	next_event();
	next_event();
	is("proc.name", "b");
	is("fd.type", "<null>"); /* closed on exec */
	next_event();
	next_event();
	is("fd.type", "<null>");
	next_event();
	is("fd.type", "ipv4");
	done();
}

static void tasks(void **state)
{
	(void)state;
	open_text(HEAD
		"process 1 name=init\n"
		"process 5 ppid=1 name=sh args=[\"sh\"] uid=0 caps=0xff caps_permitted=0xff cwd=/\n"
		"fd 5 0 path=/dev/null\n"
		"event 1700000001 tid=5 fork() = 6\n"
		"event 1700000002 tid=6 close(fd=0) = 0\n"
		"event 1700000003 tid=6 execve(filename=\"/bin/ls\", argv=[\"ls\", \"-l\"], envp=[\"X=1\"]) = 0\n"
		"event 1700000004 tid=6 setuid(uid=1000) = 0\n"
		"event 1700000005 tid=6 getpid()\n"
		"event 1700000006 tid=5 read(fd=0, size=1)\n"
		"event 1700000007 tid=5 clone(flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD) = 7\n"
		"event 1700000008 tid=7 open(name=\"/etc/x\", flags=O_RDONLY) = 3\n"
		"event 1700000009 tid=5 read(fd=3, size=1)\n"
		"event 1700000010 tid=7 chdir(path=\"/tmp\") = 0\n"
		"event 1700000011 tid=5 getpid()\n"
		"event 1700000012 tid=7 execve(filename=\"/bin/top\", argv=[\"top\"]) = 0\n"
		"event 1700000013 tid=5 getpid()\n"
		"event 1700000014 tid=7 getpid()\n"
		"event 1700000015 tid=6 setsid() = 6\n"
		"event 1700000016 tid=5 exit_group(status=0)\n"
		"event 1700000017 tid=6 getpid()\n"
		"event 1700000018 tid=6 execve(filename=\"/bin/no\", argv=[\"no\"]) = -ENOENT\n"
		"event 1700000019 tid=6 execve(filename=\"/bin/no\", argv=[\"no\"]) ~ 0\n"
		"event 1700000020 tid=6 getpid()\n");
	next_event();
	is("proc.name", "sh");
	next_event();
	is("proc.name", "sh");
	is("proc.ppid", "5");
	is("proc.pname", "sh");
	is("proc.aname[2]", "init");
	is("fd.name", "/dev/null");
	is("proc.duration", "1000000000");
	next_event();
	is("proc.name", "ls");
	next_event();
	is("proc.name", "ls");
	is("proc.args", "-l");
	is("proc.env", "X=1");
	is("proc.exepath", "/bin/ls");
	is("user.uid", "0");
	next_event();
	is("user.uid", "1000");
	is("thread.cap_effective", "");
	is("thread.cap_permitted", "");
	next_event();
	is("fd.name", "/dev/null"); /* the child's close was its own */
	is("user.name", "root");
	next_event();
	next_event();
	is("proc.pid", "5");
	is("proc.ppid", "1");
	next_event();
	is("fd.name", "/etc/x"); /* threads share */
	next_event();
	next_event();
	is("proc.cwd", "/tmp/");
	next_event();
	next_event();
	is("proc.name", "top");
	is("proc.pid", "5");
	next_event();
	is("proc.name", "<null>"); /* that thread became the leader */
	next_event();
	next_event();
	next_event();
	is("proc.ppid", "1");
	is("proc.pname", "init");
	is("proc.sname", "ls");
	is("proc.tty", "0");
	next_event();
	is("proc.name", "ls");
	next_event();
	is("proc.name", "no");
	next_event();
	is("proc.name", "ls");
	done();
}

/* Numbers that calls return are the container's there. */
static void another_pid_namespace(void **state)
{
	(void)state;
	open_text(HEAD
		"container c\n"
		"process 500 container=c vpid=1 vtid=1 name=sh\n"
		"event 1 tid=500 fork() = 7\n"
		"event 1 tid=7 getpid()\n"
		"process 501 ppid=500 container=c vpid=7 name=sh\n"
		"event 1 tid=501 kill(pid=1, sig=9) ~ 0\n");
	next_event();
	is("container.id", "c");
	next_event();
	is("proc.name", "<null>");
	is("container.id", "host");
	next_event();
	is("proc.pname", "sh");
	is("container.id", "c");
	done();
}

static void later_records_replace(void **state)
{
	(void)state;
	open_text(HEAD
		"container c name=one\n"
		"process 5 container=c name=a uid=1\n"
		"user 1 name=x container=c\n"
		"fd 5 3 path=/f\n"
		"container c name=two\n"
		"process 5 container=c name=b uid=1\n"
		"event 1 num=40 tid=5 read(fd=3, size=1)\n"
		"event 1 tid=5 read(fd=3, size=1)\n");
	next_event();
	is("container.name", "two");
	is("proc.name", "b");
	is("user.name", "x");
	is("fd.name", "/f");
	is("evt.num", "40");
	next_event();
	is("evt.num", "41");
	done();
}

/* What recordings have beside it: programs to come, numbers that change, the end of things, what names lead to. */
static void records_of_recordings(void **state)
{
	(void)state;
	open_text(HEAD
		"machine \"a host\"\n"
		"process 5 name=sh vpid=1\n"
		"usage 5 vm_size=10 vm_rss=5 vm_swap=0 fds=3 fd_limit=-1 cgroups=\"0::/x\"\n"
		"fd 5 3 path=/a\n"
		"program 5 name=real exepath=/usr/bin/real exe_ino=7 exe_upper=true memfd=false\n"
		"event 1 tid=5 execve(filename=\"/bin/link\", argv=[\"link\"]) ~ 0\n"
		"event 1 tid=5 execve(filename=\"/bin/link\", argv=[\"link\"]) ~ 0\n"
		"program 5 exepath=/usr/bin/real exe_ino=7\n"
		"event 1 tid=5 execve(filename=\"/bin/link\", argv=[\"link\"]) = 0\n"
		"event 1 tid=5 object1=\"/b\" openat(dirfd=AT_FDCWD, name=\"/link\") ~ 0\n"
		"fd 5 3 closed=true\n"
		"event 1 tid=5 read(fd=3, size=1)\n"
		"process 5 gone=true\n"
		"event 1 tid=5 read(fd=3, size=1)\n");
	next_event();
	is("evt.hostname", "a host");
	is("proc.name", "real");
	is("proc.exepath", "/usr/bin/real");
	is("proc.exe_ino", "7");
	is("proc.is_exe_upper_layer", "true");
	is("proc.is_exe_from_memfd", "false");
	next_event(); /* it was about one call */
	is("proc.name", "link");
	is("proc.exepath", "/bin/link");
	is("proc.is_exe_upper_layer", "false");
	next_event();
	is("proc.exepath", "/usr/bin/real");
	next_event();
	is("proc.exepath", "/usr/bin/real");
	is("proc.exe_ino", "7");
	is("fd.name", "/link");
	assert_true(ctx.ev->object && shk_str_eqz(ctx.ev->object[1], "/b"));
	next_event();
	is("fd.type", "<null>");
	is("proc.vmrss", "5");
	next_event();
	is("proc.name", "<null>");
	done();
}

static void bad_lines(void **state)
{
	(void)state;
	refused("", "line 1");
	refused("process 1\n", "line 1");
	refused(HEAD "process 1 uid=x\n", "t: line 2: column 15: uid must be a number");
	refused(HEAD "process 1 pid=5000000000\n", "pid must be smaller");
	refused(HEAD "process 0\n", "from 1 to");
	refused(HEAD "process 1 args=x\n", "column 16");
	refused(HEAD "process 1 start=soon\n", "a time");
	refused(HEAD "process 1 memfd=perhaps\n", "true or false");
	refused(HEAD "process 1 nmae=x\n", "no member nmae");
	refused(HEAD "fd 1 2 path=/x\n", "there is no process 1");
	refused(HEAD "usage 1 fds=2\n", "there is no process 1");
	refused(HEAD "program 1 name=x\n", "there is no process 1");
	refused(HEAD "process 1\nusage 1 fds=x\n", "fds must be a number");
	refused(HEAD "process 1\nfd 1 2 type=thing\n", "a word of fd.type");
	refused(HEAD "process 1\nfd 1 2 type=ipv4 local=1.2.3:80\n", "an address and a port");
	refused(HEAD "process 1\nfd 1 2 type=ipv4 proto=gre\n", "tcp, udp, icmp, raw");
	refused(HEAD "user 5000000000 name=x\n", "32 bits");
	refused(HEAD "container c mounts=[\"a\", \"b\"]\n", "four texts");
	refused(HEAD "event 1 tid=1 getpid()\n\nevent 1 tid=1 getpid(\n", "line 4");
}

/* A file is read in pieces: lines that reach over their ends are whole all the same. */
static void a_long_file(void **state)
{
	char path[] = "/tmp/test_replay.XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	struct shk_err err = { 0 };
	unsigned n = 0;

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 300000; i++)
		fputs("# before the version line\n", f);
	fputs(HEAD "process 5 name=a\n", f);
	for (int i = 0; i < 5000; i++)
		fprintf(f, "event %d tid=5 openat(dirfd=AT_FDCWD, name=\"/%0*d\") ~ 3\n", i, i % 3000, i);
	fputs("event 7 tid=5 getpid()", f);
	fclose(f);
	assert_int_equal(shk_replay_open(path, &replay, &err), 0);
	while (shk_replay_next(replay, &ctx, &err) == 1) {
		assert_string_equal(value("proc.name"), "a");
		assert_int_equal(ctx.ev->num, ++n);
	}
	assert_string_equal(err.text, "");
	assert_int_equal(n, 5001);
	assert_int_equal(shk_replay_done(replay), shk_replay_size(replay));
	shk_replay_free(TAKE_PTR(replay));
	unlink(path);
	assert_int_equal(shk_replay_open(path, &replay, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process),
		cmocka_unit_test(nothing_is_asked_of_this_machine),
		cmocka_unit_test(a_program_of_an_unknown_task),
		cmocka_unit_test(paths),
		cmocka_unit_test(descriptors),
		cmocka_unit_test(tasks),
		cmocka_unit_test(another_pid_namespace),
		cmocka_unit_test(later_records_replace),
		cmocka_unit_test(records_of_recordings),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(a_long_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
