#include "ingest/hopeless.h"

#include "core/buf.h"
#include "tests/check.h"

static void repeat(Buf *b, const char *s, int n)
{
    buf_reset(b);
    for (int i = 0; i < n; i++) buf_puts(b, s);
}

TEST(hopeless_texts_are_told)
{
    static const struct {
        const char *piece;
        int n;
        Lang lang;
        Hopeless want;
    } cases[] = {
        {"letters ", 21, LANG_EN, HOPELESS_SHORT},
        {"letters ", 22, LANG_EN, HOPELESS_NOT},
        {"\xe5\xad\x97", 59, LANG_OTHER, HOPELESS_SHORT}, /* 60 Han make 1500 tenths */
        {"\xe5\xad\x97", 60, LANG_OTHER, HOPELESS_NOT},
        {"\xe5\xad\x97", 79, LANG_ZH_HANS, HOPELESS_SHORT}, /* of Chinese all characters count, as filter's do */
        {"\xe5\xad\x97", 80, LANG_ZH_HANT, HOPELESS_NOT},
        {"\xe5\xad\x97\xe3\x80\x82", 39, LANG_ZH_HANS, HOPELESS_SHORT},
        {"\xe5\xad\x97\xe3\x80\x82", 40, LANG_ZH_HANS, HOPELESS_NOT},
        {"\xe5\xad\x97", 59, LANG_CODE, HOPELESS_NOT},
        {"\xd0\xb6", 149, LANG_OTHER, HOPELESS_SHORT},
        {"\xd0\xb6", 150, LANG_OTHER, HOPELESS_NOT},
        {"12.50 ab ", 500, LANG_EN, HOPELESS_FEW_LETTERS}, /* 2 of 7 */
        {"12.5 ab  ", 500, LANG_EN, HOPELESS_NOT},         /* 2 of 6 */
        {"12.50 \xe5\xad\x97\xe5\xad\x97", 500, LANG_ZH_HANS, HOPELESS_FEW_LETTERS},
        {"{};=() x1 ", 500, LANG_CODE, HOPELESS_NOT}};
    Buf text = {0};

    CHECK_INT(HOPELESS_SHORT, hopeless_why((Span){NULL, 0}, LANG_OTHER));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        repeat(&text, cases[i].piece, cases[i].n);
        Span edge = check_edge(buf_span(&text));
        CHECK_INT(cases[i].want, hopeless_why(edge, cases[i].lang));
        check_edge_free(edge);
    }
    buf_clear(&text);
}

/* A long text is judged by its beginning, which ends at a character's edge. */
TEST(hopeless_looks_at_the_beginning)
{
    Buf text = {0};

    repeat(&text, "\xe5\xad\x97", 30000);
    CHECK_INT(HOPELESS_NOT, hopeless_why(buf_span(&text), LANG_ZH_HANS));
    repeat(&text, "1234567 ", 8192);
    for (int i = 0; i < 20000; i++) buf_puts(&text, "letters ");
    CHECK_INT(HOPELESS_FEW_LETTERS, hopeless_why(buf_span(&text), LANG_EN));
    buf_clear(&text);
}
