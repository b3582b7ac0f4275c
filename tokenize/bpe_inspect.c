/* `tamis bpe inspect`: a tokenizer, one of its tokens, or a text as it sees it. */
#include "core/options.h"
#include "core/store.h"
#include "tokenize/bpe_words.h"
#include "tokenize/formats.h"
#include "tokenize/token_text.h"
#include "tokenize/token_view.h"
#include "tokenize/tokenizer.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char after[] = "A number is a token's id; anything else is a text: the token that it is, or those that "
                            "it becomes. In a TEXT, as in\n"
                            "what is printed, \\n \\r \\t \\\\ \\\" and \\xHH are escapes, so \\x31 is the text 1. "
                            "Without ID, TEXT and --text the\n"
                            "tokenizer is described. Of a text that is shown all added tokens are recognised.";

static const char *const color_names[] = {"auto", "always", "never", NULL};

enum {
    QUOTED_CHARS = 60,
    TREE_LINES = 4096, /* a tree that shares its parts may have 2^40 */
    TREE_DEPTH = 40,   /* levels drawn: a trained token of 128 bytes has less */
    VIEW_MAX_BYTES = 64 << 20,
    VIEW_COLUMNS = 100
};

typedef struct {
    const char *text;
    uint32_t color, list;
    bool ids;
    CommonOptions common;
} Options;

/* What is looked at. */
typedef struct {
    const Options *o;
    const Tokenizer *t;
    uint32_t *merges;  /* by merge rank: left, right, what they make */
    uint32_t *made_by; /* by id: merge rank of the first merge that makes it, or NO_ID */
    Encoder *encoder;
    unsigned n_drawn; /* lines of the tree in work */
    bool cut;         /* it has more */
    Buf out, ids;
} Inspector;

static void put_quoted(Inspector *in, uint32_t id) { token_quote(&in->out, in->t->bytes[id], QUOTED_CHARS); }

/* --- a token */

/* Draws what a token is made of, down to tokens that no merge makes; `lead` is what stands before the lines below. */
static void put_tree(Inspector *in, uint32_t id, Buf *lead, int depth)
{
    const uint32_t *m = in->made_by[id] == NO_ID ? NULL : in->merges + 3 * (size_t)in->made_by[id];
    const size_t n = lead->n;

    in->n_drawn++;
    put_quoted(in, id);
    buf_printf(&in->out, " %" PRIu32, id);
    if (m) buf_printf(&in->out, ", merge %" PRIu32, in->made_by[id]);
    buf_puts(&in->out, m && depth == TREE_DEPTH ? ", of more\n" : "\n");
    for (int side = 0; m && side < 2 && depth < TREE_DEPTH; side++) {
        if (in->n_drawn == TREE_LINES) {
            in->cut = true;
            return;
        }
        buf_put_span(&in->out, buf_span(lead));
        buf_puts(&in->out, side ? "\u2514\u2500 " : "\u251c\u2500 ");
        buf_puts(lead, side ? "   " : "\u2502  ");
        put_tree(in, m[side], lead, depth + 1);
        lead->n = n;
    }
}

static void put_kind(Inspector *in, uint32_t id)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{TOKEN_SPECIAL, "special"},
                 {TOKEN_SINGLE_WORD, "single_word"},
                 {TOKEN_LSTRIP, "lstrip"},
                 {TOKEN_RSTRIP, "rstrip"}};
    const unsigned flags = in->t->flags[id];
    const char *before = "";

    buf_puts(&in->out, "  kind     ");
    if (in->made_by[id] != NO_ID)
        buf_printf(&in->out, "merge %" PRIu32, in->made_by[id]), before = "; ";
    else if ((flags & TOKEN_BYTELEVEL) && in->t->bytes[id].n == 1)
        buf_puts(&in->out, "byte"), before = "; ";
    else if (flags & TOKEN_BYTELEVEL)
        buf_puts(&in->out, "of no merge"), before = "; ";
    if (flags & TOKEN_ADDED) buf_printf(&in->out, "%sadded", before);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (flags & names[i].flag) buf_printf(&in->out, ", %s", names[i].name);
    buf_putc(&in->out, '\n');
}

static void put_users(Inspector *in, uint32_t id)
{
    uint32_t n = 0, n_merges = in->t->n_merges;

    for (uint32_t r = 0; r < n_merges; r++)
        n += in->merges[3 * (size_t)r] == id || in->merges[3 * (size_t)r + 1] == id;
    buf_printf(&in->out, "  used by  %" PRIu32 " merge%s\n", n, n == 1 ? "" : "s");
    n = 0;
    for (uint32_t r = 0; r < n_merges && n < in->o->list; r++) {
        const uint32_t *m = in->merges + 3 * (size_t)r;
        if (m[0] != id && m[1] != id) continue;
        buf_printf(&in->out, "           merge %" PRIu32 ": ", r);
        put_quoted(in, m[0]);
        buf_puts(&in->out, " + ");
        put_quoted(in, m[1]);
        buf_printf(&in->out, " gives %" PRIu32 "\n", m[2]);
        n++;
    }
}

/* A text of just these bytes need not become the token: it may be cut, or merge another way. */
static ErrCode put_alone(Inspector *in, uint32_t id, Err *err)
{
    const uint32_t *made;
    ErrCode rc = encode_as(in->encoder, in->t->bytes[id], ENCODE_ALL, &in->ids, err);

    if (rc != ERR_OK) return rc;
    made = (const uint32_t *)(const void *)in->ids.p;
    size_t n = in->ids.n / sizeof *made;
    if (n == 1 && made[0] == id) return ERR_OK;
    buf_puts(&in->out, "  alone    its bytes become");
    for (size_t i = 0; i < n && i < in->o->list; i++) buf_printf(&in->out, " %" PRIu32, made[i]);
    buf_puts(&in->out, n > in->o->list ? " \u2026\n" : "\n");
    return ERR_OK;
}

static ErrCode put_token(Inspector *in, uint32_t id, Err *err)
{
    const Tokenizer *t = in->t;
    Buf lead = {0};

    if (id >= t->n_ids || !(t->flags[id] & TOKEN_USED))
        return err_set(err, ERR_NO, "the vocabulary has no id %" PRIu32, id);
    buf_printf(&in->out, "%" PRIu32 "  ", id);
    put_quoted(in, id);
    buf_puts(&in->out, "\n  bytes   ");
    for (size_t i = 0; i < t->bytes[id].n && i < QUOTED_CHARS; i++) buf_printf(&in->out, " %02x", t->bytes[id].p[i]);
    buf_printf(&in->out, "%s (%zu)\n", t->bytes[id].n > QUOTED_CHARS ? " \u2026" : "", t->bytes[id].n);
    put_kind(in, id);
    ErrCode rc = put_alone(in, id, err);
    if (in->made_by[id] != NO_ID) {
        buf_puts(&in->out, "  tree     ");
        buf_puts(&lead, "           ");
        in->n_drawn = 0;
        in->cut = false;
        put_tree(in, id, &lead, 0);
        if (in->cut) buf_puts(&in->out, "           \u2026 and more\n");
    }
    put_users(in, id);
    if (rc == ERR_OK) rc = buf_ok(&lead, "a tree", err);
    buf_clear(&lead);
    return rc;
}

/* The tokens that have just these bytes; else those that they become. */
static ErrCode put_text(Inspector *in, Span text, Err *err)
{
    bool found = false;
    ErrCode rc = ERR_OK;

    for (uint32_t id = 0; id < in->t->n_ids && rc == ERR_OK; id++) {
        if (!(in->t->flags[id] & TOKEN_USED) || !span_eq(in->t->bytes[id], text)) continue;
        found = true;
        rc = put_token(in, id, err);
    }
    if (found || rc != ERR_OK) return rc;
    if ((rc = encode_as(in->encoder, text, ENCODE_ALL, &in->ids, err)) != ERR_OK) return rc;
    const uint32_t *id = (const uint32_t *)(const void *)in->ids.p;
    size_t n = in->ids.n / sizeof *id;
    token_quote(&in->out, text, QUOTED_CHARS);
    buf_printf(&in->out, " is no token; it becomes %zu\n", n);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&in->out, "  %8" PRIu32 " ", id[i]);
        put_quoted(in, id[i]);
        buf_putc(&in->out, '\n');
    }
    return ERR_OK;
}

static ErrCode put_operand(Inspector *in, const char *operand, Err *err)
{
    Buf bytes = {0};
    uint64_t id;
    ErrCode rc;

    if (span_to_u64(span_str(operand), &id))
        return id < TOKENIZER_MAX_IDS ? put_token(in, (uint32_t)id, err)
                                      : err_set(err, ERR_NO, "the vocabulary has no id %s", operand);
    if (!token_unescape(&bytes, span_str(operand)) || bytes.n == 0)
        rc = err_set(err, ERR_USAGE, "bpe inspect: \"%s\" is neither an id nor a text with right escapes", operand);
    else if ((rc = buf_ok(&bytes, "a text", err)) == ERR_OK)
        rc = put_text(in, buf_span(&bytes), err);
    buf_clear(&bytes);
    return rc;
}

/* --- the tokenizer */

static void put_id_of(Inspector *in, const char *what, uint32_t id)
{
    buf_printf(&in->out, "%-18s", what);
    if (id == NO_ID) {
        buf_puts(&in->out, "none\n");
        return;
    }
    buf_printf(&in->out, "%" PRIu32 " ", id);
    put_quoted(in, id);
    buf_putc(&in->out, '\n');
}

static void put_summary(Inspector *in)
{
    const Tokenizer *t = in->t;
    uint32_t n_used = 0, n_bytes = 0, n_added = 0, n_special = 0, longest = NO_ID;
    char hex[HASH128_HEX];
    uint64_t sum = 0;

    for (uint32_t id = 0; id < t->n_ids; id++) {
        const unsigned flags = t->flags[id];
        n_used += (flags & TOKEN_USED) != 0;
        n_added += (flags & TOKEN_ADDED) != 0;
        n_special += (flags & TOKEN_SPECIAL) != 0;
        if (!(flags & TOKEN_BYTELEVEL)) continue;
        sum += t->bytes[id].n;
        if (longest == NO_ID || t->bytes[id].n > t->bytes[longest].n) longest = id;
    }
    for (int byte = 0; byte < 256; byte++) n_bytes += t->byte_id[byte] != NO_ID;
    hash128_hex(hex, t->id);
    buf_printf(&in->out, "%-18s%s\n", "tokenizer_id", hex);
    buf_printf(&in->out, "%-18s%" PRIu32 ", of them unused %" PRIu32 "\n", "ids", t->n_ids, t->n_ids - n_used);
    buf_printf(&in->out, "%-18s%" PRIu32 "\n", "byte tokens", n_bytes);
    buf_printf(&in->out, "%-18s%" PRIu32 "%s\n", "merges", t->n_merges, t->ignore_merges ? ", ignore_merges" : "");
    buf_printf(&in->out, "%-18s%" PRIu32 ", of them special %" PRIu32 "\n", "added tokens", n_added, n_special);
    put_id_of(in, "end of document", t->eos);
    put_id_of(in, "begin of document", t->bos);
    put_id_of(in, "longest token", longest);
    if (longest != NO_ID)
        buf_printf(&in->out, "%-18s%zu, all together %" PRIu64 "\n", "its bytes", t->bytes[longest].n, sum);
    buf_printf(&in->out, "%-18s", "pre-tokenizer");
    buf_put_span(&in->out, pretokenizer_spec(t->pretokenizer));
    buf_putc(&in->out, '\n');
}

/* --- all of it */

static ErrCode inspector_init(Inspector *in, Err *err)
{
    const Tokenizer *t = in->t;

    in->merges = calloc((size_t)t->n_merges + 1, sizeof *in->merges * 3);
    in->made_by = malloc((size_t)t->n_ids * sizeof *in->made_by);
    if (!in->merges || !in->made_by) return err_nomem(err, "merges");
    tokenizer_list_merges(t, in->merges);
    memset(in->made_by, 0xff, (size_t)t->n_ids * sizeof *in->made_by); /* NO_ID */
    for (uint32_t r = t->n_merges; r-- > 0;) in->made_by[in->merges[3 * (size_t)r + 2]] = r;
    return encoder_new(&in->encoder, t, err);
}

static ErrCode inspect_tokens(const Options *o, const Tokenizer *t, char *const *operand, int n, Err *err)
{
    Inspector in = {.o = o, .t = t};
    ErrCode rc = inspector_init(&in, err);

    if (rc == ERR_OK && n == 0) put_summary(&in);
    for (int i = 0; i < n && rc == ERR_OK; i++) rc = put_operand(&in, operand[i], err);
    if (rc == ERR_OK || rc == ERR_NO) {
        ErrCode put = buf_ok(&in.out, "what is shown", err);
        if (put == ERR_OK && in.out.n) fwrite(in.out.p, 1, in.out.n, stdout);
        if (put != ERR_OK) rc = put;
    }
    free(in.merges);
    free(in.made_by);
    encoder_free(in.encoder);
    buf_clear(&in.out);
    buf_clear(&in.ids);
    return rc;
}

static ErrCode read_stdin(Buf *text, Err *err)
{
    size_t n = 1;

    while (n > 0 && text->n <= VIEW_MAX_BYTES) {
        if (!buf_reserve(text, 1 << 16)) return err_nomem(err, "a text");
        n = fread(text->p + text->n, 1, 1 << 16, stdin);
        text->n += n;
    }
    if (ferror(stdin)) return err_sys(err, "cannot read standard input");
    return n ? err_set(err, ERR_LIMIT, "standard input: more than %d bytes", VIEW_MAX_BYTES) : ERR_OK;
}

static ErrCode inspect_text(const Options *o, const Tokenizer *t, Err *err)
{
    const char *no_color = getenv("NO_COLOR");
    const TokenView view = {.ids = o->ids,
                            .columns = VIEW_COLUMNS,
                            .color = o->color == 1 ||
                                     (o->color == 0 && isatty(STDOUT_FILENO) && !(no_color && *no_color))};
    Buf text = {0};
    ErrCode rc = strcmp(o->text, "-") == 0 ? read_stdin(&text, err) : store_read(o->text, VIEW_MAX_BYTES, &text, err);

    if (rc == ERR_OK) rc = token_view(&view, t, buf_span(&text), err);
    buf_clear(&text);
    return rc;
}

static ErrCode inspect(const Options *o, char *const *operand, int n, Err *err)
{
    Tokenizer *t = NULL;
    ErrCode rc = tokenizer_load(&t, operand[0], err);

    if (rc == ERR_OK && o->text) rc = inspect_text(o, t, err);
    if (rc == ERR_OK && (n > 1 || !o->text)) rc = inspect_tokens(o, t, operand + 1, n - 1, err);
    tokenizer_free(t);
    return rc;
}

int bpe_inspect(int argc, char **argv)
{
    Options o = {.list = 10};
    const OptSpec specs[] = {
        OPT_STR(0, "text", &o.text, "FILE", "show this text token by token; -: standard input"),
        OPT_FLAG(0, "ids", &o.ids, "of a text show the ids too, below the tokens"),
        OPT_CHOICE(0, "color", &o.color, color_names, "WHEN", "tokens by colour: auto, always, never; else by bars"),
        OPT_U32(0, "list", &o.list, "N", "list so many of the merges that use a token"),
        OPT_COMMON_TALK(&o.common),
        OPT_END,
    };
    const OptVerb verb = {.name = "bpe inspect",
                          .usage = "[options] TOKENIZER [ID|TEXT...]",
                          .what = "Show a tokenizer, its tokens, or a text as it sees it.",
                          .specs = specs,
                          .after = after};
    Err err = {0};
    int first;
    ErrCode rc = verb_begin_alone(&verb, argc, argv, &o.common, 1, INT_MAX, "no TOKENIZER", &first, &err);

    if (rc == ERR_NO) return verb_exit(ERR_OK, &err);
    if (rc == ERR_OK) rc = inspect(&o, argv + first, argc - first, &err);
    return verb_exit(rc, &err);
}
