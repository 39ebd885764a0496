/* A job of the loader's protocol, for every kind of loader. Nothing here blocks. */
#ifndef TSFERRY_LOAD_JOB_H
#define TSFERRY_LOAD_JOB_H

#include "domain/entry.h"
#include "domain/proto.h"
#include "job_line.h"

/* A job, as parsed from its line. Texts are borrowed from the line. */
struct load_job {
	const char *id, *sender, *devices, *path, *mods_path;
	const char *incarnation; /* NULL when the line names none */
	enum entry_kind kind;
	uint64_t serial; /* 0 when the line has none */
	struct fileid file;
	enum mods_kind mods_kind;
	uint64_t length, mods_length;
	int64_t time_min, time_max;
	struct digest
		digest; /* zero when the line of another kind than FILE has none */
	bool take;	/* the staged file may be moved instead of linked */
};

/* -EBADMSG with the field that is missing or wrong. */
int load_job_parse(struct load_job *j, const struct job_fields *fields,
		   struct err *e) MUST_CHECK;

/* What domain an order is kept in: "SENDER/DATABASE", owned by the caller. */
char *load_job_domain(const struct load_job *j);

#endif
