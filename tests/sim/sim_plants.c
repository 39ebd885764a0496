/* Deliberately wrong behaviour: the tests of the test. Each must be found within a bounded
 * number of seeds, under the name of the first of the promises that it breaks; the others
 * are what it may break on the way. */
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define PLANT_SEEDS 4000u

static const struct {
	const char *name;
	enum sim_plant plant;
	const char *promises[5];
} plants[] = {
	/* acknowledge when a group begins */
	{"ack-early",
	 PLANT_ACK_EARLY,
	 {"acknowledged is durable", "both catalogs agree"}},
	/* commit without syncing the files; or only their directory not */
	{"no-fsync",
	 PLANT_NO_FSYNC,
	 {"acknowledged is durable", "durable survives"}},
	{"no-dir-sync",
	 PLANT_NO_DIR_SYNC,
	 {"acknowledged is durable", "durable survives"}},
	/* a failed sync is tried again on the same descriptor */
	{"sync-again", PLANT_SYNC_AGAIN, {"acknowledged is durable"}},
	/* half-received files are believed after a failed syncfs */
	{"trust-after-sync", PLANT_TRUST, {"acknowledged is durable"}},
	/* blocks of the list count without being read */
	{"unverified",
	 PLANT_UNVERIFIED,
	 {"acknowledged is durable", "applied is intact", "durable survives",
	  "nothing half visible"}},
	/* an entry is complete before its last block is written */
	{"half-visible",
	 PLANT_HALF_VISIBLE,
	 {"acknowledged is durable", "applied is intact", "durable survives",
	  "nothing half visible"}},
	/* the edge releases what is durable, not what is applied */
	{"release-early", PLANT_RELEASE_EARLY, {"released is applied"}},
	/* what HELLO must never overlook: nonces, a rolled back receiver or edge */
	{"no-nonce",
	 PLANT_NO_NONCE,
	 {"both catalogs agree", "histories that do not fit stop the pipe"}},
	{"no-floor",
	 PLANT_NO_FLOOR,
	 {"histories that do not fit stop the pipe", "both catalogs agree",
	  "everything drains"}},
	{"applied-back",
	 PLANT_APPLIED_BACK,
	 {"histories that do not fit stop the pipe"}},
	{"no-ceiling",
	 PLANT_NO_CEILING,
	 {"histories that do not fit stop the pipe", "both catalogs agree"}},
	/* the loader takes any entry; takes an old one again */
	{"out-of-order", PLANT_OUT_OF_ORDER, {"applied once, in order"}},
	{"reapply", PLANT_REAPPLY, {"applied once, in order"}},
	/* a newer incarnation does not wait; or its HELLO throws entries away */
	{"overtake", PLANT_OVERTAKE, {"older incarnations go first"}},
	{"drop-durable",
	 PLANT_DROP_DURABLE,
	 {"nothing is lost", "released is applied"}},
	/* what does not apply is passed without an operator's word */
	{"pass-silently",
	 PLANT_PASS_SILENTLY,
	 {"nothing is lost", "released is applied"}},
	/* what was queued behind a failed group is committed */
	{"hole", PLANT_HOLE, {"serials without holes", "everything drains"}},
	/* staged files stay */
	{"orphan", PLANT_ORPHAN, {"no orphan files"}},
	/* RESYNC begins where the old incarnation was */
	{"resync-forgets",
	 PLANT_RESYNC_FORGETS,
	 {"after RESYNC everything arrives"}},
	/* recvd starts although its catalog is gone */
	{"lost-starts",
	 PLANT_LOST_STARTS,
	 {"a lost catalog stops the start", "applied once, in order"}},
	/* stop_after_disconnected counts on the wall clock */
	{"wall-clock", PLANT_WALL_CLOCK, {"deadlines follow the steady clock"}},
	/* a second connection does not end the first */
	{"two-sessions",
	 PLANT_TWO_SESSIONS,
	 {"serials without holes", "both catalogs agree",
	  "nothing half visible", "everything drains", "no orphan files"}},
	/* the receiver does not tell what it has half received */
	{"no-partials",
	 PLANT_NO_PARTIALS,
	 {"no byte twice", "no orphan files"}},
	/* an entry passes one of its own database */
	{"pass-own",
	 PLANT_PASS_OWN,
	 {"serials without holes", "applied once, in order",
	  "both catalogs agree"}},
	/* the receiver does not tell what passed */
	{"forget-early",
	 PLANT_FORGET_EARLY,
	 {"no byte twice", "serials without holes"}},
	/* nor what only filled a serial, behind which others keep their nonces */
	{"forget-fills", PLANT_FORGET_FILLS, {"both catalogs agree"}},
	/* EARLY is told when a group begins; taken for DURABLE at the edge; believed unchecked */
	{"tell-early", PLANT_TELL_EARLY, {"acknowledged is durable"}},
	{"release-passed", PLANT_RELEASE_PASSED, {"released is applied"}},
	{"no-early-nonce",
	 PLANT_NO_EARLY_NONCE,
	 {"both catalogs agree", "histories that do not fit stop the pipe"}},
	/* the WELCOME's durable serial, or the applied one, passes a hole */
	{"leap", PLANT_LEAP, {"both catalogs agree", "released is applied"}},
	{"applied-passes",
	 PLANT_APPLIED_PASSES,
	 {"released is applied", "everything drains"}},
	/* files of what passed are swept as half received ones */
	{"sweep-early",
	 PLANT_SWEEP_EARLY,
	 {"durable survives", "acknowledged is durable"}},
	/* what passed a filled serial gets another nonce, too */
	{"fork-early", PLANT_FORK_EARLY, {"what passed keeps its nonce"}},
	/* LATER names another database than its entry */
	{"lie-later", PLANT_LIE_LATER, {"honest peers"}},
	/* the edge never sends what it put off */
	{"leave-hole", PLANT_LEAVE_HOLE, {"everything drains"}},
	/* what is held is taken for what was referred to */
	{"believe-held",
	 PLANT_BELIEVE_HELD,
	 {"acknowledged is durable", "applied is intact", "durable survives",
	  "nothing half visible"}},
	/* what a frame and its prefix give is taken for the block */
	{"believe-prefix",
	 PLANT_BELIEVE_PREFIX,
	 {"acknowledged is durable", "applied is intact", "durable survives",
	  "nothing half visible"}},
	/* what the receiver asks for literally never comes */
	{"deaf", PLANT_DEAF, {"everything drains"}},
	/* a RETRY leaves its entry counted as quarantined */
	{"miscount",
	 PLANT_MISCOUNT,
	 {"memory follows the catalog", "everything drains"}},
	/* the edge mistakes the receiver's last nonce */
	{"false-stop", PLANT_FALSE_STOP, {"no false stop"}},
	/* what stands behind a filled serial keeps its nonces */
	{"no-fork",
	 PLANT_NO_FORK,
	 {"both catalogs agree", "released is applied", "nothing is lost"}},
};

enum sim_plant plant_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(plants); i++)
		if (strcmp(plants[i].name, name) == 0)
			return plants[i].plant;
	return PLANT_NONE;
}

static bool is_promised(size_t i, const char *broken)
{
	for (size_t k = 0; k < ARRAY_LEN(plants[i].promises); k++)
		if (plants[i].promises[k] &&
		    strcmp(broken, plants[i].promises[k]) == 0)
			return true;
	return false;
}

/* The first seed that breaks the plant's first promise, 0 = none does, or one breaks what it
 * does not promise. */
static uint64_t find_plant(size_t i)
{
	struct sim *s = xcalloc(1, sizeof(*s));
	uint64_t found = 0;
	bool is_over = false;

	for (uint64_t seed = 1; seed <= PLANT_SEEDS && !is_over; seed++) {
		struct sim_run how = {.seed = seed, .plant = plants[i].plant};

		sim_run(s, &how);
		if (s->broken && strcmp(s->broken, plants[i].promises[0]) == 0)
			found = seed;
		is_over = found || (s->broken && !is_promised(i, s->broken));
		if (is_over)
			printf("# sim --plant %s --seed %" PRIu64 ": %s: %s\n",
			       plants[i].name, seed, s->broken, s->text);
		sim_release(s);
	}
	sim_free(s);
	return found;
}

int plants_all(void)
{
	int n_bad = 0;

	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		uint64_t seed = find_plant(i);

		printf("%sok %zu - the planted fault %s is found\n",
		       seed ? "" : "not ", i + 1, plants[i].name);
		(void)fflush(stdout);
		n_bad += seed == 0;
	}
	printf("1..%zu\n", ARRAY_LEN(plants));
	return n_bad ? 1 : 0;
}
