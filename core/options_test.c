#include "core/options.h"
#include "tests/check.h"

typedef struct {
    uint32_t bands, kind;
    uint64_t seed, memory;
    double alpha;
    const char *out;
    bool force;
    OptList keep;
    OptTask task;
} Values;

static const char *const kinds[] = {"zh", "en", NULL};

/* Parses words (NULL-terminated) into v; *first is the index of the first operand. */
static ErrCode parse(Values *v, char **words, int *first, Err *err)
{
    const OptSpec specs[] = {
        OPT_HEAD("Numbers:"),
        OPT_U32('b', "bands", &v->bands, "N", "bands"),
        OPT_U64('s', "seed", &v->seed, "N", "seed"),
        OPT_SIZE(0, "memory", &v->memory, "SIZE", "budget"),
        OPT_F64(0, "alpha", &v->alpha, "X", "temperature"),
        OPT_NEED('o', "out", &v->out, "DIR", "output"),
        OPT_FLAG(0, "force", &v->force, "anew"),
        OPT_LIST('k', "keep", &v->keep, "X", "several"),
        OPT_CHOICE(0, "kind", &v->kind, kinds, "KIND", "zh or en"),
        OPT_TASK(0, "task", &v->task, "I/N", "share"),
        OPT_END,
    };
    const OptVerb verb = {"test", "[options] -o DIR INPUT...", "Test.", specs, NULL};
    int argc = 0;

    while (words[argc]) argc++;
    return options_parse(&verb, argc, words, first, err);
}

TEST(options_fill_their_variables_in_any_order)
{
    Values v = {0};
    Err err = {.code = ERR_OK};
    int first;
    char *words[] = {"test",   "in1",          "-b20",    "--seed", "18446744073709551615",
                     "in2",    "--memory=24G", "--alpha", "-0.5",   "-o",
                     "dir",    "--force",      "-k",      "a",      "--keep=b",
                     "--kind", "en",           "--task",  "3/4",    NULL};

    CHECK_OK(parse(&v, words, &first, &err), &err);
    CHECK_INT(20, v.bands);
    CHECK(v.seed == UINT64_MAX && v.memory == 24ull << 30 && v.alpha == -0.5 && v.force);
    CHECK_STR("dir", v.out);
    CHECK_INT(2, v.keep.n);
    CHECK_STR("b", v.keep.v[1]);
    CHECK_INT(1, v.kind);
    CHECK(v.task.index == 3 && v.task.count == 4);
    CHECK_STR("in1", words[first]);
    CHECK_STR("in2", words[first + 1]);
    optlist_clear(&v.keep);
}

TEST(wrong_options_are_one_clear_line)
{
    static char *cases[][6] = {
        {"test", "-o", "d", "--bands", "-1", NULL},
        {"test", "-o", "d", "--bands", "4294967296", NULL},
        {"test", "-o", "d", "--memory", "3Q", NULL},
        {"test", "-o", "d", "--alpha", "nan", NULL},
        {"test", "-o", "d", "--kind", "fr", NULL},
        {"test", "-o", "d", "--task", "4/4", NULL},
        {"test", "-o", "d", "--nosuch", NULL},
        {"test", "-o", "d", "-z", NULL},
        {"test", "-o", NULL},
        {"test", "--force", NULL},
        {"test", "-o", "d", "--task", "1", NULL},
        {"test", "-o", "d", "--memory", "99999999999T", NULL},
        {"test", "-o", "d", "--band", "3", NULL}, /* long names in full */
        {"test", "--ou=d", NULL},
        {"test", "-o", "d", "--hel", NULL},
        {"test", "-o", "d", "--keep", "--force", NULL}, /* not the next option for a value */
        {"test", "-o", "d", "--force=1", NULL},
        {"test", "-o", "d", "--check-options", "--alpha=x", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Values v = {0};
        Err err = {.code = ERR_OK};
        int first;
        CHECK_INT(ERR_USAGE, parse(&v, cases[i], &first, &err));
        CHECK(span_starts(span_str(err.msg), SPAN_LIT("test: ")));
        optlist_clear(&v.keep);
    }
}

TEST(the_wrong_word_is_the_one_that_is_named)
{
    static char *args[][5] = {{"test", "-o", "d", "-zk", NULL},
                              {"test", "-o", "d", "--nosuch", NULL},
                              {"test", "-o", "d", "--help=1", NULL},
                              {"test", "-o", "d", "--force=1", NULL}};
    static const char *const want[] = {"unknown option -z", "unknown option --nosuch", "no value goes with --help=1",
                                       "no value goes with --force=1"};

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        Values v = {0};
        Err err = {.code = ERR_OK};
        char msg[100];
        int first;
        snprintf(msg, sizeof msg, "test: %s; try tamis test --help", want[i]);
        CHECK_INT(ERR_USAGE, parse(&v, args[i], &first, &err));
        CHECK_STR(msg, err.msg);
    }
}

/* The last value would win in silence; a flag says the same twice. */
TEST(a_value_is_given_once)
{
    static char *twice[][7] = {{"test", "-o", "d", "--bands=3", "-b", "3", NULL},
                               {"test", "-o", "d", "--kind", "zh", "--kind=en", NULL},
                               {"test", "--out", "a", "--out", "b", NULL}};
    static char *again[] = {"test", "-o", "d", "--force", "--force", "-ka", "-ka", NULL};
    static const char *const names[] = {"--bands", "--kind", "--out"};
    Values v = {0};
    Err err = {.code = ERR_OK};
    char msg[100];
    int first;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        CHECK_INT(ERR_USAGE, parse(&v, twice[i], &first, &err));
        snprintf(msg, sizeof msg, "test: %s is given twice; try tamis test --help", names[i]);
        CHECK_STR(msg, err.msg);
        err = (Err){.code = ERR_OK};
    }
    CHECK_OK(parse(&v, again, &first, &err), &err);
    CHECK_INT(2, v.keep.n);
    optlist_clear(&v.keep);
}

TEST(a_wrong_choice_lists_the_right_ones)
{
    static char *args[] = {"test", "-o", "d", "--kind", "fr", NULL};
    Values v = {0};
    Err err = {.code = ERR_OK};
    int first;

    CHECK_INT(ERR_USAGE, parse(&v, args, &first, &err));
    CHECK_STR("test: --kind wants zh or en, not \"fr\"", err.msg);
}

static ErrCode few_bands(void *bands, Err *err)
{
    return *(uint32_t *)bands < 10 ? ERR_OK : err_set(err, ERR_USAGE, "test: --bands is at most 9");
}

/* Nothing is left to the caller's hands where only a check was asked for: no operands wanted, lists cleared. */
TEST(options_can_be_checked_alone)
{
    uint32_t bands = 1;
    const char *out = NULL;
    OptList keep = {0};
    const OptSpec specs[] = {OPT_U32('b', "bands", &bands, "N", "bands"), OPT_NEED('o', "out", &out, "DIR", "output"),
                             OPT_LIST('k', "keep", &keep, "X", "several"), OPT_CHECK(few_bands, &bands), OPT_END};
    const OptVerb verb = {"test", "[options]", "Test.", specs, NULL};
    char *good[] = {"test", "--check-options", "-o", "d", "--keep=a", NULL};
    char *bad[] = {"test", "--check-options", "-o", "d", "-b", "10", NULL};
    Err err = {.code = ERR_OK};
    int first;

    CHECK_INT(ERR_NO, options_parse(&verb, 5, good, &first, &err));
    CHECK(keep.v == NULL && keep.n == 0);
    CHECK_INT(ERR_USAGE, options_parse(&verb, 6, bad, &first, &err));
    CHECK_STR("test: --bands is at most 9", err.msg);
    CHECK_INT(ERR_USAGE, options_parse(&verb, 2, good, &first, &err)); /* --out is missing */
}

TEST(force_is_not_for_one_task_of_several)
{
    CommonOptions c = {.force = true, .task = {0, 1}};
    Err err = {.code = ERR_OK};

    CHECK_OK(common_check(&c, &err), &err);
    c.task = (OptTask){1, 2};
    CHECK_INT(ERR_USAGE, common_check(&c, &err));
    CHECK(strstr(err.msg, "--task") != NULL);
    c.force = false;
    CHECK_OK(common_check(&c, &err), &err);
}

TEST(threads_beyond_any_machine_are_refused)
{
    Par par;
    Err err = {.code = ERR_OK};

    CHECK_INT(ERR_USAGE, par_start(&par, PAR_MAX_THREADS + 1, &err));
    CHECK(strstr(err.msg, "--threads") != NULL);
    CHECK_INT(ERR_USAGE, par_start(&par, (int)4000000000u, &err));
    CHECK_INT(1, par.n_ranks);
    par = par_alone(2);
    CHECK(par_memory(&par) > 1 << 20);
}

TEST(sizes_have_binary_units)
{
    uint64_t v;

    CHECK(parse_size("4096", &v) && v == 4096);
    CHECK(parse_size("1k", &v) && v == 1024);
    CHECK(parse_size("800M", &v) && v == 800ull << 20);
    CHECK(parse_size("2T", &v) && v == 2ull << 40);
    CHECK(!parse_size("", &v) && !parse_size("K", &v) && !parse_size("1.5G", &v) && !parse_size("16777216T", &v));
}

TEST(bands_may_be_given_several_times)
{
    AlarmBands bands = {0};
    const OptSpec specs[] = {OPT_ALARM(0, "alarm", &bands, "BAND", "bands"), OPT_END};
    const OptVerb verb = {"test", "INPUT", "Test.", specs, NULL};
    char *words[] = {"test", "--alarm", "drop=0:0.5", "--alarm=lang/en=0.25:1", "in", NULL},
         *wrong[] = {"test", "--alarm=drop", NULL};
    Err err = {.code = ERR_OK};
    int first;

    CHECK_OK(options_parse(&verb, 5, words, &first, &err), &err);
    CHECK_INT(2, bands.n);
    CHECK_SPAN(SPAN_LIT("drop"), bands.v[0].name);
    CHECK_SPAN(SPAN_LIT("lang/en"), bands.v[1].name);
    CHECK(bands.v[1].low == 0.25 && bands.v[1].high == 1);
    CHECK_INT(ERR_USAGE, options_parse(&verb, 2, wrong, &first, &err));
    CHECK_STR("test: --alarm wants NAME=LOW:HIGH with 0 <= LOW <= HIGH <= 1, not \"drop\"", err.msg);
    bands.n = ALARM_MAX_BANDS;
    CHECK_INT(ERR_USAGE, options_parse(&verb, 5, words, &first, &err));
}

TEST(verbs_alone_count_their_operands)
{
    CommonOptions common = {0};
    const OptSpec specs[] = {OPT_COMMON_TALK(&common), OPT_END};
    const OptVerb verb = {"test", "A B", "Test.", specs, NULL};
    char *words[] = {"test", "-q", "a", "b", "c", NULL};
    Err err = {.code = ERR_OK};
    int first = 0;

    CHECK_INT(ERR_USAGE, verb_begin_alone(&verb, 3, words, &common, 2, 2, "two are wanted", &first, &err));
    CHECK_STR("test: two are wanted; try tamis test --help", err.msg);
    CHECK_INT(ERR_USAGE, verb_begin_alone(&verb, 5, words, NULL, 2, 2, "two are wanted", &first, &err));
    CHECK_OK(verb_begin_alone(&verb, 4, words, NULL, 2, 2, "two are wanted", &first, &err), &err);
    CHECK_STR("a", words[first]);
}
