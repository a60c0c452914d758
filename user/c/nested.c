// SPDX-License-Identifier: MIT
// An epoll in an epoll: how deep, in no circle, what the outer one is told of, and when again.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "check.h"

enum { MANY = 12 };

static int add(int outer, int inner, unsigned events)
{
	struct epoll_event event = { .events = events, .data.fd = inner };
	return epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event) ? errno : 0;
}

static int told(int epoll)
{
	struct epoll_event events[4];
	int count = epoll_wait(epoll, events, 4, 0);
	CHECK(count >= 0);
	return count;
}

static void depths(void)
{
	int chain[MANY];
	for (int i = 0; i < MANY; i++)
		CHECK((chain[i] = epoll_create1(EPOLL_CLOEXEC)) >= 0);
	for (int i = 0; i + 1 < MANY; i++)
		printf("inwards, step %d: %s\n", i, strerror(add(chain[i], chain[i + 1], EPOLLIN)));
	for (int i = 0; i < MANY; i++) {
		close(chain[i]);
		CHECK((chain[i] = epoll_create1(EPOLL_CLOEXEC)) >= 0);
	}
	for (int i = MANY - 1; i > 0; i--)
		printf("outwards, step %d: %s\n", i, strerror(add(chain[i - 1], chain[i], EPOLLIN)));
	for (int i = 0; i < MANY; i++)
		close(chain[i]);
	int first = epoll_create1(0), second = epoll_create1(0), third = epoll_create1(0);
	CHECK(add(first, first, EPOLLIN) == EINVAL && add(first, second, EPOLLIN | EPOLLEXCLUSIVE) == EINVAL);
	CHECK(add(first, second, EPOLLIN) == 0 && add(first, second, EPOLLIN) == EEXIST);
	CHECK(add(second, third, EPOLLIN) == 0 && add(third, first, EPOLLIN) == ELOOP);
	close(second);
	CHECK(add(third, first, EPOLLIN) == 0);
	close(first);
	close(third);
	printf("no circles\n");
}

static void news(void)
{
	uint64_t one = 1;
	int outer = epoll_create1(0), inner = epoll_create1(0), sparing = epoll_create1(0), count = eventfd(0, EFD_NONBLOCK);
	CHECK(add(outer, inner, EPOLLIN) == 0 && add(inner, count, EPOLLIN) == 0);
	CHECK(add(sparing, inner, EPOLLIN | EPOLLET) == 0);
	struct pollfd seen = { .fd = outer, .events = POLLIN };
	CHECK(!told(outer) && !told(sparing) && poll(&seen, 1, 0) == 0);
	CHECK(write(count, &one, 8) == 8 && poll(&seen, 1, -1) == 1 && seen.revents == POLLIN);
	CHECK(told(outer) == 1 && told(outer) == 1 && told(inner) == 1);
	CHECK(told(sparing) == 1 && told(sparing) == 0);
	CHECK(write(count, &one, 8) == 8 && told(sparing) == 1 && told(sparing) == 0);
	CHECK(read(count, &one, 8) == 8 && one == 2 && !told(outer) && poll(&seen, 1, 0) == 0);
	close(sparing);

	// What is told once by the inner one is news for the outer one until then.
	int once = epoll_create1(0);
	one = 1;
	CHECK(add(once, count, EPOLLIN | EPOLLONESHOT) == 0 && add(outer, once, EPOLLIN) == 0);
	CHECK(write(count, &one, 8) == 8 && told(outer) == 2 && told(once) == 1 && told(outer) == 1);
	close(count);
	CHECK(!told(outer) && !told(inner));
	close(once);
	close(inner);
	CHECK(!told(outer));
	close(outer);
	printf("news of news\n");
}

// Many ways lead from the first to the last: each is looked at once.
static void ways(void)
{
	enum { LEVELS = 4, WIDTH = 40 };
	static int grid[LEVELS][WIDTH];
	uint64_t one = 1;
	int count = eventfd(0, 0), top = epoll_create1(0);
	for (int level = 0; level < LEVELS; level++)
		for (int i = 0; i < WIDTH; i++)
			CHECK((grid[level][i] = epoll_create1(0)) >= 0);
	for (int level = 1; level < LEVELS; level++)
		for (int i = 0; i < WIDTH; i++)
			for (int j = 0; j < WIDTH; j++)
				CHECK(add(grid[level - 1][i], grid[level][j], EPOLLIN) == 0);
	for (int i = 0; i < WIDTH; i++)
		CHECK(add(top, grid[0][i], EPOLLIN) == 0);
	// More ways than this to one file Linux would refuse.
	CHECK(add(grid[LEVELS - 1][0], top, EPOLLIN) == ELOOP && !told(top));
	CHECK(add(grid[0][0], count, EPOLLIN) == 0 && write(count, &one, 8) == 8 && told(top) == 1);
	printf("%d ways\n", WIDTH * WIDTH * WIDTH * WIDTH);
}

int main(void)
{
	depths();
	news();
	ways();
	return 0;
}
