#include <errno.h>
#include <string.h>

#include "domain/control_inside.h"
#include "fuzz.h"

/* Request lines to a connection without a socket: every line gets exactly one whole
 * reply, whatever is in it. */

static void on_statement(void *arg, struct request *rq)
{
	const char *cells[] = {rq->stmt.name, rq->text, "", NULL};
	struct err e = {0};

	(void)arg;
	FUZZ_MUST(rq->is_privileged || sql_form(rq->stmt.kind)->is_open);
	control_heading(rq, cells);
	control_row(rq, cells);
	if (rq->stmt.kind == STMT_DROP_PIPE) {
		(void)err_set(&e, ENOENT, "%s", rq->text);
		control_fail(rq, &e);
	} else {
		control_done(rq);
	}
}

static int tree_read(void *arg, const char *path, struct tree_node *node,
		     struct buf *content)
{
	(void)arg;
	node->kind = strlen(path) % 2 ? TREE_DIR : TREE_FILE;
	if (content)
		buf_adds(content, path);
	return strlen(path) > 100 ? -ENOENT : 0;
}

static int tree_list(void *arg, const char *path,
		     int (*fn)(void *to, const struct tree_node *node),
		     void *to)
{
	struct tree_node node = {.name = "x", .kind = TREE_FILE};

	(void)arg;
	return strlen(path) > 100 ? -ENOTDIR : fn(to, &node);
}

static void ask(struct conn *c, const uint8_t *line, size_t n)
{
	CLEANUP_FREE char *copy = xcalloc(1, n + 1);
	CLEANUP(reply_release) struct reply r = {0};

	memcpy(copy, line, n);
	buf_clear(&c->out);
	control_line(c, copy, n);
	FUZZ_MUST(buf_end(&c->out) == 0);
	FUZZ_MUST(reply_take(&r, &c->out) == 1);
	FUZZ_MUST(c->out.len == 0 && !c->pending);
	if (r.code) {
		FUZZ_MUST(r.text[0] && r.sys);
		for (const char *s = r.text; *s; s++)
			FUZZ_MUST((uint8_t)*s >= 0x20 || *s == '\n' ||
				  *s == '\t');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control control = {
		.ops = {.statement = on_statement,
			.tree = {.read = tree_read, .list = tree_list},
			.home = HOME_SYNCD},
		.has_group = true,
		.group = 7,
	};
	struct conn c = {.control = &control, .in_turn = true, .io.fd = -1};

	buf_init(&c.out, CONTROL_REPLY_MAX + 65536);
	while (size > 0) {
		const uint8_t *nl = memchr(data, '\n', size);
		size_t n = nl ? (size_t)(nl - data) : size;

		ask(&c, data, n);
		data += n;
		size -= n;
		if (nl) {
			data++;
			size--;
		}
	}
	buf_release(&c.out);
	return 0;
}
