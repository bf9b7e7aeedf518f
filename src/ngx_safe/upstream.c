/*
 * Upstreams, their peers and what a location says of them.
 */

#include "shim.h"


/* Does the location forward bodies while it reads them? */
ngx_uint_t
shim_streams_bodies(ngx_http_upstream_conf_t *conf)
{
    return !conf->request_buffering && conf->pass_request_body;
}


/* proxy_store */
ngx_uint_t
shim_stores(ngx_http_upstream_conf_t *conf)
{
    return conf->store > 0;
}


/* Does a server get its port from the name servers (SRV)? */
ngx_uint_t
shim_is_backup(const ngx_http_upstream_server_t *server)
{
    return server->backup;
}


ngx_uint_t
shim_has_service(const ngx_http_upstream_server_t *server)
{
#if (NGX_HTTP_UPSTREAM_ZONE && nginx_version >= 1027003)
    return server->service.len != 0;
#else
    return 0;
#endif
}


/*
 * Part of the body was read before the upstream asked for it, and nginx has
 * taken that for all of it. Has it the rest read and sent on, if there is just
 * what was read, `length` bytes, to begin with.
 */
ngx_int_t
shim_resume_unbuffered(ngx_http_request_t *r, off_t length)
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


/*
 * The length of the body that follows the head to the upstream; -1 where it
 * is still being read from the client. True of a first try only.
 */
off_t
shim_body_after_head(ngx_http_request_t *r)
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


/*
 * Gives back the peer that was picked for a request, as one that was not
 * tried: `free` is the balancer's, or keepalive's. It can be asked for another
 * one then.
 *
 * nginx's balancers count the peer's connection no more, and do not pick it
 * again for this request. They take what was no failure for a success: a peer
 * that has failed, and is offered one request after fail_timeout to show
 * whether it is back, has its failures forgotten by this. The next request
 * pays for it, and fails over.
 */
void
shim_give_back(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *us,
    ngx_event_free_peer_pt free, void *data)
{
    ngx_uint_t              tries, keepalive, sent;
    ngx_http_upstream_t    *u;
    ngx_peer_connection_t  *pc;

    u = r->upstream;
    pc = &u->peer;

    tries = pc->tries;
    keepalive = u->keepalive;
    sent = u->request_body_sent;

    /* a connection that was kept alive has not been used, and is kept on */

    u->keepalive = 1;
    u->request_body_sent = 1;

    if (free) {
        free(pc, data, 0);
    }

    u->keepalive = keepalive;
    u->request_body_sent = sent;

    pc->tries = tries;

    if (pc->connection) {
        shim_disconnect(pc->connection);
        pc->connection = NULL;
    }

    /*
     * without an address nginx gives no peer back, once it is told that there is
     * none; the name that it then logs may not be the peer's, which can go away
     */

    pc->cached = 0;
    pc->sockaddr = NULL;
    pc->socklen = 0;
    pc->name = &us->host;
}


/* Has nginx begun to send the request at this try? */
ngx_uint_t
shim_is_request_sent(ngx_http_request_t *r)
{
    return r->upstream->request_sent;
}


/*
 * To be called where a try has ended, before nginx closes its connection. What
 * has been cut off must not look like what has ended: of a plain body that is
 * shorter than was announced versitygw keeps what there is, if the connection
 * was closed in good order. So it is reset, and TLS gets no close_notify.
 */
void
shim_reset_if_cut(ngx_http_request_t *r)
{
    struct linger         linger;
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    c = u->peer.connection;

    if (c == NULL || !u->request_sent || u->request_body_sent) {
        return;
    }

    linger.l_onoff = 1;
    linger.l_linger = 0;

    if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == -1)
    {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, ngx_socket_errno,
                      "setsockopt(SO_LINGER) failed");
    }

#if (NGX_HTTP_SSL)

    if (c->ssl) {
        c->ssl->no_send_shutdown = 1;
    }

#endif
}


typedef struct {
    ngx_http_request_t          *request;
    ngx_output_chain_filter_pt   filter;
    void                        *ctx;
} shim_writer_t;


/*
 * An origin may answer before it has all of a body, and close. nginx notices
 * that it cannot write, and would drop the answer, which is there already: what
 * can be read is read first, and shows whether the try has failed.
 */
static ngx_int_t
shim_write_or_read(void *data, ngx_chain_t *in)
{
    shim_writer_t *writer = data;

    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = writer->request->upstream->peer.connection;

    if (!c->write->error) {
        rc = writer->filter(writer->ctx, in);

        if (rc != NGX_ERROR || !c->write->error) {
            return rc;
        }

        ngx_post_event(c->read, &ngx_posted_events);
    }

    return NGX_AGAIN;
}


/* To be called at each try, once it is known what filters the request. */
ngx_int_t
shim_hear_out(ngx_http_request_t *r)
{
    shim_writer_t        *writer;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u->output.output_filter == shim_write_or_read) {
        return NGX_OK;
    }

    writer = ngx_palloc(r->pool, sizeof(shim_writer_t));
    if (writer == NULL) {
        return NGX_ERROR;
    }

    writer->request = r;
    writer->filter = u->output.output_filter;
    writer->ctx = u->output.filter_ctx;

    u->output.output_filter = shim_write_or_read;
    u->output.filter_ctx = writer;

    return NGX_OK;
}


/*
 * Does an upstream answer that has not been sent all of the request? It will
 * not be: nginx stops sending at the answer.
 */
ngx_uint_t
shim_is_request_cut(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || u->cleanup == NULL || u->peer.connection == NULL) {
        return 0;
    }

#if (NGX_HTTP_CACHE)

    if (r->cached) {
        return 0;
    }

#endif

    return !u->request_body_sent;
}


/*
 * The rest of a request that an answer has cut is not sent. nginx waits all the
 * same until it can be, and would take it for a failure after a while: it would
 * make the request elsewhere, though it has begun to pass the answer on.
 */
void
shim_stop_sending(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    wev = r->upstream->peer.connection->write;

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (r->reading_body) {
        r->read_event_handler = ngx_http_block_reading;
    }
}


/* The connection is not used again, whatever the answer says of that. */
void
shim_close_upstream(ngx_http_request_t *r)
{
    r->upstream->headers_in.connection_close = 1;
    r->upstream->keepalive = 0;
}


void
shim_peers_rlock(ngx_http_upstream_rr_peers_t *peers)
{
    ngx_http_upstream_rr_peers_rlock(peers);
}


void
shim_peers_unlock(ngx_http_upstream_rr_peers_t *peers)
{
    ngx_http_upstream_rr_peers_unlock(peers);
}


/*
 * TLS to an origin: the name to send and to verify is the picked origin's,
 * unless the configuration names another.
 */
void
shim_default_ssl_name(ngx_http_upstream_conf_t *conf,
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
shim_obey_no_answer(ngx_http_upstream_conf_t *conf)
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
shim_is_from_upstream(ngx_http_request_t *r)
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


/* Is nginx about to pass on what an upstream has answered now? */
ngx_uint_t
shim_is_being_passed_on(ngx_http_request_t *r)
{
    return r->upstream != NULL && r->upstream->cleanup != NULL;
}


/*
 * The upstream's answer is dropped for another one, with that status. Nothing
 * of it is left: no switch to another protocol, and no HTTP/0.9, for which
 * nginx takes what has no status line.
 */
void
shim_drop_answer(ngx_http_request_t *r)
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


void
shim_peers_wlock(ngx_http_upstream_rr_peers_t *peers)
{
    ngx_http_upstream_rr_peers_wlock(peers);
}


/* Do all workers share the upstream's peers? */
ngx_uint_t
shim_has_zone(ngx_http_upstream_srv_conf_t *us)
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
shim_tls_settings(ngx_http_upstream_conf_t *conf, ngx_uint_t *verify,
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
