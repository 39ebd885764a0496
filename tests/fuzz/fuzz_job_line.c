#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "recvd/load_archive.h"

/* Lines of the loader's protocol. What is cut into fields can be written again and is cut
 * the same; what is taken as a job names nothing that could leave the archive, and what
 * is not has a sentence with the field. */

static void check_again(const struct job_fields *fields)
{
	CLEANUP(buf_release) struct buf b;
	CLEANUP_FREE char *line = NULL;
	struct job_fields again;

	buf_init(&b, 4 * JOB_LINE_MAX);
	for (unsigned i = 0; i < fields->n; i++)
		job_add(&b, fields->f[i].key, fields->f[i].value);
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(!memchr(buf_data(&b), '\n', b.len));
	line = xstrdup(buf_str(&b));
	/* Only `job` is written without a tab in front, and it is the first. */
	FUZZ_MUST(job_line_parse(line + (line[0] == '\t'), &again) == 0);
	FUZZ_MUST(again.n == fields->n);
	for (unsigned i = 0; i < again.n; i++) {
		FUZZ_MUST(strcmp(again.f[i].key, fields->f[i].key) == 0);
		FUZZ_MUST(strcmp(again.f[i].value, fields->f[i].value) == 0);
	}
}

static void check_job(const struct load_job *j, const struct job_fields *fields)
{
	FUZZ_MUST(j->id && name_is_plain(j->sender));
	FUZZ_MUST(name_is_plain(j->file.database));
	FUZZ_MUST(j->kind >= ENTRY_FILE && j->kind <= ENTRY_RESTATE);
	FUZZ_MUST(j->path || j->kind == ENTRY_RESTATE);
	FUZZ_MUST(!j->mods_path || j->mods_kind != MODS_NONE);
	FUZZ_MUST(j->length <= INT64_MAX && j->mods_length <= INT64_MAX);
	if (j->kind == ENTRY_FILE) {
		char path[FILEID_PATH_MAX];
		struct fileid again;

		FUZZ_MUST(fileid_parse_path(&again,
					    fileid_path(&j->file, path)) == 0);
		FUZZ_MUST(fileid_equal(&again, &j->file));
		(void)snprintf(path, sizeof path, "%.200s.tsfile",
			       job_field(fields, "name"));
		FUZZ_MUST(fileid_parse_name(&again, path) == 0 &&
			  again.t == j->file.t && again.c == j->file.c);
	}
}

static bool is_job_misplaced(const struct job_fields *fields)
{
	for (unsigned i = 1; i < fields->n; i++)
		if (strcmp(fields->f[i].key, "job") == 0)
			return true;
	return false;
}

static void check_line(const uint8_t *p, size_t n)
{
	CLEANUP_FREE char *line = xcalloc(1, n + 1);
	struct job_fields fields;
	struct load_job j;
	struct err e = {0};
	int64_t number;

	memcpy(line, p, n);
	if (job_line_parse(line, &fields) < 0)
		return;
	FUZZ_MUST(fields.n > 0 && fields.n <= JOB_FIELDS_MAX);
	for (unsigned i = 0; i < fields.n; i++)
		FUZZ_MUST(fields.f[i].key[0]);
	if (!is_job_misplaced(&fields))
		check_again(&fields);
	(void)!job_field_int(&fields, "job", &number);
	FUZZ_MUST(job_result_parse(job_field(&fields, "result")) <=
		  JOB_MISMATCH);
	if (load_job_parse(&j, &fields, &e) == 0)
		check_job(&j, &fields);
	else
		FUZZ_MUST(e.sys == EBADMSG && e.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	while (size > 0) {
		const uint8_t *nl = memchr(data, '\n', size);
		size_t n = nl ? (size_t)(nl - data) : size;

		check_line(data, n);
		data += n + (nl != NULL);
		size -= n + (nl != NULL);
	}
	return 0;
}
