/* What every fuzz target defines: libFuzzer's entry point. It aborts when
 * something that must be true is not, and returns 0. */
#ifndef TSFERRY_FUZZ_H
#define TSFERRY_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Like assert(), in every build, and known by name in a corpus run. */
#define FUZZ_MUST(cond)                                                 \
	do {                                                            \
		if (!(cond)) {                                          \
			(void)fprintf(stderr, "%s:%d: must hold: %s\n", \
				      __FILE__, __LINE__, #cond);       \
			abort();                                        \
		}                                                       \
	} while (0)

#endif
