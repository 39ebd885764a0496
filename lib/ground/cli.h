/* The command line, as far as our programs share it.
 *
 * --help prints the usage on standard output, --version the name and version; both are
 * answers, after which the program ends with 0. What getopt(3) does not know it tells
 * itself; cli_wrong() prints the usage on standard error behind it. For main() only. */
#ifndef TSFERRY_CLI_H
#define TSFERRY_CLI_H

#define CLI_ANSWERED 0
#define CLI_WRONG 2 /* exit status of a wrong command line */

struct cli {
	const char *name;
	const char *usage; /* all its lines */
};

/* The next option of `letters`, as getopt(3) says it (optarg, optind; -1: no more, '?':
 * not known), or CLI_ANSWERED. */
int cli_next(const struct cli *c, int argc, char **argv, const char *letters);

/* Returns CLI_WRONG. */
int cli_wrong(const struct cli *c);

/* The status to end with, after what was printed: a full disk behind standard output is told,
 * and makes a 1 of 0. */
int cli_end(const struct cli *c, int status);

#endif
