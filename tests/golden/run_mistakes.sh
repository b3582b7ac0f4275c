# Mistakes in a recipe: one line with the file, section and key; status 2.
try() {
    status=0
    tamis run recipe.yaml || status=$?
    echo "status $status"
}
echo 'ingest: {keep-lang: en}' >recipe.yaml; try
printf 'ingest: {input: a}\ndedupe: {}\n' >recipe.yaml; try
printf 'ingest: {input: a}\ndedup: {out: b}\n' >recipe.yaml; try
printf 'ingest: {input: [a\n' >recipe.yaml; try
echo 'ingest: {input: "none/*.warc.gz"}' >recipe.yaml; try
ls
