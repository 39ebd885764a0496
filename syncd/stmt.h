/* The statements that belong to syncd (statement reference, sections 1 and 2). One
 * function per statement; each ends its request, now or later. */
#ifndef TSFERRY_STMT_H
#define TSFERRY_STMT_H

#include "edge.h"
#include "pipes.h"

/* Opens the control socket: from here on statements come. */
int stmt_open(struct edge *e, struct err *err) MUST_CHECK;
void stmt_end_waits(struct edge *e); /* whoever still waits is refused */

/* stmt_sink.c */
void stmt_create_sink(struct edge *e, struct request *rq);
void stmt_alter_sink(struct edge *e, struct request *rq);
void stmt_drop_sink(struct edge *e, struct request *rq);
void stmt_show_sinks(struct edge *e, struct request *rq);
void stmt_show_sink_types(struct edge *e, struct request *rq);
void stmt_sink_attributes(const struct sink_row *s, struct buf *out);

/* stmt_pipe.c */
void stmt_start_pipe(struct edge *e, struct request *rq);
void stmt_stop_pipe(struct edge *e, struct request *rq);
void stmt_drop_pipe(struct edge *e, struct request *rq);
void stmt_resync_pipe(struct edge *e, struct request *rq);
void stmt_show_pipes(struct edge *e, struct request *rq);
/* The pipe that a statement names, or NULL with the documented refusal. */
struct pipe *stmt_find_pipe(struct edge *e, const char *name, struct err *err);
/* Refuses a start time that is not yet (EINVAL, 411). */
int stmt_check_from(const struct edge *e, const struct stmt *st,
		    struct err *err) MUST_CHECK;
/* "select ** from root where time >= INSTANT" with the instant resolved. */
void stmt_query_text(const struct edge *e, const struct pipe_row *p, char *to,
		     size_t size);

/* stmt_create.c, stmt_wait.c, stmt_conf.c */
void stmt_create_pipe(struct edge *e, struct request *rq);
void stmt_wait_pipe(struct edge *e, struct request *rq);
void stmt_load_configuration(struct edge *e,
			     struct request *rq); /* rq NULL: SIGHUP */

#endif
