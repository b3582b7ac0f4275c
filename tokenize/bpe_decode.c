/* `tamis bpe decode`: the way back from `tamis tokenize --ids`. */
#include "core/json.h"
#include "core/options.h"
#include "tokenize/bpe_words.h"
#include "tokenize/tokenize.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char after[] =
    "A line of IDS is an array of ids, or an object with such a member \"ids\", as `tamis tokenize --ids` "
    "writes them.\n"
    "The text is what HuggingFace `tokenizers` decodes: special tokens left out, what is no UTF-8 "
    "replaced by U+FFFD.";

enum { LINE_MAX_BYTES = 256 << 20 };

typedef struct {
    const char *ids;
    bool lossless, keep_special, json;
    CommonOptions common;
} Options;

typedef struct {
    const Options *o;
    const Tokenizer *t;
    const char *path;
    uint64_t line;
    Buf scratch, ids, text;
    Span id; /* member "id" of the line, as it stands there */
} Decoder;

static ErrCode bad_line(const Decoder *d, Err *err, const char *why)
{
    return err_set(err, ERR_DATA, "%s: line %" PRIu64 ": %s", d->path, d->line, why);
}

static bool read_array(Decoder *d, JsonScan *s)
{
    double v;

    if (!json_expect(s, '[')) return false;
    if (json_peek(s) == ']') return json_expect(s, ']');
    do {
        if (!json_number(s, &v) || !(v >= 0 && v < UINT32_MAX)) return false;
        uint32_t id = (uint32_t)v;
        if ((double)id != v) return false;
        buf_put(&d->ids, &id, sizeof id);
        if (json_peek(s) == ']') return json_expect(s, ']');
    } while (json_expect(s, ','));
    return false;
}

/* Members other than id and ids are passed over. */
static bool read_object(Decoder *d, JsonScan *s)
{
    bool seen = false;
    Span key, raw;

    if (!json_expect(s, '{')) return false;
    do {
        if (json_peek(s) != '"' || !json_string(s, &d->scratch, &key) || !json_expect(s, ':')) return false;
        if (span_is(key, "ids") && !seen) {
            seen = true;
            if (!read_array(d, s)) return false;
        } else {
            json_peek(s);
            if (!json_skip(s, &raw)) return false;
            if (span_is(key, "id")) d->id = raw;
        }
        if (json_peek(s) == '}') return json_expect(s, '}') && seen;
    } while (json_expect(s, ','));
    return false;
}

static ErrCode read_line(Decoder *d, Span line, Err *err)
{
    JsonScan s = json_scan_text(line);

    buf_reset(&d->ids);
    buf_reset(&d->scratch);
    d->id = (Span){NULL, 0};
    if (!buf_reserve(&d->scratch, line.n)) return err_nomem(err, "a line");
    bool ok = json_peek(&s) == '[' ? read_array(d, &s) : read_object(d, &s);
    if (!ok || !json_at_end(&s))
        return bad_line(d, err, "not an array of token ids, nor an object with one called ids");
    return buf_ok(&d->ids, "token ids", err);
}

static ErrCode write_line(Decoder *d, Err *err)
{
    const uint32_t *ids = (const uint32_t *)(const void *)d->ids.p;
    size_t n = d->ids.n / sizeof *ids;
    Err why = {0};

    buf_reset(&d->text);
    ErrCode rc = d->o->lossless ? decode(d->t, ids, n, false, &d->text, &why)
                                : decode_as_reference(d->t, ids, n, !d->o->keep_special, &d->text, &why);
    if (rc != ERR_OK) return err_set(err, rc, "%s: line %" PRIu64 ": %s", d->path, d->line, why.msg);
    if (d->o->json) {
        buf_reset(&d->scratch);
        buf_putc(&d->scratch, '{');
        if (d->id.n) {
            buf_puts(&d->scratch, "\"id\":");
            buf_put_span(&d->scratch, d->id);
            buf_putc(&d->scratch, ',');
        }
        buf_puts(&d->scratch, "\"text\":");
        json_put_string(&d->scratch, buf_span(&d->text));
        buf_puts(&d->scratch, "}\n");
    }
    const Buf *out = d->o->json ? &d->scratch : &d->text;
    if ((rc = buf_ok(out, "decoded text", err)) != ERR_OK) return rc;
    return fwrite(out->p, 1, out->n, stdout) == out->n ? ERR_OK : err_sys(err, "cannot write to stdout");
}

/* The next line with its '\n'; empty at the end. */
static ErrCode next_line(Decoder *d, FILE *f, Buf *line, Err *err)
{
    int c = 0;

    buf_reset(line);
    d->line++;
    while (c != '\n' && (c = getc_unlocked(f)) != EOF) {
        if (line->n == LINE_MAX_BYTES)
            return err_set(err, ERR_LIMIT, "%s: line %" PRIu64 " has more than %d bytes", d->path, d->line,
                           LINE_MAX_BYTES);
        buf_putc(line, (char)c);
    }
    return buf_ok(line, "a line", err);
}

static ErrCode decode_lines(Decoder *d, FILE *f, Err *err)
{
    Buf line = {0};
    ErrCode rc;

    while ((rc = next_line(d, f, &line, err)) == ERR_OK && line.n) {
        Span s = span_trim(buf_span(&line));
        if (s.n == 0) continue;
        /* The id's span is into the line, which stands until the next one. */
        if ((rc = read_line(d, s, err)) != ERR_OK || (rc = write_line(d, err)) != ERR_OK) break;
    }
    if (rc == ERR_OK && ferror(f)) rc = err_sys(err, "cannot read %s", d->path);
    buf_clear(&line);
    return rc;
}

static ErrCode run(const Options *o, const char *tokenizer, Err *err)
{
    bool std = !o->ids || strcmp(o->ids, "-") == 0;
    Decoder d = {.o = o, .path = std ? "stdin" : o->ids};
    Tokenizer *t = NULL;
    ErrCode rc = tokenizer_load(&t, tokenizer, err);

    if (rc != ERR_OK) return rc;
    d.t = t;
    FILE *f = std ? stdin : fopen(o->ids, "rb");
    rc = f ? decode_lines(&d, f, err) : err_sys(err, "cannot open %s", o->ids);
    if (f && !std) fclose(f);
    tokenizer_free(t);
    buf_clear(&d.scratch);
    buf_clear(&d.ids);
    buf_clear(&d.text);
    return rc;
}

static ErrCode settle(void *options, Err *err)
{
    const Options *o = options;

    if (!o->lossless || !o->json) return ERR_OK;
    return err_set(err, ERR_USAGE, "bpe decode: --json holds UTF-8 only, --lossless any bytes: give one of them");
}

int bpe_decode(int argc, char **argv)
{
    Options o = {.ids = NULL};
    const OptSpec specs[] = {
        OPT_STR(0, "ids", &o.ids, "FILE", "ids to decode, a line each; else, or -, standard input"),
        OPT_FLAG(0, "lossless", &o.lossless, "the bytes that were encoded, special tokens too, nothing replaced"),
        OPT_FLAG(0, "keep-special", &o.keep_special, "write special tokens as their names"),
        OPT_FLAG(0, "json", &o.json, "a line {\"id\",\"text\"} for each line, instead of the bare text"),
        OPT_COMMON_TALK(&o.common),
        OPT_CHECK(settle, &o),
        OPT_END,
    };
    const OptVerb verb = {.name = "bpe decode",
                          .usage = "[options] TOKENIZER",
                          .what = "Turn token ids back into text.",
                          .specs = specs,
                          .after = after};
    Err err = {0};
    int first;
    ErrCode rc = verb_begin_alone(&verb, argc, argv, &o.common, 1, 1, "one TOKENIZER", &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK) rc = run(&o, argv[first], &err);
    return verb_exit(rc, &err);
}
