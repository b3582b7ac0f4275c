#include "core/store.h"
#include "shards/bitpack.h"
#include "shards/shard_format.h"
#include "shards/shard_map.h"

#include <inttypes.h>
#include <stdlib.h>

const char *section_name(SectionKind kind)
{
    static const char *const names[SEC_END] = {
        [SEC_TOKENS] = "TOKENS",     [SEC_BLOCK_SUMS] = "BLOCK_SUMS", [SEC_DOC_FIRST] = "DOC_FIRST",
        [SEC_DOC_META] = "DOC_META", [SEC_NAMES] = "NAMES",           [SEC_IDS] = "IDS",
        [SEC_CONTENT] = "CONTENT"};

    return names[kind];
}

static ErrCode damaged(const Shard *s, const char *why, Err *err)
{
    return err_set(err, ERR_DATA, "%s: damaged shard: %s", s->name, why);
}

/* Magic, version, sum at both ends, and the fields before the directory. */
static ErrCode read_header(Shard *s, Err *err)
{
    const uint8_t *p = s->bytes.p;

    if (s->bytes.n < SHARD_HEADER + 16 || memcmp(p, shard_magic, 8) != 0)
        return err_set(err, ERR_DATA, "%s: not a token shard", s->name);
    if (le32_get(p + 8) != SHARD_VERSION)
        return err_set(err, ERR_DATA, "%s: shard version %" PRIu32 "; this program knows %d", s->name,
                       le32_get(p + 8), SHARD_VERSION);
    s->token_bits = le32_get(p + 12);
    s->n_tokens = le64_get(p + 16);
    s->n_docs = le64_get(p + 24);
    s->spec = (ShardSpec){.vocab_size = le32_get(p + 32),
                          .eos_id = le32_get(p + 36),
                          .tokenizer_id = hash128_get(p + 48),
                          .key = hash128_get(p + 64)};
    s->block_tokens = le32_get(p + 40);
    s->n_sections = le32_get(p + 44);
    if (s->n_sections > SHARD_MAX_SECTIONS) return damaged(s, "too many sections", err);
    size_t header = SHARD_HEADER + (size_t)s->n_sections * SHARD_ENTRY; /* at most 2128 */
    if (s->bytes.n < header + 16) return damaged(s, "cut inside the header", err);
    uint64_t sum = le64_get(p + header);
    if (sum != hash64((Span){p, header})) return damaged(s, "the sum of the header differs", err);
    if (sum != le64_get(p + s->bytes.n - 8))
        return damaged(s, "the end does not repeat the sum of the header: a cut file", err);
    if (s->spec.vocab_size == 0 || s->spec.vocab_size > VOCAB_MAX || s->spec.eos_id >= s->spec.vocab_size ||
        s->token_bits != bitpack_width(s->spec.vocab_size))
        return damaged(s, "vocabulary, eos or token bits out of range", err);
    if (s->n_tokens > SHARD_MAX_TOKENS || s->n_docs > s->n_tokens || s->block_tokens != SHARD_BLOCK_TOKENS)
        return damaged(s, "token, document or block counts out of range", err);
    return ERR_OK;
}

/* The directory: sections in order, aligned, within the file, nothing between or behind them. */
static ErrCode read_directory(Shard *s, Err *err)
{
    uint64_t at = shard_align(SHARD_HEADER + (uint64_t)s->n_sections * SHARD_ENTRY + 8), end = s->bytes.n - 8;

    for (uint32_t i = 0; i < s->n_sections; i++) {
        const uint8_t *entry = s->bytes.p + SHARD_HEADER + (size_t)i * SHARD_ENTRY;
        uint32_t kind = le32_get(entry);
        uint64_t offset = le64_get(entry + 8), bytes = le64_get(entry + 16);
        if (offset != at || offset > end || bytes > end - offset)
            return damaged(s, "a section lies where none can be", err);
        at = shard_align(offset + bytes);
        if (kind == 0 || kind >= SEC_END) continue; /* a later version's */
        if (le32_get(entry + 4) != 0) return damaged(s, "a section has flags of a later version", err);
        if (s->section[kind].p) return damaged(s, "a section stands twice", err);
        s->section[kind] = (Span){s->bytes.p + offset, (size_t)bytes};
        s->sum[kind] = le64_get(entry + 24);
    }
    if (at != end) return damaged(s, "the last section does not reach the end", err);
    for (uint32_t kind = 1; kind < SEC_END; kind++)
        if (!s->section[kind].p)
            return err_set(err, ERR_DATA, "%s: damaged shard: no section %s", s->name, section_name(kind));
    return ERR_OK;
}

/* Each section's size must follow from the counts; then every access by number stays inside. */
static ErrCode check_sizes(Shard *s, Err *err)
{
    Span names = s->section[SEC_NAMES], ids = s->section[SEC_IDS];
    uint64_t n_blocks = (s->n_tokens + SHARD_BLOCK_TOKENS - 1) / SHARD_BLOCK_TOKENS;

    if (s->section[SEC_TOKENS].n != bitpack_bytes(s->n_tokens, s->token_bits) + BITPACK_SLACK ||
        s->section[SEC_BLOCK_SUMS].n != 8 * n_blocks || s->section[SEC_DOC_FIRST].n != 8 * (s->n_docs + 1) ||
        s->section[SEC_DOC_META].n != SHARD_META_BYTES * s->n_docs || s->section[SEC_CONTENT].n != 16 ||
        names.n < 8 || ids.n < 8 * s->n_docs)
        return damaged(s, "a section has another size than the counts ask for", err);
    s->n_domains = le32_get(names.p);
    s->n_langs = le32_get(names.p + 4);
    if (s->n_domains > SHARD_MAX_DOMAINS || s->n_langs > SHARD_MAX_LANGS ||
        names.n - 8 < 4 * (size_t)(s->n_domains + s->n_langs))
        return damaged(s, "too many names", err);
    size_t name_ends = 8 + 4 * (size_t)(s->n_domains + s->n_langs), id_ends = 8 * (size_t)s->n_docs;
    s->names =
        (Span){names.p + name_ends, names.n - name_ends}; /* not span_from: p must stand even when nothing is left */
    s->ids = (Span){ids.p + id_ends, ids.n - id_ends};
    return ERR_OK;
}

ErrCode shard_open_bytes(Shard **out, Span bytes, const char *name, Err *err)
{
    Shard *s = calloc(1, sizeof *s);
    ErrCode rc;

    *out = NULL;
    if (!s || !(s->name = malloc(strlen(name) + 1))) {
        free(s);
        return err_nomem(err, "a shard");
    }
    memcpy(s->name, name, strlen(name) + 1);
    s->bytes = bytes;
    if ((rc = read_header(s, err)) != ERR_OK || (rc = read_directory(s, err)) != ERR_OK ||
        (rc = check_sizes(s, err)) != ERR_OK) {
        shard_close(s);
        return rc;
    }
    *out = s;
    return ERR_OK;
}

ErrCode shard_open(Shard **out, const char *path, Err *err)
{
    Span bytes;
    ErrCode rc = shard_map(path, &bytes, err);

    *out = NULL;
    if (rc != ERR_OK) return rc;
    rc = shard_open_bytes(out, bytes, path, err);
    if (rc != ERR_OK)
        shard_unmap(bytes);
    else
        (*out)->mapped = true;
    return rc;
}

ErrCode shard_is_of(const char *path, Hash128 key, bool *yes, Err *err)
{
    uint8_t head[SHARD_HEADER], sums[2][8];
    InFile *f;
    ErrCode rc = store_exists(path, yes, err);

    if (rc != ERR_OK || !*yes) return rc;
    if ((rc = infile_open(&f, path, err)) != ERR_OK) return rc;
    *yes = false;
    const uint64_t size = infile_size(f);
    if (size < SHARD_HEADER + 16) goto out;
    if ((rc = infile_read(f, 0, head, sizeof head, err)) != ERR_OK) goto out;
    const uint64_t sum_at = SHARD_HEADER + (uint64_t)SHARD_ENTRY * le32_get(head + 44);
    if (memcmp(head, shard_magic, 8) != 0 || le32_get(head + 8) != SHARD_VERSION || sum_at > size - 16 ||
        !hash128_eq(hash128_get(head + 64), key))
        goto out;
    rc = infile_read(f, sum_at, sums[0], 8, err);
    if (rc == ERR_OK) rc = infile_read(f, size - 8, sums[1], 8, err);
    *yes = rc == ERR_OK && memcmp(sums[0], sums[1], 8) == 0;
out:
    infile_close(f);
    return rc;
}

void shard_close(Shard *s)
{
    if (!s) return;
    if (s->mapped) shard_unmap(s->bytes);
    free(s->name);
    free(s);
}

uint64_t shard_n_tokens(const Shard *s) { return s->n_tokens; }
uint64_t shard_n_docs(const Shard *s) { return s->n_docs; }
const ShardSpec *shard_spec(const Shard *s) { return &s->spec; }
unsigned shard_token_bits(const Shard *s) { return s->token_bits; }
Hash128 shard_content(const Shard *s) { return hash128_get(s->section[SEC_CONTENT].p); }

ErrCode shard_read(const Shard *s, uint64_t first, size_t n, uint32_t *out, Err *err)
{
    if (first > s->n_tokens || n > s->n_tokens - first)
        return err_set(err, ERR_LIMIT, "%s: tokens %" PRIu64 " to %" PRIu64 " asked for; it has %" PRIu64, s->name,
                       first, first + n, s->n_tokens);
    bitpack_get(out, s->section[SEC_TOKENS].p, first, n, s->token_bits);
    return ERR_OK;
}

/* Entry d of DOC_FIRST, d <= n_docs. */
static uint64_t doc_first(const Shard *s, uint64_t d) { return le64_get(s->section[SEC_DOC_FIRST].p + 8 * d); }

ErrCode shard_doc_at(const Shard *s, uint64_t at, uint64_t *doc, Err *err)
{
    uint64_t low = 0, high = s->n_docs; /* the document is in [low, high) */

    if (at >= s->n_tokens)
        return err_set(err, ERR_LIMIT, "%s: token %" PRIu64 " asked for; it has %" PRIu64, s->name, at, s->n_tokens);
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (doc_first(s, middle) <= at)
            low = middle;
        else
            high = middle;
    }
    if (low >= s->n_docs || doc_first(s, low) > at || doc_first(s, low + 1) <= at)
        return damaged(s, "DOC_FIRST is out of order", err);
    *doc = low;
    return ERR_OK;
}

bool shard_name(const Shard *s, uint32_t i, Span *out)
{
    const uint8_t *ends = s->section[SEC_NAMES].p + 8;
    uint32_t begin = i ? le32_get(ends + 4 * (size_t)(i - 1)) : 0, end = le32_get(ends + 4 * (size_t)i);

    if (begin > end || end > s->names.n) return false;
    *out = (Span){s->names.p + begin, end - begin};
    return true;
}

bool shard_id(const Shard *s, uint64_t doc, Span *out)
{
    const uint8_t *ends = s->section[SEC_IDS].p;
    uint64_t begin = doc ? le64_get(ends + 8 * (doc - 1)) : 0, end = le64_get(ends + 8 * doc);

    if (begin > end || end > s->ids.n) return false;
    *out = (Span){s->ids.p + begin, (size_t)(end - begin)};
    return true;
}

ErrCode shard_doc(const Shard *s, uint64_t doc, ShardDoc *out, uint64_t *begin, uint64_t *end, Err *err)
{
    if (doc >= s->n_docs)
        return err_set(err, ERR_LIMIT, "%s: document %" PRIu64 " asked for; it has %" PRIu64, s->name, doc,
                       s->n_docs);
    const uint8_t *meta = s->section[SEC_DOC_META].p + SHARD_META_BYTES * doc;
    uint32_t domain = le16_get(meta + 8), lang = meta[10];

    *out = (ShardDoc){.doc = le64_get(meta)};
    *begin = doc_first(s, doc);
    *end = doc_first(s, doc + 1);
    if (*begin >= *end || *end > s->n_tokens) return damaged(s, "DOC_FIRST is out of order", err);
    if (domain >= s->n_domains || lang >= s->n_langs || !shard_name(s, domain, &out->domain) ||
        !shard_name(s, s->n_domains + lang, &out->lang))
        return damaged(s, "a document has a domain or language without a name", err);
    if (!shard_id(s, doc, &out->id)) return damaged(s, "the ends in IDS are out of order", err);
    return ERR_OK;
}
