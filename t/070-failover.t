# proxy_next_upstream: each try is signed for the peer that it goes to, and each
# peer receives one whole request a try.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

# A location to origin A with backup B.
sub ab {
    return "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://origin_ab; $_[0] }";
}
# More than the sockets hold: an origin that closes has not read it.
our $huge = 'x' x (6 << 20);
our $keepalive = 'proxy_http_version 1.1; proxy_set_header Connection "";';

# Failures of A do not take it out of use.
$ENV{TEST_NGINX_PATIENT} = <<"END";
    upstream u {
        server $ENV{TEST_NGINX_A} max_fails=0; server $ENV{TEST_NGINX_B} backup;
        s3_origin $ENV{TEST_NGINX_A} $ENV{TEST_NGINX_CRED_A}; s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B};
        keepalive 1;
    }
END

prepare();
run_tests();

__DATA__

=== TEST 1: A closes without an answer
--- signed
GET /t1/key mock=A=close
unsigned GET /_log/t1
--- config eval: ab('')
--- answers
200 ^origin B\nverified yes\nauth header\nkey AKIDORIGINB\nregion eu-central-1\n
200 ^A close .*\nB 200 verified body=0 GET /t1/key HTTP/1\.[01]\n$

=== TEST 2: A answers 503, with proxy_next_upstream http_503; A's signature was right too
--- config eval: ab('proxy_next_upstream error http_503;')
--- signed
GET /t2/key mock=A=503
unsigned GET /_log/t2
--- answers
200 ^origin B\nverified yes
200 ^A 503 verified body=0 GET /t2/key .*\nB 200 verified body=0 GET /t2/key HTTP/1\.[01]\n$

=== TEST 3: presigned
--- config eval: ab('')
--- presigned: GET /bucket/key?versionId=1 mock=A=close
--- passed: B
--- response_body_like: auth query\nkey AKIDORIGINB\nregion eu-central-1\n(?!.*AKIDORIGINA)(?!.*us-east-1)

=== TEST 4: nobody listens at A
--- http_config
    upstream u {
        server $TEST_NGINX_DEAD; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; }
--- signed: 3x PUT /bucket/key body=hello
--- answers: 3x 200 ^origin B\nverified yes.*body 5 2cf24dba

=== TEST 5: three peers, two fail
--- http_config
    upstream u {
        server $TEST_NGINX_A; server $TEST_NGINX_B; server $TEST_NGINX_C;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B; s3_origin $TEST_NGINX_C $TEST_NGINX_CRED_C;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; proxy_next_upstream error http_500; }
--- signed
GET /t5/key mock=A=500,B=drop
unsigned GET /_log/t5
--- answers
200 ^origin C\nverified yes.*(?i:x-amz-security-token): ToKeN
200 ^A 500 verified .*\nB drop .*\nC 200 verified body=0 GET /t5/key HTTP/1\.[01]\n$

=== TEST 6: C first: its token goes no further
--- http_config
    upstream u {
        server $TEST_NGINX_C; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B; s3_origin $TEST_NGINX_C $TEST_NGINX_CRED_C;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; }
--- presigned
signed GET /bucket/key mock=C=close
GET /bucket/key mock=C=close
--- answers: 2x 200 ^(?!.*ToKeN)origin B\nverified yes

=== TEST 7: PUT with a body in memory
--- config eval: ab('proxy_next_upstream error http_503;')
--- signed
PUT /t7/key body=hello mock=A=503
unsigned GET /_log/t7
--- answers
200 ^origin B\nverified yes.*\nbody 5 2cf24dba
200 ^A 503 verified body=5 PUT .*\nB 200 verified body=5 PUT /t7/key HTTP/1\.[01]\n$

=== TEST 8: PUT with a body in a file, after A has taken a part of it
--- config eval: ab('client_body_buffer_size 16k; ' . $keepalive)
--- request eval: ["PUT /t8/key\n" . 'x' x 500_000, 'GET /_log/t8']
--- more_headers eval: [h4(path => '/t8/key', method => 'PUT', body => 'x' x 500_000) . "X-Mock: A=partial:70000\n", '']
--- error_code eval: [200, 200]
--- response_body_like eval
["^origin B\nverified yes.*\nbody 500000 ", "^A partial unverified body=\\d+ PUT .*\nB 200 verified body=500000 PUT /t8/key HTTP/1\\.1\n\$"]

=== TEST 9: PUT with a body in memory, after A has taken a part of it
--- config eval: ab('client_body_buffer_size 1m; ' . $keepalive)
--- request eval: ["PUT /t9/key\n" . 'x' x 500_000, 'GET /_log/t9']
--- more_headers eval: [h4(path => '/t9/key', method => 'PUT', body => 'x' x 500_000) . "X-Mock: A=partial:10\n", '']
--- error_code eval: [200, 200]
--- response_body_like eval
["^origin B\nverified yes.*\nbody 500000 ", "^A partial .*\nB 200 verified body=500000 PUT /t9/key HTTP/1\\.1\n\$"]

=== TEST 10: an unbuffered body, once begun, is not sent again
--- config eval: ab('proxy_request_buffering off; ' . $keepalive)
--- request eval: ["PUT /t10/key\n" . 'x' x 500_000, 'GET /_log/t10']
--- more_headers eval: [h4(path => '/t10/key', method => 'PUT', body => 'x' x 500_000) . "X-Mock: A=partial:10\n", '']
--- answers
502 InternalError
200 ^A partial unverified body=\d+ PUT /t10/key HTTP/1.1\n$

=== TEST 11: an unbuffered body goes to B when A cannot be connected to
--- http_config
    upstream u {
        server $TEST_NGINX_DEAD; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; proxy_request_buffering off; proxy_http_version 1.1; }
--- request eval: "PUT /bucket/key\n" . 'x' x 500_000
--- more_headers eval: h4(method => 'PUT', body => 'x' x 500_000)
--- passed: B
--- response_body_like: body 500000

=== TEST 12: POST is not sent twice, unless non_idempotent says so
--- config eval
ab('') . "location /twice { s3_resign on; proxy_pass http://origin_ab; proxy_next_upstream error non_idempotent; }"
--- signed
POST /t12/key?uploads body=x mock=A=drop
unsigned GET /_log/t12
POST /twice/key?uploads body=x mock=A=drop
--- error_code eval: [502, 200, 200]
--- response_body_like eval: ['InternalError', "^A drop [^\n]+\n\$", "^origin B\nverified yes.*body 1 "]

=== TEST 13: all fail
--- config eval: ab('')
--- signed
GET /t13/key mock=A=close,B=close
unsigned GET /_log/t13
--- answers
502 InternalError
200 ^A close .*\nB close [^\n]+\n$

=== TEST 14: a timeout
--- config eval: ab('proxy_read_timeout 200ms;')
--- signed: GET /bucket/key mock=A=delay:5
--- passed: B

=== TEST 15: on kept-alive connections: a connection that dies under the request
--- http_config
    upstream u {
        server $TEST_NGINX_A; server $TEST_NGINX_B backup; keepalive 4;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config eval
"$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://u; $keepalive }"
--- signed
GET /t15/1
PUT /t15/2 body=hello mock=A=drop
GET /t15/3 mock=A=close
unsigned GET /_log/t15
--- answers
200 ^origin A\nverified yes
200 ^origin [AB]\nverified yes.*\nbody 5 2cf24dba
200 ^origin B\nverified yes
200 ^(?!.*GARBAGE)(?!.*(?:incomplete|reset))

=== TEST 16: the same peer twice: another address of one server line
--- http_config
    upstream u {
        server 127.0.0.1:$TEST_NGINX_PORT_B; server 127.0.0.2:$TEST_NGINX_PORT_B backup;
        s3_origin default $TEST_NGINX_CRED_B host=b.example.com;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; }
--- signed
GET /t16/key mock=B=close
unsigned GET /_log/t16
--- answers
502 InternalError
200 ^B close [^\n]+\nB close [^\n]+\n$

=== TEST 17: HEAD
--- config eval: ab('')
--- signed: HEAD /bucket/key mock=A=close
--- passed: B

=== TEST 18: V2 at the front, V4 at each try
--- config eval: 's3_signature_v2 on;' . ab('')
--- presigned_v2: GET /bucket/key mock=A=close
--- passed: B

=== TEST 19: virtual addressing at A, path addressing at B
--- http_config
    upstream u {
        server $TEST_NGINX_A; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A host=a.example.com addressing=virtual;
        s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B host=b.example.com;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; proxy_next_upstream http_503; }
--- signed
GET /bucket/t19/key
GET /bucket/t19/key mock=A=503
unsigned GET /_log/t19
unsigned GET /_log/bucket/t19
--- answers
200 ^origin A\nverified yes.*header [Hh]ost: bucket\.a\.example\.com\n
200 ^origin B\nverified yes.*line GET /bucket/t19/key HTTP.*header [Hh]ost: b\.example\.com\n
200 ^A 200 verified .*\nA 503 verified [^\n]*\n$
200 ^B 200 verified [^\n]*\n$

=== TEST 20: an anonymous request fails over unsigned
--- config eval: 's3_anonymous on;' . ab('')
--- request
GET /bucket/key
--- more_headers
X-Mock: A=close
--- response_headers
X-Origin: B
X-Verified: no: not signed

=== TEST 21: what an origin says before it has all of a body, and closes
--- location: client_max_body_size 0; proxy_http_version 1.1;
--- signed
2x PUT /t21/key body=$huge mock=A=early:412
upload PUT /t21/key kind=unsigned body=$huge mock=A=early:403
--- answers
2x 412
403

=== TEST 22: the same with bodies that stream
--- location: client_max_body_size 0; proxy_http_version 1.1; proxy_request_buffering off;
--- signed
PUT /t22/key body=$huge mock=A=early:412
upload PUT /t22/key kind=unsigned body=$huge mock=A=early:403
--- answers
412
403

=== TEST 23: a condition that the first origin has judged
--- http_config
$TEST_NGINX_PATIENT
--- config eval: ab('client_max_body_size 0;') =~ s/origin_ab/u/r
--- signed
2x PUT /t23/key body=$huge mock=A=early:412
    If-None-Match: *
PUT /t23/key body=hello mock=A=drop
    If-None-Match: *
PUT /t23/key body=hello mock=A=partial:2
    If-Match: "etag"
POST /t23/key?uploadId=1 body=x mock=A=drop
    If-None-Match: *
DELETE /t23/key mock=A=drop
    x-amz-if-match-size: 5
unsigned GET /_log/t23
--- answers
2x 412
4x 502
200 ^(?:A [^\n]*\n)+$

=== TEST 24: without one it is tried again
--- config eval: ab('client_max_body_size 0;')
--- signed
PUT /t24/key body=hello mock=A=drop
DELETE /t24/key mock=A=drop
GET /t24/key mock=A=drop
    If-Match: "etag"
--- answers: 3x 200 ^origin B\nverified yes

=== TEST 25: and with one, if the origin has heard nothing of it
--- http_config
    upstream u {
        server $TEST_NGINX_DEAD; server $TEST_NGINX_B backup;
        s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; }
--- signed
2x PUT /t25/key body=hello
    If-None-Match: *
--- answers: 2x 200 ^origin B\nverified yes

=== TEST 26: the first origin's own answer comes through
--- config eval: ab('proxy_next_upstream error http_503 http_404 http_403;')
--- signed
PUT /t26/key body=hello mock=A=503
    If-None-Match: *
PUT /t26/key body=hello mock=A=404:NoSuchUpload
    If-Match: "etag"
PUT /t26/key body=hello mock=A=503
unsigned GET /_log/t26
--- answers
503
404 <Code>NoSuchUpload<
200 ^origin B
200 ^A 503 [^\n]*\nA 404 [^\n]*\nA 503 [^\n]*\nB 200

=== TEST 27: a connection that was closed meanwhile is no try
--- http_config
$TEST_NGINX_PATIENT
--- config eval
"$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://u; $::keepalive }"
--- signed
GET /t27/key mock=A=bye
4x PUT /t27/key body=hello mock=A=bye
    If-None-Match: *
--- answers: 5x 200 ^origin A\nverified yes

=== TEST 28: a connection on which an origin says 499 is not used again
--- http_config
    upstream u { server $TEST_NGINX_A; s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; keepalive 1; }
--- config eval
"$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://u; $::keepalive }"
--- signed
GET /t28/key
GET /t28/key mock=A=499
GET /t28/key
GET /t28/key
--- answers
200 ^origin A\n.*request 1\n
499
200 ^origin A\n.*request 1\n
200 ^origin A\n.*request 2\n

=== TEST 29: an origin that says 200 before it has all of a body has not stored it
--- location: client_max_body_size 0; proxy_http_version 1.1;
--- signed
PUT /t29/key body=$huge mock=A=early:200
upload PUT /t29/key kind=unsigned body=$huge mock=A=early:200
PUT /t29/key body=hello mock=A=early:200
--- answers
502 InternalError
502 InternalError
200 ^origin A

=== TEST 30: the last origin's answer comes through, though the first had closed a connection that was kept
--- http_config
    upstream u {
        server $TEST_NGINX_A; server $TEST_NGINX_B backup; keepalive 4;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config eval
"$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://u; proxy_next_upstream error http_503; $::keepalive }"
--- signed
GET /t30/key
PUT /t30/key body=hello mock=A=drop,B=503:SlowDown
--- answers
200 ^origin A
503 <Code>SlowDown<
