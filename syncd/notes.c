#include "notes.h"

#include <string.h>

#include "ground/clock.h"

bool notes_set(struct notes *n, enum note_cause cause, const char *text)
{
	struct note *at = &n->v[cause];

	if (at->text && strcmp(at->text, text) == 0)
		return false;
	free(at->text);
	at->text = xstrdup(text);
	at->since_ms = clock_wall_ms();
	return true;
}

bool notes_clear(struct notes *n, enum note_cause cause)
{
	struct note *at = &n->v[cause];

	if (!at->text)
		return false;
	free(at->text);
	at->text = NULL;
	return true;
}

void notes_release(struct notes *n)
{
	int i;

	for (i = 0; i < N_NOTES; i++)
		(void)notes_clear(n, (enum note_cause)i);
}

void notes_print(const struct notes *n, struct buf *out)
{
	char when[CLOCK_TEXT_LEN];
	size_t i;

	for (i = 0; i < N_NOTES; i++) {
		if (n->v[i].text)
			buf_addf(out, "[WARN] [%s] %s\n",
				 clock_text(n->v[i].since_ms, when),
				 n->v[i].text);
	}
}
