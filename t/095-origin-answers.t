# What comes back from an origin: nothing in it steers nginx, leads a client to the
# origin, or names it.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

our @accel = map {"X-Accel-$_"}
    'Redirect: /t3/other', 'Expires: 100', 'Limit-Rate: 1', 'Buffering: no', 'Charset: koi8-r', 'Else: 1';
our $accel = join "\n", @accel;
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
--- request eval: ['GET /t1/key', 'GET /t1/key', 'GET /t1/named', 'GET /_log/t1']
--- more_headers eval
[map({ h4(path => "/t1/$$_[0]") . whole("HTTP/1.1 200 OK\nX-Accel-Redirect: $$_[1]", 'mine') }
    ['key', '/t1/other'], ['key', '/t1/other'], ['named', '@b']), '']
--- error_code eval: [(200) x 4]
--- response_headers eval: [('!X-Accel-Redirect') x 3, '']
--- response_body_like eval
[('^mine$') x 3, "^A raw verified body=0 GET /t1/key [^\n]*\nA raw verified body=0 GET /t1/named [^\n]*\n\$"]

=== TEST 2: the same in an if and a limit_except, and below settings that are inherited
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    proxy_ignore_headers Vary;
    location /t2/if { if ($arg_a) { proxy_pass http://origin_a; } proxy_pass http://origin_a; }
    location /t2/limit { limit_except GET { proxy_pass http://origin_a; } proxy_pass http://origin_a; }
    location /t2/own { proxy_ignore_headers Expires; proxy_pass http://origin_a; location /t2/own/in { proxy_pass http://origin_a; } }
    location /t2/other { proxy_pass http://origin_b; }
--- request eval
['GET /t2/if?a=1', 'GET /t2/if', 'DELETE /t2/limit', 'GET /t2/limit', 'GET /t2/own', 'GET /t2/own/in', 'GET /_log/t2/other']
--- more_headers eval
[map({ my ($path, %o) = @$_; h4(path => $path, %o) . whole("HTTP/1.1 200 OK\nX-Accel-Redirect: /t2/other", 'mine') }
    ['/t2/if', query => 'a=1'], ['/t2/if'], ['/t2/limit', method => 'DELETE'], ['/t2/limit'], ['/t2/own'], ['/t2/own/in']), '']
--- error_code eval: [(200) x 7]
--- response_body_like eval: [('^mine$') x 6, '^$']

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
--- request eval: ['GET /t3/key', 'GET /t3/key']
--- more_headers eval
[(h4(path => '/t3/key') . whole("HTTP/1.1 200 OK\nContent-Type: text/plain\n$accel", 'mine' x 50)) x 2]
--- error_code eval: [200, 200]
--- response_headers eval
[(join "\n", 'X-Cache: MISS', 'Content-Type: text/plain', map { '!' . (split /:/)[0] } @accel) x 2]
--- response_body eval: ['mine' x 50, 'mine' x 50]

=== TEST 4: a location that signs nothing is left alone
--- config
    location /t4/key { proxy_pass http://$TEST_NGINX_A; }
    location /t4/other { return 200 redirected; }
--- request
GET /t4/key
--- more_headers eval: whole("HTTP/1.1 200 OK\nX-Accel-Redirect: /t4/other", 'mine')
--- response_body: redirected

=== TEST 5: no switch to another protocol, no answer before the answer, no HTTP/0.9
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }
--- request eval: [('GET /t5/key') x 7]
--- more_headers eval
[map { h4(path => '/t5/key') . "Upgrade: h2c\n" . says($_, "GET /t5/tunnel") }
    "HTTP/1.1 101 Switching\nUpgrade: h2c\nConnection: upgrade", "HTTP/1.1 100 Continue", "HTTP/1.1 102 Wait", "HTTP/1.1 099 X", "HTTP/1.1 000 X",
    "HTTP/1.1 x\nLocation: http://$ENV{TEST_NGINX_A}/", "<html>"]
--- error_code eval: [(502) x 7]
--- response_headers_like eval: [("Content-Type: application/xml\nx-amz-request-id: \\w+\n") x 7]
--- response_body_like eval: [(s3_error('InternalError')) x 7]
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
--- config eval: "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a; }"
--- request eval: [map { "GET /t7/$_" } 1 .. 14]
--- more_headers eval
my $n;
(my $port = $ENV{TEST_NGINX_A}) =~ s/.*://;
[map { $n++; h4(path => "/t7/$n") . whole("HTTP/1.1 307 Mock\n$_", 'elsewhere') }
    map({ "Location: $_" } "http://$ENV{TEST_NGINX_A}/b", "HTTP://$ENV{TEST_NGINX_A}/b", "http://me:you\@$ENV{TEST_NGINX_A}/b",
        "http://127.0.0.1.:$port/b", "\thttp://$ENV{TEST_NGINX_A}/b", "http:\\\\$ENV{TEST_NGINX_A}\\b", "/\\$ENV{TEST_NGINX_A}/b",
        "//$ENV{TEST_NGINX_A}/b", "https:127.0.0.1/b", "http://[::ffff:127.0.0.1]/b", "http://2130706433/b", "http://127.1/b"),
    "Location: http://$ENV{TEST_NGINX_A}/b\nLocation: /b", 'X: y']
--- error_code eval: [(502) x 14]
--- response_headers eval: [('!Location') x 14]
--- response_body_like eval: [(s3_error('InternalError')) x 14]

=== TEST 8: a 301 for a bucket of another region names no Location
--- config eval: "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a; }"
--- request eval: ['GET /t8/key', 'HEAD /t8', 'GET /t8/key']
--- more_headers eval
my $head = "HTTP/1.1 301 Moved Permanently\nx-amz-bucket-region: eu-west-3\nContent-Type: application/xml";
my $xml  = '<Error><Code>PermanentRedirect</Code><Endpoint>b.s3.eu-west-3.origin.example</Endpoint><Bucket>b</Bucket></Error>';
[h4(path => '/t8/key') . whole($head, $xml), h4(path => '/t8', method => 'HEAD') . says($head),
 h4(path => '/t8/key') . whole($head =~ s/301 .*/307 Temporary Redirect/r, $xml)]
--- error_code eval: [(502) x 3]
--- response_body_like eval: [s3_error('InternalError'), '^$', s3_error('InternalError')]
--- error_log
with a redirect without a "Location": set "region=" and "host=" of its "s3_origin"

=== TEST 9: redirects that an object is meant to give
--- config eval: "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a; }"
--- request eval: [('GET /t9/key') x 3]
--- more_headers eval
[map { h4(path => '/t9/key') . whole($_, '') } "HTTP/1.1 301 Moved\nLocation: https://www.example.org/page",
    "HTTP/1.1 302 Found\nLocation: /t9/other", 'HTTP/1.1 304 Not Modified']
--- error_code eval: [301, 302, 304]
--- response_headers_like eval: ['Location: https://www.example.org/page', 'Location: (?:http://[^/]+)?/t9/other', '']

=== TEST 10: other headers that lead to the origin
--- config eval: "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a; }"
--- request eval: ['GET /t10/key', 'PUT /t10/key', 'GET /t10/key', 'GET /t10/key']
--- more_headers eval
my $url = "http://$ENV{TEST_NGINX_A}/t10/key";
[h4(path => '/t10/key') . whole("HTTP/1.1 200 OK\nContent-Location: $url\nRefresh: 0; url=$url\nLink: <$url>; rel=next\nAlt-Svc: h2=\"$ENV{TEST_NGINX_A}\"", 'mine'),
 h4(path => '/t10/key', method => 'PUT') . whole("HTTP/1.1 201 Created\nLocation: $url", ''),
 h4(path => '/t10/key') . whole("HTTP/1.1 404 Not Found\nLocation: $url", ''),
 h4(path => '/t10/key') . whole("HTTP/1.1 200 OK\nRefresh: 5\nLink: <https://www.example.org/>; rel=next\nContent-Location: /t10/key", 'mine')]
--- error_code eval: [200, 201, 404, 200]
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
--- request eval: ['GET /t11/key', 'GET /t11/key', 'GET /t11/own', 'GET /_log/t11']
--- more_headers eval
[map({ h4(path => "/t11/$_") . whole("HTTP/1.1 307 Mock\nLocation: http://$ENV{TEST_NGINX_A}/b", 'elsewhere') } 'key', 'key', 'own'), '']
--- error_code eval: [502, 502, 404, 200]
--- response_headers eval: [('!Location') x 3, '']
--- response_body_like eval
[(s3_error('InternalError')) x 2, '^page$', "^A raw verified body=0 GET /t11/key [^\n]*\nA raw verified body=0 GET /t11/own [^\n]*\n\$"]

=== TEST 12: s3_errors s3proxy
--- config eval: "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; s3_errors s3proxy; proxy_pass http://origin_a; }"
--- request
GET /t12/key
--- more_headers eval: h4(path => '/t12/key') . whole('HTTP/1.1 301 Moved', '')
--- error_code: 502
--- response_body_like: ^\{"error": "[^"]+"\}$
