/* ingest/ingest.h - web archive records and foreign document lines -> documents of a dataset.
 *
 * Inputs may be remote (s3://, http(s)://): they come as whole objects to a local disk first (staged.h).
 * Inputs are WARC 0.17-1.1 and ARC 1 archives (plain, gzip a member a record or one member for the file, zstd with or
 * without a dictionary, LZ4), WET archives (their `conversion` records are text already), and JSON Lines of documents made elsewhere (packed likewise).
 * One thread reads and decompresses records in order into blocks of about 4 MiB; any number of threads then turn each
 * record into a document: HTTP head, transfer and content codings, charset to UTF-8, HTML, main text, language.
 *
 * Every record counts as one document in and leaves as a document or with one reason of the table below; so does
 * every run of bytes that is no record (a corrupt gzip member, junk between records). Nothing in an input can stop
 * the run: a bad record costs itself, and reading goes on at the next. Inputs that break, are cut or hold nothing we
 * read are named on stderr (outcome.h); a whole run in which not one record could be read is ERR_DATA and no dataset.
 *
 * id = DUMP/NAME#OFFSET[+INNER]: OFFSET is the stored byte where the gzip member, zstd or LZ4 frame (else the record)
 * starts, INNER the offset inside what it decompresses to, when not 0. A foreign document gets SOURCE/DUMP/NAME#RECORD, without DUMP where there is none,
 * RECORD counting the lines of its file from 0; its own id moves to meta.id.
 * Fields set: id text url date dump source lang lang_score edits meta {title, published, canonical, html_lang, opt_out, truncated,
 * lid, type, by, confidence, modes, id}. Statistics groups: record, truncated, status, mime, blocked, type, lang, lang_other, charset,
 * mojibake, site_rules, coding, block_digest, payload_digest. */
#ifndef TAMIS_INGEST_INGEST_H
#define TAMIS_INGEST_INGEST_H

#include "core/blocklist.h"
#include "core/fasttext.h"
#include "core/stage.h"
#include "core/web.h"

/* Why a record yields no document. The order is the index given to sink_drop(); names are in ingest_reasons[]. */
typedef enum {
    INGEST_WARCINFO, /* records that hold no page, by their WARC-Type … */
    INGEST_REQUEST,
    INGEST_METADATA,
    INGEST_REVISIT,
    INGEST_OTHER_TYPE,     /* continuation, unknown types, responses of other protocols (DNS) */
    INGEST_HTTP_MALFORMED, /* no status line or no end of the head */
    INGEST_HTTP_STATUS,    /* neither 200 nor 203 */
    INGEST_NO_PAYLOAD,     /* an empty body */
    INGEST_NOT_HTML,       /* by Content-Type, or by the first bytes whatever it says */
    INGEST_DECODE_FAILED,  /* a content coding that is broken from its first byte, or one we lack */
    INGEST_CHARSET,        /* too much of the page is undecodable */
    INGEST_TOO_LARGE,      /* beyond the size limit of a record, page or line */
    INGEST_TOO_DEEP,   /* with --parser libxml2: elements nested beyond the limit, or end tags that cost as much */
    INGEST_EMPTY_TEXT, /* no main text */
    INGEST_LANGUAGE,   /* not among --keep-lang */
    INGEST_TRUNCATED,  /* the input ended inside the record */
    INGEST_WARC_MALFORMED, /* no record header, or a Content-Length that does not fit */
    INGEST_GZIP_CORRUPT,   /* a gzip member, zstd or LZ4 frame that does not decompress */
    INGEST_BOMB,           /* decompresses to far more than pages do */
    INGEST_UNKNOWN_FORMAT, /* the whole input is nothing we read */
    INGEST_BAD_JSON,       /* a line that is not one JSON object in UTF-8, or names a key twice */
    INGEST_NO_TEXT,        /* a document line without a string "text" */
    INGEST_BLOCKED,        /* its URL is on a --block list */
    INGEST_SHORT_TEXT,     /* --rules cheap (hopeless.h): too few letters to say anything, */
    INGEST_FEW_LETTERS,    /* or mostly digits and marks */
    INGEST_OPT_OUT,        /* --respect-opt-out: the page asks not to be trained on, */
    INGEST_NOINDEX,        /* or not to be indexed (optout.h) */
    INGEST_N_REASONS
} IngestReason;
extern const char *const ingest_reasons[INGEST_N_REASONS];

/* Part of every key: raised whenever the same input gives other documents. */
enum { INGEST_VERSION = 5 };

/* --rules: what is dropped whatever the rules of `tamis filter` will say. */
typedef enum { INGEST_RULES_NONE, INGEST_RULES_CHEAP } IngestRules;
extern const char *const ingest_rules[];

typedef struct SiteRules SiteRules; /* siterules.h */

typedef struct {
    const char *dump;          /* NULL: the CC-MAIN-YYYY-WW of the path, else "local" */
    const char *source;        /* NULL: "web" for archives; a line's own source, else "local", for lines */
    const char *keep_lang;     /* comma-separated: en zh zh-Hans zh-Hant code other; NULL: all */
    uint32_t rules;            /* IngestRules */
    uint32_t parser;           /* HtmlParserKind (html.h) */
    uint32_t mode;             /* MainMode (maintext.h) */
    const Blocklist *block;    /* URLs that are not wanted; NULL: none. Borrowed */
    const SiteRules *sites;    /* the user's, for main text; NULL: none. Borrowed */
    const FastText *lid;       /* model of languages; NULL: CLD2. Borrowed */
    uint32_t inputs_per_part;  /* 0: as many as part_bytes hold */
    uint64_t part_bytes;       /* stored bytes a part; a larger archive is cut */
    bool html;                 /* operands are pages */
    bool cdxj;                 /* … are indexes (cdxj.h) */
    const char *base_url;      /* what names in lists and indexes are relative to; NULL: the directory we are in */
    bool verify_digests;       /* of all records; mismatches are counted and named, nothing is dropped for them */
    bool respect_opt_out;      /* drops pages that ask not to be trained on or indexed */
    const StageBeside *beside; /* written beside the documents; NULL: nothing. Borrowed */

    /* How remote inputs come; decides nothing of the output. */
    const char *stage_dir; /* NULL: $TMPDIR, else /tmp */
    uint32_t stage_depth;  /* inputs fetched ahead of the one that is read */
    uint64_t stage_bytes;  /* … and bytes; 0: no bound */
    uint32_t connections;  /* over all ranks, at least one each */
} IngestParams;
#define INGEST_PARAMS_DEFAULT                                                                            \
    {                                                                                                    \
        .mode = 1, .part_bytes = (uint64_t)1 << 30, .stage_depth = 2, .stage_bytes = (uint64_t)32 << 30, \
        .connections = WEB_CONNECTIONS                                                                   \
    }

/* ERR_USAGE for values that no run can have. */
MUST_USE ErrCode ingest_check(const IngestParams *params, Err *err);

/* Runs the stage over `n` operands (inputs.h). Collective: every rank calls it with equal arguments.
 * `totals` may be NULL. ERR_USAGE for no input or two of one name, ERR_SYS for one that cannot be read, ERR_DATA when
 * not one record came in that we read (no dataset is there then; the next run reads again). */
MUST_USE ErrCode ingest_run(const IngestParams *params, const char *const *operands, size_t n, const char *out_dir,
                            const CommonOptions *common, const Par *par, StageTotals *totals, Err *err);

/* What --signatures writes beside the documents is another room's: made by `make`, given back to `free`. */
typedef struct {
    ErrCode (*make)(StageBeside **out, Err *err);
    void (*free)(StageBeside *beside);
} IngestBeside;
/* `tamis ingest`; returns the exit status. */
int ingest_verb(int argc, char **argv, const IngestBeside *signatures);

#endif
