/*
 * Requests, their variables and the heads of their answers.
 */

#include "shim.h"


void
shim_expect_tested(ngx_http_request_t *r)
{
    r->expect_tested = 1;
}


void
shim_no_keepalive(ngx_http_request_t *r)
{
    r->keepalive = 0;
}


ngx_uint_t
shim_is_internal(ngx_http_request_t *r)
{
    return r->internal;
}


/* Does the target that the client sent go to the upstream as it is? */
ngx_uint_t
shim_is_target_kept(ngx_http_request_t *r)
{
    return r->valid_unparsed_uri;
}


/* Is a rewritten path escaped on its way to the upstream? */
ngx_uint_t
shim_is_path_escaped(ngx_http_request_t *r)
{
    return r->quoted_uri || r->internal;
}


ngx_uint_t
shim_is_header_only(ngx_http_request_t *r)
{
    return r->header_only;
}


ngx_uint_t
shim_is_chunked(ngx_http_request_t *r)
{
    return r->headers_in.chunked;
}


void
shim_variable(ngx_variable_value_t *v, u_char *data, size_t len)
{
    v->len = (unsigned) len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = data;
}


void
shim_variable_not_found(ngx_variable_value_t *v)
{
    v->not_found = 1;
}


/* An error of this request is answered as it is, whatever error_page says. */
void
shim_no_error_page(ngx_http_request_t *r)
{
    r->error_page = 1;
}


/*
 * The answer has been sent with its body: whoever sends a header next leaves
 * it at that. The client may still be sending; it shall read the answer.
 */
void
shim_answered(ngx_http_request_t *r)
{
    r->header_only = 1;
    r->lingering_close = 1;
}


ngx_uint_t
shim_is_unbuffered(ngx_http_request_t *r)
{
    return r->request_body_no_buffering;
}


void
shim_set_unbuffered(ngx_http_request_t *r)
{
    r->request_body_no_buffering = 1;
}


/* Is there more of the body to come, which is read as it is forwarded? */
ngx_uint_t
shim_is_reading_body(ngx_http_request_t *r)
{
    return r->reading_body;
}


/*
 * Is a part of the announced body still to be read from the connection?
 * Streams of HTTP/2 and HTTP/3 have an end of their own.
 */
ngx_uint_t
shim_has_unread_body(ngx_http_request_t *r)
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
shim_is_discarding(ngx_http_request_t *r)
{
    return r->discard_body;
}


/*
 * Does the client expect to be told to go on before it sends the body? nginx
 * marks an expectation as dealt with whether it has said so or not, but it is
 * the first thing that is sent.
 */
ngx_uint_t
shim_awaits_continue(ngx_http_request_t *r)
{
    return r->headers_in.expect && r->connection->sent == 0;
}


/*
 * The connection is closed for writing as soon as the answer is sent, and
 * lingers. Where nginx were left to discard the body, it would wait for all of
 * it before that.
 */
void
shim_close_after_answer(ngx_http_request_t *r)
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


/*
 * Nothing more of the body is read until it is asked for, however long that
 * takes.
 */
void
shim_pause_reading(ngx_http_request_t *r)
{
    if (r->connection->read->timer_set) {
        ngx_del_timer(r->connection->read);
    }

    r->read_event_handler = ngx_http_block_reading;
}


/* The write handler is called once other requests have had their turn. */
void
shim_give_turn(ngx_http_request_t *r)
{
    ngx_post_event(r->connection->write, &ngx_posted_next_events);
}


/* A variable's value, or none. */
ngx_uint_t
shim_variable_value(ngx_variable_value_t *v, ngx_str_t *value)
{
    if (v == NULL || v->not_found || !v->valid) {
        return 0;
    }

    value->len = v->len;
    value->data = v->data;

    return 1;
}


/* How long the body of the answer is shows at its end. */
void
shim_length_unknown(ngx_http_request_t *r)
{
    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = -1;
}


/* The answer is sent with another body than the one that its head is of. */
void
shim_body_changes(ngx_http_request_t *r, off_t length)
{
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    r->headers_out.content_length_n = length;
    r->expect_trailers = 0;
}


void
shim_content_type(ngx_http_request_t *r, u_char *type, size_t len)
{
    r->headers_out.content_type.data = type;
    r->headers_out.content_type.len = len;
    r->headers_out.content_type_len = len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.override_charset = NULL;
    ngx_str_null(&r->headers_out.charset);
}


/* A header of the answer is not sent. */
void
shim_remove_header(ngx_http_request_t *r, ngx_table_elt_t *h)
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


/*
 * Is it for its head's length that nginx is about to answer 400? It lingers
 * after that error alone, and over HTTP/1 has no room left.
 */
ngx_uint_t
shim_is_head_too_large(ngx_http_request_t *r)
{
    return r->err_status == NGX_HTTP_BAD_REQUEST
           && r->http_version < NGX_HTTP_VERSION_20
           && r->request_line.len != 0
           && r->lingering_close
           && r->header_in != NULL
           && r->header_in->pos == r->header_in->end;
}


/*
 * Has nginx read a request line, and not made out a path of its target? The
 * target is not in the request's fields then.
 */
ngx_uint_t
shim_bad_target(ngx_http_request_t *r, ngx_str_t *target)
{
    if (r->err_status != NGX_HTTP_BAD_REQUEST || r->uri.len != 0
        || r->uri_start == NULL || r->uri_end == NULL)
    {
        return 0;
    }

    if (r->http_version < NGX_HTTP_VERSION_20 && r->request_line.len == 0) {
        return 0;
    }

    target->data = r->uri_start;
    target->len = r->uri_end - r->uri_start;

    return 1;
}


/*
 * An error has been answered with that status, body and all: nginx, which
 * sends a page of its own next, leaves it at that.
 */
void
shim_answered_error(ngx_http_request_t *r, ngx_uint_t status)
{
    r->err_status = status;
    r->header_only = 1;
}


/* Is it the location "/", which takes what no other location does? */
ngx_uint_t
shim_is_catch_all(ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_PCRE)

    if (clcf->regex) {
        return 0;
    }

#endif

    return clcf->name.len == 1 && clcf->name.data[0] == '/'
           && !clcf->noname && !clcf->lmt_excpt && !clcf->exact_match;
}


/*
 * Is it an "if"? Without a handler of its own, its requests go to the one of the
 * location around it.
 */
ngx_uint_t
shim_is_condition(ngx_http_core_loc_conf_t *clcf)
{
    return clcf->noname && !clcf->lmt_excpt;
}


/* Is it a "limit_except"? nginx gives it no handler of the location around it. */
ngx_uint_t
shim_is_limit_except(ngx_http_core_loc_conf_t *clcf)
{
    return clcf->lmt_excpt;
}
