#include "ingest/mojibake.h"

#include "core/hash.h"
#include "core/utf8.h"
#include "tests/check.h"

#include <iconv.h>
#include <stdlib.h>

static const char zh[] = "今天天气很好，我们一起去公园散步。孩子们在草地上玩耍，老人们坐在树下聊天。";
static const char fr[] = "Le café est fermé jusqu'à l'été prochain, déjà vu par les élèves à côté de l'école.";
static const char en[] = "It’s what they call a “small” change – a week’s work… and then some.";
static const char ru[] = "Сегодня очень хорошая погода, и мы вместе пошли гулять в парк.";

/* UTF-8 read in a charset and written as UTF-8: what windows-1252 lacks is read as Latin-1, what GBK lacks becomes '?'. */
static void misread(Buf *out, const char *charset, Span text)
{
    iconv_t cd = iconv_open("UTF-8", charset);
    char *in = (char *)(uintptr_t)text.p;
    size_t left = text.n;

    if (cd == (iconv_t)-1) abort();
    while (left) {
        if (!buf_reserve(out, left * 4 + 16)) abort();
        char *to = (char *)out->p + out->n;
        size_t room = left * 4 + 16;
        size_t rc = iconv(cd, &in, &left, &to, &room);
        out->n = (size_t)((uint8_t *)to - out->p);
        if (rc != (size_t)-1) continue;
        if (charset[0] == 'C')
            utf8_append(out, (uint8_t)*in);
        else
            buf_putc(out, '?');
        in++;
        left--;
    }
    iconv_close(cd);
}

static MojibakeResult check(Span page, Span want)
{
    MojibakeResult r;
    Mojibake *m;
    Err err = {0};

    CHECK_OK(mojibake_new(&m, &err), &err);
    CHECK_OK(mojibake_repair(m, &page, &r, &err), &err);
    CHECK_SPAN(want, page);
    mojibake_free(m);
    return r;
}

TEST(utf8_read_as_windows_1252_is_turned_back)
{
    static const char *const texts[] = {zh, fr, en, ru};

    for (int i = 0; i < 4; i++) {
        Buf once = {0}, twice = {0}, page = {0}, want = {0};
        misread(&once, "CP1252", span_str(texts[i]));
        misread(&twice, "CP1252", buf_span(&once));
        MojibakeResult r = check(buf_span(&once), span_str(texts[i]));
        CHECK(r.n_turned[MOJIBAKE_LATIN] >= 5 && r.n_turned[MOJIBAKE_TWICE] == 0);
        r = check(buf_span(&twice), span_str(texts[i]));
        CHECK(r.n_turned[MOJIBAKE_LATIN] >= 5 && r.n_turned[MOJIBAKE_TWICE] >= 5);
        /* A template that is whole stays so. */
        buf_printf(&page, "<h1>été à Paris</h1><p>%s</p><p>déjà</p>", buf_cstr(&once));
        buf_printf(&want, "<h1>été à Paris</h1><p>%s</p><p>déjà</p>", texts[i]);
        check(buf_span(&page), buf_span(&want));
        buf_clear(&once), buf_clear(&twice), buf_clear(&page), buf_clear(&want);
    }
}

TEST(utf8_read_as_gbk_is_turned_back)
{
    Buf wrong = {0}, page = {0};
    MojibakeResult r;

    misread(&wrong, "GB18030", SPAN_LIT("今天天气很好，我们一起去公园散步。孩子们在草地上玩乐"));
    r = check(buf_span(&wrong), SPAN_LIT("今天天气很好，我们一起去公园散步。孩子们在草地上玩乐"));
    CHECK_INT(26, r.n_turned[MOJIBAKE_GBK]);
    /* 25 characters are 75 bytes: the last byte has no pair and is lost. */
    wrong.n = 0;
    misread(&wrong, "GB18030", SPAN_LIT("今天天气很好，我们一起去公园散步。孩子们在草地上玩<"));
    check(buf_span(&wrong), SPAN_LIT("今天天气很好，我们一起去公园散步。孩子们在草地上\xef\xbf\xbd<"));
    buf_printf(&page, "<title>公园散步的锛</title><p>%s", buf_cstr(&wrong));
    check(buf_span(&page),
          SPAN_LIT("<title>公园散步的锛</title><p>今天天气很好，我们一起去公园散步。孩子们在草地上\xef\xbf\xbd<"));
    buf_clear(&wrong), buf_clear(&page);
}

TEST(what_is_right_stays)
{
    static const char *const texts[] = {zh,
                                        fr,
                                        en,
                                        ru,
                                        "NÃO, SENHOR. A MANHÃ” E O AVÔ” E “AMANHÃ”. CAFÉ” — CAFÉ” — CAFÉ”",
                                        "à\xc2\xa0» à\xc2\xa0» à\xc2\xa0» « là\xc2\xa0»",
                                        "an example: é shows as Ã©, and that is all",
                                        "有一种乱码是“锟斤拷”，另一种是“鐨勬槸”。",
                                        "plain"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        MojibakeResult r = check(span_str(texts[i]), span_str(texts[i]));
        for (int k = 0; k < MOJIBAKE_N; k++) CHECK_INT(0, r.n_turned[k]);
    }
}

TEST(traces_of_lost_characters_are_counted)
{
    CHECK_INT(0, mojibake_lost(span_str(zh)));
    CHECK_INT(2, mojibake_lost(SPAN_LIT("a\xef\xbf\xbd\xef\xbf\xbd")));
    CHECK_INT(6, mojibake_lost(SPAN_LIT("锟斤拷锟斤拷")));
    CHECK_INT(3, mojibake_lost(SPAN_LIT("烫烫烫烫")));
    CHECK_INT(0, mojibake_lost(SPAN_LIT("很烫")));
}
