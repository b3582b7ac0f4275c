/* train/device.h - the CUDA devices of this machine, behind plain C so that everything else needs no CUDA. */
#ifndef TAMIS_TRAIN_DEVICE_H
#define TAMIS_TRAIN_DEVICE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One text of whole lines into out[size], cut to fit: "CUDA 13.0: no device\n" or one line a device with its memory;
 * "CUDA: not in this build\n" where TAMIS_CUDA is OFF. */
void device_describe(char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
