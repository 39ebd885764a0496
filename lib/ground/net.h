/* Addresses, listening sockets and white lists.
 *
 * net_resolve() may block on a name server: worker only. */
#ifndef TSFERRY_NET_H
#define TSFERRY_NET_H

#include <stdbool.h>
#include <sys/socket.h>

#include "buf.h"
#include "err.h"

struct net_addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

#define NET_TEXT_LEN 64
#define NET_ENDPOINT_LEN 272

/* A host name or a literal IPv4/IPv6 address, syntactically. */
bool net_is_host(const char *host);
int net_resolve(const char *host, unsigned port, struct net_addr *out, struct err *e) MUST_CHECK;

/* Non-blocking; the descriptor becomes writable when it is connected or failed
 * (net_connect_result). TCP_NODELAY, keep-alive and a time-out of 30 s for what is not
 * acknowledged are set. */
int net_connect(const struct net_addr *to) MUST_CHECK;
int net_connect_result(int fd) MUST_CHECK;

/* Bound and listening, non-blocking. `bind` empty = all addresses, IPv6 and IPv4;
 * else an address, not a name. Port 0 = any; *real_port gets the real one. Returns
 * the descriptor. */
int net_listen(const char *bind, unsigned port, unsigned *real_port, struct err *e) MUST_CHECK;

/* Returns a non-blocking descriptor with the options of net_connect(), or -EAGAIN. */
int net_accept(int listen_fd, struct net_addr *from) MUST_CHECK;
const char *net_text(const struct net_addr *a, char *to); /* 10.0.0.5, ::1 */
/* host:port for people, an IPv6 address in brackets. */
const char *net_endpoint(const char *host, unsigned port, char to[NET_ENDPOINT_LEN]);

/* A list of networks: "192.168.0.0/16, 10.1.2.3,fe80::/10". A bare address is
 * itself alone; host bits that are set make the network and a line in `warnings`.
 * IPv4-mapped IPv6 peers are compared as IPv4, and ::/0 admits IPv6 peers only. An
 * empty list admits nobody. */
struct net_list {
	struct net_range {
		uint8_t base[16];
		unsigned bits; /* of 128; IPv4 as mapped */
	} *ranges; /* owned */
	size_t n;
};

/* `l` is overwritten, not released; on failure it is empty. `warnings` may be NULL. */
int net_list_parse(struct net_list *l, const char *text, struct buf *warnings, struct err *e)
	MUST_CHECK;
bool net_list_has(const struct net_list *l, const struct net_addr *a);
void net_list_release(struct net_list *l);

#endif
