//! The C side: bit fields and macros (see `shim.c`).

use ngx::ffi::{
    ngx_buf_t, ngx_chain_t, ngx_http_complex_value_t, ngx_http_request_t, ngx_http_upstream_conf_t,
    ngx_http_upstream_rr_peers_t, ngx_int_t, ngx_output_chain_filter_pt, ngx_pool_t, ngx_str_t,
    ngx_uint_t, ngx_variable_value_t, u_char,
};

unsafe extern "C" {
    pub(super) fn s3_shim_expect_tested(r: *mut ngx_http_request_t);
    pub(super) fn s3_shim_no_keepalive(r: *mut ngx_http_request_t);
    pub(super) fn s3_shim_is_internal(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(super) fn s3_shim_is_header_only(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(super) fn s3_shim_is_chunked(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(super) fn s3_shim_no_error_page(r: *mut ngx_http_request_t);
    pub(super) fn s3_shim_answered(r: *mut ngx_http_request_t);
    pub(super) fn s3_shim_is_unbuffered(r: *mut ngx_http_request_t) -> ngx_uint_t;
    pub(super) fn s3_shim_buf_is_last(b: *mut ngx_buf_t) -> ngx_uint_t;
    pub(super) fn s3_shim_buf_in_memory(b: *mut ngx_buf_t) -> ngx_uint_t;
    pub(super) fn s3_shim_buf_forget_memory(b: *mut ngx_buf_t);
    pub(super) fn s3_shim_buf_behind(
        pool: *mut ngx_pool_t,
        before: *mut ngx_buf_t,
        data: *mut u_char,
        len: usize,
    ) -> *mut ngx_buf_t;
    pub(super) fn s3_shim_buf_flush(b: *mut ngx_buf_t);
    pub(super) fn s3_shim_buf_point(
        b: *mut ngx_buf_t,
        data: *mut u_char,
        len: usize,
        last: ngx_uint_t,
    );
    pub(super) fn s3_shim_free_chain(pool: *mut ngx_pool_t, cl: *mut ngx_chain_t);
    pub(super) fn s3_shim_output_filter(
        r: *mut ngx_http_request_t,
        filter: ngx_output_chain_filter_pt,
    );
    pub(super) fn s3_shim_output(r: *mut ngx_http_request_t, out: *mut ngx_chain_t) -> ngx_int_t;
    pub(super) fn s3_shim_variable(v: *mut ngx_variable_value_t, data: *mut u_char, len: usize);
    pub(super) fn s3_shim_variable_not_found(v: *mut ngx_variable_value_t);
    pub(super) fn s3_shim_variable_value(
        v: *mut ngx_variable_value_t,
        value: *mut ngx_str_t,
    ) -> ngx_uint_t;
    pub(super) fn s3_shim_body_buf(
        pool: *mut ngx_pool_t,
        data: *mut u_char,
        len: usize,
    ) -> *mut ngx_buf_t;
    pub(super) fn s3_shim_head_buf(
        pool: *mut ngx_pool_t,
        like: *mut ngx_buf_t,
        size: usize,
    ) -> *mut ngx_buf_t;
    pub(super) fn s3_shim_body_behind_head(r: *mut ngx_http_request_t) -> libc::off_t;
    pub(super) fn s3_shim_peers_rlock(peers: *mut ngx_http_upstream_rr_peers_t);
    pub(super) fn s3_shim_peers_unlock(peers: *mut ngx_http_upstream_rr_peers_t);
    pub(super) fn s3_shim_default_ssl_name(
        conf: *mut ngx_http_upstream_conf_t,
        name: *mut ngx_http_complex_value_t,
    );
}

mod layout {
    use ngx::ffi::*;
    include!(concat!(env!("OUT_DIR"), "/layout.rs"));
}
