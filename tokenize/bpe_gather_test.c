/* Words that leave memory against words that stay. */
#include "tokenize/bpe_gather.h"

#include "core/hash.h"
#include "tests/check.h"
#include "tokenize/pretoken.h"

typedef struct {
    uint64_t n_words, sum, n_spills; /* sum: of words and counts in any order */
} Gathered;

/* n documents of 200 words, most of which come once. */
static Gathered gather(const GatherSpec *spec, int threads, uint64_t n)
{
    const Par par = par_alone(threads);
    WordList list = {0};
    Buf text = {0};
    BpeCounter *c;
    WordGather *g;
    Err err = {0};

    CHECK_OK(wordgather_open(&g, spec, &par, &err), &err);
    for (uint64_t i = 0; i < n; i++) {
        buf_reset(&text);
        for (uint64_t k = 0; k < 200; k++) {
            buf_putc(&text, ' ');
            for (uint64_t r = mix64(i * 200 + k) % 300000 | 1 << 20; r; r /= 26)
                buf_putc(&text, (char)('a' + r % 26));
        }
        CHECK_OK(wordgather_counter(g, (int)(i % (uint64_t)threads), &c, &err), &err);
        CHECK_OK(bpecounter_feed(c, buf_span(&text), &err), &err);
    }
    Gathered of = {.n_spills = wordgather_n_spills(g)};
    CHECK_OK(wordgather_finish(g, &list, &err), &err);
    of.n_words = list.n_words, of.sum = wordlist_sum(&list);
    wordlist_clear(&list);
    wordgather_close(g);
    buf_clear(&text);
    return of;
}

static GatherSpec spec_of(uint64_t memory)
{
    return (GatherSpec){.memory = memory,
                        .max_symbols = UINT64_MAX,
                        .pretokenizer = &pretokenizer_deepseek_llm,
                        .scratch = check_tmpdir()};
}

/* Its counters with all threads would be full before they have a word. */
TEST(little_memory_is_of_fewer_threads)
{
    const GatherSpec spec = spec_of(12 << 20);
    const Par par = par_alone(64);
    WordGather *g;
    Err err = {0};

    CHECK_OK(wordgather_open(&g, &spec, &par, &err), &err);
    CHECK_INT(2, wordgather_par(g)->threads);
    wordgather_close(g);
    CHECK_INT(0, gather(&spec, 2, 40).n_spills);
    CHECK(gather(&spec, 2, 1000).n_spills > 0);
}

/* When a table can have no more of them, or one table not those of all threads. */
TEST(words_beyond_a_table)
{
    GatherSpec spec = spec_of(1 << 30);
    const Gathered want = gather(&spec, 1, 1000);

    CHECK_INT(0, want.n_spills);
    CHECK(want.n_words > 100000);
    spec.max_text = 4 << 20;
    for (int threads = 1; threads <= 8; threads += 7) {
        const Gathered have = gather(&spec, threads, 1000);
        CHECK_INT(threads == 1, have.n_spills > 0);
        CHECK_INT(want.n_words, have.n_words);
        CHECK_INT(want.sum, have.sum);
    }
}
