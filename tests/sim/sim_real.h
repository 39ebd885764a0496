/* The daemons' own catalogs (SQLite, in memory-backed files) beside the models: each
 * change of a model is done there too, in one transaction as the daemon does it, and
 * what is read back must say the same. Everything is a no-op while a seed runs without
 * real catalogs. A difference is the broken promise "the model is the catalog". */
#ifndef TSFERRY_SIM_REAL_H
#define TSFERRY_SIM_REAL_H

#include "sim.h"

void real_begin(struct sim *s);
void real_release(struct sim *s);

/* sim_real_edge.c: syncd/outbox.h */
void real_edge_open(struct sim *s, struct sim_edge *e);
void real_edge_close(struct sim *s, struct sim_edge *e);
void real_edge_copy(struct sim *s, struct sim_edge *e);
void real_edge_put_back(struct sim *s, struct sim_edge *e);
void real_edge_clone(struct sim *s, struct sim_edge *to, struct sim_edge *from);
void real_edge_refuses(struct sim *s, struct sim_edge *e);
void real_edge_lose(struct sim *s, struct sim_edge *e); /* a new directory */
void real_edge_pipe(struct sim *s, struct sim_edge *e, struct sim_pipe *p);
void real_edge_forget(struct sim *s, struct sim_edge *e, struct sim_pipe *p);
void real_edge_assign(struct sim *s, struct sim_edge *e, struct sim_pipe *p,
		      uint64_t serial);
void real_edge_progress(struct sim *s, struct sim_edge *e,
			const struct sim_pipe *p, uint64_t applied);
void real_edge_release(struct sim *s, struct sim_edge *e,
		       const struct sim_pipe *p, uint64_t n);
void real_edge_purge(struct sim *s, struct sim_edge *e,
		     const struct sim_pipe *p, uint64_t n);
void real_edge_fetch(struct sim *s, struct sim_edge *e,
		     const struct sim_pipe *p, uint64_t serial, uint64_t n);
void real_edge_nonce(struct sim *s, struct sim_edge *e,
		     const struct sim_pipe *p, uint64_t serial, uint64_t nonce);

/* sim_real_cloud.c: recvd/catalog.h */
void real_cloud_open(struct sim *s);
void real_cloud_close(struct sim *s);
void real_cloud_copy(struct sim *s);
void real_cloud_put_back(struct sim *s);
void real_cloud_refuses(struct sim *s);
void real_cloud_anew(struct sim *s);
void real_cloud_add(struct sim *s, unsigned seq);
void real_cloud_drop(struct sim *s, unsigned seq);
void real_cloud_known(struct sim *s, unsigned seq);
void real_cloud_commit(struct sim *s, const struct sim_row *rows, size_t n);
void real_cloud_end(struct sim *s, unsigned seq, uint64_t serial,
		    uint64_t applied);
void real_cloud_quarantine(struct sim *s, unsigned seq, uint64_t serial);
void real_cloud_retry(struct sim *s, unsigned seq, uint64_t serial);
void real_cloud_picks(struct sim *s, unsigned seq, unsigned db,
		      uint64_t serial);

#endif
