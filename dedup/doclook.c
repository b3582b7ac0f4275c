#include "dedup/doclook.h"

#include <inttypes.h>

ErrCode doclook_open(DocLook *l, const DatasetSet *set, Err *err)
{
    *l = (DocLook){.set = set};
    return blockreader_new(&l->reader, err);
}

void doclook_close(DocLook *l)
{
    blockreader_free(l->reader);
    partview_close(l->view);
    *l = (DocLook){0};
}

static ErrCode read_record(DocLook *l, uint32_t record, Doc *doc, bool *found, Err *err)
{
    uint32_t block = 0, at;
    bool end = false;
    ErrCode rc;

    while (block + 1 < partview_n_blocks(l->view) && partview_first_record(l->view, block + 1) <= record) block++;
    if (record >= partview_n_records(l->view)) return ERR_OK;
    if ((rc = blockreader_open(l->reader, l->view, block, err)) != ERR_OK) return rc;
    while (!*found && (rc = blockreader_next(l->reader, doc, &at, &end, err)) == ERR_OK && !end)
        *found = at == record;
    return rc;
}

ErrCode doclook_get(DocLook *l, DocId id, Doc *doc, Err *err)
{
    const DocId first = docid(docid_dataset(id), docid_part(id), 0);
    uint32_t part = 0, n = datasetset_n_parts(l->set);
    bool found = false;
    ErrCode rc = ERR_OK;

    while (part < n && datasetset_docid(l->set, part) != first) part++;
    partview_close(l->view);
    l->view = NULL;
    if (part < n) rc = partview_open(&l->view, l->set, part, err);
    if (rc == ERR_OK && part < n) rc = read_record(l, docid_record(id), doc, &found, err);
    if (rc == ERR_OK && !found)
        rc = err_set(err, ERR_DATA, "there is no document %" PRIu32 " in part %" PRIu32 " of dataset %" PRIu32,
                     docid_record(id), docid_part(id), docid_dataset(id));
    return rc;
}
