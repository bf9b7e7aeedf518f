//! The C side: bit fields and macros (see `shim.c`), the cache (`cache.c`), and a look at the running nginx (`layout.c`).

use std::ffi::{c_char, c_void};

use ngx::ffi::{
    ngx_buf_t, ngx_chain_t, ngx_conf_t, ngx_connection_t, ngx_cycle_t, ngx_event_handler_pt,
    ngx_event_t, ngx_http_complex_value_t, ngx_http_handler_pt, ngx_http_request_t,
    ngx_http_upstream_conf_t, ngx_http_upstream_rr_peers_t, ngx_http_upstream_server_t,
    ngx_http_upstream_srv_conf_t, ngx_int_t, ngx_log_t, ngx_msec_t, ngx_output_chain_filter_pt,
    ngx_pool_t, ngx_str_t, ngx_table_elt_t, ngx_uint_t, ngx_variable_value_t, sockaddr, socklen_t,
    u_char,
};

/// An `ngx_ssl_t`, which only C looks into.
#[repr(C)]
pub(crate) struct SslSettings([u8; 0]);

unsafe extern "C" {
    pub(crate) fn s3_layout_fits(cf: *mut ngx_conf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_expect_tested(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_no_keepalive(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_is_internal(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_is_target_kept(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_is_path_escaped(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_is_header_only(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_is_chunked(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_no_error_page(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_answered(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_is_unbuffered(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_set_unbuffered(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_is_reading_body(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_has_unread_body(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_is_discarding(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_awaits_continue(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_close_after_answer(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_streams_bodies(conf: *mut ngx_http_upstream_conf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_stores(conf: *mut ngx_http_upstream_conf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_has_service(server: *const ngx_http_upstream_server_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_pause_reading(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_resume_unbuffered(
        r: *mut ngx_http_request_t,
        length: libc::off_t,
    ) -> ngx_int_t;
    pub(crate) fn s3_shim_buf_is_last(b: *mut ngx_buf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_buf_in_memory(b: *mut ngx_buf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_buf_is_writable(b: *mut ngx_buf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_buf_forget_memory(b: *mut ngx_buf_t);
    pub(crate) fn s3_shim_buf_behind(
        pool: *mut ngx_pool_t,
        before: *mut ngx_buf_t,
        data: *mut u_char,
        len: usize,
    ) -> *mut ngx_buf_t;
    pub(crate) fn s3_shim_buf_flush(b: *mut ngx_buf_t);
    pub(crate) fn s3_shim_buf_point(
        b: *mut ngx_buf_t,
        data: *mut u_char,
        len: usize,
        last: ngx_uint_t,
    );
    pub(crate) fn s3_shim_free_chain(pool: *mut ngx_pool_t, cl: *mut ngx_chain_t);
    pub(crate) fn s3_shim_output_filter(
        r: *mut ngx_http_request_t,
        filter: ngx_output_chain_filter_pt,
    );
    pub(crate) fn s3_shim_output(r: *mut ngx_http_request_t, out: *mut ngx_chain_t) -> ngx_int_t;
    pub(crate) fn s3_shim_variable(v: *mut ngx_variable_value_t, data: *mut u_char, len: usize);
    pub(crate) fn s3_shim_variable_not_found(v: *mut ngx_variable_value_t);
    pub(crate) fn s3_shim_variable_value(
        v: *mut ngx_variable_value_t,
        value: *mut ngx_str_t,
    ) -> ngx_uint_t;
    pub(crate) fn s3_shim_body_buf(
        r: *mut ngx_http_request_t,
        data: *mut u_char,
        len: usize,
    ) -> *mut ngx_buf_t;
    pub(crate) fn s3_shim_head_buf(
        b: *mut ngx_buf_t,
        like: *mut ngx_buf_t,
        data: *mut u_char,
        size: usize,
    );
    pub(crate) fn s3_shim_body_behind_head(r: *mut ngx_http_request_t) -> libc::off_t;
    pub(crate) fn s3_shim_peers_rlock(peers: *mut ngx_http_upstream_rr_peers_t);
    pub(crate) fn s3_shim_peers_unlock(peers: *mut ngx_http_upstream_rr_peers_t);
    pub(crate) fn s3_shim_peers_wlock(peers: *mut ngx_http_upstream_rr_peers_t);
    pub(crate) fn s3_shim_has_zone(us: *mut ngx_http_upstream_srv_conf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_tls_settings(
        conf: *mut ngx_http_upstream_conf_t,
        verify: *mut ngx_uint_t,
        send_name: *mut ngx_uint_t,
        name: *mut ngx_str_t,
    ) -> *mut SslSettings;
    pub(crate) fn s3_shim_timer(
        cycle: *mut ngx_cycle_t,
        handler: ngx_event_handler_pt,
        data: *mut c_void,
    ) -> *mut ngx_event_t;
    pub(crate) fn s3_shim_add_timer(ev: *mut ngx_event_t, delay: ngx_msec_t);
    pub(crate) fn s3_shim_quiet_log(cycle: *mut ngx_cycle_t) -> *mut ngx_log_t;
    pub(crate) fn s3_shim_connect(
        sockaddr: *mut sockaddr,
        socklen: socklen_t,
        name: *mut ngx_str_t,
        log: *mut ngx_log_t,
        connection: *mut *mut ngx_connection_t,
    ) -> ngx_int_t;
    pub(crate) fn s3_shim_is_told_to_close(c: *mut ngx_connection_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_is_timed_out(ev: *mut ngx_event_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_disconnect(c: *mut ngx_connection_t);
    pub(crate) fn s3_shim_tls_begin(
        c: *mut ngx_connection_t,
        ssl: *mut SslSettings,
        name: *mut u_char,
    ) -> ngx_int_t;
    pub(crate) fn s3_shim_tls_handshake(c: *mut ngx_connection_t) -> ngx_int_t;
    pub(crate) fn s3_shim_tls_mismatch(
        c: *mut ngx_connection_t,
        name: *mut ngx_str_t,
    ) -> *const c_char;
    pub(crate) fn s3_cache_take_zone(
        conf: *mut ngx_http_upstream_conf_t,
        asked: *mut ngx_http_complex_value_t,
        name: *mut ngx_str_t,
        value: *mut *mut ngx_http_complex_value_t,
        converts_head: *mut ngx_uint_t,
    ) -> ngx_uint_t;
    pub(crate) fn s3_cache_wrap_create_key(
        r: *mut ngx_http_request_t,
        create_key: ngx_http_handler_pt,
    ) -> ngx_uint_t;
    pub(crate) fn s3_cache_is_passed_by(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_cache_create_key(
        r: *mut ngx_http_request_t,
        own: *mut u_char,
        len: usize,
    ) -> ngx_int_t;
    pub(crate) fn s3_cache_is_storing(
        r: *mut ngx_http_request_t,
        key: *mut ngx_str_t,
        range: *mut ngx_str_t,
    ) -> ngx_uint_t;
    pub(crate) fn s3_cache_do_not_store(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_default_ssl_name(
        conf: *mut ngx_http_upstream_conf_t,
        name: *mut ngx_http_complex_value_t,
    );
    pub(crate) fn s3_shim_obey_no_answer(conf: *mut ngx_http_upstream_conf_t);
    pub(crate) fn s3_shim_is_from_upstream(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_drop_answer(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_length_unknown(r: *mut ngx_http_request_t);
    pub(crate) fn s3_shim_body_changes(r: *mut ngx_http_request_t, length: libc::off_t);
    pub(crate) fn s3_shim_content_type(
        r: *mut ngx_http_request_t,
        content_type: *mut u_char,
        len: usize,
    );
    pub(crate) fn s3_shim_ends_answer(r: *mut ngx_http_request_t, b: *mut ngx_buf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_buf_flushes(b: *mut ngx_buf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_buf_read(b: *mut ngx_buf_t, data: *mut u_char, size: usize) -> isize;
    pub(crate) fn s3_shim_buf_length(b: *mut ngx_buf_t) -> libc::off_t;
    pub(crate) fn s3_shim_buf_is_special(b: *mut ngx_buf_t) -> ngx_uint_t;
    pub(crate) fn s3_shim_buf_taken(b: *mut ngx_buf_t);
    pub(crate) fn s3_shim_buf_for(
        pool: *mut ngx_pool_t,
        like: *mut ngx_buf_t,
        data: *mut u_char,
        len: usize,
    ) -> *mut ngx_buf_t;
    pub(crate) fn s3_shim_remove_header(r: *mut ngx_http_request_t, h: *mut ngx_table_elt_t);
}

mod layout {
    use ngx::ffi::*;
    include!(concat!(env!("OUT_DIR"), "/layout.rs"));
}
