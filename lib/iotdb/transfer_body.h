/* Bodies of the pipeTransfer call, by which IoTDB's own pipes hand files over (iotdb-formats,
 * section 10.3). Numbers are big endian, a string is its length (4 bytes) and its bytes.
 * Pure: they only add to a buffer, whose end tells whether it had room. */
#ifndef TSFERRY_TRANSFER_BODY_H
#define TSFERRY_TRANSFER_BODY_H

#include "ground/buf.h"

enum transfer_type {
	TRANSFER_HANDSHAKE_V1 = 1,
	TRANSFER_PIECE = 4,
	TRANSFER_SEAL = 5,
	TRANSFER_PIECE_WITH_MODS = 8, /* of both files */
	TRANSFER_SEAL_WITH_MODS = 9,
	TRANSFER_HANDSHAKE_V2 = 51,
};

/* "ms", "us", "ns": must be the server's. */
void transfer_add_handshake_v1(struct buf *b, const char *precision);

struct transfer_hello {
	unsigned version; /* the server's, as rpc_version_number() */
	const char *precision, *user, *password;
};

/* From 1.3 on. User and password travel to those that look at them (1.3.4 on). */
void transfer_add_handshake_v2(struct buf *b,
			       const struct transfer_hello *hello);

/* What stands before the bytes of a piece. */
void transfer_add_piece_head(struct buf *b, const char *name, uint64_t offset,
			     uint32_t n);

void transfer_add_seal(struct buf *b, const char *name, uint64_t length);

struct transfer_seal {
	const char *mods_name; /* NULL = none */
	uint64_t mods_length;
	const char *name;
	uint64_t length;
	const char *tables; /* NULL = not of tables; else its database */
};

/* Deletion records first, the TsFile behind them. */
void transfer_add_seal_with_mods(struct buf *b,
				 const struct transfer_seal *seal);

#endif
