/* recvd -n: checks what a start would need, changes nothing that a start would not, and
 * prints what is in force. Each failure comes with the command that mends it. Blocks. */
#ifndef TSFERRY_DOCTOR_H
#define TSFERRY_DOCTOR_H

/* The exit status: 0 when all is well, 1. */
int doctor(const char *config_path);

#endif
