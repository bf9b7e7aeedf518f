# proxy_cache: a hit contacts no origin, but is served after verification only.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_CACHED} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / {
        s3_resign on;
        proxy_pass http://origin_ab;
        proxy_cache c;
        proxy_cache_key \$s3_bucket/\$s3_key;
        add_header X-Cache \$upstream_cache_status always;
    }
END
# What is kept for a second only, and a request during which it expires.
our $brief = "X-Mock: A=brief\n";
our @later = ('GET /later', h4(path => '/later') . "X-Mock: A=delay:2.1\n");
$ENV{TEST_NGINX_ZONE} = "proxy_cache_path cache keys_zone=c:1m levels=1;";

prepare();
run_tests();

__DATA__

=== TEST 1: miss, hit; the origin sees one request
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- signed
2x GET /t1/key mock=A=cache
presigned GET /t1/key mock=A=cache
unsigned GET /_log/t1
--- answers
2x 200 ^origin A\nverified yes
200 ^origin A
200 ^A 200 verified body=0 GET /t1/key HTTP/1\.[01]\n$
--- response_headers eval: ["X-Cache: MISS\nX-Verified: yes", "X-Cache: HIT\nX-Verified: yes", 'X-Cache: HIT', '']

=== TEST 2: what is cached is not served unsigned, nor with a wrong signature
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- signed
GET /t2/key mock=A=cache
unsigned GET /t2/key
GET /t2/key tamper
presigned GET /t2/key skew=-400 expires=300
unsigned GET /_log/t2
--- answers
200 verified yes
3x 403 <Error>
200 ^A 200 [^\n]*\n$

=== TEST 3: HEAD becomes GET, and is signed as GET; the entry serves both
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- signed
HEAD /t3/key mock=A=cache
GET /t3/key
HEAD /t3/key
unsigned GET /_log/t3
--- answers
200 ^$
200 ^origin A\nverified yes
200 ^$
200 ^A 200 verified body=0 GET /t3/key HTTP/1\.[01]\n$
--- response_headers eval: ["X-Cache: MISS\nX-Verified: yes", 'X-Cache: HIT', 'X-Cache: HIT', '']

=== TEST 4: presigned HEAD becomes GET
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- presigned
HEAD /t4/key mock=A=cache
unsigned GET /_log/t4
--- answers
200 ^$
200 ^A 200 verified body=0 GET /t4/key HTTP/1\.[01]\n$

=== TEST 5: proxy_cache_convert_head off
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_convert_head off;
$TEST_NGINX_CACHED
--- signed
HEAD /t5/key
unsigned GET /_log/t5
--- answers
200 ^$
200 ^A 200 verified body=0 HEAD /t5/key HTTP/1\.[01]\n$

=== TEST 6: failover on a miss
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- signed
GET /t6/key mock=A=close,B=cache
GET /t6/key
--- answers: 2x 200 ^origin B\nverified yes
--- response_headers eval: ['X-Cache: MISS', 'X-Cache: HIT']

=== TEST 7: stale entries are served while no origin answers, after verification
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_use_stale error timeout http_503;
$TEST_NGINX_CACHED
--- signed
GET /t7/key mock=A=brief
GET /later mock=A=delay:2.1
GET /t7/key mock=A=close,B=close
unsigned GET /t7/key
--- answers
3x 200
403
--- response_headers eval: ['X-Cache: MISS', '', 'X-Cache: STALE', '']

=== TEST 8: revalidation is signed with its condition
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_revalidate on;
$TEST_NGINX_CACHED
--- signed
GET /t8/key mock=A=brief
GET /later mock=A=delay:2.1
GET /t8/key
--- error_code eval: [200, 200, 200]
--- response_body_like eval: ['^origin A', '^origin A', 'verified yes.*header If-None-Match: ']

=== TEST 9: proxy_cache_lock: one of two requests waits
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_lock on;
$TEST_NGINX_CACHED
--- pipelined_requests eval: ['GET /t9/key', 'GET /t9/key']
--- more_headers eval: [(h4(path => '/t9/key') . "X-Mock: A=cache\n") x 2]
--- answers: 2x 200
--- response_headers eval: ['X-Cache: MISS', 'X-Cache: HIT']

=== TEST 10: a range of a sliced object is signed for each slice
--- http_config
    $TEST_NGINX_ZONE
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on; proxy_pass http://origin_a;
        proxy_set_header Range "bytes=0-99";
    }
--- signed
GET /t10/key
    unsigned Range: bytes=5-6
--- passed: A
--- response_body_like: header Range: bytes=0-99\n

=== TEST 11: a background update is signed as well
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_use_stale updating;
    proxy_cache_background_update on;
$TEST_NGINX_CACHED
--- signed
GET /t11/key mock=A=brief
GET /later mock=A=delay:2.1
GET /t11/key
unsigned GET /_log/t11
--- wait: 0.1
--- answers
3x 200 ^origin A
200 ^(A 200 verified body=0 GET /t11/key [^\n]*\n){2}$
--- response_headers eval: ['X-Cache: MISS', '', 'X-Cache: STALE', '']

=== TEST 12: an unsigned request starts no background update
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_use_stale updating;
    proxy_cache_background_update on;
$TEST_NGINX_CACHED
--- signed
GET /t12/key mock=A=brief
GET /later mock=A=delay:2.1
unsigned GET /t12/key
unsigned GET /_log/t12
--- wait: 0.1
--- answers
2x 200 ^origin A
403 AccessDenied
200 ^A 200 verified [^\n]*\n$
