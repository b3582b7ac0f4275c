#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Newlines in a message (a file name may hold one) would break the one-line promise. */
static void one_line(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20) *s = '?';
}

ErrCode err_set(Err *err, ErrCode code, const char *fmt, ...)
{
    va_list ap;

    if (!err) return code;
    err->code = code;
    err->said_elsewhere = false;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    one_line(err->msg);
    return code;
}

ErrCode err_sys(Err *err, const char *fmt, ...)
{
    int saved = errno;
    ErrCode code = saved == ENOMEM ? ERR_NOMEM : ERR_SYS;
    va_list ap;
    size_t used;

    if (!err) return code;
    err->code = code;
    err->said_elsewhere = false;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    used = strlen(err->msg);
    snprintf(err->msg + used, sizeof err->msg - used, ": %s", strerror(saved));
    one_line(err->msg);
    return code;
}

ErrCode err_nomem(Err *err, const char *what) { return err_set(err, ERR_NOMEM, "no memory for %s", what); }

int err_status(ErrCode code)
{
    switch (code) {
    case ERR_OK: return 0;
    case ERR_NO: return 1;
    case ERR_USAGE: return 2;
    case ERR_SYS: return 3;
    case ERR_DATA:
    case ERR_LIMIT: return 4;
    case ERR_NOMEM: return 5;
    case ERR_INTR: return 6;
    }
    return 3;
}
