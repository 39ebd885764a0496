#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "ground/clock.h"
#include "iotdb_code.h"
#include "load_iotdb.h"

/* Files to a server that does not see load_dir. The run's directory says what is under way,
 * as it does for one that sees it: what was loaded is taken out of it, so that a lost answer
 * is settled the same way. */

#define IDLE_EVERY_MS 100
#define IDLE_UNTOLD_MS 10000 /* where the user may not ask (MAINTAIN) */

bool iotdb_is_remote(const struct iotdb *db)
{
	return db->is_blind || strcmp(db->set.via, "transfer") == 0;
}

bool iotdb_may_transfer(const struct iotdb *db)
{
	return strcmp(db->set.via, "path") != 0;
}

/* ---- one file ---- */

static int open_part(const struct handover *h, const struct load_job *j,
		     bool is_mods, char name[HANDOVER_NAME_MAX],
		     struct transfer_part *part, struct err *e)
{
	struct stat st;
	int fd = handover_open_part(h, j, is_mods, name);

	*part = (struct transfer_part){.name = name, .fd = fd};
	if (fd == -ENOENT && is_mods)
		return 0;
	if (fd < 0)
		return err_set(e, -fd, "load_dir: %s: %s", name,
			       err_words(-fd));
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "load_dir: %s: %s", name,
			       err_words(errno));
	part->length = (uint64_t)st.st_size;
	return 0;
}

static void tell_sent(void *arg)
{
	iotdb_tell_working(arg);
}

static int send_parts(struct iotdb *db, const struct load_job *j,
		      const struct transfer_part *file,
		      const struct transfer_part *mods, struct rpc_reply *reply,
		      struct err *e)
{
	struct transfer_file f = {
		.file = *file,
		.mods = mods,
		.tables = iotdb_tables_of(j),
		.load_ms = iotdb_load_limit_ms(file->length),
		.sent = tell_sent,
		.arg = db,
	};
	int r = transfer_file(db->transfer, &f, reply, e);

	/* What a refusal leaves at the server goes with the connection. */
	if (r < 0) {
		transfer_close(db->transfer);
		db->transfer = NULL;
	}
	return r;
}

/* *is_ours: what failed is this host's disk. */
static int transfer_one(struct iotdb *db, const struct handover *h,
			const struct load_job *j, bool *is_ours,
			struct rpc_reply *reply, struct err *e)
{
	char name[HANDOVER_NAME_MAX], mods_name[HANDOVER_NAME_MAX];
	struct transfer_part file = {.fd = -1}, mods = {.fd = -1};
	int r = open_part(h, j, false, name, &file, e);

	if (r >= 0)
		r = open_part(h, j, true, mods_name, &mods, e);
	*is_ours = r < 0;
	/* Those that cannot go with it become statements. */
	if (r >= 0)
		r = send_parts(db, j, &file,
			       mods.fd >= 0 && transfer_takes_mods(db->transfer)
				       ? &mods
				       : NULL,
			       reply, e);
	cleanup_close(&file.fd);
	cleanup_close(&mods.fd);
	return r;
}

static bool connect_transfer(struct iotdb *db, struct iotdb_item *it)
{
	struct rpc_reply reply = {0};
	struct err e = {0};
	int r = db->transfer ? 0 : iotdb_transfer_open(db, &reply, &e);

	if (r >= 0)
		return true;
	if (r == -EREMOTEIO)
		(void)err_hint(&e, "nothing is applied until this is mended");
	else if (r != -EOPNOTSUPP)
		(void)iotdb_result(db, r, &reply, &e); /* the next node, then */
	iotdb_say(db, it, JOB_STOP, e.text);
	return false;
}

static void transfer_item(struct iotdb *db, struct handover *h,
			  struct iotdb_item *it)
{
	struct rpc_reply reply;
	struct err e = {0};
	enum job_result result = JOB_APPLIED;
	bool is_ours;
	int r = transfer_one(db, h, &it->job, &is_ours, &reply, &e);

	if (r == -EREMOTEIO && iotdb_says_unmade(reply.text) &&
	    connect_transfer(db, it)) {
		err_clear(&e);
		r = transfer_one(db, h, &it->job, &is_ours, &reply, &e);
	}
	if (r >= 0 && iotdb_says_records(db, &it->job))
		result = iotdb_delete_beside(db, &it->job, &e);
	if (r >= 0 && result == JOB_APPLIED) {
		r = handover_take(h, &it->job, &e);
		is_ours = true;
	}
	if (result != JOB_APPLIED)
		iotdb_say(db, it, result, e.text);
	else if (r < 0 && is_ours)
		iotdb_say(db, it, iotdb_disk_result(r), e.text);
	else
		iotdb_say_loaded(db, it, r, &reply, &e);
}

void iotdb_transfer_run(struct iotdb *db, struct handover *h,
			struct iotdb_item *items, unsigned n)
{
	db->is_blind = true;
	for (unsigned i = 0; i < n; i++) {
		if (items[i].result == JOB_NONE) {
			if ((i && !iotdb_may_load(db, &items[i])) ||
			    !connect_transfer(db, &items[i]))
				return;
			transfer_item(db, h, &items[i]);
		}
		if (items[i].result != JOB_APPLIED)
			return;
	}
}

/* ---- after a lost answer ---- */

static int see_load(void *arg, const struct rpc_row *row)
{
	unsigned *n = arg;
	const char *text = rpc_cell(row, "Statement");

	*n += !text || !strcasestr(text, "SHOW QUERIES");
	return 0;
}

void iotdb_wait_idle(struct iotdb *db, unsigned limit_ms)
{
	uint64_t until_ms = clock_mono_ms() + limit_ms;
	unsigned n;
	struct rpc_visit visit = {.row = see_load, .arg = &n};
	int r;

	do {
		n = 0;
		r = rpc_query(db->rpc, "SHOW QUERIES", &visit, NULL, NULL);
		if (r == -EREMOTEIO)
			(void)poll(NULL, 0, IDLE_UNTOLD_MS);
		if (r < 0)
			return;
		if (n)
			(void)poll(NULL, 0, IDLE_EVERY_MS);
	} while (n && clock_mono_ms() < until_ms);
}
