#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ground/bytes.h"
#include "iotdb/transfer.h"
#include "iotdb/transfer_body.h"
#include "test.h"

/* pipeTransfer byte for byte (iotdb-formats, section 10.3), and a dialogue with a server that
 * writes down what it hears. */

/* Bytes as text: printable ones as they are, the rest as \xx. */
static const char *shown(const struct buf *b, char *to, size_t size)
{
	const uint8_t *p = buf_data(b);
	size_t n = 0;

	for (size_t i = 0; i < b->len && n + 4 < size; i++) {
		bool is_plain = p[i] > ' ' && p[i] < 0x7f && p[i] != '\\';

		n += (size_t)snprintf(to + n, size - n,
				      is_plain ? "%c" : "\\%02x", p[i]);
	}
	return to;
}

static void handshakes(void)
{
	struct transfer_hello hello = {.version = 10303,
				       .precision = "ms",
				       .user = "root",
				       .password = "geheim"};
	CLEANUP(buf_release) struct buf b;
	char to[1024];

	buf_init(&b, 4096);
	transfer_add_handshake_v1(&b, "us");
	CHECK_STR(shown(&b, to, sizeof to), "\\00\\00\\00\\02us");
	buf_clear(&b);
	transfer_add_handshake_v2(&b, &hello);
	CHECK_STR(shown(&b, to, sizeof to),
		  "\\00\\00\\00\\06"
		  "\\00\\00\\00\\09clusterID\\00\\00\\00\\07tsferry"
		  "\\00\\00\\00\\12timestampPrecision\\00\\00\\00\\02ms"
		  "\\00\\00\\00\\15convertOnTypeMismatch\\00\\00\\00\\05false"
		  "\\00\\00\\00\\12loadTsFileStrategy\\00\\00\\00\\04sync"
		  "\\00\\00\\00\\0evalidateTsFile\\00\\00\\00\\04true"
		  "\\00\\00\\00\\11markAsPipeRequest\\00\\00\\00\\05false");
	buf_clear(&b);
	hello.version = 20006;
	transfer_add_handshake_v2(&b, &hello);
	CHECK_STR(shown(&b, to, sizeof to),
		  "\\00\\00\\00\\08"
		  "\\00\\00\\00\\09clusterID\\00\\00\\00\\07tsferry"
		  "\\00\\00\\00\\12timestampPrecision\\00\\00\\00\\02ms"
		  "\\00\\00\\00\\15convertOnTypeMismatch\\00\\00\\00\\05false"
		  "\\00\\00\\00\\12loadTsFileStrategy\\00\\00\\00\\04sync"
		  "\\00\\00\\00\\0evalidateTsFile\\00\\00\\00\\04true"
		  "\\00\\00\\00\\11markAsPipeRequest\\00\\00\\00\\05false"
		  "\\00\\00\\00\\08username\\00\\00\\00\\04root"
		  "\\00\\00\\00\\08password\\00\\00\\00\\06geheim");
	CHECK(buf_end(&b) == 0);
}

static void files(void)
{
	CLEANUP(buf_release) struct buf b;
	struct transfer_seal seal;
	char to[1024];

	buf_init(&b, 4096);
	transfer_add_piece_head(&b, "7-7-0-0.tsfile", 0x100000000, 3);
	buf_adds(&b, "abc");
	CHECK_STR(shown(&b, to, sizeof to),
		  "\\00\\00\\00\\0e7-7-0-0.tsfile"
		  "\\00\\00\\00\\01\\00\\00\\00\\00\\00\\00\\00\\03abc");
	buf_clear(&b);
	transfer_add_seal(&b, "7-7-0-0.tsfile", 0x0102030405060708);
	CHECK_STR(shown(&b, to, sizeof to), "\\00\\00\\00\\0e7-7-0-0.tsfile"
					    "\\01\\02\\03\\04\\05\\06\\07\\08");
	buf_clear(&b);
	seal = (struct transfer_seal){.mods_name = "7-7-0-0.tsfile.mods",
				      .mods_length = 5,
				      .name = "7-7-0-0.tsfile",
				      .length = 258};
	transfer_add_seal_with_mods(&b, &seal);
	CHECK_STR(shown(&b, to, sizeof to),
		  "\\00\\00\\00\\02"
		  "\\00\\00\\00\\137-7-0-0.tsfile.mods"
		  "\\00\\00\\00\\0e7-7-0-0.tsfile"
		  "\\00\\00\\00\\02"
		  "\\00\\00\\00\\00\\00\\00\\00\\05"
		  "\\00\\00\\00\\00\\00\\00\\01\\02"
		  "\\00\\00\\00\\00");
	buf_clear(&b);
	seal = (struct transfer_seal){
		.name = "7-7-0-0.tsfile", .length = 258, .tables = "hall"};
	transfer_add_seal_with_mods(&b, &seal);
	CHECK_STR(shown(&b, to, sizeof to),
		  "\\00\\00\\00\\01"
		  "\\00\\00\\00\\0e7-7-0-0.tsfile"
		  "\\00\\00\\00\\01"
		  "\\00\\00\\00\\00\\00\\00\\01\\02"
		  "\\00\\00\\00\\01"
		  "\\00\\00\\00\\1cDATABASE_NAME_7-7-0-0.tsfile"
		  "\\00\\00\\00\\04hall");
}

/* ---- a server ---- */

enum act {
	ACT_YES,
	ACT_REFUSE,
	ACT_HANG_UP
};

struct server {
	const char *version;
	unsigned n_yes; /* calls of pipeTransfer that are granted */
	enum act then;
	int listen_fd, log_fd;
	unsigned port;
	pid_t pid;
};

static bool read_exactly(int fd, void *to, size_t n)
{
	uint8_t *p = to;

	while (n) {
		ssize_t k = read(fd, p, n);

		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

static void add_field(struct buf *b, uint8_t type, uint8_t id)
{
	wr_u8(b, type);
	wr_u8(b, 0);
	wr_u8(b, id);
}

static void add_text(struct buf *b, const char *text)
{
	wr_be32(b, (uint32_t)strlen(text));
	buf_adds(b, text);
}

static void begin_answer(struct buf *b, const char *method)
{
	wr_be32(b, 0x80010002u);
	add_text(b, method);
	wr_be32(b, 0);
	add_field(b, 12, 0);
}

static void add_properties(struct buf *b, const char *version)
{
	begin_answer(b, "getProperties");
	add_field(b, 11, 1);
	add_text(b, version);
	add_field(b, 11, 3);
	add_text(b, "ms");
	wr_u8(b, 0);
	wr_u8(b, 0);
}

static void add_status(struct buf *b, uint32_t code, const char *text)
{
	begin_answer(b, "pipeTransfer");
	add_field(b, 12, 1);
	add_field(b, 8, 1);
	wr_be32(b, code);
	add_field(b, 11, 2);
	add_text(b, text);
	wr_u8(b, 0);
	wr_u8(b, 0);
	wr_u8(b, 0);
}

static void send_answer(int fd, const struct buf *b)
{
	CLEANUP(buf_release) struct buf head;

	buf_init(&head, 16);
	wr_be32(&head, (uint32_t)b->len);
	if (write(fd, buf_data(&head), head.len) < 0 ||
	    write(fd, buf_data(b), b->len) < 0)
		_exit(1);
}

/* One call: its message goes into the log. False: the client is gone. */
static bool serve_call(const struct server *s, int fd, unsigned *n_calls)
{
	CLEANUP(buf_release) struct buf in, out;
	uint8_t head[4];
	uint32_t n;

	if (!read_exactly(fd, head, sizeof head))
		return false;
	n = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 |
	    (uint32_t)head[2] << 8 | head[3];
	buf_init(&in, 8u << 20);
	buf_init(&out, 4096);
	if (!read_exactly(fd, buf_room(&in, n), n))
		return false;
	buf_fill(&in, n);
	if (memmem(buf_data(&in), n, "getProperties", 13)) {
		add_properties(&out, s->version);
	} else {
		if (write(s->log_fd, buf_data(&in), n) != (ssize_t)n)
			_exit(1);
		if ((*n_calls)++ < s->n_yes)
			add_status(&out, 200, "");
		else if (s->then == ACT_REFUSE)
			add_status(&out, 1810, "no");
		else
			return false;
	}
	send_answer(fd, &out);
	return true;
}

static void serve(const struct server *s)
{
	for (;;) {
		int fd = accept(s->listen_fd, NULL, NULL);
		unsigned n_calls = 0;

		while (fd >= 0 && serve_call(s, fd, &n_calls))
			;
		(void)close(fd);
	}
}

static void start(struct server *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof to;
	char path[512];

	(void)snprintf(path, sizeof path, "%s/log", test_dir());
	s->log_fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	s->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (s->log_fd < 0 || s->listen_fd < 0 ||
	    bind(s->listen_fd, (struct sockaddr *)&to, len) < 0 ||
	    listen(s->listen_fd, 4) < 0 ||
	    getsockname(s->listen_fd, (struct sockaddr *)&to, &len) < 0)
		abort();
	s->port = ntohs(to.sin_port);
	s->pid = fork();
	if (s->pid == 0) {
		/* not longer than a test that fails */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(s);
	}
}

static void stop(struct server *s)
{
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
	(void)close(s->listen_fd);
	(void)close(s->log_fd);
}

static int reach(struct server *s, struct transfer **t, struct rpc_reply *reply,
		 struct err *e)
{
	struct rpc_login login = {.host = "127.0.0.1"};

	start(s);
	login.port = s->port;
	return transfer_open(t, &login, reply, e);
}

/* A file of `n` bytes, each 'x'. */
static int make_file(const char *name, size_t n)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (size_t i = 0; i < n; i++)
		if (fd < 0 || pwrite(fd, "x", 1, (off_t)i) != 1)
			abort();
	return fd;
}

static int hand_over(struct transfer *t, size_t n, size_t claimed,
		     const struct transfer_part *mods, struct rpc_reply *reply,
		     struct err *e)
{
	struct transfer_file f = {
		.file = {.name = "7-7-0-0.tsfile", .length = claimed},
		.mods = mods,
		.load_ms = 1000,
	};
	int r;

	f.file.fd = make_file("7", n);
	r = transfer_file(t, &f, reply, e);
	(void)close(f.file.fd);
	return r;
}

/* What every message begins with: the call, its one parameter of field -1, the version of the
 * request, its type, its body. */
#define MESSAGE                                                        \
	"\\80\\01\\00\\01\\00\\00\\00\\0cpipeTransfer\\00\\00\\00\\00" \
	"\\0c\\ff\\ff\\03\\00\\01\\01\\06\\00\\02\\00"
#define BODY "\\0b\\00\\03\\00\\00\\00"
#define END "\\00\\00"

static void whole_messages(void)
{
	struct server s = {.version = "1.2.2", .n_yes = 99};
	struct transfer *t = NULL;
	struct rpc_reply reply;
	struct err e = {0};
	CLEANUP(buf_release) struct buf log;
	char to[4096];
	ssize_t n;

	CHECK(reach(&s, &t, &reply, &e) == 0);
	CHECK(!transfer_takes_mods(t));
	CHECK(hand_over(t, 3, 3, NULL, &reply, &e) == 0);
	CHECK(reply.code == 200);
	transfer_close(t);
	buf_init(&log, 65536);
	n = pread(s.log_fd, buf_room(&log, 4096), 4096, 0);
	CHECK(n > 0);
	buf_fill(&log, (size_t)n);
	CHECK_STR(shown(&log, to, sizeof to),
		  MESSAGE "\\01" BODY "\\06\\00\\00\\00\\02ms" END MESSAGE
			  "\\04" BODY "!\\00\\00\\00\\0e7-7-0-0.tsfile"
			  "\\00\\00\\00\\00\\00\\00\\00\\00"
			  "\\00\\00\\00\\03xxx" END MESSAGE "\\05" BODY
			  "\\1a\\00\\00\\00\\0e7-7-0-0.tsfile"
			  "\\00\\00\\00\\00\\00\\00\\00\\03" END);
	stop(&s);
}

static void records_first(void)
{
	struct server s = {.version = "2.0.6", .n_yes = 99};
	struct transfer_part mods = {.name = "7-7-0-0.tsfile.mods2",
				     .length = 1};
	struct transfer *t = NULL;
	struct rpc_reply reply;
	struct err e = {0};
	char log[4096] = "";
	const char *first, *second;

	mods.fd = make_file("mods", 1);
	CHECK(reach(&s, &t, &reply, &e) == 0);
	CHECK(transfer_takes_mods(t));
	CHECK(hand_over(t, 3, 3, &mods, &reply, &e) == 0);
	transfer_close(t);
	CHECK(pread(s.log_fd, log, sizeof log, 0) > 0);
	first = memmem(log, sizeof log, mods.name, strlen(mods.name));
	CHECK(first);
	second = memmem(log, sizeof log, "7-7-0-0.tsfile\0", 15);
	CHECK(second && second > first);
	(void)close(mods.fd);
	stop(&s);
}

static void pieces(void)
{
	struct server s = {.version = "1.3.3", .n_yes = 99};
	struct transfer *t = NULL;
	struct rpc_reply reply;
	struct err e = {0};
	size_t n = 2 * (size_t)TRANSFER_PIECE_BYTES + 5;

	CHECK(reach(&s, &t, &reply, &e) == 0);
	CHECK(hand_over(t, n, n, NULL, &reply, &e) == 0);
	CHECK(lseek(s.log_fd, 0, SEEK_END) > (off_t)n);
	CHECK(hand_over(t, 3, 4, NULL, &reply, &e) == -EIO);
	CHECK(strstr(e.text, "expected 4 bytes, it ends at 3"));
	transfer_close(t);
	stop(&s);
}

static void refusals(void)
{
	struct server s = {.version = "1.3.3", .n_yes = 1, .then = ACT_REFUSE};
	struct transfer *t = NULL;
	struct rpc_reply reply;
	struct err e = {0};

	CHECK(reach(&s, &t, &reply, &e) == 0);
	CHECK(hand_over(t, 3, 3, NULL, &reply, &e) == -EREMOTEIO);
	CHECK(reply.code == 1810);
	CHECK_STR(reply.text, "no");
	transfer_close(t);
	stop(&s);
	s.n_yes = 0;
	CHECK(reach(&s, &t, &reply, &e) == -EREMOTEIO);
	CHECK(!t);
	stop(&s);
	s.version = "1.1.2";
	CHECK(reach(&s, &t, &reply, &e) == -EOPNOTSUPP);
	CHECK(strstr(e.text, "it has to see load_dir"));
	stop(&s);
}

static void lost_answers(void)
{
	struct server s = {.version = "1.3.3", .then = ACT_HANG_UP};
	struct rpc_reply reply;
	struct err e = {0};

	/* the handshake, the piece, the seal */
	for (s.n_yes = 0; s.n_yes < 3; s.n_yes++) {
		struct transfer *t = NULL;
		int r = reach(&s, &t, &reply, &e);

		CHECK((s.n_yes == 0) == (r < 0));
		if (r >= 0)
			r = hand_over(t, 3, 3, NULL, &reply, &e);
		CHECK(r < 0 && r != -EREMOTEIO && r != -EOPNOTSUPP);
		transfer_close(t);
		stop(&s);
	}
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	test_run("handshakes per version", handshakes);
	test_run("pieces and seals", files);
	test_run("whole messages, with the field id that is -1",
		 whole_messages);
	test_run("deletion records go before their file", records_first);
	test_run("a long file goes in pieces, a short one is told", pieces);
	test_run("a refusal has the server's code and sentence", refusals);
	test_run("a lost answer is no refusal, wherever it is lost",
		 lost_answers);
	return test_end();
}
