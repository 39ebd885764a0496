#include "load_job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A job's line was written by recvd from validated parts, but a loader is a program of
 * its own and what names a path is looked at again. */

static int wrong(struct err *e, const char *key, const char *value)
{
	return err_set(e, EBADMSG, "the job's field %s is %s%s", key,
		       value ? "wrong: " : "missing", value ? value : "");
}

static int take_int(const struct job_fields *fields, const char *key,
		    int64_t *to, struct err *e)
{
	return job_field_int(fields, key, to) < 0
		       ? wrong(e, key, job_field(fields, key))
		       : 0;
}

static int take_length(const struct job_fields *fields, const char *key,
		       uint64_t *to, struct err *e)
{
	int64_t v = 0;
	int r = take_int(fields, key, &v, e);

	if (r >= 0 && v < 0)
		r = wrong(e, key, "negative");
	*to = (uint64_t)v;
	return r;
}

static int take_digest(const struct job_fields *fields, struct digest *d,
		       struct err *e)
{
	const char *text = job_field(fields, "digest");

	if (!text || strlen(text) != DIGEST_TEXT_LEN - 1)
		return wrong(e, "digest", text);
	for (size_t i = 0; i < DIGEST_LEN; i++) {
		unsigned byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return wrong(e, "digest", text);
		d->b[i] = (uint8_t)byte;
	}
	return 0;
}

static int take_kind(const struct job_fields *fields, enum entry_kind *kind,
		     struct err *e)
{
	static const enum entry_kind kinds[] = {ENTRY_FILE, ENTRY_DELETE,
						ENTRY_SCHEMA, ENTRY_RESTATE};

	const char *text = job_field(fields, "kind");

	for (size_t i = 0; text && i < ARRAY_LEN(kinds); i++)
		if (strcmp(text, entry_kind_text(kinds[i])) == 0) {
			*kind = kinds[i];
			return 0;
		}
	return wrong(e, "kind", text);
}

static int take_file(struct load_job *j, const struct job_fields *fields,
		     struct err *e)
{
	const char *space = job_field(fields, "space"),
		   *name = job_field(fields, "name");
	char with_suffix[128];
	int r = take_int(fields, "partition", &j->file.partition, e);

	if (r < 0)
		return r;
	if (!space || (strcmp(space, "sequence") != 0 &&
		       strcmp(space, "unsequence") != 0))
		return wrong(e, "space", space);
	j->file.unsequence = space[0] == 'u';
	(void)snprintf(with_suffix, sizeof with_suffix, "%s.tsfile",
		       name ? name : "");
	return fileid_parse_name(&j->file, with_suffix) < 0
		       ? wrong(e, "name", name)
		       : 0;
}

static int take_range(struct load_job *j, const struct job_fields *fields,
		      struct err *e)
{
	int r = take_int(fields, "time_min", &j->time_min, e);

	if (r >= 0)
		r = take_int(fields, "time_max", &j->time_max, e);
	j->devices = job_field(fields, "devices");
	return r;
}

static int take_payload(struct load_job *j, const struct job_fields *fields,
			struct err *e)
{
	const char *kind = job_field(fields, "mods_kind");
	int r = 0;

	j->path = job_field(fields, "path");
	j->mods_path = job_field(fields, "mods");
	if (kind && strcmp(kind, "text") != 0 && strcmp(kind, "binary") != 0)
		return wrong(e, "mods_kind", kind);
	j->mods_kind = !kind		? MODS_NONE
		       : kind[0] == 't' ? MODS_TEXT
					: MODS_BINARY;
	if (!j->path && j->kind != ENTRY_RESTATE)
		return wrong(e, "path", NULL);
	if (j->path)
		r = take_length(fields, "length", &j->length, e);
	if (r >= 0 && j->mods_path)
		r = take_length(fields, "mods_length", &j->mods_length, e);
	if (r >= 0 && j->mods_path && !kind)
		return wrong(e, "mods_kind", NULL);
	return r;
}

int load_job_parse(struct load_job *j, const struct job_fields *fields,
		   struct err *e)
{
	const char *database = job_field(fields, "database"),
		   *take = job_field(fields, "take");
	int64_t region = 0;
	int r;

	memset(j, 0, sizeof *j);
	j->id = job_field(fields, "job");
	j->sender = job_field(fields, "sender");
	j->incarnation = job_field(fields, "incarnation");
	j->take = take && strcmp(take, "yes") == 0;
	if (!j->id)
		return wrong(e, "job", NULL);
	if (!j->sender || !name_is_plain(j->sender))
		return wrong(e, "sender", j->sender);
	if (j->incarnation && !name_is_plain(j->incarnation))
		return wrong(e, "incarnation", j->incarnation);
	if (!database || !name_is_plain(database))
		return wrong(e, "database", database);
	(void)snprintf(j->file.database, sizeof j->file.database, "%s",
		       database);
	r = take_kind(fields, &j->kind, e);
	if (r >= 0)
		r = take_int(fields, "region", &region, e);
	if (r >= 0 && (region < 0 || region > UINT32_MAX))
		r = wrong(e, "region", job_field(fields, "region"));
	j->file.region = (uint32_t)region;
	if (r >= 0 && job_field(fields, "serial"))
		r = take_length(fields, "serial", &j->serial, e);
	if (r >= 0 && (j->kind == ENTRY_FILE || job_field(fields, "digest")))
		r = take_digest(fields, &j->digest, e);
	if (r >= 0 && j->kind == ENTRY_FILE)
		r = take_file(j, fields, e);
	else if (r >= 0 && j->kind != ENTRY_SCHEMA)
		r = take_range(j, fields, e);
	return r < 0 ? r : take_payload(j, fields, e);
}

char *load_job_domain(const struct load_job *j)
{
	size_t n = strlen(j->sender) + strlen(j->file.database) + 2;
	char *text = xcalloc(n, 1);

	(void)snprintf(text, n, "%s/%s", j->sender, j->file.database);
	return text;
}
