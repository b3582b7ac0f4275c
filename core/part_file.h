/* core/part_file.h - private to core/part*.c: where a frame lies. */
#ifndef TAMIS_CORE_PART_FILE_H
#define TAMIS_CORE_PART_FILE_H

#include "core/part.h"
#include "core/store.h"

uint64_t partfile_offset(const PartFile *f, uint32_t frame); /* in the file */
InFile *partfile_infile(PartFile *f);

#endif
