#include "core/alarm.h"

#include "core/store.h"
#include "tests/check.h"

#include <sys/stat.h>

static Err err;
static const char *const reasons[] = {"short", "near_duplicate"};

static AlarmBands bands_of(const char *text)
{
    AlarmBands b = {.n = 1};
    CHECK(alarm_parse(text, &b.v[0]));
    return b;
}

/* The verdict over n documents of which so many are dropped for each reason, when so many more may come. */
static ErrCode judge_so_far(const char *band, uint64_t n_in, uint64_t n_short, uint64_t n_near, double to_come)
{
    const AlarmBands b = bands_of(band);
    const uint64_t dropped[2] = {n_short, n_near};
    const Counters none = {0};
    const AlarmBand *left = NULL;
    err = (Err){0};
    ErrCode rc = alarm_judge(&b, "run/clean", &(AlarmCounts){n_in, reasons, dropped, 2, &none, to_come}, &left, &err);
    CHECK((rc == ERR_NO) == (left == &b.v[0]));
    return rc;
}
static ErrCode judge(const char *band, uint64_t n_in, uint64_t n_short, uint64_t n_near)
{
    return judge_so_far(band, n_in, n_short, n_near, 0);
}

TEST(bands_are_read)
{
    static const char *const wrong[] = {
        "drop",       "drop=0.1",      "drop=0.1:",     "=0.1:0.2", "drop=0.2:0.1",  "drop=-1:0.5",  "drop=0:1.5",
        "drop=nan:1", "drop=0.1:0.2x", "drop=0.1 :0.2", "drop=:1",  "drop=0.1:0.2:", "drop= 0.1:0.2"};
    AlarmBand b;

    CHECK(alarm_parse("lang/en=0.25:1", &b));
    CHECK_SPAN(SPAN_LIT("lang/en"), b.name);
    CHECK(b.low == 0.25 && b.high == 1);
    CHECK(alarm_parse("domain/a=b=0:0", &b));
    CHECK_SPAN(SPAN_LIT("domain/a=b"), b.name);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) CHECK(!alarm_parse(wrong[i], &b));
}

TEST(names_are_drop_a_reason_or_of_a_group)
{
    const AlarmBands bad = bands_of("shorty=0:1");

    for (int i = 0; i < 3; i++) {
        const AlarmBands good = bands_of(i == 0 ? "drop=0:1" : i == 1 ? "short=0:1" : "lang/xx=0:1");
        CHECK_OK(alarm_check(&good, reasons, 2, &err), &err);
    }
    CHECK_INT(ERR_USAGE, alarm_check(&bad, reasons, 2, &err));
    CHECK(strstr(err.msg, "shorty"));
}

TEST(the_whole_is_judged_exactly)
{
    CHECK_INT(ERR_OK, judge("drop=0.2:0.5", 10, 2, 0));
    CHECK_INT(ERR_OK, judge("drop=0.2:0.5", 10, 2, 3)); /* 0.5, the edge, by both reasons */
    CHECK_INT(ERR_NO, judge("drop=0.2:0.5", 10, 3, 3));
    CHECK_INT(ERR_NO, judge("drop=0.2:0.5", 10, 1, 0));
    CHECK_INT(ERR_OK, judge("near_duplicate=0.2:0.5", 10, 8, 2));
    CHECK_INT(ERR_NO, judge("near_duplicate=0.2:0.5", 10, 3, 1));
    CHECK_INT(ERR_NO, judge("drop=0.2:0.5", 0, 0, 0)); /* nothing came in: 0 */
    CHECK_INT(ERR_OK, judge("drop=0:0.5", 0, 0, 0));
    CHECK_INT(ERR_NO, judge("drop=0:0.5", 1000, 990, 0));
    CHECK_STR("alarm: run/clean: drop is 0.99 of 1000 documents, outside 0:0.5; finished parts stay: look at them, "
              "then give "
              "--no-alarm or another band",
              err.msg);
}

/* Every way the rest could go, tried: stopping is right exactly when none of them ends inside the band. */
TEST(a_beginning_stops_what_nothing_can_bring_back)
{
    static const struct {
        const char *text;
        double low, high;
    } bands[] = {
        {"drop=0.4:0.6", 0.4, 0.6}, {"drop=0:0.1", 0, 0.1}, {"drop=0.9:1", 0.9, 1}, {"drop=0.5:0.5", 0.5, 0.5}};
    enum { ALL = 20 };

    for (size_t k = 0; k < sizeof bands / sizeof *bands; k++)
        for (uint64_t n_in = 0; n_in <= ALL; n_in++)
            for (uint64_t bad = 0; bad <= n_in; bad++) {
                bool inside = false;
                for (uint64_t more = 0; more <= ALL - n_in; more++) {
                    const double rate = (double)(bad + more) / ALL;
                    inside |= rate >= bands[k].low && rate <= bands[k].high;
                }
                /* 0.5 of 20 is 10; of the others no multiple of 1/20 can be jumped over either */
                CHECK_INT(inside ? ERR_OK : ERR_NO, judge_so_far(bands[k].text, n_in, bad, 0, (double)(ALL - n_in)));
            }
    /* Six parts dropped whole, six to come, ordered: the end is 0.5. */
    CHECK_INT(ERR_OK, judge_so_far("drop=0.4:0.6", 600000, 600000, 0, 600000));
    CHECK_INT(ERR_NO, judge_so_far("short=0:0", 10000, 1, 0, 1e9));
    CHECK(strstr(err.msg, " so far, outside 0:0 whatever follows; "));
}

TEST(a_group_is_judged_by_its_own_sum)
{
    Counters c = {0};
    const uint64_t dropped[2] = {0};

    counters_add(&c, SPAN_LIT("lang"), SPAN_LIT("en"), 30, 1);
    counters_add(&c, SPAN_LIT("lang"), SPAN_LIT("zh-Hans"), 70, 1);
    counters_add(&c, SPAN_LIT("mime"), SPAN_LIT("en"), 1000, 1);
    const struct {
        const char *band;
        double to_come;
        ErrCode want;
    } at[] = {{"lang/en=0.3:0.3", 0, ERR_OK}, {"lang/en=0.31:1", 0, ERR_NO},     {"lang/zh-Hans=0:0.69", 0, ERR_NO},
              {"lang/fr=0:0", 0, ERR_OK},     {"lang/fr=0.1:1", 0, ERR_NO},      {"lang/fr=0:0.5", 0, ERR_USAGE},
              {"lang/fr=0:0.5", 1, ERR_OK},   {"lang/zh-Hant=0:0.5", 0, ERR_OK}, {"mime/fr=0:0.5", 0, ERR_USAGE},
              {"lang/en=0:0.1", 199, ERR_NO},                                /* 30/299 at least */
              {"lang/en=0:0.1", 200, ERR_OK}, {"lang/en=0.5:1", 39, ERR_NO}, /* 69/139 at most */
              {"lang/en=0.5:1", 40, ERR_OK}};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        const AlarmBands b = bands_of(at[i].band);
        const AlarmCounts counts = {5000, reasons, dropped, 2, &c, at[i].to_come};
        CHECK_INT(at[i].want, alarm_judge(&b, "d", &counts, NULL, &err));
    }
    counters_clear(&c);
}

TEST(a_misspelt_name_is_told_the_right_ones)
{
    Counters c = {0};
    const AlarmBands b = bands_of("domain/wbe-en=0:0.5");
    const uint64_t dropped[2] = {0};

    for (int i = 0; i < 300; i++) {
        char name[16];
        snprintf(name, sizeof name, "d%03d", i);
        counters_add(&c, SPAN_LIT("domain"), span_str(name), 1, 1);
    }
    counters_add(&c, SPAN_LIT("other"), SPAN_LIT("none of it"), 1, 1);
    const AlarmCounts counts = {300, reasons, dropped, 2, &c, 0};
    CHECK_INT(ERR_USAGE, alarm_judge(&b, "run/mixed", &counts, NULL, &err));
    CHECK(strstr(err.msg,
                 "alarm: run/mixed: domain/wbe-en: nothing is counted under that name, but under d000, d001, "));
    CHECK(strstr(err.msg, "d033, …; give --no-alarm or one of these"));
    counters_clear(&c);
}

/* A mistaken name, unless nothing was kept that could have been counted. */
TEST(a_group_that_does_not_exist_is_said)
{
    CHECK_INT(ERR_USAGE, judge("lagn/en=0:0.1", 1000, 999, 0));
    CHECK(strstr(err.msg, "lagn/en"));
    CHECK_INT(ERR_OK, judge("lagn/en=0:0.1", 1000, 999, 1));
    CHECK_INT(ERR_NO, judge("lang/en=0.1:1", 1000, 999, 1));
    CHECK_INT(ERR_OK, judge("lang/en=0:0.1", 0, 0, 0));
    CHECK_INT(ERR_OK, judge_so_far("lagn/en=0:0.1", 1000, 0, 0, 1));
}

TEST(the_last_runs_bands_are_kept)
{
    static const char *const damaged[] = {"{", "{}", "{\"bands\":[{\"name\":\"drop\",\"low\":1,\"high\":0}]}",
                                          "{\"bands\":[3]}", "{\"bands\":[{\"name\":7,\"low\":0,\"high\":1}]}"};
    const char *dir = check_tmpdir();
    AlarmBands b = {0}, back;
    Arena a = {0};
    char path[4096];

    CHECK_OK(alarm_load(&a, dir, &back, &err), &err);
    CHECK_INT(0, back.n);
    CHECK(alarm_parse("drop=0.1:0.7", &b.v[b.n++]) && alarm_parse("lang/\"x\\=0:1", &b.v[b.n++]));
    CHECK_OK(alarm_publish(dir, &b, true, &err), &err);
    CHECK_OK(alarm_load(&a, dir, &back, &err), &err);
    CHECK_INT(2, back.n);
    for (size_t i = 0; i < back.n; i++) {
        CHECK_SPAN(b.v[i].name, back.v[i].name);
        CHECK(b.v[i].low == back.v[i].low && b.v[i].high == back.v[i].high);
    }
    b.n = 0;
    CHECK_OK(alarm_publish(dir, &b, true, &err), &err);
    CHECK_OK(alarm_load(&a, dir, &back, &err), &err);
    CHECK_INT(0, back.n);
    snprintf(path, sizeof path, "%s/" ALARM_FILE, dir);
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        CHECK_OK(store_write(path, span_str(damaged[i]), &err), &err);
        CHECK_INT(ERR_DATA, alarm_load(&a, dir, &back, &err));
    }
    arena_clear(&a);
}

static ino_t inode_of(const char *dir, const char *name)
{
    char path[4096];
    struct stat st = {0};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* The same bands are not written again; tasks without bands leave them, --no-alarm and whole runs do not. */
TEST(tasks_leave_the_bands_alone)
{
    const char *dir = check_tmpdir();
    AlarmBands b = bands_of("drop=0.1:0.7"), none = {0};

    CHECK_OK(alarm_publish(dir, &b, false, &err), &err);
    const ino_t was = inode_of(dir, ALARM_FILE);
    CHECK_OK(alarm_publish(dir, &b, false, &err), &err);
    CHECK_OK(alarm_publish(dir, &none, false, &err), &err);
    CHECK(was && inode_of(dir, ALARM_FILE) == was);
    b.v[0].high = 0.8;
    CHECK_OK(alarm_publish(dir, &b, false, &err), &err);
    CHECK(inode_of(dir, ALARM_FILE) != was);
    CHECK_OK(alarm_publish(dir, &none, true, &err), &err);
    CHECK_INT(0, inode_of(dir, ALARM_FILE));
}

TEST(others_hear_of_an_alarm_that_is_theirs)
{
    const char *dir = check_tmpdir();
    const AlarmBands b = bands_of("lang/en=0.1:0.7"), other = bands_of("lang/en=0.1:0.8"), none = {0};

    CHECK_OK(alarm_fired(dir, &b, &err), &err);
    CHECK_OK(alarm_fire(dir, &b.v[0], &err), &err);
    CHECK_INT(ERR_NO, alarm_fired(dir, &b, &err));
    CHECK(strstr(err.msg, "lang/en outside 0.1:0.7"));
    CHECK_OK(alarm_fired(dir, &other, &err), &err);
    CHECK_OK(alarm_fired(dir, &none, &err), &err);
    CHECK_OK(alarm_publish(dir, &b, false, &err), &err); /* a task of the same job */
    CHECK_INT(ERR_NO, alarm_fired(dir, &b, &err));
    CHECK_OK(alarm_publish(dir, &b, true, &err), &err);
    CHECK_OK(alarm_fired(dir, &b, &err), &err);
}
