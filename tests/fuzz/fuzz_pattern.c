#include <string.h>

#include "domain/pattern.h"
#include "fuzz.h"
#include "ground/base.h"
#include "ground/err.h"

/* A pattern, a newline, a device. In doubt the answer is yes, so what matches by hand must
 * be a yes: the device's own name with a series, and everything below root. */

static bool touches(const char *pattern, const char *device, size_t n)
{
	return pattern_may_touch(pattern, strlen(pattern), device, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	const char *device;
	char *own;
	size_t n, len;

	if (!newline || size > 300)
		return 0;
	n = (size_t)(newline - data);
	device = (const char *)newline + 1;
	len = size - n - 1;
	(void)pattern_may_touch((const char *)data, n, device, len);
	if (memchr(device, '\0', len) || memchr(device, '*', len))
		return 0;
	own = xcalloc(1, len + 8);
	memcpy(own, device, len);
	memcpy(own + len, ".s", 3);
	if (!memchr(device, '`', len) && len && device[len - 1] != '.' &&
	    device[0] != '.' && !strstr(own, "..")) {
		FUZZ_MUST(touches(own, device, len));
		memcpy(own + len, ".*", 3);
		FUZZ_MUST(touches(own, device, len));
		FUZZ_MUST(touches("**", device, len));
		if (len > 5 && memcmp(device, "root.", 5) == 0)
			FUZZ_MUST(touches("root.**", device, len));
	}
	free(own);
	return 0;
}
