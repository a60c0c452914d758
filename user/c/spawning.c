// SPDX-License-Identifier: MIT
// Processes that share memory with whoever made them: vfork, posix_spawn and its reports, clone
// without a thread, and programs executed by a thread. With an argument it is the program that is
// executed.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *self;
static volatile int word, handled;

static int status_of(pid_t child)
{
	int status;
	CHECK(waitpid(child, &status, __WALL) == child);
	return status;
}

static void on_signal(int signal)
{
	handled = signal;
}

static void vforks(void)
{
	static int i;
	for (i = 0; i < 20; i++) {
		word = i;
		pid_t child = vfork();
		if (child == 0) {
			// The parent's own word.
			word += 100;
			_exit(i);
		}
		CHECK(child > 0 && word == i + 100 && status_of(child) == i << 8);
	}
	pid_t child = vfork();
	if (child == 0) {
		execl(self, self, "exit", "7", NULL);
		_exit(1);
	}
	CHECK(status_of(child) == 7 << 8);
	// A program that is not there: errno is the parent's, too.
	errno = 0;
	child = vfork();
	if (child == 0) {
		execl("/nowhere/at/all", "none", NULL);
		_exit(2);
	}
	CHECK(errno == ENOENT && status_of(child) == 2 << 8);
	// Handlers and descriptors are the child's own.
	signal(SIGUSR1, on_signal);
	child = vfork();
	if (child == 0) {
		struct sigaction action = { .sa_handler = SIG_IGN };
		sigaction(SIGUSR1, &action, NULL);
		close(0);
		_exit(0);
	}
	CHECK(status_of(child) == 0 && fcntl(0, F_GETFD) == 0);
	CHECK(raise(SIGUSR1) == 0 && handled == SIGUSR1);
	puts("vfork");
}

static pid_t spawn(char *path, char *const *arguments, int *error)
{
	pid_t child = -1;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t set;
	sigemptyset(&set);
	CHECK(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
	CHECK(posix_spawn_file_actions_addopen(&actions, 9, "/dev/null", O_WRONLY, 0) == 0);
	CHECK(posix_spawnattr_setsigmask(&attributes, &set) == 0);
	CHECK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK) == 0);
	*error = posix_spawn(&child, path, &actions, &attributes, arguments, environ);
	CHECK(fcntl(9, F_GETFD) == -1);
	return child;
}

static void spawns(void)
{
	int error;
	char *arguments[] = { self, "exit", "5", NULL };
	pid_t child = spawn(self, arguments, &error);
	CHECK(error == 0 && status_of(child) == 5 << 8);
	spawn("/nowhere", arguments, &error);
	CHECK(error == ENOENT);
	spawn("/dev/null", arguments, &error);
	CHECK(error == EACCES);
	CHECK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD);
	puts("posix_spawn");
}

// Clones that are processes and share what they are told to.

static char stack[65536];

static int change(void *argument)
{
	int flags = *(int *)argument;
	word = 1;
	close(7);
	CHECK(chdir("/") == 0);
	umask(077);
	signal(SIGUSR2, SIG_IGN);
	return flags != 0;
}

static void clones(void)
{
	static const int flags[] = { 0, CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_VM | CLONE_SIGHAND,
				     CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SIGHAND };
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		char where[100];
		int given = flags[i];
		word = 0;
		CHECK(dup2(1, 7) == 7 && chdir("/tmp") == 0);
		umask(022);
		signal(SIGUSR2, on_signal);
		pid_t child = clone(change, stack + sizeof stack, given | SIGCHLD, &given);
		CHECK(child > 0);
		// A child without a signal of SIGCHLD's is waited for alike.
		CHECK(status_of(child) == (given != 0) << 8);
		struct sigaction action;
		sigaction(SIGUSR2, NULL, &action);
		mode_t old = umask(022);
		CHECK(getcwd(where, sizeof where) != NULL);
		printf("%d%d%d%d%d\n", word, fcntl(7, F_GETFD) == -1, strcmp(where, "/") == 0, old == 077,
		       action.sa_handler == SIG_IGN);
		close(7);
	}
	CHECK(clone(change, stack + sizeof stack, CLONE_THREAD, NULL) == -1 && errno == EINVAL);
	CHECK(clone(change, stack + sizeof stack, CLONE_SIGHAND, NULL) == -1 && errno == EINVAL);
}

static int clears(void *argument)
{
	CHECK(word == (int)syscall(SYS_gettid));
	(void)argument;
	return 0;
}

// A word that is written at the beginning and cleared at the end, which wakes whoever waits for it.
static void words(void)
{
	word = 0;
	pid_t child = clone(clears, stack + sizeof stack,
			    CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID | SIGCHLD, NULL,
			    &word, NULL, &word);
	CHECK(child > 0);
	while (word == child)
		syscall(SYS_futex, &word, FUTEX_WAIT, child, NULL, NULL, 0);
	CHECK(word == 0 && status_of(child) == 0);
	puts("words");
}

// A program executed by a thread: all others end, and it has the number of the first one.

static volatile int going;

static void *goes_on(void *argument)
{
	(void)argument;
	going = 1;
	for (;;)
		pause();
	return NULL;
}

static void *executes(void *argument)
{
	char number[20];
	snprintf(number, sizeof number, "%d", getpid());
	CHECK(gettid() != getpid());
	execl(self, self, "same", number, argument, NULL);
	return NULL;
}

static void executed_by_thread(void)
{
	fflush(stdout);
	int ends[2];
	char rest;
	CHECK(pipe(ends) == 0);
	pid_t child = fork();
	if (child == 0) {
		pthread_t thread;
		CHECK(pthread_create(&thread, NULL, goes_on, NULL) == 0);
		while (!going)
			sched_yield();
		CHECK(pthread_create(&thread, NULL, executes, "9") == 0);
		for (;;)
			pause();
	}
	CHECK(status_of(child) == 9 << 8);
	close(ends[1]);
	CHECK(read(ends[0], &rest, 1) == 0);
	puts("executed by a thread");
}

int main(int count, char **arguments)
{
	self = "/proc/self/exe";
	if (count == 3)
		return atoi(arguments[2]);
	if (count == 4)
		return getpid() == atoi(arguments[2]) && gettid() == getpid() ? atoi(arguments[3]) : 1;
	vforks();
	spawns();
	clones();
	words();
	executed_by_thread();
	return 0;
}
