#include "gather.h"

uint64_t gather_ms(size_t n_files, uint64_t now_ms, uint64_t done_ms)
{
	if (n_files == 0 || n_files >= COMMIT_GATHER_FILES)
		return 0;
	if (!done_ms || now_ms - done_ms > COMMIT_GATHER_MS)
		return 0;
	return COMMIT_GATHER_MS;
}
