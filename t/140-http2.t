# HTTP/2 clients: the same rules, with :authority as the signed host. Refused
# bodies are short, since curl 7.88 fails on any answer of nginx's that comes while
# it still sends.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket;

my $curl = `curl --version 2>/dev/null` // '';
$curl =~ /^Features:.*\bHTTP2\b/m or plan(skip_all => 'no curl with HTTP/2');
plan('no_plan');

$ENV{TEST_NGINX_UNBUFFERED} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / { s3_resign on; proxy_pass http://origin_ab; proxy_request_buffering off; proxy_http_version 1.1; }
END
our $large = 'x' x 300_000;

prepare();
run_tests();

__DATA__

=== TEST 1: GET
--- http2
--- request
GET /bucket/key
--- more_headers eval: h4()
--- passed: A

=== TEST 2: presigned GET
--- http2
--- request eval: 'GET ' . q4()
--- passed: A

=== TEST 3: HEAD
--- http2
--- request
HEAD /bucket/key
--- more_headers eval: h4(method => 'HEAD')
--- passed: A

=== TEST 4: PUT
--- http2
--- request
PUT /bucket/key
hello
--- more_headers eval: h4(method => 'PUT', body => 'hello', headers => ['content-type', 'a/b'])
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 5: PUT, unbuffered
--- http2
--- config
$TEST_NGINX_UNBUFFERED
--- request eval: "PUT /bucket/key\n$large"
--- more_headers eval: h4(method => 'PUT', body => $large, headers => ['content-type', 'a/b'])
--- passed: A
--- response_body_like: body 300000

=== TEST 6: PUT with failover
--- http2
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_ab; }
--- request eval: "PUT /bucket/key\n$large"
--- more_headers eval: h4(method => 'PUT', body => $large, headers => ['content-type', 'a/b']) . "X-Mock: A=drop\n"
--- passed: B
--- response_body_like: body 300000

=== TEST 7: another host and port as :authority
--- http2
--- request
GET /bucket/key
--- more_headers eval: h4(host => 's3.example.com:8443')
--- passed: A

=== TEST 8: another host than the signed one
--- http2
--- request
GET /bucket/key
--- more_headers eval: h4(host => 's3.example.com') =~ s/^host: .*/host: localhost/mr
--- refused: 403 SignatureDoesNotMatch

=== TEST 9: wrong signature
--- http2
--- request
GET /bucket/key
--- more_headers eval: h4(tamper => 1)
--- refused: 403 SignatureDoesNotMatch

=== TEST 10: not signed
--- http2
--- request
GET /bucket/key
--- refused: 403 AccessDenied

=== TEST 11: a PUT refused
--- http2
--- request eval: "PUT /bucket/key\n" . 'x' x 20_000
--- more_headers eval: h4(method => 'PUT', tamper => 1, headers => ['content-type', 'a/b'])
--- refused: 403 SignatureDoesNotMatch

=== TEST 12: a PUT refused, unbuffered
--- http2
--- config
$TEST_NGINX_UNBUFFERED
--- request eval: "PUT /bucket/key\n" . 'x' x 20_000
--- more_headers eval: h4(method => 'PUT', tamper => 1, headers => ['content-type', 'a/b'])
--- refused: 403 SignatureDoesNotMatch

=== TEST 13: a header of x-amz that is not signed
--- http2
--- request
PUT /bucket/key
--- more_headers eval: h4(method => 'PUT', unsigned => ['x-amz-acl', 'private'])
--- refused: 403 AccessDenied

=== TEST 14: a key with a space, a plus and a percent sign
--- http2
--- request
GET /bucket/a%20b%2Bc%25d
--- more_headers eval: h4(path => '/bucket/a%20b%2Bc%25d')
--- passed: A
--- response_body_like: line GET /bucket/a%20b%2Bc%25d HTTP
