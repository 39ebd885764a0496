#include <arpa/inet.h>
#include <string.h>

#include "fuzz.h"
#include "ground/net.h"

/* Four bytes of an address, then ip_white_list. Bits are in bounds and none are set behind
 * them; the same list without a network admits nobody whom the whole list does not. */

static struct net_addr address(const uint8_t ip[4])
{
	struct net_addr a = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in in = {.sin_family = AF_INET};

	memcpy(&in.sin_addr, ip, 4);
	memcpy(&a.ss, &in, sizeof in);
	return a;
}

static void check_range(const struct net_range *r)
{
	FUZZ_MUST(r->bits <= 128);
	for (unsigned bit = r->bits; bit < 128; bit++)
		FUZZ_MUST(!(r->base[bit / 8] & (0x80 >> bit % 8)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf_release) struct buf warnings = {0};
	struct net_list l, fewer;
	struct net_addr a;
	struct err e = {0};
	char *text;
	bool is_in;

	if (size < 4)
		return 0;
	buf_init(&warnings, 1u << 20);
	a = address(data);
	text = xcalloc(1, size);
	memcpy(text, data + 4, size - 4);
	if (net_list_parse(&l, text, &warnings, &e) < 0) {
		FUZZ_MUST(e.sys > 0 && e.text[0] && l.n == 0);
		free(text);
		return 0;
	}
	is_in = net_list_has(&l, &a);
	FUZZ_MUST(l.n || !is_in);
	for (size_t i = 0; i < l.n; i++)
		check_range(&l.ranges[i]);
	fewer = l;
	if (l.n) {
		fewer.n--;
		FUZZ_MUST(is_in || !net_list_has(&fewer, &a));
	}
	net_list_release(&l);
	free(text);
	return 0;
}
