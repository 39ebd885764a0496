#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>

#include "ground/net.h"
#include "ground/netpath.h"
#include "test.h"

static struct net_addr addr(const char *text)
{
	struct net_addr a = {0};

	if (net_resolve(text, 6670, &a, NULL) < 0)
		abort();
	return a;
}

/* Who is admitted by which list */

static const struct {
	const char *list, *peer;
	bool has;
} cases[] = {
	{"0.0.0.0/0,::/0", "1.2.3.4", true},
	{"0.0.0.0/0,::/0", "2001:db8::1", true},
	{"0.0.0.0/0", "255.255.255.255", true},
	{"0.0.0.0/0", "::1", false},
	{"0.0.0.0/0", "::ffff:10.0.0.1", true},
	{"::/0", "::1", true},
	{"::/0", "10.0.0.1", false},
	{"::/0", "::ffff:10.0.0.1", false},
	{"", "127.0.0.1", false},
	{"", "::1", false},
	{" \t ", "127.0.0.1", false},
	{"10.1.2.3", "10.1.2.3", true},
	{"10.1.2.3", "10.1.2.2", false},
	{"10.1.2.3", "::ffff:10.1.2.3", true},
	{"10.1.2.3/32", "10.1.2.3", true},
	{"10.1.2.2/31", "10.1.2.3", true},
	{"10.1.2.2/31", "10.1.2.4", false},
	{"192.168.0.0/16", "192.168.255.255", true},
	{"192.168.0.0/16", "192.169.0.0", false},
	{"192.168.0.0/16", "192.167.255.255", false},
	{"10.0.0.0/9", "10.127.255.255", true},
	{"10.0.0.0/9", "10.128.0.0", false},
	{"10.0.0.128/25", "10.0.0.127", false},
	{"10.0.0.128/25", "10.0.0.128", true},
	{"128.0.0.0/1", "192.168.0.1", true},
	{"128.0.0.0/1", "127.0.0.1", false},
	{"fe80::/10", "fe80::1", true},
	{"fe80::/10", "febf::1", true},
	{"fe80::/10", "fec0::1", false},
	{"2001:db8::/33", "2001:db8:7fff::1", true},
	{"2001:db8::/33", "2001:db8:8000::1", false},
	{"::1", "::1", true},
	{"::1/128", "::2", false},
	{"::ffff:10.0.0.0/104", "10.9.9.9", true},
	{"::ffff:10.0.0.0/104", "11.0.0.0", false},
	{" 192.168.0.0/16 ,\t10.1.2.3,fe80::/10 ", "10.1.2.3", true},
	{" 192.168.0.0/16 ,\t10.1.2.3,fe80::/10 ", "192.168.9.9", true},
	{" 192.168.0.0/16 ,\t10.1.2.3,fe80::/10 ", "fe80::9", true},
	{" 192.168.0.0/16 ,\t10.1.2.3,fe80::/10 ", "10.1.2.4", false},
	{"1.2.3.4\n,\r\n5.6.7.8", "5.6.7.8", true},
};

static void admission(void)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct net_addr a = addr(cases[i].peer);
		struct net_list l;
		struct buf w;

		buf_init(&w, 1000);
		CHECK(net_list_parse(&l, cases[i].list, &w, NULL) == 0);
		CHECK(w.len == 0);
		if (net_list_has(&l, &a) != cases[i].has)
			printf("# case %zu, %s\n", i, cases[i].peer);
		CHECK(net_list_has(&l, &a) == cases[i].has);
		net_list_release(&l);
		CHECK(!net_list_has(&l, &a));
		buf_release(&w);
	}
}

static const struct {
	const char *list, *peer, *warning;
} host_bits[] = {
	{"192.168.0.1/1", "128.0.0.1",
	 "192.168.0.1/1 has host bits set and was taken as 128.0.0.0/1\n"},
	{"10.1.2.3/8", "10.255.0.1",
	 "10.1.2.3/8 has host bits set and was taken as 10.0.0.0/8\n"},
	{"10.1.2.3/0", "99.0.0.1",
	 "10.1.2.3/0 has host bits set and was taken as 0.0.0.0/0\n"},
	{"10.1.2.3/31", "10.1.2.2",
	 "10.1.2.3/31 has host bits set and was taken as 10.1.2.2/31\n"},
	{"2001:db8::1/32", "2001:db8:ffff::",
	 "2001:db8::1/32 has host bits set and was taken as 2001:db8::/32\n"},
	{"10.0.0.1/24,11.0.0.0/8,12.0.0.1/8", "12.9.9.9",
	 "10.0.0.1/24 has host bits set and was taken as 10.0.0.0/24\n"
	 "12.0.0.1/8 has host bits set and was taken as 12.0.0.0/8\n"},
};

static void warnings(void)
{
	for (size_t i = 0; i < ARRAY_LEN(host_bits); i++) {
		struct net_addr a = addr(host_bits[i].peer);
		struct net_list l;
		struct buf w;

		buf_init(&w, 1000);
		CHECK(net_list_parse(&l, host_bits[i].list, &w, NULL) == 0);
		CHECK_STR(buf_str(&w), host_bits[i].warning);
		CHECK(net_list_has(&l, &a));
		net_list_release(&l);
		CHECK(net_list_parse(&l, host_bits[i].list, NULL, NULL) == 0);
		net_list_release(&l);
		buf_release(&w);
	}
}

#define NOT_ADDRESS \
	": expected an IPv4 or IPv6 address or network such as 192.168.0.0/16"
#define NOTHING "expected an address or network between the commas, got nothing"

static const struct {
	const char *list, *sentence;
} bad[] = {
	{"localhost", "'localhost'" NOT_ADDRESS},
	{"1.2.3", "'1.2.3'" NOT_ADDRESS},
	{"1.2.3.256", "'1.2.3.256'" NOT_ADDRESS},
	{"1.2.3.04", "'1.2.3.04'" NOT_ADDRESS},
	{"/8", "'/8'" NOT_ADDRESS},
	{"10.0.0.1 10.0.0.2", "'10.0.0.1 10.0.0.2'" NOT_ADDRESS},
	{"10.0.0.0/33", "'10.0.0.0/33': expected a prefix length of 0 to 32 "
			"behind the slash, got '33'"},
	{"10.0.0.0/", "'10.0.0.0/': expected a prefix length of 0 to 32 behind "
		      "the slash, got ''"},
	{"10.0.0.0/-1", "'10.0.0.0/-1': expected a prefix length of 0 to 32 "
			"behind the slash, got '-1'"},
	{"10.0.0.0/8/8", "'10.0.0.0/8/8': expected a prefix length of 0 to 32 "
			 "behind the slash, got '8/8'"},
	{"10.0.0.0/255.0.0.0", "'10.0.0.0/255.0.0.0': expected a prefix length "
			       "of 0 to 32 behind the slash, got '255.0.0.0'"},
	{"10.0.0.0/4294967304",
	 "'10.0.0.0/4294967304': expected a prefix length of 0 to 32 behind "
	 "the slash, got '4294967304'"},
	{"::/129", "'::/129': expected a prefix length of 0 to 128 behind the "
		   "slash, got '129'"},
	{"10.0.0.1,", NOTHING},
	{",10.0.0.1", NOTHING},
	{"10.0.0.1, ,10.0.0.2", NOTHING},
	{",", NOTHING},
	{"10.0.0.1,"
	 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddaaaaaaaaaabbbbbbbbbbccccccccc"
	 "cddddddddddaaaaaaaaaabbbbbbbbbbccccccccccddddddddddaaaaaaaaaabbbbbbbb"
	 "bb",
	 "'aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd…': expected an IPv4 or "
	 "IPv6 address or network, got 140 characters"},
	{"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddaaaaaaaaaabbbbbbbbbbcccc",
	 "'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddaaaaaaaaaabbbbbbbbbbcccc"
	 "'" NOT_ADDRESS},
};

static void bad_lists(void)
{
	struct net_addr a = addr("10.0.0.1");

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct net_list l;
		struct err e = {0};

		CHECK(net_list_parse(&l, bad[i].list, NULL, &e) == -EINVAL);
		CHECK_STR(e.text, bad[i].sentence);
		CHECK(l.n == 0 && !l.ranges && !net_list_has(&l, &a));
	}
}

static void too_many(void)
{
	struct net_list l;
	char *text = malloc(20000);
	struct err e = {0};

	CHECK(text);
	memset(text, ',', 19999);
	text[19999] = '\0';
	text[0] = '1';
	CHECK(net_list_parse(&l, text, NULL, &e) == -E2BIG);
	CHECK_STR(e.text, "expected at most 4096 networks, got 19999");
	free(text);
}

static void other_families(void)
{
	struct net_addr a = {.len = sizeof(struct sockaddr_un)};
	struct net_list l;
	char text[NET_TEXT_LEN];

	a.ss.ss_family = AF_UNIX;
	CHECK(net_list_parse(&l, "0.0.0.0/0,::/0", NULL, NULL) == 0);
	CHECK(!net_list_has(&l, &a));
	CHECK_STR(net_text(&a, text), "local");
	net_list_release(&l);
}

/* Names */

static const char *const hosts[] = {
	"a",
	"edge-07.example.com",
	"edge_7",
	"example.com.",
	"127.0.0.1",
	"::1",
	"fe80::1",
	"7up.example",
	"1.2.3.4a",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};
static const char *const no_hosts[] = {
	"",
	".",
	"a..b",
	"-a",
	"a-",
	"a b",
	"a/b",
	"1.2.3",
	"1.2.3.256",
	"300.1.1.1",
	"[::1]",
	"a.b.1",
	":::",
	"a\n",
	"ä.de",
	".a",
	"1.2.3.4.",
	"a:6670",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

static void host_names(void)
{
	char longest[300] = "";
	struct net_addr a;
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		CHECK(net_is_host(hosts[i]));
	for (size_t i = 0; i < ARRAY_LEN(no_hosts); i++)
		CHECK(!net_is_host(no_hosts[i]));
	for (int i = 0; i < 126; i++)
		strcat(longest, "a.");
	strcat(longest, "b");
	CHECK(strlen(longest) == 253 && net_is_host(longest));
	strcat(longest, "b");
	CHECK(!net_is_host(longest));
	CHECK(net_resolve("a b", 1, &a, &e) == -EINVAL);
	CHECK_STR(e.text, "expected a host name or an address, got 'a b'");
}

static void resolving(void)
{
	struct net_addr a;
	char text[NET_TEXT_LEN];
	struct err e = {0};

	CHECK(net_resolve("10.0.0.5", 6670, &a, NULL) == 0);
	CHECK(a.ss.ss_family == AF_INET);
	CHECK(((struct sockaddr_in *)&a.ss)->sin_port == htons(6670));
	CHECK_STR(net_text(&a, text), "10.0.0.5");
	CHECK(net_resolve("2001:DB8::5", 1, &a, NULL) == 0);
	CHECK(((struct sockaddr_in6 *)&a.ss)->sin6_port == htons(1));
	CHECK_STR(net_text(&a, text), "2001:db8::5");
	CHECK(net_resolve("::ffff:10.0.0.5", 1, &a, NULL) == 0);
	CHECK_STR(net_text(&a, text), "10.0.0.5");
	CHECK(net_resolve("localhost", 1, &a, NULL) == 0);
	CHECK(net_resolve("no-such-host.invalid", 1, &a, &e) == -EHOSTUNREACH);
	CHECK(strstr(e.text, "cannot resolve 'no-such-host.invalid'"));
}

/* Sockets */

static int take(int listen_fd, struct net_addr *from)
{
	struct pollfd p = {.fd = listen_fd, .events = POLLIN};

	return poll(&p, 1, 2000) == 1 ? net_accept(listen_fd, from) : -ETIME;
}

static int option(int fd, int level, int name)
{
	int v = -1;
	socklen_t len = sizeof v;

	return getsockopt(fd, level, name, &v, &len) < 0 ? -1 : v;
}

static bool is_ready_made(int fd)
{
	return option(fd, IPPROTO_TCP, TCP_NODELAY) == 1 &&
	       option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1 &&
	       option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT) == 30000 &&
	       (fcntl(fd, F_GETFL) & O_NONBLOCK) &&
	       (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void meets(const char *bind, const char *host)
{
	CLEANUP_CLOSE int listening = -1, calling = -1, called = -1;
	struct net_addr to, from;
	struct pollfd p = {.events = POLLOUT};
	char text[NET_TEXT_LEN];
	unsigned port = 0;

	listening = net_listen(bind, 0, &port, NULL);
	CHECK(listening >= 0 && port > 0 && port < 65536);
	CHECK(net_accept(listening, &from) == -EAGAIN);
	CHECK(net_resolve(host, port, &to, NULL) == 0);
	calling = net_connect(&to);
	CHECK(calling >= 0);
	p.fd = calling;
	CHECK(poll(&p, 1, 2000) == 1);
	CHECK(net_connect_result(calling) == 0);
	called = take(listening, &from);
	CHECK(called >= 0);
	CHECK_STR(net_text(&from, text), host);
	CHECK(is_ready_made(calling) && is_ready_made(called));
}

/* What arrived, and what waits, of a connection whose other end does not read. */
static void tells_the_way(void)
{
	CLEANUP_CLOSE int listening = -1, calling = -1, called = -1;
	static const char bytes[1 << 16];
	char name[NET_ALGORITHM_LEN];
	struct net_path way = {0};
	struct net_addr to, from;
	struct pollfd p = {.events = POLLOUT};
	unsigned port = 0, put = 0;
	ssize_t n;

	listening = net_listen("127.0.0.1", 0, &port, NULL);
	CHECK(net_resolve("127.0.0.1", port, &to, NULL) == 0);
	calling = net_connect(&to);
	p.fd = calling;
	CHECK(poll(&p, 1, 2000) == 1);
	called = take(listening, &from);
	CHECK(net_path(calling, &way) == 0 && way.left == 0);
	CHECK(net_path_unsent(calling, 65536) == 0);
	CHECK(net_path_algorithm(calling, name) == 0 && name[0]);
	while ((n = send(calling, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
		put += (unsigned)n;
	CHECK(net_path(calling, &way) == 0);
	CHECK(way.left > 0 && way.left <= put && way.acked <= put);
	CHECK(net_path(-1, &way) == -EBADF);
}

static void listens_everywhere(void)
{
	meets("", "127.0.0.1");
	meets("0.0.0.0", "127.0.0.1");
	meets("127.0.0.1", "127.0.0.1");
}

static bool have_v6(void)
{
	CLEANUP_CLOSE int fd = -1;
	unsigned port;

	fd = net_listen("::1", 0, &port, NULL);
	return fd >= 0;
}

static void listens_v6(void)
{
	meets("", "::1");
	meets("::1", "::1");
}

static void endpoints_for_people(void)
{
	char text[NET_ENDPOINT_LEN];

	CHECK_STR(net_endpoint("cloud", 6670, text), "cloud:6670");
	CHECK_STR(net_endpoint("10.0.0.5", 1, text), "10.0.0.5:1");
	CHECK_STR(net_endpoint("fd00::5", 65535, text), "[fd00::5]:65535");
}

static void not_bound(void)
{
	CLEANUP_CLOSE int first = -1;
	unsigned port, other;
	struct err e = {0};
	char want[128];

	first = net_listen("127.0.0.1", 0, &port, NULL);
	CHECK(first >= 0);
	CHECK(net_listen("127.0.0.1", port, &other, &e) == -EADDRINUSE);
	(void)snprintf(want, sizeof want,
		       "port %u on 127.0.0.1: Address already in use", port);
	CHECK_STR(e.text, want);
	CHECK(net_listen("", port, &other, &e) == -EADDRINUSE);
	CHECK(strstr(e.text, "on all addresses: Address already in use"));
	CHECK(net_listen("192.0.2.1", 0, &other, &e) == -EADDRNOTAVAIL);
	CHECK(net_listen("eth0", 0, &other, &e) == -EINVAL);
	CHECK_STR(e.text, "expected an IPv4 or IPv6 address of this host to "
			  "bind, got 'eth0'");
	CHECK(net_listen("", 65536, &other, &e) == -EINVAL);
	CHECK_STR(e.text, "expected a port of 0 to 65535, got 65536");
}

static void nobody_listens(void)
{
	CLEANUP_CLOSE int fd = -1;
	struct net_addr to;
	struct pollfd p = {.events = POLLOUT};
	unsigned port;
	int r;

	fd = net_listen("127.0.0.1", 0, &port, NULL);
	CHECK(fd >= 0);
	(void)close(steal_fd(&fd));
	CHECK(net_resolve("127.0.0.1", port, &to, NULL) == 0);
	fd = net_connect(&to);
	CHECK(fd >= 0 || fd == -ECONNREFUSED);
	p.fd = fd;
	CHECK(fd < 0 || poll(&p, 1, 2000) == 1);
	r = fd < 0 ? fd : net_connect_result(fd);
	CHECK(r == -ECONNREFUSED);
}

int main(void)
{
	test_run("who is admitted", admission);
	test_run("host bits are warned about", warnings);
	test_run("lists that are none", bad_lists);
	test_run("too many networks", too_many);
	test_run("peers that are not on IP", other_families);
	test_run("host names", host_names);
	test_run("resolving", resolving);
	test_run("endpoints for people", endpoints_for_people);
	test_run("listen, connect, accept", listens_everywhere);
	test_run("the way to a peer is told", tells_the_way);
	if (have_v6())
		test_run("the same on IPv6", listens_v6);
	test_run("what cannot be bound", not_bound);
	test_run("nobody listens", nobody_listens);
	return test_end();
}
