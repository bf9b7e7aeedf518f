# HTTP/2 clients: the same rules, with :authority as the signed host. Rejected
# bodies are sent frame by frame: curl 7.88 fails on any answer of nginx's that
# comes while it still sends.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket;

my $why = S3Test::no_http2();
plan($why ? (skip_all => $why) : 'no_plan');

$ENV{TEST_NGINX_UNBUFFERED} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / { s3_resign on; proxy_pass http://origin_ab; proxy_request_buffering off; proxy_http_version 1.1; }
END
our $large = 'x' x 300_000;
our $huge = 'x' x (6 << 20);  # more than the sockets hold
our ($x40k, $x50k) = ('x' x 40_000, 'x' x 50_000);
our $other40k = "x$x40k";
our $up_to_20k = [['content-length-range', 0, 20_000]];
our $above_50k = [['content-length-range', 50_001, 60_000]];

# The words of this file: the requests of one connection, which are sent as frames (RFC 9113).
#
#   --- frames
#   PUT /t18/1 body=$x40k                 signed, and so forth, as in the section "signed"
#   PUT /t18/2 body=$x40k announced=none  without a content-length, or with one that is wrong by announced=-1
#   --- frames_end_at: 20000              the client sends so many bytes and no more
#   --- frames_delay: 0.01                the client waits so long after each 7,000 bytes
sub frames_section {
    my $block = shift;

    return if !defined $block->frames;
    my @asked = Blocks::requests('signed', $block->frames);
    my $bytes = join '', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, ''),
        map { frames_of($asked[$_], 2 * $_ + 1) } 0 .. $#asked;
    $bytes = substr $bytes, 0, $block->frames_end_at if defined $block->frames_end_at;
    if (defined $block->frames_delay) {
        $block->set_value(raw_request_middle_delay => $block->frames_delay);
        $bytes = [unpack '(a7000)*', $bytes];
    }
    $block->set_value(raw_request => $bytes);
    $block->set_value(ignore_response => '');
    # The other server listens with http2: nginx takes the two kinds of listen for one address together. Its
    # keepalive_requests is how many are sent: nginx closes the connection after the last answer.
    my $many = @asked;
    $block->set_value(http_config => <<"END");
    log_format line '\$server_protocol \$request_method \$uri \$status \$s3_error';
    server { listen \$TEST_NGINX_LISTEN http2; server_name other; keepalive_requests $many; return 404; }
END
}

sub frames_of {
    my ($asked, $stream) = @_;

    my $announced = $asked->{options} =~ s/ announced=(\S+)// ? $1 : 0;
    my ($request, $lines) = Blocks::message($asked);
    my ($method, $path, $body) = $request =~ /\A(\S+) (\S+)\n?(.*)\z/s;
    my ($host) = $lines =~ /^host: (.*)/mi;
    my @headers = map { my ($name, $value) = split /: /, $_, 2; [lc $name, $value] }
        grep { !/^(?:host|content-length):/i } split /\n/, $lines;
    my $block = join '', map { literal(@$_) }[':method', $method], [':scheme', 'http'],
        [':authority', $host], [':path', $path], @headers,
        length $body && $announced ne 'none' ? ['content-length', length($body) + $announced] : ();
    my @parts = unpack '(a16000)*', $body;
    return join '', frame(1, 4 | !length $body, $stream, $block),
        map { frame(0, $_ == $#parts, $stream, $parts[$_]) } 0 .. $#parts;
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
add_block_preprocessor(\&frames_section);
run_tests();

__DATA__

=== TEST 1: GET
--- http2
--- signed: GET /bucket/key
--- passed: A

=== TEST 2: presigned GET
--- http2
--- presigned: GET /bucket/key
--- passed: A

=== TEST 3: HEAD
--- http2
--- signed: HEAD /bucket/key
--- passed: A

=== TEST 4: PUT
--- http2
--- signed
PUT /bucket/key body=hello
    content-type: a/b
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 5: PUT, unbuffered
--- http2
--- config
$TEST_NGINX_UNBUFFERED
--- signed
PUT /bucket/key body=$large
    content-type: a/b
--- passed: A
--- response_body_like: body 300000

=== TEST 6: PUT with failover
--- http2
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_ab; }
--- signed
PUT /bucket/key body=$large mock=A=drop
    content-type: a/b
--- passed: B
--- response_body_like: body 300000

=== TEST 7: another host and port as :authority
--- http2
--- signed: GET /bucket/key host=s3.example.com:8443
--- passed: A

=== TEST 8: another host than the signed one
--- http2
--- signed
GET /bucket/key host=s3.example.com omit=host
    unsigned host: localhost
--- refused: 403 SignatureDoesNotMatch

=== TEST 9: wrong signature
--- http2
--- signed: GET /bucket/key tamper
--- refused: 403 SignatureDoesNotMatch

=== TEST 10: not signed
--- http2
--- unsigned: GET /bucket/key
--- refused: 403 AccessDenied

=== TEST 11: a rejected body is not in the way of the connection's next requests
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log line;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- frames
PUT /t11/1 tamper sent=$x40k
PUT /t11/2 body=hello
GET /t11/3
--- access_log
HTTP/2.0 PUT /t11/1 403 SignatureDoesNotMatch
HTTP/2.0 PUT /t11/2 200 -
HTTP/2.0 GET /t11/3 200 -

=== TEST 12: the same, unbuffered
--- config
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- frames
PUT /t12/1 tamper sent=$x40k
PUT /t12/2 body=hello
GET /t12/3
--- access_log
HTTP/2.0 PUT /t12/1 403 SignatureDoesNotMatch
HTTP/2.0 PUT /t12/2 200 -
HTTP/2.0 GET /t12/3 200 -

=== TEST 13: a header of x-amz that is not signed
--- http2
--- signed
PUT /bucket/key
    unsigned x-amz-acl: private
--- refused: 403 AccessDenied

=== TEST 14: a key with a space, a plus and a percent sign
--- http2
--- signed: GET /bucket/a%20b%2Bc%25d
--- passed: A
--- response_body_like: line GET /bucket/a%20b%2Bc%25d HTTP

=== TEST 15: aws-chunked uploads
--- http2
--- upload
PUT /bucket/key kind=signed body=$large
PUT /bucket/key kind=signed-trailer body=$large
PUT /bucket/key kind=unsigned body=$large
--- answers: 3x 200 verified yes.*data 300000[ ]

=== TEST 16: the same, unbuffered
--- http2
--- config
$TEST_NGINX_UNBUFFERED
--- upload
PUT /bucket/key kind=signed body=$large
PUT /bucket/key kind=signed-trailer body=$large
PUT /bucket/key kind=unsigned body=$large
--- answers: 3x 200 verified yes.*data 300000[ ]

=== TEST 17: an upload that is rejected late is not in the way of the connection's next requests
--- config
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- frames
upload PUT /t17/1 body=$x50k size=8192 spoil=3
upload PUT /t17/2 body=hello
--- access_log
HTTP/2.0 PUT /t17/1 403 SignatureDoesNotMatch
HTTP/2.0 PUT /t17/2 200 -

=== TEST 18: s3_verify_payload: the hash of a body, whether its length is announced or not
--- config
    $TEST_NGINX_CLIENT
    s3_verify_payload on;
    access_log logs/access.log line;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- frames
PUT /t18/1 body=$x40k
PUT /t18/2 body=$x40k sent=$other40k
PUT /t18/3 body=$x40k announced=none
PUT /t18/4 body=$x40k sent=$other40k announced=none
--- access_log
HTTP/2.0 PUT /t18/1 200 -
HTTP/2.0 PUT /t18/2 400 XAmzContentSHA256Mismatch
HTTP/2.0 PUT /t18/3 200 -
HTTP/2.0 PUT /t18/4 400 XAmzContentSHA256Mismatch

=== TEST 19: the origin hears nothing of the wrong bodies
--- unsigned: GET /_log/t18
--- response_body_like: ^(?:A 200 verified body=40000 PUT /t18/[13] [^\n]*\n){2}$

=== TEST 20: the same, unbuffered
--- config
    s3_verify_payload on;
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- frames
PUT /t20/1 body=$x40k
PUT /t20/2 body=$x40k sent=$other40k
PUT /t20/3 body=$x40k announced=none
PUT /t20/4 body=$x40k sent=$other40k announced=none
--- access_log
HTTP/2.0 PUT /t20/1 200 -
HTTP/2.0 PUT /t20/2 400 XAmzContentSHA256Mismatch
HTTP/2.0 PUT /t20/3 200 -
HTTP/2.0 PUT /t20/4 400 XAmzContentSHA256Mismatch

=== TEST 21: the origin has no more than a part of the wrong bodies
--- unsigned: GET /_log/t20
--- response_body_like: ^(?:A 200 verified body=40000 PUT /t20/[13] [^\n]*\n|A reset unverified [^\n]* PUT /t20/[24] [^\n]*\n){2,4}$

=== TEST 22: a browser's form
--- http2
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; client_body_buffer_size 8k; }
--- form: POST /bucket file=$large
--- passed: A
--- response_body_like: auth form\n.*data 300000 

=== TEST 23: the same, unbuffered
--- http2
--- config
    client_body_buffer_size 1k;
$TEST_NGINX_UNBUFFERED
--- form: POST /bucket file=$large
--- passed: A
--- response_body_like: auth form\n.*data 300000 
--- no_error_log
temporary file

=== TEST 24: a form that is rejected is not in the way of the connection's next requests
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log line;
    location / { s3_resign on; proxy_pass http://origin_a; client_body_buffer_size 8k; }
--- frames
form POST /t24 file=$x50k tamper
form POST /t24 file=$x50k
GET /t24/3
--- access_log
HTTP/2.0 POST /t24 403 SignatureDoesNotMatch
HTTP/2.0 POST /t24 200 -
HTTP/2.0 GET /t24/3 200 -

=== TEST 25: unbuffered: forms of which the next frames come late, one of them without a length, and bad ones among them
--- config
    access_log logs/access.log line;
    client_body_buffer_size 1k;
$TEST_NGINX_UNBUFFERED
--- frames
form POST /t25 file=$x50k
form POST /t25 file=$x50k more=$up_to_20k
form POST /t25 file=$x50k announced=none
form POST /t25 file=$x50k more=$above_50k
form POST /t25 file=$x50k tamper
form POST /t25 file=$x50k
form POST /t25 file=$x50k
GET /t25/8
--- frames_delay: 0.01
--- access_log
HTTP/2.0 POST /t25 200 -
HTTP/2.0 POST /t25 400 EntityTooLarge
HTTP/2.0 POST /t25 200 -
HTTP/2.0 POST /t25 400 EntityTooSmall
HTTP/2.0 POST /t25 403 SignatureDoesNotMatch
HTTP/2.0 POST /t25 200 -
HTTP/2.0 POST /t25 200 -
HTTP/2.0 GET /t25/8 200 -

=== TEST 26: the origin has no more than a part of the bad forms
--- unsigned: GET /_log/t25
--- response_body_like: ^(?:A 200 verified body=5\d{4} POST [^\n]*\n|A reset unverified body=\S+ POST [^\n]*\n|A 200 verified body=0 GET [^\n]*\n){5,7}$

=== TEST 27: unbuffered: the origin has the beginning of a form while the client holds back the rest
--- config
    access_log logs/access.log line;
    client_body_timeout 60s;
$TEST_NGINX_UNBUFFERED
--- frames: form POST /t27 file=$x50k mock=A=partial:10000
--- frames_end_at: 20000
--- access_log
HTTP/2.0 POST /t27 502 InternalError

=== TEST 28: which is so much
--- unsigned: GET /_log/t27
--- response_body_like: ^A partial unverified body=\d{5} POST [^\n]*\n$

=== TEST 29: unbuffered: a form that is cut off, and one that is longer than announced
--- config
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- frames
form POST /t29 file=$x50k announced=-1
form POST /t29 file=$x50k announced=+1
form POST /t29 file=$x50k
--- access_log
HTTP/2.0 POST /t29 400 BadRequest
HTTP/2.0 POST /t29 400 BadRequest
HTTP/2.0 POST /t29 200 -

=== TEST 30: the origin has neither of the two as a whole
--- unsigned: GET /_log/t29
--- response_body_like: ^(?:A reset unverified [^\n]*\n){0,2}A 200 verified [^\n]*\n(?:A reset unverified [^\n]*\n){0,2}$

=== TEST 31: answers that are written again, and one that is no answer
--- http2
--- request eval: [map { "GET /t31/$_" } 1 .. 3]
--- more_headers eval
my $error = '<Error><Code>C</Code><AWSAccessKeyId>AKIDORIGINA</AWSAccessKeyId></Error>';
[map { h4(path => "/t31/$$_[0]") . $$_[1] } [1, whole('HTTP/1.1 403 X', $error)], [2, says('HTTP/1.1 403 X', ['a', 70000])],
    [3, says("HTTP/1.1 x\nLocation: http://$ENV{TEST_NGINX_A}/")]]
--- answers
403 ^<\?xml [^>]+>\n<Error><Code>C</Code></Error>$
403 error InternalError
502 error InternalError

=== TEST 32: a preflight, which has no body, whether a length is announced or not
--- config
    access_log logs/access.log line;
$TEST_NGINX_UNBUFFERED
--- frames
unsigned OPTIONS /t32/1 body=hello
    Host: localhost
    Origin: https://app.example
    Access-Control-Request-Method: PUT
unsigned OPTIONS /t32/2 body=hello announced=none
    Host: localhost
    Origin: https://app.example
    Access-Control-Request-Method: PUT
unsigned OPTIONS /t32/3
    Host: localhost
    Origin: https://app.example
    Access-Control-Request-Method: PUT
--- access_log
HTTP/2.0 OPTIONS /t32/1 403 AccessDenied
HTTP/2.0 OPTIONS /t32/2 403 AccessDenied
HTTP/2.0 OPTIONS /t32/3 200 -

=== TEST 33: the origin heard of the last one only
--- unsigned: GET /_log/t32
--- response_body_like: ^A 200 unverified body=0 OPTIONS /t32/3 [^\n]*\n$

=== TEST 34: PUT that the origin rejects before it has all of it
--- http2
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_ab; }
--- signed
PUT /t34/key body=$huge mock=A=early:412
    content-type: a/b
    if-none-match: *
unsigned GET /_log/t34
--- answers
412
200 ^A early-412 [^\n]*\n$

=== TEST 35: unbuffered: a body that the origin rejects is not in the way of the connection's next requests
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log line;
    location / { s3_resign on; proxy_pass http://origin_a; proxy_request_buffering off; }
--- frames
PUT /t35/1 body=$x50k mock=A=early:412
PUT /t35/2 body=hello
GET /t35/3
--- frames_delay: 0.01
--- access_log
HTTP/2.0 PUT /t35/1 412 -
HTTP/2.0 PUT /t35/2 200 -
HTTP/2.0 GET /t35/3 200 -

=== TEST 36: paths that leave the root
--- config
    $TEST_NGINX_CLIENT
    access_log logs/access.log line;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- frames
GET /bucket/../../key
GET /bucket/%2e%2e/%2e%2e?list-type=2
GET /../key
GET /bucket/../../%zz
--- access_log
HTTP/2.0 GET  400 400
HTTP/2.0 GET  400 400
HTTP/2.0 GET  400 InvalidURI
HTTP/2.0 GET  400 InvalidURI
