#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "ground/net.h"

/* Addresses as 128 bits, IPv4 mapped into IPv6: as text, and in lists of networks.
 * net.c has the names and sockets. */

#define RANGES_MAX 4096

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0,    0,
					  0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const uint8_t raw[16])
{
	return memcmp(raw, mapped_prefix, sizeof mapped_prefix) == 0;
}

static bool addr_bits(const struct net_addr *a, uint8_t raw[16])
{
	if (a->ss.ss_family == AF_INET6) {
		memcpy(raw, &((const struct sockaddr_in6 *)&a->ss)->sin6_addr,
		       16);
		return true;
	}
	if (a->ss.ss_family != AF_INET)
		return false;
	memcpy(raw, mapped_prefix, 12);
	memcpy(raw + 12, &((const struct sockaddr_in *)&a->ss)->sin_addr, 4);
	return true;
}

static const char *bits_text(const uint8_t raw[16], char *to)
{
	const char *text =
		is_v4(raw) ? inet_ntop(AF_INET, raw + 12, to, NET_TEXT_LEN)
			   : inet_ntop(AF_INET6, raw, to, NET_TEXT_LEN);

	if (!text)
		to[0] = '\0';
	return to;
}

const char *net_text(const struct net_addr *a, char *to)
{
	uint8_t raw[16];

	if (addr_bits(a, raw))
		return bits_text(raw, to);
	(void)snprintf(to, NET_TEXT_LEN, "local");
	return to;
}

const char *net_endpoint(const char *host, unsigned port,
			 char to[NET_ENDPOINT_LEN])
{
	bool is_v6 = strchr(host, ':');

	(void)snprintf(to, NET_ENDPOINT_LEN, "%s%.255s%s:%u", is_v6 ? "[" : "",
		       host, is_v6 ? "]" : "", port);
	return to;
}

/* Lists of networks */

/* A range of IPv4 is one below the mapped prefix. ::/0 is not one, so it admits
 * IPv6 peers alone. */
static bool range_is_v4(const struct net_range *r)
{
	return r->bits >= 96 && is_v4(r->base);
}

static bool range_has(const struct net_range *r, const uint8_t raw[16])
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;

	if (is_v4(raw) && !range_is_v4(r))
		return false;
	if (memcmp(r->base, raw, whole) != 0)
		return false;
	return rest == 0 || ((r->base[whole] ^ raw[whole]) >> (8 - rest)) == 0;
}

/* Clears the host bits; whether there were any. */
static bool mask_host_bits(struct net_range *r)
{
	bool any = false;

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = r->bits <= i * 8 ? 0 : r->bits - i * 8;
		unsigned ones = keep >= 8 ? 0xffu : 0xff00u >> keep & 0xffu;
		uint8_t mask = (uint8_t)ones;

		if (r->base[i] & (uint8_t)~mask)
			any = true;
		r->base[i] &= mask;
	}
	return any;
}

/* Decimal digits alone, at most max. */
static bool parse_bits(const char *text, unsigned max, unsigned *bits)
{
	unsigned v = 0;

	if (!*text || strlen(text) > 3)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		v = v * 10 + (unsigned)(*text - '0');
	}
	*bits = v;
	return v <= max;
}

static int parse_range(struct net_range *r, const char *item, struct err *e)
{
	char host[NET_TEXT_LEN];
	size_t n = strcspn(item, "/");
	unsigned max = 128, bits;
	bool known = n < sizeof host;

	if (known) {
		memcpy(host, item, n);
		host[n] = '\0';
		if (inet_pton(AF_INET, host, r->base + 12) == 1) {
			memcpy(r->base, mapped_prefix, 12);
			max = 32;
		} else {
			known = inet_pton(AF_INET6, host, r->base) == 1;
		}
	}
	if (!known)
		return err_set(e, EINVAL,
			       "'%s': expected an IPv4 or IPv6 address or "
			       "network such as 192.168.0.0/16",
			       item);
	bits = max;
	if (item[n] && !parse_bits(item + n + 1, max, &bits))
		return err_set(e, EINVAL,
			       "'%s': expected a prefix length of 0 to %u "
			       "behind the slash, got '%s'",
			       item, max, item + n + 1);
	r->bits = bits + 128 - max;
	return 0;
}

static void warn_host_bits(const struct net_range *r, const char *item,
			   struct buf *warnings)
{
	char text[NET_TEXT_LEN];

	buf_addf(warnings, "%s has host bits set and was taken as %s/%u\n",
		 item, bits_text(r->base, text),
		 range_is_v4(r) ? r->bits - 96 : r->bits);
}

/* [*p, end of item) without blanks, copied; *p moves behind the comma. */
static int next_item(const char **p, char *item, size_t size, struct err *e)
{
	size_t n = strcspn(*p, ","), skip = strspn(*p, " \t\r\n"), len;
	const char *from = *p;

	*p += n + ((*p)[n] == ',');
	if (skip > n)
		skip = n;
	from += skip;
	len = n - skip;
	while (len && strchr(" \t\r\n", from[len - 1]))
		len--;
	if (len == 0)
		return err_set(e, EINVAL,
			       "expected an address or network between the "
			       "commas, got nothing");
	if (len >= size)
		return err_set(e, EINVAL,
			       "'%.40s…': expected an IPv4 or IPv6 address or "
			       "network, got %zu characters",
			       from, len);
	memcpy(item, from, len);
	item[len] = '\0';
	return 0;
}

static size_t count_items(const char *text)
{
	size_t n = 1;

	if (text[strspn(text, " \t\r\n")] == '\0')
		return 0;
	for (; *text; text++)
		n += *text == ',';
	return n;
}

int net_list_parse(struct net_list *l, const char *text, struct buf *warnings,
		   struct err *e)
{
	size_t n = count_items(text);
	CLEANUP_FREE struct net_range *ranges = NULL;
	char item[2 * NET_TEXT_LEN];

	*l = (struct net_list){0};
	if (n > RANGES_MAX)
		return err_set(e, E2BIG,
			       "expected at most %d networks, got %zu",
			       RANGES_MAX, n);
	ranges = xcalloc(n + 1, sizeof *ranges);
	for (size_t i = 0; i < n; i++) {
		int r = next_item(&text, item, sizeof item, e);

		if (r == 0)
			r = parse_range(&ranges[i], item, e);
		if (r < 0)
			return r;
		if (mask_host_bits(&ranges[i]) && warnings)
			warn_host_bits(&ranges[i], item, warnings);
	}
	l->ranges = steal_ptr(&ranges);
	l->n = n;
	return 0;
}

bool net_list_has(const struct net_list *l, const struct net_addr *a)
{
	uint8_t raw[16];

	if (!addr_bits(a, raw))
		return false;
	for (size_t i = 0; i < l->n; i++) {
		if (range_has(&l->ranges[i], raw))
			return true;
	}
	return false;
}

void net_list_release(struct net_list *l)
{
	free(l->ranges);
	*l = (struct net_list){0};
}
