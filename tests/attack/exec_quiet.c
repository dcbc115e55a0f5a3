// SPDX-License-Identifier: Apache-2.0
/*
 * exec_quiet - what a program can see of its execve calls, as lines that are the same with and without supervision.
 *
 *   exec_quiet DIR
 *   exec_quiet traced DIR	a debugger that starts a program: the one thing that supervision changes
 *
 * Errors, signals that come meanwhile, stops, wait statuses, vfork, threads, many at once, setuid programs, and that
 * no tracer is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FINE 41

static char self[512], dir[256];
static atomic_ulong caught;

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "exec_quiet: %s: %s\n", what, strerror(errno));
	exit(3);
}

static void say(const char *what, const char *value)
{
	printf("%s: %s\n", what, value);
}

static const char *in_dir(const char *leaf)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, leaf);
	return path;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) < 0 || fclose(f) || chmod(path, mode) < 0)
		broken(path);
}

static void copy_into(int out)
{
	char buf[65536];
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (in < 0 || out < 0)
		broken("copy");
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			broken("copy");
	close(in);
}

static void copy_self(const char *to, mode_t mode)
{
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	copy_into(out);
	close(out);
	if (chmod(to, mode) < 0)
		broken(to);
}

static int tracer(void)
{
	char line[256];
	int pid = -1;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		(void)sscanf(line, "TracerPid: %d", &pid);
	if (f)
		fclose(f);
	return pid;
}

/* ---- the program that is executed ---- */

static int executed(char **argv)
{
	sigset_t set;

	if (tracer() != 0)
		return 50;
	if (!strcmp(argv[2], "fine"))
		return FINE;
	if (!strcmp(argv[2], "pid"))
		return getpid() == atoi(argv[3]) && syscall(SYS_gettid) == getpid() ? FINE : 51;
	if (!strcmp(argv[2], "pending"))
		return sigpending(&set) == 0 && sigismember(&set, SIGUSR1) == 1 && sigismember(&set, SIGUSR2) == 0 ? FINE : 52;
	if (!strcmp(argv[2], "root"))
		return geteuid() == 0 && getuid() == 1000 ? FINE : 53;
	if (!strcmp(argv[2], "stop"))
		return raise(SIGSTOP) == 0 ? FINE : 54;
	return 55;
}

static void start(const char *file, const char *word, const char *arg)
{
	char *argv[] = { (char *)"exec_quiet", (char *)"-", (char *)(uintptr_t)word, (char *)(uintptr_t)arg, NULL };

	execve(file, argv, environ);
}

static _Noreturn void start_or_die(const char *file, const char *word, const char *arg)
{
	start(file, word, arg);
	_exit(60);
}

static const char *ending(pid_t pid)
{
	static char text[64];
	int st;

	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			broken("waitpid");
	if (WIFEXITED(st))
		snprintf(text, sizeof(text), "exit %d", WEXITSTATUS(st));
	else
		snprintf(text, sizeof(text), "signal %d", WTERMSIG(st));
	return text;
}

static pid_t forked(void)
{
	pid_t pid = fork();

	/* The machine may be full of others' processes for a moment. */
	for (unsigned i = 0; pid < 0 && errno == EAGAIN && i < 1000; i++) {
		usleep(10000);
		pid = fork();
	}
	if (pid < 0)
		broken("fork");
	return pid;
}

/* ---- what is looked at ---- */

static void error_of(const char *what, const char *path)
{
	char *argv[] = { (char *)"x", NULL };

	execve(path, argv, environ);
	say(what, strerrorname_np(errno));
}

static void errors(void)
{
	char longest[5000];
	int fd;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	error_of("nowhere", "/nowhere");
	error_of("empty", "");
	error_of("directory", dir);
	write_file(in_dir("plain"), "hello\n", 0644);
	error_of("not executable", in_dir("plain"));
	error_of("below a file", in_dir("plain/x"));
	write_file(in_dir("text"), "hello\n", 0755);
	error_of("no format", in_dir("text"));
	write_file(in_dir("lost"), "#!/no/such/interpreter\n", 0755);
	error_of("interpreter missing", in_dir("lost"));
	write_file(in_dir("bare"), "#!\n", 0755);
	error_of("interpreter not named", in_dir("bare"));
	(void)unlink(in_dir("loop"));
	if (symlink("loop", in_dir("loop")) < 0)
		broken("symlink");
	error_of("loop", in_dir("loop"));
	error_of("long", longest);
	longest[300] = 0;
	error_of("long name", longest);
	copy_self(in_dir("busy"), 0755);
	fd = open(in_dir("busy"), O_WRONLY | O_CLOEXEC);
	error_of("busy", in_dir("busy"));
	close(fd);
	error_of("null", NULL);
	printf("tracer after errors: %d\n", tracer());
}

static void on_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&caught, 1);
}

static atomic_bool over;

static void *storm(void *arg)
{
	pthread_t victim = *(pthread_t *)arg;

	while (!atomic_load(&over)) {
		pthread_kill(victim, SIGURG);
		usleep(50);
	}
	return NULL;
}

static void signals(void)
{
	struct itimerval every = { { 0, 300 }, { 0, 300 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	pthread_t me = pthread_self(), t;
	unsigned odd = 0, fine = 0;

	sigaction(SIGURG, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	if (pthread_create(&t, NULL, storm, &me))
		broken("pthread_create");
	setitimer(ITIMER_REAL, &every, NULL);
	for (unsigned i = 0; i < 300; i++) {
		start("/nowhere", "fine", NULL);
		if (errno != ENOENT && !odd++)
			say("odd", strerrorname_np(errno));
	}
	for (unsigned i = 0; i < 100; i++) {
		pid_t pid = forked();

		if (pid == 0)
			start_or_die(self, "fine", NULL);
		fine += !strcmp(ending(pid), "exit 41");
	}
	setitimer(ITIMER_REAL, &never, NULL);
	atomic_store(&over, true);
	pthread_join(t, NULL);
	printf("under a storm of signals: %u odd errors, %u of 100 ran, signals %s\n", odd, fine,
	       atomic_load(&caught) > 100 ? "came" : "were lost");
}

static void pending(void)
{
	pid_t pid = forked();
	sigset_t set;

	if (pid == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGUSR1);
		start_or_die(self, "pending", NULL);
	}
	say("pending", ending(pid));
}

/* One that is stopped and goes on, while it makes execve calls all the time. */
static void stops(void)
{
	unsigned stopped = 0, continued = 0;
	pid_t pid = forked();
	int st;

	if (pid == 0)
		for (;;)
			start("/nowhere", "fine", NULL);
	for (unsigned i = 0; i < 50; i++) {
		usleep(500);
		kill(pid, SIGSTOP);
		if (waitpid(pid, &st, WUNTRACED) == pid && WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP)
			stopped++;
		kill(pid, SIGCONT);
		if (waitpid(pid, &st, WCONTINUED) == pid && WIFCONTINUED(st))
			continued++;
	}
	kill(pid, SIGTERM);
	printf("stopped %u, continued %u, then %s\n", stopped, continued, ending(pid));
	pid = forked();
	if (pid == 0)
		start_or_die(self, "stop", NULL);
	if (waitpid(pid, &st, WUNTRACED) != pid || !WIFSTOPPED(st))
		say("stop itself", "not seen");
	kill(pid, SIGCONT);
	say("stop itself", ending(pid));
}

static void kills(void)
{
	unsigned odd = 0;

	for (unsigned i = 0; i < 200; i++) {
		pid_t pid = forked();
		const char *e;

		if (pid == 0)
			start_or_die(self, "fine", NULL);
		for (volatile unsigned k = 0; k < i * 1000; k++)
			;
		kill(pid, SIGKILL);
		e = ending(pid);
		odd += strcmp(e, "signal 9") != 0 && strcmp(e, "exit 41") != 0;
	}
	printf("killed meanwhile: %u odd endings\n", odd);
}

static void *thread_exec(void *arg)
{
	start_or_die(self, "pid", arg);
}

static void *thread_exec_fine(void *arg)
{
	(void)arg;
	start_or_die(self, "fine", NULL);
}

static void threads(void)
{
	pthread_t t[4];
	unsigned fine = 0;
	char num[16];
	pid_t pid;

	for (unsigned i = 0; i < 50; i++) {
		pid = forked();
		if (pid == 0) {
			snprintf(num, sizeof(num), "%d", (int)getpid());
			pthread_create(&t[0], NULL, thread_exec, num);
			pthread_join(t[0], NULL);
			_exit(61);
		}
		fine += !strcmp(ending(pid), "exit 41");
	}
	printf("by a thread: %u of 50\n", fine);
	/* Several at once: one wins. */
	fine = 0;
	for (unsigned i = 0; i < 50; i++) {
		pid = forked();
		if (pid == 0) {
			for (unsigned k = 0; k < 4; k++)
				pthread_create(&t[k], NULL, thread_exec_fine, NULL);
			start_or_die(self, "fine", NULL);
		}
		fine += !strcmp(ending(pid), "exit 41");
	}
	printf("by five threads: %u of 50\n", fine);
}

static void many(unsigned n)
{
	pid_t *pid = calloc(n, sizeof(*pid));
	unsigned fine = 0;
	int go[2];

	if (!pid || pipe(go) < 0)
		broken("pipe");
	for (unsigned i = 0; i < n; i++) {
		pid[i] = forked();
		if (pid[i] == 0) {
			char c;

			close(go[1]);
			while (read(go[0], &c, 1) > 0)
				;
			start_or_die(self, "fine", NULL);
		}
	}
	close(go[0]);
	close(go[1]);
	for (unsigned i = 0; i < n; i++)
		fine += !strcmp(ending(pid[i]), "exit 41");
	printf("at once: %u of %u\n", fine, n);
	free(pid);
}

/* Files that no path leads to, or another one. */
static void descriptors(void)
{
	char *argv[] = { (char *)"exec_quiet", (char *)"-", (char *)"fine", NULL }, script[800];
	int fd = memfd_create("program", 0);
	pid_t pid;

	copy_into(fd);
	pid = forked();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(errno);
	}
	say("memfd", ending(pid));
	close(fd);
	copy_self(in_dir("gone"), 0755);
	fd = open(in_dir("gone"), O_PATH | O_CLOEXEC);
	(void)unlink(in_dir("gone"));
	pid = forked();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(errno);
	}
	say("removed", ending(pid));
	close(fd);
	snprintf(script, sizeof(script), "#!%s -\n", self);
	write_file(in_dir("by-number"), script, 0755);
	fd = open(in_dir("by-number"), O_RDONLY);
	pid = forked();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
		_exit(errno);
	}
	say("script by descriptor", ending(pid)); /* it does not know the word /dev/fd/N */
	close(fd);
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	pid = forked();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "self", argv, environ, 0);
		_exit(errno);
	}
	say("below a descriptor", ending(pid));
	pid = forked();
	if (pid == 0) {
		if (fchdir(fd) < 0)
			_exit(63);
		execve("../../proc/../proc/self/cwd/./self", argv, environ);
		_exit(errno);
	}
	say("roundabout", ending(pid));
	close(fd);
}

static void others(void)
{
	char *argv[] = { (char *)"exec_quiet", (char *)"-", (char *)"fine", NULL }, script[800];
	pid_t pid = vfork();

	if (pid == 0)
		start_or_die(self, "fine", NULL);
	say("vfork", ending(pid));
	if (posix_spawn(&pid, self, NULL, NULL, argv, environ))
		broken("posix_spawn");
	say("spawn", ending(pid));
	pid = forked();
	if (pid == 0)
		start_or_die("/proc/self/exe", "fine", NULL);
	say("/proc/self/exe", ending(pid));
	snprintf(script, sizeof(script), "#!%s -\n", self);
	write_file(in_dir("fine"), script, 0755);
	pid = forked();
	if (pid == 0) {
		/* argv becomes: self, "-", DIR/fine, ... */
		execl(in_dir("fine"), "zero", NULL);
		_exit(errno);
	}
	say("script", ending(pid));
	copy_self(in_dir("setuid"), 04755);
	pid = forked();
	if (pid == 0) {
		if (setgid(1000) < 0 || setuid(1000) < 0)
			_exit(62);
		start_or_die(in_dir("setuid"), "root", NULL);
	}
	say("setuid", ending(pid));
	pid = forked();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	/* A debugger can look at others while they execute nothing. */
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		broken("ptrace");
	waitpid(pid, NULL, __WALL);
	say("debugger", ptrace(PTRACE_DETACH, pid, NULL, NULL) == 0 ? "detached" : strerrorname_np(errno));
	kill(pid, SIGKILL);
	say("debugged", ending(pid));
}

static int traced(void)
{
	pid_t pid;
	int st;

	copy_self(self, 0755);
	pid = forked();
	if (pid == 0) {
		char *argv[] = { (char *)"exec_quiet", NULL };

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execve(self, argv, environ);
		_exit(errno);
	}
	if (waitpid(pid, &st, 0) != pid)
		broken("waitpid");
	if (WIFSTOPPED(st)) {
		say("traced", "stopped after its execve");
		kill(pid, SIGKILL);
		waitpid(pid, &st, 0);
		return 0;
	}
	say("traced", WIFEXITED(st) ? strerrorname_np(WEXITSTATUS(st)) : "killed");
	return 0;
}

int main(int argc, char **argv)
{
	const char *leaf = argc > 2 && !strcmp(argv[1], "-") ? strrchr(argv[2], '/') : NULL;

	if (leaf && !strcmp(leaf, "/fine"))
		return tracer() ? 50 : FINE;
	if (argc > 2 && !strcmp(argv[1], "-"))
		return executed(argv);
	if (argc < 2)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(dir, sizeof(dir), "%s", argv[argc - 1]);
	mkdir(dir, 0755);
	snprintf(self, sizeof(self), "%s", in_dir("self"));
	if (argc > 2)
		return traced();
	copy_self(self, 0755);
	errors();
	pending();
	others();
	descriptors();
	threads();
	stops();
	kills();
	many(300);
	signals();
	printf("tracer in the end: %d\n", tracer());
	return 0;
}
