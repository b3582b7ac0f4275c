# A download that was cut short leaves no package behind for the next call of crawl.sh to believe in.
crawl=$(dirname -- "$0")/../../tools/crawl.sh
mkdir bin
for tool in wget nginx; do printf '#!/bin/sh\n' >bin/$tool; done
printf '#!/bin/sh\necho "unpacks $(cat "$2")"\nexit 1\n' >bin/dpkg
cat >bin/apt-get <<'APT'
#!/bin/sh
for package; do :; done
printf half >"${package}_1_all.deb"
[ -e ../../whole ] || exit 100
printf whole >"${package}_1_all.deb"
APT
chmod +x bin/*
PATH=$PWD/bin:$PATH
status=0
sh "$crawl" out >said 2>&1 || status=$?
echo "status $status: $(sed -n 2p said | cut -c1-30)"
ls out/deb
touch out/whole
status=0
sh "$crawl" out >said 2>&1 || status=$?
echo "status $status: $(sed -n '2,3p' said | cut -c1-30)"
ls out/deb | sed 's/.*_/PACKAGE_/'
sh "$crawl" --help | head -n 1
status=0
sh "$crawl" --depth 2>&1 || echo "status $?"
ls -d -- --* 2>/dev/null || echo "no folder of that name"
