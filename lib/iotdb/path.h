/* Paths of the tree model, as text (iotdb-formats, section 9). Versions are numbers as
 * rpc_version_number() has them (10303 = 1.3.3). Pure.
 *
 * A path is nodes joined by '.', a node in back quotes is one node whatever it holds. Names
 * come as a server stored them and are quoted as another version wants: from 1.0 on whatever
 * is not plain, with doubled back quotes; 0.13 stores nodes without quotes. */
#ifndef TSFERRY_IOTDB_PATH_H
#define TSFERRY_IOTDB_PATH_H

#include <stdbool.h>

#include "ground/buf.h"

#define IOTDB_1_0 10000u
#define IOTDB_1_1 10100u
#define IOTDB_1_2 10200u
#define IOTDB_1_3 10300u
#define IOTDB_1_3_3 10303u
#define IOTDB_1_3_4 10304u
#define IOTDB_2_0 20000u

#define SQL_NODES_MAX 64u

/* One node: borrowed bytes, quotes included. */
struct sql_node {
	const char *p;
	size_t n;
};

/* Cuts a path; -EINVAL for one that is none (an empty node, an open quote, too deep). */
int sql_nodes(const char *path, size_t n, struct sql_node *nodes) MUST_CHECK;

bool sql_is_wildcard(const struct sql_node *node);

/* Adds a path, each node quoted as `version` wants. -EINVAL. */
int sql_add_path(unsigned version, const char *path, size_t n,
		 struct buf *out) MUST_CHECK;

#endif
