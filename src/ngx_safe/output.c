/*
 * What leaves for an upstream, and in which packets.
 */

#include "shim.h"

static ngx_int_t shim_write_stored(void *r, ngx_chain_t *in);


/*
 * What is sent to the upstream goes through `filter`, in memory; without one,
 * straight to the connection.
 */
void
shim_output_filter(ngx_http_request_t *r,
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
        shim_send_stored(r);
    }
}


/*
 * Has a body that is stored in a file, and goes out as it is, fill its packets.
 */
void
shim_send_stored(ngx_http_request_t *r)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (r->request_body && r->request_body->temp_file
        && u->output.output_filter == ngx_chain_writer)
    {
        u->output.output_filter = shim_write_stored;
        u->output.filter_ctx = r;
    }
}


/*
 * Has packets to the upstream filled up. nginx itself has the rest leave before
 * it waits for more, and at the body's end, as it does where it has done this to
 * send a file. Without it, more packets leave.
 */
static void
shim_cork(ngx_http_upstream_t *u)
{
    ngx_connection_t  *c;

    c = u->peer.connection;

    if (c->tcp_nopush != NGX_TCP_NOPUSH_SET
        && u->peer.sockaddr->sa_family != AF_UNIX
        && ngx_tcp_nopush(c->fd) == 0)
    {
        c->tcp_nopush = NGX_TCP_NOPUSH_SET;
    }
}


/*
 * To be called while a body arrives that is not buffered: nginx sends on what
 * fits into one of its buffers, each time in a packet that would leave at once.
 * Where more is at hand, packets fill up. Little is not worth the two calls.
 */
void
shim_fill_packets(ngx_http_request_t *r)
{
    off_t                 size;
    ngx_buf_t            *b;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || u->peer.connection == NULL || u->peer.sockaddr == NULL
        || !r->request_body_no_buffering || r->request_body == NULL)
    {
        return;
    }

    b = r->request_body->buf;
    if (b == NULL) {
        return;
    }

    size = b->end - b->start;

    if (r->connection->read->available < 2 * size) {
        return;
    }

    shim_cork(u);
}


/*
 * Sends what is in the chain, and what is left of those before. Where `more` of
 * a buffered body follows at once, it leaves in one packet with that. None waits
 * until those before are acknowledged, which may take 40 ms: nginx sees to that
 * only where bodies are not buffered, since others it sends by one call.
 */
ngx_int_t
shim_output(ngx_http_request_t *r, ngx_chain_t *out, ngx_uint_t more)
{
    ngx_http_upstream_t       *u;
    ngx_http_core_loc_conf_t  *clcf;

    u = r->upstream;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->tcp_nodelay && ngx_tcp_nodelay(u->peer.connection) != NGX_OK) {
        return NGX_ERROR;
    }

    if (more && !r->request_body_no_buffering) {
        shim_cork(u);
    }

    return ngx_chain_writer(&u->writer, out);
}


/*
 * Sends a part of a body that is stored in a file, which nginx reads into its
 * buffers by and by.
 */
static ngx_int_t
shim_write_stored(void *r, ngx_chain_t *in)
{
    return shim_output(r, in, 1);
}
