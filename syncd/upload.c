#include "upload.h"
