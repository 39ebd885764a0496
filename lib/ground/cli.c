#include "ground/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "ground/err.h"

int cli_next(const struct cli *c, int argc, char **argv, const char *letters)
{
	enum {
		HELP = 256,
		VERSION
	};
	static const struct option longs[] = {{"help", no_argument, NULL, HELP},
					      {"version", no_argument, NULL,
					       VERSION},
					      {0}};
	int k = getopt_long(argc, argv, letters, longs, NULL);

	if (k == HELP)
		(void)fputs(c->usage, stdout);
	else if (k == VERSION)
		(void)printf("%s %s\n", c->name, TSFERRY_VERSION);
	else
		return k;
	return CLI_ANSWERED;
}

int cli_wrong(const struct cli *c)
{
	(void)fputs(c->usage, stderr);
	return CLI_WRONG;
}

int cli_end(const struct cli *c, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	(void)fprintf(stderr, "%s: standard output: %s\n", c->name,
		      err_words(errno));
	return status ? status : 1;
}
