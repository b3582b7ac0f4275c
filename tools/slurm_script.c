/* The scripts of jobs. The fixed text is here; what a recipe says comes in as quoted words only. */
#include "tools/slurm.h"

#include <string.h>

enum { WAIT_SECONDS = 300 }; /* of a share of dedup or tokenize for the others, which may be running */

/* A program under signals, and what its exit status means for the job. */
static const char common[] =
    "late= cancelled= child= status=0 pass_on=TERM final='1 2 4 5 6'\n"
    "# USR1 is Slurm's, ahead of the time limit. TERM is somebody's who cancels, or a preemption: then the job is "
    "not\n"
    "# wanted back, or Slurm itself brings it back.\n"
    "hand_on() { [ -z \"$child\" ] || kill -\"$pass_on\" \"$child\" 2>/dev/null || :; }\n"
    "trap 'late=yes; hand_on' USR1\n"
    "trap 'cancelled=yes; hand_on' TERM\n"
    "# Runs a program to its end, however many signals come; its exit status is in $status.\n"
    "run() {\n"
    "    [ -z \"$late$cancelled\" ] || { status=6; return 0; }\n"
    "    \"$@\" &\n"
    "    child=$!\n"
    "    [ -z \"$late$cancelled\" ] || { sleep 1; hand_on; }\n"
    "    while :; do\n"
    "        wait \"$child\"\n"
    "        status=$?\n"
    "        kill -0 \"$child\" 2>/dev/null || break\n"
    "    done\n"
    "    child=\n"
    "}\n"
    "# This job once more; it goes on where it stopped. What still runs here is killed by Slurm. One that was "
    "cancelled is\n"
    "# no longer running, and stays so.\n"
    "again() {\n"
    "    [ -z \"$cancelled\" ] || exit \"$status\"\n"
    "    [ \"$(squeue --noheader --format=%T --jobs=\"$SLURM_JOB_ID\")\" = RUNNING ] || exit \"$status\"\n"
    "    echo \"$name: $1; requeued\" >&2\n"
    "    scontrol requeue \"$SLURM_JOB_ID\" && sleep 60\n"
    "    exit \"$status\"\n"
    "}\n"
    "again_if_late() {\n"
    "    [ -n \"$late\" ] || return 0\n"
    "    [ \"${SLURM_RESTART_COUNT:-0}\" -ge \"$requeues\" ] || again 'stopped ahead of the time limit'\n"
    "    echo \"$name: requeued $requeues times already: it needs a longer slurm.time or more slurm.requeues\" >&2\n"
    "    exit \"$status\"\n"
    "}\n"
    "begin() { echo \"== $name: job $SLURM_JOB_ID on $(hostname), restart ${SLURM_RESTART_COUNT:-0}\" >&2; }\n";

/* Jobs of one piece: alarms, wrong options, bad data and too little memory want somebody's hand, 6 is somebody's wish; the rest may be
 * the node's fault. */
static const char end_of_one[] =
    "[ \"$status\" -ne 0 ] || exit 0\n"
    "again_if_late\n"
    "case \" $final \" in *\" $status \"*) exit \"$status\" ;; esac\n"
    "echo \"job $SLURM_JOB_ID: status $status\" >>\"$dir/status/$name.failed\"\n"
    "[ \"$(wc -l <\"$dir/status/$name.failed\")\" -gt \"$retries\" ] || again \"failed with status $status\"\n"
    "exit \"$status\"\n";

/* mpirun and srun hand USR1 on to the ranks; at TERM they kill them. */
static const char launcher[] = "if [ \"$mpi\" = auto ]; then\n"
                               "    if srun --mpi=list 2>&1 | grep -qw pmix; then mpi=srun; else mpi=mpirun; fi\n"
                               "fi\n"
                               "case $mpi in\n"
                               "srun) set -- srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=\"$cpus\" ;;\n"
                               "*) set -- mpirun -n \"$tasks\" --bind-to none --mca oob_tcp_keepalive_time 60 --mca "
                               "oob_tcp_keepalive_intvl 10 \\\n"
                               "    --mca oob_tcp_keepalive_probes 3 ;; # a host that vanishes ends the job\n"
                               "esac\n"
                               "pass_on=USR1 final='2 4 5 6'\n";

/* Neighbours of an array start apart: 40503 is 2^16 over the golden ratio. */
static const char begin_of_task[] = "task=$((${1:-0} + SLURM_ARRAY_TASK_ID))\n"
                                    "name=$name.$task\n"
                                    "begin\n"
                                    "rm -f \"$dir/status/$name\"\n"
                                    "run sleep $((task * 40503 % (jitter + 1)))\n";
static const char end_of_task[] = "[ \"$status\" -eq 0 ] || again_if_late\n"
                                  "echo \"$status\" >\"$dir/status/$name\"\n"
                                  "exit \"$status\"\n";

static const char *threads_of(const RecipeStage *s)
{
    const char *n = NULL;

    for (size_t i = 0; i < s->argc; i++)
        if (strncmp(s->argv[i], "--threads=", 10) == 0) n = s->argv[i] + 10;
    return n;
}

static uint32_t cpus_of(const SlurmJob *j)
{
    const char *threads = j->stage ? threads_of(j->stage) : NULL;
    uint64_t n = 0;

    if (j->kind == SLURM_IS_COMMIT || j->kind == SLURM_IS_REPORT) threads = NULL;
    if (!j->needs->cpus && threads && !span_to_u64(span_str(threads), &n)) n = 0;
    return j->needs->cpus ? j->needs->cpus : n && n <= PAR_MAX_THREADS ? (uint32_t)n : 1;
}

static void put_option(Buf *b, const char *option, const char *value)
{
    if (value) buf_printf(b, "#SBATCH --%s=%s\n", option, value);
}

static void put_needs(const SlurmPlan *p, const SlurmJob *j, Buf *b)
{
    const SlurmNeeds *n = j->needs;
    const bool ranks = j->kind == SLURM_IS_MPI;

    put_option(b, "partition", n->partition);
    put_option(b, "account", n->account);
    put_option(b, "qos", n->qos);
    put_option(b, "time", n->time);
    put_option(b, "mem", n->mem);
    buf_printf(b, "#SBATCH --nodes=%u\n#SBATCH --ntasks=%u\n", ranks ? n->nodes : 1, ranks ? n->tasks : 1);
    buf_printf(b, "#SBATCH --cpus-per-task=%u\n", cpus_of(j));
    buf_printf(b, "#SBATCH --requeue\n#SBATCH --open-mode=append\n#SBATCH --signal=B:USR1@%u\n", p->set.warn);
    for (int i = 0; i < 2; i++)
        for (const Json *e = n->sbatch[i] ? n->sbatch[i]->child : NULL; e; e = e->next)
            buf_printf(b, "#SBATCH %s\n", (const char *)e->string.p);
}

static void put_setting(Buf *b, const char *name, const char *value)
{
    buf_printf(b, "%s=", name);
    recipe_put_word(b, value);
    buf_putc(b, '\n');
}

/* The verb's command line; `task` is a word of shell, or NULL. */
static void put_command(const SlurmJob *j, const char *before, const char *task, Buf *b)
{
    const RecipeStage *s = j->stage;

    buf_printf(b, "run %s\"$tamis\" %s", before, s->verb);
    if (!threads_of(s)) buf_printf(b, " --threads=%u", cpus_of(j));
    if (task) buf_printf(b, " --task=%s", task);
    if (task && (strcmp(s->verb, "dedup") == 0 || strcmp(s->verb, "tokenize") == 0))
        buf_printf(b, " --wait=%d", WAIT_SECONDS);
    for (size_t i = 2; i < s->argc; i++) {
        buf_putc(b, ' ');
        recipe_put_word(b, s->argv[i]);
    }
    buf_putc(b, '\n');
}

static void put_body(const SlurmPlan *p, const SlurmJob *j, Buf *b)
{
    switch (j->kind) {
    case SLURM_IS_ARRAY:
        buf_printf(b, "jitter=%u\n%s", p->set.jitter, begin_of_task);
        buf_printf(b, "tasks=%u\n", j->needs->tasks);
        put_command(j, "", "\"$task/$tasks\"", b);
        buf_puts(b, end_of_task);
        break;
    case SLURM_IS_MPI:
        if (j->needs->tasks == 1) {
            put_command(j, "", NULL, b);
        } else {
            buf_printf(b, "mpi=%s tasks=%u cpus=%u\n%s", slurm_mpi_names[p->set.mpi], j->needs->tasks, cpus_of(j),
                       launcher);
            put_command(j, "\"$@\" ", NULL, b);
        }
        buf_puts(b, end_of_one);
        break;
    case SLURM_IS_ONE:
        put_command(j, "", NULL, b);
        buf_puts(b, end_of_one);
        break;
    case SLURM_IS_COMMIT:
        buf_printf(b, "run \"$tamis\" run --sweep=%s -- \"$run\"\n", j->stage->verb);
        buf_puts(b, "[ \"$status\" -eq 0 ] || exit \"$status\"\n"
                    "# Else tasks are on their way once more, and a job like this one behind them.\n[ -e ");
        recipe_put_word(b, j->stage->finished);
        buf_puts(b, " ] || exit 0\n");
        put_command(j, "", NULL, b);
        buf_puts(b, end_of_one);
        break;
    case SLURM_IS_REPORT: buf_puts(b, "run \"$tamis\" report \"$run\"\nexit \"$status\"\n"); break;
    }
}

void slurm_script(const SlurmPlan *p, const SlurmJob *j, Buf *out)
{
    buf_puts(out, "#!/bin/sh\n# Written by `tamis run --slurm`, which overwrites it.\n");
    put_needs(p, j, out);
    put_setting(out, "name", j->name);
    put_setting(out, "tamis", p->binary);
    put_setting(out, "run", p->run);
    put_setting(out, "dir", p->dir);
    buf_printf(out, "requeues=%u retries=%u\ncd ", p->set.requeues, p->set.retries);
    recipe_put_word(out, p->cwd);
    buf_puts(out, " || exit 3\n");
    buf_puts(out, common);
    if (j->kind != SLURM_IS_ARRAY) buf_puts(out, "begin\n");
    put_body(p, j, out);
}
