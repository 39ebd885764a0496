#include "fuzz_mods.h"

/* Deletion records in the binary form of IoTDB 2 (.mods2): of trees and of tables. */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)check_mods(MODS_BINARY, data, size);
	return 0;
}
