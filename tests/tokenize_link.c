/* A program of somebody else's: encodes and decodes with what tokenize/tokenize.h promises, linked against the installed libraries.
 *   tokenize_link TOKENIZER <TEXT      for each line an array of [id, begin, end] (in characters) as JSON; status 1 when decoding
 *                                      token by token gives another text than at once */
#include "tokenize/tokenize.h"

#include <stdio.h>
#include <stdlib.h>

static ErrCode print_line(Encoder *e, Span line, Buf *ids, Buf *offsets, Err *err)
{
    const Tokenizer *t = encoder_tokenizer(e);
    Buf back = {0}, whole = {0};
    ErrCode rc = encode_offsets(e, line, ENCODE_ALL, ids, offsets, err);
    const uint32_t *id = (const uint32_t *)(const void *)ids->p;
    const TokenOffset *at = (const TokenOffset *)(const void *)offsets->p;
    DecodeStream s = decodestream(t, true, false);

    if (rc != ERR_OK) return rc;
    putchar('[');
    for (size_t i = 0; i < ids->n / sizeof *id; i++) {
        printf("%s[%u,%zu,%zu]", i ? "," : "", id[i], at[i].char_begin, at[i].char_end);
        if ((rc = decodestream_put(&s, id[i], &back, err)) != ERR_OK) break;
    }
    puts("]");
    decodestream_end(&s, &back);
    if (rc == ERR_OK) rc = decode(t, id, ids->n / sizeof *id, false, &whole, err);
    if (rc == ERR_OK && !span_eq(buf_span(&whole), buf_span(&back)))
        rc = err_set(err, ERR_NO, "token by token a line is another text than at once");
    buf_clear(&whole);
    buf_clear(&back);
    return rc;
}

int main(int argc, char **argv)
{
    Tokenizer *t = NULL;
    Encoder *e = NULL;
    Buf ids = {0}, offsets = {0};
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    Err err = {0};

    if (argc != 2) return 2;
    ErrCode rc = tokenizer_load(&t, argv[1], &err);
    if (rc == ERR_OK) rc = encoder_new(&e, t, &err);
    while (rc == ERR_OK && (n = getline(&line, &cap, stdin)) >= 0)
        rc = print_line(e, span(line, (size_t)n), &ids, &offsets, &err);
    if (rc != ERR_OK) fprintf(stderr, "tokenize_link: %s\n", err.msg);
    free(line);
    encoder_free(e);
    tokenizer_free(t);
    buf_clear(&ids);
    buf_clear(&offsets);
    return err_status(rc);
}
