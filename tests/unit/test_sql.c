#include <errno.h>
#include <strings.h>

#include "domain/sql.h"
#include "test.h"

#define S "Error occurred while parsing SQL to physical plan: line "
#define NOT_SUPPORTED "Check metadata error: Not support for this sql in pipe."
#define TIME_ERROR(t)                                                     \
	"Check metadata error: Input time format " t                      \
	" error. Input like yyyy-MM-dd HH:mm:ss, yyyy-MM-ddTHH:mm:ss or " \
	"refer to user document for more info."
#define KEY "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"
#define KEY_SMALL \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CP "CREATE PIPE p TO s "
#define CS "CREATE PIPESINK s AS IoTDB "

static const struct sql_setting set = {SQL_MS, 1700000000000};

/* What was understood, on one line. */
static const char *show(const struct stmt *st)
{
	static char to[2048];
	int n = snprintf(to, sizeof to, "%d", (int)st->kind);

	const struct {
		const char *key, *value;
	} texts[] = {{"name", st->name}, {"sink", st->sink},
		     {"type", st->type}, {"ip", st->ip},
		     {"key", st->key},	 {"query", st->query}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].value[0])
			n += snprintf(to + n, sizeof to - (size_t)n, " %s=%s",
				      texts[i].key, texts[i].value);
	}
	if (st->port)
		n += snprintf(to + n, sizeof to - (size_t)n, " port=%u",
			      st->port);
	n += snprintf(to + n, sizeof to - (size_t)n, "%s%s%s",
		      st->has_ip ? " has_ip" : "",
		      st->has_port ? " has_port" : "",
		      st->has_key ? " has_key" : "");
	if (st->has_from)
		n += snprintf(to + n, sizeof to - (size_t)n, " from%s%lld",
			      st->from_is_exclusive ? ">" : ">=",
			      (long long)st->from);
	if (!st->sync_del_op)
		n += snprintf(to + n, sizeof to - (size_t)n, " keep-deletes");
	if (st->has_seconds)
		n += snprintf(to + n, sizeof to - (size_t)n, " seconds=%lld",
			      (long long)st->seconds);
	if (st->id || st->is_all)
		(void)snprintf(to + n, sizeof to - (size_t)n, " id=%llu%s",
			       (unsigned long long)st->id,
			       st->is_all ? " all" : "");
	return to;
}

struct good {
	const char *text;
	enum stmt_kind kind;
	const char *rest;
};

/* 2022-03-30 00:00:00 in UTC is 1648598400000. */
#define Q(cond) " query=select ** from root where time" cond
static const struct good goods[] = {
	{"SHOW PIPES", STMT_SHOW_PIPES, ""},
	{"show pipes;", STMT_SHOW_PIPES, ""},
	{"  Show\tPipes ; ;\n", STMT_SHOW_PIPES, ""},
	{"IoTDB> SHOW PIPES", STMT_SHOW_PIPES, ""},
	{" IOTDB>show pipes;", STMT_SHOW_PIPES, ""},
	{"\xef\xbb\xbfSHOW PIPES", STMT_SHOW_PIPES, ""},
	{"\xef\xbb\xbf IoTDB> SHOW PIPES", STMT_SHOW_PIPES, ""},
	{"SHOW PIPE", STMT_SHOW_PIPES, ""},
	{"SHOW PIPE p", STMT_SHOW_PIPES, " name=p"},
	{"SHOW PIPE SINK", STMT_SHOW_PIPES, " name=SINK"},
	{"SHOW PIPE `a b`", STMT_SHOW_PIPES, " name=a b"},
	{"SHOW PIPESINKTYPE", STMT_SHOW_PIPESINKTYPE, ""},
	{"SHOW PIPESINKS", STMT_SHOW_PIPESINKS, ""},
	{"SHOW PIPESINK", STMT_SHOW_PIPESINKS, ""},
	{"SHOW PIPESINK my_sink", STMT_SHOW_PIPESINKS, " name=my_sink"},
	{"SHOW PIPESERVER", STMT_SHOW_PIPESERVER, ""},
	{"SHOW PIPESERVER STATUS", STMT_SHOW_PIPESERVER, ""},
	{"START PIPESERVER", STMT_START_PIPESERVER, ""},
	{"stop pipeserver;", STMT_STOP_PIPESERVER, ""},
	{"START PIPE my_pipe", STMT_START_PIPE, " name=my_pipe"},
	{"STOP PIPE 1p", STMT_STOP_PIPE, " name=1p"},
	{"DROP PIPE `p-1`", STMT_DROP_PIPE, " name=p-1"},
	{"DROP PIPE `a``b`", STMT_DROP_PIPE, " name=a`b"},
	{"DROP PIPE `pipe`", STMT_DROP_PIPE, " name=pipe"},
	{"DROP PIPESINK a:b@c#d$e{f}", STMT_DROP_PIPESINK,
	 " name=a:b@c#d$e{f}"},
	{"# first\n-- second\nSTART PIPE\n  # third; 'x\n p", STMT_START_PIPE,
	 " name=p"},
	{"SHOW SENDERS", STMT_SHOW_SENDERS, ""},
	{"ADMIT SENDER edge-07.example.com", STMT_ADMIT_SENDER,
	 " name=edge-07.example.com"},
	{"FORGET SENDER `the gateway`;", STMT_FORGET_SENDER,
	 " name=the gateway"},
	{"SHOW QUARANTINE", STMT_SHOW_QUARANTINE, ""},
	{"RETRY 17", STMT_RETRY, " id=17"},
	{"retry all", STMT_RETRY, " id=0 all"},
	{"SKIP 9223372036854775807", STMT_SKIP, " id=9223372036854775807"},
	{"LOAD CONFIGURATION", STMT_LOAD_CONFIGURATION, ""},
	{"load configuration -local", STMT_LOAD_CONFIGURATION, ""},
	{"SHOW VERSION", STMT_SHOW_VERSION, ""},
	{"SHOW STATEMENTS", STMT_SHOW_STATEMENTS, ""},
	{"WAIT PIPE p", STMT_WAIT_PIPE, " name=p"},
	{"WAIT PIPE p 0", STMT_WAIT_PIPE, " name=p seconds=0"},
	{"WAIT PIPE p 30;", STMT_WAIT_PIPE, " name=p seconds=30"},
	{"RESYNC PIPE p", STMT_RESYNC_PIPE, " name=p"},
	{"RESYNC PIPE p FROM 2022-03-30 00:00:00;", STMT_RESYNC_PIPE,
	 " name=p from>=1648598400000"},
	{"RESYNC PIPE p FROM now() - 1d", STMT_RESYNC_PIPE,
	 " name=p from>=1699913600000"},

	{CS, STMT_CREATE_PIPESINK, " name=s type=IoTDB ip=127.0.0.1 port=6670"},
	{"create pipesink iotdb as IOTDB", STMT_CREATE_PIPESINK,
	 " name=iotdb type=IOTDB ip=127.0.0.1 port=6670"},
	{CS "(IP='10.0.0.5',port=6671)", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=10.0.0.5 port=6671 has_ip has_port"},
	{CS "(ip='127.0.0.1')", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=127.0.0.1 port=6670 has_ip"},
	{CS "(IP='1.2.3.4',port=6670;)", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=1.2.3.4 port=6670 has_ip has_port"},
	{CS "(IP='1.2.3.4',port=6670;);", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=1.2.3.4 port=6670 has_ip has_port"},
	{"CREATE PIPESINK my_iotdb AS IoTDB "
	 "(IP='192.168.0.2'\xef\xbc\x8cPORT=6670)",
	 STMT_CREATE_PIPESINK,
	 " name=my_iotdb type=IoTDB ip=192.168.0.2 port=6670 has_ip has_port"},
	{CS "(`Ip`==\"1.2.3.4\" , Port = '+06670' )", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=1.2.3.4 port=6670 has_ip has_port"},
	{CS "(ip='::1')", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=::1 port=6670 has_ip"},
	{CS "(ip=fe80::1,port=1)", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=fe80::1 port=1 has_ip has_port"},
	{CS "(ip='cloud-1.example.com')", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=cloud-1.example.com port=6670 has_ip"},
	{CS "(ip=localhost)", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=localhost port=6670 has_ip"},
	{CS "(key='" KEY "')", STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=127.0.0.1 key=" KEY_SMALL " port=6670 has_key"},
	{"CREATE PIPESINK s\nAS IoTDB\n(\nip='1.2.3.4',\nport=6670)\n",
	 STMT_CREATE_PIPESINK,
	 " name=s type=IoTDB ip=1.2.3.4 port=6670 has_ip has_port"},
	{"ALTER PIPESINK s (ip='1.2.3.4')", STMT_ALTER_PIPESINK,
	 " name=s ip=1.2.3.4 has_ip"},
	{"ALTER PIPESINK s (port=65535, key=" KEY ");", STMT_ALTER_PIPESINK,
	 " name=s key=" KEY_SMALL " port=65535 has_port has_key"},

	{"CREATE PIPE my_pipe TO central_iotDB", STMT_CREATE_PIPE,
	 " name=my_pipe sink=central_iotDB"},
	{CP "WITH SyncDelOp=false", STMT_CREATE_PIPE,
	 " name=p sink=s keep-deletes"},
	{CP "with syncdelop==TRUE", STMT_CREATE_PIPE, " name=p sink=s"},
	{CP "WITH `SyncDelOp`='False'", STMT_CREATE_PIPE,
	 " name=p sink=s keep-deletes"},
	{CP "FROM (select ** from root)", STMT_CREATE_PIPE,
	 " name=p sink=s query=select ** from root"},
	{CP "FROM (select ** from root;)", STMT_CREATE_PIPE,
	 " name=p sink=s query=select ** from root"},
	{"CREATE PIPE p TO my_iotdb FROM (select ** from root where "
	 "time>='2022-03-30 00:00:00') WITH SyncDelOp=false",
	 STMT_CREATE_PIPE,
	 " name=p sink=my_iotdb" Q(
		 ">='2022-03-30 00:00:00'") " "
					    "from>=1648598400000 keep-deletes"},
	{CP "FROM (\n select  **\n\tfrom root\nWHERE time >= "
	    "\"2022-03-30  00:00:00\" )\n",
	 STMT_CREATE_PIPE,
	 " name=p sink=s query=select ** from root WHERE time >= "
	 "\"2022-03-30  00:00:00\" from>=1648598400000"},
	{CP "FROM (select ** from root where time>2022-03-30 00:00:00)",
	 STMT_CREATE_PIPE,
	 " name=p sink=s" Q(">2022-03-30 00:00:00") " from>1648598400000"},
	{CP "FROM (select ** from root where timestamp>=-5;)", STMT_CREATE_PIPE,
	 " name=p sink=s query=select ** from root where timestamp>=-5 "
	 "from>=-5"},
	{CP "FROM (select ** from root where TimeStamp > now() - 1d)",
	 STMT_CREATE_PIPE,
	 " name=p sink=s query=select ** from root where TimeStamp > now() - "
	 "1d from>1699913600000"},
	{CP "FROM (select ** from root where time>=now())", STMT_CREATE_PIPE,
	 " name=p sink=s" Q(">=now()") " from>=1700000000000"},
	{CP "FROM (select ** from root where "
	    "time>=2022-3-30T00:00:00.000+08:00)",
	 STMT_CREATE_PIPE,
	 " name=p sink=s" Q(
		 ">=2022-3-30T00:00:00.000+08:00") " "
						   "from>=1648569600000"},
	{"CREATE PIPE p\nTO s\nFROM\n(select ** from root where time>=5)\n"
	 "WITH SyncDelOp=true;",
	 STMT_CREATE_PIPE, " name=p sink=s" Q(">=5") " from>=5"},
};

static void every_form_is_understood(void)
{
	for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
		struct stmt st;
		struct err e = {0};
		char want[1024];
		int r = sql_parse(&st, goods[i].text, &set, &e);

		if (r < 0)
			printf("# %s\n# %d: %s\n", goods[i].text, e.code,
			       e.text);
		CHECK(r == 0);
		(void)snprintf(want, sizeof want, "%d%s", (int)goods[i].kind,
			       goods[i].rest);
		CHECK_STR(show(&st), want);
	}
}

struct bad {
	const char *text;
	int code;
	const char *say; /* the beginning of the sentence */
};

static const struct bad bads[] = {
	{"", 401,
	 S "1:0 expected CREATE, ALTER, DROP, SHOW, START, STOP, "
	   "RESYNC, WAIT, ADMIT, FORGET, RETRY, SKIP or LOAD, came "
	   "the end of the statement"},
	{"FLUSH", 401, S "1:0 expected CREATE, ALTER"},
	{"SHOW PIPESINKTYPES", 401,
	 S "1:5 expected PIPESINKTYPE, PIPESINKS, PIPESINK, PIPES, PIPE, "
	   "PIPESERVER, SENDERS, QUARANTINE, VERSION or STATEMENTS, came "
	   "'PIPESINKTYPES'"},
	{"SHOW PIPESINKS my_pipesink", 401,
	 S "1:15 expected the end of the statement, came 'my_pipesink'"},
	{"SHOW PIPES my_pipe", 401, S "1:11 expected the end"},
	{"SHOW PIPESERVER nosuch", 401, S "1:16 expected the end"},
	{"SHOW PIPES; SHOW PIPES", 401, S "1:12 expected the end"},
	{"CREATE PIPESINK s ", 401,
	 S "1:18 expected AS, came the end of the statement"},
	{"CREATE PIPESINK s AS 'IoTDB'", 401,
	 S "1:21 expected IoTDB, came 'IoTDB'"},
	{"CREATE PIPESINK s-1 AS IoTDB", 401,
	 S "1:17 expected AS, came '-' (names with other letters than A-Z a-z "
	   "0-9 _ : @ # $ { } are written in back quotes: `a-b`)"},
	{"CREATE PIPESINK 's1' AS IoTDB", 401, S "1:16 expected a pipesink"},
	{"CREATE PIPESINK root AS IoTDB", 401,
	 S "1:16 expected a pipesink's name, came 'root'"},
	{"CREATE PIPESINK as AS IoTDB", 401, S "1:16 expected a pipesink"},
	{"CREATE PIPESINK AS IoTDB", 401, S "1:16 expected a pipesink"},
	{"CREATE PIPESINK", 401, S "1:15 expected a pipesink's name, came the"},
	{"CREATE PIPESINKS x AS IoTDB", 401,
	 S "1:7 expected PIPESINK or PIPE, came 'PIPESINKS'"},
	{"DROP PIPESINK", 401, S "1:13 expected"},
	{"DROP PIPESINK a,b", 401, S "1:15 expected the end"},
	{"DROP PIPESINK IF EXISTS a", 401, S "1:17 expected the end"},
	{"CREATE PIPE SINK x AS IoTDB", 401, S "1:17 expected TO, came 'x'"},
	{CS "WITH port=1", 401, S "1:27 expected the end"},
	{CS "()", 401, S "1:28 expected an attribute, came ')'"},
	{CS "[(ip='127.0.0.1',port=6670);]", 401,
	 S "1:27 expected the end of the statement, came '[' (the square "
	   "brackets of the documentation mean that a part may be left out)"},
	{CS "(ip='192.168.0.2' port=6670)", 401,
	 S "1:45 expected ',' or ')', came 'port'"},
	{CS "(ip='192.168.0.2',)", 401, S "1:45 expected an attribute"},
	{CS "(,ip='192.168.0.2')", 401, S "1:28 expected an attribute"},
	{CS "('ip'='1.1.1.1')", 401, S "1:28 expected an attribute"},
	{CS "(port=)", 401, S "1:33 expected a value, came ')'"},
	{CS "(port)", 401, S "1:32 expected =, came ')'"},
	{CS "(ip='1.1.1.1'", 401, S "1:40 expected ',' or ')', came the end"},
	{CS "(ip='1.1.1.1", 401,
	 S "1:31 expected a value, came a quote that "
	   "is not closed: '1.1.1.1"},
	{CS "(ip='1.1.1.1',IP='2.2.2.2')", 401,
	 S "1:41 expected each attribute once, came 'IP'"},
	{CS "(\n ip='1.1.1.1',\n  \xc3\xa9\xc3\xa9 8)", 401,
	 S "3:5 expected =, came '8'"},
	{"ALTER PIPESINK s", 401, S "1:16 expected '(', came the end"},
	{"ALTER PIPESINK s ()", 401, S "1:18 expected an attribute"},
	{CP "FROM ()", 401, S "1:25 expected select, came ')'"},
	{CP "FROM (insert into root.sg.d(time,s) values(1,1))", 401,
	 S "1:25 expected select, came 'insert'"},
	{CP "FROM select ** from root", 401, S "1:24 expected '('"},
	{CP "FROM (select ** from root", 401, S "1:44 expected ')'"},
	{CP "FROM (select ** from root where time>=)", 401,
	 S "1:57 expected a time, came ')'"},
	{CP "FROM (select ** from root where time>=5", 401,
	 S "1:58 expected ')'"},
	{CP "FROM (select ** from root where time>='5)", 401,
	 S "1:57 expected a time, came a quote"},
	{CP "FROM (select * from root", 401, S "1:43 expected ')'"},
	{CP "WITH SyncDelOp=true FROM (select ** from root)", 401,
	 S "1:39 expected the end of the statement, came 'FROM'"},
	{CP "WITH syncdelop=", 401, S "1:34 expected a value"},
	{CP "WITH syncdelop", 401, S "1:33 expected ="},
	{CP "WITH (syncdelop=true)", 401, S "1:24 expected an attribute"},
	{CP "WITH syncdelop=true,", 401, S "1:39 expected an attribute"},
	{CP "WITH syncdelop=true syncdelop=false", 401, S "1:39 expected the"},
	{CP "WITH syncdelop=true,SyncDelOp=false", 401,
	 S "1:39 expected each attribute once"},
	{"CREATE PIPE p-1 TO s", 401, S "1:13 expected TO, came '-' (names"},
	{"CREATE PIPE a.b TO s", 401, S "1:13 expected TO, came '.' (names"},
	{"CREATE PIPE p TO s,other", 401, S "1:18 expected the end"},
	{"CREATE PIPE pipe TO s", 401, S "1:12 expected a pipe's name"},
	{"CREATE PIPE `` TO s", 401, S "1:12 expected a name that is not"},
	{"CREATE PIPE `p TO s", 401,
	 S "1:12 expected a pipe's name, came a "
	   "quote that is not closed: `p TO s"},
	{"CREATE PIPE p \x01", 401, S "1:14 expected TO, came the byte 0x01"},
	{"START PIPES", 401, S "1:6 expected PIPE or PIPESERVER, came 'PIPES'"},
	{"START PIPE", 401, S "1:10 expected a pipe's name"},
	{"START PIPE 'p q'", 401,
	 S "1:11 expected a pipe's name, came 'p q' (a name is written bare or "
	   "in back quotes: `a b`)"},
	{"RETRY", 401, S "1:5 expected an id of SHOW QUARANTINE, or ALL"},
	{"RETRY -1", 401, S "1:6 expected an id"},
	{"SKIP ALL", 401, S "1:5 expected an id of SHOW QUARANTINE, came"},
	{"SKIP 9223372036854775808", 401, S "1:5 expected an id"},
	{"WAIT PIPE p soon", 401, S "1:12 expected a number of seconds"},
	{"WAIT PIPE p 2147483648", 401, S "1:12 expected a number of seconds"},
	{"WAIT PIPE p 5 6", 401, S "1:14 expected the end"},
	{"ADMIT SENDER", 401, S "1:12 expected a sender's name"},
	{"RESYNC PIPE p FROM", 401, S "1:18 expected a time"},
	{"RESYNC PIPE p 2022", 401, S "1:14 expected FROM"},
	{"LOAD CONFIGURATION x", 401, S "1:19 expected the end"},

	{"CREATE PIPESINK s AS ExternalPipe", 411,
	 "Do not support pipeSink type externalpipe"},
	{"CREATE PIPESINK s AS foo (", 401, S "1:26 expected an attribute"},
	{CS "(user='root')", 411,
	 "There is No attribute user in IoTDB pipeSink."},
	{CS "(`HOST`='1.1.1.1')", 411,
	 "There is No attribute `host` in IoTDB pipeSink."},
	{CS "(address=1, port=x)", 411, "There is No attribute address in"},
	{CS "(address=1, port=x", 401, S "1:45 expected ',' or ')'"},
	{CS "(IP='There is your goal IP')", 411,
	 "ip='There is your goal IP' has wrong format, require for TEXT."},
	{CS "(ip='')", 411, "ip='' has wrong format, require for TEXT."},
	{CS "(ip='999.1.1.1')", 411, "ip='999.1.1.1' has wrong format, "},
	{CS "(ip='1.2.3')", 411, "ip='1.2.3' has wrong format, require for"},
	{CS "(ip=' 127.0.0.1 ')", 411, "ip=' 127.0.0.1 ' has wrong format"},
	{CS "(ip=`127.0.0.1`)", 411, "ip=`127.0.0.1` has wrong format"},
	{CS "(ip=null)", 411, "ip=null has wrong format, require for TEXT."},
	{CS "(ip=1)", 411, "ip=1 has wrong format, require for TEXT."},
	{CS "(ip='a''b')", 411, "ip='a''b' has wrong format"},
	{CS "(port=0)", 411,
	 "port=0 has wrong format, require for INT32. "
	 "(1 to 65535)"},
	{CS "(port=-1)", 411, "port=-1 has wrong format, require for INT32."},
	{CS "(port=65536)", 411,
	 "port=65536 has wrong format, require for "
	 "INT32. (1 to 65535)"},
	{CS "(port=99999999999)", 411, "port=99999999999 has wrong format, "},
	{CS "(port=6670.5)", 411, "port=6670.5 has wrong format, require for"},
	{CS "(port='abc')", 411, "port='abc' has wrong format, require for"},
	{CS "(port=0x1A)", 411, "port=0x1A has wrong format"},
	{CS "(port=1e3)", 411, "port=1e3 has wrong format"},
	{CS "(port='')", 411, "port='' has wrong format"},
	{CS "(key=12ab)", 411,
	 "key=12ab has wrong format, require for TEXT. "
	 "(the 64 hexadecimal digits that"},
	{CS "(key='" KEY "0')", 411, "key='" KEY "0' has wrong format"},
	{"CREATE PIPESINK s AS IoTDB（ip='1.2.3.4'）", 401,
	 S "1:29 expected the end of the statement, came '=' (the full-width"},
	{"SHOW PIPES；", 401, S "1:5 expected PIPESINKTYPE"},
	{CS "(ip=‘1.2.3.4’)", 411,
	 "ip=‘1.2.3.4’ has wrong format, require for TEXT. (a curled quote is "
	 "written ')"},
	{"SHOW\xc2\xa0PIPES", 401, S "1:0 expected CREATE"},
	{CP "WITH syncdelop=1", 411,
	 "SyncDelOp=1 has wrong format, require for BOOLEAN. (true or false)"},
	{CP "WITH syncdelop=yes", 411, "SyncDelOp=yes has wrong format"},
	{CP "WITH syncdelop=null", 411, "SyncDelOp=null has wrong format"},
	{CP "WITH syncdelop=''", 411, "SyncDelOp='' has wrong format"},
	{"CREATE PIPE log TO s", 411,
	 "The name 'log' can not be a pipe's: /pipes/log is a fixed entry. "
	 "Take another name."},
	{"CREATE PIPE `.p` TO s", 411,
	 "The name '.p' can not be a directory of /pipes: "},
	{"CREATE PIPE `a/b` TO s", 411, "The name 'a/b' can not be a dir"},
	{"CREATE PIPE \xff TO s", 411, "The name '\xff' can not be a dir"},
	{"CREATE PIPESINK `a/b` AS IoTDB", 411, "The name 'a/b' can not"},
	{"load configuration -global", 411,
	 "Error occurred in query process: The constructor with 1 parameters "
	 "is for load local configuration"},

	{CP "FROM (select * from root)", 303, NOT_SUPPORTED},
	{CP "FROM (select s1 from root)", 303,
	 NOT_SUPPORTED " (expected **, came 's1'; a pipe's query is select ** "
		       "from root [where time >= <time>])"},
	{CP "FROM (select sg.** from root)", 303, NOT_SUPPORTED},
	{CP "FROM (select count(**) from root)", 303, NOT_SUPPORTED},
	{CP "FROM (select **,** from root)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** as x from root)", 303, NOT_SUPPORTED},
	{CP "FROM (select last ** from root)", 303, NOT_SUPPORTED},
	{CP "FROM (tracing select ** from root)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root.**)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root.sg)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root,root)", 303, NOT_SUPPORTED},
	{CP "FROM (SELECT ** FROM ROOT)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root limit 10)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root group by ([0,10),1ms))", 303,
	 NOT_SUPPORTED},
	{CP "FROM (select ** from root where s1>=5)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where root.a.s1>5)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where (time>=5))", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where 5<time)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where time=5)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where time==5)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where time<5)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where time<=5)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where time!=5)", 303, NOT_SUPPORTED},
	{CP "FROM (select ** from root where time in (1,2))", 303,
	 NOT_SUPPORTED},
	{CP "FROM (select ** from root where time>=5 and time<10)", 303,
	 NOT_SUPPORTED},
	{CP "FROM (select ** from root where time>=5 && time>6)", 303,
	 NOT_SUPPORTED},
	{CP "FROM (select ** from root where time>=5 limit 3)", 303,
	 NOT_SUPPORTED},
	{CP "FROM (select * from root) WITH foo=1", 303, NOT_SUPPORTED},
	{CP "FROM (select * from root) x", 401, S "1:45 expected the end"},
	{CP "FROM (select ** from root where time>='yyyy-mm-dd HH:MM:SS' )",
	 303, TIME_ERROR("yyyy-mm-dd HH:MM:SS")},
	{CP "FROM (select ** from root where time>=yyyy-mm-dd HH:MM:SS )", 303,
	 TIME_ERROR("yyyy-mm-dd HH:MM:SS")},
	{CP "FROM (select ** from root where time>=2022-02-30 00:00:00)", 303,
	 TIME_ERROR("2022-02-30 00:00:00")},
	{CP "FROM (select ** from root where time>=5.0)", 303,
	 TIME_ERROR("5.0")},
	{CP "FROM (select ** from root where time>=1d)", 303, TIME_ERROR("1d")},
	{CP "FROM (select ** from root where time>=null)", 303,
	 TIME_ERROR("null")},
	{"RESYNC PIPE p FROM tomorrow;", 303, TIME_ERROR("tomorrow")},
};

static void every_refusal_has_its_words(void)
{
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		const struct bad *b = &bads[i];
		struct stmt st;
		struct err e = {0};
		int r = sql_parse(&st, b->text, &set, &e);

		if (r != -EINVAL || e.code != b->code ||
		    strncmp(e.text, b->say, strlen(b->say)) != 0)
			printf("# %s\n# %d, %d: %s\n", b->text, r, e.code,
			       e.text);
		CHECK(r == -EINVAL && e.sys == EINVAL);
		CHECK(e.code == b->code);
		CHECK(strncmp(e.text, b->say, strlen(b->say)) == 0);
	}
}

/* syncd refuses it, after a pipe that exists and a sink that does not. */
static void an_unknown_attribute_of_a_pipe_is_kept(void)
{
	static const struct {
		const char *text, *attr;
	} tries[] = {
		{CP "WITH foo=1", "foo"},
		{CP "WITH Foo=1", "foo"},
		{CP "WITH syncdelop=true,bar=2", "bar"},
		{CP "WITH bar=2,foo=1", "bar"},
		{CP "WITH syncdelop=true", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		struct stmt st;

		CHECK(sql_parse(&st, tries[i].text, &set, NULL) == 0);
		CHECK_STR(st.unknown_attr, tries[i].attr);
	}
}

static void sizes_are_bounded(void)
{
	static char text[SQL_STATEMENT_MAX + 64];
	struct stmt st;
	struct err e = {0};

	memset(text, ' ', SQL_STATEMENT_MAX + 1);
	CHECK(sql_parse(&st, text, &set, &e) == -E2BIG && e.code == 401);

	(void)strcpy(text, "START PIPE ");
	memset(text + 11, 'x', SQL_NAME_MAX);
	text[11 + SQL_NAME_MAX] = '\0';
	CHECK(sql_parse(&st, text, &set, &e) == 0);
	CHECK(strlen(st.name) == SQL_NAME_MAX);
	(void)strcpy(text + 11 + SQL_NAME_MAX, "x");
	CHECK(sql_parse(&st, text, &set, &e) == -E2BIG && e.code == 411);
	CHECK(strstr(e.text, "is longer than 255 bytes"));

	(void)strcpy(text, CP "FROM (select ** from root where time >= 5");
	for (int i = 0; i < 150; i++)
		(void)strcat(text, " + 1d");
	(void)strcat(text, ")");
	CHECK(sql_parse(&st, text, &set, &e) == -EINVAL && e.code == 303);

	(void)strcpy(text, CP "FROM (select ** from root where time >= '");
	for (int i = 0; i < 600; i++)
		(void)strcat(text, " ");
	(void)strcat(text, "5')");
	CHECK(sql_parse(&st, text, &set, &e) < 0);
	/* A caller that wants no sentence. */
	CHECK(sql_parse(&st, "x", &set, NULL) == -EINVAL);
}

static void the_table_is_whole(void)
{
	struct err e = {0};

	for (int k = 0; k <= (int)STMT_SHOW_STATEMENTS; k++) {
		const struct stmt_form *f = sql_form((enum stmt_kind)k);

		CHECK(f && (int)f->kind == k);
		CHECK(f->is_open == (strncmp(f->text, "SHOW", 4) == 0));
		CHECK(f->right[0] && f->help[0]);
	}
	/* Every row's keywords begin a statement that the parser knows. */
	for (size_t i = 0; i < sql_n_statements; i++) {
		struct stmt st;
		char text[64];
		size_t n = strcspn(sql_statements[i].text, "<[(");

		(void)snprintf(text, sizeof text, "%.*s %s", (int)n,
			       sql_statements[i].text, "\x01");
		CHECK(sql_parse(&st, text, &set, &e) == -EINVAL);
		CHECK(strstr(e.text, "came the byte 0x01"));
		CHECK(st.kind == sql_statements[i].kind);
	}
}

static void a_flat_statement_means_the_same(void)
{
	for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
		struct stmt st;
		struct buf flat;
		char want[1024];
		int r;

		buf_init(&flat, SQL_STATEMENT_MAX);
		sql_flatten(&flat, goods[i].text, strlen(goods[i].text));
		CHECK(buf_end(&flat) == 0);
		CHECK(!strchr(buf_str(&flat), '\n'));
		r = sql_parse(&st, buf_str(&flat), &set, NULL);
		buf_release(&flat);
		CHECK(r == 0);
		(void)snprintf(want, sizeof want, "%d%s", (int)goods[i].kind,
			       goods[i].rest);
		CHECK_STR(show(&st), want);
	}
}

static void names_of_pipes_are_checked(void)
{
	struct err e = {0};

	CHECK(sql_check_pipe_name("p", &e) == 0);
	CHECK(sql_check_pipe_name("\xe4\xb8\xad\xe6\x96\x87 p-1", &e) == 0);
	CHECK(sql_check_pipe_name("metrics", &e) == -EINVAL);
	CHECK(sql_check_sink_name("metrics", &e) == 0);
	CHECK(sql_check_pipe_name("..", &e) == -EINVAL && e.code == 411);
	CHECK(sql_check_sink_name("a\tb", &e) == -EINVAL);
	CHECK(sql_check_sink_name("", NULL) == -EINVAL);
}

int main(void)
{
	(void)setenv("TZ", "UTC", 1);
	test_run("every documented form is understood",
		 every_form_is_understood);
	test_run("every refusal has its code, place and words",
		 every_refusal_has_its_words);
	test_run("an unknown attribute of a pipe is kept",
		 an_unknown_attribute_of_a_pipe_is_kept);
	test_run("sizes are bounded", sizes_are_bounded);
	test_run("the table of statements is whole", the_table_is_whole);
	test_run("a flat statement means the same",
		 a_flat_statement_means_the_same);
	test_run("names of pipes are checked", names_of_pipes_are_checked);
	return test_end();
}
