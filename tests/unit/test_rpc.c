/* lib/iotdb against a server that answers by script (tests/iotdb/fake_server.py). */
#include <errno.h>
#include <poll.h>
#include <inttypes.h>
#include <unistd.h>

#include "fake_iotdb.h"
#include "ground/bytes.h"
#include "iotdb/frame.h"
#include "iotdb/rpc.h"
#include "test.h"

static struct fake_iotdb fake;

static int log_in(struct rpc **c, const char *password, struct rpc_reply *reply,
		  struct err *e)
{
	struct rpc_login login = {.host = "127.0.0.1",
				  .port = fake.port,
				  .password = password,
				  .connect_ms = 10000,
				  .reply_ms = 10000};

	return rpc_open(c, &login, reply, e);
}

static void logs_in_and_knows_the_version(void)
{
	struct rpc *c = NULL;
	struct err e = {0};

	fake_iotdb_script(&fake, "{\"version\": \"1.2.2\", \"precision\": "
				 "\"us\"}\n");
	CHECK(log_in(&c, NULL, NULL, &e) == 0);
	CHECK_STR(rpc_version(c), "1.2.2");
	CHECK(rpc_version_number(c) == 10202);
	CHECK_STR(rpc_precision(c), "us");
	rpc_close(c);
}

static void a_wrong_password_is_the_servers_no(void)
{
	struct rpc_reply reply;
	struct rpc *c = NULL;
	struct err e = {0};

	fake_iotdb_script(&fake, "{\"password\": \"right\"}\n");
	CHECK(log_in(&c, "wr0ng", &reply, &e) == -EREMOTEIO);
	CHECK(!c && reply.code == 801);
	CHECK(strstr(e.text, "Authentication failed"));
	CHECK(!strstr(e.text, "wr0ng"));
	CHECK(log_in(&c, "right", &reply, &e) == 0);
	rpc_close(c);
}

static void a_refusal_leaves_the_connection_usable(void)
{
	struct rpc_reply reply;
	struct rpc *c = NULL;
	struct err e = {0};

	fake_iotdb_script(&fake, "{\"match\": \"FLUSH\", \"code\": 803, "
				 "\"text\": \"No permissions\", \"retry\": "
				 "true}\n");
	CHECK(log_in(&c, NULL, NULL, &e) == 0);
	CHECK(rpc_execute(c, "FLUSH", &reply, &e) == -EREMOTEIO);
	CHECK(reply.code == 803 && reply.may_retry);
	CHECK_STR(reply.text, "No permissions");
	CHECK(rpc_execute(c, "CREATE DATABASE root.x", &reply, &e) == 0);
	CHECK(reply.code == 200);
	rpc_close(c);
}

/* What is wrong stands at the end. */
static void a_long_sentence_keeps_both_ends(void)
{
	char script[4096], middle[1801];
	struct rpc_reply reply;
	struct rpc *c = NULL;
	struct err e = {0};

	for (size_t i = 0; i + 1 < sizeof middle; i += 2)
		memcpy(middle + i, "\xc3\xa9",
		       2); /* cut within a letter at neither end */
	middle[sizeof middle - 1] = 0;
	(void)snprintf(script, sizeof script,
		       "{\"match\": \"FLUSH\", \"code\": 1100, \"text\": "
		       "\"LoadTsFileStatement%s does not exist\"}\n",
		       middle);
	fake_iotdb_script(&fake, script);
	CHECK(log_in(&c, NULL, NULL, &e) == 0);
	CHECK(rpc_execute(c, "FLUSH", &reply, &e) == -EREMOTEIO);
	CHECK(strlen(reply.text) > sizeof reply.text - 4);
	CHECK(strncmp(reply.text, "LoadTsFileStatement\xc3\xa9", 21) == 0);
	CHECK(strstr(reply.text, "\xc3\xa9 ... \xc3\xa9"));
	CHECK(strcmp(reply.text + strlen(reply.text) - 17,
		     "\xc3\xa9 does not exist") == 0);
	CHECK(strstr(e.text, " does not exist"));
	rpc_close(c);
}

struct seen {
	char text[512];
	unsigned n;
};

static int see(void *arg, const struct rpc_row *row)
{
	struct seen *s = arg;
	size_t at = strlen(s->text);

	s->n++;
	if (row->has_time)
		at += (size_t)snprintf(s->text + at, sizeof s->text - at,
				       "%" PRId64 " ", row->time);
	for (unsigned i = 0; i < row->n && at < sizeof s->text; i++)
		at += (size_t)snprintf(s->text + at, sizeof s->text - at, "%s,",
				       row->cells[i] ? row->cells[i] : "-");
	return 0;
}

static void rows_of_every_type_with_nulls(void)
{
	struct seen seen = {.n = 0};
	struct rpc_visit visit = {.row = see, .arg = &seen};
	struct rpc *c = NULL;
	struct err e = {0};

	fake_iotdb_script(
		&fake,
		"{\"match\": \"SELECT .*\", \"columns\": [\"a\", \"b\", \"c\", "
		"\"d\", \"e\", \"f\"], \"types\": [\"BOOLEAN\", \"INT32\", "
		"\"INT64\", \"FLOAT\", \"DOUBLE\", \"TEXT\"], \"times\": [-5, "
		"7], \"rows\": [[true, -1, 9007199254740993, 0.5, 0.1, "
		"\"x y\"], [null, null, null, null, null, null]]}\n");
	CHECK(log_in(&c, NULL, NULL, &e) == 0);
	CHECK(rpc_query(c, "SELECT * FROM root.**", &visit, NULL, &e) == 0);
	CHECK_STR(seen.text, "-5 true,-1,9007199254740993,0.5,0.1,x y,"
			     "7 -,-,-,-,-,-,");
	rpc_close(c);
}

static void pieces_are_fetched_to_the_end(void)
{
	struct seen seen = {.n = 0};
	struct rpc_visit visit = {.row = see, .arg = &seen};
	struct rpc *c = NULL;
	struct err e = {0};

	fake_iotdb_script(&fake,
			  "{\"match\": \"SHOW DATABASES\", \"columns\": "
			  "[\"Database\"], \"piece\": 2, \"rows\": [[\"a\"], "
			  "[\"b\"], [\"c\"], [\"d\"], [\"e\"]]}\n");
	CHECK(log_in(&c, NULL, NULL, &e) == 0);
	CHECK(rpc_query(c, "SHOW DATABASES", &visit, NULL, &e) == 0);
	CHECK(seen.n == 5);
	CHECK_STR(seen.text, "a,b,c,d,e,");
	visit.max_rows = 3;
	CHECK(rpc_query(c, "SHOW DATABASES", &visit, NULL, &e) == -E2BIG);
	rpc_close(c);
}

static int see_slowly(void *arg, const struct rpc_row *row)
{
	(void)poll(NULL, 0, 5);
	return see(arg, row);
}

static void rows_that_do_not_end_are_late(void)
{
	struct seen seen = {.n = 0};
	struct rpc_visit visit = {
		.row = see_slowly, .arg = &seen, .limit_ms = 8};
	struct rpc *c = NULL;
	struct err e = {0};

	fake_iotdb_script(&fake,
			  "{\"match\": \"SHOW DATABASES\", \"columns\": "
			  "[\"Database\"], \"piece\": 1, \"rows\": [[\"a\"], "
			  "[\"b\"], [\"c\"], [\"d\"], [\"e\"]]}\n");
	CHECK(log_in(&c, NULL, NULL, &e) == 0);
	CHECK(rpc_query(c, "SHOW DATABASES", &visit, NULL, &e) == -ETIMEDOUT);
	CHECK(seen.n >= 1 && seen.n < 5);
	CHECK(strstr(e.text, "did not end within"));
	CHECK(rpc_execute(c, "FLUSH", NULL, &e) == -ENOTCONN);
	rpc_close(c);
}

static void a_lost_answer_is_no_answer(void)
{
	struct rpc_reply reply = {0};
	struct rpc *c = NULL;
	struct err e = {0};

	fake_iotdb_script(&fake, "{\"match\": \"FLUSH\", \"drop\": true}\n");
	CHECK(log_in(&c, NULL, NULL, &e) == 0);
	CHECK(rpc_execute(c, "FLUSH", &reply, &e) < 0 && reply.code == 0);
	CHECK(rpc_execute(c, "FLUSH", &reply, &e) == -ENOTCONN);
	rpc_close(c);
}

static void a_silent_server_is_late(void)
{
	struct rpc *c = NULL;
	struct err e = {0};

	fake_iotdb_script(&fake, "{\"match\": \"FLUSH\", \"hang\": true}\n");
	CHECK(log_in(&c, NULL, NULL, &e) == 0);
	rpc_set_limit(c, 200);
	CHECK(rpc_execute(c, "FLUSH", NULL, &e) == -ETIMEDOUT);
	rpc_close(c);
}

/* The answer to executeStatement whose field `id` is a list of n elements, of 8 bytes each. */
static int check_list(uint8_t id, uint8_t element, uint32_t n)
{
	static const char method[] = "executeStatement";
	CLEANUP(buf_release) struct buf b;
	struct err e = {0};

	buf_init(&b, 1u << 20);
	wr_be32(&b, 0x80010002);
	wr_be32(&b, sizeof method - 1);
	buf_adds(&b, method);
	wr_be32(&b, 0);
	buf_add(&b, "\x0c\0\0" /* field 0 */ "\x0f\0", 5);
	wr_u8(&b, id);
	wr_u8(&b, element);
	wr_be32(&b, n);
	for (uint32_t i = 0; i < n; i++) {
		wr_be32(&b, 4); /* of a string, or half an i64 */
		wr_be32(&b, 0x7fffffff);
	}
	buf_add(&b, "\0\0", 2);
	return frame_check(buf_data(&b), b.len, method, &e);
}

static void a_list_holds_what_it_is_read_for(void)
{
	CHECK(check_list(3, 11, 2) == 0);	 /* strings, as columns are */
	CHECK(check_list(3, 10, 2) == -EBADMSG); /* numbers read as lengths */
	CHECK(check_list(4, 10, 2) == 0);	 /* passed over */
	CHECK(check_list(3, 10, 0) == 0);
	CHECK(check_list(3, 11, FRAME_ELEMENTS_MAX) == 0);
	CHECK(check_list(3, 11, FRAME_ELEMENTS_MAX + 1) == -EBADMSG);
}

int main(void)
{
	fake_iotdb_start(&fake, "rpc", "{\"version\": \"1.3.3\"}\n");
	test_run("logs in and knows the version",
		 logs_in_and_knows_the_version);
	test_run("a wrong password is the server's no, and stays unsaid",
		 a_wrong_password_is_the_servers_no);
	test_run("of a long sentence both ends are kept",
		 a_long_sentence_keeps_both_ends);
	test_run("a refusal leaves the connection usable",
		 a_refusal_leaves_the_connection_usable);
	test_run("rows of every type, with nulls",
		 rows_of_every_type_with_nulls);
	test_run("pieces are fetched to the end, or to the limit",
		 pieces_are_fetched_to_the_end);
	test_run("rows that do not end are late",
		 rows_that_do_not_end_are_late);
	test_run("a lost answer is no answer", a_lost_answer_is_no_answer);
	test_run("a list holds what it is read for, and not too much",
		 a_list_holds_what_it_is_read_for);
	test_run("a silent server is late", a_silent_server_is_late);
	fake_iotdb_stop(&fake);
	return test_end();
}
