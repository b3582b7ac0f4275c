/* Any bytes through the text key, UTF-8 repair and folding: what the headers promise of every input holds. */
#include "core/textkey.h"
#include "core/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool ok)
{
    if (!ok) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    TextKey k = {0};
    Buf repaired = {0};
    Span text = span(p, n);
    uint32_t cp;

    size_t good = utf8_valid_prefix(text), at = 0;
    while (at < n) {
        unsigned len = utf8_next(p + at, n - at, &cp);
        if (cp == UTF8_BAD) break;
        at += len;
    }
    require(at == good);
    require((utf8_repair(&repaired, text) == 0) == (good == n));
    require(utf8_valid(buf_span(&repaired)));

    require(textkey_split(&k, text, NULL) == ERR_OK);
    size_t n_tok = k.n_tok;
    uint32_t last = 0;
    for (size_t i = 0; i < n_tok; i++) {
        require(k.tok[i].begin < k.tok[i].end && k.tok[i].end <= n && k.tok[i].begin >= last);
        last = k.tok[i].begin;
    }
    Hash128 whole = textkey_hash(&k, text);
    /* An ill-formed sequence separates, as does the U+FFFD that repair puts in its place. */
    require(textkey_split(&k, buf_span(&repaired), NULL) == ERR_OK);
    require(k.n_tok == n_tok);
    if (n_tok) require(hash128_eq(whole, textkey_hash(&k, buf_span(&repaired))));
    textkey_clear(&k);
    buf_clear(&repaired);
    return 0;
}
