// cflags: -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns
// SPDX-License-Identifier: MIT
// What a call costs when that which it looks at grows: bench-scaling KIND N makes it N, 2N and 4N large, each time in a
// process of its own, and makes the call once. That call leaves the kernel at `measured_call` (a page fault at
// `measured_touch`, execve at `_start`), by which its processing element is found in the trace.
#include "bench.h"

enum {
	SYS_READ = 0, SYS_OPEN = 2, SYS_CLOSE = 3, SYS_POLL = 7, SYS_MPROTECT = 10, SYS_PWRITE = 18, SYS_READV = 19,
	SYS_ACCESS = 21, SYS_YIELD = 24, SYS_MREMAP = 25, SYS_MADVISE = 28, SYS_FORK = 57, SYS_EXECVE = 59, SYS_WAIT4 = 61,
	SYS_FTRUNCATE = 77, SYS_GETCWD = 79, SYS_CHDIR = 80, SYS_MKDIR = 83, SYS_UNLINK = 87, SYS_SYMLINK = 88,
	SYS_FUTEX = 202, SYS_GETDENTS = 217, SYS_MEMFD = 319,
};
enum { RW = 3, SHARED = 1, PRIVATE = 2, FIXED = 0x10, ANONYMOUS = 0x20, CREATE = 0x42, CLOEXEC = 0x80000 };

// Where mappings are put: to look for room takes longer the more there are.
static char *const place = (char *)0x20000000000, *const away = (char *)0x10000000000;

long measured(long number, long a, long b, long c, long d, long e, long f);
void measured_touch(volatile char *at);
__asm__("measured: mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx; mov %r8, %r10; mov %r9, %r8\n\t"
        "mov 8(%rsp), %r9; syscall\n.globl measured_call\nmeasured_call: ret\n"
        ".globl measured_touch\nmeasured_touch: movb $1, (%rdi)\n\tret\n");

__attribute__((noreturn)) static void leave(int status)
{
	for (;;)
		call(SYS_EXIT, status, 0, 0);
}

// What setting up needs is there, natively and otherwise; else there is nothing to measure.
static long sure(long result)
{
	if (result < 0)
		leave(1);
	return result;
}

static char *map(char *at, u64 pages, long flags, long fd, u64 page)
{
	return (char *)sure(call6(SYS_MMAP, (long)at, pages * PAGE, RW, flags | FIXED, fd, page * PAGE));
}

static long memfd(u64 pages)
{
	long fd = sure(call(SYS_MEMFD, (long)"scaling", 0, 0));
	sure(call(SYS_FTRUNCATE, fd, pages * PAGE, 0));
	return fd;
}

static void touch(volatile char *at)
{
	*at = 1;
}

static char *number(char *text, u64 value)
{
	char digits[20];
	int length = 0;
	do
		digits[length++] = '0' + value % 10;
	while (value /= 10);
	while (length > 0)
		*text++ = digits[--length];
	*text = 0;
	return text;
}

// A file of that number in the working directory.
static void file(u64 index)
{
	char name[24] = "f";
	number(name + 1, index);
	sure(call(SYS_CLOSE, sure(call(SYS_OPEN, (long)name, CREATE, 0755)), 0, 0));
}

// After a fork the stack is to be copied when it is written: here, not where something is measured.
__attribute__((noinline)) static void own_stack(void)
{
	volatile char frame[512];
	frame[0] = frame[sizeof frame - 1] = 0;
}

// Runs in a process of its own, and waits for it.
#define CHILD(body) \
	do { \
		long child = sure(call(SYS_FORK, 0, 0, 0)); \
		if (child == 0) { \
			body; \
			leave(0); \
		} \
		own_stack(); \
		sure(call6(SYS_WAIT4, child, 0, 0, 0, 0, 0)); \
	} while (0)

static char room[1 << 20];

// The first processing element of whoever goes on pays for the end of the process before.
static void pay(void)
{
	measured(SYS_GETPID, 0, 0, 0, 0, 0, 0);
}

// This program again, which then ends at once.
static void again(const char **arguments)
{
	const char *none[] = {0};
	measured(SYS_EXECVE, (long)"/proc/self/exe", (long)arguments, (long)none, 0, 0, 0);
}

// Segments in descending order, one page each; of the last one the code is executed.
static void segments(u64 n)
{
	extern char _start[];
	struct header { unsigned type, flags; u64 offset, address, physical, in_file, in_memory, align; };
	static const unsigned char code[] = {0x31, 0xff, 0xb8, 231, 0, 0, 0, 0x0f, 0x05};
	u64 *head = (u64 *)room, entry = (u64)_start, length = 64 + 56 * (n + 1), within = entry % PAGE;
	u64 offset = (length + PAGE - 1) / PAGE * PAGE + within;
	head[0] = 0x00010102464c457f, head[1] = 0, head[2] = 0x1003e0002, head[3] = entry, head[4] = 64, head[5] = 0;
	head[6] = 64ul << 32 | 56ul << 48, head[7] = n + 1;
	struct header *headers = (struct header *)(room + 64);
	for (u64 i = 0; i < n; i++)
		headers[i] = (struct header){1, 6, 0, (u64)place + 2 * PAGE * (n - i), 0, 0, PAGE, PAGE};
	headers[n] = (struct header){1, 5, offset, entry, 0, sizeof code, sizeof code, PAGE};
	for (u64 i = 0; i < sizeof code; i++)
		room[offset + i] = code[i];
	long fd = sure(call(SYS_OPEN, (long)"program", CREATE, 0755));
	sure(call(SYS_WRITE, fd, (long)room, offset + sizeof code));
	sure(call(SYS_CLOSE, fd, 0, 0));
	// Linux takes no more than 64 KiB of headers.
	const char *none[] = {0};
	measured(SYS_EXECVE, (long)"program", (long)none, (long)none, 0, 0, 0);
}

static void arguments(u64 n)
{
	const char **list = (const char **)room;
	list[0] = "bench-scaling", list[1] = "quit";
	for (u64 i = 2; i < n; i++)
		list[i] = "argument";
	list[n] = 0;
	again(list);
}

static void open_many(u64 n, long flags)
{
	long first = sure(call(SYS_OPEN, (long)"/dev/null", flags, 0));
	for (u64 i = 1; i < n; i++)
		sure(call(SYS_OPEN, (long)"/dev/null", flags, 0));
	// Every other one: what they lay in is full of holes.
	for (u64 i = 0; i < n; i += 2)
		sure(call(SYS_CLOSE, first + i, 0, 0));
}

static void descriptors(u64 n)
{
	CHILD(open_many(n, 0));
	pay();
}

static void descriptors_exec(u64 n)
{
	open_many(n, CLOEXEC);
	const char *list[] = {"bench-scaling", "quit", 0};
	again(list);
}

// Objects of one page each.
static void objects(u64 n)
{
	for (u64 i = 0; i < n; i++)
		map(place + i * PAGE, 1, SHARED | ANONYMOUS, -1, 0);
}

static void objects_mmap(u64 n)
{
	objects(n);
	measured(SYS_MMAP, (long)(place + n * PAGE), PAGE, RW, SHARED | ANONYMOUS | FIXED, -1, 0);
}

static void objects_munmap(u64 n)
{
	objects(n);
	measured(SYS_MUNMAP, (long)place, n * PAGE, 0, 0, 0, 0);
}

static void objects_fault(u64 n)
{
	objects(n);
	measured_touch(place + n / 2 * PAGE);
}

static void objects_read(u64 n)
{
	objects(n);
	long zero = sure(call(SYS_OPEN, (long)"/dev/zero", 0, 0));
	measured(SYS_READ, zero, (long)place, n * PAGE, 0, 0, 0);
}

static void objects_exit(u64 n)
{
	CHILD(objects(n); for (u64 i = 0; i < n; i++) touch(place + i * PAGE));
	pay();
}

// A child cuts all the files that its parent has mapped.
static void cuts(u64 n)
{
	long last = -1;
	for (u64 i = 0; i < n; i++) {
		map(place + 2 * i * PAGE, 1, SHARED, last = memfd(1), 0);
		touch(place + 2 * i * PAGE);
	}
	CHILD(for (u64 i = 0; i < n; i++) sure(call(SYS_FTRUNCATE, last - i, 0, 0)));
	pay();
}

static void shared_munmap(u64 n)
{
	map(place, n, SHARED | ANONYMOUS, -1, 0);
	for (u64 i = 0; i < n; i++)
		touch(place + i * PAGE);
	measured(SYS_MUNMAP, (long)place, n * PAGE, 0, 0, 0, 0);
}

// The lower the page, the higher its frame.
static void shared_fork(u64 n)
{
	map(place, n, SHARED | ANONYMOUS, -1, 0);
	for (u64 i = n; i-- > 0;)
		touch(place + i * PAGE);
	if (measured(SYS_FORK, 0, 0, 0, 0, 0, 0) == 0)
		leave(0);
	call6(SYS_WAIT4, -1, 0, 0, 0, 0, 0);
}

// One page of a file, again and again.
static void aliases(u64 n)
{
	long fd = memfd(1);
	for (u64 i = 0; i < n; i++) {
		map(place + i * PAGE, 1, SHARED, fd, 0);
		touch(place + i * PAGE);
	}
}

static void aliases_mprotect(u64 n)
{
	aliases(n);
	measured(SYS_MPROTECT, (long)place, n * PAGE, 1, 0, 0, 0);
}

static void aliases_munmap(u64 n)
{
	aliases(n);
	measured(SYS_MUNMAP, (long)place, n * PAGE, 0, 0, 0, 0);
}

// Every other page is there.
static void isolated(u64 n)
{
	map(place, 2 * n, PRIVATE | ANONYMOUS, -1, 0);
	for (u64 i = 0; i < n; i++)
		touch(place + 2 * i * PAGE);
}

static void isolated_madvise(u64 n)
{
	isolated(n);
	// Many areas.
	for (u64 i = 1; i < 2 * n; i += 4)
		sure(call(SYS_MPROTECT, (long)(place + i * PAGE), PAGE, 1));
	measured(SYS_MADVISE, (long)place, 2 * n * PAGE, 4 /* MADV_DONTNEED */, 0, 0, 0);
}

static void isolated_mremap(u64 n)
{
	isolated(n);
	measured(SYS_MREMAP, (long)place, 2 * n * PAGE, 2 * n * PAGE, 3 /* MREMAP_MAYMOVE, _FIXED */, (long)away, 0);
}

static void isolated_read(u64 n)
{
	isolated(n);
	long zero = sure(call(SYS_OPEN, (long)"/dev/zero", 0, 0));
	measured(SYS_READ, zero, (long)place, 2 * n * PAGE, 0, 0, 0);
}

// Pages in front of those that are there.
static void file_pwrite(u64 n)
{
	long fd = memfd(2 * n);
	map(place, 1, SHARED, fd, 0);
	for (u64 i = n; i < 2 * n; i++)
		sure(call6(SYS_PWRITE, fd, (long)"x", 1, i * PAGE, 0, 0));
	map(away, n, PRIVATE | ANONYMOUS, -1, 0);
	measured(SYS_PWRITE, fd, (long)away, n * PAGE, 0, 0, 0);
}

// Thirty links in a row: what is left of the path grows with each.
static void links(u64 n)
{
	char name[24], *end;
	for (u64 link = 0; link < 30; link++) {
		end = number(room, link + 1);
		for (u64 i = 0; i < n; i++)
			*end++ = '/', *end++ = '.';
		*end = 0;
		number(name, link);
		sure(call(SYS_SYMLINK, (long)(link < 29 ? room : "."), (long)name, 0));
	}
	measured(SYS_ACCESS, (long)"0", 0, 0, 0, 0, 0);
}

// A path of n names through a directory with n entries.
static void names(u64 n)
{
	for (u64 i = 0; i < n; i++)
		file(i);
	sure(call(SYS_MKDIR, (long)"z", 0755, 0));
	char *end = room;
	for (u64 i = 0; i < n / 2; i++)
		*end++ = 'z', *end++ = '/', *end++ = '.', *end++ = '.', *end++ = '/';
	*end = 0;
	measured(SYS_ACCESS, (long)room, 0, 0, 0, 0, 0);
}

static void entries(u64 n)
{
	for (u64 i = 0; i < n; i++)
		file(i);
	long fd = sure(call(SYS_OPEN, (long)".", 0, 0));
	measured(SYS_GETDENTS, fd, (long)room, sizeof room, 0, 0, 0);
}

static void unlinked(u64 n)
{
	for (u64 i = 0; i < n; i++)
		file(i);
	measured(SYS_UNLINK, (long)"f0", 0, 0, 0, 0, 0);
}

static void depth(u64 n)
{
	for (u64 i = 0; i < n; i++) {
		sure(call(SYS_MKDIR, (long)"d", 0755, 0));
		sure(call(SYS_CHDIR, (long)"d", 0, 0));
	}
	measured(SYS_GETCWD, (long)room, sizeof room, 0, 0, 0, 0);
}

static void buffers(u64 n)
{
	long zero = sure(call(SYS_OPEN, (long)"/dev/zero", 0, 0));
	struct { char *at; u64 length; } *list = (void *)room;
	map(place, 2 * n, PRIVATE | ANONYMOUS, -1, 0);
	for (u64 i = 0; i < n; i++)
		list[i].at = place + 2 * i * PAGE, list[i].length = 8;
	measured(SYS_READV, zero, (long)room, n, 0, 0, 0);
}

static void polled(u64 n)
{
	struct { int fd; short wanted, seen; } *list = (void *)room;
	for (u64 i = 0; i < n; i++)
		list[i].fd = 1, list[i].wanted = 4 /* POLLOUT */;
	measured(SYS_POLL, (long)room, n, 0, 0, 0, 0);
}

// All wait for one word.
static void waiters(u64 n)
{
	volatile int *word = (volatile int *)map(place, 1, SHARED | ANONYMOUS, -1, 0);
	for (u64 i = 0; i < n; i++)
		if (sure(call(SYS_FORK, 0, 0, 0)) == 0) {
			__atomic_add_fetch(&word[1], 1, __ATOMIC_SEQ_CST);
			call6(SYS_FUTEX, (long)word, 0 /* FUTEX_WAIT */, 0, 0, 0, 0);
			leave(0);
		}
	while (__atomic_load_n(&word[1], __ATOMIC_SEQ_CST) < (int)n)
		call(SYS_YIELD, 0, 0, 0);
	// Who has not come so far does not wait any more.
	for (u64 i = 0; i < 3; i++)
		call(SYS_YIELD, 0, 0, 0);
	__atomic_store_n(&word[0], 1, __ATOMIC_SEQ_CST);
	measured(SYS_FUTEX, (long)word, 1 /* FUTEX_WAKE */, n, 0, 0, 0);
	for (u64 i = 0; i < n; i++)
		sure(call6(SYS_WAIT4, -1, 0, 0, 0, 0, 0));
}

static const struct { const char *name; void (*run)(u64 n); } kinds[] = {
	{"segments", segments}, {"arguments", arguments}, {"descriptors", descriptors},
	{"descriptors-exec", descriptors_exec}, {"objects-mmap", objects_mmap}, {"objects-munmap", objects_munmap},
	{"objects-fault", objects_fault}, {"objects-read", objects_read}, {"objects-exit", objects_exit}, {"cuts", cuts},
	{"shared-munmap", shared_munmap}, {"shared-fork", shared_fork}, {"aliases-mprotect", aliases_mprotect},
	{"aliases-munmap", aliases_munmap}, {"isolated-madvise", isolated_madvise}, {"isolated-mremap", isolated_mremap},
	{"isolated-read", isolated_read}, {"file-pwrite", file_pwrite}, {"links", links}, {"names", names},
	{"entries", entries}, {"unlink", unlinked}, {"depth", depth}, {"buffers", buffers}, {"poll", polled},
	{"waiters", waiters},
};

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void start(const long *stack)
{
	const char *name = stack[0] > 1 ? (const char *)stack[2] : "";
	if (same(name, "quit"))
		leave(0);
	u64 n = argument(stack, 2, 0), done = 0;
	for (u64 kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
		for (u64 size = n; n > 0 && size <= 4 * n && same(name, kinds[kind].name); size *= 2) {
			char directory[24] = "scaling";
			number(directory + 7, size);
			int status = 0;
			long child = sure(call(SYS_FORK, 0, 0, 0));
			if (child == 0) {
				sure(call(SYS_MKDIR, (long)directory, 0755, 0));
				sure(call(SYS_CHDIR, (long)directory, 0, 0));
				kinds[kind].run(size);
				leave(0);
			}
			sure(call6(SYS_WAIT4, child, (long)&status, 0, 0, 0, 0));
			done += status == 0;
		}
	finish(done);
}
