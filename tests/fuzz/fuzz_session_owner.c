#include <errno.h>
#include <string.h>

#include "fuzz_session.h"
#include "recvd/retain.h"

/* What session.c, session_act.c and session_hello.c do in the daemon, as a model. Every
 * block of every payload has the same bytes. */

static struct model_entry *entry_at(struct cloud *c, uint64_t serial)
{
	return &c->entries[serial % MODEL_ENTRIES];
}

struct digest model_digest(const struct cloud *c, uint64_t len)
{
	uint64_t n = block_count(len);
	struct digest_list list;

	if (n > 64) /* nobody completes it */
		return (struct digest){{0}};
	digest_list_init(&list);
	for (uint64_t i = 0; i < n; i++) {
		struct digest d = digest_block(c->payload, block_len(len, i));

		digest_list_add(&list, block_len(len, i), &d);
	}
	return digest_list_end(&list);
}

struct cloud *owner_new(void)
{
	struct cloud *c = xcalloc(1, sizeof *c);

	c->payload = xcalloc(BLOCK_LEN, 1);
	for (size_t i = 0; i < BLOCK_LEN; i += 61)
		c->payload[i] = (uint8_t)i;
	memcpy(c->devices, "root.a.d", 9);
	buf_init(&c->stream, PEER_MAX);
	c->next = 1;
	c->s.d = &c->d;
	c->s.rx = receive_new();
	c->s.is_open = true;
	c->incarnation.mirror = (struct mirror){xstrdup(""), xstrdup(""),
						xstrdup(""), xstrdup("")};
	return c;
}

static void end(struct cloud *c)
{
	c->s.state = SESSION_ENDED;
}

void owner_free(struct cloud *c)
{
	receive_free(c->s.rx);
	free(c->incarnation.mirror.state);
	free(c->incarnation.mirror.message);
	free(c->incarnation.mirror.progress);
	free(c->incarnation.mirror.gaps);
	buf_release(&c->stream);
	free(c->payload);
	squeezer_free(c->squeezer);
	free(c);
}

/* ---- the acts ---- */

static void add_job(struct cloud *c, uint64_t serial, uint64_t index,
		    bool is_write)
{
	if (c->n_jobs == MODEL_JOBS) /* the disk is not that slow */
		owner_disk(c, 1);
	c->jobs[c->n_jobs++] = (struct model_job){
		.serial = serial, .index = index, .is_write = is_write};
}

static void act_open(struct cloud *c, const struct receive_act *a)
{
	struct model_entry *x = entry_at(c, a->serial);

	FUZZ_MUST(a->serial > c->staged && a->entry->serial == a->serial);
	FUZZ_MUST(!x->is_open || x->serial != a->serial);
	*x = (struct model_entry){.serial = a->serial,
				  .nonce = a->nonce,
				  .len = entry_payload_len(a->entry),
				  .is_open = true};
	FUZZ_MUST(x->len > 0);
	add_job(c, a->serial, 0, false);
}

static void act_write(struct cloud *c, const struct receive_act *a)
{
	struct model_entry *x = entry_at(c, a->serial);
	struct digest d = digest_block(a->data, a->len);

	FUZZ_MUST(x->is_open && x->serial == a->serial);
	FUZZ_MUST(a->index < block_count(x->len));
	FUZZ_MUST(a->len == block_len(x->len, a->index));
	FUZZ_MUST(a->offset == a->index * BLOCK_LEN);
	FUZZ_MUST(digest_equal(&d, &a->digest));
	x->n_writing++;
	add_job(c, a->serial, a->index, true);
}

static void act_fetch(struct cloud *c, const struct receive_act *a)
{
	struct model_entry *x = entry_at(c, a->serial);

	FUZZ_MUST(x->is_open && x->serial == a->serial);
	FUZZ_MUST(a->index < block_count(x->len));
	FUZZ_MUST(a->len == block_len(x->len, a->index));
	FUZZ_MUST(a->block->n_ranges > 0);
	x->n_writing++;
	add_job(c, a->serial, a->index, true);
	c->jobs[c->n_jobs - 1].is_fetch = true;
	c->jobs[c->n_jobs - 1].is_good = a->digest.b[0] & 1;
}

static struct model_staged *out_at(struct cloud *c, uint64_t serial)
{
	return &c->out[serial % MODEL_ENTRIES];
}

static bool is_out(struct cloud *c, uint64_t serial)
{
	return out_at(c, serial)->serial == serial;
}

/* Once, and behind everything of its database that has a lower serial: so none of a higher
 * one may be out already. */
static void out(struct cloud *c, const struct receive_act *a)
{
	const char *db = a->entry->file.database;
	struct digest d = digest_block(db, strlen(db));

	FUZZ_MUST(a->serial > c->staged && !is_out(c, a->serial));
	for (uint64_t s = a->serial + 1; s < a->serial + MODEL_ENTRIES; s++)
		FUZZ_MUST(!is_out(c, s) || out_at(c, s)->one.nonce == 0 ||
			  !digest_equal(&out_at(c, s)->database, &d));
	*out_at(c, a->serial) = (struct model_staged){
		.serial = a->serial,
		.one = {a->serial, a->nonce},
		.database = d,
	};
	while (is_out(c, c->staged + 1))
		c->staged++;
}

static void act_early(struct cloud *c, const struct receive_act *a)
{
	uint64_t before = c->durable;

	FUZZ_MUST(c->is_welcomed);
	FUZZ_MUST(a->n_early <= EARLY_MAX);
	for (size_t i = 0; i < a->n_early; i++) {
		const struct model_staged *x = out_at(c, a->early[i].serial);

		FUZZ_MUST(a->early[i].serial > before);
		FUZZ_MUST(x->serial == a->early[i].serial && x->is_told);
		before = a->early[i].serial;
	}
}

static void act_stage(struct cloud *c, const struct receive_act *a)
{
	struct digest block = digest_block(a->data, a->len);
	struct digest d = digest_entry_single(&block, a->len);

	FUZZ_MUST(a->len == entry_payload_len(a->entry));
	FUZZ_MUST(digest_equal(&d, &a->digest));
	out(c, a);
}

static void act_stage_file(struct cloud *c, const struct receive_act *a)
{
	struct model_entry *x = entry_at(c, a->serial);

	FUZZ_MUST(x->is_open && x->serial == a->serial && x->n_writing == 0);
	FUZZ_MUST(x->nonce == a->nonce);
	x->is_open = false;
	out(c, a);
}

/* What is said decodes at the edge. */
static void check_said(const struct receive_act *a)
{
	CLEANUP(buf_release) struct buf b;
	struct msg_welcome w;
	struct msg_partial p;
	struct frame f;
	int r;

	buf_init(&b, FRAME_LEN_MAX + FRAME_HEAD_LEN);
	if (a->kind == RX_WELCOME)
		msg_welcome_encode(&a->welcome, &b);
	else
		msg_partial_encode(&a->partial, &b);
	FUZZ_MUST(buf_end(&b) == 0);
	FUZZ_MUST(frame_take(&f, buf_data(&b), b.len, msg_len_max) > 0);
	r = a->kind == RX_WELCOME ? msg_welcome_decode(&w, &f)
				  : msg_partial_decode(&p, &f);
	FUZZ_MUST(r == 0);
}

static void act_welcome(struct cloud *c, const struct receive_act *a)
{
	FUZZ_MUST(!c->is_welcomed && a->welcome.version >= 1 &&
		  a->welcome.version <= PROTO_VERSION_MAX);
	FUZZ_MUST(a->welcome.durable == c->durable);
	c->is_welcomed = true;
	c->partials_left = a->welcome.n_partials;
	check_said(a);
}

static void act_partial(struct cloud *c, const struct receive_act *a)
{
	FUZZ_MUST(c->is_welcomed && c->partials_left > 0);
	FUZZ_MUST(a->serial > c->durable);
	c->partials_left--;
	check_said(a);
}

static void act_progress(struct cloud *c, const struct receive_act *a)
{
	FUZZ_MUST(c->is_welcomed && c->partials_left == 0);
	if (a->kind == RX_DURABLE) {
		FUZZ_MUST(a->serial > c->told_durable);
		FUZZ_MUST(a->serial == c->durable);
		c->told_durable = a->serial;
	} else {
		FUZZ_MUST(a->serial <= c->told_durable);
		FUZZ_MUST(a->serial >= c->told_applied);
		c->told_applied = a->serial;
	}
}

static void act_bye(struct cloud *c, const struct receive_act *a)
{
	FUZZ_MUST(a->bye.text[0]);
	FUZZ_MUST(a->bye.why >= BYE_STOPPING && a->bye.why <= BYE_HISTORY);
	end(c);
}

static void act_on(struct cloud *c, const struct receive_act *a)
{
	FUZZ_MUST(!c->is_dropped && c->s.state != SESSION_ENDED);
	switch (a->kind) {
	case RX_NONE:
		FUZZ_MUST(a->kind != RX_NONE);
		break;
	case RX_LOOKUP:
		FUZZ_MUST(c->s.state == SESSION_GREETING);
		c->s.state = SESSION_LOOKUP;
		break;
	case RX_WELCOME:
		act_welcome(c, a);
		break;
	case RX_PARTIAL:
		act_partial(c, a);
		break;
	case RX_EARLY:
		act_early(c, a);
		break;
	case RX_OPEN:
		act_open(c, a);
		break;
	case RX_WRITE:
		act_write(c, a);
		break;
	case RX_FETCH:
		act_fetch(c, a);
		break;
	case RX_WANT:
		FUZZ_MUST(a->serial > c->staged &&
			  a->index < block_count(entry_at(c, a->serial)->len));
		break;
	case RX_STAGE:
		act_stage(c, a);
		break;
	case RX_STAGE_FILE:
		act_stage_file(c, a);
		break;
	case RX_DURABLE:
	case RX_APPLIED:
		act_progress(c, a);
		break;
	case RX_DISCARD:
		FUZZ_MUST(a->serial > c->durable && !is_out(c, a->serial));
		if (entry_at(c, a->serial)->serial == a->serial)
			entry_at(c, a->serial)->is_open = false;
		break;
	case RX_DROP:
		c->is_dropped = true;
		end(c);
		break;
	case RX_BYE:
		act_bye(c, a);
		break;
	}
}

/* ---- what session_msg.c calls ---- */

void session_pump(struct session *s)
{
	struct cloud *c = CONTAINER_OF(s, struct cloud, s);
	struct receive_act act;

	if (s->is_pumping)
		return;
	s->is_pumping = true;
	while (s->rx && receive_next(s->rx, &act))
		act_on(c, &act);
	s->is_pumping = false;
	if (s->state == SESSION_ENDED && s->rx) {
		receive_free(s->rx);
		s->rx = NULL;
	}
}

void session_send(struct session *s, struct buf *b)
{
	(void)s;
	FUZZ_MUST(buf_end(b) == 0);
	buf_release(b);
}

void session_ask_kept(struct session *s, const struct frame *f)
{
	struct msg_ask_kept m;

	if (msg_ask_kept_decode(&m, f) < 0)
		receive_bad(s->rx, "an ASK_KEPT that does not decode");
}

void session_make_room(struct session *s, uint64_t serial)
{
	(void)s;
	(void)serial;
}

const struct stage_partial *session_found(const struct session *s,
					  uint64_t serial, uint64_t nonce)
{
	(void)s;
	(void)serial;
	(void)nonce;
	return NULL;
}

bool session_is_held(const struct session *s)
{
	return s->state == SESSION_LOOKUP;
}

void session_breathe(struct session *s)
{
	(void)s;
}

/* A sender beyond its entries a second; deliver() comes again. */
bool session_crowds(struct session *s)
{
	(void)s;
	return false;
}

void session_crowd_moved(struct session *s)
{
	(void)s;
}

bool session_may_take(struct session *s, const struct frame *f)
{
	struct cloud *c = CONTAINER_OF(s, struct cloud, s);

	FUZZ_MUST(f->len > 0 && f->len <= FRAME_LEN_MAX);
	return !c->is_slow;
}

void session_time_silence(struct session *s)
{
	(void)s;
}

void session_time_frame(struct session *s, bool is_begun)
{
	(void)s;
	(void)is_begun;
}

void session_check_unread(struct session *s)
{
	(void)s;
}

void session_check_stall(struct session *s)
{
	(void)s;
}

void retain_trim(struct retain *r, uint64_t need)
{
	(void)r;
	(void)need;
}

uint64_t loop_now_ms(const struct loop *l)
{
	(void)l;
	return 0;
}

/* ---- what comes back ---- */

/* Some blocks of one entry, found on the disk; its head is that of some_entry(). */
static struct receive_partial found(struct rd *in, uint64_t durable)
{
	uint8_t what = rd_u8(in);
	struct receive_partial p = {
		.entry = {.serial = durable + 1 + (what & 3),
			  .nonce = 1 + (what >> 2 & 3),
			  .kind = ENTRY_FILE,
			  .file = {.database = "root.a"},
			  .body_len = what & 16 ? 3 * BLOCK_LEN : BLOCK_LEN},
	};
	uint8_t mask = rd_u8(in);

	p.n_blocks = block_count(p.entry.body_len);
	p.present = xcalloc(p.n_blocks, 1);
	p.digests = xcalloc(p.n_blocks, sizeof *p.digests);
	for (uint64_t i = 0; i < p.n_blocks; i++)
		p.present[i] = mask >> i & 1;
	return p;
}

/* Durable since before; of which database nobody remembers. */
static void known_early(struct cloud *c, struct early *early, uint64_t serial)
{
	struct early_one one = {serial, 1 + serial % 4};

	early_add(early, &one);
	*out_at(c, serial) = (struct model_staged){
		.serial = serial, .one = {serial, 0}, .is_told = true};
}

void owner_known(struct cloud *c, struct rd *in)
{
	uint8_t what = rd_u8(in);
	struct receive_partial partials[3];
	struct receive_known k = {.instance = {1}, .partials = partials};
	struct early early = {0};
	uint8_t early_how;
	bool is_probe;

	if (c->s.state != SESSION_LOOKUP)
		return;
	k.durable = what & 7;
	k.applied = k.durable ? (what >> 3) % (k.durable + 1) : 0;
	k.durable_nonce = k.durable ? 3 : 0;
	for (k.n_partials = 0; k.n_partials < (what >> 6);)
		partials[k.n_partials++] = found(in, k.durable);
	c->durable = c->told_durable = c->staged = k.durable;
	c->applied = c->told_applied = k.applied;
	c->next = k.durable + 1;
	early_how = rd_u8(in);
	is_probe = early_how & 1;
	if (!is_probe) {
		c->s.sender = &c->sender;
		c->s.incarnation = &c->incarnation;
	}
	for (uint64_t i = 0; i < 3; i++)
		if (early_how >> (i + 1) & 1)
			known_early(c, &early, k.durable + 2 + i);
	k.early = &early;
	c->s.state = SESSION_LIVE;
	receive_known(c->s.rx, &k);
	early_release(&early);
	session_pump(&c->s);
}

void owner_disk(struct cloud *c, unsigned n)
{
	while (n-- > 0 && c->n_jobs) {
		struct model_job j = c->jobs[0];
		struct model_entry *x = entry_at(c, j.serial);

		c->n_jobs--;
		memmove(c->jobs, c->jobs + 1, c->n_jobs * sizeof j);
		if (j.is_write && x->serial == j.serial && x->n_writing)
			x->n_writing--;
		if (!c->s.rx)
			continue;
		if (j.is_fetch)
			receive_fetched(c->s.rx, j.serial, j.index, j.is_good);
		else if (j.is_write)
			receive_written(c->s.rx, j.serial, j.index);
		else
			receive_opened(c->s.rx, j.serial);
		session_pump(&c->s);
	}
}

void owner_commit(struct cloud *c)
{
	if (!c->s.rx || c->s.state != SESSION_LIVE)
		return;
	for (uint64_t s = c->staged + 1; s < c->staged + MODEL_ENTRIES; s++)
		if (is_out(c, s) && !out_at(c, s)->is_told) {
			out_at(c, s)->is_told = true;
			receive_early(c->s.rx, &out_at(c, s)->one);
		}
	c->durable = c->staged;
	receive_committed(c->s.rx, c->staged);
	session_pump(&c->s);
}

void owner_apply(struct cloud *c, unsigned n)
{
	if (!c->s.rx || c->s.state != SESSION_LIVE)
		return;
	c->applied += n;
	if (c->applied > c->durable)
		c->applied = c->durable;
	receive_applied(c->s.rx, c->applied, n & 3);
	session_pump(&c->s);
}

void owner_fail(struct cloud *c)
{
	if (!c->s.rx)
		return;
	receive_failed(c->s.rx, "the disk is broken");
	session_pump(&c->s);
}
