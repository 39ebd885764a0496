#include "iotdb_code.h"

#include <stdio.h>
#include <string.h>

#include "ground/base.h"
#include "iotdb_sql.h"

/* Numbers were dealt anew at 1.0: two families. */
enum family {
	FAMILY_0_13,
	FAMILY_1
};

/* Where a line is from: read in the server's source, or seen on a running one. */
#define READ "iotdb-formats, section 7.5"
#define READ_LOAD "iotdb-formats, section 6.3"
#define SEEN "iotdb-observed, section 3"

static const struct {
	enum family family;
	int code;
	enum iotdb_means means;
	const char *what, *source;
} codes[] = {
	{FAMILY_0_13, 200, MEANS_APPLIED, "success", READ},
	{FAMILY_0_13, 707, MEANS_APPLIED, "success, another node is nearer",
	 READ},
	{FAMILY_0_13, 299, MEANS_ALREADY, "alias exists", READ},
	{FAMILY_0_13, 300, MEANS_ALREADY, "path exists", READ},
	{FAMILY_0_13, 304, MEANS_ALREADY, "series does not exist", READ},
	{FAMILY_0_13, 322, MEANS_ALREADY, "storage group does not exist", READ},
	{FAMILY_0_13, 317, MEANS_RETRY, "storage group not ready", READ},
	{FAMILY_0_13, 413, MEANS_RETRY, "write rejected, memory", READ},
	{FAMILY_0_13, 415, MEANS_RETRY, "session timeout", READ},
	{FAMILY_0_13, 500, MEANS_RETRY, "internal", READ},
	{FAMILY_0_13, 700, MEANS_RETRY, "cluster partition", READ},
	{FAMILY_0_13, 701, MEANS_RETRY, "cluster time-out", READ},
	{FAMILY_0_13, 702, MEANS_RETRY, "cluster leader", READ},
	{FAMILY_0_13, 706, MEANS_RETRY, "cluster connection", READ},
	{FAMILY_0_13, 502, MEANS_STOP, "read-only", READ},
	{FAMILY_0_13, 503, MEANS_STOP, "disk space", READ},
	{FAMILY_0_13, 203, MEANS_STOP, "incompatible protocol", READ},
	{FAMILY_0_13, 600, MEANS_STOP, "wrong password", READ},
	{FAMILY_0_13, 601, MEANS_STOP, "not logged in", READ},
	{FAMILY_0_13, 602, MEANS_STOP, "no permission", READ_LOAD},

	{FAMILY_1, 200, MEANS_APPLIED, "success", SEEN},
	{FAMILY_1, 400, MEANS_APPLIED, "success, another node is nearer", READ},
	{FAMILY_1, 500, MEANS_ALREADY, "database does not exist", READ},
	{FAMILY_1, 501, MEANS_ALREADY, "database exists", SEEN},
	{FAMILY_1, 503, MEANS_ALREADY, "series exists", SEEN},
	{FAMILY_1, 505, MEANS_ALREADY, "alias exists", READ},
	{FAMILY_1, 506, MEANS_ALREADY, "path exists", READ},
	{FAMILY_1, 508, MEANS_ALREADY, "path does not exist", SEEN},
	{FAMILY_1, 1111, MEANS_ALREADY, "load: idempotent conflict", READ},
	{FAMILY_1, 1809, MEANS_ALREADY, "pipe: idempotent conflict", READ},
	{FAMILY_1, 305, MEANS_RETRY, "internal", READ},
	{FAMILY_1, 306, MEANS_RETRY, "dispatch", READ},
	{FAMILY_1, 602, MEANS_RETRY, "storage not ready", READ},
	{FAMILY_1, 605, MEANS_RETRY, "write error", READ},
	{FAMILY_1, 606, MEANS_RETRY, "write rejected, memory", READ},
	{FAMILY_1, 610, MEANS_RETRY, "WAL", READ},
	{FAMILY_1, 709, MEANS_RETRY, "memory not enough", READ},
	{FAMILY_1, 712, MEANS_RETRY, "internal time-out", READ},
	{FAMILY_1, 713, MEANS_RETRY, "internal retry", READ},
	{FAMILY_1, 715, MEANS_RETRY, "statement killed", READ},
	{FAMILY_1, 717, MEANS_RETRY, "too many statements", READ},
	{FAMILY_1, 719, MEANS_RETRY, "statement memory", READ},
	{FAMILY_1, 720, MEANS_RETRY, "statement time-out", READ},
	{FAMILY_1, 901, MEANS_RETRY, "region", READ},
	{FAMILY_1, 904, MEANS_RETRY, "region", READ},
	{FAMILY_1, 905, MEANS_RETRY, "region", READ},
	{FAMILY_1, 906, MEANS_RETRY, "region", READ},
	{FAMILY_1, 907, MEANS_RETRY, "region", READ},
	{FAMILY_1, 1003, MEANS_RETRY, "not enough data nodes", READ},
	{FAMILY_1, 1103, MEANS_RETRY, "load: connection", READ_LOAD},
	{FAMILY_1, 1110, MEANS_RETRY, "load: unavailable for now", READ_LOAD},
	{FAMILY_1, 1808, MEANS_RETRY, "pipe: unavailable for now", READ},
	{FAMILY_1, 600, MEANS_STOP, "read-only", SEEN},
	{FAMILY_1, 611, MEANS_STOP, "disk space", READ_LOAD},
	{FAMILY_1, 201, MEANS_STOP, "incompatible protocol", READ},
	{FAMILY_1, 203, MEANS_STOP, "starting", READ},
	{FAMILY_1, 800, MEANS_STOP, "log-in", READ},
	{FAMILY_1, 801, MEANS_STOP, "wrong password", SEEN},
	{FAMILY_1, 802, MEANS_STOP, "not logged in", READ},
	{FAMILY_1, 803, MEANS_STOP, "no permission", SEEN},
	{FAMILY_1, 820, MEANS_STOP, "password policy", READ},
	{FAMILY_1, 822, MEANS_STOP, "user locked", READ},
};

enum iotdb_means iotdb_code_means(unsigned version, int code, bool may_retry)
{
	enum family family = version < IOTDB_1_0 ? FAMILY_0_13 : FAMILY_1;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].family == family && codes[i].code == code)
			return codes[i].means;
	return may_retry ? MEANS_RETRY : MEANS_QUARANTINE;
}

bool iotdb_says_not_found(const char *text)
{
	return strstr(text, "Can not find") || strstr(text, "is not exist") ||
	       strstr(text, "does not exist on this machine");
}

bool iotdb_says_loading(const char *text)
{
	return strstr(text, "is loading by another scheduler");
}

bool iotdb_says_nothing(const char *text)
{
	return strstr(text, "Auto create or verify schema error") &&
	       !strstr(text, "Detail:");
}

/* "Measurement PlainDeviceID{deviceID='root.a.d'}.s datatype not match" or
 * "Measurement root.a.d.s datatype not match" (seen on 1.3.3; read for 1.0 and 2.0). */
bool iotdb_says_mismatch(const char *text, char *series, unsigned long size)
{
	static const char before[] = "Measurement ";
	const char *end = strstr(text, " datatype not match"), *p = NULL;
	const char *quote, *close;

	series[0] = 0;
	if (!end)
		return false;
	for (const char *at = text; (at = strstr(at, before)) && at < end;
	     at += sizeof before - 1)
		p = at + sizeof before - 1;
	if (!p)
		return true;
	quote = memchr(p, '\'', (size_t)(end - p));
	close = quote ? memchr(quote + 1, '\'', (size_t)(end - quote - 1))
		      : NULL;
	if (close && close + 2 < end && close[1] == '}')
		(void)snprintf(series, size, "%.*s%.*s",
			       (int)(close - quote - 1), quote + 1,
			       (int)(end - close - 2), close + 2);
	else if (!quote)
		(void)snprintf(series, size, "%.*s", (int)(end - p), p);
	return true;
}
