/* Versions of the protocol: which ones this program speaks, which one two programs agree
 * on, and what each brought. Specified in docs/protocol.md, section 7, which also says what
 * to do when one is added.
 *
 * HELLO carries the range that the edge speaks, the receiver answers in WELCOME with the
 * highest version that both have, or with BYE 7 when there is none. From then on both
 * machines know it (upload_version(), receive_version()) and nobody says or takes what
 * it does not have. Before it only HELLO, WELCOME and BYE exist, which are the same in
 * every version. */
#ifndef TSFERRY_VERSION_H
#define TSFERRY_VERSION_H

#include <stdbool.h>
#include <stdint.h>

/* Lowest and highest that this program speaks; a test of a program that speaks more
 * compiles with its own (tests/old). */
#ifndef PROTO_VERSION_MIN
#	define PROTO_VERSION_MIN 1u
#endif
#ifndef PROTO_VERSION_MAX
#	define PROTO_VERSION_MAX 3u
#endif

/* What not every version has. Each stands with the version that brought it in
 * version.c; every later version has it too. */
enum proto_feature {
	PROTO_LITERAL,	/* BLOCK: the plain bytes (how 0) */
	PROTO_SQUEEZED, /* BLOCK: a zstd frame (how 1); ENTRY: its payload as one */
	PROTO_REFERENCE, /* BLOCK: ranges of held files (how 2); HELD, WANT */
	PROTO_PREFIX,	 /* BLOCK: zstd behind ranges of held files (how 3) */
	PROTO_EARLY,	 /* LATER, EARLY: entries that pass others of a lower serial */
	PROTO_FEATURES
};

/* The highest version in [PROTO_VERSION_MIN, PROTO_VERSION_MAX] and in [min, max]; 0 when
 * there is none. */
uint16_t proto_common(uint16_t min, uint16_t max);

/* False for version 0: nothing is agreed yet. */
bool proto_can(uint16_t version, enum proto_feature feature);

/* Whether messages of a type (proto.h) exist in a version; 0: before one is agreed. */
bool proto_speaks(uint16_t version, uint16_t type);

#endif
