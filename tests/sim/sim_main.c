/* sim --seed N [-v] | --seeds A..B | --plants [--plant NAME]
 *
 * TAP on stdout. A failed seed prints the broken promise and the command that replays
 * it; the faults that were survived are counted at the end. */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "sim.h"

#define BATCH 100u
#define PLANT_SEEDS 600u

static const char *const stat_names[STAT_N] = {
	[STAT_ENTRIES] = "entries",
	[STAT_CONNECTS] = "connects",
	[STAT_CUTS] = "cuts",
	[STAT_EDGE_KILLS] = "edge_kills",
	[STAT_CLOUD_KILLS] = "cloud_kills",
	[STAT_POWER_CUTS] = "power_cuts",
	[STAT_FLIPS] = "flips",
	[STAT_FSYNC_FAILURES] = "fsync_failures",
	[STAT_NO_SPACE] = "no_space",
	[STAT_READ_ERRORS] = "read_errors",
	[STAT_TAKEOVERS] = "takeovers",
	[STAT_STOPS] = "stops",
	[STAT_PUT_BACK] = "catalogs_put_back",
	[STAT_REFUSED_HISTORY] = "histories_refused",
	[STAT_MISMATCHES] = "mismatches",
	[STAT_PARTIALS] = "partials",
	[STAT_BLOCKS_LOST] = "blocks_lost",
	[STAT_QUARANTINED] = "quarantined",
	[STAT_LOADER_CRASHES] = "loader_crashes",
	[STAT_HEARTBEATS] = "heartbeats",
	[STAT_RESENT_KIB] = "resent_kib",
};

/* Each plant and the promises of which one must be seen broken. */
static const struct {
	const char *name;
	enum sim_plant plant;
	const char *promises[3];
} plants[] = {
	{"ack-early",
	 PLANT_ACK_EARLY,
	 {"acknowledged is durable", "both catalogs agree"}},
	{"no-fsync",
	 PLANT_NO_FSYNC,
	 {"acknowledged is durable", "durable survives"}},
	{"unverified",
	 PLANT_UNVERIFIED,
	 {"acknowledged is durable", "applied is intact"}},
	{"release-early", PLANT_RELEASE_EARLY, {"released is applied"}},
	{"no-nonce", PLANT_NO_NONCE, {"both catalogs agree"}},
	{"out-of-order", PLANT_OUT_OF_ORDER, {"applied once, in order"}},
	{"reapply", PLANT_REAPPLY, {"applied once, in order"}},
};

static struct sim *run(uint64_t seed, enum sim_plant plant, bool is_verbose,
		       uint64_t stats[STAT_N])
{
	struct sim *s = xcalloc(1, sizeof(*s));

	sim_run(s, seed, plant, is_verbose);
	sim_release(s);
	for (size_t i = 0; i < STAT_N; i++)
		stats[i] += s->stats[i];
	return s;
}

static bool run_one(uint64_t seed, enum sim_plant plant, bool is_verbose,
		    uint64_t stats[STAT_N])
{
	struct sim *s = run(seed, plant, is_verbose, stats);
	bool is_good = s->broken == NULL;

	if (!is_good)
		printf("# sim --seed %" PRIu64 ": %s: %s\n", seed, s->broken,
		       s->text);
	free(s);
	return is_good;
}

static void print_stats(const uint64_t stats[STAT_N])
{
	printf("# survived:");
	for (size_t i = 0; i < STAT_N; i++)
		printf(" %s=%" PRIu64, stat_names[i], stats[i]);
	printf("\n");
}

static int run_seeds(uint64_t from, uint64_t to, enum sim_plant plant,
		     bool is_verbose)
{
	uint64_t stats[STAT_N] = {0};
	unsigned n = 0, n_bad = 0;

	for (uint64_t a = from; a <= to; a += BATCH) {
		uint64_t b = to - a < BATCH ? to : a + BATCH - 1;
		unsigned bad = 0;

		for (uint64_t seed = a; seed <= b; seed++)
			bad += !run_one(seed, plant, is_verbose, stats);
		printf("%sok %u - seeds %" PRIu64 " to %" PRIu64
		       " keep every promise\n",
		       bad ? "not " : "", ++n, a, b);
		(void)fflush(stdout);
		n_bad += bad;
	}
	print_stats(stats);
	printf("1..%u\n", n);
	return n_bad ? 1 : 0;
}

/* Which of its promises a plant breaks: the number of seeds until then, 0 = never. */
static uint64_t find_plant(size_t i)
{
	uint64_t stats[STAT_N] = {0};

	for (uint64_t seed = 1; seed <= PLANT_SEEDS; seed++) {
		struct sim *s = run(seed, plants[i].plant, false, stats);
		const char *broken = s->broken;

		if (broken)
			printf("# sim --plant %s --seed %" PRIu64 ": %s: %s\n",
			       plants[i].name, seed, broken, s->text);
		free(s);
		for (size_t k = 0; broken && k < ARRAY_LEN(plants[i].promises);
		     k++)
			if (plants[i].promises[k] &&
			    strcmp(broken, plants[i].promises[k]) == 0)
				return seed;
		if (broken)
			return 0;
	}
	return 0;
}

static int run_plants(void)
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

static int parse_seeds(const char *text, uint64_t *from, uint64_t *to)
{
	int n = 0;

	if (sscanf(text, "%" SCNu64 "..%" SCNu64 "%n", from, to, &n) == 2 &&
	    text[n] == '\0' && *from <= *to)
		return 0;
	if (sscanf(text, "%" SCNu64 "%n", from, &n) == 1 && text[n] == '\0') {
		*to = *from;
		return 0;
	}
	return -1;
}

static int parse_plant(const char *text, enum sim_plant *plant)
{
	for (size_t i = 0; i < ARRAY_LEN(plants); i++)
		if (strcmp(plants[i].name, text) == 0) {
			*plant = plants[i].plant;
			return 0;
		}
	return -1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},
		{"seeds", required_argument, NULL, 's'},
		{"plant", required_argument, NULL, 'p'},
		{"plants", no_argument, NULL, 'P'},
		{NULL, 0, NULL, 0},
	};
	uint64_t from = 1, to = 1500;
	enum sim_plant plant = PLANT_NONE;
	bool is_verbose = false, is_plants = false, is_bad = false;
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 's')
			is_bad |= parse_seeds(optarg, &from, &to) < 0;
		else if (c == 'p')
			is_bad |= parse_plant(optarg, &plant) < 0;
		else if (c == 'P')
			is_plants = true;
		else if (c == 'v')
			is_verbose = true;
		else
			is_bad = true;
	}
	if (is_bad || optind < argc) {
		(void)fputs("usage: sim [--seed N | --seeds A..B] [--plant "
			    "NAME] [-v]\n"
			    "       sim --plants\n",
			    stderr);
		return 2;
	}
	return is_plants ? run_plants()
			 : run_seeds(from, to, plant, is_verbose);
}
