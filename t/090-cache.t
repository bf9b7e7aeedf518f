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
--- request eval: ['GET /t1/key', 'GET /t1/key', 'GET ' . q4(path => '/t1/key'), 'GET /_log/t1']
--- more_headers eval: [(h4(path => '/t1/key') . "X-Mock: A=cache\n") x 2, "X-Mock: A=cache\n", '']
--- error_code eval: [(200) x 4]
--- response_headers eval: ["X-Cache: MISS\nX-Verified: yes", "X-Cache: HIT\nX-Verified: yes", 'X-Cache: HIT', '']
--- response_body_like eval: ['^origin A\nverified yes', '^origin A\nverified yes', '^origin A', "^A 200 verified body=0 GET /t1/key HTTP/1\\.[01]\n\$"]

=== TEST 2: what is cached is not served unsigned, nor with a wrong signature
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- request eval: ['GET /t2/key', 'GET /t2/key', 'GET /t2/key', 'GET ' . q4(path => '/t2/key', skew => -400), 'GET /_log/t2']
--- more_headers eval: [h4(path => '/t2/key') . "X-Mock: A=cache\n", '', h4(path => '/t2/key', tamper => 1), '', '']
--- error_code eval: [200, 403, 403, 403, 200]
--- response_body_like eval: ['verified yes', ('<Error>') x 3, "^A 200 [^\n]*\n\$"]

=== TEST 3: HEAD becomes GET, and is signed as GET; the entry serves both
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- request eval: ['HEAD /t3/key', 'GET /t3/key', 'HEAD /t3/key', 'GET /_log/t3']
--- more_headers eval
[h4(path => '/t3/key', method => 'HEAD') . "X-Mock: A=cache\n", h4(path => '/t3/key'), h4(path => '/t3/key', method => 'HEAD'), '']
--- error_code eval: [(200) x 4]
--- response_headers eval: ["X-Cache: MISS\nX-Verified: yes", 'X-Cache: HIT', 'X-Cache: HIT', '']
--- response_body_like eval: ['^$', '^origin A\nverified yes', '^$', "^A 200 verified body=0 GET /t3/key HTTP/1\\.[01]\n\$"]

=== TEST 4: presigned HEAD becomes GET
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- request eval: ['HEAD ' . q4(path => '/t4/key', method => 'HEAD'), 'GET /_log/t4']
--- more_headers eval: ["X-Mock: A=cache\n", '']
--- error_code eval: [200, 200]
--- response_body_like eval: ['^$', "^A 200 verified body=0 GET /t4/key HTTP/1\\.[01]\n\$"]

=== TEST 5: proxy_cache_convert_head off
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_convert_head off;
$TEST_NGINX_CACHED
--- request eval: ['HEAD /t5/key', 'GET /_log/t5']
--- more_headers eval: [h4(path => '/t5/key', method => 'HEAD'), '']
--- error_code eval: [200, 200]
--- response_body_like eval: ['^$', "^A 200 verified body=0 HEAD /t5/key HTTP/1\\.[01]\n\$"]

=== TEST 6: failover on a miss
--- http_config
    $TEST_NGINX_ZONE
--- config
$TEST_NGINX_CACHED
--- request eval: ['GET /t6/key', 'GET /t6/key']
--- more_headers eval: [h4(path => '/t6/key') . "X-Mock: A=close,B=cache\n", h4(path => '/t6/key')]
--- error_code eval: [200, 200]
--- response_headers eval: ['X-Cache: MISS', 'X-Cache: HIT']
--- response_body_like eval: [('^origin B\nverified yes') x 2]

=== TEST 7: stale entries are served while no origin answers, after verification
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_use_stale error timeout http_503;
$TEST_NGINX_CACHED
--- request eval: ['GET /t7/key', $later[0], 'GET /t7/key', 'GET /t7/key']
--- more_headers eval: [h4(path => '/t7/key') . $brief, $later[1], h4(path => '/t7/key') . "X-Mock: A=close,B=close\n", '']
--- error_code eval: [200, 200, 200, 403]
--- response_headers eval: ['X-Cache: MISS', '', 'X-Cache: STALE', '']

=== TEST 8: revalidation is signed with its condition
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_revalidate on;
$TEST_NGINX_CACHED
--- request eval: ['GET /t8/key', $later[0], 'GET /t8/key']
--- more_headers eval: [h4(path => '/t8/key') . $brief, $later[1], h4(path => '/t8/key')]
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
--- error_code eval: [200, 200]
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
--- request
GET /t10/key
--- more_headers eval: h4(path => '/t10/key', unsigned => ['Range', 'bytes=5-6'])
--- passed: A
--- response_body_like: header Range: bytes=0-99\n

=== TEST 11: a background update is signed as well
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_use_stale updating;
    proxy_cache_background_update on;
$TEST_NGINX_CACHED
--- request eval: ['GET /t11/key', $later[0], 'GET /t11/key', 'GET /_log/t11']
--- more_headers eval: [h4(path => '/t11/key') . $brief, $later[1], h4(path => '/t11/key'), '']
--- wait: 0.1
--- error_code eval: [200, 200, 200, 200]
--- response_headers eval: ['X-Cache: MISS', '', 'X-Cache: STALE', '']
--- response_body_like eval
['^origin A', '^origin A', '^origin A', "^(A 200 verified body=0 GET /t11/key [^\n]*\n){2}\$"]

=== TEST 12: an unsigned request starts no background update
--- http_config
    $TEST_NGINX_ZONE
--- config
    proxy_cache_use_stale updating;
    proxy_cache_background_update on;
$TEST_NGINX_CACHED
--- request eval: ['GET /t12/key', $later[0], 'GET /t12/key', 'GET /_log/t12']
--- more_headers eval: [h4(path => '/t12/key') . $brief, $later[1], '', '']
--- wait: 0.1
--- error_code eval: [200, 200, 403, 200]
--- response_body_like eval: ['^origin A', '^origin A', 'AccessDenied', "^A 200 verified [^\n]*\n\$"]
