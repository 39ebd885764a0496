#include "sim_real.h"

void real_begin(struct sim *s)
{
	(void)s;
}

void real_release(struct sim *s)
{
	(void)s;
}

void real_edge_open(struct sim *s, struct sim_edge *e)
{
	(void)s;
	(void)e;
}

void real_edge_close(struct sim *s, struct sim_edge *e)
{
	(void)s;
	(void)e;
}

void real_edge_copy(struct sim *s, struct sim_edge *e)
{
	(void)s;
	(void)e;
}

void real_edge_put_back(struct sim *s, struct sim_edge *e)
{
	(void)s;
	(void)e;
}

void real_edge_clone(struct sim *s, struct sim_edge *to, struct sim_edge *from)
{
	(void)s;
	(void)to;
	(void)from;
}

void real_edge_refuses(struct sim *s, struct sim_edge *e)
{
	(void)s;
	(void)e;
}

void real_edge_lose(struct sim *s, struct sim_edge *e)
{
	(void)s;
	(void)e;
}

void real_edge_pipe(struct sim *s, struct sim_edge *e, struct sim_pipe *p)
{
	(void)s;
	(void)e;
	(void)p;
}

void real_edge_forget(struct sim *s, struct sim_edge *e, struct sim_pipe *p)
{
	(void)s;
	(void)e;
	(void)p;
}

void real_edge_assign(struct sim *s, struct sim_edge *e, struct sim_pipe *p,
		      uint64_t serial)
{
	(void)s;
	(void)e;
	(void)p;
	(void)serial;
}

void real_edge_progress(struct sim *s, struct sim_edge *e,
			const struct sim_pipe *p, uint64_t applied)
{
	(void)s;
	(void)e;
	(void)p;
	(void)applied;
}

void real_edge_release(struct sim *s, struct sim_edge *e,
		       const struct sim_pipe *p, uint64_t n)
{
	(void)s;
	(void)e;
	(void)p;
	(void)n;
}

void real_edge_purge(struct sim *s, struct sim_edge *e,
		     const struct sim_pipe *p, uint64_t n)
{
	(void)s;
	(void)e;
	(void)p;
	(void)n;
}

void real_edge_fetch(struct sim *s, struct sim_edge *e,
		     const struct sim_pipe *p, uint64_t serial, uint64_t n)
{
	(void)s;
	(void)e;
	(void)p;
	(void)serial;
	(void)n;
}

void real_edge_nonce(struct sim *s, struct sim_edge *e,
		     const struct sim_pipe *p, uint64_t serial, uint64_t nonce)
{
	(void)s;
	(void)e;
	(void)p;
	(void)serial;
	(void)nonce;
}

void real_cloud_open(struct sim *s)
{
	(void)s;
}

void real_cloud_close(struct sim *s)
{
	(void)s;
}

void real_cloud_copy(struct sim *s)
{
	(void)s;
}

void real_cloud_put_back(struct sim *s)
{
	(void)s;
}

void real_cloud_refuses(struct sim *s)
{
	(void)s;
}

void real_cloud_anew(struct sim *s)
{
	(void)s;
}

void real_cloud_add(struct sim *s, unsigned seq)
{
	(void)s;
	(void)seq;
}

void real_cloud_drop(struct sim *s, unsigned seq)
{
	(void)s;
	(void)seq;
}

void real_cloud_known(struct sim *s, unsigned seq)
{
	(void)s;
	(void)seq;
}

void real_cloud_commit(struct sim *s, const struct sim_row *rows, size_t n)
{
	(void)s;
	(void)rows;
	(void)n;
}

void real_cloud_end(struct sim *s, unsigned seq, uint64_t serial,
		    uint64_t applied)
{
	(void)s;
	(void)seq;
	(void)serial;
	(void)applied;
}

void real_cloud_quarantine(struct sim *s, unsigned seq, uint64_t serial)
{
	(void)s;
	(void)seq;
	(void)serial;
}

void real_cloud_retry(struct sim *s, unsigned seq, uint64_t serial)
{
	(void)s;
	(void)seq;
	(void)serial;
}

void real_cloud_picks(struct sim *s, unsigned seq, unsigned db, uint64_t serial)
{
	(void)s;
	(void)seq;
	(void)db;
	(void)serial;
}
