/* core/store_tmp.h - private to core/store*.c: how temporaries are called, NAME.HOST.PID.tmp, so that they can be told
 * from finished objects and, on the host that made them, from those of processes still alive. */
#ifndef TAMIS_CORE_STORE_TMP_H
#define TAMIS_CORE_STORE_TMP_H

enum { STORE_TMP_SUFFIX = 104 }; /* host name 64, pid 20, dots and "tmp" */

/* ".HOST.PID.tmp", or ".HOST." for pid 0. Characters of a host name that could upset a path become '_'. */
void store_tmp_suffix(char out[STORE_TMP_SUFFIX], long pid);

#endif
