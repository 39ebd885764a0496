#include "iotdb_code.h"

#include <stdio.h>
#include <string.h>

#include "ground/base.h"
#include "iotdb_sql.h"

/* The first family that has a number. They were dealt anew at 1.0, and from then on none came to
 * mean something else. */
enum family {
	FAMILY_0_13,
	FAMILY_1_0, /* to 1.2 */
	FAMILY_1_3,
	FAMILY_2_0
};

/* Where a line is from: read in the server's source, seen on a running one, or in the table
 * of numbers (TSStatusCode) of the servers 1.0.1, 1.2.2, 1.3.3 and 2.0.6. */
#define READ "iotdb-formats, section 7.5"
#define READ_LOAD "iotdb-formats, section 6.3"
#define SEEN "iotdb-observed, section 3"
#define NAME "TSStatusCode"
#define LIVE "tests/iotdb/names.bats"

struct line {
	enum family family;
	int code;
	enum iotdb_means means;
	const char *what, *source;
};

static const struct line codes_0_13[] = {
	{FAMILY_0_13, 200, MEANS_APPLIED, "success", READ},
	{FAMILY_0_13, 707, MEANS_APPLIED, "another node is nearer", READ},
	{FAMILY_0_13, 299, MEANS_ALREADY, "alias exists", READ},
	{FAMILY_0_13, 300, MEANS_ALREADY, "path exists", READ},
	{FAMILY_0_13, 304, MEANS_ALREADY, "series does not exist", READ},
	{FAMILY_0_13, 322, MEANS_ALREADY, "no such storage group", READ},
	{FAMILY_0_13, 313, MEANS_RETRY, "storage engine", READ},
	{FAMILY_0_13, 317, MEANS_RETRY, "storage group not ready", READ},
	{FAMILY_0_13, 412, MEANS_RETRY, "write error", READ},
	{FAMILY_0_13, 413, MEANS_RETRY, "write rejected, memory", READ},
	{FAMILY_0_13, 415, MEANS_RETRY, "session timeout", READ},
	{FAMILY_0_13, 500, MEANS_RETRY, "internal", READ},
	{FAMILY_0_13, 502, MEANS_RETRY, "read-only", READ},
	{FAMILY_0_13, 503, MEANS_RETRY, "disk space", READ},
	{FAMILY_0_13, 700, MEANS_RETRY, "cluster partition", READ},
	{FAMILY_0_13, 701, MEANS_RETRY, "cluster time-out", READ},
	{FAMILY_0_13, 702, MEANS_RETRY, "cluster leader", READ},
	{FAMILY_0_13, 706, MEANS_RETRY, "cluster connection", READ},
	{FAMILY_0_13, 303, MEANS_QUARANTINE, "metadata", READ},
	{FAMILY_0_13, 305, MEANS_QUARANTINE, "out of TTL", READ},
	{FAMILY_0_13, 316, MEANS_QUARANTINE, "load", READ_LOAD},
	{FAMILY_0_13, 400, MEANS_QUARANTINE, "execute", READ},
	{FAMILY_0_13, 401, MEANS_QUARANTINE, "not understood", READ_LOAD},
	{FAMILY_0_13, 411, MEANS_QUARANTINE, "load, for any reason", READ_LOAD},
	{FAMILY_0_13, 506, MEANS_QUARANTINE, "several", READ},
	{FAMILY_0_13, 203, MEANS_STOP, "incompatible protocol", READ},
	{FAMILY_0_13, 600, MEANS_STOP, "wrong password", READ},
	{FAMILY_0_13, 601, MEANS_STOP, "not logged in", READ},
	{FAMILY_0_13, 602, MEANS_STOP, "no permission", READ_LOAD},
};

static const struct line codes[] = {
	{FAMILY_1_0, 200, MEANS_APPLIED, "success", SEEN},
	{FAMILY_1_0, 400, MEANS_APPLIED, "another node is nearer", READ},

	{FAMILY_1_0, 500, MEANS_ALREADY, "database does not exist", READ},
	{FAMILY_1_0, 501, MEANS_ALREADY, "database exists", SEEN},
	{FAMILY_1_0, 503, MEANS_ALREADY, "series exists", SEEN},
	{FAMILY_1_0, 505, MEANS_ALREADY, "alias exists", READ},
	{FAMILY_1_0, 506, MEANS_ALREADY, "path exists", READ},
	{FAMILY_1_0, 508, MEANS_ALREADY, "path does not exist", SEEN},
	{FAMILY_1_0, 516, MEANS_ALREADY, "a template gives the series", LIVE},
	{FAMILY_2_0, 529, MEANS_ALREADY, "database above or below", LIVE},
	{FAMILY_1_3, 1111, MEANS_ALREADY, "load: there already", READ},
	{FAMILY_1_3, 1809, MEANS_ALREADY, "pipe: there already", READ},

	/* the node: read-only, full, starting, stopping */
	{FAMILY_1_0, 600, MEANS_RETRY, "read-only", SEEN},
	{FAMILY_1_0, 611, MEANS_RETRY, "disk space", READ_LOAD},
	{FAMILY_1_0, 203, MEANS_RETRY, "starting", READ},
	{FAMILY_1_0, 204, MEANS_RETRY, "stopping", NAME},
	{FAMILY_1_0, 601, MEANS_RETRY, "storage engine", NAME},
	{FAMILY_1_0, 602, MEANS_RETRY, "storage not ready", READ},
	{FAMILY_1_0, 603, MEANS_RETRY, "data region", NAME},
	{FAMILY_1_0, 604, MEANS_RETRY, "file processor", NAME},
	{FAMILY_1_0, 605, MEANS_RETRY, "write error", READ},
	{FAMILY_1_0, 610, MEANS_RETRY, "WAL", READ},
	/* memory and quotas */
	{FAMILY_1_0, 606, MEANS_RETRY, "write rejected, memory", READ},
	{FAMILY_1_0, 709, MEANS_RETRY, "memory not enough", READ},
	{FAMILY_1_3, 717, MEANS_RETRY, "too many statements", READ},
	{FAMILY_2_0, 719, MEANS_RETRY, "statement memory", READ},
	{FAMILY_1_0, 526, MEANS_RETRY, "quota of series", NAME},
	{FAMILY_1_0, 1700, MEANS_RETRY, "quota of space", NAME},
	{FAMILY_1_0, 1701, MEANS_RETRY, "quota of requests", NAME},
	{FAMILY_1_0, 1702, MEANS_RETRY, "quota of sizes", NAME},
	{FAMILY_1_0, 1704, MEANS_RETRY, "quota of writes", NAME},
	{FAMILY_1_0, 1705, MEANS_RETRY, "quota of writing", NAME},
	/* what is asked before a file goes */
	{FAMILY_1_0, 708, MEANS_RETRY, "query", NAME},
	{FAMILY_1_0, 711, MEANS_RETRY, "rows of a query", NAME},
	{FAMILY_2_0, 819, MEANS_RETRY, "plan of a query", NAME},
	{FAMILY_1_0, 1703, MEANS_RETRY, "quota of queries", NAME},
	{FAMILY_1_0, 1706, MEANS_RETRY, "quota of reading", NAME},
	{FAMILY_1_0, 1707, MEANS_RETRY, "quota of memory", NAME},
	{FAMILY_1_0, 1708, MEANS_RETRY, "quota of processors", NAME},
	/* the statement on its way */
	{FAMILY_1_0, 305, MEANS_RETRY, "internal", READ},
	{FAMILY_1_0, 306, MEANS_RETRY, "dispatch", READ},
	{FAMILY_1_0, 304, MEANS_RETRY, "another task deletes there", NAME},
	{FAMILY_1_0, 504, MEANS_RETRY, "series is being deleted", NAME},
	{FAMILY_1_0, 712, MEANS_RETRY, "internal time-out", READ},
	{FAMILY_1_0, 713, MEANS_RETRY, "internal retry", READ},
	{FAMILY_1_0, 714, MEANS_RETRY, "statement forgotten", READ},
	{FAMILY_1_0, 715, MEANS_RETRY, "statement killed", READ},
	{FAMILY_2_0, 720, MEANS_RETRY, "statement time-out", READ},
	{FAMILY_2_0, 721, MEANS_RETRY, "network partition", READ},
	{FAMILY_2_0, 722, MEANS_RETRY, "state of a fragment", NAME},
	/* regions and nodes that come, go or move */
	{FAMILY_1_0, 900, MEANS_RETRY, "region migrates", NAME},
	{FAMILY_1_0, 901, MEANS_RETRY, "region cannot be made", READ},
	{FAMILY_1_0, 903, MEANS_RETRY, "partition cache", NAME},
	{FAMILY_1_0, 904, MEANS_RETRY, "consensus not started", READ},
	{FAMILY_1_0, 905, MEANS_RETRY, "leader changes", READ},
	{FAMILY_1_0, 906, MEANS_RETRY, "no region available", READ},
	{FAMILY_1_0, 907, MEANS_RETRY, "partition not allocated", READ},
	{FAMILY_2_0, 908, MEANS_RETRY, "region is made again", NAME},
	{FAMILY_2_0, 909, MEANS_RETRY, "region gets a replica", NAME},
	{FAMILY_2_0, 910, MEANS_RETRY, "region loses a replica", NAME},
	{FAMILY_1_0, 1003, MEANS_RETRY, "not enough data nodes", READ},
	{FAMILY_1_0, 1005, MEANS_RETRY, "data node stops", NAME},
	{FAMILY_1_0, 1006, MEANS_RETRY, "data node is removed", NAME},
	{FAMILY_1_0, 1007, MEANS_RETRY, "data node is away", NAME},
	{FAMILY_1_3, 1010, MEANS_RETRY, "configuration node is away", NAME},
	{FAMILY_2_0, 1012, MEANS_RETRY, "no replica available", NAME},
	{FAMILY_1_3, 2206, MEANS_RETRY, "consensus group is away", NAME},
	{FAMILY_1_3, 2207, MEANS_RETRY, "replica cannot be read", NAME},
	/* the file on its way between nodes */
	{FAMILY_1_0, 1101, MEANS_RETRY, "load: piece not written", READ_LOAD},
	{FAMILY_1_0, 1102, MEANS_RETRY, "load: piece not read", READ},
	{FAMILY_1_0, 1103, MEANS_RETRY, "load: connection", READ_LOAD},
	{FAMILY_1_3, 1110, MEANS_RETRY, "load: not now", READ_LOAD},
	{FAMILY_1_0, 1803, MEANS_RETRY, "pipe: piece out of place", NAME},
	{FAMILY_1_0, 1804, MEANS_RETRY, "pipe: file not written", READ},
	{FAMILY_1_3, 1808, MEANS_RETRY, "pipe: not now", READ},
	{FAMILY_1_3, 1811, MEANS_RETRY, "pipe: greeting forgotten", NAME},
	{FAMILY_1_3, 1812, MEANS_RETRY, "pipe: slices out of order", NAME},

	{FAMILY_1_0, 300, MEANS_QUARANTINE, "not supported", READ},
	{FAMILY_1_0, 301, MEANS_QUARANTINE, "execute", READ},
	{FAMILY_1_0, 302, MEANS_QUARANTINE, "several", READ},
	{FAMILY_1_0, 303, MEANS_QUARANTINE, "parameter", READ},
	{FAMILY_1_0, 502, MEANS_QUARANTINE, "too many series", NAME},
	{FAMILY_1_0, 507, MEANS_QUARANTINE, "metadata", READ},
	{FAMILY_1_0, 509, MEANS_QUARANTINE, "path", READ},
	{FAMILY_1_0, 607, MEANS_QUARANTINE, "out of TTL", READ},
	{FAMILY_1_0, 609, MEANS_QUARANTINE, "aligned or not", NAME},
	{FAMILY_2_0, 614, MEANS_QUARANTINE, "type", NAME},
	{FAMILY_2_0, 620, MEANS_QUARANTINE, "too large for the WAL", NAME},
	{FAMILY_1_0, 700, MEANS_QUARANTINE, "not understood", SEEN},
	{FAMILY_1_0, 701, MEANS_QUARANTINE, "semantics", SEEN},
	{FAMILY_1_0, 1100, MEANS_QUARANTINE, "load", SEEN},
	{FAMILY_1_0, 1109, MEANS_QUARANTINE, "load: schema", READ_LOAD},
	{FAMILY_1_3, 1112, MEANS_QUARANTINE, "load: conflict", READ},
	{FAMILY_1_3, 1810, MEANS_QUARANTINE, "pipe: conflict", READ},

	{FAMILY_1_0, 201, MEANS_STOP, "incompatible protocol", READ},
	{FAMILY_2_0, 205, MEANS_STOP, "dialect", NAME},
	{FAMILY_1_3, 307, MEANS_STOP, "license", NAME},
	{FAMILY_1_0, 800, MEANS_STOP, "log-in", READ},
	{FAMILY_1_0, 801, MEANS_STOP, "wrong password", SEEN},
	{FAMILY_1_0, 802, MEANS_STOP, "not logged in", READ},
	{FAMILY_1_0, 803, MEANS_STOP, "no permission", SEEN},
	{FAMILY_1_0, 804, MEANS_STOP, "no such user", NAME},
	{FAMILY_2_0, 820, MEANS_STOP, "password policy", READ},
	{FAMILY_2_0, 822, MEANS_STOP, "user locked", READ},
};

/* A load, above all, has one number for everything: what is the node's trouble and not the
 * file's is in its sentence (in the servers' own words: LoadTsFileScheduler,
 * LoadTsFileManager, LoadTsFileMemoryManager, DiskSpaceInsufficientException,
 * LoadReadOnlyException, StatusUtils, and those of Java). */
static const char *const node_words[] = {
	"is loading by another scheduler",
	"allocate memory",
	"enough memory",
	"insufficient disk space",
	"Disk space is insufficient",
	"No space left on device",
	"because they are all full",
	"system mode is read only",
	"system is read-only",
	"Too many open files",
	"Wait for loading",
	"Request timed out",
	"Connection refused",
	"failed to dispatch load command",
	"Fail to connect to any config node",
	"No load TsFile uuid", /* it started anew between the phases of a LOAD */
};

/* The other way round: what no waiting mends, with a number of the node's. 1.0 says it of a file
 * all of whose rows are from before 1970 (seen on 1.0.1). */
static const char *const entry_words[] = {
	"failed to create automatically because enable_auto_create_schema is "
	"FALSE",
};

/* A privilege that lacks, below the number of a load (seen on 2.0.6). */
#define NO_PERMISSION "No permissions for this operation"

static enum iotdb_means find(const struct line *lines, size_t n, int code)
{
	for (size_t i = 0; i < n; i++)
		if (lines[i].code == code)
			return lines[i].means;
	return MEANS_QUARANTINE;
}

static bool has_words(const char *text, const char *const words[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

enum iotdb_means iotdb_code_means(unsigned version, int code, bool may_retry,
				  const char *text)
{
	enum iotdb_means means =
		version && version < IOTDB_1_0
			? find(codes_0_13, ARRAY_LEN(codes_0_13), code)
			: find(codes, ARRAY_LEN(codes), code);

	if (means == MEANS_QUARANTINE && strstr(text, NO_PERMISSION))
		return MEANS_STOP;
	if (means == MEANS_RETRY &&
	    has_words(text, entry_words, ARRAY_LEN(entry_words)))
		return MEANS_QUARANTINE;
	if (means == MEANS_QUARANTINE &&
	    (may_retry || has_words(text, node_words, ARRAY_LEN(node_words))))
		return MEANS_RETRY;
	return means;
}

bool iotdb_says_not_found(const char *text)
{
	return strstr(text, "Can not find") || strstr(text, "is not exist") ||
	       strstr(text, "does not exist on this machine");
}

bool iotdb_says_nothing(const char *text)
{
	return strstr(text, "Auto create or verify schema error") &&
	       !strstr(text, "Detail:");
}

bool iotdb_says_unmade(const char *text)
{
	return strstr(text, "does not exist in IoTDB and can not be created");
}

bool iotdb_says_alias(const char *text)
{
	return strstr(text, "alias is duplicated") ||
	       strcasestr(text, "alias already exists");
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
