// SPDX-License-Identifier: MIT
// A plugin for QEMU's TCG that counts every executed instruction by its address and by the phase of the run.
//
// The kernel reads the time stamp counter where one phase ends and another begins. The file `marks` has the addresses of
// those RDTSC instructions and what each means; what was executed since the last mark belongs to the phase that the next
// one ends. Between the marks `entered` and `left` user instructions are the run's, and the kernel's own belong to what
// comes next, as in the kernel's own books (pe-replay/src/phases.rs).
//
// Arguments: marks=FILE, out=FILE, entry=ADDRESS (where the program starts: before, all is boot), runs=N (how many runs
// of a PE follow each other without a restart). Nothing of QEMU's header is needed but these declarations.
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                  void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *instruction);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *instruction,
                                                   void (*call)(unsigned, void *), int flags, void *data);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, void *), void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_API;

// In the order of pe_replay::TimedPhase, then what lies before and behind.
enum { FIRST_RUN, TREATMENT, RESTART, FLUSH, SECOND_RUN, THIRD_RUN, VERIFY_COMMIT, OTHER, BOOT, AFTERWARDS, PHASES };
// Marks beside those that end a phase and nothing more, which have its number.
enum { ENTERED = 100, LEFT, TURN, ROLL_BACK };

// One address.
struct place {
	uint64_t address;
	int mark; // what it is a mark of, or -1
	uint64_t since_mark;
	uint64_t counts[PHASES];
	struct place *next;    // with the same hash
	struct place *touched; // executed since the last mark, too
};

enum { BUCKETS = 1 << 16, MARKS = 256 };
static struct place *buckets[BUCKETS];
static struct place *touched;
static struct {
	uint64_t address;
	int kind;
} marks[MARKS];
static int mark_count;
static uint64_t entry;
static const char *out;

// Where the run stands.
static bool started, in_run, afresh = true;
static int run, last_run = 1;

static const int RUNS[] = {FIRST_RUN, SECOND_RUN, THIRD_RUN};

static bool is_user(uint64_t address)
{
	return address >> 47 == 0;
}

static struct place *find(uint64_t address)
{
	struct place **bucket = &buckets[(address ^ address >> 16) % BUCKETS];
	for (struct place *place = *bucket; place; place = place->next)
		if (place->address == address)
			return place;
	struct place *place = calloc(1, sizeof *place);
	if (!place)
		abort();
	place->address = address;
	place->mark = -1;
	for (int index = 0; index < mark_count; index++)
		if (marks[index].address == address)
			place->mark = marks[index].kind;
	place->next = *bucket;
	return *bucket = place;
}

// Books what was executed since the last mark; of the rest, which stays, only user code if that is all that is asked for.
static void book(int phase, bool user_only)
{
	struct place *left = NULL, *next;
	for (struct place *place = touched; place; place = next) {
		next = place->touched;
		if (user_only && !is_user(place->address)) {
			place->touched = left;
			left = place;
		} else {
			place->counts[phase] += place->since_mark;
			place->since_mark = 0;
		}
	}
	touched = left;
}

static void pass(int mark)
{
	switch (mark) {
	case ENTERED:
		if (!started)
			book(BOOT, false);
		else if (in_run)
			book(run == 0 ? TREATMENT : RESTART, false);
		else
			book(afresh ? OTHER : RESTART, false);
		in_run = started;
		break;
	case LEFT:
		book(started ? RUNS[run] : BOOT, started);
		break;
	case TURN:
	case ROLL_BACK:
		book(started ? RESTART : BOOT, false);
		run = mark == ROLL_BACK ? 0 : run < last_run ? run + 1 : run;
		in_run = afresh = false;
		break;
	default:
		book(started ? mark : BOOT, false);
		if (mark == OTHER) {
			run = 0;
			in_run = false;
			afresh = true;
		}
	}
}

static void executed(unsigned processor, void *data)
{
	(void)processor;
	struct place *place = data;
	if (place->mark >= 0)
		pass(place->mark);
	if (!started && place->address == entry && is_user(entry))
		started = in_run = true;
	if (place->since_mark++ == 0) {
		place->touched = touched;
		touched = place;
	}
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
	(void)id;
	for (size_t index = 0; index < qemu_plugin_tb_n_insns(block); index++) {
		struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(block, index);
		struct place *place = find(qemu_plugin_insn_vaddr(instruction));
		qemu_plugin_register_vcpu_insn_exec_cb(instruction, executed, 0, place);
	}
}

static void ended(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	book(started ? AFTERWARDS : BOOT, false);
	FILE *file = fopen(out, "w");
	if (!file)
		return;
	for (int bucket = 0; bucket < BUCKETS; bucket++)
		for (struct place *place = buckets[bucket]; place; place = place->next) {
			fprintf(file, "%" PRIx64, place->address);
			for (int phase = 0; phase < PHASES; phase++)
				fprintf(file, " %" PRIu64, place->counts[phase]);
			fputc('\n', file);
		}
	fputs("end\n", file);
	fclose(file);
}

static bool read_marks(const char *path)
{
	FILE *file = fopen(path, "r");
	if (!file)
		return false;
	while (mark_count < MARKS
	       && fscanf(file, "%" SCNx64 " %d", &marks[mark_count].address, &marks[mark_count].kind) == 2)
		mark_count++;
	bool whole = feof(file);
	fclose(file);
	return whole;
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count,
                                                               char **arguments)
{
	(void)info;
	bool ready = false;
	for (int index = 0; index < count; index++) {
		const char *value = strchr(arguments[index], '=');
		if (!value)
			return -1;
		value++;
		if (!strncmp(arguments[index], "marks=", 6))
			ready = read_marks(value);
		else if (!strncmp(arguments[index], "out=", 4))
			out = strdup(value);
		else if (!strncmp(arguments[index], "entry=", 6))
			entry = strtoull(value, NULL, 16);
		else if (!strncmp(arguments[index], "runs=", 5))
			last_run = atoi(value) - 1;
	}
	if (!ready || !out || last_run < 0 || last_run > 2)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
