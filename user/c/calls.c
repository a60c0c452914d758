// SPDX-License-Identifier: MIT
// Getpid calls: `calls [CALLS]` makes ten thousand or so many. Processing elements that do next to nothing.
#include "check.h"
#include <sys/syscall.h>
#include <unistd.h>

int main(int count, char **arguments)
{
	int calls = count > 1 ? atoi(arguments[1]) : 10000;
	long first = syscall(SYS_getpid);
	int same = 0;
	for (int i = 0; i < calls; i++)
		same += syscall(SYS_getpid) == first;
	printf("%d calls, %d the same\n", calls, same);
	return same == calls ? 0 : 1;
}
