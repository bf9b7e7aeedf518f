# Every kind of upstream: each balancer, backup, zone, keepalive, several
# addresses behind one server line, sockets, and proxy_pass to a host.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use Test::Nginx::Socket 'no_plan';

# An upstream "u" of A and B, and a location for it.
sub http {
    my ($lines, $params_a, $params_b) = map { $_ // '' } @_[0 .. 2];
    return <<"END";
    upstream u {
        $lines
        server $ENV{TEST_NGINX_A} $params_a;
        server $ENV{TEST_NGINX_B} $params_b;
        s3_origin $ENV{TEST_NGINX_A} $ENV{TEST_NGINX_CRED_A};
        s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B};
    }
END
}
$ENV{TEST_NGINX_U} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / {
        s3_resign on;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://u;
    }
END
$ENV{TEST_NGINX_SOCKET} = "/tmp/s3-resign-t-$$.sock";
our $at_a = $ENV{TEST_NGINX_A};

prepare();
run_tests();

__DATA__

=== TEST 1: round robin
--- http_config eval: http()
--- config
$TEST_NGINX_U
--- signed: 4x GET /bucket/key
--- answers
200 ^origin A\nverified yes
200 ^origin B\nverified yes
200 ^origin A\nverified yes
200 ^origin B\nverified yes

=== TEST 2: s3_origin before the server lines, and server lines after
--- http_config
    upstream u {
        s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
        server $TEST_NGINX_A;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;
        server $TEST_NGINX_B;
    }
--- config
$TEST_NGINX_U
--- signed: 2x GET /bucket/key
--- answers
200 ^origin A\nverified yes
200 ^origin B\nverified yes

=== TEST 3: s3_origin default, and one server with its own
--- http_config
    upstream u {
        server $TEST_NGINX_A;
        server $TEST_NGINX_B;
        s3_origin default $TEST_NGINX_CRED_A;
        s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
    }
--- config
$TEST_NGINX_U
--- signed: 2x GET /bucket/key
--- answers
200 ^origin A\nverified yes
200 ^origin B\nverified yes

=== TEST 4: zone
--- http_config eval: http('zone u 64k;')
--- config
$TEST_NGINX_U
--- signed: 4x GET /bucket/key
--- answers
200 ^origin A\nverified yes
200 ^origin B\nverified yes
200 ^origin A\nverified yes
200 ^origin B\nverified yes

=== TEST 5: least_conn
--- http_config eval: http('least_conn;')
--- config
$TEST_NGINX_U
--- signed: 4x GET /bucket/key
--- answers: 4x 200 verified yes

=== TEST 6: least_conn with zone
--- http_config eval: http('least_conn; zone u 64k;')
--- config
$TEST_NGINX_U
--- signed: 4x GET /bucket/key
--- answers: 4x 200 verified yes

=== TEST 7: ip_hash
--- http_config eval: http('ip_hash;')
--- config
$TEST_NGINX_U
--- signed: 2x GET /bucket/key
--- answers: 2x 200 verified yes

=== TEST 8: hash by a variable of the module's
--- http_config eval: http('hash $s3_bucket/$s3_key;')
--- config
$TEST_NGINX_U
--- signed
GET /bucket/1
GET /bucket/2
GET /bucket/3
GET /bucket/4
GET /bucket/5
GET /bucket/6
GET /bucket/7
GET /bucket/8
--- answers: 8x 200 verified yes

=== TEST 9: hash, consistent
--- http_config eval: http('hash $request_uri consistent; zone u 64k;')
--- config
$TEST_NGINX_U
--- signed
GET /bucket/1
GET /bucket/2
GET /bucket/3
GET /bucket/4
GET /bucket/5
GET /bucket/6
GET /bucket/7
GET /bucket/8
--- answers: 8x 200 verified yes

=== TEST 10: random
--- http_config eval: http('random;')
--- config
$TEST_NGINX_U
--- signed: 6x GET /bucket/key
--- answers: 6x 200 verified yes

=== TEST 11: random two least_conn, with zone
--- http_config eval: http('zone u 64k; random two least_conn;')
--- config
$TEST_NGINX_U
--- signed: 6x GET /bucket/key
--- answers: 6x 200 verified yes

=== TEST 12: weight, max_fails and max_conns
--- http_config eval: http('zone u 64k;', 'weight=2 max_fails=3 fail_timeout=1s max_conns=100')
--- config
$TEST_NGINX_U
--- signed: 3x GET /bucket/key
--- answers: 3x 200 verified yes

=== TEST 13: down: the backup is signed for
--- http_config eval: http('', 'down', 'backup')
--- config
$TEST_NGINX_U
--- signed: GET /bucket/key
--- passed: B

=== TEST 14: down with zone
--- http_config eval: http('zone u 64k;', 'down', 'backup')
--- config
$TEST_NGINX_U
--- signed: GET /bucket/key
--- passed: B

=== TEST 15: keepalive: the second request of a connection is signed again
--- http_config eval: http('keepalive 8;', '', 'backup')
--- config
$TEST_NGINX_U
--- signed
GET /bucket/1
GET /bucket/2
PUT /bucket/3 body=hello
presigned GET /bucket/4
--- answers
200 ^origin A\nverified yes\n.*connection \d+ request 1\n.*line GET /bucket/1
200 ^origin A\nverified yes\n.*connection \d+ request 2\n.*line GET /bucket/2
200 ^origin A\nverified yes\n.*connection \d+ request 3\n.*line PUT /bucket/3
200 ^origin A\nverified yes\n.*connection \d+ request 4\n.*line GET /bucket/4

=== TEST 16: keepalive with two origins: no connection changes hands
--- http_config eval: http('keepalive 8;')
--- config
$TEST_NGINX_U
--- signed
GET /bucket/1
GET /bucket/2
GET /bucket/3
GET /bucket/4
GET /bucket/5
GET /bucket/6
--- answers
200 ^origin A\nverified yes\n.*connection \d+ request 1\n
200 ^origin B\nverified yes\n.*connection \d+ request 1\n
200 ^origin A\nverified yes\n.*connection \d+ request 2\n
200 ^origin B\nverified yes\n.*connection \d+ request 2\n
200 ^origin A\nverified yes\n.*connection \d+ request 3\n
200 ^origin B\nverified yes\n.*connection \d+ request 3\n

=== TEST 17: keepalive before and after another balancer
--- http_config eval: http('least_conn; keepalive 8; zone u 64k;')
--- config
$TEST_NGINX_U
--- signed
GET /bucket/1
GET /bucket/2
GET /bucket/3
GET /bucket/4
GET /bucket/5
GET /bucket/6
--- answers: 6x 200 verified yes

=== TEST 18: keepalive that the origin does not keep
--- http_config eval: http('keepalive 8;', '', 'backup')
--- config
$TEST_NGINX_U
--- signed
GET /bucket/1 mock=A=bye
GET /bucket/2 mock=A=bye
GET /bucket/3 mock=A=bye
--- answers: 3x 200 verified yes

=== TEST 19: proxy_pass to an address, with s3_origin in the location
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_origin $TEST_NGINX_CRED_A; proxy_pass http://$TEST_NGINX_A; }
--- signed: GET /bucket/key
--- passed: A
--- answers: 200 header [Hh]ost: \Q$at_a\E\n

=== TEST 20: two locations to one address, with different credentials
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location /a { s3_origin default $TEST_NGINX_CRED_A; proxy_pass http://$TEST_NGINX_A; }
    location /b { s3_origin default $TEST_NGINX_CRED_B host=b.example.com; proxy_pass http://$TEST_NGINX_A; }
    location /off { s3_resign off; proxy_pass http://$TEST_NGINX_A; }
--- signed
GET /a/key
GET /b/key
unsigned GET /off/key
GET /a/key
--- answers
200 verified yes
200 verified no: key AKIDORIGINB is not mine.*header [Hh]ost: b\.example\.com
200 verified no: not signed
200 verified yes

=== TEST 21: s3_origin inherited from the server, for two hosts
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_origin $TEST_NGINX_CRED_A;
    location / { proxy_pass http://$TEST_NGINX_A; }
    location /b { s3_origin $TEST_NGINX_CRED_B; proxy_pass http://$TEST_NGINX_B; }
--- signed
GET /a
GET /b
--- answers
200 ^origin A\nverified yes
200 ^origin B\nverified yes

=== TEST 22: a host name, resolved at start
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_origin $TEST_NGINX_CRED_A; proxy_pass http://localhost:$TEST_NGINX_PORT_A; }
--- signed: GET /bucket/key host=s3.example.com
--- passed: A
--- response_body_like: header [Hh]ost: localhost:\d+\n

=== TEST 23: a host name in an upstream
--- http_config
    upstream u { server localhost:$TEST_NGINX_PORT_A; keepalive 2; s3_origin localhost:$TEST_NGINX_PORT_A $TEST_NGINX_CRED_A; }
--- config
$TEST_NGINX_U
--- signed: 2x GET /bucket/key
--- answers: 2x 200 verified yes.*header [Hh]ost: localhost:\d+\n

=== TEST 24: a socket, which needs host=
--- http_config
    upstream u { server unix:$TEST_NGINX_SOCKET; s3_origin default $TEST_NGINX_CRED_A host=s3.example.com; }
    server { listen unix:$TEST_NGINX_SOCKET; location / { proxy_pass http://$TEST_NGINX_A; proxy_set_header Host $http_host; } }
--- config
$TEST_NGINX_U
--- signed: GET /bucket/key
--- passed: A
--- response_body_like: header Host: s3\.example\.com\n

=== TEST 25: a socket without host=
--- http_config
    upstream u { server unix:$TEST_NGINX_SOCKET; s3_origin default $TEST_NGINX_CRED_A; }
--- config
$TEST_NGINX_U
--- does_not_start: "s3_origin".*"host="

=== TEST 26: one upstream with s3_resign and without
--- http_config eval: http('', '', 'backup')
--- config
$TEST_NGINX_U
    location /off { s3_resign off; proxy_pass http://u; }
--- signed
GET /bucket/key
unsigned GET /off/key
GET /bucket/key
--- answers
200 verified yes
200 verified no: not signed
200 verified yes

=== TEST 27: resolve
--- skip_nginx: 2: < 1.27.3: servers with resolve came with 1.27.3
--- http_config
    resolver 127.0.0.1:9;
    upstream u { zone u 64k; server 127.0.0.1:$TEST_NGINX_PORT_A resolve; s3_origin default $TEST_NGINX_CRED_A; }
--- config
$TEST_NGINX_U
--- signed: GET /bucket/key
--- passed: A

=== TEST 28: no live server: 502, and nothing is sent
--- http_config
    upstream u { server $TEST_NGINX_DEAD; s3_origin default $TEST_NGINX_CRED_A; }
--- config
$TEST_NGINX_U
--- signed: GET /bucket/key
--- answers: 502
