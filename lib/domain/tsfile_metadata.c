#include "tsfile_metadata.h"

#include <errno.h>
#include <inttypes.h>

#include "ground/bytes.h"
#include "tsfile_index.h"

#define PROPERTIES_MAX (256u << 10)

static void pass_column(struct tsfile_span *s)
{
	int32_t n;

	span_skip_binary(s, true); /* name */
	span_skip(s, 3);	   /* type, encoding, compressor */
	n = (int32_t)span_be32(s);
	for (int32_t k = 0; k < n && !s->src->failed; k++) {
		span_skip_binary(s, true);
		span_skip_binary(s, true);
	}
	(void)span_be32(s); /* category */
}

void metadata_pass_schemas(struct tsfile_span *s)
{
	uint32_t n = span_count(s);

	for (uint32_t k = 0; k < n && !s->src->failed; k++) {
		uint32_t columns;

		(void)span_name(s, NULL, TSFILE_NAME_MAX);
		columns = span_count(s);
		for (uint32_t c = 0; c < columns && !s->src->failed; c++)
			pass_column(s);
	}
}

/* The forms that writers gave to what follows the bits of the bloom filter. */
struct form {
	bool v3, v4;
	bool bits;    /* where the filter has bits, or */
	bool no_bits; /* where it has none */
	bool numbers; /* its size in bits and its number of hashes */
	bool zigzag;  /* the number of properties */
	uint8_t zeros;
};

static const struct form forms[] = {
	{.v3 = true, .v4 = true, .bits = true, .numbers = true, .zigzag = true},
	{.v3 = true, .v4 = true, .bits = true, .numbers = true},
	{.v3 = true, .no_bits = true, .numbers = true},
	{.v3 = true, .no_bits = true, .numbers = true, .zigzag = true},
	{.v3 = true, .v4 = true, .no_bits = true, .zigzag = true},
	{.v3 = true, .v4 = true, .no_bits = true},
	/* late 2024: the absence as a number of four bytes */
	{.v4 = true, .no_bits = true, .zeros = 3, .zigzag = true},
};

static void pass_text(struct rd *r)
{
	int32_t n = rd_svarint(r);

	if (n < -1)
		(void)rd_bytes(r, SIZE_MAX);
	else if (n > 0)
		(void)rd_bytes(r, (size_t)n);
}

static bool has_form(struct rd r, const struct form *f)
{
	int64_t n;

	for (unsigned k = 0; k < f->zeros; k++)
		if (rd_u8(&r) != 0)
			return false;
	if (f->numbers) {
		(void)rd_uvarint(&r);
		(void)rd_uvarint(&r);
	}
	if (rd_end(&r) == 0)
		return true; /* no properties at all */
	n = f->zigzag ? rd_svarint(&r) : (int64_t)rd_uvarint(&r);
	for (int64_t k = 0; k < n && !r.bad; k++) {
		pass_text(&r);
		pass_text(&r);
	}
	return n >= 0 && rd_end(&r) == 0;
}

void metadata_check_rest(struct tsfile_span *s, unsigned version)
{
	CLEANUP_FREE uint8_t *rest = NULL;
	uint32_t bits_len;
	size_t n;

	if (span_left(s) == 0 || s->src->failed)
		return;
	bits_len = span_count(s);
	span_skip(s, bits_len);
	if (span_left(s) > PROPERTIES_MAX)
		span_fail(s,
			  "expected properties of at most %u bytes, %" PRIu64
			  " are left",
			  PROPERTIES_MAX, span_left(s));
	if (s->src->failed)
		return;
	n = (size_t)span_left(s);
	rest = malloc(n + 1);
	if (!rest) {
		s->src->failed = err_set(s->src->e, ENOMEM,
					 "no memory for the properties of a "
					 "TsFile: %zu bytes",
					 n);
		return;
	}
	span_copy(s, rest, n);
	for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
		const struct form *f = &forms[k];

		if ((version == 3 ? f->v3 : f->v4) &&
		    (bits_len ? f->bits : f->no_bits) &&
		    has_form(rd_over(rest, n), f))
			return;
	}
	span_fail(s, "expected the metadata to end here with its bloom filter "
		     "and properties, it does not");
}
