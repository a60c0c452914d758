// SPDX-License-Identifier: MIT
// Ten thousand getpid calls: processing elements that do next to nothing.
#include "check.h"
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	enum { CALLS = 10000 };
	long first = syscall(SYS_getpid);
	int same = 0;
	for (int i = 0; i < CALLS; i++)
		same += syscall(SYS_getpid) == first;
	printf("%d calls, %d the same\n", CALLS, same);
	return same == CALLS ? 0 : 1;
}
