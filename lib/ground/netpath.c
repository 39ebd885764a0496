#include "ground/netpath.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Kernels fill what they know: a field beyond `len` was not told. */
#define IS_TOLD(len, field)                          \
	((len) >= offsetof(struct tcp_info, field) + \
			  sizeof(((struct tcp_info *)NULL)->field))

int net_path(int fd, struct net_path *out)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	int left = 0;

	*out = (struct net_path){0};
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	if (ioctl(fd, SIOCOUTQ, &left) < 0)
		return -errno;
	out->left = left < 0 ? 0 : (uint32_t)left;
	out->rtt_us = info.tcpi_rtt;
	if (IS_TOLD(len, tcpi_bytes_acked))
		out->acked = info.tcpi_bytes_acked;
	if (IS_TOLD(len, tcpi_delivery_rate))
		out->rate = info.tcpi_delivery_rate;
	return 0;
}

int net_path_unsent(int fd, uint32_t bytes)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes,
			  sizeof bytes) < 0
		       ? -errno
		       : 0;
}

int net_path_bbr(int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3) < 0
		       ? -errno
		       : 0;
}

void net_path_choose(int fd)
{
	struct net_path way;

	if (net_path(fd, &way) == 0 && way.rtt_us >= NET_PATH_LONG_US)
		(void)!net_path_bbr(fd); /* what else there is works too */
}

int net_path_algorithm(int fd, char name[NET_ALGORITHM_LEN])
{
	socklen_t len = NET_ALGORITHM_LEN - 1;

	memset(name, 0, NET_ALGORITHM_LEN);
	return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) < 0
		       ? -errno
		       : 0;
}
