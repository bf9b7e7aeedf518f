/*
 * One more try of a request at the origin that has rejected it, after a wait.
 *
 * nginx decides about a further try once it has an answer's head. What is done
 * here comes before that: the head is read by who reads it anyway, then the
 * module is shown as much of the body as is there. If it wants another try, an
 * unreadable head is told, for which nginx makes one, whatever
 * proxy_next_upstream says. If it wants to wait, the connection has nothing to
 * read until then.
 */

#include "shim.h"


/* Milliseconds between two looks at what is waited for. */
#define SHIM_AGAIN_PAUSE  10


typedef struct {
    ngx_http_request_t        *request;
    ngx_http_upstream_t       *upstream;
    shim_again_hears_pt        hears;
    shim_again_waits_pt        waits;

    /* what nginx would have called */
    ngx_int_t                (*process_header)(ngx_http_request_t *r);
    ngx_int_t                (*reinit_request)(ngx_http_request_t *r);
    ngx_recv_pt                recv;
    ngx_http_upstream_conf_t  *conf;

    /* the settings of the upstream while nginx decides about another try */
    ngx_http_upstream_conf_t   permissive;

    /* its event's data, which debug logging takes for a connection */
    ngx_connection_t           dummy;
    ngx_event_t                timer;
    ngx_connection_t          *waiting;

    ngx_uint_t                 status;
    unsigned                   has_head:1;
    unsigned                   is_resumed:1;
    unsigned                   is_again:1;
    unsigned                   is_wanted:1;
} shim_again_t;


static ngx_int_t shim_again_process_header(ngx_http_request_t *r);
static ngx_int_t shim_again_reinit_request(ngx_http_request_t *r);


static void
shim_again_cleanup(void *data)
{
    shim_again_t *again = data;

    if (again->timer.timer_set) {
        ngx_del_timer(&again->timer);
    }
}


static shim_again_t *
shim_again_of(ngx_http_request_t *r)
{
    shim_again_t        *again;
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == shim_again_cleanup) {
            again = cln->data;

            if (again->request == r) {
                return again;
            }
        }
    }

    return NULL;
}


/* The connection has nothing to read, until the wait is over. */
static ssize_t
shim_again_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    shim_again_t  *again;

    again = shim_again_of(c->data);

    if (again == NULL || again->waiting != c) {
        return NGX_ERROR;
    }

    if (!again->is_resumed || size == 0) {
        return NGX_AGAIN;
    }

    c->recv = again->recv;
    again->waiting = NULL;

    /* a byte, so that nginx looks at the answer; it is taken away again there */

    *buf = '\0';

    return 1;
}


/* Ends a wait, after which the connection may be kept for another request. */
static void
shim_again_stop(shim_again_t *again)
{
    ngx_connection_t  *c;

    if (again->timer.timer_set) {
        ngx_del_timer(&again->timer);
    }

    c = again->waiting;

    if (c && again->upstream->peer.connection == c) {
        c->recv = again->recv;
    }

    again->waiting = NULL;
    again->is_resumed = 0;
    again->has_head = 0;
}


static void
shim_again_look(ngx_event_t *ev)
{
    ngx_connection_t  *dummy = ev->data;
    shim_again_t      *again = dummy->data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = again->request;
    c = again->waiting;

    if (c == NULL || r->upstream != again->upstream
        || r->upstream->peer.connection != c)
    {
        return;
    }

    switch (again->waits(r)) {

    case SHIM_AGAIN_WAIT:
        ngx_add_timer(ev, SHIM_AGAIN_PAUSE);
        return;

    case SHIM_AGAIN_TRY:
        again->is_wanted = 1;
        break;

    default:
        again->is_wanted = 0;
    }

    again->is_resumed = 1;

    c->read->handler(c->read);
}


/* Has nginx make another try of an answer that it takes for unreadable. */
static ngx_int_t
shim_again_try(shim_again_t *again)
{
    ngx_http_upstream_t *u = again->request->upstream;

    again->conf = u->conf;
    again->permissive = *u->conf;
    again->permissive.next_upstream |= NGX_HTTP_UPSTREAM_FT_INVALID_HEADER
                                       |NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT;
    again->permissive.next_upstream_timeout = 0;
    u->conf = &again->permissive;

    again->status = u->headers_in.status_n;
    again->is_again = 1;

    return NGX_HTTP_UPSTREAM_INVALID_HEADER;
}


static ngx_int_t
shim_again_process_header(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_uint_t            said;
    shim_again_t         *again;
    ngx_connection_t     *c;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    again = shim_again_of(r);

    if (again == NULL) {
        return NGX_ERROR;
    }

    if (again->is_resumed) {
        again->is_resumed = 0;
        u->buffer.last--;
        u->state->bytes_received--;

        return again->is_wanted ? shim_again_try(again) : NGX_OK;
    }

    if (!again->has_head) {
        u->process_header = again->process_header;

        rc = u->process_header(r);

        /* there is one function for the first line and another one for the rest */

        again->process_header = u->process_header;
        u->process_header = shim_again_process_header;

        if (rc != NGX_OK || u->headers_in.status_n < 400) {
            return rc;
        }

        again->has_head = 1;
    }

    said = again->hears(r, u->headers_in.status_n, u->buffer.pos,
                        u->buffer.last - u->buffer.pos,
                        u->headers_in.content_length_n, u->headers_in.chunked);

    if (said == SHIM_AGAIN_TRY) {
        return shim_again_try(again);
    }

    /* nginx wants room for what is to come */

    if (said == SHIM_AGAIN_PASS || u->buffer.last == u->buffer.end) {
        return NGX_OK;
    }

    if (said == SHIM_AGAIN_WAIT) {
        c = u->peer.connection;

        again->recv = c->recv;
        again->waiting = c;
        c->recv = shim_again_recv;

        ngx_add_timer(&again->timer, SHIM_AGAIN_PAUSE);
    }

    return NGX_AGAIN;
}


static ngx_int_t
shim_again_reinit_request(ngx_http_request_t *r)
{
    ngx_int_t      rc;
    shim_again_t  *again;

    again = shim_again_of(r);

    if (again == NULL) {
        return NGX_ERROR;
    }

    rc = again->reinit_request(r);

    again->process_header = r->upstream->process_header;
    r->upstream->process_header = shim_again_process_header;

    return rc;
}


/*
 * To be called when a peer is asked for. Has the answer of the try that begins
 * shown to `hears`; while that waits, `waits` is asked.
 */
ngx_int_t
shim_again_prepare(ngx_http_request_t *r, shim_again_hears_pt hears,
    shim_again_waits_pt waits)
{
    shim_again_t         *again;
    ngx_pool_cleanup_t   *cln;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    again = shim_again_of(r);

    if (again && again->upstream == u) {
        shim_again_stop(again);
        return NGX_OK;
    }

    if (again) {

        /* of an upstream that the request had before an internal redirect */

        if (again->timer.timer_set) {
            ngx_del_timer(&again->timer);
        }

    } else {
        cln = ngx_pool_cleanup_add(r->pool, sizeof(shim_again_t));
        if (cln == NULL) {
            return NGX_ERROR;
        }

        again = cln->data;
        cln->handler = shim_again_cleanup;
    }

    ngx_memzero(again, sizeof(shim_again_t));

    again->request = r;
    again->upstream = u;
    again->hears = hears;
    again->waits = waits;
    again->process_header = u->process_header;
    again->reinit_request = u->reinit_request;

    again->dummy.fd = (ngx_socket_t) -1;
    again->dummy.data = again;

    again->timer.data = &again->dummy;
    again->timer.handler = shim_again_look;
    again->timer.log = r->connection->log;

    u->process_header = shim_again_process_header;
    u->reinit_request = shim_again_reinit_request;

    return NGX_OK;
}


/* A try ends. Is it to be made once more? */
ngx_uint_t
shim_again_is_next(ngx_http_request_t *r)
{
    shim_again_t  *again;

    again = shim_again_of(r);

    if (again == NULL || again->upstream != r->upstream) {
        return 0;
    }

    shim_again_stop(again);

    return again->is_again;
}


/*
 * nginx has decided, and begins the further try: its own settings are back, and
 * its log tells the status that the last try really had.
 */
void
shim_again_begins(ngx_http_request_t *r)
{
    shim_again_t               *again;
    ngx_http_upstream_state_t  *state;

    again = shim_again_of(r);

    if (again == NULL || !again->is_again) {
        return;
    }

    again->is_again = 0;
    r->upstream->conf = again->conf;

    if (r->upstream_states->nelts > 1) {
        state = r->upstream_states->elts;
        state[r->upstream_states->nelts - 2].status = again->status;
    }
}
