#include <string.h>

#include "fuzz.h"
#include "ground/conf.h"

/* A table with a key of every type. What is accepted must be in range, must be
 * text that ends, and must come back the same when it is shown and read again;
 * what is refused must say where, and leave the target alone. */

struct target {
	char name[16], share[24];
	int64_t number, bytes, time;
	bool flag;
	int choice;
};

#define AT(f) offsetof(struct target, f)

static const struct conf_key keys[] = {
	{"name", "label", CONF_TEXT, AT(name), 16, 0, 0, NULL, "n", true, ""},
	{"number", NULL, CONF_INT, AT(number), 0, -5, 64, NULL, "1", true, ""},
	{"bytes", NULL, CONF_BYTES, AT(bytes), 0, 0, 0, NULL, "4M", true, ""},
	{"time", NULL, CONF_TIME, AT(time), 0, 1, 86400000, NULL, "60s", true,
	 ""},
	{"flag", NULL, CONF_BOOL, AT(flag), 0, 0, 0, NULL, "no", true, ""},
	{"choice", NULL, CONF_CHOICE, AT(choice), 0, 0, 0, "one two three",
	 "two", true, ""},
	{"share", NULL, CONF_SHARE, AT(share), 24, 0, 0, NULL, "10%", true, ""},
};

#define N_KEYS ARRAY_LEN(keys)

static bool is_same(const struct target *a, const struct target *b)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (!conf_is_same(&keys[i], a, b))
			return false;
	return true;
}

static void check_accepted(const struct target *t)
{
	FUZZ_MUST(memchr(t->name, '\0', sizeof t->name));
	FUZZ_MUST(t->number >= -5 && t->number <= 64);
	FUZZ_MUST(t->bytes >= 0);
	FUZZ_MUST(t->time >= 1 && t->time <= 86400000);
	FUZZ_MUST(t->choice >= 0 && t->choice <= 2);
	FUZZ_MUST(memchr(t->share, '\0', sizeof t->share));
	FUZZ_MUST(!strchr(t->share, '%') || conf_share(t->share, 100) <= 100);
}

static void check_shown(const struct target *t)
{
	CLEANUP(buf_release) struct buf b;
	struct target again;
	struct err e;

	buf_init(&b, 4096);
	for (size_t i = 0; i < N_KEYS; i++) {
		buf_addf(&b, "%s=", keys[i].name);
		conf_show(&keys[i], t, &b);
		buf_adds(&b, "\n");
	}
	FUZZ_MUST(buf_end(&b) == 0);
	memset(&again, 0, sizeof again);
	FUZZ_MUST(conf_parse("again", buf_data(&b), b.len, keys, N_KEYS, &again,
			     NULL, &e) == 0);
	FUZZ_MUST(is_same(&again, t));
}

static void check_refused(const struct target *t, const struct err *e)
{
	static const struct target untouched;

	FUZZ_MUST(is_same(t, &untouched));
	FUZZ_MUST(e->sys > 0 && strncmp(e->text, "fuzz:", 5) == 0);
	FUZZ_MUST(strlen(e->text) < sizeof e->text);
	for (const char *s = e->text; *s; s++)
		FUZZ_MUST((uint8_t)*s >= 0x20 || *s == '\n' || *s == '\t');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct target t;
	struct err e;

	memset(&t, 0, sizeof t);
	err_clear(&e);
	if (conf_parse("fuzz", data, size, keys, N_KEYS, &t, NULL, &e) == 0) {
		check_accepted(&t);
		check_shown(&t);
	} else {
		check_refused(&t, &e);
	}
	return 0;
}
