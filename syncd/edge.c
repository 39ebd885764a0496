#include "edge.h"

#include "pipes.h"

void edge_note(struct edge *e, enum note_cause cause, const char *text)
{
	if (!notes_set(&e->notes, cause, text))
		return;
	events_add(e->events, LOG_WARN_, NULL, NULL, "%s", text);
	pipes_tell(e->pipes);
}

void edge_note_over(struct edge *e, enum note_cause cause)
{
	if (notes_clear(&e->notes, cause))
		pipes_tell(e->pipes);
}
