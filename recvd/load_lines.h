/* The lines of the loader's protocol around the IoTDB loader: a batch is read to its end,
 * applied, answered as it goes. Ends when the input ends. Blocks. */
#ifndef TSFERRY_LOAD_LINES_H
#define TSFERRY_LOAD_LINES_H

#include "load_iotdb.h"

/* The process's exit status. A loader that cannot be set up answers every job with why. */
int load_lines(const struct iotdb_settings *set);

/* For the doctor: logs in, asks for nothing, says what is there. 0 or 1; on stdout. */
int load_check(const struct iotdb_settings *set);

#endif
