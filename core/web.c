#include "core/web.h"

#ifndef TAMIS_CURL

void web_set_connections(unsigned n) { (void)n; }

#else

#include "core/log.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* --- the process's promises. A connection belongs to a handle, which keeps one alive, so there are never more connections than
 * handles. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    pthread_once_t once;
    CURL *idle[WEB_MAX_CONNECTIONS]; /* the one used last on top */
    unsigned n_idle, n_made, limit;
    double next_retry, quiet_until, told; /* clock_seconds(); waits until `told` have been talked about */
} hub = {.lock = PTHREAD_MUTEX_INITIALIZER,
         .freed = PTHREAD_COND_INITIALIZER,
         .once = PTHREAD_ONCE_INIT,
         .limit = WEB_CONNECTIONS};

static void start_curl(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

void web_set_connections(unsigned n)
{
    pthread_mutex_lock(&hub.lock);
    hub.limit = n < 1 ? 1 : n > WEB_MAX_CONNECTIONS ? WEB_MAX_CONNECTIONS : n;
    pthread_cond_broadcast(&hub.freed);
    pthread_mutex_unlock(&hub.lock);
}

static _Thread_local const atomic_bool *cancelled;

void web_cancel_by(const atomic_bool *flag) { cancelled = flag; }

static bool stop_seen(void) { return interrupt_seen() || (cancelled && atomic_load(cancelled)); }

static void nap(double seconds)
{
    if (seconds > 0.2) seconds = 0.2; /* a signal is seen soon enough */
    nanosleep(&(struct timespec){.tv_nsec = (long)(seconds * 1e9)}, NULL);
}

/* A handle once there is a free one. NULL with *stopped after a signal, else when there is no memory. */
static CURL *take_handle(bool *stopped)
{
    CURL *h = NULL;
    bool made = false;

    *stopped = false;
    pthread_once(&hub.once, start_curl);
    pthread_mutex_lock(&hub.lock);
    while (!h && !made && !*stopped) {
        struct timespec soon;
        if (hub.n_idle) {
            h = hub.idle[--hub.n_idle];
        } else if (hub.n_made < hub.limit) {
            hub.n_made++;
            made = true;
        } else {
            clock_gettime(CLOCK_REALTIME, &soon);
            soon.tv_sec++;
            pthread_cond_timedwait(&hub.freed, &hub.lock, &soon);
            *stopped = stop_seen();
        }
    }
    pthread_mutex_unlock(&hub.lock);
    if (!made) return h;
    if ((h = curl_easy_init()) != NULL) return h;
    pthread_mutex_lock(&hub.lock);
    hub.n_made--;
    pthread_mutex_unlock(&hub.lock);
    return NULL;
}

static void give_handle(CURL *h)
{
    pthread_mutex_lock(&hub.lock);
    if (hub.n_made <= hub.limit) {
        hub.idle[hub.n_idle++] = h;
        h = NULL;
    } else {
        hub.n_made--;
    }
    pthread_cond_signal(&hub.freed);
    pthread_mutex_unlock(&hub.lock);
    curl_easy_cleanup(h); /* NULL is fine */
}

/* Waits until `due`, for the time that servers want us quiet and, for a retry, for its turn. False: a signal. A long wait is talked
 * about, by the first of those who wait. */
static bool wait_turn(double due, bool retry)
{
    for (;;) {
        double now = clock_seconds(), at = due;
        pthread_mutex_lock(&hub.lock);
        if (at < hub.quiet_until) at = hub.quiet_until;
        if (retry && at < hub.next_retry) at = hub.next_retry;
        if (retry && now >= at) hub.next_retry = now + 1;
        bool news = at - now > 10 && at > hub.told + 1;
        if (news) hub.told = at;
        pthread_mutex_unlock(&hub.lock);
        if (now >= at) return true;
        if (news) log_info("waiting %.0f s before the next request", at - now);
        if (stop_seen()) return false;
        nap(at - now);
    }
}

static void keep_quiet(double seconds)
{
    double until = clock_seconds() + (seconds < WEB_MAX_RETRY_AFTER ? seconds : WEB_MAX_RETRY_AFTER);

    pthread_mutex_lock(&hub.lock);
    if (hub.quiet_until < until) hub.quiet_until = until;
    pthread_mutex_unlock(&hub.lock);
}

/* --- one exchange */

typedef struct {
    const WebRequest *q;
    WebReply *r;
    Err *err;
    CURL *h;
    bool begun;    /* the first piece of the body has been looked at */
    uint64_t skip; /* of a whole body that we had asked a range of */
    uint64_t want; /* bytes of the range still wanted; UINT64_MAX: to the end */
    bool enough;   /* the range is there, and more comes, from a server that knows no ranges */
} Exchange;

static long number_from(const char *name, long otherwise, long max)
{
    const char *s = getenv(name);
    uint64_t v;

    return s && span_to_u64(span_str(s), &v) && v <= (uint64_t)max ? (long)v : otherwise;
}

static void copy_header(CURL *h, const char *name, char *out, size_t cap)
{
    struct curl_header *found;

    if (curl_easy_header(h, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK) snprintf(out, cap, "%s", found->value);
}

/* "bytes 5-9/100" -> 5 and 100. */
static bool parse_content_range(const char *s, uint64_t *first, uint64_t *total)
{
    Span v = span_trim(span_str(s));
    size_t dash, slash;

    if (!span_starts(v, SPAN_LIT("bytes "))) return false;
    v = span_from(v, 6);
    dash = span_find(v, '-');
    slash = span_find(v, '/');
    return dash < slash && slash < v.n && span_to_u64(span(v.p, dash), first) &&
           span_to_u64(span_from(v, slash + 1), total);
}

/* Once the headers of the last answer are there. False: the body is not wanted. */
static bool look_at_head(Exchange *x)
{
    WebReply *r = x->r;
    const WebRequest *q = x->q;
    curl_off_t length = -1;
    char range[96] = "", modified[64] = "";
    uint64_t first = 0;

    x->begun = true;
    curl_easy_getinfo(x->h, CURLINFO_RESPONSE_CODE, &r->status);
    copy_header(x->h, "ETag", r->etag, sizeof r->etag);
    copy_header(x->h, "Last-Modified", modified, sizeof modified);
    copy_header(x->h, "Server", r->server, sizeof r->server);
    copy_header(x->h, "Date", r->date, sizeof r->date);
    copy_header(x->h, "x-amz-server-side-encryption", r->sse, sizeof r->sse);
    copy_header(x->h, "x-amz-meta-tamis-writer", r->writer, sizeof r->writer);
    copy_header(x->h, "Content-Range", range, sizeof range);
    curl_easy_getinfo(x->h, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    r->has_length = length >= 0;
    r->length = length >= 0 ? (uint64_t)length : 0;
    if (r->status != 200 && r->status != 206) return true;
    bool in_range = r->status == 206 && parse_content_range(range, &first, &r->length);
    if (!r->etag[0] && modified[0] && (r->status == 206 ? in_range : r->has_length) &&
        (strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0))
        snprintf(r->etag, sizeof r->etag, "%s %" PRIu64, modified, r->length);
    if (q->etag && q->etag[0] && r->etag[0] && strcmp(q->etag, r->etag) != 0) {
        r->outcome = WEB_CHANGED;
        return false;
    }
    x->want = q->n ? q->n : UINT64_MAX;
    if (r->status == 200) {
        x->skip = q->from;
    } else if (!in_range || first != q->from) {
        r->outcome = WEB_REFUSED;
        snprintf(r->why, sizeof r->why, "asked for bytes from %" PRIu64 " on and got \"%s\"", q->from, range);
        return false;
    }
    return true;
}

static size_t on_body(char *p, size_t size, size_t count, void *ctx)
{
    Exchange *x = ctx;
    Span s = span(p, size * count);
    bool fine;

    if (!x->begun && !look_at_head(x)) return CURL_WRITEFUNC_ERROR;
    fine = x->r->status == 200 || x->r->status == 206;
    if (fine && x->skip) {
        size_t n = x->skip < s.n ? (size_t)x->skip : s.n;
        x->skip -= n;
        s = span_from(s, n);
    }
    x->enough = fine && x->want == 0;
    if (x->enough) return CURL_WRITEFUNC_ERROR;
    if (fine && s.n > x->want) s.n = (size_t)x->want;
    if (s.n == 0) return size * count;
    if (fine) x->want -= x->want == UINT64_MAX ? 0 : s.n;
    if (fine && x->q->take) {
        x->r->taken = x->q->take(x->q->ctx, s, x->err);
        if (x->r->taken == ERR_OK) x->r->taken_bytes += s.n;
        return x->r->taken == ERR_OK ? size * count : CURL_WRITEFUNC_ERROR;
    }
    size_t max = fine ? x->q->max_body : WEB_MAX_ERROR_BODY, room = max - x->r->body.n;
    if (fine && s.n > room) {
        x->r->taken = err_set(x->err, ERR_LIMIT, "an answer of more than %zu bytes", max);
        return CURL_WRITEFUNC_ERROR;
    }
    buf_put(&x->r->body, s.p, s.n < room ? s.n : room);
    x->r->taken_bytes += s.n;
    return size * count;
}

static int on_progress(void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up)
{
    const Exchange *x = ctx;

    (void)down_all, (void)down, (void)up_all, (void)up;
    return stop_seen() && strcmp(x->q->method, "GET") == 0; /* what is being published may end */
}

static const char *user_agent(char out[256])
{
    const char *contact = getenv("TAMIS_CONTACT");

    snprintf(out, 256, "tamis/" TAMIS_VERSION "%s%s%s", contact && *contact ? " (+" : "",
             contact && *contact ? contact : "", contact && *contact ? ")" : "");
    for (char *c = out; *c; c++)
        if ((uint8_t)*c < 32) *c = ' ';
    return out;
}

static void set_method(CURL *h, const WebRequest *q)
{
    bool sends = strcmp(q->method, "PUT") == 0 || strcmp(q->method, "POST") == 0;

    if (sends) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body.n);
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, q->body.n ? (const char *)q->body.p : "");
    } else if (strcmp(q->method, "HEAD") == 0) {
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
    } else {
        curl_easy_setopt(h, CURLOPT_HTTPGET, 1L);
    }
    if (strcmp(q->method, "GET") != 0 && strcmp(q->method, "HEAD") != 0)
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, q->method);
}

static void set_range(CURL *h, const WebRequest *q)
{
    char range[64];

    if (q->from == 0 && q->n == 0) return; /* whole objects are asked for as such */
    if (q->n)
        snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, q->from, q->from + q->n - 1);
    else
        snprintf(range, sizeof range, "%" PRIu64 "-", q->from);
    curl_easy_setopt(h, CURLOPT_RANGE, range);
}

static void set_limits(CURL *h, const WebRequest *q)
{
    const char *authorities = getenv("AWS_CA_BUNDLE");
    long stall = number_from("TAMIS_HTTP_STALL", 60, 86400);

    if (stall < 1) stall = 1; /* 0 would be no bound at all */
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, stall < 30 ? stall : 30L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, (long)WEB_SLOW_BYTES);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, q->slow ? 10 * stall : stall);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, strncmp(q->url, "https:", 6) == 0 ? "https" : "http,https");
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, q->follow ? 1L : 0L);
    curl_easy_setopt(h, CURLOPT_MAXREDIRS, (long)WEB_MAX_REDIRECTS);
    curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
    if (authorities && *authorities) curl_easy_setopt(h, CURLOPT_CAINFO, authorities);
}

/* Which of curl's failures may pass. */
static WebOutcome outcome_of(CURLcode c)
{
    switch (c) {
    case CURLE_OK: return WEB_FINE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return WEB_NO_ANSWER;
    case CURLE_ABORTED_BY_CALLBACK: return WEB_STOPPED;
    default: return WEB_REFUSED;
    }
}

static void settle(Exchange *x, CURLcode c, const char *text)
{
    WebReply *r = x->r;
    curl_off_t after = 0;

    if (c == CURLE_OK && !x->begun) look_at_head(x); /* an answer without a body */
    if (r->outcome != WEB_FINE) return;
    if (r->taken != ERR_OK) {
        r->outcome = WEB_FAILED;
        return;
    }
    if (x->enough) return;
    r->outcome = outcome_of(c);
    if (c != CURLE_OK) snprintf(r->why, sizeof r->why, "%s", *text ? text : curl_easy_strerror(c));
    if (c == CURLE_OK && curl_easy_getinfo(x->h, CURLINFO_RETRY_AFTER, &after) == CURLE_OK)
        r->retry_after = (double)after;
    bool ranged = r->status == 200 || r->status == 206;
    if (c == CURLE_OK && ranged && x->q->n && x->want) { /* the server's whole answer, and less than was asked */
        r->outcome = WEB_REFUSED;
        snprintf(r->why, sizeof r->why, "%" PRIu64 " bytes are missing from the answer", x->want);
    }
}

static struct curl_slist *list_headers(const WebRequest *q, bool *oom)
{
    static const char *const quiet[] = {
        "Expect:", "Content-Type:", "Accept:", NULL}; /* curl's own, which nobody needs */
    const char *const *lists[] = {quiet, q->header};
    struct curl_slist *all = NULL;

    for (int i = 0; i < 2; i++)
        for (const char *const *h = lists[i]; h && *h; h++) {
            struct curl_slist *more = curl_slist_append(all, *h);
            if (more)
                all = more;
            else
                *oom = true;
        }
    return all;
}

ErrCode web_exchange(const WebRequest *q, WebReply *r, Err *err)
{
    Exchange x = {.q = q, .r = r, .err = err};
    char text[CURL_ERROR_SIZE] = "", agent[256];
    bool oom = false, stopped = false;
    struct curl_slist *headers = NULL;
    Buf body = r->body;

    buf_reset(&body);
    *r = (WebReply){.body = body};
    if (!wait_turn(0, false) || (!(x.h = take_handle(&stopped)) && stopped)) {
        r->outcome = WEB_STOPPED;
        return ERR_OK;
    }
    headers = list_headers(q, &oom);
    if (x.h && !oom) {
        curl_easy_reset(x.h); /* keeps the connection */
        curl_easy_setopt(x.h, CURLOPT_URL, q->url);
        curl_easy_setopt(x.h, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(x.h, CURLOPT_USERAGENT, user_agent(agent));
        curl_easy_setopt(x.h, CURLOPT_ERRORBUFFER, text);
        curl_easy_setopt(x.h, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(x.h, CURLOPT_WRITEDATA, &x);
        curl_easy_setopt(x.h, CURLOPT_XFERINFOFUNCTION, on_progress);
        curl_easy_setopt(x.h, CURLOPT_XFERINFODATA, &x);
        curl_easy_setopt(x.h, CURLOPT_NOPROGRESS, 0L);
        set_method(x.h, q);
        set_range(x.h, q);
        set_limits(x.h, q);
        CURLcode c = curl_easy_perform(x.h);
        oom = c == CURLE_OUT_OF_MEMORY || r->body.oom;
        settle(&x, c, text);
        if (r->retry_after > 0) keep_quiet(r->retry_after);
    }
    curl_slist_free_all(headers);
    oom |= !x.h;
    if (x.h) give_handle(x.h);
    return oom ? err_nomem(err, "an HTTP request") : ERR_OK;
}

void webreply_clear(WebReply *r)
{
    buf_clear(&r->body);
    *r = (WebReply){0};
}

/* --- again */

static bool may_pass(const WebReply *r)
{
    if (r->outcome == WEB_NO_ANSWER) return true;
    if (r->outcome != WEB_FINE) return false;
    switch (r->status) {
    case 408:
    case 409: /* S3: a conflicting conditional operation is in progress */
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: return true;
    default: return false;
    }
}

/* Half a second, doubled each time up to a minute, from half of that to all of it: who failed together does not come back together. */
static double patience(unsigned failures)
{
    struct timespec now;
    double full = failures > 7 ? 60 : 0.5 * (double)(1u << (failures - 1));

    clock_gettime(CLOCK_REALTIME, &now);
    return full * (0.5 + (double)(now.tv_nsec / 1000 % 1000) / 2000);
}

bool web_again(WebTries *t, WebReply *r, const char *what)
{
    if (!may_pass(r)) return false;
    if (r->taken_bytes && r->outcome == WEB_NO_ANSWER) t->failures = 0;
    if (t->failures++ >= (unsigned)number_from("TAMIS_HTTP_RETRIES", 8, 1000)) return false;
    if (t->failures > 1) {
        if (r->outcome == WEB_FINE)
            log_info("%s: HTTP %ld; trying again", what, r->status);
        else
            log_info("%s: %s; trying again", what, r->why);
    }
    if (wait_turn(clock_seconds() + patience(t->failures), true)) return true;
    r->outcome = WEB_STOPPED;
    return false;
}

ErrCode web_error(const WebReply *r, const WebTries *t, const char *detail, Err *err, const char *fmt, ...)
{
    char what[320], often[64] = "";
    va_list args;

    if (r->outcome == WEB_FAILED) return r->taken;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (t && t->failures > 1) snprintf(often, sizeof often, ", tried %u times (see TAMIS_HTTP_RETRIES)", t->failures);
    switch (r->outcome) {
    case WEB_STOPPED: return err_set(err, ERR_INTR, "%s: interrupted; a rerun continues", what);
    case WEB_CHANGED: return err_set(err, ERR_DATA, "%s: it has changed while it was read", what);
    case WEB_FINE:
        return err_set(err, ERR_SYS, "%s: HTTP %ld%s%s%s%s", what, r->status, *detail ? " (" : "", detail,
                       *detail ? ")" : "", often);
    default: return err_set(err, ERR_SYS, "%s: %s%s", what, r->why, often);
    }
}

int64_t web_date(const char *date)
{
    time_t t = curl_getdate(date, NULL);

    return t == (time_t)-1 ? -1 : (int64_t)t;
}

#endif
