// SPDX-License-Identifier: MIT
// Sorts words with the C library's qsort, on its heap, and prints them with its printf.
#include "check.h"
#include <string.h>

enum { WORDS = 48 };

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(void)
{
	char *words[WORDS];
	for (unsigned i = 0; i < WORDS; i++) {
		unsigned length = 3 + random64() % 8;
		words[i] = malloc(length + 1);
		CHECK(words[i] != NULL);
		for (unsigned at = 0; at < length; at++)
			words[i][at] = (char)('a' + random64() % 26);
		words[i][length] = 0;
	}
	qsort(words, WORDS, sizeof *words, compare);
	for (unsigned i = 0; i < WORDS; i++) {
		CHECK(i == 0 || strcmp(words[i - 1], words[i]) <= 0);
		checksum(words[i], strlen(words[i]));
		printf("%2u %s%c", i, words[i], i % 6 == 5 ? '\n' : '\t');
	}
	for (unsigned i = 0; i < WORDS; i++)
		free(words[i]);
	report("words");
	return 0;
}
