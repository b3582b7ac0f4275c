# A run that ends before its tokenizer is there leaves nothing that looks like one.
printf '' >empty.txt
status=0
tamis bpe -q --text -o tokenizer.json empty.txt 2>&1 || status=$?
echo "status $status"
ls
