/*
 * Buffers, and chains of them.
 */

#include "shim.h"


ngx_uint_t
shim_buf_is_last(ngx_buf_t *b)
{
    return b->last_buf;
}


ngx_uint_t
shim_buf_in_memory(ngx_buf_t *b)
{
    return ngx_buf_in_memory(b);
}


/* An empty buffer may mark the end, but must not look like memory. */
void
shim_buf_forget_memory(ngx_buf_t *b)
{
    b->temporary = 0;
    b->memory = 0;
    b->mmap = 0;
}


/* May what is in the buffer be written to? */
ngx_uint_t
shim_buf_is_writable(ngx_buf_t *b)
{
    return b->temporary;
}


/*
 * A buffer for bytes that are elsewhere, which nobody may write to; what
 * `before` ends, it ends instead.
 */
ngx_buf_t *
shim_buf_after(ngx_pool_t *pool, ngx_buf_t *before, u_char *data,
    size_t len)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(pool);
    if (b == NULL) {
        return NULL;
    }

    b->start = data;
    b->pos = data;
    b->last = data + len;
    b->end = data + len;
    b->memory = 1;
    b->last_buf = before->last_buf;
    b->flush = before->flush;

    before->last_buf = 0;

    return b;
}


/* Nothing follows for which the TLS layer could wait. */
void
shim_buf_flush(ngx_buf_t *b)
{
    b->flush = 1;
}


/*
 * Makes a buffer stand for bytes to be sent without delay, which nobody may
 * write to.
 */
void
shim_buf_point(ngx_buf_t *b, u_char *data, size_t len, ngx_uint_t last)
{
    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = data;
    b->pos = data;
    b->last = data + len;
    b->end = data + len;
    b->memory = 1;
    b->flush = 1;
    b->last_buf = last;
}


void
shim_free_chain(ngx_pool_t *pool, ngx_chain_t *cl)
{
    ngx_free_chain(pool, cl);
}


/* The whole body of an answer in memory. */
ngx_buf_t *
shim_body_buf(ngx_http_request_t *r, u_char *data, size_t len)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NULL;
    }

    b->pos = data;
    b->last = data + len;
    b->memory = len > 0;
    b->sync = len == 0 && r != r->main;
    b->last_buf = r == r->main;
    b->last_in_chain = 1;

    return b;
}


/* Makes an empty buffer of `size` bytes, to be sent in place of `like`. */
void
shim_head_buf(ngx_buf_t *b, ngx_buf_t *like, u_char *data, size_t size)
{
    ngx_memzero(b, sizeof(ngx_buf_t));

    b->start = data;
    b->pos = data;
    b->last = data;
    b->end = data + size;
    b->temporary = 1;
    b->flush = like->flush;
    b->last_buf = like->last_buf;
    b->last_in_chain = like->last_in_chain;
}


/* Is the body of an answer at its end with that buffer? */
ngx_uint_t
shim_ends_answer(ngx_http_request_t *r, ngx_buf_t *b)
{
    return (r == r->main) ? b->last_buf : b->last_in_chain;
}


ngx_uint_t
shim_buf_flushes(ngx_buf_t *b)
{
    return b->flush;
}


/*
 * Reads what is next in a buffer that is not in memory: how many bytes, 0 at
 * its end, or NGX_ERROR.
 */
ssize_t
shim_buf_read(ngx_buf_t *b, u_char *data, size_t size)
{
    ssize_t  n;

    if (!b->in_file || b->file_pos >= b->file_last) {
        return 0;
    }

    size = (size_t) ngx_min((off_t) size, b->file_last - b->file_pos);

    n = ngx_read_file(b->file, data, size, b->file_pos);

    if (n <= 0) {
        return NGX_ERROR;
    }

    b->file_pos += n;

    return n;
}


/* Is what is in the buffer in a file alone? */
ngx_uint_t
shim_buf_is_file(ngx_buf_t *b)
{
    return b->in_file && !ngx_buf_in_memory(b);
}


/* What is in memory is all that counts. */
void
shim_buf_forget_file(ngx_buf_t *b)
{
    b->in_file = 0;
}


/* Reads from the file of a buffer: how many bytes, or NGX_ERROR. */
ssize_t
shim_file_read(ngx_buf_t *b, u_char *data, size_t size, off_t offset)
{
    return ngx_read_file(b->file, data, size, offset);
}


/* Writes there likewise, unless the file is one that was only to be read. */
ssize_t
shim_file_write(ngx_buf_t *b, u_char *data, size_t size, off_t offset)
{
    int  flags;

    flags = fcntl(b->file->fd, F_GETFL);

    if (flags == -1 || (flags & O_ACCMODE) != O_RDWR) {
        return NGX_ERROR;
    }

    return ngx_write_file(b->file, data, size, offset);
}


/*
 * The body ends there in its file: others, who are told the file's name, find
 * no more of it either.
 */
void
shim_file_cut(ngx_http_request_t *r, ngx_buf_t *b, off_t length)
{
    ngx_temp_file_t  *tf;

    tf = r->request_body->temp_file;

    if (!b->in_file || tf == NULL || b->file != &tf->file) {
        return;
    }

    if (tf->file.offset != length && ftruncate(tf->file.fd, length) == -1) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, ngx_errno,
                      "ftruncate() \"%V\" failed", &tf->file.name);
    }

    tf->file.offset = length;
}


/* Leaves the buffers without a byte out of the body, which nginx would not send. */
void
shim_drop_empty(ngx_http_request_t *r)
{
    ngx_chain_t  *cl, **ll;

    for (ll = &r->request_body->bufs; *ll; /* void */) {
        cl = *ll;

        if (ngx_buf_size(cl->buf) == 0) {
            *ll = cl->next;

        } else {
            ll = &cl->next;
        }
    }
}


off_t
shim_buf_length(ngx_buf_t *b)
{
    return ngx_buf_size(b);
}


/* Does a buffer say something without a byte in it? */
ngx_uint_t
shim_buf_is_special(ngx_buf_t *b)
{
    return b->last_buf || b->flush || b->sync;
}


/* All that is in a buffer has been taken. */
void
shim_buf_taken(ngx_buf_t *b)
{
    b->pos = b->last;
    b->file_pos = b->file_last;
}


/*
 * A buffer for bytes in memory, to be sent in place of `like`; NULL: before
 * others.
 */
ngx_buf_t *
shim_buf_for(ngx_pool_t *pool, ngx_buf_t *like, u_char *data, size_t len)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(pool);
    if (b == NULL) {
        return NULL;
    }

    b->pos = data;
    b->last = data + len;
    b->memory = len > 0;

    if (like) {
        b->last_buf = like->last_buf;
        b->last_in_chain = like->last_in_chain;
        b->flush = like->flush;
        b->sync = like->sync && len == 0;

    } else {
        b->flush = 1;
    }

    return b;
}


/*
 * Copies bytes into buffers of `free`, or new ones: a chain to be sent
 * without delay. NULL: no memory.
 */
ngx_chain_t *
shim_out_chain(ngx_pool_t *pool, ngx_chain_t **free, u_char *data, size_t len)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl, *out, **ll;

    out = NULL;
    ll = &out;

    while (len > 0) {
        cl = ngx_chain_get_free_buf(pool, free);
        if (cl == NULL) {
            return NULL;
        }

        b = cl->buf;

        if (b->start == NULL) {
            b->start = ngx_palloc(pool, SHIM_OUT_SIZE);
            if (b->start == NULL) {
                return NULL;
            }

            b->end = b->start + SHIM_OUT_SIZE;
            b->temporary = 1;
            b->tag = (ngx_buf_tag_t) &shim_out_chain;
        }

        size = ngx_min(len, (size_t) SHIM_OUT_SIZE);

        b->pos = b->start;
        b->last = ngx_cpymem(b->start, data, size);

        data += size;
        len -= size;
        b->flush = (len == 0);

        *ll = cl;
        ll = &cl->next;
        *ll = NULL;
    }

    return out;
}


/* What has been sent of `out`, and before it, is free again. */
void
shim_out_sent(ngx_pool_t *pool, ngx_chain_t **free, ngx_chain_t **busy,
    ngx_chain_t *out)
{
    ngx_chain_update_chains(pool, free, busy, &out,
                            (ngx_buf_tag_t) &shim_out_chain);
}


/* How much has not been sent? */
size_t
shim_out_length(ngx_chain_t *busy)
{
    size_t  len;

    for (len = 0; busy; busy = busy->next) {
        len += (size_t) ngx_buf_size(busy->buf);
    }

    return len;
}


/* Is there more to come from a filter of this module's? */
void
shim_out_waits(ngx_http_request_t *r, ngx_uint_t waits)
{
    if (waits) {
        r->buffered |= SHIM_OUT_BUFFERED;

    } else {
        r->buffered &= ~SHIM_OUT_BUFFERED;
    }
}
