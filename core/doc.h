/* core/doc.h - the document and its line, version 1.
 *
 * A line is one JSON object, keys in this order: id text url date dump source domain lang lang_score signals
 * edits meta, then unknown keys as their raw bytes in input order; absent members are left out; no white space
 * outside strings; raw UTF-8, only `"`, `\` and C0 escaped; keys of `signals` sorted by bytes; numbers with at
 * most 6 decimals; '\n' at the end. `id` and `text` are required. A duplicate key drops the document.
 *   text       what the model reads
 *   url        as the crawler wrote it          date    capture time, RFC 3339 UTC
 *   dump       CC-MAIN-2023-06, "local", …      source  what kind of place: "web", a corpus' name
 *   domain     mixture domain (remix)           lang    en zh-Hans zh-Hant code other
 *   lang_score 0..1                             signals numbers that judge the document, by name
 *   edits      array: what rewrote the text     meta    object of anything (its "parent": id of the source)
 * The id is DUMP/NAME#OFFSET[+INNER], the document's address (docs/formats.md). */
#ifndef TAMIS_CORE_DOC_H
#define TAMIS_CORE_DOC_H

#include "core/buf.h"
#include "core/json.h"

enum {
    DOC_MAX_LINE = 256 << 20,      /* one frame holds it: the cap of core/part.h */
    DOC_MAX_SIGNALS = 1024,        /* of a line: its own and what views joined */
    DOC_MAX_FOREIGN_SIGNALS = 256, /* of a line from outside, so that all our stages find room beside them */
    DOC_MAX_EXTRA = 4096           /* unknown keys of one document: they are compared with each other */
};

typedef struct {
    Span name;
    double value;
} Signal;

/* All Spans are borrowed. A Span with p == NULL means: absent. */
typedef struct {
    Span id, text, url, date, dump, source, domain, lang;
    bool has_lang_score;
    double lang_score;
    Signal *signals; /* sorted by name, no name twice */
    uint32_t n_signals;
    Span edits; /* raw JSON array */
    Span meta;  /* raw JSON object */
    Span extra; /* raw `"key":value` members, comma-separated, as they stood in the input */
} Doc;

/* Scratch of one thread for reading lines: decoded strings and signals of the last document. Zero-initialise. */
typedef struct {
    Buf text;
    Signal *signals;
    size_t cap_signals;
    Buf extra;
    Span *keys; /* decoded unknown keys */
    size_t n_keys, cap_keys;
} DocScratch;
void docscratch_clear(DocScratch *s);

/* Reads one line (with or without its '\n'). True: *out is valid until the next call with this scratch, or until
 * `line` dies. False: *why is a static reason name: bad_json duplicate_key bad_utf8 missing_field bad_field
 * too_many_signals too_many_keys no_memory. Members of the wrong type, a lang_score outside 0..1 and a signal of 1e15 or
 * more are bad_field. Raw members lose the white space outside their strings. */
bool doc_read(DocScratch *s, Span line, Doc *out, const char **why);

/* Appends the canonical line with its '\n'. Numbers must be below 1e15 in size. */
void doc_write(Buf *out, const Doc *d);

/* --- DocId: dataset 14 bits, part 22, record 28, from the top. Ends every sort key. */
typedef uint64_t DocId;
enum { DOCID_MAX_DATASETS = 1 << 14, DOCID_MAX_PARTS = 1 << 22, DOCID_MAX_RECORDS = 1 << 28 };
static inline DocId docid(uint32_t dataset, uint32_t part, uint32_t record)
{
    return (uint64_t)dataset << 50 | (uint64_t)part << 28 | record;
}
static inline uint32_t docid_dataset(DocId id) { return (uint32_t)(id >> 50); }
static inline uint32_t docid_part(DocId id) { return (uint32_t)(id >> 28) & (DOCID_MAX_PARTS - 1); }
static inline uint32_t docid_record(DocId id) { return (uint32_t)id & (DOCID_MAX_RECORDS - 1); }

#endif
