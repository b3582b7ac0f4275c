# Dumps of pages that come again, for dedup_equal.sh and dedup_scale.sh; sourced.
#   dump_files DIR DUMPS PAGES P: DIR/DUMP-2024-NN.jsonl[.zst], each an independent share P of the pages as they are then.
# Where TAMIS_RECRAWLS names a directory with `expand.py`, which writes one file a dump of real pages (--p P, --last DUMPS), those; else
# PAGES pages made from a seed: words of letters, in one page of three Han; some lines of a page are of its host, some of all pages;
# from dump to dump some change, some pages are in capitals, some of three words.
# shellcheck shell=sh
dump_files() {
    mkdir -p "$1"
    if [ -n "${TAMIS_RECRAWLS:-}" ]; then
        python3 "$TAMIS_RECRAWLS/expand.py" "$1" --last "$2" --p "$4" --level 1 >/dev/null
        return
    fi
    awk -v dir="$1" -v dumps="$2" -v pages="$3" -v p="$4" 'BEGIN {
        n_han = split("的 一 是 了 我 不 人 在 他 有 这 上 们 来 到 时 大 地 为 子 中 你 说 生 国 年 着 就 那 和 要 她 出 也 得 里 后 自 以 会", han, " ")
        dump_seed = 7
        for (d = 1; d <= dumps; d++) {
            file = sprintf("%s/DUMP-2024-%02d.jsonl", dir, d)
            for (page = 0; page < pages; page++) {
                dump_seed = dump_seed * 16807 % 2147483647
                luck = dump_seed / 2147483647
                if (luck >= p) continue
                luck /= p
                text = ""
                for (line = 0; line < 10; line++) {
                    own = page * 64 + line
                    if (int(luck * 997 + line * 31) % 97 < 3) own += d * 7919 * 64
                    if (line == 4) own = 1000003 + int(own / 64) % 40 + line
                    if (line == 9) own = 2000003 + page % 5
                    text = text (line ? "\\n" : "") sentences(own * 2 + 1, line == 9 ? 14 : 32, page % 3 == 0 && line < 9)
                }
                if (page % 20 == 0) text = "short " name(page) " text"
                if (int(luck * 1000) % 9 == 0) text = capitals(text)
                printf "{\"id\":\"%d-%d\",\"url\":\"http://host%d.test/%d\",\"dump\":\"DUMP-2024-%02d\",\"text\":\"%s\"}\n", d, page, page % 5, page, d, text >file
            }
            close(file)
        }
    }
    function name(n, s) { for (s = ""; n > 0; n = int(n / 26)) s = s sprintf("%c", 97 + n % 26); return s }
    function sentences(seed, n, is_han, s, w) {
        s = ""
        seed = seed % 2147483647
        for (w = 1; w <= n; w++) {
            seed = seed * 16807 % 2147483647
            s = s (is_han ? han[1 + int(seed / 65536) % n_han] (w % 9 ? "" : "。") : (w == 1 ? "" : " ") name(100 + int(seed / 65536) % 9000) (w % 9 ? "" : "."))
        }
        return s
    }
    function capitals(s) { s = toupper(s); gsub(/\\N/, "\\n", s); return s }'
}
