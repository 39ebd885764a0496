/* syncd -n: is everything there that syncd needs? Prints what is in force and every
 * failure with what mends it. Makes one real hard link in each spool and one watch, and
 * removes them again; asks the receivers of known sinks for a connection, and
 * has syncd-ask log in to the edge IoTDB where iotdb_rpc is set. Blocks. */
#ifndef TSFERRY_DOCTOR_H
#define TSFERRY_DOCTOR_H

/* The exit status: 0 when all is well, else 1. */
int doctor_run(const char *conf_path);

#endif
