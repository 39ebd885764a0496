/* What TCP knows of the way to a peer, and what a long thin way wants of TCP.
 *
 * Descriptors are those of net.h, connected. Nothing here blocks. Sources: tcp(7),
 * linux/tcp.h (struct tcp_info). */
#ifndef TSFERRY_NETPATH_H
#define TSFERRY_NETPATH_H

#include <stdint.h>

#include "base.h"

struct net_path {
	uint64_t
		rate; /* bytes a second that arrived there, lately; 0: not known yet */
	uint64_t acked;	 /* bytes of this connection that arrived there */
	uint32_t left;	 /* that the kernel has, and that did not */
	uint32_t rtt_us; /* smoothed */
};

int net_path(int fd, struct net_path *out) MUST_CHECK;

/* So much and not more is taken by the kernel ahead of what it sends: the rest waits with
 * its owner, who may still say something else first. */
int net_path_unsent(int fd, uint32_t bytes) MUST_CHECK;

/* Asks for BBR, which loss does not throttle (peers, section D: 46 times at 1 % of loss
 * and 50 ms). Where the kernel does not have or not allow it, -errno, and the host's own
 * algorithm stays. */
int net_path_bbr(int fd) MUST_CHECK;
/* The same, when the way is longer than NET_PATH_LONG_US there and back: on a short one BBR
 * only costs (loopback: a third of cubic's bytes a second, twice its CPU). */
void net_path_choose(int fd);
#define NET_PATH_LONG_US 5000u

#define NET_ALGORITHM_LEN 16

/* The algorithm that decides how much is under way: "bbr", "cubic". */
int net_path_algorithm(int fd, char name[NET_ALGORITHM_LEN]) MUST_CHECK;

#endif
