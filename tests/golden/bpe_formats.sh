# From one format to another and back, ids to text and back; what is refused leaves no file.
printf 'one line of words and one more line of words\n%.0s' 1 2 3 4 5 >text
tamis bpe -q --text --vocab-size 275 -o t.json text 2>/dev/null
try() { "$@" 2>&1 || echo "status $?"; }
tamis bpe convert -f gguf -o t.gguf t.json 2>&1
tamis bpe convert -f tiktoken -o t.tiktoken t.json 2>&1
tamis bpe convert -q -o from-gguf.json t.gguf
tamis bpe convert -q --pre-tokenizer deepseek-llm --special '<|end_of_text|>=275' -o from-tiktoken.json t.tiktoken
printf 'more words\nand \303\251 \360\237\230\200<|end_of_text|>\n' >lines
for t in t.json t.gguf from-gguf.json from-tiktoken.json; do
    tamis tokenize --ids -t $t <lines >ids
    cksum <ids
    tamis bpe decode --lossless $t <ids | cmp - lines
done
echo "what the reference decodes:"
tamis bpe decode t.json <ids
tamis bpe decode --keep-special --json --ids ids t.json
echo '{"id":"a","n":[1],"ids":[72, 73]}' | tamis bpe decode --json t.json
echo "refused:"
try tamis bpe convert -o t.gguf t.json
try tamis bpe convert -o x t.tiktoken
try tamis bpe convert --encoding o500k -o x t.tiktoken
try tamis bpe convert --special 5 --pre-tokenizer deepseek-llm -o x t.tiktoken
try tamis bpe convert --pre-tokenizer deepseek-llm -o x t.json
head -c 2000 t.gguf >cut.gguf
try tamis bpe convert -o x cut.gguf
head -c 2000 t.json >cut.json
try tamis bpe convert -o x cut.json
sed 's/"lstrip": false/"lstrip": true/' t.json >strips.json
try tamis bpe convert -f gguf -o x strips.json
try tamis bpe convert -o x
try tamis bpe decode --json --lossless t.json
echo '[1, 2' | try tamis bpe decode t.json
echo '[1, 100000]' | try tamis bpe decode t.json
ls x 2>/dev/null || echo "nothing written"
