#include "ground/net.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* A peer that is gone is noticed within half a minute, whether anything is sent to it or
 * not: 10 s idle and three probes, or what was sent unacknowledged for so long. */
#define KEEP_IDLE_S 10
#define KEEP_INTERVAL_S 5
#define KEEP_PROBES 3
#define USER_TIMEOUT_MS 30000

#define HOST_MAX 253
#define LABEL_MAX 63
#define PORT_MAX 65535u

/* Host names */

static bool is_literal(const char *host)
{
	uint8_t raw[16];

	return inet_pton(AF_INET, host, raw) == 1 ||
	       inet_pton(AF_INET6, host, raw) == 1;
}

static bool is_label(const char *p, size_t n)
{
	if (n == 0 || n > LABEL_MAX || p[0] == '-' || p[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)p[i]) && p[i] != '-' && p[i] != '_')
			return false;
	}
	return true;
}

/* A name whose last label is a number is a mistyped address, not a name. */
static bool is_number(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)p[i]))
			return false;
	}
	return true;
}

bool net_is_host(const char *host)
{
	size_t left = strlen(host);

	if (is_literal(host))
		return true;
	if (left > 1 && host[left - 1] == '.')
		left--;
	if (left == 0 || left > HOST_MAX)
		return false;
	for (;;) {
		const char *dot = memchr(host, '.', left);
		size_t n = dot ? (size_t)(dot - host) : left;

		if (!is_label(host, n))
			return false;
		if (!dot)
			return !is_number(host, n);
		host += n + 1;
		left -= n + 1;
	}
}

static void set_port(struct net_addr *a, unsigned port)
{
	if (a->ss.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&a->ss)->sin6_port =
			htons((uint16_t)port);
	else
		((struct sockaddr_in *)&a->ss)->sin_port =
			htons((uint16_t)port);
}

static int lookup(const char *host, int flags, struct net_addr *out)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = flags};
	struct addrinfo *list = NULL;
	int r = getaddrinfo(host, NULL, &hints, &list);

	if (r)
		return r;
	memset(out, 0, sizeof *out);
	memcpy(&out->ss, list->ai_addr, list->ai_addrlen);
	out->len = list->ai_addrlen;
	freeaddrinfo(list);
	return 0;
}

/* Literals first: they need neither a name server nor a configured interface of
 * their family. Without AI_ADDRCONFIG last, for hosts that only have loopback. */
int net_resolve(const char *host, unsigned port, struct net_addr *out,
		struct err *e)
{
	int r;

	if (!net_is_host(host))
		return err_set(e, EINVAL,
			       "expected a host name or an address, got '%s'",
			       host);
	r = lookup(host, AI_NUMERICHOST, out);
	if (r)
		r = lookup(host, AI_ADDRCONFIG, out);
	if (r)
		r = lookup(host, 0, out);
	if (r == EAI_MEMORY)
		return err_set(e, ENOMEM, "%s: %s", host, err_words(ENOMEM));
	if (r)
		return err_set(e, EHOSTUNREACH,
			       "cannot resolve '%s': %s (check the name and "
			       "the name server, or give the address)",
			       host, gai_strerror(r));
	set_port(out, port);
	return 0;
}

/* Sockets */

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno
								     : 0;
}

/* TCP_USER_TIMEOUT also ends a connection whose peer answers but has had its window
 * closed for so long: both daemons' own patience with that is shorter. */
static int set_tcp_options(int fd)
{
	int r = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (r == 0)
		r = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (r == 0)
		r = set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	if (r == 0)
		r = set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	if (r == 0)
		r = set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
	if (r == 0)
		r = set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
			       USER_TIMEOUT_MS);
	return r;
}

static int tcp_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int net_connect(const struct net_addr *to)
{
	CLEANUP_CLOSE int fd = tcp_socket(to->ss.ss_family);
	int r;

	if (fd < 0)
		return fd;
	r = set_tcp_options(fd);
	if (r < 0)
		return r;
	if (connect(fd, (const struct sockaddr *)&to->ss, to->len) < 0 &&
	    errno != EINPROGRESS && errno != EINTR)
		return -errno;
	return steal_fd(&fd);
}

int net_connect_result(int fd)
{
	int sys = 0;
	socklen_t len = sizeof sys;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &len) < 0)
		return -errno;
	return -sys;
}

static unsigned bound_port(int fd)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return 0;
	return ntohs(ss.ss_family == AF_INET6
			     ? ((struct sockaddr_in6 *)&ss)->sin6_port
			     : ((struct sockaddr_in *)&ss)->sin_port);
}

static int listen_on(const struct net_addr *a)
{
	CLEANUP_CLOSE int fd = tcp_socket(a->ss.ss_family);
	int r;

	if (fd < 0)
		return fd;
	r = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r == 0 && a->ss.ss_family == AF_INET6)
		r = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (r < 0)
		return r;
	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* One socket for both families; hosts without IPv6 get IPv4 alone. */
static int listen_everywhere(unsigned port)
{
	struct net_addr a;
	int r;

	if (lookup("::", AI_NUMERICHOST, &a) != 0)
		return -EINVAL;
	set_port(&a, port);
	r = listen_on(&a);
	if (r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL)
		return r;
	if (lookup("0.0.0.0", AI_NUMERICHOST, &a) != 0)
		return -EINVAL;
	set_port(&a, port);
	return listen_on(&a);
}

int net_listen(const char *bind, unsigned port, unsigned *real_port,
	       struct err *e)
{
	struct net_addr a;
	int fd;

	if (port > PORT_MAX)
		return err_set(e, EINVAL,
			       "expected a port of 0 to 65535, got %u", port);
	if (!*bind) {
		fd = listen_everywhere(port);
	} else if (lookup(bind, AI_NUMERICHOST, &a) != 0) {
		return err_set(e, EINVAL,
			       "expected an IPv4 or IPv6 address of this host "
			       "to bind, got '%s'",
			       bind);
	} else {
		set_port(&a, port);
		fd = listen_on(&a);
	}
	if (fd < 0)
		return err_set(e, -fd, "port %u on %s: %s", port,
			       *bind ? bind : "all addresses", err_words(-fd));
	*real_port = bound_port(fd);
	return fd;
}

int net_accept(int listen_fd, struct net_addr *from)
{
	CLEANUP_CLOSE int fd = -1;
	int r;

	do {
		from->len = sizeof from->ss;
		fd = accept4(listen_fd, (struct sockaddr *)&from->ss,
			     &from->len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return -errno;
	r = set_tcp_options(fd);
	return r < 0 ? r : steal_fd(&fd);
}
