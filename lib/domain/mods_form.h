/* How IoTDB writes deletion records: what mods.c and records.c both have to know. Included
 * by them alone.
 *
 * Text is a line "DELETION,path,offset,start,end"; binary a record of type, start, end and
 * what the type asks for.
 *
 * Source: iotdb-formats, sections 4.1 and 4.2. */
#ifndef TSFERRY_MODS_FORM_H
#define TSFERRY_MODS_FORM_H

#define RECORD "DELETION,"
#define RECORD_LEN (sizeof RECORD - 1)

/* The first byte of a binary record. */
enum {
	TABLE_DELETION = 0,
	TREE_DELETION = 1
};

/* The first byte of a table record's predicate. */
enum {
	TAGS_ANY = 0,
	TAGS_FULL = 1,
	TAGS_SEGMENT = 2,
	TAGS_AND = 3
};

#endif
