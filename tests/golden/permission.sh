# A folder that may not be written: one line, status 3. Root may write anywhere, so it asks as somebody else.
as=
if [ "$(id -u)" -eq 0 ]; then
    command -v setpriv >/dev/null 2>&1 || { echo "no setpriv to become another user"; exit 77; }
    as="setpriv --reuid=65534 --regid=65534 --clear-groups"
    $as tamis --version >/dev/null 2>&1 || { echo "another user cannot run the programs here"; exit 77; }
fi
mkdir crawl locked
mkcrawl -n 3 -f 1 crawl >/dev/null
chmod 555 locked
chmod -R a+rX .
status=0
$as tamis ingest -q -o locked/docs crawl 2>err || status=$?
echo "status $status, $(wc -l <err) line"
grep -o 'locked/docs.*' err
ls -A locked
