# HTTP/2 clients: the same rules, with :authority as the signed host. Refused
# bodies are sent frame by frame: curl 7.88 fails on any answer of nginx's that
# comes while it still sends.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket;

my $curl = `curl --version 2>/dev/null` // '';
$curl =~ /^Features:.*\bHTTP2\b/m or plan(skip_all => 'no curl with HTTP/2');
plan(skip_all => 'nginx without HTTP/2') if S3Test::lacks('http_v2_module');
# Test::Nginx 0.33 writes "http2 on" for all nginx from 1.19.9 on
my ($minor, $patch) = (`$ENV{TEST_NGINX_BINARY} -V 2>&1` // '') =~ m{/1\.(\d+)\.(\d+)};
plan(skip_all => 'the real Test::Nginx needs nginx 1.25.1 for HTTP/2')
    if !Test::Nginx::Socket->can('evaluate') && $minor * 1000 + $patch < 25_001;
plan('no_plan');

$ENV{TEST_NGINX_UNBUFFERED} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / { s3_resign on; proxy_pass http://origin_ab; proxy_request_buffering off; proxy_http_version 1.1; }
END
our $large = 'x' x 300_000;
our $form = [S3Sign::v4_form(path => '/bucket', file => $large)];
our @uploads = map { [S3Sign::v4_upload(kind => $_, data => $large)] } qw(signed signed-trailer unsigned);

# For those an "other" server listens with http2: nginx takes the two kinds of
# listen for one address together. Its keepalive_requests is how many are sent: nginx
# closes the connection after the last answer.
#
# A connection of several requests, as frames (RFC 9113): each is a method, a
# path, header lines, a body, and whether its length is left out.
sub frames {
    my $bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '');
    my $stream = 1;
    for my $request (@_) {
        my ($method, $path, $lines, $body, $unannounced) = @$request;
        my @headers = map { my ($name, $value) = split /: /, $_, 2; [lc $name, $value] }
            grep { !/^host:/i } split /\n/, $lines;
        my ($host) = $lines =~ /^host: (.*)/mi;
        my $block = join '', map { literal(@$_) }[':method', $method], [':scheme', 'http'],
            [':authority', $host], [':path', $path], @headers,
            length $body && !$unannounced ? ['content-length', length $body] : ();
        $bytes .= frame(1, 4 | !length $body, $stream, $block);
        my @parts = unpack '(a16000)*', $body;
        $bytes .= frame(0, $_ == $#parts, $stream, $parts[$_]) for 0 .. $#parts;
        $stream += 2;
    }
    return $bytes;
}

# Uploads of which every other one is not what was signed, the last two of unknown length.
sub hashed {
    my $path = shift;
    my $body = 'x' x 40_000;
    my @uploads = map {
        ['PUT', "$path/$_", h4(path => "$path/$_", method => 'PUT', body => $body), $_ % 2 ? $body : "x$body", $_ > 2]
    } 1 .. 4;
    return frames(@uploads);
}

sub hashed_log {
    my $path = shift;
    return join "\n", map { "PUT $path/$_ " . ($_ % 2 ? '200 -' : '400 XAmzContentSHA256Mismatch') } 1 .. 4;
}

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

# Literal header field never indexed, without Huffman coding (RFC 7541, 6.2.3).
sub literal { "\x10" . join '', map { number(length) . $_ } @_ }

sub number {
    my $n = shift;
    return chr $n if $n < 127;
    my $bytes = chr 127;
    for ($n -= 127; $n >= 128; $n >>= 7) { $bytes .= chr($n & 127 | 128) }
    return $bytes . chr $n;
}

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

=== TEST 11: a refused body is not in the way of the connection's next requests
--- http_config
    log_format line '$server_protocol $request_method $uri $status';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 3; return 404; }
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log line;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- raw_request eval
frames(['PUT', '/t11/1', h4(path => '/t11/1', method => 'PUT', tamper => 1), 'x' x 40_000],
       ['PUT', '/t11/2', h4(path => '/t11/2', method => 'PUT', body => 'hello'), 'hello'],
       ['GET', '/t11/3', h4(path => '/t11/3'), ''])
--- ignore_response
--- access_log
HTTP/2.0 PUT /t11/1 403
HTTP/2.0 PUT /t11/2 200
HTTP/2.0 GET /t11/3 200

=== TEST 12: the same, unbuffered
--- http_config
    log_format line '$server_protocol $request_method $uri $status';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 3; return 404; }
--- config
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- raw_request eval
frames(['PUT', '/t12/1', h4(path => '/t12/1', method => 'PUT', tamper => 1), 'x' x 40_000],
       ['PUT', '/t12/2', h4(path => '/t12/2', method => 'PUT', body => 'hello'), 'hello'],
       ['GET', '/t12/3', h4(path => '/t12/3'), ''])
--- ignore_response
--- access_log
HTTP/2.0 PUT /t12/1 403
HTTP/2.0 PUT /t12/2 200
HTTP/2.0 GET /t12/3 200

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

=== TEST 15: aws-chunked uploads
--- http2
--- request eval: [map { "PUT /bucket/key\n$_->[1]" } @uploads]
--- more_headers eval: [map { $_->[0] } @uploads]
--- error_code eval: [(200) x 3]
--- response_body_like eval: [("verified yes.*data 300000 ") x 3]

=== TEST 16: the same, unbuffered
--- http2
--- config
$TEST_NGINX_UNBUFFERED
--- request eval: [map { "PUT /bucket/key\n$_->[1]" } @uploads]
--- more_headers eval: [map { $_->[0] } @uploads]
--- error_code eval: [(200) x 3]
--- response_body_like eval: [("verified yes.*data 300000 ") x 3]

=== TEST 17: one that is refused late is not in the way of the connection's next requests
--- http_config
    log_format line '$server_protocol $request_method $uri $status $s3_error';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 2; return 404; }
--- config
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- raw_request eval
my @bad = S3Sign::v4_upload(path => '/t17/1', data => 'x' x 50_000, size => 8192, spoil => 3);
my @good = S3Sign::v4_upload(path => '/t17/2', data => 'hello');
frames(['PUT', '/t17/1', $bad[0] =~ s/^Content-Length.*\n//mr, $bad[1]],
       ['PUT', '/t17/2', $good[0] =~ s/^Content-Length.*\n//mr, $good[1]])
--- ignore_response
--- access_log
HTTP/2.0 PUT /t17/1 403 SignatureDoesNotMatch
HTTP/2.0 PUT /t17/2 200 -

=== TEST 18: s3_verify_payload: the hash of a body, whether its length is announced or not
--- http_config
    log_format line '$server_protocol $request_method $uri $status $s3_error';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 4; return 404; }
--- config
    $TEST_NGINX_CLIENT
    s3_verify_payload on;
    access_log logs/access.log line;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- raw_request eval: hashed('/t18')
--- ignore_response
--- access_log eval: hashed_log('/t18')

=== TEST 19: of the wrong ones the origin hears nothing
--- request
GET /_log/t18
--- response_body_like: ^(?:A 200 verified body=40000 PUT /t18/[13] [^\n]*\n){2}$

=== TEST 20: the same, unbuffered
--- http_config
    log_format line '$server_protocol $request_method $uri $status $s3_error';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 4; return 404; }
--- config
    s3_verify_payload on;
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- raw_request eval: hashed('/t20')
--- ignore_response
--- access_log eval: hashed_log('/t20')

=== TEST 21: of the wrong ones the origin has no more than a part
--- request
GET /_log/t20
--- response_body_like: ^(?:A 200 verified body=40000 PUT /t20/[13] [^\n]*\n|A incomplete unverified [^\n]* PUT /t20/[24] [^\n]*\n){2,4}$

=== TEST 22: a browser's form
--- http2
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; client_body_buffer_size 8k; }
--- request eval: "POST /bucket\n$form->[1]"
--- more_headers eval: $form->[0]
--- passed: A
--- response_body_like: auth form\n.*data 300000 

=== TEST 23: the same, unbuffered
--- http2
--- config
    client_body_buffer_size 1k;
$TEST_NGINX_UNBUFFERED
--- request eval: "POST /bucket\n$form->[1]"
--- more_headers eval: $form->[0]
--- passed: A
--- response_body_like: auth form\n.*data 300000 
--- no_error_log
temporary file

=== TEST 24: one that is refused is not in the way of the connection's next requests
--- http_config
    log_format line '$server_protocol $request_method $uri $status $s3_error';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 3; return 404; }
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log line;
    location / { s3_resign on; proxy_pass http://origin_a; client_body_buffer_size 8k; }
--- raw_request eval
my ($bad, $good) = map { [map { s/^Content-Length.*\n//mr } S3Sign::v4_form(path => '/t24', file => 'x' x 50_000, @$_)] } [tamper => 1], [];
frames(['POST', '/t24', @$bad], ['POST', '/t24', @$good], ['GET', '/t24/3', h4(path => '/t24/3'), ''])
--- ignore_response
--- access_log
HTTP/2.0 POST /t24 403 SignatureDoesNotMatch
HTTP/2.0 POST /t24 200 -
HTTP/2.0 GET /t24/3 200 -

=== TEST 25: unbuffered: forms of which the next frames come late, one of them without a length, and bad ones among them
--- http_config
    log_format line '$server_protocol $request_method $uri $status $s3_error';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 8; return 404; }
--- config
    access_log logs/access.log line;
    client_body_buffer_size 1k;
$TEST_NGINX_UNBUFFERED
--- raw_request eval
my @forms = map { [map { s/^Content-Length.*\n//mr } S3Sign::v4_form(path => '/t25', file => 'x' x 50_000, @$_)] }
    [], [more => [['content-length-range', 0, 20_000]]], [], [more => [['content-length-range', 50_001, 60_000]]], [tamper => 1], [], [];
my $frames = frames((map { ['POST', '/t25', @{ $forms[$_] }, $_ == 2] } 0 .. $#forms), ['GET', '/t25/8', h4(path => '/t25/8'), '']);
[unpack '(a7000)*', $frames]
--- raw_request_middle_delay: 0.01
--- ignore_response
--- access_log
HTTP/2.0 POST /t25 200 -
HTTP/2.0 POST /t25 400 EntityTooLarge
HTTP/2.0 POST /t25 200 -
HTTP/2.0 POST /t25 400 EntityTooSmall
HTTP/2.0 POST /t25 403 SignatureDoesNotMatch
HTTP/2.0 POST /t25 200 -
HTTP/2.0 POST /t25 200 -
HTTP/2.0 GET /t25/8 200 -

=== TEST 26: of the bad ones the origin has no more than a part
--- request
GET /_log/t25
--- response_body_like: ^(?:A 200 verified body=5\d{4} POST [^\n]*\n|A incomplete unverified body=\S+ POST [^\n]*\n|A 200 verified body=0 GET [^\n]*\n){5,7}$

=== TEST 27: unbuffered: the origin has the beginning of a form while the client holds back the rest
--- http_config
    log_format line '$server_protocol $request_method $uri $status $s3_error';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 1; return 404; }
--- config
    access_log logs/access.log line;
    client_body_timeout 60s;
$TEST_NGINX_UNBUFFERED
--- raw_request eval
my ($headers, $body) = map { s/^Content-Length.*\n//mr } S3Sign::v4_form(path => '/t27', file => 'x' x 50_000, headers => ['x-mock', 'A=partial:10000']);
substr frames(['POST', '/t27', $headers, $body]), 0, 20_000
--- ignore_response
--- access_log
HTTP/2.0 POST /t27 502 -

=== TEST 28: as much as that
--- request
GET /_log/t27
--- response_body_like: ^A partial unverified body=\d{5} POST [^\n]*\n$

=== TEST 29: unbuffered: a form that is cut off, and one that is longer than announced
--- http_config
    log_format line '$server_protocol $request_method $uri $status $s3_error';
    server { listen $TEST_NGINX_LISTEN http2; server_name other; keepalive_requests 3; return 404; }
--- config
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- raw_request eval
my ($headers, $body) = S3Sign::v4_form(path => '/t29', file => 'x' x 50_000);
my $of = sub { $headers =~ s/^Content-Length: \K.*/length($body) + $_[0]/mre };
frames(['POST', '/t29', $of->(-1), $body, 1], ['POST', '/t29', $of->(1), $body, 1], ['POST', '/t29', $of->(0), $body, 1])
--- ignore_response
--- access_log
HTTP/2.0 POST /t29 400 -
HTTP/2.0 POST /t29 400 -
HTTP/2.0 POST /t29 200 -

=== TEST 30: of those nothing is whole
--- request
GET /_log/t29
--- response_body_like: ^(?:A incomplete unverified [^\n]*\n){0,2}A 200 verified [^\n]*\n(?:A incomplete unverified [^\n]*\n){0,2}$

=== TEST 31: answers that are written again, and one that is no answer
--- http2
--- request eval: [map { "GET /t31/$_" } 1 .. 3]
--- more_headers eval
my $error = '<Error><Code>C</Code><AWSAccessKeyId>AKIDORIGINA</AWSAccessKeyId></Error>';
[map { h4(path => "/t31/$$_[0]") . $$_[1] } [1, whole('HTTP/1.1 403 X', $error)], [2, says('HTTP/1.1 403 X', ['a', 70000])],
    [3, says("HTTP/1.1 x\nLocation: http://$ENV{TEST_NGINX_A}/")]]
--- error_code eval: [403, 403, 502]
--- response_body_like eval
['^<\?xml [^>]+>\n<Error><Code>C</Code></Error>$', (s3_error('InternalError')) x 2]
