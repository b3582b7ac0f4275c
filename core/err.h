/* core/err.h - error codes and the one-line message that goes with them.
 *
 * Every fallible function returns an ErrCode and takes an `Err *` as its last argument. The
 * lowest level that knows the path and the offset writes the message; the levels above pass it
 * up unchanged. A NULL `Err *` is allowed where nobody wants the message. */
#ifndef TAMIS_CORE_ERR_H
#define TAMIS_CORE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__GNUC__)
#define MUST_USE               __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MUST_USE
#define PRINTF_LIKE(fmt, args)
#endif

typedef enum {
    ERR_OK = 0,
    ERR_NO,    /* ran, and the answer is no */
    ERR_USAGE, /* the command line or a recipe is wrong */
    ERR_SYS,   /* the operating system said no: missing file, full disk, permission */
    ERR_DATA,  /* bytes that should be ours, or a format we read, are wrong */
    ERR_LIMIT, /* well-formed, but beyond a named limit */
    ERR_NOMEM, /* an allocation failed or --memory does not suffice */
    ERR_INTR   /* stopped by a signal; a rerun continues */
} ErrCode;

typedef struct {
    ErrCode code;
    char msg[512];       /* lower case, no full stop, no newline */
    bool said_elsewhere; /* another rank failed and speaks of it (par_agree) */
} Err;

/* Writes the message and returns `code`, so that `return err_set(...)` reads well. */
ErrCode err_set(Err *err, ErrCode code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ERR_SYS (ERR_NOMEM for ENOMEM) with ": " and the text of errno appended. */
ErrCode err_sys(Err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "no memory for WHAT", ERR_NOMEM. */
ErrCode err_nomem(Err *err, const char *what);

/* The exit status of a code: 0 done, 1 no, 2 usage, 3 system, 4 data or limit, 5 out of memory,
 * 6 interrupted. */
int err_status(ErrCode code);

#endif
