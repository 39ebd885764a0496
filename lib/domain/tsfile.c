#include "tsfile.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/bytes.h"
#include "ground/fileio.h"

#define MAGIC "TsFile"
#define MAGIC_LEN 6
#define HEAD_LEN 7  /* magic, version */
#define TAIL_LEN 10 /* size of the metadata, magic */
#define DATA_MIN 1  /* the separator between data and index */
/* The least that TsFileMetadata can be: a root without children, the offset. */
#define METADATA_MIN 10
#define FILE_MIN (HEAD_LEN + DATA_MIN + METADATA_MIN + TAIL_LEN)

static int read_at(int fd, void *to, size_t n, uint64_t at, struct err *e)
{
	int r = file_pread(fd, to, n, at);

	if (r == -ENODATA)
		return err_set(
			e, EBADMSG,
			"not a TsFile: it became shorter while it was read");
	if (r < 0)
		return err_set(e, -r,
			       "cannot read the TsFile at %" PRIu64 ": %s", at,
			       err_words(-r));
	return 0;
}

static int check_head(const uint8_t head[HEAD_LEN], unsigned *version,
		      struct err *e)
{
	if (memcmp(head, MAGIC, MAGIC_LEN) != 0)
		return err_set(e, EBADMSG,
			       "not a TsFile: expected it to begin with "
			       "\"TsFile\", it begins with "
			       "%02x%02x%02x%02x%02x%02x",
			       head[0], head[1], head[2], head[3], head[4],
			       head[5]);
	if (head[MAGIC_LEN] != 3 && head[MAGIC_LEN] != 4)
		return err_set(e, EBADMSG,
			       "not a TsFile of version 3 or 4: its version "
			       "byte is %u%s",
			       head[MAGIC_LEN],
			       head[MAGIC_LEN] == '0'
				       ? " (written before IoTDB 0.12)"
				       : "");
	*version = head[MAGIC_LEN];
	return 0;
}

static int check_tail(const uint8_t tail[TAIL_LEN], struct tsfile_ends *ends,
		      struct err *e)
{
	struct rd r = rd_over(tail, TAIL_LEN);
	uint64_t most = ends->len - HEAD_LEN - DATA_MIN - TAIL_LEN;

	if (memcmp(tail + TAIL_LEN - MAGIC_LEN, MAGIC, MAGIC_LEN) != 0)
		return err_set(e, EBADMSG,
			       "not a sealed TsFile: expected it to end with "
			       "\"TsFile\", it ends "
			       "with %02x%02x%02x%02x%02x%02x (being written, "
			       "or cut short)",
			       tail[4], tail[5], tail[6], tail[7], tail[8],
			       tail[9]);
	ends->metadata_len = rd_be32(&r);
	if (ends->metadata_len < METADATA_MIN || ends->metadata_len > most)
		return err_set(e, EBADMSG,
			       "not a TsFile: its metadata would have %" PRIu64
			       " bytes, expected %d to %" PRIu64
			       " in a file of %" PRIu64,
			       ends->metadata_len, METADATA_MIN, most,
			       ends->len);
	ends->metadata_offset = ends->len - TAIL_LEN - ends->metadata_len;
	return 0;
}

int tsfile_read_ends(int fd, struct tsfile_ends *out, struct err *e)
{
	uint8_t head[HEAD_LEN], tail[TAIL_LEN];
	struct tsfile_ends ends = {0};
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot stat the TsFile: %s",
			       err_words(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, EBADMSG,
			       "not a TsFile: it is no regular file");
	ends.len = (uint64_t)st.st_size;
	if (ends.len < FILE_MIN)
		return err_set(e, EBADMSG,
			       "not a sealed TsFile: expected %d bytes at "
			       "least, it has %" PRIu64,
			       FILE_MIN, ends.len);
	r = read_at(fd, head, sizeof head, 0, e);
	if (r < 0)
		return r;
	r = check_head(head, &ends.version, e);
	if (r < 0)
		return r;
	r = read_at(fd, tail, sizeof tail, ends.len - sizeof tail, e);
	if (r < 0)
		return r;
	r = check_tail(tail, &ends, e);
	if (r < 0)
		return r;
	*out = ends;
	return 0;
}
