# s3_verify_payload: the hash that a client signed for its body is checked here
# too, and the origin must not get the whole of another body.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

our $large  = join '', map { chr(33 + $_ * 7919 % 90) } 1 .. 300_000;
our $wrong  = substr($large, 0, -1) . '!';
our $longer = "${large}x";
our ($hash, $hash_of_hello, $hash_of_x) = map { Digest::SHA::sha256_hex($_) } $large, 'hello', 'x';

$ENV{TEST_NGINX_HASH} = $hash_of_hello;
$ENV{TEST_NGINX_UNBUFFERED} = 'proxy_request_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";';

prepare();
run_tests();

__DATA__

=== TEST 1: the right bodies, in memory
--- server: s3_verify_payload on;
--- location: client_body_buffer_size 2m;
--- signed: PUT /bucket/key body={$large,hello,x} te={0,5000}
--- answers
2x 200 verified yes\n.*body 300000 $hash
2x 200 verified yes\n.*body 5 $hash_of_hello
2x 200 verified yes\n.*body 1 $hash_of_x

=== TEST 2: in a file
--- server: s3_verify_payload on;
--- location: client_body_buffer_size 8k;
--- signed: PUT /bucket/key body={$large,hello,x} te={0,5000}
--- answers
2x 200 verified yes\n.*body 300000 $hash
2x 200 verified yes\n.*body 5 $hash_of_hello
2x 200 verified yes\n.*body 1 $hash_of_x

=== TEST 3: in a file always, by sendfile
--- server: s3_verify_payload on;
--- location: client_body_in_file_only clean; sendfile on;
--- signed: PUT /bucket/key body={$large,hello,x} te={0,5000}
--- answers
2x 200 verified yes\n.*body 300000 $hash
2x 200 verified yes\n.*body 5 $hash_of_hello
2x 200 verified yes\n.*body 1 $hash_of_x

=== TEST 4: unbuffered
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /bucket/key body={$large,hello,x} te={0,5000}
--- answers
2x 200 verified yes\n.*body 300000 $hash
2x 200 verified yes\n.*body 5 $hash_of_hello
2x 200 verified yes\n.*body 1 $hash_of_x

=== TEST 5: unbuffered, byte by byte
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /bucket/key body=hello pieces=300,1
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 6: and in chunks
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /bucket/key body=hello te=2 pieces=300,1
--- raw_request_middle_delay: 0.002
--- passed: A
--- response_body_like: body 5 2cf24dba

=== TEST 7: the wrong ones: another end, a shorter one, another byte
--- server: s3_verify_payload on;
--- location: client_body_buffer_size 2m;
--- signed
PUT /bucket/key te={0,5000} body=$large sent=$wrong
PUT /bucket/key te={0,5000} body=$longer sent=$large
PUT /bucket/key te={0,5000} body=x sent=y
--- answers: 6x 400 error XAmzContentSHA256Mismatch
--- no_error_log
connect to 127.0.0.1

=== TEST 8: from a file
--- server: s3_verify_payload on;
--- location: client_body_buffer_size 8k;
--- signed
PUT /bucket/key te={0,5000} body=$large sent=$wrong
PUT /bucket/key te={0,5000} body=$longer sent=$large
PUT /bucket/key te={0,5000} body=x sent=y
--- answers: 6x 400 error XAmzContentSHA256Mismatch
--- no_error_log
connect to 127.0.0.1

=== TEST 9: from a file always
--- server: s3_verify_payload on;
--- location: client_body_in_file_only clean; sendfile on;
--- signed
PUT /bucket/key te={0,5000} body=$large sent=$wrong
PUT /bucket/key te={0,5000} body=$longer sent=$large
PUT /bucket/key te={0,5000} body=x sent=y
--- answers: 6x 400 error XAmzContentSHA256Mismatch
--- no_error_log
connect to 127.0.0.1

=== TEST 10: unbuffered: it comes out late
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /late/key te={0,5000} body=$large sent={$wrong,$longer}
--- answers: 4x 400 error XAmzContentSHA256Mismatch

=== TEST 11: and the origin lacks the end
--- request
GET /_log/late
--- response_body_like: ^(?:A reset unverified [^\n]*\n){4}$

=== TEST 12: no body: nothing to verify
--- server: s3_verify_payload on;
--- signed
{GET,HEAD,DELETE,PUT} /bucket/key
{GET,HEAD,DELETE,PUT} /bucket/key
    unsigned Content-Length: 0
--- answers: 8x 200
--- response_headers eval: [("X-Verified: yes") x 8]

=== TEST 13: an empty one
--- server: s3_verify_payload on;
--- signed: PUT /bucket/key body="" te=1
--- error_code: 200
--- response_body_like: verified yes\n.*body 0 

=== TEST 14: an empty one, unbuffered
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /bucket/key body="" te=1
--- error_code: 200
--- response_body_like: verified yes\n.*body 0 

=== TEST 15: no body where one is signed
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- signed
{GET,DELETE,PUT} /bucket/key body=x sent=""
{GET,DELETE,PUT} /bucket/key body=x sent=""
    unsigned Content-Length: 0
--- answers: 6x 400 error XAmzContentSHA256Mismatch
--- no_error_log
connect to 127.0.0.1

=== TEST 16: an empty one where one is signed
--- server: s3_verify_payload on;
--- signed: PUT /lacking/key body=x sent="" te=1
--- refused: 400 XAmzContentSHA256Mismatch

=== TEST 17: the same, unbuffered, when the head may be gone already
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- signed: PUT /lacking/key body=x sent="" te=1 pieces=head
--- raw_request_middle_delay: 0.3
--- answers: 400 <Code>XAmzContentSHA256Mismatch<.*<ClientComputedContentSHA256>2d711642b726b044.*<S3ComputedContentSHA256>e3b0c44298fc1c14

=== TEST 18: which is no request
--- request
GET /_log/lacking
--- response_body_like: ^A reset unverified [^\n]*\n$

=== TEST 19: one body sent for another, off by default: the origin is told the hash
--- signed: PUT /bucket/key body=hello sent=hallo
--- error_code: 200
--- response_headers
X-Verified: no: the body is not the one signed

=== TEST 20: a location turns off what its server turned on, and the other way round
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_verify_payload on;
    location / { proxy_pass http://origin_a; s3_verify_payload off; }
    location /on { proxy_pass http://origin_a; }
--- signed: PUT /{bucket,on}/key body=hello sent=hallo
--- answers
200 the body is not the one signed
400 error XAmzContentSHA256Mismatch

=== TEST 21: other payloads are as they were
--- server: s3_verify_payload on;
--- signed
PUT /bucket/key payload=UNSIGNED-PAYLOAD body=hello
upload PUT /bucket/key kind={signed,unsigned} body=$large
--- answers
200 verified yes.*body 5 2cf24dba
2x 200 verified yes.*data 300000 $hash

=== TEST 22: presigned with a hash
--- server: s3_verify_payload on;
--- presigned
PUT /bucket/key?X-Amz-Content-Sha256=$TEST_NGINX_HASH payload=$TEST_NGINX_HASH sent={hello,hallo}
PUT /bucket/key sent={hello,hallo}
    x-amz-content-sha256: $TEST_NGINX_HASH
--- answers
200 body 5 2cf24dba
400 error XAmzContentSHA256Mismatch
200 body 5 2cf24dba
400 error XAmzContentSHA256Mismatch

=== TEST 23: presigned without one
--- server: s3_verify_payload on;
--- presigned: PUT /bucket/key sent=hallo
--- passed: A
--- response_body_like: body 5 

=== TEST 24: whatever the method
--- server: s3_verify_payload on;
--- signed
{GET,POST} /bucket/?delete body=<Delete/>
{GET,POST} /bucket/?delete body=<Delete/> sent=<delete/>
--- answers
2x 200 body 9 [0-9a-f]
2x 400 error XAmzContentSHA256Mismatch

=== TEST 25: a failed try is tried again
--- server: s3_verify_payload on;
--- location: proxy_pass http://origin_ab; client_body_buffer_size 8k;
--- signed: PUT /bucket/key te={0,5000} body=$large mock=A={partial:70000,drop}
--- answers: 4x 200 ^origin B\nverified yes\n.*body 300000 $hash

=== TEST 26: unbuffered, where nobody took it
--- http_config
    upstream u {
        server $TEST_NGINX_DEAD; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- server: s3_verify_payload on;
--- location: proxy_pass http://u; $TEST_NGINX_UNBUFFERED
--- signed: PUT /bucket/key body={$large,hello,x} te={0,5000}
--- answers
2x 200 ^origin B\n.*verified yes\n.*body 300000 $hash
2x 200 ^origin B\n.*verified yes\n.*body 5 $hash_of_hello
2x 200 ^origin B\n.*verified yes\n.*body 1 $hash_of_x

=== TEST 27: after a rejected body the connection to the origin is not used again
--- http_config
    upstream u { server $TEST_NGINX_A; keepalive 1; s3_origin default $TEST_NGINX_CRED_A; }
--- server: s3_verify_payload on;
--- location: proxy_pass http://u; $TEST_NGINX_UNBUFFERED
--- signed: PUT /poison/key te={0,5000} body=$large sent={$large,$large,$wrong,$large}
--- answers
200 request 1\n.*body 300000 $hash
200 request 2\n.*body 300000 $hash
400 error XAmzContentSHA256Mismatch
200 request 1\n.*body 300000 $hash
200 request 2\n.*body 300000 $hash
200 request 3\n.*body 300000 $hash
400 error XAmzContentSHA256Mismatch
200 request 1\n.*body 300000 $hash

=== TEST 28: what the origin has seen of it
--- request
GET /_log/poison
--- response_body_like: ^(?:(?:A 200 verified [^\n]*\n){2}A reset unverified [^\n]*\nA 200 verified [^\n]*\n){2}$

=== TEST 29: Expect: 100-continue
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- signed
PUT /bucket/key body=hello pieces=head
    unsigned Expect: 100-continue
--- raw_request_middle_delay: 0.05
--- answers: 100 ^HTTP/1\.1 200 .*verified yes.*body 5 2cf24dba

=== TEST 30: Expect, and the wrong body
--- server: s3_verify_payload on;
--- signed
PUT /bucket/key body=hello sent=hallo pieces=head
    unsigned Expect: 100-continue
--- raw_request_middle_delay: 0.05
--- answers: 100 ^HTTP/1\.1 400 .*<Code>XAmzContentSHA256Mismatch<
--- no_error_log
connect to 127.0.0.1

=== TEST 31: no 100 Continue for a request without a body
--- server: s3_verify_payload on;
--- signed
PUT /bucket/key body=hello sent=""
    unsigned Expect: 100-continue
    unsigned Content-Length: 0
--- refused: 400 XAmzContentSHA256Mismatch

=== TEST 32: answered in the style of s3_errors, whatever error_page says, and noted
--- http_config
    log_format errors '$status $s3_error $s3_access_key $s3_auth';
--- server: s3_verify_payload on;
--- location: s3_errors s3proxy; error_page 400 /other; access_log logs/access.log errors;
--- signed: PUT /bucket/key body=hello sent=hallo
--- response_headers
Content-Type: application/json
--- answers: 400 ^\{"error": "The provided 'x-amz-content-sha256' header
--- access_log
400 XAmzContentSHA256Mismatch AKIDCLIENT v4-header
--- error_log
rejected XAmzContentSHA256Mismatch

=== TEST 33: a client that leaves in the middle: the origin has no more than a part
--- server: s3_verify_payload on;
--- location: $TEST_NGINX_UNBUFFERED
--- init: leave('/gone', raw('PUT /gone/key', h4(path => '/gone/key', method => 'PUT', body => $large) . "Content-Length: 300000\n") . substr $large, 0, 200_000)
--- request
GET /_log/gone
--- response_body_like: ^A reset unverified [^\n]*\n$

=== TEST 34: and buffered: it has nothing
--- server: s3_verify_payload on;
--- signed: PUT /gone/buffered body=$large first=200000
--- shutdown
--- ignore_response
--- error_log
client prematurely closed connection
--- no_error_log
connect to 127.0.0.1

=== TEST 35: once verified, another location may send it, one that signs and one that does not
--- config
    $TEST_NGINX_CLIENT
    s3_verify_payload on;
    location /       { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @on; }
    location /busy/  { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @off; }
    location @on     { s3_resign on; proxy_pass http://origin_b; }
    location @off    { s3_resign off; proxy_pass http://origin_b; }
--- signed: PUT /{bucket,busy}/key body=$large mock=A=503
--- answers
200 ^origin B\nverified yes.*body 300000 $hash
200 ^origin B\nverified no.*body 300000 $hash

=== TEST 36: one that was read where it was not verified is verified where it must be
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; proxy_intercept_errors on; error_page 503 = @strict; }
    location @strict { s3_resign on; s3_verify_payload on; proxy_pass http://origin_b; }
--- signed
PUT /busy/key body=$large mock=A=503             => 200 ^origin B\nverified yes.*body 300000 $hash
PUT /busy/key body=$large mock=A=503 sent=hello  => 400 error XAmzContentSHA256Mismatch

=== TEST 37: a body that nginx keeps in a file
--- server: s3_verify_payload on;
--- location: client_body_in_file_only clean;
--- signed: PUT /bucket/key body=hello sent={hello,hallo}
--- answers
200 body 5 2cf24dba
400 <Code>XAmzContentSHA256Mismatch<

=== TEST 38: more than client_max_body_size is nginx's business
--- server: s3_verify_payload on;
--- location: client_max_body_size 10;
--- signed: PUT /bucket/key body=x sent=xxxxxxxxxxx
--- refused: 400 EntityTooLarge
--- no_error_log
connect to 127.0.0.1
