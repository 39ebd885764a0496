/* When a group of entries is committed: at once when nothing runs, but files that follow
 * files wait a moment for others. Each sync waits for the disk's cache as a whole, so few
 * large groups beat many small ones. Pure; commit.c asks. */
#ifndef TSFERRY_GATHER_H
#define TSFERRY_GATHER_H

#include <stddef.h>
#include <stdint.h>

#define COMMIT_GATHER_FILES 16u
#define COMMIT_GATHER_MS 3u

/* How long a queue with n files waits; 0: it goes now. `done_ms`: when the last group with
 * files was durable, 0: never. */
uint64_t gather_ms(size_t n_files, uint64_t now_ms, uint64_t done_ms);

#endif
