/* Parts whose input is damaged: the record that whoever found it leaves for the others and for reruns. */
#include "core/lease_files.h"

#include <inttypes.h>
#include <stdio.h>

enum { STAMP_DIGITS = 16, RECORD_MAX = STAMP_DIGITS + 1 + 400 + 1 + 512 + 1 };

static ErrCode record_path(char path[LEASE_PATH], const char *dir, uint32_t part, Err *err)
{
    if (lease_part_path(path, dir, part, ".damaged")) return ERR_OK;
    return err_set(err, ERR_LIMIT, "path too long: %.300s", dir);
}

ErrCode lease_damage_put(Leases *l, uint32_t part, const LeaseDamage *d, Err *err)
{
    char path[LEASE_PATH], input[sizeof d->input], message[sizeof d->message], text[RECORD_MAX + 1];
    ErrCode rc;

    if (l->off) return ERR_OK;
    if ((rc = record_path(path, l->dir, part, err)) != ERR_OK) return rc;
    lease_put_text(input, sizeof input, span_str(d->input)); /* a line each */
    lease_put_text(message, sizeof message, span_str(d->message));
    int n = snprintf(text, sizeof text, "%016" PRIx64 " %s\n%s\n", d->stamp, input, message);
    return store_write(path, span(text, (size_t)n), err);
}

static bool parse_stamp(Span digits, uint64_t *stamp)
{
    *stamp = 0;
    for (size_t i = 0; i < digits.n; i++) {
        int digit = ascii_hex(digits.p[i]);
        if (digit < 0) return false;
        *stamp = *stamp << 4 | (uint64_t)digit;
    }
    return digits.n == STAMP_DIGITS;
}

ErrCode lease_damage_read(const char *dir, uint32_t part, LeaseDamage *d, bool *found, Err *err)
{
    char path[LEASE_PATH], text[RECORD_MAX + 2];
    size_t n;
    ErrCode rc;

    *d = (LeaseDamage){.stamp = 0};
    *found = false;
    if ((rc = record_path(path, dir, part, err)) != ERR_OK) return rc;
    lease_read_small(path, text, sizeof text, &n);
    Span first = span(text, span_find(span(text, n), '\n')), rest = span_from(span(text, n), first.n + 1);
    size_t digits = span_find(first, ' ');
    *found = parse_stamp(span(first.p, digits), &d->stamp);
    if (!*found) return ERR_OK; /* cut: whoever wants to know finds out again */
    lease_put_text(d->input, sizeof d->input, span_from(first, digits + 1));
    lease_put_text(d->message, sizeof d->message, span(rest.p, span_find(rest, '\n')));
    return ERR_OK;
}

ErrCode lease_damage_forget(const char *dir, uint32_t part, Err *err)
{
    char path[LEASE_PATH];
    ErrCode rc = record_path(path, dir, part, err);

    return rc == ERR_OK ? store_delete(path, err) : rc;
}
