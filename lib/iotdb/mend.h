/* Objects of Thrift's C library and of its generator end without their base class's end
 * (finalize does not chain up), which leaks some 32 bytes each: hundreds a call, in
 * programs that run for years. mend_types() puts that call behind their own, once a
 * process; calling it again does nothing. For rpc.c only. */
#ifndef TSFERRY_IOTDB_MEND_H
#define TSFERRY_IOTDB_MEND_H

void mend_types(void);

#endif
