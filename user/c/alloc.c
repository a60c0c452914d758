// SPDX-License-Identifier: MIT
// Allocation-heavy: malloc, calloc, realloc and free of all sizes, also blocks that malloc maps on their own.
#include "check.h"
#include <string.h>

enum { SLOTS = 512, STEPS = 5000 };

struct slot {
	unsigned char *data;
	size_t length;
	unsigned char seed;
};

static struct slot slots[SLOTS];

// Mostly small, sometimes a few pages, rarely above the threshold from which malloc maps a block.
static size_t random_length(void)
{
	uint64_t kind = random64() % 100;
	if (kind < 80)
		return 1 + random64() % 256;
	if (kind < 98)
		return 1 + random64() % 8192;
	return 140000 + random64() % 200000;
}

// Larger blocks are filled and checked at some places of every page, and at their ends.
static size_t stride(const struct slot *slot)
{
	return slot->length > 8192 ? 1021 : slot->length > 256 ? 61 : 1;
}

static unsigned char expected(const struct slot *slot, size_t at)
{
	return (unsigned char)(slot->seed + at * 7);
}

static void fill(struct slot *slot)
{
	slot->seed = (unsigned char)random64();
	for (size_t i = 0; i < slot->length; i += stride(slot))
		slot->data[i] = expected(slot, i);
	slot->data[slot->length - 1] = expected(slot, slot->length - 1);
}

static void verify(const struct slot *slot, size_t length)
{
	for (size_t i = 0; i < length; i += stride(slot))
		CHECK(slot->data[i] == expected(slot, i));
}

static void release(struct slot *slot)
{
	verify(slot, slot->length);
	CHECK(slot->data[slot->length - 1] == expected(slot, slot->length - 1));
	checksum(slot->data, slot->length < 32 ? slot->length : 1);
	free(slot->data);
	slot->data = NULL;
}

int main(void)
{
	size_t allocated = 0, resized = 0, mapped = 0;
	for (int step = 0; step < STEPS; step++) {
		struct slot *slot = &slots[random64() % SLOTS];
		if (!slot->data) {
			slot->length = random_length();
			int zeroed = random64() & 1;
			slot->data = zeroed ? calloc(1, slot->length) : malloc(slot->length);
			CHECK(slot->data);
			for (size_t i = 0; zeroed && i < slot->length; i += stride(slot))
				CHECK(slot->data[i] == 0);
			fill(slot);
			allocated++;
			mapped += slot->length >= 140000;
		} else if (random64() % 3 == 0) {
			size_t length = random_length();
			size_t kept = length < slot->length ? length : slot->length;
			size_t old_stride = stride(slot);
			unsigned char *data = realloc(slot->data, length);
			CHECK(data);
			slot->data = data;
			for (size_t i = 0; i < kept; i += old_stride)
				CHECK(data[i] == expected(slot, i));
			slot->length = length;
			fill(slot);
			resized++;
		} else {
			release(slot);
		}
	}
	for (int i = 0; i < SLOTS; i++)
		if (slots[i].data)
			release(&slots[i]);
	printf("allocated %zu, resized %zu, large %zu\n", allocated, resized, mapped);
	report("contents");
	return 0;
}
