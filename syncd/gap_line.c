#include "gap_line.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "settings.h"

#define DEVICES_SHOWN 400 /* bytes of a line */

struct naming {
	struct buf text; /* owned */
	size_t n_more;
};

static void naming_release(struct naming *n)
{
	buf_release(&n->text);
}

static int name_device(void *arg, const char *path, size_t len)
{
	struct naming *n = arg;
	char shown[DEVICES_SHOWN];

	if (n->text.len + len + 2 > DEVICES_SHOWN) {
		n->n_more++;
		return 0;
	}
	buf_addf(&n->text, "%s%s", n->text.len ? ", " : "",
		 name_shown(shown, sizeof(shown), path, len));
	return 0;
}

static int name_of_index(void *arg, const struct tsfile_device *d)
{
	return name_device(arg, d->path, d->path_len);
}

/* Its range, too, where it was not known. */
static bool read_index(const struct gap *g, struct tsfile_range *range,
		       struct naming *n)
{
	const struct tsfile_visit visit = {.device = name_of_index, .arg = n};
	CLEANUP_CLOSE int fd = -1;
	struct tsfile_index ix;

	if (!g->path)
		return false;
	fd = open(g->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || tsfile_index_read(fd, &visit, &ix, NULL)) {
		buf_clear(&n->text);
		n->n_more = 0;
		return false;
	}
	if (!range->any && !ix.unsure)
		*range = ix.range;
	return true;
}

static void add_devices(struct naming *n, const char *what, struct buf *out)
{
	if (n->text.len)
		buf_addf(out, " %s %s", what, buf_str(&n->text));
	if (n->text.len && n->n_more)
		buf_addf(out, " and %zu more", n->n_more);
}

void gap_line(const struct gap *g, struct buf *out, const char *fmt, ...)
{
	CLEANUP(naming_release) struct naming n = {.n_more = 0};
	struct tsfile_range range = g->range;
	char why[OUTBOX_GAP_LEN / 2];
	bool is_sure;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	buf_init(&n.text, 2 * DEVICES_SHOWN);
	is_sure = read_index(g, &range, &n);
	if (!is_sure && g->w &&
	    outbox_devices(g->w, g->file->database, g->file->region,
			   name_device, &n, NULL) < 0)
		buf_clear(&n.text);
	buf_addf(out, "%s region %" PRIu32, g->file->database, g->file->region);
	if (range.any)
		buf_addf(out, " times %" PRId64 "..%" PRId64, range.first,
			 range.last);
	add_devices(&n, is_sure ? "devices" : "devices among", out);
	buf_addf(out, ": %s", why);
}
