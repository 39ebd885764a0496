/* A daemon behind a control socket, in the test's own loop: it answers what it is asked,
 * at once or when told to. One per program. What cannot be set up ends the program. */
#ifndef TSFERRY_CONTROL_FIXTURE_H
#define TSFERRY_CONTROL_FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "domain/control_inside.h"
#include "test.h"

struct daemon {
	struct loop *loop;
	struct control *control;
	struct loop_timer timer; /* ends run() */
	int turns_left;
	struct request *held; /* WAIT PIPE: the test answers it */
	int n_statements, n_gone;
	char path[128];
};

extern struct daemon d;
extern const struct control_ops ops;

void start(void);
void stop(void);

/* Lets the loop run for so long; what is ready happens. */
void run(uint64_t ms);

#define RUN_UNTIL(cond)                                    \
	for (int turn = 0; turn < 1000 && !(cond); turn++) \
	run(1)

/* What SHOW PIPES is answered with, for any n. */
void show_rows(struct request *rq, int n);

#define DONE "0000 The statement is executed successfully.\n"
#define PIPES "2000-name\tstatus\n1000-p\\t1\tSTOP\n1000-p\\t1\tSTOP\n" DONE

int dial(void);

/* What came after `text` was written and the loop ran a little; "EOF" behind it
 * when the daemon closed. Borrowed until the next call. */
const char *say_n(int fd, const char *text, size_t n);
const char *say(int fd, const char *text);
bool begins(const char *text, const char *with);

/* A process of that user, and of that group besides two others, asks. Returns 0, the
 * refusal's code as `code % 1000 % 250`, 255 when it was not answered, or -1. */
int ask_as_child(uid_t uid, gid_t gid, const char *request);

#endif
