/* bench/encode_ids.c - text in, ids out, for programs that compare: bench/tokenizer_identity.py, bench/tokenizer_peers.py.
 *
 *   encode_ids TOKENIZER
 * A request on standard input is a number of texts and, for each, its bytes and itself; the answer, written once the request has been
 * read, is for each text the number of its ids and these. All numbers are u32 in the order of the machine. Ends with its input. */
#include "core/log.h"
#include "tokenize/tokenize.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_u32(uint32_t *n) { return fread(n, sizeof *n, 1, stdin) == 1; }

/* Reads one text and appends its ids to the answer. */
static ErrCode answer_one(Encoder *e, Buf *text, Buf *ids, Buf *answer, Err *err)
{
    uint32_t n;
    ErrCode rc;

    if (!read_u32(&n)) return err_set(err, ERR_DATA, "standard input ends inside a request");
    buf_reset(text);
    if (!buf_reserve(text, n)) return err_nomem(err, "a text");
    if (fread(text->p, 1, n, stdin) != n) return err_set(err, ERR_DATA, "standard input ends inside a text");
    text->n = n;
    if ((rc = encode_as(e, buf_span(text), ENCODE_ALL, ids, err)) != ERR_OK) return rc;
    n = (uint32_t)(ids->n / sizeof n);
    buf_put(answer, &n, sizeof n);
    buf_put(answer, ids->p, ids->n);
    return buf_ok(answer, "an answer", err);
}

static ErrCode answer_all(Encoder *e, Err *err)
{
    Buf text = {0}, ids = {0}, answer = {0};
    ErrCode rc = ERR_OK;
    uint32_t n;

    while (rc == ERR_OK && read_u32(&n)) {
        buf_reset(&answer);
        for (; n && rc == ERR_OK; n--) rc = answer_one(e, &text, &ids, &answer, err);
        if (rc == ERR_OK && (fwrite(answer.p, 1, answer.n, stdout) != answer.n || fflush(stdout) != 0))
            rc = err_set(err, ERR_SYS, "cannot write standard output");
    }
    buf_clear(&text);
    buf_clear(&ids);
    buf_clear(&answer);
    return rc;
}

int main(int argc, char **argv)
{
    Tokenizer *t = NULL;
    Encoder *e = NULL;
    Err err;

    if (argc != 2) {
        fputs("usage: encode_ids TOKENIZER <REQUESTS >ANSWERS\n", stderr);
        return 2;
    }
    ErrCode rc = tokenizer_load(&t, argv[1], &err);
    if (rc == ERR_OK) rc = encoder_new(&e, t, &err);
    if (rc == ERR_OK) rc = answer_all(e, &err);
    if (rc) fprintf(stderr, "encode_ids: %s\n", err.msg);
    encoder_free(e);
    tokenizer_free(t);
    return rc ? err_status(rc) : 0;
}
