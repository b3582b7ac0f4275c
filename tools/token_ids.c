#include "tools/token_ids.h"

#include "core/json.h"
#include "core/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Appends "[1,2,3]". */
static void put_ids(Buf *out, const Buf *ids)
{
    const size_t n = ids->n / sizeof(uint32_t);

    buf_putc(out, '[');
    for (size_t i = 0; i < n; i++) {
        uint32_t id;
        memcpy(&id, ids->p + i * sizeof id, sizeof id);
        if (i) buf_putc(out, ',');
        buf_put_u64(out, id);
    }
    buf_putc(out, ']');
}

static ErrCode print(Buf *out, Err *err)
{
    ErrCode rc = buf_ok(out, "token ids", err);

    if (rc == ERR_OK && out->n && (fwrite(out->p, 1, out->n, stdout) != out->n || fflush(stdout) != 0))
        rc = err_sys(err, "cannot write to standard output");
    buf_recycle(out);
    return rc;
}

typedef struct {
    Encoder *encoder;
    Buf ids, out;
    uint64_t n_dropped; /* documents that the pre-tokenizer gave up */
} IdsThread;

typedef struct {
    EncodeMode mode;
    bool bare;
    IdsThread *thread;
} IdsRun;

static ErrCode put_document(void *ctx, int thread, const TokenDoc *doc, Err *err)
{
    const IdsRun *r = ctx;
    IdsThread *t = &r->thread[thread];
    ErrCode rc = encode_as(t->encoder, doc->text, r->mode, &t->ids, err);

    if (rc == ERR_LIMIT && !r->bare) {
        tokendoc_log_dropped(doc, err);
        t->n_dropped++;
        return ERR_OK;
    }
    if (rc != ERR_OK) return rc;
    if (!r->bare) {
        buf_puts(&t->out, "{\"id\":");
        if (doc->own_id.p)
            buf_put_span(&t->out, doc->own_id);
        else
            json_put_string(&t->out, doc->id);
        buf_puts(&t->out, ",\"ids\":");
    }
    put_ids(&t->out, &t->ids);
    buf_puts(&t->out, r->bare ? "\n" : "}\n");
    buf_recycle(&t->ids);
    return buf_ok(&t->out, "token ids", err);
}

static ErrCode print_block(void *ctx, int thread, Err *err)
{
    const IdsRun *r = ctx;

    return print(&r->thread[thread].out, err);
}

ErrCode tokenids_print(const Tokenizer *t, EncodeMode mode, const TokenInput *in, bool bare, int threads, Err *err)
{
    IdsRun r = {.mode = mode, .bare = bare, .thread = calloc((size_t)threads, sizeof *r.thread)};
    LineDrops drops = {0};
    uint64_t n_lost = 0, n_dropped = 0;
    ErrCode rc = r.thread ? ERR_OK : err_nomem(err, "encoders");

    for (int i = 0; i < threads && rc == ERR_OK; i++) rc = encoder_new(&r.thread[i].encoder, t, err);
    if (rc == ERR_OK) rc = tokeninput_show(in, threads, put_document, print_block, &r, &drops, NULL, err);
    for (int i = 0; r.thread && i < threads; i++) {
        if (r.thread[i].encoder) n_lost += encoder_n_lost(r.thread[i].encoder);
        encoder_free(r.thread[i].encoder);
        n_dropped += r.thread[i].n_dropped;
        buf_clear(&r.thread[i].ids);
        buf_clear(&r.thread[i].out);
    }
    free(r.thread);
    if (rc == ERR_OK) linedrops_warn(&drops, in);
    if (n_dropped) log_warn("tokenize: %" PRIu64 " documents are left out (too_many_steps)", n_dropped);
    if (n_lost) log_warn("tokenize: %" PRIu64 " bytes have no token in this vocabulary and were left out", n_lost);
    return rc;
}
