#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "frame.h"
#include "ground/clock.h"
#include "ground/net.h"
#include "mend.h"
#include "rows.h"

#define PROTOCOL_V3 2 /* the only one that all versions take */
#define FETCH_ROWS 1024
#define FAREWELL_MS 1000
#define VERSION_1_1 10100
#define MAX_ROWS 1000000u

/* ---- what the server is ---- */

/* "1.3.3", "2.0.6-SNAPSHOT" to 10303, 20006. */
static unsigned number_of(const char *version)
{
	unsigned a = 0, b = 0, c = 0;

	if (sscanf(version, "%2u.%2u.%2u", &a, &b, &c) < 2)
		return 0;
	return a * 10000 + b * 100 + c;
}

/* 1: it is read-only, as far as this version tells. */
static int get_properties(struct rpc *c, struct err *e)
{
	WireProperties *p = g_object_new(TYPE_WIRE_PROPERTIES, NULL);
	struct call k;
	int r;

	call_begin(&k, c, "getProperties");
	r = call_exchange(
		&k, wire_client_client_send_get_properties(k.client, &k.why),
		c->connect_ms, e);
	if (r >= 0)
		r = call_read(&k,
			      wire_client_client_recv_get_properties(
				      k.client, &p, &k.why),
			      e);
	if (r >= 0) {
		(void)snprintf(c->version, sizeof c->version, "%s",
			       p->version ? p->version : "");
		(void)snprintf(c->precision, sizeof c->precision, "%s",
			       p->timestampPrecision ? p->timestampPrecision
						     : "");
		c->number = number_of(c->version);
		r = p->isReadOnly;
	}
	call_end(&k);
	g_object_unref(p);
	if (r >= 0 && !c->number)
		r = err_set(e, EPROTO,
			    "IoTDB at %s: expected a version like 1.3.3, got "
			    "\"%s\"",
			    c->address, c->version);
	return r;
}

int rpc_is_read_only(struct rpc *c, struct err *e)
{
	return get_properties(c, e);
}

/* ---- log in ---- */

static WireOpenReq *open_request(const struct rpc *c,
				 const struct rpc_login *login)
{
	/* 1.0 refuses V_1_0, and without any a server takes the client for older than
	 * 0.13 (iotdb-observed, section 3). */
	const char *semantics = c->number < VERSION_1_1 ? "V_0_13" : "V_1_0";
	WireOpenReq *req = g_object_new(TYPE_WIRE_OPEN_REQ, NULL);

	g_object_set(req, "client_protocol", PROTOCOL_V3, "zoneId",
		     login->zone ? login->zone : "UTC", "username",
		     login->user ? login->user : "root", "password",
		     login->password ? login->password : "root", NULL);
	g_hash_table_insert(req->configuration, g_strdup("version"),
			    g_strdup(semantics));
	if (login->speaks_tables)
		g_hash_table_insert(req->configuration, g_strdup("sql_dialect"),
				    g_strdup("table"));
	req->__isset_configuration = TRUE;
	return req;
}

static int open_session(struct rpc *c, const struct rpc_login *login,
			struct rpc_reply *reply, struct err *e)
{
	WireOpenReq *req = open_request(c, login);
	WireOpenResp *resp = g_object_new(TYPE_WIRE_OPEN_RESP, NULL);
	struct call k;
	int r;

	call_begin(&k, c, "openSession");
	r = call_exchange(
		&k, wire_client_client_send_open_session(k.client, req, &k.why),
		c->connect_ms, e);
	if (r >= 0)
		r = call_read(&k,
			      wire_client_client_recv_open_session(
				      k.client, &resp, &k.why),
			      e);
	if (r >= 0)
		r = call_status(c, resp->status, reply, e);
	c->session = resp->sessionId;
	c->is_open = r >= 0;
	call_end(&k);
	g_object_unref(resp);
	g_object_unref(req);
	return r;
}

static int request_statement(struct rpc *c, struct err *e)
{
	struct call k;
	gint64 id = 0;
	int r;

	call_begin(&k, c, "requestStatementId");
	r = call_exchange(&k,
			  wire_client_client_send_request_statement_id(
				  k.client, c->session, &k.why),
			  c->connect_ms, e);
	if (r >= 0)
		r = call_read(&k,
			      wire_client_client_recv_request_statement_id(
				      k.client, &id, &k.why),
			      e);
	c->statement = id;
	call_end(&k);
	return r;
}

int rpc_connect(struct rpc **out, const struct rpc_login *login, struct err *e)
{
	struct rpc *c = xcalloc(1, sizeof *c);
	int r;

	mend_types();
	*out = NULL;
	c->connect_ms = login->connect_ms ? login->connect_ms : RPC_CONNECT_MS;
	rpc_set_limit(c, login->reply_ms);
	(void)net_endpoint(login->host, login->port, c->address);
	c->fd = frame_connect(login->host, login->port, c->connect_ms, e);
	r = c->fd < 0 ? c->fd : get_properties(c, e);
	if (r < 0)
		rpc_close(c);
	else
		*out = c;
	return r < 0 ? r : 0;
}

int rpc_open(struct rpc **out, const struct rpc_login *login,
	     struct rpc_reply *reply, struct err *e)
{
	struct rpc *c;
	int r;

	*out = NULL;
	if (reply)
		*reply = (struct rpc_reply){0};
	r = rpc_connect(&c, login, e);
	if (r < 0)
		return r;
	r = open_session(c, login, reply, e);
	if (r >= 0)
		r = request_statement(c, e);
	if (r < 0)
		rpc_close(c);
	else
		*out = c;
	return r;
}

static void close_session(struct rpc *c)
{
	WireCloseReq *req = g_object_new(TYPE_WIRE_CLOSE_REQ, "sessionId",
					 (gint64)c->session, NULL);
	struct call k;

	call_begin(&k, c, "closeSession");
	(void)!call_exchange(&k,
			     wire_client_client_send_close_session(k.client,
								   req, &k.why),
			     FAREWELL_MS, NULL);
	call_end(&k);
	g_object_unref(req);
}

void rpc_close(struct rpc *c)
{
	if (!c)
		return;
	if (c->is_open && !c->is_lost)
		close_session(c);
	cleanup_close(&c->fd);
	free(c);
}

const char *rpc_version(const struct rpc *c)
{
	return c->version;
}

unsigned rpc_version_number(const struct rpc *c)
{
	return c->number;
}

const char *rpc_precision(const struct rpc *c)
{
	return c->precision;
}

const char *rpc_address(const struct rpc *c)
{
	return c->address;
}

void rpc_set_limit(struct rpc *c, unsigned reply_ms)
{
	c->reply_ms = reply_ms ? reply_ms : RPC_REPLY_MS;
}

int rpc_watch(const char *host, unsigned port, unsigned limit_ms)
{
	return frame_connect(host, port, limit_ms, NULL);
}

bool rpc_watch_broke(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}

/* ---- statements ---- */

static int execute(struct rpc *c, const char *statement, WireExecuteResp **resp,
		   struct rpc_reply *reply, struct err *e)
{
	WireExecuteReq *req =
		g_object_new(TYPE_WIRE_EXECUTE_REQ, "sessionId",
			     (gint64)c->session, "statement", statement,
			     "statementId", (gint64)c->statement, "fetchSize",
			     FETCH_ROWS, "timeout", (gint64)c->reply_ms, NULL);
	struct call k;
	int r;

	if (reply)
		*reply = (struct rpc_reply){0};
	*resp = g_object_new(TYPE_WIRE_EXECUTE_RESP, NULL);
	call_begin(&k, c, "executeStatement");
	r = call_exchange(&k,
			  wire_client_client_send_execute_statement(
				  k.client, req, &k.why),
			  c->reply_ms, e);
	if (r >= 0)
		r = call_read(&k,
			      wire_client_client_recv_execute_statement(
				      k.client, resp, &k.why),
			      e);
	if (r >= 0)
		r = call_status(c, (*resp)->status, reply, e);
	call_end(&k);
	g_object_unref(req);
	return r;
}

static void close_operation(struct rpc *c, int64_t query)
{
	WireCloseOperationReq *req =
		g_object_new(TYPE_WIRE_CLOSE_OPERATION_REQ, "sessionId",
			     (gint64)c->session, "queryId", (gint64)query,
			     "statementId", (gint64)c->statement, NULL);
	struct call k;

	call_begin(&k, c, "closeOperation");
	(void)!call_exchange(
		&k,
		wire_client_client_send_close_operation(k.client, req, &k.why),
		c->connect_ms, NULL);
	call_end(&k);
	g_object_unref(req);
}

int rpc_execute(struct rpc *c, const char *statement, struct rpc_reply *reply,
		struct err *e)
{
	WireExecuteResp *resp;
	int r = execute(c, statement, &resp, reply, e);

	if (r >= 0 && resp->__isset_queryId && resp->__isset_columns &&
	    resp->columns->len)
		close_operation(c, resp->queryId);
	g_object_unref(resp);
	return r;
}

/* ---- rows ---- */

static int begin_rows(struct rows *rows, const WireExecuteResp *resp,
		      struct err *e)
{
	guint n = resp->columns ? resp->columns->len : 0;
	int r = 0;

	rows->has_time = !resp->ignoreTimeStamp;
	if (!resp->dataTypeList || resp->dataTypeList->len != n)
		return err_set(e, EBADMSG,
			       "expected a type for each of %u columns", n);
	for (guint i = 0; i < n && r >= 0; i++) {
		const char *name = g_ptr_array_index(resp->columns, i);
		const char *type = g_ptr_array_index(resp->dataTypeList, i);
		const gint32 *at = NULL;

		/* The same series asked for twice travels once. */
		if (resp->__isset_columnNameIndexMap && name)
			at = g_hash_table_lookup(resp->columnNameIndexMap,
						 name);
		r = rows_add_column(rows, name ? name : "", type ? type : "",
				    at ? (unsigned)*at : i, e);
	}
	return r;
}

static struct rd over(const GByteArray *a)
{
	return a ? rd_over(a->data, a->len) : rd_over("", 0);
}

static int take_rows(struct rows *rows, const WireDataSet *set,
		     const struct rpc_visit *visit, struct err *e)
{
	guint n = set->valueList ? set->valueList->len : 0;
	CLEANUP_FREE struct rows_piece *pieces = NULL;

	if (n > RPC_COLUMNS_MAX || !set->bitmapList ||
	    set->bitmapList->len != n)
		return err_set(e, EBADMSG, "a damaged set of rows");
	pieces = xcalloc(n + 1, sizeof *pieces);
	for (guint i = 0; i < n; i++) {
		pieces[i].values = over(g_ptr_array_index(set->valueList, i));
		pieces[i].bitmap = over(g_ptr_array_index(set->bitmapList, i));
	}
	return rows_visit(rows, over(set->time), pieces, n, visit, e);
}

/* One more piece of the result; *has_more says whether another follows. */
static int fetch(struct rpc *c, const char *statement, int64_t query,
		 struct rows *rows, const struct rpc_visit *visit,
		 bool *has_more, struct rpc_reply *reply, struct err *e)
{
	WireFetchReq *req =
		g_object_new(TYPE_WIRE_FETCH_REQ, "sessionId",
			     (gint64)c->session, "statement", statement,
			     "fetchSize", FETCH_ROWS, "queryId", (gint64)query,
			     "isAlign", TRUE, "timeout", (gint64)c->reply_ms,
			     NULL);
	WireFetchResp *resp = g_object_new(TYPE_WIRE_FETCH_RESP, NULL);
	struct call k;
	int r;

	call_begin(&k, c, "fetchResults");
	r = call_exchange(&k,
			  wire_client_client_send_fetch_results(k.client, req,
								&k.why),
			  c->reply_ms, e);
	if (r >= 0)
		r = call_read(&k,
			      wire_client_client_recv_fetch_results(
				      k.client, &resp, &k.why),
			      e);
	if (r >= 0)
		r = call_status(c, resp->status, reply, e);
	/* Its moreData is no help: servers set it the wrong way round here (seen on
	 * 1.3.3). A query that is over has no result set; one without a whole row is none. */
	*has_more = r >= 0 && resp->hasResultSet &&
		    resp->__isset_queryDataSet && resp->queryDataSet->time &&
		    resp->queryDataSet->time->len >= 8;
	if (r >= 0 && resp->hasResultSet && resp->__isset_queryDataSet)
		r = take_rows(rows, resp->queryDataSet, visit, e);
	call_end(&k);
	g_object_unref(resp);
	g_object_unref(req);
	return r;
}

/* A server that always has some rows more. */
static bool is_late(const struct rpc_visit *visit, uint64_t began_ms)
{
	return visit->limit_ms && clock_mono_ms() - began_ms > visit->limit_ms;
}

static int late(struct rpc *c, const struct rpc_visit *visit, struct err *e)
{
	c->is_lost = true;
	return err_set(e, ETIMEDOUT,
		       "IoTDB at %s: the rows of a query did not end within "
		       "%u s",
		       c->address, visit->limit_ms / 1000);
}

int rpc_query(struct rpc *c, const char *statement,
	      const struct rpc_visit *visit, struct rpc_reply *reply,
	      struct err *e)
{
	struct rows rows = {.max_rows = visit->max_rows ? visit->max_rows
							: MAX_ROWS};
	uint64_t began_ms = clock_mono_ms();
	WireExecuteResp *resp;
	bool has_more;
	int r = execute(c, statement, &resp, reply, e);
	bool is_open = r >= 0 && resp->__isset_queryId;

	if (r >= 0)
		r = begin_rows(&rows, resp, e);
	has_more =
		r >= 0 && rows.n && (!resp->__isset_moreData || resp->moreData);
	if (r >= 0 && rows.n && resp->__isset_queryDataSet)
		r = take_rows(&rows, resp->queryDataSet, visit, e);
	while (r == 0 && has_more)
		r = is_late(visit, began_ms)
			    ? late(c, visit, e)
			    : fetch(c, statement, resp->queryId, &rows, visit,
				    &has_more, reply, e);
	if (is_open && !c->is_lost)
		close_operation(c, resp->queryId);
	rows_release(&rows);
	g_object_unref(resp);
	return r;
}
