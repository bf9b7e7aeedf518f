# nginx's own errors, where requests are S3's: each kind is S3's XML with a code
# that clients know; and what S3 adds to the errors of ours.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

our $s3 = '$TEST_NGINX_CLIENT location / { s3_resign on; proxy_pass http://origin_a; ';

# An error as S3 writes it: code, and what stands between message and resource.
our $S3 = sub {
    my ($code, $more) = @_;
    $more //= '';
    return qr{\A<\?xml version="1\.0" encoding="UTF-8"\?>\n<Error><Code>$code</Code><Message>[^<]+</Message>$more<Resource>[^<]*</Resource><RequestId>\w{32}</RequestId><HostId>[0-9a-f]{64}</HostId></Error>\n?\z};
};

# A location that answers by itself, with that status.
our $own = sub { "location = /bucket/$_[0] { s3_resign on; proxy_pass http://origin_a; return $_[0]; }" };

# A server that says nothing of the length of bodies, as the runner's own does, and the way to it.
our $behind = sub {
    "$_[0] server { listen 127.0.0.1:$ENV{TEST_NGINX_SPARE}; $::s3 }
        location /1m/ { s3_resign on; client_max_body_size 1m; proxy_pass http://origin_a; }
        location /off/ { s3_resign off; proxy_pass http://origin_a; } }";
};
our $front = 'location / { proxy_pass http://127.0.0.1:$TEST_NGINX_SPARE; proxy_set_header Host $http_host; client_max_body_size 0; }';

prepare();
run_tests();

__DATA__

=== TEST 1: each status of nginx's own
--- config eval
'$TEST_NGINX_CLIENT' . join "\n", map { $::own->($_) } qw(400 401 403 404 405 409 411 412 413 414 416 421 429 431 500 501 502 503 504 505 507)
--- request eval
[map {"GET /bucket/$_"} qw(400 401 403 404 405 409 411 412 413 414 416 421 429 431 500 501 502 503 504 505 507)]
--- error_code eval
[qw(400 401 403 404 405 409 411 412 400 400 416 421 429 400 500 501 502 503 504 505 507)]
--- response_body_like eval
[map { $::S3->(@$_) } ['BadRequest'], ['AccessDenied'], ['AccessDenied'], ['NoSuchKey', '<Key>404</Key>'],
    ['MethodNotAllowed', '<Method>GET</Method><ResourceType>OBJECT</ResourceType>'], ['InvalidRequest'],
    ['MissingContentLength'], ['PreconditionFailed'], ['EntityTooLarge'], ['RequestHeaderSectionTooLarge'],
    ['InvalidRange', '<RangeRequested></RangeRequested>'], ['InvalidRequest'], ['SlowDown'],
    ['RequestHeaderSectionTooLarge'], ['InternalError'], ['NotImplemented'], ['InternalError'],
    ['ServiceUnavailable'], ['InternalError'], ['InvalidRequest'], ['InternalError']]

=== TEST 2: its head
--- config eval: '$TEST_NGINX_CLIENT ' . $::own->(503)
--- request
GET /bucket/503
--- error_code: 503
--- response_headers_like
Content-Type: application/xml
x-amz-request-id: \w{32}
x-amz-id-2: [0-9a-f]{64}
Content-Length: \d+

=== TEST 3: HEAD has no body
--- config eval: '$TEST_NGINX_CLIENT ' . $::own->(503)
--- request eval: ['HEAD /bucket/503', 'HEAD /bucket/503']
--- error_code eval: [503, 503]
--- response_body eval: ['', '']

=== TEST 4: an origin that is down
--- config
$TEST_NGINX_CLIENT
location / {
    s3_resign on; s3_origin default access_key=a secret_key=b; proxy_pass http://$TEST_NGINX_DEAD;
}
--- signed
GET /bucket/key
HEAD /bucket/key
PUT /bucket/key body=hello
--- error_code eval: [502, 502, 502]
--- response_body_like eval: [$::S3->('InternalError'), '\A\z', $::S3->('InternalError')]
--- no_error_log
[alert]

=== TEST 5: an origin that does not answer in time
--- config eval: "$::s3 proxy_read_timeout 100ms; }"
--- signed: GET /bucket/key mock=A=delay:2
--- error_code: 504
--- response_body_like eval: $::S3->('InternalError')

=== TEST 6: a body that is longer than the user allows
--- config eval: "$::s3 client_max_body_size 10; }"
--- signed
PUT /bucket/key body=hello
PUT /bucket/key body=hello-hello
--- error_code eval: [200, 400]
--- response_body_like eval: ['verified yes', $::S3->('EntityTooLarge', '<ProposedSize>11</ProposedSize><MaxSizeAllowed>10</MaxSizeAllowed>')]

=== TEST 7: bodies of any length, where nothing says how long they may be
--- http_config eval: $::behind->('')
--- config eval: $::front
--- request eval: [map {"PUT $_\n" . 'x' x 1_100_000} '/bucket/key', '/1m/key']
--- more_headers eval: [map { h4(method => 'PUT', path => $_, body => 'x' x 1_100_000) } '/bucket/key', '/1m/key']
--- error_code eval: [200, 400]
--- response_body_like eval
['verified yes(?s:.*)body 1100000', $::S3->('EntityTooLarge', '<ProposedSize>1100000</ProposedSize><MaxSizeAllowed>1048576</MaxSizeAllowed>')]

=== TEST 8: a limit for all servers holds, if it is nginx's default too; elsewhere the default holds
--- http_config eval: $::behind->('client_max_body_size 1m;')
--- config eval: $::front
--- request eval: [map {"PUT $_\n" . 'x' x 1_100_000} '/bucket/key', '/off/key']
--- more_headers eval: [map { h4(method => 'PUT', path => $_, body => 'x' x 1_100_000) } '/bucket/key', '/off/key']
--- error_code eval: [400, 413]
--- response_body_like eval: [$::S3->('EntityTooLarge', '.*'), '<html>']

=== TEST 9: where requests are not verified, the default holds
--- http_config eval: $::behind->('')
--- config eval: $::front
--- request eval: "PUT /off/key\n" . 'x' x 1_100_000
--- error_code: 413
--- response_body_like: <html>

=== TEST 10: where requests are not S3's, nginx is as it was
--- config
location / { proxy_pass http://origin_a; s3_resign off; }
location /e { return 503; }
--- request eval: ['GET /e', 'GET /../x']
--- error_code eval: [503, 400]
--- response_body_like eval: [('<html>') x 2]

=== TEST 11: a page of the user's wins
--- config eval
"error_page 503 /page; error_page 413 \@page; error_page 502 =404 /page.html; $::s3 client_max_body_size 10; }
location = /page { internal; return 200 page; }
location \@page { return 200 named; }
location = /page.html { }
location = /bucket/down { s3_resign on; return 502; }
" . $::own->(503)
--- user_files
>>> page.html
a file
--- request eval: ['GET /bucket/503', "PUT /bucket/key\n" . 'x' x 11, 'GET /bucket/down']
--- error_code eval: [503, 413, 404]
--- response_body_like eval: ['\Apage\z', '\Anamed\z', '\Aa file\n?\z']

=== TEST 12: a page of the user's where all is S3's
--- config
s3_resign on;
$TEST_NGINX_CLIENT
error_page 503 /page.html;
location / { proxy_pass http://origin_a; }
location = /page.html { root html; s3_resign off; }
location = /bucket/503 { return 503; }
--- user_files
>>> page.html
a file
--- request
GET /bucket/503
--- error_code: 503
--- response_body_like: \Aa file\n?\z

=== TEST 13: another location of S3's takes over, and is down, too
--- config
$TEST_NGINX_CLIENT
s3_origin default access_key=a secret_key=b;
location / { s3_resign on; error_page 502 = @other; proxy_pass http://$TEST_NGINX_DEAD; }
location @other { s3_resign on; proxy_pass http://$TEST_NGINX_DEAD; }
--- signed: GET /bucket/key
--- error_code: 502
--- response_body_like eval: $::S3->('InternalError')

=== TEST 14: an origin's own errors are its own
--- config eval: "$::s3 }"
--- signed: GET /bucket/key mock=A=503:SlowDown
--- error_code: 503
--- response_headers
x-amz-request-id: origin-A
--- response_body_like: <Code>SlowDown</Code>

=== TEST 15: paths that leave the root
--- config eval: "$::s3 }"
--- raw_request eval
[raw('GET /bucket/../../key', "Host: x\n"), raw('GET /bucket/%2e%2e/%2e%2e?list-type=2', "Host: x\n"),
 raw('GET /../key', "Host: x\n"), raw('GET /bucket/../../%zz', "Host: x\n")]
--- error_code eval: [400, 400, 400, 400]
--- response_body_like eval
[$::S3->('400'), $::S3->('400'), qr{<Code>InvalidURI</Code>.*<Resource>/\.\./key</Resource>}, $::S3->('InvalidURI')]

=== TEST 16: a request line, and a head, that are too long
--- config eval: "$::s3 }"
--- raw_request eval: [raw('GET /bucket/' . 'k' x 9000, "Host: x\n")]
--- error_code: 400
--- response_body_like eval: $::S3->('RequestHeaderSectionTooLarge')

=== TEST 17: a head that is too long
--- config eval: "$::s3 }"
--- raw_request eval: [raw('PUT /bucket/key', "Host: x\nx-amz-meta-a: " . 'v' x 9000 . "\n")]
--- error_code: 400
--- response_body_like eval: $::S3->('RequestHeaderSectionTooLarge')

=== TEST 18: what is not HTTP
--- config eval: "$::s3 }"
--- raw_request eval: [raw('GET /bucket/key', "Host: a b\n")]
--- error_code: 400
--- response_body_like eval: $::S3->('BadRequest')

=== TEST 19: before a location is found: by the style of the location for all
--- config eval: "$::s3 s3_errors s3proxy; }"
--- raw_request eval: raw('GET /bucket/../../key', "Host: x\n")
--- error_code: 400
--- response_headers
Content-Type: application/json
--- response_body_like: ^\{"error": "[^"]+"\}\n?$

=== TEST 20: a server with S3 in some location only
--- config
$TEST_NGINX_CLIENT
location /bucket/ { s3_resign on; proxy_pass http://origin_a; }
location / { root html; }
--- raw_request eval: raw('GET /bucket/../../key', "Host: x\n")
--- error_code: 400
--- response_body_like: <html>

=== TEST 21: s3_errors s3proxy: JSON, with nginx's statuses
--- config eval: "$::s3 s3_errors s3proxy; client_max_body_size 10; } location = /bucket/503 { s3_resign on; s3_errors s3proxy; return 503; }"
--- request eval: ["PUT /bucket/key\n" . 'x' x 11, 'GET /bucket/503']
--- error_code eval: [413, 503]
--- response_body_like eval: [('\A\{"error": "[^"]+"\}\n?\z') x 2]

=== TEST 22: limit_req is S3's SlowDown
--- http_config eval
"limit_req_zone \$server_name zone=a:1m rate=1r/m; "
--- config eval: "$::s3 limit_req zone=a; }"
--- signed: 2x GET /bucket/key
--- error_code eval: [200, 503]
--- response_body_like eval: ['verified yes', $::S3->('SlowDown')]

=== TEST 23: deny, and a password that is asked for
--- config
$TEST_NGINX_CLIENT
location / { s3_resign on; deny all; proxy_pass http://origin_a; }
location /asks/ { s3_resign on; auth_basic realm; auth_basic_user_file html/passwd; proxy_pass http://origin_a; }
--- user_files
>>> passwd
u:{PLAIN}p
--- signed
GET /bucket/key
--- error_code: 403
--- response_body_like eval: $::S3->('AccessDenied')

=== TEST 24: nginx's errors in the log, by their codes
--- http_config eval
"log_format error '<\$s3_error \$status>'; "
--- config
$TEST_NGINX_CLIENT
access_log logs/error.log error;
s3_origin default access_key=a secret_key=b;
location / { s3_resign on; proxy_pass http://$TEST_NGINX_DEAD; }
location = /bucket/503 { s3_resign on; return 503; }
location = /bucket/413 { s3_resign on; client_max_body_size 1; proxy_pass http://$TEST_NGINX_DEAD; }
--- signed
GET /bucket/key
GET /bucket/503
PUT /bucket/413 body=hello
--- error_code eval: [502, 503, 400]
--- error_log
<InternalError 502>
<ServiceUnavailable 503>
<EntityTooLarge 400>

=== TEST 25: the connection goes on after an error
--- config eval: "$::s3 } " . $::own->(503)
--- pipelined_requests eval: ['GET /bucket/503', 'GET /bucket/key', 'GET /bucket/503']
--- more_headers eval: ['', h4(), '']
--- error_code eval: [503, 200, 503]
--- response_body_like eval: [$::S3->('ServiceUnavailable'), 'verified yes', $::S3->('ServiceUnavailable')]

=== TEST 26: what a client reads of a rejection of ours
--- signed
GET /bucket/key tamper
GET /bucket/key key=AKIDNOBODY
GET /bucket/key skew=-1h
GET /bucket/key
    unsigned x-amz-acl: private
    unsigned X-Amz-Meta-B: c
presigned GET /bucket/key expires=60 skew=-5m
presigned GET /bucket/key key=AKID/NOBODY
PUT /bucket/key body=hello payload=nonsense
--- error_code eval: [403, 403, 403, 403, 403, 403, 400]
--- response_body_like eval
my $time = '\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ';
[
    $::S3->('SignatureDoesNotMatch', '<AWSAccessKeyId>AKIDCLIENT</AWSAccessKeyId>'),
    $::S3->('InvalidAccessKeyId', '<AWSAccessKeyId>AKIDNOBODY</AWSAccessKeyId>'),
    $::S3->('RequestTimeTooSkewed', "<RequestTime>\\d{8}T\\d{6}Z</RequestTime><ServerTime>$time</ServerTime><MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds>"),
    $::S3->('AccessDenied', '<HeadersNotSigned>x-amz-acl, x-amz-meta-b</HeadersNotSigned>'),
    $::S3->('AccessDenied', "<X-Amz-Expires>60</X-Amz-Expires><Expires>$time</Expires><ServerTime>$time</ServerTime>"),
    $::S3->('InvalidAccessKeyId', '<AWSAccessKeyId>AKID/NOBODY</AWSAccessKeyId>'),
    $::S3->('InvalidArgument', '<ArgumentName>x-amz-content-sha256</ArgumentName><ArgumentValue>nonsense</ArgumentValue>'),
]

=== TEST 27: what is shown is escaped and cut, and no scheme's password
--- config eval: "$::s3 }"
--- request eval: [('GET /bucket/key') x 3]
--- more_headers eval
[h4(payload => '<a>&' . 'x' x 5000), "Authorization: AWSX secret-of-another\n", h4() . "X-Amz-Copy-Source: ../a\n"]
--- error_code eval: [400, 400, 400]
--- response_body_like eval
[
    $::S3->('InvalidArgument', '<ArgumentName>x-amz-content-sha256</ArgumentName><ArgumentValue>&lt;a&gt;&amp;x{1020}</ArgumentValue>'),
    $::S3->('InvalidArgument', '<ArgumentName>Authorization</ArgumentName><ArgumentValue>AWSX</ArgumentValue>'),
    $::S3->('InvalidArgument', '<ArgumentName>x-amz-copy-source</ArgumentName><ArgumentValue>\.\./a</ArgumentValue>'),
]

=== TEST 28: a wrong region names the right one
--- config eval: "$::s3 s3_region eu-west-3; }"
--- signed: GET /bucket/key region=us-west-2
--- error_code: 400
--- response_body_like eval: $::S3->('AuthorizationHeaderMalformed', '<Region>eu-west-3</Region>')

=== TEST 29: a range past the end of what an origin answered
--- config eval: "$::s3 proxy_force_ranges on; }"
--- signed
GET /bucket/key
    unsigned Range: bytes=100000-
--- error_code: 416
--- response_headers_like
Content-Range: bytes \*/\d+
x-amz-request-id: \w{32}
--- response_body_like eval: $::S3->('InvalidRange', '<ActualObjectSize>\d+</ActualObjectSize><RangeRequested>bytes=100000-</RangeRequested>')

=== TEST 30: counted by code, whether the request was accepted or not
--- config
$TEST_NGINX_CLIENT
s3_origin default access_key=a secret_key=b;
location / { s3_resign on; proxy_pass http://$TEST_NGINX_DEAD; }
location = /bucket/503 { s3_resign on; return 503; }
location = /s3_status { s3_status; }
--- signed
GET /bucket/key
GET /bucket/503
unsigned GET /s3_status?format=prometheus
--- error_code eval: [502, 503, 200]
--- response_body_like eval
['InternalError', 'ServiceUnavailable',
    '(?s)requests_total\{auth="v4-header"\} 1\n.*refused_total\{code="ServiceUnavailable"\} 1\n.*refused_total\{code="InternalError"\} 0\n.*failed_total\{code="InternalError"\} 1\n']
