/* The trainer against the obvious one: all pairs of all words counted anew before every merge. */
#include "core/log.h"
#include "core/store.h"
#include "tests/alloc_fault.h"
#include "tests/check.h"
#include "tokenize/bpe_count.h"
#include "tokenize/bpe_input.h"
#include "tokenize/bpe_model.h"
#include "tokenize/bytelevel.h"
#include "tokenize/pretoken.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOW_MAX_WORDS = 4000, SLOW_MAX_MERGES = 400 };

typedef struct {
    uint32_t *id;
    size_t n;
} SlowWord;

typedef struct {
    SlowWord word[SLOW_MAX_WORDS]; /* one for each occurrence: no counts at all */
    size_t n_words;
    uint32_t bytes[256 + SLOW_MAX_MERGES]; /* of a token */
    uint32_t n_ids;
} Slow;

static void slow_start(Slow *s, Span text, bool all_bytes, BpeModel *model)
{
    bool seen[256] = {false};
    uint32_t id_of[256] = {0};

    *s = (Slow){0};
    for (size_t i = 0; i < text.n; i++) seen[text.p[i]] = true;
    model->n_alphabet = 0;
    for (uint32_t cp = 0; cp < 0x200; cp++)
        for (int b = 0; b < 256; b++)
            if (bytelevel_cp((uint8_t)b) == cp && (seen[b] || all_bytes)) {
                id_of[b] = model->n_alphabet;
                s->bytes[model->n_alphabet] = 1;
                model->alphabet[model->n_alphabet++] = (uint8_t)b;
            }
    s->n_ids = model->n_alphabet;
    for (size_t at = 0, end; at < text.n && s->n_words < SLOW_MAX_WORDS; at = end) {
        end = pretoken_end(text, at);
        SlowWord *w = &s->word[s->n_words++];
        w->id = malloc((end - at) * sizeof *w->id);
        for (; w->id && at + w->n < end; w->n++) w->id[w->n] = id_of[text.p[at + w->n]];
    }
}

static uint64_t slow_count(const Slow *s, uint32_t a, uint32_t b)
{
    uint64_t n = 0;

    for (size_t k = 0; k < s->n_words; k++)
        for (size_t i = 0; i + 1 < s->word[k].n; i++) n += s->word[k].id[i] == a && s->word[k].id[i + 1] == b;
    return n;
}

/* Longer than allowed: only pairs that a merge made are asked. */
static bool slow_allowed(const Slow *s, const BpeParams *p, uint32_t n_alphabet, uint32_t a, uint32_t b)
{
    return !p->max_token_length || (a < n_alphabet && b < n_alphabet) ||
           s->bytes[a] + s->bytes[b] < p->max_token_length;
}

static bool slow_step(Slow *s, const BpeParams *p, uint32_t n_alphabet, Merge *m)
{
    uint64_t best = 0;

    for (uint32_t a = 0; a < s->n_ids; a++)
        for (uint32_t b = 0; b < s->n_ids; b++) {
            uint64_t n = slow_allowed(s, p, n_alphabet, a, b) ? slow_count(s, a, b) : 0;
            if (n > best) best = n, *m = (Merge){a, b};
        }
    if (best == 0 || best < p->min_frequency || s->n_ids >= p->vocab_size) return false;
    for (size_t k = 0; k < s->n_words; k++) {
        SlowWord *w = &s->word[k];
        size_t n = 0;
        for (size_t i = 0; i < w->n; i++)
            if (i + 1 < w->n && w->id[i] == m->left && w->id[i + 1] == m->right)
                w->id[n++] = s->n_ids, i++;
            else
                w->id[n++] = w->id[i];
        w->n = n;
    }
    s->bytes[s->n_ids] = s->bytes[m->left] + s->bytes[m->right];
    s->n_ids++;
    return true;
}

static void random_text(Buf *text, uint64_t seed, const char *const *unit, size_t n_units, size_t n)
{
    buf_reset(text);
    for (size_t i = 0; i < n; i++) buf_puts(text, unit[mix64(seed * 1000 + i) % n_units]);
}

static ErrCode learn(const BpeParams *p, BpeCounter *counts, BpeModel *model, Buf *store, Err *err)
{
    BpeTask task = {.params = p, .threads = 1 + (int)(p->vocab_size % 3), .memory = p->vocab_size % 2};
    WordList words = {0};
    ErrCode rc = bpecounter_list(counts, UINT64_MAX, &words, err);

    if (rc == ERR_OK) {
        bpe_alphabet(p, &words, model);
        rc = bpe_learn(&task, &words, store, err);
    }
    wordlist_clear(&words);
    model->merges = (const Merge *)(const void *)store->p;
    model->n_merges = (uint32_t)(store->n / sizeof(Merge));
    return rc;
}

static void check_round(Span text, const BpeParams *p)
{
    static Slow slow;
    BpeModel model = {.n_alphabet = 0}, want = {.n_alphabet = 0};
    BpeCounter *words;
    Buf store = {0};
    Err err = {0};
    Merge m = {0, 0};

    CHECK_OK(bpecounter_new(&words, &pretokenizer_deepseek_llm, &err), &err);
    CHECK_OK(bpecounter_feed(words, text, &err), &err);
    CHECK_OK(learn(p, words, &model, &store, &err), &err);
    slow_start(&slow, text, p->all_bytes, &want);
    CHECK_SPAN(span(want.alphabet, want.n_alphabet), span(model.alphabet, model.n_alphabet));
    uint32_t n = 0;
    for (; n < SLOW_MAX_MERGES && slow_step(&slow, p, want.n_alphabet, &m); n++) {
        if (n >= model.n_merges) break;
        CHECK_INT(m.left, model.merges[n].left);
        CHECK_INT(m.right, model.merges[n].right);
    }
    CHECK_INT(n, model.n_merges);
    for (size_t k = 0; k < slow.n_words; k++) free(slow.word[k].id);
    bpecounter_free(words);
    buf_clear(&store);
}

TEST(trainer_equals_the_quadratic_one)
{
    static const char *const unit[] = {"a", "b", "a", " ", "\xd7\xa9", "c"};
    Buf text = {0};

    for (uint64_t seed = 0; seed < 60; seed++) {
        BpeParams p = {.vocab_size = 4 + (uint32_t)(mix64(seed) % 30),
                       .min_frequency = seed % 3,
                       .max_token_length = seed % 4 == 3 ? 3 + (uint32_t)(seed % 5) : 0};
        random_text(&text, seed, unit, 2 + seed % 5, 20 + mix64(seed + 9) % 120);
        check_round(buf_span(&text), &p);
    }
    buf_clear(&text);
}

static void learn_with(Span text, uint64_t memory, Buf *store)
{
    const BpeParams p = {.vocab_size = 4000};
    BpeTask task = {.params = &p, .threads = 2, .memory = memory};
    WordList words = {0};
    BpeCounter *c;
    Err err = {0};

    CHECK_OK(bpecounter_new(&c, &pretokenizer_deepseek_llm, &err), &err);
    CHECK_OK(bpecounter_feed(c, text, &err), &err);
    CHECK_OK(bpecounter_list(c, UINT64_MAX, &words, &err), &err);
    CHECK_OK(bpe_learn(&task, &words, store, &err), &err);
    bpecounter_free(c);
}

/* So little that pairs are counted in parts and epochs end early; the trainer is the same, so is what it does with all memory. */
TEST(little_memory_finds_the_same_merges)
{
    Buf text = {0}, want = {0}, have = {0};

    for (uint64_t i = 0; i < 30000; i++) {
        uint64_t word = mix64(mix64(i) % 12000);
        for (uint64_t n = 2 + word % 8; n; n--) buf_putc(&text, (char)('a' + (mix64(word + n) >> 59) % 26));
        buf_putc(&text, ' ');
    }
    learn_with(buf_span(&text), 0, &want);
    CHECK_INT(4000 - 27, want.n / sizeof(Merge));
    for (uint64_t memory = 1 << 20; memory <= 4 << 20; memory *= 2) {
        buf_reset(&have);
        learn_with(buf_span(&text), memory, &have);
        CHECK_SPAN(buf_span(&want), buf_span(&have));
    }
    buf_clear(&text);
    buf_clear(&want);
    buf_clear(&have);
}

TEST(runs_of_one_byte)
{
    for (size_t n = 1; n < 40; n++) {
        char run[41] = {0};
        memset(run, 'a', n);
        BpeParams p = {.vocab_size = 20};
        check_round(span_str(run), &p);
    }
}

TEST(all_bytes_come_first_in_the_order_of_their_characters)
{
    BpeParams p = {.vocab_size = 258, .all_bytes = true};
    BpeModel model;
    BpeCounter *words;
    Buf store = {0};
    Err err = {0};

    CHECK_OK(bpecounter_new(&words, &pretokenizer_deepseek_llm, &err), &err);
    CHECK_OK(bpecounter_feed(words, SPAN_LIT("ab ab ab"), &err), &err);
    CHECK_OK(learn(&p, words, &model, &store, &err), &err);
    CHECK_INT(256, model.n_alphabet);
    CHECK_INT('!', model.alphabet[0]);
    CHECK_INT(0, model.alphabet[188]); /* NUL is U+0100, behind the 188 bytes that are themselves */
    CHECK_INT(2, model.n_merges);
    bpecounter_free(words);
    buf_clear(&store);
}

TEST(counters_add_up_in_any_split)
{
    static const char *const unit[] = {"the ",
                                       "word",
                                       " of",
                                       "\xe4\xb8\xad\xe6\x96\x87",
                                       "a long word of many many letters:",
                                       "supercalifragilistic",
                                       "\n",
                                       "7"};
    BpeParams p = {.vocab_size = 300, .all_bytes = true, .pretokenizer = &pretokenizer_deepseek_llm};
    Buf text = {0}, first = {0}, json = {0};
    Err err = {0};

    for (int split = 1; split <= 7; split += 3) {
        BpeCounter *c[7] = {NULL};
        for (int i = 0; i < split; i++) CHECK_OK(bpecounter_new(&c[i], &pretokenizer_deepseek_llm, &err), &err);
        for (uint64_t doc = 0; doc < 3000; doc++) {
            random_text(&text, doc, unit, 8, 10);
            buf_printf(&text, " w%u longer-than-fifteen-%u", (unsigned)doc, (unsigned)doc);
            CHECK_OK(bpecounter_feed(c[doc % (uint64_t)split], buf_span(&text), &err), &err);
        }
        for (int i = 1; i < split; i++) CHECK_OK(bpecounter_merge(c[0], c[i], &err), &err);
        buf_reset(&json);
        CHECK_OK(bpe_train(&p, c[0], &json, &err), &err);
        if (split == 1) buf_put_span(&first, buf_span(&json));
        CHECK_SPAN(buf_span(&first), buf_span(&json));
        for (int i = 0; i < split; i++) bpecounter_free(c[i]);
    }
    buf_clear(&text);
    buf_clear(&first);
    buf_clear(&json);
}

/* The flag of a signal stays up, so this happens in a process of its own. */
TEST(merging_heeds_a_signal)
{
    BpeParams p = {.vocab_size = 300, .all_bytes = true, .pretokenizer = &pretokenizer_deepseek_llm};
    BpeCounter *words;
    BpeModel model;
    Buf store = {0};
    int status = 0;
    Err err = {0};

    CHECK_OK(bpecounter_new(&words, &pretokenizer_deepseek_llm, &err), &err);
    CHECK_OK(bpecounter_feed(words, SPAN_LIT("tea tea tea of of"), &err), &err);
    pid_t pid = fork();
    if (pid == 0) {
        interrupt_install();
        raise(SIGTERM);
        _exit(learn(&p, words, &model, &store, &err) == ERR_INTR ? 0 : 1);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    bpecounter_free(words);
}

TEST(bytelevel_is_a_bijection)
{
    Buf text = {0}, back = {0};
    uint8_t all[256];

    for (int b = 0; b < 256; b++) {
        all[b] = (uint8_t)b;
        CHECK_INT(b, bytelevel_byte(bytelevel_cp((uint8_t)b)));
    }
    bytelevel_put(&text, span(all, 256));
    CHECK(bytelevel_read(&back, buf_span(&text)));
    CHECK_SPAN(span(all, 256), buf_span(&back));
    CHECK(!bytelevel_read(&back, SPAN_LIT("ab\xe4\xb8\xad")));
    CHECK_INT(256, back.n);
    CHECK_INT(-1, bytelevel_byte(' '));
    CHECK_INT(-1, bytelevel_byte(0x144));
    buf_clear(&text);
    buf_clear(&back);
}

static ErrCode count_text(void *ctx, Err *err)
{
    const char *const path = ctx;
    const Par par = par_alone(2);
    BpeSource source = {.path = &path, .n = 1, .text = true, .par = &par};
    GatherSpec spec = {.memory = 1 << 30, .max_symbols = 1 << 20, .pretokenizer = &pretokenizer_deepseek_llm};
    Buf inputs = {0}, contents = {0};
    WordGather *g = NULL;
    WordList words = {0};
    BpeInput *in = NULL;
    BpeDocs docs = {0};
    ErrCode rc = bpeinput_open(&in, &source, err);

    if (rc == ERR_OK) {
        bpeinput_describe(in, &inputs, &contents);
        rc = buf_ok(&inputs, "inputs", err);
    }
    if (rc == ERR_OK) rc = buf_ok(&contents, "inputs", err);
    if (rc == ERR_OK) rc = wordgather_open(&g, &spec, &par, err);
    if (rc == ERR_OK && (rc = bpeinput_count(in, g, false, &docs, err)) == ERR_OK) CHECK_INT(3, docs.n_taken);
    if (rc == ERR_OK && (rc = wordgather_finish(g, &words, err)) == ERR_OK) CHECK_INT(4, words.n_words);
    wordgather_close(g);
    wordlist_clear(&words);
    bpeinput_close(in);
    buf_clear(&inputs);
    buf_clear(&contents);
    return rc;
}

TEST(counting_without_memory)
{
    Arena a = {0};
    char *path = path_join(&a, check_tmpdir(), "text");
    Err err = {0};

    log_setup(LOG_QUIET, 0);
    CHECK_OK(store_write(path, SPAN_LIT("tea\nof\n\xff"), &err), &err);
    alloc_fault_each(count_text, NULL, path);
    arena_clear(&a);
}
