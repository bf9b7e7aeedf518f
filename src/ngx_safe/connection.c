/*
 * Timers, and connections of the module's own.
 */

#include "shim.h"


/*
 * A timer that does not keep a worker from its exit. Debug logging takes what
 * `data` of an event points at for a connection, so it gets one.
 */
ngx_event_t *
shim_timer(ngx_cycle_t *cycle, ngx_event_handler_pt handler, void *data)
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
shim_add_timer(ngx_event_t *ev, ngx_msec_t delay)
{
    ngx_add_timer(ev, delay);
}


ngx_uint_t
shim_is_timer_set(ngx_event_t *ev)
{
    return ev->timer_set;
}


/* nginx leaves a timer as it is that differs by less than 300 ms. */
void
shim_add_timer_now(ngx_event_t *ev)
{
    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, 0);
}


/* A log that keeps to itself what is told in another way. */
ngx_log_t *
shim_quiet_log(ngx_cycle_t *cycle)
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
shim_connect(struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *name,
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
shim_is_told_to_close(ngx_connection_t *c)
{
    return c->close;
}


ngx_uint_t
shim_is_timed_out(ngx_event_t *ev)
{
    return ev->timedout;
}


void
shim_disconnect(ngx_connection_t *c)
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


/*
 * What speaks TLS to services of the module's own, and trusts whom `ca` names;
 * NULL where that cannot be, which nginx has said.
 */
ngx_ssl_t *
shim_tls_client(ngx_conf_t *cf, ngx_str_t *ca)
{
#if (NGX_SSL)

    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (ssl == NULL || cln == NULL) {
        return NULL;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NULL;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (ngx_ssl_trusted_certificate(cf, ssl, ca, 10) != NGX_OK) {
        return NULL;
    }

    return ssl;

#else
    return NULL;
#endif
}


/* Begins a TLS session as a client; `name`, ended by NUL, is asked for. */
ngx_int_t
shim_tls_begin(ngx_connection_t *c, ngx_ssl_t *ssl, u_char *name)
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
shim_tls_handshake(ngx_connection_t *c)
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
shim_tls_mismatch(ngx_connection_t *c, ngx_str_t *name)
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
