# A run that ends before its tokenizer is there leaves nothing that looks like one.
printf '' >empty.txt
status=0
tamis bpe -q --text -o tokenizer.json empty.txt 2>&1 || status=$?
echo "status $status"
ls
# Nor does one over a dataset in which nothing is left, with a mixture or without; train says the same of its tokens.
mkdir crawl
mkcrawl -n 60 -f 1 crawl >/dev/null
tamis ingest -q --keep-lang en,zh -o docs crawl
tamis bpe -q --vocab-size 300 -o tokenizer.json docs
tamis ingest -q --keep-lang code -o none crawl
tamis ingest -q --keep-lang code --dump another -o too crawl
tamis remix -q -o mixed none
tamis tokenize -q -t tokenizer.json -o tokens mixed
try() { "$@" 2>&1 || echo "status $?"; }
try tamis bpe -q -o other.json none
try tamis bpe -q -o other.json mixed
try tamis bpe -q -o other.json none too
try tamis train -q -o ckpt tokens
