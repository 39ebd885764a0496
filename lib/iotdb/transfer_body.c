#include "transfer_body.h"

#include <string.h>

#include "ground/base.h"
#include "ground/bytes.h"

#define VERSION_LOGS_IN 10304

/* Must not be the server's own; what it is else, nobody looks at. */
#define CLUSTER_ID "tsferry"

/* The parameter that names a file's database, before the file's name. */
#define DATABASE_OF "DATABASE_NAME_"

static void add_text(struct buf *b, const char *text)
{
	size_t n = strlen(text);

	wr_be32(b, (uint32_t)n);
	buf_add(b, text, n);
}

void transfer_add_handshake_v1(struct buf *b, const char *precision)
{
	add_text(b, precision);
}

void transfer_add_handshake_v2(struct buf *b,
			       const struct transfer_hello *hello)
{
	/* A type that differs is not to be converted; an answer means that the rows are
	 * there; a pipe of that server hands them on as it does what LOAD brings. */
	const char *const params[][2] = {
		{"clusterID", CLUSTER_ID},
		{"timestampPrecision", hello->precision},
		{"convertOnTypeMismatch", "false"},
		{"loadTsFileStrategy", "sync"},
		{"validateTsFile", "true"},
		{"markAsPipeRequest", "false"},
		{"username", hello->user},
		{"password", hello->password},
	};
	size_t n = ARRAY_LEN(params) -
		   (hello->version < VERSION_LOGS_IN ? 2u : 0u);

	wr_be32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		add_text(b, params[i][0]);
		add_text(b, params[i][1]);
	}
}

void transfer_add_piece_head(struct buf *b, const char *name, uint64_t offset,
			     uint32_t n)
{
	add_text(b, name);
	wr_be64(b, offset);
	wr_be32(b, n);
}

void transfer_add_seal(struct buf *b, const char *name, uint64_t length)
{
	add_text(b, name);
	wr_be64(b, length);
}

void transfer_add_seal_with_mods(struct buf *b,
				 const struct transfer_seal *seal)
{
	uint32_t n = seal->mods_name ? 2 : 1;

	wr_be32(b, n);
	if (seal->mods_name)
		add_text(b, seal->mods_name);
	add_text(b, seal->name);
	wr_be32(b, n);
	if (seal->mods_name)
		wr_be64(b, seal->mods_length);
	wr_be64(b, seal->length);
	wr_be32(b, seal->tables ? 1 : 0); /* parameters */
	if (seal->tables) {
		wr_be32(b,
			(uint32_t)(strlen(DATABASE_OF) + strlen(seal->name)));
		buf_adds(b, DATABASE_OF);
		buf_adds(b, seal->name);
		add_text(b, seal->tables);
	}
}
