#include "ingest/inputs.h"

#include "core/bytestream.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <stdlib.h>

static bool ends_with_any(Span s, const char *const *tails)
{
    for (; *tails; tails++) {
        const Span tail = span_str(*tails);
        if (s.n >= tail.n && span_eq_nocase(span_from(s, s.n - tail.n), tail)) return true;
    }
    return false;
}

/* What a name says is inside, without the ending of its packing: the one place that knows. */
typedef enum { NAMES_NOTHING, NAMES_LINES, NAMES_ARCHIVE, NAMES_HTML } NamedKind;
static const char *const packings[] = {".gz", ".zst", ".lz4", NULL};

static bool is_packed(const char *name) { return ends_with_any(span_str(name), packings); }

static NamedKind kind_of(const char *name)
{
    static const char *const lines[] = {".jsonl", ".ndjson", NULL},
                             *const pages[] = {".html", ".htm", ".xhtml", NULL},
                             *const archives[] = {".warc", ".wet", ".wat", ".arc", NULL};
    Span s = span_str(name);

    if (is_packed(name)) s.n -= name[s.n - 3] == '.' ? 3 : 4;
    return ends_with_any(s, lines)      ? NAMES_LINES
           : ends_with_any(s, archives) ? NAMES_ARCHIVE
           : ends_with_any(s, pages)    ? NAMES_HTML
                                        : NAMES_NOTHING;
}

bool input_is_stdin(const Input *i) { return strcmp(i->url, "-") == 0; }
bool input_is_staged(const Input *i) { return i->n_ranges == 0 && store_is_remote(i->url); }

bool inputs_have_stdin(const Inputs *in)
{
    for (size_t i = 0; i < in->n; i++)
        if (input_is_stdin(&in->input[i])) return true;
    return false;
}

Span inputs_crawl_name(const char *path)
{
    static const char lead[] = "CC-MAIN-";
    enum { LEAD = sizeof lead - 1, TAIL = 7 }; /* YYYY-WW */

    for (const char *p = strstr(path, lead); p; p = strstr(p + 1, lead)) {
        const uint8_t *d = (const uint8_t *)p + LEAD;
        bool fits = strlen(p) >= LEAD + TAIL && d[4] == '-' && !ascii_is_digit(d[7]);
        for (int i = 0; fits && i < TAIL; i++)
            if (i != 4 && !ascii_is_digit(d[i])) fits = false;
        if (fits) return span(p, LEAD + TAIL);
    }
    return (Span){NULL, 0};
}

/* Bytes of a path without a query, which may hold a signature. */
static size_t shown_bytes(const char *path)
{
    return strncmp(path, "http", 4) == 0 && store_is_remote(path) ? strcspn(path, "?#") : strlen(path);
}

/* `size`: INPUTS_SIZE_UNKNOWN unless a listing told it. */
static ErrCode add_input(Inputs *in, const char *path, const char *name, uint64_t size, const InputsAre *are,
                         Err *err)
{
    Input i = {.kind = are->html                      ? INPUT_HTML
                       : kind_of(name) == NAMES_LINES ? INPUT_LINES
                                                      : INPUT_ARCHIVE,
               .size = size};
    const char *dump = are->dump;
    Span crawl = inputs_crawl_name(path);
    ErrCode rc;

    if (strcmp(path, "-") == 0)
        i.size = 0;
    else if (!store_is_remote(path) && (rc = store_size(path, &i.size, err)) != ERR_OK)
        return rc;
    i.url = arena_str(&in->arena, span_str(path));
    i.path = arena_str(&in->arena, span(path, shown_bytes(path)));
    i.name = arena_str(&in->arena, span_str(name));
    i.dump = dump ? dump : crawl.p ? arena_str(&in->arena, crawl) : "local";
    i.has_dump = dump || crawl.p;
    Input *room = array_grow(in->input, in->n, &in->cap, sizeof i);
    if (room) in->input = room;
    if (!i.url || !i.path || !i.name || !i.dump || !room) return err_nomem(err, "the list of inputs");
    in->input[in->n++] = i;
    return ERR_OK;
}

/* The last part of a path, with the directory above where that is a subset of Common Crawl's whose files are called like those of its `warc`. */
static const char *name_of(const char *path)
{
    static const char *const subsets[] = {"crawldiagnostics/", "robotstxt/"};
    const char *base = path_base(path);

    for (size_t i = 0; i < sizeof subsets / sizeof *subsets; i++) {
        const size_t n = strlen(subsets[i]), before = (size_t)(base - path);
        if (before >= n && !memcmp(base - n, subsets[i], n) && (before == n || base[-(ptrdiff_t)n - 1] == '/'))
            return base - n;
    }
    return base;
}

/* The same, named by name_of() its path. */
static ErrCode add_file(Inputs *in, const char *path, const InputsAre *are, Err *err)
{
    char *shown = arena_str(&in->arena, span(path, shown_bytes(path)));

    return shown ? add_input(in, path, name_of(shown), INPUTS_SIZE_UNKNOWN, are, err)
                 : err_nomem(err, "the list of inputs");
}

static bool is_wanted(NamedKind k, const InputsAre *are)
{
    return are->html ? k == NAMES_HTML : k == NAMES_LINES || k == NAMES_ARCHIVE;
}

/* `path` is a directory; `inside` is its path inside the operand, "" at the top. */
static ErrCode add_directory(Inputs *in, const char *path, const char *inside, const InputsAre *are, int depth,
                             Err *err)
{
    StoreList list = {0};
    ErrCode rc;

    if (depth > INPUTS_MAX_DEPTH)
        return err_set(err, ERR_LIMIT, "%s: more than %d levels of directories", path, INPUTS_MAX_DEPTH);
    if ((rc = store_list(path, &list, err)) != ERR_OK) return rc;
    for (size_t i = 0; i < list.n && rc == ERR_OK; i++) {
        bool is_dir = list.size && list.size[i] == STORE_DIR;
        const char *below = path_join(&in->arena, path, list.name[i]);
        const char *name = *inside ? path_join(&in->arena, inside, list.name[i]) : list.name[i];
        if (!below || !name)
            rc = err_nomem(err, "the list of inputs");
        else if (!list.size && (rc = store_is_dir(below, &is_dir, err)) != ERR_OK)
            break;
        else if (is_dir)
            rc = add_directory(in, below, name, are, depth + 1, err);
        else if (is_wanted(kind_of(name), are))
            rc = add_input(in, below, name, list.size ? list.size[i] : INPUTS_SIZE_UNKNOWN, are, err);
        else
            in->n_skipped++, log_debug("%s: neither an archive nor lines by its name, not read", below);
    }
    storelist_clear(&list);
    return rc;
}

/* Reads a list or index, which may be packed. */
static ErrCode read_text(const char *path, Buf *out, Err *err)
{
    Buf stored = {0};
    ByteStream *s = NULL;
    ErrCode rc = store_read(path, INPUTS_MAX_LIST, &stored, err);

    if (rc == ERR_OK) rc = stream_open_bytes(&s, buf_span(&stored), 0, false, err);
    while (rc == ERR_OK && (rc = stream_need(s, STREAM_STEP, err)) == ERR_OK) {
        Span v = stream_view(s);
        buf_put_span(out, v);
        stream_skip(s, v.n);
        if (v.n == 0) break;
        if (out->n > INPUTS_MAX_LIST)
            rc = err_set(err, ERR_LIMIT, "%s: unpacks to more than %d bytes", path, INPUTS_MAX_LIST);
    }
    if (rc == ERR_OK && stream_break(s, NULL) != STREAM_FINE)
        rc = err_set(err, ERR_DATA, "%s: does not unpack", path);
    if (rc == ERR_OK) rc = buf_ok(out, "a list of inputs", err);
    stream_close(s);
    buf_clear(&stored);
    return rc;
}

/* Where a name of a list or an index is: below --base-url, unless it says itself where. */
static char *place_of(Inputs *in, Span name, const InputsAre *are)
{
    char *file = arena_str(&in->arena, name);

    return !file || !are->base_url || path_is_absolute(file) ? file : path_join(&in->arena, are->base_url, file);
}

/* A file that a list names. */
static ErrCode add_listed(Inputs *in, Span line, const InputsAre *are, Err *err)
{
    char *file = place_of(in, line, are), *name = arena_str(&in->arena, line);
    bool is_dir = false;
    ErrCode rc;

    if (!file || !name) return err_nomem(err, "the list of inputs");
    if (!store_is_remote(file) && (rc = store_is_dir(file, &is_dir, err)) != ERR_OK) return rc;
    if (is_dir) return err_set(err, ERR_USAGE, "%s is a directory; a list names files", file);
    /* many pages are called index.html */
    return are->html ? add_input(in, file, name, INPUTS_SIZE_UNKNOWN, are, err) : add_file(in, file, are, err);
}

static ErrCode add_list(Inputs *in, const char *path, const InputsAre *are, Err *err)
{
    Buf text = {0};
    uint64_t n_line = 0;
    ErrCode rc = read_text(path, &text, err);

    for (size_t at = 0; rc == ERR_OK && at < text.n;) {
        Span rest = span_from(buf_span(&text), at);
        Span line = span_trim(span(rest.p, span_find(rest, '\n')));
        at += span_find(rest, '\n') + 1;
        n_line++;
        if (line.n == 0 || line.p[0] == '#') continue;
        if ((rc = add_listed(in, line, are, err)) != ERR_OK && rc != ERR_NOMEM) {
            const Err why = *err;
            rc = err_set(err, rc, "%s, line %" PRIu64 ": %s", path, n_line, why.msg);
        }
    }
    buf_clear(&text);
    return rc;
}

/* The archives that indexes name, with their ranges. */
static ErrCode add_indexes(Inputs *in, const char *const *index, size_t n, const InputsAre *are, Err *err)
{
    CdxjRanges *r = &in->ranges;
    Buf text = {0};
    ErrCode rc = ERR_OK;

    for (size_t i = 0; i < n && rc == ERR_OK; i++) {
        buf_reset(&text);
        if ((rc = read_text(index[i], &text, err)) == ERR_OK) rc = cdxj_add(r, &in->arena, buf_span(&text), err);
    }
    buf_clear(&text);
    cdxj_seal(r);
    for (size_t i = 0, end; i < r->n && rc == ERR_OK; i = end) {
        uint64_t sum = 0;
        for (end = i; end < r->n && strcmp(r->range[end].file, r->range[i].file) == 0; end++)
            sum += r->range[end].length;
        char *file = place_of(in, span_str(r->range[i].file), are);
        rc = file ? add_file(in, file, are, err) : err_nomem(err, "the list of inputs");
        if (rc != ERR_OK) break;
        Input *input = &in->input[in->n - 1];
        input->kind = INPUT_ARCHIVE;
        input->size = sum;
        input->first_range = i;
        input->n_ranges = end - i;
    }
    if (rc == ERR_OK && r->n_other) log_info("%" PRIu64 " lines of the indexes name no range", r->n_other);
    if (rc == ERR_OK && r->n_inside)
        log_warn("%" PRIu64 " ranges of the indexes start inside of another and are not read", r->n_inside);
    return rc == ERR_OK && r->n == 0
               ? err_set(err, ERR_DATA, "%s: names no range of an archive", n ? index[0] : "--cdxj")
               : rc;
}

static int by_dump_and_name(const void *a, const void *b)
{
    const Input *x = a, *y = b;
    int c = strcmp(x->dump, y->dump);

    return c ? c : strcmp(x->name, y->name);
}

/* The order in which they were named says nothing: the same files make the same parts. */
static ErrCode sort_inputs(Inputs *in, Err *err)
{
    qsort(in->input, in->n, sizeof *in->input, by_dump_and_name);
    for (size_t i = 1; i < in->n; i++) {
        const Input *a = &in->input[i - 1], *b = &in->input[i];
        if (by_dump_and_name(a, b) == 0)
            return err_set(err, ERR_USAGE, "%s and %s: two inputs named %s in dump %s would share ids", a->path,
                           b->path, b->name, b->dump);
    }
    return ERR_OK;
}

ErrCode inputs_gather(Inputs *in, const char *const *operands, size_t n, const InputsAre *are, Err *err)
{
    ErrCode rc = are->cdxj && n ? add_indexes(in, operands, n, are, err) : ERR_OK;

    for (size_t i = 0; i < n && rc == ERR_OK && !are->cdxj; i++) {
        bool is_dir = false;
        if (operands[i][0] == '@')
            rc = add_list(in, operands[i] + 1, are, err);
        else if (strcmp(operands[i], "-") == 0)
            rc = add_input(in, "-", "stdin", 0, are, err);
        else if ((rc = store_is_dir(operands[i], &is_dir, err)) != ERR_OK)
            break;
        else if (is_dir)
            rc = add_directory(in, operands[i], "", are, 0, err);
        else
            rc = add_file(in, operands[i], are, err);
    }
    if (rc != ERR_OK) return rc;
    if (in->n == 0) return err_set(err, ERR_USAGE, "no input: name archives, directories of archives, or @LIST");
    if (in->n > UINT32_MAX) return err_set(err, ERR_LIMIT, "%zu inputs are more than one run numbers", in->n);
    return sort_inputs(in, err);
}

ErrCode inputs_measure(Inputs *in, const Par *par, Err *err)
{
    enum { AT_ONCE = 8 };
    size_t n = 0, *which = calloc(in->n + 1, sizeof *which);
    uint64_t *size = calloc(in->n + 1, sizeof *size);
    ErrCode *rcs = calloc(in->n + 1, sizeof *rcs), rc = ERR_OK;
    Err *errs = calloc(in->n + 1, sizeof *errs);

    if (!which || !size || !rcs || !errs) rc = err_nomem(err, "the list of inputs");
    for (size_t i = 0; rc == ERR_OK && i < in->n; i++)
        if (in->input[i].size == INPUTS_SIZE_UNKNOWN) which[n++] = i;
    if ((rc = par_agree(par, rc, err)) != ERR_OK) goto out;
#pragma omp parallel for schedule(dynamic, 1) num_threads(AT_ONCE) if (n > 1)
    for (size_t k = 0; k < n; k++)
        if (k % (size_t)par->n_ranks == (size_t)par->rank)
            rcs[k] = store_size(in->input[which[k]].url, &size[k], &errs[k]);
    if ((rc = par_agree(par, par_first_error(rcs, errs, n, err), err)) != ERR_OK) goto out;
    par_sum_u64(par, size, n);
    for (size_t k = 0; k < n; k++) in->input[which[k]].size = size[k];
out:
    free(which);
    free(size);
    free(rcs);
    free(errs);
    return rc;
}

/* Records and the members that hold them can be found from the middle, lines cannot. */
static bool can_be_cut(const Input *i) { return i->kind == INPUT_ARCHIVE; }

static ErrCode add_slice(Inputs *in, InputSlice s, Err *err)
{
    InputSlice *room = array_grow(in->slice, in->n_slices, &in->cap_slices, sizeof s);

    if (!room) return err_nomem(err, "the list of parts");
    in->slice = room;
    in->slice[in->n_slices++] = s;
    return ERR_OK;
}

/* Marks that the slice added next starts a part. */
static ErrCode start_part(Inputs *in, Err *err)
{
    if (in->n_parts == INPUTS_MAX_PARTS)
        return err_set(err, ERR_LIMIT, "more than %d parts: raise --part-bytes or --inputs-per-part",
                       INPUTS_MAX_PARTS);
    if ((in->n_parts & (in->n_parts + 1)) == 0) { /* room for a power of two, one more than n_parts used */
        uint32_t *p = realloc(in->part_first, ((size_t)in->n_parts + 1) * 2 * sizeof *p);
        if (!p) return err_nomem(err, "the list of parts");
        in->part_first = p;
    }
    in->part_first[in->n_parts++] = (uint32_t)in->n_slices;
    in->part_first[in->n_parts] = (uint32_t)in->n_slices;
    return ERR_OK;
}

/* The ranges of an input, each a slice. */
static ErrCode cut_ranges(Inputs *in, uint32_t input, uint32_t inputs_per_part, uint64_t part_bytes, uint64_t *filled,
                          Err *err)
{
    const Input *f = &in->input[input];
    ErrCode rc;

    for (size_t k = 0; k < f->n_ranges; k++) {
        const CdxjRange *g = &in->ranges.range[f->first_range + k];
        bool full = inputs_per_part ? k == 0 && input % inputs_per_part == 0 : *filled + g->length > part_bytes;
        if (in->n_parts == 0 || full) {
            if ((rc = start_part(in, err)) != ERR_OK) return rc;
            *filled = 0;
        }
        if ((rc = add_slice(in, (InputSlice){input, g->offset, g->offset + g->length}, err)) != ERR_OK) return rc;
        in->part_first[in->n_parts] = (uint32_t)in->n_slices;
        *filled += g->length;
    }
    return ERR_OK;
}

ErrCode inputs_cut(Inputs *in, uint32_t inputs_per_part, uint64_t part_bytes, Err *err)
{
    uint64_t filled = 0; /* stored bytes of the part under way */
    ErrCode rc;

    if (part_bytes == 0) part_bytes = 1;
    for (size_t i = 0; i < in->n; i++) {
        const Input *f = &in->input[i];
        uint64_t step = f->size, begin = 0;
        if (f->n_ranges) {
            if ((rc = cut_ranges(in, (uint32_t)i, inputs_per_part, part_bytes, &filled, err)) != ERR_OK) return rc;
            continue;
        }
        if (inputs_per_part == 0 && can_be_cut(f) && f->size > part_bytes)
            step = f->size / (f->size / part_bytes + (f->size % part_bytes != 0)) + 1;
        do {
            uint64_t n = f->size - begin < step ? f->size - begin : step;
            bool full = inputs_per_part ? i % inputs_per_part == 0 : filled + n > part_bytes;
            if (in->n_parts == 0 || full) {
                if ((rc = start_part(in, err)) != ERR_OK) return rc;
                filled = 0;
            }
            /* The last slice is open-ended so that a record at the very end belongs to it whatever its size was. */
            bool last = f->size - begin <= n;
            if ((rc = add_slice(in, (InputSlice){(uint32_t)i, begin, last ? UINT64_MAX : begin + n}, err)) != ERR_OK)
                return rc;
            in->part_first[in->n_parts] = (uint32_t)in->n_slices;
            filled += n;
            begin += n;
        } while (begin < f->size);
    }
    return ERR_OK;
}

static uint64_t slice_bytes(const Inputs *in, const InputSlice *s)
{
    const Input *i = &in->input[s->input];
    uint64_t end = i->n_ranges || s->end < i->size ? s->end : i->size;

    return end > s->begin ? end - s->begin : 0;
}

uint64_t inputs_part_bytes(const Inputs *in, uint32_t part)
{
    uint64_t sum = 0;

    for (uint32_t s = in->part_first[part]; s < in->part_first[part + 1]; s++) sum += slice_bytes(in, &in->slice[s]);
    return sum;
}

uint64_t inputs_part_work(const Inputs *in, uint32_t part)
{
    enum { PAGES_DEFLATE_TO = 5 }; /* a fifth, in Common Crawl's archives */
    uint64_t sum = 0;

    for (uint32_t s = in->part_first[part]; s < in->part_first[part + 1]; s++) {
        const char *name = in->input[in->slice[s].input].name;
        uint64_t n = slice_bytes(in, &in->slice[s]);
        sum += is_packed(name) ? n * PAGES_DEFLATE_TO : n;
    }
    return sum;
}

void inputs_clear(Inputs *in)
{
    cdxj_clear(&in->ranges);
    free(in->input);
    free(in->slice);
    free(in->part_first);
    arena_clear(&in->arena);
    *in = (Inputs){0};
}
