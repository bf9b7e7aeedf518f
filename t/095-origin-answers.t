# What comes back from an origin: nothing in it steers nginx, leads a client to the
# origin, or names it.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

our $mine = 'mine' x 50;
our ($port_a) = $ENV{TEST_NGINX_A} =~ /:(\d+)/;
our $after_a_tab = "\thttp://$ENV{TEST_NGINX_A}/b";
$ENV{TEST_NGINX_CACHE} = 'proxy_cache_path cache keys_zone=c:1m levels=1;';

prepare();
run_tests();

__DATA__

=== TEST 1: X-Accel-Redirect has nothing else signed: to a path, a named location, and from a cache
--- http_config
    $TEST_NGINX_CACHE
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid 200 1m; proxy_cache_key $uri; }
    location /t1/other { proxy_pass http://origin_b; }
    location @b { proxy_pass http://origin_b; }
--- signed
2x GET /t1/key
GET /t1/named
unsigned GET /_log/t1
--- origin
2x 200 OK body="mine"
    X-Accel-Redirect: /t1/other
200 OK body="mine"
    X-Accel-Redirect: @b
--- answers
3x 200 is mine
    !X-Accel-Redirect
200 ^A raw verified body=0 GET /t1/key [^\n]*\nA raw verified body=0 GET /t1/named [^\n]*\n$

=== TEST 2: the same in an if and a limit_except, and below settings that are inherited
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    proxy_ignore_headers Vary;
    location /t2/if { if ($arg_a) { proxy_pass http://origin_a; } proxy_pass http://origin_a; }
    location /t2/limit { limit_except GET { proxy_pass http://origin_a; } proxy_pass http://origin_a; }
    location /t2/own { proxy_ignore_headers Expires; proxy_pass http://origin_a; location /t2/own/in { proxy_pass http://origin_a; } }
    location /t2/other { proxy_pass http://origin_b; }
--- signed
GET /t2/if?a=1
GET /t2/if
DELETE /t2/limit
GET /t2/limit
GET /t2/own
GET /t2/own/in
unsigned GET /_log/t2/other
--- origin
6x 200 OK body="mine"
    X-Accel-Redirect: /t2/other
--- answers
6x 200 is mine
200 is

=== TEST 3: no X-Accel header has an effect, or reaches the client
--- http_config
    $TEST_NGINX_CACHE
    charset_types text/plain;
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    add_header X-Cache $upstream_cache_status;
    location / {
        proxy_pass http://origin_a; proxy_cache c; proxy_cache_key $uri;
        proxy_pass_header X-Accel-Redirect; proxy_pass_header X-Accel-Expires; proxy_pass_header X-Accel-Limit-Rate;
        proxy_pass_header X-Accel-Buffering; proxy_pass_header X-Accel-Charset;
    }
--- signed: 2x GET /t3/key
--- origin
2x 200 OK body=$mine
    Content-Type: text/plain
    X-Accel-Redirect: /t3/other
    X-Accel-Expires: 100
    X-Accel-Limit-Rate: 1
    X-Accel-Buffering: no
    X-Accel-Charset: koi8-r
    X-Accel-Else: 1
--- answers
2x 200 is $mine
    X-Cache: MISS
    Content-Type: text/plain
    !X-Accel-Redirect
    !X-Accel-Expires
    !X-Accel-Limit-Rate
    !X-Accel-Buffering
    !X-Accel-Charset
    !X-Accel-Else

=== TEST 4: a location that signs nothing is left alone
--- config
    location /t4/key { proxy_pass http://$TEST_NGINX_A; }
    location /t4/other { return 200 redirected; }
--- unsigned: GET /t4/key
--- origin
200 OK body="mine"
    X-Accel-Redirect: /t4/other
--- answers: 200 is redirected

=== TEST 5: no switch to another protocol, no answer before the answer, no HTTP/0.9
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
--- signed
7x GET /t5/key
    unsigned Upgrade: h2c
--- origin
101 Switching body="GET /t5/tunnel" no_length
    Upgrade: h2c
    Connection: upgrade
100 Continue body="GET /t5/tunnel" no_length
102 Wait body="GET /t5/tunnel" no_length
099 X body="GET /t5/tunnel" no_length
000 X body="GET /t5/tunnel" no_length
"HTTP/1.1 x" body="GET /t5/tunnel" no_length
    Location: http://$TEST_NGINX_A/
"<html>" body="GET /t5/tunnel" no_length
--- answers: 7x 502 error InternalError
--- response_headers_like eval: [("Content-Type: application/xml\nx-amz-request-id: \\w+\n") x 7]
--- grep_error_log eval: qr/answered \d+ with\w*/
--- grep_error_log_out
answered 101 with
answered 100 without
answered 102 without
answered 99 without
answered 0 without
answered 0 without
answered 0 without

=== TEST 6: hints ahead of the answer stay here
--- skip_nginx: 3: < 1.29.0
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; early_hints 1; }
--- raw_request eval
raw('GET /t6/key', h4(path => '/t6/key') . says("HTTP/1.1 103 Early\nLink: <http://$ENV{TEST_NGINX_A}/>\n\nHTTP/1.1 200 OK\nContent-Length: 4", 'mine'))
--- error_code: 200
--- response_body: mine

=== TEST 7: redirects to the origin, however they are spelled
--- signed
GET /t7/1
GET /t7/2
GET /t7/3
GET /t7/4
GET /t7/5
GET /t7/6
GET /t7/7
GET /t7/8
GET /t7/9
GET /t7/10
GET /t7/11
GET /t7/12
GET /t7/13
GET /t7/14
--- origin
307 Mock body="elsewhere"
    Location: http://$TEST_NGINX_A/b
307 Mock body="elsewhere"
    Location: HTTP://$TEST_NGINX_A/b
307 Mock body="elsewhere"
    Location: http://me:you@$TEST_NGINX_A/b
307 Mock body="elsewhere"
    Location: http://127.0.0.1.:$port_a/b
307 Mock body="elsewhere"
    Location: $after_a_tab
307 Mock body="elsewhere"
    Location: http:\\$TEST_NGINX_A\b
307 Mock body="elsewhere"
    Location: /\$TEST_NGINX_A/b
307 Mock body="elsewhere"
    Location: //$TEST_NGINX_A/b
307 Mock body="elsewhere"
    Location: https:127.0.0.1/b
307 Mock body="elsewhere"
    Location: http://[::ffff:127.0.0.1]/b
307 Mock body="elsewhere"
    Location: http://2130706433/b
307 Mock body="elsewhere"
    Location: http://127.1/b
307 Mock body="elsewhere"
    Location: http://$TEST_NGINX_A/b
    Location: /b
307 Mock body="elsewhere"
    X: y
--- answers
14x 502 error InternalError
    !Location

=== TEST 8: a 301 for a bucket of another region names no Location
--- signed
GET /t8/key
HEAD /t8
GET /t8/key
--- origin
301 Moved Permanently body="<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-3.origin.example</Endpoint><Bucket>b</Bucket></Error>"
    x-amz-bucket-region: eu-west-3
    Content-Type: application/xml
301 Moved Permanently
    x-amz-bucket-region: eu-west-3
    Content-Type: application/xml
307 Temporary Redirect body="<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-3.origin.example</Endpoint><Bucket>b</Bucket></Error>"
    x-amz-bucket-region: eu-west-3
    Content-Type: application/xml
--- answers
502 error InternalError
502 is
502 error InternalError
--- error_log
with a redirect without a "Location": set "region=" and "host=" of its "s3_origin"

=== TEST 9: redirects that an object is meant to give
--- signed: 3x GET /t9/key
--- origin
301 Moved body=""
    Location: https://www.example.org/page
302 Found body=""
    Location: /t9/other
304 Not Modified body=""
--- answers
301
302
304
--- response_headers_like eval: ['Location: https://www.example.org/page', 'Location: (?:http://[^/]+)?/t9/other', '']

=== TEST 10: other headers that lead to the origin
--- signed
GET /t10/key
PUT /t10/key
GET /t10/key
GET /t10/key
--- origin
200 OK body="mine"
    Content-Location: http://$TEST_NGINX_A/t10/key
    Refresh: 0; url=http://$TEST_NGINX_A/t10/key
    Link: <http://$TEST_NGINX_A/t10/key>; rel=next
    Alt-Svc: h2="$TEST_NGINX_A"
201 Created body=""
    Location: http://$TEST_NGINX_A/t10/key
404 Not Found body=""
    Location: http://$TEST_NGINX_A/t10/key
200 OK body="mine"
    Refresh: 5
    Link: <https://www.example.org/>; rel=next
    Content-Location: /t10/key
--- answers
200
201
404
200
--- response_headers_like eval
["!Content-Location\n!Refresh\n!Link\n!Alt-Svc", 'Location: (?:http://127[^/]+)?/t10/key', '!Location',
 "Refresh: 5\nLink: <https://www.example.org/>; rel=next\nContent-Location: /t10/key"]

=== TEST 11: a redirect out of the cache, and one that nginx was told to intercept
--- http_config
    $TEST_NGINX_CACHE
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_cache c; proxy_cache_valid any 1m; proxy_cache_key $uri; }
    location /t11/own { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 307 =404 /t11/page; }
    location /t11/page { return 404 page; }
--- signed
2x GET /t11/key
GET /t11/own
unsigned GET /_log/t11
--- origin
3x 307 Mock body="elsewhere"
    Location: http://$TEST_NGINX_A/b
--- answers
2x 502 error InternalError
    !Location
404 is page
    !Location
200 ^A raw verified body=0 GET /t11/key [^\n]*\nA raw verified body=0 GET /t11/own [^\n]*\n$

=== TEST 12: s3_errors s3proxy
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_errors s3proxy; proxy_pass http://origin_a; }
--- signed: GET /t12/key
--- origin: 301 Moved body=""
--- answers: 502 ^\{"error": "[^"]+"\}$
