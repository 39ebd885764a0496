/* What view.c and view_result.c know in common: which paths are whose. */
#ifndef TSFERRY_VIEW_INSIDE_H
#define TSFERRY_VIEW_INSIDE_H

#include "view.h"

bool view_is_joined(const char *path); /* a file made of both parts */
bool view_is_own(const char *path);    /* at the top, and no daemon's */

/* A directory that has a ctl of its own: /server and every pipe. */
bool view_holds_ctl(const char *dir);

/* The directory of "/x/ctl" into `dir`; false when the path is none such. */
bool view_ctl_dir(const char *path, char dir[VIEW_PATH_MAX]);

#endif
