#include "stream_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct keys key_c, key_s;

uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static void poke(struct pair *p)
{
	if (p->until && p->until(p))
		loop_stop(p->l);
}

void feed(struct side *side)
{
	static uint8_t piece[65536];

	while (side->s && side->queued < side->to_send &&
	       stream_queued(side->s) < (1u << 20)) {
		uint64_t left = side->to_send - side->queued;
		size_t n = left < sizeof piece ? (size_t)left : sizeof piece;

		for (size_t i = 0; i < n; i++)
			piece[i] = pattern(side->queued + i);
		side->in_call = true;
		stream_send(side->s, piece, n);
		side->in_call = false;
		side->queued += n;
	}
}

static void opened(void *arg)
{
	struct side *side = arg;

	side->n_opened++;
	if (!side->quiet)
		feed(side);
	poke(side->pair);
}

static void drained(void *arg)
{
	struct side *side = arg;

	side->n_drained++;
	if (!side->quiet)
		feed(side);
	poke(side->pair);
}

static size_t data(void *arg, const uint8_t *p, size_t n)
{
	struct side *side = arg;
	size_t use = side->bite ? n - n % side->bite : n;

	side->offered += n;
	if (side->pause_at && side->received + use >= side->pause_at) {
		use = (size_t)(side->pause_at - side->received);
		side->pause_at = 0;
		stream_pause(side->s, true);
	}
	if (side->free_in_data || side->finish_in_data) {
		if (side->free_in_data)
			stream_free(side->s);
		else
			stream_finish(side->s);
		side->s = NULL;
	}
	for (size_t i = 0; i < use; i++)
		side->wrong |= p[i] != pattern(side->received + i);
	side->received += use;
	poke(side->pair);
	return use;
}

static void closed(void *arg, const struct err *why)
{
	struct side *side = arg;

	side->wrong |= side->in_call;
	side->n_closed++;
	side->why = *why;
	if (side->free_in_closed) {
		stream_free(side->s);
		side->s = NULL;
	}
	poke(side->pair);
}

static const struct stream_events events = {opened, data, drained, closed};

static void too_late(struct loop_timer *t)
{
	struct pair *p = CONTAINER_OF(t, struct pair, late);

	p->is_late = true;
	loop_stop(p->l);
}

bool run(struct pair *p, bool (*until)(const struct pair *))
{
	p->until = until;
	p->is_late = false;
	p->late.fn = too_late;
	loop_timer_set(p->l, &p->late, 20000);
	if (!until(p) && loop_run(p->l) < 0)
		return false;
	loop_timer_stop(p->l, &p->late);
	p->until = NULL;
	return !p->is_late;
}

bool run_ms(struct pair *p, uint64_t ms)
{
	p->until = NULL;
	p->late.fn = too_late;
	loop_timer_set(p->l, &p->late, ms);
	return loop_run(p->l) == 0;
}

bool set_up(struct pair *p)
{
	*p = (struct pair){.c = {.pair = p}, .s = {.pair = p}};
	p->listen_fd = -1;
	if (loop_new(&p->l, NULL) < 0)
		return false;
	p->listen_fd = net_listen("127.0.0.1", 0, &p->port, NULL);
	return p->listen_fd >= 0;
}

void tear_down(struct pair *p)
{
	stream_free(p->c.s);
	stream_free(p->s.s);
	cleanup_close(&p->listen_fd);
	loop_free(p->l);
}

int dial(struct pair *p)
{
	struct net_addr to;

	if (net_resolve("127.0.0.1", p->port, &to, NULL) < 0)
		return -1;
	return net_connect(&to);
}

int answer_call(struct pair *p)
{
	struct net_addr from;
	int fd = -EAGAIN;

	for (int i = 0; i < 1000 && fd == -EAGAIN; i++) {
		fd = net_accept(p->listen_fd, &from);
		if (fd == -EAGAIN)
			(void)usleep(1000);
	}
	return fd;
}

bool add(struct side *side, int fd, enum stream_role role,
	 const struct keys *keys)
{
	return stream_new(&side->s, side->pair->l, fd, role, keys, &events,
			  side, NULL) == 0;
}

bool join(struct pair *p, bool tls_c, bool tls_s)
{
	return set_up(p) &&
	       add(&p->c, dial(p), STREAM_CONNECT, tls_c ? &key_c : NULL) &&
	       add(&p->s, answer_call(p), STREAM_ACCEPT, tls_s ? &key_s : NULL);
}

bool both_open(const struct pair *p)
{
	return p->c.n_opened && p->s.n_opened;
}

bool both_closed(const struct pair *p)
{
	return p->c.n_closed && p->s.n_closed;
}

bool all_there(const struct pair *p)
{
	return p->c.received == p->s.to_send && p->s.received == p->c.to_send;
}

bool client_closed(const struct pair *p)
{
	return p->c.n_closed;
}

bool server_closed(const struct pair *p)
{
	return p->s.n_closed;
}

static bool make_keys(struct keys *k, const char *name)
{
	CLEANUP_CLOSE int dir = -1;
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
	if (mkdir(path, 0700) < 0)
		return false;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir >= 0 && keys_load(k, dir, NULL) == 0;
}

bool have_keys(void)
{
	return make_keys(&key_c, "c") && make_keys(&key_s, "s");
}

void drop_keys(void)
{
	keys_release(&key_c);
	keys_release(&key_s);
}
