// SPDX-License-Identifier: MIT
// Pairs of sockets: streams, messages, what is left when one end is closed or shut down, who
// waits for what. And a C library's addresses, for which it can do without sockets.
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

static int ends[2];

static void told(const char *what, long result)
{
	printf("%-26s %ld%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerror(errno) : "");
}

static void ready(const char *what)
{
	struct pollfd seen[2];
	for (int i = 0; i < 2; i++)
		seen[i] = (struct pollfd){ .fd = ends[i], .events = POLLIN | POLLOUT | POLLRDHUP };
	CHECK(poll(seen, 2, 0) >= 0);
	printf("%-26s %x %x\n", what, seen[0].revents, seen[1].revents);
}

static void pair(void)
{
	close(ends[0]);
	close(ends[1]);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
}

static void streams(void)
{
	char bytes[100];
	int value;
	socklen_t length = sizeof value;
	struct stat about;
	pair();
	CHECK(fstat(ends[0], &about) == 0 && S_ISSOCK(about.st_mode));
	ready("fresh");
	told("send", send(ends[0], "hello", 5, 0));
	ready("sent");
	CHECK(ioctl(ends[1], FIONREAD, &value) == 0 && value == 5);
	told("peek", recv(ends[1], bytes, 3, MSG_PEEK));
	told("receive", recv(ends[1], bytes, sizeof bytes, 0));
	CHECK(!memcmp(bytes, "hello", 5));
	told("nothing there", recv(ends[1], bytes, 1, MSG_DONTWAIT));
	told("the other way", write(ends[1], "back", 4));
	told("read", read(ends[0], bytes, sizeof bytes));
	struct iovec parts[2] = { { bytes, 2 }, { bytes + 50, 3 } };
	struct sockaddr_un name;
	struct msghdr message = { .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = parts, .msg_iovlen = 2,
				  .msg_control = bytes + 80, .msg_controllen = 20, .msg_flags = 77 };
	told("send", send(ends[0], "abcdefg", 7, MSG_NOSIGNAL));
	told("message", recvmsg(ends[1], &message, 0));
	CHECK(!message.msg_namelen && !message.msg_controllen && !message.msg_flags && !memcmp(bytes + 50, "cde", 3));
	message.msg_name = NULL;
	message.msg_control = NULL;
	told("message back", sendmsg(ends[1], &message, 0));
	told("with an address", sendto(ends[0], "x", 1, 0, (struct sockaddr *)&name, sizeof name));
	told("in all", recv(ends[0], bytes, 5, MSG_WAITALL));
	length = sizeof name;
	CHECK(getpeername(ends[0], (struct sockaddr *)&name, &length) == 0);
	printf("%-26s %d, %d bytes\n", "the peer's name", name.sun_family, (int)length);
	length = sizeof value;
	CHECK(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &length) == 0 && value == SOCK_STREAM && length == 4);
	CHECK(getsockopt(ends[0], SOL_SOCKET, SO_DOMAIN, &value, &length) == 0 && value == AF_UNIX);
	told("no socket", send(1, "x", 1, 0));
	told("no descriptor", send(99, "x", 1, 0));
	told("seek", lseek(ends[0], 0, SEEK_SET));
	told("listen", listen(ends[0], 1));
	told("accept", accept(ends[0], NULL, NULL));
	told("another family", socketpair(99, SOCK_STREAM, 0, (int[2]){ 0 }));
	told("another protocol", socketpair(AF_UNIX, SOCK_STREAM, 7, (int[2]){ 0 }));
	int *volatile nowhere = (int *)8;
	told("a bad address", socketpair(AF_UNIX, SOCK_STREAM, 0, nowhere));
}

static void ends_of_streams(void)
{
	char bytes[100];
	int value;
	socklen_t length = sizeof value;
	pair();
	CHECK(write(ends[0], "last", 4) == 4);
	told("shut for writing", shutdown(ends[0], SHUT_WR));
	ready("shut for writing");
	told("write", write(ends[0], "x", 1));
	told("what was sent", read(ends[1], bytes, sizeof bytes));
	told("and then", read(ends[1], bytes, sizeof bytes));
	told("shut for reading", shutdown(ends[0], SHUT_RD));
	ready("shut");
	told("the peer's write", send(ends[1], "x", 1, MSG_NOSIGNAL));
	told("no such way", shutdown(ends[0], 3));
	pair();
	CHECK(write(ends[1], "unread", 6) == 6 && write(ends[0], "left", 4) == 4 && close(ends[0]) == 0);
	ends[0] = -1;
	ready("closed unread");
	told("write", write(ends[1], "x", 1));
	for (int i = 0; i < 3; i++)
		told("read", read(ends[1], bytes, sizeof bytes));
	pair();
	CHECK(write(ends[1], "unread", 6) == 6 && close(ends[0]) == 0);
	CHECK(getsockopt(ends[1], SOL_SOCKET, SO_ERROR, &value, &length) == 0 && value == ECONNRESET);
	CHECK(getsockopt(ends[1], SOL_SOCKET, SO_ERROR, &value, &length) == 0 && value == 0);
	ends[0] = -1;
	pair();
	CHECK(close(ends[0]) == 0);
	ends[0] = -1;
	ready("closed");
	told("read", read(ends[1], bytes, sizeof bytes));
}

enum { MUCH = 300000 };
static unsigned char much[MUCH], echoed[MUCH];

// Sends back what it receives, in other pieces.
static void *echo(void *unused)
{
	unsigned char piece[7777];
	for (ssize_t length; (length = read(ends[1], piece, sizeof piece)) > 0;)
		for (ssize_t done = 0, n; done < length; done += n)
			CHECK((n = send(ends[1], piece + done, length - done, 0)) > 0);
	CHECK(shutdown(ends[1], SHUT_WR) == 0);
	return unused;
}

static void *sender(void *unused)
{
	CHECK(send(ends[0], much, MUCH, 0) == MUCH && shutdown(ends[0], SHUT_WR) == 0);
	return unused;
}

static void waiting(void)
{
	pthread_t threads[2];
	for (int i = 0; i < MUCH; i++)
		much[i] = random64() >> 56;
	pair();
	CHECK(pthread_create(&threads[0], NULL, echo, NULL) == 0 && pthread_create(&threads[1], NULL, sender, NULL) == 0);
	// Before it is all there, a signal or the end would cut it short.
	CHECK(recv(ends[0], echoed, MUCH, MSG_WAITALL) == MUCH && !memcmp(much, echoed, MUCH));
	CHECK(recv(ends[0], echoed, 1, MSG_WAITALL) == 0);
	CHECK(pthread_join(threads[0], NULL) == 0 && pthread_join(threads[1], NULL) == 0);
	printf("%d bytes there and back between threads\n", MUCH);

	pair();
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) == 0);
	CHECK(epoll_wait(epoll, &event, 1, -1) == 1 && event.events == EPOLLOUT);
	CHECK(epoll_wait(epoll, &event, 1, 0) == 0);
	pid_t child = fork();
	if (child == 0) {
		close(ends[0]);
		char byte;
		CHECK(read(ends[1], &byte, 1) == 1 && write(ends[1], &byte, 1) == 1);
		_exit(0);
	}
	close(ends[1]);
	ends[1] = -1;
	CHECK(write(ends[0], "!", 1) == 1);
	// The child's read makes room, which is news as well.
	do
		CHECK(epoll_wait(epoll, &event, 1, -1) == 1);
	while (!(event.events & EPOLLIN));
	char byte = 0;
	CHECK(read(ends[0], &byte, 1) == 1 && byte == '!' && waitpid(child, NULL, 0) == child);
	CHECK(read(ends[0], &byte, 1) == 0);
	close(epoll);
	printf("one byte there and back between processes\n");
}

// What a C library says of numbers, whatever sockets there are.
static void names(void)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	struct addrinfo *found;
	CHECK(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0);
	struct sockaddr_in *address = (struct sockaddr_in *)found->ai_addr;
	printf("an address: %08x, port %d\n", ntohl(address->sin_addr.s_addr), ntohs(address->sin_port));
	freeaddrinfo(found);
	printf("no address: %s\n", gai_strerror(getaddrinfo("localhost", "80", &hints, &found)));
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	ends[0] = ends[1] = -1;
	streams();
	ends_of_streams();
	waiting();
	names();
	return 0;
}
