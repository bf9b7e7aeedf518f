/*
 * What Rust may call. The C files include it, and the bindings are made from it, so that each
 * declaration is checked on both sides.
 */

#ifndef SHIM_H
#define SHIM_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* request.c */

void shim_expect_tested(ngx_http_request_t *r);
void shim_no_keepalive(ngx_http_request_t *r);
ngx_uint_t shim_is_internal(ngx_http_request_t *r);
ngx_uint_t shim_is_target_kept(ngx_http_request_t *r);
ngx_uint_t shim_is_path_escaped(ngx_http_request_t *r);
ngx_uint_t shim_is_header_only(ngx_http_request_t *r);
ngx_uint_t shim_is_chunked(ngx_http_request_t *r);
void shim_variable(ngx_variable_value_t *v, u_char *data, size_t len);
void shim_variable_not_found(ngx_variable_value_t *v);
void shim_no_error_page(ngx_http_request_t *r);
void shim_answered(ngx_http_request_t *r);
ngx_uint_t shim_is_unbuffered(ngx_http_request_t *r);
void shim_set_unbuffered(ngx_http_request_t *r);
ngx_uint_t shim_is_reading_body(ngx_http_request_t *r);
ngx_uint_t shim_has_unread_body(ngx_http_request_t *r);
ngx_uint_t shim_is_discarding(ngx_http_request_t *r);
ngx_uint_t shim_awaits_continue(ngx_http_request_t *r);
void shim_close_after_answer(ngx_http_request_t *r);
void shim_pause_reading(ngx_http_request_t *r);
void shim_give_turn(ngx_http_request_t *r);
ngx_uint_t shim_variable_value(ngx_variable_value_t *v, ngx_str_t *value);
void shim_length_unknown(ngx_http_request_t *r);
void shim_body_changes(ngx_http_request_t *r, off_t length);
void shim_content_type(ngx_http_request_t *r, u_char *type, size_t len);
void shim_remove_header(ngx_http_request_t *r, ngx_table_elt_t *h);
ngx_uint_t shim_is_head_too_large(ngx_http_request_t *r);
ngx_uint_t shim_bad_target(ngx_http_request_t *r, ngx_str_t *target);
void shim_answered_error(ngx_http_request_t *r, ngx_uint_t status);
ngx_uint_t shim_is_catch_all(ngx_http_core_loc_conf_t *clcf);
ngx_uint_t shim_is_condition(ngx_http_core_loc_conf_t *clcf);
ngx_uint_t shim_is_limit_except(ngx_http_core_loc_conf_t *clcf);


/* buf.c */

/* How much is copied at a time, and which bit of `buffered` says that there is more: nginx has 0x01 to 0x04 for
   its own filters, and 0xf0 for what is below them. */
#define SHIM_OUT_SIZE      16384
#define SHIM_OUT_BUFFERED  0x08

ngx_uint_t shim_buf_is_last(ngx_buf_t *b);
ngx_uint_t shim_buf_in_memory(ngx_buf_t *b);
void shim_buf_forget_memory(ngx_buf_t *b);
ngx_uint_t shim_buf_is_writable(ngx_buf_t *b);
ngx_buf_t *shim_buf_after(ngx_pool_t *pool, ngx_buf_t *before, u_char *data, size_t len);
void shim_buf_flush(ngx_buf_t *b);
void shim_buf_point(ngx_buf_t *b, u_char *data, size_t len, ngx_uint_t last);
void shim_free_chain(ngx_pool_t *pool, ngx_chain_t *cl);
ngx_buf_t *shim_body_buf(ngx_http_request_t *r, u_char *data, size_t len);
void shim_head_buf(ngx_buf_t *b, ngx_buf_t *like, u_char *data, size_t size);
ngx_uint_t shim_ends_answer(ngx_http_request_t *r, ngx_buf_t *b);
ngx_uint_t shim_buf_flushes(ngx_buf_t *b);
ssize_t shim_buf_read(ngx_buf_t *b, u_char *data, size_t size);
ngx_uint_t shim_buf_is_file(ngx_buf_t *b);
void shim_buf_forget_file(ngx_buf_t *b);
ssize_t shim_file_read(ngx_buf_t *b, u_char *data, size_t size, off_t offset);
ssize_t shim_file_write(ngx_buf_t *b, u_char *data, size_t size, off_t offset);
void shim_file_cut(ngx_http_request_t *r, ngx_buf_t *b, off_t length);
void shim_drop_empty(ngx_http_request_t *r);
off_t shim_buf_length(ngx_buf_t *b);
ngx_uint_t shim_buf_is_special(ngx_buf_t *b);
void shim_buf_taken(ngx_buf_t *b);
ngx_buf_t *shim_buf_for(ngx_pool_t *pool, ngx_buf_t *like, u_char *data, size_t len);
ngx_chain_t *shim_out_chain(ngx_pool_t *pool, ngx_chain_t **free, u_char *data, size_t len);
void shim_out_sent(ngx_pool_t *pool, ngx_chain_t **free, ngx_chain_t **busy, ngx_chain_t *out);
size_t shim_out_length(ngx_chain_t *busy);
void shim_out_waits(ngx_http_request_t *r, ngx_uint_t waits);


/* upstream.c */

ngx_uint_t shim_streams_bodies(ngx_http_upstream_conf_t *conf);
ngx_uint_t shim_stores(ngx_http_upstream_conf_t *conf);
ngx_uint_t shim_is_backup(const ngx_http_upstream_server_t *server);
ngx_uint_t shim_has_service(const ngx_http_upstream_server_t *server);
ngx_int_t shim_resume_unbuffered(ngx_http_request_t *r, off_t length);
off_t shim_body_after_head(ngx_http_request_t *r);
void shim_give_back(ngx_http_request_t *r, ngx_http_upstream_srv_conf_t *us,
    ngx_event_free_peer_pt free, void *data);
ngx_uint_t shim_is_request_sent(ngx_http_request_t *r);
void shim_reset_if_cut(ngx_http_request_t *r);
ngx_int_t shim_hear_out(ngx_http_request_t *r);
ngx_uint_t shim_is_request_cut(ngx_http_request_t *r);
void shim_stop_sending(ngx_http_request_t *r);
void shim_close_upstream(ngx_http_request_t *r);
void shim_peers_rlock(ngx_http_upstream_rr_peers_t *peers);
void shim_peers_unlock(ngx_http_upstream_rr_peers_t *peers);
void shim_default_ssl_name(ngx_http_upstream_conf_t *conf, ngx_http_complex_value_t *name);
void shim_obey_no_answer(ngx_http_upstream_conf_t *conf);
ngx_uint_t shim_is_from_upstream(ngx_http_request_t *r);
ngx_uint_t shim_is_being_passed_on(ngx_http_request_t *r);
void shim_drop_answer(ngx_http_request_t *r);
void shim_peers_wlock(ngx_http_upstream_rr_peers_t *peers);
ngx_uint_t shim_has_zone(ngx_http_upstream_srv_conf_t *us);
ngx_ssl_t *shim_tls_settings(ngx_http_upstream_conf_t *conf, ngx_uint_t *verify,
    ngx_uint_t *send_name, ngx_str_t *name);


/* output.c */

void shim_output_filter(ngx_http_request_t *r, ngx_output_chain_filter_pt filter);
void shim_send_stored(ngx_http_request_t *r);
ngx_int_t shim_output(ngx_http_request_t *r, ngx_chain_t *out, ngx_uint_t more);
void shim_fill_packets(ngx_http_request_t *r);


/* connection.c */

ngx_event_t *shim_timer(ngx_cycle_t *cycle, ngx_event_handler_pt handler, void *data);
void shim_add_timer(ngx_event_t *ev, ngx_msec_t delay);
ngx_uint_t shim_is_timer_set(ngx_event_t *ev);
void shim_add_timer_now(ngx_event_t *ev);
ngx_log_t *shim_quiet_log(ngx_cycle_t *cycle);
ngx_int_t shim_connect(struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *name,
    ngx_log_t *log, ngx_connection_t **connection);
ngx_uint_t shim_is_told_to_close(ngx_connection_t *c);
ngx_uint_t shim_is_timed_out(ngx_event_t *ev);
void shim_disconnect(ngx_connection_t *c);
ngx_ssl_t *shim_tls_client(ngx_conf_t *cf, ngx_str_t *ca);
ngx_int_t shim_tls_begin(ngx_connection_t *c, ngx_ssl_t *ssl, u_char *name);
ngx_int_t shim_tls_handshake(ngx_connection_t *c);
const char *shim_tls_mismatch(ngx_connection_t *c, ngx_str_t *name);


/* again.c */

/* What is to be done with an answer. */
#define SHIM_AGAIN_PASS  0
#define SHIM_AGAIN_MORE  1
#define SHIM_AGAIN_WAIT  2
#define SHIM_AGAIN_TRY   3

typedef ngx_uint_t (*shim_again_hears_pt)(ngx_http_request_t *r, ngx_uint_t status, u_char *body,
    size_t len, off_t length, ngx_uint_t chunked);
typedef ngx_uint_t (*shim_again_waits_pt)(ngx_http_request_t *r);

ngx_int_t shim_again_prepare(ngx_http_request_t *r, shim_again_hears_pt hears,
    shim_again_waits_pt waits);
ngx_uint_t shim_again_is_next(ngx_http_request_t *r);
void shim_again_begins(ngx_http_request_t *r);


/* cache.c */

ngx_uint_t shim_cache_take_zone(ngx_http_upstream_conf_t *conf, ngx_http_complex_value_t *asked,
    ngx_str_t *name, ngx_http_complex_value_t **value, ngx_uint_t *converts_head);
ngx_uint_t shim_cache_wrap_create_key(ngx_http_request_t *r, ngx_http_handler_pt create_key);
ngx_uint_t shim_cache_is_passed_by(ngx_http_request_t *r);
ngx_int_t shim_cache_create_key(ngx_http_request_t *r, u_char *own, size_t len);
ngx_uint_t shim_cache_is_storing(ngx_http_request_t *r, ngx_str_t *key, ngx_str_t *range);
void shim_cache_do_not_store(ngx_http_request_t *r);
ngx_uint_t shim_cache_status(ngx_http_request_t *r);

/* process.c */

const char *shim_worker_user(ngx_cycle_t *cycle, uid_t *user, gid_t *group);

/* layout.c */

ngx_uint_t shim_layout_fits(ngx_conf_t *cf);

#endif /* SHIM_H */
