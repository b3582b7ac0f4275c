#include "tokenize/bpe_keep.h"

#include "core/store.h"
#include "tokenize/bpe_model.h"

#include <stdlib.h>

enum { VERSION = 3, WORDS_HEAD = 32 + 13 * 8 + 8, GROUP_BYTES = 24, MERGES_HEAD = 32 + 3 * 8 + 8, MERGE_BYTES = 8 };

static const char WORDS_MAGIC[] = "TAMISWRD", MERGES_MAGIC[] = "TAMISMRG";

/* --- words */

/* Fields of a header, eight bytes each, behind magic, version and key. */
static void put_fields(uint8_t *head, const char *magic, Hash128 key, const uint64_t *field, size_t n)
{
    memcpy(head, magic, 8);
    le64_put(head + 8, VERSION);
    hash128_put(head + 16, key);
    for (size_t i = 0; i < n; i++) le64_put(head + 32 + 8 * i, field[i]);
    le64_put(head + 32 + 8 * n, hash64(span(head, 32 + 8 * n)));
}

/* False: not such a file of this key. */
static bool get_fields(const uint8_t *head, const char *magic, Hash128 key, uint64_t *field, size_t n)
{
    if (memcmp(head, magic, 8) != 0 || le64_get(head + 8) != VERSION) return false;
    if (le64_get(head + 32 + 8 * n) != hash64(span(head, 32 + 8 * n))) return false;
    for (size_t i = 0; i < n; i++) field[i] = le64_get(head + 32 + 8 * i);
    return hash128_eq(hash128_get(head + 16), key);
}

enum {
    F_GROUPS,
    F_TEXT,
    F_WORDS,
    F_SYMBOLS,
    F_LEFT,
    F_LEFT_SYMBOLS,
    F_CORPUS,
    F_DOCS,
    F_TOO_MANY_STEPS,
    F_LINE_TOO_LONG,
    F_MOST,
    F_GROUP_SUM,
    F_TEXT_SUM,
    F_N
};

static uint8_t *pack_groups(const WordList *l)
{
    uint8_t *p = malloc(l->n_groups * GROUP_BYTES + 1);

    for (size_t i = 0; p && i < l->n_groups; i++) {
        le64_put(p + i * GROUP_BYTES, l->group[i].count);
        le64_put(p + i * GROUP_BYTES + 8, l->group[i].n_words);
        le64_put(p + i * GROUP_BYTES + 16, l->group[i].bytes);
    }
    return p;
}

ErrCode bpekeep_save_words(const BpeKeep *k, const WordList *l, BpeDocs docs, uint64_t max_symbols, Err *err)
{
    uint8_t head[WORDS_HEAD], *groups = pack_groups(l);
    OutFile *f = NULL;
    ErrCode rc;

    if (!groups) return err_nomem(err, "the words to keep");
    const uint64_t field[F_N] = {[F_GROUPS] = l->n_groups,
                                 [F_TEXT] = l->text_bytes,
                                 [F_WORDS] = l->n_words,
                                 [F_SYMBOLS] = l->n_symbols,
                                 [F_LEFT] = l->left_out,
                                 [F_LEFT_SYMBOLS] = l->left_out_symbols,
                                 [F_CORPUS] = l->corpus_bytes,
                                 [F_DOCS] = docs.n_taken,
                                 [F_TOO_MANY_STEPS] = docs.n_dropped[BPE_TOO_MANY_STEPS],
                                 [F_LINE_TOO_LONG] = docs.n_dropped[BPE_LINE_TOO_LONG],
                                 [F_MOST] = l->left_out ? max_symbols : 0,
                                 [F_GROUP_SUM] = hash64(span(groups, l->n_groups * GROUP_BYTES)),
                                 [F_TEXT_SUM] = hash64(span(l->text, l->text_bytes))};
    put_fields(head, WORDS_MAGIC, k->key, field, F_N);
    if ((rc = outfile_open(&f, k->words, err)) != ERR_OK) goto out;
    if ((rc = outfile_put(f, head, sizeof head, err)) != ERR_OK) goto out;
    if ((rc = outfile_put(f, groups, l->n_groups * GROUP_BYTES, err)) != ERR_OK) goto out;
    if ((rc = outfile_put(f, l->text, l->text_bytes, err)) != ERR_OK) goto out;
    rc = outfile_commit(&f, err);
out:
    outfile_abandon(f);
    free(groups);
    return rc;
}

static ErrCode damaged(const char *path, Err *err)
{
    return err_set(err, ERR_DATA, "%s is damaged: delete it, or --force", path);
}

static ErrCode read_groups(InFile *f, WordList *l, uint64_t sum, Err *err)
{
    size_t bytes = l->n_groups * GROUP_BYTES;
    uint8_t *groups = malloc(bytes + 1);
    ErrCode rc = groups ? infile_read(f, WORDS_HEAD, groups, bytes, err) : err_nomem(err, "the words to train on");

    l->group = malloc((l->n_groups + 1) * sizeof *l->group);
    if (rc == ERR_OK && !l->group) rc = err_nomem(err, "the words to train on");
    if (rc == ERR_OK && hash64(span(groups, bytes)) != sum) rc = damaged(infile_path(f), err);
    for (size_t i = 0; rc == ERR_OK && i < l->n_groups; i++) {
        const uint8_t *p = groups + i * GROUP_BYTES;
        l->group[i] = (WordGroup){le64_get(p), le64_get(p + 8), le64_get(p + 16)};
    }
    free(groups);
    return rc;
}

static ErrCode read_list(InFile *f, const uint64_t *field, WordList *l, Err *err)
{
    uint64_t size = infile_size(f) - WORDS_HEAD;
    ErrCode rc;

    if (field[F_GROUPS] > size / GROUP_BYTES || field[F_TEXT] != size - field[F_GROUPS] * GROUP_BYTES)
        return damaged(infile_path(f), err);
    *l = (WordList){.n_groups = (size_t)field[F_GROUPS],
                    .text_bytes = (size_t)field[F_TEXT],
                    .n_words = field[F_WORDS],
                    .n_symbols = field[F_SYMBOLS],
                    .left_out = field[F_LEFT],
                    .left_out_symbols = field[F_LEFT_SYMBOLS],
                    .corpus_bytes = field[F_CORPUS]};
    if ((rc = read_groups(f, l, field[F_GROUP_SUM], err)) != ERR_OK) return rc;
    if (!(l->text = malloc(l->text_bytes + 1))) return err_nomem(err, "the words to train on");
    rc = infile_read(f, WORDS_HEAD + field[F_GROUPS] * GROUP_BYTES, l->text, l->text_bytes, err);
    if (rc == ERR_OK && hash64(span(l->text, l->text_bytes)) != field[F_TEXT_SUM]) rc = damaged(infile_path(f), err);
    return rc;
}

ErrCode bpekeep_load_words(const BpeKeep *k, WordList *l, BpeDocs *docs, uint64_t max_symbols, bool *found, Err *err)
{
    uint8_t head[WORDS_HEAD];
    uint64_t field[F_N];
    InFile *f = NULL;
    bool there;
    ErrCode rc = store_exists(k->words, &there, err);

    *found = false;
    if (rc != ERR_OK || !there) return rc;
    if ((rc = infile_open(&f, k->words, err)) != ERR_OK) return rc;
    if (infile_size(f) < WORDS_HEAD) goto out;
    if ((rc = infile_read(f, 0, head, sizeof head, err)) != ERR_OK) goto out;
    if (!get_fields(head, WORDS_MAGIC, k->key, field, F_N)) goto out;
    if (field[F_LEFT] ? field[F_MOST] != max_symbols : field[F_SYMBOLS] > max_symbols) goto out;
    rc = read_list(f, field, l, err);
    *docs = (BpeDocs){field[F_DOCS], {field[F_TOO_MANY_STEPS], field[F_LINE_TOO_LONG]}};
    *found = rc == ERR_OK;
    if (rc != ERR_OK) wordlist_clear(l);
out:
    infile_close(f);
    return rc;
}

/* --- merges */

enum { M_WORDS, M_MERGES, M_SUM, M_N };

static void merge_fields(uint64_t *field, uint64_t words_sum, Span merges)
{
    field[M_WORDS] = words_sum;
    field[M_MERGES] = merges.n / sizeof(Merge);
    field[M_SUM] = hash64(merges);
}

ErrCode bpekeep_save_merges(const BpeKeep *k, uint64_t words_sum, const Buf *merges, Err *err)
{
    size_t n = merges->n / sizeof(Merge);
    uint64_t field[M_N];
    uint8_t pair[MERGE_BYTES];
    Buf body = {0}, all = {0};

    for (size_t i = 0; i < n; i++) {
        Merge m;
        memcpy(&m, merges->p + i * sizeof m, sizeof m);
        le32_put(pair, m.left);
        le32_put(pair + 4, m.right);
        buf_put(&body, pair, sizeof pair);
    }
    merge_fields(field, words_sum, buf_span(&body));
    if (buf_reserve(&all, MERGES_HEAD)) put_fields(all.p, MERGES_MAGIC, k->key, field, M_N), all.n = MERGES_HEAD;
    buf_put_span(&all, buf_span(&body));
    ErrCode rc = body.oom ? err_nomem(err, "the merges to keep") : buf_ok(&all, "the merges to keep", err);
    if (rc == ERR_OK) rc = store_write(k->merges, buf_span(&all), err);
    buf_clear(&body);
    buf_clear(&all);
    return rc;
}

ErrCode bpekeep_load_merges(const BpeKeep *k, uint64_t words_sum, Buf *merges, Err *err)
{
    uint64_t field[M_N], want[M_N];
    Buf all = {0};
    bool there;
    ErrCode rc = store_exists(k->merges, &there, err);

    buf_reset(merges);
    if (rc != ERR_OK || !there) return rc;
    if ((rc = store_read(k->merges, 1 << 30, &all, err)) != ERR_OK) goto out;
    if (all.n < MERGES_HEAD || !get_fields(all.p, MERGES_MAGIC, k->key, field, M_N)) goto out;
    Span body = span_from(buf_span(&all), MERGES_HEAD);
    merge_fields(want, words_sum, body);
    if (field[M_WORDS] != want[M_WORDS]) goto out;
    if (memcmp(field, want, sizeof field) != 0 || body.n % MERGE_BYTES) {
        rc = damaged(k->merges, err);
        goto out;
    }
    for (size_t at = 0; at < body.n; at += MERGE_BYTES) {
        Merge m = {le32_get(body.p + at), le32_get(body.p + at + 4)};
        buf_put(merges, &m, sizeof m);
    }
    rc = buf_ok(merges, "merges", err);
out:
    buf_clear(&all);
    return rc;
}

/* --- both */

static ErrCode check_ours(const char *path, const char *magic, Err *err)
{
    uint8_t head[8];
    InFile *f = NULL;
    bool there, ours = false;
    ErrCode rc = store_exists(path, &there, err);

    if (rc != ERR_OK || !there) return rc;
    if ((rc = infile_open(&f, path, err)) != ERR_OK) return rc;
    if (infile_size(f) >= sizeof head && (rc = infile_read(f, 0, head, sizeof head, err)) == ERR_OK)
        ours = memcmp(head, magic, sizeof head) == 0;
    infile_close(f);
    if (rc != ERR_OK || ours) return rc;
    return err_set(err, ERR_DATA, "%s is there and is not bpe's: choose another name", path);
}

ErrCode bpekeep_check(const BpeKeep *k, Err *err)
{
    ErrCode rc = check_ours(k->words, WORDS_MAGIC, err);

    return rc == ERR_OK ? check_ours(k->merges, MERGES_MAGIC, err) : rc;
}

ErrCode bpekeep_delete(const BpeKeep *k, Err *err)
{
    ErrCode rc = store_delete(k->words, err);

    return rc == ERR_OK ? store_delete(k->merges, err) : rc;
}
