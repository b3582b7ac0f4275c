/* Which format a file has, and tokenizer.json made of what the readers of the others found. */
#include "tokenize/formats.h"

#include "core/json.h"
#include "core/store.h"

/* The first member of tokenizer.json is a string, of vocab.json a number. */
static bool begins_with_number(Span bytes)
{
    JsonScan s = json_scan_text(bytes);
    Span key;

    return json_expect(&s, '{') && json_peek(&s) == '"' && json_skip(&s, &key) && json_expect(&s, ':') &&
           ascii_is_digit(json_peek(&s));
}

/* A byte order mark is nothing to JSON (core/json.h). */
static Span without_mark(Span bytes)
{
    return span_starts(bytes, SPAN_LIT("\xef\xbb\xbf")) ? span_from(bytes, 3) : bytes;
}

TokenizerFormat format_of(Span bytes)
{
    if (span_starts(bytes, SPAN_LIT("GGUF"))) return FORMAT_GGUF;
    bytes = without_mark(bytes);
    Span text = span_trim((Span){bytes.p, bytes.n < 64 ? bytes.n : 64});
    if (text.n && text.p[0] == '{') return begins_with_number(bytes) ? FORMAT_PAIR : FORMAT_JSON;
    size_t blank = span_find(text, ' ');
    Buf token = {0};
    bool is_token = blank > 0 && blank + 1 < text.n && ascii_is_digit(text.p[blank + 1]) &&
                    base64_read(&token, (Span){text.p, blank});
    buf_clear(&token);
    return is_token ? FORMAT_TIKTOKEN : FORMAT_JSON;
}

/* What every tokenizer.json begins with; nothing else is worth a complaint about its JSON. */
static ErrCode check_json(const char *path, Span bytes, Err *err)
{
    static const struct {
        const char *magic, *what;
    } known[] = {{"\x1f\x8b", "it is packed by gzip"},
                 {"\x28\xb5\x2f\xfd", "it is packed by zstd"},
                 {"#version", "it is a merges.txt: name the vocab.json beside it"}};
    const Span text = span_trim(without_mark(bytes));
    const char *what = bytes.n ? "it is something else" : "it is empty";

    if (text.n && text.p[0] == '{') return ERR_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_starts(bytes, span_str(known[i].magic))) what = known[i].what;
    return err_set(err, ERR_DATA,
                   "%s: not a tokenizer.json, a vocab.json (merges.txt beside it), a tiktoken or a GGUF file: %s",
                   path, what);
}

/* The path of merges.txt: that of vocab.json with its last "vocab.json" replaced. */
static ErrCode merges_beside(const char *path, Buf *out, Err *err)
{
    static const char vocab[] = "vocab.json";
    size_t n = strlen(path), k = sizeof vocab - 1;

    if (n < k || strcmp(path + n - k, vocab) != 0)
        return err_set(err, ERR_DATA,
                       "%s: a vocabulary without merges; its name must end in %s, with merges.txt beside it", path,
                       vocab);
    buf_put(out, path, n - k);
    buf_puts(out, "merges.txt");
    return buf_cstr(out) ? ERR_OK : err_nomem(err, "a path");
}

static ErrCode read_pair(const char *path, Span vocab, const FormatHints *hints, Buf *json, Err *err)
{
    Buf beside = {0}, merges = {0};
    ErrCode rc = merges_beside(path, &beside, err);

    if (rc == ERR_OK) rc = store_read(buf_cstr(&beside), TOKENIZER_MAX_BYTES, &merges, err);
    if (rc == ERR_OK) rc = pair_read(path, vocab, buf_span(&merges), hints, json, err);
    buf_clear(&beside);
    buf_clear(&merges);
    return rc;
}

ErrCode format_to_json(const char *path, Span bytes, const FormatHints *hints, Buf *json, Err *err)
{
    switch (format_of(bytes)) {
    case FORMAT_TIKTOKEN: return tiktoken_read(path, bytes, hints, json, err);
    case FORMAT_GGUF: return gguf_read(path, bytes, hints, json, err);
    case FORMAT_PAIR: return read_pair(path, bytes, hints, json, err);
    default: buf_put_span(json, bytes); return buf_ok(json, "a tokenizer", err);
    }
}

/* All of a file, of a GGUF file, which may hold a whole model, its beginning. */
static ErrCode read_file(const char *path, Buf *bytes, Err *err)
{
    InFile *f;
    uint8_t magic[4];
    ErrCode rc = infile_open(&f, path, err);

    if (rc != ERR_OK) return rc;
    uint64_t size = infile_size(f);
    if (size > TOKENIZER_MAX_BYTES && (rc = infile_read(f, 0, magic, sizeof magic, err)) == ERR_OK) {
        if (memcmp(magic, "GGUF", sizeof magic) == 0)
            size = TOKENIZER_MAX_BYTES;
        else
            rc = err_set(err, ERR_LIMIT, "%s: larger than %d bytes", path, TOKENIZER_MAX_BYTES);
    }
    if (rc == ERR_OK && !buf_reserve(bytes, (size_t)size)) rc = err_nomem(err, "a tokenizer");
    if (rc == ERR_OK && size && (rc = infile_read(f, 0, bytes->p, (size_t)size, err)) == ERR_OK)
        bytes->n = (size_t)size;
    infile_close(f);
    return rc;
}

ErrCode format_load_json(const char *path, const FormatHints *hints, Buf *json, Err *err)
{
    Buf bytes = {0};
    ErrCode rc = read_file(path, &bytes, err);

    if (rc == ERR_OK && format_of(buf_span(&bytes)) == FORMAT_JSON) {
        *json = bytes;
        if ((rc = check_json(path, buf_span(json), err)) != ERR_OK) return rc;
        if (!hints->pre_tokenizer && !hints->encoding && !hints->n_special) return ERR_OK;
        return err_set(err, ERR_USAGE,
                       "%s: a tokenizer.json says itself what --pre-tokenizer, --encoding and --special say", path);
    }
    if (rc == ERR_OK) rc = format_to_json(path, buf_span(&bytes), hints, json, err);
    buf_clear(&bytes);
    return rc;
}

ErrCode tokenizer_load(Tokenizer **out, const char *path, Err *err)
{
    static const FormatHints none = {.special = NULL};
    Buf json = {0};

    *out = NULL;
    ErrCode rc = format_load_json(path, &none, &json, err);
    if (rc == ERR_OK) rc = tokenizer_parse(out, buf_span(&json), path, err);
    buf_clear(&json);
    return rc;
}

/* --- drafts */

ErrCode draft_init(TokenizerDraft *d, const char *name, uint32_t n_ids, Err *err)
{
    *d = (TokenizerDraft){.name = name, .n_ids = n_ids, .bos = NO_ID, .eos = NO_ID};
    d->token = arena_array(&d->arena, n_ids, sizeof *d->token);
    d->merge = arena_array(&d->arena, n_ids, sizeof *d->merge);
    if (!d->token || !d->merge) return err_nomem(err, "a vocabulary");
    for (uint32_t id = 0; id < n_ids; id++) d->token[id] = (DraftToken){.kind = DRAFT_NONE};
    return ERR_OK;
}

void draft_clear(TokenizerDraft *d) { arena_clear(&d->arena); }

ErrCode draft_pretokenizer(TokenizerDraft *d, const char *chain, Err *err)
{
    Buf names = {0};

    if ((d->pretokenizer = pretokenizer_named(chain)) != NULL) return ERR_OK;
    for (size_t i = 0; pretokenizer_names[i]; i++) buf_printf(&names, "%s%s", i ? ", " : "", pretokenizer_names[i]);
    const char *all = buf_cstr(&names);
    err_set(err, ERR_USAGE, "%s: no pre-tokenizer is called %s; there are: %s", d->name, chain, all ? all : "others");
    buf_clear(&names);
    return ERR_USAGE;
}

/* The reference numbers added tokens itself, from the size of model.vocab on; where that would give other ids they stand in
 * model.vocab too. */
static bool added_follow(const TokenizerDraft *d)
{
    uint32_t n = 0;

    while (n < d->n_ids && d->token[n].kind == DRAFT_TOKEN) n++;
    while (n < d->n_ids && d->token[n].kind >= DRAFT_ADDED) n++;
    while (n < d->n_ids && d->token[n].kind == DRAFT_NONE) n++;
    return n == d->n_ids;
}

static void put_added(const TokenizerDraft *d, Buf *json)
{
    bool first = true;

    buf_puts(json, "\"added_tokens\":[");
    for (uint32_t id = 0; id < d->n_ids; id++) {
        if (d->token[id].kind < DRAFT_ADDED) continue;
        buf_printf(json, "%s{\"id\":%u,\"content\":", first ? "" : ",", id);
        json_put_string(json, d->token[id].spelling);
        buf_puts(json, ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":");
        buf_puts(json, d->token[id].kind == DRAFT_SPECIAL ? "true}" : "false}");
        first = false;
    }
    buf_puts(json, "],");
}

static void put_special(const TokenizerDraft *d, uint32_t id, Buf *json)
{
    buf_puts(json, "{\"SpecialToken\":{\"id\":");
    json_put_string(json, d->token[id].spelling);
    buf_puts(json, ",\"type_id\":0}}");
}

/* "single" or "pair": bos, text, eos, once or twice. */
static void put_template(const TokenizerDraft *d, const char *key, const char *texts, Buf *json)
{
    buf_printf(json, "\"%s\":[", key);
    for (unsigned i = 0; texts[i]; i++) {
        if (i) buf_putc(json, ',');
        if (d->adds_bos) put_special(d, d->bos, json), buf_putc(json, ',');
        buf_printf(json, "{\"Sequence\":{\"id\":\"%c\",\"type_id\":%u}}", texts[i], i);
        if (d->adds_eos) buf_putc(json, ','), put_special(d, d->eos, json);
    }
    buf_puts(json, "],");
}

static void put_post_processor(const TokenizerDraft *d, Buf *json)
{
    const uint32_t ids[2] = {d->adds_bos ? d->bos : NO_ID,
                             d->adds_eos && !(d->adds_bos && d->eos == d->bos) ? d->eos : NO_ID};
    bool first = true;

    buf_puts(json, ",\"post_processor\":");
    if (!d->adds_bos && !d->adds_eos) {
        buf_puts(json, FORMAT_BYTELEVEL);
        return;
    }
    buf_printf(json, "{\"type\":\"Sequence\",\"processors\":[%s,{\"type\":\"TemplateProcessing\",", FORMAT_BYTELEVEL);
    put_template(d, "single", "A", json);
    put_template(d, "pair", "AB", json);
    buf_puts(json, "\"special_tokens\":{");
    for (int i = 0; i < 2; i++) {
        uint32_t id = ids[i];
        if (id == NO_ID) continue;
        if (!first) buf_putc(json, ',');
        first = false;
        json_put_string(json, d->token[id].spelling);
        buf_puts(json, ":{\"id\":");
        json_put_string(json, d->token[id].spelling);
        buf_printf(json, ",\"ids\":[%u],\"tokens\":[", id);
        json_put_string(json, d->token[id].spelling);
        buf_puts(json, "]}");
    }
    buf_puts(json, "}}]}");
}

void draft_put_chain(const Pretokenizer *p, Buf *json)
{
    buf_puts(json, "\"normalizer\":null,\"pre_tokenizer\":");
    buf_put_span(json, pretokenizer_spec(p));
}

void draft_put_model_head(bool ignore_merges, Buf *json)
{
    buf_printf(json, ",\"decoder\":%s,\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,",
               "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true}");
    buf_puts(json, "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":false,");
    buf_printf(json, "\"byte_fallback\":false,\"ignore_merges\":%s,\"vocab\":", ignore_merges ? "true" : "false");
}

static void put_model(const TokenizerDraft *d, Buf *json)
{
    DraftKind last = added_follow(d) ? DRAFT_TOKEN : DRAFT_SPECIAL;
    bool first = true;

    draft_put_model_head(d->ignore_merges, json);
    buf_putc(json, '{');
    for (uint32_t id = 0; id < d->n_ids; id++) {
        if (d->token[id].kind == DRAFT_NONE || d->token[id].kind > last) continue;
        if (!first) buf_putc(json, ',');
        first = false;
        json_put_string(json, d->token[id].spelling);
        buf_printf(json, ":%u", id);
    }
    buf_puts(json, "},\"merges\":[");
    for (uint32_t r = 0; r < d->n_merges; r++) {
        if (d->merge_line) {
            if (r) buf_putc(json, ',');
            json_put_string(json, d->merge_line[r]);
            continue;
        }
        buf_puts(json, r ? ",[" : "[");
        json_put_string(json, d->token[d->merge[r].left].spelling);
        buf_putc(json, ',');
        json_put_string(json, d->token[d->merge[r].right].spelling);
        buf_putc(json, ']');
    }
    buf_puts(json, "]}}");
}

ErrCode draft_put_json(const TokenizerDraft *d, Buf *json, Err *err)
{
    buf_puts(json, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,");
    put_added(d, json);
    draft_put_chain(d->pretokenizer, json);
    put_post_processor(d, json);
    put_model(d, json);
    return buf_ok(json, "tokenizer.json", err);
}

/* --- of a loaded tokenizer */

void tokenizer_list_merges(const Tokenizer *t, uint32_t *out)
{
    for (size_t i = 0; i >> t->merge_bits == 0; i++) {
        const MergeSlot *m = &t->merges[i];
        if (m->merge_rank == NO_ID) continue;
        uint32_t *to = out + (size_t)m->merge_rank * 3;
        to[0] = m->left, to[1] = m->right, to[2] = m->id;
    }
}

/* --- base64 */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(Buf *out, Span bytes)
{
    for (size_t i = 0; i < bytes.n; i += 3) {
        uint32_t v = (uint32_t)bytes.p[i] << 16;
        size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
        if (n > 1) v |= (uint32_t)bytes.p[i + 1] << 8;
        if (n > 2) v |= bytes.p[i + 2];
        for (unsigned k = 0; k < 4; k++) buf_putc(out, k <= n ? (uint8_t)digits[v >> (18 - 6 * k) & 63] : '=');
    }
}

static int digit_of(uint8_t c)
{
    if (ascii_is_upper(c)) return c - 'A';
    if (ascii_is_lower(c)) return c - 'a' + 26;
    if (ascii_is_digit(c)) return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_read(Buf *out, Span text)
{
    if (text.n == 0 || text.n % 4 != 0) return false;
    for (size_t i = 0; i < text.n; i += 4) {
        uint32_t v = 0;
        unsigned n_pad = 0;
        for (unsigned k = 0; k < 4; k++) {
            uint8_t c = text.p[i + k];
            int d = c == '=' && i + 4 == text.n && k >= 2 ? 0 : digit_of(c);
            if (d < 0 || (n_pad && c != '=')) return false;
            n_pad += c == '=';
            v = v << 6 | (uint32_t)d;
        }
        for (unsigned k = 0; k + n_pad < 3; k++) buf_putc(out, (uint8_t)(v >> (16 - 8 * k)));
    }
    return true;
}
