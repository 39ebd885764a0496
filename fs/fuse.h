/* libfuse, always by the same version of its interface. */
#ifndef TSFERRY_FUSE_H
#define TSFERRY_FUSE_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#endif
