/* Results sorted by document: what a step finds out about documents, brought to where their parts can read it. */
#include "dedup/doctable.h"

ErrCode list_by_doc(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY], record[RECORD_MAX];
    Span value;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        if ((rc = exchange_next_value(g, &value, &end, err)) != ERR_OK) break;
        memcpy(record, key + 8, DOC_BYTES);
        if (value.n) memcpy(record + DOC_BYTES, value.p, value.n);
        if ((rc = resultsout_put(out, record, err)) != ERR_OK) break;
    }
    return rc;
}

ErrCode list_all_by_doc(void *ctx, int thread, uint32_t partition, ExchangeGroups *g, ResultsOut *out, Err *err)
{
    uint8_t key[EXCHANGE_KEY], record[RECORD_MAX];
    Span value;
    bool end;
    ErrCode rc;

    (void)ctx, (void)thread, (void)partition;
    while ((rc = exchange_next_group(g, key, &end, err)) == ERR_OK && !end) {
        memcpy(record, key + 8, DOC_BYTES);
        while ((rc = exchange_next_value(g, &value, &end, err)) == ERR_OK && !end) {
            memcpy(record + DOC_BYTES, value.p, value.n);
            if ((rc = resultsout_put(out, record, err)) != ERR_OK) return rc;
        }
        if (rc) return rc;
    }
    return rc;
}

typedef struct {
    const DocTable *t;
    const Results *from;
    Pass *p;
    uint32_t width;
} Sort;

static ErrCode send_records(void *ctx, int lane, uint32_t partition, Span records, Err *err)
{
    const Sort *s = ctx;
    uint8_t key[EXCHANGE_KEY];
    ErrCode rc = ERR_OK;

    (void)partition;
    for (size_t at = 0; at < records.n && rc == ERR_OK; at += s->width) {
        doc_key(s->t, doc_get(records.p + at), key);
        rc = pass_put(s->p, lane, key, records.p + at + DOC_BYTES, s->width - DOC_BYTES, err);
    }
    return rc;
}

static ErrCode send_all(void *ctx, Pass *p, Err *err)
{
    Sort *s = ctx;

    s->p = p;
    return results_each(s->from, send_records, s, err);
}

ErrCode sort_by_doc(const DocTable *t, const Results *from, uint32_t width, PassReceive receive, Pass *p, Err *err)
{
    Sort s = {t, from, p, width};

    return pass_run(p, send_all, receive, &s, err);
}
