// SPDX-License-Identifier: MIT
// Stops, continuations and process groups: who is told of them, and what waits through them.
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIPE = 65536, LONG = 100000 };

#define FAILS(call, error)                               \
	do {                                             \
		errno = 0;                               \
		CHECK((long)(call) == -1 && errno == (error)); \
	} while (0)

static pid_t begin(void)
{
	fflush(stdout);
	pid_t child = fork();
	CHECK(child >= 0);
	return child;
}

static int wait_for(pid_t child, int options)
{
	int status = -1;
	CHECK(waitpid(child, &status, options) == child);
	return status;
}

static void put(int pipe)
{
	CHECK(write(pipe, "x", 1) == 1);
}

static char get(int pipe)
{
	char byte = 0;
	return read(pipe, &byte, 1) == 1 ? byte : 0;
}

static volatile int handled[65], codes[8];

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)context;
	handled[signal]++;
	if (signal == SIGCHLD && info->si_code < 8)
		codes[info->si_code]++;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };
	CHECK(sigaction(signal, &action, NULL) == 0);
}

static sigset_t set_of(int one, int other)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, one);
	sigaddset(&set, other);
	return set;
}

// A stop and a continuation are each told once, and not taken by who only looks.
static void told_once(void)
{
	for (int round = 0; round < 4; round++) {
		static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
		int stop = stops[round];
		pid_t child = begin();
		if (child == 0) {
			CHECK(setpgid(0, 0) == 0);
			raise(stop);
			_exit(7);
		}
		siginfo_t info = { 0 };
		CHECK(waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOWAIT) == 0);
		CHECK(info.si_code == CLD_STOPPED && info.si_status == stop && info.si_pid == child);
		CHECK(wait_for(child, WUNTRACED) == (stop << 8 | 0x7f));
		CHECK(waitpid(child, NULL, WUNTRACED | WNOHANG) == 0);
		info.si_pid = 5;
		CHECK(waitid(P_PID, (id_t)child, &info, WSTOPPED | WEXITED | WNOHANG) == 0 && info.si_pid == 0);
		// Stopped as it is, it is not continued by anything else.
		CHECK(kill(child, SIGTERM) == 0);
		CHECK(waitpid(child, NULL, WNOHANG) == 0);
		CHECK(kill(child, SIGCONT) == 0);
		CHECK(waitid(P_PID, (id_t)child, &info, WCONTINUED | WEXITED) == 0);
		if (info.si_code == CLD_CONTINUED)
			CHECK(info.si_status == SIGCONT && WTERMSIG(wait_for(child, 0)) == SIGTERM);
		else
			CHECK(info.si_code == CLD_KILLED && info.si_status == SIGTERM);
	}
	pid_t child = begin();
	if (child == 0) {
		raise(SIGSTOP);
		raise(SIGSTOP);
		_exit(7);
	}
	CHECK(wait_for(child, WUNTRACED) == (SIGSTOP << 8 | 0x7f) && kill(child, SIGCONT) == 0);
	int status = wait_for(child, WCONTINUED | WUNTRACED);
	if (status == 0xffff)
		status = wait_for(child, WUNTRACED);
	CHECK(status == (SIGSTOP << 8 | 0x7f) && kill(child, SIGCONT) == 0);
	CHECK(wait_for(child, 0) == 7 << 8);
	// The end of one that is stopped.
	child = begin();
	if (child == 0) {
		raise(SIGSTOP);
		_exit(7);
	}
	CHECK(wait_for(child, WUNTRACED) == (SIGSTOP << 8 | 0x7f) && kill(child, SIGKILL) == 0);
	CHECK(wait_for(child, WUNTRACED | WCONTINUED) == SIGKILL);
	puts("stops are told once");
}

// SIGCONT continues whatever is done about it; of it and a stop only the later one is pending.
static void both(void)
{
	sigset_t set = set_of(SIGCONT, SIGTSTP), pending;
	for (int how = 0; how < 3; how++) {
		pid_t child = begin();
		if (child == 0) {
			if (how == 0)
				handle(SIGCONT, 0);
			if (how == 1)
				signal(SIGCONT, SIG_IGN);
			if (how == 2)
				CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
			raise(SIGSTOP);
			CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == (how == 2));
			_exit(handled[SIGCONT]);
		}
		CHECK(wait_for(child, WUNTRACED) == (SIGSTOP << 8 | 0x7f) && kill(child, SIGCONT) == 0);
		CHECK(wait_for(child, 0) == (how == 0) << 8);
	}
	handle(SIGCONT, 0);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	for (int round = 0; round < 4; round++) {
		raise(round % 2 ? SIGCONT : SIGTSTP);
		CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == round % 2);
		CHECK(sigismember(&pending, SIGTSTP) == !(round % 2));
	}
	CHECK(handled[SIGCONT] == 0 && sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && handled[SIGCONT] == 1);
	signal(SIGCONT, SIG_DFL);
	puts("the later one holds");
}

// What the parent hears by SIGCHLD.
static void heard(int flags, int expected)
{
	sigset_t set = set_of(SIGCHLD, SIGCHLD), none;
	sigemptyset(&none);
	memset((void *)codes, 0, sizeof codes);
	handle(SIGCHLD, flags);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	pid_t child = begin();
	if (child == 0) {
		raise(SIGSTOP);
		pause();
	}
	CHECK(wait_for(child, WUNTRACED) == (SIGSTOP << 8 | 0x7f));
	if (expected)
		sigsuspend(&none);
	CHECK(kill(child, SIGCONT) == 0 && wait_for(child, WCONTINUED) == 0xffff);
	if (expected)
		sigsuspend(&none);
	CHECK(kill(child, SIGKILL) == 0);
	sigsuspend(&none);
	CHECK(wait_for(child, 0) == SIGKILL);
	CHECK(codes[CLD_STOPPED] == expected && codes[CLD_CONTINUED] == expected && codes[CLD_KILLED] == 1);
	signal(SIGCHLD, SIG_DFL);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
}

// Who does not want to wait for children hears of them, and there is nothing to wait for.
static void not_waited_for(void)
{
	handle(SIGCHLD, SA_NOCLDWAIT | SA_RESTART);
	handled[SIGCHLD] = 0;
	pid_t child = begin();
	if (child == 0)
		_exit(1);
	FAILS(waitpid(child, NULL, 0), ECHILD);
	CHECK(handled[SIGCHLD] == 1);
	signal(SIGCHLD, SIG_DFL);
	puts("SIGCHLD tells");
}

// Calls that wait are stopped and wait on; what has transferred something returns.
static void waiting(void)
{
	int there[2], back[2], length = 0;
	CHECK(pipe(there) == 0 && pipe(back) == 0);
	pid_t child = begin();
	if (child == 0) {
		put(back[1]);
		_exit(get(there[0]));
	}
	get(back[0]);
	CHECK(kill(child, SIGSTOP) == 0 && wait_for(child, WUNTRACED) == (SIGSTOP << 8 | 0x7f));
	put(there[1]);
	CHECK(waitpid(child, NULL, WNOHANG) == 0 && ioctl(there[0], FIONREAD, &length) == 0 && length == 1);
	CHECK(kill(child, SIGCONT) == 0 && wait_for(child, 0) == 'x' << 8);
	static char bytes[LONG];
	child = begin();
	if (child == 0)
		_exit(write(there[1], bytes, LONG) != PIPE);
	while (length < PIPE)
		CHECK(ioctl(there[0], FIONREAD, &length) == 0 && sched_yield() == 0);
	CHECK(kill(child, SIGSTOP) == 0 && wait_for(child, WUNTRACED) == (SIGSTOP << 8 | 0x7f));
	CHECK(kill(child, SIGCONT) == 0 && wait_for(child, 0) == 0);
	close(there[0]);
	close(there[1]);
	close(back[0]);
	close(back[1]);
	puts("calls wait through a stop");
}

// A parent that waits after vfork: it can be killed, a stop has to wait.
static void after_vfork(int signal)
{
	int there[2], back[2];
	CHECK(pipe(there) == 0 && pipe(back) == 0);
	pid_t parent = begin();
	if (parent == 0) {
		static int out, in;
		out = back[1];
		in = there[0];
		if (vfork() == 0) {
			char byte;
			write(out, "x", 1);
			read(in, &byte, 1);
			write(out, &byte, 1);
			_exit(0);
		}
		_exit(3);
	}
	CHECK(get(back[0]) == 'x' && kill(parent, signal) == 0);
	if (signal == SIGSTOP) {
		for (int round = 0; round < 20; round++)
			CHECK(sched_yield() == 0 && waitpid(parent, NULL, WUNTRACED | WNOHANG) == 0);
		CHECK(write(there[1], "y", 1) == 1 && get(back[0]) == 'y');
		CHECK(wait_for(parent, WUNTRACED) == (SIGSTOP << 8 | 0x7f) && kill(parent, SIGCONT) == 0);
		CHECK(wait_for(parent, 0) == 3 << 8);
	} else {
		CHECK(wait_for(parent, 0) == signal);
		// Its child goes on.
		CHECK(write(there[1], "y", 1) == 1 && get(back[0]) == 'y');
	}
	close(back[1]);
	CHECK(get(back[0]) == 0);
	close(there[0]);
	close(there[1]);
	close(back[0]);
}

static void groups(void)
{
	int ends[2];
	CHECK(pipe(ends) == 0);
	pid_t child = begin();
	if (child == 0) {
		CHECK(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
		FAILS(setsid(), EPERM);
		FAILS(setpgid(0, 0), EPERM);
		// Nobody could continue it: the stop is ignored.
		raise(SIGTSTP);
		_exit(1);
	}
	CHECK(wait_for(child, WUNTRACED) == 1 << 8);
	child = begin();
	if (child == 0) {
		CHECK(setpgid(0, 0) == 0 && getpgrp() == getpid());
		FAILS(setsid(), EPERM);
		for (int index = 0; index < 2; index++)
			if (fork() == 0)
				break;
		put(ends[1]);
		for (;;)
			pause();
	}
	close(ends[1]);
	for (int index = 0; index < 3; index++)
		get(ends[0]);
	CHECK(getpgid(child) == child && getsid(child) == getsid(0));
	CHECK(kill(-child, 0) == 0 && kill(-child, SIGTERM) == 0 && waitpid(-child, NULL, 0) == child);
	CHECK(get(ends[0]) == 0);
	FAILS(waitpid(-child, NULL, WNOHANG), ECHILD);
	close(ends[0]);

	FAILS(setpgid(0, 99999), EPERM);
	FAILS(setpgid(0, -1), EINVAL);
	FAILS(setpgid(99999, 0), ESRCH);
	FAILS(setpgid(getppid(), 0), ESRCH);
	FAILS(getpgid(99999), ESRCH);
	FAILS(kill(-99999, 0), ESRCH);
	FAILS(waitpid(0, NULL, 0), ECHILD);
	// A parent puts its child into a group, until the child executes a program.
	CHECK(pipe(ends) == 0);
	child = begin();
	if (child == 0) {
		char number[16];
		snprintf(number, sizeof number, "%d", ends[1]);
		raise(SIGSTOP);
		execl("/proc/self/exe", "stopping", number, NULL);
		_exit(99);
	}
	wait_for(child, WUNTRACED);
	CHECK(setpgid(child, child) == 0 && getpgid(child) == child && setpgid(child, getpgrp()) == 0);
	CHECK(kill(child, SIGCONT) == 0 && get(ends[0]) == 'x');
	FAILS(setpgid(child, child), EACCES);
	CHECK(kill(child, SIGKILL) == 0 && wait_for(child, 0) == SIGKILL);

	// A stopped group that loses who could continue it is told.
	pid_t middle = begin();
	if (middle == 0) {
		child = fork();
		if (child == 0) {
			CHECK(setpgid(0, 0) == 0);
			handle(SIGHUP, 0);
			handle(SIGCONT, 0);
			handled[SIGCONT] = 0;
			raise(SIGSTOP);
			CHECK(handled[SIGHUP] == 1 && handled[SIGCONT] == 1);
			put(ends[1]);
			_exit(0);
		}
		CHECK(close(ends[1]) == 0);
		wait_for(child, WUNTRACED);
		_exit(0);
	}
	close(ends[1]);
	CHECK(wait_for(middle, 0) == 0 && get(ends[0]) == 'x');
	close(ends[0]);
	puts("groups and sessions");
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		put(atoi(argv[1]));
		for (;;)
			pause();
	}
	told_once();
	both();
	heard(0, 1);
	heard(SA_NOCLDSTOP, 0);
	not_waited_for();
	waiting();
	after_vfork(SIGKILL);
	after_vfork(SIGTERM);
	after_vfork(SIGSTOP);
	puts("a parent after vfork");
	groups();
	return 0;
}
