/*
 * nginx's cache of a location in which requests are verified: nginx asks for the zone of each request,
 * and what makes the key of an entry is wrapped.
 */

#include "shim.h"


#if (NGX_HTTP_CACHE)
static ngx_http_handler_pt  original_create_key;
#endif


/*
 * Where a location has proxy_cache, nginx is to evaluate `asked` for each request. What it would have
 * used is told: the name of a zone, or the value that is one.
 */
ngx_uint_t
shim_cache_take_zone(ngx_http_upstream_conf_t *conf, ngx_http_complex_value_t *asked, ngx_str_t *name,
    ngx_http_complex_value_t **value, ngx_uint_t *converts_head)
{
#if (NGX_HTTP_CACHE)

    if (conf->cache <= 0) {
        return 0;
    }

    if (conf->cache_zone) {
        *name = conf->cache_zone->shm.name;
    }

    *value = conf->cache_value;
    *converts_head = conf->cache_convert_head;

    conf->cache_zone = NULL;
    conf->cache_value = asked;

    return 1;

#else
    return 0;
#endif
}


/*
 * Has `create_key` make the key of the entry that nginx is about to look for; 0 where it is not about to
 * look for one.
 */
ngx_uint_t
shim_cache_wrap_create_key(ngx_http_request_t *r, ngx_http_handler_pt create_key)
{
#if (NGX_HTTP_CACHE)

    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (u == NULL || u->create_key == NULL || r->cache != NULL) {
        return 0;
    }

    if (u->create_key == create_key) {
        return 1;
    }

    /* proxy_pass is the only one whose requests are signed */

    if (original_create_key && original_create_key != u->create_key) {
        return 0;
    }

    original_create_key = u->create_key;
    u->create_key = create_key;

    return 1;

#else
    return 0;
#endif
}


/*
 * Does the configuration keep the request off the cache both ways, by one text in proxy_cache_bypass
 * and proxy_no_cache? The rest of proxy_no_cache is for nginx to evaluate, once there is an answer.
 */
ngx_uint_t
shim_cache_is_passed_by(ngx_http_request_t *r)
{
#if (NGX_HTTP_CACHE)

    ngx_str_t                  value;
    ngx_uint_t                 i, n;
    ngx_array_t               *bypass, *no_cache;
    ngx_http_complex_value_t  *b, *s;

    bypass = r->upstream->conf->cache_bypass;
    no_cache = r->upstream->conf->no_cache;

    if (bypass == NULL || no_cache == NULL) {
        return 0;
    }

    b = bypass->elts;
    s = no_cache->elts;

    for (i = 0; i < bypass->nelts; i++) {
        for (n = 0; n < no_cache->nelts; n++) {
            if (b[i].value.len != s[n].value.len
                || ngx_memcmp(b[i].value.data, s[n].value.data, s[n].value.len) != 0
                || ngx_http_complex_value(r, &b[i], &value) != NGX_OK)
            {
                continue;
            }

            if (value.len > 1 || (value.len == 1 && value.data[0] != '0')) {
                return 1;
            }
        }
    }

#endif

    return 0;
}


/*
 * Makes the key of an entry: what the configuration says, and `own`, which begins with a NUL. The default,
 * in two parts, has the target as it was sent, and with it a signature: `own` is in its place.
 */
ngx_int_t
shim_cache_create_key(ngx_http_request_t *r, u_char *own, size_t len)
{
#if (NGX_HTTP_CACHE)

    ngx_str_t    *key;
    ngx_array_t  *keys;

    if (original_create_key(r) != NGX_OK) {
        return NGX_ERROR;
    }

    keys = &r->cache->keys;
    key = keys->elts;

    if (keys->nelts != 1
        || (key->len == len - 1 && ngx_memcmp(key->data, own + 1, key->len) == 0))
    {
        keys->nelts = 0;
    }

    key = ngx_array_push(keys);
    if (key == NULL) {
        return NGX_ERROR;
    }

    key->data = own;
    key->len = len;

    return NGX_OK;

#else
    return NGX_ERROR;
#endif
}


/*
 * Is an answer of an origin about to be sent that nginx means to store? Tells what the configuration
 * has made of the key, and which part of an object the answer has.
 */
ngx_uint_t
shim_cache_is_storing(ngx_http_request_t *r, ngx_str_t *key, ngx_str_t *range)
{
#if (NGX_HTTP_CACHE)

    ngx_str_t  *keys;

    if (r->cache == NULL || r->cached || r->upstream == NULL || !r->upstream->cacheable) {
        return 0;
    }

    keys = r->cache->keys.elts;

    if (r->cache->keys.nelts > 1) {
        *key = keys[0];
    }

    if (r->headers_out.content_range) {
        *range = r->headers_out.content_range->value;
    }

    return 1;

#else
    return 0;
#endif
}


void
shim_cache_do_not_store(ngx_http_request_t *r)
{
    if (r->upstream) {
        r->upstream->cacheable = 0;
    }
}


#if (NGX_HTTP_CACHE                                                                               \
     && (NGX_HTTP_CACHE_MISS != 1 || NGX_HTTP_CACHE_BYPASS != 2 || NGX_HTTP_CACHE_EXPIRED != 3      \
         || NGX_HTTP_CACHE_STALE != 4 || NGX_HTTP_CACHE_UPDATING != 5                              \
         || NGX_HTTP_CACHE_REVALIDATED != 6 || NGX_HTTP_CACHE_HIT != 7 || NGX_HTTP_CACHE_SCARCE != 8))
#error "nginx has other numbers for what its cache knows"
#endif

ngx_uint_t
shim_cache_status(ngx_http_request_t *r)
{
#if (NGX_HTTP_CACHE)
    return r->upstream ? r->upstream->cache_status : 0;
#else
    return 0;
#endif
}
