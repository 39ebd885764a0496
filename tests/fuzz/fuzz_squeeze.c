#include <string.h>

#include "domain/squeeze.h"
#include "fuzz.h"

/* The input is a frame that claims anything (two bytes say how long its plain bytes shall be, one
 * how much of it is a prefix), and then itself plain bytes that are squeezed and come back. What a frame
 * says is not believed: just so many bytes, or none. */

static void check_frame(const uint8_t *p, size_t n, uint32_t len)
{
	struct squeezer *z = NULL;
	const uint8_t *plain = unsqueeze(&z, p, (uint32_t)n, len);

	for (uint32_t i = 0; plain && i < len; i += 4096)
		FUZZ_MUST(plain[i] <= 255); /* it can be read */
	FUZZ_MUST(!unsqueeze(&z, p, (uint32_t)n, BLOCK_LEN + 1));
	squeezer_free(z);
}

/* From memory of just this size. */
static void check_behind(const uint8_t *p, size_t n, size_t prefix,
			 uint32_t len)
{
	uint8_t *to = xcalloc(1, len + 1);

	to[len] = 0x5a;
	(void)!unsqueeze_behind(p, prefix, p + prefix, (uint32_t)(n - prefix),
				to, len);
	FUZZ_MUST(to[len] == 0x5a);
	free(to);
}

static void check_again(const uint8_t *p, size_t n)
{
	struct squeezer *z = NULL;
	uint32_t len = (uint32_t)(n > BLOCK_LEN ? BLOCK_LEN : n), packed;
	uint8_t *data = xcalloc(1, len + 1);
	const uint8_t *plain;

	memcpy(data, p, len);
	packed = squeeze(&z, data, len);
	FUZZ_MUST(packed <= len - len / 16);
	if (packed) {
		plain = unsqueeze(&z, data, packed, len);
		FUZZ_MUST(plain && memcmp(plain, p, len) == 0);
		FUZZ_MUST(!unsqueeze(&z, data, packed, len - 1));
	} else {
		FUZZ_MUST(memcmp(data, p, len) == 0);
	}
	squeezer_free(z);
	free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t len;
	size_t prefix;

	if (size < 4 || size > BLOCK_LEN)
		return 0;
	len = (uint32_t)(data[0] | data[1] << 8) * 4 + 1;
	prefix = data[2] * (size - 3) / 255;
	check_frame(data + 3, size - 3, len > BLOCK_LEN ? BLOCK_LEN : len);
	check_behind(data + 3, size - 3, prefix, len);
	check_again(data + 3, size - 3);
	return 0;
}
