/* train/device_cuda.cu - the CUDA devices of this machine (train/device.h). */
#include "train/device.h"

#include <cuda_runtime.h>
#include <stdio.h>

/* Appends to out[size] from *used on. */
static void put(char *out, size_t size, size_t *used, const char *text)
{
    int n = snprintf(out + *used, size - *used, "%s", text);
    *used = n < 0 || (size_t)n >= size - *used ? size - 1 : *used + (size_t)n;
}

extern "C" void device_describe(char *out, size_t size)
{
    int runtime = 0, n = 0;
    size_t used = 0;
    char line[512];
    cudaError_t status = cudaRuntimeGetVersion(&runtime);

    if (size == 0) return;
    if (status == cudaSuccess) status = cudaGetDeviceCount(&n);
    if (status == cudaErrorNoDevice || status == cudaErrorInsufficientDriver || (status == cudaSuccess && n == 0)) {
        snprintf(line, sizeof line, "CUDA %d.%d: no device\n", runtime / 1000, runtime % 1000 / 10);
        put(out, size, &used, line);
        return;
    }
    if (status != cudaSuccess) {
        snprintf(line, sizeof line, "CUDA %d.%d: %s\n", runtime / 1000, runtime % 1000 / 10,
                 cudaGetErrorString(status));
        put(out, size, &used, line);
        return;
    }
    for (int i = 0; i < n; i++) {
        cudaDeviceProp p;
        status = cudaGetDeviceProperties(&p, i);
        if (status == cudaSuccess)
            snprintf(line, sizeof line, "CUDA %d.%d: device %d: %s, compute %d.%d, %.1f GiB\n", runtime / 1000,
                     runtime % 1000 / 10, i, p.name, p.major, p.minor, (double)p.totalGlobalMem / (1 << 30));
        else
            snprintf(line, sizeof line, "CUDA %d.%d: device %d: %s\n", runtime / 1000, runtime % 1000 / 10, i,
                     cudaGetErrorString(status));
        put(out, size, &used, line);
    }
}
