/* What stands around the model in tokenizer.json: normalizer, pre_tokenizer, post_processor, decoder. */
#include "core/json.h"
#include "tokenize/tokenizer.h"

ErrCode tokenizer_refuse(const char *name, Err *err, const char *what)
{
    return err_set(err, ERR_DATA, "%s: not a tokenizer this program can follow: %s", name, what);
}

static bool is_null(const Json *j) { return !j || j->type == JSON_NULL; }

static bool is_type(const Json *j, const char *type)
{
    const Json *t = json_get(j, "type");

    return t && t->type == JSON_STRING && span_is(t->string, type);
}

static const char *type_of(const Json *j)
{
    const Json *t = json_get(j, "type");

    return t && t->type == JSON_STRING && t->string.n <= 64 ? (const char *)t->string.p : "of no type";
}

static ErrCode refuse_step(const char *name, Err *err, const char *key, const Json *step)
{
    return err_set(err, ERR_DATA, "%s: not a tokenizer this program can follow: %s %s", name, key, type_of(step));
}

/* Calls step(t, j, name, err) for what is no Sequence, in order. */
typedef ErrCode Step(Tokenizer *t, const Json *j, const char *name, Err *err);
static ErrCode each_step(Tokenizer *t, const Json *j, const char *steps, Step *step, const char *name, Err *err)
{
    ErrCode rc = ERR_OK;

    if (is_null(j)) return ERR_OK;
    const Json *list = json_get(j, steps);
    if (!is_type(j, "Sequence") || !list || list->type != JSON_ARRAY) return step(t, j, name, err);
    for (const Json *s = list->child; s && rc == ERR_OK; s = s->next)
        rc = each_step(t, s, steps, step, name, err); /* as deep as the JSON may be */
    return rc;
}

/* --- normalizer */

static ErrCode read_normalizer(Tokenizer *t, const Json *j, const char *name, Err *err)
{
    if (!is_type(j, "NFC")) return refuse_step(name, err, "normalizer", j);
    t->nfc = true;
    return ERR_OK;
}

/* --- post_processor: what is put around a text when the reference is asked for special tokens */

static bool add_id(const Json *j, Buf *ids)
{
    uint64_t v;

    if (!j || j->type != JSON_NUMBER || !span_to_u64(j->string, &v) || v >= TOKENIZER_MAX_IDS) return false;
    buf_put(ids, &(uint32_t){(uint32_t)v}, sizeof(uint32_t));
    return true;
}

/* The ids of a template's token, at least one. */
static bool put_special(const Json *post, const Json *special, Buf *to)
{
    const Json *tokens = json_get(post, "special_tokens"), *key = json_get(special, "id");

    if (!key || key->type != JSON_STRING || !tokens) return false;
    const Json *ids = json_get(json_get(tokens, (const char *)key->string.p), "ids");
    if (!ids || ids->type != JSON_ARRAY || ids->n == 0) return false;
    for (const Json *j = ids->child; j; j = j->next)
        if (!add_id(j, to)) return false;
    return true;
}

/* "single": special tokens, the text ("Sequence" A), special tokens. */
static ErrCode read_template(Tokenizer *t, const Json *post, const char *name, Err *err)
{
    const Json *single = json_get(post, "single");
    bool text_seen = false;

    if (!single || single->type != JSON_ARRAY)
        return tokenizer_refuse(name, err, "post_processor.single is no array");
    for (const Json *j = single->child; j; j = j->next) {
        if (json_get(j, "Sequence")) {
            text_seen = true;
            continue;
        }
        if (!put_special(post, json_get(j, "SpecialToken"), text_seen ? &t->behind : &t->before))
            return tokenizer_refuse(name, err, "post_processor.single has a token that special_tokens has not");
        *(text_seen ? &t->adds_eos : &t->adds_bos) = true;
    }
    return ERR_OK;
}

/* ["<s>", 0] */
static bool put_pair(const Json *pair, Buf *to)
{
    return pair && pair->type == JSON_ARRAY && pair->n == 2 && add_id(pair->child->next, to);
}

static ErrCode read_post(Tokenizer *t, const Json *j, const char *name, Err *err)
{
    if (is_type(j, "ByteLevel")) return ERR_OK; /* offsets, which are ours */
    if (is_type(j, "TemplateProcessing")) return read_template(t, j, name, err);
    if (!is_type(j, "RobertaProcessing") && !is_type(j, "BertProcessing"))
        return refuse_step(name, err, "post_processor", j);
    if (!put_pair(json_get(j, "cls"), &t->before))
        return tokenizer_refuse(name, err, "post_processor.cls is not a token and its id");
    if (!put_pair(json_get(j, "sep"), &t->behind))
        return tokenizer_refuse(name, err, "post_processor.sep is not a token and its id");
    t->adds_bos = t->adds_eos = true;
    return ERR_OK;
}

static ErrCode read_decoder(Tokenizer *t, const Json *j, const char *name, Err *err)
{
    (void)t;
    return is_type(j, "ByteLevel") ? ERR_OK : refuse_step(name, err, "decoder", j);
}

ErrCode tokenizer_read_frame(Tokenizer *t, const Json *root, const char *name, Err *err)
{
    const Json *post = json_get(root, "post_processor");
    ErrCode rc;

    if (!is_null(json_get(root, "truncation"))) return tokenizer_refuse(name, err, "truncation is not null");
    if (!is_null(json_get(root, "padding"))) return tokenizer_refuse(name, err, "padding is not null");
    rc = each_step(t, json_get(root, "normalizer"), "normalizers", read_normalizer, name, err);
    if (rc == ERR_OK) rc = each_step(t, post, "processors", read_post, name, err);
    if (rc == ERR_OK && (t->before.oom || t->behind.oom)) rc = err_nomem(err, "a tokenizer");
    if (rc == ERR_OK && t->adds_bos) memcpy(&t->bos, t->before.p, sizeof t->bos);
    if (rc == ERR_OK) rc = each_step(t, json_get(root, "decoder"), "decoders", read_decoder, name, err);
    if (rc == ERR_OK) rc = pretokenizer_read(&t->pretokenizer, json_get(root, "pre_tokenizer"), name, err);
    return rc;
}
