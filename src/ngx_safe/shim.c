/*
 * What the bindings cannot be trusted with: bit fields, whose accessors bindgen gets wrong from
 * nginx 1.29.3 on, and macros.
 */

#include "shim.h"


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


/* Does the target that the client sent go to the upstream as it is? */
ngx_uint_t
s3_shim_is_target_kept(ngx_http_request_t *r)
{
    return r->valid_unparsed_uri;
}


/* Is a rewritten path escaped on its way to the upstream? */
ngx_uint_t
s3_shim_is_path_escaped(ngx_http_request_t *r)
{
    return r->quoted_uri || r->internal;
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


/* An error of this request is answered as it is, whatever error_page says. */
void
s3_shim_no_error_page(ngx_http_request_t *r)
{
    r->error_page = 1;
}


/*
 * The answer has been sent with its body: whoever sends a header next leaves
 * it at that. The client may still be sending; it shall read the answer.
 */
void
s3_shim_answered(ngx_http_request_t *r)
{
    r->header_only = 1;
    r->lingering_close = 1;
}


ngx_uint_t
s3_shim_is_unbuffered(ngx_http_request_t *r)
{
    return r->request_body_no_buffering;
}


void
s3_shim_set_unbuffered(ngx_http_request_t *r)
{
    r->request_body_no_buffering = 1;
}


/* Is there more of the body to come, which is read as it is forwarded? */
ngx_uint_t
s3_shim_is_reading_body(ngx_http_request_t *r)
{
    return r->reading_body;
}


/*
 * Is a part of the announced body still to be read from the connection?
 * Streams of HTTP/2 and HTTP/3 have an end of their own.
 */
ngx_uint_t
s3_shim_has_unread_body(ngx_http_request_t *r)
{
    ngx_http_request_body_t  *rb;

    if (r->http_version >= NGX_HTTP_VERSION_20
        || (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked))
    {
        return 0;
    }

    rb = r->request_body;

    if (rb == NULL) {
        return 1;
    }

    /* one without a handler keeps count of chunks that are discarded */

    if (rb->post_handler == NULL) {
        return r->headers_in.content_length_n != 0;
    }

    return rb->rest != 0 || r->reading_body;
}


ngx_uint_t
s3_shim_is_discarding(ngx_http_request_t *r)
{
    return r->discard_body;
}


/*
 * Does the client expect to be told to go on before it sends the body? nginx
 * marks an expectation as dealt with whether it has said so or not, but it is
 * the first thing that is sent.
 */
ngx_uint_t
s3_shim_awaits_continue(ngx_http_request_t *r)
{
    return r->headers_in.expect && r->connection->sent == 0;
}


/*
 * The connection is closed for writing as soon as the answer is sent, and
 * lingers. Where nginx were left to discard the body, it would wait for all of
 * it before that.
 */
void
s3_shim_close_after_answer(ngx_http_request_t *r)
{
    if (r->discard_body) {
        r->discard_body = 0;
        r->count--;

        if (r->read_event_handler == ngx_http_discarded_request_body_handler) {
            r->read_event_handler = ngx_http_block_reading;
        }
    }

    r->keepalive = 0;
    r->lingering_close = 1;
}


/* Does the location forward bodies while it reads them? */
ngx_uint_t
s3_shim_streams_bodies(ngx_http_upstream_conf_t *conf)
{
    return !conf->request_buffering && conf->pass_request_body;
}


/* proxy_store */
ngx_uint_t
s3_shim_stores(ngx_http_upstream_conf_t *conf)
{
    return conf->store > 0;
}


/* Does a server get its port from the name servers (SRV)? */
ngx_uint_t
s3_shim_has_service(const ngx_http_upstream_server_t *server)
{
#if (NGX_HTTP_UPSTREAM_ZONE && nginx_version >= 1027003)
    return server->service.len != 0;
#else
    return 0;
#endif
}


/*
 * Nothing more of the body is read until it is asked for, however long that
 * takes.
 */
void
s3_shim_pause_reading(ngx_http_request_t *r)
{
    if (r->connection->read->timer_set) {
        ngx_del_timer(r->connection->read);
    }

    r->read_event_handler = ngx_http_block_reading;
}


/*
 * Part of the body was read before the upstream asked for it, and nginx has
 * taken that for all of it. Has it the rest read and sent on, if there is just
 * what was read, `length` bytes, to begin with.
 */
ngx_int_t
s3_shim_resume_unbuffered(ngx_http_request_t *r, off_t length)
{
    off_t                 kept;
    ngx_chain_t          *cl;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    kept = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        kept += ngx_buf_size(cl->buf);
    }

    if (kept != length || u->request_bufs == NULL
        || !u->conf->pass_request_body)
    {
        return NGX_ERROR;
    }

    /* the head alone, as where nginx does not buffer on its own */

    u->request_bufs->next = NULL;

    r->request_body_no_buffering = 1;

    return NGX_OK;
}


ngx_uint_t
s3_shim_buf_is_last(ngx_buf_t *b)
{
    return b->last_buf;
}


ngx_uint_t
s3_shim_buf_in_memory(ngx_buf_t *b)
{
    return ngx_buf_in_memory(b);
}


/* An empty buffer may mark the end, but must not look like memory. */
void
s3_shim_buf_forget_memory(ngx_buf_t *b)
{
    b->temporary = 0;
    b->memory = 0;
    b->mmap = 0;
}


/* May what is in the buffer be written to? */
ngx_uint_t
s3_shim_buf_is_writable(ngx_buf_t *b)
{
    return b->temporary;
}


/*
 * A buffer for bytes that are elsewhere, which nobody may write to; what
 * `before` ends, it ends instead.
 */
ngx_buf_t *
s3_shim_buf_behind(ngx_pool_t *pool, ngx_buf_t *before, u_char *data,
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
s3_shim_buf_flush(ngx_buf_t *b)
{
    b->flush = 1;
}


/*
 * Makes a buffer stand for bytes to be sent without delay, which nobody may
 * write to.
 */
void
s3_shim_buf_point(ngx_buf_t *b, u_char *data, size_t len, ngx_uint_t last)
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
s3_shim_free_chain(ngx_pool_t *pool, ngx_chain_t *cl)
{
    ngx_free_chain(pool, cl);
}


/*
 * What is sent to the upstream goes through `filter`, in memory; without one,
 * straight to the connection.
 */
void
s3_shim_output_filter(ngx_http_request_t *r,
    ngx_output_chain_filter_pt filter)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (filter) {
        u->output.output_filter = filter;
        u->output.filter_ctx = r;
        u->output.need_in_memory = 1;

    } else {
        u->output.output_filter = ngx_chain_writer;
        u->output.filter_ctx = &u->writer;
    }
}


ngx_int_t
s3_shim_output(ngx_http_request_t *r, ngx_chain_t *out)
{
    return ngx_chain_writer(&r->upstream->writer, out);
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
s3_shim_body_buf(ngx_http_request_t *r, u_char *data, size_t len)
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
s3_shim_head_buf(ngx_buf_t *b, ngx_buf_t *like, u_char *data, size_t size)
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


/*
 * What an origin says is the client's answer, and nothing that nginx obeys:
 * no redirect to another location, no expiry, rate, buffering or charset of
 * its choice, and no hints that are sent before the answer is looked at.
 */
void
s3_shim_obey_no_answer(ngx_http_upstream_conf_t *conf)
{
    conf->ignore_headers |= NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT
                            |NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES
                            |NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE
                            |NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING
                            |NGX_HTTP_UPSTREAM_IGN_XA_CHARSET;

#if (nginx_version >= 1029000)
    conf->pass_early_hints = 0;
#endif
}


/*
 * Does the answer that is being sent come from an upstream, or from a cache of
 * its answers? nginx lets go of an upstream before it answers in its stead.
 */
ngx_uint_t
s3_shim_is_from_upstream(ngx_http_request_t *r)
{
    if (r->upstream == NULL) {
        return 0;
    }

#if (NGX_HTTP_CACHE)

    if (r->cached) {
        return 1;
    }

#endif

    return r->upstream->cleanup != NULL;
}


/*
 * The upstream's answer is dropped for another one, with that status. Nothing
 * of it is left: no switch to another protocol, and no HTTP/0.9, for which
 * nginx takes what has no status line.
 */
void
s3_shim_drop_answer(ngx_http_request_t *r)
{
    u_char  *version;

    ngx_http_clean_header(r);

    r->upstream->upgrade = 0;

    version = r->http_protocol.data;

    if (r->http_version == NGX_HTTP_VERSION_9
        && r->http_protocol.len == sizeof("HTTP/1.1") - 1)
    {
        r->http_version = (version[5] - '0') * 1000 + version[7] - '0';
    }
}


/* How long the body of the answer is shows at its end. */
void
s3_shim_length_unknown(ngx_http_request_t *r)
{
    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = -1;
}


/* The answer is sent with another body than the one that its head is of. */
void
s3_shim_body_changes(ngx_http_request_t *r, off_t length)
{
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    r->headers_out.content_length_n = length;
    r->expect_trailers = 0;
}


void
s3_shim_content_type(ngx_http_request_t *r, u_char *type, size_t len)
{
    r->headers_out.content_type.data = type;
    r->headers_out.content_type.len = len;
    r->headers_out.content_type_len = len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.override_charset = NULL;
    ngx_str_null(&r->headers_out.charset);
}


/* Is the body of an answer at its end with that buffer? */
ngx_uint_t
s3_shim_ends_answer(ngx_http_request_t *r, ngx_buf_t *b)
{
    return (r == r->main) ? b->last_buf : b->last_in_chain;
}


ngx_uint_t
s3_shim_buf_flushes(ngx_buf_t *b)
{
    return b->flush;
}


/*
 * Reads what is next in a buffer that is not in memory: how many bytes, 0 at
 * its end, or NGX_ERROR.
 */
ssize_t
s3_shim_buf_read(ngx_buf_t *b, u_char *data, size_t size)
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


off_t
s3_shim_buf_length(ngx_buf_t *b)
{
    return ngx_buf_size(b);
}


/* Does a buffer say something without a byte in it? */
ngx_uint_t
s3_shim_buf_is_special(ngx_buf_t *b)
{
    return b->last_buf || b->flush || b->sync;
}


/* All that is in a buffer has been taken. */
void
s3_shim_buf_taken(ngx_buf_t *b)
{
    b->pos = b->last;
    b->file_pos = b->file_last;
}


/*
 * A buffer for bytes in memory, to be sent in place of `like`; NULL: ahead of
 * others.
 */
ngx_buf_t *
s3_shim_buf_for(ngx_pool_t *pool, ngx_buf_t *like, u_char *data, size_t len)
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


/* A header of the answer is not sent. */
void
s3_shim_remove_header(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    h->hash = 0;

    if (r->headers_out.location == h) {
        r->headers_out.location = NULL;
    }

    if (r->headers_out.etag == h) {
        r->headers_out.etag = NULL;
    }

    if (r->headers_out.content_encoding == h) {
        r->headers_out.content_encoding = NULL;
    }

    if (r->headers_out.refresh == h) {
        r->headers_out.refresh = NULL;
    }

    if (r->headers_out.www_authenticate == h) {
        r->headers_out.www_authenticate = NULL;
    }
}


void
s3_shim_peers_wlock(ngx_http_upstream_rr_peers_t *peers)
{
    ngx_http_upstream_rr_peers_wlock(peers);
}


/* Do all workers share the upstream's peers? */
ngx_uint_t
s3_shim_has_zone(ngx_http_upstream_srv_conf_t *us)
{
#if (NGX_HTTP_UPSTREAM_ZONE)
    return us->shm_zone != NULL;
#else
    return 0;
#endif
}


/*
 * TLS as a location speaks it to its upstream. `name` is left as it is where
 * it depends on the request.
 */
ngx_ssl_t *
s3_shim_tls_settings(ngx_http_upstream_conf_t *conf, ngx_uint_t *verify,
    ngx_uint_t *send_name, ngx_str_t *name)
{
#if (NGX_HTTP_SSL)

    *verify = conf->ssl_verify;
    *send_name = conf->ssl_server_name;

    if (conf->ssl_name && conf->ssl_name->lengths == NULL) {
        *name = conf->ssl_name->value;
    }

    return conf->ssl;

#else
    return NULL;
#endif
}


/*
 * A timer that does not keep a worker from its exit. Debug logging takes what
 * `data` of an event points at for a connection, so it gets one.
 */
ngx_event_t *
s3_shim_timer(ngx_cycle_t *cycle, ngx_event_handler_pt handler, void *data)
{
    ngx_event_t       *ev;
    ngx_connection_t  *c;

    ev = ngx_pcalloc(cycle->pool, sizeof(ngx_event_t));
    c = ngx_pcalloc(cycle->pool, sizeof(ngx_connection_t));

    if (ev == NULL || c == NULL) {
        return NULL;
    }

    c->fd = (ngx_socket_t) -1;
    c->data = data;

    ev->data = c;
    ev->handler = handler;
    ev->log = cycle->log;
    ev->cancelable = 1;

    return ev;
}


void
s3_shim_add_timer(ngx_event_t *ev, ngx_msec_t delay)
{
    ngx_add_timer(ev, delay);
}


/* A log that keeps to itself what is told in another way. */
ngx_log_t *
s3_shim_quiet_log(ngx_cycle_t *cycle)
{
    ngx_log_t  *log;

    log = ngx_palloc(cycle->pool, sizeof(ngx_log_t));
    if (log == NULL) {
        return NULL;
    }

    *log = *cycle->log;

    if (log->log_level > NGX_LOG_ALERT) {
        log->log_level = NGX_LOG_ALERT;
    }

    return log;
}


/* A connection that nginx has closed when the worker is to exit. */
ngx_int_t
s3_shim_connect(struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *name,
    ngx_log_t *log, ngx_connection_t **connection)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_peer_connection_t   pc;

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = sockaddr;
    pc.socklen = socklen;
    pc.name = name;
    pc.get = ngx_event_get_peer;
    pc.log = log;
    pc.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&pc);

    c = pc.connection;
    *connection = c;

    if (c == NULL) {
        return rc;
    }

    c->log = log;
    c->idle = 1;
    c->pool = ngx_create_pool(512, log);

    if (c->pool == NULL) {
        ngx_close_connection(c);
        *connection = NULL;
        return NGX_ERROR;
    }

    return rc;
}


ngx_uint_t
s3_shim_is_told_to_close(ngx_connection_t *c)
{
    return c->close;
}


ngx_uint_t
s3_shim_is_timed_out(ngx_event_t *ev)
{
    return ev->timedout;
}


void
s3_shim_disconnect(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    pool = c->pool;

#if (NGX_SSL)

    if (c->ssl) {
        c->ssl->no_wait_shutdown = 1;
        c->ssl->no_send_shutdown = 1;
        (void) ngx_ssl_shutdown(c);
    }

#endif

    ngx_close_connection(c);
    ngx_destroy_pool(pool);
}


/* Begins a TLS session as a client; `name`, ended by NUL, is asked for. */
ngx_int_t
s3_shim_tls_begin(ngx_connection_t *c, ngx_ssl_t *ssl, u_char *name)
{
#if (NGX_SSL)

    if (ngx_ssl_create_connection(ssl, c, NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (name && SSL_set_tlsext_host_name(c->ssl->connection, (char *) name)
                == 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;

#else
    return NGX_ERROR;
#endif
}


ngx_int_t
s3_shim_tls_handshake(ngx_connection_t *c)
{
#if (NGX_SSL)

    ngx_int_t               rc;
    ngx_event_handler_pt    read, write;

    read = c->read->handler;
    write = c->write->handler;

    rc = ngx_ssl_handshake(c);

    /* nginx has put handlers of its own there, which know of no timeout */

    c->read->handler = read;
    c->write->handler = write;

    return rc;

#else
    return NGX_ERROR;
#endif
}


/* What is wrong with the certificate of the other side; NULL: nothing. */
const char *
s3_shim_tls_mismatch(ngx_connection_t *c, ngx_str_t *name)
{
#if (NGX_SSL)

    long  rc;

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        return X509_verify_cert_error_string(rc);
    }

    if (ngx_ssl_check_host(c, name) != NGX_OK) {
        return "it is for another name";
    }

    return NULL;

#else
    return "TLS is not built in";
#endif
}
