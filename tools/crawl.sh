#!/bin/sh
# Makes a crawl of real pages with a real crawler, without touching anybody's server: downloads HTML documentation
# packages in English and Chinese (tools/sites.txt), unpacks them without installing, serves them with a private nginx
# on 127.0.0.1 under made-up *.test host names, and lets wget crawl through it as a proxy into gzipped WARC files.
#   tools/crawl.sh DIR        writes DIR/crawl-00000.warc.gz ... ; a finished crawl in DIR is kept
set -eu
LC_ALL=C
export LC_ALL

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
sites=$here/sites.txt
segments=4 # WARC files; every second one is fetched with gzip transfer coding

die() { echo "crawl.sh: $*" >&2; exit 3; }
usage="usage: tools/crawl.sh DIR
  DIR  where crawl-00000.warc.gz ... go; a finished crawl there is kept"
case ${1-} in
-h | --help) echo "$usage"; exit 0 ;;
-*) echo "crawl.sh: unknown argument $1; try --help" >&2; exit 2 ;;
esac
[ $# -eq 1 ] || { echo "$usage" >&2; exit 2; }
mkdir -p "$1" || die "cannot make $1"
out=$(CDPATH='' cd -- "$1" && pwd)

if [ -e "$out/complete" ]; then
    echo "crawl: kept, $(cat "$out/complete")"
    exit 0
fi
for tool in wget dpkg apt-get; do command -v $tool >/dev/null 2>&1 || die "$tool is missing: tools/install.sh"; done
PATH=$PATH:/usr/sbin:/sbin
command -v nginx >/dev/null 2>&1 || die "nginx is missing: tools/install.sh"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/tamis-crawl.XXXXXX")
server=
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
    [ -z "$server" ] || wait "$server" 2>/dev/null || :
    rm -rf "$tmp"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- packages: downloaded to DIR/deb (kept until the crawl is finished; one under its name is whole), unpacked below
# $tmp/PACKAGE
sed 's/#.*//' "$sites" | awk 'NF == 3' >"$tmp/sites" # host, package, folder
packages=$(awk '{print $2}' "$tmp/sites" | sort -u)
mkdir -p "$out/deb"
part=$out/deb/part
as_root=
[ "$(id -u)" -ne 0 ] || as_root='-o APT::Sandbox::User=root' # the folder may not be open to apt's own user
for package in $packages; do
    if ! ls "$out/deb/${package}"_*.deb >/dev/null 2>&1; then
        echo "crawl: downloading $package"
        rm -rf "$part"
        mkdir "$part" || die "cannot make $part"
        # shellcheck disable=SC2086 # options
        (cd "$part" && apt-get $as_root -qq download "$package") ||
            die "cannot download $package (apt-get update, and a line for Debian 12 main, may be missing)"
        mv "$part/${package}"_*.deb "$out/deb/"
    fi
    dpkg -x "$out/deb/${package}"_*.deb "$tmp/$package" || die "cannot unpack $package"
done
while read -r host package folder; do # here, since die() behind a pipe would end the pipe alone
    [ -d "$tmp/$package/$folder" ] || die "$package has no folder $folder for $host"
done <"$tmp/sites"

# --- the server: one process of our own, no system configuration, no system folder
free_port_config() { # PORT
    cat <<CONF
daemon off;
master_process off;
pid $tmp/nginx.pid;
error_log $tmp/error.log;
events { worker_connections 64; }
http {
    types {
        text/html html;
        text/css css;
        image/png png;
        image/svg+xml svg;
        application/javascript js;
        text/plain txt;
    }
    default_type application/octet-stream;
    access_log off;
    gzip on;
    gzip_proxied any;
    gzip_min_length 256;
    client_body_temp_path $tmp/t1;
    proxy_temp_path $tmp/t2;
    fastcgi_temp_path $tmp/t3;
    uwsgi_temp_path $tmp/t4;
    scgi_temp_path $tmp/t5;
CONF
    while read -r host package folder; do
        echo "    server { listen 127.0.0.1:$1; server_name $host; root $tmp/$package/$folder; index index.html; }"
    done <"$tmp/sites"
    echo "}"
}
port=8090
while :; do
    free_port_config $port >"$tmp/nginx.conf"
    nginx -p "$tmp" -c "$tmp/nginx.conf" -e "$tmp/error.log" >/dev/null 2>&1 &
    server=$!
    tries=0
    while kill -0 "$server" 2>/dev/null && [ $tries -lt 50 ]; do
        [ ! -s "$tmp/nginx.pid" ] || break 2
        sleep 0.1
        tries=$((tries + 1))
    done
    kill "$server" 2>/dev/null || :
    wait "$server" 2>/dev/null || :
    server=
    port=$((port + 1))
    [ $port -lt 8140 ] || die "nginx does not start: $(tail -n 1 "$tmp/error.log" 2>/dev/null)"
done

# --- the frontier: every page, the front page once more by its other name, a few images and style sheets, one dead
# link a site; dealt out over the segments in turn
while read -r host package folder; do
    (cd "$tmp/$package/$folder" && find -L . -type f -name '*.html' | sort) | sed "s|^\\.|http://$host|"
    (cd "$tmp/$package/$folder" && find -L . -type f \( -name '*.css' -o -name '*.png' \) | sort | head -n 10) |
        sed "s|^\\.|http://$host|"
    echo "http://$host/"
    echo "http://$host/no/longer/here.html"
done <"$tmp/sites" | grep -E '^[A-Za-z0-9._:/~+-]+$' >"$tmp/urls"
awk -v n=$segments -v base="$tmp/urls" '{print > sprintf("%s.%05d", base, NR % n)}' "$tmp/urls"

# --- the crawl. wget ends with 8 when a server answered with an error: the dead links do.
begin=$(date +%s)
http_proxy=http://127.0.0.1:$port/
export http_proxy
unset no_proxy NO_PROXY || :
i=0
while [ $i -lt $segments ]; do
    name=$(printf 'crawl-%05d' $i)
    coding=identity
    [ $((i % 2)) -eq 0 ] || coding=gzip
    status=0
    (cd "$tmp" && wget -q -e robots=off -e use_proxy=yes --delete-after --no-directories --tries=2 --timeout=30 \
        --compression=none --header="Accept-Encoding: $coding" --warc-tempdir="$tmp" \
        --warc-file="$tmp/$name" -i "$(printf '%s.%05d' "$tmp/urls" $i)") || status=$?
    [ $status -eq 0 ] || [ $status -eq 8 ] || die "wget ended with status $status"
    mv "$tmp/$name.warc.gz" "$out/$name.warc.gz"
    i=$((i + 1))
done
pages=$(wc -l <"$tmp/urls")
bytes=$(cat "$out"/crawl-*.warc.gz | wc -c)
echo "$((pages)) addresses, $((bytes / 1000000)) MB in $segments WARC files" >"$out/complete"
rm -rf "$out/deb"
echo "crawl: $(cat "$out/complete"), $(($(date +%s) - begin)) s"
