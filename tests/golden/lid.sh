# `tamis ingest --lid`: a fastText model of two words decides where scripts do not; it counts by its bytes, not by its name.
le32() {
    for n; do
        # shellcheck disable=SC2059 # four bytes
        printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24 & 255)))"
    done
}
le64() { for n; do le32 "$n" 0; done; }
one=1065353216 eight=1090519040 # 1.0f, 8.0f
model() { # WORD LABEL WORD LABEL [KIND]: each word speaks for the label behind it; core/fasttext.h says what the numbers are
    le32 793712314 12 2 5 5 1 5 1 3 "${5:-3}" 0 0 0 100
    le64 0
    le32 5 3 2
    le64 10
    le32 -1 -1
    for word in '</s>' "$1" "$3"; do printf '%s\0' "$word"; le64 5; printf '\0'; done
    for label in "$2" "$4"; do printf '__label__%s\0' "$label"; le64 5; printf '\001'; done
    printf '\0'
    le64 3 2
    le32 0 0 $one 0 0 $one
    printf '\0'
    le64 2 2
    le32 $eight 0 0 $eight
}
model the en le fr >a.bin
cat >texts.jsonl <<'TEXTS'
{"text":"The old mill by the river turns the wheel of the village all day long"}
{"text":"the river and the mill and the wheel"}
{"text":"le moulin et le village, et le soir toute la famille"}
{"text":"le moulin et the village"}
{"text":"none of its words is known here"}
{"text":"山脚下的老木匠仔细地整理了那座石桥的全部图纸，希望孩子们以后还能看到。"}
{"text":"川のほとりの古い水車は一日中まわっている。"}
TEXTS
try() {
    status=0
    tamis ingest -q --no-alarm "$@" || status=$?
    echo "status $status"
}
show() { tamis docs cat "$1" | sed 's/.*"text":"\([A-Za-z]*\).*"lang":"\([^"]*\)","lang_score":\([0-9.]*\).*/\2 \3 \1/'; }

try -o docs --lid a.bin texts.jsonl
show docs
mkdir pages
for words in "le moulin et le village et le soir" "the mill and the village and the evening"; do
    echo "<!DOCTYPE html><title>$words</title><article><p>$words, $words, $words, $words, $words.</p></article>" >"pages/${words%% *}.html"
done
try -o pages-docs --lid a.bin --html pages
tamis docs cat pages-docs | sed 's/.*"lang":"\([^"]*\)".*"title":"\([^"]*\)"\(,"lid":"[a-z]*"\)\{0,1\}.*/\1 \2\3/'

echo "-- the same bytes are the same run, others are not"
cp a.bin b.ftz
model the en le it >other.bin
cksum docs/manifest.json >before
try -o docs --lid b.ftz texts.jsonl
try -o docs --lid other.bin texts.jsonl
try -o docs texts.jsonl
cksum docs/manifest.json | cmp before - && echo "still there"

echo "-- what is no model"
model the en le fr 1 >vectors.bin
head -c 200 a.bin >cut.bin
echo "a text" >text.bin
: >empty.bin
for file in vectors.bin cut.bin text.bin empty.bin none.bin; do try -o "no-$file" --lid $file texts.jsonl; done
ls -d no-* 2>/dev/null || echo "and nothing written"
