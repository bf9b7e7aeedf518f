/*
 * What the bindings cannot be trusted with: bit fields, whose accessors bindgen gets wrong from
 * nginx 1.29.3 on, and macros.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


void
s3_shim_expect_tested(ngx_http_request_t *r)
{
    r->expect_tested = 1;
}


void
s3_shim_no_keepalive(ngx_http_request_t *r)
{
    r->keepalive = 0;
}


ngx_uint_t
s3_shim_is_internal(ngx_http_request_t *r)
{
    return r->internal;
}


ngx_uint_t
s3_shim_is_header_only(ngx_http_request_t *r)
{
    return r->header_only;
}


ngx_uint_t
s3_shim_is_chunked(ngx_http_request_t *r)
{
    return r->headers_in.chunked;
}


void
s3_shim_variable(ngx_variable_value_t *v, u_char *data, size_t len)
{
    v->len = (unsigned) len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = data;
}


void
s3_shim_variable_not_found(ngx_variable_value_t *v)
{
    v->not_found = 1;
}


/* A variable's value, or none. */
ngx_uint_t
s3_shim_variable_value(ngx_variable_value_t *v, ngx_str_t *value)
{
    if (v == NULL || v->not_found || !v->valid) {
        return 0;
    }

    value->len = v->len;
    value->data = v->data;

    return 1;
}


/* The whole body of an answer in memory. */
ngx_buf_t *
s3_shim_body_buf(ngx_pool_t *pool, u_char *data, size_t len)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(pool);
    if (b == NULL) {
        return NULL;
    }

    b->pos = data;
    b->last = data + len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    return b;
}


/* An empty buffer to be sent in place of `like`. */
ngx_buf_t *
s3_shim_head_buf(ngx_pool_t *pool, ngx_buf_t *like, size_t size)
{
    ngx_buf_t  *b;

    b = ngx_create_temp_buf(pool, size);
    if (b == NULL) {
        return NULL;
    }

    b->flush = like->flush;
    b->last_buf = like->last_buf;
    b->last_in_chain = like->last_in_chain;

    return b;
}


/*
 * The length of the body that follows the head to the upstream; -1 where it
 * is still being read from the client. True of a first try only.
 */
off_t
s3_shim_body_behind_head(ngx_http_request_t *r)
{
    off_t         length;
    ngx_chain_t  *cl;

    if (r->request_body_no_buffering) {
        return -1;
    }

    length = 0;

    for (cl = r->upstream->request_bufs->next; cl; cl = cl->next) {
        length += ngx_buf_size(cl->buf);
    }

    return length;
}


void
s3_shim_peers_rlock(ngx_http_upstream_rr_peers_t *peers)
{
    ngx_http_upstream_rr_peers_rlock(peers);
}


void
s3_shim_peers_unlock(ngx_http_upstream_rr_peers_t *peers)
{
    ngx_http_upstream_rr_peers_unlock(peers);
}


/*
 * TLS to an origin: the name to send and to verify is the picked origin's,
 * unless the configuration names another.
 */
void
s3_shim_default_ssl_name(ngx_http_upstream_conf_t *conf,
    ngx_http_complex_value_t *name)
{
#if (NGX_HTTP_SSL)

    if (conf->ssl_name == NULL) {
        conf->ssl_name = name;
        conf->ssl_server_name = 1;
    }

#endif
}
