/* Which function answers which statement, and the control socket that brings them. */
#include "stmt.h"

#include <errno.h>
#include <string.h>

#include "ground/clock.h"
#include "tree.h"

static void statement(void *arg, struct request *rq)
{
	struct edge *e = arg;
	struct err err = {0};

	switch (rq->stmt.kind) {
	case STMT_CREATE_PIPESINK:
		stmt_create_sink(e, rq);
		return;
	case STMT_ALTER_PIPESINK:
		stmt_alter_sink(e, rq);
		return;
	case STMT_DROP_PIPESINK:
		stmt_drop_sink(e, rq);
		return;
	case STMT_SHOW_PIPESINKTYPE:
		stmt_show_sink_types(e, rq);
		return;
	case STMT_SHOW_PIPESINKS:
		stmt_show_sinks(e, rq);
		return;
	case STMT_CREATE_PIPE:
		stmt_create_pipe(e, rq);
		return;
	case STMT_SHOW_PIPES:
		stmt_show_pipes(e, rq);
		return;
	case STMT_START_PIPE:
		stmt_start_pipe(e, rq);
		return;
	case STMT_STOP_PIPE:
		stmt_stop_pipe(e, rq);
		return;
	case STMT_DROP_PIPE:
		stmt_drop_pipe(e, rq);
		return;
	case STMT_RESYNC_PIPE:
		stmt_resync_pipe(e, rq);
		return;
	case STMT_WAIT_PIPE:
		stmt_wait_pipe(e, rq);
		return;
	case STMT_LOAD_CONFIGURATION:
		stmt_load_configuration(e, rq);
		return;
	case STMT_START_PIPESERVER:
	case STMT_STOP_PIPESERVER:
	case STMT_SHOW_PIPESERVER:
	case STMT_SHOW_SENDERS:
	case STMT_ADMIT_SENDER:
	case STMT_FORGET_SENDER:
	case STMT_SHOW_QUARANTINE:
	case STMT_RETRY:
	case STMT_SKIP:
	case STMT_SHOW_VERSION:
	case STMT_SHOW_STATEMENTS:
		break;
	}
	(void)err_say(&err, ERR_REFUSED, EOPNOTSUPP,
		      "recvd answers this statement, not syncd");
	control_fail(rq, &err);
}

static struct sql_setting setting(void *arg)
{
	const struct edge *e = arg;
	const char *precision = e->set.facts.precision;
	struct sql_setting s = {.precision = SQL_MS, .now_ms = clock_wall_ms()};

	if (strcmp(precision, "us") == 0)
		s.precision = SQL_US;
	else if (strcmp(precision, "ns") == 0)
		s.precision = SQL_NS;
	return s;
}

int stmt_open(struct edge *e, struct err *err)
{
	const struct control_ops ops = {
		.statement = statement,
		.setting = setting,
		.tree = {.read = tree_read, .list = tree_list, .arg = e},
		.arg = e,
		.home = HOME_SYNCD,
	};

	return control_new(&e->control, e->loop, e->set.control_socket, &ops,
			   err);
}
