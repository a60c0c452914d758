// SPDX-License-Identifier: MIT
// Executes single instructions on the processor, for the test that holds the kernel's performing of instructions
// against it. `native list` prints where each instruction lies, and its bytes. `native run` reads states from its
// standard input, executes an instruction from each, and writes what it has come to.
//
// The instructions lie in `forms.S`, which the test writes. They access memory at fixed addresses only: what is a
// device's for the kernel is plain memory here.

#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { WINDOW = 512, PAGES = 3 * 4096, CENTER = 4096 };
#define DEVICE ((uint8_t *)0x20000000)
#define MEMORY ((uint8_t *)0x21000000)

// What the assembly in `forms.S` loads and stores: general registers in the order of their numbers, flags, YMM0 to 15.
struct state {
    uint64_t gpr[16];
    uint64_t rflags;
    uint64_t number;
    uint64_t caught;
    uint64_t unused;
    uint8_t ymm[16][32];
    uint8_t device[WINDOW];
    uint8_t memory[WINDOW];
};

struct form {
    const uint8_t *begin, *end;
};
extern const struct form forms[];
extern const uint64_t form_count;
extern void execute(struct state *state, const uint8_t *code);
extern void executed(void);

static volatile uint64_t caught;

static void handle(int number, siginfo_t *info, void *context) {
    (void)info;
    ucontext_t *user = context;
    caught = (uint64_t)number;
    user->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)executed;
}

static void check(int holds, const char *what) {
    if (!holds) {
        perror(what);
        exit(2);
    }
}

static void list(void) {
    for (uint64_t at = 0; at < form_count; at++) {
        printf("%llx ", (unsigned long long)(uintptr_t)forms[at].begin);
        for (const uint8_t *byte = forms[at].begin; byte < forms[at].end; byte++) printf("%02x", *byte);
        printf("\n");
    }
}

static void map(uint8_t *address) {
    void *got = mmap(address, PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    check(got == address, "mmap");
}

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "list") == 0) {
        list();
        return 0;
    }
    map(DEVICE);
    map(MEMORY);
    static uint8_t stack[65536];
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    check(sigaltstack(&other, NULL) == 0, "sigaltstack");
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
    for (unsigned at = 0; at < sizeof signals / sizeof *signals; at++) {
        check(sigaction(signals[at], &action, NULL) == 0, "sigaction");
    }
    check(syscall(SYS_arch_prctl, ARCH_SET_GS, DEVICE + CENTER - 64) == 0, "arch_prctl");
    static struct state state;
    while (fread(&state, sizeof state, 1, stdin) == 1) {
        check(state.number < form_count, "the number of a form");
        uint8_t *device = DEVICE + CENTER - WINDOW / 2, *memory = MEMORY + CENTER - WINDOW / 2;
        memcpy(device, state.device, WINDOW);
        memcpy(memory, state.memory, WINDOW);
        caught = 0;
        execute(&state, forms[state.number].begin);
        state.caught = caught;
        memcpy(state.device, device, WINDOW);
        memcpy(state.memory, memory, WINDOW);
        check(fwrite(&state, sizeof state, 1, stdout) == 1, "fwrite");
    }
    return 0;
}
