/* sim --seed N [-v] | --seeds A..B [--progress] | --plants [--plant NAME]
 *
 * TAP on stdout. A failed seed prints the broken promise and the command that replays
 * it; the faults that were survived are counted at the end. */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "ground/clock.h"
#include "sim.h"

#define PROGRESS_MS 60000

static const char *const stat_names[STAT_N] = {
	[STAT_ENTRIES] = "entries",
	[STAT_INCARNATIONS] = "incarnations",
	[STAT_CONNECTS] = "connects",
	[STAT_CUTS] = "cuts",
	[STAT_EDGE_KILLS] = "edge_kills",
	[STAT_CLOUD_KILLS] = "cloud_kills",
	[STAT_POWER_CUTS] = "power_cuts",
	[STAT_FLIPS] = "flips",
	[STAT_FLIPS_STAGED] = "flips_staged",
	[STAT_FLIPS_SPOOL] = "flips_spool",
	[STAT_DUPLICATES] = "duplicates",
	[STAT_CLOCK_JUMPS] = "clock_jumps",
	[STAT_FSYNC_FAILURES] = "fsync_failures",
	[STAT_NO_SPACE] = "no_space",
	[STAT_READ_ERRORS] = "read_errors",
	[STAT_FILLED] = "filled",
	[STAT_TAKEOVERS] = "takeovers",
	[STAT_STOPS] = "stops",
	[STAT_RESYNCS] = "resyncs",
	[STAT_DROPS] = "drops",
	[STAT_FAREWELLS] = "farewells",
	[STAT_CLONES] = "clones",
	[STAT_PUT_BACK] = "catalogs_put_back",
	[STAT_LOST] = "catalogs_lost",
	[STAT_REFUSED_HISTORY] = "histories_refused",
	[STAT_REFUSED_STARTS] = "starts_refused",
	[STAT_IMPATIENT] = "stopped_after_disconnected",
	[STAT_MISMATCHES] = "mismatches",
	[STAT_PARTIALS] = "partials",
	[STAT_BLOCKS_LOST] = "blocks_lost",
	[STAT_QUARANTINED] = "quarantined",
	[STAT_RETRIED] = "retried",
	[STAT_SKIPPED] = "skipped",
	[STAT_LOADER_CRASHES] = "loader_crashes",
	[STAT_HEARTBEATS] = "heartbeats",
	[STAT_RESENT_KIB] = "resent_kib",
	[STAT_SQUEEZED] = "squeezed",
	[STAT_REFERRED] = "referred",
	[STAT_FETCHED] = "fetched",
	[STAT_WANTED] = "wanted",
	[STAT_PREFIXED] = "prefixed",
	[STAT_RANGED] = "ranged",
	[STAT_UNPACKED] = "unpacked",
	[STAT_LATER] = "later",
	[STAT_EARLY] = "early",
	[STAT_EARLY_KEPT] = "early_kept",
};

struct options {
	uint64_t from, to;
	struct sim_run how;
	bool is_plants, is_progress;
};

static bool run_one(const struct options *o, struct sim *s, uint64_t seed,
		    uint64_t stats[STAT_N])
{
	struct sim_run how = o->how;
	bool is_good;

	how.seed = seed;
	sim_run(s, &how);
	is_good = s->broken == NULL;
	if (!is_good) {
		printf("# sim --seed %" PRIu64 ": %s: %s\n", seed, s->broken,
		       s->text);
		(void)fflush(stdout);
	}
	sim_release(s);
	for (size_t i = 0; i < STAT_N; i++)
		stats[i] += s->stats[i];
	return is_good;
}

static void print_stats(const uint64_t stats[STAT_N])
{
	printf("# survived:");
	for (size_t i = 0; i < STAT_N; i++)
		printf(" %s=%" PRIu64, stat_names[i], stats[i]);
	printf("\n");
}

static void say_progress(const struct options *o, uint64_t seed, unsigned n_bad,
			 uint64_t since_ms)
{
	uint64_t ms = clock_mono_ms() - since_ms, n = seed - o->from + 1;

	printf("# %" PRIu64 " of %" PRIu64 " seeds, %u broken, %" PRIu64
	       " a second\n",
	       n, o->to - o->from + 1, n_bad, ms ? n * 1000 / ms : 0);
	(void)fflush(stdout);
}

static int run_seeds(const struct options *o)
{
	uint64_t stats[STAT_N] = {0}, since_ms = clock_mono_ms(),
		 said_ms = since_ms;
	uint64_t batch = (o->to - o->from) / 10 + 1;
	struct sim *s = xcalloc(1, sizeof(*s));
	unsigned n = 0, n_bad = 0;

	for (uint64_t a = o->from; a <= o->to; a += batch) {
		uint64_t b = o->to - a < batch ? o->to : a + batch - 1;
		unsigned bad = 0;

		for (uint64_t seed = a; seed <= b; seed++) {
			bad += !run_one(o, s, seed, stats);
			if (!o->is_progress ||
			    clock_mono_ms() - said_ms < PROGRESS_MS)
				continue;
			said_ms = clock_mono_ms();
			say_progress(o, seed, n_bad + bad, since_ms);
		}
		printf("%sok %u - seeds %" PRIu64 " to %" PRIu64
		       " keep every promise\n",
		       bad ? "not " : "", ++n, a, b);
		(void)fflush(stdout);
		n_bad += bad;
	}
	print_stats(stats);
	printf("1..%u\n", n);
	sim_free(s);
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

static bool parse(struct options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", required_argument, NULL, 's'},
		{"seeds", required_argument, NULL, 's'},
		{"plant", required_argument, NULL, 'p'},
		{"plants", no_argument, NULL, 'P'},
		{"progress", no_argument, NULL, 'i'},
		{NULL, 0, NULL, 0},
	};
	bool is_bad = false;
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 's') {
			is_bad |= parse_seeds(optarg, &o->from, &o->to) < 0;
		} else if (c == 'p') {
			o->how.plant = plant_named(optarg);
			is_bad |= o->how.plant == PLANT_NONE;
		} else if (c == 'P') {
			o->is_plants = true;
		} else if (c == 'i') {
			o->is_progress = true;
		} else if (c == 'v') {
			o->how.is_verbose = true;
		} else {
			is_bad = true;
		}
	}
	return !is_bad && optind == argc;
}

int main(int argc, char **argv)
{
	struct options o = {.from = 1, .to = 1000};

	if (!parse(&o, argc, argv)) {
		(void)fputs("usage: sim [--seed N | --seeds A..B] [--progress] "
			    "[--plant NAME] [-v]\n"
			    "       sim --plants\n",
			    stderr);
		return 2;
	}
	return o.is_plants ? plants_all() : run_seeds(&o);
}
