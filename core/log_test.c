#include "core/log.h"
#include "core/store.h"
#include "tests/check.h"

#include <fcntl.h>
#include <unistd.h>

/* What a phase of 3 documents in 12.5 million bytes says on stderr. */
static void phase_says(int rank, LogLevel level, Buf *out)
{
    char path[300];
    Progress *p;
    Err err = {.code = ERR_OK};

    snprintf(path, sizeof path, "%s/stderr", check_tmpdir());
    int saved = dup(STDERR_FILENO), fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    CHECK(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    log_setup(level, rank);
    ErrCode rc = progress_start(&p, "phase", 0, &err);
    if (rc == ERR_OK) {
        progress_add(p, 3, 12500000);
        progress_tick(p);
        progress_stop(p);
        log_info("and more");
        log_info("%s", "a \033[2J\xc2\x9b name");
        log_error("a failure");
    }
    log_setup(LOG_QUIET, 0);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    CHECK_OK(rc, &err);
    buf_reset(out);
    CHECK_OK(store_read(path, 1000, out, &err), &err);
}

TEST(rank_0_reports_in_units_of_ten_the_others_speak_of_errors)
{
    static const char begins[] = "tamis: phase: 3 documents, 12.5 MB in ";
    Buf said = {0};

    phase_says(0, LOG_NORMAL, &said);
    CHECK(span_starts(buf_span(&said), span_str(begins)));
    CHECK(strstr(buf_cstr(&said), "\ntamis: and more\ntamis: a  [2J   name\ntamis: a failure\n") != NULL);
    phase_says(2, LOG_NORMAL, &said);
    CHECK_STR("tamis[2]: a failure\n", buf_cstr(&said));
    phase_says(0, LOG_QUIET, &said);
    CHECK_STR("tamis: a failure\n", buf_cstr(&said));
    buf_clear(&said);
}
