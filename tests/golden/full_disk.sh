# A full disk: one line, status 3, nothing half-written under a final name; with room again the same command ends well.
[ "$(id -u)" -eq 0 ] || { echo "only root can mount a small file system"; exit 77; }
mkdir full crawl
mount -t tmpfs -o size=1m tmpfs full 2>/dev/null || { echo "a tmpfs cannot be mounted here"; exit 77; }
: >"$GOLDEN_TMP/mounted"
mkcrawl -n 200 -f 2 crawl >/dev/null
dd if=/dev/zero of=full/filler bs=1k count=990 2>/dev/null
status=0
tamis ingest -q --inputs-per-part 1 -o full/docs crawl 2>err || status=$?
echo "status $status, $(wc -l <err) line"
grep -o 'No space left on device' err
[ ! -e full/docs/manifest.json ] || echo "a manifest"
find full -name '*.tmp'
rm full/filler
tamis ingest -q --inputs-per-part 1 -o full/docs crawl
tamis docs cat full/docs | wc -l | awk '$1 > 100 {print "resumed"}'
