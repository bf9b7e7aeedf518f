# Origins behind TLS: SNI and the certificate's name follow the picked origin,
# verification holds, sessions are reused without harm.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use S3Test;
use Test::Nginx::Socket;

my $dir = tempdir(CLEANUP => 1);
$ENV{TEST_NGINX_DIR} = $dir;
plan(skip_all => 'nginx without TLS') if S3Test::lacks('http_ssl_module');
S3Test::certificates($dir) or plan(skip_all => 'no openssl command to make certificates with');
plan('no_plan');

# In front of the mock origins: TLS, which tells the SNI and whether the session
# was reused.
my $front = join '', map {
    my ($name, $port, $origin) = @$_;
    <<"END";
    server {
        listen 127.0.0.1:$port ssl;
        ssl_certificate $dir/$name.crt;
        ssl_certificate_key $dir/$name.key;
        ssl_session_cache shared:$name:1m;
        keepalive_requests 1000;
        location / {
            proxy_pass http://$origin;
            proxy_request_buffering off;
            proxy_set_header Host \$http_host;
            proxy_set_header X-SNI "\$ssl_server_name";
            proxy_set_header X-Reused "\$ssl_session_reused";
            proxy_set_header X-Connection-Requests \$connection_requests;
        }
    }
END
} ['a', $ENV{TEST_NGINX_TLS_A}, $ENV{TEST_NGINX_A}], ['b', $ENV{TEST_NGINX_TLS_B}, $ENV{TEST_NGINX_B}];

sub http {
    my ($lines, $params_b) = map { $_ // '' } @_[0, 1];
    return $front . <<"END";
    upstream u {
        server 127.0.0.1:$ENV{TEST_NGINX_TLS_A};
        server 127.0.0.1:$ENV{TEST_NGINX_TLS_B} $params_b;
        s3_origin 127.0.0.1:$ENV{TEST_NGINX_TLS_A} $ENV{TEST_NGINX_CRED_A} host=a.example.com;
        s3_origin 127.0.0.1:$ENV{TEST_NGINX_TLS_B} $ENV{TEST_NGINX_CRED_B} host=b.example.com:8443;
        $lines
    }
END
}

sub verified { <<"END" }
    $ENV{TEST_NGINX_CLIENT}
    location / {
        s3_resign on;
        proxy_pass https://u;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate $dir/ca.crt;
        @_
    }
END

our $large = 'x' x 1_000_000;

prepare();
run_tests();

__DATA__

=== TEST 1: SNI and verification by the picked origin's host, with nothing but proxy_ssl_verify
--- http_config eval: http()
--- config eval: verified()
--- signed: 4x GET /bucket/key
--- answers
200 ^origin A\nverified yes.*header Host: a\.example\.com\n.*header X-SNI: a\.example\.com\n
200 ^origin B\nverified yes.*header Host: b\.example\.com:8443\n.*header X-SNI: b\.example\.com\n
200 ^origin A\nverified yes.*header Host: a\.example\.com\n.*header X-SNI: a\.example\.com\n
200 ^origin B\nverified yes.*header Host: b\.example\.com:8443\n.*header X-SNI: b\.example\.com\n

=== TEST 2: session reuse, on: later requests do not crash and do reuse
--- http_config eval: http()
--- config eval: verified('proxy_ssl_session_reuse on; proxy_set_header Connection close;')
--- signed: 6x GET /bucket/key
--- answers
2x 200 verified yes.*X-Reused: \.\n
4x 200 verified yes.*X-Reused: r\n

=== TEST 3: session reuse with a zone and least_conn
--- http_config eval: http('zone u 64k; least_conn;')
--- config eval: verified('proxy_ssl_session_reuse on; proxy_set_header Connection close;')
--- signed: 6x GET /bucket/key
--- answers: 6x 200 verified yes

=== TEST 4: session reuse, off
--- http_config eval: http()
--- config eval: verified('proxy_ssl_session_reuse off; proxy_set_header Connection close;')
--- signed: 4x GET /bucket/key
--- answers: 4x 200 verified yes.*X-Reused: \.\n

=== TEST 5: keepalive over TLS
--- http_config eval: http('keepalive 8;', 'backup')
--- config eval: verified('proxy_http_version 1.1; proxy_set_header Connection "";')
--- signed
GET /bucket/1
PUT /bucket/2 body=hello
presigned GET /bucket/3
--- answers
200 ^origin A\nverified yes.*X-Connection-Requests: 1\n
200 ^origin A\nverified yes.*X-Connection-Requests: 2\n
200 ^origin A\nverified yes.*X-Connection-Requests: 3\n

=== TEST 6: failover between hosts, in the handshake too
--- http_config eval
http('', 'backup') =~ s/server 127\.0\.0\.1:$ENV{TEST_NGINX_TLS_A};/server $ENV{TEST_NGINX_A};/r =~ s/s3_origin 127\.0\.0\.1:$ENV{TEST_NGINX_TLS_A}/s3_origin $ENV{TEST_NGINX_A}/r
--- config eval: verified('')
--- signed
PUT /bucket/key body=hello
GET /bucket/key
--- answers: 2x 200 ^origin B\nverified yes.*X-SNI: b\.example\.com\n

=== TEST 7: failover by status
--- http_config eval: http('', 'backup')
--- config eval: verified('proxy_next_upstream http_503;')
--- signed: 2x PUT /bucket/key body=hello mock=A=503
--- answers: 2x 200 ^origin B\nverified yes.*X-SNI: b\.example\.com\n.*body 5 2cf24dba

=== TEST 8: a certificate for another name: 502, and no origin gets anything
--- http_config eval: http() =~ s/host=[ab]\.example\.com(:8443)?/host=c.example.com/gr
--- config eval: verified()
--- signed
GET /t8/key
unsigned GET /_log/t8
--- answers
502 InternalError
200 is

=== TEST 9: a certificate that nobody trusted has signed
--- http_config eval: http()
--- config eval: verified() =~ s/ca\.crt/a.crt/r
--- signed
GET /t9/key
unsigned GET /_log/t9
--- error_code_like eval: ['^(200|502)$', 200]
--- response_body_like eval: ['InternalError|origin A', '^(?!.*\bB )']

=== TEST 10: proxy_ssl_name and proxy_ssl_server_name of the user stand
--- http_config eval: http('', 'backup')
--- config eval: verified('proxy_ssl_name x.a.example.com; proxy_ssl_server_name on;')
--- signed: GET /bucket/key
--- passed: A
--- response_body_like: X-SNI: x\.a\.example\.com\n

=== TEST 11: $s3_origin_host in proxy_ssl_name
--- http_config eval: http()
--- config eval: verified('proxy_ssl_name $s3_origin_host; proxy_ssl_server_name on;')
--- signed: 2x GET /bucket/key
--- answers
200 verified yes.*X-SNI: a\.example\.com\n
200 verified yes.*X-SNI: b\.example\.com\n

=== TEST 12: proxy_pass to a TLS address with s3_origin in the location
--- http_config eval: http()
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        s3_origin $TEST_NGINX_CRED_A host=a.example.com;
        proxy_pass https://127.0.0.1:$TEST_NGINX_TLS_A;
        proxy_ssl_verify on;
        proxy_ssl_trusted_certificate $TEST_NGINX_DIR/ca.crt;
    }
--- signed: 2x GET /bucket/key
--- answers: 2x 200 ^origin A\nverified yes.*X-SNI: a\.example\.com\n

=== TEST 13: two locations, one TLS address, two hosts
--- http_config eval: http()
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    proxy_ssl_session_reuse off;
    proxy_ssl_verify on;
    proxy_ssl_trusted_certificate $TEST_NGINX_DIR/ca.crt;
    location /x { s3_origin $TEST_NGINX_CRED_A host=x.a.example.com; proxy_pass https://127.0.0.1:$TEST_NGINX_TLS_A; }
    location /y { s3_origin $TEST_NGINX_CRED_A host=y.a.example.com; proxy_pass https://127.0.0.1:$TEST_NGINX_TLS_A; }
--- signed
GET /x/key
GET /y/key
GET /x/key
--- answers
200 verified yes.*X-SNI: x\.a\.example\.com\n
200 verified yes.*X-SNI: y\.a\.example\.com\n
200 verified yes.*X-SNI: x\.a\.example\.com\n

=== TEST 14: virtual addressing
--- http_config eval: http('', 'backup') =~ s/host=a\.example\.com/host=a.example.com addressing=virtual/r
--- config eval: verified()
--- signed: GET /bucket/key
--- passed: A
--- response_body_like: header Host: bucket\.a\.example\.com\n

=== TEST 15: a large upload over TLS, from a file
--- http_config eval: http('', 'backup')
--- config eval: verified('client_body_buffer_size 16k;')
--- signed: PUT /bucket/key body=$large
--- passed: A
--- response_body_like: body 1000000

=== TEST 16: an unbuffered upload over TLS
--- http_config eval: http('', 'backup')
--- config eval: verified('proxy_request_buffering off; proxy_http_version 1.1;')
--- signed: PUT /bucket/key body=$large
--- passed: A
--- response_body_like: body 1000000

=== TEST 17: aws-chunked uploads over TLS
--- http_config eval: http('', 'backup')
--- config eval: verified('client_body_buffer_size 16k;')
--- upload
PUT /bucket/key kind=signed body=$large
PUT /bucket/key kind=signed-trailer body=$large
PUT /bucket/key kind=unsigned body=$large
--- answers: 3x 200 verified yes.*data 1000000\b

=== TEST 18: the same, unbuffered
--- http_config eval: http('', 'backup')
--- config eval: verified('proxy_request_buffering off; proxy_http_version 1.1;')
--- upload
PUT /bucket/key kind=signed body=$large
PUT /bucket/key kind=signed-trailer body=$large
PUT /bucket/key kind=unsigned body=$large
--- answers: 3x 200 verified yes.*data 1000000\b

=== TEST 19: uploads of nothing: the origin gets the plain head at once
--- http_config eval: http('keepalive 4;', 'backup') =~ s/host=a/framing=decode host=a/r
--- config eval: verified('proxy_http_version 1.1; proxy_set_header Connection "";')
--- upload
PUT /bucket/key kind=signed
PUT /bucket/key kind=signed-trailer
PUT /bucket/key kind=unsigned
--- answers: 3x 200 verified yes.*body 0\b

=== TEST 20: s3_resign off beside it, to the same upstream
--- http_config eval: http()
--- config eval
verified('proxy_ssl_session_reuse off;') . 'location /off { s3_resign off; proxy_ssl_session_reuse off; proxy_pass https://u; proxy_ssl_name other.example.com; proxy_ssl_server_name on; }'
--- signed
GET /bucket/key
2x unsigned GET /off/key
GET /bucket/key
--- answers
200 verified yes
2x 200 verified no: not signed.*X-SNI: other\.example\.com
200 verified yes

=== TEST 21: a form's fields are sent while its file is still to come
--- http_config eval: http()
--- config eval: verified('proxy_request_buffering off; client_body_timeout 60s;')
--- raw_request eval
my $form = raw('POST /t21', S3Sign::v4_form(path => '/t21', file => 'x' x 50_000, headers => ['x-mock', 'A=partial:900']));
[$form =~ /\A(.*?name="file".*?\r\n\r\n)/s]
--- timeout: 2
--- error_code: 502

=== TEST 22: a sealed id goes to its origin: TLS connections that were given back are kept alive
--- http_config eval: http('keepalive 8;')
--- config eval: verified('proxy_http_version 1.1; proxy_set_header Connection "";')
--- signed
GET /bucket/1
GET /bucket/2
PUT /bucket/key?partNumber=1&uploadId=s3r1_qy3mg2pnrrt27lsbmg2im7a2p4whfqyzs2wxw37kluia body=hello
PUT /bucket/key?partNumber=2&uploadId=s3r1_qy3mg2pnrrt27lsbmg2im7a2p4whfqyzs2wxw37kluia body=hello
PUT /bucket/key?partNumber=3&uploadId=s3r1_qy3mg2pnrrt27lsbmg2im7a2p4whfqyzs2wxw37kluia body=hello
PUT /bucket/key?partNumber=4&uploadId=s3r1_qy3mg2pnrrt27lsbmg2im7a2p4whfqyzs2wxw37kluia body=hello
2x GET /bucket/3
--- answers
200 ^origin A\nverified yes.*X-Connection-Requests: 1\n
200 ^origin B\nverified yes.*X-Connection-Requests: 1\n
200 ^origin A\nverified yes.*X-SNI: a\.example\.com\n.*X-Connection-Requests: 2\n
200 ^origin A\nverified yes.*X-SNI: a\.example\.com\n.*X-Connection-Requests: 3\n
200 ^origin A\nverified yes.*X-SNI: a\.example\.com\n.*X-Connection-Requests: 4\n
200 ^origin A\nverified yes.*X-SNI: a\.example\.com\n.*X-Connection-Requests: 5\n
2x 200 verified yes.*X-Connection-Requests: [26]\n

=== TEST 23: and sessions are its own
--- http_config eval: http()
--- config eval: verified('proxy_ssl_session_reuse on; proxy_set_header Connection close;')
--- signed
2x GET /bucket/1
6x PUT /bucket/key?partNumber=1&uploadId=s3r1_qy3mg2pnrrt27lsbmg2im7a2p4whfqyzs2wxw37kluia body=hello
--- answers
2x 200 verified yes.*X-Reused: \.\n
6x 200 ^origin A\nverified yes.*X-SNI: a\.example\.com\n.*X-Reused: r\n
