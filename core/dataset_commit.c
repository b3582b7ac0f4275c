#include "core/alarm.h"
#include "core/dataset_files.h"
#include "core/lease.h"
#include "core/log.h"
#include "core/store.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* From receipts to a manifest. Everything a receipt says is added up; nothing is recomputed from documents. */

typedef struct {
    Receipt sum; /* totals over the parts so far; info.content unused */
    Buf lines, contents;
} Totals;

static void totals_clear(Totals *t)
{
    receipt_clear(&t->sum);
    buf_clear(&t->lines);
    buf_clear(&t->contents);
}

static ErrCode add_part(Totals *t, const char *dir, uint32_t part, const Receipt *r, Span line, Err *err)
{
    uint64_t n_dropped = 0;
    uint8_t hash[16];

    for (int i = 0; i < DATASET_MAX_REASONS; i++) {
        t->sum.dropped[i] += r->dropped[i];
        n_dropped += r->dropped[i];
    }
    if (r->info.n_in != r->info.n_docs + n_dropped)
        return err_set(err, ERR_DATA,
                       "%s: part %" PRIu32 ": %" PRIu64 " documents in, %" PRIu64 " out, %" PRIu64
                       " dropped: some are lost",
                       dir, part, r->info.n_in, r->info.n_docs, n_dropped);
    t->sum.info.n_in += r->info.n_in;
    t->sum.info.n_docs += r->info.n_docs;
    t->sum.info.text_bytes += r->info.text_bytes;
    t->sum.info.id_sum += r->info.id_sum;
    t->sum.info.doc_sum += r->info.doc_sum;
    t->sum.dropped_id_sum += r->dropped_id_sum;
    t->sum.bytes_in += r->bytes_in;
    t->sum.stored_bytes += r->stored_bytes;
    t->sum.wall_s += r->wall_s;
    t->sum.cpu_s += r->cpu_s;
    counters_merge(&t->sum.counters, &r->counters);
    buf_put_span(&t->lines, line);
    buf_putc(&t->lines, '\n');
    hash128_put(hash, r->info.content);
    buf_put(&t->contents, hash, sizeof hash);
    return t->sum.counters.oom ? err_nomem(err, "statistics") : ERR_OK;
}

static void put_member(Buf *b, const char *key, const Json *value)
{
    buf_printf(b, ",\"%s\":", key);
    if (value)
        json_put_tree(b, value);
    else
        buf_puts(b, "null");
}

static void put_dropped(Buf *b, const Json *reasons, const uint64_t *dropped)
{
    bool comma = false;
    uint32_t i = 0;

    buf_puts(b, ",\"dropped\":{");
    for (const Json *r = reasons ? reasons->child : NULL; r; r = r->next, i++) {
        if (!dropped[i]) continue;
        if (comma) buf_putc(b, ',');
        json_put_string(b, r->string);
        buf_printf(b, ":%" PRIu64, dropped[i]);
        comma = true;
    }
    buf_putc(b, '}');
}

static ErrCode publish(const char *dir, const char *name, const Buf *b, Err *err)
{
    char path[PATH_MAX];
    ErrCode rc = buf_ok(b, name, err);

    if (rc == ERR_OK) rc = dataset_path(path, dir, name, err);
    return rc == ERR_OK ? store_write(path, buf_span(b), err) : rc;
}

static ErrCode publish_stats(const char *dir, const DatasetPlan *plan, const Totals *t, Err *err)
{
    Buf b = {0};
    ErrCode rc;

    buf_puts(&b, "{\"stage\":");
    json_put_cstr(&b, plan->stage);
    buf_printf(&b,
               ",\"version\":\"" TAMIS_VERSION "\",\"n_parts\":%" PRIu32 ",\"bytes_in\":%" PRIu64
               ",\"stored_bytes\":%" PRIu64,
               plan->n_parts, t->sum.bytes_in, t->sum.stored_bytes);
    buf_printf(&b, ",\"part_seconds\":%.3f,\"cpu_seconds\":%.3f,\"counters\":", t->sum.wall_s, t->sum.cpu_s);
    counters_put_json(&b, &t->sum.counters);
    buf_puts(&b, "}\n");
    rc = publish(dir, "stats.json", &b, err);
    buf_clear(&b);
    return rc;
}

static ErrCode publish_manifest(const char *dir, const DatasetPlan *plan, const Totals *t, Err *err)
{
    const Json *base = json_get(plan->json, "base"), *reasons = json_get(plan->json, "reasons");
    Buf b = {0};
    ErrCode rc = buf_ok(&t->contents, "a manifest", err);

    if (rc != ERR_OK) return rc;
    buf_printf(&b, "{\"format\":\"tamis-dataset\",\"version\":%d,\"stage\":", DATASET_FORMAT_VERSION);
    json_put_cstr(&b, plan->stage);
    buf_printf(&b, ",\"stage_version\":%" PRIu32 ",\"key\":", plan->stage_version);
    json_put_hash(&b, plan->key);
    put_member(&b, "params", json_get(plan->json, "params"));
    put_member(&b, "inputs", json_get(plan->json, "inputs"));
    if (base) put_member(&b, "base", base);
    buf_printf(&b, ",\"n_parts\":%" PRIu32 ",\"n_docs\":%" PRIu64 ",\"text_bytes\":%" PRIu64 ",\"n_in\":%" PRIu64,
               plan->n_parts, t->sum.info.n_docs, t->sum.info.text_bytes, t->sum.info.n_in);
    put_dropped(&b, reasons, t->sum.dropped);
    buf_puts(&b, ",\"id_sum\":");
    json_put_u64_hex(&b, t->sum.info.id_sum);
    buf_puts(&b, ",\"dropped_id_sum\":");
    json_put_u64_hex(&b, t->sum.dropped_id_sum);
    buf_puts(&b, ",\"doc_sum\":");
    json_put_u64_hex(&b, t->sum.info.doc_sum);
    buf_puts(&b, ",\"content\":");
    json_put_hash(&b, hash128(buf_span(&t->contents)));
    buf_puts(&b, "}\n");
    rc = publish(dir, "manifest.json", &b, err);
    buf_clear(&b);
    return rc;
}

/* How many parts have a file: while some lack one, nobody need open the others. */
static ErrCode count_names(const char *dir, const DatasetPlan *plan, uint32_t *n, Err *err)
{
    StoreList list;
    uint32_t part;
    ErrCode rc = store_list(dir, &list, err);

    *n = 0;
    for (size_t i = 0; rc == ERR_OK && i < list.n; i++) *n += dataset_part_number(list.name[i], plan, &part);
    storelist_clear(&list);
    return rc;
}

/* The bands that the last run was given, over the whole dataset. */
static ErrCode judge_rates(Arena *a, const char *dir, const DatasetPlan *plan, const Totals *t, Err *err)
{
    const Json *list = json_get(plan->json, "reasons");
    const char *reasons[DATASET_MAX_REASONS];
    uint32_t n = 0;
    AlarmBands bands;
    ErrCode rc = alarm_load(a, dir, &bands, err);

    for (const Json *r = list ? list->child : NULL; r && n < DATASET_MAX_REASONS; r = r->next)
        reasons[n++] = r->type == JSON_STRING ? (const char *)r->string.p : "";
    const AlarmCounts counts = {t->sum.info.n_in, reasons, t->sum.dropped, n, &t->sum.counters, 0};
    const AlarmBand *left = NULL;
    if (rc == ERR_OK) rc = alarm_judge(&bands, dir, &counts, &left, err);
    if (rc == ERR_NO && alarm_fire(dir, left, NULL) != ERR_OK) /* for `tamis status` */
        log_debug("%s: nobody else is told of the alarm", dir);
    return rc;
}

/* --- a plan may say which reasons mean that a record was none: a run of nothing but these is no dataset */

static bool is_listed(const Json *list, Span name)
{
    for (const Json *r = list->child; r; r = r->next)
        if (r->type == JSON_STRING && span_eq(r->string, name)) return true;
    return false;
}

/* "local/a.warc and 2 more", as the plan has the inputs. */
static void put_first_input(Buf *b, const DatasetPlan *plan)
{
    const Json *inputs = json_get(plan->json, "inputs"), *first = inputs ? inputs->child : NULL;
    const Json *path = first ? json_get(first, "path") : NULL;

    if (path && path->type == JSON_STRING)
        buf_put_span(b, path->string);
    else
        buf_puts(b, "the inputs");
    if (first && inputs->n > 1) buf_printf(b, " and %" PRIu32 " more", inputs->n - 1);
    buf_putc(b, 0);
}

/* Parts in which nothing is are forgotten, so that the same command reads again: standard input, for one, may hold more then. */
static void forget_parts(const char *dir, const DatasetPlan *plan)
{
    char path[PATH_MAX];
    Err err;

    for (uint32_t p = 0; p < plan->n_parts; p++)
        if (dataset_part_path(path, dir, plan->kind, plan->stage, p, &err) != ERR_OK ||
            store_delete(path, &err) != ERR_OK)
            log_debug("%s", err.msg);
}

static ErrCode check_read(const char *dir, const DatasetPlan *plan, const Totals *t, Err *err)
{
    const Json *unread = json_get(plan->json, "unread"), *reasons = json_get(plan->json, "reasons");
    uint64_t n = 0, most = 0;
    const char *why = "";
    uint32_t i = 0;

    if (!unread) return ERR_OK;
    for (const Json *r = reasons ? reasons->child : NULL; r && i < DATASET_MAX_REASONS; r = r->next, i++) {
        if (r->type != JSON_STRING || !is_listed(unread, r->string)) continue;
        n += t->sum.dropped[i];
        if (t->sum.dropped[i] > most) most = t->sum.dropped[i], why = (const char *)r->string.p;
    }
    const bool all_unread = n && n == t->sum.info.n_in;
    if (!all_unread && t->sum.bytes_in) return ERR_OK;
    Buf first = {0};
    put_first_input(&first, plan);
    ErrCode rc = buf_ok(&first, "a message", err);
    const char *inputs = (const char *)first.p;
    if (rc == ERR_OK && all_unread)
        rc = err_set(err, ERR_DATA, "%s: not one record of %.300s could be read, mostly for %s", dir, inputs, why);
    else if (rc == ERR_OK)
        rc = err_set(err, ERR_DATA, "%s: nothing to read in %.300s", dir, inputs);
    buf_clear(&first);
    forget_parts(dir, plan);
    return rc;
}

/* A part's receipt, loaded by one thread, added up by another. */
typedef struct {
    Arena arena; /* of `line` */
    Receipt r;
    Span line;
    bool found;
    ErrCode rc;
    Err err;
} Loaded;

typedef struct {
    Loaded *slot;
    const char *dir;
    const DatasetPlan *plan;
    uint32_t first, n;
    atomic_uint next;
} Loading;

static void *load_some(void *arg)
{
    Loading *all = arg;

    for (uint32_t i; (i = atomic_fetch_add(&all->next, 1)) < all->n;) {
        Loaded *l = &all->slot[i];
        *l = (Loaded){0};
        l->rc = receipt_load(&l->arena, all->dir, all->plan, all->first + i, &l->r, &l->line, &l->found, &l->err);
    }
    return NULL;
}

/* Opening files is waiting, on a network file system milliseconds each: so several threads however few cores there are. They are no
 * OpenMP team, which would stay behind. One that cannot be started leaves its work to the others. */
static void load_receipts(Loading *all)
{
    enum { HELPERS = 7 };
    pthread_t thread[HELPERS];
    uint32_t n = 0;

    atomic_init(&all->next, 0);
    while (n < HELPERS && n + 1 < all->n && pthread_create(&thread[n], NULL, load_some, all) == 0) n++;
    load_some(all);
    for (uint32_t i = 0; i < n; i++) pthread_join(thread[i], NULL);
}

/* In the order of parts, whichever thread was first: sums, lines and the lowest part's failure are those of one thread. *n_have:
 * the parts that are there and of this plan; the totals stand when that is all of them. */
static ErrCode add_parts(Totals *t, const char *dir, const DatasetPlan *plan, uint32_t *n_have, Err *err)
{
    enum { AT_A_TIME = 64 }; /* receipts in memory: some hundred kB each at worst */
    Loaded *slot = malloc(AT_A_TIME * sizeof *slot);
    ErrCode rc = slot ? ERR_OK : err_nomem(err, "receipts");

    *n_have = 0;
    for (uint32_t first = 0; first < plan->n_parts && rc == ERR_OK; first += AT_A_TIME) {
        const uint32_t left = plan->n_parts - first, n = left < AT_A_TIME ? left : AT_A_TIME;
        load_receipts(&(Loading){.slot = slot, .dir = dir, .plan = plan, .first = first, .n = n});
        for (uint32_t i = 0; i < n; i++) {
            Loaded *l = &slot[i];
            if (rc == ERR_OK && l->rc != ERR_OK && err) *err = l->err;
            if (rc == ERR_OK) rc = l->rc;
            if (rc == ERR_OK && l->found && hash128_eq(l->r.key, plan->key)) {
                if (*n_have == first + i) rc = add_part(t, dir, first + i, &l->r, l->line, err);
                ++*n_have;
            }
            receipt_clear(&l->r);
            arena_clear(&l->arena);
        }
    }
    free(slot);
    return rc;
}

ErrCode dataset_commit(const char *dir, bool *done, uint32_t *n_have, uint32_t *n_parts, Err *err)
{
    Arena arena = {0};
    DatasetPlan plan;
    Totals t = {0};
    ErrCode rc;

    *done = false;
    *n_have = *n_parts = 0;
    if ((rc = plan_read(&arena, dir, &plan, err)) != ERR_OK) goto out;
    *n_parts = plan.n_parts;
    if ((rc = count_names(dir, &plan, n_have, err)) != ERR_OK || *n_have < plan.n_parts) goto out;
    if ((rc = add_parts(&t, dir, &plan, n_have, err)) != ERR_OK) goto out;
    if (*n_have < plan.n_parts) goto out;
    if ((rc = check_read(dir, &plan, &t, err)) != ERR_OK) goto out;
    if ((rc = judge_rates(&arena, dir, &plan, &t, err)) != ERR_OK) goto out;
    if ((rc = publish(dir, "parts.jsonl", &t.lines, err)) != ERR_OK) goto out;
    if ((rc = publish_stats(dir, &plan, &t, err)) != ERR_OK) goto out;
    if ((rc = publish_manifest(dir, &plan, &t, err)) != ERR_OK) goto out;
    *done = true;
    if (leases_delete(dir, NULL) != ERR_OK) log_debug("%s: another user's leases stay", dir); /* of no use any more */
    rc = store_sweep(dir, 0, err);
out:
    totals_clear(&t);
    arena_clear(&arena);
    return rc;
}
