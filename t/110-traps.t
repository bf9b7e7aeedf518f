# Where a module that signs what nginx proxies could go wrong: ways around the
# verification, kept-alive connections, internal redirects, subrequests, and lines
# hidden in lines. What cannot be signed is answered 500 and never sent.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

sub with {
    return "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_a; $_[0] }";
}
our $keepalive = 'proxy_http_version 1.1; proxy_set_header Connection "";';
$ENV{TEST_NGINX_KEPT} = <<"END";
    upstream kept { server $ENV{TEST_NGINX_A}; keepalive 4; s3_origin default $ENV{TEST_NGINX_CRED_A}; }
END

prepare();
run_tests();

__DATA__

=== TEST 1: a name that is known at run time only leads no unverified request to an upstream of the module
--- config
    location / { proxy_pass http://$arg_to; }
    location /uri/ { proxy_pass http://$arg_to$uri; }
    location /if/ { if ($arg_to) { proxy_pass http://$arg_to; } }
--- request eval: [(map {"GET /$_?to=origin_a"} 't1/key', 'uri/t1', 'if/t1'), 'GET /_log/']
--- answers
3x 500 500
200 ^(?!.*t1)
--- error_log
not forwarded to upstream "origin_a", whose requests are signed, from a location without "s3_resign"
--- no_error_log
connect to $TEST_NGINX_A

=== TEST 2: but does where that is said
--- config
    location / { s3_resign off; proxy_pass http://$arg_to; }
--- request
GET /t2/key?to=origin_a
--- response_headers
X-Origin: A
X-Verified: no: not signed

=== TEST 3: nor does another directive that passes requests on
--- config
    location / { fastcgi_pass $arg_to; }
    location /uwsgi/ { uwsgi_pass $arg_to; }
    location /scgi/ { scgi_pass $arg_to; }
--- request eval: [map {"GET /$_?to=origin_a"} 't3/key', 'uwsgi/t3', 'scgi/t3']
--- answers: 3x 500 500
--- no_error_log
connect to 127.0.0.1

=== TEST 4: nor does a subrequest
--- config
    $TEST_NGINX_CLIENT
    set $to origin_b;
    location / { s3_resign on; mirror /mirror; proxy_pass http://origin_a; }
    location = /mirror { internal; proxy_pass http://$to$request_uri; }
--- signed
GET /t4/key
unsigned GET /_log/t4
--- answers
200 ^origin A\nverified yes
200 ^A 200 verified [^\n]*\n$

=== TEST 5: smuggling: on a kept connection each try is one request with its body
--- http_config
    $TEST_NGINX_KEPT
--- config eval: with($keepalive) =~ s/origin_a/kept/r
--- signed
PUT /t5/1 body="GET /t5/smuggled HTTP/1.1\r\nHost: x\r\n\r\nx"
GET /t5/2
PUT /t5/3 body=hello
presigned GET /t5/4
unsigned GET /_log/t5
--- error_code eval: [(200) x 5]
--- response_body_like eval
[(map { "^origin A\nverified yes.*connection \\d+ request $_\n" } 1 .. 4),
 "^A 200 verified body=39 PUT /t5/1 HTTP/1.1\nA 200 verified body=0 GET /t5/2 HTTP/1.1\nA 200 verified body=5 PUT /t5/3 HTTP/1.1\nA 200 verified body=0 GET /t5/4 HTTP/1.1\n\$"]

=== TEST 6: smuggling: a retry with a body, then the connection's next request
--- http_config
    upstream kept { server $TEST_NGINX_A max_fails=0; server $TEST_NGINX_B backup; keepalive 4;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B; }
--- config eval: with("$keepalive proxy_next_upstream http_503;") =~ s/origin_a/kept/r
--- signed
PUT /t6/1 body=hello mock=A=503
PUT /t6/2 body=hello mock=A=503
GET /t6/3 mock=A=503
unsigned GET /_log/t6
--- error_code eval: [(200) x 4]
--- response_body_like eval
[("^origin B\nverified yes") x 3,
 '^' . join('', map { my ($n, $m, $b) = @$_; map { "$_ verified body=$b $m /t6/$n HTTP/1.1\n" } 'A 503', 'B 200' } [1, 'PUT', 5], [2, 'PUT', 5], [3, 'GET', 0]) . '$']

=== TEST 7: a connection from the cache (NGX_DONE) carries a fresh signature
--- http_config
    $TEST_NGINX_KEPT
--- config eval: with($keepalive) =~ s/origin_a/kept/r
--- signed
GET /t7/1
GET /t7/2 skew=-100
--- wait: 1.1
--- answers
200 verified yes.*request 1\n.*line GET /t7/1
200 verified yes.*request 2\n.*line GET /t7/2

=== TEST 8: a space and a line break in the path reach the origin as one request
--- config eval: with('')
--- raw_request eval
raw('GET /b/k%20HTTP/1.1%0d%0aX:', h4(path => '/b/k%20HTTP/1.1%0d%0aX:'))
--- passed: A
--- response_body_like: line GET /b/k%20HTTP/1\.1%0D%0AX%3A HTTP

=== TEST 9: the same with a space in the request line, or none at all
--- config eval: with($keepalive)
--- raw_request eval
"GET /t9/k%20HTTP/1.1%0d%0aX: HTTP/1.1\r\n" . h4(path => '/t9/k%20HTTP/1.1%0d%0aX:') =~ s/\n/\r\n/gr . "Connection: close\r\n\r\n"
--- error_code_like: ^(200|400)$
--- response_body_like: line GET /t9/k%20HTTP/1\.1%0D%0AX%3A HTTP/1\.1\n|400

=== TEST 10: rewriting and decoding does not set the line break free
--- config
    $TEST_NGINX_CLIENT
    location /t10/ { s3_resign on; rewrite ^/t10/(.*)$ /bucket10/$1 break; proxy_pass http://origin_a; }
--- signed
GET /t10/k%20HTTP/1.1%0d%0aX:
unsigned GET /_log/bucket10
--- error_code_like eval: ['^(200|4..|500)$', 200]
--- response_body_like eval: ['.', '^(?!.*GARBAGE)']

=== TEST 11: error_page to another location of the module: verified as it came, signed for where it goes
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass http://origin_a; proxy_intercept_errors on; error_page 404 = @b; recursive_error_pages on; }
    location @b { proxy_pass http://origin_b; }
--- presigned
signed GET /t11/key mock=A=404
GET /t11/q mock=A=404
unsigned GET /_log/t11
--- answers
200 ^origin B\nverified yes.*line GET /t11/key
200 ^origin B\nverified yes\nauth query\n.*line GET /t11/q\?X-Amz
200 ^A 404 verified [^\n]*\nB 200 verified [^\n]*\nA 404 verified [^\n]*\nB 200 verified [^\n]*\n$

=== TEST 12: error_page with a body
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @b; }
    location @b { proxy_pass http://origin_b; }
--- signed: PUT /bucket/key body=hello mock=A=503
--- passed: B
--- response_body_like: line PUT /bucket/key .*body 5 2cf24dba

=== TEST 13: error_page to a path: that was not what the client signed
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass http://origin_a; proxy_intercept_errors on; error_page 404 /secret/object; }
    location /secret/ { proxy_pass http://origin_b; }
--- signed
GET /t13/key mock=A=404
unsigned GET /_log/secret
--- error_code_like eval: ['^(404|403|500)$', 200]
--- response_body_like eval: ['.', '^(B \d+ verified [^\n]*\n)?$']

=== TEST 14: from a location without the module into one with it: an unsigned request stays out
--- config
    $TEST_NGINX_CLIENT
    location /open/ { return 404; error_page 404 = @b; }
    location /try/ { try_files /nonexistent @b; }
    location @b { s3_resign on; proxy_pass http://origin_b; }
--- signed
unsigned GET /open/key
unsigned GET /try/key
GET /try/key
GET /open/key
--- error_code_like eval: ['^(403|500)$', 403, 200, '^(200|404|500)$']
--- no_error_log
[alert]

=== TEST 15: rewrite ... last
--- config
    $TEST_NGINX_CLIENT
    location /pub/ { rewrite ^/pub/(.*)$ /bucket/$1 last; }
    location /bucket/ { s3_resign on; proxy_pass http://origin_a; }
--- signed
unsigned GET /pub/key
GET /pub/key
--- answers
403 AccessDenied
200 verified yes.*line GET /bucket/key HTTP

=== TEST 16: X-Accel-Redirect of an origin leads nobody past the verification
--- http_config
    server { listen 127.0.0.1:$TEST_NGINX_SPARE; location / { add_header X-Accel-Redirect /secret16/object; return 200 "x"; } }
--- config
    $TEST_NGINX_CLIENT
    location / { proxy_pass http://127.0.0.1:$TEST_NGINX_SPARE; }
    location /secret16/ { s3_resign on; proxy_pass http://origin_a; }
--- request eval: ['GET /t16/key', 'GET /_log/secret16']
--- error_code_like eval: ['^(403|500)$', 200]
--- response_body_like eval: ['.', '^$']

=== TEST 17: auth_request into a location of the module: not verified, not sent
--- skip_eval: 4: S3Test::lacks('http_auth_request_module')
--- config
    $TEST_NGINX_CLIENT
    location / { auth_request /auth; return 200 "let in"; root html; }
    location = /auth { s3_resign on; proxy_pass http://origin_a; }
    location /page { auth_request /auth; root html; try_files /index.html =404; }
--- request eval: ['GET /page', 'GET /_log/auth']
--- answers
500 500
200 ^$

=== TEST 18: auth_request, its request signed right by the client
--- skip_eval: 4: S3Test::lacks('http_auth_request_module')
--- config
    $TEST_NGINX_CLIENT
    location /page { auth_request /auth; root html; try_files /index.html =404; }
    location = /auth { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /page
unsigned GET /_log/auth
--- answers
500 500
200 ^$

=== TEST 19: auth_request in a location of the module, to another service
--- skip_eval: 4: S3Test::lacks('http_auth_request_module')
--- http_config
    server { listen 127.0.0.1:$TEST_NGINX_SPARE; location / { return 204; } location /no { return 403; } }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; auth_request /auth; proxy_pass http://origin_a; }
    location /b/ { s3_resign on; auth_request /no; proxy_pass http://origin_a; }
    location = /auth { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_SPARE; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
    location = /no { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_SPARE; }
--- signed
GET /bucket/key
PUT /bucket/key body=hello
GET /b/key
unsigned GET /bucket/key
--- answers
200 verified yes
200 verified yes.*body 5 2cf24dba
403 AccessDenied
403 AccessDenied

=== TEST 20: SSI into a location of the module
--- config
    $TEST_NGINX_CLIENT
    location / { root html; ssi on; ssi_types *; }
    location /secret20/ { s3_resign on; proxy_pass http://origin_a; }
--- user_files
>>> page
[<!--# include virtual="/secret20/object" -->]
--- signed
unsigned GET /page
GET /page
unsigned GET /_log/secret20
--- answers
2x 200 ^\[(?!.*verified)
200 ^$

=== TEST 21: mirror into a location of the module: the request goes on, the mirror is not sent
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; mirror /mirror; proxy_pass http://origin_a; }
    location = /mirror { internal; s3_resign on; proxy_pass http://origin_b; }
--- signed
PUT /t21/key body=hello
unsigned GET /_log/
--- answers
200 ^origin A\nverified yes.*body 5 2cf24dba
200 ^(?!.* /mirror)

=== TEST 22: mirror of an unsigned request
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; mirror /mirror; proxy_pass http://origin_a; }
    location = /mirror { internal; s3_resign off; proxy_pass http://origin_b; }
--- request eval: ['GET /t22/key', 'GET /_log/t22']
--- answers
403 AccessDenied
200 ^$

=== TEST 23: slices: subrequests with the client's own URI
--- skip_eval: 4: S3Test::lacks('http_slice_module')
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; slice 1k; proxy_set_header Range $slice_range; proxy_pass http://origin_a; proxy_http_version 1.1; }
--- signed: GET /bucket/key
--- error_code_like: ^(200|206|416|502)$
--- no_error_log
[alert]

=== TEST 24: the upgrade of a connection is not passed on unsigned
--- config eval: with('proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; keepalive_timeout 0;')
--- signed
GET /bucket/key
    unsigned Upgrade: websocket
    unsigned Connection: Upgrade
--- error_code_like: ^(200|500)$
--- response_body_like: verified yes|500

=== TEST 25: a client that is gone before the origin answers
--- config eval: with('')
--- signed: GET /bucket/key mock=A=delay:0.2
--- timeout: 0.05
--- abort
--- ignore_response
--- wait: 0.3

=== TEST 26: unreadable requests of all kinds
--- config eval: with('')
--- raw_request eval: "GET /bucket/key HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 " . "Credential=" x 700 . "\r\nHost: x\r\nConnection: close\r\n\r\n"
--- error_code_like: ^4..$
--- no_error_log
connect to 127.0.0.1

=== TEST 27: bytes beyond ASCII in what is signed with
--- config eval: with('')
--- raw_request eval
raw('GET /bucket/key', h4() . "x-amz-meta-a: \xff\xfe\n")
--- refused: 403 AccessDenied

=== TEST 28: such bytes, signed, pass
--- config eval: with('')
--- raw_request eval: raw('PUT /bucket/key', h4(method => 'PUT', headers => ['x-amz-meta-a', "gr\xc3\xbcn"]))
--- passed: A

=== TEST 29: neither secrets nor the origin's signature are in the debug log
--- log_level: debug
--- config eval: with('')
--- signed: GET /bucket/key
--- passed: A
--- no_error_log eval
[qr/AKIDORIGINA.*Signature=[0-9a-f]{64}/, 'oRiGiNa', 'cLiEnT+sEcReT']

=== TEST 30: redirects of an origin to its own domain are not relayed
--- config eval: with('')
--- signed: GET /bucket/key mock=A=redirect:http://$TEST_NGINX_A/bucket/key?X-Amz-Signature=1
--- error_code: 502
--- response_headers
!Location

=== TEST 31: two requests on one client connection, with different clients
--- config
    $TEST_NGINX_CLIENT
    $TEST_NGINX_READER
    location / { s3_resign on; proxy_pass http://origin_a; }
--- pipelined_requests eval: ['GET /bucket/key', 'GET /bucket/key', 'GET /bucket/key']
--- more_headers eval: [h4(), h4(reader()), h4(reader(), tamper => 1)]
--- answers
2x 200 verified yes
403 SignatureDoesNotMatch

=== TEST 32: more headers than are looked at
--- raw_request eval: raw('GET /bucket/key', h4() . join '', map {"X-$_: 1\n"} 1 .. 500)
--- error_code_like: ^4..$
--- no_error_log
connect to 127.0.0.1

=== TEST 33: more query parameters than are looked at
--- request eval: 'GET /bucket/key?' . join '&', ('a') x 2000
--- more_headers eval: h4(query => join '&', ('a') x 2000)
--- error_code_like: ^4..$
--- no_error_log
connect to 127.0.0.1

=== TEST 34: x-amz-date twice
--- raw_request eval: my $h = h4(); raw('GET /bucket/key', $h . ($h =~ /(x-amz-date.*\n)/)[0])
--- error_code_like: ^40[03]$
--- no_error_log
connect to 127.0.0.1

=== TEST 35: a Host that is not the first, or none
--- raw_request eval: raw('GET /bucket/key', h4() . "Host: other\n")
--- error_code_like: ^40[03]$
--- no_error_log
connect to 127.0.0.1

=== TEST 36: both Content-Length and chunks
--- raw_request eval
raw('PUT /t36/key', h4(method => 'PUT', path => '/t36/key') . "Content-Length: 5\nTransfer-Encoding: chunked\n") . "0\r\n\r\n"
--- error_code_like: ^(400|200)$
--- response_body_like: BadRequest|body 0 

=== TEST 37: post_action and a location of the module
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; post_action @after; }
    location @after { s3_resign on; proxy_pass http://origin_b; }
--- signed
GET /t37/key
unsigned GET /t37/key
unsigned GET /_log/t37
--- answers
200 verified yes
403 AccessDenied
200 ^(?!.*unverified)

=== TEST 38: what one location let in does not count in another
--- config
    location / {
        s3_resign on; $TEST_NGINX_READER $TEST_NGINX_CLIENT
        proxy_pass http://origin_a; proxy_intercept_errors on; error_page 404 = @b;
    }
    location @b { s3_resign on; $TEST_NGINX_CLIENT proxy_pass http://origin_b; }
--- signed
GET /t38/key as=reader mock=A=404
GET /t38/key mock=A=404
unsigned GET /_log/t38
--- answers
403 InvalidAccessKeyId
200 ^origin B\nverified yes
200 ^A 404 verified [^\n]*\nA 404 verified [^\n]*\nB 200 verified [^\n]*\n$

=== TEST 39: satisfy any: an unsigned request that s3_anonymous lets in has not shown anything
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_anonymous on; satisfy any; deny all; proxy_pass http://origin_a; }
--- signed
unsigned GET /t39/key
GET /t39/key
unsigned GET /_log/t39
--- answers
403 AccessDenied
200 verified yes
200 ^A 200 verified [^\n]*\n$

=== TEST 40: a path that nginx changes beyond recognition is not sent to another object
--- config
    $TEST_NGINX_CLIENT
    location /t40/ { s3_resign on; rewrite ^/t40/(.*)$ /out40/$1 break; proxy_pass http://origin_a; }
--- signed
GET /t40/a/b
GET /t40/a//b
GET /t40/a/../b
GET /t40/a/%2e%2e/b
GET /t40/a/./b
GET /t40/a%23b
GET /t40/a%20%C3%BCb
unsigned GET /_log/out40
--- answers
200 line GET /out40/a/b HTTP
5x 500 InternalError
200 line GET /out40/a%20%C3%BCb HTTP
200 ^(A 200 verified [^\n]*\n){2}$
