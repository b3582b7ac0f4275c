/* core/cgroup.h - memory limits of the control groups this process lives in. Private to par.c. A batch system and a container
 * set theirs at different heights of the tree, so the least of all ancestors counts. */
#ifndef TAMIS_CORE_CGROUP_H
#define TAMIS_CORE_CGROUP_H

#include <stdint.h>

/* `self` names the groups ("/proc/self/cgroup"), `root` is where their trees are mounted ("/sys/fs/cgroup"): version 2's
 * memory.max, version 1's memory/…/memory.limit_in_bytes. Bytes; UINT64_MAX: no limit. */
uint64_t cgroup_memory(const char *self, const char *root);

#endif
