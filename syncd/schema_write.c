#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ground/clock.h"
#include "schema_pass.h"

static int add_entry(const struct schema_pass *p, struct outbox_writer *w,
		     uint64_t *assigned, uint64_t *assigned_bytes,
		     struct err *e)
{
	struct outbox_entry en = {.body = &p->statements,
				  .captured_ms = clock_wall_ms()};
	int r;

	(void)snprintf(en.entry.file.database, sizeof(en.entry.file.database),
		       "%s", p->of);
	en.entry.kind = ENTRY_SCHEMA;
	do {
		id_random(&en.entry.nonce, sizeof(en.entry.nonce));
	} while (!en.entry.nonce);
	en.entry.serial = ++*assigned;
	en.entry.body_len = p->statements.len;
	*assigned_bytes += p->statements.len;
	en.total = *assigned_bytes;
	r = outbox_add_entry(w, p->pipe, &en, e);
	return r ? r
		 : outbox_set_assigned(w, p->pipe, *assigned, *assigned_bytes,
				       e);
}

static int write_rows(const struct schema_pass *p, struct outbox_writer *w,
		      struct err *e)
{
	const char *at = (const char *)buf_data(&p->rows);
	const char *end = at + p->rows.len;
	int r = 0;

	while (r == 0 && at < end) {
		const char *database = at + 1;
		const char *path = database + strlen(database) + 1;
		const char *rest = path + strlen(path) + 1;

		r = *at == '+' ? outbox_put_series(w, p->pipe, database, path,
						   rest, e)
			       : outbox_forget_series(w, p->pipe, database,
						      path, e);
		at = rest + strlen(rest) + 1;
	}
	return r;
}

int schema_write(const struct schema_pass *p, struct outbox_writer *w,
		 bool *has_entry, uint64_t *assigned, uint64_t *assigned_bytes,
		 struct err *e)
{
	/* With something left undone, the same listing is looked at again. */
	const char *digest = p->counts.missing ? "" : p->digest;
	int r = outbox_live_pipe(w, p->pipe, assigned, assigned_bytes, e);

	*has_entry = false;
	if (r != 1)
		return r < 0 ? r : -ENOENT;
	r = 0;
	if (p->statements.len) {
		r = add_entry(p, w, assigned, assigned_bytes, e);
		*has_entry = r == 0;
	}
	if (r == 0)
		r = write_rows(p, w, e);
	if (r == 0 && p->is_end)
		r = outbox_set_listed(w, p->pipe, p->identity, digest, e);
	return r;
}
