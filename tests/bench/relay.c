/* A long thin way between two network namespaces: a TUN device in each, packets carried
 * from one to the other with delay, loss and a rate, where no netem is.
 *
 *	relay [-d DELAY_MS] [-l LOSS_PERCENT] [-r BYTES_PER_S] [-q QUEUE_BYTES] [-s SEED]
 *	      NETNS_A ADDRESS_A NETNS_B ADDRESS_B
 *
 * NETNS_*: paths (/run/netns/NAME); the device in each is "way0", with the address and the
 * other end as its peer. DELAY_MS is one way; rate and queue are each direction's own; a
 * packet that finds QUEUE_BYTES waiting for the rate is dropped (default: 100 ms of the
 * rate, at least 64 KiB). Loss is drawn per packet from SEED.
 *
 * Prints "ready", then answers each line of its input with one line, until its end:
 *	count			a_to_b=BYTES b_to_a=BYTES dropped=PACKETS, of IP packets
 *	loss PERCENT, rate BYTES_PER_S, delay MS	ok
 * Needs root. One thread, one epoll, a timerfd for the packet that is due first. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MTU 1500
#define SLOTS \
	65536u /* packets on their way, of one direction; a power of two */
#define NS 1000000000ull
#define QUEUE_LEAST 65536u
#define TURN 256 /* packets read before those that are due are looked at */

struct packet {
	uint64_t left_ns; /* when the rate let it go */
	uint16_t len;
	uint8_t bytes[MTU];
};

struct way {
	int from, to;	     /* TUN descriptors */
	struct packet *ring; /* owned, SLOTS */
	uint32_t head, tail;
	uint64_t free_ns; /* when the rate has let everything go */
	uint64_t bytes, dropped;
};

struct relay {
	struct way ways[2];
	uint64_t delay_ns, rate, queue, random;
	double loss; /* of 1 */
	int epoll, timer;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* ---- devices ---- */

static void set_address(int s, const char *address, unsigned long request)
{
	struct ifreq r = {0};
	struct sockaddr_in in = {.sin_family = AF_INET};

	(void)snprintf(r.ifr_name, sizeof r.ifr_name, "way0");
	if (inet_pton(AF_INET, address, &in.sin_addr) != 1) {
		errno = EINVAL;
		die(address);
	}
	memcpy(&r.ifr_addr, &in, sizeof in);
	if (ioctl(s, request, &r) < 0)
		die(address);
}

static void set_up(const char *address, const char *peer)
{
	struct ifreq r = {0};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		die("socket");
	set_address(s, address, SIOCSIFADDR);
	set_address(s, peer, SIOCSIFDSTADDR);
	(void)snprintf(r.ifr_name, sizeof r.ifr_name, "way0");
	r.ifr_flags = IFF_UP | IFF_RUNNING | IFF_POINTOPOINT;
	if (ioctl(s, SIOCSIFFLAGS, &r) < 0)
		die("way0 up");
	(void)close(s);
}

/* Enters the namespace for good: the next one is opened before. */
static int open_tun(const char *netns, const char *address, const char *peer)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int ns = open(netns, O_RDONLY | O_CLOEXEC), tun;

	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		die(netns);
	(void)close(ns);
	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun < 0)
		die("/dev/net/tun");
	(void)snprintf(r.ifr_name, sizeof r.ifr_name, "way0");
	if (ioctl(tun, TUNSETIFF, &r) < 0)
		die("TUNSETIFF");
	set_up(address, peer);
	return tun;
}

/* ---- packets ---- */

static bool is_lost(struct relay *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return (double)(r->random >> 11) / (double)(1ull << 53) < r->loss;
}

static uint64_t queue_ns(const struct relay *r)
{
	return r->rate ? r->queue * NS / r->rate : 0;
}

/* Reads one packet into the ring, or drops it. False: there is none. */
static bool take(struct relay *r, struct way *w)
{
	static uint8_t pit[MTU];
	bool is_full = w->tail - w->head == SLOTS;
	struct packet *p = &w->ring[w->tail % SLOTS];
	ssize_t n = read(w->from, is_full ? pit : p->bytes, MTU);
	uint64_t now = now_ns();

	if (n <= 0)
		return false;
	if (w->free_ns < now)
		w->free_ns = now;
	if (is_full || is_lost(r) ||
	    (r->rate && w->free_ns - now > queue_ns(r))) {
		w->dropped++;
		return true;
	}
	if (r->rate)
		w->free_ns += (uint64_t)n * NS / r->rate;
	p->left_ns = w->free_ns;
	p->len = (uint16_t)n;
	w->bytes += (uint64_t)n;
	w->tail++;
	return true;
}

static void give(struct relay *r, struct way *w, uint64_t now)
{
	while (w->head != w->tail) {
		struct packet *p = &w->ring[w->head % SLOTS];

		if (p->left_ns + r->delay_ns > now)
			return;
		if (write(w->to, p->bytes, p->len) < 0 && errno != EAGAIN)
			die("way0");
		w->head++;
	}
}

static void set_timer(struct relay *r)
{
	struct itimerspec at = {0};
	uint64_t due = UINT64_MAX;

	for (int i = 0; i < 2; i++) {
		struct way *w = &r->ways[i];

		if (w->head != w->tail &&
		    w->ring[w->head % SLOTS].left_ns + r->delay_ns < due)
			due = w->ring[w->head % SLOTS].left_ns + r->delay_ns;
	}
	if (due != UINT64_MAX) {
		at.it_value.tv_sec = (time_t)(due / NS);
		at.it_value.tv_nsec = (long)(due % NS);
	}
	(void)timerfd_settime(r->timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void carry(struct relay *r)
{
	uint64_t fired;

	(void)!read(r->timer, &fired, sizeof fired);
	for (int i = 0; i < 2; i++) {
		for (int n = 0; n < TURN && take(r, &r->ways[i]); n++)
			;
		give(r, &r->ways[i], now_ns());
	}
	set_timer(r);
}

/* ---- words ---- */

static void set_rate(struct relay *r, uint64_t rate)
{
	r->rate = rate;
	r->queue = rate / 10 > QUEUE_LEAST ? rate / 10 : QUEUE_LEAST;
}

static void answer(struct relay *r, const char *line)
{
	const char *at = strchr(line, ' ');
	const char *number = at ? at + 1 : "0";

	if (strncmp(line, "count", 5) == 0) {
		(void)printf("a_to_b=%" PRIu64 " b_to_a=%" PRIu64
			     " dropped=%" PRIu64 "\n",
			     r->ways[0].bytes, r->ways[1].bytes,
			     r->ways[0].dropped + r->ways[1].dropped);
		return;
	}
	if (strncmp(line, "loss ", 5) == 0)
		r->loss = strtod(number, NULL) / 100;
	else if (strncmp(line, "rate ", 5) == 0)
		set_rate(r, strtoull(number, NULL, 10));
	else if (strncmp(line, "delay ", 6) == 0)
		r->delay_ns = (uint64_t)(strtod(number, NULL) * 1e6);
	else {
		(void)printf("expected count, loss, rate or delay\n");
		return;
	}
	(void)printf("ok\n");
}

/* Lines come whole: who writes them is a script. */
static bool listen_to(struct relay *r)
{
	char line[256];
	ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);

	if (n <= 0)
		return false;
	line[n] = 0;
	answer(r, line);
	(void)fflush(stdout);
	return true;
}

static void add(struct relay *r, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll");
}

static void run(struct relay *r)
{
	struct epoll_event e[4];

	for (;;) {
		int n = epoll_wait(r->epoll, e, 4, -1);

		for (int i = 0; i < n; i++) {
			if (e[i].data.fd == STDIN_FILENO && !listen_to(r))
				return;
		}
		carry(r);
	}
}

static void begin(struct relay *r, char **argv)
{
	int other = open(argv[2], O_RDONLY | O_CLOEXEC), a, b;
	char path[32];

	if (other < 0)
		die(argv[2]);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", other);
	a = open_tun(argv[0], argv[1], argv[3]);
	b = open_tun(path, argv[3], argv[1]);
	r->ways[0] = (struct way){.from = a, .to = b};
	r->ways[1] = (struct way){.from = b, .to = a};
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (r->epoll < 0 || r->timer < 0)
		die("epoll");
	for (int i = 0; i < 2; i++) {
		r->ways[i].ring = calloc(SLOTS, sizeof(struct packet));
		if (!r->ways[i].ring)
			die("memory");
		add(r, r->ways[i].from);
	}
	add(r, r->timer);
	add(r, STDIN_FILENO);
}

int main(int argc, char **argv)
{
	struct relay r = {.random = 1};
	uint64_t queue = 0;
	int c;

	while ((c = getopt(argc, argv, "d:l:r:q:s:")) != -1) {
		if (c == 'd')
			r.delay_ns = (uint64_t)(strtod(optarg, NULL) * 1e6);
		else if (c == 'l')
			r.loss = strtod(optarg, NULL) / 100;
		else if (c == 'r')
			set_rate(&r, strtoull(optarg, NULL, 10));
		else if (c == 'q')
			queue = strtoull(optarg, NULL, 10);
		else if (c == 's')
			r.random = strtoull(optarg, NULL, 10) | 1;
		else
			return 2;
	}
	if (argc - optind != 4) {
		(void)fputs("usage: relay [-d MS] [-l PERCENT] [-r BYTES] [-q "
			    "BYTES] [-s SEED] "
			    "NETNS_A ADDRESS_A NETNS_B ADDRESS_B\n",
			    stderr);
		return 2;
	}
	if (queue)
		r.queue = queue;
	begin(&r, argv + optind);
	(void)puts("ready");
	(void)fflush(stdout);
	run(&r);
	return 0;
}
