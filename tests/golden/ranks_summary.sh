# The closing line of a stage counts what all ranks did, also where a rank had nothing to do.
tamis --version | grep -q 'MPI [0-9]' && command -v mpirun >/dev/null 2>&1 || { echo "no MPI here"; exit 77; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none
mkdir crawl
mkcrawl -n 60 -f 2 crawl >/dev/null
closing() { # VERB COMMAND...
    verb=$1
    shift
    "$@" 2>&1 | grep -o "$verb: [0-9]* documents, [0-9.]* MB in" || echo "no line"
}
ranks() {
    # Open MPI unloads its plugins, so that what they leaked has no name to suppress.
    ASAN_OPTIONS=detect_leaks=0 mpirun -q -n "$@"
}
for n in 1 2 3; do
    closing ingest ranks $n tamis ingest --inputs-per-part 1 -o "docs$n" crawl
    closing filter ranks $n tamis filter -o "clean$n" "docs$n"
done
for part in 0 1; do
    rm docs2/manifest.json docs2/part-00000$part.*
    closing ingest ranks 2 tamis ingest --inputs-per-part 1 -o docs2 crawl
done
