/* train/device_none.c - builds without CUDA (train/device.h). */
#include "train/device.h"

#include <stdio.h>

void device_describe(char *out, size_t size) { snprintf(out, size, "CUDA: not in this build\n"); }
