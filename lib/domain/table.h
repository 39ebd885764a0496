/* Rows of named columns: how they travel (tab-separated, escaped) and how they are
 * drawn (as IoTDB's command line draws them: right-aligned cells between +---+ rules,
 * width in columns of a terminal, without its line count and cost). */
#ifndef TSFERRY_TABLE_H
#define TSFERRY_TABLE_H

#include <stdbool.h>

#include "ground/buf.h"

/* One cell, with a tab before it unless it is the first: \t \n \\ are escaped. */
void table_cell(struct buf *row, bool is_first, const char *text);

enum table_form { TABLE_DRAWN, TABLE_TABS, TABLE_JSON };

/* A JSON string of len bytes that are escaped as a cell is. */
void table_json_string(struct buf *out, const char *at, size_t len);

/* `heading` and each of n rows are tab-separated cells. TABLE_TABS prints rows without
 * heading; TABLE_JSON one object a line. */
void table_print(struct buf *out, enum table_form form, const char *heading,
		 const char *const *rows, size_t n);

#endif
