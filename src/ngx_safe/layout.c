/*
 * Is the running nginx laid out as the headers that this was compiled with? nginx compares a
 * module's version and signature with its own, but patches such as OpenResty's move fields and
 * change neither, and a module built without them would then read and write elsewhere. So the
 * offsets that show in the running binary are compared: those in its tables of directives and
 * variables, and where its own code writes when it makes an upstream request.
 *
 * Nothing here may trust an offset that it has not compared yet.
 */

#include "shim.h"

#if (NGX_LINUX)
#include <malloc.h>
#endif


#define S3_NOT_FOUND  ((size_t) -1)

/* Tells the words of the connection below from all others; the rest of the bits are the offset. */
#define S3_MARK       ((uintptr_t) 0x53330000)
#define S3_MARK_MASK  (~(uintptr_t) 0xffff)


typedef struct {
    const char  *module;
    const char  *directive;
    const char  *field;
    size_t       built;
} s3_place_t;


#define S3_PLACE(module, directive, type, field)                              \
    { module, directive, #type "." #field, offsetof(type, field) }

static const s3_place_t  s3_places[] = {

    S3_PLACE("ngx_core_module", "timer_resolution", ngx_core_conf_t, timer_resolution),
    S3_PLACE("ngx_core_module", "debug_points", ngx_core_conf_t, debug_points),
    S3_PLACE("ngx_core_module", "worker_rlimit_nofile", ngx_core_conf_t, rlimit_nofile),
    S3_PLACE("ngx_core_module", "working_directory", ngx_core_conf_t, working_directory),
    S3_PLACE("ngx_core_module", "lock_file", ngx_core_conf_t, lock_file),

    S3_PLACE("ngx_http_core_module", "variables_hash_max_size",
             ngx_http_core_main_conf_t, variables_hash_max_size),
    S3_PLACE("ngx_http_core_module", "connection_pool_size",
             ngx_http_core_srv_conf_t, connection_pool_size),
    S3_PLACE("ngx_http_core_module", "sendfile", ngx_http_core_loc_conf_t, sendfile),
    S3_PLACE("ngx_http_core_module", "resolver_timeout",
             ngx_http_core_loc_conf_t, resolver_timeout),

    /* The upstream's settings are the first member of the proxy module's. */
    S3_PLACE("ngx_http_proxy_module", "proxy_buffering", ngx_http_upstream_conf_t, buffering),
    S3_PLACE("ngx_http_proxy_module", "proxy_request_buffering",
             ngx_http_upstream_conf_t, request_buffering),
    S3_PLACE("ngx_http_proxy_module", "proxy_ignore_headers",
             ngx_http_upstream_conf_t, ignore_headers),
    S3_PLACE("ngx_http_proxy_module", "proxy_bind", ngx_http_upstream_conf_t, local),
    S3_PLACE("ngx_http_proxy_module", "proxy_store_access",
             ngx_http_upstream_conf_t, store_access),
#if (NGX_HTTP_CACHE)
    S3_PLACE("ngx_http_proxy_module", "proxy_cache_convert_head",
             ngx_http_upstream_conf_t, cache_convert_head),
#endif
#if (NGX_HTTP_SSL)
    S3_PLACE("ngx_http_proxy_module", "proxy_ssl_name", ngx_http_upstream_conf_t, ssl_name),
    S3_PLACE("ngx_http_proxy_module", "proxy_ssl_verify", ngx_http_upstream_conf_t, ssl_verify),
#endif
};


/* The offset of the first word that has that value under the mask. */
static size_t
s3_find(void *start, size_t size, uintptr_t mask, uintptr_t value)
{
    size_t      i;
    uintptr_t  *words;

    words = start;

    for (i = 0; i < size / sizeof(uintptr_t); i++) {
        if ((words[i] & mask) == value) {
            return i * sizeof(uintptr_t);
        }
    }

    return S3_NOT_FOUND;
}


static ngx_uint_t
s3_is_at(ngx_conf_t *cf, const char *field, size_t built, size_t here)
{
    u_char  place[NGX_SIZE_T_LEN + 1];

    if (here == built) {
        return 1;
    }

    if (here == S3_NOT_FOUND) {
        ngx_sprintf(place, "unknown%Z");
    } else {
        ngx_sprintf(place, "%uz%Z", here);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "ngx_http_s3_resign_module was built for another nginx: the offset of %s "
                       "was %uz there and is %s here; build it with the source of this nginx, "
                       "patches included,", field, built, place);
    return 0;
}


static ngx_uint_t
s3_cycle_fits(ngx_conf_t *cf)
{
    return s3_is_at(cf, "ngx_cycle_t.old_cycle", offsetof(ngx_cycle_t, old_cycle),
                    s3_find(cf->cycle, 2 * sizeof(ngx_cycle_t), ~(uintptr_t) 0,
                            (uintptr_t) ngx_cycle));
}


static ngx_uint_t
s3_directives_fit(ngx_conf_t *cf)
{
    ngx_uint_t         i, n;
    ngx_module_t     **modules;
    ngx_command_t     *cmd;
    const s3_place_t  *place;

    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {
        for (n = 0; n < sizeof(s3_places) / sizeof(s3_places[0]); n++) {
            place = &s3_places[n];

            if (ngx_strcmp(modules[i]->name, place->module) != 0) {
                continue;
            }

            for (cmd = modules[i]->commands; cmd && cmd->name.len; cmd++) {
                if (ngx_strcmp(cmd->name.data, place->directive) == 0
                    && !s3_is_at(cf, place->field, place->built, cmd->offset))
                {
                    return 0;
                }
            }
        }
    }

    return 1;
}


/* $args may be defined twice: nginx hands out its own, with the offset that it reads. */
static ngx_uint_t
s3_variables_fit(ngx_conf_t *cf)
{
    ngx_str_t             name = ngx_string("args");
    ngx_http_variable_t  *args;

    args = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_CHANGEABLE|NGX_HTTP_VAR_WEAK);

    return args != NULL
           && s3_is_at(cf, "ngx_http_request_t.args", offsetof(ngx_http_request_t, args),
                       args->data);
}


/*
 * Is the head of a pool as long as here? It ends where the pool's own memory begins; a pool that has
 * none, since each piece is from malloc(), must at least have room for it.
 */
static ngx_uint_t
s3_pool_fits(ngx_conf_t *cf, ngx_pool_t *pool)
{
    size_t  size, here;

#if (NGX_LINUX)
    size = malloc_usable_size(pool);
#else
    size = NGX_DEFAULT_POOL_SIZE;
#endif

    here = (size_t) ((u_char *) ngx_palloc(pool, 1) - (u_char *) pool);

    if (here >= size) {
        here = (size < sizeof(ngx_pool_t)) ? S3_NOT_FOUND : sizeof(ngx_pool_t);
    }

    return s3_is_at(cf, "the end of ngx_pool_t", sizeof(ngx_pool_t), here);
}


/*
 * nginx itself makes an upstream request, for a request all of whose words point to one place,
 * which passes for the request's pool, its connection and its last upstream request, wherever nginx
 * looks for them: it is the head of a pool, then the connection's words, each of which tells its
 * offset, and then zeroes, so that nothing is there to be cleaned up. It is a copy of a pool's head
 * and not the pool, which may need what comes after its head, or may have nothing there.
 */
static ngx_uint_t
s3_upstream_fits(ngx_conf_t *cf)
{
    size_t       i, n, size, upstream, log, length;
    ngx_pool_t  *pool;
    uintptr_t   *request, *place, *u;
    ngx_uint_t   fits;
    uintptr_t    head[sizeof(ngx_pool_t) / sizeof(uintptr_t)];

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cf->log);
    if (pool == NULL) {
        return 0;
    }

    fits = 0;
    place = NULL;

    if (!s3_pool_fits(cf, pool)) {
        goto done;
    }

    size = sizeof(ngx_pool_t) + 2 * sizeof(ngx_http_upstream_t);
    n = 2 * sizeof(ngx_http_request_t) / sizeof(uintptr_t);

    place = ngx_calloc(size + n * sizeof(uintptr_t), cf->log);
    if (place == NULL) {
        goto done;
    }

    ngx_memcpy(head, pool, sizeof(ngx_pool_t));
    ngx_memcpy(place, pool, sizeof(ngx_pool_t));

    for (i = sizeof(ngx_pool_t); i < sizeof(ngx_connection_t); i += sizeof(uintptr_t)) {
        place[i / sizeof(uintptr_t)] = S3_MARK + i;
    }

    request = place + size / sizeof(uintptr_t);

    for (i = 0; i < n; i++) {
        request[i] = (uintptr_t) place;
    }

    if (ngx_http_upstream_create((ngx_http_request_t *) request) != NGX_OK) {
        goto done;
    }

    /* What nginx has noted in the copy, as memory to be freed, belongs to the pool. */
    for (i = 0; i < sizeof(head) / sizeof(uintptr_t); i++) {
        if (place[i] != head[i]) {
            ngx_memcpy((uintptr_t *) pool + i, &place[i], sizeof(uintptr_t));
        }
    }

    /* It has put a pointer there, and none into the request's cache. */
    for (i = 0; i < n - 1; i++) {
        if (request[i] != (uintptr_t) place && request[i] != 0) {
            break;
        }
    }

    upstream = i * sizeof(uintptr_t);
    u = (uintptr_t *) request[i];

    if (!s3_is_at(cf, "ngx_http_request_t.upstream", offsetof(ngx_http_request_t, upstream),
                  upstream))
    {
        goto done;
    }

    /* The length is there, whatever comes after it, and what is looked for next is before it. */
    length = s3_find(u, 2 * sizeof(ngx_http_upstream_t), ~(uintptr_t) 0, (uintptr_t) -1);
    log = (length == S3_NOT_FOUND) ? length : s3_find(u, length, S3_MARK_MASK, S3_MARK);

    fits = s3_is_at(cf, "ngx_http_upstream_t.peer.log", offsetof(ngx_http_upstream_t, peer.log),
                    log)
           && s3_is_at(cf, "ngx_connection_t.log", offsetof(ngx_connection_t, log),
                       u[log / sizeof(uintptr_t)] - S3_MARK)
           && s3_is_at(cf, "ngx_http_upstream_t.headers_in.content_length_n",
                       offsetof(ngx_http_upstream_t, headers_in.content_length_n), length);

done:

    if (place) {
        ngx_free(place);
    }

    ngx_destroy_pool(pool);

    return fits;
}


/* Logs the first difference. */
ngx_uint_t
shim_layout_fits(ngx_conf_t *cf)
{
    return s3_cycle_fits(cf)
           && s3_directives_fit(cf)
           && s3_variables_fit(cf)
           && s3_upstream_fits(cf);
}
