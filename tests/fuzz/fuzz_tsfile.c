#include <string.h>
#include <sys/mman.h>

#include "domain/tsfile.h"
#include "fuzz.h"
#include "ground/fileio.h"

/* The input is a file. What is called a sealed TsFile has its magic at both ends and
 * metadata that lies between them. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_CLOSE int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct tsfile_ends ends;
	struct err e;

	FUZZ_MUST(fd >= 0);
	FUZZ_MUST(file_pwrite(fd, data, size, 0) == 0);
	err_clear(&e);
	if (tsfile_read_ends(fd, &ends, &e) < 0) {
		FUZZ_MUST(strncmp(e.text, "not a ", 6) == 0);
		return 0;
	}
	FUZZ_MUST(ends.version == 3 || ends.version == 4);
	FUZZ_MUST(ends.len == size && size >= 28);
	FUZZ_MUST(memcmp(data, "TsFile", 6) == 0 && data[6] == ends.version);
	FUZZ_MUST(memcmp(data + size - 6, "TsFile", 6) == 0);
	FUZZ_MUST(ends.metadata_len > 0 && ends.metadata_len < size);
	FUZZ_MUST(ends.metadata_offset >= 8);
	FUZZ_MUST(ends.metadata_offset + ends.metadata_len + 10 == size);
	return 0;
}
