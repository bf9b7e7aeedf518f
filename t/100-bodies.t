# Request bodies: buffered in memory and in files, unbuffered, chunked; they
# stream through untouched, and a signed hash is passed on for the origin to
# check.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_KEPT} = 'proxy_http_version 1.1; proxy_set_header Connection "";';
$ENV{TEST_NGINX_UNBUFFERED} = "proxy_request_buffering off; $ENV{TEST_NGINX_KEPT}";
our $large = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 1_000_000;
our $medium = substr $large, 0, 60_000;
our $small = substr $large, 0, 5_000;
our $hash = Digest::SHA::sha256_hex($large);

prepare();
run_tests();

__DATA__

=== TEST 1: no body
--- signed
PUT /bucket/key
    content-length: 0
--- passed: A
--- response_body_like: header Content-Length: 0\n.*body 0 e3b0c442

=== TEST 2: in memory
--- location: client_body_buffer_size 2m;
--- signed: PUT /bucket/key body=$large
--- passed: A
--- answers: 200 body 1000000 $hash

=== TEST 3: in a file
--- location: client_body_buffer_size 8k;
--- signed: PUT /bucket/key body=$large
--- passed: A
--- answers: 200 body 1000000 $hash

=== TEST 4: in a file, by sendfile
--- location: client_body_in_file_only clean; sendfile on;
--- signed: PUT /bucket/key body=$large
--- passed: A
--- answers: 200 body 1000000 $hash

=== TEST 5: unbuffered
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /bucket/key body=$large
--- passed: A
--- answers: 200 body 1000000 $hash

=== TEST 6: unbuffered, in pieces with pauses
--- location: $TEST_NGINX_UNBUFFERED
--- request eval
[["PUT /bucket/key\n" . 'a' x 10, map { { value => 'b' x 1000, delay_before => 0.02 } } 1 .. 5]]
--- more_headers eval: [h4(method => 'PUT', body => 'a' x 10 . 'b' x 5000)]
--- passed: A
--- response_body_like: body 5010

=== TEST 7: unbuffered, presigned
--- location: $TEST_NGINX_UNBUFFERED
--- presigned: PUT /bucket/key sent=$large
--- passed: A
--- answers: 200 body 1000000 $hash

=== TEST 8: buffered, in chunks
--- signed: PUT /bucket/key body=$large te=7777
--- passed: A
--- answers: 200 header Content-Length: 1000000\n.*body 1000000 $hash

=== TEST 9: unbuffered, in chunks
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /bucket/key body=$large te=7777
--- passed: A
--- answers: 200 header Transfer-Encoding: chunked\n.*body 1000000 $hash

=== TEST 10: UNSIGNED-PAYLOAD
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /bucket/key payload=UNSIGNED-PAYLOAD sent=$large
--- passed: A
--- answers: 200 header (?i:x-amz-content-sha256): UNSIGNED-PAYLOAD\n.*body 1000000 $hash

=== TEST 11: another body than the signed one: the origin is told its hash
--- signed: PUT /bucket/key body=hello sent=hallo
--- response_headers
X-Verified: no: the body is not the one signed

=== TEST 12: Content-MD5 goes along
--- signed
PUT /bucket/key body=hello
    unsigned Content-MD5: XUFAKrxLKna5cZ2REBfFkg==
--- passed: A
--- response_body_like: signed content-md5;host

=== TEST 13: aws-chunked uploads whose signature is not in a header: no chain can begin with it
--- presigned
PUT /bucket/key payload=STREAMING-UNSIGNED-PAYLOAD-TRAILER sent=hello
    x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER
--- refused: 501 NotImplemented

=== TEST 14: Expect: 100-continue, and the body after it
--- signed
PUT /bucket/key body=hello pieces=head
    expect: 100-continue
--- raw_request_middle_delay: 0.05
--- answers: 100 ^HTTP/1\.1 200 .*verified yes.*body 5 2cf24dba

=== TEST 15: Expect, unbuffered
--- location: $TEST_NGINX_UNBUFFERED
--- signed
PUT /bucket/key body=hello pieces=head
    unsigned expect: 100-continue
--- raw_request_middle_delay: 0.05
--- answers: 100 ^HTTP/1\.1 200 .*verified yes.*body 5 2cf24dba

=== TEST 16: client_max_body_size is nginx's business, and the answer S3's
--- location: client_max_body_size 10;
--- signed: PUT /bucket/key body=xxxxxxxxxxx
--- refused: 400 EntityTooLarge
--- no_error_log
connect to 127.0.0.1

=== TEST 17: a client that leaves in the middle, unbuffered
--- location: $TEST_NGINX_UNBUFFERED
--- init: leave('/t17', raw('PUT /t17/key', h4(path => '/t17/key', method => 'PUT', body => 'hello' x 1000) . "Content-Length: 5000\n", 'hello'))
--- unsigned: GET /_log/t17
--- answers: 200 ^A reset unverified body=5 [^\n]*\n$

=== TEST 18: GET with a body
--- signed: GET /bucket/key body=hello
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 19: DeleteObjects: POST with a body and a query
--- signed
POST /bucket?delete body=<Delete></Delete>
    content-md5: x
    content-type: application/xml
--- passed: A
--- response_body_like: line POST /bucket\?delete= HTTP.*body 17 

=== TEST 20: several uploads on one connection to the origin
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 2; s3_origin default $TEST_NGINX_CRED_A; }
--- location: proxy_pass http://u; $TEST_NGINX_UNBUFFERED
--- signed
PUT /t20/1 body=$large
PUT /t20/2 body=hello
PUT /t20/3 body=$large
unsigned GET /_log/t20
--- answers
200 verified yes.*request 1\n
200 verified yes.*request 2\n
200 verified yes.*request 3\n
200 ^A 200 verified body=1000000 .*\nA 200 verified body=5 .*\nA 200 verified body=1000000 [^\n]*\n$

=== TEST 21: unbuffered, in full packets where more is at hand
--- skip_eval: 6: S3Test::lacks('http_auth_request_module')
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        auth_request /late;
        proxy_set_header Connection close;    # what is counted is a connection's
        proxy_pass http://origin_a;
        $TEST_NGINX_UNBUFFERED
    }
    location = /late {
        internal;
        proxy_set_header X-Mock A=delay:0.5;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_pass http://$TEST_NGINX_A;
    }
--- signed
PUT /bucket/key body=$medium                            => 200 segments [1-5]\n.*body 60000
upload PUT /bucket/key kind=unsigned body=$medium       => 200 segments [1-5]\n.*data 60000
upload PUT /bucket/key kind=signed body=$medium         => 200 segments [1-5]\n.*data 60000

=== TEST 22: buffered, in one packet, however many frames there are
--- http_config
    upstream kept { server $TEST_NGINX_A; keepalive 2; s3_origin default $TEST_NGINX_CRED_A; }
--- location: client_body_buffer_size 1k; proxy_pass http://kept; $TEST_NGINX_KEPT
--- signed
upload PUT /bucket/1 kind=unsigned body=$small
upload PUT /bucket/2 kind=signed body=$small
upload PUT /bucket/3 kind=unsigned body=$small
upload PUT /bucket/4 kind=signed body=$small
upload PUT /bucket/5 kind=unsigned body=$small
upload PUT /bucket/6 kind=signed body=$small
upload PUT /bucket/7 kind=unsigned body=$small
upload PUT /bucket/8 kind=signed body=$small
--- answers
200 verified yes
200 verified yes
200 verified yes
200 verified yes
200 verified yes
200 verified yes
200 verified yes
200 verified yes.*request 8\nsegments (?:[89]|1[01])\n.*data 5000

=== TEST 23: in a file, in full packets
--- http_config
    upstream kept { server $TEST_NGINX_A; keepalive 2; s3_origin default $TEST_NGINX_CRED_A; }
--- location: client_body_buffer_size 8k; proxy_pass http://kept; $TEST_NGINX_KEPT
--- signed
PUT /bucket/1 body=$large
PUT /bucket/2 body=$large
PUT /bucket/3 body=$large
PUT /bucket/4 body=$large
PUT /bucket/5 body=$large
PUT /bucket/6 body=$large
PUT /bucket/7 body=$large
PUT /bucket/8 body=$large
--- answers
7x 200 verified yes
200 verified yes.*request 8\nsegments 1[2-6]\d\n.*body 1000000 $hash
