#include "ground/histogram.h"

#include <inttypes.h>

/* In microseconds, and as they are printed. */
static const struct {
	int64_t us;
	const char *seconds;
} bounds[HISTOGRAM_BUCKETS] = {
	{500, "0.0005"},    {1000, "0.001"},	  {2500, "0.0025"},
	{5000, "0.005"},    {10000, "0.01"},	  {25000, "0.025"},
	{50000, "0.05"},    {100000, "0.1"},	  {250000, "0.25"},
	{500000, "0.5"},    {1000000, "1"},	  {2500000, "2.5"},
	{5000000, "5"},	    {10000000, "10"},	  {60000000, "60"},
	{600000000, "600"}, {3600000000, "3600"}, {86400000000, "86400"},
};

void histogram_add(struct histogram *h, int64_t us)
{
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (i < HISTOGRAM_BUCKETS && us > bounds[i].us)
		i++;
	h->counts[i]++;
	h->sum_us += (uint64_t)us;
}

static void print_bucket(const char *name, const char *labels, const char *le,
			 uint64_t n, struct buf *out)
{
	buf_addf(out, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", name, labels,
		 labels[0] ? "," : "", le, n);
}

static void print_end(const char *name, const char *what, const char *labels,
		      struct buf *out)
{
	buf_addf(out, labels[0] ? "%s_%s{%s}" : "%s_%s%s", name, what, labels);
}

void histogram_print(const struct histogram *h, const char *name,
		     const char *labels, struct buf *out)
{
	uint64_t n = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		n += h->counts[i];
		print_bucket(name, labels, bounds[i].seconds, n, out);
	}
	n += h->counts[HISTOGRAM_BUCKETS];
	print_bucket(name, labels, "+Inf", n, out);
	print_end(name, "sum", labels, out);
	buf_addf(out, " %" PRIu64 ".%06" PRIu64 "\n", h->sum_us / 1000000,
		 h->sum_us % 1000000);
	print_end(name, "count", labels, out);
	buf_addf(out, " %" PRIu64 "\n", n);
}
