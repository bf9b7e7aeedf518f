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

prepare();
run_tests();

__DATA__

=== TEST 1: round robin
--- http_config eval: http()
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 4]
--- more_headers eval: [(h4()) x 4]
--- error_code eval: [(200) x 4]
--- response_body_like eval: [('^origin A\nverified yes', '^origin B\nverified yes') x 2]

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
--- request eval: [('GET /bucket/key') x 2]
--- more_headers eval: [(h4()) x 2]
--- error_code eval: [(200) x 2]
--- response_body_like eval: ['^origin A\nverified yes', '^origin B\nverified yes']

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
--- request eval: [('GET /bucket/key') x 2]
--- more_headers eval: [(h4()) x 2]
--- error_code eval: [(200) x 2]
--- response_body_like eval: ['^origin A\nverified yes', '^origin B\nverified yes']

=== TEST 4: zone
--- http_config eval: http('zone u 64k;')
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 4]
--- more_headers eval: [(h4()) x 4]
--- error_code eval: [(200) x 4]
--- response_body_like eval: [('^origin A\nverified yes', '^origin B\nverified yes') x 2]

=== TEST 5: least_conn
--- http_config eval: http('least_conn;')
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 4]
--- more_headers eval: [(h4()) x 4]
--- error_code eval: [(200) x 4]
--- response_body_like eval: [('verified yes') x 4]

=== TEST 6: least_conn with zone
--- http_config eval: http('least_conn; zone u 64k;')
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 4]
--- more_headers eval: [(h4()) x 4]
--- error_code eval: [(200) x 4]
--- response_body_like eval: [('verified yes') x 4]

=== TEST 7: ip_hash
--- http_config eval: http('ip_hash;')
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 2]
--- more_headers eval: [(h4()) x 2]
--- error_code eval: [(200) x 2]
--- response_body_like eval: [('verified yes') x 2]

=== TEST 8: hash by a variable of the module's
--- http_config eval: http('hash $s3_bucket/$s3_key;')
--- config
$TEST_NGINX_U
--- request eval: [map { "GET /bucket/$_" } 1 .. 8]
--- more_headers eval: [map { h4(path => "/bucket/$_") } 1 .. 8]
--- error_code eval: [(200) x 8]
--- response_body_like eval: [('verified yes') x 8]

=== TEST 9: hash, consistent
--- http_config eval: http('hash $request_uri consistent; zone u 64k;')
--- config
$TEST_NGINX_U
--- request eval: [map { "GET /bucket/$_" } 1 .. 8]
--- more_headers eval: [map { h4(path => "/bucket/$_") } 1 .. 8]
--- error_code eval: [(200) x 8]
--- response_body_like eval: [('verified yes') x 8]

=== TEST 10: random
--- http_config eval: http('random;')
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 6]
--- more_headers eval: [(h4()) x 6]
--- error_code eval: [(200) x 6]
--- response_body_like eval: [('verified yes') x 6]

=== TEST 11: random two least_conn, with zone
--- http_config eval: http('zone u 64k; random two least_conn;')
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 6]
--- more_headers eval: [(h4()) x 6]
--- error_code eval: [(200) x 6]
--- response_body_like eval: [('verified yes') x 6]

=== TEST 12: weight, max_fails and max_conns
--- http_config eval: http('zone u 64k;', 'weight=2 max_fails=3 fail_timeout=1s max_conns=100')
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 3]
--- more_headers eval: [(h4()) x 3]
--- error_code eval: [(200) x 3]
--- response_body_like eval: [('verified yes') x 3]

=== TEST 13: down: the backup is signed for
--- http_config eval: http('', 'down', 'backup')
--- config
$TEST_NGINX_U
--- request
GET /bucket/key
--- more_headers eval: h4()
--- passed: B

=== TEST 14: down with zone
--- http_config eval: http('zone u 64k;', 'down', 'backup')
--- config
$TEST_NGINX_U
--- request
GET /bucket/key
--- more_headers eval: h4()
--- passed: B

=== TEST 15: keepalive: the second request of a connection is signed anew
--- http_config eval: http('keepalive 8;', '', 'backup')
--- config
$TEST_NGINX_U
--- request eval: ['GET /bucket/1', 'GET /bucket/2', "PUT /bucket/3\nhello", 'GET ' . q4(path => '/bucket/4')]
--- more_headers eval: [h4(path => '/bucket/1'), h4(path => '/bucket/2'), h4(path => '/bucket/3', method => 'PUT', body => 'hello'), '']
--- error_code eval: [(200) x 4]
--- response_body_like eval
[map { "^origin A\nverified yes\n.*connection \\d+ request $_\n.*line (?:GET|PUT) /bucket/$_" } 1 .. 4]

=== TEST 16: keepalive with two origins: no connection changes hands
--- http_config eval: http('keepalive 8;')
--- config
$TEST_NGINX_U
--- request eval: [map { "GET /bucket/$_" } 1 .. 6]
--- more_headers eval: [map { h4(path => "/bucket/$_") } 1 .. 6]
--- error_code eval: [(200) x 6]
--- response_body_like eval
[map { my $n = $_; map { "^origin $_\nverified yes\n.*connection \\d+ request $n\n" } qw(A B) } 1 .. 3]

=== TEST 17: keepalive before and after another balancer
--- http_config eval: http('least_conn; keepalive 8; zone u 64k;')
--- config
$TEST_NGINX_U
--- request eval: [map { "GET /bucket/$_" } 1 .. 6]
--- more_headers eval: [map { h4(path => "/bucket/$_") } 1 .. 6]
--- error_code eval: [(200) x 6]
--- response_body_like eval: [('verified yes') x 6]

=== TEST 18: keepalive that the origin does not keep
--- http_config eval: http('keepalive 8;', '', 'backup')
--- config
$TEST_NGINX_U
--- request eval: [map { "GET /bucket/$_" } 1 .. 3]
--- more_headers eval: [map { h4(path => "/bucket/$_") . "X-Mock: A=bye\n" } 1 .. 3]
--- error_code eval: [(200) x 3]
--- response_body_like eval: [('verified yes') x 3]

=== TEST 19: proxy_pass to an address, with s3_origin in the location
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; s3_origin $TEST_NGINX_CRED_A; proxy_pass http://$TEST_NGINX_A; }
--- request
GET /bucket/key
--- more_headers eval: h4()
--- passed: A
--- response_body_like eval: qr{header [Hh]ost: \Q$ENV{TEST_NGINX_A}\E\n}

=== TEST 20: two locations to one address, with different credentials
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location /a { s3_origin default $TEST_NGINX_CRED_A; proxy_pass http://$TEST_NGINX_A; }
    location /b { s3_origin default $TEST_NGINX_CRED_B host=b.example.com; proxy_pass http://$TEST_NGINX_A; }
    location /off { s3_resign off; proxy_pass http://$TEST_NGINX_A; }
--- request eval: ['GET /a/key', 'GET /b/key', 'GET /off/key', 'GET /a/key']
--- more_headers eval: [h4(path => '/a/key'), h4(path => '/b/key'), '', h4(path => '/a/key')]
--- error_code eval: [(200) x 4]
--- response_body_like eval
['verified yes', 'verified no: key AKIDORIGINB is not mine.*header [Hh]ost: b\.example\.com', 'verified no: not signed', 'verified yes']

=== TEST 21: s3_origin inherited from the server, for two hosts
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_origin $TEST_NGINX_CRED_A;
    location / { proxy_pass http://$TEST_NGINX_A; }
    location /b { s3_origin $TEST_NGINX_CRED_B; proxy_pass http://$TEST_NGINX_B; }
--- request eval: ['GET /a', 'GET /b']
--- more_headers eval: [h4(path => '/a'), h4(path => '/b')]
--- error_code eval: [200, 200]
--- response_body_like eval: ['^origin A\nverified yes', '^origin B\nverified yes']

=== TEST 22: a host name, resolved at start
--- config eval
my ($port) = $ENV{TEST_NGINX_A} =~ /:(\d+)/;
"$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; s3_origin $ENV{TEST_NGINX_CRED_A}; proxy_pass http://localhost:$port; }"
--- request
GET /bucket/key
--- more_headers eval: h4(host => 's3.example.com')
--- passed: A
--- response_body_like: header [Hh]ost: localhost:\d+\n

=== TEST 23: a host name in an upstream
--- http_config eval
my ($port) = $ENV{TEST_NGINX_A} =~ /:(\d+)/;
"upstream u { server localhost:$port; keepalive 2; s3_origin localhost:$port $ENV{TEST_NGINX_CRED_A}; }"
--- config
$TEST_NGINX_U
--- request eval: [('GET /bucket/key') x 2]
--- more_headers eval: [(h4()) x 2]
--- error_code eval: [(200) x 2]
--- response_body_like eval: [('verified yes.*header [Hh]ost: localhost:\d+\n') x 2]

=== TEST 24: a socket, which needs host=
--- http_config
    upstream u { server unix:$TEST_NGINX_SOCKET; s3_origin default $TEST_NGINX_CRED_A host=s3.example.com; }
    server { listen unix:$TEST_NGINX_SOCKET; location / { proxy_pass http://$TEST_NGINX_A; proxy_set_header Host $http_host; } }
--- config
$TEST_NGINX_U
--- request
GET /bucket/key
--- more_headers eval: h4()
--- passed: A
--- response_body_like: header Host: s3\.example\.com\n

=== TEST 25: a socket without host=
--- http_config
    upstream u { server unix:$TEST_NGINX_SOCKET; s3_origin default $TEST_NGINX_CRED_A; }
--- config
$TEST_NGINX_U
--- must_die
--- error_log eval: qr/\[emerg\].*"s3_origin".*"host="/

=== TEST 26: one upstream with s3_resign and without
--- http_config eval: http('', '', 'backup')
--- config
$TEST_NGINX_U
    location /off { s3_resign off; proxy_pass http://u; }
--- request eval: ['GET /bucket/key', 'GET /off/key', 'GET /bucket/key']
--- more_headers eval: [h4(), '', h4()]
--- error_code eval: [200, 200, 200]
--- response_body_like eval: ['verified yes', 'verified no: not signed', 'verified yes']

=== TEST 27: resolve
--- skip_nginx: 2: < 1.27.3: servers with resolve came with 1.27.3
--- http_config eval
my ($port) = $ENV{TEST_NGINX_A} =~ /:(\d+)/;
"resolver 127.0.0.1:9; upstream u { zone u 64k; server 127.0.0.1:$port resolve; s3_origin default $ENV{TEST_NGINX_CRED_A}; }"
--- config
$TEST_NGINX_U
--- request
GET /bucket/key
--- more_headers eval: h4()
--- passed: A

=== TEST 28: no live server: 502, and nothing is sent
--- http_config eval
"upstream u { server $ENV{TEST_NGINX_DEAD}; s3_origin default $ENV{TEST_NGINX_CRED_A}; }"
--- config
$TEST_NGINX_U
--- request
GET /bucket/key
--- more_headers eval: h4()
--- error_code: 502
